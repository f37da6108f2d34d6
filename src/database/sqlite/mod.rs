//! SQLite, through sqlx. Script and history row are one transaction; the run lock is a lock of the
//! operating system on a file beside the database, which ends with the process.

mod bare;
mod change;
mod fingerprint;
mod lock;
mod own;
mod people;
mod rows;
mod run;
mod script;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::{
    Access, DatabaseError, Declaration, Failure, HistoryRow, Options, Place, Schema, SchemaDifference, Step,
    StepOutcome, Target, TargetIdentity, Unarchived,
};
use crate::crypto::Digest;
use crate::database::executed::own_schema_error;
use crate::database::limit::GRACE;
use crate::database::rows::Ending;
use crate::model::{Engine, EventId, Timestamp};
pub use fingerprint::ALGORITHM;
use fingerprint::Known;
use lock::RunLock;
pub use rows::literal;
use run::Ahead;

/// Where sqlx notes which of greffe's own migrations it ran; `_sqlx_migrations` may be the user's.
const OWN_MIGRATIONS: &str = "greffe_migrations";

fn own_migrations() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/history/sqlite");
    migrator.dangerous_set_table_name(OWN_MIGRATIONS);
    migrator.set_locking(false);
    migrator
}

/// A SQLite database in a file.
pub struct Sqlite {
    connection: SqliteConnection,
    /// How the connection is made again.
    connect: SqliteConnectOptions,
    /// How it is made once the database is locked, where it was opened to read until then.
    when_locked: Option<SqliteConnectOptions>,
    version: String,
    path: PathBuf,
    foreign_keys: bool,
    lock: Option<RunLock>,
    /// The schema as it was read last on this connection.
    known: Option<Known>,
    last_position: Option<i64>,
    /// Foreign keys that were broken when a change of people's rows began.
    broken: i64,
    /// A step whose transaction is open already, with its row in it.
    ahead: Option<Ahead>,
    /// How long a script may run, where it is one of others.
    limit: Option<TimeLimit>,
}

impl Sqlite {
    /// Whether `url` is for this adapter.
    #[must_use]
    pub fn accepts(url: &str) -> bool {
        url.starts_with("sqlite:")
    }

