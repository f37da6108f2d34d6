//! A sealed file: what it is called, what it holds, and its bytes (FORMAT §8). Where content keys are kept, and who
//! may have them, is not known here.
//!
//! ```text
//! 83                                  COSE_Encrypt0 (RFC 9052 §5.2), an array of three
//!   44 a1 01 1818                     protected: alg 24, ChaCha20/Poly1305
//!   a2 04 50 <kid> 05 4c <nonce>      unprotected: kid and IV
//!   <ciphertext and tag>              a byte string
//! ```
//! One header, no choices: so a file is read by comparing its first bytes. The array may be tagged as 16, as some
//! libraries write it.

use serde::{Deserialize, Serialize};

use crate::crypto::{ContentKey, Digest, NONCE_SIZE, TAG_SIZE, commit, fill_random};
use crate::model::{ContentKeyId, EventId, FileName};

/// What is authenticated with every sealed file begins with it.
const CONTEXT: &str = "greffe/seal/1";
/// What the name of a sealed file ends with.
const SUFFIX: &str = ".sealed";
/// How a commitment is written.
const COMMITMENT: &str = "hmac-sha256:";
/// `{1: 24}`.
const PROTECTED: [u8; 4] = [0xa1, 0x01, 0x18, 0x18];
/// The tag that says COSE_Encrypt0.
const TAG: u8 = 0xd0;
/// An array of three, and the protected header as a byte string.
const BEGIN: [u8; 6] = [0x83, 0x44, PROTECTED[0], PROTECTED[1], PROTECTED[2], PROTECTED[3]];
/// A map of two, and `4`, a byte string of 16.
const KID: [u8; 3] = [0xa2, 0x04, 0x50];
/// `5`, a byte string of 12.
const IV: [u8; 2] = [0x05, 0x4c];

/// Why bytes are no sealed file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a COSE_Encrypt0 with ChaCha20/Poly1305, a `kid` of 16 bytes and an IV of 12")]
pub struct SealedError;

/// Why a sealed file does not open to what its log commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("its ciphertext is not what this key sealed for this event and name")]
    Ciphertext,
    #[error("what it holds is not a sealed file's content")]
    Content,
    #[error("what it holds is not what its log commits to")]
    Commitment,
}

/// A file that was sealed, with the key that opens it.
#[derive(Debug)]
pub struct SealedFile {
    /// `<n>.sealed`.
    pub name: FileName,
    pub bytes: Vec<u8>,
    pub kid: ContentKeyId,
    pub key: ContentKey,
    /// As a log writes it.
    pub commitment: String,
}

/// What came of looking for a content key.
#[derive(Debug)]
pub enum Found {
    Key(ContentKey),
    /// Whoever was asked has the keys of the whole chain, and not this one.
    Gone,
    /// Whoever was asked has some keys, and not this one.
    NotHere,
    /// Whoever was asked has it, and cannot read it.
    Damaged,
}

/// Who has content keys: a vault, or what somebody was granted.
pub trait ContentKeys: Send + Sync {
    /// Looks for the key of this identifier.
    fn find(&self, kid: &ContentKeyId) -> Found;
}

/// What a sealed file held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedFile {
    pub name: FileName,
    pub data: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    name: FileName,
    #[serde(with = "serde_bytes")]
    data: Vec<u8>,
    salt: serde_bytes::ByteArray<32>,
    #[serde(with = "serde_bytes")]
    pad: Vec<u8>,
}

/// The name of the sealed file number `number` of an event.
#[must_use]
pub fn sealed_name(number: usize) -> FileName {
    format!("{number}{SUFFIX}").parse().expect("digits and a suffix are a file name")
}

/// Seals the file `number` of an event under a new key.
#[must_use]
pub fn seal(event: EventId, number: usize, name: FileName, data: Vec<u8>) -> SealedFile {
    let (mut salt, mut nonce) = ([0; 32], [0; NONCE_SIZE]);
    fill_random(&mut salt);
    // The key is for this file alone, so every nonce will do.
    fill_random(&mut nonce);
    let (key, kid) = (ContentKey::generate(), ContentKeyId::generate());
    let commitment = encode_commitment(&commit(&salt, &data));
    let mut buffer = encode_content(name, data, salt);
    let name = sealed_name(number);
    key.seal(&nonce, &associated(event, &name), &mut buffer);
    let bytes = encode(kid, &nonce, &buffer);
    SealedFile { name, bytes, kid, key, commitment }
}

/// The identifier of the key that opens a sealed file.
///
/// # Errors
/// [`SealedError`].
pub fn key_id(bytes: &[u8]) -> Result<ContentKeyId, SealedError> {
    Ok(decode(bytes)?.0)
}

