//! The fingerprint of a SQLite schema, algorithm `greffe-sqlite-1`.
//!
//! The canonical text has one line for each row of `sqlite_schema`, the JSON array of its `type`, `name`,
//! `tbl_name` and `sql`, sorted by type, name and table as bytes. Greffe's own tables with all that hangs
//! on them, and SQLite's internal objects (`sqlite_…`, which follow from the others) are left out. `sql`
//! is the text as SQLite keeps it. Order of creation and place in the file do not show.
//!
//! A schema that is followed is read in part where that is enough: what came after a script that only creates, and
//! what is left at the end after one that only drops. The schema of a database in memory alone is followed, which
//! nobody else changes.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::failure;
use crate::crypto::Digest;
use crate::database::capture::is_own_on_sqlite;
use crate::database::{DatabaseError, Failure, ObjectName, Schema, SchemaDifference, Step};

/// What `schema.algorithm` says.
pub const ALGORITHM: &str = "greffe-sqlite-1";

/// SQLite's own counter of schema changes, how many rows there are and, unless the counter is the one that is known,
/// those from a place on, each behind its place. While the counter stands still, so does the schema.
const LINES: &str = "
    SELECT counter, (SELECT count(*) FROM main.sqlite_schema), CASE WHEN counter IS ?1 THEN NULL ELSE coalesce((
        SELECT group_concat(rowid || ' ' || json_array(type, name, tbl_name, sql), char(10))
        FROM main.sqlite_schema WHERE rowid >= ?2
    ), '') END FROM (SELECT schema_version AS counter FROM pragma_schema_version)";

/// How many of the last rows are read where those before them are thought to stand as they did.
const END: usize = 64;

/// Greffe's own tables.
const OWN: [&str; 2] = ["greffe_history", "greffe_migrations"];

/// How the names of what captures another tool's history begin. What is not just as greffe makes it counts.
const CAPTURE: &str = "greffe_capture";

/// A schema that was read: the next reading only looks at what differs.
pub struct Known {
    /// `None` where something may have changed without it.
    counter: Option<i64>,
    /// In the order of the file, each behind its place there.
    lines: Vec<(i64, String)>,
    /// The canonical text by type, name and table.
    canonical: BTreeMap<Key, String>,
    digest: OnceLock<Digest>,
    followed: Option<Followed>,
}

type Key = [String; 3];

/// What a schema went through.
#[derive(Default)]
struct Followed {
    /// What changed, one after another: an object's text before and after.
    changes: Vec<(Key, [Option<String>; 2])>,
    /// What ran since it was read; `None`: nothing.
    ran: Option<Kind>,
}

/// What scripts may have done to the rows of a schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Rows came behind all others. None went, none changed.
    Creates,
    /// Rows went. None came, none changed.
    Drops,
    Other,
}

impl Kind {
    /// By the statements of a script. Writing rows may make an index of full texts create tables of its own.
    fn of(step: &Step) -> Self {
        let all = |is: fn(&str) -> bool| step.statements.iter().all(|statement| is(&statement.kind));
        let creates = |kind: &str| {
            kind.starts_with("CREATE ") || matches!(kind, "INSERT" | "UPDATE" | "DELETE" | "SELECT")
        };
        if all(|kind| kind.starts_with("DROP ")) {
            Self::Drops
        } else if all(creates) {
            Self::Creates
        } else {
            Self::Other
        }
    }
}

impl Known {
    /// Reads the schema as it is, also inside a transaction. `known`: what was read on this connection before.
    pub async fn read(connection: &mut SqliteConnection, known: Option<Self>) -> Result<Self, DatabaseError> {
        let mut known = known.unwrap_or_else(Self::empty);
        let kept = known.kept();
        let part = Rows::read(connection, known.counter, known.place(kept)).await?;
        match part.lines()? {
            None => {
                known.followed.iter_mut().for_each(|followed| followed.ran = None);
                return Ok(known);
            }
            Some(lines) if kept + lines.len() == part.count => return known.with(part.counter, kept, &lines),
            Some(_) => {}
        }
        let all = Rows::read(connection, None, i64::MIN).await?;
        known.with(all.counter, 0, &all.lines()?.unwrap_or_default())
    }

    const fn empty() -> Self {
        Self {
            counter: None,
            lines: Vec::new(),
            canonical: BTreeMap::new(),
            digest: OnceLock::new(),
            followed: None,
        }
    }

