//! Promotion: production applies what the staging chain shows as applied, and verify follows the link.

use serde_json::json;

use crate::accesses::accesses;
use crate::project::{Project, THREE};

const SCHEMA: [(&str, &str); 4] = [THREE[0], THREE[1], THREE[2], THREE[3]];

fn chain_of(project: &Project) -> String {
    project.json(&["show", "0"])["manifest"].as_str().unwrap().to_owned()
}

/// A staging chain with two migrations applied, and a production that promotes from it, with its file at hand.
fn both() -> (Project, Project) {
    let staging = Project::empty();
    staging.ok(["init", "--name", "staging", "--database", "sqlite:app.db"]);
    staging.scripts(&SCHEMA);
    staging.ok(["apply"]);
    let production = Project::with(&SCHEMA);
    let chain = chain_of(&staging);
    let mut production = production;
    production.variables.push(("GREFFE_PROMOTION_FROM".to_owned(), chain));
    production.variables.push(("GREFFE_PROMOTION_FILE".to_owned(), "staging.car".to_owned()));
    bring(&staging, &production);
    (staging, production)
}

/// Brings the staging archive to production, as a build does.
fn bring(staging: &Project, production: &Project) {
    let _ = std::fs::remove_file(staging.path("staging.car"));
    staging.ok(["export", "--out", "staging.car"]);
    production.write("staging.car", staging.read("staging.car"));
}

#[test]
fn what_staging_shows_as_applied_is_applied_and_the_link_is_followed() {
    let (staging, production) = both();
    production.ok(["apply"]);
    let shown = production.json(&["show", "1"]);
    let there = staging.json(&["show", "1"])["manifest"].clone();
    assert_eq!(shown["event"]["promotedFrom"], there, "{shown:#}");
    let report = production.json(&["verify", &production.head()]);
    assert_eq!(
        (&report["verified"], &report["promotions"]),
        (&json!(true), &json!({"followed": 2, "notAtHand": 0}))
    );
    // Without the staging chain it verifies as well, and says that the links were not followed.
    let mut alone = production.copy();
    alone.variables.retain(|(name, _)| !name.starts_with("GREFFE_PROMOTION"));
    let report = alone.json(&["verify", &alone.head()]);
    assert_eq!(
        (&report["verified"], &report["promotions"]),
        (&json!(true), &json!({"followed": 0, "notAtHand": 2}))
    );
    alone.ok(["verify", &alone.head()]).prints(&["0 links to another chain followed, 2 not"]);
    // An archive of it beside this one does as well as a file.
    production.ok(["import", "staging.car"]);
    let mut beside = production.copy();
    beside.variables.retain(|(name, _)| name != "GREFFE_PROMOTION_FILE");
    let report = beside.json(&["verify", &beside.head()]);
    assert_eq!(report["promotions"], json!({"followed": 2, "notAtHand": 0}));
}

#[test]
fn what_did_not_run_on_staging_does_not_run_here() {
    let (staging, production) = both();
    production.script("4_later.up.sql", "CREATE TABLE later (id INTEGER);\n");
    production.refused(&["apply"], 1, &["version 4 is not applied in the chain from which", "on staging"]);
    production.remove("migrations/4_later.up.sql");
    production.script("2_books.up.sql", THREE[2].1.replace("author INTEGER", "author TEXT"));
    production.refused(&["apply"], 1, &["`2_books.up.sql` of 2 is not the script that ran"]);
    production.script("2_books.up.sql", THREE[2].1);
    // Another way down, too: it would run here one day.
    production.script("2_books.down.sql", "DROP TABLE authors;\n");
    production.refused(&["apply"], 1, &["`2_books.down.sql` of 2 is not the script"]);
    production.script("2_books.down.sql", THREE[3].1);
    staging.ok(["rollback", "--steps", "1"]);
    bring(&staging, &production);
    production.refused(&["apply"], 1, &["version 2 is not applied"]);
    production.ok(["apply", "--to", "1"]);
    staging.ok(["apply"]);
    bring(&staging, &production);
    production.ok(["apply"]);
    production.verify();
}

