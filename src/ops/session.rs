//! One run that changes something: the archive is open and locked, the key is at hand, time does not run
//! backwards.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use super::access::record_opening;
use super::apply::{FailedScript, Outcome};
use super::chain::OpenChain;
use super::event::record;
use super::gate::require_clean;
use super::outbox::{Archived, Explained, Sent, Writer, archive_outstanding, require_same_database};
use super::own_event::own_event;
use super::plan::Problem;
use super::sealing::Sealing;
use super::{ChainReader, KeyUnavailable, OpenKey, OpsError, Progress, Project, now};
use crate::chain::{AppendError, Block, NewFile};
use crate::crypto::Signer;
use crate::database::{
    DatabaseError, History, HistoryRow, Record, ScriptFile, Statement, Step, StepOutcome, Target, ToolWrites,
};
use crate::model::{
    Actor, Cid, Details, Event, EventId, EventKind, FileDigests, MigrationName, Run, Target as TargetName,
    Timestamp, TrustDocument,
};
use crate::scripts::{Dialect, Script, TextError, statements};

/// By how much this machine's clock may be behind the newest entry: what verification tolerates (FORMAT §9).
const TOLERANCE: i64 = 5_000_000;

/// This machine's clock, never before the newest time that was told.
pub struct Clock(Cell<Timestamp>);

impl Clock {
    /// # Errors
    /// [`OpsError::ClockBehind`] when events of now would lie before those of the archive.
    fn after(newest: Timestamp) -> Result<Self, OpsError> {
        let now = now();
        if now.as_microseconds() < newest.as_microseconds().saturating_sub(TOLERANCE) {
            return Err(OpsError::ClockBehind { now, newest });
        }
        Ok(Self(Cell::new(newest)))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.0.set(self.0.get().max(now()));
        self.0.get()
    }
}

/// What a run holds until it ends.
pub struct Session {
    pub chain: OpenChain,
    pub clock: Clock,
    /// Lost events that are no reason to stop; none but in a database that is being repaired as restored.
    pub explained: Explained,
    key: Arc<dyn Signer>,
    run: Run,
    /// The `plan` event by which it runs.
    plan: Option<Cid>,
    /// The events of another chain that showed its migrations first, by version.
    promoted: HashMap<String, Cid>,
    target: TargetName,
    actor: Actor,
    fingerprint: bool,
    sealing: Sealing,
    /// What ran and is not archived yet, by event.
    sent: RefCell<HashMap<EventId, Sent>>,
}

impl Session {
    /// Opens archive and key, and brings greffe's own table up to date; the target has to be locked.
    ///
    /// # Errors
    /// When archive, database and key do not belong together, before anything was changed.
    pub async fn open<T: Target>(
        project: &Project,
        target: &mut T,
        rows: &[HistoryRow],
        open_key: OpenKey,
    ) -> Result<Self, OpsError> {
        let require = |reader: &ChainReader| require_same_database(reader, rows);
        Self::open_where(project, target, rows, open_key, require).await
    }

