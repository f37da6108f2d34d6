//! Running one script.
//!
//! The history row goes in first, as `started`, and is finished in the same transaction. Should a script
//! end the transaction after all, the row that tells so is durable with it; nothing is applied unseen.

use std::time::Instant;

use futures_util::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::rows::{self, Ending, NewRow};
use super::{Sqlite, failure};
use crate::database::{DatabaseError, Failure, RowState, Step, StepOutcome, Target as _};
use crate::model::{ErrorCode, EventKind, SchemaChange, StatementRun, Timestamp};

/// What came of a script's statements.
struct Executed {
    statements: Vec<StatementRun>,
    failed: Option<Failed>,
}

/// The error that a script ended with, and the statement that it belongs to, from 1.
#[derive(Clone)]
struct Failed {
    failure: Failure,
    statement: u64,
}

/// A run that has begun.
struct Begun<'a> {
    step: &'a Step,
    position: i64,
    started_at: Timestamp,
    clock: &'a dyn Fn() -> Timestamp,
}

impl Begun<'_> {
    /// A script's end is never before its start, whatever the clock does.
    fn finished_at(&self) -> Timestamp {
        (self.clock)().max(self.started_at)
    }

    /// A failure that shows after the last statement.
    fn failed_at_end(&self, failure: Failure) -> Failed {
        Failed { failure, statement: self.step.kinds.len() as u64 }
    }
}

impl Sqlite {
    pub(super) async fn next_position(&mut self) -> Result<i64, DatabaseError> {
        match self.last_position {
            Some(position) => Ok(position + 1),
            None => Ok(self.history().await?.last().map_or(0, |row| row.position) + 1),
        }
    }

    pub(super) async fn run_in_transaction(
        &mut self,
        step: &Step,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        let position = self.next_position().await?;
        self.execute("BEGIN IMMEDIATE").await?;
        let before = self.fingerprint_if(step).await;
        let before = self.or_rollback(before).await?;
        let begun = Begun { step, position, started_at: clock(), clock };
        let inserted =
            rows::insert(&mut self.connection, &NewRow::of(step, position, begun.started_at)).await;
        if let Err(error) = inserted {
            self.rollback().await;
            // The position is the key: whoever took it wrote after this run read the history.
            let taken = matches!(&error, sqlx::Error::Database(error) if error.is_unique_violation());
            return Err(if taken { DatabaseError::Concurrent } else { history_error(&error) });
        }
        let references = self.broken_references().await;
        let references = self.or_rollback(references).await?;
        let mut executed = execute_script(&mut self.connection, step).await;
        if executed.failed.is_none() {
            let now = self.broken_references().await;
            if self.or_rollback(now).await? > references {
                let failure =
                    Failure::Server { code: "787".to_owned(), hint: Some("a foreign key refers to no row") };
                executed.failed = Some(begun.failed_at_end(failure));
            }
        }
        if let Some(failed) = executed.failed {
            return self.record_failure(&begun, executed.statements, failed).await;
        }
        let after = self.fingerprint_if(step).await;
        let after = self.or_rollback(after).await?;
        let mut record = step.record.clone();
        record.statements = executed.statements;
        record.schema = schema_change(before, after);
        let finished_at = begun.finished_at();
        let ending =
            Ending { position, event: step.event, state: RowState::Done, finished_at, record: &record };
        match rows::finish(&mut self.connection, &ending).await {
            Ok(true) => self.commit(&begun).await,
            // The row was there before the script ran, and could be written.
            Ok(false) | Err(sqlx::Error::Database(_)) => {
                let failed = begun.failed_at_end(Failure::Driver(
                    "the script keeps its row of the history from being written",
                ));
                self.record_failure(&begun, record.statements, failed).await
            }
            Err(error) => {
                self.rollback().await;
                Err(history_error(&error))
            }
        }
    }

