//! Applies pending migrations, then archives what happened.

use std::time::Duration;

use serde::Serialize;

use super::chain::OpenChain;
use super::event::{migration_name, record};
use super::outbox::{Archived, archive_outstanding, require_same_database};
use super::plan::{Pending, Plan, Problem, Wanted, plan};
use super::{OpenKey, OpsError, Progress, Project, now};
use crate::database::{Failure, History, HistoryRow, ScriptFile, Step, StepOutcome, Target};
use crate::model::{Cid, EventId, EventKind, MigrationName, StatementRun, Target as TargetName};
use crate::scripts::{Script, TextError, read_folder, statements};

/// What `apply` did.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Events of earlier runs that were archived first.
    pub recovered: Vec<Archived>,
    /// Events of this run.
    pub archived: Vec<Archived>,
    /// The script that failed, if one did; it is archived as `fail`.
    pub failed: Option<FailedScript>,
    /// What is not as it should be and did not stop the run.
    pub notes: Vec<Problem>,
    pub head: Cid,
    /// Bytes of a torn last write that were cut off the archive.
    pub torn_bytes: u64,
}

/// A script that failed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedScript {
    pub version: String,
    pub file: String,
    /// From 1.
    pub statement: u64,
    pub kind: String,
    #[serde(serialize_with = "serialize_failure")]
    pub failure: Failure,
    /// What ran before stays, for there was no transaction.
    pub partial: bool,
}

fn serialize_failure<S: serde::Serializer>(failure: &Failure, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(failure)
}

/// What `apply --dry-run` found.
#[derive(Debug, Serialize)]
pub struct Preview {
    pub pending: Vec<PendingMigration>,
    pub problems: Vec<Problem>,
}

/// A migration that would be applied.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingMigration {
    #[serde(flatten)]
    pub migration: MigrationName,
    pub file: String,
    pub transaction: bool,
    pub statements: Vec<StatementRun>,
}

/// Says what [`apply`] would do; reads only. `target`: `None` when the database does not exist yet.
///
/// # Errors
/// Those of folder and database.
pub async fn preview<T: Target>(
    project: &Project,
    target: Option<&mut T>,
    wanted: &Wanted,
) -> Result<Preview, OpsError> {
    let folder = read_folder(&project.migrations)?;
    let rows = match target {
        Some(target) => target.history().await?,
        None => Vec::new(),
    };
    let Plan { pending, problems } = plan(&folder, &History::of(&rows), wanted);
    let pending = pending.into_iter().map(|Pending { migration }| PendingMigration {
        file: migration.up.file_name.clone(),
        transaction: migration.up.transaction,
        statements: migration.up.text().map(counted_statements).unwrap_or_default(),
        migration: migration_name(&migration),
    });
    Ok(Preview { pending: pending.collect(), problems })
}

fn counted_statements(sql: &str) -> Vec<StatementRun> {
    let mut runs: Vec<StatementRun> = Vec::new();
    for statement in statements(sql) {
        match runs.last_mut() {
            Some(last) if last.kind == statement.kind => last.count += 1,
            _ => runs.push(StatementRun { kind: statement.kind, count: 1, duration_us: 0, rows: None }),
        }
    }
    runs
}

/// Applies what is pending and wanted.
///
/// # Errors
/// [`OpsError::Problems`] before anything runs, when something stands in the way; those of database,
/// archive and key. A script that fails is no error: see [`Outcome::failed`].
pub async fn apply<T: Target>(
    project: &Project,
    target: &mut T,
    wanted: &Wanted,
    open_key: OpenKey,
    progress: &mut Progress<'_>,
) -> Result<Outcome, OpsError> {
    let folder = read_folder(&project.migrations)?;
    target.lock(project.lock_wait).await?;
    let rows = target.history().await?;
    let Plan { pending, problems } = plan(&folder, &History::of(&rows), wanted);
    let outstanding = rows.iter().any(|row| row.archived.is_none());
    if pending.is_empty() && !outstanding && !problems.iter().any(Problem::stops) {
        let head = super::ChainReader::open(&project.archive, &project.name)?.head();
        return Ok(Outcome {
            recovered: vec![],
            archived: vec![],
            failed: None,
            notes: problems,
            head,
            torn_bytes: 0,
        });
    }
    let mut session = Session::open(project, target, &rows, open_key).await?;
    let recovered = session.archive(target, &rows, progress).await?;
    let (stopping, notes): (Vec<Problem>, Vec<Problem>) = problems.into_iter().partition(Problem::stops);
    if !stopping.is_empty() {
        return Err(OpsError::Problems(stopping));
    }
    let mut failed = None;
    let total = pending.len() as u64;
    for (index, Pending { migration }) in pending.into_iter().enumerate() {
        progress("applying", index as u64, Some(total));
        let step = session.step(EventKind::Apply, migration_name(&migration), &migration.up)?;
        let up = Some(file_of(&migration.up));
        let down = migration.down.as_ref().map(file_of);
        let step = Step { up, down, ..step };
        if let StepOutcome::Failed { failure, statement, partial } = target.run(&step, &now).await? {
            failed = Some(failed_script(&step, migration.up.file_name, failure, statement, partial));
            break;
        }
    }
    progress("applying", total, Some(total));
    let rows = target.history().await?;
    let archived = session.archive(target, &rows, progress).await?;
    let head = session.chain.reader.head();
    let torn_bytes = session.chain.torn().map_or(0, |torn| torn.bytes);
    Ok(Outcome { recovered, archived, failed, notes, head, torn_bytes })
}

