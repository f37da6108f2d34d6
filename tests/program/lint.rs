//! `greffe lint`: what it finds in folders of greffe's own and of other tools, how it tells it, and what it ends with.

mod bad_input;
mod cases;
mod tools;
mod ways_down;

use std::fs;

use serde_json::Value;

use crate::project::{Project, Run};
use crate::tools::tool;

/// A sound script and its way back.
const SOUND: [(&str, &str); 2] = [
    (
        "1_a.up.sql",
        "-- purpose: keeps a\n-- impact: one more table\n-- rollback: drops it\nCREATE TABLE a (id INTEGER PRIMARY KEY);\n",
    ),
    ("1_a.down.sql", "DROP TABLE a;\n"),
];

/// A folder of scripts and nothing else: no settings, no chain.
fn folder(scripts: &[(&str, &str)]) -> Project {
    let project = Project::empty();
    fs::create_dir_all(project.path("migrations")).unwrap();
    project.scripts(scripts);
    project
}

/// `rule file:line` of all findings that no waiver holds for.
fn found(run: &Run) -> Vec<String> {
    let told = |finding: &Value| {
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        format!("{} {}:{}", text("rule"), text("file"), finding["line"])
    };
    let findings = run.object()["findings"].as_array().unwrap().clone();
    findings.iter().filter(|finding| finding["waived"].is_null()).map(told).collect()
}

fn lint(project: &Project, arguments: &[&str]) -> Run {
    project.run(["lint", "--json"].iter().chain(arguments))
}

#[test]
fn sound_scripts_are_told_in_a_line_without_any_settings() {
    let project = folder(&SOUND);
    let run = project.ok(["lint", "--dialect", "sqlite"]);
    assert_eq!(
        run.stdout,
        "0 error(s), 0 warning(s), 0 note(s) in 1 script(s); 0 waived, 1 way(s) down tried\n"
    );
    assert_eq!(run.stderr, "");
    let run = project.ok(["lint"]);
    run.says(&["is read as PostgreSQL", "--dialect"]);
}

