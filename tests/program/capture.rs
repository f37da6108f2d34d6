//! What the database itself notes of another tool's runs.

mod hook;
mod live;

use serde_json::{Value, json};

use crate::matrix::python::{DJANGO, YOYO};
use crate::matrix::{Case, Life, On};
use crate::project::Project;
use crate::servers::{Database, Postgres};
use crate::shop::Shop;

/// A shop on a database of its own.
fn on_postgresql() -> (Shop, Database) {
    let database = Postgres::shared().database("capture");
    let url = database.url();
    (Shop::on(&url.replacen("postgres://", "postgresql+psycopg://", 1), &url), database)
}

fn event(project: &Project, seq: usize) -> Value {
    project.json(&["show", &seq.to_string()])["event"].clone()
}

fn status(project: &Project) -> Value {
    project.run(["capture", "status", "--json"]).object()
}

/// Runs that nobody wrapped, with two scripts applied before.
fn outside(shop: &Shop) {
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    project
        .ends(2, ["capture", "install"])
        .says(&["alembic has no table alembic_version in this database yet", "flask db upgrade"]);
    project.ends(2, ["record", "--collect"]).says(&["greffe capture install"]);
    project.ok(["record", "--", "flask", "db", "upgrade"]);
    project.ok(["capture", "install"]).prints(&["installed: each change of"]);
    project.ok(["record", "--collect"]).prints(&["nothing to collect"]);

    // Two branches and their merge.
    shop.add(&["7c2e", "8d3f", "9e40"]);
    shop.flask(&["db", "upgrade"]);
    assert_eq!(status(project)["uncollected"], 4, "{}", status(project));
    project.ok(["record", "--collect"]);
    let mut story = project.story();
    story[3..5].sort();
    assert_eq!(story[3..], ["apply 7c2e", "apply 8d3f", "apply 9e40"]);
    for seq in 3..6 {
        let event = event(project, seq);
        let capture = &event["tool"]["capture"];
        assert_eq!(event["evidence"], "captured", "{event:#}");
        assert_eq!(capture["at"], event["finishedAt"], "{event:#}");
        assert_eq!(capture["journal"], status(project)["id"]);
    }
    project.ok(["record", "--collect"]).prints(&["nothing to collect"]);
    project.ok(["audit"]).prints(&["no difference"]);

    // A stamp runs nothing, and says so; the way back does.
    shop.flask(&["db", "stamp", "6b1d"]);
    shop.flask(&["db", "stamp", "9e40"]);
    shop.flask(&["db", "downgrade", "6b1d"]);
    project.ok(["record", "--collect"]);
    let mut story = project.story();
    for several in [7..9, 9..11, 13..15] {
        story[several].sort();
    }
    let stamps = ["stamp 9e40", "stamp 7c2e", "stamp 8d3f", "stamp 7c2e", "stamp 8d3f", "stamp 9e40"];
    assert_eq!(story[6..12], stamps);
    let directions = (6..12).map(|seq| event(project, seq)["direction"].clone()).collect::<Vec<_>>();
    assert_eq!(directions, ["down", "down", "down", "up", "up", "up"].map(Value::from));
    assert_eq!(story[12..], ["rollback 9e40", "rollback 7c2e", "rollback 8d3f"]);

    // Up and down and up again within one run, and nothing of it twice.
    let cycle = "flask db upgrade 7c2e && flask db downgrade 6b1d && flask db upgrade 7c2e";
    project.ok(["record", "--", "sh", "-c", cycle]);
    assert_eq!(project.story()[15..], ["apply 7c2e", "rollback 7c2e", "apply 7c2e"]);
    assert_eq!(event(project, 17)["tool"]["exit"], 0);
    project.ok(["record", "--collect"]).prints(&["nothing to collect"]);
    // What a run finds of others is collected first.
    shop.flask(&["db", "downgrade", "6b1d"]);
    project.ok(["record", "--", "flask", "db", "upgrade", "8d3f"]);
    assert_eq!(project.story()[18..], ["rollback 7c2e", "apply 8d3f"]);

    // A script that was written since is not said to be what ran.
    shop.flask(&["db", "downgrade", "6b1d"]);
    let file = "migrations/versions/8d3f_parcels.py";
    let script = project.read(file);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    project.write(file, script);
    project.ok(["record", "--collect"]);
    assert_eq!(event(project, 20)["evidence"], "imported-weak");
    project.ok(["audit"]).prints(&["no difference"]);
    project.verify();
}

#[test]
fn runs_outside_are_collected_on_sqlite() {
    outside(&Shop::in_a_file());
}

