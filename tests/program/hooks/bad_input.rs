//! Hooks that misbehave: each is held within its bounds, counts as a no, and leaves nothing behind.

use std::time::{Duration, Instant};

use super::{hook, project, seen};
use crate::project::Project;

/// A hook before a run stops it within a time, and nothing ran.
fn stops(file: &str, text: &str, said: &str) {
    let project = project(&[(file, text)]);
    let begin = Instant::now();
    let run = project.ends(1, ["apply", "--hooks-time-limit", "2s"]);
    assert!(begin.elapsed() < Duration::from_secs(20), "{file} {text}: {:?}", begin.elapsed());
    run.says(&["said no", "hook-broken", said]);
    assert_eq!((project.tables(), project.story()), (String::new(), vec!["genesis".to_owned()]), "{text}");
    assert!(!run.stderr.contains(['\u{1b}', '\u{7}']), "{run:#?}");
}

#[test]
fn a_program_that_loops() {
    stops("beforeMigrate.sh", "while :; do :; done", "it took longer than 2 s");
}

#[test]
fn a_program_that_forks() {
    stops(
        "beforeMigrate.sh",
        "for n in 1 2 3 4 5 6 7 8; do sleep 600 & done; wait",
        "it took longer than 2 s",
    );
}

#[test]
fn a_program_that_eats_memory() {
    stops(
        "beforeMigrate.sh",
        "sleep 0.1; head -c 3000000000 /dev/zero | tail -n 1 >/dev/null; exit 3",
        "it ",
    );
}

#[test]
fn a_program_that_writes_a_gigabyte() {
    stops("beforeMigrate.sh", "exec head -c 1000000000 /dev/zero", "bytes");
}

#[test]
fn a_program_that_reads_the_environment() {
    let project = project(&[("beforeMigrate.sh", "/usr/bin/env >seen")]);
    project.ok(["apply"]);
    let seen = seen(&project, "seen");
    assert!(seen.contains("GREFFE_EVENT=beforeMigrate") && !seen.contains("PASSPHRASE"), "{seen}");
    assert!(!seen.contains("GREFFE_KEY") && !seen.contains("GREFFE_VAULT"), "{seen}");
}

#[test]
fn a_program_that_answers_broken_json() {
    for answer in
        ["done", "{\"verdict\":", "{\"verdict\":\"perhaps\"}", "[[]]", "{\"verdict\":\"allow\",\"more\":1}"]
    {
        stops("beforeMigrate.sh", &format!("echo '{answer}'"), "as JSON");
    }
}

#[test]
fn a_program_that_dies_by_a_signal() {
    stops("beforeMigrate.sh", "kill -9 $$", "it was ended by signal 9");
    stops("beforeMigrate.sh", "kill -SEGV $$", "it was ended by signal 11");
    stops("beforeMigrate.sh", "printf '\\033[31m\\007gone\\n' >&2; exit 200", "it ended with 200");
}

#[test]
fn a_policy_that_never_ends() {
    stops("beforeMigrate.rhai", "loop { }", "it took more than 1000000 steps");
    stops("beforeMigrate.rhai", "fn f(x) { f(x) } f(1)", "Stack overflow");
}

#[test]
fn a_policy_that_eats_memory() {
    stops("beforeMigrate.rhai", "let s = \"x\"; loop { s += s; }", "too large");
    stops("beforeMigrate.rhai", "let a = [0]; loop { a = [a, a]; }", "");
    // A text of a quarter of a tebibyte, in one step.
    stops(
        "beforeMigrate.rhai",
        "let s = \"x\"; for n in 0..19 { s += s; } s.replace(\"x\", s);",
        "too large",
    );
    stops("beforeMigrate.rhai", "let a = []; a.pad(1 << 62, [1, 2, 3]);", "too large");
    let many = "let a = []; a.pad(5000, 0); a.map(|x| { let b = []; b.pad(190000, 1); b })";
    stops("beforeMigrate.rhai", many, "it took too ");
}

#[test]
fn a_policy_that_reaches_for_more() {
    for text in
        ["import \"x\" as y; allow()", "eval(\"1\"); allow()", "timestamp(); allow()", "true", "let x ="]
    {
        stops("beforeMigrate.rhai", text, "beforeMigrate.rhai");
    }
}

#[test]
fn a_policy_whose_functions_would_never_end_or_end_the_program() {
    let compare = "let a = []; for i in 0..50 { a.push(i * 7919 % 1009); } a.sort(|x, y| if (x * y + x * 13 + y) % 5 < 2 { 1 } else { -1 });";
    let project = project(&[(
        "beforeMigrate.rhai",
        &format!("let s = \"a\"; s.pad(5, \"\"); {compare} warn(\"came-back\", s)"),
    )]);
    project.ok(["apply"]).prints(&["hook beforeMigrate.rhai: warn came-back: a"]);
    project.verify();
}

