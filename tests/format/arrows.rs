//! Holds the picture of the modules: which may use which, and what each never contains.
//!
//! Reads `src/` as text, without comments, the insides of literals, and what is only compiled for tests.

use std::path::{Path, PathBuf};

/// The modules of the crate, in reading order.
const MODULES: [&str; 18] = [
    "crypto", "model", "codec", "chain", "scripts", "privacy", "database", "store", "policy", "vault",
    "lang", "report", "ops", "server", "witness", "watch", "node", "cli",
];

/// What each module may use beside itself; `None`: everything.
const MAY_USE: [(&str, Option<&[&str]>); 18] = [
    ("crypto", Some(&[])),
    ("model", Some(&["crypto"])),
    ("codec", Some(&["crypto", "model"])),
    ("chain", Some(&["crypto", "model", "codec"])),
    ("scripts", Some(&["crypto", "model"])),
    ("privacy", Some(&["model", "scripts"])),
    ("database", Some(&["crypto", "model"])),
    // A store reads and writes CAR frames, and knows a head when it sees one.
    ("store", Some(&["crypto", "model", "codec"])),
    // Values that scripts hold are found by the scanner.
    ("policy", Some(&["crypto", "model", "scripts", "privacy"])),
    ("vault", Some(&["crypto", "model", "codec"])),
    ("lang", Some(&["model"])),
    // What verification came to is told as it is.
    ("report", Some(&["crypto", "model", "chain", "lang"])),
    (
        "ops",
        Some(&[
            "crypto", "model", "codec", "chain", "scripts", "privacy", "database", "store", "policy",
            "vault", "report",
        ]),
    ),
    ("server", None),
    // It listens as the server does, and knows no archive.
    ("witness", Some(&["crypto", "model", "codec", "chain", "server"])),
    // Its rules read what others verified and compared; it opens no archive and no database.
    (
        "watch",
        Some(&[
            "crypto", "model", "chain", "scripts", "database", "store", "policy", "lang", "ops", "server",
        ]),
    ),
    // The archives that are open, and signals, are those of the server.
    ("node", Some(&["crypto", "model", "store", "server"])),
    ("cli", None),
];

/// Files, network, environment, clock, databases, printing: what the pure core has none of.
const IMPURE: [&str; 14] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::io",
    "std::thread",
    "SystemTime",
    "Instant",
    "async",
    "tokio",
    "sqlx",
    "clap",
    "indicatif",
    "env!",
];
/// The same for what reads bytes that it is given, and may know what an address on the net is.
const PURE: [&str; 12] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::io",
    "std::thread",
    "SystemTime",
    "Instant",
    "async",
    "tokio",
    "sqlx",
    "clap",
    "indicatif",
];
const PRINTING: [&str; 7] = ["println!", "eprintln!", "print!", "eprint!", "dbg!", "stdout", "stderr"];

/// What is served is read: no word that makes, changes or removes a file.
const SERVED: [&str; 8] =
    ["clap", "indicatif", "std::env", "sqlx", "File", "open_write", "create_dir", "remove_file"];

/// What each module never contains.
const NEVER: [(&str, &[&[&str]]); 18] = [
    ("crypto", &[&IMPURE, &PRINTING]),
    ("model", &[&IMPURE, &PRINTING]),
    ("codec", &[&IMPURE, &PRINTING]),
    ("chain", &[&IMPURE, &PRINTING]),
    ("scripts", &[&["tokio", "use sqlx", "std::net", "std::env", "SystemTime", "clap"], &PRINTING]),
    ("privacy", &[&PURE, &PRINTING]),
    ("database", &[&["clap", "indicatif", "std::env"], &PRINTING]),
    ("store", &[&["clap", "indicatif", "std::env", "sqlx"], &PRINTING]),
    ("policy", &[&PURE, &PRINTING]),
    ("vault", &[&["clap", "indicatif", "std::env", "SystemTime"], &PRINTING]),
    ("lang", &[&IMPURE, &PRINTING]),
    ("report", &[&IMPURE, &PRINTING]),
    ("ops", &[&["clap", "indicatif", "std::env"], &PRINTING]),
    ("server", &[&SERVED, &PRINTING]),
    ("witness", &[&["clap", "indicatif", "std::env"], &PRINTING]),
    ("watch", &[&["clap", "indicatif", "std::env", "sqlx"], &PRINTING]),
    ("node", &[&SERVED, &PRINTING]),
    ("cli", &[]),
];

