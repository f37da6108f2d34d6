//! What triggers and hooks noted, as events: one a change.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::ToolRun;
use super::changes::{Change, Happened};
use super::events::{Draft, Known, Rendered, Shared};
use super::spool::{STEPS, Spool, untold};
use super::steps::{Observed, Ran, Step, follow, steps};
use crate::database::capture::Journal;
use crate::model::{Captured, Details, Evidence, Timestamp, ToolSays};
use crate::ops::told::Told;
use crate::scripts::tools::{Catalog, Entry, Row, Tool};

/// What was written down while it happened.
#[derive(Debug)]
pub enum Notes {
    /// By triggers in the database.
    Journal { id: String, journal: Journal },
    /// By a hook of the tool.
    Steps(Spool),
}

/// What is new of notes.
#[derive(Debug, Default)]
pub struct News {
    /// What was applied before the first of them.
    pub start: Vec<Entry>,
    /// What happened before the run, or with none.
    pub outside: Vec<Step>,
    /// What happened in the run.
    pub inside: Vec<Step>,
    /// The history that they end in; `None` where there is nothing new.
    pub end: Option<Vec<Entry>>,
    /// Scripts of which a hook tells what the tool's table does not have.
    pub unconfirmed: Vec<String>,
}

impl Notes {
    /// The journal's name in events.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Journal { id, .. } => id,
            Self::Steps(_) => STEPS,
        }
    }

    /// The history at the newest change that is told of, as a journal has it.
    #[must_use]
    pub fn history(&self, tool: &dyn Tool, catalog: &Catalog) -> Option<Vec<Entry>> {
        let Self::Journal { journal, .. } = self else { return None };
        let settled = follow(journal, journal.settled, journal.settled, &order(tool));
        Some(tool.entries(catalog, &settled.start))
    }

    /// What the chain does not yet tell, up to what the look after the run saw; `inside` the run is what came after the
    /// look before it. `table`: what the tool's own table has in the end.
    #[must_use]
    pub fn news(
        &self,
        tool: &dyn Tool,
        catalog: &Catalog,
        told: &Told,
        run: (Option<i64>, Option<i64>),
        table: &[Entry],
    ) -> News {
        let of_this = |captured: &&(String, String)| captured.0 == self.name();
        let entries = told.entries.iter().filter_map(|entry| entry.captured.as_ref()).filter(of_this);
        let standing: Vec<Entry> = told.applied.keys().map(Entry::applied).collect();
        let (start, observed) = match self {
            Self::Journal { journal, .. } => {
                let cursor = entries.filter_map(|(_, entry)| entry.parse().ok()).max().unwrap_or(0);
                let last = run.1.unwrap_or(i64::MAX).min(journal.settled);
                let followed = follow(journal, cursor, last, &order(tool));
                (tool.entries(catalog, &followed.start), followed.observed)
            }
            Self::Steps(spool) => {
                let ids: HashSet<&str> = entries.map(|(_, entry)| entry.as_str()).collect();
                let of_scripts = told.entries.iter().filter(|entry| !entry.version.is_empty());
                let newest = of_scripts.map(|entry| entry.finished_at).max();
                let spool = Spool { observed: spool.observed.clone(), refused: Vec::new() };
                let observed = untold(spool, &|id| ids.contains(id), newest);
                (
                    observed.first().map(|first| before(tool, catalog, first, standing)).unwrap_or_default(),
                    observed,
                )
            }
        };
        let Some(last) = observed.last() else { return News::default() };
        let end = tool.entries(catalog, &last.rows);
        let mut applied: BTreeSet<String> = told.applied.keys().cloned().collect();
        let mut all = steps(tool, catalog, &start, &observed);
        all.retain(|step| is_new(&step.change, &mut applied));
        if let Some(step) = all.last_mut() {
            step.entry.clone_from(&last.entry);
        }
        let unconfirmed = match self {
            Self::Journal { .. } => Vec::new(),
            Self::Steps(_) => take_unconfirmed(&mut all, table),
        };
        let first = run.0.map_or(all.len(), |before| all.partition_point(|step| step.id <= before));
        let inside = all.split_off(first);
        News { start, outside: all, inside, end: Some(end), unconfirmed }
    }
}

