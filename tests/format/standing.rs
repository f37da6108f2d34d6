//! Verification that goes on from an earlier one: it reads what is new, ends where a full one ends, and whatever is
//! wrong before or after shows.

use std::collections::HashSet;

use greffe::chain::{
    Claim, Continued, Fault, Fetched, Options, Recall, Report, Snapshot, Standing, Verifier, version_key,
};
use greffe::codec::dag_cbor::{decode_head, encode_head};
use greffe::codec::unixfs::{DirectoryBuilder, decode_directory};
use greffe::crypto::PrivateKey;
use greffe::model::{Cid, Codec, Details, EventKind, KeyRole, Remembered, Revocation, RevocationReason};

use crate::chains::{Growing, every_event, key, trust, trust_file};
use crate::memory::Blocks;
use crate::properties::{head_of, six};

/// Blocks beside those of new entries: the head, its directory, the checkpoint, and a node for each level.
const AROUND: usize = 6;

/// Verifies, going on from `standing` if that is of the chain, and says how many blocks were read.
fn verify(root: Cid, blocks: &Blocks, standing: Option<Standing>) -> (Report, usize) {
    verify_with(root, blocks, standing, Options::default())
}

fn verify_with(root: Cid, blocks: &Blocks, standing: Option<Standing>, options: Options) -> (Report, usize) {
    let recall = Recall::new(move |chain| standing.clone().filter(|standing| standing.chain == *chain));
    let recall = options.recall.is_none().then_some(recall).or(options.recall.clone());
    let mut verifier = Verifier::new(root, Options { recall, ..options });
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

/// What of the claims does not hold, by what older entries said.
fn refuted(claims: &[Claim], older: &Continued) -> Vec<(u64, Fault)> {
    let events: HashSet<_> = older.said.events.iter().collect();
    let applied: HashSet<_> =
        older.said.versions.iter().filter(|(_, applied)| *applied).map(|(version, _)| version).collect();
    let fault = |claim: &Claim| match claim {
        Claim::New { seq, id } => {
            events.contains(&id.to_bytes()).then_some((*seq, Fault::DuplicateEvent { id: *id }))
        }
        Claim::Version { seq, version, applied: expected } => {
            let wrong = applied.contains(&version_key(version)) != *expected;
            let version = version.clone();
            let fault =
                if *expected { Fault::NotApplied { version } } else { Fault::AppliedTwice { version } };
            wrong.then_some((*seq, fault))
        }
        Claim::Unstolen { .. } => panic!("no key was stolen"),
    };
    claims.iter().filter_map(fault).collect()
}

#[test]
fn what_runs_by_an_older_plan_is_judged_without_reading_the_chain_again() {
    let mut chain = crate::approvals::chain();
    for _ in 0..40 {
        chain.attach();
    }
    let plan = crate::approvals::approved(&mut chain, &["1", "2"]);
    let mut known = standing(&verify(chain.head(&key(1)), &chain.map(), None).0);
    for version in ["1", "2"] {
        crate::approvals::run(&mut chain, EventKind::Apply, version, plan);
        let (report, read) = verify(chain.head(&key(1)), &chain.map(), Some(known));
        assert!(report.since_seq.is_some() && read < 20, "{read} blocks");
        known = standing(&report);
    }
    // A plan that was carried out is gone, and who runs by it once more is found.
    crate::approvals::run(&mut chain, EventKind::Rollback, "2", plan);
    let (report, _) = verify(chain.head(&key(1)), &chain.map(), Some(known));
    assert!(matches!(report.findings[0].fault, Fault::NotAsPlanned { .. }), "{:?}", report.findings);
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
            assert_eq!(refuted(&continued(&report).claims, continued(older)), [], "{from} to {to}");
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
    let (report, _) = verify(cut, &blocks, Some(known));
    assert_eq!((report.verified, report.since_seq), (false, None));
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
    assert!(report.verified, "{:?}", report.findings);
    let (full, _) = verify(head, &blocks, None);
    let found: Vec<_> =
        full.findings.into_iter().map(|finding| (finding.seq.unwrap(), finding.fault)).collect();
    assert_eq!((found.len(), refuted(&continued(&report).claims, continued(&before))), (2, found));
}

/// A new entry that says that a key was stolen before may take down older ones, which were not read.
#[test]
fn a_key_that_was_stolen_before_is_a_claim_about_older_entries() {
    const BOTH: &[KeyRole] = &[KeyRole::Root, KeyRole::Signer];
    for since in [2, 5] {
        let (one, two) = (key(1), key(2));
        let keys: [(&PrivateKey, &[KeyRole]); 2] = [(&one, BOTH), (&two, BOTH)];
        let mut chain = Growing::new("stolen", &trust(1, &keys, 1, 1), &[&one]);
        for version in 1..5 {
            chain.apply(&version.to_string());
        }
        let mut blocks = chain.map();
        let older = head_at(&chain, 5, &mut blocks);
        let known = standing(&verify(older, &blocks, None).0);
        let mut next = trust(2, &keys, 1, 1);
        next.revoked =
            vec![Revocation { key: one.public().id(), since, reason: RevocationReason::Compromised }];
        let other = Details::Other { schema: None };
        chain.append(EventKind::Trust, other, vec![trust_file(&next)], &[&two]);
        let head = chain.head(&two);
        blocks.extend(chain.map());
        let (report, _) = verify(head, &blocks, Some(known));
        let asks = continued(&report).claims.iter().any(|claim| matches!(claim, Claim::Unstolen { .. }));
        assert_eq!((report.verified, asks), (true, since == 2));
        assert_eq!(verify(head, &blocks, None).0.verified, since == 5);
    }
}

#[test]
fn a_standing_that_the_memory_or_another_tolerance_speaks_against_is_not_gone_on_from() {
    let chain = six("memory");
    let mut blocks = chain.map();
    let older = head_at(&chain, 4, &mut blocks);
    let known = standing(&verify(older, &blocks, None).0);
    let head = head_at(&chain, 6, &mut blocks);
    let seen = |seq: u64, manifest| Remembered {
        chain: chain.manifests[0],
        seq,
        manifest,
        head: older,
        checkpoint: None,
    };
    let other = Cid::of(Codec::DagCbor, b"another");
    // Behind its end, at its end, and in front of it.
    for (seen, goes_on, verified) in [
        (seen(2, chain.manifests[2]), false, true),
        (seen(2, other), false, false),
        (seen(3, chain.manifests[3]), true, true),
        (seen(3, other), false, false),
        (seen(4, chain.manifests[4]), true, true),
        (seen(4, other), true, false),
    ] {
        let seq = seen.seq;
        let options = Options { remembered: vec![seen], ..Options::default() };
        let (report, _) = verify_with(head, &blocks, Some(known.clone()), options);
        assert_eq!((report.since_seq.is_some(), report.verified), (goes_on, verified), "{seq}");
    }
    for (tolerance, goes_on) in [(5_000_000, true), (6_000_000, true), (4_999_999, false)] {
        let options = Options { tolerance, ..Options::default() };
        let (report, _) = verify_with(head, &blocks, Some(known.clone()), options);
        assert_eq!((report.since_seq.is_some(), report.verified), (goes_on, true));
    }
}

/// Where the memory is lost, the standing still tells that the chain was cut back, or is another version.
#[test]
fn a_standing_is_remembered_also_where_all_is_read() {
    let chain = six("remembered");
    let mut blocks = chain.map();
    let older = head_at(&chain, 5, &mut blocks);
    let known = standing(&verify(older, &blocks, None).0);
    let find = known.clone();
    let recall = Recall::new(move |_| Some(find.clone())).to_compare();
    let options = Options { recall: Some(recall), ..Options::default() };
    let whole = head_at(&chain, 6, &mut blocks);
    let (report, _) = verify_with(whole, &blocks, None, options.clone());
    assert_eq!((report.verified, report.since_seq), (true, None));
    let cut = head_at(&chain, 3, &mut blocks);
    for options in [options.clone(), Options::default()] {
        let standing = options.recall.is_none().then(|| known.clone());
        let (report, _) = verify_with(cut, &blocks, standing, options);
        assert!(matches!(report.findings[0].fault, Fault::RolledBack { seen: 5, found: 3, .. }));
    }
    let mut other = Growing::of_one_key("remembered");
    for version in ["1", "2", "other", "4", "5"] {
        other.apply(version);
    }
    blocks.extend(other.map());
    let forked = head_at(&other, 6, &mut blocks);
    let (report, _) = verify_with(forked, &blocks, None, options);
    assert!(report.fork.is_some() && matches!(report.findings[0].fault, Fault::Forked { entry: 4, .. }));
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
