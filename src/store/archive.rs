//! The growing archive of one chain on disk.
//!
//! `<name>.car` is the archive. Beside it: `<name>.head`, the CID of the newest head; `<name>.index`, hints that
//! can be made again at any time; `<name>.lock`, held by the one writer.

use std::{
    cell::OnceCell,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    car_writer::{CarWriter, Existing, WriteError},
    durable,
    frame_map::FrameMap,
    frames::{At, Frames, Located},
    lock::Lock,
    reader::{CarReader, ReadError},
    table::{Coverage, Table, key},
    tail::{self, Hashed},
};
use crate::{
    codec::{
        car::{self, BLOCK_LIMIT, CarError, PREFIX_LENGTH},
        dag_cbor::decode_head,
    },
    model::{ChainName, Cid, Codec},
};

pub use super::tail::{HeadFile, Torn};

/// A block and its name.
pub type Block = (Cid, Vec<u8>);

/// Archives with fewer frames have no index.
const INDEXED_FROM: u64 = 1000;
/// So many frames, or bytes, may follow what the index covers.
const TAIL_FRAMES: usize = 256;
const TAIL_BYTES: u64 = 16 << 20;
/// One write is not larger.
const WRITE_LIMIT: usize = 64 << 20;

/// Why an archive could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("archive {} exists already", path.display())]
    Exists { path: PathBuf },
    #[error("there is no archive {}", path.display())]
    NotFound { path: PathBuf },
    #[error("archive {} is in use by another process", path.display())]
    InUse { path: PathBuf },
    #[error("archive {} was opened for reading only", path.display())]
    ReadOnly { path: PathBuf },
    #[error("{} is not a CAR file of this format", path.display())]
    NotCar { path: PathBuf, source: CarError },
    /// Cutting would lose more than what a crash can have left.
    #[error("archive {} is damaged at byte {offset}, in what was once complete", path.display())]
    Damaged { path: PathBuf, offset: u64 },
    #[error("block {cid} in archive {} at byte {offset} has other bytes than its CID names", path.display())]
    Corrupt { path: PathBuf, cid: Cid, offset: u64 },
    #[error("archive {} has no block {cid}", path.display())]
    Missing { path: PathBuf, cid: Cid },
    #[error("archive {} has no head", path.display())]
    NoHead { path: PathBuf },
    #[error("block {cid} is not a head")]
    NotAHead { cid: Cid },
    #[error("a block does not have the bytes that its CID {cid} names")]
    Mismatch { cid: Cid },
    #[error("block {cid} has {size} bytes, more than {BLOCK_LIMIT}")]
    TooLarge { cid: Cid, size: usize },
    /// Somebody else changed the head file.
    #[error("{} no longer names {expected}{}", path.display(), found.map(|cid| format!(" but {cid}")).unwrap_or_default())]
    HeadMoved { path: PathBuf, expected: Cid, found: Option<Cid> },
    /// What is on stable storage is not known any more; opening the archive again finds out.
    #[error("archive {} must be opened again after a write that failed", path.display())]
    Poisoned { path: PathBuf },
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// Bytes of an archive before and after it was rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    pub before: u64,
    pub after: u64,
}

/// One chain's archive.
///
/// Any number of readers, in any process, and one writer. A reader sees the archive as it was when it was opened,
/// and changes nothing on disk. What [`Self::append`] returned from survives a crash, and a crash at any moment
/// leaves an archive that opens with the head before or after the append. Blocks that are handed out were hashed.
pub struct Archive {
    files: Files,
    car: File,
    writer: Option<Writer>,
    root: Cid,
    /// Where the first frame begins, and where the last whole one ends.
    first: u64,
    end: u64,
    head: Cid,
    head_file: HeadFile,
    torn: Option<Torn>,
    table: Option<Table>,
    /// Frames that are not in the table.
    tail: FrameMap,
    /// The last frame.
    last: Option<Located>,
    /// All frames before the tail, when the table was asked in vain.
    scanned: OnceCell<FrameMap>,
}

struct Writer {
    _lock: Lock,
    segment: Box<dyn Segment>,
    poisoned: bool,
}

