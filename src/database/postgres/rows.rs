//! `greffe.history` in PostgreSQL.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use super::failure::history_error;
use super::session::{fetch_json, fetch_text};
use crate::database::rows::{
    self, COLUMNS, Value, damaged, parse_record, parse_rows, parse_scripts, to_json,
};
use crate::database::{DatabaseError, HistoryRow, Place, Record, Unarchived};
use crate::model::EventId;

/// The table, wherever a script's own tables are.
pub const TABLE: &str = "greffe.history";

const ROWS_AT_ONCE: usize = 4096;

/// Writes a value as PostgreSQL reads it, whatever a script set `standard_conforming_strings` to.
pub fn literal(sql: &mut String, value: &Value<'_>) {
    match value {
        Value::Null => sql.push_str("NULL"),
        Value::Integer(number) => sql.push_str(&number.to_string()),
        Value::Text(text) => {
            sql.push_str(" E'");
            sql.push_str(&text.replace('\\', r"\\").replace('\'', "''"));
            sql.push('\'');
        }
        Value::Bytes(bytes) => {
            sql.push_str(r" E'\\x");
            data_encoding::HEXLOWER.encode_append(bytes, sql);
            sql.push('\'');
        }
    }
}

fn text_literal(text: String) -> String {
    let mut sql = String::with_capacity(text.len() + 8);
    literal(&mut sql, &Value::Text(text.into()));
    sql
}

pub async fn read_all(connection: &mut PgConnection) -> Result<Vec<HistoryRow>, DatabaseError> {
    let exists = format!("SELECT pg_catalog.to_regclass('{TABLE}')");
    let exists = fetch_text(connection, exists).await.map_err(|error| history_error(&error))?;
    let mut rows: Vec<HistoryRow> = Vec::new();
    while exists.is_some() {
        let after = rows.last().map_or(i64::MIN, |row| row.position);
        let sql = format!(
            "SELECT pg_catalog.json_agg(pg_catalog.json_build_array({COLUMNS}) ORDER BY position) FROM \
             (SELECT * FROM {TABLE} WHERE position OPERATOR(pg_catalog.>) {after} ORDER BY position LIMIT {ROWS_AT_ONCE}) AS rows"
        );
        let json = fetch_text(connection, sql).await.map_err(|error| history_error(&error))?;
        let read = json.map_or(Ok(Vec::new()), |json| parse_rows(&json, after))?;
        let end = read.len() < ROWS_AT_ONCE;
        rows.extend(read);
        if end {
            break;
        }
    }
    Ok(rows)
}

/// The positions of all rows in order; none without a table.
pub async fn read_positions(connection: &mut PgConnection) -> Result<Vec<i64>, DatabaseError> {
    let exists = format!("SELECT pg_catalog.to_regclass('{TABLE}')");
    let exists = fetch_text(&mut *connection, exists).await.map_err(|error| history_error(&error))?;
    if exists.is_none() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT coalesce(pg_catalog.json_agg(position ORDER BY position), '[]') FROM {TABLE} AS rows"
    );
    fetch_json(connection, sql).await.map_err(|error| history_error(&error))
}

/// The row at a position.
pub async fn read_at(
    connection: &mut PgConnection,
    position: i64,
) -> Result<Option<HistoryRow>, DatabaseError> {
    let sql = format!(
        "SELECT pg_catalog.json_build_array(pg_catalog.json_build_array({COLUMNS})) FROM {TABLE} \
         WHERE position OPERATOR(pg_catalog.=) {position}"
    );
    let json = fetch_text(connection, sql).await.map_err(|error| history_error(&error))?;
    Ok(json.map_or(Ok(Vec::new()), |json| parse_rows(&json, position))?.pop())
}

pub async fn read_unarchived(
    connection: &mut PgConnection,
    after: i64,
    limit: u32,
) -> Result<Vec<Unarchived>, DatabaseError> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT pg_catalog.json_build_array(pg_catalog.json_build_array({COLUMNS}))::text, record, files, \
         up_script, down_script FROM {TABLE} \
         WHERE seq IS NULL AND state OPERATOR(pg_catalog.<>) 'started' AND position OPERATOR(pg_catalog.>) $1 ORDER BY position LIMIT $2"
    ));
    let query = sqlx::query(sql).persistent(false).bind(after).bind(i64::from(limit));
    let rows = query.fetch_all(connection).await.map_err(|error| history_error(&error))?;
    rows.iter().map(read_whole).collect()
}

