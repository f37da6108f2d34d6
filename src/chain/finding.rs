//! What verification can find wrong. A finding is evidence, never an `Err`.

use serde::Serialize;

use super::proof::ProofError;
use super::timestamp::{TOKENS_LIMIT, TokenFault};
use crate::crypto::{Digest, KeyId};
use crate::model::{Cid, EventId, EventKind, FileName, KeyRole, Timestamp};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The entry concerned; `None` for the head, the tree and the file around it.
    pub seq: Option<u64>,
    /// The block concerned.
    pub cid: Option<Cid>,
    #[serde(flatten)]
    pub fault: Fault,
}

/// Which promise of the archive a fault breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// Bytes, links or the story are not what they have to be.
    Integrity,
    /// Signatures do not meet the trust document.
    Signature,
    /// A block was not there.
    Completeness,
    /// The chain is another one than the verifier was told to trust.
    Anchor,
    /// Witnesses or timestamps that are asked for are not there or not valid.
    Corroboration,
    /// The chain does not go on from the version of it that was seen before.
    Continuity,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Fault {
    #[error("the block's bytes do not hash to its CID")]
    BlockCorrupt,
    #[error("the block is missing")]
    BlockMissing,
    #[error("the file stops being a CARv1 file at byte {offset}: {detail}")]
    CarDamaged { offset: u64, detail: String },
    #[error("the block at byte {offset} is not the one that its CID names")]
    CarBlockCorrupt { offset: u64 },
    #[error("malformed {what}: {detail}")]
    Malformed { what: &'static str, detail: String },
    #[error("the manifest says seq {found} and stands at {expected}")]
    SeqGap { expected: u64, found: u64 },
    #[error("`{member}` is {found}, not {expected}")]
    LinkDiffers { member: &'static str, expected: Text<Cid>, found: Text<Cid> },
    #[error("the statement's `{member}` is not the manifest's")]
    StatementDiffers { member: &'static str },
    #[error("the statement's subjects are not the manifest's files: {detail}")]
    SubjectsDiffer { detail: String },
    #[error("event {id} is archived twice")]
    DuplicateEvent { id: EventId },
    #[error("the signature by key {keyid} is not over this")]
    BadSignature { keyid: KeyId },
    #[error(
        "{counted} keys that may sign as {role:?} signed, {needed} must; {revoked} revoked and {unknown} unknown keys signed too"
    )]
    Threshold { role: KeyRole, needed: u32, counted: u32, revoked: u32, unknown: u32 },
    #[error(
        "key {keyid}, which entry {entry} says was stolen by entry {since}, signed it, and without it too few keys did"
    )]
    Compromised { keyid: KeyId, since: u64, entry: u64 },
    #[error(
        "key {keyid}, which entry {entry} says was stolen by entry {since}, approved it, and without it too few people did"
    )]
    ApproverCompromised { keyid: KeyId, since: u64, entry: u64 },
    #[error("there is no trust document in force, so no signature counts")]
    NoTrust,
    #[error("the trust document's version is {found}, not {expected}")]
    TrustVersion { expected: u64, found: u64 },
    #[error("a `{event}` event at entry {seq}: a chain begins with `genesis` and has no second one")]
    EventOrder { event: EventKind, seq: u64 },
    #[error("{name} does not hash to its digest: {found}, not {expected}")]
    FileDigest { name: FileName, expected: Digest, found: Digest },
    #[error("{name} has {found} bytes, not {expected}")]
    FileSize { name: FileName, expected: u64, found: u64 },
    #[error("{name} is laid out in other blocks than the profile makes")]
    FileLayout { name: FileName },
    #[error("{name}: {detail}")]
    Sealing { name: FileName, detail: &'static str },
    #[error("{name} is sealed, and the vault has its key no more though nothing says that it was erased")]
    SealedLost { name: FileName },
    #[error("{name} is sealed, and the vault has its key but cannot read it: the vault is damaged")]
    SealedKeyDamaged { name: FileName },
    #[error(
        "{name} is erased, as the chain says, and a key opens it: run `greffe erase` for this entry again"
    )]
    ErasedButOpens { name: FileName },
    #[error("{name} is not what was sealed: {detail}")]
    SealedTampered { name: FileName, detail: String },
    #[error("version {version} is applied again while it is applied")]
    AppliedTwice { version: String },
    #[error("version {version} is rolled back while it is not applied")]
    NotApplied { version: String },
    #[error("{counted} of {needed} approvals count{}", reasons(refused))]
    ApprovalsMissing {
        needed: u32,
        counted: u32,
        /// Why others do not.
        refused: Vec<String>,
    },
    #[error("the plan is not what the log says of it: {detail}")]
    PlanDiffers { detail: &'static str },
    #[error("version {version} ran without a plan, and the trust document asks for {needed} approvals")]
    Unplanned { version: String, needed: u32 },
    #[error("version {version} is said to run by the plan {plan}: {detail}")]
    NotAsPlanned { version: String, plan: Cid, detail: &'static str },
    #[error("version {version} is said to be promoted from {from}: {detail}")]
    PromotionDiffers { version: String, from: Cid, detail: &'static str },
    #[error("a `{event}` event says that it {outcome}")]
    OutcomeDiffers { event: EventKind, outcome: &'static str },
    #[error("the schema changed outside the archive: it was {expected} and is {found}")]
    SchemaChanged { expected: Digest, found: Digest },
    #[error("it ends at {finished_at}, before it starts at {started_at}")]
    EndsBeforeStart { started_at: Timestamp, finished_at: Timestamp },
    #[error("time runs backwards: {found} after {earlier}")]
    TimeBackwards { earlier: Timestamp, found: Timestamp },
    #[error("`{member}` is not what the manifests make: {found}, not {expected}")]
    HeadDiffers { member: &'static str, expected: Text<Cid>, found: Text<Cid> },
    #[error("the tlog directory has {path}, which a tree of this size has not")]
    TileSurplus { path: String },
    #[error("the tlog directory lacks {path}")]
    TileMissing { path: String },
    #[error("{path} is not what the manifests make")]
    TileDiffers { path: String },
    #[error("the checkpoint's {member} is {found}, not {expected}")]
    CheckpointDiffers { member: &'static str, expected: String, found: String },
    #[error("the checkpoint is not signed by a key that may sign entries at its size")]
    CheckpointUnsigned,
    #[error("it is not proved to be in the tree of the checkpoint: {reason}")]
    NotIncluded { reason: ProofError },
    #[error("{what} is not that of the entry: {detail}")]
    EvidenceDiffers { what: &'static str, detail: &'static str },
    #[error("the entries tree: {detail}")]
    EntriesShape { detail: &'static str },
    #[error("the chain is {chain}, not one that this verifier was told to trust")]
    NotAnchored { chain: Cid },
    #[error(
        "rolled back: the head has {found} entries, and a head of this chain with {seen} entries was verified before"
    )]
    RolledBack { seen: u64, found: u64, newest: Cid },
    #[error("forked: entry {entry} is not the one that was verified before, {expected}")]
    Forked { entry: u64, expected: Cid },
    #[error("forked: the tree of {entries} entries is not the one that was verified before, {expected}")]
    TreeForked { entries: u64, expected: Digest },
    #[error("{whose} witness policy cannot be read: {detail}")]
    PolicyMalformed { whose: Whose, detail: String },
    #[error("the cosignature of the witness {witness} is not over this checkpoint")]
    CosignatureInvalid { witness: String, vkey: String },
    #[error(
        "not enough witnesses cosigned the checkpoint for {whose} policy: {} of {} that it names did", cosigned.len(),
        cosigned.len() + missing.len()
    )]
    QuorumUnmet { whose: Whose, cosigned: Vec<String>, missing: Vec<String> },
    #[error("the scripts cannot be run again up to the signed schema: {reason}")]
    Replay { reason: String },
    #[error("the hook `{hook}` does not answer what the entry says that it answered: {detail}")]
    HookVerdictDiffers { hook: String, detail: String },
    #[error("the policy packs do not say what the entry says that they said: {detail}")]
    PolicyVerdictDiffers { detail: String },
    #[error("the database's schema is {found}, and the newest one that was signed is {expected}")]
    LiveSchema { expected: Digest, found: Digest },
    #[error("timestamp token {token}: {fault}")]
    Timestamp {
        /// Its place in the head, from 0.
        token: usize,
        #[serde(flatten)]
        fault: TokenFault,
    },
    #[error("the head has {count} timestamp tokens, and only {TOKENS_LIMIT} are looked at")]
    TimestampsTooMany { count: usize },
}

/// Who asks for witnesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// The owner of the chain, in its trust document.
    TrustDocument,
    /// Whoever verifies.
    Verifier,
}

impl std::fmt::Display for Whose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TrustDocument => "the trust document's",
            Self::Verifier => "the verifier's",
        })
    }
}

