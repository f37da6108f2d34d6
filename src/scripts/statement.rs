//! Splits a script into statements and names their kind.
//!
//! It reads any text in one pass and never fails. It does not judge whether the database would accept a statement;
//! where the database would refuse one, nothing after it runs, so the pieces after it may be cut in any way.

use std::fmt;
use std::ops::Range;

use super::{Dialect, mysql, postgresql, sqlite};

/// One statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Where it stands, in bytes: from its first token to its semicolon or, without one, its last token. In MySQL,
    /// where a client command may name another delimiter, without semicolon or delimiter.
    pub range: Range<usize>,
    /// What it is, such as `CREATE TABLE`; `OTHER` for what is not known. One of a fixed set of texts, so that
    /// nothing of the script gets into a log through it.
    pub kind: String,
    /// What it does to the transaction around it.
    pub control: Option<Control>,
}

/// How a statement would begin or end a transaction. Savepoints stay inside one and are none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// `BEGIN` or `START TRANSACTION`.
    Begin,
    /// `COMMIT` or `END`.
    Commit,
    /// `ROLLBACK` without `TO`, or `ABORT`.
    Rollback,
    /// A transaction in two phases: `PREPARE TRANSACTION`, `COMMIT PREPARED`, `ROLLBACK PREPARED`, `XA`.
    TwoPhase,
    /// `SET autocommit`.
    Autocommit,
}

impl fmt::Display for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::TwoPhase => "the transaction in two phases",
            Self::Autocommit => "SET autocommit",
        })
    }
}

/// The statements of a script in their order. What is only white space and comments is not listed, nor are client
/// commands that name a delimiter.
pub fn statements(dialect: Dialect, sql: &str) -> Vec<Statement> {
    match dialect {
        Dialect::Sqlite => sqlite::statements(sql),
        Dialect::Postgresql => postgresql::statements(sql),
        Dialect::Mysql => mysql::statements(sql),
    }
}

/// Where the tokens of one statement stand in it: all that is neither white space nor comment.
pub(crate) fn tokens(dialect: Dialect, statement: &str) -> Vec<Range<usize>> {
    match dialect {
        Dialect::Sqlite => sqlite::tokens(statement),
        Dialect::Postgresql => postgresql::tokens(statement),
        Dialect::Mysql => mysql::tokens(statement),
    }
}

/// The kind of what is not known.
pub(super) const OTHER: &str = "OTHER";

/// No keyword that decides anything is longer; what is, need not be copied.
const KEYWORD_LENGTH: usize = 32;

/// A word in upper case; nothing where it is too long for a keyword.
pub(super) fn upper(word: &str) -> String {
    if word.len() > KEYWORD_LENGTH { String::new() } else { word.to_ascii_uppercase() }
}

/// Whether a word is one of some keywords, in either case.
pub(crate) fn is_one_of(word: &str, keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// Finds the verb of a `WITH`: common tables end in a parenthesis, and the first word behind one that is not `AS`
/// is the verb, so a table may be called `replace` or `update`.
#[derive(Debug, Default)]
pub(super) struct MainVerb {
    depth: usize,
    after_group: bool,
    verb: Option<String>,
}

impl MainVerb {
    /// Takes the next token: a bare word, a parenthesis, or any other text for what is neither.
    pub(super) fn take(&mut self, token: &str) {
        if self.after_group && self.verb.is_none() && !token.is_empty() && !token.eq_ignore_ascii_case("AS") {
            self.verb = token.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| upper(token));
        }
        match token {
            "(" => self.depth += 1,
            ")" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.after_group = token == ")" && self.depth == 0;
    }

    /// How many parentheses are open.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn verb(&self) -> Option<&str> {
        self.verb.as_deref()
    }
}

/// The kinds that may stand behind `WITH`, and alone.
pub(super) fn main_kind(verb: &str) -> &'static str {
    match verb {
        "INSERT" => "INSERT",
        "UPDATE" => "UPDATE",
        "DELETE" => "DELETE",
        "MERGE" => "MERGE",
        "SELECT" | "TABLE" => "SELECT",
        "VALUES" => "VALUES",
        _ => OTHER,
    }
}
