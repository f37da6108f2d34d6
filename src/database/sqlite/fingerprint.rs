//! The fingerprint of a SQLite schema, algorithm `greffe-sqlite-1`.
//!
//! The canonical text has one line for each row of `sqlite_schema`, the JSON array of its `type`, `name`,
//! `tbl_name` and `sql`, sorted by type, name and table as bytes. Greffe's own tables with all that hangs
//! on them, and SQLite's internal objects (`sqlite_…`, which follow from the others) are left out. `sql`
//! is the text as SQLite keeps it. Order of creation and place in the file do not show.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::failure;
use crate::crypto::Digest;
use crate::database::capture::is_own_on_sqlite;
use crate::database::{DatabaseError, Failure, ObjectName, Schema};

/// What `schema.algorithm` says.
pub const ALGORITHM: &str = "greffe-sqlite-1";

/// SQLite's own counter of schema changes and, unless it is the one that is known, all lines in no order.
/// While the counter stands still, so does the schema.
const LINES: &str = "
    SELECT counter, CASE WHEN counter IS ? THEN NULL ELSE coalesce((
        SELECT group_concat(json_array(type, name, tbl_name, sql), char(10)) FROM main.sqlite_schema
    ), '') END FROM (SELECT schema_version AS counter FROM pragma_schema_version)";

/// Greffe's own tables.
const OWN: [&str; 2] = ["greffe_history", "greffe_migrations"];

/// How the names of what captures another tool's history begin. What is not just as greffe makes it counts.
const CAPTURE: &str = "greffe_capture";

/// A schema that was read: the next reading only looks at what differs.
pub struct Known {
    counter: i64,
    /// In the order of the file.
    lines: Vec<String>,
    /// The canonical text by type, name and table.
    canonical: BTreeMap<[String; 3], String>,
    digest: Digest,
}

impl Known {
    /// Reads the schema as it is, also inside a transaction. `known`: what was read on this connection before.
    pub async fn read(connection: &mut SqliteConnection, known: Option<Self>) -> Result<Self, DatabaseError> {
        let counter = known.as_ref().map(|known| known.counter);
        let row = sqlx::query(LINES).bind(counter).fetch_one(connection).await;
        let row = row.map_err(|error| DatabaseError::Schema(failure(&error)))?;
        let counter = row.try_get(0).map_err(|error| DatabaseError::Schema(failure(&error)))?;
        let text: Option<&str> = row.try_get(1).map_err(|error| DatabaseError::Schema(failure(&error)))?;
        match (text, known) {
            (None, Some(known)) => Ok(known),
            (text, known) => known.unwrap_or_else(Self::empty).with(counter, text.unwrap_or_default()),
        }
    }

    fn empty() -> Self {
        Self { counter: 0, lines: Vec::new(), canonical: BTreeMap::new(), digest: Digest::of(b"") }
    }

    /// Whether the schema is still this one at a value of SQLite's counter.
    pub fn is_at(&self, counter: i64) -> bool {
        self.counter == counter
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Object by object.
    pub fn schema(&self) -> Schema {
        let objects = self.canonical.iter().map(|([kind, name, _table], line)| {
            (ObjectName { kind: kind.clone(), name: name.clone() }, line.clone())
        });
        Schema { algorithm: ALGORITHM, objects: objects.collect(), digest: self.digest, grants: None }
    }

    fn with(mut self, counter: i64, text: &str) -> Result<Self, DatabaseError> {
        let lines: Vec<&str> = text.lines().collect();
        let same = |(old, new): &(&String, &&str)| old.as_str() == **new;
        let head = self.lines.iter().zip(&lines).take_while(same).count();
        let tails = self.lines[head..].iter().rev().zip(lines[head..].iter().rev());
        let tail = tails.take_while(same).count();
        let gone = head..self.lines.len() - tail;
        for line in &self.lines[gone.clone()] {
            self.canonical.remove(&key_of(line)?);
        }
        let new: Vec<String> =
            lines[head..lines.len() - tail].iter().map(|line| (*line).to_owned()).collect();
        for line in &new {
            let key = key_of(line)?;
            let [kind, name, table] = &key;
            let internal = name.get(..7).is_some_and(|prefix| prefix.eq_ignore_ascii_case("sqlite_"));
            let captures = name.starts_with(CAPTURE) && is_own_on_sqlite(kind, name, table, &text_of(line)?);
            if !internal && !captures && !OWN.contains(&table.as_str()) {
                self.canonical.insert(key, line.clone());
            }
        }
        self.lines.splice(gone, new);
        self.counter = counter;
        let mut hash = Sha256::new();
        for (index, line) in self.canonical.values().enumerate() {
            hash.update(if index == 0 { "" } else { "\n" });
            hash.update(line);
        }
        self.digest = Digest(hash.finalize().into());
        Ok(self)
    }
}

/// The text of a line's object.
fn text_of(line: &str) -> Result<String, DatabaseError> {
    let (_, _, _, sql): (String, String, String, Option<String>) = serde_json::from_str(line)
        .map_err(|_| DatabaseError::Schema(Failure::Driver("a name is not text")))?;
    Ok(sql.unwrap_or_default())
}

/// Type, name and table of a line.
fn key_of(line: &str) -> Result<[String; 3], DatabaseError> {
    let (kind, name, table, _sql): (String, String, String, Option<serde::de::IgnoredAny>) =
        serde_json::from_str(line)
            .map_err(|_| DatabaseError::Schema(Failure::Driver("a name is not text")))?;
    Ok([kind, name, table])
}
