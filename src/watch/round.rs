//! What one round of looks found.

use std::collections::BTreeMap;

use super::{Code, Finding, GuardMemory};
use crate::model::Timestamp;

/// Findings of one code that a round tells of one by one; the others are counted.
const MOST: usize = 20;

/// What is looked at, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookName {
    /// The chain: verification, freshness, its newest entries.
    Chain,
    /// Folder and live database against the chain.
    Database,
    /// Replicas and witnesses.
    Replicas,
    /// Openings of sealed content, erasures and waivers coming due.
    Keeping,
    /// What the guard of the database noted. It has an interval of its own.
    Guard,
}

impl LookName {
    pub const ALL: [Self; 5] = [Self::Chain, Self::Database, Self::Replicas, Self::Keeping, Self::Guard];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Database => "database",
            Self::Replicas => "replicas",
            Self::Keeping => "keeping",
            Self::Guard => "guard",
        }
    }
}

/// What a look learned besides findings; `None`: nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    pub entries: Option<u64>,
    pub verified: Option<bool>,
    /// The end of the newest entry.
    pub newest: Option<Timestamp>,
    /// Age of the newest word on the head, in seconds.
    pub head_age: Option<u64>,
    /// How long the newest migration took, in microseconds.
    pub duration: Option<i64>,
    /// Entries before this one were judged.
    pub judged: Option<u64>,
    pub pending: Option<u64>,
    pub unarchived: Option<u64>,
    /// Replicas by name, and whether each keeps the head as far as is known.
    pub replicas: Option<BTreeMap<String, bool>>,
    /// How many have to.
    pub target: Option<u64>,
    /// Openings of sealed content within an hour.
    pub accesses: Option<u64>,
    /// What was read of a guard's notes.
    pub guard: Option<GuardMemory>,
}

impl Facts {
    /// Takes over what another look learned.
    pub fn add(&mut self, other: Self) {
        fn take<T>(own: &mut Option<T>, other: Option<T>) {
            if other.is_some() {
                *own = other;
            }
        }
        take(&mut self.entries, other.entries);
        take(&mut self.verified, other.verified);
        take(&mut self.newest, other.newest);
        take(&mut self.head_age, other.head_age);
        take(&mut self.duration, other.duration);
        take(&mut self.judged, other.judged);
        take(&mut self.pending, other.pending);
        take(&mut self.unarchived, other.unarchived);
        take(&mut self.replicas, other.replicas);
        take(&mut self.target, other.target);
        take(&mut self.accesses, other.accesses);
        take(&mut self.guard, other.guard);
    }
}

/// What one look found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    pub findings: Vec<Finding>,
    pub facts: Facts,
}

/// One look of a round.
#[derive(Clone, Debug)]
pub struct Looked {
    pub name: LookName,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What it found; `Err`: why it found nothing. What it found before still stands then.
    pub found: Result<Found, String>,
}

/// All looks of a round.
#[derive(Clone, Debug)]
pub struct Round {
    pub at: Timestamp,
    pub looks: Vec<Looked>,
}

impl Round {
    /// The findings of a look, one that it could not end included. Of very many of one code the others are counted.
    #[must_use]
    pub fn findings(look: &Looked) -> Vec<Finding> {
        let found = match &look.found {
            Err(reason) => {
                let finding = Finding::new(Code::Unreachable, look.name.as_str());
                return vec![finding.with("reason", reason.as_str())];
            }
            Ok(found) => &found.findings,
        };
        let (mut told, mut seen) = (Vec::<Finding>::new(), BTreeMap::<Code, usize>::new());
        for finding in found {
            if told.iter().any(|other| other.key() == finding.key()) {
                continue;
            }
            let count = seen.entry(finding.code).or_default();
            *count += 1;
            if *count <= MOST {
                told.push(finding.clone());
            }
        }
        let others = seen.into_iter().filter(|(_, count)| *count > MOST);
        told.extend(others.map(|(code, count)| others_of(code, found).with("count", count - MOST)));
        told
    }

    /// Whether this look was begun and could not end.
    #[must_use]
    pub fn failed(&self, name: LookName) -> bool {
        self.looks.iter().any(|look| look.name == name && look.found.is_err())
    }

    /// What all looks learned.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        for found in self.looks.iter().filter_map(|look| look.found.as_ref().ok()) {
            facts.add(found.facts.clone());
        }
        facts
    }
}

/// What stands for those that are counted. Of what happened each round tells of others.
fn others_of(code: Code, found: &[Finding]) -> Finding {
    match found.iter().rfind(|finding| finding.code == code) {
        Some(last) if last.happened => Finding::happened(code, format!("others up to {}", last.subject)),
        _ => Finding::new(code, "others"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_a_few_findings_and_a_count() {
        let findings = (0..10_000).map(|seq| Finding::of_entry(Code::Unverified, seq)).collect();
        let found = Ok(Found { findings, ..Found::default() });
        let told = Round::findings(&Looked { name: LookName::Chain, seconds: 0.0, found });
        assert_eq!(told.len(), MOST + 1);
        assert_eq!(told[MOST].parameters["count"], 10_000 - MOST);
        assert!(
            told[MOST].happened && told[MOST].subject == "others up to entry 9999",
            "nobody tells its end"
        );
        let failed = Looked { name: LookName::Database, seconds: 0.0, found: Err("gone".to_owned()) };
        assert_eq!(Round::findings(&failed)[0].key(), (Code::Unreachable, "database"));
    }
}
