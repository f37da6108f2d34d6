//! Databases for a replay: made beside the one that a URL names, and dropped after.
//!
//! A connection beside the new database bears the database's name as its own for as long as the replay runs. A
//! database without a session in it and without one of its name was left behind by a run that is dead, and is dropped
//! by the next one.
//!
//! Roles belong to the whole server. Those that scripts make here bear the name of the replay as a comment, and are
//! dropped with its database.

use std::collections::BTreeSet;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::failure::{answer, failure, schema_error};
use super::session::{connect_options, fetch_json, fetch_text};
use super::{Options, Postgres, Target as _};
use crate::database::{DatabaseError, Failure};

/// Every server has it, unless someone dropped it.
const MAINTENANCE: &str = "postgres";
const PREFIX: &str = "greffe_replay_";
/// From here on a role that may make roles can change those alone which it made.
const ROLES_ARE_APART: u32 = 160_000;

/// Roles that this one made, and those which they made.
const MADE: &str = "WITH RECURSIVE made (oid) AS ( \
    SELECT roleid FROM pg_catalog.pg_auth_members WHERE admin_option AND member = \
        (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user) \
    UNION SELECT m.roleid FROM pg_catalog.pg_auth_members AS m JOIN made ON m.member = made.oid WHERE m.admin_option) \
    SELECT coalesce(pg_catalog.json_agg(rolname ORDER BY rolname), '[]') \
    FROM pg_catalog.pg_roles AS r JOIN made USING (oid)";

/// What a scratch database was made by.
pub struct Beside {
    connect: PgConnectOptions,
    connection: PgConnection,
    name: String,
    /// The server's roles before the replay; `None` where scripts can make none.
    roles: Option<BTreeSet<String>>,
}

