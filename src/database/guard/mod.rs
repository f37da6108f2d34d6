//! What stands in a database to tell of changes of its schema while they happen: event triggers that write who, when, which
//! object and for which run into a table. It is made, read and removed here; what its rows mean is told elsewhere.

mod postgres;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::people::Sql;
use super::postgres::Postgres;
use super::{Database, DatabaseError, Failure, Options};
use crate::model::{EventId, Timestamp};

pub use postgres::{install_sql, remove_sql};

/// Which shape of table and triggers this program makes.
pub const VERSION: u32 = 1;
/// How many rows stay, unless something else is asked for.
pub const KEEP: u32 = 10_000;
/// What a session of greffe says that it runs for while it keeps its own tables.
pub const OWN_RUN: &str = "own";

/// How a guard is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// What the installation is called.
    pub id: String,
    /// Whether a change that cannot be noted is refused.
    pub strict: bool,
    /// How many rows stay; the oldest go, and are counted.
    pub keep: u32,
    /// A role that may read what is noted, beside its owner.
    pub reader: Option<String>,
}

/// What was found of a guard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Of the installation; `None` where its table does not say it.
    pub id: Option<String>,
    pub version: u32,
    pub installed_at: Option<Timestamp>,
    pub strict: bool,
    pub keep: u32,
    /// Changes that are noted now.
    pub rows: u64,
    /// Older ones that went.
    pub removed: u64,
    /// Changes that could not be noted.
    pub missed: u64,
    /// What keeps it from telling all.
    pub faults: Vec<GuardFault>,
}

/// What keeps a guard from telling all, or from being believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum GuardFault {
    #[error("{what} is gone")]
    Gone { what: String },
    #[error("this role may not read {what}")]
    Hidden { what: String },
    #[error("{what} is disabled")]
    Disabled { what: String },
    #[error("{what} is not as greffe made it")]
    Replaced { what: String },
    #[error("{what} belongs to {owner}, who is no superuser and could change it")]
    Owned { what: String, owner: String },
    #[error("{grantee} may write {what}")]
    Writable { what: String, grantee: String },
    #[error("event triggers are off for {whom}")]
    Off { whom: String },
}

/// Why a guard is not made, removed or read.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error("only PostgreSQL has triggers that fire when the schema is changed")]
    Engine,
    #[error("the role {role} lacks: {}", lacks.join("; "))]
    Rights { role: String, lacks: Vec<&'static str> },
    #[error("this server is a standby, on which nothing can be made")]
    Standby,
    #[error("{what} is there already and belongs to {owner}")]
    Foreign { what: String, owner: String },
    #[error("cannot install or remove the guard")]
    Failed(#[source] Failure),
}

/// A change as a trigger noted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardRow {
    pub id: i64,
    /// By the clock of the server.
    pub at: Option<Timestamp>,
    /// Of the server, by its own number.
    pub transaction: String,
    /// Who logged in.
    pub session_role: String,
    /// As whom the statement ran.
    pub role: Option<String>,
    /// What the session said that it runs for.
    pub run: Option<String>,
    /// The statement's tag, such as `CREATE TABLE`.
    pub command: String,
    pub object_type: Option<String>,
    /// The object's name as SQL writes it; `None` where the server does not tell, as of a `GRANT`.
    pub identity: Option<String>,
    /// The extension that it belongs to.
    pub extension: Option<String>,
    /// Objects that the same statement made, changed or dropped besides.
    pub others: u64,
}

/// Up to where changes have been read: none is missed behind it, also of transactions that were open then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GuardCursor {
    /// The newest row.
    pub row: i64,
    /// Which transactions could be seen, as the server writes a snapshot.
    snapshot: String,
}

impl Default for GuardCursor {
    fn default() -> Self {
        Self { row: 0, snapshot: "1:1:".to_owned() }
    }
}

impl fmt::Display for GuardCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.row, self.snapshot)
    }
}

impl From<GuardCursor> for String {
    fn from(cursor: GuardCursor) -> Self {
        cursor.to_string()
    }
}

impl TryFrom<String> for GuardCursor {
    type Error = CursorError;

    fn try_from(text: String) -> Result<Self, CursorError> {
        text.parse()
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no cursor")]
pub struct CursorError;

impl FromStr for GuardCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (row, snapshot) = text.split_once('.').ok_or(CursorError)?;
        let [from, to, open]: [&str; 3] =
            snapshot.split(':').collect::<Vec<_>>().try_into().map_err(|_| CursorError)?;
        let is_snapshot = [from, to].into_iter().all(|number| number.parse::<u64>().is_ok_and(|n| n > 0))
            && (open.is_empty() || open.split(',').all(is_number));
        if !is_snapshot || ![row, from, to].into_iter().all(is_number) {
            return Err(CursorError);
        }
        Ok(Self { row: row.parse().map_err(|_| CursorError)?, snapshot: snapshot.to_owned() })
    }
}

/// What was read of a guard in one moment.
#[derive(Clone, Debug, Default)]
pub struct GuardRows {
    /// In the order of their numbers.
    pub rows: Vec<GuardRow>,
    /// What all rows say that they ran for, each once, also those that were read before.
    pub runs: Vec<String>,
    pub cursor: GuardCursor,
    /// The number of the newest row that is there; 0 without one.
    pub newest: i64,
    pub missed: u64,
    pub removed: u64,
}

/// What a role would have to be to install a guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardRights {
    pub role: String,
    pub database: String,
    /// Also whom a provider gives that right instead.
    pub makes_event_triggers: bool,
    pub makes_schemas: bool,
    /// A standby is read from alone.
    pub is_standby: bool,
}

