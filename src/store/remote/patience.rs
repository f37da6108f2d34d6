//! How long a node or service is waited for, and how often it is asked again.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::RemoteError;
use crate::crypto::fill_random;

/// Limits of time. Work that is cut off by one may have been done on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For one request, and for silence in the middle of an answer.
    pub request: Duration,
    /// For all requests that one call makes, pauses included.
    pub total: Duration,
}

/// The first pause; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long it is asked again where nobody listens.
const STARTING: Duration = Duration::from_secs(5);

impl Patience {
    /// Asks until there is an answer or an error that will not pass, with pauses that grow and differ by chance,
    /// as long as the total lasts.
    ///
    /// # Errors
    /// The last one that `ask` had; [`RemoteError::TimedOut`] when the time ran out within a request.
    pub async fn retry<T>(
        &self,
        mut ask: impl AsyncFnMut() -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        let begin = Instant::now();
        let end = begin + self.total;
        let mut pause = FIRST_PAUSE;
        loop {
            let until = end.min(Instant::now() + self.request);
            let error = match timeout_at(until, ask()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) if !error.is_transient() => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => RemoteError::TimedOut(self.request.min(self.total)),
            };
            let wait = jittered(pause);
            // Who does not listen may be starting; who still does not is not there.
            let last = if error == RemoteError::NobodyListens { end.min(begin + STARTING) } else { end };
            if Instant::now() + wait >= last {
                return Err(error);
            }
            sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Between half and all of a pause, so that those who failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0; 4];
    fill_random(&mut random);
    let half = pause / 2;
    half + half.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(work)
    }

    #[test]
    fn what_passes_is_asked_again_and_what_does_not_is_not() {
        let patience = Patience { request: Duration::from_secs(1), total: Duration::from_secs(30) };
        let mut asked = 0;
        let answer = block_on(patience.retry(async || {
            asked += 1;
            if asked < 4 { Err(RemoteError::Unreachable("refused".into())) } else { Ok(asked) }
        }));
        assert_eq!(answer, Ok(4));
        let mut asked = 0;
        let answer = block_on(patience.retry(async || {
            asked += 1;
            Err::<(), _>(RemoteError::Unauthorized)
        }));
        assert_eq!((answer, asked), (Err(RemoteError::Unauthorized), 1));
    }

    #[test]
    fn the_total_ends_all() {
        let patience = Patience { request: Duration::from_secs(2), total: Duration::from_secs(10) };
        let begin = std::cell::OnceCell::new();
        let elapsed = block_on(async {
            let begin = begin.get_or_init(Instant::now);
            let stalled = patience.retry(async || std::future::pending::<Result<(), RemoteError>>().await);
            assert_eq!(stalled.await, Err(RemoteError::TimedOut(Duration::from_secs(2))));
            begin.elapsed()
        });
        assert!(elapsed <= Duration::from_secs(10), "{elapsed:?}");
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(1));
            assert!((Duration::from_millis(500)..=Duration::from_secs(1)).contains(&pause));
        }
    }
}
