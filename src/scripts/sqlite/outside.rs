//! Finds what reaches beyond the database that a script runs in.

use super::lexer::{Lexer, TokenKind};
use super::statement::statements;
use crate::scripts::statement::is_one_of;

/// Where temporary tables are, and how much memory there is: a replay keeps them in memory, within a bound.
const BOUNDS: [&str; 5] =
    ["temp_store", "temp_store_directory", "data_store_directory", "hard_heap_limit", "soft_heap_limit"];

/// The first such statement's offset.
pub fn outside(sql: &str) -> Option<usize> {
    let reaches = |kind: &str, text: &str| {
        let names = |name: &[&str]| {
            Lexer::new(text).any(|token| match token.kind {
                TokenKind::Semicolon | TokenKind::Open | TokenKind::Close => false,
                _ => is_one_of(
                    text.get(token.range.clone())
                        .unwrap_or_default()
                        .trim_matches(['"', '`', '\'', '[', ']']),
                    name,
                ),
            })
        };
        match kind {
            "ATTACH" => true,
            "VACUUM" => names(&["INTO"]),
            "PRAGMA" => names(&BOUNDS),
            _ => false,
        }
    };
    let found = statements(sql)
        .into_iter()
        .find(|statement| reaches(&statement.kind, sql.get(statement.range.clone()).unwrap_or_default()))?;
    Some(found.range.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_bounds_are_outside() {
        for sql in [
            "ATTACH 'a' AS b",
            "VACUUM main INTO 'a'",
            "vacuum/**/into 'a'",
            "PRAGMA temp_store = FILE",
            "PRAGMA main.\"TEMP_STORE\"(1)",
            "pragma temp_store_directory = '/a'",
        ] {
            assert_eq!(outside(&format!("SELECT 1;\n{sql};")), Some(10), "{sql}");
        }
        for sql in ["VACUUM", "PRAGMA foreign_keys = ON", "CREATE TABLE temp_store (attach, vacuum)"] {
            assert_eq!(outside(sql), None, "{sql}");
        }
    }
}