/// A script as the history keeps it.
pub fn file_of(script: &Script) -> ScriptFile {
    ScriptFile { file_name: script.file_name.clone(), bytes: script.bytes.clone() }
}

/// What to say of a script that failed.
pub fn failed_script(
    step: &Step,
    file: String,
    failure: Failure,
    statement: u64,
    partial: bool,
) -> FailedScript {
    let kind = usize::try_from(statement).ok().and_then(|n| step.kinds.get(n.checked_sub(1)?));
    FailedScript {
        version: step.migration.version.clone(),
        file,
        statement,
        kind: kind.cloned().unwrap_or_else(|| "OTHER".to_owned()),
        failure,
        partial,
    }
}

/// One run that changes something: the archive is open and locked, the key is at hand.
pub struct Session {
    pub chain: OpenChain,
    key: crate::crypto::PrivateKey,
    run: EventId,
    target: TargetName,
    actor: crate::model::Actor,
    fingerprint: bool,
}

impl Session {
    /// Opens archive and key, and brings greffe's own table up to date; the target has to be locked.
    pub async fn open<T: Target>(
        project: &Project,
        target: &mut T,
        rows: &[HistoryRow],
        open_key: OpenKey,
    ) -> Result<Self, OpsError> {
        // Deriving a key from a passphrase takes as long as many migrations; it goes beside the rest.
        let key = std::thread::spawn(open_key);
        let chain = OpenChain::open(
            &project.archive,
            &project.name,
            project.lock_wait.max(Duration::from_millis(1)),
        )?;
        if let (Some(expected), Some(found)) = (project.chain, chain.appender.chain())
            && expected != found
        {
            return Err(OpsError::OtherChain { expected, found });
        }
        require_same_database(&chain, rows)?;
        let key = key.join().map_err(|_| super::KeyUnavailable {
            message: "the key could not be opened".to_owned(),
            hint: "try again".to_owned(),
        })??;
        // Before anything runs that nobody could sign for.
        chain.appender.require_signers(&[&key])?;
        target.prepare().await?;
        let identity = target.identity();
        let (name, engine, version) = (project.database_name.clone(), identity.engine, identity.version);
        Ok(Self {
            chain,
            key,
            run: EventId::generate(now()),
            target: TargetName { name, engine, version },
            actor: project.actor.clone(),
            fingerprint: project.fingerprint,
        })
    }

    /// Archives all finished rows.
    pub async fn archive<T: Target>(
        &mut self,
        target: &mut T,
        rows: &[HistoryRow],
        progress: &mut Progress<'_>,
    ) -> Result<Vec<Archived>, OpsError> {
        archive_outstanding(target, &mut self.chain, rows, &self.key, progress).await
    }

    /// A step that runs `script`.
    pub fn step(
        &self,
        event: EventKind,
        migration: MigrationName,
        script: &Script,
    ) -> Result<Step, OpsError> {
        let sql = script.text().map_err(|error: TextError| OpsError::Folder(error.into()))?.to_owned();
        Ok(Step {
            id: EventId::generate(now()),
            event,
            record: self.record(migration.clone()),
            migration,
            kinds: statements(&sql).into_iter().map(|statement| statement.kind).collect(),
            sql,
            transaction: script.transaction,
            up: None,
            down: None,
        })
    }

    /// What a row of this run begins with.
    pub fn record(&self, migration: MigrationName) -> crate::database::Record {
        record(&self.actor, &self.target, self.run, migration, self.fingerprint)
    }
}
