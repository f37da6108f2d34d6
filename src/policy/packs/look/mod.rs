//! What a script does to tables and columns of a class: which lose rows, which change, which are made, which are given a
//! text. It looks at tokens, also at those in the bodies of functions and in texts that are run; of what a program puts
//! together from pieces, only that it drops or empties something is seen, and then it may be anything.
//!
//! | file | what it is |
//! |---|---|
//! | `classes` | which names are of which class |
//! | `statement` | a statement as its tokens |
//! | `tables` | whose rows are in a table, as the script has it so far |
//! | `columns` | columns that are made |
//! | `rows` | texts that columns are given |

mod classes;
mod columns;
mod rows;
mod statement;
mod tables;

use std::collections::{BTreeMap, HashMap};

pub use self::classes::Classes;
use self::classes::plain;
use self::rows::text_of;
use self::statement::{Name, Statement};
use self::tables::Tables;
use super::facts::ScriptFacts;
use crate::privacy::scan;
use crate::scripts::lint::Lines;
use crate::scripts::statement::{is_one_of, tokens};
use crate::scripts::{Dialect, statements};

/// How deep bodies in texts are looked at: a function that runs a text that runs a text.
const DEEPEST: usize = 3;
/// Columns of one list that are looked at.
const COLUMNS: usize = 2048;
/// What a script does. `facts` says which script, and what it says of itself.
#[must_use]
pub fn look(dialect: Dialect, sql: &str, classes: &Classes, facts: ScriptFacts) -> ScriptFacts {
    let read: Vec<Statement<'_>> =
        statements(dialect, sql).into_iter().map(|one| Statement::of(dialect, sql, one.range)).collect();
    let tables = Tables::of(dialect, &read);
    let lower = sql.to_ascii_lowercase();
    let runs_texts = ["execute", "prepare", "dblink"].iter().any(|word| lower.contains(word));
    let (lines, known) = (Lines::of(sql), HashMap::new());
    let mut looking = Looking { dialect, classes, lines, facts, tables, known, runs_texts };
    for statement in &read {
        looking.look_at(statement, 0);
    }
    if classes.asks_for_findings() {
        for finding in scan(sql.as_bytes()) {
            if classes.asks_for(&finding.rule) {
                note(&mut looking.facts.literals, &finding.rule, finding.line);
            }
        }
    }
    looking.facts.makes.sort_unstable();
    looking.facts.makes.dedup_by(|one, other| (&one.class, &one.declared) == (&other.class, &other.declared));
    looking.facts
}

/// Notes a class with the first line of it.
fn note(noted: &mut BTreeMap<String, usize>, class: &str, line: usize) {
    match noted.get_mut(class) {
        Some(first) => *first = line.min(*first),
        None => drop(noted.insert(class.to_owned(), line)),
    }
}

struct Looking<'a> {
    dialect: Dialect,
    classes: &'a Classes,
    lines: Lines<'a>,
    facts: ScriptFacts,
    tables: Tables,
    /// Classes of tables, by their plain names.
    known: HashMap<String, Vec<&'a str>>,
    /// Whether the script may run what it holds as a text.
    runs_texts: bool,
}

