//! Evidence that one chain was signed in two versions, and nothing else has to be at hand to see it.

use crate::crypto::Digest;

/// Two signed checkpoints of one chain that cannot both be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkEvidence {
    /// The signed note of the smaller checkpoint.
    pub first: String,
    /// The signed note of the larger one, or of another one of the same size.
    pub second: String,
    /// The second tree's leaves up to the first one's size, as the roots of the fewest perfect subtrees.
    pub prefix: Vec<Digest>,
    /// Its leaves from there on, in the same way; empty where both sizes are the same.
    pub rest: Vec<Digest>,
    /// The events that say whose signatures count, `genesis` first.
    pub trust: Vec<TrustEntry>,
}

/// A `genesis` or `trust` event, as its three blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustEntry {
    pub manifest: Vec<u8>,
    pub log: Vec<u8>,
    /// The file of role `trust`.
    pub document: Vec<u8>,
}

impl TrustEntry {
    /// Its bytes, all together.
    #[must_use]
    pub fn size(&self) -> usize {
        self.manifest.len() + self.log.len() + self.document.len()
    }
}
