//! Erases a person's data: one transaction, in the order of the plan, after an entry in the list of erasures. What
//! changes other rows than were planned is rolled back.

use super::held::Held;
use super::list::{Erasure, ErasureList};
use super::mark::{self, Marks};
use super::receipt::{self, Outcome, Receipt, Row};
use super::{Covered, Line, MapFile, Place, SubjectError, count, detach_of, find_covered, plan_digest};
use crate::database::people::{Committed, People, Person, Purpose, Rows};
use crate::database::{Database, DatabaseError, Failure};
use crate::model::{Pseudonym, Timestamp};
use crate::ops::event::executor;
use crate::privacy::subject::map::label;
use crate::privacy::subject::{Step, Task};

/// Keys of so many signs may stand within another number by chance.
const SHORT_KEY: usize = 4;
/// How often steps are done again whose rows triggers bring back.
const ROUNDS: usize = 3;

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
        let key = key.to_lowercase();
        let signs = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        let bare = signs(&key);
        let is_long = bare.chars().count() > SHORT_KEY;
        let shows = |text: &str| {
            let text = text.to_lowercase();
            text == key || is_long && (text.contains(&key) || signs(&text).contains(&bare))
        };
        // A short key is a word of its own by no chance; in a legal basis, such as `art17.1.a`, it is.
        let words = self.reference.to_lowercase();
        let mut words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        if shows(&self.reference) || shows(&self.basis) || words.any(|word| word == key) {
            return Err(SubjectError::KeyInRequest);
        }
        Ok(())
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
    /// Digest of the plan that somebody looked at before.
    pub plan: Option<&'a str>,
    pub clock: &'a dyn Fn() -> Timestamp,
}

/// How an erasure ended.
pub struct Erased {
    pub receipt: Receipt,
    /// By what the person is known again; `None` where nothing was changed.
    pub marks: Option<Marks>,
}

/// Erases. A database that refuses is no error: the receipt says `failed`, and nothing was changed.
///
/// # Errors
/// [`SubjectError`]; nothing was changed, but for [`SubjectError::Uncertain`].
pub async fn erase(
    database: &mut Database,
    covered: &Covered,
    order: &Order<'_>,
    list: &mut dyn ErasureList,
) -> Result<Erased, SubjectError> {
    order.request.require_without(order.key)?;
    let person = covered.person(order.key)?;
    let planned = find_covered(database, covered, &person).await?;
    let digest = plan_digest(order.file, order.place, &planned).to_string();
    if let Some(expected) = order.plan.filter(|expected| **expected != digest) {
        return Err(SubjectError::OtherPlan { expected: expected.to_owned(), found: digest });
    }
    erase_planned(database, order, (covered, &person), planned, list).await
}

async fn erase_planned(
    database: &mut Database,
    order: &Order<'_>,
    (covered, person): (&Covered, &Person),
    planned: Vec<Line>,
    list: &mut dyn ErasureList,
) -> Result<Erased, SubjectError> {
    let started_at = (order.clock)();
    let pseudonym = Pseudonym::generate();
    let mut people = covered.people(database, person, Purpose::Change).await?;
    let (ended, marks) = match change(&mut people, order, covered, &planned).await {
        Ok(marks) => {
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
                again: order.again,
                marks: marks.clone(),
            };
            // Durable before the change is: a crash between the two leaves an entry and the rows, and the entry is
            // done again.
            if let Err(error) = list.append(&entry) {
                people.rollback().await;
                return Err(error.into());
            }
            (commit(people).await?, Some(marks))
        }
        Err(stopped) => {
            people.rollback().await;
            let failure = match stopped {
                Stopped::Database(DatabaseError::People(failure)) => failure.to_string(),
                Stopped::Counts(text) => text,
                Stopped::Moved(error) => return Err(error),
                Stopped::Database(error) => return Err(error.into()),
            };
            (Err(failure), None)
        }
    };
    let is_done = ended.is_ok();
    let log_is_read = ended.as_ref().is_ok_and(|committed| committed.log_is_read);
    let tables: Vec<Row> = planned.iter().map(|line| Row::of(line, is_done)).collect();
    let receipt = Receipt {
        request: order.request.reference.clone(),
        basis: order.request.basis.clone(),
        outcome: Outcome::of(&tables, is_done),
        person: pseudonym,
        database: receipt::Database { name: order.place.name.clone(), engine: order.place.engine },
        started_at,
        finished_at: (order.clock)(),
        again: order.again,
        tables,
        remains: log_is_read.then(|| receipt::IN_THE_LOG.to_owned()),
        failure: ended.err(),
        executor: executor(),
    };
    Ok(Erased { receipt, marks: marks.filter(|_| is_done) })
}

/// Table and column of keys, as lists call them.
pub fn person_of(file: &MapFile) -> String {
    format!("{}.{}", file.map.person.table, file.map.person.column)
}

