//! Where frames lie, by a 64-bit key: 16 bytes a frame. Keys are hints; frames say which CID they have.

/// So many new entries may be searched one by one.
const UNSORTED: usize = 256;

/// A multimap from key to file offset, for offsets that arrive in rising order.
///
/// Sorted runs of falling length in one vector, merged like a binary counter: nothing is stored but the entries,
/// and no choice of keys makes it slow.
#[derive(Default)]
pub(super) struct FrameMap {
    entries: Vec<(u64, u64)>,
    /// Where the sorted runs end; what follows the last is not sorted.
    runs: Vec<usize>,
}

impl FrameMap {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds an entry; `offset` is larger than all before it.
    pub(super) fn insert(&mut self, key: u64, offset: u64) {
        self.entries.push((key, offset));
    }

    /// Sorts what was added, if it is much; without it a search is right, but slow.
    pub(super) fn sort(&mut self) {
        let end = self.entries.len();
        let mut start = self.sorted();
        if end - start < UNSORTED {
            return;
        }
        self.entries[start..].sort_unstable();
        while let Some(run) = self.runs.pop() {
            let before = self.runs.last().copied().unwrap_or(0);
            if run - before > end - start {
                self.runs.push(run);
                break;
            }
            start = before;
            // The stable sort finds the two runs and merges them.
            self.entries[start..].sort();
        }
        self.runs.push(end);
    }

    /// The first offset above `after` that has this key.
    pub(super) fn next(&self, key: u64, after: u64) -> Option<u64> {
        let mut start = 0;
        for &end in &self.runs {
            let run = &self.entries[start..end];
            let place = run.partition_point(|entry| *entry <= (key, after));
            if let Some((found, offset)) = run.get(place)
                && *found == key
            {
                return Some(*offset);
            }
            start = end;
        }
        let found = self.entries[start..].iter().find(|entry| entry.0 == key && entry.1 > after);
        found.map(|entry| entry.1)
    }

    /// All entries, sorted by key, then offset.
    pub(super) fn into_sorted(mut self) -> Vec<(u64, u64)> {
        self.entries.sort_unstable();
        self.entries
    }

    fn sorted(&self) -> usize {
        self.runs.last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(map: &FrameMap, key: u64) -> Vec<u64> {
        let mut offsets = Vec::new();
        while let Some(offset) = map.next(key, offsets.last().copied().unwrap_or(0)) {
            offsets.push(offset);
        }
        offsets
    }

    #[test]
    fn offsets_of_a_key_come_in_file_order() {
        let mut map = FrameMap::default();
        for offset in 1..=10_000u64 {
            map.insert(offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000, offset);
            map.sort();
        }
        assert_eq!(map.len(), 10_000);
        for key in 0..1_000 {
            let expected: Vec<u64> =
                (1..=10_000u64).filter(|o| o.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000 == key).collect();
            assert_eq!(all(&map, key), expected);
        }
        assert!(all(&map, 1_000).is_empty());
        assert!(map.runs.len() < 16);
        assert!(map.into_sorted().is_sorted());
    }

    #[test]
    fn one_key_for_all_is_no_slower() {
        let mut map = FrameMap::default();
        for offset in 1..=100_000 {
            map.insert(7, offset);
            if offset % 3 == 0 {
                map.sort();
            }
        }
        assert_eq!(map.next(7, 0), Some(1));
        assert_eq!(map.next(7, 99_998), Some(99_999));
        assert_eq!(map.next(7, 100_000), None);
    }
}
