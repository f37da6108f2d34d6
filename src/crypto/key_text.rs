//! Private keys as text: PKCS#8 PEM, plain or encrypted with PBES2, and OpenSSH. Reads what `openssl`
//! and `ssh-keygen` write; writes what `openssl pkey` opens.

use pkcs8::der::{Decode as _, Encode as _, SecretDocument, asn1::OctetStringRef};
use pkcs8::pkcs5::pbes2;
use pkcs8::{
    AlgorithmIdentifierRef, EncryptedPrivateKeyInfoRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef,
};
use zeroize::Zeroizing;

use super::PrivateKey;

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Characters of base64 in a line of a PEM document (RFC 7468 §2).
const PEM_WIDTH: usize = 64;
/// The same of an OpenSSH private key.
const OPENSSH_WIDTH: usize = 70;
/// Rounds of PBKDF2 with HMAC-SHA-256 for keys that are written here.
const PBKDF2_ITERATIONS: u32 = 600_000;
/// More rounds than this are refused: a key file must not be able to keep the program busy for minutes.
const PBKDF2_ITERATIONS_LIMIT: u32 = 20_000_000;
/// More memory than this (128 · N · r bytes) is refused for scrypt.
const SCRYPT_MEMORY_LIMIT: u64 = 1 << 30;

/// Why text is not a private key that can be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    #[error("neither a PKCS#8 key (`-----BEGIN PRIVATE KEY-----`) nor an OpenSSH private key")]
    UnknownForm,
    #[error("the key is encrypted and no passphrase was given")]
    PassphraseNeeded,
    #[error("the passphrase does not open the key")]
    WrongPassphrase,
    #[error("the key is not an Ed25519 key")]
    NotEd25519,
    #[error("the key's encryption asks for more time or memory than is allowed")]
    TooCostly,
    #[error("the text is damaged: {0}")]
    Damaged(&'static str),
}

/// Reads a private key; `passphrase` is asked for only when the key is encrypted.
///
/// # Errors
/// [`KeyTextError`], which never holds a part of the text.
pub fn parse_private_key(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, KeyTextError> {
    let text = text.trim();
    if text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") {
        return parse_openssh(&wrapped(text, OPENSSH_WIDTH), passphrase);
    }
    if !text.starts_with("-----BEGIN ") {
        return Err(KeyTextError::UnknownForm);
    }
    let text = wrapped(text, PEM_WIDTH);
    let (label, document) =
        SecretDocument::from_pem(&text).map_err(|_| KeyTextError::Damaged("not a PEM document"))?;
    match label {
        "PRIVATE KEY" => parse_pkcs8(document.as_bytes()),
        "ENCRYPTED PRIVATE KEY" => parse_encrypted(document.as_bytes(), passphrase),
        _ => Err(KeyTextError::UnknownForm),
    }
}

/// The text with its base64 in lines of `width`: the readers below know no other, and other programs wrap otherwise.
fn wrapped(text: &str, width: usize) -> Zeroizing<String> {
    // Large enough from the start, so that no part of the key is left behind when it would grow.
    let mut wrapped = Zeroizing::new(String::with_capacity(text.len() * 2 + 2));
    let mut column = 0;
    for line in text.lines() {
        if line.starts_with("-----") {
            if column > 0 {
                wrapped.push('\n');
            }
            wrapped.push_str(line);
            wrapped.push('\n');
            column = 0;
            continue;
        }
        for character in line.trim_end().chars() {
            if column == width {
                wrapped.push('\n');
                column = 0;
            }
            wrapped.push(character);
            column += 1;
        }
    }
    wrapped
}

fn parse_pkcs8(der: &[u8]) -> Result<PrivateKey, KeyTextError> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyTextError::Damaged("not a PKCS#8 key"))?;
    if info.algorithm.oid != ED25519 {
        return Err(KeyTextError::NotEd25519);
    }
    // RFC 8410 §7: the octet string holds another octet string, which holds the seed.
    let inner = <&OctetStringRef>::from_der(info.private_key.as_bytes())
        .map_err(|_| KeyTextError::Damaged("the private key is not an octet string"))?;
    let seed: &[u8; 32] =
        inner.as_bytes().try_into().map_err(|_| KeyTextError::Damaged("an Ed25519 seed is 32 bytes"))?;
    Ok(PrivateKey::from_seed(seed))
}

