//! The signing key: made, read in every form, and shown by nothing.

use std::os::unix::fs::PermissionsExt as _;

use data_encoding::{BASE64, BASE64_MIME, HEXLOWER};

use crate::project::{PASSPHRASE, Project, SEED, THREE, secrets_of};
use crate::tools::{output_of, tool};

/// A project whose key is an encrypted file that `init` made.
fn encrypted() -> Project {
    let mut project = Project::empty();
    project.variables.clear();
    project.scripts(&THREE);
    project.ok(["init", "--name", "demo", "--database", "sqlite:app.db"]);
    project
}

#[test]
fn a_generated_key_is_private_and_opened_by_openssl_with_its_passphrase_only() {
    let project = encrypted();
    let path = project.path("greffe.key.pem");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let mut pkey = tool("openssl");
    pkey.args(["pkey", "-pubout", "-outform", "DER", "-passin", &format!("pass:{PASSPHRASE}"), "-in"])
        .arg(&path);
    let public = pkey.output().unwrap();
    assert!(public.status.success(), "{}", String::from_utf8_lossy(&public.stderr));
    let public = BASE64.encode(&public.stdout[public.stdout.len() - 32..]);
    assert_eq!(project.json(&["key", "show"])["public"], public);
    let wrong =
        tool("openssl").args(["pkey", "-noout", "-passin", "pass:other", "-in"]).arg(&path).output().unwrap();
    assert!(!wrong.status.success());
}

#[test]
fn the_keyid_is_what_in_toto_computes() {
    let project = Project::empty();
    let shown = project.json(&["key", "show"]);
    let public = HEXLOWER.encode(&BASE64.decode(shown["public"].as_str().unwrap().as_bytes()).unwrap());
    let text = format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}"#);
    project.write("key.json", text);
    let digest = output_of(tool("openssl").args(["dgst", "-sha256", "-r"]).arg(project.path("key.json")));
    assert!(digest.starts_with(shown["keyid"].as_str().unwrap()), "{digest}");
}

#[test]
fn a_wrong_or_missing_passphrase_changes_nothing() {
    let project = encrypted();
    for (name, passphrase, says) in
        [("wrong", "something else", "passphrase"), ("none", "", "GREFFE_KEY_PASSPHRASE")]
    {
        let mut project = project.copy();
        project.variables.push(("GREFFE_KEY_PASSPHRASE".to_owned(), passphrase.to_owned()));
        let archive = project.read("archive/demo.car");
        let run = project.ends(2, ["apply"]);
        run.says(&["error:", says, "hint:"]);
        assert_eq!(project.read("archive/demo.car"), archive, "{name}");
        assert_eq!(project.tables(), "", "{name}");
        project.variables.clear();
        project.ok(["apply"]);
        project.verify();
    }
}

