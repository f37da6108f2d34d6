//! Records, as a signed event, that the schema was changed outside of the archive.

use super::{differing, open_archive};
use crate::database::{Declaration, Target};
use crate::model::{Direction, EventId, EventKind, SchemaChange};
use crate::ops::session::Session;
use crate::ops::told::newest_schema;
use crate::ops::{Archived, OpenKey, OpsError, Progress, Project};

/// Appends a `drift` event from the fingerprint that was signed last to the one that is found, where they differ.
/// Events of earlier runs are archived first. What was archived; nothing where there was nothing to record.
///
/// # Errors
/// When archive and history do not belong together, and those of database, archive and key.
pub async fn record_drift<T: Target>(
    project: &Project,
    target: &mut T,
    open_key: OpenKey,
    progress: &mut Progress<'_>,
) -> Result<Vec<Archived>, OpsError> {
    // A drift is looked for before lock and key: most often there is none.
    let Some(reader) = open_archive(project)? else { return Ok(Vec::new()) };
    let rows = target.history().await?;
    let waits = rows.iter().any(|row| row.archived.is_none());
    if !waits && differing(&newest_schema(&reader)?, target.fingerprint().await?).is_none() {
        return Ok(Vec::new());
    }
    drop(reader);
    target.lock(project.lock_wait).await?;
    let rows = target.history().await?;
    let mut session = Session::open(project, target, &rows, open_key).await?;
    let mut archived = session.archive(target, &rows, progress).await?;
    let found = target.fingerprint().await?;
    let Some((before, after)) = differing(&newest_schema(&session.chain.reader)?, found) else {
        return Ok(archived);
    };
    let mut record = session.record(None);
    record.schema =
        Some(SchemaChange { algorithm: found.0.to_owned(), before: Some(before), after: Some(after) });
    let drift = Declaration {
        id: EventId::generate(session.clock.now()),
        event: EventKind::Drift,
        direction: Direction::Up,
        version: String::new(),
        up: None,
        down: None,
        record,
        tool: Vec::new(),
    };
    target.declare(&[drift], session.clock.now()).await?;
    let rows = target.history().await?;
    archived.extend(session.archive(target, &rows, progress).await?);
    Ok(archived)
}
