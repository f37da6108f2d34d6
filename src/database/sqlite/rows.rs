//! Rows of `greffe_history` ⇄ values.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection as _, Row as _};

use super::failure;
use crate::crypto::Digest;
use crate::database::{DatabaseError, HistoryRow, Place, Repair, RowState, ScriptFile, Step, Unarchived};
use crate::model::{Cid, Direction, EventId, EventKind, FileDigests, SchemaChange, Timestamp};

const COLUMNS: &str = "position, id, event, direction, state, version, started_at, finished_at, \
                       up_digests, down_digests, record, seq, manifest, trust";

fn history_error(error: sqlx::Error) -> DatabaseError {
    DatabaseError::History(failure(&error))
}

async fn table_exists(connection: &mut SqliteConnection) -> Result<bool, DatabaseError> {
    let found =
        sqlx::query("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'greffe_history'")
            .fetch_optional(connection)
            .await
            .map_err(history_error)?;
    Ok(found.is_some())
}

pub async fn read_all(connection: &mut SqliteConnection) -> Result<Vec<HistoryRow>, DatabaseError> {
    if !table_exists(connection).await? {
        return Ok(Vec::new());
    }
    let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM main.greffe_history ORDER BY position"));
    let rows = sqlx::query(sql).fetch_all(connection).await.map_err(history_error)?;
    rows.iter().map(read_row).collect()
}

pub async fn read_unarchived(
    connection: &mut SqliteConnection,
    after: i64,
    limit: u32,
) -> Result<Vec<Unarchived>, DatabaseError> {
    if !table_exists(connection).await? {
        return Ok(Vec::new());
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS}, files, up_script, down_script FROM main.greffe_history \
         WHERE seq IS NULL AND state <> 'started' AND position > ? ORDER BY position LIMIT ?"
    ));
    let rows = sqlx::query(sql).bind(after).bind(limit).fetch_all(connection).await.map_err(history_error)?;
    rows.iter().map(read_with_scripts).collect()
}

fn read_with_scripts(row: &SqliteRow) -> Result<Unarchived, DatabaseError> {
    let history = read_row(row)?;
    let position = history.position;
    let names: Option<(Option<String>, Option<String>)> = read_json(row, position, "files")?;
    let (up_name, down_name) = names.unwrap_or_default();
    let script = |column, name: Option<String>| -> Result<Option<ScriptFile>, DatabaseError> {
        let bytes: Option<Vec<u8>> = row.try_get(column).map_err(history_error)?;
        Ok(name.zip(bytes).map(|(file_name, bytes)| ScriptFile { file_name, bytes }))
    };
    Ok(Unarchived {
        up: script("up_script", up_name)?,
        down: script("down_script", down_name)?,
        row: history,
    })
}

fn read_row(row: &SqliteRow) -> Result<HistoryRow, DatabaseError> {
    let position: i64 = row.try_get("position").map_err(history_error)?;
    let damaged = |detail: String| DatabaseError::HistoryDamaged { position, detail };
    let text = |column: &str| row.try_get::<String, _>(column).map_err(history_error);
    let word = |column: &str| -> Result<serde_json::Value, DatabaseError> { Ok(text(column)?.into()) };
    let seq: Option<i64> = row.try_get("seq").map_err(history_error)?;
    let manifest: Option<String> = row.try_get("manifest").map_err(history_error)?;
    let archived = match (seq.map(u64::try_from), manifest.map(|text| text.parse::<Cid>())) {
        (None, None) => None,
        (Some(Ok(seq)), Some(Ok(manifest))) => Some((seq, manifest)),
        _ => return Err(damaged("seq and manifest do not fit".to_owned())),
    };
    let trust: Option<String> = row.try_get("trust").map_err(history_error)?;
    let trust =
        trust.map(|text| text.parse::<Cid>()).transpose().map_err(|error| damaged(error.to_string()))?;
    let finished_at: Option<String> = row.try_get("finished_at").map_err(history_error)?;
    let parse = |text: String| text.parse::<Timestamp>().map_err(|error| damaged(error.to_string()));
    Ok(HistoryRow {
        position,
        id: text("id")?.parse::<EventId>().map_err(|error| damaged(error.to_string()))?,
        event: from_json::<EventKind>(word("event")?).map_err(damaged)?,
        direction: from_json::<Direction>(word("direction")?).map_err(damaged)?,
        state: from_json::<RowState>(word("state")?).map_err(damaged)?,
        version: text("version")?,
        started_at: parse(text("started_at")?)?,
        finished_at: finished_at.map(parse).transpose()?,
        up: read_json::<FileDigests>(row, position, "up_digests")?,
        down: read_json::<FileDigests>(row, position, "down_digests")?,
        record: read_json(row, position, "record")?.ok_or_else(|| damaged("it has no record".to_owned()))?,
        archived,
        trust,
    })
}

