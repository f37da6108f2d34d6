//! Replicas in the file system that are damaged, in the way, moved by others, or no copies at all.

use std::fs;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::project::{Project, THREE};
use crate::replicas::settings;
use crate::servers::{LIMIT, poll};

fn replica(name: &str, url: &str) -> String {
    format!("\n[[replica]]\nname = \"{name}\"\nurl = \"{url}\"\n")
}

/// Three migrations that are not applied, and replicas.
fn project(urls: &[&str]) -> Project {
    let project = Project::with(&THREE);
    for (number, url) in urls.iter().enumerate() {
        settings(&project, &replica(&format!("r{number}"), url));
    }
    project
}

/// Flips a bit of some script in an archive.
fn damage(project: &Project, file: &str) -> Vec<u8> {
    let mut bytes = project.read(file);
    let place = bytes.windows(19).position(|part| part == b"CREATE TABLE author").unwrap();
    bytes[place] ^= 1;
    project.write(file, &bytes);
    bytes
}

#[test]
fn nothing_is_applied_while_a_required_copy_is_gone_or_damaged() {
    for (url, folder) in [("archive:disk/copy", "disk/copy"), ("car:disk/copy/file.car", "disk/copy")] {
        let project = project(&[url]);
        fs::create_dir_all(project.path(folder)).unwrap();
        project.ok(["apply", "--to", "1", "--required", "1"]);
        let refused = |why: &str| {
            let before = project.sql("SELECT count(*) FROM greffe_history");
            let run = project.ends(3, ["apply", "--required", "1"]);
            run.says(&["0 of 1 replicas answer, and 1 must", why]);
            assert_eq!(project.sql("SELECT count(*) FROM greffe_history"), before);
            assert_eq!(project.tables(), "authors");
        };
        fs::rename(project.path(folder), project.path("away")).unwrap();
        refused(if url.starts_with("car:") { "cannot be written there" } else { "it was here and is gone" });
        fs::create_dir(project.path(folder)).unwrap();
        refused("it was here and is gone");
        fs::remove_dir(project.path(folder)).unwrap();
        fs::rename(project.path("away"), project.path(folder)).unwrap();
        // No file of the format any more.
        let file = if url.starts_with("car:") { "disk/copy/file.car" } else { "disk/copy/demo.car" };
        let whole = project.read(file);
        project.write(file, [&[0xff; 8][..], &whole[8..]].concat());
        refused("`greffe replicas --repair`");
        project.write(file, whole);
        project.ok(["apply", "--required", "1"]);
    }
}

#[test]
fn a_disk_that_hangs_holds_no_migration_back() {
    let project = project(&["car:file.car", "archive:copy"]);
    // Whoever opens it to read waits until somebody writes.
    assert!(std::process::Command::new("mkfifo").arg(project.path("file.car")).status().unwrap().success());
    let mut child = project.command(["apply", "--required", "1"]).spawn().unwrap();
    let applied = poll(LIMIT, || project.log().len() == 4);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(applied);
}

/// A run judges the copy, waits for its lock, and finds that another one moved it meanwhile.
#[test]
fn an_older_process_does_not_move_a_copy_back() {
    let project = project(&["archive:copy"]);
    project.ok(["apply", "--to", "1"]);
    // An older archive with its notes, as that process has read them.
    let older = project.copy();
    project.ok(["apply", "--to", "2"]);
    let newer = project.head();
    // The older one goes on from what it has, to another head of the same entries.
    let lock = fs::File::options().write(true).open(older.path("copy/demo.lock")).unwrap();
    lock.lock().unwrap();
    older.script("4_x.sql", "CREATE TABLE x (id INTEGER);\n");
    let child = older.command(["apply", "--to", "2"]).spawn().unwrap();
    assert!(poll(LIMIT, || older.log().len() == 3));
    thread::sleep(Duration::from_millis(1500));
    for file in ["demo.car", "demo.head"] {
        fs::copy(project.path("copy").join(file), older.path("copy").join(file)).unwrap();
    }
    let _ = fs::remove_file(older.path("copy/demo.index"));
    drop(lock);
    let output = older.judge(child.wait_with_output().unwrap());
    assert_eq!(output.code, 4, "{output:#?}");
    assert_eq!(String::from_utf8(older.read("copy/demo.head")).unwrap().trim_end(), newer, "{output:#?}");
}

/// What others archive while nodes are waited for is no reason for an alarm.
#[test]
fn a_copy_that_another_run_brought_further_is_not_ahead() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let project = project(&["archive:copy"]);
    project.ok(["apply", "--to", "1"]);
    settings(&project, &replica("silent", &format!("kubo:http://{}", silent.local_addr().unwrap())));
    let mut child = project.command(["replicate", "--replication-deadline", "6s", "--json"]).spawn().unwrap();
    thread::sleep(Duration::from_secs(2));
    let plain = String::from_utf8(project.read("greffe.toml")).unwrap();
    let without = plain.split("\n[[replica]]\nname = \"silent\"").next().unwrap();
    project.write("other.toml", without);
    project.ok(["apply", "--config", "other.toml"]);
    assert!(child.try_wait().unwrap().is_none(), "it still waits");
    let run = project.judge(child.wait_with_output().unwrap());
    assert_eq!(run.code, 4, "only the silent one is owed something: {run:#?}");
    assert_eq!(run.object()["replicas"][0]["current"], true, "{run:#?}");
    assert_eq!(run.object()["replicas"][0]["head"], project.head());
}

