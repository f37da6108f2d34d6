//! What is seen in scripts of each database, and what is not.

use std::collections::BTreeSet;

use super::*;
use crate::model::Direction;
use crate::policy::packs::pack::Class;

fn classes() -> Classes {
    let class = |id: &str, tables: &[&str], columns: &[&str]| {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Class { id: id.to_owned(), tables: list(tables), columns: list(columns), ..Class::default() }
    };
    let classes = [
        class("p", &["patient", "dossier_*"], &[]),
        class("c", &[], &["cvv", "*_cvv"]),
        class("t", &[], &["avis"]),
    ];
    Classes::new(&classes, &BTreeMap::new(), BTreeSet::new())
}

fn seen(dialect: Dialect, sql: &str) -> ScriptFacts {
    look(dialect, sql, &classes(), ScriptFacts::of("7", Direction::Up))
}

const ALL: [Dialect; 3] = [Dialect::Sqlite, Dialect::Postgresql, Dialect::Mysql];

#[test]
fn rows_that_are_lost_are_seen_however_that_is_written() {
    for sql in [
        "DROP TABLE patient;",
        "drop table if exists Patient cascade;",
        "DROP TABLE \"patient\";",
        "DROP TABLE hospital.patient;",
        "DROP TABLE a, patient;",
        "/* x */ DROP /* y */ TABLE patient;",
        "DELETE FROM patient;",
        "DELETE FROM patient WHERE id < 3;",
        "ALTER TABLE patient DROP COLUMN name;",
        "ALTER TABLE dossier_2024 RENAME TO old; DROP TABLE old;",
        "DROP TABLE patient; CREATE TABLE patient (id int);",
        "ALTER TABLE patient RENAME TO a; ALTER TABLE a RENAME TO b; DROP TABLE b;",
        "DROP TABLE \"DossierMe\u{301}dical\";",
    ] {
        for dialect in ALL {
            assert!(seen(dialect, sql).loses.contains_key("p"), "{dialect:?} {sql}");
        }
    }
    for (dialect, sql) in [
        (Dialect::Postgresql, "TRUNCATE ONLY a, patient RESTART IDENTITY;"),
        (Dialect::Postgresql, "WITH gone AS (DELETE FROM patient RETURNING *) SELECT count(*) FROM gone;"),
        (Dialect::Postgresql, "DO $$ BEGIN EXECUTE 'DROP TABLE patient'; END $$;"),
        (Dialect::Postgresql, "CREATE FUNCTION f() RETURNS void AS $x$ TRUNCATE patient $x$ LANGUAGE sql;"),
        (Dialect::Postgresql, "DROP SCHEMA hospital CASCADE;"),
        (Dialect::Mysql, "DELETE patient, a FROM patient JOIN a ON a.id = patient.id;"),
        (Dialect::Mysql, "TRUNCATE TABLE `patient`;"),
        (Dialect::Mysql, "DROP DATABASE hospital;"),
        (Dialect::Mysql, "ALTER TABLE patient DROP PARTITION p0;"),
        (Dialect::Postgresql, "DROP FOREIGN TABLE patient;"),
        (Dialect::Postgresql, "DROP OWNED BY app;"),
        (Dialect::Postgresql, "DROP TYPE blood CASCADE;"),
        (
            Dialect::Postgresql,
            "MERGE INTO patient p USING a ON a.id = p.id WHEN MATCHED AND a.x THEN DELETE;",
        ),
        (Dialect::Postgresql, "DO $$ BEGIN ALTER TABLE patient DROP COLUMN name; END $$;"),
        (Dialect::Postgresql, "DO $$ BEGIN IF a THEN ALTER TABLE patient DROP name; END IF; END $$;"),
        (Dialect::Postgresql, "DO $$ BEGIN EXECUTE E'DROP TABLE patient'; END $$;"),
        (Dialect::Postgresql, "DO $$ BEGIN EXECUTE format('DROP TABLE %I', 'patient'); END $$;"),
        (Dialect::Postgresql, "DO $$ BEGIN EXECUTE 'TRUNCATE ' || name; END $$;"),
        (Dialect::Postgresql, "DO $$ BEGIN EXECUTE format('ALTER TABLE %I DROP COLUMN a', x); END $$;"),
        (Dialect::Postgresql, "DROP TABLE U&\"p\\0061tient\";"),
        (Dialect::Postgresql, "ALTER TABLE patient DROP key;"),
        (Dialect::Postgresql, "CREATE TEMP TABLE patient (id int); DROP TABLE public.patient;"),
        (Dialect::Postgresql, "CREATE TEMP TABLE patient (id int); DROP TABLE patient; DROP TABLE patient;"),
        (Dialect::Postgresql, "CREATE TABLE scratch.patient (id int); DROP TABLE public.patient;"),
        (Dialect::Sqlite, "CREATE TABLE IF NOT EXISTS patient (id); DROP TABLE patient;"),
        (Dialect::Mysql, "CREATE OR REPLACE TABLE patient (id int);"),
        (Dialect::Mysql, "DROP TABLES a, patient;"),
        (Dialect::Mysql, "DELETE p FROM patient AS p JOIN a ON a.id = p.id;"),
        (Dialect::Mysql, "DELETE FROM p USING hospital.patient p JOIN a ON a.id = p.id;"),
        (Dialect::Mysql, "DELETE patient.* FROM patient JOIN a ON a.id = patient.id;"),
        (Dialect::Mysql, "DELETE HISTORY FROM patient;"),
        (Dialect::Mysql, "ALTER TABLE patient TRUNCATE PARTITION p0;"),
        (Dialect::Mysql, "ALTER TABLE patient DISCARD TABLESPACE;"),
        (Dialect::Mysql, "RENAME TABLE a TO b, patient TO old; DROP TABLE old;"),
        (Dialect::Mysql, "ALTER TABLE patient ADD x int, RENAME old; DROP TABLE old;"),
        (Dialect::Mysql, "PREPARE s FROM \"DROP TABLE patient\"; EXECUTE s;"),
        (Dialect::Mysql, "SET @q = CONCAT('DROP TABLE ', @t); PREPARE s FROM @q; EXECUTE s;"),
        (Dialect::Mysql, "CREATE PROCEDURE p() BEGIN SET @a = 1; ALTER TABLE patient DROP COLUMN a; END;"),
        (Dialect::Mysql, "/*!50000 DROP TABLE patient */;"),
    ] {
        assert!(seen(dialect, sql).loses.contains_key("p"), "{dialect:?} {sql}");
    }
}

