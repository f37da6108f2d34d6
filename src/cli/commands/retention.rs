use clap::{Args, Subcommand};

use super::erase::reply;
use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::ops::erase::{RETENTION, Request, Target};
use crate::ops::today;

/// Erase what is kept for long enough
#[derive(Args)]
pub struct Retention {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Erase the months that `vault.retention` says are over
    Run,
}

pub fn run(context: &Context, arguments: &Retention) -> CommandResult {
    let Action::Run = arguments.action;
    let reference = format!("retention-{}", today());
    let request = Request { what: Target::Due, basis: RETENTION.to_owned(), reference };
    reply("retention", context, &request)
}
