//! `replay` makes the schema again from the archive alone, `schema` shows it, `verify --live` compares it.

use std::fs;

#[path = "../bench/chains.rs"]
pub mod chains;

use greffe::model::Engine;

use crate::project::{Project, THREE};

fn exported(project: &Project) -> String {
    project.ok(["export", "--out", "demo.car"]);
    project.path("demo.car").display().to_string()
}

/// Code, and no data.
const TRIGGER: &str = "CREATE TRIGGER named BEFORE DELETE ON authors BEGIN SELECT RAISE(ABORT, 'kept'); END;";

#[test]
fn a_chain_is_replayed_from_its_file_alone() {
    let project = Project::with(&THREE[..4]);
    project.script("3_trigger.up.sql", TRIGGER);
    project.script("3_trigger.down.sql", "DROP TRIGGER named;");
    let project = project.publishing("all");
    project.ok(["apply"]);
    project.ok(["rollback", "--steps", "2"]);
    project.ok(["apply"]);
    let file = exported(&project);
    // Elsewhere, without settings, database or key.
    let auditor = Project::empty();
    let replayed = auditor.unchanged(|| auditor.json(&["replay", &file]));
    assert_eq!(replayed["holds"], true, "{replayed:#}");
    assert_eq!((&replayed["executed"], &replayed["compared"]), (&7.into(), &7.into()), "{replayed:#}");
    let report = auditor.json(&["verify", &file, "--replay"]);
    assert_eq!(report["established"]["replayed"], true, "{report:#}");
    assert_eq!(auditor.json(&["verify", &file])["established"]["replayed"], false);
}

#[test]
fn scripts_without_a_transaction_and_failures_are_replayed_as_they_went() {
    let project = Project::with(&THREE);
    project.script("4_vacuum.sql", "-- no-transaction\nCREATE TABLE bare (id);\nVACUUM;\n");
    project.script(
        "5_fails.sql",
        "-- no-transaction\nCREATE TABLE half (id);\nINSERT INTO nowhere VALUES (1);\n",
    );
    project.ends(3, ["apply"]);
    project.ok(["repair", "5", "--rolled-back"]);
    project.script("5_fails.sql", "CREATE TABLE whole (id);\nINSERT INTO nowhere VALUES (1);\n");
    project.ends(3, ["apply"]);
    project.script("5_fails.sql", "CREATE TABLE whole (id);\n");
    project.ok(["apply"]);
    let replayed = project.json(&["replay", &project.head()]);
    assert_eq!(replayed["stopped"], serde_json::Value::Null, "{replayed:#}");
    assert_eq!(replayed["holds"], true, "{replayed:#}");
}

#[test]
fn a_schema_that_was_changed_by_hand_stops_a_replay_where_it_happened() {
    let project = Project::applied();
    project.sql("CREATE TABLE by_hand (id)");
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    let run = project.ends(1, ["replay", &project.head(), "--json"]);
    let stopped = &run.object()["stopped"];
    assert_eq!((&stopped["seq"], &stopped["code"]), (&4.into(), &"changed-by-hand".into()), "{stopped:#}");
}

/// A signed entry may lie about the schema; only running the script again shows it.
#[test]
fn a_fingerprint_that_the_script_does_not_make_is_found() {
    let project = Project::empty();
    let directory = project.path("archive");
    chains::Chain::grow(&directory, 4);
    let head = fs::read_to_string(directory.join("bench.head")).unwrap();
    let arguments = ["--name", "bench", "replay", head.trim()];
    assert_eq!(project.json(&["--name", "bench", "verify", head.trim()])["verified"], true);
    let run = project.ends(1, arguments.iter().chain(&["--json"]));
    let stopped = &run.object()["stopped"];
    assert_eq!((&stopped["seq"], &stopped["code"]), (&1.into(), &"different".into()), "{stopped:#}");
    assert_eq!(stopped["changes"][0]["name"], "table_1", "{stopped:#}");
    project.ends(1, arguments).prints(&["NOT replayed", "table table_1", "+ "]);
    let run = project.ends(1, ["--name", "bench", "verify", head.trim(), "--replay"]);
    run.prints(&["the scripts cannot be run again up to the signed schema"]);
}

