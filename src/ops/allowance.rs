//! How long policies and packs of an archive may take while it is verified.
//!
//! Each question has limits of its own; an archive brings as many questions as its maker likes. All of them together get a
//! [`BASE`], and a little more for each one, so that a long honest chain is asked to its end, and the time that a hostile
//! one takes grows no faster than its bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What all questions of an archive share.
const BASE: Duration = Duration::from_secs(120);
/// What each question of a policy hook adds: many times what an ordinary one takes.
pub(super) const HOOK: Duration = Duration::from_millis(5);
/// What each verdict of a policy pack adds.
pub(super) const VERDICT: Duration = Duration::from_micros(100);

/// The time that is left for one archive; shared by the threads that verify it.
#[derive(Debug)]
pub(super) struct Allowance {
    /// In microseconds, with [`BASE`].
    granted: AtomicU64,
    /// In microseconds.
    spent: AtomicU64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::of(BASE)
    }
}

impl Allowance {
    pub(super) fn of(base: Duration) -> Self {
        Self { granted: AtomicU64::new(microseconds(base)), spent: AtomicU64::new(0) }
    }

    /// More of it.
    pub(super) fn grant(&self, more: Duration) {
        self.granted.fetch_add(microseconds(more), Ordering::Relaxed);
    }

    /// What is left.
    pub(super) fn left(&self) -> Duration {
        let [granted, spent] = [&self.granted, &self.spent].map(|count| count.load(Ordering::Relaxed));
        Duration::from_micros(granted.saturating_sub(spent))
    }

    pub(super) fn spend(&self, time: Duration) {
        self.spent.fetch_add(microseconds(time), Ordering::Relaxed);
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_gone_and_what_is_asked_adds_some() {
        let allowance = Allowance::of(Duration::from_millis(10));
        allowance.spend(Duration::from_millis(4));
        assert_eq!(allowance.left(), Duration::from_millis(6));
        allowance.grant(HOOK);
        assert_eq!(allowance.left(), Duration::from_millis(11));
        allowance.spend(Duration::from_secs(1));
        assert_eq!(allowance.left(), Duration::ZERO);
        assert!(Allowance::default().left() >= Duration::from_secs(60));
    }
}
