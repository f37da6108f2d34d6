//! Changes of the schema that do not come through greffe are noted by PostgreSQL while they happen.

mod kept;
mod marked;

use serde_json::{Value, json};

use crate::engines::THREE;
use crate::project::{Project, copy_folder};
use crate::servers::{Database, MariaDb, Postgres};

/// A project whose database has a guard. greffe's own role is no superuser; whoever guards is one.
pub struct Guarded {
    pub project: Project,
    pub database: Database,
}

impl Guarded {
    pub fn on(hint: &str, scripts: &[(&str, &str)]) -> Self {
        let guarded = Self::without_guard(hint, scripts);
        guarded.install(&[]);
        guarded
    }

    fn without_guard(hint: &str, scripts: &[(&str, &str)]) -> Self {
        let database = Postgres::shared().database(hint);
        let mut project = Project::empty();
        project.variables.push(("DATABASE_URL".to_owned(), database.url()));
        project.variables.push(("ADMIN_URL".to_owned(), database.url_as(database.administrator())));
        project.scripts(scripts);
        project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
        Self { project, database }
    }

    pub fn install(&self, more: &[&str]) {
        let install = ["guard", "install", "--reader", "greffe", "--database", "env:ADMIN_URL"];
        self.project.ok(install.iter().chain(more));
    }

    pub fn admin(&self, sql: &str) -> String {
        let admin = self.database.administrator();
        self.database.sql_as(admin, sql).unwrap_or_else(|error| panic!("{sql}\n{error}"))
    }

    /// What was noted, as an object; `code`: how the command ends.
    fn changes(&self, code: i32, more: &[&str]) -> Value {
        let arguments = ["guard", "changes", "--json"];
        self.project.ends(code, arguments.iter().chain(more)).object()
    }

    /// The last of what was noted.
    fn last(&self, code: i32) -> Value {
        self.changes(code, &[])["changes"].as_array().unwrap().last().unwrap().clone()
    }

    fn status(&self, code: i32) -> Value {
        self.project.ends(code, ["guard", "status", "--json"]).object()
    }

    fn faults(&self) -> Vec<String> {
        let status = self.status(1);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let faults = status["faults"].as_array().unwrap();
        faults.iter().map(|fault| format!("{} {}", text(&fault["fault"]), text(&fault["what"]))).collect()
    }
}

