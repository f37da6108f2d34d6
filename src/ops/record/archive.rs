//! Appends the events of one run to the chain, once, however often it is tried.

use std::collections::{HashMap, HashSet};

use super::changes::{Change, Happened, changes};
use super::events::{Draft, Known, Rendered, Shared, frame};
use super::look::Look;
use super::{RecordError, RunEnd, ToolExit, ToolRun};
use crate::crypto::PrivateKey;
use crate::model::{Cid, EventId, Executor, Run, Target, Timestamp};
use crate::ops::chain::OpenChain;
use crate::ops::gate::require_clean;
use crate::ops::outbox::Archived;
use crate::ops::sealing::Sealing;
use crate::ops::session::require_same_chain;
use crate::ops::told::{Standing, Told};
use crate::ops::{OpenKey, OpsError, Project};
use crate::scripts::tools::{Catalog, Entry, Tool};

/// A run, and what is at hand to archive it.
pub struct Finished<'a> {
    pub run: &'a ToolRun,
    pub catalog: &'a Catalog,
    /// What the tool printed.
    pub output: Option<&'a [u8]>,
    pub rendered: &'a Rendered,
    /// What reads the output.
    pub tool: &'a dyn Tool,
    /// Commit, job and pipeline.
    pub ci: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What was archived of a run.
#[derive(Debug, Default)]
pub struct Recorded {
    pub archived: Vec<Archived>,
    pub head: Option<Cid>,
    /// How many scripts were applied before the chain told of any: what a baseline would adopt.
    pub unadopted: usize,
}

/// A chain that is open to be continued with another tool's events.
struct Pen {
    chain: OpenChain,
    key: PrivateKey,
    sealing: Sealing,
}

/// Archives a run. What the chain tells already is not told again.
///
/// # Errors
/// Those of key, archive and vault; nothing was archived then.
pub async fn archive(
    project: &Project,
    finished: Finished<'_>,
    open_key: OpenKey,
) -> Result<Recorded, RecordError> {
    let Finished { run, catalog, output, rendered, tool, ci } = finished;
    let end = run.end.as_ref();
    let Some(last) = end.and_then(|end| end.after.as_ref()).or(run.before.as_ref()) else {
        return Ok(Recorded::default());
    };
    let mut pen = Pen::open(project, open_key)?;
    let told = Told::read(&pen.chain.reader, None)?;
    if pen.tells(run.id, &told)? {
        return Ok(Recorded { head: Some(pen.chain.reader.head()), ..Recorded::default() });
    }
    let applied_by: HashMap<String, Cid> = told
        .applied
        .iter()
        .filter_map(|(id, standing)| {
            let place = usize::try_from(standing.seq).ok()?;
            Some((id.clone(), told.entries.get(place)?.manifest))
        })
        .collect();
    let newest = told.entries.last().map_or(run.started_at, |entry| entry.finished_at);
    let shared = Shared {
        actor: &project.actor,
        target: &target(project, last),
        executor: Executor { name: run.tool.clone(), version: "unknown".to_owned() },
        run: Run { id: run.id, ci },
        catalog,
        started_at: run.started_at,
        finished_at: end.map_or(run.started_at, |end| end.finished_at).max(newest),
        applied_by: &applied_by,
    };
    let stands = |(id, standing): (&String, &Standing)| Entry {
        checksum: standing.checksum.clone(),
        ..Entry::applied(id)
    };
    let standing: Vec<Entry> = told.applied.iter().map(stands).collect();
    let before = run.before.as_ref().map_or(standing.as_slice(), |look| look.entries.as_slice());
    let adopted = told.entries.iter().any(|entry| !entry.version.is_empty());
    let mut drafts = Vec::new();
    let missed = changes(catalog, &standing, before).into_iter().filter(|change| is_new(change, &told));
    let (missed, unadopted) = if adopted { (missed.collect(), 0) } else { (Vec::new(), before.len()) };
    drafts.extend(missed.iter().map(|change| shared.draft(change, Known::Found, None)));
    let first = drafts.len();
    let witnessed = end.is_some_and(RunEnd::is_witnessed);
    let known = if witnessed { Known::Seen { stamps: run.stamps } } else { Known::Found };
    let mut seen = changes(catalog, before, &last.entries);
    seen.retain(|change| is_new(change, &told));
    let is_told = seen.iter().any(|change| change.happened == Happened::Failed);
    if !is_told && !run.stamps && witnessed && end.is_some_and(|end| !end.exit.is_success()) {
        seen.extend(failed(tool, catalog, output, last));
    }
    drafts.extend(seen.iter().map(|change| shared.draft(change, known, rendered.get(&change.id))));
    if let Some(of_run) = drafts.get_mut(first..) {
        frame(of_run, run, end, output);
    }
    let (archived, head) = pen.append(drafts).await?;
    Ok(Recorded { archived, head: Some(head), unadopted })
}

