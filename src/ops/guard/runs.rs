//! Runs by the names that sessions gave, and when each was at work.

use std::collections::HashMap;

use crate::database::HistoryRow;
use crate::model::{Details, EventId, EventKind, Evidence, Timestamp};
use crate::ops::event::executor;
use crate::ops::record::ToolRun;
use crate::ops::session::require_same_chain;
use crate::ops::{ChainReader, OpsError, Project, now};
use crate::store::{ArchiveError, Recordings};

/// How far clocks of server and client may be apart: five minutes, in microseconds.
const TOLERANCE: i64 = 300_000_000;
/// Entries that ended so much before the oldest change tell nothing of it: one day, in microseconds.
const BEFORE: i64 = 86_400_000_000;

/// What is known of who was at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Archived { seq: u64 },
    Unarchived,
}

/// A time in microseconds, from and to.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    from: i64,
    to: i64,
}

impl Span {
    const fn of(from: Timestamp, to: Timestamp) -> Self {
        Self { from: from.as_microseconds(), to: to.as_microseconds() }
    }

    fn holds(self, at: Timestamp, tolerance: i64) -> bool {
        let (from, to) = (self.from.saturating_sub(tolerance), self.to.saturating_add(tolerance));
        (from..=to).contains(&at.as_microseconds())
    }
}

/// Events of greffe and runs of tools.
#[derive(Debug, Default)]
pub struct Runs {
    named: HashMap<EventId, (Span, Known)>,
    /// Times in which a tool ran under `record`.
    of_tools: Vec<(EventId, Span)>,
    /// Events that sign a schema as it was found: when, and which. The newest first.
    drifts: Vec<(Timestamp, u64)>,
}

impl Runs {
    /// Those in the archive that may have been at work at `oldest` or later; none without an archive.
    ///
    /// # Errors
    /// Those of the archive.
    pub fn of_archive(project: &Project, oldest: Option<Timestamp>) -> Result<Self, OpsError> {
        let mut runs = Self::default();
        let reader = match ChainReader::open(&project.archive, &project.name) {
            Ok(reader) => reader,
            Err(OpsError::Archive(ArchiveError::NotFound { .. })) => return Ok(runs),
            Err(error) => return Err(error),
        };
        require_same_chain(project, reader.root())?;
        let oldest = oldest.map_or(i64::MIN, |oldest| oldest.as_microseconds().saturating_sub(BEFORE));
        let mut next = Some(reader.newest()?.0);
        while let Some(cid) = next {
            let entry = reader.entry(&cid)?;
            let event = &entry.statement.event;
            if event.finished_at.as_microseconds() < oldest {
                break;
            }
            let span = Span::of(event.started_at, event.finished_at);
            let known = Known::Archived { seq: entry.manifest.seq };
            if event.event == EventKind::Drift {
                runs.drifts.push((event.finished_at, entry.manifest.seq));
            }
            if event.executor.name == executor().name {
                runs.named.insert(event.id, (span, known));
            } else if let Details::Migration(details) = &event.details {
                runs.add_run(event.run.id, span, known);
                let was_seen = details.evidence == Evidence::Captured;
                let is_noted = details.tool.as_ref().is_some_and(|tool| tool.capture.is_some());
                if was_seen && !is_noted {
                    runs.of_tools.push((event.run.id, span));
                }
            }
            next = entry.manifest.prev;
        }
        Ok(runs)
    }

    /// Several events tell of one run.
    fn add_run(&mut self, id: EventId, span: Span, known: Known) {
        let (all, first) = self.named.entry(id).or_insert((span, known));
        *all = Span { from: all.from.min(span.from), to: all.to.max(span.to) };
        // Read from the newest on.
        *first = known;
    }

    /// Runs of tools that are noted beside the archive, one of which may go on. To be asked for before the archive is read:
    /// a run that ends meanwhile is in one of both.
    pub fn recordings(project: &Project) -> Vec<(EventId, Span)> {
        let recordings = Recordings::of(&project.archive, &project.name);
        let span = |id: EventId| {
            let (note, _) = recordings.read(id).ok()?;
            let run = serde_json::from_slice::<ToolRun>(&note).ok()?;
            let to = run.end.as_ref().map_or_else(now, |end| end.finished_at);
            Some((id, Span::of(run.started_at, to)))
        };
        recordings.all().unwrap_or_default().into_iter().filter_map(span).collect()
    }

