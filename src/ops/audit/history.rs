//! The history, against the archive: every row and every event has its counterpart, in the same order.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Finding, Part};
use crate::crypto::Digest;
use crate::database::{DamagedRow, History, HistoryRow, RowState};
use crate::model::{Cid, EventId, EventKind, FileDigests};
use crate::ops::Problem;
use crate::ops::outbox::has_row;
use crate::ops::told::{ArchivedScript, Recorded, Told, by_id};

/// What came of it.
pub struct Compared {
    pub findings: Vec<Finding>,
    /// Whether each row is archived, and the archive has no event behind the newest row.
    pub in_step: bool,
}

/// Compares `rows`, from which `history` follows, and the `damaged` ones with what the archive tells; `told`: `None`
/// without an archive. `exists`: whether there is a database.
pub fn compare(
    rows: &[HistoryRow],
    damaged: &[DamagedRow],
    history: &History,
    told: Option<&Told>,
    exists: bool,
) -> Compared {
    let Some(told) = told else { return without_archive(damaged, history) };
    let mut comparison = Comparison::new(&told.entries);
    let mut unread = damaged.iter().peekable();
    for row in rows {
        while let Some(before) = unread.next_if(|damaged| damaged.position < row.position) {
            comparison.take_damaged(before);
        }
        comparison.take(row);
    }
    unread.for_each(|damaged| comparison.take_damaged(damaged));
    comparison.claim_for_damaged();
    let in_step = !comparison.end() && comparison.waiting.is_empty();
    if exists {
        comparison.compare_states(history, told);
    }
    let between = |problem| Finding::new([Part::Archive, Part::Database], problem);
    Compared { findings: comparison.problems.into_iter().map(between).collect(), in_step }
}

fn without_archive(damaged: &[DamagedRow], history: &History) -> Compared {
    let between = |problem| Finding::new([Part::Archive, Part::Database], problem);
    let damaged = damaged.iter().map(of_damage);
    let lost = history
        .newest_archived
        .map(|(seq, expected)| between(Problem::NotInArchive { seq, expected, found: None }));
    Compared { findings: damaged.chain(lost).collect(), in_step: false }
}

/// What is to be said of a row that cannot be read.
pub fn of_damage(row: &DamagedRow) -> Finding {
    Finding::new([Part::Archive, Part::Database], damage(row))
}

fn damage(row: &DamagedRow) -> Problem {
    Problem::RowDamaged { position: row.position, detail: row.detail.clone() }
}

struct Comparison<'a> {
    entries: &'a [Recorded],
    places: HashMap<EventId, usize>,
    /// Positions of rows, by the place of the entry that they tell of.
    claimed: HashMap<usize, i64>,
    /// The newest entry that a row tells of.
    newest: Option<u64>,
    next_position: i64,
    /// Positions of rows that cannot be read, each with the newest entry that a row before it tells of.
    damaged: Vec<(i64, Option<u64>)>,
    /// Versions of rows that are not archived.
    waiting: HashSet<String>,
    /// Versions of rows that cannot be read.
    unread: HashSet<String>,
    /// Rows that lack their place in the archive, and the place.
    unmarked: Vec<(i64, usize)>,
    problems: Vec<Problem>,
}

