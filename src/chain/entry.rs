//! What can be checked of one entry alone: its log, its files and its signatures against the keys that
//! are known. Pure and independent of other entries, so that it may run beside others.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::finding::Fault;
use super::judged_hooks::{JudgedHooks, judged_hooks};
use super::judged_policy::{JudgedPolicy, judged_policy};
use super::planned::{ClearPlan, clear_plan};
use crate::codec::dag_cbor::encode_manifest;
use crate::codec::dsse::Envelope;
use crate::codec::statement::decode_statement;
use crate::codec::trust::decode_trust;
use crate::crypto::{Digest, KeyId, PublicKey, Signature};
use crate::model::{
    Cid, Codec, Details, Event, EventKind, FileDigests, FileEntry, Manifest, Role, Statement, Subject,
    TrustDocument, TrustEntry,
};

/// Keys by their identifiers.
pub type KnownKeys = BTreeMap<KeyId, PublicKey>;

/// What came of a file's blocks.
#[derive(Clone, Debug)]
pub enum FileBytes {
    /// The file's only block, not yet hashed.
    Block(Vec<u8>),
    /// A file that was hashed when its blocks passed by.
    Walked { digests: FileDigests, size: u64, layout: Cid },
    /// Missing, or reported already.
    Absent,
}

/// All that is needed to check one entry.
#[derive(Debug)]
pub struct EntryCheck {
    pub(super) index: u64,
    pub(super) cid: Cid,
    pub(super) manifest: Option<Manifest>,
    pub(super) log: Option<Vec<u8>>,
    pub(super) files: Vec<FileBytes>,
    pub(super) keys: Arc<KnownKeys>,
    /// Found while the blocks came in.
    pub(super) faults: Vec<(Option<Cid>, Fault)>,
}

/// What one signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureState {
    Valid,
    Invalid,
    /// By a key that was not known when the entry was checked.
    Unknown(Signature),
}

/// What was found of one entry.
#[derive(Debug)]
pub struct EntryVerdict {
    pub(super) index: u64,
    pub(super) cid: Cid,
    pub(super) manifest: Option<Manifest>,
    pub(super) event: Option<Event>,
    pub(super) signatures: Vec<(KeyId, SignatureState)>,
    /// Kept while a signature is by an unknown key, which a later look may know.
    pub(super) message: Option<Vec<u8>>,
    pub(super) trust: Option<Arc<TrustDocument>>,
    /// The approvals that a `plan` event brings.
    pub(super) approvals: Vec<Vec<u8>>,
    /// The file of the plan, where it is in clear.
    pub(super) plan: Option<Box<ClearPlan>>,
    /// What it says of policy hooks.
    pub(super) hooks: Option<Box<JudgedHooks>>,
    /// What it says of policy packs.
    pub(super) policy: Option<Box<JudgedPolicy>>,
    /// The blocks of the event that brings it.
    pub(super) brought: Option<TrustEntry>,
    pub(super) faults: Vec<(Option<Cid>, Fault)>,
}

impl EntryVerdict {
    /// What the entry says of policy hooks, once: whoever can ask them again does.
    pub fn take_hooks(&mut self) -> Option<Box<JudgedHooks>> {
        self.hooks.take()
    }

    /// What the entry says of policy packs, once: whoever can ask them again does.
    pub fn take_policy(&mut self) -> Option<Box<JudgedPolicy>> {
        self.policy.take()
    }

    /// Adds what was found beside the check.
    pub fn add(&mut self, fault: Fault) {
        self.faults.push((None, fault));
    }
}