    /// Takes those in that the archive does not tell of.
    pub fn add_recordings(&mut self, recordings: Vec<(EventId, Span)>) {
        for (id, span) in recordings {
            if !self.knows(id) {
                self.named.insert(id, (span, Known::Unarchived));
                self.of_tools.push((id, span));
            }
        }
    }

    /// Whether the chain may come to tell of it.
    pub fn may_be_archived(&self, id: EventId) -> bool {
        self.named.get(&id).is_some_and(|(_, known)| *known == Known::Unarchived)
    }

    /// Events that the database tells of and the chain does not yet.
    pub fn add_history(&mut self, rows: &[HistoryRow]) {
        for row in rows {
            let span = Span::of(row.started_at, row.finished_at.unwrap_or_else(now));
            self.named.entry(row.id).or_insert((span, Known::Unarchived));
        }
    }

    pub fn knows(&self, id: EventId) -> bool {
        self.named.contains_key(&id)
    }

    /// What is known of `id`, where it was at work at that time.
    pub fn at(&self, id: EventId, at: Timestamp) -> Option<Known> {
        self.named.get(&id).filter(|(span, _)| span.holds(at, TOLERANCE)).map(|(_, known)| *known)
    }

    /// The first event after that time which signed a schema as it was found.
    pub fn signed_after(&self, at: Timestamp) -> Option<u64> {
        self.drifts.iter().rfind(|(signed, _)| *signed >= at).map(|(_, seq)| *seq)
    }

    /// A tool's run at that time none of whose sessions said anything; `marks`: all that sessions said.
    pub fn silent_at(&self, at: Timestamp, marks: &[String]) -> Option<EventId> {
        let is_silent = |id: EventId| !marks.contains(&id.to_string());
        let at_work = self.of_tools.iter().filter(|(_, span)| span.holds(at, 0));
        at_work.map(|(id, _)| *id).find(|id| is_silent(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    fn id(number: u8) -> EventId {
        EventId::from_parts(at(1), &[number; 10])
    }

    #[test]
    fn a_run_counts_while_it_was_at_work() {
        let mut runs = Runs::default();
        runs.add_run(id(1), Span::of(at(1000), at(1010)), Known::Archived { seq: 7 });
        runs.add_run(id(1), Span::of(at(1005), at(1020)), Known::Archived { seq: 6 });
        assert_eq!(runs.at(id(1), at(1015)), Some(Known::Archived { seq: 6 }));
        assert_eq!(runs.at(id(1), at(1320)), Some(Known::Archived { seq: 6 }), "clocks may differ");
        assert_eq!(runs.at(id(1), at(1321)), None);
        assert_eq!(runs.at(id(1), at(699)), None);
        assert_eq!(runs.at(id(2), at(1010)), None);
    }

    #[test]
    fn a_run_that_is_archived_while_it_is_asked_for_counts_as_archived() {
        let span = Span::of(at(1000), at(1010));
        let mut runs = Runs::default();
        runs.add_run(id(1), span, Known::Archived { seq: 7 });
        runs.add_recordings(vec![(id(1), span), (id(2), span)]);
        assert_eq!(runs.at(id(1), at(1005)), Some(Known::Archived { seq: 7 }));
        assert_eq!((runs.may_be_archived(id(1)), runs.may_be_archived(id(2))), (false, true));
        assert_eq!(runs.silent_at(at(1005), &[]), Some(id(2)));
    }

    #[test]
    fn a_schema_that_was_signed_as_found_stands_for_what_came_before() {
        let runs = Runs { drifts: vec![(at(3000), 9), (at(2000), 5)], ..Runs::default() };
        assert_eq!(runs.signed_after(at(1999)), Some(5));
        assert_eq!(runs.signed_after(at(2001)), Some(9));
        assert_eq!(runs.signed_after(at(3001)), None);
    }

    #[test]
    fn who_says_nothing_during_a_run_is_told_from_who_would_have() {
        let mut runs = Runs::default();
        runs.of_tools.push((id(1), Span::of(at(1000), at(1010))));
        assert_eq!(runs.silent_at(at(1005), &[]), Some(id(1)));
        assert_eq!(runs.silent_at(at(1005), &[id(2).to_string()]), Some(id(1)));
        assert_eq!(runs.silent_at(at(1005), &[id(1).to_string()]), None);
        assert_eq!(runs.silent_at(at(1011), &[]), None);
    }
}
