//! What a witness remembers: the last checkpoint of each log that it cosigned, in SQLite.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::chain::witnessing::{Refusal, Seen, Signed};
use crate::codec::vkey::Vkey;
use crate::crypto::Digest;

/// How long to wait for another program that writes.
const BUSY: Duration = Duration::from_secs(10);
const VERSION: i64 = 1;
/// SQLite's code for a file of something else.
const NOT_A_DATABASE: &str = "26";
const TABLES: &str = "
    CREATE TABLE witness (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, vkey TEXT NOT NULL) STRICT;
    CREATE TABLE log (
        origin TEXT PRIMARY KEY, size INTEGER NOT NULL CHECK (size >= 0), root BLOB NOT NULL, note BLOB NOT NULL
    ) STRICT;";

/// Why a memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("there is no memory of the witness at {}", .0.display())]
    Missing(PathBuf),
    #[error("there is something at {} already", .0.display())]
    Exists(PathBuf),
    #[error("{} is the memory of another witness, {vkey}", path.display())]
    OtherKey { path: PathBuf, vkey: String },
    #[error("{} is no memory of a witness, or is damaged", .0.display())]
    Damaged(PathBuf),
    #[error("{} cannot be {done}: {cause}", path.display())]
    Database { path: PathBuf, done: &'static str, cause: String },
    #[error("no runtime: {0}")]
    Runtime(String),
}

/// Why a checkpoint is not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    State(#[from] StateError),
}

/// The memory.
pub struct State {
    path: PathBuf,
    connection: SqliteConnection,
}

impl State {
    /// Makes the memory of a witness that has signed nothing.
    ///
    /// # Errors
    /// [`StateError::Exists`] where there is something.
    pub async fn create(path: &Path, vkey: &Vkey) -> Result<(), StateError> {
        let failed = |error: sqlx::Error| database_error(path, "made", &error);
        match std::fs::File::options().write(true).create_new(true).open(path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(StateError::Exists(path.to_owned()));
            }
            Err(error) => {
                let (path, cause) = (path.to_owned(), error.to_string());
                return Err(StateError::Database { path, done: "made", cause });
            }
        }
        let mut connection = options(path).connect().await.map_err(failed)?;
        let mut transaction = connection.begin().await.map_err(failed)?;
        sqlx::raw_sql(TABLES).execute(&mut *transaction).await.map_err(failed)?;
        let insert = sqlx::query("INSERT INTO witness VALUES (1, $1, $2)");
        let insert = insert.bind(VERSION).bind(vkey.to_string());
        insert.execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        connection.close().await.map_err(failed)
    }

    /// The key that the memory belongs to.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn vkey(path: &Path) -> Result<Vkey, StateError> {
        Self::connect(path).await.map(|(_, vkey)| vkey)
    }

    /// Opens the memory of the witness with this key.
    ///
    /// # Errors
    /// [`StateError::Missing`], and [`StateError::OtherKey`] for that of another one.
    pub async fn open(path: &Path, vkey: &Vkey) -> Result<Self, StateError> {
        let (state, found) = Self::connect(path).await?;
        if found == *vkey {
            return Ok(state);
        }
        Err(StateError::OtherKey { path: path.to_owned(), vkey: found.to_string() })
    }

    async fn connect(path: &Path) -> Result<(Self, Vkey), StateError> {
        if !path.is_file() {
            return Err(StateError::Missing(path.to_owned()));
        }
        let damaged = || StateError::Damaged(path.to_owned());
        let failed = |error: sqlx::Error| database_error(path, "opened", &error);
        let mut connection = match options(path).connect().await {
            // A file of something else.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NOT_A_DATABASE) => {
                return Err(damaged());
            }
            other => other.map_err(failed)?,
        };
        let found: Result<Option<(i64, String)>, _> =
            sqlx::query_as("SELECT version, vkey FROM witness WHERE one = 1")
                .fetch_optional(&mut connection)
                .await;
        match found {
            Ok(Some((VERSION, vkey))) => {
                let vkey = vkey.parse().map_err(|_| damaged())?;
                Ok((Self { path: path.to_owned(), connection }, vkey))
            }
            Ok(_) => Err(damaged()),
            Err(sqlx::Error::Database(_)) => Err(damaged()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Keeps a checkpoint that continues the last one of its log, durably. No two are judged at the same time, whatever
    /// program judges.
    ///
    /// # Errors
    /// `KeepError::Refused` where it does not continue it; nothing is kept then.
    pub async fn keep(&mut self, signed: &Signed) -> Result<(), KeepError> {
        let path = self.path.clone();
        let failed = |error: sqlx::Error| database_error(&path, "written", &error);
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let found: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT size, root FROM log WHERE origin = $1")
            .bind(signed.origin())
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failed)?;
        let seen = match found {
            None => Seen::nothing(),
            Some((size, root)) => {
                let (size, root) = (u64::try_from(size), <[u8; 32]>::try_from(root));
                let (Ok(size), Ok(root)) = (size, root) else { return Err(StateError::Damaged(path).into()) };
                Seen { size, root: Digest(root) }
            }
        };
        let now = signed.continues(&seen)?;
        let size = i64::try_from(now.size).map_err(|_| Refusal::Malformed("its size is too large"))?;
        sqlx::query(
            "INSERT INTO log (origin, size, root, note) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note",
        )
        .bind(signed.origin())
        .bind(size)
        .bind(now.root.0.as_slice())
        .bind(signed.request().checkpoint.encode())
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(())
    }

    /// The note of the checkpoint of a log that was cosigned last, without cosignatures.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn latest(&mut self, origin: &str) -> Result<Option<Vec<u8>>, StateError> {
        let found: Result<Option<(Vec<u8>,)>, _> = sqlx::query_as("SELECT note FROM log WHERE origin = $1")
            .bind(origin)
            .fetch_optional(&mut self.connection)
            .await;
        let found = found.map_err(|error| database_error(&self.path, "read", &error))?;
        Ok(found.map(|(note,)| note))
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        // One file, and a commit that returns survives the loss of power.
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Extra)
        .disable_statement_logging()
}

/// A database's text may repeat values, so only what kind of error it is is kept.
fn database_error(path: &Path, done: &'static str, error: &sqlx::Error) -> StateError {
    let cause = match error {
        sqlx::Error::Database(error) => format!("SQLite error {}", error.code().unwrap_or_default()),
        sqlx::Error::Io(error) => error.to_string(),
        _ => "the connection to it failed".to_owned(),
    };
    StateError::Database { path: path.to_owned(), done, cause }
}
