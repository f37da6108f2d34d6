mod check;
mod list;
mod review;
mod show;

use clap::{Args, Subcommand};

use crate::cli::CommandResult;
use crate::cli::context::Context;

/// Show policy packs, and ask them about scripts and settings
///
/// A pack is a document of rules: those of the sectors `santé`, `éducation` and `e-commerce` are always there, and
/// greffe.toml says which hold. What no program can decide is shown as `attestation-required`, and never as kept.
/// docs/policy.md has a section for each rule.
#[derive(Args)]
pub struct Policy {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// The packs that there are, and which of them hold here
    List,
    /// The rules of a pack, as they hold here where it does
    Show(show::Show),
    /// What the packs that hold say of the scripts and the settings; exits with 1 on findings
    Check(check::Check),
    /// Record that you looked through the chain, as packs may ask for each day
    Review(review::Review),
}

impl Policy {
    /// Whether something is appended to the chain.
    pub const fn archives(&self) -> bool {
        matches!(self.action, Action::Review(_))
    }
}

pub fn run(context: &Context, arguments: &Policy) -> CommandResult {
    match &arguments.action {
        Action::List => list::run(context),
        Action::Show(arguments) => show::run(context, arguments),
        Action::Check(arguments) => check::run(context, arguments),
        Action::Review(arguments) => review::run(context, arguments),
    }
}
