//! The lines that scripts of others rely on, exactly as they were promised.

use std::process::Command;

use serde_json::Value;

use crate::project::{PASSPHRASE, Project, Run, THREE};
use crate::tools::{output_of, tool};

#[test]
fn the_seven_lines_work_from_a_shell_without_a_terminal() {
    let mut project = Project::empty();
    project.variables.clear();
    project.scripts(&THREE);
    let binary = env!("CARGO_BIN_EXE_greffe");
    let script = format!(
        "set -eu\ngreffe() {{ '{binary}' \"$@\"; }}\nexport GREFFE_KEY_PASSPHRASE={PASSPHRASE}\n\
         greffe init --name demo --database sqlite:app.db --migrations ./migrations >init.txt\n\
         greffe apply >apply.txt\n\
         greffe head >head.txt\n\
         greffe export --out demo.car >export.txt\n\
         greffe verify demo.car >verify.txt\n\
         greffe verify \"$(greffe head)\" --json >verify.json\n\
         greffe rollback --steps 1 >rollback.txt\n"
    );
    let mut shell = Command::new("setsid");
    shell.args(["sh", "-c", &script]);
    project.prepare(&mut shell);
    shell.env_remove("GREFFE_KEY_PASSPHRASE");
    let run = project.judge(shell.output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");

    let text = |name: &str| String::from_utf8(project.read(name)).unwrap();
    let head = text("head.txt");
    assert!(head.starts_with("bafyrei") && head.len() == 60 && head.ends_with('\n'), "{head:?}");
    assert_eq!(
        text("apply.txt"),
        format!("applied 1 as entry 1\napplied 2 as entry 2\napplied 3 as entry 3\nhead {head}")
    );
    assert!(text("verify.txt").starts_with(&format!("verified: demo, 4 entries, from {head}")));
    let report: Value = serde_json::from_str(&text("verify.json")).unwrap();
    assert_eq!(report["command"], "verify");
    assert_eq!(report["verified"], true);
    assert_eq!(report["entries"], 4);
    assert_eq!(report["root"], head.trim_end());
    assert_eq!(report["findings"], serde_json::json!([]));
    assert!(text("rollback.txt").starts_with("rolled back 3 as entry 4\nhead bafyrei"));
    assert_eq!(project.tables(), "authors,books");
    assert_eq!(project.sql("SELECT count(*) FROM authors"), "0");
    assert!(text("greffe.key.pem").starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    assert_eq!(first_root(&project.read("demo.car")), head.trim_end());
}

#[test]
fn verification_ends_with_one_when_something_is_found() {
    let project = Project::applied();
    project.ok(["export", "--out", "demo.car"]);
    let mut bytes = project.read("demo.car");
    let place = bytes.windows(12).position(|window| window == b"CREATE TABLE").unwrap();
    bytes[place] ^= 1;
    project.write("demo.car", bytes);
    let run = project.ends(1, ["verify", "demo.car"]);
    run.prints(&["NOT verified: demo", "finding(s):", "do not hash"]);
    let report = project.ends(1, ["verify", "demo.car", "--json"]).object();
    assert_eq!(report["verified"], false);
    assert_eq!(report["established"]["intact"], false);
    assert_eq!(report["established"]["signed"], true, "the log itself was not touched");
}

#[test]
fn the_head_is_the_only_thing_on_standard_output() {
    let project = Project::applied();
    let run: Run = project.ok(["head"]);
    assert_eq!(run.stderr, "");
    assert_eq!(run.stdout.lines().count(), 1);
    assert_eq!(project.json(&["head"])["head"], run.stdout.trim_end());
}

#[test]
fn an_export_holds_all_that_its_head_needs() {
    let project = Project::applied();
    project.ok(["export", "--out", "demo.car"]);
    let other = Project::empty();
    other.write("demo.car", project.read("demo.car"));
    let report = other.json(&["verify", "demo.car"]);
    assert_eq!(report["established"]["complete"], true);
    assert_eq!(report["root"], project.head());
    assert_eq!(report["established"]["anchored"], false, "nobody here knows that chain");
    let chain = report["chain"].as_str().unwrap();
    let report = other.json(&["verify", "demo.car", "--require", chain]);
    assert_eq!(report["established"]["anchored"], true);
    let head = project.head();
    let report = other.ends(1, ["verify", "demo.car", "--require", &head, "--json"]).object();
    assert_eq!(report["findings"][0]["code"], "not-anchored");
}

#[test]
fn a_file_is_never_replaced_unasked() {
    let project = Project::applied();
    project.write("demo.car", "mine");
    project.unchanged(|| project.ends(3, ["export", "--out", "demo.car"])).says(&["demo.car", "--force"]);
    project.ok(["export", "--out", "demo.car", "--force"]);
    project.ok(["verify", "demo.car"]);
}

#[test]
fn init_makes_what_it_says_and_nothing_twice() {
    let project = Project::empty();
    let begun = project.json(&["init", "--name", "demo", "--database", "sqlite:app.db"]);
    let names: Vec<String> = project.files().keys().map(|name| name.display().to_string()).collect();
    for name in ["archive/demo.car", "archive/demo.head", "greffe.toml"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    assert!(!names.iter().any(|found| found == "greffe.key.pem"), "there is a key in the environment");
    assert_eq!(begun["head"], project.head());
    project.verify();
    project.unchanged(|| project.ends(2, ["init", "--name", "demo", "--database", "sqlite:app.db"]));
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    assert!(settings.contains("source = \"env:GREFFE_KEY\""), "{settings}");
    assert!(settings.contains(begun["chain"].as_str().unwrap()), "{settings}");
}

#[test]
fn what_flags_do_not_say_is_not_asked_without_a_terminal() {
    let project = Project::empty();
    project.unchanged(|| {
        project.ends(2, ["init"]).says(&["--name"]);
        project.ends(2, ["init", "--name", "demo"]).says(&["--database"]);
    });
    let mut bare = Project::empty();
    bare.variables = vec![("GREFFE_KEY_PASSPHRASE".to_owned(), String::new())];
    let run = bare.unchanged(|| bare.ends(2, ["init", "--name", "demo", "--database", "sqlite:app.db"]));
    run.says(&["passphrase", "hint:", "GREFFE_KEY_PASSPHRASE"]);
}

#[test]
fn another_program_agrees_that_the_file_is_intact() {
    // Every block, walked by its length prefixes alone, hashes to the digest in its CID.
    let project = Project::applied();
    project.ok(["export", "--out", "demo.car"]);
    let bytes = project.read("demo.car");
    let mut rest = &bytes[..];
    let header = varint(&mut rest);
    rest = &rest[header..];
    let mut blocks = 0;
    while !rest.is_empty() {
        let length = varint(&mut rest);
        let (section, after) = rest.split_at(length);
        assert_eq!(&section[..1], [1]);
        assert_eq!(&section[2..4], [0x12, 0x20], "sha2-256 of 32 bytes");
        project.write("block", &section[36..]);
        let digest = output_of(tool("openssl").args(["dgst", "-sha256", "-r"]).arg(project.path("block")));
        assert!(digest.starts_with(&data_encoding::HEXLOWER.encode(&section[4..36])), "block {blocks}");
        rest = after;
        blocks += 1;
    }
    assert!(blocks > 10, "{blocks}");
}

/// The CID of the first root of a CARv1 file, as text.
pub fn first_root(bytes: &[u8]) -> String {
    // The header is `{"roots": [42(h'00' + CID)], "version": 1}`: the CID follows the tag's leading zero.
    let place = bytes.windows(5).position(|window| window == [0xd8, 0x2a, 0x58, 0x25, 0x00]).unwrap();
    let cid = &bytes[place + 5..place + 41];
    let mut text = data_encoding::BASE32_NOPAD.encode(cid).to_lowercase();
    text.insert(0, 'b');
    text
}

fn varint(rest: &mut &[u8]) -> usize {
    let mut value = 0;
    for (index, byte) in rest.iter().enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return value;
        }
    }
    panic!("a length that does not end");
}
