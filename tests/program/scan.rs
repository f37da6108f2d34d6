//! `greffe scan`: what it finds, how it tells it, and that it never tells the value.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SECRET: &str = "Tilleul!88-unseen";
const MAIL: &str = "aline.unseen@cabinet-rhone.fr";

fn greffe(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greffe"));
    command.current_dir(folder).args(arguments).env_remove("GREFFE_JSON").stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = greffe(folder, arguments).output().unwrap();
    told(&output)
}

/// The exit code and standard output. No output may hold a value.
#[track_caller]
fn told(output: &Output) -> (i32, String) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    for value in [SECRET, MAIL, "unseen"] {
        assert!(!text.contains(value) && !errors.contains(value), "{text}{errors}");
    }
    (output.status.code().unwrap(), text)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("migrations")).unwrap();
    fs::write(folder.path().join("migrations/1_tables.sql"), "CREATE TABLE t (a INT);\n").unwrap();
    let script = format!("-- été : {MAIL}\nCREATE ROLE a LOGIN PASSWORD '{SECRET}';\n");
    fs::write(folder.path().join("migrations/2_role.sql"), script).unwrap();
    folder
}

#[test]
fn findings_are_told_as_text_without_any_settings() {
    let folder = folder();
    let (code, text) = run(folder.path(), &["scan"]);
    assert_eq!(code, 1, "{text}");
    let expected = "migrations/2_role.sql:1:10: personal email (29 characters)\n\
         migrations/2_role.sql:2:31: secret sql-password (17 characters)\n\
         2 finding(s) in 2 file(s); 1 S0, 0 S1, 1 S2\n";
    assert_eq!(text, expected);
    let (code, text) = run(folder.path(), &["scan", "migrations/1_tables.sql"]);
    assert_eq!((code, text.as_str()), (0, "0 finding(s) in 1 file(s); 1 S0, 0 S1, 0 S2\n"));
}

#[test]
fn findings_are_told_as_json_and_sarif() {
    let folder = folder();
    let (code, text) = run(folder.path(), &["scan", "migrations", "--json"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &told["command"], &told["findings"]), (1, &"scan".into(), &2.into()));
    assert_eq!(told["files"][0]["class"], "S0");
    assert_eq!(told["files"][1]["class"], "S2");
    let first = &told["files"][1]["findings"][0];
    let expected = serde_json::json!({
        "rule": "email", "severity": "personal", "line": 1, "column": 10, "length": 29,
    });
    assert_eq!(first, &expected);

    let (code, text) = run(folder.path(), &["scan", "migrations", "--sarif"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &told["version"]), (1, &"2.1.0".into()));
    assert!(told["$schema"].as_str().unwrap().contains("sarif-2.1.0"));
    let run = &told["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "migrations/2_role.sql");
        assert!(place["region"]["endColumn"].as_u64() > place["region"]["startColumn"].as_u64());
    }
    assert_eq!(run["results"].as_array().unwrap().len(), 2);
}

#[test]
fn standard_input_is_a_file() {
    let folder = folder();
    let mut command = greffe(folder.path(), &["scan", "-", "--dialect", "postgresql"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("ALTER ROLE a PASSWORD '{SECRET}'").as_bytes()).unwrap();
    let (code, text) = told(&child.wait_with_output().unwrap());
    assert_eq!(code, 1);
    assert!(text.starts_with("-:1:24: secret sql-password"), "{text}");
}

#[test]
fn wrong_use_ends_with_2() {
    let folder = folder();
    fs::write(folder.path().join("rules.toml"), "[extend]\nuseDefault = true\n").unwrap();
    for arguments in [
        &["scan", "nowhere"][..],
        &["scan", "--sarif", "--json"],
        &["scan", "--dialect", "oracle"],
        &["scan", "--rules", "nowhere.toml"],
        &["scan", "--rules", "rules.toml"],
    ] {
        let (code, _) = run(folder.path(), arguments);
        assert_eq!(code, 2, "{arguments:?}");
    }
}

#[test]
fn rules_of_ones_own_are_asked_and_links_are_not_followed() {
    let folder = folder();
    let rules = "[[rules]]\nid = 'dossier'\nregex = '''D-unseen-[0-9]{4}'''\nkeywords = ['d-']\n";
    fs::write(folder.path().join("rules.toml"), rules).unwrap();
    fs::create_dir(folder.path().join("notes")).unwrap();
    fs::write(folder.path().join("notes/a.txt"), "see D-unseen-1234").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("migrations"), folder.path().join("notes/out")).unwrap();
    let (code, text) = run(folder.path(), &["scan", "notes", "--rules", "rules.toml"]);
    assert_eq!(code, 1);
    assert!(text.starts_with("notes/a.txt:1:5: secret dossier"), "{text}");
    assert!(text.contains("notes/out: not read: symbolic link"), "{text}");
}

