//! Folders of other tools that greffe applies itself, and the tools themselves on the same databases: before, between and
//! afterwards.

mod faults;
mod tools;

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::project::Project;
use crate::servers::{Database, MariaDb, Postgres};
use crate::tools::runs_all;
use tools::{DBMATE, DIESEL, FLYWAY, GOLANG_MIGRATE, GOOSE, NODE_PG_MIGRATE, REFINERY, Tool};

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

impl Team {
    fn on_sqlite(tool: &'static Tool) -> Self {
        Self::new(tool, None)
    }

    fn on_postgres(tool: &'static Tool) -> Self {
        Self::new(tool, Some(Postgres::shared().database("kept")))
    }

    fn on_mariadb(tool: &'static Tool) -> Self {
        Self::new(tool, Some(MariaDb::shared().database("kept")))
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
            Some(server) if server.url().starts_with("mysql:") => server.url(),
            // The user of tests is called as greffe's own schema, where tools would look first.
            Some(server) => format!("{}?sslmode=disable&search_path=public", server.url()),
            None => "sqlite:app.db".to_owned(),
        }
    }

    fn tool(&self, way: Way) -> Option<String> {
        let arguments = (self.tool.command)(self, way)?;
        let mut command = Command::new(&arguments[0]);
        self.project.prepare(&mut command);
        let output = command.args(&arguments[1..]).output().unwrap();
        let shown =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
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
    let mut story = vec![format!("apply {first}"), format!("apply {second}"), format!("apply {third}")];
    assert_eq!(ours.story(), story);
    if ours.record(Way::Down).is_some() {
        ours.record(Way::Down).unwrap();
        ours.project
            .ok(["status"])
            .prints(&[&format!("pending      {second}"), &format!("applied      {first}")]);
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

/// A tool and greffe on MariaDB, which ends a transaction before each change of the schema.
fn life_on_mariadb(tool: &'static Tool) {
    let (ours, theirs) = leaves_the_same(Team::on_mariadb, tool);
    let [_, second, third] = tool.ids;
    let rows = ours.rows();
    ours.tool(Way::Up);
    assert_eq!(ours.rows(), rows);
    ours.add(2);
    ours.record(Way::Up).unwrap();
    assert_eq!(ours.story()[2..], [format!("apply {third}")]);
    ours.project.ok(["apply"]).prints(&["nothing to apply"]);
    ours.project.verify();
    ours.project.ok(["audit"]);
    let team = theirs.kept();
    team.project.ok(["rollback", "--steps", "1"]);
    team.project.ok(["apply"]).prints(&[&format!("applied {second}")]);
    team.tool(Way::Up);
    team.project.ok(["apply"]).prints(&["nothing to apply"]);
    team.project.verify();
    team.project.ok(["audit"]);
}

#[test]
fn dbmate_and_greffe_take_turns_on_mariadb() {
    life_on_mariadb(&DBMATE);
}

#[test]
fn goose_and_greffe_take_turns_on_mariadb() {
    life_on_mariadb(&GOOSE);
}

#[test]
fn golang_migrate_and_greffe_take_turns_on_mariadb() {
    life_on_mariadb(&GOLANG_MIGRATE);
}

/// What greffe applied for a tool on PostgreSQL is made again there from the archive alone.
#[test]
fn what_was_applied_for_a_tool_is_replayed_on_postgresql() {
    for tool in [&DBMATE, &GOOSE, &GOLANG_MIGRATE, &NODE_PG_MIGRATE] {
        let mut team = Team::on_postgres(tool).kept();
        team.project.ok(["apply"]);
        team.add(2);
        team.project.ok(["apply"]);
        team.project.ok(["rollback", "--steps", "1"]);
        let database = Postgres::shared().database("replayed");
        let url = database.url_as(&database.replayer());
        team.project.variables.push(("REPLAY_URL".to_owned(), url));
        let replayed = team.project.json(&["replay", &team.project.head(), "--on", "env:REPLAY_URL"]);
        assert_eq!(
            (&replayed["stopped"], &replayed["holds"], &replayed["executed"]),
            (&Value::Null, &json!(true), &json!(4)),
            "{}: {replayed:#}",
            tool.name
        );
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
