//! Where the blocks of a chain are: an archive, or a CARv1 file that someone handed over.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::chain::{Entry, ReadBlock, read_entry, read_file, read_manifest};
use super::sealed::{Plain, SealedPlace, open_sealed, read_plain};
use super::verify::{verify_archive, verify_car};
use super::{ChainReader, OpsError, Progress};
use crate::chain::{Options, Report};
use crate::codec::dag_cbor::decode_head;
use crate::codec::sealed::ContentKeys;
use crate::model::{Cid, FileEntry};
use crate::store::CarReader;

/// A chain up to one of its heads or manifests, wherever its blocks are.
pub struct Source {
    blocks: Blocks,
    /// What opens sealed files.
    keys: Option<Box<dyn ContentKeys>>,
    /// Manifests of which a file was opened to be run.
    opened: BTreeSet<Cid>,
}

enum Blocks {
    Archive { reader: Box<ChainReader>, root: Cid },
    File { path: PathBuf, reader: Box<CarReader> },
}

impl Source {
    /// The chain in a CARv1 file.
    ///
    /// # Errors
    /// [`OpsError::Read`] when it is none.
    pub fn file(path: &Path) -> Result<Self, OpsError> {
        let blocks = Blocks::File { path: path.to_owned(), reader: Box::new(CarReader::open(path)?) };
        Ok(Self { blocks, keys: None, opened: BTreeSet::new() })
    }

    /// The chain up to `root` in an archive.
    #[must_use]
    pub fn archive(reader: ChainReader, root: Cid) -> Self {
        let blocks = Blocks::Archive { reader: Box::new(reader), root };
        Self { blocks, keys: None, opened: BTreeSet::new() }
    }

    /// Opens sealed files with these keys from here on.
    pub fn use_keys(&mut self, keys: Box<dyn ContentKeys>) {
        self.keys = Some(keys);
    }

    /// Whether sealed files can be opened.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Opens the sealed files that a report names, and says in it what came of them.
    ///
    /// # Errors
    /// When a block is malformed.
    pub fn open_sealed(&mut self, report: &mut Report) -> Result<(), OpsError> {
        let Some(keys) = self.keys.take() else { return Ok(()) };
        let result = report.open_sealed(&*keys, &mut |cid| match self.bytes(cid) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(OpsError::BlockMissing { .. }) => Ok(None),
            Err(error) => Err(error),
        });
        self.keys = Some(keys);
        result
    }

    /// A sealed file as it was before; `None` where there is no key for it.
    ///
    /// # Errors
    /// As [`Source::plain`].
    pub fn opened(&mut self, cid: &Cid, place: &SealedPlace) -> Result<Option<Plain>, OpsError> {
        let keys = self.keys.take();
        let plain = open_sealed(cid, place, keys.as_deref(), &mut self.reads());
        self.keys = keys;
        plain
    }

    /// A file of an entry as it was before it was sealed; `None` where there is no key for it.
    ///
    /// # Errors
    /// When a block is missing or malformed, or the file is not what was sealed.
    pub fn plain(&mut self, entry: &Entry, file: &FileEntry) -> Result<Option<Plain>, OpsError> {
        let keys = self.keys.take();
        let plain = read_plain(entry, file, keys.as_deref(), &mut self.reads());
        self.keys = keys;
        if file.sealed && matches!(plain, Ok(Some(_))) {
            self.opened.insert(entry.cid);
        }
        plain
    }

    /// Manifests of which [`Source::plain`] opened a sealed file.
    #[must_use]
    pub fn opened_entries(&self) -> Vec<Cid> {
        self.opened.iter().copied().collect()
    }

    /// Verifies the chain.
    ///
    /// # Errors
    /// As [`verify_car`] and [`verify_archive`].
    pub fn verify(
        &self,
        options: Options,
        threads: usize,
        progress: &mut Progress<'_>,
    ) -> Result<Report, OpsError> {
        match &self.blocks {
            Blocks::Archive { reader, root } => verify_archive(reader, *root, options, threads, progress),
            Blocks::File { path, .. } => verify_car(path, options, threads, progress),
        }
    }

    /// A block, whose bytes hash to its CID.
    pub(super) fn block(&mut self, what: &'static str, cid: &Cid) -> Result<Vec<u8>, OpsError> {
        match &mut self.blocks {
            Blocks::Archive { reader, .. } => reader.block(what, cid),
            Blocks::File { reader, .. } => {
                let found = reader.get_verified(cid)?.map(<[u8]>::to_vec);
                found.ok_or(OpsError::BlockMissing { what, cid: *cid })
            }
        }
    }

    /// The manifests from entry 0 to the one that `root`, a head or a manifest, names.
    ///
    /// # Errors
    /// When a block is missing or malformed.
    pub fn manifests(&mut self, root: Cid) -> Result<Vec<Cid>, OpsError> {
        let newest = match decode_head(&self.block("head", &root)?) {
            Ok(head) => head.manifest,
            Err(_) => root,
        };
        let mut manifests = Vec::new();
        let mut next = Some(newest);
        while let Some(cid) = next {
            manifests.push(cid);
            next = read_manifest(&cid, &mut self.reads())?.prev;
        }
        manifests.reverse();
        Ok(manifests)
    }

    /// Manifest and log of an entry.
    ///
    /// # Errors
    /// When a block is missing or malformed.
    pub fn entry(&mut self, cid: &Cid) -> Result<Entry, OpsError> {
        read_entry(cid, &mut self.reads())
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// When a block is missing or malformed.
    pub fn bytes(&mut self, cid: &Cid) -> Result<Vec<u8>, OpsError> {
        read_file(cid, &mut self.reads())
    }

    pub(super) fn reads(&mut self) -> Box<ReadBlock<'_>> {
        Box::new(|what, cid| self.block(what, cid))
    }
}
