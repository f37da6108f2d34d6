//! Atlas: files of SQL with a sum over all of them, and a table of revisions that says how far each came.

use super::command::{Calls, Valued};
use super::files::Pairs;
use super::{Catalog, Checksum, Entry, Folder, FolderFile, HistoryTable, Row, State, Tool};
use sha2::{Digest as _, Sha256};

static TABLE: HistoryTable = HistoryTable {
    name: "atlas_schema_revisions",
    columns: &["version", "hash", "executed_at", "applied", "total", "error"],
    only: false,
    order: &["version"],
};

const SUM: &str = "atlas.sum";

/// How it is called.
const CALLS: Calls = Calls {
    programs: &[("atlas", &["migrate"])],
    runs: &["apply", "down"],
    stamps: &["set"],
    flags: &[],
    valued: Valued::These(&["-c", "--config", "--env", "--var", "--url", "-u", "--dir"]),
    several: false,
};

/// Atlas.
pub struct Atlas;

impl Tool for Atlas {
    fn name(&self) -> &'static str {
        "atlas"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.file(SUM).is_some()
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        // One sum goes on over all files, and what it is after a file is that file's hash.
        let mut sum = Sha256::new();
        let mut hashes = std::collections::HashMap::new();
        for file in folder.files().filter(|file| is_script(file)) {
            sum.update(file.path.as_bytes());
            sum.update(&file.bytes);
            let stem = file.stem();
            let (version, name) = stem.split_once('_').unwrap_or((stem, ""));
            pairs.up(version, name, file, &mut catalog.faults);
            hashes.insert(version.to_owned(), data_encoding::BASE64.encode(&sum.clone().finalize()));
        }
        catalog.scripts = pairs.scripts(str::to_owned);
        for script in &mut catalog.scripts {
            let value = hashes.remove(&script.id);
            script.checksum = value.map(|value| Checksum { value, exact: true });
        }
        catalog
    }

    /// A revision of which less was applied than there is failed, or goes on where it stopped.
    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let entry = |row: &Row| {
            let [Some(id), checksum, at, applied, total, error] = row.as_slice() else { return None };
            // Atlas notes itself under this name.
            if id == ".atlas_cloud_identifier" {
                return None;
            }
            let whole = applied == total && error.as_deref().unwrap_or_default().is_empty();
            let state = if whole { State::Applied } else { State::Failed };
            Some(Entry { id: id.clone(), checksum: checksum.clone(), at: at.clone(), state })
        };
        rows.iter().filter_map(entry).collect()
    }

    fn calls(&self) -> &Calls {
        &CALLS
    }
}

fn is_script(file: &FolderFile) -> bool {
    !file.path.contains('/') && file.name().ends_with(".sql")
}
