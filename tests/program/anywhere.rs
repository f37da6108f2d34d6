//! Verification from any node: a real Kubo's gateway, sources that lie or fail before it, what is remembered of
//! heads, and a mirror that follows a chain.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "servers/gateway_proxy.rs"]
mod gateway_proxy;

use gateway_proxy::{Fault, GatewayProxy};

use crate::project::{Project, Run, THREE};
use crate::servers::{Kubo, LIMIT, poll};
use crate::tools::{output_of, tool};

/// Puts the project's head, and all below it, on the node.
pub fn publish(project: &Project, kubo: &Kubo) -> String {
    project.ok(["export", "--out", "out.car", "--force"]);
    kubo.run(&["dag", "import", "--pin-roots=false", &project.path("out.car").display().to_string()]);
    project.remove("out.car");
    project.head()
}

/// A machine on which nothing was ever done; what is verified there is remembered.
pub fn machine() -> Project {
    let mut machine = Project::empty();
    fs::remove_dir(machine.path("migrations")).unwrap();
    machine.variables = vec![("XDG_STATE_HOME".to_owned(), machine.path("state").display().to_string())];
    machine
}

/// CID of manifest 0.
fn chain_of(project: &Project) -> String {
    project.json(&["verify", &project.head()])["chain"].as_str().unwrap().to_owned()
}

fn applied_with(count: usize) -> Project {
    let project = Project::new();
    for number in 1..=count {
        project.script(&format!("{number}_t.sql"), format!("CREATE TABLE t{number} (id INTEGER);\n"));
    }
    project.ok(["apply"]);
    project
}

fn codes(run: &Run) -> Vec<String> {
    let findings = run.object()["findings"].as_array().unwrap().clone();
    findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// Runs the program, and says the most memory it ever had, in KiB.
pub fn with_peak(project: &Project, arguments: &[&str]) -> (Run, u64) {
    let mut child = project.command(arguments).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let found = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(found.unwrap_or(0));
        thread::sleep(Duration::from_millis(5));
    }
    (project.judge(child.wait_with_output().unwrap()), peak)
}

#[test]
fn a_fresh_machine_needs_a_cid_and_one_gateway() {
    let (project, kubo, machine) = (applied_with(299), Kubo::start(), machine());
    let head = publish(&project, &kubo);
    let proxy = GatewayProxy::to(&kubo.gateway_url(), Fault::None);
    let run = machine.ok(["verify", &head, "--from", &proxy.url()]);
    run.prints(&["verified: demo, 300 entries", "complete    yes", "from        http://127.0.0.1"]);
    assert_eq!(run.stderr, "");
    assert!(proxy.requests() <= 3, "{} requests", proxy.requests());
    let object = machine.json(&["verify", &format!("ipfs://{head}"), "--from", &kubo.gateway_url()]);
    let source = &object["sources"][0];
    assert_eq!((object["verified"].as_bool(), &source["fault"]), (Some(true), &Value::Null), "{object:#}");
    assert!(source["blocks"].as_u64().unwrap() > 900, "{object:#}");
    // From a manifest, and without CARs.
    let manifest = project.log()[7]["manifest"].as_str().unwrap().to_owned();
    proxy.set(Fault::NoCars);
    for (cid, entries) in [(&head, 300), (&manifest, 8)] {
        let object = machine.json(&["verify", cid, "--from", &proxy.url()]);
        assert_eq!((&object["verified"], &object["entries"]), (&true.into(), &entries.into()));
    }
    assert!(!machine.path("archive").exists() && !machine.path("greffe.toml").exists());
    // A CAR that ends early is one that has not everything.
    proxy.set(Fault::HalfCars);
    let run = machine.ok(["verify", &head, "--from", &proxy.url(), "--json"]);
    assert_eq!(run.object()["sources"][0]["fault"], Value::Null);
}

