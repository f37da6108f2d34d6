//! Applying: what is pending, once, in one transaction each, and what stops it.

use serde_json::json;

use crate::project::{Project, THREE};

#[test]
fn all_pending_migrations_are_applied_and_then_none() {
    let project = Project::with(&THREE);
    let done = project.json(&["apply"]);
    let versions: Vec<_> =
        done["archived"].as_array().unwrap().iter().map(|event| event["version"].clone()).collect();
    assert_eq!(versions, [json!("1"), json!("2"), json!("3")]);
    assert_eq!(done["head"], project.head());
    assert_eq!(project.tables(), "authors,books");
    assert_eq!(project.sql("SELECT count(*) FROM authors"), "2");
    let archive = project.files();
    project.ok(["apply"]).prints(&["nothing to apply", &project.head()]);
    assert_eq!(project.files(), archive, "nothing pending writes nothing");
    project.verify();
    let entries = project.log();
    assert_eq!(entries[2]["migration"]["purpose"], "keeps the books");
    let kinds: Vec<_> =
        entries[2]["statements"].as_array().unwrap().iter().map(|run| run["kind"].clone()).collect();
    assert_eq!(kinds, [json!("CREATE TABLE"), json!("CREATE INDEX")]);
    assert_eq!(entries[1]["schema"]["after"], entries[2]["schema"]["before"]);
    assert_ne!(entries[1]["schema"]["before"], entries[1]["schema"]["after"]);
    assert_eq!(entries[3]["schema"]["before"], entries[3]["schema"]["after"], "rows are not the schema");
}

#[test]
fn to_a_version_leaves_the_later_ones_pending() {
    let project = Project::with(&THREE);
    project.ok(["apply", "--to", "2"]);
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2"]);
    let status = project.json(&["status"]);
    let states: Vec<_> =
        status["migrations"].as_array().unwrap().iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, [json!("applied"), json!("applied"), json!("pending")]);
    project.ok(["apply"]);
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2", "apply 3"]);
    project.verify();
}

#[test]
fn a_dry_run_creates_nothing_at_all() {
    let project = Project::with(&THREE);
    let run = project.unchanged(|| project.ok(["apply", "--dry-run"]));
    run.prints(&[
        "would apply 1_authors.up.sql: CREATE TABLE",
        "CREATE TABLE, CREATE INDEX",
        "3_seed.up.sql",
    ]);
    let shown = project.unchanged(|| project.json(&["apply", "--dry-run", "--to", "2"]));
    assert_eq!(shown["dryRun"], true);
    assert_eq!(shown["pending"].as_array().unwrap().len(), 2);
    project.ok(["apply", "--to", "1"]);
    project.unchanged(|| project.ok(["apply", "--dry-run"]));
    project.script("2_books.up.sql", "COMMIT;");
    project.unchanged(|| project.ends(1, ["apply", "--dry-run"])).prints(&["problem:", "2_books.up.sql"]);
}

#[test]
fn line_ends_and_byte_order_marks_are_cosmetic() {
    let project = Project::applied();
    project.script("1_authors.up.sql", format!("\u{feff}{}", THREE[0].1.replace('\n', "\r\n")));
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]).says(&["note:", "1_authors.up.sql", "line ends", "hint:"]);
    assert_eq!(project.tables(), "authors,books,more");
    project.verify();
    project.ends(1, ["status"]).prints(&["1_authors.up.sql"]);
}

#[test]
fn an_edited_script_stops_everything() {
    let project = Project::applied();
    project.script("2_books.up.sql", "CREATE TABLE books (id INTEGER PRIMARY KEY);\n");
    project.script("4_more.sql", "CREATE TABLE more (id);");
    let archive = project.read("archive/demo.car");
    let run = project.ends(1, ["apply"]);
    run.says(&[
        "error: script `2_books.up.sql` differs from its archived copy",
        "archived: sha256:",
        "on disk:  sha256:",
    ]);
    run.says(&["hint: ", "greffe show 2 --script", "greffe repair 2 --applied"]);
    assert_eq!(project.tables(), "authors,books");
    assert_eq!(project.read("archive/demo.car"), archive);
    // Both commands of the hint run.
    assert_eq!(project.ok(["show", "2", "--script"]).bytes, THREE[2].1.as_bytes());
    let error = project.ends(1, ["apply", "--json"]).object();
    assert_eq!(error["error"]["problems"][0]["code"], "edited");
    assert_eq!(error["exit"], 1);
    project.ok(["repair", "2", "--applied"]);
    project.ok(["apply"]);
    assert_eq!(project.story().last().unwrap(), "apply 4");
    project.verify();
}

