//! Flyway: versioned, repeatable and undo scripts, and a table in which every run adds rows.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crc::{CRC_32_ISO_HDLC, Crc};

use super::command::{Calls, Valued};
use super::{
    AGAIN, Catalog, Checksum, Entry, Fault, Folder, FolderFile, HistoryTable, Row, State, Tool, ToolScript,
};

static TABLE: HistoryTable = HistoryTable {
    name: "flyway_schema_history",
    columns: &["version", "description", "type", "checksum", "installed_on", "success"],
    only: false,
    order: &["installed_rank"],
};

const CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// How it is called.
const CALLS: Calls = Calls {
    programs: &[("flyway", &[])],
    runs: &["migrate", "undo", "clean", "deploy"],
    stamps: &["baseline", "repair"],
    flags: &[],
    valued: Valued::These(&[]),
    several: true,
};

/// Flyway.
pub struct Flyway;

impl Tool for Flyway {
    fn name(&self) -> &'static str {
        "flyway"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(|file| matches!(named(file), Some(Named { kind: 'V' | 'R', .. })))
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let mut catalog = Catalog::default();
        let mut undo: BTreeMap<String, FolderFile> = BTreeMap::new();
        let mut found: Vec<ToolScript> = Vec::new();
        for file in folder.files() {
            let Some(Named { kind, version, description }) = named(file) else { continue };
            let id = match kind {
                'U' => {
                    undo.insert(normal(version), file.clone());
                    continue;
                }
                'R' => repeatable(&description),
                _ => normal(version),
            };
            if let Some(first) = found.iter().find(|script| script.id == id) {
                let (first, second) = (first.up.path.clone(), file.path.clone());
                catalog.faults.push(Fault::Duplicate { id, first, second });
                continue;
            }
            let checksum = Some(Checksum { value: checksum(&file.bytes).to_string(), exact: false });
            found.push(ToolScript::new(id, Some(description), file.clone(), checksum));
        }
        for script in &mut found {
            script.down = undo.remove(&script.id);
        }
        // Repeatable scripts come after all others, by their descriptions.
        found.sort_by(|a, b| by_version(&a.id, &b.id));
        catalog.scripts = found;
        catalog
    }

    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let mut standing: BTreeMap<String, (usize, Entry)> = BTreeMap::new();
        let mut runs: BTreeMap<String, usize> = BTreeMap::new();
        for (place, row) in rows.iter().enumerate() {
            let [version, description, kind, checksum, at, success] = row.as_slice() else { continue };
            let id = match (version, description) {
                (Some(version), _) => normal(version),
                // Each run of a repeatable script is one of its own: none undoes the one before.
                (None, Some(description)) if kind.as_deref() == Some("SQL") => {
                    let id = repeatable(description);
                    let run = runs.entry(id.clone()).or_default();
                    *run += 1;
                    if *run == 1 { id } else { format!("{id}{AGAIN}{run}") }
                }
                (None, Some(description)) => repeatable(description),
                (None, None) => continue,
            };
            let kind = kind.as_deref().unwrap_or_default();
            if kind == "SCHEMA" {
                continue;
            }
            let failed = matches!(success.as_deref(), Some("false" | "f" | "0"));
            if (kind == "DELETE" || kind.starts_with("UNDO")) && !failed {
                let run_of =
                    |other: &str| other.strip_prefix(&id).is_some_and(|rest| rest.starts_with(AGAIN));
                standing.retain(|other, _| *other != id && !run_of(other));
                continue;
            }
            let state = match kind {
                _ if failed => State::Failed,
                "BASELINE" => State::Marked,
                _ => State::Applied,
            };
            let entry = Entry { checksum: checksum.clone(), at: at.clone(), state, id: id.clone() };
            standing.insert(id, (place, entry));
        }
        let mut entries: Vec<(usize, Entry)> = standing.into_values().collect();
        entries.sort_by_key(|(place, _)| *place);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    fn calls(&self) -> &Calls {
        &CALLS
    }

    fn stopped_at(&self, output: &str) -> Option<String> {
        let begun = |line: &str| {
            let (_, begun) = line.strip_prefix("Migrating schema ")?.split_once("\" ")?;
            if let Some(version) = begun.strip_prefix("to version \"") {
                return Some(normal(version.split_once([' ', '"'])?.0));
            }
            Some(repeatable(begun.strip_prefix("with repeatable migration \"")?.split_once('"')?.0))
        };
        output.lines().filter_map(begun).next_back()
    }

    fn mending(&self, _: &str) -> Option<String> {
        Some("run `greffe record -- flyway repair`, which takes the row away".to_owned())
    }

    fn printed_version<'a>(&self, output: &'a str) -> Option<&'a str> {
        let line = output.lines().find(|line| line.starts_with("Flyway ") && line.contains(" Edition "))?;
        line.split_once(" Edition ")?.1.split(' ').next()
    }
}

