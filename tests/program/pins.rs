//! Replicas that pin by themselves: an IPFS Cluster, and a service with the Pinning Service API, which is the cluster's
//! other interface.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::ipfs::{pins, state};
use crate::project::{Project, Run, THREE};
use crate::replicas::settings;
use crate::servers::{Act, Cluster, Kubo, LIMIT, Login, Proxy, poll};

/// A replica in the settings, with further lines.
fn replica(name: &str, url: &str, more: &str) -> String {
    format!("\n[[replica]]\nname = \"{name}\"\nurl = \"{url}\"\npublic = false\n{more}\n")
}

fn cluster_url(cluster: &Cluster) -> String {
    format!("cluster:{}", cluster.rest_url())
}

fn pinning_url(cluster: &Cluster) -> String {
    format!("pinning:{}", cluster.pinning_url())
}

/// Three migrations that are not applied, and a replica.
fn project(url: &str) -> Project {
    let project = Project::with(&THREE);
    settings(&project, &replica("office", url, ""));
    project
}

/// Fails unless the node pins the project's head and soon nothing else, with all that is below.
fn keeps_all(project: &Project, kubo: &Kubo) {
    let head = project.head();
    assert!(poll(LIMIT, || pins(kubo).join(" ") == head), "{head}: {:?}", pins(kubo));
    kubo.garbage_collect();
    let walked = kubo.run(&["--offline", "refs", "--recursive", "--unique", &head]).lines().count() + 1;
    let looked = project.ok(["replicas", "--json"]).object();
    let look = state(&looked, "office");
    assert_eq!((&look["holding"], &look["missing"]), (&json!("pinned"), &json!(null)), "{look:#}");
    assert_eq!(look["blocks"], walked);
    // Whoever has the CID and this node needs nothing else.
    let auditor = Project::empty();
    let from = format!("kubo:{}", kubo.rpc_url());
    auditor.ok(["verify", &head, "--from", &from]);
}

fn login(project: &mut Project, cluster: &Cluster) {
    let Login { user, password } = cluster.login().unwrap();
    project.secrets.push(password.clone());
    project.variables.push(("OFFICE".to_owned(), format!("basic:{user}:{password}")));
}

fn refused(run: &Run) {
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("it refuses the authorization that it was given, or wants one"), "{run:#?}");
}

#[test]
fn a_cluster_keeps_each_head_and_lets_the_one_before_go() {
    let kubo = Kubo::start();
    let cluster = Cluster::start_with_login(&kubo);
    let mut project = project(&cluster_url(&cluster));
    login(&mut project, &cluster);
    project.secrets.push("falsch-0815".to_owned());
    refused(&project.ends(4, ["apply", "--to", "1"]));
    settings(&project, "authorization = \"env:OFFICE\"\n");
    let right = project.variables.pop().unwrap();
    project.variables.push(("OFFICE".to_owned(), "basic:greffe:falsch-0815".to_owned()));
    refused(&project.ends(4, ["replicate"]));
    refused(&project.ends(3, ["replicas"]));
    refused(&project.ends(3, ["apply", "--required", "1"]));
    project.variables.pop();
    project.variables.push(right);
    let run = project.ok(["replicate", "--json"]).object();
    assert!(state(&run, "office")["delivered"].as_u64().unwrap() > 5, "{run:#}");
    keeps_all(&project, &kubo);
    project.ok(["apply"]);
    keeps_all(&project, &kubo);
    project.ok(["rollback", "--steps", "1", "--required", "1"]);
    keeps_all(&project, &kubo);
    assert_eq!(state(&project.ok(["replicate", "--json"]).object(), "office")["delivered"], 0);
    let shown = project.ok(["replicas"]);
    assert!(shown.stdout.contains("blocks cannot be looked at"), "{shown:#?}");
}

