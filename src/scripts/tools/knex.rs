//! Knex: files of JavaScript or TypeScript, and a table of file names and batches.

use super::command::Calls;
use super::files::numbered;
use super::listed::{Listed, Named, as_text, is_ecmascript, mentions};
use super::{FolderFile, HistoryTable};

/// Knex.
pub static KNEX: Listed = Listed {
    name: "knex",
    table: HistoryTable {
        name: "knex_migrations",
        columns: &["name", "migration_time"],
        only: false,
        order: &["id"],
    },
    owns: |folder| folder.files().any(|file| script(file).is_some() && written_for_knex(file)),
    script,
    order: as_text,
    calls: Calls::NONE,
    announces: &[("migration file \"", "\" failed")],
};

fn script(file: &FolderFile) -> Option<Named<'_>> {
    let (_, name) = numbered(file.stem(), &['_'])?;
    is_ecmascript(file).then(|| Named::up(file.name(), name))
}

fn written_for_knex(file: &FolderFile) -> bool {
    (mentions(file, "exports.up") || mentions(file, "knex"))
        && !mentions(file, "queryInterface")
        && !mentions(file, "pgm")
}
