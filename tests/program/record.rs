//! Runs of other tools, archived as they happen.

mod ending;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::servers::Postgres;
use crate::shop::Shop;

fn record<'a>(command: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["record", "--"];
    arguments.extend(command);
    arguments
}

fn event(shop: &Shop, seq: u64) -> Value {
    shop.project.json(&["show", &seq.to_string()])["event"].clone()
}

fn roles(shop: &Shop, seq: u64) -> Vec<String> {
    let shown = shop.project.json(&["show", &seq.to_string()]);
    let files = shown["files"].as_array().unwrap();
    files.iter().map(|file| file["role"].as_str().unwrap().to_owned()).collect()
}

/// All that Flask-Migrate does in a project's life.
fn life(shop: &Shop) {
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    let run = project.ok(record(&["flask", "db", "upgrade"]));
    run.says(&["Running upgrade 5a0c -> 6b1d", "applied 6b1d as entry 2"]);
    assert_eq!(project.story(), ["genesis", "apply 5a0c", "apply 6b1d"]);
    assert_eq!(event(shop, 1)["evidence"], "captured");
    assert_eq!(event(shop, 1)["executor"]["name"], "alembic");
    assert_eq!(roles(shop, 1), ["rendered", "up"]);
    assert_eq!(roles(shop, 2), ["output", "rendered", "up"]);
    assert_eq!(event(shop, 2)["tool"]["exit"], 0);

    // Two branches, both applied, then merged.
    shop.add(&["7c2e", "8d3f"]);
    project.ok(record(&["flask", "db", "upgrade", "heads"]));
    shop.add(&["9e40"]);
    project.ok(record(&["flask", "db", "upgrade"]));
    let story = ["apply 7c2e", "apply 8d3f", "apply 9e40"];
    assert_eq!(project.story()[3..], story);

    // A run that has nothing to do leaves nothing.
    project.ok(record(&["flask", "db", "upgrade"]));
    assert_eq!(project.story().len(), 6);

    // One that fails ends as the tool does, and says where.
    shop.add(&["af51"]);
    let run = project.run(record(&["flask", "db", "upgrade"]));
    assert_eq!(run.code, 1, "{run:#?}");
    assert_eq!(project.story()[6..], ["fail af51"]);
    assert_eq!((&event(shop, 6)["outcome"], &event(shop, 6)["tool"]["exit"]), (&json!("failed"), &json!(1)));

    // The way back, and a history that is written without running anything.
    project.ok(record(&["flask", "db", "downgrade", "6b1d"]));
    assert_eq!(project.story()[7..], ["rollback 9e40", "rollback 8d3f", "rollback 7c2e"]);
    assert_eq!(event(shop, 8)["reverts"], project.json(&["show", "4"])["manifest"]);
    project.ok(record(&["flask", "db", "stamp", "5a0c"]));
    assert_eq!(project.story()[10..], ["stamp 6b1d"]);
    assert_eq!(event(shop, 10)["direction"], "down");
    project.verify();
}

#[test]
fn flask_migrate_is_recorded_on_sqlite() {
    life(&Shop::in_a_file());
}

#[test]
fn flask_migrate_is_recorded_on_postgresql() {
    let database = Postgres::shared().database("shop");
    let url = database.url();
    life(&Shop::on(&url.replacen("postgres://", "postgresql+psycopg://", 1), &url));
}

