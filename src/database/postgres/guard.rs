//! What holds for scripts of others: they end in time, and the role that they run as stays what it was.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::Postgres;
use super::failure::failure;
use super::made_roles::identifier;
use super::rows::literal;
use super::session::fetch_json;
use crate::database::limit::{Urge, in_time, within};
use crate::database::rows::Value;
use crate::database::{DatabaseError, Failure, Step, StepOutcome};
use crate::model::Timestamp;

/// Settings of a role, for one database or for all, such as `work_mem=4MB`.
type Settings = BTreeSet<(Option<String>, Vec<String>)>;

/// What everybody may change of their own role, but for the password, which nobody sees.
pub struct OwnRole(Settings);

impl OwnRole {
    pub async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let sql = "SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(d.datname, s.setconfig)), '[]') \
                   FROM pg_catalog.pg_db_role_setting AS s \
                   LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase \
                   JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole WHERE r.rolname = session_user";
        fetch_json(connection, sql.to_owned()).await.map(Self)
    }

    /// Statements that make the role what it was, from what it is `now`.
    fn restore(&self, now: &Self) -> String {
        let alter = |database: &Option<String>| match database {
            Some(name) => format!("ALTER ROLE SESSION_USER IN DATABASE {}", identifier(name)),
            None => "ALTER ROLE SESSION_USER".to_owned(),
        };
        let mut sql = "BEGIN; ".to_owned();
        for (database, _) in &now.0 {
            sql.push_str(&format!("{} RESET ALL; ", alter(database)));
        }
        for (database, settings) in &self.0 {
            for (name, value) in settings.iter().filter_map(|setting| setting.split_once('=')) {
                sql.push_str("SELECT pg_catalog.set_config(");
                literal(&mut sql, &Value::Text(name.into()));
                sql.push_str(", ");
                literal(&mut sql, &Value::Text(value.into()));
                let name: Vec<String> = name.split('.').map(identifier).collect();
                sql.push_str(&format!(", true); {} SET {} FROM CURRENT; ", alter(database), name.join(".")));
            }
        }
        sql + "COMMIT"
    }

    /// Fails when the role cannot log in any more as it did.
    ///
    /// # Errors
    /// [`DatabaseError::PasswordChanged`].
    pub async fn require_login(connect: &PgConnectOptions) -> Result<(), DatabaseError> {
        match connect.connect().await {
            Ok(connection) => {
                in_time(connection.close()).await;
                Ok(())
            }
            Err(sqlx::Error::Database(error))
                if error.code().is_some_and(|code| ["28P01", "28000"].contains(&&*code)) =>
            {
                Err(DatabaseError::PasswordChanged)
            }
            // That the server takes no more connections says nothing of the role.
            Err(_) => Ok(()),
        }
    }
}

/// Ends a script from a connection of its own.
struct Watch {
    connect: PgConnectOptions,
    process: i64,
    limit: Duration,
}

impl Watch {
    async fn end(&self, urge: Urge) {
        let what = if urge == Urge::Statement { "cancel" } else { "terminate" };
        let Ok(mut connection) = self.connect.connect().await else { return };
        let sql = format!("SELECT pg_catalog.pg_{what}_backend({})", self.process);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.ok();
        in_time(connection.close()).await;
    }
}

impl Postgres {
    /// Runs a script, and ends it in time where it is one of others.
    pub(super) async fn run_guarded(
        &mut self,
        step: &Step,
        following: Option<&Step>,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<StepOutcome, DatabaseError> {
        let Some(beside) = &self.scratch else { return self.run_step(step, following, clock).await };
        let watch =
            Watch { connect: beside.connect.clone(), process: self.session.process, limit: beside.limit };
        let work = self.run_step(step, following, clock);
        let outcome = within(watch.limit, work, async |urge| watch.end(urge).await).await;
        if self.restore_role().await? && outcome.is_ok() {
            let failure = Failure::Driver("the script changed the role that it runs as");
            let statement = step.statements.len() as u64;
            return Ok(StepOutcome::Failed { failure, statement, partial: false, leftovers: Vec::new() });
        }
        outcome
    }

    /// Whether a script changed the role that it runs as; its settings are made what they were.
    async fn restore_role(&mut self) -> Result<bool, DatabaseError> {
        let opened = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        let Some(beside) = &mut self.scratch else { return Ok(false) };
        let now = OwnRole::read(&mut beside.connection).await.map_err(opened)?;
        if now.0 == beside.own_role.0 {
            return Ok(false);
        }
        let sql = beside.own_role.restore(&now);
        let restored = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut beside.connection).await;
        beside.notes.push(match restored {
            Ok(_) => "a script changed settings of the role that it ran as; they were put back".to_owned(),
            Err(error) => {
                sqlx::raw_sql("ROLLBACK").execute(&mut beside.connection).await.ok();
                let failure = failure(&error);
                format!("a script changed settings of the role that it ran as, which stay ({failure})")
            }
        });
        Ok(true)
    }
}
