//! The growing archive of one chain on disk.
//!
//! `<name>.car` is the archive. Beside it: `<name>.head`, the CID of the newest head, which a power failure may
//! set back; `<name>.index`, hints that can be made again at any time; `<name>.lock`, held by the one writer.

mod error;
mod files;
mod lock;
mod lookup;
mod table;
mod tail;
mod writer;

use std::{
    fs::{File, hard_link, rename},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::OnceLock,
    time::Duration,
};

pub use self::{
    error::ArchiveError,
    tail::{HeadFile, Torn},
    writer::Rewritten,
};
use self::{
    error::failed,
    files::{Files, Named},
    lock::Lock,
    lookup::{Lookup, Search},
    table::Table,
    tail::Hashed,
    writer::Writer,
};
use super::{
    car_writer::{CarWriter, Existing},
    durable,
    frames::Frames,
    reader::{CarReader, ReadError},
};
use crate::{
    codec::{car::BLOCK_LIMIT, dag_cbor::decode_head},
    model::{ChainName, Cid, Codec},
};

/// What the name of a damaged archive ends with when another took its place.
const DAMAGED: &str = ".damaged";

/// A block and its name.
pub type Block = (Cid, Vec<u8>);

/// One chain's archive.
///
/// Any number of readers, in any process, and one writer. A reader sees the archive as it was when it was opened,
/// and changes nothing on disk. What [`Self::append`] returned from survives a crash, and a crash at any moment
/// leaves an archive that opens with the head before or after the append. Blocks that are handed out were hashed.
pub struct Archive {
    files: Files,
    lookup: Lookup,
    writer: Option<Writer>,
    head: Cid,
    head_file: HeadFile,
    torn: Option<Torn>,
    opened: Opened,
}

/// What the files were when they were opened.
struct Opened {
    named: Named,
    length: u64,
}

impl Archive {
    /// Makes a new archive and opens it for writing. Either all of it is there afterwards or nothing.
    ///
    /// # Errors
    /// [`ArchiveError`]; `Exists` when there is one already.
    pub fn create(
        directory: &Path,
        name: &ChainName,
        root: Cid,
        blocks: &[Block],
        head: Cid,
    ) -> Result<Self, ArchiveError> {
        require_head(blocks.iter().find(|(cid, _)| *cid == head).map(|(_, bytes)| &bytes[..]), &head)?;
        let blocks = head_last(blocks, head).map(|block| Ok(block.clone()));
        Self::create_from(directory, name, root, head, blocks)
    }

    /// [`Self::create`] from blocks that come one at a time, the head last.
    ///
    /// # Errors
    /// [`ArchiveError`], and those of `blocks`.
    pub fn create_from<E: From<ArchiveError>>(
        directory: &Path,
        name: &ChainName,
        root: Cid,
        head: Cid,
        blocks: impl Iterator<Item = Result<Block, E>>,
    ) -> Result<Self, E> {
        let files = Files::new(directory, name);
        durable::create_directory(directory).map_err(failed("create", directory))?;
        let lock = files.lock(Duration::ZERO)?;
        if files.car.symlink_metadata().is_ok() {
            return Err(ArchiveError::Exists { path: files.car }.into());
        }
        durable::remove(&files.index).map_err(failed("remove", &files.index))?;
        let car = fill(&files, root, head, blocks, Existing::Keep)?;
        // First the head file: without its archive it means nothing.
        files.write_head(&head)?;
        car.finish().map_err(ArchiveError::from)?;
        Ok(Self::load(files, Some(lock))?)
    }

    /// [`Self::create_from`] in place of an archive that is damaged, which is kept as `<name>.car.damaged`. Waits up to
    /// `wait` for another writer.
    ///
    /// # Errors
    /// [`ArchiveError`], and those of `blocks`; what was there is there then, under one of both names.
    pub fn replace_from<E: From<ArchiveError>>(
        directory: &Path,
        name: &ChainName,
        root: Cid,
        head: Cid,
        blocks: impl Iterator<Item = Result<Block, E>>,
        wait: Duration,
    ) -> Result<Self, E> {
        let files = Files::new(directory, name);
        let lock = files.lock(wait)?;
        let car = fill(&files, root, head, blocks, Existing::Replace)?;
        let kept = durable::free_name(&files.car, DAMAGED);
        // Not every file system has links.
        if hard_link(&files.car, &kept).is_err() {
            rename(&files.car, &kept).map_err(failed("rename", &files.car))?;
        }
        durable::remove(&files.index).map_err(failed("remove", &files.index))?;
        files.write_head(&head)?;
        car.finish().map_err(ArchiveError::from)?;
        Ok(Self::load(files, Some(lock))?)
    }

