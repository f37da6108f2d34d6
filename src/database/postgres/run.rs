//! Running one script in a transaction.
//!
//! The history row goes in first, as `started`, and is finished in the same transaction. Should a script
//! end the transaction after all, a durable row `started` tells so; nothing is applied unseen.

use std::time::Duration;

use super::Postgres;
use super::failure::{answer, failure, failure_in_use, history_error, schema_error};
use super::fingerprint::{ALGORITHM, Known, Mark, parse_mark};
use super::marks::Marks;
use super::outcome::{Executed, execute_in_turn};
use super::prepared::{Prepared, begin_with, end_with, mark};
use super::rows::{self, TABLE, literal};
use super::session::{Session, State, disturbs, fetch_text};
use crate::database::executed::{Begun, Failed, Fingerprint, schema_change};
use crate::database::rows::{Ending, NewRow};
use crate::database::{DatabaseError, Failure, Record, RowState, Step, StepOutcome, Target as _};
use crate::model::{EventId, EventKind, StatementRun, Timestamp};

/// A step whose transaction was opened by the message that ended the one before.
pub struct Ahead {
    id: EventId,
    position: i64,
    started_at: Timestamp,
    mark: Mark,
}

/// What a transaction is like after its script.
struct After {
    fingerprint: Fingerprint,
    state: State,
}

