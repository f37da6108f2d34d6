//! From the history to the archive: every finished row becomes one event, exactly once and in order.
//!
//! The row is durable before its event is signed, and learns its place after the event is durable. A
//! crash between the two is mended by the event's `id`: what the archive already has is only noted.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::chain::{Entry, OpenChain};
use super::event::{executor, of_row};
use super::gate::Gate;
use super::plan::Problem;
use super::sealing::Sealing;
use super::session::require_same_chain;
use super::{ChainReader, OpsError, Progress, Project};
use crate::crypto::Signer;
use crate::database::{DatabaseError, History, HistoryRow, Place, ScriptFile, Target, Unarchived};
use crate::model::{Cid, Event, EventId, EventKind, FileDigests};
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

/// Manifests of events that the database has lost and that repairs, which wait in it, are about.
pub type Explained = HashSet<Cid>;

/// What a step that ran was: a script can reach the row that tells of it.
pub struct Sent {
    pub version: String,
    pub up: Option<FileDigests>,
    pub down: Option<FileDigests>,
}

/// Who signs rows, and what is known of them besides.
pub struct Writer<'a> {
    pub key: &'a dyn Signer,
    /// Lost events that are no reason to stop.
    pub explained: &'a Explained,
    /// What ran in this run.
    pub sent: &'a HashMap<EventId, Sent>,
    pub sealing: &'a mut Sealing,
}

impl Writer<'_> {
    /// Whether a row has the scripts that its digests name and, where its step ran here, tells of that step.
    fn require_truth(&self, unarchived: &Unarchived) -> Result<(), DatabaseError> {
        let row = &unarchived.row;
        let whole = |script: &Option<ScriptFile>, digests: &Option<FileDigests>| {
            script.as_ref().is_none_or(|script| Some(FileDigests::of(&script.bytes)) == *digests)
        };
        let told = |sent: &Sent| (&sent.version, &sent.up, &sent.down) == (&row.version, &row.up, &row.down);
        if whole(&unarchived.up, &row.up)
            && whole(&unarchived.down, &row.down)
            && self.sent.get(&row.id).is_none_or(told)
        {
            return Ok(());
        }
        Err(DatabaseError::RowDiffers { version: row.version.clone() })
    }
}

/// Archives all finished rows that are not archived yet.
///
/// # Errors
/// When archive and history do not belong together, [`OpsError::Unpublishable`], and those of database and archive.
pub async fn archive_outstanding<T: Target>(
    target: &mut T,
    chain: &mut OpenChain,
    rows: &[HistoryRow],
    writer: Writer<'_>,
    progress: &mut Progress<'_>,
) -> Result<Vec<Archived>, OpsError> {
    let mut known = events_of_both(&chain.reader, rows, writer.explained)?;
    let mut latest: HashMap<String, Cid> = HashMap::new();
    for row in rows {
        if let Some((_, cid)) = row.archived {
            latest.insert(row.version.clone(), cid);
        }
    }
    // Events of this run that tell no name, by their manifests.
    let mut hidden: HashMap<Cid, bool> = HashMap::new();
    let (mut archived, mut gate) = (Vec::new(), Gate::default());
    let mut after = 0;
    loop {
        let batch = target.unarchived(after, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(archived) };
        after = last.row.position;
        let (mut blocks, mut places) = (Vec::new(), Vec::new());
        for unarchived in batch {
            writer.require_truth(&unarchived)?;
            let (id, event, version) =
                (unarchived.row.id, unarchived.row.event, unarchived.row.version.clone());
            let (seq, manifest) = match known.remove(&id) {
                Some(place) => place,
                None => {
                    let newest = latest.get(&version).copied();
                    let hides = match newest {
                        Some(cid) => match hidden.get(&cid) {
                            Some(hides) => *hides,
                            None => tells_no_name(&chain.reader.entry(&cid)?.statement.event),
                        },
                        None => false,
                    };
                    let (draft, files) = of_row(unarchived, newest)?;
                    let root = chain.reader.root();
                    let (draft, files) = writer.sealing.seal(root, draft, files, hides).await?;
                    let hides = tells_no_name(&draft);
                    let seq = chain.appender.size();
                    let before = blocks.len();
                    let mut keep = |block| blocks.push(block);
                    let manifest = chain.appender.append(draft, files, &[writer.key], &mut keep)?;
                    // Its row stays as it is, so that it can be archived once what stands in the way is mended.
                    gate.require_clean(&manifest, &blocks[before..])?;
                    hidden.insert(manifest, hides);
                    (seq, manifest)
                }
            };
            latest.insert(version.clone(), manifest);
            let trust = chain.appender.trust_manifest().unwrap_or(manifest);
            places.push(Place { id, seq, manifest, trust });
            archived.push(Archived { id, event, version, seq, manifest });
            progress("archiving", archived.len() as u64, None);
        }
        writer.sealing.keep().await?;
        if !blocks.is_empty() {
            chain.store(blocks, writer.key)?;
        }
        target.mark_archived(&places).await?;
    }
}