#[test]
fn runs_outside_are_collected_on_postgresql() {
    let (shop, database) = on_postgresql();
    outside(&shop);
    let [outside, inside] = [5, 19].map(|seq| event(&shop.project, seq)["tool"]["capture"].clone());
    assert!(outside["transaction"].as_str().unwrap().parse::<u64>().is_ok(), "{outside}");
    assert_eq!((&outside["role"], &inside["role"]), (&json!("owner"), &json!("owner")));
    // Nobody's name leaves the database.
    let roles = database.sql("SELECT DISTINCT role FROM greffe_capture.journal");
    assert_eq!(roles.trim(), database.user().user);
}

/// Breaks a capture by `act`, and expects of the audit that it says so.
fn noticed(shop: &Shop, act: &dyn Fn(), finding: &str) {
    shop.project.ok(["audit"]);
    act();
    shop.project.ends(1, ["audit"]).prints(&[finding, "hint: "]);
}

#[test]
fn what_is_done_to_a_capture_is_noticed_on_postgresql() {
    let (shop, database) = on_postgresql();
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    project.ok(["record", "--", "flask", "db", "upgrade", "5a0c"]);
    let before = project.json(&["schema", "show", "live"])["digest"].clone();
    project.ok(["capture", "install"]).prints(&["that takes a superuser"]);
    project.ok(["capture", "install"]).prints(&["installed: journal"]);
    assert_eq!(project.json(&["schema", "show", "live"])["digest"], before);
    project.ok(["audit"]).prints(&["no difference"]);
    let does = |sql: &'static str, finding: &str| {
        noticed(&shop, &|| drop(database.sql(sql)), finding);
        project.ok(["capture", "install"]).prints(&["put in order"]);
    };
    does("DROP TRIGGER greffe_capture_row ON alembic_version", "trigger greffe_capture_row is gone");
    does(
        "ALTER TABLE alembic_version DISABLE TRIGGER greffe_capture_truncate",
        "trigger greffe_capture_truncate is disabled",
    );
    does(
        "DROP TRIGGER greffe_capture_row ON alembic_version; CREATE TRIGGER greffe_capture_row AFTER INSERT ON \
         alembic_version FOR EACH ROW EXECUTE FUNCTION greffe_capture.history_changed('version_num')",
        "trigger greffe_capture_row is not as greffe made it",
    );
    does(
        "CREATE OR REPLACE FUNCTION greffe_capture.history_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
         AS 'BEGIN RETURN NULL; END'",
        "function greffe_capture.history_changed is not as greffe made it",
    );
    // What runs while nobody notes it is found all the same.
    database.sql("ALTER TABLE alembic_version DISABLE TRIGGER ALL");
    shop.flask(&["db", "upgrade"]);
    database.sql("ALTER TABLE alembic_version ENABLE TRIGGER ALL");
    project.ends(1, ["audit"]).prints(&["6b1d stands in the tool's table, and no entry tells of it"]);
    shop.flask(&["db", "downgrade", "5a0c"]);
    project.ends(1, ["audit"]).prints(&["its journal does not lead to the history as it is"]);
    project.ok(["record", "--collect"]);
    project.ok(["audit"]);

    assert!(database.sql_as(database.user(), "DELETE FROM greffe_capture.journal").is_err());
    let rewrite = "ALTER TABLE greffe_capture.journal DISABLE TRIGGER kept; \
                   UPDATE greffe_capture.journal SET at = at - interval '1 day'; \
                   ALTER TABLE greffe_capture.journal ENABLE TRIGGER kept";
    noticed(&shop, &|| drop(database.sql(rewrite)), "rows of its journal that were collected");
    project.ok(["record", "--collect"]);
    noticed(&shop, &|| drop(database.sql("DROP SCHEMA greffe_capture CASCADE")), "nothing of it is there");
    project.ok(["capture", "remove"]).prints(&["no capture is installed"]);
    project.ok(["audit"]);
}

