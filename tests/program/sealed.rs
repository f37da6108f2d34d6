//! Sealed files: nothing in clear, everything opens with the vault, and what is erased opens for nobody.

use std::collections::HashMap;

use greffe::chain::{Fetched, Options, Report, SealedFile, SealedState, Verifier};
use greffe::model::Cid;
use serde_json::{Value, json};

use crate::canary::blocks;
use crate::project::{Project, THREE, VAULT_OWNER};
use crate::servers::Postgres;

/// A text that stands in a script and must be nowhere else.
const CANARY: &str = "Zephyrine-Quatremer-7741";

fn sealed() -> Project {
    let project = Project::with(&THREE).publishing("sealed");
    project.script(
        "4_names.up.sql",
        format!("-- purpose: {CANARY}\nINSERT INTO authors (name) VALUES ('{CANARY}');\n"),
    );
    project.script("4_names.down.sql", format!("DELETE FROM authors WHERE name = '{CANARY}';\n"));
    project.ok(["apply"]);
    project
}

fn states(project: &Project) -> Value {
    project.json(&["verify", &project.head(), "--open"])["sealedStates"].clone()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn nothing_of_a_script_is_in_the_archive_in_clear() {
    let project = sealed();
    let archive = project.read("archive/demo.car");
    for text in [CANARY, "authors", "books", "INSERT", "seed.up", "keeps the books", "4_names"] {
        assert!(!contains(&archive, text), "{text}");
    }
    let entry = project.json(&["show", "4"]);
    assert_eq!(entry["event"]["migration"]["name"], Value::Null);
    assert_eq!(entry["event"]["migration"]["purpose"], Value::Null);
    assert_eq!(entry["event"]["digests"], json!({}));
    let names: Vec<&str> =
        entry["files"].as_array().unwrap().iter().filter_map(|file| file["name"].as_str()).collect();
    assert_eq!(names, ["1.sealed", "0.sealed"]);
    let commitment = entry["event"]["commitments"]["0.sealed"].as_str().unwrap();
    assert!(commitment.starts_with("hmac-sha256:") && commitment.len() == 76, "{commitment}");
}

#[test]
fn everything_works_with_the_vault_at_hand() {
    let project = sealed();
    assert_eq!(project.ok(["show", "4", "--script"]).stdout.matches(CANARY).count(), 2);
    assert_eq!(states(&project)["open"], 8);
    project.ok(["audit"]).prints(&["no difference"]);
    let replayed = project.json(&["replay", &project.head()]);
    assert_eq!(replayed["holds"], true, "{replayed:#}");
    project.script("4_names.down.sql", "SELECT 1;\n");
    let run = project.ok(["rollback", "--steps", "1"]);
    assert_eq!(
        project.sql(&format!("SELECT count(*) FROM authors WHERE name = '{CANARY}'")),
        "0",
        "{run:#?}"
    );
    project.script("4_names.up.sql", "-- other\nSELECT 2;\n");
    project.ok(["apply"]);
    project.script("4_names.up.sql", "SELECT 3;\n");
    project.ends(1, ["audit"]).prints(&["differs"]);
    project.verify();
}

#[test]
fn without_the_owners_key_the_chain_verifies_and_nothing_opens() {
    let mut project = sealed();
    project.variables.retain(|(name, _)| name != "GREFFE_VAULT_KEY");
    let report = project.json(&["verify", &project.head()]);
    assert_eq!((&report["verified"], &report["sealed"]), (&json!(true), &json!(8)));
    assert_eq!(report["sealedStates"]["sealed"], 8);
    project.ends(2, ["verify", &project.head(), "--open"]).says(&["GREFFE_VAULT_KEY"]);
    project.ends(2, ["show", "4", "--script"]).says(&["vault"]);
    // Who only seals needs no key of the owner; ways down are those of the folder while nobody changed them.
    project.script("5_more.up.sql", "CREATE TABLE more (id INTEGER);");
    project.script("5_more.down.sql", "DROP TABLE more;");
    project.ok(["apply"]);
    project.ok(["rollback", "--steps", "1"]);
    project.script("4_names.down.sql", "SELECT 1;\n");
    project.ends(2, ["rollback", "--steps", "1"]).says(&["vault"]);
    project.verify();
}

#[test]
fn what_is_published_is_what_the_settings_say() {
    let schema = Project::applied();
    let files = |project: &Project, seq: &str| {
        let entry = project.json(&["show", seq]);
        let files = entry["files"].as_array().unwrap().iter();
        files.map(|file| file["sealed"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(files(&schema, "2"), [false, false]);
    assert_eq!(files(&schema, "3"), [true, true]);
    let all = Project::with(&THREE).publishing("all");
    let run = all.ends(1, ["apply"]);
    run.says(&["carries data", "publish"]);
    let code = Project::with(&THREE[..2]).publishing("all");
    code.script("2_view.up.sql", "CREATE VIEW named AS SELECT 'x' || name AS name FROM authors;");
    code.ok(["apply"]);
    assert_eq!(files(&code, "2"), [false]);
    let wrong = Project::with(&THREE).publishing("some");
    wrong.ends(2, ["apply"]).says(&["GREFFE_PUBLISH", "sealed"]);
}

#[test]
fn secrets_and_people_stop_a_run_before_it_begins() {
    let project = Project::with(&THREE[..4]).publishing("sealed");
    let secret = ["ghp_", &"a1B2c3D4e5".repeat(4)[..36]].concat();
    project.script("3_token.up.sql", format!("INSERT INTO authors (name) VALUES ('{secret}');"));
    let run = project.ends(1, ["apply"]);
    run.says(&["3_token.up.sql", "line 1", "github-token"]);
    assert!(!run.stderr.contains(&secret));
    project.remove("migrations/3_token.up.sql");
    let people = "INSERT INTO authors (name) VALUES ('jeanne.morel@mairie-lyon.fr');";
    project.script("3_people.up.sql", people);
    let run = project.unchanged(|| project.ends(1, ["apply"]));
    run.says(&["3_people.up.sql", "email", "waiver"]);
    assert!(!run.stderr.contains("jeanne"));
    let waived = |until: &str| format!("-- waiver: email {until} our own office\n{people}");
    project.script("3_people.up.sql", waived("2020-01-01"));
    project.ends(1, ["apply"]).says(&["email"]);
    project.script("3_people.up.sql", waived("2099-12-31"));
    project.ok(["apply"]);
    assert!(!contains(&project.read("archive/demo.car"), "jeanne"));
    project.script("4_jean.martin@mairie-lyon.fr.up.sql", "CREATE TABLE t (id INTEGER);");
    let run = project.ends(1, ["apply"]);
    run.says(&["name"]);
    assert!(!run.stderr.contains("martin"), "{run:#?}");
}

#[test]
fn an_erasure_destroys_keys_and_the_chain_says_so() {
    let project = sealed();
    let backup = project.path("old.age").display().to_string();
    let before = project.copy();
    project.ends(2, ["erase", "--event", "4", "--basis", "because", "--request", "R-1"]).says(&["art17"]);
    project.ends(2, ["erase", "--event", "4", "--basis", "art17.1.a", "--request", "Jean Martin"]);
    project.ok(["vault", "export", "--out", &backup]);
    project.ok(["vault", "hold", "case-9", "--event", "4", "--reason", "lawsuit"]);
    let erase = ["erase", "--event", "4", "--basis", "art17.1.a", "--request", "R-2026-0042"];
    project.unchanged(|| project.ends(2, erase)).says(&["case-9", "release"]);
    project.ok(["vault", "release", "case-9"]);
    let run = project.ok(erase);
    run.prints(&["erased 2 sealed file(s) as entry 5", "effective"]);
    let report = project.json(&["verify", &project.head(), "--open"]);
    assert_eq!(report["verified"], true, "{report:#}");
    assert_eq!((&report["sealedStates"]["open"], &report["sealedStates"]["erased"]), (&json!(6), &json!(2)));
    let event = &project.json(&["show", "5"])["event"];
    assert_eq!(
        (&event["event"], &event["basis"], &event["request"]),
        (&json!("erase"), &json!("art17.1.a"), &json!("R-2026-0042"))
    );
    assert!(event["effectiveAt"].as_str() > event["finishedAt"].as_str(), "a backup has the keys: {event:#}");
    project.ends(3, ["show", "4", "--script"]).says(&["sealed"]);
    // Asked again, there is nothing left to do or to say.
    let again = project.json(&erase);
    assert_eq!((&again["seq"], &again["before"]), (&Value::Null, &json!(2)));
    // No byte of a key that was destroyed is left in the file of the vault.
    let event = project.json(&["show", "4"])["event"]["id"].as_str().unwrap().to_owned();
    let query = format!("SELECT hex(wrapped) FROM vault_content_key WHERE event = '{event}'");
    let keys = project.sql_of(&before.path("greffe.vault.db"), &query);
    let (old, new) = (before.read("greffe.vault.db"), project.read("greffe.vault.db"));
    assert_eq!(keys.lines().count(), 2);
    for key in keys.lines() {
        let key = data_encoding::HEXUPPER.decode(key.as_bytes()).unwrap();
        let holds = |bytes: &[u8]| bytes.windows(key.len()).any(|window| window == key);
        assert!(holds(&old) && !holds(&new));
    }
    // A backup brings nothing back that was erased.
    project.ok(["vault", "import", &backup]).prints(&["stay erased"]);
    assert_eq!(states(&project)["erased"], 2);
    std::fs::remove_file(project.path("greffe.vault.db")).unwrap();
    project.ends(2, ["verify", &project.head(), "--open"]).says(&["no vault"]);
    project.ok(["vault", "init"]);
    project.ok(["vault", "import", &backup]);
    let states = states(&project);
    assert_eq!((&states["open"], &states["erased"]), (&json!(6), &json!(2)), "{states:#}");
    project.script("5_more.up.sql", "CREATE TABLE more (id INTEGER);");
    project.ok(["apply"]);
    project.ok(["audit"]);
    project.verify();
}

#[test]
fn somebody_is_forgotten_with_all_that_they_did() {
    let project = sealed();
    let pseudonym = project.json(&["show", "4"])["event"]["actor"]["pseudonym"].as_str().unwrap().to_owned();
    project.fed(["vault", "person", &pseudonym], &format!("{CANARY}\n"));
    assert!(!contains(&project.read("greffe.vault.db"), CANARY));
    project.ok(["vault", "person", &pseudonym, "--show"]).prints(&[CANARY]);
    let erase = ["erase", "--actor", &pseudonym, "--basis", "art17.1.b", "--request", "R-7"];
    project.ok(["vault", "hold", "tax", "--event", "2", "--reason", "ten years"]);
    let partial = project.ends(1, erase.iter().copied().chain(["--json"])).object();
    assert_eq!((&partial["partial"], &partial["held"][0]["hold"]), (&json!(true), &json!("tax")));
    project.ok(["vault", "person", &pseudonym, "--show"]).prints(&[CANARY]);
    project.ok(["vault", "release", "tax"]);
    project.ok(erase).prints(&["forgotten"]);
    project.ok(["vault", "person", &pseudonym, "--show"]).prints(&["erased"]);
    assert_eq!(states(&project)["erased"], 8);
    project.verify();
}

#[test]
fn keys_that_vanish_are_lost() {
    let project = sealed();
    let database = project.path("greffe.vault.db");
    project.sql_of(&database, "UPDATE vault_content_key SET wrapped = NULL WHERE rowid = 1");
    let report = project.ends(1, ["verify", &project.head(), "--open", "--json"]).object();
    assert_eq!(report["findings"][0]["code"], "sealed-lost", "{report:#}");
    assert_eq!((&report["sealedStates"]["lost"], &report["sealedStates"]["open"]), (&json!(1), &json!(7)));
}

/// What verification says of the sealed files when the block `changed` has other bytes.
fn verified(root: Cid, blocks: &HashMap<Cid, Vec<u8>>, changed: Option<(Cid, &[u8])>) -> Report {
    let options = Options { sealed_files: true, ..Options::default() };
    let mut verifier = Verifier::new(root, options);
    while let Some(cid) = verifier.want() {
        let bytes = match changed {
            Some((other, bytes)) if other == cid => Some(bytes.to_vec()),
            _ => blocks.get(&cid).cloned(),
        };
        verifier.feed(&cid, bytes.map_or(Fetched::Missing, Fetched::Block));
        for check in verifier.take_checks() {
            verifier.absorb(check.run());
        }
    }
    verifier.finish()
}

#[test]
fn every_byte_of_a_sealed_file_that_changes_is_tampering() {
    let project = Project::with(&THREE[..2]).publishing("sealed");
    project.ok(["apply"]);
    let root: Cid = project.head().parse().unwrap();
    let car = project.read("archive/demo.car");
    let blocks: HashMap<Cid, Vec<u8>> =
        blocks(&car).into_iter().map(|(cid, bytes)| (cid.parse().unwrap(), bytes)).collect();
    let sound = verified(root, &blocks, None);
    assert!(sound.verified && sound.sealed_files.len() == 2);
    for file in &sound.sealed_files {
        assert_eq!(file.state, SealedState::Sealed);
        let mut bytes = blocks[&file.cid].clone();
        for at in 0..bytes.len() {
            bytes[at] ^= 1 << (at % 8);
            let report = verified(root, &blocks, Some((file.cid, &bytes)));
            bytes[at] ^= 1 << (at % 8);
            let state = |found: &&SealedFile| found.cid == file.cid && found.state == SealedState::Tampered;
            assert_eq!(report.sealed_files.iter().filter(state).count(), 1, "byte {at}");
            assert_eq!((report.verified, report.sealed_states.tampered), (false, 1), "byte {at}");
        }
    }
    // As the program has it, with every key at hand.
    let sealed = &blocks[&sound.sealed_files[0].cid];
    let mut damaged = car.clone();
    let start = car.windows(sealed.len()).position(|window| window == sealed).unwrap();
    damaged[start + sealed.len() / 2] ^= 1;
    project.write("damaged.car", damaged);
    for more in [vec![], vec!["--open"]] {
        let report = project.ends(1, [vec!["verify", "damaged.car", "--json"], more].concat()).object();
        assert_eq!(report["sealedStates"]["tampered"], 1, "{report:#}");
    }
}

#[test]
fn an_auditor_reads_what_was_granted_and_no_more() {
    let project = sealed();
    let mut auditor = Project::empty();
    auditor.variables.retain(|(name, _)| name != "GREFFE_VAULT_KEY");
    auditor.ok(["init", "--name", "auditor", "--database", "sqlite:a.db", "--plain-key"]);
    let recipient = auditor.json(&["vault", "show"])["recipient"].as_str().unwrap().to_owned();
    let grant = auditor.path("grant.age").display().to_string();
    let file = auditor.path("chain.car").display().to_string();
    let ask = |until: &str, purpose: &str| {
        [
            "grant",
            "--to",
            &recipient,
            "--events",
            "4..4",
            "--parts",
            "script",
            "--until",
            until,
            "--purpose",
            purpose,
            "--out",
            &grant,
        ]
        .map(str::to_owned)
    };
    project.ends(2, ask("2020-01-01", "audit")).says(&["until"]);
    project.ends(2, ask("2099-01-01", "asked by jean.martin@mairie-lyon.fr")).says(&["purpose"]);
    project.ok(ask("2099-01-01", "audit 2026")).prints(&["2 key(s) of 1 entries", "access"]);
    assert!(!contains(&std::fs::read(&grant).unwrap(), CANARY));
    project.ok(["export", "--out", &file]);
    let run = auditor.ok(["open", &grant, &file, "--out", "read"]);
    run.prints(&["open     entry 4: 4_names.up.sql"]);
    assert!(contains(&auditor.read("read/4/4_names.up.sql"), CANARY));
    assert!(!auditor.path("read/3").exists());
    // Both sides have it in their access chains, which verify.
    for (name, kind, of) in [("demo-access", "grant", &project), ("auditor-access", "open", &auditor)] {
        let entry = of.json(&["--name", name, "--chain", &chain_of(of, name), "show", "1"]);
        assert_eq!(entry["event"]["access"]["kind"], kind, "{entry:#}");
        assert_eq!(entry["event"]["access"]["purpose"], "audit 2026");
        of.ok(["verify", &of.path(format!("archive/{name}.car")).display().to_string()]);
    }
    // It is of use to nobody else.
    project.ends(2, ["open", &grant, &file]).says(&["somebody else"]);
    let other = Project::applied();
    let others = other.path("archive/demo.car").display().to_string();
    auditor.ends(1, ["open", &grant, &others]).says(&["another chain"]);
    assert!(!format!("{run:?}").contains(VAULT_OWNER));
}

fn chain_of(project: &Project, name: &str) -> String {
    let file = project.path(format!("archive/{name}.car")).display().to_string();
    project.json(&["verify", &file])["chain"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_kept_long_enough_is_erased_by_month() {
    let project = sealed();
    project.ends(2, ["retention", "run"]).says(&["retention"]);
    let run = project.ok(["retention", "run", "--vault-retention", "1d"]);
    run.prints(&["nothing to erase"]);
    let database = project.path("greffe.vault.db");
    project.sql_of(
        &database,
        "PRAGMA defer_foreign_keys = 1; BEGIN; PRAGMA foreign_keys = 0; \
        UPDATE vault_period SET period = '2020-01'; UPDATE vault_batch SET period = '2020-01'; COMMIT",
    );
    project.ok(["retention", "run", "--vault-retention", "10y"]).prints(&["nothing to erase"]);
    project.ok(["retention", "run", "--vault-retention", "1y"]).prints(&["erased 8 sealed file(s)"]);
    let report = project.json(&["verify", &project.head(), "--open"]);
    assert_eq!(
        (&report["verified"], &report["sealedStates"]["erased"]),
        (&json!(true), &json!(8)),
        "{report:#}"
    );
}

#[test]
fn a_run_without_its_vault_changes_nothing() {
    let project = Project::with(&THREE).publishing("sealed");
    std::fs::rename(project.path("greffe.vault.db"), project.path("away.db")).unwrap();
    project.ends(2, ["apply"]).says(&["no vault", "greffe vault init"]);
    assert_eq!(project.tables(), "");
    std::fs::rename(project.path("away.db"), project.path("greffe.vault.db")).unwrap();
    project.ok(["apply"]);
}

#[test]
fn a_team_keeps_its_vault_on_postgresql() {
    let database = Postgres::shared().database("vault");
    let mut project = Project::empty();
    project.variables.push(("VAULT_URL".to_owned(), database.url()));
    project.variables.push(("GREFFE_VAULT_URL".to_owned(), "env:VAULT_URL".to_owned()));
    project.secrets.push(database.user().password.clone());
    let mut project = project.publishing("sealed");
    project.ok(["init", "--name", "demo", "--database", "sqlite:app.db"]);
    assert!(!project.path("greffe.vault.db").exists());
    project.scripts(&THREE);
    project.ok(["apply"]);
    assert_eq!(states(&project)["open"], 6);
    project.ok(["show", "3", "--script"]).prints(&["Ada"]);
    project.ok(["vault", "export", "--out", "vault.age"]);
    project.ok(["erase", "--event", "3", "--basis", "art17.1.a", "--request", "R-1"]);
    let found = states(&project);
    assert_eq!((&found["open"], &found["erased"]), (&json!(4), &json!(2)));
    project.ok(["vault", "hold", "all", "--reason", "lawsuit"]);
    project.ends(2, ["erase", "--event", "2", "--basis", "art17.1.a", "--request", "R-2"]).says(&["all"]);
    let people = project.json(&["show", "1"])["event"]["actor"]["pseudonym"].as_str().unwrap().to_owned();
    project.fed(["vault", "person", &people], "Ada\n");
    project.ok(["vault", "person", &people, "--show"]).prints(&["Ada"]);
    // A backup of one vault goes into another kind of vault of the same owner.
    project.variables.retain(|(name, _)| name != "GREFFE_VAULT_URL");
    let line = "url = \"env:VAULT_URL\"";
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    assert!(settings.contains(line), "{settings}");
    project.write("greffe.toml", settings.replace(line, "url = \"sqlite:other.db\""));
    project.ok(["vault", "init"]);
    project.ok(["vault", "import", "vault.age"]);
    let found = states(&project);
    assert_eq!((&found["open"], &found["erased"]), (&json!(4), &json!(2)));
}
