//! Which files a request is about, and what is to become of each.

use std::collections::{BTreeSet, HashMap};

use super::told::{Content, Told};
use super::{Answer, Asked, DAY, Kept, Request, Target, Unknown};
use crate::model::{Cid, Left, Timestamp};
use crate::ops::OpsError;
use crate::vault::{Hold, KeyRow, Selection, Vault, period_of};

/// What is done for a request.
pub struct Choice {
    pub files: Vec<Asked>,
    /// Other entries with scripts of the same migrations.
    pub also: Vec<u64>,
    pub held: Vec<Hold>,
    /// Files that are erased already and whose key is there again.
    pub again: usize,
    /// Sealed files whose keys are destroyed; those that were never archived among them.
    cids: Vec<String>,
    /// Whether one of these keys is there.
    live: bool,
    /// Months of which nothing is kept.
    periods: Vec<String>,
}

impl Choice {
    /// Decides, before anything is destroyed. `time`: how long things are kept, and what time it is.
    pub async fn of(
        vault: &mut Vault,
        root: &Cid,
        told: &Told,
        request: &Request,
        (kept, at): (Kept, Timestamp),
    ) -> Result<Self, OpsError> {
        let holds = vault.holds(root).await?;
        let judge = Judge { told, holds: &holds, kept, at, unknown: request.unknown };
        let mut choice = match &request.what {
            Target::Entry(seq) => {
                let newest = told.entries.len() as u64;
                let content = usize::try_from(*seq).ok().and_then(|seq| told.entries.get(seq));
                let content = content.ok_or(OpsError::NoEntry(*seq, newest.saturating_sub(1)))?;
                let rows = vault.select(root, &Selection::Event(content.event)).await?;
                let choice = judge.choose(&[content], rows);
                choice.require_free()?;
                choice
            }
            Target::Actor(actor) => {
                let rows = vault.select(root, &Selection::Actor(*actor)).await?;
                let did: Vec<&Content> =
                    told.entries.iter().filter(|content| content.actor == *actor).collect();
                let mut choice = judge.choose(&did, rows);
                // Who it was is held with everything.
                choice.held.extend(holds.iter().filter(|hold| hold.event.is_none()).cloned());
                choice
            }
            Target::Due => {
                let mut choice = Self::nothing();
                for period in due_periods(vault, root, kept, at).await? {
                    let rows = vault.select(root, &Selection::Period(period.clone())).await?;
                    let month = judge.choose_sealed(rows);
                    if month.is_free() {
                        choice.periods.push(period);
                    }
                    choice.add(month);
                }
                choice
            }
        };
        choice.held.sort_by(|a, b| a.hold.cmp(&b.hold));
        choice.held.dedup();
        Ok(choice)
    }

    const fn nothing() -> Self {
        Self {
            files: Vec::new(),
            also: Vec::new(),
            held: Vec::new(),
            again: 0,
            cids: Vec::new(),
            live: false,
            periods: Vec::new(),
        }
    }

    fn add(&mut self, other: Self) {
        self.files.extend(other.files);
        self.held.extend(other.held);
        self.again += other.again;
        self.cids.extend(other.cids);
        self.live |= other.live;
    }

    /// Whether nothing of it has to be kept.
    fn is_free(&self) -> bool {
        self.held.is_empty() && !self.files.iter().any(|file| file.answer == Answer::Kept)
    }

    /// One entry is erased or it is not.
    fn require_free(&self) -> Result<(), OpsError> {
        if let Some(Hold { hold, reason, .. }) = self.held.first() {
            return Err(OpsError::Held { hold: hold.clone(), reason: reason.clone() });
        }
        match self.files.iter().find_map(|file| Some((file.seq, file.until?))) {
            Some((seq, until)) => Err(OpsError::TooYoung { seq, until }),
            None => Ok(()),
        }
    }

    /// Destroys the keys; whether who it was is forgotten, where somebody was asked for.
    pub async fn destroy(
        &self,
        vault: &mut Vault,
        root: &Cid,
        told: &Told,
        request: &Request,
        at: Timestamp,
    ) -> Result<Option<bool>, OpsError> {
        // A run that was cut short may have left what it destroyed in the vault's own files.
        if !self.cids.is_empty() && (self.live || !self.untold(told).is_empty()) {
            vault.destroy(root, &self.cids, at).await?;
        }
        for period in &self.periods {
            vault.destroy_period(root, period, at).await?;
        }
        Ok(match &request.what {
            Target::Actor(actor) if self.is_free() => Some(vault.forget_person(actor, at).await?),
            _ => None,
        })
    }

    /// Manifest and file of what is erased and of which no event says so.
    pub fn untold(&self, told: &Told) -> Vec<(Cid, Cid)> {
        let untold = |file: &&Asked| file.answer == Answer::Erased && !told.erased.contains(&file.cid);
        self.files.iter().filter(untold).map(|file| (file.manifest, file.cid)).collect()
    }

