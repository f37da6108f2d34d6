//! The tree of a head: its checkpoint, and proofs out of the tiles of its directory. Only the blocks that a proof
//! needs are read.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::super::OpsError;
use super::super::source::Source;
use crate::chain::proof::{ConsistencyProof, ProofError, TreeHashes, TreeTiles};
use crate::codec::dag_cbor::{decode_head, decode_manifest};
use crate::codec::note::{Note, decode_checkpoint};
use crate::codec::tiles::Tile;
use crate::codec::unixfs::{PbLink, decode_directory};
use crate::crypto::Digest;
use crate::model::{Checkpoint, Cid, Codec};

/// A head and the tree that it commits to.
pub struct Tree {
    head: Cid,
    newest: Cid,
    tlog: Cid,
    checkpoint: Checkpoint,
    note: Vec<u8>,
    timestamps: Vec<Vec<u8>>,
    /// Of the head itself, its directory and its checkpoint.
    blocks: Vec<(Cid, Vec<u8>)>,
    directories: HashMap<Cid, Vec<PbLink>>,
    /// Blocks of tiles that were read.
    tiles: u64,
}

impl Tree {
    /// Reads a head, its directory and its checkpoint. The checkpoint's signature is not checked here.
    ///
    /// # Errors
    /// [`OpsError::NotAHead`], [`OpsError::HeadInconsistent`], and when a block is missing or malformed.
    pub fn read(source: &mut Source, head: Cid) -> Result<Self, OpsError> {
        let bytes = source.block("head", &head)?;
        let parts = decode_head(&bytes).map_err(|_| OpsError::NotAHead(head))?;
        let newest = source.block("manifest", &parts.manifest)?;
        let newest = decode_manifest(&newest).map_err(|error| OpsError::Block {
            what: "manifest",
            cid: parts.manifest,
            source: error.into(),
        })?;
        let mut tree = Self {
            head,
            newest: parts.manifest,
            tlog: parts.tlog,
            checkpoint: Checkpoint { origin: String::new(), size: 0, root: Digest::of(b"") },
            note: Vec::new(),
            timestamps: parts.timestamps,
            blocks: vec![(head, bytes)],
            directories: HashMap::new(),
            tiles: 0,
        };
        let (cid, note) = tree.file(source, "checkpoint")?;
        let inconsistent = |detail| OpsError::HeadInconsistent { head, detail };
        let read = Note::decode(&note).and_then(|note| decode_checkpoint(&note.text));
        tree.checkpoint = read.map_err(|_| inconsistent("its checkpoint cannot be read"))?;
        if Some(tree.checkpoint.size) != newest.seq.checked_add(1) {
            return Err(inconsistent("its checkpoint is of another size"));
        }
        tree.blocks.push((tree.tlog, source.block("directory", &parts.tlog)?));
        tree.blocks.push((cid, note.clone()));
        tree.note = note;
        Ok(tree)
    }

    /// The head.
    #[must_use]
    pub const fn head(&self) -> Cid {
        self.head
    }

    /// The newest manifest.
    #[must_use]
    pub const fn newest(&self) -> Cid {
        self.newest
    }

