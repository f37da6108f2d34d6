//! Promotion: what one chain shows as applied may be applied where another chain tells of it.
//!
//! The staging chain is verified as a whole and has to be the one that is named; then each script that is to run has to be,
//! to the byte, one that it shows as applied and not as rolled back. The event of the run links to the event that showed it,
//! and whoever verifies follows the link, wherever that chain is at hand.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::chain::Entry;
use super::session::Session;
use super::source::Source;
use super::{ChainReader, OpsError, Project};
use crate::chain::{Anchor, Fault, Finding, Options, PromotionsFollowed, Report};
use crate::codec::unixfs::build_file;
use crate::model::{
    Cid, Details, Direction, EventKind, FileEntry, MigrationDetails, Outcome, PlannedFile, PlannedMigration,
    Role,
};

/// Where scripts have to have run before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromotionPolicy {
    /// CID of manifest 0 of the staging chain.
    pub from: Cid,
    /// The CARv1 file that holds it; `None`: an archive of it beside this one.
    pub file: Option<PathBuf>,
    /// Whether each script has to have been rolled back there and applied again.
    pub rolled_back: bool,
    /// The newest manifest of it that counts, where it was replayed up to that one; `None`: its head.
    pub up_to: Option<Cid>,
}

/// Why nothing is promoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromotionError {
    #[error("the chain {from}, from which migrations are promoted, is not at hand in {}", place.display())]
    NotAtHand { from: Cid, place: PathBuf },
    #[error(
        "the chain {from}, from which migrations are promoted, is the one that they would be promoted to"
    )]
    OwnChain { from: Cid },
    #[error("the chain {from}, from which migrations are promoted, is not verified: {finding}")]
    NotVerified { from: Cid, finding: String },
    #[error("version {version} is not applied in the chain from which it would be promoted")]
    NotApplied { version: String },
    #[error("`{file}` of {version} is not the script that ran in the chain from which it would be promoted")]
    Differs { version: String, file: String, staging: Cid, here: Cid },
    #[error("`{file}` of {version} did not run in the chain from which it would be promoted")]
    Unknown { version: String, file: String },
    #[error(
        "the script of {version} is sealed in the chain from which it would be promoted, and no key of it is here"
    )]
    Sealed { version: String },
    #[error(
        "a way down of version {version} failed in the chain from which it would be promoted, and what was left there is not \
         what it applied"
    )]
    HalfUndone { version: String },
    #[error(
        "the chain {from}, from which migrations are promoted, does not come out the same again: {reason}"
    )]
    NotReplayed { from: Cid, reason: String },
    #[error("version {version} was never rolled back in the chain from which it would be promoted")]
    NotRolledBack { version: String },
}

/// A script by its role, as it is in clear; `None` where it is sealed here.
type ShownScript = (Role, Option<Cid>);

/// What a chain shows of one version.
#[derive(Default)]
struct Shown {
    /// The event that applied it last, and its scripts.
    applied: Option<(Cid, Vec<ShownScript>)>,
    /// Ways up that were undone.
    undone: HashSet<Cid>,
    /// Whether a way down failed since, and something of it may have stayed.
    is_half_undone: bool,
}

/// The event of the staging chain that shows each of these migrations, by version. `session`: where they are to run. What
/// is sealed in the staging chain is opened where its keys are at hand, and the access chain tells of that.
///
/// # Errors
/// [`OpsError::Promotion`] where one may not run; those of the staging chain's file and of the access chain.
pub async fn require(
    project: &Project,
    policy: &PromotionPolicy,
    session: &Session,
    migrations: &[PlannedMigration],
    threads: usize,
) -> Result<HashMap<String, Cid>, OpsError> {
    let from = policy.from;
    if from == session.chain.reader.root() {
        return Err(PromotionError::OwnChain { from }.into());
    }
    let Staging { mut source, root, .. } = staging(project, policy, threads).await?;
    let shown = shown(&mut source, policy.up_to.unwrap_or(root))?;
    session.record_opening_of(project, from, source.opened_entries(), "promotion").await?;
    let mut promoted = HashMap::new();
    for migration in migrations {
        let event = judge(migration, shown.get(&migration.version), policy)?;
        promoted.insert(migration.version.clone(), event);
    }
    Ok(promoted)
}

