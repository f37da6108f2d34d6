use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::cli::output::{Clean, Reply};
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
    #[serde(skip)]
    oneline: bool,
}

pub fn run(context: &Context, arguments: &Log) -> CommandResult {
    let reader = context.reader()?;
    let mut entries = Vec::new();
    log(&reader, arguments.limit, &mut |entry| {
        entries.push(entry);
        true
    })?;
    Ok(Reply::new(Shown { command: "log", entries, oneline: arguments.oneline }, show))
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    for (index, entry) in shown.entries.iter().enumerate() {
        if shown.oneline {
            writeln!(out, "{:>6} {} {}", entry.event.seq, entry.manifest, Clean(&title(entry)))?;
            continue;
        }
        if index > 0 {
            writeln!(out)?;
        }
        show_entry(entry, out)?;
    }
    Ok(())
}

/// What happened, in a few words.
fn title(entry: &LogEntry) -> String {
    let Some(migration) = entry.event.migration() else { return entry.event.event.to_string() };
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
