//! Asks policy packs again: their bytes and what they were asked about are files of the event that tells what they said,
//! so the verdict has to be the same wherever it is verified.

use std::time::Instant;

use crate::chain::{EntryVerdict, Fault, JudgedPolicy};
use crate::model::{JudgedRule, PolicyPack};
use crate::ops::allowance::{Allowance, VERDICT};
use crate::policy::packs::facts::days_between;
use crate::policy::packs::{Facts, Library, Verdict, approvals_needed, is_genuine, judge_each};

use super::day_of;

/// Adds a finding where the packs do not say what the entry says that they said.
pub(in crate::ops) fn judge_again(verdict: &mut EntryVerdict, allowance: &Allowance) {
    let Some(judged) = verdict.take_policy() else { return };
    let begin = Instant::now();
    let same = require_same(&judged, allowance);
    allowance.spend(begin.elapsed());
    if let Err(detail) = same {
        verdict.add(Fault::PolicyVerdictDiffers { detail });
    }
}

fn require_same(judged: &JudgedPolicy, allowance: &Allowance) -> Result<(), String> {
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
        if !library.pack(name).is_ok_and(is_genuine) {
            return Err(format!("the pack `{name}` is none that greffe has by this name"));
        }
    }
    let facts =
        judged.facts.as_deref().ok_or("what the packs were asked about is not a file of the event")?;
    let facts = Facts::decode(facts).ok_or("what the packs were asked about cannot be read")?;
    require_facts(judged, &facts)?;
    let in_force = library.in_force(&facts.packs, &facts.day).map_err(|error| error.to_string())?;
    if approvals_needed(&in_force, &facts) > 0 && !judged.four_eyes {
        return Err("the packs ask for approvals, and who made the plan could approve it".to_owned());
    }
    require_verdicts(&judged.verdicts.rules, judge_each(&in_force, &facts), allowance)
}

