//! One head among those that an archive holds, judged by what is known of the chain's keys, of witnesses and of authorities.

use std::collections::HashMap;

use super::super::corroborate::{Checkpointed, checkpointed};
use super::super::{ChainReader, OpsError, chain};
use super::{HeldHead, Judging, LineStanding, ShownCosignature, ShownToken};
use crate::chain::{
    Authority, ChainKeys, Cosigned, Stamped, TOKENS_LIMIT, TimeInterval, imprints_of, verify_token,
};
use crate::codec::cosignature::split;
use crate::codec::dag_cbor::decode_head;
use crate::codec::note::{Note, NoteSignature, decode_checkpoint};
use crate::codec::policy::Policy;
use crate::codec::vkey::{Vkey, VkeyVerdict};
use crate::crypto::Digest;
use crate::model::{Checkpoint, Cid, Timestamp};

/// What a head says, not verified.
pub(super) struct Read {
    head: Cid,
    manifest: Cid,
    newest: Timestamp,
    note: Note,
    checkpoint: Checkpoint,
    timestamps: Vec<Vec<u8>>,
}

impl Read {
    pub fn of(reader: &ChainReader, head: Cid) -> Result<Self, OpsError> {
        let mut block = |what: &'static str, cid: &Cid| reader.block(what, cid);
        let Checkpointed { note, timestamps, .. } = checkpointed(head, &mut block)?;
        let read = decode_checkpoint(&note.text).map_err(|error| chain::refuse("checkpoint", head, error))?;
        let parts = reader.block("head", &head)?;
        let manifest = decode_head(&parts).map_err(|error| chain::refuse("head", head, error))?.manifest;
        let newest = reader.entry(&manifest)?.statement.event.finished_at;
        Ok(Self { head, manifest, newest, note, checkpoint: read, timestamps })
    }
}

/// What heads are judged by.
pub(super) struct Bench<'a> {
    reader: &'a ChainReader,
    judging: &'a Judging,
    keys: ChainKeys,
    witnesses: Vec<(String, Vkey)>,
    roots: HashMap<u64, Digest>,
}

impl<'a> Bench<'a> {
    /// `roots`: those that the archive's newest head has, by size.
    pub fn new(
        reader: &'a ChainReader,
        judging: &'a Judging,
        keys: ChainKeys,
        roots: HashMap<u64, Digest>,
    ) -> Self {
        Self { reader, judging, witnesses: witnesses(&keys, judging), keys, roots }
    }

    pub fn judge(&self, read: &Read) -> HeldHead {
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
            timestamps_unread: read.timestamps.len().saturating_sub(TOKENS_LIMIT),
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
