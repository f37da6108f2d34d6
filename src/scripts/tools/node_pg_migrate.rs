//! node-pg-migrate: files of JavaScript, TypeScript or SQL, and a table of names without their ends.

use super::command::{Calls, Valued};
use super::files::numbered;
use super::listed::{Listed, Named, as_text, is_ecmascript, mentions, says};
use super::{FolderFile, HistoryTable};

/// node-pg-migrate.
pub static NODE_PG_MIGRATE: Listed = Listed {
    name: "node-pg-migrate",
    table: HistoryTable { name: "pgmigrations", columns: &["name", "run_on"], only: false, order: &["id"] },
    owns: |folder| {
        folder
            .files()
            .any(|file| script(file).is_some() && (mentions(file, "pgm") || says(file, "-- up migration")))
    },
    script,
    order: as_text,
    calls: Calls {
        programs: &[("node-pg-migrate", &[])],
        runs: &["up", "down", "redo"],
        stamps: &[],
        flags: &["--fake"],
        valued: Valued::These(&[
            "-m",
            "--migrations-dir",
            "-t",
            "--migrations-table",
            "-s",
            "--schema",
            "-d",
            "--database-url-var",
            "-f",
            "--config-file",
        ]),
        several: false,
    },
    announces: &[("### MIGRATION ", " (")],
};

fn script(file: &FolderFile) -> Option<Named<'_>> {
    let (_, name) = numbered(file.stem(), &['_', '-'])?;
    (is_ecmascript(file) || file.name().ends_with(".sql")).then(|| Named::up(file.stem(), name))
}
