//! A statement as its tokens: names, lists, and what a definition is about.

use std::ops::Range;

use super::COLUMNS;
use crate::scripts::Dialect;
use crate::scripts::statement::{is_one_of, tokens};

/// A statement as its tokens, with the place where it begins.
pub(super) struct Statement<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
    pub(super) tokens: Vec<Range<usize>>,
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

    /// The place behind some words, each of which may be missing.
    pub(super) fn skip(&self, mut at: usize, words: &[&str]) -> usize {
        while self.is(at, words) {
            at += 1;
        }
        at
    }

    /// A name and the place behind it. Of one with points, the last part counts.
    pub(super) fn name(&self, mut at: usize) -> (String, usize) {
        let mut found = self.token(at);
        while self.token(at + 1) == "." {
            at += 2;
            found = self.token(at);
        }
        let last = if is_quoted(found) { found } else { found.rsplit('.').next().unwrap_or(found) };
        (last.trim_matches(QUOTES).to_owned(), at + 1)
    }

    /// Names with commas between them.
    pub(super) fn names(&self, mut at: usize) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            let (name, behind) = self.name(self.skip(at, &["ONLY", "IF", "EXISTS"]));
            names.push(name);
            let behind = behind + usize::from(self.token(behind) == "*");
            if self.token(behind) != "," || names.len() > COLUMNS {
                return names;
            }
            at = behind + 1;
        }
    }

    /// The places at which the parts of the parentheses at `open` begin, and the place behind these.
    pub(super) fn group(&self, open: usize) -> (Vec<usize>, usize) {
        let (mut depth, mut starts, mut at) = (0_usize, Vec::new(), open);
        while at < self.tokens.len() {
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

    /// The place of the table behind an `INSERT`.
    pub(super) fn inserted(&self, at: usize) -> usize {
        const BETWEEN: [&str; 11] = [
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
        ];
        self.skip(at + 1, &BETWEEN)
    }

    /// The place of a token in the script.
    pub(super) fn offset(&self, at: usize) -> usize {
        self.start + self.tokens.get(at).map_or(0, |range| range.start)
    }

    /// The table of an `ALTER TABLE`, and what is done to it.
    pub(super) fn altered(&self) -> Option<(String, usize)> {
        if !self.is(0, &["ALTER"]) {
            return None;
        }
        let at = self.skip(1, &["ONLINE", "IGNORE"]);
        self.is(at, &["TABLE"]).then(|| self.name(self.skip(at + 1, &["IF", "EXISTS", "ONLY"])))
    }

    /// The table of a `CREATE TABLE`, and the place behind its name.
    pub(super) fn created(&self) -> Option<(String, usize)> {
        if !self.is(0, &["CREATE"]) {
            return None;
        }
        let at = self.skip(1, &["OR", "REPLACE", "TEMP", "TEMPORARY", "GLOBAL", "LOCAL", "UNLOGGED"]);
        self.is(at, &["TABLE"]).then(|| self.name(self.skip(at + 1, &["IF", "NOT", "EXISTS"])))
    }
}

pub(super) const QUOTES: [char; 5] = ['"', '`', '[', ']', '\''];

fn is_quoted(token: &str) -> bool {
    token.starts_with(QUOTES)
}