impl Postgres {
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
        let (begun, before, mark) = self.begin(step, clock).await?;
        let mut executed = Executed::default();
        // What is replayed is timed by nobody.
        let marked = self.scratch.is_none() && self.session.may_mark;
        let marks = if marked { Marks::of(step) } else { Marks::default() };
        let sent = executed.send(&mut self.connection, step, (&step.sql, 0), &marks);
        let (sent, notices) = self.notices.during(sent).await;
        sent?;
        if let Some(failed) = executed.failed {
            if executed.broken {
                self.reconnect().await?;
            }
            return self.record_failure(&begun, (executed.statements, notices), failed).await;
        }
        let after = match self.read_after(step, &mark).await {
            Ok(Some(after)) => after,
            Ok(None) => return Err(self.transaction_ended(&begun).await),
            // What the script set or replaced keeps its own end from being read.
            Err(DatabaseError::Schema(failure @ Failure::Server { .. })) => {
                let failed = begun.failed_at_end(failure);
                return self.record_failure(&begun, (executed.statements, notices), failed).await;
            }
            Err(error) => {
                self.rollback().await;
                return Err(error);
            }
        };
        let mut record = step.record.clone();
        record.statements = executed.statements;
        record.notices = Some(notices);
        record.schema = schema_change(before, after.fingerprint);
        let made = match &mut self.scratch {
            Some(beside) => beside.roles_made_in(&mut self.connection).await,
            None => return self.commit(&begun, record, &after.state, following).await,
        };
        let made = self.or_rollback(made).await?;
        let outcome = self.commit(&begun, record, &after.state, following).await?;
        if let (StepOutcome::Done, Some(beside)) = (&outcome, &mut self.scratch) {
            beside.mark_roles(made).await?;
        }
        Ok(outcome)
    }

    /// Opens the transaction with the row of the step in it, unless it is open. The schema as it is then.
    async fn begin<'a>(
        &mut self,
        step: &'a Step,
        clock: &'a dyn Fn() -> Timestamp,
    ) -> Result<(Begun<'a>, Fingerprint, Mark), DatabaseError> {
        let ahead = match self.ahead.take() {
            Some(ahead) if ahead.id == step.id => ahead,
            other => {
                self.ahead = other;
                self.abandon_ahead().await;
                self.begin_now(step, clock()).await?
            }
        };
        let begun = Begun { step, position: ahead.position, started_at: ahead.started_at, clock };
        if step.record.schema.is_none() {
            return Ok((begun, None, ahead.mark));
        }
        let known = match self.known.take() {
            Some(known) => Ok(known),
            None => Known::read(&mut self.connection, self.session.version_number, true).await,
        };
        let known = self.or_rollback(known).await?;
        let before = self.known.insert(known).digest();
        Ok((begun, Some((ALGORITHM, before)), ahead.mark))
    }

    async fn begin_now(&mut self, step: &Step, started_at: Timestamp) -> Result<Ahead, DatabaseError> {
        let position = self.next_position().await?;
        let schema = step.record.schema.is_some();
        if !self.prepared.is_ready(schema) {
            let row = NewRow::of_step(step, position, started_at);
            let missing = self.prepared.missing(schema, self.session.version_number, &row);
            let sql = sqlx::AssertSqlSafe(missing);
            let prepared = sqlx::raw_sql(sql).execute(&mut self.connection).await;
            let prepared = prepared.map(drop).map_err(|error| schema_error(&error));
            self.or_rollback(prepared).await?;
            self.prepared = self.prepared.with(schema);
        }
        let begin = begin_with(&NewRow::of_step(step, position, started_at), schema);
        let answer = execute_in_turn(&mut self.connection, begin).await;
        if let Some(error) = answer.error {
            self.rollback().await;
            return Err(insert_error(&error));
        }
        let mark = answer.row.as_ref().map(parse_mark).transpose();
        match mark.map_err(|error| schema_error(&error))? {
            Some(mark) => Ok(Ahead { id: step.id, position, started_at, mark }),
            None => {
                Err(DatabaseError::History(Failure::Driver("the server told nothing of its transaction")))
            }
        }
    }

    /// Undoes what was begun for a step that is not run after all.
    pub(super) async fn abandon_ahead(&mut self) {
        if self.ahead.take().is_some() {
            self.rollback().await;
        }
    }

    /// `None` when this is not the transaction that was begun.
    async fn read_after(&mut self, step: &Step, begin: &Mark) -> Result<Option<After>, DatabaseError> {
        let same = |mark: &Mark| mark.transaction.is_some() && mark.transaction == begin.transaction;
        let Some(known) = self.known.take().filter(|_| step.record.schema.is_some()) else {
            let answer = execute_in_turn(&mut self.connection, mark(false).to_owned()).await;
            let mark = match (answer.error, answer.row) {
                (None, Some(row)) => parse_mark(&row),
                (error, _) => Err(error.unwrap_or(sqlx::Error::RowNotFound)),
            };
            let mark = mark.map_err(|error| schema_error(&error))?;
            return Ok(same(&mark).then_some(After { fingerprint: None, state: mark.state }));
        };
        let (known, mark) = known.follow(&mut self.connection, begin).await?;
        let Some(mark) = mark.filter(same) else { return Ok(None) };
        // What belongs to an extension can change without a row of any object's own catalog.
        let known = match known.filter(|_| !step.sql.to_ascii_lowercase().contains("extension")) {
            Some(known) => known,
            None => Known::read(&mut self.connection, self.session.version_number, true).await?,
        };
        let fingerprint = Some((ALGORITHM, self.known.insert(known).digest()));
        Ok(Some(After { fingerprint, state: mark.state }))
    }

    /// Ends the row and the transaction, and opens that of the step that follows. Deferred constraints are
    /// checked here, so this may still be the script's failure.
    async fn commit(
        &mut self,
        begun: &Begun<'_>,
        record: Record,
        state: &State,
        following: Option<&Step>,
    ) -> Result<StepOutcome, DatabaseError> {
        let changed = *state != self.session.state;
        let disturbs = changed || disturbs(begun.step);
        let ending = Ending {
            position: begun.position,
            event: begun.step.event,
            state: RowState::Done,
            finished_at: begun.finished_at(),
            record: &record,
        };
        let of_tool = begun.of_tool(&begun.step.tool.done, ending.finished_at);
        let (before, after) = if changed { (2, 2) } else { (0, 0) };
        let before = before + of_tool.len();
        let mut sql = String::new();
        if changed {
            sql.push_str(&format!("{}; ", self.session.state.restore_local()));
        }
        for statement in &of_tool {
            sql.push_str(&format!("{statement}; "));
        }
        sql.push_str(&end_with(&ending, begun.step.id));
        if changed {
            sql.push_str(&format!("; {}", state.assume_local()));
        }
        sql.push_str("; COMMIT");
        let (position, started_at) = (begun.position + 1, ending.finished_at);
        let wants_schema = |step: &Step| step.record.schema.is_some();
        let is_ready = |step: &Step| step.transaction && self.prepared.is_ready(wants_schema(step));
        let following = following.filter(|step| !disturbs && is_ready(step));
        if let Some(step) = following {
            let row = NewRow::of_step(step, position, started_at);
            sql.push_str(&format!("; {}", begin_with(&row, wants_schema(step))));
        }
        let all = before + 1 + after + 1;
        let result = execute_in_turn(&mut self.connection, sql).await;
        if result.ended >= all {
            self.last_position = Some(begun.position);
            let begins = following.is_some();
            match (following, result.row.as_ref().map(parse_mark)) {
                (Some(step), Some(Ok(mark))) if result.error.is_none() => {
                    self.ahead = Some(Ahead { id: step.id, position, started_at, mark });
                }
                // What kept it from beginning shows when it begins by itself.
                _ if begins => self.rollback().await,
                _ => {}
            }
            if disturbs {
                self.reset().await?;
            }
            return Ok(StepOutcome::Done);
        }
        let Some(error) = result.error else { return Err(DatabaseError::TransactionEnded) };
        // The schema is what it was before the script, unless the COMMIT went through.
        self.known = None;
        let Some(told) = answer(&error) else { return self.resolve(begun, failure_in_use(&error)).await };
        if result.ended + 1 == all {
            let ran = (Vec::new(), record.notices.unwrap_or_default());
            return self.record_failure(begun, ran, begun.failed_at_end(failure(&error))).await;
        }
        if result.ended == before && told.code() == DIVISION_BY_ZERO {
            self.rollback().await;
            return Err(DatabaseError::RowGone);
        }
        // The row was there before the script ran, and could be written.
        let kept = Failure::Driver(match result.ended < before && !of_tool.is_empty() {
            true => "the script's row in the other tool's table cannot be written",
            false => "the script keeps its row of the history from being written",
        });
        let ran = (record.statements, record.notices.unwrap_or_default());
        self.record_failure(begun, ran, begun.failed_at_end(kept)).await
    }

    /// The connection was lost and the COMMIT may have gone through: the row tells, when the server has done
    /// with the lost session.
    async fn resolve(&mut self, begun: &Begun<'_>, lost: Failure) -> Result<StepOutcome, DatabaseError> {
        let session = self.session.process;
        for wait in RECONNECT_AFTER {
            tokio::time::sleep(wait).await;
            let Ok((mut connection, fresh)) = Session::connect(&self.connect).await else { continue };
            let Ok(state) = row_state(&mut connection, session, begun).await else { continue };
            (self.connection, self.session, self.prepared) = (connection, fresh, Prepared::default());
            return match state.as_deref() {
                Some("done") => {
                    self.last_position = Some(begun.position);
                    Ok(StepOutcome::Done)
                }
                _ => Err(DatabaseError::Lost(lost)),
            };
        }
        Err(DatabaseError::Lost(lost))
    }

    /// The script ended the transaction: what it did before may stay, and the row has to say so.
    async fn transaction_ended(&mut self, begun: &Begun<'_>) -> DatabaseError {
        self.rollback().await;
        self.known = None;
        if self.reset().await.is_ok() {
            let row = NewRow::of_step(begun.step, begun.position, begun.started_at).insert(TABLE, literal);
            // Unless the row is durable with what ended the transaction.
            let sql = format!("BEGIN; SET LOCAL lock_timeout = '1s'; {row} ON CONFLICT DO NOTHING; COMMIT");
            if execute_in_turn(&mut self.connection, sql).await.error.is_some() {
                self.rollback().await;
            }
        }
        self.last_position = None;
        DatabaseError::TransactionEnded
    }

    /// Undoes a script and writes a row that tells of it: of the statements that ended well, and how many notices came.
    async fn record_failure(
        &mut self,
        begun: &Begun<'_>,
        (statements, notices): (Vec<StatementRun>, u64),
        failed: Failed,
    ) -> Result<StepOutcome, DatabaseError> {
        self.rollback().await;
        self.reset().await?;
        let schema = match (&self.known, begun.step.record.schema.is_some()) {
            (_, false) => None,
            (Some(known), true) => Some((ALGORITHM, known.digest())),
            (None, true) => Some(self.fingerprint().await?),
        };
        let mut record = begun.step.record.clone();
        record.statements = statements;
        record.notices = Some(notices);
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
        rows::write_as_one(&mut self.connection, &written).await.map_err(|error| insert_error(&error))?;
        self.last_position = Some(begun.position);
        let Failed { failure, statement } = failed;
        Ok(StepOutcome::Failed { failure, statement, partial: false, leftovers: Vec::new() })
    }

    /// Rolls back; where no transaction is open, the server only warns.
    pub(super) async fn rollback(&mut self) {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await.ok();
    }

    async fn or_rollback<T>(&mut self, result: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        if result.is_err() {
            self.rollback().await;
        }
        result
    }
}

