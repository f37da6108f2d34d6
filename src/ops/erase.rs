//! Erases sealed content: destroys its keys, then says so in a signed event that also names what was not reached.
//!
//! The keys go first. A run that is cut short in between leaves keys that are gone and no event; the next run of the
//! same request finds them and says it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::own_event::Pen;
use super::{ChainReader, OpenKey, OpsError, Project, now};
use crate::model::{Cid, Details, ErasurePlace, ErasureReach, EventKind, PlaceOutcome, Pseudonym, Timestamp};
use crate::privacy::scan;
use crate::store::remote::{NamedReplica, Replica as _};
use crate::vault::{Hold, KeyRow, Selection, Vault, period_of};

/// The basis of what is due by retention.
pub const RETENTION: &str = "retention";
/// Bases that a request may name: articles of the regulation, and retention.
const ARTICLES: &str = "art";
const DAY: i64 = 86_400_000_000;

/// What is to be erased, and why.
#[derive(Clone, Debug)]
pub struct Request {
    pub what: Target,
    /// `art17.1.a` and the like, or `retention`.
    pub basis: String,
    /// The owner's reference of the request; no name.
    pub reference: String,
}

/// What is to be erased.
#[derive(Clone, Debug)]
pub enum Target {
    /// Entry of this number.
    Entry(u64),
    /// All that somebody did, and who it was.
    Actor(Pseudonym),
    /// Months that are over for so long that nothing of them may be kept.
    Due,
}

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Days that sealed content is kept after its month; `None` for ever.
    pub content: Option<u32>,
    /// Days that backups of the vault are kept.
    pub backups: u32,
}

/// What came of an erasure.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// Manifests whose sealed files were erased.
    pub about: Vec<Cid>,
    /// Sealed files that can no longer be opened.
    pub erased: Vec<Cid>,
    /// Those of them that an earlier event names already.
    pub before: usize,
    /// The event; `None` where there was nothing to say.
    pub seq: Option<u64>,
    pub head: Cid,
    pub effective_at: Timestamp,
    pub places: Vec<ErasurePlace>,
    /// What forbids to erase some of it.
    pub held: Vec<Hold>,
    /// Whether who it was is forgotten; `None` where nobody was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<bool>,
}

impl Erased {
    /// Whether something that was asked for is still there.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.held.is_empty()
    }
}

/// Erases what `request` asks for.
///
/// # Errors
/// [`OpsError::Basis`] and [`OpsError::Held`] before anything is destroyed; those of archive, vault and key.
pub async fn erase(
    project: &Project,
    request: &Request,
    kept: Kept,
    replicas: &[NamedReplica],
    open_key: OpenKey,
) -> Result<Erased, OpsError> {
    require_basis(request)?;
    let mut pen = Pen::open(project, open_key)?;
    let root = pen.chain.reader.root();
    let told = Told::read(&pen.chain.reader)?;
    let mut vault = project.vault.open().await?;
    let at = now();
    let mut rows = Vec::new();
    let mut due = Vec::new();
    match &request.what {
        Target::Entry(seq) => {
            let cid = pen.chain.reader.manifest_at(*seq)?;
            let event = pen.chain.reader.entry(&cid)?.statement.event.id;
            rows = vault.select(&root, &Selection::Event(event)).await?;
        }
        Target::Actor(actor) => rows = vault.select(&root, &Selection::Actor(*actor)).await?,
        Target::Due => {
            due = due_periods(&mut vault, &root, kept, at).await?;
            for period in &due {
                rows.extend(vault.select(&root, &Selection::Period(period.clone())).await?);
            }
        }
    }
    let holds = vault.holds(&root).await?;
    let is_held =
        |row: &KeyRow| holds.iter().find(|hold| hold.event.as_ref().is_none_or(|held| *held == row.event));
    let mut held: Vec<Hold> = rows.iter().filter_map(is_held).cloned().collect();
    held.sort_by(|a, b| a.hold.cmp(&b.hold));
    held.dedup();
    if let (Target::Entry(_), Some(hold)) = (&request.what, held.first()) {
        return Err(OpsError::Held { hold: hold.hold.clone(), reason: hold.reason.clone() });
    }
    let free: Vec<&KeyRow> = rows.iter().filter(|row| is_held(row).is_none()).collect();
    let cids: Vec<String> = free.iter().map(|row| row.cid.clone()).collect();
    let all = told.of(&cids);
    let untold: Vec<(Cid, Cid)> =
        all.iter().filter(|(_, file)| !told.erased.contains(file)).copied().collect();
    // A run that was cut short may have left what it destroyed in the vault's own files.
    if !untold.is_empty() || free.iter().any(|row| row.destroyed_at.is_none()) {
        vault.destroy(&root, &cids, at).await?;
    }
    if held.is_empty() {
        for period in &due {
            vault.destroy_period(&root, period, at).await?;
        }
    }
    let person = match &request.what {
        Target::Actor(actor) if held.is_empty() => Some(vault.forget_person(actor, at).await?),
        _ => None,
    };
    let effective_at = effective(&mut vault, kept, at).await?;
    vault.close().await;
    let places = match untold.is_empty() {
        true => Vec::new(),
        false => ask(replicas, &untold).await,
    };
    let head = pen.chain.reader.head();
    let before = all.len() - untold.len();
    let about: BTreeSet<Cid> = untold.iter().map(|(manifest, _)| *manifest).collect();
    let mut done = Erased {
        about: about.into_iter().collect(),
        erased: untold.iter().map(|(_, file)| *file).collect(),
        before,
        seq: None,
        head,
        effective_at,
        places,
        held,
        person,
    };
    if !done.erased.is_empty() {
        let reach = ErasureReach {
            request: request.reference.clone(),
            effective_at,
            places: done.places.clone(),
            forgotten: forgotten(request, done.person),
        };
        let details = Details::Erase {
            about: done.about.clone(),
            erased: done.erased.clone(),
            basis: request.basis.clone(),
            reach: Some(Box::new(reach)),
        };
        let (seq, _, head) = pen.append(EventKind::Erase, details)?;
        (done.seq, done.head) = (Some(seq), head);
    }
    Ok(done)
}

