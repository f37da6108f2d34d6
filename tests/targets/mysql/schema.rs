//! The fingerprint: what it sees, what it passes over.

use std::collections::BTreeSet;

use greffe::crypto::Digest;
use greffe::database::mysql::Mysql;
use greffe::database::{DatabaseError, Schema, Target};

use super::steps::{READ, apply, database, open, open_locked};
use crate::servers::{Database, Dump};

/// An object of every kind; bodies are at the end, so that they may hold semicolons.
const OBJECTS: [&str; 13] = [
    "CREATE TABLE country (code char(2) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, name varchar(80) NOT NULL)",
    "CREATE TABLE person (
        id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
        name varchar(80) NOT NULL DEFAULT 'it''s; \\\\ \"new\"' COMMENT 'a ;\n b',
        country char(2) CHARACTER SET ascii COLLATE ascii_bin,
        born date, grade decimal(6,2) unsigned zerofill, kind enum('a','b;','c''d') NOT NULL DEFAULT 'a',
        upper_name varchar(80) GENERATED ALWAYS AS (upper(name)) STORED,
        seen timestamp(3) NOT NULL DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3),
        note text CHARACTER SET latin1, place point NOT NULL, extra json,
        UNIQUE KEY by_name (name(20), born), KEY by_kind (kind, grade DESC), FULLTEXT KEY words (note),
        SPATIAL KEY places (place), CONSTRAINT positive CHECK (grade >= 0),
        CONSTRAINT of_country FOREIGN KEY (country) REFERENCES country (code) ON DELETE SET NULL ON UPDATE CASCADE
    ) COMMENT 'people AUTO_INCREMENT=5'",
    "CREATE TABLE log (day date NOT NULL, what int) PARTITION BY RANGE COLUMNS (day) \
        (PARTITION a VALUES LESS THAN ('2026-01-01'), PARTITION b VALUES LESS THAN (MAXVALUE))",
    "CREATE TABLE old (a int) ENGINE = MyISAM ROW_FORMAT = FIXED",
    "CREATE TABLE versions (a int) WITH SYSTEM VERSIONING",
    "CREATE SEQUENCE counter START WITH 5 INCREMENT BY 2 MAXVALUE 1000",
    "CREATE VIEW names AS SELECT p.name, c.name AS land, 'x;y' AS x FROM person p JOIN country c ON c.code = p.country",
    "CREATE SQL SECURITY INVOKER VIEW names_of AS SELECT name, `land` FROM names WHERE land <> '`' WITH CHECK OPTION",
    "CREATE FUNCTION twice(n int, t varchar(9) CHARACTER SET latin1) RETURNS bigint DETERMINISTIC COMMENT 'a' RETURN 2 * n",
    "CREATE PROCEDURE fill(IN n int, OUT m int) MODIFIES SQL DATA SQL SECURITY INVOKER
        BEGIN INSERT INTO log VALUES ('2026-01-01', n); SET m = n; END",
    "CREATE TRIGGER first BEFORE INSERT ON person FOR EACH ROW SET NEW.name = trim(NEW.name)",
    "CREATE TRIGGER second BEFORE INSERT ON person FOR EACH ROW FOLLOWS first BEGIN SET NEW.grade = 1; END",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01 03:00:00' COMMENT 'x' DO DELETE FROM log",
];

