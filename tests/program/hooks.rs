//! Hooks: the project's own scripts and programs, asked before and after what greffe does.

mod bad_input;
mod complaints;
mod elsewhere;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::project::{Project, THREE};

/// A policy that lets everything pass.
const ALLOW: &str = "allow()";

/// Three migrations that are not applied, and hooks: their files' names and texts.
fn project(hooks: &[(&str, &str)]) -> Project {
    with(&THREE, hooks)
}

fn with(scripts: &[(&str, &str)], hooks: &[(&str, &str)]) -> Project {
    let project = Project::with(scripts);
    fs::create_dir(project.path("hooks")).unwrap();
    hooks.iter().for_each(|(file, text)| hook(&project, file, text));
    project
}

/// Writes a hook; what is no policy is a program of the shell.
fn hook(project: &Project, file: &str, text: &str) {
    let path = format!("hooks/{file}");
    let is_program = !file.ends_with(".rhai");
    let text = if is_program { format!("#!/bin/sh\n{text}\n") } else { text.to_owned() };
    project.write(&path, text);
    let mode = if is_program { 0o755 } else { 0o644 };
    fs::set_permissions(project.path(&path), fs::Permissions::from_mode(mode)).unwrap();
}

/// What programs wrote into the project's folder.
fn seen(project: &Project, file: &str) -> String {
    fs::read_to_string(project.path(file)).unwrap_or_default()
}

