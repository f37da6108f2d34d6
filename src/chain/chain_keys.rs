//! Whose signatures count for a chain, as its trust events alone say: what a checkpoint is judged by where the chain
//! itself is not at hand.

use std::sync::Arc;

use super::entry::{EntryCheck, EntryVerdict, FileBytes, KnownKeys, SignatureState};
use crate::codec::dag_cbor::decode_manifest;
use crate::codec::note::{Note, NoteError, NoteVerdict, decode_checkpoint};
use crate::crypto::KeyId;
use crate::model::{
    Checkpoint, Cid, Codec, EventKind, KeyRole, Revocation, RevocationReason, Role, TrustDocument, TrustEntry,
};

/// Why trust events say nothing of a chain's keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("trust event {index} does not hold: {detail}")]
pub struct TrustEventError {
    /// Position among the events.
    pub index: usize,
    pub detail: String,
}

/// Why a note is no checkpoint of a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("it is of another chain, {origin:?}")]
    OtherChain { origin: String },
    #[error("it is not signed by a key that may sign entries of this chain")]
    Unsigned,
}

/// A checkpoint with the note that it was signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    pub checkpoint: Checkpoint,
    pub note: String,
    /// Key of the chain that signed it.
    pub signed_by: KeyId,
}

/// The keys of one chain.
#[derive(Clone, Debug)]
pub struct ChainKeys {
    chain: Cid,
    /// Each with the number of the entry that brings it.
    documents: Vec<(u64, TrustDocument)>,
}

impl ChainKeys {
    /// The keys that events bring, `genesis` first, each signed by enough root keys under the document before and under
    /// its own.
    ///
    /// # Errors
    /// [`TrustEventError`] for the first event that does not hold.
    pub fn verify(chain: &Cid, entries: &[TrustEntry]) -> Result<Self, TrustEventError> {
        Ok(Self { chain: *chain, documents: documents(chain, entries)? })
    }

    /// The trust document in force at an entry.
    #[must_use]
    pub fn in_force(&self, seq: u64) -> Option<&TrustDocument> {
        self.documents().take_while(|(brought, _)| *brought <= seq).map(|(_, document)| document).last()
    }

    /// All trust documents, the oldest first, each with the number of the entry that brings it.
    pub fn documents(&self) -> impl DoubleEndedIterator<Item = (u64, &TrustDocument)> {
        self.documents.iter().map(|(seq, document)| (*seq, document))
    }

    /// The name of the chain's checkpoints.
    #[must_use]
    pub fn origin(&self) -> String {
        Checkpoint::origin_of(&self.chain)
    }

    /// Reads a note that is to be a checkpoint of the chain.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn read(&self, note: &[u8]) -> Result<SignedCheckpoint, CheckpointError> {
        let read = Note::decode(note)?;
        let checkpoint = decode_checkpoint(&read.text)?;
        if checkpoint.origin != self.origin() {
            return Err(CheckpointError::OtherChain { origin: checkpoint.origin });
        }
        let signed_by = self.signer(&read, &checkpoint).ok_or(CheckpointError::Unsigned)?;
        Ok(SignedCheckpoint { checkpoint, note: String::from_utf8_lossy(note).into_owned(), signed_by })
    }

    /// The key that signed a checkpoint, and is a signer under one of the documents: on whichever side of a fork the
    /// checkpoint stands, it is the chain's own. A key that any document revokes for that size does not count; a
    /// retirement takes nothing back, so it revokes nothing before the entry that brings it.
    #[must_use]
    pub fn signer(&self, note: &Note, checkpoint: &Checkpoint) -> Option<KeyId> {
        let seq = checkpoint.size.checked_sub(1)?;
        self.documents().rev().find_map(|(_, document)| {
            document.keys.iter().find_map(|(id, key)| {
                let signs = document.key_for(id, KeyRole::Signer, seq).is_some() && !self.is_revoked(id, seq);
                (signs && note.verify(&checkpoint.origin, &key.public) == NoteVerdict::Valid).then_some(*id)
            })
        })
    }

    /// Whether any document revokes a key for an entry, whatever others say of it.
    fn is_revoked(&self, id: &KeyId, seq: u64) -> bool {
        self.documents().any(|(brought, document)| {
            let since = |revocation: &Revocation| match revocation.reason {
                RevocationReason::Compromised => revocation.since,
                RevocationReason::Retired => revocation.since.max(brought),
            };
            document.revoked.iter().any(|revocation| revocation.key == *id && since(revocation) <= seq)
        })
    }
}

