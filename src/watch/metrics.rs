//! What scrapers are told, in OpenMetrics. Labels are names of the chain, of replicas, channels, looks and rules: nothing
//! of a person, nothing of a database.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Code, Facts, LookName, Round, Told};
use crate::model::Timestamp;

/// The type of what [`Metrics::text`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
type Counters = Family<Labels, Counter>;

/// What became of alerts of one channel since this program began.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    delivered: u64,
    failed: u64,
    waiting: usize,
}

/// What is known now.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    chain: String,
    facts: Facts,
    findings: BTreeMap<Code, usize>,
    /// Seconds, and whether it ended.
    looks: BTreeMap<LookName, (f64, bool)>,
    rounds: u64,
    round: Option<(Timestamp, f64)>,
    channels: BTreeMap<String, Sent>,
}

impl Metrics {
    /// Of a chain of this name, with these channels.
    #[must_use]
    pub fn new(chain: &str, channels: &[String]) -> Self {
        let channels = channels.iter().map(|channel| (channel.clone(), Sent::default())).collect();
        Self { chain: chain.to_owned(), channels, ..Self::default() }
    }

    /// Takes in a round that took so many seconds, and what is open after it.
    pub fn take(&mut self, round: &Round, told: &Told, seconds: f64) {
        self.rounds += 1;
        self.round = Some((round.at, seconds));
        self.look(round, told);
    }

    /// Takes in looks beside the rounds, and what is open after them.
    pub fn look(&mut self, round: &Round, told: &Told) {
        self.facts.add(round.facts());
        for look in &round.looks {
            self.looks.insert(look.name, (look.seconds, look.found.is_ok()));
        }
        self.findings = Code::ALL.iter().map(|code| (*code, 0)).collect();
        for open in &told.open {
            *self.findings.entry(open.finding.code).or_default() += 1;
        }
        self.wait(told);
    }

    /// Counts an alert that was sent.
    pub fn sent(&mut self, channel: &str, delivered: bool, told: &Told) {
        let sent = self.channels.entry(channel.to_owned()).or_default();
        if delivered {
            sent.delivered += 1;
        } else {
            sent.failed += 1;
        }
        self.wait(told);
    }

    fn wait(&mut self, told: &Told) {
        let waiting = told.waiting();
        for (channel, sent) in &mut self.channels {
            sent.waiting = waiting.get(channel.as_str()).copied().unwrap_or(0);
        }
    }

