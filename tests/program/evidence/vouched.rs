//! What witnesses and timestamp authorities say of a head, in the evidence of one of its entries.

use std::fs;

use serde_json::Value;

use super::{copy_directory, evidence, judged};
use crate::anywhere::machine;
use crate::project::{Project, THREE};
use crate::timestamps::authority::Workshop;
use crate::timestamps::{checkpointed, force, honest, project};
use crate::tools::tool;
use crate::trust::a_thief_signs;
use crate::witness::{Serving, ask, log_vkey};

/// A chain whose trust document names a witness that cosigns and an authority that stamps, of five entries, and all that
/// has to live for it.
struct Vouched {
    project: Project,
    witness: Serving,
    shop: Workshop,
    _home: Project,
}

impl Vouched {
    fn new() -> Self {
        let shop = Workshop::new();
        let root = shop.root("/O=Org/CN=root of time", "P-256");
        let front = honest(&shop.authority(&root));
        let (project, home) = (project(&[&root], &[&front]), Project::empty());
        let witness = Serving::start(&home, &[&log_vkey(&project)]);
        ask(&project, "ours", &witness.vkey, &witness.url);
        project.write("policy", format!("witness town-hall {}\nquorum town-hall\n", witness.vkey));
        project.ok(["trust", "propose", "--out", "p.json", "--policy", "policy"]);
        project.ok(["trust", "sign", "p.json", "--yes"]);
        project.ok(["trust", "apply", "p.json"]);
        project.ok(["apply"]);
        Self { project, witness, shop, _home: home }
    }
}

fn established(object: &Value, what: &str) -> bool {
    object["established"][what].as_bool().unwrap()
}

#[test]
fn evidence_carries_what_others_vouch_for_and_bounds_the_time_by_it() {
    let Vouched { project, witness, .. } = &Vouched::new();
    let made = evidence(project, "3", "out");
    assert_eq!((&made["cosignatures"], &made["timestamps"]), (&1.into(), &1.into()));
    for file in ["timestamp-0.tst", "authorities.pem"] {
        assert!(made["files"].as_array().unwrap().contains(&file.into()), "{made}");
    }
    // Elsewhere, with nothing but the directory.
    let machine = machine();
    copy_directory(&project.path("out"), &machine.path("out"));
    let (object, _) = judged(&machine, "out", 0);
    assert!(established(&object, "witnessed") && established(&object, "timestamped"), "{object:#}");
    assert_eq!(object["witnesses"][0]["witness"], "town-hall");
    assert_eq!(object["checkpoint"]["unchecked"], 0);
    let time = &object["time"];
    assert_eq!(
        (&time["notBefore"]["at"], &time["notBefore"]["by"]),
        (&object["event"]["finishedAt"], &"signer".into())
    );
    assert!(time["notAfter"]["at"].as_str() > time["notBefore"]["at"].as_str(), "{time}");
    let open = object["notEstablished"].as_array().unwrap();
    assert!(!open.contains(&"time".into()) && !open.contains(&"one-tree".into()), "{open:?}");
    machine.ok(["verify-evidence", "out", "--no-memory"]).prints(&[
        "not before ",
        "not after ",
        "witnessed   yes",
        "timestamped yes",
        "cosigned    by town-hall: it saw the checkpoint by ",
    ]);
    // What the verifier itself asks for.
    machine.write("policy", format!("witness mine {}\nquorum mine\n", witness.vkey));
    machine.ok(["verify-evidence", "out", "--no-memory", "--policy", "policy"]);
    let stranger = Project::empty().ok(["witness", "key", "--new", "witness.example/w", "--plain"]).stdout;
    machine.write("policy", format!("witness other {}\nquorum other\n", stranger.trim()));
    let run = machine.ends(1, ["verify-evidence", "out", "--no-memory", "--policy", "policy", "--json"]);
    assert_eq!(run.object()["findings"][0]["code"], "quorum-unmet");
    assert!(!established(&run.object(), "witnessed"));
    // And what programs of others say of the token.
    let readme = String::from_utf8(project.read("out/README.txt")).unwrap();
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    fs::write(project.path("check.sh"), format!("set -e\n{}\n", commands.join("\n"))).unwrap();
    let said = tool("sh").arg(project.path("check.sh")).current_dir(project.path("out")).output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(text.contains("Verification: OK") && text.contains("Time stamp: "), "{text}");
    assert!(!readme.contains("beyond the word of who signed"), "{readme}");
}

#[test]
fn a_line_that_nobody_asks_for_leaves_nothing_unsaid() {
    let (home, project) = (Project::empty(), Project::with(&THREE[..2]));
    let witness = Serving::start(&home, &[&log_vkey(&project)]);
    ask(&project, "ours", &witness.vkey, &witness.url);
    project.ok(["apply"]);
    assert_eq!(evidence(&project, "1", "out")["cosignatures"], 1);
    let (object, _) = judged(&project, "out", 0);
    let open = object["notEstablished"].as_array().unwrap();
    assert!(open.contains(&"time".into()) && open.contains(&"one-tree".into()), "{open:?}");
    let readme = String::from_utf8(project.read("out/README.txt")).unwrap();
    for says in
        ["1 line(s) of others", "whether others are shown another tree", "beyond the word of who signed"]
    {
        assert!(readme.contains(says), "{says}: {readme}");
    }
}

