//! What can be said of a script before it runs, and running its statements one by one.

use std::time::Instant;

use sqlx::mysql::MySqlConnection;

use super::failure::{INTERRUPTED, failure, is_lost, number};
use super::rows;
use crate::database::{Failure, Statement, Step};

/// How one statement ended.
pub enum Ended {
    Well {
        duration_us: u64,
        rows: u64,
    },
    Badly(Failure),
    /// The connection is gone: whether it took effect is not known.
    Unknown(Failure),
}

/// Kinds that a transaction can take back, which neither commit by themselves nor change the schema: a trigger or
/// a function that they call cannot either (error 1422).
const CHANGES_ROWS: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "REPLACE"];

/// First words of statements that leave nothing behind in a session.
const LEAVES_NOTHING: [&str; 13] = [
    "ALTER", "ANALYZE", "COMMENT", "CREATE", "DELETE", "DROP", "GRANT", "INSERT", "OPTIMIZE", "RENAME",
    "REPLACE", "REVOKE", "UPDATE",
];

/// What may leave something behind wherever it stands: temporary tables, variables, locks by name, and what a
/// comment makes the server run.
const LEAVES_SOMETHING: [&str; 5] = ["temporary", "@", "_lock", "/*!", "/*m!"];

/// What a comment makes the server run shows in no kind.
fn hides_statements(step: &Step) -> bool {
    let sql = step.sql.to_ascii_lowercase();
    ["/*!", "/*m!"].iter().any(|mark| sql.contains(mark))
}

/// Whether the script does nothing but change rows, so that the schema stays as it is.
pub fn only_changes_rows(step: &Step) -> bool {
    step.statements.iter().all(|statement| CHANGES_ROWS.contains(&statement.kind.as_str()))
        && !hides_statements(step)
}

/// Whether a script may have changed its session, so that the next one must not inherit it.
pub fn disturbs(step: &Step) -> bool {
    let sql = step.sql.to_ascii_lowercase();
    let first_word = |statement: &Statement| {
        let text = text_of(step, statement);
        let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
        text.get(..end).unwrap_or_default().to_ascii_uppercase()
    };
    LEAVES_SOMETHING.iter().any(|word| sql.contains(word))
        || !step.statements.iter().all(|statement| LEAVES_NOTHING.contains(&first_word(statement).as_str()))
}

/// Whether a statement that failed first can have left something all the same. `tables_undo`: all tables of the
/// database take back a statement that fails.
pub fn may_have_stayed(step: &Step, failure: &Failure, tables_undo: bool) -> bool {
    let Some(first) = step.statements.first() else { return false };
    let text = text_of(step, first).to_ascii_lowercase();
    // The server did not begin: no database, no such table, no such column, SQL that it does not understand, access
    // denied. A `DROP` of several tables begins before it finds one missing.
    let did_not_begin = matches!(failure, Failure::Server { code, .. } if
        ["1044/", "1046/", "1054/", "1064/", "1142/", "1143/", "1227/"].iter().any(|number| code.starts_with(number)));
    let one_object = ["CREATE ", "ALTER "].iter().any(|verb| first.kind.starts_with(verb));
    let replaces = text.contains("replace") && first.kind.starts_with("CREATE");
    let undone = tables_undo && CHANGES_ROWS.contains(&first.kind.as_str());
    let harmless = did_not_begin || undone || one_object && !replaces;
    !harmless || hides_statements(step)
}

/// The text of one statement.
pub fn text_of<'a>(step: &'a Step, statement: &Statement) -> &'a str {
    step.sql.get(statement.range.clone()).unwrap_or_default()
}

/// Runs one statement, with whatever it answers.
pub async fn run_statement(connection: &mut MySqlConnection, sql: &str) -> Ended {
    let begin = Instant::now();
    let done = rows::execute(&mut *connection, sql.to_owned()).await;
    let duration_us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
    match done {
        Ok(rows) => Ended::Well { duration_us, rows },
        Err(error) if is_lost(&error) => Ended::Unknown(failure(&error)),
        // Some servers say no more than this when the connection is killed with its statement.
        Err(error) if number(&error) == Some(INTERRUPTED) => {
            match rows::execute(connection, "DO 0".to_owned()).await {
                Ok(_) => Ended::Badly(failure(&error)),
                Err(error) => Ended::Unknown(failure(&error)),
            }
        }
        Err(error) => Ended::Badly(failure(&error)),
    }
}

/// How many rows a statement of this kind changed.
pub fn rows_of(kind: &str, rows: u64) -> Option<u64> {
    CHANGES_ROWS.contains(&kind).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::executed::step_of as step;

    #[test]
    fn only_what_is_sure_is_one_transaction() {
        assert!(only_changes_rows(&step(&[
            ("INSERT", "INSERT INTO a VALUES (1)"),
            ("DELETE", "DELETE FROM a")
        ])));
        for other in [
            ("CALL", "CALL p()"),
            ("SELECT", "SELECT f()"),
            ("CREATE TABLE", "CREATE TABLE b (a int)"),
            ("INSERT", "INSERT INTO a VALUES (1) /*!50000 , (2) */"),
            ("OTHER", "WITH x AS (SELECT 1) DELETE FROM a"),
        ] {
            assert!(!only_changes_rows(&step(&[("INSERT", "INSERT INTO a VALUES (1)"), other])), "{other:?}");
        }
    }

    #[test]
    fn what_may_change_a_session_disturbs() {
        for calm in ["create table t (a int)", "INSERT INTO t SET a = 1", "ALTER TABLE t ADD b int"] {
            assert!(!disturbs(&step(&[("OTHER", calm)])), "{calm}");
        }
        for loud in [
            "SET NAMES latin1",
            "set @a = 1",
            "USE other",
            "CREATE TEMPORARY TABLE t (a int)",
            "INSERT INTO t SELECT @a := 1",
            "INSERT INTO t SELECT GET_LOCK('a', 1)",
            "LOCK TABLES t WRITE",
            "BEGIN",
            "CALL p()",
            "/*!40101 SET NAMES latin1 */",
            "PREPARE s FROM 'SELECT 1'",
        ] {
            assert!(disturbs(&step(&[("OTHER", loud)])), "{loud}");
        }
    }

    #[test]
    fn what_a_first_statement_may_leave() {
        let error =
            |code: &str| Failure::Server { code: code.to_owned(), hint: None, object: None, position: None };
        let stays = |kind, sql, code, undo| may_have_stayed(&step(&[(kind, sql)]), &error(code), undo);
        assert!(!stays("OTHER", "NONSENSE", "1064/42000", false));
        assert!(!stays("CREATE TABLE", "CREATE TABLE t (a int)", "1050/42S01", false));
        assert!(stays("CREATE TABLE", "CREATE OR REPLACE TABLE t (a int)", "1005/HY000", false));
        assert!(stays("DROP TABLE", "DROP TABLE a, b", "1051/42S02", true));
        assert!(stays("CALL", "CALL p()", "1062/23000", true));
        assert!(!stays("INSERT", "INSERT INTO a VALUES (1), (1)", "1062/23000", true));
        assert!(stays("INSERT", "INSERT INTO a VALUES (1), (1)", "1062/23000", false));
    }
}
