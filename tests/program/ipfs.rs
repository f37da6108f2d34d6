//! Replicas on real nodes of IPFS: every head is pinned, whatever happens to a node meanwhile.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use greffe::codec::ipns::encode_record;
use greffe::crypto::parse_private_key;
use greffe::model::{Cid, Codec, IpnsName, IpnsRecord};
use greffe::store::remote::{self, Endpoint, Patience, RemoteError};
use serde_json::{Value, json};

use crate::anywhere::with_peak;
use crate::project::{Project, Run, THREE, plain_key};
use crate::replicas::settings;
use crate::servers::{Act, Kubo, KuboOptions, LIMIT, Proxy, Secret, poll};

/// A replica in the settings, with further lines.
fn replica(name: &str, url: &str, more: &str) -> String {
    format!("\n[[replica]]\nname = \"{name}\"\nurl = \"kubo:{url}\"\n{more}\n")
}

/// Three migrations that are not applied, and replicas.
fn project(urls: &[&str]) -> Project {
    let project = Project::with(&THREE);
    for (number, url) in urls.iter().enumerate() {
        settings(&project, &replica(&format!("node{number}"), url, ""));
    }
    project
}

/// What the node pins, but for the empty folder of its own that each node pins.
pub fn pins(kubo: &Kubo) -> Vec<String> {
    let listed = kubo.run(&["pin", "ls", "--type=recursive", "--quiet"]);
    listed.lines().filter(|cid| !cid.starts_with("Qm")).map(str::to_owned).collect()
}

/// Fails unless the node pins the project's head and nothing else, with all that is below.
fn keeps_all(project: &Project, kubo: &Kubo) {
    let head = project.head();
    assert_eq!(pins(kubo).join(" "), head);
    kubo.garbage_collect();
    // Kubo walks all of it, and asks nobody else.
    let walked = kubo.run(&["--offline", "refs", "--recursive", "--unique", &head]).lines().count() + 1;
    assert_eq!(kubo.run(&["--offline", "pin", "verify", "--quiet"]), "");
    let looked = project.json(&["replicas"]);
    for look in looked["replicas"].as_array().unwrap() {
        assert_eq!((&look["missing"], &look["holding"]), (&json!(0), &json!("pinned")), "{look:#}");
        assert_eq!(look["blocks"], walked);
    }
}

/// What a run says of one replica.
pub fn state<'a>(run: &'a Value, name: &str) -> &'a Value {
    let replicas = run["replicas"].as_array().unwrap();
    replicas.iter().find(|replica| replica["name"] == name).unwrap()
}

/// The files of a node's blocks.
pub fn block_files(kubo: &Kubo) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in fs::read_dir(kubo.repo().join("blocks")).unwrap().map(|entry| entry.unwrap().path()) {
        if folder.is_dir() {
            files.extend(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "data"));
    files.sort();
    files
}

#[test]
fn three_nodes_pin_each_head_and_let_the_one_before_go() {
    let nodes = [Kubo::start(), Kubo::start(), Kubo::start()];
    let socket = format!("unix:{}", nodes[2].socket().display());
    let project = project(&[&nodes[0].rpc_url(), &nodes[1].rpc_url(), &socket]);
    project.ok(["apply", "--to", "1"]);
    for kubo in &nodes {
        keeps_all(&project, kubo);
    }
    project.ok(["apply"]);
    project.ok(["rollback", "--steps", "1"]);
    for kubo in &nodes {
        keeps_all(&project, kubo);
    }
    assert_eq!(project.ok(["replicate", "--json"]).object()["replicas"][0]["delivered"], 0);

    // What an auditor with `ipfs` sees.
    let kubo = &nodes[0];
    let dag = |cid: &str| -> Value { serde_json::from_str(&kubo.run(&["dag", "get", cid])).unwrap() };
    let head = dag(&project.head());
    assert_eq!(head["greffe"], 1, "{head:#}");
    let entries = project.log();
    let entry = entries.iter().find(|entry| entry["migration"]["version"] == "2").unwrap();
    let manifest = dag(entry["manifest"].as_str().unwrap());
    assert_eq!(manifest["seq"], entry["seq"], "{manifest:#}");
    let files = manifest["files"].as_array().unwrap();
    let scripts: Vec<String> =
        files.iter().map(|file| kubo.run(&["cat", file["cid"]["/"].as_str().unwrap()]) + "\n").collect();
    assert!(scripts.contains(&THREE[2].1.to_owned()), "{scripts:?}");
}

