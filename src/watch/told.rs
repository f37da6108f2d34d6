//! What was told: which findings are open, since when, and which alerts are still owed to whom. A restart begins from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Finding, GuardMemory, LookName, Round};
use crate::crypto::Digest;
use crate::model::{Cid, Timestamp};

const SECOND: i64 = 1_000_000;
/// Something that happened counts as open for so long.
const HAPPENED_FOR: i64 = 24 * 3600 * SECOND;
/// Alerts that are kept for one channel; the oldest go first.
const MOST_OWED: usize = 1000;
/// An alert that could not be delivered for so long is not sent any more.
const OWED_FOR: i64 = 7 * 24 * 3600 * SECOND;
/// The first pause before an alert is tried again; each is twice the one before.
const FIRST_PAUSE: i64 = 5 * SECOND;
const LONGEST_PAUSE: i64 = 3600 * SECOND;

/// Whether a finding begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Happened {
    Begun,
    Ended,
}

/// What somebody is told, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The same whenever it is sent: who gets it twice knows it.
    pub id: String,
    pub happened: Happened,
    /// Manifest 0 of the chain that is watched, where it is known.
    pub chain: Option<Cid>,
    /// What people call the chain.
    pub name: String,
    pub finding: Finding,
    /// When it was found first.
    pub since: Timestamp,
    pub at: Timestamp,
}

/// A finding that somebody was told of, or is about to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    pub look: LookName,
    pub since: Timestamp,
    pub finding: Finding,
}

/// An alert that a channel has not taken yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owed {
    pub channel: String,
    pub alert: Alert,
    /// How often it was tried.
    pub tries: u32,
    /// When it is to be tried next.
    pub next: Timestamp,
}

/// The memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Manifest 0 of the chain that it is about.
    pub chain: Option<Cid>,
    /// Entries before this one were judged.
    pub judged: Option<u64>,
    /// What was read of a guard's notes.
    #[serde(default)]
    pub guard: GuardMemory,
    pub open: Vec<Open>,
    pub owed: Vec<Owed>,
}

/// For whom alerts are, and of what.
pub struct Telling<'a> {
    pub name: &'a str,
    pub channels: &'a [String],
}