/// MySQL and MariaDB read the same SQL, and write what they read in two ways: only the engine that runs the scripts
/// can say whether a schema is the signed one.
#[test]
fn a_chain_of_mysql_and_mariadb_is_replayed_and_compared_where_it_can_be() {
    let database = crate::servers::MariaDb::shared().database("two_engines");
    let replayer = database.replayer();
    let mut project = Project::empty();
    project.variables.push(("REPLAY_URL".to_owned(), database.url_as(&replayer)));
    project.secrets.push(replayer.password);
    let directory = project.path("archive");
    let engine = |n| (if n < 3 { Engine::Mysql } else { Engine::Mariadb }, "greffe-mysql-1");
    chains::Chain::grow_on(engine, &directory, 4);
    let head = fs::read_to_string(directory.join("bench.head")).unwrap();
    let arguments = ["--name", "bench", "replay", head.trim(), "--on", "env:REPLAY_URL", "--json"];
    let run = project.ends(1, arguments);
    let replayed = run.object();
    assert_eq!((&replayed["executed"], &replayed["compared"]), (&2.into(), &0.into()), "{replayed:#}");
    assert_eq!((&replayed["uncompared"], &replayed["holds"]), (&2.into(), &false.into()), "{replayed:#}");
    // What these chains sign is what no script makes.
    assert_eq!(replayed["stopped"]["seq"], 3, "{replayed:#}");
    let other = Project::empty();
    let directory = other.path("archive");
    let engine =
        |n| if n < 3 { (Engine::Sqlite, "greffe-sqlite-1") } else { (Engine::Mariadb, "greffe-mysql-1") };
    chains::Chain::grow_on(engine, &directory, 4);
    let head = fs::read_to_string(directory.join("bench.head")).unwrap();
    other.ends(3, ["--name", "bench", "replay", head.trim()]).says(&["a replay is of one"]);
}

#[test]
fn nothing_runs_of_a_chain_that_is_not_whole() {
    let project = Project::applied();
    let file = exported(&project);
    let mut bytes = fs::read(&file).unwrap();
    let place = bytes.windows(20).position(|part| part == b"CREATE TABLE authors").unwrap();
    bytes[place] ^= 1;
    fs::write(&file, bytes).unwrap();
    let run = project.ends(1, ["replay", &file]);
    run.prints(&["NOT verified"]);
    project.ends(1, ["verify", &file, "--replay"]).prints(&["replayed    no", "NOT verified"]);
}

#[test]
fn a_database_that_is_not_empty_is_never_touched() {
    let project = Project::applied();
    let head = project.head();
    project.unchanged(|| {
        project.ends(3, ["replay", &head, "--on", "sqlite:app.db"]).says(&["not empty"]);
        project.ends(2, ["replay", &head, "--on", "hunter2"]).says(&["--on"]);
        project
            .ends(2, ["replay", &head, "--on", "postgres://ann:hunter2@127.0.0.1:1/x"])
            .says(&["env:NAME"]);
    });
    // Its own tables count.
    project.ok(["rollback", "--steps", "3"]);
    let head = project.head();
    project.unchanged(|| {
        project.ends(3, ["replay", &head, "--on", "sqlite:app.db"]).says(&["not empty"]);
    });
    project.ok(["replay", &head, "--on", "sqlite:fresh.db"]);
    assert!(project.path("fresh.db").exists());
}

