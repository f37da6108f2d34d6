//! What a statement gives away: schema only, something that nobody can judge by its form, or data and credentials.
//!
//! It reads any text in one pass and never fails. Whatever it does not know is at least [`Class::Unknown`]; only
//! statements that are known to describe a schema, and whose literals are plain labels, are [`Class::Schema`].
//!
//! | file | what it is |
//! |---|---|
//! | `kinds` | the class that a kind of statement begins with |
//! | `words` | the tokens of a statement, also of a body in it, in a form that all dialects share |
//! | `context` | whose value stands at a place: that of a column, an option, the other side of a comparison |
//! | `changes` | where rows are written, also behind a forgotten semicolon |
//! | `settings` | settings that say nothing of people |
//! | `literal` | what stands between the quotes of a literal or a name |
//! | `label` | whether a literal is a plain label, or prose |
//! | `people` | whether two words may be a person's name |

mod changes;
mod context;
mod kinds;
mod label;
mod literal;
mod people;
mod settings;
mod words;

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use self::kinds::{Base, base};
use self::words::{Found, look};
use super::statement::{OTHER, is_one_of, statements, tokens};
use super::{Dialect, Statement};

/// How much of people and secrets a statement may hold. Later is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Class {
    /// S0: schema only.
    #[serde(rename = "S0")]
    Schema,
    /// S1: code, or literals of which nobody can say what they mean.
    #[serde(rename = "S1")]
    Unknown,
    /// S2: carries data or credentials.
    #[serde(rename = "S2")]
    Data,
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Schema => "S0",
            Self::Unknown => "S1",
            Self::Data => "S2",
        })
    }
}

/// A statement and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// Of a fixed set of texts, as [`Statement::kind`].
    pub kind: String,
    pub class: Class,
}

/// Tokens of a statement that sets something that are looked at.
const SETTING: usize = 10_000;
/// The kind of lines that follow a `COPY … FROM STDIN`.
const COPY_DATA: &str = "COPY DATA";

/// Every statement of a script with its class, in their order. Comments outside of statements have none.
#[must_use]
pub fn classify(dialect: Dialect, sql: &str) -> Vec<Classified> {
    let data = copied_lines(sql);
    let blanked = (!data.is_empty()).then(|| without(sql, &data));
    let text = blanked.as_deref().unwrap_or(sql);
    let mut classified: Vec<Classified> =
        statements(dialect, text).into_iter().map(|statement| judge(dialect, text, statement)).collect();
    classified.extend(data.into_iter().map(|range| Classified {
        range,
        kind: COPY_DATA.to_owned(),
        class: Class::Data,
    }));
    classified.sort_by_key(|statement| statement.range.start);
    classified
}

/// The highest class of the statements of a script. Without a dialect it is read in all three, and those count that
/// know most of its statements.
#[must_use]
pub fn class_of_text(dialect: Option<Dialect>, sql: &str) -> Class {
    let highest = |classified: &[Classified]| {
        classified.iter().map(|statement| statement.class).max().unwrap_or(Class::Schema)
    };
    if let Some(dialect) = dialect {
        return highest(&classify(dialect, sql));
    }
    let read = [Dialect::Sqlite, Dialect::Postgresql, Dialect::Mysql].map(|dialect| {
        let classified = classify(dialect, sql);
        let unknown = classified.iter().filter(|statement| statement.kind.ends_with(OTHER)).count();
        (unknown + usize::from(is_misquoted(dialect, sql)), highest(&classified))
    });
    let fewest = read.iter().map(|(unknown, _)| *unknown).min().unwrap_or_default();
    let known = read.iter().filter(|(unknown, _)| *unknown == fewest);
    known.map(|(_, class)| *class).max().unwrap_or(Class::Unknown)
}

/// Whether names stand in quotes that the dialect does not take for those of a name.
pub(super) fn is_misquoted(dialect: Dialect, sql: &str) -> bool {
    const BEFORE: [&str; 10] =
        ["TABLE", "ON", "INDEX", "COLUMN", "EXISTS", "REFERENCES", "INTO", "CONSTRAINT", "JOIN", "TYPE"];
    let ranges = tokens(dialect, sql);
    let mut last = "";
    ranges.into_iter().filter_map(|range| sql.get(range)).any(|token| {
        let before = std::mem::replace(&mut last, token);
        match dialect {
            Dialect::Mysql => token.starts_with('"') && is_one_of(before, &BEFORE),
            Dialect::Postgresql => token.starts_with('`') && is_one_of(before, &BEFORE),
            Dialect::Sqlite => false,
        }
    })
}

