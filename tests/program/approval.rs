//! Plans and approvals: exactly what was planned and approved runs, or nothing does.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::pages::{Shell, block_below};
use crate::project::{Project, Run, THREE};
use crate::servers::{Database, MariaDb, Postgres};

/// A pseudonym for a person of tests.
fn person(number: u8) -> String {
    format!("{number:02x}").repeat(16)
}

/// A new key in `<name>.pem`; gives its keyid. Its public half is in `<name>.pub`.
fn new_key(project: &Project, name: &str) -> String {
    let pem = format!("{name}.pem");
    project.ok(["key", "generate", "--plain", "--out", &pem]);
    let source = format!("file:{pem}");
    project.write(&format!("{name}.pub"), &project.ok(["key", "show", "--key", &source]).stdout);
    project.json(&["key", "show", "--key", &source])["keyid"].as_str().unwrap().to_owned()
}

/// Lists keys as approvers.
fn list_approvers(project: &Project, names: &[&str]) {
    let mut propose = vec!["trust", "propose", "--out", "approvers.json", "--role", "approver"];
    let files: Vec<String> = names.iter().map(|name| format!("{name}.pub")).collect();
    files.iter().for_each(|file| propose.extend(["--add-key", file.as_str()]));
    project.ok(propose);
    project.ok(["trust", "sign", "approvers.json", "--yes"]);
    project.ok(["trust", "apply", "approvers.json"]);
}

/// Three migrations that two of the approvers `ada`, `ben` and `cleo` have to let run.
fn guarded() -> Project {
    guarded_on(Project::with(&THREE))
}

fn guarded_on(mut project: Project) -> Project {
    for name in ["ada", "ben", "cleo"] {
        new_key(&project, name);
    }
    list_approvers(&project, &["ada", "ben", "cleo"]);
    project.variables.push(("GREFFE_APPROVAL_REQUIRED".to_owned(), "2".to_owned()));
    project
}

fn approve(project: &Project, plan: &str, name: &str, number: u8) -> Run {
    approve_into(project, plan, &format!("{name}.json"), (name, number))
}

/// Approves with the key `name`, as the person of that number.
fn approve_into(project: &Project, plan: &str, out: &str, (name, number): (&str, u8)) -> Run {
    let key = format!("file:{name}.pem");
    let _ = std::fs::remove_file(project.path(out));
    project.run(["approve", plan, "--yes", "--out", out, "--key", &key, "--actor-pseudonym", &person(number)])
}

fn approved(project: &Project, plan: &str) {
    approve(project, plan, "ada", 1).exits(0);
    approve(project, plan, "ben", 2).exits(0);
}

const APPLY: [&str; 7] = ["apply", "--plan", "plan.json", "--approval", "ada.json", "--approval", "ben.json"];

#[test]
fn what_was_planned_and_approved_runs_and_the_plan_is_archived_before() {
    let project = guarded();
    let made = project.json(&["plan", "--out", "plan.json"]);
    assert_eq!(made["versions"], json!(["1", "2", "3"]));
    assert_eq!(made["policy"], json!({"approvals": 2, "fourEyes": true, "replicated": false}));
    approved(&project, "plan.json");
    let done = project.json(&[&APPLY[..], &[]].concat());
    assert_eq!(done["archived"].as_array().unwrap().len(), 3);
    assert_eq!(project.story(), ["genesis", "trust", "plan", "apply 1", "apply 2", "apply 3"]);
    assert_eq!(project.tables(), "authors,books");
    // Whoever audits counts the approvals, knowing only a CID.
    project.verify();
    let plan = project.json(&["show", "2"]);
    let roles: Vec<&str> =
        plan["files"].as_array().unwrap().iter().map(|file| file["role"].as_str().unwrap()).collect();
    // A script with data is sealed, and so is a plan that would tell of it.
    assert_eq!(roles, ["approval", "approval", "evidence"]);
    let manifest = plan["manifest"].as_str().unwrap();
    let apply = project.json(&["show", "3"]);
    assert_eq!(apply["event"]["plan"], manifest, "{apply:#}");
    assert_eq!(project.only_recorded(|| project.json(&["audit"]))["findings"], json!([]));
    let elsewhere = Project::empty();
    elsewhere.write("demo.car", project.read("archive/demo.car"));
    assert_eq!(elsewhere.json(&["verify", "demo.car"])["verified"], true);
}

