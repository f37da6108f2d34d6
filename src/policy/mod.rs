//! What has to hold before scripts run, beyond what greffe asks of every script.
//!
//! - [`hooks`]: what a project's own scripts and programs say of a run, and what they are told
//! - [`packs`]: the rules of a sector, and of an owner, as documents that anyone can read

pub mod hooks;
pub mod packs;
