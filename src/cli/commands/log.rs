use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::language::{language, parse_language};
use crate::cli::output::{Clean, Reply};
use crate::cli::telling::act;
use crate::cli::{CommandResult, Exit};
use crate::lang::{Language, Words};
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
    /// The language of the text: `en` or `fr` [default: what GREFFE_LANG or LANG says, else English]
    #[arg(long, value_name = "LANGUAGE", value_parser = parse_language)]
    lang: Option<Language>,
}

/// What stands before the parts of an entry.
const LABELS: [&str; 7] =
    ["log-event", "log-date", "log-actor", "log-key", "log-target", "log-purpose", "log-impact"];

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
    let (mut first, words) = (true, Words::of(language(arguments.lang, &context.environment)));
    log(&reader, arguments.limit, &mut |entry| {
        written = match arguments.oneline {
            true => show_line(&entry, &words, &mut out),
            false => show(&entry, &words, std::mem::take(&mut first), &mut out),
        };
        written.is_ok()
    })?;
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::new(Exit::Unfinished, format!("cannot write the result: {error}")))
        }
        _ => Ok(Reply::silent(Exit::Done)),
    }
}

fn show_line(entry: &LogEntry, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:>6} {} {}", entry.event.seq, entry.manifest, Clean(&title(entry, words)))
}

/// What happened, in a few words.
fn title(entry: &LogEntry, words: &Words) -> String {
    let event = words.say(act(entry.event.event));
    let Some(migration) = entry.event.migration().filter(|migration| !migration.version.is_empty()) else {
        return event;
    };
    let name = migration.name.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    format!("{event} {}{name}", migration.version)
}

fn show(entry: &LogEntry, words: &Words, first: bool, out: &mut dyn Write) -> io::Result<()> {
    if !first {
        writeln!(out)?;
    }
    let event = &entry.event;
    let values = [("seq", event.seq.to_string().into()), ("manifest", entry.manifest.to_string().into())];
    writeln!(out, "{}", words.tell("log-entry", values))?;
    let width = LABELS.iter().map(|id| words.say(id).chars().count()).max().unwrap_or_default();
    let mut line = |id: &str, text: &str| writeln!(out, "{:<width$} {}", words.say(id), Clean(text));
    line("log-event", &title(entry, words))?;
    line("log-date", &event.finished_at.to_string())?;
    line("log-actor", &format!("{} ({})", event.actor.pseudonym, event.actor.role))?;
    for key in &entry.signed_by {
        line("log-key", &key.to_string())?;
    }
    if let Some(target) = &event.target {
        line("log-target", &target.name)?;
    }
    let migration = event.migration();
    for (id, text) in [
        ("log-purpose", migration.and_then(|migration| migration.purpose.as_ref())),
        ("log-impact", migration.and_then(|migration| migration.impact.as_ref())),
    ] {
        text.map_or(Ok(()), |text| line(id, text))?;
    }
    Ok(())
}
