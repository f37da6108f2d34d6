//! What commands print, in both forms, and to whom.

use std::io::Read as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::project::{Project, THREE};

#[test]
fn log_lists_entries_newest_first() {
    let project = Project::applied();
    let run = project.ok(["log"]);
    let events: Vec<&str> = run.stdout.lines().filter_map(|line| line.strip_prefix("Event:   ")).collect();
    assert_eq!(events, ["apply 3", "apply 2 books", "apply 1 authors", "genesis"]);
    assert!(run.stdout.contains("Purpose: keeps the books"), "{run:#?}");
    assert_eq!(project.ok(["log", "-n", "2", "--oneline"]).stdout.lines().count(), 2);
    assert_eq!(project.ok(["log", "-n", "0", "--oneline"]).stdout, "");
    let line = project.ok(["log", "--oneline", "-n", "1"]).stdout;
    let manifest = project.log()[3]["manifest"].as_str().unwrap().to_owned();
    assert_eq!(line.trim(), format!("3 {manifest} apply 3"));
}

#[test]
fn show_names_an_entry_by_number_or_cid() {
    let project = Project::applied();
    let by_number = project.json(&["show", "2"]);
    let manifest = by_number["manifest"].as_str().unwrap();
    assert_eq!(project.json(&["show", manifest]), by_number);
    assert_eq!(by_number["event"]["migration"]["version"], "2");
    assert_eq!(by_number["files"][0]["role"], "down");
    assert_eq!(by_number["files"][1]["name"], "2_books.up.sql");
    project.ok(["show", "2"]).prints(&[manifest, "2_books.up.sql", "keeps the books"]);
    for wanted in
        ["4", "99999999999", "-1", "", "x", "99999999999999999999999999", &project.head().replace('b', "c")]
    {
        let run = project.run(["show", "--", wanted]);
        assert_eq!(run.code, 2, "{wanted}: {run:#?}");
    }
    // Blocks that are no manifest.
    let log = by_number["log"].as_str().unwrap();
    for cid in [log, &project.head(), by_number["files"][0]["cid"].as_str().unwrap()] {
        let run = project.run(["show", cid]);
        assert!((1..=3).contains(&run.code), "{run:#?}");
    }
}

#[test]
fn scripts_come_back_byte_for_byte() {
    let project = Project::new();
    let odd = "\u{feff}-- été\r\nCREATE TABLE a (id);\r\n\u{1b}[31m -- control\t\n";
    let odd = odd.replace("\u{1b}[31m", "/* \u{1b}[31m */");
    project.script("1_odd.up.sql", &odd);
    project.script("1_odd.down.sql", "DROP TABLE a; -- no line end");
    project.ok(["apply"]);
    project.ok(["rollback", "--steps", "1"]);
    assert_eq!(project.ok(["show", "1", "--script"]).bytes, odd.as_bytes());
    assert_eq!(project.ok(["show", "2", "--script"]).bytes, b"DROP TABLE a; -- no line end");
    assert_eq!(project.json(&["show", "1", "--script"])["text"], odd);
    project.ends(2, ["show", "0", "--script"]);
}

#[test]
fn text_from_scripts_does_not_steer_a_terminal() {
    let project = Project::with(&[(
        "1_steer.sql",
        "-- purpose: red \u{1b}[31m and \u{202e}back and \u{7} bell\nCREATE TABLE a (id);\n",
    )]);
    project.ok(["apply"]);
    for arguments in
        [vec!["log"], vec!["log", "--oneline"], vec!["show", "1"], vec!["status"], vec!["log", "--json"]]
    {
        let run = project.ok(&arguments);
        assert!(
            !run.stdout.contains(['\u{1b}', '\u{202e}', '\u{7}']) || arguments.contains(&"--json"),
            "{run:#?}"
        );
        assert!(!run.stdout.contains(['\u{1b}', '\u{7}']), "{run:#?}");
    }
}

