//! What PostgreSQL's adapter does beyond the contract.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greffe::database::postgres::Postgres;
use greffe::database::{Access, Options};
use greffe::database::{DatabaseError, Failure, RowState, Step, StepOutcome, Target};

use crate::adapter::{Adapter, OnPostgres};
use crate::servers;
use crate::steps::{bare, clock, step};

fn options() -> Options {
    OnPostgres::options(Access::Write)
}

async fn done(target: &mut Postgres, step: &greffe::database::Step) {
    assert_eq!(target.run(step, None, &clock).await.unwrap(), StepOutcome::Done, "{}", step.sql);
}

/// The message and all it comes from, and what debugging shows.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error:?}");
    let mut next = Some(error);
    while let Some(error) = next {
        text.push_str(&format!(" | {error}"));
        next = error.source();
    }
    text
}

#[tokio::test]
async fn urls_and_passwords() {
    assert!(Postgres::accepts("postgres://x") && Postgres::accepts("postgresql:///x"));
    assert!(!Postgres::accepts("sqlite:x") && !Postgres::accepts("postgresx:"));
    let database = OnPostgres::new("password");
    let url = database.0.url();
    let password = &database.0.user().password;
    let wrong = [
        url.replace(&format!("/{}", database.0.name()), "/nowhere"),
        url.replace(&format!(":{}", servers::Postgres::shared().port()), ":1"),
        url.replace("127.0.0.1", "[127.0.0.1"),
        url.replace("greffe:", "other:"),
        format!("{url}?sslmode=require"),
        format!("{url}?sslmode={password}"),
    ];
    for url in wrong {
        let Err(error) = Postgres::open(&url, options()).await else { panic!("{url}") };
        assert!(!whole(&error).contains(password), "{error:?}");
    }
    let mut target = database.ready().await;
    let leak = step(
        "1",
        &[&format!(
            "DO $$ BEGIN RAISE EXCEPTION '{password}' USING DETAIL = '{password}', HINT = '{password}'; END $$"
        )],
    );
    let outcome = target.run(&leak, None, &clock).await.unwrap();
    assert!(!format!("{outcome:?}").contains(password) && format!("{outcome:?}").contains("P0001"));
}

#[tokio::test]
async fn failures_name_objects_and_places_but_no_values() {
    let database = OnPostgres::new("failures");
    let mut target = database.ready().await;
    done(
        &mut target,
        &step("1", &["CREATE TABLE a (x text CONSTRAINT short CHECK (length(x) < 3), y integer UNIQUE)"]),
    )
    .await;
    let cases = [
        ("INSERT INTO a VALUES ('secret')", "23514", Some("constraint short of public.a"), None),
        (
            "INSERT INTO a VALUES ('é', 815), ('b', 815)",
            "23505",
            Some("constraint a_y_key of public.a"),
            None,
        ),
        ("INSERT INTO a SELECT 'é', secret FROM a", "42703", None, Some(58)),
        ("INSERT INTO a VALUES ('é' 'secret'", "42601", None, Some(58)),
    ];
    for (sql, wanted, about, place) in cases {
        let step = step("2", &["INSERT INTO a VALUES ('ü', 1)", sql, "SELECT 1"]);
        let outcome = target.run(&step, None, &clock).await.unwrap();
        let StepOutcome::Failed { failure, statement, .. } = outcome else { panic!("{outcome:?}") };
        assert!(!failure.to_string().contains("secret"), "{failure}");
        let Failure::Server { code, object, position, .. } = failure else { panic!("{failure}") };
        assert_eq!((code.as_str(), object.as_deref()), (wanted, about), "{sql}");
        assert_eq!(statement, 2, "{sql}");
        assert_eq!(position, place, "{sql}");
    }
    assert_eq!(database.0.sql("SELECT count(*) FROM a"), "0");
}

