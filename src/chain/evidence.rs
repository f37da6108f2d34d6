//! One entry judged by what was handed over with it, without the rest of its chain: its blocks, the trust documents,
//! and proofs that these stand in the tree of one signed checkpoint. What it cannot tell it says.

mod corroboration;
mod report;

use std::sync::Arc;

use self::corroboration::Vouched;
pub use self::corroboration::authorities_pem;
pub use self::report::{EstablishedEvidence, EvidenceReport, NotEstablished, ProvedUnder, ToldOfKey};
use super::finding::{Fault, Finding, FindingKind};
use super::proof::{InclusionProof, verify_inclusion};
use super::restore::GetBlock;
use super::story::Story;
use super::tree::leaf_hash;
use super::verify::{Anchor, Options};
use super::walk::{Fetched, OpenEntry, Walked};
use crate::codec::dag_cbor::{decode_head, decode_manifest};
use crate::codec::dsse::Envelope;
use crate::codec::note::{Note, NoteVerdict, decode_checkpoint};
use crate::codec::sigstore::Bundle;
use crate::codec::tlog_proof::TlogProof;
use crate::codec::unixfs::decode_directory;
use crate::crypto::{Digest, KeyId};
use crate::model::{Checkpoint, Cid, Codec, Event, Head, KeyRole, Manifest, Timestamp};

/// What is handed over for one entry. Nothing in it is verified yet.
#[derive(Clone, Debug)]
pub struct EntryEvidence {
    /// The entry.
    pub manifest: Cid,
    /// That it is in the tree of a checkpoint.
    pub proof: TlogProof,
    /// The manifests that bring trust documents, and the same of each; in their order, manifest 0 first.
    pub trust: Vec<(Cid, TlogProof)>,
    /// The head that the checkpoint is of.
    pub head: Option<Cid>,
    /// The entry's log for programs that know sigstore.
    pub bundle: Bundle,
    /// PEM of the key that signed the bundle.
    pub public_key: Vec<u8>,
    /// The timestamp tokens of the head, for programs that know RFC 3161.
    pub timestamps: Vec<Vec<u8>>,
    /// PEM of the authorities of the newest trust document; empty where there is no token.
    pub authorities: Vec<u8>,
}

/// Judges an entry. `get` reads one block, whose bytes are hashed here.
///
/// # Errors
/// Those of `get`. What is wrong with the evidence is a finding.
pub fn verify_evidence<E>(
    evidence: &EntryEvidence,
    options: &Options,
    get: &mut GetBlock<'_, E>,
) -> Result<EvidenceReport, E> {
    let chain = match manifest_of(&evidence.manifest, get)? {
        Some(Manifest { chain: Some(chain), .. }) => chain,
        _ => evidence.manifest,
    };
    let mut story = Story::new(options.tolerance);
    story.chain = Some(chain);
    let mut judge = Judge {
        get,
        evidence,
        checkpoint: evidence.proof.checkpoint().ok(),
        story,
        findings: Vec::new(),
        event: None,
        newest: None,
        signed_by: Vec::new(),
        entries: 0,
        withheld: Vec::new(),
        sealed: false,
    };
    judge.judge_entries()?;
    let checkpoint = judge.judge_checkpoint();
    let parts = judge.judge_head()?;
    judge.judge_bundle()?;
    let tokens = parts.as_ref().map(|head| head.timestamps.as_slice()).unwrap_or_default();
    let vouched = judge.judge_others(options, tokens);
    let head = evidence.head.filter(|_| parts.is_some());
    let anchored = judge.judge_anchors(options, head);
    judge.judge_memory(options, &checkpoint);
    Ok(judge.end(Judged { checkpoint, head, anchored, vouched }))
}

/// A manifest, if its bytes are the CID's and are one.
fn manifest_of<E>(cid: &Cid, get: &mut GetBlock<'_, E>) -> Result<Option<Manifest>, E> {
    let bytes = get(cid)?.filter(|bytes| cid.matches(bytes));
    Ok(bytes.and_then(|bytes| decode_manifest(&bytes).ok()))
}

/// What was judged of what is around the entries.
struct Judged {
    checkpoint: ProvedUnder,
    head: Option<Cid>,
    anchored: bool,
    vouched: Vouched,
}

