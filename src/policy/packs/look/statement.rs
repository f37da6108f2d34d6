//! A statement as its tokens: names, lists, and what a definition is about.

use std::ops::Range;

use super::{COLUMNS, plain};
use crate::scripts::Dialect;
use crate::scripts::statement::{is_one_of, tokens};

/// Words that may stand between others, and parts of a name: no statement has more of them in a row.
const IN_A_ROW: usize = 8;
/// Tokens of a statement in which what belongs to its verb is looked for.
const NEAR: usize = 512;

/// A statement as its tokens, with the place where it begins.
pub(super) struct Statement<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
    pub(super) tokens: Vec<Range<usize>>,
}

/// A name as it is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// The schema or database that it is said to be in; empty where nothing is said.
    pub(super) within: String,
    /// Its last part.
    pub(super) plain: String,
}

/// A relation that a statement makes.
pub(super) struct Created {
    pub(super) name: Name,
    /// The place behind its name.
    pub(super) behind: usize,
    /// A table, rather than a view or a type.
    pub(super) is_table: bool,
    pub(super) is_temporary: bool,
    /// It may have been there before: `IF NOT EXISTS`.
    pub(super) may_be_older: bool,
    /// What was there before is gone: `OR REPLACE`.
    pub(super) replaces: bool,
}

impl<'a> Statement<'a> {
    pub(super) fn of(dialect: Dialect, sql: &'a str, range: Range<usize>) -> Self {
        let text = sql.get(range.clone()).unwrap_or_default();
        Self { text, start: range.start, tokens: tokens(dialect, text) }
    }

