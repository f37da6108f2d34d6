//! Attacks on entries and heads, each by its name: what somebody makes who moves blocks around, with and without a key of the
//! chain, and that verification finds it.

use greffe::chain::{Block, Fault, Fetched, FindingKind, Options, Report, Snapshot, Verifier};
use greffe::codec::dag_cbor::{decode_head, decode_manifest, encode_head, encode_manifest};
use greffe::codec::unixfs::{DirectoryBuilder, decode_directory};
use greffe::model::{Cid, Codec, Head, Manifest, Remembered};

use crate::chains::{Growing, key};
use crate::memory::{Blocks, verify};
use crate::properties::{report_of, six};

/// These manifests one after the other, numbered and linked anew, below a head that a signer of the chain signs.
fn relinked(chain: &Growing, order: Vec<Manifest>, more: Blocks) -> Report {
    let (mut blocks, mut manifests) = (chain.map(), Vec::new());
    blocks.extend(more);
    for (seq, mut manifest) in order.into_iter().enumerate() {
        (manifest.seq, manifest.chain) = (seq as u64, manifests.first().copied());
        manifest.prev = manifests.last().copied();
        let bytes = encode_manifest(&manifest);
        let cid = Cid::of(Codec::DagCbor, &bytes);
        blocks.insert(cid, bytes);
        manifests.push(cid);
    }
    report_of(chain, &manifests, blocks)
}

/// These manifests as they are, below a head with the checkpoint of the true one: who has no key signs no other.
fn below_the_old_checkpoint(chain: &Growing, manifests: &[Cid]) -> Report {
    let mut chain = chain.clone();
    let sound = chain.head(&key(1));
    let mut blocks = chain.map();
    let directory = decode_directory(&blocks[&decode_head(&blocks[&sound]).unwrap().tlog]).unwrap();
    let checkpoint = directory.iter().find(|link| link.name == "checkpoint").unwrap().cid;
    let (mut snapshot, mut made): (_, Vec<Block>) = (Snapshot::default(), Vec::new());
    manifests.iter().for_each(|cid| snapshot.push(*cid, &mut |block| made.push(block)));
    let tlog = snapshot.directory(blocks[&checkpoint].clone(), &mut |block| made.push(block));
    let entries = snapshot.entries.root(&mut |block| made.push(block)).unwrap();
    let manifest = *manifests.last().unwrap();
    let bytes = encode_head(&Head { manifest, entries, tlog, timestamps: vec![] });
    let head = Cid::of(Codec::DagCbor, &bytes);
    made.push((head, bytes));
    blocks.extend(made);
    verify(head, &blocks)
}

fn manifests(chain: &Growing) -> Vec<Manifest> {
    let blocks = chain.map();
    chain.manifests.iter().map(|cid| decode_manifest(&blocks[cid]).unwrap()).collect()
}

/// Entries whose logs tell of another place, or of other files, than their manifests.
fn differ(report: &Report) -> Vec<u64> {
    assert!(!report.verified && !report.established.intact, "{:?}", report.findings);
    let differs =
        |fault: &Fault| matches!(fault, Fault::StatementDiffers { .. } | Fault::SubjectsDiffer { .. });
    let found = report.findings.iter().filter(|finding| differs(&finding.fault));
    let mut found: Vec<u64> = found.filter_map(|finding| finding.seq).collect();
    found.dedup();
    found
}

fn has(report: &Report, is: impl Fn(&Fault) -> bool) -> bool {
    report.findings.iter().any(|finding| is(&finding.fault))
}

fn is_other_checkpoint(fault: &Fault) -> bool {
    matches!(fault, Fault::CheckpointDiffers { member: "root", .. })
}

#[test]
fn entry_inserted() {
    let (chain, other) = (six("inserted"), six("elsewhere"));
    let (ours, theirs) = (manifests(&chain), manifests(&other));
    // One of another chain, and one of this chain for a second time.
    for (entry, blocks) in [(&theirs[3], other.map()), (&ours[3], Blocks::new())] {
        let mut order = ours.clone();
        order.insert(2, entry.clone());
        let report = relinked(&chain, order, blocks);
        // What follows says that it stands elsewhere.
        assert_eq!(differ(&report), [2, 3, 4, 5, 6]);
    }
    let mut unlinked = chain.manifests.clone();
    unlinked.insert(2, chain.manifests[3]);
    let report = below_the_old_checkpoint(&chain, &unlinked);
    assert!(!report.verified && has(&report, is_other_checkpoint), "{:?}", report.findings);
    assert!(has(&report, |fault| matches!(fault, Fault::SeqGap { expected: 2, found: 3 })));
}

#[test]
fn entry_removed() {
    let chain = six("removed");
    let mut order = manifests(&chain);
    order.remove(3);
    assert_eq!(differ(&relinked(&chain, order, Blocks::new())), [3, 4]);
    let mut unlinked = chain.manifests.clone();
    unlinked.remove(3);
    let report = below_the_old_checkpoint(&chain, &unlinked);
    assert!(!report.verified && has(&report, is_other_checkpoint), "{:?}", report.findings);
    assert!(has(&report, |fault| matches!(fault, Fault::LinkDiffers { member: "prev", .. })));
}

#[test]
fn entries_reordered() {
    let chain = six("reordered");
    let mut order = manifests(&chain);
    order.swap(2, 4);
    assert_eq!(differ(&relinked(&chain, order, Blocks::new())), [2, 3, 4, 5]);
    let mut unlinked = chain.manifests.clone();
    unlinked.swap(2, 4);
    let report = below_the_old_checkpoint(&chain, &unlinked);
    assert!(!report.verified && has(&report, is_other_checkpoint), "{:?}", report.findings);
}

