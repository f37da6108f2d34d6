//! What stands in a database to tell of another tool's history: triggers that write each change of its table into a
//! journal. A journal is made, read and removed here; what its rows mean is told elsewhere.

mod journal;
mod postgres;
mod sqlite;

pub use journal::{Journal, JournalEntry, JournalRow};
pub use sqlite::is_own as is_own_on_sqlite;

use super::people::Sql;
use super::{Database, DatabaseError, ToolTable};

/// Which shape of journal and triggers this program makes.
pub const VERSION: u32 = 1;

/// A condition that a row of the journal tells of a change of the history.
const IS_CHANGE: &str = "operation IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')";

/// What was found of a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// Of the installation; `None` where its journal does not say it.
    pub id: Option<String>,
    pub version: u32,
    /// Whether it tells of what is defined and dropped, too.
    pub definitions: bool,
    /// Whether greffe's own definitions are all there, unchanged and at work.
    pub faults: Vec<CaptureFault>,
}

/// What keeps a capture from telling all.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum CaptureFault {
    #[error("{what} is gone")]
    Gone { what: String },
    #[error("this role may not read {what}")]
    Hidden { what: String },
    #[error("{what} is disabled")]
    Disabled { what: String },
    #[error("{what} is not as greffe made it")]
    Replaced { what: String },
}

impl CaptureFault {
    fn gone(what: impl Into<String>) -> Self {
        Self::Gone { what: what.into() }
    }

    fn disabled(what: impl Into<String>) -> Self {
        Self::Disabled { what: what.into() }
    }

    fn replaced(what: impl Into<String>) -> Self {
        Self::Replaced { what: what.into() }
    }
}

impl Database {
    /// What there is of a capture on a tool's table; `None` where there is nothing of one.
    ///
    /// # Errors
    /// [`DatabaseError::Capture`], [`DatabaseError::NoCapture`].
    pub async fn capture(
        &mut self,
        table: Option<&ToolTable>,
        columns: &[&str],
    ) -> Result<Option<Capture>, DatabaseError> {
        match self.sql() {
            Sql::Postgres => postgres::find(self, table, columns).await,
            Sql::Sqlite => sqlite::find(self, table, columns).await,
            Sql::Mysql => Ok(None),
        }
    }

    /// Makes journal and triggers, or puts in order what is there of them; all or nothing. `id`: what the installation
    /// is called from then on. Whether it tells of what is defined and dropped, too.
    ///
    /// # Errors
    /// [`DatabaseError::Capture`], [`DatabaseError::NoCapture`].
    pub async fn install_capture(
        &mut self,
        table: &ToolTable,
        columns: &[&str],
        id: &str,
    ) -> Result<bool, DatabaseError> {
        let done = match self {
            Self::Postgres(database) => database.install_capture(table, columns, id).await,
            Self::Sqlite(database) => database.install_capture(table, columns, id).await,
            Self::Mysql(_) => return Err(DatabaseError::NoCapture),
        };
        done.map_err(DatabaseError::Capture)
    }

    /// Removes all of it; all or nothing. Whether it did: not where the journal has a change of the history behind the
    /// row `after`, also one that was written while the table was waited for.
    ///
    /// # Errors
    /// [`DatabaseError::Capture`], [`DatabaseError::NoCapture`].
    pub async fn remove_capture(
        &mut self,
        table: Option<&ToolTable>,
        after: Option<i64>,
    ) -> Result<bool, DatabaseError> {
        let done = match self {
            Self::Postgres(database) => database.remove_capture(table, after).await,
            Self::Sqlite(database) => database.remove_capture(after).await,
            Self::Mysql(_) => return Err(DatabaseError::NoCapture),
        };
        done.map_err(DatabaseError::Capture)
    }

    /// The newest number that the journal has given away.
    ///
    /// # Errors
    /// [`DatabaseError::ToolHistory`].
    pub async fn journal_head(&mut self) -> Result<i64, DatabaseError> {
        let sql = match self.sql() {
            Sql::Postgres => {
                "SELECT CASE WHEN is_called THEN last_value ELSE 0 END::text FROM greffe_capture.journal_id_seq"
            }
            _ => "SELECT CAST(coalesce(max(id), 0) AS TEXT) FROM main.greffe_capture",
        };
        let row = self.texts_of(sql.to_owned()).await?.pop().and_then(|mut row| row.pop()).flatten();
        Ok(row.and_then(|number| number.parse().ok()).unwrap_or_default())
    }
}
