//! Databases for a replay: made beside the one that a URL names, and dropped after.

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};

use super::failure::{failure, schema_error};
use super::session::{connect_options, fetch_json, fetch_text};
use super::{Options, Postgres, Target as _};
use crate::database::{DatabaseError, Failure};

/// Every server has it, unless someone dropped it.
const MAINTENANCE: &str = "postgres";

impl Postgres {
    /// Creates a database with a random name on the server of `url`, in the encoding and locale of the database
    /// that it names, and opens it.
    ///
    /// # Errors
    /// As [`Postgres::open`]; [`DatabaseError::TooPowerful`]; also when this user may create none.
    pub async fn create_scratch(url: &str, options: Options) -> Result<Self, DatabaseError> {
        let mut beside = connect_options(url, options)?;
        let opened = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        let mut connection = match beside.connect().await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("3D000") => {
                beside = beside.database(MAINTENANCE);
                beside.connect().await.map_err(opened)?
            }
            connection => connection.map_err(opened)?,
        };
        require_modest(&mut connection).await?;
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)
            .map_err(|_| DatabaseError::Open(Failure::Driver("there is no randomness for a name")))?;
        let name = format!("greffe_replay_{}", data_encoding::HEXLOWER.encode(&bytes));
        let sql = create(&mut connection, &name).await.map_err(opened)?;
        let created = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await;
        created.map_err(opened)?;
        connection.close().await.ok();
        match Self::connect(beside.clone().database(&name)).await {
            Ok(scratch) => Ok(Self { scratch: Some((beside, name)), ..scratch }),
            Err(error) => {
                drop_database(&beside, &name).await.ok();
                Err(error)
            }
        }
    }

    /// Drops a database that [`Postgres::create_scratch`] made; closes any other.
    ///
    /// # Errors
    /// [`DatabaseError::Open`] when it is still there.
    pub async fn drop_scratch(mut self) -> Result<(), DatabaseError> {
        let scratch = self.scratch.take();
        self.close().await;
        let Some((beside, name)) = scratch else { return Ok(()) };
        drop_database(&beside, &name).await.map_err(|error| DatabaseError::Open(failure(&error)))
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
/// roles.
async fn require_modest(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let sql = "SELECT bool_or(rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls OR rolname IN \
               ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files', 'pg_read_all_data', \
                'pg_write_all_data', 'pg_signal_backend')) FROM pg_catalog.pg_roles \
               WHERE pg_catalog.pg_has_role(current_user, oid, 'MEMBER')";
    let powerful = fetch_text(connection, sql.to_owned()).await;
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

async fn drop_database(beside: &sqlx::postgres::PgConnectOptions, name: &str) -> Result<(), sqlx::Error> {
    let mut connection = beside.connect().await?;
    let sql = sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    sqlx::raw_sql(sql).execute(&mut connection).await?;
    connection.close().await
}
