//! The trust documents of a chain, the newest first. What they say is shown, not verified.

use serde::Serialize;

use crate::codec::trust::decode_trust;
use crate::crypto::KeyId;
use crate::model::{
    Cid, EventKind, KeyRole, RevocationReason, Role, Timestamp, TrustChange, TrustDocument, trust_changes,
};
use crate::ops::error::BlockError;
use crate::ops::{ChainReader, OpsError};

/// One key and what it may do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownKey {
    pub keyid: KeyId,
    /// Base64, as in the document.
    pub public: String,
    pub label: String,
    pub roles: Vec<KeyRole>,
    /// The entry that brought it.
    pub since: u64,
    /// The first entry for which it counts no more.
    pub until: Option<u64>,
    /// Why it counts no more from there.
    pub reason: Option<RevocationReason>,
}

/// One version of the document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    pub version: u64,
    /// The entry that brought it.
    pub seq: u64,
    pub manifest: Cid,
    pub finished_at: Timestamp,
    /// Keyids of the envelope, not verified.
    pub signed_by: Vec<KeyId>,
    /// Against the version before; empty for the first.
    pub changes: Vec<TrustChange>,
}

/// What is in force, and how it came to be.
#[derive(Debug)]
pub struct History {
    pub chain: Cid,
    pub document: TrustDocument,
    pub keys: Vec<ShownKey>,
    /// The newest first.
    pub versions: Vec<Version>,
}

/// Reads every trust document of the chain.
///
/// # Errors
/// When a block is missing or malformed.
pub fn history(reader: &ChainReader) -> Result<History, OpsError> {
    let mut found: Vec<(Version, TrustDocument)> = Vec::new();
    let mut next = Some(reader.newest()?.0);
    while let Some(cid) = next {
        let manifest = reader.manifest(&cid)?;
        next = manifest.prev;
        if let Some(file) = manifest.files.iter().find(|file| file.role == Role::Trust) {
            let entry = reader.entry(&cid)?;
            let event = entry.statement.event;
            if !matches!(event.event, EventKind::Genesis | EventKind::Trust) {
                continue;
            }
            let malformed = |error| OpsError::Block {
                what: "trust document",
                cid: file.cid,
                source: BlockError::from(error),
            };
            let document = decode_trust(&reader.file(&file.cid)?).map_err(malformed)?;
            let version = Version {
                version: document.version,
                seq: manifest.seq,
                manifest: cid,
                finished_at: event.finished_at,
                signed_by: entry.signed_by,
                changes: Vec::new(),
            };
            found.push((version, document));
        }
    }
    for place in 1..found.len() {
        let (newer, older) = found.split_at_mut(place);
        newer[place - 1].0.changes = trust_changes(&older[0].1, &newer[place - 1].1);
    }
    let document = found.first().map(|(_, document)| document.clone());
    let document =
        document.ok_or(OpsError::BlockMissing { what: "trust document of", cid: reader.root() })?;
    let keys = keys(&document, &found);
    let versions = found.into_iter().map(|(version, _)| version).collect();
    Ok(History { chain: reader.root(), document, keys, versions })
}

/// Every key of the document in force, by its label.
fn keys(document: &TrustDocument, found: &[(Version, TrustDocument)]) -> Vec<ShownKey> {
    let mut keys: Vec<ShownKey> = Vec::new();
    for (keyid, key) in &document.keys {
        let listed = found.iter().take_while(|(_, document)| document.keys.contains_key(keyid));
        let since = listed.last().map_or(0, |(version, _)| version.seq);
        let revoked = document.revoked.iter().filter(|revocation| revocation.key == *keyid);
        let revoked = revoked.min_by_key(|revocation| revocation.since);
        keys.push(ShownKey {
            keyid: *keyid,
            public: key.public.to_base64(),
            label: key.label.clone(),
            roles: key.roles.clone(),
            since,
            until: revoked.map(|revocation| revocation.since),
            reason: revoked.map(|revocation| revocation.reason),
        });
    }
    keys.sort_by(|a, b| (&a.label, a.keyid).cmp(&(&b.label, b.keyid)));
    keys
}
