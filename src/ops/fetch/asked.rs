//! A source that is being asked: what it gave, what it did wrong, and when it is asked no more.

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::SourceState;
use crate::model::Cid;
use crate::store::remote::{NamedSource, RemoteError};

/// Failures that may pass, after which a source is asked no more. A lie is enough at once.
const STRIKES: u32 = 3;
/// The first pause before a source that failed is asked again, when no other has the answer.
const PAUSE: Duration = Duration::from_millis(200);

/// A source whose answers take longer is asked after others.
const SLOW: Duration = Duration::from_millis(500);

/// A source of one verification.
pub(super) struct Asked<'a> {
    pub(super) source: &'a NamedSource,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    blocks: u64,
    bytes: u64,
    strikes: u32,
    dropped: bool,
    /// Gives no blocks at all.
    mute: bool,
    fault: Option<String>,
    /// How long an answer takes, the newest ones above all.
    latency: Option<Duration>,
}

/// What came of asking all sources for a block.
pub(super) enum Looked {
    /// Hashed.
    Found(Vec<u8>),
    /// Every source says that it has it not.
    Missing,
    /// No source that is left has it, and one that may have it does not answer.
    Unknown,
}

impl<'a> Asked<'a> {
    pub(super) fn new(source: &'a NamedSource) -> Self {
        Self { source, state: RefCell::default() }
    }

    pub(super) fn is_in_use(&self) -> bool {
        !self.state.borrow().dropped
    }

    /// Notes how long an answer took, or that there was none for so long.
    pub(super) fn time(&self, begin: Instant) {
        let mut state = self.state.borrow_mut();
        let newest = begin.elapsed();
        state.latency = Some(state.latency.map_or(newest, |before| (before * 3 + newest) / 4));
    }

    /// Zero for one that answers soon, or was not asked yet.
    fn slowness(&self) -> Duration {
        self.state.borrow().latency.filter(|latency| *latency > SLOW).unwrap_or_default()
    }

    pub(super) fn is_mute(&self) -> bool {
        self.state.borrow().mute
    }

    /// To be taken before a request, and handed to [`Self::blame`] when it fails.
    pub(super) fn strikes(&self) -> u32 {
        self.state.borrow().strikes
    }

    /// Notes a block that it gave.
    pub(super) fn thank(&self, size: u64) {
        let mut state = self.state.borrow_mut();
        state.blocks += 1;
        state.bytes += size;
    }

    /// Notes what it did wrong. Requests that were under way together count as one strike.
    pub(super) fn blame(&self, strikes: u32, error: &RemoteError) {
        let mut state = self.state.borrow_mut();
        // Those that give no blocks at all are no worse for it.
        if matches!(error, RemoteError::Unsupported(_)) {
            state.dropped = true;
            state.mute = true;
            return;
        }
        if !state.dropped {
            state.fault = Some(error.to_string());
        }
        if state.strikes == strikes {
            state.strikes += 1;
        }
        state.dropped |= state.strikes >= STRIKES || is_grave(error);
    }

    pub(super) fn state(&self) -> SourceState {
        let state = self.state.borrow();
        SourceState {
            name: self.source.name.clone(),
            url: self.source.url.clone(),
            blocks: state.blocks,
            bytes: state.bytes,
            fault: state.fault.clone(),
            dropped: state.dropped,
        }
    }
}

/// Whether nothing that comes from there is worth waiting for.
const fn is_grave(error: &RemoteError) -> bool {
    matches!(
        error,
        RemoteError::Lied(_)
            | RemoteError::TooLarge { .. }
            | RemoteError::Malformed(_)
            | RemoteError::Unauthorized
            | RemoteError::NobodyListens
            | RemoteError::Lost(_)
    )
}

/// Asks one source after the other, each for at most `limit`, until one gives the block or none is left. Slow ones come
/// last, so that they hold nothing up that others have.
pub(super) async fn look(all: &[Asked<'_>], cid: &Cid, limit: Duration) -> Looked {
    let mut absent = vec![false; all.len()];
    let mut order: Vec<usize> = (0..all.len()).collect();
    let mut pause = PAUSE;
    loop {
        order.sort_by_key(|at| (all[*at].slowness(), *at));
        for at in &order {
            let (asked, absent) = (&all[*at], &mut absent[*at]);
            if *absent || !asked.is_in_use() {
                continue;
            }
            let (strikes, begin) = (asked.strikes(), Instant::now());
            let answer = timeout(limit, asked.source.block(cid)).await;
            asked.time(begin);
            match answer.unwrap_or(Err(RemoteError::TimedOut(limit))) {
                Ok(Some(bytes)) => {
                    asked.thank(bytes.len() as u64);
                    return Looked::Found(bytes);
                }
                Ok(None) => *absent = true,
                Err(error) => asked.blame(strikes, &error),
            }
        }
        let left = all.iter().zip(&absent).any(|(asked, absent)| !absent && asked.is_in_use());
        if !left {
            let answered = all.iter().zip(&absent).filter(|(asked, _)| !asked.is_mute());
            let answered: Vec<bool> = answered.map(|(_, absent)| *absent).collect();
            let missing = !answered.is_empty() && !answered.contains(&false);
            return if missing { Looked::Missing } else { Looked::Unknown };
        }
        sleep(pause).await;
        pause *= 2;
    }
}
