//! What happened to a history change by change, as a trigger or a hook wrote it down.

use std::collections::HashMap;

use super::changes::{Change, Happened, changes};
use crate::database::capture::{Journal, JournalEntry, JournalRow};
use crate::model::{CapturedRole, Timestamp};
use crate::scripts::tools::{Catalog, Entry, Row, Tool};

/// SQLite has no numbers of transactions: what lies closer together belongs to one.
const CLOSE: i64 = 50_000;
/// In one transaction so many changes are told one by one; of more only what they come to.
const ONE_BY_ONE: usize = 2000;

/// The history after one change.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Number or identifier of the note.
    pub entry: String,
    /// The same where it is a number.
    pub id: i64,
    pub at: Timestamp,
    /// Changes of one transaction.
    pub group: usize,
    /// The table as it was then.
    pub rows: Vec<Row>,
    /// What went and what came.
    pub before: Vec<Row>,
    pub after: Vec<Row>,
    pub ran: Ran,
    pub session: Option<String>,
    pub transaction: Option<String>,
    pub role: Option<CapturedRole>,
}

/// Whether a script ran, as far as a note tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    Yes,
    No,
    /// Nothing else was written with it.
    Quiet,
    Unknown,
}

/// One thing that happened to one script.
#[derive(Clone, Debug)]
pub struct Step {
    pub entry: String,
    pub id: i64,
    /// When the tool began it, where it says so.
    pub begun: Timestamp,
    pub at: Timestamp,
    pub change: Change,
    /// Whether the history was written and nothing ran.
    pub stamp: bool,
    /// Whether that was noted, and not only what is likely.
    pub is_sure: bool,
    pub transaction: Option<String>,
    pub role: Option<CapturedRole>,
}

/// A journal followed from one of its rows on.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    /// The history where it begins.
    pub start: Vec<Row>,
    pub observed: Vec<Observed>,
    /// Whether the journal's rows lead to the history as it is: where not, some change was not written down.
    pub explains: bool,
}

/// The history after each change of the rows after `cursor` up to `last`, reckoned back from what it is now.
#[must_use]
pub fn follow(journal: &Journal, cursor: i64, last: i64, order: &[usize]) -> Followed {
    let mut state = journal.history.clone();
    let mut explains = true;
    let rows: Vec<&JournalRow> = journal.rows.iter().filter(|row| row.id > cursor).collect();
    for row in rows.iter().rev() {
        if let JournalEntry::Changed { before, after } = &row.what {
            explains &= replace(&mut state, after, before);
        }
        explains &= row.what != JournalEntry::Damaged;
    }
    sort(&mut state, order);
    let mut followed = Followed { start: state.clone(), observed: Vec::new(), explains };
    let (mut newest, mut group) = (Timestamp::from_microseconds(0), 0);
    let mut earlier: Option<(Timestamp, Option<&str>)> = None;
    let changed: Vec<(&JournalRow, &Vec<Row>, &Vec<Row>)> = rows
        .iter()
        .filter(|row| row.id <= last)
        .filter_map(|row| match &row.what {
            JournalEntry::Changed { before, after } => Some((*row, before, after)),
            _ => None,
        })
        .collect();
    let mut emptied: Vec<Row> = Vec::new();
    let passed = passed_over(&changed);
    for (place, (row, before, after)) in changed.iter().enumerate() {
        // A time that cannot be read is that of the row before.
        let Some(at) = row.at.or(newest) else { continue };
        newest = Some(at);
        replace(&mut state, before, after);
        if passed.get(place) == Some(&true) {
            continue;
        }
        sort(&mut state, order);
        // Of a very large transaction only what it came to is told.
        let large = place.checked_sub(1).and_then(|before| passed.get(before)) == Some(&true);
        emptied.extend(before.iter().cloned());
        let next = changed.get(place + 1).is_some_and(|(next, ..)| is_together(row, next));
        if state.is_empty() && next {
            // A tool that empties its table before it writes has undone nothing.
            continue;
        }
        let transaction = row.transaction.as_deref();
        let together = earlier.is_some_and(|(time, other)| match transaction {
            Some(_) => other == transaction,
            None => at.as_microseconds() - time.as_microseconds() < CLOSE,
        });
        if !together {
            group += 1;
        }
        earlier = Some((at, transaction));
        let role = row.role.as_ref().map(|role| match journal.owner.as_ref() == Some(role) {
            true => CapturedRole::Owner,
            false => CapturedRole::Other,
        });
        followed.observed.push(Observed {
            entry: row.id.to_string(),
            id: row.id,
            at,
            group,
            rows: state.clone(),
            before: if large { Vec::new() } else { std::mem::take(&mut emptied) },
            after: if large { Vec::new() } else { (*after).clone() },
            ran: if row.quiet && !large { Ran::Quiet } else { Ran::Unknown },
            session: row.session.clone(),
            transaction: row.transaction.clone(),
            role,
        });
    }
    followed
}

