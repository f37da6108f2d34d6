//! What changes a growing archive: appends, and writing it anew.

use std::{collections::HashSet, fs::File, io, os::unix::fs::FileExt};

use super::{
    Archive, ArchiveError, Block, HeadFile, error::failed, inspect, lock::Lock, lookup::Search, require_head,
};
use crate::{
    codec::car,
    model::Cid,
    store::{
        car_writer::{CarWriter, Existing},
        durable,
        frames::Located,
    },
};

/// One write is not larger than this and a block: enough to be fast, and little memory.
const WRITE_LIMIT: usize = 4 << 20;

/// Bytes of an archive before and after it was written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    pub before: u64,
    pub after: u64,
}

/// What a writer has that a reader has not.
pub(super) struct Writer {
    lock: Lock,
    pub(super) segment: Box<dyn Segment>,
    poisoned: bool,
}

impl Writer {
    pub(super) fn new(lock: Lock, car: &File) -> io::Result<Self> {
        Ok(Self { lock, segment: Box::new(car.try_clone()?), poisoned: false })
    }
}

/// What appending does to the CAR file; a failed write may have written a part.
pub(super) trait Segment: Send + Sync {
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

impl Archive {
    /// Adds blocks, durably, and then moves the head. Blocks that the archive has are not written again; the head's
    /// block is written last.
    ///
    /// The flush of the CAR file is what makes blocks and head survive a power failure. The head file is overwritten
    /// and not flushed: where it is old or empty afterwards, opening finds the newest head in the CAR.
    ///
    /// # Errors
    /// [`ArchiveError`]. When writing the blocks failed (a full disk), the archive is as it was and can be used.
    /// When making them durable or moving the head failed, this object refuses further appends
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
        self.lookup.push(&added);
        if head != self.head {
            if let Err(error) = self.files.write_head_unflushed(&head) {
                self.poison();
                return Err(error);
            }
            self.head = head;
            self.head_file = HeadFile::Current;
        }
        // The blocks are safe; an index that could not be written only costs time.
        let _ = self.lookup.update_index(&self.files.index);
        Ok(())
    }

    /// Writes the archive anew with these blocks in this order, the head last, and puts it in place of the old one
    /// at once. Blocks that are not named are gone.
    ///
    /// # Errors
    /// [`ArchiveError`]; the archive is then as it was, or has to be opened again ([`ArchiveError::Poisoned`]).
    pub fn rewrite(&mut self, order: impl Iterator<Item = Cid>) -> Result<Rewritten, ArchiveError> {
        self.writable()?;
        self.require_unmoved_head()?;
        let car = self.write_anew(order)?;
        let before = self.length();
        // The new archive may lack the head that an unflushed head file falls back to.
        if !matches!(self.head_file, HeadFile::Unknown(_)) {
            self.files.write_head(&self.head)?;
        }
        // Before the archive changes, so that no index is ever taken for that of another file.
        durable::remove(&self.files.index).map_err(failed("remove", &self.files.index))?;
        let replaced = car.finish().map_err(ArchiveError::from).and_then(|after| {
            self.reload()?;
            Ok(Rewritten { before, after })
        });
        if replaced.is_err() {
            self.poison();
        }
        replaced
    }

    /// Makes what was found when opening durable, and lets head file and index say it.
    pub(super) fn recover(&mut self) -> Result<(), ArchiveError> {
        let car = &self.lookup.car;
        if self.torn.is_some() {
            car.set_len(self.lookup.end).map_err(failed("cut", &self.files.car))?;
        }
        // What follows the head that was last named may never have reached the disk.
        let complete = self.lookup.last.is_some_and(|last| last.frame.cid == self.head);
        if !complete || self.torn.is_some() || self.head_file != HeadFile::Current {
            car.sync_all().map_err(failed("flush", &self.files.car))?;
        }
        // A head that this file has lost stays named until a newer one takes its place.
        if !matches!(self.head_file, HeadFile::Current | HeadFile::Unknown(_)) {
            self.files.write_head(&self.head)?;
        }
        // An index that could not be written only costs time.
        let _ = self.lookup.update_index(&self.files.index);
        Ok(())
    }

