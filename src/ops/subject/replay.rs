//! Does the erasures of the list again, in a database that was restored from a backup. What is erased already stays so.

use serde::Serialize;

use super::erase::{Order, Request, erase, own_row, person_of};
use super::list::{Erasure, ErasureList};
use super::receipt::Receipt;
use super::{Covered, MapFile, Place, SubjectError, detach_of};
use crate::database::people::{People, Purpose};
use crate::database::{Database, DatabaseError};
use crate::model::Timestamp;
use crate::privacy::subject::Task;

/// What became of one entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Nothing of it is there any more.
    Gone,
    /// It was there, and was erased again.
    Erased,
    /// The database refused; nothing was changed.
    Failed,
    /// The key is there with another row than the one that was erased: it may be someone else's by now.
    Differs,
    /// It is of another database.
    OtherDatabase,
    /// The map looks for keys elsewhere than it did then.
    OtherKey,
}

/// One entry of the list, done again.
#[derive(Clone, Debug, Serialize)]
pub struct Again {
    pub request: String,
    pub at: Timestamp,
    pub found: Found,
    #[serde(skip)]
    pub receipt: Option<Receipt>,
}

/// What is done again, and how.
pub struct Replay<'a> {
    pub file: &'a MapFile,
    pub place: &'a Place,
    /// Only this request.
    pub request: Option<&'a str>,
    /// Also where the person's own row is another one than it was.
    pub also_different: bool,
    pub clock: &'a dyn Fn() -> Timestamp,
}

/// Goes through the list, the oldest entry first. `told` is called after each, so that its receipt can be kept.
///
/// # Errors
/// [`SubjectError`]; what was done before stays done.
pub async fn replay(
    database: &mut Database,
    replay: &Replay<'_>,
    list: &mut dyn ErasureList,
    told: &mut dyn FnMut(Again) -> Result<(), SubjectError>,
) -> Result<(), SubjectError> {
    for erasure in list.read()? {
        if replay.request.is_some_and(|request| request != erasure.request) {
            continue;
        }
        let (found, receipt) = one(database, replay, &erasure, list).await?;
        told(Again { request: erasure.request, at: erasure.at, found, receipt })?;
    }
    Ok(())
}

async fn one(
    database: &mut Database,
    replay: &Replay<'_>,
    erasure: &Erasure,
    list: &mut dyn ErasureList,
) -> Result<(Found, Option<Receipt>), SubjectError> {
    if erasure.database != replay.place.name {
        return Ok((Found::OtherDatabase, None));
    }
    if erasure.person != person_of(replay.file) {
        return Ok((Found::OtherKey, None));
    }
    let covered = Covered::read(database, replay.file, &erasure.key).await?;
    let mut people = covered.people(database, Purpose::Read).await?;
    let looked = look(&mut people, replay.file, &covered).await;
    people.rollback().await;
    let Looked { row, left, rows } = looked?;
    if rows == 0 {
        return Ok((Found::Gone, None));
    }
    let is_restored = row.is_some() && row == erasure.row;
    if !is_restored && left == 0 {
        return Ok((Found::Gone, None));
    }
    if !is_restored && row.is_some() && !replay.also_different {
        return Ok((Found::Differs, None));
    }
    let request = Request::new(&erasure.request, &erasure.basis)?;
    let order = Order {
        file: replay.file,
        place: replay.place,
        request: &request,
        key: &erasure.key,
        again: true,
        clock: replay.clock,
    };
    let receipt = erase(database, &order, list).await?;
    let found = if receipt.failure.is_none() { Found::Erased } else { Found::Failed };
    Ok((found, Some(receipt)))
}

/// What is there of an entry.
struct Looked {
    row: Option<String>,
    /// Rows that an erasure would change.
    left: u64,
    rows: u64,
}

async fn look(people: &mut People<'_>, file: &MapFile, covered: &Covered) -> Result<Looked, DatabaseError> {
    let row = own_row(people, file, covered).await?;
    let (mut left, mut rows) = (0, 0);
    for step in &covered.plan.steps {
        if let Some(detach) = detach_of(step) {
            left += people.detach(&detach, true).await?;
            continue;
        }
        let counted = people.count(&step.table, &step.paths).await?;
        rows += counted;
        left += match &step.task {
            Task::Delete => counted,
            Task::Anonymise(sets) | Task::Flag(sets) => {
                people.count_unset(&step.table, &step.paths, sets).await?
            }
            Task::Keep | Task::Detach { .. } => 0,
        };
    }
    Ok(Looked { row, left, rows })
}
