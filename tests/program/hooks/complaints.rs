//! What people complain of in the hooks of another tool: here each of it is otherwise.

use serde_json::{Value, json};

use super::{hook, project, seen, told, with};
use crate::project::THREE;

const FAILS: [(&str, &str); 3] = [
    ("1_a.up.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n"),
    ("2_b.up.sql", "INSERT INTO nowhere VALUES (1);\n"),
    ("3_c.up.sql", "CREATE TABLE c (id INTEGER PRIMARY KEY);\n"),
];

#[test]
fn cleanup_after_failure_runs_whatever_failed() {
    let tell = "echo $GREFFE_EVENT >>said; cat >>documents; echo >>documents";
    let hooks = [
        "beforeMigrate.sh",
        "afterMigrate.sh",
        "afterErrorMigrate.sh",
        "afterErrorEachMigrate.sh",
        "afterEachMigrate.sh",
        "finally.sh",
    ];
    let project = with(&FAILS, &hooks.map(|file| (file, tell)));
    project.ends(3, ["apply"]);
    let said: Vec<String> = seen(&project, "said").lines().map(str::to_owned).collect();
    assert_eq!(
        said,
        ["beforeMigrate", "afterEachMigrate", "afterErrorEachMigrate", "afterErrorMigrate", "finally"]
    );
    let documents: Vec<Value> =
        seen(&project, "documents").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcome = &documents[3]["outcome"];
    assert_eq!(
        (&outcome["result"], &outcome["done"], &outcome["error"]["version"]),
        (&json!("failed"), &json!(["1"]), &json!("2"))
    );
    assert!(!outcome["error"]["code"].as_str().unwrap().is_empty(), "{outcome}");
    assert_eq!(project.story(), ["genesis", "apply 1", "fail 2", "attach"]);
    // A hook that says no, and a program that fails, are failures too.
    for no in ["deny(\"a\", \"b\")", "throw 1"] {
        let project =
            with(&FAILS, &[("beforeMigrate.rhai", no), ("afterErrorMigrate.sh", tell), ("finally.sh", tell)]);
        project.ends(1, ["apply"]);
        assert_eq!(seen(&project, "said"), "afterErrorMigrate\nfinally\n");
        assert!(seen(&project, "documents").contains("\"result\":\"denied\""));
    }
}

#[test]
fn an_after_hook_cannot_un_record_what_ran() {
    let fails = [
        ("afterMigrate.sh", "exit 1"),
        ("afterEachMigrate.sh", "kill -9 $$"),
        ("finally.rhai", "deny(\"too-late\", \"x\")"),
    ];
    let project = project(&fails);
    let run = project.ok(["apply"]);
    run.prints(&[
        "applied 3 as entry 3",
        "hook afterEachMigrate.sh (1): deny hook-broken: it was ended by signal 9",
        "hook afterMigrate.sh: deny hook-denied",
        "hook finally.rhai: deny too-late",
    ]);
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2", "apply 3", "attach"]);
    project.verify();
    project.ok(["status"]);
    project.ok(["apply"]).prints(&["nothing to apply"]);
}

#[test]
fn the_record_is_durable_before_hooks_hear_of_it() {
    // What the hook finds in the archive's file then is what the document says.
    let project = project(&[("afterMigrate.sh", "cat >document; cp archive/demo.car copy.car")]);
    project.ok(["apply"]);
    let document: Value = serde_json::from_str(&seen(&project, "document")).unwrap();
    let outcome = &document["outcome"];
    assert_eq!((&outcome["result"], &outcome["archived"]), (&json!("succeeded"), &json!(3)));
    let report = project.json(&["verify", "copy.car"]);
    assert_eq!((&report["entries"], &report["root"]), (&json!(4), &outcome["head"]), "{report:#}");
}

#[test]
fn hooks_are_not_asked_on_empty_runs_unless_somebody_wants_it() {
    let project = project(&[
        ("beforeMigrate.sh", "echo x >>said"),
        ("afterMigrate.sh", "echo y >>said"),
        ("beforeMigrate.rhai", "allow()"),
    ]);
    project.ok(["apply"]);
    assert_eq!(seen(&project, "said"), "x\ny\n");
    let head = project.head();
    let object = project.json(&["apply"]);
    assert_eq!((told(&object), project.head()), (vec![], head));
    assert_eq!(seen(&project, "said"), "x\ny\n");
    let object = project.json(&["apply", "--hooks-on-empty", "true"]);
    assert_eq!(told(&object).len(), 3, "{object:#}");
    assert_eq!(seen(&project, "said"), "x\ny\nx\ny\n");
    project.verify();
}

