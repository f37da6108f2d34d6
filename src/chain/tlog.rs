//! Reading what a head links to, block by block, through whoever has the blocks.

use super::append::RestoreError;
use crate::codec::dag_cbor;
use crate::codec::dsse::Envelope;
use crate::codec::trust::decode_trust;
use crate::codec::unixfs::{PbLink, decode_directory};
use crate::model::{Cid, Codec, ENTRIES_WIDTH, Head, Manifest, Role, TrustDocument};

/// Directories of a tlog-tiles prefix nest no deeper: `tile`, level, three groups of digits, `.p`.
pub const DIRECTORY_DEPTH: usize = 10;

/// Reads blocks and decodes them.
pub struct Reader<'a, E> {
    pub get: &'a mut dyn FnMut(&Cid) -> Result<Option<Vec<u8>>, E>,
}

impl<E> Reader<'_, E> {
    pub fn block(&mut self, cid: &Cid) -> Result<Vec<u8>, RestoreError<E>> {
        (self.get)(cid).map_err(RestoreError::Read)?.ok_or(RestoreError::Missing(*cid))
    }

    pub fn head(&mut self, cid: &Cid) -> Result<Head, RestoreError<E>> {
        let bytes = self.block(cid)?;
        dag_cbor::decode_head(&bytes).map_err(|source| RestoreError::DagCbor { cid: *cid, source })
    }

    pub fn manifest(&mut self, cid: &Cid) -> Result<Manifest, RestoreError<E>> {
        let bytes = self.block(cid)?;
        dag_cbor::decode_manifest(&bytes).map_err(|source| RestoreError::DagCbor { cid: *cid, source })
    }

    /// The trust document of manifest 0.
    pub fn trust(&mut self, chain: &Cid) -> Result<TrustDocument, RestoreError<E>> {
        let genesis = self.manifest(chain)?;
        // The log is read so that a chain whose first entry is damaged is not continued.
        Envelope::decode(&self.block(&genesis.log)?)?;
        let file = genesis.files.iter().find(|file| file.role == Role::Trust);
        let file = file.ok_or(RestoreError::Inconsistent("manifest 0 has no trust document"))?;
        Ok(decode_trust(&self.block(&file.cid)?)?)
    }

    /// All files below a directory with their paths, sorted.
    pub fn tree(&mut self, root: &Cid) -> Result<Vec<(String, PbLink)>, RestoreError<E>> {
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
    pub fn entries_edge(&mut self, root: &Cid, size: u64) -> Result<Vec<Vec<Cid>>, RestoreError<E>> {
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