#[test]
fn without_a_plan_nothing_runs_where_approvals_are_asked_for() {
    let project = guarded();
    project.refused(&["apply"], 1, &["planned, and approved by 2 people", "greffe plan --out plan.json"]);
    project.ok(["plan", "--out", "plan.json"]);
    project.refused(&["apply", "--plan", "plan.json"], 1, &["0 of 2 approvals count"]);
    approve(&project, "plan.json", "ada", 1).exits(0);
    let one = ["apply", "--plan", "plan.json", "--approval", "ada.json"];
    project.refused(&one, 1, &["1 of 2 approvals count", "greffe approve"]);
    // The trust document asks, too, whatever the settings of this machine say.
    let project = Project::with(&THREE);
    new_key(&project, "ada");
    list_approvers(&project, &["ada"]);
    project.ok(["trust", "propose", "--out", "more.json", "--threshold", "approver=1"]);
    project.ok(["trust", "sign", "more.json", "--yes"]);
    project.ok(["trust", "apply", "more.json"]);
    project.refused(&["apply"], 1, &["approved by 1 people"]);
    project.refused(&["apply", "--approvals", "0"], 1, &["approved by 1 people"]);
}

#[test]
fn another_folder_than_planned_is_refused() {
    let project = guarded();
    project.ok(["plan", "--out", "plan.json"]);
    approved(&project, "plan.json");
    // Other bytes.
    project.script("2_books.up.sql", THREE[2].1.replace("author INTEGER", "author TEXT"));
    project.refused(&APPLY, 1, &["`2_books.up.sql` of 2 has other bytes"]);
    project.script("2_books.up.sql", THREE[2].1);
    // Another way down, which nobody approved.
    project.script("2_books.down.sql", "DROP TABLE authors;\n");
    project.refused(&APPLY, 1, &["`2_books.down.sql` of 2 has other bytes"]);
    project.script("2_books.down.sql", THREE[3].1);
    // A script that is gone, and so another order.
    project.remove("migrations/2_books.up.sql");
    project.remove("migrations/2_books.down.sql");
    project.refused(&APPLY, 1, &["2 is planned at place 2, and 3 would run there"]);
    project.scripts(&THREE);
    project.remove("migrations/3_seed.up.sql");
    project.remove("migrations/3_seed.down.sql");
    project.refused(&APPLY, 2, &["version 3 is not in the migrations folder"]);
    project.scripts(&THREE);
    // What comes behind the plan stays pending.
    project.script("4_later.up.sql", "CREATE TABLE later (id INTEGER);\n");
    project.ok(APPLY);
    assert_eq!(project.tables(), "authors,books");
}

#[test]
fn another_schema_and_another_history_than_planned_are_refused() {
    let project = guarded();
    project.ok(["plan", "--out", "plan.json", "--to", "2"]);
    approved(&project, "plan.json");
    project.sql("CREATE TABLE by_hand (id INTEGER)");
    project.refused(&APPLY, 1, &["the schema is not the one", "planned: sha256:", "greffe status"]);
    project.sql("DROP TABLE by_hand");
    project.ok(["plan", "--out", "earlier.json", "--to", "1"]);
    for who in [("cleo", 3), ("ada", 1)] {
        approve_into(&project, "earlier.json", &format!("{}-earlier.json", who.0), who).exits(0);
    }
    project.ok([
        "apply",
        "--plan",
        "earlier.json",
        "--approval",
        "cleo-earlier.json",
        "--approval",
        "ada-earlier.json",
    ]);
    // Somebody applied something since.
    project.refused(&APPLY, 1, &["since the plan was made", "make a new plan"]);
}

