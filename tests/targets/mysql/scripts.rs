//! Scripts and rows as MySQL and MariaDB have them: modes of the server, engines without undo, definitions, routines.

use greffe::database::mysql::Mysql;
use greffe::database::{DatabaseError, Failure, History, RowState, StepOutcome, Target};
use greffe::model::EventKind;
use greffe::ops::now;

use super::steps::{READ, WRITE, apply, database, open, run, step};
use crate::servers::MariaDb;

const TABLE: &str = "CREATE TABLE t (a int PRIMARY KEY, b varchar(20));\n";

#[tokio::test]
async fn both_names_of_the_engine_are_addresses() {
    let database = database("address");
    assert!(Mysql::accepts("mysql://h/d") && Mysql::accepts("mariadb://h/d") && !Mysql::accepts("sqlite:a"));
    let url = database.url().replace("mysql:", "mariadb:");
    Mysql::open(&url, READ).await.unwrap().close().await;
}

#[tokio::test]
async fn who_only_reads_creates_nothing() {
    let database = database("reads");
    let mut target = Mysql::open(&database.url(), READ).await.unwrap();
    assert!(target.history().await.unwrap().is_empty());
    assert!(target.schema().await.unwrap().objects.is_empty());
    target.fingerprint().await.unwrap();
    assert!(target.is_empty().await.unwrap());
    assert_eq!(database.sql("SHOW TABLES"), "");
    assert!(matches!(target.prepare().await, Err(DatabaseError::OwnSchema(_))), "the server refuses");
    assert_eq!(database.sql("SHOW TABLES"), "");
}

#[tokio::test]
async fn text_is_read_as_it_was_written_under_any_mode_of_the_server() {
    let server = MariaDb::own();
    let database = server.database("modes");
    for mode in ["NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT", "ORACLE", ""] {
        database.sql_as(database.administrator(), &format!("SET GLOBAL sql_mode = '{mode}'")).unwrap();
        let mut target = open(&database).await;
        let version = format!("v'{mode}\\\"`\u{1f980}\\");
        let step =
            step(&version, "CREATE TABLE IF NOT EXISTS `a` (a int DEFAULT 1 COMMENT 'it''s \\\\ \"x\"');\n");
        assert_eq!(run(&mut target, &step).await, StepOutcome::Done, "{mode}");
        assert_eq!(target.history().await.unwrap().last().unwrap().version, version);
        assert_eq!(target.unarchived(0, 9).await.unwrap().last().unwrap().up, step.up);
    }
}

