//! The frames of a CAR file, through one window of memory that positioned reads move over it. Does not hash.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use crate::codec::{
    car::{self, CarError, Frame, HEADER_LIMIT, PREFIX_LENGTH},
    dag_cbor::decode_head,
};
use crate::model::{CID_LENGTH, Cid, Codec};

/// Bytes that are read at once when reading goes straight on.
const WINDOW: usize = 256 << 10;
/// Bytes that are read after a jump.
const AFTER_JUMP: usize = 16 << 10;
/// Damaged regions are searched for whole blocks until this many places looked like one.
const GUESSES: usize = 4096;

/// A frame and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) offset: u64,
    pub(super) frame: Frame,
}

impl Located {
    /// Where the frame ends.
    pub(super) const fn end(&self) -> u64 {
        self.offset + self.frame.total() as u64
    }
}

/// What begins at an offset.
pub(super) enum At {
    Frame(Located),
    End,
    Damage(CarError),
}

/// A CAR file up to a length that is fixed when it is opened.
pub(super) struct Frames {
    file: File,
    end: u64,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    start: u64,
    ahead: usize,
}

impl Frames {
    pub(super) const fn new(file: File, end: u64) -> Self {
        Self { file, end, buffer: Vec::new(), start: 0, ahead: AFTER_JUMP }
    }

    /// Opens a file at its present length.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self::new(file, metadata.len()))
    }

    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Takes what follows `end` out of sight.
    pub(super) fn stop_at(&mut self, end: u64) {
        self.end = end.min(self.end);
    }

    /// The first root and where the first frame begins.
    pub(super) fn header(&mut self) -> io::Result<Result<(Cid, u64), CarError>> {
        let mut header = car::decode_header(self.view(0, PREFIX_LENGTH)?);
        if matches!(header, Err(CarError::Truncated(_))) {
            header = car::decode_header(self.view(0, 4 + HEADER_LIMIT)?);
        }
        Ok(header.map(|(root, length)| (root, length as u64)))
    }

    /// What begins at `offset`. A frame is whole: it ends before the file does.
    pub(super) fn at(&mut self, offset: u64) -> io::Result<At> {
        if offset >= self.end {
            return Ok(At::End);
        }
        let room = self.end - offset;
        Ok(match car::decode_frame(self.view(offset, PREFIX_LENGTH)?) {
            Ok(frame) if frame.total() as u64 <= room => At::Frame(Located { offset, frame }),
            Ok(_) => At::Damage(CarError::Truncated("a block")),
            Err(cause) => At::Damage(cause),
        })
    }

    /// The frame at `offset`, when it is whole and has this CID.
    pub(super) fn named(&mut self, offset: u64, cid: &Cid) -> io::Result<Option<Located>> {
        Ok(match self.at(offset)? {
            At::Frame(located) if located.frame.cid == *cid => Some(located),
            _ => None,
        })
    }

    /// The bytes of a block.
    pub(super) fn block(&mut self, located: &Located) -> io::Result<&[u8]> {
        let Frame { prefix, length, .. } = located.frame;
        let view = self.view(located.offset, prefix + length)?;
        view.get(prefix..prefix + length).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Whether a block is the one that its CID names.
    pub(super) fn matches(&mut self, located: &Located) -> io::Result<bool> {
        Ok(located.frame.cid.matches(self.block(located)?))
    }

    /// Whether a block begins as the codec in its CID has it, which the digest beside it does not cover.
    pub(super) fn begins_as_its_codec(&mut self, located: &Located) -> io::Result<bool> {
        Ok(car::begins_as(located.frame.cid.codec(), self.block(located)?))
    }

    /// Whether a block is a head, and the one that its CID names.
    pub(super) fn is_head(&mut self, located: &Located) -> io::Result<bool> {
        let cid = located.frame.cid;
        if cid.codec() != Codec::DagCbor {
            return Ok(false);
        }
        let block = self.block(located)?;
        Ok(decode_head(block).is_ok() && cid.matches(block))
    }

    /// The last head in file order from `from`, where a frame begins, up to the first damage.
    pub(super) fn newest_head(&mut self, from: u64) -> io::Result<Option<Located>> {
        // The first frame of about each window: so the search can go backwards, though frames lead only forwards.
        let mut marks = Vec::new();
        let mut position = from;
        let mut next_mark = from;
        while let At::Frame(located) = self.at(position)? {
            if position >= next_mark {
                marks.push(position);
                next_mark = position + WINDOW as u64;
            }
            position = located.end();
        }
        let mut stop = position;
        while let Some(mark) = marks.pop() {
            let mut newest = None;
            let mut position = mark;
            while position < stop
                && let At::Frame(located) = self.at(position)?
            {
                if self.is_head(&located)? {
                    newest = Some(located);
                }
                position = located.end();
            }
            if newest.is_some() {
                return Ok(newest);
            }
            stop = mark;
        }
        Ok(None)
    }

    /// Searches the bytes from `from` for whole blocks that hash to their CIDs, wherever frames begin, until
    /// `found` says that it saw enough. Returns whether it did, or whether there were too many places to look.
    pub(super) fn salvage(
        &mut self,
        from: u64,
        mut found: impl FnMut(Located, &[u8]) -> bool,
    ) -> io::Result<bool> {
        let mut position = from;
        let mut guesses = 0;
        loop {
            let view = self.view(position, PREFIX_LENGTH)?;
            if view.len() < CID_LENGTH {
                return Ok(false);
            }
            let Some(step) = view.windows(4).position(begins_cid) else {
                position += view.len() as u64 - 3;
                continue;
            };
            let cid_at = position + step as u64;
            position = cid_at + 1;
            for back in 1..=4 {
                let Some(offset) = cid_at.checked_sub(back).filter(|offset| *offset >= from) else { break };
                let At::Frame(located) = self.at(offset)? else { continue };
                if located.frame.prefix as u64 != back + CID_LENGTH as u64 {
                    continue;
                }
                guesses += 1;
                let block = self.block(&located)?;
                if located.frame.cid.matches(block) {
                    if found(located, block) {
                        return Ok(true);
                    }
                    position = located.end();
                    break;
                }
                if guesses == GUESSES {
                    return Ok(true);
                }
            }
        }
    }

    /// The bytes from `offset`: at least `wanted` of them, unless the file ends before.
    fn view(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        let room = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = wanted.min(room);
        let held = self.start + self.buffer.len() as u64;
        if offset < self.start || offset + wanted as u64 > held {
            self.load(offset, wanted, room)?;
        }
        Ok(&self.buffer[(offset - self.start) as usize..])
    }

    fn load(&mut self, offset: u64, wanted: usize, room: usize) -> io::Result<()> {
        let held = self.start + self.buffer.len() as u64;
        let goes_on = (self.start..=held).contains(&offset);
        let keep = if goes_on { (held - offset) as usize } else { 0 };
        self.ahead = if goes_on { (self.ahead * 2).min(WINDOW) } else { AFTER_JUMP };
        let size = wanted.max(self.ahead).min(room);
        let kept = self.buffer.len() - keep;
        self.buffer.copy_within(kept.., 0);
        self.buffer.resize(size, 0);
        self.start = offset;
        let read = self.file.read_exact_at(&mut self.buffer[keep..], offset + keep as u64);
        if read.is_err() {
            self.buffer.clear();
        }
        read
    }
}

fn begins_cid(bytes: &[u8]) -> bool {
    matches!(bytes, [1, 0x55 | 0x70 | 0x71, 0x12, 32])
}