/// What appending does to the CAR file; a failed write may have written a part.
trait Segment: Send {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn set_len(&self, length: u64) -> io::Result<()>;
    fn sync_data(&self) -> io::Result<()>;
}

impl Segment for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        Self::set_len(self, length)
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }
}

/// Where the files of an archive are.
struct Files {
    car: PathBuf,
    index: PathBuf,
    head: PathBuf,
    lock: PathBuf,
}

impl Files {
    fn new(directory: &Path, name: &ChainName) -> Self {
        let path = |extension| directory.join(format!("{name}.{extension}"));
        Self { car: path("car"), index: path("index"), head: path("head"), lock: path("lock") }
    }

    fn lock(&self, wait: Duration) -> Result<Lock, ArchiveError> {
        let lock = Lock::take(&self.lock, wait).map_err(failed("lock", &self.lock))?;
        lock.ok_or_else(|| ArchiveError::InUse { path: self.car.clone() })
    }

    /// What the head file names; `None` when it is not there or names nothing.
    fn read_head(&self) -> Result<Option<Cid>, ArchiveError> {
        match fs::read(&self.head) {
            Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_end().parse().ok())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &self.head)(error)),
        }
    }

    fn write_head(&self, head: &Cid) -> Result<(), ArchiveError> {
        durable::replace(&self.head, format!("{head}\n").as_bytes()).map_err(failed("write", &self.head))
    }
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
        let files = Files::new(directory, name);
        durable::create_directory(directory).map_err(failed("create", directory))?;
        let lock = files.lock(Duration::ZERO)?;
        if files.car.symlink_metadata().is_ok() {
            return Err(ArchiveError::Exists { path: files.car });
        }
        for (cid, bytes) in blocks {
            inspect(cid, bytes)?;
        }
        require_head(blocks.iter().find(|(cid, _)| *cid == head).map(|(_, bytes)| &bytes[..]), &head)?;
        if !blocks.iter().any(|(cid, _)| *cid == root) {
            return Err(ArchiveError::Missing { path: files.car, cid: root });
        }
        durable::remove(&files.index).map_err(failed("remove", &files.index))?;
        let mut car = CarWriter::create(&files.car, &root, Existing::Keep)?;
        for (cid, bytes) in head_last(blocks, head) {
            car.put(cid, bytes)?;
        }
        // First the head file: without its archive it means nothing.
        files.write_head(&head)?;
        car.finish()?;
        Self::load(files, Some(lock))
    }

    /// Opens an archive for reading. Takes no lock and changes nothing; what a crash has torn is passed over.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn open_read(directory: &Path, name: &ChainName) -> Result<Self, ArchiveError> {
        Self::load(Files::new(directory, name), None)
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
        self.root
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
        self.end
    }

    /// The CAR file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.files.car
    }

    /// The archive's blocks in file order, and by CID in about that order.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn blocks(&self) -> Result<CarReader, ReadError> {
        let path = &self.files.car;
        let frames = self.frames().map_err(|source| ReadError::Io { path: path.clone(), source })?;
        CarReader::new(path.clone(), frames)
    }

    /// Whether the archive has a block of this name, whose bytes are not looked at.
    ///
    /// # Errors
    /// [`ArchiveError::Io`].
    pub fn contains(&self, cid: &Cid) -> Result<bool, ArchiveError> {
        let mut found = false;
        self.each_frame(cid, Search::Certain, |_| {
            found = true;
            Ok(true)
        })?;
        Ok(found)
    }

    /// The bytes of a block, hashed.
    ///
    /// # Errors
    /// [`ArchiveError::Corrupt`] when frames have this CID but none has its bytes; [`ArchiveError::Io`].
    pub fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, ArchiveError> {
        let (mut good, mut bad) = (None, None);
        self.each_frame(cid, Search::Certain, |located| {
            let bytes = self.read_block(located)?;
            if cid.matches(&bytes) {
                good = Some(bytes);
            } else {
                bad.get_or_insert(located.offset);
            }
            Ok(good.is_some())
        })?;
        match (good, bad) {
            (None, Some(offset)) => {
                Err(ArchiveError::Corrupt { path: self.files.car.clone(), cid: *cid, offset })
            }
            (good, _) => Ok(good),
        }
    }

    /// Adds blocks and then moves the head, both durably. Blocks that the archive has are not written again; the
    /// head's block is written last.
    ///
    /// # Errors
    /// [`ArchiveError`]. When writing the blocks failed (a full disk), the archive is as it was and can be
    /// used. When making them durable or moving the head failed, this object refuses further appends
    /// ([`ArchiveError::Poisoned`]): the archive has to be opened again.
    pub fn append(&mut self, blocks: &[Block], head: Cid) -> Result<(), ArchiveError> {
        self.writable()?;
        self.require_unmoved_head()?;
        for (cid, bytes) in blocks {
            inspect(cid, bytes)?;
        }
        match blocks.iter().find(|(cid, _)| *cid == head) {
            Some((_, bytes)) => require_head(Some(bytes), &head)?,
            None => require_head(self.get(&head)?.as_deref(), &head)?,
        }
        let added = self.write_blocks(&self.absent(blocks, head)?)?;
        if head != self.head {
            self.poison_unless(|archive| archive.files.write_head(&head))?;
            self.head = head;
        }
        self.end = added.last().map_or(self.end, Located::end);
        self.last = added.last().copied().or(self.last);
        for located in added {
            self.tail.insert(key(&located.frame.cid), located.offset);
        }
        // The blocks are safe; an index that could not be written only costs time.
        let _ = self.update_index();
        Ok(())
    }

    /// Writes the archive anew with these blocks in this order, the head last, and puts it in place of the old one
    /// at once. Blocks that are not named are gone.
    ///
    /// # Errors
    /// [`ArchiveError`]; the archive is then as it was, except that `Poisoned` follows when it could not be
    /// opened again.
    pub fn rewrite(&mut self, order: impl Iterator<Item = Cid>) -> Result<Rewritten, ArchiveError> {
        self.writable()?;
        self.require_unmoved_head()?;
        let before = self.end;
        let mut car = CarWriter::create(&self.files.car, &self.root, Existing::Replace)?;
        let (mut last, mut has_root) = (None, false);
        for cid in order {
            let path = || self.files.car.clone();
            let bytes = self.get(&cid)?.ok_or_else(|| ArchiveError::Missing { path: path(), cid })?;
            if car.put(&cid, &bytes)? {
                last = Some(cid);
                has_root |= cid == self.root;
            }
        }
        if last != Some(self.head) {
            return Err(ArchiveError::NotAHead { cid: last.unwrap_or(self.root) });
        }
        if !has_root {
            return Err(ArchiveError::Missing { path: self.files.car.clone(), cid: self.root });
        }
        // Before the archive changes, so that no index is ever taken for that of another file.
        durable::remove(&self.files.index).map_err(failed("remove", &self.files.index))?;
        self.table = None;
        self.scanned = OnceCell::new();
        self.poison_unless(|archive| {
            let after = car.finish()?;
            archive.reload()?;
            Ok(Rewritten { before, after })
        })
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
        if let (Some(torn), true) = (tail.torn, tail.damaged) {
            return Err(ArchiveError::Damaged { path: files.car, offset: torn.offset });
        }
        let head = tail.head.ok_or_else(|| ArchiveError::NoHead { path: files.car.clone() })?;
        let writer = match lock {
            Some(lock) => {
                let segment = Box::new(car.try_clone().map_err(reading)?);
                Some(Writer { _lock: lock, segment, poisoned: false })
            }
            None => None,
        };
        let mut archive = Self {
            last: tail.last.or_else(|| table.as_ref().map(Table::last)),
            end: tail.end,
            head_file: tail.head_file,
            torn: tail.torn,
            tail: tail.map,
            scanned: OnceCell::new(),
            files,
            car,
            writer,
            root,
            first,
            head,
            table,
        };
        if writes {
            archive.recover()?;
        }
        Ok(archive)
    }

    /// Opens the same archive again, under the same lock.
    fn reload(&mut self) -> Result<(), ArchiveError> {
        let files = Files {
            car: self.files.car.clone(),
            index: self.files.index.clone(),
            head: self.files.head.clone(),
            lock: self.files.lock.clone(),
        };
        let Some(Writer { _lock: lock, .. }) = self.writer.take() else {
            return Err(ArchiveError::ReadOnly { path: files.car });
        };
        *self = Self::load(files, Some(lock))?;
        Ok(())
    }

    /// Makes what was found when opening durable, and lets head file and index say it.
    fn recover(&mut self) -> Result<(), ArchiveError> {
        if self.torn.is_some() {
            self.car.set_len(self.end).map_err(failed("cut", &self.files.car))?;
        }
        if self.torn.is_some() || self.head_file != HeadFile::Current {
            self.car.sync_all().map_err(failed("flush", &self.files.car))?;
        }
        if self.head_file != HeadFile::Current {
            self.files.write_head(&self.head)?;
        }
        // An index that could not be written only costs time.
        let _ = self.update_index();
        Ok(())
    }

    fn writable(&self) -> Result<(), ArchiveError> {
        match &self.writer {
            None => Err(ArchiveError::ReadOnly { path: self.files.car.clone() }),
            Some(writer) if writer.poisoned => Err(ArchiveError::Poisoned { path: self.files.car.clone() }),
            Some(_) => Ok(()),
        }
    }

    fn require_unmoved_head(&self) -> Result<(), ArchiveError> {
        let (path, expected) = (self.files.head.clone(), self.head);
        match self.files.read_head()? {
            Some(found) if found == expected => Ok(()),
            found => Err(ArchiveError::HeadMoved { path, expected, found }),
        }
    }

    fn poison_unless<T>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<T, ArchiveError>,
    ) -> Result<T, ArchiveError> {
        let result = run(self);
        if let (Err(_), Some(writer)) = (&result, &mut self.writer) {
            writer.poisoned = true;
        }
        result
    }

    /// The blocks that the archive does not have, each once, the head last.
    fn absent<'a>(&self, blocks: &'a [Block], head: Cid) -> Result<Vec<&'a Block>, ArchiveError> {
        let mut seen = std::collections::HashSet::new();
        let mut absent = Vec::new();
        for block in head_last(blocks, head) {
            let mut present = !seen.insert(block.0);
            if !present {
                self.each_frame(&block.0, Search::Hints, |_| {
                    present = true;
                    Ok(true)
                })?;
            }
            if !present {
                absent.push(block);
            }
        }
        Ok(absent)
    }

    /// Writes frames after the last one and makes them durable, or leaves the file as it was.
    fn write_blocks(&mut self, blocks: &[&Block]) -> Result<Vec<Located>, ArchiveError> {
        let Some(writer) = &mut self.writer else {
            return Err(ArchiveError::ReadOnly { path: self.files.car.clone() });
        };
        if blocks.is_empty() {
            return Ok(Vec::new());
        }
        let write = || {
            let (mut buffer, mut offset) = (Vec::new(), self.end);
            let mut added = Vec::with_capacity(blocks.len());
            for (cid, bytes) in blocks {
                let start = buffer.len();
                car::push_frame(&mut buffer, cid, bytes);
                let frame =
                    car::Frame { cid: *cid, prefix: buffer.len() - start - bytes.len(), length: bytes.len() };
                added.push(Located { offset: offset + start as u64, frame });
                if buffer.len() >= WRITE_LIMIT {
                    writer.segment.write_all_at(&buffer, offset)?;
                    offset += buffer.len() as u64;
                    buffer.clear();
                }
            }
            writer.segment.write_all_at(&buffer, offset)?;
            Ok(added)
        };
        let added = write().map_err(|error| {
            writer.poisoned = writer.segment.set_len(self.end).is_err();
            failed("append to", &self.files.car)(error)
        })?;
        if let Err(error) = writer.segment.sync_data() {
            // The system may have dropped the pages and forgotten the error: a second try proves nothing.
            writer.poisoned = true;
            return Err(failed("flush", &self.files.car)(error));
        }
        Ok(added)
    }

    /// Puts the tail into the table when it has grown long.
    fn update_index(&mut self) -> io::Result<()> {
        let covered = self.table.as_ref().map_or(self.first, Table::covered);
        let many = self.table.as_ref().map_or(0, Table::len) + self.tail.len() as u64 >= INDEXED_FROM;
        let long = self.tail.len() > TAIL_FRAMES && many;
        let Some(last) = self.last.filter(|_| long || self.end - covered > TAIL_BYTES) else { return Ok(()) };
        let coverage = Coverage { root: self.root, covered: self.end, last };
        let new = std::mem::take(&mut self.tail).into_sorted();
        let result = match self.table.take() {
            Some(mut table) => table.add(new, coverage).map(|()| table),
            None => Table::build(&self.files.index, &new, coverage),
        };
        self.scanned = OnceCell::new();
        match result {
            Ok(table) => self.table = Some(table),
            Err(error) => {
                // Without a table everything is in the tail.
                self.tail = self.scan(self.end)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Calls `visit` with the frames that have this CID, until it says that it saw enough.
    fn each_frame(
        &self,
        cid: &Cid,
        search: Search,
        mut visit: impl FnMut(&Located) -> Result<bool, ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let reading = |error| failed("read", &self.files.car)(error);
        let key = key(cid);
        let mut seen = false;
        if let Some(table) = &self.table {
            for offset in table.offsets(key).map_err(failed("read", &self.files.index))? {
                let Some(located) = self.frame_at(offset, cid).map_err(reading)? else { continue };
                seen = true;
                if visit(&located)? {
                    return Ok(());
                }
            }
        }
        if self.each_in(&self.tail, key, cid, &mut seen, &mut visit)? || seen {
            return Ok(());
        }
        if let (Some(table), Search::Certain) = (&self.table, search) {
            // A slot may have been lost: that must not make a block look as if it were missing.
            let scanned = match self.scanned.get() {
                Some(scanned) => scanned,
                None => {
                    let scanned = self.scan(table.covered()).map_err(reading)?;
                    self.scanned.get_or_init(|| scanned)
                }
            };
            self.each_in(scanned, key, cid, &mut seen, &mut visit)?;
        }
        Ok(())
    }

    fn each_in(
        &self,
        map: &FrameMap,
        key: u64,
        cid: &Cid,
        seen: &mut bool,
        visit: &mut impl FnMut(&Located) -> Result<bool, ArchiveError>,
    ) -> Result<bool, ArchiveError> {
        let mut after = 0;
        while let Some(offset) = map.next(key, after) {
            after = offset;
            let located = self.frame_at(offset, cid).map_err(failed("read", &self.files.car))?;
            let Some(located) = located else { continue };
            *seen = true;
            if visit(&located)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn scan(&self, end: u64) -> io::Result<FrameMap> {
        let mut frames = self.frames()?;
        frames.stop_at(end);
        let mut map = FrameMap::default();
        let mut position = self.first;
        while let At::Frame(located) = frames.at(position)? {
            map.insert(key(&located.frame.cid), position);
            position = located.end();
        }
        Ok(map)
    }

    fn frames(&self) -> io::Result<Frames> {
        Ok(Frames::new(self.car.try_clone()?, self.end))
    }

    /// The frame at an offset that may be wrong, when it has this CID.
    fn frame_at(&self, offset: u64, cid: &Cid) -> io::Result<Option<Located>> {
        let mut prefix = [0; PREFIX_LENGTH];
        let room = self.end.saturating_sub(offset).min(PREFIX_LENGTH as u64) as usize;
        self.car.read_exact_at(&mut prefix[..room], offset)?;
        let located = car::decode_frame(&prefix[..room]).ok().map(|frame| Located { offset, frame });
        Ok(located.filter(|located| located.frame.cid == *cid && located.end() <= self.end))
    }

    fn read_block(&self, located: &Located) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = vec![0; located.frame.length];
        let offset = located.offset + located.frame.prefix as u64;
        self.car.read_exact_at(&mut bytes, offset).map_err(failed("read", &self.files.car))?;
        Ok(bytes)
    }
}

/// How sure a search has to be that there is no frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    /// The index is believed.
    Hints,
    /// The archive is read before a block is called missing.
    Certain,
}

impl From<WriteError> for ArchiveError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Exists { path } => Self::Exists { path },
            WriteError::TooLarge { cid, size } => Self::TooLarge { cid, size },
            WriteError::Io { path, source } => Self::Io { action: "write", path, source },
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    move |source| ArchiveError::Io { action, path: path.to_owned(), source }
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