    /// Commits. Deferred constraints are checked here, so this may still be the script's failure.
    async fn commit(&mut self, begun: &Begun<'_>) -> Result<StepOutcome, DatabaseError> {
        let Err(error) = sqlx::raw_sql("COMMIT").execute(&mut self.connection).await else {
            self.last_position = Some(begun.position);
            if disturbs(begun.step) {
                self.reconnect().await?;
            }
            return Ok(StepOutcome::Done);
        };
        let failure = failure(&error);
        let code = match &failure {
            Failure::Server { code, .. } => code.parse::<u32>().unwrap_or(0),
            _ => 0,
        };
        if code & 0xff == CONSTRAINT {
            let failed = begun.failed_at_end(failure);
            return self.record_failure(begun, Vec::new(), failed).await;
        }
        self.rollback().await;
        Err(if code == NO_TRANSACTION {
            DatabaseError::TransactionEnded
        } else {
            DatabaseError::History(failure)
        })
    }

    /// Undoes a script and writes a row that tells of it.
    async fn record_failure(
        &mut self,
        begun: &Begun<'_>,
        statements: Vec<StatementRun>,
        failed: Failed,
    ) -> Result<StepOutcome, DatabaseError> {
        self.rollback().await;
        self.reconnect().await?;
        let schema = self.fingerprint_if(begun.step).await?;
        let mut record = begun.step.record.clone();
        record.statements = statements;
        record.schema = schema_change(schema, schema);
        record.error = Some(error_code(&failed));
        self.execute("BEGIN IMMEDIATE").await?;
        let row = NewRow::of(begun.step, begun.position, begun.started_at);
        let mut written = rows::insert(&mut self.connection, &row).await.map(|()| true);
        if written.is_ok() {
            let (position, finished_at) = (begun.position, begun.finished_at());
            let (event, state) = (EventKind::Fail, RowState::Done);
            let ending = Ending { position, event, state, finished_at, record: &record };
            written = rows::finish(&mut self.connection, &ending).await;
        }
        self.or_rollback(written.map_err(|error| history_error(&error))).await?;
        self.execute("COMMIT").await?;
        self.last_position = Some(begun.position);
        Ok(StepOutcome::Failed { failure: failed.failure, statement: failed.statement, partial: false })
    }

    pub(super) async fn run_bare(
        &mut self,
        step: &Step,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        let position = self.next_position().await?;
        let before = self.fingerprint_if(step).await?;
        let mut first = step.clone();
        first.record.schema = schema_change(before, None);
        let begun = Begun { step, position, started_at: clock(), clock };
        rows::insert(&mut self.connection, &NewRow::of(&first, position, begun.started_at))
            .await
            .map_err(|error| history_error(&error))?;
        self.last_position = Some(position);
        let changes = self.total_changes().await?;
        let mut executed = execute_script(&mut self.connection, step).await;
        // A transaction that the script left open falls here, and must not take the row with it.
        if self.rollback().await && executed.failed.is_none() {
            let failure = Failure::Driver("the script left a transaction open, which was rolled back");
            executed.failed = Some(begun.failed_at_end(failure));
        }
        // A first statement that was told to keep what it did before it failed (`OR FAIL`) shows in the count.
        let kept_rows = self.total_changes().await? != changes;
        self.reconnect().await?;
        let after = self.fingerprint_if(step).await?;
        let mut record = step.record.clone();
        record.statements = executed.statements;
        record.schema = schema_change(before, after);
        record.error = executed.failed.as_ref().map(error_code);
        let partial = executed.failed.as_ref().is_some_and(|failed| failed.statement > 1 || kept_rows);
        let (event, state) = match &executed.failed {
            None => (step.event, RowState::Done),
            Some(_) if partial => (EventKind::Fail, RowState::Partial),
            Some(_) => (EventKind::Fail, RowState::Done),
        };
        let ending = Ending { position, event, state, finished_at: begun.finished_at(), record: &record };
        let finished =
            rows::finish(&mut self.connection, &ending).await.map_err(|error| history_error(&error))?;
        if !finished {
            return Err(DatabaseError::RowGone);
        }
        Ok(match executed.failed {
            None => StepOutcome::Done,
            Some(Failed { failure, statement }) => StepOutcome::Failed { failure, statement, partial },
        })
    }

    async fn fingerprint_if(&mut self, step: &Step) -> Result<Fingerprint, DatabaseError> {
        if step.record.schema.is_some() { self.fingerprint().await.map(Some) } else { Ok(None) }
    }