#[test]
fn a_damaged_copy_is_kept_and_made_anew() {
    let project = project(&["archive:copy"]);
    project.ok(["apply", "--to", "2"]);
    // A block, and then the whole file.
    let flipped = damage(&project, "copy/demo.car");
    project.ends(1, ["replicas"]);
    let run = project.ok(["replicas", "--repair", "--json"]).object();
    assert_eq!(run["replicas"][0]["missing"], 0, "{run:#}");
    assert_eq!(project.read("copy/demo.car.damaged"), flipped);
    project.ok(["verify", &project.head(), "--archive", "copy"]);
    let whole = project.read("copy/demo.car");
    let broken = [&[0xff; 8][..], &whole[8..]].concat();
    project.write("copy/demo.car", &broken);
    let run = project.ends(4, ["apply", "--to", "3"]);
    run.says(&["is not a CAR file of this format", "hint: run `greffe replicas --repair`"]);
    assert_eq!(project.read("copy/demo.car"), broken);
    let run = project.ends(3, ["replicas", "--json"]).object();
    assert!(run["replicas"][0]["failure"].as_str().unwrap().contains("--repair"), "{run:#}");
    project.ok(["replicas", "--repair"]);
    assert_eq!(project.read("copy/demo.car.damaged-2"), broken);
    project.ok(["replicas"]);
    project.ok(["rollback", "--steps", "1"]);
    project.ok(["verify", &project.head(), "--archive", "copy"]);
}

#[test]
fn files_beside_a_copy_are_nobodys_business() {
    let project = project(&["archive:copy"]);
    project.ok(["apply", "--to", "1"]);
    for (name, bytes) in [("foreign.car", &b"no car"[..]), ("empty.car", b""), ("a b.car", b"x")] {
        project.write(&format!("copy/{name}"), bytes);
    }
    fs::create_dir(project.path("copy/folder.car")).unwrap();
    project.ok(["apply"]);
    project.ok(["replicas"]);
    let machine = Project::empty();
    let from = format!("archive:{}", project.path("copy").display());
    machine.ok(["verify", &project.head(), "--from", &from]);
}

#[test]
fn what_is_no_other_place_is_no_replica() {
    for (urls, said) in [
        (&["archive:archive"][..], "replica r0: its `url` is the place of the archive itself"),
        (&["archive:./none/../archive"], "replica r0: its `url` is the place of the archive itself"),
        (&["car:archive/demo.car"], "replica r0: its `url` is the place of the archive itself"),
        (&["archive:copy", "archive:./copy"], "replica r1: its `url` is the place of the replica r0"),
        (&["car:copy/demo.car", "archive:copy"], "replica r1: its `url` is the place of the replica r0"),
        (&["kubo:http://127.0.0.1:1", "kubo:http://127.0.0.1:1/"], "is the place of the replica r0"),
    ] {
        let project = project(urls);
        let run = project.ends(2, ["apply"]);
        run.says(&[said, "hint: name a place on another disk"]);
        assert_eq!(project.story(), ["genesis"]);
    }
    let project = project(&["archive:copy"]);
    for command in [&["apply"][..], &["replicate"], &["replicas"]] {
        let run = project.ends(2, [command, &["--required", "3"]].concat());
        run.says(&["`replication.required` is 3, and greffe.toml has 1 replica(s)"]);
    }
    assert_eq!(project.story(), ["genesis"]);
    // By another way through the file system.
    std::os::unix::fs::symlink(project.path("archive"), project.path("link")).unwrap();
    settings(&project, &replica("link", "archive:link"));
    project.ends(2, ["apply"]).says(&["replica link: its `url` is the place of the archive itself"]);
}

#[test]
fn what_a_killed_run_left_of_a_car_goes() {
    let project = project(&["car:disk/file.car"]);
    fs::create_dir(project.path("disk")).unwrap();
    project.ok(["apply"]);
    let left = "disk/file.car.0123456789abcdef.tmp";
    project.write(left, vec![0; 1 << 20]);
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(project.path(left)).unwrap().set_modified(long_ago).unwrap();
    project.ok(["rollback", "--steps", "1"]);
    assert_eq!(fs::read_dir(project.path("disk")).unwrap().count(), 1);
}

#[test]
fn what_is_known_of_other_replicas_stays() {
    let project = project(&["archive:copy", "car:file.car"]);
    project.ok(["apply", "--to", "1"]);
    let with_both = project.read("greffe.toml");
    let text = String::from_utf8(with_both.clone()).unwrap();
    let one = text.split("\n[[replica]]\nname = \"r1\"").next().unwrap();
    project.write("greffe.toml", one);
    project.ok(["apply", "--to", "2"]);
    project.write("greffe.toml", with_both);
    let status = project.json(&["status"]);
    assert!(status["replicas"][1]["head"].is_string(), "{status:#}");
    // Notes that cannot be read are put aside, and that is told.
    project.write("archive/demo.replicas", "{ damaged");
    let note = "cannot be read: heads that are noted there may stay pinned";
    project.ok(["status"]).says(&["demo.replicas cannot be read", note]);
    project.ok(["replicate"]).says(&["demo.replicas.unreadable cannot be read"]);
    assert_eq!(project.read("archive/demo.replicas.unreadable"), b"{ damaged");
    project.ok(["status"]).says(&[note]);
    project.remove("archive/demo.replicas.unreadable");
    assert_eq!(project.ok(["status"]).stderr, "");
}

/// A file whose copy takes longer than it may.
#[test]
fn a_car_keeps_to_its_deadline() {
    let project = project(&["car:file.car"]);
    for number in 10..310 {
        project.script(&format!("{number}_t.sql"), format!("CREATE TABLE t{number} (id INTEGER);\n"));
    }
    project.ends(4, ["apply", "--replication-deadline", "1ms"]);
    let begin = Instant::now();
    project.ok(["replicate"]);
    project.ok(["replicas"]);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}
