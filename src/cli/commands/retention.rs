use clap::{Args, Subcommand};

use super::erase::reply;
use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::ops::erase::{RETENTION, Request, Target, Unknown};
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
    let (what, basis) = (Target::Due, RETENTION.to_owned());
    let request = Request { what, basis, reference, unknown: Unknown::Elsewhere };
    reply("retention", context, &request)
}
