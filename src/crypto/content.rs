//! Content keys: ChaCha20/Poly1305 under a key that is made for one file alone, and HMAC commitments. What is
//! sealed with them, and how it is laid out, is not known here.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Digest, fill_random};

/// Bytes of the nonce of ChaCha20/Poly1305 (RFC 8439 §2.8).
pub const NONCE_SIZE: usize = 12;
/// Bytes by which a ciphertext is longer than its plaintext.
pub const TAG_SIZE: usize = 16;

/// A symmetric key, 32 bytes; wiped when it is dropped, and shown in no output.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ContentKey([u8; 32]);

impl ContentKey {
    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; 32];
        fill_random(&mut bytes);
        Self(bytes)
    }

    /// The key of these bytes; `None` when they are not 32.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Encrypts `buffer` in its place and appends the tag; `associated` is authenticated with it.
    ///
    /// # Panics
    /// When `buffer` is over 256 GiB, the most that one nonce may encrypt.
    pub fn seal(&self, nonce: &[u8; NONCE_SIZE], associated: &[u8], buffer: &mut Vec<u8>) {
        self.cipher()
            .encrypt_in_place(&Nonce::from(*nonce), associated, buffer)
            .expect("what fits into memory is shorter than what one nonce may encrypt");
    }

    /// Decrypts `buffer` in its place and takes the tag off; `None`, and nothing can be said of the buffer, when key,
    /// nonce, associated data or a bit of it are not those of the sealing.
    #[must_use]
    pub fn open(&self, nonce: &[u8; NONCE_SIZE], associated: &[u8], buffer: &mut Vec<u8>) -> Option<()> {
        self.cipher().decrypt_in_place(&Nonce::from(*nonce), associated, buffer).ok()
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&Key::from(self.0))
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(…)")
    }
}

/// A commitment to `data` that nobody can guess without `salt`: HMAC-SHA256 with the salt as its key (RFC 2104).
///
/// The salt has the length of a digest, below the block of the hash, so that no two pairs of salt and data of that form
/// are the same message: a second pair for one commitment would be a collision of SHA-256.
#[must_use]
pub fn commit(salt: &[u8; 32], data: &[u8]) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).expect("HMAC takes a key of every length");
    mac.update(data);
    Digest(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439 §2.8.2.
    #[test]
    fn sealing_gives_the_ciphertext_of_the_rfc() {
        let key: Vec<u8> = (0x80..0xa0).collect();
        let key = ContentKey::from_bytes(&key).unwrap();
        let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let associated = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let plain =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                      sunscreen would be it.";
        let mut buffer = plain.to_vec();
        key.seal(&nonce, &associated, &mut buffer);
        assert_eq!(buffer[..8], [0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb]);
        let tag =
            [0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91];
        assert_eq!(buffer[plain.len()..], tag);
        assert!(key.open(&nonce, &associated, &mut buffer).is_some());
        assert_eq!(buffer, plain);
    }

    /// RFC 4231 §4.3, with the key filled up to 32 bytes by zeros, which HMAC does by itself.
    #[test]
    fn commitments_are_hmac_sha256() {
        let mut salt = [0; 32];
        salt[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            commit(&salt, b"what do ya want for nothing?").to_string(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn nothing_opens_with_another_key_nonce_or_context() {
        let (key, nonce) = (ContentKey::generate(), [1; NONCE_SIZE]);
        let mut sealed = b"texte".to_vec();
        key.seal(&nonce, b"context", &mut sealed);
        let opens = |key: &ContentKey, nonce, associated: &[u8]| {
            key.open(&nonce, associated, &mut sealed.clone()).is_some()
        };
        assert!(opens(&key, nonce, b"context"));
        assert!(!opens(&ContentKey::generate(), nonce, b"context"));
        assert!(!opens(&key, [2; NONCE_SIZE], b"context"));
        assert!(!opens(&key, nonce, b"other"));
        assert!(key.open(&nonce, b"context", &mut Vec::new()).is_none());
    }

    #[test]
    fn a_key_shows_itself_in_no_output() {
        assert_eq!(format!("{:?}", ContentKey::from_bytes(&[0x41; 32]).unwrap()), "ContentKey(…)");
        assert!(ContentKey::from_bytes(&[0; 31]).is_none());
    }
}