/// Of whom it is no longer known who they are, so that no backup brings it back.
fn forgotten(request: &Request, person: Option<bool>) -> Vec<Pseudonym> {
    match &request.what {
        Target::Actor(actor) if person.is_some() => vec![*actor],
        _ => Vec::new(),
    }
}

/// A basis is a code and a reference no name: both are published.
fn require_basis(request: &Request) -> Result<(), OpsError> {
    let sound = |text: &str| {
        (1..=64).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
            && scan(text.as_bytes()).is_empty()
    };
    let due = matches!(request.what, Target::Due);
    let known = request.basis.starts_with(ARTICLES) || request.basis == RETENTION;
    if !sound(&request.basis) || !known || due != (request.basis == RETENTION) {
        return Err(OpsError::Basis { member: "basis" });
    }
    if !sound(&request.reference) {
        return Err(OpsError::Basis { member: "request" });
    }
    Ok(())
}

/// The months whose content may be kept no longer.
async fn due_periods(
    vault: &mut Vault,
    chain: &Cid,
    kept: Kept,
    at: Timestamp,
) -> Result<Vec<String>, OpsError> {
    let Some(days) = kept.content else { return Err(OpsError::NoRetention) };
    let edge = at.as_microseconds().saturating_sub(i64::from(days) * DAY);
    // The month of the edge may still have days that are to be kept.
    let edge = Timestamp::from_microseconds(edge).map(period_of).unwrap_or_default();
    let periods = vault.periods(chain).await?;
    Ok(periods.into_iter().filter(|period| *period < edge).collect())
}

/// When the last backup that may hold a key that was destroyed at `at` is gone.
async fn effective(vault: &mut Vault, kept: Kept, at: Timestamp) -> Result<Timestamp, OpsError> {
    let Some(made) = vault.last_backup().await? else { return Ok(at) };
    let end = made.as_microseconds().saturating_add(i64::from(kept.backups) * DAY);
    Ok(Timestamp::from_microseconds(end).unwrap_or(at).max(at))
}

/// What each replica has of the sealed files. They stay part of the head that is pinned, so that the chain is complete;
/// without its key a block tells nothing.
async fn ask(replicas: &[NamedReplica], files: &[(Cid, Cid)]) -> Vec<ErasurePlace> {
    let mut places = Vec::new();
    for replica in replicas {
        let mut outcome = PlaceOutcome::Gone;
        if !replica.replica.gives_blocks() {
            outcome = PlaceOutcome::Unsupported;
        }
        for (_, file) in files.iter().filter(|_| replica.replica.gives_blocks()) {
            match replica.replica.get(file).await {
                Ok(None) => {}
                Ok(Some(_)) => outcome = PlaceOutcome::StillServed,
                Err(_) => {
                    outcome = PlaceOutcome::Unreachable;
                    break;
                }
            }
        }
        places.push(ErasurePlace { place: replica.name.clone(), outcome });
    }
    places
}

/// What the chain says of its sealed files.
struct Told {
    /// The manifest of each sealed file.
    files: BTreeMap<String, (Cid, Cid)>,
    /// Files that an event names as erased.
    erased: HashSet<Cid>,
}

impl Told {
    fn read(reader: &ChainReader) -> Result<Self, OpsError> {
        let mut told = Self { files: BTreeMap::new(), erased: HashSet::new() };
        let mut next = Some(reader.newest()?.0);
        while let Some(cid) = next {
            let entry = reader.entry(&cid)?;
            next = entry.manifest.prev;
            for file in entry.manifest.files.iter().filter(|file| file.sealed) {
                told.files.insert(file.cid.to_string(), (cid, file.cid));
            }
            if let Details::Erase { erased, .. } = &entry.statement.event.details {
                told.erased.extend(erased);
            }
        }
        Ok(told)
    }

    /// Manifest and file of each; keys of files that were never archived are nobody's.
    fn of(&self, cids: &[String]) -> Vec<(Cid, Cid)> {
        cids.iter().filter_map(|cid| self.files.get(cid).copied()).collect()
    }
}
