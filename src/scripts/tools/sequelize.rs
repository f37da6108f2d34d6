//! Sequelize and umzug: files of JavaScript, and a table of file names.

use super::command::Calls;
use super::files::numbered;
use super::listed::{Listed, Named, as_text, is_ecmascript, mentions};
use super::{FolderFile, HistoryTable};

/// Sequelize.
pub static SEQUELIZE: Listed = Listed {
    name: "sequelize",
    table: HistoryTable { name: "SequelizeMeta", columns: &["name"], only: false, order: &["name"] },
    owns: |folder| folder.files().any(|file| script(file).is_some() && mentions(file, "queryInterface")),
    script,
    order: as_text,
    calls: Calls::NONE,
    announces: &[("== ", ": migrating"), ("== ", ": reverting")],
};

fn script(file: &FolderFile) -> Option<Named<'_>> {
    let (_, name) = numbered(file.stem(), &['-', '_'])?;
    is_ecmascript(file).then(|| Named::up(file.name(), name))
}
