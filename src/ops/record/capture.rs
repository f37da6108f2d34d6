//! Installs, removes and looks after what captures a tool's history in its database.

use serde::{Deserialize, Serialize};

use super::look::{TableName, find_table};
use super::notes::Notes;
use super::steps::follow;
use super::{RecordError, RunEnd};
use crate::crypto::Digest;
use crate::database::capture::{Capture, CaptureFault, Journal, JournalEntry, VERSION};
use crate::database::{Database, ToolTable};
use crate::model::EventId;
use crate::ops::told::Told;
use crate::ops::{ChainReader, OpsError, Project, now};
use crate::scripts::tools::Tool;
use crate::store::{ArchiveError, CaptureFile};

/// What is noted of an installation beside the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Installation {
    pub id: String,
    pub table: String,
    /// Whether it was removed since.
    #[serde(default)]
    pub removed: bool,
    /// What was collected so far.
    #[serde(default)]
    pub collected: Option<Collected>,
}

/// How far a journal was collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Collected {
    pub entry: i64,
    /// Of all rows up to that one.
    pub digest: String,
    /// Of the history as it was then.
    pub history: String,
}

/// A capture as it was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub table: Option<ToolTable>,
    pub capture: Option<Capture>,
    pub journal: Option<Journal>,
}

/// What came of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Installed {
    New,
    /// What was missing, disabled, older or set otherwise was made anew.
    Renewed,
    Already,
}

/// What a journal shows that was not told, or should not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum JournalFault {
    #[error("it was installed, and nothing of it is there")]
    Removed,
    #[error("another one than that which was installed is there")]
    Other,
    #[error("{object}")]
    Object { object: CaptureFault },
    #[error("rows of its journal that were collected, up to {entry}, are gone or others")]
    Rewritten { entry: i64 },
    #[error("{rows} row(s) of its journal are gone")]
    Missing { rows: u64 },
    #[error("{rows} row(s) of its journal are none that greffe writes")]
    Damaged { rows: usize },
    #[error("its journal does not lead to the history as it is: something changed that without it")]
    Unexplained,
}

/// What is noted beside an archive.
///
/// # Errors
/// [`RecordError::CaptureFile`].
pub fn installation(file: &CaptureFile) -> Result<Option<Installation>, RecordError> {
    let Some(bytes) = file.read()? else { return Ok(None) };
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|error| RecordError::CaptureFile(error.into()))
}

fn note(file: &CaptureFile, installation: &Installation) -> Result<(), RecordError> {
    let bytes = serde_json::to_vec_pretty(installation).map_err(std::io::Error::from)?;
    Ok(file.write(&bytes)?)
}

/// Looks for a capture, and reads its journal.
///
/// # Errors
/// Those of the database; as [`super::look::look`].
pub async fn find(
    tool: &dyn Tool,
    database: &mut Database,
    wanted: &TableName,
) -> Result<Found, RecordError> {
    let columns = tool.table().columns;
    let table = find_table(tool, database, wanted).await?;
    let capture = database.capture(table.as_ref(), columns).await?;
    let readable = capture.as_ref().is_some_and(|capture| capture.id.is_some());
    let journal = match &table {
        Some(table) if readable => Some(database.journal(table, columns).await?),
        _ => None,
    };
    Ok(Found { table, capture, journal })
}

impl Found {
    /// What was written down, where something was.
    #[must_use]
    pub fn notes(self) -> Option<Notes> {
        let id = self.capture?.id?;
        Some(Notes::Journal { id, journal: self.journal? })
    }
}

