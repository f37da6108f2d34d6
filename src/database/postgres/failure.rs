//! What may be said of a server's error: its code, the objects and the place that it names; never its text,
//! which has values of rows.

use sqlx::postgres::{PgDatabaseError, PgErrorPosition, PgSeverity};

use crate::database::{DatabaseError, Failure};

/// An error that the server answered with, if it goes on serving the connection.
pub fn answer(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    let sqlx::Error::Database(error) = error else { return None };
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    (!ends_connection(error)).then_some(error)
}

fn ends_connection(error: &PgDatabaseError) -> bool {
    matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
}

pub fn failure(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => of_server(error),
            None => Failure::Driver("an unexpected error"),
        },
        sqlx::Error::Io(error) => Failure::Connection(error.kind().to_string()),
        sqlx::Error::Tls(_) => Failure::Connection("TLS could not be agreed on".to_owned()),
        sqlx::Error::Protocol(_) => Failure::Driver("the server sent what the driver does not expect"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            Failure::Driver("a value has another type")
        }
        _ => Failure::Driver("an unexpected error"),
    }
}

/// The same for a connection that was in use: what ends it is a failure of the connection.
pub fn failure_in_use(error: &sqlx::Error) -> Failure {
    match failure(error) {
        Failure::Server { code, .. } if answer(error).is_none() => {
            Failure::Connection(format!("the server ended it with code {code}"))
        }
        failure => failure,
    }
}

pub fn history_error(error: &sqlx::Error) -> DatabaseError {
    DatabaseError::History(failure_in_use(error))
}

pub fn schema_error(error: &sqlx::Error) -> DatabaseError {
    DatabaseError::Schema(failure_in_use(error))
}

fn of_server(error: &PgDatabaseError) -> Failure {
    let position = match error.position() {
        Some(PgErrorPosition::Original(position)) => u64::try_from(position).ok(),
        _ => None,
    };
    Failure::Server {
        code: error.code().to_owned(),
        hint: hint(error.code()),
        object: object(error),
        position,
    }
}

fn object(error: &PgDatabaseError) -> Option<String> {
    let within = |name: Option<&str>| {
        let name = name?;
        Some(error.schema().map(|schema| format!("{schema}.")).unwrap_or_default() + name)
    };
    let owner = within(error.table()).or_else(|| within(error.data_type()));
    let part = error
        .constraint()
        .map(|name| format!("constraint {name}"))
        .or_else(|| error.column().map(|name| format!("column {name}")));
    match (part, owner) {
        (Some(part), Some(owner)) => Some(format!("{part} of {owner}")),
        (part, owner) => part.or(owner),
    }
}

/// Words for SQLSTATEs (postgresql.org/docs/current/errcodes-appendix.html), or for their class.
fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "23502" => "a value is missing where none may be",
        "23503" => "a foreign key refers to no row",
        "23505" => "a value is there twice that has to be unique",
        "23514" => "a check failed",
        "23P01" => "rows exclude each other",
        "25001" => "it cannot run inside a transaction",
        "28P01" => "the password is wrong",
        "3D000" => "there is no such database",
        "3F000" => "there is no such schema",
        "40001" => "other transactions were in the way",
        "40P01" => "deadlock",
        "42501" => "permission denied",
        "42601" => "syntax error",
        "42701" | "42710" | "42723" | "42P06" | "42P07" => "the object exists already",
        "42703" => "there is no such column",
        "42704" => "there is no such object",
        "42883" => "there is no such function",
        "42P01" => "there is no such table",
        "53300" => "the server has no connection left",
        "55P03" => "a lock was not to be had in time",
        "57014" => "it was cancelled or took too long",
        "57P01" | "57P02" => "the server shuts down or ended the session",
        "57P03" => "the server starts or shuts down",
        _ => return hint_of_class(code.get(..2)?),
    })
}

fn hint_of_class(class: &str) -> Option<&'static str> {
    Some(match class {
        "08" => "the connection failed",
        "22" => "a value cannot be used",
        "23" => "a constraint failed",
        "25" => "not in this state of the transaction",
        "28" => "the server refuses this user",
        "42" => "SQL error or missing object",
        "53" => "the server is out of a resource",
        "54" => "a limit of the server",
        "P0" => "raised by the script or a function",
        _ => return None,
    })
}
