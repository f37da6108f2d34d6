//! A bounded shelf of blocks that came before they were wanted, or may be wanted again.

use std::collections::{HashMap, VecDeque};

use crate::model::Cid;

/// Bytes that it holds at most.
const ROOM: usize = 32 << 20;
/// What a block costs beside its bytes.
const OVERHEAD: usize = 128;

/// A block of the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shelved {
    pub(super) bytes: Vec<u8>,
    /// Whether the verifier has had it.
    pub(super) given: bool,
}

/// The oldest block goes first.
#[derive(Default)]
pub(super) struct Shelf {
    blocks: HashMap<Cid, Shelved>,
    order: VecDeque<Cid>,
    size: usize,
}

impl Shelf {
    pub(super) fn put(&mut self, cid: Cid, bytes: Vec<u8>, given: bool) {
        let size = bytes.len() + OVERHEAD;
        if let Some(known) = self.blocks.get_mut(&cid) {
            known.given |= given;
            return;
        }
        self.blocks.insert(cid, Shelved { bytes, given });
        self.order.push_back(cid);
        self.size += size;
        while self.size > ROOM
            && let Some(oldest) = self.order.pop_front()
        {
            self.size -= self.blocks.remove(&oldest).map_or(0, |block| block.bytes.len() + OVERHEAD);
        }
    }

    pub(super) fn get(&self, cid: &Cid) -> Option<Shelved> {
        self.blocks.get(cid).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    #[test]
    fn it_never_holds_more_than_it_has_room_for() {
        let mut shelf = Shelf::default();
        let block = |n: u32| {
            let bytes = [&n.to_le_bytes()[..], &vec![0; 1 << 20]].concat();
            (Cid::of(Codec::Raw, &bytes), bytes)
        };
        for n in 0..100 {
            let (cid, bytes) = block(n);
            shelf.put(cid, bytes.clone(), false);
            shelf.put(cid, bytes, true);
            assert!(shelf.size <= ROOM && shelf.order.len() == shelf.blocks.len());
        }
        assert!(shelf.get(&block(99).0).is_some_and(|block| block.given));
        assert!(shelf.get(&block(0).0).is_none());
    }
}
