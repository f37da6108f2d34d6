//! Running one script.
//!
//! The history row goes in first, as `started`, and is finished in the same transaction. Should a script
//! end the transaction after all, the row that tells so is durable with it; nothing is applied unseen.

use std::time::Instant;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteConnection;

use super::rows::{self, Ending, NewRow};
use super::{Sqlite, failure};
use crate::database::{DatabaseError, Failure, RowState, Step, StepOutcome, Target as _};
use crate::model::{ErrorCode, EventKind, SchemaChange, StatementRun, Timestamp};

/// What came of a script's statements.
struct Executed {
    statements: Vec<StatementRun>,
    /// The error and the statement that it belongs to, from 1.
    failed: Option<(Failure, u64)>,
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
        let (started_at, before) = (clock(), self.or_rollback(before).await?);
        let inserted = rows::insert(&mut self.connection, &NewRow::of(step, position, started_at)).await;
        if let Err(error) = inserted {
            self.rollback().await;
            // The position is the key: whoever took it wrote after this run read the history.
            let taken = matches!(&error, sqlx::Error::Database(error) if error.is_unique_violation());
            return Err(if taken {
                DatabaseError::Concurrent
            } else {
                DatabaseError::History(failure(&error))
            });
        }
        let mut executed = execute_script(&mut self.connection, step).await;
        if executed.failed.is_none() && !self.foreign_keys {
            executed.failed =
                self.broken_reference().await?.map(|failure| (failure, step.kinds.len() as u64));
        }
        if let Some((failure, statement)) = executed.failed {
            self.rollback().await;
            return self
                .record_failure(step, position, started_at, executed.statements, failure, statement, clock)
                .await;
        }
        let after = self.fingerprint_if(step).await;
        let after = self.or_rollback(after).await?;
        let mut record = step.record.clone();
        record.statements = executed.statements;
        record.schema = schema_change(before, after);
        let ending = Ending {
            position,
            event: step.event,
            state: RowState::Done,
            finished_at: clock(),
            record: &record,
        };
        let finished = rows::finish(&mut self.connection, &ending).await;
        self.or_rollback(finished.map_err(|error| DatabaseError::History(failure(&error)))).await?;
        self.commit(step, position, started_at, clock).await
    }

    /// Commits. Deferred constraints are checked here, so this may still be the script's failure.
    async fn commit(
        &mut self,
        step: &Step,
        position: i64,
        started_at: Timestamp,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        match sqlx::raw_sql("COMMIT").execute(&mut self.connection).await {
            Ok(_) => {
                self.last_position = Some(position);
                Ok(StepOutcome::Done)
            }
            Err(error) => {
                let failure = failure(&error);
                let constraint = matches!(&failure, Failure::Server { code, .. } if code.parse::<u32>().is_ok_and(|code| code & 0xff == 19));
                let ended = matches!(&failure, Failure::Server { code, .. } if code == "1");
                self.rollback().await;
                if constraint {
                    let statement = step.kinds.len() as u64;
                    return self
                        .record_failure(step, position, started_at, Vec::new(), failure, statement, clock)
                        .await;
                }
                Err(if ended { DatabaseError::TransactionEnded } else { DatabaseError::History(failure) })
            }
        }
    }

    /// Writes a row that tells of a script that was rolled back.
    #[expect(clippy::too_many_arguments, reason = "what a failure is made of, at two places")]
    async fn record_failure(
        &mut self,
        step: &Step,
        position: i64,
        started_at: Timestamp,
        statements: Vec<StatementRun>,
        failed: Failure,
        statement: u64,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        self.known_schema = None;
        let schema = self.fingerprint_if(step).await?;
        let mut record = step.record.clone();
        record.statements = statements;
        record.schema = schema_change(schema, schema);
        record.error = Some(error_code(&failed, statement));
        self.execute("BEGIN IMMEDIATE").await?;
        let row = NewRow::of(step, position, started_at);
        let mut written = rows::insert(&mut self.connection, &row).await;
        if written.is_ok() {
            let (event, state) = (EventKind::Fail, RowState::Done);
            let ending = Ending { position, event, state, finished_at: clock(), record: &record };
            written = rows::finish(&mut self.connection, &ending).await;
        }
        self.or_rollback(written.map_err(|error| DatabaseError::History(failure(&error)))).await?;
        self.execute("COMMIT").await?;
        self.last_position = Some(position);
        Ok(StepOutcome::Failed { failure: failed, statement, partial: false })
    }

    pub(super) async fn run_bare(
        &mut self,
        step: &Step,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        let position = self.next_position().await?;
        let before = self.fingerprint_if(step).await?;
        let mut begun = step.clone();
        begun.record.schema = schema_change(before, None);
        let row = NewRow::of(&begun, position, clock());
        rows::insert(&mut self.connection, &row)
            .await
            .map_err(|error| DatabaseError::History(failure(&error)))?;
        self.last_position = Some(position);
        let executed = execute_script(&mut self.connection, step).await;
        // A script may have left a transaction of its own open; the row must not fall with it.
        self.rollback().await;
        let after = self.fingerprint_if(step).await?;
        let mut record = step.record.clone();
        record.statements = executed.statements;
        record.schema = schema_change(before, after);
        record.error = executed.failed.as_ref().map(|(failure, statement)| error_code(failure, *statement));
        let partial = executed.failed.as_ref().is_some_and(|(_, statement)| *statement > 1);
        let (event, state) = match &executed.failed {
            None => (step.event, RowState::Done),
            Some(_) if partial => (EventKind::Fail, RowState::Partial),
            Some(_) => (EventKind::Fail, RowState::Done),
        };
        let ending = Ending { position, event, state, finished_at: clock(), record: &record };
        rows::finish(&mut self.connection, &ending)
            .await
            .map_err(|error| DatabaseError::History(failure(&error)))?;
        Ok(match executed.failed {
            None => StepOutcome::Done,
            Some((failure, statement)) => StepOutcome::Failed { failure, statement, partial },
        })
    }

    async fn fingerprint_if(&mut self, step: &Step) -> Result<Fingerprint, DatabaseError> {
        if step.record.schema.is_some() { self.fingerprint().await.map(Some) } else { Ok(None) }
    }

    /// A reference to a row that is not there; looked for only where foreign keys are not enforced.
    async fn broken_reference(&mut self) -> Result<Option<Failure>, DatabaseError> {
        let found = sqlx::query("PRAGMA foreign_key_check").fetch_optional(&mut self.connection).await;
        let found = self.or_rollback(found.map_err(|error| DatabaseError::Schema(failure(&error)))).await?;
        Ok(found.map(|_| Failure::Server {
            code: "787".to_owned(),
            hint: Some("a foreign key refers to no row"),
        }))
    }

    async fn execute(&mut self, sql: &'static str) -> Result<(), DatabaseError> {
        let done = sqlx::raw_sql(sql).execute(&mut self.connection).await;
        done.map(drop).map_err(|error| DatabaseError::History(failure(&error)))
    }

    /// Rolls back where a transaction is open; where none is, there is nothing to undo.
    async fn rollback(&mut self) {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await.ok();
        self.known_schema = None;
    }

    async fn or_rollback<T>(&mut self, result: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        if result.is_err() {
            self.rollback().await;
        }
        result
    }
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