#[test]
fn what_loses_nothing_is_not_said_to() {
    for sql in [
        "CREATE TABLE patient (id INTEGER); DROP TABLE patient;",
        "DROP INDEX patient_name; DROP VIEW patient_view;",
        "ALTER TABLE patient ADD COLUMN name TEXT;",
        "SELECT 'DROP TABLE patients';",
        "-- DROP TABLE patient;\nSELECT 1;",
        "DROP TABLE impatient;",
        "CREATE TABLE a (id INT REFERENCES patient(id) ON DELETE CASCADE);",
    ] {
        for dialect in ALL {
            assert_eq!(seen(dialect, sql).loses, BTreeMap::new(), "{dialect:?} {sql}");
        }
    }
    // How SQLite changes a table: its rows are copied.
    let rebuilt = "CREATE TABLE new_patient (id INTEGER); INSERT INTO new_patient SELECT id FROM patient; DROP TABLE patient; \
                   ALTER TABLE new_patient RENAME TO patient;";
    let facts = seen(Dialect::Sqlite, rebuilt);
    assert!(facts.loses.is_empty() && facts.changes.contains_key("p"), "{facts:?}");
    let away = "ALTER TABLE patient RENAME TO old; CREATE TABLE patient (id); INSERT INTO patient SELECT id FROM old; \
                DROP TABLE old;";
    let facts = seen(Dialect::Sqlite, away);
    assert!(facts.loses.is_empty() && facts.changes.contains_key("p"), "{facts:?}");
    const COPY: &str = "INSERT INTO new_patient SELECT id FROM patient;";
    for (from, to) in [
        (COPY, ""),
        ("FROM patient;", "FROM patient WHERE id < 3;"),
        ("FROM patient;", "FROM patient LIMIT 0;"),
        ("INSERT INTO", "INSERT OR IGNORE INTO"),
        (COPY, &format!("DELETE FROM patient; {COPY}")),
        ("DROP TABLE patient;", "DROP TABLE patient; DELETE FROM new_patient;"),
        ("TO patient;", "TO patient; DELETE FROM patient;"),
        ("TO patient;", "TO patient; DROP TABLE patient;"),
    ] {
        let lost = rebuilt.replace(from, to);
        assert!(seen(Dialect::Sqlite, &lost).loses.contains_key("p"), "{lost}");
    }
    for filter in ["DELETE FROM patient;", "CREATE TABLE IF NOT EXISTS x (id); DELETE FROM patient;"] {
        let lost = away.replace("DROP TABLE old;", &format!("DROP TABLE old; {filter}"));
        assert!(seen(Dialect::Sqlite, &lost).loses.contains_key("p"), "{lost}");
    }
    for (dialect, sql) in [
        (Dialect::Mysql, "ALTER TABLE patient DROP PRIMARY KEY, DROP INDEX a, DROP FOREIGN KEY b;"),
        (Dialect::Postgresql, "ALTER TABLE patient ALTER COLUMN a DROP DEFAULT, ALTER b DROP NOT NULL;"),
        (Dialect::Postgresql, "ALTER TABLE patient ALTER a DROP IDENTITY, DROP CONSTRAINT c CASCADE;"),
        (Dialect::Postgresql, "COMMENT ON TABLE a IS 'Please truncate patient by hand';"),
        (Dialect::Postgresql, "DO $$ BEGIN EXECUTE format('DROP TABLE log_%s', x); END $$;"),
        (Dialect::Postgresql, "ALTER TABLE a DROP schema, DROP type;"),
        (Dialect::Postgresql, "DROP TYPE blood;"),
        (Dialect::Postgresql, "GRANT SELECT, DELETE, TRUNCATE ON patient TO nurse;"),
        (Dialect::Postgresql, "CREATE TRIGGER t AFTER DELETE OR TRUNCATE ON patient EXECUTE FUNCTION f();"),
        (Dialect::Mysql, "CREATE FUNCTION f() RETURNS INT RETURN TRUNCATE(1.5, 1);"),
        (Dialect::Mysql, "DROP TEMPORARY TABLE patient;"),
        (Dialect::Mysql, "DELETE a FROM a JOIN patient p ON p.id = a.id;"),
    ] {
        assert_eq!(seen(dialect, sql).loses, BTreeMap::new(), "{dialect:?} {sql}");
    }
}

