//! Reads any CARv1 file, in file order and by CID, in bounded memory.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    io,
    path::{Path, PathBuf},
};

use super::{
    frame_map::FrameMap,
    frames::{At, Frames, Located},
};
use crate::{codec::car::CarError, model::Cid};

/// Why a file could not be read. What is wrong inside a CAR file is a [`Damage`], not an error.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is not a CAR file of this format", path.display())]
    NotCar { path: PathBuf, source: CarError },
}

/// Something in a CAR file that should not be there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The bytes of a frame are not those that its CID names.
    #[error("the block at byte {offset} is not the one that {cid} names")]
    Mismatch { offset: u64, cid: Cid },
    /// From here on the file cannot be read.
    #[error("the file stops being a CAR at byte {offset}: {cause}")]
    Unreadable { offset: u64, cause: CarError },
}

/// What the next frame of a file is.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A block, not hashed, and where its frame begins.
    Block {
        offset: u64,
        cid: Cid,
        bytes: &'a [u8],
    },
    /// The file cannot be read from here on; told once, `End` follows.
    Damaged(Damage),
    End,
}

/// What [`CarReader::check_all`] went over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Frames that were hashed.
    pub frames: u64,
    /// Bytes of the file up to its end, or to where it cannot be read.
    pub bytes: u64,
}

/// A CARv1 file, as long as it was when it was opened.
///
/// Nothing is trusted: [`Self::get`] and [`Self::next_block`] hand out what the file says, and their caller
/// hashes; [`Self::get_verified`] hashes. Memory is one window of 1 MiB (2 MiB where a block needs it) and
/// 16 bytes for each frame that a search by CID passed.
///
/// A search looks first at the frame after the last one that was handed out, so blocks that are asked for in
/// file order cost one pass; then among the frames that were passed; then it goes on through the file.
pub struct CarReader {
    path: PathBuf,
    frames: Frames,
    root: Cid,
    first: u64,
    /// The frame after the last one that was handed out.
    next: u64,
    /// Frames before this are in `passed`.
    frontier: u64,
    passed: FrameMap,
    /// Keyed, so that nobody can make CIDs whose keys collide.
    keys: RandomState,
    /// Of CIDs that some frame claims falsely: where the true block is, if anywhere.
    settled: HashMap<Cid, Option<u64>>,
    damage: Option<Damage>,
    damage_told: bool,
}

