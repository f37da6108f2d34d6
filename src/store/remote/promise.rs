//! Waiting for a service that fetches and keeps a head by itself.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Patience, RemoteError};

/// What a service says of a head that it was told to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// It has everything below, and keeps it.
    Kept,
    Underway,
    /// It gave up, and says why.
    Failed(String),
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a failure may be that of an attempt before.
const STALE: Duration = Duration::from_secs(2);

/// When a wait that begins now has to end, so that what is still owed is said before the whole call is cut off.
#[must_use]
pub fn end_of_wait(patience: &Patience) -> Instant {
    Instant::now() + patience.total.mul_f64(0.9)
}

/// Asks with growing pauses until the head is kept.
///
/// # Errors
/// [`RemoteError::Pending`] when `end` comes before that, [`RemoteError::Failed`] when the service gave up, and those
/// of `ask`.
pub async fn until_kept(
    end: Instant,
    mut ask: impl AsyncFnMut() -> Result<Promise, RemoteError>,
) -> Result<(), RemoteError> {
    let begin = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let failure = match ask().await? {
            Promise::Kept => return Ok(()),
            Promise::Underway => None,
            Promise::Failed(reason) => Some(RemoteError::Failed(reason)),
        };
        let over = Instant::now() + pause >= end;
        match failure {
            Some(failure) if over || begin.elapsed() >= STALE => return Err(failure),
            None if over => return Err(RemoteError::Pending),
            _ => sleep(pause).await,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(said: impl Fn(usize) -> Promise) -> (Result<(), RemoteError>, Duration, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let (begin, mut asked) = (Instant::now(), 0);
            let patience = Patience { request: Duration::from_secs(1), total: Duration::from_secs(30) };
            let answer = until_kept(end_of_wait(&patience), async || {
                asked += 1;
                Ok(said(asked))
            });
            let answer = answer.await;
            (answer, begin.elapsed(), asked)
        })
    }

    #[test]
    fn a_promise_is_waited_for_in_bounds() {
        let (answer, _, asked) = wait(|asked| if asked < 4 { Promise::Underway } else { Promise::Kept });
        assert_eq!((answer, asked), (Ok(()), 4));
        let (answer, elapsed, asked) = wait(|_| Promise::Underway);
        assert_eq!(answer, Err(RemoteError::Pending));
        assert!(elapsed < Duration::from_secs(27) && asked < 20, "{elapsed:?} {asked}");
    }

    #[test]
    fn a_failure_counts_when_it_lasts() {
        let failed = || Promise::Failed("no provider".to_owned());
        let (answer, ..) = wait(|asked| if asked < 3 { failed() } else { Promise::Kept });
        assert_eq!(answer, Ok(()));
        let (answer, elapsed, _) = wait(|_| failed());
        assert_eq!(answer, Err(RemoteError::Failed("no provider".to_owned())));
        assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    }
}
