//! Diesel: a folder for each migration with `up.sql` and `down.sql`, and a table of versions.

use super::command::Calls;
use super::listed::{Listed, Named, as_text};
use super::{FolderFile, HistoryTable};
use crate::model::Direction;

/// Diesel.
pub static DIESEL: Listed = Listed {
    name: "diesel",
    table: HistoryTable {
        name: "__diesel_schema_migrations",
        columns: &["version", "run_on"],
        only: false,
        order: &["version"],
    },
    owns: |folder| folder.files().any(|file| script(file).is_some()),
    script,
    order: as_text,
    calls: Calls::NONE,
    announces: &[("Running migration ", ""), ("Rolling back migration ", "")],
};

/// The version is what stands before the first underscore of the folder's name, without hyphens.
fn script(file: &FolderFile) -> Option<Named<'_>> {
    let direction = match file.name() {
        "up.sql" => Direction::Up,
        "down.sql" => Direction::Down,
        _ => return None,
    };
    let folder = file.path.rsplit_once('/')?.0;
    let (version, name) = folder.rsplit('/').next()?.split_once('_')?;
    let id = version.replace('-', "");
    let digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some(Named { id, name, direction })
}