impl<'a> Looking<'a> {
    /// The classes of a table that was there before the script; by its old name where the script renames it.
    fn classes_of(&mut self, table: &Name) -> Vec<&'a str> {
        let Some(name) = self.tables.origin(table) else { return Vec::new() };
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let (name, classes) = (name.to_owned(), self.classes.of_table(name).collect::<Vec<_>>());
        self.known.insert(name, classes.clone());
        classes
    }

    fn lose(&mut self, table: &Name, line: usize) {
        for class in self.classes_of(table) {
            note(&mut self.facts.changes, class, line);
            note(&mut self.facts.loses, class, line);
        }
    }

    fn change(&mut self, table: &Name, line: usize) {
        for class in self.classes_of(table) {
            note(&mut self.facts.changes, class, line);
        }
    }

    /// All classes lose rows: nobody can tell which tables were in it.
    fn lose_all(&mut self, line: usize) {
        for class in self.classes.with_tables() {
            note(&mut self.facts.loses, class, line);
            note(&mut self.facts.changes, class, line);
        }
    }

    /// Tables that lose rows. In a text that is put together, what has no name may be any.
    fn lose_each(&mut self, tables: &[Name], line: usize, depth: usize) {
        let is_any = depth > 0 && self.runs_texts && tables.iter().any(|table| table.plain.is_empty());
        if is_any {
            self.lose_all(line);
        }
        tables.iter().for_each(|table| self.lose(table, line));
    }

    /// Looks for verbs anywhere in a statement: behind a forgotten semicolon, in a `WITH`, in a body.
    fn look_at(&mut self, statement: &Statement<'_>, depth: usize) {
        // Up to where a definition reaches, whose parts are told by what they are parts of.
        let (mut at, mut defined) = (0, 0);
        while at < statement.tokens.len() {
            let word = statement.token(at);
            if !is_one_of(word, &VERBS) {
                self.look_into(statement, at, depth);
                at += 1;
                continue;
            }
            let line = (self.lines.line(statement.offset(at)), depth);
            let is_defined = at < defined && is_one_of(word, &DEFINED);
            match word.as_bytes().first().map(u8::to_ascii_uppercase) {
                _ if is_defined => at += 1,
                Some(b'A') => {
                    defined = self.look_at_alter(statement, at, line).max(defined);
                    at += 1;
                }
                Some(b'C') if statement.is(at, &["CREATE"]) => {
                    defined = self.look_at_create(statement, at, line.0).max(defined);
                    at += 1;
                }
                Some(b'D' | b'T') => at = self.look_at_loss(statement, at, line),
                _ => at = self.look_at_change(statement, at, line),
            }
        }
        self.look_at_rows(statement);
    }

    /// What is dropped or emptied at `at`; gives the place behind its names.
    fn look_at_loss(&mut self, statement: &Statement<'_>, at: usize, (line, depth): (usize, usize)) -> usize {
        const QUIETLY: [&str; 4] = ["LOW_PRIORITY", "QUICK", "IGNORE", "HISTORY"];
        let next = at + 1;
        if statement.is(at, &["TRUNCATE"]) {
            // A function of numbers.
            if statement.token(next) == "(" {
                return next;
            }
            let (tables, behind) = statement.names(next + usize::from(statement.is(next, &["TABLE"])));
            self.lose_each(&tables, line, depth);
            return behind.max(next);
        }
        if statement.is(at, &["DELETE"]) {
            let first = statement.skip(next, &QUIETLY);
            let is_from = statement.is(first, &["FROM"]);
            if !is_from && !statement.begins(at) {
                return next;
            }
            let (tables, behind) = statement.names(first + usize::from(is_from));
            self.lose_each(&tables, line, depth);
            tables.iter().for_each(|table| self.lose_named(statement, table, (behind, line)));
            return behind;
        }
        let what = next + usize::from(statement.is(next, &["FOREIGN"]));
        if statement.is(what, &["TABLE", "TABLES"]) {
            let (tables, behind) = statement.names(what + 1);
            let gone: Vec<Name> = tables.into_iter().filter(|table| !self.is_moved(table, line)).collect();
            self.lose_each(&gone, line, depth);
            gone.iter().for_each(|table| self.tables.note_dropped(table));
            return behind;
        }
        // What goes with a type or an extension is told by the database alone.
        let is_wide = statement.is(next, &["TYPE", "DOMAIN", "EXTENSION"])
            && (next..statement.near(next)).any(|at| statement.is(at, &["CASCADE"]));
        if is_wide || statement.is(next, &["SCHEMA", "DATABASE", "OWNED"]) {
            self.lose_all(line);
        }
        next
    }

    /// Whether the rows of a table that is dropped were copied before.
    fn is_moved(&mut self, table: &Name, line: usize) -> bool {
        let classes = self.classes_of(table);
        let is_moved = self.tables.is_copied(table);
        if is_moved {
            classes.into_iter().for_each(|class| note(&mut self.facts.changes, class, line));
            self.tables.note_dropped(table);
        }
        is_moved
    }

    /// A table that loses rows by another name, which a statement gives it behind `behind`: `DELETE p FROM patient AS p`.
    fn lose_named(&mut self, statement: &Statement<'_>, name: &Name, (behind, line): (usize, usize)) {
        for at in behind + 1..statement.near(behind) {
            if name.within.is_empty() && !name.plain.is_empty() && plain(statement.token(at)) == name.plain {
                let table = at - 1 - usize::from(statement.is(at - 1, &["AS"]));
                self.lose(&statement.name(table).0, line);
            }
        }
    }

    /// What changes at `at`; gives the place behind its first name.
    fn look_at_change(
        &mut self,
        statement: &Statement<'_>,
        at: usize,
        (line, depth): (usize, usize),
    ) -> usize {
        let next = at + 1;
        match statement.token(at).to_ascii_uppercase().as_str() {
            "UPDATE" if !statement.is(at.wrapping_sub(1), &["ON", "FOR", "KEY", "DO"]) => {
                self.look_at_update(statement, next, line);
            }
            "INTO" => self.change(&statement.name(statement.skip(next, &["TABLE", "ONLY"])).0, line),
            // `INTO` may be missing in MySQL.
            "INSERT" | "REPLACE" => self.change(&statement.name(statement.inserted(at)).0, line),
            "COPY" if statement.begins(at) => self.change(&statement.name(next).0, line),
            "MERGE" => {
                let end = statement.near(at);
                let deletes = |at: usize| statement.is(at, &["THEN"]) && statement.is(at + 1, &["DELETE"]);
                if (at..end).any(deletes) {
                    self.lose(&statement.name(statement.skip(next, &["INTO", "ONLY"])).0, line);
                }
            }
            "RENAME" if statement.is(next, &["TABLE", "TABLES"]) => {
                let first = statement.skip(next + 1, &["IF", "EXISTS"]);
                for start in statement.parts(first, statement.near(first)) {
                    let (from, behind) = statement.name(start);
                    self.change(&from, line);
                    if let Some(to) = (behind..behind + 4).find(|at| statement.is(*at, &["TO"])) {
                        self.tables.note_renamed(&from, &statement.name(to + 1).0);
                    }
                }
            }
            "SELECT" if depth == 0 && self.dialect == Dialect::Postgresql && statement.begins(at) => {
                let end = statement.near(at);
                let into = statement.outside(at, end, &["INTO", "FROM"]);
                if let Some(into) = into.filter(|into| statement.is(*into, &["INTO"])) {
                    let name = statement.skip(into + 1, &["TEMP", "TEMPORARY", "UNLOGGED", "TABLE"]);
                    self.look_at_query(statement, &statement.name(name).0, at, end);
                }
            }
            _ => {}
        }
        next
    }

    /// The tables of an `UPDATE` behind `at`: of several that MySQL joins, those of which a column is set.
    fn look_at_update(&mut self, statement: &Statement<'_>, at: usize, line: usize) {
        let first = statement.skip(at, &["ONLY", "OR", "REPLACE", "IGNORE", "LOW_PRIORITY"]);
        let end = statement.near(first);
        self.change(&statement.name(first).0, line);
        let Some(set) = statement.outside(first, end, &["SET"]).filter(|_| self.dialect == Dialect::Mysql)
        else {
            return;
        };
        let behind = statement.outside(set, end, &["WHERE", "ORDER", "LIMIT"]).unwrap_or(end);
        let columns = statement.parts(set + 1, behind);
        let owners: Vec<Name> = columns.into_iter().map(|start| statement.name(start).0).collect();
        for at in first..set {
            if !statement.is(at, &[",", "JOIN", "STRAIGHT_JOIN"]) {
                continue;
            }
            let (table, behind) = statement.name(at + 1);
            let other = plain(statement.token(statement.skip(behind, &["AS"])));
            let is_set = |column: &Name| {
                let owner = column.within.rsplit('.').next().unwrap_or_default();
                owner.is_empty() || owner == table.plain || owner == other
            };
            if owners.iter().any(is_set) {
                self.change(&table, line);
            }
        }
    }

    /// A definition of what has columns; gives the place behind it.
    fn look_at_create(&mut self, statement: &Statement<'_>, at: usize, line: usize) -> usize {
        let Some(created) = statement.created(at) else { return at };
        let end = statement.end(at);
        let columns = self.look_at_created(statement, &created, end);
        if created.is_table {
            if created.replaces {
                self.lose(&created.name, line);
            }
            self.tables.note_made(&created, columns);
        }
        end
    }

    /// What an `ALTER TABLE` does; gives the place behind it.
    fn look_at_alter(
        &mut self,
        statement: &Statement<'_>,
        at: usize,
        (line, depth): (usize, usize),
    ) -> usize {
        /// What MySQL drops of a table that holds nothing; the others have columns of these names.
        const NOTHING: [&str; 5] = ["INDEX", "KEY", "FOREIGN", "PRIMARY", "CHECK"];
        let Some((table, first)) = statement.altered(at) else { return at };
        let end = statement.end(at);
        self.change(&table, line);
        let is_mysql = self.dialect == Dialect::Mysql;
        let loses = |at: usize| {
            let of_nothing =
                statement.is(at + 1, &["CONSTRAINT"]) || is_mysql && statement.is(at + 1, &NOTHING);
            statement.is(at, &["DROP"]) && !of_nothing
                || is_mysql && statement.is(at, &["TRUNCATE", "DISCARD"])
        };
        // In a text that is put together, a name may be of several tokens.
        let is_any = table.plain.is_empty() && (first..end).any(loses);
        if is_any || statement.parts(first, end).into_iter().any(loses) {
            self.lose_each(std::slice::from_ref(&table), line, depth);
        }
        self.look_at_added(statement, &table, first, end);
        if let Some(name) = statement.new_name(self.dialect, first) {
            self.tables.note_renamed(&table, &name);
        }
        end
    }

    /// Looks at what a text holds, where it may be run: the body of a function, a block, what `EXECUTE` is given.
    fn look_into(&mut self, statement: &Statement<'_>, at: usize, depth: usize) {
        let token = statement.token(at);
        let Some(inner) = text_of(self.dialect, token).filter(|_| depth < DEEPEST) else { return };
        let lower = inner.to_ascii_lowercase();
        if !VERBS.iter().any(|verb| lower.contains(verb)) {
            return;
        }
        let start = statement.offset(at) + token.find(inner).unwrap_or_default();
        for one in statements(self.dialect, inner) {
            let text = inner.get(one.range.clone()).unwrap_or_default();
            let tokens = tokens(self.dialect, text);
            let inner = Statement { text, start: start + one.range.start, tokens };
            // What begins with another word is told to people.
            if token.starts_with('$') || inner.is(0, &BEGINNINGS) {
                self.look_at(&inner, depth + 1);
            }
        }
    }
}

/// Words behind which names of tables are looked for, in small letters.
const VERBS: [&str; 13] = [
    "alter", "copy", "create", "delete", "drop", "insert", "into", "merge", "rename", "replace", "select",
    "truncate", "update",
];
/// Those that are told by the definition that they are parts of.
const DEFINED: [&str; 5] = ["ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE"];
/// Words with which a text begins that may be run and does something to tables.
const BEGINNINGS: [&str; 27] = [
    "ALTER", "BEGIN", "CALL", "CASE", "COPY", "CREATE", "DECLARE", "DELETE", "DO", "DROP", "ELSE", "ELSIF",
    "EXECUTE", "EXPLAIN", "FOR", "IF", "INSERT", "INTO", "LOOP", "MERGE", "PERFORM", "RENAME", "REPLACE",
    "TRUNCATE", "UPDATE", "WHILE", "WITH",
];

#[cfg(test)]
mod tests;
