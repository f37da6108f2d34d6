//! Alembic, also as Flask-Migrate runs it: revisions in Python files, a graph of them, and a table that has of all
//! applied revisions only some of the last ones.

mod places;

use std::collections::{BTreeMap, BTreeSet};

use self::places::{Lies, Places};
use super::python::{self, Value};
use super::{Catalog, Entry, Fault, Folder, FolderFile, Graph, HistoryTable, Row, Tool, ToolScript};

/// How many characters `version_num` takes where Alembic made the table.
const IDENTIFIER_LIMIT: usize = 32;

static TABLE: HistoryTable =
    HistoryTable { name: "alembic_version", columns: &["version_num"], only: true, order: &["version_num"] };

/// Alembic and Flask-Migrate.
pub struct Alembic;

impl Tool for Alembic {
    fn name(&self) -> &'static str {
        "alembic"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.file("env.py").is_some()
            && folder.files().any(|file| {
                file.path == "script.py.mako" || Places::default().lies(file) == Some(Lies::Within)
            })
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let mut catalog = Catalog::default();
        let places = &Places::of(folder);
        let lying = |wanted: Lies| folder.files().filter(move |file| places.lies(file) == Some(wanted));
        let mut revisions: BTreeMap<String, Revision> = BTreeMap::new();
        for file in lying(Lies::Within) {
            Revision::add(file, &mut revisions, &mut catalog.faults);
        }
        let mut below: BTreeMap<String, Revision> = BTreeMap::new();
        let mut faults = Vec::new();
        for file in lying(Lies::Below) {
            Revision::add(file, &mut below, &mut faults);
        }
        // Those that the ones in the right place stand on, or that stand on these.
        let connected = connected(&revisions, &below);
        if revisions.is_empty() || !connected.is_empty() {
            catalog.faults.append(&mut faults);
        }
        let all = revisions.is_empty();
        for (id, revision) in below.into_iter().filter(|(id, _)| all || connected.contains(id)) {
            match revisions.get(&id) {
                Some(first) => {
                    let (first, second) = (first.file.path.clone(), revision.file.path);
                    catalog.faults.push(Fault::Duplicate { id, first, second });
                }
                None => drop(revisions.insert(id, revision)),
            }
        }
        let graph = graph(&revisions);
        catalog.faults.extend(graph.faults());
        let heads = graph.heads();
        if heads.len() > 1 && !revisions.values().any(|revision| revision.is_labelled) {
            catalog.faults.push(Fault::SeveralHeads(heads.into_iter().map(str::to_owned).collect()));
        }
        let order: Vec<String> = graph.order().into_iter().map(str::to_owned).collect();
        let left: Vec<String> = revisions.keys().filter(|id| !order.contains(id)).cloned().collect();
        // Revisions in a cycle come last: Alembic cannot run them, and their bytes are evidence all the same.
        catalog.scripts = order
            .into_iter()
            .chain(left)
            .filter_map(|id| revisions.remove(&id))
            .map(Revision::script)
            .collect();
        catalog
    }

    fn entries(&self, catalog: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let mut graph = Graph::default();
        for script in &catalog.scripts {
            graph.add(&script.id, &script.stands_on, &[]);
        }
        let ids = rows.iter().filter_map(|row| row.first()?.as_deref());
        let applied: BTreeSet<&str> = graph.closure(ids);
        let all: BTreeSet<&str> = catalog.scripts.iter().map(|script| script.id.as_str()).collect();
        let known = catalog.scripts.iter().map(|script| script.id.as_str()).filter(|id| applied.contains(id));
        let unknown = applied.iter().copied().filter(|id| !all.contains(id));
        known.chain(unknown).map(Entry::applied).collect()
    }

    fn stamps(&self, command: &[String]) -> bool {
        subcommand(command).is_some_and(|(_, word)| word == "stamp")
    }

    fn is_in_one_transaction(&self) -> bool {
        true
    }

    fn stopped_at(&self, output: &str) -> Option<String> {
        let mut begun = output.lines().filter_map(|line| announced(line.get(line.find("Running ")?..)?));
        begun.next_back().map(str::to_owned)
    }

    fn rendering(
        &self,
        command: &[String],
        catalog: &Catalog,
        before: &[Entry],
        after: &[Entry],
    ) -> Option<Vec<String>> {
        let (place, _) = subcommand(command)?;
        let (before, after) = (ids(before), ids(after));
        let word = match (before.is_subset(&after), after.is_subset(&before)) {
            (true, false) => "upgrade",
            (false, true) => "downgrade",
            // Both ways at once has no one command.
            _ => return None,
        };
        let range = format!("{}:{}", sole_head(catalog, &before)?, sole_head(catalog, &after)?);
        let mut asked: Vec<String> = command.get(..place)?.to_vec();
        asked.extend([word.to_owned(), range, "--sql".to_owned()]);
        Some(asked)
    }

    fn rendered(&self, sql: &str) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for line in sql.lines() {
            if let Some(id) = line.strip_prefix("-- ").and_then(announced) {
                found.push((id.to_owned(), String::new()));
            } else if let Some((_, text)) = found.last_mut() {
                text.push_str(line);
                text.push('\n');
            }
        }
        for (_, text) in &mut found {
            *text = format!("{}\n", text.trim());
        }
        found
    }
}

