//! goose: one file with both ways, `-- +goose Up` and `-- +goose Down`, and a table in which versions come and go.

use std::collections::BTreeMap;

use super::files::{Pairs, number, numbered};
use super::listed::{announced, says};
use super::{Catalog, Entry, Folder, FolderFile, HistoryTable, Row, Tool};

static TABLE: HistoryTable = HistoryTable {
    name: "goose_db_version",
    columns: &["version_id", "is_applied", "tstamp"],
    only: false,
    order: &["id"],
};

/// goose.
pub struct Goose;

impl Tool for Goose {
    fn name(&self) -> &'static str {
        "goose"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(|file| version(file).is_some() && says(file, "-- +goose up"))
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files() {
            if let Some((version, name)) = version(file) {
                pairs.up(&number(version).to_string(), name, file, &mut catalog.faults);
            }
        }
        catalog.scripts = pairs.scripts(number);
        catalog
    }

    /// The last row of a version counts; the table begins with one of version 0, which is no script.
    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let mut standing: BTreeMap<u128, Option<Entry>> = BTreeMap::new();
        for row in rows {
            let [Some(version), applied, at] = row.as_slice() else { continue };
            let is_applied = matches!(applied.as_deref(), Some("true" | "t" | "1"));
            let entry = is_applied.then(|| Entry { at: at.clone(), ..Entry::applied(version.clone()) });
            standing.insert(number(version), entry);
        }
        standing.into_iter().filter(|(version, _)| *version != 0).filter_map(|(_, entry)| entry).collect()
    }

    fn stopped_at(&self, output: &str) -> Option<String> {
        announced(output, &[("ERROR ", ": ")])
    }
}

fn version(file: &FolderFile) -> Option<(&str, &str)> {
    let name = file.name();
    let stem = name
        .strip_suffix(".sql")
        .or_else(|| name.strip_suffix(".go").filter(|stem| !stem.ends_with("_test")))?;
    numbered(stem, &['_'])
}
