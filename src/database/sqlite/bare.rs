//! Running a script outside a transaction: its row is durable first, and ends by itself.

use sqlx::Row as _;

use super::Sqlite;
use super::rows::{self, TABLE, literal};
use super::run::history_error;
use super::script::execute_script;
use crate::database::executed::{Begun, Failed, schema_change};
use crate::database::rows::{Ending, NewRow};
use crate::database::{DatabaseError, Failure, RowState, Step, StepOutcome};
use crate::model::{EventKind, Timestamp};

impl Sqlite {
    pub(super) async fn run_bare(
        &mut self,
        step: &Step,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        self.abandon_ahead().await;
        let position = self.next_position().await?;
        let before = self.fingerprint_if(step).await?;
        let mut first = step.clone();
        first.record.schema = schema_change(before, None);
        let begun = Begun { step, position, started_at: clock(), clock };
        let mut written = step.tool.begun.clone();
        written.push(NewRow::of_step(&first, position, begun.started_at).insert(TABLE, literal));
        self.write_as_one(&written).await?;
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
        record.error = executed.failed.as_ref().map(Failed::code);
        let partial = executed.failed.as_ref().is_some_and(|failed| failed.statement > 1 || kept_rows);
        let (event, state) = match &executed.failed {
            None => (step.event, RowState::Done),
            Some(_) if partial => (EventKind::Fail, RowState::Partial),
            Some(_) => (EventKind::Fail, RowState::Done),
        };
        let ending = Ending { position, event, state, finished_at: begun.finished_at(), record: &record };
        let of_tool = if executed.failed.is_some() { &step.tool.failed } else { &step.tool.done };
        if !self.end_with(&begun.of_tool(of_tool, ending.finished_at), &ending).await? {
            return Err(DatabaseError::RowGone);
        }
        Ok(match executed.failed {
            None => StepOutcome::Done,
            Some(Failed { failure, statement }) => {
                StepOutcome::Failed { failure, statement, partial, leftovers: Vec::new() }
            }
        })
    }

    /// Ends a row together with what another tool's table is to say; whether the row was there.
    async fn end_with(&mut self, of_tool: &[String], ending: &Ending<'_>) -> Result<bool, DatabaseError> {
        let execute = |sql: String| sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        let begin: String = of_tool.iter().map(|statement| format!("; {statement}")).collect();
        let begun = execute(format!("BEGIN IMMEDIATE{begin}")).execute(&mut self.connection).await;
        let ended = match begun {
            Ok(_) => rows::update(&mut self.connection, ending).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(true) => {
                let committed = execute("COMMIT".to_owned()).execute(&mut self.connection).await;
                committed.map(|_| true).map_err(|error| history_error(&error))
            }
            other => {
                self.rollback().await;
                other.map_err(|error| history_error(&error))
            }
        }
    }

    /// Rows that this connection has changed so far.
    async fn total_changes(&mut self) -> Result<i64, DatabaseError> {
        let counted = sqlx::query("SELECT total_changes()").fetch_one(&mut self.connection).await;
        counted.and_then(|row| row.try_get(0)).map_err(|error| history_error(&error))
    }
}
