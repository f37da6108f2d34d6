//! Verification that goes on from an earlier one: it reads what is new, ends where a full one ends, and whatever is
//! wrong before or after shows.

use std::collections::HashSet;

use greffe::chain::{
    Claim, Continued, Fault, Fetched, Options, Recall, Report, Snapshot, Standing, Verifier, refuted,
};
use greffe::codec::dag_cbor::{decode_head, encode_head};
use greffe::codec::unixfs::{DirectoryBuilder, decode_directory};
use greffe::model::{Cid, Codec, EventKind};

use crate::chains::{Growing, every_event, key};
use crate::memory::Blocks;
use crate::properties::{head_of, six};

/// Blocks beside those of new entries: the head, its directory, the checkpoint, and a node for each level.
const AROUND: usize = 6;

/// Verifies, going on from `standing` if that is of the chain, and says how many blocks were read.
fn verify(root: Cid, blocks: &Blocks, standing: Option<Standing>) -> (Report, usize) {
    let recall = Recall::new(move |chain| standing.clone().filter(|standing| standing.chain == *chain));
    let mut verifier = Verifier::new(root, Options { recall: Some(recall), ..Options::default() });
    let mut read = 0;
    while let Some(cid) = verifier.want() {
        let fetched = blocks.get(&cid).cloned().map_or(Fetched::Missing, Fetched::Block);
        verifier.feed(&cid, fetched);
        read += 1;
        for check in verifier.take_checks() {
            verifier.absorb(check.run());
        }
    }
    (verifier.finish(), read)
}

fn continued(report: &Report) -> &Continued {
    report.continued.as_deref().unwrap()
}

fn standing(report: &Report) -> Standing {
    assert!(report.verified, "{:?}", report.findings);
    continued(report).standing.clone().unwrap()
}

/// A head over the first entries of a chain.
fn head_at(chain: &Growing, size: usize, blocks: &mut Blocks) -> Cid {
    let mut snapshot = Snapshot::default();
    let mut made = Vec::new();
    chain.manifests[..size].iter().for_each(|cid| snapshot.push(*cid, &mut |block| made.push(block)));
    let newest = chain.manifests[size - 1];
    let head = head_of(&snapshot, chain.manifests[0], newest, &mut |block| made.push(block));
    blocks.extend(made);
    head
}

/// Whether claims hold, by what older entries said.
fn hold(claims: &[Claim], older: &Continued) -> bool {
    let events: HashSet<_> = older.said.events.iter().collect();
    let applied: HashSet<_> =
        older.said.versions.iter().filter(|(_, applied)| *applied).map(|(version, _)| version).collect();
    claims.iter().all(|claim| match claim {
        Claim::New { .. } => !events.contains(&claim.key()),
        Claim::Version { applied: expected, .. } => applied.contains(&claim.key()) == *expected,
    })
}

#[test]
fn only_new_entries_are_read_however_long_the_chain_is() {
    let mut chain = Growing::of_one_key("steps");
    let mut known: Option<Standing> = None;
    let mut size = 1;
    for next in [1, 2, 2, 255, 256, 256, 257, 511, 512, 513, 770, 771] {
        for _ in size..next {
            chain.attach();
        }
        let head = chain.head(&key(1));
        let blocks = chain.map();
        let (full, _) = verify(head, &blocks, None);
        assert_eq!((full.since_seq, full.established.complete), (None, true));
        let (report, read) = verify(head, &blocks, known.clone());
        if known.is_some() {
            assert_eq!(report.since_seq, Some(size as u64));
            assert!(!report.established.complete && report.established.intact && report.established.signed);
            // Each entry is a manifest and a log.
            assert!(read <= 2 * (next - size) + AROUND, "{read} blocks for {} entries", next - size);
        }
        assert_eq!(
            (report.entries, report.newest, &report.memory),
            (full.entries, full.newest, &full.memory)
        );
        assert_eq!(standing(&report), standing(&full));
        (known, size) = (Some(standing(&report)), next);
    }
}

#[test]
fn it_ends_where_a_full_one_ends_wherever_it_goes_on() {
    let chain = every_event();
    let mut blocks = chain.map();
    let heads: Vec<Cid> =
        (1..=chain.manifests.len()).map(|size| head_at(&chain, size, &mut blocks)).collect();
    let full: Vec<Report> = heads.iter().map(|head| verify(*head, &blocks, None).0).collect();
    for (from, older) in full.iter().enumerate() {
        let text = serde_json::to_vec(&standing(older)).unwrap();
        let known: Standing = serde_json::from_slice(&text).unwrap();
        for (to, whole) in full.iter().enumerate().skip(from) {
            let (report, _) = verify(heads[to], &blocks, Some(known.clone()));
            assert_eq!(report.since_seq, Some(from as u64 + 1));
            assert_eq!(standing(&report), standing(whole), "{from} to {to}");
            assert!(hold(&continued(&report).claims, continued(older)), "{from} to {to}");
        }
    }
}

#[test]
fn what_is_wrong_in_new_entries_is_found() {
    let chain = six("new");
    let mut blocks = chain.map();
    let older = head_at(&chain, 4, &mut blocks);
    let known = standing(&verify(older, &blocks, None).0);
    let head = head_at(&chain, 6, &mut blocks);
    // Every block that is read, missing or other bytes.
    let (_, read) = verify(head, &blocks, Some(known.clone()));
    let mut found = 0;
    for cid in blocks.keys().copied().collect::<Vec<_>>() {
        let bytes = blocks.remove(&cid).unwrap();
        found += usize::from(!verify(head, &blocks, Some(known.clone())).0.verified);
        let mut other = bytes.clone();
        other[bytes.len() / 2] ^= 1;
        blocks.insert(cid, other);
        found += usize::from(!verify(head, &blocks, Some(known.clone())).0.verified);
        blocks.insert(cid, bytes);
    }
    assert_eq!(found, 2 * read);
}

