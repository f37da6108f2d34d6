//! The keys of sealed files, for commands that show or run what is in them.

use super::context::{Context, block_on, owner, vault_place};
use super::error::CliError;
use super::settings::Settings;
use crate::codec::sealed::ContentKeys;
use crate::model::Cid;
use crate::ops::OpsError;
use crate::ops::sealed::open_keyring;
use crate::vault::{Keyring, VaultError};

/// The keys of a chain; it is an error when there are none here.
pub fn opening(context: &Context, chain: &Cid) -> Result<Keyring, CliError> {
    let settings = context.settings()?;
    let place = vault_place(&settings)?;
    Ok(block_on(open_keyring(&place, &owner(&settings), chain))??)
}

/// The keys of a chain, where a vault and its owner's key are at hand.
pub fn keys_at_hand(settings: &Settings, chain: &Cid) -> Result<Option<Box<dyn ContentKeys>>, CliError> {
    let place = vault_place(settings)?;
    match block_on(open_keyring(&place, &owner(settings), chain))? {
        Ok(keyring) => Ok(Some(Box::new(keyring))),
        Err(OpsError::Key(_) | OpsError::Vault(VaultError::Missing(_) | VaultError::Owner(_))) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