#[test]
fn generate_never_replaces_a_file_and_import_keeps_the_key() {
    let project = Project::empty();
    let generated = project.json(&["key", "generate", "--out", "a.pem"]);
    project.unchanged(|| project.ends(2, ["key", "generate", "--out", "a.pem"])).says(&["a.pem", "hint:"]);
    project.ok(["key", "generate", "--out", "b.pem", "--plain"]);
    assert!(String::from_utf8(project.read("b.pem")).unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
    for name in ["a.pem", "b.pem"] {
        assert_eq!(project.path(name).metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    }
    let imported = project.json(&["key", "import", "--out", "c.pem", "--key", "file:a.pem"]);
    assert_eq!(imported["keyid"], generated["keyid"]);
    let shown = project.json(&["key", "show", "--key", "file:c.pem"]);
    assert_eq!(shown["keyid"], generated["keyid"]);
}

#[test]
fn openssh_keys_sign_plain_and_encrypted() {
    for passphrase in ["", PASSPHRASE] {
        let mut project = Project::empty();
        let path = project.path("id");
        output_of(
            tool("ssh-keygen").args(["-q", "-t", "ed25519", "-C", "", "-N", passphrase, "-f"]).arg(&path),
        );
        project.variables.clear();
        project.scripts(&THREE);
        project.ok(["init", "--name", "demo", "--database", "sqlite:app.db", "--key", "file:id"]);
        project.ok(["apply"]);
        project.verify();
        let public = String::from_utf8(project.read("id.pub")).unwrap();
        let blob = BASE64.decode(public.split(' ').nth(1).unwrap().trim().as_bytes()).unwrap();
        assert_eq!(project.json(&["key", "show"])["public"], BASE64.encode(&blob[blob.len() - 32..]));
    }
}

#[test]
fn keys_that_are_not_ed25519_are_refused() {
    let mut project = Project::empty();
    project.variables.clear();
    output_of(
        tool("ssh-keygen").args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"]).arg(project.path("ssh")),
    );
    output_of(
        tool("openssl").args(["genpkey", "-algorithm", "RSA", "-quiet", "-out"]).arg(project.path("rsa.pem")),
    );
    output_of(
        tool("openssl").args(["genpkey", "-algorithm", "X25519", "-out"]).arg(project.path("x25519.pem")),
    );
    project.write("empty.pem", "");
    project.write("text.pem", "not a key");
    project.write("cut.pem", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n");
    for name in ["ssh", "rsa.pem", "x25519.pem", "empty.pem", "text.pem", "cut.pem", "absent.pem"] {
        let source = format!("file:{name}");
        let init = ["init", "--name", "demo", "--database", "sqlite:app.db", "--key", &source];
        project.unchanged(|| project.ends(2, init)).says(&["key", "hint:"]);
    }
}

#[test]
fn a_key_of_openssl_signs() {
    let mut project = Project::empty();
    project.variables.clear();
    for (name, encrypt) in [("plain.pem", None), ("encrypted.pem", Some(format!("pass:{PASSPHRASE}")))] {
        let mut genpkey = tool("openssl");
        genpkey.args(["genpkey", "-algorithm", "ED25519", "-out"]).arg(project.path(name));
        if let Some(pass) = &encrypt {
            genpkey.args(["-aes-256-cbc", "-pass", pass]);
        }
        output_of(&mut genpkey);
        project.ok(["key", "show", "--key", &format!("file:{name}")]);
    }
}

#[test]
fn a_key_that_nobody_trusts_makes_a_finding_and_not_an_archive_that_cannot_be_verified() {
    let project = Project::with(&THREE);
    project.ok(["key", "generate", "--out", "other.pem", "--plain"]);
    let archive = project.read("archive/demo.car");
    let run = project.run(["apply", "--key", "file:other.pem"]);
    assert_ne!(run.code, 0, "{run:#?}");
    run.says(&["key"]);
    assert_eq!(project.read("archive/demo.car"), archive);
    // The right key goes on as if nothing had been.
    project.ok(["apply"]);
    project.verify();
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2", "apply 3"]);
}

#[test]
fn no_command_prints_the_key() {
    // Every run of every test looks for the secrets in both streams; here the ways that might leak are gone through.
    let project = Project::with(&THREE);
    let mut bad = project.copy();
    let pem = crate::project::plain_key();
    let broken = pem.replace("MC4", "AAA");
    bad.secrets.push(broken.lines().nth(1).unwrap().to_owned());
    bad.variables = vec![("GREFFE_KEY".to_owned(), broken), ("RUST_BACKTRACE".to_owned(), "full".to_owned())];
    bad.ends(2, ["apply"]);
    bad.ends(2, ["apply", "--json"]);
    for arguments in [
        vec!["key", "show"],
        vec!["apply"],
        vec!["apply", "--key", &pem],
        vec!["apply", "--passphrase", PASSPHRASE],
        vec!["apply", "--database", &pem],
        vec!["status", "--key", SEED_TEXT],
        vec!["log"],
        vec!["show", "1"],
        vec!["rollback", "--steps", "1"],
        vec!["init"],
    ] {
        project.run(&arguments);
        project.run(arguments.iter().chain(&["--json"]));
    }
    project.write(
        "greffe.toml",
        format!("[key]\nsource = '''{pem}'''\npassphrase = \"{PASSPHRASE}\"\nxx = 1\n"),
    );
    project.ends(2, ["apply"]);
    project.write("greffe.toml", format!("source = {pem}\n{PASSPHRASE}\n"));
    project.ends(2, ["apply", "--json"]);
}

const SEED_TEXT: &str = "seed of tests; it signs nothing.";

#[test]
fn a_generated_key_is_printed_by_nothing_either() {
    let mut project = Project::empty();
    project.variables.clear();
    project.scripts(&THREE);
    project.ok(["key", "generate", "--out", "k.pem", "--plain"]);
    let pem = String::from_utf8(project.read("k.pem")).unwrap();
    let der = BASE64_MIME.decode(pem.lines().nth(1).unwrap().as_bytes()).unwrap();
    project.secrets = secrets_of(&der[16..48]);
    project.ok(["init", "--name", "demo", "--database", "sqlite:app.db", "--key", "file:k.pem"]);
    project.ok(["apply"]);
    project.ok(["apply", "--json"]);
    project.ok(["key", "show", "--json"]);
    project.ok(["log", "--json"]);
    for (name, bytes) in project.files() {
        let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(name.ends_with("k.pem") || !holds(&der[16..48]), "{}", name.display());
    }
    assert_ne!(&der[16..48], SEED);
}

#[test]
fn the_key_may_come_from_a_variable_of_any_name_and_from_a_file() {
    let mut project = Project::empty();
    let text = project.variables[0].1.clone();
    let keyid = project.json(&["key", "show"])["keyid"].clone();
    project.variables = vec![("CI_SIGNING_KEY".to_owned(), text.clone())];
    assert_eq!(project.json(&["key", "show", "--key", "env:CI_SIGNING_KEY"])["keyid"], keyid);
    project.variables = vec![("GREFFE_KEY_SOURCE".to_owned(), "file:k.pem".to_owned())];
    project.write("k.pem", text);
    assert_eq!(project.json(&["key", "show"])["keyid"], keyid);
}
