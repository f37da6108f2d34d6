//! Findings as they count: with the level that the project gives them, and the waiver that holds for them.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Looked, Unit, Wanted};
use crate::scripts::lint::{Finding, Level, Scope};
use crate::scripts::{Dialect, Waiver};

/// All findings of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Scripts that were looked at.
    pub scripts: usize,
    pub errors: usize,
    pub warnings: usize,
    pub notes: usize,
    /// Findings that a waiver holds for; they are none of the above.
    pub waived: usize,
    /// Ways down that ran.
    pub tried: usize,
    pub folders: Vec<Folder>,
    /// By file and line.
    pub findings: Vec<Told>,
    /// The files of the scripts in which nothing was found, in the order in which they are applied.
    #[serde(skip)]
    pub clean: Vec<String>,
}

/// A folder that was looked at.
#[derive(Debug, Serialize)]
pub struct Folder {
    pub path: String,
    /// `greffe`, or the tool whose folder it is.
    pub tool: &'static str,
    pub dialect: &'static str,
    pub scripts: usize,
}

/// A finding with its level.
#[derive(Debug, Serialize)]
pub struct Told {
    pub level: Level,
    #[serde(flatten)]
    pub finding: Finding,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<Waived>,
}

/// Why a finding does not count, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waived {
    /// The last day.
    pub until: String,
    pub reason: String,
}

impl From<&Waiver> for Waived {
    fn from(waiver: &Waiver) -> Self {
        Self { until: waiver.until.clone(), reason: waiver.reason.clone() }
    }
}

impl Report {
    /// What was found in all folders. `tried`: how many ways down ran.
    #[must_use]
    pub fn of(looked: Vec<Looked>, wanted: &Wanted, tried: usize) -> Self {
        let folders = looked.iter().map(|looked| Folder {
            path: looked.path.display().to_string(),
            tool: looked.tool.unwrap_or("greffe"),
            dialect: match looked.dialect {
                Dialect::Sqlite => "sqlite",
                Dialect::Postgresql => "postgresql",
                Dialect::Mysql => "mysql",
            },
            scripts: looked.units.len(),
        });
        let folders: Vec<Folder> = folders.collect();
        let asked: Vec<(String, String)> = looked.iter().flat_map(files_of).collect();
        let exempt: BTreeSet<String> = looked.iter().flat_map(|looked| looked.exempt.clone()).collect();
        let mut findings: Vec<Told> = looked.into_iter().flat_map(|looked| told(looked, wanted)).collect();
        let key = |told: &Told| {
            let Finding { file, line, column, rule, message } = &told.finding;
            (file.clone(), *line, *column, rule.id, message.clone())
        };
        findings.sort_by_cached_key(key);
        findings.dedup_by_key(|told| key(told));
        let count =
            |level| findings.iter().filter(|told| told.waived.is_none() && told.level == level).count();
        let found: BTreeSet<&str> = findings.iter().map(|told| told.finding.file.as_str()).collect();
        let is_clean = |(up, down): &&(String, String)| {
            !found.contains(&**up) && !found.contains(&**down) && !exempt.contains(up)
        };
        let clean = asked.iter().filter(is_clean).map(|(up, _)| up.clone()).collect();
        Self {
            scripts: asked.len(),
            errors: count(Level::Error),
            warnings: count(Level::Warning),
            notes: count(Level::Note),
            waived: findings.iter().filter(|told| told.waived.is_some()).count(),
            tried,
            folders,
            clean,
            findings,
        }
    }

    /// Whether something of this level or a worse one was found and is not waived.
    #[must_use]
    pub fn fails_on(&self, level: Level) -> bool {
        self.findings.iter().any(|told| told.waived.is_none() && told.level >= level)
    }
}

/// The files of the ways up and down of the scripts that were asked about.
fn files_of(looked: &Looked) -> Vec<(String, String)> {
    let asked = |unit: &&Unit| looked.only.as_ref().is_none_or(|only| is_named(unit, only));
    looked.units.iter().filter(asked).map(|unit| (unit.file.clone(), unit.down_file.clone())).collect()
}

fn is_named(unit: &Unit, only: &BTreeSet<String>) -> bool {
    only.contains(&unit.file) || only.contains(&unit.down_file)
}

fn told(looked: Looked, wanted: &Wanted) -> Vec<Told> {
    let Looked { findings, waivers, exempt, only, units, .. } = looked;
    let named: Option<BTreeSet<String>> = only.map(|only| {
        let units = units.iter().filter(|unit| is_named(unit, &only));
        let files: Vec<String> = units.flat_map(|unit| [unit.file.clone(), unit.down_file.clone()]).collect();
        only.into_iter().chain(files).collect()
    });
    let asked = |finding: &Finding| {
        let is_named =
            |named: &BTreeSet<String>| named.contains(&finding.file) || finding.file == wanted.settings_file;
        named.as_ref().is_none_or(is_named)
            && (finding.rule.scope == Scope::Folder || !exempt.contains(&finding.file))
    };
    let judged = |finding: Finding| {
        let level = wanted.levels.of(finding.rule);
        let own = waivers.get(&finding.file).map(Vec::as_slice).unwrap_or_default();
        let holds = |waiver: &&Waiver| waiver.holds(finding.rule.id, &wanted.today);
        let is_waived = !matches!(finding.rule.scope, Scope::Waiver | Scope::Binding);
        let waiver = own.iter().find(holds).filter(|_| is_waived);
        Told { level, waived: waiver.map(Waived::from), finding }
    };
    let findings = findings.into_iter().filter(asked).map(judged);
    findings.filter(|told| told.level != Level::Off).collect()
}
