//! Sequelize and umzug: files of JavaScript, and a table of file names.

use super::files::{Pairs, numbered};
use super::{Catalog, Entry, Folder, FolderFile, HistoryTable, Row, Tool};

static TABLE: HistoryTable =
    HistoryTable { name: "SequelizeMeta", columns: &["name"], only: false, order: &["name"] };

/// Sequelize.
pub struct Sequelize;

impl Tool for Sequelize {
    fn name(&self) -> &'static str {
        "sequelize"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(|file| is_script(file) && names(&file.bytes, b"queryInterface"))
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files().filter(|file| is_script(file)) {
            if let Some((_, name)) = numbered(file.stem(), &['-', '_']) {
                pairs.up(file.name(), name, file, &mut catalog.faults);
            }
        }
        catalog.scripts = pairs.scripts(str::to_owned);
        catalog
    }

    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        rows.iter().filter_map(|row| row.first()?.clone()).map(Entry::applied).collect()
    }
}

fn is_script(file: &FolderFile) -> bool {
    let name = file.name();
    let written =
        ["js", "ts", "mjs", "cjs", "mts", "cts"].iter().any(|end| name.rsplit('.').next() == Some(end));
    written && !name.ends_with(".d.ts")
}

/// Whether a word stands somewhere in a file.
pub fn names(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}
