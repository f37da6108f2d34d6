//! Runs each way up, its way down, and the way up again on a scratch database, and compares the schemas.
//!
//! The scripts are the team's own and may still be wrong, or have come with somebody's proposal: they run where a replay
//! runs, under its guards, and nowhere else.

use std::collections::BTreeSet;

use super::compared::{in_words, told_by_sqlite};
use super::folder::Unit;
use crate::crypto::Digest;
use crate::database::{
    Database, DatabaseError, Failure, Schema, Scratch, Statement, Step, StepOutcome, Target as _, ToolWrites,
};
use crate::model::{Actor, Direction, EventId, EventKind, MigrationName, Pseudonym, Run, Target};
use crate::ops::event::record;
use crate::ops::plan::refused_script;
use crate::ops::replay::{is_of_this_place, made_role};
use crate::ops::{OpsError, Progress, now};
use crate::scripts::lint::document::is_empty;
use crate::scripts::lint::rules::{
    DOWN_DIFFERS, DOWN_FAILS, NOT_TRIED, REACHES_OUTSIDE, REFUSED, Rule, UP_AGAIN_DIFFERS, UP_FAILS,
};
use crate::scripts::lint::{Finding, Lines};
use crate::scripts::{Dialect, Script, reaches_outside, statements};

/// How often a database is made anew because a way down left another schema behind. Each time all scripts before run.
const MOST_REBUILDS: usize = 32;

/// What a trial came to.
#[derive(Debug, Default)]
pub struct Tried {
    pub findings: Vec<Finding>,
    /// Ways down that ran.
    pub count: usize,
    /// What was met that kept no script from running.
    pub notes: Vec<String>,
    /// Why what was made for the trial is still there, in part or whole.
    pub left: Vec<DatabaseError>,
}

/// Tries the ways down of `units`, in their order. `make`: makes an empty database each time it is called; each is
/// removed. `asked`: the files whose ways down are tried; `None` for all.
///
/// # Errors
/// Those of the database. That a script fails is a finding.
pub async fn try_ways_down<E: From<OpsError>>(
    units: &[Unit],
    dialect: Dialect,
    asked: Option<&BTreeSet<String>>,
    make: impl AsyncFnMut() -> Result<Scratch, E>,
    progress: &mut Progress<'_>,
) -> Result<Tried, E> {
    let mut trial = Trial { units, dialect, make, scratch: None, tried: Tried::default(), rebuilds: 0 };
    let ended = trial.run(asked, progress).await;
    trial.remove().await;
    ended.map(|()| trial.tried)
}

struct Trial<'a, M> {
    units: &'a [Unit],
    dialect: Dialect,
    make: M,
    scratch: Option<Scratch>,
    tried: Tried,
    rebuilds: usize,
}

/// A schema as it was, to be compared with the one that is there later.
enum State {
    /// By its fingerprint.
    Digest(Digest),
    /// By a place in what the schema went through, which is read as far as it changed.
    Mark(usize),
}

/// How a script ended.
enum Ran {
    Done,
    /// It was not run, or not to its end, for a reason that says nothing of it.
    NotHere(Finding),
    /// It came to no end, and what it ran in is good for nothing more.
    Endless(Finding),
    Failed {
        line: usize,
        statement: u64,
        failure: Failure,
    },
}

/// What has to be done before the next script can be tried.
enum Next {
    Go,
    /// Nothing: it was done, and the schema is another database's.
    Rebuilt,
    Rebuild,
    Stop,
}

