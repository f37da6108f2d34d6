use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::chain::TimeSource;
use crate::codec::cosignature::cosign;
use crate::codec::note::{Note, NoteSignature};
use crate::crypto::PrivateKey;
use crate::model::{Actor, ChainName, Details, EventKind, Pseudonym};
use crate::ops::chain::OpenChain;
use crate::ops::corroborate::{Corroboration, corroborate};
use crate::ops::init::init;
use crate::ops::now;
use crate::ops::own_event::Pen;
use crate::store::{Archive, Next};

const WAIT: Duration = Duration::from_secs(5);

fn name() -> ChainName {
    "demo".parse().unwrap()
}

fn key() -> PrivateKey {
    PrivateKey::from_seed(&[3; 32])
}

fn begin(path: &Path) -> Actor {
    let actor = Actor { pseudonym: Pseudonym::generate(), role: "operator".to_owned() };
    init(path, &name(), &actor, &key()).unwrap();
    actor
}

fn grow(path: &Path, actor: &Actor) -> Cid {
    let chain = OpenChain::open(path, &name(), WAIT, None).unwrap();
    let mut pen = Pen::with(chain, Arc::new(key()), actor.clone());
    pen.append(EventKind::Attach, Details::attached_to(Vec::new())).unwrap().2
}

fn corroborated(path: &Path, lines: Vec<NoteSignature>, tokens: Vec<Vec<u8>>) {
    let note = ChainReader::open(path, &name()).unwrap().checkpointed().unwrap().note;
    let added = Corroboration { cosignatures: lines, timestamps: tokens };
    corroborate(path, &name(), WAIT, &note, added).unwrap();
}

fn note(path: &Path) -> Note {
    ChainReader::open(path, &name()).unwrap().checkpointed().unwrap().note
}

fn witness(seed: u8) -> (Vkey, PrivateKey) {
    let key = PrivateKey::from_seed(&[seed; 32]);
    (Vkey::cosignature(&format!("witness.example/{seed}"), *key.public()).unwrap(), key)
}

fn listed(path: &Path, witnesses: &[u8], limit: Option<usize>) -> Held {
    let named = |seed: &u8| (format!("w{seed}"), witness(*seed).0);
    let judging = Judging { witnesses: witnesses.iter().map(named).collect(), tolerance: 0 };
    heads(&ChainReader::open(path, &name()).unwrap(), &judging, limit).unwrap()
}

#[test]
fn what_was_said_of_older_heads_is_found_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let actor = begin(path);
    let soon = u64::try_from(now().as_microseconds() / 1_000_000).unwrap() + 60;
    let (vkey, signer) = witness(7);
    let good = cosign(&vkey, &signer, soon, &note(path).text);
    corroborated(path, vec![good.clone()], Vec::new());
    grow(path, &actor);
    // A line of the head before, by a key that is known; one by a stranger; and a token that is none.
    let (stranger, other) = witness(8);
    let strange = cosign(&stranger, &other, soon, &note(path).text);
    corroborated(path, vec![good, strange], vec![vec![1, 2, 3]]);
    grow(path, &actor);
    let held = listed(path, &[7], None);
    assert_eq!((held.heads.len(), held.partial.len(), held.more), (5, 0, 0));
    assert_eq!(held.heads[0].head, held.head);
    let entries: Vec<u64> = held.heads.iter().map(|head| head.entries).collect();
    assert_eq!(entries, [3, 2, 2, 1, 1]);
    assert!(held.heads.iter().all(|head| head.continued && head.signed_by.is_some()));
    let standings = |place: usize| {
        let lines = held.heads[place].cosignatures.iter();
        lines.map(|line| (line.witness.as_str(), line.standing)).collect::<Vec<_>>()
    };
    assert_eq!(standings(0), []);
    assert_eq!(standings(1), [("w7", LineStanding::Bad), ("witness.example/8", LineStanding::Unknown)]);
    assert_eq!(standings(3), [("w7", LineStanding::Verified)]);
    let bound = held.heads[3].not_after.clone().unwrap();
    let end = Timestamp::from_seconds(soon).unwrap().as_microseconds() + 999_999;
    assert_eq!((bound.at.as_microseconds(), bound.source), (end, TimeSource::Witness("w7".into())));
    assert_eq!(held.heads[1].not_after, None);
    let token = &held.heads[1].timestamps[0];
    assert!(!token.verified && matches!(token.fault, Some(TokenFault::Malformed { .. })), "{token:?}");
    assert!(held.has_faults());
    // Fewer of them, and with other keys.
    let held = listed(path, &[8], Some(2));
    assert_eq!((held.heads.len(), held.more), (2, 3));
    assert_eq!(held.heads[1].cosignatures[1].standing, LineStanding::Verified);
}