#[test]
fn attack_timestamps_and_cosignatures_of_evidence_are_changed_or_taken_away() {
    let Vouched { project, shop, .. } = &Vouched::new();
    evidence(project, "3", "out");
    let other = shop.root("/CN=other", "P-256");
    let attacked = |name: &str, change: &dyn Fn(&Project, &str)| {
        copy_directory(&project.path("out"), &project.path(name));
        change(project, name);
        project.run(["verify-evidence", name, "--no-memory", "--json"])
    };
    let codes = |run: &crate::project::Run| -> Vec<String> {
        let object = run.exits(1).object();
        let findings = object["findings"].as_array().cloned().unwrap_or_default();
        findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
    };
    // The files that are for programs of others are those of the head and of the trust document.
    for file in ["timestamp-0.tst", "authorities.pem"] {
        let mut bytes = project.read(&format!("out/{file}"));
        *bytes.last_mut().unwrap() ^= 1;
        let run = attacked(&format!("changed-{file}"), &|project, name| {
            project.write(&format!("{name}/{file}"), &bytes)
        });
        assert_eq!(codes(&run), ["evidence-differs"], "{file}");
    }
    let run = attacked("other-root", &|project, name| {
        fs::copy(&other.certificate, project.path(format!("{name}/authorities.pem"))).unwrap();
    });
    assert_eq!(codes(&run), ["evidence-differs"]);
    let run = attacked("no-root", &|project, name| project.remove(&format!("{name}/authorities.pem")));
    assert_eq!(codes(&run), ["evidence-differs"]);
    let run = attacked("no-token", &|project, name| project.remove(&format!("{name}/timestamp-0.tst")));
    run.says(&["timestamp-0.tst", "missing"]);
    assert_ne!(run.code, 0);
    // The witness' line goes, or is of something else, in all proofs.
    let proofs = ["entry.tlog-proof", "trust-0.tlog-proof", "trust-1.tlog-proof"];
    let rewrite = |project: &Project, name: &str, change: &dyn Fn(&str) -> Option<String>| {
        for proof in proofs {
            let path = format!("{name}/{proof}");
            let text = String::from_utf8(project.read(&path)).unwrap();
            let lines = text.lines().filter_map(|line| match line.starts_with("\u{2014} witness.example/") {
                true => change(line),
                false => Some(line.to_owned()),
            });
            project.write(&path, lines.map(|line| line + "\n").collect::<String>());
        }
    };
    let found = codes(&attacked("no-line", &|project, name| rewrite(project, name, &|_| None)));
    assert!(found.contains(&"quorum-unmet".to_owned()), "{found:?}");
    let found = codes(&attacked("bad-line", &|project, name| {
        rewrite(project, name, &|line| {
            let at = line.len() - 20;
            let letter = if &line[at..=at] == "A" { "B" } else { "A" };
            Some(format!("{}{letter}{}", &line[..at], &line[at + 1..]))
        });
    }));
    assert!(found.contains(&"cosignature-invalid".to_owned()), "{found:?}");
    // The head is another one by it, and its token is not shown to be of this checkpoint.
    assert!(found.contains(&"evidence-differs".to_owned()), "{found:?}");
}

#[test]
fn attack_a_token_of_another_authority_makes_no_evidence() {
    let Vouched { project, shop, .. } = &Vouched::new();
    let imprint = greffe::crypto::Digest::of(&checkpointed(project).note.signatures[0].signature);
    let request = greffe::codec::timestamp::encode_request(&imprint, &[1; 8]);
    let other = shop.authority(&shop.root("/CN=other", "P-256"));
    force(project, &other.token(&request));
    let run = project.ends(1, ["evidence", "3", "--out", "out"]);
    run.says(&["no authority of the trust document vouches for it"]);
    assert!(!project.path("out").exists());
}

#[test]
fn evidence_tells_that_a_signer_was_stolen_where_it_brings_the_trust_document() {
    let project = Project::with(&THREE[..2]);
    let ci = a_thief_signs(&project);
    project.scripts(&THREE[4..]);
    project.ok(["apply"]);
    evidence(&project, "3", "before");
    let run = project.ok(["verify-evidence", "before", "--no-memory"]);
    run.prints(&["or after them: one may say that a key which signed this was stolen"]);
    project.ok(["trust", "propose", "--out", "q.json", "--revoke", &ci, "--since", "3"]);
    project.ok(["trust", "sign", "q.json", "--yes"]);
    project.ok(["trust", "apply", "q.json"]);
    // It is told to who makes it, and to who is handed it.
    let run = project.ends(1, ["evidence", "3", "--out", "stolen"]);
    run.prints(&["1 finding(s) that the chain itself tells of", "stolen by entry 3"]);
    let (object, findings) = judged(&project, "stolen", 1);
    assert_eq!(findings, ["compromised"]);
    assert_eq!((&object["findings"][0]["seq"], &object["findings"][0]["entry"]), (&3.into(), &5.into()));
    let told = serde_json::json!([{ "keyid": ci, "since": 3, "reason": "compromised" }]);
    assert_eq!(object["revoked"], told);
    assert!(!established(&object, "signed"));
    project.ends(1, ["verify-evidence", "stolen", "--no-memory"]).prints(&[", told stolen since entry 3"]);
    // What the key signed before keeps its standing, and it is said.
    evidence(&project, "2", "kept");
    let (object, _) = judged(&project, "kept", 0);
    assert_eq!(object["revoked"], told);
    project
        .ok(["verify-evidence", "kept", "--no-memory"])
        .prints(&["since entry 3; this entry is before that"]);
    // The newer trust document is left out: its version is missed, or nothing is known of it.
    judged(&project, "before", 0);
    fs::remove_file(project.path("stolen/trust-5.tlog-proof")).unwrap();
    project.ends(1, ["verify-evidence", "stolen", "--no-memory"]).says(&["trust-5.tlog-proof", "missing"]);
}