/// What no file contains, tests aside.
const NOWHERE: [&str; 8] = [
    "unsafe",
    ".unwrap()",
    ".unwrap_err()",
    ".expect_err(",
    "panic!",
    "todo!",
    "unimplemented!",
    "unreachable!",
];

struct Source {
    /// From `src` on.
    path: PathBuf,
    module: String,
    text: String,
    /// As long as `text`, with what does not count as spaces.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = vec![root.clone()];
    let (mut sources, mut only_for_tests) = (Vec::new(), Vec::new());
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(&root).unwrap().to_owned();
        let first = path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let code = without_literals(&text);
        only_for_tests.extend(test_files(&root.join(&path), &code));
        let code = without_tests(code);
        sources.push(Source { module: first.trim_end_matches(".rs").to_owned(), path, text, code });
    }
    // Files below such a module are its own.
    let is_below = |path: &Path, file: &PathBuf| path == file || path.starts_with(file.with_extension(""));
    sources.retain(|source: &Source| {
        !only_for_tests.iter().any(|file| is_below(&root.join(&source.path), file))
    });
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 60, "only {} files were found", sources.len());
    sources
}

/// The files of modules that are only compiled for tests.
fn test_files(path: &Path, code: &str) -> Vec<PathBuf> {
    let stem = path.file_stem().unwrap();
    let folder = if stem == "mod" { path.parent().unwrap().to_owned() } else { path.with_extension("") };
    code.match_indices("#[cfg(test)]")
        .filter_map(|(at, marker)| {
            code[at + marker.len()..].trim_start().strip_prefix("mod ")?.split_once(';')
        })
        .map(|(name, _)| folder.join(format!("{name}.rs")))
        .collect()
}

/// The text with comments and the insides of literals as spaces, byte for byte as long.
fn without_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = at
            + match rest {
                [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
                [b'/', b'*', ..] => text[at..].find("*/").map_or(rest.len(), |end| end + 2),
                [b'r', b'"' | b'#', ..] if !ends_word(&bytes[..at]) => raw_string(&text[at..]).unwrap_or(1),
                [b'"', ..] => string(rest),
                [b'\'', b'\\', ..] => 2 + rest[3..].iter().position(|byte| *byte == b'\'').unwrap_or(0) + 2,
                // A character, not a lifetime.
                [b'\'', ..] => match text[at + 1..].chars().next() {
                    Some(c) if text[at + 1 + c.len_utf8()..].starts_with('\'') => 2 + c.len_utf8(),
                    _ => 1,
                },
                _ => 1,
            };
        if end > at + 1 {
            code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at = end;
    }
    String::from_utf8(code).unwrap()
}

fn ends_word(before: &[u8]) -> bool {
    before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The length of the raw string that begins here.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text[1..].bytes().take_while(|byte| *byte == b'#').count();
    if text.as_bytes().get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = 2 + hashes;
    Some(inside + text[inside..].find(&end)? + end.len())
}

/// The length of the string that begins here.
fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// The code with what follows each `#[cfg(test)]`, up to the end of its block or statement, as spaces.
fn without_tests(code: String) -> String {
    let mut bytes = code.into_bytes();
    let marker = b"#[cfg(test)]";
    while let Some(start) = bytes.windows(marker.len()).position(|window| window == marker) {
        let mut depth = 0;
        let mut end = start + marker.len();
        while end < bytes.len() {
            let byte = bytes[end];
            end += 1;
            depth += i32::from(byte == b'{') - i32::from(byte == b'}');
            if depth == 0 && matches!(byte, b'}' | b';') {
                break;
            }
        }
        bytes[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
    String::from_utf8(bytes).unwrap()
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].bytes().filter(|byte| *byte == b'\n').count() + 1
}

/// The top-level modules that a file uses, each with the place: through `crate::…`, `crate::{…}`, and as many
/// `super::` as lead to the root.
fn used(source: &Source) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    for (at, _) in source.code.match_indices("crate::") {
        let after = &source.code[at + "crate::".len()..];
        used.extend(first_names(after).into_iter().map(|name| (at, name)));
    }
    let stem = source.path.file_stem().unwrap().to_string_lossy();
    let parts = source.path.components().count();
    let depth = parts - usize::from(stem == "mod");
    let climb = "super::".repeat(depth);
    for (at, _) in source.code.match_indices(&climb) {
        let after = source.code[at..].trim_start_matches("super::");
        used.extend(first_names(after).into_iter().map(|name| (at, name)));
    }
    used.retain(|(_, name)| MODULES.contains(&name.as_str()));
    used
}