#[test]
fn the_scripts_of_a_chain_that_is_elsewhere_run_again() {
    let (project, kubo, machine) = (Project::with(&THREE[..4]), Kubo::start(), machine());
    project.ok(["apply"]);
    let head = publish(&project, &kubo);
    let object = machine.json(&["verify", &head, "--from", &kubo.gateway_url(), "--replay"]);
    assert_eq!(object["established"]["replayed"], true, "{object:#}");
    // What is sealed runs for nobody who has no key.
    project.scripts(&THREE[4..]);
    project.ok(["apply"]);
    let head = publish(&project, &kubo);
    let run = machine.ends(1, ["verify", &head, "--from", &kubo.gateway_url(), "--replay", "--json"]);
    assert_eq!(run.object()["findings"][0]["code"], "replay", "{run:#?}");
}

#[test]
fn a_source_that_lies_or_fails_is_named_and_another_is_asked() {
    let (project, kubo) = (applied_with(20), Kubo::start());
    let head = publish(&project, &kubo);
    let proxy = GatewayProxy::to(&kubo.gateway_url(), Fault::None);
    let sound = GatewayProxy::to(&kubo.gateway_url(), Fault::NoCars);
    let verify = |others: &[&str]| {
        let machine = machine();
        let url = proxy.url();
        let begin = Instant::now();
        let arguments = ["verify", &head, "--json", "--source-timeout", "1s", "--from", &url];
        let (run, peak) = with_peak(&machine, &[&arguments, others].concat());
        assert!(begin.elapsed() < LIMIT, "{:?}: {run:#?}", begin.elapsed());
        assert!(peak < 200 << 10, "{peak} KiB: {run:#?}");
        (run, machine)
    };
    for (fault, said) in [
        (Fault::FlipsAByte, "has another hash"),
        (Fault::AnotherBlock, "has another hash"),
        (Fault::LargeInCar, "more than"),
        (Fault::Large, "more than"),
        (Fault::EndlessCar, "nobody asked for"),
        (Fault::Stalls, "did not answer within"),
        (Fault::StallsInTheMiddle, "did not answer within"),
        (Fault::Trickles, "did not answer within"),
        (Fault::ClosesInTheMiddle, "cannot be reached"),
        (Fault::Fails, "status 500"),
    ] {
        proxy.set(fault.clone());
        // Where the other one makes CARs, single blocks are asked for of neither.
        let other = if matches!(fault, Fault::AnotherBlock | Fault::Large) {
            &sound.url()
        } else {
            &kubo.gateway_url()
        };
        let (run, _) = verify(&["--from", other]);
        assert_eq!(run.code, 0, "{fault:?}: {run:#?}");
        let object = run.object();
        let [bad, good] = [&object["sources"][0], &object["sources"][1]];
        assert!(bad["fault"].as_str().unwrap_or_default().contains(said), "{fault:?}: {object:#}");
        assert_eq!((&good["fault"], &object["established"]["complete"]), (&Value::Null, &true.into()));
        assert!(run.stderr.contains(&proxy.url()), "{fault:?}: {run:#?}");
        // Alone it proves nothing, and nothing of it is remembered.
        let (run, machine) = verify(&[]);
        assert!(matches!(run.code, 1 | 3), "{fault:?}: {run:#?}");
        assert!(run.stderr.contains(said), "{fault:?}: {run:#?}");
        assert_ne!(run.object()["verified"], true);
        assert!(!machine.path("state").exists());
    }
}

