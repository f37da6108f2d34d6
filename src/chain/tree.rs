//! The Merkle tree over manifests (RFC 6962 §2.1, SHA-256), kept as the unfinished tiles of its right
//! edge, so that growing it costs the same at any size.

use crate::codec::tiles::TILE_WIDTH;
use crate::crypto::{Digest, Hasher};
use crate::model::Cid;

/// Hash of a leaf: SHA-256 over 0x00 and the leaf's bytes.
#[must_use]
pub fn leaf_hash(leaf: &Cid) -> Digest {
    let mut hasher = Hasher::default();
    hasher.update(&[0]);
    hasher.update(&leaf.to_bytes());
    hasher.finish()
}

/// Hash of an inner node: SHA-256 over 0x01 and the hashes of both children.
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    Digest::of(&bytes)
}

/// A tree's size and the hashes of its unfinished tiles, one list for each level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MerkleTree {
    size: u64,
    /// Level k: hashes of the subtrees of 256^k leaves in the last tile of that level, 0 to 255 of them.
    levels: Vec<Vec<Digest>>,
}

/// A tile that just became full.
#[derive(Debug, PartialEq, Eq)]
pub struct FullTile {
    pub level: u8,
    pub index: u64,
    pub hashes: Vec<Digest>,
}

impl MerkleTree {
    /// The tree whose right edge is `levels`, lowest first, as the partial tiles of a tree of `size`
    /// leaves hold it.
    #[must_use]
    pub fn restore(size: u64, levels: Vec<Vec<Digest>>) -> Self {
        Self { size, levels }
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The unfinished tile of each level, lowest first; empty where a level ends with a full tile.
    #[must_use]
    pub fn edge(&self) -> &[Vec<Digest>] {
        &self.levels
    }

    /// Adds a leaf; hands out each tile that it fills.
    pub fn push(&mut self, leaf: &Cid, filled: impl FnMut(FullTile)) {
        self.push_hash(leaf_hash(leaf), filled);
    }

    /// Adds a leaf whose hash is at hand.
    pub fn push_hash(&mut self, mut hash: Digest, mut filled: impl FnMut(FullTile)) {
        self.size += 1;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(hash);
            if (self.levels[level].len() as u64) < TILE_WIDTH {
                return;
            }
            let hashes = std::mem::take(&mut self.levels[level]);
            hash = perfect_root(&hashes);
            let index = (self.size >> (8 * (level + 1))) - 1;
            filled(FullTile { level: level as u8, index, hashes });
        }
    }

    /// The root: SHA-256 of nothing for an empty tree.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks().into_iter().rev();
        let Some(last) = peaks.next() else { return Digest::of(b"") };
        peaks.fold(last, |right, left| node_hash(&left, &right))
    }

    /// Roots of the maximal perfect subtrees from left to right; each is larger than those after it.
    #[must_use]
    pub fn peaks(&self) -> Vec<Digest> {
        let mut peaks = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let (perfect, more) = rest.split_at(1 << rest.len().ilog2());
                peaks.push(perfect_root(perfect));
                rest = more;
            }
        }
        peaks
    }
}

/// Root over a power of two of hashes.
pub(super) fn perfect_root(hashes: &[Digest]) -> Digest {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    level[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    /// The definition of RFC 6962 §2.1, word for word.
    fn definition(leaves: &[Cid]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [leaf] => leaf_hash(leaf),
            leaves => {
                let split = leaves.len().next_power_of_two() / 2;
                node_hash(&definition(&leaves[..split]), &definition(&leaves[split..]))
            }
        }
    }

    #[test]
    fn the_edge_hashes_as_the_definition_says() {
        let leaves: Vec<Cid> = (0..1100_u32).map(|n| Cid::of(Codec::DagCbor, &n.to_be_bytes())).collect();
        let mut tree = MerkleTree::default();
        let mut tiles = Vec::new();
        assert_eq!(tree.root(), definition(&[]));
        for (count, leaf) in leaves.iter().enumerate() {
            tree.push(leaf, |tile| tiles.push(tile));
            if count < 20 || count % 97 == 0 || (count + 1) % 256 < 2 {
                assert_eq!(tree.root(), definition(&leaves[..=count]), "{count}");
            }
        }
        assert_eq!(
            tiles.iter().map(|tile| (tile.level, tile.index)).collect::<Vec<_>>(),
            [(0, 0), (0, 1), (0, 2), (0, 3)]
        );
        assert_eq!(MerkleTree::restore(tree.size(), tree.edge().to_vec()).root(), tree.root());
    }
}