/// Whoever has the repository and `ipfs` sees what README.md shows.
#[test]
fn the_readme_shows_what_a_node_says() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("<!-- ipfs -->").nth(1).and_then(|rest| rest.split("```").nth(1));
    let shown = shown.expect("README.md has a fenced block after `<!-- ipfs -->`");
    let kubo = Kubo::start();
    kubo.run(&[
        "dag",
        "import",
        "--pin-roots=false",
        concat!(env!("CARGO_MANIFEST_DIR"), "/archive/greffe.car"),
    ]);
    let mut commands = 0;
    for example in shown.split("\n$ ipfs ").skip(1) {
        let (command, output) = example.split_once('\n').unwrap();
        let arguments: Vec<&str> = command.split(' ').collect();
        assert_eq!(kubo.run(&[&["--offline"], &arguments[..]].concat()), output.trim_end(), "{command}");
        commands += 1;
    }
    assert_eq!(commands, 3);
}

#[test]
fn a_push_that_is_cut_is_made_again() {
    let kubo = Kubo::start();
    let [puts, pins] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let seen = [puts.clone(), pins.clone()];
    // Within the headers, the first block, and further on; also where the pin is.
    let proxy = Proxy::start(&kubo.rpc_url(), move |line| {
        let cut = |count: &AtomicUsize, limits: &[usize]| {
            limits.get(count.fetch_add(1, Ordering::SeqCst)).map_or(Act::Pass, |limit| Act::Cut(*limit))
        };
        match line {
            line if line.contains("pin=true") => cut(&seen[1], &[100, 500]),
            line if line.contains("block/put") => cut(&seen[0], &[100, 400, 700]),
            _ => Act::Pass,
        }
    });
    let project = project(&[proxy.url()]);
    project.ok(["apply"]);
    assert!(puts.load(Ordering::SeqCst) > 3 && pins.load(Ordering::SeqCst) == 3);
    keeps_all(&project, &kubo);
}

#[test]
fn a_node_that_is_killed_in_the_middle_of_a_push_gets_the_rest_later() {
    let nodes = [Kubo::start(), Kubo::start()];
    let mut killed = Kubo::start();
    let pid = killed.pid().to_string();
    let puts = AtomicUsize::new(0);
    let proxy = Proxy::start(&killed.rpc_url(), move |line| {
        if line.contains("block/put") && puts.fetch_add(1, Ordering::SeqCst) == 1 {
            assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
        }
        Act::Pass
    });
    let project = project(&[&nodes[0].rpc_url(), proxy.url(), &nodes[1].rpc_url()]);
    let run = project.ends(4, ["apply", "--json", "--replication-deadline", "5s"]);
    assert!(run.stderr.contains("archived, not yet replicated to node1"), "{run:#?}");
    let status = project.json(&["status"]);
    let current = |name: &str| state(&status, name)["current"] == true;
    assert_eq!(["node0", "node1", "node2"].map(current), [true, false, true], "{status:#}");
    killed.restart();
    let run = project.ok(["replicate", "--json"]).object();
    assert_eq!(state(&run, "node1")["current"], true);
    for kubo in [&nodes[0], &killed, &nodes[1]] {
        keeps_all(&project, kubo);
    }
}

/// The head before is let go last; who is ended before that comes back to it.
#[test]
fn no_pin_of_a_push_that_was_ended_stays() {
    let kubo = Kubo::start();
    let pinned = Arc::new(AtomicUsize::new(0));
    let (seen, cut) = (pinned.clone(), Arc::new(AtomicBool::new(true)));
    let cuts = cut.clone();
    let proxy = Proxy::start(&kubo.rpc_url(), move |line| match line {
        line if line.contains("pin/rm") && cuts.load(Ordering::SeqCst) => {
            seen.fetch_add(1, Ordering::SeqCst);
            Act::Cut(0)
        }
        _ => Act::Pass,
    });
    let project = project(&[proxy.url()]);
    project.ok(["apply", "--to", "1"]);
    let first = project.head();
    // By a signal, then by its own limit of time.
    let mut child = project.command(["apply", "--to", "2"]).spawn().unwrap();
    assert!(poll(LIMIT, || pinned.load(Ordering::SeqCst) > 0));
    child.kill().unwrap();
    child.wait().unwrap();
    let second = project.head();
    assert_ne!(first, second);
    project.ends(4, ["apply", "--to", "3", "--replication-deadline", "2s"]);
    let third = project.head();
    let mut kept = pins(&kubo);
    kept.sort();
    let mut expected = [first, second, third];
    expected.sort();
    assert_eq!(kept, expected);
    cut.store(false, Ordering::SeqCst);
    project.ok(["rollback", "--steps", "1"]);
    keeps_all(&project, &kubo);
}

