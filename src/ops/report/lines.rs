//! Every entry of a chain in short, by its number. What is not there has its place all the same.

use std::collections::{HashMap, HashSet};

use super::super::chain::{Entry, manifest_at, read_entry, read_manifest};
use super::super::source::Source;
use super::super::{OpsError, Progress};
use crate::codec::dag_cbor::decode_head;
use crate::codec::trust::decode_trust;
use crate::model::{
    Actor, Cid, Details, Event, EventKind, Outcome, Role, SchemaChange, Timestamp, TrustDocument,
};
use crate::report::{Continuity, OtherEntry, Told};

/// Numbers that one manifest may leap over, so that a forged one costs no memory.
const MOST_LEAPT: u64 = 100_000;

/// A chain in short.
#[derive(Default)]
pub struct Chain {
    /// In their order: the place is the number.
    pub slots: Vec<Slot>,
    pub is_head: bool,
    /// Trust documents with the entries that brought them, oldest first.
    pub trusts: Vec<(u64, TrustDocument)>,
    /// Blocks of sealed files whose keys were destroyed.
    pub erased: HashSet<Cid>,
    /// Which entry took a manifest back.
    pub taken_back: HashMap<Cid, u64>,
    /// Numbers by manifest.
    pub numbers: HashMap<Cid, u64>,
    /// Plans that were given up.
    pub abandoned: HashSet<Cid>,
}

/// The place of an entry.
pub enum Slot {
    Read(Box<Line>),
    Missing {
        seq: u64,
        /// `None` where nothing tells it any more.
        manifest: Option<Cid>,
        why: String,
    },
}

/// An entry in short.
pub struct Line {
    pub seq: u64,
    pub manifest: Cid,
    pub event: EventKind,
    pub actor: Actor,
    pub version: Option<String>,
    pub name: Told,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub outcome: Option<Outcome>,
    pub plan: Option<Cid>,
    pub schema: Option<SchemaChange>,
    pub continuity: Continuity,
    /// Sealed files.
    pub sealed: Vec<Cid>,
    /// What its build says of itself.
    build: Vec<String>,
    about: Vec<Cid>,
    versions: Vec<String>,
    basis: Option<String>,
    erased: u64,
}

impl Slot {
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Read(line) => line.seq,
            Self::Missing { seq, .. } => *seq,
        }
    }

    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }

    pub const fn manifest(&self) -> Option<Cid> {
        match self {
            Self::Read(line) => Some(line.manifest),
            Self::Missing { manifest, .. } => *manifest,
        }
    }
}

impl Chain {
    /// Reads the chain from its newest entry back to the first. Where a manifest is not there, the tree of entries says
    /// which one is before it.
    ///
    /// # Errors
    /// When the newest manifest cannot be read.
    pub fn read(source: &mut Source, root: Cid, progress: &mut Progress<'_>) -> Result<Self, OpsError> {
        let head = decode_head(&source.block("head", &root)?);
        let newest = head.as_ref().map_or(root, |head| head.manifest);
        let is_head = head.is_ok();
        let size = read_manifest(&newest, &mut source.reads())?.seq.saturating_add(1);
        let mut chain = Self { is_head, ..Self::default() };
        let (mut slots, mut read): (Vec<Slot>, Vec<(Entry, u64)>) = (Vec::new(), Vec::new());
        let (mut next, mut at) = (Some(newest), size);
        while at > 0 {
            let seq = at - 1;
            let tree = || is_head.then_some(root);
            let found = match next {
                Some(cid) => Some(cid),
                None => tree().and_then(|head| manifest_at(head, seq, &mut source.reads()).ok()),
            };
            let (slot, before) = look(source, found, seq);
            next = before;
            at = slot.as_ref().map_or(seq, |entry| entry.manifest.seq);
            match slot {
                Ok(entry) => {
                    // Numbers that the manifests leap over are missing, each.
                    if seq - entry.manifest.seq > MOST_LEAPT {
                        let detail = "its manifests leap over more numbers than are listed";
                        return Err(OpsError::HeadInconsistent { head: root, detail });
                    }
                    for leapt in (entry.manifest.seq + 1..=seq).rev() {
                        slots.push(missing(leapt, None, "no manifest has this number"));
                    }
                    slots.push(Slot::Read(Box::new(Line::of(&entry))));
                    if is_kept(&entry) {
                        read.push((entry, seq));
                    }
                }
                Err(why) => slots.push(missing(seq, found, &why)),
            }
            progress("reading", size - at, Some(size));
        }
        slots.reverse();
        chain.slots = slots;
        for (entry, seq) in read.iter().rev() {
            chain.note(source, entry, *seq);
        }
        chain.link();
        Ok(chain)
    }

