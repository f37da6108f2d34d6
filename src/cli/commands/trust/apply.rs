use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{place, read, write_changes};
use crate::cli::CommandResult;
use crate::cli::context::{Context, open_signer};
use crate::cli::output::Reply;
use crate::ops::OpsError;
use crate::ops::trust::apply::{Applied, apply};

/// Append a proposal that enough root keys signed
///
/// Takes several copies of the file that were signed apart from each other. The chain has to be as it was when the
/// proposal was made; if it went on, it is proposed again. The signing key (`--key`) signs the new head, and has to be a
/// signer under the new trust document.
#[derive(Args)]
pub struct Apply {
    /// The proposal, and perhaps copies of it that others signed
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    #[serde(flatten)]
    applied: Applied,
}

pub fn run(context: &Context, arguments: &Apply) -> CommandResult {
    let settings = context.settings()?;
    let proposal = read(&arguments.files)?;
    let key = open_signer(&settings).map_err(OpsError::from)?;
    let applied = apply(&place(&settings)?, &proposal, &*key)?;
    Ok(Reply::new(Done { command: "trust apply", applied }, |done, out| {
        let applied = &done.applied;
        writeln!(out, "version {} is in force from entry {} on", applied.version, applied.seq)?;
        write_changes(&applied.changes, "  ", out)?;
        for key in &applied.signed_by {
            writeln!(out, "  signed by {key}")?;
        }
        writeln!(out, "head {}", applied.head)
    }))
}