#[test]
fn what_is_collected_between_blocks_and_pin_is_put_again() {
    let kubo = Arc::new(Kubo::start());
    let (node, lost) = (kubo.clone(), Arc::new(Mutex::new(Vec::new())));
    let collected = lost.clone();
    let proxy = Proxy::start(&kubo.rpc_url(), move |line| {
        if line.contains("block/put") && line.contains("pin=true") {
            collected.lock().unwrap().push(node.garbage_collect().len());
        }
        Act::Pass
    });
    let project = project(&[proxy.url()]);
    for to in ["1", "2", "3"] {
        project.ok(["apply", "--to", to]);
        keeps_all(&project, &kubo);
    }
    let lost = lost.lock().unwrap();
    assert_eq!(lost.len(), 3);
    assert!(lost.iter().all(|count| *count > 0), "{lost:?}");
}

#[test]
fn a_node_that_is_full_and_always_collecting_keeps_the_chain() {
    let mut kubo = Kubo::start_with(KuboOptions { storage_max: Some("100KB"), secret: None });
    kubo.set_config("Datastore.GCPeriod", json!("20ms"));
    kubo.restart();
    kubo.run_with(&["block", "put", "--pin", "--cid-codec=raw"], &[7; 200_000]).unwrap();
    let other = pins(&kubo);
    let url = kubo.rpc_url();
    let project = project(&[&url]);
    for to in ["1", "2", "3"] {
        project.ok(["apply", "--to", to]);
    }
    let head = project.head();
    assert!(pins(&kubo).iter().all(|pin| *pin == head || other.contains(pin)));
    project.ok(["replicas"]);
}

#[test]
fn what_was_applied_without_a_node_is_replicated_when_they_are_back() {
    let mut nodes = [Kubo::start(), Kubo::start(), Kubo::start()];
    let urls = nodes.each_ref().map(Kubo::rpc_url);
    let project = project(&urls.each_ref().map(String::as_str));
    project.ok(["apply", "--to", "1"]);
    nodes.iter_mut().for_each(Kubo::stop);
    let begin = Instant::now();
    let run = project.ends(4, ["apply", "--replication-deadline", "2s"]);
    assert!(begin.elapsed() < LIMIT, "{run:#?}");
    assert!(run.stdout.contains("applied 3 as entry 3"), "{run:#?}");
    let status = project.ok(["status"]);
    assert_eq!(status.stdout.matches("owed     node").count(), 3, "{status:#?}");
    project.ends(3, ["rollback", "--steps", "1", "--required", "1", "--replication-deadline", "1s"]);
    nodes.iter_mut().for_each(Kubo::restart);
    project.ok(["replicate"]);
    for kubo in &nodes {
        keeps_all(&project, kubo);
    }
    // The last one alone is enough for whoever has nothing but the CID.
    let [first, second, last] = urls.map(|url| format!("kubo:{url}"));
    nodes[..2].iter_mut().for_each(Kubo::stop);
    let (head, elsewhere) = (project.head(), Project::empty());
    elsewhere.ok(["verify", &head, "--from", &last]).prints(&["verified: demo, 4 entries"]);
    let run = elsewhere.ok(["verify", &head, "--from", &first, "--from", &second, "--from", &last, "--json"]);
    let sources = &run.object()["sources"];
    let gave = |place: usize| sources[place]["blocks"].as_u64().unwrap() > 0;
    assert_eq!([0, 1, 2].map(gave), [false, false, true], "{sources:#}");
}

