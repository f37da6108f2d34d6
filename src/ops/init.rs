//! Begins a chain: its trust document and its first entry.

use std::path::Path;

use serde::Serialize;

use super::event::genesis;
use super::gate::require_clean;
use super::{OpsError, now};
use crate::chain::{Appender, NewFile};
use crate::codec::trust::encode_trust;
use crate::crypto::{KeyId, PublicKey, Signer};
use crate::model::{Actor, ChainName, Cid, KeyRole, Role, Thresholds, TrustDocument, TrustedKey};
use crate::store::Archive;

/// What was begun.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    pub name: ChainName,
    /// CID of manifest 0.
    pub chain: Cid,
    pub head: Cid,
    pub keyid: KeyId,
}

/// A trust document with one key, which is root and signer.
#[must_use]
pub fn sole_key(name: ChainName, public: PublicKey, label: &str) -> TrustDocument {
    let trusted = TrustedKey { public, roles: vec![KeyRole::Root, KeyRole::Signer], label: label.to_owned() };
    TrustDocument {
        version: 1,
        name,
        keys: [(public.id(), trusted)].into(),
        thresholds: Thresholds { root: 1, signer: 1, approver: 0 },
        revoked: Vec::new(),
        policy: String::new(),
        authorities: Vec::new(),
    }
}

/// Creates the archive of a new chain in `directory`.
///
/// # Errors
/// As [`init_with`].
pub fn init(directory: &Path, name: &ChainName, actor: &Actor, key: &dyn Signer) -> Result<Begun, OpsError> {
    init_with(directory, name, actor, key, Vec::new())
}

/// The same, with the PEM texts of roots of timestamp authorities in the trust document.
///
/// # Errors
/// [`OpsError::Unpublishable`]; when there is such an archive already, or it cannot be written.
pub fn init_with(
    directory: &Path,
    name: &ChainName,
    actor: &Actor,
    key: &dyn Signer,
    authorities: Vec<String>,
) -> Result<Begun, OpsError> {
    let trust =
        encode_trust(&TrustDocument { authorities, ..sole_key(name.clone(), *key.public(), "operator") });
    let file = NewFile { name: "trust.json".parse()?, role: Role::Trust, bytes: trust, sealed: false };
    let mut blocks = Vec::new();
    let mut appender = Appender::new();
    let chain =
        appender.append(genesis(actor, now()), vec![file], &[key], &mut |block| blocks.push(block))?;
    require_clean(&chain, &blocks)?;
    let head = appender.finish(key, &mut |block| blocks.push(block))?;
    Archive::create(directory, name, chain, &blocks, head)?;
    Ok(Begun { name: name.clone(), chain, head, keyid: key.public().id() })
}
