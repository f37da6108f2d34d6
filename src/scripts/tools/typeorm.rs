//! TypeORM: classes in files of TypeScript or JavaScript, and a table of class names, which end with a time.

use super::files::{Pairs, number, numbered};
use super::sequelize::names;
use super::{Catalog, Entry, Folder, FolderFile, HistoryTable, Row, Tool};

static TABLE: HistoryTable =
    HistoryTable { name: "migrations", columns: &["timestamp", "name"], only: false, order: &["id"] };

/// TypeORM.
pub struct TypeOrm;

impl Tool for TypeOrm {
    fn name(&self) -> &'static str {
        "typeorm"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(|file| class(file).is_some())
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let (mut pairs, mut catalog) = (Pairs::default(), Catalog::default());
        for file in folder.files() {
            if let Some((class, name)) = class(file) {
                pairs.up(&class, &name, file, &mut catalog.faults);
            }
        }
        catalog.scripts = pairs.scripts(time);
        catalog
    }

    /// The time in the table is that of the class's name, not when it was applied.
    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        rows.iter().filter_map(|row| row.get(1)?.clone()).map(Entry::applied).collect()
    }

    fn stamps(&self, command: &[String]) -> bool {
        command.iter().any(|word| word == "--fake" || word == "-f")
    }
}

/// The class's name and what it is called, from a file `1767225600001-AddUsers.ts` that names TypeORM's interface.
fn class(file: &FolderFile) -> Option<(String, String)> {
    let (time, name) = numbered(file.stem(), &['-'])?;
    let written = matches!(file.name().rsplit('.').next(), Some("ts" | "js"));
    let sound = time.len() == 13 && written && names(&file.bytes, b"queryRunner");
    sound.then(|| (format!("{name}{time}"), name.to_owned()))
}

/// The 13 digits that a class's name ends with.
fn time(class: &str) -> u128 {
    class.get(class.len().saturating_sub(13)..).map_or(u128::MAX, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_called_as_the_table_calls_them() {
        let file =
            |path: &str, text: &str| FolderFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
        let folder = Folder::of(vec![
            file("1767225600002-Beta.ts", "await queryRunner.query('')"),
            file("1767225600001-Omega.js", "queryRunner"),
            file("notes.ts", "queryRunner"),
            file("1767225600003-Other.ts", "nothing"),
        ]);
        let catalog = TypeOrm.catalog(&folder);
        let ids: Vec<&str> = catalog.scripts.iter().map(|script| script.id.as_str()).collect();
        assert_eq!(ids, ["Omega1767225600001", "Beta1767225600002"]);
    }
}
