//! Counts the notices and warnings that a server sends while a script runs. The driver passes them on as events for
//! whoever keeps a log; here only their number is taken, and their text, which may carry values of rows, is not
//! looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::instrument::WithSubscriber as _;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// What the driver calls them.
const TARGET: &str = "sqlx::postgres::notice";

/// Counts for one connection.
pub struct Notices {
    count: Arc<AtomicU64>,
    dispatch: Dispatch,
}

impl Notices {
    pub fn new() -> Self {
        let count = Arc::new(AtomicU64::new(0));
        let dispatch = Dispatch::new(Counter(Arc::clone(&count)));
        Self { count, dispatch }
    }

    /// Does `work`, and tells how many notices came meanwhile. No other task counts here.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> (T, u64) {
        self.count.store(0, Ordering::Relaxed);
        let done = work.with_subscriber(self.dispatch.clone()).await;
        (done, self.count.load(Ordering::Relaxed))
    }
}

struct Counter(Arc<AtomicU64>);

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == TARGET {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    // Spans are not wanted, so none is ever told of.
    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}
