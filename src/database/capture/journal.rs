//! The journal's rows, and the history that they end in, read in one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::postgres::qualified;
use crate::crypto::Digest;
use crate::database::people::Sql;
use crate::database::{Database, DatabaseError, ToolTable};
use crate::model::Timestamp;

/// How often it is asked whether transactions that write the journal have ended, and how long after one another.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(150);

/// A row of the tool's table: the texts of its columns.
pub type HistoryRow = Vec<Option<String>>;

/// A journal as it is.
#[derive(Clone, Debug)]
pub struct Journal {
    /// In the order of their numbers.
    pub rows: Vec<JournalRow>,
    /// Numbers up to this one are complete: no transaction that is still open has one of them.
    pub settled: i64,
    /// The tool's table at the same moment.
    pub history: Vec<HistoryRow>,
    /// Who owns it, where the server has roles.
    pub owner: Option<String>,
}

/// One change of the tool's table, as its trigger wrote it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    pub id: i64,
    /// By the clock of the server, or of the program that wrote the file.
    pub at: Option<Timestamp>,
    pub what: JournalEntry,
    pub transaction: Option<String>,
    pub session: Option<String>,
    pub role: Option<String>,
    /// Whether its transaction, or its connection, had written nothing but the history since the row before.
    pub quiet: bool,
    /// All that it says, to tell whether it is still the same.
    digest: Digest,
}

/// What a row tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalEntry {
    Installed,
    /// Rows that went, and rows that came.
    Changed {
        before: Vec<HistoryRow>,
        after: Vec<HistoryRow>,
    },
    /// Kind and name of what was defined or dropped.
    Defined(String),
    /// Nothing that a trigger of greffe writes.
    Damaged,
}

impl Journal {
    /// One digest of all rows up to a number.
    #[must_use]
    pub fn digest_up_to(&self, id: i64) -> Digest {
        crate::database::digest_of_digests(
            self.rows.iter().take_while(|row| row.id <= id).map(|row| &row.digest),
        )
    }

    /// Numbers between its first and its last row that no row has.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let pairs = self.rows.iter().zip(self.rows.iter().skip(1));
        pairs.map(|(one, next)| next.id.abs_diff(one.id).saturating_sub(1)).sum()
    }
}

impl Database {
    /// Reads the journal. Writes nothing, and holds nobody up: where a transaction that writes the journal stays open,
    /// nothing is settled.
    ///
    /// # Errors
    /// [`DatabaseError::ToolHistory`], [`DatabaseError::ManyRows`], [`DatabaseError::NoCapture`].
    pub async fn journal(&mut self, table: &ToolTable, columns: &[&str]) -> Result<Journal, DatabaseError> {
        let (settled, found) = match self.sql() {
            Sql::Postgres => {
                let settled = self.settled().await?;
                // As the trigger writes values.
                self.texts_of("SET \"TimeZone\" = 'UTC'".to_owned()).await?;
                self.texts_of("SET bytea_output = 'hex'".to_owned()).await?;
                // Policies of the table's owner do not run here.
                self.texts_of("SET row_security = off".to_owned()).await?;
                let found = self.texts_of(of_postgres(table, columns)).await;
                self.texts_of("RESET row_security".to_owned()).await?;
                self.texts_of("RESET \"TimeZone\"".to_owned()).await?;
                self.texts_of("RESET bytea_output".to_owned()).await?;
                (settled, found?)
            }
            Sql::Sqlite => (i64::MAX, self.texts_of(of_sqlite(table, columns)).await?),
            Sql::Mysql => return Err(DatabaseError::NoCapture),
        };
        let limit = super::super::tool_tables::ROW_LIMIT;
        if found.len() > limit {
            return Err(DatabaseError::ManyRows { table: "greffe_capture".to_owned(), limit });
        }
        let bytes: Vec<bool> = columns
            .iter()
            .map(|name| table.columns.iter().any(|column| column.name == *name && column.bytes))
            .collect();
        let read = |text: Option<&str>| read_rows(self.sql(), text, columns, &bytes);
        let mut journal = Journal { rows: Vec::new(), settled, history: Vec::new(), owner: None };
        let mut written: Vec<(i64, [Option<String>; 10])> = Vec::new();
        for row in found {
            let Ok([kind, rest @ ..]): Result<[Option<String>; 11], _> = row.try_into() else { continue };
            match kind.as_deref() {
                Some("now") => journal.history.extend(read(rest[6].as_deref()).unwrap_or_default()),
                Some("owner") => journal.owner = rest[0].clone(),
                _ => written
                    .push((rest[0].as_deref().and_then(|id| id.parse().ok()).unwrap_or_default(), rest)),
            }
        }
        written.sort_by_key(|(id, _)| *id);
        let mut earlier = Earlier::default();
        for (id, [_, at, operation, transaction, session, role, before, after, place, other]) in written {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let said = [&at, &operation, &transaction, &session, &role, &before, &after].map(text);
            let digest = Digest::of(format!("{id}\n{}", said.join("\n")).as_bytes());
            let what = match operation.as_deref() {
                Some("INSTALL") => JournalEntry::Installed,
                Some("DEFINE" | "DROP") => JournalEntry::Defined(text(&other)),
                Some("INSERT" | "UPDATE" | "DELETE" | "TRUNCATE") => {
                    match (read(before.as_deref()), read(after.as_deref())) {
                        (Some(before), Some(after)) if before.len() + after.len() > 0 => {
                            JournalEntry::Changed { before, after }
                        }
                        _ if operation.as_deref() == Some("TRUNCATE") && before.is_none() => {
                            JournalEntry::Changed { before: Vec::new(), after: Vec::new() }
                        }
                        _ => JournalEntry::Damaged,
                    }
                }
                _ => JournalEntry::Damaged,
            };
            let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<i64>().ok());
            let quiet = match self.sql() {
                Sql::Postgres => earlier.is_quiet_on_postgres(
                    transaction.as_deref(),
                    session.as_deref(),
                    number(&place),
                    &what,
                ),
                _ => earlier.is_quiet_on_sqlite(number(&place), number(&other)),
            };
            let session =
                session.or_else(|| (self.sql() == Sql::Sqlite).then(|| earlier.connection.to_string()));
            let at = at.and_then(|at| time_of(&at));
            journal.rows.push(JournalRow { id, at, what, transaction, session, role, quiet, digest });
        }
        Ok(journal)
    }

    /// The newest number up to which no open transaction can still bring a row. One that writes the journal holds its
    /// lock from before it takes a number until it is over.
    async fn settled(&mut self) -> Result<i64, DatabaseError> {
        const BUSY: &str = "SELECT count(*)::text FROM pg_catalog.pg_locks \
            WHERE locktype = 'relation' AND relation = 'greffe_capture.journal'::regclass \
            AND mode = 'RowExclusiveLock' AND pid IS DISTINCT FROM pg_catalog.pg_backend_pid()";
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            let head = self.journal_head().await?;
            let busy = self.texts_of(BUSY.to_owned()).await?.pop().and_then(|mut row| row.pop()).flatten();
            if busy.as_deref() == Some("0") {
                return Ok(head);
            }
        }
        Ok(0)
    }
}

