//! Growing a chain: one event becomes a log, a manifest and the blocks of its files; a run ends with a
//! head. Nothing is written here; blocks are handed out in the order in which they may be stored, each
//! after all that it links to.

use super::Block;
use super::snapshot::Snapshot;
use crate::codec::dag_cbor::{self};
use crate::codec::dsse::{Envelope, LOG_LIMIT};
use crate::codec::note::{Note, encode_checkpoint};
use crate::codec::statement::encode_statement;
use crate::codec::trust::{TrustError, decode_trust};
use crate::codec::unixfs::build_file;
use crate::crypto::{Digest, PrivateKey};
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

    /// Whether `keys` are enough to sign ordinary events here; asked before anything is done that would have
    /// to be signed for.
    ///
    /// # Errors
    /// [`AppendError::Threshold`].
    pub fn require_signers(&self, keys: &[&PrivateKey]) -> Result<(), AppendError> {
        let trust = self.trust().ok_or(AppendError::Order(EventKind::Apply))?;
        require_threshold(trust, KeyRole::Signer, self.size(), keys)
    }

    /// Appends `event`, whose `chain`, `seq` and `prev` are set here; hands out its blocks.
    ///
    /// # Errors
    /// [`AppendError`]; nothing was appended then, and blocks that were handed out belong to nothing.
    pub fn append(
        &mut self,
        mut event: Event,
        mut files: Vec<NewFile>,
        keys: &[&PrivateKey],
        sink: &mut dyn FnMut(Block),
    ) -> Result<Cid, AppendError> {
        if (event.event == EventKind::Genesis) != (self.size() == 0) {
            return Err(AppendError::Order(event.event));
        }
        (event.chain, event.seq, event.prev) = (self.chain, self.size(), self.last);
        let brings_trust = matches!(event.event, EventKind::Genesis | EventKind::Trust);
        let trust = self.trust_after(&event, &files)?;
        self.require_threshold(&event, &trust, keys)?;
        files.sort_by(|a, b| (a.role, &a.name).cmp(&(b.role, &b.name)));
        if let Some(pair) =
            files.windows(2).find(|pair| (pair[0].role, &pair[0].name) == (pair[1].role, &pair[1].name))
        {
            return Err(AppendError::DuplicateFile { role: pair[0].role, name: pair[0].name.clone() });
        }
        let manifest = put_event(event, &files, keys, self.last, sink)?;
        self.chain.get_or_insert(manifest);
        self.last = Some(manifest);
        let brought_by = match self.trust_manifest() {
            Some(earlier) if !brings_trust => earlier,
            _ => manifest,
        };
        self.trust = Some((brought_by, trust));
        self.snapshot.push(manifest, sink);
        Ok(manifest)
    }

    /// Ends a run: signs a checkpoint over all manifests and hands out the head's blocks, the head last.
    ///
    /// # Errors
    /// [`AppendError::Threshold`] when `key` may not sign entries here.
    pub fn finish(&self, key: &PrivateKey, sink: &mut dyn FnMut(Block)) -> Result<Cid, AppendError> {
        let (Some(chain), Some(manifest), Some(trust)) = (self.chain, self.last, self.trust()) else {
            return Err(AppendError::Order(EventKind::Apply));
        };
        let seq = self.size() - 1;
        if trust.key_for(&key.public().id(), KeyRole::Signer, seq).is_none() {
            return Err(AppendError::Threshold { role: KeyRole::Signer, seq, needed: 1, given: 0 });
        }
        let origin = Checkpoint::origin_of(&chain);
        let checkpoint =
            Checkpoint { origin: origin.clone(), size: self.size(), root: self.snapshot.merkle.root() };
        let note = Note::sign(encode_checkpoint(&checkpoint), &origin, key);
        let tlog = self.snapshot.directory(note.encode(), sink);
        let entries = self.snapshot.entries.root(sink).unwrap_or(manifest);
        let bytes = dag_cbor::encode_head(&Head { manifest, entries, tlog, timestamps: Vec::new() });
        let head = Cid::of(Codec::DagCbor, &bytes);
        sink((head, bytes));
        Ok(head)
    }

    /// The trust document that is in force from `event` on.
    fn trust_after(&self, event: &Event, files: &[NewFile]) -> Result<TrustDocument, AppendError> {
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

    fn require_threshold(
        &self,
        event: &Event,
        after: &TrustDocument,
        keys: &[&PrivateKey],
    ) -> Result<(), AppendError> {
        let role = match event.event {
            EventKind::Genesis | EventKind::Trust => KeyRole::Root,
            _ => KeyRole::Signer,
        };
        self.trust()
            .into_iter()
            .chain([after])
            .try_for_each(|document| require_threshold(document, role, event.seq, keys))
    }
}

fn require_threshold(
    document: &TrustDocument,
    role: KeyRole,
    seq: u64,
    keys: &[&PrivateKey],
) -> Result<(), AppendError> {
    let mut ids: Vec<_> = keys.iter().map(|key| key.public().id()).collect();
    ids.sort_unstable();
    ids.dedup();
    let given = ids.iter().filter(|id| document.key_for(id, role, seq).is_some()).count();
    let needed = document.threshold(role).max(1);
    if given < needed as usize { Err(AppendError::Threshold { role, seq, needed, given }) } else { Ok(()) }
}

fn put_event(
    event: Event,
    files: &[NewFile],
    keys: &[&PrivateKey],
    previous: Option<Cid>,
    sink: &mut dyn FnMut(Block),
) -> Result<Cid, AppendError> {
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
    let (chain, seq, prev) = (event.chain, event.seq, event.prev);
    let log = Envelope::sign(encode_statement(&Statement { subjects, event }), keys).encode();
    refuse_larger("log", log.len(), LOG_LIMIT)?;
    let log_cid = Cid::of(Codec::Raw, &log);
    let manifest = dag_cbor::encode_manifest(&Manifest { seq, chain, prev, log: log_cid, files: entries });
    refuse_larger("manifest", manifest.len(), dag_cbor::MANIFEST_LIMIT)?;
    let cid = Cid::of(Codec::DagCbor, &manifest);
    sink((log_cid, log));
    sink((cid, manifest));
    Ok(cid)
}

fn refuse_larger(what: &'static str, size: usize, limit: usize) -> Result<(), AppendError> {
    if size > limit { Err(AppendError::TooLarge { what, size, limit }) } else { Ok(()) }
}
