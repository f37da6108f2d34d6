//! Growing a chain: one event becomes a log, a manifest and the blocks of its files; a run ends with a
//! head. Nothing is written here; blocks are handed out in the order in which they may be stored, each
//! after all that it links to.

use super::Block;
use super::snapshot::{EntriesTree, Snapshot};
use super::tlog::Reader;
use super::tree::MerkleTree;
use crate::codec::dag_cbor::{self, DagCborError};
use crate::codec::dsse::{Envelope, EnvelopeError, LOG_LIMIT};
use crate::codec::note::{Note, NoteError, decode_checkpoint, encode_checkpoint};
use crate::codec::statement::{StatementError, encode_statement};
use crate::codec::tiles::{TILE_WIDTH, TileKind, tiles_of};
use crate::codec::trust::{TrustError, decode_trust};
use crate::codec::unixfs::{UnixFsError, build_file};
use crate::crypto::{Digest, PrivateKey};
use crate::model::{
    CID_LENGTH, Checkpoint, Cid, Codec, Event, EventKind, FileEntry, FileName, Head, KeyRole, Manifest, Role,
    Statement, Subject, TrustDocument,
};

/// A file that goes into the archive with an event.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub name: FileName,
    pub role: Role,
    pub bytes: Vec<u8>,
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

/// Why a chain cannot be continued from a head.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError<E> {
    #[error(transparent)]
    Read(E),
    #[error("block {0} is missing")]
    Missing(Cid),
    #[error("block {cid} is not what the head needs there: {source}")]
    DagCbor { cid: Cid, source: DagCborError },
    #[error("block {cid} is not what the head needs there: {source}")]
    UnixFs { cid: Cid, source: UnixFsError },
    #[error("the checkpoint cannot be read: {0}")]
    Note(#[from] NoteError),
    #[error("the log of manifest 0 cannot be read: {0}")]
    Envelope(#[from] EnvelopeError),
    #[error("the statement of manifest 0 cannot be read: {0}")]
    Statement(#[from] StatementError),
    #[error("the trust document cannot be read: {0}")]
    Trust(#[from] TrustError),
    #[error("the head contradicts itself: {0}")]
    Inconsistent(&'static str),
}

/// A chain that grows.
#[derive(Clone, Debug)]
pub struct Appender {
    snapshot: Snapshot,
    chain: Option<Cid>,
    last: Option<Cid>,
    trust: Option<TrustDocument>,
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
        self.trust.as_ref()
    }

    /// Whether `keys` are enough to sign ordinary events here; asked before anything is done that would have
    /// to be signed for.
    ///
    /// # Errors
    /// [`AppendError::Threshold`].
    pub fn require_signers(&self, keys: &[&PrivateKey]) -> Result<(), AppendError> {
        let trust = self.trust.as_ref().ok_or(AppendError::Order(EventKind::Apply))?;
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
        self.trust = Some(trust);
        self.snapshot.push(manifest, sink);
        Ok(manifest)
    }

    /// Ends a run: signs a checkpoint over all manifests and hands out the head's blocks, the head last.
    ///
    /// # Errors
    /// [`AppendError::Threshold`] when `key` may not sign entries here.
    pub fn finish(&self, key: &PrivateKey, sink: &mut dyn FnMut(Block)) -> Result<Cid, AppendError> {
        let (Some(chain), Some(manifest), Some(trust)) = (self.chain, self.last, &self.trust) else {
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
            return self.trust.clone().ok_or(AppendError::Order(event.event));
        }
        let mut documents = files.iter().filter(|file| file.role == Role::Trust);
        let (Some(file), None) = (documents.next(), documents.next()) else {
            return Err(AppendError::TrustFile(event.event));
        };
        let document = decode_trust(&file.bytes)?;
        match &self.trust {
            Some(old) if document.version != old.version + 1 => {
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
        self.trust
            .iter()
            .chain([after])
            .try_for_each(|document| require_threshold(document, role, event.seq, keys))
    }

    /// Continues a chain from its head; `get` reads one block, whose bytes must be the CID's.
    ///
    /// # Errors
    /// [`RestoreError`] when a block is missing or not what the head needs.
    pub fn restore<E>(
        head: &Cid,
        get: &mut dyn FnMut(&Cid) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Self, RestoreError<E>> {
        let mut reader = Reader { get };
        let head = reader.head(head)?;
        let last = reader.manifest(&head.manifest)?;
        let chain = last.chain.unwrap_or(head.manifest);
        let size = last.seq + 1;
        let tree = reader.tree(&head.tlog)?;
        let checkpoint = tree.iter().find(|(path, _)| path == "checkpoint");
        let (_, checkpoint) = checkpoint.ok_or(RestoreError::Inconsistent("it has no checkpoint"))?;
        let checkpoint = decode_checkpoint(&Note::decode(&reader.block(&checkpoint.cid)?)?.text)?;
        let snapshot = restore_snapshot(&mut reader, size, &head, &tree)?;
        if checkpoint.size != size || checkpoint.root != snapshot.merkle.root() {
            return Err(RestoreError::Inconsistent("the checkpoint is not that of the tiles"));
        }
        let trust = reader.trust(&chain)?;
        Ok(Self { snapshot, chain: Some(chain), last: Some(head.manifest), trust: Some(trust) })
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

fn restore_snapshot<E>(
    reader: &mut Reader<'_, E>,
    size: u64,
    head: &Head,
    tree: &[(String, crate::codec::unixfs::PbLink)],
) -> Result<Snapshot, RestoreError<E>> {
    let mut snapshot = Snapshot::default();
    let mut edge: Vec<Vec<Digest>> = Vec::new();
    let files: std::collections::HashMap<&str, _> =
        tree.iter().map(|(path, link)| (path.as_str(), link)).collect();
    for tile in tiles_of(size) {
        let path = tile.path();
        let link = files.get(path.as_str()).ok_or(RestoreError::Inconsistent("a tile is missing"))?;
        if let TileKind::Hashes { level } = tile.kind {
            edge.resize(edge.len().max(usize::from(level) + 1), Vec::new());
        }
        if tile.width == TILE_WIDTH {
            snapshot.directory.insert(&path, link.cid, link.total_size);
            continue;
        }
        let bytes = reader.block(&link.cid)?;
        match tile.kind {
            TileKind::Hashes { level } if bytes.len() as u64 == tile.width * 32 => {
                edge[usize::from(level)] =
                    bytes.chunks_exact(32).filter_map(|hash| Some(Digest(hash.try_into().ok()?))).collect();
            }
            TileKind::Entries if bytes.len() as u64 == tile.width * (CID_LENGTH as u64 + 2) => {
                snapshot.bundle = bytes
            }
            _ => return Err(RestoreError::Inconsistent("a tile has another width than its name")),
        }
    }
    snapshot.merkle = MerkleTree::restore(size, edge);
    snapshot.entries = EntriesTree::restore(reader.entries_edge(&head.entries, size)?);
    Ok(snapshot)
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
        entries.push(FileEntry { cid, name: file.name.clone(), role: file.role, size, sealed: false });
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
