//! The list of erasures, done again after a restore.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use super::*;
use crate::servers::{LIMIT, Server, poll};

on_each!(erasures_are_done_again_after_a_restore, what_changed_since_the_backup_hides_nobody,);

/// All rows, to be brought back.
fn backup(case: &Case) -> Vec<u8> {
    if case.engine == Lite {
        fs::copy(case.project.path("app.db"), case.project.path("backup.db")).unwrap();
    }
    case.dump()
}

fn restore(case: &mut Case, before: &[u8]) {
    match case.engine {
        Lite => drop(fs::copy(case.project.path("backup.db"), case.project.path("app.db")).unwrap()),
        _ => {
            let server: &Server = if case.engine == Pg { Postgres::shared() } else { MariaDb::shared() };
            let restored = server.database("restored");
            restored.restore(before);
            case.database = Some(restored);
            case.connect();
        }
    }
}

/// What each entry of the list came to.
fn again(case: &Case, code: i32, more: &[&str]) -> Vec<String> {
    let run = case.project.ends(code, ["subject", "erase", "--replay", "--json"].iter().chain(more)).object();
    let erasures = run["erasures"].as_array().unwrap().iter();
    erasures.map(|erasure| erasure["found"].as_str().unwrap().to_owned()).collect()
}

const MEMBERS: &str = "
CREATE TABLE membre (id INTEGER PRIMARY KEY, courriel VARCHAR(120) NOT NULL UNIQUE, vu INTEGER NOT NULL);
";

const MEMBERS_MAP: &str = "
version: 1
person: membre.id
tables:
  membre:
    erase: anonymise
    columns:
      id:       {class: technical, export: true}
      courriel: {class: contact, export: true}
      vu:       {class: technical, export: true}
";

/// Nothing but a random value tells whether the person is erased, and what does not identify them is not looked at.
fn what_changed_since_the_backup_hides_nobody(engine: Engine) {
    let mut case = Case::new(engine, "members", MEMBERS, MEMBERS_MAP);
    case.sql("INSERT INTO membre VALUES (1, 'aline@unseen.fr', 1)");
    let before = backup(&case);
    case.sql("UPDATE membre SET vu = 2");
    let run = case.erase("1", "R-A");
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(again(&case, 0, &[]), ["gone"]);
    restore(&mut case, &before);
    case.sql(&format!(
        "ALTER TABLE {} ADD COLUMN plus INTEGER; UPDATE membre SET vu = 3",
        case.table("membre")
    ));
    let map = format!("{MEMBERS_MAP}      plus:     {{class: technical, export: true}}\n");
    case.project.write("greffe.subject.yaml", map);
    assert_eq!(again(&case, 0, &[]), ["erased"]);
    assert_eq!(case.sql("SELECT count(*) FROM membre WHERE courriel LIKE '%unseen%'"), "0");
    for _ in 0..2 {
        assert_eq!(again(&case, 0, &[]), ["gone"]);
    }
    assert!(!case.project.path("receipt-R-A-again-2.json").exists());
    case.sql("UPDATE membre SET courriel = 'zoe@unseen.fr'");
    assert_eq!(again(&case, 1, &[]), ["differs"]);
}

#[test]
fn a_replay_that_does_nothing_says_so() {
    let mut case = shop(Lite, "nothing");
    let replay = ["subject", "erase", "--replay"];
    case.project.ends(2, replay).says(&["there is no list of erasures", "--erasures"]);
    assert_eq!(case.erase("1", "R-A").code, 0);
    case.project.ends(2, replay.iter().chain(&["--erasures", "nowhere.age"])).says(&["nowhere.age"]);
    case.project.ends(2, replay.iter().chain(&["--request", "R-X"])).says(&["no entry of request R-X"]);
    case.project.variables.push(("GREFFE_DATABASE_NAME".to_owned(), "other".to_owned()));
    case.project.ends(2, replay).says(&["is of database other", "database.name"]);
}

