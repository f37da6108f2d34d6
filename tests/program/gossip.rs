//! What others show of a chain, compared with the archive and with each other.

mod lying;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use greffe::codec::note::{Note, encode_checkpoint};
use greffe::crypto::{Digest, PrivateKey};
use greffe::model::{Checkpoint, IpnsName};
use serde_json::Value;

use crate::forks::checkpoint;
use crate::project::{Project, Run, THREE};
use crate::replicas::settings;
use crate::serve::Served;
use crate::servers::Kubo;
use crate::witness::{Serving, ask, log_vkey};

/// A project that remembers what it verified.
fn remembering(mut project: Project) -> Project {
    project.variables.retain(|(name, _)| name != "XDG_STATE_HOME");
    let state = project.path("state").display().to_string();
    project.variables.push(("XDG_STATE_HOME".to_owned(), state));
    project
}

fn grow(project: &Project, number: usize, table: &str) -> String {
    project.script(&format!("{number}_{table}.sql"), format!("CREATE TABLE {table} (id);"));
    project.run(["apply"]);
    project.head()
}

/// What came of each voice, as `name standing`.
fn standings(run: &Run) -> Vec<String> {
    let object = run.object();
    let voices = object["voices"].as_array().unwrap().iter();
    let word = |voice: &Value| {
        format!("{} {}", voice["name"].as_str().unwrap(), voice["standing"].as_str().unwrap())
    };
    voices.map(word).collect()
}

/// The evidence that a run kept, which anyone judges.
fn judged(run: &Run) -> Value {
    let path = run.object()["forks"][0]["evidence"].as_str().unwrap().to_owned();
    let elsewhere = Project::empty();
    fs::copy(path, elsewhere.path("evidence.json")).unwrap();
    elsewhere.json(&["verify-fork", "evidence.json"])
}

#[test]
fn what_others_show_is_compared_with_the_archive() {
    let mut project = remembering(Project::with(&THREE));
    project.ok(["key", "generate", "--out", "greffe.ipns.pem"]);
    project.variables.push(("GREFFE_PUBLISH_KEY".into(), "file:greffe.ipns.pem".into()));
    settings(&project, "\n[[replica]]\nname = \"usb\"\nurl = \"archive:usb\"\n");
    project.ok(["apply"]);
    let older = project.head();
    project.ok(["verify", &older]);
    project.write("friend.txt", checkpoint(&project, &older));
    grow(&project, 4, "more");
    let name = project.json(&["publish"])["name"].as_str().unwrap().to_owned();
    let served = Served::start(&project, &[]);
    let run = project.ok(["gossip", "friend.txt", &older, "--from", &served.url(), "--json"]);
    let url = served.url();
    assert_eq!(
        standings(&run),
        [
            "memory behind".to_owned(),
            "usb same".to_owned(),
            format!("/ipns/{name} same"),
            format!("{url} same"),
            "friend.txt behind".to_owned(),
            format!("{older} behind"),
        ]
    );
    let object = run.object();
    assert_eq!((&object["entries"], &object["voices"][0]["entries"]), (&5.into(), &4.into()));
    project.ok(["gossip", "--from", &url]).prints(&["archive: 5 entries", "behind by 1", "same"]);
    // Somebody who has less than the others is told that, with proof.
    let behind = project.copy();
    grow(&project, 5, "even_more");
    let run = behind.ends(1, ["gossip", "--from", &url, "--json"]);
    let expected = ["usb same".to_owned(), format!("/ipns/{name} same"), format!("{url} ahead")];
    assert_eq!(standings(&run)[1..], expected);
}

