//! Files and directories as UnixFS under the profile `unixfs-v1-2025` (FORMAT §1, IPIP-499): raw
//! leaves of 1 MiB, balanced trees of 1024 links, directories of one block.

use std::collections::BTreeMap;

use crate::model::{Cid, Codec, FileDigests, LineFeedHasher};

/// Bytes of a full chunk; a file of at most so many bytes is one raw block.
pub const CHUNK: usize = 1 << 20;
/// Links of a full node.
const LINKS: usize = 1024;
/// The profile shards a directory whose block would be larger; no directory of this format comes near.
const DIRECTORY_LIMIT: usize = 256 << 10;

/// Why a block is not UnixFS of this profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnixFsError {
    #[error("not a canonical dag-pb node")]
    Malformed,
    #[error("not the UnixFS {0} of this profile")]
    Kind(&'static str),
}

/// A link of a dag-pb node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PbLink {
    pub cid: Cid,
    pub name: String,
    /// Bytes of all blocks below, as IPFS counts them.
    pub total_size: u64,
}

/// Writes a dag-pb node: links first, then data, as its canonical form asks.
fn encode_node(links: &[PbLink], data: &[u8]) -> Vec<u8> {
    let mut node = Vec::with_capacity(links.len() * 56 + data.len() + 8);
    for link in links {
        let mut inner = Vec::with_capacity(56);
        push_bytes(&mut inner, 1, &link.cid.to_bytes());
        push_bytes(&mut inner, 2, link.name.as_bytes());
        push_number(&mut inner, 3, link.total_size);
        push_bytes(&mut node, 2, &inner);
    }
    push_bytes(&mut node, 1, data);
    node
}

fn push_bytes(to: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    to.push(field << 3 | 2);
    push_varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn push_number(to: &mut Vec<u8>, field: u8, number: u64) {
    to.push(field << 3);
    push_varint(to, number);
}

/// Appends an unsigned LEB128 number in its shortest form.
pub fn push_varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Reads an unsigned LEB128 number in its shortest form from the front of `bytes`.
#[must_use]
pub fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        let part = u64::from(byte & 0x7f);
        if index == 9 && part > 1 {
            return None;
        }
        number |= part << (7 * index);
        if byte & 0x80 == 0 {
            // A last byte of zero adds nothing: the number has a shorter form.
            if *byte == 0 && index > 0 {
                return None;
            }
            *bytes = &bytes[index + 1..];
            return Some(number);
        }
    }
    None
}