    pub fn line(&self, seq: u64) -> Option<&Line> {
        match self.slots.get(usize::try_from(seq).ok()?)? {
            Slot::Read(line) => Some(line),
            Slot::Missing { .. } => None,
        }
    }

    /// The trust document in force before an entry.
    pub fn trust_at(&self, seq: u64) -> Option<&TrustDocument> {
        self.trusts.iter().rev().find(|(at, _)| *at < seq).map(|(_, trust)| trust)
    }

    pub fn newest_time(&self) -> Option<Timestamp> {
        self.slots.iter().filter_map(|slot| self.line(slot.seq())).map(|line| line.finished_at).max()
    }

    /// What later entries do to earlier ones.
    fn note(&mut self, source: &mut Source, entry: &Entry, seq: u64) {
        for file in entry.manifest.files.iter().filter(|file| file.role == Role::Trust && !file.sealed) {
            if let Some(trust) = source.bytes(&file.cid).ok().and_then(|bytes| decode_trust(&bytes).ok()) {
                self.trusts.push((seq, trust));
            }
        }
        match &entry.statement.event.details {
            Details::Erase { erased, .. } => self.erased.extend(erased),
            Details::Attach { about, hooks, .. } if hooks.is_empty() && entry.manifest.files.is_empty() => {
                self.abandoned.extend(about);
            }
            Details::Migration(details) => {
                // A way back that failed took nothing back.
                if let (Some(reverts), Outcome::Succeeded) = (details.reverts, details.outcome) {
                    self.taken_back.insert(reverts, seq);
                }
            }
            _ => {}
        }
    }

    /// What follows from all entries together.
    fn link(&mut self) {
        self.numbers = self.slots.iter().filter_map(|slot| Some((slot.manifest()?, slot.seq()))).collect();
        let mut last: Option<SchemaChange> = None;
        for slot in &mut self.slots {
            let Slot::Read(line) = slot else { continue };
            let Some(schema) = &line.schema else { continue };
            let known = last.as_ref().filter(|last| last.algorithm == schema.algorithm);
            line.continuity = match (known.and_then(|last| last.after), schema.before) {
                _ if line.event == EventKind::Drift => Continuity::Recorded,
                (Some(after), Some(before)) if after == before => Continuity::Same,
                (Some(_), Some(_)) => Continuity::Broken,
                _ => Continuity::Unknown,
            };
            last = Some(schema.clone());
        }
    }

    /// An entry that is no change, in a line.
    pub fn other(&self, line: &Line) -> OtherEntry {
        let trust = self.trusts.iter().find(|(at, _)| *at == line.seq);
        let mut about: Vec<u64> =
            line.about.iter().filter_map(|cid| self.numbers.get(cid).copied()).collect();
        about.sort_unstable();
        OtherEntry {
            seq: line.seq,
            manifest: line.manifest,
            event: line.event,
            finished_at: line.finished_at,
            role: line.actor.role.clone(),
            versions: line.versions.clone(),
            trust_version: trust.map(|(_, trust)| trust.version),
            basis: line.basis.clone(),
            erased: line.erased,
            about,
        }
    }
}

/// Whether an entry does something to others.
fn is_kept(entry: &Entry) -> bool {
    match &entry.statement.event.details {
        Details::Migration(details) => details.reverts.is_some(),
        Details::Erase { .. } | Details::Attach { .. } | Details::Other { .. } => true,
        Details::Plan(_) | Details::Repair { .. } => false,
    }
}

