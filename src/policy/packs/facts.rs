//! All that a verdict is about, in a form that can be archived in clear: classes and not names, numbers and not values.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::Direction;

/// The first member of the document.
pub const FORMAT: &str = "policy-facts/1";

/// What packs are asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Facts {
    pub greffe: String,
    /// The day in UTC, such as `2026-11-22`: attestations and waivers end by it.
    pub day: String,
    /// The packs that settings put in force, by name; those that they extend are not named.
    pub packs: BTreeSet<String>,
    pub environment: Option<String>,
    /// How many people approved; `None` where nobody was asked yet.
    pub approvals: Option<u32>,
    pub scripts: Vec<ScriptFacts>,
    pub declared: Declared,
    pub attestations: Vec<Attestation>,
}

/// What a script does to what is classed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScriptFacts {
    pub version: String,
    pub direction: Direction,
    /// The parts of its header that say something: `purpose`, `impact`, `rollback`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub says: BTreeSet<String>,
    /// Classes of tables that lose rows, each with the line, from 1, where they first do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub loses: BTreeMap<String, usize>,
    /// Classes of tables whose rows or columns change, those that lose some among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changes: BTreeMap<String, usize>,
    /// Classes of columns that are made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub makes: Vec<MadeColumn>,
    /// Classes of columns that are given a text, and rules of the scanner that find something.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub literals: BTreeMap<String, usize>,
    /// The same of its way down, which is archived with it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub down_literals: BTreeSet<String>,
    /// Whether it cannot be read here, so that nothing of this is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<WaiverFacts>,
}

/// A column of a class that a script makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MadeColumn {
    pub class: String,
    pub line: usize,
    /// What settings declare it to be, such as `tokenised`.
    pub declared: BTreeSet<String>,
}

/// A waiver of a script's header; its reason stays in the script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaiverFacts {
    pub rule: String,
    /// The last day.
    pub until: String,
}

/// What settings say of what surrounds the database. `None`: they say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Declared {
    /// Classes of which settings say the tables.
    pub classed: BTreeSet<String>,
    pub replicas: Vec<ReplicaFacts>,
    /// Months for which the access chain is kept.
    pub access_months: Option<u32>,
    /// Months for which the chain and the logs beside it are kept.
    pub log_months: Option<u32>,
    /// By how much the clock may be wrong, in milliseconds.
    pub clock_offset: Option<u32>,
    /// The day of the newest review that the chain has.
    pub reviewed: Option<String>,
}

/// A replica, without its name and address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplicaFacts {
    /// `kubo`, `cluster`, `pinning`, `archive` or `car`.
    pub kind: String,
    /// Where it lies: `FR`, `EEA`.
    pub region: Option<String>,
    /// Whether others than the owners can fetch from it.
    pub public: Option<bool>,
}

/// What somebody says of a rule that no program decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attestation {
    pub rule: String,
    /// The role of who says it; no name.
    pub by: String,
    /// The day on which it was said.
    pub on: String,
    /// The last day on which it holds.
    pub until: String,
    /// Where it is written down.
    pub reference: String,
    /// The versions that it is about; none: the project.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub versions: BTreeSet<String>,
}

impl Attestation {
    /// Whether it holds on `day`, and is not older than `days`.
    #[must_use]
    pub fn holds(&self, day: &str, days: Option<u32>) -> bool {
        self.on.as_str() <= day
            && day <= self.until.as_str()
            && days.is_none_or(|days| {
                days_between(&self.on, day).is_some_and(|passed| passed <= i64::from(days))
            })
    }
}

/// How many days lie between two; `None` where one is none.
#[must_use]
pub fn days_between(first: &str, second: &str) -> Option<i64> {
    let at = |day: &str| {
        let instant = format!("{day}T00:00:00.000000Z").parse::<crate::model::Timestamp>().ok()?;
        Some(instant.as_microseconds() / 86_400_000_000)
    };
    Some(at(second)? - at(first)?)
}

impl Facts {
    /// Facts of a day, about nothing yet.
    #[must_use]
    pub fn of_day(day: impl Into<String>) -> Self {
        Self {
            greffe: FORMAT.to_owned(),
            day: day.into(),
            packs: BTreeSet::new(),
            environment: None,
            approvals: None,
            scripts: Vec::new(),
            declared: Declared::default(),
            attestations: Vec::new(),
        }
    }

    /// The bytes that are archived.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads what was archived; `None` for anything else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let facts: Self = serde_json::from_slice(bytes).ok()?;
        (facts.greffe == FORMAT && facts.encode() == bytes).then_some(facts)
    }
}

impl ScriptFacts {
    /// A script that does nothing to what is classed.
    #[must_use]
    pub fn of(version: impl Into<String>, direction: Direction) -> Self {
        Self {
            version: version.into(),
            direction,
            says: BTreeSet::new(),
            loses: BTreeMap::new(),
            changes: BTreeMap::new(),
            makes: Vec::new(),
            literals: BTreeMap::new(),
            down_literals: BTreeSet::new(),
            unread: false,
            waivers: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back_as_they_were_and_nothing_else_is_read() {
        let mut facts = Facts::of_day("2026-11-23");
        facts.scripts.push(ScriptFacts::of("7", Direction::Up));
        let bytes = facts.encode();
        assert_eq!(Facts::decode(&bytes), Some(facts));
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in
            [("policy-facts/1", "policy-facts/2"), ("\"day\"", "\"dya\""), ("\n", ""), ("{", "{\"x\":1,")]
        {
            assert_eq!(Facts::decode(text.replacen(from, to, 1).as_bytes()), None, "{from}");
        }
    }

    #[test]
    fn attestations_end_with_their_last_day_or_by_their_age() {
        let attestation = Attestation {
            rule: "a".to_owned(),
            by: "dpo".to_owned(),
            on: "2026-01-31".to_owned(),
            until: "2027-01-31".to_owned(),
            reference: "R-1".to_owned(),
            versions: BTreeSet::new(),
        };
        for (day, days, holds) in [
            ("2026-01-30", None, false),
            ("2026-01-31", None, true),
            ("2027-01-31", None, true),
            ("2027-02-01", None, false),
            ("2026-03-02", Some(30), true),
            ("2026-03-03", Some(30), false),
        ] {
            assert_eq!(attestation.holds(day, days), holds, "{day} {days:?}");
        }
        assert_eq!(days_between("2026-02-28", "2026-03-01"), Some(1));
        assert_eq!(days_between("2026-02-30", "2026-03-01"), None);
    }
}
