//! MySQL and MariaDB, through sqlx.
//!
//! There a definition commits by itself, so a script and its row of the history cannot be one transaction. A row
//! `started` is durable before the first statement runs, and it tells which statement was reached.
//!
//! There are two connections. Greffe's own holds the run lock and reads and writes greffe's table; no script runs
//! on it, so that what a script sets, locks or leaves open does not reach the history. Scripts run on the other.
//!
//! Warnings are not counted: the driver does not hand their number out.

mod connect;
mod failure;
mod grants;
mod guard;
mod lock;
mod outcome;
mod people;
mod rows;
mod run;
mod schema;
mod scratch;
mod script;

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    DatabaseError, Declaration, HistoryRow, Options, Place, Schema, SchemaDifference, Step, StepOutcome,
    Target, TargetIdentity, Unarchived,
};
use crate::crypto::Digest;
use crate::database::executed::own_schema_error;
use crate::database::rows::NewRow;
use crate::model::{EventId, Timestamp};
use connect::{Connector, ScriptSession};
use failure::{NO_SUCH_TABLE, failure, history_error};
use guard::Guard;
pub use rows::literal;

/// Where sqlx notes which of greffe's own migrations it ran; `_sqlx_migrations` may be the user's.
const OWN_MIGRATIONS: &str = "greffe_migrations";

fn own_migrations() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/history/mysql");
    migrator.dangerous_set_table_name(OWN_MIGRATIONS);
    migrator.set_locking(false);
    migrator
}

/// A database of a MySQL or MariaDB server.
pub struct Mysql {
    connector: Connector,
    /// Greffe's own connection.
    own: MySqlConnection,
    /// The connection that scripts run on, as a script may find it.
    scripts: Option<ScriptSession>,
    identity: TargetIdentity,
    database: String,
    /// Greffe's table with its database.
    table: String,
    max_packet: usize,
    /// The name of the run lock, once it was taken.
    lock: Option<String>,
    last_position: Option<i64>,
    /// The fingerprint that the last step of this run left.
    left: Option<Digest>,
    /// What holds for scripts of others, in a scratch database.
    guard: Option<Guard>,
}

impl Mysql {
    /// Whether `url` is for this adapter.
    #[must_use]
    pub fn accepts(url: &str) -> bool {
        ["mysql:", "mariadb:"].iter().any(|scheme| url.starts_with(scheme))
    }

    /// Connects to the database that `url` names: `mysql://user:password@host:port/database`, also `mariadb:`.
    /// Passwords and names are percent-encoded. Of parameters there are `ssl-mode`, `ssl-ca`, `ssl-cert`,
    /// `ssl-key` and `socket`.
    ///
    /// # Errors
    /// [`DatabaseError::Url`] before anything is sent; [`DatabaseError::Open`]. No error holds the URL.
    pub async fn open(url: &str, options: Options) -> Result<Self, DatabaseError> {
        Self::connect(Connector::new(url, options)?).await
    }

    async fn connect(connector: Connector) -> Result<Self, DatabaseError> {
        let (own, greeting) = connector.own().await?;
        Ok(Self {
            connector,
            own,
            scripts: None,
            identity: greeting.identity,
            table: rows::table(&greeting.database),
            database: greeting.database,
            max_packet: greeting.max_packet,
            lock: None,
            last_position: None,
            left: None,
            guard: None,
        })
    }

    /// Fails unless the lock that was taken is still held.
    async fn require_lock(&mut self) -> Result<(), DatabaseError> {
        match &self.lock {
            Some(lock) => lock::require(&mut self.own, lock).await,
            None => Ok(()),
        }
    }

    /// Fails when a message would be longer than the server takes.
    fn require_fits(&self, length: usize) -> Result<(), DatabaseError> {
        // The message has a byte for the command, and the server keeps some for itself.
        if length + 64 > self.max_packet {
            return Err(DatabaseError::TooLong { length, limit: self.max_packet });
        }
        Ok(())
    }

    async fn own_schema_is_current(&mut self) -> Result<bool, DatabaseError> {
        let sql = format!(
            "SELECT version, checksum FROM {}.{OWN_MIGRATIONS} WHERE success ORDER BY version",
            rows::identifier(&self.database)
        );
        let applied = match sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.own).await {
            Err(error) if failure::number(&error) == Some(NO_SUCH_TABLE) => return Ok(false),
            applied => applied.map_err(|error| DatabaseError::OwnSchema(failure(&error)))?,
        };
        let migrator = own_migrations();
        let wanted: Vec<_> =
            migrator.iter().filter(|migration| migration.migration_type.is_up_migration()).collect();
        Ok(applied.len() == wanted.len()
            && applied.iter().zip(wanted).all(|(row, migration)| {
                row.try_get::<i64, _>(0).is_ok_and(|version| version == migration.version)
                    && row
                        .try_get::<Vec<u8>, _>(1)
                        .is_ok_and(|checksum| checksum == migration.checksum.as_ref())
            }))
    }

    /// A migration of greffe's own that a crash cut short is run again; each of them can be.
    async fn forget_unfinished_migrations(&mut self) -> Result<(), DatabaseError> {
        let sql =
            format!("DELETE FROM {}.{OWN_MIGRATIONS} WHERE NOT success", rows::identifier(&self.database));
        match rows::execute(&mut self.own, sql).await {
            Err(error) if failure::number(&error) != Some(NO_SUCH_TABLE) => {
                Err(DatabaseError::OwnSchema(failure(&error)))
            }
            _ => Ok(()),
        }
    }

    async fn next_position(&mut self) -> Result<i64, DatabaseError> {
        match self.last_position {
            Some(position) => Ok(position + 1),
            None => Ok(self.history().await?.last().map_or(0, |row| row.position) + 1),
        }
    }
}

