//! `greffe_history` in MySQL and MariaDB.

use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::failure::{NO_SUCH_TABLE, history_error, number};
use crate::database::rows::{COLUMNS, Value, damaged, parse_record, parse_rows, parse_scripts};
use crate::database::{DatabaseError, HistoryRow, Place, Record, Unarchived};
use crate::model::EventId;

/// Text of greffe's own is sent in messages of about so many bytes.
const MESSAGE: usize = 256 << 10;

/// A name as SQL writes it.
pub fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Greffe's table, wherever a script's own tables are.
pub fn table(database: &str) -> String {
    format!("{}.greffe_history", identifier(database))
}

/// Writes a value as the server reads it under the `sql_mode` of greffe's sessions, where a backslash escapes.
pub fn literal(sql: &mut String, value: &Value<'_>) {
    match value {
        Value::Null => sql.push_str("NULL"),
        Value::Integer(number) => sql.push_str(&number.to_string()),
        Value::Text(text) => {
            sql.push('\'');
            sql.push_str(&text.replace('\\', "\\\\").replace('\'', "\\'"));
            sql.push('\'');
        }
        Value::Bytes(bytes) => {
            sql.push_str("X'");
            data_encoding::HEXUPPER.encode_append(bytes, sql);
            sql.push('\'');
        }
    }
}

/// A text as SQL writes it.
pub fn text(text: &str) -> String {
    let mut sql = String::with_capacity(text.len() + 2);
    literal(&mut sql, &Value::Text(text.into()));
    sql
}

/// Statements of greffe's own; how many rows they found, changed or not.
pub async fn execute(connection: &mut MySqlConnection, sql: String) -> Result<u64, sqlx::Error> {
    Ok(sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?.rows_affected())
}

/// Runs statements and then one that has to change one row, as one transaction; how many rows that one changed.
pub async fn end_with(
    connection: &mut MySqlConnection,
    statements: &[String],
    last: &str,
) -> Result<u64, sqlx::Error> {
    if statements.is_empty() {
        return execute(connection, last.to_owned()).await;
    }
    let begin = format!("START TRANSACTION; {}", statements.join("; "));
    let ended = match execute(connection, begin).await {
        Ok(_) => execute(connection, last.to_owned()).await,
        Err(error) => Err(error),
    };
    let end = if matches!(ended, Ok(1)) { "COMMIT" } else { "ROLLBACK" };
    let closed = execute(connection, end.to_owned()).await;
    let changed = ended?;
    closed.map(|_| changed)
}

/// Runs statements of greffe's own as one transaction, in few messages.
pub async fn execute_all(
    connection: &mut MySqlConnection,
    statements: impl Iterator<Item = String>,
) -> Result<(), sqlx::Error> {
    let mut message = "START TRANSACTION".to_owned();
    for statement in statements {
        if message.len() + statement.len() > MESSAGE {
            execute_or_rollback(connection, std::mem::take(&mut message)).await?;
        }
        message.push_str(if message.is_empty() { "" } else { "; " });
        message.push_str(&statement);
    }
    message.push_str("; COMMIT");
    execute_or_rollback(connection, message).await
}

async fn execute_or_rollback(connection: &mut MySqlConnection, sql: String) -> Result<(), sqlx::Error> {
    let done = execute(&mut *connection, sql).await;
    if done.is_err() {
        // A connection that is lost rolls back by itself.
        execute(connection, "ROLLBACK".to_owned()).await.ok();
    }
    done.map(drop)
}

/// All rows in order; none without a table.
pub async fn read_all(
    connection: &mut MySqlConnection,
    table: &str,
) -> Result<Vec<HistoryRow>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM {table} ORDER BY position");
    let mut answers = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(connection);
    let mut rows: Vec<HistoryRow> = Vec::new();
    loop {
        match answers.try_next().await {
            Ok(Some(row)) => {
                let last = rows.last().map_or(0, |row| row.position);
                rows.push(read_columns(&row, last)?);
            }
            Ok(None) => return Ok(rows),
            Err(error) if number(&error) == Some(NO_SUCH_TABLE) => return Ok(Vec::new()),
            Err(error) => return Err(history_error(error)),
        }
    }
}