#[test]
fn hooks_are_told_what_the_run_is_and_nothing_that_is_nobodys_business() {
    let scripts = [
        (
            "1_a.up.sql",
            "-- purpose: keeps Ada's grades\n-- sector: éducation\nCREATE TABLE a (id INTEGER PRIMARY KEY, n TEXT);\n",
        ),
        ("1_a.down.sql", "DROP TABLE a;\n"),
        (
            "2_b.up.sql",
            "-- depends-on: 1\nINSERT INTO a (n) VALUES ('hunter2');\nINSERT INTO a (n) VALUES ('x');\n",
        ),
    ];
    let project = with(&scripts, &[("beforeMigrate.sh", "cat >before"), ("afterMigrate.sh", "cat >after")]);
    project.ok(["apply", "--to", "1"]);
    project.ok(["apply", "--hooks-environment", "staging"]);
    let before: Value = serde_json::from_str(&seen(&project, "before")).unwrap();
    assert_eq!(
        (&before["greffe"], &before["event"], &before["project"]),
        (&json!("hook/1"), &json!("beforeMigrate"), &json!("demo"))
    );
    assert_eq!((&before["environment"], &before["direction"]), (&json!("staging"), &json!("up")));
    assert_eq!(before["counts"], json!({ "applied": 1, "migrations": 1, "statements": 2 }));
    assert_eq!((&before["target"]["name"], &before["target"]["engine"]), (&json!("demo"), &json!("sqlite")));
    assert!(before["schema"]["fingerprint"].as_str().unwrap().starts_with("sha256:"), "{before:#}");
    let migration = &before["migrations"][0];
    assert_eq!((&migration["version"], &migration["dependsOn"]), (&json!("2"), &json!(["1"])));
    assert_eq!((&migration["kinds"], &migration["hasDown"]), (&json!(["INSERT"]), &json!(false)));
    assert_eq!(before["outcome"], Value::Null);
    let after: Value = serde_json::from_str(&seen(&project, "after")).unwrap();
    assert_eq!(after["outcome"]["done"], json!(["2"]));
    for document in ["before", "after"] {
        let text = seen(&project, document);
        assert!(!text.contains("hunter2") && !text.contains("Ada") && !text.contains("grades"), "{text}");
        let secrets = project.secrets.iter().any(|secret| text.contains(secret));
        assert!(!secrets, "{text}");
    }
    // The run in the archive is the run that hooks were told of.
    assert_eq!(project.json(&["show", "3"])["event"]["run"]["id"], before["run"]);
}

#[test]
fn lines_come_in_the_order_in_which_things_happen() {
    let project = project(&[
        ("beforeMigrate__1.rhai", "warn(\"first\", \"x\")"),
        ("beforeMigrate__2.sh", "echo '{\"verdict\":\"warn\",\"rule\":\"second\"}'"),
        ("afterMigrate__1.sh", "echo '{\"verdict\":\"warn\",\"rule\":\"third\"}'"),
        ("finally.rhai", "warn(\"fourth\", \"x\")"),
    ]);
    let run = project.ok(["apply"]);
    let place = |text: &str| run.stdout.find(text).unwrap_or_else(|| panic!("{text} is not in {run:#?}"));
    let places = [
        "warn first",
        "warn second",
        "applied 1 ",
        "applied 2 ",
        "applied 3 ",
        "warn third",
        "warn fourth",
        "head ",
    ]
    .map(place);
    assert!(places.is_sorted(), "{run:#?}");
    assert!(!run.stderr.contains("hook"), "{run:#?}");
}

#[test]
fn a_misnamed_file_is_an_error_and_not_passed_over() {
    for (file, said) in [
        ("beforMigrate.sh", "the nearest one is `beforeMigrate`"),
        ("beforemigrate.rhai", "the nearest one is `beforeMigrate`"),
        ("beforeMigrate.sql", "is SQL"),
        ("migrate.sh", "`migrate` is none"),
        ("beforeMigrate__.sh", "has no name"),
        ("beforeMigrate.sh~", "is a copy of a hook"),
        ("beforeMigrate.RHAI", "in small letters"),
    ] {
        let project = project(&[(file, "exit 0")]);
        for command in [&["apply"][..], &["hooks", "list"], &["hooks", "check"]] {
            project.unchanged(|| project.ends(2, command)).says(&[said, "hint: rename"]);
        }
    }
    let project = project(&[]);
    project.write("hooks/beforeMigrate.sh", "#!/bin/sh\n");
    project.ends(2, ["apply"]).says(&["chmod +x"]);
    hook(&project, "beforeMigrate.sh", "# enviroment: production\nexit 0");
    project.ends(2, ["apply"]).says(&["the nearest one is `environment`"]);
    assert_eq!(project.tables(), "");
    assert_eq!(THREE.len(), 6);
}