#[test]
fn a_missing_script_stops_everything() {
    let project = Project::applied();
    project.remove("migrations/2_books.up.sql");
    project.remove("migrations/2_books.down.sql");
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ends(1, ["apply"]).says(&["migration 2", "not in the folder", "greffe show 2 --script"]);
    assert_eq!(project.tables(), "authors,books");
    project.script("2_books.up.sql", project.ok(["show", "2", "--script"]).bytes);
    project.ok(["apply"]);
    assert_eq!(project.tables(), "authors,books,more");
}

#[test]
fn order_is_strict_unless_it_is_asked_for() {
    let project = Project::with(&THREE[2..]);
    project.script("2_books.up.sql", "CREATE TABLE books (id);");
    project.script("3_seed.up.sql", "INSERT INTO books VALUES (1);");
    project.ok(["apply"]);
    project.scripts(&THREE[..2]);
    project.ends(1, ["apply"]).says(&["migration 1", "older than 3", "--allow-out-of-order"]);
    assert_eq!(project.tables(), "books");
    project.ok(["apply", "--allow-out-of-order"]);
    assert_eq!(project.tables(), "authors,books");
    assert_eq!(project.story(), ["genesis", "apply 2", "apply 3", "apply 1"]);
    project.verify();
}

#[test]
fn a_script_with_a_transaction_of_its_own_is_refused_before_anything_runs() {
    for text in [
        "BEGIN;\nCREATE TABLE x (id);\nCOMMIT;",
        "CREATE TABLE x (id);\n/* */ COMMIT;",
        "create table x (id); end transaction;",
        "SAVEPOINT a; CREATE TABLE x (id); ROLLBACK;",
        "begin immediate; select 1; commit",
        "CREATE TABLE x (id)\n;;\n-- note\nRollBack;",
    ] {
        let project = Project::with(&THREE);
        project.script("9_own.sql", text);
        let run = project.ends(1, ["apply"]);
        run.says(&["9_own.sql", "line", "-- no-transaction"]);
        assert!(
            !project.path("app.db").exists() || project.tables().is_empty(),
            "{text}: {}",
            project.tables()
        );
        assert_eq!(project.story(), ["genesis"], "{text}");
    }
}

#[test]
fn words_of_transactions_inside_other_statements_are_no_transaction_control() {
    let project = Project::new();
    project.script(
        "1_trigger.sql",
        "CREATE TABLE t (id, note TEXT DEFAULT 'COMMIT;');\n\
         CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET note = 'BEGIN; ROLLBACK;'; END;\n\
         -- COMMIT;\n/* ROLLBACK; */ INSERT INTO t (id) VALUES (CASE WHEN 1 THEN 2 END);\n",
    );
    project.ok(["apply"]);
    project.verify();
    let kinds = project.log()[1]["statements"].as_array().unwrap().len();
    assert_eq!(kinds, 3);
}

#[test]
fn nothing_of_a_failing_script_is_kept_and_its_failure_is_archived() {
    let project = Project::with(&THREE);
    project.script(
        "4_broken.sql",
        "CREATE TABLE first (id);\nINSERT INTO first VALUES (1);\nINSERT INTO nowhere VALUES ('hunter2');\nCREATE TABLE last (id);\n",
    );
    project.script("5_after.sql", "CREATE TABLE after (id);");
    let run = project.ends(3, ["apply"]);
    run.says(&["4_broken.sql", "statement 3", "INSERT", "hint:"]);
    assert!(
        !run.stderr.contains("hunter2") && !run.stdout.contains("hunter2") && !run.stderr.contains("nowhere")
    );
    assert_eq!(project.tables(), "authors,books");
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2", "apply 3", "fail 4"]);
    let failed = &project.log()[4];
    assert_eq!(failed["outcome"], "failed");
    assert_eq!(failed["error"], json!({"code": "1", "statement": 3}));
    assert_eq!(failed["schema"]["before"], failed["schema"]["after"]);
    project.verify();
    let again = project.ends(3, ["apply", "--json"]).object();
    assert_eq!(again["failed"]["statement"], 3);
    assert_eq!(again["failed"]["version"], "4");
    project.script("4_broken.sql", "CREATE TABLE first (id);");
    project.ok(["apply"]);
    assert_eq!(project.story()[4..], ["fail 4", "fail 4", "apply 4", "apply 5"]);
    project.verify();
}

