//! Archives what another tool did to a database: its history and the schema are looked at before and after it ran, and
//! what differs becomes events.
//!
//! A run is noted in a folder beside the archive before the tool starts, and that note goes once its events are in the
//! archive. So whatever happens to this program, the tool's run still counts, and can be archived later.
//!
//! | file | what it is |
//! |---|---|
//! | [`mod@look`] | one look at a tool's history and the schema |
//! | [`mod@changes`] | what happened between two looks |
//! | [`events`] | what happened, as events with their files |
//! | [`audit`] | compares archive, folder and history |
//! | [`archive`] | appends the events of one run to the chain, once |

pub mod archive;
pub mod audit;
pub mod changes;
pub mod events;
pub mod look;

use serde::{Deserialize, Serialize};

use super::event::executor;
use super::{ChainReader, OpsError};
use crate::database::DatabaseError;
use crate::model::{Details, EventId, Timestamp};
use crate::scripts::tools::{Folder, Tool, folder::FolderError, owners, tool_named};
use look::Look;

/// One run of a tool, as it is noted beside the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolRun {
    pub id: EventId,
    /// As settings call it.
    pub tool: String,
    /// Whether the command writes the history and runs nothing.
    pub stamps: bool,
    pub started_at: Timestamp,
    /// Before it ran; `None` where the database did not answer.
    pub before: Option<Look>,
    /// How it ended; `None` while it runs, and for ever where this program was ended before it.
    pub end: Option<RunEnd>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunEnd {
    pub finished_at: Timestamp,
    pub exit: ToolExit,
    /// Right after it ended; `None` where the database did not answer.
    pub after: Option<Look>,
    /// Whether `after` was taken only when the run was archived later: others may have come between.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

impl RunEnd {
    /// Whether this program saw the end of the run and what it left.
    #[must_use]
    pub fn is_witnessed(&self) -> bool {
        !self.late && (self.exit.code.is_some() || self.exit.signal.is_some())
    }
}

/// How the tool's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolExit {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

impl ToolExit {
    /// Whether the tool says that all went well.
    #[must_use]
    pub fn is_success(self) -> bool {
        self.code == Some(0)
    }
}

/// Why a tool's run cannot be looked at or archived.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("greffe knows no tool `{0}`")]
    UnknownTool(String),
    #[error("the folder is no tool's that greffe knows")]
    NoTool,
    #[error("the folder may be that of any of these tools: {}", .0.join(", "))]
    SeveralTools(Vec<&'static str>),
    #[error("several tables may be the tool's history: {}", tables.join(", "))]
    SeveralTables { tables: Vec<String> },
    #[error("table {table} is not what {tool} makes: it has other columns than {}", columns.join(", "))]
    OtherTable { table: String, tool: &'static str, columns: &'static [&'static str] },
    #[error("the chain tells of scripts already, from entry {seq} on")]
    Adopted { seq: u64 },
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Ops(Box<OpsError>),
}

impl From<OpsError> for RecordError {
    fn from(error: OpsError) -> Self {
        Self::Ops(Box::new(error))
    }
}

/// For which tool the scripts of a chain are applied, by its newest event of one; `None` where it is none but greffe, or
/// nobody applied any yet.
///
/// # Errors
/// Those of the archive.
pub fn applier(reader: &ChainReader) -> Result<Option<String>, OpsError> {
    let mut next = Some(reader.newest()?.0);
    while let Some(cid) = next {
        let entry = reader.entry(&cid)?;
        let event = entry.statement.event;
        if event.event.is_of_migration() {
            if event.executor.name != executor().name {
                return Ok(Some(event.executor.name));
            }
            let Details::Migration(details) = event.details else { return Ok(None) };
            return Ok(details.tool.and_then(|tool| tool.name));
        }
        next = entry.manifest.prev;
    }
    Ok(None)
}

/// The tool of a folder: the one that is named, else the only one that the folder can belong to.
///
/// # Errors
/// [`RecordError::UnknownTool`], [`RecordError::NoTool`], [`RecordError::SeveralTools`].
pub fn tool_of(name: Option<&str>, folder: &Folder) -> Result<&'static dyn Tool, RecordError> {
    if let Some(name) = name {
        return tool_named(name).ok_or_else(|| RecordError::UnknownTool(name.to_owned()));
    }
    match owners(folder).as_slice() {
        [tool] => Ok(*tool),
        [] => Err(RecordError::NoTool),
        several => Err(RecordError::SeveralTools(several.iter().map(|tool| tool.name()).collect())),
    }
}
