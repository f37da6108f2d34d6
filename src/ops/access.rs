//! The access chain: each grant and each opening of sealed content, and each try that failed, is an event in a chain of its
//! own, beside the one whose content it is. It says which entries, why, and by whose pseudonym; never what was in them.

use std::path::Path;

use super::chain::OpenChain;
use super::own_event::Pen;
use super::policy::day_of;
use super::promotion::PromotionError;
use super::{ChainReader, OpenKey, OpsError, Project, init};
use crate::codec::fhir::audit_event;
use crate::crypto::Digest;
use crate::model::{Access, AccessFailure, AccessKind, ChainName, Cid, Details, EventKind, Served};
use crate::store::ArchiveError;
use crate::vault::{NotedAccess, Vault, VaultError};

/// What the name of an access chain ends with.
const SUFFIX: &str = "-access";
/// The most characters of a chain's name.
const NAME_LIMIT: usize = 64;
/// Characters of a name's digest, where the name is cut.
const MARK: usize = 8;

/// The name of the access chain of `name`. One that is too long is cut, and told from others by its digest.
///
/// # Errors
/// [`OpsError::Name`] never for a name that is one.
pub fn access_name(name: &ChainName) -> Result<ChainName, OpsError> {
    let name = name.as_str();
    if name.len() + SUFFIX.len() <= NAME_LIMIT {
        return Ok(format!("{name}{SUFFIX}").parse()?);
    }
    let front: String = name.chars().take(NAME_LIMIT - SUFFIX.len() - MARK - 1).collect();
    let mark: String = Digest::of(name.as_bytes()).to_string().chars().take(MARK).collect();
    Ok(format!("{front}-{mark}{SUFFIX}").parse()?)
}

/// Records that files of these manifests of `chain` are opened.
///
/// # Errors
/// As [`record_access`].
pub async fn record_opening(
    project: &Project,
    open_key: OpenKey,
    chain: Cid,
    about: Vec<Cid>,
    purpose: &str,
) -> Result<Cid, OpsError> {
    record_access(project, open_key, about, Access::new(AccessKind::Open, chain, purpose)).await
}

/// Records that an opening was tried and failed. `None` where there is no chain whose content it could have been.
///
/// # Errors
/// As [`record_access`].
pub async fn record_failure(
    project: &Project,
    open_key: OpenKey,
    about: Vec<Cid>,
    purpose: &str,
    failure: AccessFailure,
) -> Result<Option<Cid>, OpsError> {
    let Some(chain) = own_chain(project)? else { return Ok(None) };
    let access = Access { failure: Some(failure), ..Access::new(AccessKind::Open, chain, purpose) };
    record_access(project, open_key, about, access).await.map(Some)
}

/// Records what a server answered to holders of tokens, in one event.
///
/// # Errors
/// As [`record_access`].
pub async fn record_served(
    project: &Project,
    open_key: OpenKey,
    served: Vec<Served>,
) -> Result<Option<Cid>, OpsError> {
    let Some(chain) = own_chain(project)? else { return Ok(None) };
    let access = Access { served, ..Access::new(AccessKind::Serve, chain, "serve") };
    record_access(project, open_key, Vec::new(), access).await.map(Some)
}

/// Why sealed content was not opened, where that is why a use case could not finish.
#[must_use]
pub fn failure_of(error: &OpsError) -> Option<AccessFailure> {
    match error {
        OpsError::WithHooks { error, .. } => failure_of(error),
        OpsError::OwnerKey(_)
        | OpsError::Vault(VaultError::Owner(_))
        | OpsError::SealedHere { .. }
        | OpsError::Promotion(PromotionError::Sealed { .. }) => Some(AccessFailure::NoKey),
        OpsError::Vault(VaultError::Damaged(_)) | OpsError::SealedDiffers { .. } => {
            Some(AccessFailure::Damaged)
        }
        OpsError::Grant { .. } => Some(AccessFailure::Refused),
        _ => None,
    }
}

