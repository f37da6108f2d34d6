//! Diesel: a folder for each migration with `up.sql` and `down.sql`, and a table of versions.

use super::files::Pairs;
use super::{Catalog, Entry, Folder, FolderFile, HistoryTable, Row, Tool};

static TABLE: HistoryTable = HistoryTable {
    name: "__diesel_schema_migrations",
    columns: &["version", "run_on"],
    only: false,
    order: &["version"],
};

/// Diesel.
pub struct Diesel;

impl Tool for Diesel {
    fn name(&self) -> &'static str {
        "diesel"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(|file| file.name() == "up.sql" && version(file).is_some())
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files() {
            let Some((id, name)) = version(file) else { continue };
            match file.name() {
                "up.sql" => pairs.up(&id, name, file, &mut catalog.faults),
                "down.sql" => pairs.down(&id, file),
                _ => {}
            }
        }
        // Versions are compared as texts.
        catalog.scripts = pairs.scripts(str::to_owned);
        catalog
    }

    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let entry =
            |row: &Row| Some(Entry { at: row.get(1)?.clone(), ..Entry::applied(row.first()?.clone()?) });
        rows.iter().filter_map(entry).collect()
    }
}

/// What stands before the first underscore of the folder's name, without hyphens; and what follows it.
fn version(file: &FolderFile) -> Option<(String, &str)> {
    let folder = file.path.rsplit_once('/')?.0;
    let (version, name) = folder.rsplit('/').next()?.split_once('_')?;
    let version = version.replace('-', "");
    (!version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())).then_some((version, name))
}
