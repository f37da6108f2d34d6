//! The way down from a head or a manifest to the entries: the directory of tiles, the tree of links, and the walk back
//! over `prev`.

use std::collections::HashSet;

use super::finding::Fault;
use super::restore::DIRECTORY_DEPTH;
use super::verify::Verifier;
use super::walk::{Fetched, Item, OpenEntry};
use crate::codec::dag_cbor::{self, decode_entries_node, decode_manifest};
use crate::codec::unixfs::decode_directory;
use crate::model::{Cid, Codec, Manifest};

/// Levels of the entries tree: 256^8 manifests are more than `seq` can count.
const ENTRIES_DEPTH: usize = 8;

impl Verifier {
    pub(super) fn feed_item(&mut self, position: usize, item: Item, fetched: Fetched) {
        match item {
            Item::Tlog { cid, path, depth } => self.feed_tlog(position, cid, &path, depth, fetched),
            Item::Entries { cid, depth } => self.feed_entries(position, cid, depth, fetched),
            Item::Previous { cid, seq } => self.feed_previous(cid, seq, fetched),
            Item::Entry(_) => {}
        }
    }

    fn feed_tlog(&mut self, position: usize, cid: Cid, path: &str, depth: usize, fetched: Fetched) {
        let Some(bytes) = self.sound(&cid, fetched) else { return };
        if cid.codec() == Codec::Raw {
            if path == "checkpoint" {
                self.checkpoint = Some(bytes);
            }
            return;
        }
        match decode_directory(&bytes) {
            Ok(_) if depth > DIRECTORY_DEPTH => {
                self.malformed(cid, "tlog directory", "it nests too deep".to_owned())
            }
            Ok(links) => {
                let mut position = position;
                for link in links {
                    let path = if path.is_empty() { link.name } else { format!("{path}/{}", link.name) };
                    let known = !self.nodes.insert(link.cid);
                    match link.cid.codec() {
                        Codec::Raw => {
                            self.tiles.insert(path.clone(), link.cid);
                            // What several paths share is read once.
                            if known && path != "checkpoint" {
                                continue;
                            }
                        }
                        Codec::DagPb if !known => {}
                        // No two directories of a tree are equal; walking one again could take for ever.
                        _ => {
                            self.malformed(
                                link.cid,
                                "tlog directory",
                                format!("{path} is no directory of its own"),
                            );
                            continue;
                        }
                    }
                    self.items.insert(position, Item::Tlog { cid: link.cid, path, depth: depth + 1 });
                    position += 1;
                }
            }
            Err(error) => self.malformed(cid, "tlog directory", error.to_string()),
        }
    }

    fn feed_entries(&mut self, position: usize, cid: Cid, depth: usize, fetched: Fetched) {
        let bytes = match fetched {
            Fetched::Block(bytes) if dag_cbor::is_entries_node(&bytes) && cid.matches(&bytes) => bytes,
            other => {
                // Not a node, so the manifest that stands here, whatever became of it.
                self.items.insert(position, Item::Entry(Box::new(OpenEntry::new(cid, other, &self.walked))));
                return;
            }
        };
        let links = match decode_entries_node(&bytes) {
            Ok(links) => links,
            Err(error) => return self.malformed(cid, "node of the entries tree", error.to_string()),
        };
        if depth >= ENTRIES_DEPTH {
            return self.find(Some(cid), Fault::EntriesShape { detail: "it nests too deep" });
        }
        if !self.nodes.insert(cid) {
            return self.find(Some(cid), Fault::EntriesShape { detail: "a node stands in it twice" });
        }
        let distinct: HashSet<&Cid> = links.iter().collect();
        if distinct.len() != links.len() {
            self.find(Some(cid), Fault::EntriesShape { detail: "a node links to one block twice" });
        }
        let tail = self.items.split_off(position);
        let new = links.into_iter().filter(|cid| !self.known.contains(cid));
        self.items.extend(new.map(|cid| Item::Entries { cid, depth: depth + 1 }));
        self.items.extend(tail);
    }

    fn feed_previous(&mut self, cid: Cid, expected: Option<u64>, fetched: Fetched) {
        let found = self.sound(&cid, fetched).map(|bytes| decode_manifest(&bytes));
        let manifest = match found {
            Some(Ok(manifest)) => Some(manifest),
            Some(Err(error)) => {
                self.malformed(cid, "manifest", error.to_string());
                None
            }
            None => None,
        };
        self.previous.push(cid);
        // A `seq` that does not fall by one would make the walk back endless.
        let falls = manifest.as_ref().is_some_and(|manifest| expected.is_none_or(|seq| manifest.seq == seq));
        match manifest {
            Some(Manifest { seq, prev: Some(prev), .. }) if falls => {
                self.items.push_back(Item::Previous { cid: prev, seq: Some(seq - 1) });
            }
            _ => {
                let forward = std::mem::take(&mut self.previous).into_iter().rev();
                self.items.extend(forward.map(|cid| Item::Entries { cid, depth: 0 }));
            }
        }
    }
}
