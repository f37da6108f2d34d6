//! Command lines of the documentation, and the reference of all commands.

use std::fs;

use clap::Parser as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use greffe::cli::Arguments;

use super::{ROOT, docs, page, pages};
use crate::pages::{fenced, writes};
use crate::project::Project;

/// What may stand for `$HEAD`, `SEQ` or `…`, tried one after the other.
const STAND_INS: [&str; 7] = [
    "7",
    "bafyreidmtqukh35kw4okadcqi6r633d2lybai2f5wtxjeaior4rrapnbha",
    "00000000000000000000000000000000",
    "2027-01-31",
    "10m",
    "127.0.0.1:8090",
    "00000000=signer",
];

/// Code in a text that begins like a command and is none.
const NO_COMMANDS: [&str; 2] = ["greffe NAME", "greffe COMMAND --help"];

/// The words of the command lines of greffe in a page: of its blocks for shells and terminals, and of code in its text.
fn command_lines(page: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut text = String::new();
    for (above, language, block) in fenced(page) {
        text.push_str(above);
        if ["sh", "console", "text", ""].contains(&language) {
            let typed = block.replace("\\\n", " ");
            lines.extend(typed.lines().flat_map(commands_of_line));
        }
    }
    text.push_str(page.rsplit("```").next().unwrap_or_default());
    let whole = |span: &str| span.split_whitespace().collect::<Vec<_>>().join(" ");
    let code = text.split('`').skip(1).step_by(2).map(whole);
    lines.extend(code.filter(|span| span.starts_with("greffe ")).flat_map(|span| commands_of_line(&span)));
    lines.retain(|line| !NO_COMMANDS.contains(&line.as_str()));
    lines
}

/// The commands of greffe in a line of a shell, those within `$(…)` first.
fn commands_of_line(line: &str) -> Vec<String> {
    let mut line = line.split(" # ").next().unwrap_or_default().trim().trim_start_matches("$ ").to_owned();
    let mut found = Vec::new();
    while let Some((before, rest)) = line.rsplit_once("$(") {
        let Some((inner, after)) = rest.split_once(')') else { break };
        found.extend(commands_of_line(inner));
        line = format!("{before}$X{after}");
    }
    let parts = [" || ", " && ", " | ", "; "].iter().fold(vec![line], |parts, between| {
        parts.iter().flat_map(|part| part.split(between)).map(str::to_owned).collect()
    });
    for part in parts {
        let words = part.split(" > ").next().unwrap_or_default().split(" 2>").next().unwrap_or_default();
        let is_setting = |word: &str| word.split_once('=').is_some_and(|(name, _)| !name.starts_with('-'));
        let words = words.trim().trim_start_matches("! ");
        let start = words.split(' ').take_while(|word| is_setting(word)).map(|word| word.len() + 1).sum();
        let command = words.get(start..).unwrap_or_default();
        if command.starts_with("greffe ") {
            found.push(command.trim_end_matches(';').to_owned());
        }
    }
    found
}

/// The words of a command, as a shell parts them; what stands for others is `None`.
fn words(command: &str) -> Vec<Option<String>> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (String::new(), None);
    for sign in command.replace(['[', ']'], "").chars().chain([' ']) {
        match (quote, sign) {
            (None, '"' | '\'') => quote = Some(sign),
            (Some(open), _) if open == sign => quote = None,
            (None, ' ') if word.is_empty() => {}
            (None, ' ') => words.push(std::mem::take(&mut word)),
            _ => word.push(sign),
        }
    }
    // And so on.
    if words.last().is_some_and(|word| word == "…") {
        words.pop();
    }
    let is_stand_in = |word: &str| {
        let is_name =
            |part: &str| part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase() || "_-".contains(c));
        word.contains(['$', '…']) || word.split(['|', ',']).any(is_name) || word == "N"
    };
    words.into_iter().map(|word| (!is_stand_in(&word) || word.starts_with('-')).then_some(word)).collect()
}

/// Why the command line does not take these words; what misses does not count.
fn refused(words: &[Option<String>]) -> Result<(), String> {
    let mut chosen: Vec<usize> = words.iter().map(|_| 0).collect();
    loop {
        let mut arguments: Vec<String> = Vec::new();
        for (word, &choice) in words.iter().zip(&chosen) {
            arguments.push(word.clone().unwrap_or_else(|| STAND_INS[choice].to_owned()));
        }
        let place = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
        let mut asked = arguments.clone();
        asked.insert(place, "--help".to_owned());
        let Err(error) = Arguments::try_parse_from(&asked) else { return Ok(()) };
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            return Ok(());
        }
        let value = match error.get(ContextKind::InvalidValue) {
            // An option that a sentence names without its value.
            Some(ContextValue::String(value)) if value.is_empty() => return Ok(()),
            Some(ContextValue::String(value)) => value.clone(),
            _ => return Err(error.to_string()),
        };
        let is_it = |place: &usize| words[*place].is_none() && arguments[*place] == value;
        let Some(place) = (0..words.len()).find(is_it) else { return Err(error.to_string()) };
        chosen[place] += 1;
        if chosen[place] == STAND_INS.len() {
            return Err(error.to_string());
        }
    }
}

