//! IPNS names: the record is one that Kubo verifies, and it never goes backwards by itself.

use std::fs;

use greffe::codec::ipns::encode_record;
use greffe::crypto::PrivateKey;
use greffe::model::{IpnsName, IpnsRecord};
use serde_json::json;

use crate::project::{Project, SEED, THREE};
use crate::replicas::settings;
use crate::serve::Served;
use crate::servers::Kubo;

fn project() -> Project {
    let mut project = Project::with(&THREE);
    project.ok(["key", "generate", "--out", "greffe.ipns.pem"]);
    project.variables.push(("GREFFE_PUBLISH_KEY".into(), "file:greffe.ipns.pem".into()));
    project
}

#[test]
fn a_published_record_is_one_that_kubo_verifies() {
    let project = project();
    let kubo = Kubo::start();
    let mut sequences = Vec::new();
    for _ in 0..2 {
        project.ok(["apply", "--to", "1"]);
        let published = project.json(&["publish", "--domain", "audit.example.org"]);
        let name = published["name"].as_str().unwrap();
        assert!(name.starts_with("k51"), "{published}");
        let dnslink = format!("_dnslink.audit.example.org IN TXT \"dnslink=/ipns/{name}\"");
        assert_eq!(published["dnslink"], dnslink.as_str());
        let record = project.read("archive/demo.ipns");
        let inspected =
            kubo.run_with(&["name", "inspect", "--verify", name, "--enc", "json"], &record).unwrap();
        let inspected: serde_json::Value = serde_json::from_slice(&inspected).unwrap();
        assert_eq!(inspected["Validation"]["Valid"], true, "{inspected}");
        assert_eq!(inspected["Entry"]["Value"], format!("/ipfs/{}", project.head()).as_str());
        assert_eq!(inspected["Entry"]["Sequence"], published["sequence"]);
        sequences.push(published["sequence"].as_u64().unwrap());
    }
    assert!(sequences[0] < sequences[1], "{sequences:?}");
    // A lost record does not make the next one older.
    project.remove("archive/demo.ipns");
    assert!(project.json(&["publish"])["sequence"].as_u64().unwrap() >= sequences[0]);
}

#[test]
fn kubo_replicas_are_given_the_record_and_resolve_the_name() {
    let project = project();
    let mut kubo = Kubo::start();
    // A node without routing takes a name and forgets it.
    kubo.set_config("Routing.Type", "dhtserver".into());
    kubo.restart();
    settings(&project, &format!("\n[[replica]]\nname = \"node\"\nurl = \"kubo:{}\"\n", kubo.rpc_url()));
    project.ok(["apply"]);
    let published = project.json(&["publish"]);
    assert_eq!(published["places"][0]["url"], format!("kubo:{}", kubo.rpc_url()).as_str());
    let name = published["name"].as_str().unwrap();
    assert_eq!(kubo.run(&["--offline", "name", "resolve", name]), format!("/ipfs/{}", project.head()));
    // Who knows the node alone, and who has it in the settings.
    let (from, path) = (format!("kubo:{}", kubo.rpc_url()), format!("/ipns/{name}"));
    let elsewhere = Project::empty();
    elsewhere.ok(["verify", &path, "--from", &from]).prints(&["verified: demo, 4 entries"]);
    project.ok(["verify", &path]);
    let other = IpnsName::new(*PrivateKey::from_seed(SEED).public());
    elsewhere
        .ends(3, ["verify", &format!("/ipns/{other}"), "--from", &from])
        .says(&["record", "greffe publish"]);
}

/// Two nodes that know each other, each with its routing opened as a delegated router.
fn routers() -> [Kubo; 2] {
    let nodes = [(); 2].map(|()| {
        let mut kubo = Kubo::start();
        kubo.set_config("Routing.Type", "dhtserver".into());
        kubo.set_config("Gateway.ExposeRoutingAPI", true.into());
        kubo.restart();
        kubo
    });
    nodes[1].connect_to(&nodes[0]);
    nodes
}

#[test]
fn a_delegated_router_takes_a_record_and_another_gives_it_back() {
    let project = project();
    let [first, second] = routers();
    project.ok(["apply", "--to", "1"]);
    let router = first.gateway_url();
    let publish = || project.json(&["publish", "--router", &router]);
    let published = publish();
    assert_eq!(published["places"], json!([{ "url": router }]), "{published}");
    let name = format!("/ipns/{}", published["name"].as_str().unwrap());
    project.ok(["export", "--out", "out.car"]);
    first.run(&["dag", "import", &project.path("out.car").display().to_string()]);
    // A fresh machine with the name and one of the two.
    let elsewhere = Project::empty();
    for node in [&first, &second] {
        let from = node.gateway_url();
        elsewhere.ok(["verify", &name, "--from", &from]).prints(&["verified: demo, 2 entries"]);
    }
    // What is published later is what is found, at both.
    project.ok(["apply"]);
    project.ok(["export", "--out", "out.car", "--force"]);
    first.run(&["dag", "import", &project.path("out.car").display().to_string()]);
    publish();
    for node in [&first, &second] {
        let from = node.gateway_url();
        elsewhere.ok(["verify", &name, "--from", &from]).prints(&["verified: demo, 4 entries"]);
    }
}

