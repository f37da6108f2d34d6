//! Prisma: a folder for each migration with `migration.sql`, and a table with a row for each attempt.

use std::collections::BTreeMap;

use super::command::{Calls, Valued};
use super::files::Pairs;
use super::{Catalog, Checksum, Entry, Folder, FolderFile, HistoryTable, Row, State, Tool, is_plain_word};
use crate::crypto::Digest;

static TABLE: HistoryTable = HistoryTable {
    name: "_prisma_migrations",
    columns: &["migration_name", "checksum", "finished_at", "rolled_back_at"],
    only: false,
    order: &["started_at"],
};

/// How it is called.
const CALLS: Calls = Calls {
    programs: &[("prisma", &["migrate"])],
    runs: &["deploy", "dev", "reset"],
    stamps: &["resolve"],
    flags: &[],
    valued: Valued::These(&["--schema", "--config"]),
    several: false,
};

/// Prisma.
pub struct Prisma;

impl Tool for Prisma {
    fn name(&self) -> &'static str {
        "prisma"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(|file| name(file).is_some())
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files() {
            if let Some(id) = name(file) {
                let name = id.split_once('_').map_or("", |(_, name)| name);
                pairs.up(id, name, file, &mut catalog.faults);
            }
        }
        catalog.scripts = pairs.scripts(str::to_owned);
        for script in &mut catalog.scripts {
            let value = Digest::of(&script.up.bytes).to_string();
            script.checksum = Some(Checksum { value, exact: true });
        }
        catalog
    }

    /// The last attempt counts, unless it was said to be rolled back.
    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let mut standing: BTreeMap<&str, Option<Entry>> = BTreeMap::new();
        for row in rows {
            let [Some(id), checksum, at, undone] = row.as_slice() else { continue };
            let state = if at.is_some() { State::Applied } else { State::Failed };
            let (id, checksum, at) = (id.as_str(), checksum.clone(), at.clone());
            let entry = undone.is_none().then(|| Entry { id: id.to_owned(), checksum, at, state });
            standing.insert(id, entry);
        }
        standing.into_values().flatten().collect()
    }

    fn calls(&self) -> &Calls {
        &CALLS
    }

    fn mending(&self, id: &str) -> Option<String> {
        let id = if is_plain_word(id) { id } else { "NAME" };
        let command = format!("`greffe record -- prisma migrate resolve --rolled-back {id}`");
        Some(format!("run {command}, or the same with `--applied`"))
    }
}

fn name(file: &FolderFile) -> Option<&str> {
    let folder = file.path.strip_suffix("/migration.sql")?;
    Some(folder.rsplit('/').next().unwrap_or(folder))
}
