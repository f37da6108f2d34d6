//! History tables of other tools, written as those tools write them: so that a team can go back to its tool.
//!
//! Only texts are made here; a target runs them together with its own row. Tables are made word for word as the tools
//! make them, since the schema's fingerprint has them in it.

mod tables;

use std::borrow::Cow;

use super::rows::{Literal, Value};
use super::{ToolTable, mysql, postgres, sqlite};
use crate::model::{Engine, Timestamp};

/// A tool whose table can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    Dbmate,
    Diesel,
    Flyway,
    GolangMigrate,
    Goose,
    NodePgMigrate,
    Refinery,
}

impl Keeper {
    /// The tool that settings call `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "dbmate" => Self::Dbmate,
            "diesel" => Self::Diesel,
            "flyway" => Self::Flyway,
            "golang-migrate" => Self::GolangMigrate,
            "goose" => Self::Goose,
            "node-pg-migrate" => Self::NodePgMigrate,
            "refinery" => Self::Refinery,
            _ => return None,
        })
    }
}

/// What is written into another tool's table with a step; each text is one statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolWrites {
    /// Before a script without a transaction of its own begins, durable.
    pub begun: Vec<String>,
    /// With the end of the step's row.
    pub done: Vec<String>,
    /// With the row of a step that failed.
    pub failed: Vec<String>,
}

/// Stands in a statement for the milliseconds that the script took; no name and no literal has it.
const ELAPSED: char = '\u{1}';

/// Statements of which each says how long the script took, where it says so.
#[must_use]
pub fn timed(statements: &[String], elapsed_us: u64) -> Vec<String> {
    let milliseconds = (elapsed_us / 1000).to_string();
    statements.iter().map(|sql| sql.replace(ELAPSED, &milliseconds)).collect()
}

/// One script, as a tool's table speaks of it.
#[derive(Clone, Copy, Debug)]
pub struct ToolEntry<'a> {
    /// What the table calls it; a run of a script that can run again without its number.
    pub id: &'a str,
    /// What the file calls it.
    pub name: &'a str,
    /// The file, below its folder.
    pub file: &'a str,
    pub checksum: Option<&'a str>,
    /// What comes before it in the tool's order.
    pub previous: Option<&'a str>,
    /// Whether script and row are one transaction.
    pub transaction: bool,
}

/// A tool's table in a database.
#[derive(Clone, Debug)]
pub struct ToolHistory {
    pub keeper: Keeper,
    engine: Engine,
    schema: Option<String>,
    name: String,
}

impl ToolHistory {
    /// A table that is there.
    #[must_use]
    pub fn of(keeper: Keeper, engine: Engine, table: &ToolTable) -> Self {
        Self { keeper, engine, schema: table.schema.clone(), name: table.name.clone() }
    }

    /// A table that is to be made.
    #[must_use]
    pub const fn new(keeper: Keeper, engine: Engine, schema: Option<String>, name: String) -> Self {
        Self { keeper, engine, schema, name }
    }

    /// Its name as people write it.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Where the table is to be.
    pub fn set_schema(&mut self, schema: Option<String>) {
        self.schema = schema;
    }

    /// Whether it is one row, which says where the database is.
    #[must_use]
    pub fn has_one_row(&self) -> bool {
        self.keeper == Keeper::GolangMigrate
    }

    /// What the table remembers of a way down, where it does.
    pub fn checksum_of_undo(&self, reckon: impl FnOnce() -> String) -> Option<String> {
        (self.keeper == Keeper::Flyway).then(reckon)
    }

    /// Takes the rows of runs that failed away, as the tool's own repair does.
    #[must_use]
    pub fn forget_failed(&self) -> Vec<String> {
        let is_false = if self.engine == Engine::Postgresql { "false" } else { "0" };
        match self.keeper {
            Keeper::Flyway => {
                vec![format!("DELETE FROM {} WHERE {} = {is_false}", self.table(), self.quoted("success"))]
            }
            _ => Vec::new(),
        }
    }

