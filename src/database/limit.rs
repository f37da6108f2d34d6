//! A clock of greffe's own around scripts of others: what they set on their connection does not change it.

use std::time::Duration;

use tokio::time::timeout;

use super::{DatabaseError, StepOutcome};

/// How long a script of others may run, unless something else is asked for.
pub const SCRIPT: Duration = Duration::from_secs(600);
/// How long a database may need for what it is told at the end of that time.
pub const GRACE: Duration = Duration::from_secs(5);

/// What the server is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urge {
    /// The statement that runs. A script may catch that.
    Statement,
    /// The session.
    Session,
}

/// Awaits what a server may never answer, such as the end of a connection, for a while.
pub async fn in_time<T>(work: impl Future<Output = T>) {
    timeout(GRACE, work).await.ok();
}

/// Awaits a script for at most `limit`; then has it ended by `end`, which speaks to the server on another connection.
///
/// # Errors
/// Those of `work`; [`DatabaseError::TookTooLong`] when it had to be ended. It may then go on in a server that ends
/// nothing.
pub async fn within(
    limit: Duration,
    work: impl Future<Output = Result<StepOutcome, DatabaseError>>,
    mut end: impl AsyncFnMut(Urge),
) -> Result<StepOutcome, DatabaseError> {
    let mut work = std::pin::pin!(work);
    if let Ok(ended) = timeout(limit, &mut work).await {
        return ended;
    }
    for urge in [Urge::Statement, Urge::Session] {
        timeout(GRACE, end(urge)).await.ok();
        if let Ok(ended) = timeout(GRACE, &mut work).await {
            return match ended {
                Ok(StepOutcome::Done) => Ok(StepOutcome::Done),
                _ => Err(DatabaseError::TookTooLong { limit }),
            };
        }
    }
    Err(DatabaseError::TookTooLong { limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_ended_first_gently_and_given_up_at_last() {
        let mut urges = Vec::new();
        let limit = Duration::from_secs(60);
        let work = async {
            tokio::time::sleep(Duration::from_secs(59)).await;
            Ok(StepOutcome::Done)
        };
        assert_eq!(within(limit, work, async |urge| urges.push(urge)).await.ok(), Some(StepOutcome::Done));
        assert_eq!(urges, []);
        let ended = within(limit, std::future::pending(), async |urge| urges.push(urge)).await;
        assert!(matches!(ended, Err(DatabaseError::TookTooLong { .. })));
        assert_eq!(urges, [Urge::Statement, Urge::Session]);
    }
}
