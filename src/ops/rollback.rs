//! Rolls applied migrations back, newest first, by the way down that was archived with them.

use super::apply::{FailedScript, Outcome, failed_script, file_of};
use super::chain::Entry;
use super::plan::{Problem, add_progress, refused_script};
use super::session::Session;
use super::{ChainReader, OpenKey, OpsError, Progress, Project};
use crate::chain::Fault;
use crate::database::{Applied, History, Step, StepOutcome, Target};
use crate::model::{Cid, Details, EventKind, FileEntry, MigrationName, Role};
use crate::scripts::{Script, read_folder};

/// How far to go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// So many migrations, the one applied last first.
    Steps(usize),
    /// All that were applied after this version, which stays.
    To(String),
}

/// One migration to roll back.
struct Undo {
    version: String,
    name: MigrationName,
    script: Script,
    reverts: Cid,
}

/// Rolls back.
///
/// # Errors
/// Before anything runs, when a migration has no way down, something is half applied, or too much is
/// asked; those of database, archive and key.
pub async fn rollback<T: Target>(
    project: &Project,
    target: &mut T,
    extent: &Extent,
    open_key: OpenKey,
    progress: &mut Progress<'_>,
) -> Result<Outcome, OpsError> {
    target.lock(project.lock_wait).await?;
    let rows = target.history().await?;
    let mut session = Session::open(project, target, &rows, open_key).await?;
    let recovered = session.archive(target, &rows, progress).await?;
    let rows = target.history().await?;
    let history = History::of(&rows);
    if !history.half_applied.is_empty() {
        let half = history.half_applied.iter();
        let problem = |(version, row): (&String, &crate::database::HistoryRow)| Problem::HalfApplied {
            version: version.clone(),
            failed: row.state == crate::database::RowState::Partial,
            statement: None,
        };
        let mut problems: Vec<Problem> = half.map(problem).collect();
        add_progress(&mut problems, &history, target).await?;
        return Err(OpsError::Problems(problems));
    }
    let undos = select(&history, extent)?
        .into_iter()
        .map(|(version, applied)| way_down(&session, version, applied))
        .collect::<Result<Vec<_>, _>>()?;
    let refused: Vec<Problem> = undos
        .iter()
        .filter_map(|undo| refused_script(project.dialect, &undo.version, &undo.script))
        .collect();
    if !refused.is_empty() {
        return Err(OpsError::Problems(refused));
    }
    let notes = differing(project, &undos);
    let mut failed = None;
    let total = undos.len() as u64;
    let mut steps = undos.into_iter().map(|undo| step_of(&session, undo)).peekable();
    let mut done = 0;
    while let Some(step) = steps.next().transpose()? {
        progress("rolling back", done, Some(total));
        let following = steps.peek().and_then(|following| following.as_ref().ok());
        let outcome = session.run(target, &step, following).await?;
        if let StepOutcome::Failed { failure, statement, partial, leftovers } = outcome {
            failed = Some(FailedScript { leftovers, ..failed_script(&step, failure, statement, partial) });
            break;
        }
        done += 1;
    }
    drop(steps);
    progress("rolling back", total, Some(total));
    let rows = target.history().await?;
    let archived = session.archive(target, &rows, progress).await?;
    Ok(session.outcome(recovered, archived, failed, notes))
}

fn step_of(session: &Session, undo: Undo) -> Result<Step, OpsError> {
    let mut step = session.step(EventKind::Rollback, undo.name, &undo.script)?;
    step.record.reverts = Some(undo.reverts);
    Ok(Step { down: Some(file_of(&undo.script)), ..step })
}

fn select<'a>(history: &'a History, extent: &Extent) -> Result<Vec<(&'a str, &'a Applied)>, OpsError> {
    let newest_first = history.newest_first();
    match extent {
        Extent::Steps(steps) if *steps > newest_first.len() => {
            Err(OpsError::TooManySteps { asked: *steps, applied: newest_first.len() })
        }
        Extent::Steps(steps) => Ok(newest_first[..*steps].to_vec()),
        Extent::To(version) => match newest_first.iter().position(|(applied, _)| applied == version) {
            Some(position) => Ok(newest_first[..position].to_vec()),
            None => Err(OpsError::NotApplied(version.clone())),
        },
    }
}

/// The way down that was archived with the event that made a version applied.
fn way_down(session: &Session, version: &str, applied: &Applied) -> Result<Undo, OpsError> {
    let no_way = || OpsError::NoWayDown { version: version.to_owned() };
    let (_, reverts) = applied.archived.ok_or_else(no_way)?;
    let reader = &session.chain.reader;
    let entry = reader.entry(&reverts)?;
    let file = down_file(reader, &entry)?.ok_or_else(no_way)?;
    let bytes = reader.file(&file.cid)?;
    // The database keeps a digest of what it was applied with; an archive of another database differs.
    let digest = crate::crypto::Digest::of(&bytes);
    if let Some(expected) =
        applied.down.as_ref().map(|digests| digests.raw).filter(|expected| *expected != digest)
    {
        let fault = Fault::FileDigest { name: file.name.clone(), expected, found: digest };
        return Err(OpsError::WayDownDiffers { version: version.to_owned(), detail: fault.to_string() });
    }
    let script = Script::new(file.name.to_string(), bytes);
    let name = entry.statement.event.migration().cloned().ok_or_else(no_way)?;
    Ok(Undo { version: version.to_owned(), name, script, reverts })
}

/// The way down of an entry; a repair without one stands on the entries that it is about.
fn down_file(reader: &ChainReader, entry: &Entry) -> Result<Option<FileEntry>, OpsError> {
    let is_down = |file: &&FileEntry| file.role == Role::Down && !file.sealed;
    if let Some(file) = entry.manifest.files.iter().find(is_down) {
        return Ok(Some(file.clone()));
    }
    let Details::Repair { about, .. } = &entry.statement.event.details else { return Ok(None) };
    for earlier in about {
        let earlier = reader.entry(earlier)?;
        // An entry is only about older ones, so this ends.
        if earlier.manifest.seq < entry.manifest.seq
            && let Some(file) = down_file(reader, &earlier)?
        {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Ways down that the folder has in another form; a folder that cannot be read has none to compare.
fn differing(project: &Project, undos: &[Undo]) -> Vec<Problem> {
    let folder = read_folder(&project.migrations).unwrap_or_default();
    let differs = |undo: &Undo| {
        let migration = folder.iter().find(|migration| migration.version.to_string() == undo.version)?;
        let on_disk = migration.down.as_ref()?;
        (on_disk.bytes != undo.script.bytes).then(|| Problem::DownEdited {
            version: undo.version.clone(),
            file: on_disk.file_name.clone(),
            seq: None,
        })
    };
    undos.iter().filter_map(differs).collect()
}
