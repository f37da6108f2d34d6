//! What a script does to its session reaches neither the history nor the next script.

use std::time::{Duration, Instant};

use greffe::database::Options;
use greffe::database::mysql::Mysql;
use greffe::database::{Failure, StepOutcome, Target};

use super::locks::until_runs;
use super::steps::{WRITE, apply, database, open, open_locked, run, step};

#[tokio::test]
async fn the_next_script_finds_the_session_as_it_was() {
    let database = database("sessions");
    let mut target = open_locked(&database.url()).await;
    apply(&mut target, "1", "CREATE TABLE t (a varchar(99));\n").await;
    for (version, sql) in [
        ("2", "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES';\nINSERT INTO t VALUES ('a\\');\n"),
        ("3", "SET @x = 1;\nCREATE TEMPORARY TABLE u (a int);\n"),
        ("4", "USE information_schema;\nSELECT 1 FROM TABLES;\n"),
        ("5", "SET NAMES latin1;\nSET time_zone = '+05:00';\n"),
        ("6", "LOCK TABLES t WRITE;\nINSERT INTO t VALUES ('b');\nINSERT INTO t VALUES ('c');\n"),
        ("7", "SET SESSION TRANSACTION READ ONLY;\nSELECT 1;\n"),
        ("8", "PREPARE s FROM 'SELECT 1';\nEXECUTE s;\n"),
        ("9", "SELECT GET_LOCK('x', 0);\nSELECT 1;\n"),
    ] {
        apply(&mut target, version, sql).await;
        let found = "INSERT INTO t SELECT CONCAT_WS('|', @@sql_mode NOT LIKE '%ANSI%', IFNULL(@x, 'none'), DATABASE(), \
                     @@time_zone, @@character_set_client, \"it's\")";
        apply(&mut target, &format!("{version}.1"), found).await;
        let expected = format!("1|none|{}|+00:00|utf8mb4|it's", database.name());
        assert_eq!(database.sql(&format!("SELECT COUNT(*) FROM t WHERE a = \"{expected}\"")), "1", "{sql}");
        database.sql("DELETE FROM t");
        assert_eq!(database.sql("SELECT COUNT(*) FROM greffe_history WHERE state <> 'done'"), "0");
    }
    assert_eq!(run(&mut target, &step("x", "SELECT * FROM u;\n")).await, missing(1));
    assert_eq!(run(&mut target, &step("y", "EXECUTE s;\n")).await, unknown_statement());
}

fn missing(statement: u64) -> StepOutcome {
    let failure = Failure::Server {
        code: "1146/42S02".to_owned(),
        hint: Some("there is no such table"),
        object: None,
        position: None,
    };
    StepOutcome::Failed { failure, statement, partial: true, leftovers: Vec::new() }
}

fn unknown_statement() -> StepOutcome {
    let failure = Failure::Server { code: "1243/HY000".to_owned(), hint: None, object: None, position: None };
    StepOutcome::Failed { failure, statement: 1, partial: true, leftovers: Vec::new() }
}

#[tokio::test]
async fn a_transaction_that_a_script_left_open_is_rolled_back_and_said() {
    let database = database("open");
    let mut target = open_locked(&database.url()).await;
    apply(&mut target, "1", "CREATE TABLE t (a int);\n").await;
    for (version, sql) in [
        ("2", "BEGIN;\nINSERT INTO t VALUES (1);\n"),
        ("3", "SET autocommit = 0;\nINSERT INTO t VALUES (1);\n"),
    ] {
        let mut step = step(version, sql);
        step.transaction = false;
        let outcome = run(&mut target, &step).await;
        assert!(
            matches!(
                outcome,
                StepOutcome::Failed { failure: Failure::Driver(_), statement: 2, partial: true, .. }
            ),
            "{outcome:?}"
        );
        assert_eq!(database.sql("SELECT COUNT(*) FROM t"), "0");
    }
    apply(&mut target, "4", "BEGIN;\nINSERT INTO t VALUES (1);\nCOMMIT;\n").await;
    assert_eq!(database.sql("SELECT a FROM t"), "1");
}

#[tokio::test]
async fn statements_wait_and_run_only_as_long_as_they_may() {
    let database = database("limits");
    let limit = |seconds| Some(Duration::from_secs(seconds));
    let options = Options { lock_timeout: limit(1), statement_timeout: limit(2), ..WRITE };
    open(&database).await.close().await;
    let mut target = Mysql::open(&database.url(), options).await.unwrap();
    apply(&mut target, "1", "CREATE TABLE t (a int PRIMARY KEY);\nINSERT INTO t VALUES (1);\n").await;
    let begin = Instant::now();
    let outcome = run(&mut target, &step("2", "SELECT SLEEP(30);\n")).await;
    assert!(
        matches!(&outcome, StepOutcome::Failed { failure: Failure::Server { code, .. }, .. } if code.starts_with("1969/")),
        "{outcome:?}"
    );

    let mut other = open(&database).await;
    let mut holding = step("3", "START TRANSACTION;\nUPDATE t SET a = 2;\nSELECT SLEEP(3);\nCOMMIT;\n");
    holding.transaction = false;
    let held = run(&mut other, &holding);
    let waiting = async {
        until_runs(&database, "SELECT SLEEP(3)").await;
        let mut alter = step("4", "ALTER TABLE t ADD b int;\n");
        alter.record.schema = None;
        target.history().await.unwrap();
        run(&mut target, &alter).await
    };
    let (held, waited) = tokio::join!(held, waiting);
    assert_eq!(held, StepOutcome::Done);
    assert!(
        matches!(&waited, StepOutcome::Failed { failure: Failure::Server { code, .. }, partial: false, .. } if code.starts_with("1205/")),
        "{waited:?}"
    );
    assert!(begin.elapsed() < Duration::from_secs(25));
}
