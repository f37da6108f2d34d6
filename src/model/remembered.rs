//! What a verifier keeps of the chains that it verified, so that an older or another version of one shows.

use serde::{Deserialize, Serialize};

use super::Cid;

/// The newest head of a chain that was verified without a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Remembered {
    /// CID of manifest 0.
    pub chain: Cid,
    /// The newest entry.
    pub seq: u64,
    /// Its manifest.
    pub manifest: Cid,
    pub head: Cid,
    /// Its signed checkpoint, with which a fork can be shown to others; absent in what older versions remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}
