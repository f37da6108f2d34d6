//! One test an anomaly: what causes it, and the alert that comes of it.

use std::fs;

use serde_json::Value;

use super::{Watched, add, the, told};
use crate::project::{Project, THREE};
use crate::servers::{LIMIT, Postgres, poll};
use crate::tools::{output_of, tool};
use crate::trust::a_thief_signs;

fn watched(settings: &str) -> Watched {
    Watched::new(Project::applied(), settings)
}

/// The files of another project in place of those of this one.
fn put_back(from: &Project, to: &Project, places: &[&str]) {
    for (name, bytes) in from.files() {
        if places.iter().any(|place| name.starts_with(place)) && from.path(&name).is_file() {
            fs::write(to.path(name), bytes).unwrap();
        }
    }
}

#[test]
fn a_schema_that_was_changed_by_hand_is_told_once_and_when_it_is_over() {
    let watched = watched("");
    assert_eq!(watched.codes(0), [""; 0]);
    watched.project.sql("CREATE TABLE intruder (id INTEGER)");
    let events = watched.once(1);
    let event = the(&events, "schema-out-of-band");
    assert_eq!((&event["type"], &event["subject"]), (&"greffe.finding.begun".into(), &"schema".into()));
    let chain =
        watched.project.json(&["verify", &watched.project.head()])["chain"].as_str().unwrap().to_owned();
    assert_eq!((&event["data"]["chain"], &event["data"]["name"]), (&chain.as_str().into(), &"demo".into()));
    assert_eq!(event["source"], format!("/greffe/chains/{chain}"));
    assert_eq!(event["data"]["severity"], "critical");
    // It is the same finding in the next rounds, each of which is a new process.
    assert_eq!(watched.codes(1), [""; 0]);
    watched.project.sql("DROP TABLE intruder");
    assert_eq!(watched.codes(0), ["ended schema-out-of-band"]);
    watched.project.sql("CREATE TABLE intruder (id INTEGER)");
    let again = watched.once(1);
    assert_ne!(the(&again, "schema-out-of-band")["id"], event["id"]);
}

#[test]
fn an_archive_that_was_cut_back_is_told() {
    let project = Project::with(&THREE[..2]);
    project.ok(["apply"]);
    let watched = Watched::new(project, "");
    let project = &watched.project;
    let before = project.copy();
    project.scripts(&THREE[2..]);
    project.ok(["apply"]);
    assert_eq!(watched.codes(0), [""; 0]);
    put_back(&before, project, &["archive"]);
    let events = watched.once(1);
    let event = the(&events, "rollback");
    assert_eq!(event["data"]["severity"], "critical");
    assert!(event["data"]["parameters"]["detail"].as_str().unwrap().contains("rolled back"), "{event:#}");
}

#[test]
fn another_history_in_place_of_the_one_that_was_seen_is_told() {
    let watched = Watched::new(Project::with(&THREE[..2]), "");
    let project = &watched.project;
    let other = project.copy();
    project.ok(["apply"]);
    assert_eq!(watched.codes(0), [""; 0]);
    other.script("1_authors.up.sql", "CREATE TABLE other (id INTEGER);\n");
    other.ok(["apply"]);
    put_back(&other, project, &["archive", "migrations", "app.db"]);
    let events = watched.once(1);
    assert_eq!(the(&events, "fork")["data"]["severity"], "critical");
}

#[test]
fn a_head_that_nobody_vouched_for_lately_is_told() {
    let watched = watched("max-age = \"0m\"");
    let mut events = Vec::new();
    // A second has to pass.
    let found = poll(LIMIT, || {
        watched.project.run(["watch", "--once"]);
        events.extend(watched.hook.events());
        !events.is_empty()
    });
    assert!(found);
    let event = the(&events, "stale");
    assert_eq!(event["data"]["parameters"]["maxAgeSeconds"], 0);
    let newest = watched.project.log()[3]["finishedAt"].clone();
    assert_eq!(event["data"]["parameters"]["newest"], newest);
}