/// The revision that Alembic says to begin, as in `Running upgrade a -> b, what b does`. Of a merge it names several
/// that come before, with commas between.
fn announced(text: &str) -> Option<&str> {
    let (up, range) = match text.strip_prefix("Running upgrade ") {
        Some(range) => (true, range),
        None => (false, text.strip_prefix("Running downgrade ")?),
    };
    let (from, to) = range.split_once(" -> ").or_else(|| Some((range.strip_suffix(" ->")?, "")))?;
    // A way back is the revision's that it begins from.
    let id = if up { to.split(", ").next()? } else { from };
    Some(id.trim()).filter(|id| !id.is_empty() && !id.contains(' '))
}

fn ids(entries: &[Entry]) -> BTreeSet<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}

/// The only one of these revisions that no other of them stands on; `base` where there is none of them.
fn sole_head<'a>(catalog: &'a Catalog, applied: &BTreeSet<&'a str>) -> Option<&'a str> {
    let among = catalog.scripts.iter().filter(|script| applied.contains(script.id.as_str()));
    let stood_on: BTreeSet<&str> = among.flat_map(|script| &script.stands_on).map(String::as_str).collect();
    let mut heads = applied.iter().copied().filter(|id| !stood_on.contains(id));
    match (heads.next(), heads.next()) {
        (None, _) => Some("base"),
        (Some(head), None) => Some(head),
        _ => None,
    }
}

/// What the command is asked to do, and where that stands in it.
fn subcommand(command: &[String]) -> Option<(usize, &str)> {
    let words = command.iter().map(String::as_str).enumerate();
    words.into_iter().find(|(_, word)| matches!(*word, "upgrade" | "downgrade" | "stamp"))
}

/// The revisions of `below` that are joined to those of `within` by any chain of parents and children.
fn connected(within: &BTreeMap<String, Revision>, below: &BTreeMap<String, Revision>) -> BTreeSet<String> {
    let mut neighbours: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for revision in within.values().chain(below.values()) {
        for parent in revision.line.iter().chain(&revision.needs) {
            neighbours.entry(parent).or_default().push(&revision.id);
            neighbours.entry(&revision.id).or_default().push(parent);
        }
    }
    let mut waiting: Vec<&str> = within.keys().map(String::as_str).collect();
    let mut reached: BTreeSet<&str> = waiting.iter().copied().collect();
    while let Some(id) = waiting.pop() {
        let next = neighbours.get(id).into_iter().flatten();
        waiting.extend(next.copied().filter(|next| reached.insert(next)));
    }
    below.keys().filter(|id| reached.contains(id.as_str())).cloned().collect()
}

struct Revision {
    id: String,
    line: Vec<String>,
    needs: Vec<String>,
    labels: Vec<String>,
    /// Whether it has labels, also such that are no plain values.
    is_labelled: bool,
    purpose: Option<String>,
    file: FolderFile,
}

impl Revision {
    /// Reads a file, and adds what it is to the others.
    fn add(file: &FolderFile, others: &mut BTreeMap<String, Self>, faults: &mut Vec<Fault>) {
        let Some(revision) = Self::read(file, faults) else { return };
        match others.get(&revision.id) {
            Some(first) => {
                let (first, second) = (first.file.path.clone(), file.path.clone());
                faults.push(Fault::Duplicate { id: revision.id, first, second });
            }
            None => drop(others.insert(revision.id.clone(), revision)),
        }
    }

