//! Messages of Bitswap 1.2: protocol buffers with their length before them. No network here, but for the reading and
//! writing of one message.

use std::io;
use std::time::Duration;

use libp2p::futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::super::RemoteError;
use crate::codec::car::BLOCK_LIMIT;
use crate::crypto::Digest;
use crate::model::Cid;

/// Bytes of a message that is taken; Kubo's own limit.
pub const MESSAGE_LIMIT: usize = 4 << 20;
/// Wants, blocks or presences of one message.
const ITEMS: usize = 16 << 10;
/// Bytes of a CID, also of one that is of no use here.
const LONGEST_CID: usize = 128;
/// What a message brings at least in the time that its reader waits.
const PIECE: usize = 64 << 10;

/// What a peer asks for, or asks for no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// As the peer wrote it.
    pub cid: Vec<u8>,
    pub cancel: bool,
    /// Whether the block itself is asked for, and not only whether it is here.
    pub block: bool,
    /// Whether an answer is wanted when it is not here.
    pub tell_absence: bool,
}

/// A message that came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub wants: Vec<Want>,
    /// Blocks with the names that their bytes have; `None` for one that no CID of the format names.
    pub blocks: Vec<(Option<Cid>, Vec<u8>)>,
    /// Names, and whether the peer has their blocks.
    pub presences: Vec<(Vec<u8>, bool)>,
}

/// A message that is made.
#[derive(Debug, Default)]
pub struct Reply {
    pub blocks: Vec<(Cid, Vec<u8>)>,
    pub presences: Vec<(Vec<u8>, bool)>,
}

impl Reply {
    /// Its bytes, the length before them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (cid, bytes) in &self.blocks {
            let prefix = &cid.to_bytes()[..4];
            let size = field_size(prefix.len()) + field_size(bytes.len());
            put_header(&mut body, 3, size);
            put_bytes(&mut body, 1, prefix);
            put_bytes(&mut body, 2, bytes);
        }
        for (cid, here) in &self.presences {
            let size = field_size(cid.len()) + if *here { 0 } else { 2 };
            put_header(&mut body, 4, size);
            put_bytes(&mut body, 1, cid);
            if !here {
                put_flag(&mut body, 2);
            }
        }
        framed(&body)
    }
}

/// The message that asks for blocks, or with `true` takes that back; `all`: it asks for nothing else.
#[must_use]
pub fn encode_wants(wants: &[(Cid, bool)], all: bool) -> Vec<u8> {
    let mut list = Vec::new();
    for (cid, cancel) in wants {
        let cid = cid.to_bytes();
        put_header(&mut list, 1, field_size(cid.len()) + 4);
        put_bytes(&mut list, 1, &cid);
        list.extend_from_slice(&[2 << 3, 1]);
        // To be told when the block is not there.
        put_flag(&mut list, if *cancel { 3 } else { 5 });
    }
    if all {
        put_flag(&mut list, 2);
    }
    let mut body = Vec::new();
    put_bytes(&mut body, 1, &list);
    framed(&body)
}

impl Message {
    /// Reads a message without its length; every block is hashed.
    ///
    /// # Errors
    /// [`RemoteError`], when it is no message or exceeds a limit.
    pub fn decode(bytes: &[u8]) -> Result<Self, RemoteError> {
        let mut message = Self::default();
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(list)) => message.read_wants(list)?,
                (3, Value::Bytes(block)) => message.read_block(block)?,
                (4, Value::Bytes(presence)) => message.read_presence(presence)?,
                _ => {}
            }
            let most = message.wants.len().max(message.blocks.len()).max(message.presences.len());
            if most > ITEMS {
                return Err(malformed("a message of too many parts"));
            }
        }
        Ok(message)
    }

    fn read_wants(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next()? {
            let (1, Value::Bytes(entry)) = (number, value) else { continue };
            let mut want = Want { cid: Vec::new(), cancel: false, block: true, tell_absence: false };
            let mut inside = Fields(entry);
            while let Some(field) = inside.next()? {
                match field {
                    (1, Value::Bytes(cid)) => want.cid = short(cid)?,
                    (3, Value::Number(value)) => want.cancel = value != 0,
                    (4, Value::Number(value)) => want.block = value == 0,
                    (5, Value::Number(value)) => want.tell_absence = value != 0,
                    _ => {}
                }
            }
            if self.wants.len() >= ITEMS {
                return Err(malformed("a list of too many wants"));
            }
            self.wants.push(want);
        }
        Ok(())
    }

    fn read_block(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
        let (mut prefix, mut data): (&[u8], &[u8]) = (&[], &[]);
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(found)) => prefix = found,
                (2, Value::Bytes(found)) => data = found,
                _ => {}
            }
        }
        if data.len() > BLOCK_LIMIT {
            return Err(RemoteError::TooLarge { limit: BLOCK_LIMIT as u64 });
        }
        let name = [prefix, &Digest::of(data).0].concat();
        self.blocks.push((Cid::from_bytes(&name).ok(), data.to_vec()));
        Ok(())
    }

    fn read_presence(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
        let (mut cid, mut here) = (Vec::new(), true);
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(found)) => cid = short(found)?,
                (2, Value::Number(kind)) => here = kind == 0,
                _ => {}
            }
        }
        self.presences.push((cid, here));
        Ok(())
    }
}

