//! yoyo: files of SQL or Python with dependencies of their own, and a table of names.

use std::collections::BTreeMap;

use super::command::{Calls, Valued};
use super::listed::{mentions, says};
use super::python;
use super::{Catalog, Entry, Fault, Folder, FolderFile, Graph, HistoryTable, Row, Tool, ToolScript};

static TABLE: HistoryTable = HistoryTable {
    name: "_yoyo_migration",
    columns: &["migration_id", "applied_at_utc"],
    only: false,
    order: &["applied_at_utc", "migration_id"],
};

/// How it is called.
const CALLS: Calls = Calls {
    programs: &[("yoyo", &[]), ("yoyo-migrate", &[])],
    runs: &["apply", "rollback", "reapply", "develop"],
    stamps: &["mark", "unmark"],
    flags: &[],
    valued: Valued::These(&[
        "-c",
        "--config",
        "-d",
        "--database",
        "-m",
        "--match",
        "-r",
        "--revision",
        "--migration-table",
    ]),
    several: false,
};

/// yoyo.
pub struct Yoyo;

impl Tool for Yoyo {
    fn name(&self) -> &'static str {
        "yoyo"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        let steps = |file: &FolderFile| file.name().ends_with(".py") && mentions(file, "from yoyo import");
        folder.files().any(|file| steps(file) || says(file, "-- depends:"))
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let mut catalog = Catalog::default();
        let mut found: BTreeMap<&str, (&FolderFile, Vec<String>)> = BTreeMap::new();
        for file in folder.files().filter(|file| !file.path.contains('/')) {
            let name = file.name();
            if name.ends_with(".rollback.sql") || name.starts_with("__") {
                continue;
            }
            let stands_on = match name.rsplit_once('.') {
                Some((_, "sql")) => dependencies(&file.bytes),
                Some((_, "py")) => {
                    let module = python::read(&file.bytes);
                    if let Some(line) = module.broken {
                        catalog.faults.push(Fault::Syntax {
                            file: file.path.clone(),
                            language: "Python",
                            line,
                        });
                    }
                    let named =
                        module.names.get("__depends__").map_or(Some(Vec::new()), python::Value::texts);
                    named.unwrap_or_else(|| {
                        let (file, what) = (file.path.clone(), "__depends__");
                        catalog.faults.push(Fault::Unresolved { file, what });
                        Vec::new()
                    })
                }
                _ => continue,
            };
            if let Some((first, _)) = found.insert(file.stem(), (file, stands_on)) {
                let (id, first, second) = (file.stem().to_owned(), first.path.clone(), file.path.clone());
                catalog.faults.push(Fault::Duplicate { id, first, second });
            }
        }
        let mut graph = Graph::default();
        for (id, (_, stands_on)) in &found {
            graph.add(id, stands_on, &[]);
        }
        catalog.faults.extend(graph.faults());
        for id in graph.order() {
            let Some((file, stands_on)) = found.get(id) else { continue };
            catalog.scripts.push(ToolScript {
                id: id.to_owned(),
                name: id.split_once(['.', '_', '-']).map(|(_, name)| name.to_owned()),
                purpose: None,
                stands_on: stands_on.clone(),
                up: (*file).clone(),
                down: folder.file(&format!("{id}.rollback.sql")).cloned(),
                checksum: None,
            });
        }
        catalog
    }

    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let entry =
            |row: &Row| Some(Entry { at: row.get(1)?.clone(), ..Entry::applied(row.first()?.clone()?) });
        rows.iter().filter_map(entry).collect()
    }

    fn calls(&self) -> &Calls {
        &CALLS
    }
}

/// The names behind `-- depends:` at the top of a script.
fn dependencies(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let comments = text.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with("--"));
    let named = comments.filter_map(|line| line.strip_prefix("--")?.trim_start().strip_prefix("depends:"));
    named.flat_map(str::split_whitespace).map(str::to_owned).collect()
}