#[test]
fn a_plan_expires_and_is_carried_out_once() {
    let project = guarded();
    project.ok(["plan", "--out", "short.json", "--valid-for", "1ms"]);
    let run = approve(&project, "short.json", "ada", 1);
    run.exits(1).says(&["the plan expired at"]);
    project.refused(&["apply", "--plan", "short.json"], 1, &["the plan expired at"]);
    project.ok(["plan", "--out", "plan.json"]);
    approved(&project, "plan.json");
    project.ok(APPLY);
    // Rolled back by a plan of its own, the history is what it was; the old plan is not good a second time.
    project.ok(["plan", "--out", "back.json", "--rollback", "3"]);
    for who in [("ada", 1), ("ben", 2)] {
        approve_into(&project, "back.json", &format!("{}-back.json", who.0), who).exits(0);
    }
    project.refused(&["rollback", "--steps", "3"], 1, &["approved by 2 people"]);
    project.refused(
        &["apply", "--plan", "back.json"],
        2,
        &["the plan is to roll back", "greffe rollback --plan"],
    );
    project.ok([
        "rollback",
        "--plan",
        "back.json",
        "--approval",
        "ada-back.json",
        "--approval",
        "ben-back.json",
    ]);
    assert_eq!(project.tables(), "");
    project.refused(&APPLY, 1, &["carried out or given up before, as entry 5 tells"]);
    project.verify();
}

#[test]
fn who_made_a_plan_does_not_approve_it() {
    let project = guarded();
    // The author's own key is an approver's, too.
    let author = project.json(&["key", "show"])["keyid"].as_str().unwrap().to_owned();
    let roles = format!("{author}=root,signer,approver");
    project.ok(["trust", "propose", "--out", "own.json", "--roles", &roles]);
    project.ok(["trust", "sign", "own.json", "--yes"]);
    project.ok(["trust", "apply", "own.json"]);
    project.ok(["plan", "--out", "plan.json"]);
    approve(&project, "plan.json", "ada", 1).exits(0);
    let other = person(9);
    project.ok(["approve", "plan.json", "--yes", "--out", "own-approval.json", "--actor-pseudonym", &other]);
    let own = ["apply", "--plan", "plan.json", "--approval", "ada.json", "--approval", "own-approval.json"];
    project.refused(&own, 1, &["1 of 2 approvals count", "made the plan, and four eyes"]);
    // By another key, and under the pseudonym of the author.
    let author = project.json(&["show", "1"])["event"]["actor"]["pseudonym"].as_str().unwrap().to_owned();
    project.ok([
        "approve",
        "plan.json",
        "--yes",
        "--out",
        "named.json",
        "--key",
        "file:ben.pem",
        "--actor-pseudonym",
        &author,
    ]);
    let named = ["apply", "--plan", "plan.json", "--approval", "ada.json", "--approval", "named.json"];
    project.refused(&named, 1, &["who made the plan approved it"]);
    // Settings of this machine that ask for less than the plan change nothing.
    let lax = [&named[..], &["--four-eyes", "false", "--approvals", "1"]].concat();
    project.refused(&lax, 1, &["1 of 2 approvals count"]);
    // A plan that asks for less than is asked for here is none.
    project.ok(["plan", "--out", "lax.json", "--approvals", "1"]);
    approve_into(&project, "lax.json", "lax-ada.json", ("ada", 1)).exits(0);
    project.refused(&["apply", "--plan", "lax.json", "--approval", "lax-ada.json"], 1, &["fewer approvals"]);
}

