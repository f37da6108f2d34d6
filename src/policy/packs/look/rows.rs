//! Texts that a script gives to columns.

use super::statement::{Name, Statement};
use super::{COLUMNS, Looking, note};
use crate::scripts::Dialect;

/// Tokens of an expression that are looked at behind a `=`, and before it for a list of columns.
const NEAR: usize = 256;

impl Looking<'_> {
    /// Texts that rows give to columns.
    pub(super) fn look_at_rows(&mut self, statement: &Statement<'_>) {
        let (mut at, mut open) = (0, Vec::new());
        let mut group = None;
        while at < statement.tokens.len() {
            let word = statement.token(at);
            match word {
                "(" => open.push(at),
                ")" => group = open.pop(),
                "=" if at > 0 => self.look_at_set(statement, at, group),
                _ if statement.is(at, &["INSERT"]) || at == 0 && statement.is(at, &["REPLACE"]) => {
                    at = self.look_at_insert(statement, statement.inserted(at)).max(at + 1);
                    continue;
                }
                _ if at == 0 && statement.is(at, &["COPY"]) => self.look_at_copy(statement),
                _ => {}
            }
            at += 1;
        }
    }

    /// What stands at the `=` at `at`. `group`: where the parentheses open that closed last.
    fn look_at_set(&mut self, statement: &Statement<'_>, at: usize, group: Option<usize>) {
        const BEHIND: [&str; 8] = [";", "WHERE", "FROM", "RETURNING", "AND", "OR", "WHEN", "END"];
        let last = (at + NEAR).min(statement.tokens.len());
        let end = statement.outside(at + 1, last, &BEHIND).unwrap_or(last);
        if statement.token(at - 1) == ")" {
            // Several columns at once: `(a, b) = (1, 2)`.
            let Some(open) = group.filter(|open| at - open < NEAR) else { return };
            let columns = statement.group_to(open, at).0;
            let columns: Vec<String> = columns.into_iter().map(|at| statement.name(at).0.plain).collect();
            let row = statement.skip(at + 1, &["ROW"]);
            if statement.token(row) == "(" {
                let (starts, behind) = statement.group_to(row, last);
                self.note_values(statement, &starts, behind.saturating_sub(1), &columns);
            }
            return;
        }
        let behind = statement.parts(at + 1, end).get(1).map_or(end, |next| next - 1);
        if self.is_given(statement, at + 1, behind) {
            let column = statement.name(at - 1).0.plain;
            self.note_text(&column, statement.offset(at + 1));
        }
    }

    fn look_at_copy(&mut self, statement: &Statement<'_>) {
        let (table, behind) = statement.name(1);
        if !(behind..statement.tokens.len().min(behind + NEAR)).any(|at| statement.is(at, &["STDIN"])) {
            return;
        }
        let starts = if statement.token(behind) == "(" { statement.group(behind).0 } else { Vec::new() };
        for start in &starts {
            self.note_text(&statement.name(*start).0.plain, statement.offset(*start));
        }
        if starts.is_empty() {
            for column in self.tables.columns(&table) {
                self.note_text(&column, statement.offset(0));
            }
        }
    }

    fn note_text(&mut self, column: &str, offset: usize) {
        for class in self.classes.of_column(column) {
            note(&mut self.facts.literals, class, self.lines.line(offset));
        }
    }

    /// Rows for the table at `at`; gives the place behind what was looked at.
    fn look_at_insert(&mut self, statement: &Statement<'_>, at: usize) -> usize {
        // The table of a `MERGE` is not repeated.
        let named = if statement.token(at) == "(" { (Name::default(), at) } else { statement.name(at) };
        let (table, mut at) = named;
        if statement.is(at, &["AS"]) {
            at += 2;
        }
        let columns: Vec<String>;
        if statement.token(at) == "(" && !statement.is(at + 1, &["SELECT", "WITH", "VALUES"]) {
            let (starts, behind) = statement.group(at);
            columns = starts.into_iter().take(COLUMNS).map(|start| statement.name(start).0.plain).collect();
            at = behind;
        } else {
            // Those with which the same script made the table.
            columns = self.tables.columns(&table);
        }
        at = statement.skip(at, &["OVERRIDING", "SYSTEM", "USER"]);
        at += usize::from(statement.is(at, &["VALUE"]) && statement.is(at + 1, &["VALUES"]));
        if !columns.iter().any(|column| self.classes.of_column(column).next().is_some()) {
            return at;
        }
        if !statement.is(at, &["VALUES", "VALUE"]) {
            return self.look_at_selected(statement, at, &columns);
        }
        at = statement.skip(at + 1, &["ROW"]);
        while statement.token(at) == "(" {
            let behind = self.note_row(statement, at, &columns);
            at = behind + usize::from(statement.token(behind) == ",");
            at = statement.skip(at, &["ROW"]);
        }
        at
    }

    /// The values in the parentheses at `open`; gives the place behind these.
    fn note_row(&mut self, statement: &Statement<'_>, open: usize, columns: &[String]) -> usize {
        let (starts, behind) = statement.group(open);
        self.note_values(statement, &starts, behind.saturating_sub(1), columns);
        behind
    }

    fn note_values(&mut self, statement: &Statement<'_>, starts: &[usize], end: usize, columns: &[String]) {
        let ends = starts.iter().skip(1).map(|start| start - 1).chain([end]);
        for ((start, end), column) in starts.iter().zip(ends).zip(columns) {
            if self.is_given(statement, *start, end) {
                self.note_text(column, statement.offset(*start));
            }
        }
    }

    /// A query: the texts among what it selects are told by their place, in each of several that are put together.
    fn look_at_selected(&mut self, statement: &Statement<'_>, at: usize, columns: &[String]) -> usize {
        let (first, mut at, end) = (at, at, statement.end(at));
        while let Some(select) = (at..end).find(|at| statement.is(*at, &["SELECT"])) {
            let behind = statement.outside(select, end, &["FROM", "UNION", "EXCEPT", "INTERSECT"]);
            let behind = behind.unwrap_or(end);
            let starts = statement.parts(select + 1, behind);
            self.note_values(statement, &starts, behind, columns);
            at = behind.max(select + 1);
        }
        if at > first { at } else { end }
    }

    /// Whether a value is a text, or has more than a word of text somewhere in it.
    fn is_given(&self, statement: &Statement<'_>, start: usize, end: usize) -> bool {
        let first = (start..end).find(|at| statement.token(*at) != "(");
        (start..end.min(start + NEAR)).any(|at| {
            let text = text_of(self.dialect, statement.token(at)).unwrap_or_default();
            let has_words =
                || text.split_whitespace().filter(|word| word.contains(char::is_alphabetic)).count() > 1;
            !text.is_empty() && (Some(at) == first || has_words())
        })
    }
}

/// What stands in a token that is a text.
pub(super) fn text_of(dialect: Dialect, token: &str) -> Option<&str> {
    let bare = token.strip_prefix(['E', 'e', 'N', 'n', 'B', 'b', 'U', 'u']).unwrap_or(token);
    let bare = bare.strip_prefix('&').unwrap_or(bare);
    let token = if bare.starts_with('\'') { bare } else { token };
    match token.as_bytes() {
        [b'\'', .., b'\''] => token.get(1..token.len() - 1),
        [b'"', .., b'"'] if dialect == Dialect::Mysql => token.get(1..token.len() - 1),
        [b'$', ..] => {
            let mark = token.get(..=1 + token.get(1..)?.find('$')?)?;
            token.strip_prefix(mark)?.strip_suffix(mark)
        }
        _ => None,
    }
}
