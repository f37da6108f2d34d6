//! Flyway.

use serde_json::json;

use super::{Java, Kind};

const FIRST: (&str, &str) = ("V1__first.sql", "CREATE TABLE first (id INTEGER);\n");
const SECOND: (&str, &str) = (
    "V2__second.sql",
    "-- the second one\nCREATE TABLE second (id INTEGER);\n-- and\nINSERT INTO second VALUES (2);\n",
);
const BACK: (&str, &str) = ("U2__second.sql", "DROP TABLE second;\n");
const VIEW: (&str, &str) =
    ("R__a_view.sql", "DROP VIEW IF EXISTS a_view;\nCREATE VIEW a_view AS SELECT 1 AS one;\n");
const BROKEN: (&str, &str) = ("V3__broken.sql", "CREATE INDEX broken ON nowhere (id);\n");

const MIGRATE: [&str; 3] = ["flyway", "-locations=filesystem:migrations", "migrate"];
const REPAIR: [&str; 3] = ["flyway", "-locations=filesystem:migrations", "repair"];
const UNDO: [&str; 3] = ["flyway", "-locations=filesystem:migrations", "undo"];

fn life(kind: Kind) {
    let Some(java) = Java::with(kind, &[FIRST, SECOND, BACK, VIEW]) else { return };
    let project = &java.project;
    let run = java.recorded(&MIGRATE);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(java.story(1), ["apply 1", "apply 2", "apply R__a view"]);
    let shown = project.json(&["show", "2"]);
    assert_eq!(
        (&shown["event"]["executor"]["name"], &shown["event"]["evidence"]),
        (&json!("flyway"), &json!("captured"))
    );
    let roles: Vec<&str> =
        shown["files"].as_array().unwrap().iter().map(|file| file["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["down", "up"]);
    project.ok(["audit"]);

    // A script that can run again runs again, and its earlier run is nobody's edit.
    java.put(VIEW.0, &VIEW.1.replace("1 AS one", "2 AS two"));
    assert_eq!(java.recorded(&MIGRATE).code, 0);
    assert_eq!(java.story(4), ["apply R__a view#2"]);
    project.ok(["audit"]);

    // A statement that vanishes into a comment, which Flyway's checksum does not see.
    java.put(SECOND.0, &SECOND.1.replace("-- and\n", "-- and"));
    let run = java.recorded(&MIGRATE);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(java.story(5), [""; 0]);
    java.finds(&["edited"]);

    // What it does see is laundered by a repair.
    java.put(SECOND.0, &SECOND.1.replace("(2)", "(3)"));
    assert_ne!(java.recorded(&MIGRATE).code, 0);
    assert_eq!(java.story(5), [""; 0]);
    java.finds(&["checksum", "edited"]);
    assert_eq!(java.alone(&REPAIR).code, 0);
    java.finds(&["edited", "rewritten"]);
    project.ok(["record", "--", "true"]);
    assert_eq!(java.story(5), ["stamp 2"]);
    project.ok(["audit"]);
    java.put(SECOND.0, SECOND.1);
    java.finds(&["checksum", "edited"]);
    assert_eq!(java.recorded(&REPAIR).code, 0);
    assert_eq!(java.story(6), ["stamp 2"]);
    project.ok(["audit"]);

    // A way back is what the edition that anyone can have does not run.
    assert_ne!(java.recorded(&UNDO).code, 0);
    assert_eq!(java.story(7), [""; 0]);

    java.put(BROKEN.0, BROKEN.1);
    let run = java.recorded(&MIGRATE);
    assert_ne!(run.code, 0, "{run:#?}");
    assert_eq!(java.story(7), ["fail 3"]);
    project.remove("migrations/V3__broken.sql");
    if kind == Kind::MariaDb {
        // Where statements cannot be taken back the table has a row for what failed.
        java.finds(&["half-applied"]);
        assert_eq!(java.recorded(&REPAIR).code, 0);
        assert_eq!(java.story(8), [""; 0]);
    }
    project.ok(["audit"]);

    project.remove("migrations/V1__first.sql");
    java.finds(&["missing"]);
    assert_eq!(java.recorded(&REPAIR).code, 0);
    assert_eq!(java.story(8), ["stamp 1"]);
    assert_eq!(project.json(&["show", "8"])["event"]["direction"], "down");
    project.ok(["audit"]);
    project.verify();
    java.adopt(&["2", "R__a view", "R__a view#2"]);
}

#[test]
fn on_postgresql() {
    life(Kind::Postgres);
}

#[test]
fn on_sqlite() {
    life(Kind::Sqlite);
}

#[test]
fn on_mariadb() {
    life(Kind::MariaDb);
}

#[test]
fn a_baseline_runs_nothing() {
    let Some(java) = Java::with(Kind::Sqlite, &[FIRST, SECOND]) else { return };
    let baseline = ["flyway", "-locations=filesystem:migrations", "-baselineVersion=1", "baseline"];
    assert_eq!(java.recorded(&baseline).code, 0);
    assert_eq!(java.recorded(&MIGRATE).code, 0);
    assert_eq!(java.story(1), ["stamp 1", "apply 2"]);
    java.project.ok(["audit"]);

    // The same in one run.
    let Some(java) = Java::with(Kind::Sqlite, &[FIRST, SECOND]) else { return };
    java.project.sql("CREATE TABLE first (id INTEGER)");
    let both = ["flyway", "-locations=filesystem:migrations", "-baselineOnMigrate=true", "migrate"];
    assert_eq!(java.recorded(&both).code, 0);
    assert_eq!(java.story(1), ["stamp 1", "apply 2"]);
    java.project.ok(["audit"]);
}
