//! Rolls applied migrations back, newest first, by the way down that was archived with them.

use super::apply::{FailedScript, Outcome, failed_script, file_of};
use super::chain::Entry;
use super::clearance::{Given, clear};
use super::hooks::telling::to_roll_back as hooked;
use super::hooks::{Round, end_run, refuse};
use super::intended::{Intended, to_roll_back};
use super::kept::{Scripts, ToolView, View};
use super::plan::{Problem, add_progress, refused_script};
use super::policy::Policy;
use super::policy::asked::{Asked as Packs, to_roll_back as policy_of};
use super::sealed::Plain;
use super::session::Session;
use super::{ChainReader, OpenKey, OpsError, Progress, Project, now};
use crate::chain::Fault;
use crate::codec::sealed::ContentKeys;
use crate::crypto::Digest;
use crate::database::{Applied, Database, History, HistoryRow, RowState, Step, StepOutcome, Target as _};
use crate::model::{Cid, Details, Direction, EventKind, FileEntry, MigrationName, Role};
use crate::policy::hooks::What;
use crate::policy::packs::ScriptFacts;
use crate::scripts::tools::plain::{has_both_ways, script};
use crate::scripts::{Dialect, Migration, Script};

/// How far to go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// So many migrations, the one applied last first.
    Steps(usize),
    /// All that were applied after this version, which stays.
    To(String),
}

/// One migration to roll back.
pub struct Undo {
    version: String,
    name: MigrationName,
    script: Script,
    reverts: Cid,
    /// The entry whose sealed file was opened for it.
    opened: Option<Cid>,
}

impl Undo {
    /// What it undoes.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The way down.
    #[must_use]
    pub const fn script(&self) -> &Script {
        &self.script
    }

    /// The entry whose sealed file was opened for it.
    #[must_use]
    pub const fn opened(&self) -> Option<Cid> {
        self.opened
    }

    /// What policy packs are asked about it.
    #[must_use]
    pub fn asked(&self, policy: &Policy, dialect: Dialect, folder: &[Migration]) -> ScriptFacts {
        let found = folder.iter().find(|migration| migration.version.to_string() == self.version);
        let header = found.map(|migration| &migration.header);
        policy_of(policy, dialect, (&self.version, &self.name), &self.script, header)
    }
}

/// Rolls back, by the plan that was `given`, if one was.
///
/// # Errors
/// Before anything runs, when a migration has no way down, something is half applied, or too much is
/// asked; those of database, archive and key.
pub async fn rollback(
    project: &Project,
    target: &mut Database,
    extent: &Extent,
    given: &Given,
    open_key: OpenKey,
    progress: &mut Progress<'_>,
) -> Result<Outcome, OpsError> {
    let mut round = Round::open(&project.hooks)?;
    let asked = Asked { project, extent, given };
    match roll_back_in_round(asked, target, open_key, &mut round, progress).await {
        Ok(outcome) => Ok(Outcome { hooks: round.told(), ..outcome }),
        Err(error) => Err(round.failed(What::Rollback, error, now())),
    }
}

/// What `rollback` was asked for.
struct Asked<'a> {
    project: &'a Project,
    extent: &'a Extent,
    given: &'a Given,
}

