//! Statements of MySQL, MariaDB and SQLite that lose data, stop writers or break the programs that run: few rules, each
//! with the page of the database's manual that says so. For PostgreSQL a linter of others is asked.
//!
//! It looks at tokens. A table that the same script makes is nobody's yet, so that nothing is found about it.

use std::collections::BTreeSet;

use super::rules::Rule;
use super::statement_rules::{MYSQL, SQLITE};
use super::{Finding, Lines};
use crate::model::Direction;
use crate::scripts::Dialect;
use crate::scripts::statement::{Statement, is_one_of, statements, tokens};

/// What the statements of one way of a script do. A way down is there to drop what the way up made.
#[must_use]
pub fn judge(
    dialect: Dialect,
    (file, sql): (&str, &str),
    direction: Direction,
    transaction: bool,
) -> Vec<Finding> {
    if dialect == Dialect::Postgresql {
        return Vec::new();
    }
    let found = statements(dialect, sql);
    let read: Vec<Read<'_>> = found.iter().map(|statement| Read::of(dialect, sql, statement)).collect();
    let made = made_here(&read);
    let lines = Lines::of(sql);
    let mut findings = Vec::new();
    for (statement, read) in found.iter().zip(&read) {
        let mut hits: Vec<Hit> = match dialect {
            Dialect::Sqlite => sqlite(read, &made, transaction),
            _ => mysql(read, &made),
        };
        hits.sort_by_key(|hit| hit.id);
        hits.dedup_by_key(|hit| (hit.id, hit.name.clone()));
        for Hit { id, name } in hits {
            let rules: &[Rule] = if dialect == Dialect::Sqlite { &SQLITE } else { &MYSQL };
            let Some(rule) = rules.iter().find(|rule| rule.id.ends_with(id)) else { continue };
            if direction == Direction::Down && !is_asked_down(id) {
                continue;
            }
            let what = rule.what.trim_end_matches('.');
            let message = if name.is_empty() { what.to_owned() } else { format!("`{name}`: {what}") };
            findings.push(Finding::of_file(rule, file, message).at(lines.place(statement.range.start)));
        }
    }
    findings
}

/// What a way down should not do either.
fn is_asked_down(id: &str) -> bool {
    matches!(id, "/table-copied" | "/index-stops-writers" | "/foreign-keys-in-transaction" | "/add-not-null")
}

/// A rule that finds something, by the end of its name, and what it is about.
struct Hit {
    id: &'static str,
    name: String,
}

fn hit(id: &'static str, name: impl Into<String>) -> Hit {
    Hit { id, name: name.into() }
}

/// A statement as the tokens in it.
struct Read<'a> {
    kind: &'a str,
    tokens: Vec<&'a str>,
}

impl<'a> Read<'a> {
    /// Rows may follow one another for megabytes; what is looked at stands at the beginning, and is a definition.
    fn of(dialect: Dialect, sql: &'a str, statement: &'a Statement) -> Self {
        const LONGEST: usize = 256 * 1024;
        const DEFINITIONS: [&str; 8] = [
            "CREATE TABLE",
            "ALTER TABLE",
            "DROP TABLE",
            "RENAME TABLE",
            "TRUNCATE",
            "CREATE INDEX",
            "PRAGMA",
            "RENAME",
        ];
        let kind = statement.kind.as_str();
        if !DEFINITIONS.contains(&kind) {
            return Self { kind, tokens: Vec::new() };
        }
        let text = sql.get(statement.range.clone()).unwrap_or_default();
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let read = tokens(dialect, text).into_iter().filter_map(|range| text.get(range));
        Self { kind, tokens: read.filter(|token| *token != ";").collect() }
    }

    /// What stands behind some words that come in this order, each of which may be missing.
    fn behind(&self, words: &[&str]) -> &[&'a str] {
        let mut rest = self.tokens.as_slice();
        for word in words {
            if let [first, more @ ..] = rest
                && first.eq_ignore_ascii_case(word)
            {
                rest = more;
            }
        }
        rest
    }

    fn has(&self, words: &[&str]) -> bool {
        self.tokens
            .windows(words.len())
            .any(|window| window.iter().zip(words).all(|(token, word)| token.eq_ignore_ascii_case(word)))
    }
}