fn take_bytes<'a>(bytes: &mut &'a [u8], field: u8) -> Option<&'a [u8]> {
    *bytes = bytes.strip_prefix(&[field << 3 | 2])?;
    let length = usize::try_from(take_varint(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// Reads a dag-pb node into its links and data.
fn decode_node(mut bytes: &[u8]) -> Option<(Vec<PbLink>, &[u8])> {
    let mut links = Vec::new();
    while bytes.first() == Some(&0x12) {
        let mut inner = take_bytes(&mut bytes, 2)?;
        let cid = Cid::from_bytes(take_bytes(&mut inner, 1)?).ok()?;
        let name = std::str::from_utf8(take_bytes(&mut inner, 2)?).ok()?.to_owned();
        inner = inner.strip_prefix(&[3 << 3])?;
        let total_size = take_varint(&mut inner)?;
        if !inner.is_empty() {
            return None;
        }
        links.push(PbLink { cid, name, total_size });
    }
    let data = take_bytes(&mut bytes, 1)?;
    bytes.is_empty().then_some((links, data))
}

/// A block that a builder made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    pub cid: Cid,
    pub bytes: Vec<u8>,
}

/// Where a builder puts finished blocks.
pub type Sink<'a> = dyn FnMut(Built) + 'a;

/// Makes the blocks of one file from its bytes, which may arrive in parts.
#[derive(Default)]
pub struct FileBuilder {
    chunk: Vec<u8>,
    /// Finished children of each level, leaves first.
    levels: Vec<Vec<Child>>,
}

#[derive(Clone, Copy)]
struct Child {
    cid: Cid,
    /// Bytes of the file below.
    size: u64,
    /// Bytes of all blocks below.
    total_size: u64,
}

impl FileBuilder {
    /// Adds bytes to the file.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut Sink<'_>) {
        while !bytes.is_empty() {
            // A full chunk is put only when another byte follows, for one chunk alone is the file.
            if self.chunk.len() == CHUNK {
                self.end_chunk(sink);
            }
            let (now, rest) = bytes.split_at(bytes.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            bytes = rest;
        }
    }

    /// Ends the file and says its CID.
    pub fn finish(mut self, sink: &mut Sink<'_>) -> Cid {
        self.end_chunk(sink);
        let mut level = 0;
        loop {
            let children = std::mem::take(&mut self.levels[level]);
            if let ([only], true) = (children.as_slice(), level + 1 == self.levels.len()) {
                return only.cid;
            }
            if !children.is_empty() {
                let parent = end_node(&children, sink);
                self.add(level + 1, parent, sink);
            }
            level += 1;
        }
    }

    fn end_chunk(&mut self, sink: &mut Sink<'_>) {
        let bytes = std::mem::take(&mut self.chunk);
        let (cid, size) = (Cid::of(Codec::Raw, &bytes), bytes.len() as u64);
        sink(Built { cid, bytes });
        self.add(0, Child { cid, size, total_size: size }, sink);
    }

    fn add(&mut self, level: usize, child: Child, sink: &mut Sink<'_>) {
        if level == self.levels.len() {
            self.levels.push(Vec::new());
        }
        if self.levels[level].len() == LINKS {
            let children = std::mem::take(&mut self.levels[level]);
            let parent = end_node(&children, sink);
            self.add(level + 1, parent, sink);
        }
        self.levels[level].push(child);
    }
}

fn end_node(children: &[Child], sink: &mut Sink<'_>) -> Child {
    let size: u64 = children.iter().map(|child| child.size).sum();
    // UnixFS data: type 2 (file), the size of the file, then of each child.
    let mut data = vec![0x08, 0x02];
    push_number(&mut data, 3, size);
    for child in children {
        push_number(&mut data, 4, child.size);
    }
    let links: Vec<PbLink> = children
        .iter()
        .map(|child| PbLink { cid: child.cid, name: String::new(), total_size: child.total_size })
        .collect();
    let bytes = encode_node(&links, &data);
    let cid = Cid::of(Codec::DagPb, &bytes);
    let total_size = bytes.len() as u64 + children.iter().map(|child| child.total_size).sum::<u64>();
    sink(Built { cid, bytes });
    Child { cid, size, total_size }
}

/// The CID and blocks of a file whose bytes are at hand.
pub fn build_file(bytes: &[u8], sink: &mut Sink<'_>) -> Cid {
    let mut builder = FileBuilder::default();
    builder.push(bytes, sink);
    builder.finish(sink)
}

/// The children of a file's node, in order.
///
/// # Errors
/// [`UnixFsError`] when the block is no file node.
pub fn decode_file_node(bytes: &[u8]) -> Result<Vec<Cid>, UnixFsError> {
    let (links, data) = decode_node(bytes).ok_or(UnixFsError::Malformed)?;
    let unnamed = links.iter().all(|link| link.name.is_empty());
    if !(1..=LINKS).contains(&links.len()) || !unnamed || !is_file_data(data, links.len()) {
        return Err(UnixFsError::Kind("file"));
    }
    Ok(links.into_iter().map(|link| link.cid).collect())
}

/// Whether UnixFS data is that of a file with so many children: type 2, the size of the file, then that of
/// each child, and no bytes of the file itself.
fn is_file_data(data: &[u8], children: usize) -> bool {
    let Some(mut rest) = data.strip_prefix(&[0x08, 0x02, 3 << 3]) else { return false };
    let Some(size) = take_varint(&mut rest) else { return false };
    let mut sum: u64 = 0;
    for _ in 0..children {
        let Some(field) = rest.strip_prefix(&[4 << 3]) else { return false };
        rest = field;
        let Some(child) = take_varint(&mut rest) else { return false };
        sum = sum.saturating_add(child);
    }
    rest.is_empty() && sum == size
}

/// UnixFS data of a directory: type 1 and nothing else.
const DIRECTORY: [u8; 2] = [0x08, 0x01];

/// The links of a directory, in order.
///
/// # Errors
/// [`UnixFsError`] when the block is no directory, its names are not sorted, empty or stand twice, or
/// it is sharded.
pub fn decode_directory(bytes: &[u8]) -> Result<Vec<PbLink>, UnixFsError> {
    let (links, data) = decode_node(bytes).ok_or(UnixFsError::Malformed)?;
    let sorted = links.windows(2).all(|pair| pair[0].name.as_bytes() < pair[1].name.as_bytes());
    let named = links.iter().all(|link| !link.name.is_empty() && !link.name.contains('/'));
    if data != DIRECTORY || !sorted || !named || bytes.len() > DIRECTORY_LIMIT {
        return Err(UnixFsError::Kind("directory"));
    }
    Ok(links)
}

/// Whether a directory is full, by its name and the number of its links.
pub type IsFull<'a> = dyn Fn(&str, usize) -> bool + 'a;

/// A directory that is being put together from paths.
#[derive(Default, Debug, Clone)]
pub struct DirectoryBuilder {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone)]
enum Entry {
    /// A file of one block, or a directory that nothing is added to any more.
    Whole {
        cid: Cid,
        size: u64,
    },
    Directory(DirectoryBuilder),
}

