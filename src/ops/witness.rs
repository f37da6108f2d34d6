//! Shows the head's checkpoint to witnesses, and makes their cosignatures part of the head.
//!
//! The head is durable before anybody is asked. A witness that is away, slow or wrong is owed the question, and asked
//! again after the next run; nothing waits for it longer than its time.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;

use super::corroborate::{Corroborated, Corroboration, corroborate};
use super::{ChainReader, OpsError, now};
use crate::chain::proof::{ProofError, TreeTiles};
use crate::chain::trust_in_force;
use crate::codec::add_checkpoint::AddCheckpoint;
use crate::codec::note::{Note, NoteSignature, decode_checkpoint};
use crate::codec::policy::Policy;
use crate::codec::vkey::{Vkey, VkeyVerdict};
use crate::crypto::Digest;
use crate::model::{ChainName, Checkpoint, Cid, KeyRole, TrustDocument};
use crate::store::remote::{Answered, RemoteError, Witness};
use crate::store::{KnownTrust, Witnessed, WitnessedSize};

/// How often a witness may say that it has another size than we thought: others may ask it at the same time.
const CONFLICTS: usize = 3;

/// A walk back over more entries than these is noted, so that nobody has to make it again.
const LONG_WALK: u64 = 64;

/// A witness that is asked.
#[derive(Clone)]
pub struct NamedWitness {
    pub name: String,
    pub vkey: Vkey,
    pub url: String,
    pub witness: Witness,
}

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Those that have not cosigned the checkpoint.
    Missing,
    /// All, also for a second cosignature of a later time.
    All,
}

/// Why a witness gave no cosignature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("it has cosigned {seen} entries of this chain, and the archive has {here}")]
    Ahead { seen: u64, here: u64 },
    #[error("it has cosigned another history of this chain than the archive has: {0}")]
    Inconsistent(String),
    #[error("it does not know this log")]
    UnknownLog,
    #[error("it knows this log by another key than the one that signed the checkpoint")]
    OtherKey,
    #[error("its cosignature is not over this checkpoint")]
    BadCosignature,
    #[error("it answered without a cosignature by the key {0}")]
    NoCosignature(String),
    #[error("it says each time that it has another size")]
    Unsettled,
    #[error("the tiles of the archive do not make the proof: {0}")]
    Proof(#[from] ProofError),
    #[error("the archive cannot be read: {0}")]
    Archive(String),
}

/// What came of one witness.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WitnessState {
    pub name: String,
    pub url: String,
    /// Whether the head has a cosignature of it.
    pub cosigned: bool,
    /// Whether it knows of entries that the archive has not, or of others.
    #[serde(skip)]
    pub contradicts: bool,
    /// Whether it was asked, and does not know the log or its key.
    #[serde(skip)]
    pub is_stranger: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What came of all of them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The head before.
    #[serde(skip)]
    pub before: Cid,
    /// The head of the archive now.
    pub head: Cid,
    /// Entries under the checkpoint.
    pub size: u64,
    /// Whether the cosignatures meet the policy of the trust document.
    pub quorum: bool,
    pub witnesses: Vec<WitnessState>,
}

/// What is asked about: one checkpoint, and the archive that proves it.
struct Question<'a> {
    reader: &'a ChainReader,
    note: &'a Note,
    checkpoint: Checkpoint,
}

