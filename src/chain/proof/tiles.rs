//! Proofs out of the tiles of a tree, without I/O: says which tiles they need, is fed their bytes, believes
//! them when they hash up to the root, and makes any proof that they hold.

use std::collections::BTreeMap;

use super::super::compact_range::{CompactRange, subtrees};
use super::{ConsistencyProof, InclusionProof, ProofError, Range, subtrees_beside, subtrees_between};
use crate::chain::tree::{MerkleTree, node_hash, perfect_root};
use crate::codec::tiles::{TILE_WIDTH, Tile, TileKind};
use crate::crypto::Digest;

/// Level and index.
type Place = (u8, u64);

/// Tiles of a tree that are wanted, and those that are in. Nothing in them is believed yet.
#[derive(Clone, Debug)]
pub struct TreeTiles {
    size: u64,
    tiles: BTreeMap<Place, Option<Vec<Digest>>>,
}

impl TreeTiles {
    /// The tree of `size` leaves; wants what its root is made of.
    #[must_use]
    pub fn new(size: u64) -> Self {
        let mut tiles = Self { size, tiles: BTreeMap::new() };
        for level in 0..LEVELS {
            let count = hashes_at(size, level);
            if !count.is_multiple_of(TILE_WIDTH) {
                tiles.tiles.insert((level, count / TILE_WIDTH), None);
            }
        }
        tiles
    }

    /// Wants also what proves that leaf `index` is in the tree.
    ///
    /// # Errors
    /// [`ProofError::OutOfTree`].
    pub fn want_inclusion(&mut self, index: u64) -> Result<(), ProofError> {
        if index >= self.size {
            return Err(ProofError::OutOfTree { index, size: self.size });
        }
        // Its own hash is in the tile of its sibling; a proof without hashes needs nothing.
        self.want(&subtrees_beside(index, self.size));
        Ok(())
    }

    /// Wants also what proves that the tree begins with its first `old` leaves, and the root of these.
    ///
    /// # Errors
    /// [`ProofError::Shrinks`].
    pub fn want_consistency(&mut self, old: u64) -> Result<(), ProofError> {
        self.want_consistency_between(old, self.size)
    }

    /// The same between two trees of its first leaves, and the roots of both.
    ///
    /// # Errors
    /// [`ProofError::Shrinks`].
    pub fn want_consistency_between(&mut self, old: u64, new: u64) -> Result<(), ProofError> {
        require_order(&[old, new, self.size])?;
        self.want(&subtrees_between(old, new));
        self.want(&[(0, old), (0, new)]);
        Ok(())
    }

    /// Wants also what a range of leaves is made of; see [`TreeHashes::range`].
    ///
    /// # Errors
    /// [`ProofError::Shrinks`] for one that ends before it begins, or after the tree.
    pub fn want_range(&mut self, begin: u64, end: u64) -> Result<(), ProofError> {
        let parts = ranges(begin, end, self.size)?;
        self.want(&parts);
        Ok(())
    }

    /// Tiles that are wanted and not in, lowest level first.
    #[must_use]
    pub fn wants(&self) -> Vec<Tile> {
        let missing = self.tiles.iter().filter(|(_, hashes)| hashes.is_none());
        missing.map(|(place, _)| self.tile(*place)).collect()
    }

    /// Takes the bytes of a tile; one that is not wanted is ignored.
    ///
    /// # Errors
    /// [`ProofError::TileLength`].
    pub fn feed(&mut self, tile: &Tile, bytes: &[u8]) -> Result<(), ProofError> {
        let TileKind::Hashes { level } = tile.kind else { return Ok(()) };
        let place = (level, tile.index);
        let wanted = self.tile(place);
        let Some(hashes) = self.tiles.get_mut(&place).filter(|_| wanted == *tile) else { return Ok(()) };
        let expected = wanted.width * HASH as u64;
        if bytes.len() as u64 != expected {
            return Err(ProofError::TileLength { path: tile.path(), expected, found: bytes.len() });
        }
        *hashes = Some(bytes.as_chunks::<HASH>().0.iter().map(|hash| Digest(*hash)).collect());
        Ok(())
    }

