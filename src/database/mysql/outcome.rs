//! Ends of rows: an outcome is written once, also when the connection is lost while it is.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Row as _};

use super::Mysql;
use super::failure::{history_error, is_lost};
use super::rows::{self, literal};
use crate::database::rows::Ending;
use crate::database::{DatabaseError, Target as _};
use crate::model::{EventId, Timestamp};

/// For how long a lost connection is made anew: a server that restarts needs seconds.
const RECONNECT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// What to say when a row could not be added.
pub fn insert_error(error: sqlx::Error) -> DatabaseError {
    let is_taken = matches!(&error, sqlx::Error::Database(error) if error.is_unique_violation());
    if is_taken { DatabaseError::Concurrent } else { history_error(error) }
}

impl Mysql {
    /// The UPDATE that ends a row, if it is there and was not ended.
    pub(super) fn update(&self, ending: &Ending<'_>, id: EventId) -> String {
        format!("{} AND id = '{id}' AND state = 'started'", ending.update(&self.table, literal))
    }

    /// Ends a row, together with what another tool's table is to say. Where the connection is lost, the row is read
    /// before anything is repeated.
    pub(super) async fn write_outcome(
        &mut self,
        ending: &Ending<'_>,
        id: EventId,
        of_tool: &[String],
    ) -> Result<(), DatabaseError> {
        let sql = self.update(ending, id);
        let deadline = Instant::now() + RECONNECT;
        loop {
            match rows::end_with(&mut self.own, of_tool, &sql).await {
                Ok(1) => return Ok(()),
                Ok(_) => return Err(DatabaseError::RowGone),
                Err(error) if is_lost(&error) && Instant::now() < deadline => {
                    if !self.is_still_started(ending.position, id).await? {
                        return Ok(());
                    }
                }
                Err(error) => return Err(history_error(error)),
            }
        }
    }

    /// Whether a row was not ended, once nobody is about to end it: reading waits for who writes it. A connection
    /// that was lost is made anew, without the lock.
    pub(super) async fn is_still_started(
        &mut self,
        position: i64,
        id: EventId,
    ) -> Result<bool, DatabaseError> {
        let deadline = Instant::now() + RECONNECT;
        let sql = format!(
            "SELECT state FROM {} WHERE position = {position} AND id = '{id}' FOR UPDATE",
            self.table
        );
        loop {
            let row = sqlx::raw_sql(AssertSqlSafe(sql.clone())).fetch_optional(&mut self.own).await;
            match row {
                Ok(Some(row)) => {
                    return row.try_get::<&str, _>(0).map(|state| state == "started").map_err(history_error);
                }
                Ok(None) => return Err(DatabaseError::RowGone),
                Err(error) if is_lost(&error) && Instant::now() < deadline => {
                    self.reconnect(deadline).await?;
                }
                Err(error) => return Err(history_error(error)),
            }
        }
    }

    async fn reconnect(&mut self, deadline: Instant) -> Result<(), DatabaseError> {
        loop {
            match self.connector.own().await {
                Ok((own, _)) => {
                    self.own = own;
                    return Ok(());
                }
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Ends a row that a crash left: it failed at the statement that it reached, and what had run by then stays.
    pub(super) async fn end_started(&mut self, id: EventId, now: Timestamp) -> Result<(), DatabaseError> {
        let schema = self.fingerprint().await?;
        let started = rows::read_started(&mut self.own, &self.table, id).await?;
        let Some((position, mut record, reached)) = started else { return Ok(()) };
        let rows = self.history().await?;
        let Some(row) = rows.iter().find(|row| row.position == position) else { return Ok(()) };
        let ending = Ending::of_started(row, &mut record, now, Some(schema), reached);
        self.write_outcome(&ending, id, &[]).await
    }
}