/// The positions of all rows in order; none without a table.
pub async fn read_positions(
    connection: &mut MySqlConnection,
    table: &str,
) -> Result<Vec<i64>, DatabaseError> {
    let sql = AssertSqlSafe(format!("SELECT position FROM {table} ORDER BY position"));
    match sqlx::raw_sql(sql).fetch_all(connection).await {
        Ok(rows) => rows.iter().map(|row| row.try_get(0).map_err(history_error)).collect(),
        Err(error) if number(&error) == Some(NO_SUCH_TABLE) => Ok(Vec::new()),
        Err(error) => Err(history_error(error)),
    }
}

/// The row at a position.
pub async fn read_at(
    connection: &mut MySqlConnection,
    table: &str,
    position: i64,
) -> Result<Option<HistoryRow>, DatabaseError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM {table} WHERE position = {position}"));
    let row = sqlx::raw_sql(sql).fetch_optional(connection).await.map_err(history_error)?;
    row.map(|row| read_columns(&row, position)).transpose()
}

/// Reads [`COLUMNS`], which come first.
fn read_columns(row: &MySqlRow, last: i64) -> Result<HistoryRow, DatabaseError> {
    let mut columns = Vec::new();
    for (index, name) in COLUMNS.split(", ").enumerate() {
        columns.push(match name {
            "position" | "seq" => row.try_get::<Option<i64>, _>(index).map(serde_json::Value::from),
            _ => row.try_get::<Option<&str>, _>(index).map(serde_json::Value::from),
        });
    }
    let columns: Result<serde_json::Value, _> = columns.into_iter().collect();
    let json = serde_json::Value::Array(vec![columns.map_err(history_error)?]).to_string();
    parse_rows(&json, last)?.pop().ok_or_else(|| damaged(last, "it is gone"))
}

pub async fn read_unarchived(
    connection: &mut MySqlConnection,
    table: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<Unarchived>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS}, record, files, up_script, down_script FROM {table} \
         WHERE seq IS NULL AND state <> 'started' AND position > {after} ORDER BY position LIMIT {limit}"
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await.map_err(history_error)?;
    rows.iter().map(read_whole).collect()
}

fn read_whole(row: &MySqlRow) -> Result<Unarchived, DatabaseError> {
    let history = read_columns(row, 0)?;
    let position = history.position;
    let files = row.try_get("files").map_err(history_error)?;
    let up = row.try_get("up_script").map_err(history_error)?;
    let down = row.try_get("down_script").map_err(history_error)?;
    let (up, down) = parse_scripts(position, files, up, down)?;
    let record: Option<&str> = row.try_get("record").map_err(history_error)?;
    let record = record.map(|record| parse_record(position, Some(record))).transpose()?;
    Ok(Unarchived { row: history, record, up, down })
}

/// The record of a row, and the statement that it reached.
pub async fn read_started(
    connection: &mut MySqlConnection,
    table: &str,
    id: EventId,
) -> Result<Option<(i64, Record, Option<u64>)>, DatabaseError> {
    let sql =
        format!("SELECT position, record, reached FROM {table} WHERE id = '{id}' AND state = 'started'");
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_optional(connection).await.map_err(history_error)?;
    let Some(row) = row else { return Ok(None) };
    let position = row.try_get(0).map_err(history_error)?;
    let record = parse_record(position, row.try_get::<Option<&str>, _>(1).map_err(history_error)?)?;
    let reached: Option<i64> = row.try_get(2).map_err(history_error)?;
    Ok(Some((position, record, reached.and_then(|reached| u64::try_from(reached).ok()))))
}

/// The UPDATE that notes where an event stands, and drops what was kept for it.
pub fn archived(table: &str, place: &Place) -> String {
    format!(
        "UPDATE {table} SET seq = {}, manifest = '{}', trust = '{}', record = NULL, up_script = NULL, \
         down_script = NULL WHERE id = '{}'",
        place.seq, place.manifest, place.trust, place.id
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_hold_quotes_backslashes_and_bytes() {
        let written = |value: Value<'_>| {
            let mut sql = String::new();
            literal(&mut sql, &value);
            sql
        };
        assert_eq!(written(Value::Text(r"a'b\'c\".into())), r"'a\'b\\\'c\\'");
        assert_eq!(written(Value::Bytes(&[0, 0xff, 0x27])), "X'00FF27'");
        assert_eq!(written(Value::Bytes(&[])), "X''");
        assert_eq!(written(Value::Integer(-7)), "-7");
        assert_eq!(written(Value::Null), "NULL");
        assert_eq!(table("a`b"), "`a``b`.greffe_history");
    }
}
