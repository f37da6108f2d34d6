//! Appends the events of one run to the chain, once, however often it is tried.

use std::collections::HashMap;
use std::sync::Arc;

use super::changes::changes;
use super::events::{Draft, Known, Rendered, Shared, frame};
use super::look::Look;
use super::notes::Notes;
use super::telling::{Tale, Telling};
use super::{RecordError, RunEnd, ToolExit, ToolRun, applier};
use crate::chain::NewFile;
use crate::crypto::Signer;
use crate::model::{Cid, Details, Event, EventId, Executor, Role, Run, Target, Timestamp};
use crate::ops::chain::OpenChain;
use crate::ops::gate::Gate;
use crate::ops::outbox::Archived;
use crate::ops::sealing::Sealing;
use crate::ops::session::require_same_chain;
use crate::ops::told::Told;
use crate::ops::{OpenKey, OpsError, Progress, Project};
use crate::scripts::tools::{Catalog, Tool};

/// A run, and what is at hand to archive it.
pub struct Finished<'a> {
    pub run: &'a ToolRun,
    pub catalog: &'a Catalog,
    /// What the tool printed.
    pub output: Option<&'a [u8]>,
    pub rendered: &'a Rendered,
    /// What reads the output.
    pub tool: &'a dyn Tool,
    /// What was written down while it happened.
    pub notes: Option<&'a Notes>,
    /// Whether there was no run, and only notes are looked for.
    pub collects: bool,
}

/// What was archived of a run.
#[derive(Debug, Default)]
pub struct Recorded {
    pub archived: Vec<Archived>,
    pub head: Option<Cid>,
    /// How many scripts were applied before the chain told of any: what a baseline would adopt.
    pub unadopted: usize,
    /// Scripts of which a hook tells what the tool's table does not have: that is not archived.
    pub unconfirmed: Vec<String>,
}

/// A chain that is open to be continued with another tool's events.
struct Pen {
    chain: OpenChain,
    key: Arc<dyn Signer>,
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
    let Finished { run, catalog, .. } = finished;
    let end = run.end.as_ref();
    let Some(last) = end.and_then(|end| end.after.as_ref()).or(run.before.as_ref()) else {
        return Ok(Recorded::default());
    };
    let mut pen = Pen::open(project, open_key)?;
    let told = Told::read(&pen.chain.reader, None)?;
    if told.entries.iter().any(|entry| entry.run == run.id) {
        return Ok(Recorded { head: Some(pen.chain.reader.head()), ..Recorded::default() });
    }
    // What looks undone then was never seen: it is another database, or another tool's.
    if last.table.is_none() && !told.applied.is_empty() {
        return Err(RecordError::NoHistory { tool: run.tool.clone(), applied: told.applied.len() });
    }
    if let Some(chain) = applier(&pen.chain.reader)?.filter(|chain| *chain != run.tool) {
        return Err(RecordError::OtherTool { chain, tool: run.tool.clone() });
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
        executor: Executor { name: run.tool.clone(), version: version_of(run) },
        run: Run { id: run.id, ci: project.ci.clone() },
        catalog,
        started_at: run.started_at,
        finished_at: end.map_or(run.started_at, |end| end.finished_at).max(newest),
        applied_by: &applied_by,
        scripts: run.scripts.as_ref(),
    };
    let telling = Telling::new(&finished, &told, &shared, (last, newest), &project.migrations);
    let Tale { drafts, unadopted, unconfirmed } = telling.tell();
    let (archived, head) = pen.append(drafts, &told, &mut |_, _, _| ()).await?;
    Ok(Recorded { archived, head: Some(head), unadopted, unconfirmed })
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
    progress: &mut Progress<'_>,
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
        run: Run { id: EventId::generate(at), ci: project.ci.clone() },
        catalog,
        started_at: at,
        finished_at: at,
        applied_by: &HashMap::new(),
        scripts: None,
    };
    let run = ToolRun {
        id: shared.run.id,
        tool: tool.to_owned(),
        stamps: None,
        started_at: at,
        scripts: None,
        before: None,
        end: Some(RunEnd {
            finished_at: at,
            exit: ToolExit { code: None, signal: None },
            after: Some(look.clone()),
            late: false,
        }),
        version: None,
    };
    let mut drafts: Vec<Draft> = changes(catalog, &[], &look.entries)
        .iter()
        .map(|change| shared.draft(change, Known::Found, None))
        .collect();
    frame(&mut drafts, &run, run.end.as_ref(), None);
    let (archived, head) = pen.append(drafts, &told, progress).await?;
    Ok(Recorded { archived, head: Some(head), ..Recorded::default() })
}

/// Whether a draft has not the script by which it would be judged what of its name may be published.
fn lacks_script(event: &Event, files: &[NewFile]) -> bool {
    let withholds = match &event.details {
        Details::Migration(details) => details.tool.as_ref().is_some_and(|tool| !tool.withheld.is_empty()),
        _ => false,
    };
    withholds || !files.iter().any(|file| file.role == Role::Up)
}

/// The tool's version, as far as it is known.
fn version_of(run: &ToolRun) -> String {
    run.version.clone().unwrap_or_else(|| "unknown".to_owned())
}

fn target(project: &Project, look: &Look) -> Target {
    Target { name: project.database_name.clone(), engine: look.engine, version: look.version.clone() }
}

impl Pen {
    fn open(project: &Project, open_key: OpenKey) -> Result<Self, OpsError> {
        let key = open_key()?;
        let chain = OpenChain::open(&project.archive, &project.name, project.lock_wait, None)?;
        require_same_chain(project, chain.reader.root())?;
        chain.appender.require_signers(&*key)?;
        Ok(Self { chain, key, sealing: Sealing::new(project) })
    }

    /// Appends events, all or none.
    async fn append(
        &mut self,
        drafts: Vec<Draft>,
        told: &Told,
        progress: &mut Progress<'_>,
    ) -> Result<(Vec<Archived>, Cid), OpsError> {
        let root = self.chain.reader.root();
        // Whether the newest event of a script tells no name, for its script is sealed.
        let mut hidden: HashMap<String, bool> =
            told.entries.iter().map(|entry| (entry.version.clone(), entry.name.is_none())).collect();
        let (mut archived, mut blocks) = (Vec::new(), Vec::new());
        let (mut gate, total) = (Gate::default(), drafts.len() as u64);
        for (done, Draft { event, files, version }) in (0..).zip(drafts) {
            progress("archiving", done, Some(total));
            let hides = hidden.get(&version).copied().unwrap_or_else(|| lacks_script(&event, &files));
            let (event, files) = self.sealing.seal(root, event, files, hides).await?;
            hidden
                .insert(version.clone(), event.migration().is_some_and(|migration| migration.name.is_none()));
            let (id, kind, seq) = (event.id, event.event, self.chain.appender.size());
            let before = blocks.len();
            let manifest =
                self.chain.appender.append(event, files, &[&*self.key], &mut |block| blocks.push(block))?;
            gate.require_clean(&manifest, blocks.get(before..).unwrap_or_default())?;
            archived.push(Archived { id, event: kind, version, seq, manifest });
        }
        self.sealing.keep().await?;
        let head = match archived.is_empty() {
            true => self.chain.reader.head(),
            false => self.chain.store(blocks, &*self.key)?,
        };
        Ok((archived, head))
    }
}
