//! A plan: what is to run, on what, and who has to let it. And an approval of one.

use serde::{Deserialize, Serialize};

use super::{Actor, Cid, Direction, Engine, Role, Timestamp};
use crate::crypto::{Digest, KeyId};

/// What a run is to be, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPlan {
    /// 32 hexadecimal digits from a random source, so that the digest of a plan tells nothing of what it holds.
    pub nonce: String,
    /// CID of manifest 0 of the chain that is to tell of it.
    pub chain: Cid,
    pub target: PlannedTarget,
    pub direction: Direction,
    pub made_at: Timestamp,
    /// After this it may not begin.
    pub expires_at: Timestamp,
    pub author: Actor,
    pub policy: PlanPolicy,
    /// Of what was applied when it was made: see `history_digest` of the use cases.
    pub history: Digest,
    /// What the schema was; `None` where no fingerprint is taken.
    pub schema: Option<PlannedSchema>,
    /// In the order in which they are to run.
    pub migrations: Vec<PlannedMigration>,
}

impl RunPlan {
    /// Its versions, in their order.
    #[must_use]
    pub fn versions(&self) -> Vec<String> {
        self.migrations.iter().map(|migration| migration.version.clone()).collect()
    }
}

/// The database that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedTarget {
    pub name: String,
    pub engine: Engine,
}

/// What has to be there before it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanPolicy {
    /// Approvals by so many people.
    pub approvals: u32,
    /// None of them by who made the plan.
    pub four_eyes: bool,
    /// The plan is at the replicas before anything runs.
    pub replicated: bool,
}

impl PlanPolicy {
    /// The stricter of both, member by member.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            approvals: self.approvals.max(other.approvals),
            four_eyes: self.four_eyes || other.four_eyes,
            replicated: self.replicated || other.replicated,
        }
    }
}

/// A fingerprint and the algorithm that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedSchema {
    pub algorithm: String,
    /// `sha256:<hex>`.
    pub fingerprint: String,
}

/// One migration of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedMigration {
    pub version: String,
    /// Whether it runs in a transaction.
    pub transaction: bool,
    pub files: Vec<PlannedFile>,
}

/// One script of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedFile {
    pub role: Role,
    pub name: String,
    /// As it is archived in clear (FORMAT §1).
    pub cid: Cid,
    /// Bytes.
    pub size: u64,
}

/// What an approval says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// SHA-256 of the plan file.
    pub plan: Digest,
    pub chain: Cid,
    pub approver: Actor,
    pub at: Timestamp,
}

/// An approval that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approver {
    pub keyid: KeyId,
    #[serde(flatten)]
    pub actor: Actor,
    pub at: Timestamp,
}
