//! golang-migrate: two files a version, and a table of one row, which says the last version alone.

use super::files::{Pairs, number, numbered};
use super::{Catalog, Entry, Folder, HistoryTable, Row, State, Tool};

static TABLE: HistoryTable = HistoryTable {
    name: "schema_migrations",
    columns: &["version", "dirty"],
    only: true,
    order: &["version"],
};

/// golang-migrate.
pub struct GolangMigrate;

impl Tool for GolangMigrate {
    fn name(&self) -> &'static str {
        "golang-migrate"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        // The files are those of sqlx as well; a folder of them alone does not tell.
        let mut scripts = folder.files().filter(|file| file.name().ends_with(".up.sql"));
        scripts.any(|file| numbered(file.name(), &['_']).is_some())
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files() {
            let Some((version, rest)) = numbered(file.name(), &['_']) else { continue };
            let id = number(version).to_string();
            // What follows the direction is the kind of database.
            if let Some((name, _)) = rest.split_once(".up.") {
                pairs.up(&id, name, file, &mut catalog.faults);
            } else if rest.contains(".down.") {
                pairs.down(&id, file);
            }
        }
        catalog.scripts = pairs.scripts(number);
        catalog
    }

    /// All versions up to the one in the row: golang-migrate skips a file that comes later below it, and never says so.
    fn entries(&self, catalog: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let Some([Some(last), dirty]) = rows.first().map(Vec::as_slice) else { return Vec::new() };
        let failed = matches!(dirty.as_deref(), Some("true" | "t" | "1"));
        let newest = number(last);
        let below = catalog.scripts.iter().map(|script| &script.id).filter(|id| number(id) < newest);
        let mut entries: Vec<Entry> = below.map(Entry::applied).collect();
        let state = if failed { State::Failed } else { State::Applied };
        entries.push(Entry { state, ..Entry::applied(newest.to_string()) });
        entries
    }

    fn stamps(&self, command: &[String]) -> bool {
        command.iter().any(|word| word == "force")
    }
}
