//! The same life of a project under each tool that can be had: applied, edited, deleted, failed, rolled back, marked as
//! applied, adopted. What was seen is the table of the README.
//!
//! | file | its tools |
//! |---|---|
//! | `python` | Django, yoyo |
//! | `node`, `orm` | those of npm |
//! | `go` | goose, golang-migrate |
//! | `rust` | sqlx, Diesel, refinery |
//! | `documented` | those that cannot be had: a table as their documentation has it |
//! | `told` | which tool a folder is of, where the database has to tell |

mod documented;
mod go;
mod node;
mod orm;
pub mod python;
mod rust;
mod told;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::project::{Project, Run};
use crate::servers::{Database, MariaDb, Postgres};

/// A tool, two migrations and a broken one as it writes them, and what is seen of it.
pub struct Case {
    pub tool: &'static str,
    on: &'static [On],
    /// Whether it is the tool itself that runs.
    is_real: bool,
    /// What `migrations` is.
    folder: &'static str,
    /// What there is besides migrations.
    files: &'static [(&'static str, &'static str)],
    pub first: Script,
    /// Makes a table `second` in the first of its files.
    pub second: Script,
    pub broken: Script,
    pub apply: &'static str,
    /// Undoes the second one.
    pub roll_back: Option<&'static str>,
    /// What the tool wants after a run that failed.
    mend: Option<&'static str>,
    /// Marks the broken one as applied.
    mark: Option<&'static str>,
    /// Whether the next run of the tool fails once an applied script was edited, and once its way up was deleted.
    sees: Sees,
    /// What is known of a script that is adopted.
    adopted: &'static str,
    /// Where its programs are, and further variables.
    surroundings: fn(&Project) -> Vec<(&'static str, String)>,
}

pub struct Script {
    pub version: &'static str,
    /// Path and text; the first of them is the way up.
    pub files: &'static [(&'static str, &'static str)],
}

#[derive(Clone, Copy)]
pub struct Sees {
    edit: bool,
    deletion: bool,
}

/// Tools that do not print at which script they stopped, and write it nowhere; of those that are known by their
/// documentation it is not known.
const SILENT: [&str; 4] = ["yoyo", "drizzle", "rails", "seaorm"];

const BLIND: Sees = Sees { edit: false, deletion: false };

/// What a tool is run on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum On {
    Sqlite,
    Postgres,
    MariaDb,
}

impl On {
    const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        }
    }

    /// A new database, where it is no file.
    fn database(self) -> Option<Database> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(Postgres::shared().database("matrix")),
            Self::MariaDb => Some(MariaDb::shared().database("matrix")),
        }
    }

    /// The database as settings, Go's drivers, goose and programs of their own want it.
    fn variables(self, project: &Project, database: Option<&Database>) -> Vec<(&'static str, String)> {
        let file = project.path("app.db").display().to_string();
        let Some(database) = database else {
            return vec![
                ("ENGINE", "sqlite".to_owned()),
                ("DATABASE_URL", format!("sqlite:{file}")),
                ("GO_URL", format!("sqlite://{file}")),
                ("GOOSE_KIND", "sqlite3".to_owned()),
                ("GOOSE_AT", file.clone()),
                ("FILE", file),
            ];
        };
        let url = database.url();
        let plain = match self {
            Self::MariaDb => url.clone(),
            _ => format!("{url}?sslmode=disable"),
        };
        let (user, rest) = url.split_once("://").unwrap().1.split_once('@').unwrap();
        let (server, name) = rest.split_once('/').unwrap();
        let at = format!("{user}@tcp({server})/{name}?multiStatements=true&parseTime=true");
        let (engine, go, goose) = match self {
            Self::MariaDb => ("mysql", format!("mysql://{at}"), at),
            _ => ("postgres", plain.clone(), plain.clone()),
        };
        vec![
            ("ENGINE", engine.to_owned()),
            ("DATABASE_URL", plain),
            ("GO_URL", go),
            ("GOOSE_KIND", engine.to_owned()),
            ("GOOSE_AT", goose),
        ]
    }
}

/// A project of a case, and its database.
pub struct Life {
    pub project: Project,
    _database: Option<Database>,
}

