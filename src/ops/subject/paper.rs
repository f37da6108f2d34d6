//! The file of a receipt. It is made before anything is erased, so that an erasure whose receipt cannot be written does
//! not begin.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::receipt::Receipt;
use super::{MapFile, SubjectError};
use crate::crypto::Signer;

/// A file that waits for its receipt; one that gets none is removed.
pub struct Paper<'a> {
    path: PathBuf,
    file: File,
    map: &'a MapFile,
    key: &'a dyn Signer,
    is_written: bool,
}

impl<'a> Paper<'a> {
    /// Makes a new file of mode 0600.
    ///
    /// # Errors
    /// [`SubjectError::Exists`]; [`SubjectError::File`].
    pub fn create(path: &Path, map: &'a MapFile, key: &'a dyn Signer) -> Result<Self, SubjectError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => SubjectError::Exists(path.to_owned()),
            _ => SubjectError::File { path: path.to_owned(), done: "written", source },
        })?;
        Ok(Self { path: path.to_owned(), file, map, key, is_written: false })
    }

    /// The same at `STEM.json`, or the first of `STEM-2.json`, `STEM-3.json` … that is not there yet.
    ///
    /// # Errors
    /// As [`Paper::create`].
    pub fn create_free(stem: &str, map: &'a MapFile, key: &'a dyn Signer) -> Result<Self, SubjectError> {
        let mut tried = Self::create(Path::new(&format!("{stem}.json")), map, key);
        for number in 2..10_000_u32 {
            if !matches!(tried, Err(SubjectError::Exists(_))) {
                break;
            }
            tried = Self::create(Path::new(&format!("{stem}-{number}.json")), map, key);
        }
        tried
    }

    /// Signs a receipt and writes it, durably; its path.
    ///
    /// # Errors
    /// [`SubjectError::Unwritten`], which holds the receipt.
    pub fn write(mut self, receipt: &Receipt) -> Result<PathBuf, SubjectError> {
        let bytes = receipt.sign((&self.map.name, self.map.digest), self.key)?;
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_all());
        written.map_err(|source| SubjectError::Unwritten {
            path: self.path.clone(),
            outcome: receipt.outcome.as_str(),
            text: String::from_utf8_lossy(&bytes).trim_end().to_owned(),
            source,
        })?;
        self.is_written = true;
        Ok(self.path.clone())
    }
}

impl Drop for Paper<'_> {
    fn drop(&mut self) {
        if !self.is_written {
            std::fs::remove_file(&self.path).ok();
        }
    }
}
