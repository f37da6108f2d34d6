//! Hooks around what greffe does: the project's own scripts and programs.
//!
//! | file | what it is |
//! |---|---|
//! | [`folder`] | which hooks there are |
//! | [`judging`] | asks policy hooks |
//! | [`program`] | what it takes to run a program |
//! | [`round`] | the hooks of one run |
//! | [`evidence`] | what the archive keeps of them |
//! | [`telling`] | what they are told of a run of migrations |
//! | `ending` | tells them how it ended, and archives what they said |
//! | [`again`] | asks policy hooks again what an archive says they answered |

pub mod again;
mod ending;
pub mod evidence;
pub mod folder;
pub mod judging;
pub mod program;
pub mod round;
pub mod telling;

pub use ending::{attach_alone, end_run, refuse};
pub use folder::{HookSettings, Hooks, HooksError, WrongHook};
pub use round::{Denied, Round, Told};
