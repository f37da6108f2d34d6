//! Greffe's own tables, which are no part of the fingerprint, compared with what greffe makes.
//!
//! Servers print a table in many ways, so its columns, keys and references are compared, not its text. Checks are not:
//! they can but refuse a row. A trigger is part of the fingerprint as well; here it is told even where it was signed.

use sqlx::mysql::MySqlConnection;

use super::{Line, OWN, answers, object};
use crate::database::mysql::failure::schema_error;
use crate::database::mysql::rows::text as literal;
use crate::database::schema::{Objects, own_differences};
use crate::database::{DatabaseError, SchemaDifference};

/// What greffe's migrations make, in the words of this module.
const MADE: &str = include_str!("own.txt");

/// Tables, columns, keys, references and triggers: one answer each. The second column is the table.
const LISTS: &str = "\
    SELECT 'table', TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES \
        WHERE TABLE_SCHEMA = {db} AND TABLE_NAME IN {own}; \
    SELECT 'column', TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, GENERATION_EXPRESSION \
        FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {db} AND TABLE_NAME IN {own} \
        ORDER BY TABLE_NAME, ORDINAL_POSITION; \
    SELECT 'key', TABLE_NAME, INDEX_NAME, IF(NON_UNIQUE, 'not unique', 'unique'), COLUMN_NAME \
        FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {db} AND TABLE_NAME IN {own} \
        ORDER BY TABLE_NAME, LOWER(INDEX_NAME), SEQ_IN_INDEX; \
    SELECT 'reference', TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME \
        FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = {db} AND TABLE_NAME IN {own} \
        ORDER BY TABLE_NAME, CONSTRAINT_NAME; \
    SELECT 'trigger', EVENT_OBJECT_TABLE, TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT \
        FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = {db} AND EVENT_OBJECT_TABLE IN {own}";

/// How greffe's tables differ from what greffe makes.
pub async fn differences(
    connection: &mut MySqlConnection,
    database: &str,
) -> Result<Vec<SchemaDifference>, DatabaseError> {
    let own = format!("({})", OWN.map(literal).join(", "));
    let sql = LISTS.replace("{db}", &literal(database)).replace("{own}", &own);
    let lines = answers(connection, sql).await.map_err(schema_error)?;
    let mut found = Objects::new();
    for line in lines.iter().flatten() {
        add(line, &mut found);
    }
    Ok(own_differences(MADE, &found))
}

fn add(line: &Line, found: &mut Objects) {
    let words: Vec<&str> = line.iter().map(|word| word.as_deref().unwrap_or_default()).collect();
    let [what, table, rest @ ..] = words.as_slice() else { return };
    // Servers compare names without regard to case.
    if !OWN.contains(table) {
        return;
    }
    let text = match (*what, rest) {
        ("table", [kind]) => {
            found.insert(object("table", table), format!("table {table}\n{}", kind.to_lowercase()));
            return;
        }
        ("trigger", [name, timing, event, body]) => {
            let text = format!("trigger {name}\n{timing} {event} on {table}\n{body}");
            found.insert(object("trigger", name), text);
            return;
        }
        ("column", [name, kind, nullable, default, extra, generated]) => {
            column(name, kind, nullable, &[default, extra, generated])
        }
        _ => format!("{what} {}", rest.join(" ")),
    };
    if let Some(table) = found.get_mut(&object("table", table)) {
        table.push('\n');
        table.push_str(&text);
    }
}

/// A column without what servers write in several ways.
fn column(name: &str, kind: &str, nullable: &str, more: &[&str]) -> String {
    let kind = kind.to_lowercase();
    // Newer servers print no width.
    let kind = if kind.starts_with("bigint(") { "bigint" } else { &kind };
    let mut text = format!("column {name} {kind}{}", if nullable == "NO" { " not null" } else { "" });
    for word in more {
        let word = word.to_lowercase().replace("default_generated", "").replace("()", "");
        if !word.trim().is_empty() && word != "null" {
            text.push(' ');
            text.push_str(word.trim());
        }
    }
    text
}