impl Target for Mysql {
    fn identity(&self) -> TargetIdentity {
        self.identity.clone()
    }

    async fn lock(&mut self, wait: Duration) -> Result<(), DatabaseError> {
        let lock = lock::name_of(&self.database);
        lock::take(&mut self.own, &lock, wait).await?;
        self.lock = Some(lock);
        let scripts = lock::name_for_scripts(&self.database);
        lock::until_free(&mut self.own, &scripts, wait.max(lock::GRACE)).await
    }

    async fn prepare(&mut self) -> Result<(), DatabaseError> {
        if self.own_schema_is_current().await? {
            return Ok(());
        }
        self.forget_unfinished_migrations().await?;
        own_migrations().run(&mut self.own).await.map_err(|error| own_schema_error(error, failure))
    }

    async fn history(&mut self) -> Result<Vec<HistoryRow>, DatabaseError> {
        let rows = rows::read_all(&mut self.own, &self.table).await?;
        self.last_position = Some(rows.last().map_or(0, |row| row.position));
        Ok(rows)
    }

    async fn positions(&mut self) -> Result<Vec<i64>, DatabaseError> {
        rows::read_positions(&mut self.own, &self.table).await
    }

    async fn row_at(&mut self, position: i64) -> Result<Option<HistoryRow>, DatabaseError> {
        rows::read_at(&mut self.own, &self.table, position).await
    }

    async fn unarchived(&mut self, after: i64, limit: u32) -> Result<Vec<Unarchived>, DatabaseError> {
        rows::read_unarchived(&mut self.own, &self.table, after, limit).await
    }

    async fn mark_archived(&mut self, places: &[Place]) -> Result<(), DatabaseError> {
        let Self { own, table, .. } = self;
        let updates = places.iter().map(|place| rows::archived(table, place));
        rows::execute_all(own, updates).await.map_err(history_error)
    }

    async fn run(
        &mut self,
        step: &Step,
        _following: Option<&Step>,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        match self.guard.take() {
            Some(guard) => self.run_guarded(guard, step, clock).await,
            None => self.run_step(step, clock).await,
        }
    }

    async fn reached(&mut self, id: EventId) -> Result<Option<u64>, DatabaseError> {
        let started = rows::read_started(&mut self.own, &self.table, id).await?;
        Ok(started.map(|(_, _, reached)| reached.unwrap_or(1)))
    }

    async fn close_started(&mut self, id: EventId, now: Timestamp) -> Result<(), DatabaseError> {
        self.require_lock().await?;
        self.end_started(id, now).await
    }

    async fn declare(&mut self, declarations: &[Declaration], now: Timestamp) -> Result<(), DatabaseError> {
        self.require_lock().await?;
        let mut position = self.next_position().await? - 1;
        let mut inserts = Vec::new();
        for declaration in declarations {
            position += 1;
            let row = NewRow::of_declaration(declaration, position, now);
            let insert = row.insert(&self.table, rows::literal);
            self.require_fits(insert.len())?;
            inserts.push(insert);
            inserts.extend(declaration.tool.iter().cloned());
        }
        rows::execute_all(&mut self.own, inserts.into_iter()).await.map_err(outcome::insert_error)?;
        self.last_position = Some(position);
        Ok(())
    }

    async fn make_tool_table(&mut self, statements: &[String]) -> Result<(), DatabaseError> {
        self.require_lock().await?;
        self.left = None;
        for statement in statements {
            let made = rows::execute(&mut self.own, statement.clone()).await;
            made.map_err(|error| DatabaseError::ToolHistory(failure::failure(&error)))?;
        }
        Ok(())
    }

    async fn schema(&mut self) -> Result<Schema, DatabaseError> {
        let objects = schema::read(&mut self.own, &self.database).await?;
        let access = schema::access::read(&mut self.own, &self.database).await?;
        let digest = schema::digest(&objects);
        Ok(Schema { algorithm: schema::ALGORITHM, objects, digest, grants: Some(access) })
    }

    async fn fingerprint(&mut self) -> Result<(&'static str, Digest), DatabaseError> {
        let objects = schema::read(&mut self.own, &self.database).await?;
        Ok((schema::ALGORITHM, schema::digest(&objects)))
    }

    async fn own_differences(&mut self) -> Result<Vec<SchemaDifference>, DatabaseError> {
        schema::own::differences(&mut self.own, &self.database).await
    }

    async fn close(self) {
        // The lock goes with greffe's own connection, last.
        if let Some(scripts) = self.scripts {
            scripts.connection.close().await.ok();
        }
        self.own.close().await.ok();
    }
}
