//! Databases that are made to run scripts in and dropped again.
//!
//! A connection holds a lock of the database's name for as long as it is used. A database whose lock is free and that
//! no session is in was left behind by a run that is dead, and is dropped by the next one.

use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::connect::Connector;
use super::failure::{failure, schema_error};
use super::guard::Guard;
use super::rows::{execute, identifier, text};
use super::{Mysql, grants, lock};
use crate::database::Options;
use crate::database::limit::in_time;
use crate::database::{DatabaseError, Failure};

const PREFIX: &str = "greffe_replay_";

impl Mysql {
    /// Drops databases whose runs are dead, as far as this user may; tells which could not be dropped.
    async fn drop_abandoned(own: &mut MySqlConnection) -> Result<Vec<String>, sqlx::Error> {
        let mut notes = Vec::new();
        let sql = format!(
            "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA \
             WHERE SCHEMA_NAME REGEXP '^{PREFIX}[0-9a-f]{{16}}$' AND NOT EXISTS \
             (SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = SCHEMA_NAME)"
        );
        for row in sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *own).await? {
            let name: String = row.try_get(0)?;
            if lock::take(own, &name, Duration::ZERO).await.is_ok() {
                let drop = format!("DROP DATABASE IF EXISTS {}", identifier(&name));
                if let Err(error) = execute(own, drop.clone()).await {
                    let failure = failure(&error);
                    notes
                        .push(format!("an earlier replay left the database {name}: {failure}; run `{drop}`"));
                }
                execute(own, format!("DO RELEASE_LOCK({})", text(&name))).await.ok();
            }
        }
        Ok(notes)
    }

    /// Makes an empty database with a random name on the server that `url` names, with the character set and
    /// collation of the database there, and connects to it. The user needs the right to make and drop databases. What
    /// replays that were killed left behind is dropped first.
    ///
    /// # Errors
    /// As [`Mysql::open`]; [`DatabaseError::TooPowerful`].
    pub async fn create_scratch(url: &str, options: Options) -> Result<Self, DatabaseError> {
        let connector = Connector::new(url, options)?;
        let mut bytes = [0; 8];
        crate::crypto::fill_random(&mut bytes);
        let name = format!("{PREFIX}{}", data_encoding::HEXLOWER.encode(&bytes));
        let mut model = Self::connect(Connector::new(url, options)?).await?;
        let open_error = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        grants::require_modest(&mut model.own, PREFIX).await?;
        let notes = Self::drop_abandoned(&mut model.own).await.map_err(open_error)?;
        lock::take(&mut model.own, &name, Duration::ZERO).await?;
        let row = sqlx::raw_sql("SELECT @@character_set_database, @@collation_database");
        let row = row.fetch_one(&mut model.own).await.map_err(open_error)?;
        let [character_set, collation] =
            [row.try_get::<String, _>(0), row.try_get(1)].map(|name| name.map_err(open_error));
        let create = format!(
            "CREATE DATABASE {} CHARACTER SET {} COLLATE {}",
            identifier(&name),
            identifier(&character_set?),
            identifier(&collation?)
        );
        execute(&mut model.own, create).await.map_err(open_error)?;
        match Self::connect(connector.with_database(&name)).await {
            Ok(scratch) => {
                let guard = Guard::new(model.own, options.script_limit(), notes).await;
                Ok(Self { guard: Some(guard), ..scratch })
            }
            Err(error) => {
                execute(&mut model.own, format!("DROP DATABASE {}", identifier(&name))).await.ok();
                Err(error)
            }
        }
    }

    /// Drops a database that [`Mysql::create_scratch`] made; any other is left alone.
    ///
    /// # Errors
    /// [`DatabaseError::Open`].
    pub async fn drop_scratch(mut self) -> Result<(), DatabaseError> {
        if !self.database.starts_with(PREFIX) {
            return Err(DatabaseError::Open(Failure::Driver("it is no database that greffe made")));
        }
        if let Some(scripts) = self.scripts.take() {
            in_time(scripts.connection.close()).await;
        }
        let drop = format!("DROP DATABASE IF EXISTS {}", identifier(&self.database));
        // The connection that a script was run beside may wait for what the script holds.
        let dropped = match &mut self.guard {
            Some(guard) => execute(&mut guard.keeper, drop.clone()).await,
            None => execute(&mut self.own, drop.clone()).await,
        };
        let dropped = match dropped {
            Ok(_) => Ok(()),
            Err(_) => {
                let (mut own, _) = self.connector.own().await?;
                let dropped = execute(&mut own, drop).await;
                in_time(own.close()).await;
                dropped.map(|_| ()).map_err(|error| DatabaseError::Open(failure(&error)))
            }
        };
        in_time(self.own.close()).await;
        if let Some(guard) = self.guard.take() {
            in_time(guard.keeper.close()).await;
        }
        dropped
    }

    /// Whether the database has no objects but greffe's own, as far as this user may see.
    ///
    /// # Errors
    /// [`DatabaseError::Schema`].
    pub async fn is_empty(&mut self) -> Result<bool, DatabaseError> {
        let database = text(&self.database);
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = {database} \
                 AND TABLE_NAME NOT IN ('greffe_history', 'greffe_migrations')) \
             OR EXISTS (SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {database}) \
             OR EXISTS (SELECT 1 FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {database})"
        );
        let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(&mut self.own).await.map_err(schema_error)?;
        row.try_get_unchecked::<i64, _>(0).map(|found| found == 0).map_err(schema_error)
    }
}