impl Told {
    /// Takes in what a round found, and owes every channel one alert for each finding that begins or ends. Findings of a
    /// look that did not end stay as they are. Gives the alerts.
    pub fn take(&mut self, round: &Round, telling: &Telling<'_>) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for looked in &round.looks {
            // A database that cannot be reached is one finding, whoever asked.
            let is_told = looked.name == LookName::Guard && round.failed(LookName::Database);
            let found = if looked.found.is_err() && is_told { vec![] } else { Round::findings(looked) };
            let is_known = |open: &Open| found.iter().any(|finding| finding.key() == open.finding.key());
            let (stay, end): (Vec<Open>, Vec<Open>) =
                std::mem::take(&mut self.open).into_iter().partition(|open| {
                    open.look != looked.name || is_known(open) || stays(open, looked.found.is_err(), round.at)
                });
            self.open = stay;
            // What happened is over, and nobody has to be told that.
            let ended = end.into_iter().filter(|open| !open.finding.happened);
            alerts.extend(ended.map(|open| (Happened::Ended, open)));
            for finding in found {
                match self.open.iter_mut().find(|open| open.finding.key() == finding.key()) {
                    Some(open) => open.finding = finding,
                    None => {
                        let open = Open { look: looked.name, since: round.at, finding };
                        self.open.push(open.clone());
                        alerts.push((Happened::Begun, open));
                    }
                }
            }
        }
        if let Some(judged) = round.facts().judged {
            self.judged = Some(judged);
        }
        if let Some(guard) = round.facts().guard {
            self.guard = guard;
        }
        let alert = |(happened, open)| self.alert(happened, open, round.at, telling.name);
        let alerts: Vec<Alert> = alerts.into_iter().map(alert).collect();
        for channel in telling.channels {
            for alert in &alerts {
                self.owed.push(Owed {
                    channel: channel.clone(),
                    alert: alert.clone(),
                    tries: 0,
                    next: round.at,
                });
            }
        }
        self.bound(round.at, telling.channels);
        alerts
    }

    /// All that is open, as it is said again to whoever forgets what is not said again.
    #[must_use]
    pub fn standing(&self, at: Timestamp, name: &str) -> Vec<Alert> {
        self.open.iter().map(|open| self.alert(Happened::Begun, open.clone(), at, name)).collect()
    }

    fn alert(&self, happened: Happened, open: Open, at: Timestamp, name: &str) -> Alert {
        let (code, subject) = open.finding.key();
        let chain = self.chain.map(|chain| chain.to_string()).unwrap_or_default();
        let parts = [name, &chain, code.as_str(), subject, &open.since.to_string()];
        let id = Digest::of(format!("{parts:?} {happened:?}").as_bytes()).to_string();
        Alert {
            id,
            happened,
            chain: self.chain,
            name: name.to_owned(),
            finding: open.finding,
            since: open.since,
            at,
        }
    }

    /// The alerts that a channel should be sent now, oldest first; at most `limit`.
    #[must_use]
    pub fn due(&self, channel: &str, at: Timestamp, limit: usize) -> Vec<Alert> {
        let due = self.owed.iter().filter(|owed| owed.channel == channel && owed.next <= at);
        due.take(limit).map(|owed| owed.alert.clone()).collect()
    }

    /// When this alert is to be tried next; `None` when the channel took it.
    #[must_use]
    pub fn next(&self, channel: &str, id: &str) -> Option<Timestamp> {
        let owed = self.owed.iter().find(|owed| owed.channel == channel && owed.alert.id == id);
        owed.map(|owed| owed.next)
    }

    /// Notes what came of sending an alert.
    pub fn sent(&mut self, channel: &str, id: &str, delivered: bool, at: Timestamp) {
        let is_this = |owed: &Owed| owed.channel == channel && owed.alert.id == id;
        if delivered {
            self.owed.retain(|owed| !is_this(owed));
            return;
        }
        for owed in self.owed.iter_mut().filter(|owed| is_this(owed)) {
            let pause = FIRST_PAUSE.saturating_mul(1 << owed.tries.min(20)).min(LONGEST_PAUSE);
            owed.tries = owed.tries.saturating_add(1);
            owed.next = later(at, pause);
        }
    }

    /// How many alerts each channel is owed.
    #[must_use]
    pub fn waiting(&self) -> BTreeMap<&str, usize> {
        let mut waiting = BTreeMap::new();
        for owed in &self.owed {
            *waiting.entry(owed.channel.as_str()).or_default() += 1;
        }
        waiting
    }

    /// Lets go what is too much, too old, or for a channel that is no more.
    fn bound(&mut self, at: Timestamp, channels: &[String]) {
        let edge = at.as_microseconds().saturating_sub(OWED_FOR);
        self.owed.retain(|owed| channels.contains(&owed.channel) && owed.alert.at.as_microseconds() >= edge);
        for channel in channels {
            let count = self.owed.iter().filter(|owed| owed.channel == *channel).count();
            let mut surplus = count.saturating_sub(MOST_OWED);
            self.owed.retain(|owed| {
                let drops = surplus > 0 && owed.channel == *channel;
                surplus -= usize::from(drops);
                !drops
            });
        }
    }
}

/// Whether a finding that was not found again still stands.
fn stays(open: &Open, look_failed: bool, at: Timestamp) -> bool {
    if open.finding.happened {
        return at.as_microseconds().saturating_sub(open.since.as_microseconds()) < HAPPENED_FOR;
    }
    look_failed
}

