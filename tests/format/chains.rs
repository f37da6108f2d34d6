//! Chains for tests: whoever makes the same calls gets the same bytes.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use greffe::chain::{Appender, Block, NewFile};
use greffe::codec::trust::encode_trust;
use greffe::crypto::{Digest, PrivateKey, Signer};
use greffe::model::{
    Actor, Cid, Details, Direction, Engine, ErrorCode, Event, EventId, EventKind, Evidence, Executor,
    FileDigests, KeyRole, MigrationDetails, MigrationName, Outcome, Role, Run, SchemaChange, StatementRun,
    Target, Thresholds, Timestamp, TrustDocument, TrustedKey,
};
use greffe::store::{CarWriter, Existing};

/// The key of a seed of one repeated byte.
pub fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32])
}

/// A trust document; each key stands with its roles.
pub fn trust(version: u64, keys: &[(&PrivateKey, &[KeyRole])], root: u32, signer: u32) -> TrustDocument {
    let trusted = |(key, roles): &(&PrivateKey, &[KeyRole])| {
        let public = *key.public();
        (public.id(), TrustedKey { public, roles: roles.to_vec(), label: "test".to_owned() })
    };
    TrustDocument {
        version,
        name: "billing-production".parse().unwrap(),
        keys: keys.iter().map(trusted).collect(),
        thresholds: Thresholds { root, signer, approver: 0 },
        revoked: Vec::new(),
        policy: String::new(),
        authorities: Vec::new(),
    }
}

/// A trust document whose only key is root and signer.
pub fn sole(key: &PrivateKey) -> TrustDocument {
    trust(1, &[(key, &[KeyRole::Root, KeyRole::Signer])], 1, 1)
}

/// The file that brings a trust document.
pub fn trust_file(document: &TrustDocument) -> NewFile {
    NewFile {
        name: "trust.json".parse().unwrap(),
        role: Role::Trust,
        bytes: encode_trust(document),
        sealed: false,
    }
}

/// A file of a script.
pub fn script(role: Role, name: &str, bytes: &[u8]) -> NewFile {
    NewFile { name: name.parse().unwrap(), role, bytes: bytes.to_vec(), sealed: false }
}

/// A chain that grows, and every block and manifest that it made.
#[derive(Clone)]
pub struct Growing {
    pub appender: Appender,
    pub blocks: Vec<Block>,
    pub manifests: Vec<Cid>,
    /// Seconds since the chain began.
    clock: i64,
    schema: u64,
    label: String,
}

impl Growing {
    /// A chain with its first manifest, signed by `signers`.
    pub fn new(label: &str, document: &TrustDocument, signers: &[&dyn Signer]) -> Self {
        let (appender, label) = (Appender::new(), label.to_owned());
        let mut chain =
            Self { appender, blocks: Vec::new(), manifests: Vec::new(), clock: 0, schema: 0, label };
        chain.append(
            EventKind::Genesis,
            Details::Other { schema: None },
            vec![trust_file(document)],
            signers,
        );
        chain
    }

    /// A chain whose only key is that of seed 1.
    pub fn of_one_key(label: &str) -> Self {
        Self::new(label, &sole(&key(1)), &[&key(1)])
    }

    /// Appends an event a minute after the one before it.
    pub fn append(
        &mut self,
        kind: EventKind,
        details: Details,
        files: Vec<NewFile>,
        signers: &[&dyn Signer],
    ) -> Cid {
        let event = self.event(kind, details);
        let blocks = &mut self.blocks;
        let cid = self.appender.append(event, files, signers, &mut |block| blocks.push(block)).unwrap();
        self.manifests.push(cid);
        cid
    }

    /// The event that would be appended next.
    pub fn event(&mut self, kind: EventKind, details: Details) -> Event {
        self.clock += 60;
        let at = Timestamp::from_microseconds(1_767_600_000_000_000 + self.clock * 1_000_000).unwrap();
        let id = |purpose: &str| {
            let mut random = [0; 10];
            let name = format!("{}/{purpose}/{}", self.label, self.clock);
            random.copy_from_slice(&Digest::of(name.as_bytes()).0[..10]);
            EventId::from_parts(at, &random)
        };
        Event {
            chain: None,
            seq: 0,
            prev: None,
            event: kind,
            id: id("event"),
            started_at: at,
            finished_at: at,
            database_clock: None,
            actor: Actor {
                pseudonym: "00112233445566778899aabbccddeeff".parse().unwrap(),
                role: "operator".into(),
            },
            target: (kind != EventKind::Genesis).then(|| Target {
                name: "billing".into(),
                engine: Engine::Sqlite,
                version: "3.50".into(),
            }),
            executor: Executor { name: "greffe".into(), version: "0.1.0".into() },
            run: Run { id: id("run"), ci: None },
            details,
        }
    }

