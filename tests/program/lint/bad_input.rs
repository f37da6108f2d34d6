//! Folders that nobody would write on purpose: told, within bounds, and never a panic.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use super::{SOUND, folder, found, lint};

fn judged(project: &crate::project::Project, dialect: &str) -> Vec<String> {
    let run = lint(project, &["--dialect", dialect, "--no-check-down"]);
    assert!(run.code <= 1, "{run:#?}");
    found(&run)
}

#[test]
fn what_is_no_text_is_told_and_hides_nothing_else() {
    let project = folder(&SOUND);
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    project.script("2_binary.sql", binary);
    project.script("3_latin.sql", b"-- \xe9t\xe9\nSELECT 1;\n");
    project.script("4_d.sql", "DROP TABLE a;\n");
    for dialect in ["sqlite", "postgresql", "mysql"] {
        let found = judged(&project, dialect);
        for file in ["2_binary.sql", "3_latin.sql"] {
            assert!(found.contains(&format!("greffe/not-text migrations/{file}:1")), "{found:?}");
        }
        assert!(found.iter().any(|finding| finding.contains("drop-table migrations/4_d.sql:1")), "{found:?}");
    }
}

#[test]
fn fifty_megabytes_of_rows_are_judged_in_time() {
    let project = folder(&SOUND);
    let row = "INSERT INTO a (id) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9);\n";
    project.script("2_rows.sql", format!("{}DROP TABLE a;\n", row.repeat(50_000_000 / row.len())));
    let line = 50_000_000 / row.len() + 1;
    for dialect in ["sqlite", "postgresql", "mysql"] {
        let begin = Instant::now();
        let found = judged(&project, dialect);
        let dropped = format!("drop-table migrations/2_rows.sql:{line}");
        assert!(found.iter().any(|finding| finding.contains(&dropped)), "{found:?}");
        assert!(begin.elapsed() < Duration::from_secs(120), "{dialect}: {:?}", begin.elapsed());
    }
    // One statement as large as that.
    project.script("2_rows.sql", format!("CREATE TABLE b ({} c INT);\n", "c INT, ".repeat(7_000_000)));
    let found = judged(&project, "postgresql");
    assert!(found.contains(&"greffe/not-judged migrations/2_rows.sql:1".to_owned()), "{found:?}");
    judged(&project, "mysql");
    fs::File::create(project.path("migrations/3_large.sql")).unwrap().set_len((64 << 20) + 1).unwrap();
    let found = judged(&project, "sqlite");
    assert!(found.contains(&"greffe/unreadable migrations/3_large.sql:1".to_owned()), "{found:?}");
}

#[test]
fn links_out_of_the_folder_are_not_followed() {
    let project = folder(&SOUND);
    project.write("outside.sql", "DROP TABLE a;\n");
    symlink(project.path("outside.sql"), project.path("migrations/2_b.sql")).unwrap();
    symlink("/etc/passwd", project.path("migrations/3_c.sql")).unwrap();
    symlink("/", project.path("migrations/root")).unwrap();
    symlink("nowhere", project.path("migrations/4_d.sql")).unwrap();
    symlink("/dev/zero", project.path("migrations/5_e.sql")).unwrap();
    let run = lint(&project, &["--dialect", "sqlite", "--no-check-down"]);
    let all = found(&run);
    for file in [
        "greffe/link migrations/2_b.sql:1",
        "greffe/link migrations/3_c.sql:1",
        "greffe/unreadable migrations/4_d.sql:1",
    ] {
        assert!(all.contains(&file.to_owned()), "{all:?}");
    }
    assert!(!run.stdout.contains("root:x:"), "{run:#?}");
    run.prints(&["this is not run: it is no file"]);
    // The same among scripts of a tool.
    let project = folder(&[("V1__a.sql", "SELECT 1;\n")]);
    symlink("/etc/passwd", project.path("migrations/V2__b.sql")).unwrap();
    let found = judged(&project, "sqlite");
    assert!(found.contains(&"greffe/link migrations/V2__b.sql:1".to_owned()), "{found:?}");
}

