//! What a statement gives away: schema only, something that nobody can judge by its form, or data and credentials.
//!
//! It reads any text in one pass and never fails. Whatever it does not know is at least [`Class::Unknown`]; only
//! statements that are known to describe a schema, and whose literals are plain labels, are [`Class::Schema`].
//!
//! | file | what it is |
//! |---|---|
//! | `kinds` | the class that a kind of statement begins with |
//! | `words` | the tokens of a statement, also of a body in it, in a form that all dialects share |
//! | `label` | whether a literal is a plain label, or prose |

mod kinds;
mod label;
mod words;

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use self::kinds::{Base, base};
use self::words::{Found, look};
use super::statement::statements;
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

fn judge(dialect: Dialect, sql: &str, statement: Statement) -> Classified {
    let text = sql.get(statement.range.clone()).unwrap_or_default();
    let found = look(dialect, text);
    let class = class_of(&statement.kind, &found);
    Classified { range: statement.range, kind: statement.kind, class }
}

/// Data and credentials that stand anywhere outweigh the kind.
fn class_of(kind: &str, found: &Found) -> Class {
    let base = base(kind);
    if found.credentials || base == Base::Data || (found.changes_rows && base != Base::Code) {
        return Class::Data;
    }
    if base == Base::Code {
        return if found.changes_rows && found.literals > 0 { Class::Data } else { Class::Unknown };
    }
    let long_numbers = found.long_numbers > 0 && !kind.ends_with("SEQUENCE");
    if found.incomplete || found.templated || long_numbers {
        return Class::Unknown;
    }
    let literals = match base {
        Base::Schema => found.literals - found.labels,
        Base::Prose => found.literals - found.prose,
        Base::Plain | Base::Query => found.literals,
        Base::Unknown | Base::Code | Base::Data => return Class::Unknown,
    };
    match (literals, found.queries && found.literals > 0) {
        (0, false) => Class::Schema,
        _ => Class::Unknown,
    }
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
