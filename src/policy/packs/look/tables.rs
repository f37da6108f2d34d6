//! Whose rows are in a table: what a script has made, renamed and copied so far.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::{Created, Name, Statement};
use crate::scripts::Dialect;

/// What a script has done to tables so far.
pub(super) struct Tables {
    dialect: Dialect,
    made: BTreeMap<Name, Made>,
    /// What a table was called before the script renamed it.
    renamed: BTreeMap<String, String>,
    /// Tables that are dropped once their rows are copied, which loses nothing.
    copied: BTreeSet<String>,
    /// Tables that take such rows, by whose rows they are.
    copies: BTreeMap<String, String>,
}

/// A table that the script made.
struct Made {
    columns: Vec<String>,
    is_temporary: bool,
    /// It may have been there before.
    may_be_older: bool,
}

impl Tables {
    pub(super) fn of(dialect: Dialect, read: &[Statement<'_>]) -> Self {
        let (copied, copies) = rebuilt(dialect, read);
        Self { dialect, made: BTreeMap::new(), renamed: BTreeMap::new(), copied, copies }
    }

    /// A name without the schema that it has where nothing is said.
    fn key(&self, name: &Name) -> Name {
        let usual = match self.dialect {
            Dialect::Postgresql => "public",
            Dialect::Sqlite => "main",
            Dialect::Mysql => "",
        };
        let within = if name.within == usual { String::new() } else { name.within.clone() };
        Name { within, plain: name.plain.clone() }
    }

    fn made(&self, name: &Name) -> Option<&Made> {
        // A temporary table is in no schema that one can name.
        let made = self.made.get(&self.key(name))?;
        (!made.is_temporary || name.within.is_empty()).then_some(made)
    }

    /// What a table was called before the script; `None` where the script made it, so that nobody's rows are in it.
    pub(super) fn origin<'a>(&'a self, name: &'a Name) -> Option<&'a str> {
        let made = self.made(name);
        if let Some(of) = self.copies.get(&name.plain)
            && (made.is_some() || *of == name.plain)
        {
            return Some(of);
        }
        if made.is_some_and(|made| !made.may_be_older) {
            return None;
        }
        Some(self.renamed.get(&name.plain).unwrap_or(&name.plain))
    }

    /// The columns with which the script made a table.
    pub(super) fn columns(&self, name: &Name) -> Vec<String> {
        self.made(name).map(|made| made.columns.clone()).unwrap_or_default()
    }

    pub(super) fn note_made(&mut self, created: &Created, columns: Vec<String>) {
        let (is_temporary, may_be_older) = (created.is_temporary, created.may_be_older);
        self.made.insert(self.key(&created.name), Made { columns, is_temporary, may_be_older });
    }

    pub(super) fn note_renamed(&mut self, from: &Name, to: &Name) {
        let to = Name { within: from.within.clone(), plain: to.plain.clone() };
        match self.made.remove(&self.key(from)) {
            Some(made) => drop(self.made.insert(self.key(&to), made)),
            None => {
                let first = self.renamed.get(&from.plain).unwrap_or(&from.plain).clone();
                self.renamed.insert(to.plain, first);
            }
        }
    }

    /// Whether a table is to be dropped whose rows were copied before.
    pub(super) fn is_copied(&self, name: &Name) -> bool {
        self.copied.contains(&name.plain)
    }

    pub(super) fn note_dropped(&mut self, name: &Name) {
        self.made.remove(&self.key(name));
        self.copied.remove(&name.plain);
    }
}

/// Tables that a script drops after it copied all of their rows into one that takes their place, and the tables that take
/// them, as SQLite changes tables: the copy takes the name of the old one, or the old one made way for it.
fn rebuilt(dialect: Dialect, read: &[Statement<'_>]) -> (BTreeSet<String>, BTreeMap<String, String>) {
    let created = |one: &Statement<'_>| Some(one.created(0).filter(|made| made.is_table)?.name.plain);
    let created: BTreeSet<String> = read.iter().filter_map(created).collect();
    let whole = read.iter().enumerate().filter_map(|(place, one)| Some((copied(one)?, place)));
    let whole: BTreeMap<(String, String), usize> =
        whole.filter(|((new, _), _)| created.contains(new)).collect();
    let (mut gone, mut copies) = (BTreeSet::new(), BTreeMap::new());
    for (place, statement) in read.iter().enumerate() {
        let Some((table, at)) = statement.altered(0) else { continue };
        let Some(name) = statement.new_name(dialect, at) else { continue };
        let (from, to) = (table.plain, name.plain);
        let Some(filled) = whole.get(&(from.clone(), to.clone())) else { continue };
        gone.insert(to.clone());
        if *filled < place {
            copies.extend([(from, to.clone()), (to.clone(), to)]);
        } else {
            copies.insert(from.clone(), from);
        }
    }
    (gone, copies)
}

/// The table that an `INSERT` fills with all rows of another, and the other.
fn copied(statement: &Statement<'_>) -> Option<(String, String)> {
    if !statement.is(0, &["INSERT"]) {
        return None;
    }
    // What leaves rows out.
    const PARTS: [&str; 15] = [
        "WHERE",
        "LIMIT",
        "JOIN",
        "GROUP",
        "HAVING",
        "EXCEPT",
        "INTERSECT",
        "OFFSET",
        "FETCH",
        "TABLESAMPLE",
        "DISTINCT",
        "IGNORE",
        "CONFLICT",
        "VALUES",
        "WITH",
    ];
    let count = statement.tokens.len();
    if (0..count).any(|at| statement.is(at, &PARTS)) {
        return None;
    }
    let from = statement.outside(0, count, &["FROM"])?;
    let (old, _) = statement.name(from + 1);
    Some((statement.name(statement.inserted(0)).0.plain, old.plain))
}
