//! Bytes in, bytes out: digests, keys, signatures, sealing. No files, no network, no clock, no environment.

mod base64;
mod certificates;
mod content;
mod digest;
mod key_text;
mod keys;
mod ml_dsa;
mod public_text;
mod signer;

pub use base64::decode_base64;
pub use certificates::{ChainFault, DigestAlgorithm, verify_by_certificate, verify_chain};
pub use content::{ContentKey, NONCE_SIZE, TAG_SIZE, commit};
pub use digest::{Digest, Hasher};
pub use key_text::{KeyTextError, encode_encrypted_pem, encode_pem, parse_private_key};
pub use keys::{KeyId, PrivateKey, PublicKey, PublicKeyError, Signature};
#[cfg(feature = "post-quantum")]
pub use ml_dsa::MlDsaPrivateKey;
pub use ml_dsa::MlDsaPublicKey;
pub use public_text::{PublicTextError, is_public_key, parse_public_key};
pub use signer::{SignError, Signer, Together};

/// Fills `bytes` from the operating system's random source.
///
/// # Panics
/// When the operating system has no random source: nothing safe can be done without one.
pub fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}