    fn write_anew(&self, order: impl Iterator<Item = Cid>) -> Result<CarWriter, ArchiveError> {
        let missing = |cid| ArchiveError::Missing { path: self.files.car.clone(), cid };
        let mut car = CarWriter::create(&self.files.car, &self.root(), Existing::Replace)?;
        let (mut last, mut has_root) = (None, false);
        for cid in order {
            let bytes = self.get(&cid)?.ok_or_else(|| missing(cid))?;
            if car.put(&cid, &bytes)? {
                last = Some(cid);
                has_root |= cid == self.root();
            }
        }
        if !has_root {
            return Err(missing(self.root()));
        }
        match last {
            Some(cid) if cid == self.head => Ok(car),
            _ => Err(missing(self.head)),
        }
    }

    /// Opens the same archive again, under the same lock.
    fn reload(&mut self) -> Result<(), ArchiveError> {
        let writer = self.writer.as_ref().ok_or_else(|| self.read_only())?;
        let lock = writer.lock.share().map_err(failed("lock", &self.files.lock))?;
        *self = Self::load(self.files.clone(), Some(lock))?;
        Ok(())
    }

    fn read_only(&self) -> ArchiveError {
        ArchiveError::ReadOnly { path: self.files.car.clone() }
    }

    fn writable(&self) -> Result<(), ArchiveError> {
        match &self.writer {
            None => Err(self.read_only()),
            Some(writer) if writer.poisoned => Err(ArchiveError::Poisoned { path: self.files.car.clone() }),
            Some(_) => Ok(()),
        }
    }

    fn poison(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.poisoned = true;
        }
    }

    fn require_unmoved_head(&self) -> Result<(), ArchiveError> {
        let expected = match self.head_file {
            HeadFile::Unknown(named) => named,
            _ => self.head,
        };
        let path = self.files.head.clone();
        match self.files.read_head()?.cid() {
            Some(found) if found == expected => Ok(()),
            found => Err(ArchiveError::HeadMoved { path, expected, found }),
        }
    }

    /// The blocks that the archive does not have, each once, the head last. A head that was one before is written again:
    /// the newest one is the last in the file.
    fn absent<'a>(&self, blocks: &'a [Block], head: Cid) -> Result<Vec<&'a Block>, ArchiveError> {
        let mut seen = HashSet::new();
        let mut absent = Vec::new();
        for block in super::head_last(blocks, head) {
            let find = || self.lookup.find(&block.0, Search::Hints);
            let again = block.0 == head && head != self.head;
            if seen.insert(block.0) && (again || find().map_err(failed("read", &self.files.car))?.is_empty())
            {
                absent.push(block);
            }
        }
        Ok(absent)
    }

    /// Writes frames after the last one and makes them durable, or leaves the file as it was.
    fn write_blocks(&mut self, blocks: &[&Block]) -> Result<Vec<Located>, ArchiveError> {
        let Some(writer) = &mut self.writer else { return Err(self.read_only()) };
        if blocks.is_empty() {
            return Ok(Vec::new());
        }
        let end = self.lookup.end;
        let added = write_frames(&*writer.segment, end, blocks).map_err(|error| {
            writer.poisoned = writer.segment.set_len(end).is_err();
            failed("append to", &self.files.car)(error)
        })?;
        if let Err(error) = writer.segment.sync_data() {
            // The system may have dropped the pages and forgotten the error: a second try proves nothing.
            writer.poisoned = true;
            return Err(failed("flush", &self.files.car)(error));
        }
        Ok(added)
    }
}

fn write_frames(segment: &dyn Segment, mut offset: u64, blocks: &[&Block]) -> io::Result<Vec<Located>> {
    let mut buffer = Vec::new();
    let mut added = Vec::with_capacity(blocks.len());
    for (cid, bytes) in blocks {
        let start = buffer.len();
        car::push_frame(&mut buffer, cid, bytes);
        let prefix = buffer.len() - start - bytes.len();
        let frame = car::Frame { cid: *cid, prefix, length: bytes.len() };
        added.push(Located { offset: offset + start as u64, frame });
        if buffer.len() >= WRITE_LIMIT {
            segment.write_all_at(&buffer, offset)?;
            offset += buffer.len() as u64;
            buffer.clear();
        }
    }
    segment.write_all_at(&buffer, offset)?;
    Ok(added)
}
