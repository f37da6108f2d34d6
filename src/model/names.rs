//! Names and identifiers, each a type of its own, so that one is never taken for another.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Timestamp;

/// Why text is not a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error(
        "a file name is a relative path of 1 to 255 bytes without `.`, `..`, empty parts, backslashes or control characters: {0:?}"
    )]
    File(String),
    #[error(
        "a chain's name is 1 to 64 of the characters a-z, 0-9, `-`, `_` and `.`, beginning with a letter or digit: {0:?}"
    )]
    Chain(String),
    #[error("an event's id is a UUID of version 7 in lower case: {0:?}")]
    EventId(String),
    #[error("a pseudonym is 32 lower-case hexadecimal digits: {0:?}")]
    Pseudonym(String),
    #[error("a content key's identifier is 32 lower-case hexadecimal digits: {0:?}")]
    ContentKeyId(String),
}

macro_rules! text_serde {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

/// The name of a file in a manifest: a relative path that cannot leave a directory (FORMAT §2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName(String);

impl FileName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let sound = (1..=255).contains(&text.len())
            && !text.chars().any(|c| c == '\\' || c.is_control())
            && text.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if sound { Ok(Self(text.to_owned())) } else { Err(NameError::File(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_serde!(FileName);

/// The name of a chain, for people and for the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainName(String);

impl ChainName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChainName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let sound = text.len() <= 64
            && text.starts_with(first)
            && text.chars().all(|c| first(c) || matches!(c, '-' | '_' | '.'));
        if sound { Ok(Self(text.to_owned())) } else { Err(NameError::Chain(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for ChainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_serde!(ChainName);

/// Identifies one event; an event is archived once. Also identifies a run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(u128);

impl EventId {
    /// A new identifier for something that begins at `at`, which it holds to the millisecond; the rest is random.
    #[must_use]
    pub fn generate(at: Timestamp) -> Self {
        let mut random = [0; 10];
        crate::crypto::fill_random(&mut random);
        Self::from_parts(at, &random)
    }

    /// The identifier of a time and 10 bytes, of which 74 bits are used (RFC 9562 §5.7). Times before 1970 count as 1970.
    #[must_use]
    pub fn from_parts(at: Timestamp, random: &[u8; 10]) -> Self {
        let milliseconds = u64::try_from(at.as_microseconds() / 1000).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(milliseconds, random).into_uuid().as_u128())
    }

    /// Its 16 bytes (RFC 9562 §4).
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl FromStr for EventId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refuse = || NameError::EventId(text.chars().take(80).collect());
        let id = uuid::Uuid::try_parse(text).map_err(|_| refuse())?;
        // Only the hyphenated lower-case form: one identifier has one spelling.
        let mut spelled = [0; uuid::fmt::Hyphenated::LENGTH];
        let sound = id.get_version_num() == 7
            && id.get_variant() == uuid::Variant::RFC4122
            && id.hyphenated().encode_lower(&mut spelled) == text;
        if sound { Ok(Self(id.as_u128())) } else { Err(refuse()) }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_u128(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

text_serde!(EventId);

/// Stands for a person or a workload; who it is stands only in the vault (FORMAT §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym([u8; 16]);

impl Pseudonym {
    /// A new pseudonym from the operating system's random source.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; 16];
        crate::crypto::fill_random(&mut bytes);
        Self(bytes)
    }
}

impl FromStr for Pseudonym {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| NameError::Pseudonym(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

text_serde!(Pseudonym);

/// Names a content key: the `kid` of a sealed file (FORMAT §8), 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentKeyId([u8; 16]);

impl ContentKeyId {
    /// A new identifier from the operating system's random source.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; 16];
        crate::crypto::fill_random(&mut bytes);
        Self(bytes)
    }

    /// The identifier of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for ContentKeyId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| NameError::ContentKeyId(text.chars().take(80).collect()))
    }
}

impl fmt::Display for ContentKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

text_serde!(ContentKeyId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_stay_inside() {
        for good in ["a.sql", "dir/a.sql", "données/été.sql", "...", "a b"] {
            assert!(good.parse::<FileName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a\\b",
            "a\nb",
            "a\u{7f}",
            "a\u{85}",
            &"x".repeat(256),
        ] {
            assert!(bad.parse::<FileName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn chain_names_are_file_names_everywhere() {
        for good in ["demo", "billing-production", "7"] {
            assert!(good.parse::<ChainName>().is_ok());
        }
        for bad in ["", ".", "..", "-x", "A", "a/b", "é", &"x".repeat(65)] {
            assert!(bad.parse::<ChainName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn event_ids_have_one_spelling() {
        let id = EventId::generate("2026-11-22T00:00:00.000000Z".parse().unwrap());
        assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<EventId>().is_err());
        assert!(id.to_string().replace('-', "").parse::<EventId>().is_err());
        assert!("67e55044-10b1-426f-9247-bb680e5fe0c8".parse::<EventId>().is_err());
    }
}
