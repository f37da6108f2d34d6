//! A database of any engine, chosen by its URL.

use std::collections::BTreeSet;
use std::time::Duration;

use super::limit::in_time;
use super::mysql::Mysql;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::{
    DatabaseError, Declaration, HistoryRow, Options, Place, Schema, SchemaDifference, Step, StepOutcome,
    Target, TargetIdentity, Unarchived,
};
use crate::crypto::Digest;
use crate::model::{Engine, EventId, Timestamp};

/// A database of any engine.
pub enum Database {
    Sqlite(Box<Sqlite>),
    Postgres(Box<Postgres>),
    Mysql(Box<Mysql>),
}

/// The same call on whichever it is.
macro_rules! each {
    ($self:expr, $database:ident => $call:expr) => {
        match $self {
            Database::Sqlite($database) => $call,
            Database::Postgres($database) => $call,
            Database::Mysql($database) => $call,
        }
    };
}

impl Database {
    /// The engine that `url` is for, by its scheme; `None` for an unknown one. MariaDB and MySQL share theirs.
    #[must_use]
    pub fn engine(url: &str) -> Option<Engine> {
        let engines = [
            (Sqlite::accepts(url), Engine::Sqlite),
            (Postgres::accepts(url), Engine::Postgresql),
            (Mysql::accepts(url), Engine::Mysql),
        ];
        engines.into_iter().find_map(|(accepts, engine)| accepts.then_some(engine))
    }

    /// Opens the database at `url`.
    ///
    /// # Errors
    /// Those of its adapter; [`DatabaseError::Url`] for an unknown scheme.
    pub async fn open(url: &str, options: Options) -> Result<Self, DatabaseError> {
        match Self::engine(url) {
            Some(Engine::Sqlite) => Ok(Self::Sqlite(Box::new(Sqlite::open(url, options).await?))),
            Some(Engine::Postgresql) => Ok(Self::Postgres(Box::new(Postgres::open(url, options).await?))),
            Some(Engine::Mysql | Engine::Mariadb) => {
                Ok(Self::Mysql(Box::new(Mysql::open(url, options).await?)))
            }
            None => Err(DatabaseError::Url("greffe speaks to no such database")),
        }
    }
}

/// An empty database that scripts can be tried on.
pub struct Scratch {
    pub database: Database,
}

impl Scratch {
    /// An empty database of `engine`: in memory for SQLite without a URL, in a file that is empty or not there
    /// with one; a database of its own on the server that `url` names, made for this.
    ///
    /// # Errors
    /// [`DatabaseError::Url`] where there is no such database; [`DatabaseError::NotEmpty`]; those of the adapter.
    pub async fn create(engine: Engine, url: Option<&str>, options: Options) -> Result<Self, DatabaseError> {
        match (engine, url) {
            (Engine::Sqlite, None) => {
                let database = Sqlite::in_memory(options).await?;
                Ok(Self { database: Database::Sqlite(Box::new(database)) })
            }
            (Engine::Sqlite, Some(url)) if Sqlite::accepts(url) => {
                let mut database = Sqlite::open(url, options).await?;
                database.lock(options.busy_timeout).await?;
                if !database.is_empty().await? {
                    return Err(DatabaseError::NotEmpty);
                }
                database.limit_scripts(options).await?;
                Ok(Self { database: Database::Sqlite(Box::new(database)) })
            }
            (Engine::Postgresql, Some(url)) if Postgres::accepts(url) => {
                let mut database = Postgres::create_scratch(url, options).await?;
                if !database.is_empty().await? {
                    database.drop_scratch().await?;
                    return Err(DatabaseError::NotEmpty);
                }
                Ok(Self { database: Database::Postgres(Box::new(database)) })
            }
            (Engine::Mysql | Engine::Mariadb, Some(url)) if Mysql::accepts(url) => {
                let mut database = Mysql::create_scratch(url, options).await?;
                if !database.is_empty().await? {
                    database.drop_scratch().await?;
                    return Err(DatabaseError::NotEmpty);
                }
                Ok(Self { database: Database::Mysql(Box::new(database)) })
            }
            (_, None) => Err(DatabaseError::Url("a server is needed: name one where a database can be made")),
            (_, Some(_)) => Err(DatabaseError::Url("it is of another engine than the chain's database")),
        }
    }

