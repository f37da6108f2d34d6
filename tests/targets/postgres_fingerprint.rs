//! The fingerprint of a PostgreSQL schema.

use std::collections::BTreeMap;
use std::time::Duration;

use greffe::database::Access;
use greffe::database::postgres::Postgres;
use greffe::database::{ObjectName, Schema, StepOutcome, Target};

use crate::adapter::{Adapter, OnPostgres};
use crate::servers::{Database, Dump};
use crate::steps::{clock, step};

/// Statements that each change the schema.
const CHANGES: &str = include_str!("postgres_changes.sql");

async fn schema(database: &Database) -> Schema {
    let mut target = Postgres::open(&database.url(), OnPostgres::options(Access::Read)).await.unwrap();
    let schema = target.schema().await.unwrap();
    target.close().await;
    schema
}

/// What differs, to be read.
fn difference(a: &Schema, b: &Schema) -> String {
    let lines = |objects: &BTreeMap<ObjectName, String>| {
        let mut lines: Vec<String> = Vec::new();
        for text in objects.values() {
            let first = text.lines().next().unwrap_or_default();
            lines.extend(text.lines().map(|line| format!("{first}: {line}")));
        }
        lines
    };
    let (a, b) = (lines(&a.objects), lines(&b.objects));
    let only = |some: &[String], others: &[String], sign: &str| {
        some.iter()
            .filter(|line| !others.contains(line))
            .map(|line| format!("{sign} {line}\n"))
            .collect::<String>()
    };
    only(&a, &b, "-") + &only(&b, &a, "+")
}

fn same(a: &Schema, b: &Schema) {
    assert!(a.digest == b.digest && a.objects == b.objects, "\n{}", difference(a, b));
}

/// The statements that the server of `database` can read; each ends with a semicolon at the end of a line.
fn statements(database: &Database) -> Vec<String> {
    let server: u32 = database.sql("SHOW server_version_num").parse().unwrap();
    let text: String =
        CHANGES.lines().filter(|line| !line.starts_with("--")).map(|line| format!("{line}\n")).collect();
    let since = |statement: &str| match statement.strip_prefix('@').and_then(|rest| rest.split_once(' ')) {
        Some((version, statement)) => (version.parse::<u32>().unwrap(), statement.to_owned()),
        None => (0, statement.to_owned()),
    };
    text.split(";\n")
        .map(|statement| since(statement.trim()))
        .filter(|(version, statement)| !statement.is_empty() && *version <= server / 10_000)
        .map(|(_, statement)| statement)
        .collect()
}

/// A target of the administrator, whose changes need no permission.
async fn administrator(database: &Database) -> Postgres {
    let url = database.url_as(database.administrator());
    let mut target = Postgres::open(&url, OnPostgres::options(Access::Write)).await.unwrap();
    target.lock(Duration::ZERO).await.unwrap();
    target.prepare().await.unwrap();
    target
}

#[tokio::test]
async fn every_change_is_seen_and_read_as_a_whole_reading_reads_it() {
    let database = OnPostgres::new("changes").0;
    let mut target = administrator(&database).await;
    let mut full = Postgres::open(&database.url(), OnPostgres::options(Access::Read)).await.unwrap();
    let (mut before, mut wrong) = (full.schema().await.unwrap(), Vec::new());
    for (index, statement) in statements(&database).iter().enumerate() {
        let step = step(&index.to_string(), &[statement]);
        let outcome = target.run(&step, None, &clock).await.unwrap();
        assert_eq!(outcome, StepOutcome::Done, "{statement}");
        let last = target.unarchived(index as i64, 1).await.unwrap().remove(0);
        let change = last.record.unwrap().schema.unwrap();
        let now = full.schema().await.unwrap();
        assert_eq!(change.before, Some(before.digest), "{statement}");
        if change.after != Some(now.digest) {
            wrong.push(format!("{statement}\nread as a whole it has\n{}", difference(&before, &now)));
            target.fingerprint().await.unwrap();
        }
        if before.digest == now.digest {
            wrong.push(format!("unseen: {statement}"));
        }
        before = now;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_restored_dump_has_the_same_fingerprint() {
    let source = OnPostgres::new("source").0;
    let everything: String =
        statements(&source).iter().filter(|s| !s.starts_with("DROP")).map(|s| format!("{s};\n")).collect();
    source.sql_as(source.administrator(), &everything).unwrap();
    let of_source = schema(&source).await;
    for dump in [Dump::Schema, Dump::Custom] {
        let restored = OnPostgres::new("restored").0;
        restored.restore(&source.dump(dump));
        let of_restored = schema(&restored).await;
        same(&of_source, &of_restored);
        let again = OnPostgres::new("again").0;
        again.restore(&restored.dump(dump));
        same(&of_source, &schema(&again).await);
    }
}

async fn made(parts: &[&str]) -> Schema {
    let database = OnPostgres::new("order").0;
    database.sql(&parts.concat());
    schema(&database).await
}

#[tokio::test]
async fn the_order_of_creation_does_not_show_and_the_order_of_columns_does() {
    let parts = [
        "CREATE TABLE a (x integer PRIMARY KEY, y text);",
        "CREATE TABLE b (x integer, y varchar(5));",
        "CREATE TYPE m AS ENUM ('a', 'b');",
        "CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';",
        "CREATE INDEX i ON a (y); CREATE INDEX h ON a (y, x);",
    ];
    let first = made(&parts).await;
    same(&first, &made(&[parts[3], parts[2], parts[1], parts[0], parts[4]]).await);
    let dropped = made(&[&parts[..], &["ALTER TABLE a ADD z integer; ALTER TABLE a DROP z;"]].concat()).await;
    same(&first, &dropped);
    let moved = made(&[&parts[..], &["ALTER TABLE b DROP x; ALTER TABLE b ADD x integer;"]].concat()).await;
    assert_ne!(first.digest, moved.digest);
}

#[tokio::test]
async fn owners_and_grants_have_a_digest_of_their_own() {
    let database = OnPostgres::new("access").0;
    database.sql("CREATE TABLE a (x integer); CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE s");
    let mut before = schema(&database).await;
    let grants = [
        "GRANT SELECT ON a TO PUBLIC",
        "GRANT UPDATE (x) ON a TO PUBLIC",
        "REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC",
        "GRANT USAGE ON SEQUENCE s TO PUBLIC",
        "ALTER TABLE a OWNER TO postgres",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC",
    ];
    for grant in grants {
        database.sql_as(database.administrator(), grant).unwrap();
        let after = schema(&database).await;
        same(&before, &after);
        assert_ne!(before.grants.unwrap().digest, after.grants.as_ref().unwrap().digest, "{grant}");
        before = after;
    }
}