impl GuardRights {
    /// What it lacks.
    #[must_use]
    pub fn lacks(&self) -> Vec<&'static str> {
        let wanted = [
            (self.makes_event_triggers, "to make event triggers, which PostgreSQL leaves to superusers"),
            (self.makes_schemas, "CREATE on this database"),
        ];
        wanted.into_iter().filter(|(has, _)| !has).map(|(_, what)| what).collect()
    }
}

impl Database {
    /// What there is of a guard; `None` where there is nothing of one.
    ///
    /// # Errors
    /// [`DatabaseError::Guard`], [`DatabaseError::ToolHistory`].
    pub async fn guard(&mut self) -> Result<Option<Guard>, DatabaseError> {
        self.require_guards()?;
        postgres::find(self).await
    }

    /// The changes that came after `after`, in the order of their numbers; all without one.
    ///
    /// # Errors
    /// [`DatabaseError::Guard`], [`DatabaseError::ToolHistory`].
    pub async fn guard_rows(&mut self, after: Option<GuardCursor>) -> Result<GuardRows, DatabaseError> {
        self.require_guards()?;
        postgres::rows(self, after.unwrap_or_default()).await
    }

    /// What this role may.
    ///
    /// # Errors
    /// [`DatabaseError::Guard`], [`DatabaseError::ToolHistory`].
    pub async fn guard_rights(&mut self) -> Result<GuardRights, DatabaseError> {
        self.require_guards()?;
        postgres::rights(self).await
    }

    /// Makes table and triggers, or puts in order what is there of them; all or nothing. What was noted stays.
    ///
    /// # Errors
    /// [`DatabaseError::Guard`]; but for [`GuardError::Failed`] before anything is changed.
    pub async fn install_guard(&mut self, settings: &GuardSettings) -> Result<(), DatabaseError> {
        let (rights, found) = (self.guard_rights().await?, self.guard().await?);
        require_rights(&rights)?;
        let mut faults = found.iter().flat_map(|guard| &guard.faults);
        if let Some(GuardFault::Owned { what, owner }) =
            faults.find(|fault| matches!(fault, GuardFault::Owned { .. }))
        {
            return Err(GuardError::Foreign { what: what.clone(), owner: owner.clone() }.into());
        }
        self.change_guard(install_sql(settings)).await
    }

    /// Removes all of it; all or nothing.
    ///
    /// # Errors
    /// [`DatabaseError::Guard`]; but for [`GuardError::Failed`] before anything is changed.
    pub async fn remove_guard(&mut self) -> Result<(), DatabaseError> {
        require_rights(&self.guard_rights().await?)?;
        self.change_guard(remove_sql()).await
    }

    /// Whether a session at `url` may begin as one of `run`, which some poolers refuse.
    pub async fn takes_run(url: &str, options: Options, run: EventId) -> bool {
        Postgres::accepts(url) && Postgres::takes_run(url, options, run).await
    }

    async fn change_guard(&mut self, sql: String) -> Result<(), DatabaseError> {
        let Self::Postgres(database) = self else { return Err(GuardError::Engine.into()) };
        let done = database.say(sql).await;
        if done.is_err() {
            database.say("ROLLBACK".to_owned()).await.ok();
        }
        Ok(done.map_err(GuardError::Failed)?)
    }

    fn require_guards(&self) -> Result<(), DatabaseError> {
        if self.sql() == Sql::Postgres { Ok(()) } else { Err(GuardError::Engine.into()) }
    }
}

fn require_rights(rights: &GuardRights) -> Result<(), GuardError> {
    if rights.is_standby {
        return Err(GuardError::Standby);
    }
    let lacks = rights.lacks();
    match lacks.is_empty() {
        true => Ok(()),
        false => Err(GuardError::Rights { role: rights.role.clone(), lacks }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_they_are_written() {
        for cursor in
            ["0.1:1:", "9223372036854775807.18446744073709551615:18446744073709551615:", "41.7:12:7,9,11"]
        {
            assert_eq!(cursor.parse::<GuardCursor>().map(|cursor| cursor.to_string()), Ok(cursor.to_owned()));
        }
        assert_eq!(GuardCursor::default().to_string().parse(), Ok(GuardCursor::default()));
        for garbage in [
            "",
            ".",
            "1",
            "1.",
            "1.1",
            "1.1:1",
            ".1:1:",
            "-1.1:1:",
            "1.+1:1:",
            "1.0:1:",
            "1.1:1::",
            "1.1:1:,",
            "1.1:1:1,",
            "1.1:1:'",
            "9223372036854775808.1:1:",
            "é.1:1:",
        ] {
            assert_eq!(garbage.parse::<GuardCursor>(), Err(CursorError), "{garbage}");
        }
    }

    #[test]
    fn what_a_role_lacks_is_said() {
        let rights = |makes_event_triggers, makes_schemas| GuardRights {
            role: "app".to_owned(),
            database: "shop".to_owned(),
            makes_event_triggers,
            makes_schemas,
            is_standby: false,
        };
        assert_eq!(rights(false, false).lacks().len(), 2);
        assert!(require_rights(&rights(true, true)).is_ok());
        let refused = require_rights(&rights(false, true)).unwrap_err().to_string();
        assert!(refused.contains("superusers") && !refused.contains("CREATE"), "{refused}");
        let standby = GuardRights { is_standby: true, ..rights(true, true) };
        assert!(matches!(require_rights(&standby), Err(GuardError::Standby)));
    }
}
