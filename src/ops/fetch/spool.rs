//! A CAR file of blocks that were fetched, which goes when nobody needs it any more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::crypto::fill_random;
use crate::model::Cid;
use crate::ops::OpsError;
use crate::store::{CarWriter, Existing};

/// Which blocks a spool keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Those that an archive on this machine has not.
    New,
    All,
}

/// A file that is written while a chain is fetched, and removed with this value.
pub struct Spool {
    path: PathBuf,
    writer: Option<CarWriter>,
    kept: Kept,
}

/// A spool that was not written to for so long is nobody's.
const LEFT: Duration = Duration::from_secs(7200);

impl Spool {
    /// Begins one in `folder`, where those that were left behind go.
    ///
    /// # Errors
    /// [`OpsError::Write`].
    pub fn create(folder: &Path, root: &Cid, kept: Kept) -> Result<Self, OpsError> {
        Self::sweep(folder, LEFT);
        let mut random = [0; 8];
        fill_random(&mut random);
        let path = folder.join(format!("greffe-{:016x}.fetched", u64::from_le_bytes(random)));
        let writer = CarWriter::create(&path, root, Existing::Keep)?;
        Ok(Self { path, writer: Some(writer), kept })
    }

    /// Removes those that were left in `folder` by a process that was ended: nobody writes one for so long.
    fn sweep(folder: &Path, longest: Duration) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let ours = entry.file_name().to_str().is_some_and(is_spool);
            let modified = entry.metadata().and_then(|file| file.modified()).ok();
            let age = modified.and_then(|modified| modified.elapsed().ok()).unwrap_or_default();
            if ours && age > longest {
                // What cannot be removed is looked at again the next time.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    pub(super) fn put(&mut self, cid: &Cid, bytes: &[u8]) -> Result<(), OpsError> {
        if let Some(writer) = &mut self.writer {
            writer.put(cid, bytes)?;
        }
        Ok(())
    }

    pub(super) fn put_local(&mut self, cid: &Cid, bytes: &[u8]) -> Result<(), OpsError> {
        if self.kept == Kept::All { self.put(cid, bytes) } else { Ok(()) }
    }

    /// Ends the file, which stays as long as this value does.
    ///
    /// # Errors
    /// [`OpsError::Write`].
    pub fn finish(&mut self) -> Result<&Path, OpsError> {
        if let Some(writer) = self.writer.take() {
            writer.finish()?;
        }
        Ok(&self.path)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if self.writer.is_none() {
            // Nobody can be told; a spool that stays behind is never read.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether a file has a name that only a spool has, or what it was written under until it was finished. The names of
/// chains stand in the same folder, and whoever begins one chooses it.
fn is_spool(name: &str) -> bool {
    let random =
        |text: &str| text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let parts = name.strip_prefix("greffe-").and_then(|rest| rest.split_once(".fetched"));
    parts.is_some_and(|(number, rest)| {
        let draft = rest.strip_prefix('.').and_then(|rest| rest.strip_suffix(".tmp"));
        random(number) && (rest.is_empty() || draft.is_some_and(random))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    #[test]
    fn a_spool_goes_with_its_value_and_what_was_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let count = || std::fs::read_dir(folder.path()).unwrap().count();
        let cid = Cid::of(Codec::Raw, b"block");
        for finished in [false, true] {
            let mut spool = Spool::create(folder.path(), &cid, Kept::New).unwrap();
            spool.put(&cid, b"block").unwrap();
            spool.put_local(&Cid::of(Codec::Raw, b"here"), b"here").unwrap();
            if finished {
                let mut reader = crate::store::CarReader::open(spool.finish().unwrap()).unwrap();
                assert_eq!(reader.check_all(|damage| panic!("{damage}")).unwrap().frames, 1);
            }
            assert_eq!(count(), 1);
            drop(spool);
            assert_eq!(count(), 0);
        }
        let ours =
            ["greffe-0123456789abcdef.fetched", "greffe-0123456789abcdef.fetched.fedcba9876543210.tmp"];
        // Names of chains, and what stands beside their archives.
        let theirs = [
            "greffe-a.fetched.car",
            "greffe-0123456789abcdef.fetched.car",
            "greffe-0123456789abcdef.fetched.car.fedcba9876543210.tmp",
            "greffe-0123456789ABCDEF.fetched",
            "greffe-00.fetched.ab.tmp",
            "greffe-0123456789abcdef.car",
        ];
        for name in ours.iter().chain(&theirs) {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        Spool::sweep(folder.path(), Duration::from_secs(60));
        assert_eq!(count(), ours.len() + theirs.len());
        std::thread::sleep(Duration::from_millis(20));
        Spool::sweep(folder.path(), Duration::from_millis(1));
        for name in theirs {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        assert_eq!(count(), theirs.len());
    }
}