#[test]
fn every_command_prints_one_object() {
    let project = Project::with(&THREE);
    for arguments in [
        vec!["apply", "--dry-run"],
        vec!["apply"],
        vec!["rollback", "--steps", "1"],
        vec!["repair", "3", "--applied"],
        vec!["status"],
        vec!["log"],
        vec!["show", "1"],
        vec!["show", "1", "--script"],
        vec!["head"],
        vec!["head", "--all"],
        vec!["export", "--out", "demo.car"],
        vec!["verify", "demo.car"],
        vec!["report", "demo.car"],
        vec!["import", "demo.car"],
        vec!["compact"],
        vec!["key", "show"],
        vec!["key", "generate", "--out", "k.pem", "--plain"],
        vec!["man", "--out", "man"],
        vec!["completions", "bash"],
        vec!["quickstart", "quick"],
    ] {
        let object = project.json(&arguments);
        if !matches!(arguments[0], "completions") && !arguments.contains(&"--script") {
            assert_eq!(object["command"], arguments[0], "{object}");
        }
    }
    for arguments in [vec!["show", "99"], vec!["apply", "--to", "x"], vec!["verify", "absent.car"]] {
        let run = project.run(arguments.iter().chain(&["--json"]));
        let object = run.object();
        assert_eq!(object["exit"], run.code);
        assert!(object["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{object}");
    }
    let by_variable = {
        let mut project = project.copy();
        project.variables.push(("GREFFE_JSON".to_owned(), "1".to_owned()));
        project.ok(["head"]).object()
    };
    assert_eq!(by_variable["command"], "head");
}

#[test]
fn completions_for_every_shell_and_manual_pages() {
    let project = Project::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = project.ok(["completions", shell]).stdout;
        assert!(script.contains("rollback") && script.len() > 1000, "{shell}");
    }
    let bash = project.ok(["completions", "bash"]).bytes;
    project.write("greffe.bash", bash);
    let checked = Command::new("bash").arg("-n").arg(project.path("greffe.bash")).status().unwrap();
    assert!(checked.success());
    assert!(project.ok(["man"]).stdout.contains(".TH greffe"));
    project.ok(["man", "--out", "man"]);
    for page in ["greffe.1", "greffe-apply.1", "greffe-key-show.1"] {
        assert!(project.path("man").join(page).exists(), "{page}");
    }
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let project = Project::applied();
    for arguments in [
        vec!["log"],
        vec!["log", "--json"],
        vec!["status"],
        vec!["head"],
        vec!["show", "1"],
        vec!["show", "1", "--script"],
        vec!["man"],
        vec!["completions", "zsh"],
        vec!["--help"],
        vec!["--version"],
        vec!["verify", &project.head()],
        vec!["quickstart", "quick"],
    ] {
        // Nobody reads: the reading end is closed before the program writes.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = project.command(&arguments).stdout(Stdio::from(writer)).spawn().unwrap();
        let run = project.judge(child.wait_with_output().unwrap());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{arguments:?}: {run:#?}");
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = project.command(["show", "99"]).stderr(Stdio::from(writer)).spawn().unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(2));
    // The reader takes one byte of much and goes.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let child = project.command(["completions", "zsh"]).stdout(Stdio::from(writer)).spawn().unwrap();
    reader.read_exact(&mut [0]).unwrap();
    drop(reader);
    let run = project.judge(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn a_full_standard_output_is_an_error() {
    let project = Project::applied();
    for arguments in [vec!["log"], vec!["head", "--json"], vec!["show", "1", "--script"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = project.command(&arguments).stdout(Stdio::from(full)).spawn().unwrap();
        let run = project.judge(child.wait_with_output().unwrap());
        assert_eq!(run.code, 3, "{run:#?}");
        run.says(&["cannot write"]);
    }
}

#[test]
fn quiet_silences_remarks_and_not_errors() {
    let project = Project::applied();
    project.script("1_authors.up.sql", THREE[0].1.replace('\n', "\r\n"));
    assert_ne!(project.ok(["apply"]).stderr, "");
    assert_eq!(project.ok(["apply", "--quiet"]).stderr, "");
    project.ends(2, ["show", "99", "--quiet"]).says(&["error:"]);
    let object: Value = project.json(&["apply", "--quiet"]);
    assert_eq!(object["notes"][0]["code"], "cosmetic");
}