#[test]
fn what_could_not_be_read_is_told_and_ends_with_3() {
    let folder = folder();
    let mut deep = folder.path().join("deep");
    for _ in 0..70 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(folder.path().join("deep/t.sql"), "CREATE TABLE t (a INT);\n").unwrap();
    let (code, text) = run(folder.path(), &["scan", "deep"]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains(": not read: too deep\n"), "{text}");
    let (code, text) = run(folder.path(), &["scan", "deep", "--sarif"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    let invocation = &told["runs"][0]["invocations"][0];
    assert_eq!((code, &invocation["executionSuccessful"]), (3, &false.into()));
    assert_eq!(invocation["toolExecutionNotifications"][0]["level"], "error");
    // What was found weighs more.
    let (code, text) = run(folder.path(), &["scan", "deep", "migrations"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("not read: too deep"), "{text}");
}

/// A pipe would be waited for without end.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_opened() {
    let folder = folder();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
    let (code, text) = run(folder.path(), &["scan", "s", "migrations/1_tables.sql"]);
    assert_eq!(code, 3, "{text}");
    assert!(text.starts_with("s: not read: neither file nor folder\n"), "{text}");
    let (code, _) = run(folder.path(), &["scan", "migrations", "--rules", "s"]);
    assert_eq!(code, 2);
}

#[test]
fn a_name_that_gives_somebody_away_is_found_and_masked() {
    let folder = folder();
    fs::create_dir(folder.path().join("notes")).unwrap();
    fs::write(folder.path().join(format!("notes/V3__{MAIL}.sql")), "CREATE TABLE t (a INT);\n").unwrap();
    let masked = "*".repeat("V3__".len() + MAIL.len());
    for path in [folder.path().join("notes"), "notes".into()] {
        let (code, text) = run(folder.path(), &["scan", path.to_str().unwrap()]);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(&format!("notes/{masked}.sql:1:1: personal email")), "{text}");
    }
}

#[test]
fn a_file_counts_once_and_has_a_class_where_it_is_a_script() {
    let folder = folder();
    fs::write(folder.path().join("migrations/tool.sh"), "echo done\n").unwrap();
    let (_, text) = run(
        folder.path(),
        &["scan", "migrations", "migrations/2_role.sql", "./migrations", "--dialect", "sqlite", "--json"],
    );
    let told: Value = serde_json::from_str(&text).unwrap();
    let files = told["files"].as_array().unwrap();
    assert_eq!((files.len(), &told["findings"]), (3, &2.into()));
    assert_eq!(files[2]["class"], Value::Null, "{text}");
}

#[test]
fn other_encodings_are_read() {
    let folder = folder();
    let script = format!("-- purpose: é\r\nINSERT INTO t (mail) VALUES ('{MAIL}');\r\n");
    let little: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin: Vec<u8> = script.chars().map(|sign| u8::try_from(u32::from(sign)).unwrap()).collect();
    for bytes in
        [[b"\xff\xfe", &little[..]].concat(), little, latin, [b"\xef\xbb\xbf", script.as_bytes()].concat()]
    {
        fs::write(folder.path().join("migrations/2_role.sql"), bytes).unwrap();
        let (code, text) = run(folder.path(), &["scan", "migrations/2_role.sql"]);
        assert_eq!(code, 1);
        assert!(text.starts_with("migrations/2_role.sql:2:31: personal email (29 characters)\n"), "{text}");
        assert!(text.ends_with("0 S0, 0 S1, 1 S2\n"), "{text}");
    }
}

#[test]
fn rules_are_read_whole_or_not_at_all_and_never_told() {
    let folder = folder();
    let rule = "[[rules]]\nid = 'a'\nregex = 'b'\n";
    for text in [
        format!("{rule}# {}\n", "x".repeat(5 * 1024 * 1024)),
        format!("{rule}description = {SECRET}\n"),
        "[[rules]]\nid = 'a'\nregex = 'unseen(?=x)'\n".to_owned(),
    ] {
        fs::write(folder.path().join("rules.toml"), text).unwrap();
        let (code, _) = run(folder.path(), &["scan", "--rules", "rules.toml"]);
        assert_eq!(code, 2);
    }
}
