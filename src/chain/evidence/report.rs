//! What judging evidence of one entry ends in.

use serde::Serialize;

use crate::chain::finding::Finding;
use crate::chain::report::{Cosigned, TimeInterval};
use crate::crypto::{Digest, KeyId};
use crate::model::{ChainName, Cid, Event, RevocationReason};

/// What evidence of one entry cannot tell, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum NotEstablished {
    #[error("that this is the chain that you mean; `--require ANCHOR` insists on one")]
    Anchored,
    #[error(
        "that no other trust document came between those that are shown, or after them: one may say that a key which \
         signed this was stolen"
    )]
    OtherTrust,
    #[error("what other entries say: whether this migration was undone, or the story has contradictions")]
    OtherEntries,
    #[error("that the signers show everyone the same tree: no policy asks for cosignatures that are there")]
    OneTree,
    #[error("when it happened: times are those of who signed, no valid timestamp or cosignature is later")]
    Time,
    #[error("what is in its sealed files")]
    Sealed,
}

/// What was established, each on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EstablishedEvidence {
    /// Every block hashes to its CID, and log, files and bundle are those of the entry.
    pub intact: bool,
    /// The entry and the trust documents stand at their places in the tree of the checkpoint.
    pub included: bool,
    /// Entry, trust documents and checkpoint are signed as the trust documents ask for.
    pub signed: bool,
    /// The chain, a root key or the head is one that the verifier was told to trust.
    pub anchored: bool,
    /// A policy asks for cosignatures of the checkpoint, and they are there.
    pub witnessed: bool,
    /// A timestamp of the checkpoint is valid, and none is not.
    pub timestamped: bool,
}

/// The checkpoint that everything is proved under.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvedUnder {
    pub size: u64,
    pub root: Digest,
    /// Keys that signed it and may.
    pub signed_by: Vec<KeyId>,
    /// Further signature lines, which were not checked.
    pub unchecked: usize,
}

/// What a trust document says of a key that signed the entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToldOfKey {
    pub keyid: KeyId,
    /// The first entry for which it counts no more.
    pub since: u64,
    pub reason: RevocationReason,
}

/// The result.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceReport {
    /// No finding.
    pub verified: bool,
    /// CID of manifest 0.
    pub chain: Cid,
    /// The name in the newest trust document that is shown.
    pub name: Option<ChainName>,
    pub manifest: Cid,
    /// What the entry says, if it could be read.
    pub event: Option<Event>,
    /// Keys whose signatures the entry's log has, as far as trust documents know them.
    pub signed_by: Vec<KeyId>,
    /// Those of them that the newest trust document which is shown revokes.
    pub revoked: Vec<ToldOfKey>,
    pub checkpoint: ProvedUnder,
    /// The head, where it is shown that the checkpoint is its.
    pub head: Option<Cid>,
    /// When the entry was made: not before its own time, not after others saw the checkpoint.
    pub time: TimeInterval,
    /// Who cosigned the checkpoint, of the witnesses that a policy names.
    pub witnesses: Vec<Cosigned>,
    /// Entries whose trust documents are shown.
    pub trust: Vec<u64>,
    /// Blocks of sealed files that were not handed over.
    pub withheld: Vec<Cid>,
    pub established: EstablishedEvidence,
    pub not_established: Vec<NotEstablished>,
    pub findings: Vec<Finding>,
}

impl EvidenceReport {
    /// Adds what was found around the blocks, such as a damaged file.
    pub fn add(&mut self, finding: Finding) {
        self.verified = false;
        self.established.intact = false;
        self.findings.push(finding);
    }

    /// Whether all that was found is what the chain tells of itself, so that it can be handed out as it is.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(Finding::is_said_by_the_chain)
    }
}