    /// What an event about a migration carries; `apply`, `rollback` and `baseline` move the schema on.
    pub fn migration(&mut self, kind: EventKind, version: &str, files: &[NewFile]) -> Details {
        let moved = matches!(kind, EventKind::Apply | EventKind::Rollback | EventKind::Baseline);
        let fingerprint = |number: u64| (number > 0).then(|| Digest::of(&number.to_be_bytes()));
        let before = fingerprint(self.schema);
        self.schema += u64::from(moved);
        let failed = kind == EventKind::Fail;
        let digests: BTreeMap<String, FileDigests> =
            files.iter().map(|file| (file.name.to_string(), FileDigests::of(&file.bytes))).collect();
        Details::Migration(Box::new(MigrationDetails {
            migration: MigrationName {
                version: version.to_owned(),
                name: Some("a table".into()),
                depends_on: vec![],
                sectors: vec![],
                purpose: None,
                impact: None,
            },
            evidence: Evidence::Executed,
            digests,
            statements: vec![StatementRun {
                kind: "CREATE TABLE".into(),
                count: 1,
                duration_us: 1200,
                rows: None,
            }],
            notices: None,
            schema: SchemaChange { algorithm: "test:1".into(), before, after: fingerprint(self.schema) },
            outcome: if failed { Outcome::Failed } else { Outcome::Succeeded },
            error: failed.then(|| ErrorCode { code: "1".into(), statement: 1 }),
            commitments: BTreeMap::new(),
            plan: None,
            reverts: None,
            promoted_from: None,
            hooks: Vec::new(),
            direction: (kind == EventKind::Stamp).then_some(Direction::Up),
            tool: None,
        }))
    }

    /// Appends an event about a migration, with these files.
    pub fn about(
        &mut self,
        kind: EventKind,
        version: &str,
        files: Vec<NewFile>,
        signers: &[&dyn Signer],
    ) -> Cid {
        let details = self.migration(kind, version, &files);
        self.append(kind, details, files, signers)
    }

    /// Applies a version with a way up and a way down, signed by the key of seed 1.
    pub fn apply(&mut self, version: &str) -> Cid {
        let up = format!("CREATE TABLE t{version} (id INTEGER);\n");
        let down = format!("DROP TABLE t{version};\n");
        let files = vec![
            script(Role::Up, &format!("{version}.up.sql"), up.as_bytes()),
            script(Role::Down, &format!("{version}.down.sql"), down.as_bytes()),
        ];
        self.about(EventKind::Apply, version, files, &[&key(1)])
    }

    /// Appends the smallest event: an `attach` without files, signed by the key of seed 1.
    pub fn attach(&mut self) -> Cid {
        let about = vec![self.manifests[0]];
        self.append(EventKind::Attach, Details::attached_to(about), Vec::new(), &[&key(1)])
    }

    /// Ends a run with a head.
    pub fn head(&mut self, key: &PrivateKey) -> Cid {
        let blocks = &mut self.blocks;
        self.appender.finish(key, &mut |block| blocks.push(block)).unwrap()
    }

    /// Blocks by their CIDs.
    pub fn map(&self) -> HashMap<Cid, Vec<u8>> {
        self.blocks.iter().cloned().collect()
    }

    /// Writes all blocks into a CAR file with this root.
    pub fn write(&self, path: &Path, root: &Cid) {
        let mut writer = CarWriter::create(path, root, Existing::Replace).unwrap();
        for (cid, block) in &self.blocks {
            writer.put(cid, block).unwrap();
        }
        writer.finish().unwrap();
    }
}

/// A chain with every kind of event.
pub fn every_event() -> Growing {
    let (one, two) = (key(1), key(2));
    let mut chain = Growing::of_one_key("every event");
    chain.about(EventKind::Baseline, "1", vec![], &[&one]);
    let about = vec![chain.manifests[1]];
    let plan = script(Role::Evidence, "plan.json", b"{}");
    chain.append(EventKind::Plan, Details::Other { schema: None }, vec![plan], &[&one]);
    chain.apply("2");
    chain.apply("3");
    chain.about(
        EventKind::Rollback,
        "3",
        vec![script(Role::Down, "3.down.sql", b"DROP TABLE t3;\n")],
        &[&one],
    );
    chain.about(EventKind::Fail, "3", vec![script(Role::Up, "3.up.sql", b"CREATE TABL t3;\n")], &[&one]);
    chain.about(EventKind::Stamp, "3", vec![], &[&one]);
    let repair = Details::Repair {
        migration: None,
        direction: Direction::Up,
        about: about.clone(),
        schema: None,
        commitments: Default::default(),
    };
    chain.append(EventKind::Repair, repair, vec![], &[&one]);
    let ticket = script(Role::Approval, "ticket.txt", b"CHANGE-7\n");
    chain.append(EventKind::Attach, Details::attached_to(about.clone()), vec![ticket], &[&one]);
    chain.append(EventKind::Drift, Details::Other { schema: None }, vec![], &[&one]);
    let erase = Details::Erase { about: about.clone(), erased: about, basis: "art17".into(), reach: None };
    chain.append(EventKind::Erase, erase, vec![], &[&one]);
    let both = [KeyRole::Root, KeyRole::Signer];
    let next = trust(2, &[(&one, &both), (&two, &both)], 1, 2);
    chain.append(EventKind::Trust, Details::Other { schema: None }, vec![trust_file(&next)], &[&one]);
    chain.about(EventKind::Rollback, "2", vec![], &[&one, &two]);
    chain
}
