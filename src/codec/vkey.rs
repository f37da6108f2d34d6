//! Verifier keys of signed notes ⇄ text (C2SP signed-note: `name+hash+base64`), and what their lines say of a note.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};

use super::cosignature::{signed_message, split};
use super::note::{Note, NoteSignature};
use crate::crypto::{Digest, MlDsaPublicKey, PublicKey, Signature, decode_base64};

/// Names and keys that are longer are refused; an ML-DSA-44 key has 1752 characters.
const LENGTH_LIMIT: usize = 4096;

/// How a key signs notes (C2SP signed-note, signature types).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteAlgorithm {
    /// 0x01: Ed25519 over the text.
    Ed25519,
    /// 0x04: Ed25519 over the text and a time.
    CosignatureV1,
    /// 0x06: ML-DSA-44 over a tree and a time.
    MlDsa44,
}

impl NoteAlgorithm {
    /// What may cosign a checkpoint of an archive, by the version of its format. What is not listed is the line of a
    /// stranger, whoever trusts its key.
    #[must_use]
    pub const fn of_witnesses(format: u64) -> &'static [Self] {
        match format {
            1 => &[Self::CosignatureV1, Self::MlDsa44],
            _ => &[],
        }
    }

    /// What may sign the checkpoints of a log that is witnessed.
    pub const OF_LOGS: &'static [Self] = &[Self::Ed25519, Self::MlDsa44];

    /// The byte that names it.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
            Self::MlDsa44 => 0x06,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum NoteKey {
    Ed25519(PublicKey),
    CosignatureV1(PublicKey),
    MlDsa44(MlDsaPublicKey),
}

/// A key with its name, as verifiers of notes are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vkey {
    name: String,
    id: [u8; 4],
    key: NoteKey,
}

/// Why a text is no verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VkeyError {
    #[error("a verifier key is `name+hash+key`, with 8 hexadecimal digits and base64")]
    Shape,
    #[error("its key is neither Ed25519 (types 1 and 4) nor ML-DSA-44 (type 6)")]
    Algorithm,
    #[error("its key is not a usable one of its type")]
    Key,
    #[error("its hash is not that of its name and key: a character is wrong, or missing")]
    Hash,
}

/// What the lines of one key say of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VkeyVerdict {
    /// No line is by the key.
    Absent,
    /// All its lines are good. Their times in POSIX seconds; a line that states none is not among them.
    Valid { times: Vec<u64> },
    /// A line is by the key and its signature is not over this note.
    Invalid,
}

impl Vkey {
    /// A log's key.
    ///
    /// `name` has neither white space nor `+`, as the origin of a chain has not.
    #[must_use]
    pub fn ed25519(name: &str, key: PublicKey) -> Self {
        Self::new(name, NoteKey::Ed25519(key))
    }

    /// A witness' key; `None` when `name` is not one.
    #[must_use]
    pub fn cosignature(name: &str, key: PublicKey) -> Option<Self> {
        is_key_name(name).then(|| Self::new(name, NoteKey::CosignatureV1(key)))
    }

    /// A witness' ML-DSA-44 key; `None` when `name` is not one.
    #[must_use]
    pub fn ml_dsa(name: &str, key: MlDsaPublicKey) -> Option<Self> {
        is_key_name(name).then(|| Self::new(name, NoteKey::MlDsa44(key)))
    }

    fn new(name: &str, key: NoteKey) -> Self {
        let mut vkey = Self { name: name.to_owned(), id: [0; 4], key };
        vkey.id = vkey.hash();
        vkey
    }

    /// The name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 4 bytes by which lines name it.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> NoteAlgorithm {
        match self.key {
            NoteKey::Ed25519(_) => NoteAlgorithm::Ed25519,
            NoteKey::CosignatureV1(_) => NoteAlgorithm::CosignatureV1,
            NoteKey::MlDsa44(_) => NoteAlgorithm::MlDsa44,
        }
    }

    /// The key itself, by which two names of one witness are found out.
    #[must_use]
    pub fn key_bytes(&self) -> &[u8] {
        match &self.key {
            NoteKey::Ed25519(key) | NoteKey::CosignatureV1(key) => key.as_bytes(),
            NoteKey::MlDsa44(key) => key.as_bytes(),
        }
    }

    /// First 4 bytes of SHA-256 over name, line feed, type and key (C2SP signed-note).
    fn hash(&self) -> [u8; 4] {
        let bytes = [self.name.as_bytes(), b"\n", &[self.algorithm().code()], self.key_bytes()].concat();
        let [a, b, c, d, ..] = Digest::of(&bytes).0;
        [a, b, c, d]
    }

    /// The lines of a note that are by this key, as they claim.
    pub fn lines<'a>(&'a self, note: &'a Note) -> impl Iterator<Item = &'a NoteSignature> {
        note.signatures.iter().filter(|line| line.key_id == self.id && line.name == self.name)
    }

    /// What the lines of this key say of the note.
    #[must_use]
    pub fn verify(&self, note: &Note) -> VkeyVerdict {
        let (mut found, mut times) = (false, Vec::new());
        for line in self.lines(note) {
            match self.verify_line(&note.text, &line.signature) {
                None => return VkeyVerdict::Invalid,
                Some(time) => times.extend((time > 0).then_some(time)),
            }
            found = true;
        }
        if found { VkeyVerdict::Valid { times } } else { VkeyVerdict::Absent }
    }

    /// The time that a good signature states, 0 for none; `None` for one that is not over this text.
    fn verify_line(&self, text: &str, signature: &[u8]) -> Option<u64> {
        let ed25519 = |key: &PublicKey, message: &[u8], signature: &[u8]| {
            let signature = <[u8; 64]>::try_from(signature).ok()?;
            key.verify(message, &Signature(signature)).then_some(())
        };
        match &self.key {
            NoteKey::Ed25519(key) => ed25519(key, text.as_bytes(), signature).map(|()| 0),
            NoteKey::CosignatureV1(key) => {
                let (time, signature) = split(signature)?;
                let message = signed_message(self.algorithm(), &self.name, time, text)?;
                ed25519(key, &message, signature).map(|()| time)
            }
            NoteKey::MlDsa44(key) => {
                let (time, signature) = split(signature)?;
                let message = signed_message(self.algorithm(), &self.name, time, text)?;
                key.verify(&message, signature).then_some(time)
            }
        }
    }
}