#[test]
fn approvals_of_other_plans_by_strangers_and_by_one_person_twice_do_not_count() {
    let project = guarded();
    project.ok(["plan", "--out", "other.json"]);
    approve(&project, "other.json", "ada", 1).exits(0);
    project.ok(["plan", "--out", "plan.json"]);
    approve(&project, "plan.json", "ben", 2).exits(0);
    // Two plans of the same scripts are two plans.
    project.refused(&APPLY, 1, &["1 of 2 approvals count", "of another plan", "another file"]);
    // One person with two keys, and one key under two names.
    approve(&project, "plan.json", "ada", 2).exits(0);
    project.refused(&APPLY, 1, &["the same key or person approved before"]);
    let twice = ["apply", "--plan", "plan.json", "--approval", "ben.json", "--approval", "ben.json"];
    project.refused(&twice, 1, &["1 of 2 approvals count", "approved before"]);
    // A key that nobody listed is told at once where the archive is at hand, and counts nowhere.
    new_key(&project, "stranger");
    approve(&project, "plan.json", "stranger", 4).exits(2).says(&["may not approve", "--role approver"]);
    let elsewhere = Project::empty();
    for file in ["plan.json", "stranger.pem"] {
        elsewhere.write(file, project.read(file));
    }
    let run = approve_into(&elsewhere, "plan.json", "s.json", ("stranger", 4));
    run.exits(0).says(&["warning: not in this folder, so not compared"]);
    project.write("s.json", elsewhere.read("s.json"));
    let strange = ["apply", "--plan", "plan.json", "--approval", "ben.json", "--approval", "s.json"];
    project.refused(&strange, 1, &["may not approve: the trust document does not list it"]);
    // Something that is no approval, such as the plan itself.
    let plan = ["apply", "--plan", "plan.json", "--approval", "ben.json", "--approval", "plan.json"];
    project.refused(&plan, 1, &["it is no approval", "urn:greffe:plan:1"]);
    project.refused(&["apply", "--plan", "ben.json"], 2, &["the plan cannot be read", "greffe plan"]);
    project.write("large.json", vec![b' '; 3 << 20]);
    project.refused(&["apply", "--plan", "large.json"], 2, &["more than 1048576"]);
}

#[test]
fn an_approval_by_a_key_that_is_revoked_since_does_not_count() {
    let project = guarded();
    project.ok(["plan", "--out", "plan.json"]);
    approved(&project, "plan.json");
    let stolen =
        project.json(&["key", "show", "--key", "file:ben.pem"])["keyid"].as_str().unwrap().to_owned();
    project.ok(["trust", "propose", "--out", "revoke.json", "--revoke", &stolen, "--since", "2"]);
    project.ok(["trust", "sign", "revoke.json", "--yes"]);
    project.ok(["trust", "apply", "revoke.json"]);
    project.refused(&APPLY, 1, &["1 of 2 approvals count", "is revoked"]);
    approve(&project, "plan.json", "cleo", 3).exits(0);
    project.ok(["apply", "--plan", "plan.json", "--approval", "ada.json", "--approval", "cleo.json"]);
    project.verify();
}

#[test]
fn a_changed_plan_and_one_by_a_stranger_are_refused() {
    let project = guarded();
    project.ok(["plan", "--out", "plan.json"]);
    approved(&project, "plan.json");
    let plan = project.read("plan.json");
    let mut envelope: Value = serde_json::from_slice(&plan).unwrap();
    let payload = data_encoding::BASE64.decode(envelope["payload"].as_str().unwrap().as_bytes()).unwrap();
    let payload = String::from_utf8(payload).unwrap().replace("\"approvals\":2", "\"approvals\":0");
    envelope["payload"] = data_encoding::BASE64.encode(payload.as_bytes()).into();
    project.write("weak.json", serde_json::to_vec(&envelope).unwrap());
    project.refused(&["apply", "--plan", "weak.json"], 1, &["is not over the plan", "ask who sent it"]);
    new_key(&project, "stranger");
    project.ends(1, ["plan", "--out", "s.json", "--key", "file:stranger.pem"]).says(&["does not count here"]);
    assert!(!project.path("s.json").exists());
    // White space is not signed, and yet it is another file.
    project.write("plan.json", [b" ".as_slice(), &plan].concat());
    project.refused(&APPLY, 1, &["0 of 2 approvals count", "of another plan"]);
    // For another project.
    let other = guarded();
    other.write("theirs.json", &plan);
    other.refused(&["apply", "--plan", "theirs.json"], 1, &["the plan is for the chain"]);
    project.write("plan.json", &plan);
    project.refused(&[&APPLY[..], &["--database-name", "elsewhere"]].concat(), 1, &["and this is elsewhere"]);
}

