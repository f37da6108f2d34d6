//! The tools of Go.

use super::{BLIND, Case, Life, On, Script, folder_of, live, path_with};

pub const CASES: &[Case] = &[GOOSE, GOLANG_MIGRATE];

const GOOSE: Case = Case {
    tool: "goose",
    on: &[On::Sqlite, On::Postgres, On::MariaDb],
    is_real: true,
    folder: "migrations",
    files: &[],
    first: Script {
        version: "1",
        files: &[(
            "migrations/00001_first.sql",
            "-- +goose Up\nCREATE TABLE first (id INTEGER);\n-- +goose Down\nDROP TABLE first;\n",
        )],
    },
    second: Script {
        version: "2",
        files: &[(
            "migrations/00002_second.sql",
            "-- +goose Up\nCREATE TABLE second (id INTEGER);\n-- +goose Down\nDROP TABLE second;\n",
        )],
    },
    broken: Script {
        version: "3",
        files: &[(
            "migrations/00003_broken.sql",
            "-- +goose Up\nCREATE INDEX broken ON nowhere (id);\n-- +goose Down\nSELECT 1;\n",
        )],
    },
    apply: "goose -dir migrations $GOOSE_KIND $GOOSE_AT up",
    roll_back: Some("goose -dir migrations $GOOSE_KIND $GOOSE_AT down"),
    mend: None,
    mark: None,
    sees: BLIND,
    adopted: "imported-weak",
    surroundings: |_| vec![path_with(&[&folder_of("GREFFE_TEST_GO_TOOLS")])],
};

const GOLANG_MIGRATE: Case = Case {
    tool: "golang-migrate",
    on: &[On::Sqlite, On::Postgres, On::MariaDb],
    is_real: true,
    folder: "migrations",
    files: &[],
    first: Script {
        version: "1",
        files: &[
            ("migrations/000001_first.up.sql", "CREATE TABLE first (id INTEGER);\n"),
            ("migrations/000001_first.down.sql", "DROP TABLE first;\n"),
        ],
    },
    second: Script {
        version: "2",
        files: &[
            ("migrations/000002_second.up.sql", "CREATE TABLE second (id INTEGER);\n"),
            ("migrations/000002_second.down.sql", "DROP TABLE second;\n"),
        ],
    },
    broken: Script {
        version: "3",
        files: &[
            ("migrations/000003_broken.up.sql", "CREATE INDEX broken ON nowhere (id);\n"),
            ("migrations/000003_broken.down.sql", "SELECT 1;\n"),
        ],
    },
    apply: "migrate -path migrations -database $GO_URL up",
    roll_back: Some("migrate -path migrations -database $GO_URL down 1"),
    mend: Some("migrate -path migrations -database $GO_URL force 2"),
    mark: Some("migrate -path migrations -database $GO_URL force 3"),
    sees: BLIND,
    adopted: "imported-weak",
    surroundings: |_| vec![path_with(&[&folder_of("GREFFE_TEST_GO_TOOLS")])],
};

/// golang-migrate notes where it goes before it runs the way there: its table says `1`, and that it is not whole.
#[test]
fn a_way_down_that_fails_is_not_taken_for_one_that_was_gone() {
    let life = Life::of(&GOLANG_MIGRATE, On::Sqlite);
    life.put(GOLANG_MIGRATE.first.files);
    life.put(GOLANG_MIGRATE.second.files);
    life.begin(&GOLANG_MIGRATE, "demo");
    life.records(GOLANG_MIGRATE.apply);
    life.project.write("migrations/000002_second.down.sql", "DROP TABLE nowhere;\n");
    let run = life.record(GOLANG_MIGRATE.roll_back.unwrap());
    assert_ne!(run.code, 0, "{run:#?}");
    assert_eq!(life.project.story(), ["genesis", "apply 1", "apply 2", "fail 2"], "{run:#?}");
    assert_eq!(life.project.sql("SELECT version, dirty FROM schema_migrations"), "1|1");
    run.says(&["`greffe record -- migrate -path … -database … force VERSION`"]);
    life.project.ends(1, ["audit"]).prints(&["`greffe record -- migrate -path … -database … force VERSION`"]);
}

#[test]
fn goose_on_sqlite() {
    live(&GOOSE, On::Sqlite);
}

#[test]
fn goose_on_postgresql() {
    live(&GOOSE, On::Postgres);
}

#[test]
fn goose_on_mariadb() {
    live(&GOOSE, On::MariaDb);
}

#[test]
fn golang_migrate_on_sqlite() {
    live(&GOLANG_MIGRATE, On::Sqlite);
}

#[test]
fn golang_migrate_on_postgresql() {
    live(&GOLANG_MIGRATE, On::Postgres);
}

#[test]
fn golang_migrate_on_mariadb() {
    live(&GOLANG_MIGRATE, On::MariaDb);
}
