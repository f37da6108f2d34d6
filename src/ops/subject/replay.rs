//! Does the erasures of the list again, in a database that was restored from a backup. What is erased already stays so,
//! and an entry that cannot be done keeps no other from it.

use std::path::PathBuf;

use serde::Serialize;

use super::erase::{Erased, Order, Request, erase, person_of};
use super::held::sets_of;
use super::list::{Erasure, ErasureList, ListError};
use super::mark::{self, Marks};
use super::paper::Paper;
use super::receipt::Receipt;
use super::{Covered, MapFile, Place, SubjectError, detach_of};
use crate::crypto::Signer;
use crate::database::people::{People, Purpose, Rows};
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
    /// The database refused, or something else stood in the way.
    Failed,
    /// The key is there with another row than the one that was erased: it may be someone else's by now.
    Differs,
    /// It is of another database.
    OtherDatabase,
    /// The map looks for keys elsewhere than it did then.
    OtherKey,
}

/// One entry of the list, done again.
#[derive(Debug)]
pub struct Again {
    pub request: String,
    pub at: Timestamp,
    pub found: Found,
    pub receipt: Option<Receipt>,
    /// Where the receipt is.
    pub path: Option<PathBuf>,
    /// What stood in the way.
    pub error: Option<SubjectError>,
}

/// All entries, done again.
#[derive(Debug)]
pub struct Replayed {
    pub erasures: Vec<Again>,
    /// What is wrong with entries that could not be read.
    pub faults: Vec<ListError>,
}

/// What is done again, and how.
pub struct Replay<'a> {
    pub file: &'a MapFile,
    pub place: &'a Place,
    /// Only this request.
    pub request: Option<&'a str>,
    /// Also where the person's own row is another one than it was.
    pub also_different: bool,
    /// Signs receipts.
    pub signing: &'a dyn Signer,
    pub clock: &'a dyn Fn() -> Timestamp,
}

/// Goes through the list, the oldest entry first.
///
/// # Errors
/// [`SubjectError`] where nothing could be begun, or there was nothing to do at all.
pub async fn replay(
    database: &mut Database,
    replay: &Replay<'_>,
    list: &mut dyn ErasureList,
) -> Result<Replayed, SubjectError> {
    let entries = list.read()?;
    let is_ours = |erasure: &&Erasure| erasure.database == replay.place.name;
    if !entries.erasures.is_empty() && !entries.erasures.iter().any(|erasure| is_ours(&erasure)) {
        return Err(SubjectError::NothingOfThis(replay.place.name.clone()));
    }
    let is_wanted = |erasure: &&Erasure| {
        !erasure.again && replay.request.is_none_or(|request| request == erasure.request)
    };
    let wanted: Vec<&Erasure> = entries.erasures.iter().filter(is_wanted).collect();
    if let (Some(request), true, true) = (replay.request, wanted.is_empty(), entries.faults.is_empty()) {
        return Err(SubjectError::NoSuchRequest(request.to_owned()));
    }
    let covered = Covered::read(database, replay.file).await?;
    // How rows were left, also by what is done again here.
    let mut known: Vec<(String, Marks)> = entries
        .erasures
        .iter()
        .filter(is_ours)
        .filter(|erasure| erasure.person == person_of(replay.file))
        .map(|erasure| (erasure.key.clone(), erasure.marks.clone()))
        .collect();
    let mut erasures = Vec::new();
    for erasure in wanted {
        let mut again = Again {
            request: erasure.request.clone(),
            at: erasure.at,
            found: Found::Failed,
            receipt: None,
            path: None,
            error: None,
        };
        if let Err(error) = one(database, replay, &covered, erasure, list, &mut known, &mut again).await {
            again.error = Some(error);
        }
        erasures.push(again);
    }
    Ok(Replayed { erasures, faults: entries.faults })
}

async fn one(
    database: &mut Database,
    replay: &Replay<'_>,
    covered: &Covered,
    erasure: &Erasure,
    list: &mut dyn ErasureList,
    known: &mut Vec<(String, Marks)>,
    again: &mut Again,
) -> Result<(), SubjectError> {
    if erasure.database != replay.place.name {
        again.found = Found::OtherDatabase;
        return Ok(());
    }
    if erasure.person != person_of(replay.file) {
        again.found = Found::OtherKey;
        return Ok(());
    }
    let marks: Vec<&Marks> =
        known.iter().filter(|(key, _)| *key == erasure.key).map(|(_, marks)| marks).collect();
    let person = covered.person(&erasure.key)?;
    let mut people = covered.people(database, &person, Purpose::Read).await?;
    let looked = look(&mut people, replay.file, covered, &marks).await;
    people.rollback().await;
    match looked? {
        Looked::Gone => again.found = Found::Gone,
        Looked::Different if !replay.also_different => again.found = Found::Differs,
        Looked::Different | Looked::There => {
            let request = Request::new(&erasure.request, &erasure.basis)?;
            let order = Order {
                file: replay.file,
                place: replay.place,
                request: &request,
                key: &erasure.key,
                again: true,
                plan: None,
                clock: replay.clock,
            };
            let stem = format!("receipt-{}-again", erasure.request);
            let paper = Paper::create_free(&stem, replay.file, replay.signing)?;
            let Erased { receipt, marks } = erase(database, covered, &order, list).await?;
            if let Some(marks) = marks {
                again.found = Found::Erased;
                known.push((erasure.key.clone(), marks));
            }
            let written = paper.write(&receipt);
            again.receipt = Some(receipt);
            again.path = Some(written?);
        }
    }
    Ok(())
}

/// What is there of an entry.
enum Looked {
    /// Nothing that an erasure would change.
    Gone,
    /// The person, or rows of theirs.
    There,
    /// Somebody's row that is neither as it was before an erasure of the key nor as it was left.
    Different,
}

async fn look(
    people: &mut People<'_>,
    file: &MapFile,
    covered: &Covered,
    marks: &[&Marks],
) -> Result<Looked, DatabaseError> {
    let (mut left, mut rows, mut is_random) = (0, 0, false);
    for step in &covered.plan.steps {
        if let Some(detach) = detach_of(step) {
            left += people.detach(&detach, true).await?;
            continue;
        }
        let led = Rows::LeadingBy(&step.paths);
        let counted = people.count(&step.table, &led).await?;
        rows += counted;
        is_random |= counted > 0 && sets_of(step).iter().any(|(_, set)| set.is_random());
        left += match &step.task {
            Task::Delete => counted,
            Task::Anonymise(sets) | Task::Flag(sets) => people.count_unset(&step.table, &led, sets).await?,
            Task::Keep | Task::Detach { .. } => 0,
        };
    }
    let (mut is_known, mut is_absent, mut is_as_left) = (false, false, !is_random);
    let random = if is_random { mark::random(people, covered).await? } else { None };
    for marks in marks {
        let now = mark::identity(people, file, covered, &marks.columns).await?;
        is_absent |= now.is_none();
        is_known |= now.is_some() && (now == marks.before || now == marks.after);
        is_as_left |= now == marks.after && random == marks.random;
    }
    Ok(match () {
        () if rows == 0 => Looked::Gone,
        () if !is_absent && !is_known => Looked::Different,
        () if left == 0 && is_as_left => Looked::Gone,
        () => Looked::There,
    })
}
