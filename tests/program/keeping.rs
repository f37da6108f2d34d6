//! Replicas keep what they have: an archive that knows less takes nothing from them, and no repair leaves them with
//! less than before.

use std::fs;
use std::sync::{Arc, Mutex};

use greffe::model::{Cid, Codec};
use serde_json::json;

use crate::ipfs::{block_files, pins, state};
use crate::project::{Project, THREE};
use crate::replicas::settings;
use crate::servers::{Act, Kubo, LIMIT, Proxy, poll};

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

/// Flips a bit of the block that is `text`, on the disk of the node.
fn damage(kubo: &mut Kubo, text: &str) {
    kubo.stop();
    let path = block_files(kubo).into_iter().find(|path| fs::read(path).unwrap() == text.as_bytes()).unwrap();
    let mut bytes = text.as_bytes().to_vec();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
    kubo.restart();
}

#[test]
fn a_damaged_block_that_another_pin_holds_leaves_the_head_pinned() {
    let mut kubo = Kubo::start();
    let project = project(&kubo);
    project.ok(["apply"]);
    let script = Cid::of(Codec::Raw, THREE[2].1.as_bytes()).to_string();
    kubo.run(&["pin", "add", &script]);
    damage(&mut kubo, THREE[2].1);
    for _ in 0..2 {
        let run = project.ends(1, ["replicas", "--repair", "--json"]).object();
        let look = state(&run, "node");
        let failure = look["failure"].as_str().unwrap();
        let told =
            format!("its block {script} is damaged, and cannot be replaced while another pin holds it");
        assert!(failure.starts_with(&told), "{look:#}");
        assert!(pins(&kubo).contains(&project.head()));
        kubo.garbage_collect();
        let run = project.ends(1, ["replicas", "--json"]).object();
        assert_eq!(
            (&state(&run, "node")["missing"], &state(&run, "node")["holding"]),
            (&json!(1), &json!("pinned"))
        );
    }
    kubo.run(&["pin", "rm", &script]);
    project.ok(["replicas", "--repair"]);
    project.ok(["replicas"]);
    assert_eq!(pins(&kubo), [project.head()]);
}

#[test]
fn what_is_collected_while_a_pin_is_away_is_brought_again() {
    let mut kubo = Kubo::start();
    let project = Project::with(&THREE);
    settings(&project, &replica("node", &format!("kubo:{}", kubo.rpc_url())));
    project.ok(["apply"]);
    damage(&mut kubo, THREE[2].1);
    let kubo = Arc::new(kubo);
    let (node, lost) = (kubo.clone(), Arc::new(Mutex::new(0)));
    let collected = lost.clone();
    let proxy = Proxy::start(&kubo.rpc_url(), move |line| {
        if line.contains("block/rm") {
            *collected.lock().unwrap() += node.garbage_collect().len();
        }
        Act::Pass
    });
    let toml = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", toml.replace(&kubo.rpc_url(), proxy.url()));
    let run = project.ok(["replicas", "--repair", "--json"]).object();
    assert!(*lost.lock().unwrap() > 10);
    assert_eq!(
        (&state(&run, "node")["missing"], &state(&run, "node")["holding"]),
        (&json!(0), &json!("pinned"))
    );
    kubo.garbage_collect();
    project.ok(["replicas"]);
    Project::empty().ok(["verify", &project.head(), "--from", &format!("kubo:{}", kubo.rpc_url())]);
}

#[test]
fn no_pin_of_a_repair_that_was_ended_stays() {
    let kubo = Kubo::start();
    let cut = Arc::new(Mutex::new(0));
    let cuts = cut.clone();
    let proxy = Proxy::start(&kubo.rpc_url(), move |line| match cuts.lock().unwrap() {
        mut seen if line.contains("pin/rm") && *seen >= 0 => {
            *seen += 1;
            Act::Cut(0)
        }
        _ => Act::Pass,
    });
    let project = Project::with(&THREE);
    let alone = project.read("greffe.toml");
    settings(&project, &replica("node", &format!("kubo:{}", proxy.url())));
    let settings = project.read("greffe.toml");
    project.ok(["apply", "--to", "1"]);
    project.write("greffe.toml", &alone);
    project.ok(["apply", "--to", "2"]);
    project.write("greffe.toml", &settings);
    let mut child = project.command(["replicas", "--repair"]).spawn().unwrap();
    assert!(poll(LIMIT, || *cut.lock().unwrap() > 0));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(pins(&kubo).len(), 2);
    *cut.lock().unwrap() = -1;
    project.ok(["apply"]);
    assert_eq!(pins(&kubo), [project.head()]);
}

