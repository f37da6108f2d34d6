//! The lines that builds run: the action, the template and the plain ones, as they stand in their files, on a runner that
//! has nothing, with a real node for a replica.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::ipfs::pins;
use crate::pages::block_below;
use crate::project::{Project, Run, THREE, copy_folder};
use crate::replicas::settings;
use crate::servers::Kubo;
use crate::shop::{Shop, programs};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How a system runs its lines, and which variables it sets.
struct System {
    name: &'static str,
    lines: String,
    /// As its runner starts a shell.
    shell: [&'static str; 2],
    variables: &'static [(&'static str, &'static str)],
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(Path::new(ROOT).join(path)).unwrap()).unwrap()
}

fn github() -> System {
    let action = yaml(".github/action.yml");
    let steps = action["runs"]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["id"] == "record").unwrap();
    assert_eq!((&step["env"]["MIGRATE"], &step["shell"]), (&json!("${{ inputs.command }}"), &json!("bash")));
    let lines = step["run"].as_str().unwrap().to_owned();
    // What a caller writes never becomes part of the lines themselves.
    assert!(!lines.contains("${{"), "{lines}");
    System {
        name: "github",
        lines,
        shell: ["bash", "-eo"],
        variables: &[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SHA", COMMIT),
            ("GITHUB_JOB", "migrate"),
            ("GITHUB_RUN_ID", "16012345678"),
            ("GITHUB_ACTOR", "jeanne-morel"),
            ("GITHUB_OUTPUT", "runner/output"),
            ("GITHUB_STEP_SUMMARY", "runner/summary"),
            ("RUNNER_TEMP", "runner"),
        ],
    }
}

fn gitlab() -> System {
    let template = yaml(".gitlab/greffe.yml");
    assert_eq!(template[".greffe"]["resource_group"], "greffe");
    let lines = template[".greffe"]["script"].as_array().unwrap().iter();
    System {
        name: "gitlab",
        lines: lines.map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n"),
        shell: ["sh", "-eo"],
        variables: &[
            ("GITLAB_CI", "true"),
            ("CI_COMMIT_SHA", COMMIT),
            ("CI_JOB_ID", "77"),
            ("CI_PIPELINE_ID", "5"),
        ],
    }
}

fn plain() -> System {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/ci.md")).unwrap();
    let lines = block_below(&page, "lines").to_owned();
    System {
        name: "jenkins",
        lines,
        shell: ["sh", "-eo"],
        variables: &[
            ("JENKINS_URL", "http://127.0.0.1/"),
            ("GIT_COMMIT", COMMIT),
            ("JOB_NAME", "migrate"),
            ("BUILD_NUMBER", "12"),
        ],
    }
}

/// Runs a system's lines in a checkout.
fn build(system: &System, checkout: &Project, command: &str, head: &str) -> Run {
    fs::create_dir_all(checkout.path("runner")).unwrap();
    let mut shell = Command::new(system.shell[0]);
    checkout.prepare(&mut shell);
    let greffe = Path::new(env!("CARGO_BIN_EXE_greffe")).parent().unwrap();
    shell.env("PATH", format!("{}:{}:/usr/bin:/bin", greffe.display(), programs().display()));
    shell.envs(system.variables.iter().copied()).env("MIGRATE", command).env("CONTINUE", head);
    // Not all shells of `sh` can give a pipeline's failure on.
    let option = if system.shell[0] == "bash" { "pipefail" } else { "noglob" };
    checkout.judge(shell.args([system.shell[1], option, "-c", &system.lines]).output().unwrap())
}

/// A runner with a checkout of the shop's repository: sources, settings, and the accesses so far, but no archive.
fn runner(shop: &Shop) -> Project {
    let mut runner = Project::empty();
    runner.variables.clone_from(&shop.project.variables);
    for file in ["app.py", "greffe.toml", "greffe.vault.db"] {
        fs::copy(shop.project.path(file), runner.path(file)).unwrap();
    }
    copy_folder(shop.project.path("migrations"), &runner.path("migrations"));
    fs::create_dir(runner.path("archive")).unwrap();
    for entry in fs::read_dir(shop.project.path("archive")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("shop-access.") {
            fs::copy(entry.path(), runner.path("archive").join(entry.file_name())).unwrap();
        }
    }
    runner
}