#[test]
fn blocks_that_a_node_lost_or_damaged_are_found_and_mended() {
    let mut kubo = Kubo::start();
    let url = kubo.rpc_url();
    let project = project(&[&url]);
    project.ok(["apply"]);
    kubo.stop();
    let files = block_files(&kubo);
    let mut lost = 0;
    for (number, path) in files.iter().enumerate() {
        match number % 5 {
            0 => fs::remove_file(path).unwrap(),
            1 if fs::metadata(path).unwrap().len() > 0 => {
                let mut bytes = fs::read(path).unwrap();
                bytes[0] ^= 1;
                fs::write(path, bytes).unwrap();
            }
            _ => continue,
        }
        lost += 1;
    }
    kubo.restart();
    let run = project.ends(1, ["replicas", "--json"]).object();
    let look = state(&run, "node0");
    // The node has a few blocks of its own beside those of the chain.
    let missing = look["missing"].as_u64().unwrap();
    assert!(missing > 5 && missing <= lost, "{missing} of {lost}: {look:#}");
    let run = project.ok(["replicas", "--repair", "--json"]).object();
    assert!(state(&run, "node0")["repaired"].as_u64().unwrap() >= missing);
    keeps_all(&project, &kubo);

    // One that nothing holds any more is given all again, in the next run.
    kubo.run(&["pin", "rm", &project.head()]);
    assert!(!kubo.garbage_collect().is_empty());
    assert_eq!(state(&project.ends(1, ["replicas", "--json"]).object(), "node0")["holding"], "absent");
    project.ok(["rollback", "--steps", "1"]);
    keeps_all(&project, &kubo);
}

