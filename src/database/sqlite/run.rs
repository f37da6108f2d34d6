//! Running one script.
//!
//! The history row goes in first, as `started`, and is finished in the same transaction. Should a script
//! end the transaction after all, the row that tells so is durable with it; nothing is applied unseen.

use futures_util::TryStreamExt as _;
use sqlx::{Either, Row as _};

use super::fingerprint::ALGORITHM;
use super::rows::{TABLE, literal};
use super::script::execute_script;
use super::{Sqlite, failure};
use crate::database::executed::{Begun, Failed, Fingerprint, schema_change};
use crate::database::rows::{Ending, NewRow};
use crate::database::{
    DatabaseError, Declaration, Failure, Record, RowState, Step, StepOutcome, Target as _,
};
use crate::model::{EventId, EventKind, StatementRun, Timestamp};

/// What came of statements of greffe's own: how many ended well, the last value that they told, and the error
/// of the next one.
struct Answer {
    ended: usize,
    value: Option<i64>,
    error: Option<sqlx::Error>,
}

/// A step whose transaction was opened by the message that ended the one before.
pub struct Ahead {
    id: EventId,
    position: i64,
    started_at: Timestamp,
    /// SQLite's counter of schema changes at that time.
    counter: i64,
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
        following: Option<&Step>,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        let (begun, before) = self.begin(step, clock).await?;
        let references = self.broken_references().await;
        let references = self.or_rollback(references).await?;
        let mut executed = execute_script(&mut self.connection, step).await;
        if executed.failed.is_none() {
            let now = self.broken_references().await;
            if self.or_rollback(now).await? > references {
                let failure = Failure::Server {
                    code: "787".to_owned(),
                    hint: Some("a foreign key refers to no row"),
                    object: None,
                    position: None,
                };
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
        self.commit(&begun, record, following).await
    }

    /// Opens the transaction with the row of the step in it, unless it is open. The schema as it is then.
    async fn begin<'a>(
        &mut self,
        step: &'a Step,
        clock: &'a dyn Fn() -> Timestamp,
    ) -> Result<(Begun<'a>, Fingerprint), DatabaseError> {
        let ahead = match self.ahead.take() {
            Some(ahead) if ahead.id == step.id => ahead,
            other => {
                self.ahead = other;
                self.abandon_ahead().await;
                self.begin_now(step, clock()).await?
            }
        };
        let begun = Begun { step, position: ahead.position, started_at: ahead.started_at, clock };
        match &self.known {
            Some(known) if step.record.schema.is_some() && known.is_at(ahead.counter) => {
                Ok((begun, Some((ALGORITHM, known.digest()))))
            }
            _ => {
                let before = self.fingerprint_if(step).await;
                Ok((begun, self.or_rollback(before).await?))
            }
        }
    }

    async fn begin_now(&mut self, step: &Step, started_at: Timestamp) -> Result<Ahead, DatabaseError> {
        let position = self.next_position().await?;
        let sql = begin_with(&NewRow::of_step(step, position, started_at));
        let begin = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_one(&mut self.connection).await;
        match begin.and_then(|row| row.try_get(0)) {
            Ok(counter) => Ok(Ahead { id: step.id, position, started_at, counter }),
            Err(error) => {
                self.rollback().await;
                // The position is the key: whoever took it wrote after this run read the history.
                let taken = matches!(&error, sqlx::Error::Database(error) if error.is_unique_violation());
                Err(if taken { DatabaseError::Concurrent } else { history_error(&error) })
            }
        }
    }

    /// Undoes what was begun for a step that is not run after all.
    pub(super) async fn abandon_ahead(&mut self) {
        if self.ahead.take().is_some() {
            self.rollback().await;
        }
    }

    /// Ends the row and the transaction, and opens that of the step that follows. Deferred constraints are
    /// checked here, so this may still be the script's failure.
    async fn commit(
        &mut self,
        begun: &Begun<'_>,
        record: Record,
        following: Option<&Step>,
    ) -> Result<StepOutcome, DatabaseError> {
        let disturbs = disturbs(begun.step);
        let ending = Ending {
            position: begun.position,
            event: begun.step.event,
            state: RowState::Done,
            finished_at: begun.finished_at(),
            record: &record,
        };
        let of_tool = begun.of_tool(&begun.step.tool.done, ending.finished_at);
        let all = of_tool.len() + STATEMENTS_OF_COMMIT;
        let mut sql: String = of_tool.iter().map(|statement| format!("{statement}; ")).collect();
        sql.push_str(&format!("{}; {REQUIRE_ONE_CHANGE}; COMMIT", ending.update(TABLE, literal)));
        let (position, started_at) = (begun.position + 1, ending.finished_at);
        let following = following.filter(|step| step.transaction && !disturbs);
        if let Some(step) = following {
            sql.push_str("; ");
            sql.push_str(&begin_with(&NewRow::of_step(step, position, started_at)));
        }
        let Answer { ended, value, error } = self.execute_in_turn(sql).await;
        if ended >= all {
            self.last_position = Some(begun.position);
            match (following, value) {
                (Some(step), Some(counter)) if error.is_none() => {
                    self.ahead = Some(Ahead { id: step.id, position, started_at, counter });
                }
                // What kept it from beginning shows when it begins by itself.
                (Some(_), _) => drop(self.rollback().await),
                (None, _) => {}
            }
            if disturbs {
                self.reconnect().await?;
            }
            return Ok(StepOutcome::Done);
        }
        let Some(error) = error else { return Err(DatabaseError::TransactionEnded) };
        let is_answer = matches!(error, sqlx::Error::Database(_));
        let failure = failure(&error);
        let code = match &failure {
            Failure::Server { code, .. } => code.parse::<u32>().unwrap_or(0),
            _ => 0,
        };
        // The row was there before the script ran, and could be written.
        if is_answer && ended + 1 < all {
            let kept = Failure::Driver(match ended < of_tool.len() {
                true => "the script's row in the other tool's table cannot be written",
                false => "the script keeps its row of the history from being written",
            });
            return self.record_failure(begun, record.statements, begun.failed_at_end(kept)).await;
        }
        if code & 0xff == CONSTRAINT {
            return self.record_failure(begun, Vec::new(), begun.failed_at_end(failure)).await;
        }
        self.rollback().await;
        Err(if code == NO_TRANSACTION {
            DatabaseError::TransactionEnded
        } else {
            DatabaseError::History(failure)
        })
    }