/// Asks witnesses to cosign the head's checkpoint, each within its own time and all at once, and replaces the head by
/// one with the cosignatures that are good. A witness that fails is no error.
///
/// # Errors
/// Those of the archive, and of the notes beside it.
pub async fn ask(
    directory: &Path,
    name: &ChainName,
    wait: Duration,
    witnesses: &[NamedWitness],
    whom: Ask,
) -> Result<Asked, OpsError> {
    let reader = ChainReader::open(directory, name)?;
    reader.require_end()?;
    let standing = reader.checkpointed()?;
    let note = &standing.note;
    let checkpoint = decode_checkpoint(&note.text);
    let checkpoint = checkpoint.map_err(|error| super::chain::refuse("checkpoint", standing.head, error))?;
    let size = checkpoint.size;
    let failed = |source| OpsError::File {
        path: directory.join(format!("{name}.witnesses")),
        done: "read or written",
        source,
    };
    let mut known = Witnessed::read(directory, name).map_err(failed)?;
    let (place, trust) = trust_of(&reader, name)?;
    let question = Question { reader: &reader, note, checkpoint };
    let has_cosigned =
        |witness: &NamedWitness| matches!(witness.vkey.verify(note), VkeyVerdict::Valid { .. });
    let asked = witnesses.iter().map(async |witness| {
        if whom == Ask::Missing && has_cosigned(witness) {
            return None;
        }
        let old = known.of(&witness.vkey.to_string()).map_or(0, |known| known.size);
        let patience = *witness.witness.patience();
        let answer = timeout(patience.total, question.put(witness, old.min(size))).await;
        Some(answer.unwrap_or(Err(RemoteError::TimedOut(patience.total).into())))
    });
    let answers = join_all(asked).await;
    // Another run may have gone on meanwhile, and have shown that to a witness.
    let newest = ChainReader::open(directory, name)?.newest()?.1.seq + 1;
    let is_ahead = |error: &WitnessError| match error {
        WitnessError::Ahead { seen, .. } => *seen > newest,
        error => matches!(error, WitnessError::Inconsistent(_)),
    };
    let mut corroboration = Corroboration::default();
    let (mut sizes, mut states) = (Vec::new(), Vec::new());
    for (witness, answer) in witnesses.iter().zip(answers) {
        let (lines, failure) = match answer {
            None => (Vec::new(), None),
            Some(Ok(lines)) => (lines, None),
            Some(Err(error)) => (Vec::new(), Some(error)),
        };
        if !lines.is_empty() {
            sizes.push((witness.vkey.to_string(), WitnessedSize { size, at: now() }));
        }
        states.push(WitnessState {
            name: witness.name.clone(),
            url: witness.url.clone(),
            cosigned: has_cosigned(witness) || !lines.is_empty(),
            contradicts: failure.as_ref().is_some_and(is_ahead),
            is_stranger: matches!(failure, Some(WitnessError::UnknownLog | WitnessError::OtherKey)),
            failure: failure.map(|failure| failure.to_string()),
        });
        corroboration.cosignatures.extend(lines);
    }
    let corroborated = corroborate(directory, name, wait, note, corroboration)?.done;
    // What was given is kept before it is noted who gave it.
    known.note(place, sizes).map_err(failed)?;
    drop(reader);
    let head = match corroborated {
        Corroborated::Added(head) => head,
        Corroborated::Present | Corroborated::Overtaken => ChainReader::open(directory, name)?.head(),
    };
    let quorum = meets_policy(&trust, &ChainReader::open(directory, name)?.checkpointed()?.note);
    Ok(Asked { before: standing.head, head, size, quorum, witnesses: states })
}