#[test]
fn values_of_rows_appear_nowhere() {
    let mut project = Project::with(&[(
        "1_people.sql",
        "CREATE TABLE people (email TEXT UNIQUE, age INTEGER CHECK (age < 150)) STRICT;",
    )]);
    project.ok(["apply"]);
    project.secrets.push("ann@example.org".to_owned());
    let archive = project.read("archive/demo.car");
    for (name, text) in [
        ("2_unique.sql", "INSERT INTO people VALUES ('ann@example.org', 1), ('ann@example.org', 2);"),
        ("2_check.sql", "INSERT INTO people VALUES ('ann@example.org', 200);"),
        ("2_type.sql", "INSERT INTO people VALUES (1, 'ann@example.org');"),
        ("2_syntax.sql", "INSERT INTO people VALUES ('ann@example.org' 'ann@example.org';"),
        ("2_column.sql", "SELECT \"x\" FROM people WHERE [ann@example.org] = 1;"),
        (
            "2_raise.sql",
            "CREATE TRIGGER r BEFORE INSERT ON people BEGIN SELECT RAISE(ABORT, 'ann@example.org'); END; INSERT INTO people VALUES ('x', 1);",
        ),
        ("2_json.sql", "SELECT json('ann@example.org');"),
        ("2_bare.sql", "-- no-transaction\nINSERT INTO people VALUES ('ann@example.org', 200);"),
    ] {
        project.script(name, text);
        for arguments in [vec!["apply"], vec!["apply", "--json"]] {
            project.ends(3, &arguments);
        }
        project.ok(["log", "--json"]);
        project.ok(["status"]);
        project.remove(&format!("migrations/{name}"));
    }
    // In the archive, the address stands in the scripts' blocks and in no statement.
    let log = project.ok(["log", "--json"]);
    assert!(!log.stdout.contains("ann@"));
    let records = project.sql("SELECT record FROM greffe_history");
    assert!(!records.contains("ann@"), "{records}");
    assert!(project.read("archive/demo.car").starts_with(&archive));
    project.verify();
}

#[test]
fn a_script_without_a_transaction_may_do_what_needs_none() {
    let project = Project::with(&THREE);
    project.script("4_vacuum.sql", "-- no-transaction\nVACUUM;\n");
    project.script("5_own.sql", "-- no-transaction\nBEGIN;\nCREATE TABLE own (id);\nCOMMIT;\n");
    project.ok(["apply"]);
    assert_eq!(project.tables(), "authors,books,own");
    project.verify();
    let inside = Project::with(&[("1_vacuum.sql", "VACUUM;")]);
    inside.ends(3, ["apply"]).says(&["1_vacuum.sql"]);
    assert_eq!(inside.story(), ["genesis", "fail 1"]);
}

#[test]
fn tables_of_the_user_do_not_clash_with_those_of_greffe() {
    let project = Project::with(&[(
        "1_mine.sql",
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, mine TEXT);\nINSERT INTO _sqlx_migrations VALUES (1, 'x');\n\
         CREATE TABLE schema_migrations (version); CREATE TABLE flyway_schema_history (x); CREATE TABLE alembic_version (x);",
    )]);
    project.ok(["apply"]);
    project.script("2_more.sql", "INSERT INTO _sqlx_migrations VALUES (2, 'y');");
    project.ok(["apply"]);
    assert_eq!(project.sql("SELECT group_concat(mine) FROM _sqlx_migrations"), "x,y");
    project.verify();
    let before = Project::with(&[("1_one.sql", "CREATE TABLE one (id);")]);
    before.sql(
        "CREATE TABLE _sqlx_migrations (something TEXT); INSERT INTO _sqlx_migrations VALUES ('theirs')",
    );
    before.ok(["apply"]);
    assert_eq!(before.sql("SELECT something FROM _sqlx_migrations"), "theirs");
}

#[test]
fn foreign_keys_hold_while_scripts_run() {
    let scripts = [(
        "1_a.sql",
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);",
    )];
    let project = Project::with(&scripts);
    project.ok(["apply"]);
    project.script("2_b.sql", "INSERT INTO b VALUES (7);");
    for flag in ["true", "false"] {
        let run = project.ends(3, ["apply", "--foreign-keys", flag]);
        run.says(&["2_b.sql"]);
        assert_eq!(project.sql("SELECT count(*) FROM b"), "0");
    }
    project.script("2_b.sql", "INSERT INTO b VALUES (7); INSERT INTO a VALUES (7);");
    project.ok(["apply"]);
    project.verify();
    let immediate = Project::with(&[(
        "1_a.sql",
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id)); INSERT INTO b VALUES (7); INSERT INTO a VALUES (7);",
    )]);
    immediate.ends(3, ["apply"]).says(&["statement 3"]);
    immediate.ok(["apply", "--foreign-keys", "false"]);
}

