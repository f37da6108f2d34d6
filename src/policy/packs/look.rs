//! What a script does to tables and columns of a class: which lose rows, which change, which are made, which are given a
//! text. It looks at tokens, also at those in the bodies of functions and in texts that are run; what a program puts
//! together from pieces is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::facts::{MadeColumn, ScriptFacts};
use super::pack::Class;
use crate::privacy::scan;
use crate::scripts::lint::Lines;
use crate::scripts::meaning::words;
use crate::scripts::statement::{is_one_of, tokens};
use crate::scripts::{Dialect, statements};

/// How deep bodies in texts are looked at: a function that runs a text that runs a text.
const DEEPEST: usize = 3;
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
    let (made, renamed, rebuilt) = (BTreeSet::new(), BTreeMap::new(), rebuilt(&read));
    let mut looking = Looking { dialect, classes, lines, facts, made, renamed, rebuilt };
    for statement in &read {
        looking.look_at(statement, 0);
        looking.note_made(statement);
        looking.look_at_columns(statement);
        looking.look_at_rows(statement, &read);
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

/// A statement as its tokens, with the place where it begins.
struct Statement<'a> {
    text: &'a str,
    start: usize,
    tokens: Vec<Range<usize>>,
}

impl<'a> Statement<'a> {
    fn of(dialect: Dialect, sql: &'a str, range: Range<usize>) -> Self {
        let text = sql.get(range.clone()).unwrap_or_default();
        Self { text, start: range.start, tokens: tokens(dialect, text) }
    }

