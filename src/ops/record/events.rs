//! What happened to a tool's scripts, as events with their files.

use std::collections::{BTreeMap, HashMap};

use super::changes::{Change, Happened};
use super::{RunEnd, ToolExit, ToolRun, digest_of};
use crate::chain::NewFile;
use crate::model::{
    Actor, Cid, Details, Direction, Event, EventId, EventKind, Evidence, Executor, FileDigests, FileName,
    MigrationDetails, MigrationName, Outcome, Role, Run, SchemaChange, Target, Timestamp, ToolSays,
    WithheldFile,
};
use crate::privacy::{Severity, scan, without_secrets};
use crate::scripts::tools::{Catalog, State, ToolScript};

/// What `schema.algorithm` says where no fingerprint was taken.
const NO_ALGORITHM: &str = "none";
/// What of a tool's output is kept: its first and its last part, of so many bytes each.
const OUTPUT_PART: usize = 512 << 10;

/// The SQL that the tool says it ran, by script.
pub type Rendered = HashMap<String, Vec<u8>>;

/// What the events of one run share.
pub struct Shared<'a> {
    pub actor: &'a Actor,
    pub target: &'a Target,
    /// The tool's name in events.
    pub executor: Executor,
    pub run: Run,
    pub catalog: &'a Catalog,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    /// Manifests that made scripts count as applied, by script.
    pub applied_by: &'a HashMap<String, Cid>,
    /// What scripts were before the run, where it was noted.
    pub scripts: Option<&'a BTreeMap<String, String>>,
}

/// How an event is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The wrapper saw it happen; `stamps`: the tool was asked to write its history only.
    Seen { stamps: bool },
    /// It was found so.
    Found,
}

/// An event with its files; its place is filled in when it is appended.
pub struct Draft {
    pub event: Event,
    pub files: Vec<NewFile>,
    pub version: String,
}

impl Shared<'_> {
    fn evidence(&self, change: &Change, script: Option<&ToolScript>, known: Known) -> Evidence {
        // A script that the run itself wrote, or that was edited since, may be another than the one that ran.
        let is_same = |script: &ToolScript| {
            self.scripts.is_none_or(|scripts| scripts.get(&script.id) == Some(&digest_of(script)))
        };
        match (known, script) {
            (Known::Seen { .. }, _)
                if change.happened != Happened::Rewritten && script.is_none_or(is_same) =>
            {
                Evidence::Captured
            }
            (_, None) => Evidence::Bare,
            (_, Some(script)) => {
                let remembered = change.entry.as_ref().and_then(|entry| entry.checksum.as_deref());
                let fixes = |checksum: &crate::scripts::tools::Checksum| {
                    checksum.exact && remembered == Some(checksum.value.as_str())
                };
                match script.checksum.as_ref().is_some_and(fixes) {
                    true => Evidence::ImportedExact,
                    false => Evidence::ImportedWeak,
                }
            }
        }
    }

    /// The event of one change.
    #[must_use]
    pub fn draft(&self, change: &Change, known: Known, rendered: Option<&Vec<u8>>) -> Draft {
        let script = self.catalog.script(&change.id);
        let (kind, direction) = kind_of(change, known);
        let mut says = ToolSays::default();
        if let Some(entry) = &change.entry {
            says.at.clone_from(&entry.at);
            says.checksum.clone_from(&entry.checksum);
        }
        let (mut files, mut digests) = (Vec::new(), BTreeMap::new());
        let mut keep = |role: Role, name: &str, bytes: &[u8]| {
            if let Some(rule) = secret_in(bytes) {
                says.withheld.push(WithheldFile { role, rule });
            } else if let Ok(name) = name.parse::<FileName>() {
                digests.insert(name.to_string(), FileDigests::of(bytes));
                files.push(NewFile { name, role, bytes: bytes.to_vec(), sealed: false });
            }
        };
        if let Some(script) = script {
            match change.happened {
                Happened::Undone => {
                    let file = script.down.as_ref().unwrap_or(&script.up);
                    keep(Role::Down, &file.path, &file.bytes);
                }
                _ => {
                    keep(Role::Up, &script.up.path, &script.up.bytes);
                    if let Some(down) = &script.down {
                        keep(Role::Down, &down.path, &down.bytes);
                    }
                }
            }
        }
        if let Some(sql) = rendered {
            keep(Role::Rendered, "rendered.sql", sql);
        }
        let undone = change.happened == Happened::Undone;
        let details = MigrationDetails {
            migration: name_of(&change.id, script),
            evidence: self.evidence(change, script, known),
            digests,
            statements: Vec::new(),
            notices: None,
            schema: SchemaChange { algorithm: NO_ALGORITHM.to_owned(), before: None, after: None },
            outcome: if kind == EventKind::Fail { Outcome::Failed } else { Outcome::Succeeded },
            error: None,
            commitments: BTreeMap::new(),
            plan: None,
            reverts: if undone { self.applied_by.get(&change.id).copied() } else { None },
            promoted_from: None,
            hooks: Vec::new(),
            direction: (kind == EventKind::Stamp).then_some(direction),
            tool: (says != ToolSays::default()).then(|| Box::new(says)),
        };
        let event = Event {
            chain: None,
            seq: 0,
            prev: None,
            event: kind,
            id: EventId::generate(self.finished_at),
            started_at: self.started_at,
            finished_at: self.finished_at,
            database_clock: None,
            actor: self.actor.clone(),
            target: Some(self.target.clone()),
            executor: self.executor.clone(),
            run: self.run.clone(),
            details: Details::Migration(Box::new(details)),
        };
        Draft { event, files, version: change.id.clone() }
    }
}

