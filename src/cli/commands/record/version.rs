//! Which version of a tool ran: as it printed itself, as its package says, or as its program answers. What is not known
//! for sure is not told.

use std::env;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::cli::wrapped;
use crate::privacy::publish::found_in;
use crate::scripts::tools::{Distribution, Tool};

/// How long a program may take to say its version.
const ANSWER: Duration = Duration::from_secs(5);
/// Longer texts are no versions.
const LONGEST: usize = 64;
/// A larger `package.json` is none: 1 MiB.
const PACKAGE_LIMIT: u64 = 1 << 20;
/// What Python says of a package where it runs, without what lies in the folder that it was started in.
const PYTHON: &str =
    "import sys; del sys.path[0]; from importlib.metadata import version; print(version(sys.argv[1]))";
/// Programs that run those of a project's own packages.
const RUNNERS: [&str; 6] = ["bunx", "npm", "npx", "pnpm", "pnpx", "yarn"];

/// The version of the tool that `command` ran, which `printed` so much.
pub fn of(tool: &dyn Tool, command: &[String], printed: &str, secrets: &[String]) -> Option<String> {
    let told = tool.printed_version(printed).map(str::to_owned);
    let found = told.or_else(|| match Distribution::of(tool.name()) {
        Distribution::Python { package, programs } => of_python(command, package, programs, secrets),
        Distribution::Node { package, programs } => of_node(command, package, programs),
        Distribution::Program(name) => {
            let program = command.first().filter(|program| called(program) == name)?;
            answer(&[program, "--version"], secrets)
        }
        Distribution::Untold => None,
    });
    version_in(&found?).map(str::to_owned)
}

/// The first word that is a version, without a `v` before it.
fn version_in(text: &str) -> Option<&str> {
    let is_version = |word: &&str| {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_');
        word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.') && word.chars().all(sound)
    };
    let words = text.split([' ', ',', '\n', '\r', '\t']);
    let found = words.map(|word| word.strip_prefix('v').unwrap_or(word)).find(is_version)?;
    // It is published as it is.
    Some(found).filter(|found| found.len() <= LONGEST && found_in(found).is_none())
}

fn answer(command: &[&str], secrets: &[String]) -> Option<String> {
    let words: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    String::from_utf8(wrapped::answer(&words, ANSWER, secrets)?).ok()
}

/// The last part of a program's path.
fn called(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Where a program is that is started by this name.
fn located(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Asks the interpreter that ran the tool; nothing of the tool is imported.
fn of_python(command: &[String], package: &str, programs: &[&str], secrets: &[String]) -> Option<String> {
    let program = command.first()?;
    let interpreter = match called(program) {
        name if name.starts_with("python") => program.clone(),
        name if programs.contains(&name) => interpreter_of(&located(program)?)?,
        _ => return None,
    };
    answer(&[&interpreter, "-B", "-c", PYTHON, package], secrets)
}

/// The Python that the first line of a script names.
fn interpreter_of(script: &Path) -> Option<String> {
    let mut begin = Vec::new();
    File::open(script).ok()?.take(4096).read_to_end(&mut begin).ok()?;
    let line = begin.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = str::from_utf8(line).ok()?.split_whitespace();
    let first = words.next()?;
    let interpreter = if called(first) == "env" { words.next()? } else { first };
    called(interpreter).starts_with("python").then(|| interpreter.to_owned())
}

/// What the package says in which the program is, or the one that a runner of npm takes from the folder or above it.
fn of_node(command: &[String], package: &str, programs: &[&str]) -> Option<String> {
    let (program, rest) = command.split_first()?;
    let below = |folder: &Path| version_of(&folder.join("node_modules").join(package), package);
    if programs.contains(&called(program)) {
        let path = located(program)?;
        // Not every program of a package is a link into it.
        let beside = path.parent().filter(|parent| parent.ends_with("node_modules/.bin"));
        let beside = beside.and_then(|parent| below(parent.parent()?.parent()?));
        return beside.or_else(|| above(&path, package));
    }
    if called(program) == "node" {
        return above(Path::new(rest.first()?), package);
    }
    let takes_others =
        |word: &String| word.starts_with("-p") || word.starts_with("--package") || word == "dlx";
    if !RUNNERS.contains(&called(program)) || rest.iter().any(takes_others) {
        return None;
    }
    let mut words = rest.iter().filter(|word| !word.starts_with('-') && *word != "exec");
    programs.contains(&words.next()?.as_str()).then_some(())?;
    env::current_dir().ok()?.ancestors().find_map(below)
}

/// What the innermost package says that a file is in, if it is this one.
fn above(file: &Path, package: &str) -> Option<String> {
    let file = fs::canonicalize(file).ok()?;
    let folder = file.ancestors().skip(1).find(|folder| folder.join("package.json").is_file())?;
    version_of(folder, package)
}

fn version_of(folder: &Path, package: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(folder.join("package.json")).ok()?;
    file.take(PACKAGE_LIMIT).read_to_end(&mut bytes).ok()?;
    let read: Value = serde_json::from_slice(&bytes).ok()?;
    let is_it = read.get("name")?.as_str()? == package;
    read.get("version")?.as_str().filter(|_| is_it).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn only_what_looks_like_a_version_is_one() {
        assert_eq!(version_in("goose version: v3.29.0\n"), Some("3.29.0"));
        assert_eq!(version_in("diesel \n Version: 2.3.14\n Supported Backends: sqlite"), Some("2.3.14"));
        for other in ["dev", "", "1", "v", "1.2/../x", &format!("1.{}", "2".repeat(LONGEST))] {
            assert_eq!(version_in(other), None, "{other}");
        }
    }

    #[test]
    fn a_package_tells_of_its_own_programs_alone() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("node_modules/knex");
        fs::create_dir_all(package.join("bin")).unwrap();
        fs::create_dir_all(folder.path().join("node_modules/.bin")).unwrap();
        fs::write(package.join("package.json"), r#"{"name": "knex", "version": "3.3.0"}"#).unwrap();
        fs::write(package.join("bin/cli.js"), "").unwrap();
        let link = folder.path().join("node_modules/.bin/knex");
        std::os::unix::fs::symlink("../knex/bin/cli.js", &link).unwrap();
        let of = |command: &str| of_node(&words(command), "knex", &["knex"]);
        let cli = package.join("bin/cli.js");
        assert_eq!(of(&format!("{} migrate:latest", link.display())).as_deref(), Some("3.3.0"));
        assert_eq!(of(&format!("node {} migrate:latest", cli.display())).as_deref(), Some("3.3.0"));
        assert_eq!(of_node(&words(&link.display().to_string()), "other", &["knex"]), None);
        for other in ["docker run knex", "npx -p knex@1 knex", "npm run migrate", "knex-none"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_script_of_python_names_its_interpreter() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("alembic");
        let named = |text: &str| {
            fs::write(&script, text).unwrap();
            interpreter_of(&script)
        };
        assert_eq!(named("#!/venv/bin/python3\nimport x").as_deref(), Some("/venv/bin/python3"));
        assert_eq!(named("#!/usr/bin/env python\n").as_deref(), Some("python"));
        for other in ["#!/bin/sh\n", "\x7fELF", "#!", ""] {
            assert_eq!(named(other), None, "{other}");
        }
        assert_eq!(
            of_python(&words("docker compose run web flask db upgrade"), "alembic", &["flask"], &[]),
            None
        );
    }
}