#[test]
fn those_who_show_nothing_or_something_else_are_told_apart() {
    let project = Project::applied();
    project.ends(2, ["gossip"]).says(&["nobody is named", "hint: "]);
    project.ends(2, ["gossip", "nowhere.txt"]).says(&["nowhere.txt", "hint: "]);
    let name = IpnsName::new(*PrivateKey::from_seed(&[7; 32]).public()).to_string();
    project.ends(2, ["gossip", &name]).says(&["IPNS name", "hint: "]);
    let run = project.ends(3, ["gossip", "--from", "http://127.0.0.1:1", "--json"]);
    assert_eq!(standings(&run), ["http://127.0.0.1:1 unreachable"]);
    // A server of another chain, one of none, and a checkpoint of nobody.
    let other = Project::applied();
    let served = Served::start(&other, &[]);
    let run = project.ends(1, ["gossip", "--from", &served.url(), "--json"]);
    assert_eq!(standings(&run), [format!("{} another-chain", served.url())]);
    let kubo = Kubo::start();
    let gateway = kubo.gateway_url();
    let run = project.ok(["gossip", "--from", &gateway, "--json"]);
    assert_eq!(standings(&run), [format!("{gateway} silent")]);
    let chain = project.json(&["show", "0"])["manifest"].as_str().unwrap().parse().unwrap();
    let strange = |origin: String| {
        let text = encode_checkpoint(&Checkpoint { origin: origin.clone(), size: 9, root: Digest::of(b"") });
        Note::sign(text, &origin, &PrivateKey::from_seed(&[7; 32])).unwrap().encode()
    };
    project.write("strange.txt", strange(Checkpoint::origin_of(&chain)));
    let run = project.ends(1, ["gossip", "strange.txt", "--json"]);
    assert_eq!(standings(&run), ["strange.txt unsigned"]);
    project.write("strange.txt", strange("evil\u{202e}name".to_owned()));
    let run = project.ends(1, ["gossip", "strange.txt"]);
    run.prints(&["another chain"]);
    assert!(!run.stdout.contains('\u{202e}'), "{run:?}");
    project.write("strange.txt", "no note");
    assert_eq!(standings(&project.ends(1, ["gossip", "strange.txt", "--json"])), ["strange.txt unsigned"]);
}

#[test]
fn a_head_that_was_rolled_back_and_a_tail_that_was_cut_are_shown_by_a_replica() {
    let project = Project::with(&THREE);
    settings(&project, "\n[[replica]]\nname = \"usb\"\nurl = \"archive:usb\"\n");
    project.ok(["apply"]);
    // Everything of the archive as it was, with what was noted beside it.
    let before = project.copy();
    grow(&project, 4, "more");
    for file in fs::read_dir(before.path("archive")).unwrap().map(|file| file.unwrap().path()) {
        fs::copy(&file, project.path("archive").join(file.file_name().unwrap())).unwrap();
    }
    let run = project.ends(1, ["gossip", "--json"]);
    assert_eq!(standings(&run), ["usb ahead"]);
    project.ends(1, ["gossip"]).prints(&["ahead by 1", "usb, 5 entries"]);

    let project = Project::with(&THREE);
    settings(&project, "\n[[replica]]\nname = \"usb\"\nurl = \"archive:usb\"\n");
    project.ok(["apply"]);
    let length = fs::metadata(project.path("archive/demo.car")).unwrap().len();
    grow(&project, 4, "more");
    let archive = fs::File::options().write(true).open(project.path("archive/demo.car")).unwrap();
    archive.set_len(length).unwrap();
    let run = project.ends(1, ["gossip", "--json"]);
    assert_eq!(standings(&run), ["usb ahead"]);
}

#[test]
fn a_fork_by_a_second_runner_is_shown_by_the_replica_of_both() {
    let shared = tempfile::tempdir().unwrap();
    let first = remembering(Project::with(&THREE));
    let replica =
        format!("\n[[replica]]\nname = \"shared\"\nurl = \"archive:{}\"\n", shared.path().display());
    settings(&first, &replica);
    first.ok(["apply"]);
    // The same key, a copy of the archive, and a database of its own.
    let second = remembering(first.copy());
    grow(&first, 4, "more");
    second.script("4_other.sql", "CREATE TABLE other (id);");
    second.ends(4, ["apply"]).says(&["shared"]);
    first.ok(["gossip"]);
    let run = second.ends(5, ["gossip", "--json"]);
    assert_eq!(standings(&run), ["shared forked"]);
    let shown = judged(&run);
    assert_eq!((&shown["versions"][0]["entries"], &shown["versions"][1]["entries"]), (&5.into(), &5.into()));
    second.ends(5, ["gossip"]).prints(&["FORKED: shared and archive", "greffe verify-fork "]);
    // And by whoever serves the other version, of whatever size.
    for number in 5..8 {
        let served = Served::start(&second, &[]);
        let run = first.ends(5, ["gossip", "--from", &served.url(), "--json"]);
        assert_eq!(standings(&run), ["shared same".to_owned(), format!("{} forked", served.url())]);
        let shown = judged(&run);
        assert_eq!(shown["versions"][1]["entries"], number);
        second.script(&format!("{number}_other.sql"), format!("CREATE TABLE other{number} (id);"));
        second.ends(4, ["apply"]);
    }
}