/// What is told has to be what the packs come to, and nothing that stops a run may be among it. Ends at the first
/// difference: so no more verdicts are made than were archived, and one.
fn require_verdicts(
    told: &[JudgedRule],
    mut verdicts: impl Iterator<Item = Verdict>,
    allowance: &Allowance,
) -> Result<(), String> {
    let begin = Instant::now();
    for told in told {
        allowance.grant(VERDICT);
        if begin.elapsed() > allowance.left() {
            return Err("they were not asked again: the packs of this archive take too long".to_owned());
        }
        let Some(verdict) = verdicts.next() else {
            return Err("it has more verdicts than the packs come to".to_owned());
        };
        if verdict.stops() {
            return Err(format!("`{}` is {}, and the run went on", verdict.rule, verdict.outcome));
        }
        let outcome = verdict.outcome.as_str().to_owned();
        let now = JudgedRule { rule: verdict.rule, outcome, about: verdict.about };
        if now != *told {
            return Err(format!("it says {}, and the packs say {}", shown(told), shown(&now)));
        }
    }
    match verdicts.next() {
        Some(verdict) if verdict.stops() => {
            Err(format!("`{}` is {}, and the run went on", verdict.rule, verdict.outcome))
        }
        Some(_) => Err("it has fewer verdicts than the packs come to".to_owned()),
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
    if facts.approvals != Some(judged.approvals) {
        return Err("the packs were told of other approvals than the plan needed".to_owned());
    }
    let named = |name: &String| judged.verdicts.packs.iter().any(|pack| pack.name == *name);
    match facts.packs.iter().find(|name| !named(name)) {
        Some(name) => Err(format!("the pack `{name}` was in force and is not told of")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Digest;
    use crate::model::{Direction, PolicyVerdicts, Timestamp};
    use crate::policy::packs::{BUILT_IN, ScriptFacts, judge};

    const DAY: &str = "2026-11-23";

    /// What an entry says of the pack for health, about a script that changes records of patients, approved by one.
    fn judged() -> JudgedPolicy {
        let (name, text) = BUILT_IN[0];
        let mut script = ScriptFacts::of("7", Direction::Up);
        script.changes.insert("patient-records".to_owned(), 2);
        script.says.extend(["purpose".to_owned(), "impact".to_owned()]);
        let mut facts = Facts::of_day(DAY);
        facts.packs.insert(name.to_owned());
        (facts.scripts, facts.approvals) = (vec![script], Some(1));
        let in_force = Library::built_in().unwrap().in_force(&facts.packs, DAY).unwrap();
        let rules = judge(&in_force, &facts).into_iter().map(|verdict| JudgedRule {
            rule: verdict.rule,
            outcome: verdict.outcome.as_str().to_owned(),
            about: verdict.about,
        });
        let sha256 = Digest::of(text.as_bytes());
        let packs = vec![PolicyPack { name: name.to_owned(), sha256 }];
        JudgedPolicy {
            verdicts: PolicyVerdicts { packs, rules: rules.collect() },
            packs: [(sha256, text.as_bytes().to_vec())].into(),
            facts: Some(facts.encode()),
            versions: vec!["7".to_owned()],
            approvals: 1,
            four_eyes: true,
            at: format!("{DAY}T12:00:00.000000Z").parse::<Timestamp>().unwrap(),
        }
    }

    fn differs(change: impl FnOnce(&mut JudgedPolicy)) -> String {
        let mut judged = judged();
        change(&mut judged);
        require_same(&judged, &Allowance::default()).unwrap_err()
    }

    fn with_facts(change: impl FnOnce(&mut Facts)) -> String {
        differs(|judged| {
            let mut facts = Facts::decode(judged.facts.as_deref().unwrap()).unwrap();
            change(&mut facts);
            judged.facts = Some(facts.encode());
        })
    }

    #[test]
    fn the_same_packs_and_facts_say_the_same() {
        assert_eq!(require_same(&judged(), &Allowance::default()), Ok(()));
    }

    #[test]
    fn whatever_was_changed_afterwards_is_found() {
        let outcome = |judged: &mut JudgedPolicy| judged.verdicts.rules[0].outcome = "attested".to_owned();
        assert!(differs(outcome).contains("attested, and the packs say"));
        assert!(
            differs(|judged| drop(judged.verdicts.rules.pop()))
                .contains("fewer verdicts than the packs come to")
        );
        assert!(differs(|judged| judged.packs.clear()).contains("is not a file of the event"));
        let swapped = |judged: &mut JudgedPolicy| {
            let weaker = BUILT_IN[0].1.replacen("level = \"deny\"", "level = \"warn\"", 1).into_bytes();
            judged.verdicts.packs[0].sha256 = Digest::of(&weaker);
            judged.packs = [(Digest::of(&weaker), weaker)].into();
        };
        assert!(differs(swapped).contains("is none that greffe has by this name"));
        assert!(differs(|judged| judged.facts = None).contains("is not a file of the event"));
        assert!(differs(|judged| judged.facts = Some(b"{}".to_vec())).contains("cannot be read"));
        assert!(differs(|judged| judged.versions.push("8".to_owned())).contains("other versions"));
        for approvals in [0, 2] {
            assert!(
                differs(|judged| judged.approvals = approvals)
                    .contains("other approvals than the plan needed")
            );
        }
        assert!(differs(|judged| judged.four_eyes = false).contains("who made the plan could approve it"));
        let later = "2026-12-23T12:00:00.000000Z".parse().unwrap();
        assert!(differs(|judged| judged.at = later).contains("the event is of 2026-12-23"));
        assert!(
            differs(|judged| {
                let mut facts = Facts::decode(judged.facts.as_deref().unwrap()).unwrap();
                (facts.approvals, judged.approvals) = (Some(0), 0);
                judged.facts = Some(facts.encode());
            })
            .contains("`sante-approvals` is broken, and the run went on")
        );
        assert!(with_facts(|facts| facts.packs.extend(["own".to_owned()])).contains("not told of"));
        assert!(with_facts(|facts| facts.scripts[0].says.clear()).contains("`sante-reason` is broken"));
        let lost = |facts: &mut Facts| facts.scripts[0].loses.extend([("patient-records".to_owned(), 2)]);
        assert!(with_facts(lost).contains("`sante-retention` is attestation-required"));
    }
}