#[test]
fn what_is_done_to_a_capture_is_noticed_on_sqlite() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    project.ok(["record", "--", "flask", "db", "upgrade", "5a0c"]);
    project.ok(["capture", "install"]);
    shop.flask(&["db", "upgrade"]);
    shop.flask(&["db", "downgrade", "5a0c"]);
    project.ok(["record", "--collect"]);
    let file = project.variables.iter().find(|(name, _)| name == "SHOP_FILE").unwrap().1.clone();
    let sql = |sql: &str| project.sql_of(std::path::Path::new(&file), sql);
    noticed(
        &shop,
        &|| drop(sql("DROP TRIGGER greffe_capture_update")),
        "trigger greffe_capture_update is gone",
    );
    project.ok(["capture", "install"]).prints(&["put in order"]);
    let replace = "DROP TRIGGER greffe_capture_delete; CREATE TRIGGER greffe_capture_delete AFTER DELETE ON \
                   alembic_version BEGIN DELETE FROM customer; END";
    // Nor does it hide behind the name.
    let digest = || project.json(&["schema", "show", "live"])["digest"].as_str().unwrap().to_owned();
    let before = digest();
    noticed(&shop, &|| drop(sql(replace)), "trigger greffe_capture_delete is not as greffe made it");
    assert_ne!(digest(), before);
    project.ok(["capture", "install"]);
    assert_eq!(digest(), before);
    noticed(
        &shop,
        &|| drop(sql("DELETE FROM greffe_capture WHERE id = 2")),
        "row(s) of its journal are gone",
    );
    sql("INSERT INTO greffe_capture VALUES (2, 'now', 'NONSENSE', x'00ff', 'it''', 0, 0)");
    project.ends(1, ["audit"]).prints(&["are none that greffe writes"]);
    project.ok(["record", "--collect"]);
}

/// A role that may do everything on the server notes definitions, too.
#[test]
fn a_superuser_has_definitions_noted() {
    let (shop, database) = on_postgresql();
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    shop.flask(&["db", "upgrade", "5a0c"]);
    let mut other = project.copy();
    other.variables.retain(|(name, _)| name != "DATABASE_URL");
    other.variables.push(("DATABASE_URL".to_owned(), database.url_as(database.administrator())));
    let before = other.json(&["schema", "show", "live"]);
    other.ok(["capture", "install"]);
    assert_eq!(status(&other)["definitions"], true);
    let after = other.json(&["schema", "show", "live"]);
    assert_eq!((&before["digest"], &before["grants"]), (&after["digest"], &after["grants"]));
    // The tool's role has no right on the journal, and needs none; greffe as that role does not fall over it.
    assert!(database.sql_as(database.user(), "SELECT * FROM greffe_capture.journal").is_err());
    project.ok(["baseline"]);
    project.ok(["record", "--", "flask", "db", "upgrade"]);
    assert_eq!(project.story(), ["genesis", "baseline 5a0c", "apply 6b1d"]);
    project.ends(3, ["record", "--collect"]).says(&["may not read it"]);
    let administrator = |sql: &str| database.sql_as(database.administrator(), sql).unwrap();
    let noted =
        administrator("SELECT operation, object FROM greffe_capture.journal WHERE object IS NOT NULL");
    assert!(noted.contains("DEFINE|CREATE TABLE public.orders"), "{noted}");
    shop.flask(&["db", "downgrade", "5a0c"]);
    let noted =
        administrator("SELECT operation, object FROM greffe_capture.journal WHERE operation = 'DROP'");
    assert!(noted.contains("DROP|table public.orders"), "{noted}");
    administrator("DROP EVENT TRIGGER greffe_capture_drop");
    other.ends(1, ["capture", "status"]).prints(&["event trigger greffe_capture_drop is gone"]);
    other.ok(["capture", "install"]);
    other.ok(["baseline"]);
    other.ok(["record", "--collect"]);
    other.ok(["capture", "remove"]).prints(&["no capture is installed"]);
    let left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'greffe%' UNION ALL \
                SELECT count(*) FROM pg_event_trigger UNION ALL SELECT count(*) FROM pg_trigger WHERE tgname ~ 'greffe'";
    assert_eq!(administrator(left).split_whitespace().collect::<Vec<_>>(), ["0", "0", "0"]);
    assert_eq!(other.json(&["schema", "show", "live"])["digest"], before["digest"]);
}

#[test]
fn a_capture_is_not_removed_with_what_nobody_collected() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    project.ok(["record", "--", "flask", "db", "upgrade", "5a0c"]);
    let file = project.variables.iter().find(|(name, _)| name == "SHOP_FILE").unwrap().1.clone();
    let objects = || {
        let own = "SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%greffe%'";
        project.sql_of(std::path::Path::new(&file), own)
    };
    project.ok(["capture", "install"]);
    assert_eq!(project.json(&["capture", "install"])["installed"], "already");
    shop.flask(&["db", "upgrade"]);
    project.ends(2, ["capture", "remove"]).says(&[
        "1 change(s) of the history",
        "record --collect",
        "--discard",
    ]);
    project.ok(["capture", "remove", "--discard"]);
    assert_eq!(objects(), "0");
    project.ends(1, ["audit"]).prints(&["6b1d stands in the tool's table"]);
    project.ok(["capture", "install"]);
    project.ok(["record", "--collect"]);
    assert_eq!(project.story(), ["genesis", "apply 5a0c", "baseline 6b1d"]);
    project.ok(["capture", "remove"]);
    project.ok(["audit"]);
    project.verify();
}