#[test]
fn a_disk_that_is_not_mounted_is_not_written_beside() {
    let project = Project::with(&THREE);
    for (name, url) in [("copy", "archive:disk/copy"), ("file", "car:disk/file.car")] {
        settings(&project, &replica(name, url));
    }
    fs::create_dir(project.path("disk")).unwrap();
    project.ok(["apply", "--to", "1"]);
    // The mount point stays when the disk is taken away.
    fs::rename(project.path("disk"), project.path("away")).unwrap();
    fs::create_dir(project.path("disk")).unwrap();
    let gone = "it was here and is gone: is its disk mounted?";
    let run = project.ends(4, ["apply", "--to", "2"]);
    assert_eq!(run.stderr.matches(gone).count(), 2, "{run:#?}");
    assert_eq!(project.ends(4, ["replicate"]).stdout.matches(gone).count(), 2);
    assert_eq!(project.ok(["status"]).stdout.matches(gone).count(), 2);
    assert_eq!(fs::read_dir(project.path("disk")).unwrap().count(), 0);
    fs::remove_dir(project.path("disk")).unwrap();
    fs::rename(project.path("away"), project.path("disk")).unwrap();
    project.ok(["replicate"]);
    project.ok(["replicas"]);
    fs::remove_dir_all(project.path("disk")).unwrap();
    fs::create_dir(project.path("disk")).unwrap();
    project.ok(["replicas", "--repair"]);
    project.ok(["apply"]);
    project.ok(["replicas"]);
}

#[test]
fn a_file_that_cannot_be_read_is_not_written_over() {
    let project = Project::with(&THREE);
    settings(&project, &replica("file", "car:file.car"));
    project.ok(["apply", "--to", "1"]);
    // What is left of the newest entries, for all that is known.
    let whole = project.read("file.car");
    let broken = [&[0xff; 8][..], &whole[8..]].concat();
    project.write("file.car", &broken);
    let said = "file.car is there and cannot be read, so it is not written over";
    let run = project.ends(4, ["apply", "--to", "2"]);
    run.says(&[said, "`greffe replicas --repair` keeps it as"]);
    project.ends(4, ["replicate"]).prints(&[said]);
    project.ends(1, ["replicas"]);
    assert_eq!(project.read("file.car"), broken);
    project.ok(["replicas", "--repair"]);
    project.ok(["verify", "file.car"]);
    assert_eq!(project.read("file.car.unreadable"), broken);
    // One that was kept stays, and an empty file is one that cannot be read.
    project.write("file.car", "");
    project.ends(4, ["apply"]);
    assert_eq!(project.read("file.car"), b"");
    project.ok(["replicas", "--repair"]);
    assert_eq!(project.read("file.car.unreadable"), broken);
    assert_eq!(project.read("file.car.unreadable-2"), b"");
    project.ok(["replicate"]);
}

fn notes(project: &Project) -> serde_json::Value {
    serde_json::from_slice(&project.read("archive/demo.replicas")).unwrap()
}

/// What one node took stays noted when the program is ended while it waits for another.
#[test]
fn what_was_brought_is_noted_while_others_are_waited_for() {
    let (kubo, silent) = (Kubo::start(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let project = Project::with(&THREE);
    settings(&project, &replica("node", &format!("kubo:{}", kubo.rpc_url())));
    project.ok(["apply", "--to", "1"]);
    settings(&project, &replica("silent", &format!("kubo:http://{}", silent.local_addr().unwrap())));
    let mut child = project.command(["apply"]).spawn().unwrap();
    let brought = || {
        let head = project.run(["head"]).stdout;
        pins(&kubo) == [head.trim_end()]
    };
    assert!(poll(LIMIT, || project.log().len() == 4) && poll(LIMIT, brought));
    let noted = || notes(&project)["node"]["head"] == project.head();
    assert!(poll(std::time::Duration::from_secs(5), noted), "{:#}", notes(&project));
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = &notes(&project)["silent"]["begun"];
    assert!(begun.is_null(), "one that does not answer was sent nothing: {begun}");
    let run = project.ends(4, ["replicate", "--replication-deadline", "1s", "--json"]).object();
    assert_eq!((&run["replicas"][0]["delivered"], &run["replicas"][0]["current"]), (&0.into(), &true.into()));
}

#[test]
fn a_repair_that_reaches_nobody_notes_nothing() {
    let project = Project::with(&THREE);
    settings(&project, &replica("gone", "kubo:http://127.0.0.1:1"));
    project.ends(4, ["apply"]);
    project.ends(3, ["replicas", "--repair"]);
    assert!(notes(&project)["gone"]["begun"].is_null(), "{:#}", notes(&project));
}

/// A delivery was cut off after the new pin and before the old one was let go.
#[test]
fn a_repair_lets_no_pin_be_forgotten() {
    let kubo = Kubo::start();
    let project = Project::with(&THREE);
    settings(&project, &replica("node", &format!("kubo:{}", kubo.rpc_url())));
    project.ok(["apply", "--to", "1"]);
    let (first, before) = (project.head(), project.read("archive/demo.replicas"));
    project.ok(["apply", "--to", "2"]);
    let second = project.head();
    kubo.run(&["pin", "add", "--recursive", &first]);
    let mut cut: serde_json::Value = serde_json::from_slice(&before).unwrap();
    cut["node"]["begun"] = serde_json::json!([second]);
    project.write("archive/demo.replicas", cut.to_string());
    assert_eq!(pins(&kubo).len(), 2);
    project.ok(["replicas", "--repair"]);
    project.ok(["apply"]);
    assert_eq!(pins(&kubo), [project.head()]);
}
