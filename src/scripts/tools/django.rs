//! Django: migrations in Python files, one graph over all apps of a project, and a table that may have a row twice.
//!
//! A migration is called `app.name`. Apps that lie elsewhere, such as Django's own, are known by their rows alone.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{Calls, Valued};
use super::python::{self, Value};
use super::{
    Catalog, Entry, Fault, Folder, FolderFile, Graph, HistoryTable, Rendering, Row, Tool, ToolScript,
    is_plain_word,
};

static TABLE: HistoryTable = HistoryTable {
    name: "django_migrations",
    columns: &["app", "name", "applied"],
    only: false,
    order: &["id"],
};

/// How it is called.
const CALLS: Calls = Calls {
    programs: &[("manage.py", &[]), ("django-admin", &[]), ("django", &[])],
    runs: &["migrate", "migrate_schemas"],
    stamps: &[],
    flags: &["--fake"],
    valued: Valued::These(&["--database", "--settings", "--pythonpath", "-v", "--verbosity"]),
    several: false,
};

/// Django's `migrate`.
pub struct Django;

impl Tool for Django {
    fn name(&self) -> &'static str {
        "django"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.file("manage.py").is_some() && folder.files().any(|file| place(file).is_some())
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        let mut catalog = Catalog::default();
        let mut found: BTreeMap<String, Migration> = BTreeMap::new();
        for file in folder.files() {
            let Some((app, name)) = place(file) else { continue };
            let Some(migration) = Migration::read(app, file, &mut catalog.faults) else { continue };
            let id = format!("{app}.{name}");
            if let Some(first) = found.get(&id) {
                let (first, second) = (first.file.path.clone(), file.path.clone());
                catalog.faults.push(Fault::Duplicate { id, first, second });
            } else {
                found.insert(id, migration);
            }
        }
        let graph = graph(&found);
        catalog.faults.extend(graph.faults());
        let order: Vec<String> = graph.order().into_iter().map(str::to_owned).collect();
        let left: BTreeSet<&String> = found.keys().filter(|id| !order.contains(id)).collect();
        let left: Vec<String> = left.into_iter().cloned().collect();
        for id in order.into_iter().chain(left) {
            let stands_on = graph.parents(&id).map(str::to_owned).collect();
            let Some(migration) = found.remove(&id) else { continue };
            let name = id.split_once('.').map(|(_, name)| name.to_owned());
            catalog.scripts.push(ToolScript { stands_on, ..ToolScript::new(id, name, migration.file, None) });
        }
        catalog
    }

    /// Two runs at once write a row each; the migration was applied twice, and is one entry.
    fn entries(&self, _: &Catalog, rows: &[Row]) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(rows.len());
        let mut seen = BTreeSet::new();
        for row in rows {
            let [Some(app), Some(name), at] = row.as_slice() else { continue };
            let id = format!("{app}.{name}");
            if seen.insert(id.clone()) {
                entries.push(Entry { at: at.clone(), ..Entry::applied(id) });
            }
        }
        entries
    }

    fn calls(&self) -> &Calls {
        &CALLS
    }

    fn stopped_at(&self, output: &str) -> Option<String> {
        announcements(output).last().map(|(id, _)| id.to_owned())
    }

    /// `--fake-initial` notes a first migration whose tables are there, and runs one whose tables are not.
    fn stamped(&self, output: &str) -> Vec<String> {
        let faked = announcements(output).filter(|(_, what)| what.trim() == "FAKED");
        faked.map(|(id, _)| id.to_owned()).collect()
    }

    /// `sqlmigrate APP NAME`, once for each migration.
    fn rendering(
        &self,
        command: &[String],
        _: &Catalog,
        before: &[Entry],
        after: &[Entry],
    ) -> Vec<Rendering> {
        let Some(asked) = Asked::of(command) else { return Vec::new() };
        let ids = |entries: &[Entry]| entries.iter().map(|entry| entry.id.clone()).collect::<BTreeSet<_>>();
        let (was, is) = (ids(before), ids(after));
        let applied = is.difference(&was).filter_map(|id| asked.rendering(id, &[]));
        applied.chain(was.difference(&is).filter_map(|id| asked.rendering(id, &["--backwards"]))).collect()
    }
}

/// The migrations that a run speaks of, and what it says of each.
fn announcements(output: &str) -> impl Iterator<Item = (&str, &str)> {
    output.lines().filter_map(|line| {
        let line = line.trim_start();
        let rest = line.strip_prefix("Applying ").or_else(|| line.strip_prefix("Unapplying "))?;
        rest.split_once("...")
    })
}

