//! The keys of sealed files, for commands that show or run what is in them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::context::{Context, block_on, key, owner, project, vault_place};
use super::error::CliError;
use super::settings::Settings;
use crate::chain::Report;
use crate::codec::sealed::ContentKeys;
use crate::model::{Access, AccessKind, Cid};
use crate::ops::OpsError;
use crate::ops::access::record_access;
use crate::ops::sealed::{keyring_at_hand, open_keyring};
use crate::vault::Keyring;

/// The keys of a chain; it is an error when there are none here.
pub fn opening(context: &Context, chain: &Cid) -> Result<Keyring, CliError> {
    let settings = context.settings()?;
    let place = vault_place(&settings)?;
    Ok(block_on(open_keyring(&place, &owner(&settings), chain))??)
}

/// Records that sealed files of a report were opened, before they are shown; `None` where there is no project to record
/// it in, or nothing was opened.
pub fn record_opening(context: &Context, report: &Report, purpose: &str) -> Result<Option<Cid>, CliError> {
    match report.chain {
        Some(chain) if !report.opened.is_empty() => record(context, chain, report.opened.clone(), purpose),
        _ => Ok(None),
    }
}

/// Records that files of these manifests of `chain` are opened.
pub fn record(
    context: &Context,
    chain: Cid,
    about: Vec<Cid>,
    purpose: &str,
) -> Result<Option<Cid>, CliError> {
    let settings = context.settings()?;
    if settings.file.is_none() {
        return Ok(None);
    }
    let project = project(&settings)?;
    let purpose = purpose.to_owned();
    let access = Access { kind: AccessKind::Open, chain, recipient: None, purpose, until: None };
    Ok(Some(record_access(&project, key(&settings), about, access)?))
}

/// The keys of a chain, where a vault and its owner's key are at hand.
pub fn keys_at_hand(settings: &Settings, chain: &Cid) -> Result<Option<Box<dyn ContentKeys>>, CliError> {
    let place = vault_place(settings)?;
    let keyring = block_on(keyring_at_hand(&place, &owner(settings), chain))??;
    Ok(keyring.map(|keyring| Box::new(keyring) as Box<dyn ContentKeys>))
}

/// Reads a file of at most `limit` bytes that somebody else made.
pub fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes));
    let failed = |source| OpsError::File { path: path.to_owned(), done: "read", source };
    match read.map_err(failed)? {
        size if size > limit => {
            Err(CliError::usage(format!("{} has more than {limit} bytes", path.display()))
                .hint("give another file"))
        }
        _ => Ok(bytes),
    }
}
