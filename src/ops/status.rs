//! Compares folder, database and archive. Reads only: nothing is created, nothing locked.

use serde::Serialize;

use super::kept::{Scripts, View};
use super::outbox::archive_problems;
use super::plan::{Plan, Problem, Wanted, add_progress, plan};
use super::{ChainReader, OpsError, Project, today};
use crate::database::{Database, Target as _};
use crate::model::{Cid, Timestamp};
use crate::store::ArchiveError;

/// What `status` found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub name: String,
    /// The archive's head; `None` without an archive.
    pub head: Option<Cid>,
    /// Number of its entries.
    pub entries: Option<u64>,
    pub migrations: Vec<Line>,
    /// Events that the next run will archive first.
    pub unarchived: usize,
    pub problems: Vec<Problem>,
}

/// One version.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    pub version: String,
    pub name: Option<String>,
    pub state: State,
    pub seq: Option<u64>,
    pub finished_at: Option<Timestamp>,
}

/// What a version counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Applied,
    Pending,
    HalfApplied,
    Missing,
}

/// Looks. `target`: `None` when the database does not exist yet.
///
/// # Errors
/// Those of folder, database and archive.
pub async fn status(project: &Project, mut target: Option<&mut Database>) -> Result<Status, OpsError> {
    let scripts = Scripts::read(project)?;
    let rows = match &mut target {
        Some(target) => target.history().await?,
        None => Vec::new(),
    };
    let View { folder, history, problems: found, .. } =
        View::look(project, target.as_deref_mut(), scripts, &rows).await?;
    let wanted = Wanted { today: today(), publish: project.publish, ..Wanted::default() };
    let Plan { mut problems, .. } = plan(project.dialect, &folder, &history, &wanted);
    problems.extend(found);
    let schema = match target {
        Some(target) if !rows.is_empty() => {
            add_progress(&mut problems, &history, target).await?;
            Some(target.fingerprint().await?)
        }
        _ => None,
    };
    if let (Some((algorithm, expected)), Some((current, found))) = (&history.schema, schema)
        && algorithm == current
        && *expected != found
    {
        problems.push(Problem::Drifted { expected: *expected, found });
    }
    let archive = match ChainReader::open(&project.archive, &project.name) {
        Ok(reader) => Some(reader),
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => None,
        Err(error) => return Err(error),
    };
    let newest = archive.as_ref().map(ChainReader::newest).transpose()?;
    problems.extend(archive_problems(project, &rows)?);
    let mut migrations: Vec<Line> = folder
        .iter()
        .map(|migration| {
            let version = migration.version.to_string();
            let applied = history.applied.get(&version);
            let state = match applied {
                Some(_) => State::Applied,
                None if history.half_applied.contains_key(&version) => State::HalfApplied,
                None => State::Pending,
            };
            Line {
                version,
                name: Some(migration.name.clone()),
                state,
                seq: applied.and_then(|applied| applied.archived).map(|(seq, _)| seq),
                finished_at: applied.and_then(|applied| applied.finished_at),
            }
        })
        .collect();
    for (version, applied) in &history.applied {
        if !migrations.iter().any(|line| line.version == *version) {
            migrations.push(Line {
                version: version.clone(),
                name: applied.name.clone(),
                state: State::Missing,
                seq: applied.archived.map(|(seq, _)| seq),
                finished_at: applied.finished_at,
            });
        }
    }
    Ok(Status {
        name: project.name.to_string(),
        head: archive.as_ref().map(ChainReader::head),
        entries: newest.map(|(_, manifest)| manifest.seq + 1),
        migrations,
        unarchived: history.unarchived,
        problems,
    })
}