    fn token(&self, at: usize) -> &'a str {
        self.tokens.get(at).and_then(|range| self.text.get(range.clone())).unwrap_or_default()
    }

    fn is(&self, at: usize, words: &[&str]) -> bool {
        is_one_of(self.token(at), words)
    }

    /// The place behind some words, each of which may be missing.
    fn skip(&self, mut at: usize, words: &[&str]) -> usize {
        while self.is(at, words) {
            at += 1;
        }
        at
    }

    /// A name and the place behind it. Of one with points, the last part counts.
    fn name(&self, mut at: usize) -> (String, usize) {
        let mut found = self.token(at);
        while self.token(at + 1) == "." {
            at += 2;
            found = self.token(at);
        }
        let last = if is_quoted(found) { found } else { found.rsplit('.').next().unwrap_or(found) };
        (last.trim_matches(QUOTES).to_owned(), at + 1)
    }

    /// Names with commas between them.
    fn names(&self, mut at: usize) -> Vec<String> {
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
    fn group(&self, open: usize) -> (Vec<usize>, usize) {
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
    fn inserted(&self, at: usize) -> usize {
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
    fn offset(&self, at: usize) -> usize {
        self.start + self.tokens.get(at).map_or(0, |range| range.start)
    }

    /// The table of an `ALTER TABLE`, and what is done to it.
    fn altered(&self) -> Option<(String, usize)> {
        if !self.is(0, &["ALTER"]) {
            return None;
        }
        let at = self.skip(1, &["ONLINE", "IGNORE"]);
        self.is(at, &["TABLE"]).then(|| self.name(self.skip(at + 1, &["IF", "EXISTS", "ONLY"])))
    }

    /// The table of a `CREATE TABLE`, and the place behind its name.
    fn created(&self) -> Option<(String, usize)> {
        if !self.is(0, &["CREATE"]) {
            return None;
        }
        let at = self.skip(1, &["OR", "REPLACE", "TEMP", "TEMPORARY", "GLOBAL", "LOCAL", "UNLOGGED"]);
        self.is(at, &["TABLE"]).then(|| self.name(self.skip(at + 1, &["IF", "NOT", "EXISTS"])))
    }
}

const QUOTES: [char; 5] = ['"', '`', '[', ']', '\''];

fn is_quoted(token: &str) -> bool {
    token.starts_with(QUOTES)
}

struct Looking<'a> {
    dialect: Dialect,
    classes: &'a Classes,
    lines: Lines<'a>,
    facts: ScriptFacts,
    /// Tables that the script has made so far, by their plain names: nobody's rows are in them.
    made: BTreeSet<String>,
    /// Tables that are made anew with their rows: a copy takes their place.
    rebuilt: BTreeSet<String>,
    /// What a table was called before the script renamed it.
    renamed: BTreeMap<String, String>,
}

impl Looking<'_> {
    /// Notes a table that is made, or gets another name.
    fn note_made(&mut self, statement: &Statement<'_>) {
        if let Some((table, _)) = statement.created() {
            self.made.insert(plain(&table));
        }
        let Some((table, at)) = statement.altered() else { return };
        if statement.is(at, &["RENAME"]) && statement.is(at + 1, &["TO", "AS"]) {
            let (to, from) = (plain(&statement.name(at + 2).0), plain(&table));
            if self.made.contains(&from) {
                self.made.insert(to);
            } else {
                self.renamed.insert(to, from);
            }
        }
    }

    /// The classes of a table that was there before the script; by its old name where the script renames it.
    fn classes_of(&self, table: &str) -> Vec<String> {
        let name = plain(table);
        if self.made.contains(&name) {
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
            let line = self.lines.place(statement.offset(at)).0;
            let word = statement.token(at);
            if word.len() > 16 {
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

    fn make(&mut self, table: &str, column: &str, offset: usize) {
        let line = self.lines.place(offset).0;
        for class in self.classes.of_column(column) {
            let declared = self.classes.declared(table, column);
            self.facts.makes.push(MadeColumn { class: class.to_owned(), line, declared });
        }
    }

    /// Columns that a definition makes, or gives another name.
    fn look_at_columns(&mut self, statement: &Statement<'_>) {
        if let Some((table, at)) = statement.created() {
            if statement.token(at) == "(" {
                let (starts, _) = statement.group(at);
                for start in starts.into_iter().take(COLUMNS) {
                    self.make(&table, &statement.name(start).0, statement.offset(start));
                }
            }
            // Of a query: what its columns are called.
            for at in at..statement.tokens.len() {
                if statement.is(at, &["AS"]) {
                    self.make(&table, &statement.name(at + 1).0, statement.offset(at + 1));
                }
            }
        }
        let Some((table, first)) = statement.altered() else { return };
        for at in first..statement.tokens.len() {
            let column = if statement.is(at, &["ADD"]) {
                let column = statement.skip(at + 1, &["COLUMN", "IF", "NOT", "EXISTS"]);
                if statement.token(column) == "(" {
                    for start in statement.group(column).0.into_iter().take(COLUMNS) {
                        self.make(&table, &statement.name(start).0, statement.offset(start));
                    }
                }
                column
            } else if statement.is(at, &["CHANGE"]) {
                let old = statement.skip(at + 1, &["COLUMN", "IF", "EXISTS"]);
                statement.name(old).1
            } else if statement.is(at, &["RENAME"]) && !statement.is(at + 1, &["TO", "AS"]) {
                let old = statement.skip(at + 1, &["COLUMN"]);
                statement.name(old).1 + 1
            } else {
                continue;
            };
            self.make(&table, &statement.name(column).0, statement.offset(column));
        }
    }

    /// Texts that rows give to columns.
    fn look_at_rows(&mut self, statement: &Statement<'_>, all: &[Statement<'_>]) {
        for at in 0..statement.tokens.len() {
            if statement.is(at, &["INSERT"]) || at == 0 && statement.is(at, &["REPLACE"]) {
                self.look_at_insert(statement, statement.inserted(at), all);
            } else if statement.is(at, &["COPY"]) && at == 0 {
                let (_, behind) = statement.name(1);
                if statement.token(behind) == "(" && statement.text.to_ascii_lowercase().contains("stdin") {
                    let (starts, _) = statement.group(behind);
                    self.note_texts(
                        starts.into_iter().map(|start| (statement.name(start).0, statement.offset(start))),
                    );
                }
            } else if statement.token(at) == "=" && is_text(self.dialect, statement.token(at + 1)) && at > 0 {
                let name = statement.token(at - 1).trim_matches(QUOTES).to_owned();
                self.note_texts(std::iter::once((name, statement.offset(at + 1))));
            }
        }
    }

    fn note_texts(&mut self, columns: impl Iterator<Item = (String, usize)>) {
        for (column, offset) in columns {
            let line = self.lines.place(offset).0;
            for class in self.classes.of_column(&column).map(str::to_owned).collect::<Vec<_>>() {
                note(&mut self.facts.literals, &class, line);
            }
        }
    }

    fn look_at_insert(&mut self, statement: &Statement<'_>, at: usize, all: &[Statement<'_>]) {
        let (table, mut at) = statement.name(at);
        let mut columns: Vec<String> = Vec::new();
        if statement.token(at) == "(" && !statement.is(at + 1, &["SELECT", "WITH", "VALUES"]) {
            let (starts, behind) = statement.group(at);
            columns = starts.into_iter().take(COLUMNS).map(|start| statement.name(start).0).collect();
            at = behind;
        } else {
            // Those with which the same script made the table.
            let made = all.iter().find_map(|one| {
                let (name, open) = one.created()?;
                (plain(&name) == plain(&table) && one.token(open) == "(")
                    .then(|| one.group(open).0.into_iter().map(|start| one.name(start).0).collect())
            });
            columns = made.unwrap_or(columns);
        }
        let classed: Vec<bool> =
            columns.iter().map(|column| self.classes.of_column(column).next().is_some()).collect();
        if !classed.contains(&true) {
            return;
        }
        if !statement.is(at, &["VALUES", "VALUE"]) {
            // A query: the texts among what it selects are told by their place.
            return self.look_at_selected(statement, at, &columns);
        }
        at += 1;
        while statement.token(at) == "(" {
            let (starts, behind) = statement.group(at);
            let given = starts
                .into_iter()
                .zip(&columns)
                .filter(|(start, _)| is_text(self.dialect, statement.token(*start)));
            let given: Vec<(String, usize)> =
                given.map(|(start, column)| (column.clone(), statement.offset(start))).collect();
            self.note_texts(given.into_iter());
            at = behind + usize::from(statement.token(behind) == ",");
        }
    }

    /// The first list behind a `SELECT`.
    fn look_at_selected(&mut self, statement: &Statement<'_>, at: usize, columns: &[String]) {
        let Some(select) = (at..statement.tokens.len()).find(|at| statement.is(*at, &["SELECT"])) else {
            return;
        };
        let (mut depth, mut starts) = (0_usize, vec![select + 1]);
        for at in select + 1..statement.tokens.len() {
            match statement.token(at) {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                "," if depth == 0 => starts.push(at + 1),
                word if depth == 0 && word.eq_ignore_ascii_case("FROM") => break,
                _ => {}
            }
        }
        let given = starts
            .into_iter()
            .zip(columns)
            .filter(|(start, _)| is_text(self.dialect, statement.token(*start)));
        let given: Vec<(String, usize)> =
            given.map(|(start, column)| (column.clone(), statement.offset(start))).collect();
        self.note_texts(given.into_iter());
    }
}

/// Tables that the script drops after it copied their rows into a new one, which then takes their name.
fn rebuilt(read: &[Statement<'_>]) -> BTreeSet<String> {
    let created: BTreeSet<String> = read.iter().filter_map(|one| Some(plain(&one.created()?.0))).collect();
    let copies = |statement: &Statement<'_>, new: &str, old: &str| {
        let of = |word: &str, name: &str| {
            let mut places = 0..statement.tokens.len();
            places.any(|at| statement.is(at, &[word]) && plain(&statement.name(at + 1).0) == name)
        };
        statement.is(0, &["INSERT"]) && of("INTO", new) && of("FROM", old)
    };
    let mut rebuilt = BTreeSet::new();
    for statement in read {
        let Some((table, at)) = statement.altered() else { continue };
        let new = plain(&table);
        if statement.is(at, &["RENAME"]) && statement.is(at + 1, &["TO", "AS"]) && created.contains(&new) {
            let old = plain(&statement.name(at + 2).0);
            if read.iter().any(|one| copies(one, &new, &old)) {
                rebuilt.insert(old);
            }
        }
    }
    rebuilt
}

/// Whether a token is a text that is not empty.
fn is_text(dialect: Dialect, token: &str) -> bool {
    let token = token
        .strip_prefix(['E', 'e', 'N', 'n', 'U', 'u'])
        .filter(|rest| rest.starts_with('\''))
        .unwrap_or(token);
    match token.as_bytes() {
        [b'\'', b'\''] => false,
        [b'\'', ..] => true,
        [b'"', .., b'"'] => dialect == Dialect::Mysql && token.len() > 2,
        [b'$', ..] => token.ends_with('$') && token.len() > 4,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Direction;

    fn classes() -> Classes {
        let class = |id: &str, tables: &[&str], columns: &[&str]| {
            let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            (
                id.to_owned(),
                Class { id: id.to_owned(), tables: list(tables), columns: list(columns), ..Class::default() },
            )
        };
        Classes {
            classes: [
                class("p", &["patient", "dossier_*"], &[]),
                class("c", &[], &["cvv", "*_cvv"]),
                class("t", &[], &["avis"]),
            ]
            .into(),
            ..Classes::default()
        }
    }

    fn seen(dialect: Dialect, sql: &str) -> ScriptFacts {
        look(dialect, sql, &classes(), ScriptFacts::of("7", Direction::Up))
    }

    const ALL: [Dialect; 3] = [Dialect::Sqlite, Dialect::Postgresql, Dialect::Mysql];

    #[test]
    fn rows_that_are_lost_are_seen_however_that_is_written() {
        for sql in [
            "DROP TABLE patient;",
            "drop table if exists Patient cascade;",
            "DROP TABLE \"patient\";",
            "DROP TABLE hospital.patient;",
            "DROP TABLE a, patient;",
            "/* x */ DROP /* y */ TABLE patient;",
            "DELETE FROM patient;",
            "DELETE FROM patient WHERE id < 3;",
            "ALTER TABLE patient DROP COLUMN name;",
            "ALTER TABLE dossier_2024 RENAME TO old; DROP TABLE old;",
            "DROP TABLE patient; CREATE TABLE patient (id int);",
        ] {
            for dialect in ALL {
                assert!(seen(dialect, sql).loses.contains_key("p"), "{dialect:?} {sql}");
            }
        }
        for (dialect, sql) in [
            (Dialect::Postgresql, "TRUNCATE ONLY a, patient RESTART IDENTITY;"),
            (
                Dialect::Postgresql,
                "WITH gone AS (DELETE FROM patient RETURNING *) SELECT count(*) FROM gone;",
            ),
            (Dialect::Postgresql, "DO $$ BEGIN EXECUTE 'DROP TABLE patient'; END $$;"),
            (
                Dialect::Postgresql,
                "CREATE FUNCTION f() RETURNS void AS $x$ TRUNCATE patient $x$ LANGUAGE sql;",
            ),
            (Dialect::Postgresql, "DROP SCHEMA hospital CASCADE;"),
            (Dialect::Mysql, "DELETE patient, a FROM patient JOIN a ON a.id = patient.id;"),
            (Dialect::Mysql, "TRUNCATE TABLE `patient`;"),
            (Dialect::Mysql, "DROP DATABASE hospital;"),
            (Dialect::Mysql, "ALTER TABLE patient DROP PARTITION p0;"),
        ] {
            assert!(seen(dialect, sql).loses.contains_key("p"), "{dialect:?} {sql}");
        }
    }

    #[test]
    fn what_loses_nothing_is_not_said_to() {
        for sql in [
            "CREATE TABLE patient (id INTEGER); DROP TABLE patient;",
            "DROP INDEX patient_name; DROP VIEW patient_view;",
            "ALTER TABLE patient ADD COLUMN name TEXT;",
            "SELECT 'DROP TABLE patients';",
            "-- DROP TABLE patient;\nSELECT 1;",
            "DROP TABLE impatient;",
            "CREATE TABLE a (id INT REFERENCES patient(id) ON DELETE CASCADE);",
        ] {
            for dialect in ALL {
                assert_eq!(seen(dialect, sql).loses, BTreeMap::new(), "{dialect:?} {sql}");
            }
        }
        // How SQLite changes a table: its rows are copied.
        let rebuilt = "CREATE TABLE new_patient (id INTEGER); INSERT INTO new_patient SELECT id FROM patient; DROP TABLE patient; \
                       ALTER TABLE new_patient RENAME TO patient;";
        let facts = seen(Dialect::Sqlite, rebuilt);
        assert!(facts.loses.is_empty() && facts.changes.contains_key("p"), "{facts:?}");
        let emptied = rebuilt.replace("INSERT INTO new_patient SELECT id FROM patient;", "");
        assert!(seen(Dialect::Sqlite, &emptied).loses.contains_key("p"));
    }

    #[test]
    fn columns_and_texts_are_seen() {
        for sql in [
            "CREATE TABLE a (id INT, cvv TEXT);",
            "ALTER TABLE a ADD COLUMN cvv TEXT;",
            "ALTER TABLE a ADD cvv TEXT;",
            "ALTER TABLE a RENAME COLUMN b TO card_cvv;",
            "CREATE TABLE a AS SELECT b AS cvv FROM c;",
            "CREATE TABLE a (\"CVV\" TEXT);",
        ] {
            for dialect in ALL {
                let made: Vec<_> = seen(dialect, sql).makes.into_iter().map(|made| made.class).collect();
                assert_eq!(made, ["c"], "{dialect:?} {sql}");
            }
        }
        assert_eq!(seen(Dialect::Mysql, "ALTER TABLE a CHANGE b cvv INT;").makes.len(), 1);
        for sql in [
            "INSERT INTO b (id, avis) VALUES (1, 'x');",
            "INSERT INTO b (id, avis) VALUES (1, NULL), (2, 'x');",
            "UPDATE b SET avis = 'x';",
            "CREATE TABLE b (id INT, avis TEXT); INSERT INTO b VALUES (1, 'x');",
            "INSERT INTO b (id, avis) SELECT 1, 'x';",
        ] {
            for dialect in ALL {
                assert!(seen(dialect, sql).literals.contains_key("t"), "{dialect:?} {sql}");
            }
        }
        for sql in [
            "INSERT INTO b (id, avis) VALUES ('x', NULL);",
            "UPDATE b SET avis = other;",
            "UPDATE b SET avis = '';",
        ] {
            for dialect in ALL {
                assert_eq!(seen(dialect, sql).literals, BTreeMap::new(), "{dialect:?} {sql}");
            }
        }
        let copied = "COPY b (id, avis) FROM stdin;\n1\tx\n\\.\n";
        assert!(seen(Dialect::Postgresql, copied).literals.contains_key("t"));
    }

    #[test]
    fn patterns_match_whole_names_in_any_spelling() {
        for (pattern, name, expected) in [
            ("patient", "patient", true),
            ("patient", "patients", false),
            ("patient_*", "patient_note", true),
            ("*_patient", "old_patient", true),
            ("*_patient", "patient", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("*", "", true),
            ("**", "x", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        for name in ["DossierMédical", "dossier_medical", "DOSSIER-MEDICAL"] {
            assert_eq!(plain(name), "dossier_medical");
        }
    }

    #[test]
    fn any_text_is_looked_at() {
        for sql in [
            "DROP TABLE",
            "INSERT INTO",
            "ALTER TABLE a ADD (",
            "CREATE TABLE a (",
            "$$",
            "'",
            "DELETE",
            "COPY",
            "TRUNCATE,",
            "=",
        ] {
            for dialect in ALL {
                let _ = seen(dialect, sql);
            }
        }
    }
}
