//! What a script does to tables and columns of a class: which lose rows, which change, which are made, which are given a
//! text. It looks at tokens, also at those in the bodies of functions and in texts that are run; what a program puts
//! together from pieces is not seen.
//!
//! | file | what it is |
//! |---|---|
//! | `statement` | a statement as its tokens |
//! | `columns` | columns that are made, and texts that they are given |

mod columns;
mod statement;

use std::collections::{BTreeMap, BTreeSet};

use self::statement::Statement;
use super::facts::ScriptFacts;
use super::pack::Class;
use crate::privacy::scan;
use crate::scripts::lint::Lines;
use crate::scripts::meaning::words;
use crate::scripts::statement::tokens;
use crate::scripts::{Dialect, statements};

/// How deep bodies in texts are looked at: a function that runs a text that runs a text.
const DEEPEST: usize = 3;
/// No verb is longer.
const LONGEST: usize = 16;
/// Columns of one list that are looked at.
const COLUMNS: usize = 2048;

/// Which names are of which class, and what columns are declared to be.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    pub classes: BTreeMap<String, Class>,
    /// What columns of these names are, by what they are: `tokenised`.
    pub declared: BTreeMap<String, Vec<String>>,
    /// The scanner's rules that are asked about values.
    pub findings: BTreeSet<String>,
}

impl Classes {
    fn of_table<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let name = plain(name);
        let found =
            self.classes.values().filter(move |class| class.tables.iter().any(|one| matches(one, &name)));
        found.map(|class| class.id.as_str())
    }

    fn of_column<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let name = plain(name);
        let found =
            self.classes.values().filter(move |class| class.columns.iter().any(|one| matches(one, &name)));
        found.map(|class| class.id.as_str())
    }

    /// What the column of a table is declared to be: by `column` or `table.column`.
    fn declared(&self, table: &str, column: &str) -> BTreeSet<String> {
        let (table, column) = (plain(table), plain(column));
        let is = |pattern: &String| match pattern.split_once('.') {
            Some((of, name)) => matches(of, &table) && matches(name, &column),
            None => matches(pattern, &column),
        };
        let found = self.declared.iter().filter(|(_, columns)| columns.iter().any(is));
        found.map(|(what, _)| what.clone()).collect()
    }
}