#[test]
fn entry_rebundled_with_another_log() {
    let chain = six("rebundled");
    for seq in 1..6 {
        // The next entry's log, which is signed as well as the true one.
        let mut order = manifests(&chain);
        order[seq].log = order[seq % 5 + 1].log;
        let found = differ(&relinked(&chain, order, Blocks::new()));
        assert!(found.contains(&(seq as u64)), "{seq}: {found:?}");
    }
}

#[test]
fn log_of_another_chain_grafted_in() {
    let (chain, other) = (six("grafted"), six("elsewhere"));
    for seq in 0..6 {
        let mut order = manifests(&chain);
        // The same key, the same number, the same script.
        order[seq].log = manifests(&other)[seq].log;
        let mut blocks = other.map();
        blocks.retain(|cid, _| *cid == order[seq].log);
        let report = relinked(&chain, order, blocks);
        assert!(!report.verified);
        // The first entry makes another chain of it; of any other the log names the chain that it was signed for.
        let found = if seq == 0 {
            report.chain != Some(chain.manifests[0])
        } else {
            differ(&report).contains(&(seq as u64))
        };
        assert!(found, "{seq}: {:?}", report.findings);
    }
}

#[test]
fn checkpoint_without_its_tiles() {
    let mut chain = six("bare");
    let sound = chain.head(&key(1));
    let mut blocks = chain.map();
    let mut head = decode_head(&blocks[&sound]).unwrap();
    let links = decode_directory(&blocks[&head.tlog]).unwrap();
    let checkpoint = links.iter().find(|link| link.name == "checkpoint").unwrap();
    // Nothing but the checkpoint, which is good, in the directory.
    let mut bare = DirectoryBuilder::default();
    bare.insert("checkpoint", checkpoint.cid, checkpoint.total_size);
    head.tlog = bare.finish(&mut |built| drop(blocks.insert(built.cid, built.bytes)));
    let bytes = encode_head(&head);
    let cid = Cid::of(Codec::DagCbor, &bytes);
    blocks.insert(cid, bytes);
    let report = verify(cid, &blocks);
    assert!(!report.verified && !report.established.complete, "{:?}", report.findings);
    for path in ["tile/0/000.p/6", "tile/entries/000.p/6"] {
        assert!(has(&report, |fault| *fault == Fault::TileMissing { path: path.to_owned() }), "{path}");
    }
    // The true directory, and the tiles nowhere.
    let mut blocks = chain.map();
    let tiles: Vec<Cid> = links.iter().filter(|link| link.name == "tile").map(|link| link.cid).collect();
    tiles.iter().for_each(|cid| drop(blocks.remove(cid)));
    let report = verify(sound, &blocks);
    assert!(!report.verified && !report.established.complete, "{:?}", report.findings);
}

/// Verifies as somebody who verified this head before.
fn verify_after(seen: &Remembered, head: Cid, blocks: &Blocks) -> Report {
    let options = Options { remembered: vec![seen.clone()], ..Options::default() };
    let mut verifier = Verifier::new(head, options);
    while let Some(cid) = verifier.want() {
        let fetched = blocks.get(&cid).cloned().map_or(Fetched::Missing, Fetched::Block);
        verifier.feed(&cid, fetched);
        for check in verifier.take_checks() {
            verifier.absorb(check.run());
        }
    }
    verifier.finish()
}

#[test]
fn head_rolled_back() {
    let mut chain = six("rolled back");
    let older = chain.head(&key(1));
    chain.apply("6");
    let newer = chain.head(&key(1));
    let blocks = chain.map();
    let seen = verify(newer, &blocks).memory.unwrap();
    // Both heads are signed and whole; only who remembers the newer one knows.
    assert!(verify(older, &blocks).verified);
    let report = verify_after(&seen, older, &blocks);
    let rolled_back = |fault: &Fault| matches!(fault, Fault::RolledBack { seen: 7, found: 6, .. });
    assert!(has(&report, rolled_back), "{:?}", report.findings);
    assert_eq!(report.findings[0].fault.kind(), FindingKind::Continuity);
    assert!(verify_after(&seen, newer, &blocks).verified);
}

#[test]
fn tail_cut() {
    let mut chain = six("cut");
    let head = chain.head(&key(1));
    let blocks = chain.map();
    let seen = verify(head, &blocks).memory.unwrap();
    // The newest entries are gone, and their head stays.
    let mut cut = blocks.clone();
    chain.manifests[4..].iter().for_each(|cid| drop(cut.remove(cid)));
    let report = verify(head, &cut);
    assert!(!report.verified && !report.established.complete, "{:?}", report.findings);
    // Who has no key makes a head of the rest, with the old checkpoint; who has one signs another.
    let report = below_the_old_checkpoint(&chain, &chain.manifests[..4]);
    assert!(has(&report, is_other_checkpoint), "{:?}", report.findings);
    let mut resigned = Growing::of_one_key("cut");
    for version in 1..4 {
        resigned.apply(&version.to_string());
    }
    let short = resigned.head(&key(1));
    assert_eq!(resigned.manifests, chain.manifests[..4]);
    assert!(verify(short, &resigned.map()).verified);
    let report = verify_after(&seen, short, &resigned.map());
    assert!(has(&report, |fault| matches!(fault, Fault::RolledBack { seen: 6, found: 4, .. })));
}
