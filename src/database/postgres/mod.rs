//! PostgreSQL 13 and newer, through sqlx. Script and history row are one transaction; the run lock is an advisory
//! lock on a connection of its own.

mod bare;
mod canonical;
mod catalog;
mod failure;
mod fingerprint;
mod guard;
mod lock;
mod made_roles;
mod marks;
mod modest;
mod notices;
mod outcome;
mod people;
mod prepared;
mod rows;
mod run;
mod scratch;
mod session;

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::rows::{Ending, NewRow};
use super::{
    DatabaseError, Declaration, Failure, HistoryRow, Options, Place, Schema, SchemaDifference, Step,
    StepOutcome, Target, TargetIdentity, Unarchived,
};
use crate::crypto::Digest;
use crate::database::executed::own_schema_error;
use crate::database::schema::own_differences;
use crate::model::{Engine, EventId, Timestamp};
use failure::{failure_in_use, history_error};
use fingerprint::{ALGORITHM, Known};
use lock::{RunLock, take_for_scripts};
use notices::Notices;
use prepared::Prepared;
use rows::TABLE;
pub use rows::literal;
use run::Ahead;
use scratch::Beside;
use session::{Session, connect_options, fetch_json, fetch_text};

/// Where greffe's own tables are.
const OWN_SCHEMA: &str = "greffe";
/// Where sqlx notes which of greffe's own migrations it ran.
const OWN_MIGRATIONS: &str = "greffe.migrations";
/// The canonical text of what they make.
const OWN_OBJECTS: &str = include_str!("own_objects.txt");

/// For how long the session before this one may need to end.
const AGAIN: Duration = Duration::from_secs(30);

fn own_migrations() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/history/postgres");
    migrator.dangerous_set_table_name(OWN_MIGRATIONS);
    migrator.create_schema(OWN_SCHEMA);
    migrator.set_locking(false);
    migrator
}

/// A database of a PostgreSQL server.
pub struct Postgres {
    connection: PgConnection,
    /// How connections are made; has the password.
    connect: PgConnectOptions,
    session: Session,
    notices: Notices,
    lock: Option<RunLock>,
    /// Whether the connection is one to look with alone: its search path was set, not given to it at its start.
    only_looks: bool,
    prepared: Prepared,
    /// The schema as this run read it last, with what it did since.
    known: Option<Known>,
    last_position: Option<i64>,
    /// A step whose transaction is open already, with its row in it.
    ahead: Option<Ahead>,
    /// What made a scratch database and is to drop it.
    scratch: Option<Box<Beside>>,
}

impl Postgres {
    /// Whether `url` is for this adapter.
    #[must_use]
    pub fn accepts(url: &str) -> bool {
        url.starts_with("postgres:") || url.starts_with("postgresql:")
    }

    /// Opens a database that exists.
    ///
    /// # Errors
    /// [`DatabaseError::Url`] and [`DatabaseError::Open`].
    pub async fn open(url: &str, options: Options) -> Result<Self, DatabaseError> {
        Self::connect(connect_options(url, options)?).await
    }

    /// Whether a session may begin as one of `run`.
    pub async fn takes_run(url: &str, options: Options, run: EventId) -> bool {
        let Ok(connect) = connect_options(url, options) else { return false };
        match connect.options([("greffe.run", run.to_string())]).connect().await {
            Ok(connection) => connection.close().await.is_ok(),
            Err(_) => false,
        }
    }

    async fn connect(mut connect: PgConnectOptions) -> Result<Self, DatabaseError> {
        let (mut connection, mut session) = Session::connect(&connect).await?;
        let safer = session.safer_path();
        let only_looks = safer.is_some();
        if let Some(path) = safer {
            let set = session.set_path(&mut connection, path.clone()).await;
            set.map_err(|error| DatabaseError::Open(failure_in_use(&error)))?;
            connect = connect.options([("search_path", path)]);
        }
        if session.version_number < 130_000 {
            return Err(DatabaseError::Open(Failure::Driver("the server is older than PostgreSQL 13")));
        }
        Ok(Self {
            connection,
            connect,
            session,
            notices: Notices::new(),
            lock: None,
            only_looks,
            prepared: Prepared::default(),
            known: None,
            last_position: None,
            ahead: None,
            scratch: None,
        })
    }

