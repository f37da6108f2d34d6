use std::io::{self, Read as _, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::chain::{Fork, verify_fork};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::{CommandResult, Exit};
use crate::codec::fork::{FORK_LIMIT, decode_fork};
use crate::crypto::{Digest, KeyId};
use crate::model::{Checkpoint, Cid};

/// Judge evidence that a chain was signed in two versions
///
/// Needs nothing but the file: it holds two signed checkpoints, the hashes that show that they cannot both be true, and
/// the events that say whose signatures count for this chain. `verify`, `mirror`, `import` and `gossip` write such
/// files. Exits with 0 when the file shows a fork, with 1 when it does not.
#[derive(Args)]
pub struct VerifyFork {
    /// The evidence; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    forked: bool,
    #[serde(flatten)]
    fork: Option<Versions>,
    /// Why it shows no fork.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Versions {
    chain: Cid,
    versions: [Version; 2],
}

#[derive(Serialize)]
struct Version {
    entries: u64,
    root: Digest,
    #[serde(rename = "signedBy")]
    signed_by: KeyId,
}

pub fn run(arguments: &VerifyFork) -> CommandResult {
    let name = arguments.file.display().to_string();
    let bytes = read(arguments).map_err(|error| {
        CliError::usage(format!("{} cannot be read: {error}", Clean(&name)))
            .hint("give the file that `greffe verify` named")
    })?;
    let evidence = decode_fork(&bytes).map_err(|error| {
        CliError::new(Exit::Findings, format!("{}: {error}", Clean(&name)))
            .hint("give the file that `greffe verify` named, as it was written")
    })?;
    let (fork, reason) = match verify_fork(&evidence) {
        Ok(fork) => (Some(versions(fork)), None),
        Err(reason) => (None, Some(reason.to_string())),
    };
    let exit = if fork.is_some() { Exit::Done } else { Exit::Findings };
    let shown = Shown { command: "verify-fork", forked: fork.is_some(), fork, reason };
    Ok(Reply::new(shown, show).with_exit(exit))
}

fn read(arguments: &VerifyFork) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = FORK_LIMIT as u64 + 1;
    match arguments.file.to_str() {
        Some("-") => io::stdin().lock().take(limit).read_to_end(&mut bytes)?,
        _ => std::fs::File::open(&arguments.file)?.take(limit).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

fn versions(fork: Fork) -> Versions {
    let version = |(checkpoint, signed_by): (Checkpoint, KeyId)| Version {
        entries: checkpoint.size,
        root: checkpoint.root,
        signed_by,
    };
    Versions { chain: fork.chain, versions: [version(fork.first), version(fork.second)] }
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let Some(fork) = &shown.fork else {
        let reason = shown.reason.as_deref().unwrap_or_default();
        return writeln!(out, "NOT shown: {}", Clean(reason));
    };
    writeln!(out, "forked: chain {} was signed in two versions", fork.chain)?;
    for Version { entries, root, signed_by } in &fork.versions {
        writeln!(out, "  {entries} entries with the root {root}, signed by key {signed_by}")?;
    }
    writeln!(out, "the second one does not go on from the first one")
}