impl Life {
    pub fn of(case: &Case, on: On) -> Self {
        let mut project = Project::empty();
        std::fs::remove_dir(project.path("migrations")).unwrap();
        let database = on.database();
        let mut variables = on.variables(&project, database.as_ref());
        variables.extend((case.surroundings)(&project));
        project.variables.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let life = Self { project, _database: database };
        life.put(case.files);
        life
    }

    pub fn put(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            std::fs::create_dir_all(self.project.path(path).parent().unwrap()).unwrap();
            self.project.write(path, text);
        }
    }

    /// Removes a file, and its folder where nothing else is in it.
    pub fn remove(&self, path: &str) {
        self.project.remove(path);
        let _ = std::fs::remove_dir(self.project.path(path).parent().unwrap());
    }

    pub fn begin(&self, case: &Case, name: &str) {
        let database = if self._database.is_some() { "env:DATABASE_URL" } else { "sqlite:app.db" };
        let begin = ["init", "--name", name, "--database", database, "--migrations", case.folder];
        self.project.ok(begin.iter().chain(&["--tool", case.tool]));
    }

    /// The words of a command; those with `$` are variables.
    fn words(&self, command: &str) -> Vec<String> {
        let word = |word: &str| {
            let filled = self.project.variables.iter().rev();
            filled.fold(word.to_owned(), |word, (name, value)| word.replace(&format!("${name}"), value))
        };
        command.split_whitespace().map(word).collect()
    }

    /// Runs a command of the tool by itself.
    pub fn alone(&self, command: &str) -> Run {
        let mut tool = Command::new("/usr/bin/env");
        self.project.prepare(&mut tool);
        Run::of(tool.args(self.words(command)).output().unwrap())
    }

    /// Runs a command of the tool under `greffe record`.
    fn record(&self, command: &str) -> Run {
        let arguments = ["record", "--"].map(str::to_owned).into_iter();
        self.project.run(arguments.chain(self.words(command)))
    }

    fn records(&self, command: &str) {
        let run = self.record(command);
        assert_eq!(run.code, 0, "{command}: {run:#?}");
    }
}

/// The whole life of a case on one database.
fn live(case: &Case, on: On) {
    let life = Life::of(case, on);
    let (project, at) = (&life.project, format!("{} on {}", case.tool, on.name()));
    let Case { first, second, broken, .. } = case;
    life.put(first.files);
    life.put(second.files);
    life.begin(case, "demo");
    life.records(case.apply);
    let mut story = vec!["genesis".to_owned()];
    story.extend([first, second].map(|script| format!("apply {}", script.version)));
    assert_eq!(project.story(), story, "{at}");
    let event = &project.json(&["show", "2"])["event"];
    assert_eq!((&event["executor"]["name"], &event["evidence"]), (&json!(case.tool), &json!("captured")));
    let version = event["executor"]["version"].as_str().unwrap();
    assert_eq!(version != "unknown", tells_version(case), "{at}: {version}");
    project.ok(["audit"]);

    // One byte of what was applied, then the whole way up.
    let (path, text) = second.files[0];
    let edited = text.replace("second (id", "second (ix");
    assert_ne!(edited, text, "{at}");
    project.write(path, edited);
    let run = life.record(case.apply);
    assert_eq!(run.code != 0, case.sees.edit, "{at}: {run:#?}");
    assert_eq!(project.story(), story, "{at}: {run:#?}");
    project.ends(1, ["audit"]).prints(&[second.version, "is not what was archived"]);
    life.remove(path);
    let run = life.record(case.apply);
    assert_eq!(run.code != 0, case.sees.deletion, "{at}: {run:#?}");
    assert_eq!(project.story(), story, "{at}: {run:#?}");
    project.ends(1, ["audit"]).prints(&[&format!("no file is the script of {}", second.version)]);
    life.put(second.files);

    life.put(broken.files);
    let run = life.record(case.apply);
    assert_ne!(run.code, 0, "{at}: {run:#?}");
    story.push(match SILENT.contains(&case.tool) {
        true => "fail".to_owned(),
        false => format!("fail {}", broken.version),
    });
    assert_eq!(project.story(), story, "{at}: {run:#?}");
    if let Some(mend) = case.mend {
        life.records(mend);
        assert_eq!(project.story(), story, "{at}");
    }
    for (path, _) in broken.files {
        life.remove(path);
    }
    life.put(second.files);
    project.ok(["audit"]);

    if let Some(roll_back) = case.roll_back {
        life.records(roll_back);
        story.push(format!("rollback {}", second.version));
        assert_eq!(project.story(), story, "{at}");
        life.records(case.apply);
        story.push(format!("apply {}", second.version));
        assert_eq!(project.story(), story, "{at}");
    }
    let mut standing = vec![first, second];
    if let Some(mark) = case.mark {
        life.put(broken.files);
        life.records(mark);
        story.push(format!("stamp {}", broken.version));
        assert_eq!(project.story(), story, "{at}");
        standing.push(broken);
    }
    project.ok(["audit"]);
    project.verify();

    // The same database, adopted as if nobody had watched.
    std::fs::remove_dir_all(project.path("archive")).unwrap();
    project.remove("greffe.toml");
    life.begin(case, "again");
    project.ok(["baseline"]);
    let mut story = vec!["genesis".to_owned()];
    story.extend(standing.iter().map(|script| format!("baseline {}", script.version)));
    assert_eq!(project.story(), story, "{at}");
    assert_eq!(project.json(&["show", "2"])["event"]["evidence"], case.adopted, "{at}");
    project.ok(["audit"]);
    project.verify();
}

