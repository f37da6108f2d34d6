//! Rails: files of Ruby whose names begin with a time, and a table of these times.

use super::command::Calls;
use super::files::numbered;
use super::listed::{Listed, Named, as_number};
use super::{FolderFile, HistoryTable};

/// Rails.
pub static RAILS: Listed = Listed {
    name: "rails",
    table: HistoryTable { name: "schema_migrations", columns: &["version"], only: true, order: &["version"] },
    owns: |folder| folder.files().any(|file| script(file).is_some()),
    script,
    order: as_number,
    calls: Calls::NONE,
    announces: &[("== ", " ")],
};

fn script(file: &FolderFile) -> Option<Named<'_>> {
    let (version, name) = numbered(file.name().strip_suffix(".rb")?, &['_'])?;
    Some(Named::up(version, name))
}
