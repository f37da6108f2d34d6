//! What gives a key of sealed content is called where it is known who records that, and nowhere else.

use std::path::{Path, PathBuf};

/// Calls that give keys, or tell who somebody is.
const GIVERS: [&str; 6] =
    [".keyring(", "keyring_at_hand(", "open_keyring(", "open_grant(", "vault.person(", "use_keys("];

/// Files that call them, and the file that records what was opened.
const OPENERS: [(&str, &str); 14] = [
    ("cli/opening.rs", "cli/opening.rs"),
    ("cli/commands/open.rs", "cli/commands/open.rs"),
    ("cli/commands/replay.rs", "cli/commands/replay.rs"),
    ("cli/commands/vault.rs", "cli/commands/vault.rs"),
    ("cli/commands/verify.rs", "cli/commands/verify.rs"),
    ("ops/audit.rs", "cli/commands/audit.rs"),
    ("ops/grant.rs", "ops/grant.rs"),
    ("ops/planning.rs", "ops/planning.rs"),
    ("ops/promotion.rs", "ops/promotion.rs"),
    ("ops/record/audit.rs", "cli/commands/audit/recorded.rs"),
    ("ops/restored.rs", "ops/restored.rs"),
    ("ops/rollback.rs", "ops/rollback.rs"),
    // They define them.
    ("ops/sealed.rs", "ops/access.rs"),
    ("ops/source.rs", "ops/access.rs"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn whoever_gets_a_key_records_what_is_opened() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let text = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned()
    };
    for path in paths.iter().filter(|path| !path.ends_with("tests.rs")) {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let calls = GIVERS.iter().any(|giver| text(path).contains(giver));
        let known = OPENERS.iter().find(|(file, _)| *file == name);
        assert!(!calls || known.is_some(), "{name} opens sealed content: who records it?");
        if let Some((_, recorder)) = known {
            let recorder = text(&root.join(recorder));
            let records = ["record_opening", "record_access", "record_opened", "record("];
            assert!(records.iter().any(|call| recorder.contains(call)), "{name}: nothing records");
        }
    }
}
