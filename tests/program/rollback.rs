//! Rolling back by the archived way down.

use crate::project::{Project, THREE};

#[test]
fn steps_and_versions_say_how_far() {
    let project = Project::applied();
    project.ok(["rollback", "--steps", "1"]).prints(&["rolled back 3 as entry 4"]);
    assert_eq!(project.sql("SELECT count(*) FROM authors"), "0");
    project.ok(["rollback", "--to", "1"]);
    assert_eq!(project.tables(), "authors");
    project.ok(["apply"]);
    assert_eq!(project.tables(), "authors,books");
    assert_eq!(
        project.story()[1..],
        ["apply 1", "apply 2", "apply 3", "rollback 3", "rollback 2", "apply 2", "apply 3"]
    );
    let reverts: Vec<_> = project.log()[4..6].iter().map(|entry| entry["reverts"].clone()).collect();
    let manifests: Vec<_> = project.log()[2..4].iter().rev().map(|entry| entry["manifest"].clone()).collect();
    assert_eq!(reverts, manifests);
    project.verify();
    project.ok(["rollback", "--steps", "3"]);
    assert_eq!(project.tables(), "");
    project.verify();
    project.ok(["status"]);
}

#[test]
fn more_than_is_applied_is_refused() {
    let project = Project::applied();
    for (arguments, says) in [
        (["rollback", "--steps", "4"], "only 3"),
        (["rollback", "--to", "7"], "version 7 is not applied"),
        (["rollback", "--to", "nonsense"], "nonsense"),
    ] {
        project.ends(2, arguments).says(&[says, "hint:"]);
    }
    project.ok(["rollback", "--steps", "0"]);
    project.ends(2, ["rollback", "--steps", "-1"]);
    project.ends(2, ["rollback", "--steps", "99999999999999999999999"]);
    assert_eq!(project.story().len(), 4);
    let fresh = Project::with(&THREE);
    fresh.ends(2, ["rollback", "--steps", "1"]);
}

#[test]
fn no_way_down_is_refused_before_anything_runs() {
    let project = Project::with(&THREE);
    project.remove("migrations/2_books.down.sql");
    project.ok(["apply"]);
    // A way down that is written afterwards was never archived.
    project.script("2_books.down.sql", "DROP TABLE books;");
    project.ends(2, ["rollback", "--steps", "2"]).says(&["migration 2 has no way down", "hint:"]);
    assert_eq!(project.sql("SELECT count(*) FROM authors"), "2");
    project.ok(["rollback", "--steps", "1"]);
    project.verify();
}

#[test]
fn the_archived_way_down_runs_and_a_difference_is_said() {
    let project = Project::applied();
    project.script("3_seed.down.sql", "DROP TABLE authors;");
    let run = project.ok(["rollback", "--steps", "1"]);
    run.says(&["note:", "3_seed.down.sql", "differs"]);
    assert_eq!(project.tables(), "authors,books");
    assert_eq!(project.sql("SELECT count(*) FROM authors"), "0");
    assert_eq!(project.ok(["show", "4", "--script"]).bytes, THREE[5].1.as_bytes());
    project.verify();
}

#[test]
fn a_way_down_that_is_gone_from_the_folder_still_runs() {
    let project = Project::applied();
    project.remove("migrations/3_seed.down.sql");
    project.ok(["rollback", "--steps", "1"]);
    assert_eq!(project.sql("SELECT count(*) FROM authors"), "0");
    std::fs::remove_dir_all(project.path("migrations")).unwrap();
    project.ok(["rollback", "--steps", "1"]);
    assert_eq!(project.tables(), "authors");
    project.verify();
}

#[test]
fn a_way_down_that_fails_is_archived_and_keeps_the_migration_applied() {
    let project = Project::with(&THREE);
    project.script("3_seed.down.sql", "DELETE FROM authors;\nDELETE FROM nowhere;\n");
    project.ok(["apply"]);
    let run = project.ends(3, ["rollback", "--steps", "2"]);
    run.says(&["3_seed.down.sql", "statement 2"]);
    assert_eq!(project.sql("SELECT count(*) FROM authors"), "2");
    assert_eq!(project.story().last().unwrap(), "fail 3");
    assert_eq!(project.json(&["status"])["migrations"][2]["state"], "applied");
    project.verify();
}

#[test]
fn versions_are_rolled_back_in_the_order_in_which_they_were_applied() {
    let project = Project::with(&[("2_b.up.sql", "CREATE TABLE b (id);"), ("2_b.down.sql", "DROP TABLE b;")]);
    project.ok(["apply"]);
    project.scripts(&[("1_a.up.sql", "CREATE TABLE a (id);"), ("1_a.down.sql", "DROP TABLE a;")]);
    project.ok(["apply", "--allow-out-of-order"]);
    project.ok(["rollback", "--steps", "1"]);
    assert_eq!(project.tables(), "b");
    project.verify();
}
