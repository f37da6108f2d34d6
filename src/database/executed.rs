//! What came of a script's statements, and what a row says of it; the same on every engine.

use sqlx::migrate::MigrateError;

use crate::crypto::Digest;
use crate::database::tool_history::timed;
use crate::database::{DatabaseError, Failure, Step};
use crate::model::{ErrorCode, SchemaChange, StatementRun, Timestamp};

/// A run that has begun.
pub struct Begun<'a> {
    pub step: &'a Step,
    pub position: i64,
    pub started_at: Timestamp,
    pub clock: &'a dyn Fn() -> Timestamp,
}

impl Begun<'_> {
    /// A script's end is never before its start, whatever the clock does.
    pub fn finished_at(&self) -> Timestamp {
        (self.clock)().max(self.started_at)
    }

    /// What another tool's table is to say of a script that took from its start until then.
    pub fn of_tool(&self, statements: &[String], until: Timestamp) -> Vec<String> {
        let elapsed = until.as_microseconds() - self.started_at.as_microseconds();
        timed(statements, u64::try_from(elapsed).unwrap_or(0))
    }

    /// A failure that shows after the last statement.
    pub fn failed_at_end(&self, failure: Failure) -> Failed {
        Failed { failure, statement: self.step.statements.len() as u64 }
    }
}

/// The error that a script ended with, and the statement that it belongs to, from 1.
#[derive(Clone)]
pub struct Failed {
    pub failure: Failure,
    pub statement: u64,
}

impl Failed {
    /// As events tell it.
    pub fn code(&self) -> ErrorCode {
        let code = match &self.failure {
            Failure::Server { code, .. } => code.clone(),
            Failure::Connection(_) => "connection".to_owned(),
            Failure::Driver(_) => "driver".to_owned(),
        };
        ErrorCode { code, statement: self.statement }
    }
}

/// Adds a statement that ran. Neighbours of one kind are one entry (FORMAT §3).
pub fn add_statement(statements: &mut Vec<StatementRun>, kind: &str, duration_us: u64, rows: Option<u64>) {
    match statements.last_mut() {
        Some(last) if last.kind == kind => {
            last.count += 1;
            last.duration_us = last.duration_us.saturating_add(duration_us);
            last.rows = last.rows.zip(rows).map(|(sum, rows)| sum.saturating_add(rows));
        }
        _ => statements.push(StatementRun { kind: kind.to_owned(), count: 1, duration_us, rows }),
    }
}

/// Adds to the time of the run of statements that came last.
pub fn add_time(statements: &mut [StatementRun], duration_us: u64) {
    if let Some(last) = statements.last_mut() {
        last.duration_us = last.duration_us.saturating_add(duration_us);
    }
}

/// A duration as events tell it.
pub fn microseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A fingerprint, where one is taken.
pub type Fingerprint = Option<(&'static str, Digest)>;

/// What an event tells of the schema; `None` where no fingerprint was taken.
pub fn schema_change(before: Fingerprint, after: Fingerprint) -> Option<SchemaChange> {
    let algorithm = before.or(after)?.0.to_owned();
    let digest = |fingerprint: Fingerprint| fingerprint.map(|(_, digest)| digest);
    Some(SchemaChange { algorithm, before: digest(before), after: digest(after) })
}

/// What to say when greffe's own table could not be brought up to date; `failure` reads an error of the driver.
pub fn own_schema_error(error: MigrateError, failure: impl FnOnce(&sqlx::Error) -> Failure) -> DatabaseError {
    DatabaseError::OwnSchema(match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failure(&error),
        MigrateError::VersionMissing(_) => Failure::Driver("the table was made by a newer greffe"),
        _ => Failure::Driver("the table is not as this greffe made it"),
    })
}

/// A script of statements with their kinds, for tests.
#[cfg(test)]
pub fn step_of(statements: &[(&str, &str)]) -> Step {
    use crate::model::{EventId, EventKind, MigrationName, Pseudonym};
    let (mut sql, mut ranges) = (String::new(), Vec::new());
    for (kind, text) in statements {
        let start = sql.len();
        sql.push_str(text);
        ranges.push(crate::database::Statement { range: start..sql.len(), kind: (*kind).to_owned() });
        sql.push_str(";\n");
    }
    let now = Timestamp::from_microseconds(0).unwrap();
    let record: crate::database::Record = serde_json::from_value(serde_json::json!({
        "actor": { "pseudonym": Pseudonym::generate().to_string(), "role": "a" },
        "target": { "name": "a", "engine": "mysql", "version": "8" },
        "executor": { "name": "a", "version": "0" },
        "run": { "id": EventId::generate(now).to_string(), "ci": null },
        "migration": null, "statements": [], "schema": null, "error": null, "reverts": null, "hooks": []
    }))
    .unwrap();
    Step {
        id: EventId::generate(now),
        event: EventKind::Apply,
        migration: MigrationName {
            version: "1".to_owned(),
            name: None,
            depends_on: vec![],
            sectors: vec![],
            purpose: None,
            impact: None,
        },
        sql,
        statements: ranges,
        transaction: true,
        up: None,
        down: None,
        record,
        tool: crate::database::ToolWrites::default(),
    }
}
