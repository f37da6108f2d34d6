//! Findings of a verification.

use crate::chain::{Fault, Finding as Fact, Fresh, Freshness, Report, TimeBound, TimeSource};
use crate::model::Timestamp;
use crate::watch::{Code, Finding};

/// What a report finds wrong.
#[must_use]
pub fn of_report(report: &Report) -> Vec<Finding> {
    report.findings.iter().map(of_fact).collect()
}

fn of_fact(fact: &Fact) -> Finding {
    let fault = fault_code(&fact.fault);
    let place = fact.seq.map_or_else(|| "head".to_owned(), |seq| format!("entry {seq}"));
    let code = code_of(&fact.fault);
    // Others may be wrong at the same place in another way.
    let subject = if code == Code::Unverified { format!("{place} {fault}") } else { place };
    let mut finding = Finding::new(code, subject).with("fault", fault).with("detail", fact.fault.to_string());
    if let Some(seq) = fact.seq {
        finding = finding.with("seq", seq);
    }
    match fact.cid {
        Some(cid) => finding.with("cid", cid.to_string()),
        None => finding,
    }
}

/// The word that `verify --json` has for it.
fn fault_code(fault: &Fault) -> String {
    let value = serde_json::to_value(fault).unwrap_or_default();
    value["code"].as_str().unwrap_or("other").to_owned()
}

const fn code_of(fault: &Fault) -> Code {
    match fault {
        Fault::RolledBack { .. } => Code::Rollback,
        Fault::Forked { .. } | Fault::TreeForked { .. } => Code::Fork,
        Fault::Compromised { .. } | Fault::ApproverCompromised { .. } => Code::RevokedKey,
        Fault::Threshold { revoked, .. } if *revoked > 0 => Code::RevokedKey,
        Fault::Threshold { unknown, .. } if *unknown > 0 => Code::UnknownKey,
        Fault::SchemaChanged { .. } | Fault::LiveSchema { .. } => Code::SchemaOutOfBand,
        Fault::TimeBackwards { .. } | Fault::EndsBeforeStart { .. } => Code::ClockOffset,
        _ => Code::Unverified,
    }
}

/// An archive whose end is gone: its head file names a head that it does not hold.
#[must_use]
pub fn cut_back(detail: &str) -> Finding {
    Finding::new(Code::Rollback, "archive").with("detail", detail)
}

/// A head that nobody vouched for lately, where that is asked for.
#[must_use]
pub fn stale(freshness: &Freshness) -> Option<Finding> {
    if freshness.fresh == Fresh::Yes {
        return None;
    }
    let finding = Finding::new(Code::Stale, "head").with("maxAgeSeconds", freshness.max_age_seconds);
    // Its age would be another in every round; since when it is known does not change.
    Some(match &freshness.newest {
        Some(newest) => finding.with("newest", newest.at.to_string()),
        None => finding,
    })
}

/// Words on the head that come from the future, by more than `tolerance` microseconds: this clock is wrong, or that one.
#[must_use]
pub fn clocks(vouched: &[TimeBound], now: Timestamp, tolerance: i64) -> Vec<Finding> {
    let ahead = vouched.iter().filter_map(|word| {
        let by = word.at.as_microseconds().saturating_sub(now.as_microseconds());
        (by > tolerance).then_some((word, by))
    });
    let finding = |(word, by): (&TimeBound, i64)| {
        let whose = match &word.source {
            TimeSource::Signer => "clock of the signers".to_owned(),
            TimeSource::Authority(name) => format!("clock of the timestamp authority {name}"),
            TimeSource::Witness(name) => format!("clock of the witness {name}"),
        };
        Finding::new(Code::ClockOffset, whose)
            .with("at", word.at.to_string())
            .with("aheadSeconds", by / 1_000_000)
    };
    ahead.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Digest;
    use crate::model::{Cid, Codec, KeyRole};

    #[test]
    fn faults_have_the_code_that_people_are_called_for() {
        let (cid, digest) = (Cid::of(Codec::DagCbor, b"x"), Digest([0; 32]));
        let threshold = |revoked, unknown| Fault::Threshold {
            role: KeyRole::Signer,
            needed: 1,
            counted: 0,
            revoked,
            unknown,
        };
        for (fault, code) in [
            (Fault::RolledBack { seen: 2, found: 1, newest: cid }, Code::Rollback),
            (Fault::TreeForked { entries: 1, expected: digest }, Code::Fork),
            (threshold(1, 1), Code::RevokedKey),
            (threshold(0, 1), Code::UnknownKey),
            (threshold(0, 0), Code::Unverified),
            (Fault::SchemaChanged { expected: digest, found: digest }, Code::SchemaOutOfBand),
            (Fault::BlockMissing, Code::Unverified),
        ] {
            let finding = of_fact(&Fact { seq: Some(3), cid: None, fault });
            assert_eq!(finding.code, code);
            assert!(finding.subject.starts_with("entry 3"), "{finding:?}");
        }
    }

    #[test]
    fn words_from_the_future_and_old_words() {
        let at = |seconds: i64| Timestamp::from_microseconds(seconds * 1_000_000).unwrap();
        let word = |seconds| TimeBound { at: at(seconds), source: TimeSource::Witness("w".to_owned()) };
        assert_eq!(clocks(&[word(105)], at(100), 5_000_000), []);
        let found = clocks(&[word(106), word(90)], at(100), 5_000_000);
        assert_eq!((found.len(), &found[0].parameters["aheadSeconds"]), (1, &6.into()));
        let freshness = |vouched| Freshness::of(vouched, at(100), 10, 0);
        assert_eq!(stale(&freshness(vec![word(90)])), None);
        assert_eq!(stale(&freshness(vec![word(89)])).unwrap().parameters["maxAgeSeconds"], 10);
        assert!(stale(&freshness(vec![])).is_some());
    }
}
