use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::record::Source;
use crate::cli::context::{Context, block_on, open_database, project};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::database::capture::CaptureFault;
use crate::database::{Database, Target as _};
use crate::model::Engine;
use crate::ops::record::capture::{Installed, install, remove, waiting};
use crate::store::CaptureFile;

/// Have the database note what happens to another tool's history
///
/// Triggers on the tool's history table write each change of it into a journal, so that runs outside of `greffe record`,
/// stamps, and what was done and undone are known with their order and time. `greffe record --collect` archives them.
#[derive(Args)]
pub struct Capture {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make journal and triggers, or put in order what is there of them
    Install,
    /// Say what is there, and what waits to be collected
    Status,
    /// Remove journal and triggers
    Remove {
        /// Also when the journal has what the archive has not
        #[arg(long)]
        discard: bool,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    command: &'static str,
    action: &'static str,
    /// Of `install`.
    #[serde(skip_serializing_if = "Option::is_none")]
    installed: Option<Installed>,
    /// The journal's name in events; `None` where nothing is installed.
    id: Option<String>,
    table: Option<String>,
    /// Whether it notes what is defined and dropped, too.
    definitions: bool,
    /// What it would take, where it does not.
    #[serde(skip)]
    missing: Option<&'static str>,
    /// Changes of the history that the archive has not.
    uncollected: usize,
    faults: Vec<CaptureFault>,
}

pub fn run(context: &Context, arguments: &Capture) -> CommandResult {
    let settings = context.settings()?;
    let source = Source::of(&settings)?;
    let file = CaptureFile::of(&settings.archive_directory, settings.name()?);
    match arguments.action {
        Action::Install => {
            let (installed, _) = block_on(async {
                let mut database = open_database(&settings).await?;
                let done = install(source.tool, &mut database, source.table(), &file).await;
                database.close().await;
                Ok::<_, CliError>(done?)
            })??;
            status(&settings, &source, &file, "install", Some(installed))
        }
        Action::Status => status(&settings, &source, &file, "status", None),
        Action::Remove { discard } => {
            let project = project(&settings)?;
            block_on(async {
                let mut database = open_database(&settings).await?;
                let done =
                    remove(source.tool, &mut database, source.table(), &file, (&project, discard)).await;
                database.close().await;
                Ok::<_, CliError>(done?)
            })??;
            status(&settings, &source, &file, "remove", None)
        }
    }
}

fn status(
    settings: &Settings,
    source: &Source,
    file: &CaptureFile,
    action: &'static str,
    installed: Option<Installed>,
) -> CommandResult {
    let found = source.captured(settings)?;
    let uncollected = waiting(&found, &project(settings)?, file)?;
    let table = found.table.map(|table| table.shown());
    let capture = found.capture.unwrap_or_default();
    let missing = match Database::engine(settings.database_url()?.expose()) {
        Some(Engine::Sqlite) => Some("SQLite has no triggers for that"),
        Some(Engine::Postgresql) => Some("that takes a superuser of PostgreSQL"),
        _ => None,
    };
    let exit = if capture.faults.is_empty() { Exit::Done } else { Exit::Findings };
    let shown = Shown {
        command: "capture",
        action,
        installed,
        id: capture.id,
        table,
        definitions: capture.definitions,
        missing,
        uncollected,
        faults: capture.faults,
    };
    Ok(Reply::new(shown, show).with_exit(exit))
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let table = shown.table.as_deref().unwrap_or("a table that is not there");
    match (&shown.id, shown.installed) {
        (None, _) if shown.faults.is_empty() => return writeln!(out, "no capture is installed"),
        (_, Some(Installed::New)) => writeln!(out, "installed: each change of {} is noted", Clean(table))?,
        (_, Some(Installed::Renewed)) => {
            writeln!(out, "put in order: each change of {} is noted", Clean(table))?
        }
        _ => writeln!(
            out,
            "installed: journal {} of {}",
            shown.id.as_deref().unwrap_or("unknown"),
            Clean(table)
        )?,
    }
    if let (false, Some(why)) = (shown.definitions, shown.missing) {
        writeln!(out, "what is defined and dropped is not noted: {why}")?;
    }
    for fault in &shown.faults {
        writeln!(out, "{fault}\n  hint: run `greffe capture install`")?;
    }
    writeln!(out, "{} change(s) wait for `greffe record --collect`", shown.uncollected)
}
