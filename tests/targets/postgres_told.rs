//! What PostgreSQL's adapter tells of a script that is one message: times of its statements, notices, places of errors.

use greffe::database::postgres::Postgres;
use greffe::database::{Failure, Record, Step, StepOutcome, Target};
use greffe::model::StatementRun;

use crate::adapter::{Adapter, OnPostgres};
use crate::steps::{bare, clock, step};

/// What the history tells of a step that ran last.
async fn told(target: &mut Postgres, step: &Step) -> Record {
    target.run(step, None, &clock).await.unwrap();
    target.unarchived(0, 100).await.unwrap().pop().unwrap().record.unwrap()
}

fn kinds(statements: &[StatementRun]) -> Vec<(&str, u64, Option<u64>)> {
    statements.iter().map(|run| (run.kind.as_str(), run.count, run.rows)).collect()
}

/// The kinds whose statements took a fifth of a second.
fn slow(statements: &[StatementRun]) -> Vec<&str> {
    for run in statements {
        assert!(
            run.duration_us < 100_000 || (200_000..2_000_000).contains(&run.duration_us),
            "{statements:?}"
        );
    }
    statements.iter().filter(|run| run.duration_us >= 200_000).map(|run| run.kind.as_str()).collect()
}

const SLEEP: &str = "SELECT pg_sleep(0.2)";

#[tokio::test]
async fn each_statement_has_its_own_time() {
    let database = OnPostgres::new("times");
    let mut target = database.ready().await;
    let script = step(
        "1",
        &["CREATE TABLE a (x integer)", SLEEP, "INSERT INTO a VALUES (1), (2)", "UPDATE a SET x = 3"],
    );
    let record = told(&mut target, &script).await;
    assert_eq!(
        kinds(&record.statements),
        [("CREATE TABLE", 1, None), ("SELECT", 1, None), ("INSERT", 1, Some(2)), ("UPDATE", 1, Some(2))]
    );
    assert_eq!(slow(&record.statements), ["SELECT"]);
    for (version, parts, wanted) in [
        ("2", &[SLEEP, "INSERT INTO a VALUES (1)"][..], "SELECT"),
        ("3", &["INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (1)", SLEEP], "SELECT"),
        // Rows of the script's own, empty statements, comments and what looks like an end.
        (
            "4",
            &[
                "SELECT x FROM a",
                "INSERT INTO a SELECT 1 FROM (SELECT pg_sleep(0.2)) AS \";\" /* ; */;;-- ;\n",
                "SELECT 1",
            ],
            "INSERT",
        ),
        (
            "5",
            &[
                "SET search_path = ''",
                "SET default_transaction_isolation = serializable",
                "UPDATE public.a SET x = 1",
                SLEEP,
            ],
            "SELECT",
        ),
    ] {
        let record = told(&mut target, &step(version, parts)).await;
        assert_eq!(slow(&record.statements), [wanted], "{version}");
        assert_eq!(record.statements.iter().map(|run| run.count).sum::<u64>(), parts.len() as u64);
    }
    assert_eq!(slow(&told(&mut target, &bare("6", &["DELETE FROM a", SLEEP])).await.statements), ["SELECT"]);
}

#[tokio::test]
async fn a_script_that_a_mark_could_disturb_has_none() {
    let database = OnPostgres::new("unmarked");
    database
        .0
        .sql_as(
            database.0.administrator(),
            "CREATE ROLE nobody_told; GRANT nobody_told TO greffe; \
        REVOKE EXECUTE ON FUNCTION clock_timestamp() FROM PUBLIC",
        )
        .unwrap();
    let mut target = database.ready().await;
    let script =
        step("1", &["CREATE TABLE a (x text)", "INSERT INTO a VALUES (current_query())", "SELECT 1"]);
    assert_eq!(target.run(&script, None, &clock).await.unwrap(), StepOutcome::Done);
    let seen = database.0.sql("SELECT x FROM a");
    assert_eq!(seen.trim(), script.sql.trim());
    let script = step("2", &["CREATE TABLE b (x text)", "SET ROLE nobody_told", "SELECT 1", "RESET ROLE"]);
    assert_eq!(target.run(&script, None, &clock).await.unwrap(), StepOutcome::Done);
    let script = step("3", &["CREATE TABLE c (x text)", "SELECT 1"]);
    assert_eq!(target.run(&script, None, &clock).await.unwrap(), StepOutcome::Done);
    database.0.sql_as(database.0.administrator(), "DROP ROLE nobody_told").unwrap();
}

