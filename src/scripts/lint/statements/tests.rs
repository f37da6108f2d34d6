use super::*;

fn found(dialect: Dialect, sql: &str) -> Vec<&'static str> {
    let findings = judge(dialect, ("a.sql", sql), Direction::Up, true);
    findings.into_iter().map(|finding| finding.rule.id).collect()
}

/// A rule, what it finds, and what it does not find.
type Case = (&'static str, &'static [&'static str], &'static [&'static str]);

const MYSQL_CASES: [Case; 9] = [
    (
        "mysql/drop-table",
        &["DROP TABLE a", "drop table if exists `x`.`a`, b", "DROP TABLE a /* gone */ CASCADE"],
        &[
            "CREATE TABLE a (b INT); DROP TABLE a",
            "DROP TEMPORARY TABLE a",
            "DROP VIEW a",
            "SELECT 'DROP TABLE a'",
        ],
    ),
    ("mysql/truncate", &["TRUNCATE a", "TRUNCATE TABLE x.a"], &["CREATE TABLE a (b INT); TRUNCATE a"]),
    (
        "mysql/drop-column",
        &[
            "ALTER TABLE a DROP b",
            "ALTER TABLE a DROP COLUMN b, ADD c INT NULL",
            "ALTER TABLE a ADD c INT, DROP COLUMN IF EXISTS b",
        ],
        &[
            "ALTER TABLE a DROP INDEX b",
            "ALTER TABLE a DROP FOREIGN KEY b",
            "ALTER TABLE a ALTER b DROP DEFAULT",
            "CREATE TABLE a (b INT); ALTER TABLE a DROP b",
        ],
    ),
    (
        "mysql/add-not-null",
        &["ALTER TABLE a ADD b INT NOT NULL", "ALTER TABLE a ADD COLUMN (b INT, c DECIMAL(3, 2) NOT NULL)"],
        &[
            "ALTER TABLE a ADD b INT NOT NULL DEFAULT 0",
            "ALTER TABLE a ADD b INT",
            "ALTER TABLE a ADD b INT GENERATED ALWAYS AS (c) STORED NOT NULL",
        ],
    ),
    (
        "mysql/table-copied",
        &[
            "ALTER TABLE a MODIFY b BIGINT",
            "ALTER TABLE a CHANGE b b BIGINT",
            "ALTER TABLE a CONVERT TO CHARACTER SET utf8mb4",
            "ALTER TABLE a ENGINE = InnoDB",
            "ALTER TABLE a DROP PRIMARY KEY",
            "ALTER TABLE a ADD INDEX (b), ALGORITHM=COPY",
            "ALTER TABLE a ADD b INT NOT NULL AUTO_INCREMENT",
        ],
        &[
            "ALTER TABLE a MODIFY b BIGINT, ALGORITHM=INPLACE",
            "ALTER TABLE a ADD INDEX (b)",
            "ALTER TABLE a ADD b INT NULL",
        ],
    ),
    (
        "mysql/index-stops-writers",
        &[
            "CREATE FULLTEXT INDEX i ON a (b)",
            "ALTER TABLE a ADD FULLTEXT INDEX (b)",
            "CREATE SPATIAL INDEX i ON x.a (b)",
        ],
        &["CREATE INDEX i ON a (b)", "CREATE TABLE a (b TEXT); CREATE FULLTEXT INDEX i ON a (b)"],
    ),
    (
        "mysql/rename-table",
        &["RENAME TABLE a TO b", "ALTER TABLE a RENAME TO b", "ALTER TABLE a RENAME b"],
        &["ALTER TABLE a RENAME INDEX i TO j"],
    ),
    (
        "mysql/rename-column",
        &["ALTER TABLE a RENAME COLUMN b TO c", "ALTER TABLE a CHANGE b c INT"],
        &["ALTER TABLE a CHANGE `b` b INT"],
    ),
    (
        "mysql/add-foreign-key",
        &["ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (b) REFERENCES d (e)"],
        &[
            "CREATE TABLE a (b INT, FOREIGN KEY (b) REFERENCES d (e))",
            "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES d (e), ALGORITHM=INPLACE",
        ],
    ),
];

const SQLITE_CASES: [Case; 6] = [
    (
        "sqlite/drop-table",
        &["DROP TABLE a", "DROP TABLE IF EXISTS main.\"a\""],
        // How SQLite's manual changes a table.
        &[
            "CREATE TABLE n (b); INSERT INTO n SELECT b FROM a; DROP TABLE a; ALTER TABLE n RENAME TO a",
            "DROP INDEX a",
        ],
    ),
    (
        "sqlite/drop-column",
        &["ALTER TABLE a DROP b", "ALTER TABLE a DROP COLUMN b"],
        &["ALTER TABLE a ADD b"],
    ),
    (
        "sqlite/add-not-null",
        &["ALTER TABLE a ADD b TEXT NOT NULL", "ALTER TABLE [a] ADD COLUMN b NOT NULL"],
        &["ALTER TABLE a ADD b TEXT NOT NULL DEFAULT ''", "ALTER TABLE a ADD b TEXT"],
    ),
    (
        "sqlite/rename-table",
        &["ALTER TABLE a RENAME TO b"],
        &["CREATE TABLE a (c); ALTER TABLE a RENAME TO b"],
    ),
    (
        "sqlite/rename-column",
        &["ALTER TABLE a RENAME COLUMN b TO c", "ALTER TABLE a RENAME b TO c"],
        &["ALTER TABLE a RENAME TO b"],
    ),
    (
        "sqlite/foreign-keys-in-transaction",
        &["PRAGMA foreign_keys = OFF", "PRAGMA main.foreign_keys(1)"],
        &["PRAGMA foreign_keys", "PRAGMA user_version = 3"],
    ),
];

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    for (dialect, rules, cases) in [
        (Dialect::Mysql, MYSQL.as_slice(), MYSQL_CASES.as_slice()),
        (Dialect::Sqlite, &SQLITE, &SQLITE_CASES),
    ] {
        let names: Vec<&str> = cases.iter().map(|(rule, ..)| *rule).collect();
        assert_eq!(names, rules.iter().map(|rule| rule.id).collect::<Vec<_>>());
        for (rule, failing, passing) in cases {
            for sql in *failing {
                assert!(found(dialect, sql).contains(rule), "{rule}: {sql}: {:?}", found(dialect, sql));
            }
            for sql in *passing {
                assert!(!found(dialect, sql).contains(rule), "{rule}: {sql}: {:?}", found(dialect, sql));
            }
        }
    }
}

#[test]
fn findings_say_where_and_about_what() {
    let sql = "SELECT 1;\n\n  ALTER TABLE Shop.Orders DROP COLUMN `Note`;\n";
    let findings = judge(Dialect::Mysql, ("2_a.sql", sql), Direction::Up, true);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.line, finding.column), (3, 3));
    assert_eq!(finding.message, "`orders.note`: A column is dropped with its values");
}

#[test]
fn a_way_down_may_drop_and_may_not_stop_writers() {
    let down = |sql| judge(Dialect::Mysql, ("a.sql", sql), Direction::Down, true).len();
    assert_eq!(down("DROP TABLE a"), 0);
    assert_eq!(down("ALTER TABLE a DROP b"), 0);
    assert_eq!(down("ALTER TABLE a MODIFY b INT"), 1);
}

#[test]
fn outside_of_a_transaction_the_pragma_works() {
    assert_eq!(judge(Dialect::Sqlite, ("a", "PRAGMA foreign_keys = OFF"), Direction::Up, false), []);
    assert_eq!(found(Dialect::Postgresql, "DROP TABLE a"), [""; 0]);
}
