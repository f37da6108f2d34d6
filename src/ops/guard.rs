//! What a guard noted in the database, and what the chain says of it: which changes of the schema came through greffe, and
//! which did not. Reads only, but for installing and removing.
//!
//! A session of greffe says for which event it runs, and a tool under `greffe record` for which run. That keeps nobody from
//! saying the same: what was said counts only where an event or a run of that name was at work at that time.

mod runs;

use serde::Serialize;

use self::runs::{Known, Runs};
use super::{OpsError, Project, now};
use crate::database::guard::{
    GuardCursor, GuardError, GuardFault, GuardRow, GuardSettings, KEEP, OWN_RUN, VERSION,
};
use crate::database::{Database, DatabaseError, Target as _};
use crate::model::{EventId, Timestamp};

pub use super::record::capture::Installed;
pub use crate::database::guard::{Guard, GuardRights};

/// What a guard noted since something was read before.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// The installation; another one begins to count anew.
    pub id: Option<String>,
    /// In the order in which they were noted.
    pub changes: Vec<GuardedChange>,
    /// Where to go on: what transactions that are still open noted comes then. From a standby some of this comes again; a
    /// change is known by installation and number.
    pub cursor: GuardCursor,
    /// Changes that could not be noted, since it was installed.
    pub missed: u64,
    /// Changes that were noted and are gone, for there were more than it keeps.
    pub removed: u64,
    pub faults: Vec<GuardFault>,
    /// Changes whose standing may become another: a run that they belong to is not archived yet.
    pub unsettled: Vec<i64>,
    /// Notes up to the cursor were there and are gone, the newest among them: somebody deleted them, or put an older
    /// database in place of this one.
    pub is_set_back: bool,
}

/// One change of the schema. Roles are those of the server; no value and no text of a statement is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardedChange {
    pub id: i64,
    /// By the clock of the server.
    pub at: Option<Timestamp>,
    /// Who logged in.
    pub session_role: String,
    /// As whom the statement ran.
    pub role: Option<String>,
    pub command: String,
    pub object_type: Option<String>,
    pub identity: Option<String>,
    /// The extension that the object belongs to.
    pub extension: Option<String>,
    /// Objects that the same statement made, changed or dropped besides.
    pub others: u64,
    /// What the session said that it ran for.
    pub run: Option<String>,
    #[serde(flatten)]
    pub standing: Standing,
}

/// What the chain says of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "standing", rename_all = "kebab-case")]
pub enum Standing {
    /// Of an event in the chain.
    Archived { seq: u64 },
    /// Of an event or a run that greffe knows and that is not in the chain yet.
    Unarchived,
    /// Of greffe's own tables, by greffe.
    Own,
    /// While greffe ran a tool whose sessions say nothing: whether that made it cannot be told.
    Beside {
        /// The run.
        #[serde(rename = "during")]
        run: EventId,
    },
    /// It did not come through greffe.
    OutOfBand {
        reason: Reason,
        /// The event that signed the schema as it was found after it (`greffe audit --record`).
        signed: Option<u64>,
    },
}

/// Why a change counts as out of band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    #[error("its session said nothing of greffe")]
    Unmarked,
    #[error("its session named a run of which neither chain nor history tell at that time")]
    UnknownRun,
    #[error("its session said that it keeps greffe's own tables, and the object is none of them")]
    NotOwn,
}

impl GuardedChange {
    /// Whether it did not come through greffe, and nobody signed what came of it.
    #[must_use]
    pub const fn is_out_of_band(&self) -> bool {
        matches!(self.standing, Standing::OutOfBand { signed: None, .. })
    }
}

/// How a guard is wanted.
#[derive(Clone, Debug, Default)]
pub struct GuardWanted {
    /// Whether a change that cannot be noted is refused.
    pub strict: bool,
    /// How many changes stay; [`KEEP`] where nobody says.
    pub keep: Option<u32>,
    pub reader: Option<String>,
}

impl GuardWanted {
    /// With a name for the installation, should there be none.
    #[must_use]
    pub fn settings(&self) -> GuardSettings {
        GuardSettings {
            id: EventId::generate(now()).to_string(),
            strict: self.strict,
            keep: self.keep.unwrap_or(KEEP),
            reader: self.reader.clone(),
        }
    }
}

/// Installs a guard, or puts in order what is there of one.
///
/// # Errors
/// Those of [`Database::install_guard`].
pub async fn install(target: &mut Database, wanted: &GuardWanted) -> Result<Installed, OpsError> {
    let settings = wanted.settings();
    let before = target.guard().await?;
    let is_as_wanted = |guard: &Guard| {
        guard.faults.is_empty()
            && guard.version == VERSION
            && (guard.strict, guard.keep) == (settings.strict, settings.keep)
    };
    if before.as_ref().is_some_and(is_as_wanted) && wanted.reader.is_none() {
        return Ok(Installed::Already);
    }
    target.install_guard(&settings).await?;
    Ok(if before.is_none() { Installed::New } else { Installed::Renewed })
}

