//! Tools that keep a list of names: each script is a file, or two, and each row of the table names one.

use super::command::Calls;
use super::files::Pairs;
use super::{Catalog, Entry, Folder, FolderFile, HistoryTable, Row, Tool};
use crate::model::Direction;

/// What a file of such a tool is.
pub struct Named<'a> {
    /// What the table calls it.
    pub id: String,
    pub name: &'a str,
    /// Which way it goes; a file with both ways goes up.
    pub direction: Direction,
}

impl<'a> Named<'a> {
    /// A file that goes up, alone or with the way down in it.
    pub fn up(id: impl Into<String>, name: &'a str) -> Self {
        Self { id: id.into(), name, direction: Direction::Up }
    }
}

/// A tool with a list of names.
pub struct Listed {
    pub name: &'static str,
    /// Its first column has the names; a second one has when they were applied.
    pub table: HistoryTable,
    pub owns: fn(&Folder) -> bool,
    /// `None` for a file that is no script.
    pub script: fn(&FolderFile) -> Option<Named<'_>>,
    /// What identifiers are ordered by.
    pub order: fn(&str) -> String,
    /// How it is called.
    pub calls: Calls,
    /// What stands before and behind the script that it is at, in what it prints.
    pub announces: &'static [(&'static str, &'static str)],
}

impl Tool for Listed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn table(&self) -> &HistoryTable {
        &self.table
    }

    fn owns(&self, folder: &Folder) -> bool {
        (self.owns)(folder)
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files() {
            match (self.script)(file) {
                Some(Named { id, name, direction: Direction::Up }) => {
                    pairs.up(&id, name, file, &mut catalog.faults);
                }
                Some(Named { id, .. }) => pairs.down(&id, file),
                None => {}
            }
        }
        catalog.scripts = pairs.scripts(self.order);
        catalog
    }

    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let entry = |row: &Row| {
            let mut columns = row.iter().cloned();
            let id = columns.next()??;
            Some(Entry { at: columns.next().flatten(), ..Entry::applied(id) })
        };
        rows.iter().filter_map(entry).collect()
    }

    fn calls(&self) -> &Calls {
        &self.calls
    }

    fn stopped_at(&self, output: &str) -> Option<String> {
        announced(output, self.announces)
    }
}

/// What stands last in an output between any of these marks; an empty second mark is the end of the line.
pub fn announced(output: &str, marks: &[(&str, &str)]) -> Option<String> {
    let between = |line: &str, (before, behind): &(&str, &str)| {
        let (_, rest) = line.split_once(before)?;
        let name = if behind.is_empty() { rest } else { rest.split_once(behind)?.0 };
        Some(name.trim().to_owned())
    };
    let named = |line: &str| marks.iter().find_map(|mark| between(line, mark));
    output.lines().rev().find_map(named).filter(|name| !name.is_empty())
}

/// Identifiers as they are.
pub fn as_text(id: &str) -> String {
    id.to_owned()
}

/// Identifiers by the number that they are, however many zeros stand before it.
pub fn as_number(id: &str) -> String {
    format!("{:040}", super::files::number(id))
}

/// Whether a file is JavaScript or TypeScript, and no mere declaration of types.
pub fn is_ecmascript(file: &FolderFile) -> bool {
    let name = file.name();
    let end = name.rsplit('.').next().unwrap_or_default();
    matches!(end, "js" | "ts" | "mjs" | "cjs" | "mts" | "cts") && !name.ends_with(".d.ts")
}

/// Whether a line of a file begins so, in large or small letters.
pub fn says(file: &FolderFile, mark: &str) -> bool {
    let begins =
        |line: &[u8]| line.get(..mark.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(mark.as_bytes()));
    file.bytes.split(|byte| *byte == b'\n').any(begins)
}