/// A change of one detail each, and the object that it shows in.
const CHANGES: [(&str, &str); 44] = [
    ("ALTER TABLE country MODIFY name varchar(81) NOT NULL", "table country"),
    ("ALTER TABLE country MODIFY name varchar(80)", "table country"),
    ("ALTER TABLE country MODIFY name varchar(80) NOT NULL DEFAULT ''", "table country"),
    ("ALTER TABLE country MODIFY name varchar(80) NOT NULL COMMENT 'x'", "table country"),
    ("ALTER TABLE country MODIFY name varchar(80) CHARACTER SET latin1 NOT NULL", "table country"),
    ("ALTER TABLE country MODIFY name varchar(80) COLLATE utf8mb4_bin NOT NULL", "table country"),
    ("ALTER TABLE country MODIFY name varchar(80) NOT NULL FIRST", "table country"),
    ("ALTER TABLE country MODIFY name varchar(80) NOT NULL INVISIBLE DEFAULT ''", "table country"),
    ("ALTER TABLE country CHANGE name title varchar(80) NOT NULL", "table country"),
    ("ALTER TABLE country ADD extra int", "table country"),
    ("ALTER TABLE country COMMENT 'x'", "table country"),
    ("ALTER TABLE country ENGINE = MyISAM", "table old"),
    ("ALTER TABLE country ROW_FORMAT = COMPACT", "table country"),
    ("ALTER TABLE country DEFAULT CHARACTER SET latin1", "table country"),
    ("ALTER TABLE country DEFAULT COLLATE utf8mb4_bin", "table country"),
    ("ALTER TABLE country ADD INDEX i (name)", "table country"),
    ("ALTER TABLE person MODIFY kind enum('a','b;') NOT NULL DEFAULT 'a'", "table person"),
    ("ALTER TABLE person MODIFY seen timestamp(3) NOT NULL DEFAULT current_timestamp(3)", "table person"),
    (
        "ALTER TABLE person MODIFY upper_name varchar(80) GENERATED ALWAYS AS (lower(name)) STORED",
        "table person",
    ),
    ("ALTER TABLE person DROP INDEX by_kind, ADD INDEX by_kind (kind, grade)", "table person"),
    ("ALTER TABLE person DROP INDEX by_name, ADD INDEX by_name (name(20), born)", "table person"),
    ("ALTER TABLE person DROP INDEX by_name, ADD UNIQUE by_name (name(21), born)", "table person"),
    ("ALTER TABLE person ALTER INDEX by_kind IGNORED", "table person"),
    ("ALTER TABLE person RENAME INDEX by_kind TO by_sort", "table person"),
    ("ALTER TABLE person DROP INDEX words", "table person"),
    (
        "ALTER TABLE person DROP CONSTRAINT positive, ADD CONSTRAINT positive CHECK (grade >= 1)",
        "table person",
    ),
    ("ALTER TABLE person DROP FOREIGN KEY of_country", "table person"),
    (
        "ALTER TABLE person DROP FOREIGN KEY of_country, ADD CONSTRAINT of_land FOREIGN KEY (country) REFERENCES country (code) ON DELETE SET NULL ON UPDATE CASCADE",
        "table person",
    ),
    ("ALTER TABLE log DROP PARTITION a", "table log"),
    ("ALTER TABLE versions DROP SYSTEM VERSIONING", "table versions"),
    ("ALTER SEQUENCE counter INCREMENT BY 3", "sequence counter"),
    (
        "ALTER SQL SECURITY INVOKER VIEW names AS SELECT p.name, c.name AS land, 'x;y' AS x FROM person p JOIN country c ON c.code = p.country",
        "view names",
    ),
    (
        "ALTER VIEW names AS SELECT p.name, c.name AS land, 'x;z' AS x FROM person p JOIN country c ON c.code = p.country",
        "view names",
    ),
    (
        "ALTER ALGORITHM = TEMPTABLE SQL SECURITY INVOKER VIEW names_of AS SELECT name, land FROM names",
        "view names_of",
    ),
    ("ALTER FUNCTION twice COMMENT 'b'", "function twice"),
    (
        "CREATE OR REPLACE FUNCTION twice(n int, t varchar(9) CHARACTER SET latin1) RETURNS int DETERMINISTIC COMMENT 'a' RETURN 2 * n",
        "function twice",
    ),
    (
        "CREATE OR REPLACE FUNCTION twice(n int, t varchar(9) CHARACTER SET ascii) RETURNS bigint DETERMINISTIC COMMENT 'a' RETURN 2 * n",
        "function twice",
    ),
    (
        "CREATE OR REPLACE FUNCTION twice(n int, t varchar(9) CHARACTER SET latin1) RETURNS bigint DETERMINISTIC COMMENT 'a' RETURN 3 * n",
        "function twice",
    ),
    ("ALTER PROCEDURE fill SQL SECURITY DEFINER", "procedure fill"),
    (
        "CREATE OR REPLACE PROCEDURE fill(IN n int, INOUT m int) MODIFIES SQL DATA SQL SECURITY INVOKER DO 1",
        "procedure fill",
    ),
    (
        "CREATE OR REPLACE TRIGGER first BEFORE INSERT ON person FOR EACH ROW PRECEDES second SET NEW.name = ltrim(NEW.name)",
        "trigger first",
    ),
    (
        "SET sql_mode = 'ANSI_QUOTES'; CREATE OR REPLACE TRIGGER first BEFORE INSERT ON person FOR EACH ROW PRECEDES second SET NEW.name = trim(NEW.name)",
        "trigger first",
    ),
    ("ALTER EVENT nightly DISABLE", "event nightly"),
    ("ALTER EVENT nightly ON SCHEDULE EVERY 2 DAY", "event nightly"),
];

