//! Sessions of a tool that greffe runs say for which run they work.

use serde_json::{Value, json};

use crate::servers::Postgres;
use crate::shop::Shop;

fn changes(shop: &Shop, code: i32) -> Vec<Value> {
    let found = shop.project.ends(code, ["guard", "changes", "--json"]).object();
    found["changes"].as_array().unwrap().clone()
}

#[test]
fn what_a_recorded_tool_changes_is_told_from_what_it_does_alone() {
    let database = Postgres::shared().database("guardshop");
    let url = database.url();
    let mut shop = Shop::on(&url.replacen("postgres://", "postgresql+psycopg://", 1), &url);
    let admin = database.url_as(database.administrator());
    shop.project.variables.push(("ADMIN_URL".to_owned(), admin));
    let project = &shop.project;
    project.ok(["guard", "install", "--reader", "greffe", "--database", "env:ADMIN_URL"]);

    shop.add(&["5a0c"]);
    project.ok(["record", "--", "flask", "db", "upgrade"]);
    let seen = changes(&shop, 0);
    assert!(!seen.is_empty() && seen.iter().all(|change| change["standing"] == "archived"), "{seen:#?}");
    let event = project.json(&["show", "1"])["event"].clone();
    assert_eq!((&seen[0]["run"], &seen[0]["seq"]), (&event["run"]["id"], &json!(1)), "{event:#}");
    project.ok(["audit"]).prints(&["no difference"]);

    // A tool whose driver says nothing of what it is given.
    shop.add(&["6b1d"]);
    project.ok(["record", "--", "env", "-u", "PGOPTIONS", "flask", "db", "upgrade"]);
    let beside: Vec<Value> = changes(&shop, 0).split_off(seen.len());
    let run = project.json(&["show", "2"])["event"]["run"]["id"].clone();
    assert!(!beside.is_empty(), "the script changes the schema");
    assert!(
        beside.iter().all(|change| change["standing"] == "beside" && change["during"] == run),
        "{beside:#?}"
    );

    // While one that says it runs, who says nothing is somebody else.
    shop.add(&["7c2e"]);
    let client = "psql \"$DATABASE_URL\" --quiet --command 'CREATE TABLE public.marked ()'";
    let silent = format!("env -u PGOPTIONS {}", client.replace("marked", "unmarked"));
    let all = format!("flask db upgrade 7c2e && {client} && {silent}");
    project.ok(["record", "--", "sh", "-c", &all]);
    let found = changes(&shop, 1);
    let [.., marked, unmarked] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((&marked["identity"], &marked["standing"]), (&json!("public.marked"), &json!("archived")));
    assert_eq!((&unmarked["identity"], &unmarked["reason"]), (&json!("public.unmarked"), &json!("unmarked")));

    // A run that comes to nothing in the tool's history is none that the chain tells of.
    project.ok(["record", "--", "sh", "-c", &client.replace("marked", "nothing")]);
    let last = changes(&shop, 1).pop().unwrap();
    assert_eq!((&last["identity"], &last["reason"]), (&json!("public.nothing"), &json!("unknown-run")));

    // Without greffe around it, it is out of band, also where the run is told of later.
    shop.add(&["8d3f"]);
    shop.flask(&["db", "upgrade", "8d3f"]);
    project.ok(["record", "--", "true"]);
    let last = changes(&shop, 1).pop().unwrap();
    assert_eq!((&last["standing"], &last["reason"]), (&json!("out-of-band"), &json!("unmarked")), "{last:#}");
}
