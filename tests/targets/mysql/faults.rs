//! Connections and servers that end in the middle.

use greffe::database::mysql::Mysql;
use greffe::database::{DatabaseError, Failure, RowState, StepOutcome, Target};
use greffe::model::EventKind;
use greffe::ops::now;

use super::locks::{kill, until_runs};
use super::proxy::{Cut, Proxy};
use super::steps::{WRITE, apply, database, open_locked, run, step};
use crate::servers::{Database, MariaDb};

const TABLES: &str = "CREATE TABLE t (a int);\nCREATE TABLE u (a int);\n";
const ROWS: &str = "INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\n";

fn through(proxy: &Proxy, database: &Database) -> String {
    let port = MariaDb::shared().port();
    database.url().replace(&format!(":{port}/"), &format!(":{}/", proxy.port))
}

#[tokio::test]
async fn a_line_cut_behind_the_outcome_is_read_back() {
    let database = database("behind");
    let proxy = Proxy::to(MariaDb::shared().port());
    for (version, sql, text, cut) in [
        ("1", TABLES, "state = 'done'", Cut::After),
        ("2", "DROP TABLE u;\n", "state = 'done'", Cut::Before),
        ("3", ROWS, "COMMIT", Cut::After),
    ] {
        let mut target = open_locked(&through(&proxy, &database)).await;
        proxy.cut(text, cut);
        apply(&mut target, version, sql).await;
        assert!(proxy.has_cut());
        let row = target.history().await.unwrap().pop().unwrap();
        assert_eq!((row.version.as_str(), row.event, row.state), (version, EventKind::Apply, RowState::Done));
        target.close().await;
    }
    assert_eq!(database.sql("SELECT COUNT(*) FROM t; SELECT COUNT(*) FROM greffe_history"), "2\n3");
}

#[tokio::test]
async fn a_failure_that_is_cut_off_is_written_once() {
    let database = database("failure");
    let proxy = Proxy::to(MariaDb::shared().port());
    let mut target = open_locked(&through(&proxy, &database)).await;
    proxy.cut("event = 'fail'", Cut::After);
    let outcome = run(&mut target, &step("1", "CREATE TABLE t (a int);\nNONSENSE;\n")).await;
    assert!(matches!(outcome, StepOutcome::Failed { statement: 2, partial: true, .. }), "{outcome:?}");
    let rows = target.history().await.unwrap();
    assert_eq!((rows.len(), rows[0].event, rows[0].state), (1, EventKind::Fail, RowState::Partial));
    // The lock went with the line, so nothing more is run.
    let error = target.run(&step("2", TABLES), None, &now).await.unwrap_err();
    assert!(matches!(error, DatabaseError::LockLost { .. }), "{error:?}");
}

#[tokio::test]
async fn a_line_cut_before_the_commit_leaves_the_row_started_and_no_rows() {
    let database = database("before");
    let proxy = Proxy::to(MariaDb::shared().port());
    let mut target = open_locked(&through(&proxy, &database)).await;
    apply(&mut target, "1", TABLES).await;
    for (version, text, cut) in
        [("2", "COMMIT", Cut::Before), ("3", "VALUES (2)", Cut::After), ("4", "VALUES (1)", Cut::Before)]
    {
        let script = step(version, ROWS);
        proxy.cut(text, cut);
        let error = target.run(&script, None, &now).await.unwrap_err();
        assert!(
            matches!(error, DatabaseError::Interrupted { source: Failure::Connection(_), .. }),
            "{error:?}"
        );
        assert_eq!(target.history().await.unwrap().pop().unwrap().state, RowState::Started);
        assert_eq!(database.sql("SELECT COUNT(*) FROM t"), "0");
        target.close_started(script.id, now()).await.unwrap();
    }
}

#[tokio::test]
async fn a_script_whose_connection_is_killed_says_where() {
    let database = database("kill");
    let mut target = open_locked(&database.url()).await;
    let script = step("1", "CREATE TABLE t (a int);\nSELECT SLEEP(20);\nCREATE TABLE u (a int);\n");
    let killing = async {
        until_runs(&database, "SELECT SLEEP(20)").await;
        assert_eq!(database.sql("SELECT state, reached FROM greffe_history"), "started|2");
        kill(&database, "KILL", "COMMAND = 'Query'");
    };
    let (outcome, ()) = tokio::join!(target.run(&script, None, &now), killing);
    let error = outcome.unwrap_err();
    assert!(matches!(error, DatabaseError::Interrupted { statement: 2, .. }), "{error:?}");
    let row = target.history().await.unwrap().pop().unwrap();
    assert_eq!((row.state, row.finished_at), (RowState::Started, None));
    assert_eq!(target.reached(script.id).await.unwrap(), Some(2));
    assert!(target.unarchived(0, 9).await.unwrap().is_empty());

    target.close_started(script.id, now()).await.unwrap();
    target.close_started(script.id, now()).await.unwrap();
    let row = target.history().await.unwrap().pop().unwrap();
    assert_eq!((row.event, row.state), (EventKind::Fail, RowState::Partial));
    let record = target.unarchived(0, 9).await.unwrap().remove(0).record.unwrap();
    let error = record.error.unwrap();
    assert_eq!((error.code.as_str(), error.statement), ("interrupted", 2));
    assert_eq!(record.schema.unwrap().after, Some(target.fingerprint().await.unwrap().1));
    assert_eq!(target.reached(script.id).await.unwrap(), None);
    apply(&mut target, "2", "CREATE TABLE v (a int);\n").await;
}