/// Takes away the last step of each script that leaves it otherwise than the tool's table has it: a file is no proof.
fn take_unconfirmed(steps: &mut Vec<Step>, table: &[Entry]) -> Vec<String> {
    let in_table = |id: &str| table.iter().any(|entry| entry.id == id && entry.state.is_applied());
    let mut last: HashMap<String, bool> = HashMap::new();
    for Step { change, .. } in steps.iter() {
        if matches!(change.happened, Happened::Applied | Happened::Undone) {
            last.insert(change.id.clone(), change.happened == Happened::Applied);
        }
    }
    let mut unconfirmed = Vec::new();
    for (id, _) in last.into_iter().filter(|(id, applied)| in_table(id) != *applied) {
        if let Some(place) = steps.iter().rposition(|step| step.change.id == id) {
            steps.remove(place);
        }
        unconfirmed.push(id);
    }
    unconfirmed.sort();
    unconfirmed
}

/// What was applied before the first step that a hook noted.
fn before(tool: &dyn Tool, catalog: &Catalog, first: &Observed, standing: Vec<Entry>) -> Vec<Entry> {
    if first.ran != Ran::Yes {
        return standing;
    }
    let named = |rows: &[Row], id: &str| rows.iter().flatten().flatten().any(|text| text == id);
    let mut entries = tool.entries(catalog, &first.rows);
    entries.retain(|entry| !named(&first.after, &entry.id));
    entries.extend(first.before.iter().flatten().flatten().map(Entry::applied));
    entries
}

/// Which columns a tool's table is ordered by.
#[must_use]
pub fn order(tool: &dyn Tool) -> Vec<usize> {
    let table = tool.table();
    let place = |name: &&str| table.columns.iter().position(|column| column == name);
    table.order.iter().filter_map(place).collect()
}

/// Whether a change makes a difference to what is applied, which it then does.
fn is_new(change: &Change, applied: &mut BTreeSet<String>) -> bool {
    match change.happened {
        Happened::Applied => applied.insert(change.id.clone()),
        Happened::Undone => applied.remove(&change.id),
        Happened::Again | Happened::Failed | Happened::Rewritten => true,
    }
}

/// What the events of notes share.
pub struct Drafting<'a> {
    pub shared: &'a Shared<'a>,
    pub journal: &'a str,
    /// Folder of scripts.
    pub migrations: &'a Path,
    pub rendered: &'a Rendered,
    /// No event is older than this.
    pub newest: Timestamp,
}

impl Drafting<'_> {
    /// Events of steps, and of the run that they are of. What was noted of a step goes before what the run's command says.
    #[must_use]
    pub fn drafts(&self, steps: &[Step], run: Option<&ToolRun>) -> Vec<Draft> {
        let said = run.and_then(|run| run.stamps);
        let mut undone: HashSet<String> = HashSet::new();
        let mut newest = self.newest;
        let draft = |step: &Step| {
            let stamps = if step.is_sure { step.stamp } else { said.unwrap_or(step.stamp) };
            let known = Known::Seen { stamps };
            let rendered = run.filter(|_| !stamps).and_then(|_| self.rendered.get(&step.change.id));
            let mut draft = self.shared.draft(&step.change, known, rendered);
            // No clock of another makes this chain's times run ahead of this one.
            newest = newest.max(step.at.min(self.shared.finished_at));
            draft.event.finished_at = newest;
            draft.event.started_at = step.begun.min(newest);
            if let Details::Migration(details) = &mut draft.event.details {
                let says: &mut ToolSays = details.tool.get_or_insert_default();
                says.capture = Some(Captured {
                    journal: self.journal.to_owned(),
                    entry: step.entry.clone(),
                    at: step.at,
                    transaction: step.transaction.clone(),
                    role: step.role,
                });
                if run.is_none() && details.evidence == Evidence::Captured && self.is_edited_since(step) {
                    details.evidence = Evidence::ImportedWeak;
                }
                // Only the first way back undoes what the chain told of before.
                if step.change.happened == Happened::Undone && !undone.insert(step.change.id.clone()) {
                    details.reverts = None;
                }
            }
            draft
        };
        steps.iter().map(draft).collect()
    }

    /// Whether a script's file was written after what happened: then nothing ties its bytes to it.
    fn is_edited_since(&self, step: &Step) -> bool {
        let Some(script) = self.shared.catalog.script(&step.change.id) else { return false };
        let files = [Some(&script.up), script.down.as_ref()].into_iter().flatten();
        files.map(|file| self.migrations.join(&file.path)).any(|path| {
            let modified = path.metadata().and_then(|metadata| metadata.modified());
            let since = modified.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            let since = since.and_then(|since| i64::try_from(since.as_micros()).ok());
            since.is_none_or(|since| since > step.at.as_microseconds())
        })
    }
}