#[test]
fn a_circle_of_ten_thousand_scripts_is_told_in_time() {
    let project = folder(&[]);
    for number in 1..=10_000_u32 {
        let before = if number == 1 { 10_000 } else { number - 1 };
        let text = format!(
            "-- purpose: a\n-- impact: b\n-- rollback: none, because so\n-- depends-on: {before}\nSELECT 1;\n"
        );
        project.script(&format!("{number}_a.sql"), text);
    }
    let begin = Instant::now();
    let run = lint(&project, &["--dialect", "sqlite", "--no-check-down"]);
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    let found = found(&run);
    assert_eq!(found.len(), 2, "{:?}", &found[..found.len().min(9)]);
    assert!(
        found[0].starts_with("greffe/dependency-") && found[1].starts_with("greffe/dependency-"),
        "{found:?}"
    );
    assert!(run.stdout.len() < 10_000);
}

#[test]
fn names_do_not_steer_a_terminal() {
    let project = folder(&SOUND);
    project.script("\u{1b}[31m_b.sql", "DROP TABLE a;\n");
    project.script("2_\u{202e}b.sql", "DROP TABLE \"\u{1b}[31m\";\n");
    let run = project.ends(1, ["lint", "--dialect", "sqlite", "--no-check-down"]);
    assert!(!run.stdout.contains(['\u{1b}', '\u{202e}']), "{run:#?}");
}

/// Servers that build read lines of reports as commands to themselves.
#[test]
fn names_make_no_lines_of_a_report_and_no_longer_ones() {
    let project = folder(&SOUND);
    project.script("2_b.sql", "DROP TABLE \"x\n::error file=a::b\n\";\n");
    project.script("c\n::error::d\n.sql", "SELECT 1;\n");
    project.script("3_e.sql", format!("DROP TABLE \"{}\";\n", "q".repeat(1_000_000)));
    let run = project.ends(1, ["lint", "--dialect", "sqlite", "--no-check-down"]);
    assert!(run.stdout.contains("::error file=a::b") && run.stdout.contains("::error::d"), "{run:#?}");
    assert!(!run.stdout.lines().any(|line| line.starts_with("::") || line.len() > 2000), "{run:#?}");
    let run = project.ends(1, ["lint", "--dialect", "sqlite", "--no-check-down", "--junit"]);
    assert!(!run.stdout.lines().any(|line| line.starts_with("::error::d")), "{run:#?}");
    assert!(run.stdout.len() < 20_000);
}

#[test]
fn a_script_with_findings_in_both_of_its_files_is_one_script() {
    let project = folder(&SOUND);
    project.script("2_b.up.sql", "SELECT 1;\n");
    project.script("2_b.down.sql", "-- nothing\n");
    let run = project.ends(1, ["lint", "--dialect", "sqlite", "--no-check-down", "--junit"]);
    run.prints(&["<testsuite name=\"migrations/1_a.up.sql\" tests=\"1\" failures=\"0\""]);
    let expected = 1 + run.stdout.matches("<failure").count() + run.stdout.matches("<system-out").count();
    assert!(
        run.stdout.contains(&format!("<testsuites name=\"greffe lint\" tests=\"{expected}\"")),
        "{run:#?}"
    );
}

#[test]
fn what_is_neither_file_nor_folder_and_empty_folders_are_told() {
    let project = folder(&[]);
    let run = project.ok(["lint"]);
    run.says(&["there is no script in"]);
    let _socket = std::os::unix::net::UnixListener::bind(project.path("migrations/1_a.sql")).unwrap();
    let run = lint(&project, &[]);
    assert!(run.code <= 1, "{run:#?}");
    project.remove("migrations/1_a.sql");
    fs::remove_dir(project.path("migrations")).unwrap();
    project.ends(2, ["lint"]);
}

#[test]
fn hostile_statements_come_to_an_end() {
    for (name, text) in [
        ("parentheses", format!("SELECT {}1{};", "(".repeat(30_000), ")".repeat(30_000))),
        ("minus", format!("SELECT {}1;", "- ".repeat(30_000))),
        ("case", format!("SELECT {}", "CASE WHEN ".repeat(20_000))),
        ("open", "('\"$$/*[`".repeat(10_000)),
        ("alter", format!("ALTER TABLE a {};", "ADD (".repeat(50_000))),
        ("begin", "BEGIN ".repeat(50_000)),
        ("trigger", format!("CREATE TRIGGER t AFTER INSERT ON a {};", "BEGIN SELECT 1; ".repeat(20_000))),
        ("semicolons", "(;".repeat(200_000)),
    ] {
        let project = folder(&[]);
        project.script("1_a.sql", text);
        for dialect in ["sqlite", "postgresql", "mysql"] {
            let begin = Instant::now();
            judged(&project, dialect);
            assert!(begin.elapsed() < Duration::from_secs(60), "{name} {dialect}: {:?}", begin.elapsed());
        }
    }
}
