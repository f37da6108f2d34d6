//! Marks between the statements of a script that is one message: they tell when the server was done with each run of
//! statements of one kind. They change no statement of the script, and none stands where it could.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::database::Step;

/// Tells how long the server has had the message, in seconds; names nothing that a search path could replace.
const MARK: &str = "SELECT (EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) \
                    pg_catalog.statement_timestamp()))::pg_catalog.float8 AS greffe_mark; ";
const COLUMN: &str = "greffe_mark";
/// A mark costs what a short statement costs, so a script has no more of them.
const MOST: usize = 64;

/// What may stand in a script that could do without a mark: text that other settings read otherwise, who may not call
/// functions, and what looks at the message.
const IN_DOUBT: [&str; 6] = ["\\", "role", "authorization", "current_query", "pg_stat_activity", COLUMN];

/// The marks of one message.
#[derive(Default)]
pub struct Marks {
    /// Which statements, from 0, a mark stands before, and at which byte of the script.
    before: Vec<(usize, usize)>,
}

impl Marks {
    /// Where the kind of statements changes; none in a script where one could matter.
    pub fn of(step: &Step) -> Self {
        let text = step.sql.to_ascii_lowercase();
        if IN_DOUBT.iter().any(|word| text.contains(word)) {
            return Self::default();
        }
        let pairs = step.statements.iter().zip(step.statements.iter().skip(1)).enumerate();
        let changes = pairs.filter(|(_, (one, next))| one.kind != next.kind);
        let before = changes.map(|(index, (_, next))| (index + 1, next.range.start)).take(MOST).collect();
        Self { before }
    }

    /// The script as it is sent.
    pub fn write<'a>(&self, script: &'a str) -> Cow<'a, str> {
        if self.before.is_empty() {
            return Cow::Borrowed(script);
        }
        let mut sent = String::with_capacity(script.len() + self.before.len() * MARK.len());
        let mut from = 0;
        for (_, at) in &self.before {
            sent.push_str(script.get(from..*at).unwrap_or_default());
            sent.push_str(MARK);
            from = *at;
        }
        sent.push_str(script.get(from..).unwrap_or_default());
        Cow::Owned(sent)
    }

    /// Which character of the script, from 1, is that one of what was sent. A mark counts as what follows it.
    pub fn place_in(&self, script: &str, sent: usize) -> usize {
        let mut place = sent;
        for (_, at) in &self.before {
            let characters = script.get(..*at).unwrap_or_default().chars().count();
            if place <= characters {
                break;
            }
            place = (place - characters).saturating_sub(MARK.len()).max(1) + characters;
        }
        place
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    /// What a mark tells, if `row` is the one that stands before the statement `next`.
    pub fn read(&self, next: usize, row: &PgRow) -> Option<Duration> {
        if row.len() != 1 || sqlx::Column::name(row.column(0)) != COLUMN {
            return None;
        }
        self.before.binary_search_by_key(&next, |(statement, _)| *statement).ok()?;
        let seconds: f64 = row.try_get_raw(0).ok()?.as_str().ok()?.parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::executed::step_of;

    fn marks(script: &str, starts: &[usize]) -> Marks {
        assert!(starts.iter().all(|start| script.is_char_boundary(*start)));
        Marks { before: starts.iter().enumerate().map(|(index, start)| (index + 1, *start)).collect() }
    }

    #[test]
    fn places_are_those_of_the_script() {
        let script = "SELECT 'é';\n-- ü\nINSERT INTO a VALUES (1);\nSELECT 2;\n";
        let starts = [script.find("INSERT").unwrap(), script.rfind("SELECT").unwrap()];
        let marks = marks(script, &starts);
        let sent = marks.write(script);
        assert_eq!(sent.replace(MARK, ""), script);
        let mut place = 0;
        for (index, (byte, character)) in sent.char_indices().enumerate() {
            let own = marks.place_in(script, index + 1);
            let in_mark = sent.match_indices(MARK).any(|(at, _)| (at..at + MARK.len()).contains(&byte));
            if !in_mark {
                place += 1;
                assert_eq!(own, place);
                assert_eq!(script.chars().nth(own - 1), Some(character));
            } else {
                assert_eq!(own, place + 1, "what follows the mark");
            }
        }
        assert_eq!(Marks::default().place_in(script, 7), 7);
        assert_eq!(Marks::default().write(script), script);
    }

    #[test]
    fn they_stand_where_the_kind_changes_and_where_nothing_is_in_doubt() {
        let (create, insert) =
            (("CREATE TABLE", "CREATE TABLE a (x int)"), ("INSERT", "INSERT INTO a VALUES (1)"));
        let before = |statements: &[(&str, &str)]| -> Vec<usize> {
            Marks::of(&step_of(statements)).before.iter().map(|(statement, _)| *statement).collect()
        };
        assert_eq!(before(&[create, create, insert, insert, create]), [2, 4]);
        assert_eq!(before(&[insert; 9]), [] as [usize; 0]);
        assert_eq!(before(&[create, insert].repeat(MOST)).len(), MOST);
        for other in
            ["SET ROLE b", "SELECT E'\\n'", "INSERT INTO a SELECT Current_Query()", "SELECT 1 AS greffe_mark"]
        {
            assert_eq!(before(&[create, insert, ("OTHER", other)]), [] as [usize; 0], "{other}");
        }
    }
}
