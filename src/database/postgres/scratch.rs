//! Databases for a replay: made beside the one that a URL names, and dropped after.
//!
//! A connection beside the new database bears the database's name as its own for as long as the replay runs. A
//! database without a session in it and without one of its name was left behind by a run that is dead, and is dropped
//! by the next one.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::failure::{answer, failure, schema_error};
use super::guard::OwnRole;
use super::made_roles::{ALL, MadeRoles, identifier, take_rights};
use super::modest::require_modest;
use super::session::{connect_options, fetch_json, fetch_text};
use super::{Options, Postgres, Target as _};
use crate::database::limit::in_time;
use crate::database::{DatabaseError, Failure};

/// Every server has it, unless someone dropped it.
const MAINTENANCE: &str = "postgres";
const PREFIX: &str = "greffe_replay_";

/// What a scratch database was made by.
pub struct Beside {
    pub connect: PgConnectOptions,
    pub connection: PgConnection,
    name: String,
    /// How long a script may run.
    pub limit: Duration,
    /// The roles that scripts make; `None` where they can make none.
    roles: Option<MadeRoles>,
    /// The role that scripts run as, as it was before.
    pub own_role: OwnRole,
    pub notes: Vec<String>,
}

impl Beside {
    /// Connects under the name of a database that is to be made.
    async fn connect(connect: PgConnectOptions, name: String, limit: Duration) -> Result<Self, sqlx::Error> {
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
        let own_role = OwnRole::read(&mut connection).await?;
        Ok(Self { connect, connection, name, limit, roles: None, own_role, notes: Vec::new() })
    }

    async fn execute(&mut self, sql: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await.map(drop)
    }

    /// Drops databases whose runs are dead, as far as this role may, and notes which could not be dropped.
    async fn drop_abandoned(&mut self) -> Result<(), sqlx::Error> {
        let sql = format!(
            "SELECT coalesce(pg_catalog.json_agg(datname), '[]') FROM pg_catalog.pg_database AS d \
             WHERE datname ~ '^{PREFIX}[0-9a-f]{{16}}$' AND pg_catalog.pg_has_role(datdba, 'MEMBER') \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a \
             WHERE a.datname = d.datname OR a.application_name = d.datname::text)"
        );
        let names: Vec<String> = fetch_json(&mut self.connection, sql).await?;
        for name in names {
            self.make_droppable(&name).await;
            // Without force: it is not dropped when someone uses it after all.
            if let Err(error) = self.execute(format!("DROP DATABASE IF EXISTS {name}")).await {
                let failure = failure(&error);
                self.notes.push(format!(
                    "an earlier replay left the database {name}, which cannot be dropped ({failure}): look at who uses \
                     and owns it, then run `DROP DATABASE {name}`"
                ));
            }
        }
        Ok(())
    }

    /// Takes back what a script may have done to keep the database from being dropped, as far as it did.
    async fn make_droppable(&mut self, name: &str) {
        let sql = format!(
            "SELECT coalesce(pg_catalog.json_agg(rolname), '[]') FROM pg_catalog.pg_roles JOIN pg_catalog.pg_database \
             ON datdba = pg_roles.oid WHERE datname = '{name}' AND rolname <> session_user"
        );
        let owners: Vec<String> = fetch_json(&mut self.connection, sql).await.unwrap_or_default();
        for owner in owners {
            take_rights(&mut self.connection, &identifier(&owner)).await;
            self.execute(format!("ALTER DATABASE {name} OWNER TO SESSION_USER")).await.ok();
        }
        let sql = format!(
            "SELECT pg_catalog.to_json(datistemplate OR NOT datallowconn OR datconnlimit <> -1) \
             FROM pg_catalog.pg_database WHERE datname = '{name}'"
        );
        if fetch_json(&mut self.connection, sql).await.unwrap_or(true) {
            let sql =
                format!("ALTER DATABASE {name} IS_TEMPLATE false ALLOW_CONNECTIONS true CONNECTION LIMIT -1");
            self.execute(sql).await.ok();
        }
    }

    /// Numbers of the server's roles; none where scripts can make none.
    pub async fn roles_seen(&mut self) -> Result<BTreeSet<i64>, DatabaseError> {
        let seen = match self.roles {
            Some(_) => fetch_json(&mut self.connection, ALL.to_owned()).await,
            None => Ok(BTreeSet::new()),
        };
        seen.map_err(|error| DatabaseError::Open(failure(&error)))
    }

