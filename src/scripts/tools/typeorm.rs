//! TypeORM: classes in files of TypeScript or JavaScript, and a table of class names, which end with a time. The time in the table
//! is that of the name, not when a script was applied.

use super::command::{Calls, Valued};
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
    calls: Calls {
        programs: &[
            ("typeorm", &[]),
            ("typeorm/cli.js", &[]),
            ("typeorm-ts-node-commonjs", &[]),
            ("typeorm-ts-node-esm", &[]),
        ],
        runs: &["migration:run", "migration:revert"],
        stamps: &[],
        flags: &["--fake", "-f"],
        valued: Valued::These(&["-d", "--dataSource", "-t", "--transaction"]),
        several: false,
    },
    announces: &[("Migration \"", "\" failed")],
};

/// A class in `1767225600001-add-users.ts` is `AddUsers1767225600001`; what the file itself calls it counts.
fn script(file: &FolderFile) -> Option<Named<'_>> {
    let (time, name) = numbered(file.stem(), &['-'])?;
    if time.len() != 13 || !is_ecmascript(file) {
        return None;
    }
    let class = class_in(file, time).unwrap_or_else(|| format!("{name}{time}"));
    Some(Named::up(class, name))
}

/// The first word of the file that ends with the time and has more than that.
fn class_in(file: &FolderFile, time: &str) -> Option<String> {
    let text = str::from_utf8(&file.bytes).ok()?;
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    let class = words.find(|word| word.len() > time.len() && word.ends_with(time))?;
    Some(class.to_owned())
}

/// The 13 digits that a class's name ends with.
fn by_time(class: &str) -> String {
    class.get(class.len().saturating_sub(13)..).unwrap_or(class).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_called_as_its_file_says() {
        let called = |path: &str, text: &str| {
            let file = FolderFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
            script(&file).map(|script| script.id)
        };
        let text = "export class AddUsers1767225600001 implements MigrationInterface {}";
        assert_eq!(called("1767225600001-add-users.ts", text).as_deref(), Some("AddUsers1767225600001"));
        assert_eq!(called("1767225600001-Add.ts", "// 1767225600001").as_deref(), Some("Add1767225600001"));
        assert_eq!(called("1767225600001-Add.d.ts", text), None);
    }
}
