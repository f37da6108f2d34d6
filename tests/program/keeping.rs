//! Replicas keep what they have: an archive that knows less takes nothing from them, and no repair leaves them with
//! less than before.

use std::fs;

use serde_json::json;

use crate::ipfs::{pins, state};
use crate::project::{Project, THREE};
use crate::replicas::settings;
use crate::servers::Kubo;

fn replica(name: &str, url: &str) -> String {
    format!("\n[[replica]]\nname = \"{name}\"\nurl = \"{url}\"\n")
}

/// The archive's files without what is known of replicas.
const ARCHIVE: [&str; 2] = ["archive/demo.car", "archive/demo.head"];
const AHEAD: &str =
    "the replica has a head that this archive does not know: it is ahead, or of another version";

/// A node, and replicas in the file system.
fn project(kubo: &Kubo) -> Project {
    let project = Project::with(&THREE);
    for (name, url) in [
        ("node", format!("kubo:{}", kubo.rpc_url())),
        ("copy", "archive:copy".to_owned()),
        ("file", "car:file.car".to_owned()),
    ] {
        settings(&project, &replica(name, &url));
    }
    project
}

/// Puts older files of the archive in place.
fn restore(project: &Project, files: &[Vec<u8>]) {
    for (name, bytes) in ARCHIVE.iter().zip(files) {
        project.write(name, bytes);
    }
    for derived in ["archive/demo.index", "archive/demo.idx"] {
        let _ = fs::remove_file(project.path(derived));
    }
}

/// What is known of the node, without the place of its head in the chain.
fn forget_manifests(project: &Project) {
    let mut notes: serde_json::Value =
        serde_json::from_slice(&project.read("archive/demo.replicas")).unwrap();
    for note in notes.as_object_mut().unwrap().values_mut() {
        note.as_object_mut().unwrap().remove("manifest");
    }
    project.write("archive/demo.replicas", notes.to_string());
}

#[test]
fn an_older_archive_takes_nothing_from_replicas() {
    let kubo = Kubo::start();
    let project = project(&kubo);
    project.ok(["apply", "--to", "1"]);
    let older = ARCHIVE.map(|name| project.read(name));
    project.ok(["apply"]);
    let (head, newer) = (project.head(), ARCHIVE.map(|name| project.read(name)));
    let copies = ["copy/demo.car", "copy/demo.head", "file.car"];
    let before = copies.map(|name| project.read(name));
    restore(&project, &older);
    assert_ne!(project.head(), head);
    for _ in 0..2 {
        let run = project.ends(1, ["replicate", "--json"]).object();
        for name in ["node", "copy", "file"] {
            let state = state(&run, name);
            assert!(state["failure"].as_str().unwrap().starts_with(AHEAD), "{state:#}");
            assert_eq!((&state["current"], &state["head"]), (&json!(false), &json!(head)));
        }
        assert_eq!(project.run(["status"]).stdout.matches(AHEAD).count(), 3);
        let run = project.ends(1, ["replicas", "--repair", "--json"]).object();
        assert!(state(&run, "node")["failure"].as_str().unwrap().starts_with(AHEAD), "{run:#}");
        assert_eq!(pins(&kubo), [&*head]);
        assert_eq!(copies.map(|name| project.read(name)), before);
        // Once more by what the node gives alone.
        forget_manifests(&project);
    }
    kubo.garbage_collect();
    Project::empty().ok(["verify", &head, "--from", &format!("kubo:{}", kubo.rpc_url())]);
    restore(&project, &newer);
    project.ok(["replicate"]);
    project.ok(["replicas"]);
}

#[test]
fn a_head_that_compaction_dropped_is_let_go() {
    for forgets in [false, true] {
        let mut kubo = Kubo::start();
        let project = project(&kubo);
        project.ok(["apply", "--to", "1"]);
        let first = project.head();
        kubo.stop();
        project.ends(4, ["apply", "--to", "2", "--replication-deadline", "1s"]);
        project.ends(4, ["apply", "--replication-deadline", "1s"]);
        project.ok(["compact"]);
        if forgets {
            forget_manifests(&project);
        }
        kubo.restart();
        assert_eq!(pins(&kubo), [&*first]);
        project.ok(["replicate"]);
        assert_eq!(pins(&kubo), [&*project.head()]);
        project.ok(["replicas"]);
    }
}
