//! Columns that a script makes, and texts that it gives to columns.

use super::statement::{QUOTES, Statement};
use super::{COLUMNS, Looking, note, plain};
use crate::policy::packs::facts::MadeColumn;
use crate::scripts::Dialect;

impl Looking<'_> {
    fn make(&mut self, table: &str, column: &str, offset: usize) {
        let line = self.lines.line(offset);
        for class in self.classes.of_column(column) {
            let declared = self.classes.declared(table, column);
            self.facts.makes.push(MadeColumn { class: class.to_owned(), line, declared });
        }
    }

    /// Columns that a definition makes, or gives another name.
    pub(super) fn look_at_columns(&mut self, statement: &Statement<'_>) {
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
    pub(super) fn look_at_rows(&mut self, statement: &Statement<'_>) {
        for at in 0..statement.tokens.len() {
            if statement.is(at, &["INSERT"]) || at == 0 && statement.is(at, &["REPLACE"]) {
                self.look_at_insert(statement, statement.inserted(at));
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
            let line = self.lines.line(offset);
            for class in self.classes.of_column(&column).map(str::to_owned).collect::<Vec<_>>() {
                note(&mut self.facts.literals, &class, line);
            }
        }
    }

    fn look_at_insert(&mut self, statement: &Statement<'_>, at: usize) {
        let (table, mut at) = statement.name(at);
        let columns: Vec<String>;
        if statement.token(at) == "(" && !statement.is(at + 1, &["SELECT", "WITH", "VALUES"]) {
            let (starts, behind) = statement.group(at);
            columns = starts.into_iter().take(COLUMNS).map(|start| statement.name(start).0).collect();
            at = behind;
        } else {
            // Those with which the same script made the table.
            columns = self.made.get(&plain(&table)).cloned().unwrap_or_default();
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
