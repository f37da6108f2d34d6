//! Hooks: scripts and programs of a project that are asked before and after what greffe does.
//!
//! | file | what it is |
//! |---|---|
//! | [`event`] | when a hook is asked |
//! | [`name`] | what a file's name says, and what is wrong with it |
//! | [`filter`] | for which sectors, targets and environments a hook is |
//! | [`context`] | what a hook is told |
//! | [`verdict`] | what a hook answers |
//! | [`language`] | policy hooks: scripts that are judged without clock, files or network |
//! | [`answer`] | what a program printed, as a verdict |
//!
//! Nothing here reads a folder or starts a program. The same source and the same context give the same verdict on every
//! machine, which is what `greffe verify` stands on.

pub mod answer;
pub mod context;
pub mod event;
pub mod filter;
pub mod language;
pub mod name;
pub mod verdict;

pub use context::Context;
pub use event::{HookEvent, What, When};
pub use filter::Filter;
pub use language::{Language, Policy};
pub use name::{HookName, Kind, Misnamed};
pub use verdict::{Outcome, Verdict};

use crate::scripts::meaning::words;

/// The schema of [`Context`], as JSON Schema 2020-12.
pub const SCHEMA: &str = include_str!("../../../docs/hook.schema.json");

/// A name without accents, case and punctuation: sectors, targets and environments are compared so.
#[must_use]
pub fn folded(name: &str) -> String {
    words(name.as_bytes()).replace(' ', "")
}

/// The valid name that someone may have meant by an unknown one: at most a third of it is otherwise.
fn nearest<'a>(name: &str, valid: impl Iterator<Item = &'a str>) -> Option<String> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let wanted = plain(name);
    if name.len() > 64 {
        return None;
    }
    let distance = |valid: &str| strsim::osa_distance(&wanted, &plain(valid));
    let found = valid.min_by_key(|valid| distance(valid))?;
    (distance(found) * 3 <= found.len()).then(|| found.to_owned())
}