    /// Names of roles that scripts cannot make here, for the server has them: all that there were. `None` where
    /// scripts can make none.
    #[must_use]
    pub fn roles(&self) -> Option<&BTreeSet<String>> {
        match &self.database {
            Database::Postgres(database) => database.roles_before(),
            Database::Sqlite(_) | Database::Mysql(_) => None,
        }
    }

    /// Whom scripts run as on a server.
    #[must_use]
    pub fn role(&self) -> Option<String> {
        match &self.database {
            Database::Postgres(database) => Some(database.session_user().to_owned()),
            Database::Sqlite(_) | Database::Mysql(_) => None,
        }
    }

    /// What was met that kept no script from running, such as what an earlier replay left behind. Each is told once.
    pub fn take_notes(&mut self) -> Vec<String> {
        match &mut self.database {
            Database::Postgres(database) => database.take_notes(),
            Database::Mysql(database) => database.take_notes(),
            Database::Sqlite(_) => Vec::new(),
        }
    }

    /// Closes it, and removes the database that was made, with the roles that scripts made.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn remove(self) -> Result<(), DatabaseError> {
        match self.database {
            Database::Sqlite(database) => {
                // A statement that was given up may go on.
                in_time(database.close()).await;
                Ok(())
            }
            Database::Postgres(database) => database.drop_scratch().await,
            Database::Mysql(database) => database.drop_scratch().await,
        }
    }
}

impl Target for Database {
    fn identity(&self) -> TargetIdentity {
        each!(self, database => database.identity())
    }

    async fn lock(&mut self, wait: Duration) -> Result<(), DatabaseError> {
        each!(self, database => database.lock(wait).await)
    }

    async fn prepare(&mut self) -> Result<(), DatabaseError> {
        each!(self, database => database.prepare().await)
    }

    async fn history(&mut self) -> Result<Vec<HistoryRow>, DatabaseError> {
        each!(self, database => database.history().await)
    }

    async fn positions(&mut self) -> Result<Vec<i64>, DatabaseError> {
        each!(self, database => database.positions().await)
    }

    async fn row_at(&mut self, position: i64) -> Result<Option<HistoryRow>, DatabaseError> {
        each!(self, database => database.row_at(position).await)
    }

    async fn unarchived(&mut self, after: i64, limit: u32) -> Result<Vec<Unarchived>, DatabaseError> {
        each!(self, database => database.unarchived(after, limit).await)
    }

    async fn mark_archived(&mut self, places: &[Place]) -> Result<(), DatabaseError> {
        each!(self, database => database.mark_archived(places).await)
    }

    async fn run(
        &mut self,
        step: &Step,
        following: Option<&Step>,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        each!(self, database => database.run(step, following, clock).await)
    }

    async fn reached(&mut self, id: EventId) -> Result<Option<u64>, DatabaseError> {
        each!(self, database => database.reached(id).await)
    }

    async fn close_started(&mut self, id: EventId, now: Timestamp) -> Result<(), DatabaseError> {
        each!(self, database => database.close_started(id, now).await)
    }

    async fn declare(&mut self, declarations: &[Declaration], now: Timestamp) -> Result<(), DatabaseError> {
        each!(self, database => database.declare(declarations, now).await)
    }

    async fn make_tool_table(&mut self, statements: &[String]) -> Result<(), DatabaseError> {
        each!(self, database => database.make_tool_table(statements).await)
    }

    async fn schema(&mut self) -> Result<Schema, DatabaseError> {
        each!(self, database => database.schema().await)
    }

    async fn fingerprint(&mut self) -> Result<(&'static str, Digest), DatabaseError> {
        each!(self, database => database.fingerprint().await)
    }

    async fn own_differences(&mut self) -> Result<Vec<SchemaDifference>, DatabaseError> {
        each!(self, database => database.own_differences().await)
    }

    async fn close(self) {
        each!(self, database => database.close().await);
    }
}