/// A gateway that answers just in time does no wrong, and holds nothing up that another one has.
#[test]
fn a_slow_source_is_asked_after_a_fast_one() {
    let (project, kubo) = (applied_with(150), Kubo::start());
    let head = publish(&project, &kubo);
    let fast = GatewayProxy::to(&kubo.gateway_url(), Fault::NoCars);
    let slow = GatewayProxy::waiting(&kubo.gateway_url(), Fault::NoCars, Duration::from_secs(2));
    let timed = |sources: &[&str]| {
        let from: Vec<&str> = sources.iter().flat_map(|source| ["--from", source]).collect();
        let begin = Instant::now();
        let object = machine().json(&[&["verify", &head][..], &from].concat());
        (begin.elapsed(), object)
    };
    let (alone, _) = timed(&[&fast.url()]);
    let (both, object) = timed(&[&slow.url(), &fast.url()]);
    // The slow one is asked until it has answered once.
    assert!(both < 3 * alone + Duration::from_secs(5), "{both:?} after {alone:?}: {object:#}");
    let sources = &object["sources"];
    assert_eq!((&sources[0]["fault"], &sources[0]["dropped"]), (&Value::Null, &false.into()), "{object:#}");
    assert!(slow.requests() < 5, "{} requests", slow.requests());
    // Alone, or where the other has not everything, it is asked all the same.
    fast.set(Fault::Lacks(project.log()[20]["manifest"].as_str().unwrap().to_owned()));
    let (_, object) = timed(&[&slow.url(), &fast.url()]);
    assert_eq!(object["established"]["complete"], true, "{object:#}");
}

#[test]
fn a_block_that_nobody_has_is_a_finding_and_a_source_that_is_not_there_is_none() {
    let (project, kubo, machine) = (Project::applied(), Kubo::start(), machine());
    let head = publish(&project, &kubo);
    let manifest = project.log()[2]["manifest"].as_str().unwrap().to_owned();
    let proxy = GatewayProxy::to(&kubo.gateway_url(), Fault::Lacks(manifest.clone()));
    let run = machine.ends(1, ["verify", &head, "--from", &proxy.url(), "--json"]);
    let object = run.object();
    assert_eq!(object["established"]["complete"], false);
    assert!(
        object["findings"].as_array().unwrap().iter().any(|finding| {
            finding["code"] == "block-missing" && finding["cid"].as_str() == Some(&manifest)
        })
    );
    // Port 1 refuses.
    let run = machine.ends(3, ["verify", &head, "--from", "http://127.0.0.1:1"]);
    run.says(&["not every source", "http://127.0.0.1:1: it cannot be reached", "--from URL"]);
    // Who does not answer may have it: that is no finding.
    let run = machine.ends(3, ["verify", &head, "--from", &proxy.url(), "--from", "http://127.0.0.1:1"]);
    run.says(&[&manifest, "not every source", "http://127.0.0.1:1: it cannot be reached"]);
    let run = machine.ends(2, ["verify", &head, "--from", "http://198.51.100.1"]);
    run.says(&["plain `http:`", "or pass `--insecure`"]);
    assert!(!run.stderr.contains("insecure = true"), "{run:#?}");
    // A flag has no `authorization`.
    let run = machine.ends(2, ["verify", &head, "--from", "https://ann:hunter2@example.org"]);
    run.says(&["user or password", "hint: name the place as a `[[replica]]` of greffe.toml"]);
    assert!(!run.stderr.contains("hunter2"), "{run:#?}");
    // Those that give no blocks are no sources that do not answer.
    for url in ["cluster:http://127.0.0.1:1", "pinning:http://127.0.0.1:1"] {
        let run = machine.ends(3, ["verify", &head, "--from", url]);
        run.says(&["no source that gives blocks is named", "hint: name a gateway or node with `--from URL`"]);
        assert!(!run.stderr.contains("not every source"), "{run:#?}");
        machine.write("greffe.toml", format!("[[replica]]\nname = \"far\"\nurl = \"{url}\"\n"));
        machine.ends(3, ["verify", &head]).says(&["no source that gives blocks is named"]);
        machine.remove("greffe.toml");
    }
    machine.ends(2, ["verify", "out.car", "--from", "https://example.org"]).says(&["this is none"]);
}