/// The changes that a guard noted after `cursor`, all without one; `None` where there is no guard.
///
/// # Errors
/// Those of database and archive, where one of them cannot be read.
pub async fn changes_since(
    project: &Project,
    target: &mut Database,
    cursor: Option<GuardCursor>,
) -> Result<Option<Guarded>, OpsError> {
    let Some(guard) = target.guard().await? else { return Ok(None) };
    let before = cursor.as_ref().map_or(0, |cursor| cursor.row);
    let hidden = guard.faults.iter().any(|fault| matches!(fault, GuardFault::Hidden { .. }));
    let gone = |fault: &GuardFault| matches!(fault, GuardFault::Gone { what } if !what.contains(' '));
    if hidden || guard.faults.iter().any(gone) {
        let cursor = cursor.unwrap_or_default();
        let (id, faults) = (guard.id, guard.faults);
        return Ok(Some(Guarded {
            id,
            changes: Vec::new(),
            cursor,
            missed: 0,
            removed: 0,
            faults,
            unsettled: Vec::new(),
            is_set_back: false,
        }));
    }
    let read = target.guard_rows(cursor).await?;
    let runs = match read.rows.is_empty() {
        true => Runs::default(),
        false => runs_of(project, target, &read.rows).await?,
    };
    let judge = |row: GuardRow| {
        let standing = standing(&row, &runs, &read.runs, project);
        judged(row, standing)
    };
    let changes: Vec<GuardedChange> = read.rows.into_iter().map(judge).collect();
    let may_change = |change: &&GuardedChange| match change.standing {
        Standing::Unarchived => true,
        Standing::Beside { run } => runs.may_be_archived(run),
        Standing::Archived { .. } | Standing::Own | Standing::OutOfBand { .. } => false,
    };
    Ok(Some(Guarded {
        id: guard.id,
        unsettled: changes.iter().filter(may_change).map(|change| change.id).collect(),
        is_set_back: read.newest < before,
        changes,
        cursor: read.cursor,
        missed: read.missed,
        removed: read.removed,
        faults: guard.faults,
    }))
}

/// The changes that did not come through greffe; none where no guard can be or is.
///
/// # Errors
/// As [`changes_since`].
pub async fn out_of_band(project: &Project, target: &mut Database) -> Result<Vec<GuardedChange>, OpsError> {
    match changes_since(project, target, None).await {
        Ok(seen) => {
            let changes = seen.map(|seen| seen.changes).unwrap_or_default();
            Ok(changes.into_iter().filter(GuardedChange::is_out_of_band).collect())
        }
        Err(OpsError::Database(DatabaseError::Guard(GuardError::Engine))) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The runs of which chain, history and notes beside the archive tell. The history is asked only where the chain does not
/// tell of all that was named.
async fn runs_of(project: &Project, target: &mut Database, rows: &[GuardRow]) -> Result<Runs, OpsError> {
    let oldest = rows.iter().filter_map(|row| row.at).min();
    let recordings = Runs::recordings(project);
    let mut runs = Runs::of_archive(project, oldest)?;
    runs.add_recordings(recordings);
    let mut named = rows.iter().filter_map(|row| row.run.as_deref()?.parse::<EventId>().ok());
    if named.any(|id| !runs.knows(id)) {
        // What cannot be read of it tells nothing.
        runs.add_history(&target.history_with_damage().await?.0);
    }
    Ok(runs)
}

fn standing(row: &GuardRow, runs: &Runs, marks: &[String], project: &Project) -> Standing {
    let signed = row.at.and_then(|at| runs.signed_after(at));
    let out_of_band = |reason| Standing::OutOfBand { reason, signed };
    match row.run.as_deref() {
        None => match row.at.and_then(|at| runs.silent_at(at, marks)) {
            Some(run) => Standing::Beside { run },
            None => out_of_band(Reason::Unmarked),
        },
        Some(OWN_RUN) if is_own(row, project) => Standing::Own,
        Some(OWN_RUN) => out_of_band(Reason::NotOwn),
        Some(run) => match run.parse().ok().zip(row.at).and_then(|(id, at)| runs.at(id, at)) {
            Some(Known::Archived { seq }) => Standing::Archived { seq },
            Some(Known::Unarchived) => Standing::Unarchived,
            None => out_of_band(Reason::UnknownRun),
        },
    }
}

/// Whether it is of greffe's own tables, of what captures a tool's history, or of the tool's table where greffe keeps that.
fn is_own(row: &GuardRow, project: &Project) -> bool {
    let Some(identity) = row.identity.as_deref() else { return false };
    let of_schema = ["greffe", "greffe_capture", "greffe_guard"].iter().any(|schema| {
        let rest = identity.strip_prefix(schema);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    let is_trigger = row.object_type.as_deref() == Some("trigger");
    let captures = is_trigger
        && identity.split_once(" on ").is_some_and(|(name, table)| {
            ["greffe_capture_row", "greffe_capture_truncate"].contains(&name)
                || name == "kept" && table == "greffe_capture.journal"
        });
    let tool = project
        .tool
        .as_ref()
        .map(|kept| kept.table.name.clone().unwrap_or_else(|| kept.tool.table().name.to_owned()));
    let of_tool = row.command == "CREATE TABLE" && tool.is_some_and(|table| named(identity, &table));
    of_schema || captures || of_tool
}

/// Whether `identity`, as the server writes it, is a table of this name in any schema.
fn named(identity: &str, table: &str) -> bool {
    let last = [table.to_owned(), format!("\"{}\"", table.replace('"', "\"\""))];
    last.iter().any(|name| identity.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')))
}

fn judged(row: GuardRow, standing: Standing) -> GuardedChange {
    GuardedChange {
        id: row.id,
        at: row.at,
        session_role: row.session_role,
        role: row.role,
        command: row.command,
        object_type: row.object_type,
        identity: row.identity,
        extension: row.extension,
        others: row.others,
        run: row.run,
        standing,
    }
}
