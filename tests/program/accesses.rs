//! The access chain: every command that opens sealed content says so, also when it fails, and no other command opens any.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::project::{Project, THREE};

/// An owner's identity that opens no vault of these tests.
const STRANGER: &str = "AGE-SECRET-KEY-1VYS8XARJV9HXWETJYAEJQ6TYV4H8G6T50YKZQMMXYP6X2UM5WVSSR095NV";

/// Commands that open nothing sealed.
const OPEN_NOTHING: [&str; 42] = [
    "guard",
    "report",
    "watch",
    "quickstart",
    "init",
    "approve",
    "record",
    "baseline",
    "capture",
    "log",
    "head",
    "verify-fork",
    "lint",
    "hooks",
    "policy",
    "scan",
    "subject",
    "evidence",
    "verify-evidence",
    "proof",
    "prove-absent",
    "export",
    "import",
    "compact",
    "timestamp",
    "replicate",
    "replicas",
    "publish",
    "mirror",
    "gossip",
    "serve",
    "token",
    "witness",
    "node",
    "erase",
    "retention",
    "access",
    "gdpr",
    "key",
    "trust",
    "completions",
    "man",
];
/// Commands that open something, and are shown to say so elsewhere: of another tool's scripts, and of a staging chain.
const ELSEWHERE: [&str; 2] = ["status", "apply"];

fn sealed() -> Project {
    let project = Project::with(&THREE).publishing("sealed");
    project.ok(["apply"]);
    project
}

fn chain_of(project: &Project, name: &str) -> Value {
    project.json(&["verify", &project.path(format!("archive/{name}.car")).display().to_string()])
}

/// The members `access` of the access chain, the oldest first.
pub fn accesses(project: &Project, name: &str) -> Vec<Value> {
    let name = format!("{name}-access");
    if !project.path(format!("archive/{name}.car")).exists() {
        return Vec::new();
    }
    let report = chain_of(project, &name);
    assert_eq!(report["verified"], true, "{report:#}");
    let chain = report["chain"].as_str().unwrap();
    let entry = |seq: u64| project.json(&["--name", &name, "--chain", chain, "show", &seq.to_string()]);
    (1..report["entries"].as_u64().unwrap()).map(|seq| entry(seq)["event"]["access"].clone()).collect()
}

/// A command that opens something: how it is prepared, how it is run, what it is called, and what opening it needs.
struct Opening {
    prepare: fn(&Project),
    arguments: Vec<String>,
    purpose: &'static str,
}

fn opening(purpose: &'static str, prepare: fn(&Project), arguments: &[&str]) -> Opening {
    Opening { prepare, arguments: arguments.iter().map(|text| (*text).to_owned()).collect(), purpose }
}

/// The way down is in the archive alone.
fn edit(project: &Project) {
    project.script("3_seed.down.sql", "SELECT 1;\n");
}

fn restore(project: &Project) {
    let backup = project.read("app.db");
    project.script("4_more.up.sql", "CREATE TABLE more (id INTEGER);\n");
    project.ok(["apply"]);
    project.write("app.db", backup);
}

fn name(project: &Project) {
    project.fed(["vault", "person", &"ab".repeat(16)], "who it is\n");
}

fn openings(project: &Project) -> Vec<Opening> {
    let head = project.head();
    let recipient = project.json(&["vault", "show"])["recipient"].as_str().unwrap().to_owned();
    project.ok([
        "grant",
        "--to",
        &recipient,
        "--events",
        "2",
        "--until",
        "2099-01-01",
        "--purpose",
        "audit 2026",
        "--out",
        "g.age",
    ]);
    let grant = ["grant", "--to", &recipient, "--events", "2", "--until", "2099-01-01", "--purpose", "grant"];
    vec![
        opening("audit", |_| (), &["audit"]),
        opening("show", |_| (), &["show", "1", "--script"]),
        opening("verify", |_| (), &["verify", &head, "--open"]),
        opening("replay", |_| (), &["verify", &head, "--replay"]),
        opening("replay", |_| (), &["replay", &head]),
        opening("replay", |_| (), &["schema", "show", "2"]),
        opening("rollback", edit, &["rollback", "--steps", "1"]),
        opening("plan", edit, &["plan", "--rollback", "1", "--out", "plan.json"]),
        opening("repair", restore, &["repair", "--restored"]),
        opening("grant", |_| (), &[&grant[..], &["--out", "other.age"]].concat()),
        opening("audit 2026", |_| (), &["open", "g.age", "archive/demo.car"]),
        opening("person", name, &["vault", "person", &"ab".repeat(16), "--show"]),
    ]
}

