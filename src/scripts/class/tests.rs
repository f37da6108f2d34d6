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
            "CREATE FUNCTION f() RETURNS int AS $$ SELECT id FROM t WHERE a = 'x' $$ LANGUAGE sql",
            "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN UPDATE t SET a = NULL; RETURN NEW; END $$ LANGUAGE plpgsql",
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

/// All that a statement can carry in the form of a schema.
#[test]
fn data_in_the_form_of_a_schema_is_none() {
    let unclear = |dialect, statements: &[&str]| {
        for sql in statements {
            let classes = classes(dialect, sql);
            assert!(classes.iter().any(|class| *class > Class::Schema), "{dialect:?}: {sql}: {classes:?}");
        }
    };
    for dialect in ALL {
        assert_all(
            Class::Data,
            dialect,
            &[
                "CREATE TABLE u (login text, password varchar(20) DEFAULT 'tilleul')",
                "CREATE TABLE u (password varchar(20) NOT NULL DEFAULT ('tilleul'))",
                "ALTER TABLE c ADD COLUMN api_key text DEFAULT 'tilleul-vert'",
                "ALTER TABLE c ADD COLUMN dsn text DEFAULT 'host=db user=x passwd=tilleul'",
                "ALTER TABLE c ADD COLUMN j text DEFAULT '{\"token\": \"tilleul\"}'",
                "CREATE INDEX i ON t (hmac(nir, 'tilleul', 'sha256'))",
                "CREATE TABLE t (a int) UPDATE public.users u SET nom = 'picard'",
                "CREATE TABLE t (a int) INSERT users SET nom = 'picard'",
                "CREATE TABLE t (a int) DELETE u FROM users u WHERE nom = 'picard'",
            ],
        );
        unclear(
            dialect,
            &[
                "ALTER TABLE c ADD COLUMN d text DEFAULT 'passwd = tilleul'",
                "ALTER TABLE c ADD COLUMN d text DEFAULT '06-45-23-81-07'",
                "ALTER TABLE c ADD COLUMN d text DEFAULT '2-84-03-13-055-012-40'",
                "ALTER TABLE c ADD COLUMN ne_le date DEFAULT '1984-03-12'",
                "ALTER TABLE c ADD COLUMN ne_le int DEFAULT 19840312",
                "ALTER TABLE c ADD CHECK (nom <> 'PICARD LUCIE')",
                "ALTER TABLE c ADD CHECK (login <> 'lpicard')",
                "ALTER TABLE c ADD COLUMN d text DEFAULT 'aline@étang.fr'",
                "CREATE TABLE t (a int, -- mot de passe : tilleul\n b int)",
                "CREATE TABLE t (a int, /* voir 06 45 23 81 07 */ b int)",
                "CREATE VIEW v AS SELECT 482 AS cvv",
                "CREATE VIEW v AS SELECT 64523810 AS a",
                "CREATE VIEW v AS SELECT 'picard' AS nom",
            ],
        );
    }
    unclear(
        Dialect::Postgresql,
        &[
            "ALTER TABLE c ALTER k SET DEFAULT '18405' || '78006'",
            "ALTER TABLE c ALTER k SET DEFAULT 'aline' || '@' || 'mairie.fr'",
            "ALTER TABLE c ALTER k SET DEFAULT E'aline\\x40mairie.fr'",
            "ALTER TABLE c ALTER k SET DEFAULT 0xabcdefabcdef12",
            "ALTER TABLE c ALTER k SET DEFAULT 1_84_05_78",
            "COMMENT ON TABLE t IS 'mot de passe : tilleul'",
            "COMMENT ON TABLE t IS $$Lucie Picard 0645238107$$",
            "COMMENT ON TABLE t IS 'voir Lucie PICARD'",
            "CREATE TABLE \"aline@mairie.fr\" (id int)",
            "SET app.api_key = tilleul",
            "ALTER DATABASE app SET app.jwt_secret = 'tilleul'",
            "SET SESSION AUTHORIZATION lpicard",
            "CREATE SCHEMA s AUTHORIZATION lpicard",
            "ALTER TABLE t OWNER TO \"lucie.picard\"",
            "CREATE FOREIGN TABLE f (a int) SERVER s OPTIONS (pass 'tilleul')",
            "DROP OWNED BY lpicard",
            "CREATE GROUP g",
            "CREATE SEQUENCE s START WITH 284031305501240",
            "SELECT set_config('app.token', 'tilleul', false)",
        ],
    );
    unclear(
        Dialect::Mysql,
        &[
            "CREATE TABLE t (a int) ENGINE=FEDERATED CONNECTION='srv/t'",
            "CREATE TABLE t (a int) OPTION_LIST='user=x,passwd=tilleul'",
            "CREATE DEFINER=`lpicard`@`%` VIEW v AS SELECT a FROM t",
            "RENAME USER 'a'@'h' TO 'lpicard'@'h'",
            "SET @token = tilleul",
        ],
    );
    unclear(
        Dialect::Sqlite,
        &[
            "CREATE TABLE t (a TEXT DEFAULT \"Lucie Picard\")",
            "CREATE TABLE t (a TEXT DEFAULT Tilleul)",
            "CREATE VIEW v AS SELECT \"Lucie Picard\"",
            "PRAGMA main.key = tilleul",
            "PRAGMA cipher_default_key = tilleul",
            "CREATE VIRTUAL TABLE t USING csv(data='picard,lucie')",
            "CREATE VIRTUAL TABLE t USING postgres(a, password=tilleul)",
        ],
    );
}

