//! Chains of many ordinary events, as `apply` would make them, for the benchmarks.
#![allow(dead_code, reason = "each program uses a part")]

use std::path::Path;
use std::time::Duration;

use greffe::chain::{Appender, Block, NewFile};
use greffe::codec::trust::encode_trust;
use greffe::crypto::{Digest, PrivateKey};
use greffe::model::{
    Actor, ChainName, Details, Engine, Event, EventId, EventKind, Evidence, Executor, FileDigests,
    MigrationDetails, MigrationName, Outcome, Pseudonym, Role, Run, SchemaChange, StatementRun, Target,
    Timestamp,
};
use greffe::ops::init::sole_key;
use greffe::store::Archive;

/// Events of one run.
const RUN: u64 = 1000;
/// Bytes of a script.
const SCRIPT: usize = 2021;

/// A chain that grows, and the key that signs it.
pub struct Chain {
    pub key: PrivateKey,
    pub name: ChainName,
    pub appender: Appender,
    events: u64,
    engine: EngineOf,
    /// What the migrations run, in place of a table each.
    scripts: Vec<String>,
}

/// The engine and the algorithm of a migration, by its number.
pub type EngineOf = fn(u64) -> (Engine, &'static str);

impl Chain {
    /// A chain without entries.
    pub fn new() -> Self {
        let name = "bench".parse().expect("a name");
        Self {
            key: PrivateKey::from_seed(&[7; 32]),
            name,
            appender: Appender::new(),
            events: 0,
            engine: |_| (Engine::Sqlite, "greffe-sqlite-1"),
            scripts: Vec::new(),
        }
    }

    /// Adds the next event: `genesis`, then migrations, each with a script of its own.
    pub fn push(&mut self, blocks: &mut Vec<Block>) {
        let (event, file) = if self.events == 0 {
            self.genesis()
        } else {
            migration(self.events, self.engine, &self.scripts)
        };
        let appended = self.appender.append(event, vec![file], &[&self.key], &mut |block| blocks.push(block));
        appended.expect("an event that may stand here");
        self.events += 1;
    }

    /// Ends a run; the head is the last block.
    pub fn finish(&self, blocks: &mut Vec<Block>) -> greffe::model::Cid {
        self.appender.finish(&self.key, &mut |block| blocks.push(block)).expect("a key that may sign")
    }

    /// Makes an archive of so many events in `directory`, run by run.
    pub fn grow(directory: &Path, events: u64) -> Self {
        Self::new().grown(directory, events)
    }

    /// The same, of migrations of other engines.
    pub fn grow_on(engine: EngineOf, directory: &Path, events: u64) -> Self {
        Self { engine, ..Self::new() }.grown(directory, events)
    }

    /// An archive of migrations with these scripts. It says nothing of the schemas that they make.
    pub fn of_scripts(engine: EngineOf, directory: &Path, scripts: &[&str]) -> Self {
        let events = scripts.len() as u64 + 1;
        let scripts = scripts.iter().map(|script| (*script).to_owned()).collect();
        Self { engine, scripts, ..Self::new() }.grown(directory, events)
    }

    fn grown(mut self, directory: &Path, events: u64) -> Self {
        let chain = &mut self;
        let mut blocks = Vec::new();
        chain.push(&mut blocks);
        let head = chain.finish(&mut blocks);
        let root = chain.appender.chain().expect("a genesis");
        let created = Archive::create(directory, &chain.name, root, &blocks, head);
        let mut archive = created.expect("a new archive");
        while chain.events < events {
            blocks.clear();
            for _ in 0..RUN.min(events - chain.events) {
                chain.push(&mut blocks);
            }
            let head = chain.finish(&mut blocks);
            archive.append(&blocks, head).expect("a longer archive");
        }
        self
    }

    fn genesis(&self) -> (Event, NewFile) {
        let trust = encode_trust(&sole_key(self.name.clone(), *self.key.public(), "operator"));
        let name = "trust.json".parse().expect("a file name");
        (
            event(EventKind::Genesis, 0, Details::Other { schema: None }),
            NewFile { name, role: Role::Trust, bytes: trust, sealed: false },
        )
    }
}

/// Opens the archive of a chain to write.
pub fn open_write(directory: &Path, chain: &Chain) -> Archive {
    Archive::open_write(directory, &chain.name, Duration::ZERO).expect("an archive")
}

fn migration(n: u64, engine: EngineOf, scripts: &[String]) -> (Event, NewFile) {
    let (engine, algorithm) = engine(n);
    let version = (20_260_101_000_000 + n).to_string();
    let name = format!("{version}_add_table_{n}.sql");
    let mut script =
        format!("-- purpose: table number {n}\nCREATE TABLE table_{n} (\n    id INTEGER PRIMARY KEY");
    for column in 0.. {
        script.push_str(&format!(",\n    column_{column} TEXT NOT NULL DEFAULT ''"));
        if script.len() > SCRIPT - 60 {
            break;
        }
    }
    script.push_str("\n);\n");
    let given = scripts.get(n as usize - 1);
    let script = given.cloned().unwrap_or(script);
    let bytes = script.into_bytes();
    // The first one begins with nothing; the others are not what their scripts make.
    let schema =
        |n: u64| given.is_none().then(|| if n == 1 { Digest::of(b"") } else { Digest::of(&n.to_be_bytes()) });
    let details = Details::Migration(Box::new(MigrationDetails {
        migration: MigrationName {
            version,
            name: Some(format!("add_table_{n}")),
            depends_on: vec![],
            sectors: vec![],
            purpose: Some(format!("table number {n}")),
            impact: None,
        },
        evidence: Evidence::Executed,
        digests: [(name.clone(), FileDigests::of(&bytes))].into(),
        statements: vec![StatementRun {
            kind: "CREATE TABLE".to_owned(),
            count: 1,
            duration_us: 137,
            rows: None,
        }],
        notices: None,
        schema: SchemaChange { algorithm: algorithm.to_owned(), before: schema(n), after: schema(n + 1) },
        outcome: Outcome::Succeeded,
        error: None,
        commitments: [].into(),
        plan: None,
        reverts: None,
        promoted_from: None,
        hooks: vec![],
        direction: None,
        tool: None,
    }));
    let file = NewFile { name: name.parse().expect("a file name"), role: Role::Up, bytes, sealed: false };
    let mut event = event(EventKind::Apply, n, details);
    event.target.iter_mut().for_each(|target| target.engine = engine);
    (event, file)
}

fn event(kind: EventKind, n: u64, details: Details) -> Event {
    let at = |microseconds: u64| {
        let microseconds =
            i64::try_from(1_767_225_600_000_000 + n * 1_000_000 + microseconds).expect("a time");
        Timestamp::from_microseconds(microseconds).expect("a time")
    };
    let mut random = [0; 10];
    random[..8].copy_from_slice(&n.to_be_bytes());
    let id = EventId::from_parts(at(0), &random);
    let pseudonym: Pseudonym = "0123456789abcdef0123456789abcdef".parse().expect("a pseudonym");
    Event {
        chain: None,
        seq: 0,
        prev: None,
        event: kind,
        id,
        started_at: at(0),
        finished_at: at(900),
        database_clock: None,
        actor: Actor { pseudonym, role: "operator".to_owned() },
        target: (n > 0).then(|| Target {
            name: "bench".to_owned(),
            engine: Engine::Sqlite,
            version: "3.50.2".to_owned(),
        }),
        executor: Executor { name: "greffe".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        run: Run { id, ci: None },
        details,
    }
}