    /// The hashes in the tiles, which are those of the tree with this root.
    ///
    /// # Errors
    /// [`ProofError`] when a tile is missing or does not hash up to the root.
    pub fn authenticate(self, root: &Digest) -> Result<TreeHashes, ProofError> {
        let size = self.size;
        let mut tiles = BTreeMap::new();
        for (place, hashes) in &self.tiles {
            let missing = || ProofError::TileMissing { path: self.tile(*place).path() };
            tiles.insert(*place, hashes.clone().ok_or_else(missing)?);
        }
        let hashes = TreeHashes { size, tiles };
        let found = hashes.root();
        if found != *root {
            return Err(ProofError::TilesRoot { expected: *root, found });
        }
        // From the top: what is compared with has been compared itself.
        for (place, tile) in hashes.tiles.iter().rev().filter(|(_, tile)| tile.len() as u64 == TILE_WIDTH) {
            if hashes.hash(place.0 + 1, place.1)? != perfect_root(tile) {
                return Err(ProofError::TileDiffers { path: self.tile(*place).path() });
            }
        }
        Ok(hashes)
    }

    fn tile(&self, (level, index): Place) -> Tile {
        let width = (hashes_at(self.size, level) - index * TILE_WIDTH).min(TILE_WIDTH);
        Tile { kind: TileKind::Hashes { level }, index, width }
    }

    fn want(&mut self, subtrees: &[Range]) {
        for subtree in subtrees {
            for Perfect { level, first, .. } in perfect_subtrees(*subtree) {
                let mut place = (level, first / TILE_WIDTH);
                // Up to a tile on the right edge, which the root is made of.
                while self.tiles.insert(place, None).is_none() && self.tile(place).width == TILE_WIDTH {
                    place = (place.0 + 1, place.1 / TILE_WIDTH);
                }
            }
        }
    }
}

/// Whether no size is smaller than the one before it.
fn require_order(sizes: &[u64]) -> Result<(), ProofError> {
    match sizes.windows(2).find(|pair| pair[0] > pair[1]) {
        Some(pair) => Err(ProofError::Shrinks { old: pair[0], new: pair[1] }),
        None => Ok(()),
    }
}

/// The perfect subtrees of a range, each as its leaves.
fn ranges(begin: u64, end: u64, size: u64) -> Result<Vec<Range>, ProofError> {
    let shrinks = |old, new| ProofError::Shrinks { old, new };
    if end > size {
        return Err(shrinks(end, size));
    }
    let parts = subtrees(begin, end).ok_or_else(|| shrinks(begin, end))?;
    Ok(parts.into_iter().map(|(first, level)| (first, first + (1 << level))).collect())
}

/// Bytes of a hash.
const HASH: usize = 32;
/// Levels of the tree between two levels of tiles.
const TILE_HEIGHT: u32 = 8;
/// Levels of tiles: 256^8 leaves are more than can be counted.
const LEVELS: u8 = 8;

/// Hashes that a level of tiles has in a tree of `size` leaves.
fn hashes_at(size: u64, level: u8) -> u64 {
    size >> (TILE_HEIGHT * u32::from(level))
}

/// A subtree of a power of two of leaves, as tiles hold it.
struct Perfect {
    level: u8,
    /// Index of its first hash in the level.
    first: u64,
    /// How many hashes of the level are below it: a power of two up to 128.
    width: u64,
}

/// The perfect subtrees of which RFC 6962 makes a subtree, from left to right.
fn perfect_subtrees((mut low, high): Range) -> Vec<Perfect> {
    let mut subtrees = Vec::new();
    while low < high {
        let height = (high - low).ilog2();
        let level = height / TILE_HEIGHT;
        subtrees.push(Perfect {
            level: level as u8,
            first: low >> (TILE_HEIGHT * level),
            width: 1 << (height % TILE_HEIGHT),
        });
        low += 1 << height;
    }
    subtrees
}