struct Judge<'a, 'g, E> {
    get: &'a mut GetBlock<'g, E>,
    evidence: &'a EntryEvidence,
    /// What everything is proved under, if it can be read.
    checkpoint: Option<(Note, Checkpoint)>,
    story: Story,
    findings: Vec<Finding>,
    event: Option<Event>,
    /// The newest time that an entry which is shown tells of.
    newest: Option<Timestamp>,
    signed_by: Vec<KeyId>,
    /// Entries that were judged.
    entries: u64,
    withheld: Vec<Cid>,
    sealed: bool,
}

impl<E> Judge<'_, '_, E> {
    fn find(&mut self, seq: Option<u64>, cid: Option<Cid>, fault: Fault) {
        self.findings.push(Finding { seq, cid, fault });
    }

    /// Entry and trust documents in the order in which they stand in the chain.
    fn judge_entries(&mut self) -> Result<(), E> {
        let mut entries = self.evidence.trust.clone();
        let own = (self.evidence.manifest, self.evidence.proof.clone());
        // An entry that brings a trust document is handed over once.
        if !entries.iter().any(|(cid, _)| *cid == own.0) {
            entries.push(own);
        }
        entries.sort_by_key(|(_, proof)| proof.index);
        for pair in entries.windows(2).filter(|pair| pair[0].1.index == pair[1].1.index) {
            let what = "a manifest";
            let detail = "another one is said to stand at the same place";
            self.find(Some(pair[1].1.index), Some(pair[1].0), Fault::EvidenceDiffers { what, detail });
        }
        if entries[0].0 != self.chain() {
            let chain = self.chain();
            self.find(Some(0), Some(chain), Fault::BlockMissing);
        }
        for (cid, proof) in entries {
            self.judge_inclusion(&cid, &proof);
            self.judge_entry(&cid, &proof)?;
        }
        Ok(())
    }

    fn chain(&self) -> Cid {
        self.story.chain.unwrap_or(self.evidence.manifest)
    }

    fn judge_inclusion(&mut self, cid: &Cid, proof: &TlogProof) {
        let seq = Some(proof.index);
        if proof.checkpoint != self.evidence.proof.checkpoint {
            let (what, detail) = ("the checkpoint of a proof", "all proofs have to be under one");
            self.find(seq, Some(*cid), Fault::EvidenceDiffers { what, detail });
        }
        let Some((_, Checkpoint { size, root, .. })) = self.checkpoint else { return };
        let inclusion = InclusionProof { index: proof.index, size, path: proof.path.clone() };
        if let Err(reason) = verify_inclusion(&leaf_hash(cid), &inclusion, &root) {
            self.find(seq, Some(*cid), Fault::NotIncluded { reason });
        }
    }

    fn judge_entry(&mut self, cid: &Cid, proof: &TlogProof) -> Result<(), E> {
        let Some(fetched) = (self.get)(cid)? else {
            self.find(Some(proof.index), Some(*cid), Fault::BlockMissing);
            return Ok(());
        };
        let manifest = decode_manifest(&fetched).ok().filter(|_| cid.matches(&fetched));
        let mut open = OpenEntry::new(*cid, Fetched::Block(fetched), &Walked::new());
        while let Some(wanted) = open.want() {
            let fetched = (self.get)(&wanted)?.map_or(Fetched::Missing, Fetched::Block);
            open.feed(&wanted, fetched);
        }
        let mut verdict = open.into_check(proof.index, Arc::clone(&self.story.keys)).run();
        if let Some(manifest) = manifest {
            if manifest.seq != proof.index {
                let fault = Fault::SeqGap { expected: proof.index, found: manifest.seq };
                self.find(Some(proof.index), Some(*cid), fault);
            }
            let sealed = |cid: &Cid| manifest.files.iter().any(|file| file.sealed && file.cid == *cid);
            // What is sealed may be erased, or not for whom the evidence is; its bytes prove nothing more.
            verdict.faults.retain(|(cid, fault)| match cid.filter(sealed) {
                Some(cid) if *fault == Fault::BlockMissing => {
                    self.withheld.push(cid);
                    false
                }
                _ => true,
            });
            self.sealed |= *cid == self.evidence.manifest && manifest.files.iter().any(|file| file.sealed);
        }
        if *cid == self.evidence.manifest {
            self.event = verdict.event.clone();
            self.signed_by = verdict.signatures.iter().map(|(id, _)| *id).collect();
        }
        self.newest = self.newest.max(verdict.event.as_ref().map(|event| event.finished_at));
        self.entries += 1;
        self.story.tell_alone(verdict);
        Ok(())
    }

