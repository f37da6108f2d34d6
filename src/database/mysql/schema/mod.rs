//! The fingerprint of a MySQL or MariaDB schema, algorithm `greffe-mysql-1`.
//!
//! One text for each object of the database, greffe's own tables left out. The fingerprint is SHA-256 over the
//! SHA-256 digests of the texts, in the order of kind and name as bytes.
//!
//! | kind | its text |
//! |---|---|
//! | `table` | `SHOW CREATE TABLE` without the `AUTO_INCREMENT` counter; indexes and constraints sorted as bytes |
//! | `sequence` | `SHOW CREATE SEQUENCE` |
//! | `view` | `SHOW CREATE VIEW` without the definer, from within the database; character set and collation |
//! | `trigger`, `event`, `function`, `procedure`, … | a JSON array of its attributes, a line feed, its body as written |
//!
//! Server and `sql_mode` are those of the session that [`super::connect`] describes. Texts are the engine's own, so
//! MariaDB and MySQL differ, and so may versions that print another text. Neither definers nor grants are in it
//! ([`access`]), nor the database's name and defaults, nor the time of anything: also not the instants of an
//! event's schedule, for the server takes them from the clock when an event is made.
//!
//! A user sees what they have a privilege on. Who reads a fingerprint needs those that a dump needs: `SELECT`,
//! `SHOW VIEW`, `TRIGGER`, `EVENT`, and to see routines' bodies; a body that is hidden is an error.

pub mod access;
pub mod own;
mod text;

use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Column as _, Either, Row as _};

use super::failure::{number, schema_error};
use super::rows::{identifier, text as literal};
use crate::crypto::Digest;
use crate::database::schema::Objects;
use crate::database::{DatabaseError, Failure, ObjectName, digest_of_digests};

/// What `schema.algorithm` says.
pub const ALGORITHM: &str = "greffe-mysql-1";

/// Greffe's own tables.
const OWN: [&str; 2] = ["greffe_history", "greffe_migrations"];
/// How many `SHOW CREATE` go in one message.
const SHOWN_AT_ONCE: usize = 500;
/// How often reading begins anew when an object went while it was read.
const ATTEMPTS: usize = 3;

/// Tables, triggers, routines, their parameters, events: one answer each.
const LISTS: &str = "\
    SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = {db}; \
    SELECT TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, EVENT_OBJECT_TABLE, ACTION_ORDER, SQL_MODE, \
        CHARACTER_SET_CLIENT, COLLATION_CONNECTION, ACTION_STATEMENT \
        FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {db}; \
    SELECT ROUTINE_TYPE, ROUTINE_NAME, IS_DETERMINISTIC, SQL_DATA_ACCESS, SECURITY_TYPE, SQL_MODE, \
        ROUTINE_COMMENT, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, ROUTINE_DEFINITION \
        FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {db}; \
    SELECT ROUTINE_TYPE, SPECIFIC_NAME, PARAMETER_MODE, PARAMETER_NAME, DTD_IDENTIFIER, CHARACTER_SET_NAME, \
        COLLATION_NAME FROM information_schema.PARAMETERS WHERE SPECIFIC_SCHEMA = {db} \
        ORDER BY ROUTINE_TYPE, SPECIFIC_NAME, ORDINAL_POSITION; \
    SELECT EVENT_NAME, EVENT_TYPE, INTERVAL_VALUE, INTERVAL_FIELD, \
        IF(STATUS = 'DISABLED', 'DISABLED', 'ENABLED'), ON_COMPLETION, TIME_ZONE, SQL_MODE, EVENT_COMMENT, \
        CHARACTER_SET_CLIENT, COLLATION_CONNECTION, EVENT_DEFINITION \
        FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {db}";

/// The columns of a row as text.
pub type Line = Vec<Option<String>>;

/// The fingerprint of these objects.
pub fn digest(objects: &Objects) -> Digest {
    let digests: Vec<Digest> = objects.values().map(|text| Digest::of(text.as_bytes())).collect();
    digest_of_digests(&digests)
}

/// The canonical text of each object. What others change meanwhile is in it or not.
pub async fn read(connection: &mut MySqlConnection, database: &str) -> Result<Objects, DatabaseError> {
    for _ in 1..ATTEMPTS {
        match read_once(connection, database).await {
            // No such table, view, sequence or routine any more.
            Err(error) if matches!(number(&error), Some(1051 | 1146 | 1305 | 4091)) => {}
            done => return done.map_err(schema_error)?,
        }
    }
    read_once(connection, database).await.map_err(schema_error)?
}

async fn read_once(
    connection: &mut MySqlConnection,
    database: &str,
) -> Result<Result<Objects, DatabaseError>, sqlx::Error> {
    let sql = LISTS.replace("{db}", &literal(database));
    let mut lists = answers(&mut *connection, sql).await?.into_iter();
    let mut next = || lists.next().unwrap_or_default();
    let (tables, triggers, routines, parameters, events) = (next(), next(), next(), next(), next());
    let mut objects = Objects::new();
    let shown = tables.iter().filter_map(|line| text::kind_and_name(line));
    let shown: Vec<(&str, &str)> = shown.filter(|(_, name)| !OWN.contains(name)).collect();
    for some in shown.chunks(SHOWN_AT_ONCE) {
        let statements = some
            .iter()
            .map(|(kind, name)| format!("SHOW CREATE {} {}", kind.to_uppercase(), identifier(name)));
        let sql = statements.collect::<Vec<_>>().join("; ");
        for ((kind, name), lines) in some.iter().zip(answers(&mut *connection, sql).await?) {
            let line = lines.into_iter().next().unwrap_or_default();
            objects.insert(object(kind, name), text::of_shown(kind, &line));
        }
    }
    for line in &triggers {
        objects.extend(text::of_attributes("trigger", line, &[]));
    }
    for line in &events {
        objects.extend(text::of_attributes("event", line, &[]));
    }
    for line in &routines {
        match text::of_routine(line, &parameters) {
            Some((name, text)) => _ = objects.insert(name, text),
            None => {
                let failure = Failure::Driver(
                    "the body of a routine is hidden: its definer may read it, and who may read mysql.proc (MariaDB) \
                     or has SHOW_ROUTINE (MySQL)",
                );
                return Ok(Err(DatabaseError::Schema(failure)));
            }
        }
    }
    Ok(Ok(objects))
}

fn object(kind: &str, name: &str) -> ObjectName {
    ObjectName { kind: kind.to_owned(), name: name.to_owned() }
}

/// What each of several statements answers.
pub async fn answers(connection: &mut MySqlConnection, sql: String) -> Result<Vec<Vec<Line>>, sqlx::Error> {
    let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(connection);
    let mut answers = Vec::new();
    let mut lines = Vec::new();
    while let Some(result) = results.try_next().await? {
        match result {
            Either::Left(_) => answers.push(std::mem::take(&mut lines)),
            Either::Right(row) => lines.push(line(&row)?),
        }
    }
    Ok(answers)
}

fn line(row: &MySqlRow) -> Result<Line, sqlx::Error> {
    row.columns().iter().map(|column| row.try_get_unchecked(column.ordinal())).collect()
}
