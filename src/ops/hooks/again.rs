//! Asks policy hooks again: their source and what they were told are files of the event that tells what they answered, so
//! the answer has to be the same wherever it is verified.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::judging::{PATIENCE_AGAIN, Patience, Question, ask};
use crate::chain::{EntryVerdict, Fault, JudgedHooks};
use crate::crypto::Digest;
use crate::model::Hook;
use crate::ops::allowance::{Allowance, HOOK};
use crate::policy::hooks::verdict::BROKEN;
use crate::policy::hooks::{HookEvent, HookName, Outcome};

/// Why an answer is not known.
const TOO_LONG: &str = "it was not asked again: the policies of this archive take too long";

/// An answer, as the archive has it: outcome and rule.
type Said = (String, Option<String>);

/// One question of an archive: the hook's file and digest, and the digest of what it was told.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    name: String,
    event: String,
    sha256: String,
    input: Option<String>,
    about: Option<String>,
}

/// Adds a finding for each answer that is another one now.
pub(in crate::ops) fn ask_again(verdict: &mut EntryVerdict, allowance: &Allowance) {
    let Some(judged) = verdict.take_hooks() else { return };
    for (hook, detail) in differing(&judged, allowance) {
        verdict.add(Fault::HookVerdictDiffers { hook, detail });
    }
}

fn differing(judged: &JudgedHooks, allowance: &Allowance) -> Vec<(String, String)> {
    let mut answers: BTreeMap<Asked, Vec<Said>> = BTreeMap::new();
    for hook in judged.hooks.iter().filter(|hook| is_policy(hook)) {
        let Hook { event, name, sha256, outcome, input, rule, about, .. } = hook.clone();
        answers.entry(Asked { name, event, sha256, input, about }).or_default().push((outcome, rule));
    }
    let differs = |(asked, said): (&Asked, &Vec<Said>)| {
        Some((asked.name.clone(), differs(judged, asked, said, allowance)?))
    };
    went_on(judged).into_iter().chain(answers.iter().filter_map(differs)).collect()
}

/// The hook that said no to a run whose plan is archived nevertheless: a plan is archived once nobody says no.
fn went_on(judged: &JudgedHooks) -> Option<(String, String)> {
    let stops = |hook: &&Hook| {
        let is_before = hook.event.parse().is_ok_and(|event: HookEvent| event.is_before());
        judged.is_plan && is_before && hook.outcome == Outcome::Deny.as_str()
    };
    let hook = judged.hooks.iter().find(stops)?;
    let rule = hook.rule.as_deref().unwrap_or_default();
    Some((hook.name.clone(), format!("it said no by its rule `{rule}`, and the run went on")))
}

fn is_policy(hook: &Hook) -> bool {
    hook.name.ends_with(".rhai")
}

/// How an answer differs from what is said now.
fn differs(judged: &JudgedHooks, asked: &Asked, said: &[Said], allowance: &Allowance) -> Option<String> {
    let Asked { name, event, sha256, input, .. } = asked;
    let Ok(event) = event.parse() else { return Some(format!("`{event}` is no event")) };
    if !matches!(HookName::parse(name), Ok(Some(hook)) if hook.event == event) {
        return Some("its name is that of another event".to_owned());
    }
    let digest_of = |text: &str| Digest::parse_prefixed(text);
    let Some(source) = digest_of(sha256).and_then(|digest| judged.sources.get(&digest)) else {
        return Some("its source is not a file of the event".to_owned());
    };
    let wanted = input.as_deref().and_then(digest_of);
    let Some(context) = wanted.and_then(|wanted| judged.contexts.get(&wanted)) else {
        return Some("what it was told is not in a file of the event".to_owned());
    };
    if let Some(difference) = told_otherwise(asked, context) {
        return Some(difference);
    }
    let question = Question { event, source, inputs: vec![context] };
    allowance.grant(HOOK);
    let left = allowance.left();
    if left.is_zero() {
        return Some(TOO_LONG.to_owned());
    }
    let patience = Patience { time: left.min(PATIENCE_AGAIN.time), ..PATIENCE_AGAIN };
    let begin = Instant::now();
    let answers = ask(&[question], patience).pop().and_then(|mut answers| answers.pop())?;
    allowance.spend(begin.elapsed());
    let mut now: Vec<Said> = answers
        .verdicts
        .into_iter()
        .map(|verdict| (verdict.outcome.as_str().to_owned(), verdict.rule))
        .collect();
    let mut then = said.to_vec();
    // The same by one rule, with other texts, is archived once.
    for said in [&mut then, &mut now] {
        said.sort();
        said.dedup();
    }
    // Who took too long then may be in time now, and the other way round; it was a no in any case.
    let is_broken = |said: &[Said]| said.iter().any(|(_, rule)| rule.as_deref() == Some(BROKEN));
    (then != now && !is_broken(&then))
        .then(|| format!("it said {}, and says {} now", shown(&then), shown(&now)))
}