/// A name in small letters without accents, with `_` between its words.
fn plain(name: &str) -> String {
    let words = words(name.as_bytes());
    words.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

/// Whether a name is what a pattern says, in which `*` stands for any signs.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.as_bytes());
    let pattern = pattern.as_bytes();
    let (mut at, mut of, mut star) = (0, 0, None);
    while at < name.len() {
        match pattern.get(of) {
            Some(b'*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(sign) if *sign == name[at] => (at, of) = (at + 1, of + 1),
            // What the last star stands for is one sign longer.
            _ => match &mut star {
                Some((place, from)) => {
                    *from += 1;
                    (of, at) = (*place + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern.get(of..).unwrap_or_default().iter().all(|sign| *sign == b'*')
}

/// What a script does. `facts` says which script, and what it says of itself.
#[must_use]
pub fn look(dialect: Dialect, sql: &str, classes: &Classes, facts: ScriptFacts) -> ScriptFacts {
    let lines = Lines::of(sql);
    let read: Vec<Statement<'_>> =
        statements(dialect, sql).into_iter().map(|one| Statement::of(dialect, sql, one.range)).collect();
    let (made, renamed, rebuilt) = (BTreeMap::new(), BTreeMap::new(), rebuilt(&read));
    let mut looking = Looking { dialect, classes, lines, facts, made, renamed, rebuilt };
    for statement in &read {
        looking.look_at(statement, 0);
        looking.note_made(statement);
        looking.look_at_columns(statement);
        looking.look_at_rows(statement);
    }
    if !classes.findings.is_empty() {
        for finding in scan(sql.as_bytes()) {
            if classes.findings.contains(finding.rule.as_ref()) {
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
    let first = noted.entry(class.to_owned()).or_insert(line);
    *first = line.min(*first);
}

struct Looking<'a> {
    dialect: Dialect,
    classes: &'a Classes,
    lines: Lines<'a>,
    facts: ScriptFacts,
    /// Tables that the script has made so far, by their plain names, with their columns: nobody's rows are in them.
    made: BTreeMap<String, Vec<String>>,
    /// Tables that are made anew with their rows: a copy takes their place.
    rebuilt: BTreeSet<String>,
    /// What a table was called before the script renamed it.
    renamed: BTreeMap<String, String>,
}

impl Looking<'_> {
    /// Notes a table that is made, or gets another name.
    fn note_made(&mut self, statement: &Statement<'_>) {
        if let Some((table, open)) = statement.created() {
            let starts = if statement.token(open) == "(" { statement.group(open).0 } else { Vec::new() };
            let columns = starts.into_iter().take(COLUMNS).map(|start| statement.name(start).0);
            self.made.insert(plain(&table), columns.collect());
        }
        let Some((table, at)) = statement.altered() else { return };
        if statement.is(at, &["RENAME"]) && statement.is(at + 1, &["TO", "AS"]) {
            let (to, from) = (plain(&statement.name(at + 2).0), plain(&table));
            match self.made.get(&from).cloned() {
                Some(columns) => drop(self.made.insert(to, columns)),
                None => drop(self.renamed.insert(to, from)),
            }
        }
    }

    /// The classes of a table that was there before the script; by its old name where the script renames it.
    fn classes_of(&self, table: &str) -> Vec<String> {
        let name = plain(table);
        if self.made.contains_key(&name) {
            return Vec::new();
        }
        let name = self.renamed.get(&name).unwrap_or(&name);
        self.classes.of_table(name).map(str::to_owned).collect()
    }

    fn lose(&mut self, tables: &[String], line: usize) {
        for table in tables {
            self.change(table, line);
            let is_lost = !self.rebuilt.contains(&plain(table));
            for class in self.classes_of(table).into_iter().filter(|_| is_lost) {
                note(&mut self.facts.loses, &class, line);
            }
        }
    }

    fn change(&mut self, table: &str, line: usize) {
        for class in self.classes_of(table) {
            note(&mut self.facts.changes, &class, line);
        }
    }

    /// Looks for verbs anywhere in a statement: behind a forgotten semicolon, in a `WITH`, in a body.
    fn look_at(&mut self, statement: &Statement<'_>, depth: usize) {
        for at in 0..statement.tokens.len() {
            let line = self.lines.line(statement.offset(at));
            let word = statement.token(at);
            if word.len() > LONGEST || !word.starts_with(|first: char| first.is_ascii_alphabetic()) {
                self.look_into(statement, at, depth);
                continue;
            }
            match word.to_ascii_uppercase().as_str() {
                "DROP" if statement.is(at + 1, &["TABLE"]) => self.lose(&statement.names(at + 2), line),
                "DROP" if statement.is(at + 1, &["SCHEMA", "DATABASE"]) => self.lose_all(line),
                "TRUNCATE" => {
                    let first = at + 1 + usize::from(statement.is(at + 1, &["TABLE"]));
                    self.lose(&statement.names(first), line);
                }
                "DELETE" if statement.is(at + 1, &["FROM"]) => self.lose(&statement.names(at + 2), line),
                // Several tables of MySQL: `DELETE a, b FROM …`.
                "DELETE" if at == 0 => {
                    let first = statement.skip(at + 1, &["LOW_PRIORITY", "QUICK", "IGNORE"]);
                    let first = first + usize::from(statement.is(first, &["FROM"]));
                    self.lose(&statement.names(first), line);
                }
                "UPDATE" if !statement.is(at.wrapping_sub(1), &["ON", "FOR", "KEY", "DO"]) => {
                    let first = statement.skip(at + 1, &["ONLY", "OR", "REPLACE", "IGNORE", "LOW_PRIORITY"]);
                    self.change(&statement.name(first).0, line);
                }
                "INTO" => self.change(&statement.name(at + 1).0, line),
                // `INTO` may be missing in MySQL.
                "INSERT" | "REPLACE" => self.change(&statement.name(statement.inserted(at)).0, line),
                "COPY" if at == 0 => self.change(&statement.name(1).0, line),
                "ALTER" if at == 0 => self.look_at_alter(statement, line),
                "RENAME" if at == 0 && statement.is(1, &["TABLE", "TABLES"]) => {
                    self.change(&statement.name(2).0, line);
                }
                _ => self.look_into(statement, at, depth),
            }
        }
    }

    /// All classes lose rows: nobody can tell which tables were in it.
    fn lose_all(&mut self, line: usize) {
        let with_tables = self.classes.classes.values().filter(|class| !class.tables.is_empty());
        for class in with_tables {
            note(&mut self.facts.loses, &class.id, line);
            note(&mut self.facts.changes, &class.id, line);
        }
    }

    fn look_at_alter(&mut self, statement: &Statement<'_>, line: usize) {
        let Some((table, at)) = statement.altered() else { return };
        self.change(&table, line);
        const OTHERS: [&str; 9] =
            ["CONSTRAINT", "INDEX", "KEY", "FOREIGN", "PRIMARY", "CHECK", "DEFAULT", "NOT", "EXPRESSION"];
        let drops = |at: &usize| statement.is(*at, &["DROP"]) && !statement.is(at + 1, &OTHERS);
        // `ALTER COLUMN b DROP DEFAULT` names what it drops, `DROP b` a column.
        if (at..statement.tokens.len()).any(|at| drops(&at) && !statement.is(at + 1, &["IDENTITY"])) {
            self.lose(&[table], line);
        }
    }

    /// Looks at what a text holds, where it may be run: the body of a function, a block, what `EXECUTE` is given.
    fn look_into(&mut self, statement: &Statement<'_>, at: usize, depth: usize) {
        let token = statement.token(at);
        let inner = match token.as_bytes() {
            [b'\'', .., b'\''] => token.get(1..token.len() - 1),
            [b'$', ..] => token.find('$').and_then(|_| {
                let mark = token.get(..=1 + token.get(1..)?.find('$')?)?;
                token.strip_prefix(mark)?.strip_suffix(mark)
            }),
            _ => None,
        };
        const VERBS: [&str; 6] = ["drop", "truncate", "delete", "update", "insert", "alter"];
        let Some(inner) = inner.filter(|_| depth < DEEPEST) else { return };
        let lower = inner.to_ascii_lowercase();
        if !VERBS.iter().any(|verb| lower.contains(verb)) {
            return;
        }
        let start = statement.offset(at) + token.find(inner).unwrap_or_default();
        for one in statements(self.dialect, inner) {
            let text = inner.get(one.range.clone()).unwrap_or_default();
            let tokens = tokens(self.dialect, text);
            self.look_at(&Statement { text, start: start + one.range.start, tokens }, depth + 1);
        }
    }
}

/// Tables that the script drops after it copied their rows into a new one, which then takes their name.
fn rebuilt(read: &[Statement<'_>]) -> BTreeSet<String> {
    let created: BTreeSet<String> = read.iter().filter_map(|one| Some(plain(&one.created()?.0))).collect();
    let mut copied: BTreeSet<(String, String)> = BTreeSet::new();
    for statement in read.iter().filter(|one| one.is(0, &["INSERT"])) {
        let new = plain(&statement.name(statement.inserted(0)).0);
        if created.contains(&new) {
            let from = (0..statement.tokens.len()).filter(|at| statement.is(*at, &["FROM"]));
            copied.extend(from.map(|at| (new.clone(), plain(&statement.name(at + 1).0))));
        }
    }
    let renamed = read.iter().filter_map(|statement| {
        let (new, at) = statement.altered()?;
        let is_named = statement.is(at, &["RENAME"]) && statement.is(at + 1, &["TO", "AS"]);
        is_named.then(|| (plain(&new), plain(&statement.name(at + 2).0)))
    });
    renamed.filter(|names| copied.contains(names)).map(|(_, old)| old).collect()
}

#[cfg(test)]
mod tests;
