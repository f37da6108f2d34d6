//! Why a use case could not finish.

use std::path::PathBuf;

use super::KeyUnavailable;
use super::clearance::ClearanceError;
use super::hooks::{Denied, HooksError, Told};
use super::plan::Problem;
use super::policy::PolicyError;
use super::promotion::PromotionError;
use super::record::RecordError;
use crate::chain::proof::ProofError;
use crate::chain::{AppendError, Finding, RestoreError};
use crate::codec::dag_cbor::DagCborError;
use crate::codec::dsse::EnvelopeError;
use crate::codec::statement::StatementError;
use crate::database::{DatabaseError, Failure};
use crate::model::{Cid, Engine, EventId, EventKind, FileName, NameError, Timestamp};
use crate::scripts::FolderError;
use crate::scripts::tools::plain::PlainError;
use crate::store::{ArchiveError, ReadError, WriteError};
use crate::vault::VaultError;

/// Why a use case could not finish.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    #[error(transparent)]
    Hooks(#[from] HooksError),
    #[error(transparent)]
    Denied(Box<Denied>),
    #[error("{0} answers of hooks, with what they were told, are more than one event of the archive holds")]
    TooManyAnswers(usize),
    #[error("{error}")]
    WithHooks {
        error: Box<OpsError>,
        /// What hooks said before and after it.
        told: Vec<Told>,
    },
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Plain(#[from] PlainError),
    #[error(transparent)]
    Tool(#[from] Box<RecordError>),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("the packs and what they are asked about have {size} bytes, and an event keeps {limit}")]
    PolicyTooLarge { size: usize, limit: usize },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Key(#[from] KeyUnavailable),
    /// That of the vault's owner.
    #[error(transparent)]
    OwnerKey(KeyUnavailable),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("the archive cannot be continued from its head: {0}")]
    Restore(#[from] RestoreError<Box<ArchiveError>>),
    #[error(transparent)]
    Clearance(#[from] ClearanceError),
    #[error(transparent)]
    Promotion(#[from] PromotionError),
    #[error("there is nothing to plan: nothing is pending")]
    NothingToPlan,
    #[error("entry {0} is no plan")]
    NotAPlan(u64),
    #[error("{} problem(s) stand in the way", .0.len())]
    Problems(Vec<Problem>),
    #[error("{what} {cid} cannot be read: {source}")]
    Block { what: &'static str, cid: Cid, source: BlockError },
    #[error("{what} {cid} is not in the archive")]
    BlockMissing { what: &'static str, cid: Cid },
    #[error("entry {0} is not in the archive: it has entries 0 to {1}")]
    NoEntry(u64, u64),
    #[error(
        "no entry of the chain is of the release {0:?}: neither a build nor a migration goes by that name"
    )]
    NoRelease(String),
    #[error("the rules that look at scripts have no thread")]
    NoThread(#[source] std::io::Error),
    #[error("{0} is neither an entry's number nor a CID in the archive")]
    NotInArchive(String),
    #[error("{} has lost its end: its head was {named}, the newest head that it holds is {newest}", path.display())]
    HeadLost { path: PathBuf, named: Cid, newest: Cid },
    #[error("this machine's clock says {now}, and the newest entry of the archive ended at {newest}")]
    ClockBehind { now: Timestamp, newest: Timestamp },
    #[error("the archive is of the chain {found}, the settings name {expected}")]
    OtherChain { expected: Cid, found: Cid },
    #[error("the database says that entry {seq} is {history}; in the archive it is {archive}")]
    HistoryDiffers { seq: u64, history: Cid, archive: Cid },
    #[error("the database knows {history} entries of the archive, which has only {archive}")]
    ArchiveBehind { history: u64, archive: u64 },
    #[error("the archive holds events that the database does not know, from entry {first} to entry {last}")]
    HistoryBehind { first: u64, last: u64 },
    #[error("version {0} is not applied, so it cannot be rolled back to it")]
    NotApplied(String),
    #[error("version {0} is not in the migrations folder")]
    UnknownVersion(String),
    #[error("version {version} cannot be repaired as {wanted}: {reason}")]
    CannotRepair { version: String, wanted: &'static str, reason: &'static str },
    #[error("migration {version} has no way down: no `.down.sql` was archived with it")]
    NoWayDown { version: String },
    #[error("the archived way down of {version} is not the one that the database noted: {detail}")]
    WayDownDiffers { version: String, detail: String },
    #[error("only {applied} migrations are applied, {asked} cannot be rolled back")]
    TooManySteps { asked: usize, applied: usize },
    #[error("the replay could not go on here: {version} failed in statement {statement}: {failure}")]
    ReplayStopped { version: String, statement: u64, failure: Failure },
    #[error("the replay makes the role {role} (migration {version}), and the server has one of that name")]
    RoleExists { role: String, version: String },
    #[error(
        "the replay makes the role {role} (migration {version}), and the role that runs it may make none"
    )]
    MakesRoles { role: String, version: String },
    #[error("the chain tells of a {first:?} database and of a {other:?} database; a replay is of one")]
    SeveralEngines { first: Engine, other: Engine },
    #[error("{} already exists", .0.display())]
    Exists(PathBuf),
    #[error("{} cannot be {done}", path.display())]
    File {
        path: PathBuf,
        done: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is verified with {findings} finding(s), so it is not imported", path.display())]
    ImportFindings { path: PathBuf, findings: usize },
    #[error("{} holds the chain {found}, not {expected}", path.display())]
    ImportOtherChain { path: PathBuf, found: Cid, expected: Cid },
    #[error("{} does not continue the archive: its entry {seq} is another one", path.display())]
    ImportFork { path: PathBuf, seq: u64 },
    #[error("{} begins with a manifest, not with a head, so an archive cannot be made of it", path.display())]
    ImportNoHead { path: PathBuf },
    #[error("{} has {found} entries and the archive already has {present}", path.display())]
    ImportOlder { path: PathBuf, found: u64, present: u64 },
    #[error("block {cid} is not at hand, and not every source that may have it answers")]
    OutOfReach {
        cid: Cid,
        /// What each source did wrong.
        faults: Vec<String>,
        /// What was found in the blocks before.
        found: Vec<Finding>,
    },
    #[error("block {0} is not here, and no source that gives blocks is named")]
    NoSource(Cid),
    #[error("block {0} is at none of the sources")]
    Nowhere(Cid),
    #[error("{0} is no head, so there is nothing to mirror")]
    NotAHead(Cid),
    #[error("the source shows the chain {shown}, and {} holds another one and nobody named this one", directory.display())]
    UnnamedChain { directory: PathBuf, shown: Cid },
    #[error("{} is the archive of the chain {found}, not of {expected}", path.display())]
    NameTaken { path: PathBuf, found: Cid, expected: Cid },
    #[error(
        "the `{event}` event {id} is not archived: its `{member}` holds what is never published ({rule})"
    )]
    Unpublishable {
        event: EventKind,
        id: EventId,
        /// Where in the statement, or which file.
        member: String,
        rule: String,
    },
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("sealed file {name} ({cid}) is not what was sealed: {detail}")]
    SealedDiffers { name: FileName, cid: Cid, detail: String },
    #[error("the erasure's `{member}` is not one that can be published")]
    Basis { member: &'static str },
    #[error("nothing may be erased while the hold {hold} stands: {reason}")]
    Held { hold: String, reason: String },
    #[error("entry {seq} has to be kept until {until}")]
    TooYoung { seq: u64, until: Timestamp },
    #[error(
        "the access chain {} has {found} of the {noted} entries that the vault knows of, so nothing is opened", path.display()
    )]
    AccessLost { path: PathBuf, noted: u64, found: u64 },
    #[error("no time is set after which sealed content is erased")]
    NoRetention,
    #[error("the grant's `{member}` is not one that can be granted")]
    Terms { member: &'static str },
    #[error("these entries have no sealed file with a key")]
    NothingSealed,
    #[error("the grant cannot be used: {reason}")]
    Grant { reason: &'static str },
    #[error("the trust document names no timestamp authority, so no timestamp would be taken")]
    NoAuthority,
    #[error("the head's checkpoint is not signed by a key that may sign entries, so it is not timestamped")]
    Unsigned,
    #[error("entry {seq} is sealed, and there is no key for it here")]
    SealedHere { seq: u64 },
    #[error("{} cannot be evidence: {reason}", file.display())]
    EvidenceDamaged { file: PathBuf, reason: String },
    #[error("evidence of entry {seq} would not hold, so none is written: {}", .findings.first().map(ToString::to_string).unwrap_or_default())]
    EvidenceFindings { seq: u64, findings: Vec<Finding> },
    #[error("no entry tells of version {0}")]
    NoVersion(String),
    #[error("the tree of head {head}: {source}")]
    Tree { head: Cid, source: Box<ProofError> },
    #[error("nothing can be compared with the archive's head {head}: {detail}")]
    Incomparable { head: Cid, detail: String },
    #[error("head {head} contradicts itself: {detail}")]
    HeadInconsistent { head: Cid, detail: &'static str },
    #[error(transparent)]
    Name(#[from] NameError),
}

impl From<Denied> for OpsError {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl From<RecordError> for OpsError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Ops(error) => *error,
            other => Self::Tool(Box::new(other)),
        }
    }
}

/// Why a block of the archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    #[error(transparent)]
    DagCbor(#[from] DagCborError),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Statement(#[from] StatementError),
    #[error(transparent)]
    UnixFs(#[from] crate::codec::unixfs::UnixFsError),
    #[error(transparent)]
    Links(#[from] crate::codec::links::LinksError),
    #[error(transparent)]
    Trust(#[from] crate::codec::trust::TrustError),
    #[error(transparent)]
    Note(#[from] crate::codec::note::NoteError),
    #[error("it has no checkpoint")]
    NoCheckpoint,
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
}
