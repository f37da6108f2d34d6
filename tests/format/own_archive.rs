//! `archive/` holds the chain of greffe's own schema. It is verified here, and built again byte for byte.
//!
//! The key is published (tests/keys): the archive shows the format, it carries no authority. The events
//! are `baseline`, for the scripts were found in this repository, not seen running; times and ids follow
//! from the versions, so that whoever builds it gets the same CIDs. After a migration was added, run the
//! test with the variable `UPDATE_OWN_ARCHIVE` set, which writes the archive anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use greffe::chain::{Appender, Block, NewFile, Options};
use greffe::codec::trust::encode_trust;
use greffe::crypto::{Digest, PrivateKey, parse_private_key};
use greffe::model::{
    Actor, ChainName, Details, Engine, Event, EventId, EventKind, Evidence, Executor, FileDigests,
    MigrationDetails, MigrationName, Outcome, Role, Run, SchemaChange, StatementRun, Target, Timestamp,
};
use greffe::ops::init::sole_key;
use greffe::ops::verify::verify_car;
use greffe::scripts::{Dialect, Migration, read_folder, statements};
use greffe::store::Archive;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn name() -> ChainName {
    "greffe".parse().unwrap()
}

fn demonstration_key() -> PrivateKey {
    let text = std::fs::read_to_string(root("tests/keys/demonstration.pem")).unwrap();
    parse_private_key(&text, None).unwrap()
}

/// A UUID of version 7 that follows from the time and from what it is for.
fn event_id(at: Timestamp, purpose: &str) -> EventId {
    let mut random = [0; 10];
    random.copy_from_slice(&Digest::of(purpose.as_bytes()).0[..10]);
    EventId::from_parts(at, &random)
}

/// Midnight of the day that a version names.
fn day_of(version: &str) -> Timestamp {
    format!("{}-{}-{}T00:00:00.000000Z", &version[..4], &version[4..6], &version[6..8]).parse().unwrap()
}

fn event(kind: EventKind, at: Timestamp, purpose: &str, target: Option<Target>, details: Details) -> Event {
    Event {
        chain: None,
        seq: 0,
        prev: None,
        event: kind,
        id: event_id(at, purpose),
        started_at: at,
        finished_at: at,
        database_clock: None,
        actor: Actor {
            pseudonym: "00000000000000000000000000000001".parse().unwrap(),
            role: "demonstration".into(),
        },
        target,
        executor: Executor { name: "greffe".into(), version: "0".into() },
        run: Run { id: event_id(at, &format!("run of {purpose}")), ci: None },
        details,
    }
}

fn baseline(folder: &str, engine: Engine, migration: &Migration) -> (Event, Vec<NewFile>) {
    let version = migration.version.to_string();
    let scripts = [(Role::Up, Some(&migration.up)), (Role::Down, migration.down.as_ref())];
    let (mut files, mut digests) = (Vec::new(), BTreeMap::new());
    for (role, script) in scripts.into_iter().filter_map(|(role, script)| Some((role, script?))) {
        digests.insert(script.file_name.clone(), FileDigests::of(&script.bytes));
        files.push(NewFile {
            name: script.file_name.parse().unwrap(),
            role,
            bytes: script.bytes.clone(),
            sealed: false,
        });
    }
    let kinds = statements(Dialect::from(engine), migration.up.text().unwrap())
        .into_iter()
        .map(|statement| StatementRun { kind: statement.kind, count: 1, duration_us: 0, rows: None });
    let details = Details::Migration(Box::new(MigrationDetails {
        migration: MigrationName {
            version: format!("{folder}/{version}"),
            name: Some(migration.name.clone()),
            depends_on: migration.header.depends_on.clone(),
            sectors: migration.header.sectors.clone(),
            purpose: migration.header.purpose.clone(),
            impact: migration.header.impact.clone(),
        },
        evidence: Evidence::ImportedExact,
        digests,
        statements: kinds.collect(),
        notices: None,
        schema: SchemaChange { algorithm: "none".into(), before: None, after: None },
        outcome: Outcome::Succeeded,
        error: None,
        commitments: BTreeMap::new(),
        plan: None,
        reverts: None,
        promoted_from: None,
        hooks: Vec::new(),
        direction: None,
        tool: None,
    }));
    let target = Target { name: "greffe's own schema".into(), engine, version: "any".into() };
    let purpose = format!("{folder}/{version}");
    (event(EventKind::Baseline, day_of(&version), &purpose, Some(target), details), files)
}

