//! What one trust document changes of another, in plain words.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::{KeyRole, Revocation, RevocationReason, TrustDocument, TrustedKey};
use crate::crypto::{Digest, KeyId};

/// One difference between two trust documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum TrustChange {
    /// The chain's name for people.
    Renamed {
        before: String,
        after: String,
    },
    KeyAdded {
        keyid: KeyId,
        label: String,
        roles: Vec<KeyRole>,
    },
    /// The document no longer lists the key.
    KeyTakenOut {
        keyid: KeyId,
        label: String,
    },
    RolesChanged {
        keyid: KeyId,
        label: String,
        before: Vec<KeyRole>,
        after: Vec<KeyRole>,
    },
    Relabelled {
        keyid: KeyId,
        before: String,
        after: String,
    },
    KeyRevoked {
        keyid: KeyId,
        label: String,
        since: u64,
        reason: RevocationReason,
    },
    /// A key counts again.
    RevocationLifted {
        keyid: KeyId,
        label: String,
        since: u64,
        reason: RevocationReason,
    },
    ThresholdChanged {
        role: KeyRole,
        before: u32,
        after: u32,
    },
    PolicyChanged {
        before: String,
        after: String,
    },
    /// By the SHA-256 of its text.
    AuthorityAdded {
        sha256: Digest,
    },
    AuthorityRemoved {
        sha256: Digest,
    },
}

/// All that differs, keys first.
#[must_use]
pub fn trust_changes(before: &TrustDocument, after: &TrustDocument) -> Vec<TrustChange> {
    let mut changes = Vec::new();
    if before.name != after.name {
        let (before, after) = (before.name.to_string(), after.name.to_string());
        changes.push(TrustChange::Renamed { before, after });
    }
    key_changes(before, after, &mut changes);
    revocation_changes(before, after, &mut changes);
    for role in KeyRole::ALL {
        let (before, after) = (before.threshold(role), after.threshold(role));
        if before != after {
            changes.push(TrustChange::ThresholdChanged { role, before, after });
        }
    }
    if before.policy != after.policy {
        let (before, after) = (before.policy.clone(), after.policy.clone());
        changes.push(TrustChange::PolicyChanged { before, after });
    }
    let digests = |document: &TrustDocument| -> BTreeSet<Digest> {
        document.authorities.iter().map(|text| Digest::of(text.as_bytes())).collect()
    };
    let (old, new) = (digests(before), digests(after));
    changes.extend(new.difference(&old).map(|sha256| TrustChange::AuthorityAdded { sha256: *sha256 }));
    changes.extend(old.difference(&new).map(|sha256| TrustChange::AuthorityRemoved { sha256: *sha256 }));
    changes
}

fn key_changes(before: &TrustDocument, after: &TrustDocument, changes: &mut Vec<TrustChange>) {
    let sorted = |key: &TrustedKey| {
        let mut roles = key.roles.clone();
        roles.sort_unstable();
        roles
    };
    for (keyid, key) in &after.keys {
        let keyid = *keyid;
        let Some(old) = before.keys.get(&keyid) else {
            changes.push(TrustChange::KeyAdded { keyid, label: key.label.clone(), roles: sorted(key) });
            continue;
        };
        let (old_roles, new_roles) = (sorted(old), sorted(key));
        if old_roles != new_roles {
            let label = key.label.clone();
            changes.push(TrustChange::RolesChanged { keyid, label, before: old_roles, after: new_roles });
        }
        if old.label != key.label {
            let (before, after) = (old.label.clone(), key.label.clone());
            changes.push(TrustChange::Relabelled { keyid, before, after });
        }
    }
    let gone = before.keys.iter().filter(|(keyid, _)| !after.keys.contains_key(keyid));
    changes.extend(
        gone.map(|(keyid, key)| TrustChange::KeyTakenOut { keyid: *keyid, label: key.label.clone() }),
    );
}

fn revocation_changes(before: &TrustDocument, after: &TrustDocument, changes: &mut Vec<TrustChange>) {
    let only = |some: &TrustDocument, others: &TrustDocument| -> Vec<(Revocation, String)> {
        let new = some.revoked.iter().filter(|revocation| !others.revoked.contains(revocation));
        let label =
            |keyid| some.keys.get(keyid).map(|key: &TrustedKey| key.label.clone()).unwrap_or_default();
        new.map(|revocation| (revocation.clone(), label(&revocation.key))).collect()
    };
    for (Revocation { key: keyid, since, reason }, label) in only(after, before) {
        changes.push(TrustChange::KeyRevoked { keyid, label, since, reason });
    }
    for (Revocation { key: keyid, since, reason }, label) in only(before, after) {
        changes.push(TrustChange::RevocationLifted { keyid, label, since, reason });
    }
}

/// Roles as people say them: `root and signer`.
struct Roles<'a>(&'a [KeyRole]);

