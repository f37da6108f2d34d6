//! Tables that tools keep their history in, and what a row of one says.

use serde::{Deserialize, Serialize};

/// A table as a tool makes it.
#[derive(Debug, PartialEq, Eq)]
pub struct HistoryTable {
    /// Its name unless the team chose another one.
    pub name: &'static str,
    /// The columns that it has in every version of the tool; their order is that of [`Row`].
    pub columns: &'static [&'static str],
    /// Whether it has no column but these: so it is told from a table of another tool that has the same name.
    pub only: bool,
    /// By which columns its rows are read.
    pub order: &'static [&'static str],
}

/// One row: the texts of the columns, in the order of [`HistoryTable::columns`]; bytes in hexadecimal, `None` for NULL.
pub type Row = Vec<Option<String>>;

/// What a history says of one script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What the tool calls the script.
    pub id: String,
    /// What the tool remembers of its bytes.
    pub checksum: Option<String>,
    /// When it was applied, in the tool's own words.
    pub at: Option<String>,
    pub state: State,
}

/// How a script stands in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Applied,
    /// The tool counts it as applied, and says that it did not run it.
    Marked,
    /// The tool says that it failed, or never said that it ended.
    Failed,
}

impl State {
    /// Whether the tool counts the script as applied.
    #[must_use]
    pub const fn is_applied(self) -> bool {
        matches!(self, Self::Applied | Self::Marked)
    }
}

impl Entry {
    /// A script that is applied, of which nothing else is known.
    #[must_use]
    pub fn applied(id: impl Into<String>) -> Self {
        Self { id: id.into(), checksum: None, at: None, state: State::Applied }
    }
}