    /// Why something that was asked for is still there.
    pub fn left(&self) -> BTreeSet<Left> {
        let of_file = |file: &Asked| match file.answer {
            Answer::Erased => None,
            Answer::Held => Some(Left::Held),
            Answer::Kept => Some(Left::Kept),
            Answer::NoKey => Some(Left::NoKey),
            Answer::InClear => Some(Left::InClear),
        };
        let mut left: BTreeSet<Left> = self.files.iter().filter_map(of_file).collect();
        left.extend((!self.held.is_empty()).then_some(Left::Held));
        left.extend((!self.also.is_empty()).then_some(Left::Elsewhere));
        left
    }
}

/// What decides on each file.
struct Judge<'a> {
    told: &'a Told,
    holds: &'a [Hold],
    kept: Kept,
    at: Timestamp,
    unknown: Unknown,
}

impl Judge<'_> {
    fn choose(&self, selected: &[&Content], rows: Vec<KeyRow>) -> Choice {
        let mut choice = Choice { also: self.told.also(selected), ..Choice::nothing() };
        let mut by_cid: HashMap<String, KeyRow> =
            rows.into_iter().map(|row| (row.cid.clone(), row)).collect();
        for content in selected {
            for file in &content.files {
                let row = by_cid.remove(&file.cid.to_string());
                let mut asked = Asked {
                    seq: content.seq,
                    file: file.name.clone(),
                    cid: file.cid,
                    answer: Answer::InClear,
                    until: None,
                    manifest: content.manifest,
                };
                if file.sealed {
                    let until = self.kept_until(content.finished_at);
                    (asked.answer, asked.until) = self.judge(&mut choice, &file.cid, row, content, until);
                }
                choice.files.push(asked);
            }
        }
        // Keys of files that were never archived are nobody's, unless everything is held.
        for row in by_cid.into_values().filter(|row| self.hold_of(&row.event).is_none()) {
            choice.live |= row.destroyed_at.is_none();
            choice.cids.push(row.cid);
        }
        choice
    }

    /// The same of files that the vault names.
    fn choose_sealed(&self, rows: Vec<KeyRow>) -> Choice {
        let places: HashMap<String, (&Content, &crate::model::FileEntry)> = self
            .told
            .entries
            .iter()
            .flat_map(|content| content.files.iter().map(move |file| (file.cid.to_string(), (content, file))))
            .collect();
        let mut choice = Choice::nothing();
        for row in rows {
            match places.get(&row.cid) {
                Some((content, file)) => {
                    let until = self.kept_until(row.sealed_at);
                    let (answer, until) = self.judge(&mut choice, &file.cid, Some(row), content, until);
                    choice.files.push(Asked {
                        seq: content.seq,
                        file: file.name.clone(),
                        cid: file.cid,
                        answer,
                        until,
                        manifest: content.manifest,
                    });
                }
                None => match self.hold_of(&row.event) {
                    Some(hold) => choice.held.push(hold.clone()),
                    None => {
                        choice.live |= row.destroyed_at.is_none();
                        choice.cids.push(row.cid);
                    }
                },
            }
        }
        choice
    }

    fn judge(
        &self,
        choice: &mut Choice,
        cid: &Cid,
        row: Option<KeyRow>,
        content: &Content,
        until: Option<Timestamp>,
    ) -> (Answer, Option<Timestamp>) {
        // What was erased stays so, whatever holds it since.
        let erased = self.told.erased.contains(cid);
        if !erased {
            if let Some(hold) = self.hold_of(&content.event.to_string()) {
                choice.held.push(hold.clone());
                return (Answer::Held, None);
            }
            if until.is_some() {
                return (Answer::Kept, until);
            }
        }
        match row {
            Some(row) => {
                let live = row.destroyed_at.is_none();
                choice.live |= live;
                choice.again += usize::from(erased && live);
                choice.cids.push(row.cid);
                (Answer::Erased, None)
            }
            None if erased || self.unknown == Unknown::Lost => (Answer::Erased, None),
            None => (Answer::NoKey, None),
        }
    }

    fn hold_of(&self, event: &str) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.event.as_ref().is_none_or(|held| held == event))
    }

    /// Until when something has to be kept; `None` where that is over.
    fn kept_until(&self, from: Timestamp) -> Option<Timestamp> {
        let end = from.as_microseconds().saturating_add(i64::from(self.kept.minimum) * DAY);
        Timestamp::from_microseconds(end).filter(|end| self.kept.minimum > 0 && *end > self.at)
    }
}

/// The months whose content may be kept no longer.
pub async fn due_periods(
    vault: &mut Vault,
    chain: &Cid,
    kept: Kept,
    at: Timestamp,
) -> Result<Vec<String>, OpsError> {
    let Some(days) = kept.content else { return Err(OpsError::NoRetention) };
    let edge = at.as_microseconds().saturating_sub(i64::from(days) * DAY);
    // The month of the edge may still have days that are to be kept.
    let edge = Timestamp::from_microseconds(edge).map(period_of).unwrap_or_default();
    let periods = vault.periods(chain).await?;
    Ok(periods.into_iter().filter(|period| *period < edge).collect())
}
