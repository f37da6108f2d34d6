//! A stretch of a Merkle tree as its fewest perfect subtrees: what lies between two sizes of a chain, in a number of
//! hashes that grows with their logarithm. The subtrees of [0, n) have the tree's root.

use super::tree::node_hash;
use crate::crypto::Digest;

/// Leaves `begin` to `end`, without `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactRange {
    begin: u64,
    end: u64,
    /// From left to right: levels of the subtrees (2^level leaves) and their roots.
    nodes: Vec<(u32, Digest)>,
}

impl CompactRange {
    /// A range without a leaf.
    #[must_use]
    pub const fn empty(begin: u64) -> Self {
        Self { begin, end: begin, nodes: Vec::new() }
    }

    /// The range that `hashes` are the subtrees of, from left to right; `None` when it has another number of them.
    #[must_use]
    pub fn restore(begin: u64, end: u64, hashes: &[Digest]) -> Option<Self> {
        let subtrees = subtrees(begin, end)?;
        let levels = subtrees.iter().map(|(_, level)| *level);
        (subtrees.len() == hashes.len()).then(|| Self {
            begin,
            end,
            nodes: levels.zip(hashes.iter().copied()).collect(),
        })
    }

    #[must_use]
    pub const fn begin(&self) -> u64 {
        self.begin
    }

    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Roots of its subtrees, from left to right.
    #[must_use]
    pub fn hashes(&self) -> Vec<Digest> {
        self.nodes.iter().map(|(_, hash)| *hash).collect()
    }

    /// Adds the next leaf, by its hash.
    pub fn push(&mut self, leaf: Digest) {
        self.push_subtree(0, leaf);
    }

    /// Adds the range that begins where this one ends; `None` when `next` begins elsewhere.
    #[must_use]
    pub fn followed_by(mut self, next: &Self) -> Option<Self> {
        if next.begin != self.end {
            return None;
        }
        next.nodes.iter().for_each(|(level, hash)| self.push_subtree(*level, *hash));
        Some(self)
    }

    /// The root of a tree that has these leaves; `None` unless the range begins with the first one and has any.
    #[must_use]
    pub fn root(&self) -> Option<Digest> {
        if self.begin != 0 {
            return None;
        }
        self.nodes.iter().rev().map(|(_, hash)| *hash).reduce(|right, left| node_hash(&left, &right))
    }

    fn push_subtree(&mut self, level: u32, hash: Digest) {
        self.nodes.push((level, hash));
        self.end += 1 << level;
        // Two neighbours of one size whose common parent begins on a multiple of its own size are one subtree.
        while let [.., (left, left_hash), (right, right_hash)] = self.nodes[..]
            && left == right
            && (self.end >> left).is_multiple_of(2)
        {
            self.nodes.truncate(self.nodes.len() - 2);
            self.nodes.push((left + 1, node_hash(&left_hash, &right_hash)));
        }
    }
}

/// First leaves and levels of the fewest perfect subtrees of [begin, end); `None` when it ends before it begins.
pub(super) fn subtrees(begin: u64, end: u64) -> Option<Vec<(u64, u32)>> {
    let (mut subtrees, mut position) = (Vec::new(), begin);
    while position < end {
        let level = position.trailing_zeros().min((end - position).ilog2());
        subtrees.push((position, level));
        position += 1 << level;
    }
    (position == end).then_some(subtrees)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{MerkleTree, leaf_hash};
    use crate::model::{Cid, Codec};

    #[test]
    fn ranges_have_the_fewest_subtrees_and_join_to_the_root() {
        let leaves: Vec<Cid> = (0..70_u32).map(|n| Cid::of(Codec::DagCbor, &n.to_be_bytes())).collect();
        for end in 0..=leaves.len() {
            let mut tree = MerkleTree::default();
            leaves[..end].iter().for_each(|leaf| tree.push(leaf, |_| ()));
            for middle in 0..=end {
                let range = |from: usize, to: usize| {
                    let mut range = CompactRange::empty(from as u64);
                    leaves[from..to].iter().for_each(|leaf| range.push(leaf_hash(leaf)));
                    assert_eq!(range.end(), to as u64);
                    let restored = CompactRange::restore(from as u64, to as u64, &range.hashes());
                    assert_eq!(restored.as_ref(), Some(&range), "{from}..{to}");
                    range
                };
                let whole = range(0, middle).followed_by(&range(middle, end)).unwrap();
                assert_eq!(whole, range(0, end));
                assert_eq!(whole.root(), (end > 0).then(|| tree.root()));
            }
        }
    }

    #[test]
    fn another_number_of_hashes_is_no_range() {
        let hash = Digest([1; 32]);
        assert!(CompactRange::restore(0, 7, &[hash; 3]).is_some());
        assert!(CompactRange::restore(0, 7, &[hash; 2]).is_none());
        assert!(CompactRange::restore(0, 7, &[hash; 4]).is_none());
        assert!(CompactRange::restore(7, 3, &[]).is_none());
        assert!(CompactRange::restore(1, u64::MAX, &[hash; 3]).is_none());
        assert_eq!(CompactRange::empty(3).followed_by(&CompactRange::empty(4)), None);
        assert_eq!(CompactRange::restore(1, 2, &[hash]).unwrap().root(), None);
    }
}