#[tokio::test]
async fn the_holder_of_the_lock_is_told_and_a_lost_lock_stops_the_run() {
    let database = OnPostgres::new("holder");
    let mut first = database.ready().await;
    let Err(DatabaseError::Held { holder: Some(holder), .. }) =
        database.open().await.lock(Duration::ZERO).await
    else {
        panic!("it is held")
    };
    assert_eq!((holder.program.as_deref(), holder.address.as_deref()), (Some("greffe"), Some("127.0.0.1")));
    assert!(holder.since.is_some());
    database.0.sql(&format!("SELECT pg_terminate_backend({})", holder.session));
    let error = first.run(&bare("1", &["CREATE TABLE a (x integer)"]), None, &clock).await.unwrap_err();
    assert!(matches!(error, DatabaseError::LockLost(_)), "{error:?}");
    assert_eq!(database.0.sql("SELECT to_regclass('a')"), "");
    // Its session could still run a script, so the next run waits for its end.
    assert!(matches!(database.open().await.lock(Duration::ZERO).await, Err(DatabaseError::Held { .. })));
    drop(first);
    database.open().await.lock(Duration::from_secs(20)).await.unwrap();
}

/// Ends the session of the run lock, as a network or an administrator may.
fn end_lock(database: &OnPostgres) {
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' \
               AND objid = 1717895168 AND granted \
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(database.0.sql(end), "1");
}

/// Applies what the history lacks, as a run does; gives up where another one is in the way.
async fn run_rest(mut target: Postgres, steps: &[Step]) -> Result<(), DatabaseError> {
    target.lock(Duration::from_secs(20)).await?;
    target.prepare().await?;
    for (index, step) in steps.iter().enumerate() {
        let rows = target.history().await?;
        if rows.iter().any(|row| row.version == step.migration.version) {
            continue;
        }
        let outcome = target.run(step, steps.get(index + 1), &clock).await?;
        assert_eq!(outcome, StepOutcome::Done, "{}", step.sql);
    }
    target.close().await;
    Ok(())
}

async fn until_running(database: &OnPostgres, statement: &str) {
    let running = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
         AND query LIKE '%{statement}%' AND pid <> pg_backend_pid()"
    );
    while database.0.sql(&running) == "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A run whose lock was lost goes on with its script until it looks at the lock again. The session of its scripts
/// holds a lock of its own, so that nobody else comes to run anything before that session is at its end.
#[tokio::test]
async fn a_lock_that_is_lost_within_a_script_lets_nobody_run_anything_twice() {
    let parts = ["INSERT INTO a SELECT count(*) FROM a", "SELECT pg_sleep(1.5)"];
    // A setting makes greffe reset the session, which gives its locks back for a moment.
    let reset = ["INSERT INTO a SELECT count(*) FROM a", "SELECT pg_sleep(1.5)", "SET work_mem = '9MB'"];
    let quick = ["INSERT INTO a SELECT count(*) FROM a", "SELECT pg_sleep(0.3)", "SET work_mem = '9MB'"];
    for (parts, transaction) in [
        (&parts[..], true),
        (&parts, false),
        (&reset, true),
        (&reset, false),
        (&quick, true),
        (&quick, false),
    ] {
        let database = OnPostgres::new("lost_lock");
        database.0.sql("CREATE TABLE a (x bigint PRIMARY KEY)");
        let steps = ["1", "2", "3"].map(|version| Step { transaction, ..step(version, parts) });
        let (first, second) = (database.open().await, database.open().await);
        let interfering = async {
            until_running(&database, "pg_sleep").await;
            end_lock(&database);
            run_rest(second, &steps).await
        };
        let (first, second) = tokio::join!(run_rest(first, &steps), interfering);
        let case = format!("{parts:?} in a transaction: {transaction}: {first:?} {second:?}");
        // What was cut short outside a transaction is told as such by the next run.
        let open = database.0.sql("SELECT count(*) FROM greffe.history WHERE state = 'started'");
        assert!(second.is_ok() || !transaction, "{case}");
        run_rest(database.open().await, &steps).await.unwrap();
        assert_eq!(database.0.sql("SELECT count(*) FROM a"), "3", "{case}");
        assert_eq!(
            database.0.sql("SELECT count(*), count(DISTINCT version) FROM greffe.history"),
            "3|3",
            "{case}"
        );
        assert!(open == "0" || !transaction, "{case}");
    }
}