    /// Number of entries, at least 1.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// Root, as the checkpoint has it.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.checkpoint.root
    }

    /// Whose tree it is, as the checkpoint has it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    /// The checkpoint's note.
    #[must_use]
    pub fn checkpoint(&self) -> &[u8] {
        &self.note
    }

    /// Lines under the checkpoint that are not the log's own.
    #[must_use]
    pub fn cosignatures(&self) -> usize {
        let lines = Note::decode(&self.note).map(|note| note.signatures).unwrap_or_default();
        lines.iter().filter(|line| line.name != self.checkpoint.origin).count()
    }

    /// RFC 3161 tokens over a signature of the checkpoint.
    #[must_use]
    pub fn timestamps(&self) -> &[Vec<u8>] {
        &self.timestamps
    }

    /// Blocks that show that the checkpoint is the head's: the head, its directory, the checkpoint.
    #[must_use]
    pub fn head_blocks(&self) -> &[(Cid, Vec<u8>)] {
        &self.blocks
    }

    /// Blocks of tiles, and of directories that name them, which were read so far.
    #[must_use]
    pub fn blocks_read(&self) -> (u64, usize) {
        (self.tiles, self.directories.len())
    }

    /// The paths of inclusion proofs, in the order of `entries`.
    ///
    /// # Errors
    /// [`OpsError::Tree`] when the tiles are not those of the root; when a block is missing or malformed.
    pub fn inclusion(
        &mut self,
        source: &mut Source,
        entries: impl Iterator<Item = u64>,
    ) -> Result<Vec<Vec<Digest>>, OpsError> {
        let entries: Vec<u64> = entries.collect();
        let mut tiles = TreeTiles::new(self.size());
        entries.iter().try_for_each(|seq| tiles.want_inclusion(*seq)).map_err(|error| self.refuse(error))?;
        let hashes = self.read_tiles(source, tiles)?;
        let proofs = entries.iter().map(|seq| hashes.inclusion(*seq).map(|proof| proof.path));
        proofs.collect::<Result<_, _>>().map_err(|error| self.refuse(error))
    }

    /// The proof that its first `new` entries begin with the first `old`, and the roots of both.
    ///
    /// # Errors
    /// As [`Tree::inclusion`].
    pub fn consistency(
        &mut self,
        source: &mut Source,
        old: u64,
        new: u64,
    ) -> Result<(ConsistencyProof, [Digest; 2]), OpsError> {
        let mut tiles = TreeTiles::new(self.size());
        tiles.want_consistency_between(old, new).map_err(|error| self.refuse(error))?;
        let hashes = self.read_tiles(source, tiles)?;
        let proof = hashes.consistency_between(old, new);
        let made = proof.and_then(|proof| Ok((proof, [hashes.root_at(old)?, hashes.root_at(new)?])));
        made.map_err(|error| self.refuse(error))
    }

    fn read_tiles(&mut self, source: &mut Source, mut tiles: TreeTiles) -> Result<TreeHashes, OpsError> {
        for tile in tiles.wants() {
            let bytes = self.tile(source, &tile)?;
            tiles.feed(&tile, &bytes).map_err(|error| self.refuse(error))?;
        }
        tiles.authenticate(&self.root()).map_err(|error| self.refuse(error))
    }

    fn tile(&mut self, source: &mut Source, tile: &Tile) -> Result<Vec<u8>, OpsError> {
        self.tiles += 1;
        Ok(self.file(source, &tile.path())?.1)
    }

    fn refuse(&self, source: ProofError) -> OpsError {
        OpsError::Tree { head: self.head, source: Box::new(source) }
    }

    /// A file of the directory by its path.
    fn file(&mut self, source: &mut Source, path: &str) -> Result<(Cid, Vec<u8>), OpsError> {
        let missing = OpsError::HeadInconsistent { head: self.head, detail: "its directory lacks a file" };
        let mut cid = self.tlog;
        for part in path.split('/') {
            let links = self.directory(source, cid)?;
            let link = links.iter().find(|link| link.name == part);
            let Some(link) = link else { return Err(missing) };
            cid = link.cid;
        }
        if cid.codec() != Codec::Raw {
            return Err(missing);
        }
        Ok((cid, source.block("file of the tree", &cid)?))
    }

    fn directory(&mut self, source: &mut Source, cid: Cid) -> Result<&[PbLink], OpsError> {
        match self.directories.entry(cid) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let bytes = source.block("directory", &cid)?;
                let links = decode_directory(&bytes).map_err(|error| OpsError::Block {
                    what: "directory",
                    cid,
                    source: error.into(),
                })?;
                Ok(place.insert(links))
            }
        }
    }
}
