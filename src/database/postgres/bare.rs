//! Running one script outside a transaction, statement by statement.
//!
//! The row is durable before the first statement and says after each how far the script has come. It is written
//! on the connection of the run lock, where nothing that the script sets or holds is in the way.

use std::collections::BTreeSet;

use sqlx::postgres::PgConnection;

use super::Postgres;
use super::failure::{answer, failure_in_use, schema_error};
use super::marks::Marks;
use super::outcome::Executed;
use super::rows::{self, TABLE, literal};
use super::run::insert_error;
use super::session::fetch_json;
use crate::database::executed::{Begun, Failed, Fingerprint, schema_change};
use crate::database::rows::{Ending, NewRow};
use crate::database::{DatabaseError, Failure, RowState, Step, StepOutcome, Target as _};
use crate::model::{EventKind, Timestamp};

impl Postgres {
    pub(super) async fn run_bare(
        &mut self,
        step: &Step,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        self.abandon_ahead().await;
        let position = self.next_position().await?;
        let before = self.fingerprint_if(step).await?;
        let invalid_before = invalid_indexes(&mut self.connection).await?;
        let mut first = step.clone();
        first.record.schema = schema_change(before, None);
        let begun = Begun { step, position, started_at: clock(), clock };
        let mut written = step.tool.begun.clone();
        written.push(NewRow::of_step(&first, position, begun.started_at).insert(TABLE, literal));
        rows::write_as_one(self.journal(), &written).await.map_err(|error| insert_error(&error))?;
        self.last_position = Some(position);
        // Until all is read again, nothing is known: a step that is lost leaves no fingerprint behind.
        self.known = None;
        let mut executed = self.send_one_by_one(&first, position).await?;
        if executed.broken {
            self.reconnect().await?;
        }
        if self.left_transaction_open().await? && executed.failed.is_none() {
            let failure = Failure::Driver("the script left a transaction open, which was rolled back");
            executed.failed = Some(begun.failed_at_end(failure));
        }
        self.reset().await?;
        let leftovers = match &executed.failed {
            None => Vec::new(),
            Some(_) => {
                let now = invalid_indexes(&mut self.connection).await?;
                now.difference(&invalid_before).map(|name| format!("invalid index {name}")).collect()
            }
        };
        let after = self.fingerprint_if(step).await?;
        let mut record = step.record.clone();
        record.statements = executed.statements;
        record.notices = Some(executed.notices);
        record.schema = schema_change(before, after);
        record.error = executed.failed.as_ref().map(Failed::code);
        let partial = executed.failed.as_ref().is_some_and(|failed| {
            failed.statement > 1 || before != after || !leftovers.is_empty() || may_leave_something(step)
        });
        let (event, state) = match &executed.failed {
            None => (step.event, RowState::Done),
            Some(_) if partial => (EventKind::Fail, RowState::Partial),
            Some(_) => (EventKind::Fail, RowState::Done),
        };
        let ending = Ending { position, event, state, finished_at: begun.finished_at(), record: &record };
        let of_tool = if executed.failed.is_some() { &step.tool.failed } else { &step.tool.done };
        let of_tool = begun.of_tool(of_tool, ending.finished_at);
        let finished = rows::end_with(self.journal(), &of_tool, &ending).await;
        let finished = finished.map_err(|error| insert_error(&error))?;
        if !finished {
            return Err(DatabaseError::RowGone);
        }
        Ok(match executed.failed {
            None => StepOutcome::Done,
            Some(Failed { failure, statement }) => {
                StepOutcome::Failed { failure, statement, partial, leftovers }
            }
        })
    }

    /// Several statements in one message would be one transaction.
    async fn send_one_by_one(&mut self, step: &Step, position: i64) -> Result<Executed, DatabaseError> {
        let mut executed = Executed::default();
        // What guards the schema is told for which event this runs; a reset takes it back.
        let says = format!("SET greffe.run = '{}'", step.id);
        let told = sqlx::raw_sql(sqlx::AssertSqlSafe(says)).execute(&mut self.connection).await;
        told.map_err(|error| DatabaseError::Lost(failure_in_use(&error)))?;
        for (index, statement) in step.statements.iter().enumerate() {
            let sql = step.sql.get(statement.range.clone()).unwrap_or_default();
            let roles = match &mut self.scratch {
                Some(beside) => Some(beside.roles_seen().await?),
                None => None,
            };
            let (part, marks) = ((sql, statement.range.start), Marks::default());
            let sent = executed.send(&mut self.connection, step, part, &marks);
            let (sent, notices) = self.notices.during(sent).await;
            sent?;
            executed.notices += notices;
            if let (Some(before), Some(beside)) = (roles, &mut self.scratch) {
                let now = beside.roles_seen().await?;
                beside.mark_roles(now.difference(&before).copied().collect()).await?;
            }
            if executed.failed.is_some() || index + 1 == step.statements.len() {
                break;
            }
            let noted = rows::note_reached(self.journal(), position, index + 2).await;
            if !noted.map_err(|error| insert_error(&error))? {
                return Err(DatabaseError::RowGone);
            }
        }
        Ok(executed)
    }

    /// The connection that tells of a step beside it.
    fn journal(&mut self) -> &mut PgConnection {
        match &mut self.lock {
            Some(lock) => lock.connection(),
            None => &mut self.connection,
        }
    }

    async fn left_transaction_open(&mut self) -> Result<bool, DatabaseError> {
        let open = match sqlx::raw_sql("SAVEPOINT greffe").execute(&mut self.connection).await {
            Ok(_) => true,
            Err(error) => match answer(&error) {
                Some(error) => error.code() != NO_TRANSACTION,
                None => return Err(DatabaseError::Lost(failure_in_use(&error))),
            },
        };
        if open {
            self.rollback().await;
        }
        Ok(open)
    }

    async fn fingerprint_if(&mut self, step: &Step) -> Result<Fingerprint, DatabaseError> {
        if step.record.schema.is_some() { self.fingerprint().await.map(Some) } else { Ok(None) }
    }
}

/// No transaction is open.
const NO_TRANSACTION: &str = "25P01";

/// Whether the first statement may stay in part when it fails.
fn may_leave_something(step: &Step) -> bool {
    let first = step.statements.first().and_then(|statement| step.sql.get(statement.range.clone()));
    let text = first.unwrap_or(&step.sql).to_ascii_lowercase();
    ["concurrently", "call", "do", "vacuum", "cluster", "reindex"]
        .iter()
        .any(|word| text.split(|character: char| !character.is_alphanumeric()).any(|other| other == *word))
}

/// Indexes that nothing uses, by name: what a `CONCURRENTLY` that failed leaves behind.
async fn invalid_indexes(connection: &mut PgConnection) -> Result<BTreeSet<String>, DatabaseError> {
    let sql = "SELECT coalesce(pg_catalog.json_agg(pg_catalog.quote_ident(n.nspname) || '.' || \
               pg_catalog.quote_ident(c.relname)), '[]') FROM pg_catalog.pg_index AS i \
               JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid \
               JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE NOT i.indisvalid";
    fetch_json(connection, sql.to_owned()).await.map_err(|error| schema_error(&error))
}
