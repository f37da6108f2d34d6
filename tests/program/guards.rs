//! Scripts, clocks and archives that would make the record untrue are refused, or told.

use crate::project::{Project, THREE};

#[test]
fn a_script_that_names_greffes_own_tables_is_refused_before_anything_runs() {
    for sql in [
        "CREATE TABLE a (x); DELETE FROM greffe_history WHERE state = 'started';",
        "CREATE TEMP TABLE Greffe_History (position);",
        "DROP TABLE main.\"greffe_migrations\";",
    ] {
        let project = Project::with(&[("1_first.up.sql", "CREATE TABLE first (x);"), ("2_own.up.sql", sql)]);
        project.ends(1, ["apply"]).says(&["2_own.up.sql", "greffe's own table", "hint:"]);
        assert_eq!(project.tables(), "", "{sql}");
        assert_eq!(project.story(), ["genesis"]);
    }
}

#[test]
fn a_transaction_left_open_outside_one_is_a_failure() {
    let project = Project::with(&[("1_open.up.sql", "-- no-transaction\nBEGIN;\nCREATE TABLE a (x);\n")]);
    project.ends(3, ["apply"]);
    assert_eq!(project.tables(), "");
    assert_eq!(project.story(), ["genesis", "fail 1"]);
    project.ends(1, ["status"]);
    project.verify();
}

#[test]
fn a_first_statement_that_keeps_rows_leaves_a_migration_half_applied() {
    let script = "-- no-transaction\nINSERT OR FAIL INTO t VALUES (1), (2), (1);\n";
    let project = Project::with(&[("1_t.up.sql", "CREATE TABLE t (x UNIQUE);"), ("2_rows.up.sql", script)]);
    project.ends(3, ["apply"]);
    assert_eq!(project.sql("SELECT count(*) FROM t"), "2");
    project.ends(1, ["status"]).prints(&["half applied"]);
}

#[test]
fn what_a_script_does_to_its_connection_ends_with_it() {
    let project = Project::with(&[
        (
            "1_parent.up.sql",
            "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (p REFERENCES parent (id));",
        ),
        ("2_off.up.sql", "-- no-transaction\nPRAGMA foreign_keys = OFF;\n"),
        ("3_orphan.up.sql", "INSERT INTO child VALUES (99);"),
    ]);
    project.ends(3, ["apply"]).says(&["3_orphan.up.sql"]);
    assert_eq!(project.sql("SELECT count(*) FROM child"), "0");
    let project = Project::with(&[("1_query.up.sql", "CREATE TABLE a (x); PRAGMA query_only = ON;")]);
    project.ends(3, ["apply"]).says(&["1_query.up.sql"]);
    assert_eq!(project.story(), ["genesis", "fail 1"]);
    assert_eq!(project.tables(), "");
}

#[test]
fn old_broken_references_are_not_blamed_on_a_script() {
    let project = Project::with(&[(
        "1_parent.up.sql",
        "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (p REFERENCES parent (id));",
    )]);
    project.ok(["apply"]);
    project.sql("INSERT INTO child VALUES (1)");
    project.script("2_more.up.sql", "CREATE TABLE more (x);");
    project.ok(["apply", "--foreign-keys", "false"]);
    project.script("3_orphan.up.sql", "INSERT INTO child VALUES (2);");
    project.ends(3, ["apply", "--foreign-keys", "false"]).says(&["787"]);
}

#[test]
fn a_long_script_is_applied_in_parts_as_one() {
    let rows = "INSERT INTO t VALUES ('semicolons; and -- no comments');\n".repeat(6_000);
    let project = Project::with(&[("1_long.up.sql", &format!("CREATE TABLE t (x);\n{rows}"))]);
    project.ok(["apply"]);
    assert_eq!(project.sql("SELECT count(*) FROM t"), "6000");
    let log = project.log();
    let statements = &log.iter().find(|entry| entry["event"] == "apply").unwrap()["statements"];
    assert_eq!((&statements[1]["count"], &statements[1]["rows"]), (&6_000.into(), &6_000.into()));
    let project = Project::with(&[(
        "1_long.up.sql",
        &format!("CREATE TABLE t (x);\n{rows}INSERT INTO none VALUES (1);"),
    )]);
    project.ends(3, ["apply"]).says(&["statement 6002"]);
    assert_eq!(project.tables(), "");
}

#[test]
fn a_database_that_is_gone_or_older_is_told_by_who_only_looks() {
    let project = Project::applied();
    project.remove("app.db");
    for arguments in [vec!["status"], vec!["apply", "--dry-run"]] {
        let run = project.unchanged(|| project.ends(1, &arguments));
        run.prints(&["the archive holds events that the database does not know"]);
    }
    project.ends(1, ["apply"]);
}

#[test]
fn an_archive_that_lost_its_end_is_told_also_when_nothing_is_pending() {
    let project = Project::applied();
    let older = project.copy();
    project.script("4_more.up.sql", "CREATE TABLE more (x);");
    project.ok(["apply"]);
    project.write("archive/demo.car", older.read("archive/demo.car"));
    for arguments in [vec!["apply"], vec!["status"], vec!["head"], vec!["export", "--out", "x.car"]] {
        project.ends(1, &arguments).says(&["has lost its end", "hint:"]);
    }
}

#[test]
fn a_chain_that_the_settings_do_not_name_is_not_continued() {
    let (project, other) = (Project::applied(), Project::applied());
    for name in ["car", "head"] {
        project.write(&format!("archive/demo.{name}"), other.read(&format!("archive/demo.{name}")));
    }
    project.ends(1, ["apply"]).says(&["is of the chain", "hint:"]);
}

#[test]
fn a_version_that_is_not_there_is_refused() {
    let project = Project::with(&THREE);
    for arguments in [vec!["apply", "--to", "99"], vec!["apply", "--to", "99", "--dry-run"]] {
        project.ends(2, &arguments).says(&["99 is not in the migrations folder"]);
    }
}

#[test]
fn looking_at_a_database_in_wal_mode_leaves_no_file_behind() {
    let project = Project::applied();
    project.sql("PRAGMA journal_mode = WAL");
    project.unchanged(|| project.ok(["status"]));
    project.unchanged(|| project.ok(["apply", "--dry-run"]));
}

#[test]
fn hints_of_a_new_key_name_the_flag_that_there_is() {
    let project = Project::empty();
    project.ends(2, ["init", "--name", "x", "--database", "sqlite:x.db", "--key-missing"]);
    let mut command = project.command(["init", "--name", "x", "--database", "sqlite:x.db"]);
    command.env_remove("GREFFE_KEY").env_remove("GREFFE_KEY_PASSPHRASE");
    let run = project.judge(command.output().unwrap());
    assert_eq!(run.code, 2);
    run.says(&["--plain-key"]);
}

/// A trigger that an earlier script left reaches rows of later ones, past what a look at their text can see.
#[test]
fn what_ran_is_what_is_signed() {
    let project = Project::with(&THREE);
    project.ok(["apply"]);
    let lie = "CREATE TRIGGER lie AFTER INSERT ON greffe_history BEGIN \
               UPDATE greffe_history SET up_script = CAST('SELECT 1;' AS BLOB) WHERE position = NEW.position; END;";
    project.sql(lie);
    let archive = project.read("archive/demo.car");
    project.script("4_more.sql", "CREATE TABLE more (id);\n");
    project.ends(3, ["apply"]).says(&["does not say of 4 what was run"]);
    assert!(project.read("archive/demo.car") == archive);
    project.ends(3, ["apply"]).says(&["does not say of 4 what was run"]);
}
