//! Takes what was answered to holders of tokens to the access chain: soon after it happened, and never more often than each
//! few minutes, so that no client makes that chain long. What cannot be recorded is not answered any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::site::Report;
use crate::model::{Pseudonym, Served};
use crate::ops::now;
use crate::ops::served::Tally;

/// How long the first answers after a pause wait for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long until what could not be recorded is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// Records sums in the access chain; the error is for whoever runs the server.
pub type Record = Box<dyn FnMut(Vec<Served>) -> Result<(), String> + Send>;

/// What waits to be recorded.
pub struct Noted {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    failing: AtomicBool,
}

#[derive(Default)]
struct State {
    tally: Tally,
    ends: bool,
}

impl Noted {
    /// Begins to record, at most once each `every`.
    ///
    /// # Errors
    /// Those of the system, for a thread.
    pub fn start(record: Record, every: Duration, report: Report) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let work = move || own.work(record, every, &report);
        let writer = std::thread::Builder::new().name("access chain".to_owned()).spawn(work)?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)) })
    }

    /// Notes an answer.
    pub fn add(&self, holder: Option<Pseudonym>, what: &str, status: u16) {
        self.shared.lock().tally.add(holder, what, status, now());
        self.shared.changed.notify_all();
    }

    /// Whether what was noted before could be recorded, and something still records.
    pub fn is_able(&self) -> bool {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.as_ref().is_some_and(|writer| !writer.is_finished())
            && !self.shared.failing.load(Ordering::Relaxed)
    }

    /// Records what waits, if it can be; what comes later is not.
    pub fn end(&self) {
        self.shared.lock().ends = true;
        self.shared.changed.notify_all();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, mut record: Record, every: Duration, report: &Report) {
        let mut ends = false;
        while !ends {
            let state = self.changed.wait_while(self.lock(), |state| state.tally.is_empty() && !state.ends);
            drop(state.unwrap_or_else(PoisonError::into_inner));
            self.rest(GATHER);
            let served = {
                let mut state = self.lock();
                ends = state.ends;
                state.tally.take()
            };
            if served.is_empty() {
                continue;
            }
            match record(served.clone()) {
                Ok(()) => {
                    self.failing.store(false, Ordering::Relaxed);
                    self.rest(every);
                }
                Err(error) => {
                    report(&format!("error: accesses cannot be recorded, so they end: {error}"));
                    self.failing.store(true, Ordering::Relaxed);
                    served.into_iter().for_each(|served| self.lock().tally.add_all(served));
                    self.rest(every.min(AGAIN));
                }
            }
        }
    }

    /// Waits until the time is over or the server ends.
    fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.lock();
        while !state.ends {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn started(fails: bool, every: Duration) -> (Noted, Receiver<u64>) {
        let (sender, receiver) = channel();
        let record = move |served: Vec<Served>| {
            let count = served.iter().map(|served| served.count).sum();
            sender.send(count).unwrap();
            if fails { Err("no".to_owned()) } else { Ok(()) }
        };
        (Noted::start(Box::new(record), every, Arc::new(|_| ())).unwrap(), receiver)
    }

    #[test]
    fn many_answers_are_few_events() {
        let (noted, events) = started(false, Duration::from_secs(3600));
        for _ in 0..1000 {
            noted.add(None, "report", 200);
        }
        let first = events.recv().unwrap();
        for _ in 0..1000 {
            noted.add(None, "report", 200);
        }
        assert!(noted.is_able());
        drop(noted);
        let rest: Vec<u64> = events.iter().collect();
        assert_eq!((first + rest.iter().sum::<u64>(), rest.len()), (2000, 1));
    }

    #[test]
    fn what_cannot_be_recorded_is_kept_and_ends_accesses() {
        let (noted, events) = started(true, Duration::from_millis(1));
        noted.add(None, "report", 200);
        assert_eq!(events.recv().unwrap(), 1);
        assert_eq!(events.recv().unwrap(), 1);
        assert!(!noted.is_able());
        drop(noted);
    }

    #[test]
    fn nothing_is_told_once_nothing_records_any_more() {
        let record = Box::new(|_: Vec<Served>| -> Result<(), String> { panic!("as a bug would") });
        let noted = Noted::start(record, Duration::from_millis(1), Arc::new(|_| ())).unwrap();
        assert!(noted.is_able());
        noted.add(None, "report", 200);
        let until = Instant::now() + Duration::from_secs(60);
        while noted.is_able() && Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(!noted.is_able());
        let (noted, _events) = started(false, Duration::from_millis(1));
        noted.end();
        assert!(!noted.is_able());
    }
}
