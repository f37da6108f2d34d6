//! The keys of sealed files, for commands that show or run what is in them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::context::{Context, block_on, key, owner, project, vault_place};
use super::error::CliError;
use super::settings::Settings;
use crate::chain::Report;
use crate::codec::sealed::ContentKeys;
use crate::model::Cid;
use crate::ops::access::record_opening;
use crate::ops::sealed::{keyring_at_hand, open_keyring};
use crate::ops::{OpsError, Project};
use crate::vault::Keyring;

/// The keys of a chain; it is an error when there are none here.
pub fn opening(context: &Context, chain: &Cid) -> Result<Keyring, CliError> {
    let settings = context.settings()?;
    let place = vault_place(&settings)?;
    Ok(block_on(open_keyring(&place, &owner(&settings), chain))??)
}

/// Records that sealed files of a report were opened, before they are shown; `None` where nothing was.
pub fn record_opened(settings: &Settings, report: &Report, purpose: &str) -> Result<Option<Cid>, CliError> {
    match report.chain {
        Some(chain) if !report.opened.is_empty() => {
            block_on(record(settings, chain, report.opened.clone(), purpose))?.map(Some)
        }
        _ => Ok(None),
    }
}

/// Records that files of these manifests of `chain` are opened.
pub async fn record(
    settings: &Settings,
    chain: Cid,
    about: Vec<Cid>,
    purpose: &str,
) -> Result<Cid, CliError> {
    let project = recording(settings)?;
    Ok(record_opening(&project, key(settings), chain, about, purpose).await?)
}

/// The project in whose access chain openings are recorded: what cannot be recorded is not opened.
fn recording(settings: &Settings) -> Result<Project, CliError> {
    project(settings).map_err(|mut error| {
        error.causes.push("because each opening is recorded in the project's access chain".to_owned());
        error.hint("run it in the project's folder, or name its settings with `--config PATH`")
    })
}

/// The keys of a chain, where a vault and its owner's key are at hand, and a project to record openings in.
pub fn keys_at_hand(settings: &Settings, chain: &Cid) -> Result<Option<Box<dyn ContentKeys>>, CliError> {
    let place = vault_place(settings)?;
    let keyring = block_on(keyring_at_hand(&place, &owner(settings), chain))??;
    let Some(keyring) = keyring else { return Ok(None) };
    recording(settings)?;
    Ok(Some(Box::new(keyring)))
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
