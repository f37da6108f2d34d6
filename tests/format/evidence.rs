//! Evidence of one entry in chains whose trust changed, and attacks on it by somebody who holds every key.

use std::fs;
use std::path::Path;

use greffe::chain::{EvidenceReport, NotEstablished, Options};
use greffe::codec::dag_cbor::{decode_manifest, encode_manifest};
use greffe::codec::dsse::Envelope;
use greffe::codec::sigstore::Bundle;
use greffe::codec::tlog_proof::TlogProof;
use greffe::crypto::Signer;
use greffe::model::{Cid, Codec, Details, EventKind, KeyRole, Revocation, RevocationReason, Role};
use greffe::ops::OpsError;
use greffe::ops::evidence::{Asked, Made, make, verify_directory};
use greffe::ops::source::Source;
use greffe::store::{CarReader, CarWriter, Existing, Next};
use tempfile::TempDir;

use crate::chains::{Growing, key, script, trust, trust_file};

const BOTH: [KeyRole; 2] = [KeyRole::Root, KeyRole::Signer];

/// Entries: 0 genesis (key 1), 1 apply, 2 trust (keys 1 and 2, both sign), 3 apply by both, 4 trust (key 1 retired), 5 apply
/// by key 2.
fn chain() -> (Growing, Cid) {
    let (one, two) = (key(1), key(2));
    let mut chain = Growing::new("evidence", &trust(1, &[(&one, &BOTH)], 1, 1), &[&one]);
    chain.apply("1");
    let second = trust(2, &[(&one, &BOTH), (&two, &BOTH)], 1, 2);
    chain.append(EventKind::Trust, Details::Other { schema: None }, vec![trust_file(&second)], &[&one]);
    apply(&mut chain, "2", &[&one, &two]);
    let mut third = trust(3, &[(&one, &BOTH), (&two, &BOTH)], 1, 1);
    third.revoked = vec![Revocation { key: one.public().id(), since: 4, reason: RevocationReason::Retired }];
    // The event that revokes key 1 is one that it signs no more.
    chain.append(EventKind::Trust, Details::Other { schema: None }, vec![trust_file(&third)], &[&two]);
    apply(&mut chain, "3", &[&two]);
    let head = chain.head(&two);
    (chain, head)
}

fn apply(chain: &mut Growing, version: &str, signers: &[&dyn Signer]) {
    let up =
        script(Role::Up, &format!("{version}.up.sql"), format!("CREATE TABLE t{version} (id);\n").as_bytes());
    chain.about(EventKind::Apply, version, vec![up], signers);
}

fn made_of(chain: &Growing, head: Cid, asked: &Asked, folder: &Path) -> Result<Made, Box<OpsError>> {
    let car = folder.join("chain.car");
    chain.write(&car, &head);
    make(&mut Source::file(&car).unwrap(), head, asked, &folder.join("out")).map_err(Box::new)
}

/// Evidence of an entry.
fn made(seq: u64) -> (Growing, TempDir, Made) {
    let (chain, head) = chain();
    let folder = tempfile::tempdir().unwrap();
    let made = made_of(&chain, head, &Asked::Seq(seq), folder.path()).unwrap();
    (chain, folder, made)
}

fn judged(folder: &TempDir) -> EvidenceReport {
    verify_directory(&folder.path().join("out"), &Options::default()).unwrap()
}

fn faults(report: &EvidenceReport) -> String {
    assert!(!report.verified, "nothing was found");
    report.findings.iter().map(|finding| format!("{:?}\n", finding.fault)).collect()
}

/// The blocks of the evidence with some changed, left out or added; `change` takes each, in order.
fn rewritten(folder: &TempDir, change: impl Fn(Cid, &[u8]) -> Vec<(Cid, Vec<u8>)>) {
    let path = folder.path().join("out/evidence.car");
    let mut reader = CarReader::open(&path).unwrap();
    let mut blocks = Vec::new();
    while let Next::Block { cid, bytes, .. } = reader.next_block().unwrap() {
        blocks.extend(change(cid, bytes));
    }
    let mut writer = CarWriter::create(&path, &reader.root(), Existing::Replace).unwrap();
    for (cid, bytes) in &blocks {
        writer.put(cid, bytes).unwrap();
    }
    writer.finish().unwrap();
}

