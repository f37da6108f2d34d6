//! Why nothing runs, and how a run differs from its plan.

use crate::chain::ApprovalFault;
use crate::codec::plan::PlanFileError;
use crate::crypto::KeyId;
use crate::model::{Cid, NameError, Timestamp};

/// Why nothing runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClearanceError {
    #[error("what runs here has to be planned, and approved by {approvals} people")]
    PlanNeeded { approvals: u32 },
    #[error("the plan cannot be read: {0}")]
    Unreadable(#[from] PlanFileError),
    #[error("the plan is for the chain {planned}, and this one is {here}")]
    OtherChain { planned: Cid, here: Cid },
    #[error("the plan is for {planned}, and this is {here}")]
    OtherTarget { planned: String, here: String },
    #[error("the plan is to {planned} migrations, and this command does not")]
    OtherDirection { planned: &'static str },
    #[error("the plan expired at {at}")]
    Expired { at: Timestamp },
    #[error("the plan is dated {at}, which has not come yet by this machine's clock")]
    FromTheFuture { at: Timestamp },
    #[error("the signature by key {keyid} is not over the plan")]
    BadSignature { keyid: KeyId },
    #[error(
        "key {keyid}, which signed the plan, does not count here: it is not in the trust document, or is revoked"
    )]
    UnknownAuthor { keyid: KeyId },
    #[error("the plan asks for less than is asked for here: {what}")]
    Weaker { what: &'static str },
    #[error("migrations were applied, rolled back or repaired since the plan was made")]
    HistoryMoved,
    #[error("the schema is not the one that the plan was made for")]
    SchemaMoved { planned: String, found: String },
    #[error("what would run is not what was planned: {0}")]
    Differs(Difference),
    #[error("{counted} of {needed} approvals count")]
    NotApproved { counted: u32, needed: u32, refused: Vec<ApprovalFault> },
    #[error("the plan was carried out or given up before, as entry {seq} tells")]
    UsedBefore { seq: u64 },
    #[error(
        "entry {seq} archived the plan, and of the approvals that it has {counted} of {needed} count now"
    )]
    Outlived { seq: u64, counted: u32, needed: u32 },
    #[error("the plan has {bytes} bytes, more than a plan file may have")]
    TooLarge { bytes: usize },
    #[error(
        "the plan is archived and at {current} of {needed} of the replicas that must have it before anything runs"
    )]
    NotReplicated { current: usize, needed: usize },
    #[error("replicas must have the plan before anything runs, and there are none")]
    NoReplicas,
    #[error(transparent)]
    Name(#[from] NameError),
}

/// How a run differs from its plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    #[error("{planned} is planned at place {place}, and {found} would run there")]
    Order { place: usize, planned: String, found: String },
    #[error("{version} is planned, and it is not pending")]
    Missing { version: String },
    #[error("`{file}` of {version} has other bytes: it was {planned}, and is {found}")]
    Bytes { version: String, file: String, planned: Cid, found: Cid },
    #[error("the files of {version} are other ones, or have other names")]
    Files { version: String },
    #[error("{version} would run {}", if *transaction { "in a transaction, and was planned without one" } else { "without a transaction, and was planned in one" })]
    Transaction { version: String, transaction: bool },
}
