//! Writes a CARv1 file beside its place, and puts it there when it is finished.

use std::{
    fs::File,
    hash::{BuildHasher, RandomState},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    durable::{Draft, sync_directory},
    frame_map::FrameMap,
};
use crate::{
    codec::car::{self, BLOCK_LIMIT, PREFIX_LENGTH},
    model::Cid,
};

const BUFFER: usize = 1 << 18;

/// Why a CAR file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("{} exists already", path.display())]
    Exists { path: PathBuf },
    #[error("block {cid} has {size} bytes, more than {BLOCK_LIMIT}")]
    TooLarge { cid: Cid, size: usize },
    #[error("cannot write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// What to do with a file that already has the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Keep,
    Replace,
}

/// A CAR file that is being written. Nobody sees it before [`Self::finish`]; dropped before, it leaves nothing.
pub struct CarWriter {
    path: PathBuf,
    existing: Existing,
    draft: Draft,
    file: File,
    /// Bytes that are in the file.
    written: u64,
    /// Bytes that are not yet.
    pending: Vec<u8>,
    frames: FrameMap,
    keys: RandomState,
}

impl CarWriter {
    /// Begins a file with one root.
    ///
    /// # Errors
    /// [`WriteError`] when the file exists and is to be kept, or its directory cannot be written.
    pub fn create(path: &Path, root: &Cid, existing: Existing) -> Result<Self, WriteError> {
        refuse(path, existing)?;
        let (draft, file) =
            Draft::create(path).map_err(|source| WriteError::Io { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            existing,
            draft,
            file,
            written: 0,
            pending: car::encode_header(root),
            frames: FrameMap::default(),
            keys: RandomState::new(),
        })
    }

    /// Adds a block, whose bytes the caller has hashed. Says whether it was new; a CID is written once.
    ///
    /// # Errors
    /// [`WriteError`]; the file is then of no use.
    pub fn put(&mut self, cid: &Cid, block: &[u8]) -> Result<bool, WriteError> {
        if block.len() > BLOCK_LIMIT {
            return Err(WriteError::TooLarge { cid: *cid, size: block.len() });
        }
        self.add(cid, block).map_err(|source| WriteError::Io { path: self.path.clone(), source })
    }

    /// Bytes so far.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Makes the file durable and gives it its name. Returns its bytes.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has the name then, or still what had it.
    pub fn finish(mut self) -> Result<u64, WriteError> {
        refuse(&self.path, self.existing)?;
        let length = self.length();
        let failed = |source| WriteError::Io { path: self.path.clone(), source };
        self.file.write_all_at(&self.pending, self.written).map_err(failed)?;
        self.pending.clear();
        self.draft.finish(&self.file).map_err(failed)?;
        sync_directory(&self.path).map_err(failed)?;
        Ok(length)
    }

    fn add(&mut self, cid: &Cid, block: &[u8]) -> io::Result<bool> {
        let key = self.keys.hash_one(cid);
        self.frames.sort();
        let mut after = 0;
        while let Some(offset) = self.frames.next(key, after) {
            if self.cid_at(offset)? == Some(*cid) {
                return Ok(false);
            }
            after = offset;
        }
        self.frames.insert(key, self.length());
        car::push_frame(&mut self.pending, cid, block);
        if self.pending.len() >= BUFFER {
            self.file.write_all_at(&self.pending, self.written)?;
            self.written += self.pending.len() as u64;
            self.pending.clear();
        }
        Ok(true)
    }

    fn cid_at(&self, offset: u64) -> io::Result<Option<Cid>> {
        let mut prefix = [0; PREFIX_LENGTH];
        let frame = match offset.checked_sub(self.written) {
            Some(pending) => car::decode_frame(&self.pending[pending as usize..]),
            None => {
                let here = (self.written - offset).min(PREFIX_LENGTH as u64) as usize;
                self.file.read_exact_at(&mut prefix[..here], offset)?;
                car::decode_frame(&prefix[..here])
            }
        };
        Ok(frame.ok().map(|frame| frame.cid))
    }
}

fn refuse(path: &Path, existing: Existing) -> Result<(), WriteError> {
    if existing == Existing::Keep && path.symlink_metadata().is_ok() {
        return Err(WriteError::Exists { path: path.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{model::Codec, store::CarReader};

    fn block(n: u32) -> (Cid, Vec<u8>) {
        let bytes = n.to_string().repeat(n as usize % 200).into_bytes();
        (Cid::of(Codec::Raw, &bytes), bytes)
    }

    #[test]
    fn a_cid_is_written_once_wherever_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.car");
        let mut writer = CarWriter::create(&path, &block(1).0, Existing::Keep).unwrap();
        for n in 1..3000 {
            let (cid, bytes) = block(n);
            assert_eq!(writer.put(&cid, &bytes).unwrap(), n == 1 || !bytes.is_empty() || n == 200);
            assert!(!writer.put(&cid, &bytes).unwrap());
        }
        for n in 1..3000 {
            assert!(!writer.put(&block(n).0, &block(n).1).unwrap());
        }
        assert!(!path.exists());
        let length = writer.length();
        assert_eq!(writer.finish().unwrap(), length);
        assert_eq!(fs::metadata(&path).unwrap().len(), length);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let mut reader = CarReader::open(&path).unwrap();
        assert_eq!(reader.root(), block(1).0);
        let checked = reader.check_all(|damage| panic!("{damage}")).unwrap();
        assert_eq!(checked.frames, 2999 - 13);
    }

    #[test]
    fn what_is_not_finished_leaves_nothing_and_what_exists_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.car");
        let (cid, bytes) = block(7);
        let create = |existing| CarWriter::create(&path, &cid, existing);
        let mut writer = create(Existing::Keep).unwrap();
        writer.put(&cid, &bytes).unwrap();
        drop(writer);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let writer = create(Existing::Keep).unwrap();
        fs::write(&path, "mine").unwrap();
        assert!(matches!(writer.finish(), Err(WriteError::Exists { .. })));
        assert!(matches!(create(Existing::Keep), Err(WriteError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        create(Existing::Replace).unwrap().finish().unwrap();
        assert!(CarReader::open(&path).is_ok());
        let large = vec![0; BLOCK_LIMIT + 1];
        let refused = create(Existing::Replace).unwrap().put(&cid, &large);
        assert!(matches!(refused, Err(WriteError::TooLarge { .. })));
    }
}