/// Whether a text can be the name of a key.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    let plain = |character: char| !character.is_whitespace() && !character.is_control() && character != '+';
    !name.is_empty() && name.len() <= 255 && name.chars().all(plain)
}

impl FromStr for Vkey {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        // Base64 has `+` too, names and hashes have not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VkeyError::Shape);
        };
        if text.len() > LENGTH_LIMIT || !is_key_name(name) {
            return Err(VkeyError::Shape);
        }
        let hash = HEXLOWER.decode(hash.as_bytes()).map_err(|_| VkeyError::Shape)?;
        let hash = <[u8; 4]>::try_from(hash).map_err(|_| VkeyError::Shape)?;
        let bytes = decode_base64(key).ok_or(VkeyError::Shape)?;
        let (kind, key) = bytes.split_first().ok_or(VkeyError::Shape)?;
        let ed25519 = || PublicKey::from_bytes(key).map_err(|_| VkeyError::Key);
        let key = match kind {
            0x01 => NoteKey::Ed25519(ed25519()?),
            0x04 => NoteKey::CosignatureV1(ed25519()?),
            0x06 => NoteKey::MlDsa44(MlDsaPublicKey::from_bytes(key).ok_or(VkeyError::Key)?),
            _ => return Err(VkeyError::Algorithm),
        };
        let vkey = Self::new(name, key);
        if vkey.id == hash { Ok(vkey) } else { Err(VkeyError::Hash) }
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.algorithm().code()], self.key_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id), BASE64.encode(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "example.com/migrations/orders+634f6eff+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
    const WITNESS: &str = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
    /// Accepted by Go's `x/mod`, aics-tlog 0.2.1, tlog-scales 0.0.3 and signed_note 0.2.
    const NOTE: &str = "example.com/migrations/orders\n7\nj19i1QFhivasIiMQV1Gjvm6H7tndKS0hEgo33poriu8=\n\n\
        \u{2014} example.com/migrations/orders Y09u/4O3fKb04f77TYxYhwkaMciofihi3L4vj3FX41QrH7iG2unNOFtAYOWC6cN0Tr0Bbc3eEBxtXg+SMVeiCpDNuwk=\n\
        \u{2014} witness.example/w1 3xwKNQAAAABpVbkAdzrNkBREUjGpitBY94NtgiqVAC0b//LvfkI8fuM+F3P0izKgkiBcJgZRe2LXyUvEzvfTWd5uSPKXg9eZNqDtBA==\n";

    #[test]
    fn keys_and_their_lines_are_those_of_other_programs() {
        let note = Note::decode(NOTE.as_bytes()).unwrap();
        let (log, witness): (Vkey, Vkey) = (LOG.parse().unwrap(), WITNESS.parse().unwrap());
        assert_eq!((log.to_string(), witness.to_string()), (LOG.to_owned(), WITNESS.to_owned()));
        assert_eq!(log.verify(&note), VkeyVerdict::Valid { times: vec![] });
        assert_eq!(witness.verify(&note), VkeyVerdict::Valid { times: vec![1_767_225_600] });
        let changed = Note { text: note.text.replace("\n7\n", "\n8\n"), ..note.clone() };
        assert_eq!(witness.verify(&changed), VkeyVerdict::Invalid);
        // The key under another name has another hash, and no line.
        let other =
            Vkey::cosignature("witness.example/w2", PublicKey::from_bytes(witness.key_bytes()).unwrap());
        assert_eq!(other.unwrap().verify(&note), VkeyVerdict::Absent);
    }

    #[test]
    fn a_time_that_was_changed_is_a_bad_signature() {
        let mut note = Note::decode(NOTE.as_bytes()).unwrap();
        note.signatures[1].signature[7] ^= 1;
        assert_eq!(WITNESS.parse::<Vkey>().unwrap().verify(&note), VkeyVerdict::Invalid);
    }

    #[test]
    fn odd_keys_are_refused() {
        for (text, error) in [
            ("", VkeyError::Shape),
            ("a+b", VkeyError::Shape),
            ("a b+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU", VkeyError::Shape),
            (&WITNESS.to_uppercase(), VkeyError::Shape),
            (&WITNESS.replace("+df", "+de"), VkeyError::Hash),
            (&WITNESS.replace("w1", "w2"), VkeyError::Hash),
            (&WITNESS.replace("+BIE", "+AIE"), VkeyError::Algorithm),
            (&WITNESS.replace("+BIE", "+AoE"), VkeyError::Algorithm),
            (&WITNESS.replace("+BIE", "+BoE"), VkeyError::Key),
            ("w+00000000+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", VkeyError::Key),
        ] {
            assert_eq!(text.parse::<Vkey>(), Err(error), "{text}");
        }
    }
}