/// What the row before has told.
#[derive(Default)]
struct Earlier {
    transaction: Option<String>,
    /// Statements of the transaction so far, or rows that the connection changed.
    place: Option<i64>,
    size: Option<i64>,
    /// How many connections there were in SQLite.
    connection: u64,
    /// Sessions that defined something since they wrote the history.
    defined: BTreeSet<String>,
}

impl Earlier {
    /// Each change of the history is one statement, and the row that tells of it another one.
    fn is_quiet_on_postgres(
        &mut self,
        transaction: Option<&str>,
        session: Option<&str>,
        place: Option<i64>,
        what: &JournalEntry,
    ) -> bool {
        let same = transaction.is_some() && self.transaction.as_deref() == transaction;
        let before = if same { self.place.unwrap_or(-1) } else { -1 };
        let session = session.unwrap_or_default();
        let defined = match what {
            JournalEntry::Defined(_) => self.defined.insert(session.to_owned()),
            _ => self.defined.remove(session),
        };
        (self.transaction, self.place) = (transaction.map(str::to_owned), place);
        !defined && place.is_some_and(|place| (before..=before + 2).contains(&place))
    }

    /// A connection counts from nothing on, and the schema's size stays while nothing is defined.
    fn is_quiet_on_sqlite(&mut self, changes: Option<i64>, size: Option<i64>) -> bool {
        let follows =
            changes.zip(self.place).is_some_and(|(now, before)| (before + 1..=before + 2).contains(&now));
        let quiet = size == self.size && (changes == Some(0) || follows);
        if changes <= self.place {
            self.connection += 1;
        }
        (self.place, self.size) = (changes, size);
        quiet
    }
}

/// Rows of one shape: what it is, number, time, operation, transaction, session, role, before, after, place, other.
fn of_postgres(table: &ToolTable, columns: &[&str]) -> String {
    // Columns of types that PostgreSQL itself brings, as the trigger takes them.
    let there = columns.iter().filter(|name| table.columns.iter().any(|column| column.name == **name));
    let value = |name: &&str| {
        format!("'{}', to_jsonb(t.{}) #>> '{{}}'", name.replace('\'', "''"), Sql::Postgres.name(name))
    };
    let values: Vec<String> = there.map(value).collect();
    let (values, table) = (values.join(", "), qualified(table));
    format!(
        "SELECT 'journal', id::text, (extract(epoch FROM at) * 1000000)::bigint::text, operation, transaction, \
         session::text, role, before::text, after::text, cmin::text, object FROM greffe_capture.journal \
         UNION ALL SELECT 'now', NULL, NULL, NULL, NULL, NULL, NULL, \
         jsonb_build_object({values})::text, NULL, NULL, NULL FROM {table} AS t \
         UNION ALL SELECT 'owner', pg_get_userbyid(relowner)::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
         NULL FROM pg_catalog.pg_class WHERE oid = '{}'::regclass",
        table.replace('\'', "''")
    )
}

