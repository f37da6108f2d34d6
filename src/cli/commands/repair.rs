use std::io::{self, Write};

use clap::{ArgGroup, Args};
use serde::Serialize;

use super::apply::show_archived;
use crate::cli::CommandResult;
use crate::cli::context::{Context, block_on, key, open_database, project};
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::database::Target as _;
use crate::model::Direction;
use crate::ops::repair::{Outcome, repair};

/// Record, as a signed event, what a version counts as from here on
///
/// For a script that was cut short outside a transaction, one that was edited after it was applied, or
/// one whose effect was undone by hand. Runs no script.
#[derive(Args)]
#[command(group(ArgGroup::new("as").required(true).args(["applied", "rolled_back"])))]
pub struct Repair {
    /// The version
    version: String,
    /// It counts as applied, with the script that is in the folder now
    #[arg(long)]
    applied: bool,
    /// It counts as not applied
    #[arg(long)]
    rolled_back: bool,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

pub fn run(context: &Context, arguments: &Repair) -> CommandResult {
    let settings = context.settings()?;
    let project = project(&settings)?;
    let direction = if arguments.applied { Direction::Up } else { Direction::Down };
    let outcome = block_on(async {
        let mut database = open_database(&settings).await?;
        let result =
            repair(&project, &mut database, &arguments.version, direction, key(&settings), &mut |_, _, _| ())
                .await;
        database.close().await;
        Ok::<_, CliError>(result?)
    })??;
    Ok(Reply::new(Done { command: "repair", outcome }, show))
}

fn show(shown: &Done, out: &mut dyn Write) -> io::Result<()> {
    for archived in &shown.outcome.archived {
        show_archived(archived, out)?;
    }
    writeln!(out, "head {}", shown.outcome.head)
}
