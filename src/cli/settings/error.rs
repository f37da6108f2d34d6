//! What can be wrong with settings. No message holds a secret.

use std::{fmt, path::PathBuf};

use super::{
    keys::{Key, Kind},
    secret::ReadError,
};
use crate::codec::vkey::VkeyError;
use crate::policy::packs::members::Why;
use crate::store::remote::EndpointError;

/// Why there are no settings, or not the one that is needed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is there, or was asked for by name, and cannot be read.
    #[error("the settings file `{}` {reason}", .path.display())]
    File { path: PathBuf, reason: ReadError },
    /// Something that is written is not allowed: all of it.
    #[error("{}", listed(.0))]
    Invalid(Vec<Problem>),
    /// A setting is needed and was given nowhere.
    #[error(
        "setting `{}` is missing: give it in greffe.toml ({}), in the environment as {}, or with the flag {}",
        .0.path(), place_in_file(.0), .0.variable, .0.flag
    )]
    Missing(&'static Key),
    /// A setting says where a value is, and there is none that can be used.
    #[error("`{}` is `{source_text}`, but {reason}", .key.path())]
    Source {
        key: &'static Key,
        /// `env:NAME` or `file:PATH`.
        source_text: String,
        reason: SourceError,
    },
}

/// Why what a setting points to cannot be used; completes "but …".
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("that variable is not set or empty")]
    VariableUnset,
    #[error("that variable does not hold Unicode text")]
    VariableNotUnicode,
    #[error("that file {0}")]
    File(ReadError),
    #[error("that file is empty")]
    FileEmpty,
    #[error(
        "what it holds is not a URL such as `sqlite:app.db` (it is not shown, for it may hold a password)"
    )]
    NotUrl,
    #[error("an SSH agent keeps it, and hands it out to nobody")]
    Agent,
    #[error("what it holds is neither `bearer:TOKEN` nor `basic:USER:PASSWORD` (it is not shown)")]
    NotAuthorization,
}

/// One thing that is not allowed, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    pub reason: Reason,
}

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of a settings file, counted from 1, and the key there where there is one.
    File { path: PathBuf, line: usize, key: Option<String> },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

/// Why it is not allowed. Completes the place: "greffe.toml:3: `name` …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("is not TOML: {0}")]
    Syntax(String),
    #[error("is given twice")]
    Duplicate,
    #[error("is not a key of {}{}", table_name(.table), suggestion(.nearest.as_deref()))]
    UnknownKey { table: String, nearest: Option<String> },
    #[error("is not a variable of greffe{}", suggestion(*.nearest))]
    UnknownVariable { nearest: Option<&'static str> },
    #[error("is not a rule of `greffe lint`{}", suggestion(.nearest.as_deref()))]
    UnknownRule { nearest: Option<String> },
    #[error("is {}: write `note`, `warning` or `error`; for a rule also `off`", .0.as_deref().unwrap_or("not a text"))]
    NotLevel(Option<String>),
    #[error("{0}")]
    Policy(Why),
    #[error("is not a version: write it in quotes, as the file has it")]
    NotVersion,
    #[error("is a table: write its keys below `[{0}]`")]
    NotTable(String),
    #[error("is of type {found}: write {}", toml_form(*.kind))]
    WrongType { kind: Kind, found: &'static str },
    /// `value` is left out where it might be a secret.
    #[error("is {}: write {}", .value.as_deref().unwrap_or("not of an allowed form (not shown here)"), .kind.allowed())]
    Invalid { kind: Kind, value: Option<String> },
    #[error("is not Unicode text: write {}", .kind.allowed())]
    NotUnicode { kind: Kind },
    #[error(
        "holds a password, which must not stand in this file: write `url = \"env:DATABASE_URL\"` and set that variable"
    )]
    PasswordInFile,
    #[error(
        "holds a password, which every user of this machine could read there: write `env:DATABASE_URL` and set that \
         variable"
    )]
    PasswordInArguments,
    #[error("cannot be used: {0}")]
    Endpoint(EndpointError),
    #[error("has no `{0}`")]
    FieldMissing(&'static str),
    #[error("has the name of the {0} before it")]
    NameTaken(&'static str),
    #[error("has the key of another one before it: one key is one witness")]
    KeyTaken,
    #[error("has a `vkey` that cannot be read: {0}")]
    Vkey(VkeyError),
    #[error("is for replicas of the kind `{0}:` alone")]
    OtherKind(&'static str),
    #[error("is not a list of tables: begin each {0} with `[[{0}]]`")]
    NotList(&'static str),
    #[error("is relative to a folder whose name is not Unicode: write an absolute path")]
    FolderNotUnicode,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.reason)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, key: Some(key) } => write!(f, "{}:{line}: `{key}`", path.display()),
            Self::File { path, line, key: None } => write!(f, "{}:{line}: this", path.display()),
            Self::Variable(name) => write!(f, "environment: `{name}`"),
            Self::Flag(flag) => write!(f, "command line: `{flag}`"),
        }
    }
}

/// At most 80 characters of `text` without control characters, for messages.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

fn listed(problems: &[Problem]) -> String {
    match problems {
        [one] => one.to_string(),
        _ => problems.iter().fold(format!("{} problems in the settings", problems.len()), |text, problem| {
            format!("{text}\n  {problem}")
        }),
    }
}

fn place_in_file(key: &Key) -> String {
    if key.table.is_empty() {
        format!("`{}` at the top", key.name)
    } else {
        format!("`{}` below `[{}]`", key.name, key.table)
    }
}

fn table_name(table: &str) -> String {
    if table.is_empty() { "greffe.toml".to_owned() } else { format!("`[{table}]`") }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; the nearest valid one is `{nearest}`")).unwrap_or_default()
}

fn toml_form(kind: Kind) -> String {
    match kind {
        Kind::Boolean => kind.allowed().to_owned(),
        Kind::Anchors | Kind::Origins | Kind::KeySources => {
            format!("a list in brackets of strings that are {}", kind.allowed())
        }
        _ => format!("a string in quotes, {}", kind.allowed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_is_short_and_on_one_line() {
        assert_eq!(printable("a\nb\u{1b}"), "a\\nb\\u{1b}");
        assert_eq!(printable(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }

    #[test]
    fn problems_are_listed_one_a_line() {
        let problem = |name: &str| Problem {
            place: Place::Variable(name.into()),
            reason: Reason::UnknownVariable { nearest: Some("GREFFE_NAME") },
        };
        let one =
            "environment: `GREFFE_NAM` is not a variable of greffe; the nearest valid one is `GREFFE_NAME`";
        assert_eq!(SettingsError::Invalid(vec![problem("GREFFE_NAM")]).to_string(), one);
        let two = SettingsError::Invalid(vec![problem("GREFFE_NAM"), problem("GREFFE_NAM")]).to_string();
        assert_eq!(two, format!("2 problems in the settings\n  {one}\n  {one}"));
    }

    #[test]
    fn a_missing_setting_says_the_three_ways_to_give_it() {
        let missing = |id| SettingsError::Missing(Key::of(id)).to_string();
        assert_eq!(
            missing(super::super::Id::DatabaseUrl),
            "setting `database.url` is missing: give it in greffe.toml (`url` below `[database]`), \
             in the environment as GREFFE_DATABASE_URL, or with the flag --database"
        );
        assert!(missing(super::super::Id::Name).contains("(`name` at the top)"));
    }
}
