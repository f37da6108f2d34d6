//! Proofs out of a tree of 1,000,000 entries: blocks that one needs, bytes that it has, time that checking it takes.
//!
//! The tree is real, its entries are names of manifests that are nowhere: nothing here looks at them.

mod measure;

use std::path::Path;

use greffe::chain::proof::{ConsistencyProof, InclusionProof, verify_consistency, verify_inclusion};
use greffe::chain::{Snapshot, leaf_hash};
use greffe::codec::dag_cbor::{encode_head, encode_manifest};
use greffe::codec::note::{Note, NoteVerdict, encode_checkpoint};
use greffe::codec::tlog_proof::TlogProof;
use greffe::crypto::PrivateKey;
use greffe::model::{Checkpoint, Cid, Codec, Head, Manifest};
use greffe::ops::evidence::Tree;
use greffe::ops::source::Source;
use greffe::store::{CarWriter, Existing};
use measure::{alternate, at_most, figure, headline, milliseconds, timed};

const ENTRIES: u64 = 1_000_000;
const ROUNDS: usize = 101;

fn main() {
    let directory = tempfile::tempdir().expect("a folder");
    let path = directory.path().join("tree.car");
    let key = PrivateKey::from_seed(&[7; 32]);
    let (head, origin) = grow(&path, &key);
    headline(&format!("evidence: proofs out of {ENTRIES} entries, {ROUNDS} rounds"));
    let (mut tiles, mut directories, mut bytes) = (0, 0, 0);
    let mut slowest: Vec<(f64, String)> = Vec::new();
    for entry in [0, 255, 256, 65_535, 65_536, 499_999, 777_777, 999_935, 999_936, ENTRIES - 1] {
        let mut source = Source::file(&path).expect("a CAR file");
        let mut tree = Tree::read(&mut source, head).expect("a head");
        let path = tree.inclusion(&mut source, [entry].into_iter()).expect("a proof").remove(0);
        let (of_tiles, of_directories) = tree.blocks_read();
        (tiles, directories) = (tiles.max(of_tiles), directories.max(of_directories));
        let file = TlogProof { index: entry, path, checkpoint: tree.checkpoint().to_vec() }.encode();
        bytes = bytes.max(file.len());
        let leaf = leaf_hash(&name(entry));
        let [checked] = alternate(
            ROUNDS,
            [&mut || {
                timed(|| {
                    let proof = TlogProof::decode(&file).expect("a proof");
                    let (note, Checkpoint { size, root, .. }) = proof.checkpoint().expect("a checkpoint");
                    assert_eq!(note.verify(&origin, key.public()), NoteVerdict::Valid);
                    let proof = InclusionProof { index: proof.index, size, path: proof.path };
                    verify_inclusion(&leaf, &proof, &root).expect("a proof that holds");
                })
            }],
        );
        slowest.push((checked.median(), milliseconds(&checked)));
    }
    at_most("tiles that an inclusion proof needs, each a block", tiles as f64, 5.0, "");
    figure("directories that name them; a gateway follows these itself", &directories.to_string());
    at_most("bytes of the proof's file, its checkpoint among them", bytes as f64, 4096.0, "");
    slowest.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((median, shown)) = slowest.last() {
        at_most("read it, check the checkpoint's signature and the inclusion", median * 1e3, 1.0, " ms");
        figure("the same, the slowest of ten entries, and its range", shown);
    }
    consistency(&path, head);
}

/// From every size that is a bit longer than the one before.
fn consistency(path: &Path, head: Cid) {
    let (mut hashes, mut tiles) = (0, 0);
    let mut kept: Option<(ConsistencyProof, _)> = None;
    for old in [1, 255, 256, 65_537, 500_001, 999_999] {
        let mut source = Source::file(path).expect("a CAR file");
        let mut tree = Tree::read(&mut source, head).expect("a head");
        let (proof, roots) = tree.consistency(&mut source, old, ENTRIES).expect("a proof");
        (hashes, tiles) = (hashes.max(proof.path.len()), tiles.max(tree.blocks_read().0));
        verify_consistency(&roots[0], &roots[1], &proof).expect("a proof that holds");
        kept = Some((proof, roots));
    }
    figure("hashes of a consistency proof to it", &hashes.to_string());
    figure("tiles that it needs", &tiles.to_string());
    if let Some((proof, [old, new])) = kept {
        let [checked] = alternate(ROUNDS, [&mut || timed(|| verify_consistency(&old, &new, &proof))]);
        figure("check it", &milliseconds(&checked));
    }
}

fn name(entry: u64) -> Cid {
    Cid::of(Codec::DagCbor, &entry.to_be_bytes())
}

/// Writes the tree's tiles and directories, a head and its newest manifest. Says the head and the checkpoint's origin.
fn grow(path: &Path, key: &PrivateKey) -> (Cid, String) {
    let chain = name(0);
    let log = Cid::of(Codec::Raw, b"no log");
    let manifest =
        Manifest { seq: ENTRIES - 1, chain: Some(chain), prev: Some(name(ENTRIES - 2)), log, files: vec![] };
    let manifest = encode_manifest(&manifest);
    let newest = Cid::of(Codec::DagCbor, &manifest);
    let mut blocks = vec![(newest, manifest)];
    let mut snapshot = Snapshot::default();
    for entry in 0..ENTRIES {
        snapshot.push(name(entry), &mut |block| blocks.push(block));
    }
    let origin = Checkpoint::origin_of(&chain);
    let checkpoint = Checkpoint { origin: origin.clone(), size: ENTRIES, root: snapshot.merkle.root() };
    let note = Note::sign(encode_checkpoint(&checkpoint), &origin, key).expect("a key signs").encode();
    let tlog = snapshot.directory(note, &mut |block| blocks.push(block));
    let entries = snapshot.entries.root(&mut |block| blocks.push(block)).expect("a tree");
    let head = encode_head(&Head { manifest: newest, entries, tlog, timestamps: vec![] });
    let cid = Cid::of(Codec::DagCbor, &head);
    blocks.push((cid, head));
    let mut writer = CarWriter::create(path, &cid, Existing::Keep).expect("a file");
    for (cid, bytes) in &blocks {
        writer.put(cid, bytes).expect("a block");
    }
    writer.finish().expect("a CAR file");
    (cid, origin)
}
