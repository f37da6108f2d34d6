//! A set of byte ranges that merges neighbours, so that ranges that come in order are one.

use std::collections::BTreeMap;

/// Ranges that were added. Any two that were added are the same or do not overlap.
#[derive(Default)]
pub(super) struct Spans {
    /// Ends by starts; no span ends where another begins.
    ends: BTreeMap<u64, u64>,
}

impl Spans {
    /// Adds a range of at least one byte.
    pub(super) fn insert(&mut self, start: u64, end: u64) {
        let end = self.ends.remove(&end).unwrap_or(end);
        match self.ends.range_mut(..=start).next_back() {
            Some((_, known)) if *known >= start => *known = end.max(*known),
            _ => drop(self.ends.insert(start, end)),
        }
    }

    /// The end of the span that holds the byte at `offset`.
    pub(super) fn end_of(&self, offset: u64) -> Option<u64> {
        let (_, end) = self.ends.range(..=offset).next_back()?;
        Some(*end).filter(|end| *end > offset)
    }

    /// How many spans there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_merge_in_any_order() {
        for step in [1, 3, 7, 99] {
            let mut spans = Spans::default();
            let mut added = [false; 100];
            for n in (0..100).map(|n| n * step % 100) {
                for _ in 0..2 {
                    spans.insert(n as u64 * 10, n as u64 * 10 + 10);
                }
                added[n] = true;
                for at in 0..100 {
                    let end = added[at..].iter().position(|added| !added).map_or(100, |more| at + more);
                    assert_eq!(spans.end_of(at as u64 * 10 + 5), added[at].then_some(end as u64 * 10));
                }
            }
            assert_eq!((spans.len(), spans.end_of(1000)), (1, None));
        }
    }
}
