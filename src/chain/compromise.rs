//! Which keys each entry stands on, kept short, so that a key that turns out to be stolen takes down what it carried
//! (FORMAT §7).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::crypto::KeyId;

/// Neighbours that stand on the same keys.
#[derive(Clone, Debug)]
struct Run {
    first: u64,
    last: u64,
    needed: u32,
    /// Sorted.
    keys: Arc<[KeyId]>,
}

/// Which keys the entries so far stand on.
#[derive(Clone, Debug, Default)]
pub struct Signed {
    runs: Vec<Run>,
    /// Each set of keys once, however often others came between.
    sets: BTreeSet<Arc<[KeyId]>>,
}

impl Signed {
    /// Notes that entry `seq` was signed by these keys, and that so many of them were needed.
    pub fn note(&mut self, seq: u64, needed: u32, keys: &BTreeSet<KeyId>) {
        match self.runs.last_mut() {
            // A `trust` event is noted under two documents, and is a run of its own then unless both say the same.
            Some(run) if run.needed == needed && run.keys.iter().eq(keys) && seq <= run.last + 1 => {
                run.last = seq;
            }
            _ => {
                let keys = self.set(keys.iter().copied().collect());
                self.runs.push(Run { first: seq, last: seq, needed, keys });
            }
        }
    }

    fn set(&mut self, keys: Vec<KeyId>) -> Arc<[KeyId]> {
        if let Some(known) = self.sets.get(keys.as_slice()) {
            return Arc::clone(known);
        }
        let set: Arc<[KeyId]> = keys.into();
        self.sets.insert(Arc::clone(&set));
        set
    }

    /// Takes stolen keys away, each from its entry on; gives the entries that too few keys carry now, with the key and
    /// the entry since when it counts as stolen. An entry is given once.
    pub fn take(&mut self, stolen: &BTreeMap<KeyId, u64>) -> Vec<(u64, KeyId, u64)> {
        let mut fallen = Vec::new();
        for run in std::mem::take(&mut self.runs) {
            self.cut(run, stolen, &mut fallen);
        }
        fallen.sort_unstable();
        fallen.dedup_by_key(|(seq, _, _)| *seq);
        fallen
    }

    /// Puts a run back in parts that each stand on the same keys.
    fn cut(&mut self, run: Run, stolen: &BTreeMap<KeyId, u64>, fallen: &mut Vec<(u64, KeyId, u64)>) {
        let since = |key: &KeyId| stolen.get(key).filter(|since| **since <= run.last);
        let mut cuts: Vec<(u64, KeyId)> =
            run.keys.iter().filter_map(|key| Some((*since(key)?, *key))).collect();
        cuts.sort_unstable();
        let (needed, stood) = (run.needed as usize, run.keys.len() >= run.needed as usize);
        let (mut first, mut keys) = (run.first, run.keys.to_vec());
        for (place, (since, key)) in cuts.iter().enumerate() {
            if *since > first {
                let set = self.set(keys.clone());
                self.runs.push(Run { first, last: since - 1, needed: run.needed, keys: set });
                first = *since;
            }
            keys.retain(|id| id != key);
            let end = cuts.get(place + 1).map_or(run.last, |(next, _)| next.saturating_sub(1).min(run.last));
            if stood && keys.len() < needed {
                fallen.extend((first..=end).map(|seq| (seq, *key, *since)));
            }
        }
        let keys = self.set(keys);
        self.runs.push(Run { first, keys, ..run });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Digest;

    fn key(n: u8) -> KeyId {
        KeyId(Digest([n; 32]))
    }

    fn keys(some: &[u8]) -> BTreeSet<KeyId> {
        some.iter().map(|n| key(*n)).collect()
    }

    #[test]
    fn only_what_stands_on_the_stolen_key_falls_and_only_once() {
        let mut signed = Signed::default();
        for seq in 0..10 {
            signed.note(seq, 1, &keys(&[1]));
        }
        // Two keys where one is enough, then two that are both needed.
        signed.note(10, 1, &keys(&[1, 2]));
        signed.note(11, 2, &keys(&[1, 2]));
        signed.note(12, 1, &keys(&[2]));
        assert_eq!(signed.runs.len(), 4);
        let fallen = signed.take(&[(key(1), 8)].into());
        assert_eq!(fallen, [(8, key(1), 8), (9, key(1), 8), (11, key(1), 8)]);
        // The other key goes, too: what had fallen is not told again.
        assert_eq!(signed.take(&[(key(2), 0)].into()), [(10, key(2), 0), (12, key(2), 0)]);
        // The same key was stolen earlier than was thought.
        assert_eq!(signed.take(&[(key(1), 7)].into()), [(7, key(1), 7)]);
    }

    #[test]
    fn keys_that_are_stolen_one_after_the_other_are_taken_at_once() {
        let mut signed = Signed::default();
        for seq in 0..10 {
            signed.note(seq, 2, &keys(&[1, 2, 3]));
        }
        let fallen = signed.take(&[(key(1), 4), (key(2), 7), (key(3), 7)].into());
        let seqs: Vec<u64> = fallen.iter().map(|(seq, _, _)| *seq).collect();
        assert_eq!(seqs, [7, 8, 9]);
        let runs: Vec<_> = signed.runs.iter().map(|run| (run.first, run.last, run.keys.len())).collect();
        assert_eq!(runs, [(0, 3, 3), (4, 6, 2), (7, 9, 0)]);
        // Both before the run began.
        assert_eq!(signed.take(&[(key(2), 0), (key(3), 0)].into()).len(), 7);
    }

    #[test]
    fn a_long_story_by_few_keys_stays_small() {
        let mut signed = Signed::default();
        for seq in 0..100_000 {
            signed.note(seq, 1, &keys(&[1]));
        }
        assert_eq!(signed.runs.len(), 1);
        assert_eq!(signed.take(&[(key(1), 99_999)].into()), [(99_999, key(1), 99_999)]);
        assert_eq!(signed.take(&[(key(1), u64::MAX)].into()), []);
    }
}
