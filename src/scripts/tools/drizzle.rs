//! Drizzle: files of SQL with a journal, and a table of their SHA-256 and of when they were written.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Catalog, Checksum, Entry, Fault, Folder, HistoryTable, Row, Tool, ToolScript};
use crate::crypto::Digest;

static TABLE: HistoryTable = HistoryTable {
    name: "__drizzle_migrations",
    columns: &["hash", "created_at"],
    only: false,
    order: &["created_at", "id"],
};

/// Which files are migrations, and when each was written.
pub const JOURNAL: &str = "meta/_journal.json";

/// drizzle-kit.
pub struct Drizzle;

#[derive(Deserialize)]
struct Journal {
    entries: Vec<Written>,
}

/// An entry of the journal.
#[derive(Deserialize)]
struct Written {
    /// Milliseconds since 1970.
    when: u64,
    tag: String,
}

impl Tool for Drizzle {
    fn name(&self) -> &'static str {
        "drizzle"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.file(JOURNAL).is_some()
    }

    /// Scripts are called by when they were written, which is what the table knows of them besides their digest.
    fn catalog(&self, folder: &Folder) -> Catalog {
        let mut catalog = Catalog::default();
        let Some(file) = folder.file(JOURNAL) else { return catalog };
        let journal: Journal = match serde_json::from_slice(&file.bytes) {
            Ok(journal) => journal,
            Err(error) => {
                let (file, line) = (JOURNAL.to_owned(), error.line());
                catalog.faults.push(Fault::Syntax { file, language: "Drizzle's journal", line });
                return catalog;
            }
        };
        let mut seen: BTreeMap<u64, String> = BTreeMap::new();
        for Written { when, tag } in journal.entries {
            let path = format!("{tag}.sql");
            let Some(up) = folder.file(&path) else {
                catalog.faults.push(Fault::MissingParent { id: JOURNAL.to_owned(), missing: path });
                continue;
            };
            if let Some(first) = seen.insert(when, path.clone()) {
                catalog.faults.push(Fault::Duplicate { id: when.to_string(), first, second: path });
                continue;
            }
            let checksum = Some(Checksum { value: Digest::of(&up.bytes).to_string(), exact: true });
            catalog.scripts.push(ToolScript::new(when.to_string(), Some(tag), up.clone(), checksum));
        }
        catalog
    }

    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let entry = |row: &Row| {
            let [hash, written] = row.as_slice() else { return None };
            Some(Entry { checksum: hash.clone(), ..Entry::applied(written.clone()?) })
        };
        rows.iter().filter_map(entry).collect()
    }
}
