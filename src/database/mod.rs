//! Targets: the databases that scripts run on. A target runs scripts, keeps its history in the same
//! transaction, and tells the fingerprint of its schema. It knows neither archive nor keys.

mod any;
pub mod capture;
mod executed;
pub mod guard;
mod history;
mod limit;
pub mod mysql;
pub mod people;
pub mod postgres;
mod rows;
mod schema;
pub mod sqlite;
mod tool_history;
mod tool_tables;

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

pub use any::{Database, Scratch};
pub use history::{Applied, DamagedRow, History, HistoryRow, Record, RowState};
pub use schema::{Grants, ObjectName, Schema, SchemaDifference, digest_of_digests};
pub use tool_history::{Keeper, ToolEntry, ToolHistory, ToolWrites, timed};
pub use tool_tables::{ToolColumn, ToolTable};

use crate::crypto::Digest;
use crate::model::{Cid, Direction, Engine, EventId, EventKind, FileDigests, MigrationName, Timestamp};

/// A script with the digests that the history keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFile {
    pub file_name: String,
    pub bytes: Vec<u8>,
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing is created or changed.
    Read,
    /// A database in a file is created when it is missing, else only read until it is locked: what turns out to
    /// need no change leaves no trace.
    Write,
}

/// How to open a database.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub access: Access,
    /// SQLite: whether foreign keys are enforced while scripts run.
    pub foreign_keys: bool,
    /// SQLite: how long to wait for a lock that another program holds on the file.
    pub busy_timeout: Duration,
    /// Servers: how long a statement waits for a lock; zero for ever, `None` as the server has it.
    pub lock_timeout: Option<Duration>,
    /// Servers: how long a statement may run; zero for ever, `None` as the server has it.
    pub statement_timeout: Option<Duration>,
}

impl Options {
    /// What holds unless something else is asked for.
    #[must_use]
    pub const fn new(access: Access) -> Self {
        let busy_timeout = Duration::from_secs(5);
        Self { access, foreign_keys: true, busy_timeout, lock_timeout: None, statement_timeout: None }
    }

