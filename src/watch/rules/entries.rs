//! Findings of what entries tell: how long migrations took, and when they ran.

use crate::model::{Event, EventKind, Timestamp};
use crate::watch::{Code, Finding, Windows};

/// How many migrations before it one is compared with.
pub const BEFORE: usize = 20;
/// With fewer of them nothing is said.
const LEAST: usize = 5;
/// How many times the median is too much.
const FACTOR: i64 = 3;
/// What takes less than a second is slow for nobody.
const SHORTEST: i64 = 1_000_000;

/// What an entry tells of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    pub seq: u64,
    pub kind: EventKind,
    pub version: Option<String>,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
}

impl Ran {
    #[must_use]
    pub fn of(event: &Event) -> Self {
        Self {
            seq: event.seq,
            kind: event.event,
            version: event.migration().map(|migration| migration.version.clone()),
            started_at: event.started_at,
            finished_at: event.finished_at,
        }
    }

    /// Microseconds.
    #[must_use]
    pub const fn duration(&self) -> i64 {
        self.finished_at.as_microseconds().saturating_sub(self.started_at.as_microseconds())
    }

    /// Whether scripts ran in the database, and this program saw it.
    const fn ran(&self) -> bool {
        matches!(self.kind, EventKind::Apply | EventKind::Rollback | EventKind::Fail)
    }

    fn finding(&self, code: Code) -> Finding {
        let finding = Finding::of_entry(code, self.seq).with("event", self.kind.as_str());
        match &self.version {
            Some(version) => finding.with("version", version.as_str()),
            None => finding,
        }
    }
}

/// How entries are judged.
pub struct Judging<'a> {
    /// The first that was not judged before.
    pub from: u64,
    pub windows: &'a Windows,
}

/// Judges `ran`, oldest first, with those before that they are compared with.
#[must_use]
pub fn of_entries(ran: &[Ran], judging: &Judging<'_>) -> Vec<Finding> {
    let (mut findings, mut durations) = (Vec::new(), Vec::new());
    for run in ran {
        if run.seq >= judging.from {
            findings.extend(slow(run, &durations));
            if run.ran() && !judging.windows.allow(run.started_at) {
                findings.push(run.finding(Code::OutsideWindow).with("startedAt", run.started_at.to_string()));
            }
        }
        if run.kind == EventKind::Apply {
            durations.push(run.duration());
        }
    }
    findings
}

/// `before`: how long the migrations before it took.
fn slow(run: &Ran, before: &[i64]) -> Option<Finding> {
    let mut last: Vec<i64> = before.iter().rev().take(BEFORE).copied().collect();
    last.sort_unstable();
    let (took, median) = (run.duration(), *last.get(last.len() / 2)?);
    let is_slow = run.kind == EventKind::Apply
        && last.len() >= LEAST
        && took >= SHORTEST
        && took > median.saturating_mul(FACTOR);
    let finding =
        || run.finding(Code::SlowMigration).with("tookMs", took / 1000).with("medianMs", median / 1000);
    is_slow.then(finding)
}

#[cfg(test)]
mod tests {
    use super::super::super::Window;
    use super::*;
    use crate::lang::{Language, Words};

    fn ran(seq: u64, milliseconds: i64) -> Ran {
        let at = |microseconds| Timestamp::from_microseconds(microseconds).unwrap();
        let begin = i64::try_from(seq).unwrap() * 60_000_000;
        Ran {
            seq,
            kind: EventKind::Apply,
            version: Some(seq.to_string()),
            started_at: at(begin),
            finished_at: at(begin + milliseconds * 1000),
        }
    }

    fn judge(ran: &[Ran], from: u64, windows: &Windows) -> Vec<String> {
        let words = Words::of(Language::English);
        of_entries(ran, &Judging { from, windows }).iter().map(|finding| finding.text(&words)).collect()
    }

    #[test]
    fn more_than_three_times_the_median_of_the_last_twenty_is_slow() {
        let none = Windows::default();
        let mut all: Vec<Ran> = (1..=5).map(|seq| ran(seq, 400)).collect();
        all.push(ran(6, 1200));
        assert_eq!(judge(&all, 0, &none), [""; 0]);
        all[5] = ran(6, 1201);
        assert_eq!(judge(&all, 0, &none).len(), 1);
        assert!(judge(&all, 0, &none)[0].contains("medianMs 400") && judge(&all, 7, &none).is_empty());
        // Four are too few to compare with, and what is short is not slow.
        assert_eq!(judge(&all[1..], 0, &none), [""; 0]);
        let short: Vec<Ran> = (1..=6).map(|seq| ran(seq, if seq == 6 { 999 } else { 1 })).collect();
        assert_eq!(judge(&short, 0, &none), [""; 0]);
        // Only the last twenty count.
        let mut long: Vec<Ran> =
            (1..=30).map(|seq| ran(seq, 100_000)).chain((31..=50).map(|seq| ran(seq, 400))).collect();
        long.push(ran(51, 1300));
        assert_eq!(judge(&long, 51, &none).len(), 1);
    }

    #[test]
    fn what_runs_outside_the_window_is_told() {
        // The first of January 1970 was a Thursday.
        let window = |text| Windows(vec![Window::parse(text).unwrap()]);
        assert_eq!(judge(&[ran(1, 1)], 0, &window("thu 00:00-01:00")), [""; 0]);
        assert_eq!(judge(&[ran(1, 1)], 0, &window("fri 00:00-01:00")).len(), 1);
        let plan = Ran { kind: EventKind::Plan, ..ran(1, 1) };
        assert_eq!(judge(&[plan], 0, &window("fri 00:00-01:00")), [""; 0]);
    }
}