const DIVISION_BY_ZERO: &str = "22012";
/// When to try to reach a server again that was lost.
const RECONNECT_AFTER: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// How often to look whether the server has done with a session, before it is told to end it.
const LOOKS: u32 = 50;

/// The position is the key: whoever took it wrote after this run read the history.
pub fn insert_error(error: &sqlx::Error) -> DatabaseError {
    let taken = answer(error).is_some_and(|error| error.code() == "23505");
    if taken { DatabaseError::Concurrent } else { history_error(error) }
}

/// The state of a step's row, when the server has done with the session that wrote it.
async fn row_state(
    connection: &mut sqlx::PgConnection,
    session: i64,
    begun: &Begun<'_>,
) -> Result<Option<String>, sqlx::Error> {
    let there = format!("SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE pid = {session}");
    for look in 0.. {
        if fetch_text(connection, there.clone()).await?.as_deref() == Some("0") {
            break;
        }
        if look == LOOKS {
            fetch_text(connection, format!("SELECT pg_catalog.pg_terminate_backend({session})")).await?;
        }
        if look == 2 * LOOKS {
            return Err(sqlx::Error::PoolTimedOut);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let state = format!(
        "SELECT pg_catalog.max(state) FROM {TABLE} WHERE position = {} AND id = '{}'",
        begun.position, begun.step.id
    );
    fetch_text(connection, state).await
}
