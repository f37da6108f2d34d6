//! From the history to the archive: every finished row becomes one event, exactly once and in order.
//!
//! The row is durable before its event is signed, and learns its place after the event is durable. A
//! crash between the two is mended by the event's `id`: what the archive already has is only noted.

use std::collections::HashMap;

use serde::Serialize;

use super::chain::OpenChain;
use super::event::of_row;
use super::{OpsError, Progress};
use crate::crypto::PrivateKey;
use crate::database::{History, HistoryRow, Target};
use crate::model::{Cid, EventId, EventKind};

/// Rows that are held in memory at once.
const BATCH: u32 = 1000;

/// One event that was archived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Archived {
    #[serde(skip)]
    pub id: EventId,
    pub event: EventKind,
    pub version: String,
    pub seq: u64,
    pub manifest: Cid,
}

/// Archives all finished rows that are not archived yet.
///
/// # Errors
/// When archive and history do not belong together, and those of database and archive.
pub async fn archive_outstanding<T: Target>(
    target: &mut T,
    chain: &mut OpenChain,
    rows: &[HistoryRow],
    key: &PrivateKey,
    progress: &mut Progress<'_>,
) -> Result<Vec<Archived>, OpsError> {
    let mut known = events_of_both(chain, rows)?;
    let mut latest: HashMap<String, Cid> = HashMap::new();
    for row in rows {
        if let Some((_, cid)) = row.archived {
            latest.insert(row.version.clone(), cid);
        }
    }
    let mut archived = Vec::new();
    let mut after = 0;
    loop {
        let batch = target.unarchived(after, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(archived) };
        after = last.row.position;
        let (mut blocks, mut places) = (Vec::new(), Vec::new());
        for unarchived in batch {
            let (id, event, version) =
                (unarchived.row.id, unarchived.row.event, unarchived.row.version.clone());
            let (seq, manifest) = match known.remove(&id) {
                Some(place) => place,
                None => {
                    let about = latest.get(&version).copied().into_iter().collect();
                    let (draft, files) = of_row(unarchived, about)?;
                    let seq = chain.appender.size();
                    (seq, chain.appender.append(draft, files, &[key], &mut |block| blocks.push(block))?)
                }
            };
            latest.insert(version.clone(), manifest);
            places.push((id, seq, manifest));
            archived.push(Archived { id, event, version, seq, manifest });
            progress("archiving", archived.len() as u64, None);
        }
        if !blocks.is_empty() {
            chain.store(blocks, key)?;
        }
        target.mark_archived(&places).await?;
    }
}

/// Events that are in the archive though the history does not know it yet.
fn events_of_both(chain: &OpenChain, rows: &[HistoryRow]) -> Result<HashMap<EventId, (u64, Cid)>, OpsError> {
    let history = History::of(rows);
    let since = chain.events_since(history.newest_archived)?;
    let waiting: HashMap<EventId, ()> =
        rows.iter().filter(|row| row.archived.is_none()).map(|row| (row.id, ())).collect();
    let of_database = since.values().filter(|entry| {
        let kind = entry.statement.event.event;
        kind.is_of_migration() || kind == EventKind::Repair
    });
    let unknown = of_database.filter(|entry| !waiting.contains_key(&entry.statement.event.id));
    let seqs: Vec<u64> = unknown.map(|entry| entry.manifest.seq).collect();
    if let (Some(first), Some(last)) = (seqs.iter().min(), seqs.iter().max()) {
        return Err(OpsError::HistoryBehind { first: *first, last: *last });
    }
    Ok(since.into_iter().map(|(id, entry)| (id, (entry.manifest.seq, entry.cid))).collect())
}

/// Whether history and archive belong together, looked at without writing.
///
/// # Errors
/// As [`archive_outstanding`].
pub fn require_same_database(chain: &OpenChain, rows: &[HistoryRow]) -> Result<(), OpsError> {
    events_of_both(chain, rows).map(drop)
}
