//! The newest IPNS record of a chain: `<name>.ipns` beside the archive, as it was signed.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::durable;
use crate::codec::ipns::IPNS_RECORD_LIMIT;
use crate::model::ChainName;

/// Where the record of a chain is.
#[must_use]
pub fn record_path(directory: &Path, name: &ChainName) -> PathBuf {
    directory.join(format!("{name}.ipns"))
}

/// The record's bytes; `None` where there is none, and for what is too long to be one.
///
/// # Errors
/// Those of the file system.
pub fn read_record(directory: &Path, name: &ChainName) -> io::Result<Option<Vec<u8>>> {
    let path = record_path(directory, name);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.len() <= IPNS_RECORD_LIMIT as u64 => fs::read(&path).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The place of a chain's record, held by one process at a time: its sequence must not be given twice.
pub struct RecordPlace {
    path: PathBuf,
    /// The operating system lets it go with this value, however the process ends.
    _lock: fs::File,
}

impl RecordPlace {
    /// Takes the place, by the lock of `<name>.ipns.lock`; waits for whoever has it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn take(directory: &Path, name: &ChainName) -> io::Result<Self> {
        let path = record_path(directory, name);
        let lock = fs::File::create(path.with_extension("ipns.lock"))?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    /// Puts a record in the place of the one before, durably.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        durable::replace(&self.path, bytes)
    }
}