impl DirectoryBuilder {
    /// Puts a file of one block at `path`, whose parts are separated by `/`. `size`: its bytes. A directory that
    /// nothing is added to any more may stand for its files, with the bytes of all its blocks.
    pub fn insert(&mut self, path: &str, cid: Cid, size: u64) {
        match path.split_once('/') {
            None => {
                self.entries.insert(path.to_owned(), Entry::Whole { cid, size });
            }
            Some((part, rest)) => {
                let entry =
                    self.entries.entry(part.to_owned()).or_insert_with(|| Entry::Directory(Self::default()));
                if let Entry::Directory(directory) = entry {
                    directory.insert(rest, cid, size);
                }
            }
        }
    }

    /// The fewest links that make the same directory again: paths, CIDs and sizes for [`Self::insert`]. A directory
    /// stands for its files when `is_full` holds for its name and how many links it has, and for those below it.
    #[must_use]
    pub fn links(&self, is_full: &IsFull<'_>) -> Vec<(String, Cid, u64)> {
        let mut links = Vec::new();
        for (name, entry) in &self.entries {
            match entry {
                Entry::Whole { cid, size } => links.push((name.clone(), *cid, *size)),
                Entry::Directory(directory) if directory.is_closed(name, is_full) => {
                    let (cid, size) = directory.finish_sized(&mut |_| ());
                    links.push((name.clone(), cid, size));
                }
                Entry::Directory(directory) => {
                    let below = directory.links(is_full).into_iter();
                    links.extend(below.map(|(path, cid, size)| (format!("{name}/{path}"), cid, size)));
                }
            }
        }
        links
    }

    fn is_closed(&self, name: &str, is_full: &IsFull<'_>) -> bool {
        let closed = |(name, entry): (&String, &Entry)| match entry {
            Entry::Whole { .. } => true,
            Entry::Directory(directory) => directory.is_closed(name, is_full),
        };
        is_full(name, self.entries.len()) && self.entries.iter().all(closed)
    }

    /// Hands out every file with its path.
    pub fn files(&self, found: &mut dyn FnMut(String, Cid)) {
        self.walk("", found);
    }

    fn walk(&self, prefix: &str, found: &mut dyn FnMut(String, Cid)) {
        for (name, entry) in &self.entries {
            match entry {
                Entry::Whole { cid, .. } => found(format!("{prefix}{name}"), *cid),
                Entry::Directory(directory) => directory.walk(&format!("{prefix}{name}/"), found),
            }
        }
    }

    /// The CID of the directory; its blocks and those of the directories below go to `sink`.
    pub fn finish(&self, sink: &mut Sink<'_>) -> Cid {
        self.finish_sized(sink).0
    }

    fn finish_sized(&self, sink: &mut Sink<'_>) -> (Cid, u64) {
        let links: Vec<PbLink> = self
            .entries
            .iter()
            .map(|(name, entry)| {
                let (cid, total_size) = match entry {
                    Entry::Whole { cid, size } => (*cid, *size),
                    Entry::Directory(directory) => directory.finish_sized(sink),
                };
                PbLink { cid, name: name.clone(), total_size }
            })
            .collect();
        let bytes = encode_node(&links, &DIRECTORY);
        let cid = Cid::of(Codec::DagPb, &bytes);
        let total_size = bytes.len() as u64 + links.iter().map(|link| link.total_size).sum::<u64>();
        sink(Built { cid, bytes });
        (cid, total_size)
    }
}

