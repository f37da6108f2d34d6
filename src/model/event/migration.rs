//! What an event of a migration tells (FORMAT §3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest_text::{prefixed, prefixed_option};
use super::{Hook, ToolSays};
use crate::crypto::Digest;
use crate::model::{Cid, line_feed_digest};

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
        Self { raw, lf: line_feed_digest(bytes, raw) }
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

crate::model::text::as_word!(Evidence, Outcome, Direction);
