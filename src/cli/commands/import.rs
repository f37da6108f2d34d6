use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::verify::{parse_anchors, reply_in, threads};
use crate::chain::Finding;
use crate::cli::context::{Context, verify_options};
use crate::cli::language::language;
use crate::cli::memory::MemoryArguments;
use crate::cli::output::{Clean, Reply};
use crate::cli::{CommandResult, Exit};
use crate::ops::import::{Imported, import};

/// Take a CARv1 file into the archive folder, verified first
///
/// A chain that is there already is only continued: an older or another version of it is refused. One that tells itself of
/// entries by a stolen key is taken, and exits with 1 as `greffe verify` does.
#[derive(Args)]
pub struct Import {
    /// The file to read
    #[arg(value_name = "FILE.car")]
    file: PathBuf,
    /// The file must be of this chain or root key
    #[arg(long, value_name = "ANCHOR")]
    require: Vec<String>,
    #[command(flatten)]
    memory: MemoryArguments,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    #[serde(flatten)]
    imported: Imported,
}

pub fn run(context: &Context, arguments: &Import) -> CommandResult {
    let settings = context.settings()?;
    let mut options = verify_options(&settings, &parse_anchors(&arguments.require)?);
    arguments.memory.recall(context, &mut options)?;
    let mut progress = context.progress();
    let mut show = |what: &str, done, total| progress.show(what, done, total);
    let (directory, wait) = (&settings.archive_directory, settings.lock_wait);
    match import(&arguments.file, directory, options, threads(None), wait, &mut show)? {
        Ok(imported) => {
            arguments.memory.remember(context, imported.memory.as_ref());
            let exit = exit_of(&imported.findings);
            let reply = Reply::new(Done { command: "import", imported }, |done, out| {
                let imported = &done.imported;
                writeln!(
                    out,
                    "imported {}: {} new of {} entries, head {}",
                    imported.name, imported.new_entries, imported.entries, imported.head
                )?;
                show_findings(&imported.findings, out)
            });
            Ok(reply.with_exit(exit))
        }
        Err(report) => {
            let evidence = arguments.memory.keep_fork(context, &report);
            Ok(reply_in(language(None, &context.environment), report, Vec::new(), evidence))
        }
    }
}

/// A chain that was taken with findings is one with findings.
pub fn exit_of(findings: &[Finding]) -> Exit {
    if findings.is_empty() { Exit::Done } else { Exit::Findings }
}

/// What a chain that was taken tells of itself.
pub fn show_findings(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "taken as it is, with {} finding(s) that the chain itself tells of:", findings.len())?;
    findings.iter().try_for_each(|finding| writeln!(out, "  {}", Clean(&finding.to_string())))
}
