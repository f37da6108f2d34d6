//! How a connection is made: from a URL, with the session that greffe and every script begin with.
//!
//! | setting of the session | value |
//! |---|---|
//! | character set | `utf8mb4`, in the server's own collation for it |
//! | `sql_mode` | the strict default of the engine ([`MODE_MARIADB`], [`MODE_MYSQL`]), whatever the server's is |
//! | `time_zone` | `+00:00` |
//! | `autocommit`, `completion_type` | 1, 0 |
//!
//! So a backslash and a quote mean the same on every server, and so does a script.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions as _, Row as _};

use super::failure::failure;
use crate::database::{Access, Options};
use crate::database::{DatabaseError, Failure, TargetIdentity};
use crate::model::Engine;

pub const MODE_MARIADB: &str =
    "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION";
pub const MODE_MYSQL: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
                              ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(15);
/// For how long greffe's own connection waits for a lock, in seconds.
const OWN_LOCKS: u64 = 60;
/// How long the server keeps a connection that says nothing: its longest, in seconds.
const IDLE: u64 = 31_536_000;

/// The parameters of a URL that the driver heeds; it would pass over any other without a word.
const PARAMETERS: [&str; 9] =
    ["sslmode", "ssl-mode", "sslca", "ssl-ca", "sslcert", "ssl-cert", "sslkey", "ssl-key", "socket"];

/// Makes connections to one database.
pub struct Connector {
    connect: MySqlConnectOptions,
    options: Options,
}

/// What a server says of itself.
pub struct Greeting {
    pub identity: TargetIdentity,
    /// The database as the server writes its name.
    pub database: String,
    /// The longest message that it takes, in bytes.
    pub max_packet: usize,
}

/// A connection that scripts run on.
pub struct ScriptSession {
    pub connection: MySqlConnection,
    /// What the server calls it.
    pub id: u64,
}

impl Connector {
    /// Reads a URL, which has to name a database.
    pub fn new(url: &str, options: Options) -> Result<Self, DatabaseError> {
        let rest = url.strip_prefix("mysql://").or_else(|| url.strip_prefix("mariadb://"));
        let rest = rest.ok_or(DatabaseError::Url("it begins with neither `mysql://` nor `mariadb://`"))?;
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let mut keys = query.split('&').filter(|pair| !pair.is_empty());
        if keys.any(|pair| !PARAMETERS.contains(&pair.split('=').next().unwrap_or_default())) {
            return Err(DatabaseError::Url(
                "it has a parameter that is not ssl-mode, ssl-ca, ssl-cert, ssl-key or socket",
            ));
        }
        let connect = MySqlConnectOptions::from_str(&format!("mysql://{rest}"))
            .map_err(|_| DatabaseError::Url("it is not one that the driver reads"))?;
        if connect.get_database().is_none() {
            return Err(DatabaseError::Url("it names no database"));
        }
        // The driver looks up a bracketed address as if it were a name.
        let host = connect.get_host().trim_matches(['[', ']']).to_owned();
        let connect = connect
            .host(&host)
            .disable_statement_logging()
            .statement_cache_capacity(0)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .set_names(false);
        Ok(Self { connect, options })
    }

    /// The same server, another database.
    pub fn with_database(&self, database: &str) -> Self {
        Self { connect: self.connect.clone().database(database), options: self.options }
    }

    /// The connection that greffe itself reads and writes on; no script runs on it.
    pub async fn own(&self) -> Result<(MySqlConnection, Greeting), DatabaseError> {
        let mut sql = session(OWN_LOCKS, OWN_LOCKS);
        if self.options.access == Access::Read {
            sql.push_str("; SET SESSION TRANSACTION READ ONLY");
        }
        sql.push_str("; SELECT VERSION(), DATABASE(), @@max_allowed_packet");
        let mut connection = self.connect().await?;
        let greeting = greet(&mut connection, sql).await.map_err(open_error)?;
        Ok((connection, greeting))
    }

    /// A connection for scripts.
    pub async fn scripts(&self, engine: Engine) -> Result<ScriptSession, DatabaseError> {
        let seconds = |wait: Duration| wait.as_millis().div_ceil(1000).clamp(1, IDLE.into());
        let mut sql = match self.options.lock_timeout {
            Some(wait) => session(seconds(wait), seconds(wait)),
            None => session("DEFAULT", "DEFAULT"),
        };
        match (self.options.statement_timeout, engine) {
            (Some(limit), Engine::Mariadb) => {
                sql.push_str(&format!(", max_statement_time = {}", limit.as_secs_f64()));
            }
            (Some(limit), _) => {
                sql.push_str(&format!(", max_execution_time = {}", limit.as_millis().max(1)));
            }
            (None, _) => {}
        }
        let mut connection = self.connect().await?;
        sql.push_str("; SELECT CONNECTION_ID()");
        let row = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await;
        let id = row.and_then(|row| row.try_get_unchecked(0)).map_err(open_error)?;
        Ok(ScriptSession { connection, id })
    }

    async fn connect(&self) -> Result<MySqlConnection, DatabaseError> {
        match tokio::time::timeout(CONNECT, self.connect.connect()).await {
            Ok(connected) => connected.map_err(open_error),
            Err(_) => Err(DatabaseError::Open(Failure::Connection("no answer in time".to_owned()))),
        }
    }
}

fn open_error(error: sqlx::Error) -> DatabaseError {
    DatabaseError::Open(failure(&error))
}

/// The statement that makes a session what greffe relies on.
fn session(row_locks: impl std::fmt::Display, table_locks: impl std::fmt::Display) -> String {
    format!(
        "SET NAMES utf8mb4, sql_mode = IF(VERSION() LIKE '%MariaDB%', '{MODE_MARIADB}', '{MODE_MYSQL}'), \
         time_zone = '+00:00', autocommit = 1, completion_type = 0, sql_quote_show_create = 1, \
         foreign_key_checks = 1, unique_checks = 1, wait_timeout = {IDLE}, \
         innodb_lock_wait_timeout = {row_locks}, lock_wait_timeout = {table_locks}"
    )
}

async fn greet(connection: &mut MySqlConnection, sql: String) -> Result<Greeting, sqlx::Error> {
    let row = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await?;
    let version: String = row.try_get(0)?;
    let engine = if version.contains("MariaDB") { Engine::Mariadb } else { Engine::Mysql };
    let database: String = row.try_get(1)?;
    let max_packet = row.try_get::<u64, _>(2)?;
    Ok(Greeting {
        identity: TargetIdentity { engine, version },
        database,
        max_packet: usize::try_from(max_packet).unwrap_or(usize::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> Option<DatabaseError> {
        let options = Options::new(Access::Read);
        Connector::new(url, options).err()
    }

    #[test]
    fn a_url_names_a_database_and_nothing_that_would_be_passed_over() {
        assert!(refusal("mysql://u:p@h/app").is_none());
        assert!(refusal("mariadb://u:p@[::1]:3307/app?ssl-mode=required&ssl-ca=/a%20b").is_none());
        for wrong in [
            "mysql://u:geheim@h",
            "mysql://u:geheim@h/",
            "mysql://u:geheim@h/app?ssl_mode=required",
            "mysql://u:geheim@h/app?sslmode=sometimes",
            "mysql://u:geheim@h:port/app",
            "postgres://u:geheim@h/app",
            "mysql:geheim",
        ] {
            let error = refusal(wrong).unwrap_or_else(|| panic!("{wrong}"));
            assert!(matches!(error, DatabaseError::Url(_)), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("geheim"), "{error:?}");
        }
    }
}
