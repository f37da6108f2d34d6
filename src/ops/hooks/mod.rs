//! Hooks around what greffe does: the project's own scripts and programs.
//!
//! | file | what it is |
//! |---|---|
//! | [`folder`] | which hooks there are |
//! | [`judging`] | asks policy hooks |
//! | [`program`] | runs programs |

pub mod folder;
pub mod judging;
pub mod program;
