//! Gathers what a chain tells of its changes, for a report: reads each entry once in short, and those that get a sheet
//! once more. What entries say is taken as it stands; that they are whole and signed is said by the verification that
//! stands beside it.
//!
//! | file | what it is |
//! |---|---|
//! | `lines` | every entry in short, also where one is not there |
//! | `plans` | plans, their approvals and what packs said of them |
//! | `sheet` | one change in full |
//! | `scripts` | what the scripts in clear say of themselves, and what rules find in them |
//! | `sums` | counts, durations, and changes over time |

mod lines;
mod plans;
mod scripts;
mod sheet;
mod sums;

use std::collections::BTreeSet;

use self::lines::{Chain, Line, Slot};
use self::plans::Plans;
use self::sheet::Sheets;
use super::event::executor;
use super::source::Source;
use super::{OpsError, Progress};
use crate::chain::{MerkleTree, Report};
use crate::crypto::Digest;
use crate::model::{Cid, Timestamp};
use crate::report::sample::draw;
use crate::report::{
    Border, ChainFacts, ChangeReport, Continuity, CopyOfChain, FORMAT, Population, Row, SchemaPoint, Scope,
    Verification,
};

/// What a report is to be about.
#[derive(Clone, Debug)]
pub struct Asked {
    pub scope: Scope,
    /// How many changes get a sheet, and by which seed they are drawn; `None`: all of them.
    pub sample: Option<(u64, Option<String>)>,
    /// The date of the document; `None`: the time of the newest entry.
    pub date: Option<Timestamp>,
    /// Copies as this machine knows them.
    pub replicas: Option<Vec<CopyOfChain>>,
    /// What the report has to be called with to be made again, beside chain and date.
    pub arguments: Vec<String>,
}

/// The report on the chain up to `report.root`.
///
/// # Errors
/// When the newest manifest cannot be read, so that nothing could be looked at; [`OpsError::NoRelease`] when no entry is
/// of the release that was asked for, [`OpsError::NoEntry`] when the first one that was asked for is none. Any other entry that is not there is told in the report.
pub fn gather(
    source: &mut Source,
    report: &Report,
    asked: Asked,
    progress: &mut Progress<'_>,
) -> Result<ChangeReport, OpsError> {
    let chain = Chain::read(source, report.root, progress)?;
    let newest = (chain.slots.len() as u64).saturating_sub(1);
    if let Scope::Entries { first: Some(first), .. } = asked.scope
        && first > newest
    {
        return Err(OpsError::NoEntry(first, newest));
    }
    let plans = Plans::read(source, &chain);
    let mut population = population(&chain, &asked.scope, &plans);
    if let (Scope::Release { release }, None) = (&asked.scope, population.first) {
        return Err(OpsError::NoRelease(release.clone()));
    }
    let changes: Vec<(u64, Cid)> = population
        .entries
        .iter()
        .filter(|row| row.in_scope && row.is_change)
        .filter_map(|row| Some((row.seq, row.manifest?)))
        .collect();
    let root = report.root.to_string();
    let sample = asked.sample.as_ref();
    let sample = sample.map(|(size, seed)| draw(&changes, *size, seed.as_deref().unwrap_or(&root)));
    let shown: BTreeSet<u64> = match &sample {
        Some(sample) => sample.drawn.iter().map(|one| one.seq).collect(),
        None => changes.iter().map(|(seq, _)| *seq).collect(),
    };
    population.entries.iter_mut().for_each(|row| row.shown = shown.contains(&row.seq));
    let sheets = Sheets { chain: &chain, plans: &plans, report };
    let changes = sheets.all(source, &shown)?;
    let date = asked.date.or(report.newest).or(chain.newest_time()).unwrap_or_else(epoch);
    let lines: Vec<&Line> = population.entries.iter().filter_map(|row| chain.line(row.seq)).collect();
    let schema = lines
        .iter()
        .filter(|line| line.schema.is_some() || line.continuity != Continuity::Unknown)
        .map(|line| SchemaPoint { seq: line.seq, continuity: line.continuity })
        .collect();
    let in_scope: BTreeSet<u64> =
        population.entries.iter().filter(|row| row.in_scope).map(|row| row.seq).collect();
    let scoped: Vec<&Line> = lines.iter().copied().filter(|line| in_scope.contains(&line.seq)).collect();
    let told: u64 = changes.iter().map(|change| change.waivers.len() as u64).sum();
    let others = scoped.iter().filter(|line| line.is_change() && !shown.contains(&line.seq));
    let waivers = told + others.map(|line| sheets.waivers(source, line)).sum::<u64>();
    let summary = sums::summary(&chain, &plans, &scoped, &asked.scope, waivers);
    let others = scoped.iter().filter(|line| !line.is_change()).map(|line| chain.other(line)).collect();
    let arguments = again(root, &asked, report);
    Ok(ChangeReport {
        command: "report",
        format: FORMAT,
        program: executor(),
        date,
        date_given: asked.date.is_some(),
        chain: ChainFacts {
            name: report.name.as_ref().map(ToString::to_string),
            chain: report.chain,
            root: report.root,
            is_head: chain.is_head,
            entries: chain.slots.len() as u64,
            merkle_root: merkle_root(&chain, chain.slots.len() as u64),
            newest: report.newest,
        },
        scope: asked.scope,
        verification: Verification {
            verified: report.verified,
            established: report.established,
            time: report.time.clone(),
            witnesses: report.witnesses.clone(),
            findings: report.findings.clone(),
        },
        population,
        sample,
        summary,
        changes,
        others,
        schema,
        replicas: asked.replicas,
        arguments,
    })
}