    /// Numbers of the roles that the transaction of `scripts` made: it sees them, and nobody else does yet.
    pub async fn roles_made_in(
        &mut self,
        scripts: &mut PgConnection,
    ) -> Result<BTreeSet<i64>, DatabaseError> {
        if self.roles.is_none() {
            return Ok(BTreeSet::new());
        }
        let there: Result<BTreeSet<i64>, _> = fetch_json(scripts, ALL.to_owned()).await;
        let there = there.map_err(|error| schema_error(&error))?;
        let seen = self.roles_seen().await?;
        Ok(there.difference(&seen).copied().collect())
    }

    /// Marks roles that a script made, so that the next replay can drop them should this one be killed.
    pub async fn mark_roles(&mut self, appeared: BTreeSet<i64>) -> Result<(), DatabaseError> {
        match &mut self.roles {
            Some(roles) => roles.mark(&mut self.connection, (&self.name, appeared)).await,
            None => Ok(()),
        }
    }

    /// Drops the database and the roles that scripts made. Grants to them go with the database.
    async fn drop_all(mut self) -> Result<(), DatabaseError> {
        let opened = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        let name = self.name.clone();
        self.make_droppable(&name).await;
        let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let mut dropped = self.execute(sql.clone()).await;
        if dropped.as_ref().is_err_and(|error| answer(error).is_none()) {
            self.connection = self.connect.connect().await.map_err(opened)?;
            self.make_droppable(&name).await;
            dropped = self.execute(sql).await;
        }
        let roles = match self.roles.take() {
            Some(roles) => roles.drop_made(&mut self.connection).await,
            None => Ok(()),
        };
        let own = OwnRole::require_login(&self.connect).await;
        in_time(self.connection.close()).await;
        dropped.map_err(opened).and(roles).and(own)
    }
}

impl Postgres {
    /// Creates a database with a random name on the server of `url`, in the encoding and locale of the database
    /// that it names, and opens it. What replays that were killed left behind is dropped first.
    ///
    /// # Errors
    /// As [`Postgres::open`]; [`DatabaseError::TooPowerful`]; [`DatabaseError::Administers`];
    /// [`DatabaseError::OtherReplay`]; also when this user may create none.
    pub async fn create_scratch(url: &str, options: Options) -> Result<Self, DatabaseError> {
        let connect = connect_options(url, options)?;
        let opened = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)
            .map_err(|_| DatabaseError::Open(Failure::Driver("there is no randomness for a name")))?;
        let name = format!("{PREFIX}{}", data_encoding::HEXLOWER.encode(&bytes));
        let mut beside = Beside::connect(connect, name, options.script_limit()).await.map_err(opened)?;
        require_modest(&mut beside.connection, PREFIX).await?;
        beside.drop_abandoned().await.map_err(opened)?;
        beside.roles = MadeRoles::begin(&mut beside.connection, PREFIX, &mut beside.notes).await?;
        let sql = create(&mut beside.connection, &beside.name).await.map_err(opened)?;
        beside.execute(sql).await.map_err(opened)?;
        let connect = beside.connect.clone().application_name("greffe").database(&beside.name);
        let opened = async {
            let mut opened = Self::connect(connect).await?;
            opened.be_ready_for_scripts().await.map(|()| opened)
        };
        match opened.await {
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
    /// [`DatabaseError::Open`] when it is still there; [`DatabaseError::RolesLeft`]; [`DatabaseError::PasswordChanged`].
    pub async fn drop_scratch(mut self) -> Result<(), DatabaseError> {
        let scratch = self.scratch.take();
        in_time(self.close()).await;
        match scratch {
            Some(beside) => beside.drop_all().await,
            None => Ok(()),
        }
    }

    /// The server's roles as they were before a scratch database was made; `None` where scripts can make none.
    #[must_use]
    pub fn roles_before(&self) -> Option<&BTreeSet<String>> {
        Some(&self.scratch.as_ref()?.roles.as_ref()?.names)
    }

    /// Whom scripts run as.
    #[must_use]
    pub fn session_user(&self) -> &str {
        &self.session.state.session_user
    }

    /// What was met that kept no script from running. Each is told once.
    pub fn take_notes(&mut self) -> Vec<String> {
        self.scratch.as_mut().map(|beside| std::mem::take(&mut beside.notes)).unwrap_or_default()
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
