//! What happened to a database: the predicate of a log (FORMAT §3).

mod access;
mod digest_text;
mod erasure;
mod migration;
mod plan;
mod tool;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use access::{Access, AccessFailure, AccessKind, Served};
pub use erasure::{ErasurePlace, ErasureReach, Left, PlaceOutcome};
pub use migration::{
    Direction, ErrorCode, Evidence, FileDigests, MigrationDetails, MigrationName, Outcome, SchemaChange,
    StatementRun,
};
pub use plan::{Hook, JudgedRule, PlanDetails, Planned, PolicyPack, PolicyVerdicts};
pub use tool::{Captured, CapturedRole, ToolSays, WithheldFile};

use super::{Cid, EventId, Pseudonym, Timestamp};

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
        /// Hooks that ran around the runs that it is about.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        hooks: Vec<Hook>,
        /// As those of a migration.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        commitments: BTreeMap<String, String>,
    },
    /// `plan`: what may run from here on. A plan of another program's is [`Details::Other`].
    Plan(Box<PlanDetails>),
    /// `genesis`, `trust`, `drift`.
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

impl Details {
    /// What an `attach` event carries that only says what it is about.
    #[must_use]
    pub const fn attached_to(about: Vec<Cid>) -> Self {
        Self::Attach { about, access: None, hooks: Vec::new(), commitments: BTreeMap::new() }
    }
}

impl Event {
    /// The schema change it records, if it records one.
    #[must_use]
    pub fn schema(&self) -> Option<&SchemaChange> {
        match &self.details {
            Details::Migration(details) => Some(&details.schema),
            Details::Repair { schema, .. } | Details::Other { schema } => schema.as_ref(),
            Details::Erase { .. } | Details::Attach { .. } | Details::Plan(_) => None,
        }
    }

    /// Commitments to its sealed files, by their names.
    #[must_use]
    pub fn commitments(&self) -> Option<&BTreeMap<String, String>> {
        match &self.details {
            Details::Migration(details) => Some(&details.commitments),
            Details::Repair { commitments, .. } | Details::Attach { commitments, .. } => Some(commitments),
            Details::Plan(details) => Some(&details.commitments),
            Details::Erase { .. } | Details::Other { .. } => None,
        }
    }

    /// The same, to add to; `None` where an event of its kind has none.
    pub fn commitments_mut(&mut self) -> Option<&mut BTreeMap<String, String>> {
        match &mut self.details {
            Details::Migration(details) => Some(&mut details.commitments),
            Details::Repair { commitments, .. } | Details::Attach { commitments, .. } => Some(commitments),
            Details::Plan(details) => Some(&mut details.commitments),
            Details::Erase { .. } | Details::Other { .. } => None,
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

super::text::as_word!(EventKind, Engine);