#[test]
fn fewer_replicas_than_have_to_keep_the_head_are_told() {
    let mut project = Project::with(&THREE);
    project.variables.push(("GREFFE_REPLICATION_REQUIRED".to_owned(), "2".to_owned()));
    let mut replicas = String::new();
    for name in ["one", "two"] {
        fs::create_dir(project.path(name)).unwrap();
        replicas += &format!("\n[[replica]]\nname = \"{name}\"\nurl = \"archive:{name}\"\n");
    }
    add(&project, &replicas);
    project.ok(["apply"]);
    let watched = Watched::new(project, "");
    assert_eq!(watched.codes(0), [""; 0]);
    fs::remove_dir_all(watched.project.path("two")).unwrap();
    let events = watched.once(1);
    let event = the(&events, "replication-below-target");
    assert_eq!(
        (&event["data"]["parameters"]["keep"], &event["data"]["parameters"]["target"]),
        (&1.into(), &2.into())
    );
    assert!(
        events.iter().any(|event| told(event) == "begun replica-unreachable" && event["subject"] == "two"),
        "{events:#?}"
    );
    // Blocks that are gone at the other one.
    let copy = watched.project.path("one/demo.car");
    let bytes = fs::read(&copy).unwrap();
    fs::write(&copy, &bytes[..bytes.len() / 2]).unwrap();
    let events = watched.once(1);
    assert!(events.iter().any(|event| event["subject"] == "one"), "{events:#?}");
}

#[test]
fn a_key_that_was_stolen_is_told() {
    let project = Project::with(&THREE[..2]);
    let ci = a_thief_signs(&project);
    let watched = Watched::new(project, "");
    assert_eq!(watched.codes(0), [""; 0]);
    let project = &watched.project;
    project.ok(["trust", "propose", "--out", "q.json", "--revoke", &ci, "--since", "3"]);
    project.ok(["trust", "sign", "q.json", "--yes"]);
    project.ok(["trust", "apply", "q.json"]);
    let events = watched.once(1);
    let event = the(&events, "revoked-key");
    assert_eq!((&event["subject"], &event["data"]["parameters"]["seq"]), (&"entry 3".into(), &3.into()));
}

#[test]
fn a_migration_that_took_much_longer_than_those_before_is_told_and_does_not_end() {
    let project = Project::new();
    for number in 1..=6 {
        project
            .script(&format!("{number}_t{number}.up.sql"), format!("CREATE TABLE t{number} (id INTEGER);\n"));
    }
    project.ok(["apply"]);
    let watched = Watched::new(project, "");
    assert_eq!(watched.codes(0), [""; 0]);
    watched.project.script(
        "7_slow.up.sql",
        "CREATE TABLE slow AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000000) SELECT max(i) AS most FROM n;\n",
    );
    watched.project.ok(["apply"]);
    let events = watched.once(1);
    let event = the(&events, "slow-migration");
    assert_eq!(
        (&event["subject"], &event["data"]["parameters"]["version"]),
        (&"entry 7".into(), &"7".into())
    );
    assert!(event["data"]["parameters"]["tookMs"].as_u64().unwrap() >= 1000, "{event:#}");
    assert_eq!(watched.codes(1), [""; 0]);
}

#[test]
fn openings_of_sealed_content_beyond_what_is_allowed_are_told() {
    let project = Project::with(&THREE).publishing("sealed");
    project.ok(["apply"]);
    let watched = Watched::new(project, "accesses = 2");
    for _ in 0..2 {
        watched.project.ok(["show", "1", "--script"]);
    }
    assert_eq!(watched.codes(0), [""; 0]);
    watched.project.ok(["show", "1", "--script"]);
    let events = watched.once(1);
    assert_eq!(the(&events, "access-burst")["data"]["parameters"]["most"], 2);
    // A watch opens nothing itself, with the owner's key at hand as well.
    let opened = watched.project.json(&["verify", "archive/demo-access.car"])["entries"].clone();
    assert_eq!(opened, 4);
}

#[test]
fn a_migration_outside_the_window_is_told() {
    let project = Project::with(&THREE[..2]);
    let today = output_of(tool("date").args(["-u", "+%u"])).trim().parse::<usize>().unwrap();
    let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    // Open on the other days of this week; around midnight on none of the two.
    let [closed, open] = [days[(today + 3) % 7], days[today % 7]];
    let watched = Watched::new(project, &format!("windows = [\"{closed} 00:00-24:00\"]"));
    assert_eq!(watched.codes(0), [""; 0]);
    watched.project.ok(["apply"]);
    let events = watched.once(1);
    let event = the(&events, "outside-window");
    assert_eq!(event["data"]["parameters"]["version"], "1");
    let inside = Watched::new(
        Project::applied(),
        &format!("windows = [\"{open} 00:00-24:00\", \"{} 00:00-24:00\"]", days[(today + 1) % 7]),
    );
    assert_eq!(inside.codes(0), [""; 0]);
}

