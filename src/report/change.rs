//! One change in full: what is asked of a change record. Who acted is told by role and pseudonym.

use serde::Serialize;

use super::facts::Told;
use super::risk::Risk;
use crate::crypto::{Digest, KeyId};
use crate::model::{
    Approver, Cid, ErrorCode, EventId, EventKind, Evidence, Executor, Hook, JudgedRule, Outcome, PolicyPack,
    Pseudonym, Role, Run, SchemaChange, StatementRun, Target, Timestamp,
};

/// One change: everything that is asked of a change record.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub seq: u64,
    pub manifest: Cid,
    pub id: EventId,
    pub event: EventKind,
    pub evidence: Option<Evidence>,
    pub version: Option<String>,
    pub name: Told,
    pub purpose: Told,
    pub impact: Told,
    pub depends_on: Vec<String>,
    pub sectors: Vec<String>,
    pub target: Option<Target>,
    pub executor: Executor,
    pub run: Run,
    pub statements: Vec<StatementRun>,
    pub files: Vec<ChangeFile>,
    pub risk: Risk,
    pub people: People,
    pub times: Times,
    pub tests: Tests,
    pub policy: Option<Policy>,
    pub waivers: Vec<Waived>,
    pub way_back: WayBack,
    pub outcome: Option<Outcome>,
    pub error: Option<ErrorCode>,
    pub schema: Option<SchemaChange>,
    pub continuity: Continuity,
    /// Whether verification found nothing in this entry.
    pub verified: bool,
    pub signed_by: Vec<KeyId>,
}

/// A file of a change.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeFile {
    pub name: String,
    pub role: Role,
    pub cid: Cid,
    /// Bytes that the CID commits to.
    pub size: u64,
    pub state: FileState,
}

/// What whoever reads the report can see of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    Clear,
    Sealed,
    Erased,
}

/// Who had to do with a change, each by role and pseudonym.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct People {
    /// Who made the plan; `None` without one.
    pub author: Option<Person>,
    pub author_keys: Vec<KeyId>,
    pub approvers: Vec<Approver>,
    /// Approvals that do not count, and why.
    pub refused: Vec<String>,
    /// How many were needed; `None` without a plan.
    pub approvals_needed: Option<u32>,
    pub four_eyes: bool,
    /// Entry and manifest of the plan.
    pub plan: Option<PlanEntry>,
    /// Who ran it.
    pub deployer: Person,
    /// Whether somebody approved who is neither author nor deployer.
    pub approved_by_another: bool,
    /// Whether the author ran it; `None` without a plan.
    pub deployed_by_author: Option<bool>,
}

/// Somebody, without a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    pub role: String,
    pub pseudonym: Pseudonym,
}

/// Where a plan stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanEntry {
    /// `None` where it is not in this chain.
    pub seq: Option<u64>,
    pub manifest: Cid,
    /// Of the plan file, which is what approvers signed.
    pub digest: Option<Digest>,
}

/// When, and by whose clock.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// By the clock of the machine that ran it, as its key signed.
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub duration_us: u64,
    /// By the clock of the database server, as it writes it.
    pub database_clock: Option<String>,
}

/// What was tried before, and what was asked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tests {
    /// The entry of another chain, most often that of a staging database, where the same script ran before.
    pub promoted_from: Option<Cid>,
    pub hooks: Vec<Hook>,
}

/// What policy packs said before it ran.
#[derive(Clone, Debug, Serialize)]
pub struct Policy {
    pub packs: Vec<PolicyPack>,
    /// About this version, and about the run as a whole.
    pub rules: Vec<JudgedRule>,
}

/// A rule that was not kept on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waived {
    pub rule: String,
    /// The last day.
    pub until: Option<String>,
    /// As the script says it.
    pub reason: Told,
}

/// How a change is taken back, and whether it was.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WayBack {
    /// As the script says it.
    pub says: Told,
    /// Whether a script for it is archived.
    pub script: bool,
    /// The entry that took it back.
    pub by: Option<u64>,
    /// The manifest that this one takes back.
    pub reverts: Option<Cid>,
}

/// Whether the schema before an entry is the one that the entry before it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Continuity {
    Same,
    /// It changed outside of the chain.
    Broken,
    /// This entry records that it did.
    Recorded,
    /// No fingerprint tells.
    Unknown,
}
