//! The first thing that a newcomer runs, as README.md shows it.

use crate::project::{Project, Run};

/// What differs from run to run, replaced by its name.
fn masked(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    let mut masked = String::new();
    let mut rest = text;
    let mut after_byte = false;
    while let Some(first) = rest.chars().next() {
        let length =
            if is_word(first) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (word, after) = rest.split_at(length);
        let digits = word.trim_end_matches([':', '.']);
        let number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
        let next = after.trim_start();
        let time = word.len() == 27 && word.ends_with('Z') && word.contains('T') && word.starts_with("20");
        masked.push_str(match word {
            _ if word.starts_with("bafy") || word.starts_with("bafk") => "CID",
            _ if word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit()) => "KEYID",
            _ if time => "TIME",
            _ if word.starts_with("age1") => "RECIPIENT",
            _ if word.starts_with('/') => "PATH",
            _ if number && (after_byte || next.starts_with("bytes")) => "COUNT",
            _ => word,
        });
        if !word.trim().is_empty() {
            after_byte = word == "byte";
        }
        rest = after;
    }
    masked
}

fn quickstart(project: &Project) -> Run {
    project.ok(["quickstart", &project.path("quick").display().to_string()])
}

#[test]
fn the_readme_shows_what_quickstart_prints() {
    let readme = include_str!("../../README.md");
    let shown = readme.split_once("<!-- quickstart -->").map(|(_, after)| after);
    let shown = shown.expect("README.md has no line `<!-- quickstart -->` before the output of quickstart");
    let block = shown.split_once("```").and_then(|(_, after)| after.split_once('\n')).map(|(_, after)| after);
    let block = block.and_then(|block| block.split_once("```")).map(|(block, _)| block);
    let block = block.expect("after `<!-- quickstart -->` README.md has no fenced block");
    let mut project = Project::empty();
    project.variables.clear();
    assert_eq!(masked(&quickstart(&project).stdout), masked(block));
}

#[test]
fn quickstart_leaves_a_project_that_can_be_looked_at() {
    let mut project = Project::empty();
    project.variables.clear();
    let run = quickstart(&project);
    assert_eq!(run.stderr, "");
    for name in ["quick/app.db", "quick/archive/quickstart.car", "quick/quickstart.car", "quick/tampered.car"]
    {
        assert!(project.path(name).exists(), "{name}");
    }
    let (sound, tampered) = (project.read("quick/quickstart.car"), project.read("quick/tampered.car"));
    let bits: u32 = sound.iter().zip(&tampered).map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!((bits, sound.len()), (1, tampered.len()));
    let mut status = project.command(["status"]);
    status.current_dir(project.path("quick"));
    assert_eq!(project.judge(status.output().unwrap()).code, 0);
    project.unchanged(|| project.ends(3, ["quickstart", "quick"])).says(&["quick", "hint:"]);
    let object = project.json(&["quickstart", "other"]);
    assert_eq!(object["command"], "quickstart");
}

#[test]
fn only_what_differs_from_run_to_run_is_masked() {
    let keyid = "07".repeat(32);
    for (line, expected) in [
        (format!("key      a.pem, keyid {keyid}"), "key      a.pem, keyid KEYID"),
        ("In /tmp/x, with 2 and byte 16757, at".to_owned(), "In PATH with 2 and byte COUNT at"),
        (
            "a.car: 26 blocks, 16940 bytes, head bafyreib".to_owned(),
            "a.car: 26 blocks, COUNT bytes, head CID",
        ),
        ("newest 2026-11-22T09:33:00.524978Z".to_owned(), "newest TIME"),
        ("applied 20260105090000 as entry 1".to_owned(), "applied 20260105090000 as entry 1"),
    ] {
        assert_eq!(masked(&line).replace(',', ""), expected.replace(',', ""));
    }
}
