//! A CAR file of blocks that were fetched, which goes when nobody needs it any more.

use std::path::{Path, PathBuf};

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

impl Spool {
    /// Begins one in `folder`.
    ///
    /// # Errors
    /// [`OpsError::Write`].
    pub fn create(folder: &Path, root: &Cid, kept: Kept) -> Result<Self, OpsError> {
        let mut random = [0; 8];
        fill_random(&mut random);
        let path = folder.join(format!("greffe-{:016x}.fetched", u64::from_le_bytes(random)));
        let writer = CarWriter::create(&path, root, Existing::Keep)?;
        Ok(Self { path, writer: Some(writer), kept })
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