/// Whether a word stands somewhere in a file.
pub fn mentions(file: &FolderFile, word: &str) -> bool {
    file.bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::{TOOLS, tool_named};
    use super::*;

    fn file(path: &str, text: &str) -> FolderFile {
        FolderFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    /// Path, text, and what the table calls it.
    type Sample = (&'static str, &'static str, &'static str);

    /// Files of each tool as it writes them, in their order, with what its table calls them, and a file that is none.
    const SAMPLES: [(&str, [Sample; 2], &str); 8] = [
        (
            "knex",
            [
                ("20260101000001_a.js", "exports.up = 1", "20260101000001_a.js"),
                ("20260101000002_b.ts", "export async function up(knex) {}", "20260101000002_b.ts"),
            ],
            "20260101000001_a.d.ts",
        ),
        (
            "sequelize",
            [
                ("20260101000001-a.js", "up: (queryInterface) => 1", "20260101000001-a.js"),
                ("20260101000002-b.js", "queryInterface", "20260101000002-b.js"),
            ],
            "index.js",
        ),
        (
            "node-pg-migrate",
            [
                ("1767225600001_a.js", "pgm.sql('')", "1767225600001_a"),
                ("1767225600002_b.sql", "-- Up Migration\n", "1767225600002_b"),
            ],
            "x.sql",
        ),
        (
            "typeorm",
            [
                ("1767225600002-Beta.ts", "queryRunner", "Beta1767225600002"),
                ("1767225600003-Alpha.ts", "queryRunner", "Alpha1767225600003"),
            ],
            "notes.ts",
        ),
        (
            "rails",
            [("20260101000001_a.rb", "", "20260101000001"), ("20260101000002_b.rb", "", "20260101000002")],
            "schema.rb",
        ),
        (
            "dbmate",
            [
                ("001_a.sql", "-- migrate:up\n", "001"),
                ("002_b.sql", "-- migrate:up\n-- migrate:down\n", "002"),
            ],
            "schema.sql",
        ),
        (
            "seaorm",
            [
                ("m20220101_000001_a.rs", "", "m20220101_000001_a"),
                ("m20220101_000002_b.rs", "", "m20220101_000002_b"),
            ],
            "lib.rs",
        ),
        (
            "diesel",
            [
                ("2026-01-01-000001_a/up.sql", "", "20260101000001"),
                ("2026-01-01-000002_b/up.sql", "", "20260101000002"),
            ],
            "x/up.sql",
        ),
    ];

    #[test]
    fn files_are_called_as_the_table_calls_them() {
        for (name, scripts, other) in SAMPLES {
            let tool = tool_named(name).unwrap();
            let mut files: Vec<FolderFile> = scripts.iter().map(|(path, text, _)| file(path, text)).collect();
            files.push(file(other, "nothing"));
            let folder = Folder::of(files);
            assert!(tool.owns(&folder), "{name}");
            let catalog = tool.catalog(&folder);
            let ids: Vec<&str> = catalog.scripts.iter().map(|script| script.id.as_str()).collect();
            assert_eq!(ids, scripts.map(|(_, _, id)| id), "{name}");
            let rows: Vec<Row> = ids.iter().map(|id| vec![Some((*id).to_owned()), None]).collect();
            assert_eq!(tool.entries(&catalog, &rows).len(), 2, "{name}");
        }
    }

    /// What each tool printed when its third script failed, as it was seen.
    const OUTPUTS: [(&str, &str, &str); 7] = [
        (
            "dbmate",
            "Applying: 2_b.sql\nApplied: 2_b.sql in 5ms\nApplying: 3_c.sql\nApplied: 3_c.sql in 5ms\n",
            "3_c.sql",
        ),
        ("knex", "migration file \"3_c.js\" failed\nmigration failed with error: no table\n", "3_c.js"),
        ("sequelize", "== 2-b: migrated (0.007s)\n\n== 3-c: migrating =======\n\nERROR: no table\n", "3-c"),
        ("typeorm", "Migration \"C3\" failed, error: SqliteError: no table\nquery: ROLLBACK\n", "C3"),
        ("node-pg-migrate", "### MIGRATION 3_c (UP) ###\nCREATE INDEX c ON nowhere (id);\n", "3_c"),
        (
            "diesel",
            "Running migration 2026-01-01-000003_c\nFailed to run migrations\n",
            "2026-01-01-000003_c",
        ),
        (
            "goose",
            "OK   2_b.sql (2.53ms)\ngoose run: ERROR 3_c.sql: failed to run SQL migration: no\n",
            "3_c.sql",
        ),
    ];

    #[test]
    fn what_a_tool_prints_tells_where_it_stopped() {
        for (name, output, stopped) in OUTPUTS {
            assert_eq!(tool_named(name).unwrap().stopped_at(output).as_deref(), Some(stopped), "{name}");
        }
        assert_eq!(tool_named("knex").unwrap().stopped_at("Already up to date\n"), None);
        let (sqlx, refinery) = (tool_named("sqlx").unwrap(), tool_named("refinery").unwrap());
        assert_eq!(
            sqlx.stopped_at("error: while executing migration 3: error returned").as_deref(),
            Some("3")
        );
        assert_eq!(refinery.stopped_at("applying migration: V3__c ...\n").as_deref(), Some("V3__c"));
    }

    #[test]
    fn a_folder_is_nobodys_but_the_tools_that_wrote_it() {
        for (name, scripts, _) in SAMPLES {
            let folder = Folder::of(scripts.iter().map(|(path, text, _)| file(path, text)).collect());
            let owners: Vec<&str> =
                TOOLS.iter().filter(|tool| tool.owns(&folder)).map(|tool| tool.name()).collect();
            assert_eq!(owners, [name]);
        }
    }
}