/// golang-migrate empties its table and writes one row, first as not done, then as done.
#[test]
fn a_table_that_is_emptied_is_followed() {
    let database = Postgres::shared().database("migrate");
    let mut project = Project::empty();
    project.variables.push(("DATABASE_URL".to_owned(), database.url()));
    for (number, name) in ["goods", "baskets"].into_iter().enumerate() {
        let number = number + 1;
        project.script(&format!("{number}_{name}.up.sql"), format!("CREATE TABLE {name} (id integer);\n"));
        project.script(&format!("{number}_{name}.down.sql"), format!("DROP TABLE {name};\n"));
    }
    let tool = ["--tool", "golang-migrate"];
    project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
    database
        .sql("CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)");
    let greffe = |arguments: &[&str]| project.ok(arguments.iter().chain(&tool));
    greffe(&["capture", "install"]);
    let says = |row: &str| {
        database.sql(&format!(
            "BEGIN; TRUNCATE schema_migrations; INSERT INTO schema_migrations VALUES {row}; COMMIT"
        ))
    };
    let script = |sql: &str, version: u32| {
        let session = [
            format!(
                "BEGIN; TRUNCATE schema_migrations; INSERT INTO schema_migrations VALUES ({version}, true); COMMIT"
            ),
            sql.to_owned(),
            format!(
                "BEGIN; TRUNCATE schema_migrations; INSERT INTO schema_migrations VALUES ({version}, false); COMMIT"
            ),
        ];
        database.sql(&session.join(";\n"));
    };
    script("CREATE TABLE goods (id integer)", 1);
    script("CREATE TABLE baskets (id integer)", 2);
    script("DROP TABLE baskets", 1);
    says("(2, true)");
    greffe(&["record", "--collect"]);
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2", "rollback 2", "fail 2"]);
    let first = event(&project, 1);
    assert_ne!(first["startedAt"], first["finishedAt"], "{first:#}");
    database.sql("TRUNCATE schema_migrations");
    greffe(&["record", "--collect"]);
    assert_eq!(project.story()[5..], ["rollback 1"]);
    project.ok(["audit", "--tool", "golang-migrate"]);
    project.verify();
}

#[test]
fn two_runners_at_once_are_told_apart() {
    let database = Postgres::shared().database("runners");
    let mut project = Project::empty();
    project.variables.push(("DATABASE_URL".to_owned(), database.url()));
    for number in 1..=40 {
        project
            .script(&format!("{number:03}_t.sql"), "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n");
    }
    project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
    database.sql("CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)");
    let tool = ["--tool", "dbmate"];
    project.ok(["capture", "install"].iter().chain(&tool));
    // One begins first and ends last, with the other's transactions in between.
    let (slow, quick) = (
        "BEGIN; INSERT INTO schema_migrations VALUES ('001'); SELECT pg_sleep(6); COMMIT",
        (2..=40)
            .map(|number| format!("INSERT INTO schema_migrations VALUES ('{number:03}');"))
            .collect::<String>(),
    );
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| database.sql(slow));
        while database.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()").trim() != "1" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        database.sql(&quick);
        let run = project.ends(3, ["record", "--collect"].iter().chain(&tool));
        run.says(&["has not ended", "again"]);
        slow.join().unwrap();
    });
    project.ok(["record", "--collect"].iter().chain(&tool));
    let story = project.story();
    assert_eq!((story.len(), story[1].as_str(), story[40].as_str()), (41, "apply 001", "apply 040"));
    let transactions: std::collections::BTreeSet<String> =
        (1..=40).map(|seq| event(&project, seq)["tool"]["capture"]["transaction"].to_string()).collect();
    assert_eq!(transactions.len(), 40);
    project.ok(["record", "--collect"].iter().chain(&tool)).prints(&["nothing to collect"]);
    project.verify();
}

