//! Growing a chain: one event becomes a log, a manifest and the blocks of its files; a run ends with a
//! head. Nothing is written here; blocks are handed out in the order in which they may be stored, each
//! after all that it links to.

mod signing;

use std::collections::BTreeSet;

use self::signing::{require_counted, require_head_signer, require_threshold, role_of, with_others};
use super::Block;
use super::snapshot::Snapshot;
use crate::codec::dag_cbor::{self};
use crate::codec::dsse::{Envelope, LOG_LIMIT};
use crate::codec::note::{Note, encode_checkpoint};
use crate::codec::statement::{StatementError, decode_statement, encode_statement};
use crate::codec::trust::{TrustError, decode_trust};
use crate::codec::unixfs::build_file;
use crate::crypto::{Digest, KeyId, SignError, Signer};
use crate::model::{
    Checkpoint, Cid, Codec, Event, EventKind, FileEntry, FileName, Head, KeyRole, Manifest, Role, Statement,
    Subject, TrustDocument,
};

/// A file that goes into the archive with an event.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub name: FileName,
    pub role: Role,
    pub bytes: Vec<u8>,
    /// Whether these are the bytes of a sealed file (FORMAT §8).
    pub sealed: bool,
}

/// Why an event cannot be appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("a chain begins with `genesis` and has no second one; this event is `{0}`")]
    Order(EventKind),
    #[error("two files have the role {role} and the name {name}")]
    DuplicateFile { role: Role, name: FileName },
    #[error("a `{0}` event needs one file of role `trust`")]
    TrustFile(EventKind),
    #[error("the trust document cannot be read: {0}")]
    Trust(#[from] TrustError),
    #[error("the trust document's version is {found}, the one in force is {in_force}; it rises by one")]
    TrustVersion { in_force: u64, found: u64 },
    #[error("{given} of the keys given may sign as {role:?} at entry {seq}; {needed} must")]
    Threshold { role: KeyRole, seq: u64, needed: u32, given: usize },
    #[error("the {what} would have {size} bytes, more than {limit}")]
    TooLarge { what: &'static str, size: usize, limit: usize },
    #[error("key {keyid} may not sign entry {seq}, so it cannot sign a head of it")]
    SignsNoHead { keyid: KeyId, seq: u64 },
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("the statement that was signed cannot be read: {0}")]
    Statement(#[from] StatementError),
    #[error(
        "it was signed to be entry {signed} behind another entry; the next entry of this chain is {next}"
    )]
    Moved { signed: u64, next: u64 },
    #[error("the files are not those that were signed")]
    OtherFiles,
    #[error("the signature by key {keyid} is not over this")]
    BadSignature { keyid: KeyId },
    #[error("key {keyid} signed, and no trust document lists it")]
    UnknownSigner { keyid: KeyId },
    #[error("a chain without an entry has no head")]
    Empty,
    #[error("the checkpoint is of other entries than these")]
    OtherCheckpoint,
}

/// A chain that grows.
#[derive(Clone, Debug)]
pub struct Appender {
    pub(super) snapshot: Snapshot,
    pub(super) chain: Option<Cid>,
    pub(super) last: Option<Cid>,
    /// The trust document in force and the manifest that brought it.
    pub(super) trust: Option<(Cid, TrustDocument)>,
}

impl Default for Appender {
    fn default() -> Self {
        Self::new()
    }
}

impl Appender {
    /// An empty chain; its first event has to be `genesis`.
    #[must_use]
    pub fn new() -> Self {
        Self { snapshot: Snapshot::default(), chain: None, last: None, trust: None }
    }

