//! The signed size and root of a chain (FORMAT §5, C2SP tlog-checkpoint), without its signatures.

use super::Cid;
use crate::crypto::Digest;

/// The body of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// `greffe/<chain cid>`.
    pub origin: String,
    /// Number of manifests.
    pub size: u64,
    /// RFC 6962 root over their CIDs.
    pub root: Digest,
}

impl Checkpoint {
    /// The origin of a chain's checkpoints, which is also the name of the keys that sign them.
    #[must_use]
    pub fn origin_of(chain: &Cid) -> String {
        format!("greffe/{chain}")
    }
}
