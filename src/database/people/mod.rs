//! Rows of one person: found, counted, read and changed. What is a person's is told by paths over tables; no names
//! and no rules are known here. Keys and replacements are bound, names are quoted, and no error has a value.

mod sql;
mod values;

use std::collections::BTreeSet;

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::database::{Database, DatabaseError, Failure};
use crate::model::{Path, Relation, Replacement, ValueKind};

pub use sql::{Build, Parameter, Query, Rows, Sql};

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// All is read as it is at one moment.
    Read,
    Change,
}

/// A person's key does not fit the column that it is looked for in. It does not say the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is no {expected}, as the column of keys has them")]
pub struct KeyMismatch {
    pub expected: &'static str,
}

/// One person, as the column of keys has them. `Debug` does not show the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Person(Parameter);

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person")
    }
}

impl Person {
    /// Reads a key for a column of this kind.
    ///
    /// # Errors
    /// [`KeyMismatch`].
    pub fn parse(key: &str, kind: ValueKind) -> Result<Self, KeyMismatch> {
        let parameter = match kind {
            ValueKind::Integer => {
                let digits = key.strip_prefix('-').unwrap_or(key);
                let is_plain = digits == "0" || !digits.is_empty() && !digits.starts_with('0');
                let is_plain = is_plain && digits.bytes().all(|byte| byte.is_ascii_digit());
                let number = key.parse().map(Parameter::Integer);
                let number = number.or_else(|_| key.parse().map(Parameter::Unsigned));
                number.ok().filter(|_| is_plain).ok_or(KeyMismatch { expected: "whole number" })?
            }
            ValueKind::Uuid => {
                let sound = key.len() == 36 && uuid::Uuid::try_parse(key).is_ok();
                sound.then(|| Parameter::Text(key.to_lowercase())).ok_or(KeyMismatch { expected: "UUID" })?
            }
            ValueKind::Bytes => {
                let bytes = HEXLOWER_PERMISSIVE.decode(key.as_bytes());
                Parameter::Bytes(bytes.map_err(|_| KeyMismatch { expected: "hexadecimal text" })?)
            }
            _ if key.contains('\0') => return Err(KeyMismatch { expected: "text without NUL" }),
            _ => Parameter::Text(key.to_owned()),
        };
        Ok(Self(parameter))
    }
}

/// What a transaction left that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// What was there before is still in the write-ahead log: another connection reads it.
    pub log_is_read: bool,
}

/// What the adapters do, each in its own SQL.
pub(in crate::database) trait Speak {
    /// How it writes names, places of parameters and values as text.
    fn dialect(&self) -> Sql;
    /// All tables of the user.
    async fn relations(&mut self) -> Result<Vec<Relation>, Failure>;
    async fn begin(&mut self, purpose: Purpose) -> Result<(), Failure>;
    /// Makes what waits for the end of the transaction happen now.
    async fn settle(&mut self) -> Result<(), Failure>;
    /// Whether what was overwritten is still in a log that another connection reads.
    async fn commit(&mut self) -> Result<Committed, Failure>;
    async fn rollback(&mut self);
    /// The number in the only row.
    async fn count(&mut self, query: Query) -> Result<u64, Failure>;
    /// How many rows it found.
    async fn execute(&mut self, query: Query) -> Result<u64, Failure>;
    /// Hands out rows one by one, as bytes of text, until `each` says no.
    async fn rows(&mut self, query: Query, each: &mut Each<'_>) -> Result<(), Failure>;
}

/// A row whose columns are bytes of text; says whether to go on.
pub type Each<'a> = dyn FnMut(Vec<Option<Vec<u8>>>) -> bool + 'a;

macro_rules! each {
    ($self:expr, $database:ident => $call:expr) => {
        match $self {
            Database::Sqlite($database) => $call,
            Database::Postgres($database) => $call,
            Database::Mysql($database) => $call,
        }
        .map_err(DatabaseError::People)
    };
}

impl Database {
    /// All tables but greffe's own, in the order of their names.
    ///
    /// # Errors
    /// [`DatabaseError::People`].
    pub async fn relations(&mut self) -> Result<Vec<Relation>, DatabaseError> {
        let mut relations = each!(self, database => database.relations().await)?;
        relations.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(relations)
    }

    fn dialect(&self) -> Sql {
        match self {
            Self::Sqlite(database) => database.dialect(),
            Self::Postgres(database) => database.dialect(),
            Self::Mysql(database) => database.dialect(),
        }
    }

    /// Looks for a person in tables that [`Database::relations`] told of, in a transaction that ends with
    /// [`People::commit`] or [`People::rollback`].
    ///
    /// # Errors
    /// [`DatabaseError::People`].
    pub async fn people<'a>(
        &'a mut self,
        relations: &'a [Relation],
        person: &'a Person,
        purpose: Purpose,
    ) -> Result<People<'a>, DatabaseError> {
        each!(self, database => database.begin(purpose).await)?;
        let build = Build { sql: self.dialect(), relations, key: &person.0 };
        Ok(People { database: self, build })
    }
}

/// A transaction over one person's rows. A dropped one has to be rolled back by the end of its connection.
pub struct People<'a> {
    database: &'a mut Database,
    build: Build<'a>,
}