/// Installs a capture, or puts in order what is there of one.
///
/// # Errors
/// [`RecordError::NoTable`]; those of the database and of the note.
pub async fn install(
    tool: &dyn Tool,
    database: &mut Database,
    wanted: &TableName,
    file: &CaptureFile,
) -> Result<(Installed, Capture), RecordError> {
    let columns = tool.table().columns;
    let Some(table) = find_table(tool, database, wanted).await? else {
        let table = wanted.name.clone().unwrap_or_else(|| tool.table().name.to_owned());
        return Err(RecordError::NoTable { table, tool: tool.name() });
    };
    let before = database.capture(Some(&table), columns).await?;
    let id = before.as_ref().and_then(|capture| capture.id.clone());
    let whole =
        before.as_ref().is_some_and(|capture| capture.faults.is_empty() && capture.version == VERSION);
    if !whole {
        let id = id.clone().unwrap_or_else(|| EventId::generate(now()).to_string());
        database.install_capture(&table, columns, &id).await?;
    }
    let installed = match (&before, whole) {
        (None, _) => Installed::New,
        (Some(_), true) => Installed::Already,
        (Some(_), false) => Installed::Renewed,
    };
    let capture = database.capture(Some(&table), columns).await?.unwrap_or_default();
    if let Some(id) = &capture.id {
        let earlier = installation(file)?.filter(|earlier| earlier.id == *id);
        let mut collected = earlier.and_then(|earlier| earlier.collected);
        if installed == Installed::New {
            // What it begins with.
            let journal = database.journal(&table, columns).await?;
            let first = journal.rows.first().map(|row| row.id);
            collected = first.map(|first| Collected::at(&journal, first));
        }
        note(file, &Installation { id: id.clone(), table: table.shown(), removed: false, collected })?;
    }
    Ok((installed, capture))
}

/// Removes a capture. Whether there was one.
///
/// # Errors
/// [`RecordError::Uncollected`] unless what was not collected may go; those of the database and of the note.
pub async fn remove(
    tool: &dyn Tool,
    database: &mut Database,
    wanted: &TableName,
    file: &CaptureFile,
    (project, discard): (&Project, bool),
) -> Result<bool, RecordError> {
    let found = find(tool, database, wanted).await?;
    let collected = collected_up_to(&found, project, file)?;
    let rows = changes_after(&found, collected);
    if rows > 0 && !discard {
        return Err(RecordError::Uncollected { rows });
    }
    let there = found.capture.is_some();
    // What a tool writes meanwhile is not lost either.
    let after = found.journal.as_ref().filter(|_| !discard).map(|_| collected);
    if there && !database.remove_capture(found.table.as_ref(), after).await? {
        let rows = changes_after(&find(tool, database, wanted).await?, collected);
        return Err(RecordError::Uncollected { rows });
    }
    let earlier = installation(file)?;
    let id = found.capture.and_then(|capture| capture.id).or(earlier.map(|earlier| earlier.id));
    if let Some(id) = id {
        let table = found.table.map(|table| table.shown()).unwrap_or_default();
        note(file, &Installation { id, table, removed: true, collected: None })?;
    }
    Ok(there)
}

/// Notes how far a journal was collected.
///
/// # Errors
/// When it cannot be noted.
pub fn note_collected(notes: &Notes, end: Option<&RunEnd>, file: &CaptureFile) -> Result<(), RecordError> {
    let Notes::Journal { id, journal } = notes else { return Ok(()) };
    let last =
        end.filter(|end| end.is_witnessed()).and_then(|end| end.after.as_ref()?.journal).unwrap_or(i64::MAX);
    let last = last.min(journal.settled);
    let Some(row) = journal.rows.iter().rfind(|row| row.id <= last) else { return Ok(()) };
    let earlier = installation(file)?.filter(|earlier| earlier.id == *id);
    let table = earlier.map(|earlier| earlier.table).unwrap_or_default();
    note(
        file,
        &Installation {
            id: id.clone(),
            table,
            removed: false,
            collected: Some(Collected::at(journal, row.id)),
        },
    )
}

impl Collected {
    fn at(journal: &Journal, entry: i64) -> Self {
        let digest = journal.digest_up_to(entry).to_string();
        Self { entry, digest, history: history_at(journal, entry).to_string() }
    }
}

/// A digest of the history as it was after a row of the journal, reckoned back from what it is now.
fn history_at(journal: &Journal, entry: i64) -> Digest {
    let mut rows: Vec<String> =
        follow(journal, entry, entry, &[]).start.iter().map(|row| format!("{row:?}")).collect();
    rows.sort_unstable();
    Digest::of(rows.join("\n").as_bytes())
}