#[test]
fn a_database_with_years_of_history_is_adopted_once() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    project.ends(2, ["baseline"]).says(&["lists no migration"]);
    shop.flask(&["db", "upgrade"]);
    shop.add(&["7c2e"]);
    let run = project.ok(record(&["flask", "db", "upgrade"]));
    run.says(&["2 migration(s) were applied before", "greffe baseline"]);
    project.ends(2, ["baseline"]).says(&["entry 1"]);

    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    shop.flask(&["db", "upgrade"]);
    project.ok(["baseline"]).prints(&["adopted 5a0c as entry 1", "adopted 6b1d as entry 2"]);
    assert_eq!(event(&shop, 1)["evidence"], "imported-weak");
    // What was run without the wrapper is found, and is not said to have been seen.
    shop.add(&["7c2e", "8d3f", "9e40"]);
    shop.flask(&["db", "upgrade", "7c2e"]);
    project.ok(record(&["flask", "db", "upgrade"]));
    let story = ["baseline 5a0c", "baseline 6b1d", "baseline 7c2e", "apply 8d3f", "apply 9e40"];
    assert_eq!(project.story()[1..], story);
    assert_eq!(
        (&event(&shop, 3)["evidence"], &event(&shop, 4)["evidence"]),
        (&json!("imported-weak"), &json!("captured"))
    );
    std::fs::remove_file(project.path("migrations/versions/9e40_merge.py")).unwrap();
    shop.flask(&["db", "stamp", "--purge", "5a0c"]);
    project.ok(record(&["true"]));
    assert_eq!(project.story()[6..], ["stamp 9e40", "stamp 8d3f", "stamp 7c2e", "stamp 6b1d"]);
    project.verify();
}

#[test]
fn the_tool_is_as_if_nobody_watched() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c"]);
    let run = project.run(record(&["sh", "-c", "echo out; echo err >&2; cat; exit 7"]));
    assert_eq!((run.code, run.stdout.as_str()), (7, "out\n"), "{run:#?}");
    run.says(&["err", "archived a run that failed as entry 1"]);
    assert_eq!(project.run(record(&["sh", "-c", "kill -TERM $$"])).code, 128 + 15);
    let variables = "env | grep -c '^GREFFE_KEY\\|^GREFFE_VAULT'; true";
    assert_eq!(project.ok(record(&["sh", "-c", variables])).stdout, "0\n");
    project.ends(2, record(&["no-such-program"])).says(&["cannot start"]);
    // Nothing says at which script it failed, and none is named for it.
    assert_eq!(project.story(), ["genesis", "fail", "fail"]);
    let failed = event(&shop, 1);
    assert_eq!(
        (&failed["migration"]["version"], &failed["evidence"], &failed["tool"]["exit"]),
        (&json!(""), &json!("captured"), &json!(7))
    );
    project.ok(["log"]).prints(&["Event:   fail\n"]);
    // What it leaves running holds nobody back, however long it holds the output.
    let begin = Instant::now();
    project.ok(record(&["sh", "-c", "sleep 60 & echo $!"]));
    assert!(begin.elapsed() < Duration::from_secs(30));
    // Of a long output the beginning and the end are kept, and all of it is passed on.
    let run = project.run(record(&[
        "sh",
        "-c",
        "echo first; head -c 300000000 /dev/zero | tr '\\0' x; echo; echo last; exit 1",
    ]));
    assert_eq!((run.code, run.stdout.len()), (1, 300_000_000 + 12));
    let shown = project.json(&["show", "3"]);
    let output = shown["files"].as_array().unwrap().iter().find(|file| file["role"] == "output").unwrap();
    assert!(output["size"].as_u64().unwrap() < 2 << 20, "{output}");
    project.verify();
}

#[test]
fn what_could_not_be_archived_waits() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c"]);
    std::fs::rename(project.path("archive/shop.car"), project.path("elsewhere")).unwrap();
    let run = project.ok(record(&["flask", "db", "upgrade"]));
    run.says(&["the run is not archived", "record --resume"]);
    shop.add(&["6b1d"]);
    project.ends(3, ["record", "--strict", "--", "flask", "db", "upgrade"]);
    project.ends(3, ["record", "--resume"]);
    std::fs::rename(project.path("elsewhere"), project.path("archive/shop.car")).unwrap();
    project.ok(["record", "--resume"]).says(&["applied 5a0c as entry 1", "applied 6b1d as entry 2"]);
    assert_eq!(event(&shop, 1)["evidence"], "captured");
    project.ok(["record", "--resume"]);
    assert_eq!(project.story(), ["genesis", "apply 5a0c", "apply 6b1d"]);
    assert_eq!(std::fs::read_dir(project.path("archive/shop.runs")).unwrap().count(), 0);
    project.verify();
}

