//! Manifests, heads and nodes of the entries tree ⇄ DAG-CBOR (FORMAT §1, §2, §6).
//!
//! A block is read when encoding what was read gives the same bytes again; so there is one encoding
//! for each value, whatever the decoder lets through.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::model::{
    CID_LENGTH, Cid, CidError, Codec, ENTRIES_WIDTH, FileEntry, FileName, Head, Manifest, NameError, Role,
    link,
};

/// The version of the format that is written and read.
const VERSION: u64 = 1;
/// No manifest is larger (FORMAT §2).
pub const MANIFEST_LIMIT: usize = 1 << 20;

/// Why a block is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DagCborError {
    #[error("not the DAG-CBOR of a version 1 {what}: {detail}")]
    Malformed { what: &'static str, detail: String },
    #[error("not canonical DAG-CBOR: the same {0} has other bytes")]
    NotCanonical(&'static str),
    #[error("version {0} of the format is not known here, only 1")]
    Version(u64),
    #[error("the {what} has {size} bytes, more than {limit}")]
    TooLarge { what: &'static str, size: usize, limit: usize },
    #[error("a node of the entries tree has 1 to {ENTRIES_WIDTH} links, this one has {0}")]
    Width(usize),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Cid(#[from] CidError),
    #[error("files are not sorted by role and name, or a pair stands twice: {0}")]
    FileOrder(FileName),
    #[error("`{member}` has a CID of codec {found:?}, which it cannot have")]
    Codec { member: &'static str, found: Codec },
    #[error("{0} and {1} must both be null in manifest 0 and both be CIDs in every other")]
    Links(&'static str, &'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestBlock {
    greffe: u64,
    seq: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    chain: Option<Cid>,
    #[serde(deserialize_with = "Option::deserialize")]
    prev: Option<Cid>,
    #[serde(with = "link")]
    log: Cid,
    files: Vec<FileBlock>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileBlock {
    #[serde(with = "link")]
    cid: Cid,
    name: FileName,
    role: Role,
    size: u64,
    sealed: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadBlock {
    greffe: u64,
    #[serde(with = "link")]
    manifest: Cid,
    #[serde(with = "link")]
    entries: Cid,
    #[serde(with = "link")]
    tlog: Cid,
    timestamps: Vec<serde_bytes::ByteBuf>,
}

/// Refuses a CID whose codec its place does not have (FORMAT §1).
fn require_codec(member: &'static str, cid: &Cid, allowed: &[Codec]) -> Result<(), DagCborError> {
    if allowed.contains(&cid.codec()) {
        return Ok(());
    }
    Err(DagCborError::Codec { member, found: cid.codec() })
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(value).expect("integers, text, bytes and links always encode")
}

fn decode<T: Serialize + DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, DagCborError> {
    let value: T = serde_ipld_dagcbor::from_slice(bytes)
        .map_err(|error| DagCborError::Malformed { what, detail: error.to_string() })?;
    if encode(&value) != bytes {
        return Err(DagCborError::NotCanonical(what));
    }
    Ok(value)
}

/// Writes a manifest.
#[must_use]
pub fn encode_manifest(manifest: &Manifest) -> Vec<u8> {
    let file = |file: &FileEntry| FileBlock {
        cid: file.cid,
        name: file.name.clone(),
        role: file.role,
        size: file.size,
        sealed: file.sealed,
    };
    encode(&ManifestBlock {
        greffe: VERSION,
        seq: manifest.seq,
        chain: manifest.chain,
        prev: manifest.prev,
        log: manifest.log,
        files: manifest.files.iter().map(file).collect(),
    })
}

/// Reads a manifest.
///
/// # Errors
/// [`DagCborError`] for anything but the canonical bytes of a version 1 manifest.
pub fn decode_manifest(bytes: &[u8]) -> Result<Manifest, DagCborError> {
    if bytes.len() > MANIFEST_LIMIT {
        return Err(DagCborError::TooLarge { what: "manifest", size: bytes.len(), limit: MANIFEST_LIMIT });
    }
    let block: ManifestBlock = decode("manifest", bytes)?;
    if block.greffe != VERSION {
        return Err(DagCborError::Version(block.greffe));
    }
    if (block.seq == 0) != block.chain.is_none() || (block.seq == 0) != block.prev.is_none() {
        return Err(DagCborError::Links("chain", "prev"));
    }
    require_codec("log", &block.log, &[Codec::Raw])?;
    for (member, cid) in [("chain", &block.chain), ("prev", &block.prev)] {
        cid.iter().try_for_each(|cid| require_codec(member, cid, &[Codec::DagCbor]))?;
    }
    for file in &block.files {
        require_codec("files", &file.cid, &[Codec::Raw, Codec::DagPb])?;
    }
    for pair in block.files.windows(2) {
        if (pair[0].role, &pair[0].name) >= (pair[1].role, &pair[1].name) {
            return Err(DagCborError::FileOrder(pair[1].name.clone()));
        }
    }
    let file = |file: FileBlock| FileEntry {
        cid: file.cid,
        name: file.name,
        role: file.role,
        size: file.size,
        sealed: file.sealed,
    };
    Ok(Manifest {
        seq: block.seq,
        chain: block.chain,
        prev: block.prev,
        log: block.log,
        files: block.files.into_iter().map(file).collect(),
    })
}

/// Writes a head.
#[must_use]
pub fn encode_head(head: &Head) -> Vec<u8> {
    encode(&HeadBlock {
        greffe: VERSION,
        manifest: head.manifest,
        entries: head.entries,
        tlog: head.tlog,
        timestamps: head.timestamps.iter().map(|token| serde_bytes::ByteBuf::from(token.clone())).collect(),
    })
}

/// Reads a head.
///
/// # Errors
/// [`DagCborError`] for anything but the canonical bytes of a version 1 head.
pub fn decode_head(bytes: &[u8]) -> Result<Head, DagCborError> {
    let block: HeadBlock = decode("head", bytes)?;
    if block.greffe != VERSION {
        return Err(DagCborError::Version(block.greffe));
    }
    require_codec("manifest", &block.manifest, &[Codec::DagCbor])?;
    require_codec("entries", &block.entries, &[Codec::DagCbor])?;
    require_codec("tlog", &block.tlog, &[Codec::DagPb])?;
    Ok(Head {
        manifest: block.manifest,
        entries: block.entries,
        tlog: block.tlog,
        timestamps: block.timestamps.into_iter().map(serde_bytes::ByteBuf::into_vec).collect(),
    })
}

/// Length of one encoded link: tag 42 (2 bytes), byte string head (2), zero byte, CID.
const LINK_LENGTH: usize = 5 + CID_LENGTH;
const LINK_HEAD: [u8; 5] = [0xd8, 0x2a, 0x58, 0x25, 0x00];

/// Writes one node of the entries tree: an array of links.
#[must_use]
pub fn encode_entries_node(links: &[Cid]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(3 + links.len() * LINK_LENGTH);
    match u8::try_from(links.len()) {
        Ok(count @ 0..24) => bytes.push(0x80 | count),
        Ok(count) => bytes.extend([0x98, count]),
        Err(_) => {
            bytes.push(0x99);
            bytes.extend(u16::try_from(links.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    for link in links {
        bytes.extend(LINK_HEAD);
        bytes.extend(link.to_bytes());
    }
    bytes
}

/// Reads one node of the entries tree.
///
/// # Errors
/// [`DagCborError`] for anything but the canonical bytes of 1 to 256 links.
pub fn decode_entries_node(bytes: &[u8]) -> Result<Vec<Cid>, DagCborError> {
    let malformed = |detail: &str| DagCborError::Malformed {
        what: "node of the entries tree",
        detail: detail.to_owned(),
    };
    let (count, links) = match bytes {
        [head @ 0x80..=0x97, links @ ..] => (usize::from(head & 0x1f), links),
        [0x98, count @ 24..=255, links @ ..] => (usize::from(*count), links),
        [0x99, high, low, links @ ..] if *high > 0 => (usize::from(u16::from_be_bytes([*high, *low])), links),
        _ => return Err(malformed("not a canonical array")),
    };
    if count == 0 || count > ENTRIES_WIDTH {
        return Err(DagCborError::Width(count));
    }
    if links.len() != count * LINK_LENGTH {
        return Err(malformed("not as long as its number of links asks"));
    }
    links
        .chunks_exact(LINK_LENGTH)
        .map(|link| match link.strip_prefix(&LINK_HEAD) {
            Some(bytes) => {
                let cid = Cid::from_bytes(bytes)?;
                require_codec("entries", &cid, &[Codec::DagCbor])?;
                Ok(cid)
            }
            None => Err(malformed("an element is not a link")),
        })
        .collect()
}

/// What a dag-cbor block looks like, by its first byte: nodes are arrays, manifests and heads are maps.
#[must_use]
pub fn is_entries_node(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|head| head >> 5 == 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    fn sample() -> Manifest {
        let cid = Cid::of(Codec::DagCbor, b"genesis");
        Manifest {
            seq: 1,
            chain: Some(cid),
            prev: Some(cid),
            log: Cid::of(Codec::Raw, b"log"),
            files: vec![FileEntry {
                cid: Cid::of(Codec::Raw, b"file"),
                name: "a.sql".parse().unwrap(),
                role: Role::Up,
                size: 4,
                sealed: false,
            }],
        }
    }

    #[test]
    fn manifests_go_both_ways_and_every_flipped_bit_changes_or_breaks_them() {
        let manifest = sample();
        let bytes = encode_manifest(&manifest);
        assert_eq!(decode_manifest(&bytes).unwrap(), manifest);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(decode_manifest(&flipped).ok(), Some(manifest.clone()), "bit {bit}");
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = encode_manifest(&sample());
        for length in 0..bytes.len() {
            assert!(decode_manifest(&bytes[..length]).is_err());
        }
        assert!(decode_manifest(&[bytes.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn own_writing_of_nodes_is_the_library_s() {
        for count in [1, 23, 24, 255, 256] {
            let links: Vec<Cid> =
                (0..count).map(|n: u32| Cid::of(Codec::DagCbor, &n.to_be_bytes())).collect();
            let library: Vec<link::Link> = links.iter().map(|cid| (*cid).into()).collect();
            let bytes = encode_entries_node(&links);
            assert_eq!(bytes, encode(&library));
            assert_eq!(decode_entries_node(&bytes).unwrap(), links);
        }
        assert_eq!(decode_entries_node(&[0x80]), Err(DagCborError::Width(0)));
    }

    #[test]
    fn a_manifest_as_a_list_or_without_a_key_is_refused() {
        let manifest = sample();
        let list = serde_ipld_dagcbor::to_vec(&(
            1,
            0,
            None::<String>,
            None::<String>,
            link::Link::from(manifest.log),
            [0; 0],
        ))
        .unwrap();
        assert!(decode_manifest(&list).is_err());
        #[derive(Serialize)]
        struct Short {
            greffe: u64,
            seq: u64,
            prev: Option<Cid>,
            #[serde(with = "link")]
            log: Cid,
            files: Vec<FileBlock>,
        }
        let short = Short { greffe: 1, seq: 0, prev: None, log: manifest.log, files: vec![] };
        assert!(matches!(decode_manifest(&encode(&short)), Err(DagCborError::Malformed { .. })));
    }
}