    /// Sees to it that scripts have a connection whose own search path is the safer one.
    async fn be_ready_for_scripts(&mut self) -> Result<(), DatabaseError> {
        if self.only_looks {
            let fresh = Session::connect(&self.connect).await?;
            self.settle(fresh).close().await.ok();
        }
        Ok(())
    }

    /// Puts a connection for scripts in the place of one to look with.
    fn settle(&mut self, (connection, session): (PgConnection, Session)) -> PgConnection {
        self.session = session;
        self.only_looks = false;
        self.prepared = Prepared::default();
        std::mem::replace(&mut self.connection, connection)
    }

    /// A new connection in the place of one that cannot be used any more.
    async fn reconnect(&mut self) -> Result<(), DatabaseError> {
        (self.connection, self.session) = Session::connect(&self.connect).await?;
        self.prepared = Prepared::default();
        self.take_again().await
    }

    /// What a script set or created for itself is gone.
    async fn reset(&mut self) -> Result<(), DatabaseError> {
        self.prepared = Prepared::default();
        let reset = self.session.reset(&mut self.connection).await;
        reset.map_err(|error| DatabaseError::Open(failure_in_use(&error)))?;
        self.take_again().await
    }

    /// The lock of the session that scripts run in, which its end or its reset gave back.
    async fn take_again(&mut self) -> Result<(), DatabaseError> {
        match self.lock {
            Some(_) => take_for_scripts(&mut self.connection, AGAIN).await,
            None => Ok(()),
        }
    }

    async fn run_step(
        &mut self,
        step: &Step,
        following: Option<&Step>,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        self.be_ready_for_scripts().await?;
        if let Some(lock) = &mut self.lock
            && let Err(error) = lock.require(!step.transaction).await
        {
            self.abandon_ahead().await;
            return Err(error);
        }
        if step.transaction {
            self.run_in_transaction(step, following, clock).await
        } else {
            self.run_bare(step, clock).await
        }
    }

    async fn own_schema_is_current(&mut self) -> Result<bool, sqlx::Error> {
        let exists = format!("SELECT pg_catalog.to_regclass('{OWN_MIGRATIONS}')");
        if fetch_text(&mut self.connection, exists).await?.is_none() {
            return Ok(false);
        }
        let applied = format!(
            "SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(version, \
             pg_catalog.encode(checksum, 'hex'), success) ORDER BY version), '[]') FROM {OWN_MIGRATIONS}"
        );
        let applied: Vec<(i64, String, bool)> = fetch_json(&mut self.connection, applied).await?;
        let migrator = own_migrations();
        let wanted = migrator.iter().filter(|migration| migration.migration_type.is_up_migration());
        let wanted = wanted
            .map(|migration| (migration.version, data_encoding::HEXLOWER.encode(&migration.checksum), true));
        Ok(wanted.eq(applied))
    }
}

impl Target for Postgres {
    fn identity(&self) -> TargetIdentity {
        TargetIdentity { engine: Engine::Postgresql, version: self.session.version.clone() }
    }

    async fn lock(&mut self, wait: Duration) -> Result<(), DatabaseError> {
        if self.only_looks {
            let (lock, fresh) =
                tokio::join!(RunLock::take(&self.connect, wait), Session::connect(&self.connect));
            self.lock = Some(lock?);
            self.settle(fresh?).close().await.ok();
        } else {
            self.lock = Some(RunLock::take(&self.connect, wait).await?);
        }
        take_for_scripts(&mut self.connection, wait.max(lock::GRACE)).await
    }

    async fn prepare(&mut self) -> Result<(), DatabaseError> {
        let current = self.own_schema_is_current().await;
        if current.map_err(|error| DatabaseError::OwnSchema(failure_in_use(&error)))? {
            return Ok(());
        }
        own_migrations()
            .run(&mut self.connection)
            .await
            .map_err(|error| own_schema_error(error, failure_in_use))
    }

