use super::*;
use crate::scripts::lint::rules;

/// What all rules together find in a way up, on a stack that is large enough.
fn found(sql: &str) -> Vec<&'static str> {
    findings(sql, Direction::Up, true).into_iter().map(|finding| finding.rule.id).collect()
}

fn findings(sql: &str, direction: Direction, transaction: bool) -> Vec<Finding> {
    let sql = sql.to_owned();
    let judge = move || Squawk::asking(|_| true).judge(("a.sql", &sql), direction, transaction);
    std::thread::Builder::new().stack_size(STACK).spawn(judge).unwrap().join().unwrap()
}

/// A rule by its name at squawk, what it finds, and what it does not find.
type Case = (&'static str, &'static str, &'static str);

const CASES: [Case; 75] = [
    (
        "require-concurrent-index-creation",
        "CREATE INDEX i ON a (b);",
        "CREATE INDEX CONCURRENTLY i ON a (b);",
    ),
    ("require-concurrent-index-deletion", "DROP INDEX i;", "DROP INDEX CONCURRENTLY i;"),
    ("require-concurrent-reindex", "REINDEX INDEX i;", "REINDEX INDEX CONCURRENTLY i;"),
    (
        "require-concurrent-partition-detach",
        "ALTER TABLE a DETACH PARTITION b;",
        "ALTER TABLE a DETACH PARTITION b CONCURRENTLY;",
    ),
    (
        "ban-concurrent-index-creation-in-transaction",
        "SELECT 1; CREATE INDEX CONCURRENTLY i ON a (b);",
        "CREATE INDEX i ON a (b);",
    ),
    (
        "constraint-missing-not-valid",
        "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0);",
        "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0) NOT VALID;",
    ),
    (
        "adding-foreign-key-constraint",
        "ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (b) REFERENCES d (e);",
        "ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (b) REFERENCES d (e) NOT VALID;",
    ),
    (
        "disallowed-unique-constraint",
        "ALTER TABLE a ADD CONSTRAINT c UNIQUE (b);",
        "ALTER TABLE a ADD CONSTRAINT c UNIQUE USING INDEX i;",
    ),
    (
        "adding-serial-primary-key-field",
        "ALTER TABLE a ADD PRIMARY KEY (b);",
        "ALTER TABLE a ADD CONSTRAINT c PRIMARY KEY USING INDEX i;",
    ),
    (
        "adding-field-with-default",
        "ALTER TABLE a ADD COLUMN b uuid DEFAULT gen_random_uuid();",
        "ALTER TABLE a ADD COLUMN b int DEFAULT 0;",
    ),
    (
        "adding-not-nullable-field",
        "ALTER TABLE a ALTER COLUMN b SET NOT NULL;",
        "ALTER TABLE a ALTER COLUMN b SET STATISTICS 100;",
    ),
    (
        "adding-required-field",
        "ALTER TABLE a ADD COLUMN b int NOT NULL;",
        "ALTER TABLE a ADD COLUMN b int NOT NULL DEFAULT 0;",
    ),
    (
        "changing-column-type",
        "ALTER TABLE a ALTER COLUMN b TYPE bigint;",
        "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1;",
    ),
    (
        "ban-alter-domain-with-add-constraint",
        "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0);",
        "ALTER DOMAIN d SET DEFAULT 1;",
    ),
    (
        "ban-create-domain-with-constraint",
        "CREATE DOMAIN d AS int CHECK (VALUE > 0);",
        "CREATE DOMAIN d AS int;",
    ),
    ("ban-truncate-cascade", "TRUNCATE a CASCADE;", "TRUNCATE a;"),
    ("ban-duplicate-column-assignments", "UPDATE a SET b = 1, b = 2;", "UPDATE a SET b = 1, c = 2;"),
    (
        "identifier-too-long",
        "CREATE TABLE aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa (b int);",
        "CREATE TABLE a (b int);",
    ),
    (
        "ban-new-write-restriction",
        "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0);",
        "ALTER TABLE a ADD COLUMN b int;",
    ),
    ("ban-disable-trigger", "ALTER TABLE a DISABLE TRIGGER t;", "ALTER TABLE a ADD COLUMN b int;"),
    ("ban-replica-identity", "ALTER TABLE a REPLICA IDENTITY FULL;", "ALTER TABLE a SET (fillfactor = 70);"),
    ("ban-drop-table", "DROP TABLE a;", "CREATE TABLE a (b int);"),
    ("ban-drop-column", "ALTER TABLE a DROP COLUMN b;", "ALTER TABLE a ADD COLUMN b int;"),
    ("ban-drop-database", "DROP DATABASE a;", "CREATE DATABASE a;"),
    ("ban-drop-schema", "DROP SCHEMA a;", "CREATE SCHEMA a;"),
    ("ban-drop-sequence", "DROP SEQUENCE a;", "CREATE SEQUENCE a;"),
    ("ban-drop-extension", "DROP EXTENSION a;", "CREATE EXTENSION a;"),
    ("ban-drop-type", "DROP TYPE a;", "CREATE TYPE a AS ENUM ('b');"),
    ("ban-drop-domain", "DROP DOMAIN a;", "CREATE DOMAIN a AS int;"),
    ("ban-drop-view", "DROP VIEW a;", "CREATE VIEW a AS SELECT 1;"),
    (
        "ban-drop-function",
        "DROP FUNCTION a();",
        "CREATE FUNCTION a() RETURNS int LANGUAGE sql AS 'SELECT 1';",
    ),
    ("ban-drop-constraint", "ALTER TABLE a DROP CONSTRAINT c;", "ALTER TABLE a VALIDATE CONSTRAINT c;"),
    (
        "ban-drop-not-null",
        "ALTER TABLE a ALTER COLUMN b DROP NOT NULL;",
        "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1;",
    ),
    (
        "ban-drop-default",
        "ALTER TABLE a ALTER COLUMN b DROP DEFAULT;",
        "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1;",
    ),
    (
        "ban-drop-generated-expression",
        "ALTER TABLE a ALTER COLUMN b DROP EXPRESSION;",
        "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1;",
    ),
    (
        "ban-alter-identity",
        "ALTER TABLE a ALTER COLUMN b DROP IDENTITY;",
        "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1;",
    ),
    ("renaming-table", "ALTER TABLE a RENAME TO b;", "ALTER TABLE a ADD COLUMN b int;"),
    ("renaming-column", "ALTER TABLE a RENAME COLUMN b TO c;", "ALTER TABLE a RENAME TO b;"),
    ("renaming-object", "ALTER VIEW a RENAME TO b;", "ALTER TABLE a RENAME TO b;"),
    ("ban-set-schema", "ALTER TABLE a SET SCHEMA s;", "ALTER TABLE a SET (fillfactor = 70);"),
    (
        "ban-drop-trigger",
        "DROP TRIGGER t ON a;",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();",
    ),
    ("ban-drop-index", "DROP INDEX CONCURRENTLY i;", "CREATE INDEX i ON a (b);"),
    ("ban-drop-policy", "DROP POLICY p ON a;", "CREATE POLICY p ON a;"),
    ("ban-revoke", "REVOKE SELECT ON a FROM r;", "GRANT SELECT ON a TO r;"),
    ("ban-detach-inheritance", "ALTER TABLE a NO INHERIT b;", "ALTER TABLE a INHERIT b;"),
    (
        "ban-alter-generated-expression",
        "ALTER TABLE a ALTER COLUMN b SET EXPRESSION AS (c + 1);",
        "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1;",
    ),
    ("ban-alter-sequence-values", "ALTER SEQUENCE a RESTART WITH 1;", "ALTER SEQUENCE a OWNED BY b.c;"),
    (
        "prefer-robust-stmts",
        "CREATE INDEX CONCURRENTLY i ON a (b);",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (b);",
    ),
    ("prefer-text-field", "CREATE TABLE a (b varchar(9));", "CREATE TABLE a (b text);"),
    ("prefer-timestamptz", "CREATE TABLE a (b timestamp);", "CREATE TABLE a (b timestamptz);"),
    ("prefer-bigint-over-int", "CREATE TABLE a (b integer);", "CREATE TABLE a (b bigint);"),
    ("prefer-bigint-over-smallint", "CREATE TABLE a (b smallint);", "CREATE TABLE a (b bigint);"),
    (
        "prefer-identity",
        "CREATE TABLE a (b serial);",
        "CREATE TABLE a (b bigint GENERATED ALWAYS AS IDENTITY);",
    ),
    ("ban-char-field", "CREATE TABLE a (b char(9));", "CREATE TABLE a (b text);"),
    (
        "require-lock-timeout",
        "ALTER TABLE a ADD COLUMN b int;",
        "SET lock_timeout = '1s'; ALTER TABLE a ADD COLUMN b int;",
    ),
    (
        "require-statement-timeout",
        "ALTER TABLE a ADD COLUMN b int;",
        "SET statement_timeout = '1s'; ALTER TABLE a ADD COLUMN b int;",
    ),
    ("require-enum-value-ordering", "ALTER TYPE a ADD VALUE 'b';", "ALTER TYPE a ADD VALUE 'b' AFTER 'c';"),
    ("require-table-schema", "CREATE TABLE a (b int);", "CREATE TABLE s.a (b int);"),
    ("transaction-nesting", "BEGIN; SELECT 1; COMMIT;", "SELECT 1;"),
    ("ban-uncommitted-transaction", "BEGIN; SELECT 1;", "SELECT 1;"),
    (
        "ban-set-default",
        "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1;",
        "ALTER TABLE a ALTER COLUMN b DROP DEFAULT;",
    ),
    (
        "ban-replace-view-function",
        "CREATE OR REPLACE VIEW a AS SELECT 1 AS b;",
        "CREATE VIEW a AS SELECT 1 AS b;",
    ),
    ("ban-add-column", "ALTER TABLE a ADD COLUMN b int;", "CREATE TABLE a (b int);"),
    ("ban-add-enum-value", "ALTER TYPE a ADD VALUE 'b';", "CREATE TYPE a AS ENUM ('b');"),
    ("ban-add-composite-attribute", "ALTER TYPE a ADD ATTRIBUTE b int;", "CREATE TYPE a AS (b int);"),
    ("ban-create-policy", "CREATE POLICY p ON a;", "CREATE TABLE a (b int);"),
    ("ban-alter-policy-condition", "ALTER POLICY p ON a USING (true);", "ALTER POLICY p ON a TO r;"),
    ("ban-alter-policy-roles", "ALTER POLICY p ON a TO r;", "ALTER POLICY p ON a USING (true);"),
    (
        "ban-alter-row-level-security",
        "ALTER TABLE a ENABLE ROW LEVEL SECURITY;",
        "ALTER TABLE a ENABLE TRIGGER t;",
    ),
    (
        "ban-alter-function-options",
        "ALTER FUNCTION f() SECURITY DEFINER;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
    ),
    ("ban-alter-view-options", "ALTER VIEW a SET (security_barrier = true);", "CREATE VIEW a AS SELECT 1;"),
    ("ban-alter-role-options", "ALTER ROLE r NOINHERIT;", "CREATE ROLE r;"),
    ("ban-alter-database-options", "ALTER DATABASE d SET work_mem = '1MB';", "CREATE DATABASE d;"),
    ("ban-alter-system-options", "ALTER SYSTEM SET work_mem = '1MB';", "SET work_mem = '1MB';"),
    ("ban-alter-extension", "ALTER EXTENSION e UPDATE;", "CREATE EXTENSION e;"),
];

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    let known = rules().filter_map(|rule| rule.id.strip_prefix("squawk/"));
    assert_eq!(CASES.map(|(name, ..)| name).to_vec(), known.collect::<Vec<_>>());
    let mut wrong = Vec::new();
    for (name, failing, passing) in CASES {
        let id = format!("squawk/{name}");
        if !found(failing).contains(&id.as_str()) {
            wrong.push(format!("{name} overlooks {failing}: {:?}", found(failing)));
        }
        if found(passing).contains(&id.as_str()) {
            wrong.push(format!("{name} finds something in {passing}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_is_one_that_squawk_knows() {
    for rule in LOCKS.iter().chain(&DROPS).chain(&OTHERS) {
        assert!(squawk_name(rule).is_some(), "{}", rule.id);
    }
}

#[test]
fn a_table_of_the_same_script_is_nobodys_yet() {
    let sql =
        "CREATE TABLE a (b int);\nCREATE INDEX i ON a (b);\nALTER TABLE a ADD CONSTRAINT c CHECK (b > 0);\n";
    let findings = findings(sql, Direction::Up, true);
    let locks = findings.iter().filter(|finding| LOCKS.iter().any(|rule| rule == finding.rule));
    let locks: Vec<&str> = locks.map(|finding| finding.rule.id).collect();
    assert_eq!(locks, ["squawk/ban-new-write-restriction"; 0]);
}

#[test]
fn a_way_down_may_drop_and_may_not_lock() {
    let found =
        |sql| findings(sql, Direction::Down, true).into_iter().map(|one| one.rule.id).collect::<Vec<_>>();
    assert_eq!(found("DROP TABLE a;"), [""; 0]);
    assert_eq!(found("CREATE INDEX i ON a (b);"), ["squawk/require-concurrent-index-creation"]);
}

#[test]
fn its_own_comments_switch_nothing_off() {
    let sql = "-- squawk-ignore-file\n-- squawk-ignore ban-drop-table\nDROP TABLE a;\n";
    let findings = findings(sql, Direction::Up, true);
    let dropped = findings.iter().find(|finding| finding.rule.id == "squawk/ban-drop-table").unwrap();
    assert_eq!((dropped.line, dropped.column), (3, 1));
    let sql = "-- squawk-disable-assume-in-transaction\nSELECT 1;\nCREATE INDEX CONCURRENTLY i ON a (b);\n";
    assert!(found(sql).contains(&"squawk/ban-concurrent-index-creation-in-transaction"));
}

#[test]
fn rows_are_left_out_of_what_is_large_and_places_stay_true() {
    let row = "INSERT INTO a (b) VALUES ('é', 1);\n";
    let sql = format!("{}  DROP TABLE a;\n", row.repeat(200_000 / row.len()));
    let findings = findings(&sql, Direction::Up, true);
    let dropped = findings.iter().find(|finding| finding.rule.id == "squawk/ban-drop-table").unwrap();
    assert_eq!((dropped.line, dropped.column), (200_000 / row.len() + 1, 3));
    assert!(!found(&sql).contains(&"greffe/not-judged"));
}

#[test]
fn monsters_are_told_and_not_read() {
    let wide = format!("CREATE TABLE a ({});", vec!["b int"; 40_000].join(", "));
    assert_eq!(found(&wide), ["greffe/not-judged"]);
    let deep = [
        format!("SELECT {}1{};", "(".repeat(16_000), ")".repeat(16_000)),
        format!("SELECT {}1;", "- ".repeat(16_000)),
        format!("SELECT {}1;", "NOT ".repeat(8_000)),
        format!("SELECT 1{};", "+1".repeat(16_000)),
        format!("SELECT {}", "(".repeat(32_000)),
        format!("SELECT {}", "CASE WHEN ".repeat(3_000)),
        format!("SELECT a{};", "[1]".repeat(10_000)),
        format!("SELECT {}1;", "ARRAY[".repeat(5_000)),
        "(;".repeat(16_000),
        format!("CREATE VIEW v AS {}1{};", "SELECT (".repeat(3_500), ")".repeat(3_500)),
        format!("SELECT * FROM {}a;", "(SELECT * FROM ".repeat(2_000)),
        format!("SELECT 1{};", " UNION SELECT 1".repeat(2_000)),
        "$$".repeat(16_000),
        "/*".repeat(16_000),
        "'".repeat(32_000),
    ];
    for sql in deep {
        found(&sql);
    }
}

#[test]
fn what_is_not_understood_is_told() {
    let findings = findings("SELECT 1;\nCREATE TABEL a;\n", Direction::Up, true);
    assert!(findings.iter().any(|finding| finding.rule == &NOT_JUDGED && finding.line == 2), "{findings:?}");
    assert_eq!(found("SELECT 1;"), [""; 0]);
    assert_eq!(found(""), [""; 0]);
}

mod any {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever words follow one another, squawk comes to an end.
        #[test]
        fn words_in_any_order_are_read(
            sql in "(CREATE |ALTER |DROP |TABLE |a |\\(|\\)|,|;|'|\"|\\$\\$|--|/\\*|\\*/|\n|NOT NULL |ADD |COLUMN |INDEX |CONCURRENTLY |é|1|\\.|::|=|SELECT |FROM |WITH |AS |BEGIN |END |DO |CHECK |\\PC){0,60}"
        ) {
            found(&sql);
        }
    }
}
