//! Rows of `greffe_history` ⇄ values.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::failure;
use crate::crypto::Digest;
use crate::database::{DatabaseError, HistoryRow, Place, Repair, RowState, ScriptFile, Step, Unarchived};
use crate::model::{Cid, Direction, EventId, EventKind, FileDigests, SchemaChange, Timestamp};

/// One row of the history as a JSON array, without its scripts.
const COLUMNS: &str = "json_array(position, id, event, direction, state, version, started_at, finished_at, \
                       up_digests, down_digests, record, seq, manifest, trust)";

/// Rows that are read at once: each row of an answer is handed from thread to thread, and that takes longer than
/// to read it. Not more, for fresh memory takes as long as what it is filled with.
const ROWS_AT_ONCE: i64 = 64;

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
    let mut rows: Vec<HistoryRow> = Vec::new();
    loop {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT json_group_array({COLUMNS} ORDER BY position) FROM \
             (SELECT * FROM main.greffe_history WHERE position > ? ORDER BY position LIMIT ?)"
        ));
        let after = rows.last().map_or(i64::MIN, |row| row.position);
        let row = sqlx::query(sql).bind(after).bind(ROWS_AT_ONCE).fetch_one(&mut *connection).await;
        let row = row.map_err(history_error)?;
        let written: Vec<Written> = serde_json::from_str(row.try_get(0).map_err(history_error)?)
            .map_err(|error| damaged(after, error))?;
        let end = written.len() < ROWS_AT_ONCE as usize;
        rows.extend(written.into_iter().map(read_row).collect::<Result<Vec<_>, _>>()?);
        if end {
            return Ok(rows);
        }
    }
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
        "SELECT {COLUMNS} AS written, files, up_script, down_script FROM main.greffe_history \
         WHERE seq IS NULL AND state <> 'started' AND position > ? ORDER BY position LIMIT ?"
    ));
    let rows = sqlx::query(sql).bind(after).bind(limit).fetch_all(connection).await.map_err(history_error)?;
    rows.iter().map(read_with_scripts).collect()
}

fn read_with_scripts(row: &SqliteRow) -> Result<Unarchived, DatabaseError> {
    let written: Written = serde_json::from_str(row.try_get("written").map_err(history_error)?)
        .map_err(|error| damaged(0, error))?;
    let history = read_row(written)?;
    let position = history.position;
    let files: Option<&str> = row.try_get("files").map_err(history_error)?;
    let names: Option<(Option<String>, Option<String>)> = read_json(position, "files", files)?;
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

/// A row as [`COLUMNS`] has it.
#[derive(Deserialize)]
struct Written {
    position: i64,
    id: String,
    event: String,
    direction: String,
    state: String,
    version: String,
    started_at: String,
    finished_at: Option<String>,
    up_digests: Option<String>,
    down_digests: Option<String>,
    record: String,
    seq: Option<i64>,
    manifest: Option<String>,
    trust: Option<String>,
}

fn damaged(position: i64, detail: impl ToString) -> DatabaseError {
    DatabaseError::HistoryDamaged { position, detail: detail.to_string() }
}

fn read_row(row: Written) -> Result<HistoryRow, DatabaseError> {
    let position = row.position;
    let archived = match (row.seq.map(u64::try_from), row.manifest.map(|text| text.parse::<Cid>())) {
        (None, None) => None,
        (Some(Ok(seq)), Some(Ok(manifest))) => Some((seq, manifest)),
        _ => return Err(damaged(position, "seq and manifest do not fit")),
    };
    let trust = row.trust.map(|text| text.parse::<Cid>()).transpose();
    let trust = trust.map_err(|error| damaged(position, error))?;
    let parse = |text: String| text.parse::<Timestamp>().map_err(|error| damaged(position, error));
    Ok(HistoryRow {
        position,
        id: row.id.parse::<EventId>().map_err(|error| damaged(position, error))?,
        event: read_word::<EventKind>(position, &row.event)?,
        direction: read_word::<Direction>(position, &row.direction)?,
        state: read_word::<RowState>(position, &row.state)?,
        version: row.version,
        started_at: parse(row.started_at)?,
        finished_at: row.finished_at.map(parse).transpose()?,
        up: read_json::<FileDigests>(position, "up_digests", row.up_digests.as_deref())?,
        down: read_json::<FileDigests>(position, "down_digests", row.down_digests.as_deref())?,
        record: read_json(position, "record", Some(&row.record))?
            .ok_or_else(|| damaged(position, "it has no record"))?,
        archived,
        trust,
    })
}

/// A word as [`word`] writes it.
fn read_word<'a, T: Deserialize<'a>>(position: i64, word: &'a str) -> Result<T, DatabaseError> {
    let word = serde::de::value::BorrowedStrDeserializer::<serde::de::value::Error>::new(word);
    T::deserialize(word).map_err(|error| damaged(position, error))
}

fn read_json<T: DeserializeOwned>(
    position: i64,
    column: &str,
    text: Option<&str>,
) -> Result<Option<T>, DatabaseError> {
    let Some(text) = text else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|error| damaged(position, format!("{column}: {error}")))
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
    let places: Vec<_> =
        places.iter().map(|place| (place.id, place.seq, place.manifest, place.trust)).collect();
    // One statement is one transaction.
    sqlx::query(
        "UPDATE main.greffe_history SET seq = place.value ->> 1, manifest = place.value ->> 2, \
         trust = place.value ->> 3, up_script = NULL, down_script = NULL \
         FROM json_each(?) AS place WHERE greffe_history.id = place.value ->> 0",
    )
    .bind(to_json(&places))
    .execute(connection)
    .await
    .map_err(history_error)?;
    Ok(())
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