/// What makes the same report again wherever the chain is, whatever the settings there say: the date where one was given,
/// for it is that of the newest entry otherwise, and the anchor that settings named here.
fn again(root: String, asked: &Asked, report: &Report) -> Vec<String> {
    let mut words = [vec![root], asked.arguments.clone()].concat();
    if let (true, Some(chain)) = (report.established.anchored, report.chain)
        && !words.iter().any(|word| word == "--require")
    {
        words.extend(["--require".to_owned(), chain.to_string()]);
    }
    words.extend(asked.date.map(|date| ["--date".to_owned(), date.to_string()]).into_iter().flatten());
    words
}

fn epoch() -> Timestamp {
    Timestamp::from_seconds(0).expect("1970 is a year that can be written")
}

/// The root over the first `size` entries; `None` where one of them is not there.
fn merkle_root(chain: &Chain, size: u64) -> Option<Digest> {
    let mut tree = MerkleTree::default();
    for slot in chain.slots.iter().take(usize::try_from(size).ok()?) {
        tree.push(&slot.manifest()?, |_| ());
    }
    (tree.size() == size && size > 0).then(|| tree.root())
}

/// All numbers from the first entry that is in scope to the last.
fn population(chain: &Chain, scope: &Scope, plans: &Plans) -> Population {
    let in_scope: Vec<bool> = chain.slots.iter().map(|slot| is_in(scope, slot)).collect();
    let gap = gap(chain, scope);
    let bounds = match scope {
        // What is asked for by number is asked for also where it is not there.
        Scope::Entries { first, last } => {
            let newest = chain.slots.len() as u64 - 1;
            let (first, last) = (first.unwrap_or(0), last.unwrap_or(newest).min(newest));
            (first <= last).then_some((first, last))
        }
        Scope::Whole => Some((0, chain.slots.len() as u64 - 1)),
        Scope::Period { .. } | Scope::Release { .. } => {
            let bounds =
                in_scope.iter().position(|holds| *holds).zip(in_scope.iter().rposition(|holds| *holds));
            match bounds {
                Some((first, last)) => Some(with_neighbours(chain, first, last)),
                None => unread_from(chain, gap),
            }
        }
    };
    let border = |seq: Option<u64>| {
        let slot = chain.slots.get(usize::try_from(seq?).ok()?)?;
        let finished_at = chain.line(slot.seq()).map(|line| line.finished_at);
        Some(Border { seq: slot.seq(), manifest: slot.manifest(), finished_at })
    };
    let Some((first, last)) = bounds else {
        let gap = gap as u64;
        return nothing(border(gap.checked_sub(1)), border(Some(gap)));
    };
    let rows: Vec<Row> = (first..=last)
        .filter_map(|seq| {
            let slot = chain.slots.get(usize::try_from(seq).ok()?)?;
            Some(row(slot, plans, in_scope.get(usize::try_from(seq).ok()?) == Some(&true)))
        })
        .collect();
    let missing: Vec<u64> = rows.iter().filter(|row| row.event.is_none()).map(|row| row.seq).collect();
    let expected = last - first + 1;
    Population {
        first: Some(first),
        last: Some(last),
        expected,
        read: expected - missing.len() as u64,
        complete: missing.is_empty(),
        missing,
        in_scope: rows.iter().filter(|row| row.in_scope).count() as u64,
        changes: rows.iter().filter(|row| row.in_scope && row.is_change).count() as u64,
        before: border(first.checked_sub(1)),
        after: border(Some(last + 1)),
        merkle_root: merkle_root(chain, last + 1),
        entries: rows,
    }
}

