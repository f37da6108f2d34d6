//! Evidence of a fork ⇄ JSON (FORMAT §11): one object, byte strings in base64, signed notes as they are.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::json::{self, Object};
use crate::crypto::{Digest, decode_base64};
use crate::model::{ForkEvidence, TrustEntry};

/// Larger evidence is refused: it holds two notes, hashes, and the blocks of a few events.
pub const FORK_LIMIT: usize = 64 << 20;
/// A tree of 2^64 leaves has no more subtrees on a side.
const HASHES: usize = 128;
/// Trust events that are read.
const ENTRIES: usize = 4096;

/// Why bytes are no evidence of a fork.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    #[error("the evidence has {0} bytes, more than {FORK_LIMIT}")]
    TooLarge(usize),
    #[error("not evidence of a fork: {0}")]
    Malformed(String),
    #[error("`{0}` is not standard base64 with padding")]
    Base64(&'static str),
    #[error("`{0}` holds a hash that has not 32 bytes, or more than {HASHES} of them")]
    Hashes(&'static str),
    #[error("it holds {0} trust events, more than {ENTRIES}")]
    Entries(usize),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "greffe-fork")]
    version: Version,
    first: String,
    second: String,
    prefix: Vec<String>,
    rest: Vec<String>,
    trust: Vec<Object<WireEntry>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEntry {
    manifest: String,
    log: String,
    document: String,
}

/// The one version there is.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
struct Version;

impl TryFrom<u64> for Version {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        if number == 1 { Ok(Self) } else { Err(format!("version {number}; this program knows version 1")) }
    }
}

impl From<Version> for u64 {
    fn from(_: Version) -> Self {
        1
    }
}

/// Writes evidence.
#[must_use]
pub fn encode_fork(evidence: &ForkEvidence) -> Vec<u8> {
    let hashes = |hashes: &[Digest]| hashes.iter().map(|hash| BASE64.encode(&hash.0)).collect();
    let entry = |entry: &TrustEntry| {
        Object(WireEntry {
            manifest: BASE64.encode(&entry.manifest),
            log: BASE64.encode(&entry.log),
            document: BASE64.encode(&entry.document),
        })
    };
    let wire = Wire {
        version: Version,
        first: evidence.first.clone(),
        second: evidence.second.clone(),
        prefix: hashes(&evidence.prefix),
        rest: hashes(&evidence.rest),
        trust: evidence.trust.iter().map(entry).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&wire).expect("text always encodes");
    bytes.push(b'\n');
    bytes
}

/// Reads evidence. Nothing in it is verified yet.
///
/// # Errors
/// [`ForkError`] for another shape, other members, other base64, or more than a fork needs.
pub fn decode_fork(bytes: &[u8]) -> Result<ForkEvidence, ForkError> {
    if bytes.len() > FORK_LIMIT {
        return Err(ForkError::TooLarge(bytes.len()));
    }
    let Object(wire): Object<Wire> =
        json::decode(bytes).map_err(|error| ForkError::Malformed(error.to_string()))?;
    if wire.trust.len() > ENTRIES {
        return Err(ForkError::Entries(wire.trust.len()));
    }
    let block = |member, text: &str| decode_base64(text).ok_or(ForkError::Base64(member));
    let trust = wire
        .trust
        .iter()
        .map(|Object(entry)| {
            Ok(TrustEntry {
                manifest: block("manifest", &entry.manifest)?,
                log: block("log", &entry.log)?,
                document: block("document", &entry.document)?,
            })
        })
        .collect::<Result<_, ForkError>>()?;
    Ok(ForkEvidence {
        first: wire.first,
        second: wire.second,
        prefix: hashes("prefix", &wire.prefix)?,
        rest: hashes("rest", &wire.rest)?,
        trust,
    })
}

fn hashes(member: &'static str, texts: &[String]) -> Result<Vec<Digest>, ForkError> {
    if texts.len() > HASHES {
        return Err(ForkError::Hashes(member));
    }
    let hash = |text: &String| {
        let bytes = decode_base64(text).ok_or(ForkError::Base64(member))?;
        bytes.try_into().map(Digest).map_err(|_| ForkError::Hashes(member))
    };
    texts.iter().map(hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ForkEvidence {
        let entry = TrustEntry { manifest: vec![1, 2], log: b"{}".to_vec(), document: vec![] };
        ForkEvidence {
            first: "a\n1\nx\n".into(),
            second: "\u{2014} b\n".into(),
            prefix: vec![Digest([1; 32]), Digest([2; 32])],
            rest: vec![],
            trust: vec![entry],
        }
    }

    #[test]
    fn evidence_goes_both_ways() {
        assert_eq!(decode_fork(&encode_fork(&sample())), Ok(sample()));
    }

    #[test]
    fn other_shapes_are_refused() {
        let text = String::from_utf8(encode_fork(&sample())).unwrap();
        let long = format!("\"rest\": [{}]", vec![format!("\"{}\"", BASE64.encode(&[0; 32])); 129].join(","));
        for (from, to) in [
            ("\"greffe-fork\": 1", "\"greffe-fork\": 2"),
            ("\"greffe-fork\": 1", "\"greffe-fork\": 1, \"greffe-fork\": 1"),
            ("\"rest\": []", "\"rest\": [], \"more\": 1"),
            ("\"rest\": []", "\"rest\": [\"AQI=\"]"),
            ("\"rest\": []", &long),
            ("\"AQI=\"", "\"AQI\""),
            ("\"AQI=\"", "\"AQJ=\""),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text);
            assert!(decode_fork(other.as_bytes()).is_err(), "{to}");
        }
        assert_eq!(decode_fork(&vec![b' '; FORK_LIMIT + 1]), Err(ForkError::TooLarge(FORK_LIMIT + 1)));
    }
}
