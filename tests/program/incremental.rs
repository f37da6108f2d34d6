//! `verify --incremental`: what is new is read, and all of the chain where that does not do.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::forks::machine;
use crate::project::Project;
use crate::serve::Served;

/// Brings a project's newest head to a machine as a file.
fn bring(project: &Project, machine: &Project) {
    project.ok(["export", "--out", "head.car", "--force"]);
    fs::copy(project.path("head.car"), machine.path("head.car")).unwrap();
}

fn since(object: &Value) -> Option<u64> {
    object.get("sinceSeq").map(|since| since.as_u64().unwrap())
}

/// The file of the machine's only standing.
fn standing(machine: &Project) -> PathBuf {
    let mut files = fs::read_dir(machine.path("state/greffe/standing")).unwrap();
    files.next().unwrap().unwrap().path()
}

const FILE: [&str; 3] = ["verify", "head.car", "--incremental"];
const JSON: [&str; 4] = ["verify", "head.car", "--incremental", "--json"];

#[test]
fn only_new_entries_are_read_and_what_they_say_of_older_ones_is_held_against_these() {
    let (project, machine) = (Project::applied(), machine());
    bring(&project, &machine);
    let first = machine.json(&FILE);
    assert_eq!(
        (since(&first), &first["entries"], &first["established"]["complete"]),
        (None, &4.into(), &true.into())
    );
    // Taken back, applied again, and one more.
    project.ok(["rollback", "--steps", "1"]);
    project.ok(["apply"]);
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    bring(&project, &machine);
    let second = machine.json(&FILE);
    assert_eq!((since(&second), &second["entries"]), (Some(4), &7.into()));
    assert_eq!(second["established"]["complete"], false);
    assert_eq!(second["established"]["signed"], true);
    // Nothing is new; the text says so.
    machine.ok(FILE).prints(&["new", "0 entries; those before were verified here before"]);
    // What a full verification says is the same but for that.
    let full = machine.json(&["verify", "head.car"]);
    for member in ["entries", "newest", "chain", "verified", "root"] {
        assert_eq!(full[member], second[member], "{member}");
    }
}