    /// How many of the first lines stand as they did, if as many are left of them.
    fn kept(&self) -> usize {
        match self.followed.as_ref().and_then(|followed| followed.ran) {
            Some(Kind::Creates | Kind::Drops) => self.lines.len().saturating_sub(END),
            Some(Kind::Other) | None => 0,
        }
    }

    /// From which place on lines are read where the first `kept` are not.
    fn place(&self, kept: usize) -> i64 {
        let last = kept.checked_sub(1).and_then(|last| self.lines.get(last));
        last.map_or(i64::MIN, |(place, _)| place.saturating_add(1))
    }

    /// Follows what the schema goes through from now on. Nobody but this connection may change it.
    pub fn follow(&mut self) -> usize {
        self.followed.get_or_insert_default().changes.len()
    }

    /// Takes note of a script that is about to run.
    pub fn runs(&mut self, step: &Step) {
        let Some(followed) = &mut self.followed else { return };
        let kind = Kind::of(step);
        followed.ran = match followed.ran {
            Some(earlier) if earlier != kind => Some(Kind::Other),
            _ => Some(kind),
        };
    }

    /// Takes note that something else may have happened, such as a transaction that was rolled back.
    pub fn forget(&mut self) {
        self.counter = None;
        if let Some(followed) = &mut self.followed {
            followed.ran = Some(Kind::Other);
        }
    }

    /// How the objects differ from what they were at a place of what was followed; `None` where it was not.
    pub fn differences_since(&self, mark: usize) -> Option<Vec<SchemaDifference>> {
        let changes = self.followed.as_ref()?.changes.get(mark..)?;
        let mut first_and_last: BTreeMap<&Key, [&Option<String>; 2]> = BTreeMap::new();
        for (key, [before, after]) in changes {
            first_and_last.entry(key).or_insert([before, after])[1] = after;
        }
        first_and_last.retain(|_, [before, after]| before != after);
        let difference = |([kind, name, _table], [before, after]): (&Key, [&Option<String>; 2])| {
            let object = ObjectName { kind: kind.clone(), name: name.clone() };
            SchemaDifference { object, before: before.clone(), after: after.clone() }
        };
        Some(first_and_last.into_iter().map(difference).collect())
    }

    /// Whether the schema is still this one at a value of SQLite's counter.
    pub fn is_at(&self, counter: i64) -> bool {
        self.counter == Some(counter)
    }

    pub fn digest(&self) -> Digest {
        let digest = || {
            let mut hash = Sha256::new();
            for (index, line) in self.canonical.values().enumerate() {
                hash.update(if index == 0 { "" } else { "\n" });
                hash.update(line);
            }
            Digest(hash.finalize().into())
        };
        *self.digest.get_or_init(digest)
    }

    /// Object by object.
    pub fn schema(&self) -> Schema {
        let objects = self.canonical.iter().map(|([kind, name, _table], line)| {
            (ObjectName { kind: kind.clone(), name: name.clone() }, line.clone())
        });
        Schema { algorithm: ALGORITHM, objects: objects.collect(), digest: self.digest(), grants: None }
    }

    /// The same with other lines behind the first `kept`.
    fn with(mut self, counter: i64, kept: usize, lines: &[(i64, &str)]) -> Result<Self, DatabaseError> {
        let old = self.lines.get(kept..).unwrap_or_default();
        let same = |(old, new): &(&(i64, String), &(i64, &str))| old.1.as_str() == new.1;
        let head = old.iter().zip(lines).take_while(same).count();
        let tails = old[head..].iter().rev().zip(lines[head..].iter().rev());
        let tail = tails.take_while(same).count();
        let gone: Vec<Key> =
            old[head..old.len() - tail].iter().map(|(_, line)| key_of(line)).collect::<Result<_, _>>()?;
        for key in gone {
            let before = self.canonical.remove(&key);
            self.note(key, [before, None]);
        }
        for (_, line) in &lines[head..lines.len() - tail] {
            let key = key_of(line)?;
            let [kind, name, table] = &key;
            let internal = name.get(..7).is_some_and(|prefix| prefix.eq_ignore_ascii_case("sqlite_"));
            let captures = name.starts_with(CAPTURE) && is_own_on_sqlite(kind, name, table, &text_of(line)?);
            if !internal && !captures && !OWN.contains(&table.as_str()) {
                let before = self.canonical.insert(key.clone(), (*line).to_owned());
                self.note(key, [before, Some((*line).to_owned())]);
            }
        }
        let new = &lines[head..lines.len() - tail];
        let gone = kept + head..self.lines.len() - tail;
        self.lines.splice(gone, new.iter().map(|(place, line)| (*place, (*line).to_owned())));
        // Where the same text stands in another place.
        self.lines.iter_mut().skip(kept).zip(lines).for_each(|(line, (place, _))| line.0 = *place);
        self.counter = Some(counter);
        self.digest = OnceLock::new();
        self.followed.iter_mut().for_each(|followed| followed.ran = None);
        Ok(self)
    }

