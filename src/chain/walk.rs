//! Which blocks are still wanted, and entries whose blocks come in.

use std::sync::Arc;

use super::entry::{EntryCheck, FileBytes, KnownKeys};
use super::finding::Fault;
use crate::codec::dag_cbor::decode_manifest;
use crate::codec::unixfs::{FileCheck, decode_file_node};
use crate::model::{Cid, Codec, Manifest};

/// A file larger than this is not read: its node could name one chunk a billion times.
const FILE_LIMIT: u64 = 1 << 30;

/// What came of looking for a block.
#[derive(Debug)]
pub enum Fetched {
    /// Bytes that are said to be the block; they are hashed here.
    Block(Vec<u8>),
    /// Everywhere looked, nowhere found.
    Missing,
}

/// What is still to be walked, in the order of a depth-first export.
pub(super) enum Item {
    /// A block below the tlog directory.
    Tlog {
        cid: Cid,
        path: String,
        depth: usize,
    },
    /// A node of the entries tree or a manifest.
    Entries {
        cid: Cid,
        depth: usize,
    },
    Entry(Box<OpenEntry>),
    /// The next manifest of a walk over `prev`, newest first.
    Previous {
        cid: Cid,
        seq: Option<u64>,
    },
}

pub(super) struct OpenEntry {
    cid: Cid,
    manifest: Option<Manifest>,
    log: Slot,
    files: Vec<FileSlot>,
    faults: Vec<(Option<Cid>, Fault)>,
}

enum Slot {
    Wanted(Cid),
    Have(Vec<u8>),
    Absent,
}

enum FileSlot {
    Wanted(Cid),
    Walk { pending: Vec<Cid>, check: Box<FileCheck>, limit: u64 },
    Done(FileBytes),
}

impl Item {
    pub(super) fn want(&self) -> Option<Cid> {
        match self {
            Self::Tlog { cid, .. } | Self::Entries { cid, .. } | Self::Previous { cid, .. } => Some(*cid),
            Self::Entry(entry) => entry.want(),
        }
    }

    pub(super) fn wants(&self, wants: &mut Vec<Cid>) {
        match self {
            Self::Entry(entry) => entry.wants(wants),
            other => wants.extend(other.want()),
        }
    }

    pub(super) fn wants_block(&self, block: &Cid) -> bool {
        match self {
            Self::Tlog { cid, .. } | Self::Entries { cid, .. } | Self::Previous { cid, .. } => cid == block,
            Self::Entry(entry) => entry.wants_block(block),
        }
    }
}

impl OpenEntry {
    pub(super) fn new(cid: Cid, fetched: Fetched) -> Self {
        let mut entry =
            Self { cid, manifest: None, log: Slot::Absent, files: Vec::new(), faults: Vec::new() };
        let manifest = match fetched {
            Fetched::Missing => Err(Fault::BlockMissing),
            Fetched::Block(bytes) if !cid.matches(&bytes) => Err(Fault::BlockCorrupt),
            Fetched::Block(bytes) => decode_manifest(&bytes)
                .map_err(|error| Fault::Malformed { what: "manifest", detail: error.to_string() }),
        };
        match manifest {
            Ok(manifest) => {
                entry.log = Slot::Wanted(manifest.log);
                entry.files = manifest.files.iter().map(|file| FileSlot::Wanted(file.cid)).collect();
                entry.manifest = Some(manifest);
            }
            Err(fault) => entry.faults.push((Some(cid), fault)),
        }
        entry
    }

    pub(super) fn want(&self) -> Option<Cid> {
        match &self.log {
            Slot::Wanted(cid) => Some(*cid),
            _ => self.files.iter().find_map(FileSlot::want),
        }
    }

    pub(super) fn wants(&self, wants: &mut Vec<Cid>) {
        if let Slot::Wanted(cid) = &self.log {
            wants.push(*cid);
        }
        wants.extend(self.files.iter().filter_map(FileSlot::want));
    }

