//! What a program ended with, as verdicts: its exit code, and the JSON that it may print.
//!
//! | exit | standard output | verdict |
//! |---|---|---|
//! | 0 | nothing | allow |
//! | 0 | `{"verdict": "…", "rule": "…", "text": "…"}`, or a list of such | what it says |
//! | 1 | as above | deny, by the rules that it names |
//! | other | – | broken |

use serde::Deserialize;

use super::verdict::{DENIED, settled};
use super::{Outcome, Verdict};
use crate::privacy::publish::found_in;
use crate::privacy::without_secrets;

/// One verdict, as a program prints it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    verdict: Word,
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    text: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Allow,
    Warn,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    One(Said),
    Many(Vec<Said>),
}

/// The verdicts of a program that ended by itself with `code`, and printed `output`, all of it.
#[must_use]
pub fn verdicts(code: i32, output: &[u8]) -> Vec<Verdict> {
    if code != 0 && code != 1 {
        return vec![Verdict::broken(&format!("it ended with {code}, which is neither 0 nor 1"))];
    }
    let said = if output.trim_ascii().is_empty() { Ok(Vec::new()) } else { read(output) };
    let mut verdicts = match said {
        Ok(verdicts) => settled(verdicts),
        Err(reason) => return vec![Verdict::broken(&reason)],
    };
    if code == 1 && verdicts.iter().all(|verdict| verdict.outcome != Outcome::Deny) {
        verdicts.retain(|verdict| verdict.outcome != Outcome::Allow);
        verdicts.push(Verdict { outcome: Outcome::Deny, rule: Some(DENIED.to_owned()), text: None });
    }
    verdicts
}

fn read(output: &[u8]) -> Result<Vec<Verdict>, String> {
    // What the parser would say repeats what was printed.
    let answer: Answer = serde_json::from_slice(output).map_err(|_| {
        "it printed something else than its verdict as JSON on standard output; notes belong on standard error".to_owned()
    })?;
    let said = match answer {
        Answer::One(said) => vec![said],
        Answer::Many(said) => said,
    };
    said.into_iter().map(verdict_of).collect()
}

/// What a program printed, without the secrets in it.
#[must_use]
pub fn plain(printed: &[u8]) -> String {
    String::from_utf8_lossy(&without_secrets(printed).0).into_owned()
}

fn verdict_of(said: Said) -> Result<Verdict, String> {
    let outcome = match said.verdict {
        Word::Allow => return Ok(Verdict::allow()),
        Word::Warn => Outcome::Warn,
        Word::Deny => Outcome::Deny,
    };
    let rule = said.rule.ok_or("it warns or denies by no rule")?;
    // A rule is archived in clear, and nobody could take it back.
    if let Some(found) = found_in(&rule) {
        return Err(format!("its rule holds what is never published ({found})"));
    }
    Verdict::of(outcome, &rule, &plain(said.text.unwrap_or_default().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32, output: &str) -> Vec<(Outcome, Option<String>)> {
        verdicts(code, output.as_bytes()).into_iter().map(|verdict| (verdict.outcome, verdict.rule)).collect()
    }

    fn verdict(outcome: Outcome, rule: &str) -> (Outcome, Option<String>) {
        (outcome, Some(rule.to_owned()))
    }

    #[test]
    fn the_exit_code_alone_is_a_verdict() {
        assert_eq!(said(0, " \n"), [(Outcome::Allow, None)]);
        assert_eq!(said(1, ""), [verdict(Outcome::Deny, DENIED)]);
        for code in [2, 126, 127, 255, -1] {
            assert_eq!(said(code, ""), [verdict(Outcome::Deny, "hook-broken")], "{code}");
        }
    }

    #[test]
    fn json_says_by_which_rule() {
        assert_eq!(said(0, r#"{"verdict":"allow"}"#), [(Outcome::Allow, None)]);
        assert_eq!(said(0, r#"{"verdict":"deny","rule":"a","text":"b"}"#), [verdict(Outcome::Deny, "a")]);
        assert_eq!(said(1, r#"{"verdict":"deny","rule":"a"}"#), [verdict(Outcome::Deny, "a")]);
        assert_eq!(
            said(1, r#"[{"verdict":"warn","rule":"a"},{"verdict":"allow"}]"#),
            [verdict(Outcome::Warn, "a"), verdict(Outcome::Deny, DENIED)]
        );
        assert_eq!(said(1, r#"{"verdict":"allow"}"#), [verdict(Outcome::Deny, DENIED)]);
    }

    #[test]
    fn what_would_never_be_published_is_no_rule() {
        for rule in ["4111111111111111", "AKIAIOSFODNN7EXAMPLE"] {
            let said = verdicts(0, format!(r#"{{"verdict":"warn","rule":"{rule}"}}"#).as_bytes());
            let text = said[0].text.as_deref().unwrap();
            assert!(said[0].is_broken() && text.contains("never published"), "{said:?}");
            assert!(!text.contains(rule), "{text}");
        }
    }

    #[test]
    fn secrets_in_what_is_said_are_struck_out() {
        let output =
            br#"{"verdict":"deny","rule":"a","text":"no postgres://app:hunter2hunter2@db/x for you"}"#;
        let said = verdicts(0, output);
        let text = said[0].text.as_deref().unwrap();
        assert!(text.starts_with("no ") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn broken_json_is_no_verdict() {
        for output in [
            "done",
            "{",
            r#"{"verdict":"maybe"}"#,
            r#"{"verdict":"deny"}"#,
            r#"{"verdict":"deny","rule":"a b"}"#,
            r#"{"verdict":"allow","rules":"a"}"#,
            r#"{"verdict":"allow"} {"verdict":"allow"}"#,
            "[[]]",
            "null",
            &"[".repeat(100_000),
            "\u{1b}[31m",
        ] {
            assert_eq!(said(0, output), [verdict(Outcome::Deny, "hook-broken")], "{output:.40}");
        }
        assert_eq!(said(0, "[]"), [(Outcome::Allow, None)]);
        assert_eq!(verdicts(0, b"\xff")[0].rule.as_deref(), Some("hook-broken"));
    }
}