/// Opens a sealed file of an event and compares what it holds with the commitment of the log.
///
/// # Errors
/// [`OpenError`]; a file that opens to anything but what was committed to is not handed out.
pub fn open(
    bytes: &[u8],
    key: &ContentKey,
    event: EventId,
    name: &FileName,
    commitment: &str,
) -> Result<OpenedFile, OpenError> {
    let (_, nonce, ciphertext) = decode(bytes).map_err(|SealedError| OpenError::Ciphertext)?;
    let mut buffer = ciphertext.to_vec();
    key.open(&nonce, &associated(event, name), &mut buffer).ok_or(OpenError::Ciphertext)?;
    let content: Content = serde_ipld_dagcbor::from_slice(&buffer).map_err(|_| OpenError::Content)?;
    if decode_commitment(commitment) != Some(commit(&content.salt, &content.data)) {
        return Err(OpenError::Commitment);
    }
    Ok(OpenedFile { name: content.name, data: content.data })
}

/// Writes a commitment as logs hold it.
#[must_use]
pub fn encode_commitment(commitment: &Digest) -> String {
    format!("{COMMITMENT}{commitment}")
}

/// Reads a commitment of a log.
#[must_use]
pub fn decode_commitment(text: &str) -> Option<Digest> {
    Digest::parse_hex(text.strip_prefix(COMMITMENT)?)
}

fn encode(kid: ContentKeyId, nonce: &[u8; NONCE_SIZE], ciphertext: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ciphertext.len() + 48);
    bytes.extend(BEGIN);
    bytes.extend(KID);
    bytes.extend(kid.as_bytes());
    bytes.extend(IV);
    bytes.extend(nonce);
    push_byte_string(&mut bytes, ciphertext);
    bytes
}

fn decode(bytes: &[u8]) -> Result<(ContentKeyId, [u8; NONCE_SIZE], &[u8]), SealedError> {
    let bytes = bytes.strip_prefix(&[TAG]).unwrap_or(bytes);
    let rest = bytes.strip_prefix(&BEGIN).and_then(|rest| rest.strip_prefix(&KID)).ok_or(SealedError)?;
    let (kid, rest) = rest.split_first_chunk().ok_or(SealedError)?;
    let rest = rest.strip_prefix(&IV).ok_or(SealedError)?;
    let (nonce, rest) = rest.split_first_chunk().ok_or(SealedError)?;
    let ciphertext = take_byte_string(rest).filter(|text| text.len() >= TAG_SIZE).ok_or(SealedError)?;
    Ok((ContentKeyId::from_bytes(*kid), *nonce, ciphertext))
}

/// The `Enc_structure` of RFC 9052 §5.3: what is authenticated beside the ciphertext.
fn associated(event: EventId, name: &FileName) -> Vec<u8> {
    let external = format!("{CONTEXT}\0{event}\0{name}");
    let mut bytes = vec![0x83, 0x68];
    bytes.extend(b"Encrypt0");
    push_byte_string(&mut bytes, &PROTECTED);
    push_byte_string(&mut bytes, external.as_bytes());
    bytes
}

fn encode_content(name: FileName, data: Vec<u8>, salt: [u8; 32]) -> Vec<u8> {
    let mut content = Content { name, data, salt: serde_bytes::ByteArray::new(salt), pad: Vec::new() };
    let bare = encode_dag_cbor(&content);
    content.pad = vec![0; padding(bare.len())];
    encode_dag_cbor(&content)
}

fn encode_dag_cbor(content: &Content) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(content).expect("text and byte strings always encode")
}

/// How long a padding makes content of `bare` bytes, an empty padding included, as long as Padmé says.
fn padding(bare: usize) -> usize {
    let mut total = padme(bare);
    loop {
        // An empty byte string has one byte before it, which is counted in `bare`.
        let room = total - bare;
        let fits = |header: usize| room.checked_sub(header).filter(|pad| header_size(*pad) == header + 1);
        match [0, 1, 2, 4].into_iter().find_map(fits) {
            Some(pad) => return pad,
            // No byte string with its length before it has exactly this size: the next length will do.
            None => total = padme(total + 1),
        }
    }
}

/// Padmé (Nikitin and others, "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", §4.3): the
/// smallest length that is at least `length` and whose lowest bits are zero, so that it tells of its file O(log log n) bits.
fn padme(length: usize) -> usize {
    if length < 2 {
        return length;
    }
    let exponent = length.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1_usize << exponent.saturating_sub(kept)) - 1;
    (length + mask) & !mask
}

/// Bytes before a CBOR byte string of this length.
fn header_size(length: usize) -> usize {
    match length {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        _ => 9,
    }
}

fn push_byte_string(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = bytes.len() as u64;
    let be = length.to_be_bytes();
    match header_size(bytes.len()) {
        1 => to.push(0x40 | be[7]),
        2 => to.extend([0x58, be[7]]),
        3 => to.extend([0x59, be[6], be[7]]),
        5 => to.extend([0x5a, be[4], be[5], be[6], be[7]]),
        _ => {
            to.push(0x5b);
            to.extend(be);
        }
    }
    to.extend(bytes);
}

