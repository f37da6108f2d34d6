//! What was found, by which rule, and where; never the value.

use std::borrow::Cow;
use std::ops::Range;

use serde::Serialize;

/// What a finding means for who publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Opens something; must not be published at all.
    Secret,
    /// Tells of a person.
    Personal,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    pub id: Cow<'static, str>,
    pub severity: Severity,
    pub description: Cow<'static, str>,
}

/// A place where a rule found something. Nothing of its text is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: Cow<'static, str>,
    pub severity: Severity,
    /// From 1.
    pub line: usize,
    /// From 1, in characters; bytes that are no UTF-8 count one each.
    pub column: usize,
    /// In characters, as the column; of a value of many lines that of its first one.
    pub length: usize,
}

/// A place before it is told by line and column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) rule: Cow<'static, str>,
    pub(super) severity: Severity,
    pub(super) range: Range<usize>,
    /// Of two that overlap, the lower one stays: the more a detector knows, the lower.
    pub(super) rank: u8,
}

impl Hit {
    pub(super) fn new(rule: &'static str, range: Range<usize>, rank: u8) -> Self {
        Self { rule: Cow::Borrowed(rule), severity: severity(rule), range, rank }
    }
}

const SECRETS: &[(&str, &str)] = &[
    ("aws-access-key", "access key of AWS"),
    ("gcp-key", "key or client secret of Google Cloud"),
    ("azure-key", "account key, shared access key or client secret of Azure"),
    ("github-token", "token of GitHub"),
    ("gitlab-token", "token of GitLab"),
    ("slack-token", "token or hook of Slack"),
    ("stripe-key", "key of Stripe"),
    ("npm-token", "token of npm"),
    ("pypi-token", "token of PyPI"),
    ("cloud-token", "token of another cloud, forge or service"),
    ("jwt", "JSON web token"),
    ("private-key", "private key in PEM, or of age"),
    ("password-hash", "hash of a password"),
    ("url-password", "password in an address"),
    ("connection-password", "password in a connection string"),
    ("sql-password", "password in a statement: PASSWORD, IDENTIFIED BY, and what encrypts by a text"),
    ("authorization", "header that authorises a request"),
    ("secret-value", "value of a column or key that holds secrets"),
];
const PERSONAL: &[(&str, &str)] = &[
    ("fr-nir", "French social security number (NIR)"),
    ("fr-ine", "French student number (INE)"),
    ("iban", "bank account (IBAN)"),
    ("payment-card", "number of a payment card"),
    ("card-cvv", "verification code of a payment card"),
    ("email", "e-mail address"),
    ("phone", "telephone number"),
    ("birth-date", "date of birth"),
    ("ip-address", "address of a person's machine"),
    ("home-directory", "home directory, which names an account"),
];

/// The rules that are always there.
#[must_use]
pub fn built_in() -> Vec<Rule> {
    let rule = |severity| {
        move |(id, description): &(&'static str, &'static str)| Rule {
            id: Cow::Borrowed(*id),
            severity,
            description: Cow::Borrowed(*description),
        }
    };
    SECRETS.iter().map(rule(Severity::Secret)).chain(PERSONAL.iter().map(rule(Severity::Personal))).collect()
}

fn severity(rule: &str) -> Severity {
    if PERSONAL.iter().any(|(id, _)| *id == rule) { Severity::Personal } else { Severity::Secret }
}

/// What a detector finds, by rule and text.
#[cfg(test)]
pub(super) fn found_by(find: impl Fn(&[u8], &mut Vec<Hit>), text: &str) -> Vec<(String, &str)> {
    let mut hits = Vec::new();
    find(text.as_bytes(), &mut hits);
    hits.into_iter().map(|hit| (hit.rule.into_owned(), &text[hit.range])).collect()
}

/// Turns hits, sorted by their place, into findings; the text is walked once.
pub(super) fn located(text: &[u8], hits: Vec<Hit>) -> Vec<Finding> {
    let (mut line, mut line_start, mut at) = (1, 0, 0);
    let (mut column, mut counted) = (1, 0);
    hits.into_iter()
        .map(|hit| {
            while at < hit.range.start {
                // A line ends at a line feed, or at a carriage return without one.
                let ends = text[at] == b'\n' || text[at] == b'\r' && text.get(at + 1) != Some(&b'\n');
                if ends {
                    line += 1;
                    line_start = at + 1;
                    (column, counted) = (1, line_start);
                }
                at += 1;
            }
            column += characters(&text[counted.max(line_start)..at]);
            counted = at;
            // A value of many lines is told by its first one.
            let value = &text[hit.range.clone()];
            let first = value.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(value.len());
            let length = characters(&value[..first]).max(1);
            Finding { rule: hit.rule, severity: hit.severity, line, column, length }
        })
        .collect()
}

/// Bytes that do not continue a character.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}
