use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::cli::CommandResult;
use crate::cli::context::{Context, block_on};
use crate::cli::error::CliError;
use crate::cli::opening::{opening, record};
use crate::cli::output::{Clean, Reply};
use crate::ops::OpsError;
use crate::ops::show::{Shown as Entry, find, script, show as read};

/// Show one entry: manifest, statement and files
///
/// Shows what the entry says; `greffe verify` checks it.
#[derive(Args)]
pub struct Show {
    /// The entry's number, or the CID of its manifest
    #[arg(value_name = "SEQ|CID")]
    entry: String,
    /// Print the script that ran, byte for byte
    #[arg(long)]
    script: bool,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    #[serde(flatten)]
    entry: Entry,
}

pub fn run(context: &Context, arguments: &Show) -> CommandResult {
    let reader = context.reader()?;
    let cid = find(&reader, &arguments.entry)?;
    if arguments.script {
        let script = match script(&reader, &cid, None) {
            Err(OpsError::SealedHere { .. }) => {
                let keyring = opening(context, &reader.root()).map_err(|error| error.of_entry(cid))?;
                let opened = script(&reader, &cid, Some(&keyring));
                let opened = opened.map_err(|error| CliError::from(error).of_entry(cid))?;
                block_on(record(&context.settings()?, reader.root(), vec![cid], "show"))??;
                opened
            }
            script => script?,
        };
        return Ok(Reply::raw(script));
    }
    Ok(Reply::new(Shown { command: "show", entry: read(&reader, &cid)? }, show))
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let entry = &shown.entry;
    writeln!(out, "manifest {}", entry.manifest)?;
    writeln!(out, "log      {}", entry.log)?;
    for key in &entry.signed_by {
        writeln!(out, "key      {key}")?;
    }
    for file in &entry.files {
        let sealed = if file.sealed { ", sealed" } else { "" };
        writeln!(
            out,
            "file     {} ({}, {} bytes{sealed}) {}",
            Clean(&file.name),
            file.role,
            file.size,
            file.cid
        )?;
    }
    writeln!(out)?;
    let statement = serde_json::to_string_pretty(&entry.event)?;
    writeln!(out, "{}", Clean(&statement))
}
