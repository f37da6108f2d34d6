//! Executes the archived scripts again, in order and from nothing, and compares the schema after each event with
//! the one that was signed.
//!
//! Only scripts of a chain that was verified are run. That says who signed them, not that they mean well: on SQLite
//! they stay in memory, within limits of time and space; on a server the role that runs them may do nothing
//! outside of the databases that it makes.

mod tool;

use std::collections::BTreeSet;

use serde::Serialize;

use super::chain::Entry;
use super::event::record;
use super::plan::refused_script;
use super::source::Source;
use super::{OpsError, Progress, now};
use crate::chain::{Fault, Finding, Report};
use crate::crypto::Digest;
use crate::database::{Failure, Schema, SchemaDifference, Statement, Step, StepOutcome, Target, ToolWrites};
use crate::model::{
    Cid, Details, Engine, ErrorCode, EventId, EventKind, MigrationDetails, Role, SchemaChange,
};
use crate::scripts::{Dialect, reaches_outside, statements};

use tool::{Place, script_of};

/// What a replay came to.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// Entries that were gone through.
    pub entries: u64,
    /// Scripts that ran.
    pub executed: u64,
    /// Events whose signed schema was compared, and was the same.
    pub compared: u64,
    /// Events whose schema could not be compared: none was signed, or by another algorithm or engine.
    pub uncompared: u64,
    /// Where the replay ended before the last entry, and why.
    pub stopped: Option<Stopped>,
    /// Why what was made for the replay is still there, in part or whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// Where a replay could not go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stopped {
    pub seq: u64,
    pub manifest: Cid,
    pub event: EventKind,
    pub version: Option<String>,
    #[serde(flatten)]
    pub reason: Reason,
}

/// Why a replay could not go on.
#[derive(Debug, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Reason {
    #[error("the script makes another schema than the one that was signed: {found}, not {signed}")]
    Different {
        signed: Digest,
        found: Digest,
        /// What the event changes here.
        changes: Vec<SchemaDifference>,
    },
    #[error(
        "the schema was changed by hand before it: it was signed as {signed} and the scripts make {found}"
    )]
    ChangedByHand { signed: Digest, found: Digest },
    #[error("its script is sealed, and there is no key for it here")]
    Sealed,
    #[error("its script is not in the archive")]
    NoScript,
    #[error("its script fails here in statement {statement}: {failure}")]
    Failed {
        statement: u64,
        #[serde(serialize_with = "as_text")]
        failure: Failure,
    },
    #[error("its script reaches outside of its database, in line {line}")]
    ReachesOutside { line: usize },
    #[error("it is no script that greffe runs: {detail}")]
    Refused { detail: String },
    #[error("its script cannot run: {detail}")]
    NotText { detail: String },
}

fn as_text<S: serde::Serializer>(failure: &Failure, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(failure)
}

impl Replayed {
    /// Whether every event was gone through and every schema that was signed is made by the scripts.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.stopped.is_none() && (self.compared > 0 || self.executed == 0)
    }
}

/// Whether scripts of a chain that was verified may run at all: every byte is what was signed. A schema that was
/// changed by hand, and what other parties were not asked about, is no reason against it.
#[must_use]
pub fn may_run(report: &Report) -> bool {
    let harmless = |fault: &Fault| {
        matches!(
            fault,
            Fault::SchemaChanged { .. }
                | Fault::PolicyMalformed { .. }
                | Fault::CosignatureInvalid { .. }
                | Fault::QuorumUnmet { .. }
                | Fault::Timestamp { .. }
                | Fault::TimestampsTooMany { .. }
        )
    };
    report.findings.iter().all(|finding| harmless(&finding.fault))
}

/// Says in `report` what a replay came to.
pub fn add_replay(report: &mut Report, replayed: &Replayed) {
    report.established.replayed = replayed.holds();
    if let Some(Stopped { seq, manifest, reason, .. }) = &replayed.stopped {
        let fault = Fault::Replay { reason: reason.to_string() };
        report.add(Finding { seq: Some(*seq), cid: Some(*manifest), fault });
    }
}