/// In what a context is one of another question: whoever chose it chose the answer.
fn told_otherwise(asked: &Asked, context: &[u8]) -> Option<String> {
    let context: Value = serde_json::from_slice(context).ok()?;
    if context["event"] != asked.event.as_str() {
        return Some(format!("it was told of the event {}", context["event"]));
    }
    let about = context["migration"]["version"].as_str();
    // A row that an earlier run left behind is about a migration that this run knows nothing of.
    (about.is_some() && about != asked.about.as_deref())
        .then(|| "it was told of another migration".to_owned())
}

fn shown(said: &[Said]) -> String {
    let one = |(outcome, rule): &Said| match rule {
        Some(rule) => format!("{outcome} ({rule})"),
        None => outcome.clone(),
    };
    said.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use super::*;
    use crate::chain::{Appender, Fetched, NewFile, Options, Verifier};
    use crate::codec::trust::encode_trust;
    use crate::crypto::PrivateKey;
    use crate::model::{Actor, Details, EventKind, Pseudonym, Role};
    use crate::ops::checking::Checking;
    use crate::ops::event::genesis;
    use crate::ops::init::sole_key;
    use crate::ops::now;
    use crate::ops::own_event::own_event;

    const SOURCE: &[u8] =
        b"fn beforeMigrate(context) { if context.n > 1 { deny(\"large\", \"x\") } else { allow() } }";

    fn judged(n: u8, said: &[(&str, Option<&str>)]) -> JudgedHooks {
        let context = format!("{{\"event\":\"beforeMigrate\",\"n\":{n}}}").into_bytes();
        let hook = |(outcome, rule): &(&str, Option<&str>)| Hook {
            event: "beforeMigrate".to_owned(),
            name: "beforeMigrate.rhai".to_owned(),
            sha256: Digest::of(SOURCE).to_prefixed(),
            outcome: (*outcome).to_owned(),
            duration_us: 1,
            input: Some(Digest::of(&context).to_prefixed()),
            rule: rule.map(str::to_owned),
            about: None,
        };
        JudgedHooks {
            hooks: said.iter().map(hook).collect(),
            sources: [(Digest::of(SOURCE), SOURCE.to_vec())].into(),
            contexts: [(Digest::of(&context), context)].into(),
            is_plan: false,
        }
    }

    fn found(judged: &JudgedHooks) -> Vec<String> {
        differing(judged, &Allowance::default()).into_iter().map(|(_, detail)| detail).collect()
    }

    #[test]
    fn the_same_answer_is_no_finding_and_another_one_is() {
        assert_eq!(found(&judged(1, &[("allow", None)])), [""; 0]);
        assert_eq!(found(&judged(2, &[("deny", Some("large"))])), [""; 0]);
        assert_eq!(found(&judged(2, &[("allow", None)])), ["it said allow, and says deny (large) now"]);
        assert_eq!(
            found(&judged(1, &[("warn", Some("large"))])),
            ["it said warn (large), and says allow now"]
        );
        assert_eq!(found(&judged(1, &[("deny", Some("hook-broken"))])), [""; 0]);
        // Once for each text, as it was archived before.
        assert_eq!(found(&judged(2, &[("deny", Some("large")), ("deny", Some("large"))])), [""; 0]);
    }

    #[test]
    fn a_run_that_went_on_although_a_hook_said_no_is_found() {
        let no = [("deny", Some("large"))];
        let plan = JudgedHooks { is_plan: true, ..judged(2, &no) };
        assert_eq!(found(&plan), ["it said no by its rule `large`, and the run went on"]);
        // A program is believed, also in this.
        let mut program = plan;
        program.hooks[0].name = "beforeMigrate.sh".to_owned();
        assert_eq!(found(&program), ["it said no by its rule `large`, and the run went on"]);
        // What is told behind a run may have stopped it.
        assert_eq!(found(&judged(2, &no)), [""; 0]);
    }

    #[test]
    fn policies_that_take_too_long_together_are_a_finding() {
        let asked = judged(1, &[("allow", None)]);
        let spent = Allowance::of(Duration::ZERO);
        spent.spend(HOOK * 2);
        let found = differing(&asked, &spent);
        assert_eq!(found, [("beforeMigrate.rhai".to_owned(), TOO_LONG.to_owned())]);
        // Those after it add to what is left, and are asked.
        assert_eq!(differing(&asked, &spent).len(), 1);
        assert_eq!(differing(&asked, &spent).len(), 0);
        assert!(spent.left() < HOOK);
    }

    /// An archive whose keys signed that a policy answered otherwise than it does.
    #[test]
    fn an_answer_that_was_signed_and_never_given_is_found_by_verification() {
        for (outcome, rule, findings) in [("deny", Some("large"), 0), ("allow", None, 1)] {
            let mut judged = judged(2, &[(outcome, rule)]);
            let context = judged.contexts.pop_first().unwrap().1;
            let file = |name: &str, bytes: Vec<u8>| NewFile {
                name: name.parse().unwrap(),
                role: Role::Evidence,
                bytes,
                sealed: false,
            };
            let files = vec![
                file("hooks/beforeMigrate.json", [context, b"\n".to_vec()].concat()),
                file("hooks/beforeMigrate.rhai", SOURCE.to_vec()),
            ];
            let found = verified(judged.hooks, files);
            assert_eq!(found.len(), findings, "{found:?}");
            assert!(found.iter().all(|fault| matches!(fault, Fault::HookVerdictDiffers { .. })), "{found:?}");
        }
    }

    /// What verification finds in a chain whose second entry tells of these hooks.
    fn verified(hooks: Vec<Hook>, files: Vec<NewFile>) -> Vec<Fault> {
        let key = PrivateKey::from_seed(&[7; 32]);
        let actor = Actor { pseudonym: Pseudonym::generate(), role: "operator".to_owned() };
        let trust = encode_trust(&sole_key("demo".parse().unwrap(), *key.public(), "operator"));
        let trust =
            NewFile { name: "trust.json".parse().unwrap(), role: Role::Trust, bytes: trust, sealed: false };
        let (mut blocks, mut appender) = (HashMap::new(), Appender::new());
        let begin = genesis(&actor, now());
        let root = appender
            .append(begin, vec![trust], &[&key], &mut |(cid, bytes)| drop(blocks.insert(cid, bytes)))
            .unwrap();
        let details =
            Details::Attach { about: vec![root], access: None, hooks, commitments: BTreeMap::new() };
        let event = own_event(EventKind::Attach, &actor, now(), details);
        let newest = appender
            .append(event, files, &[&key], &mut |(cid, bytes)| drop(blocks.insert(cid, bytes)))
            .unwrap();
        let mut verifier = Verifier::new(newest, Options::default());
        let mut checking = Checking::new(2);
        while let Some(cid) = verifier.want() {
            verifier
                .feed(&cid, blocks.get(&cid).map_or(Fetched::Missing, |bytes| Fetched::Block(bytes.clone())));
            checking.check(&mut verifier);
        }
        checking.finish(&mut verifier);
        verifier.finish().findings.into_iter().map(|finding| finding.fault).collect()
    }

    #[test]
    fn an_answer_without_source_or_context_is_a_finding() {
        let mut without = judged(1, &[("allow", None)]);
        without.sources.clear();
        assert_eq!(found(&without), ["its source is not a file of the event"]);
        let mut without = judged(1, &[("allow", None)]);
        without.contexts.clear();
        assert_eq!(found(&without), ["what it was told is not in a file of the event"]);
        let mut other = judged(1, &[("allow", None)]);
        other.hooks[0].event = "afterMigrate".to_owned();
        assert_eq!(found(&other), ["its name is that of another event"]);
        let mut other = judged(1, &[("allow", None)]);
        other.hooks[0].name = "beforePlan.rhai".to_owned();
        other.hooks[0].event = "beforePlan".to_owned();
        assert_eq!(found(&other), ["it was told of the event \"beforeMigrate\""]);
        other.hooks[0].event = "x".to_owned();
        assert_eq!(found(&other), ["`x` is no event"]);
        // What a program said is its word.
        other.hooks[0].name = "beforeMigrate.sh".to_owned();
        assert_eq!(found(&other), [""; 0]);
    }
}