impl EntryCheck {
    /// Position of the entry among all manifests.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn weight(&self) -> usize {
        let file = |file: &FileBytes| if let FileBytes::Block(bytes) = file { bytes.len() } else { 0 };
        self.log.as_ref().map_or(0, Vec::len) + self.files.iter().map(file).sum::<usize>()
    }

    /// Does the work; three hashes and a signature for an ordinary entry.
    #[must_use]
    pub fn run(mut self) -> EntryVerdict {
        let mut verdict = EntryVerdict {
            index: self.index,
            cid: self.cid,
            manifest: None,
            event: None,
            signatures: Vec::new(),
            message: None,
            trust: None,
            approvals: Vec::new(),
            plan: None,
            hooks: None,
            policy: None,
            brought: None,
            faults: std::mem::take(&mut self.faults),
        };
        let Some(manifest) = self.manifest.take() else { return verdict };
        let digests = self.check_files(&manifest, &mut verdict);
        if let Some((envelope, statement)) = self.read_log(&manifest, &mut verdict) {
            self.read_trust(&manifest, &statement.event, &mut verdict);
            verdict.approvals = self.approvals(&manifest, &statement.event);
            verdict.plan = clear_plan(&manifest, &self.files, &statement.event);
            verdict.hooks = judged_hooks(&manifest, &self.files, &statement.event);
            verdict.policy = judged_policy(&manifest, &self.files, &statement.event);
            self.check_signatures(&envelope, &mut verdict);
            check_statement(&manifest, &statement, &digests, &mut verdict.faults);
            verdict.event = Some(statement.event);
        }
        verdict.manifest = Some(manifest);
        verdict
    }

    /// The digests of each file whose bytes are there and are the CID's.
    fn check_files(&self, manifest: &Manifest, verdict: &mut EntryVerdict) -> Vec<Option<FileDigests>> {
        let mut digests = Vec::with_capacity(manifest.files.len());
        for (file, bytes) in manifest.files.iter().zip(&self.files) {
            let (found, size) = match bytes {
                FileBytes::Absent => {
                    digests.push(None);
                    continue;
                }
                FileBytes::Block(bytes) => (FileDigests::of(bytes), bytes.len() as u64),
                FileBytes::Walked { digests, size, layout } => {
                    if *layout != file.cid {
                        verdict.faults.push((Some(file.cid), Fault::FileLayout { name: file.name.clone() }));
                    }
                    (digests.clone(), *size)
                }
            };
            if matches!(bytes, FileBytes::Block(_)) && found.raw != file.cid.digest() {
                verdict.faults.push((Some(file.cid), Fault::BlockCorrupt));
                digests.push(None);
                continue;
            }
            if size != file.size {
                let fault = Fault::FileSize { name: file.name.clone(), expected: file.size, found: size };
                verdict.faults.push((Some(file.cid), fault));
            }
            digests.push(Some(found));
        }
        digests
    }

    fn read_log(&self, manifest: &Manifest, verdict: &mut EntryVerdict) -> Option<(Envelope, Statement)> {
        let bytes = self.log.as_ref()?;
        if !manifest.log.matches(bytes) {
            verdict.faults.push((Some(manifest.log), Fault::BlockCorrupt));
            return None;
        }
        let malformed = |what, detail| (Some(manifest.log), Fault::Malformed { what, detail });
        if manifest.log.codec() != Codec::Raw {
            verdict.faults.push(malformed("log", "it is not a raw block".to_owned()));
        }
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                verdict.faults.push(malformed("log", error.to_string()));
                return None;
            }
        };
        match decode_statement(&envelope.payload) {
            Ok(statement) => Some((envelope, statement)),
            Err(error) => {
                verdict.faults.push(malformed("statement", error.to_string()));
                // The statement cannot be read, and yet who signed it can be said.
                self.check_signatures(&envelope, verdict);
                None
            }
        }
    }

    /// Reads the trust document that a `genesis` or `trust` event brings.
    fn read_trust(&self, manifest: &Manifest, event: &Event, verdict: &mut EntryVerdict) {
        if !matches!(event.event, EventKind::Genesis | EventKind::Trust) {
            return;
        }
        let mut documents =
            manifest.files.iter().zip(&self.files).filter(|(file, _)| file.role == Role::Trust);
        let (Some((file, bytes)), None) = (documents.next(), documents.next()) else {
            let detail = format!("a `{}` event has one file of role `trust`", event.event);
            verdict.faults.push((None, Fault::Malformed { what: "manifest", detail }));
            return;
        };
        match bytes {
            FileBytes::Block(bytes) if file.cid.matches(bytes) => match decode_trust(bytes) {
                Ok(document) => {
                    verdict.trust = Some(Arc::new(document));
                    verdict.brought = self.log.as_ref().map(|log| TrustEntry {
                        manifest: encode_manifest(manifest),
                        log: log.clone(),
                        document: bytes.clone(),
                    });
                }
                Err(error) => {
                    let fault = Fault::Malformed { what: "trust document", detail: error.to_string() };
                    verdict.faults.push((Some(file.cid), fault));
                }
            },
            FileBytes::Walked { .. } => {
                let detail = "it has more than one block".to_owned();
                verdict.faults.push((Some(file.cid), Fault::Malformed { what: "trust document", detail }));
            }
            // Reported with the file.
            FileBytes::Block(_) | FileBytes::Absent => {}
        }
    }

    /// Approvals whose bytes are there and are the CID's; what is wrong with others is told of the files.
    fn approvals(&self, manifest: &Manifest, event: &Event) -> Vec<Vec<u8>> {
        if event.event != EventKind::Plan {
            return Vec::new();
        }
        let approvals =
            manifest.files.iter().zip(&self.files).filter(|(file, _)| file.role == Role::Approval);
        let approvals = approvals.filter_map(|(file, bytes)| match bytes {
            FileBytes::Block(bytes) if file.cid.matches(bytes) => Some(bytes.clone()),
            _ => None,
        });
        approvals.collect()
    }

    fn check_signatures(&self, envelope: &Envelope, verdict: &mut EntryVerdict) {
        let message = envelope.message();
        let mut unknown = false;
        for (id, signature) in &envelope.signatures {
            let own = verdict.trust.as_ref().and_then(|trust| trust.keys.get(id)).map(|key| key.public);
            let state = match own.as_ref().or_else(|| self.keys.get(id)) {
                Some(key) if key.verify(&message, signature) => SignatureState::Valid,
                Some(_) => SignatureState::Invalid,
                None => {
                    unknown = true;
                    SignatureState::Unknown(*signature)
                }
            };
            verdict.signatures.push((*id, state));
        }
        verdict.message = unknown.then_some(message);
    }
}