    /// Number of manifests.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.snapshot.merkle.size()
    }

    /// CID of manifest 0.
    #[must_use]
    pub fn chain(&self) -> Option<Cid> {
        self.chain
    }

    /// CID of the newest manifest.
    #[must_use]
    pub fn newest(&self) -> Option<Cid> {
        self.last
    }

    /// The trust document in force.
    #[must_use]
    pub fn trust(&self) -> Option<&TrustDocument> {
        self.trust.as_ref().map(|(_, document)| document)
    }

    /// The manifest that brought it.
    #[must_use]
    pub fn trust_manifest(&self) -> Option<Cid> {
        self.trust.as_ref().map(|(manifest, _)| *manifest)
    }

    /// Whether `key` and those that sign along with it are enough to sign ordinary events here, and the head after them;
    /// asked before anything is done that would have to be signed for.
    ///
    /// # Errors
    /// [`AppendError::Threshold`], and [`AppendError::SignsNoHead`] where only those beside `key` may sign.
    pub fn require_signers(&self, key: &dyn Signer) -> Result<(), AppendError> {
        let trust = self.trust().ok_or(AppendError::Order(EventKind::Apply))?;
        let keys = with_others(&[key], trust, KeyRole::Signer, self.size());
        require_threshold(trust, KeyRole::Signer, self.size(), &keys)?;
        require_head_signer(trust, self.size(), key)
    }

    /// Appends `event`, whose `chain`, `seq` and `prev` are set here; hands out its blocks. Who signs along with one of the
    /// keys, and may, signs, too.
    ///
    /// # Errors
    /// [`AppendError`]; nothing was appended then, and blocks that were handed out belong to nothing.
    pub fn append(
        &mut self,
        mut event: Event,
        mut files: Vec<NewFile>,
        keys: &[&dyn Signer],
        sink: &mut dyn FnMut(Block),
    ) -> Result<Cid, AppendError> {
        (event.chain, event.seq, event.prev) = (self.chain, self.size(), self.last);
        let trust = self.trust_after(&event, &files)?;
        let role = role_of(event.event);
        let keys = with_others(keys, &trust, role, event.seq);
        for document in self.trust().into_iter().chain([&trust]) {
            require_threshold(document, role, event.seq, &keys)?;
        }
        sort(&mut files)?;
        let laid_out = lay_out(&files, self.last, sink);
        let kind = event.event;
        let payload = encode_statement(&Statement { subjects: laid_out.subjects, event });
        let envelope = Envelope::sign(payload, &keys)?;
        self.put(kind, trust, &envelope, laid_out.entries, sink)
    }

    /// What `append` would have signed, to be signed elsewhere.
    ///
    /// # Errors
    /// [`AppendError`] where no signature could make it fit.
    pub fn draft(&self, mut event: Event, mut files: Vec<NewFile>) -> Result<Envelope, AppendError> {
        (event.chain, event.seq, event.prev) = (self.chain, self.size(), self.last);
        self.trust_after(&event, &files)?;
        sort(&mut files)?;
        let subjects = lay_out(&files, self.last, &mut |_| ()).subjects;
        Ok(Envelope { payload: encode_statement(&Statement { subjects, event }), signatures: Vec::new() })
    }

    /// Appends an event that was signed elsewhere, byte for byte as it was signed.
    ///
    /// # Errors
    /// [`AppendError::Moved`] when it was signed for another place; [`AppendError::OtherFiles`],
    /// [`AppendError::BadSignature`] and [`AppendError::UnknownSigner`] when it is not what was signed. Nothing was
    /// appended then, and blocks that were handed out belong to nothing.
    pub fn append_signed(
        &mut self,
        envelope: &Envelope,
        mut files: Vec<NewFile>,
        sink: &mut dyn FnMut(Block),
    ) -> Result<Cid, AppendError> {
        let Statement { subjects, event } = decode_statement(&envelope.payload)?;
        if (event.chain, event.seq, event.prev) != (self.chain, self.size(), self.last) {
            return Err(AppendError::Moved { signed: event.seq, next: self.size() });
        }
        let trust = self.trust_after(&event, &files)?;
        self.require_signatures(role_of(event.event), &trust, envelope)?;
        sort(&mut files)?;
        let laid_out = lay_out(&files, self.last, sink);
        if laid_out.subjects != subjects {
            return Err(AppendError::OtherFiles);
        }
        self.put(event.event, trust, envelope, laid_out.entries, sink)
    }

    /// Puts log and manifest, and goes on from there.
    fn put(
        &mut self,
        kind: EventKind,
        trust: TrustDocument,
        envelope: &Envelope,
        files: Vec<FileEntry>,
        sink: &mut dyn FnMut(Block),
    ) -> Result<Cid, AppendError> {
        let log = envelope.encode();
        refuse_larger("log", log.len(), LOG_LIMIT)?;
        let log_cid = Cid::of(Codec::Raw, &log);
        let (seq, chain, prev) = (self.size(), self.chain, self.last);
        let bytes = dag_cbor::encode_manifest(&Manifest { seq, chain, prev, log: log_cid, files });
        refuse_larger("manifest", bytes.len(), dag_cbor::MANIFEST_LIMIT)?;
        let manifest = Cid::of(Codec::DagCbor, &bytes);
        sink((log_cid, log));
        sink((manifest, bytes));
        self.chain.get_or_insert(manifest);
        self.last = Some(manifest);
        let brought_by = match self.trust_manifest() {
            Some(earlier) if !matches!(kind, EventKind::Genesis | EventKind::Trust) => earlier,
            _ => manifest,
        };
        self.trust = Some((brought_by, trust));
        self.snapshot.push(manifest, sink);
        Ok(manifest)
    }

    /// Ends a run: signs a checkpoint over all manifests and hands out the head's blocks, the head last.
    ///
    /// # Errors
    /// [`AppendError::SignsNoHead`] when `key` may not sign entries here; [`AppendError::Sign`].
    pub fn finish(&self, key: &dyn Signer, sink: &mut dyn FnMut(Block)) -> Result<Cid, AppendError> {
        self.head(&self.checkpoint(key)?, Vec::new(), sink)
    }

    /// A checkpoint over all manifests, signed.
    ///
    /// # Errors
    /// [`AppendError::SignsNoHead`] when `key` may not sign entries here; [`AppendError::Sign`].
    pub fn checkpoint(&self, key: &dyn Signer) -> Result<Note, AppendError> {
        let (body, trust) = (self.checkpoint_body()?, self.trust().ok_or(AppendError::Empty)?);
        require_head_signer(trust, body.size - 1, key)?;
        Ok(Note::sign(encode_checkpoint(&body), &body.origin, key)?)
    }

    /// Hands out the blocks of a head with this checkpoint and these timestamp tokens, the head last.
    ///
    /// # Errors
    /// [`AppendError::OtherCheckpoint`] when the note is not over exactly these manifests. Its signatures are not
    /// looked at.
    pub fn head(
        &self,
        checkpoint: &Note,
        timestamps: Vec<Vec<u8>>,
        sink: &mut dyn FnMut(Block),
    ) -> Result<Cid, AppendError> {
        if encode_checkpoint(&self.checkpoint_body()?) != checkpoint.text {
            return Err(AppendError::OtherCheckpoint);
        }
        let manifest = self.last.ok_or(AppendError::Empty)?;
        let tlog = self.snapshot.directory(checkpoint.encode(), sink);
        let entries = self.snapshot.entries.root(sink).unwrap_or(manifest);
        let bytes = dag_cbor::encode_head(&Head { manifest, entries, tlog, timestamps });
        let head = Cid::of(Codec::DagCbor, &bytes);
        sink((head, bytes));
        Ok(head)
    }

    fn checkpoint_body(&self) -> Result<Checkpoint, AppendError> {
        let origin = Checkpoint::origin_of(&self.chain.ok_or(AppendError::Empty)?);
        Ok(Checkpoint { origin, size: self.size(), root: self.snapshot.merkle.root() })
    }

    /// The trust document that is in force from `event` on.
    fn trust_after(&self, event: &Event, files: &[NewFile]) -> Result<TrustDocument, AppendError> {
        if (event.event == EventKind::Genesis) != (self.size() == 0) {
            return Err(AppendError::Order(event.event));
        }
        if !matches!(event.event, EventKind::Genesis | EventKind::Trust) {
            return self.trust().cloned().ok_or(AppendError::Order(event.event));
        }
        let mut documents = files.iter().filter(|file| file.role == Role::Trust);
        let (Some(file), None) = (documents.next(), documents.next()) else {
            return Err(AppendError::TrustFile(event.event));
        };
        let document = decode_trust(&file.bytes)?;
        match self.trust() {
            Some(old) if Some(document.version) != old.version.checked_add(1) => {
                Err(AppendError::TrustVersion { in_force: old.version, found: document.version })
            }
            _ => Ok(document),
        }
    }

    /// Whether the signatures are by keys that are known, good, and enough under the document in force and the next.
    fn require_signatures(
        &self,
        role: KeyRole,
        after: &TrustDocument,
        envelope: &Envelope,
    ) -> Result<(), AppendError> {
        let message = envelope.message();
        let documents = || self.trust().into_iter().chain([after]);
        let mut ids = BTreeSet::new();
        for (id, signature) in &envelope.signatures {
            let key = documents().find_map(|document| document.keys.get(id));
            let key = key.ok_or(AppendError::UnknownSigner { keyid: *id })?;
            if !key.public.verify(&message, signature) {
                return Err(AppendError::BadSignature { keyid: *id });
            }
            ids.insert(*id);
        }
        documents().try_for_each(|document| require_counted(document, role, self.size(), &ids))
    }
}

