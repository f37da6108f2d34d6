//! What is known of a capture that was installed: `<name>.capture.json`, beside the archive.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::model::ChainName;

/// Larger files are not ours.
const LIMIT: u64 = 64 << 10;

/// The note beside one archive.
#[derive(Clone, Debug)]
pub struct CaptureFile {
    path: PathBuf,
}

impl CaptureFile {
    /// That of the chain `name` in `directory`; nothing is created.
    #[must_use]
    pub fn of(directory: &Path, name: &ChainName) -> Self {
        Self { path: directory.join(format!("{name}.capture.json")) }
    }

    /// What it says; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?.take(LIMIT + 1).read_to_end(&mut bytes)?,
        };
        if bytes.len() as u64 > LIMIT {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "larger than anything that is written here",
            ));
        }
        Ok(Some(bytes))
    }

    /// Writes it anew; durable when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        super::durable::replace(&self.path, bytes)
    }
}