#[test]
fn schemas_of_events_and_of_the_database_are_shown_and_compared() {
    let project = Project::applied();
    let live = project.ok(["schema", "show"]);
    live.prints(&["greffe-sqlite-1 ", "table authors", "index books_author"]);
    assert_eq!(project.ok(["schema", "show", "3"]).stdout, live.stdout);
    project.ok(["schema", "show", "1"]).prints(&["table authors"]);
    assert!(!project.ok(["schema", "show", "1"]).stdout.contains("books"));
    assert_eq!(project.ok(["schema", "diff", "3"]).stdout, "");
    let run = project.ends(1, ["schema", "diff", "1", "3"]);
    run.prints(&["table books", "+ "]);
    project.sql("ALTER TABLE authors ADD COLUMN email TEXT");
    let run = project.ends(1, ["schema", "diff", "3", "--json"]);
    let differences = &run.object()["differences"];
    assert_eq!(differences[0]["name"], "authors", "{differences:#}");
    assert!(differences[0]["after"].as_str().unwrap().contains("email"), "{differences:#}");
}

#[test]
fn before_the_first_script_there_is_the_schema_of_a_new_database() {
    let project = Project::applied();
    let genesis = project.ok(["schema", "show", "0"]);
    genesis.prints(&["greffe-sqlite-1 ", "no objects"]);
    assert_eq!(project.json(&["schema", "show", "0"])["objects"], serde_json::json!([]));
    project.ends(1, ["schema", "diff", "0", "1"]).prints(&["table authors", "+ "]);
    project.ends(1, ["schema", "diff", "0"]).prints(&["table books"]);
    assert_eq!(Project::new().ok(["schema", "show", "0"]).stdout, genesis.stdout);
}

#[test]
fn a_live_database_is_compared_with_the_newest_signed_schema() {
    let project = Project::applied();
    let report = project.json(&["verify", &project.head(), "--live"]);
    assert_eq!(report["established"]["live"], true, "{report:#}");
    project.sql("DROP INDEX books_author");
    let run = project.ends(1, ["verify", &project.head(), "--live"]);
    run.prints(&["the database's schema is"]);
}

#[test]
fn three_hundred_migrations_and_their_rollbacks_are_replayed() {
    let project = Project::new();
    for number in 1..=300 {
        let table = number / 3;
        let (up, down) = match number % 3 {
            0 => (
                format!("CREATE TABLE t{table} (id INTEGER PRIMARY KEY, v TEXT);"),
                format!("DROP TABLE t{table};"),
            ),
            1 if number > 2 => (
                format!("ALTER TABLE t{table} ADD COLUMN w INTEGER DEFAULT {number};"),
                format!("ALTER TABLE t{table} DROP COLUMN w;"),
            ),
            2 if number > 2 => {
                (format!("CREATE INDEX i{table} ON t{table} (v);"), format!("DROP INDEX i{table};"))
            }
            _ => ("SELECT 1;".to_owned(), "SELECT 1;".to_owned()),
        };
        project.script(&format!("{number:04}_step.up.sql"), up);
        project.script(&format!("{number:04}_step.down.sql"), down);
    }
    project.ok(["apply", "--to", "0200"]);
    project.ok(["rollback", "--steps", "50"]);
    project.ok(["apply"]);
    let replayed = project.json(&["replay", &project.head()]);
    assert_eq!(replayed["holds"], true, "{replayed:#}");
    assert_eq!(replayed["executed"], 400);
}

/// Whoever signs a chain need not mean well by those who audit it.
#[test]
fn scripts_stay_in_their_database_and_within_limits() {
    for (script, code) in [
        ("ATTACH DATABASE 'stolen.db' AS s;\nCREATE TABLE s.t (x);\n", "reaches-outside"),
        ("-- no-transaction\nVACUUM INTO 'stolen.db';\n", "reaches-outside"),
    ] {
        let project = Project::with(&THREE[..4]).publishing("all");
        project.script("4_out.sql", script);
        project.ok(["apply"]);
        let file = exported(&project);
        let auditor = Project::empty();
        let run = auditor.unchanged(|| auditor.ends(1, ["replay", &file, "--json"]));
        assert_eq!(run.object()["stopped"]["code"], code);
    }
    let endless = "CREATE TABLE t AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) \
                   SELECT max(i) AS i FROM n;";
    let project = Project::with(&[("1_long.sql", endless)]);
    project.ok(["apply"]);
    let run = project.ends(3, ["replay", &project.head(), "--statement-timeout", "50ms"]);
    run.says(&["could not go on here", "interrupted"]);
}