fn short(cid: &[u8]) -> Result<Vec<u8>, RemoteError> {
    if cid.len() > LONGEST_CID { Err(malformed("a CID that is too long")) } else { Ok(cid.to_vec()) }
}

fn malformed(text: &str) -> RemoteError {
    RemoteError::Malformed(text.to_owned())
}

/// Reads one message from a stream; `None` where it ends. Waits for ever between two messages, and within one for
/// at most `patience` for each piece.
///
/// # Errors
/// [`RemoteError`].
pub async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
    limit: usize,
    patience: Duration,
) -> Result<Option<Message>, RemoteError> {
    match read_length(stream, limit, patience).await? {
        Some(length) => read_body(stream, length, patience).await.map(Some),
        None => Ok(None),
    }
}

/// Reads the length of the message that comes next; `None` where the stream ends.
///
/// # Errors
/// [`RemoteError`].
pub async fn read_length(
    stream: &mut (impl AsyncRead + Unpin),
    limit: usize,
    patience: Duration,
) -> Result<Option<usize>, RemoteError> {
    let mut first = [0];
    match stream.read(&mut first).await {
        Ok(1..) => {}
        Ok(0) | Err(_) => return Ok(None),
    }
    let mut length = u64::from(first[0] & 0x7f);
    let mut shift = 7;
    let mut last = first[0];
    while last & 0x80 != 0 {
        if shift > 28 {
            return Err(malformed("a length that is none"));
        }
        let mut byte = [0];
        within(patience, stream.read_exact(&mut byte)).await?;
        last = byte[0];
        length |= u64::from(last & 0x7f) << shift;
        shift += 7;
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > limit {
        return Err(RemoteError::TooLarge { limit: limit as u64 });
    }
    Ok(Some(length))
}

/// Reads the message of which the length was read.
///
/// # Errors
/// [`RemoteError`].
pub async fn read_body(
    stream: &mut (impl AsyncRead + Unpin),
    length: usize,
    patience: Duration,
) -> Result<Message, RemoteError> {
    // Memory is taken as bytes come, not as they are announced.
    let mut body = Vec::new();
    while body.len() < length {
        let begin = body.len();
        body.resize(length.min(begin + PIECE), 0);
        within(patience, stream.read_exact(&mut body[begin..])).await?;
    }
    Message::decode(&body)
}

/// Writes bytes to a stream, each piece within `patience`.
///
/// # Errors
/// [`RemoteError`].
pub async fn write_message(
    stream: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    patience: Duration,
) -> Result<(), RemoteError> {
    for piece in bytes.chunks(PIECE) {
        within(patience, stream.write_all(piece)).await?;
    }
    within(patience, stream.flush()).await
}

async fn within<T>(patience: Duration, work: impl Future<Output = io::Result<T>>) -> Result<T, RemoteError> {
    let done = timeout(patience, work).await.map_err(|_| RemoteError::TimedOut(patience))?;
    done.map_err(|error| RemoteError::Unreachable(error.to_string()))
}

/// The fields of a message of protocol buffers.
struct Fields<'a>(&'a [u8]);

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a fixed size; no field of Bitswap has one.
    Fixed,
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, RemoteError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let size = self.number()?;
                Value::Bytes(self.take(size)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(malformed("a message that cannot be read")),
        };
        Ok(Some((key >> 3, value)))
    }

    fn number(&mut self) -> Result<u64, RemoteError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.take(1)? else { break };
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("a number that does not end"))
    }

    fn take(&mut self, size: u64) -> Result<&'a [u8], RemoteError> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let (taken, rest) =
            self.0.split_at_checked(size).ok_or_else(|| malformed("a message that breaks off"))?;
        self.0 = rest;
        Ok(taken)
    }
}

