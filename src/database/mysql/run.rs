//! Running one script.
//!
//! The history row goes in first, as `started`, and is durable. A script that only changes rows is one transaction
//! with the end of its row. Any other runs statement by statement, each of which may commit by itself; which one
//! was begun last is durable before it runs.

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::Mysql;
use super::connect::ScriptSession;
use super::failure::{NOT_ROLLED_BACK, failure, history_error, is_lost, schema_error};
use super::lock;
use super::outcome::insert_error;
use super::rows::{self, execute, literal};
use super::schema::ALGORITHM;
use super::script::{Ended, disturbs, may_have_stayed, only_changes_rows, rows_of, run_statement, text_of};
use crate::crypto::Digest;
use crate::database::executed::{Failed, Fingerprint, add_statement, schema_change};
use crate::database::rows::{Ending, NewRow};
use crate::database::tool_history::timed;
use crate::database::{DatabaseError, Failure, Record, RowState, Step, StepOutcome, Target as _};
use crate::model::{EventKind, StatementRun, Timestamp};

/// What came of a script's statements.
#[derive(Default)]
struct Executed {
    statements: Vec<StatementRun>,
    failed: Option<Failed>,
    /// Of a script that failed: whether something of it stays.
    stays: bool,
    /// Whether the row was ended in the script's own transaction.
    is_recorded: bool,
}

impl Executed {
    fn fail(&mut self, failure: Failure, statement: u64) {
        self.failed = Some(Failed { failure, statement });
    }
}

/// A run that has begun.
struct Begun<'a> {
    step: &'a Step,
    position: i64,
    started_at: Timestamp,
    clock: &'a dyn Fn() -> Timestamp,
    before: Option<Digest>,
}

impl Begun<'_> {
    /// A script's end is never before its start, whatever the clock does.
    fn finished_at(&self) -> Timestamp {
        (self.clock)().max(self.started_at)
    }

    fn ending<'a>(&self, event: EventKind, state: RowState, record: &'a Record) -> Ending<'a> {
        Ending { position: self.position, event, state, finished_at: self.finished_at(), record }
    }

    /// What another tool's table is to say of the script by now.
    fn of_tool(&self, statements: &[String]) -> Vec<String> {
        let elapsed = self.finished_at().as_microseconds() - self.started_at.as_microseconds();
        timed(statements, u64::try_from(elapsed).unwrap_or(0))
    }

    fn interrupted(&self, statement: u64, source: Failure) -> DatabaseError {
        DatabaseError::Interrupted { version: self.step.migration.version.clone(), statement, source }
    }

    fn record(&self, executed: &mut Executed, after: Option<Digest>) -> Record {
        let mut record = self.step.record.clone();
        record.statements = std::mem::take(&mut executed.statements);
        record.schema = schema_change(named(self.before), named(after));
        record.error = executed.failed.as_ref().map(Failed::code);
        record
    }
}

/// For how long the session before this one may need to end.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(30);

impl Mysql {
    pub(super) async fn run_step(
        &mut self,
        step: &Step,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        self.require_lock().await?;
        let mut scripts = self.script_session().await?;
        let begun = self.begin(step, clock).await?;
        let rows_alone = only_changes_rows(step);
        let executed = if step.transaction && rows_alone && !step.statements.is_empty() {
            self.run_as_one(&begun, &mut scripts.connection).await
        } else {
            self.run_singly(&begun, &mut scripts.connection).await
        };
        if matches!(executed, Err(DatabaseError::Interrupted { .. })) {
            // A statement whose client is gone is not to go on while people look at what it did.
            execute(&mut self.own, format!("KILL {}", scripts.id)).await.ok();
        }
        let executed = executed?;
        // What the script left open or locked ends with its connection.
        if executed.failed.is_some() || disturbs(step) {
            scripts.connection.close().await.ok();
        } else {
            self.scripts = Some(scripts);
        }
        let (after, unread) = match begun.before {
            before if rows_alone => (before, None),
            _ => match self.fingerprint_after(&begun).await {
                Ok(after) => (after, None),
                Err(error) => (None, Some(error)),
            },
        };
        self.left = after;
        let outcome = self.end(&begun, executed, after).await?;
        // The script's end is in the history all the same.
        unread.map_or(Ok(outcome), Err)
    }