fn read_whole(row: &PgRow) -> Result<Unarchived, DatabaseError> {
    let failed = |error: sqlx::Error| history_error(&error);
    let written = row.try_get(0).map_err(failed)?;
    let history = parse_rows(written, 0)?.pop().ok_or_else(|| damaged(0, "it is gone"))?;
    let position = history.position;
    let record: Option<&str> = row.try_get(1).map_err(failed)?;
    let record = record.map(|record| parse_record(position, Some(record))).transpose()?;
    let files = row.try_get(2).map_err(failed)?;
    let (up, down) = (row.try_get(3).map_err(failed)?, row.try_get(4).map_err(failed)?);
    let (up, down) = parse_scripts(position, files, up, down)?;
    Ok(Unarchived { row: history, record, up, down })
}

pub async fn read_record(connection: &mut PgConnection, position: i64) -> Result<Record, DatabaseError> {
    let sql = format!("SELECT record FROM {TABLE} WHERE position = {position}");
    let record = fetch_text(connection, sql).await.map_err(|error| history_error(&error))?;
    parse_record(position, record.as_deref())
}

/// The statement that a `started` row has come to.
pub async fn read_reached(connection: &mut PgConnection, id: EventId) -> Result<Option<u64>, DatabaseError> {
    let sql = format!(
        "SELECT coalesce(pg_catalog.max(reached), 1)::pg_catalog.text FROM {TABLE} \
         WHERE id OPERATOR(pg_catalog.=) '{id}' AND state OPERATOR(pg_catalog.=) 'started'"
    );
    let reached = fetch_text(connection, sql).await.map_err(|error| history_error(&error))?;
    Ok(reached.and_then(|reached| reached.parse().ok()))
}

/// Runs statements of greffe's own: those of one message are one transaction.
pub async fn write_as_one(connection: &mut PgConnection, statements: &[String]) -> Result<(), sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(statements.join("; "));
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}

/// Ends a row together with what another tool's table is to say; whether the row was there.
pub async fn end_with(
    connection: &mut PgConnection,
    of_tool: &[String],
    ending: &rows::Ending<'_>,
) -> Result<bool, sqlx::Error> {
    if of_tool.is_empty() {
        return update(connection, ending).await;
    }
    let begin = format!("BEGIN; {}", of_tool.join("; "));
    let ended = match sqlx::raw_sql(sqlx::AssertSqlSafe(begin)).execute(&mut *connection).await {
        Ok(_) => update(connection, ending).await,
        Err(error) => Err(error),
    };
    let end = if matches!(ended, Ok(true)) { "COMMIT" } else { "ROLLBACK" };
    let closed = sqlx::raw_sql(end).execute(connection).await;
    let is_there = ended?;
    closed.map(|_| is_there)
}

/// Whether the row was there to be ended: a script may have taken it away.
pub async fn update(connection: &mut PgConnection, ending: &rows::Ending<'_>) -> Result<bool, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(ending.update(TABLE, literal));
    Ok(sqlx::raw_sql(sql).execute(connection).await?.rows_affected() == 1)
}

/// Notes how far a script has come.
pub async fn note_reached(
    connection: &mut PgConnection,
    position: i64,
    statement: usize,
) -> Result<bool, sqlx::Error> {
    let sql = format!("UPDATE {TABLE} SET reached = {statement} WHERE position = {position}");
    Ok(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await?.rows_affected() == 1)
}

pub async fn mark_archived(connection: &mut PgConnection, places: &[Place]) -> Result<(), DatabaseError> {
    let places: Vec<_> =
        places.iter().map(|place| (place.id, place.seq, place.manifest, place.trust)).collect();
    // One statement is one transaction.
    let sql = format!(
        "UPDATE {TABLE} SET seq = (place ->> 1)::int8, manifest = place ->> 2, trust = place ->> 3, \
         record = NULL, up_script = NULL, down_script = NULL \
         FROM pg_catalog.json_array_elements({}::json) AS place WHERE history.id = place ->> 0",
        text_literal(to_json(&places))
    );
    let marked = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await;
    marked.map(drop).map_err(|error| history_error(&error))
}
