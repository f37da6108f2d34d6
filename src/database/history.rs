//! The history: a journal of rows that are added and, but for a crashed run, never changed; and what
//! follows from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crypto::Digest;
use crate::model::{
    Actor, Cid, Direction, ErrorCode, EventId, EventKind, Executor, FileDigests, Hook, MigrationName, Run,
    SchemaChange, StatementRun, Target, Timestamp, ToolSays,
};

/// What a row says of its event beyond its columns; enough to archive it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub actor: Actor,
    pub target: Target,
    pub executor: Executor,
    pub run: Run,
    /// `None` for an event that is about no migration.
    pub migration: Option<MigrationName>,
    pub statements: Vec<StatementRun>,
    /// How many notices and warnings the server sent; `None` where that is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notices: Option<u64>,
    /// `None` where no fingerprint was asked for.
    pub schema: Option<SchemaChange>,
    pub error: Option<ErrorCode>,
    /// Manifest of the event that is undone.
    pub reverts: Option<Cid>,
    /// Manifests that a repair is about, beyond the newest one of its version.
    #[serde(default)]
    pub about: Vec<Cid>,
    pub hooks: Vec<Hook>,
    /// Manifest of the `plan` event under which it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Cid>,
    /// Manifest of the event of another chain that showed it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_from: Option<Cid>,
    /// Where another tool's table was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Box<ToolSays>>,
}

/// How far a row's script came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowState {
    /// It runs, or a crash cut it short.
    Started,
    /// It failed outside a transaction, so what ran before the failure stays.
    Partial,
    Done,
}

/// One row of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// From 1, without gaps.
    pub position: i64,
    pub id: EventId,
    pub event: EventKind,
    pub direction: Direction,
    pub state: RowState,
    pub version: String,
    /// Of the migration.
    pub name: Option<String>,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub up: Option<FileDigests>,
    pub down: Option<FileDigests>,
    /// Algorithm and fingerprint of the schema that it left, where one was taken.
    pub schema: Option<(String, Option<Digest>)>,
    pub archived: Option<(u64, Cid)>,
    /// Manifest of the trust document in force there.
    pub trust: Option<Cid>,
}

/// A row that is not what greffe writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRow {
    pub position: i64,
    pub detail: String,
}

/// A version that counts as applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The row that made it so.
    pub position: i64,
    pub up: Option<FileDigests>,
    pub down: Option<FileDigests>,
    pub name: Option<String>,
    pub archived: Option<(u64, Cid)>,
    pub finished_at: Option<Timestamp>,
}

/// Positions of what is not archived yet, among those of what is.
const WAITING: i64 = i64::MAX / 2;

/// What follows from the rows.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By version.
    pub applied: BTreeMap<String, Applied>,
    /// Versions that are neither applied nor not, with the row that left them so.
    pub half_applied: BTreeMap<String, HistoryRow>,
    /// The newest fingerprint that a row recorded.
    pub schema: Option<(String, Digest)>,
    /// Position of the newest row, 0 without rows.
    pub last: i64,
    /// Where the newest archived row stands.
    pub newest_archived: Option<(u64, Cid)>,
    /// That entry's number and the manifest of the trust document in force there.
    pub trust: Option<(u64, Cid)>,
    pub unarchived: usize,
}

impl History {
    /// Reads the rows in their order.
    #[must_use]
    pub fn of(rows: &[HistoryRow]) -> Self {
        let mut history = Self::default();
        for row in rows {
            history.add(row);
        }
        history
    }

    /// The same where the archive says what is `applied`, by position in it: of the rows only those that are not
    /// archived yet add to it.
    #[must_use]
    pub fn of_archive(applied: BTreeMap<String, Applied>, rows: &[HistoryRow]) -> Self {
        let mut history = Self { applied, ..Self::default() };
        for row in rows.iter().filter(|row| row.archived.is_none()) {
            history.add(row);
            if let Some(applied) = history.applied.get_mut(&row.version) {
                // Behind all that is archived.
                applied.position = applied.position.max(WAITING + row.position);
            }
        }
        Self { applied: history.applied, ..Self::of(rows) }
    }

    fn add(&mut self, row: &HistoryRow) {
        self.last = row.position;
        match row.archived {
            Some(place) if self.newest_archived.is_none_or(|newest| newest.0 < place.0) => {
                self.newest_archived = Some(place);
                self.trust = row.trust.map(|trust| (place.0, trust));
            }
            Some(_) => {}
            None => self.unarchived += 1,
        }
        if let Some((algorithm, after)) = &row.schema {
            self.schema = after.map(|after| (algorithm.clone(), after));
        }
        if row.state != RowState::Done {
            self.half_applied.insert(row.version.clone(), row.clone());
            return;
        }
        match (row.event, row.direction) {
            (EventKind::Fail | EventKind::Drift, _) => {}
            // A repair that is about the database as a whole.
            _ if row.version.is_empty() => {}
            (_, Direction::Up) => {
                self.half_applied.remove(&row.version);
                self.applied.insert(row.version.clone(), Applied::of(row));
            }
            (_, Direction::Down) => {
                self.half_applied.remove(&row.version);
                self.applied.remove(&row.version);
            }
        }
    }

    /// Applied versions, the one applied last first.
    #[must_use]
    pub fn newest_first(&self) -> Vec<(&str, &Applied)> {
        let mut applied: Vec<_> =
            self.applied.iter().map(|(version, applied)| (version.as_str(), applied)).collect();
        applied.sort_by_key(|(_, applied)| std::cmp::Reverse(applied.position));
        applied
    }
}

impl Applied {
    fn of(row: &HistoryRow) -> Self {
        Self {
            position: row.position,
            up: row.up.clone(),
            down: row.down.clone(),
            name: row.name.clone(),
            archived: row.archived,
            finished_at: row.finished_at,
        }
    }
}
