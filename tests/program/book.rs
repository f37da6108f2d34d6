//! The book in `docs/`: its guides are followed to the letter, and every command in it is one.

mod commands;
mod links;

use std::fs;
use std::path::{Path, PathBuf};

use crate::pages::{Shell, fenced, writes};
use crate::project::Project;
use crate::serve::Served;
use crate::servers::Postgres;
use crate::shop::programs;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Guides in French, and what each is a translation of.
const TRANSLATED: [(&str, &str); 2] = [("fr/tutoriel.md", "tutorial.md"), ("fr/auditeur.md", "auditor.md")];

fn docs() -> PathBuf {
    Path::new(ROOT).join("docs")
}

fn page(name: &str) -> String {
    fs::read_to_string(docs().join(name)).unwrap_or_else(|error| panic!("docs/{name}: {error}"))
}

/// Every page of the book, by its path below `docs/`, in order.
fn pages() -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["", "fr/"] {
        for entry in fs::read_dir(docs().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                names.push(format!("{folder}{name}"));
            }
        }
    }
    names.sort();
    names
}

/// An empty folder of somebody who has a home and nothing of what other tests have set.
fn newcomer() -> Project {
    let mut project = Project::empty();
    fs::create_dir(project.path("home")).unwrap();
    project.variables = vec![("HOME".to_owned(), project.path("home").display().to_string())];
    project
}

/// Follows a page. Where pages are written anew, what it shows becomes what was printed.
fn follow(name: &str, shell: &Shell<'_>) {
    let anew = shell.follow(name, &page(name));
    if writes() {
        fs::write(docs().join(name), anew).unwrap();
    }
}

fn follow_the_tutorial(name: &str) {
    let database = Postgres::shared().database("rooms");
    let mut project = newcomer();
    project.variables.push(("DATABASE_URL".to_owned(), database.url()));
    project.secrets.push(database.user().password.clone());
    follow(name, &Shell::with(&project, &[programs()]));
}

#[test]
fn the_tutorial_is_followed() {
    follow_the_tutorial("tutorial.md");
}

#[test]
fn the_tutorial_is_followed_in_french() {
    follow_the_tutorial("fr/tutoriel.md");
}

/// The audited party makes a chain, and serves it; the auditor has what the guide's table names.
fn follow_the_auditor(name: &str) {
    let party = newcomer();
    let told = Shell::of(&party).run(include_str!("../book/audited.sh"), 0);
    let served = Served::start(&party, &[]);
    let mut auditor = newcomer();
    for file in ["auditor.key", "grant.age"] {
        fs::rename(party.path(file), auditor.path(file)).unwrap();
    }
    auditor.variables.push(("FROM".to_owned(), served.url()));
    for variable in ["CHAIN", "HEAD", "OLDER"] {
        let line = told.lines().find_map(|line| line.strip_prefix(&format!("{variable}=")));
        auditor.variables.push((variable.to_owned(), line.unwrap().to_owned()));
    }
    follow(name, &Shell::of(&auditor));
}

#[test]
fn the_auditors_guide_is_followed() {
    follow_the_auditor("auditor.md");
}

#[test]
fn the_auditors_guide_is_followed_in_french() {
    follow_the_auditor("fr/auditeur.md");
}

#[test]
fn the_operators_guide_is_followed() {
    let project = newcomer();
    follow("operator.md", &Shell::of(&project));
}

#[test]
fn the_data_protection_officers_guide_is_followed() {
    let project = newcomer();
    follow("dpo.md", &Shell::of(&project));
}

/// What a page has its reader type: commands without remarks, and marks of what they end with.
fn typed(page: &str) -> Vec<String> {
    let is_remark =
        |line: &str| line.starts_with('#') || line.starts_with("-- ") || line.starts_with("\"\"\"");
    let mut typed = Vec::new();
    for (above, language, text) in fenced(page) {
        typed.push(format!("{} {language}", above.trim_end().lines().last().unwrap_or_default()));
        if language == "sh" {
            typed.extend(text.lines().filter(|line| !is_remark(line)).map(str::to_owned));
        }
    }
    typed
}

#[test]
fn guides_in_french_have_the_same_commands() {
    for (french, english) in TRANSLATED {
        let (found, expected) = (typed(&page(french)), typed(&page(english)));
        let differs = found.iter().zip(&expected).position(|(one, other)| one != other);
        assert_eq!(differs.map(|place| (&found[place], &expected[place])), None, "{french}");
        assert_eq!(found.len(), expected.len(), "{french}");
    }
}

/// What the threat model names as a test is one.
#[test]
fn tests_that_the_threat_model_names_exist() {
    let page = page("threat-model.md");
    let mut named = 0;
    for span in page.split('`').skip(1).step_by(2) {
        let Some((file, test)) = span.split_once("::") else { continue };
        let text = fs::read_to_string(Path::new(ROOT).join("tests").join(format!("{file}.rs")))
            .unwrap_or_else(|error| panic!("{span}: {error}"));
        let before = text.split_once(&format!("fn {test}(")).map(|(before, _)| before.trim_end());
        assert!(before.is_some_and(|before| before.ends_with("#[test]")), "{span} is no test");
        named += 1;
    }
    assert!(named > 30, "{named}");
}

/// The codes of all findings, as programs read them.
fn codes() -> Vec<String> {
    let source = fs::read_to_string(Path::new(ROOT).join("src/chain/finding.rs")).unwrap();
    let faults = source.split("pub enum Fault {\n").nth(1).unwrap().split("\n}\n").next().unwrap();
    let variants = faults.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?.split([' ', ',']).next()?;
        name.starts_with(|first: char| first.is_ascii_uppercase()).then_some(name)
    });
    let kebab = |name: &str| {
        name.chars().fold(String::new(), |code, c| match c.is_ascii_uppercase() {
            true if code.is_empty() => c.to_lowercase().to_string(),
            true => format!("{code}-{}", c.to_ascii_lowercase()),
            false => format!("{code}{c}"),
        })
    };
    variants.map(kebab).collect()
}

#[test]
fn every_finding_is_explained() {
    let codes = codes();
    assert!(codes.len() > 50 && codes.contains(&"block-corrupt".to_owned()), "{codes:?}");
    for name in ["json.md", "auditor.md", "fr/auditeur.md"] {
        let page = page(name);
        let missing: Vec<&String> =
            codes.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
        assert!(missing.is_empty(), "docs/{name} says nothing of {missing:?}");
    }
}
