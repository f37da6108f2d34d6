//! Rules over manifests: how a chain grows, how its tree is hashed, and what makes it sound. No I/O:
//! blocks are handed in and handed out.

mod append;
mod approval;
mod chain_keys;
mod compact_range;
mod compromise;
mod descent;
mod ending;
mod entry;
mod evidence;
mod finding;
mod fork;
mod freshness;
mod head_check;
mod judged_hooks;
mod judged_policy;
mod planned;
pub mod proof;
mod proposal;
mod report;
mod restore;
mod sealed;
mod snapshot;
mod standing;
mod story;
mod timestamp;
mod tree;
mod verify;
mod walk;
mod witness_check;
pub mod witnessing;

pub use append::{AppendError, Appender, NewFile};
pub use approval::{ApprovalFault, JudgedApprovals, judge_approvals};
pub use chain_keys::{ChainKeys, CheckpointError, SignedCheckpoint, TrustEventError};
pub use compact_range::CompactRange;
pub use entry::{EntryCheck, EntryVerdict};
pub use evidence::{
    EntryEvidence, EvidenceReport, NotEstablished, ToldOfKey, authorities_pem, verify_evidence,
};
pub use finding::{Fault, Finding, FindingKind, Text, Whose};
pub use fork::{Fork, NoFork, compare, verify_fork};
pub use freshness::{Fresh, Freshness};
pub use judged_hooks::{HOOKS_LIMIT, JudgedHooks};
pub use judged_policy::{JudgedPolicy, POLICY_FACTS, POLICY_FOLDER, POLICY_LIMIT};
pub use proposal::{Proposal, ProposalError, TRUST_FILE, Tally};
pub use report::{
    Cosigned, Established, Promoted, PromotionsFollowed, Report, TimeBound, TimeInterval, TimeSource,
};
pub use restore::{GetBlock, RestoreError, trust_in_force};
pub use sealed::{SealedCounts, SealedFile, SealedState};
pub use snapshot::{EntriesTree, Snapshot};
pub use standing::{Claim, Continued, Recall, Said, SaidKey, Standing, version_key};
pub use timestamp::{
    Authority, NotAuthority, Stamped, TOKENS_LIMIT, TokenFault, imprints_of, verify_response, verify_token,
};
pub use tree::{FullTile, MerkleTree, leaf_hash, node_hash};
pub use verify::{Anchor, Options, Verifier};
pub use walk::Fetched;

/// A block that was made: its name and its bytes.
pub type Block = (crate::model::Cid, Vec<u8>);
