//! Archives that greffe does not write: of a signer whose clock is ahead, and with an entry of nobody's key.

use greffe::chain::{Block, Snapshot};
use greffe::codec::dag_cbor::{encode_head, encode_manifest};
use greffe::codec::dsse::Envelope;
use greffe::codec::note::{Note, encode_checkpoint};
use greffe::codec::statement::encode_statement;
use greffe::codec::trust::encode_trust;
use greffe::codec::unixfs::build_file;
use greffe::crypto::{Digest, PrivateKey};
use greffe::model::{
    Actor, Checkpoint, Cid, Codec, Details, Event, EventId, EventKind, Executor, FileEntry, Head, Manifest,
    Role, Run, Statement, Subject, Timestamp,
};
use greffe::ops::init::sole_key;
use greffe::store::Archive;

use super::{Watched, the, told};
use crate::project::{Project, SEED};

/// A chain whose first entry brings the key of [`SEED`], and to which anybody may add.
#[derive(Default)]
struct Forged {
    manifests: Vec<Cid>,
    blocks: Vec<Block>,
    snapshot: Snapshot,
}

impl Forged {
    /// `at`: what the signer's clock says.
    fn new(at: Timestamp) -> Self {
        let (mut forged, key) = (Self::default(), PrivateKey::from_seed(SEED));
        let document = encode_trust(&sole_key("demo".parse().unwrap(), *key.public(), "operator"));
        forged.add(EventKind::Genesis, at, Some(document), &key);
        forged
    }

    /// An entry that `key` signed, with a trust document.
    fn add(&mut self, kind: EventKind, at: Timestamp, document: Option<Vec<u8>>, key: &PrivateKey) {
        let (chain, prev) = (self.manifests.first().copied(), self.manifests.last().copied());
        let seq = self.manifests.len() as u64;
        let (mut subjects, mut files) = (Vec::new(), Vec::new());
        if let Some(bytes) = document {
            let cid = build_file(&bytes, &mut |built| self.blocks.push((built.cid, built.bytes)));
            let (name, role, size) = ("trust.json".parse().unwrap(), Role::Trust, bytes.len() as u64);
            subjects.push(Subject::File { name, cid, digest: Digest::of(&bytes), role });
            files.push(FileEntry { cid, name: "trust.json".parse().unwrap(), role, size, sealed: false });
        } else {
            subjects.extend(prev.map(|prev| Subject::Chain { digest: prev.digest() }));
        }
        let event = Event {
            chain,
            seq,
            prev,
            event: kind,
            id: EventId::generate(at),
            started_at: at,
            finished_at: at,
            database_clock: None,
            actor: Actor { pseudonym: "11".repeat(16).parse().unwrap(), role: "operator".to_owned() },
            target: None,
            executor: Executor { name: "greffe".to_owned(), version: "0.1.0".to_owned() },
            run: Run { id: EventId::generate(at), ci: None },
            details: Details::Other { schema: None },
        };
        let log = Envelope::sign(encode_statement(&Statement { subjects, event }), &[key]).unwrap().encode();
        let log = self.block(Codec::Raw, log);
        let manifest = encode_manifest(&Manifest { seq, chain, prev, log, files });
        let manifest = self.block(Codec::DagCbor, manifest);
        self.manifests.push(manifest);
        self.snapshot.push(manifest, &mut |block| self.blocks.push(block));
    }

    fn block(&mut self, codec: Codec, bytes: Vec<u8>) -> Cid {
        let cid = Cid::of(codec, &bytes);
        self.blocks.push((cid, bytes));
        cid
    }

    /// A project whose archive it is, with a head by the chain's own key.
    fn watched(mut self, settings: &str) -> Watched {
        let (mut project, chain) = (Project::empty(), self.manifests[0]);
        let (origin, size) = (Checkpoint::origin_of(&chain), self.manifests.len() as u64);
        let text = encode_checkpoint(&Checkpoint {
            origin: origin.clone(),
            size,
            root: self.snapshot.merkle.root(),
        });
        let note = Note::sign(text, &origin, &PrivateKey::from_seed(SEED)).unwrap();
        let mut made = Vec::new();
        let tlog = self.snapshot.directory(note.encode(), &mut |block| made.push(block));
        let manifest = *self.manifests.last().unwrap();
        let entries = self.snapshot.entries.root(&mut |block| made.push(block)).unwrap_or(manifest);
        self.blocks.extend(made);
        let head = encode_head(&Head { manifest, entries, tlog, timestamps: Vec::new() });
        let head = self.block(Codec::DagCbor, head);
        let name = "demo".parse().unwrap();
        drop(Archive::create(&project.path("archive"), &name, chain, &self.blocks, head).unwrap());
        project.write("greffe.toml", format!("name = \"demo\"\nchain = \"{chain}\"\n"));
        project.variables.retain(|(name, _)| name != "GREFFE_VAULT_KEY");
        Watched::new(project, settings)
    }
}

#[test]
fn a_clock_that_is_ahead_of_ours_is_told() {
    let ahead = greffe::ops::now().as_microseconds() + 3_600_000_000;
    let watched = Forged::new(Timestamp::from_microseconds(ahead).unwrap()).watched("max-age = \"2h\"");
    let events = watched.once(1);
    // Its word is not one that could be fresh, either.
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), ["begun clock-offset", "begun stale"]);
    let event = the(&events, "clock-offset");
    assert_eq!(event["subject"], "clock of the signers");
    assert!(event["data"]["parameters"]["aheadSeconds"].as_u64().unwrap() > 3500, "{event:#}");
}

#[test]
fn an_entry_of_a_key_that_nobody_knows_is_told() {
    let mut forged = Forged::new(greffe::ops::now());
    let stranger = PrivateKey::from_seed(&[9; 32]);
    forged.add(EventKind::Drift, greffe::ops::now(), None, &stranger);
    let watched = forged.watched("");
    let event = the(&watched.once(1), "unknown-key").clone();
    assert_eq!(event["type"], "greffe.finding.begun", "{event:#}");
    // It stays as it is, and is told once.
    assert_eq!(watched.codes(1), [""; 0]);
}