/// What the journal cannot take does not stop the tool, and what it cannot say is not believed.
#[test]
fn odd_rows_stop_nobody() {
    let database = Postgres::shared().database("odd");
    let mut project = Project::empty();
    project.variables.push(("DATABASE_URL".to_owned(), database.url()));
    project.script("1_a.sql", "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n");
    project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
    let tool = ["--tool", "dbmate"];
    database.sql("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)");
    project.ok(["capture", "install"].iter().chain(&tool));
    database.sql("INSERT INTO schema_migrations VALUES ('1'), (E'\\u2028\\x1b[31m''\"\\\\')");
    let run = project.ok(["record", "--collect"].iter().chain(&tool));
    assert!(!run.stdout.contains('\u{1b}'), "{run:#?}");
    assert_eq!(project.story().len(), 3);
    // Ten thousand rows at once.
    database.sql("INSERT INTO schema_migrations SELECT 'v' || n FROM generate_series(1, 10000) AS n");
    project.ok(["record", "--collect"].iter().chain(&tool));
    assert_eq!(project.json(&["log"])["entries"].as_array().unwrap().len(), 10_003);
    // The journal without its table's columns, and gone: the tool's own rows go through.
    database.sql("ALTER TABLE greffe_capture.journal DROP COLUMN after");
    database.sql("INSERT INTO schema_migrations VALUES ('2')");
    database.sql("ALTER TABLE greffe_capture.journal RENAME TO elsewhere");
    database.sql("DELETE FROM schema_migrations WHERE version = '2'");
    project.ends(1, ["audit"].iter().chain(&tool)).prints(&["table greffe_capture.journal is gone"]);
}

/// Runs of a tool with and without a capture print the same and leave the same.
fn undisturbed(case: &Case) {
    let [watched, alone] = [(); 2].map(|()| Life::of(case, On::Sqlite));
    let lives = [&watched, &alone];
    for life in lives {
        life.put(case.first.files);
        life.begin(case, "demo");
        life.alone(case.apply).exits(0);
    }
    watched.project.ok(["capture", "install"]);
    watched.project.ok(["baseline"]);
    for script in [&case.second, &case.broken] {
        let [one, other] = lives.map(|life| {
            life.put(script.files);
            let run = life.alone(case.apply);
            let shown = run.stdout.replace(life.project.folder().to_str().unwrap(), "");
            (run.code, shown, life.project.tables())
        });
        assert_eq!(one, other);
    }
    for life in lives {
        for (path, _) in case.broken.files {
            life.remove(path);
        }
        life.alone(case.roll_back.unwrap()).exits(0);
    }
    assert_eq!(watched.project.tables(), alone.project.tables());
    watched.project.ok(["record", "--collect"]);
    let story = watched.project.story();
    let second = case.second.version;
    let expected = [format!("apply {second}"), format!("rollback {second}")];
    assert_eq!(story[story.len() - 2..], expected, "{}", case.tool);
    watched.project.verify();
}

#[test]
fn django_runs_as_if_nobody_noted_it() {
    undisturbed(&DJANGO);
}

#[test]
fn yoyo_runs_as_if_nobody_noted_it() {
    undisturbed(&YOYO);
}

#[test]
fn what_the_owner_of_a_table_wrote_runs_with_nobody_elses_rights() {
    let (shop, database) = on_postgresql();
    shop.add(&["5a0c", "6b1d"]);
    shop.flask(&["db", "upgrade", "5a0c"]);
    let mut other = shop.project.copy();
    other.variables.retain(|(name, _)| name != "DATABASE_URL");
    other.variables.push(("DATABASE_URL".to_owned(), database.url_as(database.administrator())));
    other.ok(["capture", "install"]);
    let proof = "BEGIN CREATE TABLE proof AS SELECT current_user AS who;";
    let own = |sql: &str| database.sql_as(database.user(), sql).unwrap();
    own("CREATE TYPE z AS ENUM ('a')");
    own(&format!(
        "CREATE FUNCTION as_json(z) RETURNS json LANGUAGE plpgsql AS $$ {proof} RETURN '1'; END $$"
    ));
    own(&format!(
        "CREATE FUNCTION as_text(z) RETURNS text LANGUAGE plpgsql AS $$ {proof} RETURN '1'; END $$"
    ));
    own("CREATE CAST (z AS json) WITH FUNCTION as_json(z)");
    own("CREATE CAST (z AS text) WITH FUNCTION as_text(z)");
    own("ALTER TABLE alembic_version ADD COLUMN zz z DEFAULT 'a'");
    shop.flask(&["db", "upgrade"]);
    for command in [&["capture", "status"][..], &["audit"], &["record", "--collect"]] {
        other.run(command);
    }
    own("TRUNCATE alembic_version");
    other.run(["capture", "status"]);
    assert_eq!(own("SELECT count(*) FROM pg_tables WHERE tablename = 'proof'").trim(), "0");
    let noted =
        database.sql_as(database.administrator(), "SELECT operation, failure FROM greffe_capture.journal");
    assert!(noted.unwrap().contains("UPDATE|"), "the change was noted");
}
