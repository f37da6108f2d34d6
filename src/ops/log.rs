//! The entries of a chain, newest first. What they say is shown, not verified.

use serde::Serialize;

use super::{ChainReader, OpsError};
use crate::crypto::KeyId;
use crate::model::{Cid, Event};

/// One entry.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    pub manifest: Cid,
    /// Keyids of the envelope, not verified.
    pub signed_by: Vec<KeyId>,
    #[serde(flatten)]
    pub event: Event,
}

/// Hands out at most `limit` entries from the newest on, until `entry` says that it has enough.
///
/// # Errors
/// When a block is missing or malformed.
pub fn log(
    reader: &ChainReader,
    limit: Option<u64>,
    entry: &mut dyn FnMut(LogEntry) -> bool,
) -> Result<(), OpsError> {
    let mut next = Some(reader.newest()?.0);
    let mut left = limit.unwrap_or(u64::MAX);
    while let Some(cid) = next.filter(|_| left > 0) {
        let read = reader.entry(&cid)?;
        next = read.manifest.prev;
        left -= 1;
        if !entry(LogEntry { manifest: cid, signed_by: read.signed_by, event: read.statement.event }) {
            return Ok(());
        }
    }
    Ok(())
}