#[tokio::test]
async fn a_statement_that_is_killed_alone_is_a_failure() {
    let database = database("query");
    let mut target = open_locked(&database.url()).await;
    let script = step("1", "CREATE TABLE t (a int);\nINSERT INTO t SELECT SLEEP(20);\n");
    let killing = async {
        let insert = "INSERT INTO t SELECT SLEEP(20)";
        until_runs(&database, insert).await;
        kill(&database, "KILL QUERY", &format!("INFO = '{insert}'"));
    };
    let (outcome, ()) = tokio::join!(target.run(&script, None, &now), killing);
    let outcome = outcome.unwrap();
    assert!(matches!(outcome, StepOutcome::Failed { statement: 2, partial: true, .. }), "{outcome:?}");
    assert_eq!(database.sql("SELECT COUNT(*) FROM t"), "0");
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_middle_keeps_the_row_and_what_was_reached() {
    let mut server = MariaDb::own();
    let database = server.database("crash");
    let mut target = open_locked(&database.url()).await;
    apply(&mut target, "1", TABLES).await;
    let script = step("2", "INSERT INTO t VALUES (1);\nDROP TABLE u;\nSELECT SLEEP(20);\nDROP TABLE t;\n");
    let killing = async {
        until_runs(&database, "SELECT SLEEP(20)").await;
        server.kill_immediate();
    };
    let (outcome, ()) = tokio::join!(target.run(&script, None, &now), killing);
    let error = outcome.unwrap_err();
    assert!(matches!(error, DatabaseError::Interrupted { statement: 3, .. }), "{error:?}");
    drop(target);
    server.restart();
    let mut target = open_locked(&database.url()).await;
    let row = target.history().await.unwrap().pop().unwrap();
    assert_eq!((row.id, row.state), (script.id, RowState::Started));
    assert_eq!(target.reached(script.id).await.unwrap(), Some(3));
    assert_eq!(database.sql("SELECT a FROM t; SHOW TABLES LIKE 'u'"), "1");
}

#[tokio::test]
async fn a_schema_that_cannot_be_read_afterwards_costs_no_outcome() {
    let database = database("unread");
    let proxy = Proxy::to(MariaDb::shared().port());
    let mut target = open_locked(&through(&proxy, &database)).await;
    proxy.cut("SHOW CREATE TABLE", Cut::Before);
    apply(&mut target, "1", TABLES).await;
    assert!(proxy.has_cut());
    let record = target.unarchived(0, 9).await.unwrap().remove(0).record.unwrap();
    assert_eq!(record.schema.unwrap().after, Some(target.fingerprint().await.unwrap().1));

    target.close().await;
    let hidden = "CREATE PROCEDURE p() SELECT 1";
    let mut target = open_locked(&database.url()).await;
    let mut script = step("2", "CREATE TABLE v (a int);\nSELECT SLEEP(3);\n");
    script.transaction = false;
    let hiding = async {
        until_runs(&database, "SELECT SLEEP(3)").await;
        database.sql_as(database.administrator(), hidden).unwrap();
    };
    let (outcome, ()) = tokio::join!(target.run(&script, None, &now), hiding);
    assert!(matches!(outcome, Err(DatabaseError::Schema(Failure::Driver(_)))), "{outcome:?}");
    let row = target.history().await.unwrap().pop().unwrap();
    assert_eq!((row.event, row.state), (EventKind::Apply, RowState::Done));
    assert_eq!(row.schema, Some(("greffe-mysql-1".to_owned(), None)));
}

#[tokio::test]
async fn scripts_go_on_when_their_connection_ended_between_them() {
    let database = database("between");
    let mut target = open_locked(&database.url()).await;
    apply(&mut target, "1", TABLES).await;
    let own = lock_holder(&database).await;
    kill(&database, "KILL", &format!("ID <> {own}"));
    apply(&mut target, "2", ROWS).await;
    assert_eq!(database.sql("SELECT COUNT(*) FROM t"), "2");
}

/// The session that has the run lock, which who does not get it is told.
async fn lock_holder(database: &Database) -> i64 {
    let mut other = Mysql::open(&database.url(), WRITE).await.unwrap();
    match other.lock(std::time::Duration::ZERO).await {
        Err(DatabaseError::Held { holder: Some(holder), .. }) => holder.session,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_script_that_removes_its_row_is_told() {
    let database = database("gone");
    let mut target = open_locked(&database.url()).await;
    let error = target.run(&step("1", "DELETE FROM greffe_history;\n"), None, &now).await.unwrap_err();
    assert!(matches!(error, DatabaseError::RowGone), "{error:?}");
    let sql = "DELETE FROM greffe_history;\nCREATE TABLE t (a int);\n";
    let error = target.run(&step("2", sql), None, &now).await.unwrap_err();
    assert!(matches!(error, DatabaseError::RowGone), "{error:?}");
}

#[tokio::test]
async fn a_migration_of_greffes_own_that_was_cut_short_is_run_again() {
    let database = database("own");
    let mut target = open_locked(&database.url()).await;
    apply(&mut target, "1", TABLES).await;
    database.sql("UPDATE greffe_migrations SET success = FALSE");
    target.prepare().await.unwrap();
    assert_eq!(target.history().await.unwrap().len(), 1);
    database.sql("UPDATE greffe_migrations SET success = FALSE; DROP TABLE greffe_history");
    target.prepare().await.unwrap();
    assert!(target.history().await.unwrap().is_empty());
    database.sql("UPDATE greffe_migrations SET checksum = 'x'");
    assert!(matches!(target.prepare().await, Err(DatabaseError::OwnSchema(_))));
}