    /// How long a script of others may run as a whole: as long as a statement may, else ten minutes.
    #[must_use]
    pub fn script_limit(&self) -> Duration {
        self.statement_timeout.filter(|limit| !limit.is_zero()).unwrap_or(limit::SCRIPT)
    }
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
    /// What another tool's table is to say of it.
    pub tool: ToolWrites,
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
    /// Statements that let another tool's table say the same.
    pub tool: Vec<String>,
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
    #[error("the database is not empty")]
    NotEmpty,
    #[error("scripts of others are not run by a role that {may}")]
    TooPowerful { may: &'static str },
    #[error("another replay runs as this role, which may make roles: whose a new role is could not be told")]
    OtherReplay,
    #[error("scripts of others are not run by a role that may change other roles: {}", roles.join(", "))]
    Administers { roles: Vec<String> },
    #[error("a script changed the password of the role that it ran as")]
    PasswordChanged,
    #[error("a script of the replay did not end within {limit:?}, and was ended")]
    TookTooLong { limit: Duration },
    #[error("roles that the replay made are still there: {}", roles.join(", "))]
    RolesLeft {
        roles: Vec<String>,
        #[source]
        source: Failure,
    },
    #[error("cannot open the database")]
    Open(#[source] Failure),
    #[error("another run holds the lock {lock} after {waited:?}")]
    Locked { lock: PathBuf, waited: Duration },
    #[error("another run holds the lock of this database after {waited:?}{}", held_by(holder.as_ref()))]
    Held { waited: Duration, holder: Option<LockHolder> },
    #[error("this run's lock on the database cannot be held")]
    LockLost(#[source] Failure),
    #[error("the connection was lost while a script ran")]
    Lost(#[source] Failure),
    #[error("cannot lock {lock}")]
    Lock {
        lock: PathBuf,
        #[source]
        source: std::io::Error,
    },
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
    #[error("the history does not say of {version} what was run: a script or someone else changed its row")]
    RowDiffers { version: String },
    #[error("someone else wrote the history during this run")]
    Concurrent,
    #[error("the script's row in greffe's history is gone: the script removed it")]
    RowGone,
    #[error("cannot read the schema")]
    Schema(#[source] Failure),
    #[error("cannot read or change the person's rows")]
    People(#[source] Failure),
    #[error("cannot read another tool's history")]
    ToolHistory(#[source] Failure),
    #[error("cannot install or remove the capture")]
    Capture(#[source] Failure),
    #[error("changes of a history are captured on PostgreSQL and SQLite alone")]
    NoCapture,
    #[error(transparent)]
    Guard(#[from] guard::GuardError),
    #[error("table {table} has more than {limit} rows, which no tool's history has")]
    ManyRows { table: String, limit: usize },
    #[error("row {row} of table {table} has more than {limit} characters in `{column}`")]
    LongText { table: String, row: usize, column: String, limit: usize },
    #[error("the script ended the transaction that it runs in")]
    TransactionEnded,
}

impl DatabaseError {
    /// Whether it says that the history has no such table or column: an older greffe made it.
    #[must_use]
    pub fn is_of_older_history(&self) -> bool {
        // SQLite has one code for both; then those of MySQL and MariaDB, and of PostgreSQL.
        const MISSING: [&str; 6] = ["1", "1054", "1146", "42703", "42P01", "3F000"];
        matches!(self, Self::History(Failure::Server { code, .. }) if MISSING.contains(&code.as_str()))
    }
}

/// An error of a database server or driver, without its text: that may hold values of rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error(
        "the database answered with code {code}{}{}{}",
        hint.map(|hint| format!(" ({hint})")).unwrap_or_default(),
        object.as_ref().map(|object| format!(", {object}")).unwrap_or_default(),
        position.map(|position| format!(", at character {position}")).unwrap_or_default()
    )]
    Server {
        code: String,
        hint: Option<&'static str>,
        /// What the server says it is about, such as `constraint a_check of public.a`.
        object: Option<String>,
        /// Where in the script, in characters from 1.
        position: Option<u64>,
    },
    #[error("the connection failed: {0}")]
    Connection(String),
    #[error("the driver failed: {0}")]
    Driver(&'static str),
}

/// Who holds a database's run lock, as far as the server tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockHolder {
    /// The server's number for the session.
    pub session: i64,
    pub program: Option<String>,
    pub address: Option<String>,
    /// When that session began.
    pub since: Option<String>,
}

fn held_by(holder: Option<&LockHolder>) -> String {
    let Some(LockHolder { session, program, address, since }) = holder else { return String::new() };
    let part = |word: &str, value: &Option<String>| {
        value.as_ref().filter(|value| !value.is_empty()).map(|value| format!(" {word} {value}"))
    };
    let parts = [part("of", program), part("from", address), part("since", since)];
    format!(": session {session}{}", parts.into_iter().flatten().collect::<String>())
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
        /// What it left behind unusable, such as an invalid index.
        leftovers: Vec<String>,
    },
}

/// A database that scripts run on.
///
/// Contract:
/// - [`Target::run`] and the row that tells of it are one transaction, unless the step asks for none or the
///   engine's definitions commit by themselves: then a row `started` is durable before the first statement runs.
/// - A row is durable when the call that wrote it returned.
/// - Nothing is written before [`Target::lock`]. The lock is held until the target is dropped or the process
///   ends; no call releases another's.
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

    /// The positions of all rows in order; none when greffe's table does not exist.
    fn positions(&mut self) -> impl Future<Output = Result<Vec<i64>, DatabaseError>>;

    /// The row at `position`, by itself.
    fn row_at(&mut self, position: i64) -> impl Future<Output = Result<Option<HistoryRow>, DatabaseError>>;

    /// As [`Target::history`]; rows that greffe did not write like this are told apart, and hide no other.
    fn history_with_damage(
        &mut self,
    ) -> impl Future<Output = Result<(Vec<HistoryRow>, Vec<DamagedRow>), DatabaseError>> {
        async {
            match self.history().await {
                Ok(rows) => return Ok((rows, Vec::new())),
                Err(DatabaseError::HistoryDamaged { .. }) => {}
                Err(error) => return Err(error),
            }
            let (mut rows, mut damaged) = (Vec::new(), Vec::new());
            for position in self.positions().await? {
                match self.row_at(position).await {
                    Ok(row) => rows.extend(row),
                    Err(DatabaseError::HistoryDamaged { detail, .. }) => {
                        damaged.push(DamagedRow { position, detail });
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok((rows, damaged))
        }
    }

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

    /// The statement that a row which a crash left as `started` had come to, from 1, where the history tells: it may
    /// have run or not, those before it did.
    fn reached(&mut self, _id: EventId) -> impl Future<Output = Result<Option<u64>, DatabaseError>> {
        async { Ok(None) }
    }

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

    /// Runs statements that make another tool's table; all or none where the engine can. The lock has to be held.
    fn make_tool_table(&mut self, statements: &[String]) -> impl Future<Output = Result<(), DatabaseError>>;

    /// The schema as it is: its canonical text.
    fn schema(&mut self) -> impl Future<Output = Result<Schema, DatabaseError>>;

    /// The canonical text's name and digest for the schema as it is; no dearer than needed.
    fn fingerprint(&mut self) -> impl Future<Output = Result<(&'static str, Digest), DatabaseError>>;

    /// What is left out of the schema without being what greffe or the engine makes: objects among greffe's own, and
    /// those of greffe's own that were changed. [`SchemaDifference::before`] is what greffe makes.
    fn own_differences(&mut self) -> impl Future<Output = Result<Vec<SchemaDifference>, DatabaseError>>;

    /// Closes the connection and gives the lock back.
    fn close(self) -> impl Future<Output = ()>;
}

/// Digests of both scripts of a migration, where there are such scripts.
pub type ScriptDigests = (Option<FileDigests>, Option<FileDigests>);
