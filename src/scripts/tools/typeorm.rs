//! TypeORM: classes in files of TypeScript or JavaScript, and a table of class names, which end with a time. The time in the table
//! is that of the name, not when a script was applied.

use super::files::numbered;
use super::listed::{Listed, Named, is_ecmascript, mentions};
use super::{FolderFile, HistoryTable};

/// TypeORM.
pub static TYPEORM: Listed = Listed {
    name: "typeorm",
    table: HistoryTable { name: "migrations", columns: &["name"], only: false, order: &["id"] },
    owns: |folder| folder.files().any(|file| script(file).is_some() && mentions(file, "queryRunner")),
    script,
    order: by_time,
    stamps: &["--fake", "-f"],
};

/// The class in `1767225600001-AddUsers.ts` is `AddUsers1767225600001`.
fn script(file: &FolderFile) -> Option<Named<'_>> {
    let (time, name) = numbered(file.stem(), &['-'])?;
    (time.len() == 13 && is_ecmascript(file)).then(|| Named::up(format!("{name}{time}"), name))
}

/// The 13 digits that a class's name ends with.
fn by_time(class: &str) -> String {
    class.get(class.len().saturating_sub(13)..).unwrap_or(class).to_owned()
}