impl People<'_> {
    /// How many rows of `table` there are of these.
    ///
    /// # Errors
    /// [`DatabaseError::People`].
    pub async fn count(&mut self, table: &str, rows: &Rows<'_>) -> Result<u64, DatabaseError> {
        let query = self.build.count(table, rows);
        each!(&mut *self.database, database => database.count(query).await)
    }

    /// How many of them are not yet as `sets` makes them. A random value is never known again.
    ///
    /// # Errors
    /// [`DatabaseError::People`].
    pub async fn count_unset(
        &mut self,
        table: &str,
        rows: &Rows<'_>,
        sets: &[(String, Replacement)],
    ) -> Result<u64, DatabaseError> {
        let query = self.build.count_unset(table, rows, sets);
        each!(&mut *self.database, database => database.count(query).await)
    }

    /// Keeps the person's own row from being changed by others until the end of the transaction.
    ///
    /// # Errors
    /// [`DatabaseError::People`].
    pub async fn hold(&mut self, table: &str, paths: &[Path]) -> Result<(), DatabaseError> {
        match self.build.hold(table, paths) {
            Some(query) => self.rows_of(query, &mut |_| true).await,
            None => Ok(()),
        }
    }

    /// Hands out the rows in the order of the primary key: each column as text, bytes as they are, `None` for NULL.
    /// Rows are not held in memory. Ends early where `each` says no.
    ///
    /// # Errors
    /// [`DatabaseError::People`].
    pub async fn rows(
        &mut self,
        table: &str,
        rows: &Rows<'_>,
        columns: &[&str],
        each: &mut Each<'_>,
    ) -> Result<(), DatabaseError> {
        let query = self.build.rows(table, rows, columns);
        let coded = self.build.coded(table, columns);
        self.rows_of(query, &mut |mut row| {
            for (value, _) in row.iter_mut().zip(&coded).filter(|(_, coded)| **coded) {
                let bytes = value.as_deref().and_then(|text| HEXLOWER_PERMISSIVE.decode(text).ok());
                *value = bytes.or(value.take());
            }
            each(row)
        })
        .await
    }

    /// The values that a column has in rows, each once; NULL is none.
    ///
    /// # Errors
    /// [`DatabaseError::People`].
    pub async fn held(
        &mut self,
        table: &str,
        rows: &Rows<'_>,
        column: &str,
    ) -> Result<Vec<Parameter>, DatabaseError> {
        let (kind, query) = (self.build.kind(table, column), self.build.held(table, rows, column));
        let mut found = BTreeSet::new();
        let mut keep = |row: Vec<Option<Vec<u8>>>| {
            found.extend(row.into_iter().flatten());
            true
        };
        self.rows_of(query, &mut keep).await?;
        Ok(found.into_iter().map(|bytes| Parameter::of(kind, bytes)).collect())
    }

    /// The person's key.
    #[must_use]
    pub fn key(&self) -> Parameter {
        self.build.key.clone()
    }

    async fn rows_of(&mut self, query: Query, each: &mut Each<'_>) -> Result<(), DatabaseError> {
        each!(&mut *self.database, database => database.rows(query, each).await)
    }

    /// Deletes the rows; how many there were.
    ///
    /// # Errors
    /// [`DatabaseError::People`].
    pub async fn delete(&mut self, table: &str, rows: &Rows<'_>) -> Result<u64, DatabaseError> {
        let query = self.build.delete(table, rows);
        each!(&mut *self.database, database => database.execute(query).await)
    }

    /// Sets columns of the rows; how many there were.
    ///
    /// # Errors
    /// [`DatabaseError::People`].
    pub async fn set(
        &mut self,
        table: &str,
        rows: &Rows<'_>,
        sets: &[(String, Replacement)],
    ) -> Result<u64, DatabaseError> {
        let query = self.build.set(table, rows, sets);
        each!(&mut *self.database, database => database.execute(query).await)
    }

    /// Sets `unset` to NULL in rows whose columns hold what those of `parent` hold, where these lead to the person.
    /// With `count` it is only counted.
    ///
    /// # Errors
    /// [`DatabaseError::People`].
    pub async fn detach(&mut self, detach: &Detach<'_>, count: bool) -> Result<u64, DatabaseError> {
        let query = self.build.detach(detach, count);
        if count {
            return each!(&mut *self.database, database => database.count(query).await);
        }
        each!(&mut *self.database, database => database.execute(query).await)
    }

    /// Makes constraints that wait for the end of the transaction speak now.
    ///
    /// # Errors
    /// [`DatabaseError::People`].
    pub async fn settle(&mut self) -> Result<(), DatabaseError> {
        each!(&mut *self.database, database => database.settle().await)
    }

    /// Ends the transaction, for good.
    ///
    /// # Errors
    /// [`DatabaseError::People`]; where the connection was lost, nobody knows whether it took effect.
    pub async fn commit(self) -> Result<Committed, DatabaseError> {
        each!(self.database, database => database.commit().await)
    }

    /// Ends the transaction as if nothing had been done.
    pub async fn rollback(self) {
        match self.database {
            Database::Sqlite(database) => Speak::rollback(&mut **database).await,
            Database::Postgres(database) => Speak::rollback(&mut **database).await,
            Database::Mysql(database) => Speak::rollback(&mut **database).await,
        }
    }
}

/// Rows that refer to rows of a person.
#[derive(Clone, Copy, Debug)]
pub struct Detach<'a> {
    pub table: &'a str,
    pub columns: &'a [String],
    /// The column that is set to NULL.
    pub unset: &'a str,
    pub parent: &'a str,
    pub parent_columns: &'a [String],
    /// How rows of the parent lead to the person.
    pub paths: &'a [Path],
}