/// The events at which Flyway runs a script of its name, perhaps with `__` and a description behind it.
const EVENTS: [&str; 42] = [
    "beforeMigrate",
    "beforeRepeatables",
    "beforeEachMigrate",
    "beforeEachMigrateStatement",
    "afterEachMigrateStatement",
    "afterEachMigrateStatementError",
    "afterEachMigrate",
    "afterEachMigrateError",
    "afterMigrate",
    "afterMigrateApplied",
    "afterVersioned",
    "afterMigrateError",
    "beforeUndo",
    "beforeEachUndo",
    "beforeEachUndoStatement",
    "afterEachUndoStatement",
    "afterEachUndoStatementError",
    "afterEachUndo",
    "afterEachUndoError",
    "afterUndo",
    "afterUndoError",
    "beforeClean",
    "afterClean",
    "afterCleanError",
    "beforeInfo",
    "afterInfo",
    "afterInfoError",
    "beforeValidate",
    "afterValidate",
    "afterValidateError",
    "beforeBaseline",
    "afterBaseline",
    "afterBaselineError",
    "beforeRepair",
    "afterRepair",
    "afterRepairError",
    "beforeCreateSchema",
    "beforeConnect",
    "afterConnect",
    "beforeDeploy",
    "afterDeploy",
    "createSchema",
];

/// Whether a file of this name is a callback.
pub fn is_callback(name: &str) -> bool {
    let event = name.strip_suffix(".sql").map(|stem| stem.split("__").next().unwrap_or(stem));
    event.is_some_and(|event| EVENTS.contains(&event))
}

/// What a file name says: `V1.2__description.sql`, `U…`, `R__description.sql`, `B…`.
struct Named<'a> {
    kind: char,
    version: &'a str,
    description: String,
}

fn named(file: &FolderFile) -> Option<Named<'_>> {
    let stem = file.name().strip_suffix(".sql")?;
    let kind = stem.chars().next().filter(|kind| matches!(kind, 'V' | 'U' | 'R' | 'B'))?;
    let (version, description) = stem.get(1..)?.split_once("__")?;
    let sound =
        version.split(['.', '_']).all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    (sound != (kind == 'R')).then(|| Named { kind, version, description: description.replace('_', " ") })
}

/// A version as Flyway compares it: points for underscores, no zeros before a number or after the last one.
fn normal(version: &str) -> String {
    let version = version.replace('_', ".");
    let mut parts: Vec<&str> = version
        .split('.')
        .map(|part| Some(part.trim_start_matches('0')).filter(|part| !part.is_empty()).unwrap_or("0"))
        .collect();
    while parts.len() > 1 && parts.last() == Some(&"0") {
        parts.pop();
    }
    parts.join(".")
}

fn repeatable(description: &str) -> String {
    format!("R__{description}")
}

fn by_version(a: &str, b: &str) -> Ordering {
    let key = |id: &str| {
        let repeatable = id.starts_with("R__");
        let parts: Vec<u128> = id.split('.').map(super::files::number).collect();
        (repeatable, if repeatable { Vec::new() } else { parts }, id.to_owned())
    };
    key(a).cmp(&key(b))
}

