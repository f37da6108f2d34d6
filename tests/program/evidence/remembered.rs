//! Evidence of an entry, where its chain was verified before.

use std::fs;

use super::{copy_directory, evidence};
use crate::anywhere::machine;
use crate::project::{Project, Run};

/// A chain that a machine has verified, and another version of it with as many entries by the same key.
fn versions(change: impl Fn(&Project)) -> (Project, Project, Project) {
    let project = Project::applied();
    let fork = project.copy();
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    change(&fork);
    let machine = machine();
    project.ok(["export", "--out", "chain.car"]);
    fs::copy(project.path("chain.car"), machine.path("chain.car")).unwrap();
    machine.ok(["verify", "chain.car"]);
    (project, fork, machine)
}

fn codes(run: &Run) -> Vec<String> {
    let object = run.object();
    let findings = object["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn attack_evidence_out_of_a_fork_by_the_keys_owner() {
    let (project, fork, machine) = versions(|fork| {
        fork.script("4_other.sql", "CREATE TABLE other (id);");
        fork.ok(["apply"]);
    });
    // Of an entry that both versions have, and of the one in which they differ.
    for (entry, expected) in [("2", &["tree-forked"][..]), ("4", &["forked", "tree-forked"])] {
        let name = format!("out-{entry}");
        evidence(&fork, entry, &name);
        copy_directory(&fork.path(&name), &machine.path(&name));
        let run = machine.ends(5, ["verify-evidence", &name, "--json"]);
        assert_eq!(codes(&run), expected);
        machine
            .ends(5, ["verify-evidence", &name])
            .prints(&["NOT verified", "forked: the tree of 5 entries"]);
        // By itself it holds.
        machine.ok(["verify-evidence", &name, "--no-memory"]);
    }
    evidence(&project, "2", "true");
    copy_directory(&project.path("true"), &machine.path("true"));
    machine.ok(["verify-evidence", "true"]);
}

#[test]
fn attack_evidence_with_the_trust_document_of_a_fork() {
    let (_, fork, machine) = versions(|fork| {
        fork.ok(["key", "generate", "--plain", "--out", "other.pem"]);
        let public = fork.ok(["key", "show", "--key", "file:other.pem"]).stdout;
        fork.write("other.pub", &public);
        fork.ok(["trust", "propose", "--out", "p.json", "--add-key", "other.pub", "--role", "signer"]);
        fork.ok(["trust", "sign", "p.json", "--yes"]);
        fork.ok(["trust", "apply", "p.json"]);
        // Larger than what was verified, so that no tree of one size is at hand.
        fork.script("4_other.sql", "CREATE TABLE other (id);");
        fork.ok(["apply"]);
    });
    evidence(&fork, "2", "out");
    copy_directory(&fork.path("out"), &machine.path("out"));
    let run = machine.ends(5, ["verify-evidence", "out", "--json"]);
    assert_eq!(codes(&run), ["forked"]);
    assert_eq!(run.object()["findings"][0]["entry"], 4);
}
