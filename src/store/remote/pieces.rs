//! The blocks of a delivery, so many at a time as one request takes.

use super::{Delivery, RemoteError, ReplicaError};
use crate::codec::car::BLOCK_LIMIT;
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
pub fn pieces<'a>(
    delivery: &'a Delivery<'_>,
    cids: Vec<Cid>,
    room: Room,
) -> impl Iterator<Item = Result<Vec<Block>, ReplicaError>> + 'a {
    let mut cids = cids.into_iter();
    let mut carried = None;
    std::iter::from_fn(move || {
        let (mut piece, mut size) = (Vec::new(), 0);
        while let Some(block) = carried.take().or_else(|| cids.next().map(|cid| read(delivery, &cid))) {
            let (cid, bytes) = match block {
                Ok(block) => block,
                Err(error) => return Some(Err(error)),
            };
            size += bytes.len();
            if !piece.is_empty() && (size > room.bytes || piece.len() == room.blocks) {
                carried = Some(Ok((cid, bytes)));
                break;
            }
            piece.push((cid, bytes));
        }
        (!piece.is_empty()).then_some(Ok(piece))
    })
}
