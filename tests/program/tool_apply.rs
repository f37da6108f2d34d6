//! Folders of other tools that greffe applies itself, and the tools themselves on the same databases: before, between and
//! afterwards.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::project::Project;
use crate::servers::{Database, LIMIT, Postgres, poll};
use crate::tools::runs_all;

/// A tool, and what it takes to run it.
struct Tool {
    name: &'static str,
    table: &'static str,
    /// Its columns that are not times.
    columns: &'static str,
    /// Files of three migrations; the third one comes later.
    scripts: [&'static [(&'static str, &'static str)]; 3],
    /// What the table calls them.
    ids: [&'static str; 3],
    /// Arguments that apply all, and that roll one back; `None` for a tool without ways down.
    command: fn(&Team, Way) -> Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Up,
    Down,
}

/// A project on a database that a tool shares.
struct Team {
    project: Project,
    tool: &'static Tool,
    /// `None`: a file of SQLite.
    server: Option<Database>,
}

const DBMATE: Tool = Tool {
    name: "dbmate",
    table: "schema_migrations",
    columns: "version",
    scripts: [
        &[("001_authors.sql", "-- migrate:up\nCREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n\n\
                               -- migrate:down\nDROP TABLE authors;\n")],
        &[("002_books.sql", "-- migrate:up transaction:false\nCREATE TABLE books (id INTEGER PRIMARY KEY);\n\
                             INSERT INTO books VALUES (1);\n\n-- migrate:down transaction:false\nDROP TABLE books;\n")],
        &[("003_index.sql", "-- migrate:up\nCREATE INDEX named ON authors (name);\n\n-- migrate:down\nDROP INDEX named;\n")],
    ],
    ids: ["001", "002", "003"],
    command: |team, way| {
        let way = if way == Way::Up { "up" } else { "down" };
        let program = node_tools("dbmate");
        let fixed = ["--no-dump-schema", "--migrations-dir", "migrations", "--url", &team.url(), way];
        Some([vec![program], fixed.map(str::to_owned).to_vec()].concat())
    },
};

const GOOSE: Tool = Tool {
    name: "goose",
    table: "goose_db_version",
    columns: "id, version_id, is_applied",
    scripts: [
        &[("00001_authors.sql", "-- +goose Up\nCREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n\
                                 -- +goose Down\nDROP TABLE authors;\n")],
        &[("00002_books.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE books (id INTEGER PRIMARY KEY);\n\
                               -- +goose StatementBegin\nINSERT INTO books VALUES (1);\n-- +goose StatementEnd\n\n\
                               -- +goose Down\nDROP TABLE books;\n")],
        &[("00003_index.sql", "-- +goose Up\nCREATE INDEX named ON authors (name);\n-- +goose Down\nDROP INDEX named;\n")],
    ],
    ids: ["1", "2", "3"],
    command: |team, way| {
        let way = if way == Way::Up { "up" } else { "down" };
        let (driver, url) = match team.server {
            Some(_) => ("postgres", team.url()),
            None => ("sqlite3", "app.db".to_owned()),
        };
        Some([&go_tools("goose"), "-dir", "migrations", driver, &url, way].map(str::to_owned).to_vec())
    },
};

const GOLANG_MIGRATE: Tool = Tool {
    name: "golang-migrate",
    table: "schema_migrations",
    columns: "version, dirty",
    scripts: [
        &[
            ("1_authors.up.sql", "CREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n"),
            ("1_authors.down.sql", "DROP TABLE authors;\n"),
        ],
        &[
            ("2_books.up.sql", "CREATE TABLE books (id INTEGER PRIMARY KEY);\nINSERT INTO books VALUES (1);\n"),
            ("2_books.down.sql", "DROP TABLE books;\n"),
        ],
        &[
            ("3_index.up.sql", "CREATE INDEX named ON authors (name);\n"),
            ("3_index.down.sql", "DROP INDEX named;\n"),
        ],
    ],
    ids: ["1", "2", "3"],
    command: |team, way| {
        let url = match team.server {
            Some(_) => team.url(),
            None => "sqlite://app.db".to_owned(),
        };
        let way: &[&str] = if way == Way::Up { &["up"] } else { &["down", "1"] };
        let program = go_tools("migrate");
        let arguments = [&[program.as_str(), "-path", "migrations", "-database", &url], way].concat();
        Some(arguments.into_iter().map(str::to_owned).collect())
    },
};

const NODE_PG_MIGRATE: Tool = Tool {
    name: "node-pg-migrate",
    table: "pgmigrations",
    columns: "id, name",
    scripts: [
        &[("1767225600001_authors.sql", "-- Up Migration\nCREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n\
                                         -- Down Migration\nDROP TABLE authors;\n")],
        &[("1767225600002_books.sql", "-- Down Migration\nDROP TABLE books;\n\
                                       -- Up Migration\nCREATE TABLE books (id INTEGER PRIMARY KEY);\n")],
        &[("1767225600003_index.sql", "-- Up Migration\nCREATE INDEX named ON authors (name);\n\
                                       -- Down Migration\nDROP INDEX named;\n")],
    ],
    ids: ["1767225600001_authors", "1767225600002_books", "1767225600003_index"],
    command: |_, way| {
        let way = if way == Way::Up { "up" } else { "down" };
        let program = node_tools("node-pg-migrate");
        Some([&program, way, "-m", "migrations"].map(str::to_owned).to_vec())
    },
};

const REFINERY: Tool = Tool {
    name: "refinery",
    table: "refinery_schema_history",
    columns: "version, name, checksum",
    scripts: [
        &[("V1__authors.sql", "CREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n")],
        &[("V2__their_books.sql", "CREATE TABLE books (id INTEGER PRIMARY KEY);\nINSERT INTO books VALUES (1);\n")],
        &[("V3__index.sql", "CREATE INDEX named ON authors (name);\n")],
    ],
    ids: ["1", "2", "3"],
    command: |team, way| {
        team.project.write("refinery.toml", "[main]\ndb_type = \"Sqlite\"\ndb_path = \"./app.db\"\n");
        let arguments = [&rust_tools("refinery"), "migrate", "-c", "refinery.toml", "-p", "migrations"];
        (way == Way::Up).then(|| arguments.map(str::to_owned).to_vec())
    },
};

const DIESEL: Tool = Tool {
    name: "diesel",
    table: "__diesel_schema_migrations",
    columns: "version",
    scripts: [
        &[
            ("2026-01-01-000001_authors/up.sql", "CREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n"),
            ("2026-01-01-000001_authors/down.sql", "DROP TABLE authors;\n"),
        ],
        &[
            ("2026-01-01-000002_books/up.sql", "CREATE TABLE books (id INTEGER PRIMARY KEY);\nINSERT INTO books VALUES (1);\n"),
            ("2026-01-01-000002_books/down.sql", "DROP TABLE books;\n"),
            ("2026-01-01-000002_books/metadata.toml", "run_in_transaction = false\n"),
        ],
        &[
            ("2026-01-01-000003_index/up.sql", "CREATE INDEX named ON authors (name);\n"),
            ("2026-01-01-000003_index/down.sql", "DROP INDEX named;\n"),
        ],
    ],
    ids: ["20260101000001", "20260101000002", "20260101000003"],
    command: |_, way| {
        let way = if way == Way::Up { "run" } else { "revert" };
        let arguments =
            [&rust_tools("diesel"), "migration", way, "--migration-dir", "migrations", "--database-url", "app.db"];
        Some(arguments.map(str::to_owned).to_vec())
    },
};

const FLYWAY: Tool = Tool {
    name: "flyway",
    table: "flyway_schema_history",
    columns: "installed_rank, version, description, type, script, checksum, success",
    scripts: [
        &[("V1__authors.sql", "CREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n")],
        &[
            ("V02_1__their_books.sql", "CREATE TABLE books (id INTEGER PRIMARY KEY);\n"),
            ("V02_1__their_books.sql.conf", "executeInTransaction=false\n"),
            ("U2.1__their_books.sql", "DROP TABLE books;\n"),
        ],
        &[("V3__index.sql", "CREATE INDEX named ON authors (name);\n")],
    ],
    ids: ["1", "2.1", "3"],
    command: |team, way| {
        let server = team.server.as_ref().unwrap();
        let login = server.user();
        let url = format!("-url=jdbc:postgresql:{}", server.url().split_once('@').map_or("", |(_, rest)| rest));
        let url = url.replacen("postgresql:", "postgresql://", 1);
        let (user, password) = (format!("-user={}", login.user), format!("-password={}", login.password));
        let flyway = program(folder_of("GREFFE_TEST_JAVA_TOOLS").join("bin"), "flyway");
        let arguments = [&flyway, &url, &user, &password, "-locations=filesystem:migrations", "migrate"];
        (way == Way::Up).then(|| arguments.map(str::to_owned).to_vec())
    },
};

fn program(folder: PathBuf, name: &str) -> String {
    let program = folder.join(name);
    assert!(program.exists(), "{} is not there: run `./tests/run`", program.display());
    program.display().to_string()
}

fn folder_of(variable: &str) -> PathBuf {
    let found = std::env::var_os(variable).map(PathBuf::from);
    found.unwrap_or_else(|| panic!("{variable} names no folder with the tools: run `./tests/run`"))
}

fn node_tools(name: &str) -> String {
    program(folder_of("GREFFE_TEST_NODE_TOOLS").join("node_modules/.bin"), name)
}

fn go_tools(name: &str) -> String {
    program(folder_of("GREFFE_TEST_GO_TOOLS"), name)
}

fn rust_tools(name: &str) -> String {
    program(folder_of("GREFFE_TEST_RUST_TOOLS"), name)
}

impl Team {
    fn on_sqlite(tool: &'static Tool) -> Self {
        Self::new(tool, None)
    }

    fn on_postgres(tool: &'static Tool) -> Self {
        Self::new(tool, Some(Postgres::shared().database("kept")))
    }

    fn new(tool: &'static Tool, server: Option<Database>) -> Self {
        let mut project = Project::empty();
        let url = server.as_ref().map_or_else(|| "sqlite:app.db".to_owned(), Database::url);
        project.variables.push(("DATABASE_URL".to_owned(), url));
        project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
        let team = Self { project, tool, server };
        team.add(0);
        team.add(1);
        team
    }

    /// The same, where greffe does the tool's work.
    fn kept(mut self) -> Self {
        self.project.variables.push(("GREFFE_TOOL".to_owned(), self.tool.name.to_owned()));
        self.project.variables.push(("GREFFE_TOOL_APPLY".to_owned(), "true".to_owned()));
        self
    }

    fn recorded(mut self) -> Self {
        self.project.variables.push(("GREFFE_TOOL".to_owned(), self.tool.name.to_owned()));
        self
    }

    fn add(&self, nth: usize) {
        for (name, text) in self.tool.scripts[nth] {
            self.write(name, text);
        }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.project.path("migrations").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// As the tools of others write it.
    fn url(&self) -> String {
        match &self.server {
            Some(server) => format!("{}?sslmode=disable", server.url()),
            None => "sqlite:app.db".to_owned(),
        }
    }

    fn tool(&self, way: Way) -> Option<String> {
        let arguments = (self.tool.command)(self, way)?;
        let mut command = Command::new(&arguments[0]);
        self.project.prepare(&mut command);
        let output = command.args(&arguments[1..]).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {shown}");
        Some(shown)
    }

    fn record(&self, way: Way) -> Option<()> {
        let mut arguments = vec!["record".to_owned(), "--".to_owned()];
        arguments.extend((self.tool.command)(self, way)?);
        self.project.ok(arguments);
        Some(())
    }

    fn sql(&self, query: &str) -> String {
        match &self.server {
            Some(server) => server.sql(query).trim_end().to_owned(),
            None => self.project.sql(query),
        }
    }

    fn rows(&self) -> String {
        self.sql(&format!("SELECT {} FROM {} ORDER BY 1", self.tool.columns, self.tool.table))
    }

    fn schema(&self) -> Value {
        let log = self.project.log();
        let seq = (log.len() - 1).to_string();
        self.event(&seq)["schema"]["after"].clone()
    }

    fn event(&self, seq: &str) -> Value {
        self.project.json(&["show", seq])["event"].clone()
    }

    fn story(&self) -> Vec<String> {
        self.project.story().into_iter().skip(1).collect()
    }

    fn verify(&self) {
        self.project.verify();
        self.project.ok(["audit"]);
        if self.server.is_none() {
            let report = self.project.json(&["verify", &self.project.head(), "--replay"]);
            assert_eq!(report["established"]["replayed"], true, "{report:#}");
        }
    }
}

/// The tool alone, and greffe in its place, leave the same database.
fn leaves_the_same(make: fn(&'static Tool) -> Team, tool: &'static Tool) -> (Team, Team) {
    let theirs = make(tool).recorded();
    theirs.project.ends(2, ["apply"]).says(&["tool.apply = true", "--tool-apply"]);
    theirs.record(Way::Up).unwrap();
    theirs.project.ends(2, ["rollback", "--steps", "1"]).says(&["tool.apply = true"]);
    let ours = make(tool).kept();
    ours.project.ok(["apply"]);
    let [first, second, _] = tool.ids;
    assert_eq!(ours.story(), [format!("apply {first}"), format!("apply {second}")]);
    assert_eq!(ours.rows(), theirs.rows());
    assert_eq!(ours.schema(), theirs.schema());
    assert_ne!(ours.schema(), Value::Null);
    let event = ours.event("1");
    assert_eq!(
        (&event["executor"]["name"], &event["evidence"], &event["tool"]["name"]),
        (&json!("greffe"), &json!("executed"), &json!(tool.name))
    );
    (ours, theirs)
}

/// A team's life between its tool and greffe.
fn life(make: fn(&'static Tool) -> Team, tool: &'static Tool) {
    let (ours, theirs) = leaves_the_same(make, tool);
    let [first, second, third] = tool.ids;
    ours.verify();
    // The tool has nothing to do; then it applies one more, and rolls two back, of which greffe applied one.
    let rows = ours.rows();
    ours.tool(Way::Up);
    assert_eq!(ours.rows(), rows);
    ours.project.ok(["apply"]).prints(&["nothing to apply"]);
    ours.add(2);
    ours.record(Way::Up).unwrap();
    ours.project.ok(["apply"]).prints(&["nothing to apply"]);
    let mut story =
        vec![format!("apply {first}"), format!("apply {second}"), format!("apply {third}")];
    assert_eq!(ours.story(), story);
    if ours.record(Way::Down).is_some() {
        ours.record(Way::Down).unwrap();
        ours.project.ok(["status"]).prints(&[&format!("pending      {second}"), &format!("applied      {first}")]);
        ours.project.ok(["apply"]);
        ours.project.ok(["rollback", "--steps", "1"]);
        ours.tool(Way::Up);
        story.extend([
            format!("rollback {third}"),
            format!("rollback {second}"),
            format!("apply {second}"),
            format!("apply {third}"),
            format!("rollback {third}"),
        ]);
        assert_eq!(ours.story(), story);
        // What nobody told of stops greffe until it is archived.
        ours.project.ends(1, ["apply"]).says(&["greffe audit"]);
        ours.project.ends(1, ["rollback", "--steps", "1"]).says(&["greffe audit"]);
        ours.project.ends(1, ["status"]).prints(&[tool.table]);
        ours.project.ends(1, ["audit"]);
        ours.project.ok(["record", "--", "true"]);
        ours.project.ok(["rollback", "--to", first]);
        story.extend([
            format!("baseline {third}"),
            format!("rollback {third}"),
            format!("rollback {second}"),
        ]);
        assert_eq!(ours.story(), story);
        ours.tool(Way::Up);
        ours.project.ok(["record", "--", "true"]);
        ours.project.ok(["audit"]);
    }
    ours.project.verify();

    // A database that the tool migrated is adopted, or was recorded all along: greffe goes on.
    let adopted = make(tool).kept();
    adopted.tool(Way::Up);
    adopted.project.ends(1, ["apply"]).says(&["greffe baseline", tool.table]);
    adopted.project.ok(["baseline"]);
    for team in [adopted, theirs.kept()] {
        team.add(2);
        team.project.ok(["apply"]).prints(&[&format!("applied {third}")]);
        if (tool.command)(&team, Way::Down).is_some() {
            team.project.ok(["rollback", "--steps", "2"]);
            team.project.ok(["apply"]);
        }
        team.tool(Way::Up);
        team.project.ok(["apply"]).prints(&["nothing to apply"]);
        team.verify();
    }
}

#[test]
fn dbmate_and_greffe_take_turns_on_sqlite() {
    life(Team::on_sqlite, &DBMATE);
}

#[test]
fn dbmate_and_greffe_take_turns_on_postgresql() {
    life(Team::on_postgres, &DBMATE);
}

#[test]
fn goose_and_greffe_take_turns_on_sqlite() {
    life(Team::on_sqlite, &GOOSE);
}

#[test]
fn goose_and_greffe_take_turns_on_postgresql() {
    life(Team::on_postgres, &GOOSE);
}

#[test]
fn golang_migrate_and_greffe_take_turns_on_sqlite() {
    life(Team::on_sqlite, &GOLANG_MIGRATE);
}

#[test]
fn golang_migrate_and_greffe_take_turns_on_postgresql() {
    life(Team::on_postgres, &GOLANG_MIGRATE);
}

#[test]
fn node_pg_migrate_and_greffe_take_turns_on_postgresql() {
    life(Team::on_postgres, &NODE_PG_MIGRATE);
}

#[test]
fn refinery_and_greffe_take_turns_on_sqlite() {
    if runs_all() {
        life(Team::on_sqlite, &REFINERY);
    }
}

#[test]
fn diesel_and_greffe_take_turns_on_sqlite() {
    if runs_all() {
        life(Team::on_sqlite, &DIESEL);
    }
}

#[test]
fn flyway_and_greffe_take_turns_on_postgresql() {
    if runs_all() {
        life(Team::on_postgres, &FLYWAY);
    }
}

/// A script that fails in its second statement, for each tool.
fn failing(tool: &Tool) -> (&'static str, &'static str) {
    match tool.name {
        "dbmate" => ("003_bad.sql", "-- migrate:up\nCREATE TABLE half (id INTEGER);\nSELECT nothing;\n-- migrate:down\n"),
        "goose" => ("00003_bad.sql", "-- +goose Up\nCREATE TABLE half (id INTEGER);\nSELECT nothing;\n"),
        "golang-migrate" => ("3_bad.up.sql", "CREATE TABLE half (id INTEGER);\nSELECT nothing;\n"),
        _ => ("V3__bad.sql", "CREATE TABLE half (id INTEGER);\nSELECT nothing;\n"),
    }
}

#[test]
fn a_script_that_fails_in_its_transaction_leaves_the_tools_table_as_it_was() {
    for tool in [&DBMATE, &GOOSE, &REFINERY] {
        let team = Team::on_sqlite(tool).kept();
        team.project.ok(["apply"]);
        let rows = team.rows();
        let (file, text) = failing(tool);
        team.write(file, text);
        team.project.ends(3, ["apply"]).says(&[file, "statement 2"]);
        assert_eq!(team.rows(), rows, "{}", tool.name);
        team.write(file, &text.replace("SELECT nothing;\n", ""));
        team.project.ok(["apply"]);
        let third = tool.ids[2];
        assert_eq!(team.story()[2..], [format!("fail {third}"), format!("apply {third}")]);
        team.verify();
    }
}

#[test]
fn golang_migrate_is_left_dirty_and_cleaned_by_a_repair() {
    for make in [Team::on_sqlite, Team::on_postgres] {
        let team = make(&GOLANG_MIGRATE).kept();
        team.project.ok(["apply"]);
        let (file, text) = failing(&GOLANG_MIGRATE);
        team.write(file, text);
        team.project.ends(3, ["apply"]).says(&[file]);
        let dirty = if team.server.is_some() { "3|t" } else { "3|1" };
        assert_eq!(team.rows(), dirty);
        // The tool and greffe both refuse to go on.
        let arguments = (team.tool.command)(&team, Way::Up).unwrap();
        let mut command = Command::new(&arguments[0]);
        team.project.prepare(&mut command);
        let output = command.args(&arguments[1..]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("Dirty database version 3"), "{output:?}");
        team.write(file, "CREATE TABLE half (id INTEGER);\n");
        team.project.ends(1, ["apply"]).says(&["migration 3 failed", "greffe audit", "greffe repair 3"]);
        team.project.ends(1, ["audit"]);
        team.project.ok(["repair", "3", "--rolled-back"]);
        assert_eq!(team.rows(), dirty.replace('3', "2").replace('t', "f").replace("|1", "|0"));
        team.project.ok(["apply"]);
        team.tool(Way::Up);
        team.verify();
        // Its one row cannot tell of a version that was left out.
        team.write("0_early.up.sql", "CREATE TABLE early (id INTEGER);\n");
        team.project.ends(1, ["apply", "--allow-out-of-order"]);
    }
}

/// What `flyway_schema_history` has, but for times.
fn flyway_rows(team: &Team) -> Vec<String> {
    let columns = "installed_rank, coalesce(version, '-'), description, type, script, checksum, installed_by, success";
    let rows = team.sql(&format!("SELECT {columns} FROM flyway_schema_history ORDER BY 1"));
    rows.lines().map(str::to_owned).collect()
}

#[test]
fn flyways_table_has_a_row_for_each_run() {
    let team = Team::on_sqlite(&FLYWAY).kept();
    team.write("R__all_names.sql", "DROP VIEW IF EXISTS names;\nCREATE VIEW names AS SELECT name FROM authors;\n");
    team.project.ok(["apply"]);
    team.project.ok(["apply"]).prints(&["nothing to apply"]);
    let sum = |row: &str| row.split('|').nth(5).unwrap().parse::<i64>().unwrap();
    let rows = flyway_rows(&team);
    let first = sum(&rows[2]);
    assert_eq!(
        rows,
        [
            format!("1|1|authors|SQL|V1__authors.sql|{}||1", sum(&rows[0])),
            format!("2|02.1|their books|SQL|V02_1__their_books.sql|{}||1", sum(&rows[1])),
            format!("3|-|all names|SQL|R__all_names.sql|{first}||1"),
        ]
    );
    // The text of the facts: CRC-32 over lines without their ends.
    team.write("R__all_names.sql", "DROP VIEW IF EXISTS names;\nCREATE VIEW names AS SELECT id, name FROM authors;\n");
    team.project.ok(["status"]);
    team.project.ok(["apply"]).prints(&["applied R__all names#2"]);
    team.project.ok(["rollback", "--steps", "1"]);
    let rows = flyway_rows(&team);
    assert_ne!(sum(&rows[3]), first);
    assert!(rows[3].starts_with("4|-|all names|SQL|R__all_names.sql|"), "{rows:#?}");
    assert!(rows[4].starts_with("5|02.1|their books|UNDO_SQL|U2.1__their_books.sql|"), "{rows:#?}");
    team.project.ok(["apply"]).prints(&["applied 2.1"]);
    team.verify();

    // Outside a transaction, what failed leaves a row, which a repair takes away.
    team.write("V3__bad.sql", "CREATE TABLE half (id INTEGER);\nSELECT nothing;\n");
    team.write("V3__bad.sql.conf", "executeInTransaction=false\n");
    team.project.ends(3, ["apply"]).says(&["greffe repair 3"]);
    let rows = flyway_rows(&team);
    assert!(rows[6].starts_with("7|3|bad|SQL|V3__bad.sql|") && rows[6].ends_with("||0"), "{rows:#?}");
    team.project.ends(1, ["apply"]);
    team.project.ok(["repair", "3", "--rolled-back"]);
    assert_eq!(flyway_rows(&team).len(), 6);
    team.sql("DROP TABLE half");
    team.write("V3__bad.sql", "CREATE TABLE half (id INTEGER);\n");
    team.project.ok(["apply"]);
    team.project.verify();
}

#[test]
fn what_a_crash_cut_short_is_repaired_in_both_tables() {
    let team = Team::on_sqlite(&DBMATE).kept();
    team.project.ok(["apply"]);
    team.write(
        "003_slow.sql",
        "-- migrate:up transaction:false\nCREATE TABLE begun (id INTEGER);\nCREATE TABLE endless AS WITH RECURSIVE n (i) \
         AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;\n-- migrate:down\nDROP TABLE begun;\n",
    );
    let mut child = team.project.command(["apply"]).spawn().unwrap();
    let began = || team.sql("SELECT count(*) FROM sqlite_schema WHERE name = 'begun'") == "1";
    assert!(poll(LIMIT, began));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(team.rows(), "001\n002");
    team.project.ends(1, ["apply"]).says(&["greffe repair 003 --applied"]);
    team.project.ends(1, ["audit"]).prints(&["003 was cut short"]);
    team.project.ends(1, ["rollback", "--steps", "1"]);
    team.sql("CREATE TABLE endless (n)");
    team.project.ok(["repair", "003", "--applied"]);
    assert_eq!(team.rows(), "001\n002\n003");
    team.tool(Way::Up);
    team.project.ok(["audit"]);
    team.project.ok(["rollback", "--steps", "1"]);
    assert_eq!(team.rows(), "001\n002");
    assert_eq!(team.story()[2..], ["fail 003", "repair 003", "rollback 003"]);
    team.project.verify();
}

#[test]
fn what_cannot_be_done_for_a_tool_is_refused_before_anything_runs() {
    let team = Team::on_sqlite(&GOOSE).kept();
    team.write("00004_env.sql", "-- +goose ENVSUB ON\n-- +goose Up\nSELECT '${HOME}';\n");
    team.project.ends(2, ["apply"]).says(&["variables of the environment", "greffe record"]);
    assert_eq!(team.sql("SELECT count(*) FROM sqlite_schema"), "0");
    fs::remove_file(team.project.path("migrations/00004_env.sql")).unwrap();
    team.write("00004_code.go", "package migrations\n");
    team.project.ends(2, ["apply"]).says(&["00004_code.go", "is no SQL"]);
    fs::remove_file(team.project.path("migrations/00004_code.go")).unwrap();
    team.project.ends(2, ["--tool", "alembic", "apply"]).says(&["does not apply the scripts of alembic"]);
    team.project.ok(["apply"]);
    // What was applied and edited is told, and a folder that was applied for a tool is never taken for greffe's own.
    team.write("00001_authors.sql", "-- +goose Up\nCREATE TABLE authors (id TEXT);\n");
    team.project.ends(1, ["apply"]).says(&["differs from its archived copy"]);
    let mut plain = team.project.copy();
    plain.variables.retain(|(name, _)| !name.starts_with("GREFFE_TOOL"));
    plain.ends(2, ["apply"]).says(&["goose applies the scripts", "tool.apply = true"]);
}