    /// A script that is applied, or is said to be; `at`: when the run was planned.
    #[must_use]
    pub fn applied(&self, script: &ToolEntry<'_>, at: Timestamp) -> ToolWrites {
        let table = self.table();
        let done = match self.keeper {
            Keeper::Dbmate => format!("INSERT INTO {table} (version) VALUES ({})", self.text(script.id)),
            Keeper::Diesel => format!("INSERT INTO {table} (version) VALUES ({})", self.text(script.id)),
            Keeper::Goose => self.goose(script.id),
            Keeper::NodePgMigrate => {
                format!("INSERT INTO {table} (name, run_on) VALUES ({}, NOW())", self.text(script.id))
            }
            Keeper::Refinery => format!(
                "INSERT INTO {table} (version, name, applied_on, checksum) VALUES ({}, {}, {}, {})",
                self.number(script.id),
                self.text(script.name),
                self.text(&at.to_string()),
                self.text(script.checksum.unwrap_or_default())
            ),
            Keeper::GolangMigrate => return self.golang(Some(script.id)),
            Keeper::Flyway => return self.flyway(script, "SQL"),
        };
        ToolWrites { done: vec![done], ..ToolWrites::default() }
    }

    /// A script that is undone, or is said to be. refinery has no such thing; its row goes.
    #[must_use]
    pub fn undone(&self, script: &ToolEntry<'_>) -> ToolWrites {
        let table = self.table();
        let condition = match self.keeper {
            Keeper::Dbmate | Keeper::Diesel => format!("version = {}", self.text(script.id)),
            Keeper::Goose => format!("version_id = {}", self.number(script.id)),
            Keeper::Refinery => format!("version = {}", self.number(script.id)),
            Keeper::NodePgMigrate => format!("name = {}", self.text(script.id)),
            Keeper::GolangMigrate => return self.golang(script.previous),
            Keeper::Flyway => return self.flyway(script, "UNDO_SQL"),
        };
        ToolWrites { done: vec![format!("DELETE FROM {table} WHERE {condition}")], ..ToolWrites::default() }
    }

    fn goose(&self, id: &str) -> String {
        let is_true = if self.engine == Engine::Postgresql { "true" } else { "1" };
        format!(
            "INSERT INTO {} (version_id, is_applied) VALUES ({}, {is_true})",
            self.table(),
            self.number(id)
        )
    }

    /// The one row says where the database is; dirty while a script runs, and after one that failed.
    fn golang(&self, id: Option<&str>) -> ToolWrites {
        let delete = format!("DELETE FROM {}", self.table());
        let insert = |version: &str, dirty: bool| {
            let word = match (self.engine, dirty) {
                (Engine::Postgresql, true) => "true",
                (Engine::Postgresql, false) => "false",
                (_, true) => "1",
                (_, false) => "0",
            };
            format!("INSERT INTO {} (version, dirty) VALUES ({version}, {word})", self.table())
        };
        let number = id.map(|id| self.number(id));
        let running = vec![delete.clone(), insert(number.as_deref().unwrap_or("-1"), true)];
        let mut done = vec![delete];
        // Nothing applied is no row, and -1 while it is not certain.
        done.extend(number.map(|number| insert(&number, false)));
        ToolWrites { begun: running.clone(), done, failed: running }
    }

    /// Every run adds a row. One that failed does where something of it may have stayed.
    fn flyway(&self, script: &ToolEntry<'_>, kind: &str) -> ToolWrites {
        let (is_true, is_false) = match self.engine {
            Engine::Postgresql => ("true", "false"),
            _ => ("1", "0"),
        };
        let user = match self.engine {
            Engine::Sqlite => "''",
            Engine::Postgresql => "current_user",
            Engine::Mysql | Engine::Mariadb => "SUBSTRING_INDEX(USER(),'@',1)",
        };
        let version = match script.id.starts_with("R__") {
            true => "NULL".to_owned(),
            false => self.text(&flyway_version(script.file).unwrap_or_else(|| script.id.to_owned())),
        };
        let columns = [
            "installed_rank",
            "version",
            "description",
            "type",
            "script",
            "checksum",
            "installed_by",
            "execution_time",
            "success",
        ]
        .map(|column| self.quoted(column))
        .join(", ");
        let row = |success: &str| {
            format!(
                "INSERT INTO {table} ({columns}) SELECT COALESCE(MAX({rank}), 0) + 1, {version}, {}, {}, {}, {}, \
                 {user}, {ELAPSED}, {success} FROM {table}",
                self.text(script.name),
                self.text(kind),
                self.text(script.file),
                script.checksum.map_or_else(|| "NULL".to_owned(), |checksum| self.number(checksum)),
                table = self.table(),
                rank = self.quoted("installed_rank"),
            )
        };
        let stays = !script.transaction || matches!(self.engine, Engine::Mysql | Engine::Mariadb);
        let failed = if stays { vec![row(is_false)] } else { Vec::new() };
        ToolWrites { begun: Vec::new(), done: vec![row(is_true)], failed }
    }

