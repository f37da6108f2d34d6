use clap::Args;
use serde::Serialize;

use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::cli::output::Reply;
use crate::ops::compact::{Compacted, compact};

/// Rewrite the archive without what earlier heads alone needed
///
/// Keeps every manifest, log and file. Earlier heads can no longer be verified by their CIDs from this
/// archive; the newest one proves all of their entries. What witnesses and timestamp authorities said of earlier heads goes
/// with them: `greffe head --all` shows it, and a copy of the archive keeps it.
#[derive(Args)]
pub struct Compact {}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    #[serde(flatten)]
    compacted: Compacted,
}

pub fn run(context: &Context, _: &Compact) -> CommandResult {
    let settings = context.settings()?;
    let compacted = compact(&settings.archive_directory, settings.name()?, settings.lock_wait)?;
    Ok(Reply::new(Done { command: "compact", compacted }, |done, out| {
        let Compacted { head, bytes_before, bytes_after } = &done.compacted;
        writeln!(out, "{bytes_before} bytes became {bytes_after}, head {head}")
    }))
}
