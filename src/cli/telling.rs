//! What verification came to, in the language of whoever reads it: the lines that several commands have in common. All text
//! is that of [`Words`]; what comes from a chain goes through [`Clean`] first.

use std::io::{self, Write};

use serde_json::Value as Json;

use super::output::{Clean, CleanLine};
use crate::chain::{Cosigned, Finding, TimeBound, TimeInterval, TimeSource};
use crate::lang::{Language, Value, Words};
use crate::model::EventKind;

/// A text of a chain as a value of a message.
pub fn text(text: &str) -> Value<'static> {
    Clean(text).to_string().into()
}

/// A term in its column, and what it is. Without a term, more of the same.
///
/// # Errors
/// Those of `out`.
pub fn line(out: &mut dyn Write, term: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {term:<11} {text}")
}

/// Whether something holds, and what it means that it does; `promise`: the messages of both.
///
/// # Errors
/// Those of `out`.
pub fn promise(out: &mut dyn Write, words: &Words, promise: (&str, bool, &str)) -> io::Result<()> {
    let (term, holds, meaning) = promise;
    let holds = words.say(if holds { "verify-yes" } else { "verify-no" });
    line(out, &words.say(term), &format!("{holds:<3} {}", words.say(meaning)))
}

/// The verdict in a word.
pub fn verdict(words: &Words, verified: bool) -> Value<'static> {
    words.say(if verified { "verify-holds" } else { "verify-fails" }).into()
}

/// A time, and who says it.
pub fn word(words: &Words, TimeBound { at, source }: &TimeBound) -> String {
    let at = at.to_string().into();
    match source {
        TimeSource::Signer => words.tell("word-signers", [("at", at)]),
        TimeSource::Authority(name) => words.tell("word-authority", [("at", at), ("name", text(name))]),
        TimeSource::Witness(name) => words.tell("word-witness", [("at", at), ("name", text(name))]),
    }
}

/// Between when something was made, and whose word that is; nothing where its signers alone say it.
///
/// # Errors
/// Those of `out`.
pub fn show_time(out: &mut dyn Write, words: &Words, time: &TimeInterval) -> io::Result<()> {
    let (Some(not_before), Some(not_after)) = (&time.not_before, &time.not_after) else { return Ok(()) };
    let told = |id: &str, bound| words.tell(id, [("word", word(words, bound).into())]);
    line(out, &words.say("term-made"), &told("made-not-before", not_before))?;
    line(out, "", &told("made-not-after", not_after))
}

/// Who cosigned; `id`: the message that says what they saw, and the one with `-at` behind it, by when.
///
/// # Errors
/// Those of `out`.
pub fn show_witnesses(
    out: &mut dyn Write,
    words: &Words,
    [without, with]: [&str; 2],
    witnesses: &[Cosigned],
) -> io::Result<()> {
    for cosigned in witnesses {
        let witness = ("witness", text(&cosigned.witness));
        let said = match cosigned.not_after {
            None => words.tell(without, [witness]),
            Some(at) => words.tell(with, [witness, ("at", at.to_string().into())]),
        };
        line(out, &words.say("term-cosigned"), &said)?;
    }
    Ok(())
}

/// How many findings there are, and each of them in a line; nothing where there is none.
///
/// # Errors
/// Those of `out`.
pub fn show_findings(out: &mut dyn Write, words: &Words, findings: &[Finding]) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", words.tell("verify-findings", [("count", Words::figure(findings.len() as u64))]))?;
    findings.iter().try_for_each(|finding| writeln!(out, "  {}", told(finding, words)))
}

/// A finding in a language; in English as everywhere else, and so one whose code has no sentence there yet.
fn told(finding: &Finding, words: &Words) -> String {
    let english = || CleanLine(&finding.to_string()).to_string();
    if words.language() == Language::English {
        return english();
    }
    let Ok(Json::Object(members)) = serde_json::to_value(&finding.fault) else { return english() };
    let code = members.get("code").and_then(Json::as_str).unwrap_or_default().to_owned();
    let members = members.into_iter().map(|(name, value)| (name, cleaned(value))).collect();
    let Some(said) = words.finding(&code, &members) else { return english() };
    let cid = finding.cid.map(|cid| format!(" ({cid})")).unwrap_or_default();
    // In French a colon stands apart.
    let colon = if words.language() == Language::French { "\u{a0}:" } else { ":" };
    match finding.seq {
        Some(seq) => {
            let entry = words.tell("entry-number", [("seq", seq.to_string().into())]);
            format!("{entry}{colon} {said}{cid}")
        }
        None => format!("{said}{cid}"),
    }
}

/// The texts of a member without what steers a terminal or begins a line. What the sentence itself has to keep directions
/// apart stays.
fn cleaned(value: Json) -> Json {
    match value {
        Json::String(text) => CleanLine(&text).to_string().into(),
        Json::Array(items) => items.into_iter().map(cleaned).collect(),
        other => other,
    }
}

/// The message that names what an event does.
pub const fn act(event: EventKind) -> &'static str {
    match event {
        EventKind::Genesis => "act-genesis",
        EventKind::Plan => "act-plan",
        EventKind::Apply => "act-apply",
        EventKind::Rollback => "act-rollback",
        EventKind::Fail => "act-fail",
        EventKind::Baseline => "act-baseline",
        EventKind::Stamp => "act-stamp",
        EventKind::Repair => "act-repair",
        EventKind::Attach => "act-attach",
        EventKind::Drift => "act-drift",
        EventKind::Trust => "act-trust",
        EventKind::Erase => "act-erase",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Fault;

    #[test]
    fn a_finding_is_one_line_whatever_it_quotes() {
        let detail = "x\nverified: demo\u{1b}[2J".to_owned();
        let finding =
            Finding { seq: Some(3), cid: None, fault: Fault::Malformed { what: "manifest", detail } };
        for language in Language::ALL {
            let mut out = Vec::new();
            show_findings(&mut out, &Words::of(language), std::slice::from_ref(&finding)).unwrap();
            let shown = String::from_utf8(out).unwrap();
            assert_eq!(shown.lines().count(), 2, "{shown}");
            assert!(!shown.contains('\u{1b}'), "{shown}");
        }
    }

    /// What standard error and documents call an event, English output does, too.
    #[test]
    fn in_english_an_event_is_named_as_the_format_does() {
        let english = Words::of(Language::English);
        for event in [EventKind::Genesis, EventKind::Apply, EventKind::Attach, EventKind::Erase] {
            assert_eq!(english.say(act(event)), event.to_string());
        }
    }

    #[test]
    fn terms_fit_their_column() {
        for language in Language::ALL {
            let words = Words::of(language);
            for term in ["checkpoint", "timestamped", "witnessed", "promoted", "signed-by", "anchored"] {
                assert!(words.say(&format!("term-{term}")).chars().count() <= 11, "{term} in {language:?}");
            }
        }
    }
}
