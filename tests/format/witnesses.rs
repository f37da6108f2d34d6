//! Cosignatures in a head: which count, which are nobody's, and which are a finding.

use greffe::chain::{Fault, FindingKind, Options, Report, Verifier, Whose};
use greffe::codec::cosignature::{cosign, merge};
use greffe::codec::note::{Note, NoteSignature};
use greffe::codec::policy::Policy;
use greffe::codec::vkey::Vkey;
use greffe::crypto::PrivateKey;
use greffe::model::{Cid, TrustDocument};

use crate::chains::{Growing, key, sole};

/// A second in 2026.
const NOW: u64 = 1_790_000_000;

/// A witness: its name and the seed of its key.
struct Witness(&'static str, PrivateKey);

impl Witness {
    fn new(name: &'static str, seed: u8) -> Self {
        Self(name, key(seed))
    }

    fn vkey(&self) -> Vkey {
        Vkey::cosignature(self.0, *self.1.public()).unwrap()
    }

    fn line(&self, at: u64, text: &str) -> NoteSignature {
        cosign(&self.vkey(), &self.1, at, text)
    }
}

fn two_of_three() -> (Vec<Witness>, String) {
    let witnesses = vec![Witness::new("w1", 11), Witness::new("w2", 12), Witness::new("w3", 13)];
    let lines: String =
        witnesses.iter().map(|witness| format!("witness {} {}\n", witness.0, witness.vkey())).collect();
    let policy = format!("{lines}group all-of-them 2 w1 w2 w3\nquorum all-of-them\n");
    (witnesses, policy)
}

fn chain(policy: &str) -> Growing {
    let trust = TrustDocument { policy: policy.to_owned(), ..sole(&key(1)) };
    let mut chain = Growing::new("witnessed", &trust, &[&key(1)]);
    chain.attach();
    chain.attach();
    chain
}

/// A head with what `change` makes of its checkpoint's note.
fn head(chain: &mut Growing, change: impl FnOnce(&mut Note)) -> Cid {
    let mut note = chain.appender.checkpoint(&key(1)).unwrap();
    change(&mut note);
    let blocks = &mut chain.blocks;
    chain.appender.head(&note, Vec::new(), &mut |block| blocks.push(block)).unwrap()
}

fn verify(chain: &Growing, head: Cid, options: Options) -> Report {
    let blocks = chain.map();
    let mut verifier = Verifier::new(head, options);
    while let Some(cid) = verifier.want() {
        let fetched = blocks.get(&cid).cloned();
        verifier.feed(&cid, fetched.map_or(greffe::chain::Fetched::Missing, greffe::chain::Fetched::Block));
        for check in verifier.take_checks() {
            verifier.absorb(check.run());
        }
    }
    verifier.finish()
}

fn judge(policy: &str, change: impl FnOnce(&mut Note)) -> Report {
    let mut chain = chain(policy);
    let head = head(&mut chain, change);
    verify(&chain, head, Options::default())
}

fn faults(report: &Report) -> Vec<&Fault> {
    report.findings.iter().map(|finding| &finding.fault).collect()
}

fn unmet(cosigned: &[&str], missing: &[&str]) -> Fault {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Fault::QuorumUnmet { whose: Whose::TrustDocument, cosigned: names(cosigned), missing: names(missing) }
}

#[test]
fn a_quorum_of_cosignatures_makes_a_head_witnessed_and_says_when() {
    let (witnesses, policy) = two_of_three();
    let report = judge(&policy, |note| {
        let lines = witnesses[..2].iter().map(|witness| witness.line(NOW, &note.text)).collect::<Vec<_>>();
        let later = witnesses[0].line(NOW + 3600, &note.text);
        assert!(merge(note, lines) && merge(note, [later]));
    });
    assert_eq!(faults(&report), [] as [&Fault; 0]);
    assert!(report.verified && report.established.witnessed);
    let seen: Vec<_> = report
        .witnesses
        .iter()
        .map(|cosigned| (cosigned.witness.as_str(), cosigned.not_after.unwrap().to_string()))
        .collect();
    assert_eq!(
        seen,
        [("w1", "2026-09-21T14:13:20.999999Z".to_owned()), ("w2", "2026-09-21T14:13:20.999999Z".to_owned())]
    );
    assert_eq!(report.witnesses[0].latest.unwrap().to_string(), "2026-09-21T15:13:20.000000Z");
}

#[test]
fn without_a_policy_nobody_is_asked_for_and_nothing_is_witnessed() {
    let report = judge("", |_| ());
    assert!(report.verified && !report.established.witnessed);
    let (witnesses, _) = two_of_three();
    let none = format!("witness w1 {}\nquorum none\n", witnesses[0].vkey());
    let report = judge(&none, |note| note.signatures.push(witnesses[0].line(NOW, &note.text)));
    assert!(report.verified && !report.established.witnessed);
    assert_eq!(report.witnesses.len(), 1);
}

#[test]
fn attack_cosignature_by_an_unknown_key() {
    let (witnesses, policy) = two_of_three();
    let stranger = Witness::new("w2", 99);
    let report = judge(&policy, |note| {
        note.signatures.push(witnesses[0].line(NOW, &note.text));
        note.signatures.push(stranger.line(NOW, &note.text));
    });
    assert_eq!(faults(&report), [&unmet(&["w1"], &["w2", "w3"])]);
    assert_eq!(report.findings[0].fault.kind(), FindingKind::Corroboration);
    assert!(!report.established.witnessed && report.established.intact && report.established.signed);
    // Beside enough others it is ignored, whatever it holds.
    let report = judge(&policy, |note| {
        let mut line = stranger.line(NOW, &note.text);
        line.signature[9] ^= 1;
        note.signatures.push(line);
        note.signatures.extend(witnesses[1..].iter().map(|witness| witness.line(NOW, &note.text)));
    });
    assert!(report.verified && report.established.witnessed);
    assert_eq!(report.witnesses.len(), 2);
}

#[test]
fn attack_a_known_key_with_a_bad_signature_beside_good_ones() {
    let (witnesses, policy) = two_of_three();
    let report = judge(&policy, |note| {
        note.signatures.extend(witnesses.iter().map(|witness| witness.line(NOW, &note.text)));
        note.signatures[3].signature[20] ^= 1;
    });
    let vkey = witnesses[2].vkey().to_string();
    assert_eq!(faults(&report), [&Fault::CosignatureInvalid { witness: "w3".to_owned(), vkey }]);
    assert!(!report.verified && !report.established.witnessed);
    // Also beside a good one of its own.
    let report = judge(&policy, |note| {
        note.signatures.extend(witnesses.iter().map(|witness| witness.line(NOW, &note.text)));
        let mut bad = witnesses[0].line(NOW + 5, &note.text);
        bad.signature[70] ^= 1;
        note.signatures.push(bad);
    });
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
}

#[test]
fn attack_a_cosignature_of_another_checkpoint_is_moved_here() {
    let (witnesses, policy) = two_of_three();
    let smaller = Growing::of_one_key("other").appender.checkpoint(&key(1)).unwrap().text;
    let report = judge(&policy, |note| {
        note.signatures.push(witnesses[0].line(NOW, &note.text));
        note.signatures.push(witnesses[1].line(NOW, &smaller));
    });
    let vkey = witnesses[1].vkey().to_string();
    let moved = Fault::CosignatureInvalid { witness: "w2".to_owned(), vkey };
    assert_eq!(faults(&report), [&moved, &unmet(&["w1"], &["w2", "w3"])]);
}

#[test]
fn attack_one_witness_key_under_two_names() {
    let one = Witness::new("w1", 11);
    let (_, policy) = two_of_three();
    // The policy itself is refused, so nothing is met.
    let again = Witness::new("other", 11);
    let twice = format!("witness a {}\nwitness b {}\ngroup g 2 a b\nquorum g\n", one.vkey(), again.vkey());
    let report = judge(&twice, |note| {
        note.signatures.push(one.line(NOW, &note.text));
        note.signatures.push(again.line(NOW, &note.text));
    });
    let detail = "line 2 of the policy: this key is there already, whatever its name".to_owned();
    assert_eq!(faults(&report), [&Fault::PolicyMalformed { whose: Whose::TrustDocument, detail }]);
    assert!(!report.established.witnessed);
    // Two lines by one key count once, under whatever name.
    let report = judge(&policy, |note| {
        note.signatures.push(one.line(NOW, &note.text));
        note.signatures.push(one.line(NOW + 60, &note.text));
        note.signatures.push(again.line(NOW, &note.text));
    });
    assert_eq!(faults(&report), [&unmet(&["w1"], &["w2", "w3"])]);
}

#[test]
fn attack_the_logs_own_key_cosigns() {
    let (witnesses, policy) = two_of_three();
    let log = Witness::new("w2", 1);
    let report = judge(&policy, |note| {
        note.signatures.push(witnesses[0].line(NOW, &note.text));
        note.signatures.push(log.line(NOW, &note.text));
        // The log's line under a witness' name, and a plain signature by a witness.
        let plain = Note::sign(note.text.clone(), "w3", &witnesses[2].1).unwrap();
        note.signatures.extend(plain.signatures);
    });
    assert_eq!(faults(&report), [&unmet(&["w1"], &["w2", "w3"])]);
}

#[test]
fn a_verifier_may_ask_for_more_than_the_trust_document() {
    let (witnesses, policy) = two_of_three();
    let options = || Options { policy: Some(Policy::parse(&policy).unwrap()), ..Options::default() };
    let mut chain = chain("");
    let bare = head(&mut chain, |_| ());
    let report = verify(&chain, bare, options());
    assert!(matches!(faults(&report)[..], [Fault::QuorumUnmet { whose: Whose::Verifier, .. }]));
    let cosigned = head(&mut chain, |note| {
        note.signatures.extend(witnesses[..2].iter().map(|witness| witness.line(NOW, &note.text)));
    });
    assert!(verify(&chain, cosigned, options()).established.witnessed);
}

#[test]
fn a_head_takes_no_checkpoint_of_other_entries() {
    let mut chain = chain("");
    let before = chain.appender.checkpoint(&key(1)).unwrap();
    chain.attach();
    let refused = chain.appender.head(&before, Vec::new(), &mut |_| ());
    assert_eq!(refused.unwrap_err().to_string(), "the checkpoint is of other entries than these");
}
