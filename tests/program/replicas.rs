//! Replicas: what is owed is told and delivered, what is missing is seen and mended. Here they are other archives
//! and CAR files; `ipfs` has real nodes.

use std::fs;

use crate::project::{Project, Run, THREE};

/// Appends to the settings.
/// Nodes and clusters of tests are nobody else's, unless the text says otherwise.
pub fn settings(project: &Project, text: &str) {
    let mut settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    let replicas = text.split_inclusive("[[replica]]").map(|replica| {
        let says = replica.contains("\npublic = ");
        let lines = replica.split_inclusive('\n').map(|line| {
            let is_node = line.starts_with("url = \"kubo:") || line.starts_with("url = \"cluster:");
            if is_node && !says { format!("{line}public = false\n") } else { line.to_owned() }
        });
        lines.collect::<String>()
    });
    settings.extend(replicas);
    project.write("greffe.toml", settings);
}

fn replica(name: &str, url: &str) -> String {
    format!("\n[[replica]]\nname = \"{name}\"\nurl = \"{url}\"\n")
}

/// Three migrations that are not applied, and two replicas in the file system.
fn project() -> Project {
    let project = Project::with(&THREE);
    settings(&project, &(replica("copy", "archive:copy") + &replica("file", "car:file.car")));
    project
}

/// Verifies the project's head in the copy alone.
fn verify_copy(project: &Project, head: &str) -> Run {
    project.ok(["verify", head, "--archive", "copy"])
}

#[test]
fn every_run_brings_its_head_to_all_replicas() {
    let project = project();
    project.ok(["apply", "--to", "1"]);
    project.ok(["apply"]);
    let head = project.head();
    assert!(verify_copy(&project, &head).stdout.starts_with("verified: demo, 4 entries"));
    assert!(project.ok(["verify", "file.car"]).stdout.contains(&head));
    project.ok(["rollback", "--steps", "1"]);
    verify_copy(&project, &project.head());
    let status = project.json(&["status"]);
    for replica in status["replicas"].as_array().unwrap() {
        assert_eq!((&replica["current"], replica["head"].as_str()), (&true.into(), Some(&*project.head())));
    }
    let looked = project.json(&["replicas"]);
    for look in looked["replicas"].as_array().unwrap() {
        assert_eq!((&look["holding"], &look["missing"]), (&"pinned".into(), &0.into()), "{look}");
        assert!(look["blocks"].as_u64().unwrap() > 10);
    }
}

#[test]
fn what_cannot_be_delivered_is_owed_and_told_from_failure() {
    let project = project();
    // A file in the place of the folder.
    project.write("copy", "");
    let run = project.ends(4, ["apply"]);
    assert!(run.stdout.contains("applied 3 as entry 3"), "{run:#?}");
    assert!(run.stderr.contains("archived, not yet replicated to copy"), "{run:#?}");
    assert!(run.stderr.contains("hint: run `greffe replicate`"), "{run:#?}");
    let status = project.ok(["status"]);
    assert!(status.stdout.contains("owed     copy (archive:copy)"), "{status:#?}");
    assert!(status.stdout.contains("current  file (car:file.car)"), "{status:#?}");
    let run = project.ends(4, ["replicate", "--json"]).object();
    assert_eq!(run["replicas"][0]["current"], false);
    assert_eq!(run["replicas"][1]["delivered"], 0);
    // One of two is enough where that is said.
    project.ok(["replicate", "--required", "1"]);
    project.remove("copy");
    let run = project.ok(["replicate", "--json"]).object();
    assert_eq!(run["replicas"][0]["current"], true);
    assert!(run["replicas"][0]["delivered"].as_u64().unwrap() > 10);
    verify_copy(&project, &project.head());
    assert_eq!(project.ok(["replicate", "--json"]).object()["replicas"][0]["delivered"], 0);
}

#[test]
fn nothing_is_applied_before_as_many_replicas_answer_as_are_required() {
    let project = Project::with(&THREE);
    settings(&project, &replica("far", "archive:none/none/copy"));
    let run = project.ends(3, ["apply", "--required", "1"]);
    assert!(run.stderr.contains("0 of 1 replicas answer, and 1 must"), "{run:#?}");
    assert_eq!(project.story(), ["genesis"]);
    project.ends(4, ["apply"]);
    assert_eq!(project.log().len(), 4);
    let run = project.ends(3, ["rollback", "--steps", "1", "--required", "1"]);
    assert!(run.stderr.contains("nothing was applied"), "{run:#?}");
}

