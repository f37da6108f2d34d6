//! What has to hold before scripts run, beyond what greffe asks of every script.
//!
//! - [`packs`]: the rules of a sector, and of an owner, as documents that anyone can read

pub mod packs;
