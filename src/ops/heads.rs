//! Every head that an archive holds, and who vouched for it when.
//!
//! A head has its own cosignatures and timestamps alone: those of the heads before it say since when their entries have
//! been there, whoever got hold of a key later. What others signed is verified here; the chain itself is not.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::corroborate::{Checkpointed, checkpointed};
use super::gossip::trust_events;
use super::{ChainReader, OpsError, chain};
use crate::chain::proof::{ProofError, TreeTiles};
use crate::chain::{
    Authority, ChainKeys, Cosigned, Stamped, TOKENS_LIMIT, TimeBound, TimeInterval, TokenFault, imprints_of,
    verify_token,
};
use crate::codec::cosignature::split;
use crate::codec::dag_cbor::decode_head;
use crate::codec::note::{Note, NoteSignature, decode_checkpoint};
use crate::codec::policy::Policy;
use crate::codec::vkey::{Vkey, VkeyVerdict};
use crate::crypto::{Digest, KeyId};
use crate::model::{Checkpoint, Cid, Timestamp};

/// Whose cosignatures are verified, beside those of the policies of the trust documents; and by what rules.
pub struct Judging {
    /// What people call a witness, and its key.
    pub witnesses: Vec<(String, Vkey)>,
    /// By how many microseconds a token may lie before the newest entry.
    pub tolerance: i64,
}

/// What a line of a witness is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineStanding {
    Verified,
    /// By a key that is known, and not over this checkpoint.
    Bad,
    /// By a key that nobody here knows.
    Unknown,
}

/// One line of somebody else under a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownCosignature {
    /// What the policy or the settings call the witness; the name in the line where its key is not known.
    pub witness: String,
    pub standing: LineStanding,
    /// The time that it states.
    pub at: Option<Timestamp>,
}

/// One timestamp token of a head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownToken {
    pub verified: bool,
    /// Which authority of the trust document vouches for it.
    pub authority: Option<String>,
    pub at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<TokenFault>,
}

/// A head that was the archive's newest one at some time.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldHead {
    pub head: Cid,
    pub entries: u64,
    /// When its newest entry ended, as its signers say.
    pub newest: Timestamp,
    /// The key that signed its checkpoint; `None` where that is none which counts, by what is known now.
    pub signed_by: Option<KeyId>,
    /// Whether the archive's head goes on from it.
    pub continued: bool,
    /// When all its entries were there at the latest, and whose word that is.
    pub not_after: Option<TimeBound>,
    pub cosignatures: Vec<ShownCosignature>,
    pub timestamps: Vec<ShownToken>,
}

/// A head of which the archive has not all that would have to be looked at.
#[derive(Clone, Debug, Serialize)]
pub struct PartialHead {
    pub head: Cid,
    pub reason: String,
}

/// The heads of an archive.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    pub head: Cid,
    pub chain: Cid,
    /// The newest first.
    pub heads: Vec<HeldHead>,
    pub partial: Vec<PartialHead>,
    /// Older ones that were not looked at.
    pub more: usize,
}

impl Held {
    /// Whether something of it contradicts the archive or what others signed.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        self.heads.iter().any(|head| {
            let is_bad = |line: &ShownCosignature| line.standing == LineStanding::Bad;
            !head.continued
                || head.cosignatures.iter().any(is_bad)
                || head.timestamps.iter().any(|token| !token.verified)
        })
    }
}

/// The heads that the archive holds, at most `limit` of them. Reads the whole file once.
///
/// # Errors
/// [`OpsError::Incomparable`] when the trust events of the archive are not sound, [`OpsError::Tree`] when its newest head's
/// tiles are not, and those of the archive.
pub fn heads(reader: &ChainReader, judging: &Judging, limit: Option<usize>) -> Result<Held, OpsError> {
    let (head, root) = (reader.head(), reader.root());
    let trust = trust_events(reader)?;
    let keys = ChainKeys::verify(&root, &trust)
        .map_err(|error| OpsError::Incomparable { head, detail: error.to_string() })?;
    let cids = reader.archive().blocks()?.heads()?;
    let more = limit.map_or(0, |limit| cids.len().saturating_sub(limit));
    let (mut read, mut partial) = (Vec::new(), Vec::new());
    for cid in cids.into_iter().skip(more).rev() {
        match Read::of(reader, cid) {
            Ok(one) => read.push(one),
            Err(error) => partial.push(PartialHead { head: cid, reason: error.to_string() }),
        }
    }
    let sizes = read.iter().map(|read| read.checkpoint.size).collect();
    let bench =
        Bench { reader, judging, witnesses: witnesses(&keys, judging), roots: roots(reader, sizes)?, keys };
    let heads = read.iter().map(|read| bench.judge(read)).collect();
    Ok(Held { head, chain: root, heads, partial, more })
}

/// What a head says, not verified.
struct Read {
    head: Cid,
    manifest: Cid,
    newest: Timestamp,
    note: Note,
    checkpoint: Checkpoint,
    timestamps: Vec<Vec<u8>>,
}

impl Read {
    fn of(reader: &ChainReader, head: Cid) -> Result<Self, OpsError> {
        let mut block = |what: &'static str, cid: &Cid| reader.block(what, cid);
        let Checkpointed { note, timestamps, .. } = checkpointed(head, &mut block)?;
        let read = decode_checkpoint(&note.text).map_err(|error| chain::refuse("checkpoint", head, error))?;
        let parts = reader.block("head", &head)?;
        let manifest = decode_head(&parts).map_err(|error| chain::refuse("head", head, error))?.manifest;
        let newest = reader.entry(&manifest)?.statement.event.finished_at;
        Ok(Self { head, manifest, newest, note, checkpoint: read, timestamps })
    }
}

