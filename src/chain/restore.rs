//! Continuing a chain from its head: the right edge of its trees and the trust document in force, read
//! block by block through whoever has the blocks.

use std::collections::HashMap;

use super::append::Appender;
use super::snapshot::{EntriesTree, Snapshot};
use super::tree::MerkleTree;
use crate::codec::dag_cbor::{self, DagCborError};
use crate::codec::dsse::{Envelope, EnvelopeError};
use crate::codec::note::{Note, NoteError, decode_checkpoint};
use crate::codec::statement::{StatementError, decode_statement};
use crate::codec::tiles::{TILE_WIDTH, TileKind, tiles_of};
use crate::codec::trust::{TrustError, decode_trust};
use crate::codec::unixfs::{PbLink, UnixFsError, decode_directory};
use crate::crypto::Digest;
use crate::model::{CID_LENGTH, Cid, Codec, ENTRIES_WIDTH, EventKind, Head, Manifest, Role, TrustDocument};

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
    #[error("the log of the trust document cannot be read: {0}")]
    Envelope(#[from] EnvelopeError),
    #[error("the statement of the trust document cannot be read: {0}")]
    Statement(#[from] StatementError),
    #[error("the trust document cannot be read: {0}")]
    Trust(#[from] TrustError),
    #[error("the head contradicts itself: {0}")]
    Inconsistent(&'static str),
}

/// Reads one block; `None` when it is not there.
pub type GetBlock<'a, E> = dyn FnMut(&Cid) -> Result<Option<Vec<u8>>, E> + 'a;

impl Appender {
    /// Continues a chain from its head; `get` reads one block, whose bytes must be the CID's. `known`: the
    /// number of an entry and the manifest of the trust document in force there; the walk back to the newest
    /// `trust` event ends at it.
    ///
    /// # Errors
    /// [`RestoreError`] when a block is missing or not what the head needs.
    pub fn restore<E>(
        head: &Cid,
        known: Option<(u64, Cid)>,
        get: &mut GetBlock<'_, E>,
    ) -> Result<Self, RestoreError<E>> {
        let mut reader = Reader { get };
        let head = reader.head(head)?;
        let last = reader.manifest(&head.manifest)?;
        let chain = last.chain.unwrap_or(head.manifest);
        // Far more than any chain has; beyond it the arithmetic of levels would overflow.
        if last.seq >= 1 << 48 {
            return Err(RestoreError::Inconsistent("its newest manifest has an impossible seq"));
        }
        let size = last.seq + 1;
        let tree = reader.tree(&head.tlog)?;
        let checkpoint = tree.iter().find(|(path, _)| path == "checkpoint");
        let (_, checkpoint) = checkpoint.ok_or(RestoreError::Inconsistent("it has no checkpoint"))?;
        let checkpoint = decode_checkpoint(&Note::decode(&reader.block(&checkpoint.cid)?)?.text)?;
        let snapshot = restore_snapshot(&mut reader, size, &head, &tree)?;
        if checkpoint.size != size || checkpoint.root != snapshot.merkle.root() {
            return Err(RestoreError::Inconsistent("the checkpoint is not that of the tiles"));
        }
        let brought_by = reader.newest_trust(head.manifest, last, known)?;
        let trust = Some((brought_by, reader.trust(&brought_by)?));
        Ok(Self { snapshot, chain: Some(chain), last: Some(head.manifest), trust })
    }
}

/// The trust document that is in force at the end of a chain, and the manifest that brought it. `known` as
/// [`Appender::restore`] has it.
///
/// # Errors
/// As [`Appender::restore`].
pub fn trust_in_force<E>(
    newest: &Cid,
    known: Option<(u64, Cid)>,
    get: &mut GetBlock<'_, E>,
) -> Result<(Cid, TrustDocument), RestoreError<E>> {
    let mut reader = Reader { get };
    let last = reader.manifest(newest)?;
    let brought_by = reader.newest_trust(*newest, last, known)?;
    Ok((brought_by, reader.trust(&brought_by)?))
}

fn restore_snapshot<E>(
    reader: &mut Reader<'_, E>,
    size: u64,
    head: &Head,
    tree: &[(String, PbLink)],
) -> Result<Snapshot, RestoreError<E>> {
    let mut snapshot = Snapshot::default();
    let mut edge: Vec<Vec<Digest>> = Vec::new();
    let files: HashMap<&str, _> = tree.iter().map(|(path, link)| (path.as_str(), link)).collect();
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

/// Directories of a tlog-tiles prefix nest no deeper: `tile`, level, three groups of digits, `.p`.
pub const DIRECTORY_DEPTH: usize = 10;

/// Reads blocks and decodes them.
struct Reader<'a, E> {
    get: &'a mut GetBlock<'a, E>,
}

impl<E> Reader<'_, E> {
    fn block(&mut self, cid: &Cid) -> Result<Vec<u8>, RestoreError<E>> {
        (self.get)(cid).map_err(RestoreError::Read)?.ok_or(RestoreError::Missing(*cid))
    }

    fn head(&mut self, cid: &Cid) -> Result<Head, RestoreError<E>> {
        let bytes = self.block(cid)?;
        dag_cbor::decode_head(&bytes).map_err(|source| RestoreError::DagCbor { cid: *cid, source })
    }

    fn manifest(&mut self, cid: &Cid) -> Result<Manifest, RestoreError<E>> {
        let bytes = self.block(cid)?;
        dag_cbor::decode_manifest(&bytes).map_err(|source| RestoreError::DagCbor { cid: *cid, source })
    }

    /// The newest manifest that brings a trust document.
    fn newest_trust(
        &mut self,
        mut cid: Cid,
        mut manifest: Manifest,
        known: Option<(u64, Cid)>,
    ) -> Result<Cid, RestoreError<E>> {
        loop {
            // Other events may hold a file of that role; only these bring one into force.
            if manifest.files.iter().any(|file| file.role == Role::Trust) && self.brings_trust(&manifest)? {
                return Ok(cid);
            }
            match (known, manifest.prev) {
                (Some((seq, brought_by)), _) if manifest.seq <= seq => return Ok(brought_by),
                (_, Some(previous)) => cid = previous,
                (_, None) => return Err(RestoreError::Inconsistent("manifest 0 has no trust document")),
            }
            manifest = self.manifest(&cid)?;
        }
    }

    fn brings_trust(&mut self, manifest: &Manifest) -> Result<bool, RestoreError<E>> {
        let envelope = Envelope::decode(&self.block(&manifest.log)?)?;
        let event = decode_statement(&envelope.payload)?.event;
        Ok(matches!(event.event, EventKind::Genesis | EventKind::Trust))
    }

    /// The trust document that a manifest brings.
    fn trust(&mut self, cid: &Cid) -> Result<TrustDocument, RestoreError<E>> {
        let manifest = self.manifest(cid)?;
        let file = manifest.files.iter().find(|file| file.role == Role::Trust);
        let file = file.ok_or(RestoreError::Inconsistent("a manifest brings no trust document"))?;
        Ok(decode_trust(&self.block(&file.cid)?)?)
    }

    /// All files below a directory with their paths, sorted.
    fn tree(&mut self, root: &Cid) -> Result<Vec<(String, PbLink)>, RestoreError<E>> {
        let mut files = Vec::new();
        self.walk(root, "", 0, &mut files)?;
        Ok(files)
    }

    fn walk(
        &mut self,
        directory: &Cid,
        prefix: &str,
        depth: usize,
        files: &mut Vec<(String, PbLink)>,
    ) -> Result<(), RestoreError<E>> {
        if depth > DIRECTORY_DEPTH {
            return Err(RestoreError::Inconsistent("its directory nests too deep"));
        }
        let bytes = self.block(directory)?;
        let links =
            decode_directory(&bytes).map_err(|source| RestoreError::UnixFs { cid: *directory, source })?;
        for link in links {
            let path = format!("{prefix}{}", link.name);
            if link.cid.codec() == Codec::DagPb {
                self.walk(&link.cid, &format!("{path}/"), depth + 1, files)?;
            } else {
                files.push((path, link));
            }
        }
        Ok(())
    }

    /// The unfinished nodes on the right edge of the entries tree, lowest level first.
    fn entries_edge(&mut self, root: &Cid, size: u64) -> Result<Vec<Vec<Cid>>, RestoreError<E>> {
        let mut levels = 1_usize;
        let mut nodes = size.div_ceil(ENTRIES_WIDTH as u64);
        while nodes > 1 {
            nodes = nodes.div_ceil(ENTRIES_WIDTH as u64);
            levels += 1;
        }
        // One more list than levels: a full root is one link of the level above.
        let mut edge = vec![Vec::new(); levels + 1];
        let mut node = *root;
        for level in (0..levels).rev() {
            let bytes = self.block(&node)?;
            let links = dag_cbor::decode_entries_node(&bytes)
                .map_err(|source| RestoreError::DagCbor { cid: node, source })?;
            let below = (ENTRIES_WIDTH as u64).pow(level as u32);
            // Links to finished subtrees stay; an unfinished last one is found again one level lower.
            let last = links[links.len() - 1];
            let finished = (size / below) % ENTRIES_WIDTH as u64;
            if size.is_multiple_of(below * ENTRIES_WIDTH as u64) {
                edge[level + 1].push(node);
                return Ok(edge);
            }
            edge[level] = links[..links.len().min(finished as usize)].to_vec();
            if edge[level].len() != finished as usize {
                return Err(RestoreError::Inconsistent("the entries tree has another size than the chain"));
            }
            if size.is_multiple_of(below) {
                return Ok(edge);
            }
            node = last;
        }
        Ok(edge)
    }
}
