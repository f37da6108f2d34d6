//! sqlx, its command and its library: files of a version, up and down, and a table with SHA-384 of the way up.

use sha2::{Digest as _, Sha384};

use super::command::{Calls, Valued};
use super::drizzle;
use super::files::{Pairs, number, numbered};
use super::listed::{announced, says};
use super::{Catalog, Checksum, Entry, Folder, FolderFile, HistoryTable, Row, State, Tool};

static TABLE: HistoryTable = HistoryTable {
    name: "_sqlx_migrations",
    columns: &["version", "installed_on", "success", "checksum"],
    only: false,
    order: &["version"],
};

const MARKS: [&str; 3] = ["-- migrate:up", "-- +goose up", "-- up migration"];

/// How it is called.
const CALLS: Calls = Calls {
    programs: &[("sqlx", &["migrate"]), ("cargo-sqlx", &["migrate"])],
    runs: &["run", "revert"],
    stamps: &["override"],
    flags: &[],
    valued: Valued::These(&["--source", "-D", "--database-url"]),
    several: false,
};

/// sqlx.
pub struct Sqlx;

impl Tool for Sqlx {
    fn name(&self) -> &'static str {
        "sqlx"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        let is_script =
            |file: &&FolderFile| file.name().ends_with(".sql") && numbered(file.name(), &['_']).is_some();
        let mut scripts = folder.files().filter(is_script).peekable();
        // Marks of tools whose files are called alike, and the journal of one.
        folder.file(drizzle::JOURNAL).is_none()
            && scripts.peek().is_some()
            && !scripts.any(|file| MARKS.iter().any(|mark| says(file, mark)))
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        // Folders below are not looked into.
        for file in folder.files().filter(|file| !file.path.contains('/')) {
            let Some((version, rest)) = numbered(file.name(), &['_']) else { continue };
            let Some(name) = rest.strip_suffix(".sql") else { continue };
            let id = number(version).to_string();
            match name.strip_suffix(".down") {
                Some(_) => pairs.down(&id, file),
                None => pairs.up(&id, name.strip_suffix(".up").unwrap_or(name), file, &mut catalog.faults),
            }
        }
        catalog.scripts = pairs.scripts(number);
        for script in &mut catalog.scripts {
            let value = data_encoding::HEXLOWER.encode(&Sha384::digest(&script.up.bytes));
            script.checksum = Some(Checksum { value, exact: true });
        }
        catalog
    }

    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let entry = |row: &Row| {
            let [version, at, success, checksum] = row.as_slice() else { return None };
            let failed = matches!(success.as_deref(), Some("false" | "f" | "0"));
            let state = if failed { State::Failed } else { State::Applied };
            Some(Entry { id: version.clone()?, at: at.clone(), checksum: checksum.clone(), state })
        };
        rows.iter().filter_map(entry).collect()
    }

    fn calls(&self) -> &Calls {
        &CALLS
    }

    fn stopped_at(&self, output: &str) -> Option<String> {
        announced(output, &[("while executing migration ", ":")])
    }
}