impl CarReader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`ReadError`] when it cannot be read or has no header of CARv1.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let frames = Frames::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        Self::new(path.to_owned(), frames)
    }

    pub(super) fn new(path: PathBuf, mut frames: Frames) -> Result<Self, ReadError> {
        let (root, first) = match frames.header() {
            Ok(Ok(header)) => header,
            Ok(Err(source)) => return Err(ReadError::NotCar { path, source }),
            Err(source) => return Err(ReadError::Io { path, source }),
        };
        Ok(Self {
            path,
            frames,
            root,
            first,
            next: first,
            frontier: first,
            passed: FrameMap::default(),
            keys: RandomState::new(),
            settled: HashMap::new(),
            damage: None,
            damage_told: false,
        })
    }

    /// The first root of the header: a head, or manifest 0 of a growing archive.
    #[must_use]
    pub const fn root(&self) -> Cid {
        self.root
    }

    /// Bytes of the file.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.frames.end()
    }

    /// Where the file stops being a CAR, when something has read that far.
    #[must_use]
    pub const fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// The frame after the last one that was handed out. Not hashed.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn next_block(&mut self) -> Result<Next<'_>, ReadError> {
        let offset = self.next;
        match self.frames.at(offset) {
            Ok(At::Frame(located)) => {
                let bytes = self.serve(located)?;
                Ok(Next::Block { offset, cid: located.frame.cid, bytes })
            }
            Ok(At::Damage(cause)) if !self.damage_told => {
                self.damage_told = true;
                let damage = Damage::Unreadable { offset, cause };
                self.damage = Some(damage.clone());
                Ok(Next::Damaged(damage))
            }
            Ok(At::Damage(_) | At::End) => Ok(Next::End),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Goes back to the first frame.
    pub const fn rewind(&mut self) {
        self.next = self.first;
        self.damage_told = false;
    }

    /// The bytes of a frame that has this CID, **not hashed**; `None` when the file has no such frame as far as
    /// it can be read. When the bytes turn out to be false, [`Self::get_verified`] looks for a true frame.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn get(&mut self, cid: &Cid) -> Result<Option<&[u8]>, ReadError> {
        let found = self.find(cid, Accept::Any).map_err(|source| self.failed(source))?;
        found.map(|located| self.serve(located)).transpose()
    }

    /// The bytes of the first frame that has this CID and hashes to it; frames that lie are passed over.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn get_verified(&mut self, cid: &Cid) -> Result<Option<&[u8]>, ReadError> {
        let found = self.find(cid, Accept::True).map_err(|source| self.failed(source))?;
        found.map(|located| self.serve(located)).transpose()
    }

    /// The last block in file order that is a head and hashes to its CID: the head of a growing archive whose
    /// head file is not at hand. One pass over the frames, and at most one more.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn newest_head(&mut self) -> Result<Option<Cid>, ReadError> {
        let newest = self.frames.newest_head(self.first).map_err(|source| self.failed(source))?;
        Ok(newest.map(|located| located.frame.cid))
    }

    /// [`Self::check_all`] for the frames that were never handed out: who hashed all that it was handed has then
    /// hashed the whole file.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn check_rest(&mut self, report: impl FnMut(Damage)) -> Result<Checked, ReadError> {
        self.check_all(report)
    }

    /// Hashes every frame and reports each that lies, and where the file stops being a CAR.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn check_all(&mut self, mut report: impl FnMut(Damage)) -> Result<Checked, ReadError> {
        let mut checked = Checked { frames: 0, bytes: self.first };
        loop {
            let offset = checked.bytes;
            let at = self.frames.at(offset).map_err(|source| self.failed(source))?;
            match at {
                At::Frame(located) => {
                    if !self.frames.matches(&located).map_err(|source| self.failed(source))? {
                        report(Damage::Mismatch { offset, cid: located.frame.cid });
                    }
                    checked.frames += 1;
                    checked.bytes = located.end();
                }
                At::Damage(cause) => {
                    let damage = Damage::Unreadable { offset, cause };
                    self.damage = Some(damage.clone());
                    report(damage);
                    return Ok(checked);
                }
                At::End => return Ok(checked),
            }
        }
    }

    fn find(&mut self, cid: &Cid, accept: Accept) -> io::Result<Option<Located>> {
        match self.settled.get(cid) {
            Some(Some(offset)) => return self.frames.named(*offset, cid),
            Some(None) if accept == Accept::True => return Ok(None),
            _ => {}
        }
        let mut lied = false;
        let found = self.search(cid, accept, &mut lied)?;
        if lied {
            self.settled.insert(*cid, found.map(|located| located.offset));
        }
        Ok(found)
    }

    /// Goes over the frames that have this CID, each at least once, until one is accepted.
    fn search(&mut self, cid: &Cid, accept: Accept, lied: &mut bool) -> io::Result<Option<Located>> {
        if let Some(located) = self.frames.named(self.next, cid)? {
            if self.next == self.frontier {
                self.pass(&located);
            }
            if self.accepts(&located, accept, lied)? {
                return Ok(Some(located));
            }
        }
        let key = self.keys.hash_one(cid);
        let mut after = 0;
        while let Some(offset) = self.passed.next(key, after) {
            if let Some(located) = self.frames.named(offset, cid)?
                && self.accepts(&located, accept, lied)?
            {
                return Ok(Some(located));
            }
            after = offset;
        }
        loop {
            match self.frames.at(self.frontier)? {
                At::Frame(located) => {
                    self.pass(&located);
                    if located.frame.cid == *cid && self.accepts(&located, accept, lied)? {
                        return Ok(Some(located));
                    }
                }
                At::Damage(cause) => {
                    self.damage = Some(Damage::Unreadable { offset: self.frontier, cause });
                    return Ok(None);
                }
                At::End => return Ok(None),
            }
        }
    }

    fn pass(&mut self, located: &Located) {
        self.passed.insert(self.keys.hash_one(located.frame.cid), located.offset);
        self.frontier = located.end();
    }

    fn accepts(&mut self, located: &Located, accept: Accept, lied: &mut bool) -> io::Result<bool> {
        let accepted = accept == Accept::Any || self.frames.matches(located)?;
        *lied |= !accepted;
        Ok(accepted)
    }

    fn serve(&mut self, located: Located) -> Result<&[u8], ReadError> {
        self.next = located.end();
        self.frames.block(&located).map_err(|source| ReadError::Io { path: self.path.clone(), source })
    }

    fn failed(&self, source: io::Error) -> ReadError {
        ReadError::Io { path: self.path.clone(), source }
    }
}

/// Which frames of a CID a search takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Accept {
    Any,
    True,
}
