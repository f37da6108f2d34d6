//! The contract of [`Target`], held by every adapter.

use std::time::Duration;

use greffe::database::{
    DatabaseError, Declaration, Failure, History, HistoryRow, Place, RowState, ScriptFile, StepOutcome,
    Target,
};
use greffe::model::{Cid, Codec, Direction, EventKind, FileDigests};

use crate::adapter::{Adapter, OnMariaDb, OnPostgres, OnSqlite};
use crate::steps::{bare, clock, declaration, step};

/// Runs each contract on an adapter.
macro_rules! contracts {
    ($module:ident, $adapter:ty: $($name:ident),+ $(,)?) => {
        mod $module {
            $(#[tokio::test] async fn $name() { super::$name::<$adapter>().await; })+
        }
    };
}

/// Runs each contract on every adapter.
macro_rules! of_all {
    ($($name:ident),+ $(,)?) => {
        contracts!(on_sqlite, crate::contract::OnSqlite: a_deferred_constraint_is_the_scripts_failure, $($name),+);
        contracts!(on_postgres, crate::contract::OnPostgres: a_deferred_constraint_is_the_scripts_failure, $($name),+);
        // It has no deferred constraints.
        contracts!(on_mariadb, crate::contract::OnMariaDb: $($name),+);
    };
}

of_all!(
    the_identity_is_the_servers_own,
    script_and_row_are_one_transaction,
    definitions_are_undone_or_the_row_says_what_stayed,
    steps_follow_each_other,
    a_step_that_was_begun_ahead_can_stay_away,
    outside_a_transaction_the_row_is_there_first,
    a_row_that_a_crash_left_is_closed,
    rows_are_archived,
    declarations_are_all_or_none,
    the_lock_excludes_and_is_given_back,
    reading_creates_nothing,
    what_a_script_sets_for_itself_ends_with_it,
    a_script_cannot_remove_its_row,
    others_who_write_the_history_are_noticed,
    fingerprints_follow_the_schema,
);

async fn rows(target: &mut impl Target) -> Vec<HistoryRow> {
    target.history().await.unwrap()
}

async fn done(target: &mut impl Target, step: &greffe::database::Step) {
    let outcome = target.run(step, None, &clock).await.unwrap();
    assert_eq!(outcome, StepOutcome::Done, "{}", step.sql);
}

async fn the_identity_is_the_servers_own<A: Adapter>() {
    let database = A::new("identity");
    let identity = database.open().await.identity();
    assert_eq!(identity.engine, A::ENGINE);
    let version = database.sql(A::VERSION).await.unwrap();
    assert_eq!(version.split(' ').next().unwrap(), identity.version.split(' ').next().unwrap());
}

async fn script_and_row_are_one_transaction<A: Adapter>() {
    let database = A::new("atomic");
    let mut target = database.ready().await;
    let parts = [
        "CREATE TABLE a (x integer PRIMARY KEY, y integer)",
        "INSERT INTO a VALUES (1, 0), (2, 0)",
        "INSERT INTO a VALUES (3, 0)",
        "UPDATE a SET y = 1",
    ];
    let first = step("1", &parts);
    done(&mut target, &first).await;
    // Rows alone are taken back on every engine.
    let failing = step(
        "2",
        &["INSERT INTO a VALUES (4, 0)", "INSERT INTO a VALUES (1, 0)", "INSERT INTO a VALUES (5, 0)"],
    );
    let outcome = target.run(&failing, None, &clock).await.unwrap();
    let StepOutcome::Failed { failure: Failure::Server { code, .. }, statement: 2, partial: false, .. } =
        outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(database.sql("SELECT count(*) FROM a").await.unwrap(), "3");
    let rows = rows(&mut target).await;
    let events: Vec<_> = rows.iter().map(|row| (row.position, row.event, row.state, row.id)).collect();
    assert_eq!(
        events,
        [(1, EventKind::Apply, RowState::Done, first.id), (2, EventKind::Fail, RowState::Done, failing.id)]
    );
    let unarchived = target.unarchived(0, 10).await.unwrap();
    let [ok, failed] = &unarchived[..] else { panic!("{unarchived:?}") };
    let (record, row) = (ok.record.as_ref().unwrap(), &ok.row);
    let counts: Vec<_> =
        record.statements.iter().map(|run| (run.kind.as_str(), run.count, run.rows)).collect();
    assert_eq!(counts, [("CREATE TABLE", 1, None), ("INSERT", 2, Some(3)), ("UPDATE", 1, Some(3))]);
    assert_eq!((ok.up.as_ref(), ok.down.as_ref()), (first.up.as_ref(), first.down.as_ref()));
    assert_eq!((row.version.as_str(), row.name.as_deref()), ("1", Some("it's a \\ nämé")));
    assert_eq!((row.direction, row.up.as_ref()), (Direction::Up, digests(first.up.as_ref()).as_ref()));
    assert_eq!(record.actor, first.record.actor);
    assert!(row.finished_at.unwrap() > row.started_at);
    let error = failed.record.as_ref().unwrap().error.as_ref().unwrap();
    assert_eq!((&error.code, error.statement), (&code, 2));
    let (before, after) =
        (record.schema.as_ref().unwrap(), failed.record.as_ref().unwrap().schema.as_ref().unwrap());
    assert_eq!((before.after, before.after), (after.before, after.after));
    assert_ne!(before.before, before.after);
    assert_eq!(before.after, Some(target.fingerprint().await.unwrap().1));
}

fn digests(file: Option<&ScriptFile>) -> Option<FileDigests> {
    file.map(|file| FileDigests::of(&file.bytes))
}

async fn definitions_are_undone_or_the_row_says_what_stayed<A: Adapter>() {
    let database = A::new("definitions");
    let mut target = database.ready().await;
    done(&mut target, &step("1", &["CREATE TABLE a (x integer PRIMARY KEY)", "INSERT INTO a VALUES (1)"]))
        .await;
    let failing =
        step("2", &["CREATE TABLE b (x integer)", "INSERT INTO a VALUES (1)", "CREATE TABLE c (x integer)"]);
    let outcome = target.run(&failing, None, &clock).await.unwrap();
    let StepOutcome::Failed { statement: 2, partial, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(partial, !A::DEFINITIONS_ROLL_BACK);
    assert_eq!(database.sql("INSERT INTO b VALUES (1)").await.is_ok(), partial);
    assert!(database.sql("INSERT INTO c VALUES (1)").await.is_err());
    let row = rows(&mut target).await.remove(1);
    let state = if partial { RowState::Partial } else { RowState::Done };
    assert_eq!((row.event, row.state), (EventKind::Fail, state));
    assert_eq!(History::of(&[row]).half_applied.contains_key("2"), partial);
    let record = target.unarchived(0, 10).await.unwrap().remove(1).record.unwrap();
    let schema = record.schema.unwrap();
    assert_eq!(schema.before != schema.after, partial);
    assert_eq!(schema.after, Some(target.fingerprint().await.unwrap().1));
}

async fn steps_follow_each_other<A: Adapter>() {
    let database = A::new("following");
    let mut target = database.ready().await;
    let steps: Vec<_> =
        (1..=5).map(|n| step(&n.to_string(), &[&format!("CREATE TABLE t{n} (x integer)")])).collect();
    for (index, step) in steps.iter().enumerate() {
        let outcome = target.run(step, steps.get(index + 1), &clock).await.unwrap();
        assert_eq!(outcome, StepOutcome::Done);
    }
    let rows = rows(&mut target).await;
    assert_eq!(
        rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        steps.iter().map(|step| step.id).collect::<Vec<_>>()
    );
    assert!(rows.iter().all(|row| row.state == RowState::Done));
    let fresh = database.open_to_read().await.unwrap().fingerprint().await.unwrap();
    assert_eq!(History::of(&rows).schema.unwrap().1, fresh.1);
}

async fn a_step_that_was_begun_ahead_can_stay_away<A: Adapter>() {
    let database = A::new("ahead");
    let mut target = database.ready().await;
    let [first, second, other] =
        ["1", "2", "3"].map(|n| step(n, &[&format!("CREATE TABLE t{n} (x integer)")]));
    target.run(&first, Some(&second), &clock).await.unwrap();
    assert_eq!(rows(&mut target).await.len(), 1);
    target.run(&other, Some(&second), &clock).await.unwrap();
    assert_eq!(rows(&mut target).await.len(), 2);
    let bare = bare("4", &["CREATE TABLE t4 (x integer)"]);
    done(&mut target, &bare).await;
    let ids: Vec<_> = rows(&mut target).await.iter().map(|row| row.id).collect();
    assert_eq!(ids, [first.id, other.id, bare.id]);
}

async fn a_deferred_constraint_is_the_scripts_failure<A: Adapter>() {
    let database = A::new("deferred");
    let mut target = database.ready().await;
    done(
        &mut target,
        &step(
            "1",
            &[
                "CREATE TABLE a (x integer PRIMARY KEY)",
                "CREATE TABLE b (x integer REFERENCES a (x) DEFERRABLE INITIALLY DEFERRED)",
            ],
        ),
    )
    .await;
    let broken = step("2", &["INSERT INTO b VALUES (7)", "CREATE TABLE c (x integer)"]);
    let outcome = target.run(&broken, None, &clock).await.unwrap();
    assert!(matches!(outcome, StepOutcome::Failed { statement: 2, partial: false, .. }), "{outcome:?}");
    assert!(database.sql("INSERT INTO c VALUES (1)").await.is_err());
    assert_eq!(rows(&mut target).await[1].event, EventKind::Fail);
    done(&mut target, &step("3", &["INSERT INTO a VALUES (7)", "INSERT INTO b VALUES (7)"])).await;
}

async fn outside_a_transaction_the_row_is_there_first<A: Adapter>() {
    let database = A::new("bare");
    let mut target = database.ready().await;
    // What a statement sees is what a crash would leave.
    let seen = format!("INSERT INTO seen SELECT state FROM {}", A::HISTORY);
    done(&mut target, &bare("1", &["CREATE TABLE seen (state varchar(20) NOT NULL UNIQUE)", &seen])).await;
    database.sql("INSERT INTO seen VALUES ('done')").await.unwrap();
    assert!(database.sql("INSERT INTO seen VALUES ('started')").await.is_err());
    let failing = bare(
        "2",
        &["CREATE TABLE kept (x integer)", "INSERT INTO seen VALUES (NULL)", "CREATE TABLE c (x integer)"],
    );
    let outcome = target.run(&failing, None, &clock).await.unwrap();
    assert!(matches!(outcome, StepOutcome::Failed { statement: 2, partial: true, .. }), "{outcome:?}");
    database.sql("INSERT INTO kept VALUES (1)").await.unwrap();
    let whole = bare("3", &["INSERT INTO seen VALUES (NULL)"]);
    let outcome = target.run(&whole, None, &clock).await.unwrap();
    assert!(matches!(outcome, StepOutcome::Failed { statement: 1, partial: false, .. }), "{outcome:?}");
    let open = bare("4", &["BEGIN", "INSERT INTO seen VALUES ('gone')"]);
    let outcome = target.run(&open, None, &clock).await.unwrap();
    assert!(matches!(outcome, StepOutcome::Failed { .. }), "{outcome:?}");
    assert_eq!(database.sql("SELECT count(*) FROM seen WHERE state = 'gone'").await.unwrap(), "0");
    let states: Vec<_> = rows(&mut target).await.iter().map(|row| row.state).collect();
    assert_eq!(states, [RowState::Done, RowState::Partial, RowState::Done, RowState::Partial]);
}

async fn a_row_that_a_crash_left_is_closed<A: Adapter>() {
    let database = A::new("started");
    let mut target = database.ready().await;
    let step = bare("1", &["CREATE TABLE a (x integer)"]);
    done(&mut target, &step).await;
    let crashed = format!("UPDATE {} SET state = 'started', finished_at = NULL", A::HISTORY);
    database.sql(&crashed).await.unwrap();
    assert_eq!(target.unarchived(0, 10).await.unwrap().len(), 0);
    target.close_started(step.id, clock()).await.unwrap();
    let row = rows(&mut target).await.remove(0);
    assert_eq!((row.event, row.state), (EventKind::Fail, RowState::Partial));
    assert_eq!(row.schema.unwrap().1, Some(target.fingerprint().await.unwrap().1));
}

async fn rows_are_archived<A: Adapter>() {
    let database = A::new("archived");
    let mut target = database.ready().await;
    let declarations: Vec<_> = (1..=3).map(|n| with_script(declaration(&n.to_string()))).collect();
    target.declare(&declarations, clock()).await.unwrap();
    let batch = target.unarchived(1, 1).await.unwrap();
    assert_eq!(batch[0].row.id, declarations[1].id);
    let cid = |text: &[u8]| Cid::of(Codec::DagCbor, text);
    let places: Vec<_> = declarations[..2]
        .iter()
        .zip(5..)
        .map(|(declaration, seq)| Place { id: declaration.id, seq, manifest: cid(b"m"), trust: cid(b"t") })
        .collect();
    target.mark_archived(&[]).await.unwrap();
    target.mark_archived(&places).await.unwrap();
    let left = target.unarchived(0, 10).await.unwrap();
    assert_eq!(left.iter().map(|left| left.row.id).collect::<Vec<_>>(), [declarations[2].id]);
    let rows = rows(&mut target).await;
    assert_eq!((rows[1].archived, rows[1].trust), (Some((6, cid(b"m"))), Some(cid(b"t"))));
    assert_eq!(rows[1].up, digests(declarations[1].up.as_ref()));
    // What was kept to be archived is gone.
    let kept =
        format!("SELECT count(*) FROM {} WHERE record IS NOT NULL OR up_script IS NOT NULL", A::HISTORY);
    assert_eq!(database.sql(&kept).await.unwrap(), "1");
}

fn with_script(declaration: Declaration) -> Declaration {
    let file = ScriptFile { file_name: "1_a.up.sql".to_owned(), bytes: vec![b'a'; 200_000] };
    Declaration { up: Some(file), ..declaration }
}

async fn declarations_are_all_or_none<A: Adapter>() {
    let database = A::new("declared");
    let mut target = database.ready().await;
    let (first, second) = (with_script(declaration("1")), with_script(declaration("2")));
    target.declare(std::slice::from_ref(&first), clock()).await.unwrap();
    let error = target.declare(&[second.clone(), first], clock()).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Concurrent | DatabaseError::History(_)), "{error:?}");
    assert_eq!(rows(&mut target).await.len(), 1);
    target.declare(&[second, declaration("")], clock()).await.unwrap();
    done(&mut target, &step("3", &["CREATE TABLE a (x integer)"])).await;
    let rows = rows(&mut target).await;
    assert_eq!(rows.iter().map(|row| row.position).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

async fn the_lock_excludes_and_is_given_back<A: Adapter>() {
    let database = A::new("lock");
    let first = database.ready().await;
    let mut second = database.open().await;
    let error = second.lock(Duration::from_millis(60)).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Locked { .. } | DatabaseError::Held { .. }), "{error:?}");
    first.close().await;
    second.lock(Duration::from_secs(20)).await.unwrap();
    let mut third = database.open().await;
    third.lock(Duration::ZERO).await.unwrap_err();
    drop(second);
    third.lock(Duration::from_secs(20)).await.unwrap();
}