/// The byte string that these bytes are, its length written as short as it can be, with nothing after it.
fn take_byte_string(bytes: &[u8]) -> Option<&[u8]> {
    let (first, rest) = bytes.split_first()?;
    let extra = match first {
        0x40..0x58 => 0,
        0x58 => 1,
        0x59 => 2,
        0x5a => 4,
        0x5b => 8,
        _ => return None,
    };
    let (length, content) = rest.split_at_checked(extra)?;
    let length = match extra {
        0 => usize::from(first & 0x1f),
        _ => length.iter().fold(0_usize, |sum, byte| sum.wrapping_shl(8) | usize::from(*byte)),
    };
    (content.len() == length && header_size(length) == extra + 1).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn event() -> EventId {
        EventId::generate(Timestamp::from_microseconds(1_700_000_000_000_000).unwrap())
    }

    fn sealed(data: &[u8]) -> (EventId, SealedFile) {
        let event = event();
        (event, seal(event, 0, "notes/élèves.sql".parse().unwrap(), data.to_vec()))
    }

    #[test]
    fn a_sealed_file_opens_to_its_name_and_bytes() {
        for size in [0, 1, 23, 24, 255, 256, 2000, 65_535, 65_536, 3 << 20] {
            let data = vec![0x5a; size];
            let (event, file) = sealed(&data);
            assert_eq!(key_id(&file.bytes), Ok(file.kid));
            let opened = open(&file.bytes, &file.key, event, &file.name, &file.commitment).unwrap();
            assert_eq!((opened.name.as_str(), opened.data), ("notes/élèves.sql", data));
            let mut tagged = vec![TAG];
            tagged.extend(&file.bytes);
            assert!(open(&tagged, &file.key, event, &file.name, &file.commitment).is_ok());
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let (event, file) = sealed(b"INSERT INTO client VALUES (1)");
        for at in 0..file.bytes.len() {
            for bit in 0..8 {
                let mut bytes = file.bytes.clone();
                bytes[at] ^= 1 << bit;
                // The identifier of the key is not part of what it seals: another key is asked for then.
                if key_id(&bytes).is_ok_and(|kid| kid != file.kid) {
                    continue;
                }
                assert!(open(&bytes, &file.key, event, &file.name, &file.commitment).is_err(), "{at}.{bit}");
            }
        }
        for cut in 0..file.bytes.len() {
            assert!(open(&file.bytes[..cut], &file.key, event, &file.name, &file.commitment).is_err());
        }
    }

    #[test]
    fn it_opens_only_in_its_event_at_its_place_and_to_what_was_committed_to() {
        let (event, file) = sealed(b"a");
        let (_, other) = sealed(b"a");
        let name = sealed_name(1);
        let refused = |error, result: Result<OpenedFile, OpenError>| assert_eq!(result, Err(error));
        refused(
            OpenError::Ciphertext,
            open(&file.bytes, &file.key, super::tests::event(), &file.name, &file.commitment),
        );
        refused(OpenError::Ciphertext, open(&file.bytes, &file.key, event, &name, &file.commitment));
        refused(OpenError::Ciphertext, open(&file.bytes, &other.key, event, &file.name, &file.commitment));
        refused(OpenError::Commitment, open(&file.bytes, &file.key, event, &file.name, &other.commitment));
        refused(OpenError::Commitment, open(&file.bytes, &file.key, event, &file.name, "sha256:00"));
    }

    #[test]
    fn equal_content_looks_different_each_time() {
        let ((_, one), (_, other)) = (sealed(b"nir"), sealed(b"nir"));
        assert_ne!(one.commitment, other.commitment);
        assert_ne!(one.bytes, other.bytes);
        assert_ne!(one.kid, other.kid);
    }

    #[test]
    fn lengths_are_those_of_padme() {
        // From the definition: 9 = 0b1001 keeps 2 bits of 3 below the highest, 10 is the next.
        for (length, padded) in
            [(0, 0), (1, 1), (2, 2), (8, 8), (9, 10), (100, 104), (1000, 1024), (2049, 2176)]
        {
            assert_eq!(padme(length), padded, "{length}");
        }
        for size in (0..5000).chain([65_000, 65_400, 65_536, 70_000, 1 << 20]) {
            let content = encode_content("a".parse().unwrap(), vec![1; size], [2; 32]);
            assert_eq!(padme(content.len()), content.len(), "{size}");
            assert!(content.len() < (size + 60) * 112 / 100 + 30, "{size}: {}", content.len());
        }
    }

    #[test]
    fn sealed_files_of_near_sizes_are_equally_long() {
        let size = |data: usize| sealed(&vec![0; data]).1.bytes.len();
        assert_eq!(size(1990), size(2040));
    }

    #[test]
    fn byte_strings_have_one_spelling() {
        assert_eq!(take_byte_string(&[0x41, 7]), Some(&[7][..]));
        for other in
            [&[0x58, 1, 7][..], &[0x59, 0, 1, 7], &[0x41, 7, 7], &[0x42, 7], &[0x61, 7], &[], &[0x5b; 9]]
        {
            assert_eq!(take_byte_string(other), None, "{other:?}");
        }
    }
}
