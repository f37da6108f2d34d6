//! Who signs: a private key that is here, or one that something else keeps and uses for us.

use std::fmt;
use std::sync::Arc;

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

    /// Others that sign entries along with this one, where more than one has to. What one signature is enough for, this
    /// one signs alone.
    fn others(&self) -> &[Arc<dyn Signer>] {
        &[]
    }
}

/// One that signs what it is asked to, and others that sign entries along with it.
#[derive(Debug)]
pub struct Together {
    first: Arc<dyn Signer>,
    others: Vec<Arc<dyn Signer>>,
}

impl Together {
    /// Each key once.
    #[must_use]
    pub fn new(first: Arc<dyn Signer>, others: Vec<Arc<dyn Signer>>) -> Self {
        let mut signers = Self { first, others: Vec::with_capacity(others.len()) };
        for other in others {
            let is_known = |known: &Arc<dyn Signer>| known.public() == other.public();
            if !is_known(&signers.first) && !signers.others.iter().any(is_known) {
                signers.others.push(other);
            }
        }
        signers
    }
}

impl Signer for Together {
    fn public(&self) -> &PublicKey {
        self.first.public()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.first.sign(message)
    }

    fn others(&self) -> &[Arc<dyn Signer>] {
        &self.others
    }
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