fn from_json<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn read_json<T: DeserializeOwned>(
    row: &SqliteRow,
    position: i64,
    column: &str,
) -> Result<Option<T>, DatabaseError> {
    let text: Option<&str> = row.try_get(column).map_err(history_error)?;
    let Some(text) = text else { return Ok(None) };
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| DatabaseError::HistoryDamaged { position, detail: format!("{column}: {error}") })
}

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("records have text keys and finite numbers")
}

/// What [`insert`] writes.
pub struct NewRow<'a> {
    pub position: i64,
    pub id: EventId,
    pub event: EventKind,
    pub direction: Direction,
    pub state: RowState,
    pub version: &'a str,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub up: Option<&'a ScriptFile>,
    pub down: Option<&'a ScriptFile>,
    pub record: String,
}

impl<'a> NewRow<'a> {
    /// The row of a step as it begins.
    pub fn of(step: &'a Step, position: i64, started_at: Timestamp) -> Self {
        Self {
            position,
            id: step.id,
            event: step.event,
            direction: if step.event == EventKind::Apply { Direction::Up } else { Direction::Down },
            state: RowState::Started,
            version: &step.migration.version,
            started_at,
            finished_at: None,
            up: step.up.as_ref(),
            down: step.down.as_ref(),
            record: to_json(&step.record),
        }
    }
}

pub async fn insert(connection: &mut SqliteConnection, row: &NewRow<'_>) -> Result<(), sqlx::Error> {
    let names = (row.up.map(|file| &file.file_name), row.down.map(|file| &file.file_name));
    let digests = |file: Option<&ScriptFile>| file.map(|file| to_json(&FileDigests::of(&file.bytes)));
    sqlx::query(
        "INSERT INTO main.greffe_history (position, id, event, direction, state, version, started_at, finished_at, \
         up_digests, down_digests, record, files, up_script, down_script) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.position)
    .bind(row.id.to_string())
    .bind(row.event.as_str())
    .bind(word(&row.direction))
    .bind(word(&row.state))
    .bind(row.version)
    .bind(row.started_at.to_string())
    .bind(row.finished_at.map(|time| time.to_string()))
    .bind(digests(row.up))
    .bind(digests(row.down))
    .bind(row.record.as_str())
    .bind(to_json(&names))
    .bind(row.up.map(|file| file.bytes.as_slice()))
    .bind(row.down.map(|file| file.bytes.as_slice()))
    .execute(connection)
    .await?;
    Ok(())
}

/// How a row ended.
pub struct Ending<'a> {
    pub position: i64,
    pub event: EventKind,
    pub state: RowState,
    pub finished_at: Timestamp,
    pub record: &'a crate::database::Record,
}

/// Whether the row was there to be finished: a script may have taken it away.
pub async fn finish(connection: &mut SqliteConnection, ending: &Ending<'_>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE main.greffe_history SET event = ?, state = ?, finished_at = ?, record = ? WHERE position = ?",
    )
    .bind(ending.event.as_str())
    .bind(word(&ending.state))
    .bind(ending.finished_at.to_string())
    .bind(to_json(ending.record))
    .bind(ending.position)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The word that an enumeration is written as.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

pub async fn mark_archived(connection: &mut SqliteConnection, places: &[Place]) -> Result<(), DatabaseError> {
    let mut transaction = connection.begin().await.map_err(history_error)?;
    for Place { id, seq, manifest, trust } in places {
        sqlx::query(
            "UPDATE main.greffe_history SET seq = ?, manifest = ?, trust = ?, up_script = NULL, down_script = NULL WHERE id = ?",
        )
        .bind(i64::try_from(*seq).unwrap_or(i64::MAX))
        .bind(manifest.to_string())
        .bind(trust.to_string())
        .bind(id.to_string())
        .execute(&mut *transaction)
        .await
        .map_err(history_error)?;
    }
    transaction.commit().await.map_err(history_error)
}

pub async fn close_started(
    connection: &mut SqliteConnection,
    id: EventId,
    now: Timestamp,
    (algorithm, after): (&'static str, Digest),
) -> Result<(), DatabaseError> {
    let rows = read_all(connection).await?;
    let Some(row) = rows.into_iter().find(|row| row.id == id) else { return Ok(()) };
    let mut record = row.record;
    if let Some(schema) = &mut record.schema {
        *schema = SchemaChange { algorithm: algorithm.to_owned(), before: schema.before, after: Some(after) };
    }
    let finished_at = now.max(row.started_at);
    let ending = Ending {
        position: row.position,
        event: EventKind::Fail,
        state: RowState::Partial,
        finished_at,
        record: &record,
    };
    finish(connection, &ending).await.map(drop).map_err(history_error)
}

pub async fn insert_repair(
    connection: &mut SqliteConnection,
    position: i64,
    repair: &Repair,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let row = NewRow {
        position,
        id: repair.id,
        event: EventKind::Repair,
        direction: repair.direction,
        state: RowState::Done,
        version: &repair.version,
        started_at: now,
        finished_at: Some(now),
        up: repair.up.as_ref(),
        down: repair.down.as_ref(),
        record: to_json(&repair.record),
    };
    insert(connection, &row).await.map_err(history_error)
}