/// The same with the entries next to it that cannot be read: nobody can say that they do not belong to it.
fn with_neighbours(chain: &Chain, first: usize, last: usize) -> (u64, u64) {
    let before = chain.slots.iter().take(first).rev().take_while(|slot| slot.is_missing()).count();
    let after = chain.slots.iter().skip(last + 1).take_while(|slot| slot.is_missing()).count();
    ((first - before) as u64, (last + after) as u64)
}

/// The place of a period in which no entry ended: behind the last entry before it.
fn gap(chain: &Chain, scope: &Scope) -> usize {
    let Scope::Period { from: Some(from), .. } = scope else { return 0 };
    let is_before = |slot: &Slot| matches!(slot, Slot::Read(line) if line.finished_at < *from);
    chain.slots.iter().rposition(is_before).map_or(0, |place| place + 1)
}

/// The entries from a place on that cannot be read: nobody can say that none of them ended there.
fn unread_from(chain: &Chain, place: usize) -> Option<(u64, u64)> {
    let count = chain.slots.iter().skip(place).take_while(|slot| slot.is_missing()).count();
    (count > 0).then(|| (place as u64, (place + count - 1) as u64))
}

/// A population without an entry, between those next to it.
fn nothing(before: Option<Border>, after: Option<Border>) -> Population {
    Population {
        first: None,
        last: None,
        expected: 0,
        read: 0,
        missing: Vec::new(),
        in_scope: 0,
        changes: 0,
        complete: true,
        before,
        after,
        merkle_root: None,
        entries: Vec::new(),
    }
}

/// Whether an entry is in scope; one that cannot be read is where its number or its place says so.
fn is_in(scope: &Scope, slot: &Slot) -> bool {
    let Slot::Read(line) = slot else {
        return match scope {
            Scope::Whole => true,
            Scope::Entries { first, last } => within(slot.seq(), *first, *last),
            Scope::Period { .. } | Scope::Release { .. } => false,
        };
    };
    match scope {
        Scope::Whole => true,
        Scope::Entries { first, last } => within(line.seq, *first, *last),
        Scope::Period { from, until } => {
            from.is_none_or(|from| from <= line.finished_at)
                && until.is_none_or(|until| line.finished_at <= until)
        }
        Scope::Release { release } => line.is_of(release),
    }
}

fn within(seq: u64, first: Option<u64>, last: Option<u64>) -> bool {
    first.is_none_or(|first| first <= seq) && last.is_none_or(|last| seq <= last)
}

fn row(slot: &Slot, plans: &Plans, in_scope: bool) -> Row {
    let line = match slot {
        Slot::Read(line) => line,
        Slot::Missing { seq, manifest, why } => {
            return Row {
                seq: *seq,
                manifest: *manifest,
                event: None,
                version: None,
                name: crate::report::Told::None,
                finished_at: None,
                role: None,
                pseudonym: None,
                outcome: None,
                approvals: None,
                in_scope,
                is_change: false,
                shown: false,
                fault: Some(why.clone()),
            };
        }
    };
    Row {
        seq: line.seq,
        manifest: Some(line.manifest),
        event: Some(line.event),
        version: line.version.clone(),
        name: line.name.clone(),
        finished_at: Some(line.finished_at),
        role: Some(line.actor.role.clone()),
        pseudonym: Some(line.actor.pseudonym),
        outcome: line.outcome,
        approvals: plans.counted(line),
        in_scope,
        is_change: line.is_change(),
        shown: false,
        fault: None,
    }
}