    async fn end(
        &mut self,
        begun: &Begun<'_>,
        mut executed: Executed,
        after: Option<Digest>,
    ) -> Result<StepOutcome, DatabaseError> {
        let step = begun.step;
        if let Some(Failed { failure, statement }) = executed.failed.clone() {
            let partial = executed.stays || begun.before != after;
            let record = begun.record(&mut executed, after);
            let state = if partial { RowState::Partial } else { RowState::Done };
            let of_tool = begun.of_tool(&step.tool.failed);
            self.write_outcome(&begun.ending(EventKind::Fail, state, &record), step.id, &of_tool).await?;
            return Ok(StepOutcome::Failed { failure, statement, partial, leftovers: Vec::new() });
        }
        if !executed.is_recorded {
            let record = begun.record(&mut executed, after);
            let of_tool = begun.of_tool(&step.tool.done);
            self.write_outcome(&begun.ending(step.event, RowState::Done, &record), step.id, &of_tool).await?;
        }
        Ok(StepOutcome::Done)
    }

    /// The connection of the scripts before, if it is still there.
    pub(super) async fn script_session(&mut self) -> Result<ScriptSession, DatabaseError> {
        if let Some(mut scripts) = self.scripts.take()
            && execute(&mut scripts.connection, "DO 0".to_owned()).await.is_ok()
        {
            return Ok(scripts);
        }
        let mut scripts = self.connector.scripts(self.identity.engine).await?;
        if self.lock.is_some() {
            let name = lock::name_for_scripts(&self.database);
            lock::take(&mut scripts.connection, &name, AGAIN).await?;
        }
        Ok(scripts)
    }

