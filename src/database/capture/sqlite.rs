//! Capture in SQLite: a table, and three triggers on the tool's table. There are no sessions, no roles and no numbers
//! of transactions to tell of.

use super::{Capture, CaptureFault, IS_CHANGE, VERSION};
use crate::database::people::Sql;
use crate::database::sqlite::Sqlite;
use crate::database::{Database, DatabaseError, Failure, ToolTable};

const JOURNAL: &str = include_str!("../../../migrations/capture/sqlite/journal.sql");
const WATCH: &str = include_str!("../../../migrations/capture/sqlite/watch.sql");

const OPERATIONS: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];
const NAMES: [&str; 3] = ["greffe_capture_insert", "greffe_capture_update", "greffe_capture_delete"];

const FIND: &str = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE name IN ('greffe_capture', \
    'greffe_capture_insert', 'greffe_capture_update', 'greffe_capture_delete')";

const FIND_INSTALLED: &str = "SELECT CAST(after AS TEXT) FROM main.greffe_capture WHERE operation = 'INSTALL' ORDER BY id DESC LIMIT 1";

impl Sqlite {
    pub(super) async fn install_capture(
        &mut self,
        table: &ToolTable,
        columns: &[&str],
        id: &str,
    ) -> Result<bool, Failure> {
        let names: Vec<String> = columns.iter().map(|name| Sql::Sqlite.name(name)).collect();
        let mut sql =
            JOURNAL.replace("CREATE TABLE greffe_capture", "CREATE TABLE IF NOT EXISTS greffe_capture");
        for (operation, name) in OPERATIONS.into_iter().zip(NAMES) {
            let trigger = trigger(operation, &Sql::Sqlite.name(&table.name), &names);
            sql.push_str(&format!(";\nDROP TRIGGER IF EXISTS main.{name};\n{}", trigger.trim_end()));
        }
        sql.push_str(&format!(
            ";\nINSERT INTO main.greffe_capture (at, operation, after, changes, size) SELECT \
             strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'INSTALL', '{VERSION} {}', 0, \
             count(*) + coalesce(sum(length(sql)), 0) FROM main.sqlite_schema",
            id.replace('\'', "''")
        ));
        self.change_all(sql).await?;
        Ok(false)
    }

    pub(super) async fn remove_capture(&mut self, after: Option<i64>) -> Result<bool, Failure> {
        let mut sql: String = NAMES.map(|name| format!("DROP TRIGGER IF EXISTS main.{name};\n")).concat();
        sql.push_str("DROP TABLE IF EXISTS main.greffe_capture");
        let waits = after
            .map(|after| format!("SELECT 1 FROM main.greffe_capture WHERE id > {after} AND {IS_CHANGE}"));
        self.change_all_unless(waits, sql).await
    }
}

/// What there is of a capture.
pub async fn find(
    database: &mut Database,
    table: Option<&ToolTable>,
    columns: &[&str],
) -> Result<Option<Capture>, DatabaseError> {
    let rows = database.texts_of(FIND.to_owned()).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut capture = Capture::default();
    let found = |name: &str| rows.iter().find(|row| row.get(1) == Some(&Some(name.to_owned())));
    let text = |row: &[Option<String>], index: usize| row.get(index).cloned().flatten().unwrap_or_default();
    match found("greffe_capture") {
        Some(row) if text(row, 3) == JOURNAL.trim_end() => {
            let installed =
                database.texts_of(FIND_INSTALLED.to_owned()).await?.pop().and_then(|mut row| row.pop());
            let installed = installed.flatten().unwrap_or_default();
            if let Some((version, id)) = installed.split_once(' ') {
                capture.version = version.parse().unwrap_or_default();
                capture.id = Some(id.to_owned());
            }
        }
        Some(_) => capture.faults.push(CaptureFault::replaced("table greffe_capture")),
        None => capture.faults.push(CaptureFault::gone("table greffe_capture")),
    }
    let names: Vec<String> = columns.iter().map(|name| Sql::Sqlite.name(name)).collect();
    for (operation, name) in OPERATIONS.into_iter().zip(NAMES) {
        let what = format!("trigger {name}");
        let Some(row) = found(name) else {
            capture.faults.push(CaptureFault::gone(what));
            continue;
        };
        let made = table.map(|table| trigger(operation, &Sql::Sqlite.name(&table.name), &names));
        if made.as_deref().map(str::trim_end) != Some(&text(row, 3)) {
            capture.faults.push(CaptureFault::replaced(what));
        }
    }
    Ok(Some(capture))
}

/// Whether an object is what greffe makes, on whichever table: what only has its name is somebody else's.
pub fn is_own(kind: &str, name: &str, table: &str, sql: &str) -> bool {
    if kind == "table" {
        return name == "greffe_capture" && sql == JOURNAL.trim_end();
    }
    let Some(place) = NAMES.iter().position(|own| *own == name).filter(|_| kind == "trigger") else {
        return false;
    };
    let operation = OPERATIONS.get(place).copied().unwrap_or_default();
    let columns = columns_of(operation, sql);
    // A renamed table is written by SQLite with quotes, as greffe does.
    columns.is_some_and(|columns| trigger(operation, &Sql::Sqlite.name(table), &columns).trim_end() == sql)
}

/// The quoted names that a trigger writes down.
fn columns_of(operation: &str, sql: &str) -> Option<Vec<String>> {
    let row = if operation == "DELETE" { "quote(OLD." } else { "quote(NEW." };
    let (_, values) = sql.split_once("VALUES")?;
    let mut columns = Vec::new();
    for part in values.split(row).skip(1) {
        let mut end = 1;
        let bytes = part.as_bytes();
        loop {
            let next = end + part.get(end..)?.find('"')?;
            if bytes.get(next + 1) != Some(&b'"') {
                end = next + 1;
                break;
            }
            end = next + 2;
        }
        columns.push(part.get(..end)?.to_owned());
    }
    Some(columns)
}

fn trigger(operation: &str, table: &str, columns: &[String]) -> String {
    let values = |row: &str| {
        let quoted: Vec<String> = columns.iter().map(|name| format!("quote({row}.{name})")).collect();
        quoted.join(" || ',' || ")
    };
    let before = if operation == "INSERT" { "NULL".to_owned() } else { values("OLD") };
    let after = if operation == "DELETE" { "NULL".to_owned() } else { values("NEW") };
    WATCH
        .replace(
            "TRIGGER greffe_capture_{operation}",
            &format!("TRIGGER greffe_capture_{}", operation.to_lowercase()),
        )
        .replace("{operation}", operation)
        .replace("{before}", &before)
        .replace("{after}", &after)
        .replace("{table}", table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_greffe_makes_is_its_own() {
        let columns = ["\"a\"".to_owned(), "\"b\"\",OLD.\"".to_owned()];
        for (operation, name) in OPERATIONS.into_iter().zip(NAMES) {
            let made = trigger(operation, "\"history\"", &columns);
            let sql = made.trim_end();
            assert!(is_own("trigger", name, "history", sql), "{sql}");
            assert!(!is_own("trigger", name, "other", sql));
            assert!(!is_own("trigger", "greffe_capture_x", "history", sql));
            assert!(!is_own("trigger", name, "history", &sql.replace("END", "DELETE FROM customer; END")));
            assert!(!is_own("trigger", name, "history", &sql.replace(" BEGIN", " WHEN 0 BEGIN")));
        }
        assert!(is_own("table", "greffe_capture", "greffe_capture", JOURNAL.trim_end()));
        assert!(!is_own("index", "greffe_capture_insert", "greffe_capture", ""));
    }
}