#[tokio::test]
async fn a_script_may_change_role_path_encoding_and_settings() {
    let database = OnPostgres::new("session");
    let admin = database.0.administrator();
    database.0.sql_as(admin, "CREATE ROLE session_other; GRANT session_other TO greffe; GRANT CREATE, USAGE ON SCHEMA public TO session_other").unwrap();
    let mut target = database.ready().await;
    let disturbing = step(
        "1",
        &[
            "CREATE SCHEMA away",
            "SET search_path = away",
            "SET standard_conforming_strings = off",
            "SET client_encoding = 'LATIN1'",
            "SET default_transaction_read_only = off",
            "CREATE TABLE here (x integer)",
            "SET ROLE session_other",
            "CREATE TABLE public.other (x integer)",
            "SET LOCAL synchronous_commit = off",
            "SET LOCAL quote_all_identifiers = on",
        ],
    );
    let next = step(
        "2",
        &["CREATE TABLE there (x integer)", "INSERT INTO away.here SELECT 1 WHERE current_user = 'greffe'"],
    );
    assert_eq!(target.run(&disturbing, Some(&next), &clock).await.unwrap(), StepOutcome::Done);
    done(&mut target, &next).await;
    // A function may do the same unseen.
    let sneaky = step(
        "3",
        &[
            "CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN SET search_path = away; RETURN NEW; END'",
            "CREATE TRIGGER moves BEFORE INSERT ON there FOR EACH ROW EXECUTE FUNCTION move()",
            "INSERT INTO there VALUES (1)",
        ],
    );
    let next = step("4", &["CREATE TABLE last (x integer)"]);
    assert_eq!(target.run(&sneaky, Some(&next), &clock).await.unwrap(), StepOutcome::Done);
    done(&mut target, &next).await;
    let places = "SELECT string_agg(relname || ' ' || relnamespace::regnamespace || ' ' || pg_get_userbyid(relowner), ', ' ORDER BY relname) \
                  FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'away')";
    assert_eq!(
        database.0.sql(places),
        "here away greffe, last public greffe, other public session_other, there public greffe"
    );
    assert_eq!(database.0.sql("SELECT count(*) FROM away.here"), "1");
    let rows = target.unarchived(0, 10).await.unwrap();
    assert!(
        rows.iter()
            .all(|row| row.row.state == RowState::Done && row.row.name.as_deref() == Some("it's a \\ nämé"))
    );
    database.0.sql_as(admin, "DROP OWNED BY session_other; DROP ROLE session_other").unwrap();
}

#[tokio::test]
async fn a_script_that_ends_its_transaction_is_told_of_and_its_row_stays() {
    for ending in [
        "COMMIT",
        "ROLLBACK",
        "COMMIT; BEGIN",
        "ROLLBACK; BEGIN",
        "DELETE FROM greffe.history; COMMIT; BEGIN",
    ] {
        let database = OnPostgres::new("ended");
        let mut target = database.ready().await;
        let step = step("1", &["CREATE TABLE a (x integer)", ending, "CREATE TABLE b (x integer)"]);
        let error = target.run(&step, None, &clock).await.unwrap_err();
        assert!(matches!(error, DatabaseError::TransactionEnded), "{ending}: {error:?}");
        let rows = target.history().await.unwrap();
        assert_eq!((rows.len(), rows[0].state, rows[0].id), (1, RowState::Started, step.id), "{ending}");
        target.close_started(step.id, clock()).await.unwrap();
    }
}

