//! Which tool a folder is of, where its files are called as those of several: the database tells by the table that is
//! there, and nothing is guessed where it does not.

use serde_json::json;

use super::{folder_of, path_with};
use crate::project::Project;

/// A project that names no tool, with one script.
fn project(script: &str) -> Project {
    let mut project = Project::new();
    project.script(script, "CREATE TABLE first (id INTEGER);\n");
    project.variables.push(("PATH".to_owned(), path_with(&[&folder_of("GREFFE_TEST_GO_TOOLS")]).1));
    project
}

const SQLX: &str = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
                    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, \
                    checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);\
                    INSERT INTO _sqlx_migrations VALUES (1, 'first', 0, 1, X'00', 1);";

fn adopts(project: &Project, tool: &str) {
    project.ok(["baseline"]);
    let event = &project.json(&["show", "1"])["event"];
    assert_eq!((&event["executor"]["name"], &event["event"]), (&json!(tool), &json!("baseline")));
}

#[test]
fn a_table_tells_golang_migrate_from_sqlx() {
    let of_both = || project("1_first.up.sql");
    let new = of_both();
    let named = ["`name = \"golang-migrate\"` or `name = \"sqlx\"`", "greffe.toml"];
    let refused =
        [&named[..], &["golang-migrate, sqlx", "the database has the table of none", "--tool"]].concat();
    new.ends(2, ["record", "--", "touch", "ran"]).says(&refused);
    assert!(!new.path("ran").exists());

    // The first run takes the tool's name, the next ones do not.
    let migrate = |project: &Project| {
        let file = format!("sqlite://{}", project.path("app.db").display());
        ["migrate", "-path", "migrations", "-database", &file, "up"].map(str::to_owned)
    };
    let begin = ["record", "--tool", "golang-migrate", "--"].map(str::to_owned);
    new.ok(begin.iter().chain(&migrate(&new)));
    new.script("2_second.up.sql", "CREATE TABLE second (id INTEGER);\n");
    new.ok(["record", "--"].map(str::to_owned).iter().chain(&migrate(&new)));
    assert_eq!(new.story(), ["genesis", "apply 1", "apply 2"]);
    assert_eq!(new.json(&["show", "2"])["event"]["executor"]["name"], "golang-migrate");
    new.ok(["audit"]);

    let sqlx = of_both();
    sqlx.sql(SQLX);
    adopts(&sqlx, "sqlx");
}

#[test]
fn two_tools_in_one_database_are_never_guessed() {
    let both = project("1_first.up.sql");
    both.sql(SQLX);
    both.sql("CREATE TABLE schema_migrations (version uint64, dirty bool); INSERT INTO schema_migrations VALUES (1, 0)");
    for command in [&["baseline"][..], &["record", "--", "true"]] {
        both.ends(2, command).says(&["the database has tables of golang-migrate and sqlx", "--tool"]);
    }
    both.ok(["baseline", "--tool", "golang-migrate"]);
    assert_eq!(both.json(&["show", "1"])["event"]["executor"]["name"], "golang-migrate");

    // A table of that name with the columns of other tools is neither's.
    for columns in ["version varchar(128) PRIMARY KEY", "version TEXT, dirty BOOL, name TEXT"] {
        let other = project("1_first.up.sql");
        other.sql(&format!("CREATE TABLE schema_migrations ({columns})"));
        other.ends(2, ["record", "--", "true"]).says(&["the database has the table of none"]);
        other.sql(SQLX);
        adopts(&other, "sqlx");
    }
    let dbmate = project("1_first.sql");
    dbmate.script("1_first.sql", "-- migrate:up\nCREATE TABLE first (id INTEGER);\n-- migrate:down\n");
    dbmate.sql("CREATE TABLE schema_migrations (version uint64, dirty bool)");
    dbmate.ends(2, ["baseline"]).says(&["schema_migrations is not what dbmate makes"]);
}

#[test]
fn a_table_tells_refinery_from_flyway() {
    let refinery = project("V1__first.sql");
    refinery.sql(
        "CREATE TABLE refinery_schema_history (version int4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), \
         checksum VARCHAR(255)); INSERT INTO refinery_schema_history VALUES (1, 'first', '', '11434069872810491680')",
    );
    adopts(&refinery, "refinery");
    refinery.ok(["audit"]);
}

/// Rows and scripts come from outside: what is too long for an event is said, and nothing is guessed of it.
#[test]
fn texts_that_are_too_long_are_refused_by_their_place() {
    let long = "x".repeat(1 << 20);
    let rows = project("1_first.up.sql");
    rows.sql(SQLX);
    rows.sql("INSERT INTO _sqlx_migrations SELECT 2, 'second', replace(hex(zeroblob(500000)), '0', 'x'), 1, X'00', 1");
    for command in [&["baseline"][..], &["audit", "--tool", "sqlx"]] {
        let refused = ["row 2 of table _sqlx_migrations has more than 1000 characters in `installed_on`"];
        rows.ends(3, command).says(&refused);
    }
    assert_eq!(rows.story(), ["genesis"]);

    let scripts = Project::new();
    scripts.write("migrations/env.py", "");
    std::fs::create_dir(scripts.path("migrations/versions")).unwrap();
    let revision =
        |id: &str, down: &str| format!("\"\"\"{id} it\n\"\"\"\nrevision = '{id}'\ndown_revision = {down}\n");
    scripts.write("migrations/versions/a.py", revision("a", "None"));
    scripts.write("migrations/versions/b.py", revision(&long, "'a'"));
    scripts.write(
        "migrations/versions/c.py",
        format!("\"\"\"{long}\"\"\"\nrevision = 'c'\ndown_revision = 'a'\n"),
    );
    scripts.sql("CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('c')");
    scripts.ok(["baseline"]);
    assert_eq!(scripts.story(), ["genesis", "baseline a", "baseline c"]);
    let run = scripts.ends(1, ["audit"]);
    run.prints(&[
        "the identifier in `versions/b.py` has 1048576 bytes, and greffe takes 1000",
        "the description in `versions/c.py` has 1048576 bytes",
    ]);
    assert!(run.stdout.len() < 10_000, "{}", run.stdout.len());
}