#[test]
fn findings_are_told_with_place_rule_and_help() {
    let project = folder(&SOUND);
    project.script("2_b.sql", "ALTER TABLE a DROP COLUMN b;\n");
    let run = project.ends(1, ["lint", "--dialect", "mysql"]);
    run.prints(&[
        "migrations/2_b.sql:1:1: error greffe/down-missing: ",
        "migrations/2_b.sql:1:1: warning greffe/purpose-missing: ",
        "migrations/2_b.sql:1:1: error mysql/drop-column: `a.b`: ",
        "hint: mysql/drop-column: ",
        "(docs/lint.md#mysqldrop-column)",
        "2 error(s), 1 warning(s), 1 note(s) in 2 script(s)",
    ]);
    let run = lint(&project, &["--dialect", "mysql"]);
    let object = run.object();
    assert_eq!((run.code, &object["command"], &object["failOn"]), (1, &"lint".into(), &"error".into()));
    assert_eq!((&object["errors"], &object["warnings"], &object["notes"]), (&2.into(), &1.into(), &1.into()));
    let folder = serde_json::json!({
        "path": "migrations", "tool": "greffe", "dialect": "mysql", "scripts": 2,
    });
    assert_eq!(object["folders"], serde_json::json!([folder]));
    let rules: Vec<&str> = object["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect();
    let expected =
        ["greffe/down-missing", "greffe/impact-missing", "greffe/purpose-missing", "mysql/drop-column"];
    assert_eq!(rules, expected);
}

#[test]
fn levels_come_from_settings_and_flags() {
    let project = folder(&SOUND);
    project
        .script("2_b.sql", "-- rollback: none, because nothing is kept here\nCREATE TABLE b (c INTEGER);\n");
    assert_eq!(lint(&project, &["--dialect", "sqlite"]).code, 0);
    assert_eq!(lint(&project, &["--dialect", "sqlite", "--fail-on", "warning"]).code, 1);
    assert_eq!(lint(&project, &["--dialect", "sqlite", "--level", "greffe/impact-missing=error"]).code, 1);
    project.write("greffe.toml", "[lint]\n\"greffe/purpose-missing\" = 'error'\n");
    assert_eq!(lint(&project, &["--dialect", "sqlite"]).code, 1);
    let flags = ["--dialect", "sqlite", "--level", "greffe/*=off", "--level", "greffe/purpose-missing=off"];
    assert_eq!(found(&lint(&project, &flags)), [""; 0]);
    project.write("greffe.toml", "[lint]\nfail-on = 'note'\n");
    assert_eq!(lint(&project, &["--dialect", "sqlite"]).code, 1);
    project.write("greffe.toml", "[lint]\n\"greffe/purpose-mising\" = 'error'\n");
    let run = project.ends(2, ["lint"]);
    run.says(&["greffe.toml:2", "the nearest valid one is `greffe/purpose-missing`"]);
    project.remove("greffe.toml");
    let run = project.ends(2, ["lint", "--level", "squawk/ban-dorp-table=off"]);
    run.says(&["the nearest one is `squawk/ban-drop-table`"]);
    for flag in ["squawk/ban-drop-table", "squawk/ban-drop-table=loud", "=off"] {
        project.ends(2, ["lint", "--level", flag]);
    }
}

#[test]
fn waivers_hold_with_reason_and_day_and_are_findings_without() {
    let project = folder(&SOUND);
    let script = |waiver: &str| {
        project.script(
            "2_b.sql",
            format!("-- purpose: b\n-- impact: none\n-- rollback: none, the rows are gone for good\n{waiver}\nDROP TABLE a;\n"),
        );
        lint(&project, &["--dialect", "sqlite", "--no-check-down"])
    };
    assert_eq!(found(&script("--")), ["sqlite/drop-table migrations/2_b.sql:5"]);
    let run = script("-- waiver: sqlite/drop-table 2999-12-31 nobody wrote to it");
    assert_eq!((run.code, found(&run)), (0, vec![]));
    let object = run.object();
    assert_eq!(object["waived"], 1);
    let waived = serde_json::json!({ "until": "2999-12-31", "reason": "nobody wrote to it" });
    assert_eq!(object["findings"][0]["waived"], waived);
    assert_eq!(
        found(&script("-- waiver: sqlite/drop-table 2020-12-31 nobody wrote to it")),
        ["greffe/waiver-expired migrations/2_b.sql:4", "sqlite/drop-table migrations/2_b.sql:5"]
    );
    assert_eq!(
        found(&script("-- waiver: sqlite/drop-table 2999-12-31")),
        ["greffe/waiver-broken migrations/2_b.sql:4", "sqlite/drop-table migrations/2_b.sql:5"]
    );
    assert_eq!(
        found(&script("-- waiver: sqlite/drop-tabel 2999-12-31 gone")),
        ["greffe/waiver-unknown migrations/2_b.sql:4", "sqlite/drop-table migrations/2_b.sql:5"]
    );
    // A waiver for a finding of `scan` is none of these; one for a waiver waives nothing.
    assert_eq!(
        found(&script("-- waiver: email 2999-12-31 our own\n-- waiver: greffe/waiver-expired 2999-12-31 so\n-- waiver: email 2020-01-01 old")).first().map(String::as_str),
        Some("greffe/waiver-expired migrations/2_b.sql:6")
    );
}

#[test]
fn files_that_are_named_are_judged_as_parts_of_their_folder() {
    let project = folder(&SOUND);
    project.script("2_b.sql", "DROP TABLE a;\n");
    project.script("3_c.up.sql", "-- depends-on: 2\nDROP TABLE b;\n");
    project.script("3_c.down.sql", "-- nothing\n");
    let run = lint(&project, &["--dialect", "sqlite", "migrations/3_c.up.sql"]);
    let found = found(&run);
    assert!(!found.is_empty() && found.iter().all(|finding| finding.contains("/3_c.")), "{found:?}");
    assert!(!found.iter().any(|finding| finding.starts_with("greffe/dependency-missing")), "{found:?}");
    assert_eq!(run.object()["scripts"], 1);
    let down = lint(&project, &["--dialect", "sqlite", "migrations/3_c.down.sql"]);
    assert!(
        self::found(&down).iter().any(|finding| finding == "greffe/down-empty migrations/3_c.down.sql:1")
    );
    project.write("migrations/README.md", "scripts");
    let run = project.ok(["lint", "migrations/README.md", "migrations/1_a.up.sql", "--dialect", "sqlite"]);
    run.says(&["migrations/README.md is no script that is run"]);
    project.ends(2, ["lint", "nowhere"]);
    project.ends(2, ["lint", "--since", "9"]);
}

#[test]
fn older_scripts_are_left_out_and_the_folder_is_not() {
    let project = folder(&SOUND);
    project.script("2_b.sql", "DROP TABLE a;\n");
    project.script("02_c.sql", "SELECT 1;\n");
    project.script("3_c.sql", "SELECT 1;\n");
    let run = lint(&project, &["--dialect", "sqlite", "--since", "3"]);
    let found = found(&run);
    assert!(found.iter().any(|finding| finding.starts_with("greffe/version-twice")), "{found:?}");
    assert!(!found.iter().any(|finding| finding.starts_with("sqlite/drop-table")), "{found:?}");
    assert!(found.iter().any(|finding| finding == "greffe/down-missing migrations/3_c.sql:1"), "{found:?}");
}

#[test]
fn sarif_has_rules_places_and_suppressions() {
    let project = folder(&SOUND);
    project.script("2_é b.sql", "-- waiver: greffe/impact-missing 2999-12-31 none\nDROP TABLE a;\n");
    let run = project.ends(1, ["lint", "--sarif", "--dialect", "sqlite"]);
    let log: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().contains("sarif-2.1.0"));
    let told = &log["runs"][0];
    let rules = told["tool"]["driver"]["rules"].as_array().unwrap();
    for rule in rules {
        let page = rule["properties"]["page"].as_str().unwrap();
        assert!(page.starts_with("docs/lint.md#"), "{rule}");
        assert!(rule["help"]["text"].as_str().unwrap().ends_with(&format!(" Page: {page}.")), "{rule}");
        // The schema takes absolute ones alone.
        assert!(rule["helpUri"].as_str().is_none_or(|link| link.starts_with("https://")), "{rule}");
        let level = rule["defaultConfiguration"]["level"].as_str().unwrap();
        assert!(["note", "warning", "error"].contains(&level), "{rule}");
    }
    let linked = rules.iter().find(|rule| rule["id"] == "sqlite/drop-column").unwrap();
    assert!(linked["helpUri"].as_str().unwrap().starts_with("https://"), "{linked}");
    let results = told["results"].as_array().unwrap();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["note", "warning", "error"].contains(&result["level"].as_str().unwrap()));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "migrations/2_%C3%A9%20b.sql");
        assert!(place["region"]["startLine"].as_u64() >= Some(1));
        assert!(place["region"]["startColumn"].as_u64() >= Some(1));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
    }
    let suppressed: Vec<&Value> = results.iter().filter(|result| !result["suppressions"].is_null()).collect();
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0]["ruleId"], "greffe/impact-missing");
    assert_eq!(suppressed[0]["suppressions"][0]["kind"], "inSource");
}

