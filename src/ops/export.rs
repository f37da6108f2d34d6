//! All that a head needs as one CARv1 file, in the order of a depth-first walk, so that a verifier reads
//! it once from front to back.

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;

use super::{ChainReader, OpsError, Progress};
use crate::codec::links::links;
use crate::model::{Cid, Codec};
use crate::store::{CarWriter, Existing};

/// What was exported.
#[derive(Debug, Serialize)]
pub struct Exported {
    pub head: Cid,
    pub blocks: u64,
    pub bytes: u64,
}

/// Writes the archive's head and every block that it needs to `path`.
///
/// # Errors
/// When a block is missing or malformed, or the file cannot be written.
pub fn export(
    reader: &ChainReader,
    path: &Path,
    existing: Existing,
    progress: &mut Progress<'_>,
) -> Result<Exported, OpsError> {
    let head = reader.head();
    let mut writer = CarWriter::create(path, &head, existing)?;
    let mut blocks = 0;
    walk(reader, head, &mut |cid, bytes| {
        writer.put(cid, bytes)?;
        blocks += 1;
        if blocks % 256 == 0 {
            progress("exporting", blocks, None);
        }
        Ok(())
    })?;
    Ok(Exported { head, blocks, bytes: writer.finish()? })
}

/// Takes a block and its bytes.
pub type Visit<'a> = dyn FnMut(&Cid, &[u8]) -> Result<(), OpsError> + 'a;

/// Visits every block that `head` needs once: the head, its tlog directory, then the entries in order.
///
/// # Errors
/// When a block is missing or malformed, and what `visit` returns.
pub fn walk(reader: &ChainReader, head: Cid, visit: &mut Visit<'_>) -> Result<(), OpsError> {
    // Manifests stand in the tree once; only what several may share has to be remembered.
    let mut shared: HashSet<Cid> = HashSet::new();
    let mut pending = vec![head];
    while let Some(cid) = pending.pop() {
        if cid.codec() != Codec::DagCbor && !shared.insert(cid) {
            continue;
        }
        let bytes = reader.block("block", &cid)?;
        visit(&cid, &bytes)?;
        let below = links(&cid, &bytes);
        let below = below.map_err(|error| OpsError::Block { what: "block", cid, source: error.into() })?;
        pending.extend(below.into_iter().rev());
    }
    Ok(())
}
