//! This program and the one of `tests/independent`, written apart from the format's text alone, judge each
//! other's archives: what one writes soundly the other verifies, and a defect is found where it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use greffe::chain::{Options, Report};
use greffe::model::{EventKind, KeyRole, Role};
use greffe::ops::verify::verify_car;

use crate::chains::{Growing, every_event, key, script, trust, trust_file};

/// Runs a script of `tests/independent`.
fn python(script: &str, argument: &Path) -> Output {
    let python = std::env::var_os("GREFFE_TEST_PYTHON").expect(
        "run ./tests/run, or set GREFFE_TEST_PYTHON to a Python with tests/independent/requirements.txt installed",
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent");
    Command::new(python).arg("-B").arg(folder.join(script)).arg(argument).output().unwrap()
}

#[test]
fn archives_of_the_independent_writer_are_judged_as_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let written = python("write.py", directory.path());
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let listing: serde_json::Value =
        serde_json::from_slice(&std::fs::read(directory.path().join("manifest.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for (kind, least) in [("valid", 20), ("invalid", 200)] {
        let cases = listing[kind].as_array().unwrap();
        assert!(cases.len() >= least, "only {} {kind} archives", cases.len());
        for case in cases {
            wrong.extend(judge(directory.path(), case, kind == "valid"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn judge(directory: &Path, case: &serde_json::Value, sound: bool) -> Option<String> {
    let file = case["file"].as_str().unwrap();
    let path = directory.join(file);
    let report = verify(&path, 1);
    let says: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let parallel: Vec<String> = verify(&path, 2).findings.iter().map(ToString::to_string).collect();
    if says != parallel {
        return Some(format!("{file}: one thread finds {says:?}, two find {parallel:?}"));
    }
    if sound {
        return (!report.verified).then(|| format!("{file}: {says:?}"));
    }
    let wanted = &case["seq"];
    let located = report.findings.iter().any(|finding| wanted.is_null() || finding.seq == wanted.as_u64());
    (report.verified || !located).then(|| format!("{file}: wanted {case}, got {says:?}"))
}

fn verify(path: &Path, threads: usize) -> Report {
    verify_car(path, Options::default(), threads, &mut |_, _, _| ()).unwrap()
}

/// Archives of this program, each with a name.
fn archives(directory: &Path) -> Vec<PathBuf> {
    let one = key(1);
    let both: [KeyRole; 2] = [KeyRole::Root, KeyRole::Signer];
    let mut written = Vec::new();
    let mut write = |name: &str, chain: &Growing, root| {
        let path = directory.join(format!("{name}.car"));
        chain.write(&path, &root);
        written.push(path);
    };

    let mut chain = Growing::of_one_key("genesis");
    let head = chain.head(&one);
    write("genesis", &chain, head);

    let mut chain = Growing::of_one_key("many");
    for _ in 1..300 {
        chain.attach();
    }
    let head = chain.head(&one);
    write("300-events", &chain, head);

    let mut chain = Growing::of_one_key("chunks");
    let large: Vec<u8> = (0..2_700_000_u32).map(|n| (n % 251) as u8).collect();
    chain.about(EventKind::Apply, "1", vec![script(Role::Up, "large.sql", &large)], &[&one]);
    let empty = vec![script(Role::Up, "dir/été.sql", b""), script(Role::Notices, "a", b"\xef\xbb\xbfx\r\n")];
    chain.about(EventKind::Apply, "2", empty, &[&one]);
    let head = chain.head(&one);
    write("chunked", &chain, head);

    let two = key(2);
    let mut chain = Growing::of_one_key("trust");
    chain.apply("1");
    let next = trust(2, &[(&one, &both), (&two, &both)], 2, 2);
    let other = greffe::model::Details::Other { schema: None };
    chain.append(EventKind::Trust, other, vec![trust_file(&next)], &[&one, &two]);
    chain.about(EventKind::Apply, "2", vec![], &[&two, &one]);
    let head = chain.head(&two);
    write("trust-change", &chain, head);

    let document = trust(1, &[(&one, &both), (&two, &both), (&key(3), &[KeyRole::Approver])], 2, 2);
    let mut chain = Growing::new("threshold", &document, &[&one, &two]);
    chain.about(EventKind::Apply, "1", vec![], &[&one, &two, &key(3), &key(9)]);
    let head = chain.head(&one);
    write("threshold-2", &chain, head);

    let mut chain = every_event();
    let head = chain.head(&two);
    write("every-event", &chain, head);

    let mut chain = Growing::of_one_key("growing");
    chain.head(&one);
    for version in 1..4 {
        chain.apply(&version.to_string());
        chain.head(&one);
    }
    write("growing", &chain, chain.manifests[0]);
    written
}

#[test]
fn archives_of_this_program_are_verified_by_the_independent_verifier() {
    let directory = tempfile::tempdir().unwrap();
    for path in archives(directory.path()) {
        let here = verify(&path, 1);
        assert!(here.verified, "{}: {:?}", path.display(), here.findings);
        let output = python("verify.py", &path);
        let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert_eq!(output.status.code(), Some(0), "{}: {result}", path.display());
        assert_eq!(result["verified"], true, "{}: {result}", path.display());
        assert_eq!(result["events"], here.entries, "{}", path.display());
        assert_eq!(result["chain"], serde_json::to_value(here.chain).unwrap(), "{}", path.display());
        assert_eq!(result["head"], serde_json::to_value(here.root).unwrap(), "{}", path.display());

        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        std::fs::write(&path, bytes).unwrap();
        assert!(!verify(&path, 2).verified, "{}", path.display());
        assert_eq!(python("verify.py", &path).status.code(), Some(1), "{}: a flipped byte", path.display());
    }
}
