use clap::Args;
use serde::Serialize;

use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::cli::output::Reply;
use crate::model::Cid;

/// Print the CID of the archive's head, and nothing else
#[derive(Args)]
pub struct Head {}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    head: Cid,
}

pub fn run(context: &Context, _: &Head) -> CommandResult {
    let head = context.reader()?.head();
    Ok(Reply::new(Shown { command: "head", head }, |shown, out| writeln!(out, "{}", shown.head)))
}