    /// Writes the row of the step, after all that can be known to be in the way.
    async fn begin<'a>(
        &mut self,
        step: &'a Step,
        clock: &'a dyn Fn() -> Timestamp,
    ) -> Result<Begun<'a>, DatabaseError> {
        let position = self.next_position().await?;
        let before = match self.left.take() {
            Some(left) if step.record.schema.is_some() => Some(left),
            _ => self.fingerprint_if(step).await?,
        };
        let mut first = step.clone();
        first.record.schema = schema_change(named(before), None);
        let begun = Begun { step, position, started_at: clock(), clock, before };
        let insert = NewRow::of_step(&first, position, begun.started_at).insert(&self.table, literal);
        let longest = step.statements.iter().map(|statement| statement.range.len()).max();
        self.require_fits(longest.unwrap_or(0).max(insert.len()))?;
        match step.tool.begun.is_empty() {
            true => execute(&mut self.own, insert).await.map(drop),
            false => rows::execute_all(&mut self.own, step.tool.begun.iter().cloned().chain([insert])).await,
        }
        .map_err(insert_error)?;
        self.last_position = Some(position);
        Ok(begun)
    }

    /// Runs a script of which each statement may commit by itself.
    async fn run_singly(
        &mut self,
        begun: &Begun<'_>,
        scripts: &mut MySqlConnection,
    ) -> Result<Executed, DatabaseError> {
        let mut executed = Executed::default();
        let mut nth = 0;
        for statement in &begun.step.statements {
            nth += 1;
            if nth > 1 {
                self.note_reached(begun, nth).await?;
            }
            match run_statement(scripts, text_of(begun.step, statement)).await {
                Ended::Well { duration_us, rows } => {
                    let rows = rows_of(&statement.kind, rows);
                    add_statement(&mut executed.statements, &statement.kind, duration_us, rows);
                }
                Ended::Badly(failure) => {
                    executed.stays = nth > 1 || self.first_may_have_stayed(begun.step, &failure).await?;
                    executed.fail(failure, nth);
                    return Ok(executed);
                }
                Ended::Unknown(failure) => return Err(begun.interrupted(nth, failure)),
            }
        }
        if disturbs(begun.step) && left_open(scripts).await.map_err(|error| begun.interrupted(nth, error))? {
            executed.stays = true;
            executed.fail(Failure::Driver("the script left a transaction open, which was rolled back"), nth);
        }
        Ok(executed)
    }

    /// Runs a script as one transaction, with the end of its row.
    async fn run_as_one(
        &mut self,
        begun: &Begun<'_>,
        scripts: &mut MySqlConnection,
    ) -> Result<Executed, DatabaseError> {
        let mut executed = Executed::default();
        let mut nth = 1;
        let lost = |error: sqlx::Error, nth| begun.interrupted(nth, failure(&error));
        execute(scripts, "START TRANSACTION".to_owned()).await.map_err(|error| lost(error, nth))?;
        for (index, statement) in begun.step.statements.iter().enumerate() {
            nth = index as u64 + 1;
            match run_statement(scripts, text_of(begun.step, statement)).await {
                Ended::Well { duration_us, rows } => {
                    let rows = rows_of(&statement.kind, rows);
                    add_statement(&mut executed.statements, &statement.kind, duration_us, rows);
                }
                Ended::Badly(failure) => {
                    executed.stays = roll_back(scripts).await.map_err(|error| lost(error, nth))?;
                    executed.fail(failure, nth);
                    return Ok(executed);
                }
                Ended::Unknown(failure) => return Err(begun.interrupted(nth, failure)),
            }
        }
        let record = begun.record(&mut executed, begun.before);
        let ending = begun.ending(begun.step.event, RowState::Done, &record);
        for statement in begun.of_tool(&begun.step.tool.done) {
            execute(scripts, statement).await.map_err(|error| lost(error, nth))?;
        }
        let update = self.update(&ending, begun.step.id);
        if execute(scripts, update).await.map_err(|error| lost(error, nth))? != 1 {
            roll_back(scripts).await.map_err(history_error)?;
            return Err(DatabaseError::RowGone);
        }
        match execute(scripts, "COMMIT".to_owned()).await {
            Ok(_) => {}
            Err(error) if is_lost(&error) => {
                if self.is_still_started(begun.position, begun.step.id).await? {
                    return Err(lost(error, nth));
                }
            }
            Err(error) => {
                executed.statements = record.statements;
                executed.stays = roll_back(scripts).await.map_err(|error| lost(error, nth))?;
                executed.fail(failure(&error), nth);
                return Ok(executed);
            }
        }
        executed.is_recorded = true;
        Ok(executed)
    }

    /// Makes durable that a statement begins.
    async fn note_reached(&mut self, begun: &Begun<'_>, statement: u64) -> Result<(), DatabaseError> {
        // The connection that writes this is the one that took the lock, and has it for as long as it lives.
        let sql = format!(
            "UPDATE {} SET reached = {statement} WHERE position = {} AND id = '{}' AND state = 'started'",
            self.table, begun.position, begun.step.id
        );
        if execute(&mut self.own, sql).await.map_err(history_error)? == 1 {
            return Ok(());
        }
        Err(DatabaseError::RowGone)
    }

    async fn first_may_have_stayed(&mut self, step: &Step, failure: &Failure) -> Result<bool, DatabaseError> {
        let sql = format!(
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} \
             AND TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB'",
            rows::text(&self.database)
        );
        let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(&mut self.own).await.map_err(schema_error)?;
        let others: i64 = row.try_get(0).map_err(schema_error)?;
        Ok(may_have_stayed(step, failure, others == 0))
    }

    /// Reads the schema that a script left; once more where the connection is lost.
    async fn fingerprint_after(&mut self, begun: &Begun<'_>) -> Result<Option<Digest>, DatabaseError> {
        match self.fingerprint_if(begun.step).await {
            Err(DatabaseError::Schema(Failure::Connection(_))) => {
                self.is_still_started(begun.position, begun.step.id).await?;
                self.fingerprint_if(begun.step).await
            }
            read => read,
        }
    }

    async fn fingerprint_if(&mut self, step: &Step) -> Result<Option<Digest>, DatabaseError> {
        if step.record.schema.is_none() {
            return Ok(None);
        }
        self.fingerprint().await.map(|(_, digest)| Some(digest))
    }
}

/// Rolls back; whether something stays that could not be.
async fn roll_back(scripts: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    execute(scripts, "ROLLBACK".to_owned()).await?;
    let warnings = sqlx::raw_sql("SHOW WARNINGS").fetch_all(scripts).await?;
    let codes = warnings.iter().map(|warning| warning.try_get_unchecked::<&str, _>("Code"));
    Ok(codes.into_iter().any(|code| code.is_ok_and(|code| code == NOT_ROLLED_BACK)))
}

/// Ends a transaction that a script left open; whether there was one. The driver knows it from the server's answer
/// to any statement, and tells it of one that is said to begin a transaction.
async fn left_open(scripts: &mut MySqlConnection) -> Result<bool, Failure> {
    match scripts.begin_with("DO 0").await {
        Ok(transaction) => transaction.rollback().await.map(|()| true).map_err(|error| failure(&error)),
        Err(sqlx::Error::BeginFailed) => Ok(false),
        Err(error) => Err(failure(&error)),
    }
}

fn named(digest: Option<Digest>) -> Fingerprint {
    digest.map(|digest| (ALGORITHM, digest))
}