#[tokio::test]
async fn marks_change_no_place_and_no_number_of_an_error() {
    let database = OnPostgres::new("places");
    let mut target = database.ready().await;
    let script = step("0", &["CREATE TABLE a (x text PRIMARY KEY)"]);
    assert_eq!(target.run(&script, None, &clock).await.unwrap(), StepOutcome::Done);
    let parts = [
        "INSERT INTO a VALUES ('ü')",
        "SELECT 1",
        "UPDATE a SET x = 'é'",
        "DELETE FROM a WHERE z = 1",
        "SELECT 2",
    ];
    let cases = [
        (parts, 4, Some("z = 1")),
        (
            ["INSERT INTO a VALUES ('ü')", "SELECT 1", "UPDATE a SET x = 'é'", "DELETE FORM a", "SELECT 2"],
            4,
            Some("FORM"),
        ),
        (
            ["INSERT INTO a VALUES ('ü')", "SELECT 1 +", "UPDATE a SET x = 'é'", "SELECT 3", "SELECT 2"],
            2,
            Some(";\nUPDATE"),
        ),
        (
            ["INSERT INTO a VALUES ('ü')", "SELECT 1", "INSERT INTO a VALUES ('ü')", "SELECT 3", "SELECT 2"],
            3,
            None,
        ),
        (
            ["INSERT INTO a VALUES ('ü')", "SELECT 1", "UPDATE a SET x = 'é'", "SELECT 3", "SELECT (2"],
            5,
            Some("; CUT"),
        ),
    ];
    for (parts, wanted, near) in cases {
        let step = step("1", &parts);
        let outcome = target.run(&step, None, &clock).await.unwrap();
        let StepOutcome::Failed { failure: Failure::Server { position, .. }, statement, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(statement, wanted, "{parts:?}");
        let place = near.map(|near| match near.strip_suffix(" CUT") {
            Some(_) => step.sql.trim_end().chars().count() as u64,
            None => step.sql.split(near).next().unwrap().chars().count() as u64 + 1,
        });
        assert_eq!(position, place, "{parts:?}");
    }
}

#[tokio::test]
async fn notices_are_counted_and_not_read() {
    let database = OnPostgres::new("notices");
    let mut target = database.ready().await;
    let quiet = told(&mut target, &step("1", &["CREATE TABLE a (x integer)", "SELECT 1"])).await;
    assert_eq!(quiet.notices, Some(0));
    let raise = "DO $$ BEGIN RAISE NOTICE 'geheim'; RAISE WARNING 'geheim'; RAISE INFO 'geheim'; RAISE DEBUG 'x'; END $$";
    let parts = ["DROP TABLE IF EXISTS b", raise, raise, "SELECT 1"];
    let other = OnPostgres::new("notices");
    let mut beside = other.ready().await;
    let (step, silent) = (step("2", &parts), crate::steps::step("2", &["SELECT 1"]));
    let (loud, silent) = tokio::join!(told(&mut target, &step), told(&mut beside, &silent));
    assert_eq!((loud.notices, silent.notices), (Some(7), Some(0)), "each connection has its own");
    assert!(!serde_json::to_string(&loud).unwrap().contains("geheim"));
    assert_eq!(told(&mut target, &bare("3", &[raise, raise])).await.notices, Some(6));
    let failing = told(&mut target, &crate::steps::step("4", &[raise, "SELECT 1 / 0"])).await;
    assert_eq!((failing.notices, failing.error.unwrap().code.as_str()), (Some(3), "22012"));
    let unheard = ["SET client_min_messages = error", raise];
    assert_eq!(
        told(&mut target, &crate::steps::step("5", &unheard)).await.notices,
        Some(1),
        "INFO is always sent"
    );
}