/// How many changes of the history wait to be collected; all where there is no archive.
///
/// # Errors
/// Those of archive and note.
pub fn waiting(found: &Found, project: &Project, file: &CaptureFile) -> Result<usize, RecordError> {
    Ok(changes_after(found, collected_up_to(found, project, file)?))
}

/// Up to which row a journal was collected.
fn collected_up_to(found: &Found, project: &Project, file: &CaptureFile) -> Result<i64, RecordError> {
    let told = match ChainReader::open(&project.archive, &project.name) {
        Ok(reader) => Told::read(&reader, None)?,
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => Told::default(),
        Err(error) => return Err(error.into()),
    };
    Ok(newest_collected(found, &told, installation(file)?.as_ref()))
}

/// How many changes of the history wait to be collected.
#[must_use]
pub fn uncollected(found: &Found, told: &Told, installation: Option<&Installation>) -> usize {
    changes_after(found, newest_collected(found, told, installation))
}

fn newest_collected(found: &Found, told: &Told, installation: Option<&Installation>) -> i64 {
    let id = found.capture.as_ref().and_then(|capture| capture.id.as_deref()).unwrap_or_default();
    cursor(told, id).max(collected(installation, id).map_or(0, |collected| collected.entry))
}

fn changes_after(found: &Found, entry: i64) -> usize {
    let rows = found.journal.iter().flat_map(|journal| &journal.rows);
    rows.filter(|row| row.id > entry && matches!(row.what, JournalEntry::Changed { .. })).count()
}

fn collected<'a>(installation: Option<&'a Installation>, id: &str) -> Option<&'a Collected> {
    installation.filter(|installation| installation.id == id)?.collected.as_ref()
}

/// Up to which row of a journal the chain tells.
#[must_use]
pub fn cursor(told: &Told, id: &str) -> i64 {
    let of_it =
        told.entries.iter().filter_map(|entry| entry.captured.as_ref()).filter(|captured| captured.0 == id);
    of_it.filter_map(|(_, entry)| entry.parse().ok()).max().unwrap_or(0)
}

/// What does not fit what is noted of an installation, and what the chain tells of one.
#[must_use]
pub fn faults(found: &Found, told: &Told, noted: Option<&Installation>) -> Vec<JournalFault> {
    let in_chain =
        told.entries.iter().rev().find_map(|entry| entry.captured.as_ref()).map(|captured| &captured.0);
    let expected = match noted {
        Some(noted) if noted.removed => None,
        Some(noted) => Some(&noted.id),
        None => in_chain.filter(|name| *name != super::spool::STEPS),
    };
    let Some(capture) = &found.capture else {
        return expected.map(|_| JournalFault::Removed).into_iter().collect();
    };
    let mut faults: Vec<JournalFault> =
        capture.faults.iter().cloned().map(|object| JournalFault::Object { object }).collect();
    let (Some(id), Some(journal)) = (&capture.id, &found.journal) else { return faults };
    if expected.is_some_and(|expected| expected != id) {
        faults.push(JournalFault::Other);
    }
    let collected = collected(noted, id);
    if let Some(Collected { entry, digest, .. }) = collected
        && journal.digest_up_to(*entry).to_string() != *digest
    {
        faults.push(JournalFault::Rewritten { entry: *entry });
    }
    // A run that is rolled back takes numbers of a server with it.
    let missing = if journal.owner.is_none() { journal.missing() } else { 0 };
    if missing > 0 {
        faults.push(JournalFault::Missing { rows: missing });
    }
    let damaged = journal.rows.iter().filter(|row| row.what == JournalEntry::Damaged).count();
    if damaged > 0 {
        faults.push(JournalFault::Damaged { rows: damaged });
    }
    let since = collected.map_or_else(|| cursor(told, id), |collected| collected.entry);
    let leads = follow(journal, since, since, &[]).explains
        && collected
            .is_none_or(|collected| history_at(journal, collected.entry).to_string() == collected.history);
    if damaged == 0 && !leads {
        faults.push(JournalFault::Unexplained);
    }
    faults
}