/// What was found before a block is out of reach is told with it.
#[test]
fn findings_are_not_lost_when_a_block_is_out_of_reach() {
    let (project, kubo, machine) = (Project::applied(), Kubo::start(), machine());
    let other = Project::with(&THREE[..2]);
    let head = publish(&project, &kubo);
    let newest = project.log()[3]["manifest"].as_str().unwrap().to_owned();
    let proxy = GatewayProxy::to(&kubo.gateway_url(), Fault::Lacks(newest));
    let anchor = other.log()[0]["manifest"].as_str().unwrap().to_owned();
    let dead = "http://127.0.0.1:1";
    let remembered = machine.path("state/greffe/seen");
    fs::create_dir_all(&remembered).unwrap();
    // A memory of another second entry.
    let chain = project.log()[0]["manifest"].as_str().unwrap().to_owned();
    let memory = serde_json::json!({ "chain": chain, "seq": 1, "manifest": anchor, "head": anchor });
    fs::write(remembered.join(&chain), memory.to_string()).unwrap();
    let run = machine.ends(3, ["verify", &head, "--from", &proxy.url(), "--from", dead]);
    run.says(&["found before: entry 1: forked"]);
}

/// A CAR may come in any order; what is fetched once more later is the same.
#[test]
fn a_car_whose_blocks_come_backward_is_mirrored_and_replayed() {
    let (project, kubo, machine) = (applied_with(40), Kubo::start(), machine());
    let head = publish(&project, &kubo);
    let proxy = GatewayProxy::to(&kubo.gateway_url(), Fault::BackwardCars);
    let object = machine.json(&["verify", &head, "--from", &proxy.url(), "--replay"]);
    assert_eq!(object["established"]["replayed"], true, "{object:#}");
    assert_eq!(machine.json(&["mirror", &head, "--from", &proxy.url()])["newEntries"], 41);
    machine.ok(["verify", &head, "--name", "demo"]);
}

#[test]
fn an_archive_here_that_is_damaged_is_told() {
    let project = Project::applied();
    let copy = project.copy();
    let from = format!("archive:{}", copy.path("archive").display());
    let head = project.head();
    let mut bytes = project.read("archive/demo.car");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    project.write("archive/demo.car", &bytes);
    project.ends(1, ["verify", &head]);
    // The chain can be verified, from elsewhere.
    let run = project.ok(["verify", &head, "--from", &from, "--quiet"]);
    run.prints(&["verified: demo", "from        archive"]);
    assert!(
        run.stdout.lines().any(|line| line.contains("archive (") && line.contains("other bytes")),
        "{run:#?}"
    );
    project.write("archive/demo.car", "no archive at all");
    let object = project.json(&["verify", &head, "--from", &from]);
    let here = &object["sources"][0];
    assert_eq!(
        (here["name"].as_str(), here["dropped"].as_bool()),
        (Some("archive"), Some(true)),
        "{object:#}"
    );
    assert!(here["fault"].is_string(), "{object:#}");
}

#[test]
fn what_is_here_is_not_fetched() {
    let (project, kubo) = (Project::applied(), Kubo::start());
    let head = publish(&project, &kubo);
    // The archive is whole: no source is asked.
    let object = project.json(&["verify", &head, "--from", "http://127.0.0.1:1"]);
    assert_eq!(object["sources"][0]["name"], "archive");
    assert_eq!((&object["sources"][1]["blocks"], &object["sources"][1]["fault"]), (&0.into(), &Value::Null));
    // A replica of the settings is asked before what is named.
    let machine = machine();
    machine.write("greffe.toml", "[[replica]]\nname = \"copy\"\nurl = \"archive:copy\"\n");
    fs::create_dir(machine.path("copy")).unwrap();
    fs::copy(project.path("archive/demo.car"), machine.path("copy/demo.car")).unwrap();
    let object = machine.json(&["verify", &head]);
    assert_eq!(object["sources"][0]["name"], "copy", "{object:#}");
    assert!(object["sources"][0]["blocks"].as_u64().unwrap() > 10);
}