    /// The database file that `url` names; a relative path is taken from `base`.
    ///
    /// # Errors
    /// [`DatabaseError::Url`] for a database in memory, which ends with the run, and for a URL that the
    /// driver does not read.
    pub fn file_of(url: &str, base: &Path) -> Result<PathBuf, DatabaseError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|_| DatabaseError::Url("it is not one that the driver reads"))?;
        let file = options.get_filename();
        let text = file.to_string_lossy();
        if text.is_empty()
            || text.contains(":memory:")
            || text.starts_with("file:")
            || url.contains("mode=memory")
        {
            return Err(DatabaseError::Url("a database in memory ends with the run; name a file"));
        }
        Ok(base.join(file))
    }

    /// A database in memory, which ends with the last connection to it.
    ///
    /// # Errors
    /// [`DatabaseError::Open`].
    pub async fn in_memory(options: Options) -> Result<Self, DatabaseError> {
        let connect = SqliteConnectOptions::from_str("sqlite::memory:")
            .map_err(|error| DatabaseError::Open(failure(&error)))?
            .foreign_keys(options.foreign_keys)
            .disable_statement_logging();
        let mut opened = Self::connect(Path::new(""), &connect, options).await?;
        opened.limit_scripts(options).await?;
        Ok(opened)
    }

    /// Holds scripts to what those of others may use: time and memory, and no files for temporary tables.
    ///
    /// # Errors
    /// [`DatabaseError::Open`].
    pub async fn limit_scripts(&mut self, options: Options) -> Result<(), DatabaseError> {
        self.limit = Some(TimeLimit::new(options.script_limit()));
        self.set_limits().await
    }

    /// Holds the connection to the limits of scripts of others, where there are any.
    async fn set_limits(&mut self) -> Result<(), DatabaseError> {
        let Some(limit) = self.limit.clone() else { return Ok(()) };
        let failed = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        // SQLite lets nobody raise it again.
        sqlx::raw_sql(LIMITS).execute(&mut self.connection).await.map_err(failed)?;
        let mut handle = self.connection.lock_handle().await.map_err(failed)?;
        handle.set_progress_handler(STEPS_BETWEEN_LOOKS, move || limit.is_kept());
        Ok(())
    }

    /// Whether there is nothing at all, greffe's own tables included.
    ///
    /// # Errors
    /// [`DatabaseError::Schema`].
    pub async fn is_empty(&mut self) -> Result<bool, DatabaseError> {
        let count =
            sqlx::query("SELECT count(*) FROM main.sqlite_schema").fetch_one(&mut self.connection).await;
        let count: Result<i64, _> = count.and_then(|row| row.try_get(0));
        count.map(|count| count == 0).map_err(|error| DatabaseError::Schema(failure(&error)))
    }

    /// Opens the database file that `url` names.
    ///
    /// # Errors
    /// As [`Sqlite::file_of`] and [`Sqlite::open_file`].
    pub async fn open(url: &str, options: Options) -> Result<Self, DatabaseError> {
        Self::open_file(&Self::file_of(url, Path::new(""))?, options).await
    }

    /// Opens the database file at `path`.
    ///
    /// # Errors
    /// [`DatabaseError::Missing`] when only reading and there is none; [`DatabaseError::Open`] otherwise.
    pub async fn open_file(path: &Path, options: Options) -> Result<Self, DatabaseError> {
        let exists = path.exists();
        if options.access == Access::Read && !exists {
            return Err(DatabaseError::Missing(path.to_owned()));
        }
        let write = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(options.access == Access::Write)
            .foreign_keys(options.foreign_keys)
            .busy_timeout(options.busy_timeout)
            .synchronous(SqliteSynchronous::Full)
            // Scripts wait in greffe's table until they are archived, and are gone for good then.
            .pragma("secure_delete", "ON")
            .disable_statement_logging();
        let read = write.clone().create_if_missing(false).read_only(true).immutable(is_idle_wal(path));
        let (connect, when_locked) = match options.access {
            Access::Read => (read, None),
            Access::Write if exists => (read, Some(write)),
            Access::Write => (write, None),
        };
        match (Self::connect(path, &connect, options).await, when_locked) {
            (Ok(opened), when_locked) => Ok(Self { when_locked, ..opened }),
            // What a crash left is mended by a connection that may write.
            (Err(_), Some(write)) => Self::connect(path, &write, options).await,
            (Err(error), None) => Err(error),
        }
    }

    async fn connect(
        path: &Path,
        connect: &SqliteConnectOptions,
        options: Options,
    ) -> Result<Self, DatabaseError> {
        let connection = SqliteConnection::connect_with(connect).await;
        let mut connection = connection.map_err(|error| DatabaseError::Open(failure(&error)))?;
        // The first read shows whether the file is a database at all.
        let version = sqlx::query("SELECT sqlite_version(), (SELECT count(*) FROM main.sqlite_schema)")
            .fetch_one(&mut connection)
            .await
            .and_then(|row| row.try_get::<String, _>(0))
            .map_err(|error| DatabaseError::Open(failure(&error)))?;
        Ok(Self {
            connection,
            connect: connect.clone(),
            when_locked: None,
            version,
            path: path.to_owned(),
            foreign_keys: options.foreign_keys,
            lock: None,
            known: None,
            last_position: None,
            broken: 0,
            ahead: None,
            limit: None,
        })
    }

    /// A connection as it was at first: what a script set, attached or created for itself is gone.
    async fn reconnect(&mut self) -> Result<(), DatabaseError> {
        let fresh = SqliteConnection::connect_with(&self.connect).await;
        let fresh = fresh.map_err(|error| DatabaseError::Open(failure(&error)))?;
        let used = std::mem::replace(&mut self.connection, fresh);
        self.set_limits().await?;
        self.forget_schema();
        used.close().await.map_err(|error| DatabaseError::Open(failure(&error)))
    }

    async fn run_step(
        &mut self,
        step: &Step,
        following: Option<&Step>,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        self.known.iter_mut().for_each(|known| known.runs(step));
        if step.transaction {
            self.run_in_transaction(step, following, clock).await
        } else {
            self.run_bare(step, clock).await
        }
    }

    async fn read_schema(&mut self) -> Result<&mut Known, DatabaseError> {
        let known = Known::read(&mut self.connection, self.known.take()).await?;
        Ok(self.known.insert(known))
    }

    /// The next reading looks at the whole schema.
    fn forget_schema(&mut self) {
        self.known.iter_mut().for_each(Known::forget);
    }

    /// A place in what the schema goes through, for [`Sqlite::differences_since`]. From the first one on the schema is
    /// followed: readings take as long as what changed, and not as long as the schema. Only for a database in memory,
    /// which nobody else changes.
    ///
    /// # Errors
    /// [`DatabaseError::Schema`].
    pub async fn mark(&mut self) -> Result<usize, DatabaseError> {
        Ok(self.read_schema().await?.follow())
    }

    /// How the schema differs from what it was at `mark`.
    ///
    /// # Errors
    /// [`DatabaseError::Schema`].
    pub async fn differences_since(&mut self, mark: usize) -> Result<Vec<SchemaDifference>, DatabaseError> {
        let found = self.read_schema().await?.differences_since(mark);
        found.ok_or(DatabaseError::Schema(Failure::Driver("the schema was not followed")))
    }

    async fn own_schema_is_current(&mut self) -> bool {
        let applied = sqlx::query("SELECT version, checksum FROM main.greffe_migrations ORDER BY version")
            .fetch_all(&mut self.connection)
            .await
            .unwrap_or_default();
        let migrator = own_migrations();
        let wanted: Vec<_> =
            migrator.iter().filter(|migration| migration.migration_type.is_up_migration()).collect();
        applied.len() == wanted.len()
            && applied.iter().zip(wanted).all(|(row, migration)| {
                row.try_get::<i64, _>(0).is_ok_and(|version| version == migration.version)
                    && row
                        .try_get::<Vec<u8>, _>(1)
                        .is_ok_and(|checksum| checksum == migration.checksum.as_ref())
            })
    }
}

