//! A chain in its archive: reading entries, and continuing it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::OpsError;
use super::error::BlockError;
use super::sealed::{self, Plain, SealedPlace};
use crate::chain::{Appender, Block};
use crate::codec::dag_cbor::{decode_entries_node, decode_head, decode_manifest};
use crate::codec::dsse::Envelope;
use crate::codec::note::Note;
use crate::codec::sealed::ContentKeys;
use crate::codec::statement::decode_statement;
use crate::codec::unixfs::decode_file_node;
use crate::crypto::Signer;
use crate::model::{ChainName, Cid, Codec, ENTRIES_WIDTH, EventId, FileEntry, Head, Manifest, Statement};
use crate::store::{Archive, ArchiveError, HeadFile, Rewritten, Torn};

/// A file that is put together in memory is no larger.
const FILE_LIMIT: u64 = 256 << 20;

/// Reads entries of an archive. Signatures are not checked here: that is verification's work.
pub struct ChainReader {
    archive: Archive,
}

/// One entry as it stands in the archive.
#[derive(Clone, Debug)]
pub struct Entry {
    pub cid: Cid,
    pub manifest: Manifest,
    pub statement: Statement,
    /// Keyids of the envelope, not verified.
    pub signed_by: Vec<crate::crypto::KeyId>,
}

impl ChainReader {
    /// Opens an archive to read; nothing is created.
    ///
    /// # Errors
    /// [`OpsError::Archive`].
    pub fn open(directory: &Path, name: &ChainName) -> Result<Self, OpsError> {
        Ok(Self { archive: Archive::open_read(directory, name)? })
    }

    /// Opens the archive in `directory` that has block `cid`, whatever its name.
    ///
    /// # Errors
    /// [`OpsError::NotInArchive`] when none has it.
    pub fn holding(directory: &Path, cid: &Cid) -> Result<Self, OpsError> {
        for name in archives(directory) {
            let reader = Self::open(directory, &name)?;
            if reader.archive.contains(cid)? {
                return Ok(reader);
            }
        }
        Err(OpsError::NotInArchive(cid.to_string()))
    }

    /// The archives in `directory` that can be opened.
    #[must_use]
    pub fn all(directory: &Path) -> Vec<Self> {
        Self::each(directory).into_iter().filter_map(Result::ok).collect()
    }

    /// The archives in `directory`, and why others cannot be opened.
    #[must_use]
    pub fn each(directory: &Path) -> Vec<Result<Self, OpsError>> {
        archives(directory).map(|name| Self::open(directory, &name)).collect()
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> Cid {
        self.archive.head()
    }

    /// Refuses an archive whose newest head is older than the one that was last written.
    ///
    /// # Errors
    /// [`OpsError::HeadLost`].
    pub fn require_end(&self) -> Result<(), OpsError> {
        match self.archive.head_file() {
            HeadFile::Unknown(named) => {
                Err(OpsError::HeadLost { path: self.archive.path().to_owned(), named, newest: self.head() })
            }
            _ => Ok(()),
        }
    }

    /// CID of manifest 0.
    #[must_use]
    pub fn root(&self) -> Cid {
        self.archive.root()
    }

    /// The archive itself.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// A block's bytes, which are the CID's.
    ///
    /// # Errors
    /// [`OpsError::BlockMissing`] when it is not there.
    pub fn block(&self, what: &'static str, cid: &Cid) -> Result<Vec<u8>, OpsError> {
        self.archive.get(cid)?.ok_or(OpsError::BlockMissing { what, cid: *cid })
    }

    /// A block's bytes, as the archive itself tells of it.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`] when it is not there.
    pub fn archived(&self, cid: &Cid) -> Result<Vec<u8>, ArchiveError> {
        let missing = || ArchiveError::Missing { path: self.archive.path().to_owned(), cid: *cid };
        self.archive.get(cid)?.ok_or_else(missing)
    }

    /// The head's own block.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn head_block(&self) -> Result<Head, OpsError> {
        let cid = self.head();
        decode_head(&self.block("head", &cid)?).map_err(|error| refuse("head", cid, error))
    }

