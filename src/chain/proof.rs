//! Inclusion and consistency proofs of the Merkle tree (RFC 6962 §2.1.1 and §2.1.2, RFC 9162 §2.1.3 and
//! §2.1.4): what they are, and whether they hold. Making them is the work of `tiles`.

use super::tree::node_hash;
use crate::crypto::Digest;

mod tiles;

pub use tiles::{TreeHashes, TreeTiles};

/// That a leaf stands at a place in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// Position of the leaf.
    pub index: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// Hashes of the other subtrees, from the leaf's sibling up to a child of the root.
    pub path: Vec<Digest>,
}

/// That a tree begins with all leaves of a smaller one, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Leaves of the smaller tree.
    pub old: u64,
    /// Leaves of the larger tree.
    pub new: u64,
    /// As RFC 6962 §2.1.2 orders them; none where the smaller tree is empty or as large as the other.
    pub path: Vec<Digest>,
}

/// Why a proof does not hold, or cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("leaf {index} is not in a tree of {size} leaves")]
    OutOfTree { index: u64, size: u64 },
    #[error("a tree of {new} leaves cannot continue one of {old}")]
    Shrinks { old: u64, new: u64 },
    #[error("the proof has {found} hashes, not {expected}")]
    Length { expected: usize, found: usize },
    #[error("the proof leads to the root {found}, not {expected}")]
    Root { expected: Digest, found: Digest },
    #[error("the proof does not begin with the tree of {old} leaves: it leads to {found}, not {expected}")]
    OldRoot { old: u64, expected: Digest, found: Digest },
    #[error("{path} is needed")]
    TileMissing { path: String },
    #[error("{path} has {found} bytes, not {expected}")]
    TileLength { path: String, expected: u64, found: usize },
    #[error("{path} does not hash to what the tile above it says")]
    TileDiffers { path: String },
    #[error("the tiles lead to the root {found}, not {expected}")]
    TilesRoot { expected: Digest, found: Digest },
}

impl serde::Serialize for ProofError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether the leaf with this hash stands where `proof` says, in the tree with this root.
///
/// The size has to be the one that was signed beside the root: trees of several sizes may have proofs of one shape.
///
/// # Errors
/// [`ProofError`] where it does not, and where the proof has another shape than its numbers ask for: a hash
/// more or less, an index that is not in the tree.
pub fn verify_inclusion(leaf: &Digest, proof: &InclusionProof, root: &Digest) -> Result<(), ProofError> {
    let &InclusionProof { index, size, ref path } = proof;
    if index >= size {
        return Err(ProofError::OutOfTree { index, size });
    }
    require_length(subtrees_beside(index, size).len(), path)?;
    // RFC 9162 §2.1.3.2; what it calls fn, sn and r.
    let (mut first, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if first & 1 == 1 || first == last {
            hash = node_hash(sibling, &hash);
            // Levels where the node on the right edge has no sibling.
            let skipped = first.trailing_zeros().min(63);
            (first, last) = (first >> skipped, last >> skipped);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (first, last) = (first >> 1, last >> 1);
    }
    require_root(root, hash)
}

/// Whether the tree with `new_root` begins with all leaves of the one with `old_root`.
///
/// # Errors
/// [`ProofError`] where it does not, and where the proof has another shape than its numbers ask for.
pub fn verify_consistency(
    old_root: &Digest,
    new_root: &Digest,
    proof: &ConsistencyProof,
) -> Result<(), ProofError> {
    let &ConsistencyProof { old, new, ref path } = proof;
    if old > new {
        return Err(ProofError::Shrinks { old, new });
    }
    require_length(subtrees_between(old, new).len(), path)?;
    for (size, found) in [(old, old_root), (new, new_root)] {
        if size == 0 {
            require_root(&Digest::of(b""), *found)?;
        }
    }
    if old == new {
        return require_root(new_root, *old_root);
    }
    if old == 0 {
        return Ok(());
    }
    // RFC 9162 §2.1.4.2; what it calls fn, sn, fr and sr.
    let skipped = (old - 1).trailing_ones();
    let (mut first, mut last) = ((old - 1) >> skipped, (new - 1) >> skipped);
    let known = old.is_power_of_two().then_some(old_root);
    let mut hashes = known.into_iter().chain(path);
    // The length was right, so there is one.
    let Some(&start) = hashes.next() else { return Err(ProofError::Length { expected: 1, found: 0 }) };
    let (mut smaller, mut larger) = (start, start);
    for hash in hashes {
        if first & 1 == 1 || first == last {
            smaller = node_hash(hash, &smaller);
            larger = node_hash(hash, &larger);
            let skipped = first.trailing_zeros().min(63);
            (first, last) = (first >> skipped, last >> skipped);
        } else {
            larger = node_hash(&larger, hash);
        }
        (first, last) = (first >> 1, last >> 1);
    }
    if smaller != *old_root {
        return Err(ProofError::OldRoot { old, expected: *old_root, found: smaller });
    }
    require_root(new_root, larger)
}

fn require_length(expected: usize, path: &[Digest]) -> Result<(), ProofError> {
    let found = path.len();
    if found == expected { Ok(()) } else { Err(ProofError::Length { expected, found }) }
}

fn require_root(expected: &Digest, found: Digest) -> Result<(), ProofError> {
    if found == *expected { Ok(()) } else { Err(ProofError::Root { expected: *expected, found }) }
}

/// Leaves from `.0` to before `.1`.
type Range = (u64, u64);

/// The largest power of two below `count`, which is at least 2: where RFC 6962 §2.1 splits a tree.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The subtrees whose hashes prove that a leaf is in a tree (RFC 6962 §2.1.1).
fn subtrees_beside(index: u64, size: u64) -> Vec<Range> {
    let (mut low, mut high, mut subtrees) = (0, size, Vec::new());
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            subtrees.push((middle, high));
            high = middle;
        } else {
            subtrees.push((low, middle));
            low = middle;
        }
    }
    subtrees.reverse();
    subtrees
}

/// The subtrees whose hashes prove that a tree begins with a smaller one (RFC 6962 §2.1.2).
fn subtrees_between(old: u64, new: u64) -> Vec<Range> {
    let (mut low, mut high, mut subtrees) = (0, new, Vec::new());
    if old == 0 || old == new {
        return subtrees;
    }
    while high != old {
        let middle = low + split(high - low);
        if old <= middle {
            subtrees.push((middle, high));
            high = middle;
        } else {
            subtrees.push((low, middle));
            low = middle;
        }
    }
    // Where this is the whole smaller tree, whoever verifies has its root.
    if low > 0 {
        subtrees.push((low, high));
    }
    subtrees.reverse();
    subtrees
}

#[cfg(test)]
mod tests;