fn create<'a>(database: &Database, objects: impl IntoIterator<Item = &'a str>) {
    for object in objects {
        database.sql_as(database.administrator(), &statement(object)).unwrap();
    }
}

/// For the client, which would cut a body at its semicolons.
fn statement(sql: &str) -> String {
    format!("DELIMITER //\n{}\n//\n", sql.replace("; CREATE", "\n//\nCREATE"))
}

async fn schema(database: &Database) -> Schema {
    let url = database.url_as(database.administrator());
    let mut target = Mysql::open(&url, READ).await.unwrap();
    let schema = target.schema().await.unwrap();
    assert_eq!(target.fingerprint().await.unwrap(), (schema.algorithm, schema.digest));
    target.close().await;
    schema
}

async fn digest(database: &Database) -> Digest {
    schema(database).await.digest
}

#[tokio::test]
async fn a_dump_that_is_restored_has_the_same_fingerprint() {
    let [from, to] = ["from", "to"].map(database);
    open(&from).await.close().await;
    create(&from, OBJECTS);
    from.sql("INSERT INTO country VALUES ('at', 'Austria'); SELECT NEXTVAL(counter)");
    from.sql("INSERT INTO person (name, country, place) VALUES ('a', 'at', POINT(1, 2))");
    to.restore(&from.dump(Dump::Full));
    let [before, after] = [schema(&from).await, schema(&to).await];
    assert_eq!(before.objects, after.objects);
    assert_eq!((before.digest, before.grants), (after.digest, after.grants.clone()));
    let kinds: BTreeSet<&str> = before.objects.keys().map(|name| name.kind.as_str()).collect();
    let all = ["event", "function", "procedure", "sequence", "table", "trigger", "view"];
    assert_eq!(kinds, BTreeSet::from(all));
    assert_eq!(before.objects.len(), OBJECTS.len());
    for (name, text) in &before.objects {
        assert!(!text.contains(from.name()) && !text.contains("root"), "{name:?}\n{text}");
        assert!(!text.ends_with('\n'), "{name:?}");
    }
}

#[tokio::test]
async fn the_order_of_creation_does_not_show() {
    let [one, other] = ["one", "other"].map(database);
    create(&one, OBJECTS);
    // What refers to another object comes behind it all the same.
    create(&other, [12, 8, 5, 4, 3, 2, 0].map(|index| OBJECTS[index]));
    let table =
        OBJECTS[1].replace(", KEY by_kind (kind, grade DESC)", "").replace(" FULLTEXT KEY words (note),", "");
    create(&other, [table.as_str()]);
    other.sql("ALTER TABLE person ADD FULLTEXT KEY words (note); ALTER TABLE person ADD KEY by_kind (kind, grade DESC)");
    create(&other, [9, 10, 11, 6, 7].map(|index| OBJECTS[index]));
    assert_eq!(schema(&one).await.objects, schema(&other).await.objects);
}

#[tokio::test]
async fn every_detail_that_is_changed_is_seen() {
    let mut seen = BTreeSet::new();
    let model = database("model");
    create(&model, OBJECTS);
    let before = schema(&model).await;
    let dump = model.dump(Dump::Schema);
    for (change, object) in CHANGES {
        let database = database("change");
        database.restore(&dump);
        // A table that others refer to stays with its engine.
        let change = if object == "table old" { "ALTER TABLE old ENGINE = Aria" } else { change };
        create(&database, [change]);
        let after = schema(&database).await;
        assert_ne!(after.digest, before.digest, "{change}");
        let changed: Vec<String> = after
            .objects
            .iter()
            .filter(|(name, text)| before.objects.get(*name) != Some(*text))
            .map(|(name, _)| format!("{} {}", name.kind, name.name))
            .collect();
        assert!(changed.iter().any(|changed| changed == object), "{change}: {changed:?}");
        assert!(seen.insert(after.digest), "{change}: as another");
    }
}

