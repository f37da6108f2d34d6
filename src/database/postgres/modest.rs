//! What a role may do that scripts of others run as: nothing outside of the databases that a replay makes.

use sqlx::postgres::PgConnection;

use super::failure::failure;
use super::session::fetch_json;
use crate::database::DatabaseError;

/// From here on a role that may make roles can change those alone which it made.
const ROLES_ARE_APART: u32 = 160_000;

/// Fails for a role whose scripts could reach more than databases that are named like replays': files and programs of
/// the server, other databases, other roles. A role that may make roles could have any but a superuser's rights before
/// PostgreSQL 16. Being a member counts, whether or not the rights come by themselves: a script can take them.
///
/// # Errors
/// [`DatabaseError::TooPowerful`]; [`DatabaseError::Open`] when the server does not tell.
pub async fn require_modest(connection: &mut PgConnection, prefix: &str) -> Result<(), DatabaseError> {
    // Everybody who owns a database is a member of `pg_database_owner` there; owning is looked at by itself.
    let sql = format!(
        "SELECT pg_catalog.json_build_array( \
         (SELECT coalesce(bool_or(rolsuper OR rolreplication OR rolbypassrls \
             OR rolname ~ '^pg_' AND rolname <> 'pg_database_owner' OR rolcreaterole \
             AND pg_catalog.current_setting('server_version_num')::int4 < {ROLES_ARE_APART}), true) \
             FROM pg_catalog.pg_roles WHERE pg_catalog.pg_has_role(oid, 'MEMBER')), \
         EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname !~ '^{prefix}[0-9a-f]{{16}}$' \
             AND pg_catalog.pg_has_role(datdba, 'MEMBER')) \
         OR EXISTS (SELECT FROM pg_catalog.pg_tablespace WHERE pg_catalog.pg_has_role(spcowner, 'MEMBER')), \
         EXISTS (SELECT FROM pg_catalog.pg_database, pg_catalog.aclexplode(datacl) AS a \
             WHERE datname !~ '^{prefix}[0-9a-f]{{16}}$' AND a.is_grantable \
             AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'MEMBER'))))"
    );
    let told = fetch_json(connection, sql).await;
    let (powerful, owns, grants): (bool, bool, bool) =
        told.map_err(|error| DatabaseError::Open(failure(&error)))?;
    let may = match (powerful, owns, grants) {
        (true, ..) => "is a superuser or may act beyond its own databases",
        (_, true, _) => "owns databases or tablespaces of the server",
        (_, _, true) => "may grant rights on databases of the server",
        _ => return Ok(()),
    };
    Err(DatabaseError::TooPowerful { may })
}
