//! Records, as a signed event, what a version counts as from here on. No script is run.

use serde::Serialize;

use super::apply::file_of;
use super::event::{migration_name, schema_found};
use super::kept::{Scripts, ToolView, View};
use super::outbox::Archived;
use super::session::Session;
use super::{OpenKey, OpsError, Progress, Project};
use crate::database::{Database, Declaration, History, HistoryRow, RowState, Target as _};
use crate::model::{Cid, Direction, EventId, EventKind, MigrationName};
use crate::scripts::Migration;

/// What `repair` did.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub version: String,
    pub direction: Direction,
    pub archived: Vec<Archived>,
    pub head: Cid,
}

/// Records that `version` counts as applied (`Up`) or not (`Down`).
///
/// # Errors
/// [`OpsError::CannotRepair`] when there is nothing to repair; those of database, archive and key.
pub async fn repair(
    project: &Project,
    target: &mut Database,
    version: &str,
    direction: Direction,
    open_key: OpenKey,
    progress: &mut Progress<'_>,
) -> Result<Outcome, OpsError> {
    let scripts = Scripts::read(project)?;
    target.lock(project.lock_wait).await?;
    let rows = target.history().await?;
    let view = View::look(project, Some(&mut *target), scripts, &rows).await?;
    let history = &view.history;
    let migration = view.folder.iter().find(|migration| migration.version.to_string() == version);
    if !view.tool.as_ref().is_some_and(|tool| tool.has_failed(version)) {
        refuse_needless(history, version, direction, migration)?;
    }
    let mut session = Session::open(project, target, &rows, open_key).await?;
    if let Some(row) = history.half_applied.get(version).filter(|row| row.state == RowState::Started) {
        target.close_started(row.id, session.clock.now()).await?;
    }
    let rows = target.history().await?;
    let mut archived = session.archive(target, &rows, progress).await?;
    let name = match migration.map(migration_name) {
        Some(name) => name,
        None => {
            earlier_name(&session, &target.history().await?, version)?.unwrap_or_else(|| unknown(version))
        }
    };
    let mut record = session.record(Some(name));
    if record.schema.is_some() {
        let newest = History::of(&rows).schema;
        record.schema = Some(schema_found(newest.as_ref(), target.fingerprint().await?));
    }
    let scripts = migration.filter(|_| direction == Direction::Up);
    let declared = |tool: &ToolView| tool.declare(version, direction, session.clock.now());
    let repair = Declaration {
        id: EventId::generate(session.clock.now()),
        event: EventKind::Repair,
        direction,
        version: version.to_owned(),
        up: scripts.map(|migration| file_of(&migration.up)),
        down: scripts
            .and_then(|migration| {
                migration.down.as_ref().filter(|down| down.file_name != migration.up.file_name)
            })
            .map(file_of),
        record,
        tool: view.tool.as_ref().map(declared).unwrap_or_default(),
    };
    view.make_table(target).await?;
    target.declare(&[repair], session.clock.now()).await?;
    let rows = target.history().await?;
    archived.extend(session.archive(target, &rows, progress).await?);
    Ok(Outcome { version: version.to_owned(), direction, archived, head: session.chain.reader.head() })
}

/// What the newest archived event of `version` calls it.
fn earlier_name(
    session: &Session,
    rows: &[HistoryRow],
    version: &str,
) -> Result<Option<MigrationName>, OpsError> {
    let newest = rows.iter().rev().filter(|row| row.version == version).find_map(|row| row.archived);
    let Some((_, manifest)) = newest else { return Ok(None) };
    Ok(session.chain.reader.entry(&manifest)?.statement.event.migration().cloned())
}

/// The name of a version of which nothing else is known.
pub(super) fn unknown(version: &str) -> MigrationName {
    MigrationName {
        version: version.to_owned(),
        name: None,
        depends_on: Vec::new(),
        sectors: Vec::new(),
        purpose: None,
        impact: None,
    }
}

fn refuse_needless(
    history: &History,
    version: &str,
    direction: Direction,
    migration: Option<&Migration>,
) -> Result<(), OpsError> {
    let refuse = |wanted, reason| Err(OpsError::CannotRepair { version: version.to_owned(), wanted, reason });
    let (half, applied) = (history.half_applied.contains_key(version), history.applied.get(version));
    match direction {
        Direction::Up if migration.is_none() => refuse("applied", "its script is not in the folder"),
        Direction::Up => {
            let on_disk = migration.map(|migration| crate::crypto::Digest::of(&migration.up.bytes));
            let same =
                applied.is_some_and(|applied| applied.up.as_ref().map(|digests| digests.raw) == on_disk);
            if same && !half {
                refuse("applied", "it is applied, with the script that is in the folder")
            } else {
                Ok(())
            }
        }
        Direction::Down if half || applied.is_some() => Ok(()),
        Direction::Down => refuse("rolled back", "it is not applied"),
    }
}