/// The entry in a place, or why there is none; and the manifest before it, where that is known.
fn look(source: &mut Source, cid: Option<Cid>, seq: u64) -> (Result<Entry, String>, Option<Cid>) {
    let Some(cid) = cid else { return (Err("nothing tells which manifest it was".to_owned()), None) };
    let read = read_entry(&cid, &mut source.reads());
    match read {
        Ok(entry) if entry.manifest.seq > seq => {
            (Err(format!("its manifest says that it is entry {}", entry.manifest.seq)), entry.manifest.prev)
        }
        Ok(entry) => {
            let before = entry.manifest.prev;
            (Ok(entry), before)
        }
        Err(error) => {
            let before = read_manifest(&cid, &mut source.reads()).ok().and_then(|manifest| manifest.prev);
            (Err(error.to_string()), before)
        }
    }
}

fn missing(seq: u64, manifest: Option<Cid>, why: &str) -> Slot {
    Slot::Missing { seq, manifest, why: why.to_owned() }
}

impl Line {
    fn of(entry: &Entry) -> Self {
        let event = &entry.statement.event;
        let migration = event.migration();
        let is_sealed = entry.manifest.files.iter().any(|file| file.sealed && file.role == Role::Up);
        let (outcome, plan) = match &event.details {
            Details::Migration(details) => (Some(details.outcome), details.plan),
            _ => (None, None),
        };
        Self {
            seq: entry.manifest.seq,
            manifest: entry.cid,
            event: event.event,
            actor: event.actor.clone(),
            version: migration
                .map(|migration| migration.version.clone())
                .filter(|version| !version.is_empty()),
            name: told(migration.and_then(|migration| migration.name.as_deref()), is_sealed),
            started_at: event.started_at,
            finished_at: event.finished_at,
            outcome,
            plan,
            schema: event.schema().cloned(),
            continuity: Continuity::Unknown,
            sealed: entry.manifest.files.iter().filter(|file| file.sealed).map(|file| file.cid).collect(),
            build: build(event),
            about: about(event),
            versions: match &event.details {
                Details::Plan(details) => details.planned.versions.clone(),
                _ => Vec::new(),
            },
            basis: match &event.details {
                Details::Erase { basis, .. } => Some(basis.clone()),
                _ => None,
            },
            erased: match &event.details {
                Details::Erase { erased, .. } => erased.len() as u64,
                _ => 0,
            },
        }
    }

    /// Whether it changes the database, or says what counts as done to it.
    pub const fn is_change(&self) -> bool {
        matches!(
            self.event,
            EventKind::Apply
                | EventKind::Rollback
                | EventKind::Fail
                | EventKind::Baseline
                | EventKind::Stamp
                | EventKind::Repair
                | EventKind::Drift
        )
    }

    /// Whether something ran for it; what only says how a version counts took no time and needed no plan.
    pub const fn ran(&self) -> bool {
        matches!(self.event, EventKind::Apply | EventKind::Rollback | EventKind::Fail)
    }

    /// Whether it belongs to a release: its build or its migration goes by that name.
    pub fn is_of(&self, release: &str) -> bool {
        self.build.iter().any(|said| said == release)
            || self.version.as_deref() == Some(release)
            || self.versions.iter().any(|version| version == release)
    }

    /// How long it took, in microseconds.
    pub fn duration(&self) -> u64 {
        let took = self.finished_at.as_microseconds().saturating_sub(self.started_at.as_microseconds());
        u64::try_from(took).unwrap_or_default()
    }
}

/// A text of the log, or why it is not there: of what is sealed, the log has none.
pub fn told(text: Option<&str>, is_sealed: bool) -> Told {
    match text {
        Some(text) => Told::Clear(text.to_owned()),
        None if is_sealed => Told::Sealed,
        None => Told::None,
    }
}

fn build(event: &Event) -> Vec<String> {
    let members = event.run.ci.iter().flat_map(serde_json::Map::values);
    members.filter_map(serde_json::Value::as_str).map(str::to_owned).collect()
}

fn about(event: &Event) -> Vec<Cid> {
    match &event.details {
        Details::Repair { about, .. } | Details::Erase { about, .. } | Details::Attach { about, .. } => {
            about.clone()
        }
        _ => Vec::new(),
    }
}
