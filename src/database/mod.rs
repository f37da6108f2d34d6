//! Targets: the databases that scripts run on. A target runs scripts, keeps its history in the same
//! transaction, and tells the fingerprint of its schema. It knows neither archive nor keys.

mod history;
pub mod mysql;
mod rows;
mod schema;
pub mod sqlite;

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

pub use history::{Applied, History, HistoryRow, Record, RowState};
pub use schema::{Access, ObjectName, Schema, digest_of_digests};

use crate::crypto::Digest;
use crate::model::{Cid, Direction, Engine, EventId, EventKind, FileDigests, MigrationName, Timestamp};

/// A script with the digests that the history keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFile {
    pub file_name: String,
    pub bytes: Vec<u8>,
}

/// One statement of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Where it stands in the script, in bytes.
    pub range: Range<usize>,
    /// What events call it, such as `CREATE TABLE`.
    pub kind: String,
}

/// One script to run, and what the history is to say of it.
#[derive(Clone, Debug)]
pub struct Step {
    pub id: EventId,
    /// [`EventKind::Apply`] or [`EventKind::Rollback`].
    pub event: EventKind,
    pub migration: MigrationName,
    /// The text that runs: UTF-8, no byte order mark.
    pub sql: String,
    /// The statements of `sql`, in order.
    pub statements: Vec<Statement>,
    /// Whether script and history row are one transaction.
    pub transaction: bool,
    pub up: Option<ScriptFile>,
    pub down: Option<ScriptFile>,
    pub record: Record,
}

/// An event that runs nothing.
#[derive(Clone, Debug)]
pub struct Declaration {
    pub id: EventId,
    /// [`EventKind::Repair`] or [`EventKind::Drift`].
    pub event: EventKind,
    /// What the version counts as from here on.
    pub direction: Direction,
    /// Empty where the event is about no migration.
    pub version: String,
    pub up: Option<ScriptFile>,
    pub down: Option<ScriptFile>,
    pub record: Record,
}

/// An event that is in the history and not in the archive.
#[derive(Clone, Debug)]
pub struct Unarchived {
    pub row: HistoryRow,
    /// Gone once it is archived.
    pub record: Option<Record>,
    pub up: Option<ScriptFile>,
    pub down: Option<ScriptFile>,
}

/// Where an event stands in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub id: EventId,
    pub seq: u64,
    pub manifest: Cid,
    /// Manifest of the trust document in force there.
    pub trust: Cid,
}

/// What a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetIdentity {
    pub engine: Engine,
    /// The server's own version.
    pub version: String,
}

/// Why a target did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the database URL cannot be used: {0}")]
    Url(&'static str),
    #[error("there is no database at {0}")]
    Missing(PathBuf),
    #[error("cannot open the database")]
    Open(#[source] Failure),
    #[error("another run holds the lock {lock} after {waited:?}")]
    Locked { lock: PathBuf, waited: Duration },
    #[error("cannot lock {lock}")]
    Lock {
        lock: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("another run holds the lock {lock} after {waited:?}{holder}")]
    LockedBy { lock: String, waited: Duration, holder: String },
    #[error("cannot take the lock {lock}")]
    LockFailed {
        lock: String,
        #[source]
        source: Failure,
    },
    #[error("the lock {lock} was lost during this run: its connection ended")]
    LockLost { lock: String },
    #[error("a message of {length} bytes is longer than the server takes: max_allowed_packet is {limit}")]
    TooLong { length: usize, limit: usize },
    #[error(
        "the connection was lost at statement {statement} of {version}: whether it took effect is not known"
    )]
    Interrupted {
        version: String,
        statement: u64,
        #[source]
        source: Failure,
    },
    #[error("cannot bring greffe's own table up to date")]
    OwnSchema(#[source] Failure),
    #[error("cannot read or write the history")]
    History(#[source] Failure),
    #[error("row {position} of the history is not what greffe writes: {detail}")]
    HistoryDamaged { position: i64, detail: String },
    #[error("someone else wrote the history during this run")]
    Concurrent,
    #[error("the script's row in greffe's history is gone: the script removed it")]
    RowGone,
    #[error("cannot read the schema")]
    Schema(#[source] Failure),
    #[error("the script ended the transaction that it runs in")]
    TransactionEnded,
}

/// An error of a database server or driver, without its text: that may hold values of rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("the database answered with code {code}{}", hint.map(|hint| format!(" ({hint})")).unwrap_or_default())]
    Server { code: String, hint: Option<&'static str> },
    #[error("the connection failed: {0}")]
    Connection(String),
    #[error("the driver failed: {0}")]
    Driver(&'static str),
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    Done,
    /// The script failed; the history says so. `partial`: what ran before stays, for there was no transaction.
    Failed {
        failure: Failure,
        statement: u64,
        partial: bool,
    },
}

/// A database that scripts run on.
///
/// Contract:
/// - [`Target::run`] and the row that tells of it are one transaction, unless the step asks for none or the
///   engine's definitions commit by themselves: then a row `started` is durable before the first statement runs.
/// - A row is durable when the call that wrote it returned.
/// - [`Target::lock`] is held until the target is dropped or the process ends; no call releases another's.
/// - Calls that only read create nothing: neither a file nor a table.
pub trait Target {
    /// Engine and version.
    fn identity(&self) -> TargetIdentity;

    /// Takes the run lock, waiting at most `wait`.
    fn lock(&mut self, wait: Duration) -> impl Future<Output = Result<(), DatabaseError>>;

    /// Creates or updates greffe's own table. The lock has to be held.
    fn prepare(&mut self) -> impl Future<Output = Result<(), DatabaseError>>;

    /// All rows in order; none when greffe's table does not exist. A table of an older greffe is read as well.
    fn history(&mut self) -> impl Future<Output = Result<Vec<HistoryRow>, DatabaseError>>;

    /// At most `limit` finished rows after `after` that are not archived, in order, with records and scripts. The
    /// table has to be up to date ([`Target::prepare`]).
    fn unarchived(
        &mut self,
        after: i64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Unarchived>, DatabaseError>>;

    /// Notes where events stand in the archive, and drops what was kept for it: records and scripts; all or none.
    fn mark_archived(&mut self, places: &[Place]) -> impl Future<Output = Result<(), DatabaseError>>;

    /// Runs a script and records how it ended; `clock` is asked for times. `following`: what is run next if
    /// this ends well; its transaction may begin in the message that ends this one.
    fn run(
        &mut self,
        step: &Step,
        following: Option<&Step>,
        clock: &dyn Fn() -> Timestamp,
    ) -> impl Future<Output = Result<StepOutcome, DatabaseError>>;

    /// Ends a row that a crash left as `started`: it becomes `fail`, `partial`.
    fn close_started(
        &mut self,
        id: EventId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), DatabaseError>>;

    /// Records events that run nothing; all or none.
    fn declare(
        &mut self,
        declarations: &[Declaration],
        now: Timestamp,
    ) -> impl Future<Output = Result<(), DatabaseError>>;

    /// The schema as it is: its canonical text.
    fn schema(&mut self) -> impl Future<Output = Result<Schema, DatabaseError>>;

    /// The canonical text's name and digest for the schema as it is; no dearer than needed.
    fn fingerprint(&mut self) -> impl Future<Output = Result<(&'static str, Digest), DatabaseError>>;

    /// Closes the connection and gives the lock back.
    fn close(self) -> impl Future<Output = ()>;
}

/// Digests of both scripts of a migration, where there are such scripts.
pub type ScriptDigests = (Option<FileDigests>, Option<FileDigests>);
