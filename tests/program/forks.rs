//! Heads that are not what was verified before: cut back, or another version; and evidence that anyone can judge.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::project::{Project, Run};
use crate::servers::{LIMIT, poll};

/// A machine on which nothing was ever done, with a memory of its own.
pub fn machine() -> Project {
    let mut machine = Project::empty();
    machine.variables = vec![("XDG_STATE_HOME".to_owned(), machine.path("state").display().to_string())];
    machine
}

/// Brings a project's newest head to a machine as a file, and verifies it there.
fn verify(project: &Project, machine: &Project, name: &str) -> Run {
    project.ok(["export", "--out", name, "--force"]);
    fs::copy(project.path(name), machine.path(name)).unwrap();
    machine.run(["verify", name, "--json"])
}

/// A chain that was verified on a machine, and then signed again in another version: `more` and `other` entries behind
/// the three scripts, each in a run of its own. The machine, the evidence, and the two projects, each
/// with its heads behind the three scripts.
fn forked(more: usize, other: usize) -> (Project, PathBuf, [(Project, Vec<String>); 2]) {
    let project = Project::applied();
    let fork = project.copy();
    let machine = machine();
    let grow = |project: &Project, count: usize, kind: &str| -> Vec<String> {
        let run = |number: usize| {
            let text = format!("CREATE TABLE {kind}{number} (id);");
            project.script(&format!("{}_{kind}.sql", number + 4), text);
            project.ok(["apply"]);
            project.head()
        };
        (0..count).map(run).collect()
    };
    let heads = [grow(&project, more, "more"), grow(&fork, other, "fork")];
    assert_eq!(verify(&project, &machine, "first.car").code, 0);
    let run = verify(&fork, &machine, "second.car");
    assert_eq!(run.code, 5, "{}", run.stdout);
    let path = PathBuf::from(run.object()["forkEvidence"].as_str().unwrap());
    let [first, second] = heads;
    (machine, path, [(project, first), (fork, second)])
}

/// The checkpoint of one of a project's heads, out of the memory of a verification.
pub fn checkpoint(project: &Project, head: &str) -> String {
    let mut reader = project.copy();
    reader.variables.push(("XDG_STATE_HOME".to_owned(), reader.path("state").display().to_string()));
    reader.ok(["verify", head]);
    let file = fs::read_dir(reader.path("state/greffe/seen")).unwrap().map(|file| file.unwrap().path());
    let path = file.into_iter().find(|path| path.file_stem().unwrap() != "lock").unwrap();
    let seen: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    seen["checkpoint"].as_str().unwrap().to_owned()
}

#[test]
fn a_fork_by_the_keys_owner_is_shown_to_anyone_by_one_file() {
    for (more, other) in [(1, 1), (1, 4), (2, 2)] {
        let (machine, path, [_, (fork, _)]) = forked(more, other);
        let elsewhere = Project::empty();
        fs::copy(&path, elsewhere.path("evidence.json")).unwrap();
        let shown = elsewhere.json(&["verify-fork", "evidence.json"]);
        assert_eq!(shown["forked"], true, "{shown:#}");
        let entries = |index: usize| shown["versions"][index]["entries"].as_u64().unwrap();
        assert_eq!((entries(0), entries(1)), (4 + more as u64, 4 + other as u64));
        let keyid = fork.json(&["key", "show"])["keyid"].clone();
        assert_eq!([&shown["versions"][0]["signedBy"], &shown["versions"][1]["signedBy"]], [&keyid, &keyid]);
        elsewhere.ok(["verify-fork", "evidence.json"]).prints(&["forked: chain bafy", "signed by key"]);
        // Told for people, too, and kept once.
        machine.ends(5, ["verify", "second.car"]).prints(&["forked: entry", "greffe verify-fork "]);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        // What was verified first is still what is remembered.
        machine.ok(["verify", "first.car"]);
        machine.ends(5, ["import", "second.car"]).prints(&["greffe verify-fork "]);
    }
}

#[test]
fn a_head_that_was_cut_back_is_refused_and_shows_no_fork() {
    let project = Project::applied();
    let machine = machine();
    assert_eq!(verify(&project, &machine, "older.car").code, 0);
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    assert_eq!(verify(&project, &machine, "newer.car").code, 0);
    let run = machine.ends(5, ["verify", "older.car", "--json"]);
    assert_eq!(run.object()["findings"][0]["code"], "rolled-back");
    assert!(run.object().get("forkEvidence").is_none());
    machine.ok(["verify", "older.car", "--older"]);
}

