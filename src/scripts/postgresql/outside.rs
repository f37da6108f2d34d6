//! Finds what reaches beyond the database that a script runs in.

use super::kind;
use super::lexer::{Lexer, TokenKind};
use super::statement::{Reading, borrowed};
use crate::scripts::statement::is_one_of;

/// Names of roles that are whoever runs the script, or everybody.
const OWN: [&str; 4] = ["CURRENT_USER", "SESSION_USER", "CURRENT_ROLE", "ALL"];

/// The first such statement's offset. Statements that a block or a function puts together are not seen.
pub fn outside(sql: &str, own_role: Option<&str>) -> Option<usize> {
    let mut lexer = Lexer::new(sql);
    let mut readings = std::iter::from_fn(|| Reading::next(&mut lexer));
    readings.find(|reading| reaches(reading, own_role)).map(|reading| reading.range.start)
}

fn reaches(reading: &Reading<'_>, own_role: Option<&str>) -> bool {
    let words = reading.words();
    match kind::kind(&borrowed(&words), None).split_once(' ') {
        Some(("CREATE" | "DROP" | "ALTER", "DATABASE" | "TABLESPACE" | "SUBSCRIPTION" | "SYSTEM")) => true,
        Some(("ALTER", "ROLE")) => names_own(reading, own_role),
        _ => matches!(
            borrowed(&words).as_slice(),
            ["COMMENT", "ON", "DATABASE" | "TABLESPACE" | "SUBSCRIPTION", ..]
        ),
    }
}

/// Whether an `ALTER ROLE` is about the role that runs it. A name in Unicode escapes could be any.
fn names_own(reading: &Reading<'_>, own_role: Option<&str>) -> bool {
    let Some(name) = reading.head().get(2) else { return false };
    match name.kind {
        TokenKind::Word(word) => {
            is_one_of(word, &OWN) || own_role.is_some_and(|own| own.to_lowercase() == word.to_lowercase())
        }
        TokenKind::Name(quoted) => {
            let is_escaped = name.range.len() > quoted.len() + 2;
            is_escaped || own_role.is_some_and(|own| own == quoted.replace("\"\"", "\""))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_inside_and_what_does_not() {
        for sql in [
            "CREATE DATABASE a",
            "drop database if exists a",
            "ALTER DATABASE a SET work_mem = 1",
            "COMMENT ON DATABASE a IS 'b'",
            "CREATE TABLESPACE a LOCATION 'b'",
            "DROP TABLESPACE a",
            "ALTER SYSTEM SET a = 1",
            "CREATE SUBSCRIPTION a CONNECTION 'b' PUBLICATION c",
            "ALTER SUBSCRIPTION a DISABLE",
            "DROP SUBSCRIPTION a",
            "ALTER ROLE CURRENT_USER PASSWORD 'a'",
            "alter/**/user session_user set search_path = a",
            "ALTER ROLE CURRENT_ROLE RESET ALL",
            "ALTER ROLE ALL SET work_mem = 1",
            "ALTER USER replay PASSWORD 'a'",
            "ALTER GROUP \"replay\" ADD USER a",
            "ALTER ROLE Replay IN DATABASE a SET b = 1",
            "ALTER ROLE U&\"\\0072eplay\" PASSWORD 'a'",
        ] {
            assert_eq!(outside(&format!("SELECT 1;\n{sql};"), Some("replay")), Some(10), "{sql}");
        }
        for sql in [
            "CREATE ROLE a; ALTER ROLE a SET search_path = b; ALTER USER \"REPLAY\" LOGIN; DROP ROLE a",
            "ALTER USER MAPPING FOR CURRENT_USER SERVER a OPTIONS (SET b 'c')",
            "GRANT CONNECT ON DATABASE a TO b; COMMENT ON ROLE a IS 'b'",
            "CREATE TABLE database (tablespace int, system int); ALTER TABLE database SET TABLESPACE a",
            "DO $$ BEGIN END $$; SELECT 'CREATE DATABASE a' -- DROP DATABASE b",
        ] {
            assert_eq!(outside(sql, Some("replay")), None, "{sql}");
        }
    }
}
