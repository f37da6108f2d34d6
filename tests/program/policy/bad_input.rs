//! Packs, settings and scripts that are wrong, or made to look right.

use std::fs;

use serde_json::json;

use super::{HEADER, add_settings, approve, approve_by, of_sectors, outcomes, with_header};
use crate::project::Project;

const OWN: &str = "greffe = 'pack/1'\nname = 'own'\nversion = '1'\ntitle = 'Own'\nsource = 'practice'\n";
const APPROVALS: &str = "[[rule]]\nid = 'own-approvals'\nlevel = 'warn'\ndecides = 'tool'\nwhat = 'approvals'\ncount = 1\n\
                         says = 'A.'\nkeep = 'B.'\nsource = 'practice'\n";

/// A project under a pack of its own.
fn of_own(pack: &str) -> Project {
    let project = Project::with(&[]);
    fs::create_dir(project.path("policy")).unwrap();
    project.write("policy/own.toml", pack);
    add_settings(&project, "[policy]\npacks = ['policy/own.toml']\n");
    project
}

#[test]
fn what_is_only_told_stops_no_run() {
    let project = of_own(&format!("{OWN}{APPROVALS}"));
    with_header(&project, "1_a.up.sql", "CREATE TABLE a (id INTEGER);\n");
    project.ok(["apply"]);
    let rules = project.json(&["show", "1"])["event"]["policy"]["rules"].clone();
    assert_eq!(rules, json!([{ "rule": "own-approvals", "outcome": "broken", "about": "1" }]));
    project.verify();
    project.write("policy/own.toml", format!("{OWN}{}", APPROVALS.replace("'warn'", "'deny'")));
    with_header(&project, "2_b.up.sql", "CREATE TABLE b (id INTEGER);\n");
    project.unchanged(|| project.ends(1, ["apply"])).says(&["approved by 1 people"]);
}

#[test]
fn a_plan_is_judged_by_the_packs_that_hold_when_it_runs() {
    let project = Project::with(&[]);
    with_header(
        &project,
        "1_grades.up.sql",
        "CREATE TABLE grades (id INTEGER PRIMARY KEY, value INTEGER);\n",
    );
    project.ok(["apply"]);
    project.script("2_jury.up.sql", format!("{HEADER}UPDATE grades SET value = value + 1;\n"));
    project.ok(["plan", "--out", "plan.json"]);
    // Since then, the sector has been named: two have to approve, and this plan asked for none.
    add_settings(&project, "[policy]\nsectors = ['éducation']\n");
    approve_by(&project, &["ada", "ben"]);
    approve(&project, "plan.json", "ada", 1);
    approve(&project, "plan.json", "ben", 2);
    let run = ["apply", "--plan", "plan.json", "--approval", "ada.json", "--approval", "ben.json"];
    project.only_recorded(|| project.ends(1, run)).says(&["fewer approvals"]);
    project.ok(["plan", "--out", "again.json"]);
    for (name, number) in [("ada", 1), ("ben", 2)] {
        project.remove(&format!("{name}.json"));
        approve(&project, "again.json", name, number);
    }
    let run = ["apply", "--plan", "again.json", "--approval", "ada.json", "--approval", "ben.json"];
    // A rule came that the script does not keep: what was approved runs no longer.
    fs::create_dir(project.path("policy")).unwrap();
    let rule = "[[rule]]\nid = 'own-table'\nlevel = 'deny'\ndecides = 'tool'\nwhat = 'log-kept'\nmonths = 6\nsays = 'A.'\n\
                keep = 'B.'\nsource = 'practice'\n";
    project.write("policy/own.toml", format!("{OWN}{rule}"));
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    let both = settings.replace("sectors = ['éducation']", "packs = ['éducation', 'policy/own.toml']");
    project.write("greffe.toml", &both);
    project.only_recorded(|| project.ends(1, run)).says(&["own-table"]);
    project.write("greffe.toml", settings);
    project.ok(run);
    project.verify();
}