/// Files in the order of the manifest (FORMAT §2).
fn sort(files: &mut [NewFile]) -> Result<(), AppendError> {
    files.sort_by(|a, b| (a.role, &a.name).cmp(&(b.role, &b.name)));
    match files.windows(2).find(|pair| (pair[0].role, &pair[0].name) == (pair[1].role, &pair[1].name)) {
        Some(pair) => Err(AppendError::DuplicateFile { role: pair[0].role, name: pair[0].name.clone() }),
        None => Ok(()),
    }
}

/// What statement and manifest say of an event's files.
struct LaidOut {
    subjects: Vec<Subject>,
    entries: Vec<FileEntry>,
}

fn lay_out(files: &[NewFile], previous: Option<Cid>, sink: &mut dyn FnMut(Block)) -> LaidOut {
    let mut subjects = Vec::with_capacity(files.len());
    let mut entries = Vec::with_capacity(files.len());
    for file in files {
        let cid = build_file(&file.bytes, &mut |built| sink((built.cid, built.bytes)));
        let digest = if cid.codec() == Codec::Raw { cid.digest() } else { Digest::of(&file.bytes) };
        subjects.push(Subject::File { name: file.name.clone(), cid, digest, role: file.role });
        let size = file.bytes.len() as u64;
        entries.push(FileEntry { cid, name: file.name.clone(), role: file.role, size, sealed: file.sealed });
    }
    if let (true, Some(previous)) = (subjects.is_empty(), previous) {
        subjects.push(Subject::Chain { digest: previous.digest() });
    }
    LaidOut { subjects, entries }
}

fn refuse_larger(what: &'static str, size: usize, limit: usize) -> Result<(), AppendError> {
    if size > limit { Err(AppendError::TooLarge { what, size, limit }) } else { Ok(()) }
}