#[test]
fn a_change_that_the_archive_does_not_have_is_told() {
    let mut project = Project::new();
    project.scripts(&[
        ("1_one.up.sql", "CREATE TABLE one (id INTEGER);\n"),
        ("2_two.up.sql", "CREATE TABLE two (id INTEGER);\n"),
    ]);
    project.variables.push(("GREFFE_TOOL".to_owned(), "golang-migrate".to_owned()));
    let run = "CREATE TABLE one (id INTEGER); CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO schema_migrations VALUES (1, 0);";
    project.ok(["record", "--", "sqlite3", "app.db", run]);
    let watched = Watched::new(project, "");
    assert_eq!(watched.codes(0), [""; 0]);
    watched.project.sql("CREATE TABLE two (id INTEGER); UPDATE schema_migrations SET version = 2");
    let events = watched.once(1);
    assert_eq!(the(&events, "unarchived-change")["subject"], "migration 2");
}

#[test]
fn what_cannot_be_looked_at_is_a_finding_and_hides_nothing_else() {
    let watched = watched("max-age = \"0m\"");
    assert!(poll(LIMIT, || watched.project.run(["watch", "--once"]).code == 1));
    watched.hook.events();
    let mut url = watched.project.command(["watch", "--once", "--json"]);
    url.env("GREFFE_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let run = watched.project.judge(url.output().unwrap());
    run.exits(1);
    let mut found = super::findings(&run);
    found.sort();
    assert_eq!(found, ["stale", "unreachable"]);
    let looks = run.object()["looks"].clone();
    let ended: Vec<bool> =
        looks.as_array().unwrap().iter().map(|look| look["ended"].as_bool().unwrap()).collect();
    assert_eq!(ended, [true, false, true, true, false]);
    assert_eq!(watched.hook.events().iter().map(told).collect::<Vec<_>>(), ["begun unreachable"]);
}

#[test]
fn waivers_and_retention_that_come_due_are_told() {
    let watched = watched("");
    let soon = output_of(tool("date").args(["-u", "-d", "+3 days", "+%F"])).trim().to_owned();
    let late = output_of(tool("date").args(["-u", "-d", "+90 days", "+%F"])).trim().to_owned();
    watched.project.script(
        "4_later.up.sql",
        format!("-- waiver: email {late} addresses of our own offices\nCREATE TABLE later (id INTEGER);\n"),
    );
    assert_eq!(watched.codes(0), [""; 0]);
    watched.project.script(
        "5_soon.up.sql",
        format!("-- waiver: email {soon} addresses of our own offices\nCREATE TABLE soon (id INTEGER);\n"),
    );
    let events = watched.once(1);
    let event = the(&events, "waiver-due");
    assert_eq!(
        (&event["subject"], &event["data"]["parameters"]["until"]),
        (&"migration 5 email".into(), &Value::from(soon))
    );
}

#[test]
fn postgresql_is_watched_and_one_that_hangs_holds_no_round_up() {
    let database = Postgres::shared().database("watched");
    let mut project = Project::empty();
    project.variables.push(("DATABASE_URL".to_owned(), database.url()));
    project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
    project.script("1_a.up.sql", "CREATE TABLE a (id integer PRIMARY KEY);\n");
    project.ok(["apply"]);
    let watched = Watched::new(project, "time-limit = \"5s\"");
    assert_eq!(watched.codes(0), [""; 0]);
    database.sql("CREATE INDEX sneaky ON a (id)");
    the(&watched.once(1), "schema-out-of-band");
    database.sql("DROP INDEX sneaky");
    assert_eq!(watched.codes(0), ["ended schema-out-of-band"]);
    std::thread::scope(|scope| {
        let lock = "BEGIN; LOCK TABLE pg_class IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(15); COMMIT";
        scope.spawn(|| database.sql_as(database.administrator(), lock).unwrap());
        let mut looks = Value::Null;
        assert!(poll(LIMIT, || {
            let run = watched.project.run(["watch", "--once", "--json"]);
            looks = run.object()["looks"].clone();
            super::findings(&run) == ["unreachable"]
        }));
        let seconds = |place: usize| looks[place]["seconds"].as_f64().unwrap();
        assert!(seconds(1) >= 5.0 && seconds(0) < 5.0, "{looks:#}");
    });
    // It is over when the database answers.
    assert!(poll(LIMIT, || watched.project.run(["watch", "--once"]).code == 0));
}
