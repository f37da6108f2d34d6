//! Rules over manifests: how a chain grows, how its tree is hashed, and what makes it sound. No I/O:
//! blocks are handed in and handed out.

mod append;
mod entry;
mod finding;
mod head_check;
mod report;
mod restore;
mod sealed;
mod snapshot;
mod story;
mod tree;
mod verify;
mod walk;

pub use append::{AppendError, Appender, NewFile};
pub use entry::{EntryCheck, EntryVerdict};
pub use finding::{Fault, Finding, FindingKind, Text};
pub use report::{Established, Report};
pub use restore::RestoreError;
pub use sealed::{SealedCounts, SealedFile, SealedState};
pub use snapshot::{EntriesTree, Snapshot};
pub use tree::{FullTile, MerkleTree, leaf_hash, node_hash};
pub use verify::{Anchor, Options, Verifier};
pub use walk::Fetched;

/// A block that was made: its name and its bytes.
pub type Block = (crate::model::Cid, Vec<u8>);
