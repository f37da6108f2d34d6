//! Ed25519 keys and signatures. A private key shows itself in no output, `Debug` included.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};

use super::{Digest, decode_base64};

/// An Ed25519 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature(pub [u8; 64]);

/// How a key is named in envelopes and trust documents: the SHA-256 of the key's canonical JSON
/// (FORMAT §3; what in-toto's own tools compute).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub Digest);

impl KeyId {
    /// Reads 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Digest::parse_hex(text).map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl serde::Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for KeyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Digest::deserialize(deserializer).map(Self)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", self.0)
    }
}

/// Why bytes are not a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    #[error("a public key is 32 bytes in base64, this is not")]
    Length,
    #[error("the bytes are not a point of the curve in its one spelling, or one of small order")]
    Point,
}

/// An Ed25519 public key with its identifier.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    id: KeyId,
}

impl PublicKey {
    /// Reads the 32 bytes of RFC 8032 §5.1.5; keys of small order are refused, for they sign anything.
    ///
    /// # Errors
    /// [`PublicKeyError`] when the bytes are no usable key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| PublicKeyError::Length)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| PublicKeyError::Point)?;
        // RFC 8032 §5.1.3 refuses a y of p or more, which dalek reduces: one key would have two spellings.
        if key.is_weak() || key.to_edwards().compress().as_bytes() != &bytes {
            return Err(PublicKeyError::Point);
        }
        Ok(Self::from_verifying_key(key))
    }

    /// Reads standard base64 with padding, as trust documents hold it.
    ///
    /// # Errors
    /// As [`PublicKey::from_bytes`].
    pub fn parse_base64(text: &str) -> Result<Self, PublicKeyError> {
        let bytes = decode_base64(text).ok_or(PublicKeyError::Length)?;
        Self::from_bytes(&bytes)
    }

    fn from_verifying_key(key: VerifyingKey) -> Self {
        let hex = HEXLOWER.encode(key.as_bytes());
        let json = format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{hex}"}},"scheme":"ed25519"}}"#);
        Self { key, id: KeyId(Digest::of(json.as_bytes())) }
    }

    /// The identifier that envelopes name it by.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The 32 bytes of RFC 8032.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Standard base64 with padding.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.as_bytes())
    }

    /// The key as `SubjectPublicKeyInfo` in PEM (RFC 8410 §4), as `openssl` reads it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        // Everything before the key itself: two sequences, the algorithm's identifier, a bit string of whole bytes.
        const FRONT: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let der = [FRONT.as_slice(), self.as_bytes()].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&der))
    }

    /// Whether `signature` over `message` was made by this key, by the strict rules: no small-order
    /// points, no second encoding of a valid signature.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        self.key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0)).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

/// An Ed25519 private key; wiped from memory when dropped.
#[derive(Clone)]
pub struct PrivateKey {
    key: SigningKey,
    public: PublicKey,
}

impl PrivateKey {
    /// A new key from the operating system's random source.
    #[must_use]
    pub fn generate() -> Self {
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        super::fill_random(&mut *seed);
        Self::from_seed(&seed)
    }

    /// The key of a 32-byte seed (RFC 8032 §5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let public = PublicKey::from_verifying_key(key.verifying_key());
        Self { key, public }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.key.sign(message).to_bytes())
    }

    /// The seed that it was made of: the secret itself.
    pub(crate) fn seed(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {})", self.public.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_id_is_what_securesystemslib_computes() {
        let key = PrivateKey::from_seed(&[1; 32]);
        assert_eq!(
            key.public().id().to_string(),
            "7ab6b86cb2c9684b0ddc10896153aa2595decf4d4327a5ff1a8ab7422c828b12"
        );
    }

    #[test]
    fn debug_shows_no_private_byte() {
        let key = PrivateKey::from_seed(&[0xab; 32]);
        let shown = format!("{key:?}").to_lowercase();
        assert!(!shown.contains("abab") && !shown.contains("171"), "{shown}");
    }

    #[test]
    fn weak_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(PublicKeyError::Point));
        assert_eq!(PublicKey::from_bytes(&[0; 31]), Err(PublicKeyError::Length));
    }

    #[test]
    fn signatures_bind_key_and_message() {
        let key = PrivateKey::from_seed(&[1; 32]);
        let signature = key.sign(b"deed");
        assert!(key.public().verify(b"deed", &signature));
        assert!(!key.public().verify(b"dead", &signature));
        assert!(!PrivateKey::from_seed(&[2; 32]).public().verify(b"deed", &signature));
    }
}
