//! `audit` compares archive, folder and database pair by pair; what was planted is found, and nothing else.

use serde_json::{Value, json};

use crate::project::{Project, THREE};

const FOLDER: [&str; 2] = ["archive", "folder"];
const DATABASE: [&str; 2] = ["archive", "database"];

/// Findings of an audit that has some; it changes nothing and says what to do about each.
fn findings(project: &Project) -> Vec<Value> {
    let found = project.only_recorded(|| project.ends(1, ["audit", "--json"])).object();
    let shown = project.ends(1, ["audit"]);
    let findings = found["findings"].as_array().unwrap().clone();
    assert_eq!(shown.stdout.matches("  hint: ").count(), findings.len(), "{shown:#?}");
    assert_eq!(shown.stdout.matches(" differ: ").count(), findings.len(), "{shown:#?}");
    findings
}

/// The one finding of an audit, which has to be of this kind.
fn only(project: &Project, between: [&str; 2], code: &str) -> Value {
    let findings = findings(project);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!((&findings[0]["code"], &findings[0]["between"]), (&json!(code), &json!(between)));
    findings[0].clone()
}

fn codes(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[test]
fn without_a_difference_nothing_is_found() {
    for project in [Project::applied(), Project::with(&THREE), Project::new()] {
        let found = project.only_recorded(|| project.json(&["audit"]));
        assert_eq!(found["findings"], json!([]));
        project.ok(["audit"]).prints(&["no difference"]);
    }
    let project = Project::applied();
    project.sql("INSERT INTO authors (name) VALUES ('Grace'); ANALYZE;");
    project.ok(["rollback", "--steps", "2"]);
    project.ok(["apply"]);
    project.sql("DELETE FROM authors");
    project.ok(["repair", "3", "--rolled-back"]);
    project.script("4_fails.sql", "CREATE TABLE more (id); INSERT INTO nowhere VALUES (1);");
    project.ends(3, ["apply"]);
    let found = project.only_recorded(|| project.json(&["audit"]));
    assert_eq!((&found["findings"], &found["pending"]), (&json!([]), &json!(["4"])), "{found:#}");
}

#[test]
fn an_edited_script() {
    let project = Project::applied();
    project.script("2_books.up.sql", THREE[2].1.replace("author INTEGER", "author TEXT"));
    let finding = only(&project, FOLDER, "edited");
    assert_eq!((&finding["version"], &finding["seq"]), (&json!("2"), &json!(2)));
    assert_eq!((&finding["file"], &finding["difference"]), (&json!("2_books.up.sql"), &json!("edited")));
    project.ends(1, ["audit"]).prints(&["its SQL changed", "sha256:", "greffe show 2 --script"]);
}

#[test]
fn a_script_with_other_comments() {
    let project = Project::applied();
    project.script("2_books.up.sql", THREE[2].1.replace("keeps the books", "keeps books").replace(' ', "  "));
    let finding = only(&project, FOLDER, "comments");
    assert_eq!((&finding["version"], &finding["seq"]), (&json!("2"), &json!(2)));
    project.ends(1, ["audit"]).prints(&["only in comments or white space", "its SQL is the same"]);
}

#[test]
fn a_script_with_other_line_ends() {
    let project = Project::applied();
    project.script("2_books.up.sql", THREE[2].1.replace('\n', "\r\n"));
    let finding = only(&project, FOLDER, "cosmetic");
    assert_eq!(finding["difference"], "cosmetic");
}

#[test]
fn an_edited_way_down() {
    let project = Project::applied();
    project.script("3_seed.down.sql", "DELETE FROM books;\n");
    let finding = only(&project, FOLDER, "down-edited");
    assert_eq!((&finding["version"], &finding["seq"]), (&json!("3"), &json!(3)));
    assert_eq!(finding["difference"], "edited");
    project.script("3_seed.down.sql", "DELETE FROM authors; -- all of them\n");
    assert_eq!(only(&project, FOLDER, "down-edited")["difference"], "comments");
}

#[test]
fn a_missing_script() {
    let project = Project::applied();
    project.remove("migrations/2_books.up.sql");
    project.remove("migrations/2_books.down.sql");
    let finding = only(&project, FOLDER, "missing");
    assert_eq!((&finding["version"], &finding["seq"]), (&json!("2"), &json!(2)));
}

#[test]
fn an_extra_script_is_told_and_an_old_one_is_found() {
    let project = Project::applied();
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.only_recorded(|| project.ok(["audit"])).prints(&["pending: 4", "no difference"]);
    project.script("0_early.sql", "CREATE TABLE early (id);");
    let finding = only(&project, ["folder", "database"], "out-of-order");
    assert_eq!((&finding["version"], &finding["newest"]), (&json!("0"), &json!("3")));
    project.ok(["audit", "--allow-out-of-order"]);
}

#[test]
fn a_script_that_was_applied_out_of_order() {
    let project = Project::applied();
    project.script("0_early.sql", "CREATE TABLE early (id);");
    project.ok(["apply", "--allow-out-of-order"]);
    let finding = only(&project, FOLDER, "reordered");
    assert_eq!((&finding["version"], &finding["seq"]), (&json!("0"), &json!(4)));
    assert_eq!(finding["newest"], "3");
    project.ok(["audit", "--allow-out-of-order"]);
}

#[test]
fn a_schema_that_was_changed_by_hand() {
    for change in ["CREATE TABLE by_hand (id)", "DROP INDEX books_author", "ALTER TABLE books ADD COLUMN x"] {
        let project = Project::applied();
        project.sql(change);
        let finding = only(&project, DATABASE, "drifted");
        assert_ne!(finding["expected"], finding["found"]);
        project.ends(1, ["audit"]).prints(&["recorded: sha256:", "greffe audit --record"]);
    }
}

#[test]
fn a_database_that_does_not_exist() {
    let project = Project::applied();
    project.remove("app.db");
    project.script("1_authors.up.sql", "SELECT 1;");
    let found = findings(&project);
    assert_eq!(codes(&found), ["history-behind", "edited"]);
    assert_eq!((&found[0]["first"], &found[0]["last"]), (&json!(1), &json!(3)));
    project.ends(1, ["audit"]).prints(&["there is no database yet", "greffe repair --restored"]);
    project.only_recorded(|| project.ends(1, ["audit", "--record"])).prints(&["nothing to record"]);
}

#[test]
fn an_archive_that_does_not_exist() {
    let project = Project::applied();
    std::fs::remove_dir_all(project.path("archive")).unwrap();
    let finding = only(&project, DATABASE, "not-in-archive");
    assert_eq!((&finding["seq"], &finding["found"]), (&json!(3), &Value::Null));
    project.ends(1, ["audit"]).prints(&["no archive yet", "greffe import"]);
    project.script("1_authors.up.sql", "SELECT 1;");
    let found = findings(&project);
    assert_eq!(codes(&found), ["not-in-archive", "edited"]);
    assert_eq!(found[1]["between"], json!(["folder", "database"]));
    let fresh = Project::with(&THREE);
    std::fs::remove_dir_all(fresh.path("archive")).unwrap();
    fresh.unchanged(|| fresh.ok(["audit"])).prints(&["no archive yet", "there is no database yet"]);
}

#[test]
fn an_archive_that_is_older_than_the_history() {
    let project = Project::applied();
    let older = project.copy();
    project.ok(["rollback", "--steps", "1"]);
    for name in ["car", "head"] {
        project.write(&format!("archive/demo.{name}"), older.read(&format!("archive/demo.{name}")));
    }
    let found = findings(&project);
    assert_eq!(codes(&found), ["not-in-archive", "applied-differs"]);
    assert_eq!((&found[0]["seq"], &found[1]["archive"]), (&json!(4), &json!(true)));
    let run = project.unchanged(|| project.ends(1, ["repair", "--restored"]));
    run.says(&["the database knows 5 entries", "only 4", "greffe import"]);
}

#[test]
fn events_that_wait_to_be_archived_are_told() {
    let project = Project::applied();
    let older = project.copy();
    project.ok(["rollback", "--steps", "1"]);
    // As a crash leaves it: the archive has the event, the row does not know where.
    project.sql("UPDATE greffe_history SET seq = NULL, manifest = NULL WHERE position = 4");
    project.only_recorded(|| project.ok(["audit"])).prints(&["1 event(s) wait"]);
    // The same, before the archive had it.
    for name in ["car", "head"] {
        project.write(&format!("archive/demo.{name}"), older.read(&format!("archive/demo.{name}")));
    }
    project.only_recorded(|| project.ok(["audit"])).prints(&["1 event(s) wait"]);
}

#[test]
fn a_migration_that_is_half_applied() {
    let project = Project::with(&THREE);
    project
        .script("4_half.sql", "-- no-transaction\nCREATE TABLE half (id);\nINSERT INTO nowhere VALUES (1);");
    project.ends(3, ["apply"]);
    let finding = only(&project, ["folder", "database"], "half-applied");
    assert_eq!(finding["version"], "4");
}

/// One change of the history by hand, and the codes of what an audit finds.
fn history_edited(change: &str, expected: &[&str]) -> Vec<Value> {
    let project = Project::applied();
    project.sql(change);
    let found = findings(&project);
    assert_eq!(codes(&found), expected, "{change}: {found:#?}");
    assert!(found.iter().all(|finding| finding["between"] == json!(DATABASE)), "{found:#?}");
    found
}

#[test]
fn a_version_that_was_changed_in_the_history() {
    let change = "UPDATE greffe_history SET version = '9' WHERE position = 3";
    let project = Project::applied();
    project.sql(change);
    let found = findings(&project);
    assert_eq!(codes(&found), ["row-differs", "applied-differs", "applied-differs", "missing"]);
    assert_eq!((&found[0]["member"], &found[0]["position"]), (&json!("version"), &json!(3)));
    assert_eq!((&found[0]["history"], &found[0]["archive"]), (&json!("9"), &json!("3")));
}

#[test]
fn an_event_that_was_changed_in_the_history() {
    let found = history_edited(
        "UPDATE greffe_history SET event = 'rollback', direction = 'down' WHERE position = 3",
        &["row-differs", "row-differs", "applied-differs"],
    );
    assert_eq!((&found[0]["member"], &found[1]["member"]), (&json!("event"), &json!("direction")));
    assert_eq!((&found[2]["version"], &found[2]["archive"]), (&json!("3"), &json!(true)));
}

#[test]
fn an_id_a_name_a_state_and_times_that_were_changed_in_the_history() {
    for (member, change) in [
        ("id", "id = substr(id, 1, 35) || iif(substr(id, 36) = 'a', 'b', 'a')"),
        ("name", "name = 'other'"),
        ("started_at", "started_at = '2020-01-01T00:00:00.000000Z'"),
        ("finished_at", "finished_at = '2040-01-01T00:00:00.000000Z'"),
        ("schema_after", "schema_after = NULL"),
    ] {
        let change = format!("UPDATE greffe_history SET {change} WHERE position = 3");
        let found = history_edited(&change, &["row-differs"]);
        assert_eq!((&found[0]["member"], &found[0]["seq"]), (&json!(member), &json!(3)));
    }
}

#[test]
fn a_digest_that_was_changed_in_the_history() {
    let project = Project::applied();
    project.sql(
        "UPDATE greffe_history SET up_digests = (SELECT up_digests FROM greffe_history WHERE position = 1) \
         WHERE position = 3",
    );
    let found = findings(&project);
    assert_eq!(codes(&found), ["row-differs", "not-as-recorded"]);
    assert_eq!(found[0]["member"], "up_digests");
    assert_eq!((&found[1]["file"], &found[1]["position"]), (&json!("3_seed.up.sql"), &json!(3)));
}

#[test]
fn a_place_that_was_changed_in_the_history() {
    let found = history_edited("UPDATE greffe_history SET seq = 99 WHERE position = 3", &["not-in-archive"]);
    assert_eq!((&found[0]["seq"], &found[0]["found"]), (&json!(99), &Value::Null));
    let found = history_edited("UPDATE greffe_history SET seq = 2 WHERE position = 3", &["not-in-archive"]);
    assert!(found[0]["found"].is_string());
    let other = "manifest = (SELECT manifest FROM greffe_history WHERE position = 1)";
    history_edited(&format!("UPDATE greffe_history SET {other} WHERE position = 3"), &["not-in-archive"]);
    let place = "UPDATE greffe_history SET seq = NULL, manifest = NULL WHERE position = 2";
    let found = history_edited(place, &["row-differs"]);
    assert_eq!((&found[0]["member"], &found[0]["archive"]), (&json!("seq"), &json!("2")));
}

#[test]
fn a_row_that_was_removed_from_the_history() {
    let removed = "DELETE FROM greffe_history WHERE position = 2";
    let found = history_edited(removed, &["position-gap", "no-row", "applied-differs"]);
    assert_eq!((&found[0]["expected"], &found[0]["found"]), (&json!(2), &json!(3)));
    assert_eq!((&found[1]["seq"], &found[1]["event"]), (&json!(2), &json!("apply")));
    let renumbered = format!("{removed}; UPDATE greffe_history SET position = 2 WHERE position = 3");
    history_edited(&renumbered, &["no-row", "applied-differs"]);
    let newest = "DELETE FROM greffe_history WHERE position = 3";
    let found = history_edited(newest, &["history-behind", "applied-differs"]);
    assert_eq!((&found[0]["first"], &found[0]["last"]), (&json!(3), &json!(3)));
    let all = ["history-behind", "applied-differs", "applied-differs", "applied-differs"];
    history_edited("DELETE FROM greffe_history", &all);
    history_edited("DROP TABLE greffe_history", &all);
}

/// Whatever stands in the column, what else there is to find is found.
#[test]
fn a_row_that_is_damaged_is_a_finding_beside_the_others() {
    for (column, value) in [
        ("started_at", "'yesterday'"),
        ("id", "'x'"),
        ("up_digests", "'{'"),
        ("schema_after", "'greffe-sqlite-1 x'"),
        ("manifest", "'b'"),
        ("manifest", "NULL"),
    ] {
        for position in 1..=3 {
            let edit = format!("UPDATE greffe_history SET {column} = {value} WHERE position = {position}");
            let found = history_edited(&edit, &["row-damaged"]);
            assert_eq!(found[0]["position"], json!(position), "{edit}");
        }
    }
    let found = history_edited(
        "UPDATE greffe_history SET trust = '' WHERE position < 3; UPDATE greffe_history SET name = 'x' WHERE position = 3; \
         DROP TABLE books;",
        &["row-damaged", "row-damaged", "row-differs", "drifted"],
    );
    assert_eq!(found[2]["position"], json!(3));
    let project = Project::applied();
    project.sql("UPDATE greffe_history SET started_at = 'yesterday' WHERE position = 2");
    project.ends(3, ["status"]).says(&["row 2 of the history", "greffe audit"]);
    project.ends(1, ["audit"]).prints(&["row 2 of the history", "hint:", "1 difference"]);
}

#[test]
fn what_is_kept_of_a_row_until_it_is_archived_may_be_damaged() {
    let project = Project::applied();
    project.sql(
        "UPDATE greffe_history SET seq = NULL, manifest = NULL, trust = NULL, record = '{' WHERE position = 3",
    );
    let found = findings(&project);
    assert_eq!(codes(&found), ["row-damaged"], "{found:#?}");
}

#[test]
fn a_row_that_was_doubled_in_the_history() {
    let columns = "event, direction, state, version, name, started_at, finished_at, up_digests, down_digests, \
                   schema_after, seq, manifest, trust";
    let found = history_edited(
        &format!(
            "INSERT INTO greffe_history (position, id, {columns}) SELECT 4, \
             substr(id, 1, 35) || iif(substr(id, 36) = 'a', 'b', 'a'), {columns} FROM greffe_history WHERE position = 3"
        ),
        &["row-twice", "row-differs"],
    );
    assert_eq!((&found[0]["position"], &found[0]["first"]), (&json!(4), &json!(3)));
}

#[test]
fn a_row_that_was_added_to_the_history() {
    let project = Project::applied();
    project.script("4_more.sql", "CREATE TABLE more (id);");
    let other = project.copy();
    other.ok(["apply"]);
    let columns = "id, event, direction, state, version, name, started_at, finished_at, up_digests, down_digests, \
                   schema_after, seq, manifest, trust";
    project.sql(&format!(
        "ATTACH '{}' AS other; INSERT INTO greffe_history (position, {columns}) SELECT position, {columns} \
         FROM other.greffe_history WHERE position = 4;",
        other.path("app.db").display()
    ));
    let found = findings(&project);
    assert_eq!(codes(&found), ["not-in-archive", "applied-differs"], "{found:#?}");
    assert_eq!((&found[1]["version"], &found[1]["archive"]), (&json!("4"), &json!(false)));
}

#[test]
fn rows_that_were_swapped_in_the_history() {
    let found = history_edited(
        "UPDATE greffe_history SET position = 9 WHERE position = 1; \
         UPDATE greffe_history SET position = 1 WHERE position = 2; \
         UPDATE greffe_history SET position = 2 WHERE position = 9;",
        &["row-reordered"],
    );
    assert_eq!(
        (&found[0]["position"], &found[0]["seq"], &found[0]["newest"]),
        (&json!(2), &json!(1), &json!(2))
    );
}

#[test]
fn a_drift_is_recorded_once_and_then_no_longer_found() {
    let project = Project::applied();
    project.sql("CREATE TABLE by_hand (id)");
    let signed = project.log()[3]["schema"]["after"].clone();
    let found = project.json(&["audit", "--record"]);
    assert_eq!(found["findings"], json!([]));
    assert_eq!((&found["recorded"][0]["event"], &found["recorded"][0]["seq"]), (&json!("drift"), &json!(4)));
    let event = project.log()[4].clone();
    assert_eq!((&event["event"], &event["schema"]["before"]), (&json!("drift"), &signed));
    project.unchanged(|| project.ok(["status"]));
    project.only_recorded(|| project.ok(["audit"]));
    project.verify();
    project
        .only_recorded(|| project.ok(["audit", "--record"]))
        .prints(&["nothing to record", "no difference"]);
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    assert_eq!(project.story()[4..], ["drift", "apply 4"]);
    project.ok(["audit"]);
    project.verify();
}

#[test]
fn without_a_drift_and_with_other_findings_nothing_is_recorded() {
    let project = Project::applied();
    project.script("1_authors.up.sql", "SELECT 1;");
    let run = project.only_recorded(|| project.ends(1, ["audit", "--record"]));
    run.prints(&["nothing to record", "1_authors.up.sql"]);
    // Where history and archive do not belong together, nothing is appended.
    project.sql("DELETE FROM greffe_history WHERE position = 3; CREATE TABLE by_hand (id);");
    let archive = project.read("archive/demo.car");
    project.ends(1, ["audit", "--record"]).says(&["the database does not know", "hint:"]);
    assert_eq!(project.read("archive/demo.car"), archive);
}

#[test]
fn a_drift_that_was_declared_and_not_archived_is_archived_once() {
    let project = Project::applied();
    project.sql("CREATE TABLE by_hand (id)");
    let before = project.copy();
    project.ok(["audit", "--record"]);
    // As a crash between the two leaves it: the event is in the archive, its row does not know where.
    project.sql("UPDATE greffe_history SET seq = NULL, manifest = NULL WHERE position = 4");
    project.ok(["audit", "--record"]);
    assert_eq!(project.story()[4..], ["drift"]);
    project.verify();
    assert_eq!(before.story().len(), 4);
}

/// What stands among greffe's own tables, or bears a name of SQLite's own: no fingerprint shows it.
#[test]
fn what_no_fingerprint_shows() {
    let hide = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET ";
    for (plant, kind, name) in [
        (
            "CREATE TRIGGER evil AFTER INSERT ON greffe_history BEGIN DELETE FROM authors; END",
            "trigger",
            "evil",
        ),
        ("CREATE INDEX evil ON greffe_migrations (version)", "index", "evil"),
        ("ALTER TABLE greffe_history ADD COLUMN evil TEXT", "table", "greffe_history"),
        (
            &format!(
                "CREATE TABLE evil (id); {hide} name = 'sqlite_evil', tbl_name = 'sqlite_evil', \
                 sql = 'CREATE TABLE sqlite_evil(id)' WHERE name = 'evil'"
            ),
            "table",
            "sqlite_evil",
        ),
        (
            &format!(
                "CREATE TRIGGER evil AFTER INSERT ON books BEGIN DELETE FROM authors; END; {hide} \
                 name = 'SQLITE_evil', sql = replace(sql, 'evil', 'SQLITE_evil') WHERE name = 'evil'"
            ),
            "trigger",
            "SQLITE_evil",
        ),
        (
            &format!(
                "CREATE TABLE evil (id, name, seq); {hide} name = 'sqlite_stat1', tbl_name = 'sqlite_stat1', \
                 sql = 'CREATE TABLE sqlite_stat1(tbl,idx,stat,evil)' WHERE name = 'evil'"
            ),
            "table",
            "sqlite_stat1",
        ),
    ] {
        let project = Project::applied();
        project.sql(plant);
        let finding = only(&project, DATABASE, "own-object");
        assert_eq!((&finding["kind"], &finding["name"]), (&json!(kind), &json!(name)), "{plant}");
        assert_eq!(finding["expected"].is_string(), name == "greffe_history", "{finding:#}");
        project.ends(1, ["audit"]).prints(&["no fingerprint shows it", "+ [", "evil"]);
    }
}

#[test]
fn what_sqlite_and_every_greffe_make_is_found_as_it_should_be() {
    let project = Project::applied();
    project.sql(
        "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, word TEXT UNIQUE); \
         INSERT INTO counted (word) VALUES ('a'); ANALYZE;",
    );
    project.ok(["audit", "--record"]);
    project.ok(["audit"]).prints(&["no difference"]);
    // The table as the first greffe made it.
    let older = Project::new();
    let first = include_str!("../../migrations/history/sqlite/20261122000001_history.up.sql");
    older.sql(&format!("\n{first}"));
    let finding = only(&older, DATABASE, "own-object");
    assert_eq!((&finding["name"], &finding["found"]), (&json!("greffe_migrations"), &Value::Null));
}

#[test]
fn a_long_history_is_compared_in_a_moment() {
    let project = Project::new();
    for version in 1..=2000 {
        project.script(&format!("{version}_t.sql"), format!("CREATE TABLE t{version} (id);"));
    }
    project.ok(["apply", "--fingerprint", "false"]);
    project.ok(["audit"]);
    project.sql("UPDATE greffe_history SET version = version || '9' WHERE position % 2 = 0");
    let found = findings(&project);
    assert_eq!(codes(&found).iter().filter(|code| **code == "row-differs").count(), 1000);
}