/// Records an access before what it opens is handed out; the access chain is begun where there never was one. Gives its
/// head.
///
/// # Errors
/// [`OpsError::AccessLost`] where the vault knows of more accesses than the chain has; those of archive, vault and key.
/// Nothing may be shown then.
pub async fn record_access(
    project: &Project,
    open_key: OpenKey,
    about: Vec<Cid>,
    access: Access,
) -> Result<Cid, OpsError> {
    let key = open_key()?;
    let name = access_name(&project.name)?;
    let own = own_chain(project)?;
    let mut vault = match project.vault.open().await {
        Ok(vault) => Some(vault),
        // Who opens what they were granted may have none.
        Err(OpsError::Vault(VaultError::Missing(_))) => None,
        Err(error) => return Err(error),
    };
    let noted = noted(vault.as_mut(), own.as_ref()).await?;
    let open = || OpenChain::open(&project.archive, &name, project.lock_wait, None);
    let chain = match open() {
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => {
            require(project, &name, noted, None)?;
            match init::init(&project.archive, &name, &project.actor, &*key) {
                // Another program may have begun it in between.
                Ok(_) | Err(OpsError::Archive(ArchiveError::Exists { .. })) => open()?,
                Err(error) => return Err(error),
            }
        }
        chain => chain?,
    };
    require(project, &name, noted, Some(&chain.reader))?;
    chain.appender.require_signers(&*key)?;
    let root = chain.reader.root();
    let mut details = Details::attached_to(about);
    if let Details::Attach { access: told, .. } = &mut details {
        *told = Some(Box::new(access));
    }
    let mut pen = Pen::with(chain, key, project.actor.clone());
    let (seq, _, head) = pen.append(EventKind::Attach, details)?;
    // While the chain is still locked, so that nobody else notes less.
    if let (Some(vault), Some(own)) = (&mut vault, &own) {
        vault.note_access(own, NotedAccess { root, size: seq + 1 }).await?;
    }
    drop(pen);
    if let Some(vault) = vault {
        vault.close().await;
    }
    Ok(head)
}

/// The chain of the project; `None` where there is none here.
fn own_chain(project: &Project) -> Result<Option<Cid>, OpsError> {
    match ChainReader::open(&project.archive, &project.name) {
        Ok(reader) => Ok(Some(reader.root())),
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => Ok(project.chain),
        Err(error) => Err(error),
    }
}

async fn noted(vault: Option<&mut Vault>, own: Option<&Cid>) -> Result<Option<NotedAccess>, OpsError> {
    match (vault, own) {
        (Some(vault), Some(own)) => Ok(vault.noted_access(own).await?),
        _ => Ok(None),
    }
}

/// Refuses an access chain that lacks what the vault knows to be in it.
fn require(
    project: &Project,
    name: &ChainName,
    noted: Option<NotedAccess>,
    found: Option<&ChainReader>,
) -> Result<(), OpsError> {
    let Some(noted) = noted else { return Ok(()) };
    let found = found.map(|reader| size_as(reader, noted)).transpose()?.unwrap_or(0);
    if found >= noted.size {
        return Ok(());
    }
    let path = project.archive.join(format!("{name}.car"));
    Err(OpsError::AccessLost { path, noted: noted.size, found })
}

/// How many entries it has of the chain that was noted.
fn size_as(reader: &ChainReader, noted: NotedAccess) -> Result<u64, OpsError> {
    Ok(if reader.root() == noted.root { reader.newest()?.1.seq + 1 } else { 0 })
}

/// Opens the access chain of `chain` to read; `None` where it is not there. And whether it is all that the vault knows of.
///
/// # Errors
/// Those of archive and vault.
pub async fn read_accesses(
    project: &Project,
    vault: &mut Vault,
    chain: &Cid,
) -> Result<(Option<ChainReader>, bool), OpsError> {
    let noted = vault.noted_access(chain).await?;
    let reader = match ChainReader::open(&project.archive, &access_name(&project.name)?) {
        Ok(reader) => Some(reader),
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => None,
        Err(error) => return Err(error),
    };
    let whole = match (noted, &reader) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(noted), Some(reader)) => size_as(reader, noted)? >= noted.size,
    };
    Ok((reader, whole))
}

/// The accesses of a project from the oldest on, as FHIR R4 `AuditEvent` resources; days in UTC, both of them included.
///
/// # Errors
/// [`OpsError::Archive`] where there is no access chain, and those of the archive.
pub fn audit_events(
    directory: &Path,
    name: &ChainName,
    since: Option<&str>,
    until: Option<&str>,
) -> Result<Vec<serde_json::Value>, OpsError> {
    let reader = ChainReader::open(directory, &access_name(name)?)?;
    let chain = reader.root();
    let (mut found, mut next) = (Vec::new(), Some(reader.newest()?.0));
    while let Some(cid) = next {
        let entry = reader.entry(&cid)?;
        next = entry.manifest.prev;
        let event = &entry.statement.event;
        let day = day_of(event.finished_at);
        if since.is_some_and(|since| day.as_str() < since) {
            break;
        }
        let Details::Attach { about, access: Some(access), .. } = &event.details else { continue };
        if until.is_none_or(|until| day.as_str() <= until) {
            found.push(audit_event(&chain, &cid, event, about, access));
        }
    }
    found.reverse();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_alike_have_access_chains_of_their_own() {
        let name = |text: String| access_name(&text.parse().unwrap()).unwrap().to_string();
        assert_eq!(name("demo".to_owned()), "demo-access");
        assert_eq!(name("a".repeat(57)), format!("{}-access", "a".repeat(57)));
        let (one, other) = (name(format!("{}b", "a".repeat(57))), name(format!("{}c", "a".repeat(57))));
        assert!(one != other && one.len() == 64 && other.len() == 64, "{one} {other}");
    }
}
