//! Policy packs: the rules of a sector as a document, asked about facts.
//!
//! | file | what it is |
//! |---|---|
//! | [`sector`] | what people call a sector, with accents and without |
//! | [`members`] | reads a document, and names what is misspelt |
//! | [`check`] | what a rule can ask for, and which of two is the stricter |
//! | [`pack`] | a pack and its rules |
//! | [`library`] | packs that build on one another, and what holds where several are in force |
//! | `resolved` | a pack with what it takes over |
//! | [`mod@look`] | what a script does to tables and columns of a class |
//! | [`facts`] | all that a verdict is about |
//! | [`judge`](mod@judge) | verdicts |
//!
//! A verdict depends on packs and facts alone: whoever has both comes to the same. Facts name no table, no column, no
//! person and no value, so that they can be archived in clear beside scripts that are sealed.

pub mod check;
pub mod facts;
pub mod judge;
pub mod library;
pub mod look;
pub mod members;
pub mod pack;
mod resolved;
pub mod sector;

use crate::crypto::Digest;

pub use check::{Check, Kind, Who};
pub use facts::{Attestation, Declared, Facts, ReplicaFacts, ScriptFacts};
pub use judge::{Outcome, Verdict, approvals_needed, judge, judge_each};
pub use library::{Disagreement, InForce, Library, LibraryError};
pub use look::{Classes, look};
pub use pack::{Level, Pack, PackError, Rule};
pub use sector::{SECTORS, sector_named};

/// The packs that are always there, by name.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("sante", include_str!("sante.toml")),
    ("education", include_str!("education.toml")),
    ("ecommerce", include_str!("ecommerce.toml")),
];

/// What [`BUILT_IN`] was in versions of greffe that were released before, by name: archives have them.
const EARLIER: [(&str, Digest); 0] = [];

/// Whether a pack of this name may have these bytes: those that are always there are what a version of greffe has brought, so
/// that nobody archives other rules by their names.
#[must_use]
pub fn is_genuine(pack: &Pack) -> bool {
    let own = BUILT_IN.into_iter().find(|(name, _)| *name == pack.name);
    own.is_none_or(|(name, text)| {
        Digest::of(text.as_bytes()) == pack.digest || EARLIER.contains(&(name, pack.digest))
    })
}

/// The most bytes of a pack.
pub const PACK_LIMIT: usize = 256 * 1024;

#[cfg(test)]
mod tests;
