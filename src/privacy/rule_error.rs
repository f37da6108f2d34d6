//! Why rules cannot be used, without a word of what stands in them.

use std::fmt;

use super::rules::LIMIT;

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// No TOML, or not of this form. What stands in the file is not told, as it may be a secret.
    #[error("line {line}, column {column}: {problem}")]
    Format { line: usize, column: usize, problem: Problem },
    /// A pattern that cannot be used; the pattern is not told, only what is wrong with it.
    #[error("a pattern of `{rule}` cannot be used: {problem}")]
    Pattern { rule: String, problem: String },
    /// A rule that looks for nothing.
    #[error("rule `{rule}` has neither `regex` nor `path`")]
    Empty { rule: String },
    /// A group that the pattern has not.
    #[error("rule `{rule}` has no group {group}")]
    Group { rule: String, group: usize },
    /// A word that is not known.
    #[error("`{key}` of `{rule}` has a value that is not known")]
    Value { rule: String, key: &'static str },
    #[error("there are more than {LIMIT} rules")]
    TooMany,
}

/// What is wrong with the form of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A key that is not supported; keys are no secrets.
    Unknown(String),
    Missing(String),
    Type,
    Syntax,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(key) => write!(formatter, "the key `{key}` is not supported"),
            Self::Missing(key) => write!(formatter, "the key `{key}` is missing"),
            Self::Type => formatter.write_str("a value is not of the kind that belongs there"),
            Self::Syntax => formatter.write_str("this is no TOML"),
        }
    }
}

impl RuleError {
    pub(super) fn of_form(text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..at).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        let message = error.message();
        let key = message.split('`').nth(1).unwrap_or_default();
        let is_key = key.len() <= 40
            && key.chars().all(|sign| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-'));
        let problem = match message {
            _ if message.starts_with("unknown field") && is_key => Problem::Unknown(key.to_owned()),
            _ if message.starts_with("missing field") && is_key => Problem::Missing(key.to_owned()),
            _ if message.starts_with("invalid type") || message.starts_with("invalid value") => Problem::Type,
            _ => Problem::Syntax,
        };
        Self::Format { line, column, problem }
    }
}
