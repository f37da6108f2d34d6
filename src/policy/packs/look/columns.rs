//! Columns that a script makes.

use super::statement::{Created, Name, Statement};
use super::{COLUMNS, Looking};
use crate::policy::packs::facts::MadeColumn;

impl Looking<'_> {
    fn make(&mut self, table: &Name, statement: &Statement<'_>, at: usize) {
        let column = statement.name(at).0.plain;
        for class in self.classes.of_column(&column) {
            let line = self.lines.line(statement.offset(at));
            let declared = self.classes.declared(&table.plain, &column);
            self.facts.makes.push(MadeColumn { class: class.to_owned(), line, declared });
        }
    }

    /// The columns of what is created at `at`, up to `end`; gives those that are named before any query.
    pub(super) fn look_at_created(
        &mut self,
        statement: &Statement<'_>,
        created: &Created,
        end: usize,
    ) -> Vec<String> {
        let table = &created.name;
        // `USING` a module, or a type `AS` its parts.
        let module = usize::from(statement.is(created.behind, &["USING"]));
        let open = created.behind + 2 * module;
        let open = open + usize::from(statement.is(open, &["AS"]) && statement.token(open + 1) == "(");
        let mut columns = Vec::new();
        if statement.token(open) == "(" && !statement.is(open + 1, &["SELECT", "WITH", "VALUES"]) {
            for start in statement.group(open).0.into_iter().take(COLUMNS) {
                self.make(table, statement, start);
                columns.push(statement.name(start).0.plain);
            }
        }
        self.look_at_query(statement, table, created.behind, end);
        columns
    }

    /// The columns of a query whose rows become a table: each is called what its part ends with.
    pub(super) fn look_at_query(&mut self, statement: &Statement<'_>, table: &Name, at: usize, end: usize) {
        for at in at..end {
            if statement.is(at, &["AS"]) {
                self.make(table, statement, at + 1);
            }
        }
        let Some(select) = statement.outside(at, end, &["SELECT"]) else { return };
        let behind = statement.outside(select, end, &["FROM", "INTO"]).unwrap_or(end);
        let starts = statement.parts(select + 1, behind);
        let ends = starts.iter().skip(1).map(|start| start - 1).chain([behind]);
        for (start, end) in starts.iter().zip(ends).take(COLUMNS) {
            let last = end.saturating_sub(1);
            if last >= *start && !last.checked_sub(1).is_some_and(|at| statement.is(at, &["AS"])) {
                self.make(table, statement, last);
            }
        }
    }

    /// Columns that an `ALTER TABLE` makes, or gives another name, from `at` to `end`.
    pub(super) fn look_at_added(&mut self, statement: &Statement<'_>, table: &Name, at: usize, end: usize) {
        let mut at = at;
        while at < end {
            let mut column = None;
            if statement.is(at, &["ADD"]) {
                let first = statement.skip(at + 1, &["COLUMN", "IF", "NOT", "EXISTS"]);
                if statement.token(first) == "(" {
                    let (starts, behind) = statement.group(first);
                    starts.into_iter().take(COLUMNS).for_each(|start| self.make(table, statement, start));
                    at = behind;
                    continue;
                }
                column = Some(first);
            } else if statement.is(at, &["CHANGE"]) {
                let old = statement.skip(at + 1, &["COLUMN", "IF", "EXISTS"]);
                column = Some(statement.name(old).1);
            } else if statement.is(at, &["RENAME"]) && !statement.is(at + 1, &["TO", "AS"]) {
                let old = statement.skip(at + 1, &["COLUMN"]);
                column = Some(statement.name(old).1 + 1);
            }
            if let Some(column) = column {
                self.make(table, statement, column);
            }
            at += 1;
        }
    }
}