    /// Whether an archive can be written here: the file system is asked, not the archive.
    ///
    /// # Errors
    /// [`ArchiveError::Io`].
    pub fn probe(directory: &Path, name: &ChainName) -> Result<(), ArchiveError> {
        let files = Files::new(directory, name);
        durable::probe(&files.head).map_err(failed("write", directory))
    }

    /// Opens an archive for reading. Takes no lock and changes nothing; what a crash has torn is passed over.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn open_read(directory: &Path, name: &ChainName) -> Result<Self, ArchiveError> {
        let files = Files::new(directory, name);
        loop {
            let archive = Self::load(files.clone(), None)?;
            match archive.head_file {
                // A writer overwrote the head file while it was read: what was seen are parts of two names.
                HeadFile::Unknown(seen) if files.read_head()? != Named::Head(seen) => {}
                _ => return Ok(archive),
            }
        }
    }

    /// Opens an archive for writing: waits up to `wait` for another writer, cuts what a crash has torn, and brings
    /// head file and index up to date.
    ///
    /// # Errors
    /// [`ArchiveError`]; `InUse` when another writer keeps it, `Damaged` when more is damaged than a crash can
    /// explain: then nothing is changed.
    pub fn open_write(directory: &Path, name: &ChainName, wait: Duration) -> Result<Self, ArchiveError> {
        let files = Files::new(directory, name);
        if !files.car.is_file() {
            return Err(ArchiveError::NotFound { path: files.car });
        }
        let lock = files.lock(wait)?;
        Self::load(files, Some(lock))
    }

    /// The CID of manifest 0.
    #[must_use]
    pub const fn root(&self) -> Cid {
        self.lookup.root
    }

    /// The CID of the newest head.
    #[must_use]
    pub const fn head(&self) -> Cid {
        self.head
    }

    /// What the head file said when the archive was opened.
    #[must_use]
    pub const fn head_file(&self) -> HeadFile {
        self.head_file
    }

    /// What followed the last whole block when the archive was opened; a writer has cut it.
    #[must_use]
    pub const fn torn(&self) -> Option<Torn> {
        self.torn
    }

    /// Bytes of the CAR file up to the end of the last whole block.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.lookup.end
    }

    /// The CAR file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.files.car
    }

    /// The folder that it is in.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.files.car.parent().unwrap_or(Path::new("."))
    }

    /// Whether a reader that opens the archive now sees what this one does. Reads a small file, and no block.
    ///
    /// # Errors
    /// [`ArchiveError::Io`].
    pub fn is_current(&self) -> Result<bool, ArchiveError> {
        let path = &self.files.car;
        let (mine, now) = (self.lookup.car.metadata(), path.metadata());
        let (mine, now) = (mine.map_err(failed("read", path))?, now.map_err(failed("read", path))?);
        let same_file = (mine.dev(), mine.ino()) == (now.dev(), now.ino());
        Ok(same_file && now.len() == self.opened.length && self.files.read_head()? == self.opened.named)
    }

    /// The archive's blocks in file order, and by CID in about that order.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn blocks(&self) -> Result<CarReader, ReadError> {
        let path = &self.files.car;
        let frames = self.lookup.frames().map_err(|source| ReadError::Io { path: path.clone(), source })?;
        CarReader::new(path.clone(), frames)
    }

    /// Whether the archive has a block of this name, whose bytes are not looked at.
    ///
    /// # Errors
    /// [`ArchiveError::Io`].
    pub fn contains(&self, cid: &Cid) -> Result<bool, ArchiveError> {
        let found = self.lookup.find(cid, Search::Certain);
        Ok(!found.map_err(failed("read", &self.files.car))?.is_empty())
    }

    /// How many bytes a block has, which are not looked at; none for one that is not there.
    #[must_use]
    pub fn size(&self, cid: &Cid) -> usize {
        let found = self.lookup.find(cid, Search::Hints).unwrap_or_default();
        found.first().map_or(0, |located| located.frame.length)
    }

    /// The bytes of a block, hashed.
    ///
    /// # Errors
    /// [`ArchiveError::Corrupt`] when frames have this CID but none has its bytes; [`ArchiveError::Io`].
    pub fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, ArchiveError> {
        let found = self.lookup.find(cid, Search::Certain).map_err(failed("read", &self.files.car))?;
        for located in &found {
            let bytes = self.lookup.read(located).map_err(failed("read", &self.files.car))?;
            if cid.matches(&bytes) {
                return Ok(Some(bytes));
            }
        }
        let Some(first) = found.first() else { return Ok(None) };
        Err(ArchiveError::Corrupt { path: self.files.car.clone(), cid: *cid, offset: first.offset })
    }

    fn load(files: Files, lock: Option<Lock>) -> Result<Self, ArchiveError> {
        // The head before the archive: then its block is in what is seen of the archive.
        let named = files.read_head()?;
        let writes = lock.is_some();
        let car = File::options().read(true).write(writes).open(&files.car).map_err(|error| {
            match error.kind() {
                io::ErrorKind::NotFound => ArchiveError::NotFound { path: files.car.clone() },
                _ => failed("open", &files.car)(error),
            }
        })?;
        let reading = |error| failed("read", &files.car)(error);
        let length = car.metadata().map_err(reading)?.len();
        let mut frames = Frames::new(car.try_clone().map_err(reading)?, length);
        let header = frames.header().map_err(reading)?;
        let (root, first) =
            header.map_err(|source| ArchiveError::NotCar { path: files.car.clone(), source })?;
        let table = Table::open(&files.index, &root, &mut frames, writes);
        let hashed = if writes { Hashed::All } else { Hashed::AfterHead };
        let tail = tail::read(&mut frames, first, table.as_ref(), named, hashed).map_err(reading)?;
        let damaged = |offset| ArchiveError::Damaged { path: files.car.clone(), offset };
        let head = match (tail.head, tail.damaged, tail.torn) {
            (_, Some(offset), _) if writes => return Err(damaged(offset)),
            (Some(head), ..) => head,
            (None, _, Some(torn)) => return Err(damaged(torn.offset)),
            (None, _, None) => return Err(ArchiveError::NoHead { path: files.car }),
        };
        let writer = lock.map(|lock| Writer::new(lock, &car)).transpose().map_err(reading)?;
        let lookup = Lookup {
            car,
            root,
            first,
            end: tail.end,
            last: tail.last.or_else(|| table.as_ref().map(Table::last)),
            table,
            tail: tail.map,
            scanned: OnceLock::new(),
        };
        let opened = Opened { named, length };
        let (head_file, torn) = (tail.head_file, tail.torn);
        let mut archive = Self { files, lookup, writer, head, head_file, torn, opened };
        if writes {
            archive.recover()?;
        }
        Ok(archive)
    }
}

