//! Asks the policy packs in force about the scripts of a folder.

use std::collections::{HashMap, HashSet};

use super::folder::{self, Unit};
use super::{LintError, Looked, Wanted, exempt, folders};
use crate::model::Direction;
use crate::ops::policy::{Looked as Seen, Policy, SharedPolicy};
use crate::policy::packs::{Facts, Level as PackLevel, ScriptFacts, Verdict};
use crate::scripts::Dialect;
use crate::scripts::lint::rules::{Brought, Rule, Scope, brought};
use crate::scripts::lint::{Finding, Level};

/// Verdicts about all scripts of the folders that are wanted.
#[derive(Debug)]
pub struct Checked {
    pub policy: SharedPolicy,
    pub facts: Facts,
    pub verdicts: Vec<Verdict>,
    /// What lies among the scripts and cannot be one, so that no pack was asked about it.
    pub unjudged: Vec<Finding>,
}

/// Judges scripts and settings by the packs in force; `None` where there are none.
///
/// # Errors
/// [`LintError`].
pub fn check_packs(wanted: &Wanted) -> Result<Option<Checked>, LintError> {
    let Some(policy) = &wanted.policy else { return Ok(None) };
    let (mut scripts, mut unjudged) = (Vec::new(), Vec::new());
    for (path, only) in folders(wanted)? {
        let read = folder::read(&path, wanted)?;
        let older = exempt(&read.units, wanted.since.as_deref())?;
        let is_asked = |unit: &&Unit| {
            !older.contains(&unit.file) && only.as_ref().is_none_or(|only| only.contains(&unit.file))
        };
        scripts.extend(read.units.iter().filter(is_asked).map(|unit| look(policy, unit, read.dialect)));
        let units: HashSet<&String> = read.units.iter().map(|unit| &unit.file).collect();
        let strange =
            read.findings.iter().filter(|one| one.rule.level == Level::Error && !units.contains(&one.file));
        unjudged.extend(strange.cloned());
    }
    let facts = policy.facts(scripts, None);
    let verdicts = policy.judge(&facts);
    Ok(Some(Checked { policy: policy.clone(), facts, verdicts, unjudged }))
}

/// What a script does to what is classed, on its way up.
fn look(policy: &Policy, unit: &Unit, dialect: Dialect) -> ScriptFacts {
    let headers: Vec<_> = unit.header.iter().collect();
    let text = unit.up.as_ref().and_then(|script| script.text().ok());
    let down = unit.down.as_ref().and_then(|script| script.text().ok());
    let (version, headers, direction) = (&unit.id, headers.as_slice(), Direction::Up);
    policy.look(&Seen { version, direction, dialect, headers, text, down })
}

/// What packs find in the folders that were looked at. What is about the project stands in the settings file.
pub fn add_findings(wanted: &Wanted, looked: &mut [Looked]) {
    let Some(policy) = &wanted.policy else { return };
    for (place, looked) in looked.iter_mut().enumerate() {
        let mut facts = policy.facts(Vec::new(), None);
        for unit in &looked.units {
            // Waivers are for whoever reports: there each is told with its reason.
            facts.scripts.push(ScriptFacts { waivers: Vec::new(), ..look(policy, unit, looked.dialect) });
        }
        let units: HashMap<&str, &Unit> =
            looked.units.iter().rev().map(|unit| (unit.id.as_str(), unit)).collect();
        let mut found = Vec::new();
        for verdict in policy.judge(&facts) {
            let unit = verdict.about.as_ref().and_then(|id| units.get(id.as_str()));
            if unit.is_none() && place > 0 {
                continue;
            }
            let file = unit.map_or(&wanted.settings_file, |unit| &unit.file).clone();
            found.extend(finding(policy, &verdict, file));
        }
        looked.findings.extend(found);
    }
}

fn finding(policy: &Policy, verdict: &Verdict, file: String) -> Option<Finding> {
    if !verdict.outcome.is_finding() {
        return None;
    }
    let message = format!("{}: {}", verdict.outcome, verdict.english());
    let finding = Finding::of_file(rule(policy, &verdict.rule, verdict.about.is_some())?, file, message);
    Some(finding.at((verdict.line.unwrap_or(1), 1)))
}

/// A rule of a pack as one of `greffe lint`.
fn rule(policy: &Policy, id: &str, of_script: bool) -> Option<&'static Rule> {
    let rule = &policy.rule(id)?.rule;
    let english = |texts: &crate::policy::packs::pack::Texts| texts.get("en").cloned().unwrap_or_default();
    let level = match rule.level {
        PackLevel::Deny => Level::Error,
        PackLevel::Warn => Level::Warning,
        PackLevel::Allow => Level::Off,
    };
    let scope = match (of_script, rule.waivable) {
        (false, _) => Scope::Folder,
        (true, true) => Scope::Script,
        (true, false) => Scope::Binding,
    };
    let (what, help, at) = (english(&rule.says), english(&rule.keep), rule.page());
    Some(brought(Brought { id, level, scope, what: &what, help: &help, source: &rule.source, at: &at }))
}

/// The rules in force as rules of `greffe lint`.
#[must_use]
pub fn pack_rules(policy: &Policy) -> Vec<&'static Rule> {
    let rules = policy.in_force.rules.values().map(|known| &known.rule);
    rules.filter_map(|one| rule(policy, &one.id, one.check.kind.is_of_script())).collect()
}