#[test]
fn a_checkpoint_without_its_tiles_proves_nothing() {
    let project = Project::applied();
    let newer = project.copy();
    let head = grow(&newer, 4, "more");
    project.write("newer.txt", checkpoint(&newer, &head));
    let run = project.ends(1, ["gossip", "newer.txt", "--json"]);
    assert_eq!(standings(&run), ["newer.txt ahead-unproved"]);
    assert!(run.object()["voices"][0]["reason"].as_str().unwrap().contains("not its tiles"));
    // A server that shows the checkpoint and tiles of another tree shows as little; one that has them proves it.
    let served = Served::start(&newer, &[]);
    let run = project.ends(1, ["gossip", &head, "newer.txt", "--from", &served.url(), "--json"]);
    assert_eq!(
        standings(&run),
        [format!("{} ahead", served.url()), format!("{head} ahead"), "newer.txt ahead-unproved".to_owned()]
    );
}

#[test]
fn two_inconsistent_checkpoints_of_one_size_are_a_fork_also_where_both_are_ahead() {
    let project = remembering(Project::applied());
    let versions = [project.copy(), project.copy()];
    let heads = [grow(&versions[0], 4, "more"), grow(&versions[1], 4, "other")];
    let notes = [checkpoint(&versions[0], &heads[0]), checkpoint(&versions[1], &heads[1])];
    project.write("one.txt", &notes[0]);
    project.write("other.txt", &notes[1]);
    let run = project.ends(5, ["gossip", "one.txt", "other.txt", "--json"]);
    assert_eq!(standings(&run), ["one.txt ahead-unproved", "other.txt ahead-unproved"]);
    // Without the tiles of either it is plain to whoever looks, and nobody else can be shown it.
    assert_eq!(run.object()["forks"][0]["evidence"], Value::Null);
    let served = [Served::start(&versions[0], &[]), Served::start(&versions[1], &[])];
    let froms = ["--from", &served[0].url(), "--from", &served[1].url()].map(str::to_owned);
    let mut arguments = vec!["gossip".to_owned(), "--json".to_owned()];
    arguments.extend(froms);
    let run = project.ends(5, &arguments);
    let expected = [format!("{} ahead", served[0].url()), format!("{} ahead", served[1].url())];
    assert_eq!(standings(&run), expected);
    assert_eq!(judged(&run)["versions"][0]["entries"], 5);
    // One of them is the archive's, and the other one a file.
    versions[0].write("other.txt", &notes[1]);
    let first = remembering(versions[0].copy());
    let run = first.ends(5, ["gossip", "other.txt", "--json"]);
    assert_eq!(standings(&run), ["other.txt forked"]);
    judged(&run);
}

#[test]
fn a_witness_says_what_it_cosigned_last() {
    let (home, project) = (Project::empty(), Project::with(&THREE));
    let log = log_vkey(&project);
    let witness = Serving::start(&home, &[&log]);
    ask(&project, "ours", &witness.vkey, &witness.url);
    // It knows the log, and has cosigned nothing of it.
    let run = project.ok(["gossip", "--json"]);
    assert_eq!(standings(&run), ["witness ours silent"]);
    project.ok(["apply"]);
    let run = project.ok(["gossip", "--json"]);
    assert_eq!(standings(&run), ["witness ours same"]);
    assert_eq!(run.object()["voices"][0]["entries"], 4);
    // Where it takes checkpoints is not where it shows them.
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    let moved = format!("url = \"http://127.0.0.1:9/\"\nmonitoring = \"{}\"", witness.url);
    project.write("greffe.toml", settings.replace(&format!("url = \"{}\"", witness.url), &moved));
    grow(&project, 4, "more");
    project.ok(["gossip"]).prints(&["behind by 1", "witness ours, 4 entries"]);
    project.write("greffe.toml", settings);
    project.ok(["witness", "ask"]);
    project.ok(["gossip"]).prints(&["same", "witness ours, 5 entries"]);
    witness.kill();
    let run = project.ends(3, ["gossip", "--json"]);
    assert_eq!(standings(&run), ["witness ours unreachable"]);
}

