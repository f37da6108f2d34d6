//! What sets one target apart from another where the contract is the same: how to get a database of it, and the few
//! words of SQL that differ.

use std::path::PathBuf;
use std::time::Duration;

use greffe::database::mysql::Mysql;
use greffe::database::postgres::Postgres;
use greffe::database::sqlite::Sqlite;
use greffe::database::{Access, Options, Target};
use greffe::model::Engine;

use crate::servers::{self, Database};

const READ: Options = Options::new(Access::Read);
const WRITE: Options = Options::new(Access::Write);

/// A database of one adapter.
pub trait Adapter: Sized {
    type Target: Target;
    const ENGINE: Engine;
    const HISTORY: &'static str;
    /// Asks the server for its version, as the identity has it.
    const VERSION: &'static str;
    /// Whether a transaction takes back definitions too. Where it does not, they commit what came before them.
    const DEFINITIONS_ROLL_BACK: bool;

    /// An empty database.
    fn new(hint: &str) -> Self;
    async fn open(&self) -> Self::Target;
    async fn open_to_read(&self) -> Option<Self::Target>;
    /// What statements beside greffe answer, as text.
    async fn sql(&self, sql: &str) -> Result<String, String>;

    /// A target as a run has it.
    async fn ready(&self) -> Self::Target {
        let mut target = self.open().await;
        target.lock(Duration::ZERO).await.unwrap();
        target.prepare().await.unwrap();
        target
    }
}

pub struct OnSqlite(tempfile::TempDir);

impl OnSqlite {
    fn path(&self) -> PathBuf {
        self.0.path().join("app.db")
    }
}

impl Adapter for OnSqlite {
    type Target = Sqlite;
    const ENGINE: Engine = Engine::Sqlite;
    const HISTORY: &'static str = "greffe_history";
    const VERSION: &'static str = "SELECT sqlite_version()";
    const DEFINITIONS_ROLL_BACK: bool = true;

    fn new(_hint: &str) -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Sqlite {
        Sqlite::open_file(&self.path(), WRITE).await.unwrap()
    }

    async fn open_to_read(&self) -> Option<Sqlite> {
        Sqlite::open_file(&self.path(), READ).await.ok()
    }

    async fn sql(&self, sql: &str) -> Result<String, String> {
        use sqlx::{ConnectOptions as _, Connection as _, Row as _};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path()).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await;
        connection.close().await.unwrap();
        let text = |row: &sqlx::sqlite::SqliteRow| row.try_get_unchecked::<String, _>(0).unwrap_or_default();
        rows.map(|rows| rows.iter().map(text).collect::<Vec<_>>().join("\n"))
            .map_err(|error| error.to_string())
    }
}

pub struct OnPostgres(pub Database);

impl OnPostgres {
    pub fn options(access: Access) -> Options {
        Options::new(access)
    }
}

impl Adapter for OnPostgres {
    type Target = Postgres;
    const ENGINE: Engine = Engine::Postgresql;
    const HISTORY: &'static str = "greffe.history";
    const VERSION: &'static str = "SHOW server_version";
    const DEFINITIONS_ROLL_BACK: bool = true;

    fn new(hint: &str) -> Self {
        Self(servers::Postgres::shared().database(hint))
    }

    async fn open(&self) -> Postgres {
        Postgres::open(&self.0.url(), WRITE).await.unwrap()
    }

    async fn open_to_read(&self) -> Option<Postgres> {
        Postgres::open(&self.0.url(), READ).await.ok()
    }

    async fn sql(&self, sql: &str) -> Result<String, String> {
        self.0.sql_as(self.0.user(), sql)
    }
}

pub struct OnMariaDb(Database);

impl Adapter for OnMariaDb {
    type Target = Mysql;
    const ENGINE: Engine = Engine::Mariadb;
    const HISTORY: &'static str = "greffe_history";
    const VERSION: &'static str = "SELECT VERSION()";
    const DEFINITIONS_ROLL_BACK: bool = false;

    fn new(hint: &str) -> Self {
        Self(servers::MariaDb::shared().database(hint))
    }

    async fn open(&self) -> Mysql {
        Mysql::open(&self.0.url(), WRITE).await.unwrap()
    }

    async fn open_to_read(&self) -> Option<Mysql> {
        Mysql::open(&self.0.url(), READ).await.ok()
    }

    async fn sql(&self, sql: &str) -> Result<String, String> {
        self.0.sql_as(self.0.user(), sql)
    }
}