/// A staging chain that was verified as a whole.
pub struct Staging {
    pub source: Source,
    /// Its newest manifest.
    pub root: Cid,
    pub report: Report,
}

/// The staging chain, verified, with its keys where they are at hand.
///
/// # Errors
/// [`OpsError::Promotion`] where it is not at hand or not verified; those of its file and of the vault.
pub async fn staging(
    project: &Project,
    policy: &PromotionPolicy,
    threads: usize,
) -> Result<Staging, OpsError> {
    let from = policy.from;
    let (mut source, head) = open(&project.archive, policy)?;
    let options = Options { anchors: vec![Anchor::Chain(from)], require_anchor: true, ..Options::default() };
    let report = source.verify(options, threads, &mut |_, _, _| ())?;
    if let Some(finding) = report.findings.first() {
        return Err(PromotionError::NotVerified { from, finding: finding.to_string() }.into());
    }
    if let Some(keyring) = project.keyring_at_hand(&from).await? {
        source.use_keys(Box::new(keyring));
    }
    Ok(Staging { source, root: head.unwrap_or(report.root), report })
}

/// The staging chain, and its head where that is known.
fn open(archive: &Path, policy: &PromotionPolicy) -> Result<(Source, Option<Cid>), OpsError> {
    if let Some(file) = &policy.file {
        return Ok((Source::file(file)?, None));
    }
    match ChainReader::holding(archive, &policy.from) {
        Ok(reader) => {
            reader.require_end()?;
            let head = reader.head();
            Ok((Source::archive(reader, head), Some(head)))
        }
        Err(OpsError::NotInArchive(_)) => {
            let (from, place) = (policy.from, archive.to_owned());
            Err(PromotionError::NotAtHand { from, place }.into())
        }
        Err(error) => Err(error),
    }
}

/// What a chain shows of each version up to `root`.
fn shown(source: &mut Source, root: Cid) -> Result<HashMap<String, Shown>, OpsError> {
    let mut shown: HashMap<String, Shown> = HashMap::new();
    for manifest in source.manifests(root)? {
        let entry = source.entry(&manifest)?;
        let event = &entry.statement.event;
        let Some(migration) = event.migration() else { continue };
        let one = shown.entry(migration.version.clone()).or_default();
        let (details, direction) = match &event.details {
            Details::Migration(details) => (details, details.direction),
            // By hand, which is no rollback: what it was before does not show that it can be undone.
            Details::Repair { direction: Direction::Down, .. } => {
                one.applied = None;
                continue;
            }
            _ => continue,
        };
        match event.event {
            EventKind::Stamp if direction == Some(Direction::Down) => one.applied = None,
            EventKind::Apply if details.outcome == Outcome::Succeeded => {
                one.applied = Some((manifest, scripts(source, &entry)?));
                one.is_half_undone = false;
            }
            EventKind::Fail if details.reverts.is_some() => one.is_half_undone |= leaves_something(details),
            EventKind::Rollback => {
                one.is_half_undone = false;
                let up = one.applied.take().and_then(|(_, scripts)| scripts.into_iter().find(is_up));
                one.undone.extend(up.and_then(|(_, cid)| cid));
            }
            _ => {}
        }
    }
    Ok(shown)
}

/// Whether a script that failed may have left something: the schema is another one then, or nobody looked at it.
fn leaves_something(details: &MigrationDetails) -> bool {
    details.schema.before.is_none() || details.schema.before != details.schema.after
}

fn is_up((role, _): &ShownScript) -> bool {
    *role == Role::Up
}

fn scripts(source: &mut Source, entry: &Entry) -> Result<Vec<ShownScript>, OpsError> {
    let files = entry.manifest.files.iter().filter(|file| matches!(file.role, Role::Up | Role::Down));
    files.map(|file| Ok((file.role, clear(source, entry, file)?))).collect()
}

/// The CID that a file has in clear.
fn clear(source: &mut Source, entry: &Entry, file: &FileEntry) -> Result<Option<Cid>, OpsError> {
    if !file.sealed {
        return Ok(Some(file.cid));
    }
    Ok(source.plain(entry, file)?.map(|plain| build_file(&plain.bytes, &mut |_| ())))
}

