//! Finds what reaches beyond the database that a script runs in.

use super::kind;
use super::lexer::{Lexer, TokenKind};
use super::statement::{Reading, borrowed};
use crate::scripts::statement::is_one_of;

/// The first such statement's offset. Statements in routines, and those that a text puts together, are not seen.
pub fn outside(sql: &str) -> Option<usize> {
    let mut lexer = Lexer::new(sql);
    let found = std::iter::from_fn(|| Reading::next(&mut lexer)).find(|reading| {
        let words = reading.words();
        let hidden = reading.segments.iter().any(|segment| {
            let words = kind::words(segment.iter().map(|token| token.kind));
            reaches(&borrowed(&words))
        });
        hidden || reaches(&borrowed(&words))
    });
    found.map(|reading| reading.range.start).or_else(|| global(sql))
}

fn reaches(words: &[&str]) -> bool {
    match words {
        [verb @ ("CREATE" | "DROP" | "ALTER"), rest @ ..] => match kind::object(rest) {
            Some("USER" | "ROLE" | "SERVER" | "TABLESPACE" | "LOGFILE GROUP" | "RESOURCE GROUP") => true,
            Some("DATABASE") => *verb != "ALTER",
            // A function of a library.
            Some("FUNCTION") => rest.contains(&"SONAME"),
            None => matches!(rest, ["INSTANCE", ..]),
            Some(_) => false,
        },
        ["RENAME", "USER", ..]
        | ["LOAD", "DATA" | "XML", ..]
        | ["SET", "PASSWORD" | "ROLE" | "DEFAULT" | "GLOBAL" | "PERSIST" | "PERSIST_ONLY" | "RESOURCE", ..]
        | [
            "GRANT" | "REVOKE" | "INSTALL" | "UNINSTALL" | "SHUTDOWN" | "RESTART" | "KILL" | "FLUSH"
            | "RESET" | "CHANGE" | "PURGE" | "BINLOG" | "CLONE" | "BACKUP" | "IMPORT" | "STOP",
            ..,
        ] => true,
        ["START", rest @ ..] => !matches!(rest, ["TRANSACTION", ..]),
        _ => false,
    }
}

/// A setting of the server behind a comma of a `SET`, or with `@@`: `, GLOBAL a = 1`, `@@GLOBAL.a = 1`.
fn global(sql: &str) -> Option<usize> {
    let mut last = [const { None }; 4];
    for token in Lexer::new(sql) {
        last.rotate_left(1);
        last[3] = Some(token.kind);
        let found = match last {
            [
                Some(TokenKind::Comma),
                Some(TokenKind::Word(scope)),
                Some(TokenKind::Word(_) | TokenKind::Name(_)),
                Some(TokenKind::Equals | TokenKind::Colon),
            ]
            | [
                Some(TokenKind::Word(scope)),
                Some(TokenKind::Dot),
                Some(TokenKind::Word(_) | TokenKind::Name(_)),
                Some(TokenKind::Equals | TokenKind::Colon),
            ] => is_one_of(scope, &["GLOBAL", "PERSIST", "PERSIST_ONLY"]),
            _ => false,
        };
        if found {
            return Some(token.range.start);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_inside_and_what_does_not() {
        for sql in [
            "SET PASSWORD = PASSWORD('a')",
            "set password for ann@localhost = 'a'",
            "ALTER USER CURRENT_USER() IDENTIFIED BY 'a'",
            "CREATE OR REPLACE USER a",
            "DROP USER IF EXISTS a",
            "RENAME USER a TO b",
            "CREATE ROLE a",
            "SET ROLE a",
            "SET DEFAULT ROLE a FOR b",
            "GRANT ALL ON a.* TO b",
            "REVOKE ALL ON a.* FROM b",
            "CREATE DATABASE a",
            "CREATE SCHEMA IF NOT EXISTS a",
            "DROP DATABASE a",
            "SET GLOBAL a = 1",
            "SET @a = 1, GLOBAL b = 2",
            "SET @@global . b = 2",
            "INSTALL SONAME 'a'",
            "UNINSTALL PLUGIN a",
            "SHUTDOWN",
            "KILL 1",
            "FLUSH PRIVILEGES",
            "LOAD DATA INFILE 'a' INTO TABLE b",
            "/*!40000 SET PASSWORD = 'a' */",
            "SET STATEMENT max_statement_time = 0 FOR GRANT ALL ON a.* TO b",
            "CREATE FUNCTION f RETURNS STRING SONAME 'a.so'",
            "START SLAVE",
        ] {
            let script = format!("SELECT 1;\n{sql};\n");
            assert!(outside(&script).is_some_and(|offset| offset >= 10), "{sql}");
        }
        for sql in [
            "CREATE TABLE user (password TEXT, global INT)",
            "INSERT INTO t SET password = 'a', role = 'b'",
            "UPDATE t SET password = 1, user = 2",
            "UPDATE t SET global = 1",
            "ALTER TABLE t DROP user, RENAME user TO role",
            "SET @a = 1, SESSION sql_mode = 'TRADITIONAL', NAMES utf8mb4",
            "ALTER DATABASE CHARACTER SET utf8mb4",
            "CREATE DEFINER = CURRENT_USER PROCEDURE p() BEGIN SELECT 'ALTER USER a'; END",
            "START TRANSACTION",
            "SELECT @@global.max_connections, 'SET PASSWORD' -- SET PASSWORD",
        ] {
            assert_eq!(outside(sql), None, "{sql}");
        }
    }
}
