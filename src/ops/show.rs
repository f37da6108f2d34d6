//! One entry in full: manifest, statement, files. What it says is shown, not verified.

use serde::Serialize;

use super::{ChainReader, OpsError};
use crate::codec::sealed::ContentKeys;
use crate::crypto::KeyId;
use crate::model::{Cid, Event, Role};

/// An entry in full.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    pub manifest: Cid,
    pub log: Cid,
    /// Keyids of the envelope, not verified.
    pub signed_by: Vec<KeyId>,
    pub files: Vec<ShownFile>,
    pub event: Event,
}

/// One file.
#[derive(Debug, Serialize)]
pub struct ShownFile {
    pub name: String,
    pub role: Role,
    pub cid: Cid,
    pub size: u64,
    pub sealed: bool,
}

/// The CID of the entry that `wanted` names: a number, or the CID of a manifest.
///
/// # Errors
/// [`OpsError::NotInArchive`] when it names none.
pub fn find(reader: &ChainReader, wanted: &str) -> Result<Cid, OpsError> {
    if let Ok(seq) = wanted.parse::<u64>() {
        return reader.manifest_at(seq);
    }
    let cid: Cid = wanted.parse().map_err(|_| OpsError::NotInArchive(wanted.chars().take(80).collect()))?;
    if reader.archive().contains(&cid)? { Ok(cid) } else { Err(OpsError::NotInArchive(cid.to_string())) }
}

/// Reads an entry.
///
/// # Errors
/// When a block is missing or malformed.
pub fn show(reader: &ChainReader, cid: &Cid) -> Result<Shown, OpsError> {
    let entry = reader.entry(cid)?;
    let files = entry.manifest.files.iter().map(|file| ShownFile {
        name: file.name.to_string(),
        role: file.role,
        cid: file.cid,
        size: file.size,
        sealed: file.sealed,
    });
    Ok(Shown {
        manifest: *cid,
        log: entry.manifest.log,
        signed_by: entry.signed_by,
        files: files.collect(),
        event: entry.statement.event,
    })
}

/// The script that ran: the way up, or for a rollback the way down.
///
/// # Errors
/// [`OpsError::NotInArchive`] when the entry has no such file, [`OpsError::SealedHere`] when it is sealed and `keys`
/// have none for it.
pub fn script(reader: &ChainReader, cid: &Cid, keys: Option<&dyn ContentKeys>) -> Result<Vec<u8>, OpsError> {
    let entry = reader.entry(cid)?;
    let seq = entry.manifest.seq;
    let of_role = |role| entry.manifest.files.iter().find(|file| file.role == role);
    let file = of_role(Role::Up).or_else(|| of_role(Role::Down));
    let file = file.ok_or_else(|| OpsError::NotInArchive(format!("a script of entry {seq}")))?;
    Ok(reader.plain(&entry, file, keys)?.ok_or(OpsError::SealedHere { seq })?.bytes)
}
