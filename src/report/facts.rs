//! All that a report says. Who acted is told by role and pseudonym; what is sealed is told as sealed.

use serde::Serialize;

use super::change::{Change, Continuity};
use super::sample::Sample;
use crate::chain::{Cosigned, Established, Finding, TimeInterval};
use crate::crypto::Digest;
use crate::model::{Cid, EventKind, Executor, Outcome, Pseudonym, Timestamp};

/// One report.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeReport {
    /// Always `report`.
    pub command: &'static str,
    /// [`super::FORMAT`].
    pub format: &'static str,
    /// The program that wrote it.
    pub program: Executor,
    /// The date of the document.
    pub date: Timestamp,
    /// Whether somebody named the date; else it is the time of the newest entry.
    pub date_given: bool,
    pub chain: ChainFacts,
    pub scope: Scope,
    pub verification: Verification,
    pub population: Population,
    /// `None`: every change has its sheet.
    pub sample: Option<Sample>,
    pub summary: Summary,
    /// A sheet for each change that was drawn, or for all.
    pub changes: Vec<Change>,
    /// Entries of the population that change no schema and no row.
    pub others: Vec<OtherEntry>,
    /// What each entry of the population says of the schema, in their order.
    pub schema: Vec<SchemaPoint>,
    /// Copies of the chain as one machine knows them; `None` where that was not asked for.
    pub replicas: Option<Vec<CopyOfChain>>,
    /// What `greffe report` has to be called with to make it again, without form and language.
    pub arguments: Vec<String>,
}

/// Which chain it is about.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainFacts {
    /// In the trust document in force.
    pub name: Option<String>,
    /// CID of manifest 0.
    pub chain: Option<Cid>,
    /// The head or manifest that was asked for.
    pub root: Cid,
    /// Whether that is a head.
    pub is_head: bool,
    pub entries: u64,
    /// Root of the Merkle tree over all of them; `None` where an entry is not there.
    pub merkle_root: Option<Digest>,
    pub newest: Option<Timestamp>,
}

/// What of the chain it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Scope {
    Whole,
    /// Entries that ended then; both ends belong to it.
    Period {
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    },
    /// Entries of runs whose build, or whose migration, goes by that name.
    Release {
        release: String,
    },
    /// Entries by number; both ends belong to it.
    Entries {
        first: Option<u64>,
        last: Option<u64>,
    },
}

/// What verification came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    pub verified: bool,
    pub established: Established,
    pub time: TimeInterval,
    pub witnesses: Vec<Cosigned>,
    /// Of the whole chain, not of the population alone.
    pub findings: Vec<Finding>,
}

/// Every entry between the first and the last one that are in scope.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Population {
    /// `None` where nothing is in scope.
    pub first: Option<u64>,
    pub last: Option<u64>,
    /// How many numbers there are from the first to the last.
    pub expected: u64,
    /// How many of them have an entry that can be read.
    pub read: u64,
    /// Numbers whose entry is not there or cannot be read.
    pub missing: Vec<u64>,
    /// How many entries are in scope.
    pub in_scope: u64,
    /// How many of those are changes.
    pub changes: u64,
    /// Whether no number is without its entry.
    pub complete: bool,
    /// The entry before the first, and the one behind the last, which show where the scope ends; of a period without
    /// an entry, those between which it lies.
    pub before: Option<Border>,
    pub after: Option<Border>,
    /// Root of the Merkle tree over entries 0 to the last; `None` where one of them is not there.
    pub merkle_root: Option<Digest>,
    pub entries: Vec<Row>,
}

/// An entry next to the population.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Border {
    pub seq: u64,
    pub manifest: Option<Cid>,
    pub finished_at: Option<Timestamp>,
}

/// One entry in a line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub seq: u64,
    /// `None` where nothing tells it any more.
    pub manifest: Option<Cid>,
    /// `None` where the entry cannot be read, as is all that follows.
    pub event: Option<EventKind>,
    pub version: Option<String>,
    pub name: Told,
    pub finished_at: Option<Timestamp>,
    pub role: Option<String>,
    pub pseudonym: Option<Pseudonym>,
    pub outcome: Option<Outcome>,
    /// How many approvals count, out of how many that were needed; `None` without a plan.
    pub approvals: Option<Counted>,
    pub in_scope: bool,
    pub is_change: bool,
    /// Whether it has a sheet.
    pub shown: bool,
    /// Why it cannot be read.
    pub fault: Option<String>,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    pub counted: u32,
    pub needed: u32,
}

/// A text of the chain, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "text", rename_all = "lowercase")]
pub enum Told {
    Clear(String),
    /// It is in a sealed file.
    Sealed,
    /// It was, and the key to it was destroyed.
    Erased,
    /// Nobody said it.
    #[default]
    None,
}

impl Told {
    /// The text, where it is in clear.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Clear(text) => Some(text),
            Self::Sealed | Self::Erased | Self::None => None,
        }
    }
}

/// What the changes in scope come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub succeeded: u64,
    pub failed: u64,
    /// Changes that a later entry of the chain took back.
    pub rolled_back: u64,
    /// Changes that ran by a plan which needed approvals, and how many of these had them.
    pub approvals_needed: u64,
    pub approvals_met: u64,
    /// Changes that ran without a plan, so that nobody could approve them in the chain.
    pub unplanned: u64,
    /// Plans that were given up.
    pub abandoned: u64,
    /// Rules that were waived for a change.
    pub waivers: u64,
    /// Times that the schema changed outside of the chain.
    pub drifts: u64,
    /// Sealed files, and how many of them were erased.
    pub sealed: u64,
    pub erased: u64,
    /// Of what ran. Microseconds: the middle one of all durations, the one that nineteen of twenty do not exceed, and the longest.
    pub median_us: u64,
    pub ninety_fifth_us: u64,
    pub longest_us: u64,
    /// How many changes took less than a millisecond, then less than ten times that, and so on; the last: a thousand
    /// seconds or more.
    pub durations: [u64; 8],
    /// Changes by part of the time that the scope takes, in equal parts: succeeded, rolled back later, failed.
    pub timeline: Timeline,
}

/// Changes over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub parts: Vec<[u64; 3]>,
}

/// What an entry says of the schema.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SchemaPoint {
    pub seq: u64,
    pub continuity: Continuity,
}

/// An entry that is no change of the database.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherEntry {
    pub seq: u64,
    pub manifest: Cid,
    pub event: EventKind,
    pub finished_at: Timestamp,
    pub role: String,
    /// Versions of a plan.
    pub versions: Vec<String>,
    /// Version of a trust document.
    pub trust_version: Option<u64>,
    /// Why something was erased.
    pub basis: Option<String>,
    /// How many sealed blocks can no longer be opened by it.
    pub erased: u64,
    /// Entries that it is about.
    pub about: Vec<u64>,
}

/// A copy of the chain.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyOfChain {
    pub name: String,
    /// How many entries it was given; `None` where that is not known.
    pub entries: Option<u64>,
    pub at: Option<Timestamp>,
    pub failure: Option<String>,
}