/// Whether the version of the tool is known: not where it is a library of a program, or was built without one.
fn tells_version(case: &Case) -> bool {
    case.is_real && case.tool != "golang-migrate" && !case.apply.starts_with("node ")
}

/// A variable that names a folder of `./tests/run`.
fn folder_of(variable: &str) -> PathBuf {
    let found = std::env::var_os(variable).map(PathBuf::from);
    found.unwrap_or_else(|| panic!("{variable} names no folder: run `./tests/run`, which makes it"))
}

/// `PATH` with these folders before those of the system.
fn path_with(folders: &[&Path]) -> (&'static str, String) {
    let mut path: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    path.push("/usr/bin:/bin".to_owned());
    ("PATH", path.join(":"))
}

/// What `record`, `shop` and `matrix_java` hold their tools to.
const ELSEWHERE: &str = "\
| alembic, flask-migrate | SQLite, PostgreSQL | yes | yes | yes | found | found | yes | weak |
| flyway | SQLite, PostgreSQL, MariaDB | yes | – | yes | found, by the tool in part | found | yes | weak |
| liquibase | SQLite, PostgreSQL, MariaDB | yes | yes | yes | found, by the tool in part | found | yes | weak |
";

/// The table of the document, from what the cases say and [`live`] holds them to.
fn table() -> String {
    let head = "| tool | on | apply | roll back | fail | edit | deletion | mark as applied | baseline |\n\
                |---|---|---|---|---|---|---|---|---|\n";
    let head = head.to_owned() + ELSEWHERE;
    let found = |tool_too: bool| if tool_too { "found, by the tool too" } else { "found" };
    let row = |case: &Case| {
        let on: Vec<&str> = case.on.iter().map(|on| on.name()).collect();
        let can = |command: Option<&str>| if command.is_some() { "yes" } else { "–" };
        format!(
            "| {}{} | {} | yes | {} | yes | {} | {} | {} | {} |\n",
            case.tool,
            if case.is_real { "" } else { ", by its documentation" },
            on.join(", "),
            can(case.roll_back),
            found(case.sees.edit),
            found(case.sees.deletion),
            can(case.mark),
            case.adopted.trim_start_matches("imported-"),
        )
    };
    let cases = [python::CASES, node::CASES, orm::CASES, go::CASES, rust::CASES, documented::CASES];
    cases.into_iter().flatten().map(row).fold(head, |table, row| table + &row)
}

#[test]
fn the_document_tells_what_was_seen() {
    let document = include_str!("../../../README.md");
    let (_, rest) = document.split_once("<!-- what was seen -->\n").unwrap();
    let (told, _) = rest.split_once("<!-- end of what was seen -->").unwrap();
    println!("{}", table());
    assert_eq!(told, table(), "write this into README.md:\n{}", table());
}
