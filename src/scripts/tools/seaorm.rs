//! SeaORM: modules of Rust whose names begin with `m` and a time, and a table of these names.

use super::command::Calls;
use super::files::numbered;
use super::listed::{Listed, Named, as_text};
use super::{FolderFile, HistoryTable};

/// SeaORM.
pub static SEAORM: Listed = Listed {
    name: "seaorm",
    table: HistoryTable {
        name: "seaql_migrations",
        columns: &["version", "applied_at"],
        only: false,
        order: &["version"],
    },
    owns: |folder| folder.files().any(|file| script(file).is_some()),
    script,
    order: as_text,
    calls: Calls::NONE,
    announces: &[("Applying migration '", "'"), ("Rolling back migration '", "'")],
};

/// `m20220101_000001_name.rs`
fn script(file: &FolderFile) -> Option<Named<'_>> {
    let stem = file.name().strip_suffix(".rs")?;
    let (day, rest) = numbered(stem.strip_prefix('m')?, &['_'])?;
    let (_, name) = numbered(rest, &['_'])?;
    (day.len() == 8).then(|| Named::up(stem, name))
}
