//! Migrations that were cut short outside a transaction, and what `repair` records.

use crate::project::{Project, THREE};

/// A project whose migration 4 failed in its second statement, outside a transaction.
fn half_applied() -> Project {
    let project = Project::with(&THREE);
    project.script(
        "4_half.sql",
        "-- no-transaction\nCREATE TABLE half (id);\nINSERT INTO nowhere VALUES (1);\n",
    );
    project.script("5_next.sql", "CREATE TABLE next (id);");
    let run = project.ends(3, ["apply"]);
    run.says(&["4_half.sql", "statement 2", "greffe repair 4 --applied", "greffe repair 4 --rolled-back"]);
    project
}

#[test]
fn a_half_applied_migration_stops_every_run_until_it_is_repaired() {
    let project = half_applied();
    assert_eq!(project.tables(), "authors,books,half", "outside a transaction what ran stays");
    assert_eq!(project.story().last().unwrap(), "fail 4");
    for arguments in [vec!["apply"], vec!["rollback", "--steps", "1"]] {
        project.ends(1, &arguments).says(&["migration 4", "neither applied nor not", "greffe repair 4"]);
    }
    let status = project.ends(1, ["status", "--json"]).object();
    assert_eq!(status["problems"][0]["code"], "half-applied");
    assert_eq!(status["migrations"][3]["state"], "half-applied");
    assert_eq!(project.tables(), "authors,books,half");
}

#[test]
fn repaired_as_applied_it_counts_as_applied() {
    let project = half_applied();
    project.ok(["repair", "4", "--applied"]).prints(&["repaired 4 as entry 5"]);
    project.verify();
    project.ok(["apply"]);
    assert_eq!(project.story()[4..], ["fail 4", "repair 4", "apply 5"]);
    project.ok(["status"]);
    project.verify();
    project.ends(2, ["repair", "4", "--applied"]).says(&["cannot be repaired", "hint:"]);
}

#[test]
fn repaired_as_rolled_back_it_is_pending_again() {
    let project = half_applied();
    project.sql("DROP TABLE half");
    project.ok(["repair", "4", "--rolled-back"]);
    project.script("4_half.sql", "CREATE TABLE half (id);");
    project.ok(["apply"]);
    assert_eq!(project.story()[4..], ["fail 4", "repair 4", "apply 4", "apply 5"]);
    project.ok(["status"]);
    project.verify();
}

#[test]
fn a_failure_in_the_first_statement_leaves_nothing_half() {
    let project = Project::with(&[(
        "1_a.sql",
        "-- no-transaction\nINSERT INTO nowhere VALUES (1);\nCREATE TABLE a (id);",
    )]);
    project.ends(3, ["apply"]);
    project.script("1_a.sql", "-- no-transaction\nCREATE TABLE a (id);");
    project.ok(["apply"]);
    assert_eq!(project.story(), ["genesis", "fail 1", "apply 1"]);
    project.verify();
}

#[test]
fn a_run_that_is_killed_outside_a_transaction_leaves_the_migration_half_applied() {
    let project = Project::with(&THREE);
    project.script(
        "4_slow.sql",
        "-- no-transaction\nCREATE TABLE begun (id);\nWITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;\n",
    );
    let mut child = project.command(["apply"]).spawn().unwrap();
    // The first statement is durable before the second, which never ends, begins.
    while !project.path("app.db").exists() || !tables_while_written(&project).contains("begun") {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    project.ends(1, ["apply"]).says(&["migration 4", "greffe repair 4"]);
    project.sql("DROP TABLE begun");
    project.ok(["repair", "4", "--rolled-back"]);
    project.script("4_slow.sql", "CREATE TABLE begun (id);");
    project.ok(["apply"]);
    assert_eq!(
        project.story(),
        ["genesis", "apply 1", "apply 2", "apply 3", "fail 4", "repair 4", "apply 4"]
    );
    project.verify();
}

/// The tables, or nothing while the database is locked.
fn tables_while_written(project: &Project) -> String {
    let output = crate::tools::tool("sqlite3").arg(project.path("app.db")).arg(".tables").output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_needs_no_repair_is_not_repaired() {
    let project = Project::applied();
    project.ends(2, ["repair", "2", "--applied"]).says(&["hint:"]);
    project.ends(2, ["repair", "99", "--rolled-back"]).says(&["99"]);
    project.ends(2, ["repair", "99", "--applied"]).says(&["99"]);
    project.sql("DELETE FROM authors");
    project.ok(["repair", "3", "--rolled-back"]);
    project.ok(["apply"]);
    assert_eq!(project.story()[4..], ["repair 3", "apply 3"]);
    project.verify();
}
