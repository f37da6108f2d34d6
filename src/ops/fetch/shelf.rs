//! A bounded shelf of blocks that came before they were wanted, or may be wanted again.

use std::collections::{HashMap, VecDeque};

use crate::model::Cid;

/// Bytes that it holds at most.
const ROOM: usize = 32 << 20;
/// What a block costs beside its bytes.
const OVERHEAD: usize = 128;

/// The oldest block goes first.
#[derive(Default)]
pub(super) struct Shelf {
    blocks: HashMap<Cid, Vec<u8>>,
    order: VecDeque<Cid>,
    size: usize,
}

impl Shelf {
    pub(super) fn put(&mut self, cid: Cid, bytes: Vec<u8>) {
        let size = bytes.len() + OVERHEAD;
        if self.blocks.contains_key(&cid) {
            return;
        }
        self.blocks.insert(cid, bytes);
        self.order.push_back(cid);
        self.size += size;
        while self.size > ROOM
            && let Some(oldest) = self.order.pop_front()
        {
            self.size -= self.blocks.remove(&oldest).map_or(0, |bytes| bytes.len() + OVERHEAD);
        }
    }

    pub(super) fn get(&self, cid: &Cid) -> Option<Vec<u8>> {
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
            shelf.put(cid, bytes.clone());
            shelf.put(cid, bytes);
            assert!(shelf.size <= ROOM && shelf.order.len() == shelf.blocks.len());
        }
        assert!(shelf.get(&block(99).0).is_some());
        assert!(shelf.get(&block(0).0).is_none());
    }
}
