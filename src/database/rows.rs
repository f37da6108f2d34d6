//! Rows of the history as columns, the same on every engine; an engine adds its table's name and how it writes
//! a literal.
//!
//! Rows are written as literals, not as parameters: so a row, the beginning or end of its transaction and what
//! else belongs to it are one message to the server. Only values that greffe made go this way.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{DatabaseError, Declaration, HistoryRow, Record, RowState, ScriptFile, Step};
use crate::crypto::Digest;
use crate::model::{Cid, Direction, ErrorCode, EventId, EventKind, FileDigests, SchemaChange, Timestamp};

/// What every start reads of a row: the columns of [`Columns`], in that order.
pub const COLUMNS: &str = "position, id, event, direction, state, version, name, started_at, finished_at, \
                           up_digests, down_digests, schema_after, seq, manifest, trust";

/// A row as a JSON array of [`COLUMNS`].
#[derive(Deserialize)]
pub struct Columns {
    position: i64,
    id: String,
    event: String,
    direction: String,
    state: String,
    version: String,
    name: Option<String>,
    started_at: String,
    finished_at: Option<String>,
    up_digests: Option<String>,
    down_digests: Option<String>,
    schema_after: Option<String>,
    seq: Option<i64>,
    manifest: Option<String>,
    trust: Option<String>,
}

/// What to say of a row that greffe did not write like this.
pub fn damaged(position: i64, detail: impl ToString) -> DatabaseError {
    DatabaseError::HistoryDamaged { position, detail: detail.to_string() }
}

/// Reads JSON arrays of rows. `after`: the position of the row before them, for errors.
pub fn parse_rows(json: &str, after: i64) -> Result<Vec<HistoryRow>, DatabaseError> {
    let rows: Vec<Columns> = serde_json::from_str(json).map_err(|error| damaged(after, error))?;
    rows.into_iter().map(parse_row).collect()
}

fn parse_row(row: Columns) -> Result<HistoryRow, DatabaseError> {
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
        event: parse_word::<EventKind>(position, &row.event)?,
        direction: parse_word::<Direction>(position, &row.direction)?,
        state: parse_word::<RowState>(position, &row.state)?,
        version: row.version,
        name: row.name,
        started_at: parse(row.started_at)?,
        finished_at: row.finished_at.map(parse).transpose()?,
        up: parse_json::<FileDigests>(position, "up_digests", row.up_digests.as_deref())?,
        down: parse_json::<FileDigests>(position, "down_digests", row.down_digests.as_deref())?,
        schema: row.schema_after.map(|text| parse_schema(position, &text)).transpose()?,
        archived,
        trust,
    })
}

/// A word as [`word`] writes it.
fn parse_word<'a, T: Deserialize<'a>>(position: i64, word: &'a str) -> Result<T, DatabaseError> {
    let word = serde::de::value::BorrowedStrDeserializer::<serde::de::value::Error>::new(word);
    T::deserialize(word).map_err(|error| damaged(position, error))
}

fn parse_schema(position: i64, text: &str) -> Result<(String, Option<Digest>), DatabaseError> {
    let Some((algorithm, digest)) = text.split_once(' ') else { return Ok((text.to_owned(), None)) };
    let digest =
        Digest::parse_prefixed(digest).ok_or_else(|| damaged(position, "schema_after: not a fingerprint"))?;
    Ok((algorithm.to_owned(), Some(digest)))
}

fn parse_json<T: DeserializeOwned>(
    position: i64,
    column: &str,
    text: Option<&str>,
) -> Result<Option<T>, DatabaseError> {
    let Some(text) = text else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|error| damaged(position, format!("{column}: {error}")))
}

/// The record of a row.
pub fn parse_record(position: i64, text: Option<&str>) -> Result<Record, DatabaseError> {
    parse_json(position, "record", text)?.ok_or_else(|| damaged(position, "it has no record"))
}

/// The scripts of a row, from its column `files` and their bytes.
pub fn parse_scripts(
    position: i64,
    files: Option<&str>,
    up: Option<Vec<u8>>,
    down: Option<Vec<u8>>,
) -> Result<(Option<ScriptFile>, Option<ScriptFile>), DatabaseError> {
    let names: Option<(Option<String>, Option<String>)> = parse_json(position, "files", files)?;
    let (up_name, down_name) = names.unwrap_or_default();
    let script = |name: Option<String>, bytes: Option<Vec<u8>>| {
        name.zip(bytes).map(|(file_name, bytes)| ScriptFile { file_name, bytes })
    };
    Ok((script(up_name, up), script(down_name, down)))
}

/// A value of a column.
pub enum Value<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
}

impl Value<'_> {
    fn text<T: ToString>(value: &T) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }

    fn json<T: Serialize>(value: &T) -> Self {
        Self::Text(Cow::Owned(to_json(value)))
    }

    fn optional(value: Option<Self>) -> Self {
        value.unwrap_or(Self::Null)
    }
}

/// How an engine writes a value in SQL.
pub type Literal = fn(&mut String, &Value<'_>);

/// A row that is added.
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
    pub record: &'a Record,
}

