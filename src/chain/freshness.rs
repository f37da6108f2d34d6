//! How old the newest word on a head is. A head that nobody vouched for lately may be an old one that somebody keeps
//! showing: that is stale, and something else than tampered with.

use serde::Serialize;

use super::report::TimeBound;
use crate::model::Timestamp;

/// Whether a head is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fresh {
    Yes,
    /// The newest word on it is too old.
    No,
    /// Nobody vouched for it at a time that has been.
    Unknown,
}

/// How old the newest word on a head is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Freshness {
    pub fresh: Fresh,
    /// How old it may be.
    pub max_age_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
    /// The newest word.
    #[serde(flatten)]
    pub newest: Option<TimeBound>,
}

impl Freshness {
    /// Of what was vouched, at a moment. Who speaks of a time that is more than `tolerance` microseconds ahead says nothing
    /// that could be fresh.
    #[must_use]
    pub fn of(vouched: Vec<TimeBound>, now: Timestamp, max_age_seconds: u64, tolerance: i64) -> Self {
        let latest = now.as_microseconds().saturating_add(tolerance);
        let newest = vouched.into_iter().filter(|word| word.at.as_microseconds() <= latest);
        let newest = newest.max_by_key(|word| word.at);
        let age = |word: &TimeBound| {
            let age = now.as_microseconds().saturating_sub(word.at.as_microseconds());
            u64::try_from(age / 1_000_000).unwrap_or(0)
        };
        let age_seconds = newest.as_ref().map(age);
        let fresh = match age_seconds {
            Some(age) if age <= max_age_seconds => Fresh::Yes,
            Some(_) => Fresh::No,
            None => Fresh::Unknown,
        };
        Self { fresh, max_age_seconds, age_seconds, newest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::TimeSource;

    #[test]
    fn the_newest_word_counts_and_none_from_the_future() {
        let at = |seconds: i64| Timestamp::from_microseconds(seconds * 1_000_000).unwrap();
        let freshness = |times: &[i64], max_age| {
            let vouched = times.iter().map(|time| TimeBound { at: at(*time), source: TimeSource::Signer });
            let freshness = Freshness::of(vouched.collect(), at(1000), max_age, 5_000_000);
            (freshness.fresh, freshness.age_seconds)
        };
        assert_eq!(freshness(&[100, 900, 500], 100), (Fresh::Yes, Some(100)));
        assert_eq!(freshness(&[100, 900, 500], 99), (Fresh::No, Some(100)));
        assert_eq!(freshness(&[1005], 0), (Fresh::Yes, Some(0)));
        // A signer whose clock is ahead would be fresh for ever.
        assert_eq!(freshness(&[1006, 900], 99), (Fresh::No, Some(100)));
        assert_eq!(freshness(&[1006], 1 << 40), (Fresh::Unknown, None));
        assert_eq!(freshness(&[], 1), (Fresh::Unknown, None));
    }
}