fn lives(system: &System) {
    let kubo = Kubo::start();
    let shop = Shop::in_a_file();
    settings(
        &shop.project,
        &format!("\n[[replica]]\nname = \"office\"\nurl = \"kubo:{}\"\npublic = false\n", kubo.rpc_url()),
    );
    shop.add(&["5a0c", "6b1d"]);
    let migrate = "flask db upgrade";
    build(system, &shop.project, migrate, "").exits(0);
    let head = shop.project.head();
    assert_eq!(pins(&kubo), [head.as_str()]);
    let shown = shop.project.json(&["show", "2"]);
    let ci = &shown["event"]["run"]["ci"];
    assert_eq!((&ci["system"], &ci["commit"]), (&json!(system.name), &json!(COMMIT)), "{ci}");
    assert!(!shown.to_string().contains("jeanne"), "{shown}");

    // The next job runs where nothing was kept. The plain lines have nothing that fetches.
    let next = if system.name == "jenkins" { shop.project.copy() } else { runner(&shop) };
    let fetched = if system.name == "jenkins" { "" } else { head.as_str() };
    copy_revision(&shop, &next, "7c2e");
    let run = build(system, &next, migrate, fetched);
    run.exits(0).prints(&["no difference"]);
    assert_eq!(next.story()[1..], ["apply 5a0c", "apply 6b1d", "apply 7c2e"]);
    let head = next.head();
    assert_eq!(pins(&kubo), [head.as_str()]);
    match system.name {
        "github" => {
            let summary = String::from_utf8(next.read("runner/summary")).unwrap();
            assert!(summary.contains(&format!("| head | `{head}` |")), "{summary}");
            assert_eq!(next.read("runner/output"), format!("head={head}\n").as_bytes());
        }
        "gitlab" => assert_eq!(next.read("greffe.env"), format!("EVIDENCE_HEAD={head}\n").as_bytes()),
        _ => drop(run.prints(&[&format!("head {head}")])),
    }

    // An auditor's machine has the CID and a node's address.
    let mut auditor = Project::empty();
    auditor.variables.clear();
    auditor.ok(["verify", &head, "--from", &format!("kubo:{}", kubo.rpc_url())]).prints(&["verified: shop"]);

    // A migration that fails ends the job as the tool ended, with its failure in the chain and on the node.
    copy_revision(&shop, &next, "8d3f");
    copy_revision(&shop, &next, "9e40");
    copy_revision(&shop, &next, "af51");
    let run = build(system, &next, migrate, "");
    run.exits(1);
    assert_eq!(next.story().last().unwrap(), "fail af51");
    assert_eq!(pins(&kubo), [next.head().as_str()]);
    next.remove("migrations/versions/af51_broken.py");

    // One byte of what was applied ends the job, though the tool finds nothing.
    let file = "migrations/versions/6b1d_orders.py";
    let text = String::from_utf8(next.read(file)).unwrap();
    next.write(file, text.replace("nullable=False", "nullable=True "));
    build(system, &next, migrate, "").exits(1).prints(&["is not what was archived"]);
    next.write(file, text);
    build(system, &next, migrate, "").exits(0);

    // What was archived and is not on the node ends it, too.
    drop(kubo);
    build(system, &next, "flask db downgrade 6b1d", "").exits(4).says(&["not yet replicated"]);
}

fn copy_revision(shop: &Shop, to: &Project, revision: &str) {
    shop.add(&[revision]);
    for entry in fs::read_dir(shop.project.path("migrations/versions")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with(revision) {
            fs::copy(entry.path(), to.path("migrations/versions").join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn the_action_of_github() {
    lives(&github());
}

#[test]
fn the_template_of_gitlab() {
    lives(&gitlab());
}

#[test]
fn the_plain_lines() {
    lives(&plain());
}

#[test]
fn a_chain_that_is_not_to_be_had_stops_the_job_before_anything_runs() {
    let shop = Shop::in_a_file();
    shop.add(&["5a0c"]);
    let runner = runner(&shop);
    for system in [github(), gitlab()] {
        let run = build(&system, &runner, "echo ran; flask db upgrade", &shop.project.head());
        assert_ne!(run.code, 0, "{run:#?}");
        assert!(!run.stdout.contains("ran\n"), "{run:#?}");
    }
    // An archive that is not there: the tool runs, and the job says so.
    let run = build(&github(), &runner, "flask db upgrade", "");
    assert_ne!(run.code, 0, "{run:#?}");
    assert!(shop.flask(&["db", "current"]).contains("5a0c"));
}

#[test]
fn runs_of_greffe_itself_name_the_build_too() {
    let mut project = Project::with(&THREE);
    let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", COMMIT), ("GITHUB_ACTOR", "jeanne-morel")];
    project.variables.extend(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    project.ok(["apply"]);
    let ci = &project.json(&["show", "1"])["event"]["run"]["ci"];
    assert_eq!(*ci, json!({ "system": "github", "commit": COMMIT }));
    project.verify();
}