    /// `None` for a file that is no revision: one that names none.
    fn read(file: &FolderFile, faults: &mut Vec<Fault>) -> Option<Self> {
        let module = python::read(&file.bytes);
        if let Some(line) = module.broken {
            faults.push(Fault::Syntax { file: file.path.clone(), language: "Python", line });
        }
        let mut texts =
            |what: &'static str| match module.names.get(what).map_or(Some(Vec::new()), Value::texts) {
                Some(texts) => texts,
                None => {
                    faults.push(Fault::Unresolved { file: file.path.clone(), what });
                    Vec::new()
                }
            };
        let (line, needs, labels) = (texts("down_revision"), texts("depends_on"), texts("branch_labels"));
        let says = module.names.get("branch_labels");
        let is_labelled = says.is_some_and(|says| says.texts().is_none_or(|texts| !texts.is_empty()));
        let id = match module.names.get("revision")? {
            Value::Text(id) => id.clone(),
            _ => {
                faults.push(Fault::Unresolved { file: file.path.clone(), what: "revision" });
                return None;
            }
        };
        if id.chars().count() > IDENTIFIER_LIMIT {
            let length = id.chars().count();
            faults.push(Fault::LongIdentifier { id: id.clone(), length, limit: IDENTIFIER_LIMIT });
        }
        let purpose = module.docstring.as_deref().and_then(|text| text.trim_start().lines().next());
        let purpose = purpose.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
        Some(Self { id, line, needs, labels, is_labelled, purpose, file: file.clone() })
    }

    fn script(self) -> ToolScript {
        let Self { id, line, needs, purpose, file, .. } = self;
        let name =
            file.stem().strip_prefix(id.as_str()).map_or(file.stem(), |rest| rest.trim_start_matches('_'));
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        let stands_on = line.into_iter().chain(needs).collect();
        ToolScript { id, name, purpose, stands_on, up: file, down: None, checksum: None }
    }
}