fn judge(
    migration: &PlannedMigration,
    shown: Option<&Shown>,
    policy: &PromotionPolicy,
) -> Result<Cid, PromotionError> {
    let version = migration.version.clone();
    let Some((shown, (event, scripts))) = shown.and_then(|shown| Some((shown, shown.applied.as_ref()?)))
    else {
        return Err(PromotionError::NotApplied { version });
    };
    if shown.is_half_undone {
        return Err(PromotionError::HalfUndone { version });
    }
    for file in &migration.files {
        require_same(&version, file, scripts)?;
    }
    let up = scripts.iter().find(|script| is_up(script)).and_then(|(_, cid)| *cid);
    if policy.rolled_back && !up.is_some_and(|up| shown.undone.contains(&up)) {
        return Err(PromotionError::NotRolledBack { version });
    }
    Ok(*event)
}

fn require_same(version: &str, file: &PlannedFile, scripts: &[ShownScript]) -> Result<(), PromotionError> {
    let (version, name) = (version.to_owned(), file.name.clone());
    match scripts.iter().find(|(role, _)| *role == file.role) {
        None => Err(PromotionError::Unknown { version, file: name }),
        Some((_, None)) => Err(PromotionError::Sealed { version }),
        Some((_, Some(staging))) if *staging != file.cid => {
            Err(PromotionError::Differs { version, file: name, staging: *staging, here: file.cid })
        }
        Some(_) => Ok(()),
    }
}

/// A chain that may be one from which something was promoted.
pub struct Place {
    source: Source,
    root: Option<Cid>,
    /// What verification said of it, and the manifests of it; asked once.
    looked: Option<(bool, HashSet<Cid>)>,
}

impl Place {
    /// A CARv1 file, or an archive up to its head.
    #[must_use]
    pub const fn new(source: Source, root: Option<Cid>) -> Self {
        Self { source, root, looked: None }
    }

    fn look(&mut self, threads: usize) -> Result<&(bool, HashSet<Cid>), OpsError> {
        if self.looked.is_none() {
            let report = self.source.verify(Options::default(), threads, &mut |_, _, _| ())?;
            let manifests = self.source.manifests(self.root.unwrap_or(report.root))?;
            self.looked = Some((report.verified, manifests.into_iter().collect()));
        }
        Ok(self.looked.get_or_insert_with(|| (false, HashSet::new())))
    }
}

/// Follows the links of a verified chain to the events of other chains that showed its migrations first, and adds to the
/// report what is found there. A chain that is not at hand is no finding.
pub fn follow(report: &mut Report, places: &mut [Place], threads: usize) {
    let promoted = std::mem::take(&mut report.promoted);
    if promoted.is_empty() {
        return;
    }
    let mut followed = PromotionsFollowed::default();
    for link in promoted {
        let found = places.iter_mut().find_map(|place| {
            let (verified, manifests) = place.look(threads).ok()?;
            let (verified, is_of_it) = (*verified, manifests.contains(&link.from));
            is_of_it.then(|| (verified, place.source.entry(&link.from)))
        });
        let detail = match found {
            None => {
                followed.not_at_hand += 1;
                continue;
            }
            Some((false, _)) => Some("the chain that it names is not verified"),
            Some((true, Err(_))) => Some("the entry that it names cannot be read"),
            Some((true, Ok(entry))) => difference(&link.version, link.up.as_ref(), &entry),
        };
        followed.followed += 1;
        if let Some(detail) = detail {
            let (version, from) = (link.version, link.from);
            report.add(Finding {
                seq: Some(link.seq),
                cid: None,
                fault: Fault::PromotionDiffers { version, from, detail },
            });
        }
    }
    report.promotions = Some(followed);
}

/// In what the entry that is linked to is not one that shows this migration.
fn difference(version: &str, up: Option<&Cid>, entry: &Entry) -> Option<&'static str> {
    let event = &entry.statement.event;
    let Details::Migration(details) = &event.details else {
        return Some("the entry that it names is about no migration");
    };
    if event.event != EventKind::Apply || details.outcome != Outcome::Succeeded {
        return Some("the entry that it names applied nothing");
    }
    if details.migration.version != version {
        return Some("the entry that it names is of another version");
    }
    let shown = entry.manifest.files.iter().find(|file| file.role == Role::Up);
    match (up, shown) {
        (_, None) => Some("the entry that it names shows no script"),
        (Some(up), Some(shown)) if !shown.sealed && shown.cid != *up => Some("another script ran there"),
        _ => None,
    }
}