fn later(at: Timestamp, microseconds: i64) -> Timestamp {
    Timestamp::from_microseconds(at.as_microseconds().saturating_add(microseconds)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::super::{Code, Found, Looked};
    use super::*;

    fn round(seconds: i64, found: Result<Vec<Finding>, &str>) -> Round {
        let found = found.map(|findings| Found { findings, ..Found::default() }).map_err(str::to_owned);
        let at = Timestamp::from_microseconds(seconds * SECOND).unwrap();
        Round { at, looks: vec![Looked { name: LookName::Database, seconds: 0.0, found }] }
    }

    fn take(told: &mut Told, round: &Round) -> Vec<(Happened, Code)> {
        let channels = ["a".to_owned(), "b".to_owned()];
        let alerts = told.take(round, &Telling { name: "demo", channels: &channels });
        alerts.into_iter().map(|alert| (alert.happened, alert.finding.code)).collect()
    }

    fn drift() -> Finding {
        Finding::new(Code::SchemaOutOfBand, "schema")
    }

    #[test]
    fn a_finding_is_told_once_and_again_when_it_comes_back_also_after_a_restart() {
        let mut told = Told::default();
        assert_eq!(take(&mut told, &round(0, Ok(vec![drift()]))), [(Happened::Begun, Code::SchemaOutOfBand)]);
        assert_eq!(told.owed.len(), 2);
        let mut told: Told = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
        assert_eq!(take(&mut told, &round(60, Ok(vec![drift()]))), []);
        // A look that failed ends nothing; it is a finding of its own.
        assert_eq!(take(&mut told, &round(120, Err("gone"))), [(Happened::Begun, Code::Unreachable)]);
        let both = [(Happened::Ended, Code::SchemaOutOfBand), (Happened::Ended, Code::Unreachable)];
        assert_eq!(take(&mut told, &round(180, Ok(vec![]))), both);
        assert_eq!(
            take(&mut told, &round(240, Ok(vec![drift()]))),
            [(Happened::Begun, Code::SchemaOutOfBand)]
        );
        let ids: std::collections::BTreeSet<_> = told.owed.iter().map(|owed| &owed.alert.id).collect();
        assert_eq!((told.owed.len(), ids.len()), (10, 5));
    }

    #[test]
    fn what_happened_is_told_once_and_forgotten_after_a_day() {
        let (mut told, slow) = (Told::default(), Finding::of_entry(Code::SlowMigration, 7));
        assert_eq!(take(&mut told, &round(0, Ok(vec![slow]))).len(), 1);
        assert_eq!(take(&mut told, &round(60, Ok(vec![]))), []);
        assert_eq!(told.open.len(), 1);
        assert_eq!(take(&mut told, &round(86_400, Ok(vec![]))), []);
        assert_eq!(told.open.len(), 0);
    }

    #[test]
    fn what_is_owed_waits_longer_each_time_and_is_bounded() {
        let mut told = Told::default();
        take(&mut told, &round(0, Ok(vec![drift()])));
        let at = |seconds: i64| Timestamp::from_microseconds(seconds * SECOND).unwrap();
        let id = told.due("a", at(0), 10)[0].id.clone();
        told.sent("a", &id, false, at(0));
        assert_eq!((told.due("a", at(4), 10).len(), told.due("a", at(5), 10).len()), (0, 1));
        told.sent("a", &id, false, at(5));
        assert_eq!((told.due("a", at(14), 10).len(), told.due("a", at(15), 10).len()), (0, 1));
        (0..40).for_each(|_| told.sent("a", &id, false, at(15)));
        assert_eq!(told.due("a", at(15 + 3600), 10).len(), 1);
        told.sent("b", &id, true, at(15));
        assert_eq!(told.waiting(), BTreeMap::from([("a", 1)]));
        for minute in 1..=2000 {
            let finding = Finding::new(Code::Differs, format!("migration {minute}"));
            take(&mut told, &round(60 * minute, Ok(vec![finding])));
        }
        assert_eq!(told.waiting(), BTreeMap::from([("a", MOST_OWED), ("b", MOST_OWED)]));
        take(&mut told, &round(30 * 86_400, Ok(vec![])));
        assert_eq!(told.owed.len(), 2);
    }
}
