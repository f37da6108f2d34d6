//! What it takes to run a program that is a hook. Whoever can start processes does it.

use std::ffi::OsString;
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use crate::crypto::Digest;
use crate::policy::hooks::{HookEvent, Verdict};

/// Where and how long a program runs.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// The value of `PATH`.
    pub path: OsString,
    pub time: Duration,
}

/// What came of a program.
#[derive(Clone, Debug)]
pub struct Ended {
    pub verdicts: Vec<Verdict>,
    /// What it printed, both outputs with a heading each; empty where it printed nothing.
    pub output: Vec<u8>,
    pub duration: Duration,
}

/// Runs programs, one after the other.
///
/// Whatever a program does, this comes back within the time and a little more, with a verdict, and leaves nothing of the
/// program's process group running. The program gets nothing of this process but the document and what the bounds say.
pub trait Programs: Debug + Send + Sync {
    /// Runs a program in the folder that holds its own. That it cannot be started is a verdict, too. `program`: absolute;
    /// `sha256`: of what it has to be.
    fn run(&self, program: &Path, sha256: &Digest, event: HookEvent, input: &[u8], bounds: &Bounds) -> Ended;
}
