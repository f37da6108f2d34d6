//! Findings of what is opened and kept: openings of sealed content, erasures and waivers that come due.

use crate::model::Timestamp;
use crate::policy::packs::Attestation;
use crate::scripts::Migration;
use crate::watch::{Code, Finding};

const HOUR: i64 = 3600 * 1_000_000;

/// Openings within an hour, of the times of all newest first; a finding where they are more than `most`.
#[must_use]
pub fn accesses(times: &[Timestamp], now: Timestamp, most: usize) -> (u64, Option<Finding>) {
    let edge = now.as_microseconds().saturating_sub(HOUR);
    let count = times.iter().filter(|at| at.as_microseconds() > edge).count();
    let finding = Finding::new(Code::AccessBurst, "access chain").with("most", most);
    (count as u64, (count > most).then_some(finding))
}

/// Waivers of scripts that are to run, which end before `edge`, a day in UTC such as `2026-11-22`: days compare as their texts.
#[must_use]
pub fn waivers(folder: &[Migration], pending: &[String], edge: &str) -> Vec<Finding> {
    let waits = |migration: &&Migration| pending.contains(&migration.version.to_string());
    let of = |migration: &Migration| {
        let version = migration.version.to_string();
        let ending = migration.header.waivers.iter().filter(|waiver| waiver.until.as_str() < edge);
        let finding = |waiver: &crate::scripts::Waiver| {
            Finding::new(Code::WaiverDue, format!("migration {version} {}", waiver.rule))
                .with("until", waiver.until.as_str())
        };
        ending.map(finding).collect::<Vec<_>>()
    };
    folder.iter().filter(waits).flat_map(of).collect()
}

/// What is declared in the settings and ends before `edge`.
#[must_use]
pub fn attestations(attestations: &[Attestation], edge: &str) -> Vec<Finding> {
    let ending = attestations.iter().filter(|attestation| attestation.until.as_str() < edge);
    let finding = |attestation: &Attestation| {
        Finding::new(Code::WaiverDue, format!("attestation {}", attestation.rule))
            .with("until", attestation.until.as_str())
            .with("reference", attestation.reference.as_str())
    };
    ending.map(finding).collect()
}

/// Months of which sealed content is to be erased.
#[must_use]
pub fn erasures(months: &[String]) -> Vec<Finding> {
    months.iter().map(|month| Finding::new(Code::ErasureDue, format!("month {month}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_openings_than_allowed_within_an_hour_are_a_burst() {
        let at = |seconds: i64| Timestamp::from_microseconds(seconds * 1_000_000).unwrap();
        let times: Vec<Timestamp> = [7300, 7200, 7100, 3601, 3600].map(at).to_vec();
        let (count, finding) = accesses(&times, at(7200), 3);
        assert_eq!((count, finding.is_some()), (4, true));
        assert!(accesses(&times, at(7200), 4).1.is_none());
    }
}
