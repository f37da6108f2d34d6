//! The trust document: which keys may sign what, from which entry to which (FORMAT §7).

use std::collections::BTreeMap;
use std::fmt;

use super::ChainName;
use crate::crypto::{KeyId, PublicKey};

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub enum KeyRole {
    Root,
    Signer,
    Approver,
}

super::text::as_word!(KeyRole, RevocationReason);

impl KeyRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Root, Self::Signer, Self::Approver];
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Signer => "signer",
            Self::Approver => "approver",
        })
    }
}

/// One key of a trust document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    pub public: PublicKey,
    pub roles: Vec<KeyRole>,
    /// For people; a role or a workload, not a person.
    pub label: String,
}

/// How many keys of a role must sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    pub root: u32,
    pub signer: u32,
    pub approver: u32,
}

/// Why a key no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub enum RevocationReason {
    Retired,
    Compromised,
}

/// A key that no longer counts, from entry `since` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub key: KeyId,
    pub since: u64,
    pub reason: RevocationReason,
}

/// The trust document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustDocument {
    /// Raised by exactly one with each `trust` event.
    pub version: u64,
    pub name: ChainName,
    pub keys: BTreeMap<KeyId, TrustedKey>,
    pub thresholds: Thresholds,
    pub revoked: Vec<Revocation>,
    /// C2SP tlog-policy text; empty asks for no witness.
    pub policy: String,
    /// PEM of the roots of timestamp authorities.
    pub authorities: Vec<String>,
}

impl TrustDocument {
    /// The key, if it has `role` and counts for entry `seq`.
    #[must_use]
    pub fn key_for(&self, id: &KeyId, role: KeyRole, seq: u64) -> Option<&PublicKey> {
        let key = self.keys.get(id).filter(|key| key.roles.contains(&role))?;
        let revoked = self.revoked.iter().any(|revocation| revocation.key == *id && revocation.since <= seq);
        (!revoked).then_some(&key.public)
    }

    /// The keys that have `role` and count for entry `seq`.
    pub fn keys_for(&self, role: KeyRole, seq: u64) -> impl Iterator<Item = &KeyId> {
        self.keys.keys().filter(move |id| self.key_for(id, role, seq).is_some())
    }

    /// A role whose threshold its keys could not meet for ever: the role, how many keys are needed, and how many are
    /// left once every revocation counts.
    #[must_use]
    pub fn stranded(&self) -> Option<(KeyRole, u32, usize)> {
        let left = |role| self.keys_for(role, u64::MAX).count();
        KeyRole::ALL
            .into_iter()
            .map(|role| (role, self.threshold(role), left(role)))
            .find(|(_, needed, left)| (*left as u64) < u64::from(*needed))
    }

    /// How many keys of `role` must sign.
    #[must_use]
    pub const fn threshold(&self, role: KeyRole) -> u32 {
        match role {
            KeyRole::Root => self.thresholds.root,
            KeyRole::Signer => self.thresholds.signer,
            KeyRole::Approver => self.thresholds.approver,
        }
    }
}
