//! One snapshot of a chain (FORMAT §6). Its CID is what an auditor is given.

use super::Cid;

/// Links in one node of the entries tree.
pub const ENTRIES_WIDTH: usize = 256;

/// The head block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The newest manifest.
    pub manifest: Cid,
    /// Root of the wide tree of all manifests.
    pub entries: Cid,
    /// The tlog-tiles directory.
    pub tlog: Cid,
    /// RFC 3161 tokens over the checkpoint's signature.
    pub timestamps: Vec<Vec<u8>>,
}