#[test]
fn damage_of_a_replica_is_found_by_hashing_and_mended() {
    let project = project();
    project.ok(["apply"]);
    let car = project.path("copy/demo.car");
    let mut bytes = fs::read(&car).unwrap();
    // A byte of some script.
    let place = bytes.windows(18).position(|part| part == b"CREATE TABLE books").unwrap();
    bytes[place] ^= 1;
    fs::write(&car, &bytes).unwrap();
    fs::remove_file(project.path("file.car")).unwrap();
    let run = project.ends(1, ["replicas", "--json"]).object();
    assert_eq!(
        (&run["replicas"][0]["missing"], &run["replicas"][0]["holding"]),
        (&1.into(), &"pinned".into())
    );
    assert_eq!(run["replicas"][1]["holding"], "absent");
    let run = project.run(["replicas", "--repair", "--json"]).object();
    assert_eq!(run["replicas"][1]["missing"], 0);
    project.ok(["verify", "file.car"]);
}

#[test]
fn a_replica_that_lost_everything_is_given_everything_again() {
    let project = project();
    project.ok(["apply", "--to", "2"]);
    fs::remove_dir_all(project.path("copy")).unwrap();
    project.ends(4, ["apply"]);
    project.ok(["replicas", "--repair"]);
    verify_copy(&project, &project.head());
    // The notes are no truth either.
    project.remove("archive/demo.replicas");
    project.ok(["rollback", "--steps", "1"]);
    verify_copy(&project, &project.head());
}

#[test]
fn only_the_new_blocks_travel_however_long_the_chain_is() {
    let project = project();
    for number in 0..300 {
        project.script(&format!("{number}_t.sql"), format!("CREATE TABLE t{number} (id INTEGER);\n"));
    }
    for (name, _) in THREE {
        project.remove(&format!("migrations/{name}"));
    }
    let mut brought = Vec::new();
    // Around the width of a tile and of a node, where both trees grow a level.
    for to in [250, 252, 254, 255, 257, 299] {
        project.ok(["apply", "--to", &to.to_string(), "--replication-deadline", "60s"]);
        let head = project.head();
        verify_copy(&project, &head);
        brought.push(head);
    }
    let size = fs::metadata(project.path("archive/demo.car")).unwrap().len();
    let copy = fs::metadata(project.path("copy/demo.car")).unwrap().len();
    assert!(copy <= size, "the copy has {copy} bytes, the archive {size}");
    let looked = project.json(&["replicas"]);
    assert_eq!(looked["replicas"][0]["missing"], 0);
}

#[test]
fn a_replica_of_another_chain_is_not_overwritten() {
    let project = project();
    let other = Project::applied();
    fs::create_dir(project.path("copy")).unwrap();
    fs::copy(other.path("archive/demo.car"), project.path("copy/demo.car")).unwrap();
    let before = project.read("copy/demo.car");
    let run = project.ends(4, ["apply"]);
    assert!(run.stderr.contains("it has the archive of another chain"), "{run:#?}");
    assert_eq!(project.read("copy/demo.car"), before);
}

#[test]
fn replicas_in_the_settings_are_judged() {
    let project = Project::new();
    settings(
        &project,
        "\n[[replica]]\nname = \"a\"\nurl = \"kubo:http://10.0.0.1:5001\"\n\
         [[replica]]\nname = \"a\"\nurl = \"ipfs:x\"\ntimeoutt = \"1s\"\nauthorization = \"bearer:hunter2\"\n\
         [[replica]]\nurl = \"kubo:http://ann:hunter2@127.0.0.1\"\ninsecure = \"yes\"\n\
         [replication]\nrequired = 65\n",
    );
    let run = project.ends(2, ["status"]);
    for part in [
        "`replica.url` cannot be used: plain `http:` to another machine",
        "`timeoutt` is not a key of `[replica]`; the nearest valid one is `replica.timeout`",
        "`replica.url` is not of an allowed form (not shown here): write `kubo:URL`",
        "`replica.authorization` is not of an allowed form (not shown here): write `env:NAME`",
        "`replica` has no `name`",
        "`replica.url` cannot be used: it holds a user or password",
        "`replica.insecure` is of type string: write `true` or `false`",
        "`replication.required` is \"65\": write a whole number from 0 to 64",
    ] {
        assert!(run.stderr.contains(part), "{part}\n{}", run.stderr);
    }
    assert!(!run.stderr.contains("hunter2"), "{run:#?}");
    let project = Project::new();
    settings(&project, "\n[replica]\nname = \"a\"\n");
    assert!(project.ends(2, ["status"]).stderr.contains("begin each replica with `[[replica]]`"));
    let project = Project::new();
    settings(
        &project,
        "\n[[replica]]\nname = \"a\"\nurl = \"kubo:http://127.0.0.1:1\"\nauthorization = \"env:TOKEN\"\n",
    );
    let run = project.ends(2, ["replicate"]);
    assert!(
        run.stderr.contains("replica a: `authorization` is `env:TOKEN`, but that variable is not set"),
        "{run:#?}"
    );
    let mut project = project;
    project.variables.push(("TOKEN".into(), "hunter2".into()));
    let run = project.ends(2, ["replicate"]);
    assert!(run.stderr.contains("neither `bearer:TOKEN` nor `basic:USER:PASSWORD`"), "{run:#?}");
}
