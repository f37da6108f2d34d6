//! Roles that scripts of a replay make. They belong to the whole server, so they are told apart by their numbers, which
//! a name that was changed does not touch; they bear the name of the replay as a comment from when they appear, and
//! are dropped with its database.
//!
//! Those that were there before, and those that another program makes meanwhile, are never dropped.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::failure::failure;
use super::session::{fetch_json, fetch_text};
use crate::database::DatabaseError;

/// Roles that this one may change: that it made, and those which they made.
const MADE: &str = "WITH RECURSIVE made (oid) AS ( \
    SELECT roleid FROM pg_catalog.pg_auth_members WHERE admin_option AND member = \
        (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user) \
    UNION SELECT m.roleid FROM pg_catalog.pg_auth_members AS m JOIN made ON m.member = made.oid WHERE m.admin_option) \
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(oid::int8, rolname) ORDER BY rolname), '[]') \
    FROM pg_catalog.pg_roles AS r JOIN made USING (oid)";
/// The numbers of all roles that a connection sees.
pub const ALL: &str = "SELECT coalesce(pg_catalog.json_agg(oid::int8), '[]') FROM pg_catalog.pg_roles";

/// A role: its number and its name.
type Role = (i64, String);

/// The roles of a server as a replay may make some.
pub struct MadeRoles {
    /// Names that there were before.
    pub names: BTreeSet<String>,
    /// Numbers that there were before.
    before: BTreeSet<i64>,
    /// Numbers of those that scripts made.
    made: BTreeSet<i64>,
}

impl MadeRoles {
    /// Notes the roles that there are, and drops those that an earlier replay left; adds to `notes` which are still
    /// there. `None` where scripts can make none.
    ///
    /// # Errors
    /// [`DatabaseError::OtherReplay`], for two replays of one role could not tell apart whose an abandoned role is;
    /// [`DatabaseError::Administers`]; [`DatabaseError::Open`].
    pub async fn begin(
        connection: &mut PgConnection,
        prefix: &str,
        notes: &mut Vec<String>,
    ) -> Result<Option<Self>, DatabaseError> {
        let opened = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        let unmarked = format!(
            "{MADE} WHERE pg_catalog.shobj_description(oid, 'pg_authid') IS NULL \
             OR pg_catalog.shobj_description(oid, 'pg_authid') !~ '^{prefix}'"
        );
        let others: Vec<Role> = fetch_json(connection, unmarked).await.map_err(opened)?;
        if !others.is_empty() {
            let roles = others.into_iter().map(|(_, name)| name).collect();
            return Err(DatabaseError::Administers { roles });
        }
        let may = "SELECT bool_or(rolcreaterole) FROM pg_catalog.pg_roles \
                   WHERE pg_catalog.pg_has_role(oid, 'MEMBER')";
        if fetch_text(connection, may.to_owned()).await.map_err(opened)?.as_deref() != Some("t") {
            return Ok(None);
        }
        let others = format!(
            "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE usename = session_user \
             AND pid <> pg_catalog.pg_backend_pid() \
             AND (application_name ~ '^{prefix}' OR datname::text ~ '^{prefix}')"
        );
        if fetch_text(connection, others).await.map_err(opened)?.as_deref() != Some("0") {
            return Err(DatabaseError::OtherReplay);
        }
        let left: Vec<Role> = fetch_json(connection, MADE.to_owned()).await.map_err(opened)?;
        let left = drop_roles(connection, left.iter().map(|(number, _)| *number).collect()).await;
        notes.extend(left.map_err(opened)?.into_iter().map(|(name, code)| {
            let name = identifier(&name);
            format!(
                "an earlier replay left the role {name}, which cannot be dropped ({code}): in each database where \
                 it has rights run `DROP OWNED BY {name}`, then `DROP ROLE {name}`"
            )
        }));
        let all = "SELECT pg_catalog.json_agg(pg_catalog.json_build_array(oid::int8, rolname)) \
                   FROM pg_catalog.pg_roles";
        let all: Vec<Role> = fetch_json(connection, all.to_owned()).await.map_err(opened)?;
        let (before, names) = all.into_iter().unzip();
        Ok(Some(Self { names, before, made: BTreeSet::new() }))
    }

    /// Marks roles that a script made: those of `appeared` that were not there before.
    pub async fn mark(
        &mut self,
        connection: &mut PgConnection,
        (mark, appeared): (&str, BTreeSet<i64>),
    ) -> Result<(), DatabaseError> {
        let opened = |error: sqlx::Error| DatabaseError::Open(failure(&error));
        self.made.extend(appeared.difference(&self.before));
        if self.made.is_empty() {
            return Ok(());
        }
        let unmarked = format!(
            "{MADE} WHERE oid::int8 IN ({}) AND pg_catalog.shobj_description(oid, 'pg_authid') \
             IS DISTINCT FROM '{mark}'",
            list(&self.made)
        );
        let unmarked: Vec<Role> = fetch_json(connection, unmarked).await.map_err(opened)?;
        for (_, role) in unmarked {
            let sql = format!("COMMENT ON ROLE {} IS '{mark}'", identifier(&role));
            execute(connection, sql).await.map_err(opened)?;
        }
        Ok(())
    }

    /// Drops the roles that scripts made.
    ///
    /// # Errors
    /// [`DatabaseError::RolesLeft`]; [`DatabaseError::Open`].
    pub async fn drop_made(self, connection: &mut PgConnection) -> Result<(), DatabaseError> {
        let left = drop_roles(connection, self.made).await;
        let left = left.map_err(|error| DatabaseError::Open(failure(&error)))?;
        let Some((_, source)) = left.first().cloned() else { return Ok(()) };
        Err(DatabaseError::RolesLeft { roles: left.into_iter().map(|(name, _)| name).collect(), source })
    }
}

/// Roles that are still there, and why.
type Left = Vec<(String, crate::database::Failure)>;

/// Drops roles by their numbers, under whatever names they have now. What was granted to them is taken back first
/// where nothing else helps.
async fn drop_roles(connection: &mut PgConnection, numbers: BTreeSet<i64>) -> Result<Left, sqlx::Error> {
    if numbers.is_empty() {
        return Ok(Left::new());
    }
    let named = format!(
        "SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(oid::int8, rolname) ORDER BY rolname), '[]') \
         FROM pg_catalog.pg_roles WHERE oid::int8 IN ({})",
        list(&numbers)
    );
    let roles: Vec<Role> = fetch_json(connection, named.clone()).await?;
    if roles.is_empty() {
        return Ok(Left::new());
    }
    let names: Vec<String> = roles.iter().map(|(_, name)| identifier(name)).collect();
    if execute(connection, format!("DROP ROLE {}", names.join(", "))).await.is_ok() {
        return Ok(Left::new());
    }
    for name in &names {
        take_rights(connection, name).await;
        execute(connection, format!("DROP OWNED BY {name}")).await.ok();
    }
    if execute(connection, format!("DROP ROLE {}", names.join(", "))).await.is_ok() {
        return Ok(Left::new());
    }
    let mut left = Left::new();
    for (_, name) in roles {
        if let Err(error) = execute(connection, format!("DROP ROLE {}", identifier(&name))).await {
            left.push((name, failure(&error)));
        }
    }
    Ok(left)
}

/// Takes the rights of a role that this one made.
pub async fn take_rights(connection: &mut PgConnection, role: &str) {
    execute(connection, format!("GRANT {role} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE")).await.ok();
}

fn list(numbers: &BTreeSet<i64>) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    numbers.join(", ")
}

async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// A name as SQL writes it.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