/// FORMAT §9, step 3, and the rules of §8 that show without a key.
fn check_statement(
    manifest: &Manifest,
    statement: &Statement,
    digests: &[Option<FileDigests>],
    faults: &mut Vec<(Option<Cid>, Fault)>,
) {
    let event = &statement.event;
    let mut differs = |member| faults.push((Some(manifest.log), Fault::StatementDiffers { member }));
    if event.chain != manifest.chain {
        differs("chain");
    }
    if event.seq != manifest.seq {
        differs("seq");
    }
    if event.prev != manifest.prev {
        differs("prev");
    }
    check_subjects(manifest, &statement.subjects, digests, faults);
    check_file_digests(manifest, event, digests, faults);
}

fn check_subjects(
    manifest: &Manifest,
    subjects: &[Subject],
    digests: &[Option<FileDigests>],
    faults: &mut Vec<(Option<Cid>, Fault)>,
) {
    let differ = |detail| (Some(manifest.log), Fault::SubjectsDiffer { detail });
    if manifest.files.is_empty() {
        let digest = manifest.prev.map(|previous| previous.digest());
        if !matches!((subjects, digest), ([Subject::Chain { digest: found }], Some(digest)) if *found == digest)
        {
            let detail =
                "without files there is one subject, `chain`, with the digest of the previous manifest";
            faults.push(differ(detail.to_owned()));
        }
        return;
    }
    if subjects.len() != manifest.files.len() {
        faults.push(differ(format!("{} subjects for {} files", subjects.len(), manifest.files.len())));
        return;
    }
    for (index, (file, subject)) in manifest.files.iter().zip(subjects).enumerate() {
        let Subject::File { name, cid, digest, role } = subject else {
            faults.push(differ(format!("subject {index} is not a file's")));
            continue;
        };
        if (name, cid, role) != (&file.name, &file.cid, &file.role) {
            faults.push(differ(format!("subject {index} is not file {}", file.name)));
        }
        let found = digests[index].as_ref().map(|digests| digests.raw);
        // A file of one block has its digest in its CID, also when the block is not there.
        let known = found.or((file.cid.codec() == Codec::Raw).then(|| file.cid.digest()));
        if let Some(found) = known.filter(|known| known != digest) {
            let fault = Fault::FileDigest { name: file.name.clone(), expected: *digest, found };
            faults.push((Some(file.cid), fault));
        }
    }
}

/// Public files have digests and no commitment, sealed ones a commitment and no digest.
fn check_file_digests(
    manifest: &Manifest,
    event: &Event,
    digests: &[Option<FileDigests>],
    faults: &mut Vec<(Option<Cid>, Fault)>,
) {
    let details = match &event.details {
        Details::Migration(details) => Some(details),
        _ => None,
    };
    let commitments = match &event.details {
        Details::Plan(details) => Some(&details.commitments),
        _ => details.map(|details| &details.commitments),
    };
    for (file, digest) in manifest.files.iter().zip(digests) {
        let written = details.and_then(|details| details.digests.get(file.name.as_str()));
        if file.sealed {
            check_sealed(file, commitments, written.is_some(), faults);
            continue;
        }
        if commitments.is_some_and(|commitments| commitments.contains_key(file.name.as_str())) {
            let fault = Fault::Sealing {
                name: file.name.clone(),
                detail: "a file that is not sealed has a commitment",
            };
            faults.push((Some(file.cid), fault));
        }
        let (Some(written), Some(found)) = (written, digest) else { continue };
        for (expected, found) in [(written.raw, found.raw), (written.lf, found.lf)] {
            if expected != found {
                faults.push((Some(file.cid), Fault::FileDigest { name: file.name.clone(), expected, found }));
            }
        }
    }
}

fn check_sealed(
    file: &FileEntry,
    commitments: Option<&BTreeMap<String, String>>,
    has_digest: bool,
    faults: &mut Vec<(Option<Cid>, Fault)>,
) {
    let mut refuse =
        |detail| faults.push((Some(file.cid), Fault::Sealing { name: file.name.clone(), detail }));
    let number = file.name.as_str().strip_suffix(".sealed");
    if !number.is_some_and(|number| number.parse::<u32>().is_ok_and(|n| n.to_string() == number)) {
        refuse("a sealed file is named <n>.sealed");
    }
    if has_digest {
        refuse("a plain digest of sealed content could be guessed");
    }
    // Events of other kinds carry their commitments among members that are not read here.
    if let Some(commitments) = commitments {
        let commitment =
            commitments.get(file.name.as_str()).and_then(|text| text.strip_prefix("hmac-sha256:"));
        if commitment.and_then(Digest::parse_hex).is_none() {
            refuse("the log holds no commitment to its content");
        }
    }
}
