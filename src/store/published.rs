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

/// Puts a record in the place of the one before, durably: its sequence must not be given twice.
///
/// # Errors
/// Those of the file system.
pub fn write_record(directory: &Path, name: &ChainName, bytes: &[u8]) -> io::Result<()> {
    durable::replace(&record_path(directory, name), bytes)
}