#[tokio::test]
async fn counters_rows_statistics_definers_and_grants_do_not_show() {
    let database = database("same");
    create(&database, OBJECTS);
    let before = schema(&database).await;
    open(&database).await.close().await;
    database
        .sql("INSERT INTO country VALUES ('at', 'Austria'); ANALYZE TABLE country; SELECT NEXTVAL(counter)");
    database.sql("INSERT INTO person (id, name, place) VALUES (77, 'a', POINT(1, 2)); ALTER TABLE person AUTO_INCREMENT = 1000");
    assert_eq!(digest(&database).await, before.digest);
    let user = &database.user().user;
    for change in [
        format!(
            "CREATE OR REPLACE DEFINER = {user}@localhost VIEW names AS SELECT p.name, c.name AS land, 'x;y' AS x FROM person p JOIN country c ON c.code = p.country"
        ),
        format!(
            "CREATE OR REPLACE DEFINER = {user}@localhost FUNCTION twice(n int, t varchar(9) CHARACTER SET latin1) RETURNS bigint DETERMINISTIC COMMENT 'a' RETURN 2 * n"
        ),
        format!("GRANT SELECT (name) ON country TO {user}@localhost"),
        format!("GRANT EXECUTE ON PROCEDURE fill TO {user}@localhost"),
    ] {
        let known = schema(&database).await;
        create(&database, [change.as_str()]);
        let after = schema(&database).await;
        assert_eq!(after.digest, before.digest, "{change}");
        assert_ne!(after.grants.unwrap().digest, known.grants.unwrap().digest, "{change}");
    }
    // Who may not read the system's tables sees less, and still something.
    database.sql("DROP PROCEDURE fill; DROP FUNCTION twice");
    let mut target = Mysql::open(&database.url(), READ).await.unwrap();
    assert!(!target.schema().await.unwrap().grants.unwrap().lines.is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_no_other_fingerprint() {
    let database = database("hidden");
    create(&database, ["CREATE PROCEDURE secret() SELECT 1"]);
    database.sql("CREATE TABLE t (a int)");
    let administrator = database.administrator();
    let weak = crate::servers::Login {
        user: format!("w_{}", database.name()),
        password: "geheim-schwach".to_owned(),
    };
    let make = format!(
        "CREATE USER {}@localhost IDENTIFIED BY '{}'; GRANT SELECT, EXECUTE ON {}.* TO {0}@localhost",
        weak.user,
        weak.password,
        database.name()
    );
    database.sql_as(administrator, &make).unwrap();
    let mut target = Mysql::open(&database.url_as(&weak), READ).await.unwrap();
    let error = target.fingerprint().await.unwrap_err();
    assert!(matches!(error, DatabaseError::Schema(_)), "{error:?}");
    database.sql_as(administrator, &format!("DROP USER {}@localhost", weak.user)).unwrap();
}

#[tokio::test]
async fn a_view_that_no_longer_works_is_read_all_the_same() {
    let database = database("broken");
    database.sql("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t; DROP TABLE t");
    let schema = schema(&database).await;
    let names: Vec<&str> = schema.objects.keys().map(|name| name.name.as_str()).collect();
    assert_eq!(names, ["v"]);
}

#[tokio::test]
async fn a_step_says_what_the_schema_was_before_and_after() {
    let database = database("steps");
    let mut target = open_locked(&database.url()).await;
    let empty = target.fingerprint().await.unwrap().1;
    apply(&mut target, "1", "CREATE TABLE t (a int);\n").await;
    let one = target.fingerprint().await.unwrap().1;
    apply(&mut target, "2", "INSERT INTO t VALUES (1);\n").await;
    apply(&mut target, "3", "CREATE TABLE u (a int);\n").await;
    let two = target.fingerprint().await.unwrap().1;
    let changes =
        target.unarchived(0, 9).await.unwrap().into_iter().map(|row| row.record.unwrap().schema.unwrap());
    let changes: Vec<_> = changes.map(|change| (change.before.unwrap(), change.after.unwrap())).collect();
    assert_eq!(changes, [(empty, one), (one, one), (one, two)]);
}
