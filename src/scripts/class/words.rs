//! Looks over the tokens of a statement, also of a body in it, in a form that all dialects share.

use super::label::{is_label, is_prose};
use crate::scripts::Dialect;
use crate::scripts::statement::{is_one_of, tokens};

/// Bodies in bodies that are looked into.
const DEPTH: usize = 4;
/// Digits of a number that may name a person or an account.
const LONG_NUMBER: usize = 9;

/// What was met somewhere in a statement.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Literals that are no body.
    pub(super) literals: usize,
    /// Those among them that are plain labels.
    pub(super) labels: usize,
    /// Those that are labels or prose.
    pub(super) prose: usize,
    pub(super) long_numbers: usize,
    /// Rows are inserted, changed or deleted.
    pub(super) changes_rows: bool,
    /// Accounts, passwords, connection strings.
    pub(super) credentials: bool,
    /// A query is part of it.
    pub(super) queries: bool,
    /// Text is put in before it runs.
    pub(super) templated: bool,
    /// A literal or a parenthesis does not end, or one ends that did not begin.
    pub(super) incomplete: bool,
}

/// Looks over one statement.
pub(super) fn look(dialect: Dialect, statement: &str) -> Found {
    let mut found = Found { templated: is_templated(statement), ..Found::default() };
    look_into(dialect, statement, 0, &mut found);
    found
}

fn is_templated(statement: &str) -> bool {
    let pairs: [&[u8; 2]; 6] = [b"{{", b"{%", b"${", b"%(", b"<%", b"#{"];
    statement.as_bytes().windows(2).any(|window| pairs.iter().any(|pair| window == *pair))
}

fn look_into(dialect: Dialect, text: &str, depth: usize, found: &mut Found) {
    let mut before = [""; 4];
    let mut open = 0_i64;
    for range in tokens(dialect, text) {
        let token = text.get(range).unwrap_or_default();
        match token.as_bytes().first() {
            Some(b'(') => open += 1,
            Some(b')') => open -= 1,
            _ => {}
        }
        found.incomplete |= open < 0;
        take(dialect, token, &before, depth, found);
        before = [before[1], before[2], before[3], token];
    }
    found.incomplete |= open != 0;
}

/// `before`: the four tokens before this one.
fn take(dialect: Dialect, token: &str, before: &[&str; 4], depth: usize, found: &mut Found) {
    let last = before[3];
    if let Some(literal) = Literal::of(dialect, token) {
        found.incomplete |= !literal.ends;
        found.credentials |= is_credential(before, literal.inside);
        if literal.body && depth < DEPTH {
            return look_into(dialect, literal.inside, depth + 1, found);
        }
        if depth == 0 && literal.inside.len() > 20 && is_one_of(last, &["AS", "DO"]) {
            // A body in plain quotes; its own quotes are doubled.
            look_into(dialect, &literal.inside.replace("''", "'"), DEPTH, found);
        }
        found.literals += 1;
        let prose = is_prose(literal.inside);
        let commented = is_one_of(last, &["COMMENT"]) || last == "=" && is_one_of(before[2], &["COMMENT"]);
        found.labels += usize::from(is_label(literal.inside) || commented && prose);
        found.prose += usize::from(is_label(literal.inside) || prose);
        return;
    }
    if token.starts_with(|c: char| c.is_ascii_digit()) {
        let digits = token.bytes().filter(u8::is_ascii_digit).count();
        found.long_numbers += usize::from(digits >= LONG_NUMBER);
        return;
    }
    found.changes_rows |= changes_rows(token, before);
    found.queries |= is_one_of(token, &["SELECT", "VALUES"]) && !is_one_of(last, &["FOR", "TABLE"]);
    found.queries &= !is_partition(token, last);
    found.credentials |= is_one_of(last, &["IDENTIFIED"]) && is_one_of(token, &["BY", "WITH", "VIA", "AS"])
        || is_one_of(last, &["PRAGMA"]) && is_one_of(token, &["KEY", "REKEY", "HEXKEY", "HEXREKEY"])
        || is_one_of(last, &["SET"]) && token.eq_ignore_ascii_case("PASSWORD");
}