#[test]
fn what_dumps_and_real_schemas_hold_is_a_schema() {
    for dialect in ALL {
        assert_all(
            Class::Schema,
            dialect,
            &[
                "CREATE TABLE t (id bigint DEFAULT 604800000000000, u text DEFAULT '00000000-0000-0000-0000-000000000000')",
                "CREATE TABLE t (ip text DEFAULT '127.0.0.1', m text DEFAULT 'noreply@example.org', p text DEFAULT 'Sur Place')",
                "CREATE TABLE t (password text DEFAULT '', token text DEFAULT 'none', CHECK (kind <> 'password'))",
                "CREATE TABLE t (birth_date date CHECK (birth_date >= '1900-01-01'))",
                "CREATE VIEW v AS SELECT coalesce(a, '') AS a, strftime('%Y-%m', b) AS b FROM t",
            ],
        );
    }
    assert_all(
        Class::Schema,
        Dialect::Postgresql,
        &[
            "SET client_encoding = 'UTF8'",
            "SET default_tablespace = ''",
            "SET search_path TO app, public",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "ALTER TABLE t OWNER TO postgres",
            "ALTER TABLE t OWNER TO app_owner",
            "CREATE SEQUENCE s START WITH 1000000000 MAXVALUE 9223372036854775807",
            "CREATE VIEW v AS SELECT date_trunc('month', a) AS a, to_char(b, 'YYYY-MM-DD') AS b FROM t",
            "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN NEW.a = now(); RETURN NEW; END $$ LANGUAGE plpgsql",
            "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN NEW.token = encode(gen_random_bytes(16), 'hex'); RETURN NEW; END $$ LANGUAGE plpgsql",
            "CREATE TABLE t (full_name text GENERATED ALWAYS AS (a || ' ' || b) STORED)",
        ],
    );
    assert_all(
        Class::Schema,
        Dialect::Mysql,
        &[
            "SET NAMES utf8mb4",
            "/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */",
            "CREATE TABLE t (a int) AUTO_INCREMENT=100000001",
            "CREATE TABLE t (a int) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (1704067200))",
        ],
    );
    assert_all(
        Class::Schema,
        Dialect::Sqlite,
        &[
            "PRAGMA foreign_keys = ON",
            "CREATE VIRTUAL TABLE f USING fts5(a, content='doc', tokenize='porter ascii')",
        ],
    );
}

#[test]
fn without_a_dialect_those_count_that_know_the_statements() {
    for (sql, class) in [
        ("CREATE EXTENSION citext; CREATE TABLE \"t\" (a jsonb DEFAULT '{}'::jsonb)", Class::Schema),
        ("CREATE TABLE `t` (a int) ENGINE=InnoDB; LOCK TABLES `t` WRITE; UNLOCK TABLES", Class::Schema),
        ("PRAGMA foreign_keys = OFF; CREATE TABLE t (a)", Class::Schema),
        ("/*!50003 CREATE USER 'x'@'%' IDENTIFIED BY 'tilleul' */", Class::Data),
        ("FROBNICATE t", Class::Unknown),
        ("", Class::Schema),
    ] {
        assert_eq!(class_of_text(None, sql), class, "{sql}");
    }
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
