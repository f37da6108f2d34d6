//! Content keys, off IPFS, wrapped by a key that the owner holds (FORMAT §8).
//!
//! ```text
//! owner's key ─► key of a month ─► key of a run ─► content key ─► sealed file
//!   age           age, X25519       age, X25519     ChaCha20/Poly1305
//! ```
//! Who seals needs the vault alone: a month has a public key, so that a pipeline can add keys which it cannot read
//! again. Who opens needs the owner's key too. Destroying a content key erases a file; destroying the key of a month
//! erases all that was sealed in it. What is destroyed leaves its row, without its key.
//!
//! | file | what it is |
//! |---|---|
//! | [`owner`] | the owner's key |
//! | `sealing` | adds the content keys of a run |
//! | [`keyring`] | finds content keys |
//! | `erasure` | destroys keys, and keeps what forbids it |
//! | `person` | who a pseudonym stands for |
//! | `access` | how far the access chain has come |
//! | `backup` | the whole vault in one file, for its owner |
//! | `restore` | brings back what a backup has of a chain |
//!
//! The vault knows no archive, and nothing of it is ever published.

mod access;
mod backup;
mod erasure;
pub mod keyring;
pub mod owner;
mod person;
mod restore;
mod sealing;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

pub use access::NotedAccess;
pub use backup::BACKUP_LIMIT;
pub use erasure::{Hold, KeyRow, Selection};
pub use keyring::Keyring;
pub use owner::{AgeOwner, FILE_LIMIT as IDENTITY_LIMIT, OwnerError, OwnerKey};
pub use person::Person;
pub use restore::{Restored, Wanted};
pub use sealing::{Batch, NewKey, period_of};

use crate::model::{Pseudonym, Timestamp};

/// Where sqlx notes which of the vault's migrations it ran.
const OWN_MIGRATIONS: &str = "vault_migrations";
/// Where the vault's tables are on PostgreSQL.
const OWN_SCHEMA: &str = "greffe_vault";
/// How long to wait for another program that writes.
const BUSY: Duration = Duration::from_secs(30);
/// How often a vault is brought up to date before that it cannot be is said: another program may be at it too.
const ATTEMPTS: usize = 3;

