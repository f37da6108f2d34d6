//! Which blocks are still wanted, and entries whose blocks come in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::entry::{EntryCheck, FileBytes, KnownKeys};
use super::finding::Fault;
use super::judged_hooks::is_of_hooks;
use super::judged_policy::is_of_policy;
use super::planned::is_of_plan;
use crate::codec::dag_cbor::decode_manifest;
use crate::codec::unixfs::{FileCheck, decode_file_node};
use crate::model::{Cid, Codec, FileDigests, FileEntry, Manifest, Role};

/// A file larger than this is not read: its node could name one chunk a billion times.
const FILE_LIMIT: u64 = 1 << 30;

/// Bytes of files that an entry keeps until it is checked; past them a file is hashed as it comes and dropped.
const HELD_LIMIT: usize = 64 << 10;
/// What a writer may put into an entry so that its policy hooks can be asked again, and as much for policy packs.
pub(super) const EVIDENCE_LIMIT: usize = 1 << 20;
/// A file may repeat its chunks so often, once it is longer than [`REPEATED_LIMIT`].
const REPEATS: u64 = 8;
const REPEATED_LIMIT: u64 = 8 << 20;

/// Files of several blocks that were read already, by their root: no file is read twice.
pub(super) type Walked = HashMap<Cid, (FileDigests, u64, Cid)>;

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
    /// Bytes of files that are kept.
    held: usize,
    faults: Vec<(Option<Cid>, Fault)>,
}

enum Slot {
    Wanted(Cid),
    Have(Vec<u8>),
    Absent,
}

enum FileSlot {
    Wanted(Cid),
    Walk(Box<FileWalk>),
    Done(FileBytes),
}

