//! node-pg-migrate: files of JavaScript, TypeScript or SQL, and a table of names without their ends.

use super::dbmate::says;
use super::files::{Pairs, numbered};
use super::sequelize::names;
use super::{Catalog, Entry, Folder, FolderFile, HistoryTable, Row, Tool};

static TABLE: HistoryTable =
    HistoryTable { name: "pgmigrations", columns: &["name", "run_on"], only: false, order: &["id"] };

/// NodePgMigrate.
pub struct NodePgMigrate;

impl Tool for NodePgMigrate {
    fn name(&self) -> &'static str {
        "node-pg-migrate"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(|file| {
            is_script(file) && (says(&file.bytes, "-- up migration") || names(&file.bytes, b"pgm."))
        })
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files().filter(|file| is_script(file)) {
            if let Some((_, name)) = numbered(file.stem(), &['_', '-']) {
                pairs.up(file.stem(), name, file, &mut catalog.faults);
            }
        }
        catalog.scripts = pairs.scripts(str::to_owned);
        catalog
    }

    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let entry =
            |row: &Row| Some(Entry { at: row.get(1)?.clone(), ..Entry::applied(row.first()?.clone()?) });
        rows.iter().filter_map(entry).collect()
    }

    fn stamps(&self, command: &[String]) -> bool {
        command.iter().any(|word| word == "--fake")
    }
}

fn is_script(file: &FolderFile) -> bool {
    let name = file.name();
    let written = ["js", "ts", "mjs", "cjs", "mts", "cts", "sql"]
        .iter()
        .any(|end| name.rsplit('.').next() == Some(end));
    written && !name.ends_with(".d.ts")
}
