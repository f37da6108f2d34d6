//! What happened, in the order in which the chain tells it: what it missed before the run, what notes tell of the run,
//! what two looks at the history do, and at what the run failed.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::archive::Finished;
use super::changes::{Change, Happened, changes};
use super::events::{Draft, Known, Shared, frame};
use super::look::Look;
use super::notes::{Drafting, News, Notes};
use super::{RunEnd, ToolRun};
use crate::model::{EventKind, Timestamp};
use crate::ops::told::Told;
use crate::scripts::tools::Entry;

/// A run, and what the chain tells so far.
pub struct Telling<'a> {
    finished: &'a Finished<'a>,
    told: &'a Told,
    shared: &'a Shared<'a>,
    drafting: Drafting<'a>,
    /// The newest look at the history.
    last: &'a Look,
    /// Whether the chain knows any script.
    adopted: bool,
    /// Whether the wrapper saw the run's end.
    witnessed: bool,
    news: News,
    /// What is applied by all that is told so far.
    applied: BTreeSet<String>,
}

/// What is to be appended.
#[derive(Default)]
pub struct Tale {
    pub drafts: Vec<Draft>,
    /// How many scripts were applied before the chain told of any.
    pub unadopted: usize,
    /// Scripts of which notes tell what the tool's table does not have.
    pub unconfirmed: Vec<String>,
}

