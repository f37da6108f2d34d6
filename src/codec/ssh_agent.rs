//! Messages to and from an SSH agent: which keys it has, and a signature by one of them (draft-ietf-sshm-ssh-agent §3).
//!
//! A key of type `ssh-ed25519` signs exactly the bytes that it is given, so that its signatures are those of DSSE and
//! notes. A key of a security key (`sk-ssh-ed25519@openssh.com`) signs a digest of them with flags and a counter, and is
//! of no use here.

use data_encoding::BASE64_NOPAD;

use crate::crypto::{Digest, PublicKey, Signature};

/// No message is longer, as OpenSSH has it.
pub const MESSAGE_LIMIT: usize = 256 << 10;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const ED25519: &[u8] = b"ssh-ed25519";
const SECURITY_KEY: &[u8] = b"sk-ssh-ed25519@openssh.com";

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    #[error("the agent refused")]
    Refused,
    #[error("the agent's answer cannot be read: {0}")]
    Malformed(&'static str),
}

/// One key of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentIdentity {
    pub kind: AgentKeyKind,
    /// SHA-256 of the key's blob, as `ssh-keygen -l` prints it.
    pub fingerprint: Digest,
}

/// What a key of an agent can do here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentKeyKind {
    Ed25519(Box<PublicKey>),
    /// Of a security key: signs another message than it is given.
    SecurityKey,
    /// Of another algorithm.
    Other,
}

/// A fingerprint as `ssh-keygen -l` prints it: `SHA256:` and base64 without padding.
#[must_use]
pub fn encode_fingerprint(digest: &Digest) -> String {
    format!("SHA256:{}", BASE64_NOPAD.encode(&digest.0))
}

/// Reads what [`encode_fingerprint`] writes.
#[must_use]
pub fn parse_fingerprint(text: &str) -> Option<Digest> {
    let bytes = BASE64_NOPAD.decode(text.strip_prefix("SHA256:")?.as_bytes()).ok()?;
    Some(Digest(bytes.try_into().ok()?))
}

/// Asks which keys there are.
#[must_use]
pub fn encode_identities_request() -> Vec<u8> {
    frame(&[REQUEST_IDENTITIES])
}

/// Asks for a signature over `message` by this key.
#[must_use]
pub fn encode_sign_request(key: &PublicKey, message: &[u8]) -> Vec<u8> {
    let mut body = vec![SIGN_REQUEST];
    put(&mut body, &encode_blob(key));
    put(&mut body, message);
    body.extend(0_u32.to_be_bytes());
    frame(&body)
}

/// Reads which keys there are; `body` is a message without its length.
///
/// # Errors
/// [`AgentError`].
pub fn decode_identities(body: &[u8]) -> Result<Vec<AgentIdentity>, AgentError> {
    let mut rest = answer(body, IDENTITIES_ANSWER)?;
    let count = take_number(&mut rest)?;
    let mut identities = Vec::new();
    for _ in 0..count {
        let blob = take(&mut rest)?;
        take(&mut rest)?;
        identities.push(AgentIdentity { kind: kind_of(blob)?, fingerprint: Digest::of(blob) });
    }
    if rest.is_empty() { Ok(identities) } else { Err(AgentError::Malformed("bytes after its end")) }
}

/// Reads a signature, which is not verified here; `body` is a message without its length.
///
/// # Errors
/// [`AgentError`].
pub fn decode_signature(body: &[u8]) -> Result<Signature, AgentError> {
    let mut rest = answer(body, SIGN_RESPONSE)?;
    let mut signature = take(&mut rest)?;
    let algorithm = take(&mut signature)?;
    let bytes = take(&mut signature)?;
    if algorithm != ED25519 {
        return Err(AgentError::Malformed("a signature of another algorithm"));
    }
    if !rest.is_empty() || !signature.is_empty() {
        return Err(AgentError::Malformed("bytes after its end"));
    }
    let bytes = bytes.try_into().map_err(|_| AgentError::Malformed("an Ed25519 signature is 64 bytes"))?;
    Ok(Signature(bytes))
}

/// The blob of an Ed25519 key (RFC 8709 §4).
fn encode_blob(key: &PublicKey) -> Vec<u8> {
    let mut blob = Vec::new();
    put(&mut blob, ED25519);
    put(&mut blob, key.as_bytes());
    blob
}