    /// Rows that this connection has changed so far.
    async fn total_changes(&mut self) -> Result<i64, DatabaseError> {
        let counted = sqlx::query("SELECT total_changes()").fetch_one(&mut self.connection).await;
        counted.and_then(|row| row.try_get(0)).map_err(|error| history_error(&error))
    }

    /// References to rows that are not there; counted only where foreign keys are not enforced.
    async fn broken_references(&mut self) -> Result<i64, DatabaseError> {
        if self.foreign_keys {
            return Ok(0);
        }
        let counted = sqlx::query("SELECT count(*) FROM pragma_foreign_key_check")
            .fetch_one(&mut self.connection)
            .await;
        counted.and_then(|row| row.try_get(0)).map_err(|error| DatabaseError::Schema(failure(&error)))
    }

    async fn execute(&mut self, sql: &'static str) -> Result<(), DatabaseError> {
        let done = sqlx::raw_sql(sql).execute(&mut self.connection).await;
        done.map(drop).map_err(|error| history_error(&error))
    }

    /// Rolls back, and says whether a transaction was open; where none was, there was nothing to undo.
    async fn rollback(&mut self) -> bool {
        self.known_schema = None;
        sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await.is_ok()
    }

    async fn or_rollback<T>(&mut self, result: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        if result.is_err() {
            self.rollback().await;
        }
        result
    }
}

/// SQLite's primary result code for a constraint.
const CONSTRAINT: u32 = 19;
/// What COMMIT answers when no transaction is open: SQLITE_ERROR.
const NO_TRANSACTION: u32 = 1;

fn history_error(error: &sqlx::Error) -> DatabaseError {
    DatabaseError::History(failure(error))
}

/// Whether a script may have changed the connection itself, so that the next one must not inherit it.
fn disturbs(step: &Step) -> bool {
    let sql = step.sql.to_ascii_lowercase();
    ["pragma", "attach", "temp"].iter().any(|word| sql.contains(word))
}

type Fingerprint = Option<(&'static str, crate::crypto::Digest)>;

fn schema_change(before: Fingerprint, after: Fingerprint) -> Option<SchemaChange> {
    let algorithm = before.or(after)?.0.to_owned();
    Some(SchemaChange {
        algorithm,
        before: before.map(|(_, digest)| digest),
        after: after.map(|(_, digest)| digest),
    })
}

fn error_code(Failed { failure, statement }: &Failed) -> ErrorCode {
    let code = match failure {
        Failure::Server { code, .. } => code.clone(),
        Failure::Connection(_) => "connection".to_owned(),
        Failure::Driver(_) => "driver".to_owned(),
    };
    ErrorCode { code, statement: *statement }
}

/// Sends the script, a long one in parts; SQLite itself says where a statement ends.
async fn execute_script(connection: &mut SqliteConnection, step: &Step) -> Executed {
    let mut executed = Executed { statements: Vec::new(), failed: None };
    let mut count = 0;
    for part in &step.parts {
        let sql = step.sql.get(part.clone()).unwrap_or_default();
        let mut results = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute_many(&mut *connection);
        let mut begin = Instant::now();
        loop {
            match results.try_next().await {
                Ok(None) => break,
                Ok(Some(result)) => {
                    let duration_us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
                    let kind = step.kinds.get(count).map_or("OTHER", String::as_str);
                    let rows = matches!(kind, "INSERT" | "UPDATE" | "DELETE").then(|| result.rows_affected());
                    add_statement(&mut executed.statements, kind, duration_us, rows);
                    count += 1;
                    begin = Instant::now();
                }
                Err(error) => {
                    executed.failed = Some(Failed { failure: failure(&error), statement: count as u64 + 1 });
                    return executed;
                }
            }
        }
    }
    executed
}

/// Neighbours of one kind are one entry (FORMAT §3).
fn add_statement(statements: &mut Vec<StatementRun>, kind: &str, duration_us: u64, rows: Option<u64>) {
    match statements.last_mut() {
        Some(last) if last.kind == kind => {
            last.count += 1;
            last.duration_us = last.duration_us.saturating_add(duration_us);
            last.rows = last.rows.zip(rows).map(|(sum, rows)| sum.saturating_add(rows));
        }
        _ => statements.push(StatementRun { kind: kind.to_owned(), count: 1, duration_us, rows }),
    }
}