/// The trust documents that events bring, each signed by enough root keys under the one before and under itself.
fn documents(chain: &Cid, entries: &[TrustEntry]) -> Result<Vec<(u64, TrustDocument)>, TrustEventError> {
    let mut documents: Vec<(u64, TrustDocument)> = Vec::new();
    let (mut keys, mut newest) = (Arc::new(KnownKeys::new()), None);
    for (index, entry) in entries.iter().enumerate() {
        let broken = |detail: &str| TrustEventError { index, detail: detail.to_owned() };
        let verdict = check(entry, &keys).map_err(|detail| TrustEventError { index, detail })?;
        let (Some(manifest), Some(event), Some(document)) =
            (&verdict.manifest, &verdict.event, &verdict.trust)
        else {
            return Err(broken("it brings no trust document"));
        };
        let is_first = index == 0;
        if is_first != (verdict.cid == *chain) || is_first != (event.event == EventKind::Genesis) {
            return Err(broken("the first one is the chain's `genesis`, and no other is"));
        }
        if !is_first && (manifest.chain != Some(*chain) || newest >= Some(manifest.seq)) {
            return Err(broken("it is of another chain, or stands before the one before it"));
        }
        if documents.last().is_some_and(|(_, old)| old.version.checked_add(1) != Some(document.version)) {
            return Err(broken("its version is not one more than the one before"));
        }
        let in_force = documents.last().map(|(_, old)| old).into_iter().chain([document.as_ref()]);
        if !in_force.into_iter().all(|document| has_root_threshold(document, manifest.seq, &verdict)) {
            return Err(broken("too few root keys signed it"));
        }
        newest = Some(manifest.seq);
        Arc::make_mut(&mut keys).extend(document.keys.iter().map(|(id, key)| (*id, key.public)));
        documents.push((manifest.seq, document.as_ref().clone()));
    }
    Ok(documents)
}

/// What is found of a trust event alone; its other files are not needed.
fn check(entry: &TrustEntry, keys: &Arc<KnownKeys>) -> Result<EntryVerdict, String> {
    let cid = Cid::of(Codec::DagCbor, &entry.manifest);
    let manifest = decode_manifest(&entry.manifest).map_err(|error| error.to_string())?;
    let bytes = |role| match role {
        Role::Trust => FileBytes::Block(entry.document.clone()),
        _ => FileBytes::Absent,
    };
    let check = EntryCheck {
        index: manifest.seq,
        cid,
        files: manifest.files.iter().map(|file| bytes(file.role)).collect(),
        manifest: Some(manifest),
        log: Some(entry.log.clone()),
        keys: Arc::clone(keys),
        faults: Vec::new(),
    };
    let verdict = check.run();
    match verdict.faults.first() {
        Some((_, fault)) => Err(fault.to_string()),
        None => Ok(verdict),
    }
}

/// Whether enough root keys signed, each counted once, and none badly.
fn has_root_threshold(document: &TrustDocument, seq: u64, verdict: &EntryVerdict) -> bool {
    let mut counted: Vec<KeyId> = Vec::new();
    for (id, state) in &verdict.signatures {
        match state {
            SignatureState::Invalid => return false,
            SignatureState::Valid if document.key_for(id, KeyRole::Root, seq).is_some() => counted.push(*id),
            SignatureState::Valid | SignatureState::Unknown(_) => {}
        }
    }
    counted.sort_unstable();
    counted.dedup();
    counted.len() >= document.threshold(KeyRole::Root).max(1) as usize
}
