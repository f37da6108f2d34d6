//! What waits for whom: a migration for no node that need not answer, nothing for one that is not there, and no
//! failure of a replica hides what was applied.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use crate::project::{Project, THREE};
use crate::replicas::settings;
use crate::servers::{Act, Kubo, Proxy};

fn replica(name: &str, url: &str) -> String {
    format!("\n[[replica]]\nname = \"{name}\"\nurl = \"{url}\"\n")
}

#[test]
fn a_node_that_need_not_answer_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let project = Project::with(&THREE);
    let url = format!("kubo:http://{}", silent.local_addr().unwrap());
    settings(&project, &(replica("silent", &url) + &replica("copy", "archive:copy")));
    let begin = Instant::now();
    let arguments = ["--required", "1", "--replication-deadline", "4s"];
    project.ok([&["apply"], &arguments[..]].concat());
    // Only the delivery after the scripts waits for it.
    assert!(begin.elapsed() < Duration::from_secs(7), "{:?}", begin.elapsed());
}

/// An archive that somebody else writes is waited for, and takes no time from a node.
#[test]
fn a_disk_that_does_not_answer_holds_no_node_back() {
    let kubo = Kubo::start();
    let project = Project::with(&THREE);
    settings(
        &project,
        &(replica("copy", "archive:copy") + &replica("node", &format!("kubo:{}", kubo.rpc_url()))),
    );
    project.ok(["apply", "--to", "1"]);
    let lock = fs::File::options().write(true).open(project.path("copy/demo.lock")).unwrap();
    lock.lock().unwrap();
    let run = project.ends(4, ["apply", "--replication-deadline", "3s", "--json"]);
    assert!(run.stderr.contains("not yet replicated to copy"), "{run:#?}");
    assert!(!run.stderr.contains("not yet replicated to node"), "{run:#?}");
    drop(lock);
    project.ok(["replicate"]);
}

/// Two that are silent, one that is slow, and one that answers: each is looked at for itself.
#[test]
fn a_slow_node_takes_no_time_from_a_look_at_others() {
    let silent = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let kubo = Kubo::start();
    let slow = Proxy::start(&kubo.rpc_url(), |line| {
        if line.contains("block/get") {
            thread::sleep(Duration::from_millis(1500));
        }
        Act::Pass
    });
    let project = Project::with(&THREE);
    for number in 10..50 {
        project.script(&format!("{number}_t.sql"), format!("CREATE TABLE t{number} (id INTEGER);\n"));
    }
    settings(&project, &replica("node", &format!("kubo:{}", kubo.rpc_url())));
    project.ok(["apply"]);
    for (name, listener) in ["first", "second"].iter().zip(&silent) {
        settings(&project, &replica(name, &format!("kubo:http://{}", listener.local_addr().unwrap())));
    }
    settings(&project, &replica("slow", &format!("kubo:{}", slow.url())));
    let begin = Instant::now();
    let run = project.ends(3, ["replicas", "--replication-deadline", "4s", "--json"]);
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    let run = run.object();
    let looks = run["replicas"].as_array().unwrap();
    let names: Vec<_> = looks.iter().map(|look| look["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["node", "first", "second", "slow"], "in the order of the settings");
    assert_eq!((&looks[0]["holding"], &looks[0]["missing"]), (&"pinned".into(), &0.into()), "{run:#}");
    for look in &looks[1..3] {
        assert!(look["failure"].as_str().unwrap().contains("it did not answer within"), "{look:#}");
    }
    // How far it came.
    let failure = looks[3]["failure"].as_str().unwrap();
    let (seen, rest) = failure.strip_prefix("it gave ").unwrap().split_once(" of ").unwrap();
    assert!(seen.parse::<u64>().unwrap() > 0 && rest.contains("blocks within 4s"), "{failure}");
}

#[test]
fn where_nobody_listens_nobody_waits_for_long() {
    let project = Project::with(&THREE);
    settings(&project, &replica("gone", "kubo:http://127.0.0.1:1"));
    let begin = Instant::now();
    let run = project.ends(4, ["apply"]);
    assert!(run.stderr.contains("nobody listens there"), "{run:#?}");
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}

#[test]
fn what_was_applied_is_told_whatever_becomes_of_its_replicas() {
    let project = Project::with(&THREE);
    // Settings that cannot work are refused before anything is applied.
    settings(&project, &(replica("copy", "archive:copy") + "authorization = \"env:NOT_SET\"\n"));
    let run = project.unchanged(|| project.ends(2, ["apply"]));
    assert!(run.stderr.contains("NOT_SET"), "{run:#?}");
    let text = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", text.replace("authorization = \"env:NOT_SET\"\n", ""));
    // Notes that cannot be read: a folder in their place.
    fs::create_dir(project.path("archive/demo.replicas")).unwrap();
    let run = project.ends(4, ["apply"]);
    assert!(run.stdout.contains("applied 3 as entry 3"), "{run:#?}");
    assert!(run.stderr.contains("archived, not yet replicated"), "{run:#?}");
    fs::remove_dir(project.path("archive/demo.replicas")).unwrap();
    project.ok(["replicate"]);
    let alone = Project::applied().ends(2, ["replicas"]);
    assert!(alone.stderr.contains("there is no replica in the settings"), "{alone:#?}");
}