#[test]
fn one_entry_keeps_no_other_from_being_done_again() {
    let mut case = shop(Lite, "entries");
    let before = backup(&case);
    assert_eq!(case.erase("1", "R-A").code, 0);
    // A new key: entries of the old one are told of, or read with it beside the new one.
    case.project.ok(["subject", "new-key", "--out", "new.key"]);
    case.project.variables.retain(|(name, _)| name != "GREFFE_ERASURE_KEY");
    case.project.variables.push(("GREFFE_ERASURE_KEY".to_owned(), "file:new.key".to_owned()));
    assert_eq!(case.erase("2", "R-B").code, 0);
    restore(&mut case, &before);
    case.sql(
        "CREATE TRIGGER refuse BEFORE UPDATE ON client WHEN OLD.id = 1 BEGIN SELECT RAISE(ABORT, 'unseen'); END",
    );
    let run = case.project.ends(1, ["subject", "erase", "--replay"]);
    run.prints(&["entry 1 of", "is of another key", "request R-B", "is erased again"]);
    let both = [case.project.read("new.key"), case.project.read("list.key")].concat();
    case.project.write("new.key", both);
    restore(&mut case, &before);
    case.sql(
        "CREATE TRIGGER refuse BEFORE UPDATE ON client WHEN OLD.id = 1 BEGIN SELECT RAISE(ABORT, 'unseen'); END",
    );
    assert_eq!(again(&case, 3, &[]), ["failed", "erased"]);
    case.sql("DROP TRIGGER refuse");
    assert_eq!(again(&case, 0, &[]), ["erased", "gone"]);
}

fn erasures_are_done_again_after_a_restore(engine: Engine) {
    let mut case = shop(engine, "restore");
    let before = backup(&case);
    let run = case.erase("1", "R-A");
    assert_eq!(run.code, 0, "{run:#?}");
    let again = |case: &Case, code: i32| {
        let run = case.project.ends(code, ["subject", "erase", "--replay", "--json"]);
        run.object()["erasures"][0]["found"].as_str().unwrap().to_owned()
    };
    let erased = case.dump();
    assert_eq!(again(&case, 0), "gone");
    assert!(case.dump() == erased);
    restore(&mut case, &before);
    assert_eq!(case.sql("SELECT count(*) FROM client WHERE nom = 'Aline unseen'"), "1");
    // With the recipient alone nothing can be read.
    let key = String::from_utf8(case.project.read("list.key")).unwrap();
    let recipient = key.lines().next().unwrap().rsplit(' ').next().unwrap();
    case.project.write("recipient.txt", recipient);
    case.project.ends(2, ["subject", "erase", "--replay", "--erasure-key", "file:recipient.txt"]);
    assert_eq!(again(&case, 0), "erased");
    assert_eq!(case.sql("SELECT count(*) FROM client WHERE nom = 'Aline unseen'"), "0");
    let told = case.project.json(&["subject", "receipt", "receipt-R-A-again.json"]);
    assert_eq!((&told["receipt"]["again"], &told["receipt"]["outcome"]), (&json!(true), &json!("done")));
    assert_eq!(again(&case, 0), "gone");
    // The key is somebody else's by now.
    case.sql("UPDATE client SET nom = 'Zoé unseen', is_rgpd_deleted = FALSE WHERE id = 1");
    assert_eq!(again(&case, 1), "differs");
    assert_eq!(case.sql("SELECT nom FROM client WHERE id = 1"), "Zoé unseen");
    case.project.ends(2, ["subject", "erase", "--replay", "--also-different"]).says(&["--request"]);
    case.project.ok(["subject", "erase", "--replay", "--request", "R-A", "--also-different"]);
    assert_eq!(case.sql("SELECT nom FROM client WHERE id = 1"), "anonyme");
}

/// A reader keeps SQLite from committing; the program is killed while it waits, after the list has its entry.
#[test]
fn a_crash_between_list_and_commit_loses_nothing() {
    let case = shop(Lite, "crash");
    let list = case.project.path("greffe.erasures.age");
    let mut reader = tool("sqlite3").arg(case.project.path("app.db")).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = reader.stdin.take().unwrap();
    stdin.write_all(b"BEGIN; SELECT count(*) FROM client;\n").unwrap();
    stdin.flush().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let arguments = ["subject", "erase", "1", "--request", "R-A", "--basis", "art17.1.a", "--apply"];
    let mut child = case.project.command(arguments).spawn().unwrap();
    assert!(poll(LIMIT, || fs::metadata(&list).is_ok_and(|list| list.len() > 100)), "no entry was made");
    child.kill().unwrap();
    child.wait().unwrap();
    stdin.write_all(b"COMMIT;\n.quit\n").unwrap();
    drop(stdin);
    reader.wait().unwrap();
    assert_eq!(case.sql("SELECT nom FROM client WHERE id = 1"), "Aline unseen");
    let run = case.project.ok(["subject", "erase", "--replay", "--json"]);
    assert_eq!(run.object()["erasures"][0]["found"], "erased");
    assert_eq!(case.sql("SELECT nom FROM client WHERE id = 1"), "anonyme");
    case.project.ok(["subject", "receipt", "receipt-R-A-again.json"]);
}