#[test]
fn an_older_head_and_another_version_are_found_by_memory() {
    let kubo = Kubo::start();
    let project = Project::applied();
    let older = publish(&project, &kubo);
    let fork = project.copy();
    let from = kubo.gateway_url();
    fork.script("4_fork.sql", "CREATE TABLE fork (id);");
    fork.script("5_fork.sql", "CREATE TABLE forked (id);");
    fork.ok(["apply"]);
    let forked = publish(&fork, &kubo);
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    let newest = publish(&project, &kubo);
    let machine = machine();
    machine.ok(["verify", &older, "--from", &from]);
    machine.ok(["verify", &newest, "--from", &from]);
    let run = machine.ends(5, ["verify", &older, "--from", &from, "--json"]);
    assert_eq!(codes(&run), ["rolled-back"]);
    assert_eq!(run.object()["findings"][0]["newest"], *newest);
    machine.ends(5, ["verify", &older, "--from", &from]).prints(&["rolled back: the head has 4 entries"]);
    let run = machine.ends(5, ["verify", &forked, "--from", &from, "--json"]);
    assert_eq!(codes(&run), ["forked"]);
    assert_eq!(run.object()["findings"][0]["seq"], 4);
    machine.ok(["verify", &older, "--from", &from, "--older"]);
    assert_eq!(
        codes(&machine.ends(5, ["verify", &forked, "--from", &from, "--older", "--json"])),
        ["forked"]
    );
    machine.ok(["verify", &forked, "--from", &from, "--no-memory"]);
    // Neither was remembered, and an older manifest is asked for as what it is.
    machine.ok(["verify", &newest, "--from", &from]);
    let manifest = project.log()[1]["manifest"].as_str().unwrap().to_owned();
    machine.ok(["verify", &manifest, "--from", &from]);
    // The way without a network has the same checks.
    fork.ok(["export", "--out", "fork.car"]);
    fs::copy(fork.path("fork.car"), machine.path("fork.car")).unwrap();
    assert_eq!(codes(&machine.ends(5, ["verify", "fork.car", "--json"])), ["forked"]);
    machine.ends(5, ["import", "fork.car"]).prints(&["forked: entry 4"]);
    assert!(!machine.path("archive").exists());
    // A memory that cannot be read is no empty one.
    let chain = machine.json(&["verify", &newest, "--from", &from])["chain"].as_str().unwrap().to_owned();
    machine.write(&format!("state/greffe/seen/{chain}"), "{");
    machine.ends(3, ["verify", &newest, "--from", &from]).says(&["is damaged", "--no-memory"]);
}

#[test]
fn a_mirror_follows_what_grows_and_fetches_only_that() {
    let (project, kubo, machine) = (applied_with(300), Kubo::start(), machine());
    let proxy = GatewayProxy::to(&kubo.gateway_url(), Fault::None);
    let replica = "[[replica]]\nname = \"copy\"\nurl = \"archive:copy\"\n";
    machine.write("greffe.toml", replica);
    let url = proxy.url();
    let mirror = |head: &str| machine.json(&["mirror", head, "--once", "--from", &url]);
    let first = mirror(&publish(&project, &kubo));
    assert_eq!((&first["newEntries"], &first["entries"]), (&301.into(), &301.into()));
    project.script("301_more.sql", "CREATE TABLE more (id INTEGER);\n");
    project.ok(["apply"]);
    let head = publish(&project, &kubo);
    let before = proxy.requests();
    let second = mirror(&head);
    assert_eq!((&second["newEntries"], second["head"].as_str()), (&1.into(), Some(&*head)));
    assert!(proxy.requests() - before < 25, "{} requests", proxy.requests() - before);
    assert_eq!(second["replicas"][0]["current"], true);
    for folder in ["archive", "copy"] {
        machine.ok(["verify", &head, "--archive", folder, "--name", "demo"]).prints(&["302 entries"]);
    }
    let before = proxy.requests();
    assert_eq!(mirror(&head)["newEntries"], 0);
    assert!(proxy.requests() - before <= 3);
    // A mirror of a mirror, by the file system alone.
    let further = self::machine();
    let from = format!("archive:{}", machine.path("archive").display());
    assert_eq!(further.json(&["mirror", &head, "--from", &from])["entries"], 302);
    let names: Vec<_> =
        fs::read_dir(further.path("archive")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name.to_str().unwrap().starts_with("demo.")), "{names:?}");
}