/// Names of the tables that a script makes, and of those that it puts in the place of others.
fn made_here(read: &[Read<'_>]) -> BTreeSet<String> {
    let mut made = BTreeSet::new();
    for statement in read {
        match statement.kind {
            "CREATE TABLE" => {
                let words = ["CREATE", "OR", "REPLACE", "TEMP", "TEMPORARY", "TABLE", "IF", "NOT", "EXISTS"];
                made.insert(name(statement.behind(&words)).0);
            }
            "ALTER TABLE" => {
                let (table, rest) = altered(statement);
                // The table takes the place of one that was dropped: nothing is lost that was not copied.
                if let [rename, to, rest @ ..] = rest
                    && is_one_of(rename, &["RENAME"])
                    && is_one_of(to, &["TO", "AS"])
                    && made.contains(&table)
                {
                    made.insert(name(rest).0);
                }
            }
            _ => {}
        }
    }
    made
}

/// A name as it is compared, and what stands behind it. Of a name with points, the last part counts.
fn name<'a, 'b>(tokens: &'b [&'a str]) -> (String, &'b [&'a str]) {
    let mut rest = tokens;
    let mut found = "";
    while let [part, more @ ..] = rest {
        found = part;
        rest = more;
        match rest {
            [".", more @ ..] => rest = more,
            _ => break,
        }
    }
    // Where a lexer takes a name with its points for one word.
    let last = found.rsplit('.').next().unwrap_or(found);
    (last.trim_matches(['"', '`', '[', ']', '\'']).to_lowercase(), rest)
}

/// The table of an `ALTER TABLE`, and what is done to it.
fn altered<'a, 'b>(statement: &'b Read<'a>) -> (String, &'b [&'a str]) {
    name(statement.behind(&["ALTER", "ONLINE", "IGNORE", "TABLE", "IF", "EXISTS"]))
}

/// Parts with commas between them, outside of parentheses.
fn parts<'a, 'b>(tokens: &'b [&'a str]) -> Vec<&'b [&'a str]> {
    let mut depth = 0_usize;
    tokens
        .split(|token| {
            match *token {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            *token == "," && depth == 0
        })
        .collect()
}

fn starts(tokens: &[&str], words: &[&str]) -> bool {
    tokens.len() >= words.len()
        && tokens.iter().zip(words).all(|(token, word)| token.eq_ignore_ascii_case(word))
}

fn contains(tokens: &[&str], words: &[&str]) -> bool {
    tokens.windows(words.len()).any(|window| starts(window, words))
}

/// Whether the definition of a column asks for a value and gives none.
fn lacks_default(definition: &[&str]) -> bool {
    let gives = ["DEFAULT", "AUTO_INCREMENT", "GENERATED", "AS", "SERIAL", "IDENTITY"];
    contains(definition, &["NOT", "NULL"]) && !definition.iter().any(|token| is_one_of(token, &gives))
}

/// What stands behind the words that a part begins with, where it does.
fn after<'a, 'b>(tokens: &'b [&'a str], first: &str, optional: &[&str]) -> Option<&'b [&'a str]> {
    let [verb, rest @ ..] = tokens else { return None };
    if !verb.eq_ignore_ascii_case(first) {
        return None;
    }
    let mut rest = rest;
    for word in optional {
        if let [token, more @ ..] = rest
            && token.eq_ignore_ascii_case(word)
        {
            rest = more;
        }
    }
    Some(rest)
}

fn dropped(statement: &Read<'_>, made: &BTreeSet<String>) -> Vec<Hit> {
    if statement.has(&["DROP", "TEMPORARY"]) {
        return Vec::new();
    }
    let tables = parts(statement.behind(&["DROP", "TABLE", "IF", "EXISTS"]));
    let names = tables.into_iter().map(|tokens| name(tokens).0);
    names.filter(|table| !made.contains(table)).map(|table| hit("/drop-table", table)).collect()
}

fn sqlite(statement: &Read<'_>, made: &BTreeSet<String>, transaction: bool) -> Vec<Hit> {
    match statement.kind {
        "DROP TABLE" => dropped(statement, made),
        "PRAGMA" if transaction && statement.tokens.len() > 2 => {
            let setting = statement.tokens.iter().rev().any(|token| is_one_of(token, &["foreign_keys"]));
            setting.then(|| hit("/foreign-keys-in-transaction", "")).into_iter().collect()
        }
        "ALTER TABLE" => {
            let (table, rest) = altered(statement);
            if made.contains(&table) {
                return Vec::new();
            }
            let found = if let Some(column) = after(rest, "DROP", &["COLUMN"]) {
                hit("/drop-column", format!("{table}.{}", name(column).0))
            } else if let Some(column) = after(rest, "ADD", &["COLUMN"]) {
                if !lacks_default(column) {
                    return Vec::new();
                }
                hit("/add-not-null", format!("{table}.{}", name(column).0))
            } else if starts(rest, &["RENAME", "TO"]) {
                hit("/rename-table", table)
            } else if let Some(column) = after(rest, "RENAME", &["COLUMN"]) {
                hit("/rename-column", format!("{table}.{}", name(column).0))
            } else {
                return Vec::new();
            };
            vec![found]
        }
        _ => Vec::new(),
    }
}

