//! Rules over manifests: how a chain grows, how its tree is hashed, and what makes it sound. No I/O:
//! blocks are handed in and handed out.

mod append;
mod entry;
mod finding;
mod snapshot;
mod story;
mod tlog;
mod tree;
mod verify;

pub use append::{AppendError, Appender, NewFile, RestoreError};
pub use entry::{EntryCheck, EntryVerdict};
pub use finding::{Fault, Finding, FindingKind, Text};
pub use tree::{leaf_hash, node_hash};
pub use verify::{Anchor, Established, Fetched, Options, Report, Verifier};

/// A block that was made: its name and its bytes.
pub type Block = (crate::model::Cid, Vec<u8>);
