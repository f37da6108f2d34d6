//! Public keys as text: PEM of `openssl pkey -pubout`, a line of `ssh-keygen`, base64, or what `greffe key show` prints.

use super::{PublicKey, PublicKeyError, decode_base64};

/// SubjectPublicKeyInfo of an Ed25519 key up to its 32 bytes (RFC 8410 §4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

/// Why text is not a public key that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicTextError {
    #[error("it is a private key, which stays where it is; only its public half is needed")]
    Private,
    #[error("it is not an Ed25519 key")]
    NotEd25519,
    #[error(
        "it is a key of a security key (sk-ssh-ed25519), which signs more than it is given; no DSSE signature comes of that"
    )]
    SecurityKey,
    #[error("it is neither a PEM public key, nor a line of an OpenSSH public key, nor base64 of 32 bytes")]
    UnknownForm,
    #[error(transparent)]
    Key(#[from] PublicKeyError),
}

/// Whether text is written as public keys of OpenSSH or PEM are, whatever their algorithm.
#[must_use]
pub fn is_public_key(text: &str) -> bool {
    let text = text.trim_start();
    ["ssh-", "ecdsa-", "sk-", PEM_BEGIN].iter().any(|beginning| text.starts_with(beginning))
}

/// Reads a public key.
///
/// # Errors
/// [`PublicTextError`].
pub fn parse_public_key(text: &str) -> Result<PublicKey, PublicTextError> {
    let text = text.trim();
    if text.contains("PRIVATE KEY-----") {
        return Err(PublicTextError::Private);
    }
    if let Some(body) = text.strip_prefix(PEM_BEGIN) {
        let (body, _) = body.split_once(PEM_END).ok_or(PublicTextError::UnknownForm)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = decode_base64(&body).ok_or(PublicTextError::UnknownForm)?;
        let bytes = der.strip_prefix(&SPKI).ok_or(PublicTextError::NotEd25519)?;
        return Ok(PublicKey::from_bytes(bytes)?);
    }
    if is_public_key(text) {
        return parse_openssh(text);
    }
    let shown = text.lines().find_map(|line| line.strip_prefix("public "));
    let base64 = shown.unwrap_or(text).trim();
    if base64.contains(char::is_whitespace) {
        return Err(PublicTextError::UnknownForm);
    }
    Ok(PublicKey::parse_base64(base64)?)
}

fn parse_openssh(text: &str) -> Result<PublicKey, PublicTextError> {
    if text.starts_with("sk-ssh-ed25519") {
        return Err(PublicTextError::SecurityKey);
    }
    if !text.starts_with("ssh-ed25519 ") {
        return Err(PublicTextError::NotEd25519);
    }
    let key = ssh_key::PublicKey::from_openssh(text).map_err(|_| PublicTextError::UnknownForm)?;
    let key = key.key_data().ed25519().ok_or(PublicTextError::NotEd25519)?;
    Ok(PublicKey::from_bytes(&key.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;

    #[test]
    fn a_key_is_the_same_in_every_form() {
        let key = *PrivateKey::from_seed(&[1; 32]).public();
        let base64 = key.to_base64();
        let spki = data_encoding::BASE64.encode(&[SPKI.as_slice(), key.as_bytes()].concat());
        let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
        blob.extend(key.as_bytes());
        let openssh = format!("ssh-ed25519 {} ci", data_encoding::BASE64.encode(&blob));
        for text in [
            base64.clone(),
            format!("keyid  {}\npublic {base64}\n", key.id()),
            format!("{PEM_BEGIN}\n{spki}\n{PEM_END}\n"),
            openssh.clone(),
            format!("{openssh}\n"),
        ] {
            assert_eq!(parse_public_key(&text), Ok(key), "{text}");
        }
        for (text, error) in [
            ("-----BEGIN PRIVATE KEY-----\n", PublicTextError::Private),
            ("ssh-rsa AAAA", PublicTextError::NotEd25519),
            ("sk-ssh-ed25519@openssh.com AAAA", PublicTextError::SecurityKey),
            ("ssh-ed25519 AAAA", PublicTextError::UnknownForm),
            ("-----BEGIN PUBLIC KEY-----\nMAAA\n-----END PUBLIC KEY-----", PublicTextError::NotEd25519),
            ("a b", PublicTextError::UnknownForm),
            ("", PublicTextError::Key(PublicKeyError::Length)),
            ("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", PublicTextError::Key(PublicKeyError::Point)),
        ] {
            assert_eq!(parse_public_key(text), Err(error), "{text}");
        }
    }
}
