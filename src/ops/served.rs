//! What a server answered to holders of tokens, summed up until it is recorded, so that no number of requests makes the
//! access chain long.

use std::collections::BTreeMap;

use crate::model::{Pseudonym, Served, Timestamp};

/// Sums that are kept apart; the others are one for each status.
const ROWS: usize = 256;
/// What the others are called.
const OTHERS: &str = "other";

/// Sums of answers by holder, part and status.
#[derive(Debug, Default)]
pub struct Tally {
    rows: BTreeMap<(Option<Pseudonym>, String, u16), Sum>,
}

#[derive(Debug)]
struct Sum {
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Tally {
    /// Counts an answer.
    pub fn add(&mut self, holder: Option<Pseudonym>, what: &str, status: u16, at: Timestamp) {
        self.add_all(Served { holder, what: what.to_owned(), status, count: 1, first: at, last: at });
    }

    /// Counts answers that were summed up already.
    pub fn add_all(&mut self, served: Served) {
        let Served { holder, what, status, count, first, last } = served;
        let mut key = (holder, what, status);
        if self.rows.len() >= ROWS && !self.rows.contains_key(&key) {
            key = (None, OTHERS.to_owned(), status);
        }
        let sum = self.rows.entry(key).or_insert(Sum { count: 0, first, last });
        sum.count = sum.count.saturating_add(count);
        sum.first = sum.first.min(first);
        sum.last = sum.last.max(last);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Gives the sums, and begins anew.
    pub fn take(&mut self) -> Vec<Served> {
        let rows = std::mem::take(&mut self.rows).into_iter();
        let served = |((holder, what, status), Sum { count, first, last })| Served {
            holder,
            what,
            status,
            count,
            first,
            last,
        };
        rows.map(served).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_microseconds(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn answers_are_summed_up_and_given_once() {
        let mut tally = Tally::default();
        let holder = Some(Pseudonym::generate());
        for second in [5, 3, 9] {
            tally.add(holder, "report", 200, time(second));
        }
        tally.add(None, "token", 401, time(4));
        let served = tally.take();
        assert!(tally.is_empty() && tally.take().is_empty());
        let report = served.iter().find(|served| served.what == "report").unwrap();
        assert_eq!((report.count, report.first, report.last), (3, time(3), time(9)));
        assert_eq!(served.len(), 2);
        served.into_iter().for_each(|served| tally.add_all(served));
        tally.add(holder, "report", 200, time(1));
        assert_eq!(tally.take().iter().map(|served| served.count).sum::<u64>(), 5);
    }

    #[test]
    fn however_many_there_are_the_sums_stay_few() {
        let mut tally = Tally::default();
        for _ in 0..10_000 {
            tally.add(Some(Pseudonym::generate()), "report", 200, time(1));
        }
        let served = tally.take();
        assert_eq!(served.len(), ROWS + 1);
        assert_eq!(served.iter().map(|served| served.count).sum::<u64>(), 10_000);
    }
}
