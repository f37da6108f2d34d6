//! DSSE 1.0.2 envelopes (FORMAT §3): exactly their members, canonical base64, signatures over PAE.

use std::borrow::Cow;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::crypto::{KeyId, SignError, Signature, Signer, decode_base64};
use crate::model::PAYLOAD_TYPE;

/// No log is larger (FORMAT §2).
pub const LOG_LIMIT: usize = 1 << 20;
/// More signatures than any threshold asks for; a bound on work, not a rule of the format.
const SIGNATURE_LIMIT: usize = 256;

/// Why bytes are not an envelope of this format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("the log has {0} bytes, more than {LOG_LIMIT}")]
    TooLarge(usize),
    #[error("not a DSSE envelope: {0}")]
    Malformed(String),
    #[error("payloadType is {0:?}, not {PAYLOAD_TYPE:?}")]
    PayloadType(String),
    #[error("`{0}` is not standard base64 with padding")]
    Base64(&'static str),
    #[error("a keyid is 64 lower-case hexadecimal digits")]
    KeyId,
    #[error("a signature is 64 bytes, this one is {0}")]
    SignatureLength(usize),
    #[error("an envelope has 1 to {SIGNATURE_LIMIT} signatures, this one has {0}")]
    SignatureCount(usize),
}

/// An envelope, its payload decoded. Nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The signed statement's bytes.
    pub payload: Vec<u8>,
    pub signatures: Vec<(KeyId, Signature)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    payload: Cow<'a, str>,
    #[serde(borrow)]
    payload_type: Cow<'a, str>,
    #[serde(borrow)]
    signatures: Vec<WireSignature<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature<'a> {
    #[serde(borrow)]
    keyid: Cow<'a, str>,
    #[serde(borrow)]
    sig: Cow<'a, str>,
}

impl Envelope {
    /// Signs `payload` with each of `keys`.
    ///
    /// # Errors
    /// [`SignError`] when one of them does not sign.
    pub fn sign(payload: Vec<u8>, keys: &[&dyn Signer]) -> Result<Self, SignError> {
        let message = pre_authentication_encoding(&payload);
        let sign = |key: &&dyn Signer| Ok((key.public().id(), key.sign(&message)?));
        let signatures = keys.iter().map(sign).collect::<Result<_, _>>()?;
        Ok(Self { payload, signatures })
    }

    /// The bytes that the signatures are over.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        pre_authentication_encoding(&self.payload)
    }

    /// Writes the envelope.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let wire = Wire {
            payload: BASE64.encode(&self.payload).into(),
            payload_type: PAYLOAD_TYPE.into(),
            signatures: self
                .signatures
                .iter()
                .map(|(key, signature)| WireSignature {
                    keyid: key.to_string().into(),
                    sig: BASE64.encode(&signature.0).into(),
                })
                .collect(),
        };
        serde_json::to_vec(&wire).expect("text always encodes")
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// [`EnvelopeError`] for another shape, other members, other base64 or another payload type.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        match Self::decode_draft(bytes)? {
            envelope if envelope.signatures.is_empty() => Err(EnvelopeError::SignatureCount(0)),
            envelope => Ok(envelope),
        }
    }

    /// Reads an envelope that is still being signed: it may have no signature yet.
    ///
    /// # Errors
    /// As [`Envelope::decode`].
    pub fn decode_draft(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > LOG_LIMIT {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        // Every object here has only known members, which are refused when they stand twice.
        let wire: Wire<'_> =
            serde_json::from_slice(bytes).map_err(|error| EnvelopeError::Malformed(error.to_string()))?;
        if wire.payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::PayloadType(wire.payload_type.chars().take(100).collect()));
        }
        if wire.signatures.len() > SIGNATURE_LIMIT {
            return Err(EnvelopeError::SignatureCount(wire.signatures.len()));
        }
        // serde takes lists for objects. All text of a sound envelope is free of braces, so they count objects.
        if bytes.iter().filter(|byte| **byte == b'{').count() != 1 + wire.signatures.len() {
            return Err(EnvelopeError::Malformed("an object is written as a list".to_owned()));
        }
        let payload = decode_base64(&wire.payload).ok_or(EnvelopeError::Base64("payload"))?;
        let signatures = wire.signatures.iter().map(decode_signature).collect::<Result<_, _>>()?;
        Ok(Self { payload, signatures })
    }
}

fn decode_signature(wire: &WireSignature<'_>) -> Result<(KeyId, Signature), EnvelopeError> {
    let key = KeyId::parse(&wire.keyid).ok_or(EnvelopeError::KeyId)?;
    let bytes = decode_base64(&wire.sig).ok_or(EnvelopeError::Base64("sig"))?;
    let bytes = bytes.try_into().map_err(|bytes: Vec<u8>| EnvelopeError::SignatureLength(bytes.len()))?;
    Ok((key, Signature(bytes)))
}

/// PAE of a payload of this format's type (DSSE 1.0.2, protocol.md).
#[must_use]
pub fn pre_authentication_encoding(payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;

    fn sample() -> Envelope {
        Envelope::sign(b"{}".to_vec(), &[&PrivateKey::from_seed(&[1; 32])]).unwrap()
    }

    #[test]
    fn envelopes_go_both_ways() {
        let envelope = sample();
        assert_eq!(Envelope::decode(&envelope.encode()), Ok(envelope));
        let list = r#"["e30=","application/vnd.in-toto+json",[]]"#;
        assert!(Envelope::decode(list.as_bytes()).is_err());
        assert_eq!(pre_authentication_encoding(b"{}"), b"DSSEv1 28 application/vnd.in-toto+json 2 {}",);
    }

    #[test]
    fn other_spellings_are_refused() {
        let text = String::from_utf8(sample().encode()).unwrap();
        for (from, to) in [
            ("\"payload\":\"e30=\"", "\"payload\":\"e30\""),
            ("\"payload\":\"e30=\"", "\"payload\":\"e31=\""),
            ("\"payload\":\"e30=\"", "\"payload\":\"e30=\",\"payload\":\"e30=\""),
            ("\"payload\":\"e30=\"", "\"payload\":\"e30=\",\"more\":1"),
            ("application/vnd.in-toto+json", "text/plain"),
            ("\"keyid\":\"7ab6", "\"keyid\":\"7AB6"),
            ("==\"}", "\"}"),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text);
            assert!(Envelope::decode(other.as_bytes()).is_err(), "{to}");
        }
    }
}