#[test]
fn odd_scripts_are_applied_as_they_are_or_refused_clearly() {
    let project = Project::with(&[
        ("1_empty.sql", ""),
        ("2_comment.sql", "-- nothing to do\n"),
        ("3_no_end.sql", "CREATE TABLE a (id)"),
        ("4_é_name.sql", "CREATE TABLE \"été 🦀\" (id); INSERT INTO \"été 🦀\" VALUES ('; -- '' /* ')"),
        ("05_leading.sql", ";;;\nSELECT 1;;"),
    ]);
    project.ok(["apply"]);
    assert_eq!(project.story().len(), 6);
    project.verify();
    for (seq, name) in [(1, "1_empty.sql"), (3, "3_no_end.sql"), (4, "4_é_name.sql")] {
        let shown = project.ok(["show", &seq.to_string(), "--script"]).bytes;
        assert_eq!(shown, project.read(&format!("migrations/{name}")), "{name}");
    }
    project.script("6_bytes.sql", b"SELECT '\xff';");
    project.unchanged(|| project.ends(2, ["apply"])).says(&["6_bytes.sql", "UTF-8"]);
    project.script("6_bytes.sql", b"SELECT 1;\0DROP TABLE a;");
    project.unchanged(|| project.ends(2, ["apply"])).says(&["6_bytes.sql", "NUL"]);
    project.remove("migrations/6_bytes.sql");
    project.script("007_a.sql", "SELECT 1;");
    project.script("7_b.sql", "SELECT 1;");
    project.unchanged(|| project.ends(2, ["apply"])).says(&["007_a.sql", "7_b.sql"]);
    project.remove("migrations/007_a.sql");
    project.remove("migrations/7_b.sql");
    project.script("8_only.down.sql", "SELECT 1;");
    project.unchanged(|| project.ends(2, ["apply"])).says(&["8_only.down.sql"]);
}

#[test]
fn a_script_cannot_reach_the_history_unseen() {
    let project = Project::with(&THREE);
    project.ok(["apply", "--to", "1"]);
    project.script(
        "2_books.up.sql",
        "UPDATE greffe_history SET version = 'x'; DROP TABLE IF EXISTS greffe_history;",
    );
    let run = project.run(["apply"]);
    assert_ne!(run.code, 0, "{run:#?}");
    assert_eq!(project.sql("SELECT group_concat(version) FROM greffe_history WHERE event = 'apply'"), "1");
}

#[test]
fn a_large_script_is_archived_whole() {
    let project = Project::new();
    let mut text = String::from("CREATE TABLE big (id INTEGER, note TEXT);\n");
    for id in 0..40_000 {
        text.push_str(&format!("INSERT INTO big VALUES ({id}, 'a note of some length');\n"));
    }
    assert!(text.len() > 2 << 20);
    project.script("1_big.sql", &text);
    project.ok(["apply"]);
    assert_eq!(project.ok(["show", "1", "--script"]).bytes, text.as_bytes());
    project.verify();
    project.ok(["export", "--out", "demo.car"]);
    project.ok(["verify", "demo.car"]);
}

#[test]
fn a_table_of_an_older_greffe_is_read_as_it_is_and_brought_up_to_date_by_the_next_run() {
    let project = Project::applied();
    let first = include_str!("../../migrations/history/sqlite/20261122000001_history.up.sql");
    project.sql(&format!(
        "ALTER TABLE greffe_history RENAME TO newer; {first}
         INSERT INTO greffe_history SELECT position, id, event, direction, state, version, started_at, finished_at,
             up_digests, down_digests,
             json_object('migration', json_object('name', name), 'schema', json_object('algorithm',
                 'greffe-sqlite-1', 'after', substr(schema_after, instr(schema_after, ' ') + 1))),
             files, up_script, down_script, seq, manifest, trust FROM newer;
         DROP TABLE newer; DELETE FROM greffe_migrations WHERE version = 20261122000002"
    ));
    project.unchanged(|| project.ok(["status"]));
    project.sql("CREATE TABLE by_hand (id)");
    project.ends(1, ["status"]).prints(&["the schema changed outside the archive"]);
    project.sql("DROP TABLE by_hand");
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2", "apply 3", "apply 4"]);
    project.verify();
}