/// What is published at the same moment has sequences of its own, and the last one is what stays.
#[test]
fn two_at_once_never_make_records_of_one_sequence() {
    let mut project = project();
    // A key that takes no time to open.
    project.ok(["key", "generate", "--out", "plain.pem", "--plain"]);
    project.variables.retain(|(name, _)| name != "GREFFE_PUBLISH_KEY");
    project.variables.push(("GREFFE_PUBLISH_KEY".into(), "file:plain.pem".into()));
    project.ok(["apply"]);
    let begun: Vec<_> = (0..12).map(|_| project.command(["publish", "--json"]).spawn().unwrap()).collect();
    let mut sequences = Vec::new();
    for child in begun {
        let run = project.judge(child.wait_with_output().unwrap());
        assert_eq!(run.code, 0, "{run:#?}");
        sequences.push(run.object()["sequence"].as_u64().unwrap());
    }
    sequences.sort_unstable();
    let newest = *sequences.last().unwrap();
    sequences.dedup();
    assert_eq!(sequences.len(), 12, "{sequences:?}");
    assert!(project.json(&["publish"])["sequence"].as_u64().unwrap() > newest);
}

#[test]
fn an_expired_record_is_told_and_hides_none_that_holds() {
    let project = Project::applied();
    let key = PrivateKey::from_seed(&[11; 32]);
    let name = format!("/ipns/{}", IpnsName::new(*key.public()));
    let record = |sequence, valid_until: &str| {
        let (head, valid_until) = (project.head().parse().unwrap(), valid_until.parse().unwrap());
        encode_record(&IpnsRecord { head, sequence, valid_until, ttl: 0 }, &key)
    };
    let (late, early) = (project.copy(), project.copy());
    late.write("archive/demo.ipns", record(9, "2020-01-01T00:00:00.000000Z"));
    early.write("archive/demo.ipns", record(7, "2199-01-01T00:00:00.000000Z"));
    let (late, early) = (Served::start(&late, &[]), Served::start(&early, &[]));
    let (late, early) = (late.url(), early.url());
    let elsewhere = Project::empty();
    let said = ["every record of", "sequence 9, held until 2020-01-01", "hint: run `greffe publish`"];
    elsewhere.ends(3, ["verify", &name, "--from", &late]).says(&said);
    for places in [[&late, &early], [&early, &late]] {
        let run = elsewhere.ok(["verify", &name, "--from", places[0], "--from", places[1]]);
        run.prints(&["verified: demo, 4 entries"]);
        run.says(&[&format!("note: {late}: its record has sequence 9"), "later than the 7 that is followed"]);
    }
    let run = elsewhere.ok(["verify", &name, "--from", &early]);
    assert!(!run.stderr.contains("expired"), "{run:#?}");
}

#[test]
fn what_is_missing_to_publish_is_said() {
    let project = Project::with(&THREE);
    let run = project.ends(2, ["publish"]);
    assert!(run.stderr.contains("setting `publish.key` is missing"), "{run:#?}");
    assert!(run.stderr.contains("greffe key generate --out greffe.ipns.pem"), "{run:#?}");
    for lifetime in ["", "0h", "7", "9000h", "1y", "99999999999999999999d"] {
        project.ends(2, ["publish", "--lifetime", lifetime]);
    }
    for router in ["http://10.0.0.1", "x", "https://ann:hunter2@example.org"] {
        let run = project.ends(2, ["publish", "--router", router]);
        assert!(!run.stderr.contains("hunter2"), "{run:#?}");
    }
}

#[test]
fn a_router_that_cannot_be_reached_leaves_the_record_here() {
    let project = project();
    let run =
        project.ends(4, ["publish", "--router", "http://127.0.0.1:1", "--replication-deadline", "500ms"]);
    assert!(run.stdout.contains("NOT given to http://127.0.0.1:1: it cannot be reached"), "{run:#?}");
    assert!(project.path("archive/demo.ipns").exists());
}

#[test]
fn a_name_leads_a_fresh_machine_to_the_newest_head_and_a_mirror_follows_it() {
    let project = project();
    project.ok(["apply", "--to", "1"]);
    let name = format!("/ipns/{}", project.json(&["publish"])["name"].as_str().unwrap());
    let served = Served::start(&project, &[]);
    let elsewhere = Project::empty();
    let from = served.url();
    let verified = elsewhere.ok(["verify", &name, "--from", &from]);
    assert!(verified.stdout.starts_with("verified: demo, 2 entries"), "{verified:#?}");
    let mirror = ["mirror", &name, "--from", &from, "--archive", "copy"];
    assert!(elsewhere.ok(mirror).stdout.contains("2 new of 2 entries"));
    project.ok(["apply"]);
    // The name is moved by its holder alone.
    assert!(elsewhere.ok(mirror).stdout.contains("0 new of 2 entries"));
    let old = project.read("archive/demo.ipns");
    project.ok(["publish"]);
    assert!(elsewhere.ok(mirror).stdout.contains("2 new of 4 entries"));
    // An older record that is shown again leads back, which is seen.
    project.write("archive/demo.ipns", &old);
    let back = elsewhere.ends(5, mirror.iter().chain(&["--json"])).object();
    assert_eq!(back["findings"][0]["code"], "rolled-back", "{back}");
    // One whose signature does not hold leads nowhere.
    let mut forged = old;
    let last = forged.len() - 1;
    forged[last] ^= 1;
    fs::write(project.path("archive/demo.ipns"), forged).unwrap();
    elsewhere.ends(3, mirror);
    elsewhere.ends(2, ["verify", &name]);
    elsewhere.ends(2, ["verify", "/ipns/k51nonsense", "--from", &from]);
}