/// All of greffe's own migrations in the order of their versions.
fn own_migrations() -> Vec<(Event, Vec<NewFile>)> {
    let mut all = Vec::new();
    let folders = [
        ("history/mysql", Engine::Mysql),
        ("history/postgres", Engine::Postgresql),
        ("history/sqlite", Engine::Sqlite),
    ];
    for (folder, engine) in folders {
        for migration in read_folder(&root("migrations").join(folder)).unwrap() {
            all.push((migration.version.clone(), folder, engine, migration));
        }
    }
    all.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    all.into_iter().map(|(_, folder, engine, migration)| baseline(folder, engine, &migration)).collect()
}

/// Builds the archive in `directory`, one run for each migration.
fn build(directory: &Path) {
    let key = demonstration_key();
    let label = "published demonstration key: it shows the format and carries no authority";
    let trust = encode_trust(&sole_key(name(), *key.public(), label));
    let at = "2026-11-22T00:00:00.000000Z".parse().unwrap();
    let genesis = event(EventKind::Genesis, at, "genesis", None, Details::Other { schema: None });
    let file =
        NewFile { name: "trust.json".parse().unwrap(), role: Role::Trust, bytes: trust, sealed: false };
    let (mut chain, mut blocks): (Appender, Vec<Block>) = (Appender::new(), Vec::new());
    let root = chain.append(genesis, vec![file], &[&key], &mut |block| blocks.push(block)).unwrap();
    let head = chain.finish(&key, &mut |block| blocks.push(block)).unwrap();
    let mut archive = Archive::create(directory, &name(), root, &blocks, head).unwrap();
    for (event, files) in own_migrations() {
        let mut blocks = Vec::new();
        chain.append(event, files, &[&key], &mut |block| blocks.push(block)).unwrap();
        let head = chain.finish(&key, &mut |block| blocks.push(block)).unwrap();
        archive.append(&blocks, head).unwrap();
    }
}

#[test]
fn the_archive_of_this_repository_verifies_and_is_built_again() {
    let built = tempfile::tempdir().unwrap();
    build(built.path());
    for file in ["greffe.car", "greffe.head"] {
        let fresh = std::fs::read(built.path().join(file)).unwrap();
        if std::env::var_os("UPDATE_OWN_ARCHIVE").is_some() {
            std::fs::create_dir_all(root("archive")).unwrap();
            std::fs::write(root("archive").join(file), &fresh).unwrap();
        }
        let kept = std::fs::read(root("archive").join(file)).unwrap_or_default();
        assert!(
            kept == fresh,
            "archive/{file} is not what migrations/ make: run this test with UPDATE_OWN_ARCHIVE=1"
        );
    }
    let report = verify_car(&root("archive/greffe.car"), Options::default(), 1, &mut |_, _, _| ()).unwrap();
    assert!(report.verified, "{:?}", report.findings);
    assert_eq!(report.entries, 1 + own_migrations().len() as u64);
}

/// The README's first example names this archive.
#[test]
fn the_readme_names_the_head_of_this_archive() {
    let head = std::fs::read_to_string(root("archive/greffe.head")).unwrap();
    let readme = std::fs::read_to_string(root("README.md")).unwrap();
    assert!(readme.contains(head.trim()), "the README's first `verify` example is not of {head}");
}
