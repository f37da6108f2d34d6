//! The files of an archive by their names, and what the small ones say.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{ArchiveError, error::failed, lock::Lock};
use crate::{
    model::{ChainName, Cid},
    store::durable,
};

/// Where the files of an archive are.
#[derive(Clone)]
pub(super) struct Files {
    pub(super) car: PathBuf,
    pub(super) index: PathBuf,
    pub(super) head: PathBuf,
    pub(super) lock: PathBuf,
}

impl Files {
    pub(super) fn new(directory: &Path, name: &ChainName) -> Self {
        let path = |extension| directory.join(format!("{name}.{extension}"));
        Self { car: path("car"), index: path("index"), head: path("head"), lock: path("lock") }
    }

    pub(super) fn lock(&self, wait: Duration) -> Result<Lock, ArchiveError> {
        let lock = Lock::take(&self.lock, wait).map_err(failed("lock", &self.lock))?;
        lock.ok_or_else(|| ArchiveError::InUse { path: self.car.clone() })
    }

    /// What the head file names; `None` when it is not there or names nothing.
    pub(super) fn read_head(&self) -> Result<Option<Cid>, ArchiveError> {
        match fs::read(&self.head) {
            Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_end().parse().ok())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &self.head)(error)),
        }
    }

    pub(super) fn write_head(&self, head: &Cid) -> Result<(), ArchiveError> {
        durable::replace(&self.head, format!("{head}\n").as_bytes()).map_err(failed("write", &self.head))
    }
}
