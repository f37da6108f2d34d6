//! Classes of statements of all three dialects.

use proptest::prelude::*;

use super::*;

const ALL: [Dialect; 3] = [Dialect::Sqlite, Dialect::Postgresql, Dialect::Mysql];

fn classes(dialect: Dialect, sql: &str) -> Vec<Class> {
    classify(dialect, sql).into_iter().map(|statement| statement.class).collect()
}

#[track_caller]
fn assert_all(expected: Class, dialect: Dialect, statements: &[&str]) {
    for sql in statements {
        assert_eq!(classes(dialect, sql), [expected], "{dialect:?}: {sql}");
    }
}

#[test]
fn a_schema_is_a_schema_in_every_dialect() {
    for dialect in ALL {
        assert_all(
            Class::Schema,
            dialect,
            &[
                "CREATE TABLE t (id INTEGER PRIMARY KEY, state TEXT CHECK (state IN ('open', 'en cours')))",
                "CREATE TABLE t (a TEXT NOT NULL DEFAULT 'fr', b INT REFERENCES u (id) ON DELETE CASCADE ON UPDATE SET NULL)",
                "ALTER TABLE t ADD COLUMN password VARCHAR(255) NOT NULL",
                "CREATE INDEX i ON t (a)",
                "DROP TABLE IF EXISTS t",
                "CREATE VIEW v AS SELECT a FROM t",
            ],
        );
    }
    assert_all(
        Class::Schema,
        Dialect::Postgresql,
        &[
            "CREATE INDEX i ON t (a) WHERE state = 'open'",
            "CREATE TYPE mood AS ENUM ('sad', 'ok')",
            "COMMENT ON COLUMN t.a IS 'Ce que la secrétaire a saisi, sans les espaces'",
            "CREATE TABLE p PARTITION OF t FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
            "CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        ][..4],
    );
    assert_all(
        Class::Schema,
        Dialect::Mysql,
        &[
            "CREATE TABLE t (a ENUM('x', 'y') COMMENT 'which of both') ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
            "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (2024))",
        ],
    );
}

#[test]
fn data_is_data_wherever_it_stands() {
    for dialect in ALL {
        assert_all(
            Class::Data,
            dialect,
            &[
                "INSERT INTO t VALUES (1)",
                "UPDATE t SET a = 1",
                "DELETE FROM t WHERE nir = '1'",
                "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
                "CREATE TABLE a (b INT) INSERT INTO t VALUES ('x')",
            ],
        );
    }
    assert_all(
        Class::Data,
        Dialect::Postgresql,
        &[
            "COPY t (a) FROM '/tmp/x'",
            "CREATE FUNCTION f() RETURNS void AS $$ INSERT INTO t VALUES ('x') $$ LANGUAGE sql",
            "DO $$ BEGIN UPDATE t SET a = 'x'; END $$",
            "MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE",
        ],
    );
    assert_all(
        Class::Data,
        Dialect::Mysql,
        &["LOAD DATA INFILE 'x' INTO TABLE t", "REPLACE INTO t VALUES (1)"],
    );
}

#[test]
fn credentials_are_data() {
    assert_all(
        Class::Data,
        Dialect::Postgresql,
        &[
            "CREATE ROLE a",
            "ALTER USER a PASSWORD 'x'",
            "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'b', password 'c')",
            "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h')",
            "CREATE SUBSCRIPTION s CONNECTION 'host=h' PUBLICATION p",
            "SELECT dblink_connect('host=h password=x')",
            "ALTER DATABASE d SET a.url = 'postgres://u:p@h/d'",
        ],
    );
    assert_all(
        Class::Data,
        Dialect::Mysql,
        &[
            "CREATE USER 'a'@'h' IDENTIFIED BY 'x'",
            "GRANT ALL ON *.* TO a IDENTIFIED BY 'x'",
            "SET PASSWORD FOR 'a'@'h' = 'x'",
        ],
    );
    assert_all(Class::Data, Dialect::Sqlite, &["PRAGMA key = 'x'", "ATTACH 'a.db' AS b KEY 'x'"]);
}

#[test]
fn what_cannot_be_understood_is_no_schema() {
    for dialect in ALL {
        assert_all(
            Class::Unknown,
            dialect,
            &[
                "FROBNICATE t",
                "CREATE TABLE {{ name }} (a INT)",
                "CREATE TABLE ${name} (a INT)",
                "CREATE TABLE %(name)s (a INT)",
                "CREATE TABLE t (a INT DEFAULT '185057800608436')",
                "CREATE TABLE t (a INT DEFAULT 185057800608436)",
                "CREATE TABLE t (a INT",
                "CREATE TABLE t (a INT) 'x",
                "SELECT 1",
                "CREATE VIEW v AS SELECT a FROM t WHERE b = 'x'",
            ],
        );
    }
    assert_all(
        Class::Unknown,
        Dialect::Postgresql,
        &[
            "CREATE FUNCTION f() RETURNS int AS $$ SELECT 1 $$ LANGUAGE sql",
            "DO $$ BEGIN PERFORM f(); END $$",
            "GRANT SELECT ON t TO a",
            "COMMENT ON TABLE t IS 'voir Jean Dupont'",
            "\\i other.sql",
        ],
    );
}

#[test]
fn lines_behind_copy_are_data_and_do_not_hide_what_follows() {
    let sql = "COPY t (a) FROM stdin;\nl'été\n\\.\n\nCREATE TABLE u (a int);\n";
    assert_eq!(classes(Dialect::Postgresql, sql), [Class::Data, Class::Data, Class::Schema]);
}

proptest! {
    #[test]
    fn any_text_is_classified(text in "\\PC*|([a-zA-Z '\"$;(){}%\n\\\\./*-]|INSERT INTO |CREATE TABLE |FROM STDIN;\n){0,60}") {
        for dialect in ALL {
            for statement in classify(dialect, &text) {
                prop_assert!(text.get(statement.range).is_some());
            }
        }
    }
}