fn judge(dialect: Dialect, sql: &str, statement: Statement) -> Classified {
    let text = sql.get(statement.range.clone()).unwrap_or_default();
    let found = look(dialect, text);
    let class = class_of(&statement.kind, &found).max(class_of_settings(dialect, &statement.kind, text));
    let class = if statement.kind == "SELECT" && !found.credentials && sets_a_known_setting(dialect, text) {
        Class::Schema
    } else {
        class
    };
    Classified { range: statement.range, kind: statement.kind, class }
}

/// What `SET`, `PRAGMA`, `ALTER DATABASE … SET` and modules of SQLite give away by what they set.
fn class_of_settings(dialect: Dialect, kind: &str, text: &str) -> Class {
    let word = match kind {
        "SET" | "PRAGMA" => kind,
        "ALTER DATABASE" => "SET",
        "CREATE VIRTUAL TABLE" => "USING",
        _ => return Class::Schema,
    };
    let tokens = words_of(dialect, text);
    let behind = tokens.iter().position(|token| token.eq_ignore_ascii_case(word));
    let rest = behind.and_then(|at| tokens.get(at + 1..)).unwrap_or_default();
    match kind {
        "CREATE VIRTUAL TABLE" => settings::class_of_module(rest),
        _ => settings::class_of(dialect, rest),
    }
}

fn sets_a_known_setting(dialect: Dialect, text: &str) -> bool {
    let tokens = words_of(dialect, text);
    settings::is_set_config(dialect, tokens.get(1..).unwrap_or_default())
}

fn words_of(dialect: Dialect, text: &str) -> Vec<&str> {
    tokens(dialect, text).into_iter().take(SETTING).filter_map(|range| text.get(range)).collect()
}

/// Data and credentials that stand anywhere outweigh the kind.
fn class_of(kind: &str, found: &Found) -> Class {
    let base = base(kind);
    if found.credentials || base == Base::Data || (found.changes_rows && base != Base::Code) {
        return Class::Data;
    }
    if base == Base::Code && found.changes_rows && found.literals > 0 {
        return Class::Data;
    }
    let unclear = found.incomplete || found.templated || found.people > 0 || found.long_numbers > 0;
    let (plain, numbers) = match base {
        _ if unclear => return Class::Unknown,
        Base::Code if found.changes_rows => return Class::Unknown,
        Base::Schema | Base::Setting => (found.labels, 0),
        Base::Prose => (found.prose, 0),
        Base::Plain => (0, 0),
        Base::Code | Base::Query => (found.formats, found.numbers),
        Base::Unknown | Base::Data => return Class::Unknown,
    };
    // A query in a definition chooses rows by its literals.
    let chosen = found.queries && found.literals > found.formats && base != Base::Setting;
    if found.literals > plain || numbers > 0 || chosen { Class::Unknown } else { Class::Schema }
}

/// Lines of data behind each `COPY … FROM STDIN;`, up to the line `\.` and with it.
fn copied_lines(sql: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // The end of the last `FROM STDIN` whose lines did not begin yet.
    let (mut waiting, mut begun, mut at) = (false, None, 0);
    for line in sql.split_inclusive('\n') {
        let end = at + line.len();
        match begun {
            Some(start) if line.trim_end() == "\\." => {
                found.push(start..end);
                begun = None;
            }
            Some(_) => {}
            None => {
                waiting |= mentions_stdin(line);
                if waiting && line.trim_end().ends_with(';') {
                    (waiting, begun) = (false, Some(end));
                }
            }
        }
        at = end;
    }
    found
}

fn mentions_stdin(line: &str) -> bool {
    const WANTED: &str = "FROM STDIN";
    line.as_bytes().windows(WANTED.len()).any(|window| window.eq_ignore_ascii_case(WANTED.as_bytes()))
}

/// The text with some ranges as spaces, byte for byte as long.
fn without(sql: &str, ranges: &[Range<usize>]) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut at = 0;
    for range in ranges {
        text.push_str(sql.get(at..range.start).unwrap_or_default());
        text.extend(std::iter::repeat_n(' ', range.len()));
        at = range.end;
    }
    text.push_str(sql.get(at..).unwrap_or_default());
    text
}

#[cfg(test)]
mod tests;