fn without(folder: &TempDir, cid: Cid) {
    rewritten(folder, |found, bytes| if found == cid { vec![] } else { vec![(found, bytes.to_vec())] });
}

#[test]
fn the_trust_documents_come_with_the_entry() {
    for (seq, trust, signatures) in [
        (0, vec![2, 4], 1),
        (1, vec![0, 2, 4], 1),
        (2, vec![0, 4], 1),
        (3, vec![0, 2, 4], 2),
        (5, vec![0, 2, 4], 1),
    ] {
        let (_, folder, made) = made(seq);
        assert_eq!((&made.trust, made.signatures), (&trust, signatures), "{seq}");
        let report = judged(&folder);
        assert!(report.verified, "{seq}: {:?}", report.findings);
        assert_eq!(report.signed_by.len(), signatures, "{seq}");
        assert_eq!(report.checkpoint.signed_by, [key(2).public().id()]);
        assert!(report.not_established.contains(&NotEstablished::OtherTrust));
        let bundle = Bundle::decode(&fs::read(folder.path().join("out/log.sigstore.json")).unwrap()).unwrap();
        assert_eq!(bundle.envelope().signatures.len(), 1);
    }
}

#[test]
fn a_signature_of_another_entry_is_found() {
    let (chain, folder, _) = made(3);
    let log = |seq: usize| {
        let blocks = chain.map();
        Envelope::decode(&blocks[&decode_manifest(&blocks[&chain.manifests[seq]]).unwrap().log]).unwrap()
    };
    let path = folder.path().join("out/log.sigstore.json");
    let two = key(2).public().id();
    // The signature of entry 5 over the statement of entry 3, and a sound bundle of entry 5.
    let moved = Envelope { payload: log(3).payload, signatures: log(5).signatures };
    for bundle in [Bundle::of(&moved, &two).unwrap(), Bundle::of(&log(5), &two).unwrap()] {
        fs::write(&path, bundle.encode()).unwrap();
        assert!(faults(&judged(&folder)).contains("EvidenceDiffers"));
    }
    // The other signature of the same log, with the key of the first.
    let verified = [1, 2].map(|seed| {
        fs::write(&path, Bundle::of(&log(3), &key(seed).public().id()).unwrap().encode()).unwrap();
        judged(&folder).verified
    });
    assert_eq!(verified, [true, false]);
}

/// A manifest with another log, another chain's log among them: its CID is not the leaf any more.
#[test]
fn an_entry_rebundled_with_another_log_is_found() {
    let (chain, folder, made) = made(3);
    let stranger = {
        let mut stranger = Growing::of_one_key("stranger");
        stranger.apply("2");
        stranger
    };
    let blocks = chain.map();
    let logs = [
        decode_manifest(&blocks[&chain.manifests[5]]).unwrap().log,
        decode_manifest(&stranger.map()[&stranger.manifests[1]]).unwrap().log,
    ];
    let whole = fs::read(folder.path().join("out/evidence.car")).unwrap();
    for log in logs {
        fs::write(folder.path().join("out/evidence.car"), &whole).unwrap();
        let bytes = blocks.get(&log).cloned().unwrap_or_else(|| stranger.map()[&log].clone());
        let mut manifest = decode_manifest(&blocks[&made.manifest]).unwrap();
        manifest.log = log;
        let manifest = encode_manifest(&manifest);
        // Under its own name the root of the file is missing; under the entry's, the bytes are not the CID's.
        rewritten(&folder, |cid, found| {
            let found = if cid == made.manifest { manifest.clone() } else { found.to_vec() };
            vec![(cid, found), (log, bytes.clone())]
        });
        assert!(faults(&judged(&folder)).contains("BlockCorrupt"));
        let renamed = Cid::of(Codec::DagCbor, &manifest);
        let path = folder.path().join("out/evidence.car");
        let mut writer = CarWriter::create(&path, &renamed, Existing::Replace).unwrap();
        let others = blocks.iter().filter(|(cid, _)| {
            **cid != made.manifest && (cid.codec() != Codec::DagCbor || chain.manifests[..1].contains(cid))
        });
        writer.put(&renamed, &manifest).unwrap();
        writer.put(&log, &bytes).unwrap();
        for (cid, bytes) in others {
            writer.put(cid, bytes).unwrap();
        }
        writer.finish().unwrap();
        let found = faults(&judged(&folder));
        assert!(found.contains("NotIncluded") && found.contains("StatementDiffers"), "{found}");
    }
}