/// Reads a document as an XML parser of others does, and prints what it holds.
const READ_XML: &str = "
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.stdin.buffer).getroot()
print(root.tag, root.get('tests'), root.get('failures'), root.get('skipped'))
for suite in root:
    print(suite.tag, suite.get('name'), suite.get('tests'), suite.get('failures'), suite.get('skipped'))
    assert int(suite.get('tests')) == len(suite)
    for case in suite:
        print(case.tag, case.get('classname'), case.get('name'), [child.tag for child in case])
";

#[test]
fn junit_is_xml_with_a_case_for_each_finding() {
    let project = folder(&SOUND);
    let name = "2_<b>&\"'.sql";
    project.script(name, "-- waiver: greffe/impact-missing 2999-12-31 a < b & \"c\"\nDROP TABLE \"<a>&\";\n");
    let run = project.ends(1, ["lint", "--junit", "--dialect", "sqlite", "--no-check-down"]);
    project.write("lint.xml", &run.stdout);
    let mut python = tool("python3");
    let read = python
        .args(["-c", READ_XML])
        .stdin(fs::File::open(project.path("lint.xml")).unwrap())
        .output()
        .unwrap();
    assert!(read.status.success(), "{}\n{}", run.stdout, String::from_utf8_lossy(&read.stderr));
    let text = String::from_utf8(read.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let file = format!("migrations/{name}");
    assert_eq!(
        lines,
        [
            "testsuites 5 2 1".to_owned(),
            format!("testsuite {file} 4 2 1"),
            format!("testcase {file} greffe/down-missing, line 1 ['failure']"),
            format!("testcase {file} greffe/impact-missing, line 1 ['skipped']"),
            format!("testcase {file} greffe/purpose-missing, line 1 ['system-out']"),
            format!("testcase {file} sqlite/drop-table, line 2 ['failure']"),
            "testsuite migrations/1_a.up.sql 1 0 0".to_owned(),
            "testcase migrations/1_a.up.sql without a finding []".to_owned(),
        ]
    );
}

#[test]
fn forms_exclude_one_another_and_rules_are_listed() {
    let project = folder(&SOUND);
    for arguments in [
        ["--sarif", "--json"],
        ["--junit", "--json"],
        ["--sarif", "--junit"],
        ["--check-down", "--no-check-down"],
    ] {
        project.ends(2, ["lint"].iter().chain(&arguments));
    }
    let run = project.ok(["lint", "--rules", "--level", "squawk/*=off"]);
    assert!(run.stdout.contains("error    greffe/down-missing"), "{run:#?}");
    assert!(run.stdout.contains("off      squawk/ban-drop-table"), "{run:#?}");
    let listed = project.json(&["lint", "--rules"]);
    let rules = listed["rules"].as_array().unwrap();
    assert!(rules.len() > 100);
    assert!(rules.iter().all(|rule| !rule["source"].as_str().unwrap().is_empty()));
}

#[test]
fn the_database_of_the_settings_says_what_scripts_are_written_in() {
    let project = folder(&SOUND);
    project.write("greffe.toml", "[database]\nurl = \"env:APP_URL\"\n");
    let mut with_url = project.copy();
    with_url.variables.push(("APP_URL".to_owned(), "mysql://ann@db.example.org/app".to_owned()));
    assert_eq!(with_url.json(&["lint"])["folders"][0]["dialect"], "mysql");
    // Without the variable, as on a build server.
    assert_eq!(project.json(&["lint"])["folders"][0]["dialect"], "postgresql");
}
