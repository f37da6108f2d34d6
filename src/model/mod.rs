//! What an archive is, as plain values. No bytes on disk, no rules over several values.

mod checkpoint;
mod cid;
mod event;
mod fork;
mod head;
mod ipns;
mod line_feed;
mod manifest;
mod names;
mod plan;
mod relation;
mod remembered;
mod statement;
mod text;
mod time;
mod token;
mod trust;
mod trust_change;

pub use checkpoint::Checkpoint;
pub use cid::{CID_LENGTH, Cid, CidError, Codec, link};
pub use event::{
    Access, AccessFailure, AccessKind, Actor, Captured, CapturedRole, Details, Direction, Engine,
    ErasurePlace, ErasureReach, ErrorCode, Event, EventKind, Evidence, Executor, FileDigests, Hook,
    JudgedRule, Left, MigrationDetails, MigrationName, Outcome, PlaceOutcome, PlanDetails, Planned,
    PolicyPack, PolicyVerdicts, Run, SchemaChange, Served, StatementRun, Target, ToolSays, WithheldFile,
};
pub use fork::{ForkEvidence, TrustEntry};
pub use head::{ENTRIES_WIDTH, Head};
pub use ipns::{IpnsName, IpnsNameError, IpnsRecord, in_base};
pub use line_feed::{LineFeedHasher, line_feed_digest, line_feed_form};
pub use manifest::{FileEntry, Manifest, Role};
pub use names::{ChainName, ContentKeyId, EventId, FileName, NameError, Pseudonym};
pub use plan::{
    Approval, Approver, PlanPolicy, PlannedFile, PlannedMigration, PlannedSchema, PlannedTarget, RunPlan,
};
pub use relation::{Column, ForeignKey, Hop, OnDelete, Path, Relation, RelationKind, Replacement, ValueKind};
pub use remembered::Remembered;
pub use statement::{PAYLOAD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE, Statement, Subject};
pub use time::{TimeError, Timestamp, is_day};
pub use token::{Scope, TokenEntry};
pub use trust::{KeyRole, Revocation, RevocationReason, Thresholds, TrustDocument, TrustedKey};
pub use trust_change::{TrustChange, trust_changes};
