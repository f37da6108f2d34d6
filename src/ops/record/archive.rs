//! Appends the events of one run to the chain, once, however often it is tried.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::changes::{Change, Happened, changes};
use super::events::{Draft, Known, Rendered, Shared, frame};
use super::look::Look;
use super::notes::{Drafting, Notes};
use super::steps::Step;
use super::{RecordError, RunEnd, ToolExit, ToolRun, applier};
use crate::chain::NewFile;
use crate::crypto::PrivateKey;
use crate::model::{Cid, Details, Event, EventId, EventKind, Executor, Role, Run, Target, Timestamp};
use crate::ops::chain::OpenChain;
use crate::ops::gate::require_clean;
use crate::ops::outbox::Archived;
use crate::ops::sealing::Sealing;
use crate::ops::session::require_same_chain;
use crate::ops::told::Told;
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
    let Finished { run, catalog, output, rendered, tool, notes, collects } = finished;
    let end = run.end.as_ref();
    let Some(last) = end.and_then(|end| end.after.as_ref()).or(run.before.as_ref()) else {
        return Ok(Recorded::default());
    };
    let mut pen = Pen::open(project, open_key)?;
    let told = Told::read(&pen.chain.reader, None)?;
    if pen.tells(run.id, &told)? {
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
        executor: Executor { name: run.tool.clone(), version: "unknown".to_owned() },
        run: Run { id: run.id, ci: project.ci.clone() },
        catalog,
        started_at: run.started_at,
        finished_at: end.map_or(run.started_at, |end| end.finished_at).max(newest),
        applied_by: &applied_by,
        scripts: run.scripts.as_ref(),
    };
    let witnessed = end.is_some_and(RunEnd::is_witnessed);
    let journals =
        [run.before.as_ref(), witnessed.then_some(last)].map(|look| look.and_then(|look| look.journal));
    let journals = (journals[0].filter(|_| witnessed), journals[1]);
    let mut news = notes.map(|notes| notes.news(tool, catalog, &told, journals)).unwrap_or_default();
    let adopted = told.entries.iter().any(|entry| !entry.version.is_empty());
    if !adopted && !news.start.is_empty() {
        // What stands on scripts that the chain does not know is not told before them: a baseline adopts it all.
        news.outside.clear();
    }
    let drafting = Drafting {
        shared: &shared,
        journal: notes.map(Notes::name).unwrap_or_default(),
        migrations: &project.migrations,
        rendered,
        newest,
    };
    let mut drafts = drafting.drafts(&news.outside, None);
    let mut applied: BTreeSet<String> = told.applied.keys().cloned().collect();
    tell(&news.outside, &mut applied);
    let at_first = run.before.as_ref().map(|look| look.entries.as_slice());
    let standing = standing(&told, &applied, &news.outside, at_first.unwrap_or_default());
    let before = at_first.map_or_else(|| standing.clone(), <[Entry]>::to_vec);
    let missed = changes(catalog, &standing, &before).into_iter();
    let missed: Vec<Change> =
        missed.filter(|change| is_new(change, &applied) && !is_known_failure(change, &told)).collect();
    let (missed, mut unadopted) = if adopted { (missed, 0) } else { (Vec::new(), missed.len()) };
    let found = missed.iter().map(|change| shared.draft(change, Known::Found, None));
    drafts.extend(found.map(|mut draft| {
        if !news.inside.is_empty() {
            // It was so when the run began.
            draft.event.finished_at = run.started_at.max(newest);
        }
        draft
    }));
    let first = drafts.len();
    drafts.extend(drafting.drafts(&news.inside, Some(run.stamps)));
    tell(&news.inside, &mut applied);
    let known = if witnessed { Known::Seen { stamps: run.stamps } } else { Known::Found };
    let began = before.clone();
    // What is known change by change is not told once more.
    let before = if news.inside.is_empty() { before } else { news.end.unwrap_or(before) };
    let after = tool.since(&before, &last.entries);
    let mut seen = changes(catalog, &before, &after);
    seen.retain(|change| is_new(change, &applied));
    // A row that says of a failure says it as long as it stands.
    seen.retain(|change| !collects || change.happened != Happened::Failed);
    if collects && !adopted && news.outside.is_empty() {
        unadopted = seen.len();
        seen.clear();
    }
    let is_told = seen.iter().any(|change| change.happened == Happened::Failed);
    let mut failure = None;
    if !is_told && !run.stamps && witnessed && end.is_some_and(|end| !end.exit.is_success()) {
        failure = failed(tool, catalog, output, &began, last);
    }
    drafts.extend(seen.iter().map(|change| shared.draft(change, known, rendered.get(&change.id))));
    // A script that nothing names may never have begun.
    drafts.extend(
        failure.iter().map(|(change, is_named)| {
            shared.draft(change, if *is_named { known } else { Known::Found }, None)
        }),
    );
    let of_run = drafts.get_mut(first..).filter(|_| !collects);
    if let Some(of_run) = of_run {
        frame(of_run, run, end, output);
    }
    let mut latest = newest;
    for draft in &mut drafts {
        latest = latest.max(draft.event.finished_at);
        draft.event.finished_at = latest;
    }
    let (archived, head) = pen.append(drafts, &told).await?;
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
        stamps: false,
        started_at: at,
        scripts: None,
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
    let (archived, head) = pen.append(drafts, &told).await?;
    Ok(Recorded { archived, head: Some(head), unadopted: 0 })
}