/// Whether two rows that follow one another are of one transaction, as far as they tell.
fn is_together(row: &JournalRow, next: &JournalRow) -> bool {
    match (&row.transaction, row.at.zip(next.at)) {
        (Some(_), _) => row.transaction == next.transaction,
        (None, Some((at, later))) => later.as_microseconds() - at.as_microseconds() < CLOSE,
        (None, None) => false,
    }
}

/// Which rows are only on the way to what a very large transaction came to: all of one but the last.
fn passed_over(changed: &[(&JournalRow, &Vec<Row>, &Vec<Row>)]) -> Vec<bool> {
    let mut passed = vec![false; changed.len()];
    let mut begin = 0;
    for (place, (row, ..)) in changed.iter().enumerate() {
        if changed.get(place + 1).is_some_and(|(next, ..)| is_together(row, next)) {
            continue;
        }
        if place - begin >= ONE_BY_ONE
            && let Some(rows) = passed.get_mut(begin..place)
        {
            rows.fill(true);
        }
        begin = place + 1;
    }
    passed
}

/// Whether all rows that go were there.
fn replace(state: &mut Vec<Row>, gone: &[Row], came: &[Row]) -> bool {
    let mut all = true;
    for row in gone {
        match state.iter().rposition(|other| other == row) {
            Some(place) => drop(state.remove(place)),
            None => all = false,
        }
    }
    state.extend(came.iter().cloned());
    all
}

/// In the order in which the tool's table is read: numbers as numbers.
fn sort(rows: &mut [Row], order: &[usize]) {
    let key = |row: &Row| -> Vec<(i64, String)> {
        let texts = order.iter().map(|column| row.get(*column).cloned().flatten().unwrap_or_default());
        texts.map(|text| (text.parse().unwrap_or(i64::MAX), text)).collect()
    };
    rows.sort_by_cached_key(key);
}

/// What happened, in order. `start`: what was applied before.
#[must_use]
pub fn steps(tool: &dyn Tool, catalog: &Catalog, start: &[Entry], observed: &[Observed]) -> Vec<Step> {
    let mut raw: Vec<Raw> = Vec::new();
    let mut before = start.to_vec();
    for (place, seen) in observed.iter().enumerate() {
        let after = tool.entries(catalog, &seen.rows);
        for change in changes(catalog, &before, &after) {
            let named = if change.happened == Happened::Undone { &seen.before } else { &seen.after };
            let direct = names(tool, catalog, named, &change.id);
            if seen.ran == Ran::Yes && !direct {
                // Who says which script ran does not say who applied the others.
                continue;
            }
            let was_applied = before.iter().any(|entry| entry.id == change.id);
            raw.push(Raw { place, change, direct, was_applied, begun: seen.at, dropped: false });
        }
        before = after;
    }
    drop_what_was_never_between(&mut raw, observed);
    join_what_was_begun(&mut raw, observed);
    raw.retain(|step| !step.dropped);
    let mut alive: HashMap<usize, usize> = HashMap::new();
    // Where transactions have no numbers, all that one connection did belongs together.
    let unit = |seen: &Observed| match (&seen.transaction, &seen.session) {
        (None, Some(session)) => session.clone(),
        _ => seen.group.to_string(),
    };
    let mut loud: HashMap<String, bool> = HashMap::new();
    for step in &raw {
        *alive.entry(step.place).or_default() += 1;
    }
    for seen in observed {
        *loud.entry(unit(seen)).or_default() |= seen.ran != Ran::Quiet;
    }
    let step = |raw: Raw| {
        let seen = observed.get(raw.place)?;
        let several = !raw.direct || alive.get(&raw.place).is_some_and(|count| *count > 1);
        let is_written_alone = loud.get(&unit(seen)) == Some(&false);
        let tells = tool.is_in_one_transaction() && seen.before.len() + seen.after.len() > 0;
        let (stamp, is_sure) = match seen.ran {
            Ran::Yes => (false, true),
            Ran::No => (true, true),
            Ran::Quiet | Ran::Unknown if !tells => (false, false),
            // A tool that runs scripts names each of them in its turn.
            Ran::Quiet | Ran::Unknown if several => (true, true),
            // A script that does nothing looks like none.
            Ran::Quiet | Ran::Unknown => (is_written_alone, !is_written_alone),
        };
        Some(Step {
            entry: seen.entry.clone(),
            id: seen.id,
            begun: raw.begun,
            at: seen.at,
            change: raw.change,
            stamp,
            is_sure,
            transaction: seen.transaction.clone(),
            role: seen.role,
        })
    };
    raw.into_iter().filter_map(step).collect()
}