/// Answers each request to the node's interface with what `body` makes of its `Authorization` header.
fn echo(body: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("kubo:http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut head = vec![0; 1 << 16];
            let count = client.read(&mut head).unwrap_or(0);
            let text = String::from_utf8_lossy(&head[..count]).into_owned();
            let repeated: String =
                text.lines().filter(|line| line.to_lowercase().starts_with("authorization")).collect();
            // A block of all is the empty one; what is put is answered with something else.
            let body = if text.contains("block/put") { body(&repeated) } else { String::new() };
            let status =
                if text.contains("block/get") || text.contains("block/put") { "200 OK" } else { "500 no" };
            let body = if status == "500 no" {
                r#"{"Message":"is not pinned","Code":0,"Type":"error"}"#.into()
            } else {
                body
            };
            let _ = write!(
                client,
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    url
}

/// Errors of a reader of JSON repeat what they could not read.
#[test]
fn an_answer_that_is_no_json_is_shown_short_and_without_secrets() {
    let kubo = Kubo::start();
    let mut project = Project::with(&THREE);
    project.secrets.push("geheim-4711".to_owned());
    project.variables.push(("NODE".to_owned(), "bearer:geheim-4711".to_owned()));
    settings(&project, &replica("good", &format!("kubo:{}", kubo.rpc_url())));
    for number in 0..3 {
        let url = echo(|sent| format!("\"{sent}{}\"", "\\u0001x".repeat(250_000)));
        settings(&project, &(replica(&format!("echo{number}"), &url) + "authorization = \"env:NODE\"\n"));
    }
    let run = project.ends(4, ["apply", "--replication-deadline", "5s"]);
    run.says(&["not yet replicated to echo0: its answer is not what was asked for"]);
    assert!(run.stderr.len() < 10_000, "{} bytes", run.stderr.len());
    let notes = String::from_utf8(project.read("archive/demo.replicas")).unwrap();
    assert!(notes.len() < 10_000 && !notes.contains("geheim"), "{} bytes", notes.len());
    let status = project.json(&["status"]);
    assert_eq!(status["replicas"][0]["current"], true, "{status:#}");
}

/// What helps is said, and nothing that never does.
#[test]
fn each_failure_is_told_with_what_helps() {
    let project = Project::with(&THREE);
    settings(&project, &(replica("copy", "archive:disk/copy") + &replica("gone", "kubo:http://127.0.0.1:1")));
    fs::create_dir(project.path("disk")).unwrap();
    let later = "hint: run `greffe replicate` later";
    project.ends(4, ["apply", "--to", "1"]).says(&["replicated to gone", later]);
    let text = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", text.split("\n[[replica]]\nname = \"gone\"").next().unwrap());
    let older: Vec<Vec<u8>> =
        ["archive/demo.car", "archive/demo.head", "app.db"].map(|file| project.read(file)).into();
    fs::rename(project.path("disk"), project.path("away")).unwrap();
    fs::create_dir(project.path("disk")).unwrap();
    let run = project.ends(4, ["apply", "--to", "2"]);
    run.says(&["hint: mount its disk and run `greffe replicate`, or run `greffe replicas --repair`"]);
    assert!(!run.stderr.contains(later), "{run:#?}");
    fs::remove_dir(project.path("disk")).unwrap();
    fs::rename(project.path("away"), project.path("disk")).unwrap();
    project.ok(["apply", "--to", "3"]);
    for (file, bytes) in ["archive/demo.car", "archive/demo.head", "app.db"].iter().zip(&older) {
        project.write(file, bytes);
    }
    let _ = fs::remove_file(project.path("archive/demo.index"));
    let run = project.ends(4, ["apply", "--to", "2"]);
    run.says(&["it is ahead", "hint: bring its entries here with `greffe import FILE.car`"]);
    assert!(!run.stderr.contains(later), "{run:#?}");
}