#[test]
fn what_staging_says_is_gone_does_not_run_here() {
    let (staging, production) = both();
    staging.sql("DROP TABLE books");
    staging.ok(["repair", "2", "--rolled-back"]);
    bring(&staging, &production);
    production.refused(&["apply"], 1, &["version 2 is not applied in the chain from which"]);
    // Nor does a repair stand for a rollback.
    staging.ok(["apply"]);
    bring(&staging, &production);
    production.refused(&["apply", "--promotion-rolled-back"], 1, &["was never rolled back"]);
    production.ok(["apply"]);
    production.verify();
}

#[test]
fn what_a_way_down_left_half_undone_does_not_run_here() {
    let scripts = [
        ("1_a.up.sql", "CREATE TABLE a (id INTEGER);\nCREATE TABLE b (id INTEGER);\n"),
        ("1_a.down.sql", "-- no-transaction\nDROP TABLE a;\nDROP TABLE missing;\nDROP TABLE b;\n"),
    ];
    let staging = Project::with(&scripts);
    staging.ok(["apply"]);
    staging.ends(3, ["rollback", "--steps", "1"]);
    assert_eq!((staging.tables().as_str(), staging.story().last().unwrap().as_str()), ("b", "fail 1"));
    staging.ok(["export", "--out", "staging.car"]);
    let mut production = Project::with(&scripts);
    production.write("staging.car", staging.read("staging.car"));
    production.variables.push(("GREFFE_PROMOTION_FROM".to_owned(), chain_of(&staging)));
    production.variables.push(("GREFFE_PROMOTION_FILE".to_owned(), "staging.car".to_owned()));
    production.refused(&["apply"], 1, &["a way down of version 1 failed in the chain", "greffe repair"]);
    staging.sql("DROP TABLE b");
    staging.ok(["repair", "1", "--rolled-back"]);
    staging.ok(["apply"]);
    bring(&staging, &production);
    production.ok(["apply"]);
    production.verify();
}

#[test]
fn what_a_transaction_took_back_is_still_applied() {
    let scripts = [
        ("1_a.up.sql", "CREATE TABLE a (id INTEGER);\n"),
        ("1_a.down.sql", "DROP TABLE a;\nDROP TABLE missing;\n"),
    ];
    let staging = Project::with(&scripts);
    staging.ok(["apply"]);
    staging.ends(3, ["rollback", "--steps", "1"]);
    staging.ok(["export", "--out", "staging.car"]);
    let mut production = Project::with(&scripts);
    production.write("staging.car", staging.read("staging.car"));
    production.variables.push(("GREFFE_PROMOTION_FROM".to_owned(), chain_of(&staging)));
    production.variables.push(("GREFFE_PROMOTION_FILE".to_owned(), "staging.car".to_owned()));
    production.ok(["apply"]);
}

#[test]
fn what_has_to_be_replayed_comes_out_again_or_does_not_run_here() {
    let scripts = [
        // Twice the same number.
        (
            "1_a.up.sql",
            "CREATE TABLE a AS\nSELECT count(*) AS n FROM sqlite_master UNION ALL SELECT count(*) FROM sqlite_master;\n",
        ),
        ("2_b.up.sql", "CREATE UNIQUE INDEX a_n ON a (n);\n"),
    ];
    let staging = Project::with(&scripts).publishing("all");
    staging.ok(["apply", "--to", "1"]);
    let mut production = Project::with(&scripts).publishing("all");
    production.variables.push(("GREFFE_PROMOTION_FROM".to_owned(), chain_of(&staging)));
    production.variables.push(("GREFFE_PROMOTION_FILE".to_owned(), "staging.car".to_owned()));
    bring(&staging, &production);
    production.ok(["apply", "--promotion-replayed", "--to", "1"]);
    // Somebody's hand, which no fingerprint of a schema shows, lets the next one pass on staging.
    staging.sql("DELETE FROM a WHERE rowid = 2");
    staging.ok(["apply"]);
    bring(&staging, &production);
    let said =
        ["does not come out the same again: entry 2: its script fails here in statement 1", "greffe replay"];
    production.refused(&["apply", "--promotion-replayed"], 1, &said);
    assert_eq!(production.tables(), "a");
    let mut alone = production.copy();
    alone.variables.retain(|(name, _)| !name.starts_with("GREFFE_PROMOTION"));
    alone.refused(&["apply", "--promotion-replayed"], 2, &["is not said", "promotion.from"]);
}