/// Adds what is known of a run as a whole: the schema before it to its first event, the schema after it, how the tool's
/// process ended and what it printed to its last one.
pub fn frame(drafts: &mut [Draft], run: &ToolRun, end: Option<&RunEnd>, output: Option<&[u8]>) {
    let before = run.before.as_ref().and_then(|look| look.schema.as_ref());
    let after = end.and_then(|end| end.after.as_ref()).and_then(|look| look.schema.as_ref());
    if let (Some(details), Some(schema)) = (drafts.first_mut().and_then(details_of), before) {
        details.schema = SchemaChange { before: schema.after, after: None, ..schema.clone() };
    }
    let Some(last) = drafts.last_mut() else { return };
    if let Some(details) = details_of(last) {
        if let Some(schema) = after {
            // Digests of two algorithms cannot be compared: the later one counts.
            let before = details.schema.before.filter(|_| details.schema.algorithm == schema.algorithm);
            details.schema = SchemaChange { before, ..schema.clone() };
        }
        if let Some(ToolExit { code, signal }) = end.map(|end| end.exit) {
            let says = details.tool.get_or_insert_default();
            (says.exit, says.signal) = (code, signal);
        }
    }
    if let Some(output) = output.filter(|output| !output.is_empty())
        && let Ok(name) = "output.txt".parse::<FileName>()
    {
        let (bytes, _) = without_secrets(&shortened(output));
        if let Some(details) = details_of(last) {
            details.digests.insert(name.to_string(), FileDigests::of(&bytes));
        }
        last.files.push(NewFile { name, role: Role::Output, bytes, sealed: false });
    }
}

fn details_of(draft: &mut Draft) -> Option<&mut MigrationDetails> {
    match &mut draft.event.details {
        Details::Migration(details) => Some(details),
        _ => None,
    }
}

fn kind_of(change: &Change, known: Known) -> (EventKind, Direction) {
    let marked = change.entry.as_ref().is_some_and(|entry| entry.state == State::Marked);
    let stamps = marked || matches!(known, Known::Seen { stamps: true });
    match (change.happened, known) {
        (Happened::Failed, _) => (EventKind::Fail, Direction::Up),
        // A version is applied once: FORMAT knows no second run of one that was not undone.
        (Happened::Rewritten | Happened::Again, _) => (EventKind::Stamp, Direction::Up),
        (Happened::Applied, Known::Found) => (EventKind::Baseline, Direction::Up),
        (Happened::Applied, _) if stamps => (EventKind::Stamp, Direction::Up),
        (Happened::Applied, _) => (EventKind::Apply, Direction::Up),
        // That it is gone is all that is known: whether a script ran is not.
        (Happened::Undone, Known::Found) => (EventKind::Stamp, Direction::Down),
        (Happened::Undone, _) if stamps => (EventKind::Stamp, Direction::Down),
        (Happened::Undone, _) => (EventKind::Rollback, Direction::Down),
    }
}

fn name_of(id: &str, script: Option<&ToolScript>) -> MigrationName {
    MigrationName {
        version: id.to_owned(),
        name: script.and_then(|script| script.name.clone()),
        depends_on: script.map(|script| script.stands_on.clone()).unwrap_or_default(),
        sectors: Vec::new(),
        purpose: script.and_then(|script| script.purpose.clone()),
        impact: None,
    }
}

/// The rule that finds a secret in a file.
fn secret_in(bytes: &[u8]) -> Option<String> {
    let found = scan(bytes).into_iter().find(|finding| finding.severity == Severity::Secret);
    found.map(|finding| finding.rule.into_owned())
}

/// The beginning and the end of a long output.
fn shortened(output: &[u8]) -> Vec<u8> {
    let left_out = output.len().saturating_sub(2 * OUTPUT_PART);
    if left_out == 0 {
        return output.to_vec();
    }
    let mut kept = output.get(..OUTPUT_PART).unwrap_or_default().to_vec();
    kept.extend_from_slice(format!("\n[{left_out} bytes left out]\n").as_bytes());
    kept.extend_from_slice(output.get(output.len() - OUTPUT_PART..).unwrap_or_default());
    kept
}