impl Target for Sqlite {
    fn identity(&self) -> TargetIdentity {
        TargetIdentity { engine: Engine::Sqlite, version: self.version.clone() }
    }

    async fn lock(&mut self, wait: Duration) -> Result<(), DatabaseError> {
        self.lock = Some(RunLock::take(&self.path, wait).await?);
        if let Some(connect) = self.when_locked.take() {
            self.connect = connect;
            self.reconnect().await?;
        }
        Ok(())
    }

    async fn prepare(&mut self) -> Result<(), DatabaseError> {
        if self.own_schema_is_current().await {
            return Ok(());
        }
        own_migrations().run(&mut self.connection).await.map_err(|error| own_schema_error(error, failure))
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
        let Some(limit) = &self.limit else { return self.run_step(step, following, clock).await };
        limit.begin();
        // What SQLite does within one step of its machine it does not look up from; then the replay is given up.
        let limit = limit.length;
        let run = self.run_step(step, following, clock);
        let ended = tokio::time::timeout(limit + GRACE, run).await;
        ended.unwrap_or(Err(DatabaseError::TookTooLong { limit }))
    }

    async fn close_started(&mut self, id: EventId, now: Timestamp) -> Result<(), DatabaseError> {
        let schema = self.fingerprint().await?;
        let rows = self.history().await?;
        let Some(row) = rows.iter().find(|row| row.id == id) else { return Ok(()) };
        let mut record = rows::read_record(&mut self.connection, row.position).await?;
        let ending = Ending::of_started(row, &mut record, now, Some(schema), None);
        let ended = rows::update(&mut self.connection, &ending).await;
        ended.map(drop).map_err(|error| DatabaseError::History(failure(&error)))
    }