struct Raw {
    place: usize,
    change: Change,
    /// Whether a row that went or came is the script's own.
    direct: bool,
    was_applied: bool,
    begun: Timestamp,
    dropped: bool,
}

fn names(tool: &dyn Tool, catalog: &Catalog, rows: &[Row], id: &str) -> bool {
    rows.iter().any(|row| {
        row.iter().flatten().any(|text| text == id)
            || matches!(tool.entries(catalog, std::slice::from_ref(row)).as_slice(), [one] if one.id == id)
    })
}

/// Where a tool takes several rows to say one thing, what they say in between is not what happened: Alembic removes the
/// row of a branch before it writes that of the merge, golang-migrate empties its table first.
fn drop_what_was_never_between(raw: &mut [Raw], observed: &[Observed]) {
    let group = |place: usize| observed.get(place).map(|seen| seen.group);
    let mut newest: HashMap<String, usize> = HashMap::new();
    for at in 0..raw.len() {
        let Some(step) = raw.get(at) else { continue };
        let (id, place, direct, happened) =
            (step.change.id.clone(), step.place, step.direct, step.change.happened);
        let earlier = newest.get(&id).copied().filter(|earlier| {
            raw.get(*earlier).is_some_and(|other| {
                let opposite = matches!(
                    (other.change.happened, happened),
                    (Happened::Undone, Happened::Applied) | (Happened::Applied, Happened::Undone)
                );
                opposite && group(other.place) == group(place) && !(other.direct && direct)
            })
        });
        match earlier {
            Some(earlier) => {
                for dropped in [earlier, at] {
                    if let Some(step) = raw.get_mut(dropped) {
                        step.dropped = true;
                    }
                }
                newest.remove(&id);
            }
            None => drop(newest.insert(id, at)),
        }
    }
}

/// Where a tool says first that it begins, what it ends with counts.
fn join_what_was_begun(raw: &mut [Raw], observed: &[Observed]) {
    let session = |place: usize| observed.get(place).and_then(|seen| seen.session.clone());
    let mut begun: HashMap<String, usize> = HashMap::new();
    for at in 0..raw.len() {
        let Some(step) = raw.get(at).filter(|step| !step.dropped) else { continue };
        let (id, place, happened) = (step.change.id.clone(), step.place, step.change.happened);
        let first = match happened {
            Happened::Failed => {
                begun.insert(id, at);
                continue;
            }
            Happened::Applied => begun.remove(&id),
            _ => {
                begun.remove(&id);
                continue;
            }
        };
        let Some(first) =
            first.filter(|first| raw.get(*first).is_some_and(|other| session(other.place) == session(place)))
        else {
            continue;
        };
        let Some((time, was_applied)) = raw.get_mut(first).map(|other| {
            other.dropped = true;
            (other.begun, other.was_applied)
        }) else {
            continue;
        };
        if let Some(step) = raw.get_mut(at) {
            (step.begun, step.dropped) = (time, was_applied);
        }
    }
}
