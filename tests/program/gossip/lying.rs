//! Witnesses that show something else than what they cosigned last.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::{grow, standings};
use crate::forks::checkpoint;
use crate::project::{Project, THREE};
use crate::serve::Served;
use crate::witness::{Serving, ask, log_vkey};

/// A server that answers whatever it is asked with the same; gives its URL. It ends with the tests.
fn always(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

fn shows(note: &str) -> String {
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", note.len());
    always(head + note)
}

fn leads_to(place: &str) -> String {
    always(format!(
        "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
    ))
}

/// A project whose witness cosigns, and what it showed before the newest entry.
fn witnessed() -> (Project, Serving, Project, String) {
    let (home, project) = (Project::empty(), Project::with(&THREE[..2]));
    let witness = Serving::start(&home, &[&log_vkey(&project)]);
    ask(&project, "ours", &witness.vkey, &witness.url);
    project.ok(["apply"]);
    let served = Served::start(&project, &[]);
    let older = String::from_utf8(served.get("/log/checkpoint").body).unwrap();
    grow(&project, 4, "more");
    (project, witness, home, older)
}

/// The settings with another place at which the witness shows what it cosigned.
fn moved(project: &Project, witness: &Serving, place: &str) {
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    let url = format!("url = \"{}\"", witness.url);
    let kept: Vec<&str> = settings.lines().filter(|line| !line.starts_with("monitoring = ")).collect();
    let settings = kept.join("\n") + "\n";
    project.write("greffe.toml", settings.replace(&url, &format!("{url}\nmonitoring = \"{place}\"")));
}

#[test]
fn attack_a_witness_shows_an_older_checkpoint_than_it_cosigned() {
    let (project, witness, _home, older) = witnessed();
    moved(&project, &witness, &shows(&older));
    let run = project.ok(["gossip", "--json"]);
    assert_eq!(standings(&run), ["witness ours behind"]);
    let reason = run.object()["voices"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("it cosigned the archive's head, and shows an older one"), "{reason}");
    project.ok(["gossip"]).prints(&["behind by 1", "shows an older one"]);
    // One that did not cosign the newest head yet has nothing to hide.
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", settings.replace(&witness.url, "http://127.0.0.1:9/"));
    grow(&project, 5, "most");
    let run = project.ok(["gossip", "--json"]);
    assert_eq!(standings(&run), ["witness ours behind"]);
    assert!(run.object()["voices"][0].get("reason").is_none());
}

#[test]
fn attack_a_witness_shows_the_log_of_another_chain_or_leads_elsewhere() {
    let (project, witness, _home, _) = witnessed();
    let other = Project::applied();
    moved(&project, &witness, &shows(&checkpoint(&other, &other.head())));
    let run = project.ends(1, ["gossip", "--json"]);
    assert_eq!(standings(&run), ["witness ours another-chain"]);
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", settings.replace("timeout = \"20s\"", "timeout = \"2s\""));
    for place in ["file:///etc/passwd", "http://127.0.0.1:9/", "data:text/plain,x"] {
        moved(&project, &witness, &leads_to(place));
        let run = project.ends(3, ["gossip", "--json"]);
        assert_eq!(standings(&run), ["witness ours unreachable"], "{place}");
        assert!(!run.stdout.contains("root:"), "{run:?}");
    }
}

#[test]
fn a_head_by_a_key_that_the_archive_does_not_know_yet_may_be_a_newer_one() {
    let project = Project::applied();
    let behind = project.copy();
    project.ok(["key", "generate", "--plain", "--out", "next.pem"]);
    let public = project.ok(["key", "show", "--key", "file:next.pem"]).stdout;
    project.write("next.pub", &public);
    project.ok(["trust", "propose", "--out", "p.json", "--add-key", "next.pub", "--role", "root,signer"]);
    project.ok(["trust", "sign", "p.json", "--yes"]);
    project.ok(["trust", "apply", "p.json", "--key", "file:next.pem"]);
    let served = Served::start(&project, &[]);
    let run = behind.ends(1, ["gossip", "--from", &served.url(), "--json"]);
    assert_eq!(standings(&run), [format!("{} unsigned", served.url())]);
    let reason = run.object()["voices"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("one of these may bring its key: `greffe verify`"), "{reason}");
}
