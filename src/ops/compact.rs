//! Rewrites an archive without what earlier heads alone needed: partial tiles, directories, checkpoints.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::chain::OpenChain;
use super::{OpsError, export};
use crate::model::{ChainName, Cid};

/// What was dropped.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compacted {
    pub head: Cid,
    pub bytes_before: u64,
    pub bytes_after: u64,
}

/// Keeps every manifest, log and file, and of the heads only the newest.
///
/// # Errors
/// When the archive is in use or lacks a block; it is unchanged then.
pub fn compact(directory: &Path, name: &ChainName, wait: Duration) -> Result<Compacted, OpsError> {
    let mut chain = OpenChain::open(directory, name, wait, None)?;
    let head = chain.reader.head();
    let mut order = Vec::new();
    export::walk(&chain.reader, head, &mut |cid, _| {
        // A growing archive ends with its head, as an appended one does.
        if *cid != head {
            order.push(*cid);
        }
        Ok(())
    })?;
    let rewritten = chain.rewrite(order.into_iter().chain([head]))?;
    Ok(Compacted { head, bytes_before: rewritten.before, bytes_after: rewritten.after })
}