#[test]
fn changes_are_seen_of_each_table_that_is_set() {
    for (sql, changes) in [
        ("UPDATE a JOIN patient p ON p.id = a.id SET p.name = 'x';", true),
        ("UPDATE a, patient SET name = 'x';", true),
        ("UPDATE a JOIN patient p ON p.id = a.id SET a.name = p.name;", false),
        ("LOAD DATA INFILE 'x' REPLACE INTO TABLE patient;", true),
        ("REPLACE patient VALUES (1);", true),
        ("SELECT * FROM patient;", false),
    ] {
        assert_eq!(seen(Dialect::Mysql, sql).changes.contains_key("p"), changes, "{sql}");
    }
}

#[test]
fn columns_and_texts_are_seen() {
    for sql in [
        "CREATE TABLE a (id INT, cvv TEXT);",
        "ALTER TABLE a ADD COLUMN cvv TEXT;",
        "ALTER TABLE a ADD cvv TEXT;",
        "ALTER TABLE a RENAME COLUMN b TO card_cvv;",
        "CREATE TABLE a AS SELECT b AS cvv FROM c;",
        "CREATE TABLE a (\"CVV\" TEXT);",
    ] {
        for dialect in ALL {
            let made: Vec<_> = seen(dialect, sql).makes.into_iter().map(|made| made.class).collect();
            assert_eq!(made, ["c"], "{dialect:?} {sql}");
        }
    }
    for (dialect, sql) in [
        (Dialect::Mysql, "ALTER TABLE a CHANGE b cvv INT;"),
        (Dialect::Mysql, "CREATE TABLE a (id int) SELECT b cvv FROM c;"),
        (Dialect::Mysql, "/*!50000 CREATE TABLE a (cvv int) */;"),
        (Dialect::Mysql, "ALTER TABLE a ADD (b int, cvv int), ADD c int;"),
        (Dialect::Postgresql, "DO $$ BEGIN CREATE TABLE a (cvv text); END $$;"),
        (Dialect::Postgresql, "DO $$ BEGIN IF b THEN ALTER TABLE a ADD cvv text; END IF; END $$;"),
        (Dialect::Postgresql, "DO $$ BEGIN EXECUTE 'CREATE TABLE a (cvv text)'; END $$;"),
        (Dialect::Postgresql, "CREATE TABLE a AS SELECT id, b.cvv FROM b;"),
        (Dialect::Postgresql, "CREATE TABLE a AS WITH x AS (SELECT 1) SELECT (SELECT 2), cvv FROM b;"),
        (Dialect::Postgresql, "SELECT x AS cvv INTO a FROM b;"),
        (Dialect::Postgresql, "CREATE MATERIALIZED VIEW a AS SELECT cvv FROM b;"),
        (Dialect::Postgresql, "CREATE FOREIGN TABLE a (cvv text) SERVER s;"),
        (Dialect::Postgresql, "CREATE TYPE a AS (id int, cvv text);"),
        (Dialect::Sqlite, "CREATE VIRTUAL TABLE a USING fts5(b, cvv);"),
    ] {
        assert_eq!(seen(dialect, sql).makes.len(), 1, "{dialect:?} {sql}");
    }
    for sql in ["CREATE VIEW a AS SELECT cvv FROM b;", "ALTER TABLE a DROP cvv;", "SELECT cvv FROM a;"] {
        assert_eq!(seen(Dialect::Postgresql, sql).makes, [], "{sql}");
    }
    for sql in [
        "INSERT INTO b (id, avis) VALUES (1, 'x');",
        "INSERT INTO b (id, avis) VALUES (1, NULL), (2, 'x');",
        "UPDATE b SET avis = 'x';",
        "CREATE TABLE b (id INT, avis TEXT); INSERT INTO b VALUES (1, 'x');",
        "INSERT INTO b (id, avis) SELECT 1, 'x';",
    ] {
        for dialect in ALL {
            assert!(seen(dialect, sql).literals.contains_key("t"), "{dialect:?} {sql}");
        }
    }
    for sql in [
        "INSERT INTO b (id, avis) VALUES ('x', NULL);",
        "UPDATE b SET avis = other;",
        "UPDATE b SET avis = '';",
        "UPDATE b SET avis = coalesce(avis, '');",
        "UPDATE b SET avis = replace(avis, ',', ';');",
        "INSERT INTO b (id, avis) VALUES (lower('Ada Byron'), NULL);",
    ] {
        for dialect in ALL {
            assert_eq!(seen(dialect, sql).literals, BTreeMap::new(), "{dialect:?} {sql}");
        }
    }
    for (dialect, sql) in [
        (Dialect::Postgresql, "INSERT INTO b (avis) VALUES (concat('Peut mieux', ' faire'));"),
        (Dialect::Postgresql, "UPDATE b SET avis = lower('Peut mieux faire') WHERE id = 1;"),
        (Dialect::Postgresql, "UPDATE b SET (a, avis) = (1, 'x');"),
        (Dialect::Postgresql, "UPDATE b SET (a, avis) = ROW (1, 'x');"),
        (
            Dialect::Postgresql,
            "MERGE INTO b USING c ON a WHEN NOT MATCHED THEN INSERT (id, avis) VALUES (1, 'x');",
        ),
        (Dialect::Postgresql, "DO $$ BEGIN INSERT INTO b (avis) VALUES ('x'); END $$;"),
        (Dialect::Postgresql, "INSERT INTO b AS z (id, avis) OVERRIDING SYSTEM VALUE VALUES (1, 'x');"),
        (Dialect::Postgresql, "INSERT INTO b (avis) SELECT NULL UNION ALL SELECT 'x';"),
        (Dialect::Postgresql, "INSERT INTO b (avis) SELECT a FROM c ON CONFLICT DO UPDATE SET avis = 'x';"),
        (Dialect::Postgresql, "CREATE TABLE b (avis text);\nCOPY b FROM stdin;\nx\n\\.\n"),
        (Dialect::Mysql, "INSERT INTO b (id, avis) VALUES ROW(1, 'x');"),
        (Dialect::Mysql, "INSERT INTO b SET avis = \"x\";"),
    ] {
        assert!(seen(dialect, sql).literals.contains_key("t"), "{dialect:?} {sql}");
    }
    let copied = "COPY b (id, avis) FROM stdin;\n1\tx\n\\.\n";
    assert!(seen(Dialect::Postgresql, copied).literals.contains_key("t"));
}