#[test]
fn every_command_is_known_to_open_something_or_nothing() {
    let help = Project::empty().ok(["--help"]).stdout;
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let word = |line: &str| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned);
    let mut found: BTreeSet<String> =
        list.lines().filter_map(word).filter(|word| !word.is_empty() && word != "help").collect();
    // It is there with the feature `bitswap` alone.
    found.insert("node".to_owned());
    let opening = openings(&sealed()).into_iter().map(|opening| opening.arguments[0].clone());
    let known: BTreeSet<String> =
        OPEN_NOTHING.iter().chain(&ELSEWHERE).map(|text| (*text).to_owned()).chain(opening).collect();
    assert_eq!(found, known, "a new command: does it open sealed content, and does it say so?");
}

#[test]
fn what_is_opened_is_recorded_once_and_what_could_not_be_too() {
    let project = sealed();
    for opening in openings(&project) {
        let project = project.copy();
        (opening.prepare)(&project);
        let mut other = project.copy();
        let before = accesses(&project, "demo").len();
        let run = project.run(&opening.arguments);
        assert!(run.code <= 1, "{:?}: {run:#?}", opening.arguments);
        let found = accesses(&project, "demo");
        assert_eq!(found.len(), before + 1, "{:?} opens, and says so once: {found:#?}", opening.arguments);
        let access = &found[before];
        assert_eq!((&access["purpose"], &access["failure"]), (&opening.purpose.into(), &Value::Null));
        // The same with somebody else's key.
        other.variables.retain(|(name, _)| name != "GREFFE_VAULT_KEY");
        other.variables.push(("GREFFE_VAULT_KEY".to_owned(), STRANGER.to_owned()));
        let before = accesses(&other, "demo").len();
        let run = other.run(&opening.arguments);
        assert!(run.code > 0, "{:?}: {run:#?}", opening.arguments);
        let found = accesses(&other, "demo");
        assert_eq!(found.len(), before + 1, "{:?} failed: {run:#?} {found:#?}", opening.arguments);
        let failure = found[before]["failure"].as_str().unwrap();
        let expected = if opening.arguments[0] == "open" { "refused" } else { "no-key" };
        assert_eq!(failure, expected, "{:?}", opening.arguments);
        assert_eq!(found[before]["kind"], "open");
    }
}

#[test]
fn what_is_not_what_was_sealed_is_a_try_that_failed() {
    let project = sealed();
    let car = project.read("archive/demo.car");
    let sealed = project.json(&["show", "2"])["files"][0]["cid"].as_str().unwrap().to_owned();
    let block = crate::canary::blocks(&car).into_iter().find(|(cid, _)| *cid == sealed).unwrap().1;
    let at = car.windows(block.len()).position(|window| window == block).unwrap();
    let mut damaged = car;
    damaged[at + block.len() / 2] ^= 1;
    project.write("damaged.car", damaged);
    project.ends(1, ["verify", "damaged.car", "--open"]);
    let found = accesses(&project, "demo");
    let failures: Vec<&Value> = found.iter().map(|access| &access["failure"]).collect();
    assert_eq!(failures, [&Value::from("damaged"), &Value::Null], "{found:#?}");
    // A repository of audits gets it as what it was.
    let exported = project.ok(["access", "export", "--fhir"]).stdout;
    let outcomes: Vec<String> = exported
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["outcome"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(outcomes, ["4", "0"]);
}

#[test]
fn a_try_without_a_project_is_in_no_chain_and_says_what_it_is() {
    let project = sealed();
    let mut outsider = Project::empty();
    outsider.variables.retain(|(name, _)| name != "GREFFE_VAULT_KEY");
    outsider.variables.push(("GREFFE_VAULT_KEY".to_owned(), STRANGER.to_owned()));
    outsider.write("demo.car", project.read("archive/demo.car"));
    outsider.write("g.age", "no grant");
    let run = outsider.ends(2, ["open", "g.age", "demo.car"]);
    assert!(!run.stderr.contains("access chain"), "{run:#?}");
    assert!(!outsider.path("archive").exists());
}