/// A server that repeats in its answers what it was asked with, in the clear and as it came.
#[test]
fn a_secret_that_comes_back_is_shown_nowhere() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut head = vec![0; 1 << 16];
            let count = client.read(&mut head).unwrap_or(0);
            let text = String::from_utf8_lossy(&head[..count]).into_owned();
            let repeated: String =
                text.lines().filter(|line| line.to_lowercase().starts_with("authorization")).collect();
            let body = format!("you sent {repeated}, which is geheim-4711 or greffe:geheim-4711");
            let _ = write!(
                client,
                "HTTP/1.1 400 no\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    for (kind, secret) in [
        ("kubo", "bearer:geheim-4711"),
        ("kubo", "basic:greffe:geheim-4711"),
        ("cluster", "basic:greffe:geheim-4711"),
        ("pinning", "bearer:geheim-4711"),
    ] {
        let mut project = Project::with(&THREE);
        project.secrets.extend(["geheim-4711", "Z3JlZmZlOmdlaGVpbS00NzEx"].map(str::to_owned));
        let echo = replica("echo", &format!("{kind}:http://{address}"));
        settings(&project, &format!("{echo}public = false\n"));
        settings(&project, "authorization = \"env:NODE\"\n");
        project.variables.push(("NODE".to_owned(), secret.to_owned()));
        let run = project.ends(4, ["apply", "--replication-deadline", "2s"]);
        assert!(run.stderr.contains("[secret]"), "{kind}: {run:#?}");
        project.run(["replicas"]);
        project.run(["status"]);
        let notes = String::from_utf8(project.read("archive/demo.replicas")).unwrap();
        assert!(!notes.contains("geheim-4711") && !notes.contains("Z3JlZmZl"), "{notes}");
    }
}

/// What a gateway answers at the path of routers is not the record, and the record is asked for at its own.
#[test]
fn a_name_is_asked_for_at_both_paths() {
    let mut project = Project::with(&THREE);
    project.ok(["apply"]);
    project.ok(["key", "generate", "--out", "greffe.ipns.pem"]);
    project.variables.push(("GREFFE_PUBLISH_KEY".into(), "file:greffe.ipns.pem".into()));
    let name = project.json(&["publish"])["name"].as_str().unwrap().to_owned();
    let record = project.read("archive/demo.ipns");
    for (status, page) in [(200, "<html>"), (501, "no"), (403, "no"), (502, "no")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let record = record.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let mut head = vec![0; 1 << 16];
                let count = client.read(&mut head).unwrap_or(0);
                let routed = head[..count].starts_with(b"GET /routing/");
                let (status, body) = if routed { (status, page.as_bytes()) } else { (200, &record[..]) };
                let head = format!(
                    "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = client.write_all(&[head.as_bytes(), body].concat());
            }
        });
        project.ok(["verify", &format!("/ipns/{name}"), "--from", &url, "--source-timeout", "2s"]);
    }
}

/// A gateway that leads to an address inside is not followed there.
#[test]
fn redirects_lead_nowhere_inside() {
    let (project, kubo) = (Project::applied(), Kubo::start());
    project.ok(["export", "--out", "out.car"]);
    kubo.run(&["dag", "import", "--pin-roots=false", &project.path("out.car").display().to_string()]);
    let elsewhere = Project::empty();
    // This machine's own gateways may lead to one another.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, target) = (listener.local_addr().unwrap(), kubo.gateway_url());
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut head = vec![0; 1 << 16];
            let count = client.read(&mut head).unwrap_or(0);
            let path = String::from_utf8_lossy(&head[..count]).split(' ').nth(1).unwrap_or("/").to_owned();
            let _ = write!(
                client,
                "HTTP/1.1 302 x\r\nLocation: {target}{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
    });
    elsewhere.ok(["verify", &project.head(), "--from", &format!("http://{address}")]);
}