#[test]
fn evidence_that_shows_nothing_is_refused() {
    let (machine, path, [(first, first_heads), (second, second_heads)]) = forked(1, 3);
    let evidence: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let judge = |evidence: &Value, says: &str| {
        machine.write("changed.json", evidence.to_string());
        let run = machine.ends(1, ["verify-fork", "changed.json", "--json"]);
        let object = run.object();
        assert_eq!(object["forked"], false, "{object:#}");
        assert!(object["reason"].as_str().unwrap().contains(says), "{says}: {object:#}");
    };
    let changed = |member: &str, value: Value| {
        let mut evidence = evidence.clone();
        evidence[member] = value;
        evidence
    };
    judge(&changed("first", evidence["second"].clone()), "hashes");
    let mut swapped = changed("first", evidence["second"].clone());
    swapped["second"] = evidence["first"].clone();
    judge(&swapped, "the smaller one comes first");
    // A chain that goes on from its own older head: the hashes are right, and lead to that one.
    judge(&changed("first", json!(checkpoint(&second, &second_heads[0]))), "goes on from the first one");
    judge(&changed("second", json!(checkpoint(&first, &first_heads[0]))), "hashes");
    // Signatures that are nobody's, or not over this.
    let text = evidence["second"].as_str().unwrap();
    let (body, signature) = text.split_once("\n\n").unwrap();
    let other_root = body.replacen("\n7\n", "\n8\n", 1);
    assert_ne!(other_root, body);
    judge(
        &changed("second", json!(format!("{other_root}\n\n{signature}"))),
        "not signed by a key of this chain",
    );
    judge(&changed("trust", json!([])), "not signed by a key of this chain");
    // Another chain's word on whose signatures count.
    let (_strangers, path, _) = forked(1, 1);
    let strange: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let strange = &strange["trust"][0];
    judge(&changed("trust", json!([strange])), "its trust event 0 does not hold");
    for (member, other) in
        [("manifest", &strange["manifest"]), ("log", &strange["log"]), ("document", &json!("e30="))]
    {
        let mut broken = evidence.clone();
        broken["trust"][0][member] = other.clone();
        judge(&broken, "its trust event 0 does not hold");
    }
    let mut twice = evidence.clone();
    let entry = evidence["trust"][0].clone();
    twice["trust"].as_array_mut().unwrap().push(entry);
    judge(&twice, "its trust event 1 does not hold");
    for list in ["prefix", "rest"] {
        for index in 0..evidence[list].as_array().unwrap().len() {
            let mut flipped = evidence.clone();
            flipped[list][index] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
            judge(&flipped, "hashes");
        }
        judge(&changed(list, json!([])), "hashes");
    }
    // What cannot be read at all.
    for text in ["", "{}", "[]", "{\"greffe-fork\":2}"] {
        machine.write("changed.json", text);
        machine.ends(1, ["verify-fork", "changed.json"]).says(&["not evidence of a fork", "hint: "]);
    }
    machine.ends(2, ["verify-fork", "nowhere.json"]).says(&["nowhere.json", "hint: "]);
}

#[test]
fn a_head_that_nobody_vouched_for_lately_is_stale_and_not_tampered_with() {
    let project = Project::applied();
    let machine = machine();
    assert_eq!(verify(&project, &machine, "first.car").code, 0);
    let report = machine.ok(["verify", "first.car", "--max-age", "1h", "--json"]).object();
    let freshness = &report["freshness"];
    assert_eq!((&freshness["fresh"], &freshness["by"]), (&json!("yes"), &json!("signer")));
    assert_eq!((&freshness["at"], &freshness["maxAgeSeconds"]), (&report["newest"], &json!(3600)));
    let stale = ["verify", "first.car", "--max-age", "0m", "--json"];
    // A second later at the latest.
    assert!(poll(LIMIT, || machine.run(stale).code == 6));
    let report = machine.ends(6, stale).object();
    assert_eq!((&report["verified"], &report["findings"]), (&json!(true), &json!([])));
    assert_eq!(report["freshness"]["fresh"], "no");
    machine.ends(6, &stale[..4]).prints(&["verified: demo", "fresh       no  the newest word"]);
    // It hides nothing that is wrong.
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    assert_eq!(verify(&project, &machine, "newer.car").code, 0);
    machine.ends(5, stale);
    let mut bytes = machine.read("newer.car");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    machine.write("damaged.car", bytes);
    machine.ends(1, ["verify", "damaged.car", "--max-age", "0m"]);
    machine.ends(2, ["verify", "first.car", "--max-age", "week"]).says(&["30m"]);
}
