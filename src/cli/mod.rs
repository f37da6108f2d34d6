//! The command line: reads arguments and settings, chooses adapters, talks to people. No rules here.
//!
//! Data goes to standard output, everything else to standard error. Exit codes: 0 done or verified,
//! 1 findings, 2 wrong usage or settings, 3 could not finish, 4 archived and not yet replicated,
//! 5 not the chain that was verified before, 6 verified and stale, 70 a bug.

mod agent;
mod asking;
mod ci;
mod commands;
mod context;
mod error;
mod heads;
mod hooks;
mod language;
mod memory;
mod modes;
mod opening;
mod output;
mod owner;
#[cfg(feature = "bitswap")]
mod peers;
mod places;
mod plans;
mod policies;
mod policy;
mod processes;
mod progress;
mod sarif;
pub mod settings;
mod sources;
mod telling;
mod wrapped;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

pub use commands::Arguments;
use context::Context;
use error::CliError;
use output::Reply;
use settings::Environment;

/// What the process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    Findings,
    Usage,
    Unfinished,
    /// Archived, and not yet with the replicas that have to have it.
    Undelivered,
    /// A chain that was cut back, or does not go on from the version of it that was verified before.
    Discontinuous,
    /// Nothing is wrong, and nobody vouched for it lately.
    Stale,
    /// What another tool ended with, which greffe ran.
    Tool(u8),
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Unfinished => 3,
            Self::Undelivered => 4,
            Self::Discontinuous => 5,
            Self::Stale => 6,
            Self::Tool(code) => code,
        }
    }
}

/// What the process ends with when greffe itself is wrong.
const BUG: i32 = 70;

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        output::remark(&format!(
            "error: this is a bug in greffe: {panic}\nhint: please report it; nothing that was recorded is lost"
        ));
        std::process::exit(BUG);
    }));
    let exit = run_with(std::env::args_os(), Environment::of_process());
    ExitCode::from(exit.code())
}

/// Runs one command: its arguments, the program's name first, in an environment.
#[must_use]
pub fn run_with(arguments: impl IntoIterator<Item = OsString>, environment: Environment) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe is not an error.
            error.print().ok();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { Exit::Done } else { Exit::Usage };
        }
    };
    let unset = |value: &std::ffi::OsStr| value == "0" || value == "false";
    let json = arguments.json || environment.get("GREFFE_JSON").is_some_and(|value| !unset(value));
    output::finish(execute(arguments, environment, json), json)
}

/// Runs one command and leaves what it has to say to the caller.
fn execute(arguments: Arguments, environment: Environment, json: bool) -> CommandResult {
    let Arguments { config, quiet, settings, command, .. } = arguments;
    let context = Context { config, overrides: settings.overrides(), environment, quiet, json };
    commands::run(&context, command)
}

/// What a command comes to.
type CommandResult = Result<Reply, CliError>;
