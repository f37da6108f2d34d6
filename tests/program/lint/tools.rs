//! Folders of other tools, judged as those tools read them.

use std::fs;

use super::{found, lint};
use crate::project::{Project, Run};

/// A project whose folder of migrations has these files.
fn folder(files: &[(&str, &str)]) -> Project {
    let project = Project::empty();
    for (name, text) in files {
        let path = project.path(format!("migrations/{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    project
}

fn tool_of(run: &Run) -> String {
    run.object()["folders"][0]["tool"].as_str().unwrap().to_owned()
}

fn judged(files: &[(&str, &str)]) -> (String, Vec<String>) {
    let run = lint(&folder(files), &["--dialect", "sqlite"]);
    assert!(run.code <= 1, "{run:#?}");
    (tool_of(&run), found(&run))
}

const HEAD: &str = "-- purpose: a\n-- impact: b\n-- rollback: c d\n";

#[test]
fn flyway_scripts_that_are_misnamed_are_found_and_callbacks_are_not() {
    let script = format!("{HEAD}CREATE TABLE a (id INTEGER PRIMARY KEY);\n");
    let (tool, findings) = judged(&[
        ("V1__a.sql", &script),
        ("U1__a.sql", "DROP TABLE a;\n"),
        ("R__view.sql", &format!("{HEAD}CREATE VIEW IF NOT EXISTS v AS SELECT id FROM a;\n")),
        ("V2_b.sql", "SELECT 1;\n"),
        ("v3__c.sql", "SELECT 1;\n"),
        ("U9__gone.sql", "SELECT 1;\n"),
        ("beforeMigrate.sql", "SELECT 1;\n"),
        ("afterEachMigrate__log.sql", "SELECT 1;\n"),
        ("beforeMigrat.sql", "SELECT 1;\n"),
        ("readme.txt", "hello"),
    ]);
    assert_eq!(tool, "flyway");
    assert_eq!(
        findings,
        [
            "greffe/down-alone migrations/U9__gone.sql:1",
            "greffe/ignored-file migrations/V2_b.sql:1",
            "greffe/ignored-file migrations/beforeMigrat.sql:1",
            "greffe/ignored-file migrations/v3__c.sql:1",
        ]
    );
    let (_, findings) = judged(&[("V1__a.sql", &script), ("V1_0__b.sql", &script)]);
    assert!(findings.contains(&"greffe/version-twice migrations/V1__a.sql:1".to_owned()), "{findings:?}");
    let (_, findings) = judged(&[("V1__a.sql", "SELECT '${schema}';\n")]);
    assert!(findings.contains(&"greffe/not-understood migrations/V1__a.sql:1".to_owned()), "{findings:?}");
}

#[test]
fn files_with_both_ways_are_read_by_their_marks() {
    let sound = format!(
        "{HEAD}-- migrate:up\nCREATE TABLE a (id INTEGER PRIMARY KEY);\n\n-- migrate:down\nDROP TABLE a;\n"
    );
    let project = folder(&[("001_a.sql", &sound)]);
    let run = lint(&project, &["--dialect", "sqlite"]);
    assert_eq!((tool_of(&run).as_str(), found(&run), &run.object()["tried"]), ("dbmate", vec![], &1.into()));
    let (_, findings) = judged(&[(
        "001_a.sql",
        "-- migrate:up\n-- purpose: a\n-- impact: b\nDROP TABLE a;\n-- migrate:down\n-- nothing\n",
    )]);
    assert!(findings.contains(&"greffe/down-empty migrations/001_a.sql:5".to_owned()), "{findings:?}");
    assert!(findings.contains(&"sqlite/drop-table migrations/001_a.sql:4".to_owned()), "{findings:?}");
    let goose = "-- purpose: a\n-- impact: b\n-- +goose Up\nCREATE TABLE a (id INTEGER PRIMARY KEY);\n";
    let (tool, findings) = judged(&[("1_a.sql", goose)]);
    assert_eq!(
        (tool.as_str(), findings),
        ("goose", vec!["greffe/down-missing migrations/1_a.sql:1".to_owned()])
    );
    let diesel = "CREATE TABLE a (id INTEGER PRIMARY KEY);\n";
    let (tool, findings) = judged(&[
        ("2026-01-01-000001_a/up.sql", &format!("{HEAD}{diesel}")),
        ("2026-01-01-000001_a/down.sql", "DROP TABLE a;\n"),
    ]);
    assert_eq!((tool.as_str(), findings), ("diesel", vec![]));
}

const ENV: (&str, &str) = ("env.py", "");

fn revision(id: &str, down_revision: &str, docstring: &str, downgrade: &str) -> String {
    format!(
        "\"\"\"{docstring}\"\"\"\nfrom alembic import op\nrevision = '{id}'\ndown_revision = {down_revision}\n\n\
         def upgrade():\n    op.drop_table('a')\n\n{downgrade}"
    )
}

#[test]
fn revisions_of_alembic_have_a_text_and_a_way_down() {
    let text = "add grades\n\nimpact: one more table\nrollback: drops the grades\n";
    let does = "def downgrade():\n    op.create_table('a')\n";
    let sound = revision("a1", "None", text, does);
    let (tool, findings) = judged(&[ENV, ("versions/a1_add.py", &sound)]);
    assert_eq!((tool.as_str(), findings), ("alembic", vec![]));
    let empty = revision("b2", "'a1'", "", "def downgrade():\n    pass\n");
    let none = revision("c3", "'b2'", "impact: x", "");
    let refuses =
        revision("d4", "'c3'", text, "def downgrade():\n    raise RuntimeError('the rows are gone')\n");
    let silent = revision(
        "e5",
        "'d4'",
        text.split("rollback").next().unwrap(),
        "def downgrade():\n    raise NotImplementedError\n",
    );
    let waived = revision(
        "f6",
        "'e5'",
        "add x\n\nimpact: y\nwaiver: greffe/down-missing 2999-12-31 it is only a start\n",
        "",
    );
    let (_, findings) = judged(&[
        ENV,
        ("versions/a1_add.py", &sound),
        ("versions/b2_b.py", &empty),
        ("versions/c3_c.py", &none),
        ("versions/d4_d.py", &refuses),
        ("versions/e5_e.py", &silent),
        ("versions/f6_f.py", &waived),
    ]);
    assert_eq!(
        findings,
        [
            "greffe/impact-missing migrations/versions/b2_b.py:1",
            "greffe/purpose-missing migrations/versions/b2_b.py:1",
            "greffe/down-empty migrations/versions/b2_b.py:9",
            "greffe/down-missing migrations/versions/c3_c.py:1",
            "greffe/down-empty migrations/versions/e5_e.py:12",
        ]
    );
}

#[test]
fn graphs_of_revisions_are_looked_at() {
    let text = "a\n\nimpact: b\nrollback: c d\n";
    let does = "def downgrade():\n    op.create_table('a')\n";
    let file = |id: &str, down: &str| revision(id, down, text, does);
    let (_, findings) = judged(&[
        ENV,
        ("versions/a.py", &file("a", "None")),
        ("versions/b.py", &file("b", "'a'")),
        ("versions/c.py", &file("c", "'a'")),
    ]);
    assert_eq!(findings, ["greffe/several-heads migrations/versions/b.py:1"]);
    let (_, findings) = judged(&[ENV, ("versions/a.py", &file("a", "'gone'"))]);
    assert_eq!(findings, ["greffe/dependency-missing migrations/versions/a.py:1"]);
    let (_, findings) =
        judged(&[ENV, ("versions/a.py", &file("a", "'b'")), ("versions/b.py", &file("b", "'a'"))]);
    assert_eq!(findings, ["greffe/dependency-cycle migrations/versions/a.py:1"]);
    let long = "a".repeat(40);
    let (_, findings) = judged(&[ENV, ("versions/a.py", &file(&long, "None"))]);
    assert_eq!(findings, ["greffe/identifier-length migrations/versions/a.py:1"]);
    let (_, findings) = judged(&[ENV, ("versions/a.py", &file("a", "make('x')"))]);
    assert_eq!(findings, ["greffe/not-understood migrations/versions/a.py:1"]);
}

#[test]
fn sql_of_tools_that_greffe_does_not_apply_is_judged_and_not_run() {
    let (tool, findings) = judged(&[
        ("20260101000001_a/migration.sql", &format!("{HEAD}DROP TABLE a;\n")),
        ("migration_lock.toml", "provider = \"sqlite\"\n"),
    ]);
    assert_eq!(
        (tool.as_str(), findings),
        ("prisma", vec!["sqlite/drop-table migrations/20260101000001_a/migration.sql:4".to_owned()])
    );
}

#[test]
fn a_folder_that_may_be_of_several_tools_wants_a_word() {
    let project = folder(&[("V1__a.sql", "SELECT 1;\n")]);
    let run = lint(&project, &["--tool", "xyzzy"]);
    run.exits(2).says(&["greffe knows no tool `xyzzy`"]);
    let project = folder(&[("1_a.up.sql", &format!("{HEAD}SELECT 1;\n")), ("1_a.down.sql", "SELECT 1;\n")]);
    assert_eq!(tool_of(&lint(&project, &["--dialect", "sqlite"])), "greffe");
    assert_eq!(
        tool_of(&lint(&project, &["--dialect", "sqlite", "--tool", "golang-migrate"])),
        "golang-migrate"
    );
}
