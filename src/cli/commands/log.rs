use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::{CommandResult, Exit};
use crate::ops::log::{LogEntry, log};

/// List the entries of the archive, newest first
///
/// Shows what entries say; `greffe verify` checks it.
#[derive(Args)]
pub struct Log {
    /// List at most so many entries
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<u64>,
    /// One line for each entry
    #[arg(long)]
    oneline: bool,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    entries: Vec<LogEntry>,
}

pub fn run(context: &Context, arguments: &Log) -> CommandResult {
    let reader = context.reader()?;
    let mut entries = Vec::new();
    if context.json {
        log(&reader, arguments.limit, &mut |entry| {
            entries.push(entry);
            true
        })?;
        return Ok(Reply::new(Shown { command: "log", entries }, |_, _| Ok(())));
    }
    // Written as it is read: a long chain is not held in memory, and a closed pipe ends the reading.
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let mut first = true;
    log(&reader, arguments.limit, &mut |entry| {
        written = show(&entry, arguments.oneline, std::mem::take(&mut first), &mut out);
        written.is_ok()
    })?;
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::new(Exit::Unfinished, format!("cannot write the result: {error}")))
        }
        _ => Ok(Reply::silent(Exit::Done)),
    }
}

fn show(entry: &LogEntry, oneline: bool, first: bool, out: &mut dyn Write) -> io::Result<()> {
    if oneline {
        return writeln!(out, "{:>6} {} {}", entry.event.seq, entry.manifest, Clean(&title(entry)));
    }
    if !first {
        writeln!(out)?;
    }
    show_entry(entry, out)
}

/// What happened, in a few words.
fn title(entry: &LogEntry) -> String {
    let Some(migration) = entry.event.migration() else { return entry.event.event.to_string() };
    if migration.version.is_empty() {
        return entry.event.event.to_string();
    }
    let name = migration.name.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    format!("{} {}{name}", entry.event.event, migration.version)
}

fn show_entry(entry: &LogEntry, out: &mut dyn Write) -> io::Result<()> {
    let event = &entry.event;
    writeln!(out, "entry {} {}", event.seq, entry.manifest)?;
    writeln!(out, "Event:   {}", Clean(&title(entry)))?;
    writeln!(out, "Date:    {}", event.finished_at)?;
    writeln!(out, "Actor:   {} ({})", event.actor.pseudonym, Clean(&event.actor.role))?;
    for key in &entry.signed_by {
        writeln!(out, "Key:     {key}")?;
    }
    if let Some(target) = &event.target {
        writeln!(out, "Target:  {}", Clean(&target.name))?;
    }
    let migration = event.migration();
    for (label, text) in [
        ("Purpose: ", migration.and_then(|migration| migration.purpose.as_ref())),
        ("Impact:  ", migration.and_then(|migration| migration.impact.as_ref())),
    ] {
        if let Some(text) = text {
            writeln!(out, "{label}{}", Clean(text))?;
        }
    }
    Ok(())
}
