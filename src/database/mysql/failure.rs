//! What may be said of an error of server or driver: its number and SQLSTATE, never its text.

use sqlx::mysql::MySqlDatabaseError;

use crate::database::{DatabaseError, Failure};

/// The table does not exist.
pub const NO_SUCH_TABLE: u16 = 1146;
/// A statement was interrupted, which `KILL` does in two ways: with the connection or without it.
pub const INTERRUPTED: u16 = 1317;
/// What a rollback could not take back, for a table keeps no undo log.
pub const NOT_ROLLED_BACK: &str = "1196";

/// The server's own number of an error.
pub fn number(error: &sqlx::Error) -> Option<u16> {
    let sqlx::Error::Database(error) = error else { return None };
    error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

/// Whether the connection is gone or of no more use. What was sent last may have been done or not: the server did
/// not say.
pub fn is_lost(error: &sqlx::Error) -> bool {
    !matches!(failure(error), Failure::Server { .. })
}

pub fn history_error(error: sqlx::Error) -> DatabaseError {
    DatabaseError::History(failure(&error))
}

pub fn schema_error(error: sqlx::Error) -> DatabaseError {
    DatabaseError::Schema(failure(&error))
}

/// What may be said of an error. A code is the server's number and SQLSTATE, such as `1062/23000`.
pub fn failure(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<MySqlDatabaseError>() {
            Some(error) => server_failure(error.number(), error.code().unwrap_or("HY000")),
            None => Failure::Driver("an error of another driver"),
        },
        // What the TLS library says of a certificate.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Failure::Driver("no encrypted connection could be made: is the certificate the right one?")
        }
        sqlx::Error::Io(error) => Failure::Connection(error.kind().to_string()),
        sqlx::Error::Tls(_) => Failure::Driver("no encrypted connection could be made"),
        sqlx::Error::Configuration(_) => Failure::Driver(
            "the server asks for the password in a way that needs an encrypted connection, or the driver does not \
             know it",
        ),
        sqlx::Error::Protocol(_) => Failure::Driver("an answer that it does not understand"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            Failure::Driver("a value has another type")
        }
        _ => Failure::Driver("an unexpected error"),
    }
}

fn server_failure(number: u16, state: &str) -> Failure {
    let code = format!("{number}/{state}");
    // Shutdown, a killed connection, a session that was idle too long, and the class of SQLSTATE for connections.
    let is_lost = matches!(number, 1053 | 1079 | 1927 | 3169 | 4031) || state.starts_with("08");
    if is_lost {
        return Failure::Connection(format!("the server ended it, code {code}"));
    }
    Failure::Server { code, hint: hint(number), object: None, position: None }
}

/// Words for the server's numbers that people meet; MariaDB and MySQL share those below 1900.
fn hint(number: u16) -> Option<&'static str> {
    Some(match number {
        1005 => "a table could not be created",
        1021 | 1041 | 1114 => "the server is out of space",
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 => "access denied",
        1048 | 1364 => "a value is missing",
        1049 => "there is no such database",
        1050 => "a table of that name exists",
        1051 | 1146 => "there is no such table",
        1054 => "there is no such column",
        1060 => "a column of that name exists",
        1061 => "an index of that name exists",
        1062 => "a value exists already and has to be unique",
        1064 => "SQL that the server does not understand",
        1091 => "there is no such column or index to drop",
        1153 => "a statement is longer than max_allowed_packet",
        1205 => "a lock was not given in time",
        1213 => "a deadlock",
        1264 => "a number is out of range",
        1265 | 1292 | 1366 => "a value does not fit its type",
        1290 | 1792 | 1836 => "the server or the connection may only read",
        1305 => "there is no such routine",
        INTERRUPTED => "interrupted",
        1406 => "a value is too long",
        1418 | 1419 => "the server's binary log asks for log_bin_trust_function_creators",
        1216 | 1217 | 1451 | 1452 => "a foreign key refers to no row",
        1969 | 3024 => "the statement ran longer than it may",
        3819 => "a constraint failed",
        4025 => "a constraint failed",
        _ => return None,
    })
}