/// `VALUES LESS THAN` and `VALUES IN` bound a partition.
fn is_partition(token: &str, last: &str) -> bool {
    last.eq_ignore_ascii_case("VALUES") && is_one_of(token, &["LESS", "IN"])
}

fn changes_rows(token: &str, before: &[&str; 4]) -> bool {
    let last = before[3];
    match token {
        _ if token.eq_ignore_ascii_case("INTO") => {
            is_one_of(
                last,
                &["INSERT", "REPLACE", "MERGE", "IGNORE", "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY"],
            ) || is_one_of(before[1], &["INSERT"])
        }
        _ if token.eq_ignore_ascii_case("FROM") => is_one_of(last, &["DELETE"]),
        _ if token.eq_ignore_ascii_case("SET") => {
            let updated = |word: &str, ahead: &str| {
                word.eq_ignore_ascii_case("UPDATE") && !is_one_of(ahead, &["ON", "FOR", "KEY"])
            };
            updated(before[2], before[1]) || updated(before[0], "") || updated(before[1], before[0])
        }
        _ if token.eq_ignore_ascii_case("DATA") => last.eq_ignore_ascii_case("LOAD"),
        _ if token.eq_ignore_ascii_case("STDIN") => last.eq_ignore_ascii_case("FROM"),
        _ => false,
    }
}

/// A literal that is a password by what stands before it, or an address with one in it.
fn is_credential(before: &[&str; 4], inside: &str) -> bool {
    let last = before[3];
    is_one_of(last, &["PASSWORD", "CONNECTION", "PASSPHRASE"])
        || is_one_of(last, &["KEY"]) && is_one_of(before[1], &["AS"])
        || matches!(last, "=" | "(") && before[2].to_ascii_uppercase().ends_with("PASSWORD")
        || inside.split_once("://").is_some_and(|(_, rest)| {
            rest.split('/').next().is_some_and(|host| host.contains('@') && host.contains(':'))
        })
        || has_password_option(inside)
}

/// `password=` or `pwd=`, as connection strings have it.
fn has_password_option(text: &str) -> bool {
    ["password=", "pwd=", "accountkey="].iter().any(|option| {
        text.as_bytes().windows(option.len()).any(|window| window.eq_ignore_ascii_case(option.as_bytes()))
    })
}

/// A literal, and what stands between its quotes.
struct Literal<'a> {
    inside: &'a str,
    /// In dollar quotes.
    body: bool,
    ends: bool,
}

impl<'a> Literal<'a> {
    fn of(dialect: Dialect, token: &'a str) -> Option<Self> {
        if dialect == Dialect::Postgresql && token.starts_with('$') {
            return Self::in_dollars(token);
        }
        let prefix = token.find(['\'', '"']).filter(|at| *at <= 2)?;
        let quote = token.as_bytes().get(prefix).copied()?;
        let letters = token.get(..prefix)?;
        let is_prefix = letters.is_empty() || letters.bytes().all(|byte| b"eEbBxXnNuU&".contains(&byte));
        // Double quotes are names, except where the dialect takes them for texts.
        let is_text = quote == b'\'' || dialect == Dialect::Mysql;
        let rest = token.get(prefix + 1..)?;
        let ends = rest.as_bytes().last() == Some(&quote);
        let inside = if ends { rest.get(..rest.len() - 1)? } else { rest };
        // A name that does not end is no name.
        (is_prefix && (is_text || !ends)).then_some(Self { inside, body: false, ends })
    }

    fn in_dollars(token: &'a str) -> Option<Self> {
        let tag = token.get(1..)?.find('$')? + 2;
        let mark = token.get(..tag)?;
        let rest = token.get(tag..)?;
        let inside = rest.strip_suffix(mark);
        Some(Self { inside: inside.unwrap_or(rest), body: true, ends: inside.is_some() })
    }
}