#[test]
fn a_head_of_another_version_of_the_chain_is_told() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let actor = begin(folder.path());
    for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), elsewhere.path().join(file.file_name())).unwrap();
    }
    let (ours, theirs) = (grow(folder.path(), &actor), grow(elsewhere.path(), &actor));
    assert!(!listed(folder.path(), &[], None).has_faults());
    // Their blocks behind ours, in one file.
    let mut blocks = Vec::new();
    let other = Archive::open_read(elsewhere.path(), &name()).unwrap();
    let mut reader = other.blocks().unwrap();
    while let Next::Block { cid, bytes, .. } = reader.next_block().unwrap() {
        blocks.push((cid, bytes.to_vec()));
    }
    let mut archive = Archive::open_write(folder.path(), &name(), WAIT).unwrap();
    archive.append(&blocks, theirs).unwrap();
    drop(archive);
    let held = listed(folder.path(), &[], None);
    assert_eq!(held.head, theirs);
    let continued: Vec<_> = held.heads.iter().map(|head| (head.head == ours, head.continued)).collect();
    assert_eq!(continued, [(false, true), (true, false), (false, true)]);
    assert!(held.has_faults());
}

/// Replaces the head by one of the same entries, whatever it says.
fn replace(path: &Path, note: &Note, tokens: Vec<Vec<u8>>) {
    OpenChain::open_unsigned(path, &name(), WAIT).unwrap().replace_head(note, tokens).unwrap();
}

#[test]
fn tokens_that_nobody_looks_at_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    begin(path);
    assert!(!listed(path, &[], None).has_faults());
    replace(path, &note(path), (0..40).map(|token| vec![token]).collect());
    let held = listed(path, &[], None);
    assert_eq!((held.heads[0].timestamps.len(), held.heads[0].timestamps_unread), (32, 8));
    assert!(held.has_faults());
    assert_eq!((held.heads[1].timestamps_unread, held.heads[1].has_faults()), (0, false));
}

#[test]
fn a_head_that_no_key_of_the_chain_signed_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    begin(path);
    let (text, origin) = (note(path).text, note(path).signatures[0].name.clone());
    replace(path, &Note::sign(text, &origin, &witness(9).1).unwrap(), Vec::new());
    let held = listed(path, &[], None);
    assert_eq!((held.heads[0].signed_by, held.heads[0].continued), (None, true));
    assert!(held.has_faults() && !held.heads[1].has_faults());
}

#[test]
fn where_the_file_cannot_be_read_on_is_told() {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let actor = begin(path);
    let first = ChainReader::open(path, &name()).unwrap().head();
    // So many blocks that they have an index, which finds them whatever stands before them.
    for _ in 0..150 {
        grow(path, &actor);
    }
    assert_eq!(listed(path, &[], None).heads.len(), 151);
    let mut reader = Archive::open_read(path, &name()).unwrap().blocks().unwrap();
    let at = loop {
        match reader.next_block().unwrap() {
            Next::Block { offset, cid, .. } if cid == first => break offset,
            Next::Block { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    let mut file = std::fs::File::options().write(true).open(path.join("demo.car")).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[0xff; 10]).unwrap();
    // Nobody knows which of the blocks behind it are heads.
    let held = listed(path, &[], None);
    assert!(held.heads.is_empty() && held.has_faults());
    assert!(held.damaged.unwrap().contains(&format!("byte {at}")));
}