#[test]
fn a_mirror_goes_neither_back_nor_astray() {
    let (project, kubo) = (Project::applied(), Kubo::start());
    let older = publish(&project, &kubo);
    let fork = project.copy();
    fork.script("4_fork.sql", "CREATE TABLE fork (id);");
    fork.script("5_fork.sql", "CREATE TABLE forked (id);");
    fork.ok(["apply"]);
    let forked = publish(&fork, &kubo);
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    let newest = publish(&project, &kubo);
    project.script("5_more.sql", "CREATE TABLE further (id);");
    project.ok(["apply"]);
    let further = publish(&project, &kubo);
    let stranger = Project::with(&THREE);
    let other = publish(&stranger, &kubo);
    let proxy = GatewayProxy::to(&kubo.gateway_url(), Fault::None);
    // Without the memory: the archive itself is what it goes on from.
    let machine = Project::empty();
    let url = proxy.url();
    let mirror = |head: &str| {
        machine.run(["mirror", head, "--from", &url, "--source-timeout", "1s", "--no-memory", "--json"])
    };
    assert_eq!(mirror(&newest).code, 0);
    for (head, code) in [(&older, "rolled-back"), (&forked, "forked")] {
        let run = machine.unchanged(|| mirror(head));
        assert_eq!((run.code, codes(&run)), (5, vec![code.to_owned()]), "{run:#?}");
    }
    let run = machine.unchanged(|| mirror(&other));
    run.says(&["the source shows the chain", "holds another one", "hint:", "--require"]);
    assert_eq!(run.code, 1);
    let run = machine.unchanged(|| {
        let chain = chain_of(&stranger);
        machine.run(["mirror", &other, "--from", &url, "--no-memory", "--require", &chain])
    });
    run.says(&["is the archive of the chain"]);
    assert_eq!(run.code, 1);
    for fault in
        [Fault::FlipsAByte, Fault::AnotherBlock, Fault::EndlessCar, Fault::Fails, Fault::ClosesInTheMiddle]
    {
        proxy.set(fault.clone());
        let run = machine.unchanged(|| mirror(&further));
        assert!(matches!(run.code, 1 | 3), "{fault:?}: {run:#?}");
    }
    proxy.set(Fault::None);
    assert_eq!(mirror(&further).object()["newEntries"], 1);
    // By file: the same checks.
    fork.ok(["export", "--out", "fork.car"]);
    fs::copy(fork.path("fork.car"), machine.path("fork.car")).unwrap();
    machine.ends(1, ["import", "fork.car"]).says(&["is another one"]);
    project.ok(["export", "--out", "same.car"]);
    fs::copy(project.path("same.car"), machine.path("same.car")).unwrap();
    assert_eq!(machine.json(&["import", "same.car"])["newEntries"], 0);
}

/// A name or a file may lead to any chain: beside those that are here, one is taken when somebody named it.
#[test]
fn a_chain_beside_those_that_are_here_has_to_be_named() {
    let ours = Project::applied();
    let other = Project::empty();
    other.ok(["init", "--name", "other", "--database", "sqlite:app.db"]);
    other.script("1_t.sql", "CREATE TABLE t (id INTEGER);\n");
    other.ok(["apply"]);
    let chain = chain_of(&other);
    let (head, other_head) = (ours.head(), other.head());
    let from = |project: &Project| format!("archive:{}", project.path("archive").display());
    let (ours_from, other_from) = (from(&ours), from(&other));
    let machine = Project::empty();
    // The first one into an empty folder needs no name, and goes on without one.
    for _ in 0..2 {
        machine.ok(["mirror", &head, "--from", &ours_from, "--no-memory"]);
    }
    let mirror = |more: &[&str]| {
        let target = ["mirror", &other_head, "--from", &other_from, "--no-memory"];
        machine.run([&target[..], more].concat())
    };
    let run = machine.unchanged(|| mirror(&[]));
    assert_eq!(run.code, 1, "{run:#?}");
    run.says(&[&format!("the source shows the chain {chain}"), &format!("`--require {chain}`")]);
    // Another anchor than its own names it not.
    assert_eq!(machine.unchanged(|| mirror(&["--require", &chain_of(&ours)])).code, 1);
    let run = mirror(&["--require", &chain]);
    assert_eq!(run.code, 0, "{run:#?}");
    // Both are here now, and each goes on by itself.
    assert_eq!(mirror(&[]).code, 0);
    machine.ok(["mirror", &head, "--from", &ours_from, "--no-memory"]);
    // An archive that cannot be opened may be of any chain.
    let damaged = Project::empty();
    fs::create_dir(damaged.path("archive")).unwrap();
    damaged.write("archive/demo.car", "nothing");
    let run = damaged.unchanged(|| damaged.run(["mirror", &head, "--from", &ours_from, "--no-memory"]));
    assert_eq!(run.code, 1, "{run:#?}");
}

