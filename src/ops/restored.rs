//! Records, as signed events, that the database was restored from an older backup: what it lost, and what its
//! versions count as from here on. No script is run.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::chain::Entry;
use super::event::schema_found;
use super::outbox::{Archived, explained, lost_events};
use super::repair::unknown;
use super::session::Session;
use super::told::{ArchivedScript, Recorded, Told};
use super::{ChainReader, OpenKey, OpsError, Progress, Project};
use crate::codec::sealed::ContentKeys;
use crate::crypto::Digest;
use crate::database::{Applied, Declaration, History, HistoryRow, ScriptFile, Target};
use crate::model::{Cid, Direction, EventId, EventKind, FileDigests, MigrationName};

/// What was done.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Entries that tell of what the database lost.
    pub lost: Vec<u64>,
    /// Events that tell so, and what else had to be archived.
    pub archived: Vec<Archived>,
    pub head: Cid,
}

/// Records what the history lacks of the archive: for each version that counts as something else by the history
/// one `repair`, in the direction that the history has; where lost events changed none, one that is about the
/// database. All are declared in one transaction, so that a run which was cut short is finished by the next one.
///
/// # Errors
/// When archive and history are not of one database, or the archive is the older one; those of database, archive
/// and key.
pub async fn repair_restored<T: Target>(
    project: &Project,
    target: &mut T,
    open_key: OpenKey,
    progress: &mut Progress<'_>,
) -> Result<Outcome, OpsError> {
    target.lock(project.lock_wait).await?;
    let rows = target.history().await?;
    let require = |reader: &ChainReader| lost_events(reader, &rows).map(drop);
    let mut session = Session::open_where(project, target, &rows, open_key, require).await?;
    let lost = lost_events(&session.chain.reader, &rows)?;
    // An earlier run may have declared it, and no more.
    session.explained = explained(target).await?;
    let untold: Vec<&Entry> = lost.iter().filter(|entry| !session.explained.contains(&entry.cid)).collect();
    if !untold.is_empty() {
        let keyring = project.keyring_at_hand(&session.chain.reader.root()).await?;
        let keys = keyring.as_ref().map(|keyring| keyring as &dyn ContentKeys);
        let told = Told::read(&session.chain.reader, keys)?;
        session.record_opening(project, told.opened(), "repair").await?;
        let looks = project.fingerprint || told.schema.is_some();
        let found = if looks { Some(target.fingerprint().await?) } else { None };
        let restored = Restored::new(&session, keys, &rows, &told, &untold, project.tool.is_some());
        let declarations = restored.declarations(found)?;
        target.declare(&declarations, session.clock.now()).await?;
        session.explained = explained(target).await?;
    }
    let rows = target.history().await?;
    let archived = session.archive(target, &rows, progress).await?;
    let lost = lost.iter().map(|entry| entry.manifest.seq).collect();
    Ok(Outcome { lost, archived, head: session.chain.reader.head() })
}

/// A database that lacks events, beside the archive that has them.
struct Restored<'a> {
    session: &'a Session,
    keys: Option<&'a dyn ContentKeys>,
    told: &'a Told,
    history: History,
    /// The newest archived event of each version that the history knows.
    known: HashMap<&'a str, Cid>,
    /// Whether another tool's table says what is applied: what it lost is told from that table, not from the history.
    has_tool: bool,
    /// What was lost of each version; of the database as a whole where the version is empty.
    lost: HashMap<&'a str, Vec<&'a Entry>>,
}