    /// As OpenMetrics text.
    ///
    /// # Errors
    /// None but those of writing to memory.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut root = Registry::with_prefix("greffe");
        let version = [("version", env!("CARGO_PKG_VERSION").to_owned())].to_vec();
        gauge(&mut root, ("build_info", "The version of greffe", None), [(version, 1.0)]);
        let registry = root.sub_registry_with_label(("chain".into(), self.chain.clone().into()));
        self.register_facts(registry);
        self.register_rounds(registry);
        self.register_channels(registry);
        let mut text = String::new();
        encode(&mut text, &root)?;
        Ok(text)
    }

    fn register_facts(&self, registry: &mut Registry) {
        let facts = &self.facts;
        let one = |value: Option<f64>| value.map(|value| (Labels::new(), value));
        let count = |value: Option<u64>| one(value.map(|value| value as f64));
        let newest = facts.newest.map(seconds);
        for (name, help, unit, value) in [
            ("chain_entries", "Entries of the chain", None, count(facts.entries)),
            (
                "chain_verified",
                "Whether the last verification found nothing wrong",
                None,
                one(facts.verified.map(f64::from)),
            ),
            ("chain_newest_entry_timestamp", "When the newest entry ended", Some(Unit::Seconds), one(newest)),
            ("head_age", "Age of the newest word on the head", Some(Unit::Seconds), count(facts.head_age)),
            (
                "migration_duration",
                "How long the newest migration took",
                Some(Unit::Seconds),
                one(facts.duration.map(|took| took as f64 / 1e6)),
            ),
            ("migrations_pending", "Migrations that are not applied", None, count(facts.pending)),
            (
                "changes_unarchived",
                "Changes that the archive does not have yet",
                None,
                count(facts.unarchived),
            ),
            ("replicas_target", "How many replicas have to keep the head", None, count(facts.target)),
            ("accesses_last_hour", "Openings of sealed content within an hour", None, count(facts.accesses)),
        ] {
            gauge(registry, (name, help, unit), value);
        }
        let replicas = facts.replicas.iter().flatten();
        let replicas =
            replicas.map(|(name, keeps)| ([("replica", name.clone())].to_vec(), f64::from(*keeps)));
        gauge(
            registry,
            ("replica_current", "Whether a replica keeps the newest head, as far as is known", None),
            replicas,
        );
    }

    fn register_rounds(&self, registry: &mut Registry) {
        let findings = self.findings.iter().map(|(code, count)| {
            let labels =
                [("code", code.as_str().to_owned()), ("severity", code.severity().as_str().to_owned())];
            (labels.to_vec(), *count as f64)
        });
        gauge(registry, ("findings", "Open findings by rule", None), findings);
        let look = |name: &LookName| [("look", name.as_str().to_owned())].to_vec();
        let looks = self.looks.iter().map(|(name, (_, ended))| (look(name), f64::from(*ended)));
        gauge(registry, ("watch_look_up", "Whether a look of the last round ended", None), looks);
        let looks = self.looks.iter().map(|(name, (took, _))| (look(name), *took));
        gauge(
            registry,
            ("watch_look_duration", "How long a look of the last round took", Some(Unit::Seconds)),
            looks,
        );
        let at = self.round.map(|(at, _)| (Labels::new(), seconds(at)));
        gauge(registry, ("watch_last_round_timestamp", "When the last round ended", Some(Unit::Seconds)), at);
        let took = self.round.map(|(_, took)| (Labels::new(), took));
        gauge(registry, ("watch_round_duration", "How long the last round took", Some(Unit::Seconds)), took);
        counter(registry, "watch_rounds", "Rounds since the program began", [(Labels::new(), self.rounds)]);
    }

    fn register_channels(&self, registry: &mut Registry) {
        let each = |value: fn(&Sent) -> u64| {
            self.channels.iter().map(move |(name, sent)| ([("channel", name.clone())].to_vec(), value(sent)))
        };
        counter(registry, "alerts_delivered", "Alerts that a channel took", each(|sent| sent.delivered));
        counter(
            registry,
            "alert_failures",
            "Attempts to deliver an alert that failed",
            each(|sent| sent.failed),
        );
        let waiting = each(|sent| sent.waiting as u64).map(|(labels, count)| (labels, count as f64));
        gauge(registry, ("alerts_waiting", "Alerts that a channel has not taken yet", None), waiting);
    }
}

/// POSIX seconds.
fn seconds(at: Timestamp) -> f64 {
    at.as_microseconds() as f64 / 1e6
}

/// A gauge with a value for each set of labels; its name, help and unit.
fn gauge(
    registry: &mut Registry,
    (name, help, unit): (&str, &str, Option<Unit>),
    values: impl IntoIterator<Item = (Labels, f64)>,
) {
    let family = Gauges::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, family),
        None => registry.register(name, help, family),
    }
}

/// The same for a counter; the format adds `_total` to its name.
fn counter(registry: &mut Registry, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, u64)>) {
    let family = Counters::default();
    for (labels, value) in values {
        family.get_or_create(&labels).inc_by(value);
    }
    registry.register(name, help, family);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_and_nothing_is_said_of_what_is_not_known() {
        let metrics = Metrics::new("demo", &["ops".to_owned()]);
        let text = metrics.text().unwrap();
        assert!(text.ends_with("# EOF\n") && !text.contains("greffe_chain_entries{"), "{text}");
        assert!(text.contains("greffe_alerts_delivered_total{chain=\"demo\",channel=\"ops\"} 0"), "{text}");
        let mut metrics = metrics;
        metrics.facts = Facts { entries: Some(7), head_age: Some(9), ..Facts::default() };
        let text = metrics.text().unwrap();
        assert!(text.contains("greffe_chain_entries{chain=\"demo\"} 7.0"), "{text}");
        assert!(text.contains("greffe_head_age_seconds{chain=\"demo\"} 9.0"), "{text}");
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        assert!(names.into_iter().all(|line| line.starts_with("greffe_")), "{text}");
    }
}
