//! Alembic, also as Flask-Migrate runs it: revisions in Python files, a graph of them, and a table that has of all
//! applied revisions only some of the last ones.

mod places;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use self::places::{Lies, Places};
use super::command::{Calls, Valued};
use super::python::{self, Body, Function, Module, Value};
use super::{
    Catalog, Entry, Fault, Folder, FolderFile, Graph, HistoryTable, Rendering, Row, Tool, ToolScript,
    is_plain_word,
};

/// How many characters `version_num` takes where Alembic made the table.
const IDENTIFIER_LIMIT: usize = 32;

static TABLE: HistoryTable =
    HistoryTable { name: "alembic_version", columns: &["version_num"], only: true, order: &["version_num"] };

/// How it is called.
const CALLS: Calls = Calls {
    programs: &[("alembic", &[]), ("flask", &["db"]), ("manage.py", &["db"])],
    runs: &["upgrade", "downgrade"],
    stamps: &["stamp"],
    flags: &[],
    valued: Valued::These(&[
        "-c",
        "--config",
        "-n",
        "--name",
        "-x",
        "-A",
        "--app",
        "-e",
        "--env-file",
        "-d",
        "--directory",
    ]),
    several: false,
};

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
        let lying = |wanted: Lies| -> Vec<(&FolderFile, Module)> {
            let files = folder.files().filter(|file| places.lies(file) == Some(wanted));
            let files: Vec<&FolderFile> = files.collect();
            let texts: Vec<&[u8]> = files.iter().map(|file| file.bytes.as_slice()).collect();
            files.into_iter().zip(python::read_all(&texts)).collect()
        };
        let mut revisions: BTreeMap<String, Revision> = BTreeMap::new();
        for (file, module) in lying(Lies::Within) {
            Revision::add(file, &module, &mut revisions, &mut catalog.faults);
        }
        let mut below: BTreeMap<String, Revision> = BTreeMap::new();
        let mut faults = Vec::new();
        for (file, module) in lying(Lies::Below) {
            Revision::add(file, &module, &mut below, &mut faults);
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

    fn calls(&self) -> &Calls {
        &CALLS
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
    ) -> Vec<Rendering> {
        let asked = asked(command, catalog, &ids(before), &ids(after));
        asked.map(|command| Rendering { command, script: None }).into_iter().collect()
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

/// `upgrade A:B --sql`, or the same for the way back.
fn asked(
    command: &[String],
    catalog: &Catalog,
    before: &BTreeSet<&str>,
    after: &BTreeSet<&str>,
) -> Option<Vec<String>> {
    let (place, _) = subcommand(command)?;
    let mut asked: Vec<String> = command.get(..place)?.to_vec();
    if !is_alembic(&asked) {
        return None;
    }
    let word = match (before.is_subset(after), after.is_subset(before)) {
        (true, false) => "upgrade",
        (false, true) => "downgrade",
        // Both ways at once has no one command.
        _ => return None,
    };
    let head = |applied| sole_head(catalog, applied).filter(|head| is_plain_word(head));
    let range = format!("{}:{}", head(before)?, head(after)?);
    asked.extend([word.to_owned(), range, "--sql".to_owned()]);
    Some(asked)
}

/// Whether the words before a subcommand are those of a program that knows it. Another one, such as `make upgrade`, might
/// do its work once more.
fn is_alembic(words: &[String]) -> bool {
    let name = |word: &String| word.rsplit('/').next().unwrap_or(word).to_owned();
    let names: Vec<String> = words.iter().map(name).collect();
    let own = |name: &String| matches!(name.as_str(), "alembic" | "flask") || name.ends_with(".py");
    // A program of a Flask application's own has Flask-Migrate's commands below `db`.
    let is_script = names.first().is_some_and(|program| OTHERS.contains(&program.as_str()))
        || names.iter().any(|name| name.ends_with(".sh"));
    names.iter().any(own) || (names.last().is_some_and(|name| name == "db") && !is_script)
}

/// Programs that give a word such as `upgrade` a meaning of the team's own.
const OTHERS: [&str; 13] =
    ["bash", "bun", "dash", "invoke", "just", "make", "npm", "pnpm", "rake", "sh", "task", "yarn", "zsh"];

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

/// What a revision says of itself and of its way down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The text that the file begins with.
    pub docstring: Option<String>,
    pub downgrade: Downgrade,
}

/// What `downgrade` of a revision comes to, with the line on which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downgrade {
    /// There is no such function.
    Missing,
    /// It does nothing, or refuses without a word.
    Empty(usize),
    /// It refuses, and says why.
    Refuses,
    Does,
}

/// Reads files of revisions, in their order.
#[must_use]
pub fn told(files: &[&[u8]]) -> Vec<Told> {
    let told = |module: Module| {
        let downgrade = match module.functions.get("downgrade") {
            None => Downgrade::Missing,
            Some(Function { line, body: Body::Empty | Body::Raises { says: false } }) => {
                Downgrade::Empty(*line)
            }
            Some(Function { body: Body::Raises { says: true }, .. }) => Downgrade::Refuses,
            Some(Function { body: Body::Does, .. }) => Downgrade::Does,
        };
        Told { docstring: module.docstring, downgrade }
    };
    python::read_all(files).into_iter().map(told).collect()
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
    fn add(file: &FolderFile, module: &Module, others: &mut BTreeMap<String, Self>, faults: &mut Vec<Fault>) {
        let Some(revision) = Self::read(file, module, faults) else { return };
        match others.get(&revision.id) {
            Some(first) => {
                let (first, second) = (first.file.path.clone(), file.path.clone());
                faults.push(Fault::Duplicate { id: revision.id, first, second });
            }
            None => drop(others.insert(revision.id.clone(), revision)),
        }
    }

    /// `None` for a file that is no revision: one that names none.
    fn read(file: &FolderFile, module: &Module, faults: &mut Vec<Fault>) -> Option<Self> {
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