/// Whoever begins a chain names it, also like a file that a mirror fetches into.
#[test]
fn a_mirror_removes_no_archive_whatever_its_name() {
    let (other, machine) = (Project::applied(), Project::empty());
    machine.ok(["init", "--name", "greffe-a.fetched", "--database", "sqlite:app.db"]);
    machine.script("1_t.sql", "CREATE TABLE t (id INTEGER);\n");
    machine.ok(["apply"]);
    let old = std::time::SystemTime::now() - Duration::from_secs(86_400);
    let mut names = Vec::new();
    for entry in fs::read_dir(machine.path("archive")).unwrap() {
        let path = entry.unwrap().path();
        fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        names.push(path);
    }
    let (head, chain, follower) = (other.head(), chain_of(&other), Project::empty());
    let from = format!("archive:{}", other.path("archive").display());
    let here = machine.path("archive").display().to_string();
    follower.ok(["mirror", &head, "--from", &from, "--archive", &here, "--require", &chain]);
    for path in names {
        assert!(path.exists(), "{}", path.display());
    }
    machine.verify();
}

#[test]
fn a_mirror_looks_again_and_again() {
    let (project, kubo, machine) = (Project::applied(), Kubo::start(), machine());
    machine.write("head", publish(&project, &kubo));
    let url = kubo.gateway_url();
    let mut command = machine.command(["mirror", "head", "--every", "200ms", "--from", &url, "--json"]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut rounds = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut round = move || -> Value { serde_json::from_str(&rounds.next().unwrap().unwrap()).unwrap() };
    let first = round();
    assert_eq!(first["newEntries"], 4, "{first:#}");
    assert_eq!(round()["newEntries"], 0);
    machine.write("head", "nothing");
    assert!(poll(LIMIT, || round()["exit"] == 2));
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    machine.write("head", format!("{}\n", publish(&project, &kubo)));
    assert!(poll(LIMIT, || round()["newEntries"] == 1));
    // Ended at any moment, the archive is whole.
    output_of(tool("kill").args(["-TERM", &child.id().to_string()]));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    machine.ok(["verify", &project.head(), "--name", "demo"]);
}

#[test]
fn a_mirror_that_is_ended_while_it_fetches_leaves_nothing_behind() {
    let (project, kubo, machine) = (applied_with(50), Kubo::start(), machine());
    let head = publish(&project, &kubo);
    let proxy = GatewayProxy::to(&kubo.gateway_url(), Fault::StallsInTheMiddle);
    let url = proxy.url();
    let mut command = machine.command(["mirror", &head, "--every", "1h", "--from", &url]);
    let mut child = command.args(["--source-timeout", "1m"]).spawn().unwrap();
    let files = || fs::read_dir(machine.path("archive")).into_iter().flatten().count();
    assert!(poll(LIMIT, || proxy.requests() > 0));
    output_of(tool("kill").args(["-TERM", &child.id().to_string()]));
    let begin = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert_eq!(files(), 0);
}