#[test]
fn what_a_plan_names_steers_no_terminal_and_leads_nowhere() {
    let project = guarded();
    project.ok(["plan", "--out", "plan.json"]);
    let envelope: Value = serde_json::from_slice(&project.read("plan.json")).unwrap();
    let payload = data_encoding::BASE64.decode(envelope["payload"].as_str().unwrap().as_bytes()).unwrap();
    let payload = String::from_utf8(payload).unwrap();
    for name in ["../../etc/passwd", "/etc/passwd", r"a\nneeds    0 approval(s)", r"a\u001b[2J"] {
        let mut forged = envelope.clone();
        forged["payload"] =
            data_encoding::BASE64.encode(payload.replace("1_authors.up.sql", name).as_bytes()).into();
        project.write("forged.json", serde_json::to_vec(&forged).unwrap());
        let run = project.ends(2, ["approve", "forged.json", "--dry-run"]);
        run.says(&["is no name that a plan may have"]);
        assert!(!run.stderr.contains("\nneeds"), "{run:#?}");
    }
}

#[test]
fn a_sealed_way_down_that_only_the_archive_has_is_planned_and_its_opening_recorded() {
    let project = guarded_on(Project::with(&THREE).publishing("sealed"));
    project.ok(["plan", "--out", "plan.json"]);
    approved(&project, "plan.json");
    project.ok(APPLY);
    project.remove("migrations/3_seed.down.sql");
    assert!(!project.path("archive/demo-access.car").exists());
    project.ok(["plan", "--out", "back.json", "--rollback", "1"]);
    assert!(project.path("archive/demo-access.car").exists());
    approve(&project, "back.json", "ada", 1).exits(0);
    approve(&project, "back.json", "ben", 2).exits(0);
    project.ok(["rollback", "--plan", "back.json", "--approval", "ada.json", "--approval", "ben.json"]);
    assert_eq!(project.story().last().unwrap(), "rollback 3");
    project.verify();
}

#[test]
fn approving_compares_the_folder_with_the_plan() {
    let project = guarded();
    project.ok(["plan", "--out", "plan.json"]);
    let seen = project.unchanged(|| project.json(&["approve", "plan.json", "--dry-run"]));
    assert_eq!((&seen["compared"], &seen["unseen"], &seen["file"]), (&json!(6), &json!([]), &Value::Null));
    project
        .ends(2, ["approve", "plan.json", "--out", "a.json"])
        .says(&["nobody can be asked whether this is to be approved", "--yes"]);
    project.script("1_authors.up.sql", "DROP DATABASE everything;\n");
    let run = approve(&project, "plan.json", "ada", 1);
    run.exits(1).says(&["`1_authors.up.sql` of this folder is not the one of the plan", "planned: "]);
    assert!(!project.path("ada.json").exists());
    // What is shown does not steer a terminal, and a file is never replaced.
    project.script("1_authors.up.sql", THREE[0].1);
    approve(&project, "plan.json", "ada", 1).exits(0);
    let key = "file:ada.pem";
    project
        .ends(2, ["approve", "plan.json", "--yes", "--out", "ada.json", "--key", key])
        .says(&["already exists"]);
    project.ends(2, ["plan", "--out", "plan.json"]).says(&["already exists"]);
}

/// Asks for plans to be at a replica first; gives its disk and its folder, which is not there yet.
fn replicated_first(project: &mut Project) -> (TempDir, PathBuf) {
    project.variables.push(("GREFFE_APPROVAL_REPLICATED".to_owned(), "true".to_owned()));
    let disk = tempfile::tempdir().unwrap();
    let replica = disk.path().join("copies");
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    let url = format!("archive:{}", replica.display());
    project.write(
        "greffe.toml",
        format!("{settings}\n[[replica]]\nname = \"disk\"\nurl = \"{url}\"\npublic = false\n"),
    );
    (disk, replica)
}

