//! What was noted while it happened, against what commands, clocks and removals say.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::event;
use crate::project::Project;
use crate::servers::Postgres;
use crate::shop::Shop;
use crate::tools::tool;

fn file_of(shop: &Shop) -> PathBuf {
    shop.project.variables.iter().find(|(name, _)| name == "SHOP_FILE").unwrap().1.clone().into()
}

#[test]
fn what_was_noted_goes_before_what_a_command_says() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    project.ok(["record", "--", "flask", "db", "upgrade", "5a0c"]);
    project.ok(["capture", "install"]).prints(&["SQLite has no triggers for that"]);
    // It is called as what stamps, and upgrades.
    project.write("alembic", "#!/bin/sh\nexec flask db upgrade\n");
    std::fs::set_permissions(project.path("alembic"), PermissionsExt::from_mode(0o755)).unwrap();
    project.ok(["record", "--", "./alembic", "stamp", "head"]);
    assert_eq!(project.story()[2..], ["apply 6b1d"]);
    project.ok(["record", "--", "flask", "db", "downgrade", "5a0c"]);
    let both = "flask db upgrade && flask db stamp 5a0c";
    project.ok(["record", "--", "sh", "-c", both]);
    assert_eq!(project.story()[3..], ["rollback 6b1d", "apply 6b1d", "stamp 6b1d"]);
    assert_eq!(event(project, 5)["direction"], "down");

    // A clock that runs ahead takes the chain's times nowhere.
    shop.flask(&["db", "stamp", "6b1d"]);
    let ahead = "UPDATE greffe_capture SET at = '2999-01-01T00:00:00.000Z' \
                 WHERE id = (SELECT max(id) FROM greffe_capture)";
    project.sql_of(&file_of(&shop), ahead);
    project.ok(["record", "--collect"]);
    let event = event(project, 6);
    assert_eq!(event["tool"]["capture"]["at"], "2999-01-01T00:00:00.000000Z", "{event:#}");
    assert!(event["finishedAt"].as_str().unwrap() < "2900", "{event:#}");
    project.ok(["record", "--", "flask", "db", "downgrade", "5a0c"]);
    assert_eq!(project.story()[6..], ["stamp 6b1d", "rollback 6b1d"]);
    project.verify();
}

/// A project of dbmate on a database, with a capture.
fn watched(url: &str, make: impl FnOnce(&str)) -> Project {
    let mut project = Project::empty();
    project.variables.push(("DATABASE_URL".to_owned(), url.to_owned()));
    project.variables.push(("GREFFE_TOOL".to_owned(), "dbmate".to_owned()));
    project.script("001_t.sql", "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n");
    project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
    make("CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)");
    project.ok(["capture", "install"]);
    // The trigger would tell of it a second time.
    project
        .ends(2, ["apply", "--tool-apply"])
        .says(&["a capture notes the tool's history", "greffe capture remove"]);
    project
}

/// What a tool wrote while `capture remove` waited for it is not lost.
fn kept(project: &Project) {
    project.ends(2, ["capture", "remove"]).says(&["1 change(s) of the history", "record --collect"]);
    project.ok(["record", "--collect"]);
    assert_eq!(project.story(), ["genesis", "apply 001"]);
    project.ok(["capture", "remove"]).prints(&["no capture is installed"]);
    project.ok(["audit"]);
    project.verify();
}

#[test]
fn a_removal_waits_for_who_writes_on_postgresql() {
    let database = Postgres::shared().database("removal");
    let project = watched(&database.url(), |sql| drop(database.sql(sql)));
    let slow = "BEGIN; INSERT INTO schema_migrations VALUES ('001'); SELECT pg_sleep(6); COMMIT";
    let sleeps =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| database.sql(slow));
        while database.sql(sleeps).trim() != "1" {
            std::thread::sleep(Duration::from_millis(20));
        }
        kept(&project);
        slow.join().unwrap();
    });
}

#[test]
fn a_removal_waits_for_who_writes_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    let sql = |text: &str| {
        let mut sqlite = tool("sqlite3").arg(&file).stdin(Stdio::piped()).spawn().unwrap();
        sqlite.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        sqlite
    };
    let project = watched(&format!("sqlite:{}", file.display()), |text| drop(sql(text).wait()));
    let begun = folder.path().join("begun");
    let mut writer = sql(&format!(
        "BEGIN IMMEDIATE;\nINSERT INTO schema_migrations VALUES ('001');\n.shell touch {}\n.shell sleep 3\nCOMMIT;\n",
        begun.display()
    ));
    while !Path::exists(&begun) {
        std::thread::sleep(Duration::from_millis(20));
    }
    kept(&project);
    assert!(writer.wait().unwrap().success());
}
