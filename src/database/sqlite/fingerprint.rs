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

/// SQLite's own counter of schema changes, and the fingerprint of the schema as it is, also inside a transaction.
/// While the counter stands still, so does the schema: at the counter `known` there is no fingerprint.
pub async fn unless_known(
    connection: &mut SqliteConnection,
    known: Option<i64>,
) -> Result<(i64, Option<Digest>), DatabaseError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT counter, CASE WHEN counter IS ? THEN NULL ELSE ({CANONICAL_TEXT}) END \
         FROM (SELECT schema_version AS counter FROM pragma_schema_version)"
    ));
    let row = sqlx::query(sql).bind(known).fetch_one(connection).await;
    let read = row.and_then(|row| Ok((row.try_get(0)?, row.try_get::<Option<&str>, _>(1)?.map(digest))));
    read.map_err(|error| DatabaseError::Schema(failure(&error)))
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}
