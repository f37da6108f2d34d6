//! What a chain tells for the papers of data protection: counts, times and pseudonyms. Nothing is opened, nobody is
//! named, and nothing is judged.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::access::access_name;
use super::{ChainReader, OpsError, Project};
use crate::model::{AccessKind, Cid, Details, Role, Timestamp};
use crate::store::ArchiveError;

/// What a chain tells.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainFacts {
    /// CID of manifest 0.
    pub chain: Cid,
    pub entries: u64,
    pub first: Timestamp,
    pub newest: Timestamp,
    /// Files that are sealed, those that were erased among them.
    pub sealed: u64,
    pub erased: u64,
    /// Files of migrations that stand in clear.
    pub clear: u64,
    /// Who acted, by pseudonym alone, and in how many entries.
    pub pseudonyms: BTreeMap<String, u64>,
    /// The roles in which they did.
    pub roles: BTreeSet<String>,
    /// Erasures by their basis.
    pub erasures: BTreeMap<String, u64>,
    pub grants: u64,
    pub openings: u64,
}

/// Reads a project's chain and its access chain; `None` where there is no archive yet.
///
/// # Errors
/// Those of the archive.
pub fn chain_facts(project: &Project) -> Result<Option<ChainFacts>, OpsError> {
    let Some(reader) = open(&project.archive, &project.name)? else { return Ok(None) };
    let (cid, newest) = reader.newest()?;
    let at = reader.entry(&cid)?.statement.event.finished_at;
    let mut facts = ChainFacts {
        chain: reader.root(),
        entries: newest.seq + 1,
        first: at,
        newest: at,
        sealed: 0,
        erased: 0,
        clear: 0,
        pseudonyms: BTreeMap::new(),
        roles: BTreeSet::new(),
        erasures: BTreeMap::new(),
        grants: 0,
        openings: 0,
    };
    let mut gone: HashSet<Cid> = HashSet::new();
    let mut next = Some(cid);
    while let Some(cid) = next {
        let entry = reader.entry(&cid)?;
        next = entry.manifest.prev;
        let event = entry.statement.event;
        facts.first = event.finished_at;
        *facts.pseudonyms.entry(event.actor.pseudonym.to_string()).or_default() += 1;
        facts.roles.insert(event.actor.role);
        let files = entry.manifest.files.iter().filter(|file| file.role != Role::Trust);
        for file in files {
            *(if file.sealed { &mut facts.sealed } else { &mut facts.clear }) += 1;
        }
        if let Details::Erase { erased, basis, .. } = event.details {
            gone.extend(erased);
            *facts.erasures.entry(basis).or_default() += 1;
        }
    }
    facts.erased = gone.len() as u64;
    if let Some(reader) = open(&project.archive, &access_name(&project.name)?)? {
        count_accesses(&reader, &mut facts)?;
    }
    Ok(Some(facts))
}

/// The chain of this name; `None` where there is none.
///
/// # Errors
/// Those of the archive.
pub fn open(
    directory: &std::path::Path,
    name: &crate::model::ChainName,
) -> Result<Option<ChainReader>, OpsError> {
    match ChainReader::open(directory, name) {
        Ok(reader) => Ok(Some(reader)),
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

fn count_accesses(reader: &ChainReader, facts: &mut ChainFacts) -> Result<(), OpsError> {
    let mut next = Some(reader.newest()?.0);
    while let Some(cid) = next {
        let entry = reader.entry(&cid)?;
        next = entry.manifest.prev;
        if let Details::Attach { access: Some(access), .. } = entry.statement.event.details {
            match access.kind {
                AccessKind::Grant => facts.grants += 1,
                AccessKind::Open if access.failure.is_none() => facts.openings += 1,
                // Nothing sealed was opened.
                AccessKind::Open | AccessKind::Serve => {}
            }
        }
    }
    Ok(())
}