#[test]
fn a_long_chain_reaches_a_new_node_in_one_file() {
    let project = Project::with(&THREE);
    for number in 10..60 {
        project.script(&format!("{number}_t.sql"), format!("CREATE TABLE t{number} (id INTEGER);\n"));
    }
    project.ok(["apply"]);
    let kubo = Kubo::start();
    let imports = Arc::new(Mutex::new(Vec::new()));
    let seen = imports.clone();
    let proxy = Proxy::start(&kubo.rpc_url(), move |line| {
        seen.lock().unwrap().push(line.to_owned());
        Act::Pass
    });
    settings(&project, &replica("new", proxy.url(), ""));
    project.ok(["replicate"]);
    keeps_all(&project, &kubo);
    let lines = imports.lock().unwrap();
    let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    assert_eq!((count("dag/import"), count("block/put")), (1, 0), "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("timeout=") && line.contains("offline=true")), "{lines:?}");
}

/// Several pieces of a long archive are on their way to several nodes at the same time.
#[test]
fn what_is_sent_to_many_nodes_takes_little_memory() {
    let project = Project::new();
    project.script("1_t.sql", "CREATE TABLE t (id INTEGER);\n");
    for number in 2..9_u64 {
        // Letters alone: among so many digits some would be somebody's card.
        let letter = |digit: char| char::from(b'a' + digit.to_digit(16).unwrap() as u8);
        let line = |at: u64| {
            let mixed = (at + number * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!("-- {}\n", format!("{mixed:016x}").chars().map(letter).collect::<String>())
        };
        let text: String = (0..600_000).map(line).collect();
        project.script(&format!("{number}_t.sql"), format!("{text}CREATE TABLE t{number} (id INTEGER);\n"));
    }
    project.ok(["apply"]);
    let size = fs::metadata(project.path("archive/demo.car")).unwrap().len();
    assert!(size > 80 << 20, "{size} bytes");
    let kubo = Kubo::start();
    let proxies: Vec<Proxy> = (0..6).map(|_| Proxy::start(&kubo.rpc_url(), |_| Act::Pass)).collect();
    for (number, proxy) in proxies.iter().enumerate() {
        settings(&project, &replica(&format!("node{number}"), proxy.url(), "timeout = \"5m\""));
    }
    let (run, peak) = with_peak(&project, &["replicate", "--replication-deadline", "10m"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(peak < 300 << 10, "{peak} KiB");
    println!("{peak} KiB for {size} bytes");
}

/// Scripts that no node takes in one go.
fn long() -> Project {
    let project = Project::with(&THREE);
    for number in 10..80 {
        let line = |at: u64| format!("-- {:09}\n", (at * number * 7919) % 999_983);
        let text: String = (0..4000).map(line).collect();
        project.script(&format!("{number}_t.sql"), format!("{text}CREATE TABLE t{number} (id INTEGER);\n"));
    }
    project.ok(["apply"]);
    project
}

/// Runs `replicate` until it is done, at most so many times; how many runs it took. `look` is called after each.
fn replicate_until_done(project: &Project, deadline: &str, most: usize, mut look: impl FnMut()) -> usize {
    for count in 1..=most {
        let run = project.run(["replicate", "--replication-deadline", deadline]);
        look();
        if run.code == 0 {
            return count;
        }
        assert_eq!(run.code, 4, "{run:#?}");
    }
    panic!("not done after {most} runs")
}

#[test]
fn a_new_node_that_is_slow_takes_a_chain_in_several_runs() {
    let (project, kubo) = (long(), Kubo::start());
    let imports = Arc::new(AtomicUsize::new(0));
    let seen = imports.clone();
    let proxy = Proxy::start(&kubo.rpc_url(), move |line| {
        if line.contains("dag/import") {
            seen.fetch_add(1, Ordering::SeqCst);
            return Act::Slow(Duration::from_millis(25));
        }
        Act::Pass
    });
    settings(&project, &replica("new", proxy.url(), ""));
    let (mut held, mut runs) = (Vec::new(), Vec::new());
    let took = replicate_until_done(&project, "3s", 12, || {
        held.push(kubo.run(&["refs", "local"]).lines().count());
        runs.push(imports.swap(0, Ordering::SeqCst));
    });
    println!("{took} runs, blocks {held:?}, requests {runs:?}");
    assert!((3..=12).contains(&took), "{took} runs");
    // Each run goes on: what the node has grows, and no part is sent twice but the one that was cut.
    assert!(held.windows(2).skip(1).all(|pair| pair[0] < pair[1] || pair[1] == held[took - 1]), "{held:?}");
    project.ok(["export", "--out", "out.car"]);
    let parts = project.read("out.car").len().div_ceil(700_000);
    let sent: usize = runs[1..].iter().sum();
    assert!(sent <= parts + took, "{sent} requests for {parts} parts in {took} runs: {runs:?}");
    keeps_all(&project, &kubo);
}

#[test]
fn what_was_read_back_is_not_read_again() {
    let (project, kubo) = (long(), Kubo::start());
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = lines.clone();
    let proxy = Proxy::start(&kubo.rpc_url(), move |line| {
        seen.lock().unwrap().push(line.to_owned());
        if line.contains("block/get") {
            std::thread::sleep(Duration::from_millis(600));
        }
        Act::Pass
    });
    settings(&project, &replica("new", proxy.url(), ""));
    let mut runs = Vec::new();
    let took = replicate_until_done(&project, "2500ms", 8, || {
        let lines = std::mem::take(&mut *lines.lock().unwrap());
        let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
        runs.push((count("dag/import"), count("block/get")));
    });
    println!("{took} runs: {runs:?}");
    assert!(took > 1, "{runs:?}");
    let blocks =
        usize::try_from(project.json(&["replicas"])["replicas"][0]["blocks"].as_u64().unwrap()).unwrap();
    // Sent once; a run that is cut reads at most as many again as were on their way.
    assert!(runs[1..].iter().all(|(imports, _)| *imports == 0), "{runs:?}");
    let read: usize = runs.iter().map(|(_, read)| read).sum();
    assert!((blocks..blocks + took * 40).contains(&read), "{blocks} blocks: {runs:?}");
    keeps_all(&project, &kubo);
    // Nothing is remembered of it that is not needed any more.
    let notes = String::from_utf8(project.read("archive/demo.replicas")).unwrap();
    assert!(!notes.contains("confirmed") && !notes.contains("begun"), "{notes}");
}

/// What a node lost between two runs is not counted as brought.
#[test]
fn what_is_collected_between_two_runs_is_sent_again() {
    let (project, kubo) = (long(), Kubo::start());
    let slow = Arc::new(AtomicUsize::new(1));
    let seen = slow.clone();
    let proxy = Proxy::start(&kubo.rpc_url(), move |line| {
        let is_slow = line.contains("dag/import") && seen.load(Ordering::SeqCst) == 1;
        if is_slow { Act::Slow(Duration::from_millis(25)) } else { Act::Pass }
    });
    settings(&project, &replica("new", proxy.url(), ""));
    for _ in 0..2 {
        project.ends(4, ["replicate", "--replication-deadline", "3s"]);
        kubo.garbage_collect();
    }
    slow.store(0, Ordering::SeqCst);
    project.ok(["replicate"]);
    keeps_all(&project, &kubo);
}

#[test]
fn a_node_lets_in_those_who_know_its_secret_and_nobody_learns_it() {
    for (secret, right) in [
        (Secret::Basic("greffe", "geheim-4711"), "basic:greffe:geheim-4711"),
        (Secret::Bearer("geheim-4711"), "bearer:geheim-4711"),
    ] {
        let kubo = Kubo::start_with(KuboOptions { secret: Some(secret), storage_max: None });
        let mut project = Project::with(&THREE);
        project.secrets.extend(["geheim-4711".to_owned(), "falsch-0815".to_owned()]);
        settings(&project, &replica("node", &kubo.rpc_url(), ""));
        let refused = |run: Run| {
            assert!(
                run.stderr.contains("it refuses the authorization that it was given, or wants one"),
                "{run:#?}"
            );
        };
        refused(project.ends(4, ["apply", "--to", "1"]));
        settings(&project, "authorization = \"env:NODE\"\n");
        project.variables.push(("NODE".to_owned(), "bearer:falsch-0815".to_owned()));
        refused(project.ends(4, ["apply", "--to", "2"]));
        project.variables.last_mut().unwrap().1 = right.to_owned();
        project.ok(["apply"]);
        keeps_all(&project, &kubo);
        project.ok(["status", "--json"]);
    }
}

#[test]
fn a_node_that_does_not_answer_is_cut_off_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let kubo = Kubo::start();
    let stalling =
        Proxy::start(&kubo.rpc_url(), |line| if line.contains("pin") { Act::Stall } else { Act::Pass });
    let project = Project::with(&THREE);
    let url = format!("http://{}", silent.local_addr().unwrap());
    settings(&project, &replica("silent", &url, "timeout = \"500ms\""));
    settings(&project, &replica("stalling", stalling.url(), "timeout = \"500ms\""));
    settings(&project, &replica("node", &kubo.rpc_url(), ""));
    let begin = Instant::now();
    let run = project.ends(4, ["apply", "--replication-deadline", "3s"]);
    assert!(begin.elapsed() < Duration::from_secs(20), "{run:#?}");
    for name in ["silent", "stalling"] {
        assert!(
            run.stderr.contains(&format!("not yet replicated to {name}: it did not answer within")),
            "{run:#?}"
        );
    }
    let status = project.json(&["status"]);
    assert_eq!(state(&status, "node")["current"], true);
    // Nobody waits for it where others are enough.
    project.ok(["replicate", "--required", "1", "--replication-deadline", "1s"]);
}

#[test]
fn what_is_no_node_is_told_so() {
    let project = Project::with(&THREE);
    settings(&project, &replica("far", "http://192.0.2.1:5001", ""));
    let run = project.ends(2, ["apply"]);
    assert!(run.stderr.contains("plain `http:` to another machine"), "{run:#?}");
    let kubo = Kubo::start();
    let project = Project::with(&THREE);
    settings(&project, &replica("gateway", &kubo.gateway_url(), ""));
    let socket = project.path("none.sock");
    settings(&project, &replica("socket", &format!("unix:{}", socket.display()), ""));
    let run = project.ends(4, ["apply", "--replication-deadline", "1s"]);
    assert!(run.stderr.contains("not yet replicated to gateway: it answered with status 404"), "{run:#?}");
    assert!(run.stderr.contains("not yet replicated to socket: it cannot be reached"), "{run:#?}");
    assert!(poll(LIMIT, || kubo.log().contains("Daemon is ready")));
}

#[test]
fn a_node_takes_a_signed_name_and_says_where_it_is() {
    let mut kubo = Kubo::start();
    // A node without routing takes a name and forgets it.
    kubo.set_config("Routing.Type", json!("dhtserver"));
    kubo.restart();
    let endpoint = Endpoint::parse(&kubo.rpc_url(), false).unwrap();
    let node = remote::Kubo::new(&endpoint, None, Patience { request: LIMIT, total: LIMIT }).unwrap();
    let key = parse_private_key(&plain_key(), None).unwrap();
    let name = IpnsName::new(*key.public()).to_string();
    let head = Cid::of(Codec::DagCbor, b"\x80");
    let valid_until = "2099-01-01T00:00:00.000000Z".parse().unwrap();
    let record = encode_record(&IpnsRecord { head, sequence: 1, valid_until, ttl: 0 }, &key);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert_eq!(node.addresses().await.unwrap(), [kubo.swarm_address()]);
        node.put_name(&name, &record).await.unwrap();
        let refused = node.put_name(&name, &record[1..]).await;
        assert!(matches!(refused, Err(RemoteError::Failed(_))), "{refused:?}");
    });
    assert_eq!(kubo.run(&["--offline", "name", "resolve", &name]), format!("/ipfs/{head}"));
}