    pub(super) fn wants_block(&self, cid: &Cid) -> bool {
        matches!(&self.log, Slot::Wanted(log) if log == cid)
            || self.files.iter().any(|file| file.want().as_ref() == Some(cid))
    }

    pub(super) fn is_complete(&self) -> bool {
        !matches!(self.log, Slot::Wanted(_))
            && self.files.iter().all(|file| matches!(file, FileSlot::Done(_)))
    }

    pub(super) fn feed(&mut self, cid: &Cid, fetched: Fetched) {
        if matches!(&self.log, Slot::Wanted(log) if log == cid) {
            self.log = match fetched {
                Fetched::Block(bytes) => Slot::Have(bytes),
                Fetched::Missing => {
                    self.faults.push((Some(*cid), Fault::BlockMissing));
                    Slot::Absent
                }
            };
            return;
        }
        let files = self.manifest.iter().flat_map(|manifest| &manifest.files);
        let wanted = self.files.iter_mut().zip(files).find(|(slot, _)| slot.want().as_ref() == Some(cid));
        let Some((slot, file)) = wanted else { return };
        let old = std::mem::replace(slot, FileSlot::Done(FileBytes::Absent));
        match old.feed(cid, fetched, file.size) {
            Ok(next) => *slot = next,
            Err(fault) => self.faults.push((Some(*cid), fault)),
        }
    }

    pub(super) fn into_check(self, index: u64, keys: Arc<KnownKeys>) -> EntryCheck {
        let files = self.files.into_iter().map(|file| match file {
            FileSlot::Done(bytes) => bytes,
            _ => FileBytes::Absent,
        });
        let log = match self.log {
            Slot::Have(bytes) => Some(bytes),
            _ => None,
        };
        EntryCheck {
            index,
            cid: self.cid,
            manifest: self.manifest,
            log,
            files: files.collect(),
            keys,
            faults: self.faults,
        }
    }
}

impl FileSlot {
    pub(super) fn want(&self) -> Option<Cid> {
        match self {
            Self::Wanted(cid) => Some(*cid),
            Self::Walk { pending, .. } => pending.last().copied(),
            Self::Done(_) => None,
        }
    }

    /// Takes the block that was wanted: the whole file, a node or the next chunk.
    fn feed(self, cid: &Cid, fetched: Fetched, size: u64) -> Result<Self, Fault> {
        let Fetched::Block(bytes) = fetched else { return Err(Fault::BlockMissing) };
        let (mut pending, mut check, limit) = match self {
            Self::Wanted(_) if cid.codec() == Codec::Raw => return Ok(Self::Done(FileBytes::Block(bytes))),
            Self::Wanted(_) => (vec![*cid], Box::default(), size.min(FILE_LIMIT)),
            Self::Walk { pending, check, limit } => (pending, check, limit),
            done @ Self::Done(_) => return Ok(done),
        };
        if !cid.matches(&bytes) {
            return Err(Fault::BlockCorrupt);
        }
        pending.pop();
        let malformed = |detail: String| Fault::Malformed { what: "file", detail };
        match cid.codec() {
            Codec::Raw => check.push(&bytes),
            Codec::DagPb => {
                let children = decode_file_node(&bytes).map_err(|error| malformed(error.to_string()))?;
                pending.extend(children.into_iter().rev());
                // Chunks hold a mebibyte; more nodes than that asks for are no file of this profile.
                if pending.len() > 16 * 1024 {
                    return Err(malformed("its tree is deeper than its profile makes".to_owned()));
                }
            }
            Codec::DagCbor => return Err(malformed("a file is raw or dag-pb".to_owned())),
        }
        if check.size() > limit {
            return Err(malformed(format!(
                "it goes on after its {size} bytes, or has more than {FILE_LIMIT}"
            )));
        }
        if pending.is_empty() {
            let size = check.size();
            let (digests, layout) = check.finish();
            return Ok(Self::Done(FileBytes::Walked { digests, size, layout }));
        }
        Ok(Self::Walk { pending, check, limit })
    }
}