impl<E: From<OpsError>, M: AsyncFnMut() -> Result<Scratch, E>> Trial<'_, M> {
    async fn run(&mut self, asked: Option<&BTreeSet<String>>, progress: &mut Progress<'_>) -> Result<(), E> {
        let total = Some(self.units.len() as u64);
        self.make().await?;
        let mut before = self.state().await?;
        for (place, unit) in self.units.iter().enumerate() {
            progress("trying ways down", place as u64, total);
            let Some(up) = unit.up.as_ref().filter(|_| unit.runs) else {
                self.stop(unit, "greffe cannot run it");
                break;
            };
            match self.run_script(unit, up, Direction::Up).await? {
                Ran::Done => {}
                Ran::NotHere(finding) | Ran::Endless(finding) => {
                    self.tried.findings.push(finding);
                    break;
                }
                Ran::Failed { line, statement, failure } => {
                    self.fails(&UP_FAILS, &unit.file, line, &format!("statement {statement}: {failure}"));
                    break;
                }
            }
            let after = self.state().await?;
            let down =
                unit.down.as_ref().filter(|down| !is_empty(self.dialect, down.text().unwrap_or_default()));
            let is_asked = asked.is_none_or(|asked| asked.contains(&unit.file));
            let Some(down) = down.filter(|_| is_asked) else {
                before = after;
                continue;
            };
            match self.try_one(unit, (up, down), &before, &after).await? {
                Next::Go => before = after,
                Next::Rebuilt => before = self.state().await?,
                Next::Rebuild => match self.rebuild(place, None).await? {
                    Some(_) => before = self.state().await?,
                    None => break,
                },
                Next::Stop => break,
            }
        }
        progress("trying ways down", self.units.len() as u64, total);
        Ok(())
    }

    /// Down, and up again.
    async fn try_one(
        &mut self,
        unit: &Unit,
        (up, down): (&Script, &Script),
        before: &State,
        after: &State,
    ) -> Result<Next, E> {
        match self.run_script(unit, down, Direction::Down).await? {
            Ran::Done => {}
            Ran::NotHere(finding) => {
                self.tried.findings.push(finding);
                // A way down that was refused changed nothing.
                return Ok(if self.is_at(after).await? { Next::Go } else { Next::Rebuild });
            }
            Ran::Endless(finding) => {
                self.tried.findings.push(finding);
                return Ok(Next::Rebuild);
            }
            Ran::Failed { line, statement, failure } => {
                self.tried.count += 1;
                self.fails(&DOWN_FAILS, &unit.down_file, line, &format!("statement {statement}: {failure}"));
                return Ok(Next::Rebuild);
            }
        }
        self.tried.count += 1;
        if !self.is_at(before).await? {
            return self.differs(unit).await;
        }
        match self.run_script(unit, up, Direction::Up).await? {
            Ran::Done if self.is_at(after).await? => Ok(Next::Go),
            Ran::Done => {
                let message = "up, down and up again make another schema than up alone";
                self.fails(&UP_AGAIN_DIFFERS, &unit.file, 1, message);
                Ok(Next::Rebuild)
            }
            Ran::NotHere(finding) | Ran::Endless(finding) => {
                self.tried.findings.push(finding);
                Ok(Next::Rebuild)
            }
            Ran::Failed { line, statement, failure } => {
                let message =
                    format!("after up and down, statement {statement} of the way up fails: {failure}");
                self.fails(&UP_AGAIN_DIFFERS, &unit.file, line, &message);
                Ok(Next::Rebuild)
            }
        }
    }

    /// Says what a way down left behind or took away.
    async fn differs(&mut self, unit: &Unit) -> Result<Next, E> {
        let found = self.target()?.database.schema().await.map_err(OpsError::from)?;
        let place = self.units.iter().position(|other| std::ptr::eq(other, unit)).unwrap_or_default();
        let rebuilt = self.rebuild(place, Some(&found)).await?;
        let Some(names) = rebuilt else {
            self.fails(&DOWN_DIFFERS, &unit.down_file, 1, "it leaves another schema than there was before");
            return Ok(Next::Stop);
        };
        // Other definitions that say the same.
        if names.is_empty() {
            return Ok(Next::Rebuilt);
        }
        let message = format!("it does not lead back: {names}");
        self.fails(&DOWN_DIFFERS, &unit.down_file, 1, &message);
        Ok(Next::Rebuilt)
    }

    /// A new database to which all scripts up to `place` were applied, with the schema that it has then; and, in words,
    /// how `found` differs from the schema before the last of them. `None` where that cannot be had any more.
    async fn rebuild(&mut self, place: usize, found: Option<&Schema>) -> Result<Option<String>, E> {
        self.rebuilds += 1;
        let units = self.units;
        if self.rebuilds > MOST_REBUILDS {
            let message = format!("{MOST_REBUILDS} ways down before it are wrong: mend these first");
            if let Some(next) = units.get(place + 1) {
                self.stop(next, &message);
            }
            return Ok(None);
        }
        self.remove().await;
        self.make().await?;
        let mut names = String::new();
        for (number, unit) in units.iter().enumerate().take(place + 1) {
            if let Some(found) = found.filter(|_| number == place) {
                let before = self.target()?.database.schema().await.map_err(OpsError::from)?;
                names = in_words(&before, found);
            }
            let Some(up) = &unit.up else { return Ok(None) };
            if !matches!(self.run_script(unit, up, Direction::Up).await?, Ran::Done) {
                self.stop(unit, "it ran once and does not run a second time");
                return Ok(None);
            }
        }
        Ok(Some(names))
    }

    async fn make(&mut self) -> Result<(), E> {
        let mut scratch = (self.make)().await?;
        self.tried.notes.extend(scratch.take_notes());
        let prepared = scratch.database.prepare().await;
        self.scratch = Some(scratch);
        Ok(prepared.map_err(OpsError::from)?)
    }

    async fn remove(&mut self) {
        let Some(mut scratch) = self.scratch.take() else { return };
        self.tried.notes.extend(scratch.take_notes());
        self.tried.left.extend(scratch.remove().await.err());
    }

    fn target(&mut self) -> Result<&mut Scratch, E> {
        let gone = DatabaseError::Open(Failure::Driver("the scratch database is gone"));
        Ok(self.scratch.as_mut().ok_or(OpsError::from(gone))?)
    }

    /// The schema as it is.
    async fn state(&mut self) -> Result<State, E> {
        let state = match &mut self.target()?.database {
            Database::Sqlite(database) => database.mark().await.map(State::Mark),
            database => database.fingerprint().await.map(|(_, digest)| State::Digest(digest)),
        };
        Ok(state.map_err(OpsError::from)?)
    }

    /// Whether the schema is what it was.
    async fn is_at(&mut self, state: &State) -> Result<bool, E> {
        let is_at = match (&mut self.target()?.database, state) {
            (Database::Sqlite(database), State::Mark(mark)) => {
                let found = database.differences_since(*mark).await;
                found.map(|found| told_by_sqlite(found).is_empty())
            }
            (database, State::Digest(digest)) => database.fingerprint().await.map(|(_, now)| now == *digest),
            (_, State::Mark(_)) => Ok(false),
        };
        Ok(is_at.map_err(OpsError::from)?)
    }

    async fn run_script(&mut self, unit: &Unit, script: &Script, direction: Direction) -> Result<Ran, E> {
        let dialect = self.dialect;
        let file = if direction == Direction::Up { &unit.file } else { &unit.down_file };
        let sql = script.text().unwrap_or_default();
        let scratch = self.target()?;
        if let Some((line, why)) = refused(dialect, &unit.id, script, scratch) {
            let message = match direction {
                Direction::Up => format!("neither this nor what comes after it was tried: {why}"),
                Direction::Down => format!("this way down was not tried: {why}"),
            };
            return Ok(Ran::NotHere(Finding::of_file(&NOT_TRIED, file, message).at((line, 1))));
        }
        let step = step(scratch, unit, sql, script.transaction, direction);
        let outcome = match scratch.database.run(&step, None, &now).await {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Ran::Endless(Finding::of_file(&NOT_TRIED, file, not_ended(&error)))),
        };
        let StepOutcome::Failed { failure, statement, .. } = outcome else { return Ok(Ran::Done) };
        let nth = usize::try_from(statement).ok().and_then(|n| step.statements.get(n.checked_sub(1)?));
        let line = nth.map_or(1, |statement| Lines::of(sql).place(statement.range.start).0);
        if is_of_this_place(&failure) {
            let message = format!("it cannot be tried here, statement {statement}: {failure}");
            return Ok(Ran::NotHere(Finding::of_file(&NOT_TRIED, file, message).at((line, 1))));
        }
        Ok(Ran::Failed { line, statement, failure })
    }

    fn fails(&mut self, rule: &'static Rule, file: &str, line: usize, message: &str) {
        self.tried.findings.push(Finding::of_file(rule, file, message).at((line, 1)));
    }

    fn stop(&mut self, unit: &Unit, why: &str) {
        let message = format!("neither this nor what comes after it was tried: {why}");
        self.tried.findings.push(Finding::of_file(&NOT_TRIED, &*unit.file, message));
    }
}

