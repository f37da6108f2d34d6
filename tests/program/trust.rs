//! How the keys of a chain change: proposals, signed apart from each other, and appended.

use data_encoding::BASE64;
use serde_json::Value;

use crate::pages::{Shell, block_below};
use crate::project::{Project, THREE};
use crate::serve::Served;
use crate::tools::{output_of, tool};

/// A new key without a passphrase in `<name>.pem`, and its public half in `<name>.pub`; gives its keyid.
fn new_key(project: &Project, name: &str) -> String {
    let pem = format!("{name}.pem");
    project.ok(["key", "generate", "--plain", "--out", &pem]);
    let shown = project.ok(["key", "show", "--key", &format!("file:{pem}")]);
    project.write(&format!("{name}.pub"), &shown.stdout);
    let key = project.json(&["key", "show", "--key", &format!("file:{pem}")]);
    key["keyid"].as_str().unwrap().to_owned()
}

/// A second key signs entry 2; then a thief signs entry 3 with it. Of a project with the first of [`THREE`]; gives the key's
/// keyid.
pub fn a_thief_signs(project: &Project) -> String {
    let ci = new_key(project, "ci");
    project.ok(["trust", "propose", "--out", "p.json", "--add-key", "ci.pub", "--role", "signer"]);
    project.ok(["trust", "sign", "p.json", "--yes"]);
    project.ok(["trust", "apply", "p.json"]);
    project.ok(["apply", "--key", "file:ci.pem"]);
    project.scripts(&THREE[2..4]);
    project.ok(["apply", "--key", "file:ci.pem"]);
    ci
}

fn keyid(project: &Project) -> String {
    project.json(&["key", "show"])["keyid"].as_str().unwrap().to_owned()
}

fn sign(project: &Project, file: &str, key: &str) -> Value {
    project.json(&["trust", "sign", file, "--yes", "--key", &format!("file:{key}.pem")])
}

/// A chain whose root keys are `a`, `b` and `c`, of which two have to sign; the signer is the key of tests alone.
fn two_of_three() -> Project {
    let project = Project::applied();
    let first = keyid(&project);
    for name in ["a", "b", "c"] {
        new_key(&project, name);
    }
    project.ok([
        "trust",
        "propose",
        "--out",
        "keys.json",
        "--add-key",
        "a.pub",
        "--add-key",
        "b.pub",
        "--add-key",
        "c.pub",
        "--role",
        "root",
        "--roles",
        &format!("{first}=signer"),
        "--threshold",
        "root=2",
    ]);
    project.ok(["trust", "sign", "keys.json", "--yes"]);
    sign(&project, "keys.json", "a");
    sign(&project, "keys.json", "b");
    project.ok(["trust", "apply", "keys.json"]);
    project.verify();
    project
}