/// The first name of each path of a use tree.
fn first_names(tree: &str) -> Vec<String> {
    let name = |text: &str| {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
    };
    let Some(list) = tree.trim_start().strip_prefix('{') else { return vec![name(tree)] };
    let mut names = vec![name(list)];
    let mut depth = 1;
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&list[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// Every place of `word` that is a word of its own.
fn places(code: &str, word: &str) -> Vec<usize> {
    let part = |character: Option<char>| character.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let (first, last) = (word.chars().next(), word.chars().next_back());
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| {
            let joined_before = part(first) && part(code[..*at].chars().next_back());
            let joined_after = part(last) && part(code[at + word.len()..].chars().next());
            !joined_before && !joined_after
        })
        .collect()
}

#[test]
fn modules_use_only_what_they_may() {
    let mut wrong = Vec::new();
    for source in sources() {
        if matches!(source.module.as_str(), "lib" | "main") {
            continue;
        }
        let allowed = MAY_USE.iter().find(|(module, _)| *module == source.module);
        let Some((_, allowed)) = allowed else {
            wrong.push(format!("{}: `{}` is not in the picture", source.path.display(), source.module));
            continue;
        };
        let Some(allowed) = allowed else { continue };
        for (at, name) in used(&source) {
            if name != source.module && !allowed.contains(&name.as_str()) {
                let line = line_of(&source.text, at);
                wrong.push(format!(
                    "{}:{line}: `{}` may not use `{name}`",
                    source.path.display(),
                    source.module
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn modules_never_contain_what_is_not_theirs() {
    let mut wrong = Vec::new();
    for source in sources() {
        let own = NEVER.iter().find(|(module, _)| *module == source.module);
        let words = own.into_iter().flat_map(|(_, lists)| lists.iter().copied().flatten());
        for word in words.chain(&NOWHERE) {
            for at in places(&source.code, word) {
                let line = line_of(&source.text, at);
                wrong.push(format!("{}:{line}: `{word}` has no place here", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_expectation_says_why_it_holds() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (at, found) in source.code.match_indices(".expect(") {
            let argument = source.text[at + found.len()..].trim_start();
            let reason =
                argument.strip_prefix('"').and_then(|text| text.split('"').next()).unwrap_or_default();
            if reason.split_whitespace().count() < 3 {
                let line = line_of(&source.text, at);
                wrong.push(format!("{}:{line}: expect({reason:?}) is no reason", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    // What a command's file says at its top is its help, which stands on the type that clap reads.
    let command = |source: &Source| source.path.starts_with("cli/commands") && source.text.contains("\n/// ");
    let silent = |source: &Source| !source.text.starts_with("//! ") && !command(source);
    let wrong: Vec<_> = sources().into_iter().filter(silent).map(|source| source.path).collect();
    assert!(wrong.is_empty(), "without a sentence at the top: {wrong:?}");
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (mut inside, mut before) = (false, "");
    let mut wrong = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies]");
        } else if inside && line.contains('=') && !before.starts_with('#') {
            wrong.push(line);
        }
        before = line;
    }
    assert!(wrong.is_empty(), "no reason above: {wrong:#?}");
}

/// The reading of source is itself tested.
#[test]
fn comments_literals_and_tests_do_not_count() {
    let text = "a // crate::x\nb \"crate::y\\\"\" 'c' '\\'' r#\"crate::z\"# /* crate::v */ fn f<'a>() {} crate::w\n#[cfg(test)]\nmod tests { crate::u { } }\nuse crate::t;";
    let code = without_tests(without_literals(text));
    assert_eq!(code.len(), text.len());
    let found: Vec<&str> = code.match_indices("crate::").map(|(at, _)| &code[at + 7..at + 8]).collect();
    assert_eq!(found, ["w", "t"]);
    assert_eq!(
        first_names("{codec::{a, b}, model, store::{c::{d, e}, f}}; x, y"),
        ["codec", "model", "store"]
    );
    assert_eq!(places("tokio, tokio_x, my_tokio, tokio::y", "tokio"), [0, 26]);
}