async fn roll_back_in_round(
    Asked { project, extent, given }: Asked<'_>,
    target: &mut Database,
    open_key: OpenKey,
    round: &mut Round,
    progress: &mut Progress<'_>,
) -> Result<Outcome, OpsError> {
    target.lock(project.lock_wait).await?;
    let rows = target.history().await?;
    let mut session = Session::open(project, target, &rows, open_key).await?;
    let recovered = session.archive(target, &rows, progress).await?;
    let rows = target.history().await?;
    let scripts = match &project.tool {
        // What the tool's table is to say depends on the folder.
        Some(_) => Scripts::read(project)?,
        None => Scripts::read(project).unwrap_or_default(),
    };
    let view = View::look(project, Some(&mut *target), scripts, &rows).await?;
    if !view.problems.is_empty() {
        return Err(OpsError::Problems(view.problems));
    }
    let mut half = half_applied(&view.history);
    if !half.is_empty() {
        add_progress(&mut half, &view.history, target).await?;
        return Err(OpsError::Problems(half));
    }
    let all = |keys: Option<&dyn ContentKeys>| ways_down(project, &session.chain.reader, &view, extent, keys);
    let undos = match all(None) {
        // Only what nobody else has is read from its sealed copy.
        Err(OpsError::SealedHere { .. }) => {
            let keyring = project.keyring(&session.chain.reader.root()).await?;
            let undos = all(Some(&keyring))?;
            let opened = undos.iter().filter_map(Undo::opened).collect();
            session.record_opening(project, opened, "rollback").await?;
            undos
        }
        undos => undos?,
    };
    session.prepare_sealing(undos.iter().map(|undo| &undo.script)).await?;
    let packs = Packs::open(project, Some(&session.chain.reader), session.clock.now(), |policy| {
        undos.iter().map(|undo| undo.asked(policy, project.dialect, &view.folder)).collect()
    })?;
    let intended = Intended {
        policy: packs.as_ref(),
        direction: Direction::Down,
        migrations: undos.iter().map(|undo| to_roll_back(&undo.version, &undo.script)).collect(),
        history: &view.history,
        sealed: session.seals(undos.iter().map(|undo| &undo.script)),
    };
    if !undos.is_empty() || round.on_empty() {
        let migrations = undos.iter().map(|undo| hooked(project.dialect, &undo.name, &undo.script));
        round.begin_run(project, &session, (given, &intended), || migrations.collect());
        round.judge(&[What::Rollback, What::EachRollback, What::Archive])?;
    }
    clear(project, &mut session, target, given, (&intended, round), progress).await?;
    if round.has_programs() {
        session.require_sealing().await?;
    }
    if let Err(denied) = round.before(What::Rollback, None) {
        return Err(refuse(round, &mut session, What::Rollback, denied).await);
    }
    let notes = differing(&view.folder, &undos);
    view.make_table(target).await?;
    let mut failed = None;
    let total = undos.len() as u64;
    let mut steps = undos.into_iter().map(|undo| step_of(&session, view.tool.as_ref(), undo)).peekable();
    let mut done = 0;
    let mut denied = None;
    while let Some(step) = steps.next().transpose()? {
        progress("rolling back", done, Some(total));
        if let Err(no) = round.before(What::EachRollback, Some(&step.migration.version)) {
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
    progress("rolling back", total, Some(total));
    round.before(What::Archive, None)?;
    let rows = target.history().await?;
    let archived = session.archive(target, &rows, progress).await?;
    let ended = (failed.as_ref(), denied.as_ref());
    end_run(round, &mut session, (What::Rollback, What::EachRollback), &archived, ended).await?;
    let denied = denied.map(|no| no.to_string());
    Ok(Outcome { denied, ..session.outcome(recovered, archived, failed, notes) })
}

/// What a rollback would run, in its order; what is sealed and not in the folder is opened by `keys`.
///
/// # Errors
/// When a migration has no way down, something is half applied, or too much is asked; [`OpsError::SealedHere`].
pub fn ways_down(
    project: &Project,
    reader: &ChainReader,
    view: &View,
    extent: &Extent,
    keys: Option<&dyn ContentKeys>,
) -> Result<Vec<Undo>, OpsError> {
    let half = half_applied(&view.history);
    if !half.is_empty() {
        return Err(OpsError::Problems(half));
    }
    let selected = select(&view.history, extent)?;
    let way = |(version, applied): &(&str, &Applied)| {
        way_down(project, reader, &view.folder, keys, version, applied)
    };
    let undos = selected.iter().map(way).collect::<Result<Vec<_>, _>>()?;
    require_allowed(project, &undos)?;
    Ok(undos)
}

fn half_applied(history: &History) -> Vec<Problem> {
    let problem = |(version, row): (&String, &HistoryRow)| Problem::HalfApplied {
        version: version.clone(),
        failed: row.state == RowState::Partial,
        statement: None,
    };
    history.half_applied.iter().map(problem).collect()
}

fn require_allowed(project: &Project, undos: &[Undo]) -> Result<(), OpsError> {
    let refused =
        undos.iter().filter_map(|undo| refused_script(project.dialect, &undo.version, &undo.script));
    let refused: Vec<Problem> = refused.collect();
    if refused.is_empty() { Ok(()) } else { Err(OpsError::Problems(refused)) }
}

fn step_of(session: &Session, tool: Option<&ToolView>, undo: Undo) -> Result<Step, OpsError> {
    let mut step = session.step(EventKind::Rollback, undo.name, &undo.script)?;
    step.record.reverts = Some(undo.reverts);
    if let Some(tool) = tool {
        let Script { file_name, bytes, .. } = &undo.script;
        tool.keep(&mut step, Direction::Down, file_name, bytes, session.clock.now());
    }
    Ok(Step { down: Some(file_of(&undo.script)), ..step })
}

fn select<'a>(history: &'a History, extent: &Extent) -> Result<Vec<(&'a str, &'a Applied)>, OpsError> {
    // A tool's script that can run again is not undone.
    let mut newest_first = history.newest_first();
    newest_first.retain(|(version, _)| !version.starts_with("R__"));
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

/// The way down that was archived with the event that made a version applied. One that is sealed is taken from the
/// folder while it is there as the database noted it.
fn way_down(
    project: &Project,
    reader: &ChainReader,
    folder: &[Migration],
    keys: Option<&dyn ContentKeys>,
    version: &str,
    applied: &Applied,
) -> Result<Undo, OpsError> {
    let no_way = || OpsError::NoWayDown { version: version.to_owned() };
    let (seq, reverts) = applied.archived.ok_or_else(no_way)?;
    let entry = reader.entry(&reverts)?;
    let tool = project.tool.as_ref().map(|kept| kept.name());
    let role = if tool.is_some_and(has_both_ways) { Role::Up } else { Role::Down };
    let (holder, file) = file_of_role(reader, entry.clone(), role)?.ok_or_else(no_way)?;
    // The database keeps a digest of what it was applied with; an archive of another database differs.
    let expected = if role == Role::Up { &applied.up } else { &applied.down };
    let expected = expected.as_ref().map(|digests| digests.raw);
    let (plain, opened) = match reader.plain(&holder, &file, keys)? {
        Some(plain) => (plain, file.sealed.then_some(holder.cid)),
        None => (on_disk(folder, version, expected).ok_or(OpsError::SealedHere { seq })?, None),
    };
    let found = Digest::of(&plain.bytes);
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        let fault = Fault::FileDigest { name: file.name.clone(), expected, found };
        return Err(OpsError::WayDownDiffers { version: version.to_owned(), detail: fault.to_string() });
    }
    let name_of_file = plain.name.to_string();
    let script = match tool {
        Some(tool) => {
            let beside = down_of(folder, version).map(|down| down.transaction);
            script(tool, project.dialect, &name_of_file, &plain.bytes, Direction::Down, beside)?
                .ok_or_else(no_way)?
        }
        None => Script::new(name_of_file, plain.bytes),
    };
    let name = entry.statement.event.migration().cloned().ok_or_else(no_way)?;
    Ok(Undo { version: version.to_owned(), name, script, reverts, opened })
}

/// The way down of the folder, where it is the one that the database noted.
fn on_disk(folder: &[Migration], version: &str, expected: Option<Digest>) -> Option<Plain> {
    let down = down_of(folder, version)?;
    let same = expected.is_some_and(|expected| expected == Digest::of(&down.bytes));
    same.then_some(Plain { name: down.file_name.parse().ok()?, bytes: down.bytes.clone() })
}

fn down_of<'a>(folder: &'a [Migration], version: &str) -> Option<&'a Script> {
    folder.iter().find(|migration| migration.version.to_string() == version)?.down.as_ref()
}

/// The file of an entry that holds its way down, and the entry that holds that; a repair without one stands on the
/// entries that it is about.
fn file_of_role(
    reader: &ChainReader,
    entry: Entry,
    role: Role,
) -> Result<Option<(Entry, FileEntry)>, OpsError> {
    if let Some(file) = entry.manifest.files.iter().find(|file| file.role == role).cloned() {
        return Ok(Some((entry, file)));
    }
    let Details::Repair { about, .. } = &entry.statement.event.details else { return Ok(None) };
    for earlier in about {
        let earlier = reader.entry(earlier)?;
        // An entry is only about older ones, so this ends.
        if earlier.manifest.seq < entry.manifest.seq
            && let Some(found) = file_of_role(reader, earlier, role)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Ways down that the folder has in another form; a folder that cannot be read has none to compare.
fn differing(folder: &[Migration], undos: &[Undo]) -> Vec<Problem> {
    let differs = |undo: &Undo| {
        let on_disk = down_of(folder, &undo.version)?;
        (on_disk.bytes != undo.script.bytes).then(|| Problem::DownEdited {
            version: undo.version.clone(),
            file: on_disk.file_name.clone(),
            seq: None,
        })
    };
    undos.iter().filter_map(differs).collect()
}
