//! The index of a growing archive on disk: a hash table of hints, 16 bytes a slot.
//!
//! A slot is the first eight bytes of a block's digest and one more than the offset of its frame; zeros are an
//! empty slot. A key's place is its topmost bits, and the next free slot after that. Whoever follows a slot reads
//! the frame and compares the CID, so a wrong slot gives no wrong block.
//!
//! The header vouches for the CAR up to `covered`: those bytes are on stable storage, and their frames were whole
//! and hashed to their CIDs. It is written after the slots are durable, and has a checksum; if it is not as it
//! should be, there is no index.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{
    crypto::Digest,
    model::{CID_LENGTH, Cid},
    store::{
        durable::Draft,
        frames::{Frames, Located},
    },
};

const MAGIC: [u8; 8] = *b"greffe\x00\x01";
const HEADER: usize = 144;
const SLOT: usize = 16;
/// Slots that are read at once.
const PROBE: u64 = 16;
const SMALLEST: u32 = 11;
const LARGEST: u32 = 40;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coverage {
    /// Manifest 0 of the archive.
    pub(super) root: Cid,
    /// The CAR is vouched for up to here.
    pub(super) covered: u64,
    /// The last frame before `covered`.
    pub(super) last: Located,
}

/// The key of a block.
pub(super) fn key(cid: &Cid) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = cid.digest().0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// An open index.
pub(super) struct Table {
    file: File,
    path: PathBuf,
    /// The table has two to this power of slots.
    bits: u32,
    entries: u64,
    coverage: Coverage,
}

impl Table {
    /// Opens the index of a CAR; `None` when there is none, or none that fits.
    pub(super) fn open(path: &Path, root: &Cid, frames: &mut Frames, write: bool) -> Option<Self> {
        let file = File::options().read(true).write(write).open(path).ok()?;
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0).ok()?;
        let (bits, entries, covered, last, last_cid) = decode_header(&header, root)?;
        let size = file.metadata().ok()?.len();
        if size != HEADER as u64 + ((SLOT as u64) << bits) || covered > frames.end() {
            return None;
        }
        let last = frames.named(last, &last_cid).ok()??;
        let coverage = Coverage { root: *root, covered, last };
        (last.end() == covered).then(|| Self { file, path: path.to_owned(), bits, entries, coverage })
    }

    /// Writes an index of sorted entries.
    pub(super) fn build(path: &Path, sorted: &[(u64, u64)], coverage: Coverage) -> io::Result<Self> {
        let entries = sorted.len() as u64;
        let bits =
            (SMALLEST..LARGEST).find(|bits| fits(entries, *bits)).ok_or(io::ErrorKind::FileTooLarge)?;
        let (draft, file) = Draft::create(path)?;
        let mut table = Self { file, path: path.to_owned(), bits, entries: 0, coverage };
        let mut output = BufWriter::with_capacity(1 << 18, &table.file);
        output.write_all(&[0; HEADER])?;
        let mut place = 0;
        let mut beyond = &sorted[..0];
        for (index, (key, offset)) in sorted.iter().enumerate() {
            let home = home(*key, bits);
            while place < home {
                output.write_all(&[0; SLOT])?;
                place += 1;
            }
            if place == 1 << bits {
                // The last slots overflow to the front, where others already are.
                beyond = &sorted[index..];
                break;
            }
            output.write_all(&encode_slot(*key, *offset))?;
            place += 1;
        }
        for _ in place..1 << bits {
            output.write_all(&[0; SLOT])?;
        }
        output.flush()?;
        drop(output);
        for (key, offset) in beyond {
            table.insert(*key, *offset)?;
        }
        table.entries = entries;
        table.write_header()?;
        draft.finish(&table.file)?;
        Ok(table)
    }

    /// Adds entries, durably, and then says that they are there.
    pub(super) fn add(&mut self, new: Vec<(u64, u64)>, coverage: Coverage) -> io::Result<()> {
        let entries = self.entries + new.len() as u64;
        if !fits(entries, self.bits) {
            let mut all = self.entries()?;
            all.extend(new);
            all.sort_unstable();
            all.dedup();
            *self = Self::build(&self.path, &all, coverage)?;
            return Ok(());
        }
        for (key, offset) in new {
            self.insert(key, offset)?;
        }
        self.file.sync_data()?;
        (self.entries, self.coverage) = (entries, coverage);
        self.write_header()
    }

    pub(super) const fn covered(&self) -> u64 {
        self.coverage.covered
    }

    pub(super) const fn last(&self) -> Located {
        self.coverage.last
    }

    pub(super) const fn len(&self) -> u64 {
        self.entries
    }

    /// The offsets that the table has for a key, in file order.
    pub(super) fn offsets(&self, key: u64) -> io::Result<Vec<u64>> {
        let mut offsets = Vec::new();
        self.probe(key, |_, found, offset| {
            if found == key {
                offsets.push(offset);
            }
            false
        })?;
        offsets.sort_unstable();
        Ok(offsets)
    }

    fn insert(&self, key: u64, offset: u64) -> io::Result<()> {
        let (place, taken) = self.probe(key, |_, found, at| (found, at) == (key, offset))?;
        if taken {
            return Ok(());
        }
        let place = place.ok_or(io::ErrorKind::StorageFull)?;
        self.file.write_all_at(&encode_slot(key, offset), HEADER as u64 + place * SLOT as u64)
    }

    /// Goes over the slots where a key may be until one is empty or `stop` says so: the empty slot, if there is
    /// one, and whether it was `stop`.
    fn probe(
        &self,
        key: u64,
        mut stop: impl FnMut(u64, u64, u64) -> bool,
    ) -> io::Result<(Option<u64>, bool)> {
        let slots = 1 << self.bits;
        let mut place = home(key, self.bits);
        let mut seen = 0;
        while seen < slots {
            let count = PROBE.min(slots - place);
            let mut bytes = [0; PROBE as usize * SLOT];
            let bytes = &mut bytes[..count as usize * SLOT];
            self.file.read_exact_at(bytes, HEADER as u64 + place * SLOT as u64)?;
            for (found, offset) in bytes.chunks_exact(SLOT).map(decode_slot) {
                let Some(offset) = offset else { return Ok((Some(place), false)) };
                if stop(place, found, offset) {
                    return Ok((None, true));
                }
                place += 1;
            }
            seen += count;
            place %= slots;
        }
        Ok((None, false))
    }

    fn entries(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut entries = Vec::with_capacity(usize::try_from(self.entries).unwrap_or(0).min(1 << self.bits));
        let mut bytes = vec![0; SLOT << SMALLEST];
        for chunk in 0..1 << (self.bits - SMALLEST) {
            self.file.read_exact_at(&mut bytes, HEADER as u64 + chunk * ((SLOT << SMALLEST) as u64))?;
            let slots = bytes.chunks_exact(SLOT).map(decode_slot);
            entries.extend(slots.filter_map(|(key, offset)| Some((key, offset?))));
        }
        Ok(entries)
    }

    fn write_header(&self) -> io::Result<()> {
        let Coverage { root, covered, last } = &self.coverage;
        let mut header = [0; HEADER];
        let mut rest = &mut header[..];
        let mut put = |bytes: &[u8]| {
            let (front, back) = std::mem::take(&mut rest).split_at_mut(bytes.len());
            front.copy_from_slice(bytes);
            rest = back;
        };
        put(&MAGIC);
        put(&root.to_bytes());
        put(&u64::from(self.bits).to_be_bytes());
        put(&self.entries.to_be_bytes());
        put(&covered.to_be_bytes());
        put(&last.offset.to_be_bytes());
        put(&last.frame.cid.to_bytes());
        let checksum = Digest::of(&header[..BODY]).0;
        header[BODY..].copy_from_slice(&checksum);
        self.file.write_all_at(&header, 0)
    }
}

