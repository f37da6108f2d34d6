//! Sigstore bundles v0.3 ⇄ JSON, of the one kind that fits a log: a DSSE envelope with one signature by a key that
//! is known otherwise. No certificate, no entry of a public log.
//!
//! `timestampVerificationData` is never written: there, tokens are over the envelope's signature, and those of an
//! archive are over its checkpoint's.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::dsse::{Envelope, EnvelopeError, LOG_LIMIT};
use super::json;
use crate::crypto::KeyId;

/// Type of a bundle of this version (sigstore protobuf-specs, `sigstore_bundle.proto`).
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Larger bundles are refused: a log, and what is around it.
pub const BUNDLE_LIMIT: usize = LOG_LIMIT + 4096;

/// Why bytes are no bundle of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    #[error("the bundle has {0} bytes, more than {BUNDLE_LIMIT}")]
    TooLarge(usize),
    #[error("not a sigstore bundle: {0}")]
    Malformed(String),
    #[error("mediaType is {0:?}, not {MEDIA_TYPE:?}")]
    MediaType(String),
    #[error("the hint is not the keyid of the signature")]
    Hint,
    #[error("a bundle's envelope has one signature, this one has {0}")]
    Signatures(usize),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

/// A bundle. Nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// With one signature, whose key the bundle's hint names.
    envelope: Envelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire<'a> {
    media_type: std::borrow::Cow<'a, str>,
    verification_material: json::Object<Material>,
    #[serde(borrow)]
    dsse_envelope: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    public_key: json::Object<Hint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hint {
    hint: String,
}

impl Bundle {
    /// The bundle of an envelope with the one of its signatures that is by `key`; `None` when none is.
    ///
    /// A bundle has exactly one signature: where a log has more, the others are in the log alone.
    #[must_use]
    pub fn of(envelope: &Envelope, key: &KeyId) -> Option<Self> {
        let signature = envelope.signatures.iter().find(|(id, _)| id == key)?;
        let payload = envelope.payload.clone();
        Some(Self { envelope: Envelope { payload, signatures: vec![*signature] } })
    }

    /// The envelope, with one signature.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Writes the bundle.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let hint = self.envelope.signatures.first().map(|(id, _)| id.to_string()).unwrap_or_default();
        let envelope: serde_json::Value =
            serde_json::from_slice(&self.envelope.encode()).expect("an envelope is written as JSON");
        let bundle = serde_json::json!({
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": { "publicKey": { "hint": hint } },
            "dsseEnvelope": envelope,
        });
        let mut bytes = serde_json::to_vec_pretty(&bundle).expect("text always encodes");
        bytes.push(b'\n');
        bytes
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// [`BundleError`] for another kind of bundle, other members, or more than one signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_LIMIT {
            return Err(BundleError::TooLarge(bytes.len()));
        }
        let json::Object(wire): json::Object<Wire<'_>> =
            json::decode(bytes).map_err(|error| BundleError::Malformed(error.to_string()))?;
        if wire.media_type != MEDIA_TYPE {
            return Err(BundleError::MediaType(wire.media_type.chars().take(100).collect()));
        }
        let envelope = Envelope::decode(wire.dsse_envelope.get().as_bytes())?;
        let [(key, _)] = envelope.signatures[..] else {
            return Err(BundleError::Signatures(envelope.signatures.len()));
        };
        let json::Object(Material { public_key: json::Object(Hint { hint }) }) = wire.verification_material;
        if hint != key.to_string() {
            return Err(BundleError::Hint);
        }
        Ok(Self { envelope })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;

    fn sample() -> Bundle {
        let keys = [PrivateKey::from_seed(&[1; 32]), PrivateKey::from_seed(&[2; 32])];
        let envelope = Envelope::sign(b"{}".to_vec(), &[&keys[0], &keys[1]]).unwrap();
        assert_eq!(Bundle::of(&envelope, &PrivateKey::from_seed(&[3; 32]).public().id()), None);
        Bundle::of(&envelope, &keys[1].public().id()).unwrap()
    }

    #[test]
    fn one_signature_goes_both_ways() {
        let bundle = sample();
        assert_eq!(bundle.envelope().signatures.len(), 1);
        assert_eq!(Bundle::decode(&bundle.encode()), Ok(bundle));
    }

    #[test]
    fn other_bundles_are_refused() {
        let text = String::from_utf8(sample().encode()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let signature = &value["dsseEnvelope"]["signatures"][0];
        let change = |at: &str, to: serde_json::Value| {
            let mut value = value.clone();
            *value.pointer_mut(at).unwrap() = to;
            value.to_string()
        };
        for bad in [
            change("/mediaType", "application/vnd.dev.sigstore.bundle.v0.2+json".into()),
            change("/verificationMaterial/publicKey/hint", "other".into()),
            change("/dsseEnvelope/signatures", serde_json::json!([signature, signature])),
            change("/dsseEnvelope/signatures", serde_json::json!([])),
            change("/dsseEnvelope/payloadType", "text/plain".into()),
            change("/verificationMaterial", serde_json::json!({ "certificate": { "rawBytes": "" } })),
            text.replacen("\"mediaType\"", "\"more\": 1, \"mediaType\"", 1),
            text.replacen("\"mediaType\"", "\"dsseEnvelope\": {}, \"mediaType\"", 1),
            text.replacen("\"hint\"", "\"hint\": \"\", \"hint\"", 1),
            String::new(),
        ] {
            assert!(Bundle::decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