#[test]
fn a_wrapper_that_is_killed_loses_nothing() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c"]);
    let mut child =
        project.command(record(&["sh", "-c", "echo begun; sleep 1; exec flask db upgrade"])).spawn().unwrap();
    let runs = project.path("archive/shop.runs");
    while std::fs::read_dir(&runs).map_or(0, Iterator::count) == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !shop.flask(&["db", "current"]).contains("5a0c") {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(200));
    }
    project.ok(["record", "--resume"]);
    assert_eq!(project.story(), ["genesis", "baseline 5a0c"]);
    project.verify();
}

#[test]
fn an_audit_finds_what_the_tool_does_not_see() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d", "7c2e"]);
    project.ok(record(&["flask", "db", "upgrade", "6b1d"]));
    project.ok(["audit"]).prints(&["pending: 7c2e", "no difference"]);

    // One byte of an applied script, which Alembic takes for up to date.
    let file = "migrations/versions/6b1d_orders.py";
    let script = project.read(file);
    let edited = String::from_utf8(script.clone()).unwrap().replace("nullable=False", "nullable=True ");
    project.write(file, edited);
    assert!(shop.flask(&["db", "current"]).contains("6b1d"));
    project
        .ends(1, ["audit"])
        .prints(&["`versions/6b1d_orders.py` of 6b1d is not what was archived as entry 2"]);
    let found = project.ends(1, ["audit", "--json"]).object();
    assert_eq!(
        (&found["findings"][0]["finding"], &found["findings"][0]["difference"]),
        (&json!("edited"), &json!("edited"))
    );
    // Line ends are nobody's edit.
    project.write(file, String::from_utf8(script.clone()).unwrap().replace('\n', "\r\n"));
    project.ok(["audit"]);

    std::fs::remove_file(project.path(file)).unwrap();
    project.ends(1, ["audit"]).prints(&["no file is the script of 6b1d", "`7c2e` stands on `6b1d`"]);
    project.write(file, script);

    // A history that was written by hand, and a schema.
    shop.flask(&["db", "stamp", "5a0c"]);
    project
        .ends(1, ["audit"])
        .prints(&["6b1d is applied, as entry 2 says, and the tool's table does not have it"]);
    shop.flask(&["db", "stamp", "7c2e"]);
    project.ends(1, ["audit"]).prints(&["7c2e stands in the tool's table, and no entry tells of it"]);
    shop.flask(&["db", "stamp", "6b1d"]);
    let database = project.variables.iter().find(|(name, _)| name == "SHOP_FILE").unwrap().1.clone();
    project.sql_of(std::path::Path::new(&database), "CREATE TABLE by_hand (id INTEGER)");
    project.ends(1, ["audit"]).prints(&["the schema is not the one that the newest entry left"]);
    // It can be signed, and then the tool's history is what is compared, as before.
    project.ok(["audit", "--record"]).prints(&[
        "recorded the drift of the database as entry 3",
        "history in alembic_version",
        "no difference",
    ]);
    let again = project.json(&["audit", "--record"]);
    assert_eq!((&again["recorded"], &again["findings"]), (&json!([]), &json!([])));
    project.verify();
    project.ends(2, ["apply", "--tool", "alembic"]).says(&["greffe does not apply them", "greffe record"]);
}

