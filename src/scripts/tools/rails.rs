//! Rails: files of Ruby whose names begin with a time, and a table of these times.

use super::files::{Pairs, numbered};
use super::{Catalog, Entry, Folder, FolderFile, HistoryTable, Row, Tool};

static TABLE: HistoryTable =
    HistoryTable { name: "schema_migrations", columns: &["version"], only: true, order: &["version"] };

/// Rails.
pub struct Rails;

impl Tool for Rails {
    fn name(&self) -> &'static str {
        "rails"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(|file| version(file).is_some())
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files() {
            if let Some((version, name)) = version(file) {
                pairs.up(version, name, file, &mut catalog.faults);
            }
        }
        catalog.scripts = pairs.scripts(super::files::number);
        catalog
    }

    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        rows.iter().filter_map(|row| row.first()?.clone()).map(Entry::applied).collect()
    }
}

fn version(file: &FolderFile) -> Option<(&str, &str)> {
    numbered(file.name().strip_suffix(".rb")?, &['_'])
}