#[tokio::test]
async fn data_from_the_client_is_refused() {
    let database = OnPostgres::new("copy");
    let mut target = database.ready().await;
    for step in [
        step("1", &["CREATE TABLE a (x integer)", "COPY a FROM STDIN"]),
        bare("2", &["COPY pg_class FROM STDIN"]),
        step("3", &["COPY pg_class TO STDOUT"]),
    ] {
        let outcome = target.run(&step, None, &clock).await.unwrap();
        assert!(matches!(outcome, StepOutcome::Failed { .. }), "{outcome:?}");
    }
    assert_eq!(database.0.sql("SELECT to_regclass('a')"), "");
    done(&mut target, &step("4", &["CREATE TABLE a (x integer)"])).await;
}

#[tokio::test]
async fn a_connection_that_ends_within_a_script_repeats_nothing() {
    let database = OnPostgres::new("cut");
    let mut target = database.ready().await;
    let cut = step("1", &["CREATE TABLE a (x integer)", "SELECT pg_terminate_backend(pg_backend_pid())"]);
    let error = target.run(&cut, None, &clock).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Lost(Failure::Connection(_))), "{error:?}");
    assert_eq!(database.0.sql("SELECT count(*) FROM greffe.history"), "0");
    drop(target);
    let mut target = database.open().await;
    target.lock(Duration::from_secs(20)).await.unwrap();
    let cut = bare(
        "1",
        &[
            "CREATE TABLE a (x integer)",
            "CREATE TABLE b (x integer)",
            "SELECT pg_terminate_backend(pg_backend_pid())",
        ],
    );
    target.run(&cut, None, &clock).await.unwrap_err();
    assert_eq!(database.0.sql("SELECT state || ' ' || reached FROM greffe.history"), "started 3");
}