/// Whether the script of an event's migration is sealed: its name is then, too.
fn tells_no_name(event: &Event) -> bool {
    event.migration().is_some_and(|migration| migration.name.is_none())
}

/// Whether the history of a database has a row for each event of this kind.
#[must_use]
pub fn has_row(kind: EventKind) -> bool {
    kind.is_of_migration() || matches!(kind, EventKind::Repair | EventKind::Drift)
}

/// Events that are in the archive though the history does not know it yet.
fn events_of_both(
    reader: &ChainReader,
    rows: &[HistoryRow],
    explained: &Explained,
) -> Result<HashMap<EventId, (u64, Cid)>, OpsError> {
    let since = reader.events_since(History::of(rows).newest_archived)?;
    let unexplained = lost_of(&since, rows).into_iter().filter(|entry| !explained.contains(&entry.cid));
    let seqs: Vec<u64> = unexplained.map(|entry| entry.manifest.seq).collect();
    if let (Some(first), Some(last)) = (seqs.iter().min(), seqs.iter().max()) {
        return Err(OpsError::HistoryBehind { first: *first, last: *last });
    }
    Ok(since.into_iter().map(|(id, entry)| (id, (entry.manifest.seq, entry.cid))).collect())
}

fn lost_of<'a>(since: &'a HashMap<EventId, Entry>, rows: &[HistoryRow]) -> Vec<&'a Entry> {
    let waiting: HashSet<EventId> =
        rows.iter().filter(|row| row.archived.is_none()).map(|row| row.id).collect();
    // What another tool ran never has a row of greffe's.
    let is_own = |event: &Event| event.executor.name == executor().name;
    since
        .values()
        .filter(|entry| {
            let event = &entry.statement.event;
            has_row(event.event) && is_own(event) && !waiting.contains(&event.id)
        })
        .collect()
}

/// Events of this database that the archive holds and the history does not know, in their order.
///
/// # Errors
/// Those of the archive, and when history and archive are not of one database.
pub fn lost_events(reader: &ChainReader, rows: &[HistoryRow]) -> Result<Vec<Entry>, OpsError> {
    let since = reader.events_since(History::of(rows).newest_archived)?;
    let mut lost: Vec<Entry> = lost_of(&since, rows).into_iter().cloned().collect();
    lost.sort_by_key(|entry| entry.manifest.seq);
    Ok(lost)
}

/// What repairs that wait to be archived are about.
///
/// # Errors
/// Those of the database.
pub async fn explained<T: Target>(target: &mut T) -> Result<Explained, OpsError> {
    let mut explained = Explained::new();
    let mut after = 0;
    loop {
        let batch = target.unarchived(after, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(explained) };
        after = last.row.position;
        let repairs = batch.into_iter().filter(|waiting| waiting.row.event == EventKind::Repair);
        explained.extend(repairs.filter_map(|waiting| waiting.record).flat_map(|record| record.about));
    }
}

/// Whether history and archive belong together, looked at without writing.
///
/// # Errors
/// As [`archive_outstanding`].
pub fn require_same_database(reader: &ChainReader, rows: &[HistoryRow]) -> Result<(), OpsError> {
    events_of_both(reader, rows, &Explained::new()).map(drop)
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
