//! Erases a person's data: one transaction, in the order of the plan, after an entry in the list of erasures. What
//! changes other rows than were planned is rolled back.

use super::list::{Erasure, ErasureList};
use super::receipt::{self, Outcome, Receipt, Row};
use super::{Covered, Line, MapFile, Place, SubjectError, count, detach_of, find_covered};
use crate::crypto::{Digest, Hasher};
use crate::database::people::{People, Purpose};
use crate::database::{Database, DatabaseError, Failure};
use crate::model::{Pseudonym, Timestamp};
use crate::ops::event::executor;
use crate::privacy::subject::map::label;
use crate::privacy::subject::{Step, Task};

/// A person's request, and on what grounds it is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    reference: String,
    basis: String,
}

impl Request {
    /// Reads the reference and the legal basis.
    ///
    /// # Errors
    /// [`SubjectError::Request`]; [`SubjectError::Basis`].
    pub fn new(reference: &str, basis: &str) -> Result<Self, SubjectError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let begins = reference.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !begins || reference.len() > 64 || !reference.bytes().all(plain) {
            return Err(SubjectError::Request);
        }
        label(basis).map_err(|_| SubjectError::Basis)?;
        Ok(Self { reference: reference.to_owned(), basis: basis.to_owned() })
    }

    /// Fails where receipt or plan would show the key.
    ///
    /// # Errors
    /// [`SubjectError::KeyInRequest`].
    pub fn require_without(&self, key: &str) -> Result<(), SubjectError> {
        // A short number may stand in a reference by chance.
        let texts = [&self.reference, &self.basis];
        let shows = texts.iter().any(|text| **text == key || (key.len() > 4 && text.contains(key)));
        if shows { Err(SubjectError::KeyInRequest) } else { Ok(()) }
    }

    /// The reference.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

/// An erasure that is to be done.
pub struct Order<'a> {
    pub file: &'a MapFile,
    pub place: &'a Place,
    pub request: &'a Request,
    pub key: &'a str,
    /// Whether it is done again after a restore.
    pub again: bool,
    pub clock: &'a dyn Fn() -> Timestamp,
}

/// Erases. A database that refuses is no error: the receipt says `failed`, and nothing was changed.
///
/// # Errors
/// [`SubjectError`]; nothing was changed, but for [`SubjectError::Uncertain`].
pub async fn erase(
    database: &mut Database,
    order: &Order<'_>,
    list: &mut dyn ErasureList,
) -> Result<Receipt, SubjectError> {
    order.request.require_without(order.key)?;
    let covered = Covered::read(database, order.file, order.key).await?;
    let planned = find_covered(database, &covered).await?;
    erase_planned(database, order, &covered, planned, list).await
}

async fn erase_planned(
    database: &mut Database,
    order: &Order<'_>,
    covered: &Covered,
    planned: Vec<Line>,
    list: &mut dyn ErasureList,
) -> Result<Receipt, SubjectError> {
    let started_at = (order.clock)();
    let pseudonym = Pseudonym::generate();
    let mut people = covered.people(database, Purpose::Change).await?;
    let changed = change(&mut people, order, covered, &planned).await;
    let failed = match changed {
        Ok(row) => {
            let entry = Erasure {
                version: 1,
                request: order.request.reference.clone(),
                basis: order.request.basis.clone(),
                at: started_at,
                pseudonym,
                map: order.file.digest.to_string(),
                database: order.place.name.clone(),
                person: person_of(order.file),
                key: order.key.to_owned(),
                row,
            };
            // Durable before the change is: a crash between the two leaves an entry and the rows, and the entry is
            // done again.
            if let Err(error) = if order.again { Ok(()) } else { list.append(&entry) } {
                people.rollback().await;
                return Err(error.into());
            }
            commit(people).await?
        }
        Err(Stopped::Database(DatabaseError::People(failure))) => {
            people.rollback().await;
            Some(failure.to_string())
        }
        Err(Stopped::Counts(text)) => {
            people.rollback().await;
            Some(text)
        }
        Err(Stopped::Moved(error)) => {
            people.rollback().await;
            return Err(error);
        }
        Err(Stopped::Database(error)) => {
            people.rollback().await;
            return Err(error.into());
        }
    };
    let is_done = failed.is_none();
    Ok(Receipt {
        request: order.request.reference.clone(),
        basis: order.request.basis.clone(),
        outcome: if is_done { Outcome::Done } else { Outcome::Failed },
        person: pseudonym,
        database: receipt::Database { name: order.place.name.clone(), engine: order.place.engine },
        started_at,
        finished_at: (order.clock)(),
        again: order.again,
        tables: planned.iter().map(|line| Row::of(line, is_done)).collect(),
        failure: failed,
        executor: executor(),
    })
}