/// Writes all blocks into a file that has no name yet.
fn fill<E: From<ArchiveError>>(
    files: &Files,
    root: Cid,
    head: Cid,
    blocks: impl Iterator<Item = Result<Block, E>>,
    existing: Existing,
) -> Result<CarWriter, E> {
    let mut car = CarWriter::create(&files.car, &root, existing).map_err(ArchiveError::from)?;
    let (mut last, mut has_root) = (None, false);
    for block in blocks {
        let (cid, bytes) = block?;
        inspect(&cid, &bytes)?;
        if cid == head {
            require_head(Some(&bytes), &head)?;
        }
        car.put(&cid, &bytes).map_err(ArchiveError::from)?;
        has_root |= cid == root;
        last = Some(cid);
    }
    for (cid, present) in [(root, has_root), (head, last == Some(head))] {
        if !present {
            return Err(ArchiveError::Missing { path: files.car.clone(), cid }.into());
        }
    }
    Ok(car)
}

/// Refuses a block that no reader would take.
fn inspect(cid: &Cid, bytes: &[u8]) -> Result<(), ArchiveError> {
    if bytes.len() > BLOCK_LIMIT {
        return Err(ArchiveError::TooLarge { cid: *cid, size: bytes.len() });
    }
    if cid.matches(bytes) { Ok(()) } else { Err(ArchiveError::Mismatch { cid: *cid }) }
}

fn require_head(bytes: Option<&[u8]>, head: &Cid) -> Result<(), ArchiveError> {
    let sound = head.codec() == Codec::DagCbor && bytes.is_some_and(|bytes| decode_head(bytes).is_ok());
    if sound { Ok(()) } else { Err(ArchiveError::NotAHead { cid: *head }) }
}

fn head_last(blocks: &[Block], head: Cid) -> impl Iterator<Item = &Block> {
    let others = blocks.iter().filter(move |(cid, _)| *cid != head);
    others.chain(blocks.iter().find(|(cid, _)| *cid == head))
}

#[cfg(test)]
mod tests;
