//! Erases sealed content: destroys its keys, then says so in a signed event that also names what was not reached.
//!
//! What there is to erase is what the chain says, not what the vault happens to have. The keys go first. A run that is
//! cut short in between leaves keys that are gone and no event; the next run of the same request finds them and says it.

mod choice;
mod places;
mod terms;
mod told;

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;

use self::choice::Choice;
use self::told::Told;
use super::own_event::Pen;
use super::{OpenKey, OpsError, Project, VaultPlace, now};
use crate::model::{
    Cid, Details, ErasurePlace, ErasureReach, EventKind, FileName, Left, Pseudonym, Timestamp,
};
use crate::store::remote::NamedReplica;
use crate::vault::{Hold, Vault, VaultError};

/// The basis of what is due by retention.
pub const RETENTION: &str = "retention";
const DAY: i64 = 86_400_000_000;

/// What is to be erased, and why.
#[derive(Clone, Debug)]
pub struct Request {
    pub what: Target,
    /// `art17.1.a` and the like, or `retention`.
    pub basis: String,
    /// The owner's reference of the request; no name.
    pub reference: String,
    /// What counts for a file whose key the vault does not know.
    pub unknown: Unknown,
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

/// What a key is of which the vault has no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// In another vault, for all that is known here.
    Elsewhere,
    /// Gone everywhere, as whoever asks declares.
    Lost,
}

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Days that sealed content is kept after its month; `None` for ever.
    pub content: Option<u32>,
    /// Days for which nothing may be erased.
    pub minimum: u32,
    /// Days that backups of the vault are kept.
    pub backups: u32,
}

/// What came of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Its key is gone, and the chain says so.
    Erased,
    /// A hold forbids it.
    Held,
    /// It has to be kept for longer.
    Kept,
    /// The vault has no row for its key.
    NoKey,
    /// It was archived in clear.
    InClear,
}

/// A file that was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    pub seq: u64,
    pub file: FileName,
    pub cid: Cid,
    pub answer: Answer,
    /// Until when it has to be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    #[serde(skip)]
    manifest: Cid,
}

/// What came of an erasure.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// Manifests whose sealed files were erased.
    pub about: Vec<Cid>,
    /// Sealed files that can no longer be opened.
    pub erased: Vec<Cid>,
    /// Those that an earlier event names already.
    pub before: usize,
    /// Those of them whose key was there again.
    pub again: usize,
    /// Each file that was asked for.
    pub files: Vec<Asked>,
    /// Other entries with scripts of the same migrations, which are not erased.
    pub also: Vec<u64>,
    /// The event; `None` where there was nothing to say.
    pub seq: Option<u64>,
    pub head: Cid,
    pub effective_at: Timestamp,
    pub places: Vec<ErasurePlace>,
    /// What forbids to erase some of it.
    pub held: Vec<Hold>,
    /// Why some of it is still there.
    pub left: BTreeSet<Left>,
    /// Whether who it was is forgotten; `None` where nobody was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<bool>,
    /// Whether a backup may have a key.
    #[serde(skip)]
    pub in_backups: bool,
}

impl Erased {
    /// Whether something that was asked for is still there.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.left.is_empty()
    }
}

/// The months of `chain` whose content may be kept no longer at `at`, without erasing anything; none without a vault.
///
/// # Errors
/// [`OpsError::NoRetention`] where nothing is ever due; those of the vault.
pub async fn months_due(
    place: &VaultPlace,
    chain: &Cid,
    kept: Kept,
    at: Timestamp,
) -> Result<Vec<String>, OpsError> {
    let mut vault = match place.open().await {
        Err(OpsError::Vault(VaultError::Missing(_))) => return Ok(Vec::new()),
        vault => vault?,
    };
    let months = choice::due_periods(&mut vault, chain, kept, at).await;
    vault.close().await;
    months
}

/// Erases what `request` asks for.
///
/// # Errors
/// [`OpsError::Basis`], [`OpsError::Held`] and [`OpsError::TooYoung`] before anything is destroyed; those of archive,
/// vault and key.
pub async fn erase(
    project: &Project,
    request: &Request,
    kept: Kept,
    replicas: &[NamedReplica],
    open_key: OpenKey,
) -> Result<Erased, OpsError> {
    terms::require(request)?;
    let mut pen = Pen::open(project, open_key)?;
    let root = pen.chain.reader.root();
    let mut told = Told::read(&pen.chain.reader)?;
    let mut vault = project.vault.open().await?;
    let at = now();
    let choice = Choice::of(&mut vault, &root, &told, request, (kept, at)).await?;
    let manifests: HashSet<Cid> = choice.files.iter().map(|file| file.manifest).collect();
    let granted = places::granted(project, &mut vault, &root, &manifests, at).await?;
    let person = choice.destroy(&mut vault, &root, &told, request, at).await?;
    let (effective_at, in_backups) = effective(&mut vault, kept, at).await?;
    vault.close().await;
    let mut untold = choice.untold(&told);
    let mut places = Vec::new();
    if !untold.is_empty() && !replicas.is_empty() {
        // Replicas take their time, and nobody has to wait for them.
        let key = pen.release();
        let cids: Vec<Cid> = untold.iter().map(|(_, file)| *file).collect();
        places = places::ask(replicas, &cids).await;
        pen = Pen::open(project, Box::new(move || Ok(key)))?;
        told = Told::read(&pen.chain.reader)?;
        untold = choice.untold(&told);
    }
    let mut left = choice.left();
    left.extend((!granted.is_empty()).then_some(Left::Granted));
    places.extend(granted);
    let erased = choice.files.iter().filter(|file| file.answer == Answer::Erased).count();
    let about: BTreeSet<Cid> = untold.iter().map(|(manifest, _)| *manifest).collect();
    let mut done = Erased {
        about: about.into_iter().collect(),
        erased: untold.iter().map(|(_, file)| *file).collect(),
        before: erased - untold.len(),
        again: choice.again,
        files: choice.files,
        also: choice.also,
        seq: None,
        head: pen.chain.reader.head(),
        effective_at,
        places,
        held: choice.held,
        left,
        person,
        in_backups,
    };
    if !done.erased.is_empty() || done.person == Some(true) {
        let reach = ErasureReach {
            request: request.reference.clone(),
            effective_at,
            places: done.places.clone(),
            forgotten: forgotten(request, done.person),
            left: done.left.iter().copied().collect(),
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

/// When the last backup that may hold a key that was destroyed at `at` is gone, and whether there is such a backup.
async fn effective(vault: &mut Vault, kept: Kept, at: Timestamp) -> Result<(Timestamp, bool), OpsError> {
    let Some(made) = vault.last_backup().await? else { return Ok((at, false)) };
    let end = made.as_microseconds().saturating_add(i64::from(kept.backups) * DAY);
    let end = Timestamp::from_microseconds(end).unwrap_or(at);
    Ok((end.max(at), end > at))
}
