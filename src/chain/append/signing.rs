//! Whose signatures an event needs, and whose a head: what is asked of keys before anything is signed.

use std::collections::BTreeSet;

use super::AppendError;
use crate::crypto::{KeyId, Signer};
use crate::model::{EventKind, KeyRole, TrustDocument};

/// The role whose threshold an event of this kind has to meet.
pub(super) const fn role_of(kind: EventKind) -> KeyRole {
    match kind {
        EventKind::Genesis | EventKind::Trust => KeyRole::Root,
        _ => KeyRole::Signer,
    }
}

/// These keys, and of those that sign along with them who may.
pub(super) fn with_others<'k>(
    keys: &[&'k dyn Signer],
    document: &TrustDocument,
    role: KeyRole,
    seq: u64,
) -> Vec<&'k dyn Signer> {
    let mut all: Vec<&dyn Signer> = Vec::with_capacity(keys.len());
    let may = |key: &&'k dyn Signer| document.key_for(&key.public().id(), role, seq).is_some();
    let others = keys.iter().flat_map(|key| key.others()).map(|other| &**other).filter(may);
    for key in keys.iter().copied().chain(others) {
        if !all.iter().any(|known| known.public() == key.public()) {
            all.push(key);
        }
    }
    all
}

/// Whether enough of these keys may sign in this role, each counted once.
pub(super) fn require_threshold(
    document: &TrustDocument,
    role: KeyRole,
    seq: u64,
    keys: &[&dyn Signer],
) -> Result<(), AppendError> {
    let ids = keys.iter().map(|key| key.public().id()).collect();
    require_counted(document, role, seq, &ids)
}

/// The same, of keys by their ids.
pub(super) fn require_counted(
    document: &TrustDocument,
    role: KeyRole,
    seq: u64,
    ids: &BTreeSet<KeyId>,
) -> Result<(), AppendError> {
    let given = ids.iter().filter(|id| document.key_for(id, role, seq).is_some()).count();
    let needed = document.threshold(role).max(1);
    if given < needed as usize { Err(AppendError::Threshold { role, seq, needed, given }) } else { Ok(()) }
}

/// One signer is enough for a head, and it is the first key that signs it (FORMAT §11).
pub(super) fn require_head_signer(
    document: &TrustDocument,
    seq: u64,
    key: &dyn Signer,
) -> Result<(), AppendError> {
    let keyid = key.public().id();
    let may = document.key_for(&keyid, KeyRole::Signer, seq);
    may.map(|_| ()).ok_or(AppendError::SignsNoHead { keyid, seq })
}
