use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{next_step, place, read, write_proposal};
use crate::chain::{Proposal, Tally};
use crate::cli::CommandResult;
use crate::cli::asking::ask;
use crate::cli::context::{Context, open_signer};
use crate::cli::error::CliError;
use crate::cli::output::{Reply, remark};
use crate::cli::settings::Settings;
use crate::codec::proposal::encode_proposal;
use crate::crypto::KeyId;
use crate::model::TrustChange;
use crate::ops::OpsError;
use crate::ops::trust::{TrustError, look, require_fit};
use crate::store::{ArchiveError, replace_file};

/// Sign a proposal with a root key
///
/// Shows what would change and asks; with `--yes` it does not ask. Needs no archive and no network: where the archive is
/// at hand, the proposal is compared with it. Several copies of a file are put together, and the first one is written.
#[derive(Args)]
pub struct Sign {
    /// The proposal, and perhaps copies of it that others signed
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Sign without being asked
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    command: &'static str,
    file: PathBuf,
    keyid: KeyId,
    /// Whether the signature is new.
    added: bool,
    /// Whether the proposal was compared with the chain.
    compared: bool,
    version: u64,
    seq: u64,
    changes: Vec<TrustChange>,
    tallies: [Tally; 2],
}

pub fn run(context: &Context, arguments: &Sign) -> CommandResult {
    let settings = context.settings()?;
    let mut proposal = read(&arguments.files)?;
    let compared = compare(&settings, &proposal)?;
    let mut shown = Vec::new();
    write_proposal(&proposal, &mut shown).ok();
    remark(String::from_utf8_lossy(&shown).trim_end());
    if !compared {
        remark(
            "warning: the chain is not at hand, so what is in force now is only what the file says; ask somebody who has it",
        );
    }
    if !arguments.yes {
        ask("Sign this?", "signed", "read what it changes")?;
    }
    let key = open_signer(&settings).map_err(OpsError::from)?;
    let added = proposal.sign(&*key).map_err(TrustError::from)?;
    let file = arguments.files.first().cloned().unwrap_or_default();
    replace_file(&file, &encode_proposal(proposal.file())).map_err(|source| OpsError::File {
        path: file.clone(),
        done: "written",
        source,
    })?;
    let done = Done {
        command: "trust sign",
        keyid: key.public().id(),
        added,
        compared,
        version: proposal.next.version,
        seq: proposal.event.seq,
        changes: proposal.changes(),
        tallies: proposal.tallies(),
        file,
    };
    Ok(Reply::new(done, |done, out| {
        let what = if done.added { "signed  " } else { "before  " };
        writeln!(out, "{what} {}", done.keyid)?;
        writeln!(out, "next     {}", next_step(&done.file, &done.tallies))
    }))
}

/// Whether the proposal could be compared with the chain that the settings name.
fn compare(settings: &Settings, proposal: &Proposal) -> Result<bool, CliError> {
    if settings.name.is_none() {
        return Ok(false);
    }
    let place = place(settings)?;
    match look(&place) {
        Ok((reader, appender)) => {
            require_fit(proposal, &appender, reader.root())?;
            Ok(true)
        }
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