    fn note(&mut self, key: Key, texts: [Option<String>; 2]) {
        if let Some(followed) = self.followed.as_mut().filter(|_| texts != [None, None]) {
            followed.changes.push((key, texts));
        }
    }
}

/// What one reading gave.
struct Rows {
    counter: i64,
    /// How many there are, also those that were not read.
    count: usize,
    row: SqliteRow,
}

impl Rows {
    /// Those from `place` on, unless the counter is the one that is `known`.
    async fn read(
        connection: &mut SqliteConnection,
        known: Option<i64>,
        place: i64,
    ) -> Result<Self, DatabaseError> {
        let row = sqlx::query(LINES).bind(known).bind(place).fetch_one(connection).await.map_err(unread)?;
        let count: i64 = row.try_get(1).map_err(unread)?;
        let counter = row.try_get(0).map_err(unread)?;
        Ok(Self { counter, count: usize::try_from(count).unwrap_or_default(), row })
    }

    /// Each line with its place; `None` where nothing changed.
    fn lines(&self) -> Result<Option<Vec<(i64, &str)>>, DatabaseError> {
        let text: Option<&str> = self.row.try_get(2).map_err(unread)?;
        Ok(text.map(placed))
    }
}

/// Lines, each with the place that stands before it.
fn placed(text: &str) -> Vec<(i64, &str)> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(place, line)| Some((place.parse().ok()?, line))).collect()
}

fn unread(error: sqlx::Error) -> DatabaseError {
    DatabaseError::Schema(failure(&error))
}

/// The text of a line's object.
fn text_of(line: &str) -> Result<String, DatabaseError> {
    let (_, _, _, sql): (String, String, String, Option<String>) = serde_json::from_str(line)
        .map_err(|_| DatabaseError::Schema(Failure::Driver("a name is not text")))?;
    Ok(sql.unwrap_or_default())
}

/// Type, name and table of a line.
fn key_of(line: &str) -> Result<Key, DatabaseError> {
    let (kind, name, table, _sql): (String, String, String, Option<serde::de::IgnoredAny>) =
        serde_json::from_str(line)
            .map_err(|_| DatabaseError::Schema(Failure::Driver("a name is not text")))?;
    Ok([kind, name, table])
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection as _};

    use super::*;

    /// Statements over tables of so many numbers.
    fn many(numbers: std::ops::Range<usize>, statement: fn(usize) -> String) -> String {
        numbers.map(statement).collect()
    }

    #[tokio::test]
    async fn what_is_followed_is_what_is_there() {
        let create: fn(usize) -> String =
            |n| format!("CREATE TABLE t{n} (a); CREATE INDEX i{n} ON t{n} (a);");
        let remove: fn(usize) -> String = |n| format!("DROP TABLE t{n};");
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut known = Known::read(&mut connection, None).await.unwrap();
        let start = known.follow();
        for (kind, sql) in [
            (Kind::Creates, many(0..200, create)),
            (Kind::Drops, "DROP TABLE t199".to_owned()),
            (Kind::Creates, "INSERT INTO t1 VALUES (1)".to_owned()),
            (Kind::Drops, "DROP TABLE t3; DROP TABLE t198".to_owned()),
            (Kind::Drops, many(100..198, remove)),
            (Kind::Creates, many(198..202, create)),
            (Kind::Other, "ALTER TABLE t5 RENAME TO u5".to_owned()),
            (Kind::Other, format!("{}{}", many(50..80, remove), many(50..79, create))),
            (Kind::Drops, "DROP INDEX i0".to_owned()),
        ] {
            known.followed.as_mut().unwrap().ran = Some(kind);
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            known = Known::read(&mut connection, Some(known)).await.unwrap();
            let whole = Known::read(&mut connection, None).await.unwrap();
            assert_eq!(known.schema(), whole.schema());
            assert_eq!(known.lines, whole.lines);
            let mark = known.follow();
            assert_eq!(known.differences_since(mark), Some(Vec::new()));
        }
        let differences = known.differences_since(start).unwrap();
        assert_eq!(differences.len(), known.schema().objects.len());
        assert!(differences.iter().all(|difference| difference.before.is_none()));
        assert_eq!(Known::empty().differences_since(0), None);
    }
}
