//! What a hook answers.

use std::collections::HashSet;

use serde::Serialize;

/// The rule of a verdict that no hook gave: it ended otherwise than by a verdict, or at a limit.
pub const BROKEN: &str = "hook-broken";
/// The rule of a program that said no without naming one.
pub const DENIED: &str = "hook-denied";
/// The longest rule and the longest text, in bytes.
const LONGEST: (usize, usize) = (64, 500);

/// Verdicts in one answer, and rules in them.
const MOST: (usize, usize) = (1_000, 64);

/// Whether what a hook was asked about may go on. Later is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Allow,
    Warn,
    Deny,
}

impl Outcome {
    /// The word in the archive.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }
}

/// What a hook says, and by which rule. The text is for who runs it, and is not archived.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Verdict {
    #[serde(rename = "verdict")]
    pub outcome: Outcome,
    pub rule: Option<String>,
    pub text: Option<String>,
}

impl Verdict {
    /// Nothing to say against it.
    #[must_use]
    pub const fn allow() -> Self {
        Self { outcome: Outcome::Allow, rule: None, text: None }
    }

    /// A hook that gave no verdict: it counts as a no.
    #[must_use]
    pub fn broken(text: &str) -> Self {
        Self { outcome: Outcome::Deny, rule: Some(BROKEN.to_owned()), text: Some(shown(text)) }
    }

    /// Whether it is of a hook that gave none.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.rule.as_deref() == Some(BROKEN)
    }

    /// What a hook says by a rule.
    ///
    /// # Errors
    /// Why the rule is none; `hook-broken` is nobody's to name.
    pub fn of(outcome: Outcome, rule: &str, text: &str) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        let sound =
            !rule.is_empty() && rule.len() <= LONGEST.0 && rule.bytes().all(is_plain) && rule != BROKEN;
        if !sound {
            return Err(format!(
                "`{}` is no rule: a rule has 1 to {} of the characters a-z, A-Z, 0-9, `-`, `_`, `.` and `/`",
                shown(rule),
                LONGEST.0
            ));
        }
        Ok(Self { outcome, rule: Some(rule.to_owned()), text: Some(shown(text)) })
    }
}

/// All verdicts of one question, the same one once; a hook that says nothing at all allows, and one that says more than
/// anybody reads is broken.
#[must_use]
pub fn settled(verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let mut seen = HashSet::new();
    let said = verdicts.into_iter().filter(|verdict| verdict.outcome != Outcome::Allow);
    let settled: Vec<Verdict> = said.filter(|verdict| seen.insert(verdict.clone())).collect();
    let rules: HashSet<_> = settled.iter().map(|verdict| &verdict.rule).collect();
    if settled.len() > MOST.0 || rules.len() > MOST.1 {
        return vec![Verdict::broken(&format!(
            "it gives {} verdicts by {} rules, and at most {} by {} are read",
            settled.len(),
            rules.len(),
            MOST.0,
            MOST.1
        ))];
    }
    if settled.is_empty() { vec![Verdict::allow()] } else { settled }
}

/// A text as it may be shown: without control characters, and not longer than `LONGEST`.
#[must_use]
pub fn shown(text: &str) -> String {
    let spaced = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    let mut text: String = spaced.collect::<Vec<_>>().join(" ").chars().filter(|c| !is_hidden(*c)).collect();
    if text.len() > LONGEST.1 {
        text.truncate(text.floor_char_boundary(LONGEST.1));
        text.push('…');
    }
    text
}

/// Whether a character steers how others are shown.
const fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_plain_words() {
        assert!(Verdict::of(Outcome::Deny, "sante/retention-1.2_a", "x").is_ok());
        for rule in ["", "a b", "é", BROKEN, "a\u{1b}", &"x".repeat(65)] {
            assert!(Verdict::of(Outcome::Warn, rule, "x").is_err(), "{rule}");
        }
    }

    #[test]
    fn texts_do_not_steer_a_terminal() {
        assert_eq!(shown("a\u{1b}[31m\nb\t c\u{202e}\u{7}"), "a [31m b c");
        assert_eq!(shown(&"é".repeat(1000)).chars().count(), 251);
    }

    #[test]
    fn the_same_verdict_counts_once_and_none_allows() {
        let warn = Verdict::of(Outcome::Warn, "a", "b").unwrap();
        assert_eq!(settled(vec![warn.clone(), Verdict::allow(), warn.clone()]), [warn]);
        assert_eq!(settled(vec![]), [Verdict::allow()]);
    }

    #[test]
    fn more_than_anybody_reads_is_broken() {
        let warn = |rule: usize, text: usize| {
            Verdict::of(Outcome::Warn, &format!("r{rule}"), &text.to_string()).unwrap()
        };
        let many = |count: usize, rules: usize| settled((0..count).map(|n| warn(n % rules, n)).collect());
        assert_eq!((many(MOST.0, 1).len(), many(MOST.1, MOST.1).len()), (MOST.0, MOST.1));
        for (count, rules) in [(MOST.0 + 1, 1), (MOST.1 + 1, MOST.1 + 1), (200_000, 1)] {
            let said = many(count, rules);
            assert!(said.len() == 1 && said[0].is_broken(), "{count} {rules}: {}", said.len());
        }
    }
}
