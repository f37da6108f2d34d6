use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::import::{exit_of, show_findings};
use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::heads::{HeadArguments, Headed};
use crate::cli::output::{Clean, Reply};
use crate::cli::sources::parse_cid;
use crate::ops::evidence::{Asked, Made, make};

/// Write all that shows one entry to somebody who has not the rest of the chain
///
/// Makes a directory with a C2SP tlog-proof, a sigstore bundle, the public key, a CAR with only the blocks that are needed,
/// the timestamps of the head, and a text that says which programs of other people check them. `greffe verify-evidence`
/// checks it too. From elsewhere the whole chain is fetched and verified first. Where the chain tells that a key which
/// signed it was stolen, that is in it, and it exits with 1.
#[derive(Args)]
pub struct Evidence {
    /// The entry's number, the CID of its manifest, or the version of a migration, of which the newest entry counts; a
    /// number that no entry has is a version
    #[arg(value_name = "SEQ|VERSION|CID")]
    entry: String,
    /// It is a version, also where it could be an entry's number
    #[arg(long)]
    migration: bool,
    /// The directory to make
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    head: HeadArguments,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    directory: PathBuf,
    #[serde(flatten)]
    made: Made,
}

pub fn run(context: &Context, arguments: &Evidence) -> CommandResult {
    if arguments.out.symlink_metadata().is_ok() {
        return Err(CliError::usage(format!("{} already exists", arguments.out.display()))
            .hint("choose another name for `--out`; evidence is never written over"));
    }
    let Headed { mut source, head, .. } = arguments.head.open(context, None)?;
    let asked = asked(&arguments.entry, arguments.migration);
    let made = make(&mut source, head, &asked, &arguments.out)?;
    let exit = exit_of(&made.findings);
    Ok(Reply::new(Done { command: "evidence", directory: arguments.out.clone(), made }, show).with_exit(exit))
}

fn asked(text: &str, migration: bool) -> Asked {
    if migration {
        return Asked::Version(text.to_owned());
    }
    match (text.parse::<u64>(), parse_cid(text)) {
        (Ok(seq), _) if seq.to_string() == text => Asked::Seq(seq),
        (_, Some(cid)) => Asked::Manifest(cid),
        _ => Asked::Version(text.to_owned()),
    }
}

fn show(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    let Made { seq, event, version, head, chain, keyid, signatures, trust, withheld, .. } = &done.made;
    let Made { cosignatures, timestamps, findings, .. } = &done.made;
    let of = version.as_ref().map(|version| format!(" of version {}", Clean(version))).unwrap_or_default();
    writeln!(out, "wrote {}: evidence of entry {seq}, {event}{of}", done.directory.display())?;
    writeln!(out, "  chain       {chain}")?;
    writeln!(out, "  head        {head}")?;
    let one = if *signatures > 1 { format!(", one of {signatures} signatures") } else { String::new() };
    writeln!(out, "  bundle      signed by {keyid}{one}")?;
    let trust: Vec<String> = trust.iter().map(u64::to_string).collect();
    writeln!(out, "  trust       documents of entries {}", trust.join(", "))?;
    writeln!(out, "  head has    {cosignatures} cosignature(s), {timestamps} timestamp(s)")?;
    for cid in withheld {
        writeln!(out, "  withheld    sealed file {cid}, which is not here")?;
    }
    show_findings(findings, out)?;
    writeln!(out, "check it with `greffe verify-evidence {}`", done.directory.display())
}
