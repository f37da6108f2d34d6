use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Arguments;
use crate::cli::CommandResult;
use crate::cli::output::Reply;

/// Print completions for a shell
#[derive(Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

pub fn run(arguments: &Completions) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "greffe", &mut script);
    Ok(Reply::raw(script))
}