#[test]
fn few_blocks_are_fetched_from_elsewhere() {
    let project = Project::new();
    for number in 1..=40 {
        project.script(&format!("{number}_table.sql"), format!("CREATE TABLE t{number} (id);"));
    }
    project.ok(["apply"]);
    let served = Served::start(&project, &[]);
    let (machine, from) = (machine(), served.url());
    let verify = |head: &str| machine.json(&["verify", head, "--from", &from, "--incremental"]);
    let first = verify(&project.head());
    assert_eq!((since(&first), &first["entries"]), (None, &41.into()));
    project.script("41_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    let second = verify(&project.head());
    assert_eq!((since(&second), &second["entries"]), (Some(41), &42.into()));
    let blocks = |object: &Value| {
        object["sources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|source| source["blocks"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert!(blocks(&first) > 120 && blocks(&second) <= 9, "{} {}", blocks(&first), blocks(&second));
}

#[test]
fn where_anything_is_found_all_is_read() {
    let (project, machine) = (Project::applied(), machine());
    bring(&project, &machine);
    machine.ok(FILE);
    let fork = project.copy();
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    bring(&project, &machine);
    let sound = fs::read(machine.path("head.car")).unwrap();
    // A byte of the newest script.
    let place = sound.windows(17).rposition(|bytes| bytes == b"CREATE TABLE more").unwrap();
    let mut damaged = sound.clone();
    damaged[place] ^= 1;
    machine.write("head.car", &damaged);
    let found = machine.ends(1, JSON).object();
    assert_eq!((since(&found), &found["verified"]), (None, &false.into()));
    machine.write("head.car", &sound);
    assert_eq!(since(&machine.json(&FILE)), Some(4));
    // Another version of the chain: the evidence is that of a full verification.
    fork.script("4_fork.sql", "CREATE TABLE fork (id);");
    fork.script("5_fork.sql", "CREATE TABLE forked (id);");
    fork.ok(["apply"]);
    bring(&fork, &machine);
    let forked = machine.ends(5, JSON).object();
    assert_eq!(forked["findings"][0]["code"], "forked");
    machine.ok(["verify-fork", forked["forkEvidence"].as_str().unwrap()]);
    // And the standing is still that of the one that was seen first.
    machine.write("head.car", &sound);
    assert_eq!(since(&machine.json(&FILE)), Some(5));
}

#[test]
fn a_standing_that_is_damaged_or_gone_costs_time_and_nothing_else() {
    let (project, machine) = (Project::applied(), machine());
    bring(&project, &machine);
    machine.ok(FILE);
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    bring(&project, &machine);
    let file = standing(&machine);
    let kept = fs::read(&file).unwrap();
    let other = |what: &str, with: &str| {
        let place = kept.windows(what.len()).position(|bytes| bytes == what.as_bytes()).unwrap();
        let mut bytes = kept.clone();
        bytes[place..place + with.len()].copy_from_slice(with.as_bytes());
        bytes
    };
    for bytes in [
        Vec::new(),
        vec![7; 5000],
        kept[..kept.len() / 2].to_vec(),
        // Another size in the standing, another version of greffe, other tables.
        other("\"size\":4", "\"size\":5"),
        other(env!("CARGO_PKG_VERSION"), "9.9.9"),
        other("made_by TEXT", "MADE_BY text"),
        other("made_by", "mode_by"),
    ] {
        fs::write(&file, &bytes).unwrap();
        let object = machine.json(&FILE);
        assert_eq!(object["verified"], true);
        let reads_all = since(&object).is_none();
        assert!(reads_all || bytes.windows(7).any(|bytes| bytes == b"MADE_BY"));
        assert_eq!(since(&machine.json(&FILE)), Some(5));
    }
    // A folder that cannot be written: it is said, and what was verified stands.
    fs::remove_dir_all(machine.path("state/greffe/standing")).unwrap();
    machine.write("state/greffe/standing", "a file");
    machine.ok(FILE).says(&["cannot be kept"]);
}

/// Where it is not known any more what was seen, the standing knows; and the memory goes before it.
#[test]
fn memory_and_standing_hold_each_other() {
    let (project, machine) = (Project::applied(), machine());
    project.ok(["export", "--out", "short.car"]);
    fs::copy(project.path("short.car"), machine.path("short.car")).unwrap();
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    bring(&project, &machine);
    machine.ok(FILE);
    fs::remove_dir_all(machine.path("state/greffe/seen")).unwrap();
    let run = machine.ends(5, ["verify", "short.car", "--incremental", "--json"]);
    assert_eq!(run.object()["findings"][0]["code"], "rolled-back");
    // An older head was taken meanwhile, without the standing.
    machine.ok(["verify", "short.car"]);
    let whole = machine.json(&FILE);
    assert_eq!((since(&whole), &whole["verified"]), (None, &true.into()));
}

/// Another program writes the standing for a while: it is waited for, and what was verified is not thrown away.
#[test]
fn a_standing_that_is_in_use_is_left_alone() {
    let (project, machine) = (Project::applied(), machine());
    bring(&project, &machine);
    machine.ok(FILE);
    let file = standing(&machine);
    let kept = fs::read(&file).unwrap();
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    bring(&project, &machine);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
    let mut lock = runtime.block_on(sqlx::ConnectOptions::connect(&options)).unwrap();
    runtime.block_on(sqlx::Executor::execute(&mut lock, "BEGIN EXCLUSIVE")).unwrap();
    let run = machine.ok(FILE);
    run.says(&["cannot be kept"]).prints(&["verified"]);
    drop(lock);
    assert_eq!(fs::read(&file).unwrap(), kept);
    assert_eq!(since(&machine.json(&FILE)), Some(4));
}

#[test]
fn it_is_refused_where_all_has_to_be_read() {
    let project = Project::applied();
    let head = project.head();
    for other in ["--replay", "--live", "--open", "--no-memory"] {
        project.ends(2, ["verify", &head, "--incremental", other]);
    }
}