    /// The same, where `require` says whether history and archive belong together.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open_where<T: Target>(
        project: &Project,
        target: &mut T,
        rows: &[HistoryRow],
        open_key: OpenKey,
        require: impl FnOnce(&ChainReader) -> Result<(), OpsError>,
    ) -> Result<Self, OpsError> {
        // Deriving a key from a passphrase takes as long as many migrations; it goes beside the rest.
        let key = std::thread::spawn(open_key);
        let known = History::of(rows).trust;
        let chain = OpenChain::open(&project.archive, &project.name, project.lock_wait, known)?;
        require_same_chain(project, chain.reader.root())?;
        require(&chain.reader)?;
        let (newest, _) = chain.reader.newest()?;
        let clock = Clock::after(chain.reader.entry(&newest)?.statement.event.finished_at)?;
        let key = key.join().map_err(|_| KeyUnavailable {
            message: "the key could not be opened".to_owned(),
            hint: "try again".to_owned(),
        })??;
        // Before anything runs that nobody could sign for.
        chain.appender.require_signers(&*key)?;
        target.prepare().await?;
        let identity = target.identity();
        let (name, engine, version) = (project.database_name.clone(), identity.engine, identity.version);
        Ok(Self {
            chain,
            explained: Explained::new(),
            key,
            run: Run { id: EventId::generate(clock.now()), ci: project.ci.clone() },
            plan: None,
            promoted: HashMap::new(),
            clock,
            target: TargetName { name, engine, version },
            actor: project.actor.clone(),
            fingerprint: project.fingerprint,
            sealing: Sealing::new(project),
            sent: RefCell::default(),
        })
    }

    /// Archives all finished rows.
    ///
    /// # Errors
    /// Those of database and archive.
    pub async fn archive<T: Target>(
        &mut self,
        target: &mut T,
        rows: &[HistoryRow],
        progress: &mut Progress<'_>,
    ) -> Result<Vec<Archived>, OpsError> {
        let sent = self.sent.take();
        let (key, explained, sealing) = (&*self.key, &self.explained, &mut self.sealing);
        let writer = Writer { key, explained, sent: &sent, sealing };
        let archived = archive_outstanding(target, &mut self.chain, rows, writer, progress).await?;
        let is_archived = |id: &EventId| archived.iter().any(|done| done.id == *id);
        match sent.iter().find(|(id, _)| !is_archived(id)) {
            Some((_, sent)) => Err(DatabaseError::RowDiffers { version: sent.version.clone() }.into()),
            None => Ok(archived),
        }
    }

    /// Runs a step; what it is stays known until its row is archived.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn run<T: Target>(
        &self,
        target: &mut T,
        step: &Step,
        following: Option<&Step>,
    ) -> Result<StepOutcome, OpsError> {
        let outcome = target.run(step, following, &|| self.clock.now()).await?;
        let digests = |file: &Option<ScriptFile>| file.as_ref().map(|file| FileDigests::of(&file.bytes));
        let version = step.migration.version.clone();
        let sent = Sent { version, up: digests(&step.up), down: digests(&step.down) };
        self.sent.borrow_mut().insert(step.id, sent);
        Ok(outcome)
    }

    /// What the run did.
    pub fn outcome(
        &self,
        recovered: Vec<Archived>,
        archived: Vec<Archived>,
        failed: Option<FailedScript>,
        notes: Vec<Problem>,
    ) -> Outcome {
        let torn_bytes = self.chain.torn().map_or(0, |torn| torn.bytes);
        let head = self.chain.reader.head();
        Outcome { recovered, archived, failed, denied: None, hooks: Vec::new(), notes, head, torn_bytes }
    }

    /// Sees to it that what these scripts need to be sealed is there, before one of them runs.
    ///
    /// # Errors
    /// [`OpsError::Vault`].
    pub async fn prepare_sealing<'a>(
        &mut self,
        scripts: impl Iterator<Item = &'a Script>,
    ) -> Result<(), OpsError> {
        let files = scripts.map(|script| (script.file_name.as_str(), script.bytes.as_slice()));
        self.sealing.prepare(self.chain.reader.root(), files).await
    }

    /// Records that sealed files of these entries are opened; nothing where there is none.
    ///
    /// # Errors
    /// As [`record_opening`].
    pub async fn record_opening(
        &self,
        project: &Project,
        about: Vec<Cid>,
        purpose: &str,
    ) -> Result<(), OpsError> {
        self.record_opening_of(project, self.chain.reader.root(), about, purpose).await
    }

    /// The same for entries of another chain.
    ///
    /// # Errors
    /// As [`record_opening`].
    pub async fn record_opening_of(
        &self,
        project: &Project,
        chain: Cid,
        about: Vec<Cid>,
        purpose: &str,
    ) -> Result<(), OpsError> {
        if about.is_empty() {
            return Ok(());
        }
        let key = Arc::clone(&self.key);
        record_opening(project, Box::new(move || Ok(key)), chain, about, purpose).await.map(drop)
    }

    /// A step that runs `script`.
    ///
    /// # Errors
    /// [`OpsError::Folder`] when it is not text.
    pub fn step(
        &self,
        event: EventKind,
        migration: MigrationName,
        script: &Script,
    ) -> Result<Step, OpsError> {
        let sql = script.text().map_err(|error: TextError| OpsError::Folder(error.into()))?.to_owned();
        let statements = statements(Dialect::from(self.target.engine), &sql)
            .into_iter()
            .map(|statement| Statement { range: statement.range, kind: statement.kind })
            .collect();
        Ok(Step {
            id: EventId::generate(self.clock.now()),
            event,
            record: self.record(Some(migration.clone())),
            migration,
            statements,
            sql,
            transaction: script.transaction,
            up: None,
            down: None,
            tool: ToolWrites::default(),
        })
    }

    /// What a row of this run begins with.
    pub fn record(&self, migration: Option<MigrationName>) -> Record {
        let record = record(&self.actor, &self.target, self.run.clone(), migration, self.fingerprint);
        let promoted = record.migration.as_ref().and_then(|migration| self.promoted.get(&migration.version));
        Record { plan: self.plan, promoted_from: promoted.copied(), ..record }
    }

    /// The database, as events name it.
    pub const fn target(&self) -> &TargetName {
        &self.target
    }

    /// Who acts.
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The trust document in force.
    ///
    /// # Errors
    /// [`AppendError::Order`], never in practice: a chain that is open has one.
    pub fn trust(&self) -> Result<TrustDocument, OpsError> {
        Ok(self.chain.appender.trust().cloned().ok_or(AppendError::Order(EventKind::Plan))?)
    }

    /// Whether one of these scripts is to be sealed.
    pub fn seals<'a>(&self, mut scripts: impl Iterator<Item = &'a Script>) -> bool {
        scripts.any(|script| self.sealing.seals(&script.file_name, &script.bytes))
    }

    /// The identifier of the run.
    pub const fn run_id(&self) -> EventId {
        self.run.id
    }

    /// The `plan` event by which it runs.
    pub const fn plan(&self) -> Option<Cid> {
        self.plan
    }

    /// Sees to it that something can be sealed, before anything runs whose output has to be.
    ///
    /// # Errors
    /// [`OpsError::Vault`].
    pub async fn require_sealing(&mut self) -> Result<(), OpsError> {
        self.sealing.require(self.chain.reader.root()).await
    }

    /// From here on every step names this plan.
    pub const fn name_plan(&mut self, plan: Cid) {
        self.plan = Some(plan);
    }

    /// From here on steps link to these events of another chain, by version.
    pub fn promote(&mut self, promoted: HashMap<String, Cid>) {
        self.promoted = promoted;
    }

    /// Appends an event of this run that has no row in the history; of its files those are sealed that are marked so.
    /// It is durable when this returns.
    ///
    /// # Errors
    /// [`OpsError::Vault`], [`OpsError::Unpublishable`] and those of the archive; nothing was appended then.
    pub async fn append(
        &mut self,
        kind: EventKind,
        details: Details,
        files: Vec<NewFile>,
    ) -> Result<Cid, OpsError> {
        let at = self.clock.now();
        let event = Event {
            target: Some(self.target.clone()),
            run: self.run.clone(),
            ..own_event(kind, &self.actor, at, details)
        };
        let root = self.chain.reader.root();
        let (event, files) = self.sealing.seal_marked(root, event, files).await?;
        self.sealing.keep().await?;
        let mut blocks: Vec<Block> = Vec::new();
        let mut keep = |block| blocks.push(block);
        let manifest = self.chain.appender.append(event, files, &[&*self.key], &mut keep)?;
        require_clean(&manifest, &blocks)?;
        self.chain.store(blocks, &*self.key)?;
        Ok(manifest)
    }
}

/// Where the settings name a chain, no other one is continued.
///
/// # Errors
/// [`OpsError::OtherChain`].
pub fn require_same_chain(project: &Project, found: Cid) -> Result<(), OpsError> {
    match project.chain {
        Some(expected) if expected != found => Err(OpsError::OtherChain { expected, found }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_behind_the_archive_is_refused_and_never_runs_backwards() {
        let at = |seconds: i64| {
            Timestamp::from_microseconds(now().as_microseconds() + seconds * 1_000_000).unwrap()
        };
        assert!(matches!(Clock::after(at(3600)), Err(OpsError::ClockBehind { .. })));
        // What verification tolerates is waited out by standing still.
        let newest = at(4);
        let clock = Clock::after(newest).unwrap();
        assert_eq!((clock.now(), clock.now()), (newest, newest));
        assert!(Clock::after(at(-3600)).unwrap().now() > at(-1));
    }
}