fn kind_of(mut blob: &[u8]) -> Result<AgentKeyKind, AgentError> {
    let algorithm = take(&mut blob)?;
    if algorithm == SECURITY_KEY {
        return Ok(AgentKeyKind::SecurityKey);
    }
    if algorithm != ED25519 {
        return Ok(AgentKeyKind::Other);
    }
    let key = PublicKey::from_bytes(take(&mut blob)?).map_err(|_| AgentError::Malformed("a weak key"))?;
    if blob.is_empty() {
        Ok(AgentKeyKind::Ed25519(Box::new(key)))
    } else {
        Err(AgentError::Malformed("a long key"))
    }
}

fn answer(body: &[u8], wanted: u8) -> Result<&[u8], AgentError> {
    match body.split_first() {
        Some((kind, rest)) if *kind == wanted => Ok(rest),
        Some((&FAILURE, _)) => Err(AgentError::Refused),
        _ => Err(AgentError::Malformed("another kind of answer")),
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(body.len() + 4);
    put(&mut message, body);
    message
}

/// Appends a string with its length before it; what is put here is far shorter than 4 GiB.
fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(part);
}

fn take_number(rest: &mut &[u8]) -> Result<u32, AgentError> {
    let (number, after) = rest.split_first_chunk().ok_or(AgentError::Malformed("it is cut off"))?;
    *rest = after;
    Ok(u32::from_be_bytes(*number))
}

fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], AgentError> {
    let length = take_number(rest)? as usize;
    let (part, after) = rest.split_at_checked(length).ok_or(AgentError::Malformed("it is cut off"))?;
    *rest = after;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;

    fn identities(blobs: &[&[u8]]) -> Vec<u8> {
        let mut body = vec![IDENTITIES_ANSWER];
        body.extend(u32::try_from(blobs.len()).unwrap().to_be_bytes());
        for blob in blobs {
            put(&mut body, blob);
            put(&mut body, b"a comment");
        }
        body
    }

    #[test]
    fn keys_are_told_apart() {
        let key = *PrivateKey::from_seed(&[1; 32]).public();
        let mut hardware = Vec::new();
        put(&mut hardware, SECURITY_KEY);
        put(&mut hardware, key.as_bytes());
        put(&mut hardware, b"ssh:");
        let mut other = Vec::new();
        put(&mut other, b"ssh-rsa");
        let found = decode_identities(&identities(&[&encode_blob(&key), &hardware, &other])).unwrap();
        let kinds: Vec<_> = found.iter().map(|identity| identity.kind.clone()).collect();
        assert_eq!(
            kinds,
            [AgentKeyKind::Ed25519(Box::new(key)), AgentKeyKind::SecurityKey, AgentKeyKind::Other]
        );
        let fingerprint = encode_fingerprint(&found[0].fingerprint);
        assert_eq!(parse_fingerprint(&fingerprint), Some(found[0].fingerprint));
        for bad in ["", "SHA256:", "SHA256:AAAA", &fingerprint.to_lowercase(), &format!("{fingerprint}=")] {
            assert_eq!(parse_fingerprint(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_off_lies_or_goes_on_is_refused() {
        let key = *PrivateKey::from_seed(&[1; 32]).public();
        let good = identities(&[&encode_blob(&key)]);
        for end in 0..good.len() {
            assert!(decode_identities(&good[..end]).is_err(), "{end}");
        }
        assert!(decode_identities(&[good.as_slice(), b"x"].concat()).is_err());
        assert_eq!(decode_identities(&[FAILURE]), Err(AgentError::Refused));
        // More keys than there are bytes for.
        assert!(decode_identities(&[IDENTITIES_ANSWER, 0xff, 0xff, 0xff, 0xff]).is_err());
        let mut inner = Vec::new();
        put(&mut inner, ED25519);
        put(&mut inner, &[7; 64]);
        let mut good = vec![SIGN_RESPONSE];
        put(&mut good, &inner);
        assert_eq!(decode_signature(&good), Ok(Signature([7; 64])));
        for end in 0..good.len() {
            assert!(decode_signature(&good[..end]).is_err(), "{end}");
        }
        assert!(decode_signature(&[good.as_slice(), b"x"].concat()).is_err());
        assert_eq!(decode_signature(&[FAILURE]), Err(AgentError::Refused));
    }
}
