//! Erasures say what is so: what they did not reach, what was there again, and what somebody else may still open.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::project::{Project, THREE};
use crate::replicas::settings;

const TERMS: [&str; 4] = ["--basis", "art17.1.a", "--request", "R-1"];

/// Three migrations, of which nothing is in clear.
fn sealed() -> Project {
    let project = Project::with(&THREE).publishing("sealed");
    project.ok(["apply"]);
    project
}

fn erase<'a>(what: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["erase"], what, &TERMS, more].concat()
}

fn states(project: &Project) -> Value {
    project.json(&["verify", &project.head(), "--open"])["sealedStates"].clone()
}

fn actor(project: &Project) -> String {
    project.json(&["show", "0"])["event"]["actor"]["pseudonym"].as_str().unwrap().to_owned()
}

fn sql(project: &Project, query: &str) -> String {
    project.sql_of(&project.path("greffe.vault.db"), query)
}

#[test]
fn a_key_that_comes_back_is_found_and_destroyed_again() {
    let project = sealed();
    let old = project.read("greffe.vault.db");
    project.ok(erase(&["--event", "3"], &[]));
    project.write("greffe.vault.db", old);
    let report = project.ends(1, ["verify", &project.head(), "--open", "--json"]).object();
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["code"] == "erased-but-opens"), "{report:#}");
    assert_eq!((findings.len(), &report["established"]["intact"]), (2, &json!(true)));
    project.ends(1, ["verify", &project.head(), "--open"]).prints(&["run `greffe erase`"]);
    let again = project.json(&erase(&["--event", "3"], &[]));
    assert_eq!((&again["seq"], &again["again"], &again["before"]), (&Value::Null, &json!(2), &json!(2)));
    let states = states(&project);
    assert_eq!((&states["open"], &states["erased"]), (&json!(4), &json!(2)));
}

#[test]
fn what_the_vault_does_not_know_is_not_erased() {
    let project = sealed();
    project.ok(["vault", "init", "--vault", "sqlite:other.db"]);
    let other = ["--vault", "sqlite:other.db"];
    let head = project.head();
    let run = project.ends(1, erase(&["--event", "3"], &other));
    run.prints(&[
        "entry 3: 2 file(s) whose key this vault does not know",
        "--vault URL",
        "--lost",
        "partial: no-key",
    ]);
    assert_eq!(project.head(), head);
    let found =
        project.ends(1, erase(&["--actor", &actor(&project)], &[&other[..], &["--json"]].concat())).object();
    assert_eq!(
        (&found["partial"], &found["left"], found["files"].as_array().unwrap().len()),
        (&json!(true), &json!(["no-key"]), 6)
    );
    // One of two rows is missing.
    sql(&project, "DELETE FROM vault_content_key WHERE rowid = (SELECT max(rowid) FROM vault_content_key)");
    let run = project.ends(1, erase(&["--event", "3"], &["--json"])).object();
    assert_eq!((run["erased"].as_array().unwrap().len(), &run["left"]), (1, &json!(["no-key"])), "{run:#}");
    assert_eq!(project.json(&["show", "4"])["event"]["left"], json!(["no-key"]));
    project.ends(1, ["verify", &project.head(), "--open"]).prints(&["lost"]);
    project.ok(erase(&["--event", "3"], &["--lost"])).prints(&["erased 1 sealed file(s) as entry 5"]);
    assert!(project.json(&["show", "5"])["event"].get("left").is_none());
    assert_eq!(states(&project)["erased"], 2);
    project.verify();
}

#[test]
fn what_is_in_clear_is_told_and_not_erased() {
    let project = Project::applied();
    let run = project.ends(1, erase(&["--event", "2"], &[]));
    run.prints(&["entry 2: 2 file(s) in clear", "publish = \"sealed\"", "partial: in-clear"]);
    let run = project.ends(1, erase(&["--actor", &actor(&project)], &["--json"])).object();
    assert_eq!((&run["seq"], &run["left"]), (&json!(4), &json!(["in-clear"])));
    project.verify();
}

#[test]
fn a_hold_on_everything_holds_who_it_was_and_who_is_forgotten_is_signed_for() {
    let project = Project::new();
    let person = actor(&project);
    project.fed(["vault", "person", &person], "Zephyrine\n");
    project.ok(["vault", "hold", "all", "--reason", "lawsuit"]);
    let run = project.ends(1, erase(&["--actor", &person], &["--json"])).object();
    assert_eq!(
        (&run["held"][0]["hold"], &run["left"], &run["seq"]),
        (&json!("all"), &json!(["held"]), &Value::Null)
    );
    project.ok(["vault", "person", &person, "--show"]).prints(&["Zephyrine"]);
    project.ok(["vault", "release", "all"]);
    project.ok(erase(&["--actor", &person], &[])).prints(&["signed as entry 1", "who it was is forgotten"]);
    project.ok(["vault", "person", &person, "--show"]).prints(&["erased"]);
    assert_eq!(project.story(), ["genesis", "erase"]);
    project.verify();
    // There is nothing left to say.
    project.ok(erase(&["--actor", &person], &[])).prints(&["nothing to erase"]);
}

#[test]
fn the_same_script_elsewhere_is_told() {
    let project = sealed();
    project.ok(["rollback", "--steps", "1"]);
    project.ok(["apply"]);
    let run = project.ends(1, erase(&["--event", "3"], &[]));
    let command = format!("run `greffe {}`", erase(&["--event", "5"], &[]).join(" "));
    run.prints(&[
        "erased 2 sealed file(s)",
        "entry 4 has a script of the same migration",
        &command,
        "partial: elsewhere",
    ]);
    project.ends(1, erase(&["--event", "4"], &[]));
    project.ok(erase(&["--event", "5"], &[]));
    project.ok(erase(&["--event", "3"], &[])).prints(&["2 file(s) were erased before"]);
    project.verify();
}