    /// Runs statements of greffe's own until one fails.
    async fn execute_in_turn(&mut self, sql: String) -> Answer {
        let mut results = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_many(&mut self.connection);
        let mut answer = Answer { ended: 0, value: None, error: None };
        loop {
            match results.try_next().await {
                Ok(Some(Either::Left(_))) => answer.ended += 1,
                Ok(Some(Either::Right(row))) => answer.value = row.try_get(0).ok(),
                Ok(None) => return answer,
                Err(error) => return Answer { error: Some(error), ..answer },
            }
        }
    }

    /// Runs statements of greffe's own as one transaction.
    pub(super) async fn write_as_one(&mut self, statements: &[String]) -> Result<(), DatabaseError> {
        let sql = format!("BEGIN IMMEDIATE; {}; COMMIT", statements.join("; "));
        let done = self.execute_in_turn(sql).await.error.map_or(Ok(()), |error| Err(history_error(&error)));
        self.or_rollback(done).await
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
        record.error = Some(failed.code());
        let row = NewRow {
            event: EventKind::Fail,
            state: RowState::Done,
            finished_at: Some(begun.finished_at()),
            record: &record,
            ..NewRow::of_step(begun.step, begun.position, begun.started_at)
        };
        let mut written = begun.of_tool(&begun.step.tool.failed, begun.finished_at());
        written.push(row.insert(TABLE, literal));
        self.write_as_one(&written).await?;
        self.last_position = Some(begun.position);
        Ok(StepOutcome::Failed {
            failure: failed.failure,
            statement: failed.statement,
            partial: false,
            leftovers: Vec::new(),
        })
    }

    pub(super) async fn fingerprint_if(&mut self, step: &Step) -> Result<Fingerprint, DatabaseError> {
        if step.record.schema.is_some() { self.fingerprint().await.map(Some) } else { Ok(None) }
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

    /// Adds the rows of events that run nothing; one statement each, all in one transaction.
    pub(super) async fn insert_all(
        &mut self,
        declarations: &[Declaration],
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let mut position = self.next_position().await? - 1;
        let mut sql = "BEGIN IMMEDIATE".to_owned();
        for declaration in declarations {
            position += 1;
            sql.push_str("; ");
            sql.push_str(&NewRow::of_declaration(declaration, position, now).insert(TABLE, literal));
            for statement in &declaration.tool {
                sql.push_str("; ");
                sql.push_str(statement);
            }
        }
        sql.push_str("; COMMIT");
        let done = self.execute_in_turn(sql).await.error.map_or(Ok(()), |error| Err(history_error(&error)));
        self.or_rollback(done).await?;
        self.last_position = Some(position);
        Ok(())
    }

    /// Rolls back, and says whether a transaction was open; where none was, there was nothing to undo.
    pub(super) async fn rollback(&mut self) -> bool {
        self.forget_schema();
        sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await.is_ok()
    }

    async fn or_rollback<T>(&mut self, result: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        if result.is_err() {
            self.rollback().await;
        }
        result
    }
}

/// Fails unless the statement before it changed one row: there is no other way to stop before a COMMIT.
const REQUIRE_ONE_CHANGE: &str = "SELECT abs(iif(changes() = 1, 0, -9223372036854775807 - 1))";
/// The UPDATE, [`REQUIRE_ONE_CHANGE`] and the COMMIT.
const STATEMENTS_OF_COMMIT: usize = 3;
/// SQLite's primary result code for a constraint.
const CONSTRAINT: u32 = 19;
/// What COMMIT answers when no transaction is open: SQLITE_ERROR.
const NO_TRANSACTION: u32 = 1;

/// Opens a transaction with a row in it; tells SQLite's counter of schema changes.
fn begin_with(row: &NewRow<'_>) -> String {
    let insert = row.insert(TABLE, literal);
    format!("BEGIN IMMEDIATE; {insert}; SELECT schema_version FROM pragma_schema_version")
}

pub fn history_error(error: &sqlx::Error) -> DatabaseError {
    DatabaseError::History(failure(error))
}

/// Whether a script may have changed the connection itself, so that the next one must not inherit it.
fn disturbs(step: &Step) -> bool {
    let sql = step.sql.to_ascii_lowercase();
    ["pragma", "attach", "temp"].iter().any(|word| sql.contains(word))
}
