//! What a verification ends in.

use serde::Serialize;

use super::finding::{Finding, FindingKind};
use super::sealed::{SealedCounts, SealedFile};
use crate::model::{ChainName, Cid, Remembered, Timestamp};

/// What was established, each on its own (FORMAT §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Established {
    /// All bytes, links and the story are what they have to be.
    pub intact: bool,
    /// Signatures meet the trust documents in force.
    pub signed: bool,
    /// The chain or a root key is one that the verifier was told to trust.
    pub anchored: bool,
    pub witnessed: bool,
    pub timestamped: bool,
    /// Every block was there.
    pub complete: bool,
    pub replayed: bool,
    pub live: bool,
}

/// The result of a verification.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// No finding.
    pub verified: bool,
    /// The head or manifest that was asked for.
    pub root: Cid,
    /// CID of manifest 0.
    pub chain: Option<Cid>,
    /// The name in the trust document in force.
    pub name: Option<ChainName>,
    /// Entries that were looked at.
    pub entries: u64,
    /// The newest `finishedAt`.
    pub newest: Option<Timestamp>,
    /// Sealed files.
    pub sealed: u64,
    /// What became of them, as far as keys were at hand.
    pub sealed_states: SealedCounts,
    pub established: Established,
    /// What a later verification may be told to remember: this head, when it is one and without a finding.
    #[serde(skip)]
    pub memory: Option<Remembered>,
    /// The sealed files, where they were asked for.
    #[serde(skip)]
    pub sealed_files: Vec<SealedFile>,
    /// Manifests of which a file was opened.
    #[serde(skip)]
    pub opened: Vec<Cid>,
    pub findings: Vec<Finding>,
}

impl Report {
    /// Adds what was found after the verification ended.
    pub fn add(&mut self, finding: Finding) {
        self.verified = false;
        self.memory = None;
        match finding.fault.kind() {
            FindingKind::Integrity => self.established.intact = false,
            FindingKind::Signature => self.established.signed = false,
            FindingKind::Completeness => self.established.complete = false,
            FindingKind::Anchor => self.established.anchored = false,
            FindingKind::Corroboration | FindingKind::Continuity => {}
        }
        self.findings.push(finding);
    }
}