fn mysql(statement: &Read<'_>, made: &BTreeSet<String>) -> Vec<Hit> {
    match statement.kind {
        "DROP TABLE" => dropped(statement, made),
        "TRUNCATE" => {
            let table = name(statement.behind(&["TRUNCATE", "TABLE"])).0;
            (!made.contains(&table)).then(|| hit("/truncate", table)).into_iter().collect()
        }
        "RENAME TABLE" => {
            let tables = parts(statement.behind(&["RENAME", "TABLE", "TABLES", "IF", "EXISTS"]));
            let names = tables.into_iter().map(|tokens| name(tokens).0);
            names.filter(|table| !made.contains(table)).map(|table| hit("/rename-table", table)).collect()
        }
        "CREATE INDEX" => {
            let locks = statement.tokens.get(1).is_some_and(|word| is_one_of(word, &["FULLTEXT", "SPATIAL"]));
            let table = statement.tokens.iter().position(|token| token.eq_ignore_ascii_case("ON"));
            let table = table.and_then(|at| statement.tokens.get(at + 1..)).map(|rest| name(rest).0);
            let table = table.filter(|table| locks && !made.contains(table));
            table.map(|table| hit("/index-stops-writers", table)).into_iter().collect()
        }
        "ALTER TABLE" => {
            let (table, rest) = altered(statement);
            if made.contains(&table) {
                return Vec::new();
            }
            // What the server may not copy it refuses, and copies nothing unasked.
            let way = |words: [&str; 2]| {
                let [what, how] = words;
                contains(rest, &[what, "=", how]) || contains(rest, &[what, how])
            };
            let told = ["INSTANT", "INPLACE", "NOCOPY"].into_iter().any(|how| way(["ALGORITHM", how]));
            let mut hits: Vec<Hit> =
                parts(rest).into_iter().flat_map(|part| mysql_part(&table, part)).collect();
            if way(["ALGORITHM", "COPY"]) || way(["LOCK", "EXCLUSIVE"]) {
                hits.push(hit("/table-copied", table));
            }
            hits.retain(|hit| !(told && matches!(hit.id, "/table-copied" | "/add-foreign-key")));
            hits
        }
        _ => Vec::new(),
    }
}

/// What one part of an `ALTER TABLE` does.
fn mysql_part(table: &str, part: &[&str]) -> Vec<Hit> {
    let of = |column: &[&str]| format!("{table}.{}", name(column).0);
    let copied = || vec![hit("/table-copied", table)];
    if starts(part, &["DROP", "PRIMARY"]) {
        return copied();
    }
    if let Some(column) = after(part, "DROP", &["COLUMN", "IF", "EXISTS"]) {
        const OTHERS: [&str; 8] =
            ["INDEX", "KEY", "FOREIGN", "CONSTRAINT", "CHECK", "PARTITION", "SYSTEM", "PERIOD"];
        let is_column = part.get(1).is_some_and(|word| !is_one_of(word, &OTHERS));
        return is_column.then(|| hit("/drop-column", of(column))).into_iter().collect();
    }
    if let Some(column) = after(part, "ADD", &["COLUMN", "IF", "NOT", "EXISTS"]) {
        return added(table, column);
    }
    if let Some(column) = after(part, "CHANGE", &["COLUMN", "IF", "EXISTS"]) {
        let (old, rest) = name(column);
        let renamed = (name(rest).0 != old).then(|| hit("/rename-column", format!("{table}.{old}")));
        return renamed.into_iter().chain(copied()).collect();
    }
    if starts(part, &["RENAME", "COLUMN"]) {
        return vec![hit("/rename-column", of(part.get(2..).unwrap_or_default()))];
    }
    if starts(part, &["RENAME", "INDEX"]) || starts(part, &["RENAME", "KEY"]) {
        return Vec::new();
    }
    if starts(part, &["RENAME"]) {
        return vec![hit("/rename-table", table)];
    }
    const COPIES: [&str; 5] = ["MODIFY", "CONVERT", "ORDER", "ENGINE", "FORCE"];
    if part.first().is_some_and(|word| is_one_of(word, &COPIES)) { copied() } else { Vec::new() }
}

/// What is added: columns, one or several in parentheses, keys and indexes.
fn added(table: &str, tokens: &[&str]) -> Vec<Hit> {
    if contains(tokens, &["FOREIGN", "KEY"]) {
        return vec![hit("/add-foreign-key", table)];
    }
    let Some(first) = tokens.first() else { return Vec::new() };
    if is_one_of(first, &["FULLTEXT", "SPATIAL"]) {
        return vec![hit("/index-stops-writers", table)];
    }
    const OTHERS: [&str; 9] =
        ["INDEX", "KEY", "UNIQUE", "PRIMARY", "CONSTRAINT", "CHECK", "PARTITION", "SYSTEM", "PERIOD"];
    if is_one_of(first, &OTHERS) {
        return Vec::new();
    }
    let inner = tokens.strip_prefix(&["("]).map(|rest| rest.strip_suffix(&[")"]).unwrap_or(rest));
    let mut hits = Vec::new();
    for column in parts(inner.unwrap_or(tokens)) {
        if lacks_default(column) {
            hits.push(hit("/add-not-null", format!("{table}.{}", name(column).0)));
        }
        if column.iter().any(|token| token.eq_ignore_ascii_case("AUTO_INCREMENT")) {
            hits.push(hit("/table-copied", table));
        }
    }
    hits
}

#[cfg(test)]
mod tests;