/// Says in `report` whether the schema of a live database is the newest one that was signed.
///
/// # Errors
/// When a block is missing or malformed.
pub fn add_live(
    report: &mut Report,
    source: &mut Source,
    (algorithm, found): (&'static str, Digest),
) -> Result<(), OpsError> {
    for cid in source.manifests(report.root)?.iter().rev() {
        let entry = source.entry(cid)?;
        let Some(signed) = entry.statement.event.schema() else { continue };
        match signed.after {
            Some(expected) if signed.algorithm == algorithm && expected == found => {
                report.established.live = true;
            }
            Some(expected) if signed.algorithm == algorithm => {
                let fault = Fault::LiveSchema { expected, found };
                report.add(Finding { seq: Some(entry.manifest.seq), cid: Some(*cid), fault });
            }
            _ => {}
        }
        return Ok(());
    }
    Ok(())
}

/// The engine that the events of `source` were applied to; `None` when none was applied. Of engines that read the
/// same SQL, the first.
///
/// # Errors
/// When a block is missing or malformed; [`OpsError::SeveralEngines`].
pub fn engine_of(source: &mut Source, manifests: &[Cid]) -> Result<Option<Engine>, OpsError> {
    let mut engine = None;
    for cid in manifests {
        let found = source.entry(cid)?.statement.event.target.map(|target| target.engine);
        match (engine, found) {
            (Some(first), Some(other)) if Dialect::from(first) != Dialect::from(other) => {
                return Err(OpsError::SeveralEngines { first, other });
            }
            _ => engine = engine.or(found),
        }
    }
    Ok(engine)
}

/// Fails when a script of `manifests` makes a role that is one of `existing`, or any where that is `None`. Roles
/// belong to the whole server, which a database of its own does not keep apart. What a script makes by other means
/// than a statement of its own is not seen here, and fails when it runs.
///
/// # Errors
/// [`OpsError::RoleExists`], [`OpsError::MakesRoles`], and when a block is missing or malformed.
pub fn require_free_roles(
    source: &mut Source,
    manifests: &[Cid],
    existing: Option<&BTreeSet<String>>,
) -> Result<(), OpsError> {
    for cid in manifests {
        let entry = source.entry(cid)?;
        let event = &entry.statement.event;
        let Details::Migration(details) = &event.details else { continue };
        let is_postgres =
            event.target.as_ref().is_some_and(|target| Dialect::from(target.engine) == Dialect::Postgresql);
        let part = part_to_run(event.event, details);
        if !is_postgres || part == Part::Nothing {
            continue;
        }
        let Ok(step) = step_of(source, &entry, details, part, None)? else { return Ok(()) };
        let made = step
            .statements
            .iter()
            .filter_map(|statement| made_role(&statement.kind, step.sql.get(statement.range.clone())?));
        for role in made {
            let version = step.migration.version.clone();
            match existing {
                None => return Err(OpsError::MakesRoles { role, version }),
                Some(existing) if existing.contains(&role) => {
                    return Err(OpsError::RoleExists { role, version });
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// The name in a `CREATE ROLE`, as PostgreSQL reads it.
pub(super) fn made_role(kind: &str, statement: &str) -> Option<String> {
    if !["CREATE ROLE", "CREATE USER", "CREATE GROUP"].contains(&kind) {
        return None;
    }
    let rest = statement.trim_start().split_once(char::is_whitespace)?.1.trim_start();
    let rest = rest.split_once(char::is_whitespace)?.1.trim_start();
    if let Some(quoted) = rest.strip_prefix('"') {
        let marked = quoted.replace("\"\"", "\0");
        return Some(marked.split_once('"')?.0.replace('\0', "\""));
    }
    let end = rest.find(|character: char| !character.is_alphanumeric() && !"_$".contains(character));
    let name = rest.get(..end.unwrap_or(rest.len()))?.to_lowercase();
    // `CREATE USER MAPPING` makes none.
    let is_mapping = kind == "CREATE USER" && name == "mapping";
    (!name.is_empty() && !is_mapping).then_some(name)
}

/// Runs the scripts of `manifests`, the oldest first, on `target`, which has to be empty. `own_role`: whom they run as
/// on a server; no script may change that. `looked`: called after each event that could be gone through, with its
/// number and the schema as it is then.
///
/// # Errors
/// Those of the database, and when a block is missing or malformed. That the schemas differ is no error.
pub async fn replay<T: Target>(
    source: &mut Source,
    manifests: &[Cid],
    target: &mut T,
    own_role: Option<&str>,
    progress: &mut Progress<'_>,
    looked: &mut dyn FnMut(u64, &Schema),
) -> Result<Replayed, OpsError> {
    target.prepare().await?;
    let mut replayed = Replayed::default();
    let mut place = Place { schema: target.schema().await?, has_tool_table: false };
    for (cid, seq) in manifests.iter().zip(0..) {
        progress("replaying", seq, Some(manifests.len() as u64));
        let entry = source.entry(cid)?;
        let event = &entry.statement.event;
        let stopped =
            replay_entry(source, &entry, (&mut *target, own_role), &mut place, &mut replayed).await?;
        replayed.entries += 1;
        if let Some(reason) = stopped {
            let version = event.migration().map(|migration| migration.version.clone());
            replayed.stopped = Some(Stopped { seq, manifest: *cid, event: event.event, version, reason });
            return Ok(replayed);
        }
        looked(seq, &place.schema);
    }
    progress("replaying", manifests.len() as u64, Some(manifests.len() as u64));
    Ok(replayed)
}

/// Goes through one entry; `Some` where the replay cannot go on.
async fn replay_entry<T: Target>(
    source: &mut Source,
    entry: &Entry,
    (target, own_role): (&mut T, Option<&str>),
    place: &mut Place,
    replayed: &mut Replayed,
) -> Result<Option<Reason>, OpsError> {
    let event = &entry.statement.event;
    place.make_table(entry, false, target).await?;
    let schema = &place.schema;
    // MySQL and MariaDB write one algorithm's text in two ways.
    let is_same = |found: &crate::model::Target| found.engine == target.identity().engine;
    let signed = event
        .schema()
        .filter(|signed| signed.algorithm == schema.algorithm && event.target.as_ref().is_none_or(is_same))
        .cloned();
    if let Some(signed) =
        signed.as_ref().and_then(|signed| signed.before).filter(|signed| *signed != schema.digest)
    {
        return Ok(Some(Reason::ChangedByHand { signed, found: schema.digest }));
    }
    place.make_table(entry, true, target).await?;
    let schema = &mut place.schema;
    let part = match &event.details {
        Details::Migration(details) => part_to_run(event.event, details),
        _ => Part::Nothing,
    };
    let before = schema.clone();
    if let Details::Migration(details) = &event.details
        && part != Part::Nothing
    {
        let step = match step_of(source, entry, details, part, own_role)? {
            Ok(step) => step,
            Err(reason) => return Ok(Some(reason)),
        };
        if let StepOutcome::Failed { failure, statement, .. } = target.run(&step, None, &now).await? {
            if is_of_this_place(&failure) {
                let version = details.migration.version.clone();
                return Err(OpsError::ReplayStopped { version, statement, failure });
            }
            return Ok(Some(Reason::Failed { statement, failure }));
        }
        replayed.executed += 1;
        *schema = target.schema().await?;
    }
    let after = signed.and_then(|SchemaChange { after, .. }| after);
    match after {
        Some(signed) if signed != schema.digest => {
            let found = schema.digest;
            // What runs nothing and says that the schema changed tells of a hand.
            if part == Part::Nothing {
                return Ok(Some(Reason::ChangedByHand { signed, found }));
            }
            Ok(Some(Reason::Different { signed, found, changes: before.differences(schema) }))
        }
        Some(_) => {
            replayed.compared += 1;
            Ok(None)
        }
        None => {
            replayed.uncompared += u64::from(part != Part::Nothing);
            Ok(None)
        }
    }
}

/// Whether a script failed for want of something here, which says nothing of the chain: rights, room, time, locks,
/// the connection.
pub(super) fn is_of_this_place(failure: &Failure) -> bool {
    match failure {
        Failure::Connection(_) => true,
        Failure::Driver(_) => false,
        Failure::Server { code, .. } => {
            let number = code.split('/').next().unwrap_or_default();
            ["53", "55", "57", "58"].iter().any(|class| code.len() == 5 && code.starts_with(class))
                || code == "42501"
                || matches!(
                    number,
                    "7" | "9"
                        | "13"
                        | "1021"
                        | "1041"
                        | "1044"
                        | "1114"
                        | "1142"
                        | "1205"
                        | "1227"
                        | "1969"
                        | "3024"
                )
        }
    }
}

/// How much of an event's script ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Nothing,
    Whole,
    /// So many statements, outside a transaction.
    First(u64),
}

fn part_to_run(event: EventKind, details: &MigrationDetails) -> Part {
    match event {
        EventKind::Apply | EventKind::Rollback | EventKind::Baseline => Part::Whole,
        EventKind::Fail => match (&details.error, &details.schema) {
            (Some(ErrorCode { statement, .. }), SchemaChange { before, after, .. }) if before != after => {
                Part::First(statement.saturating_sub(1))
            }
            _ => Part::Nothing,
        },
        _ => Part::Nothing,
    }
}

/// The step that an event was, once more.
fn step_of(
    source: &mut Source,
    entry: &Entry,
    details: &MigrationDetails,
    part: Part,
    own_role: Option<&str>,
) -> Result<Result<Step, Reason>, OpsError> {
    let event = &entry.statement.event;
    let Some(target) = &event.target else { return Ok(Err(Reason::NoScript)) };
    // A way down is in the manifest of the event that ran it; one that failed may have either.
    let roles = if details.reverts.is_some() || event.event == EventKind::Rollback {
        [Role::Down, Role::Rendered]
    } else {
        [Role::Rendered, Role::Up]
    };
    let files = &entry.manifest.files;
    let file = roles.iter().find_map(|role| files.iter().find(|file| file.role == *role));
    let Some(file) = file else { return Ok(Err(Reason::NoScript)) };
    let Some(plain) = source.plain(entry, file)? else { return Ok(Err(Reason::Sealed)) };
    let script = match script_of(event, details, file.role, plain) {
        Ok(script) => script,
        Err(reason) => return Ok(Err(reason)),
    };
    let sql = match script.text() {
        Ok(text) => text.to_owned(),
        Err(error) => return Ok(Err(Reason::NotText { detail: error.to_string() })),
    };
    if let Some(line) = reaches_outside(Dialect::from(target.engine), &sql, own_role) {
        return Ok(Err(Reason::ReachesOutside { line }));
    }
    if let Some(problem) = refused_script(Dialect::from(target.engine), &details.migration.version, &script) {
        return Ok(Err(Reason::Refused { detail: problem.to_string() }));
    }
    let mut found = statements(Dialect::from(target.engine), &sql);
    let transaction = script.transaction && !matches!(part, Part::First(_));
    let mut end = sql.len();
    if let Part::First(count) = part {
        found.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        end = found.last().map_or(0, |statement| statement.range.end);
    }
    let kind = if roles[0] == Role::Down { EventKind::Rollback } else { EventKind::Apply };
    Ok(Ok(Step {
        id: EventId::generate(now()),
        event: kind,
        migration: details.migration.clone(),
        sql: sql[..end].to_owned(),
        statements: found
            .into_iter()
            .map(|statement| Statement { range: statement.range, kind: statement.kind })
            .collect(),
        transaction,
        up: None,
        down: None,
        tool: ToolWrites::default(),
        record: record(&event.actor, target, event.run.clone(), Some(details.migration.clone()), false),
    }))
}
