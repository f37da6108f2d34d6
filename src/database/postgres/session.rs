//! A connection as it is at first, and how it is made so again after a script.

use std::str::FromStr as _;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Row as _};

use super::failure::failure;
use crate::database::guard::OWN_RUN;
use crate::database::{Access, Options};
use crate::database::{DatabaseError, Step};

/// How connections to this database are made. The URL goes to the driver alone; its errors may quote it.
pub fn connect_options(url: &str, options: Options) -> Result<PgConnectOptions, DatabaseError> {
    let connect = PgConnectOptions::from_str(url)
        .map_err(|_| DatabaseError::Url("it is not one that the driver reads"))?;
    let milliseconds = |limit: Duration| format!("{}ms", limit.as_millis().max(1));
    let settings = [
        ("lock_timeout", options.lock_timeout.map(milliseconds)),
        ("statement_timeout", options.statement_timeout.map(milliseconds)),
        ("default_transaction_read_only", (options.access == Access::Read).then(|| "on".to_owned())),
    ];
    let settings: Vec<_> = settings.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let connect = connect.application_name("greffe").statement_cache_capacity(0).disable_statement_logging();
    // They are part of the start message, where some poolers refuse any.
    Ok(if settings.is_empty() { connect } else { connect.options(settings) })
}

/// What a connection is like before any script.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Session {
    pub version: String,
    pub version_number: u32,
    pub process: i64,
    /// Whether scripts may be told the time between their statements.
    pub may_mark: bool,
    pub state: State,
}

/// What a script may leave changed and what then matters to greffe's own statements.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct State {
    pub user: String,
    pub session_user: String,
    pub role: String,
    pub search_path: String,
    pub client_encoding: String,
    pub has_temporary: bool,
}

/// [`State`] as a JSON array.
pub const STATE: &str = "pg_catalog.json_build_object('user', current_user, 'session_user', session_user, \
    'role', pg_catalog.current_setting('role'), 'search_path', pg_catalog.current_setting('search_path'), \
    'client_encoding', pg_catalog.current_setting('client_encoding'), \
    'has_temporary', pg_catalog.pg_my_temp_schema() <> 0)";

impl Session {
    pub async fn connect(connect: &PgConnectOptions) -> Result<(PgConnection, Self), DatabaseError> {
        let opened = connect.connect().await;
        let mut connection = opened.map_err(|error| DatabaseError::Open(failure(&error)))?;
        let session = Self::read(&mut connection).await;
        Ok((connection, session.map_err(|error| DatabaseError::Open(failure(&error)))?))
    }

    /// Reads it, sees to it that a COMMIT that was answered is durable, and says to what guards the schema that it runs for
    /// greffe itself.
    async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let sql = format!(
            "SELECT pg_catalog.json_build_object('version', pg_catalog.current_setting('server_version'), \
             'version_number', pg_catalog.current_setting('server_version_num')::int4, \
             'process', pg_catalog.pg_backend_pid(), 'may_mark', \
             pg_catalog.has_function_privilege('pg_catalog.clock_timestamp()', 'EXECUTE') \
             AND pg_catalog.has_function_privilege('pg_catalog.statement_timestamp()', 'EXECUTE'), 'state', {STATE}, \
             'durable', pg_catalog.set_config('synchronous_commit', {DURABLE}, false), \
             'run', pg_catalog.set_config('greffe.run', '{OWN_RUN}', false))"
        );
        fetch_json(connection, sql).await
    }

    /// A path for greffe and for scripts, where the one that database or role came with is none: without `"$user"`
    /// where that is greffe's own schema, for a user of this name would create there what belongs to nobody but
    /// greffe; and without `pg_catalog`, which then is the first, so that nobody's operators stand for the server's.
    pub fn safer_path(&self) -> Option<String> {
        let parts: Vec<&str> = self.state.search_path.split(',').map(str::trim).collect();
        let is_kept = |part: &&str| {
            let own = *part == USER_IN_PATH && self.state.user == super::OWN_SCHEMA;
            !own && part.trim_matches('"') != "pg_catalog"
        };
        let kept: Vec<&str> = parts.iter().copied().filter(is_kept).collect();
        let alone = parts.len() == 1 && parts.iter().any(|part| part.trim_matches('"') == "pg_catalog");
        (kept.len() < parts.len() && !alone).then(|| kept.join(", "))
    }

    /// Gives the connection that path, until it is reset.
    pub async fn set_path(&mut self, connection: &mut PgConnection, path: String) -> Result<(), sqlx::Error> {
        let sql = format!("SELECT pg_catalog.set_config('search_path', {}, false)", quoted(&path));
        self.state.search_path = fetch_text(connection, sql).await?.unwrap_or(path);
        Ok(())
    }

    /// Makes a connection that a script used what it was at first; outside a transaction.
    pub async fn reset(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("DISCARD ALL").execute(&mut *connection).await?;
        Self::read(connection).await.map(drop)
    }
}