/// Why the vault does not do what was asked. No text of a database is kept, and no key is in any of these.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("there is no vault at {0}")]
    Missing(String),
    #[error("there is a vault at {0} already")]
    Exists(String),
    #[error("the vault's URL is not one of `sqlite:` or `postgres://`")]
    Url,
    #[error("the vault at {place} cannot be {done}: {cause}")]
    Database { place: String, done: &'static str, cause: String },
    #[error("the vault is damaged: {0}")]
    Damaged(&'static str),
    #[error("there is a hold {0} already")]
    HoldExists(String),
    #[error("the keys of {0} were destroyed, so nothing can be sealed in it")]
    Destroyed(String),
    #[error("this is no backup of this vault: {0}")]
    Backup(&'static str),
    #[error("the backup is older than backups are kept: keys that were erased since may be in it")]
    BackupTooOld,
    #[error("the backup says that it was made at {0}, which is yet to come")]
    BackupYetToCome(Timestamp),
    #[error("who {0} stood for was erased; a new pseudonym is needed")]
    Erased(Pseudonym),
    #[error(transparent)]
    Owner(#[from] OwnerError),
}

pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Runs the same code on the connection of either database.
macro_rules! on {
    ($vault:expr, $connection:ident => $body:expr) => {
        match &mut $vault.connection {
            $crate::vault::Connection::Sqlite($connection) => $body,
            $crate::vault::Connection::Postgres($connection) => $body,
        }
    };
}
pub(crate) use on;

/// A vault that is open.
pub struct Vault {
    pub(crate) connection: Connection,
    /// How messages call it; without a password.
    place: String,
    recipient: String,
}

impl Vault {
    /// Opens a vault that exists. Of `url`, `place` is what messages may show.
    ///
    /// # Errors
    /// [`VaultError::Missing`] when there is none.
    pub async fn open(url: &str, place: &str) -> Result<Self, VaultError> {
        let mut vault = Self::connect(url, place, false).await?;
        // A database of something else stays as it is, whoever only looks.
        if !vault.is_one().await? {
            return Err(VaultError::Missing(place.to_owned()));
        }
        vault.bring_up_to_date().await?;
        let found: Result<Option<(String,)>, _> = on!(vault, connection => {
            sqlx::query_as("SELECT recipient FROM vault WHERE one = 1").fetch_optional(connection).await
        });
        let found = found.map_err(|error| vault.failed("read", &error))?;
        let (recipient,) = found.ok_or_else(|| VaultError::Missing(place.to_owned()))?;
        Ok(Self { recipient, ..vault })
    }

    /// Makes a vault whose owner has the key of `recipient` (`age1…`).
    ///
    /// # Errors
    /// [`VaultError::Exists`]; a vault is never made anew over another one.
    pub async fn create(url: &str, place: &str, recipient: &str, now: Timestamp) -> Result<Self, VaultError> {
        owner::require_recipient(recipient)?;
        let mut vault = Self::connect(url, place, true).await?;
        vault.bring_up_to_date().await?;
        let made = on!(vault, connection => {
            sqlx::query("INSERT INTO vault (one, recipient, created_at) VALUES (1, $1, $2) ON CONFLICT DO NOTHING")
                .bind(recipient)
                .bind(now.as_microseconds())
                .execute(connection)
                .await
                .map(|done| done.rows_affected())
        });
        match made.map_err(|error| vault.failed("made", &error))? {
            0 => Err(VaultError::Exists(place.to_owned())),
            _ => Ok(Self { recipient: recipient.to_owned(), ..vault }),
        }
    }

    /// The owner's public key, `age1…`.
    #[must_use]
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// How messages call it.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    async fn connect(url: &str, place: &str, create: bool) -> Result<Self, VaultError> {
        let failed = |error: sqlx::Error| database_error(place, "opened", &error);
        let connection = if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url).map_err(|_| VaultError::Url)?;
            let file = options.get_filename().to_owned();
            if !create && !file.is_file() {
                return Err(VaultError::Missing(place.to_owned()));
            }
            if create {
                private_file(&file).map_err(|error| VaultError::Database {
                    place: place.to_owned(),
                    done: "made",
                    cause: error.to_string(),
                })?;
                if !file.is_file() {
                    return Err(VaultError::Database {
                        place: place.to_owned(),
                        done: "made",
                        cause: "something else is there than a file, or a link that leads nowhere".to_owned(),
                    });
                }
            }
            let options = options
                .busy_timeout(BUSY)
                .foreign_keys(true)
                .synchronous(SqliteSynchronous::Full)
                // What is deleted is overwritten.
                .pragma("secure_delete", "ON")
                .disable_statement_logging();
            Connection::Sqlite(options.connect().await.map_err(failed)?)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url).map_err(|_| VaultError::Url)?;
            let options = options
                .application_name("greffe")
                .options([("search_path", OWN_SCHEMA)])
                .disable_statement_logging();
            Connection::Postgres(options.connect().await.map_err(failed)?)
        } else {
            return Err(VaultError::Url);
        };
        Ok(Self { connection, place: place.to_owned(), recipient: String::new() })
    }

    /// Whether tables of a vault are there.
    async fn is_one(&mut self) -> Result<bool, VaultError> {
        const SQLITE: &str = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ($1, $2)";
        const POSTGRES: &str = "SELECT count(*) FROM pg_catalog.pg_tables \
                                WHERE schemaname = 'greffe_vault' AND tablename IN ($1, $2)";
        let sql = match self.connection {
            Connection::Sqlite(_) => SQLITE,
            Connection::Postgres(_) => POSTGRES,
        };
        let found: Result<(i64,), _> = on!(self, connection => {
            sqlx::query_as(sql).bind("vault").bind(OWN_MIGRATIONS).fetch_one(connection).await
        });
        Ok(found.map_err(|error| self.failed("read", &error))?.0 == 2)
    }

    async fn bring_up_to_date(&mut self) -> Result<(), VaultError> {
        if let Connection::Sqlite(connection) = &mut self.connection {
            // No second file keeps what is deleted.
            let set = sqlx::query("PRAGMA journal_mode = DELETE").execute(connection).await;
            set.map_err(|error| self.failed("opened", &error))?;
        }
        let mut ran = self.migrate().await;
        for _ in 1..ATTEMPTS {
            match ran {
                Err(VaultError::Database { .. }) => ran = self.migrate().await,
                done => return done,
            }
        }
        ran
    }

    async fn migrate(&mut self) -> Result<(), VaultError> {
        let ran = match &mut self.connection {
            Connection::Sqlite(connection) => {
                own(sqlx::migrate!("migrations/vault/sqlite")).run(connection).await
            }
            Connection::Postgres(connection) => {
                let mut migrator = own(sqlx::migrate!("migrations/vault/postgres"));
                migrator.create_schema(OWN_SCHEMA);
                migrator.set_locking(true);
                migrator.run(connection).await
            }
        };
        ran.map_err(|error| {
            let cause = match error {
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                    return self.failed("brought up to date", &error);
                }
                MigrateError::VersionMissing(_) => "a later version of greffe made its tables",
                _ => "its tables are not those that this version knows",
            };
            let (place, done) = (self.place.clone(), "brought up to date");
            VaultError::Database { place, done, cause: cause.to_owned() }
        })
    }

    pub(crate) fn failed(&self, done: &'static str, error: &sqlx::Error) -> VaultError {
        database_error(&self.place, done, error)
    }

    /// Ends the connection.
    pub async fn close(self) {
        match self.connection {
            Connection::Sqlite(connection) => connection.close().await.ok(),
            Connection::Postgres(connection) => connection.close().await.ok(),
        };
    }
}

