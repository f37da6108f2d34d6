//! Who signs: a private key that is here, or one that something else keeps and uses for us.

use std::fmt;

use super::{KeyId, PrivateKey, PublicKey, Signature};

/// Makes Ed25519 signatures with one key.
///
/// Where the private key is, and whether somebody is asked first, is the implementation's affair. It may wait for
/// that, within a bound of its own. A signature that it hands out verifies under [`Signer::public`].
pub trait Signer: Send + Sync + fmt::Debug {
    /// The public half.
    fn public(&self) -> &PublicKey;

    /// Signs `message`.
    ///
    /// # Errors
    /// [`SignError`] when whoever has the key refuses, or does not answer.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError>;
}

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {keyid} did not sign: {reason}")]
pub struct SignError {
    pub keyid: KeyId,
    /// Holds nothing of the message or the key.
    pub reason: String,
}

impl Signer for PrivateKey {
    fn public(&self) -> &PublicKey {
        Self::public(self)
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        Ok(Self::sign(self, message))
    }
}
