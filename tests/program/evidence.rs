//! Evidence of one entry: made from an archive and from a node, checked by greffe and by programs of others, and
//! attacked.

mod remembered;
mod vouched;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::anywhere::{machine, publish};
use crate::project::{Project, Run, THREE};
use crate::servers::Kubo;
use crate::tools::{output_of, tool};

/// Where a program of others is; `tests/run` installs it.
fn other(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.unwrap_or_else(|| panic!("{variable} is not set: run `./tests/run`, which installs what it names"))
        .into()
}

fn go(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(other("GREFFE_TEST_PROOF")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A chain of five entries; the fourth of them rolls the last migration back.
fn project() -> Project {
    let project = Project::applied();
    project.ok(["rollback", "--steps", "1"]);
    project
}

fn evidence(project: &Project, entry: &str, out: &str) -> Value {
    project.json(&["evidence", entry, "--out", out])
}

fn chain(made: &Value) -> &str {
    made["chain"].as_str().unwrap()
}

/// What `verify-evidence` says with a code, and which findings.
fn judged(project: &Project, directory: &str, code: i32) -> (Value, Vec<String>) {
    let run = project.ends(code, ["verify-evidence", directory, "--no-memory", "--json"]);
    let object = run.object();
    let findings = object["findings"].as_array().cloned().unwrap_or_default();
    (object, findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect())
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn evidence_holds_without_the_rest_of_the_chain() {
    let project = project();
    let made = evidence(&project, "2", "out");
    assert_eq!((&made["seq"], &made["event"], &made["version"]), (&2.into(), &"apply".into(), &"2".into()));
    assert_eq!(made["trust"], serde_json::json!([0]));
    assert!(made["proofBytes"].as_u64().unwrap() < 4096, "{made}");
    let names = ["README.txt", "entry.tlog-proof", "evidence.car", "log.sigstore.json", "public-key.pem"];
    let mut found: Vec<String> = fs::read_dir(project.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found[..5], names);
    assert_eq!(found[5], "trust-0.tlog-proof");
    // Elsewhere, with nothing but the directory.
    let machine = machine();
    copy_directory(&project.path("out"), &machine.path("out"));
    let run = machine.ok(["verify-evidence", "out", "--require", chain(&made)]);
    for says in [
        "verified: demo, entry 2, apply of version 2",
        "anchored    yes",
        "not established by this evidence:",
        "one may say that a key which signed this was stolen",
    ] {
        assert!(run.stdout.contains(says), "{says}: {run:#?}");
    }
    let (object, findings) = judged(&machine, "out", 0);
    assert_eq!((&object["verified"], findings.len()), (&true.into(), 0));
    assert_eq!(
        object["established"],
        serde_json::json!({"intact": true, "included": true, "signed": true, "anchored": false,
            "witnessed": false, "timestamped": false})
    );
    assert_eq!(object["notEstablished"][0], "anchored");
    assert_eq!(object["head"], project.head().as_str());
    assert_eq!(object["checkpoint"]["size"], 5);
    // A head that one was told of is an anchor, and so is the root key; another chain is none.
    let head = project.head();
    let key = project.json(&["key", "show"])["keyid"].as_str().unwrap().to_owned();
    for anchor in [head.as_str(), key.as_str()] {
        machine.ok(["verify-evidence", "out", "--require", anchor]);
    }
    let other = Project::applied();
    let run = machine
        .ends(1, ["verify-evidence", "out", "--require", chain(&evidence(&other, "0", "out")), "--json"]);
    assert_eq!(run.object()["findings"][0]["code"], "not-anchored");
    // It is its entry alone: nothing of the other migrations is in it.
    let car = String::from_utf8_lossy(&project.read("out/evidence.car")).into_owned();
    assert!(car.contains("CREATE TABLE books") && !car.contains("CREATE TABLE authors"), "{car}");
}

#[test]
fn an_entry_is_named_by_number_version_or_cid_and_nothing_is_written_over() {
    let project = project();
    for (index, (entry, seq)) in [("0", 0), ("4", 4), ("3", 3)].into_iter().enumerate() {
        let made = evidence(&project, entry, &format!("out{index}"));
        assert_eq!(made["seq"], seq, "{entry}");
        judged(&project, &format!("out{index}"), 0);
    }
    // The newest entry of a version; a number that no entry has is a version.
    let made = project.json(&["evidence", "3", "--migration", "--out", "version"]);
    assert_eq!((&made["seq"], &made["event"]), (&4.into(), &"rollback".into()));
    let cid = made["manifest"].as_str().unwrap();
    assert_eq!(evidence(&project, cid, "cid")["manifest"], cid);
    project.unchanged(|| project.ends(2, ["evidence", "77", "--out", "none"])).says(&["version 77", "hint:"]);
    project
        .unchanged(|| project.ends(2, ["evidence", "1", "--out", "cid"]))
        .says(&["already exists", "hint:"]);
    project.unchanged(|| project.ends(2, ["evidence", "1", "--out", "migrations"]));
    project.unchanged(|| project.run(["evidence", "1", "--out", "absent/folder"]));
    project.unchanged(|| project.ends(2, ["verify-evidence", "absent"])).says(&["hint:"]);
}

#[test]
fn programs_of_others_accept_it_and_refuse_what_was_changed() {
    let project = project();
    let made = evidence(&project, "2", "out");
    let directory = project.path("out");
    // What the text beside it says, run as it stands there.
    let readme = String::from_utf8(project.read("out/README.txt")).unwrap();
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    fs::write(project.path("check.sh"), format!("set -e\n{}\n", commands.join("\n"))).unwrap();
    tool("python3");
    tool("openssl");
    let shell =
        |folder: &Path| tool("sh").arg(project.path("check.sh")).current_dir(folder).output().unwrap();
    let said = shell(&directory);
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(text.matches("Signature Verified Successfully").count(), 2, "{text}");
    assert!(text.contains("included"), "{text}");

    let leaf = readme.split("fromhex(\"").nth(1).unwrap().split('"').next().unwrap();
    let verifier =
        readme.lines().map(str::trim).find(|line| line.starts_with("greffe/") && line.contains('+')).unwrap();
    let proof = directory.join("entry.tlog-proof").display().to_string();
    let said = go(&["inclusion", &proof, verifier, leaf]).unwrap();
    assert_eq!(said, format!("included: 2 of 5, signed by greffe/{}\n", chain(&made)));
    go(&["inclusion", &proof, verifier, &leaf.replace(&leaf[70..], "00")]).unwrap_err();

    let bundle = directory.join("log.sigstore.json");
    let key = directory.join("public-key.pem");
    let sigstore = |bundle: &Path| {
        let folder = other("GREFFE_TEST_SIGSTORE");
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proof/sigstore.cjs");
        fs::copy(module, project.path("sigstore.cjs")).unwrap();
        let mut node = Command::new(other("GREFFE_TEST_NODE22"));
        node.env("NODE_PATH", folder.join("node_modules"))
            .arg(project.path("sigstore.cjs"))
            .arg(bundle)
            .arg(&key);
        node.output().unwrap()
    };
    let said = sigstore(&bundle);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(
        String::from_utf8_lossy(&said.stdout),
        format!("verified: ed25519, {}\n", made["keyid"].as_str().unwrap())
    );
    let attestation = |bundle: &Path| {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proof/statement.py");
        Command::new(other("GREFFE_TEST_ATTESTATION")).arg(module).arg(bundle).arg(&key).output().unwrap()
    };
    let said = output_of(Command::new("cat").arg(&bundle));
    assert!(!said.contains("timestampVerificationData"));
    let said = attestation(&bundle);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(String::from_utf8_lossy(&said.stdout), "valid: urn:greffe:migration-log:1, 2 subjects\n");

    // One letter of the statement changed.
    let mut changed: Value = serde_json::from_slice(&project.read("out/log.sigstore.json")).unwrap();
    let payload = data_encoding::BASE64
        .decode(changed["dsseEnvelope"]["payload"].as_str().unwrap().as_bytes())
        .unwrap();
    let payload = String::from_utf8(payload).unwrap().replacen("books", "bookz", 1);
    changed["dsseEnvelope"]["payload"] = data_encoding::BASE64.encode(payload.as_bytes()).into();
    fs::write(directory.join("log.sigstore.json"), changed.to_string()).unwrap();
    assert!(!sigstore(&bundle).status.success());
    assert!(!attestation(&bundle).status.success());
    assert!(!shell(&directory).status.success());
    assert_eq!(judged(&project, "out", 1).1, ["evidence-differs"]);
}

#[test]
fn it_is_made_from_a_head_on_a_node_as_from_the_archive() {
    let project = project();
    let kubo = Kubo::start();
    let head = publish(&project, &kubo);
    evidence(&project, "2", "out");
    let machine = machine();
    let url = kubo.gateway_url();
    machine.ok(["evidence", "2", "--head", &head, "--from", &url, "--out", "out"]);
    for entry in fs::read_dir(project.path("out")).unwrap() {
        let name = entry.unwrap().file_name();
        let name = format!("out/{}", name.to_str().unwrap());
        assert_eq!(machine.read(&name), project.read(&name), "{name}");
    }
    machine.ends(2, ["evidence", "2", "--from", &url, "--out", "other"]).says(&["--head", "hint:"]);
    let run = machine.ok(["proof", "consistency", "2", &head, "--from", &url]);
    assert!(run.stdout.contains("5 entries begin with the first 2"), "{run:#?}");
    machine.ok(["prove-absent", "9", "--head", &head, "--from", &url]);
}

/// It brings its own trust document.
#[test]
fn the_first_entry_needs_no_other() {
    let project = project();
    let made = evidence(&project, "0", "genesis");
    assert_eq!(made["trust"], serde_json::json!([]));
    let (object, _) = judged(&project, "genesis", 0);
    assert_eq!(object["event"]["event"], "genesis");
}

/// The evidence that another project made stands in one directory with this one's, file by file.
#[test]
fn files_of_other_evidence_are_found() {
    let project = project();
    evidence(&project, "2", "out");
    evidence(&project, "1", "one");
    project.script("4_more.up.sql", "CREATE TABLE more (id INTEGER);\n");
    project.ok(["apply"]);
    evidence(&project, "2", "later");
    let stranger = Project::applied();
    evidence(&stranger, "2", "out");
    copy_directory(&stranger.path("out"), &project.path("stranger"));
    let names =
        ["entry.tlog-proof", "trust-0.tlog-proof", "evidence.car", "log.sigstore.json", "public-key.pem"];
    for from in ["one", "later", "stranger"] {
        for name in names {
            let same = project.read(&format!("out/{name}")) == project.read(&format!("{from}/{name}"));
            let attacked = format!("attacked-{from}-{name}");
            copy_directory(&project.path("out"), &project.path(&attacked));
            fs::copy(project.path(format!("{from}/{name}")), project.path(format!("{attacked}/{name}")))
                .unwrap();
            let (_, findings) = judged(&project, &attacked, i32::from(!same));
            assert!(same || !findings.is_empty(), "{from} {name}");
        }
        if from == "stranger" {
            // All of its proofs, with the blocks of this one.
            let attacked = "attacked-all-proofs";
            copy_directory(&project.path("out"), &project.path(attacked));
            for name in ["entry.tlog-proof", "trust-0.tlog-proof"] {
                fs::copy(project.path(format!("{from}/{name}")), project.path(format!("{attacked}/{name}")))
                    .unwrap();
            }
            let (_, findings) = judged(&project, attacked, 1);
            assert!(findings.contains(&"not-included".to_owned()), "{findings:?}");
            assert!(findings.contains(&"checkpoint-differs".to_owned()), "{findings:?}");
        }
    }
}

#[test]
fn missing_long_and_odd_files_are_refused() {
    let project = project();
    evidence(&project, "2", "out");
    let names =
        ["entry.tlog-proof", "trust-0.tlog-proof", "evidence.car", "log.sigstore.json", "public-key.pem"];
    for (index, name) in names.into_iter().enumerate() {
        let attacked = format!("attacked-{index}");
        copy_directory(&project.path("out"), &project.path(&attacked));
        let path = project.path(format!("{attacked}/{name}"));
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let run = |what: &str| -> Run {
            let run = project.run(["verify-evidence", &attacked, "--no-memory"]);
            assert!(matches!(run.code, 1 | 3), "{name} {what}: {run:#?}");
            run
        };
        run("missing").says(&[name, "missing", "hint:"]);
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        run("a link").says(&[name, "not a file"]);
        fs::remove_file(&path).unwrap();
        output_of(Command::new("mkfifo").arg(&path));
        run("a pipe").says(&[name, "not a file"]);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        run("empty");
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        run("cut");
        fs::write(&path, [bytes.as_slice(), b"\n\n\x1b[31m"].concat()).unwrap();
        assert!(!run("longer").stdout.contains('\u{1b}'));
        if name != "evidence.car" {
            File::create_sparse(&path, 8 << 30);
            run("of eight gibibytes").says(&["more than"]);
        }
    }
}

/// A file that takes no room.
struct File;

impl File {
    fn create_sparse(path: &Path, length: u64) {
        fs::File::create(path).unwrap().set_len(length).unwrap();
    }
}

/// Every byte of every file counts, README aside.
#[test]
fn every_changed_byte_is_found() {
    let project = project();
    evidence(&project, "2", "out");
    for name in
        ["entry.tlog-proof", "trust-0.tlog-proof", "evidence.car", "log.sigstore.json", "public-key.pem"]
    {
        let path = project.path(format!("out/{name}"));
        let bytes = fs::read(&path).unwrap();
        let step = (bytes.len() / 60).max(1);
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            let run = project.run(["verify-evidence", "out", "--no-memory"]);
            // White space of JSON is the one thing that says nothing.
            let blank = name.ends_with(".json") && bytes[at].is_ascii_whitespace();
            assert!(run.code == 1 || run.code == 3 || blank, "{name} at {at}: {run:#?}");
        }
        fs::write(&path, &bytes).unwrap();
    }
    judged(&project, "out", 0);
}

/// Index at or past the size, a hash more or less, no hash, a hash twice, another place with the same hashes.
#[test]
fn degenerate_proofs_are_refused() {
    let project = project();
    evidence(&project, "2", "out");
    let text = String::from_utf8(project.read("out/entry.tlog-proof")).unwrap();
    let (front, note) = text.split_once("\n\n").unwrap();
    let lines: Vec<&str> = front.lines().collect();
    let with = |index: &str, hashes: &[&str]| {
        let hashes: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
        format!("{}\nindex {index}\n{hashes}\n{note}", lines[0])
    };
    let hashes = &lines[2..];
    assert_eq!(with("2", hashes), text);
    let again = [hashes, &[hashes[0]]].concat();
    let reversed: Vec<&str> = hashes.iter().rev().copied().collect();
    for (index, hashes) in [
        ("5", hashes),
        ("6", hashes),
        ("18446744073709551615", hashes),
        ("2", &again),
        ("2", &hashes[1..]),
        ("2", &hashes[..hashes.len() - 1]),
        ("2", &[]),
        ("0", hashes),
        ("1", hashes),
        ("3", hashes),
        ("2", &reversed),
    ] {
        project.write("out/entry.tlog-proof", with(index, hashes));
        let (_, findings) = judged(&project, "out", 1);
        assert!(findings.contains(&"not-included".to_owned()), "{index} {hashes:?}: {findings:?}");
    }
    // A tree of nothing, which no key has signed.
    let empty = text.replacen("\n5\n", "\n0\n", 1);
    assert_ne!(empty, text);
    project.write("out/entry.tlog-proof", empty);
    let (_, findings) = judged(&project, "out", 1);
    assert!(findings.contains(&"not-included".to_owned()), "{findings:?}");
    // What nobody vouches for changes nothing.
    project.write("out/entry.tlog-proof", text.replacen("index", "extra bGllcw==\nindex", 1));
    judged(&project, "out", 0);
}

#[test]
fn consistency_is_proved_between_sizes_heads_and_notes() {
    let project = Project::with(&THREE);
    let before = project.head();
    project.ok(["apply"]);
    let after = project.head();
    for (old, new) in [("1", "4"), (before.as_str(), after.as_str()), ("2", "3"), ("4", "4"), ("0", "4")] {
        let object = project.json(&["proof", "consistency", old, new]);
        assert_eq!(object["verified"], true, "{object}");
        let text = |at: &str| {
            object
                .pointer(at)
                .unwrap()
                .as_str()
                .map_or_else(|| object.pointer(at).unwrap().to_string(), str::to_owned)
        };
        if text("/old/size") == "0" {
            continue;
        }
        let sides = [text("/old/size"), text("/old/root"), text("/new/size"), text("/new/root")];
        let path: Vec<String> =
            object["path"].as_array().unwrap().iter().map(|hash| hash.as_str().unwrap().to_owned()).collect();
        let arguments: Vec<&str> =
            ["consistency"].into_iter().chain(sides.iter().chain(&path).map(String::as_str)).collect();
        assert_eq!(go(&arguments).unwrap(), format!("consistent: {} to {}\n", sides[0], sides[2]));
        let changed = sides[1].replacen(
            sides[1].chars().next().unwrap(),
            if sides[1].starts_with('A') { "B" } else { "A" },
            1,
        );
        let arguments: Vec<&str> =
            arguments.iter().map(|text| if *text == sides[1] { changed.as_str() } else { text }).collect();
        if sides[0] != sides[2] {
            go(&arguments).unwrap_err();
        }
    }
    // A checkpoint that somebody kept, and one of another version of the chain.
    let note = |project: &Project, name: &str| {
        let proof = String::from_utf8(project.read(&format!("{name}/entry.tlog-proof"))).unwrap();
        proof.split_once("\n\n").unwrap().1.to_owned()
    };
    evidence(&project, "0", "kept");
    project.write("kept.note", note(&project, "kept"));
    project.ok(["rollback", "--steps", "1"]);
    let run = project.ok(["proof", "consistency", "kept.note", "5"]);
    assert!(
        run.stdout.contains("5 entries begin with the first 4") && run.stdout.contains("not checked"),
        "{run:#?}"
    );
    let forked = project.copy();
    fs::copy(project.path("kept.note"), forked.path("kept.note")).unwrap();
    let lie = note(&project, "kept");
    let root = lie.lines().nth(2).unwrap().to_owned();
    forked.write(
        "kept.note",
        lie.replacen(&root[..4], if root.starts_with("AAAA") { "BBBB" } else { "AAAA" }, 1),
    );
    let run = forked.ends(1, ["proof", "consistency", "kept.note", "5"]);
    assert!(run.stdout.contains("NOT consistent"), "{run:#?}");
    project.ends(2, ["proof", "consistency", "5", "1"]).says(&["hint:"]);
    project.ends(2, ["proof", "consistency", "1", "77"]).says(&["hint:"]);
    project.ends(2, ["proof", "consistency", "1", "nothing"]).says(&["hint:"]);
    let stranger = Project::applied();
    evidence(&stranger, "0", "kept");
    project.write("other.note", note(&stranger, "kept"));
    let run = project.ends(1, ["proof", "consistency", "other.note", "5"]);
    assert!(run.stdout.contains("two chains"), "{run:#?}");
}

#[test]
fn absence_is_shown_by_reading_everything() {
    let project = project();
    let object = project.json(&["prove-absent", "9", "--at", "3"]);
    assert_eq!((&object["absent"], &object["entries"], &object["at"]), (&true.into(), &4.into(), &3.into()));
    assert!(object["bytes"].as_u64().unwrap() > 4000, "{object}");
    let run = project.ok(["prove-absent", "9"]);
    assert!(run.stdout.contains("5 entries") && run.stdout.contains("no shorter proof"), "{run:#?}");
    let run = project.ends(1, ["prove-absent", "3", "--json"]);
    let told: Vec<Value> =
        run.object()["told"].as_array().unwrap().iter().map(|told| told["seq"].clone()).collect();
    assert_eq!(told, [3, 4]);
    // It came later.
    let object = project.json(&["prove-absent", "3", "--at", "2"]);
    assert_eq!(object["absent"], true);
    assert_eq!(object["root"], project.json(&["prove-absent", "other", "--at", "2"])["root"]);
    project.ends(2, ["prove-absent", "3", "--at", "5"]).says(&["hint:"]);
    // In a chain that does not verify nothing is shown.
    let mut archive = project.read("archive/demo.car");
    let at = archive.windows(7).position(|window| window == b"authors").unwrap();
    archive[at] ^= 1;
    project.write("archive/demo.car", archive);
    assert_ne!(project.run(["prove-absent", "9"]).code, 0);
}

#[test]
fn sealed_files_may_be_withheld() {
    let project = Project::with(&THREE).publishing("sealed");
    project.ok(["apply"]);
    let made = evidence(&project, "2", "sealed");
    assert_eq!(made["withheld"], serde_json::json!([]));
    let (object, _) = judged(&project, "sealed", 0);
    assert!(object["notEstablished"].as_array().unwrap().contains(&"sealed".into()), "{object}");
    let object = project.json(&["prove-absent", "9"]);
    assert_eq!(object["sealedNames"], 3);
}
