//! Asks policy packs again: their bytes and what they were asked about are files of the event that tells what they said,
//! so the verdict has to be the same wherever it is verified.

use crate::chain::{EntryVerdict, Fault, JudgedPolicy};
use crate::model::{JudgedRule, PolicyPack};
use crate::policy::packs::facts::days_between;
use crate::policy::packs::{Facts, Library, judge};

use super::day_of;

/// Adds a finding where the packs do not say what the entry says that they said.
pub fn judge_again(verdict: &mut EntryVerdict) {
    let Some(judged) = verdict.take_policy() else { return };
    if let Err(detail) = require_same(&judged) {
        verdict.add(Fault::PolicyVerdictDiffers { detail });
    }
}

fn require_same(judged: &JudgedPolicy) -> Result<(), String> {
    let mut library = Library::default();
    for PolicyPack { name, sha256 } in &judged.verdicts.packs {
        let bytes = judged
            .packs
            .get(sha256)
            .ok_or_else(|| format!("the pack `{name}` is not a file of the event"))?;
        let found = library.add(name, bytes).map_err(|error| error.to_string())?;
        if found != *name {
            return Err(format!("the pack that is called `{name}` calls itself `{found}`"));
        }
    }
    let facts =
        judged.facts.as_deref().ok_or("what the packs were asked about is not a file of the event")?;
    let facts = Facts::decode(facts).ok_or("what the packs were asked about cannot be read")?;
    require_facts(judged, &facts)?;
    let in_force = library.in_force(&facts.packs, &facts.day).map_err(|error| error.to_string())?;
    let verdicts = judge(&in_force, &facts);
    if let Some(stops) = verdicts.iter().find(|verdict| verdict.stops()) {
        return Err(format!("`{}` is {}, and the run went on", stops.rule, stops.outcome));
    }
    let now = verdicts.into_iter().map(|verdict| JudgedRule {
        rule: verdict.rule,
        outcome: verdict.outcome.as_str().to_owned(),
        about: verdict.about,
    });
    let now: Vec<JudgedRule> = now.collect();
    let said = &judged.verdicts.rules;
    match now.iter().zip(said).find(|(now, said)| now != said) {
        Some((now, said)) => Err(format!("it says {}, and the packs say {}", shown(said), shown(now))),
        None if now.len() != said.len() => {
            Err(format!("it has {} verdicts, and the packs come to {}", said.len(), now.len()))
        }
        None => Ok(()),
    }
}

fn shown(rule: &JudgedRule) -> String {
    let about = rule.about.as_ref().map(|version| format!(" of {version}")).unwrap_or_default();
    format!("`{}`{about} {}", rule.rule, rule.outcome)
}

/// What was asked about has to be what the event is about.
fn require_facts(judged: &JudgedPolicy, facts: &Facts) -> Result<(), String> {
    let day = day_of(judged.at);
    // A run that is cut short before its first script may be taken up by another one.
    if !days_between(&facts.day, &day).is_some_and(|passed| (-1..=1).contains(&passed)) {
        return Err(format!("the packs were asked about {}, and the event is of {day}", facts.day));
    }
    if facts.scripts.iter().map(|script| &script.version).ne(&judged.versions) {
        return Err("the packs were asked about other versions than were planned".to_owned());
    }
    if facts.approvals.is_none_or(|given| given as usize > judged.approvals) {
        return Err("the packs were told of approvals that the event does not bring".to_owned());
    }
    let named = |name: &String| judged.verdicts.packs.iter().any(|pack| pack.name == *name);
    match facts.packs.iter().find(|name| !named(name)) {
        Some(name) => Err(format!("the pack `{name}` was in force and is not told of")),
        None => Ok(()),
    }
}