/// `event hook outcome rule` of what a run's hooks said.
fn told(object: &Value) -> Vec<String> {
    let line = |told: &Value| {
        let text = |key: &str| told[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {} {} {}", text("event"), text("hook"), text("about"), text("verdict"), text("rule"))
    };
    object["hooks"].as_array().map(|told| told.iter().map(line).collect()).unwrap_or_default()
}

#[test]
fn a_policy_that_denies_stops_a_run_before_anything_of_it_ran() {
    let project = project(&[(
        "beforeMigrate.rhai",
        "fn beforeMigrate(context) { if context.counts.migrations > 2 { deny(\"small-steps\", \"at most two at once\") } else { allow() } }",
    )]);
    let head = project.head();
    let run = project.ends(1, ["apply"]);
    run.says(&[
        "the hook `beforeMigrate.rhai` said no by its rule `small-steps`: at most two at once",
        "hint: ",
    ]);
    assert_eq!((project.head(), project.tables()), (head, String::new()));
    assert_eq!(project.story(), ["genesis"]);
    // In parts it may.
    project.ok(["apply", "--to", "2"]).prints(&["hook beforeMigrate.rhai: allow", "applied 1 as entry 2"]);
    project.verify();
}

#[test]
fn each_migration_is_judged_before_the_first_of_them_runs() {
    let project = project(&[(
        "beforeEachMigrate__no_data.rhai",
        "fn beforeEachMigrate(context) { if \"INSERT\" in context.migration.kinds { deny(\"no-data\", context.migration.version) } else { allow() } }",
    )]);
    project.ends(1, ["apply"]).says(&["said no about 3 by its rule `no-data`"]);
    assert_eq!((project.tables(), project.story()), (String::new(), vec!["genesis".to_owned()]));
    project.ok(["apply", "--to", "2"]);
    let plan = project.json(&["show", "1"])["event"].clone();
    let about: Vec<&Value> = plan["hooks"].as_array().unwrap().iter().map(|hook| &hook["about"]).collect();
    assert_eq!(about, [&json!("1"), &json!("2")]);
    project.verify();
}

#[test]
fn what_policies_answered_is_archived_before_the_first_script_and_named_by_the_run() {
    let source = "// sector: santé\nfn beforeMigrate(context, sector) { warn(\"look\", `${sector} ${context.target.engine}`) }";
    let scripts = [("1_a.up.sql", "-- sector: Santé\nCREATE TABLE a (id INTEGER PRIMARY KEY);\n")];
    let project = with(&scripts, &[("beforeMigrate__sector.rhai", source), ("beforeArchive.rhai", ALLOW)]);
    let object = project.json(&["apply"]);
    assert_eq!(
        told(&object),
        [
            "beforeMigrate beforeMigrate__sector.rhai - warn look",
            "beforeArchive beforeArchive.rhai - allow -"
        ]
    );
    assert_eq!(object["hooks"][0]["text"], "sante sqlite");
    assert_eq!(project.story(), ["genesis", "plan", "apply 1"]);
    let plan = project.json(&["show", "1"]);
    let names: Vec<&Value> = plan["files"].as_array().unwrap().iter().map(|file| &file["name"]).collect();
    assert!(names.contains(&&json!("hooks/beforeMigrate__sector.rhai")), "{names:?}");
    assert!(names.contains(&&json!("hooks/beforeMigrate.json")), "{names:?}");
    let hook = &plan["event"]["hooks"][0];
    assert_eq!(
        (&hook["outcome"], &hook["rule"], &hook["name"]),
        (&json!("warn"), &json!("look"), &json!("beforeMigrate__sector.rhai"))
    );
    assert!(hook["input"].as_str().unwrap().starts_with("sha256:"));
    assert!(hook.get("text").is_none());
    assert_eq!(project.json(&["show", "2"])["event"]["plan"], plan["manifest"]);
    project.verify();
}

#[test]
fn a_plan_that_a_program_stopped_is_no_finding_of_an_audit() {
    let project = project(&[("beforeMigrate.rhai", ALLOW), ("beforeMigrate.sh", "exit 1")]);
    project.ends(1, ["apply"]);
    assert_eq!(
        (project.story(), project.tables()),
        (["genesis", "plan", "attach"].map(str::to_owned).to_vec(), String::new())
    );
    let said = project.json(&["show", "2"])["event"]["hooks"].clone();
    assert_eq!((&said[0]["name"], &said[0]["outcome"]), (&json!("beforeMigrate.sh"), &json!("deny")));
    let audit = project.run(["audit", "--json"]).object();
    assert!(!audit.to_string().contains("plan-without-outcome"), "{audit:#}");
    project.remove("hooks/beforeMigrate.sh");
    project.ok(["apply"]);
    project.ok(["audit"]);
    project.verify();
}

#[test]
fn hooks_are_asked_where_their_filters_say() {
    let said = |name: &str| format!("echo {name} >>said");
    let project = project(&[
        ("beforeMigrate__a.sh", &format!("# environment: production\n{}", said("a"))),
        ("beforeMigrate__b.sh", &format!("# environment: staging\n{}", said("b"))),
        ("beforeMigrate__c.sh", &format!("# target: demo\n{}", said("c"))),
        ("beforeMigrate__d.sh", &format!("# sector: santé\n{}", said("d"))),
        ("beforeMigrate__e.sh", &said("e")),
    ]);
    let unasked = "the hook `beforeMigrate__a.sh` is for production, and is not asked: `hooks.environment` says nothing";
    project.ok(["apply", "--to", "1"]).says(&[unasked]);
    assert_eq!(seen(&project, "said"), "c\ne\n");
    let run = project.ok(["apply", "--hooks-environment", "Production"]);
    assert!(!run.stderr.contains("is not asked"), "{run:#?}");
    assert_eq!(seen(&project, "said"), "c\ne\na\nc\ne\n");
}

#[test]
fn hooks_of_a_rollback_stand_around_it() {
    let tell = "echo $GREFFE_EVENT >>said; cat >>documents; echo >>documents";
    let mut hooks: Vec<(String, &str)> = Vec::new();
    for event in [
        "beforeRollback",
        "beforeEachRollback",
        "afterEachRollback",
        "afterRollback",
        "afterErrorRollback",
        "finally",
        "beforeMigrate",
    ] {
        hooks.push((format!("{event}.sh"), tell));
    }
    let project = Project::applied();
    fs::create_dir(project.path("hooks")).unwrap();
    hooks.iter().for_each(|(file, text)| hook(&project, file, text));
    hook(
        &project,
        "beforeRollback__two.rhai",
        "if context.direction == \"down\" { warn(\"back\", \"x\") } else { deny(\"other\", \"x\") }",
    );
    project.ok(["rollback", "--steps", "2"]).prints(&["hook beforeRollback__two.rhai: warn back: x"]);
    let expected = [
        "beforeRollback",
        "beforeEachRollback",
        "beforeEachRollback",
        "afterEachRollback",
        "afterEachRollback",
        "afterRollback",
        "finally",
    ];
    assert_eq!(seen(&project, "said").lines().collect::<Vec<_>>(), expected);
    assert_eq!(project.story().split_off(4), ["plan", "rollback 3", "rollback 2", "attach"]);
    let documents: Vec<Value> =
        seen(&project, "documents").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&documents[1]["migration"]["version"], &documents[2]["migration"]["version"]),
        (&json!("3"), &json!("2"))
    );
    assert_eq!(documents[5]["outcome"]["done"], json!(["3", "2"]));
    project.verify();
}