impl Question<'_> {
    /// The witness' lines, all of them good; `old` is the size that it has for all we know.
    async fn put(&self, witness: &NamedWitness, mut old: u64) -> Result<Vec<NoteSignature>, WitnessError> {
        let here = self.checkpoint.size;
        for _ in 0..=CONFLICTS {
            let proof = self.consistency(old)?;
            let request = AddCheckpoint { old, proof, checkpoint: self.bare() };
            match witness.witness.add_checkpoint(&request).await? {
                Answered::Cosigned(lines) => return self.verified(&witness.vkey, lines),
                Answered::HasSize(seen) if seen > here => return Err(WitnessError::Ahead { seen, here }),
                Answered::HasSize(seen) if seen == old => {
                    return Err(WitnessError::Inconsistent(format!("with {seen} entries, too")));
                }
                Answered::HasSize(seen) => old = seen,
                Answered::Inconsistent(said) => return Err(WitnessError::Inconsistent(said)),
                Answered::UnknownLog => return Err(WitnessError::UnknownLog),
                Answered::OtherKey => return Err(WitnessError::OtherKey),
            }
        }
        Err(WitnessError::Unsettled)
    }

    /// The checkpoint with the lines of the log alone: witnesses take no large requests.
    fn bare(&self) -> Note {
        let lines = self.note.signatures.iter().filter(|line| line.name == self.checkpoint.origin);
        Note { text: self.note.text.clone(), signatures: lines.cloned().collect() }
    }

    /// That the checkpoint continues the one of the first `old` entries.
    fn consistency(&self, old: u64) -> Result<Vec<Digest>, WitnessError> {
        if old == 0 || old == self.checkpoint.size {
            return Ok(Vec::new());
        }
        let mut tiles = TreeTiles::new(self.checkpoint.size);
        tiles.want_consistency(old)?;
        for tile in tiles.wants() {
            let path = tile.path();
            let found = self.reader.tlog_file(&path);
            let found = found.map_err(|error| WitnessError::Archive(error.to_string()))?;
            let (_, bytes) = found.ok_or(ProofError::TileMissing { path })?;
            tiles.feed(&tile, &bytes)?;
        }
        Ok(tiles.authenticate(&self.checkpoint.root)?.consistency(old)?.path)
    }

    /// Of the lines that a witness sent, those by its key; what it sends of others is nobody's.
    fn verified(&self, vkey: &Vkey, lines: Vec<NoteSignature>) -> Result<Vec<NoteSignature>, WitnessError> {
        let answered = Note { text: self.note.text.clone(), signatures: lines };
        match vkey.verify(&answered) {
            VkeyVerdict::Absent => Err(WitnessError::NoCosignature(vkey.to_string())),
            VkeyVerdict::Invalid => Err(WitnessError::BadCosignature),
            VkeyVerdict::Valid { .. } => Ok(vkey.lines(&answered).cloned().collect()),
        }
    }
}

/// Whether the cosignatures of a note meet the policy of a trust document.
fn meets_policy(trust: &TrustDocument, note: &Note) -> bool {
    let Ok(policy) = Policy::of_trust(&trust.policy) else { return false };
    let cosigned =
        |place: usize| matches!(policy.witnesses[place].vkey.verify(note), VkeyVerdict::Valid { .. });
    policy.is_met(cosigned)
}

/// The trust document in force at the end of an archive, and where it is, for the next one who looks.
///
/// # Errors
/// Those of the archive.
pub fn trust_of(reader: &ChainReader, name: &ChainName) -> Result<(KnownTrust, TrustDocument), OpsError> {
    let notes = Witnessed::read(reader.archive().directory(), name).ok();
    let known = notes.as_ref().and_then(Witnessed::trust).map(|known| (known.seq, known.manifest));
    let (cid, newest) = reader.newest()?;
    let mut get = |cid: &Cid| reader.archive().get(cid).map_err(Box::new);
    // A note that leads nowhere is as none.
    let found = trust_in_force(&cid, known, &mut get).or_else(|_| trust_in_force(&cid, None, &mut get));
    let (manifest, trust) = found?;
    let here = KnownTrust { seq: newest.seq, manifest };
    if newest.seq.saturating_sub(known.map_or(0, |(seq, _)| seq)) > LONG_WALK {
        // It only saves the next one the walk.
        notes.map(|mut notes| notes.note(here, []).ok());
    }
    Ok((here, trust))
}

/// Witnesses that a trust document names with a URL; none where its policy cannot be read.
#[must_use]
pub fn of_policy(trust: &TrustDocument) -> Vec<(String, Vkey, String)> {
    let policy = Policy::of_trust(&trust.policy).unwrap_or_default();
    policy.witnesses.into_iter().filter_map(|known| Some((known.name, known.vkey, known.url?))).collect()
}

/// The keys by which a witness knows the chain: those that may sign its checkpoints now.
///
/// # Errors
/// Those of the archive.
pub fn log_vkeys(reader: &ChainReader, name: &ChainName) -> Result<Vec<Vkey>, OpsError> {
    let (known, trust) = trust_of(reader, name)?;
    let origin = Checkpoint::origin_of(&reader.root());
    let keys = trust.keys.keys().filter_map(|id| trust.key_for(id, KeyRole::Signer, known.seq));
    Ok(keys.map(|key| Vkey::ed25519(&origin, *key)).collect())
}
