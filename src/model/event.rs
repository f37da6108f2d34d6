//! What happened to a database: the predicate of a log (FORMAT §3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cid, EventId, Pseudonym, Timestamp};
use crate::crypto::Digest;

/// The kinds of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub enum EventKind {
    Genesis,
    Plan,
    Apply,
    Rollback,
    Fail,
    Baseline,
    Stamp,
    Repair,
    Attach,
    Drift,
    Trust,
    Erase,
}

impl EventKind {
    /// The word in statements.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Fail => "fail",
            Self::Baseline => "baseline",
            Self::Stamp => "stamp",
            Self::Repair => "repair",
            Self::Attach => "attach",
            Self::Drift => "drift",
            Self::Trust => "trust",
            Self::Erase => "erase",
        }
    }

    /// Whether an event of this kind must carry [`MigrationDetails`].
    #[must_use]
    pub const fn is_of_migration(self) -> bool {
        matches!(self, Self::Apply | Self::Rollback | Self::Fail | Self::Baseline | Self::Stamp)
    }
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Database engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub enum Engine {
    Sqlite,
    Postgresql,
    Mysql,
    Mariadb,
}

/// Who acted: never a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub pseudonym: Pseudonym,
    pub role: String,
}

/// The database acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub name: String,
    pub engine: Engine,
    pub version: String,
}

/// The program that executed the scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executor {
    pub name: String,
    pub version: String,
}

/// One run of a program; its events share it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub id: EventId,
    /// Commit, job, pipeline; no person.
    #[serde(deserialize_with = "Option::deserialize")]
    pub ci: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Which migration an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationName {
    pub version: String,
    #[serde(deserialize_with = "Option::deserialize")]
    pub name: Option<String>,
    pub depends_on: Vec<String>,
    pub sectors: Vec<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub purpose: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub impact: Option<String>,
}

/// How much is known of an event; never raised later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum Evidence {
    Executed,
    Captured,
    ImportedExact,
    ImportedWeak,
    Bare,
}

/// Digests of one public file, each as `sha256:<hex>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigests {
    /// Of the bytes.
    #[serde(with = "prefixed")]
    pub raw: Digest,
    /// Of the bytes with CRLF as LF and without a byte order mark.
    #[serde(with = "prefixed")]
    pub lf: Digest,
}

impl FileDigests {
    /// The digests of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let raw = Digest::of(bytes);
        Self { raw, lf: super::line_feed_digest(bytes, raw) }
    }
}

/// A run of neighbouring statements of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementRun {
    /// Leading keywords such as `CREATE TABLE`; never an identifier or a literal.
    pub kind: String,
    pub count: u64,
    /// Microseconds.
    pub duration_us: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    pub rows: Option<u64>,
}

/// The schema's fingerprint around an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// Names the canonical text that was hashed.
    pub algorithm: String,
    #[serde(with = "prefixed_option")]
    pub before: Option<Digest>,
    #[serde(with = "prefixed_option")]
    pub after: Option<Digest>,
}

/// How a migration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub enum Outcome {
    Succeeded,
    Failed,
}

/// A database error without its text, which may carry values of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCode {
    /// SQLSTATE or the engine's own number.
    pub code: String,
    /// Which statement of the script failed, from 1.
    pub statement: u64,
}

/// One hook that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    pub event: String,
    pub name: String,
    pub sha256: String,
    pub outcome: String,
    /// Microseconds.
    pub duration_us: u64,
}

/// Whether a version counts as applied, or as not, from an event on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub enum Direction {
    Up,
    Down,
}

/// What every event of a migration carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationDetails {
    pub migration: MigrationName,
    pub evidence: Evidence,
    /// By file name; public files only.
    pub digests: BTreeMap<String, FileDigests>,
    pub statements: Vec<StatementRun>,
    /// How many notices and warnings the server sent while they ran; `None` where that was not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notices: Option<u64>,
    pub schema: SchemaChange,
    pub outcome: Outcome,
    pub error: Option<ErrorCode>,
    /// By the name of the sealed file, `hmac-sha256:<hex>`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub commitments: BTreeMap<String, String>,
    pub plan: Option<Cid>,
    pub reverts: Option<Cid>,
    pub promoted_from: Option<Cid>,
    pub hooks: Vec<Hook>,
    /// `stamp` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Where another tool ran it, or its history was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<Box<ToolSays>>,
}

/// What another tool says of a migration, and what greffe saw of the run; or for which tool greffe ran it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolSays {
    /// The tool whose history the executor kept, and by whose rules a file says what of it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// That tool's table, where it is not the one that the tool makes unasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// `false` where the script ran without a transaction of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<bool>,
    /// When it was applied, in the words of the tool's table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What the tool's table remembers of the script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// The exit code of the tool's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Files of the event that hold a secret, and so are nowhere in the archive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<WithheldFile>,
    /// Where what happened was written down while it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Captured>,
}

/// A note that a trigger or a hook made of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// Identifier of the journal's installation; `steps` for what a hook wrote.
    pub journal: String,
    /// Up to which entry of the journal the chain tells with this event.
    pub entry: String,
    /// When it happened, by the clock of the database or of the hook.
    pub at: Timestamp,
    /// The database's number of the transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// Whether the session's role was the owner of the tool's table. The name is not said: it may be a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<CapturedRole>,
}

