use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::verify::threads;
use crate::cli::context::{Context, verify_options};
use crate::cli::heads::{HeadArguments, Headed, require_sound};
use crate::cli::output::{Clean, Reply};
use crate::cli::{CommandResult, Exit};
use crate::ops::absent::{Absence, find_absence};
use crate::ops::evidence::Tree;

/// Show that no entry up to one tells of a version
///
/// There is no short proof of that: the chain is verified, all entries are read, and what that cost is said. Exits with 0
/// when none tells of it, with 1 when one does.
#[derive(Args)]
pub struct ProveAbsent {
    /// The version of a migration
    #[arg(value_name = "VERSION")]
    version: String,
    /// The last entry that counts; without it, the newest
    #[arg(long, value_name = "SEQ")]
    at: Option<u64>,
    #[command(flatten)]
    head: HeadArguments,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    #[serde(flatten)]
    absence: Absence,
}

pub fn run(context: &Context, arguments: &ProveAbsent) -> CommandResult {
    let Headed { mut source, head, verified, .. } = arguments.head.open(context, None)?;
    if !verified {
        let mut progress = context.progress();
        let options = verify_options(&context.settings()?, &[]);
        let report =
            source.verify(options, threads(None), &mut |what, done, of| progress.show(what, done, of))?;
        require_sound(&report)?;
    }
    let mut tree = Tree::read(&mut source, head)?;
    let at = arguments.at.unwrap_or(tree.size() - 1);
    let absence = find_absence(&mut source, &mut tree, &arguments.version, at)?;
    let exit = if absence.absent { Exit::Done } else { Exit::Findings };
    Ok(Reply::new(Shown { command: "prove-absent", absence }, show).with_exit(exit))
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let Absence { version, at, absent, head, root, told, entries, bytes, sealed_names, .. } = &shown.absence;
    let version = Clean(version);
    match absent {
        true => writeln!(out, "absent: no entry up to {at} tells of version {version}")?,
        false => writeln!(out, "NOT absent: version {version} is told of up to entry {at}")?,
    }
    for told in told {
        writeln!(out, "  entry {}  {}  {}", told.seq, told.event, told.manifest)?;
    }
    writeln!(out, "  head        {head}")?;
    writeln!(out, "  root        {root} of entries 0 to {at}")?;
    writeln!(out, "  read        {entries} entries, {bytes} bytes: all of them, there is no shorter proof")?;
    if *sealed_names > 0 {
        writeln!(
            out,
            "  unknown     the names of {sealed_names} migrations are sealed; their versions are not, and were compared"
        )?;
    }
    Ok(())
}
