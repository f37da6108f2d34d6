//! What another tool says of a migration, and what was seen of its run.

use serde::{Deserialize, Serialize};

use crate::model::{Role, Timestamp};

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
    pub role: Role,
    /// The rule that found a secret in it.
    pub rule: String,
}
