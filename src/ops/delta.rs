//! Which blocks a head needs that an older head of the chain does not.

use std::collections::{HashMap, HashSet};

use super::error::BlockError;
use super::{ChainReader, OpsError};
use crate::codec::dag_cbor::{decode_entries_node, decode_head, decode_manifest, is_entries_node};
use crate::codec::unixfs::{decode_directory, decode_file_node};
use crate::model::{Cid, Codec, Head};

/// The blocks that `head` needs and `previous` does not, each once and after those that it links to; the head is
/// last. Without `previous`, all. Two heads of a chain differ along one edge of their trees, so this reads what is
/// new and a path to it, never the whole chain.
///
/// # Errors
/// When a block is missing or malformed.
pub fn delta(reader: &ChainReader, previous: Option<Cid>, head: Cid) -> Result<Vec<Cid>, OpsError> {
    if previous == Some(head) {
        return Ok(Vec::new());
    }
    let mut walk = Walk { reader, known: HashSet::new(), found: Vec::new() };
    // A head that compaction has dropped tells nothing; then everything is new.
    let old = match previous {
        Some(previous) if reader.archive().contains(&previous)? => Some(walk.head(&previous)?),
        _ => None,
    };
    let new = walk.head(&head)?;
    if let Some(old) = &old {
        walk.remember_edge(old.entries)?;
    }
    walk.directory(new.tlog, old.map(|old| old.tlog))?;
    walk.entries(new.entries)?;
    walk.found.push(head);
    Ok(walk.found)
}

struct Walk<'a> {
    reader: &'a ChainReader,
    /// What is found already, and what the old entries have along their last edge.
    known: HashSet<Cid>,
    found: Vec<Cid>,
}

impl Walk<'_> {
    fn head(&self, cid: &Cid) -> Result<Head, OpsError> {
        let bytes = self.reader.block("head", cid)?;
        decode_head(&bytes).map_err(|error| refuse("head", cid, error.into()))
    }

    fn node(&self, cid: &Cid) -> Result<Vec<Cid>, OpsError> {
        let bytes = self.reader.block("entries node", cid)?;
        decode_entries_node(&bytes).map_err(|error| refuse("entries node", cid, error.into()))
    }

    /// Takes note of the last node of each level and of what it links to: all of the old tree that a newer one
    /// does not have stands among them.
    fn remember_edge(&mut self, root: Cid) -> Result<(), OpsError> {
        let mut next = Some(root);
        while let Some(cid) = next {
            let bytes = self.reader.block("entries node", &cid)?;
            self.known.insert(cid);
            if !is_entries_node(&bytes) {
                return Ok(());
            }
            let links = self.node(&cid)?;
            next = links.last().copied();
            self.known.extend(links);
        }
        Ok(())
    }

    fn entries(&mut self, root: Cid) -> Result<(), OpsError> {
        // A node and what of it is still to be walked.
        let mut path = vec![(root, self.node(&root)?.into_iter())];
        self.known.insert(root);
        while let Some((cid, links)) = path.last_mut() {
            let Some(link) = links.next() else {
                self.found.push(*cid);
                path.pop();
                continue;
            };
            if !self.known.insert(link) {
                continue;
            }
            let bytes = self.reader.block("manifest", &link)?;
            if is_entries_node(&bytes) {
                path.push((link, self.node(&link)?.into_iter()));
                continue;
            }
            let manifest =
                decode_manifest(&bytes).map_err(|error| refuse("manifest", &link, error.into()))?;
            for file in std::iter::once(manifest.log).chain(manifest.files.iter().map(|file| file.cid)) {
                self.file(file)?;
            }
            self.found.push(link);
        }
        Ok(())
    }

    /// A file's blocks, leaves first.
    fn file(&mut self, root: Cid) -> Result<(), OpsError> {
        let mut pending = vec![(root, false)];
        while let Some((cid, walked)) = pending.pop() {
            if walked {
                self.found.push(cid);
            } else if self.known.insert(cid) {
                pending.push((cid, true));
                if cid.codec() == Codec::DagPb {
                    let links = decode_file_node(&self.reader.block("file", &cid)?);
                    let links = links.map_err(|error| refuse("file", &cid, error.into()))?;
                    pending.extend(links.into_iter().rev().map(|link| (link, false)));
                }
            }
        }
        Ok(())
    }

    /// A directory's blocks, but for those that the old directory of the same path has under the same name.
    fn directory(&mut self, cid: Cid, old: Option<Cid>) -> Result<(), OpsError> {
        if !self.known.insert(cid) {
            return Ok(());
        }
        let links = |cid: &Cid| {
            let links = decode_directory(&self.reader.block("directory", cid)?);
            links.map_err(|error| refuse("directory", cid, error.into()))
        };
        let before = old.map(|old| links(&old)).transpose()?.unwrap_or_default();
        let before: HashMap<String, Cid> = before.into_iter().map(|link| (link.name, link.cid)).collect();
        for link in links(&cid)? {
            let counterpart = before.get(&link.name).copied();
            if counterpart == Some(link.cid) {
                continue;
            }
            if link.cid.codec() == Codec::DagPb {
                self.directory(link.cid, counterpart.filter(|old| old.codec() == Codec::DagPb))?;
            } else if self.known.insert(link.cid) {
                self.found.push(link.cid);
            }
        }
        self.found.push(cid);
        Ok(())
    }
}

fn refuse(what: &'static str, cid: &Cid, source: BlockError) -> OpsError {
    OpsError::Block { what, cid: *cid, source }
}