#[test]
fn a_program_that_says_too_much_after_a_run_takes_nothing_back() {
    let many = "printf '['; for n in $(seq 1500); do printf '{\"verdict\":\"warn\",\"rule\":\"r%d\"},' $n; done; echo '{\"verdict\":\"allow\"}]'";
    let card = "echo '{\"verdict\":\"warn\",\"rule\":\"4111111111111111\"}'";
    let project = project(&[("afterMigrate__1.sh", many), ("afterMigrate__2.sh", card)]);
    let run = project.ok(["apply"]);
    run.prints(&[
        "applied 3 as entry 3",
        "hook afterMigrate__1.sh: deny hook-broken: it gives 1500 verdicts",
        "hook afterMigrate__2.sh: deny hook-broken: its rule holds what is never published",
    ]);
    assert!(!run.stdout.contains("4111"), "{run:#?}");
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2", "apply 3", "attach"]);
    project.verify();
}

#[test]
fn a_program_that_prints_a_secret() {
    let say = "echo cannot reach postgres://app:hunter2hunter2@db/x >&2; exit 1";
    let mut project = project(&[("beforeMigrate.sh", say)]);
    project.secrets.push("hunter2hunter2".to_owned());
    project.ends(1, ["apply"]).says(&["cannot reach"]);
    project.ends(1, ["apply", "--json"]);
}

#[test]
fn what_a_policy_says_often_by_one_rule_is_archived_once() {
    let project = project(&[(
        "beforeMigrate.rhai",
        "context.migrations.map(|m| if m.hasDown { warn(\"has-down\", m.version) } else { allow() })",
    )]);
    project.ok(["apply"]).prints(&["warn has-down: 1", "warn has-down: 2"]);
    let said = project.json(&["show", "1"])["event"]["hooks"].clone();
    assert_eq!((said.as_array().unwrap().len(), &said[0]["rule"]), (1, &"has-down".into()), "{said:#}");
    project.verify();
}

#[test]
fn a_program_in_the_middle_of_a_run_stops_what_is_left() {
    let project = project(&[
        ("beforeEachMigrate.sh", "grep -q '\"version\":\"2\"' && exit 1; exit 0"),
        ("finally.sh", "cat >document"),
    ]);
    let run = project.ends(1, ["apply"]);
    run.says(&["the hook `beforeEachMigrate.sh` said no about 2", "what came before it is archived"]);
    run.prints(&["applied 1 as entry 1"]);
    assert_eq!(
        (project.tables().as_str(), project.story()),
        ("authors", ["genesis", "apply 1", "attach"].map(str::to_owned).to_vec())
    );
    assert!(seen(&project, "document").contains("\"result\":\"denied\""));
    project.remove("hooks/beforeEachMigrate.sh");
    project.ok(["apply"]);
    project.verify();
}

#[test]
fn a_hook_that_keeps_the_archive_shut_loses_nothing() {
    let project = project(&[("beforeArchive.sh", "exit 1"), ("finally.sh", "echo x >>said")]);
    project.ends(1, ["apply"]).says(&["the hook `beforeArchive.sh` said no"]);
    assert_eq!((project.tables().as_str(), project.story()), ("authors,books", vec!["genesis".to_owned()]));
    assert_eq!(seen(&project, "said"), "x\n");
    // The rows wait in the database, and the next run archives them first.
    project.remove("hooks/beforeArchive.sh");
    project.ok(["apply"]).prints(&["recovered: applied 3 as entry 3"]);
    project.verify();
}

#[test]
fn a_policy_with_a_persons_address_is_not_archived_and_nothing_runs() {
    const MAIL: &str = "jeanne.morel@mairie-lyon.fr";
    let mut project = project(&[("beforeMigrate.rhai", &format!("// ask {MAIL}\nallow()"))]);
    project.secrets.push(MAIL.to_owned());
    project.ends(1, ["apply"]).says(&["is not archived", "(email)"]);
    assert_eq!((project.tables(), project.story()), (String::new(), vec!["genesis".to_owned()]));
}

#[test]
fn a_program_that_is_changed_while_the_run_goes_on_is_not_asked() {
    let project = project(&[
        ("beforeMigrate__1.sh", "printf '#!/bin/sh\\necho y >>said\\n' >hooks/beforeMigrate__2.sh"),
        ("beforeMigrate__2.sh", "echo x >>said"),
    ]);
    project.ends(1, ["apply"]).says(&["not the one that was looked at when the run began"]);
    assert_eq!(seen(&project, "said"), "");
    assert_eq!(project.tables(), "");
}

#[test]
fn a_folder_of_programs_of_another_kind_is_told_of() {
    let project = Project::with(&[("1_a.up.sql", "CREATE TABLE a (id INTEGER);\n")]);
    std::fs::create_dir(project.path("hooks")).unwrap();
    // A program that no system can start.
    hook(&project, "beforeMigrate.bin", "");
    project.write("hooks/beforeMigrate.bin", [0_u8, 1, 2, 3]);
    project.ends(1, ["apply"]).says(&["it cannot be started"]);
}