impl<'a> NewRow<'a> {
    /// The row of a step as it begins.
    pub fn of_step(step: &'a Step, position: i64, started_at: Timestamp) -> Self {
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
            record: &step.record,
        }
    }

    /// The row of an event that runs nothing.
    pub fn of_declaration(declaration: &'a Declaration, position: i64, now: Timestamp) -> Self {
        Self {
            position,
            id: declaration.id,
            event: declaration.event,
            direction: declaration.direction,
            state: RowState::Done,
            version: &declaration.version,
            started_at: now,
            finished_at: Some(now),
            up: declaration.up.as_ref(),
            down: declaration.down.as_ref(),
            record: &declaration.record,
        }
    }

    fn values(&self) -> Vec<(&'static str, Value<'a>)> {
        let digests = |file: Option<&ScriptFile>| {
            Value::optional(file.map(|file| Value::json(&FileDigests::of(&file.bytes))))
        };
        let bytes =
            |file: Option<&'a ScriptFile>| Value::optional(file.map(|file| Value::Bytes(&file.bytes)));
        let names = (self.up.map(|file| &file.file_name), self.down.map(|file| &file.file_name));
        let name = self.record.migration.as_ref().and_then(|migration| migration.name.clone());
        vec![
            ("position", Value::Integer(self.position)),
            ("id", Value::text(&self.id)),
            ("event", Value::text(&self.event.as_str())),
            ("direction", Value::text(&word(&self.direction))),
            ("state", Value::text(&word(&self.state))),
            ("version", Value::text(&self.version)),
            ("name", Value::optional(name.map(|name| Value::Text(Cow::Owned(name))))),
            ("started_at", Value::text(&self.started_at)),
            ("finished_at", Value::optional(self.finished_at.as_ref().map(Value::text))),
            ("up_digests", digests(self.up)),
            ("down_digests", digests(self.down)),
            ("schema_after", schema_after(self.record)),
            ("record", Value::json(self.record)),
            ("files", Value::json(&names)),
            ("up_script", bytes(self.up)),
            ("down_script", bytes(self.down)),
        ]
    }

    /// The columns that have values, in the order of [`NewRow::list`].
    pub fn columns(&self) -> Vec<&'static str> {
        self.values().into_iter().map(|(column, _)| column).collect()
    }

    /// The values alone, a comma between.
    #[must_use]
    pub fn list(&self, literal: Literal) -> String {
        let mut sql = String::with_capacity(2048 + 2 * self.scripts());
        write_list(&mut sql, self.values().iter().map(|(_, value)| value), literal);
        sql
    }

    /// How many bytes its scripts have.
    fn scripts(&self) -> usize {
        [self.up, self.down].into_iter().flatten().map(|file| file.bytes.len()).sum()
    }

    /// The INSERT of this row into `table`.
    #[must_use]
    pub fn insert(&self, table: &str, literal: Literal) -> String {
        let values = self.values();
        let columns: Vec<&str> = values.iter().map(|(column, _)| *column).collect();
        let mut sql = String::with_capacity(2048 + 2 * self.scripts());
        sql.push_str(&format!("INSERT INTO {table} ({}) VALUES (", columns.join(", ")));
        write_list(&mut sql, values.iter().map(|(_, value)| value), literal);
        sql.push(')');
        sql
    }
}

fn write_list<'a>(sql: &mut String, values: impl Iterator<Item = &'a Value<'a>>, literal: Literal) {
    for (index, value) in values.enumerate() {
        sql.push_str(if index == 0 { "" } else { ", " });
        literal(sql, value);
    }
}

fn schema_after(record: &Record) -> Value<'static> {
    Value::optional(record.schema.as_ref().map(|schema| {
        let digest = schema.after.map(|after| format!(" {}", after.to_prefixed()));
        Value::Text(Cow::Owned(schema.algorithm.clone() + &digest.unwrap_or_default()))
    }))
}

/// How a row ends.
pub struct Ending<'a> {
    pub position: i64,
    pub event: EventKind,
    pub state: RowState,
    pub finished_at: Timestamp,
    pub record: &'a Record,
}

impl<'a> Ending<'a> {
    /// A row that a crash left: it failed at the statement that it had come to, and what had run by then stays.
    pub fn of_started(
        row: &HistoryRow,
        record: &'a mut Record,
        now: Timestamp,
        schema: Schema,
        reached: Option<u64>,
    ) -> Self {
        let statement = reached.unwrap_or(1);
        record.error = Some(ErrorCode { code: "interrupted".to_owned(), statement });
        if let (Some(change), Some((algorithm, after))) = (&mut record.schema, schema) {
            *change =
                SchemaChange { algorithm: algorithm.to_owned(), before: change.before, after: Some(after) };
        }
        Self {
            position: row.position,
            event: EventKind::Fail,
            state: RowState::Partial,
            finished_at: now.max(row.started_at),
            record,
        }
    }

    /// The columns that it changes, in the order of [`Ending::list`].
    pub const COLUMNS: [&'static str; 5] = ["event", "state", "finished_at", "schema_after", "record"];

    fn values(&self) -> [Value<'_>; 5] {
        [
            Value::text(&self.event.as_str()),
            Value::text(&word(&self.state)),
            Value::text(&self.finished_at),
            schema_after(self.record),
            Value::json(self.record),
        ]
    }

    /// The values alone, a comma between.
    #[must_use]
    pub fn list(&self, literal: Literal) -> String {
        let mut sql = String::with_capacity(2048);
        write_list(&mut sql, self.values().iter(), literal);
        sql
    }

    /// The UPDATE of this row in `table`.
    #[must_use]
    pub fn update(&self, table: &str, literal: Literal) -> String {
        let mut sql = String::with_capacity(2048);
        sql.push_str(&format!("UPDATE {table} SET "));
        for (index, (column, value)) in Self::COLUMNS.iter().zip(&self.values()).enumerate() {
            sql.push_str(if index == 0 { "" } else { ", " });
            sql.push_str(&format!("{column} = "));
            literal(&mut sql, value);
        }
        sql.push_str(&format!(" WHERE position = {}", self.position));
        sql
    }
}

/// A fingerprint with its algorithm, where one is taken.
pub type Schema = Option<(&'static str, Digest)>;

/// A value as JSON.
pub fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("records have text keys and finite numbers")
}

/// The word that an enumeration is written as.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