/// A command `manage.py migrate`, as far as it can be asked again.
struct Asked<'a> {
    /// All before `migrate`.
    program: &'a [String],
    /// What says which project and which database.
    options: Vec<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(command: &'a [String]) -> Option<Self> {
        let name = |word: &'a String| word.rsplit('/').next().unwrap_or(word);
        let is_django = |before: &[String]| match before {
            [.., option, module] if option == "-m" && module == "django" => true,
            [.., program] => {
                matches!(program.rsplit('/').next(), Some("manage.py" | "django-admin" | "django-admin.py"))
            }
            [] => false,
        };
        let place = command.iter().position(|word| name(word) == "migrate")?;
        let (program, rest) = (command.get(..place)?, command.get(place + 1..)?);
        // What was marked as applied because its tables are there ran nothing.
        if !is_django(program) || rest.iter().any(|word| word.starts_with("--fake")) {
            return None;
        }
        let mut options = Vec::new();
        let mut words = rest.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let (option, value) = word.split_once('=').map_or((word, None), |(option, _)| (option, Some(())));
            if matches!(option, "--settings" | "--pythonpath" | "--database") {
                options.push(word);
                options.extend(if value.is_none() { words.next() } else { None });
            }
        }
        Some(Self { program, options })
    }

    fn rendering(&self, id: &str, way: &[&str]) -> Option<Rendering> {
        let (app, name) =
            id.split_once('.').filter(|(app, name)| is_plain_word(app) && is_plain_word(name))?;
        let words = ["sqlmigrate", app, name, "--no-color"].into_iter();
        let words = words.chain(way.iter().copied()).chain(self.options.iter().copied()).map(str::to_owned);
        let command = self.program.iter().cloned().chain(words).collect();
        Some(Rendering { command, script: Some(id.to_owned()) })
    }
}

/// App and name of a file in a folder `migrations` of an app.
fn place(file: &FolderFile) -> Option<(&str, &str)> {
    let (folder, name) = file.path.rsplit_once('/')?;
    let app = folder.strip_suffix("/migrations")?.rsplit('/').next()?;
    let name = name.strip_suffix(".py").filter(|name| !name.starts_with(['_', '~']))?;
    Some((app, name))
}

struct Migration {
    file: FolderFile,
    app: String,
    stands_on: Vec<String>,
    stood_on_by: Vec<String>,
}

impl Migration {
    /// `None` for a file without a class `Migration`.
    fn read(app: &str, file: &FolderFile, faults: &mut Vec<Fault>) -> Option<Self> {
        let module = python::read(&file.bytes);
        if let Some(line) = module.broken {
            faults.push(Fault::Syntax { file: file.path.clone(), language: "Python", line });
        }
        let names = module.classes.get("Migration")?;
        let mut pairs = |what: &'static str| {
            let Some(Value::List(items)) = names.get(what) else {
                if names.contains_key(what) {
                    faults.push(Fault::Unresolved { file: file.path.clone(), what });
                }
                return Vec::new();
            };
            // `migrations.swappable_dependency(…)` names a model that settings choose: the app is not known here.
            items.iter().filter_map(pair).collect()
        };
        let (stands_on, stood_on_by) = (pairs("dependencies"), pairs("run_before"));
        Some(Self { file: file.clone(), app: app.to_owned(), stands_on, stood_on_by })
    }
}

fn pair(value: &Value) -> Option<String> {
    match value {
        Value::List(pair) => match pair.as_slice() {
            [Value::Text(app), Value::Text(name)] => Some(format!("{app}.{name}")),
            _ => None,
        },
        _ => None,
    }
}