    /// The table's name as statements write it.
    fn table(&self) -> String {
        match (&self.schema, self.keeper, self.engine) {
            (Some(schema), ..) => format!("{}.{}", self.quoted(schema), self.quoted(&self.name)),
            // The text of a table is what the tool wrote.
            (None, Keeper::Dbmate, Engine::Sqlite) => self.quoted(&self.name),
            (None, Keeper::Flyway, Engine::Sqlite) => format!("\"main\".{}", self.quoted(&self.name)),
            (None, _, Engine::Sqlite) if is_plain(&self.name) => self.name.clone(),
            (None, ..) => self.quoted(&self.name),
        }
    }

    fn quoted(&self, name: &str) -> String {
        match self.engine {
            Engine::Mysql | Engine::Mariadb => format!("`{}`", name.replace('`', "``")),
            Engine::Sqlite | Engine::Postgresql => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    fn text(&self, text: &str) -> String {
        let literal: Literal = match self.engine {
            Engine::Sqlite => sqlite::literal,
            Engine::Postgresql => postgres::literal,
            Engine::Mysql | Engine::Mariadb => mysql::literal,
        };
        let mut sql = String::new();
        literal(&mut sql, &Value::Text(Cow::Borrowed(text)));
        sql.trim_start().to_owned()
    }

    /// A number as it stands; what is none is a text, which the database refuses.
    fn number(&self, text: &str) -> String {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let sound = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if sound { text.to_owned() } else { self.text(text) }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The version as Flyway writes it: that of the file's name, with points.
fn flyway_version(file: &str) -> Option<String> {
    let name = file.rsplit('/').next()?;
    let (version, _) = name.get(1..)?.split_once("__")?;
    Some(version.replace('_', "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script<'a>(id: &'a str, file: &'a str) -> ToolEntry<'a> {
        ToolEntry { id, name: "it's", file, checksum: Some("-17"), previous: None, transaction: true }
    }

    #[test]
    fn texts_are_literals_of_their_engine() {
        let history = |engine| ToolHistory::new(Keeper::Dbmate, engine, None, "t".to_owned());
        let at = Timestamp::from_microseconds(0).unwrap();
        let written = |engine| history(engine).applied(&script("a'\\b", "f"), at).done.remove(0);
        assert_eq!(written(Engine::Sqlite), "INSERT INTO \"t\" (version) VALUES ('a''\\b')");
        assert_eq!(written(Engine::Postgresql), "INSERT INTO \"t\" (version) VALUES (E'a''\\\\b')");
        assert_eq!(written(Engine::Mariadb), "INSERT INTO `t` (version) VALUES ('a\\'\\\\b')");
        let goose = ToolHistory::new(Keeper::Goose, Engine::Sqlite, None, "t".to_owned());
        assert!(goose.undone(&script("1 OR 1=1", "f")).done[0].ends_with("version_id = '1 OR 1=1'"));
    }

    #[test]
    fn flyway_has_a_row_for_each_run_with_the_time_that_it_took() {
        let history = ToolHistory::new(Keeper::Flyway, Engine::Sqlite, None, "h".to_owned());
        let at = Timestamp::from_microseconds(0).unwrap();
        let writes = history.applied(&script("1.5", "sub/V001_5__it's.sql"), at);
        assert_eq!(writes.failed, Vec::<String>::new());
        let row = timed(&writes.done, 12_999).remove(0);
        assert!(row.contains("'001.5', 'it''s', 'SQL', 'sub/V001_5__it''s.sql', -17, '', 12, 1"), "{row}");
        let bare = ToolEntry { transaction: false, ..script("R__v", "R__v.sql") };
        let failed = history.applied(&bare, at).failed.remove(0);
        assert!(failed.contains("+ 1, NULL, ") && failed.contains(", 0 FROM "), "{failed}");
    }

    #[test]
    fn golang_migrate_is_dirty_until_a_script_ended_well() {
        let history = ToolHistory::new(Keeper::GolangMigrate, Engine::Postgresql, None, "s".to_owned());
        let down = history.undone(&script("1", "1_a.down.sql"));
        assert_eq!(down.done, ["DELETE FROM \"s\""]);
        assert_eq!(down.begun[1], "INSERT INTO \"s\" (version, dirty) VALUES (-1, true)");
        let down = history.undone(&ToolEntry { previous: Some("1"), ..script("2", "2_a.down.sql") });
        assert_eq!(down.done[1], "INSERT INTO \"s\" (version, dirty) VALUES (1, false)");
    }
}
