//! Sending a script, statement by statement as SQLite itself divides it.

use std::ops::Range;
use std::time::Instant;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteConnection;

use super::failure;
use crate::database::executed::{Failed, add_statement};
use crate::database::{Statement, Step};
use crate::model::StatementRun;

/// What came of a script's statements.
pub struct Executed {
    pub statements: Vec<StatementRun>,
    pub failed: Option<Failed>,
}

/// Sends the script, a long one in parts; SQLite itself says where a statement ends.
pub async fn execute_script(connection: &mut SqliteConnection, step: &Step) -> Executed {
    let mut executed = Executed { statements: Vec::new(), failed: None };
    let mut count = 0;
    for part in parts(&step.sql, &step.statements) {
        let sql = step.sql.get(part).unwrap_or_default();
        let mut results = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute_many(&mut *connection);
        let mut begin = Instant::now();
        loop {
            match results.try_next().await {
                Ok(None) => break,
                Ok(Some(result)) => {
                    let duration_us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
                    let kind =
                        step.statements.get(count).map_or("OTHER", |statement| statement.kind.as_str());
                    let rows = matches!(kind, "INSERT" | "UPDATE" | "DELETE").then(|| result.rows_affected());
                    add_statement(&mut executed.statements, kind, duration_us, rows);
                    count += 1;
                    begin = Instant::now();
                }
                Err(error) => {
                    executed.failed = Some(Failed { failure: failure(&error), statement: count as u64 + 1 });
                    return executed;
                }
            }
        }
    }
    executed
}

/// A script is sent in parts of about so many bytes: the driver's time grows with the square of a part.
const PART: usize = 64 << 10;

/// The whole of a short script; a long one cut where a statement begins.
fn parts(sql: &str, statements: &[Statement]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for statement in statements {
        if statement.range.start >= start + PART {
            parts.push(start..statement.range.start);
            start = statement.range.start;
        }
    }
    parts.push(start..sql.len());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_script_and_end_where_statements_do() {
        let line = "INSERT INTO t VALUES ('a;b');\n";
        for count in [0, 1, 3, PART / line.len() + 10, 4 * PART / line.len()] {
            let sql = line.repeat(count);
            let statement = |index: usize| Statement {
                range: index * line.len()..(index + 1) * line.len() - 1,
                kind: "INSERT".to_owned(),
            };
            let parts = parts(&sql, &(0..count).map(statement).collect::<Vec<_>>());
            let joined: String = parts.iter().map(|part| &sql[part.clone()]).collect();
            assert_eq!(joined, sql);
            assert!(
                parts
                    .iter()
                    .all(|part| sql[part.clone()].is_empty() || sql[part.clone()].starts_with("INSERT"))
            );
            assert_eq!(parts.len() > 1, sql.len() > PART + line.len(), "{count}");
        }
    }
}