#[test]
fn what_a_way_down_writes_is_judged_before_it_is_archived() {
    let project = of_sectors("'éducation'", &[]);
    with_header(&project, "1_b.up.sql", "CREATE TABLE b (id INTEGER PRIMARY KEY, avis TEXT);\n");
    project.script("1_b.down.sql", "UPDATE b SET avis = 'Peut mieux faire';\nDROP TABLE b;\n");
    let run = project.ends(1, ["apply"]);
    assert_eq!(project.tables(), "");
    run.says(&["education-no-appreciations", "is in its way down"]);
    project
        .ends(1, ["lint", "--no-check-down"])
        .prints(&["error education-no-appreciations", "its way down"]);
    project.script("1_b.down.sql", "DROP TABLE b;\n");
    project.ok(["apply"]);
}

#[test]
fn scripts_that_nobody_reads_keep_no_rule() {
    let project = Project::empty();
    project.write("greffe.toml", "[tool]\nname = 'knex'\n[policy]\nsectors = ['e-commerce']\n");
    project.script("20240101000000_a.js", "exports.up = k => k.raw('ALTER TABLE payment ADD cvv TEXT');\n");
    let rule = "ecommerce-no-card-codes 20240101000000_a.js";
    let said = |outcome: &str| {
        let found = outcomes(&project);
        assert!(found.contains(&format!("{rule} {outcome}")), "{found:#?}");
        assert!(!found.iter().any(|one| one.contains("_a.js kept")), "{found:#?}");
    };
    said("attestation-required");
    add_settings(
        &project,
        "[[policy.attestation]]\nrule = 'ecommerce-no-card-codes'\nby = 'developer'\non = '2026-01-01'\n\
         until = '2099-12-31'\nreference = 'review 12'\nversions = ['20240101000000_a.js']\n",
    );
    said("attested");
    // What cannot be a script is named, and nothing is well.
    let project = of_sectors("'santé'", &[]);
    fs::write(project.path("migrations/1_a.up.sql"), b"DROP TABLE patient; -- \xff\n").unwrap();
    let run = project.ends(1, ["policy", "check", "--fail-on", "deny"]);
    run.prints(&["not judged migrations/1_a.up.sql: ", "is not UTF-8"]);
    let unjudged = &project.run(["policy", "check", "--json"]).object()["unjudged"];
    assert_eq!(unjudged[0]["file"], "migrations/1_a.up.sql", "{unjudged}");
}

#[test]
fn a_pack_is_a_file_of_a_bounded_size_that_says_all_it_seems_to() {
    let project = of_own(OWN);
    with_header(&project, "1_a.up.sql", "CREATE TABLE a (id INTEGER);\n");
    let path = project.path("policy/own.toml");
    let refused = |says: &str| {
        for command in [&["policy", "check"][..], &["apply"], &["lint"]] {
            project.ends(2, command).says(&[says, "greffe policy list"]);
        }
    };
    let write = |bytes: &[u8]| fs::write(&path, bytes).unwrap();
    write(b"\xff\xfe");
    refused("it is not UTF-8");
    write(&vec![b'#'; 300_000]);
    refused("it has more than 262144 bytes");
    write(format!("a = {}", "[".repeat(100_000)).as_bytes());
    refused("is not TOML");
    write(format!("{OWN}{}", "a = 1\n".repeat(20_000)).as_bytes());
    refused("and 19979 more");
    let many = |number: usize| APPROVALS.replace("own-approvals", &format!("own-{number}"));
    let rules: String = (0..600).map(many).collect();
    write(format!("{OWN}{rules}").as_bytes());
    refused("write at most 512");
    write(format!("{OWN}extends = ['own']\n").as_bytes());
    refused("extends itself");
    let narrow = "[[class]]\nid = 'patient-records'\nsays = 'A.'\ntables = ['nothing']\n";
    write(format!("{OWN}extends = ['Santé']\n{narrow}").as_bytes());
    refused("makes `patient-records` weaker");
    fs::remove_file(&path).unwrap();
    for target in ["/dev/zero", "."] {
        std::os::unix::fs::symlink(target, &path).unwrap();
        refused("it is no file");
        fs::remove_file(&path).unwrap();
    }
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    refused("it is no file");
}