/// The CRC-32 of all lines without their ends, which Flyway's table has as a signed number.
pub fn checksum(bytes: &[u8]) -> i32 {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = String::from_utf8_lossy(text);
    let mut digest = CRC32.digest();
    for line in text.split('\n') {
        for part in line.strip_suffix('\r').unwrap_or(line).split('\r') {
            digest.update(part.as_bytes());
        }
    }
    digest.finalize().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> FolderFile {
        FolderFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn versions_are_ordered_by_their_numbers_and_repeatables_come_last() {
        let folder = Folder::of(vec![
            file("V10__ten.sql", ""),
            file("V2.1__two_one.sql", ""),
            file("V2__two.sql", ""),
            file("U2__two.sql", "undo"),
            file("sub/V1_5__old.sql", ""),
            file("R__views.sql", ""),
            file("V2.0__again.sql", ""),
            file("Vx__no.sql", ""),
            file("notes.sql", ""),
        ]);
        let catalog = Flyway.catalog(&folder);
        let ids: Vec<&str> = catalog.scripts.iter().map(|script| script.id.as_str()).collect();
        assert_eq!(ids, ["1.5", "2", "2.1", "10", "R__views"]);
        assert_eq!(catalog.script("2").unwrap().down.as_ref().unwrap().path, "U2__two.sql");
        assert_eq!(catalog.faults.len(), 1, "{:?}", catalog.faults);
    }

    #[test]
    fn the_checksum_is_blind_to_line_ends() {
        let one = checksum(b"-- note\nDROP TABLE x;\n");
        assert_eq!(one, 325_924_633);
        assert_eq!([checksum(b"-- note\r\nDROP TABLE x;"), checksum(b"-- noteDROP TABLE x;")], [one, one]);
    }

    #[test]
    fn it_says_where_it_stopped() {
        let versioned = "Migrating schema \"main\" to version \"2 - two\"\nMigrating schema \"main\" to version \"3.0 - broken\"\n\
                         ERROR: Migration of schema \"main\" to version \"3.0 - broken\" failed!\n";
        assert_eq!(Flyway.stopped_at(versioned).as_deref(), Some("3"));
        let repeatable = "Migrating schema \"main\" with repeatable migration \"all views\"\nERROR: x\n";
        assert_eq!(Flyway.stopped_at(repeatable).as_deref(), Some("R__all views"));
        assert_eq!(Flyway.stopped_at("ERROR: no connection\n"), None);
    }

    #[test]
    fn only_the_newest_run_of_a_script_is_that_of_its_file() {
        let catalog = Flyway.catalog(&Folder::of(vec![
            file("R__v.sql", ""),
            file("V1__a.sql", ""),
            file("R__v#2.sql", ""),
        ]));
        let ids = ["R__v", "R__v#2", "R__v#10", "1"];
        let superseded = ids.map(|id| catalog.is_superseded(id, ids.into_iter()));
        assert_eq!(superseded, [true, false, false, false]);
        let catalog = Flyway.catalog(&Folder::of(vec![file("R__v.sql", ""), file("V1__a.sql", "")]));
        let superseded = ids.map(|id| catalog.is_superseded(id, ids.into_iter()));
        assert_eq!(superseded, [true, true, false, false]);
    }

    #[test]
    fn rows_are_read_in_their_order() {
        let row = |version: Option<&str>, description: &str, kind: &str, checksum: &str, success: &str| {
            vec![
                version.map(str::to_owned),
                Some(description.to_owned()),
                Some(kind.to_owned()),
                Some(checksum.to_owned()),
                None,
                Some(success.to_owned()),
            ]
        };
        let rows = [
            row(None, "<< Flyway Schema Creation >>", "SCHEMA", "", "true"),
            row(Some("1"), "one", "SQL", "11", "true"),
            row(Some("2"), "two", "SQL", "22", "1"),
            row(None, "views", "SQL", "33", "true"),
            row(Some("2"), "two", "UNDO_SQL", "22", "true"),
            row(None, "views", "SQL", "34", "true"),
            row(Some("3"), "three", "SQL", "44", "false"),
            row(None, "gone", "SQL", "55", "true"),
            row(None, "gone", "SQL", "56", "true"),
            row(None, "gone", "DELETE", "55", "true"),
            row(Some("4"), "<< Flyway Baseline >>", "BASELINE", "", "true"),
        ];
        let entries = Flyway.entries(&Catalog::default(), &rows);
        let told: Vec<(&str, &str, State)> = entries
            .iter()
            .map(|entry| (entry.id.as_str(), entry.checksum.as_deref().unwrap(), entry.state))
            .collect();
        assert_eq!(
            told,
            [
                ("1", "11", State::Applied),
                ("R__views", "33", State::Applied),
                ("R__views#2", "34", State::Applied),
                ("3", "44", State::Failed),
                ("4", "", State::Marked)
            ]
        );
    }
}
