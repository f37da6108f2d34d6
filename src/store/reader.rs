//! Reads any CARv1 file, in file order and by CID, in bounded memory.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    io,
    path::{Path, PathBuf},
};

use super::{
    frame_map::FrameMap,
    frames::{At, Frames, Located},
    spans::Spans,
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

/// What [`CarReader::check_all`] and [`CarReader::check_rest`] went over.
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
/// hashes; [`Self::get_verified`] hashes. Memory is one window of 256 KiB (more where a block needs it),
/// 16 bytes for each frame that a search by CID passed, and as much again for each gap between the frames that
/// were handed out.
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
    /// The frames that were handed out.
    served: Spans,
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
            served: Spans::default(),
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

    /// Every block in file order that is a head and hashes to its CID, each once: what was the newest head of a growing
    /// archive at some time. One pass over the frames, up to the first damage.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn heads(&mut self) -> Result<Vec<Cid>, ReadError> {
        let (mut heads, mut seen) = (Vec::new(), HashSet::new());
        let mut position = self.first;
        loop {
            match self.frames.at(position).map_err(|source| self.failed(source))? {
                At::Frame(located) => {
                    let is_head = self.frames.is_head(&located).map_err(|source| self.failed(source))?;
                    if is_head && seen.insert(located.frame.cid) {
                        heads.push(located.frame.cid);
                    }
                    position = located.end();
                }
                At::Damage(cause) => {
                    self.damage = Some(Damage::Unreadable { offset: position, cause });
                    return Ok(heads);
                }
                At::End => return Ok(heads),
            }
        }
    }

    /// [`Self::check_all`] for the frames that were never handed out: who hashed all that it was handed has then
    /// hashed the whole file.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn check_rest(&mut self, report: impl FnMut(Damage)) -> Result<Checked, ReadError> {
        let served = std::mem::take(&mut self.served);
        let checked = self.check_unless(&served, report);
        self.served = served;
        checked
    }

    /// Hashes every frame and reports each that lies, and where the file stops being a CAR.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn check_all(&mut self, report: impl FnMut(Damage)) -> Result<Checked, ReadError> {
        self.check_unless(&Spans::default(), report)
    }

    /// Hashes every frame outside `known`.
    fn check_unless(&mut self, known: &Spans, mut report: impl FnMut(Damage)) -> Result<Checked, ReadError> {
        let mut checked = Checked { frames: 0, bytes: self.first };
        loop {
            let offset = checked.bytes;
            if let Some(end) = known.end_of(offset) {
                checked.bytes = end;
                continue;
            }
            let at = self.frames.at(offset).map_err(|source| self.failed(source))?;
            match at {
                At::Frame(located) => {
                    if !self.is_sound(&located).map_err(|source| self.failed(source))? {
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

    fn is_sound(&mut self, located: &Located) -> io::Result<bool> {
        Ok(self.frames.matches(located)? && self.frames.begins_as_its_codec(located)?)
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
        self.passed.sort();
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
        let Self { path, frames, served, .. } = self;
        let bytes = frames.block(&located).map_err(|source| ReadError::Io { path: path.clone(), source })?;
        served.insert(located.offset, located.end());
        Ok(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::{car, dag_cbor::encode_head},
        model::{Codec, Head},
    };

    type Block = (Cid, Vec<u8>);

    fn raw(bytes: &[u8]) -> Block {
        (Cid::of(Codec::Raw, bytes), bytes.to_vec())
    }

    fn blocks(count: usize) -> Vec<Block> {
        (0..count).map(|n| raw(format!("{n} ").repeat(n % 100).as_bytes())).collect()
    }

    fn encode(blocks: &[Block]) -> Vec<u8> {
        let mut bytes = car::encode_header(&blocks[0].0);
        for (cid, block) in blocks {
            car::push_frame(&mut bytes, cid, block);
        }
        bytes
    }

    fn open(bytes: &[u8]) -> CarReader {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        CarReader::open(file.path()).unwrap()
    }

    fn damages(bytes: &[u8]) -> (Vec<Damage>, Checked) {
        let mut damages = Vec::new();
        let checked = open(bytes).check_all(|damage| damages.push(damage)).unwrap();
        (damages, checked)
    }

    #[test]
    fn blocks_come_in_file_order_and_in_any_other() {
        // Larger than the window, and one block larger than half of it.
        let mut blocks: Vec<_> = blocks(20_000).into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
        blocks.insert(500, raw(&vec![7; 2 << 20]));
        blocks.push(raw(b""));
        let bytes = encode(&blocks);
        let mut reader = open(&bytes);
        assert_eq!((reader.root(), reader.length()), (blocks[0].0, bytes.len() as u64));
        for _ in 0..2 {
            for (expected, block) in &blocks {
                let Next::Block { offset, cid, bytes: found } = reader.next_block().unwrap() else {
                    panic!()
                };
                assert_eq!((cid, found), (*expected, &block[..]));
                assert_eq!(car::decode_frame(&bytes[offset as usize..]).unwrap().cid, cid);
            }
            assert_eq!(reader.next_block().unwrap(), Next::End);
            reader.rewind();
        }
        let count = blocks.len();
        let orders: [Vec<usize>; 4] = [
            (0..count).collect(),
            (0..count).rev().collect(),
            (0..count).map(|n| n * 7_919 % count).collect(),
            (0..count).map(|n| if n % 10 == 3 { n / 2 } else { n }).collect(),
        ];
        for order in orders {
            let mut reader = open(&bytes);
            for index in order {
                let (cid, block) = &blocks[index];
                assert_eq!(reader.get(cid).unwrap(), Some(&block[..]), "{index}");
            }
            assert_eq!(reader.get(&raw(b"absent").0).unwrap(), None);
            assert_eq!(reader.get(&blocks[0].0).unwrap(), Some(&blocks[0].1[..]));
            assert_eq!(reader.damage(), None);
        }
        assert_eq!(damages(&bytes), (vec![], Checked { frames: count as u64, bytes: bytes.len() as u64 }));
    }

    #[test]
    fn asked_in_file_order_nothing_is_searched_for() {
        let blocks = blocks(100);
        let mut reader = open(&encode(&blocks));
        for (cid, block) in &blocks {
            // Blocks of no bytes stand twice; the next frame is taken before any other.
            assert_eq!(reader.get(cid).unwrap(), Some(&block[..]));
            assert_eq!(reader.next, reader.frontier);
        }
    }

    #[test]
    fn a_frame_that_lies_does_not_hide_a_true_one() {
        let (cid, truth) = raw(b"true");
        let lie = (cid, b"lies".to_vec());
        let never = (raw(b"never").0, b"x".to_vec());
        let filler = blocks(1000);
        for order in [vec![&lie, &never], vec![&never, &filler[1], &lie, &lie]] {
            let mut all: Vec<Block> = order.into_iter().cloned().collect();
            all.extend(filler.iter().cloned());
            all.push((cid, truth.clone()));
            let mut reader = open(&encode(&all));
            assert_eq!(reader.get(&cid).unwrap(), Some(&b"lies"[..]));
            for _ in 0..3 {
                assert_eq!(reader.get_verified(&cid).unwrap(), Some(&truth[..]));
                assert_eq!(reader.get(&cid).unwrap(), Some(&truth[..]));
                assert_eq!(reader.get(&never.0).unwrap(), Some(&b"x"[..]));
                assert_eq!(reader.get_verified(&never.0).unwrap(), None);
                assert_eq!(reader.get_verified(&filler[3].0).unwrap(), Some(&filler[3].1[..]));
            }
            let lies = all.iter().filter(|(cid, bytes)| !cid.matches(bytes)).count();
            assert_eq!(damages(&encode(&all)).0.len(), lies);
        }
    }

    #[test]
    fn where_a_file_stops_being_a_car_is_told() {
        let blocks = blocks(50);
        let whole = encode(&blocks);
        let last = whole.len() - (car::PREFIX_LENGTH.min(38) + blocks[49].1.len());
        let cut = &whole[..whole.len() - 1];
        let (found, checked) = damages(cut);
        let expected = Damage::Unreadable { offset: checked.bytes, cause: CarError::Truncated("a block") };
        assert_eq!(found, std::slice::from_ref(&expected));
        assert_eq!((checked.frames, checked.bytes), (49, last as u64));
        let mut reader = open(cut);
        assert_eq!(reader.get(&blocks[49].0).unwrap(), None);
        assert_eq!(reader.damage(), Some(&expected));
        assert_eq!(reader.get(&blocks[48].0).unwrap(), Some(&blocks[48].1[..]));
        assert_eq!(reader.next_block().unwrap(), Next::Damaged(expected));
        assert_eq!(reader.next_block().unwrap(), Next::End);
        for garbage in [&[0][..], &[0xff; 50], b"garbage, and more of it"] {
            let (found, checked) = damages(&[&whole, garbage].concat());
            assert!(
                matches!(&found[..], [Damage::Unreadable { offset, .. }] if *offset == whole.len() as u64)
            );
            assert_eq!(checked.frames, 50);
        }
    }

    #[test]
    fn what_was_handed_out_and_the_rest_are_the_whole_file() {
        let blocks: Vec<_> = blocks(300).into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
        let whole = encode(&blocks);
        let offsets: Vec<u64> = {
            let mut reader = open(&whole);
            let mut offsets = Vec::new();
            while let Next::Block { offset, .. } = reader.next_block().unwrap() {
                offsets.push(offset);
            }
            assert_eq!(reader.served.len(), 1);
            assert_eq!(reader.check_rest(|_| ()).unwrap(), Checked { frames: 0, bytes: whole.len() as u64 });
            offsets
        };
        let count = blocks.len();
        // Asked for by CID, in file order, and both in turn; the frames of `lies` have false bytes.
        let lies: Vec<usize> = (0..count).filter(|n| n % 5 == 2).collect();
        let mut bytes = whole.clone();
        for lie in &lies {
            bytes[offsets[*lie] as usize + 40] ^= 1;
        }
        for order in 0..4 {
            let mut reader = open(&bytes);
            let mut hashed = vec![0; count];
            for n in (0..count).map(|n| n * 7_919 % count).filter(|n| n % (order + 1) == 0) {
                let found = reader.get(&blocks[n].0).unwrap().unwrap();
                assert_eq!(found == blocks[n].1, !lies.contains(&n));
                hashed[n] += 1;
                if n % 3 == 1
                    && let Next::Block { offset, .. } = reader.next_block().unwrap()
                {
                    let next = offsets.binary_search(&offset).unwrap();
                    assert_eq!(next, n + 1);
                    hashed[next] += 1;
                }
            }
            // A search that hashes passes frames that lie; they were not handed out.
            let lie = lies.iter().find(|lie| hashed[**lie] == 0);
            if let Some(lie) = lie {
                assert_eq!(reader.get_verified(&blocks[*lie].0).unwrap(), None);
            }
            let mut reported = Vec::new();
            let checked = reader.check_rest(|damage| reported.push(damage)).unwrap();
            let rest: Vec<usize> = (0..count).filter(|n| hashed[*n] == 0).collect();
            assert_eq!(checked, Checked { frames: rest.len() as u64, bytes: bytes.len() as u64 });
            let expected = rest.iter().filter(|n| lies.contains(n));
            let expected: Vec<_> =
                expected.map(|n| Damage::Mismatch { offset: offsets[*n], cid: blocks[*n].0 }).collect();
            assert_eq!(reported, expected, "{order}");
            assert_eq!(reader.check_all(|_| ()).unwrap().frames, count as u64);
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let whole = encode(&blocks(8)[1..]);
        let first = car::encode_header(&blocks(2)[1].0).len();
        for bit in first * 8..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let codec = damages(&bytes).0.is_empty();
            // A codec is no part of the digest: raw and dag-pb differ in more than one bit, dag-cbor is between.
            assert!(!codec || bytes[bit / 8] == 0x71 || bytes[bit / 8] == 0x70, "bit {bit}");
        }
    }

    #[test]
    fn files_that_are_no_car_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.car");
        assert!(matches!(CarReader::open(&path), Err(ReadError::Io { .. })));
        assert!(matches!(CarReader::open(directory.path()), Err(ReadError::Io { .. })));
        let whole = encode(&blocks(1));
        let header = car::encode_header(&blocks(1)[0].0).len();
        for bytes in (0..header).map(|end| &whole[..end]).chain([&b"not a car at all"[..], &[0xff; 100]]) {
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(CarReader::open(&path), Err(ReadError::NotCar { .. })));
        }
    }

    #[test]
    fn the_newest_head_is_the_last_true_one() {
        let head = |n: usize| {
            let link = Cid::of(Codec::DagCbor, &n.to_be_bytes());
            let tlog = Cid::of(Codec::DagPb, &n.to_be_bytes());
            let bytes = encode_head(&Head { manifest: link, entries: link, tlog, timestamps: vec![] });
            (Cid::of(Codec::DagCbor, &bytes), bytes)
        };
        let mut all = Vec::new();
        assert_eq!(open(&encode(&blocks(2000))).newest_head().unwrap(), None);
        for n in 0..3 {
            all.extend(blocks(3000));
            all.push(head(n));
            assert_eq!(open(&encode(&all)).newest_head().unwrap(), Some(head(n).0));
        }
        all.push(head(1));
        assert_eq!(open(&encode(&all)).heads().unwrap(), [head(0).0, head(1).0, head(2).0]);
        all.pop();
        // A lie, one that is no dag-cbor, and much that is neither.
        all.push((head(9).0, head(8).1));
        all.push(raw(&head(7).1));
        all.extend((0..5).map(|n| raw(&vec![n; 1 << 20])));
        let bytes = encode(&all);
        let mut reader = open(&bytes);
        assert_eq!(reader.newest_head().unwrap(), Some(head(2).0));
        // Nor are lies among all of them.
        assert_eq!(reader.heads().unwrap().len(), 3);
        assert_eq!(reader.damage(), None);
        assert_eq!(reader.get(&head(1).0).unwrap(), Some(&head(1).1[..]));
        let mut torn = open(&bytes[..bytes.len() - 5]);
        assert_eq!(torn.newest_head().unwrap(), Some(head(2).0));
        assert_eq!(torn.heads().unwrap().len(), 3);
        assert!(matches!(torn.damage(), Some(Damage::Unreadable { .. })));
    }
}