#[test]
fn a_run_that_nobody_planned_is_told_to_the_replicas_before_it_runs() {
    let mut project = Project::with(&THREE);
    let (_disk, replica) = replicated_first(&mut project);
    std::fs::write(&replica, b"no folder").unwrap();
    project.run(["apply"]).exits(3).says(&["at 0 of 1 of the replicas"]);
    assert_eq!((project.tables().as_str(), project.story().join(" ").as_str()), ("", "genesis plan attach"));
    assert_eq!(project.only_recorded(|| project.json(&["audit"]))["findings"], json!([]));
    std::fs::remove_file(&replica).unwrap();
    std::fs::create_dir(&replica).unwrap();
    project.run(["replicas", "--repair"]);
    project.ok(["apply"]);
    assert_eq!(project.story().join(" "), "genesis plan attach plan apply 1 apply 2 apply 3");
    project.verify();
    // On the way back as well.
    std::fs::remove_dir_all(&replica).unwrap();
    std::fs::write(&replica, b"no folder").unwrap();
    project.run(["rollback", "--steps", "2"]).exits(3).says(&["at 0 of 1 of the replicas"]);
    assert_eq!(project.tables(), "authors,books");
    std::fs::remove_file(&replica).unwrap();
    std::fs::create_dir(&replica).unwrap();
    project.run(["replicas", "--repair"]);
    project.ok(["rollback", "--steps", "2"]);
    assert_eq!(project.tables(), "authors");
    project.verify();
}

#[test]
fn without_replicas_nothing_can_be_told_to_them_and_nothing_is_archived() {
    for mut project in [Project::with(&THREE), guarded()] {
        project.variables.push(("GREFFE_APPROVAL_REPLICATED".to_owned(), "true".to_owned()));
        project.ok(["plan", "--out", "plan.json"]);
        let story = project.story();
        let run = match story.contains(&"trust".to_owned()) {
            true => {
                approved(&project, "plan.json");
                project.run(APPLY)
            }
            false => project.run(["apply"]),
        };
        run.exits(2).says(&["and there are none", "[[replica]]", "approval.replicated = false"]);
        assert_eq!((project.tables(), project.story()), (String::new(), story));
    }
}

#[test]
fn nothing_runs_before_the_plan_is_at_the_replicas() {
    let mut project = guarded();
    let (_disk, replica) = replicated_first(&mut project);
    project.ok(["plan", "--out", "plan.json"]);
    approved(&project, "plan.json");
    // Not mounted: the plan is archived here, and nothing runs.
    std::fs::write(&replica, b"no folder").unwrap();
    let run = project.run(APPLY);
    run.exits(3).says(&["at 0 of 1 of the replicas", "a plan that was given still holds"]);
    assert_eq!(
        (project.tables(), project.story()),
        (String::new(), ["genesis", "trust", "plan"].map(str::to_owned).to_vec())
    );
    std::fs::remove_file(&replica).unwrap();
    std::fs::create_dir(&replica).unwrap();
    project.run(["replicas", "--repair"]);
    project.ok(APPLY);
    // The same plan event: it was not used.
    assert_eq!(project.story(), ["genesis", "trust", "plan", "apply 1", "apply 2", "apply 3"]);
    project.verify();
}

