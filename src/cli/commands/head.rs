use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::context::{Context, verify_options};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::policies::read_policy;
use crate::cli::telling::word;
use crate::cli::{CommandResult, Exit};
use crate::lang::{Language, Words};
use crate::model::Cid;
use crate::ops::heads::{Held, HeldHead, Judging, LineStanding, heads};

/// Print the CID of the archive's head, and nothing else
///
/// With `--all`, list every head that the archive holds, the newest first, and who vouched for it when: witnesses that the
/// settings, a policy of the trust documents or `--policy` name, and timestamp authorities. What others signed is
/// verified; `greffe verify` judges the chain itself. Reads the whole archive once. Exits with 1 when a signature, a line or
/// a token is not good, the archive's head does not go on from one before it, or its file is damaged.
#[derive(Args)]
pub struct Head {
    /// List every head that the archive holds, and who vouched for it when
    #[arg(long)]
    all: bool,
    /// List at most so many of them
    #[arg(long, short = 'n', value_name = "N", requires = "all")]
    limit: Option<usize>,
    /// A file that names witnesses whose cosignatures are verified, too (C2SP tlog-policy)
    #[arg(long, value_name = "FILE", requires = "all")]
    policy: Option<PathBuf>,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    head: Cid,
}

#[derive(Serialize)]
struct AllShown {
    command: &'static str,
    #[serde(flatten)]
    held: Held,
}

pub fn run(context: &Context, arguments: &Head) -> CommandResult {
    let reader = context.reader()?;
    if !arguments.all {
        let head = reader.head();
        return Ok(Reply::new(Shown { command: "head", head }, |shown, out| writeln!(out, "{}", shown.head)));
    }
    let held = heads(&reader, &judging(context, arguments)?, arguments.limit)?;
    let exit = if held.has_faults() { Exit::Findings } else { Exit::Done };
    Ok(Reply::new(AllShown { command: "head", held }, show).with_exit(exit))
}

fn judging(context: &Context, arguments: &Head) -> Result<Judging, CliError> {
    let settings = context.settings()?;
    let policy = arguments.policy.as_deref().map(read_policy).transpose()?.unwrap_or_default();
    let asked = policy.witnesses.into_iter().map(|witness| (witness.name, witness.vkey));
    let configured = settings.witnesses.iter().map(|witness| (witness.name.clone(), witness.vkey.clone()));
    let witnesses = configured.chain(asked).collect();
    Ok(Judging { witnesses, tolerance: verify_options(&settings, &[]).tolerance })
}

fn show(shown: &AllShown, out: &mut dyn Write) -> io::Result<()> {
    let held = &shown.held;
    for head in &held.heads {
        show_head(head, out)?;
    }
    for head in &held.partial {
        writeln!(out, "{}: not all of it is here: {}", head.head, Clean(&head.reason))?;
    }
    if let Some(damage) = &held.damaged {
        writeln!(out, "DAMAGED: {damage}; heads behind that are not listed")?;
    }
    if held.more > 0 {
        writeln!(out, "and {} older", held.more)?;
    }
    Ok(())
}

fn show_head(head: &HeldHead, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {} entries, the newest of {}", head.head, head.entries, head.newest)?;
    if let Some(bound) = &head.not_after {
        writeln!(out, "  there by    {}", word(&Words::of(Language::English), bound))?;
    }
    for line in &head.cosignatures {
        let at = line.at.map(|at| format!(" at {at}")).unwrap_or_default();
        let standing = match line.standing {
            LineStanding::Verified => "",
            LineStanding::Bad => ": NOT over this checkpoint",
            LineStanding::Unknown => ": its key is not known here, name it with `--policy`",
        };
        writeln!(out, "  cosigned    by {}{at}{standing}", Clean(&line.witness))?;
    }
    for token in &head.timestamps {
        match (&token.authority, &token.at, &token.fault) {
            (Some(authority), Some(at), _) => writeln!(out, "  stamped     by {} at {at}", Clean(authority))?,
            (_, _, Some(fault)) => writeln!(out, "  stamped     NOT: {}", Clean(&fault.to_string()))?,
            _ => {}
        }
    }
    if head.timestamps_unread > 0 {
        writeln!(
            out,
            "  stamped     and {} more, which are too many to be looked at",
            head.timestamps_unread
        )?;
    }
    if head.cosignatures.is_empty() && head.timestamps.is_empty() {
        writeln!(out, "  nobody else vouched for it")?;
    }
    if head.signed_by.is_none() {
        writeln!(out, "  NOT SIGNED by a key of the chain that counts for it")?;
    }
    if !head.continued {
        writeln!(out, "  NOT CONTINUED: the archive's head has other entries in its place")?;
    }
    Ok(())
}
