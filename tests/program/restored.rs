//! A database that was restored from an older backup: refused until `repair --restored` says what happened.

use serde_json::json;

use crate::project::{Project, THREE};

const MORE: [(&str, &str); 4] = [
    ("4_more.up.sql", "CREATE TABLE more (id);\n"),
    ("4_more.down.sql", "DROP TABLE more;\n"),
    ("5_other.up.sql", "CREATE TABLE other (id);\n"),
    ("5_other.down.sql", "DROP TABLE other;\n"),
];

/// A project with two more migrations to apply, and its database as it was before.
fn backed_up() -> (Project, Vec<u8>) {
    let project = Project::applied();
    let backup = project.read("app.db");
    project.scripts(&MORE);
    (project, backup)
}

/// Fails unless runs are refused and nothing is appended.
fn refused(project: &Project) {
    let archive = project.read("archive/demo.car");
    for arguments in [vec!["apply"], vec!["rollback", "--steps", "1"], vec!["repair", "3", "--rolled-back"]] {
        project.ends(1, &arguments).says(&["the database does not know", "greffe repair --restored"]);
    }
    project.ends(1, ["audit"]).prints(&["the database does not know", "greffe repair --restored"]);
    assert_eq!(project.read("archive/demo.car"), archive);
}

/// Fails unless audit, status and verification find nothing.
fn sound(project: &Project) {
    project.only_recorded(|| project.ok(["audit"])).prints(&["no difference"]);
    project.unchanged(|| project.ok(["status"]));
    project.verify();
}

#[test]
fn what_was_applied_after_the_backup_counts_as_not_applied() {
    let (project, backup) = backed_up();
    project.ok(["apply"]);
    project.write("app.db", &backup);
    refused(&project);
    let done = project.json(&["repair", "--restored"]);
    assert_eq!(done["lost"], json!([4, 5]));
    let log = project.log();
    assert_eq!(project.story()[4..], ["apply 4", "apply 5", "repair 4", "repair 5"]);
    for (repair, lost) in [(6, 4), (7, 5)] {
        assert_eq!(log[repair]["direction"], "down");
        assert_eq!(log[repair]["about"], json!([log[lost]["manifest"]]));
    }
    sound(&project);
    project.ok(["apply"]);
    assert_eq!(project.story()[8..], ["apply 4", "apply 5"]);
    assert_eq!(project.tables(), "authors,books,more,other");
    sound(&project);
    let head = project.head();
    project.ok(["repair", "--restored"]).prints(&["nothing was lost"]);
    assert_eq!(project.head(), head);
}

#[test]
fn what_was_rolled_back_after_the_backup_counts_as_applied() {
    let (project, backup) = backed_up();
    project.ok(["apply"]);
    let applied = project.read("app.db");
    project.ok(["rollback", "--steps", "4"]);
    project.write("app.db", &applied);
    refused(&project);
    // The scripts of what counts as applied again are not needed.
    for (name, _) in MORE {
        project.remove(&format!("migrations/{name}"));
    }
    project.ok(["repair", "--restored"]).prints(&["4 event(s), entry 6 to entry 9"]);
    assert_eq!(project.story()[10..], ["repair 2", "repair 3", "repair 4", "repair 5"]);
    project.scripts(&MORE);
    sound(&project);
    project.ok(["rollback", "--steps", "3"]);
    assert_eq!(project.story()[14..], ["rollback 5", "rollback 4", "rollback 3"]);
    assert_eq!(project.tables(), "authors,books");
    sound(&project);
    // Further back, over all of it.
    project.write("app.db", &backup);
    refused(&project);
    project.ok(["repair", "--restored"]);
    assert_eq!(project.story()[17..], ["repair 3", "repair"]);
    sound(&project);
    project.ok(["apply"]);
    assert_eq!(project.tables(), "authors,books,more,other");
    sound(&project);
}

#[test]
fn what_was_applied_and_rolled_back_is_told_of_the_database() {
    let (project, backup) = backed_up();
    project.ok(["apply"]);
    project.ok(["rollback", "--steps", "2"]);
    project.write("app.db", &backup);
    refused(&project);
    project.ok(["repair", "--restored"]).prints(&["repaired the database as entry 8"]);
    let log = project.log();
    assert_eq!(project.story()[8..], ["repair"]);
    let lost: Vec<_> = log[4..8].iter().map(|entry| entry["manifest"].clone()).collect();
    assert_eq!(log[8]["about"], json!(lost));
    sound(&project);
    project.ok(["apply"]);
    sound(&project);
}

#[test]
fn a_script_that_was_applied_anew_in_another_form_counts_as_it_was() {
    let project = Project::applied();
    let backup = project.read("app.db");
    project.ok(["rollback", "--steps", "1"]);
    project.script("3_seed.up.sql", "INSERT INTO authors (name) VALUES ('Grace');\n");
    project.ok(["apply"]);
    project.write("app.db", &backup);
    refused(&project);
    project.ok(["repair", "--restored"]);
    assert_eq!(project.story()[4..], ["rollback 3", "apply 3", "repair 3"]);
    let edited = project.ends(1, ["audit", "--json"]).object();
    assert_eq!(edited["findings"][0]["code"], "edited");
    project.script("3_seed.up.sql", THREE[4].1);
    sound(&project);
}

#[test]
fn a_drift_that_was_lost_is_told() {
    let project = Project::applied();
    let backup = project.read("app.db");
    project.sql("CREATE TABLE by_hand (id)");
    project.ok(["audit", "--record"]);
    project.write("app.db", &backup);
    refused(&project);
    project.ok(["repair", "--restored"]);
    assert_eq!(project.story()[4..], ["drift", "repair"]);
    sound(&project);
}

#[test]
fn a_database_that_was_made_anew_has_lost_everything() {
    let project = Project::applied();
    project.remove("app.db");
    project.ok(["repair", "--restored"]);
    assert_eq!(project.story()[4..], ["repair 1", "repair 2", "repair 3"]);
    project.ok(["apply"]);
    assert_eq!(project.story()[7..], ["apply 1", "apply 2", "apply 3"]);
    sound(&project);
}

#[test]
fn without_fingerprints_it_is_the_same() {
    let (project, backup) = backed_up();
    project.ok(["apply"]);
    project.write("app.db", &backup);
    project.ok(["repair", "--restored", "--fingerprint", "false"]);
    sound(&project);
    let project = Project::with(&THREE);
    project.ok(["apply", "--to", "1", "--fingerprint", "false"]);
    let backup = project.read("app.db");
    project.ok(["apply", "--fingerprint", "false"]);
    project.write("app.db", &backup);
    project.ok(["repair", "--restored", "--fingerprint", "false"]);
    sound(&project);
    project.ok(["apply"]);
    sound(&project);
}

#[test]
fn it_takes_no_version_and_nothing_else() {
    let project = Project::applied();
    project.ends(2, ["repair", "3", "--restored"]);
    project.ends(2, ["repair", "--restored", "--applied"]);
    project.ends(2, ["repair", "--applied"]);
    project.ends(2, ["repair"]);
}