#[test]
fn a_plan_without_an_outcome_is_named_by_audit() {
    let mut project = guarded();
    let (disk, replica) = replicated_first(&mut project);
    project.ok(["plan", "--out", "plan.json"]);
    approved(&project, "plan.json");
    std::fs::write(&replica, b"no folder").unwrap();
    project.run(APPLY).exits(3);
    std::fs::remove_file(&replica).unwrap();
    std::fs::create_dir(&replica).unwrap();
    project.run(["replicas", "--repair"]);
    let found = project.only_recorded(|| project.ends(1, ["audit", "--json"])).object();
    let finding = &found["findings"][0];
    assert_eq!((&finding["code"], &finding["seq"]), (&json!("plan-without-outcome"), &json!(2)), "{found:#}");
    assert_eq!(finding["missing"], json!(["1", "2", "3"]));
    let hint = "greffe plan --abandon 2";
    project.only_recorded(|| project.ends(1, ["audit"])).prints(&["entry 2 plans 1, 2, 3", hint]);
    // What ran by it would be told by the approvals that it has: one that counts no more is not made good by another.
    let stolen =
        project.json(&["key", "show", "--key", "file:ben.pem"])["keyid"].as_str().unwrap().to_owned();
    let revoked = project.copy();
    // What is another chain from here on has a replica of its own.
    let settings = String::from_utf8(revoked.read("greffe.toml")).unwrap();
    let other = disk.path().join("other").display().to_string();
    revoked.write("greffe.toml", settings.replace(&replica.display().to_string(), &other));
    revoked.ok(["trust", "propose", "--out", "revoke.json", "--revoke", &stolen, "--since", "2"]);
    revoked.ok(["trust", "sign", "revoke.json", "--yes"]);
    revoked.ok(["trust", "apply", "revoke.json"]);
    approve(&revoked, "plan.json", "cleo", 3).exits(0);
    let other = ["apply", "--plan", "plan.json", "--approval", "ada.json", "--approval", "cleo.json"];
    revoked.refused(&other, 1, &["entry 2 archived the plan", "1 of 2 count now", "--abandon"]);
    // Given up, it is good for nothing more.
    project.ends(2, ["plan", "--abandon", "1"]).says(&["entry 1 is no plan"]);
    project.ends(2, ["plan", "--abandon", "9"]).says(&["entry 9 is not in the archive"]);
    project.ok(["plan", "--abandon", "2"]);
    assert_eq!(project.only_recorded(|| project.json(&["audit"]))["findings"], json!([]));
    project.refused(&APPLY, 1, &["carried out or given up before, as entry 3 tells"]);
    project.verify();
}

fn served(database: &Database) -> Project {
    let mut project = Project::empty();
    project.variables.push(("DATABASE_URL".to_owned(), database.url()));
    project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
    project.scripts(&[
        ("1_a.up.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n"),
        ("1_a.down.sql", "DROP TABLE a;\n"),
        ("2_b.up.sql", "CREATE TABLE b (id INTEGER PRIMARY KEY);\n"),
        ("2_b.down.sql", "DROP TABLE b;\n"),
    ]);
    guarded_on(project)
}

#[test]
fn servers_keep_to_plans_too() {
    for server in [Postgres::shared(), MariaDb::shared()] {
        let database = server.database("approval");
        let project = served(&database);
        project.ok(["plan", "--out", "plan.json"]);
        approved(&project, "plan.json");
        database.sql("CREATE TABLE by_hand (id INTEGER)");
        project.ends(1, APPLY).says(&["the schema is not the one"]);
        database.sql("DROP TABLE by_hand");
        project.ok(APPLY);
        project.ok(["plan", "--out", "back.json", "--rollback-to", "1"]);
        for who in [("ada", 1), ("cleo", 3)] {
            approve_into(&project, "back.json", &format!("{}-back.json", who.0), who).exits(0);
        }
        project.ok([
            "rollback",
            "--plan",
            "back.json",
            "--approval",
            "ada-back.json",
            "--approval",
            "cleo-back.json",
        ]);
        assert_eq!(project.story(), ["genesis", "trust", "plan", "apply 1", "apply 2", "plan", "rollback 2"]);
        project.verify();
    }
}

#[test]
fn the_commands_of_the_page_are_run() {
    let page = include_str!("../../docs/approvals.md");
    let project = Project::with(&THREE);
    Shell::of(&project).run(block_below(page, "approvals"), 0);
    assert_eq!(project.story(), ["genesis", "trust", "plan", "apply 1", "apply 2", "apply 3"]);
}
