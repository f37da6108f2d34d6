//! Where something of what is erased may still be: blocks at replicas, and keys that were granted.

use std::collections::HashSet;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};

use crate::model::{AccessKind, Cid, Details, ErasurePlace, PlaceOutcome, Timestamp};
use crate::ops::access::{access_name, read_accesses};
use crate::ops::{OpsError, Project};
use crate::store::remote::{NamedReplica, Replica as _};
use crate::vault::Vault;

/// Blocks that one replica is asked for at once.
const ASKED: usize = 32;

/// What each replica has of the sealed files; all of them are asked at once. The files stay part of the head that is
/// pinned, so that the chain is complete; without its key a block tells nothing.
pub async fn ask(replicas: &[NamedReplica], files: &[Cid]) -> Vec<ErasurePlace> {
    join_all(replicas.iter().map(|replica| ask_one(replica, files))).await
}

async fn ask_one(named: &NamedReplica, files: &[Cid]) -> ErasurePlace {
    let place = named.name.clone();
    if !named.replica.gives_blocks() {
        return ErasurePlace { place, outcome: PlaceOutcome::Unsupported };
    }
    let mut answers = stream::iter(files).map(|file| named.replica.get(file)).buffer_unordered(ASKED);
    let mut outcome = PlaceOutcome::Gone;
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(None) => {}
            Ok(Some(_)) => outcome = PlaceOutcome::StillServed,
            Err(_) => return ErasurePlace { place, outcome: PlaceOutcome::Unreachable },
        }
    }
    ErasurePlace { place, outcome }
}

/// Grants that have not ended and cover one of these entries, as the access chain tells of them. Their keys are
/// with whoever was granted them. An access chain of which something is lost is itself not reached.
///
/// # Errors
/// When a block of the access chain is missing or malformed, and those of the vault.
pub async fn granted(
    project: &Project,
    vault: &mut Vault,
    chain: &Cid,
    entries: &HashSet<Cid>,
    at: Timestamp,
) -> Result<Vec<ErasurePlace>, OpsError> {
    let name = access_name(&project.name)?;
    let (reader, whole) = read_accesses(project, vault, chain).await?;
    let mut places = Vec::new();
    if !whole {
        places.push(ErasurePlace { place: name.to_string(), outcome: PlaceOutcome::Unreachable });
    }
    let Some(reader) = reader else { return Ok(places) };
    let mut next = Some(reader.newest()?.0);
    while let Some(cid) = next {
        let entry = reader.entry(&cid)?;
        next = entry.manifest.prev;
        let Details::Attach { about, access: Some(access), .. } = &entry.statement.event.details else {
            continue;
        };
        let stands = access.until.is_none_or(|until| until > at);
        let covers = access.chain == *chain && about.iter().any(|manifest| entries.contains(manifest));
        if access.kind == AccessKind::Grant && stands && covers {
            let place = format!("{name} entry {}", entry.manifest.seq);
            places.push(ErasurePlace { place, outcome: PlaceOutcome::Granted });
        }
    }
    places.reverse();
    Ok(places)
}