impl<'a> Comparison<'a> {
    fn new(entries: &'a [Recorded]) -> Self {
        Self {
            entries,
            places: by_id(entries),
            claimed: HashMap::new(),
            newest: None,
            next_position: 1,
            damaged: Vec::new(),
            waiting: HashSet::new(),
            unread: HashSet::new(),
            unmarked: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn take_damaged(&mut self, row: &DamagedRow) {
        self.follow(row.position);
        self.problems.push(damage(row));
        self.damaged.push((row.position, self.newest));
    }

    /// What a damaged row told of is the first entry behind those of the rows before it that no other row tells of.
    fn claim_for_damaged(&mut self) {
        for (position, newest) in std::mem::take(&mut self.damaged) {
            let is_free = |(place, entry): &(usize, &Recorded)| {
                has_row(entry.event)
                    && newest.is_none_or(|newest| newest < entry.seq)
                    && !self.claimed.contains_key(place)
            };
            let Some((place, entry)) = self.entries.iter().enumerate().find(is_free) else { continue };
            self.claimed.insert(place, position);
            self.newest = self.newest.max(Some(entry.seq));
            self.unread.insert(entry.version.clone());
        }
    }

    fn follow(&mut self, position: i64) {
        let expected = std::mem::replace(&mut self.next_position, position.saturating_add(1));
        if position != expected {
            self.problems.push(Problem::PositionGap { expected, found: position });
        }
    }

    fn take(&mut self, row: &HistoryRow) {
        self.follow(row.position);
        let Some(place) = self.place_of(row) else { return };
        let entry = &self.entries[place];
        if let Some(first) = self.claimed.insert(place, row.position) {
            self.problems.push(Problem::RowTwice { position: row.position, seq: entry.seq, first });
        }
        match self.newest {
            Some(newest) if newest > entry.seq => {
                self.problems.push(Problem::RowReordered { position: row.position, seq: entry.seq, newest });
            }
            _ => self.newest = Some(entry.seq),
        }
        self.problems.extend(differences(row, entry));
    }

    /// The place of the entry that a row tells of, where there is such an entry.
    fn place_of(&mut self, row: &HistoryRow) -> Option<usize> {
        let by_id = self.places.get(&row.id).copied();
        let Some((seq, expected)) = row.archived else {
            self.waiting.insert(row.version.clone());
            // A crash between archive and database leaves this at the end; the next run notes the place.
            let place = by_id.filter(|_| row.finished_at.is_some());
            self.unmarked.extend(place.map(|place| (row.position, place)));
            return place;
        };
        for (position, place) in std::mem::take(&mut self.unmarked) {
            let Recorded { seq, version, .. } = &self.entries[place];
            let (version, seq, archive) = (version.clone(), *seq, Some(seq.to_string()));
            let member = "seq";
            self.problems.push(Problem::RowDiffers {
                version,
                position,
                seq,
                member,
                history: None,
                archive,
            });
        }
        let place = usize::try_from(seq).ok();
        let found = place.and_then(|place| Some((place, self.entries.get(place)?.manifest)));
        match found {
            Some((place, manifest)) if manifest == expected => Some(place),
            _ => {
                let found = found.map(|(_, manifest)| manifest);
                self.problems.push(Problem::NotInArchive { seq, expected, found });
                by_id
            }
        }
    }

    /// Tells which events have no row; true when some of them are newer than all that have one.
    fn end(&mut self) -> bool {
        let about: HashSet<Cid> = self.entries.iter().flat_map(|entry| entry.about.iter().copied()).collect();
        let mut behind: Option<(u64, u64)> = None;
        for (place, entry) in self.entries.iter().enumerate() {
            // What a repair is about may be lost: that is what the repair is for.
            let expected = has_row(entry.event) && !about.contains(&entry.manifest);
            if !expected || self.claimed.contains_key(&place) {
                continue;
            }
            if self.newest.is_none_or(|newest| newest < entry.seq) {
                behind = Some((behind.map_or(entry.seq, |(first, _)| first), entry.seq));
                continue;
            }
            let (seq, event, version) = (entry.seq, entry.event, entry.version.clone());
            self.problems.push(Problem::NoRow { seq, event, version });
        }
        self.problems.extend(behind.map(|(first, last)| Problem::HistoryBehind { first, last }));
        behind.is_some()
    }

    /// Which versions count as applied by one and not by the other. A row that waits to be archived is ahead of the
    /// archive, and one that is half applied is told as that.
    fn compare_states(&mut self, history: &History, told: &Told) {
        let versions: BTreeSet<&String> = told.applied.keys().chain(history.applied.keys()).collect();
        for version in versions {
            let (archived, applied) = (told.applied.get(version), history.applied.get(version));
            let excused = self.waiting.contains(version)
                || self.unread.contains(version)
                || history.half_applied.contains_key(version);
            if archived.is_some() == applied.is_some() || excused {
                continue;
            }
            let place = applied.and_then(|applied| applied.archived).map(|(seq, _)| seq);
            self.problems.push(Problem::AppliedDiffers {
                version: version.clone(),
                seq: archived.map(|standing| standing.seq).or(place),
                archive: archived.is_some(),
            });
        }
    }
}

/// What a row says otherwise than the entry that it tells of.
fn differences(row: &HistoryRow, entry: &Recorded) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut compare = |member: &'static str, history: Option<String>, archive: Option<String>| {
        if history != archive {
            let (version, position, seq) = (entry.version.clone(), row.position, entry.seq);
            problems.push(Problem::RowDiffers { version, position, seq, member, history, archive });
        }
    };
    compare("id", Some(row.id.to_string()), Some(entry.id.to_string()));
    compare("event", Some(row.event.to_string()), Some(entry.event.to_string()));
    compare("direction", word(&row.direction), word(&entry.direction));
    compare("version", Some(row.version.clone()), Some(entry.version.clone()));
    // A name that is withheld is in the sealed script alone, and a row that was made from its entry has none.
    let name = entry.name.clone().or_else(|| entry.opened_name.clone().filter(|_| row.name.is_some()));
    compare("name", row.name.clone().filter(|_| name.is_some()), name);
    compare("started_at", Some(row.started_at.to_string()), Some(entry.started_at.to_string()));
    compare("finished_at", row.finished_at.map(|at| at.to_string()), Some(entry.finished_at.to_string()));
    for (member, digests, script) in
        [("up_digests", &row.up, &entry.up), ("down_digests", &row.down, &entry.down)]
    {
        let unknown = script.as_ref().is_some_and(|script| script.raw.is_none()) && digests.is_some();
        if !unknown {
            compare(member, of_digests(digests.as_ref(), script.as_ref()), of_script(script.as_ref()));
        }
    }
    // Nothing known is the same, whether an event says so or not.
    let left = row.schema.as_ref().and_then(|(algorithm, after)| Some((algorithm.clone(), (*after)?)));
    compare("schema_after", of_schema(left.as_ref()), of_schema(entry.schema.iter().flatten().next()));
    // An archive does not say whether what failed was kept.
    if row.event != EventKind::Fail {
        compare("state", word(&row.state), word(&RowState::Done));
    }
    problems
}

fn word<T: serde::Serialize>(value: &T) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

fn of_digests(digests: Option<&FileDigests>, script: Option<&ArchivedScript>) -> Option<String> {
    let digests = digests?;
    // Not every entry says the second one.
    let lf = script.is_none_or(|script| script.lf.is_some()).then_some(digests.lf);
    Some(written(digests.raw, lf))
}

fn of_script(script: Option<&ArchivedScript>) -> Option<String> {
    script.map(|script| match script.raw {
        Some(raw) => written(raw, script.lf),
        None => "sealed".to_owned(),
    })
}

fn written(raw: Digest, lf: Option<Digest>) -> String {
    let lf = lf.filter(|lf| *lf != raw).map(|lf| format!(" ({} with plain line ends)", lf.to_prefixed()));
    raw.to_prefixed() + &lf.unwrap_or_default()
}

fn of_schema(schema: Option<&(String, Digest)>) -> Option<String> {
    schema.map(|(algorithm, digest)| format!("{algorithm} {}", digest.to_prefixed()))
}
