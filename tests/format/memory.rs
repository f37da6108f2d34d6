//! Archives that lie in memory: their blocks, verified without a file.

use std::collections::HashMap;

use greffe::chain::{Fetched, Options, Report, Verifier};
use greffe::codec::car::{decode_frame, decode_header};
use greffe::model::Cid;

/// Blocks by their CIDs.
pub type Blocks = HashMap<Cid, Vec<u8>>;

/// The blocks of a CARv1 file and its first root, as far as it can be read; `None` without a header.
pub fn read_car(bytes: &[u8]) -> Option<(Cid, Blocks)> {
    let (root, mut offset) = decode_header(bytes).ok()?;
    let mut blocks = Blocks::new();
    while let Ok(frame) = decode_frame(&bytes[offset..]) {
        let Some(block) = bytes.get(offset + frame.prefix..offset + frame.total()) else { break };
        blocks.entry(frame.cid).or_insert_with(|| block.to_vec());
        offset += frame.total();
    }
    Some((root, blocks))
}

/// Verifies from `root` over `blocks`.
pub fn verify(root: Cid, blocks: &Blocks) -> Report {
    let mut verifier = Verifier::new(root, Options::default());
    while let Some(cid) = verifier.want() {
        let fetched = blocks.get(&cid).cloned().map_or(Fetched::Missing, Fetched::Block);
        verifier.feed(&cid, fetched);
        for check in verifier.take_checks() {
            verifier.absorb(check.run());
        }
    }
    verifier.finish()
}