#[test]
fn attack_a_fork_is_shown_by_a_witness_that_saw_the_other_version() {
    let (home, project) = (Project::empty(), remembering(Project::with(&THREE[..4])));
    let witness = Serving::start(&home, &[&log_vkey(&project)]);
    ask(&project, "ours", &witness.vkey, &witness.url);
    // Before anything was applied, with the key and the witness of the first.
    let second = remembering(project.copy());
    project.ok(["apply"]);
    second.remove("migrations/2_books.up.sql");
    second.remove("migrations/2_books.down.sql");
    // Fewer entries than the witness has: nothing is known of them but that they were signed.
    let run = second.ends(1, ["gossip", "--json"]);
    assert_eq!(standings(&run), ["witness ours ahead-unproved"]);
    // As many, and more.
    for number in 4..6 {
        second.script(&format!("{number}_other.up.sql"), format!("CREATE TABLE other{number} (id);"));
        second.ok(["apply"]).says(&["warning: the witness ours contradicts this archive"]);
        let run = second.ends(5, ["gossip", "--json"]);
        assert_eq!(standings(&run), ["witness ours forked"]);
        let shown = judged(&run);
        assert_eq!(shown["versions"][0]["entries"], 3);
        assert_eq!(shown["versions"][1]["entries"], number - 1);
    }
    second.ends(5, ["gossip"]).prints(&["FORKED: witness ours and archive", "greffe verify-fork "]);
}

#[test]
fn a_witness_that_did_not_cosign_what_it_shows_is_told() {
    let (home, project) = (Project::empty(), Project::with(&THREE[..2]));
    let (log, other) = (log_vkey(&project), Project::empty());
    let (witness, stranger) = (Serving::start(&home, &[&log]), Serving::start(&other, &[&log]));
    ask(&project, "ours", &witness.vkey, &witness.url);
    project.ok(["apply"]);
    // The key of one and the place of the other.
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", settings.replace(&witness.vkey, &stranger.vkey));
    let run = project.ends(1, ["gossip", "--json"]);
    assert_eq!(standings(&run), ["witness ours unsigned"]);
    let reason = run.object()["voices"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("no cosignature by its key"), "{reason}");
}

#[test]
fn a_witness_that_floods_or_stalls_ends_no_gossip() {
    let project = Project::with(&THREE[..2]);
    let home = Project::empty();
    let vkey = home.ok(["witness", "key", "--new", "witness.example/w", "--plain"]).stdout;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let flood = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").unwrap();
        while stream.write_all(&[b'a'; 1 << 16]).is_ok() {}
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    ask(&project, "flood", vkey.trim(), &url);
    let run = project.ends(3, ["gossip", "--json"]);
    assert_eq!(standings(&run), ["witness flood unreachable"]);
    let reason = run.object()["voices"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("more than"), "{reason}");
    // What was asked for is what the specification of witnesses says.
    let origin = log_vkey(&project).split('+').next().unwrap().to_owned();
    let path = format!("GET /{}/checkpoint HTTP/1.1\r\n", Digest::of(origin.as_bytes()));
    assert!(flood.join().unwrap().starts_with(&path));

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    let settings = settings.replace(&url, &format!("http://{}/", silent.local_addr().unwrap()));
    project.write("greffe.toml", settings.replace("timeout = \"20s\"", "timeout = \"700ms\""));
    let run = project.ends(3, ["gossip", "--json"]);
    assert_eq!(standings(&run), ["witness flood unreachable"]);
    let reason = run.object()["voices"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("700ms"), "{reason}");
}
