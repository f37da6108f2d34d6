//! The key that a vault's owner holds. Where its text comes from is not known here.

use age::secrecy::{ExposeSecret as _, SecretString};
use age::x25519::{Identity, Recipient};
use zeroize::Zeroizing;

/// Bytes that an identity file may have.
pub const FILE_LIMIT: usize = 64 << 10;
/// The most work that a passphrase may ask for: scrypt with 2^22 blocks takes some seconds and 4 GiB.
const WORK_LIMIT: u8 = 20;

/// Why a key of an owner cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    #[error(
        "not an age identity: write a line `AGE-SECRET-KEY-1…`, or such a file encrypted with a passphrase"
    )]
    Identity,
    #[error("the identity file is encrypted, and there is no passphrase")]
    PassphraseNeeded,
    #[error("the passphrase does not open the identity file")]
    WrongPassphrase,
    #[error("not an age recipient: `age1` and 58 more characters")]
    Recipient,
    #[error("the owner's key is not the one that this was encrypted for")]
    NotFor,
}

/// A key that unwraps what was encrypted for its recipient. An age identity is one; a key management service can be
/// another.
pub trait OwnerKey: Send + Sync {
    /// What encrypts for it, `age1…`.
    fn recipient(&self) -> String;

    /// Decrypts what was encrypted for the recipient.
    ///
    /// # Errors
    /// [`OwnerError::NotFor`].
    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, OwnerError>;
}

/// An X25519 identity of age.
pub struct AgeOwner(Identity);

impl AgeOwner {
    /// A new identity.
    #[must_use]
    pub fn generate() -> Self {
        Self(Identity::generate())
    }

    /// Reads an identity file of age: the first `AGE-SECRET-KEY-1` line in it, or one that a passphrase encrypts.
    ///
    /// # Errors
    /// [`OwnerError`].
    pub fn parse(bytes: &[u8], passphrase: Option<&str>) -> Result<Self, OwnerError> {
        if bytes.len() > FILE_LIMIT {
            return Err(OwnerError::Identity);
        }
        if let Some(identity) = std::str::from_utf8(bytes).ok().and_then(identity_of) {
            return Ok(Self(identity));
        }
        let reader = age::armor::ArmoredReader::new(bytes);
        let decryptor = age::Decryptor::new_buffered(reader).map_err(|_| OwnerError::Identity)?;
        if !decryptor.is_scrypt() {
            return Err(OwnerError::Identity);
        }
        let passphrase = passphrase.ok_or(OwnerError::PassphraseNeeded)?;
        let mut scrypt = age::scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
        scrypt.set_max_work_factor(WORK_LIMIT);
        let opened = decryptor.decrypt(std::iter::once(&scrypt as &dyn age::Identity));
        let opened = opened.map_err(|_| OwnerError::WrongPassphrase)?;
        let mut text = Zeroizing::new(String::new());
        std::io::Read::read_to_string(&mut std::io::Read::take(opened, FILE_LIMIT as u64), &mut text)
            .map_err(|_| OwnerError::Identity)?;
        identity_of(&text).map(Self).ok_or(OwnerError::Identity)
    }

    /// The identity file: in clear, or encrypted with a passphrase, in armour.
    ///
    /// # Errors
    /// [`OwnerError::Identity`] when it cannot be encrypted.
    pub fn encode(&self, passphrase: Option<&str>) -> Result<Zeroizing<String>, OwnerError> {
        let text = Zeroizing::new(format!(
            "# public key: {}\n{}\n",
            self.0.to_public(),
            self.0.to_string().expose_secret()
        ));
        let Some(passphrase) = passphrase else { return Ok(text) };
        let recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
        let armored = age::encrypt_and_armor(&recipient, text.as_bytes());
        armored.map(Zeroizing::new).map_err(|_| OwnerError::Identity)
    }
}

impl OwnerKey for AgeOwner {
    fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, OwnerError> {
        age::decrypt(&self.0, wrapped).map(Zeroizing::new).map_err(|_| OwnerError::NotFor)
    }
}

fn identity_of(text: &str) -> Option<Identity> {
    text.lines().map(str::trim).find(|line| line.starts_with("AGE-SECRET-KEY-1"))?.parse().ok()
}

/// Whether `text` is a recipient of age.
///
/// # Errors
/// [`OwnerError::Recipient`].
pub fn require_recipient(text: &str) -> Result<(), OwnerError> {
    text.parse::<Recipient>().map(drop).map_err(|_| OwnerError::Recipient)
}

/// Encrypts for a recipient of age.
///
/// # Errors
/// [`OwnerError::Recipient`].
pub fn wrap(recipient: &str, bytes: &[u8]) -> Result<Vec<u8>, OwnerError> {
    let recipient: Recipient = recipient.parse().map_err(|_| OwnerError::Recipient)?;
    age::encrypt(&recipient, bytes).map_err(|_| OwnerError::Recipient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_file_opens_in_clear_and_with_its_passphrase_alone() {
        let owner = AgeOwner::generate();
        let clear = owner.encode(None).unwrap();
        let same = AgeOwner::parse(clear.as_bytes(), None).unwrap();
        assert_eq!(same.recipient(), owner.recipient());
        let closed = owner.encode(Some("été")).unwrap();
        assert!(!closed.contains("AGE-SECRET-KEY"));
        assert_eq!(AgeOwner::parse(closed.as_bytes(), None).err(), Some(OwnerError::PassphraseNeeded));
        assert_eq!(AgeOwner::parse(closed.as_bytes(), Some("x")).err(), Some(OwnerError::WrongPassphrase));
        let same = AgeOwner::parse(closed.as_bytes(), Some("été")).unwrap();
        assert_eq!(same.recipient(), owner.recipient());
    }

    #[test]
    fn what_is_no_identity_is_refused() {
        for text in ["", "AGE-SECRET-KEY-1", "age1xyz", "-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n"] {
            assert_eq!(
                AgeOwner::parse(text.as_bytes(), Some("x")).err(),
                Some(OwnerError::Identity),
                "{text}"
            );
        }
        assert!(AgeOwner::parse(&vec![b'a'; FILE_LIMIT + 1], None).is_err());
    }

    #[test]
    fn only_the_owner_unwraps() {
        let (owner, other) = (AgeOwner::generate(), AgeOwner::generate());
        let wrapped = wrap(&owner.recipient(), b"key").unwrap();
        assert_eq!(owner.unwrap(&wrapped).unwrap().as_slice(), b"key");
        assert_eq!(other.unwrap(&wrapped).err(), Some(OwnerError::NotFor));
        assert_eq!(wrap("age1no", b"key").err(), Some(OwnerError::Recipient));
    }
}
