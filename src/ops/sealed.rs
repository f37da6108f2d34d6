//! Reads files of entries, sealed ones through whoever has their keys.

use std::fmt;
use std::sync::Arc;

use super::chain::{Entry, ReadBlock, read_file};
use super::{KeyUnavailable, OpsError, Project, VaultPlace};
use crate::codec::sealed::{ContentKeys, Found, key_id, open};
use crate::model::{Cid, EventId, FileEntry, FileName};
use crate::vault::{Keyring, OwnerKey, Vault, VaultError};

/// What is wrong with a vault whose key of a file cannot be unwrapped.
pub const KEY_DAMAGED: &str = "a key in it cannot be read";

/// Gives the owner's key of the vault when it is needed.
#[derive(Clone)]
pub struct OpenOwner(pub Arc<OpenOwnerFn>);

/// What gives it.
pub type OpenOwnerFn = dyn Fn() -> Result<Box<dyn OwnerKey>, OwnerUnavailable> + Send + Sync;

/// Why there is no owner's key.
#[derive(Debug)]
pub enum OwnerUnavailable {
    /// None is at hand here: who can do without goes on.
    Absent(KeyUnavailable),
    /// There is one, and it cannot be used.
    Unusable(KeyUnavailable),
}

impl From<OwnerUnavailable> for OpsError {
    fn from(unavailable: OwnerUnavailable) -> Self {
        let (OwnerUnavailable::Absent(reason) | OwnerUnavailable::Unusable(reason)) = unavailable;
        Self::OwnerKey(reason)
    }
}

impl fmt::Debug for OpenOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenOwner")
    }
}

/// Where a sealed file stands, which is part of what it was sealed with.
#[derive(Clone, Debug)]
pub struct SealedPlace {
    pub event: EventId,
    pub name: FileName,
    pub commitment: String,
}

impl SealedPlace {
    /// The place of a file of an entry; `None` where it is not sealed.
    #[must_use]
    pub fn of(entry: &Entry, file: &FileEntry) -> Option<Self> {
        let event = &entry.statement.event;
        let commitment = event.commitments().and_then(|all| all.get(file.name.as_str()));
        file.sealed.then(|| Self {
            event: event.id,
            name: file.name.clone(),
            commitment: commitment.cloned().unwrap_or_default(),
        })
    }
}

/// Name and bytes of a file, as they were before it was sealed.
#[derive(Clone, Debug)]
pub struct Plain {
    pub name: FileName,
    pub bytes: Vec<u8>,
}

/// Reads a file of an entry; `None` where it is sealed and `keys` have none for it.
///
/// # Errors
/// Those of reading, [`OpsError::SealedDiffers`], and [`OpsError::Vault`] for a key that cannot be read.
pub fn read_plain(
    entry: &Entry,
    file: &FileEntry,
    keys: Option<&dyn ContentKeys>,
    block: &mut ReadBlock<'_>,
) -> Result<Option<Plain>, OpsError> {
    match SealedPlace::of(entry, file) {
        None => Ok(Some(Plain { name: file.name.clone(), bytes: read_file(&file.cid, block)? })),
        Some(place) => open_sealed(&file.cid, &place, keys, block),
    }
}

/// Opens a sealed file; `None` where `keys` have none for it.
///
/// # Errors
/// As [`read_plain`].
pub fn open_sealed(
    cid: &Cid,
    place: &SealedPlace,
    keys: Option<&dyn ContentKeys>,
    block: &mut ReadBlock<'_>,
) -> Result<Option<Plain>, OpsError> {
    let Some(keys) = keys else { return Ok(None) };
    let bytes = read_file(cid, block)?;
    let differs = |detail: String| OpsError::SealedDiffers { name: place.name.clone(), cid: *cid, detail };
    let kid = key_id(&bytes).map_err(|error| differs(error.to_string()))?;
    let key = match keys.find(&kid) {
        Found::Key(key) => key,
        Found::Gone | Found::NotHere => return Ok(None),
        Found::Damaged => return Err(VaultError::Damaged(KEY_DAMAGED).into()),
    };
    let opened = open(&bytes, &key, place.event, &place.name, &place.commitment);
    let opened = opened.map_err(|error| differs(error.to_string()))?;
    Ok(Some(Plain { name: opened.name, bytes: opened.data }))
}

/// The keys of a chain in a vault.
///
/// # Errors
/// [`OpsError::Vault`] and [`OpsError::OwnerKey`].
pub async fn open_keyring(place: &VaultPlace, owner: &OpenOwner, chain: &Cid) -> Result<Keyring, OpsError> {
    let vault = place.open().await?;
    let owner = (owner.0)()?;
    read_keyring(vault, owner, chain).await
}

async fn read_keyring(mut vault: Vault, owner: Box<dyn OwnerKey>, chain: &Cid) -> Result<Keyring, OpsError> {
    let keyring = vault.keyring(chain, owner).await;
    vault.close().await;
    Ok(keyring?)
}

/// The same for who can do without: `None` where there is no vault, no key of its owner at hand, or nothing of the chain
/// in it.
///
/// # Errors
/// [`OpsError::Vault`] and [`OpsError::OwnerKey`] when one of them is there and cannot be used.
pub async fn keyring_at_hand(
    place: &VaultPlace,
    owner: &OpenOwner,
    chain: &Cid,
) -> Result<Option<Keyring>, OpsError> {
    let vault = match place.open().await {
        Err(OpsError::Vault(VaultError::Missing(_))) => return Ok(None),
        vault => vault?,
    };
    let owner = match (owner.0)() {
        Ok(owner) => owner,
        Err(OwnerUnavailable::Absent(_)) => return Ok(None),
        Err(unusable @ OwnerUnavailable::Unusable(_)) => return Err(unusable.into()),
    };
    let keyring = read_keyring(vault, owner, chain).await?;
    Ok(keyring.knows_chain().then_some(keyring))
}

impl Project {
    /// The keys of a chain, where there is a vault and its owner's key is at hand.
    ///
    /// # Errors
    /// As [`open_keyring`].
    pub async fn keyring(&self, chain: &Cid) -> Result<Keyring, OpsError> {
        open_keyring(&self.vault, &self.owner, chain).await
    }

    /// The same for who can do without.
    ///
    /// # Errors
    /// As [`keyring_at_hand`].
    pub async fn keyring_at_hand(&self, chain: &Cid) -> Result<Option<Keyring>, OpsError> {
        keyring_at_hand(&self.vault, &self.owner, chain).await
    }
}