    /// A manifest.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn manifest(&self, cid: &Cid) -> Result<Manifest, OpsError> {
        decode_manifest(&self.block("manifest", cid)?).map_err(|error| refuse("manifest", *cid, error))
    }

    /// The newest manifest.
    ///
    /// # Errors
    /// When head or manifest are missing or malformed.
    pub fn newest(&self) -> Result<(Cid, Manifest), OpsError> {
        let cid = self.head_block()?.manifest;
        Ok((cid, self.manifest(&cid)?))
    }

    /// The manifest of entry `seq`, found through the entries tree.
    ///
    /// # Errors
    /// [`OpsError::NoEntry`] when there is none.
    pub fn manifest_at(&self, seq: u64) -> Result<Cid, OpsError> {
        manifest_at(self.head(), seq, &mut |what, cid| self.block(what, cid))
    }

    /// Events that the archive has after the newest one that the history knows to be archived.
    ///
    /// # Errors
    /// [`OpsError::HistoryDiffers`] and [`OpsError::ArchiveBehind`] when archive and history are not of
    /// one database.
    pub fn events_since(&self, newest: Option<(u64, Cid)>) -> Result<HashMap<EventId, Entry>, OpsError> {
        let (mut cid, mut manifest) = self.newest()?;
        if let Some((seq, _)) = newest
            && seq > manifest.seq
        {
            return Err(OpsError::ArchiveBehind { history: seq + 1, archive: manifest.seq + 1 });
        }
        let mut events = HashMap::new();
        loop {
            match newest {
                Some((seq, history)) if manifest.seq == seq => {
                    if history != cid {
                        return Err(OpsError::HistoryDiffers { seq, history, archive: cid });
                    }
                    return Ok(events);
                }
                _ => {}
            }
            let Some(previous) = manifest.prev else { return Ok(events) };
            let entry = self.entry(&cid)?;
            events.insert(entry.statement.event.id, entry);
            cid = previous;
            manifest = self.manifest(&cid)?;
        }
    }

    /// Manifest and log of an entry.
    ///
    /// # Errors
    /// When a block is missing or malformed.
    pub fn entry(&self, cid: &Cid) -> Result<Entry, OpsError> {
        read_entry(cid, &mut |what, cid| self.block(what, cid))
    }

    /// Opens a sealed file; `None` where `keys` have none for it.
    ///
    /// # Errors
    /// When a block is missing or malformed, or the file is not what was sealed.
    pub fn open_sealed(
        &self,
        cid: &Cid,
        place: &SealedPlace,
        keys: Option<&dyn ContentKeys>,
    ) -> Result<Option<Plain>, OpsError> {
        sealed::open_sealed(cid, place, keys, &mut |what, cid| self.block(what, cid))
    }

    /// A file of an entry as it was before it was sealed; `None` where `keys` have none for it.
    ///
    /// # Errors
    /// As [`ChainReader::open_sealed`].
    pub fn plain(
        &self,
        entry: &Entry,
        file: &FileEntry,
        keys: Option<&dyn ContentKeys>,
    ) -> Result<Option<Plain>, OpsError> {
        sealed::read_plain(entry, file, keys, &mut |what, cid| self.block(what, cid))
    }

    /// The bytes of a file, put together when it has several blocks.
    ///
    /// # Errors
    /// When a block is missing or malformed, or the file larger than memory is used for.
    pub fn file(&self, cid: &Cid) -> Result<Vec<u8>, OpsError> {
        read_file(cid, &mut |what, cid| self.block(what, cid))
    }
}

fn archives(directory: &Path) -> impl Iterator<Item = ChainName> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().filter_map(|entry| {
        let path = entry.path();
        let is_car = path.extension().is_some_and(|extension| extension == "car");
        is_car.then(|| path.file_stem()?.to_str()?.parse().ok()).flatten()
    })
}

pub(super) fn refuse(what: &'static str, cid: Cid, error: impl Into<BlockError>) -> OpsError {
    OpsError::Block { what, cid, source: error.into() }
}

/// Reads a block, which is called something in errors.
pub type ReadBlock<'a> = dyn FnMut(&'static str, &Cid) -> Result<Vec<u8>, OpsError> + 'a;

/// A manifest.
///
/// # Errors
/// What `block` returns, and when it is malformed.
pub fn read_manifest(cid: &Cid, block: &mut ReadBlock<'_>) -> Result<Manifest, OpsError> {
    decode_manifest(&block("manifest", cid)?).map_err(|error| refuse("manifest", *cid, error))
}

/// Manifest and log of an entry.
///
/// # Errors
/// What `block` returns, and when a block is malformed.
pub fn read_entry(cid: &Cid, block: &mut ReadBlock<'_>) -> Result<Entry, OpsError> {
    let manifest = read_manifest(cid, block)?;
    let log = block("log", &manifest.log)?;
    let envelope = Envelope::decode(&log).map_err(|error| refuse("log", manifest.log, error))?;
    let statement =
        decode_statement(&envelope.payload).map_err(|error| refuse("log", manifest.log, error))?;
    let signed_by = envelope.signatures.iter().map(|(id, _)| *id).collect();
    Ok(Entry { cid: *cid, manifest, statement, signed_by })
}