    /// Under the newest trust document that is shown.
    fn judge_checkpoint(&mut self) -> ProvedUnder {
        let Some((note, checkpoint)) = self.checkpoint.clone() else {
            self.find(None, None, Fault::CheckpointUnsigned);
            return ProvedUnder { size: 0, root: Digest::of(b""), signed_by: Vec::new(), unchecked: 0 };
        };
        let origin = Checkpoint::origin_of(&self.chain());
        if checkpoint.origin != origin {
            let (member, found) = ("origin", checkpoint.origin.clone());
            self.find(None, None, Fault::CheckpointDiffers { member, expected: origin.clone(), found });
        }
        let mut signed_by = Vec::new();
        let mut lines = 0;
        if let Some(trust) = self.story.trust.clone() {
            for (id, key) in &trust.keys {
                match note.verify(&origin, &key.public) {
                    NoteVerdict::Absent => continue,
                    NoteVerdict::Invalid => self.find(None, None, Fault::BadSignature { keyid: *id }),
                    NoteVerdict::Valid => {
                        let seq = checkpoint.size.saturating_sub(1);
                        signed_by.extend(trust.key_for(id, KeyRole::Signer, seq).map(|_| *id));
                    }
                }
                lines += 1;
            }
        }
        if signed_by.is_empty() {
            self.find(None, None, Fault::CheckpointUnsigned);
        }
        let Checkpoint { size, root, .. } = checkpoint;
        ProvedUnder { size, root, signed_by, unchecked: note.signatures.len().saturating_sub(lines) }
    }

    /// The head, when its directory holds the checkpoint.
    fn judge_head(&mut self) -> Result<Option<Head>, E> {
        let Some(head) = self.evidence.head else { return Ok(None) };
        let parts = (self.get)(&head)?.filter(|bytes| head.matches(bytes));
        let parts = parts.and_then(|bytes| decode_head(&bytes).ok());
        let mut holds = false;
        if let Some(parts) = &parts {
            let directory = (self.get)(&parts.tlog)?.filter(|bytes| parts.tlog.matches(bytes));
            let links = directory.and_then(|bytes| decode_directory(&bytes).ok()).unwrap_or_default();
            let checkpoint = Cid::of(Codec::Raw, &self.evidence.proof.checkpoint);
            holds = links.iter().any(|link| link.name == "checkpoint" && link.cid == checkpoint);
        }
        if !holds {
            let (what, detail) = ("the head", "it does not hold the checkpoint");
            self.find(None, Some(head), Fault::EvidenceDiffers { what, detail });
        }
        Ok(parts.filter(|_| holds))
    }

    /// The bundle has the log's payload, and one of its signatures.
    fn judge_bundle(&mut self) -> Result<(), E> {
        let Some(manifest) = manifest_of(&self.evidence.manifest, self.get)? else { return Ok(()) };
        let log = (self.get)(&manifest.log)?.filter(|bytes| manifest.log.matches(bytes));
        let Some(log) = log.and_then(|bytes| Envelope::decode(&bytes).ok()) else { return Ok(()) };
        let bundle = self.evidence.bundle.envelope();
        let mut differ = |what, detail| {
            let (seq, cid) = (Some(manifest.seq), Some(manifest.log));
            self.findings.push(Finding { seq, cid, fault: Fault::EvidenceDiffers { what, detail } });
        };
        if bundle.payload != log.payload {
            differ("the bundle", "its payload is another one than the log's");
        }
        if !bundle.signatures.iter().all(|signature| log.signatures.contains(signature)) {
            differ("the bundle", "its signature is not one of the log's");
        }
        let key = bundle.signatures.first().and_then(|(id, _)| self.story.keys.get(id));
        if key.is_none_or(|key| key.to_pem().as_bytes() != self.evidence.public_key) {
            differ("the public key", "it is not the one of the bundle's signature");
        }
        Ok(())
    }