impl<'a> Telling<'a> {
    /// `newest`: when the chain's newest entry ended.
    pub fn new(
        finished: &'a Finished<'a>,
        told: &'a Told,
        shared: &'a Shared<'a>,
        (last, newest): (&'a Look, Timestamp),
        migrations: &'a std::path::Path,
    ) -> Self {
        let Finished { run, catalog, rendered, tool, notes, .. } = *finished;
        let witnessed = run.end.as_ref().is_some_and(RunEnd::is_witnessed);
        let before = run.before.as_ref().filter(|_| witnessed).and_then(|look| look.journal);
        let after = last.journal.filter(|_| witnessed);
        let news = notes.map(|notes| notes.news(tool, catalog, told, (before, after), &last.entries));
        let mut news = news.unwrap_or_default();
        let adopted = told.entries.iter().any(|entry| !entry.version.is_empty());
        if !adopted && !news.start.is_empty() {
            // What stands on scripts that the chain does not know is not told before them: a baseline adopts it all.
            news.outside.clear();
        }
        let journal = notes.map(Notes::name).unwrap_or_default();
        let drafting = Drafting { shared, journal, migrations, rendered, newest };
        let applied = told.applied.keys().cloned().collect();
        Self { finished, told, shared, drafting, last, adopted, witnessed, news, applied }
    }

    /// All of it.
    pub fn tell(mut self) -> Tale {
        let mut tale = Tale { unconfirmed: std::mem::take(&mut self.news.unconfirmed), ..Tale::default() };
        let before = self.missed(&mut tale);
        let first = tale.drafts.len();
        tale.drafts.extend(self.noted());
        let is_told = self.looked(&before, &mut tale);
        if !is_told {
            tale.drafts.extend(self.failure(&before));
        }
        let of_run = tale.drafts.get_mut(first..).filter(|_| !self.finished.collects);
        if let Some(of_run) = of_run {
            frame(of_run, self.finished.run, self.finished.run.end.as_ref(), self.finished.output);
        }
        let mut latest = self.drafting.newest;
        for draft in &mut tale.drafts {
            latest = latest.max(draft.event.finished_at);
            draft.event.finished_at = latest;
        }
        tale
    }

    /// What others did before the run: as notes tell it, else as it is found. The history as it was when the run began.
    fn missed(&mut self, tale: &mut Tale) -> Vec<Entry> {
        tale.drafts.extend(self.drafting.drafts(&self.news.outside, None));
        add(self.news.outside.iter().map(|step| &step.change), &mut self.applied);
        let Finished { run, catalog, .. } = *self.finished;
        let at_first = run.before.as_ref().map(|look| look.entries.as_slice());
        let standing = self.standing(at_first.unwrap_or_default());
        let before = at_first.map_or_else(|| standing.clone(), <[Entry]>::to_vec);
        let mut missed = changes(catalog, &standing, &before);
        missed.retain(|change| is_new(change, &self.applied) && !self.is_known_failure(change));
        if !self.adopted {
            tale.unadopted = missed.len();
            return before;
        }
        add(missed.iter(), &mut self.applied);
        tale.drafts.extend(missed.iter().map(|change| {
            let mut draft = self.shared.draft(change, Known::Found, None);
            if !self.news.inside.is_empty() {
                // It was so when the run began.
                draft.event.finished_at = run.started_at.max(self.drafting.newest);
            }
            draft
        }));
        before
    }

    /// What notes tell of the run.
    fn noted(&mut self) -> Vec<Draft> {
        let drafts = self.drafting.drafts(&self.news.inside, Some(self.finished.run));
        add(self.news.inside.iter().map(|step| &step.change), &mut self.applied);
        drafts
    }

    /// What two looks tell, but for what is known change by change. Whether something says that a script failed.
    fn looked(&mut self, began: &[Entry], tale: &mut Tale) -> bool {
        let Finished { run, catalog, rendered, tool, collects, .. } = *self.finished;
        let noted = self.news.end.as_deref().filter(|_| !self.news.inside.is_empty());
        let before = noted.unwrap_or(began);
        let mut seen = changes(catalog, before, &tool.since(before, &self.last.entries));
        seen.retain(|change| is_new(change, &self.applied));
        // A row that says of a failure says it as long as it stands.
        seen.retain(|change| !collects || change.happened != Happened::Failed);
        if collects && !self.adopted && self.news.outside.is_empty() {
            tale.unadopted = seen.len();
            seen.clear();
        }
        let known = self.known(run);
        let printed = self.finished.output.filter(|_| self.witnessed).map(String::from_utf8_lossy);
        let stamped = printed.map(|output| tool.stamped(&output)).unwrap_or_default();
        tale.drafts.extend(seen.iter().map(|change| {
            let known = if stamped.contains(&change.id) { Known::Seen { stamps: true } } else { known };
            self.shared.draft(change, known, rendered.get(&change.id))
        }));
        let noted = self.news.inside.iter().map(|step| &step.change);
        noted.chain(&seen).any(|change| change.happened == Happened::Failed)
    }

    fn known(&self, run: &ToolRun) -> Known {
        match self.witnessed {
            true => Known::Seen { stamps: run.stamps == Some(true) },
            false => Known::Found,
        }
    }

    /// That the run failed: at the script that the tool named last, unless the run did that one. Where it named none it
    /// is nobody's failure, and told where a script waits; else it failed at something else.
    fn failure(&self, began: &[Entry]) -> Option<Draft> {
        let Finished { run, catalog, output, tool, .. } = *self.finished;
        if !self.witnessed || run.end.as_ref().is_none_or(|end| end.exit.is_success()) {
            return None;
        }
        let was: HashSet<&str> = began.iter().map(|entry| entry.id.as_str()).collect();
        let applied: HashSet<&str> = self.last.entries.iter().map(|entry| entry.id.as_str()).collect();
        let named = output.and_then(|output| tool.stopped_at(&String::from_utf8_lossy(output)));
        let named = named.and_then(|name| Some(catalog.script_called(&name)?.id.as_str()));
        let left = named.filter(|id| was.contains(id) == applied.contains(id) && run.stamps != Some(true));
        let waits = || catalog.scripts.iter().any(|script| !applied.contains(script.id.as_str()));
        let id = left.or_else(|| waits().then_some(""))?.to_owned();
        let change = Change { id, happened: Happened::Failed, entry: None };
        Some(self.shared.draft(&change, self.known(run), None))
    }

    /// What the chain says of the history, with what happened outside of runs. What it does not know of a script's bytes
    /// is as it is `now`.
    fn standing(&self, now: &[Entry]) -> Vec<Entry> {
        let remembered: HashMap<&str, &Option<String>> =
            now.iter().map(|entry| (entry.id.as_str(), &entry.checksum)).collect();
        let changed: HashSet<&str> = self.news.outside.iter().map(|step| step.change.id.as_str()).collect();
        let entry = |id: &String| {
            let old = self.told.applied.get(id).filter(|_| !changed.contains(id.as_str()));
            let remembered = remembered.get(id.as_str()).copied().cloned().flatten();
            let checksum = old.and_then(|standing| standing.checksum.clone()).or(remembered);
            Entry { checksum, ..Entry::applied(id) }
        };
        self.applied.iter().map(entry).collect()
    }

    /// Whether the chain's last word on a script is that it failed: what stays in the history of it is not news.
    fn is_known_failure(&self, change: &Change) -> bool {
        let newest = self.told.entries.iter().rfind(|entry| entry.version == change.id);
        change.happened == Happened::Failed && newest.is_some_and(|entry| entry.event == EventKind::Fail)
    }
}

/// Whether the chain does not yet tell what a change did: another run may have seen the same.
fn is_new(change: &Change, applied: &BTreeSet<String>) -> bool {
    match change.happened {
        Happened::Applied => !applied.contains(&change.id),
        Happened::Undone => applied.contains(&change.id),
        Happened::Again | Happened::Failed | Happened::Rewritten => true,
    }
}

/// What is applied after changes.
fn add<'c>(changes: impl Iterator<Item = &'c Change>, applied: &mut BTreeSet<String>) {
    for change in changes {
        match change.happened {
            Happened::Applied => drop(applied.insert(change.id.clone())),
            Happened::Undone => drop(applied.remove(&change.id)),
            Happened::Again | Happened::Failed | Happened::Rewritten => {}
        }
    }
}
