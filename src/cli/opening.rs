//! The keys of sealed files, for commands that show or run what is in them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::context::{Context, block_on, key, owner, project, vault_place};
use super::error::{CliError, Unopened};
use super::output::remark;
use super::settings::Settings;
use crate::chain::{Report, SealedState};
use crate::codec::sealed::ContentKeys;
use crate::model::{AccessFailure, Cid};
use crate::ops::access::{record_failure, record_opening};
use crate::ops::sealed::{keyring_at_hand, open_keyring};
use crate::ops::{OpsError, Project};
use crate::vault::Keyring;

/// The keys of a chain; it is an error when there are none here.
pub fn opening(context: &Context, chain: &Cid) -> Result<Keyring, CliError> {
    let settings = context.settings()?;
    let place = vault_place(&settings)?;
    Ok(block_on(open_keyring(&place, &owner(&settings), chain))??)
}

/// Records that sealed files of a report were opened, before they are shown, and those that could not be, since they are not
/// what was sealed; `None` where nothing was.
pub fn record_opened(settings: &Settings, report: &Report, purpose: &str) -> Result<Option<Cid>, CliError> {
    if report.sealed_files.iter().any(|file| file.state == SealedState::Tampered) {
        let project = recording(settings)?;
        let failed = record_failure(&project, key(settings), Vec::new(), purpose, AccessFailure::Damaged);
        block_on(failed)??;
    }
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

/// Records that a command failed to open sealed content, where that is why it ended; as far as there is a project. Nothing
/// was opened, so it only says where that cannot be recorded.
pub fn record_unopened(context: &Context, purpose: &str, error: &CliError) {
    let Some(Unopened { failure, about }) = error.unopened.as_deref() else { return };
    let recorded = || {
        let settings = context.settings()?;
        if settings.file.is_none() {
            return Ok(());
        }
        let project = project(&settings)?;
        block_on(record_failure(&project, key(&settings), about.clone(), purpose, *failure))??;
        Ok::<_, CliError>(())
    };
    if let (Err(other), false) = (recorded(), context.quiet) {
        remark(&format!("note: this try is not in the access chain: {}", other.message));
    }
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