impl Beside {
    /// Connects under the name of a database that is to be made.
    async fn connect(connect: PgConnectOptions, name: String) -> Result<Self, sqlx::Error> {
        let mut connect = connect.application_name(&name);
        let mut connection = match connect.connect().await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("3D000") => {
                connect = connect.database(MAINTENANCE);
                connect.connect().await?
            }
            connection => connection?,
        };
        let idle = "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings \
                    WHERE name IN ('idle_session_timeout', 'statement_timeout')";
        sqlx::raw_sql(idle).execute(&mut connection).await?;
        Ok(Self { connect, connection, name, roles: None })
    }

    async fn execute(&mut self, sql: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await.map(drop)
    }

    /// Drops databases whose runs are dead, as far as this role may.
    async fn drop_abandoned(&mut self) -> Result<(), sqlx::Error> {
        let sql = format!(
            "SELECT coalesce(pg_catalog.json_agg(datname), '[]') FROM pg_catalog.pg_database AS d \
             WHERE datname ~ '^{PREFIX}[0-9a-f]{{16}}$' AND pg_catalog.pg_has_role(datdba, 'USAGE') \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a \
             WHERE a.datname = d.datname OR a.application_name = d.datname::text)"
        );
        let names: Vec<String> = fetch_json(&mut self.connection, sql).await?;
        for name in names {
            // Without force: it is not dropped when someone uses it after all.
            self.execute(format!("DROP DATABASE IF EXISTS {name}")).await.ok();
        }
        Ok(())
    }

    /// Notes the roles that there are, and drops those that a replay left. Needs to be the only replay of this role:
    /// two could not tell apart which role is whose.
    async fn begin_roles(&mut self) -> Result<(), DatabaseError> {
        let opened = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        let may = "SELECT bool_or(rolcreaterole) FROM pg_catalog.pg_roles \
                   WHERE pg_catalog.pg_has_role(oid, 'MEMBER')";
        if fetch_text(&mut self.connection, may.to_owned()).await.map_err(opened)?.as_deref() != Some("t") {
            return Ok(());
        }
        let others = format!(
            "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE usename = session_user \
             AND pid <> pg_catalog.pg_backend_pid() \
             AND (application_name ~ '^{PREFIX}' OR datname::text ~ '^{PREFIX}')"
        );
        let others = fetch_text(&mut self.connection, others).await.map_err(opened)?;
        if others.as_deref() != Some("0") {
            return Err(DatabaseError::OtherReplay);
        }
        let left = format!("{MADE} WHERE pg_catalog.shobj_description(oid, 'pg_authid') ~ '^{PREFIX}'");
        let left: Vec<String> = fetch_json(&mut self.connection, left).await.map_err(opened)?;
        self.drop_roles(left).await?;
        let all = "SELECT pg_catalog.json_agg(rolname) FROM pg_catalog.pg_roles";
        self.roles = Some(fetch_json(&mut self.connection, all.to_owned()).await.map_err(opened)?);
        Ok(())
    }

    /// Roles that scripts made.
    async fn made(&mut self, condition: &str) -> Result<Vec<String>, sqlx::Error> {
        let Some(before) = &self.roles else { return Ok(Vec::new()) };
        let made: Vec<String> = fetch_json(&mut self.connection, format!("{MADE} {condition}")).await?;
        Ok(made.into_iter().filter(|role| !before.contains(role)).collect())
    }

    /// Marks the roles that a script made, so that the next replay can drop them should this one be killed.
    pub async fn mark_roles(&mut self) -> Result<(), DatabaseError> {
        let unmarked =
            format!("WHERE pg_catalog.shobj_description(oid, 'pg_authid') IS DISTINCT FROM '{}'", self.name);
        let opened = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        for role in self.made(&unmarked).await.map_err(opened)? {
            let sql = format!("COMMENT ON ROLE {} IS '{}'", identifier(&role), self.name);
            self.execute(sql).await.map_err(opened)?;
        }
        Ok(())
    }

    async fn drop_roles(&mut self, roles: Vec<String>) -> Result<(), DatabaseError> {
        if roles.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = roles.iter().map(|role| identifier(role)).collect();
        let dropped = self.execute(format!("DROP ROLE {}", names.join(", "))).await;
        dropped.map_err(|error| DatabaseError::RolesLeft { roles, source: failure(&error) })
    }

    /// Drops the database and the roles that were made since. Grants to them go with the database.
    async fn drop_all(mut self) -> Result<(), DatabaseError> {
        let opened = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        if let Err(error) = self.execute(sql.clone()).await {
            if answer(&error).is_some() {
                return Err(opened(error));
            }
            self.connection = self.connect.connect().await.map_err(opened)?;
            self.execute(sql).await.map_err(opened)?;
        }
        let made = self.made("").await.map_err(opened)?;
        self.drop_roles(made).await?;
        self.connection.close().await.ok();
        Ok(())
    }
}