/// A file of several blocks whose chunks pass by in order.
struct FileWalk {
    /// What is still to come, the next one last.
    pending: Vec<Cid>,
    check: FileCheck,
    limit: u64,
    /// Chunks so far, each once, and their bytes.
    chunks: HashSet<Cid>,
    chunk_bytes: u64,
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
    pub(super) fn new(cid: Cid, fetched: Fetched, walked: &Walked) -> Self {
        let mut entry =
            Self { cid, manifest: None, log: Slot::Absent, files: Vec::new(), held: 0, faults: Vec::new() };
        let manifest = match fetched {
            Fetched::Missing => Err(Fault::BlockMissing),
            Fetched::Block(bytes) if !cid.matches(&bytes) => Err(Fault::BlockCorrupt),
            Fetched::Block(_) if cid.codec() != Codec::DagCbor => {
                Err(Fault::Malformed { what: "manifest", detail: "its CID is not dag-cbor".to_owned() })
            }
            Fetched::Block(bytes) => decode_manifest(&bytes)
                .map_err(|error| Fault::Malformed { what: "manifest", detail: error.to_string() }),
        };
        match manifest {
            Ok(manifest) => {
                entry.log = Slot::Wanted(manifest.log);
                entry.files = manifest.files.iter().map(|file| FileSlot::of(file, walked)).collect();
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
        let Some(manifest) = &self.manifest else { return };
        let wanted = self.files.iter().position(|slot| slot.want().as_ref() == Some(cid));
        let Some((index, file)) = wanted.and_then(|index| Some((index, manifest.files.get(index)?))) else {
            return;
        };
        let again = manifest.files.iter().filter(|other| other.cid == file.cid).count() > 1;
        let size = if let Fetched::Block(bytes) = &fetched { bytes.len() } else { 0 };
        // A trust document is read, so its bytes are kept, and so are plans, approvals, and what hooks and packs were asked;
        // others only as far as they are few.
        let is_read = is_of_hooks(file) || is_of_policy(file) || is_of_plan(file);
        let limit = if is_read { 4 * EVIDENCE_LIMIT } else { HELD_LIMIT };
        let keep = file.role == Role::Trust || (!again && self.held + size <= limit);
        let old = std::mem::replace(&mut self.files[index], FileSlot::Done(FileBytes::Absent));
        match old.feed(cid, fetched, file.size, keep) {
            Ok(next) => {
                if let FileSlot::Done(FileBytes::Block(bytes)) = &next {
                    self.held += bytes.len();
                }
                self.files[index] = next;
            }
            Err(fault) => self.faults.push((Some(*cid), fault)),
        }
        if again {
            self.share(index);
        }
    }

    /// Gives what came of a file to the other names that the manifest has for it.
    fn share(&mut self, index: usize) {
        let Some(manifest) = &self.manifest else { return };
        let cid = manifest.files[index].cid;
        let done = match &self.files[index] {
            FileSlot::Done(FileBytes::Walked { digests, size, layout }) => {
                FileBytes::Walked { digests: digests.clone(), size: *size, layout: *layout }
            }
            FileSlot::Done(_) => FileBytes::Absent,
            _ => return,
        };
        for (slot, file) in self.files.iter_mut().zip(&manifest.files) {
            if matches!(slot, FileSlot::Wanted(wanted) if *wanted == cid) && file.role != Role::Trust {
                *slot = FileSlot::Done(done.clone());
            }
        }
    }

    /// Remembers the files of several blocks that were read.
    pub(super) fn remember(&self, walked: &mut Walked) {
        for (slot, file) in self.files.iter().zip(self.manifest.iter().flat_map(|manifest| &manifest.files)) {
            if let (FileSlot::Done(FileBytes::Walked { digests, size, layout }), Codec::DagPb) =
                (slot, file.cid.codec())
            {
                walked.insert(file.cid, (digests.clone(), *size, *layout));
            }
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
    fn of(file: &FileEntry, walked: &Walked) -> Self {
        match walked.get(&file.cid) {
            Some((digests, size, layout)) => {
                Self::Done(FileBytes::Walked { digests: digests.clone(), size: *size, layout: *layout })
            }
            None => Self::Wanted(file.cid),
        }
    }

    pub(super) fn want(&self) -> Option<Cid> {
        match self {
            Self::Wanted(cid) => Some(*cid),
            Self::Walk(walk) => walk.pending.last().copied(),
            Self::Done(_) => None,
        }
    }

    /// Takes the block that was wanted: the whole file, a node or the next chunk. `keep`: whether a file of
    /// one block is kept to be hashed with its entry.
    fn feed(self, cid: &Cid, fetched: Fetched, size: u64, keep: bool) -> Result<Self, Fault> {
        let Fetched::Block(bytes) = fetched else { return Err(Fault::BlockMissing) };
        let walk = match self {
            Self::Wanted(_) if keep && cid.codec() == Codec::Raw => {
                return Ok(Self::Done(FileBytes::Block(bytes)));
            }
            Self::Wanted(_) => Box::new(FileWalk::new(*cid, size)),
            Self::Walk(walk) => walk,
            done @ Self::Done(_) => return Ok(done),
        };
        if cid.matches(&bytes) { walk.feed(cid, &bytes, size) } else { Err(Fault::BlockCorrupt) }
    }
}

impl FileWalk {
    fn new(root: Cid, size: u64) -> Self {
        Self {
            pending: vec![root],
            check: FileCheck::default(),
            limit: size.min(FILE_LIMIT),
            chunks: HashSet::new(),
            chunk_bytes: 0,
        }
    }

    fn feed(mut self: Box<Self>, cid: &Cid, bytes: &[u8], size: u64) -> Result<FileSlot, Fault> {
        self.pending.pop();
        let malformed = |detail: String| Fault::Malformed { what: "file", detail };
        if cid.codec() == Codec::Raw {
            self.check.push(bytes);
            self.chunk_bytes += if self.chunks.insert(*cid) { bytes.len() as u64 } else { 0 };
        } else {
            let children = decode_file_node(bytes).map_err(|error| malformed(error.to_string()))?;
            self.pending.extend(children.into_iter().rev());
            // Chunks hold a mebibyte; more nodes than that asks for are no file of this profile.
            if self.pending.len() > 16 * 1024 || !self.chunks.insert(*cid) {
                return Err(malformed("its tree is not one that its profile makes".to_owned()));
            }
        }
        let read = self.check.size();
        if read > self.limit {
            return Err(malformed(format!(
                "it goes on after its {size} bytes, or has more than {FILE_LIMIT}"
            )));
        }
        if read > REPEATED_LIMIT && read > self.chunk_bytes.saturating_mul(REPEATS) {
            return Err(malformed("it repeats few chunks more often than is read".to_owned()));
        }
        if self.pending.is_empty() {
            let (digests, layout) = self.check.finish();
            return Ok(FileSlot::Done(FileBytes::Walked { digests, size: read, layout }));
        }
        Ok(FileSlot::Walk(self))
    }
}