fn of_sqlite(table: &ToolTable, columns: &[&str]) -> String {
    let quoted: Vec<String> =
        columns.iter().map(|name| format!("quote({})", Sql::Sqlite.name(name))).collect();
    let text = |name: &str| format!("CAST({name} AS TEXT)");
    format!(
        "SELECT 'journal', {}, {}, {}, NULL, NULL, NULL, {}, {}, {}, {} FROM main.greffe_capture \
         UNION ALL SELECT 'now', NULL, NULL, NULL, NULL, NULL, NULL, {}, NULL, NULL, NULL FROM main.{}",
        text("id"),
        text("at"),
        text("operation"),
        text("before"),
        text("after"),
        text("changes"),
        text("size"),
        quoted.join(" || ',' || "),
        Sql::Sqlite.name(&table.name)
    )
}

/// Rows as a trigger writes them; `None` where it is nothing of that kind.
fn read_rows(sql: Sql, text: Option<&str>, columns: &[&str], bytes: &[bool]) -> Option<Vec<HistoryRow>> {
    let Some(text) = text else { return Some(Vec::new()) };
    if sql != Sql::Postgres {
        return read_literals(text).filter(|row| row.len() == columns.len()).map(|row| vec![row]);
    }
    type Object = BTreeMap<String, Option<String>>;
    let objects: Vec<Object> = match text.starts_with('[') {
        true => serde_json::from_str(text).ok()?,
        false => vec![serde_json::from_str(text).ok()?],
    };
    let row = |mut object: Object| {
        let value = |(name, bytes): (&&str, &bool)| {
            let value = object.remove(*name).flatten()?;
            Some(match bytes {
                true => value.strip_prefix("\\x").unwrap_or(&value).to_owned(),
                false => value,
            })
        };
        columns.iter().zip(bytes).map(value).collect()
    };
    Some(objects.into_iter().map(row).collect())
}

/// Values as SQLite's `quote` writes them, comma between.
fn read_literals(mut text: &str) -> Option<HistoryRow> {
    let mut row = Vec::new();
    loop {
        let end;
        if text.starts_with('\'') {
            let (value, length) = read_text(text)?;
            end = length;
            row.push(Some(value));
        } else {
            end = text.find(',').unwrap_or(text.len());
            let value = text.get(..end)?;
            row.push(match value.strip_prefix("X'").and_then(|hex| hex.strip_suffix('\'')) {
                Some(hex) => Some(hex.to_ascii_lowercase()),
                None if value == "NULL" => None,
                None if value.is_empty() => return None,
                None => Some(value.to_owned()),
            });
        }
        match text.as_bytes().get(end) {
            None => return Some(row),
            Some(b',') => text = text.get(end + 1..)?,
            Some(_) => return None,
        }
    }
}

/// A text in quotes at the beginning, and how many bytes that takes. Two quotes in it stand for one.
fn read_text(text: &str) -> Option<(String, usize)> {
    let (mut value, mut from) = (String::new(), 1);
    loop {
        let quote = from + text.get(from..)?.find('\'')?;
        value.push_str(text.get(from..quote)?);
        if text.as_bytes().get(quote + 1) != Some(&b'\'') {
            return Some((value, quote + 1));
        }
        value.push('\'');
        from = quote + 2;
    }
}

/// Microseconds since 1970, or as SQLite writes milliseconds.
fn time_of(text: &str) -> Option<Timestamp> {
    match text.parse() {
        Ok(microseconds) => Timestamp::from_microseconds(microseconds),
        Err(_) => format!("{}000Z", text.strip_suffix('Z')?).parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_sqlite_writes_them() {
        let row = |values: &[Option<&str>]| {
            Some(values.iter().map(|value| value.map(str::to_owned)).collect::<HistoryRow>())
        };
        assert_eq!(read_literals("'a'"), row(&[Some("a")]));
        let values = [Some("it's, '',"), None, Some("12"), Some("ab00"), Some("")];
        assert_eq!(read_literals("'it''s, '''',',NULL,12,X'AB00',''"), row(&values));
        for garbage in ["", "'", "'a", "'a'b", "'a',", ",", "'a',,1"] {
            assert_eq!(read_literals(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn times_of_both_engines_are_read() {
        let time = |text: &str| time_of(text).map(|time| time.to_string());
        assert_eq!(time("2026-11-23T04:43:25.408Z").as_deref(), Some("2026-11-23T04:43:25.408000Z"));
        assert_eq!(time("1000000").as_deref(), Some("1970-01-01T00:00:01.000000Z"));
        for garbage in ["", "now", "9999999999999999999", "9223372036854775807"] {
            assert_eq!(time_of(garbage), None, "{garbage}");
        }
    }
}