async fn reading_creates_nothing<A: Adapter>() {
    let database = A::new("read");
    // A file without anything is no database yet.
    database.sql("CREATE TABLE a (x integer)").await.unwrap();
    let mut target = database.open_to_read().await.unwrap();
    assert_eq!(rows(&mut target).await, []);
    let schema = target.schema().await.unwrap();
    assert_eq!(target.fingerprint().await.unwrap(), (schema.algorithm, schema.digest));
    assert!(schema.objects.keys().any(|name| name.name.ends_with('a') && name.kind == "table"));
    assert!(target.prepare().await.is_err());
    assert!(target.declare(&[declaration("1")], clock()).await.is_err());
    drop(target);
    let history = format!("SELECT 1 FROM {}", A::HISTORY);
    assert!(database.sql(&history).await.is_err());
    assert_eq!(database.open().await.schema().await.unwrap().digest, schema.digest);
}

async fn what_a_script_sets_for_itself_ends_with_it<A: Adapter>() {
    let database = A::new("session");
    let mut target = database.ready().await;
    let steps = [
        step("1", &["CREATE TEMPORARY TABLE hidden (x integer)", "INSERT INTO hidden VALUES (1)"]),
        step("2", &["CREATE TABLE hidden (x integer, y integer)"]),
        step("3", &["INSERT INTO hidden VALUES (1, 2)"]),
    ];
    for (index, step) in steps.iter().enumerate() {
        assert_eq!(target.run(step, steps.get(index + 1), &clock).await.unwrap(), StepOutcome::Done);
    }
    database.sql("INSERT INTO hidden VALUES (3, 4)").await.unwrap();
}

