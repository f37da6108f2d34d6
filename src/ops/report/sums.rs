//! Counts, durations, and changes over time.

use std::collections::HashSet;

use super::lines::{Chain, Line};
use super::plans::Plans;
use crate::model::{Cid, EventKind, Outcome, Timestamp};
use crate::report::{Continuity, Scope, Summary, Timeline};

/// Parts of the time that a scope takes.
const PARTS: usize = 42;

/// What the entries in scope come to; `waivers`: how many rules were waived in them.
pub fn summary(chain: &Chain, plans: &Plans, lines: &[&Line], scope: &Scope, waivers: u64) -> Summary {
    let changes: Vec<&Line> = lines.iter().copied().filter(|line| line.is_change()).collect();
    let count = |holds: &dyn Fn(&Line) -> bool| changes.iter().filter(|line| holds(line)).count() as u64;
    let planned =
        || changes.iter().filter_map(|line| plans.counted(line)).filter(|counted| counted.needed > 0);
    let sealed: HashSet<Cid> = lines.iter().flat_map(|line| line.sealed.iter().copied()).collect();
    let drifted = |line: &&&Line| matches!(line.continuity, Continuity::Broken | Continuity::Recorded);
    let mut times: Vec<u64> = changes.iter().filter(|line| line.ran()).map(|line| line.duration()).collect();
    times.sort_unstable();
    Summary {
        succeeded: count(&|line| line.outcome == Some(Outcome::Succeeded)),
        failed: count(&|line| line.outcome == Some(Outcome::Failed)),
        rolled_back: count(&|line| chain.taken_back.contains_key(&line.manifest)),
        approvals_needed: planned().count() as u64,
        approvals_met: planned().filter(|counted| counted.counted >= counted.needed).count() as u64,
        unplanned: count(&|line| line.ran() && line.plan.is_none()),
        abandoned: lines
            .iter()
            .filter(|line| line.event == EventKind::Plan && chain.abandoned.contains(&line.manifest))
            .count() as u64,
        waivers,
        drifts: lines.iter().filter(drifted).count() as u64,
        sealed: sealed.len() as u64,
        erased: sealed.intersection(&chain.erased).count() as u64,
        median_us: at_share(&times, 50),
        ninety_fifth_us: at_share(&times, 95),
        longest_us: times.last().copied().unwrap_or_default(),
        durations: durations(&times),
        timeline: timeline(chain, &changes, scope),
    }
}

/// The one that so many in a hundred do not exceed; nothing of nothing is 0.
fn at_share(sorted: &[u64], percent: usize) -> u64 {
    let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(place).copied().unwrap_or_default()
}

fn durations(times: &[u64]) -> [u64; 8] {
    let mut counts = [0; 8];
    for time in times {
        let (mut place, mut end) = (0, 1000);
        while place + 1 < counts.len() && *time >= end {
            place += 1;
            end *= 10;
        }
        counts[place] += 1;
    }
    counts
}

fn timeline(chain: &Chain, changes: &[&Line], scope: &Scope) -> Timeline {
    let first = changes.iter().map(|line| line.finished_at).min();
    let last = changes.iter().map(|line| line.finished_at).max();
    let (from, until) = match scope {
        Scope::Period { from, until } => (from.or(first), until.or(last)),
        _ => (first, last),
    };
    let mut parts = vec![[0; 3]; PARTS];
    let (Some(begin), Some(end)) = (from, until) else { return Timeline { from, until, parts } };
    for line in changes {
        let kind = match line.outcome {
            Some(Outcome::Failed) => 2,
            _ if chain.taken_back.contains_key(&line.manifest) => 1,
            _ => 0,
        };
        if let Some(part) = parts.get_mut(part_of(line.finished_at, begin, end)) {
            part[kind] += 1;
        }
    }
    Timeline { from, until, parts }
}

/// In which part of the time a moment lies.
fn part_of(at: Timestamp, begin: Timestamp, end: Timestamp) -> usize {
    let since = i128::from(at.as_microseconds()) - i128::from(begin.as_microseconds());
    let whole = i128::from(end.as_microseconds()) - i128::from(begin.as_microseconds()) + 1;
    let part = since * PARTS as i128 / whole.max(1);
    usize::try_from(part).unwrap_or_default().min(PARTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_in_steps_of_ten_from_a_millisecond_on() {
        assert_eq!(
            durations(&[0, 999, 1000, 9999, 10_000, 999_999_999, 1_000_000_000, u64::MAX]),
            [2, 2, 1, 0, 0, 0, 1, 2]
        );
        assert_eq!(durations(&[]), [0; 8]);
    }

    #[test]
    fn shares_are_values_that_are_there() {
        assert_eq!((at_share(&[], 50), at_share(&[7], 50), at_share(&[7], 95)), (0, 7, 7));
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!((at_share(&hundred, 50), at_share(&hundred, 95)), (50, 95));
    }

    #[test]
    fn the_last_moment_is_in_the_last_part() {
        let at = |seconds| Timestamp::from_seconds(seconds).unwrap();
        assert_eq!(part_of(at(0), at(0), at(100)), 0);
        assert_eq!(part_of(at(100), at(0), at(100)), PARTS - 1);
        assert_eq!(part_of(at(5), at(5), at(5)), 0);
        assert_eq!(part_of(at(1), at(5), at(5)), 0);
    }
}