#[tokio::test]
async fn invalid_indexes_are_named() {
    let database = OnPostgres::new("invalid");
    let mut target = database.ready().await;
    done(&mut target, &step("1", &["CREATE TABLE a (x integer)", "INSERT INTO a VALUES (1), (1)"])).await;
    let broken = bare("2", &["CREATE UNIQUE INDEX CONCURRENTLY \"A x\" ON a (x)"]);
    let outcome = target.run(&broken, None, &clock).await.unwrap();
    let StepOutcome::Failed { partial: true, leftovers, statement: 1, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(leftovers, ["invalid index public.\"A x\""]);
    done(
        &mut target,
        &bare("3", &["DROP INDEX CONCURRENTLY \"A x\"", "CREATE INDEX CONCURRENTLY ax ON a (x)"]),
    )
    .await;
}

#[tokio::test]
async fn timeouts_hold_for_scripts() {
    let database = OnPostgres::new("timeout");
    let options = Options { statement_timeout: Some(Duration::from_millis(80)), ..options() };
    let mut target = Postgres::open(&database.0.url(), options).await.unwrap();
    target.lock(Duration::ZERO).await.unwrap();
    target.prepare().await.unwrap();
    for step in [step("1", &["SELECT 1"]), step("2", &["SELECT pg_sleep(20)"])] {
        let outcome = target.run(&step, None, &clock).await.unwrap();
        let slow = step.sql.contains("sleep");
        assert_eq!(
            matches!(outcome, StepOutcome::Failed { failure: Failure::Server { ref code, .. }, .. } if code == "57014"),
            slow
        );
    }
}

#[tokio::test]
async fn a_scratch_database_comes_and_goes() {
    let database = OnPostgres::new("scratch");
    let mighty = database.0.url_as(database.0.administrator());
    let refused = Postgres::create_scratch(&mighty, options()).await;
    assert!(matches!(refused, Err(DatabaseError::TooPowerful { .. })));
    let url = database.0.url_as(&database.0.replayer());
    let count = "SELECT count(*) FROM pg_database WHERE datname LIKE 'greffe_replay%'";
    let mut scratch = Postgres::create_scratch(&url, options()).await.unwrap();
    assert!(scratch.is_empty().await.unwrap());
    scratch.lock(Duration::ZERO).await.unwrap();
    scratch.prepare().await.unwrap();
    assert!(scratch.is_empty().await.unwrap());
    done(&mut scratch, &step("1", &["CREATE TYPE mood AS ENUM ('good')"])).await;
    assert!(!scratch.is_empty().await.unwrap());
    assert_eq!(database.0.sql(count), "1");
    scratch.drop_scratch().await.unwrap();
    assert_eq!(database.0.sql(count), "0");
}

#[tokio::test]
async fn operators_of_others_do_not_hide_rows() {
    let database = OnPostgres::new("operators");
    let mut target = database.ready().await;
    done(&mut target, &step("1", &["CREATE TABLE a (x integer)"])).await;
    target.close().await;
    let hide = format!(
        "CREATE SCHEMA evil; \
         CREATE FUNCTION evil.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false'; \
         CREATE OPERATOR evil.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never); \
         CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never); \
         ALTER DATABASE {} SET search_path = evil, public, pg_catalog",
        database.0.name()
    );
    database.0.sql(&hide);
    let mut target = database.ready().await;
    assert_eq!(target.history().await.unwrap().len(), 1);
    assert_eq!(target.unarchived(0, 9).await.unwrap().len(), 1);
    done(&mut target, &step("2", &["CREATE TABLE b (x integer)"])).await;
    assert_eq!(target.unarchived(0, 9).await.unwrap().len(), 2);
}

/// A way to a server that can swallow what it answers.
struct Proxy {
    port: u16,
    /// Swallow the answer to the next message with a COMMIT, then end the connection.
    armed: Arc<AtomicBool>,
}

impl Proxy {
    fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let armed = Arc::new(AtomicBool::new(false));
        let arm = armed.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", server)).unwrap());
                let arm = arm.clone();
                std::thread::spawn(move || Self::forward(&client, &server, &arm));
            }
        });
        Self { port, armed }
    }

    fn forward(client: &TcpStream, server: &TcpStream, armed: &Arc<AtomicBool>) {
        let swallow = Arc::new(AtomicBool::new(false));
        let (mut from, mut to, swallows) =
            (server.try_clone().unwrap(), client.try_clone().unwrap(), swallow.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                // The answer is there, so the server has done it.
                if swallows.load(Ordering::SeqCst) || to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
        });
        let (mut from, mut to) = (client, server);
        let mut buffer = [0; 65536];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let commits = buffer[..read].windows(6).any(|bytes| bytes == b"COMMIT");
            if commits && armed.swap(false, Ordering::SeqCst) {
                swallow.store(true, Ordering::SeqCst);
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_commit_is_found_out() {
    let database = OnPostgres::new("answer");
    let port = servers::Postgres::shared().port();
    let proxy = Proxy::to(port);
    let url = database.0.url().replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
    let mut target = Postgres::open(&url, options()).await.unwrap();
    target.lock(Duration::ZERO).await.unwrap();
    target.prepare().await.unwrap();
    done(&mut target, &step("1", &["CREATE TABLE a (x integer)"])).await;
    proxy.armed.store(true, Ordering::SeqCst);
    let [second, third] =
        [step("2", &["INSERT INTO a VALUES (1)"]), step("3", &["INSERT INTO a VALUES (2)"])];
    assert_eq!(target.run(&second, Some(&third), &clock).await.unwrap(), StepOutcome::Done);
    assert!(!proxy.armed.load(Ordering::SeqCst));
    done(&mut target, &third).await;
    assert_eq!(database.0.sql("SELECT string_agg(x::text, ' ') FROM a"), "1 2");
    // A deferred constraint fails the COMMIT whose answer is lost.
    done(
        &mut target,
        &step(
            "4",
            &[
                "CREATE TABLE k (x integer PRIMARY KEY)",
                "CREATE TABLE r (x integer REFERENCES k DEFERRABLE INITIALLY DEFERRED)",
            ],
        ),
    )
    .await;
    proxy.armed.store(true, Ordering::SeqCst);
    let error = target.run(&step("5", &["INSERT INTO r VALUES (1)"]), None, &clock).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Lost(_)), "{error:?}");
    assert_eq!(target.history().await.unwrap().len(), 4);
}