#[test]
fn a_grant_that_stands_is_told() {
    let project = sealed();
    let recipient = project.json(&["vault", "show"])["recipient"].as_str().unwrap().to_owned();
    let grant = |entries: &str, out: &str| {
        let terms = ["--purpose", "audit 2026", "--until", "2099-01-01"];
        project.ok([&["grant", "--to", &recipient, "--events", entries, "--out", out], &terms[..]].concat());
    };
    grant("2..3", "grant.age");
    project.ok(erase(&["--event", "1"], &[]));
    let run = project.ends(1, erase(&["--event", "3"], &[]));
    run.prints(&["granted      demo-access entry 1", "partial: granted"]);
    let places = json!([{"place": "demo-access entry 1", "outcome": "granted"}]);
    assert_eq!(project.json(&["show", "5"])["event"]["places"], places);
    // Asked again, it still is.
    project.ends(1, erase(&["--event", "3"], &[])).prints(&["2 file(s) were erased before"]);
    project.verify();
}

#[test]
fn what_has_to_be_kept_is_held() {
    let project = sealed();
    let minimum = ["--vault-minimum", "1y"];
    let run = project.unchanged(|| project.ends(2, erase(&["--event", "3"], &minimum)));
    run.says(&["entry 3 has to be kept until 20", "vault.minimum", "run it again from 20"]);
    project.fed(["vault", "person", &actor(&project)], "Zephyrine\n");
    let run = project.ends(1, erase(&["--actor", &actor(&project)], &minimum));
    run.prints(&["entry 1 has to be kept until 20", "partial: kept"]);
    project.ok(["vault", "person", &actor(&project), "--show"]).prints(&["Zephyrine"]);
    assert_eq!(states(&project)["open"], 6);
    project.ok(erase(&["--event", "3"], &[]));
}

/// Moves what was sealed in this month to another one.
fn move_month(project: &Project, month: &str) {
    let which = "period NOT LIKE '2020-%'";
    sql(
        project,
        &format!(
            "PRAGMA foreign_keys = 0; UPDATE vault_period SET period = '{month}' WHERE {which}; \
             UPDATE vault_batch SET period = '{month}' WHERE {which}"
        ),
    );
}

#[test]
fn a_hold_keeps_the_key_of_its_month_and_of_no_other() {
    let project = Project::with(&THREE).publishing("sealed");
    project.ok(["apply", "--to", "2"]);
    move_month(&project, "2020-01");
    project.ok(["apply"]);
    move_month(&project, "2020-02");
    project.ok(["vault", "hold", "case", "--event", "3", "--reason", "lawsuit"]);
    let run = project.ends(1, ["retention", "run", "--vault-retention", "1y"]);
    run.prints(&["erased 4 sealed file(s) as entry 4", "kept by the hold case", "partial: held"]);
    assert_eq!(project.json(&["show", "4"])["event"]["left"], json!(["held"]));
    assert_eq!(sql(&project, "SELECT period FROM vault_period WHERE identity IS NULL"), "2020-01");
    let found = states(&project);
    assert_eq!((&found["open"], &found["erased"]), (&json!(2), &json!(4)));
    project.ok(["vault", "release", "case"]);
    project
        .ok(["retention", "run", "--vault-retention", "1y"])
        .prints(&["erased 2 sealed file(s) as entry 5"]);
    assert_eq!(sql(&project, "SELECT count(*) FROM vault_period WHERE identity IS NULL"), "2");
}

#[test]
fn a_basis_is_an_article_and_a_reference_no_name() {
    let project = sealed();
    for (basis, reference, says) in [
        ("artichoke", "R-1", "art17.1.a"),
        ("retention", "R-1", "art17.1.a"),
        ("art17.1.a", "Jean-Dupont", "R-2026-0042"),
        ("art17.1.a", "R-Dupont-1", "R-2026-0042"),
    ] {
        let arguments = ["erase", "--event", "3", "--basis", basis, "--request", reference];
        project.unchanged(|| project.ends(2, arguments)).says(&[says]);
    }
}

#[test]
fn replicas_are_asked_while_others_may_write() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let project = sealed();
    let url = format!("kubo:http://{}", silent.local_addr().unwrap());
    settings(&project, &format!("\n[[replica]]\nname = \"silent\"\nurl = \"{url}\"\npublic = false\n"));
    let arguments = erase(&["--event", "3"], &["--replication-deadline", "5s"]);
    let mut child = project.command(arguments).spawn().unwrap();
    let _connection = silent.accept().unwrap();
    project.ok(["compact", "--lock-wait", "0s"]);
    assert!(child.try_wait().unwrap().is_none());
    let run = project.judge(child.wait_with_output().unwrap());
    assert_eq!(run.code, 4, "{run:#?}");
    run.prints(&["erased 2 sealed file(s) as entry 4", "unreachable  silent"]);
}

/// What waited to be archived is in greffe's own table for a moment, and in no page of the file afterwards.
#[test]
fn what_is_archived_leaves_no_trace_in_the_database() {
    let comment = "kanari-in-a-comment-of-which-nothing-stays".repeat(200);
    let project = Project::with(&THREE).publishing("sealed");
    project.script("4_more.up.sql", format!("-- {comment}\nCREATE TABLE more (id INTEGER);"));
    project.script("4_more.down.sql", format!("-- {comment}\nDROP TABLE more;"));
    project.ok(["apply"]);
    let database = project.read("app.db");
    assert!(!database.windows(20).any(|window| window == &comment.as_bytes()[..20]));
}