#[test]
fn what_was_changed_before_is_found() {
    let chain = six("before");
    let mut blocks = chain.map();
    let older = head_at(&chain, 4, &mut blocks);
    let known = standing(&verify(older, &blocks, None).0);
    // Another history that ends in entries of the same numbers.
    let mut other = Growing::of_one_key("before");
    for version in ["1", "other", "3", "4", "5"] {
        other.apply(version);
    }
    blocks.extend(other.map());
    assert_eq!(other.manifests[0], chain.manifests[0]);
    let forked = head_at(&other, 6, &mut blocks);
    let (report, _) = verify(forked, &blocks, Some(known.clone()));
    assert_eq!((report.verified, report.since_seq), (false, Some(4)));
    // The same entries, an older one put in twice, and one left out.
    for order in [[0, 1, 2, 3, 4, 4], [0, 1, 2, 3, 2, 4], [0, 1, 2, 4, 4, 5], [0, 1, 3, 2, 4, 5]] {
        let mut wrong = chain.clone();
        wrong.manifests = order.iter().map(|seq| chain.manifests[*seq]).collect();
        let head = head_at(&wrong, 6, &mut blocks);
        assert!(!verify(head, &blocks, Some(known.clone())).0.verified, "{order:?}");
    }
    // A head that is cut back is read as a whole.
    let cut = head_at(&chain, 3, &mut blocks);
    assert_eq!(verify(cut, &blocks, Some(known)).0.since_seq, None);
}

#[test]
fn tiles_that_the_entries_do_not_make_are_found() {
    let chain = six("tiles");
    let mut blocks = chain.map();
    let older = head_at(&chain, 4, &mut blocks);
    let known = standing(&verify(older, &blocks, None).0);
    let head = head_at(&chain, 6, &mut blocks);
    let mut head = decode_head(&blocks[&head]).unwrap();
    let links = decode_directory(&blocks[&head.tlog]).unwrap();
    let mut directory = DirectoryBuilder::default();
    links.iter().for_each(|link| directory.insert(&link.name, link.cid, link.total_size));
    directory.insert("surplus", Cid::of(Codec::Raw, b""), 0);
    head.tlog = directory.finish(&mut |built| drop(blocks.insert(built.cid, built.bytes)));
    let bytes = encode_head(&head);
    let cid = Cid::of(Codec::DagCbor, &bytes);
    blocks.insert(cid, bytes);
    let (report, _) = verify(cid, &blocks, Some(known));
    let faults: Vec<&Fault> = report.findings.iter().map(|finding| &finding.fault).collect();
    assert!(matches!(faults[..], [Fault::HeadDiffers { member: "tlog", .. }]), "{faults:?}");
}

#[test]
fn what_new_entries_say_of_older_ones_is_asked() {
    let mut chain = six("claims");
    let mut blocks = chain.map();
    let older = head_at(&chain, 6, &mut blocks);
    let (before, _) = verify(older, &blocks, None);
    // Applied before, and not taken back; then what never was applied is taken back.
    chain.apply("3");
    chain.about(EventKind::Rollback, "unheard of", vec![], &[&key(1)]);
    blocks.extend(chain.map());
    let head = head_at(&chain, 8, &mut blocks);
    let (report, _) = verify(head, &blocks, Some(standing(&before)));
    let claims = &continued(&report).claims;
    assert!(report.verified && !hold(claims, continued(&before)));
    let wrong: Vec<_> = claims
        .iter()
        .filter(|claim| !hold(std::slice::from_ref(*claim), continued(&before)))
        .map(refuted)
        .collect();
    let (full, _) = verify(head, &blocks, None);
    assert_eq!(wrong, full.findings);
}

#[test]
fn a_standing_that_is_not_that_of_the_chain_is_no_help() {
    let chain = six("standing");
    let mut blocks = chain.map();
    let older = head_at(&chain, 4, &mut blocks);
    let known = standing(&verify(older, &blocks, None).0);
    let head = head_at(&chain, 6, &mut blocks);
    let mut value = serde_json::to_value(&known).unwrap();
    for (member, other) in [
        ("size", serde_json::json!(3)),
        ("size", serde_json::json!(0)),
        ("tree", serde_json::json!([])),
        ("entries", serde_json::json!([[]])),
        ("trust", serde_json::json!("{}")),
        ("keys", serde_json::json!(["AA=="])),
    ] {
        let sound = std::mem::replace(&mut value[member], other);
        let broken: Standing = serde_json::from_value(value.clone()).unwrap();
        let (report, _) = verify(head, &blocks, Some(broken));
        assert_eq!((report.verified, report.since_seq), (true, None), "{member}");
        value[member] = sound;
    }
    // Of the right shape and not this chain's: found, so that the whole is read.
    let other = serde_json::json!("00".repeat(32));
    for place in 0..value["tree"][0].as_array().unwrap().len() {
        let sound = std::mem::replace(&mut value["tree"][0][place], other.clone());
        let broken: Standing = serde_json::from_value(value.clone()).unwrap();
        let (report, _) = verify(head, &blocks, Some(broken));
        assert_eq!((report.verified, report.since_seq), (false, Some(4)));
        value["tree"][0][place] = sound;
    }
}