#[test]
fn a_cluster_that_was_away_gets_what_it_is_owed() {
    let kubo = Kubo::start();
    let mut cluster = Cluster::start(&kubo);
    let project = project(&cluster_url(&cluster));
    project.ok(["apply", "--to", "1"]);
    cluster.stop();
    let run = project.ends(4, ["apply", "--replication-deadline", "2s"]);
    assert!(run.stderr.contains("archived, not yet replicated to office: it cannot be reached"), "{run:#?}");
    assert!(project.ok(["status"]).stdout.contains("owed     office"));
    cluster.restart();
    project.ok(["replicate"]);
    keeps_all(&project, &kubo);

    // A pin that someone removed, with the blocks below.
    let head = project.head();
    cluster.run(&["pin", "rm", "--no-status", &head]).unwrap();
    assert!(poll(LIMIT, || pins(&kubo).is_empty()));
    assert!(!kubo.garbage_collect().is_empty());
    assert_eq!(state(&project.ends(1, ["replicas", "--json"]).object(), "office")["holding"], "absent");
    let run = project.ok(["replicas", "--repair", "--json"]).object();
    assert!(state(&run, "office")["repaired"].as_u64().unwrap() > 10, "{run:#}");
    keeps_all(&project, &kubo);

    // A node that lost everything behind its cluster's back.
    kubo.run(&["pin", "rm", &head]);
    assert!(!kubo.garbage_collect().is_empty());
    project.ok(["rollback", "--steps", "1"]);
    keeps_all(&project, &kubo);

    // A cluster that is killed may forget its newest pins.
    cluster.kill();
    cluster.restart();
    project.ok(["replicate"]);
    keeps_all(&project, &kubo);
}

