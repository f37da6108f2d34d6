//! Who defines what and who may do what in the database: no part of the fingerprint.
//!
//! A user sees their own grants; those of others show to who may read the tables of the system. Grants on routines
//! stand only there, so they are left out for who may not.

use sqlx::mysql::MySqlConnection;

use super::super::failure::{number, schema_error};
use super::super::rows::text as literal;
use super::{Line, OWN, answers};
use crate::database::{DatabaseError, Grants};

/// Definers of views, triggers, routines and events; grants on the database, its tables and columns.
const LINES: &str = "\
    SELECT 'definer', 'view', TABLE_NAME, DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {db}; \
    SELECT 'definer', 'trigger', TRIGGER_NAME, DEFINER FROM information_schema.TRIGGERS \
        WHERE TRIGGER_SCHEMA = {db}; \
    SELECT 'definer', LOWER(ROUTINE_TYPE), ROUTINE_NAME, DEFINER FROM information_schema.ROUTINES \
        WHERE ROUTINE_SCHEMA = {db}; \
    SELECT 'definer', 'event', EVENT_NAME, DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {db}; \
    SELECT 'grant', 'database', '', GRANTEE, PRIVILEGE_TYPE, IS_GRANTABLE \
        FROM information_schema.SCHEMA_PRIVILEGES WHERE {db} LIKE TABLE_SCHEMA; \
    SELECT 'grant', 'table', TABLE_NAME, GRANTEE, PRIVILEGE_TYPE, IS_GRANTABLE \
        FROM information_schema.TABLE_PRIVILEGES WHERE TABLE_SCHEMA = {db}; \
    SELECT 'grant', 'column', CONCAT(TABLE_NAME, '.', COLUMN_NAME), GRANTEE, PRIVILEGE_TYPE, IS_GRANTABLE \
        FROM information_schema.COLUMN_PRIVILEGES WHERE TABLE_SCHEMA = {db}";
const ROUTINES: &str = "\
    SELECT 'grant', LOWER(Routine_type), Routine_name, CONCAT('''', User, '''@''', Host, ''''), Proc_priv \
        FROM mysql.procs_priv WHERE Db = {db}";

pub async fn read(connection: &mut MySqlConnection, database: &str) -> Result<Grants, DatabaseError> {
    let of = |sql: &str| sql.replace("{db}", &literal(database));
    let mut lines = answers(&mut *connection, of(LINES)).await.map_err(schema_error)?;
    match answers(connection, of(ROUTINES)).await {
        Ok(routines) => lines.extend(routines),
        // Access denied.
        Err(error) if matches!(number(&error), Some(1044 | 1142 | 1143)) => {}
        Err(error) => return Err(schema_error(error)),
    }
    let foreign = lines.into_iter().flatten().filter(|line| !is_own(line));
    Ok(Grants::new(foreign.map(|line| serde_json::json!(line).to_string()).collect()))
}

fn is_own(line: &Line) -> bool {
    line.get(2).and_then(Option::as_deref).is_some_and(|name| OWN.contains(&name))
}
