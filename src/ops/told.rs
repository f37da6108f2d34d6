//! The story as the archive tells it: each entry in short, and what follows from all of them. What entries say
//! is taken as it stands; whether they are signed and whole is verification's work.

use std::collections::{BTreeMap, HashMap};

use super::chain::Entry;
use super::sealed::SealedPlace;
use super::{ChainReader, OpsError};
use crate::codec::sealed::ContentKeys;
use crate::crypto::Digest;
use crate::model::{
    Cid, Details, Direction, EventId, EventKind, FileDigests, Hook, Role, SchemaChange, Subject, Timestamp,
};
use crate::scripts::migration_name;

/// Algorithm and fingerprint of a schema, where one was taken.
pub type SchemaLeft = Option<(String, Digest)>;

/// All entries of an archive.
#[derive(Debug, Default)]
pub struct Told {
    /// In their order, so that the entry `seq` stands at that place.
    pub entries: Vec<Recorded>,
    /// Versions that count as applied.
    pub applied: BTreeMap<String, Standing>,
    /// The newest fingerprint that an entry recorded.
    pub schema: SchemaLeft,
}

/// One entry in short.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub seq: u64,
    pub manifest: Cid,
    pub id: EventId,
    /// The run that it is of.
    pub run: EventId,
    pub event: EventKind,
    pub direction: Direction,
    /// Empty where the event is about no migration.
    pub version: String,
    pub name: Option<String>,
    /// What a sealed script that was opened calls the migration, where the log does not say it.
    pub opened_name: Option<String>,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub up: Option<ArchivedScript>,
    pub down: Option<ArchivedScript>,
    /// What another tool remembered of the script.
    pub checksum: Option<String>,
    /// Journal and entry up to which it tells of what was captured.
    pub captured: Option<(String, String)>,
    /// `None` where the event says nothing of the schema.
    pub schema: Option<SchemaLeft>,
    /// Manifests that a repair is about.
    pub about: Vec<Cid>,
    /// The plan by which it ran.
    pub by_plan: Option<Cid>,
    /// What a plan is to run.
    pub planned: Vec<String>,
    /// Manifests that something was attached to.
    pub attached: Vec<Cid>,
}

/// A script in the archive.
#[derive(Clone, Debug)]
pub struct ArchivedScript {
    pub name: String,
    pub cid: Cid,
    /// `None` where it is sealed and cannot be opened here.
    pub raw: Option<Digest>,
    /// With line ends and byte order mark made alike, where the entry says it.
    pub lf: Option<Digest>,
    /// Where it is sealed.
    pub sealed: Option<SealedPlace>,
}

impl ArchivedScript {
    /// Its bytes; `None` where it is sealed and cannot be opened here.
    ///
    /// # Errors
    /// Those of the archive.
    pub fn bytes(
        &self,
        reader: &ChainReader,
        keys: Option<&dyn ContentKeys>,
    ) -> Result<Option<Vec<u8>>, OpsError> {
        match &self.sealed {
            None => reader.file(&self.cid).map(Some),
            Some(place) => Ok(reader.open_sealed(&self.cid, place, keys)?.map(|plain| plain.bytes)),
        }
    }
}

/// Why a version counts as applied.
#[derive(Clone, Debug)]
pub struct Standing {
    pub seq: u64,
    /// What made it so.
    pub event: EventKind,
    pub up: Option<ArchivedScript>,
    pub down: Option<ArchivedScript>,
    /// What another tool remembered of the script.
    pub checksum: Option<String>,
}

impl Told {
    /// Reads the whole archive once, from its newest entry back to the first; sealed scripts as far as `keys` open them.
    ///
    /// # Errors
    /// When a block is missing or malformed.
    pub fn read(reader: &ChainReader, keys: Option<&dyn ContentKeys>) -> Result<Self, OpsError> {
        let mut entries = Vec::new();
        let mut next = Some(reader.newest()?.0);
        while let Some(cid) = next {
            let entry = reader.entry(&cid)?;
            next = entry.manifest.prev;
            entries.push(Recorded::of(reader, &entry, keys)?);
        }
        entries.reverse();
        let mut told = Self::default();
        for entry in &entries {
            told.add(entry);
        }
        Ok(Self { entries, ..told })
    }

    /// Manifests of which a sealed script was opened.
    #[must_use]
    pub fn opened(&self) -> Vec<Cid> {
        let is_opened = |script: &&ArchivedScript| script.sealed.is_some() && script.raw.is_some();
        let opened =
            |entry: &&Recorded| [&entry.up, &entry.down].into_iter().flatten().any(|one| is_opened(&one));
        self.entries.iter().filter(opened).map(|entry| entry.manifest).collect()
    }

    /// How many scripts of versions that count as applied are sealed and could not be opened.
    #[must_use]
    pub fn unopened(&self) -> usize {
        let scripts = self.applied.values().flat_map(|standing| [&standing.up, &standing.down]);
        scripts.flatten().filter(|script| script.raw.is_none()).count()
    }

    fn add(&mut self, entry: &Recorded) {
        if let Some(schema) = &entry.schema {
            self.schema.clone_from(schema);
        }
        if entry.version.is_empty() || matches!(entry.event, EventKind::Fail | EventKind::Plan) {
            return;
        }
        let earlier = self.applied.remove(&entry.version);
        if entry.direction == Direction::Up {
            let (up, down) = match (&entry.up, earlier) {
                (None, Some(earlier)) => (earlier.up, earlier.down),
                (up, _) => (up.clone(), entry.down.clone()),
            };
            let checksum = entry.checksum.clone();
            let standing = Standing { seq: entry.seq, event: entry.event, up, down, checksum };
            self.applied.insert(entry.version.clone(), standing);
        }
    }
}

