//! CARv1 frames (FORMAT §10): lengths and CIDs, in memory. Reading a file of them is the store's work.

use serde::{Deserialize, Serialize};

use super::unixfs::{push_varint, take_varint};
use crate::model::{CID_LENGTH, Cid, CidError, Codec, link};

/// A reader refuses larger blocks (FORMAT §1).
pub const BLOCK_LIMIT: usize = 2 << 20;
/// A reader refuses longer headers.
pub const HEADER_LIMIT: usize = 1 << 20;
/// Bytes that are enough to see how long a frame or header is, and the CID of a frame.
pub const PREFIX_LENGTH: usize = 4 + CID_LENGTH;

/// Why bytes are not a CARv1 file of this format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CarError {
    #[error("the file ends in the middle of {0}")]
    Truncated(&'static str),
    #[error("a {what} says that it has {size} bytes, more than {limit}")]
    TooLarge { what: &'static str, size: u64, limit: usize },
    #[error("a length is not written in its shortest form")]
    Length,
    #[error("not the header of a CARv1 file: {0}")]
    Header(String),
    #[error("a block has a CID that this format does not use: {0}")]
    Cid(#[from] CidError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    roots: Vec<link::Link>,
    version: u64,
}

/// Writes a header with one root, its length before it.
#[must_use]
pub fn encode_header(root: &Cid) -> Vec<u8> {
    let header = serde_ipld_dagcbor::to_vec(&Header { roots: vec![(*root).into()], version: 1 })
        .expect("a link and a number always encode");
    let mut bytes = Vec::new();
    push_varint(&mut bytes, header.len() as u64);
    bytes.extend(header);
    bytes
}

/// Reads the header from the front of `bytes`: the first root and the header's whole length.
///
/// # Errors
/// [`CarError`]; `Truncated` when more bytes are needed.
pub fn decode_header(bytes: &[u8]) -> Result<(Cid, usize), CarError> {
    let mut rest = bytes;
    let length = take_length(&mut rest, "header", HEADER_LIMIT)?;
    let body = rest.get(..length).ok_or(CarError::Truncated("its header"))?;
    let header: Header =
        serde_ipld_dagcbor::from_slice(body).map_err(|error| CarError::Header(error.to_string()))?;
    if header.version != 1 {
        return Err(CarError::Header(format!("it is of version {}", header.version)));
    }
    let root = header.roots.first().ok_or_else(|| CarError::Header("it names no root".to_owned()))?;
    Ok((Cid::try_from(root)?, bytes.len() - rest.len() + length))
}

/// Where one block lies in its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub cid: Cid,
    /// Bytes before the block: the length and the CID.
    pub prefix: usize,
    /// Bytes of the block.
    pub length: usize,
}

impl Frame {
    /// Bytes of the whole frame.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.prefix + self.length
    }
}

/// Reads length and CID of the frame at the front of `bytes`, of which [`PREFIX_LENGTH`] are enough.
///
/// # Errors
/// [`CarError`]; `Truncated` when more bytes are needed.
pub fn decode_frame(bytes: &[u8]) -> Result<Frame, CarError> {
    let mut rest = bytes;
    let length = take_length(&mut rest, "block", BLOCK_LIMIT + CID_LENGTH)?;
    let prefix = bytes.len() - rest.len() + CID_LENGTH;
    if length < CID_LENGTH {
        return Err(CarError::Cid(CidError::Length(length)));
    }
    let cid = rest.get(..CID_LENGTH).ok_or(CarError::Truncated("a block"))?;
    Ok(Frame { cid: Cid::from_bytes(cid)?, prefix, length: length - CID_LENGTH })
}

fn take_length(bytes: &mut &[u8], what: &'static str, limit: usize) -> Result<usize, CarError> {
    // Both limits fit in four bytes; a longer number is too large whatever follows.
    let mut front = &bytes[..bytes.len().min(4)];
    let available = front.len();
    let Some(length) = take_varint(&mut front) else {
        return Err(match front {
            [_, _, _, byte] if byte & 0x80 != 0 => CarError::TooLarge { what, size: u64::MAX, limit },
            front if front.iter().all(|byte| byte & 0x80 != 0) => CarError::Truncated(what),
            _ => CarError::Length,
        });
    };
    if length > limit as u64 {
        return Err(CarError::TooLarge { what, size: length, limit });
    }
    *bytes = &bytes[available - front.len()..];
    Ok(length as usize)
}

/// Whether a block begins as one of its codec does in this format: a dag-cbor block with a map or an array, a
/// dag-pb block with a link or data. The codec stands in the CID beside the digest, which does not cover it.
#[must_use]
pub fn begins_as(codec: Codec, block: &[u8]) -> bool {
    match codec {
        Codec::Raw => true,
        Codec::DagCbor => block.first().is_some_and(|first| matches!(first >> 5, 4 | 5)),
        Codec::DagPb => matches!(block.first(), Some(0x0a | 0x12)),
    }
}

/// Appends a frame.
pub fn push_frame(to: &mut Vec<u8>, cid: &Cid, block: &[u8]) {
    push_varint(to, (CID_LENGTH + block.len()) as u64);
    to.extend(cid.to_bytes());
    to.extend_from_slice(block);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_frames_go_both_ways() {
        let cid = Cid::of(Codec::Raw, b"block");
        let mut bytes = encode_header(&cid);
        assert_eq!(decode_header(&bytes), Ok((cid, bytes.len())));
        let start = bytes.len();
        push_frame(&mut bytes, &cid, b"block");
        let frame = decode_frame(&bytes[start..]).unwrap();
        assert_eq!((frame.cid, frame.length, start + frame.total()), (cid, 5, bytes.len()));
        for end in 0..start {
            assert_eq!(
                decode_header(&bytes[..end]).unwrap_err(),
                if end == 0 { CarError::Truncated("header") } else { CarError::Truncated("its header") }
            );
        }
    }

    #[test]
    fn lying_lengths_are_refused_at_once() {
        assert!(matches!(decode_frame(&[0xff; 40]), Err(CarError::TooLarge { .. })));
        assert!(matches!(decode_frame(&[0xa5, 0x80, 0x80, 0x01, 1]), Err(CarError::TooLarge { .. })));
        assert_eq!(decode_frame(&[0xa4, 0x00]), Err(CarError::Length));
        assert_eq!(decode_frame(&[0x05, 1, 2, 3, 4, 5]), Err(CarError::Cid(CidError::Length(5))));
        assert_eq!(decode_frame(&[]), Err(CarError::Truncated("block")));
    }
}