#[test]
fn a_push_to_a_cluster_that_is_cut_is_made_again() {
    let kubo = Kubo::start();
    let cluster = Cluster::start(&kubo);
    let [adds, asked] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let seen = [adds.clone(), asked.clone()];
    let proxy = Proxy::start(&cluster.rest_url(), move |line| {
        let next = |count: &AtomicUsize, acts: &[Act]| {
            acts.get(count.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(Act::Pass)
        };
        match line {
            // Within the headers, the blocks, and where the answer is; the blocks are there then.
            line if line.contains("/add") => next(&seen[0], &[Act::Cut(100), Act::Cut(2000), Act::Mute]),
            line if line.contains("/pins") => next(&seen[1], &[Act::Mute, Act::Pass, Act::Mute]),
            _ => Act::Pass,
        }
    });
    let project = project(&format!("cluster:{}", proxy.url()));
    project.ok(["apply"]);
    assert!(adds.load(Ordering::SeqCst) > 3 && asked.load(Ordering::SeqCst) > 3);
    keeps_all(&project, &kubo);
}

#[test]
fn the_peers_that_have_a_head_are_given_the_next_one() {
    let kubo = Kubo::start();
    let cluster = Cluster::start_that_chooses(&kubo);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = lines.clone();
    let proxy = Proxy::start(&cluster.rest_url(), move |line| {
        seen.lock().unwrap().push(line.to_owned());
        Act::Pass
    });
    let project = project(&format!("cluster:{}", proxy.url()));
    project.ok(["apply", "--to", "1"]);
    let before = project.head();
    project.ok(["apply"]);
    keeps_all(&project, &kubo);
    let peer = cluster.run(&["id"]).unwrap()["id"].as_str().unwrap().to_owned();
    let lines = lines.lock().unwrap();
    let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    assert_eq!((count("/add?"), count(&format!("user-allocations={peer}"))), (2, 1), "{lines:#?}");
    assert_eq!(count(&format!("pin-update={before}")), 1, "{lines:#?}");
    assert!(
        lines.iter().all(|line| !line.starts_with("POST /add") || line.contains("no-pin=true")),
        "{lines:#?}"
    );
}

#[test]
fn a_cluster_that_is_never_heard_keeps_the_head_before() {
    let kubo = Kubo::start();
    let cluster = Cluster::start(&kubo);
    let limit = Arc::new(AtomicUsize::new(0));
    let cut = limit.clone();
    let proxy = Proxy::start(&cluster.rest_url(), move |line| match cut.load(Ordering::SeqCst) {
        1 if line.contains("/add") => Act::Mute,
        2 if line.contains("GET /pins") => Act::Stall,
        3 if line.contains("DELETE") => Act::Cut(10),
        _ => Act::Pass,
    });
    let project = Project::with(&THREE);
    settings(&project, &replica("office", &format!("cluster:{}", proxy.url()), "timeout = \"500ms\""));
    project.ok(["apply", "--to", "1"]);
    let before = project.head();
    for stage in 1..=3 {
        limit.store(stage, Ordering::SeqCst);
        project.ends(4, ["apply", "--replication-deadline", "2s"]);
        assert!(pins(&kubo).contains(&before), "{stage}");
    }
    limit.store(0, Ordering::SeqCst);
    project.ok(["replicate"]);
    keeps_all(&project, &kubo);
}

/// A node with the chain, and another below a pinning service.
struct Service {
    near: Kubo,
    far: Kubo,
    cluster: Cluster,
    project: Project,
}

impl Service {
    /// `more`: lines of the service's replica.
    fn start(more: &str) -> Self {
        let (near, far) = (Kubo::start(), Kubo::start());
        let cluster = Cluster::start_with_login(&far);
        let mut project = Project::with(&THREE);
        login(&mut project, &cluster);
        let more = format!("authorization = \"env:OFFICE\"\n{more}");
        settings(&project, &replica("office", &pinning_url(&cluster), &more));
        settings(&project, &replica("near", &format!("kubo:{}", near.rpc_url()), ""));
        Self { near, far, cluster, project }
    }
}

#[test]
fn a_pinning_service_fetches_each_head_from_the_other_node() {
    let Service { near: _near, far, cluster, mut project } = Service::start("");
    project.ok(["apply", "--to", "1"]);
    keeps_all(&project, &far);
    project.ok(["apply"]);
    keeps_all(&project, &far);
    let run = project.ok(["replicate", "--json"]).object();
    assert_eq!(state(&run, "office")["current"], true);
    // A request that someone removed.
    cluster.run(&["pin", "rm", "--no-status", &project.head()]).unwrap();
    assert!(poll(LIMIT, || pins(&far).is_empty()));
    far.garbage_collect();
    assert_eq!(state(&project.ends(1, ["replicas", "--json"]).object(), "office")["holding"], "absent");
    project.ok(["replicas", "--repair"]);
    keeps_all(&project, &far);

    project.secrets.push("falsch-0815".to_owned());
    let right = project.variables.pop().unwrap();
    project.variables.push(("OFFICE".to_owned(), "bearer:falsch-0815".to_owned()));
    refused(&project.ends(4, ["rollback", "--steps", "1"]));
    let Login { user, password } = cluster.login().unwrap();
    let basic = BASE64.encode(format!("{user}:{password}").as_bytes());
    project.variables.pop();
    project.variables.push(("OFFICE".to_owned(), format!("bearer:{}", token(&cluster, &basic))));
    project.ok(["replicate"]);
    keeps_all(&project, &far);
    project.variables.pop();
    project.variables.push(right);
    project.ok(["replicas"]);
}

/// A token that the service gives to someone whom it knows.
fn token(cluster: &Cluster, basic: &str) -> String {
    let mut command = crate::tools::tool("curl");
    command.args(["-sS", "-X", "POST", "-H", &format!("Authorization: Basic {basic}")]);
    let output = command.arg(format!("{}/token", cluster.pinning_url())).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_service_that_is_still_fetching_is_owed_and_found_later() {
    // Told of no node, it fetches from those that it is connected to.
    let Service { near, far, mut cluster, project } = Service::start("origins = []");
    far.connect_to(&near);
    project.ok(["apply", "--to", "1"]);
    keeps_all(&project, &far);
    let first = project.head();
    far.run(&["swarm", "disconnect", &near.swarm_address()]);
    let begin = Instant::now();
    let run = project.ends(4, ["apply", "--to", "2", "--replication-deadline", "3s"]);
    assert!(begin.elapsed() < Duration::from_secs(30), "{run:#?}");
    assert!(run.stderr.contains("not yet replicated to office: it is still fetching"), "{run:#?}");
    let second = project.head();
    let looked = project.ends(1, ["replicas", "--json"]).object();
    assert_eq!(state(&looked, "office")["holding"], "pending");
    // A newer head before that one arrived, and a service that does not run.
    cluster.stop();
    let run = project.ends(4, ["apply", "--replication-deadline", "2s"]);
    assert!(run.stderr.contains("not yet replicated to office: it cannot be reached"), "{run:#?}");
    cluster.restart();
    project.ends(4, ["replicate", "--replication-deadline", "3s"]);
    let status = project.json(&["status"]);
    assert_eq!(
        (&state(&status, "office")["current"], &state(&status, "office")["head"]),
        (&json!(false), &json!(first))
    );
    assert!(pins(&far).contains(&first));
    far.connect_to(&near);
    let head = project.head();
    assert!(poll(LIMIT, || pins(&far).contains(&head)), "{}", cluster.log());
    let run = project.ok(["replicate", "--json"]).object();
    assert_eq!(state(&run, "office")["current"], true);
    // The one that was begun has gone, too.
    assert!(poll(LIMIT, || !pins(&far).contains(&second)));
    keeps_all(&project, &far);
}

#[test]
fn origins_are_told_as_they_are_written() {
    let source = Kubo::start();
    let origin = format!("origins = [\"{}\"]", source.swarm_address());
    let Service { near, far, cluster: _cluster, project } = Service::start(&origin);
    // The chain comes to the origin by another way.
    let written = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("plain.toml", written.split("\n[[replica]]").next().unwrap());
    project.ok(["apply", "--config", "plain.toml"]);
    project.ok(["export", "--out", "out.car"]);
    source.run(&["dag", "import", "--pin-roots=false", project.path("out.car").to_str().unwrap()]);
    project.ok(["replicate"]);
    assert!(far.run(&["swarm", "peers"]).contains(source.peer_id()));
    assert!(!far.run(&["swarm", "peers"]).contains(near.peer_id()));
    keeps_all(&project, &far);
}

#[test]
fn settings_of_origins_are_judged() {
    let project = Project::new();
    settings(
        &project,
        &(replica("a", "kubo:http://127.0.0.1:5001", "origins = []")
            + &replica("b", "pinning:http://127.0.0.1:9097", "origins = [\"/ip4/127.0.0.1/tcp/4001\"]")
            + &replica("c", "pinning:http://127.0.0.1:9097", "origins = \"/ip4\"")
            + &replica("d", "cluster:http://ann:hunter2@127.0.0.1:9094", "")
            + &replica("e", "pinning:http://192.0.2.1:9097", "")
            + &replica("f", "cluster:unix:/run/x.sock", "")),
    );
    let run = project.ends(2, ["status"]);
    for part in [
        "`replica.origins` is for replicas of the kind `pinning:` alone",
        "`replica.origins` is \"/ip4/127.0.0.1/tcp/4001\": write at most 20 multiaddresses",
        "`replica.origins` is of type string: write a list in brackets of strings that are at most 20",
        "`replica.url` cannot be used: it holds a user or password",
        "`replica.url` cannot be used: plain `http:` to another machine",
        "`replica.url` is not of an allowed form (not shown here): write `kubo:URL`, `cluster:URL`, `pinning:URL`",
    ] {
        assert!(run.stderr.contains(part), "{part}\n{}", run.stderr);
    }
    assert!(!run.stderr.contains("hunter2"), "{run:#?}");
}

#[test]
fn what_is_neither_cluster_nor_service_is_told_so() {
    let kubo = Kubo::start();
    let project = Project::with(&THREE);
    for (name, url) in [
        ("one", format!("cluster:{}", kubo.gateway_url())),
        ("two", format!("pinning:{}", kubo.gateway_url())),
    ] {
        settings(&project, &replica(name, &url, ""));
    }
    let run = project.ends(4, ["apply", "--replication-deadline", "2s"]);
    for name in ["one", "two"] {
        assert!(
            run.stderr.contains(&format!("not yet replicated to {name}: it answered with status 404")),
            "{run:#?}"
        );
    }
}
