//! Why an archive could not be opened, read or written.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    codec::car::{BLOCK_LIMIT, CarError},
    model::Cid,
    store::car_writer::WriteError,
};

/// Why an archive could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("archive {} exists already", path.display())]
    Exists { path: PathBuf },
    #[error("there is no archive {}", path.display())]
    NotFound { path: PathBuf },
    #[error("archive {} is in use by another process", path.display())]
    InUse { path: PathBuf },
    #[error("archive {} was opened for reading only", path.display())]
    ReadOnly { path: PathBuf },
    #[error("{} is not a CAR file of this format", path.display())]
    NotCar { path: PathBuf, source: CarError },
    /// Cutting would lose more than what a crash can have left.
    #[error("archive {} is damaged at byte {offset}, in what was once complete", path.display())]
    Damaged { path: PathBuf, offset: u64 },
    #[error("block {cid} in archive {} at byte {offset} has other bytes than its CID names", path.display())]
    Corrupt { path: PathBuf, cid: Cid, offset: u64 },
    #[error("archive {} has no block {cid}", path.display())]
    Missing { path: PathBuf, cid: Cid },
    #[error("archive {} has no head", path.display())]
    NoHead { path: PathBuf },
    #[error("block {cid} is not a head")]
    NotAHead { cid: Cid },
    #[error("a block does not have the bytes that its CID {cid} names")]
    Mismatch { cid: Cid },
    #[error("block {cid} has {size} bytes, more than {BLOCK_LIMIT}")]
    TooLarge { cid: Cid, size: usize },
    /// Somebody else changed the head file.
    #[error("{} no longer names {expected}{}", path.display(), found.map(|cid| format!(" but {cid}")).unwrap_or_default())]
    HeadMoved { path: PathBuf, expected: Cid, found: Option<Cid> },
    /// What is on stable storage is not known any more; opening the archive again finds out.
    #[error("archive {} must be opened again after a write that failed", path.display())]
    Poisoned { path: PathBuf },
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl ArchiveError {
    /// Whether what is there is not what was once written, so that nothing can be added to it.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::NotCar { .. }
                | Self::Damaged { .. }
                | Self::Corrupt { .. }
                | Self::Missing { .. }
                | Self::NoHead { .. }
        )
    }
}

impl From<WriteError> for ArchiveError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Exists { path } => Self::Exists { path },
            WriteError::TooLarge { cid, size } => Self::TooLarge { cid, size },
            WriteError::Io { path, source } => Self::Io { action: "write", path, source },
        }
    }
}

/// An error of the operating system, and what was being done.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    move |source| ArchiveError::Io { action, path: path.to_owned(), source }
}