    pub(super) fn token(&self, at: usize) -> &'a str {
        self.tokens.get(at).and_then(|range| self.text.get(range.clone())).unwrap_or_default()
    }

    pub(super) fn is(&self, at: usize, words: &[&str]) -> bool {
        is_one_of(self.token(at), words)
    }

    /// Whether a statement may begin here: at the start, or in a body behind what only statements follow.
    pub(super) fn begins(&self, at: usize) -> bool {
        const BEFORE: [&str; 10] = [";", "BEGIN", "THEN", "ELSE", "LOOP", "DO", "AS", "ATOMIC", "ROW", ")"];
        let Some(before) = at.checked_sub(1) else { return true };
        self.is(before, &BEFORE) || self.token(before).starts_with("/*")
    }

    /// The place of the semicolon behind `at`, or of the end.
    pub(super) fn end(&self, at: usize) -> usize {
        (at..self.tokens.len()).find(|at| self.token(*at) == ";").unwrap_or(self.tokens.len())
    }

    /// The same, but not far from `at`.
    pub(super) fn near(&self, at: usize) -> usize {
        let last = self.tokens.len().min(at + NEAR);
        (at..last).find(|at| self.token(*at) == ";").unwrap_or(last)
    }

    /// The place behind some words, each of which may be missing.
    pub(super) fn skip(&self, at: usize, words: &[&str]) -> usize {
        let behind = (at..at + IN_A_ROW).find(|at| !self.is(*at, words));
        behind.unwrap_or(at + IN_A_ROW)
    }

    /// A name and the place behind it.
    pub(super) fn name(&self, mut at: usize) -> (Name, usize) {
        let mut parts = Vec::new();
        add_parts(self.token(at), &mut parts);
        while self.token(at + 1) == "." && parts.len() < IN_A_ROW {
            at += 2;
            // All columns of a table, where MySQL deletes from several.
            if self.token(at) != "*" {
                add_parts(self.token(at), &mut parts);
            }
        }
        let last = parts.pop().unwrap_or_default();
        (Name { within: parts.join("."), plain: last }, at + 1)
    }

    /// Names with commas between them, and the place behind them.
    pub(super) fn names(&self, mut at: usize) -> (Vec<Name>, usize) {
        let mut names = Vec::new();
        loop {
            let (name, behind) = self.name(self.skip(at, &["ONLY", "IF", "EXISTS"]));
            names.push(name);
            let behind = behind + usize::from(self.token(behind) == "*");
            if self.token(behind) != "," || names.len() > COLUMNS {
                return (names, behind);
            }
            at = behind + 1;
        }
    }

    /// The places at which the parts of the parentheses at `open` begin, and the place behind these.
    pub(super) fn group(&self, open: usize) -> (Vec<usize>, usize) {
        self.group_to(open, self.tokens.len())
    }

    /// The same where they close before `end`.
    pub(super) fn group_to(&self, open: usize, end: usize) -> (Vec<usize>, usize) {
        let (mut depth, mut starts, mut at) = (0_usize, Vec::new(), open);
        while at < end {
            match self.token(at) {
                "(" => {
                    depth += 1;
                    if depth == 1 {
                        starts.push(at + 1);
                    }
                }
                ")" => depth = depth.saturating_sub(1),
                "," if depth == 1 => starts.push(at + 1),
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        (starts, at)
    }

    /// The places from `at` to `end` at which parts begin that have commas between them, outside of parentheses.
    pub(super) fn parts(&self, at: usize, end: usize) -> Vec<usize> {
        let (mut depth, mut starts) = (0_usize, vec![at]);
        for at in at..end {
            match self.token(at) {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                "," if depth == 0 => starts.push(at + 1),
                _ => {}
            }
        }
        starts
    }

    /// The first of some words from `at` to `end` that is in no parentheses.
    pub(super) fn outside(&self, at: usize, end: usize, words: &[&str]) -> Option<usize> {
        let mut depth = 0_usize;
        for at in at..end {
            match self.token(at) {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ if depth == 0 && self.is(at, words) => return Some(at),
                _ => {}
            }
        }
        None
    }

    /// The place of the table behind an `INSERT`.
    pub(super) fn inserted(&self, at: usize) -> usize {
        const BETWEEN: [&str; 12] = [
            "OR",
            "REPLACE",
            "IGNORE",
            "ABORT",
            "FAIL",
            "ROLLBACK",
            "LOW_PRIORITY",
            "HIGH_PRIORITY",
            "DELAYED",
            "OVERWRITE",
            "INTO",
            "TABLE",
        ];
        self.skip(at + 1, &BETWEEN)
    }

    /// The place of a token in the script.
    pub(super) fn offset(&self, at: usize) -> usize {
        self.start + self.tokens.get(at).map_or(0, |range| range.start)
    }

    /// The table of an `ALTER TABLE` that stands at `at`, and what is done to it.
    pub(super) fn altered(&self, at: usize) -> Option<(Name, usize)> {
        if !self.is(at, &["ALTER"]) {
            return None;
        }
        let at = self.skip(at + 1, &["ONLINE", "IGNORE", "FOREIGN"]);
        self.is(at, &["TABLE"]).then(|| self.name(self.skip(at + 1, &["IF", "EXISTS", "ONLY"])))
    }

    /// What the `ALTER TABLE` whose actions begin at `at` calls its table from then on.
    pub(super) fn new_name(&self, dialect: Dialect, at: usize) -> Option<Name> {
        let renames = self.parts(at, self.end(at)).into_iter().find(|at| self.is(*at, &["RENAME"]))?;
        if self.is(renames + 1, &["TO", "AS"]) {
            return Some(self.name(renames + 2).0);
        }
        // MySQL needs no word between; the others rename a column so.
        let is_other = self.is(renames + 1, &["COLUMN", "INDEX", "KEY"]);
        (dialect == Dialect::Mysql && !is_other).then(|| self.name(renames + 1).0)
    }

    /// What a `CREATE` at `at` makes that has columns.
    pub(super) fn created(&self, at: usize) -> Option<Created> {
        const BETWEEN: [&str; 10] = [
            "OR",
            "REPLACE",
            "TEMP",
            "TEMPORARY",
            "GLOBAL",
            "LOCAL",
            "UNLOGGED",
            "FOREIGN",
            "VIRTUAL",
            "MATERIALIZED",
        ];
        if !self.is(at, &["CREATE"]) {
            return None;
        }
        let what = self.skip(at + 1, &BETWEEN);
        let has = |words: &[&str]| (at + 1..what).any(|at| self.is(at, words));
        let is_table = self.is(what, &["TABLE"]);
        let is_kept_view = has(&["MATERIALIZED"]) && self.is(what, &["VIEW"]);
        if !(is_table || is_kept_view || self.is(what, &["TYPE"])) {
            return None;
        }
        let named = self.skip(what + 1, &["IF", "NOT", "EXISTS"]);
        let (name, behind) = self.name(named);
        let is_temporary = has(&["TEMP", "TEMPORARY"]);
        let (may_be_older, replaces) = (named > what + 1, has(&["REPLACE"]));
        Some(Created { name, behind, is_table, is_temporary, may_be_older, replaces })
    }
}

const QUOTES: [char; 5] = ['"', '`', '[', ']', '\''];

/// The plain parts of a token: one, but where points stand in a bare word.
fn add_parts(token: &str, parts: &mut Vec<String>) {
    if let Some(escaped) = token.strip_prefix(['U', 'u']).and_then(|rest| rest.strip_prefix("&\"")) {
        parts.push(plain(&unescaped(escaped)));
    } else if token.starts_with(QUOTES) {
        parts.push(plain(token.trim_matches(QUOTES)));
    } else {
        parts.extend(token.split('.').map(plain));
    }
}

/// A name of PostgreSQL with characters by their numbers: `\0061`, `\+000061`.
fn unescaped(name: &str) -> String {
    let mut parts = name.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, length) = part.strip_prefix('+').map_or((part, 4), |digits| (digits, 6));
        let number = digits.get(..length).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match number.and_then(char::from_u32) {
            Some(sign) => {
                text.push(sign);
                text.push_str(digits.get(length..).unwrap_or_default());
            }
            None => text.push_str(part),
        }
    }
    text
}