#[test]
fn missing_blocks_are_found() {
    let (chain, folder, made) = made(3);
    let whole = fs::read(folder.path().join("out/evidence.car")).unwrap();
    let manifest = decode_manifest(&chain.map()[&made.manifest]).unwrap();
    let genesis = decode_manifest(&chain.map()[&chain.manifests[0]]).unwrap();
    for cid in [
        manifest.log,
        manifest.files[0].cid,
        made.manifest,
        chain.manifests[0],
        genesis.log,
        genesis.files[0].cid,
    ] {
        without(&folder, cid);
        assert!(faults(&judged(&folder)).contains("BlockMissing"), "{cid}");
        fs::write(folder.path().join("out/evidence.car"), &whole).unwrap();
    }
    // The trust document that brings key 2 in: its version is missed, and its key.
    without(&folder, chain.manifests[2]);
    let found = faults(&judged(&folder));
    assert!(found.contains("TrustVersion"), "{found}");
    // One that is named and has no proof.
    fs::write(folder.path().join("out/evidence.car"), &whole).unwrap();
    fs::remove_file(folder.path().join("out/trust-2.tlog-proof")).unwrap();
    let error = verify_directory(&folder.path().join("out"), &Options::default()).unwrap_err();
    assert!(matches!(error, OpsError::EvidenceDamaged { .. }), "{error}");
}

/// Who holds the retired key may sign a tree of its own; it is no signer at that size.
#[test]
fn a_checkpoint_by_a_retired_key_is_found() {
    let (chain, folder, _) = made(5);
    let out = folder.path().join("out");
    for name in ["entry.tlog-proof", "trust-0.tlog-proof", "trust-2.tlog-proof", "trust-4.tlog-proof"] {
        let mut proof = TlogProof::decode(&fs::read(out.join(name)).unwrap()).unwrap();
        let (note, checkpoint) = proof.checkpoint().unwrap();
        proof.checkpoint =
            greffe::codec::note::Note::sign(note.text, &checkpoint.origin, &key(1)).unwrap().encode();
        fs::write(out.join(name), proof.encode()).unwrap();
    }
    assert!(faults(&judged(&folder)).contains("CheckpointUnsigned"));
    drop(chain);
}

/// A tree that another checkpoint is of, for one of the entries only.
#[test]
fn proofs_under_two_checkpoints_are_found() {
    let (mut chain, folder, _) = made(1);
    apply(&mut chain, "4", &[&key(2)]);
    let head = chain.head(&key(2));
    let later = tempfile::tempdir().unwrap();
    made_of(&chain, head, &Asked::Seq(1), later.path()).unwrap();
    let proof = "out/trust-0.tlog-proof";
    fs::copy(later.path().join(proof), folder.path().join(proof)).unwrap();
    assert!(faults(&judged(&folder)).contains("EvidenceDiffers"));
}

/// What would not hold is not written: here an entry that nobody who may has signed.
#[test]
fn no_evidence_is_made_of_what_does_not_hold() {
    let (mut chain, _) = chain();
    // Sound when it was appended; then a byte of its script is lost.
    apply(&mut chain, "4", &[&key(2)]);
    let head = chain.head(&key(2));
    let manifest = decode_manifest(&chain.map()[&chain.manifests[6]]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    chain.blocks.retain(|(cid, _)| *cid != manifest.files[0].cid);
    let error = made_of(&chain, head, &Asked::Seq(6), folder.path()).unwrap_err();
    assert!(matches!(*error, OpsError::BlockMissing { .. }), "{error}");
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["chain.car"]);
    // A checkpoint without its tiles proves nothing.
    let tiles: Vec<Cid> = chain
        .blocks
        .iter()
        .filter(|(cid, bytes)| cid.codec() == Codec::Raw && bytes.len() % 32 == 0 && bytes.len() <= 8192)
        .map(|(cid, _)| *cid)
        .collect();
    chain.blocks.retain(|(cid, _)| !tiles.contains(cid));
    let error = made_of(&chain, head, &Asked::Seq(1), folder.path()).unwrap_err();
    assert!(matches!(*error, OpsError::BlockMissing { .. }), "{error}");
}
