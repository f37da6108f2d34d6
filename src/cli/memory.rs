//! The memory of what this user verified before, as flags and environment say it.

use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::context::Context;
use super::error::CliError;
use super::output::remark;
use crate::chain::{Options, Report};
use crate::codec::fork::encode_fork;
use crate::model::{Cid, ForkEvidence, Remembered};
use crate::ops::standings::Standings;
use crate::store::Seen;

/// What is done about heads that were verified before.
#[derive(Args, Clone)]
pub struct MemoryArguments {
    /// Neither compare with heads that were verified before, nor remember this one
    #[arg(long)]
    no_memory: bool,
}

impl MemoryArguments {
    /// Tells the verifier what was verified before.
    pub fn recall(&self, context: &Context, options: &mut Options) -> Result<(), CliError> {
        options.remembered = self.all(context)?;
        Ok(())
    }

    /// The newest head of every chain that was verified before.
    pub fn all(&self, context: &Context) -> Result<Vec<Remembered>, CliError> {
        let Some(seen) = self.seen(context) else { return Ok(Vec::new()) };
        seen.all().map_err(|error| {
            let place = seen.directory().display();
            let text = format!("what was verified before cannot be read in {place}: {error}");
            CliError::new(Exit::Unfinished, text).hint("mend or remove that file, or pass `--no-memory`")
        })
    }

    /// Remembers a head that was verified.
    pub fn remember(&self, context: &Context, head: Option<&Remembered>) {
        let (Some(seen), Some(head)) = (self.seen(context), head) else { return };
        if let Err(error) = seen.remember(head)
            && !context.quiet
        {
            remark(&format!(
                "note: this head cannot be remembered in {}: {error}",
                seen.directory().display()
            ));
        }
    }

    /// Keeps the evidence of a fork that a verification came upon; says where.
    pub fn keep_fork(&self, context: &Context, report: &Report) -> Option<PathBuf> {
        self.keep(context, &report.chain?, report.fork.as_ref()?)
    }

    /// Keeps the evidence of a fork of a chain; says where.
    pub fn keep(&self, context: &Context, chain: &Cid, fork: &ForkEvidence) -> Option<PathBuf> {
        let seen = self.seen(context)?;
        match seen.keep_fork(chain, &encode_fork(fork)) {
            Ok(path) => Some(path),
            Err(error) => {
                let place = seen.directory().display();
                remark(&format!("note: the evidence of this fork cannot be kept in {place}: {error}"));
                None
            }
        }
    }

    /// Where verifications end, for those that go on from there.
    pub fn standings(&self, context: &Context) -> Option<Standings> {
        Some(Standings::new(self.state(context)?.join("standing")))
    }

    fn seen(&self, context: &Context) -> Option<Seen> {
        Some(Seen::new(self.state(context)?.join("seen")))
    }

    /// The folder of this user's state.
    fn state(&self, context: &Context) -> Option<PathBuf> {
        if self.no_memory {
            return None;
        }
        state_folder(context)
    }
}

/// The folder of this user's state, as the environment says it.
pub fn state_folder(context: &Context) -> Option<PathBuf> {
    let folder =
        |name: &str| context.environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("greffe"))
}