/// The newest fingerprint that an entry recorded, found from the archive's end.
///
/// # Errors
/// When a block is missing or malformed.
pub fn newest_schema(reader: &ChainReader) -> Result<SchemaLeft, OpsError> {
    let mut next = Some(reader.newest()?.0);
    while let Some(cid) = next {
        let entry = reader.entry(&cid)?;
        if let Some(schema) = entry.statement.event.schema() {
            return Ok(left(schema));
        }
        next = entry.manifest.prev;
    }
    Ok(None)
}

fn left(schema: &SchemaChange) -> SchemaLeft {
    schema.after.map(|after| (schema.algorithm.clone(), after))
}

impl Recorded {
    fn of(reader: &ChainReader, entry: &Entry, keys: Option<&dyn ContentKeys>) -> Result<Self, OpsError> {
        let event = &entry.statement.event;
        let no_digests = BTreeMap::new();
        let (digests, direction, about) = match &event.details {
            Details::Migration(details) => {
                let undone = details.reverts.is_some() || event.event == EventKind::Rollback;
                let direction = if undone { Direction::Down } else { Direction::Up };
                (&details.digests, details.direction.unwrap_or(direction), Vec::new())
            }
            Details::Repair { direction, about, .. } => (&no_digests, *direction, about.clone()),
            _ => (&no_digests, Direction::Up, Vec::new()),
        };
        let migration = event.migration();
        let checksum = match &event.details {
            Details::Migration(details) => details.tool.as_ref().and_then(|tool| tool.checksum.clone()),
            _ => None,
        };
        let captured = match &event.details {
            Details::Migration(details) => details.tool.as_ref().and_then(|tool| tool.capture.as_ref()),
            _ => None,
        };
        let captured = captured.map(|captured| (captured.journal.clone(), captured.entry.clone()));
        let script = |role| script(reader, entry, role, digests, keys);
        let (up, down) = (script(Role::Up)?, script(Role::Down)?);
        Ok(Self {
            seq: entry.manifest.seq,
            manifest: entry.cid,
            id: event.id,
            run: event.run.id,
            event: event.event,
            direction,
            version: migration.map(|migration| migration.version.clone()).unwrap_or_default(),
            name: migration.and_then(|migration| migration.name.clone()),
            opened_name: opened_name(up.as_ref()),
            started_at: event.started_at,
            finished_at: event.finished_at,
            up,
            down,
            checksum,
            captured,
            schema: event.schema().map(left),
            about,
            by_plan: match &event.details {
                Details::Migration(details) => details.plan,
                _ => None,
            },
            planned: match &event.details {
                Details::Plan(details) => details.planned.versions.clone(),
                _ => Vec::new(),
            },
            attached: match &event.details {
                Details::Attach { about, hooks, .. }
                    if hooks.is_empty() && entry.manifest.files.is_empty() || hooks.iter().any(stops) =>
                {
                    about.clone()
                }
                _ => Vec::new(),
            },
        })
    }
}

/// What a script that was opened calls its migration, where the log does not say it.
fn opened_name(script: Option<&ArchivedScript>) -> Option<String> {
    let opened = script.filter(|script| script.sealed.is_some() && script.raw.is_some())?;
    Some(migration_name(&opened.name))
}

/// The file of a role.
fn script(
    reader: &ChainReader,
    entry: &Entry,
    wanted: Role,
    digests: &BTreeMap<String, FileDigests>,
    keys: Option<&dyn ContentKeys>,
) -> Result<Option<ArchivedScript>, OpsError> {
    let both = entry.statement.subjects.iter().zip(&entry.manifest.files);
    let mut of_role = both.filter_map(|(subject, file)| match subject {
        Subject::File { name, cid, digest, role } if *role == wanted => Some((name, *cid, *digest, file)),
        _ => None,
    });
    let Some((name, cid, digest, file)) = of_role.next() else { return Ok(None) };
    let name = name.to_string();
    let Some(place) = SealedPlace::of(entry, file) else {
        let lf = digests.get(&name).map(|digests| digests.lf);
        return Ok(Some(ArchivedScript { name, cid, raw: Some(digest), lf, sealed: None }));
    };
    Ok(Some(match reader.open_sealed(&cid, &place, keys)? {
        Some(plain) => {
            let digests = FileDigests::of(&plain.bytes);
            let (raw, lf) = (Some(digests.raw), Some(digests.lf));
            ArchivedScript { name: plain.name.to_string(), cid, raw, lf, sealed: Some(place) }
        }
        None => ArchivedScript { name, cid, raw: None, lf: None, sealed: Some(place) },
    }))
}

/// Where entries stand, by the id of their event; the first one where an id stands twice.
#[must_use]
pub fn by_id(entries: &[Recorded]) -> HashMap<EventId, usize> {
    let mut places = HashMap::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        places.entry(entry.id).or_insert(place);
    }
    places
}

/// Whether a hook said no before something began.
fn stops(hook: &Hook) -> bool {
    hook.outcome == "deny" && hook.event.starts_with("before")
}