/// The script at which a tool stopped: the one that it named last, unless the run did that one, else the first one that
/// waits; and whether it was named. `None` where all are applied and none is named: then it failed at something else.
fn failed(
    tool: &dyn Tool,
    catalog: &Catalog,
    output: Option<&[u8]>,
    before: &[Entry],
    last: &Look,
) -> Option<(Change, bool)> {
    let was: HashSet<&str> = before.iter().map(|entry| entry.id.as_str()).collect();
    let applied: HashSet<&str> = last.entries.iter().map(|entry| entry.id.as_str()).collect();
    let named = output.and_then(|output| tool.stopped_at(&String::from_utf8_lossy(output)));
    let named = named.and_then(|name| Some(catalog.script_called(&name)?.id.as_str()));
    let left = named.filter(|id| was.contains(id) == applied.contains(id));
    let mut waiting = catalog.scripts.iter().map(|script| script.id.as_str());
    let is_named = left.is_some();
    let id = left.or_else(|| waiting.find(|id| !applied.contains(id)))?.to_owned();
    Some((Change { id, happened: Happened::Failed, entry: None }, is_named))
}

/// What the chain says of a history, after what happened `since`. What it does not know of a script's bytes is as it is
/// `now`.
fn standing(told: &Told, applied: &BTreeSet<String>, since: &[Step], now: &[Entry]) -> Vec<Entry> {
    let remembered: HashMap<&str, &Option<String>> =
        now.iter().map(|entry| (entry.id.as_str(), &entry.checksum)).collect();
    let changed: HashSet<&str> = since.iter().map(|step| step.change.id.as_str()).collect();
    let entry = |id: &String| {
        let old = told.applied.get(id).filter(|_| !changed.contains(id.as_str()));
        let remembered = remembered.get(id.as_str()).copied().cloned().flatten();
        let checksum = old.and_then(|standing| standing.checksum.clone()).or(remembered);
        Entry { checksum, ..Entry::applied(id) }
    };
    applied.iter().map(entry).collect()
}

/// Whether the chain's last word on a script is that it failed: what stays in the history of it is not news.
fn is_known_failure(change: &Change, told: &Told) -> bool {
    let newest = told.entries.iter().rfind(|entry| entry.version == change.id);
    change.happened == Happened::Failed && newest.is_some_and(|entry| entry.event == EventKind::Fail)
}

/// Whether the chain does not yet tell what a change did: another run may have seen the same.
fn is_new(change: &Change, applied: &BTreeSet<String>) -> bool {
    match change.happened {
        Happened::Applied => !applied.contains(&change.id),
        Happened::Undone => applied.contains(&change.id),
        Happened::Again | Happened::Failed | Happened::Rewritten => true,
    }
}

/// What is applied after steps.
fn tell(steps: &[Step], applied: &mut BTreeSet<String>) {
    for Step { change, .. } in steps {
        match change.happened {
            Happened::Applied => drop(applied.insert(change.id.clone())),
            Happened::Undone => drop(applied.remove(&change.id)),
            Happened::Again | Happened::Failed | Happened::Rewritten => {}
        }
    }
}

/// Whether a draft has not the script by which it would be judged what of its name may be published.
fn lacks_script(event: &Event, files: &[NewFile]) -> bool {
    let withholds = match &event.details {
        Details::Migration(details) => details.tool.as_ref().is_some_and(|tool| !tool.withheld.is_empty()),
        _ => false,
    };
    withholds || !files.iter().any(|file| file.role == Role::Up)
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
    async fn append(&mut self, drafts: Vec<Draft>, told: &Told) -> Result<(Vec<Archived>, Cid), OpsError> {
        let root = self.chain.reader.root();
        // Whether the newest event of a script tells no name, for its script is sealed.
        let mut hidden: HashMap<String, bool> =
            told.entries.iter().map(|entry| (entry.version.clone(), entry.name.is_none())).collect();
        let (mut archived, mut blocks) = (Vec::new(), Vec::new());
        for Draft { event, files, version } in drafts {
            let hides = hidden.get(&version).copied().unwrap_or_else(|| lacks_script(&event, &files));
            let (event, files) = self.sealing.seal(root, event, files, hides).await?;
            hidden
                .insert(version.clone(), event.migration().is_some_and(|migration| migration.name.is_none()));
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