    fn judge_anchors(&mut self, options: &Options, head: Option<Cid>) -> bool {
        let chain = self.chain();
        let anchored = options.anchors.iter().any(|anchor| match anchor {
            Anchor::Chain(cid) => *cid == chain || Some(*cid) == head,
            Anchor::RootKey(id) => self.story.genesis_roots.contains(id),
        });
        if options.require_anchor && !anchored {
            self.find(None, None, Fault::NotAnchored { chain });
        }
        anchored
    }

    /// Entries that are shown, and the tree that they stand in, are those that were verified before where these are known.
    /// A tree that nobody signed is no other version of the chain.
    fn judge_memory(&mut self, options: &Options, under: &ProvedUnder) {
        let (chain, evidence) = (self.chain(), self.evidence);
        let own = (evidence.manifest, evidence.proof.index);
        let shown = || evidence.trust.iter().map(|(cid, proof)| (*cid, proof.index)).chain([own]);
        let read = |note: &String| decode_checkpoint(&Note::decode(note.as_bytes()).ok()?.text).ok();
        for seen in options.remembered.iter().filter(|seen| seen.chain == chain) {
            if let Some((cid, seq)) = shown().find(|(cid, seq)| *seq == seen.seq && *cid != seen.manifest) {
                let fault = Fault::Forked { entry: seq, expected: seen.manifest };
                self.find(Some(seq), Some(cid), fault);
            }
            let known = seen.checkpoint.as_ref().and_then(read).filter(|_| !under.signed_by.is_empty());
            if let Some(Checkpoint { size, root, .. }) = known
                && size == under.size
                && root != under.root
            {
                self.find(None, None, Fault::TreeForked { entries: size, expected: root });
            }
        }
    }

    /// What the newest trust document that is shown says of the entry's keys.
    fn revoked(&self, signed_by: &[KeyId]) -> Vec<ToldOfKey> {
        let revoked = self.story.trust.iter().flat_map(|trust| &trust.revoked);
        let of_entry = revoked.filter(|revocation| signed_by.contains(&revocation.key));
        let told = of_entry.map(|revocation| ToldOfKey {
            keyid: revocation.key,
            since: revocation.since,
            reason: revocation.reason,
        });
        told.collect()
    }

    fn end(self, judged: Judged) -> EvidenceReport {
        let Judged { mut checkpoint, head, anchored, vouched } = judged;
        let known = |id: &KeyId| self.story.keys.contains_key(id);
        let signed_by: Vec<KeyId> = self.signed_by.iter().copied().filter(known).collect();
        let revoked = self.revoked(&signed_by);
        let time = vouched.time(self.event.as_ref().map(|event| event.finished_at));
        checkpoint.unchecked = checkpoint.unchecked.saturating_sub(vouched.witnessing.lines);
        let mut findings = self.story.findings;
        findings.extend(self.findings);
        let none = |kind| !findings.iter().any(|finding| finding.fault.kind() == kind);
        let included = !findings.iter().any(|finding| matches!(finding.fault, Fault::NotIncluded { .. }));
        let signed = none(FindingKind::Signature) && self.story.signed == self.entries;
        let anchored = anchored && included && signed;
        let open = [
            (NotEstablished::Anchored, !anchored),
            (NotEstablished::OtherTrust, true),
            (NotEstablished::OtherEntries, true),
            (NotEstablished::OneTree, !vouched.witnessing.witnessed),
            (NotEstablished::Time, time.not_after.is_none()),
            (NotEstablished::Sealed, self.sealed),
        ];
        EvidenceReport {
            verified: findings.is_empty(),
            chain: self.story.chain.unwrap_or(self.evidence.manifest),
            name: self.story.trust.as_ref().map(|trust| trust.name.clone()),
            manifest: self.evidence.manifest,
            event: self.event,
            signed_by,
            revoked,
            checkpoint,
            head,
            time,
            witnesses: vouched.witnessing.witnesses,
            trust: self.evidence.trust.iter().map(|(_, proof)| proof.index).collect(),
            withheld: self.withheld,
            established: EstablishedEvidence {
                intact: none(FindingKind::Integrity) && none(FindingKind::Completeness),
                included,
                signed,
                anchored,
                witnessed: vouched.witnessing.witnessed,
                timestamped: vouched.timestamped,
            },
            not_established: open.into_iter().filter(|(_, is)| *is).map(|(what, _)| what).collect(),
            findings,
        }
    }
}