/// Bytes of the header before its checksum.
const BODY: usize = HEADER - 32;
const _: () = assert!(BODY == 8 + CID_LENGTH + 4 * 8 + CID_LENGTH);

fn decode_header(header: &[u8; HEADER], root: &Cid) -> Option<(u32, u64, u64, u64, Cid)> {
    let (body, checksum) = header.split_at(BODY);
    if Digest::of(body).0 != checksum {
        return None;
    }
    let body = body.strip_prefix(&MAGIC)?.strip_prefix(&root.to_bytes())?;
    let (numbers, last_cid) = body.split_at(32);
    let mut numbers = numbers.chunks_exact(8).map(number);
    let bits = u32::try_from(numbers.next()?).ok().filter(|bits| (SMALLEST..LARGEST).contains(bits))?;
    let (entries, covered, last) = (numbers.next()?, numbers.next()?, numbers.next()?);
    Some((bits, entries, covered, last, Cid::from_bytes(last_cid).ok()?))
}

/// Whether that many entries leave three slots of ten empty.
const fn fits(entries: u64, bits: u32) -> bool {
    entries <= (1 << bits) / 10 * 7
}

const fn home(key: u64, bits: u32) -> u64 {
    key >> (64 - bits)
}

fn encode_slot(key: u64, offset: u64) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[..8].copy_from_slice(&key.to_be_bytes());
    slot[8..].copy_from_slice(&(offset + 1).to_be_bytes());
    slot
}

fn decode_slot(slot: &[u8]) -> (u64, Option<u64>) {
    let (key, offset) = slot.split_at(8);
    (number(key), number(offset).checked_sub(1))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{codec::car::Frame, model::Codec};

    fn coverage(covered: u64) -> Coverage {
        let cid = Cid::of(Codec::Raw, b"");
        let last = Located { offset: covered - 37, frame: Frame { cid, prefix: 37, length: 0 } };
        Coverage { root: cid, covered, last }
    }

    #[test]
    fn equal_keys_and_full_places_lose_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index");
        // Many of one key, many for the last place, and so for the first ones too.
        let mut entries: Vec<(u64, u64)> = (0..50).map(|n| (u64::MAX - n % 3, 1000 + n)).collect();
        entries.extend((0..30).map(|n| (n % 2, 2000 + n)));
        entries.extend((0..500).map(|n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15), 5000 + n)));
        entries.sort_unstable();
        let mut table = Table::build(&path, &entries, coverage(10_000)).unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        for round in 0..4 {
            for (key, _) in &entries {
                let expected: Vec<u64> = entries.iter().filter(|e| e.0 == *key).map(|e| e.1).collect();
                assert_eq!(table.offsets(*key).unwrap(), expected, "{round}");
            }
            assert!(table.offsets(77).unwrap().is_empty());
            assert_eq!(table.len(), entries.len() as u64);
            let more = (0..600).map(|n: u64| (n.wrapping_mul(0xc2b2_ae3d_27d4_eb4f) ^ round, 10_000 + n));
            let more: Vec<_> = more.collect();
            table.add(more.clone(), coverage(20_000)).unwrap();
            entries.extend(more);
            entries.sort_unstable();
            entries.dedup();
        }
        assert_eq!(table.covered(), 20_000);
        assert!(std::fs::metadata(&path).unwrap().len() > size);
    }
}
