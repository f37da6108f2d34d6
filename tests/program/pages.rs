//! Pages of the documentation, followed to the letter: the commands of their marked blocks are run, and what they
//! print is what the page shows.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::project::Project;

/// What runs before each block: variables and the folder are those that the block before left, and all that is
/// printed comes in the order in which a terminal shows it.
const BEFORE: &str = r#"set -ae
if [ -e "$PAGE_STATE/variables" ]; then . "$PAGE_STATE/variables"; cd "$(cat "$PAGE_STATE/folder")"; fi
trap 'export -p >"$PAGE_STATE/variables"; pwd >"$PAGE_STATE/folder"' EXIT
exec 2>&1
"#;

/// Whether pages are written anew instead of compared.
pub fn writes() -> bool {
    std::env::var_os("GREFFE_TEST_WRITE").is_some_and(|value| value == "1")
}

/// What a fenced block of a page is, by the mark above it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mark {
    /// `run`, `refused`, `ends with N`: commands, of which the last one ends with this code, and all before with 0.
    Ends(i32),
    /// `told`: lines of which each is a part of what the block before printed.
    Told,
    /// `printed`: what the block before printed, whole.
    Printed,
}

impl Mark {
    /// The mark in the last line above a block.
    fn above(text: &str) -> Option<Self> {
        let line = text.trim_end().lines().last()?;
        let word = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
        match word {
            "run" => Some(Self::Ends(0)),
            "refused" => Some(Self::Ends(1)),
            "told" => Some(Self::Told),
            "printed" => Some(Self::Printed),
            _ => word.strip_prefix("ends with ")?.parse().ok().map(Self::Ends),
        }
    }
}

/// The fenced blocks of a page: what stands above each, its language, its text.
pub fn fenced(page: &str) -> Vec<(&str, &str, &str)> {
    let mut parts = page.split("```");
    let mut blocks = Vec::new();
    while let (Some(above), Some(block)) = (parts.next(), parts.next()) {
        let (language, text) = block.split_once('\n').expect("a fence is a line");
        blocks.push((above, language, text));
    }
    blocks
}

/// The block below a mark of its own, such as `<!-- drill: lost -->`.
pub fn block_below<'a>(page: &'a str, mark: &str) -> &'a str {
    let is_below = |above: &str| above.trim_end().ends_with(&format!("<!-- {mark} -->"));
    let block = fenced(page).into_iter().find(|(above, ..)| is_below(above));
    block.unwrap_or_else(|| panic!("no block below {mark:?}")).2
}

/// A reader at a shell, in a project's folder, who has greffe.
pub struct Shell<'a> {
    project: &'a Project,
    path: String,
    state: TempDir,
}

impl<'a> Shell<'a> {
    pub fn of(project: &'a Project) -> Self {
        Self::with(project, &[])
    }

    /// The same with the programs of further folders.
    pub fn with(project: &'a Project, programs: &[PathBuf]) -> Self {
        let greffe = Path::new(env!("CARGO_BIN_EXE_greffe")).parent().unwrap();
        let folders = std::iter::once(greffe).chain(programs.iter().map(PathBuf::as_path));
        let path: String = folders.map(|folder| format!("{}:", folder.display())).collect();
        let state = tempfile::Builder::new().prefix("greffe-page-").tempdir().unwrap();
        Self { project, path: path + "/usr/bin:/bin", state }
    }

    /// What commands print that end with `code`.
    pub fn run(&self, commands: &str, code: i32) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{BEFORE}{commands}")]);
        self.project.prepare(&mut shell);
        shell.env("PATH", &self.path).env("PAGE_STATE", self.state.path());
        let run = self.project.judge(shell.output().unwrap());
        assert_eq!(run.code, code, "{commands}{run:#?}");
        run.stdout
    }

    /// Does what a page says, and fails where it prints something else than the page shows. Gives the page with what
    /// was printed this time.
    pub fn follow(&self, name: &str, page: &str) -> String {
        let mut printed = String::new();
        let mut anew = String::new();
        for (above, language, text) in fenced(page) {
            let mark = Mark::above(above);
            let shown = match mark {
                Some(Mark::Ends(code)) => {
                    printed = self.run(text, code);
                    text
                }
                Some(Mark::Told) => {
                    let missing = text.lines().find(|line| !printed.contains(line));
                    assert_eq!(missing, None, "{name}: not in {printed}");
                    text
                }
                Some(Mark::Printed) => {
                    assert!(writes() || masked(text) == masked(&printed), "{name}: {text}is now\n{printed}");
                    &printed
                }
                None => {
                    assert!(!["sh", "text"].contains(&language), "{name}: a block has no mark: {text}");
                    text
                }
            };
            anew.push_str(&format!("{above}```{language}\n{shown}```"));
        }
        anew + page.rsplit("```").next().unwrap()
    }
}

/// What differs from run to run, replaced by its name.
pub fn masked(text: &str) -> String {
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
        let counted = after_byte || after.trim_start().starts_with("bytes");
        masked.push_str(name_of(word).unwrap_or(if number && counted { "COUNT" } else { word }));
        if !word.trim().is_empty() {
            after_byte = word == "byte";
        }
        rest = after;
    }
    masked
}

/// What a word that differs from run to run is.
fn name_of(word: &str) -> Option<&'static str> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_day = |text: &str| text.len() == 10 && text.starts_with("20") && text.matches('-').count() == 2;
    match word {
        _ if word.starts_with("bafy") || word.starts_with("bafk") => Some("CID"),
        _ if word.len() == 64 && is_hex(word) => Some("KEYID"),
        _ if word.len() == 32 && is_hex(word) => Some("PSEUDONYM"),
        _ if word.split_once("sha256:").is_some_and(|(_, hex)| hex.len() == 64 && is_hex(hex)) => {
            Some("DIGEST")
        }
        _ if word.len() == 27 && word.ends_with('Z') && word.contains('T') && word.starts_with("20") => {
            Some("TIME")
        }
        _ if is_day(word) => Some("DAY"),
        _ if word.starts_with("age1") => Some("RECIPIENT"),
        _ if word.starts_with("http://127.0.0.1:") => Some("ADDRESS"),
        _ if word.starts_with('/') => Some("PATH"),
        _ => None,
    }
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
        (format!("archived: sha256:{keyid}"), "archived: DIGEST"),
        (format!("until 2026-11-22 by {}", &keyid[..32]), "until DAY by PSEUDONYM"),
        ("applied 20260105090000 as entry 1".to_owned(), "applied 20260105090000 as entry 1"),
    ] {
        assert_eq!(masked(&line).replace(',', ""), expected.replace(',', ""));
    }
}
