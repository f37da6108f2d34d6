//! The fingerprint of a SQLite schema, algorithm `greffe-sqlite-1`.
//!
//! The canonical text has one line for each row of `sqlite_schema`, the JSON array of its `type`, `name`,
//! `tbl_name` and `sql`, sorted by type, name and table as bytes. Greffe's own tables with all that hangs
//! on them, and SQLite's internal objects (`sqlite_…`, which follow from the others) are left out. `sql`
//! is the text as SQLite keeps it. Order of creation and place in the file do not show.

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::failure;
use crate::crypto::Digest;
use crate::database::DatabaseError;

/// What `schema.algorithm` says.
pub const ALGORITHM: &str = "greffe-sqlite-1";

const CANONICAL_TEXT: &str = "
    SELECT coalesce(group_concat(line, char(10) ORDER BY type, name, tbl_name), '') FROM (
        SELECT type, name, tbl_name, json_array(type, name, tbl_name, sql) AS line
        FROM main.sqlite_schema
        WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'
          AND tbl_name NOT IN ('greffe_history', 'greffe_migrations'))";

/// The fingerprint of the schema as it is, also inside a transaction.
pub async fn of(connection: &mut SqliteConnection) -> Result<Digest, DatabaseError> {
    let row = sqlx::query(CANONICAL_TEXT).fetch_one(connection).await;
    let text: String =
        row.and_then(|row| row.try_get(0)).map_err(|error| DatabaseError::Schema(failure(&error)))?;
    Ok(Digest::of(text.as_bytes()))
}

/// SQLite's own counter of schema changes: while it stands still, so does the schema.
pub async fn schema_counter(connection: &mut SqliteConnection) -> Result<i64, DatabaseError> {
    let row = sqlx::query("PRAGMA schema_version").fetch_one(connection).await;
    row.and_then(|row| row.try_get::<i64, _>(0)).map_err(|error| DatabaseError::Schema(failure(&error)))
}
