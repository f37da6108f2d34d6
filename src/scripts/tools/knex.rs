//! Knex: files of JavaScript or TypeScript, and a table of file names and batches.

use super::dbmate::says;
use super::files::{Pairs, numbered};
use super::{Catalog, Entry, Folder, FolderFile, HistoryTable, Row, Tool};

static TABLE: HistoryTable = HistoryTable {
    name: "knex_migrations",
    columns: &["name", "migration_time"],
    only: false,
    order: &["id"],
};

/// Knex.
pub struct Knex;

impl Tool for Knex {
    fn name(&self) -> &'static str {
        "knex"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(|file| is_script(file) && says(&file.bytes, "exports.up"))
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files().filter(|file| is_script(file)) {
            if let Some((_, name)) = numbered(file.stem(), &['_']) {
                pairs.up(file.name(), name, file, &mut catalog.faults);
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
}

fn is_script(file: &FolderFile) -> bool {
    let name = file.name();
    let written =
        ["js", "ts", "mjs", "cjs", "mts", "cts"].iter().any(|end| name.rsplit('.').next() == Some(end));
    written && !name.ends_with(".d.ts")
}
