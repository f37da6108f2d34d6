//! One test for each article of the table in docs/privacy.md, through the commands alone.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::project::{Project, THREE, VAULT_OWNER};

const MAP: &str = "
version: 1
person: authors.id
tables:
  authors:
    erase: anonymise
    columns:
      id:   {class: technical, export: true}
      name: {class: identifier, export: true, replace: anonyme}
  books:
    via: authors.id -> author
    erase: keep
    basis: art17.3.b
    columns:
      id:     {class: technical, export: true}
      author: {class: technical, export: false}
";

/// Ada and Mary, with a map that says what is theirs; everything sealed, since nobody asked for anything else.
fn shop() -> Project {
    let mut project = Project::empty();
    project.variables.retain(|(name, _)| name != "GREFFE_PUBLISH");
    project.ok(["init", "--name", "demo", "--database", "sqlite:app.db"]);
    project.scripts(&THREE);
    project.ok(["apply"]);
    project.write("greffe.subject.yaml", MAP);
    project.ok(["subject", "new-key", "--out", "list.key"]);
    project.variables.push(("GREFFE_ERASURE_KEY".to_owned(), "file:list.key".to_owned()));
    project
}

fn copy_of(project: &Project, file: &str) -> Value {
    project.ok(["subject", "export", "1", "--out", file]);
    serde_json::from_slice(&project.read(file)).unwrap()
}

