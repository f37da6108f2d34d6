//! What may run, who let it, and by which rules: what a `plan` event tells before the first script runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest_text::prefixed;
use super::{Actor, Direction};
use crate::crypto::{Digest, KeyId};
use crate::model::Timestamp;

/// What a `plan` event carries. All events of its run name its manifest as their `plan`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanDetails {
    pub planned: Planned,
    /// Hooks that judged the run before it began.
    pub hooks: Vec<Hook>,
    /// What the policy packs in force said of it; `None` where none is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<PolicyVerdicts>>,
    /// As those of a migration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub commitments: BTreeMap<String, String>,
}

/// What was planned, as far as it is public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// SHA-256 of the plan file, which is what approvers sign. A random member of it keeps it from being guessed.
    #[serde(with = "prefixed")]
    pub digest: Digest,
    pub direction: Direction,
    /// In the order in which they are to run.
    pub versions: Vec<String>,
    pub made_at: Timestamp,
    /// Who made it.
    pub author: Actor,
    /// The keys that signed the plan file; none for a plan that was made by the run itself.
    pub author_keys: Vec<KeyId>,
    /// From how many people the run needed an approval.
    pub approvals: u32,
    /// Whether nobody approves what he made himself.
    pub four_eyes: bool,
    /// After this nothing may begin; `None` for a plan that was made by the run itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What policy packs said of a run. The packs' own bytes and what they were asked about are files of the event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyVerdicts {
    pub packs: Vec<PolicyPack>,
    pub rules: Vec<JudgedRule>,
}

/// A policy pack that was in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyPack {
    pub name: String,
    /// Of its bytes, as the event's file of role `evidence` holds them.
    #[serde(with = "prefixed")]
    pub sha256: Digest,
}

/// What one rule said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedRule {
    pub rule: String,
    /// `kept`, `broken`, `waived`, `attested`, `attestation-required` or `not-applicable`.
    pub outcome: String,
    /// The version that it is about; `None` where it is about the run as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

/// One hook that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    pub event: String,
    pub name: String,
    /// Of its source.
    pub sha256: String,
    pub outcome: String,
    /// Microseconds.
    pub duration_us: u64,
    /// `sha256:<hex>` of the document that it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The rule that it named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The version that it was asked about; `None` for the run as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}