/// The graph, in which a label stands for the revision that carries it.
fn graph(revisions: &BTreeMap<String, Revision>) -> Graph {
    let labelled = |label: &str| {
        revisions
            .values()
            .find(|revision| revision.labels.iter().any(|own| own == label))
            .map(|found| &found.id)
    };
    let mut graph = Graph::default();
    for revision in revisions.values() {
        let named = |name: &String| match revisions.contains_key(name) {
            true => name.clone(),
            false => labelled(name).unwrap_or(name).clone(),
        };
        let needs: Vec<String> = revision.needs.iter().map(named).collect();
        graph.add(&revision.id, &revision.line, &needs);
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> FolderFile {
        FolderFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    fn revision(id: &str, down: &str, more: &str) -> FolderFile {
        let text =
            format!("\"\"\"what {id} does\n\"\"\"\nrevision = '{id}'\ndown_revision = {down}\n{more}\n");
        file(&format!("versions/{id}_it.py"), &text)
    }

    fn ids(catalog: &Catalog) -> Vec<&str> {
        catalog.scripts.iter().map(|script| script.id.as_str()).collect()
    }

    fn applied(catalog: &Catalog, rows: &[&str]) -> Vec<String> {
        let rows: Vec<Row> = rows.iter().map(|row| vec![Some((*row).to_owned())]).collect();
        Alembic.entries(catalog, &rows).into_iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn a_table_of_heads_is_more_than_its_rows() {
        // As Alembic's own `get_all_current` answers for these revisions and rows.
        let folder = Folder::of(vec![
            file("env.py", ""),
            revision("aaaa", "None", ""),
            revision("bbbb", "'aaaa'", ""),
            revision("cccc", "'aaaa'", ""),
            revision("dddd", "None", "branch_labels = ('side',)\ndepends_on = 'bbbb'"),
            file("versions/__init__.py", "revision = 'no'"),
            file("versions/helper.py", "X = 1"),
        ]);
        assert!(Alembic.owns(&folder));
        let catalog = Alembic.catalog(&folder);
        assert_eq!(ids(&catalog), ["aaaa", "bbbb", "cccc", "dddd"]);
        assert_eq!(catalog.faults, []);
        assert_eq!(applied(&catalog, &["dddd", "cccc"]), ["aaaa", "bbbb", "cccc", "dddd"]);
        assert_eq!(applied(&catalog, &["bbbb", "gone"]), ["aaaa", "bbbb", "gone"]);
        assert_eq!(applied(&catalog, &[]), [""; 0]);
        let script = catalog.script("dddd").unwrap();
        assert_eq!((script.name.as_deref(), script.purpose.as_deref()), (Some("it"), Some("what dddd does")));
    }

    #[test]
    fn folders_below_count_where_they_are_joined_to_the_others() {
        let at = |path: &str, id: &str, down: &str| {
            file(&format!("versions/{path}{id}.py"), &format!("revision = '{id}'\ndown_revision = {down}\n"))
        };
        // Neutron's way, then a folder in which old revisions are kept.
        let files =
            vec![at("", "kilo", "None"), at("liberty/expand/", "a", "'kilo'"), at("mitaka/", "b", "'a'")];
        assert_eq!(ids(&Alembic.catalog(&Folder::of(files))), ["kilo", "a", "b"]);
        let files = vec![at("", "squashed", "None"), at("old/", "a", "None"), at("old/", "b", "'a'")];
        let catalog = Alembic.catalog(&Folder::of(files));
        assert_eq!((ids(&catalog), catalog.faults.len()), (vec!["squashed"], 0));
        let files = vec![at("x/", "a", "None"), at("y/", "b", "'a'")];
        assert_eq!(ids(&Alembic.catalog(&Folder::of(files))), ["a", "b"]);
    }

    #[test]
    fn what_is_wrong_is_told_and_the_rest_is_read() {
        let folder = Folder::of(vec![
            revision("a", "None", ""),
            revision("b", "'a'", ""),
            revision("c", "'a'", ""),
            file("versions/x.py", "revision = 'b'\ndown_revision = None\n"),
            file("versions/y.py", "revision = make()\n"),
            file("versions/z.py", "revision = 'z'\ndown_revision = parent()\ndef f(:\n"),
        ]);
        let catalog = Alembic.catalog(&folder);
        let faults: Vec<String> = catalog.faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "`versions/b_it.py` and `versions/x.py` are both called `b`",
                "`versions/y.py` does not say its revision as a plain value, and is not run to find out",
                "`versions/z.py` cannot be read as Python: line 3",
                "`versions/z.py` does not say its down_revision as a plain value, and is not run to find out",
                "nothing stands on any of these, and a database can follow only one: `b`, `c`, `z`",
            ]
        );
        assert_eq!(ids(&catalog), ["a", "b", "c", "z"]);
    }

    #[test]
    fn sql_is_asked_for_as_the_scripts_were_run() {
        let catalog = Alembic.catalog(&Folder::of(vec![
            revision("a", "None", ""),
            revision("b", "'a'", ""),
            revision("c", "'a'", ""),
            revision("d", "('b', 'c')", ""),
        ]));
        let command = ["flask", "--app", "shop", "db", "upgrade", "-x", "tenant=1"].map(str::to_owned);
        let applied = |ids: &[&'static str]| ids.iter().map(|id| Entry::applied(*id)).collect::<Vec<_>>();
        let asked = |before: &[&'static str], after: &[&'static str]| {
            let (before, after) = (applied(before), applied(after));
            Alembic.rendering(&command, &catalog, &before, &after).map(|words| words.join(" "))
        };
        let all = ["a", "b", "c", "d"];
        assert_eq!(asked(&[], &all).unwrap(), "flask --app shop db upgrade base:d --sql");
        assert_eq!(asked(&["a", "b"], &["a"]).unwrap(), "flask --app shop db downgrade b:a --sql");
        assert_eq!(asked(&["a", "b", "c"], &all), None);
        assert_eq!(asked(&["a", "b"], &["a", "c"]), None);
        assert_eq!(asked(&all, &all), None);
        assert!(Alembic.stamps(&["alembic", "stamp", "head"].map(str::to_owned)));
        assert!(!Alembic.stamps(&command));
    }

    #[test]
    fn what_it_prints_tells_where_it_stopped() {
        let output = "INFO  [alembic.runtime.migration] Running upgrade  -> a, what a does\n\
                      INFO  [alembic.runtime.migration] Running upgrade a -> b, what, b -> does\nTraceback …\n";
        assert_eq!(Alembic.stopped_at(output).as_deref(), Some("b"));
        assert_eq!(
            Alembic.stopped_at("INFO [x] Running downgrade c -> a, b, merges\n").as_deref(),
            Some("c")
        );
        assert_eq!(Alembic.stopped_at("Running late\n"), None);
    }

    #[test]
    fn offline_sql_is_cut_where_a_revision_begins() {
        let sql = "BEGIN;\n\n-- Running upgrade  -> a\n\nCREATE TABLE t (id INTEGER);\n\n-- Running upgrade a -> b\n\n\
                   -- a comment\nDROP TABLE t;\n\nCOMMIT;\n";
        let expected =
            [("a", "CREATE TABLE t (id INTEGER);\n"), ("b", "-- a comment\nDROP TABLE t;\n\nCOMMIT;\n")];
        assert_eq!(Alembic.rendered(sql), expected.map(|(id, sql)| (id.to_owned(), sql.to_owned())));
        let down = Alembic
            .rendered("-- Running downgrade b -> a\nDROP TABLE t;\n-- Running downgrade a -> \nSELECT 1;\n");
        assert_eq!(down.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ["b", "a"]);
    }
}