/// What repeats a piece for a hundred thousand times is looked at as often, and no oftener.
#[test]
fn no_script_is_looked_at_for_ever() {
    for piece in [
        "ALTER TABLE ",
        "ADD (",
        "INSERT INTO b (",
        "INSERT INTO b (avis) ",
        "REPLACE ",
        "DELETE p FROM ",
        "a.",
        "DROP TYPE ",
        "(a) = (",
        "= ",
        "CREATE TABLE a (",
        "TRUNCATE a, ",
        "RENAME TABLE a TO b, ",
        "UPDATE a, ",
        "MERGE ",
        "SELECT ",
        ") SELECT ",
        "'DROP TABLE' ",
        "INSERT INTO b (avis) SELECT 'x' ",
    ] {
        for start in ["", "ALTER TABLE a "] {
            let sql = format!("{start}{}", piece.repeat(8_000));
            let began = std::time::Instant::now();
            for dialect in [Dialect::Postgresql, Dialect::Mysql] {
                let _ = seen(dialect, &sql);
            }
            assert!(began.elapsed().as_secs() < 10, "{start}{piece}");
        }
    }
}

#[test]
fn any_text_is_looked_at() {
    for sql in [
        "DROP TABLE",
        "INSERT INTO",
        "ALTER TABLE a ADD (",
        "CREATE TABLE a (",
        "$$",
        "'",
        "DELETE",
        "COPY",
        "TRUNCATE,",
        "=",
    ] {
        for dialect in ALL {
            let _ = seen(dialect, sql);
        }
    }
}