fn own(mut migrator: Migrator) -> Migrator {
    migrator.dangerous_set_table_name(OWN_MIGRATIONS);
    migrator.set_locking(false);
    migrator
}

/// A server's message may carry values, so its code is all that is told.
fn cause(error: &sqlx::Error) -> String {
    match error {
        _ if sqlite_code(error).is_some() => match sqlite_code(error) {
            Some(5 | 6) => "another program has it for too long".to_owned(),
            Some(8) => "its file, or the folder, can only be read".to_owned(),
            Some(13) => "the disk is full".to_owned(),
            Some(14) => "its file cannot be opened".to_owned(),
            code => format!("SQLite answers {}", code.unwrap_or_default()),
        },
        sqlx::Error::Database(database) => match database.code() {
            Some(code) => format!("the server answers {code}"),
            None => "the server refuses".to_owned(),
        },
        sqlx::Error::Io(error) => error.to_string(),
        _ => "it does not answer as a vault does".to_owned(),
    }
}

/// The primary result code of SQLite.
fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    let error = error.as_database_error()?.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    Some(sqlx::error::DatabaseError::code(error)?.parse::<u32>().ok()? & 0xff)
}

fn database_error(place: &str, done: &'static str, error: &sqlx::Error) -> VaultError {
    match sqlite_code(error) {
        Some(11) => return VaultError::Damaged("SQLite finds its file malformed"),
        Some(26) => return VaultError::Damaged("its file is no database of SQLite"),
        _ => {}
    }
    VaultError::Database { place: place.to_owned(), done, cause: cause(error) }
}

/// An empty file that its owner alone may read, unless there is one.
fn private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match opened {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// The file of a vault in SQLite; `None` for a server.
///
/// # Errors
/// [`VaultError::Url`].
pub fn file_of(url: &str) -> Result<Option<PathBuf>, VaultError> {
    if !url.starts_with("sqlite:") {
        return Ok(None);
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|_| VaultError::Url)?;
    Ok(Some(options.get_filename().to_owned()))
}