impl fmt::Display for Roles<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, role) in self.0.iter().enumerate() {
            let before = if place == 0 { "" } else { " and " };
            write!(f, "{before}{role}")?;
        }
        Ok(())
    }
}

impl fmt::Display for TrustChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Renamed { before, after } => {
                write!(f, "the chain is called {after:?}, not {before:?} any more")
            }
            Self::KeyAdded { keyid, label, roles } => {
                write!(f, "adds key {keyid} ({label}) as {}", Roles(roles))
            }
            Self::KeyTakenOut { keyid, label } => {
                write!(f, "takes key {keyid} ({label}) out: it counts no more")
            }
            Self::RolesChanged { keyid, label, before, after } => {
                write!(f, "makes key {keyid} ({label}) {}; it was {}", Roles(after), Roles(before))
            }
            Self::Relabelled { keyid, before, after } => {
                write!(f, "calls key {keyid} {after:?}, not {before:?} any more")
            }
            Self::KeyRevoked { keyid, label, since, reason: RevocationReason::Retired } => {
                write!(f, "retires key {keyid} ({label}): it counts no more from entry {since} on")
            }
            Self::KeyRevoked { keyid, label, since, reason: RevocationReason::Compromised } => write!(
                f,
                "revokes key {keyid} ({label}) as compromised: nothing that it signed from entry {since} on counts"
            ),
            Self::RevocationLifted { keyid, label, since, .. } => {
                write!(f, "lets key {keyid} ({label}) count again, which was revoked since entry {since}")
            }
            Self::ThresholdChanged { role, before, after } => {
                write!(f, "asks for {after} {role} signature(s), not for {before} any more")
            }
            Self::PolicyChanged { after, .. } if after.trim().is_empty() => {
                f.write_str("asks for no witnesses any more")
            }
            Self::PolicyChanged { .. } => f.write_str("sets another policy for witnesses"),
            Self::AuthorityAdded { sha256 } => write!(f, "adds the timestamp authority sha256:{sha256}"),
            Self::AuthorityRemoved { sha256 } => {
                write!(f, "takes the timestamp authority sha256:{sha256} out")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;
    use crate::model::Thresholds;

    fn key(seed: u8, roles: &[KeyRole]) -> (KeyId, TrustedKey) {
        let public = *PrivateKey::from_seed(&[seed; 32]).public();
        (public.id(), TrustedKey { public, roles: roles.to_vec(), label: format!("key {seed}") })
    }

    fn document(keys: &[(KeyId, TrustedKey)], root: u32) -> TrustDocument {
        TrustDocument {
            version: 1,
            name: "demo".parse().unwrap(),
            keys: keys.iter().cloned().collect(),
            thresholds: Thresholds { root, signer: 1, approver: 0 },
            revoked: Vec::new(),
            policy: String::new(),
            authorities: Vec::new(),
        }
    }

    #[test]
    fn every_difference_is_told_once() {
        let (root, signer) = (KeyRole::Root, KeyRole::Signer);
        let before = document(&[key(1, &[root, signer]), key(2, &[signer])], 1);
        assert_eq!(trust_changes(&before, &before), []);
        let mut after = document(&[key(1, &[signer, root]), key(2, &[root]), key(3, &[root])], 2);
        let (first, _) = key(1, &[]);
        after.revoked.push(Revocation { key: first, since: 4, reason: RevocationReason::Compromised });
        after.authorities.push("PEM".to_owned());
        after.policy = "quorum none".to_owned();
        let told: Vec<String> =
            trust_changes(&before, &after).iter().map(|change| format!("{change} ")).collect();
        let beginnings = ["makes key", "adds key", "revokes key", "asks for 2 root", "sets", "adds the"];
        for beginning in beginnings {
            assert!(told.iter().any(|line| line.starts_with(beginning)), "{beginning}: {told:?}");
        }
        assert_eq!(told.len(), beginnings.len());
        let lifted = trust_changes(&after, &before);
        assert!(lifted.iter().any(|change| matches!(change, TrustChange::RevocationLifted { since: 4, .. })));
    }

    #[test]
    fn a_document_that_leaves_too_few_keys_is_stranded() {
        let both = [KeyRole::Root, KeyRole::Signer];
        let mut document = document(&[key(1, &both), key(2, &both)], 2);
        assert_eq!(document.stranded(), None);
        let (second, _) = key(2, &both);
        // Also where the key counts for a while yet.
        document.revoked.push(Revocation { key: second, since: 1000, reason: RevocationReason::Retired });
        assert_eq!(document.stranded(), Some((KeyRole::Root, 2, 1)));
        document.thresholds.root = 1;
        assert_eq!(document.stranded(), None);
        document.thresholds.approver = 1;
        assert_eq!(document.stranded(), Some((KeyRole::Approver, 1, 0)));
    }
}
