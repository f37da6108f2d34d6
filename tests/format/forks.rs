//! Evidence of a fork: whose signatures count in it, and whose do not.

use greffe::chain::{CompactRange, NoFork, leaf_hash, verify_fork};
use greffe::codec::dag_cbor::{decode_manifest, encode_manifest};
use greffe::codec::dsse::Envelope;
use greffe::codec::note::{Note, encode_checkpoint};
use greffe::codec::trust::{decode_trust, encode_trust};
use greffe::crypto::{PrivateKey, Signer};
use greffe::model::{
    Checkpoint, Cid, Codec, Details, EventKind, ForkEvidence, KeyRole, Revocation, RevocationReason, Role,
    TrustDocument, TrustEntry,
};

use crate::chains::{Growing, key, trust, trust_file};

const ROOT: &[KeyRole] = &[KeyRole::Root];
const SIGNER: &[KeyRole] = &[KeyRole::Signer];

fn block(chain: &Growing, cid: &Cid) -> Vec<u8> {
    chain.blocks.iter().find(|(found, _)| found == cid).unwrap().1.clone()
}

/// The trust event at an entry.
fn event(chain: &Growing, seq: usize) -> TrustEntry {
    let bytes = block(chain, &chain.manifests[seq]);
    let manifest = decode_manifest(&bytes).unwrap();
    let file = manifest.files.iter().find(|file| file.role == Role::Trust).unwrap();
    TrustEntry { manifest: bytes, log: block(chain, &manifest.log), document: block(chain, &file.cid) }
}

fn range(chain: &Growing, from: usize, to: usize) -> CompactRange {
    let mut range = CompactRange::empty(from as u64);
    chain.manifests[from..to].iter().for_each(|manifest| range.push(leaf_hash(manifest)));
    range
}

/// The checkpoint over the whole of a chain, signed by anyone.
fn checkpoint(chain: &Growing, signer: &PrivateKey) -> String {
    let origin = Checkpoint::origin_of(&chain.manifests[0]);
    let size = chain.manifests.len();
    let root = range(chain, 0, size).root().unwrap();
    let body = Checkpoint { origin: origin.clone(), size: size as u64, root };
    String::from_utf8(Note::sign(encode_checkpoint(&body), &origin, signer).unwrap().encode()).unwrap()
}

/// Evidence with the trust events at these entries of the second chain.
fn evidence(
    (first, first_key): (&Growing, &PrivateKey),
    (second, second_key): (&Growing, &PrivateKey),
    events: &[usize],
) -> ForkEvidence {
    let (old, new) = (first.manifests.len(), second.manifests.len());
    ForkEvidence {
        first: checkpoint(first, first_key),
        second: checkpoint(second, second_key),
        prefix: range(second, 0, old).hashes(),
        rest: range(second, old, new).hashes(),
        trust: events.iter().map(|seq| event(second, *seq)).collect(),
    }
}

fn bring(chain: &mut Growing, document: &TrustDocument, signers: &[&dyn Signer]) {
    chain.append(EventKind::Trust, Details::Other { schema: None }, vec![trust_file(document)], signers);
}

/// Roots 1 and 2, of which both have to sign; signers 1, 3 and 4.
fn document(version: u64) -> TrustDocument {
    let one: &[KeyRole] = &[KeyRole::Root, KeyRole::Signer];
    trust(version, &[(&key(1), one), (&key(2), ROOT), (&key(3), SIGNER), (&key(4), SIGNER)], 2, 1)
}

/// Two versions of a chain: two entries in common, of which the second one revokes key 3 from entry 4 on; then two more
/// in the one, and three in the other.
fn versions() -> (Growing, Growing) {
    let mut first = Growing::new("forks", &document(1), &[&key(1), &key(2)]);
    let mut revoking = document(2);
    let revocation =
        Revocation { key: key(3).public().id(), since: 4, reason: RevocationReason::Compromised };
    revoking.revoked.push(revocation);
    bring(&mut first, &revoking, &[&key(1), &key(2)]);
    let mut second = first.clone();
    for version in ["1", "2"] {
        first.apply(version);
    }
    for version in ["3", "4", "5"] {
        second.apply(version);
    }
    (first, second)
}

