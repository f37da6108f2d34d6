//! Finds the frames of a growing archive by CID: the index on disk, and in memory what it does not cover.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path, sync::OnceLock};

use super::table::{Coverage, Table, key};
use crate::{
    codec::car::{self, PREFIX_LENGTH},
    model::Cid,
    store::{
        frame_map::FrameMap,
        frames::{At, Frames, Located},
    },
};

/// Archives with fewer frames have no index.
const INDEXED_FROM: u64 = 1000;
/// So many frames, or bytes, may follow what the index covers.
const TAIL_FRAMES: usize = 256;
const TAIL_BYTES: u64 = 16 << 20;

/// How sure a search has to be that there is no frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// The index is believed.
    Hints,
    /// The archive is read before a block is called missing.
    Certain,
}

/// An open CAR file and where its frames are.
pub(super) struct Lookup {
    pub(super) car: File,
    pub(super) root: Cid,
    /// Where the first frame begins.
    pub(super) first: u64,
    /// Where the last whole frame ends.
    pub(super) end: u64,
    /// The last frame.
    pub(super) last: Option<Located>,
    pub(super) table: Option<Table>,
    /// Frames that are not in the table.
    pub(super) tail: FrameMap,
    /// All frames before the tail, once the table was asked in vain.
    pub(super) scanned: OnceLock<FrameMap>,
}

impl Lookup {
    /// The frames that have this CID; their bytes are not hashed.
    pub(super) fn find(&self, cid: &Cid, search: Search) -> io::Result<Vec<Located>> {
        let mut found = Vec::new();
        if let Some(table) = &self.table {
            for offset in table.offsets(key(cid))? {
                found.extend(self.frame_at(offset, cid)?);
            }
        }
        self.find_in(&self.tail, cid, &mut found)?;
        if let (Some(table), true, Search::Certain) = (&self.table, found.is_empty(), search) {
            // A slot may have been lost: that must not make a block look as if it were missing.
            if self.scanned.get().is_none() {
                let _ = self.scanned.set(self.scan(table.covered())?);
            }
            if let Some(scanned) = self.scanned.get() {
                self.find_in(scanned, cid, &mut found)?;
            }
        }
        Ok(found)
    }

    /// The bytes of a block, not hashed.
    pub(super) fn read(&self, located: &Located) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; located.frame.length];
        self.car.read_exact_at(&mut bytes, located.offset + located.frame.prefix as u64)?;
        Ok(bytes)
    }

    /// A view of the whole frames of the file.
    pub(super) fn frames(&self) -> io::Result<Frames> {
        Ok(Frames::new(self.car.try_clone()?, self.end))
    }

    /// Takes note of frames that were written after the last one.
    pub(super) fn push(&mut self, added: &[Located]) {
        for located in added {
            self.tail.insert(key(&located.frame.cid), located.offset);
            self.end = located.end();
            self.last = Some(*located);
        }
        self.tail.sort();
    }

    /// Puts the tail into the index at `path` when it has grown long. The frames are durable and were hashed.
    ///
    /// After an error everything is still found, more slowly.
    pub(super) fn update_index(&mut self, path: &Path) -> io::Result<()> {
        let covered = self.table.as_ref().map_or(self.first, Table::covered);
        let frames = self.table.as_ref().map_or(0, Table::len) + self.tail.len() as u64;
        let long = self.tail.len() > TAIL_FRAMES && frames >= INDEXED_FROM;
        let Some(last) = self.last.filter(|_| long || self.end - covered > TAIL_BYTES) else { return Ok(()) };
        let coverage = Coverage { root: self.root, covered: self.end, last };
        let new = std::mem::take(&mut self.tail).into_sorted();
        let written = match self.table.take() {
            Some(mut table) => table.add(new, coverage).map(|()| table),
            None => Table::build(path, &new, coverage),
        };
        self.scanned = OnceLock::new();
        match written {
            Ok(table) => self.table = Some(table),
            Err(error) => {
                self.tail = self.scan(self.end)?;
                return Err(error);
            }
        }
        Ok(())
    }

    fn find_in(&self, map: &FrameMap, cid: &Cid, found: &mut Vec<Located>) -> io::Result<()> {
        let mut after = 0;
        while let Some(offset) = map.next(key(cid), after) {
            found.extend(self.frame_at(offset, cid)?);
            after = offset;
        }
        Ok(())
    }

    /// The frame at an offset that may be wrong, when it has this CID.
    fn frame_at(&self, offset: u64, cid: &Cid) -> io::Result<Option<Located>> {
        let mut prefix = [0; PREFIX_LENGTH];
        let room = self.end.saturating_sub(offset).min(PREFIX_LENGTH as u64) as usize;
        self.car.read_exact_at(&mut prefix[..room], offset)?;
        let located = car::decode_frame(&prefix[..room]).ok().map(|frame| Located { offset, frame });
        Ok(located.filter(|located| located.frame.cid == *cid && located.end() <= self.end))
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
        map.sort();
        Ok(map)
    }
}
