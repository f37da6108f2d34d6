//! What the fingerprint leaves out, compared with what greffe and SQLite make.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};

use super::{failure, own_migrations};
use crate::database::executed::own_schema_error;
use crate::database::schema::{Objects, nearest_differences};
use crate::database::{DatabaseError, ObjectName, SchemaDifference};

/// Rows that the fingerprint leaves out, without those that SQLite makes: the indexes that follow from a table, which
/// have no text, and tables of counters and of statistics.
const LEFT_OUT: &str = "
    SELECT type, name, json_array(type, name, tbl_name, sql) FROM main.sqlite_schema
    WHERE (tbl_name IN ('greffe_history', 'greffe_migrations') OR name LIKE 'sqlite!_%' ESCAPE '!')
      AND NOT (type = 'index' AND sql IS NULL AND name LIKE 'sqlite!_autoindex!_%' ESCAPE '!')
      AND NOT (type = 'table' AND name = tbl_name AND coalesce(sql, '') IN (
        'CREATE TABLE sqlite_sequence(name,seq)', 'CREATE TABLE sqlite_stat1(tbl,idx,stat)',
        'CREATE TABLE sqlite_stat3(tbl,idx,neq,nlt,ndlt,sample)',
        'CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)') AND sql LIKE 'CREATE TABLE ' || name || '(%')";

/// How it differs from what greffe's migrations make, as far as any greffe has run them here.
pub async fn differences(connection: &mut SqliteConnection) -> Result<Vec<SchemaDifference>, DatabaseError> {
    let found = read(connection).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    Ok(nearest_differences(&made().await?, &found))
}

async fn read(connection: &mut SqliteConnection) -> Result<Objects, DatabaseError> {
    let rows = sqlx::query(LEFT_OUT).fetch_all(connection).await;
    let read = rows.and_then(|rows| {
        let object = |row: &sqlx::sqlite::SqliteRow| {
            Ok((ObjectName { kind: row.try_get(0)?, name: row.try_get(1)? }, row.try_get(2)?))
        };
        rows.iter().map(object).collect()
    });
    read.map_err(|error| DatabaseError::Schema(failure(&error)))
}

/// What each of greffe's migrations leaves, the newest first, and what there is before the first one.
async fn made() -> Result<Vec<Objects>, DatabaseError> {
    let failed = |error: sqlx::Error| DatabaseError::Schema(failure(&error));
    let options = SqliteConnectOptions::new().in_memory(true);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    let migrator = own_migrations();
    let up = migrator.iter().filter(|migration| migration.migration_type.is_up_migration());
    let mut made = Vec::new();
    for version in std::iter::once(0).chain(up.map(|migration| migration.version)) {
        let run = migrator.run_to(version, &mut connection).await;
        run.map_err(|error| own_schema_error(error, failure))?;
        made.push(read(&mut connection).await?);
    }
    connection.close().await.map_err(failed)?;
    made.reverse();
    Ok(made)
}