#[test]
fn a_key_is_replaced_by_another_and_signs_no_more() {
    let project = Project::with(&THREE[..2]);
    project.ok(["apply"]);
    let (old, new) = (keyid(&project), new_key(&project, "new"));
    let archive = project.read("archive/demo.car");
    let proposed = project.json(&[
        "trust",
        "propose",
        "--out",
        "p.json",
        "--add-key",
        "new.pub",
        "--role",
        "root,signer",
        "--label",
        "ci",
        "--retire",
        &old[..8],
    ]);
    assert_eq!((&proposed["version"], &proposed["seq"]), (&2.into(), &2.into()));
    assert_eq!(proposed["changes"][0]["change"], "key-added");
    assert_eq!(proposed["changes"][1]["reason"], "retired");
    // Each of the two documents asks for a key of its own.
    project.ok(["trust", "sign", "p.json", "--yes"]);
    let apply = ["trust", "apply", "p.json", "--key", "file:new.pem"];
    project.ends(2, apply).says(&["version 2 needs 1 and has 0", &new, "greffe trust sign"]);
    assert_eq!(sign(&project, "p.json", "new")["added"], true);
    assert_eq!(sign(&project, "p.json", "new")["added"], false);
    assert_eq!(project.read("archive/demo.car"), archive);
    // The head is signed by a key that may sign entries from now on.
    project.ends(3, ["trust", "apply", "p.json"]).says(&["key", "hint:"]);
    assert_eq!(project.read("archive/demo.car"), archive);
    project.ok(apply);
    project.verify();
    project.scripts(&THREE[2..]);
    project.ends(3, ["apply"]).says(&["may sign as Signer", "--key"]);
    project.ok(["apply", "--key", "file:new.pem"]);
    project.verify();
    assert_eq!(project.story(), ["genesis", "apply 1", "trust", "apply 2", "apply 3"]);

    let shown = project.json(&["trust", "show"]);
    let key = |id: &str| {
        let keys = shown["keys"].as_array().unwrap();
        keys.iter().find(|key| key["keyid"] == id).unwrap().clone()
    };
    let (was, is) = (key(&old), key(&new));
    assert_eq!((&was["since"], &was["until"], &was["reason"]), (&0.into(), &2.into(), &"retired".into()));
    assert_eq!((&is["since"], &is["until"], &is["label"]), (&2.into(), &Value::Null, &"ci".into()));
    assert_eq!(shown["versions"][0]["signedBy"].as_array().unwrap().len(), 2);
    let text = project.ok(["trust", "show"]).stdout;
    for part in ["retired since entry 2", "ci: root, signer, from entry 2", "version 1 by entry 0"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn copies_that_were_signed_apart_are_put_together() {
    let project = two_of_three();
    let lost = new_key(&project, "d");
    let a = keyid_of(&project, "a");
    project.ok([
        "trust",
        "propose",
        "--out",
        "p.json",
        "--add-key",
        "d.pub",
        "--role",
        "root",
        "--retire",
        &a,
    ]);
    // Key `a` is lost: the two others sign, each in a folder of their own where there is nothing else.
    let copies: Vec<Vec<u8>> = ["b", "c"].map(|name| signed_elsewhere(&project, "p.json", name)).to_vec();
    project.write("b.json", &copies[0]);
    project.write("c.json", &copies[1]);
    project.ends(2, ["trust", "apply", "b.json"]).says(&["version 2 needs 2 and has 1"]);
    project.ends(2, ["trust", "apply", "c.json"]);
    project.ok(["trust", "apply", "b.json", "c.json"]);
    project.verify();
    assert_eq!(project.json(&["trust", "show"])["version"], 3);
    // The lost one may turn up again: it has no say.
    project.ok(["trust", "propose", "--out", "q.json", "--threshold", "root=1"]);
    let refused = project.run(["trust", "sign", "q.json", "--yes", "--key", "file:a.pem"]);
    refused.exits(2).says(&[&a, "root in neither"]);
    assert!(project.json(&["trust", "show"]).to_string().contains(&lost));
}

fn keyid_of(project: &Project, name: &str) -> String {
    project.json(&["key", "show", "--key", &format!("file:{name}.pem")])["keyid"].as_str().unwrap().to_owned()
}

/// The file, signed where there is neither settings nor archive.
fn signed_elsewhere(project: &Project, file: &str, name: &str) -> Vec<u8> {
    let elsewhere = Project::empty();
    elsewhere.write("proposal.json", project.read(file));
    elsewhere.write("root.pem", project.read(&format!("{name}.pem")));
    let run = elsewhere.ok(["trust", "sign", "proposal.json", "--yes", "--key", "file:root.pem"]);
    run.says(&["adds key", "chain is not at hand"]);
    elsewhere.read("proposal.json")
}

#[test]
fn nothing_is_signed_that_nobody_was_asked_about() {
    let project = Project::applied();
    new_key(&project, "new");
    project.ok(["trust", "propose", "--out", "p.json", "--add-key", "new.pub", "--role", "signer"]);
    let run = project.unchanged(|| project.ends(2, ["trust", "sign", "p.json"]));
    run.says(&["adds key", "as signer", "nobody can be asked", "--yes"]);
    // A key that has no say is told so before anybody relies on it.
    let sign = ["trust", "sign", "p.json", "--yes", "--key", "file:new.pem"];
    project.unchanged(|| project.ends(2, sign)).says(&["root in neither", "greffe trust show"]);
    project.unchanged(|| project.ends(2, ["trust", "propose", "--out", "p.json", "--threshold", "root=1"]));
}

#[test]
fn a_chain_that_went_on_needs_a_new_proposal() {
    let project = Project::with(&THREE[..4]);
    new_key(&project, "new");
    let propose = |file: &str| {
        project.ok(["trust", "propose", "--out", file, "--add-key", "new.pub", "--role", "signer"]);
        project.ok(["trust", "sign", file, "--yes"]);
    };
    propose("p.json");
    project.ok(["apply"]);
    let says = ["for entry 1", "next entry is 3", "greffe trust propose"];
    project.unchanged(|| project.ends(2, ["trust", "apply", "p.json"])).says(&says);
    project.unchanged(|| project.ends(2, ["trust", "sign", "p.json", "--yes"])).says(&says);
    propose("q.json");
    project.ok(["trust", "apply", "q.json"]);
    // Nor does it fit twice, or into another chain.
    project.unchanged(|| project.ends(2, ["trust", "apply", "q.json"])).says(&["for entry 3"]);
    let other = Project::with(&THREE[..4]);
    other.ok(["apply"]);
    other.write("q.json", project.read("q.json"));
    other.unchanged(|| other.ends(1, ["trust", "apply", "q.json"])).says(&["is of the chain", "hint:"]);
    project.verify();
    other.verify();
}

#[test]
fn what_a_stolen_key_signed_is_found_and_what_it_signed_before_keeps_its_standing() {
    let project = Project::with(&THREE[..2]);
    let first = keyid(&project);
    // Entry 4 is by another key.
    let ci = a_thief_signs(&project);
    project.scripts(&THREE[4..]);
    project.ok(["apply"]);
    project.verify();
    let revoke = ["trust", "propose", "--out", "q.json", "--revoke", &ci, "--since", "3"];
    project.ok(revoke);
    project.ok(["trust", "sign", "q.json", "--yes"]).says(&["as compromised", "from entry 3 on"]);
    // The thief goes on from the entries before, in a copy that knows nothing of it.
    let thief = project.copy();
    thief.script("9_thief.sql", "CREATE TABLE thief (id INTEGER);");
    project.ok(["trust", "apply", "q.json"]);
    thief.ok(["apply", "--key", "file:ci.pem"]);
    let mut auditor = Project::empty();
    auditor.variables = vec![("XDG_STATE_HOME".to_owned(), auditor.path("state").display().to_string())];
    for (from, name) in [(&project, "true.car"), (&thief, "thief.car")] {
        from.ok(["export", "--out", name]);
        std::fs::copy(from.path(name), auditor.path(name)).unwrap();
    }
    // Who saw the key revoked does not follow the thief, and can copy the chain that says so.
    auditor.ends(1, ["verify", "true.car"]).prints(&["stolen"]);
    auditor.ends(5, ["verify", "thief.car"]).prints(&["forked"]);
    let imported = auditor.ends(1, ["import", "true.car", "--json"]).object();
    assert_eq!(
        (&imported["newEntries"], &imported["findings"][0]["code"]),
        (&6.into(), &"compromised".into())
    );
    let again = auditor.ends(1, ["import", "true.car"]);
    again.prints(&["0 new of 6 entries", "taken as it is", "stolen by entry 3"]);
    // So does who follows it over a server.
    let (served, mut follower) = (Served::start(&project, &[]), Project::empty());
    follower.variables = vec![("XDG_STATE_HOME".to_owned(), follower.path("state").display().to_string())];
    let mirror = ["mirror", &project.head(), "--from", &served.url()];
    follower.ends(1, mirror).prints(&["6 new of 6 entries", "taken as it is", "stolen by entry 3"]);
    assert_eq!(follower.head_of("demo"), project.head());
    // Where nothing is new, nothing is verified.
    follower.ok(mirror).prints(&["0 new of 6 entries"]);
    let run = project.ends(1, ["verify", &project.head(), "--json"]);
    let report = run.object();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{report:#}");
    let finding = &findings[0];
    assert_eq!((&finding["seq"], &finding["code"]), (&3.into(), &"compromised".into()));
    assert_eq!((&finding["keyid"], &finding["entry"]), (&ci.as_str().into(), &5.into()));
    assert_eq!(report["established"]["signed"], false);
    // A retired key takes nothing down.
    new_key(&project, "root2");
    project.ok([
        "trust",
        "propose",
        "--out",
        "r.json",
        "--add-key",
        "root2.pub",
        "--role",
        "root,signer",
        "--retire",
        &first,
    ]);
    project.ok(["trust", "sign", "r.json", "--yes"]);
    sign(&project, "r.json", "root2");
    project.ok(["trust", "apply", "r.json", "--key", "file:root2.pem"]);
    let report = project.ends(1, ["verify", &project.head(), "--json"]).object();
    assert_eq!(report["findings"].as_array().unwrap().len(), 1, "{report:#}");
}

#[test]
fn entries_of_a_chain_with_two_signers_are_signed_by_both_or_not_made() {
    let mut project = Project::with(&THREE[..2]);
    project.ok(["apply"]);
    project.scripts(&THREE[2..4]);
    let second = new_key(&project, "second");
    project.ok([
        "trust",
        "propose",
        "--out",
        "p.json",
        "--add-key",
        "second.pub",
        "--role",
        "signer",
        "--threshold",
        "signer=2",
    ]);
    let signed = project.ok(["trust", "sign", "p.json", "--yes"]);
    signed.says(&["after it 2 keys sign each entry", "`key.also`"]);
    project.ok(["trust", "apply", "p.json"]);
    // Nothing runs that nobody could sign for; one key twice is one.
    let says = ["1 of the keys given may sign as Signer", "2 must", "key.also"];
    project.unchanged(|| project.ends(3, ["apply"])).says(&says);
    let pem = String::from_utf8(project.read("second.pem")).unwrap();
    project.unchanged(|| project.ends(3, ["apply", "--key-also", "env:GREFFE_KEY"])).says(&says);
    project
        .unchanged(|| project.ends(2, ["apply", "--key-also", "file:absent.pem"]))
        .says(&["absent.pem", "key.also"]);
    // A key in place of its source is refused, and not repeated.
    let run = project.unchanged(|| project.ends(2, ["apply", "--key-also", &pem]));
    assert!(!run.stderr.contains("PRIVATE"), "{run:?}");
    // A stranger's key beside them signs nothing.
    new_key(&project, "stranger");
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write(
        "greffe.toml",
        settings.replace("# also = []", "also = [\"file:second.pem\", \"file:stranger.pem\"]"),
    );
    project.ok(["apply"]);
    project.scripts(&THREE[4..]);
    project.ok(["apply"]);
    project.verify();
    let log = project.log();
    assert_eq!(log.len(), 5);
    for entry in &log[3..] {
        let by: Vec<&str> =
            entry["signedBy"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
        assert_eq!(by, [&*keyid(&project), &*second]);
    }
    project.json(&["evidence", "3", "--out", "out"]);
    assert_eq!(project.json(&["verify-evidence", "out"])["signedBy"].as_array().unwrap().len(), 2);
    // Without the first the second is one of two.
    project.variables.push(("GREFFE_KEY_SOURCE".to_owned(), "file:second.pem".to_owned()));
    project.ends(3, ["rollback", "--steps", "1"]).says(&says[..2]);
    project.variables.push(("GREFFE_KEY_ALSO".to_owned(), "env:GREFFE_KEY".to_owned()));
    project.ok(["rollback", "--steps", "1"]);
    project.verify();
}

#[test]
fn a_first_key_that_could_not_sign_the_head_ends_a_run_before_it() {
    let project = Project::with(&THREE[..2]);
    project.ok(["apply"]);
    project.scripts(&THREE[2..4]);
    new_key(&project, "stranger");
    // Beside it is one that may sign the entries, and signs no head.
    let with = ["apply", "--key", "file:stranger.pem", "--key-also", "env:GREFFE_KEY"];
    project.unchanged(|| project.ends(3, with)).says(&[
        "may not sign entry 2",
        "cannot sign a head",
        "key.source",
        "greffe trust show",
    ]);
    project.ok(["apply", "--key", "env:GREFFE_KEY", "--key-also", "file:stranger.pem"]);
    project.verify();
}

#[test]
fn a_document_that_nobody_could_follow_is_refused() {
    let project = two_of_three();
    let first = keyid(&project);
    let (a, b) = (keyid_of(&project, "a"), keyid_of(&project, "b"));
    let propose = |arguments: &[&str]| {
        let all = ["trust", "propose", "--out", "p2.json"].iter().chain(arguments);
        project.unchanged(|| project.ends(2, all)).says(&["hint:"]);
    };
    propose(&["--retire", &first]);
    propose(&["--retire", &a, "--retire", &b]);
    propose(&["--revoke", &a, "--revoke", &b, "--since", "2"]);
    propose(&["--threshold", "root=4"]);
    propose(&["--threshold", "root=0"]);
    propose(&["--threshold", "signer=2"]);
    propose(&["--threshold", "approver=1"]);
    propose(&["--roles", &format!("{first}=approver")]);
    propose(&[]);
    propose(&["--retire", "00000000"]);
    propose(&["--add-key", "a.pub", "--role", "root"]);
    propose(&["--add-key", "a.pem", "--role", "root"]);
    for half in [["--revoke", &a], ["--add-key", "a.pub"], ["--role", "root"]] {
        project.unchanged(|| project.ends(2, ["trust", "propose", "--out", "p2.json", half[0], half[1]]));
    }
    // Nor is one that was written by hand signed or appended.
    project.ok(["trust", "propose", "--out", "p3.json", "--retire", &a]);
    let text = String::from_utf8(project.read("p3.json")).unwrap();
    project.write("p4.json", text.replace("\\\"root\\\": 2", "\\\"root\\\": 3"));
    project.write("p5.json", text.replace("\\\"label\\\": \\\"root\\\"", "\\\"label\\\": \\\"Root\\\""));
    for file in ["p4.json", "p5.json"] {
        for action in ["sign", "apply"] {
            let run = project.unchanged(|| project.run(["trust", action, file]));
            assert_ne!(run.code, 0);
            run.says(&["error:", "hint:"]);
        }
    }
}

/// The proposal with another event in its envelope, everything else as it was.
fn with_payload(text: &[u8], change: impl Fn(String) -> String) -> String {
    let mut proposal: Value = serde_json::from_slice(text).unwrap();
    let payload = BASE64.decode(proposal["envelope"]["payload"].as_str().unwrap().as_bytes()).unwrap();
    let payload = change(String::from_utf8(payload).unwrap());
    proposal["envelope"]["payload"] = BASE64.encode(payload.as_bytes()).into();
    proposal.to_string()
}

#[test]
fn a_proposal_that_hides_something_is_not_signed() {
    let project = Project::applied();
    new_key(&project, "new");
    project.ok(["trust", "propose", "--out", "p.json", "--add-key", "new.pub", "--role", "signer"]);
    let good = project.read("p.json");
    let hostile = |change: &dyn Fn(String) -> String| {
        project.write("h.json", with_payload(&good, change));
        let run = project.unchanged(|| project.run(["trust", "sign", "h.json", "--yes"]));
        assert!(matches!(run.code, 1 | 2), "{run:#?}");
        run.says(&["hint:"]);
        run.stderr
    };
    let kind = hostile(&|text| text.replace("\"event\":\"trust\"", "\"event\":\"drift\""));
    assert!(kind.contains("`drift` event"), "{kind}");
    let more = hostile(&|text| text.replacen("\"event\":\"trust\"", "\"event\":\"trust\",\"note\":\"x\"", 1));
    assert!(more.contains("says more"), "{more}");
    let space = hostile(&|text| text.replacen("\"event\":\"trust\"", "\"event\": \"trust\"", 1));
    assert!(space.contains("says more"), "{space}");
    let twice = hostile(&|text| text.replacen("\"seq\":", "\"seq\":1,\"seq\":", 1));
    assert!(twice.contains("twice"), "{twice}");
    let digest = hostile(&|text| {
        let at = text.find("\"sha256\":\"").unwrap() + 10;
        format!("{}{}{}", &text[..at], "0".repeat(64), &text[at + 64..])
    });
    assert!(digest.contains("another trust document"), "{digest}");
    // What comes after an event of the future could not be appended.
    let at = serde_json::from_slice::<Value>(&good).unwrap()["envelope"]["payload"].clone();
    let at: Value = serde_json::from_slice(&BASE64.decode(at.as_str().unwrap().as_bytes()).unwrap()).unwrap();
    let at = at["predicate"]["finishedAt"].as_str().unwrap().to_owned();
    project.write("f.json", with_payload(&good, |text| text.replace(&at, "2099-01-01T00:00:00.000000Z")));
    project.ok(["trust", "sign", "f.json", "--yes"]);
    project.unchanged(|| project.ends(2, ["trust", "apply", "f.json"])).says(&["2099-01-01", "clock"]);
    // Another place in the chain.
    hostile(&|text| text.replacen("\"seq\":4", "\"seq\":3", 1));
    project.write("h.json", [b"x", good.as_slice()].concat());
    project.ends(2, ["trust", "sign", "h.json", "--yes"]).says(&["h.json"]);
    project.ends(3, ["trust", "sign", "absent.json", "--yes"]).says(&["absent.json"]);
    // Signatures that are not over this proposal.
    project.ok(["trust", "sign", "p.json", "--yes"]);
    let signed: Value = serde_json::from_slice(&project.read("p.json")).unwrap();
    project.ok(["trust", "propose", "--out", "q.json", "--add-key", "new.pub", "--role", "root"]);
    let mut other: Value = serde_json::from_slice(&project.read("q.json")).unwrap();
    other["envelope"]["signatures"] = signed["envelope"]["signatures"].clone();
    project.write("q.json", other.to_string());
    project.unchanged(|| project.ends(1, ["trust", "apply", "q.json"])).says(&["not over this proposal"]);
    project.ends(2, ["trust", "apply", "p.json", "h.json"]);
    project.ok(["trust", "apply", "p.json"]);
    project.verify();
}

#[test]
fn witnesses_and_authorities_are_part_of_the_document() {
    let project = Project::applied();
    project.write("policy.txt", POLICY);
    output_of(
        tool("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ed25519",
                "-nodes",
                "-days",
                "30",
                "-subj",
                "/CN=local authority",
            ])
            .arg("-keyout")
            .arg(project.path("tsa.key"))
            .arg("-out")
            .arg(project.path("tsa.pem")),
    );
    project.ok(["trust", "propose", "--out", "p.json", "--policy", "policy.txt", "--authority", "tsa.pem"]);
    project.ends(2, ["trust", "propose", "--out", "x.json", "--authority", "tsa.key"]).says(&["private key"]);
    project.ends(2, ["trust", "propose", "--out", "x.json", "--authority", "policy.txt"]);
    project.ok(["trust", "sign", "p.json", "--yes"]).says(&["sets another policy", "timestamp authority"]);
    project.ok(["trust", "apply", "p.json"]);
    let shown = project.json(&["trust", "show"]);
    assert_eq!(shown["policy"], POLICY);
    let sha256 = shown["authorities"][0]["sha256"].as_str().unwrap().to_owned();
    assert_eq!(shown["authorities"][0]["pem"].as_str().unwrap().as_bytes(), project.read("tsa.pem"));
    project.ok(["trust", "propose", "--out", "q.json", "--remove-policy", "--remove-authority", &sha256]);
    project.ok(["trust", "sign", "q.json", "--yes"]);
    project.ok(["trust", "apply", "q.json"]);
    let shown = project.json(&["trust", "show"]);
    assert_eq!((&shown["policy"], &shown["authorities"]), (&"".into(), &serde_json::json!([])));
    project.verify();
}

/// A policy with the witness of C2SP's own example.
const POLICY: &str =
    "witness w1 witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU\nquorum none\n";

#[test]
fn other_programs_accept_the_signatures_of_a_proposal() {
    let project = two_of_three();
    let a = keyid_of(&project, "a");
    project.ok(["trust", "propose", "--out", "p.json", "--roles", &format!("{a}=root,approver")]);
    sign(&project, "p.json", "a");
    sign(&project, "p.json", "c");
    let proposal: Value = serde_json::from_slice(&project.read("p.json")).unwrap();
    project.write("envelope.json", proposal["envelope"].to_string());
    project.write("keys.json", project.json(&["trust", "show"])["keys"].to_string());
    project.write("check.py", SECURESYSTEMSLIB);
    let python = std::env::var_os("GREFFE_TEST_PYTHON").expect("run ./tests/run, or set GREFFE_TEST_PYTHON");
    let run = || {
        let mut command = std::process::Command::new(&python);
        command.arg("-B").arg("check.py").current_dir(project.folder()).output().unwrap()
    };
    let accepted = run();
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
    assert_eq!(String::from_utf8_lossy(&accepted.stdout).trim(), "2 keys");
    // One key twice is one key for it, too.
    let mut envelope = proposal["envelope"].clone();
    envelope["signatures"][1] = envelope["signatures"][0].clone();
    project.write("envelope.json", envelope.to_string());
    assert!(!run().status.success());
    // And openssl, with the message that DSSE has signed.
    let payload = BASE64.decode(proposal["envelope"]["payload"].as_str().unwrap().as_bytes()).unwrap();
    let message = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).into_bytes();
    project.write("message", [message, payload].concat());
    let signatures = proposal["envelope"]["signatures"].as_array().unwrap();
    let by_a = signatures.iter().find(|signature| signature["keyid"] == a.as_str()).unwrap();
    project.write("signature", BASE64.decode(by_a["sig"].as_str().unwrap().as_bytes()).unwrap());
    let mut verify = tool("openssl");
    verify.current_dir(project.folder()).args([
        "pkeyutl",
        "-verify",
        "-inkey",
        "a.pem",
        "-rawin",
        "-in",
        "message",
        "-sigfile",
        "signature",
    ]);
    assert!(output_of(&mut verify).contains("Verified Successfully"));
}

/// Accepts an envelope that two of the keys signed.
const SECURESYSTEMSLIB: &str = r#"
import base64, json
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
keys = [SSlibKey(key["keyid"], "ed25519", "ed25519", {"public": base64.b64decode(key["public"]).hex()})
        for key in json.load(open("keys.json"))]
accepted = Envelope.from_dict(json.load(open("envelope.json"))).verify(keys, 2)
print(len(accepted), "keys")
"#;

/// Runs a drill of docs/trust.md as a reader would; what it prints.
fn run_drill(project: &Project, name: &str, variables: &[(&str, &str)]) -> String {
    let page = include_str!("../../docs/trust.md");
    let variables: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    Shell::of(project).run(&(variables + block_below(page, &format!("drill: {name}"))), 0)
}

#[test]
fn the_drills_of_the_documentation_are_run() {
    let mut project = Project::applied();
    let first = keyid(&project);
    run_drill(&project, "setup", &[("FIRST", &first)]);
    let shown = project.json(&["trust", "show"]);
    assert_eq!((&shown["thresholds"]["root"], &shown["version"]), (&2.into(), &2.into()));

    // Of a copy, whose entries need two keys from then on.
    let twice = project.copy();
    run_drill(&twice, "two-signers", &[]);
    twice
        .ends(3, ["rollback", "--steps", "1"])
        .says(&["1 of the keys given may sign as Signer", "--key-also"]);

    run_drill(&project, "replaced", &[("OLD", &first)]);
    project.ends(3, ["rollback", "--steps", "1"]);
    project.ok(["rollback", "--steps", "1", "--key", "file:signer-2.pem"]);
    project.verify();
    project.variables.push(("GREFFE_KEY_SOURCE".to_owned(), "file:signer-2.pem".to_owned()));

    run_drill(&project, "lost", &[("LOST", &keyid_of(&project, "root-1"))]);
    // The thief runs a migration with the stolen key.
    let thief = project.copy();
    project.ok(["apply"]);
    let seq = project.log().len() - 1;
    let stolen = keyid_of(&project, "signer-2");
    let heads = run_drill(&project, "before", &[]);
    assert!(heads.contains(&project.head()) && heads.contains("nobody else vouched for it"), "{heads}");
    let said = run_drill(&project, "stolen", &[("STOLEN", &stolen), ("SEQ", &seq.to_string())]);
    assert!(said.contains("the entries of the thief are findings"), "{said}");
    let report = project.ends(1, ["verify", &project.head(), "--json"]).object();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{report:#}");
    assert_eq!((&findings[0]["seq"], &findings[0]["code"]), (&seq.into(), &"compromised".into()));
    // Before the theft everything stands.
    thief.verify();
    project.ok(["rollback", "--steps", "1", "--key", "file:signer-3.pem"]);
    project.ends(3, ["apply", "--key", "file:signer-2.pem"]);
}

#[test]
fn the_access_chain_changes_its_keys_the_same_way() {
    let project = Project::with(&THREE).publishing("sealed");
    project.ok(["apply"]);
    project.ok(["show", "1", "--script"]);
    let old = keyid(&project);
    new_key(&project, "new");
    let shown = project.json(&["trust", "show", "--name", "demo-access"]);
    let chain = shown["chain"].as_str().unwrap();
    let of = ["--name", "demo-access", "--chain", chain, "trust"];
    let run = |arguments: &[&str]| project.ok(of.iter().chain(arguments));
    run(&["propose", "--out", "p.json", "--add-key", "new.pub", "--role", "root,signer", "--retire", &old]);
    run(&["sign", "p.json", "--yes"]);
    run(&["sign", "p.json", "--yes", "--key", "file:new.pem"]);
    run(&["apply", "p.json", "--key", "file:new.pem"]);
    project.ends(3, ["show", "1", "--script"]);
    project.ok(["show", "1", "--script", "--key", "file:new.pem"]);
    let report = project.json(&["verify", "archive/demo-access.car"]);
    assert_eq!((&report["verified"], &report["entries"]), (&true.into(), &4.into()), "{report:#}");
    project.verify();
}