fn parse_encrypted(der: &[u8], passphrase: Option<&str>) -> Result<PrivateKey, KeyTextError> {
    let info = EncryptedPrivateKeyInfoRef::from_der(der)
        .map_err(|_| KeyTextError::Damaged("not an encrypted PKCS#8 key"))?;
    if let Some(scheme) = info.encryption_algorithm.pbes2() {
        let rounds = scheme.kdf.pbkdf2().map_or(0, |kdf| kdf.iteration_count);
        let memory = scheme.kdf.scrypt().map_or(0, |kdf| {
            128_u64.saturating_mul(kdf.cost_parameter).saturating_mul(kdf.block_size.into())
        });
        if rounds > PBKDF2_ITERATIONS_LIMIT || memory > SCRYPT_MEMORY_LIMIT {
            return Err(KeyTextError::TooCostly);
        }
    }
    let passphrase = passphrase.ok_or(KeyTextError::PassphraseNeeded)?;
    let document = info.decrypt(passphrase).map_err(|_| KeyTextError::WrongPassphrase)?;
    // CBC has no tag: a wrong passphrase may decrypt to noise, which is not a key.
    parse_pkcs8(document.as_bytes()).map_err(|error| match error {
        KeyTextError::Damaged(_) => KeyTextError::WrongPassphrase,
        other => other,
    })
}

fn parse_openssh(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, KeyTextError> {
    let mut key = ssh_key::PrivateKey::from_openssh(text).map_err(|error| match error {
        ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. } => {
            KeyTextError::NotEd25519
        }
        _ => KeyTextError::Damaged("not an OpenSSH private key"),
    })?;
    if key.algorithm() != ssh_key::Algorithm::Ed25519 {
        return Err(KeyTextError::NotEd25519);
    }
    if key.is_encrypted() {
        if matches!(key.kdf(), ssh_key::Kdf::Bcrypt { rounds, .. } if *rounds > 10_000) {
            return Err(KeyTextError::TooCostly);
        }
        let passphrase = passphrase.ok_or(KeyTextError::PassphraseNeeded)?;
        key = key.decrypt(passphrase).map_err(|_| KeyTextError::WrongPassphrase)?;
    }
    let pair = key.key_data().ed25519().ok_or(KeyTextError::NotEd25519)?;
    let seed = Zeroizing::new(pair.private.to_bytes());
    Ok(PrivateKey::from_seed(&seed))
}

/// Writes an unencrypted PKCS#8 PEM document.
#[must_use]
pub fn encode_pem(key: &PrivateKey) -> Zeroizing<String> {
    to_pem(&to_pkcs8(key), "PRIVATE KEY")
}

/// Writes a PKCS#8 PEM document encrypted with PBES2 (PBKDF2 with HMAC-SHA-256, AES-256 in CBC mode).
#[must_use]
pub fn encode_encrypted_pem(key: &PrivateKey, passphrase: &str) -> Zeroizing<String> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    super::fill_random(&mut salt);
    super::fill_random(&mut iv);
    let plain = to_pkcs8(key);
    let encrypted = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(PBKDF2_ITERATIONS, &salt, iv)
        .ok()
        .and_then(|parameters| {
            let info = PrivateKeyInfoRef::from_der(plain.as_bytes()).ok()?;
            info.encrypt_with_params(parameters, passphrase).ok()
        })
        .expect("fixed parameters and a key made above always encrypt");
    to_pem(&encrypted, "ENCRYPTED PRIVATE KEY")
}

fn to_pkcs8(key: &PrivateKey) -> SecretDocument {
    let inner = OctetStringRef::new(key.seed())
        .and_then(|seed| seed.to_der())
        .map(Zeroizing::new)
        .expect("32 bytes are an octet string");
    let algorithm = AlgorithmIdentifierRef { oid: ED25519, parameters: None };
    OctetStringRef::new(&inner)
        .and_then(|private_key| SecretDocument::encode_msg(&PrivateKeyInfoRef::new(algorithm, private_key)))
        .expect("a seed always encodes")
}

fn to_pem(document: &SecretDocument, label: &'static str) -> Zeroizing<String> {
    document.to_pem(label, LineEnding::LF).expect("a label without line ends always encodes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_come_back() {
        let key = PrivateKey::from_seed(&[7; 32]);
        let plain = parse_private_key(&encode_pem(&key), None).unwrap();
        assert_eq!(plain.public(), key.public());
        let text = encode_encrypted_pem(&key, "a passphrase");
        assert_eq!(parse_private_key(&text, Some("a passphrase")).unwrap().public(), key.public());
        assert_eq!(parse_private_key(&text, None).unwrap_err(), KeyTextError::PassphraseNeeded);
        assert_eq!(parse_private_key(&text, Some("another")).unwrap_err(), KeyTextError::WrongPassphrase);
    }

    #[test]
    fn other_text_is_refused_without_a_panic() {
        for text in [
            "",
            "hello",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        ] {
            assert!(parse_private_key(text, Some("x")).is_err());
        }
        // The seed of RFC 8032 §7.1 test 1, cut by one byte.
        let damaged = "-----BEGIN PRIVATE KEY-----\nMC0CAQAwBQYDK2VwBCEEH51hsZ3v/VpguoRK9JLsLMRESShZZBrq1R/Z4FZ/eQ==\n-----END PRIVATE KEY-----";
        assert!(parse_private_key(damaged, None).is_err());
    }
}
