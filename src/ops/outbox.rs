//! From the history to the archive: every finished row becomes one event, exactly once and in order.
//!
//! The row is durable before its event is signed, and learns its place after the event is durable. A
//! crash between the two is mended by the event's `id`: what the archive already has is only noted.

use std::collections::HashMap;

use serde::Serialize;

use super::chain::OpenChain;
use super::event::of_row;
use super::plan::Problem;
use super::session::require_same_chain;
use super::{ChainReader, OpsError, Progress, Project};
use crate::crypto::PrivateKey;
use crate::database::{History, HistoryRow, Place, Target};
use crate::model::{Cid, EventId, EventKind};
use crate::store::ArchiveError;

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
    let mut known = events_of_both(&chain.reader, rows)?;
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
                    let (draft, files) = of_row(unarchived, latest.get(&version).copied())?;
                    let seq = chain.appender.size();
                    (seq, chain.appender.append(draft, files, &[key], &mut |block| blocks.push(block))?)
                }
            };
            latest.insert(version.clone(), manifest);
            let trust = chain.appender.trust_manifest().unwrap_or(manifest);
            places.push(Place { id, seq, manifest, trust });
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
fn events_of_both(
    reader: &ChainReader,
    rows: &[HistoryRow],
) -> Result<HashMap<EventId, (u64, Cid)>, OpsError> {
    let history = History::of(rows);
    let since = reader.events_since(history.newest_archived)?;
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
pub fn require_same_database(reader: &ChainReader, rows: &[HistoryRow]) -> Result<(), OpsError> {
    events_of_both(reader, rows).map(drop)
}

/// What is wrong between history and archive, for those who only look; none without an archive and without
/// a history that knows of one.
///
/// # Errors
/// Those of the archive.
pub fn archive_problems(project: &Project, rows: &[HistoryRow]) -> Result<Vec<Problem>, OpsError> {
    let newest = History::of(rows).newest_archived;
    let reader = match ChainReader::open(&project.archive, &project.name) {
        Ok(reader) => reader,
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => {
            let lost = newest.map(|(seq, expected)| Problem::NotInArchive { seq, expected, found: None });
            return Ok(lost.into_iter().collect());
        }
        Err(error) => return Err(error),
    };
    reader.require_end()?;
    require_same_chain(project, reader.root())?;
    match require_same_database(&reader, rows) {
        Ok(()) => Ok(Vec::new()),
        Err(OpsError::HistoryBehind { first, last }) => Ok(vec![Problem::HistoryBehind { first, last }]),
        Err(OpsError::HistoryDiffers { seq, history, archive }) => {
            Ok(vec![Problem::NotInArchive { seq, expected: history, found: Some(archive) }])
        }
        Err(OpsError::ArchiveBehind { .. }) => {
            let lost = newest.map(|(seq, expected)| Problem::NotInArchive { seq, expected, found: None });
            Ok(lost.into_iter().collect())
        }
        Err(error) => Err(error),
    }
}
