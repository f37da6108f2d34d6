//! dbmate: one file with both ways, `-- migrate:up` and `-- migrate:down`, and a table of versions.

use super::files::{Pairs, numbered};
use super::{Catalog, Entry, Folder, FolderFile, HistoryTable, Row, Tool};

static TABLE: HistoryTable =
    HistoryTable { name: "schema_migrations", columns: &["version"], only: true, order: &["version"] };

/// dbmate.
pub struct Dbmate;

impl Tool for Dbmate {
    fn name(&self) -> &'static str {
        "dbmate"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(|file| version(file).is_some() && says(&file.bytes, "-- migrate:up"))
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files() {
            if let Some((version, name)) = version(file) {
                pairs.up(version, name, file, &mut catalog.faults);
            }
        }
        // Versions are compared as texts.
        catalog.scripts = pairs.scripts(str::to_owned);
        catalog
    }

    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        rows.iter().filter_map(|row| row.first()?.clone()).map(Entry::applied).collect()
    }
}

fn version(file: &FolderFile) -> Option<(&str, &str)> {
    numbered(file.name().strip_suffix(".sql")?, &['_'])
}

/// Whether a line of the file begins so.
pub fn says(bytes: &[u8], mark: &str) -> bool {
    bytes
        .split(|byte| *byte == b'\n')
        .any(|line| line.get(..mark.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(mark.as_bytes())))
}
