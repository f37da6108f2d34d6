//! The tools of Go.

use super::{BLIND, Case, On, Script, folder_of, live, path_with};

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
