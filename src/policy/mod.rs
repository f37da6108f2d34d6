//! Rules about a run before it begins: hooks.
//!
//! - [`hooks`]: what a project's own scripts and programs say of a run, and what they are told

pub mod hooks;