/// The bytes of a file, put together when it has several blocks.
///
/// # Errors
/// What `block` returns, when a block is malformed, or the file larger than memory is used for.
pub fn read_file(cid: &Cid, block: &mut ReadBlock<'_>) -> Result<Vec<u8>, OpsError> {
    let mut bytes = Vec::new();
    let mut pending = vec![*cid];
    while let Some(next) = pending.pop() {
        let found = block("file", &next)?;
        if next.codec() == Codec::Raw {
            bytes.extend(found);
        } else {
            let children = decode_file_node(&found).map_err(|error| refuse("file", *cid, error))?;
            pending.extend(children.into_iter().rev());
        }
        if bytes.len() as u64 > FILE_LIMIT || pending.len() as u64 > FILE_LIMIT / 1024 {
            return Err(refuse("file", *cid, BlockError::TooLarge(FILE_LIMIT)));
        }
    }
    Ok(bytes)
}

/// The manifest of entry `seq` below `head`; `block` reads a block.
///
/// # Errors
/// [`OpsError::NoEntry`] when there is none, and what `block` returns.
pub fn manifest_at(head: Cid, seq: u64, block: &mut ReadBlock<'_>) -> Result<Cid, OpsError> {
    let parts = decode_head(&block("head", &head)?).map_err(|error| refuse("head", head, error))?;
    let newest = decode_manifest(&block("manifest", &parts.manifest)?)
        .map_err(|error| refuse("manifest", parts.manifest, error))?
        .seq;
    if seq > newest {
        return Err(OpsError::NoEntry(seq, newest));
    }
    let width = ENTRIES_WIDTH as u64;
    let mut below = 1;
    while newest / below >= width {
        below *= width;
    }
    let mut node = parts.entries;
    loop {
        let links = decode_entries_node(&block("entries node", &node)?)
            .map_err(|error| refuse("entries node", node, error))?;
        let index = (seq / below % width) as usize;
        node = *links.get(index).ok_or(OpsError::NoEntry(seq, newest))?;
        if below == 1 {
            return Ok(node);
        }
        below /= width;
    }
}

/// A chain that is open to be continued; its archive is locked.
pub struct OpenChain {
    pub reader: ChainReader,
    pub appender: Appender,
}

impl OpenChain {
    /// Opens an archive to write. `known`: an entry's number and the manifest of the trust document in force
    /// there, which saves walking back to the newest `trust` event.
    ///
    /// # Errors
    /// [`OpsError::Archive`] when it is missing, locked or damaged; [`OpsError::Restore`] when its head
    /// cannot be continued.
    pub fn open(
        directory: &Path,
        name: &ChainName,
        wait: Duration,
        known: Option<(u64, Cid)>,
    ) -> Result<Self, OpsError> {
        let archive = Archive::open_write(directory, name, wait)?;
        let reader = ChainReader { archive };
        // Going on from an older head would make a second version of entries that were published.
        reader.require_end()?;
        let appender =
            Appender::restore(&reader.head(), known, &mut |cid| reader.archive.get(cid).map_err(Box::new))?;
        Ok(Self { reader, appender })
    }

    /// What was cut off the archive when it was opened.
    #[must_use]
    pub fn torn(&self) -> Option<Torn> {
        self.reader.archive.torn()
    }

    /// Signs a checkpoint and writes `blocks` with the new head.
    ///
    /// # Errors
    /// As the appender and the archive have them.
    pub fn store(&mut self, mut blocks: Vec<Block>, key: &dyn Signer) -> Result<Cid, OpsError> {
        let head = self.appender.finish(key, &mut |block| blocks.push(block))?;
        self.reader.archive.append(&blocks, head)?;
        Ok(head)
    }

    /// Opens an archive to write to whoever appends no event: the trust document in force, which says who may sign, is
    /// not looked for. The one of manifest 0 stands in for it.
    ///
    /// # Errors
    /// As [`OpenChain::open`].
    pub fn open_unsigned(directory: &Path, name: &ChainName, wait: Duration) -> Result<Self, OpsError> {
        let root = ChainReader::open(directory, name)?.root();
        Self::open(directory, name, wait, Some((u64::MAX, root)))
    }

    /// Replaces the head by one of the same entries with another note around the same checkpoint, and other timestamps.
    ///
    /// # Errors
    /// As the appender and the archive have them.
    pub fn replace_head(&mut self, checkpoint: &Note, timestamps: Vec<Vec<u8>>) -> Result<Cid, OpsError> {
        let mut blocks: Vec<Block> = Vec::new();
        let head = self.appender.head(checkpoint, timestamps, &mut |block| blocks.push(block))?;
        self.reader.archive.append(&blocks, head)?;
        Ok(head)
    }

    /// Rewrites the archive with these blocks alone, in this order, the head last.
    ///
    /// # Errors
    /// [`OpsError::Archive`]; the archive is unchanged then.
    pub fn rewrite(&mut self, order: impl Iterator<Item = Cid>) -> Result<Rewritten, OpsError> {
        Ok(self.reader.archive.rewrite(order)?)
    }
}