/// Why a script may not run even here, and in which line: it would reach beyond its database, or greffe does not run it
/// at all.
fn refused(dialect: Dialect, version: &str, script: &Script, scratch: &Scratch) -> Option<(usize, String)> {
    let sql = script.text().unwrap_or_default();
    if let Some(line) = reaches_outside(dialect, sql, scratch.role().as_deref()) {
        return Some((line, format!("it reaches beyond its database (see `{}`)", REACHES_OUTSIDE.id)));
    }
    if refused_script(dialect, version, script).is_some() {
        return Some((1, format!("greffe does not run it (see `{}`)", REFUSED.id)));
    }
    let found = if dialect == Dialect::Postgresql { statements(dialect, sql) } else { Vec::new() };
    found.into_iter().find_map(|statement| {
        let role = made_role(&statement.kind, sql.get(statement.range.clone())?)?;
        let line = Lines::of(sql).place(statement.range.start).0;
        match scratch.roles() {
            None => Some((line, format!("it makes the role `{role}`, which this user may not"))),
            Some(roles) if roles.contains(&role) => {
                Some((line, format!("the server has the role `{role}` already")))
            }
            Some(_) => None,
        }
    })
}

/// One script as a target runs it. What its history says of it is dropped with the database.
fn step(scratch: &Scratch, unit: &Unit, sql: &str, transaction: bool, direction: Direction) -> Step {
    let identity = scratch.database.identity();
    let migration = MigrationName {
        version: unit.id.clone(),
        name: None,
        depends_on: Vec::new(),
        sectors: Vec::new(),
        purpose: None,
        impact: None,
    };
    let actor = Actor { pseudonym: Pseudonym::generate(), role: "lint".to_owned() };
    let target = Target { name: "scratch".to_owned(), engine: identity.engine, version: identity.version };
    let run = Run { id: EventId::generate(now()), ci: None };
    let found = statements(Dialect::from(target.engine), sql);
    Step {
        id: EventId::generate(now()),
        event: if direction == Direction::Up { EventKind::Apply } else { EventKind::Rollback },
        record: record(&actor, &target, run, Some(migration.clone()), false),
        migration,
        sql: sql.to_owned(),
        statements: found
            .into_iter()
            .map(|statement| Statement { range: statement.range, kind: statement.kind })
            .collect(),
        transaction,
        up: None,
        down: None,
        tool: ToolWrites::default(),
    }
}

/// Why a script came to no end of its own.
fn not_ended(error: &DatabaseError) -> String {
    match error {
        DatabaseError::TookTooLong { limit } => {
            format!("it cannot be tried here: it did not end within {limit:?} (`--statement-timeout`)")
        }
        _ => match std::error::Error::source(error) {
            Some(source) => format!("it cannot be tried here: {error}: {source}"),
            None => format!("it cannot be tried here: {error}"),
        },
    }
}
