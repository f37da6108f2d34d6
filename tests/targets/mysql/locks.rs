//! The run lock.

use std::time::{Duration, Instant};

use greffe::database::mysql::Mysql;
use greffe::database::{DatabaseError, Target};
use greffe::ops::now;

use super::steps::{WRITE, apply, database, open_locked, step};
use crate::servers::{Database, LIMIT};

const NOW: Duration = Duration::ZERO;

/// Connections to a test's database of which the server says this, but for the one that asks.
fn connections(database: &Database, condition: &str) -> Vec<String> {
    let select = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND ID <> CONNECTION_ID() AND {condition}",
        database.name()
    );
    let ids = database.sql_as(database.administrator(), &select).unwrap();
    ids.lines().map(str::to_owned).collect()
}

/// Ends connections or, with `KILL QUERY`, what they run, as an administrator would.
pub fn kill(database: &Database, kill: &str, condition: &str) {
    for id in connections(database, condition) {
        // It may have ended by itself.
        let _ = database.sql_as(database.administrator(), &format!("{kill} {id}"));
    }
}

/// Returns when a statement runs.
pub async fn until_runs(database: &Database, statement: &str) {
    let begin = Instant::now();
    while connections(database, &format!("INFO = '{statement}'")).is_empty() {
        assert!(begin.elapsed() < LIMIT, "{statement} does not run");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_second_waits_and_is_told_who_has_the_lock() {
    let database = database("lock");
    let other = super::steps::database("lock");
    let mut first = open_locked(&database.url()).await;
    let elsewhere = open_locked(&other.url()).await;
    let mut second = Mysql::open(&database.url(), WRITE).await.unwrap();
    let error = second.lock(Duration::from_millis(120)).await.unwrap_err();
    let DatabaseError::Held { holder: Some(holder), .. } = &error else { panic!("{error:?}") };
    assert!(holder.address.as_ref().is_some_and(|address| !address.is_empty()), "{holder:?}");
    // The loser's end gives nobody's lock back.
    second.close().await;
    let mut third = Mysql::open(&database.url(), WRITE).await.unwrap();
    assert!(matches!(third.lock(NOW).await, Err(DatabaseError::Held { .. })));
    apply(&mut first, "1", "CREATE TABLE t (a int);\n").await;
    first.close().await;
    third.lock(Duration::from_secs(10)).await.unwrap();
    elsewhere.close().await;
}

#[tokio::test]
async fn a_lock_ends_with_its_connection_and_its_run_notices() {
    let database = database("killed");
    let mut first = open_locked(&database.url()).await;
    apply(&mut first, "1", "CREATE TABLE t (a int);\n").await;
    kill(&database, "KILL", "TRUE");
    let mut second = Mysql::open(&database.url(), WRITE).await.unwrap();
    second.lock(Duration::from_secs(10)).await.unwrap();
    let error = first.run(&step("2", "CREATE TABLE u (a int);\n"), None, &now).await.unwrap_err();
    assert!(matches!(error, DatabaseError::LockLost { .. }), "{error:?}");
    assert_eq!(database.sql("SHOW TABLES LIKE 'u'"), "");
    drop(second);
    let mut third = Mysql::open(&database.url(), WRITE).await.unwrap();
    third.lock(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_is_lost_within_a_script_stops_it() {
    let database = database("within");
    let mut target = open_locked(&database.url()).await;
    let sql = "CREATE TABLE t (a int);\nSELECT SLEEP(3);\nCREATE TABLE u (a int);\n";
    let script = step("1", sql);
    let killing = async {
        until_runs(&database, "SELECT SLEEP(3)").await;
        kill(&database, "KILL", "COMMAND = 'Sleep'");
    };
    let (outcome, ()) = tokio::join!(target.run(&script, None, &now), killing);
    assert!(matches!(outcome, Err(DatabaseError::History(_))), "{outcome:?}");
    assert_eq!(database.sql("SHOW TABLES LIKE 'u'"), "");
    let mut next = open_locked(&database.url()).await;
    assert_eq!(next.reached(script.id).await.unwrap(), Some(2));
}