/// The witnesses whose keys are known, each key once.
fn witnesses(keys: &ChainKeys, judging: &Judging) -> Vec<(String, Vkey)> {
    let policies = keys.documents().filter_map(|(_, document)| Policy::of_trust(&document.policy).ok());
    let named = policies.flat_map(|policy| policy.witnesses).map(|witness| (witness.name, witness.vkey));
    let mut known: Vec<(String, Vkey)> = Vec::new();
    for (name, vkey) in judging.witnesses.iter().cloned().chain(named) {
        if !known.iter().any(|(_, other)| *other == vkey) {
            known.push((name, vkey));
        }
    }
    known
}

/// The roots that the archive's newest head has at these sizes, as far as it is that large.
fn roots(reader: &ChainReader, sizes: BTreeSet<u64>) -> Result<HashMap<u64, Digest>, OpsError> {
    let head = reader.head();
    let failed = |source: ProofError| OpsError::Tree { head, source: Box::new(source) };
    let newest = Read::of(reader, head)?.checkpoint;
    let sizes: Vec<u64> = sizes.into_iter().filter(|size| (1..=newest.size).contains(size)).collect();
    let mut tiles = TreeTiles::new(newest.size);
    for size in &sizes {
        tiles.want_consistency(*size).map_err(failed)?;
    }
    for tile in tiles.wants() {
        let path = tile.path();
        let (_, bytes) = reader.tlog_file(&path)?.ok_or_else(|| failed(ProofError::TileMissing { path }))?;
        tiles.feed(&tile, &bytes).map_err(failed)?;
    }
    let hashes = tiles.authenticate(&newest.root).map_err(failed)?;
    sizes.into_iter().map(|size| Ok((size, hashes.root_at(size).map_err(failed)?))).collect()
}

/// What heads are judged by.
struct Bench<'a> {
    reader: &'a ChainReader,
    judging: &'a Judging,
    keys: ChainKeys,
    witnesses: Vec<(String, Vkey)>,
    roots: HashMap<u64, Digest>,
}

impl Bench<'_> {
    fn judge(&self, read: &Read) -> HeldHead {
        let (note, size) = (&read.note, read.checkpoint.size);
        let has_root = self.roots.get(&size) == Some(&read.checkpoint.root);
        let is_of_chain = read.checkpoint.origin == self.keys.origin();
        let manifest = size.checked_sub(1).and_then(|seq| self.reader.manifest_at(seq).ok());
        let (stamped, timestamps) = self.tokens(read);
        let vouched: Vec<Cosigned> =
            self.witnesses.iter().filter_map(|known| cosigned(known, note)).collect();
        HeldHead {
            head: read.head,
            entries: size,
            newest: read.newest,
            signed_by: is_of_chain.then(|| self.keys.signer(note, &read.checkpoint)).flatten(),
            continued: is_of_chain && has_root && manifest == Some(read.manifest),
            not_after: TimeInterval::of(Some(read.newest), &stamped, &vouched).not_after,
            cosignatures: self.lines(note, &read.checkpoint.origin),
            timestamps,
        }
    }

    /// Lines that are not the chain's own, in the order of the note.
    fn lines(&self, note: &Note, origin: &str) -> Vec<ShownCosignature> {
        let others = note.signatures.iter().filter(|line| line.name != origin);
        others.map(|line| self.line(note, line)).collect()
    }

    fn line(&self, note: &Note, line: &NoteSignature) -> ShownCosignature {
        let alone = Note { text: note.text.clone(), signatures: vec![line.clone()] };
        let judged = self.witnesses.iter().find_map(|(name, vkey)| match vkey.verify(&alone) {
            VkeyVerdict::Absent => None,
            VkeyVerdict::Valid { .. } => Some((name, LineStanding::Verified)),
            VkeyVerdict::Invalid => Some((name, LineStanding::Bad)),
        });
        let (witness, standing) = judged.unwrap_or((&line.name, LineStanding::Unknown));
        let stated = split(&line.signature).map(|(seconds, _)| seconds).filter(|seconds| *seconds > 0);
        let at = stated.and_then(Timestamp::from_seconds);
        ShownCosignature { witness: witness.clone(), standing, at }
    }

    /// The tokens, judged by the trust document in force at the head's newest entry (FORMAT §11).
    fn tokens(&self, read: &Read) -> (Vec<Stamped>, Vec<ShownToken>) {
        let seq = read.checkpoint.size.saturating_sub(1);
        let Some(trust) = self.keys.in_force(seq) else { return (Vec::new(), Vec::new()) };
        let imprints = imprints_of(&read.note, &self.reader.root(), seq, trust);
        let authorities = Authority::of_trust(&trust.authorities);
        let mut stamped = Vec::new();
        let shown = read.timestamps.iter().take(TOKENS_LIMIT).map(|token| {
            let judged = verify_token(token, &imprints, &authorities);
            match judged.and_then(|found| found.not_before(Some(read.newest), self.judging.tolerance)) {
                Ok(found) => {
                    let (authority, at) = (Some(found.authority.clone()), Some(found.time));
                    stamped.push(found);
                    ShownToken { verified: true, authority, at, fault: None }
                }
                Err(fault) => ShownToken { verified: false, authority: None, at: None, fault: Some(fault) },
            }
        });
        let shown = shown.collect();
        (stamped, shown)
    }
}

/// What a witness says of a checkpoint, where all its lines are good.
fn cosigned((name, vkey): &(String, Vkey), note: &Note) -> Option<Cosigned> {
    match vkey.verify(note) {
        VkeyVerdict::Valid { times } => Some(Cosigned::of(name, vkey, &times)),
        VkeyVerdict::Absent | VkeyVerdict::Invalid => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::chain::TimeSource;
    use crate::codec::cosignature::cosign;
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
}
