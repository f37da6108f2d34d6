//! A manifest bundles one log with its files and names the manifest before it (FORMAT §2).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Cid, FileName};

/// What a file is to its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
// In the order of their text, which is the order of files in a manifest.
pub enum Role {
    Approval,
    Down,
    Evidence,
    Notices,
    Output,
    Rendered,
    Trust,
    Up,
}

super::text::as_word!(Role);

impl Role {
    /// The word in manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Down => "down",
            Self::Evidence => "evidence",
            Self::Notices => "notices",
            Self::Output => "output",
            Self::Rendered => "rendered",
            Self::Trust => "trust",
            Self::Up => "up",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One file of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    pub cid: Cid,
    pub name: FileName,
    pub role: Role,
    /// Bytes that the CID commits to.
    pub size: u64,
    /// Whether the bytes are encrypted (FORMAT §8).
    pub sealed: bool,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// 0 for the first, then one more each.
    pub seq: u64,
    /// Manifest 0; `None` in manifest 0 itself.
    pub chain: Option<Cid>,
    /// Manifest `seq - 1`; `None` in manifest 0.
    pub prev: Option<Cid>,
    /// The signed statement.
    pub log: Cid,
    /// Sorted by role, then name; pairs unique.
    pub files: Vec<FileEntry>,
}
