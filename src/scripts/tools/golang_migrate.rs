//! golang-migrate: two files a version, and a table of one row, which says the last version alone.

use super::command::{Calls, Valued};
use super::files::{Pairs, number, numbered};
use super::{Catalog, Entry, Folder, HistoryTable, Row, State, Tool};

/// The version below the first one.
const NONE: &str = "-1";

static TABLE: HistoryTable = HistoryTable {
    name: "schema_migrations",
    columns: &["version", "dirty"],
    only: true,
    order: &["version"],
};

/// How it is called.
const CALLS: Calls = Calls {
    programs: &[("migrate", &[])],
    runs: &["goto", "up", "down", "drop"],
    stamps: &["force"],
    flags: &[],
    valued: Valued::These(&[
        "-path",
        "--path",
        "-source",
        "--source",
        "-database",
        "--database",
        "-prefetch",
        "--prefetch",
        "-lock-timeout",
        "--lock-timeout",
    ]),
    several: false,
};

/// golang-migrate.
pub struct GolangMigrate;

impl Tool for GolangMigrate {
    fn name(&self) -> &'static str {
        "golang-migrate"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        // The files are those of sqlx as well; a folder of them alone does not tell.
        let mut scripts = folder.files().filter(|file| file.name().ends_with(".up.sql"));
        scripts.any(|file| numbered(file.name(), &['_']).is_some())
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files() {
            let Some((version, rest)) = numbered(file.name(), &['_']) else { continue };
            let id = number(version).to_string();
            // What follows the direction is the kind of database.
            if let Some((name, _)) = rest.split_once(".up.") {
                pairs.up(&id, name, file, &mut catalog.faults);
            } else if rest.contains(".down.") {
                pairs.down(&id, file);
            }
        }
        catalog.scripts = pairs.scripts(number);
        catalog
    }

    /// All versions up to the one in the row: golang-migrate skips a file that comes later below it, and never says so.
    fn entries(&self, catalog: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let Some([Some(last), dirty]) = rows.first().map(Vec::as_slice) else { return Vec::new() };
        let failed = matches!(dirty.as_deref(), Some("true" | "t" | "1"));
        let below = catalog.scripts.iter().map(|script| &script.id).filter(|id| place(id) < place(last));
        let mut entries: Vec<Entry> = below.map(Entry::applied).collect();
        let state = if failed { State::Failed } else { State::Applied };
        entries.push(Entry { state, ..Entry::applied(last) });
        entries
    }

    /// The row has where a run wanted to go, not what it ran: where a version that was applied before is called
    /// unfinished, the way down to it failed, which is that of the version above.
    fn since(&self, before: &[Entry], after: &[Entry]) -> Vec<Entry> {
        let mut entries = after.to_vec();
        let Some(last) = entries.last_mut().filter(|last| last.state == State::Failed) else {
            return entries;
        };
        let applied = |entry: &&Entry| entry.state == State::Applied;
        let above = before.iter().filter(applied).filter(|entry| place(&entry.id) > place(&last.id));
        let was_applied = before.iter().filter(applied).any(|entry| entry.id == last.id);
        let Some(left) = above.min_by_key(|entry| place(&entry.id)) else { return entries };
        match (was_applied, last.id.as_str()) {
            (true, _) => {
                last.state = State::Applied;
                entries.push(Entry { state: State::Failed, ..left.clone() });
            }
            (false, NONE) => *last = Entry { state: State::Failed, ..left.clone() },
            (false, _) => {}
        }
        entries
    }

    fn calls(&self) -> &Calls {
        &CALLS
    }

    /// While its table says `dirty`, it runs nothing.
    fn mending(&self, _: &str) -> Option<String> {
        let below = "the version that the database is then at, or -1 for none";
        Some(format!("run `greffe record -- migrate -path … -database … force VERSION` with {below}"))
    }
}

/// Where a version stands among the others; a number that none of its files can have stands below them.
fn place(version: &str) -> Option<u128> {
    (version != NONE).then(|| number(version))
}

#[cfg(test)]
mod tests {
    use super::super::FolderFile;
    use super::*;

    fn standing(catalog: &Catalog, version: &str, dirty: &str) -> Vec<Entry> {
        GolangMigrate.entries(catalog, &[vec![Some(version.to_owned()), Some(dirty.to_owned())]])
    }

    #[test]
    fn a_way_down_that_failed_is_told_from_a_way_up() {
        let file = |path: &str| FolderFile { path: path.to_owned(), bytes: Vec::new() };
        let folder = ["1_a.up.sql", "2_b.up.sql", "3_c.up.sql"].map(file).to_vec();
        let catalog = GolangMigrate.catalog(&Folder::of(folder));
        let failed = |entries: Vec<Entry>| {
            let (failed, applied): (Vec<Entry>, Vec<Entry>) =
                entries.into_iter().partition(|entry| entry.state == State::Failed);
            [applied, failed]
                .map(|entries| entries.into_iter().map(|entry| entry.id).collect::<Vec<_>>().join(" "))
        };
        let two = standing(&catalog, "2", "false");
        let since = |version: &str| failed(GolangMigrate.since(&two, &standing(&catalog, version, "true")));
        assert_eq!(since("3"), ["1 2", "3"]);
        assert_eq!(since("1"), ["1", "2"]);
        assert_eq!(since("-1"), ["", "1"]);
        assert_eq!(failed(standing(&catalog, "-1", "1")), ["", "-1"]);
        assert_eq!(failed(GolangMigrate.since(&[], &standing(&catalog, "2", "1"))), ["1", "2"]);
    }
}
