//! What a head commits to: the wide tree of links, the tiles and the checkpoint (FORMAT §4, §6).

use std::collections::BTreeMap;

use super::Block;
use super::tree::MerkleTree;
use crate::codec::dag_cbor::encode_entries_node;
use crate::codec::tiles::{Tile, TileKind, push_entry, unfinished_tiles_of};
use crate::codec::unixfs::DirectoryBuilder;
use crate::crypto::Digest;
use crate::model::{CID_LENGTH, Cid, Codec, ENTRIES_WIDTH};

/// The wide tree of links, kept as the unfinished nodes of its right edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntriesTree {
    /// Level k: links of the last node of that level, 0 to 255 of them.
    levels: Vec<Vec<Cid>>,
}

impl EntriesTree {
    /// The tree whose right edge is `levels`, lowest first.
    pub fn restore(levels: Vec<Vec<Cid>>) -> Self {
        Self { levels }
    }

    /// Links of the unfinished node of each level, lowest first; empty where a level ends with a full node.
    pub fn edge(&self) -> &[Vec<Cid>] {
        &self.levels
    }

    /// Adds a manifest; hands out each node that it fills.
    pub fn push(&mut self, manifest: Cid, sink: &mut dyn FnMut(Block)) {
        let mut link = manifest;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(link);
            if self.levels[level].len() < ENTRIES_WIDTH {
                return;
            }
            link = put_node(&std::mem::take(&mut self.levels[level]), sink);
        }
    }

    /// The root of the tree as it stands; hands out its unfinished nodes.
    pub fn root(&self, sink: &mut dyn FnMut(Block)) -> Option<Cid> {
        let top = self.levels.iter().rposition(|links| !links.is_empty())?;
        let mut carried: Option<Cid> = None;
        for (level, links) in self.levels[..=top].iter().enumerate() {
            let links: Vec<Cid> = links.iter().copied().chain(carried).collect();
            carried = match links[..] {
                [] => None,
                // A level of one node needs no node above it.
                [only] if level == top && level > 0 => return Some(only),
                _ => Some(put_node(&links, sink)),
            };
        }
        carried
    }
}

fn put_node(links: &[Cid], sink: &mut dyn FnMut(Block)) -> Cid {
    let bytes = encode_entries_node(links);
    let cid = Cid::of(Codec::DagCbor, &bytes);
    sink((cid, bytes));
    cid
}

/// Both trees over a chain's manifests and the directory of its full tiles.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub merkle: MerkleTree,
    pub entries: EntriesTree,
    /// Full tiles only.
    pub directory: DirectoryBuilder,
    /// Bytes of the unfinished entries tile.
    pub bundle: Vec<u8>,
}

impl Snapshot {
    /// Adds a manifest; hands out the tiles and nodes that it fills.
    pub fn push(&mut self, manifest: Cid, sink: &mut dyn FnMut(Block)) {
        let directory = &mut self.directory;
        self.merkle.push(&manifest, |tile| {
            let place = Tile {
                kind: TileKind::Hashes { level: tile.level },
                index: tile.index,
                width: ENTRIES_WIDTH as u64,
            };
            put_file(directory, &place.path(), concatenate(&tile.hashes), sink);
        });
        push_entry(&mut self.bundle, &manifest);
        if self.bundle.len() == ENTRIES_WIDTH * (CID_LENGTH + 2) {
            let index = self.merkle.size() / ENTRIES_WIDTH as u64 - 1;
            let place = Tile { kind: TileKind::Entries, index, width: ENTRIES_WIDTH as u64 };
            put_file(directory, &place.path(), std::mem::take(&mut self.bundle), sink);
        }
        self.entries.push(manifest, sink);
    }

    /// The tlog-tiles directory of the tree as it stands, with `checkpoint` in it; hands out its
    /// unfinished tiles and all its directories.
    pub fn directory(&self, checkpoint: Vec<u8>, sink: &mut dyn FnMut(Block)) -> Cid {
        let mut directory = self.directory.clone();
        for (path, bytes) in self.unfinished_tiles() {
            put_file(&mut directory, &path, bytes, sink);
        }
        put_file(&mut directory, "checkpoint", checkpoint, sink);
        directory.finish(&mut |built| sink((built.cid, built.bytes)))
    }

    /// Paths and bytes of the partial tiles on the right edge.
    fn unfinished_tiles(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        unfinished_tiles_of(self.merkle.size()).map(|tile| {
            let bytes = match tile.kind {
                TileKind::Hashes { level } => concatenate(&self.merkle.edge()[usize::from(level)]),
                TileKind::Entries => self.bundle.clone(),
            };
            (tile.path(), bytes)
        })
    }

    /// All files of the directory but the checkpoint, by their paths.
    pub fn files(&self) -> BTreeMap<String, Cid> {
        let mut files = BTreeMap::new();
        self.directory.files(&mut |path, cid| {
            files.insert(path, cid);
        });
        files.extend(self.unfinished_tiles().map(|(path, bytes)| (path, Cid::of(Codec::Raw, &bytes))));
        files
    }
}

fn put_file(directory: &mut DirectoryBuilder, path: &str, bytes: Vec<u8>, sink: &mut dyn FnMut(Block)) {
    let cid = Cid::of(Codec::Raw, &bytes);
    directory.insert(path, cid, bytes.len() as u64);
    sink((cid, bytes));
}

fn concatenate(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::dag_cbor::decode_entries_node;
    use std::collections::HashMap;

    fn leaves(root: &Cid, blocks: &HashMap<Cid, Vec<u8>>) -> Vec<Cid> {
        match blocks.get(root) {
            Some(node) => {
                decode_entries_node(node).unwrap().iter().flat_map(|link| leaves(link, blocks)).collect()
            }
            None => vec![*root],
        }
    }

    #[test]
    fn the_wide_tree_lists_all_manifests_with_the_fewest_levels() {
        let all: Vec<Cid> = (0..66_000_u32).map(|n| Cid::of(Codec::DagCbor, &n.to_be_bytes())).collect();
        for count in [1, 2, 255, 256, 257, 512, 513, 65_536, 65_537, 66_000] {
            let mut blocks = HashMap::new();
            let mut tree = EntriesTree::default();
            let mut sink = |(cid, bytes)| drop(blocks.insert(cid, bytes));
            all[..count].iter().for_each(|manifest| tree.push(*manifest, &mut sink));
            let root = tree.root(&mut sink).unwrap();
            assert_eq!(leaves(&root, &blocks), all[..count], "{count}");
            let width = decode_entries_node(&blocks[&root]).unwrap().len();
            assert_eq!(
                width,
                if count <= 256 {
                    count
                } else {
                    count.div_ceil(256).div_ceil(if count > 65_536 { 256 } else { 1 })
                }
            );
        }
    }
}
