//! Export, import and compact: files that travel, and what is not taken in.

use crate::project::{Project, THREE};

/// Exports the project's archive; the bytes.
fn export(project: &Project) -> Vec<u8> {
    project.ok(["export", "--out", "out.car", "--force"]);
    let bytes = project.read("out.car");
    project.remove("out.car");
    bytes
}

/// A folder without a chain, with a file to import.
fn with_file(bytes: &[u8]) -> Project {
    let project = Project::empty();
    project.write("in.car", bytes);
    project
}

#[test]
fn an_imported_chain_is_the_exported_one() {
    let project = Project::applied();
    let other = with_file(&export(&project));
    let imported = other.json(&["import", "in.car"]);
    assert_eq!(imported["name"], "demo");
    assert_eq!(imported["newEntries"], 4);
    assert_eq!(imported["head"], project.head());
    assert_eq!(other.ok(["head", "--name", "demo"]).stdout.trim(), project.head());
    assert_eq!(other.ok(["log", "--name", "demo"]).stdout, project.ok(["log"]).stdout);
    other.ok(["export", "--name", "demo", "--out", "again.car"]);
    assert_eq!(other.read("again.car"), other.read("in.car"), "the same bytes, whoever exports");
    // Once more changes nothing that is read.
    assert_eq!(other.json(&["import", "in.car"])["newEntries"], 0);
}

#[test]
fn a_longer_version_of_the_same_chain_continues_it() {
    let project = Project::applied();
    let other = with_file(&export(&project));
    other.ok(["import", "in.car"]);
    project.ok(["rollback", "--steps", "2"]);
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    other.write("in.car", export(&project));
    let imported = other.json(&["import", "in.car"]);
    assert_eq!(imported["newEntries"], 5);
    assert_eq!(other.ok(["head", "--name", "demo"]).stdout, project.ok(["head"]).stdout);
    let head = project.head();
    other.ok(["verify", &head, "--name", "demo"]);
}

#[test]
fn older_forked_other_and_tampered_files_are_refused() {
    let project = Project::applied();
    let older = export(&project);
    let mut fork = project.copy();
    fork.variables = project.variables.clone();
    fork.script("4_fork.sql", "CREATE TABLE fork (id);");
    fork.ok(["apply"]);
    fork.script("5_fork.sql", "CREATE TABLE forked (id);");
    fork.ok(["apply"]);
    let forked = export(&fork);
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    let other_chain = export(&Project::applied());
    let newest = export(&project);
    let mut tampered = newest.clone();
    let place = tampered.windows(12).position(|window| window == b"CREATE TABLE").unwrap();
    tampered[place] ^= 0x20;
    for (name, bytes, says) in [
        ("older", &older, "already has 5"),
        ("fork", &forked, "entry 4 is another one"),
        ("other chain", &other_chain, "holds the chain"),
        ("tampered", &tampered, ""),
        ("cut", &newest[..newest.len() - 1].to_vec(), ""),
        ("empty", &Vec::new(), ""),
        ("text", &b"not a CAR file".to_vec(), ""),
    ] {
        project.write("in.car", bytes);
        let run = project.unchanged(|| project.run(["import", "in.car"]));
        assert!((1..=3).contains(&run.code), "{name}: {run:#?}");
        run.says(&[says]);
    }
    for name in ["absent.car", "migrations"] {
        let run = project.unchanged(|| project.run(["import", name]));
        assert!((1..=3).contains(&run.code), "{name}: {run:#?}");
    }
    project.write("in.car", &newest);
    project.ok(["import", "in.car"]);
    project.verify();
    // The fork is one for the other side, too: two entries against one.
    fork.write("in.car", &newest);
    let run = fork.unchanged(|| fork.run(["import", "in.car"]));
    assert_eq!(run.code, 1, "the file is shorter, and it is a fork: {run:#?}");
}

#[test]
fn tampered_files_make_no_archive() {
    let project = Project::applied();
    let mut bytes = export(&project);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let other = with_file(&bytes);
    let run = other.ends(1, ["import", "in.car"]);
    run.prints(&["NOT verified"]);
    assert!(!other.path("archive").exists());
    let good = with_file(&export(&project));
    let head = project.head();
    good.ends(1, ["import", "in.car", "--require", &head]);
    assert!(!good.path("archive").exists(), "a chain that is not the required one is not taken in");
}

#[test]
fn the_archive_itself_can_be_verified_and_imported() {
    let project = Project::applied();
    project.ok(["verify", "archive/demo.car"]);
    let other = with_file(&project.read("archive/demo.car"));
    other.ok(["import", "in.car"]);
    assert_eq!(other.ok(["head", "--name", "demo"]).stdout.trim(), project.head());
}

#[test]
fn compact_drops_what_is_superseded_and_nothing_else() {
    let project = Project::new();
    for version in 1..=30 {
        project.script(&format!("{version}_t.up.sql"), format!("CREATE TABLE t{version} (id);"));
        project.script(&format!("{version}_t.down.sql"), format!("DROP TABLE t{version};"));
        project.ok(["apply"]);
    }
    project.verify();
    let (head, log, exported) = (project.head(), project.log(), export(&project));
    let compacted = project.json(&["compact"]);
    let (before, after) =
        (compacted["bytesBefore"].as_u64().unwrap(), compacted["bytesAfter"].as_u64().unwrap());
    assert!(after * 10 < before * 9, "{before} bytes became {after}");
    assert_eq!(project.path("archive/demo.car").metadata().unwrap().len(), after);
    assert_eq!(project.head(), head);
    assert_eq!(project.log(), log);
    assert_eq!(export(&project), exported);
    project.verify();
    assert_eq!(project.json(&["compact"])["bytesAfter"], after, "once is enough");
    project.ok(["rollback", "--steps", "2"]);
    project.ok(["apply"]);
    project.verify();
}

#[test]
fn a_chain_that_was_brought_elsewhere_can_be_adopted_and_continued() {
    let project = Project::applied();
    let other = with_file(&export(&project));
    other.ok(["import", "in.car"]);
    std::fs::copy(project.path("app.db"), other.path("app.db")).unwrap();
    other.scripts(&THREE);
    let begun = other.json(&["init", "--name", "demo", "--database", "sqlite:app.db"]);
    assert_eq!(begun["adopted"], true);
    other.script("4_more.sql", "CREATE TABLE more (id);");
    other.ok(["apply"]);
    assert_eq!(other.story()[4..], ["apply 4"]);
    other.verify();
}