fn objects(changes: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let one = |change: &Value| format!("{} {}", text(&change["command"]), text(&change["identity"]));
    changes["changes"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn what_comes_through_greffe_is_told_from_what_does_not() {
    let guarded = Guarded::on("guard", &THREE);
    let (project, database) = (&guarded.project, &guarded.database);
    project.script(
        "4_bare.up.sql",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY by_name ON authors (name);\nDROP INDEX CONCURRENTLY by_name;\n",
    );
    project.script("4_bare.down.sql", "DROP TABLE books;\n");
    project.ok(["apply"]);
    project.ok(["rollback", "--steps", "1"]);
    let changes = guarded.changes(0, &[]);
    let standings: Vec<&str> =
        changes["changes"].as_array().unwrap().iter().map(|c| c["standing"].as_str().unwrap()).collect();
    assert!(standings.iter().all(|standing| ["archived", "own"].contains(standing)), "{changes:#}");
    assert_eq!(
        (&changes["outOfBand"], &changes["faults"], &changes["missed"]),
        (&json!(0), &json!([]), &json!(0))
    );
    for found in changes["changes"].as_array().unwrap().iter().filter(|c| c["standing"] == "archived") {
        let event = project.json(&["show", &found["seq"].to_string()])["event"].clone();
        assert_eq!(event["id"], found["run"], "{found:#}");
        assert_eq!(found["sessionRole"], "greffe");
    }
    project.ok(["audit"]).prints(&["no difference"]);

    database.sql("CREATE TABLE public.by_hand (id serial PRIMARY KEY)");
    let found = guarded.last(1);
    assert_eq!(
        (&found["standing"], &found["reason"], &found["identity"], &found["others"]),
        (&json!("out-of-band"), &json!("unmarked"), &json!("public.by_hand"), &json!(3)),
        "{found:#}"
    );
    project.ends(1, ["guard", "changes"]).prints(&[
        "CREATE TABLE table public.by_hand and 3 other(s) by greffe: out of band: its session said nothing of greffe",
        "1 out of band",
    ]);
    // Who and when stands beside what differs.
    project.ends(1, ["audit"]).prints(&["the schema", "public.by_hand", "out of band"]);
    assert_eq!(project.ends(1, ["audit", "--json"]).object()["outOfBand"][0]["identity"], "public.by_hand");

    let cursor = changes["cursor"].as_str().unwrap();
    assert_eq!(objects(&guarded.changes(1, &["--since", cursor])), ["CREATE TABLE public.by_hand"]);
    assert_eq!(objects(&guarded.changes(1, &["--since", "2020-01-01"])).len(), standings.len() + 1);
    assert_eq!(objects(&guarded.changes(0, &["--since", "2999-01-01T00:00:00Z"])), [] as [&str; 0]);
    project.ends(2, ["guard", "changes", "--since", "yesterday"]).says(&["2026-11-23"]);

    // Once it is signed as it was found, it is done with.
    project.ok(["audit", "--record"]);
    let signed = guarded.last(0);
    assert_eq!((&signed["standing"], signed["signed"].is_u64()), (&json!("out-of-band"), true), "{signed:#}");
    project.ok(["audit"]).prints(&["no difference"]);
    project.verify();
}

#[test]
fn what_a_session_says_counts_only_where_it_is_true() {
    let guarded = Guarded::on("guardsaid", &THREE);
    guarded.project.ok(["apply"]);
    for (says, reason) in [
        ("own", "not-own"),
        ("0198a000-0000-7000-8000-000000000000", "unknown-run"),
        ("x'; DROP TABLE greffe_guard.changes; --", "unknown-run"),
        ("", "unmarked"),
    ] {
        let says = says.replace('\'', "''");
        guarded
            .database
            .sql(&format!("SET greffe.run = '{says}'; CREATE TABLE public.t (); DROP TABLE public.t;"));
        let last = guarded.last(1);
        assert_eq!((&last["reason"], &last["command"]), (&json!(reason), &json!("DROP TABLE")), "{last:#}");
    }
    // greffe's own tables, by a hand that does not say to be greffe's.
    guarded.database.sql("ALTER TABLE greffe.history ADD COLUMN more integer");
    assert_eq!(guarded.last(1)["reason"], "unmarked");
}

#[test]
fn what_is_not_archived_yet_is_no_finding() {
    let guarded = Guarded::on("guardlate", &THREE);
    let project = &guarded.project;
    project.ok(["apply"]);
    // The archive as another machine has it, which has not fetched the newest entry.
    std::fs::create_dir(project.path("older")).unwrap();
    copy_folder(project.path("archive"), &project.path("older"));
    project.script("4_more.up.sql", "CREATE TABLE public.more (id integer);");
    project.ok(["apply"]);
    assert_eq!(guarded.last(0)["standing"], "archived");
    let seen = guarded.changes(0, &["--archive", "older"]);
    assert_eq!(seen["changes"].as_array().unwrap().last().unwrap()["standing"], "unarchived", "{seen:#}");
}

#[test]
fn what_it_takes_is_said_before_anything_is_changed() {
    let guarded = Guarded::without_guard("guardrights", &THREE);
    let (project, database) = (&guarded.project, &guarded.database);
    project.ok(["apply"]);
    assert_eq!(guarded.status(0)["id"], Value::Null);
    project.ends(2, ["guard", "changes"]).says(&["no guard is installed", "greffe guard install"]);
    project.ends(3, ["guard", "install"]).says(&[
        "the role greffe lacks",
        "superusers",
        "greffe guard install --print-sql --reader greffe",
    ]);
    assert_eq!(guarded.status(0)["id"], Value::Null);

    let sql = project.ok(["guard", "install", "--print-sql", "--reader", "greffe"]).stdout;
    guarded.admin(&sql);
    assert_eq!(guarded.status(0)["faults"], json!([]));
    project.ok(["guard", "changes"]).prints(&["0 change(s), 0 out of band"]);
    // Twice is once, and what was noted stays.
    database.sql("CREATE TABLE public.first ()");
    let id = guarded.status(0)["id"].clone();
    guarded.admin(&sql);
    assert_eq!(
        (guarded.status(0)["id"].clone(), guarded.last(1)["identity"].clone()),
        (id, json!("public.first"))
    );

    // Whoever may not read is told so, and what to do.
    database.sql_as(database.administrator(), "REVOKE ALL ON greffe_guard.changes FROM greffe").unwrap();
    project.ends(1, ["guard", "status"]).prints(&["this role may not read greffe_guard.changes", "--reader"]);
    project.ends(1, ["guard", "changes"]).prints(&["this role may not read greffe_guard.changes"]);

    project.ends(2, ["guard", "remove", "--database", "env:ADMIN_URL"]).says(&["would be lost", "--discard"]);
    project.ends(3, ["guard", "remove", "--discard"]).says(&["lacks"]);
    guarded.admin(&project.ok(["guard", "remove", "--print-sql"]).stdout);
    assert_eq!(guarded.status(0)["id"], Value::Null);
}

#[test]
fn other_engines_have_none_and_say_what_to_do_instead() {
    let project = Project::applied();
    let maria = MariaDb::shared().database("guard");
    let mut other = project.copy();
    other.variables.push(("MARIA_URL".to_owned(), maria.url()));
    for action in ["install", "status", "changes", "remove"] {
        let says = ["only PostgreSQL has triggers", "greffe audit", "greffe verify --live"];
        project.ends(3, ["guard", action]).says(&says);
        other.ends(3, ["guard", action, "--database", "env:MARIA_URL"]).says(&says);
    }
}
