use std::io::{self, Write};

use clap::{ArgGroup, Args};
use serde::Serialize;

use super::apply::show_archived;
use super::audit::recorded;
use crate::cli::CommandResult;
use crate::cli::context::{Context, block_on, key, open_database, project};
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::cli::settings::Settings;
use crate::database::Target as _;
use crate::model::Direction;
use crate::ops::Project;
use crate::ops::repair::{Outcome, repair};
use crate::ops::restored::{Outcome as Restored, repair_restored};

/// Record, as a signed event, what a version counts as from here on
///
/// For a script that was cut short outside a transaction, one that was edited after it was applied, or
/// one whose effect was undone by hand. And for a database that was restored from an older backup: then
/// what it lost is recorded, and each version counts as what the database has. Runs no script.
#[derive(Args)]
#[command(group(ArgGroup::new("as").required(true).args(["applied", "rolled_back", "restored"])))]
pub struct Repair {
    /// The version
    #[arg(required_unless_present = "restored")]
    version: Option<String>,
    /// It counts as applied, with the script that is in the folder now
    #[arg(long)]
    applied: bool,
    /// It counts as not applied
    #[arg(long)]
    rolled_back: bool,
    /// The database was restored from an older backup
    #[arg(long, conflicts_with = "version")]
    restored: bool,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
struct DoneRestored {
    command: &'static str,
    #[serde(flatten)]
    outcome: Restored,
}

pub fn run(context: &Context, arguments: &Repair) -> CommandResult {
    let settings = context.settings()?;
    recorded::refuse(&settings, "repair them")?;
    let project = project(&settings)?;
    // Without a version, clap asks for `--restored`.
    let Some(version) = &arguments.version else { return run_restored(&settings, &project) };
    let direction = if arguments.applied { Direction::Up } else { Direction::Down };
    let outcome = block_on(async {
        let mut database = open_database(&settings).await?;
        let result =
            repair(&project, &mut database, version, direction, key(&settings), &mut |_, _, _| ()).await;
        database.close().await;
        Ok::<_, CliError>(result?)
    })??;
    Ok(Reply::new(Done { command: "repair", outcome }, show))
}

fn run_restored(settings: &Settings, project: &Project) -> CommandResult {
    let outcome = block_on(async {
        let mut database = open_database(settings).await?;
        let result = repair_restored(project, &mut database, key(settings), &mut |_, _, _| ()).await;
        database.close().await;
        Ok::<_, CliError>(result?)
    })??;
    Ok(Reply::new(DoneRestored { command: "repair", outcome }, show_restored))
}

fn show_restored(shown: &DoneRestored, out: &mut dyn Write) -> io::Result<()> {
    let Restored { lost, archived, head } = &shown.outcome;
    match (lost.first(), lost.last()) {
        (Some(first), Some(last)) => {
            writeln!(out, "the database has lost {} event(s), entry {first} to entry {last}", lost.len())?;
        }
        _ => writeln!(out, "nothing was lost: the database knows every event of the archive")?,
    }
    for archived in archived {
        show_archived(archived, out)?;
    }
    writeln!(out, "head {head}")
}

fn show(shown: &Done, out: &mut dyn Write) -> io::Result<()> {
    for archived in &shown.outcome.archived {
        show_archived(archived, out)?;
    }
    writeln!(out, "head {}", shown.outcome.head)
}