/// Table and column of keys, as lists call them.
pub fn person_of(file: &MapFile) -> String {
    format!("{}.{}", file.map.person.table, file.map.person.column)
}

/// Ends the transaction; what the database refused, where it did.
async fn commit(people: People<'_>) -> Result<Option<String>, SubjectError> {
    match people.commit().await {
        Ok(()) => Ok(None),
        Err(DatabaseError::People(failure @ Failure::Server { .. })) => Ok(Some(failure.to_string())),
        Err(DatabaseError::People(failure)) => Err(SubjectError::Uncertain(failure)),
        Err(error) => Err(error.into()),
    }
}

/// Why a change was not carried to its end.
enum Stopped {
    Database(DatabaseError),
    /// It touched other rows than it found.
    Counts(String),
    /// Someone else changed the rows since the plan.
    Moved(SubjectError),
}

impl From<DatabaseError> for Stopped {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

/// All of the plan within the transaction; the digest of the person's own row before.
async fn change(
    people: &mut People<'_>,
    order: &Order<'_>,
    covered: &Covered,
    planned: &[Line],
) -> Result<Option<String>, Stopped> {
    let root =
        covered.plan.steps.iter().find(|step| step.table == order.file.map.person.table && !is_detach(step));
    if let Some(root) = root {
        people.hold(&root.table, &root.paths).await?;
    }
    let row = own_row(people, order.file, covered).await?;
    let found = count(people, &covered.plan).await?;
    for (found, planned) in found.iter().zip(planned) {
        if found.rows != planned.rows {
            let table = found.table.clone();
            let error = SubjectError::Changed { table, planned: planned.rows, found: found.rows };
            return Err(Stopped::Moved(error));
        }
    }
    for (step, line) in covered.plan.steps.iter().zip(planned) {
        let touched = touch(people, step, line.rows).await?;
        if touched != line.rows {
            let Line { table, action, rows, .. } = line;
            return Err(Stopped::Counts(format!(
                "{action} of {table} met {touched} rows, and {rows} were planned"
            )));
        }
        if step.task == Task::Delete && line.rows > 0 {
            let left = people.count(&step.table, &step.paths).await?;
            if left > 0 {
                return Err(Stopped::Counts(format!("{left} rows of {} are still there", step.table)));
            }
        }
    }
    people.settle().await?;
    Ok(row)
}

fn is_detach(step: &Step) -> bool {
    matches!(step.task, Task::Detach { .. })
}

/// Does one step; how many rows it met.
async fn touch(people: &mut People<'_>, step: &Step, rows: u64) -> Result<u64, DatabaseError> {
    match &step.task {
        Task::Keep => Ok(rows),
        Task::Delete => people.delete(&step.table, &step.paths).await,
        Task::Anonymise(sets) | Task::Flag(sets) if sets.is_empty() => Ok(rows),
        Task::Anonymise(sets) | Task::Flag(sets) => people.set(&step.table, &step.paths, sets).await,
        Task::Detach { .. } => match detach_of(step) {
            Some(detach) => people.detach(&detach, false).await,
            None => Ok(rows),
        },
    }
}

/// A digest of the person's own row, all of it; `None` without one.
pub async fn own_row(
    people: &mut People<'_>,
    file: &MapFile,
    covered: &Covered,
) -> Result<Option<String>, DatabaseError> {
    let table = &file.map.person.table;
    let Some(relation) = covered.relations.iter().find(|relation| relation.name == *table) else {
        return Ok(None);
    };
    let names: Vec<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
    let mut digest: Option<Digest> = None;
    let mut read = |row: Vec<Option<Vec<u8>>>| {
        let mut hasher = Hasher::default();
        for (name, value) in names.iter().zip(&row) {
            let length = value.as_ref().map_or(u64::MAX, |value| value.len() as u64);
            hasher.update(&(name.len() as u64).to_be_bytes());
            hasher.update(name.as_bytes());
            hasher.update(&length.to_be_bytes());
            hasher.update(value.as_deref().unwrap_or_default());
        }
        digest = Some(hasher.finish());
        true
    };
    people.rows(table, &file.map.paths(table), &names, &mut read).await?;
    Ok(digest.map(|digest| digest.to_string()))
}
