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
//! | [`mod@standing`] | how each script stands |
//! | [`notes`] | what triggers and hooks noted, as events |
//! | [`steps`] | what a journal tells, change by change |
//! | [`spool`] | what a hook of the tool wrote |
//! | [`capture`] | installs and removes a journal |
//! | `telling` | what happened, in the order in which the chain tells it |
//! | [`archive`] | appends the events of one run to the chain, once |

pub mod archive;
pub mod audit;
pub mod capture;
pub mod changes;
pub mod events;
pub mod look;
pub mod notes;
pub mod spool;
pub mod standing;
pub mod steps;
mod telling;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::executor;
use super::{ChainReader, OpsError};
use crate::crypto::Digest;
use crate::database::DatabaseError;
use crate::model::{Details, EventId, Timestamp};
use crate::scripts::tools::{
    Folder, Tool, ToolScript, folder::FolderError, owners, possible_owners, tool_named,
};
use look::Look;

/// One run of a tool, as it is noted beside the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolRun {
    pub id: EventId,
    /// As settings call it.
    pub tool: String,
    /// Whether the command writes the history and runs nothing; `None` where it does not say so plainly.
    #[serde(default)]
    pub stamps: Option<bool>,
    pub started_at: Timestamp,
    /// What each script was before it ran, by its identifier, as [`digest_of`] has it; `None` where nothing ran.
    #[serde(default)]
    pub scripts: Option<BTreeMap<String, String>>,
    /// Before it ran; `None` where the database did not answer.
    pub before: Option<Look>,
    /// How it ended; `None` while it runs, and for ever where this program was ended before it.
    pub end: Option<RunEnd>,
    /// The tool's version, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl ToolRun {
    /// Whether there may be anything to tell of it.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let entries = |look: Option<&Look>| look.map(|look| look.entries.clone());
        let end = self.end.as_ref();
        end.is_some_and(|end| {
            !end.exit.is_success() || entries(end.after.as_ref()) != entries(self.before.as_ref())
        })
    }
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
    #[error("the folder may be that of any of these tools: {}; {}", possible.join(", "), Present(present))]
    SeveralTools { possible: Vec<&'static str>, present: Vec<&'static str> },
    #[error("several tables may be the tool's history: {}", tables.join(", "))]
    SeveralTables { tables: Vec<String> },
    #[error("table {table} is not what {tool} makes: it has other columns than {}", columns.join(", "))]
    OtherTable { table: String, tool: &'static str, columns: &'static [&'static str] },
    #[error("the database has no table of {tool}, though the chain tells of {applied} applied script(s)")]
    NoHistory { tool: String, applied: usize },
    #[error("the chain is one of {chain}, and this is {tool}")]
    OtherTool { chain: String, tool: String },
    #[error("the chain tells of scripts already, from entry {seq} on")]
    Adopted { seq: u64 },
    #[error("{tool} has no table {table} in this database yet")]
    NoTable { table: String, tool: &'static str },
    #[error("{rows} change(s) of the history are in the journal and not in the archive")]
    Uncollected { rows: usize },
    #[error("nothing notes what happens to the history of this database")]
    NothingCaptures,
    #[error("a run is writing the history, and has not ended")]
    Unsettled,
    #[error("the note of the capture beside the archive cannot be read or written")]
    CaptureFile(#[from] std::io::Error),
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

/// SHA-256, in hexadecimal digits, of what a script is made of: the way up, and the way down where that is a file of its
/// own.
#[must_use]
pub fn digest_of(script: &ToolScript) -> String {
    let mut bytes = (script.up.bytes.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&script.up.bytes);
    bytes.extend(script.down.iter().flat_map(|down| down.bytes.iter().copied()));
    Digest::of(&bytes).to_string()
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

/// Which of several tools has its table in the database.
struct Present<'a>(&'a [&'static str]);

impl fmt::Display for Present<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("the database has the table of none"),
            several => write!(f, "the database has tables of {}", several.join(" and ")),
        }
    }
}

/// The tools that a folder may belong to, and one of them if it is the likely one.
pub struct Candidates {
    pub tools: Vec<&'static dyn Tool>,
    likely: Option<&'static dyn Tool>,
}

impl Candidates {
    /// The only one, of whom no database has to be asked.
    #[must_use]
    pub fn only(&self) -> Option<&'static dyn Tool> {
        match self.tools.as_slice() {
            [tool] => Some(*tool),
            _ => None,
        }
    }

    /// The one that the database tells by its table; where it has none, the likely one.
    ///
    /// # Errors
    /// [`RecordError::SeveralTools`].
    pub fn told_by(&self, present: &[&'static dyn Tool]) -> Result<&'static dyn Tool, RecordError> {
        match (present, self.likely) {
            ([tool], _) => Ok(*tool),
            ([], Some(tool)) => Ok(tool),
            _ => {
                let names = |tools: &[&'static dyn Tool]| tools.iter().map(|tool| tool.name()).collect();
                Err(RecordError::SeveralTools { possible: names(&self.tools), present: names(present) })
            }
        }
    }
}

/// The tools that a folder may belong to: the one that is named alone, else those that its files do not rule out.
///
/// # Errors
/// [`RecordError::UnknownTool`], [`RecordError::NoTool`].
pub fn tools_of(name: Option<&str>, folder: &Folder) -> Result<Candidates, RecordError> {
    if let Some(name) = name {
        let tool = tool_named(name).ok_or_else(|| RecordError::UnknownTool(name.to_owned()))?;
        return Ok(Candidates { tools: vec![tool], likely: Some(tool) });
    }
    let tools = possible_owners(folder);
    let likely = match owners(folder).as_slice() {
        [tool] => Some(*tool),
        _ => None,
    };
    if tools.is_empty() {
        return Err(RecordError::NoTool);
    }
    Ok(Candidates { tools, likely })
}