/// Whose session it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CapturedRole {
    Owner,
    Other,
}

/// A file that is not archived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithheldFile {
    pub role: super::Role,
    /// The rule that found a secret in it.
    pub rule: String,
}

/// How far an erasure reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasureReach {
    /// The owner's own reference of the request; no name.
    pub request: String,
    /// When the last backup that may hold a key is gone.
    pub effective_at: Timestamp,
    /// What each place that may hold a copy of a block came to.
    pub places: Vec<ErasurePlace>,
    /// Pseudonyms of whom the vault forgot who they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<Pseudonym>,
    /// Why something that was asked for is not erased; nothing where all of it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
}

/// Why something that was to be erased is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum Left {
    /// A hold forbids it.
    Held,
    /// It has to be kept for longer.
    Kept,
    /// The vault has no row for its key.
    NoKey,
    /// It was archived in clear.
    InClear,
    /// Other entries have a script of the same migration.
    Elsewhere,
    /// Somebody was granted its key, and the grant has not ended.
    Granted,
}

/// What became of the blocks at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasurePlace {
    /// The replica's name in the settings, or which entry of the access chain.
    pub place: String,
    pub outcome: PlaceOutcome,
}

/// What a place did with blocks that are to be erased. Without its key a block tells nothing either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum PlaceOutcome {
    Gone,
    StillServed,
    Unreachable,
    Unsupported,
    /// No place, but somebody who was given the key.
    Granted,
}

/// An access to sealed content, in a chain of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    pub kind: AccessKind,
    /// CID of manifest 0 of the chain whose content it is.
    pub chain: Cid,
    /// Who was granted it: a recipient of age, in short form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Why, as a code or in the owner's own words without a name.
    pub purpose: String,
    /// When a grant ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum AccessKind {
    Grant,
    Open,
}

/// What an event carries beyond the members that all share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Details {
    /// `apply`, `rollback`, `fail`, `baseline`, `stamp`.
    Migration(Box<MigrationDetails>),
    /// `repair`: what a version counts as from here on.
    Repair {
        #[serde(skip_serializing_if = "Option::is_none")]
        migration: Option<MigrationName>,
        direction: Direction,
        about: Vec<Cid>,
        /// What the schema was found to be, where it was looked at.
        #[serde(skip_serializing_if = "Option::is_none")]
        schema: Option<SchemaChange>,
        /// As those of a migration.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        commitments: BTreeMap<String, String>,
    },
    /// `erase`: which blocks can no longer be opened.
    Erase {
        about: Vec<Cid>,
        erased: Vec<Cid>,
        basis: String,
        #[serde(flatten)]
        reach: Option<Box<ErasureReach>>,
    },
    /// `attach`: which manifests it adds to, or tells of an access to.
    Attach {
        about: Vec<Cid>,
        #[serde(skip_serializing_if = "Option::is_none")]
        access: Option<Box<Access>>,
    },
    /// `genesis`, `trust`, `plan`, `drift`.
    Other {
        #[serde(skip_serializing_if = "Option::is_none")]
        schema: Option<SchemaChange>,
    },
}

/// One event, the predicate of its statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    pub chain: Option<Cid>,
    pub seq: u64,
    pub prev: Option<Cid>,
    pub event: EventKind,
    pub id: EventId,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    /// The server's own time at the end, as it writes it.
    pub database_clock: Option<String>,
    pub actor: Actor,
    pub target: Option<Target>,
    pub executor: Executor,
    pub run: Run,
    #[serde(flatten)]
    pub details: Details,
}

impl Event {
    /// The schema change it records, if it records one.
    #[must_use]
    pub fn schema(&self) -> Option<&SchemaChange> {
        match &self.details {
            Details::Migration(details) => Some(&details.schema),
            Details::Repair { schema, .. } | Details::Other { schema } => schema.as_ref(),
            Details::Erase { .. } | Details::Attach { .. } => None,
        }
    }

    /// Commitments to its sealed files, by their names.
    #[must_use]
    pub fn commitments(&self) -> Option<&BTreeMap<String, String>> {
        match &self.details {
            Details::Migration(details) => Some(&details.commitments),
            Details::Repair { commitments, .. } => Some(commitments),
            _ => None,
        }
    }

    /// The migration it is about, if it is about one.
    #[must_use]
    pub fn migration(&self) -> Option<&MigrationName> {
        match &self.details {
            Details::Migration(details) => Some(&details.migration),
            Details::Repair { migration, .. } => migration.as_ref(),
            _ => None,
        }
    }
}

super::text::as_word!(EventKind, Engine, Evidence, Outcome, Direction, PlaceOutcome, Left, AccessKind);

/// Digests as `sha256:<hex>`.
mod prefixed {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::crypto::Digest;

    pub fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digest.to_prefixed())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::parse_prefixed(&text)
            .ok_or_else(|| D::Error::custom("a digest is written sha256:<64 hex digits>"))
    }
}

/// Digests as `sha256:<hex>` or null; the member must be there.
mod prefixed_option {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::crypto::Digest;

    pub fn serialize<S: Serializer>(digest: &Option<Digest>, serializer: S) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => serializer.serialize_some(&digest.to_prefixed()),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        match Digest::parse_prefixed(&text) {
            Some(digest) => Ok(Some(digest)),
            None => Err(D::Error::custom("a digest is written sha256:<64 hex digits>")),
        }
    }
}