#[test]
fn hooks_stand_around_plan_verify_and_erase() {
    let tell = "echo $GREFFE_EVENT >>said";
    let events = [
        "beforePlan",
        "afterPlan",
        "beforeVerify",
        "afterVerify",
        "afterErrorVerify",
        "beforeErase",
        "afterErase",
        "finally",
    ];
    let hooks: Vec<String> = events.iter().map(|event| format!("{event}.sh")).collect();
    let hooks: Vec<(&str, &str)> = hooks.iter().map(|file| (file.as_str(), tell)).collect();
    let project = with(&THREE, &hooks).publishing("sealed");
    let said = |project: &Project| {
        let said = seen(project, "said");
        let _ = fs::remove_file(project.path("said"));
        said.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    project.ok(["plan", "--out", "plan.json"]);
    assert_eq!(said(&project), ["beforePlan", "afterPlan", "finally"]);
    project.ok(["apply"]);
    assert_eq!(said(&project), ["finally"]);
    let head = project.head();
    // What is looked at may be anybody's, and its hooks, too.
    project.ok(["verify", &head]);
    assert_eq!(said(&project), [""; 0]);
    project.ok(["verify", &head, "--hooks"]);
    assert_eq!(said(&project), ["beforeVerify", "afterVerify", "finally"]);
    project.ends(1, ["verify", &head, "--hooks", "--require", &head]);
    assert_eq!(said(&project), ["beforeVerify", "afterErrorVerify", "finally"]);
    project.ok(["erase", "--event", "1", "--basis", "art17.1.a", "--request", "R-1"]);
    assert_eq!(said(&project), ["beforeErase", "afterErase", "finally"]);
    assert_eq!(project.story().split_off(5), ["erase", "attach"]);
    hook(&project, "beforeErase.rhai", "deny(\"not-now\", \"the audit is not over\")");
    let head = project.head();
    project.ends(1, ["erase", "--event", "2", "--basis", "art17.1.a", "--request", "R-1"]).says(&["not-now"]);
    hook(&project, "beforePlan.rhai", "deny(\"frozen\", \"no plans in December\")");
    project.ends(1, ["plan", "--out", "other.json"]).says(&["frozen"]);
    assert!(!project.path("other.json").exists());
    assert_eq!(project.head(), head);
    project.verify();
}

#[test]
fn what_programs_printed_is_sealed() {
    let project = project(&[("afterMigrate.sh", "echo told the team >&2; cat >/dev/null")]);
    project.ok(["apply"]).prints(&["hook afterMigrate.sh: allow"]);
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2", "apply 3", "attach"]);
    let attach = project.json(&["show", "4"]);
    let file = &attach["files"][0];
    assert_eq!(
        (&file["role"], &file["name"], &file["sealed"]),
        (&json!("output"), &json!("0.sealed"), &json!(true))
    );
    assert_eq!(attach["event"]["about"].as_array().unwrap().len(), 3);
    assert!(attach["event"]["commitments"]["0.sealed"].as_str().unwrap().starts_with("hmac-sha256:"));
    let archive = project.read("archive/demo.car");
    assert!(!archive.windows(13).any(|window| window == b"told the team"));
    let report = project.json(&["verify", &project.head(), "--open"]);
    assert_eq!(
        (&report["verified"], &report["sealedStates"]["open"]),
        (&json!(true), &json!(3)),
        "{report:#}"
    );
}

#[test]
fn the_hooks_command_lists_tries_and_describes() {
    let project = project(&[
        ("finally.sh", "exit 1"),
        ("beforeMigrate__b.rhai", "// sector: santé\nwarn(\"look\", context.project)"),
        ("beforeMigrate__a.rhai", "context.mistake"),
    ]);
    project.write("hooks/README.md", "");
    let run = project.ok(["hooks", "list"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{run:#?}");
    assert!(lines[0].contains("beforeMigrate__a.rhai") && lines[1].contains("sector: sante"), "{run:#?}");
    assert!(lines[2].starts_with("finally") && lines[2].contains("program"), "{run:#?}");
    let object = project.json(&["hooks", "list"]);
    assert_eq!((&object["command"], &object["setAside"]), (&json!("hooks"), &json!(["README.md"])));
    let events = project.ok(["hooks", "list", "--events"]).stdout;
    assert_eq!((events.lines().count(), events.lines().next()), (25, Some("beforePlan")));
    let run = project.ends(1, ["hooks", "check"]);
    run.prints(&[
        "beforeMigrate__a.rhai: broken Property not found: mistake",
        "beforeMigrate__b.rhai: warn look example",
        "finally.sh: a program, not started",
        "3 hook(s), 1 broken; 0 would deny the example",
    ]);
    let schema: Value = serde_json::from_str(&project.ok(["hooks", "schema"]).stdout).unwrap();
    assert_eq!(schema["properties"]["greffe"]["const"], "hook/1");
    project.remove("hooks/beforeMigrate__a.rhai");
    project.ok(["hooks", "check"]);
    // Without settings and without a folder there is nothing to list.
    Project::empty().ok(["hooks", "list"]).prints(&["no hooks"]);
}

#[test]
fn a_folder_that_is_named_has_to_be_there() {
    let project = Project::with(&THREE);
    project
        .unchanged(|| project.ends(2, ["apply", "--hooks-folder", "nowhere"]))
        .says(&["nowhere", "hint: make the folder"]);
    project.ok(["apply"]);
}

/// Every example of the page, in the file that its first line names.
#[test]
fn the_examples_of_the_page_run() {
    let page = include_str!("../../docs/hooks.md");
    let mut files = Vec::new();
    for block in page.split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        if !matches!(language, "rhai" | "sh") {
            continue;
        }
        let line = text.lines().find_map(|line| line.split_once("hooks/")).unwrap();
        files.push((line.1.trim().to_owned(), text.trim_start_matches("#!/bin/sh\n").to_owned()));
    }
    assert_eq!(files.len(), 5);
    let hooks: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let scripts =
        [("1_a.up.sql", "-- sector: santé\nCREATE TABLE a (id INTEGER PRIMARY KEY);\nDROP TABLE a;\n")];
    let project = with(&scripts, &hooks);
    project.ok(["hooks", "check"]).prints(&["5 hook(s), 0 broken; 0 would deny the example"]);
    project.ends(1, ["apply"]).says(&["records-are-kept", "sante: 1 has DROP TABLE", "say-why", "way-down"]);
    project.ends(1, ["apply", "--hooks-environment", "production"]);
    project.script(
        "1_a.up.sql",
        "-- purpose: keeps a\n-- sector: santé\nCREATE TABLE a (id INTEGER PRIMARY KEY);\n",
    );
    let run = project.ok(["apply"]);
    run.prints(&["hook beforeMigrate__documented.rhai: warn way-down: 1 cannot be taken back", "applied 1"]);
    let line: Value = serde_json::from_slice(&project.read("migrations.log")).unwrap();
    assert_eq!(line["outcome"]["done"], json!(["1"]));
    let production = ["apply", "--hooks-on-empty", "true", "--hooks-environment", "production"];
    let run = project.run(production);
    assert!(
        run.code == 1 && (run.stderr.contains("no-backup") || run.stderr.contains("no-fridays")),
        "{run:#?}"
    );
    project.verify();
}