    async fn declare(&mut self, declarations: &[Declaration], now: Timestamp) -> Result<(), DatabaseError> {
        self.insert_all(declarations, now).await
    }

    async fn make_tool_table(&mut self, statements: &[String]) -> Result<(), DatabaseError> {
        self.abandon_ahead().await;
        self.write_as_one(statements).await
    }

    async fn schema(&mut self) -> Result<Schema, DatabaseError> {
        Ok(self.read_schema().await?.schema())
    }

    async fn fingerprint(&mut self) -> Result<(&'static str, Digest), DatabaseError> {
        let known = self.read_schema().await?;
        Ok((fingerprint::ALGORITHM, known.digest()))
    }

    async fn own_differences(&mut self) -> Result<Vec<SchemaDifference>, DatabaseError> {
        own::differences(&mut self.connection).await
    }

    async fn close(self) {
        // The lock is dropped after the connection is closed.
        let Self { connection, lock, .. } = self;
        connection.close().await.ok();
        drop(lock);
    }
}

/// Memory for scripts of others: 1 GiB. Temporary tables are in it, for on a disk nothing would bound them.
const LIMITS: &str = "PRAGMA hard_heap_limit = 1073741824; PRAGMA temp_store = MEMORY";
/// Steps of SQLite's virtual machine after which it is asked whether to go on.
const STEPS_BETWEEN_LOOKS: i32 = 100_000;

/// When a script has to end.
#[derive(Clone)]
struct TimeLimit {
    length: Duration,
    end: Arc<Mutex<Instant>>,
}

impl TimeLimit {
    fn new(length: Duration) -> Self {
        Self { length, end: Arc::new(Mutex::new(Instant::now() + length)) }
    }

    fn begin(&self) {
        if let Ok(mut end) = self.end.lock() {
            *end = Instant::now() + self.length;
        }
    }

    fn is_kept(&self) -> bool {
        self.end.lock().is_ok_and(|end| Instant::now() < *end)
    }
}

/// Whether the database is in WAL mode and nobody has it open: the last one to close it removes the `-wal` file.
/// Reading it as one that does not change keeps SQLite from making that file and another beside it.
fn is_idle_wal(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let mut header = [0; 20];
    let read =
        std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut header));
    // sqlite.org/fileformat.html §1.3.3: write and read version 2 stand for WAL.
    read.is_ok() && header[18..20] == [2, 2] && !Path::new(&log).exists()
}

/// What may be said of an error: its code, never its text.
fn failure(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().map_or_else(|| "unknown".to_owned(), |code| code.into_owned());
            let hint = hint(&code);
            Failure::Server { code, hint, object: None, position: None }
        }
        sqlx::Error::Io(error) => Failure::Connection(error.kind().to_string()),
        sqlx::Error::WorkerCrashed => Failure::Driver("its thread ended"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            Failure::Driver("a value has another type")
        }
        _ => Failure::Driver("an unexpected error"),
    }
}

/// Words for SQLite's primary result codes (sqlite.org/rescode.html), which are the low byte.
fn hint(code: &str) -> Option<&'static str> {
    Some(match code.parse::<u32>().ok()? & 0xff {
        1 => "SQL error or missing object",
        5 => "the database is locked by another program",
        6 => "a table is locked",
        8 => "the database is read-only",
        9 => "interrupted",
        10 => "input/output error",
        11 => "the database file is damaged",
        13 => "the disk or database is full",
        14 => "cannot open the file",
        17 => "the schema changed",
        18 => "a value is too large",
        19 => "a constraint failed",
        20 => "a value has the wrong type",
        26 => "the file is not a database",
        _ => return None,
    })
}