#[test]
fn a_key_counts_in_evidence_as_it_counts_in_the_chain() {
    let (first, second) = versions();
    let shown = |first_key: u8, second_key: u8| {
        verify_fork(&evidence((&first, &key(first_key)), (&second, &key(second_key)), &[0, 1]))
    };
    let fork = shown(1, 4).unwrap();
    assert_eq!((fork.first.0.size, fork.second.0.size), (4, 5));
    assert_eq!((fork.first.1, fork.second.1), (key(1).public().id(), key(4).public().id()));
    // Revoked from entry 4 on: it counts for a chain that ends with entry 3, and no longer for one that ends with 4.
    assert!(shown(3, 1).is_ok());
    assert_eq!(shown(1, 3), Err(NoFork::Unsigned { which: "second" }));
    // A key that is root alone, and one that nobody named.
    assert_eq!(shown(2, 1), Err(NoFork::Unsigned { which: "first" }));
    assert_eq!(shown(1, 9), Err(NoFork::Unsigned { which: "second" }));
    // Evidence is judged by the events that it brings.
    let silent = evidence((&first, &key(1)), (&second, &key(3)), &[0]);
    assert!(verify_fork(&silent).is_ok());
}

#[test]
fn a_retirement_does_not_take_back_what_a_key_signed_before_it() {
    for (reason, expected) in [
        (RevocationReason::Retired, Ok(key(3).public().id())),
        (RevocationReason::Compromised, Err(NoFork::Unsigned { which: "first" })),
    ] {
        let mut first = Growing::new("forks", &document(1), &[&key(1), &key(2)]);
        let mut second = first.clone();
        first.apply("1");
        second.apply("2");
        // Whoever signed both says afterwards that the key of the first was none from the beginning.
        let mut next = document(2);
        next.revoked.push(Revocation { key: key(3).public().id(), since: 0, reason });
        bring(&mut second, &next, &[&key(1), &key(2)]);
        let judged = verify_fork(&evidence((&first, &key(3)), (&second, &key(1)), &[0, 2]));
        assert_eq!(judged.map(|fork| fork.first.1), expected);
        // From the entry on that brings it, it counts no more, on either side.
        second.apply("3");
        first.apply("3");
        first.apply("4");
        let late = verify_fork(&evidence((&first, &key(3)), (&second, &key(1)), &[0, 2]));
        assert_eq!(late, Err(NoFork::Unsigned { which: "first" }));
    }
}

#[test]
fn trust_events_that_do_not_follow_on_each_other_are_refused() {
    let mut first = Growing::new("forks", &document(1), &[&key(1), &key(2)]);
    for version in [2, 3] {
        bring(&mut first, &document(version), &[&key(1), &key(2)]);
    }
    let mut second = first.clone();
    first.apply("1");
    second.apply("2");
    let judged = |events: &[usize]| verify_fork(&evidence((&first, &key(1)), (&second, &key(1)), events));
    assert!(judged(&[0, 1, 2]).is_ok());
    assert!(judged(&[0, 1]).is_ok());
    for (events, says) in [
        (&[0, 2][..], "its trust event 1 does not hold: its version is not one more"),
        (&[1, 2], "its trust event 0 does not hold: the first one is the chain's `genesis`"),
        (&[0, 0], "its trust event 1 does not hold: the first one is the chain's `genesis`"),
        (&[0, 2, 1], "its trust event 1 does not hold"),
    ] {
        let refused = judged(events).unwrap_err().to_string();
        assert!(refused.starts_with(says), "{refused}");
    }
    assert_eq!(judged(&[]), Err(NoFork::Unsigned { which: "first" }));
}

#[test]
fn a_trust_event_that_too_few_roots_signed_brings_no_key() {
    let (first, second) = versions();
    let sound = evidence((&first, &key(1)), (&second, &key(1)), &[0, 1]);
    assert!(verify_fork(&sound).is_ok());
    for signers in
        [vec![key(1)], vec![key(2)], vec![key(1), key(3)], vec![key(1), key(1)], vec![key(9), key(8)]]
    {
        let mut forged = sound.clone();
        let entry = &mut forged.trust[1];
        let payload = Envelope::decode(&entry.log).unwrap().payload;
        let signers: Vec<&dyn Signer> = signers.iter().map(|key| key as &dyn Signer).collect();
        entry.log = Envelope::sign(payload, &signers).unwrap().encode();
        let mut manifest = decode_manifest(&entry.manifest).unwrap();
        manifest.log = Cid::of(Codec::Raw, &entry.log);
        entry.manifest = encode_manifest(&manifest);
        let refused = verify_fork(&forged).unwrap_err().to_string();
        assert!(refused.starts_with("its trust event 1 does not hold: "), "{refused}");
    }
    // One that brings a thief's key, signed by the thief.
    let mut forged = sound;
    let mut thief = decode_trust(&forged.trust[1].document).unwrap();
    thief.keys.insert(key(9).public().id(), document(1).keys[&key(4).public().id()].clone());
    forged.trust[1].document = encode_trust(&thief);
    assert!(matches!(verify_fork(&forged), Err(NoFork::Trust(_))));
}