#[tokio::test]
async fn a_script_that_only_changes_rows_is_all_or_nothing() {
    let database = database("atomic");
    let mut target = open(&database).await;
    apply(&mut target, "1", TABLE).await;
    let failing = step(
        "2",
        "INSERT INTO t VALUES (1, 'a');\nINSERT INTO t VALUES (2, 'b');\nINSERT INTO t VALUES (1, 'geheim');\n",
    );
    let outcome = run(&mut target, &failing).await;
    let StepOutcome::Failed { failure, statement: 3, partial: false, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(matches!(&failure, Failure::Server { code, .. } if code == "1062/23000"));
    assert!(!format!("{failure} {failure:?}").contains("geheim"));
    assert_eq!(database.sql("SELECT COUNT(*) FROM t"), "0");
    let row = target.history().await.unwrap().remove(1);
    assert_eq!((row.event, row.state), (EventKind::Fail, RowState::Done));
    apply(&mut target, "2", "INSERT INTO t VALUES (1, 'a');\nUPDATE t SET b = 'c';\n").await;
    assert_eq!(database.sql("SELECT b FROM t"), "c");
}

#[tokio::test]
async fn what_a_table_without_undo_keeps_is_said() {
    let database = database("myisam");
    let mut target = open(&database).await;
    apply(&mut target, "1", "CREATE TABLE t (a int PRIMARY KEY) ENGINE = MyISAM;\n").await;
    let failing = step("2", "INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (1);\n");
    let outcome = run(&mut target, &failing).await;
    assert!(matches!(outcome, StepOutcome::Failed { statement: 2, partial: true, .. }), "{outcome:?}");
    let mut failing = step("3", "INSERT INTO t VALUES (2), (1);\n");
    failing.transaction = false;
    let outcome = run(&mut target, &failing).await;
    assert!(matches!(outcome, StepOutcome::Failed { statement: 1, partial: true, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_script_with_definitions_says_what_stayed() {
    let database = database("partial");
    let mut target = open(&database).await;
    let outcome = run(&mut target, &step("1", "CREATE TABLE t (a int);\nCREATE TABLE t (a int);\n")).await;
    assert!(matches!(outcome, StepOutcome::Failed { statement: 2, partial: true, .. }), "{outcome:?}");
    let rows = target.history().await.unwrap();
    assert_eq!((rows[0].event, rows[0].state), (EventKind::Fail, RowState::Partial));
    assert!(History::of(&rows).half_applied.contains_key("1"));
    let record = target.unarchived(0, 9).await.unwrap().remove(0).record.unwrap();
    assert_eq!(
        (record.error.as_ref().unwrap().code.as_str(), record.error.as_ref().unwrap().statement),
        ("1050/42S01", 2)
    );

    let outcome = run(&mut target, &step("2", "CREATE TABLE t (a int);\nCREATE TABLE u (a int);\n")).await;
    assert!(matches!(outcome, StepOutcome::Failed { statement: 1, partial: false, .. }), "{outcome:?}");
    // One of both tables is there, and goes.
    let outcome = run(&mut target, &step("3", "DROP TABLE t, missing;\n")).await;
    assert!(matches!(outcome, StepOutcome::Failed { statement: 1, partial: true, .. }), "{outcome:?}");
    let outcome = run(&mut target, &step("4", "CREAT TABLE t;\n")).await;
    assert!(matches!(outcome, StepOutcome::Failed { statement: 1, partial: false, .. }), "{outcome:?}");
}

#[tokio::test]
async fn routines_and_triggers_are_made_and_used() {
    let database = database("routines");
    let mut target = open(&database).await;
    apply(
        &mut target,
        "1",
        "CREATE TABLE t (a int, b int)\n//\nCREATE PROCEDURE p(IN n int) BEGIN INSERT INTO t VALUES (n, 0); SELECT 'x;y'; END\n//\n\
         CREATE FUNCTION f(n int) RETURNS int DETERMINISTIC BEGIN RETURN n + 1; END\n//\n\
         CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.b = f(NEW.a); END\n//\nCALL p(41)\n//\n",
    )
    .await;
    assert_eq!(database.sql("SELECT a, b FROM t"), "41|42");
    let record = target.unarchived(0, 9).await.unwrap().remove(0).record.unwrap();
    assert_eq!(record.statements.len(), 5);
}

#[tokio::test]
async fn a_script_longer_than_a_message_is_refused_before_anything_runs() {
    let server = MariaDb::own();
    let database = server.database("packet");
    let limit = |value: &str| {
        let set = format!("SET GLOBAL max_allowed_packet = {value}");
        database.sql_as(database.administrator(), &set).unwrap();
    };
    limit("1048576");
    let mut target = open(&database).await;
    limit("16777216");
    let sql = format!("CREATE TABLE t (a longtext);\nINSERT INTO t VALUES ('{}');\n", "x".repeat(1 << 20));
    let error = target.run(&step("1", &sql), None, &now).await.unwrap_err();
    assert!(matches!(error, DatabaseError::TooLong { limit: 1_048_576, .. }), "{error:?}");
    assert!(target.history().await.unwrap().is_empty());
    assert!(target.is_empty().await.unwrap());
    let mut target = open(&database).await;
    apply(&mut target, "1", &sql).await;
    assert_eq!(database.sql("SELECT LENGTH(a) FROM t"), "1048576");
}

#[tokio::test]
async fn no_error_holds_the_password() {
    let database = database("password");
    let password = &database.user().password;
    let wrong = database.url().replace(password, "geheim-falsch");
    let missing = database.url().replace(database.name(), "missing");
    let nowhere = database.url().replace("127.0.0.1:", "127.0.0.1:1");
    for url in [&wrong, &missing, &nowhere, &database.url().replace('/', "")] {
        let error = Mysql::open(url, WRITE).await.err().unwrap();
        let source = std::error::Error::source(&error).map(|source| format!("{source} {source:?}"));
        let text = format!("{error} {error:?} {}", source.unwrap_or_default());
        assert!(!text.contains("geheim"), "{text}");
    }
    let mut target = open(&database).await;
    apply(&mut target, "1", TABLE).await;
    let processes = database.sql_as(database.administrator(), "SHOW FULL PROCESSLIST").unwrap();
    assert!(!processes.contains(password.as_str()), "{processes}");
}
