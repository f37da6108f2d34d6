//! The run lock: a session advisory lock on a connection of its own, so that nothing a script does gives it
//! back. It is asked for again and again, not waited for: a waiting statement holds a snapshot, and
//! `CREATE INDEX CONCURRENTLY` waits for snapshots.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::failure::failure_in_use;
use super::session::{fetch_json, fetch_text};
use crate::database::{DatabaseError, LockHolder};

const POLL: Duration = Duration::from_millis(50);
/// What the session of a run that has ended may need to end too.
pub const GRACE: Duration = Duration::from_secs(2);
/// For how long a lock that was seen is believed to be held.
const FRESH: Duration = Duration::from_secs(1);

/// `greffe` in ASCII and a zero: advisory locks belong to a database, so one key is enough.
const KEY: i64 = 0x6772_6566_6665_0000;
/// The same as `pg_locks` shows it.
const OF_KEY: &str = "locktype = 'advisory' AND classid = 1735550310 AND objid = 1717895168 AND objsubid = 1 \
                      AND granted AND database = (SELECT oid FROM pg_catalog.pg_database \
                      WHERE datname = pg_catalog.current_database())";

/// What the session that scripts run in holds besides: a run that was killed gives [`KEY`] back at once, while the
/// server may go on with its statement for as long as that takes.
const SCRIPTS: i64 = KEY + 1;

/// Takes the lock of the session that scripts run in, once no statement of an earlier run goes on.
pub async fn take_for_scripts(connection: &mut PgConnection, wait: Duration) -> Result<(), DatabaseError> {
    let begin = Instant::now();
    loop {
        let taken =
            fetch_text(connection, format!("SELECT pg_catalog.pg_try_advisory_lock({SCRIPTS})")).await;
        if taken.map_err(|error| DatabaseError::LockLost(failure_in_use(&error)))?.as_deref() == Some("t") {
            return Ok(());
        }
        if begin.elapsed() >= wait {
            let of_scripts = OF_KEY.replace(OBJECT, OBJECT_OF_SCRIPTS);
            let holder = holder(connection, &of_scripts).await;
            return Err(DatabaseError::Held { waited: wait, holder });
        }
        tokio::time::sleep(POLL).await;
    }
}

const OBJECT: &str = "objid = 1717895168";
const OBJECT_OF_SCRIPTS: &str = "objid = 1717895169";

/// A held lock. The server gives it back when the connection ends, however it ends.
pub struct RunLock {
    connection: PgConnection,
    seen: Instant,
}

impl RunLock {
    /// Takes the lock, asking again until `wait` is over.
    pub async fn take(connect: &PgConnectOptions, wait: Duration) -> Result<Self, DatabaseError> {
        let failed = |error: sqlx::Error| DatabaseError::LockLost(failure_in_use(&error));
        let mut connection =
            connect.connect().await.map_err(|error| DatabaseError::Open(super::failure::failure(&error)))?;
        // Idle is what this connection is; and it must not wait without end for a row that a script holds.
        let settings = "SELECT pg_catalog.set_config(name, CASE name WHEN 'lock_timeout' THEN '10s' ELSE '0' END, \
                        false) FROM pg_catalog.pg_settings WHERE name IN ('idle_session_timeout', \
                        'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')";
        sqlx::raw_sql(settings).execute(&mut connection).await.map_err(failed)?;
        let begin = Instant::now();
        loop {
            let taken = fetch_text(&mut connection, format!("SELECT pg_catalog.pg_try_advisory_lock({KEY})"));
            if taken.await.map_err(failed)?.as_deref() == Some("t") {
                return Ok(Self { connection, seen: Instant::now() });
            }
            if begin.elapsed() >= wait {
                let holder = holder(&mut connection, OF_KEY).await;
                connection.close().await.ok();
                return Err(DatabaseError::Held { waited: wait, holder });
            }
            tokio::time::sleep(POLL.min(wait)).await;
        }
    }

    /// Fails unless the lock is held still. `now`: also where it was seen a moment ago.
    pub async fn require(&mut self, now: bool) -> Result<(), DatabaseError> {
        if !now && self.seen.elapsed() < FRESH {
            return Ok(());
        }
        let held = format!(
            "SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks \
             WHERE pid = pg_catalog.pg_backend_pid() AND {OF_KEY}"
        );
        let held = fetch_text(&mut self.connection, held).await;
        match held.map_err(|error| DatabaseError::LockLost(failure_in_use(&error)))?.as_deref() {
            Some("1") => {
                self.seen = Instant::now();
                Ok(())
            }
            _ => {
                Err(DatabaseError::LockLost(crate::database::Failure::Driver("the server does not know it")))
            }
        }
    }

    /// The connection, for what has to be durable while a script runs outside a transaction.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    pub async fn release(self) {
        self.connection.close().await.ok();
    }
}

async fn holder(connection: &mut PgConnection, of_key: &str) -> Option<LockHolder> {
    let sql = format!(
        "SELECT pg_catalog.json_build_array(a.pid, a.application_name, a.client_addr, a.backend_start) \
         FROM pg_catalog.pg_locks JOIN pg_catalog.pg_stat_activity AS a USING (pid) WHERE {of_key} LIMIT 1"
    );
    let (session, program, address, since) = fetch_json(connection, sql).await.ok()?;
    Some(LockHolder { session, program, address, since })
}