impl<'a> Restored<'a> {
    fn new(
        session: &'a Session,
        keys: Option<&'a dyn ContentKeys>,
        rows: &'a [HistoryRow],
        told: &'a Told,
        untold: &[&'a Entry],
        has_tool: bool,
    ) -> Self {
        let known = rows.iter().filter_map(|row| Some((row.version.as_str(), row.archived?.1))).collect();
        let mut lost: HashMap<&str, Vec<&Entry>> = HashMap::new();
        for entry in untold {
            let migration = entry.statement.event.migration();
            lost.entry(migration.map_or("", |migration| &migration.version)).or_default().push(entry);
        }
        Self { session, keys, told, history: History::of(rows), known, has_tool, lost }
    }

    /// `found`: the schema as it is, where it is looked at.
    fn declarations(&self, found: Option<(&'static str, Digest)>) -> Result<Vec<Declaration>, OpsError> {
        let mut declarations = Vec::new();
        let mut told_of: HashSet<&str> = HashSet::new();
        for version in self.differing() {
            declarations.push(self.repair(version)?);
            told_of.insert(version);
        }
        let rest = self.lost.iter().filter(|(version, _)| !told_of.contains(*version));
        let mut rest: Vec<&Entry> = rest.flat_map(|(_, entries)| entries.iter().copied()).collect();
        if !rest.is_empty() {
            rest.sort_by_key(|entry| entry.manifest.seq);
            declarations.push(self.declaration(None, Direction::Up, &rest));
        }
        let mut newest = self.told.schema.clone();
        for declaration in &mut declarations {
            declaration.record.schema = found.map(|found| schema_found(newest.as_ref(), found));
            newest = found.map(|(algorithm, digest)| (algorithm.to_owned(), digest));
        }
        Ok(declarations)
    }

    /// Versions that count as something else by the history than by the archive: those that are not applied first,
    /// the others in the order in which they were. What is half applied waits for a repair of its own.
    fn differing(&self) -> Vec<&str> {
        if self.has_tool {
            return Vec::new();
        }
        let versions = self.told.applied.keys().chain(self.history.applied.keys());
        let versions: BTreeSet<&str> = versions.map(String::as_str).collect();
        let mut differing: Vec<(i64, &str)> = versions
            .into_iter()
            .filter(|version| !self.history.half_applied.contains_key(*version) && self.differs(version))
            .map(|version| (self.history.applied.get(version).map_or(0, |applied| applied.position), version))
            .collect();
        differing.sort_unstable();
        differing.into_iter().map(|(_, version)| version).collect()
    }

    fn differs(&self, version: &str) -> bool {
        match (self.told.applied.get(version), self.history.applied.get(version)) {
            (None, None) => false,
            (Some(standing), Some(applied)) => {
                let archived = standing.up.as_ref().map(|script| script.raw);
                // Of what is sealed and cannot be opened here, nothing says that it differs.
                let unknown = archived.is_some_and(|raw| raw.is_none());
                let recorded = applied.up.as_ref().map(|digests| digests.raw);
                !unknown && recorded.is_some_and(|raw| Some(Some(raw)) != archived)
            }
            _ => true,
        }
    }

    fn repair(&self, version: &str) -> Result<Declaration, OpsError> {
        let lost = self.lost.get(version).map(Vec::as_slice).unwrap_or_default();
        let applied = self.history.applied.get(version);
        let direction = if applied.is_some() { Direction::Up } else { Direction::Down };
        let declaration = self.declaration(Some(self.name(version, lost)?), direction, lost);
        let Some(applied) = applied else { return Ok(declaration) };
        let (up, down) = self.scripts(applied)?;
        Ok(Declaration { up, down, ..declaration })
    }

    fn declaration(
        &self,
        migration: Option<MigrationName>,
        direction: Direction,
        lost: &[&Entry],
    ) -> Declaration {
        let version = migration.as_ref().map(|migration| migration.version.clone()).unwrap_or_default();
        let mut record = self.session.record(migration);
        record.about = lost.iter().map(|entry| entry.cid).collect();
        let id = EventId::generate(self.session.clock.now());
        Declaration {
            id,
            event: EventKind::Repair,
            direction,
            version,
            up: None,
            down: None,
            record,
            tool: Vec::new(),
        }
    }

    /// What the newest event that the history knows of a version calls it, else the newest one that it lost.
    fn name(&self, version: &str, lost: &[&Entry]) -> Result<MigrationName, OpsError> {
        let known = self.known.get(version).map(|cid| self.session.chain.reader.entry(cid)).transpose()?;
        let newest = known.as_ref().or(lost.last().copied());
        let name = newest.and_then(|entry| entry.statement.event.migration().cloned());
        let mut name = name.unwrap_or_else(|| unknown(version));
        if name.name.is_none() {
            // The history keeps the name of a sealed script, where it can be opened.
            let named = |entry: &&Recorded| entry.version == version && entry.name.is_some();
            name.name = self.told.entries.iter().rev().find(named).and_then(|entry| entry.name.clone());
        }
        Ok(name)
    }

    /// The scripts with which the history has a version as applied, from the archive.
    fn scripts(&self, applied: &Applied) -> Result<(Option<ScriptFile>, Option<ScriptFile>), OpsError> {
        let place = applied.archived.and_then(|(seq, _)| usize::try_from(seq).ok());
        let Some(entry) = place.and_then(|place| self.told.entries.get(place)) else {
            return Ok((None, None));
        };
        let up = self.script(entry.seq, entry.up.as_ref(), applied.up.as_ref())?;
        Ok((up, self.script(entry.seq, entry.down.as_ref(), applied.down.as_ref())?))
    }

    fn script(
        &self,
        seq: u64,
        archived: Option<&ArchivedScript>,
        recorded: Option<&FileDigests>,
    ) -> Result<Option<ScriptFile>, OpsError> {
        match (archived, recorded) {
            (Some(archived), Some(recorded)) if archived.raw == Some(recorded.raw) => {
                let bytes = archived.bytes(&self.session.chain.reader, self.keys)?;
                Ok(bytes.map(|bytes| ScriptFile { file_name: archived.name.clone(), bytes }))
            }
            // The ways back would be lost with it.
            (Some(archived), Some(_)) if archived.raw.is_none() => Err(OpsError::SealedHere { seq }),
            _ => Ok(None),
        }
    }
}