#[test]
fn nothing_is_promoted_from_its_own_chain() {
    let (_, mut production) = both();
    production.variables.retain(|(name, _)| !name.starts_with("GREFFE_PROMOTION"));
    production.variables.push(("GREFFE_PROMOTION_FROM".to_owned(), chain_of(&production)));
    production.refused(&["apply"], 1, &["is the one that they would be promoted to", "promotion.from"]);
}

#[test]
fn what_has_to_be_rolled_back_there_was() {
    let (staging, mut production) = both();
    production.variables.push(("GREFFE_PROMOTION_ROLLED_BACK".to_owned(), "true".to_owned()));
    production.refused(&["apply"], 1, &["version 1 was never rolled back", "apply it again"]);
    staging.ok(["rollback", "--steps", "2"]);
    staging.ok(["apply"]);
    bring(&staging, &production);
    production.ok(["apply"]);
    assert_eq!(production.tables(), "authors,books");
}

#[test]
fn another_a_damaged_and_an_absent_staging_chain_are_refused() {
    let (staging, production) = both();
    let whole = production.read("staging.car");
    let other = Project::with(&SCHEMA);
    other.ok(["apply"]);
    other.ok(["export", "--out", "staging.car"]);
    production.write("staging.car", other.read("staging.car"));
    production.refused(&["apply"], 1, &["is not verified", "not one that this verifier was told to trust"]);
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    production.write("staging.car", &damaged);
    production.refused(&["apply"], 1, &["is not verified"]);
    production.remove("staging.car");
    production.ends(3, ["apply"]);
    let mut beside = production.copy();
    beside.variables.retain(|(name, _)| name != "GREFFE_PROMOTION_FILE");
    beside.refused(&["apply"], 3, &["is not at hand in", "greffe mirror"]);
    beside.variables.retain(|(name, _)| name != "GREFFE_PROMOTION_FROM");
    beside.refused(&["apply", "--promotion-rolled-back"], 2, &["is not said", "promotion.from"]);
    drop(staging);
}

#[test]
fn sealed_scripts_are_promoted_where_one_vault_has_their_keys() {
    let staging = Project::with(&SCHEMA).publishing("sealed");
    staging.ok(["apply"]);
    staging.ok(["export", "--out", "staging.car"]);
    let mut production = Project::with(&SCHEMA).publishing("sealed");
    production.write("staging.car", staging.read("staging.car"));
    production.variables.push(("GREFFE_PROMOTION_FROM".to_owned(), chain_of(&staging)));
    production.variables.push(("GREFFE_PROMOTION_FILE".to_owned(), "staging.car".to_owned()));
    production.run(["apply"]).exits(1).says(&["is sealed in the chain from which", "use one vault"]);
    assert_eq!(production.tables(), "");
    let vault = format!("sqlite:{}", staging.path("greffe.vault.db").display());
    production.ok(["apply", "--vault", &vault]);
    assert_eq!(production.tables(), "authors,books");
    production.verify();
    // The access chain tells of both: what could not be opened, and what was.
    let found = accesses(&production, "demo");
    let told: Vec<_> = found.iter().map(|access| (&access["purpose"], &access["failure"])).collect();
    assert_eq!(told, [(&json!("apply"), &json!("no-key")), (&json!("promotion"), &json!(null))]);
    assert_eq!(found[1]["chain"], chain_of(&staging));
}

#[test]
fn a_link_to_something_else_is_a_finding() {
    let (staging, production) = both();
    production.ok(["apply"]);
    // The staging chain as it would have to be for another script to have run there: another chain has none of it.
    let forged = Project::with(&[("1_authors.up.sql", "CREATE TABLE other (id INTEGER);\n")]);
    forged.ok(["apply"]);
    forged.ok(["export", "--out", "staging.car"]);
    production.write("staging.car", forged.read("staging.car"));
    let report = production.json(&["verify", &production.head()]);
    assert_eq!(report["promotions"], json!({"followed": 0, "notAtHand": 2}));
    // The very chain, damaged: what cannot be verified vouches for nothing.
    let mut damaged = staging.read("staging.car");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    production.write("staging.car", &damaged);
    let run = production.run(["verify", &production.head(), "--json"]);
    let report = run.object();
    let followed = report["promotions"]["followed"].as_u64().unwrap();
    let codes: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    assert!(followed == 0 || codes.contains(&"promotion-differs"), "{report:#}");
}