/// Adopts what a tool's history says was applied, as found and not witnessed: one event each.
///
/// # Errors
/// [`RecordError::Adopted`] where the chain tells of scripts already; those of key, archive and vault.
pub async fn adopt(
    project: &Project,
    tool: &str,
    catalog: &Catalog,
    look: &Look,
    now: Timestamp,
    open_key: OpenKey,
) -> Result<Recorded, RecordError> {
    let mut pen = Pen::open(project, open_key)?;
    let told = Told::read(&pen.chain.reader, None)?;
    if let Some(entry) = told.entries.iter().find(|entry| !entry.version.is_empty()) {
        return Err(RecordError::Adopted { seq: entry.seq });
    }
    let newest = told.entries.last().map_or(now, |entry| entry.finished_at);
    let at = now.max(newest);
    let shared = Shared {
        actor: &project.actor,
        target: &target(project, look),
        executor: Executor { name: tool.to_owned(), version: "unknown".to_owned() },
        run: Run { id: EventId::generate(at), ci: None },
        catalog,
        started_at: at,
        finished_at: at,
        applied_by: &HashMap::new(),
    };
    let run = ToolRun {
        id: shared.run.id,
        tool: tool.to_owned(),
        stamps: false,
        started_at: at,
        before: None,
        end: Some(RunEnd {
            finished_at: at,
            exit: ToolExit { code: None, signal: None },
            after: Some(look.clone()),
            late: false,
        }),
    };
    let mut drafts: Vec<Draft> = changes(catalog, &[], &look.entries)
        .iter()
        .map(|change| shared.draft(change, Known::Found, None))
        .collect();
    frame(&mut drafts, &run, run.end.as_ref(), None);
    let (archived, head) = pen.append(drafts).await?;
    Ok(Recorded { archived, head: Some(head), unadopted: 0 })
}

/// The script at which a tool stopped: the one that it named last, else the first one that waits. `None` where all are
/// applied and none is named: then it failed at something else.
fn failed(tool: &dyn Tool, catalog: &Catalog, output: Option<&[u8]>, last: &Look) -> Option<Change> {
    let applied: HashSet<&str> = last.entries.iter().map(|entry| entry.id.as_str()).collect();
    let named = output.and_then(|output| tool.stopped_at(&String::from_utf8_lossy(output)));
    let mut waiting =
        catalog.scripts.iter().map(|script| &script.id).filter(|id| !applied.contains(id.as_str()));
    let id = named.filter(|id| catalog.script(id).is_some()).or_else(|| waiting.next().cloned())?;
    Some(Change { id, happened: Happened::Failed, entry: None })
}

/// Whether the chain does not yet tell what a change did: another run may have seen the same.
fn is_new(change: &Change, told: &Told) -> bool {
    match change.happened {
        Happened::Applied => !told.applied.contains_key(&change.id),
        Happened::Undone => told.applied.contains_key(&change.id),
        Happened::Failed | Happened::Rewritten => true,
    }
}

fn target(project: &Project, look: &Look) -> Target {
    Target { name: project.database_name.clone(), engine: look.engine, version: look.version.clone() }
}

impl Pen {
    fn open(project: &Project, open_key: OpenKey) -> Result<Self, OpsError> {
        let key = open_key()?;
        let chain = OpenChain::open(&project.archive, &project.name, project.lock_wait, None)?;
        require_same_chain(project, chain.reader.root())?;
        chain.appender.require_signers(&[&key])?;
        Ok(Self { chain, key, sealing: Sealing::new(project) })
    }

    /// Whether the chain has events of this run.
    fn tells(&self, run: EventId, told: &Told) -> Result<bool, OpsError> {
        // Events of a run stand together, and no run is archived long after another that began later.
        for entry in told.entries.iter().rev().take(1000) {
            if self.chain.reader.entry(&entry.manifest)?.statement.event.run.id == run {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Appends events, all or none.
    async fn append(&mut self, drafts: Vec<Draft>) -> Result<(Vec<Archived>, Cid), OpsError> {
        let root = self.chain.reader.root();
        let (mut archived, mut blocks) = (Vec::new(), Vec::new());
        for Draft { event, files, version } in drafts {
            let (event, files) = self.sealing.seal(root, event, files, false).await?;
            let (id, kind, seq) = (event.id, event.event, self.chain.appender.size());
            let before = blocks.len();
            let manifest =
                self.chain.appender.append(event, files, &[&self.key], &mut |block| blocks.push(block))?;
            require_clean(&manifest, blocks.get(before..).unwrap_or_default())?;
            archived.push(Archived { id, event: kind, version, seq, manifest });
        }
        self.sealing.keep().await?;
        let head = match archived.is_empty() {
            true => self.chain.reader.head(),
            false => self.chain.store(blocks, &self.key)?,
        };
        Ok((archived, head))
    }
}
