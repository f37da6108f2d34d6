//! Whether the archive goes on from what a replica has. A replica that is ahead of it, or of another version of the
//! chain, may be the only place of the newest entries: nothing there is let go, replaced or continued.

use super::{ChainReader, OpsError};
use crate::codec::dag_cbor::{decode_head, decode_manifest};
use crate::model::{ChainName, Cid};
use crate::store::Delivered;
use crate::store::remote::{Holding, NamedReplica, RemoteError, Replica as _, ReplicaError};

/// The heads that a replica was given, as far as the archive goes on from them.
#[derive(Default)]
pub(super) struct Known {
    /// Those that it may let go; the one that it was given last is not among them.
    pub begun: Vec<Cid>,
    /// Whether it may let go the one that it was given last.
    pub last: bool,
    /// Those of which nothing can be told: they stay, and stay noted.
    pub unknown: Vec<Cid>,
    /// The head that a replica in the file system names itself.
    pub own: Option<Cid>,
}

/// What a head is to the archive.
enum Kin {
    /// One of its own, or an older one.
    Ours,
    /// It has entries that the archive does not.
    Foreign,
    Unknown,
}

/// Judges every head that the replica has, or that it was given as far as is known. `repairs`: one that is damaged, and
/// is kept under another name, has none.
///
/// # Errors
/// Those of the archive. The inner error is the replica's: [`ReplicaError::Ahead`] when it has entries that the archive
/// does not.
pub(super) async fn known_heads(
    reader: &ChainReader,
    name: &ChainName,
    replica: &NamedReplica,
    before: &Delivered,
    repairs: bool,
) -> Result<Result<Known, ReplicaError>, OpsError> {
    let mut known = Known::default();
    match replica.replica.own_head(name, &reader.root()) {
        Ok(Some(own)) => match judge(reader, replica, &own, before.manifest_of(&own)).await? {
            Ok(Kin::Ours) => known.own = Some(own),
            Ok(Kin::Foreign | Kin::Unknown) => return Ok(Err(ReplicaError::Ahead(own))),
            Err(error) => return Ok(Err(error)),
        },
        Ok(None) => {}
        Err(ReplicaError::Damaged(_)) if repairs => {}
        Err(error) => return Ok(Err(error)),
    }
    for cid in before.head.iter().chain(&before.begun).copied() {
        let is_last = before.head == Some(cid);
        match judge(reader, replica, &cid, before.manifest_of(&cid)).await? {
            Ok(Kin::Ours) if is_last => known.last = true,
            Ok(Kin::Ours) => known.begun.push(cid),
            Ok(Kin::Unknown) => known.unknown.push(cid),
            // A copy has one head, its own.
            Ok(Kin::Foreign) if replica.replica.is_copy() => {}
            Ok(Kin::Foreign) => match replica.replica.holding(&cid).await {
                // What is gone cannot be lost.
                Ok(Holding::Absent) => {}
                Ok(_) => return Ok(Err(ReplicaError::Ahead(cid))),
                Err(error) => return Ok(Err(error)),
            },
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(known))
}

/// `manifest`: the newest one below the head, where that is known.
async fn judge(
    reader: &ChainReader,
    replica: &NamedReplica,
    cid: &Cid,
    manifest: Option<Cid>,
) -> Result<Result<Kin, ReplicaError>, OpsError> {
    if let Some(manifest) = manifest {
        return is_entry(reader, &manifest).map(Ok);
    }
    // Compaction drops older heads from the archive, and no entry: the head's own block tells which it ends with.
    let bytes = match reader.archive().get(cid)? {
        Some(bytes) => bytes,
        None => match replica.replica.get(cid).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) | Err(ReplicaError::Remote(RemoteError::Unsupported(_) | RemoteError::Lied(_))) => {
                return Ok(Ok(Kin::Unknown));
            }
            Err(error) => return Ok(Err(error)),
        },
    };
    match decode_head(&bytes) {
        Ok(head) => is_entry(reader, &head.manifest).map(Ok),
        Err(_) => Ok(Ok(Kin::Foreign)),
    }
}

/// Whether a manifest is an entry of the archive's chain.
fn is_entry(reader: &ChainReader, manifest: &Cid) -> Result<Kin, OpsError> {
    let Some(bytes) = reader.archive().get(manifest)? else { return Ok(Kin::Foreign) };
    let Ok(found) = decode_manifest(&bytes) else { return Ok(Kin::Foreign) };
    let newest = reader.newest()?.1.seq;
    let is_ours = found.seq <= newest && reader.manifest_at(found.seq)? == *manifest;
    Ok(if is_ours { Kin::Ours } else { Kin::Foreign })
}
