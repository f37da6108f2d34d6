use std::io::{self, Write};
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde::Serialize;

use super::apply::{show_archived, tell};
use super::audit::recorded;
use crate::cli::CommandResult;
use crate::cli::context::{Context, block_on, key, open_database, project};
use crate::cli::error::CliError;
use crate::cli::hooks::{look_at_hooks, show_hooks};
use crate::cli::output::Reply;
use crate::cli::plans::given;
use crate::database::Target as _;
use crate::ops::apply::Outcome;
use crate::ops::rollback::{Extent, rollback};

/// Roll applied migrations back, newest first
///
/// Runs the way down that was archived with each migration, not the one that the folder has now, and
/// says when they differ.
#[derive(Args)]
#[command(group = ArgGroup::new("extent").required(true))]
pub struct Rollback {
    /// Roll back so many migrations
    #[arg(long, value_name = "N", group = "extent")]
    steps: Option<usize>,
    /// Roll back all that were applied after this version, which stays
    #[arg(long, value_name = "VERSION", group = "extent")]
    to: Option<String>,
    /// Roll back exactly what this plan says, or nothing
    #[arg(long, value_name = "FILE", group = "extent")]
    plan: Option<PathBuf>,
    /// An approval of the plan; as often as there are approvals
    #[arg(long, value_name = "FILE", requires = "plan")]
    approval: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

pub fn run(context: &Context, arguments: &Rollback) -> CommandResult {
    let settings = context.settings()?;
    recorded::refuse(&settings, "roll them back")?;
    let project = project(&settings)?;
    let given = given(&settings, arguments.plan.as_deref(), &arguments.approval)?;
    let extent = match (arguments.steps, &arguments.to, &given.plan) {
        (Some(steps), ..) => Extent::Steps(steps),
        (None, Some(version), _) => Extent::To(version.clone()),
        (None, None, Some(given)) => Extent::Steps(given.plan.migrations.len()),
        (None, None, None) => {
            return Err(CliError::usage("how far to go back is not said")
                .hint("pass `--steps N`, `--to VERSION` or `--plan FILE`"));
        }
    };
    look_at_hooks(&project.hooks, context.quiet)?;
    let mut progress = context.progress();
    let outcome = block_on(async {
        let mut database = open_database(&settings).await?;
        let result =
            rollback(&project, &mut database, &extent, &given, key(&settings), &mut |what, done, total| {
                progress.show(what, done, total);
            })
            .await;
        database.close().await;
        Ok::<_, CliError>(result?)
    })??;
    drop(progress);
    let exit = tell(context, &outcome);
    Ok(Reply::new(Done { command: "rollback", outcome }, show).with_exit(exit))
}

fn show(shown: &Done, out: &mut dyn Write) -> io::Result<()> {
    show_hooks(&shown.outcome.hooks, true, out)?;
    for archived in shown.outcome.recovered.iter().chain(&shown.outcome.archived) {
        show_archived(archived, out)?;
    }
    show_hooks(&shown.outcome.hooks, false, out)?;
    writeln!(out, "head {}", shown.outcome.head)
}
