//! Applies pending migrations, then archives what happened.

use serde::Serialize;

use super::clearance::{Given, clear};
use super::event::migration_name;
use super::hooks::telling::to_apply as hooked;
use super::hooks::{Round, Told, end_run, refuse};
use super::intended::{Intended, to_apply};
use super::kept::{KeptTool, Scripts, ToolView, View};
use super::outbox::{Archived, archive_problems, require_same_database};
use super::plan::{Pending, Plan, Problem, Wanted, add_progress, plan};
use super::policy::Policy;
use super::policy::asked::{Asked as Packs, to_apply as policy_of};
use super::session::{Session, require_same_chain};
use super::{ChainReader, OpenKey, OpsError, Progress, Project, now};
use crate::database::{Database, Failure, HistoryRow, ScriptFile, Step, StepOutcome, Target as _};
use crate::model::{Cid, Direction, EventKind, MigrationName, StatementRun, Timestamp};
use crate::policy::hooks::What;
use crate::scripts::{Dialect, Migration, Script, Version, statements};

/// What `apply` or `rollback` did.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Events of earlier runs that were archived first.
    pub recovered: Vec<Archived>,
    /// Events of this run.
    pub archived: Vec<Archived>,
    /// The script that failed, if one did; it is archived as `fail`.
    pub failed: Option<FailedScript>,
    /// Why a hook stopped it after it began: what came before is archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<String>,
    /// What hooks said, in the order in which they were asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Told>,
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
    /// What it left behind unusable, such as an invalid index.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<String>,
    /// Whether the table of the tool in whose place it ran says that it failed, and stops the next run.
    #[serde(skip)]
    pub is_noted: bool,
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
pub async fn preview(
    project: &Project,
    mut target: Option<&mut Database>,
    wanted: &Wanted,
) -> Result<Preview, OpsError> {
    let scripts = Scripts::read(project)?;
    let wanted = known(project, &scripts, wanted)?;
    let rows = match &mut target {
        Some(target) => target.history().await?,
        None => Vec::new(),
    };
    let view = View::look(project, target, scripts, &rows).await?;
    let Plan { pending, mut problems } = plan_of(project, &view, &wanted);
    problems.extend(archive_problems(project, &rows)?);
    let reader = super::gdpr::open(&project.archive, &project.name)?;
    let packs = asked(project, reader.as_ref(), super::now(), &pending)?;
    problems.extend(packs.iter().flat_map(Packs::problems));
    let pending = pending.into_iter().map(|Pending { migration }| PendingMigration {
        file: migration.up.file_name.clone(),
        transaction: migration.up.transaction,
        statements: migration
            .up
            .text()
            .map(|sql| counted_statements(project.dialect, sql))
            .unwrap_or_default(),
        migration: migration_name(&migration),
    });
    Ok(Preview { pending: pending.collect(), problems })
}

/// What is wanted, with the last version as the folder has it: one that nobody knows is a slip of the keyboard, not a
/// wish for nothing.
fn known(project: &Project, scripts: &Scripts, wanted: &Wanted) -> Result<Wanted, OpsError> {
    let allow_out_of_order =
        wanted.allow_out_of_order && project.tool.as_ref().is_none_or(KeptTool::takes_any_order);
    let mut known = Wanted { allow_out_of_order, ..wanted.clone() };
    if let Some(to) = &wanted.to {
        let mut versions = scripts.migrations.iter().map(|migration| &migration.version);
        let found = versions.find(|version| version.is(to.as_str()));
        known.to = Some(found.cloned().ok_or_else(|| OpsError::UnknownVersion(to.to_string()))?);
    }
    Ok(known)
}

/// The policy packs in force, asked about what is pending; `None` where none is, or nothing is pending.
fn asked(
    project: &Project,
    reader: Option<&ChainReader>,
    at: Timestamp,
    pending: &[Pending],
) -> Result<Option<Packs>, OpsError> {
    if pending.is_empty() {
        return Ok(None);
    }
    let look = |policy: &Policy| {
        pending.iter().map(|pending| policy_of(policy, project.dialect, &pending.migration)).collect()
    };
    Packs::open(project, reader, at, look)
}

/// What is pending and what stands in the way.
pub fn plan_of(project: &Project, view: &View, wanted: &Wanted) -> Plan {
    let mut plan = plan(project.dialect, &view.folder, &view.history, wanted);
    plan.problems.extend(view.problems.iter().cloned());
    plan
}

