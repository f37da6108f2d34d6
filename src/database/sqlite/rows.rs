//! `greffe_history` in SQLite.

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::failure;
use crate::database::rows::{
    self, COLUMNS, Value, damaged, parse_record, parse_rows, parse_scripts, to_json,
};
use crate::database::{DatabaseError, HistoryRow, Place, Record, Unarchived};

/// The table, wherever a script's own tables are.
pub const TABLE: &str = "main.greffe_history";

/// Rows that are read at once: each row of an answer is handed from thread to thread, and that takes longer than
/// to read it.
const ROWS_AT_ONCE: i64 = 256;

fn history_error(error: sqlx::Error) -> DatabaseError {
    DatabaseError::History(failure(&error))
}

/// Writes a value as SQLite reads it.
pub fn literal(sql: &mut String, value: &Value<'_>) {
    match value {
        Value::Null => sql.push_str("NULL"),
        Value::Integer(number) => sql.push_str(&number.to_string()),
        Value::Text(text) => {
            sql.push('\'');
            sql.push_str(&text.replace('\'', "''"));
            sql.push('\'');
        }
        Value::Bytes(bytes) => {
            sql.push_str("X'");
            data_encoding::HEXUPPER.encode_append(bytes, sql);
            sql.push('\'');
        }
    }
}

/// [`COLUMNS`] of a table that no run has brought up to date yet.
const COLUMNS_OF_FIRST: &str = "position, id, event, direction, state, version, record ->> '$.migration.name', \
    started_at, finished_at, up_digests, down_digests, \
    record ->> '$.schema.algorithm' || coalesce(' ' || (record ->> '$.schema.after'), ''), seq, manifest, trust";

/// What the table has for [`COLUMNS`]; `None` without a table.
async fn columns(connection: &mut SqliteConnection) -> Result<Option<&'static str>, DatabaseError> {
    let row = sqlx::query(
        "SELECT count(*), count(iif(name = 'schema_after', 1, NULL)) \
         FROM pragma_table_info('greffe_history', 'main')",
    );
    let row = row.fetch_one(connection).await.map_err(history_error)?;
    let counted = |index: usize| row.try_get::<i64, _>(index).map_err(history_error);
    Ok(match (counted(0)?, counted(1)?) {
        (0, _) => None,
        (_, 0) => Some(COLUMNS_OF_FIRST),
        _ => Some(COLUMNS),
    })
}

pub async fn read_all(connection: &mut SqliteConnection) -> Result<Vec<HistoryRow>, DatabaseError> {
    let Some(columns) = columns(connection).await? else { return Ok(Vec::new()) };
    let mut rows: Vec<HistoryRow> = Vec::new();
    loop {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT json_group_array(json_array({columns}) ORDER BY position) FROM \
             (SELECT * FROM {TABLE} WHERE position > ? ORDER BY position LIMIT ?)"
        ));
        let after = rows.last().map_or(i64::MIN, |row| row.position);
        let row = sqlx::query(sql).bind(after).bind(ROWS_AT_ONCE).fetch_one(&mut *connection).await;
        let row = row.map_err(history_error)?;
        let read = parse_rows(row.try_get(0).map_err(history_error)?, after)?;
        let end = read.len() < ROWS_AT_ONCE as usize;
        rows.extend(read);
        if end {
            return Ok(rows);
        }
    }
}

/// The positions of all rows in order; none without a table.
pub async fn read_positions(connection: &mut SqliteConnection) -> Result<Vec<i64>, DatabaseError> {
    if columns(connection).await?.is_none() {
        return Ok(Vec::new());
    }
    let sql = sqlx::AssertSqlSafe(format!("SELECT position FROM {TABLE} ORDER BY position"));
    sqlx::query_scalar(sql).fetch_all(connection).await.map_err(history_error)
}

/// The row at a position.
pub async fn read_at(
    connection: &mut SqliteConnection,
    position: i64,
) -> Result<Option<HistoryRow>, DatabaseError> {
    let Some(columns) = columns(connection).await? else { return Ok(None) };
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT json_array(json_array({columns})) FROM {TABLE} WHERE position = ?"
    ));
    let json: Option<String> =
        sqlx::query_scalar(sql).bind(position).fetch_optional(connection).await.map_err(history_error)?;
    Ok(json.map_or(Ok(Vec::new()), |json| parse_rows(&json, position))?.pop())
}

pub async fn read_unarchived(
    connection: &mut SqliteConnection,
    after: i64,
    limit: u32,
) -> Result<Vec<Unarchived>, DatabaseError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT json_array(json_array({COLUMNS})) AS written, record, files, up_script, down_script FROM {TABLE} \
         WHERE seq IS NULL AND state <> 'started' AND position > ? ORDER BY position LIMIT ?"
    ));
    let rows = sqlx::query(sql).bind(after).bind(limit).fetch_all(connection).await.map_err(history_error)?;
    rows.iter().map(read_whole).collect()
}

fn read_whole(row: &SqliteRow) -> Result<Unarchived, DatabaseError> {
    let written = row.try_get("written").map_err(history_error)?;
    let history = parse_rows(written, 0)?.pop().ok_or_else(|| damaged(0, "it is gone"))?;
    let position = history.position;
    let files = row.try_get("files").map_err(history_error)?;
    let up = row.try_get("up_script").map_err(history_error)?;
    let down = row.try_get("down_script").map_err(history_error)?;
    let (up, down) = parse_scripts(position, files, up, down)?;
    let record: Option<&str> = row.try_get("record").map_err(history_error)?;
    let record = record.map(|record| parse_record(position, Some(record))).transpose()?;
    Ok(Unarchived { row: history, record, up, down })
}

pub async fn read_record(connection: &mut SqliteConnection, position: i64) -> Result<Record, DatabaseError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT record FROM {TABLE} WHERE position = ?"));
    let row = sqlx::query(sql).bind(position).fetch_one(connection).await.map_err(history_error)?;
    parse_record(position, row.try_get::<Option<&str>, _>(0).map_err(history_error)?)
}

/// Whether the row was there to be ended: a script may have taken it away.
pub async fn update(
    connection: &mut SqliteConnection,
    ending: &rows::Ending<'_>,
) -> Result<bool, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(ending.update(TABLE, literal));
    Ok(sqlx::raw_sql(sql).execute(connection).await?.rows_affected() == 1)
}

pub async fn mark_archived(connection: &mut SqliteConnection, places: &[Place]) -> Result<(), DatabaseError> {
    let places: Vec<_> =
        places.iter().map(|place| (place.id, place.seq, place.manifest, place.trust)).collect();
    // One statement is one transaction.
    sqlx::query(
        "UPDATE main.greffe_history SET seq = place.value ->> 1, manifest = place.value ->> 2, \
         trust = place.value ->> 3, record = NULL, up_script = NULL, down_script = NULL \
         FROM json_each(?) AS place WHERE greffe_history.id = place.value ->> 0",
    )
    .bind(to_json(&places))
    .execute(connection)
    .await
    .map_err(history_error)?;
    Ok(())
}
