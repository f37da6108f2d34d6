//! What a hook of Alembic notes of its steps.

use serde_json::json;

use super::{event, on_postgresql};
use crate::shop::Shop;

/// The hook as docs/record.md has it.
fn hooked(shop: &mut Shop) {
    let documented = include_str!("../../../docs/record.md").split_once("```python\n").unwrap().1;
    let hook = documented.split_once("```").unwrap().0;
    shop.project.write("steps.py", hook);
    let app = String::from_utf8(shop.project.read("app.py")).unwrap();
    let app = app.replacen("import os\n", "import os\n\nfrom steps import note_step\n", 1);
    shop.project
        .write("app.py", app.replace("Migrate(app, db)", "Migrate(app, db, on_version_apply=note_step)"));
    let spool = shop.project.path("steps.jsonl").display().to_string();
    shop.project.variables.push(("GREFFE_STEPS".to_owned(), spool));

    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    shop.flask(&["db", "upgrade"]);
    shop.flask(&["db", "downgrade", "5a0c"]);
    shop.flask(&["db", "upgrade"]);
    shop.add(&["7c2e", "8d3f", "9e40"]);
    shop.flask(&["db", "upgrade"]);
    shop.flask(&["db", "stamp", "7c2e"]);
    project.ok(["record", "--collect"]);
    let mut story = project.story();
    story[5..7].sort();
    let expected =
        ["apply 5a0c", "apply 6b1d", "rollback 6b1d", "apply 6b1d", "apply 7c2e", "apply 8d3f", "apply 9e40"];
    assert_eq!(story[1..8], expected);
    assert_eq!(story[8..], ["stamp 9e40", "stamp 8d3f"]);
    let first = event(project, 1);
    assert_eq!(
        (&first["evidence"], &first["tool"]["capture"]["journal"]),
        (&json!("captured"), &json!("steps"))
    );
    project.ok(["record", "--collect"]).prints(&["nothing to collect"]);

    // A run that fails is rolled back, or stays where it came to, and the lines say the same.
    shop.flask(&["db", "stamp", "9e40"]);
    project.ok(["record", "--collect"]);
    shop.add(&["af51"]);
    let mut flask = std::process::Command::new(crate::shop::programs().join("flask"));
    project.prepare(&mut flask);
    assert!(!flask.args(["db", "upgrade"]).output().unwrap().status.success());
    project.ok(["record", "--collect"]).prints(&["nothing to collect"]);

    let lines = String::from_utf8(project.read("steps.jsonl")).unwrap();
    // A line that the tool's table does not confirm is nobody's word.
    let forged = json!({
        "id": "00000000-0000-4000-8000-000000000000", "at": "2999-01-01T00:00:00.000000Z", "step": "up",
        "revisions": ["af51"], "heads": ["af51"],
    });
    project.write("steps.jsonl", format!("{lines}{forged}\n"));
    let run = project.ends(1, ["record", "--collect"]);
    run.says(&["af51", "the tool's table does not confirm"]).prints(&["nothing to collect"]);
    let found = project.ends(1, ["record", "--collect", "--json"]).object();
    assert_eq!(found["unconfirmed"], json!(["af51"]), "{found:#}");

    let bad =
        ["{}", "\u{0}", "[1]", &format!("\"{}\"", "x".repeat(100_000)), "{\"id\":\"../..\",\"at\":\"now\"}"];
    project.write("steps.jsonl", format!("{lines}{}\n{{\"id\":\"unfinished", bad.join("\n")));
    project.ends(1, ["record", "--collect"]).says(&["that a hook writes"]).prints(&["nothing to collect"]);
    project.verify();
}

#[test]
fn the_documented_hook_is_collected_on_sqlite() {
    hooked(&mut Shop::in_a_file());
}

#[test]
fn the_documented_hook_is_collected_on_postgresql() {
    hooked(&mut on_postgresql().0);
}