fn put_number(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The bytes of a number as it is written.
const fn number_size(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// The bytes of a field with a small number and so many bytes of text.
const fn field_size(size: usize) -> usize {
    1 + number_size(size) + size
}

fn put_header(out: &mut Vec<u8>, number: u8, size: usize) {
    out.push(number << 3 | 2);
    put_number(out, size);
}

fn put_bytes(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    put_header(out, number, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_flag(out: &mut Vec<u8>, number: u8) {
    out.extend_from_slice(&[number << 3, 1]);
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 4);
    put_number(&mut out, body.len());
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
mod tests {
    use libp2p::futures::io::Cursor;
    use proptest::prelude::*;

    use super::*;
    use crate::model::Codec;

    const PATIENCE: Duration = Duration::from_secs(1);

    fn read(bytes: &[u8], limit: usize) -> Result<Option<Message>, RemoteError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(read_message(&mut Cursor::new(bytes), limit, PATIENCE))
    }

    #[test]
    fn what_is_written_is_read() {
        let cid = Cid::of(Codec::Raw, b"abc");
        let reply = Reply {
            blocks: vec![(cid, b"abc".to_vec()), (Cid::of(Codec::DagCbor, &[7; 5000]), vec![7; 5000])],
            presences: vec![(cid.to_bytes().to_vec(), true), (vec![1, 2], false)],
        };
        let message = read(&reply.encode(), MESSAGE_LIMIT).unwrap().unwrap();
        let blocks: Vec<_> = reply.blocks.into_iter().map(|(cid, bytes)| (Some(cid), bytes)).collect();
        assert_eq!((message.blocks, message.presences), (blocks, reply.presences));
        let message = read(&encode_wants(&[(cid, false), (cid, true)], true), 200).unwrap().unwrap();
        let want = Want { cid: cid.to_bytes().to_vec(), cancel: false, block: true, tell_absence: true };
        assert_eq!(message.wants, [want.clone(), Want { cancel: true, tell_absence: false, ..want }]);
    }

    /// A message of another implementation: one raw block `abc` (prefix and data).
    #[test]
    fn the_form_is_that_of_the_specification() {
        let cid = Cid::of(Codec::Raw, b"abc");
        let reply = Reply { blocks: vec![(cid, b"abc".to_vec())], presences: Vec::new() };
        let expected = [13, 0x1a, 11, 0x0a, 4, 1, 0x55, 0x12, 0x20, 0x12, 3, b'a', b'b', b'c'];
        assert_eq!(reply.encode(), expected);
        let wants = encode_wants(&[(cid, false)], false);
        assert_eq!(wants[..8], [46, 0x0a, 44, 0x0a, 42, 0x0a, 36, 1]);
        assert_eq!(wants[wants.len() - 4..], [0x10, 1, 0x28, 1]);
    }

    #[test]
    fn limits_are_kept() {
        assert_eq!(read(&[], 100), Ok(None));
        assert_eq!(read(&[101], 100), Err(RemoteError::TooLarge { limit: 100 }));
        assert_eq!(read(&[0xff; 9], usize::MAX), Err(malformed("a length that is none")));
        assert!(matches!(read(&[0xff, 0xff, 0x7f, 1], usize::MAX), Err(RemoteError::Unreachable(_))));
        let mut list = Vec::new();
        for _ in 0..=ITEMS {
            put_bytes(&mut list, 1, &[]);
        }
        let mut body = Vec::new();
        put_bytes(&mut body, 1, &list);
        assert!(matches!(Message::decode(&body), Err(RemoteError::Malformed(_))));
        let large =
            Reply { blocks: vec![(Cid::of(Codec::Raw, b""), vec![0; BLOCK_LIMIT + 1])], presences: vec![] };
        let limit = BLOCK_LIMIT as u64;
        assert_eq!(read(&large.encode(), MESSAGE_LIMIT), Err(RemoteError::TooLarge { limit }));
    }

    #[test]
    fn a_block_has_the_name_of_its_bytes_whatever_was_meant() {
        let reply = Reply { blocks: vec![(Cid::of(Codec::Raw, b"a"), b"b".to_vec())], presences: vec![] };
        let message = read(&reply.encode(), MESSAGE_LIMIT).unwrap().unwrap();
        assert_eq!(message.blocks, [(Some(Cid::of(Codec::Raw, b"b")), b"b".to_vec())]);
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::decode(&bytes);
            let _ = read(&bytes, 1 << 10);
        }

        #[test]
        fn numbers_have_the_size_that_is_said(value in any::<usize>()) {
            let mut out = Vec::new();
            put_number(&mut out, value);
            prop_assert_eq!(out.len(), number_size(value));
        }
    }
}
