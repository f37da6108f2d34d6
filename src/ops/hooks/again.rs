//! Asks policy hooks again: their source and what they were told are files of the event that tells what they answered, so
//! the answer has to be the same wherever it is verified.

use std::collections::BTreeMap;

use super::judging::{PATIENCE_AGAIN, Question, ask};
use crate::chain::{EntryVerdict, Fault, JudgedHooks};
use crate::crypto::Digest;
use crate::model::Hook;
use crate::policy::hooks::HookName;
use crate::policy::hooks::verdict::BROKEN;

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
pub fn ask_again(verdict: &mut EntryVerdict) {
    let Some(judged) = verdict.take_hooks() else { return };
    for (hook, detail) in differing(&judged) {
        verdict.add(Fault::HookVerdictDiffers { hook, detail });
    }
}

fn differing(judged: &JudgedHooks) -> Vec<(String, String)> {
    let mut answers: BTreeMap<Asked, Vec<Said>> = BTreeMap::new();
    for hook in judged.hooks.iter().filter(|hook| is_policy(hook)) {
        let Hook { event, name, sha256, outcome, input, rule, about, .. } = hook.clone();
        answers.entry(Asked { name, event, sha256, input, about }).or_default().push((outcome, rule));
    }
    answers
        .iter()
        .filter_map(|(asked, said)| Some((asked.name.clone(), differs(judged, asked, said)?)))
        .collect()
}

fn is_policy(hook: &Hook) -> bool {
    hook.name.ends_with(".rhai")
}

/// How an answer differs from what is said now.
fn differs(judged: &JudgedHooks, asked: &Asked, said: &[Said]) -> Option<String> {
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
    let question = Question { event, source, inputs: vec![context] };
    let answers = ask(&[question], PATIENCE_AGAIN).pop().and_then(|mut answers| answers.pop())?;
    let mut now: Vec<Said> = answers
        .verdicts
        .into_iter()
        .map(|verdict| (verdict.outcome.as_str().to_owned(), verdict.rule))
        .collect();
    let mut then = said.to_vec();
    then.sort();
    now.sort();
    // Who took too long then may be in time now, and the other way round; it was a no in any case.
    let is_broken = |said: &[Said]| said.iter().any(|(_, rule)| rule.as_deref() == Some(BROKEN));
    (then != now && !is_broken(&then))
        .then(|| format!("it said {}, and says {} now", shown(&then), shown(&now)))
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
    use super::*;

    const SOURCE: &[u8] =
        b"fn beforeMigrate(context) { if context.n > 1 { deny(\"large\", \"x\") } else { allow() } }";

    fn judged(n: u8, said: &[(&str, Option<&str>)]) -> JudgedHooks {
        let context = format!("{{\"n\":{n}}}").into_bytes();
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
        }
    }

    fn found(judged: &JudgedHooks) -> Vec<String> {
        differing(judged).into_iter().map(|(_, detail)| detail).collect()
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
        other.hooks[0].event = "x".to_owned();
        assert_eq!(found(&other), ["`x` is no event"]);
        // What a program said is its word.
        other.hooks[0].name = "beforeMigrate.sh".to_owned();
        assert_eq!(found(&other), [""; 0]);
    }
}
