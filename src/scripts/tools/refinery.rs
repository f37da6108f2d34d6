//! refinery: `V1__name.sql` without ways down, and a table with a checksum of 64 bits.

use std::hash::{Hash as _, Hasher as _};

use siphasher::sip::SipHasher13;

use super::command::{Calls, Valued};
use super::files::{Pairs, number};
use super::listed::announced;
use super::{Catalog, Checksum, Entry, Folder, FolderFile, HistoryTable, Row, Tool};

static TABLE: HistoryTable = HistoryTable {
    name: "refinery_schema_history",
    columns: &["version", "applied_on", "checksum"],
    only: false,
    order: &["version"],
};

/// How it is called.
const CALLS: Calls = Calls {
    programs: &[("refinery", &[])],
    runs: &["migrate"],
    stamps: &[],
    flags: &["-f", "--fake"],
    valued: Valued::These(&[
        "-c",
        "--config",
        "-p",
        "--path",
        "-e",
        "--env-var",
        "-t",
        "--target",
        "--table-name",
    ]),
    several: false,
};

/// refinery.
pub struct Refinery;

impl Tool for Refinery {
    fn name(&self) -> &'static str {
        "refinery"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, _: &Folder) -> bool {
        // Its files are Flyway's as well.
        false
    }

    fn may_own(&self, folder: &Folder) -> bool {
        folder.files().any(|file| version(file).is_some())
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files() {
            if let Some((version, name)) = version(file) {
                pairs.up(&number(version).to_string(), name, file, &mut catalog.faults);
            }
        }
        catalog.scripts = pairs.scripts(number);
        for script in &mut catalog.scripts {
            let name = script.name.as_deref().unwrap_or_default();
            script.checksum = checksum(name, &script.id, &script.up.bytes);
        }
        catalog
    }

    /// When it was applied is when the run was planned: one time for all scripts of a run.
    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let entry = |row: &Row| {
            let [version, at, checksum] = row.as_slice() else { return None };
            Some(Entry { at: at.clone(), checksum: checksum.clone(), ..Entry::applied(version.clone()?) })
        };
        rows.iter().filter_map(entry).collect()
    }

    fn calls(&self) -> &Calls {
        &CALLS
    }

    fn stopped_at(&self, output: &str) -> Option<String> {
        announced(output, &[("applying migration: ", " ...")])
    }
}

fn version(file: &FolderFile) -> Option<(&str, &str)> {
    let stem = file.name().strip_suffix(".sql").or_else(|| file.name().strip_suffix(".rs"))?;
    let (version, name) = stem.strip_prefix(['V', 'U'])?.split_once("__")?;
    let digits = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some((version, name))
}

/// SipHash-1-3 without a key over name, version and text, as `Hash` of Rust writes them.
fn checksum(name: &str, version: &str, sql: &[u8]) -> Option<Checksum> {
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    version.parse::<i32>().ok()?.hash(&mut hasher);
    str::from_utf8(sql).ok()?.hash(&mut hasher);
    Some(Checksum { value: hasher.finish().to_string(), exact: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_refinery() {
        let checksum = checksum("create", "1", b"CREATE TABLE a(id int);\n").unwrap();
        assert_eq!(checksum.value, "7595990901947564662");
    }
}
