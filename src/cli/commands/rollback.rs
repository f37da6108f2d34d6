use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::apply::{failure_text, notes, show_archived};
use crate::cli::context::{Context, block_on, key, open_database, project};
use crate::cli::error::CliError;
use crate::cli::output::{Reply, remark};
use crate::cli::{CommandResult, Exit};
use crate::database::Target as _;
use crate::ops::rollback::{Extent, Outcome, rollback};

/// Roll applied migrations back, newest first
///
/// Runs the way down that was archived with each migration, not the one that the folder has now, and
/// says when they differ.
#[derive(Args)]
#[group(id = "extent", required = true, multiple = false)]
pub struct Rollback {
    /// Roll back so many migrations
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Roll back all that were applied after this version, which stays
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

pub fn run(context: &Context, arguments: &Rollback) -> CommandResult {
    let settings = context.settings()?;
    let project = project(&settings)?;
    let extent = match (arguments.steps, &arguments.to) {
        (Some(steps), _) => Extent::Steps(steps),
        (None, Some(version)) => Extent::To(version.clone()),
        (None, None) => {
            return Err(
                CliError::usage("how far to go back is not said").hint("pass `--steps N` or `--to VERSION`")
            );
        }
    };
    let mut progress = context.progress();
    let outcome = block_on(async {
        let mut database = open_database(&project).await?;
        let result = rollback(&project, &mut database, &extent, key(&settings), &mut |what, done, total| {
            progress.show(what, done, total);
        })
        .await;
        database.close().await;
        Ok::<_, CliError>(result?)
    })??;
    drop(progress);
    if !context.quiet {
        notes(&outcome.notes);
    }
    if let Some(failed) = &outcome.failed {
        remark(&failure_text(failed));
    }
    let exit = if outcome.failed.is_some() { Exit::Unfinished } else { Exit::Done };
    Ok(Reply::new(Done { command: "rollback", outcome }, show).with_exit(exit))
}

fn show(shown: &Done, out: &mut dyn Write) -> io::Result<()> {
    for archived in shown.outcome.recovered.iter().chain(&shown.outcome.archived) {
        show_archived(archived, out)?;
    }
    writeln!(out, "head {}", shown.outcome.head)
}