async fn a_script_cannot_remove_its_row<A: Adapter>() {
    let database = A::new("removed");
    let mut target = database.ready().await;
    done(&mut target, &step("0", &["CREATE TABLE a (x integer)"])).await;
    let delete = format!("DELETE FROM {}", A::HISTORY);
    for sql in ["INSERT INTO a VALUES (1)", "CREATE TABLE b (x integer)"] {
        if sql.starts_with("CREATE") && !A::DEFINITIONS_ROLL_BACK {
            continue;
        }
        let error = target.run(&step("1", &[sql, &delete]), None, &clock).await;
        assert!(matches!(error, Err(DatabaseError::RowGone) | Ok(StepOutcome::Failed { .. })), "{error:?}");
    }
    assert_eq!(database.sql("SELECT count(*) FROM a").await.unwrap(), "0");
    assert!(database.sql("INSERT INTO b VALUES (1)").await.is_err());
    let error = target.run(&bare("2", &["CREATE TABLE c (x integer)", &delete]), None, &clock).await;
    assert!(matches!(error, Err(DatabaseError::RowGone)), "{error:?}");
}

async fn others_who_write_the_history_are_noticed<A: Adapter>() {
    let database = A::new("concurrent");
    let mut target = database.ready().await;
    rows(&mut target).await;
    let row = format!(
        "INSERT INTO {} (position, id, event, direction, state, version, started_at) \
         VALUES (1, 'x', 'repair', 'up', 'done', '0', 'x')",
        A::HISTORY
    );
    database.sql(&row).await.unwrap();
    let error = target.run(&step("1", &["CREATE TABLE a (x integer)"]), None, &clock).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Concurrent), "{error:?}");
    assert!(database.sql("INSERT INTO a VALUES (1)").await.is_err());
}

async fn fingerprints_follow_the_schema<A: Adapter>() {
    let database = A::new("fingerprint");
    let mut target = database.ready().await;
    let empty = target.fingerprint().await.unwrap();
    done(&mut target, &step("1", &["CREATE TABLE a (x integer)"])).await;
    done(&mut target, &step("2", &["INSERT INTO a VALUES (1)"])).await;
    done(&mut target, &step("3", &["DROP TABLE a"])).await;
    let changes: Vec<_> = target
        .unarchived(0, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.record.unwrap().schema.unwrap())
        .collect();
    assert_eq!(changes[0].before, Some(empty.1));
    assert_ne!(changes[0].after, changes[0].before);
    assert_eq!((changes[1].before, changes[1].after), (changes[0].after, changes[0].after));
    assert_eq!((changes[2].before, changes[2].after), (changes[0].after, Some(empty.1)));
    assert!(changes.iter().all(|change| change.algorithm == empty.0));
}
