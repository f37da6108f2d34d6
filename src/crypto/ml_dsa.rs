//! ML-DSA-44 (FIPS 204): signatures that a large quantum computer cannot forge. Only cosignatures use it.

use std::fmt;

use ml_dsa::signature::Verifier as _;
use ml_dsa::{EncodedSignature, EncodedVerifyingKey, MlDsa44, Signature, VerifyingKey};

/// Bytes of a public key.
const KEY_LENGTH: usize = 1312;

/// An ML-DSA-44 public key.
#[derive(Clone, PartialEq, Eq)]
pub struct MlDsaPublicKey(Box<[u8; KEY_LENGTH]>);

impl MlDsaPublicKey {
    /// Bytes of a signature.
    pub const SIGNATURE_LENGTH: usize = 2420;

    /// Reads the 1312 bytes of FIPS 204 §7.2; every such string is a key.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Box::new(bytes.try_into().ok()?)))
    }

    /// The bytes of FIPS 204 §7.2.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Whether `signature` over `message`, with an empty context, was made by this key.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = EncodedVerifyingKey::<MlDsa44>::try_from(self.as_bytes());
        let signature = EncodedSignature::<MlDsa44>::try_from(signature);
        let (Ok(key), Ok(signature)) = (key, signature) else { return false };
        let key = VerifyingKey::<MlDsa44>::decode(&key);
        Signature::decode(&signature).is_some_and(|signature| key.verify(message, &signature).is_ok())
    }
}

impl fmt::Debug for MlDsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MlDsaPublicKey({})", super::Digest::of(self.as_bytes()))
    }
}

/// An ML-DSA-44 private key.
#[cfg(feature = "post-quantum")]
#[derive(Clone)]
pub struct MlDsaPrivateKey(Box<ml_dsa::SigningKey<MlDsa44>>);

#[cfg(feature = "post-quantum")]
impl MlDsaPrivateKey {
    /// The key that this seed makes (FIPS 204 §6.1).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Box::new(ml_dsa::SigningKey::from_seed(&(*seed).into())))
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> MlDsaPublicKey {
        use ml_dsa::signature::Keypair as _;
        let mut bytes = [0; KEY_LENGTH];
        bytes.copy_from_slice(&self.0.verifying_key().encode());
        MlDsaPublicKey(Box::new(bytes))
    }

    /// Signs `message` with an empty context, the same way each time.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        use ml_dsa::signature::Signer as _;
        self.0.sign(message).encode().to_vec()
    }
}
