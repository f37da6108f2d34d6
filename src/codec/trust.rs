//! The trust document ⇄ JSON (FORMAT §7).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::json::{self, Object};
use crate::crypto::{KeyId, PublicKey, PublicKeyError};
use crate::model::{ChainName, KeyRole, Revocation, RevocationReason, Thresholds, TrustDocument, TrustedKey};

/// Larger trust documents are refused.
pub const TRUST_LIMIT: usize = 1 << 20;

/// Why bytes are not a trust document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    #[error("the trust document has {0} bytes, more than {TRUST_LIMIT}")]
    TooLarge(usize),
    #[error("not a trust document: {0}")]
    Malformed(String),
    #[error("`{0}` is not a keyid: 64 lower-case hexadecimal digits")]
    KeyId(String),
    #[error("key {keyid}: {source}")]
    Key { keyid: KeyId, source: PublicKeyError },
    #[error("the key written under {written} has the keyid {computed}")]
    KeyIdDiffers { written: KeyId, computed: KeyId },
    #[error("key {0} has a role twice or none")]
    Roles(KeyId),
    #[error("the thresholds of root and signer are at least 1")]
    Threshold,
    #[error("key {0} is revoked and is not in the document")]
    UnknownRevoked(KeyId),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    name: ChainName,
    keys: BTreeMap<String, Object<Key>>,
    thresholds: Object<Thresholds>,
    revoked: Vec<Object<Revoked>>,
    policy: String,
    authorities: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    public: String,
    roles: Vec<KeyRole>,
    label: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoked {
    keyid: String,
    since: u64,
    reason: RevocationReason,
}

/// Writes a trust document, with keys in the order of their identifiers.
#[must_use]
pub fn encode_trust(document: &TrustDocument) -> Vec<u8> {
    let key = |key: &TrustedKey| Key {
        public: key.public.to_base64(),
        roles: key.roles.clone(),
        label: key.label.clone(),
    };
    let revoked = |revocation: &Revocation| Revoked {
        keyid: revocation.key.to_string(),
        since: revocation.since,
        reason: revocation.reason,
    };
    let document = Document {
        version: document.version,
        name: document.name.clone(),
        keys: document.keys.iter().map(|(id, value)| (id.to_string(), Object(key(value)))).collect(),
        thresholds: Object(document.thresholds),
        revoked: document.revoked.iter().map(revoked).map(Object).collect(),
        policy: document.policy.clone(),
        authorities: document.authorities.clone(),
    };
    let mut bytes = serde_json::to_vec_pretty(&document).expect("maps with text keys always encode");
    bytes.push(b'\n');
    bytes
}

/// Reads a trust document.
///
/// # Errors
/// [`TrustError`] for unknown or missing members, keys that are not what they are called, and
/// thresholds that anyone would meet.
pub fn decode_trust(bytes: &[u8]) -> Result<TrustDocument, TrustError> {
    if bytes.len() > TRUST_LIMIT {
        return Err(TrustError::TooLarge(bytes.len()));
    }
    let Object(document): Object<Document> =
        json::decode(bytes).map_err(|error| TrustError::Malformed(error.to_string()))?;
    let Object(thresholds) = document.thresholds;
    if thresholds.root == 0 || thresholds.signer == 0 {
        return Err(TrustError::Threshold);
    }
    let keys: BTreeMap<KeyId, TrustedKey> =
        document.keys.into_iter().map(decode_key).collect::<Result<_, _>>()?;
    let revoked = document
        .revoked
        .into_iter()
        .map(|Object(revoked)| {
            let key = parse_key_id(revoked.keyid)?;
            if !keys.contains_key(&key) {
                return Err(TrustError::UnknownRevoked(key));
            }
            Ok(Revocation { key, since: revoked.since, reason: revoked.reason })
        })
        .collect::<Result<_, _>>()?;
    Ok(TrustDocument {
        version: document.version,
        name: document.name,
        keys,
        thresholds,
        revoked,
        policy: document.policy,
        authorities: document.authorities,
    })
}

fn parse_key_id(text: String) -> Result<KeyId, TrustError> {
    KeyId::parse(&text).ok_or_else(|| TrustError::KeyId(text.chars().take(80).collect()))
}

fn decode_key((id, Object(key)): (String, Object<Key>)) -> Result<(KeyId, TrustedKey), TrustError> {
    let written = parse_key_id(id)?;
    let public =
        PublicKey::parse_base64(&key.public).map_err(|source| TrustError::Key { keyid: written, source })?;
    if public.id() != written {
        return Err(TrustError::KeyIdDiffers { written, computed: public.id() });
    }
    let mut roles = key.roles.clone();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() || roles.len() != key.roles.len() {
        return Err(TrustError::Roles(written));
    }
    Ok((written, TrustedKey { public, roles: key.roles, label: key.label }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;

    fn sample() -> TrustDocument {
        let public = *PrivateKey::from_seed(&[1; 32]).public();
        let key = TrustedKey { public, roles: vec![KeyRole::Root, KeyRole::Signer], label: "ci".into() };
        TrustDocument {
            version: 1,
            name: "demo".parse().unwrap(),
            keys: [(public.id(), key)].into(),
            thresholds: Thresholds { root: 1, signer: 1, approver: 0 },
            revoked: vec![Revocation { key: public.id(), since: 9, reason: RevocationReason::Retired }],
            policy: String::new(),
            authorities: vec![],
        }
    }

    #[test]
    fn documents_go_both_ways() {
        assert_eq!(decode_trust(&encode_trust(&sample())), Ok(sample()));
    }

    #[test]
    fn what_would_weaken_trust_is_refused() {
        let text = String::from_utf8(encode_trust(&sample())).unwrap();
        for (from, to) in [
            ("\"signer\": 1", "\"signer\": 0"),
            ("\"root\": 1", "\"root\": 0"),
            ("\"version\": 1", "\"version\": 1, \"version\": 1"),
            ("\"label\": \"ci\"", "\"label\": \"ci\", \"more\": 1"),
            ("\"7ab6", "\"8ab6"),
            ("\"root\",", "\"root\", \"root\","),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text);
            assert!(decode_trust(other.as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn a_revoked_key_counts_until_its_entry() {
        let document = sample();
        let id = *document.keys.keys().next().unwrap();
        assert!(document.key_for(&id, KeyRole::Signer, 8).is_some());
        assert!(document.key_for(&id, KeyRole::Signer, 9).is_none());
        assert!(document.key_for(&id, KeyRole::Approver, 0).is_none());
    }
}