#[test]
fn every_command_of_the_documentation_is_taken() {
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let texts = pages().into_iter().map(|name| (name.clone(), page(&name)));
    let (mut found, mut wrong) = (0, Vec::new());
    for (name, text) in texts.chain([("README.md".to_owned(), readme)]) {
        for line in command_lines(&text) {
            // What features bring is there with these features alone.
            let left_out = cfg!(not(feature = "bitswap")) && line.starts_with("greffe node")
                || cfg!(not(feature = "post-quantum")) && line.contains("--ml-dsa-seed");
            if left_out {
                continue;
            }
            found += 1;
            if let Err(reason) = refused(&words(&line)) {
                wrong.push(format!("{name}: {line}\n{reason}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {found}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(found > 300, "{found}");
}

#[test]
fn command_lines_are_found_in_blocks_and_text() {
    let page = "Run `greffe head`, not `head`.\n\n```sh\nKEY=x greffe verify \"$(greffe head)\" --json > out # why\n\
                greffe a | grep b && greffe c; true\n```\n";
    let found = command_lines(page);
    assert_eq!(found, ["greffe head", "greffe verify \"$X\" --json", "greffe a", "greffe c", "greffe head"]);
    assert_eq!(
        words("greffe a 'b c' \"$X\" --d SEQ"),
        [Some("greffe"), Some("a"), Some("b c"), None, Some("--d"), None].map(|word| word.map(str::to_owned))
    );
    assert!(refused(&words("greffe verify --bogus")).is_err());
    assert!(refused(&words("greffe verfy")).is_err());
    assert_eq!(refused(&words("greffe erase --event SEQ --basis art17.1.a")), Ok(()));
}

/// The help of a command, without the options that all commands have.
fn help(project: &Project, command: &[String]) -> (String, String) {
    let text = project.ok(command.iter().map(String::as_str).chain(["--help"])).stdout;
    let (own, shared) = text.split_once("\nGlobal options:\n").expect("every command has them");
    (own.trim_end().to_owned(), format!("Global options:\n{}", shared.trim_end()))
}

/// The reference: the help of every command.
fn reference(project: &Project) -> String {
    let head = "# The command line\n\nWhat `greffe COMMAND --help` prints, of every command. Options that all of them have stand \
                at the end, once.\n\nMade by `GREFFE_TEST_WRITE=1 cargo test --features bitswap --test program the_reference`; do \
                not edit it.\n";
    let mut reference = head.to_owned();
    let mut waiting = vec![Vec::new()];
    while let Some(command) = waiting.pop() {
        let (own, _) = help(project, &command);
        let commands = own.split("\nCommands:\n").nth(1).unwrap_or_default();
        let names = commands.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
            let name = line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split(' ').next()?;
            (name != "help").then(|| [&command[..], &[name.to_owned()]].concat())
        });
        let mut names: Vec<Vec<String>> = names.collect();
        names.reverse();
        waiting.extend(names);
        let words = [&["greffe".to_owned()], &command[..]].concat().join(" ");
        let level = "#".repeat(command.len().max(1) + 1);
        reference.push_str(&format!("\n{level} {words}\n\n```text\n{own}\n```\n"));
    }
    let (_, shared) = help(project, &[]);
    reference.push_str(&format!("\n## Options of every command\n\n```text\n{shared}\n```\n"));
    reference
}

/// The reference without what the feature `bitswap` brings: a section, and an entry in the list of commands.
fn without_node(page: &str) -> String {
    let mut kept = String::new();
    let (mut in_section, mut in_entry) = (false, false);
    for line in page.lines() {
        if line.starts_with("## ") {
            in_section = line == "## greffe node";
        }
        in_entry = line.starts_with("  node ") || (in_entry && line.starts_with("   "));
        if !in_section && !in_entry {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(not(feature = "post-quantum"))]
#[test]
fn the_reference_of_the_command_line_is_what_help_says() {
    let made = reference(&Project::empty());
    if writes() {
        if !cfg!(feature = "bitswap") {
            panic!("write it with `--features bitswap`, so that it has every command");
        }
        fs::write(docs().join("cli.md"), made).unwrap();
        return;
    }
    let shown = page("cli.md");
    let (shown, made) =
        if cfg!(feature = "bitswap") { (shown, made) } else { (without_node(&shown), without_node(&made)) };
    let differs = shown.lines().zip(made.lines()).find(|(shown, made)| shown != made);
    let how = "run `GREFFE_TEST_WRITE=1 cargo test --features bitswap --test program the_reference`";
    assert_eq!(differs, None, "docs/cli.md is not what `--help` says: {how}");
    assert_eq!(shown.lines().count(), made.lines().count(), "docs/cli.md is not what `--help` says: {how}");
}
