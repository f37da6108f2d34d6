//! Openings: each one is recorded, what cannot be recorded is not opened, and what is sealed here is never called the same.

use std::os::unix::fs::PermissionsExt as _;

use crate::project::{Project, THREE};

fn sealed() -> Project {
    let project = Project::with(&THREE).publishing("sealed");
    project.ok(["apply"]);
    project
}

fn without_key(project: &Project) -> Project {
    let mut copy = project.copy();
    copy.variables.retain(|(name, _)| name != "GREFFE_VAULT_KEY");
    copy
}

/// Purposes in the access chain, the oldest first.
fn accesses(project: &Project) -> Vec<String> {
    let file = project.path("archive/demo-access.car");
    if !file.exists() {
        return Vec::new();
    }
    let report = project.json(&["verify", &file.display().to_string()]);
    assert_eq!(report["verified"], true, "{report:#}");
    let chain = report["chain"].as_str().unwrap();
    let purpose = |seq: u64| {
        let of = ["--name", "demo-access", "--chain", chain, "show", &seq.to_string()];
        project.json(&of)["event"]["access"]["purpose"].as_str().unwrap().to_owned()
    };
    (1..report["entries"].as_u64().unwrap()).map(purpose).collect()
}

#[test]
fn an_edit_is_found_without_the_owners_key() {
    let project = without_key(&sealed());
    project.ok(["audit"]).prints(&["6 sealed file(s) not compared", "no difference"]);
    assert_eq!(project.json(&["audit"])["notCompared"], 6);
    project.script("2_books.up.sql", "CREATE TABLE books (id INTEGER);\n");
    project.ends(1, ["audit"]).prints(&["2_books.up.sql", "differs", "6 sealed file(s) not compared"]);
    project.ends(1, ["status"]).prints(&["2_books.up.sql"]);
    project.scripts(&THREE);
    project.script("3_seed.down.sql", "SELECT 1;\n");
    project.ends(1, ["audit"]).prints(&["3_seed.down.sql"]);
    assert_eq!(accesses(&project), [""; 0]);
}

#[test]
fn a_key_that_cannot_be_used_is_told() {
    let mut project = without_key(&sealed());
    let head = project.head();
    project.ends(1, ["replay", &head]).prints(&["sealed, and there is no key for it here"]);
    let other = "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SK7MHQP";
    for key in [other, "AGE-SECRET-KEY-1", "no key"] {
        project.variables.push(("GREFFE_VAULT_KEY".to_owned(), key.to_owned()));
        for command in [vec!["audit"], vec!["replay", &head]] {
            let run = project.ends(2, command);
            assert!(run.stderr.contains("owner's key") && run.stderr.contains("hint:"), "{run:#?}");
        }
        project.variables.pop();
    }
}

#[test]
fn every_opening_is_recorded() {
    let project = sealed();
    project.ok(["audit"]);
    assert_eq!(project.json(&["replay", &project.head()])["holds"], true);
    project.ok(["show", "1", "--script"]);
    project.script("3_seed.down.sql", "SELECT 1;\n");
    project.ok(["rollback", "--steps", "1"]);
    project.ok(["verify", &project.head(), "--open"]);
    assert_eq!(accesses(&project), ["audit", "replay", "show", "rollback", "verify"]);
    // Where the folder has the way down, nothing is opened.
    project.ok(["rollback", "--steps", "1"]);
    assert_eq!(accesses(&project).len(), 5);
    project.ok(["verify", &project.head(), "--replay"]);
    assert_eq!(accesses(&project).last().unwrap(), "replay");
}

#[test]
fn what_cannot_be_recorded_is_not_opened() {
    let project = sealed();
    project.remove("greffe.toml");
    let head = project.head_of("demo");
    let run = project.ends(2, ["--name", "demo", "show", "1", "--script"]);
    run.says(&["recorded in the project's access chain", "--config PATH"]);
    assert_eq!(run.stdout, "");
    project.ends(2, ["--name", "demo", "verify", &head, "--open"]).says(&["access chain"]);
    project.ends(2, ["--name", "demo", "replay", &head]).says(&["access chain"]);
    assert!(!project.path("archive/demo-access.car").exists());
}

#[test]
fn an_access_chain_that_was_put_away_or_cut_is_missed() {
    let project = sealed();
    let show = ["show", "1", "--script"];
    project.ok(show);
    let older = project.copy();
    project.ok(show);
    let newest = project.copy();
    let put = |from: Option<&Project>| {
        for ending in ["car", "head", "index", "lock"] {
            let name = format!("archive/demo-access.{ending}");
            std::fs::remove_file(project.path(&name)).ok();
            if let Some(from) = from.filter(|from| from.path(&name).exists()) {
                project.write(&name, from.read(&name));
            }
        }
    };
    for (from, says) in [(None, "has 0 of the 3 entries"), (Some(&older), "has 2 of the 3 entries")] {
        put(from);
        let run = project.ends(1, show);
        run.says(&[says, "nothing is opened", "bring", "demo-access.car back"]);
        assert_eq!(run.stdout, "");
        project.ends(1, ["audit"]).says(&["access chain"]);
    }
    // What is erased is erased all the same, and says that grants are not known.
    put(None);
    let run = project.ends(1, ["erase", "--event", "3", "--basis", "art17.1.a", "--request", "R-1"]);
    run.prints(&["erased 2 sealed file(s)", "unreachable  demo-access"]);
    put(Some(&newest));
    project.ok(show);
    assert_eq!(accesses(&project), ["show"; 3]);
}

#[test]
fn what_is_opened_is_written_where_nobody_else_writes() {
    let project = sealed();
    let recipient = project.json(&["vault", "show"])["recipient"].as_str().unwrap().to_owned();
    let terms = ["--until", "2099-01-01", "--events", "2", "--to", &recipient, "--purpose"];
    for purpose in ["x\ny\u{1b}[31m", "x\ty", "x\u{7f}"] {
        let refused = [&["grant"], &terms[..], &[purpose, "--out", "bad.age"]].concat();
        project.unchanged(|| project.ends(2, &refused)).says(&["purpose", "one line"]);
    }
    project.ok([&["grant"], &terms[..], &["audit 2026", "--out", "g.age"]].concat());
    let before = accesses(&project).len();
    let open = ["open", "g.age", "archive/demo.car", "--out", "read"];
    let open: Vec<&str> = open.to_vec();
    std::fs::create_dir(project.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", project.path("read")).unwrap();
    project.ends(2, &open).says(&["read", "already", "choose another name"]);
    assert_eq!(std::fs::read_dir(project.path("elsewhere")).unwrap().count(), 0);
    std::fs::remove_file(project.path("read")).unwrap();
    std::fs::create_dir(project.path("read")).unwrap();
    project.ends(2, &open).says(&["already"]);
    assert_eq!(accesses(&project).len(), before);
    std::fs::remove_dir(project.path("read")).unwrap();
    project.ok(&open);
    let mode = std::fs::metadata(project.path("read")).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode, accesses(&project).len()), (0o700, before + 1));
    assert!(project.path("read/2/2_books.up.sql").exists());
}
