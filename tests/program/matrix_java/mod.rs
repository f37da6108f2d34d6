//! Flyway and Liquibase themselves, under `greffe record` on real databases.
//!
//! They are for `./tests/run --all` alone, which gets them and names their folder in `GREFFE_TEST_JAVA_TOOLS`. Elsewhere
//! these tests end at once, unless that variable names the folder.

mod flyway;
mod liquibase;

use std::path::PathBuf;
use std::process::Command;

use url::Url;

use crate::project::{Project, Run};
use crate::servers::{Database, MariaDb, Postgres};
use crate::tools::runs_all;

/// A project whose migrations such a tool applies to a database of its own.
struct Java {
    project: Project,
    /// Holds the database, where it is not a file.
    database: Option<Database>,
}

/// Which kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Java {
    /// A chain that is begun, with these files; `None` where these tests were not asked for.
    fn with(kind: Kind, files: &[(&str, &str)]) -> Option<Self> {
        let programs = programs()?;
        let mut project = Project::empty();
        let database = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(Postgres::shared().database("java")),
            Kind::MariaDb => Some(MariaDb::shared().database("java")),
        };
        let file = project.path("app.db").display().to_string();
        let url = database.as_ref().map_or(format!("sqlite:{file}"), Database::url);
        let mut variables = vec![
            ("PATH", format!("{}:/usr/bin:/bin", programs.join("bin").display())),
            ("HOME", project.folder().display().to_string()),
            ("LIQUIBASE_ANALYTICS_ENABLED", "false".to_owned()),
            ("REDGATE_DISABLE_TELEMETRY", "true".to_owned()),
            ("DATABASE_URL", url.clone()),
        ];
        let jdbc = match database.as_ref().map(|database| (database, Url::parse(&url).unwrap())) {
            None => format!("jdbc:sqlite:{file}"),
            Some((database, url)) => {
                let name = if kind == Kind::Postgres { "postgresql" } else { "mariadb" };
                let user = database.user();
                for (begin, end) in [("FLYWAY", "USER"), ("LIQUIBASE_COMMAND", "USERNAME")] {
                    let (login, password) = (format!("{begin}_{end}"), format!("{begin}_PASSWORD"));
                    project.variables.extend([(login, user.user.clone()), (password, user.password.clone())]);
                }
                project.secrets.push(user.password.clone());
                format!("jdbc:{name}://127.0.0.1:{}/{}", url.port().unwrap(), database.name())
            }
        };
        variables.extend([("FLYWAY_URL", jdbc.clone()), ("LIQUIBASE_COMMAND_URL", jdbc)]);
        project.variables.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let java = Self { project, database };
        for (name, text) in files {
            java.put(name, text);
        }
        java.begin("demo");
        Some(java)
    }

    fn begin(&self, name: &str) {
        self.project.ok([
            "init",
            "--name",
            name,
            "--database",
            "env:DATABASE_URL",
            "--migrations",
            "migrations",
        ]);
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.project.path("migrations").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs a tool by itself.
    fn alone(&self, command: &[&str]) -> Run {
        let mut tool = Command::new("env");
        self.project.prepare(&mut tool);
        Run::of(tool.args(command).output().unwrap())
    }

    /// The same under `greffe record`.
    fn recorded(&self, command: &[&str]) -> Run {
        let mut arguments = vec!["record", "--"];
        arguments.extend(command);
        self.project.run(arguments)
    }

    /// The story from the entry `from` on.
    fn story(&self, from: usize) -> Vec<String> {
        self.project.story().split_off(from)
    }

    /// Runs statements on the database by itself.
    fn sql(&self, statements: &str) {
        match &self.database {
            Some(database) => database.sql(statements),
            None => self.project.sql(statements),
        };
    }

    /// An audit that finds all this, and nothing else.
    fn finds(&self, findings: &[&str]) {
        let run = self.project.ends(1, ["audit", "--json"]);
        let found = run.object();
        let mut names: Vec<&str> = found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["finding"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, findings, "{run:#?}");
    }

    /// The same database, adopted by a new chain as if nobody had watched.
    fn adopt(&self, applied: &[&str]) {
        std::fs::remove_dir_all(self.project.path("archive")).unwrap();
        self.project.remove("greffe.toml");
        self.begin("again");
        self.project.ok(["baseline"]);
        let adopted: Vec<String> = applied.iter().map(|id| format!("baseline {id}")).collect();
        assert_eq!(self.story(1), adopted);
        self.project.ok(["audit"]);
        self.project.verify();
    }
}

/// The folder with the tools.
fn programs() -> Option<PathBuf> {
    let found = std::env::var_os("GREFFE_TEST_JAVA_TOOLS").map(PathBuf::from);
    assert!(
        found.is_some() || !runs_all(),
        "GREFFE_TEST_JAVA_TOOLS names no folder: run `./tests/run --all`"
    );
    found
}
