//! A trustless gateway: blocks, and CARs of all that hangs below one, over HTTP. What it sends is hashed before
//! it is handed on, and none of it is read without a bound.

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Url};

use super::http::Http;
use super::{Patience, RemoteError};
use crate::codec::car::{BLOCK_LIMIT, CarError, HEADER_LIMIT, decode_frame, decode_header};
use crate::model::Cid;

const RAW: &str = "application/vnd.ipld.raw";
const CAR: &str = "application/vnd.ipld.car";

/// A gateway that speaks the Trustless Gateway specification.
pub struct Gateway {
    http: Http,
}

impl Gateway {
    /// The gateway whose `ipfs/` is below `base`.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub fn new(base: Url, patience: Patience) -> Result<Self, RemoteError> {
        Ok(Self { http: Http::new(base, None, patience)? })
    }

    /// A block, hashed; `None` when the gateway has not got it.
    ///
    /// # Errors
    /// [`RemoteError`]; `Lied` when the bytes are another block's. It is asked once.
    pub async fn block(&self, cid: &Cid) -> Result<Option<Vec<u8>>, RemoteError> {
        let limit = self.http.patience().request;
        let asked = tokio::time::timeout(limit, self.ask_block(cid)).await;
        asked.unwrap_or(Err(RemoteError::TimedOut(limit)))
    }

    async fn ask_block(&self, cid: &Cid) -> Result<Option<Vec<u8>>, RemoteError> {
        let request = self.http.request(Method::GET, &format!("ipfs/{cid}"), &[("format", "raw")])?;
        let answer = self.http.answer(request.header(ACCEPT, RAW), BLOCK_LIMIT as u64).await?;
        if is_absent(answer.status) {
            return Ok(None);
        }
        answer.require_success()?;
        require_type(&answer.headers, RAW)?;
        if cid.matches(&answer.body) { Ok(Some(answer.body)) } else { Err(RemoteError::Lied(*cid)) }
    }

    /// All that is below a block, as the gateway likes to send it; `None` when it has not got it or makes no CARs.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn car(&self, cid: &Cid) -> Result<Option<CarStream>, RemoteError> {
        let query = [("format", "car"), ("dag-scope", "all"), ("car-order", "dfs"), ("car-dups", "n")];
        let request = self.http.request(Method::GET, &format!("ipfs/{cid}"), &query)?;
        let accept = format!("{CAR}; version=1; order=dfs; dups=n");
        let limit = self.http.patience().request;
        let opening = tokio::time::timeout(limit, self.http.open(request.header(ACCEPT, accept)));
        let response = match opening.await.unwrap_or(Err(RemoteError::TimedOut(limit))) {
            Ok(response) => response,
            Err(RemoteError::Refused { status, .. }) if is_absent(status) || makes_no_cars(status) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if require_type(response.headers(), CAR).is_err() {
            return Ok(None);
        }
        let http = self.http.clone();
        let pieces = response.bytes_stream();
        let pieces = pieces.map(move |piece| piece.map(Vec::from).map_err(|error| http.failed(&error)));
        Ok(Some(CarStream { pieces: pieces.boxed(), frames: Frames::default() }))
    }
}

/// What the specification has for a block that is not there, at all or without asking others.
const fn is_absent(status: u16) -> bool {
    matches!(status, 404 | 410 | 412)
}

const fn makes_no_cars(status: u16) -> bool {
    matches!(status, 400 | 406 | 415 | 501)
}

fn require_type(headers: &HeaderMap, expected: &str) -> Result<(), RemoteError> {
    let Some(found) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let found = found.to_str().unwrap_or_default();
    let essence = found.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) || essence.eq_ignore_ascii_case("application/octet-stream") {
        return Ok(());
    }
    Err(RemoteError::Malformed(format!("it is no {expected}")))
}

/// A CAR that is still coming. It may end early, repeat itself or go on for ever: who reads it looks at what comes.
pub struct CarStream {
    pieces: BoxStream<'static, Result<Vec<u8>, RemoteError>>,
    frames: Frames,
}

