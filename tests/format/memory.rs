//! Verification of an archive that lies in memory.

use std::collections::HashMap;

use greffe::chain::{Fetched, Options, Report, Verifier};
use greffe::codec::car::{decode_frame, decode_header};
use greffe::model::Cid;

/// The blocks of a CARv1 file and its first root.
pub fn read_car(bytes: &[u8]) -> (Cid, Vec<(Cid, Vec<u8>)>) {
    let (root, mut offset) = decode_header(bytes).expect("the file has a header");
    let mut blocks = Vec::new();
    while let Ok(frame) = decode_frame(&bytes[offset..]) {
        let Some(block) = bytes.get(offset + frame.prefix..offset + frame.total()) else { break };
        blocks.push((frame.cid, block.to_vec()));
        offset += frame.total();
    }
    (root, blocks)
}

/// Verifies from `root` over `blocks`.
pub fn verify(root: Cid, blocks: &HashMap<Cid, Vec<u8>>, options: Options) -> Report {
    let mut verifier = Verifier::new(root, options);
    while let Some(cid) = verifier.want() {
        let fetched = blocks.get(&cid).cloned().map_or(Fetched::Missing, Fetched::Block);
        verifier.feed(&cid, fetched);
        for check in verifier.take_checks() {
            verifier.absorb(check.run());
        }
    }
    verifier.finish()
}