fn error_code(failure: &Failure, statement: u64) -> ErrorCode {
    let code = match failure {
        Failure::Server { code, .. } => code.clone(),
        Failure::Connection(_) => "connection".to_owned(),
        Failure::Driver(_) => "driver".to_owned(),
    };
    ErrorCode { code, statement }
}

/// Sends the whole script; SQLite itself says where a statement ends.
async fn execute_script(connection: &mut SqliteConnection, step: &Step) -> Executed {
    let mut executed = Executed { statements: Vec::new(), failed: None };
    let mut results = sqlx::raw_sql(sqlx::AssertSqlSafe(step.sql.as_str())).execute_many(connection);
    let mut begin = Instant::now();
    let mut count = 0;
    loop {
        match results.try_next().await {
            Ok(None) => return executed,
            Ok(Some(result)) => {
                let duration_us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
                let kind = step.kinds.get(count).map_or("OTHER", String::as_str);
                let rows = matches!(kind, "INSERT" | "UPDATE" | "DELETE").then(|| result.rows_affected());
                add_statement(&mut executed.statements, kind, duration_us, rows);
                count += 1;
                begin = Instant::now();
            }
            Err(error) => {
                executed.failed = Some((failure(&error), count as u64 + 1));
                return executed;
            }
        }
    }
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