/// The digests of a whole file and whether its blocks are those that the profile makes, found while its
/// leaves pass by.
#[derive(Default)]
pub struct FileCheck {
    hasher: crate::crypto::Hasher,
    line_feed: LineFeedHasher,
    builder: FileBuilder,
    size: u64,
}

impl FileCheck {
    /// Takes the next leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        self.hasher.update(leaf);
        self.line_feed.update(leaf);
        self.builder.push(leaf, &mut |_| ());
        self.size += leaf.len() as u64;
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The digests of all bytes and the CID that the profile gives them.
    #[must_use]
    pub fn finish(self) -> (FileDigests, Cid) {
        let digests = FileDigests { raw: self.hasher.finish(), lf: self.line_feed.finish() };
        (digests, self.builder.finish(&mut |_| ()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(size: usize) -> (Cid, usize) {
        let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let mut blocks = 0;
        let cid = build_file(&bytes, &mut |_| blocks += 1);
        (cid, blocks)
    }

    #[test]
    fn one_chunk_is_one_raw_block() {
        for size in [0, 1, CHUNK - 1, CHUNK] {
            let (cid, blocks) = build(size);
            assert_eq!((cid.codec(), blocks), (Codec::Raw, 1), "{size}");
        }
        assert_eq!(build(CHUNK + 1).0.codec(), Codec::DagPb);
        assert_eq!(build(CHUNK + 1).1, 3);
        assert_eq!(build(2 * CHUNK).1, 3);
    }

    #[test]
    fn full_directories_stand_for_their_files() {
        let full = |name: &str, links| name.starts_with('x') && links == 10;
        let tile = |n: usize| Cid::of(Codec::Raw, &n.to_be_bytes());
        let mut directory = DirectoryBuilder::default();
        for n in 0..100 {
            let path = if n < 10 { format!("tile/{n}") } else { format!("tile/x{}/{}", n / 10, n % 10) };
            directory.insert(&path, tile(n), 8);
            let links = directory.links(&full);
            assert!(links.len() <= 10 + 9 + 10, "{}", links.len());
            let mut again = DirectoryBuilder::default();
            links.iter().for_each(|(path, cid, size)| again.insert(path, *cid, *size));
            assert_eq!(again.finish(&mut |_| ()), directory.finish(&mut |_| ()), "{n}");
        }
    }

    #[test]
    fn parts_make_the_file_of_the_whole() {
        let bytes: Vec<u8> = (0..3 * CHUNK + 5).map(|n| (n % 251) as u8).collect();
        let mut check = FileCheck::default();
        bytes.chunks(999_983).for_each(|part| check.push(part));
        assert_eq!(check.finish(), (FileDigests::of(&bytes), build_file(&bytes, &mut |_| ())));
    }

    #[test]
    fn varints_have_one_form() {
        for number in [0, 1, 127, 128, 300, u64::MAX] {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, number);
            let mut rest = bytes.as_slice();
            assert_eq!((take_varint(&mut rest), rest), (Some(number), [].as_slice()));
        }
        for bad in [&[0x80, 0x00][..], &[0x80], &[0xff; 11], &[]] {
            assert_eq!(take_varint(&mut { bad }), None);
        }
    }

    #[test]
    fn directories_go_both_ways() {
        let mut directory = DirectoryBuilder::default();
        let cid = Cid::of(Codec::Raw, b"x");
        for path in ["tile/0/000.p/1", "tile/entries/000.p/1", "checkpoint"] {
            directory.insert(path, cid, 1);
        }
        let mut blocks = Vec::new();
        let root = directory.finish(&mut |built| blocks.push(built));
        let top = blocks.iter().find(|built| built.cid == root).unwrap();
        let names: Vec<String> =
            decode_directory(&top.bytes).unwrap().into_iter().map(|link| link.name).collect();
        assert_eq!(names, ["checkpoint", "tile"]);
        assert!(decode_directory(b"\x0a\x02\x08\x02").is_err());
    }
}