/// An optional value that reads `null` when it is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text<T>(pub Option<T>);

impl<T: std::fmt::Display> std::fmt::Display for Text<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

fn reasons(refused: &[String]) -> String {
    refused.iter().map(|reason| format!("; {reason}")).collect()
}

impl Fault {
    /// Which promise it breaks.
    #[must_use]
    pub fn kind(&self) -> FindingKind {
        match self {
            Self::BlockMissing
            | Self::TileMissing { .. }
            | Self::SealedLost { .. }
            | Self::SealedKeyDamaged { .. } => FindingKind::Completeness,
            Self::BadSignature { .. }
            | Self::Threshold { .. }
            | Self::ApprovalsMissing { .. }
            | Self::Unplanned { .. }
            | Self::Compromised { .. }
            | Self::ApproverCompromised { .. }
            | Self::NoTrust
            | Self::TrustVersion { .. }
            | Self::CheckpointUnsigned => FindingKind::Signature,
            Self::NotAnchored { .. } => FindingKind::Anchor,
            Self::RolledBack { .. } | Self::Forked { .. } | Self::TreeForked { .. } => {
                FindingKind::Continuity
            }
            Self::PolicyMalformed { .. }
            | Self::CosignatureInvalid { .. }
            | Self::QuorumUnmet { .. }
            | Self::Timestamp { .. }
            | Self::TimestampsTooMany { .. }
            | Self::Replay { .. }
            | Self::ErasedButOpens { .. }
            | Self::PromotionDiffers { .. }
            | Self::LiveSchema { .. } => FindingKind::Corroboration,
            _ => FindingKind::Integrity,
        }
    }
}

impl Finding {
    /// Whether the chain itself tells of it, and takes it back by a trust document: entries that a stolen key signed or approved
    /// stay a finding for ever. Who refused to remember or to copy a chain for it would take the thief's version for the newest.
    #[must_use]
    pub fn is_said_by_the_chain(&self) -> bool {
        matches!(self.fault, Fault::Compromised { .. } | Fault::ApproverCompromised { .. })
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "entry {seq}: {}", self.fault)?,
            None => write!(f, "{}", self.fault)?,
        }
        match self.cid {
            Some(cid) => write!(f, " ({cid})"),
            None => Ok(()),
        }
    }
}