    async fn history(&mut self) -> Result<Vec<HistoryRow>, DatabaseError> {
        self.abandon_ahead().await;
        let rows = rows::read_all(&mut self.connection).await?;
        self.last_position = Some(rows.last().map_or(0, |row| row.position));
        Ok(rows)
    }

    async fn positions(&mut self) -> Result<Vec<i64>, DatabaseError> {
        rows::read_positions(&mut self.connection).await
    }

    async fn row_at(&mut self, position: i64) -> Result<Option<HistoryRow>, DatabaseError> {
        rows::read_at(&mut self.connection, position).await
    }

    async fn unarchived(&mut self, after: i64, limit: u32) -> Result<Vec<Unarchived>, DatabaseError> {
        rows::read_unarchived(&mut self.connection, after, limit).await
    }

    async fn mark_archived(&mut self, places: &[Place]) -> Result<(), DatabaseError> {
        rows::mark_archived(&mut self.connection, places).await
    }

    async fn run(
        &mut self,
        step: &Step,
        following: Option<&Step>,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        self.run_guarded(step, following, clock).await
    }

    async fn reached(&mut self, id: EventId) -> Result<Option<u64>, DatabaseError> {
        rows::read_reached(&mut self.connection, id).await
    }

    async fn close_started(&mut self, id: EventId, now: Timestamp) -> Result<(), DatabaseError> {
        let schema = self.fingerprint().await?;
        let rows = self.history().await?;
        let Some(row) = rows.iter().find(|row| row.id == id) else { return Ok(()) };
        let mut record = rows::read_record(&mut self.connection, row.position).await?;
        let reached = rows::read_reached(&mut self.connection, id).await?;
        let ending = Ending::of_started(row, &mut record, now, Some(schema), reached);
        let ended = rows::update(&mut self.connection, &ending).await;
        ended.map(drop).map_err(|error| history_error(&error))
    }

    async fn declare(&mut self, declarations: &[Declaration], now: Timestamp) -> Result<(), DatabaseError> {
        let mut position = self.next_position().await? - 1;
        // Statements of one message are one transaction.
        let mut sql = String::new();
        for declaration in declarations {
            position += 1;
            sql.push_str(&NewRow::of_declaration(declaration, position, now).insert(TABLE, literal));
            sql.push_str(";\n");
            for statement in &declaration.tool {
                sql.push_str(&format!("{statement};\n"));
            }
        }
        let declared = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut self.connection).await;
        declared.map_err(|error| run::insert_error(&error))?;
        self.last_position = Some(position);
        Ok(())
    }

    async fn make_tool_table(&mut self, statements: &[String]) -> Result<(), DatabaseError> {
        self.abandon_ahead().await;
        self.known = None;
        // Statements of one message are one transaction.
        let sql = sqlx::AssertSqlSafe(statements.join("; "));
        let made = sqlx::raw_sql(sql).execute(&mut self.connection).await;
        made.map(drop).map_err(|error| DatabaseError::ToolHistory(failure_in_use(&error)))
    }

    async fn schema(&mut self) -> Result<Schema, DatabaseError> {
        self.abandon_ahead().await;
        let version = self.session.version_number;
        let known = Known::read(&mut self.connection, version, false).await?;
        Ok(known.schema(Known::access(&mut self.connection).await?))
    }

    async fn fingerprint(&mut self) -> Result<(&'static str, Digest), DatabaseError> {
        self.abandon_ahead().await;
        let version = self.session.version_number;
        let known = Known::read(&mut self.connection, version, false).await?;
        Ok((ALGORITHM, self.known.insert(known).digest()))
    }

    async fn own_differences(&mut self) -> Result<Vec<SchemaDifference>, DatabaseError> {
        self.abandon_ahead().await;
        let found = Known::own(&mut self.connection, self.session.version_number).await?;
        Ok(own_differences(OWN_OBJECTS, &found))
    }

    async fn close(self) {
        // The lock is given back after the connection is closed.
        let Self { connection, lock, .. } = self;
        connection.close().await.ok();
        if let Some(lock) = lock {
            lock.release().await;
        }
    }
}
