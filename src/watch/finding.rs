//! A finding: which rule found what, about what. It has a code and parameters; its text is made when it is read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lang::Words;

/// Characters of a parameter that is a text.
const LONGEST: usize = 500;

/// How soon somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// In working hours.
    Info,
    /// Today.
    Warning,
    /// Now: what the archive is for may be broken.
    Critical,
}

impl Severity {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// In a word, for people.
    #[must_use]
    pub fn text(self, words: &Words) -> String {
        words.say(match self {
            Self::Info => "severity-info",
            Self::Warning => "severity-warning",
            Self::Critical => "severity-critical",
        })
    }
}

macro_rules! codes {
    ($($name:ident, $word:literal, $severity:ident, $rule:literal;)*) => {
        /// Which rule it breaks. The rules are fixed; docs/watch.md lists them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Code {
            $(#[doc = $rule] $name,)*
        }

        impl Code {
            /// Every rule, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its word, as in alerts and labels of metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// What is the case, in a sentence without its end.
            #[must_use]
            pub fn rule(self, words: &Words) -> String {
                words.say(match self { $(Self::$name => concat!("rule-", $word),)* })
            }
        }
    };
}

codes! {
    SchemaOutOfBand, "schema-out-of-band", Critical, "the live schema is not the one that the newest entry left";
    ChangeOutOfBand, "change-out-of-band", Critical, "a change of the schema did not come through greffe";
    GuardFails, "guard-fails", Critical, "the guard of the database does not tell of every change of the schema";
    UnarchivedChange, "unarchived-change", Warning, "a change is in the database and not yet in the archive";
    UnknownKey, "unknown-key", Critical, "a key that the trust document does not name signed";
    RevokedKey, "revoked-key", Critical, "a key that was revoked or stolen signed";
    OutsideWindow, "outside-window", Warning, "a migration ran outside the declared window";
    Fork, "fork", Critical, "two versions of the chain are signed, and neither goes on from the other";
    Rollback, "rollback", Critical, "the chain is shorter than what was seen of it before";
    Stale, "stale", Warning, "the newest word on the head is older than it may be";
    ReplicationBelowTarget, "replication-below-target", Warning, "fewer replicas keep the head than have to";
    AccessBurst, "access-burst", Warning, "sealed content was opened more often within an hour than it may be";
    SlowMigration, "slow-migration", Info, "a migration took more than three times the median of the twenty before it";
    ClockOffset, "clock-offset", Warning, "a clock is off by more than is tolerated";
    Unverified, "unverified", Critical, "verification finds something else that is wrong";
    Differs, "differs", Warning, "archive, folder and database differ";
    ReplicaDiffers, "replica-differs", Critical, "a replica does not keep what it was given, or shows something else";
    ReplicaUnreachable, "replica-unreachable", Warning, "a replica or witness cannot be reached";
    UndeliveredHead, "undelivered-head", Warning, "a replica is owed the head";
    ErasureDue, "erasure-due", Info, "sealed content is kept for longer than it may be, or soon will be";
    WaiverDue, "waiver-due", Info, "a waiver or attestation has ended, or soon will";
    Unreachable, "unreachable", Warning, "something that is watched could not be looked at";
}

/// One thing that somebody should know. Two with the same code and subject are the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub code: Code,
    /// What it is about, such as `entry 7` or the name of a replica.
    pub subject: String,
    pub parameters: BTreeMap<String, Value>,
    /// Whether it is about something that happened, and not about something that lasts: it is told of once and does not
    /// end by not being found again.
    #[serde(default)]
    pub happened: bool,
}

impl Finding {
    /// A state that lasts until it is not found any more.
    #[must_use]
    pub fn new(code: Code, subject: impl Into<String>) -> Self {
        Self { code, subject: clip(&subject.into()), parameters: BTreeMap::new(), happened: false }
    }

    /// Something that happened at an entry.
    #[must_use]
    pub fn of_entry(code: Code, seq: u64) -> Self {
        Self { happened: true, ..Self::new(code, format!("entry {seq}")) }.with("seq", seq)
    }

    /// Something that happened, at no entry.
    #[must_use]
    pub fn happened(code: Code, subject: impl Into<String>) -> Self {
        Self { happened: true, ..Self::new(code, subject) }
    }

    /// The same with a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::String(text) => Value::String(clip(&text)),
            value => value,
        };
        self.parameters.insert(name.to_owned(), value);
        self
    }

    /// What tells it from others.
    #[must_use]
    pub fn key(&self) -> (Code, &str) {
        (self.code, &self.subject)
    }

    /// In a sentence without its end, for people; subject and parameters stay what they are in data.
    #[must_use]
    pub fn text(&self, words: &Words) -> String {
        let values = [("subject", self.subject.as_str().into()), ("rule", self.code.rule(words).into())];
        let mut text = words.tell("watch-finding", values);
        for (name, value) in &self.parameters {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.push_str(&format!("; {name} {value}"));
        }
        text
    }
}

/// On one line, without what steers terminals or ends headers, and not too long.
fn clip(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let clean = text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c });
    let mut clipped: String = clean.take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Language;

    #[test]
    fn words_are_those_of_serde_and_nothing_steers_a_terminal_or_a_header() {
        let [english, french] = [Language::English, Language::French].map(Words::of);
        for code in Code::ALL {
            let (rule, other) = (code.rule(&english), code.rule(&french));
            assert!(!rule.starts_with('{') && rule != other, "{rule}");
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
        let finding =
            Finding::new(Code::Differs, "a\r\nBcc: x\u{1b}[31m").with("detail", "y\u{202e}".repeat(400));
        assert!(!finding.text(&english).contains(|c: char| c.is_control() || c == '\u{202e}'));
        assert!(finding.parameters["detail"].as_str().unwrap().ends_with('…'));
        let slow = Finding::of_entry(Code::SlowMigration, 7);
        assert_eq!(
            slow.text(&english),
            "entry 7: a migration took more than three times the median of the twenty before it; seq 7"
        );
        assert_eq!(
            slow.text(&french),
            "entry 7 : une migration a duré plus de trois fois la médiane des vingt précédentes; seq 7"
        );
    }
}
