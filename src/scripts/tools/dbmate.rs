//! dbmate: one file with both ways, `-- migrate:up` and `-- migrate:down`, and a table of versions.

use super::command::Calls;
use super::files::numbered;
use super::listed::{Listed, Named, as_text, says};
use super::{FolderFile, HistoryTable};

/// dbmate.
pub static DBMATE: Listed = Listed {
    name: "dbmate",
    table: HistoryTable { name: "schema_migrations", columns: &["version"], only: true, order: &["version"] },
    owns: |folder| folder.files().any(|file| script(file).is_some() && says(file, "-- migrate:up")),
    script,
    order: as_text,
    calls: Calls::NONE,
    announces: &[("Applying: ", ""), ("Rolling back: ", "")],
};

fn script(file: &FolderFile) -> Option<Named<'_>> {
    let (version, name) = numbered(file.name().strip_suffix(".sql")?, &['_'])?;
    Some(Named::up(version, name))
}