#[test]
fn a_script_that_its_run_wrote_is_not_said_to_have_been_seen() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c"]);
    let edit = "sed -i s/pseudonym/nickname_1/ migrations/versions/5a0c_customers.py && flask db upgrade";
    project.ok(record(&["sh", "-c", edit]));
    assert_eq!(project.story(), ["genesis", "apply 5a0c"]);
    assert_eq!(event(&shop, 1)["evidence"], "imported-weak");
    project.ok(["audit"]);
    // A shell that stamps runs nothing.
    shop.add(&["6b1d"]);
    project.ok(record(&["sh", "-c", "flask db stamp head"]));
    assert_eq!(project.story()[2..], ["stamp 6b1d"]);

    // Nor is one that was edited before the run could be archived.
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c"]);
    std::fs::rename(project.path("archive/shop.car"), project.path("elsewhere")).unwrap();
    project.ok(record(&["flask", "db", "upgrade"]));
    std::fs::rename(project.path("elsewhere"), project.path("archive/shop.car")).unwrap();
    let file = "migrations/versions/5a0c_customers.py";
    let text = String::from_utf8(project.read(file)).unwrap();
    project.write(file, text.replace("String(32)", "String(33)"));
    project.ok(["record", "--resume"]);
    assert_eq!(event(&shop, 1)["evidence"], "imported-weak");
}

#[test]
fn a_run_that_is_archived_after_later_ones_undoes_nothing() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    project.ok(record(&["flask", "db", "upgrade", "5a0c"]));
    std::fs::rename(project.path("archive/shop.car"), project.path("elsewhere")).unwrap();
    project.ok(record(&["flask", "db", "upgrade"])).says(&["record --resume"]);
    std::fs::rename(project.path("elsewhere"), project.path("archive/shop.car")).unwrap();
    std::fs::create_dir(project.path("archive/shop.runs/01890000-0000-7000-8000-000000000000")).unwrap();
    project.ok(record(&["true"])).says(&["2 run(s) before are not archived"]);
    let story = ["genesis", "apply 5a0c", "baseline 6b1d"];
    assert_eq!(project.story(), story);
    project.ends(3, ["record", "--resume"]).says(&["was not noted whole"]);
    assert_eq!(project.story(), story);
    project.ok(["audit"]).prints(&["1 run(s) wait for `greffe record --resume`"]);

    // Another database, and another tool, undo nothing either.
    let mut elsewhere = project.copy();
    let nowhere = format!("sqlite:{}", project.path("nowhere.db").display());
    elsewhere.variables.retain(|(name, _)| name != "DATABASE_URL");
    elsewhere.variables.push(("DATABASE_URL".to_owned(), nowhere));
    elsewhere.ok(record(&["true"])).says(&["has no table of alembic", "not archived"]);
    project.ok(["record", "--tool", "dbmate", "--", "true"]).says(&["not archived"]);
    assert_eq!(project.story(), story);
    project.verify();
}

#[test]
fn a_closed_pipe_ends_the_tool() {
    let shop = Shop::in_a_file();
    let greffe = env!("CARGO_BIN_EXE_greffe");
    let mut shell = std::process::Command::new("sh");
    shop.project.prepare(&mut shell);
    let path = shop.project.variables.iter().find(|(name, _)| name == "PATH").unwrap().1.clone();
    let lines = format!("{greffe} record -- sh -c 'yes; env' | head -1");
    let begin = Instant::now();
    let output = shell.env("PATH", path).args(["-c", &lines]).output().unwrap();
    assert_eq!(output.stdout, b"y\n");
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn variables_that_settings_name_for_secrets_stay_here() {
    let mut shop = Shop::in_a_file();
    let key = shop.project.variables.iter().find(|(name, _)| name == "GREFFE_KEY").unwrap().1.clone();
    shop.project.variables.retain(|(name, _)| name != "GREFFE_KEY");
    shop.project.variables.push(("OUR_SIGNING_KEY".to_owned(), key));
    shop.project.variables.push(("GREFFE_KEY_SOURCE".to_owned(), "env:OUR_SIGNING_KEY".to_owned()));
    shop.add(&["5a0c"]);
    let run =
        shop.project.ok(record(&["sh", "-c", "flask db upgrade; env | grep -c '^OUR_SIGNING_KEY='; true"]));
    assert!(run.stdout.ends_with("0\n"), "{run:#?}");
    assert_eq!(shop.project.story(), ["genesis", "apply 5a0c"]);
}
