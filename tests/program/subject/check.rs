//! What a check finds, in the database and after pending migrations.

use serde_json::json;

use super::*;

on_each!(
    a_column_that_is_not_declared_is_found_live_and_in_a_pending_migration,
    a_table_of_nobody_has_no_new_column
);

fn a_column_that_is_not_declared_is_found_live_and_in_a_pending_migration(engine: Engine) {
    let case = shop(engine, "check");
    assert_eq!(case.check(0)["covered"], true);
    // Pending: a column of a second script is found after it, one of a third that goes again is not.
    case.project.script(
        "2_more.sql",
        "ALTER TABLE client ADD COLUMN surnom VARCHAR(20);\nCREATE TABLE brouillon (id INTEGER);\n",
    );
    case.project.script("3_less.sql", "DROP TABLE brouillon;\n");
    let checked = case.check(1);
    assert_eq!(checked["pending"], json!(["2", "3"]));
    let findings = checked["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{checked:#}");
    let found = &findings[0];
    assert_eq!(
        (&found["migration"], &found["table"], &found["column"], &found["code"]),
        (&json!("2"), &json!("client"), &json!("surnom"), &json!("undeclared"))
    );
    if engine != Lite {
        case.project.ends(2, ["subject", "check"]).says(&["--on"]);
    }
    // Declared with the script that makes it: covered, also before it runs.
    let map =
        SHOP_MAP.replace("      cree_le:", "      surnom: {class: identifier, export: true}\n      cree_le:");
    case.project.write("greffe.subject.yaml", map);
    assert_eq!(case.check(0)["covered"], true);
    case.project.write("greffe.subject.yaml", SHOP_MAP);
    // Live, by hand: nothing is copied or erased until it is declared.
    let column = if engine == Pg { "public.client" } else { "client" };
    case.sql(&format!("ALTER TABLE {column} ADD COLUMN secret VARCHAR(20)"));
    let checked = case.check(1);
    assert!(checked["findings"][0]["migration"].is_null(), "{checked:#}");
    assert_eq!(checked["findings"][0]["column"], "secret", "{checked:#}");
    for arguments in [
        vec!["subject", "export", "1", "--out", "copy.json"],
        vec!["subject", "erase", "1", "--request", "R-A", "--basis", "art17.1.a", "--dry-run"],
        vec!["subject", "erase", "1", "--request", "R-A", "--basis", "art17.1.a", "--apply"],
    ] {
        let run = case.project.unchanged(|| case.project.ends(1, arguments));
        run.says(&["column secret of client"]);
    }
}

fn a_table_of_nobody_has_no_new_column(engine: Engine) {
    let case = shop(engine, "nobody");
    case.sql(&format!("ALTER TABLE {} ADD COLUMN nir VARCHAR(20)", case.table("pays")));
    let checked = case.check(1);
    assert_eq!(
        (&checked["findings"][0]["table"], &checked["findings"][0]["column"]),
        (&json!("pays"), &json!("nir")),
        "{checked:#}"
    );
    case.project.write("greffe.subject.yaml", SHOP_MAP.replace("{pays: [code]}", "{pays: [code, nir]}"));
    case.check(0);
    let client = case.table("client");
    case.sql(&format!(
        "CREATE TABLE {} (client_id INTEGER, FOREIGN KEY (client_id) REFERENCES {client} (id))",
        case.table("carnet")
    ));
    let map = SHOP_MAP.replace("{pays: [code]}", "{pays: [code, nir], carnet: [client_id]}");
    case.project.write("greffe.subject.yaml", map);
    let checked = case.check(1);
    assert_eq!(checked["findings"][0]["code"], "refers-to-people", "{checked:#}");
    case.project.write("greffe.subject.yaml", SHOP_MAP.replace("{pays: [code]}", "[pays]"));
    case.project
        .ends(2, ["subject", "check"])
        .says(&["names each table with its columns", "pays: [code, nom]"]);
}

#[test]
fn a_map_that_is_no_file_is_refused() {
    let case = shop(Lite, "pipe");
    output_of(tool("mkfifo").arg(case.project.path("pipe.yaml")));
    case.project.ends(2, ["subject", "check", "--map", "pipe.yaml"]).says(&["is no file"]);
}

/// What the scripts do not make is told as such.
#[test]
fn a_folder_without_a_base_is_told() {
    let case = shop(Lite, "base");
    case.sql("CREATE TABLE ancien (id INTEGER)");
    case.project.write(
        "greffe.subject.yaml",
        SHOP_MAP.replace("{pays: [code]}", "{pays: [code], ancien: [id, plus]}"),
    );
    case.project.script("2_more.sql", "ALTER TABLE ancien ADD COLUMN plus INTEGER;\n");
    let run = case.project.ends(3, ["subject", "check"]);
    run.says(&["migration 2", "has to be made"]);
}
