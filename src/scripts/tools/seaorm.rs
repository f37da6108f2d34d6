//! SeaORM: modules of Rust whose names begin with `m` and a time, and a table of these names.

use super::files::{Pairs, numbered};
use super::{Catalog, Entry, Folder, FolderFile, HistoryTable, Row, Tool};

static TABLE: HistoryTable = HistoryTable {
    name: "seaql_migrations",
    columns: &["version", "applied_at"],
    only: false,
    order: &["version"],
};

/// SeaORM.
pub struct SeaOrm;

impl Tool for SeaOrm {
    fn name(&self) -> &'static str {
        "seaorm"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(|file| name(file).is_some())
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files() {
            if let Some(name) = name(file) {
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

    fn stamps(&self, _: &[String]) -> bool {
        false
    }
}

/// What follows the time in `m20220101_000001_name.rs`.
fn name(file: &FolderFile) -> Option<&str> {
    let stem = file.name().strip_suffix(".rs")?.strip_prefix('m')?;
    let (day, rest) = numbered(stem, &['_'])?;
    let (_, name) = numbered(rest, &['_'])?;
    (day.len() == 8).then_some(name)
}
