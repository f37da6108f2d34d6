//! IPNS names: the record is one that Kubo verifies, and it never goes backwards by itself.

use crate::project::{Project, THREE};
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
