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

    /// What the head file says.
    pub(super) fn read_head(&self) -> Result<Named, ArchiveError> {
        match fs::read(&self.head) {
            Ok(bytes) => {
                let named = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_end().parse().ok());
                Ok(named.map_or(Named::Garbled, Named::Head))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Named::Absent),
            Err(error) => Err(failed("read", &self.head)(error)),
        }
    }

    /// Lets the head file name `head`, durably.
    pub(super) fn write_head(&self, head: &Cid) -> Result<(), ArchiveError> {
        durable::replace(&self.head, head_text(head).as_bytes()).map_err(failed("write", &self.head))
    }

    /// Lets the head file name `head` for all that read it from now on. It is overwritten and not flushed: after a
    /// power failure it may be old or hold no CID, and the archive, which is flushed, says what it has to be.
    pub(super) fn write_head_unflushed(&self, head: &Cid) -> Result<(), ArchiveError> {
        durable::overwrite(&self.head, head_text(head).as_bytes()).map_err(failed("write", &self.head))
    }
}

/// What a head file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A CID.
    Head(Cid),
    /// No CID: what a power failure leaves of a file that was not flushed.
    Garbled,
    /// There is none. No crash takes it away.
    Absent,
}

impl Named {
    pub(super) const fn cid(self) -> Option<Cid> {
        match self {
            Self::Head(cid) => Some(cid),
            Self::Garbled | Self::Absent => None,
        }
    }
}

fn head_text(head: &Cid) -> String {
    format!("{head}\n")
}
