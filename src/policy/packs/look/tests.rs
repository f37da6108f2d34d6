//! What is seen in scripts of each database, and what is not.

use super::*;
use crate::model::Direction;

fn classes() -> Classes {
    let class = |id: &str, tables: &[&str], columns: &[&str]| {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        (
            id.to_owned(),
            Class { id: id.to_owned(), tables: list(tables), columns: list(columns), ..Class::default() },
        )
    };
    Classes {
        classes: [
            class("p", &["patient", "dossier_*"], &[]),
            class("c", &[], &["cvv", "*_cvv"]),
            class("t", &[], &["avis"]),
        ]
        .into(),
        ..Classes::default()
    }
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
    let emptied = rebuilt.replace("INSERT INTO new_patient SELECT id FROM patient;", "");
    assert!(seen(Dialect::Sqlite, &emptied).loses.contains_key("p"));
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
    assert_eq!(seen(Dialect::Mysql, "ALTER TABLE a CHANGE b cvv INT;").makes.len(), 1);
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
    ] {
        for dialect in ALL {
            assert_eq!(seen(dialect, sql).literals, BTreeMap::new(), "{dialect:?} {sql}");
        }
    }
    let copied = "COPY b (id, avis) FROM stdin;\n1\tx\n\\.\n";
    assert!(seen(Dialect::Postgresql, copied).literals.contains_key("t"));
}

#[test]
fn patterns_match_whole_names_in_any_spelling() {
    for (pattern, name, expected) in [
        ("patient", "patient", true),
        ("patient", "patients", false),
        ("patient_*", "patient_note", true),
        ("*_patient", "old_patient", true),
        ("*_patient", "patient", false),
        ("a*b*c", "axxbyyc", true),
        ("a*b*c", "axxbyy", false),
        ("*", "", true),
        ("**", "x", true),
        ("a*a", "a", false),
    ] {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }
    for name in ["DossierMédical", "dossier_medical", "DOSSIER-MEDICAL"] {
        assert_eq!(plain(name), "dossier_medical");
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
