//! The folder, against the archive and against the history.

use std::collections::BTreeMap;

use super::{Archived, Finding, Part};
use crate::crypto::Digest;
use crate::database::History;
use crate::model::EventKind;
use crate::ops::told::{ArchivedScript, Standing, Told};
use crate::ops::{OpsError, Problem};
use crate::scripts::{Dialect, Difference, Migration, Script, Version, explained_difference};

/// Scripts that are not what was archived, and an order that is not the folder's. `order`: whether the order counts.
pub fn compare_with_archive(
    dialect: Dialect,
    folder: &[Migration],
    archive: &Archived<'_>,
    told: &Told,
    order: bool,
) -> Result<Vec<Finding>, OpsError> {
    let on_disk: BTreeMap<&Version, &Migration> =
        folder.iter().map(|migration| (&migration.version, migration)).collect();
    let mut findings = Vec::new();
    for (version, standing) in &told.applied {
        let parsed = version.parse::<Version>().ok();
        match parsed.and_then(|parsed| on_disk.get(&parsed)) {
            Some(migration) => findings.extend(compare(dialect, archive, version, standing, migration)?),
            None => {
                let problem = Problem::Missing { version: version.clone(), seq: Some(standing.seq) };
                findings.push(between_archive(problem));
            }
        }
    }
    if order {
        findings.extend(reordered(told).into_iter().map(between_archive));
    }
    Ok(findings)
}

fn between_archive(problem: Problem) -> Finding {
    Finding::new([Part::Archive, Part::Folder], problem)
}

fn compare(
    dialect: Dialect,
    archive: &Archived<'_>,
    version: &str,
    standing: &Standing,
    migration: &Migration,
) -> Result<Vec<Finding>, OpsError> {
    let (version, seq) = (version.to_owned(), Some(standing.seq));
    let mut findings = Vec::new();
    if let Some(archived) = &standing.up {
        let (version, file) = (version.clone(), migration.up.file_name.clone());
        let difference = difference_of(dialect, archive, archived, &migration.up)?;
        let problem = match difference {
            Difference::None => None,
            Difference::Cosmetic => Some(Problem::Cosmetic { version, file, seq }),
            Difference::Comments => Some(Problem::Comments { version, file, seq }),
            Difference::Edited => {
                let on_disk = Digest::of(&migration.up.bytes);
                archived.raw.map(|archived| Problem::Edited { version, file, seq, archived, on_disk })
            }
        };
        findings.extend(problem.map(|problem| (problem, difference)));
    }
    if let (Some(archived), Some(script)) = (&standing.down, &migration.down) {
        let difference = difference_of(dialect, archive, archived, script)?;
        let differs = !matches!(difference, Difference::None | Difference::Cosmetic);
        let file = script.file_name.clone();
        findings.extend(differs.then_some((Problem::DownEdited { version, file, seq }, difference)));
    }
    let found = findings
        .into_iter()
        .map(|(problem, difference)| Finding { difference: Some(difference), ..between_archive(problem) });
    Ok(found.collect())
}

/// Reads the archived copy where the digests differ.
fn difference_of(
    dialect: Dialect,
    archive: &Archived<'_>,
    archived: &ArchivedScript,
    on_disk: &Script,
) -> Result<Difference, OpsError> {
    // What cannot be opened here is compared with the history alone.
    if archived.raw.is_none_or(|raw| raw == Digest::of(&on_disk.bytes)) {
        return Ok(Difference::None);
    }
    let bytes = archived.bytes(archive.reader, archive.keys)?;
    Ok(bytes.map_or(Difference::None, |bytes| explained_difference(dialect, &bytes, &on_disk.bytes)))
}

/// Versions that were applied after one which comes behind them. What a signed repair or stamp made applied had
/// no turn.
fn reordered(told: &Told) -> Vec<Problem> {
    let mut in_turn: Vec<(u64, &String, Version)> = told
        .applied
        .iter()
        .filter(|(_, standing)| standing.event == EventKind::Apply)
        .filter_map(|(version, standing)| Some((standing.seq, version, version.parse().ok()?)))
        .collect();
    in_turn.sort_by_key(|(seq, ..)| *seq);
    let mut newest: Option<Version> = None;
    let mut problems = Vec::new();
    for (seq, version, parsed) in in_turn {
        match &newest {
            Some(newest) if *newest > parsed => {
                let newest = newest.to_string();
                problems.push(Problem::Reordered { version: version.clone(), seq, newest });
            }
            _ => newest = Some(parsed),
        }
    }
    problems
}

/// What only the history can say of scripts: of versions that do not count as applied by the archive, and where the
/// history has other digests than the archive. `problems`: those between folder and history.
pub fn compare_with_history(
    folder: &[Migration],
    history: &History,
    told: &Told,
    problems: Vec<Problem>,
) -> Vec<Finding> {
    // Of what is sealed here, the history alone knows what it was.
    let is_closed = |version: &String, script: fn(&Standing) -> Option<&ArchivedScript>| {
        let script = told.applied.get(version).map(script);
        script.is_none_or(|script| script.is_some_and(|script| script.raw.is_none()))
    };
    let speaks = |problem: &Problem| match problem {
        Problem::Edited { version, .. } | Problem::Cosmetic { version, .. } => {
            is_closed(version, |standing| standing.up.as_ref())
        }
        Problem::DownEdited { version, .. } => is_closed(version, |standing| standing.down.as_ref()),
        Problem::Missing { version, .. } | Problem::OutOfOrder { version, .. } => {
            !told.applied.contains_key(version)
        }
        Problem::HalfApplied { .. } => true,
        // Pending scripts that greffe will not run are no difference: `status` tells of them.
        _ => false,
    };
    let differing = folder.iter().filter_map(|migration| not_as_recorded(migration, history, told));
    let problems = problems.into_iter().filter(speaks).chain(differing);
    problems.map(|problem| Finding::new([Part::Folder, Part::Database], problem)).collect()
}

fn not_as_recorded(migration: &Migration, history: &History, told: &Told) -> Option<Problem> {
    let version = migration.version.to_string();
    let row = history.applied.get(&version)?;
    let recorded = row.up.as_ref()?.raw;
    let archived = told.applied.get(&version)?.up.as_ref()?.raw?;
    let file = migration.up.file_name.clone();
    let differs = recorded != archived && recorded != Digest::of(&migration.up.bytes);
    differs.then_some(Problem::NotAsRecorded { version, file, position: row.position })
}
