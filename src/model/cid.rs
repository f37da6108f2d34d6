//! Content identifiers: version 1, sha2-256, one of three codecs (FORMAT §1).

use std::{fmt, str::FromStr};

use data_encoding::{BASE32_NOPAD, Encoding, Specification};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::crypto::Digest;

/// What a block's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Codec {
    /// Bytes as they are: logs, files of one chunk, chunks.
    Raw,
    /// Manifests, heads and nodes of the entries tree.
    DagCbor,
    /// UnixFS directories and files of several chunks.
    DagPb,
}

impl Codec {
    /// The multicodec code; all three fit one varint byte.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Raw => 0x55,
            Self::DagCbor => 0x71,
            Self::DagPb => 0x70,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x55 => Some(Self::Raw),
            0x71 => Some(Self::DagCbor),
            0x70 => Some(Self::DagPb),
            _ => None,
        }
    }
}

/// Why text or bytes are not a CID of this format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidError {
    #[error("a CID of this format is 36 bytes, this is {0}")]
    Length(usize),
    #[error("only CID version 1 with sha2-256 and codec raw, dag-cbor or dag-pb is used here")]
    Kind,
    #[error("a CID is written `b` and 58 characters of lower-case base32")]
    Text,
}

/// Names a block by its bytes. 36 bytes in binary, 59 characters as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cid {
    codec: Codec,
    digest: Digest,
}

/// Length of the binary form.
pub const CID_LENGTH: usize = 36;

impl Cid {
    /// The CID of `bytes` taken as `codec`.
    #[must_use]
    pub fn of(codec: Codec, bytes: &[u8]) -> Self {
        Self { codec, digest: Digest::of(bytes) }
    }

    /// The CID of a digest that is already known.
    #[must_use]
    pub const fn new(codec: Codec, digest: Digest) -> Self {
        Self { codec, digest }
    }

    /// What the block's bytes are.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The SHA-256 of the block's bytes.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether `bytes` are the block of this name.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        Digest::of(bytes) == self.digest
    }

    /// Version, codec, multihash code, digest length, digest.
    #[must_use]
    pub fn to_bytes(self) -> [u8; CID_LENGTH] {
        let mut bytes = [0; CID_LENGTH];
        bytes[..4].copy_from_slice(&[1, self.codec.code(), 0x12, 32]);
        bytes[4..].copy_from_slice(&self.digest.0);
        bytes
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// [`CidError`] for any other length, version, hash or codec.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        let bytes: &[u8; CID_LENGTH] = bytes.try_into().map_err(|_| CidError::Length(bytes.len()))?;
        let [1, code, 0x12, 32, digest @ ..] = bytes else { return Err(CidError::Kind) };
        let codec = Codec::from_code(*code).ok_or(CidError::Kind)?;
        Ok(Self { codec, digest: Digest(*digest) })
    }
}

fn base32() -> &'static Encoding {
    static LOWER: std::sync::LazyLock<Encoding> = std::sync::LazyLock::new(|| {
        let mut specification = Specification::new();
        specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
        specification.encoding().unwrap_or(BASE32_NOPAD)
    });
    &LOWER
}

impl FromStr for Cid {
    type Err = CidError;

    fn from_str(text: &str) -> Result<Self, CidError> {
        let digits = text.strip_prefix('b').ok_or(CidError::Text)?;
        let mut bytes = [0; CID_LENGTH];
        if digits.len() != 58 {
            return Err(CidError::Text);
        }
        base32().decode_mut(digits.as_bytes(), &mut bytes).map_err(|_| CidError::Text)?;
        Self::from_bytes(&bytes)
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'b'; 59];
        base32().encode_mut(&self.to_bytes(), &mut text[1..]);
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

/// A link: in DAG-CBOR tag 42 over the binary form, which only [`cid::Cid`] knows how to write.
pub mod link {
    use super::{Cid, Deserialize, Deserializer, Serialize, Serializer};
    use serde::de::Error as _;

    /// Writes the link.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(cid: &Cid, serializer: S) -> Result<S::Ok, S::Error> {
        Link::from(*cid).serialize(serializer)
    }

    /// Reads the link.
    ///
    /// # Errors
    /// When it is no link, or a CID that this format does not use.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cid, D::Error> {
        Cid::try_from(&Link::deserialize(deserializer)?).map_err(D::Error::custom)
    }

    /// A link as a value of its own, for lists of links.
    pub type Link = cid::Cid;
}

impl From<Cid> for cid::Cid {
    fn from(cid: Cid) -> Self {
        let multihash =
            cid::multihash::Multihash::wrap(0x12, &cid.digest.0).expect("32 bytes fit the 64 of a multihash");
        cid::Cid::new_v1(u64::from(cid.codec.code()), multihash)
    }
}

impl TryFrom<&cid::Cid> for Cid {
    type Error = CidError;

    fn try_from(link: &cid::Cid) -> Result<Self, CidError> {
        if link.version() != cid::Version::V1 || link.hash().code() != 0x12 {
            return Err(CidError::Kind);
        }
        let codec = u8::try_from(link.codec()).ok().and_then(Codec::from_code).ok_or(CidError::Kind)?;
        let digest = link.hash().digest().try_into().map_err(|_| CidError::Kind)?;
        Ok(Self { codec, digest: Digest(digest) })
    }
}

/// As text, the form that JSON and a manifest's `chain` and `prev` use.
impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Cid;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a CID as text")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Cid, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_go_both_ways() {
        let cid = Cid::of(Codec::Raw, b"");
        assert_eq!(cid.to_string(), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
        assert_eq!(cid.to_string().parse::<Cid>(), Ok(cid));
        assert_eq!(Cid::from_bytes(&cid.to_bytes()), Ok(cid));
    }

    #[test]
    fn other_spellings_and_kinds_are_refused() {
        let text = Cid::of(Codec::DagCbor, b"x").to_string();
        assert!(text.to_uppercase().parse::<Cid>().is_err());
        assert!(text[..58].parse::<Cid>().is_err());
        assert!(format!("{text}a").parse::<Cid>().is_err());
        // The last character carries two bits that no byte holds: another spelling of one CID.
        let last = text.chars().last().unwrap();
        let other = char::from_u32(last as u32 + 1).unwrap();
        assert!(format!("{}{other}", &text[..58]).parse::<Cid>() != text.parse::<Cid>());
        let mut bytes = Cid::of(Codec::Raw, b"").to_bytes();
        bytes[1] = 0x51;
        assert_eq!(Cid::from_bytes(&bytes), Err(CidError::Kind));
    }
}