/// Ends the transaction; within, what the database refused.
async fn commit(people: People<'_>) -> Result<Result<Committed, String>, SubjectError> {
    match people.commit().await {
        Ok(committed) => Ok(Ok(committed)),
        Err(DatabaseError::People(failure @ Failure::Server { .. })) => Ok(Err(failure.to_string())),
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

/// All of the plan within the transaction; by what the person is known again.
async fn change(
    people: &mut People<'_>,
    order: &Order<'_>,
    covered: &Covered,
    planned: &[Line],
) -> Result<Marks, Stopped> {
    let root =
        covered.plan.steps.iter().find(|step| step.table == order.file.map.person.table && !is_detach(step));
    if let Some(root) = root {
        people.hold(&root.table, &root.paths).await?;
    }
    let columns = mark::columns_of(order.file);
    let before = mark::identity(people, order.file, covered, &columns).await?;
    let found = count(people, &covered.plan).await?;
    for (found, planned) in found.iter().zip(planned) {
        if found.rows != planned.rows {
            let table = found.table.clone();
            let error = SubjectError::Changed { table, planned: planned.rows, found: found.rows };
            return Err(Stopped::Moved(error));
        }
    }
    let mut held = Vec::new();
    for step in covered.plan.steps.iter().filter(|step| !is_detach(step)) {
        let rows = Held::read(people, step).await?;
        let counted = rows.count(people).await?;
        held.push((step, rows, counted));
    }
    for (step, line) in covered.plan.steps.iter().zip(planned) {
        let touched = touch(people, step, line.rows).await?;
        if touched != line.rows {
            let Line { table, action, rows, .. } = line;
            return Err(Stopped::Counts(format!(
                "{action} of {table} met {touched} rows, and {rows} were planned"
            )));
        }
    }
    people.settle().await?;
    verify(people, &held).await?;
    let after = mark::identity(people, order.file, covered, &columns).await?;
    let random = mark::random(people, covered).await?;
    Ok(Marks { columns, before, after, random })
}

/// That every row is as the plan makes it, whatever triggers and foreign keys did meanwhile. What they brought back is
/// changed again.
async fn verify(people: &mut People<'_>, held: &[(&Step, Held, u64)]) -> Result<(), Stopped> {
    for round in 0..=ROUNDS {
        let mut undone = None;
        for (step, rows, _) in held {
            let left = rows.undone(people, step).await?;
            if left > 0 && round < ROUNDS {
                rows.again(people, step).await?;
            }
            undone = undone.or((left > 0).then_some((step, left)));
        }
        match undone {
            None => break,
            Some((step, left)) if round == ROUNDS => {
                let action = super::action_of(&step.task);
                return Err(Stopped::Counts(format!(
                    "{left} rows of {} are again as before, after {action}: a trigger may do this",
                    step.table
                )));
            }
            Some(_) => people.settle().await?,
        }
    }
    for (step, rows, before) in held {
        let stays = match &step.task {
            Task::Keep | Task::Flag(_) => true,
            Task::Anonymise(sets) => !rows.is_moved_by(sets),
            Task::Delete | Task::Detach { .. } => false,
        };
        let now = if stays { rows.count(people).await? } else { *before };
        if now < *before {
            let gone = before - now;
            return Err(Stopped::Counts(format!(
                "{gone} rows of {} went with others, and the map keeps them",
                step.table
            )));
        }
    }
    Ok(())
}

fn is_detach(step: &Step) -> bool {
    matches!(step.task, Task::Detach { .. })
}

/// Does one step; how many rows it met.
async fn touch(people: &mut People<'_>, step: &Step, rows: u64) -> Result<u64, DatabaseError> {
    let led = Rows::LeadingBy(&step.paths);
    match &step.task {
        Task::Keep => Ok(rows),
        Task::Delete => people.delete(&step.table, &led).await,
        Task::Anonymise(sets) | Task::Flag(sets) if sets.is_empty() => Ok(rows),
        Task::Anonymise(sets) | Task::Flag(sets) => people.set(&step.table, &led, sets).await,
        Task::Detach { .. } => match detach_of(step) {
            Some(detach) => people.detach(&detach, false).await,
            None => Ok(rows),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_that_shows_the_key_is_refused() {
        for (reference, key, shows) in [
            ("R-1", "1", true),
            ("R-10", "1", false),
            ("client-4711", "4711", true),
            ("2026-14711", "4711", false),
            ("R-54711-b", "54711", true),
            ("REQ-A1B2C3D4-0000", "a1b2c3d4-0000", true),
            ("a1b2c3d40000", "A1B2C3D4-0000", true),
            ("anna.unseen.fr", "anna@unseen.fr", true),
            ("2026-017", "4711", false),
        ] {
            let request = Request::new(reference, "art17.1.a").unwrap();
            assert_eq!(request.require_without(key).is_err(), shows, "{reference} {key}");
        }
        assert!(Request::new("R-2", &"x".repeat(200)).is_ok());
        assert!(Request::new("R-2", &"x".repeat(201)).is_err());
        assert!(Request::new("R-2", " ").is_err());
    }
}
