//! The run lock: a lock of the server's, by name, which ends with the connection that took it.
//!
//! Such a lock is known on one server: the nodes of a cluster have each their own.

use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::failure::failure;
use crate::database::{DatabaseError, Failure, LockHolder};

const POLL: Duration = Duration::from_millis(50);
/// What the session of a run that has ended may need to end too.
pub const GRACE: Duration = Duration::from_secs(2);

/// `greffe:` and the beginning of the SHA-256 of the database's name: names of locks have at most 64 characters,
/// and all databases of a server share them.
pub fn name_of(database: &str) -> String {
    let digest = Sha256::digest(database);
    format!("greffe:{}", data_encoding::HEXLOWER.encode(&digest[..16]))
}

/// The name of the lock that the session of the scripts holds: a run that was killed gives its own back at once,
/// while the server may go on with its statement for as long as that takes.
pub fn name_for_scripts(database: &str) -> String {
    name_of(database).replace("greffe:", "greffe-script:")
}

/// Returns when nobody has the lock, or `wait` is over.
pub async fn until_free(
    connection: &mut MySqlConnection,
    lock: &str,
    wait: Duration,
) -> Result<(), DatabaseError> {
    let begin = Instant::now();
    loop {
        let free = number(&mut *connection, format!("SELECT IS_FREE_LOCK('{lock}')")).await;
        if free.map_err(|error| DatabaseError::LockLost(failure(&error)))? == Some(1) {
            return Ok(());
        }
        if begin.elapsed() >= wait {
            let holder = holder(connection, lock).await;
            return Err(DatabaseError::Held { waited: wait, holder });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Takes the lock, asking again until `wait` is over.
pub async fn take(connection: &mut MySqlConnection, lock: &str, wait: Duration) -> Result<(), DatabaseError> {
    let failed = |error: sqlx::Error| DatabaseError::LockLost(failure(&error));
    let begin = Instant::now();
    loop {
        let taken =
            number(&mut *connection, format!("SELECT GET_LOCK('{lock}', 0)")).await.map_err(failed)?;
        match taken {
            Some(1) => return Ok(()),
            Some(_) if begin.elapsed() < wait => tokio::time::sleep(POLL.min(wait)).await,
            Some(_) => {
                let holder = holder(connection, lock).await;
                return Err(DatabaseError::Held { waited: wait, holder });
            }
            None => {
                return Err(DatabaseError::LockLost(Failure::Driver("the server gives no locks by name")));
            }
        }
    }
}

/// Whether this connection is alive and has the lock.
pub async fn require(connection: &mut MySqlConnection, lock: &str) -> Result<(), DatabaseError> {
    let held = number(connection, format!("SELECT IS_USED_LOCK('{lock}') = CONNECTION_ID()")).await;
    match held {
        Ok(Some(1)) => Ok(()),
        _ => Err(DatabaseError::LockLost(Failure::Driver("the server does not know it"))),
    }
}

async fn number(connection: &mut MySqlConnection, sql: String) -> Result<Option<i64>, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?.try_get_unchecked(0)
}

/// Who has the lock, as far as this user may see: others' connections show to who may see processes.
async fn holder(connection: &mut MySqlConnection, lock: &str) -> Option<LockHolder> {
    let session = number(&mut *connection, format!("SELECT IS_USED_LOCK('{lock}')")).await.ok()??;
    let sql = format!("SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = {session}");
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_optional(connection).await.ok().flatten();
    let address = row.and_then(|row| row.try_get_unchecked::<String, _>(0).ok());
    Some(LockHolder { session, program: None, address, since: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_locks_are_short_and_differ_with_the_database() {
        assert_eq!(name_of("app"), "greffe:a172cedcae47474b615c54d510a5d84a");
        assert_ne!(name_of(&"x".repeat(64)), name_of(&"x".repeat(63)));
        assert!(name_of(&"ö".repeat(64)).len() <= 64);
    }
}