const USER_IN_PATH: &str = "\"$user\"";

/// The value of `synchronous_commit` that greffe's rows ask for: at least this server's own disk.
pub const DURABLE: &str = "CASE pg_catalog.current_setting('synchronous_commit') WHEN 'off' THEN 'local' \
                           ELSE pg_catalog.current_setting('synchronous_commit') END";

impl State {
    /// Statements that make greffe's own ones run as at first, until the transaction ends.
    pub fn restore_local(&self) -> String {
        format!(
            "SET LOCAL SESSION AUTHORIZATION DEFAULT; SELECT pg_catalog.set_config('role', {}, true), \
             pg_catalog.set_config('client_encoding', 'UTF8', true)",
            quoted(&self.role)
        )
    }

    /// Statements that make deferred triggers run as the script left it.
    pub fn assume_local(&self) -> String {
        format!(
            "SET LOCAL SESSION AUTHORIZATION {}; SELECT pg_catalog.set_config('role', {}, true)",
            quoted(&self.session_user),
            quoted(&self.role)
        )
    }
}

fn quoted(text: &str) -> String {
    let mut sql = String::new();
    super::rows::literal(&mut sql, &crate::database::rows::Value::Text(text.into()));
    sql
}

/// Whether a script may have changed the connection itself, so that the next one must not inherit it. A function
/// that does so unseen is found by [`State`].
pub fn disturbs(step: &Step) -> bool {
    let text = step.sql.to_ascii_lowercase();
    let plain = |range: &std::ops::Range<usize>| {
        let statement = text.get(range.clone()).unwrap_or_default();
        let end = statement.find(|character: char| !character.is_ascii_alphabetic());
        PLAIN.contains(&&statement[..end.unwrap_or(statement.len())])
    };
    text.contains("temp")
        || text.contains("set_config")
        || text.contains("session")
        || step.statements.is_empty()
        || !step.statements.iter().all(|statement| plain(&statement.range))
}

/// First words of statements that leave a session as it was.
const PLAIN: [&str; 12] = [
    "create", "alter", "drop", "insert", "update", "delete", "merge", "comment", "grant", "revoke",
    "truncate", "refresh",
];

/// The text in the first column of the first row.
pub async fn fetch_text(connection: &mut PgConnection, sql: String) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await?;
    row.try_get_raw(0)
        .and_then(|value| if sqlx::ValueRef::is_null(&value) { Ok(None) } else { text_of(value).map(Some) })
}

fn text_of(value: sqlx::postgres::PgValueRef<'_>) -> Result<String, sqlx::Error> {
    value.as_str().map(str::to_owned).map_err(sqlx::Error::Decode)
}

/// The JSON in the first column of the first row.
pub async fn fetch_json<T: DeserializeOwned>(
    connection: &mut PgConnection,
    sql: String,
) -> Result<T, sqlx::Error> {
    let text = fetch_text(connection, sql).await?.unwrap_or_default();
    serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))
}