fn counted_statements(dialect: Dialect, sql: &str) -> Vec<StatementRun> {
    let mut runs: Vec<StatementRun> = Vec::new();
    for statement in statements(dialect, sql) {
        match runs.last_mut() {
            Some(last) if last.kind == statement.kind => last.count += 1,
            _ => runs.push(StatementRun { kind: statement.kind, count: 1, duration_us: 0, rows: None }),
        }
    }
    runs
}

/// A folder of migrations that is read beside what else takes time.
pub struct Reading(std::thread::JoinHandle<Result<Scripts, OpsError>>);

impl Reading {
    /// Begins to read.
    #[must_use]
    pub fn begin(project: &Project) -> Self {
        let (path, tool, dialect) = (project.migrations.clone(), project.tool.clone(), project.dialect);
        Self(std::thread::spawn(move || Scripts::read_from(&path, tool.as_ref(), dialect)))
    }

    fn end(self) -> Result<Scripts, OpsError> {
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Applies what is pending and wanted, by the plan that was `given`, if one was.
///
/// # Errors
/// [`OpsError::Problems`] before anything runs, when something stands in the way; those of database,
/// archive and key. A script that fails is no error: see [`Outcome::failed`].
pub async fn apply(
    project: &Project,
    folder: Reading,
    target: &mut Database,
    wanted: &Wanted,
    given: &Given,
    open_key: OpenKey,
    progress: &mut Progress<'_>,
) -> Result<Outcome, OpsError> {
    let mut round = Round::open(&project.hooks)?;
    let asked = Asked { project, wanted, given };
    let applied = apply_in_round(asked, folder, target, open_key, &mut round, progress).await;
    match applied {
        Ok(outcome) => Ok(Outcome { hooks: round.told(), ..outcome }),
        Err(error) => Err(round.failed(What::Migrate, error, now())),
    }
}

/// What `apply` was asked for.
struct Asked<'a> {
    project: &'a Project,
    wanted: &'a Wanted,
    given: &'a Given,
}

async fn apply_in_round(
    Asked { project, wanted, given }: Asked<'_>,
    folder: Reading,
    target: &mut Database,
    open_key: OpenKey,
    round: &mut Round,
    progress: &mut Progress<'_>,
) -> Result<Outcome, OpsError> {
    let looked = target.history().await;
    let scripts = folder.end()?;
    let wanted = &known(project, &scripts, &planned_end(project, wanted, given))?;
    // What cannot be read now, beside another run, is told below if it lasts; a plan is judged in any case.
    let is_asked_for = given.plan.is_some() || round.on_empty();
    if !is_asked_for
        && let Ok(rows) = looked
        && let Ok(view) = View::look(project, Some(&mut *target), scripts.clone(), &rows).await
        && let Some(outcome) = up_to_date(project, &plan_of(project, &view, wanted), &rows)?
    {
        return Ok(outcome);
    }
    target.lock(project.lock_wait).await?;
    let rows = target.history().await?;
    let view = View::look(project, Some(&mut *target), scripts, &rows).await?;
    let plan = plan_of(project, &view, wanted);
    if !is_asked_for && let Some(outcome) = up_to_date(project, &plan, &rows)? {
        return Ok(outcome);
    }
    let Plan { pending, mut problems } = plan;
    add_progress(&mut problems, &view.history, target).await?;
    let mut session = Session::open(project, target, &rows, open_key).await?;
    let recovered = session.archive(target, &rows, progress).await?;
    let (stopping, notes): (Vec<Problem>, Vec<Problem>) = problems.into_iter().partition(Problem::stops);
    if !stopping.is_empty() {
        return Err(OpsError::Problems(stopping));
    }
    let scripts = || pending.iter().flat_map(|pending| pending.migration.files());
    session.prepare_sealing(scripts()).await?;
    let packs = asked(project, Some(&session.chain.reader), session.clock.now(), &pending)?;
    let intended = Intended {
        policy: packs.as_ref(),
        direction: Direction::Up,
        migrations: pending.iter().map(|pending| to_apply(&pending.migration)).collect(),
        history: &view.history,
        sealed: session.seals(scripts()),
    };
    // A run that only archives what an earlier one left needs nobody's leave, and has no hooks.
    if given.plan.is_some() || !pending.is_empty() {
        let migrations = pending.iter().map(|pending| hooked(project.dialect, &pending.migration));
        round.begin_run(project, &session, (given, &intended), || migrations.collect());
        round.judge(&[What::Migrate, What::EachMigrate, What::Archive])?;
        clear(project, &mut session, target, given, (&intended, round), progress).await?;
    } else if round.on_empty() {
        round.begin_run(project, &session, (given, &intended), Vec::new);
        round.judge(&[What::Migrate, What::Archive])?;
    }
    if round.has_programs() {
        session.require_sealing().await?;
    }
    if let Err(denied) = round.before(What::Migrate, None) {
        return Err(refuse(round, &mut session, What::Migrate, denied).await);
    }
    view.make_table(target).await?;
    let mut failed = None;
    let total = pending.len() as u64;
    let mut steps = pending
        .into_iter()
        .map(|pending| step_of(&session, view.tool.as_ref(), pending.migration))
        .peekable();
    let mut done = 0;
    let mut denied = None;
    while let Some(step) = steps.next().transpose()? {
        progress("applying", done, Some(total));
        if let Err(no) = round.before(What::EachMigrate, Some(&step.migration.version)) {
            denied = Some(no);
            break;
        }
        let following = steps.peek().and_then(|following| following.as_ref().ok());
        let outcome = session.run(target, &step, following).await?;
        if let StepOutcome::Failed { failure, statement, partial, leftovers } = outcome {
            failed = Some(FailedScript { leftovers, ..failed_script(&step, failure, statement, partial) });
            break;
        }
        done += 1;
    }
    drop(steps);
    progress("applying", total, Some(total));
    round.before(What::Archive, None)?;
    let rows = target.history().await?;
    let archived = session.archive(target, &rows, progress).await?;
    let ended = (failed.as_ref(), denied.as_ref());
    end_run(round, &mut session, (What::Migrate, What::EachMigrate), &archived, ended).await?;
    let denied = denied.map(|no| no.to_string());
    Ok(Outcome { denied, ..session.outcome(recovered, archived, failed, notes) })
}

/// What is wanted ends where the plan ends.
fn planned_end(project: &Project, wanted: &Wanted, given: &Given) -> Wanted {
    let Some(last) = given.plan.as_ref().and_then(|given| given.plan.migrations.last()) else {
        return wanted.clone();
    };
    let of_tool = || Version::of_tool(&last.version, 0);
    // One that is none is not in the folder, which is told.
    let to =
        if project.tool.is_some() { of_tool() } else { last.version.parse().unwrap_or_else(|_| of_tool()) };
    Wanted { to: Some(to), ..wanted.clone() }
}

/// The outcome where nothing has to be done.
fn up_to_date(project: &Project, plan: &Plan, rows: &[HistoryRow]) -> Result<Option<Outcome>, OpsError> {
    let outstanding = rows.iter().any(|row| row.archived.is_none());
    if !plan.pending.is_empty() || outstanding || plan.problems.iter().any(Problem::stops) {
        return Ok(None);
    }
    let reader = ChainReader::open(&project.archive, &project.name)?;
    reader.require_end()?;
    require_same_chain(project, reader.root())?;
    require_same_database(&reader, rows)?;
    let (head, notes) = (reader.head(), plan.problems.clone());
    let (recovered, archived, hooks) = (Vec::new(), Vec::new(), Vec::new());
    Ok(Some(Outcome { recovered, archived, failed: None, denied: None, hooks, notes, head, torn_bytes: 0 }))
}

fn step_of(session: &Session, tool: Option<&ToolView>, migration: Migration) -> Result<Step, OpsError> {
    let mut step = session.step(EventKind::Apply, migration_name(&migration), &migration.up)?;
    if let Some(tool) = tool {
        let Script { file_name, bytes, .. } = &migration.up;
        tool.keep(&mut step, Direction::Up, file_name, bytes, session.clock.now());
    }
    // A file that holds both ways is one file.
    let down = migration.down.as_ref().filter(|down| down.file_name != migration.up.file_name);
    Ok(Step { up: Some(file_of(&migration.up)), down: down.map(file_of), ..step })
}

/// A script as the history keeps it.
pub fn file_of(script: &Script) -> ScriptFile {
    ScriptFile { file_name: script.file_name.clone(), bytes: script.bytes.clone() }
}

/// What to say of a script that failed.
pub fn failed_script(step: &Step, failure: Failure, statement: u64, partial: bool) -> FailedScript {
    let script = if step.event == EventKind::Apply { &step.up } else { &step.down };
    let nth = usize::try_from(statement).ok().and_then(|n| step.statements.get(n.checked_sub(1)?));
    FailedScript {
        version: step.migration.version.clone(),
        file: script.as_ref().map(|script| script.file_name.clone()).unwrap_or_default(),
        statement,
        kind: nth.map_or("OTHER", |statement| statement.kind.as_str()).to_owned(),
        failure,
        partial,
        leftovers: Vec::new(),
        is_noted: !step.tool.failed.is_empty(),
    }
}