fn archive_has(project: &Project, text: &str) -> bool {
    project.read("archive/demo.car").windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn article_5_1_c_personal_data_stop_a_migration() {
    let project = shop();
    project.script("4_staff.up.sql", "INSERT INTO authors (name) VALUES ('j.morel@mairie-lyon.fr');");
    project.unchanged(|| project.ends(1, ["apply"])).says(&["4_staff.up.sql", "email"]);
    assert!(!archive_has(&project, "morel") && !archive_has(&project, "Mary"));
    let actor = project.json(&["show", "3"])["event"]["actor"].clone();
    assert_eq!(actor.as_object().unwrap().keys().collect::<Vec<_>>(), ["pseudonym", "role"]);
}

#[test]
fn article_5_1_e_what_was_kept_long_enough_is_erased() {
    let project = shop();
    let vault = project.path("greffe.vault.db");
    project.sql_of(
        &vault,
        "BEGIN; PRAGMA defer_foreign_keys = 1; UPDATE vault_period SET period = '2020-01'; \
         UPDATE vault_batch SET period = '2020-01'; COMMIT",
    );
    project.ok(["retention", "run", "--vault-retention", "1y"]).prints(&["erased 6 sealed file(s)"]);
    let report = project.json(&["verify", &project.head(), "--open"]);
    assert_eq!((&report["verified"], &report["sealedStates"]["erased"]), (&json!(true), &json!(6)));
}

#[test]
fn article_15_a_person_gets_a_copy() {
    let copy = copy_of(&shop(), "copy.json");
    assert_eq!(copy["tables"]["authors"], json!([{"id": 1, "name": "Ada"}]), "{copy:#}");
}

#[test]
fn article_17_a_person_is_erased_from_database_and_archive() {
    let project = shop();
    let subject = ["subject", "erase", "1", "--request", "R-17", "--basis", "art17.1.a", "--apply"];
    project.ok(subject);
    assert_eq!(project.sql("SELECT name FROM authors ORDER BY id"), "anonyme\nMary");
    assert_eq!(project.json(&["subject", "receipt", "receipt-R-17.json"])["receipt"]["outcome"], "done");
    project.ok(["show", "3", "--script"]).prints(&["Ada"]);
    project.ok(["erase", "--event", "3", "--basis", "art17.1.a", "--request", "R-17"]);
    project.ends(3, ["show", "3", "--script"]).says(&["sealed"]);
    let report = project.json(&["verify", &project.head(), "--open"]);
    assert_eq!((&report["verified"], &report["sealedStates"]["erased"]), (&json!(true), &json!(2)));
}

#[test]
fn article_20_the_copy_is_one_that_other_programs_read() {
    let project = shop();
    assert!(copy_of(&project, "copy.json")["tables"].is_object());
    project.ok(["subject", "export", "1", "--format", "csv", "--out", "copy"]);
    assert_eq!(String::from_utf8(project.read("copy/authors.csv")).unwrap(), "id,name\n1,Ada\n");
}

#[test]
fn article_25_nothing_is_published_unless_somebody_says_so() {
    let project = shop();
    for seq in ["1", "2", "3"] {
        let entry = project.json(&["show", seq]);
        let files = entry["files"].as_array().unwrap();
        assert!(files.len() == 2 && files.iter().all(|file| file["sealed"] == true), "{entry:#}");
        assert_eq!(entry["event"]["migration"]["name"], Value::Null);
        assert_eq!(entry["event"]["migration"]["purpose"], Value::Null);
    }
    assert!(!archive_has(&project, "authors") && !archive_has(&project, "CREATE TABLE authors"));
}

#[test]
fn article_30_the_record_of_processing_is_written() {
    let mut project = shop();
    project.ok(["erase", "--event", "3", "--basis", "art17.1.a", "--request", "R-30"]);
    let pseudonym = project.json(&["show", "1"])["event"]["actor"]["pseudonym"].as_str().unwrap().to_owned();
    project.fed(["vault", "person", &pseudonym], "Ada Lovelace\n");
    let english = project.ok(["gdpr", "register", "--lang", "en"]);
    english.prints(&[
        "art. 30",
        "`5` entries",
        "`6` sealed, `2` of them erased",
        &pseudonym,
        "identity",
        "kept",
        "30 days",
    ]);
    project.variables.push(("LANG".to_owned(), "fr_FR.UTF-8".to_owned()));
    let french = project.ok(["gdpr", "register"]);
    french.prints(&["Registre des activités", "scellés : `6`", "à compléter", "identité"]);
    for run in [&english, &french] {
        assert!(!run.stdout.contains("Lovelace") && !run.stdout.contains("Mary"), "{run:#?}");
    }
    let object = project.json(&["gdpr", "dpia", "--lang", "fr"]);
    assert_eq!((&object["command"], &object["language"]), (&json!("gdpr dpia"), &json!("fr")));
    assert_eq!(
        (&object["facts"]["chain"]["sealed"], &object["facts"]["publish"]),
        (&json!(6), &json!("sealed"))
    );
    project.ends(2, ["gdpr", "register", "--lang", "de"]).says(&["en", "fr"]);
    let bare = Project::new();
    bare.remove("archive/demo.car");
    bare.ok(["gdpr", "register"]).prints(&["There is no archive yet", "There is no map"]);
}

#[test]
fn article_32_keys_are_encrypted_and_files_are_their_owners() {
    let project = shop();
    let mode = |name: &str| std::fs::metadata(project.path(name)).unwrap().permissions().mode() & 0o777;
    copy_of(&project, "copy.json");
    for file in ["greffe.vault.db", "list.key", "copy.json"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    // What the vault holds opens nothing without its owner.
    let vault = project.read("greffe.vault.db");
    assert!(vault.windows(21).any(|window| window == b"age-encryption.org/v1"));
    let mut thief = project.copy();
    thief.variables.retain(|(name, _)| name != "GREFFE_VAULT_KEY");
    thief.ends(2, ["show", "3", "--script"]).says(&["vault"]);
    let key = VAULT_OWNER.replace('Q', "P");
    thief.variables.push(("GREFFE_VAULT_KEY".to_owned(), key));
    thief.ends(2, ["show", "3", "--script"]);
}

/// The table names each test here, and nothing else.
#[test]
fn the_table_names_these_tests() {
    let page = include_str!("../../docs/privacy.md");
    let table = page.split("## Articles\n").nth(1).unwrap();
    let rows =
        table.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let named: Vec<&str> = rows.skip(2).map(|row| row.rsplit('`').nth(1).unwrap()).collect();
    let source = include_str!("articles.rs");
    let tests: Vec<&str> = source
        .split("\nfn ")
        .skip(1)
        .filter_map(|after| after.split('(').next())
        .filter(|name| name.starts_with("article_"))
        .collect();
    assert_eq!(named, tests);
}
