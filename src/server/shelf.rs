//! The archives that are served, opened again when they have grown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::ServeError;
use crate::model::{ChainName, Cid};
use crate::ops::access::access_name;
use crate::store::{Archive, ArchiveError, HeadFile, read_record};

/// How long what was seen of the folder counts as what is there; after compaction nothing is given any longer that
/// the archive has no more.
const FRESH: Duration = Duration::from_millis(100);
/// The same for who finds nothing, which may have come since.
const FRESH_ENOUGH: Duration = Duration::from_millis(5);

/// A block and the archive that has it.
pub struct Found {
    pub archive: Arc<Archive>,
    pub bytes: Vec<u8>,
}

/// Open archives by name. Any number of threads read; all of it may block.
pub struct Shelf {
    directory: PathBuf,
    all: bool,
    open: RwLock<BTreeMap<ChainName, Arc<Archive>>>,
    /// When the folder was last looked at.
    looked: Mutex<Option<Instant>>,
}

impl Shelf {
    /// Opens the archive of `chain` in a folder; with `all` the others that are there, also those that come later.
    ///
    /// # Errors
    /// [`ServeError`], also when there is none.
    pub fn open(directory: &Path, chain: Option<&ChainName>, all: bool) -> Result<Self, ServeError> {
        let directory = directory.to_owned();
        let mut open = BTreeMap::new();
        if let Some(name) = chain {
            let archive = Archive::open_read(&directory, name)?;
            if matches!(archive.head_file(), HeadFile::Unknown(_)) {
                return Err(ServeError::EndLost { path: archive.path().to_owned() });
            }
            open.insert(name.clone(), Arc::new(archive));
        }
        let shelf = Self { directory, all, open: RwLock::new(open), looked: Mutex::new(None) };
        shelf.refresh(Duration::ZERO);
        if shelf.archives().is_empty() {
            return Err(ServeError::NoArchive { directory: shelf.directory });
        }
        Ok(shelf)
    }

    /// The archives as they were last opened.
    pub fn archives(&self) -> Vec<(ChainName, Arc<Archive>)> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.iter().map(|(name, archive)| (name.clone(), Arc::clone(archive))).collect()
    }

    /// The archive of a chain with its newest head.
    pub fn newest(&self, name: &ChainName) -> Option<Arc<Archive>> {
        self.refresh(FRESH_ENOUGH);
        self.open.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// A block's bytes, hashed, from the first archive that has them.
    ///
    /// # Errors
    /// [`ArchiveError`], when no archive has it and one of them could not tell.
    pub fn get(&self, cid: &Cid) -> Result<Option<Found>, ArchiveError> {
        self.search(|archive| {
            let bytes = archive.get(cid)?;
            Ok(bytes.map(|bytes| Found { archive: Arc::clone(archive), bytes }))
        })
    }

    /// Whether an archive has a block of this name.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn contains(&self, cid: &Cid) -> Result<bool, ArchiveError> {
        Ok(self.search(|archive| Ok(archive.contains(cid)?.then_some(())))?.is_some())
    }

    fn search<T>(
        &self,
        look: impl Fn(&Arc<Archive>) -> Result<Option<T>, ArchiveError>,
    ) -> Result<Option<T>, ArchiveError> {
        self.refresh(FRESH);
        let found = self.first(&look)?;
        if found.is_some() || !self.refresh(FRESH_ENOUGH) {
            return Ok(found);
        }
        self.first(&look)
    }

    fn first<T>(
        &self,
        look: impl Fn(&Arc<Archive>) -> Result<Option<T>, ArchiveError>,
    ) -> Result<Option<T>, ArchiveError> {
        let mut failed = None;
        for (_, archive) in self.archives() {
            match look(&archive) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Opens anew what has changed on disk, unless that was looked at within `age`, and says whether anything had. An
    /// archive that cannot be opened, or that has lost its end, stays as it was.
    fn refresh(&self, age: Duration) -> bool {
        // Who comes while another looks goes on with what is open.
        let Ok(mut looked) = self.looked.try_lock() else { return false };
        if looked.is_some_and(|looked| looked.elapsed() < age) {
            return false;
        }
        let open = self.archives();
        let mut changed: Vec<(ChainName, Archive)> = Vec::new();
        for (name, archive) in &open {
            if !archive.is_current().unwrap_or(true) {
                changed.extend(self.reopen(name));
            }
        }
        for name in self.names().into_iter().filter(|name| !open.iter().any(|(known, _)| known == name)) {
            changed.extend(self.reopen(&name));
        }
        let any = !changed.is_empty();
        if any {
            let changed = changed.into_iter().map(|(name, archive)| (name, Arc::new(archive)));
            self.open.write().unwrap_or_else(PoisonError::into_inner).extend(changed);
        }
        *looked = Some(Instant::now());
        any
    }

    fn reopen(&self, name: &ChainName) -> Option<(ChainName, Archive)> {
        let archive = Archive::open_read(&self.directory, name).ok()?;
        (!matches!(archive.head_file(), HeadFile::Unknown(_))).then(|| (name.clone(), archive))
    }

    /// The names of all archives in the folder, where all are served. Access chains are not among them: who opened what, and why,
    /// is for holders of tokens.
    fn names(&self) -> Vec<ChainName> {
        if !self.all {
            return Vec::new();
        }
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        let names = files.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".car")?.parse().ok());
        let mut names: Vec<ChainName> = names.collect();
        let accesses: Vec<ChainName> = names.iter().filter_map(|name| access_name(name).ok()).collect();
        names.retain(|name| !accesses.contains(name));
        names
    }

    /// The bytes of the newest IPNS record of each chain that has one.
    pub fn records(&self) -> Vec<Vec<u8>> {
        let names = self.archives().into_iter().map(|(name, _)| name);
        names.filter_map(|name| read_record(&self.directory, &name).ok().flatten()).collect()
    }
}
