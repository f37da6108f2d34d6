//! The blocks of a delivery, so many at a time as one request takes.

use super::{Delivery, RemoteError, ReplicaError};
use crate::codec::car::{BLOCK_LIMIT, encode_header, push_frame};
use crate::model::Cid;
use crate::store::Block;

/// What one request takes.
pub struct Room {
    pub bytes: usize,
    pub blocks: usize,
}

/// A CAR file.
pub const CAR: Room = Room { bytes: 32 << 20, blocks: usize::MAX };

/// A CAR file for a node that did not take a whole one in time.
pub const PART: Room = Room { bytes: 1 << 20, blocks: 512 };

/// Reads a block that nodes take.
///
/// # Errors
/// [`RemoteError::Unsupported`] for one that is too large, and those of the archive.
pub fn read(delivery: &Delivery<'_>, cid: &Cid) -> Result<Block, ReplicaError> {
    let bytes = (delivery.read)(cid)?;
    if bytes.len() > BLOCK_LIMIT {
        return Err(RemoteError::Unsupported("it takes no block of more than 2 MiB").into());
    }
    Ok((*cid, bytes))
}

/// Blocks in the same order, so many at a time as one request takes.
pub fn pieces<'a>(delivery: &'a Delivery<'a>, cids: Vec<Cid>, room: Room) -> Pieces<'a> {
    Pieces { delivery, cids: cids.into_iter(), room, carried: None }
}

/// See [`pieces`].
pub struct Pieces<'a> {
    delivery: &'a Delivery<'a>,
    cids: std::vec::IntoIter<Cid>,
    room: Room,
    /// A block that had no room in the piece before.
    carried: Option<Block>,
}

impl Pieces<'_> {
    /// Whether there is no further piece; none is read for that.
    pub fn is_empty(&self) -> bool {
        self.carried.is_none() && self.cids.as_slice().is_empty()
    }

    /// The next piece as a CAR file with this root, and how many blocks it has. No block is held beside the file, since
    /// several nodes are sent something at the same time.
    pub fn next_car(&mut self, root: &Cid) -> Option<Result<(Vec<u8>, usize), ReplicaError>> {
        let (mut car, mut count) = (encode_header(root), 0);
        let ended = self.take(&mut |cid, bytes| {
            push_frame(&mut car, &cid, &bytes);
            count += 1;
        });
        match ended {
            Err(error) => Some(Err(error)),
            Ok(()) => (count > 0).then_some(Ok((car, count))),
        }
    }

    /// Hands out the blocks of the next piece.
    fn take(&mut self, give: &mut dyn FnMut(Cid, Vec<u8>)) -> Result<(), ReplicaError> {
        let (mut count, mut size) = (0, 0);
        while let Some(block) = self.block() {
            let (cid, bytes) = block?;
            size += bytes.len();
            if count > 0 && (size > self.room.bytes || count == self.room.blocks) {
                self.carried = Some((cid, bytes));
                break;
            }
            give(cid, bytes);
            count += 1;
        }
        Ok(())
    }

    fn block(&mut self) -> Option<Result<Block, ReplicaError>> {
        match self.carried.take() {
            Some(block) => Some(Ok(block)),
            None => self.cids.next().map(|cid| read(self.delivery, &cid)),
        }
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Vec<Block>, ReplicaError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = Vec::new();
        match self.take(&mut |cid, bytes| piece.push((cid, bytes))) {
            Err(error) => Some(Err(error)),
            Ok(()) => (!piece.is_empty()).then_some(Ok(piece)),
        }
    }
}