impl Postgres {
    /// Creates a database with a random name on the server of `url`, in the encoding and locale of the database
    /// that it names, and opens it. What replays that were killed left behind is dropped first.
    ///
    /// # Errors
    /// As [`Postgres::open`]; [`DatabaseError::TooPowerful`]; [`DatabaseError::OtherReplay`]; also when this user may
    /// create none.
    pub async fn create_scratch(url: &str, options: Options) -> Result<Self, DatabaseError> {
        let connect = connect_options(url, options)?;
        let opened = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)
            .map_err(|_| DatabaseError::Open(Failure::Driver("there is no randomness for a name")))?;
        let name = format!("{PREFIX}{}", data_encoding::HEXLOWER.encode(&bytes));
        let mut beside = Beside::connect(connect, name).await.map_err(opened)?;
        require_modest(&mut beside.connection).await?;
        beside.drop_abandoned().await.map_err(opened)?;
        beside.begin_roles().await?;
        let sql = create(&mut beside.connection, &beside.name).await.map_err(opened)?;
        beside.execute(sql).await.map_err(opened)?;
        let connect = beside.connect.clone().application_name("greffe").database(&beside.name);
        match Self::connect(connect).await {
            Ok(scratch) => Ok(Self { scratch: Some(Box::new(beside)), ..scratch }),
            Err(error) => {
                beside.drop_all().await.ok();
                Err(error)
            }
        }
    }

    /// Drops a database that [`Postgres::create_scratch`] made, with the roles that scripts made since; closes any
    /// other.
    ///
    /// # Errors
    /// [`DatabaseError::Open`] when it is still there; [`DatabaseError::RolesLeft`].
    pub async fn drop_scratch(mut self) -> Result<(), DatabaseError> {
        let scratch = self.scratch.take();
        self.close().await;
        match scratch {
            Some(beside) => beside.drop_all().await,
            None => Ok(()),
        }
    }

    /// The server's roles as they were before a scratch database was made; `None` where scripts can make none.
    #[must_use]
    pub fn roles_before(&self) -> Option<&BTreeSet<String>> {
        self.scratch.as_ref()?.roles.as_ref()
    }

    /// Whether nobody but greffe made anything here.
    ///
    /// # Errors
    /// [`DatabaseError::Schema`].
    pub async fn is_empty(&mut self) -> Result<bool, DatabaseError> {
        // Extensions that every database has from its template are older than any user's object.
        let made = |catalog: &str, schema: &str| {
            format!(
                "EXISTS (SELECT FROM pg_catalog.{catalog} WHERE oid >= 16384 AND {schema} NOT IN \
                 (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname IN ('pg_toast', 'greffe') \
                 OR nspname ~ '^pg_(toast_)?temp_'))"
            )
        };
        let sql = format!(
            "SELECT NOT ({} OR {} OR {} OR {} OR {} OR {} OR EXISTS (SELECT FROM pg_catalog.pg_event_trigger) \
             OR EXISTS (SELECT FROM pg_catalog.pg_publication) \
             OR EXISTS (SELECT FROM pg_catalog.pg_foreign_data_wrapper))",
            made("pg_class", "relnamespace"),
            made("pg_proc", "pronamespace"),
            made("pg_type", "typnamespace"),
            made("pg_operator", "oprnamespace"),
            made("pg_namespace", "oid"),
            made("pg_extension", "0"),
        );
        let empty = fetch_text(&mut self.connection, sql).await.map_err(|error| schema_error(&error))?;
        Ok(empty.as_deref() == Some("t"))
    }
}

/// Fails for a role whose scripts could reach more than their database: files and programs of the server, other
/// roles. A role that may make roles could have any but a superuser's rights before PostgreSQL 16.
async fn require_modest(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let sql = format!(
        "SELECT bool_or(rolsuper OR rolreplication OR rolbypassrls OR rolname IN \
         ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files', 'pg_read_all_data', \
         'pg_write_all_data', 'pg_signal_backend') OR rolcreaterole \
         AND pg_catalog.current_setting('server_version_num')::int4 < {ROLES_ARE_APART}) \
         FROM pg_catalog.pg_roles WHERE pg_catalog.pg_has_role(oid, 'MEMBER')"
    );
    let powerful = fetch_text(connection, sql).await;
    match powerful.map_err(|error| DatabaseError::Open(failure(&error)))?.as_deref() {
        Some("f") => Ok(()),
        _ => Err(DatabaseError::TooPowerful { may: "is a superuser or may act beyond its own databases" }),
    }
}

/// The statement that creates a database like the one of this connection.
async fn create(connection: &mut PgConnection, name: &str) -> Result<String, sqlx::Error> {
    let like = "SELECT pg_catalog.json_build_array(pg_catalog.pg_encoding_to_char(encoding), \
                pg_catalog.quote_literal(datcollate), pg_catalog.quote_literal(datctype)) \
                FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()";
    let (encoding, collate, ctype): (String, String, String) =
        fetch_json(connection, like.to_owned()).await?;
    Ok(format!(
        "CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE {collate} LC_CTYPE {ctype}"
    ))
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
