//! IPNS names and records: a pointer to a head that its holder may move (IPNS specification, records of version 2).

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use super::{Cid, Timestamp};
use crate::crypto::PublicKey;

/// What stands before the 32 bytes of a key in the binary form of a name: CID version 1, codec libp2p-key, identity
/// hash of 36 bytes, and the protobuf of an Ed25519 key.
const PREFIX: [u8; 8] = [0x01, 0x72, 0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
const LENGTH: usize = PREFIX.len() + 32;
const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The name that belongs to an Ed25519 key, written `k51…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpnsName(PublicKey);

/// Why text is not such a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IpnsNameError {
    #[error("an IPNS name is written `k` and lower-case base36, or `b` and lower-case base32")]
    Text,
    #[error("only names of Ed25519 keys are read here")]
    Kind,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpnsRecord {
    pub head: Cid,
    /// Grows with each record of a name.
    pub sequence: u64,
    /// Until when it holds.
    pub valid_until: Timestamp,
    /// For how many nanoseconds it may be kept without asking again.
    pub ttl: u64,
}

impl IpnsName {
    /// The name of a key.
    #[must_use]
    pub const fn new(key: PublicKey) -> Self {
        Self(key)
    }

    /// The key that signs its records.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.0
    }
}

impl fmt::Display for IpnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<u8> = PREFIX.iter().chain(self.0.as_bytes()).copied().collect();
        write!(f, "k{}", in_base(&bytes, BASE36))
    }
}

impl FromStr for IpnsName {
    type Err = IpnsNameError;

    fn from_str(text: &str) -> Result<Self, IpnsNameError> {
        let text = text.strip_prefix("/ipns/").or_else(|| text.strip_prefix("ipns://")).unwrap_or(text);
        let bytes = match text.split_at_checked(1) {
            Some(("k", digits)) => from_base36(digits),
            Some(("b", digits)) => {
                data_encoding::BASE32_NOPAD.decode(digits.to_ascii_uppercase().as_bytes()).ok()
            }
            _ => None,
        };
        let bytes = bytes.ok_or(IpnsNameError::Text)?;
        let key = bytes.strip_prefix(&PREFIX).ok_or(IpnsNameError::Kind)?;
        let name = Self(PublicKey::from_bytes(key).map_err(|_| IpnsNameError::Kind)?);
        // Digits before the first that counts, or capitals, would be other spellings.
        let other = text.starts_with('k') && name.to_string() != text;
        if other || text.contains(|c: char| c.is_ascii_uppercase()) {
            return Err(IpnsNameError::Text);
        }
        Ok(name)
    }
}

impl Serialize for IpnsName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The number that the bytes are, in the base that the digits make. The first byte is not zero.
#[must_use]
pub fn in_base(bytes: &[u8], digits: &[u8]) -> String {
    let base = digits.len() as u32;
    // Least significant digit first.
    let mut number: Vec<u8> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut number {
            carry += u32::from(*digit) << 8;
            *digit = (carry % base) as u8;
            carry /= base;
        }
        while carry > 0 {
            number.push((carry % base) as u8);
            carry /= base;
        }
    }
    number.iter().rev().map(|digit| char::from(digits[usize::from(*digit)])).collect()
}

fn from_base36(text: &str) -> Option<Vec<u8>> {
    // No name of this kind is longer; the work grows with the square.
    if text.len() > 2 * LENGTH {
        return None;
    }
    // Least significant byte first.
    let mut bytes: Vec<u8> = Vec::new();
    for character in text.bytes() {
        let digit = BASE36.iter().position(|known| *known == character)?;
        let mut carry = u32::try_from(digit).ok()?;
        for byte in &mut bytes {
            carry += u32::from(*byte) * 36;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push((carry & 0xff) as u8);
            carry >>= 8;
        }
    }
    bytes.reverse();
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;

    #[test]
    fn a_name_is_its_key_in_either_base_and_one_spelling() {
        let name = IpnsName::new(*PrivateKey::from_seed(&[7; 32]).public());
        let text = name.to_string();
        assert!(text.starts_with("k51") && text.len() == 62, "{text}");
        assert_eq!(text.parse(), Ok(name));
        assert_eq!(format!("/ipns/{text}").parse(), Ok(name));
        let bytes: Vec<u8> = PREFIX.iter().chain(name.key().as_bytes()).copied().collect();
        let base32 = format!("b{}", data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase());
        assert_eq!(base32.parse(), Ok(name));
        for bad in [
            "",
            "k",
            &text[1..],
            &text.to_uppercase(),
            &format!("k0{}", &text[1..]),
            &format!("{text}0"),
            "k!",
            &"k".repeat(100_000),
            "bafyreiaaaa",
            "12D3KooWABCDEF",
            "é",
        ] {
            assert!(bad.parse::<IpnsName>().is_err(), "{bad}");
        }
    }
}