/// Hashes that were in tiles and are those of a tree whose root is known.
#[derive(Clone, Debug)]
pub struct TreeHashes {
    size: u64,
    tiles: BTreeMap<Place, Vec<Digest>>,
}

impl TreeHashes {
    /// That leaf `index` is in the tree.
    ///
    /// # Errors
    /// [`ProofError::OutOfTree`], and [`ProofError::TileMissing`] for what was not wanted before.
    pub fn inclusion(&self, index: u64) -> Result<InclusionProof, ProofError> {
        let size = self.size;
        if index >= size {
            return Err(ProofError::OutOfTree { index, size });
        }
        Ok(InclusionProof { index, size, path: self.path(&subtrees_beside(index, size))? })
    }

    /// That the tree begins with its first `old` leaves.
    ///
    /// # Errors
    /// [`ProofError::Shrinks`], and [`ProofError::TileMissing`] for what was not wanted before.
    pub fn consistency(&self, old: u64) -> Result<ConsistencyProof, ProofError> {
        self.consistency_between(old, self.size)
    }

    /// That the tree of the first `new` leaves begins with the first `old`.
    ///
    /// # Errors
    /// As [`TreeHashes::consistency`].
    pub fn consistency_between(&self, old: u64, new: u64) -> Result<ConsistencyProof, ProofError> {
        require_order(&[old, new, self.size])?;
        Ok(ConsistencyProof { old, new, path: self.path(&subtrees_between(old, new))? })
    }

    /// Root of the tree of the first `size` leaves.
    ///
    /// # Errors
    /// As [`TreeHashes::consistency`].
    pub fn root_at(&self, size: u64) -> Result<Digest, ProofError> {
        require_order(&[size, self.size])?;
        if size == 0 { Ok(Digest::of(b"")) } else { self.subtree((0, size)) }
    }

    /// Leaves `begin` to before `end`.
    ///
    /// # Errors
    /// As [`TreeTiles::want_range`], and [`ProofError::TileMissing`] for what was not wanted before.
    pub fn range(&self, begin: u64, end: u64) -> Result<CompactRange, ProofError> {
        let hashes = self.path(&ranges(begin, end, self.size)?)?;
        CompactRange::restore(begin, end, &hashes).ok_or(ProofError::Shrinks { old: begin, new: end })
    }

    fn root(&self) -> Digest {
        let levels = (0..LEVELS).map(|level| {
            let edge = self.tiles.get(&(level, hashes_at(self.size, level) / TILE_WIDTH));
            edge.filter(|tile| (tile.len() as u64) < TILE_WIDTH).cloned().unwrap_or_default()
        });
        MerkleTree::restore(self.size, levels.collect()).root()
    }

    fn path(&self, subtrees: &[Range]) -> Result<Vec<Digest>, ProofError> {
        subtrees.iter().map(|subtree| self.subtree(*subtree)).collect()
    }

    /// Hash of a subtree, which is not empty.
    fn subtree(&self, range: Range) -> Result<Digest, ProofError> {
        let mut hash = None;
        for Perfect { level, first, width } in perfect_subtrees(range).into_iter().rev() {
            let hashes: Result<Vec<Digest>, _> =
                (first..first + width).map(|index| self.hash(level, index)).collect();
            let left = perfect_root(&hashes?);
            hash = Some(hash.map_or(left, |right| node_hash(&left, &right)));
        }
        Ok(hash.unwrap_or_else(|| Digest::of(b"")))
    }

    fn hash(&self, level: u8, index: u64) -> Result<Digest, ProofError> {
        let tile = self.tiles.get(&(level, index / TILE_WIDTH));
        let hash = tile.and_then(|tile| tile.get((index % TILE_WIDTH) as usize)).copied();
        hash.ok_or_else(|| {
            let kind = TileKind::Hashes { level };
            let tile = Tile { kind, index: index / TILE_WIDTH, width: TILE_WIDTH };
            ProofError::TileMissing { path: tile.path() }
        })
    }
}
