//! Scripts that fail, and runs that are cut short: what both tables say then.

use std::fs;
use std::process::Command;

use super::tools::{DBMATE, FLYWAY, GOLANG_MIGRATE, GOOSE, REFINERY, Tool};
use super::{Team, Way};
use crate::servers::{LIMIT, poll};
use crate::tools::tool;

/// A script that fails in its second statement, for each tool.
fn failing(tool: &Tool) -> (&'static str, &'static str) {
    match tool.name {
        "dbmate" => (
            "003_bad.sql",
            "-- migrate:up\nCREATE TABLE half (id INTEGER);\nSELECT nothing;\n-- migrate:down\n",
        ),
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
        team.project.ends(3, ["apply"]).says(&[file, "run `greffe repair 3 --rolled-back`, mend the script"]);
        team.project.ends(1, ["audit"]).prints(&["`greffe repair 3 --rolled-back`"]);
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
    let columns =
        "installed_rank, coalesce(version, '-'), description, type, script, checksum, installed_by, success";
    let rows = team.sql(&format!("SELECT {columns} FROM flyway_schema_history ORDER BY 1"));
    rows.lines().map(str::to_owned).collect()
}

#[test]
fn flyways_table_has_a_row_for_each_run() {
    let team = Team::on_sqlite(&FLYWAY).kept();
    team.write(
        "R__all_names.sql",
        "DROP VIEW IF EXISTS names;\nCREATE VIEW names AS SELECT name FROM authors;\n",
    );
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
    team.write(
        "R__all_names.sql",
        "DROP VIEW IF EXISTS names;\nCREATE VIEW names AS SELECT id, name FROM authors;\n",
    );
    team.project.ok(["status"]);
    team.project.ok(["apply"]).prints(&["applied R__all names#2"]);
    team.project.ok(["rollback", "--steps", "1"]);
    let rows = flyway_rows(&team);
    assert_ne!(sum(&rows[3]), first);
    assert!(rows[3].starts_with("4|-|all names|SQL|R__all_names.sql|"), "{rows:#?}");
    assert!(rows[4].starts_with("5|2.1|their books|UNDO_SQL|U2.1__their_books.sql|"), "{rows:#?}");
    team.project.ok(["apply"]).prints(&["applied 2.1"]);
    team.verify();

    // Outside a transaction, what failed leaves a row, which a repair takes away.
    team.write("V3__bad.sql", "CREATE TABLE half (id INTEGER);\nSELECT nothing;\n");
    team.write("V3__bad.sql.conf", "executeInTransaction=false\n");
    team.project.ends(3, ["apply"]).says(&["greffe repair 3"]);
    let rows = flyway_rows(&team);
    assert!(rows[6].starts_with("7|3|bad|SQL|V3__bad.sql|") && rows[6].ends_with("||0"), "{rows:#?}");
    team.project.ends(1, ["apply"]);
    team.sql("DROP TABLE half");
    team.project.ok(["repair", "3", "--rolled-back"]);
    assert_eq!(flyway_rows(&team).len(), 6);
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
    let began = || {
        let mut shell = tool("sqlite3");
        let query = "SELECT count(*) FROM sqlite_schema WHERE name = 'begun'";
        let answer =
            shell.args(["-cmd", ".timeout 1000"]).arg(team.project.path("app.db")).arg(query).output();
        answer.unwrap().stdout == b"1\n"
    };
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

#[test]
fn a_database_that_was_restored_is_told_of_by_its_own_tables() {
    let team = Team::on_sqlite(&DBMATE).kept();
    team.project.ok(["apply"]);
    let backup = team.project.read("app.db");
    team.add(2);
    team.project.ok(["apply"]);
    team.project.write("app.db", &backup);
    team.project.ends(1, ["apply"]).says(&["greffe repair --restored"]);
    team.project.ok(["repair", "--restored"]);
    team.project.ends(1, ["apply"]).says(&["greffe record -- true"]);
    team.project.ok(["record", "--", "true"]);
    team.project.ok(["apply"]).prints(&["applied 003"]);
    assert_eq!(team.story()[2..], ["apply 003", "repair", "stamp 003", "apply 003"]);
    team.project.verify();
}

/// goose ends its lines as Unix does, and refuses a byte order mark and a statement without an end.
#[test]
fn goose_and_greffe_read_the_same_lines() {
    let windows = "-- +goose Up\r\nCREATE TABLE notes (\r\n  text TEXT DEFAULT 'a\r\nb');\r\n";
    let defaults = |way: fn(&Team)| {
        let team = Team::on_sqlite(&GOOSE).kept();
        team.write("00003_notes.sql", windows);
        way(&team);
        team.sql("SELECT hex(dflt_value) FROM pragma_table_info('notes')")
    };
    let theirs = defaults(|team| drop(team.tool(Way::Up)));
    let ours = defaults(|team| drop(team.project.ok(["apply"])));
    assert_eq!((theirs.as_str(), ours.as_str()), ("27610A6227", "27610A6227"));
    for (text, said) in
        [("\u{feff}-- +goose Up\nSELECT 1;\n", "byte order mark"), ("-- +goose Up\nSELECT 1\n", "no `;`")]
    {
        let team = Team::on_sqlite(&GOOSE).kept();
        team.write("00003_bad.sql", text);
        team.project.ends(2, ["apply"]).says(&["00003_bad.sql", said]);
        let mut command = Command::new(&(team.tool.command)(&team, Way::Up).unwrap()[0]);
        team.project.prepare(&mut command);
        let output = command.args(["-dir", "migrations", "sqlite3", "app.db", "up"]).output().unwrap();
        assert!(!output.status.success(), "{output:?}");
    }
}