/// The graph of the migrations that are here; what stands on apps of elsewhere stands on nothing that is known.
fn graph(found: &BTreeMap<String, Migration>) -> Graph {
    let apps: BTreeSet<&str> = found.values().map(|migration| migration.app.as_str()).collect();
    let here = |id: &String| id.split_once('.').is_some_and(|(app, _)| apps.contains(app));
    let resolved = |id: &String| {
        let (app, name) = id.split_once('.')?;
        let mut own = found.keys().filter(|id| id.split_once('.').is_some_and(|(other, _)| other == app));
        match name {
            "__first__" => own.next().cloned(),
            "__latest__" => own.next_back().cloned(),
            _ => Some(id.clone()),
        }
    };
    let mut parents: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    for (id, migration) in found {
        let named = migration.stands_on.iter().filter(|parent| here(parent)).filter_map(resolved);
        parents.entry(id).or_default().extend(named.filter(|parent| parent != id));
        for child in &migration.stood_on_by {
            if let Some((child, _)) = found.get_key_value(child) {
                parents.entry(child).or_default().push(id.clone());
            }
        }
    }
    let mut graph = Graph::default();
    for (id, parents) in parents {
        graph.add(id, &parents, &[]);
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> FolderFile {
        FolderFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    fn migration(path: &str, members: &str) -> FolderFile {
        file(
            path,
            &format!(
                "from django.db import migrations\n\nclass Migration(migrations.Migration):\n    {members}\n"
            ),
        )
    }

    #[test]
    fn one_graph_goes_over_all_apps() {
        let folder = Folder::of(vec![
            file("manage.py", ""),
            file("shop/migrations/__init__.py", ""),
            migration(
                "shop/migrations/0001_initial.py",
                "dependencies = [('auth', '0012_x'), ('users', '__first__')]",
            ),
            migration("shop/migrations/0002_more.py", "dependencies = [('shop', '0001_initial')]"),
            migration("apps/users/migrations/0001_initial.py", "initial = True"),
            migration(
                "apps/users/migrations/0002_b.py",
                "dependencies = [('users', '0001_initial')]\n    run_before = [('shop', '0001_initial')]",
            ),
            file("shop/models.py", "class Migration: pass"),
        ]);
        assert!(Django.owns(&folder));
        let catalog = Django.catalog(&folder);
        let ids: Vec<&str> = catalog.scripts.iter().map(|script| script.id.as_str()).collect();
        assert_eq!(ids, ["users.0001_initial", "users.0002_b", "shop.0001_initial", "shop.0002_more"]);
        assert_eq!(catalog.faults, []);
        let row = |app: &str, name: &str| vec![Some(app.to_owned()), Some(name.to_owned()), None];
        let rows = [row("auth", "0012_x"), row("shop", "0001_initial"), row("shop", "0001_initial")];
        let entries: Vec<String> =
            Django.entries(&catalog, &rows).into_iter().map(|entry| entry.id).collect();
        assert_eq!(entries, ["auth.0012_x", "shop.0001_initial"]);
    }

    #[test]
    fn what_it_prints_tells_where_it_stopped() {
        let output = "Running migrations:\n  Applying shop.0001_initial... OK\n  Applying shop.0002_more...Traceback …\n";
        assert_eq!(Django.stopped_at(output).as_deref(), Some("shop.0002_more"));
        let output = "Running migrations:\n  Rendering model states... DONE\n  Unapplying shop.0002_more...Traceback …\n";
        assert_eq!(Django.stopped_at(output).as_deref(), Some("shop.0002_more"));
    }

    #[test]
    fn what_it_prints_tells_what_it_did_not_run() {
        let output =
            "Running migrations:\n  Applying shop.0001_initial... FAKED\n  Applying shop.0002_more... OK\n";
        assert_eq!(Django.stamped(output), ["shop.0001_initial"]);
    }

    #[test]
    fn it_is_asked_for_the_sql_of_each_migration() {
        let asked = |command: &str, before: &[&str], after: &[&str]| {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            let entries = |ids: &[&str]| ids.iter().map(|id| Entry::applied(*id)).collect::<Vec<_>>();
            let (before, after) = (entries(before), entries(after));
            let asked = Django.rendering(&words, &Catalog::default(), &before, &after);
            asked.into_iter().map(|one| one.command.join(" ")).collect::<Vec<_>>()
        };
        let up = "python manage.py migrate --settings x --database=b shop 0002";
        let told = [
            "python manage.py sqlmigrate shop 0002_b --no-color --settings x --database=b",
            "python manage.py sqlmigrate users 0001_a --no-color --settings x --database=b",
        ];
        assert_eq!(asked(up, &["shop.0001_a"], &["shop.0001_a", "shop.0002_b", "users.0001_a"]), told);
        let down = ["django-admin sqlmigrate shop 0002_b --no-color --backwards"];
        assert_eq!(asked("django-admin migrate shop zero", &["shop.0002_b"], &[]), down);
        for other in
            ["make migrate", "python manage.py migrate --fake-initial", "./migrate.sh migrate", "true"]
        {
            assert_eq!(asked(other, &[], &["shop.0001_a"]), [""; 0], "{other}");
        }
        // A row of the table becomes no option.
        for id in ["--settings=x.y", "shop.--settings=x", "shop.a b", "shop"] {
            assert_eq!(asked("manage.py migrate", &[], &[id]), [""; 0], "{id}");
        }
    }
}