impl CarStream {
    /// The next block, hashed; `None` at the end, also when that is in the middle of a block.
    ///
    /// # Errors
    /// [`RemoteError`]; nothing that comes after it is worth reading.
    pub async fn next(&mut self) -> Result<Option<(Cid, Vec<u8>)>, RemoteError> {
        loop {
            if let Some(block) = self.frames.take()? {
                return Ok(Some(block));
            }
            match self.pieces.next().await {
                Some(piece) => self.frames.push(&piece?),
                None => return Ok(None),
            }
        }
    }
}

/// Bytes of a CAR as they come, cut into blocks. Holds one block and one piece at most.
#[derive(Default)]
struct Frames {
    buffer: Vec<u8>,
    /// Bytes at the front of `buffer` that were taken.
    taken: usize,
    has_header: bool,
}

impl Frames {
    fn push(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(piece);
    }

    fn take(&mut self) -> Result<Option<(Cid, Vec<u8>)>, RemoteError> {
        if !self.has_header {
            let Some((_, length)) = whole(decode_header(&self.buffer), HEADER_LIMIT)? else {
                return Ok(None);
            };
            self.taken = length;
            self.has_header = true;
        }
        let rest = &self.buffer[self.taken..];
        let Some(frame) = whole(decode_frame(rest), BLOCK_LIMIT)? else { return Ok(None) };
        let Some(bytes) = rest.get(frame.prefix..frame.total()) else { return Ok(None) };
        if !frame.cid.matches(bytes) {
            return Err(RemoteError::Lied(frame.cid));
        }
        let block = (frame.cid, bytes.to_vec());
        self.taken += frame.total();
        Ok(Some(block))
    }
}

/// What was decoded; `None` when more bytes are needed for it.
fn whole<T>(decoded: Result<T, CarError>, limit: usize) -> Result<Option<T>, RemoteError> {
    match decoded {
        Ok(decoded) => Ok(Some(decoded)),
        Err(CarError::Truncated(_)) => Ok(None),
        Err(CarError::TooLarge { .. }) => Err(RemoteError::TooLarge { limit: limit as u64 }),
        Err(error) => Err(RemoteError::Malformed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::car::{encode_header, push_frame};
    use crate::model::Codec;

    fn take_all(bytes: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, RemoteError> {
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        for piece in bytes.chunks(piece) {
            frames.push(piece);
            while let Some((_, block)) = frames.take()? {
                found.push(block);
            }
        }
        Ok(found)
    }

    #[test]
    fn a_car_in_pieces_is_the_car_as_far_as_it_goes() {
        let blocks: Vec<Vec<u8>> = (0..20).map(|n| vec![n; n as usize * 37]).collect();
        let mut bytes = encode_header(&Cid::of(Codec::Raw, b"not believed"));
        for block in &blocks {
            push_frame(&mut bytes, &Cid::of(Codec::Raw, block), block);
        }
        for piece in [1, 7, 100, 1 << 20] {
            assert_eq!(take_all(&bytes, piece).unwrap(), blocks);
            assert_eq!(take_all(&bytes[..bytes.len() - 1], piece).unwrap(), blocks[..19]);
        }
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(take_all(&bytes, 64), Err(RemoteError::Lied(Cid::of(Codec::Raw, &blocks[19]))));
    }

    #[test]
    fn lengths_that_nobody_has_room_for_end_it() {
        assert!(matches!(take_all(&[0xff; 8], 8), Err(RemoteError::TooLarge { .. })));
        let mut bytes = encode_header(&Cid::of(Codec::Raw, b""));
        bytes.extend([0xc0, 0x84, 0x3d, 1, 0x55, 0x12, 0x20]);
        bytes.extend([0; 64]);
        assert!(take_all(&bytes, 8).unwrap().is_empty(), "a million bytes may still come");
        let at = bytes.len() - 71;
        bytes[at..at + 4].copy_from_slice(&[0x80, 0x80, 0xc0, 0x01]);
        assert!(matches!(take_all(&bytes, 8), Err(RemoteError::TooLarge { .. })));
        assert!(matches!(take_all(b"\x05hello", 8), Err(RemoteError::Malformed(_))));
    }
}
