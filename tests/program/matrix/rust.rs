//! The tools of Rust, which take minutes to build: `./tests/run --all` does it.

use super::{BLIND, Case, On, Script, Sees, folder_of, live, path_with};
use crate::project::Project;
use crate::tools::runs_all;

pub const CASES: &[Case] = &[SQLX, DIESEL, REFINERY];

const SQLX: Case = Case {
    tool: "sqlx",
    on: &[On::Sqlite, On::Postgres],
    is_real: true,
    folder: "migrations",
    files: &[],
    first: Script {
        version: "1",
        files: &[
            ("migrations/0001_first.up.sql", "CREATE TABLE first (id INTEGER);\n"),
            ("migrations/0001_first.down.sql", "DROP TABLE first;\n"),
        ],
    },
    second: Script {
        version: "2",
        files: &[
            ("migrations/0002_second.up.sql", "CREATE TABLE second (id INTEGER);\n"),
            ("migrations/0002_second.down.sql", "DROP TABLE second;\n"),
        ],
    },
    broken: Script {
        version: "3",
        files: &[
            ("migrations/0003_broken.up.sql", "CREATE INDEX broken ON nowhere (id);\n"),
            ("migrations/0003_broken.down.sql", "SELECT 1;\n"),
        ],
    },
    apply: "sqlx migrate run",
    roll_back: Some("sqlx migrate revert"),
    mend: None,
    mark: Some("sqlx migrate override skip"),
    sees: Sees { edit: true, deletion: false },
    adopted: "imported-exact",
    surroundings,
};

const DIESEL: Case = Case {
    tool: "diesel",
    on: &[On::Sqlite],
    is_real: true,
    folder: "migrations",
    files: &[],
    first: Script {
        version: "20260101000001",
        files: &[
            ("migrations/2026-01-01-000001_first/up.sql", "CREATE TABLE first (id INTEGER);\n"),
            ("migrations/2026-01-01-000001_first/down.sql", "DROP TABLE first;\n"),
        ],
    },
    second: Script {
        version: "20260101000002",
        files: &[
            ("migrations/2026-01-01-000002_second/up.sql", "CREATE TABLE second (id INTEGER);\n"),
            ("migrations/2026-01-01-000002_second/down.sql", "DROP TABLE second;\n"),
        ],
    },
    broken: Script {
        version: "20260101000003",
        files: &[
            ("migrations/2026-01-01-000003_broken/up.sql", "CREATE INDEX broken ON nowhere (id);\n"),
            ("migrations/2026-01-01-000003_broken/down.sql", "SELECT 1;\n"),
        ],
    },
    apply: "diesel migration run --database-url $FILE",
    roll_back: Some("diesel migration revert --database-url $FILE"),
    mend: None,
    mark: None,
    sees: Sees { edit: false, deletion: true },
    adopted: "imported-weak",
    surroundings,
};

const REFINERY: Case = Case {
    tool: "refinery",
    on: &[On::Sqlite, On::Postgres],
    is_real: true,
    folder: "migrations",
    files: &[],
    first: Script {
        version: "1",
        files: &[("migrations/V1__first.sql", "CREATE TABLE first (id INTEGER);\n")],
    },
    second: Script {
        version: "2",
        files: &[("migrations/V2__second.sql", "CREATE TABLE second (id INTEGER);\n")],
    },
    broken: Script {
        version: "3",
        files: &[("migrations/V3__broken.sql", "CREATE INDEX broken ON nowhere (id);\n")],
    },
    apply: "refinery migrate -e DATABASE_URL -p migrations",
    roll_back: None,
    mend: None,
    mark: Some("refinery migrate -e DATABASE_URL -p migrations -f"),
    sees: BLIND,
    adopted: "imported-weak",
    surroundings,
};

/// refinery and sqlx make no file for SQLite.
fn surroundings(project: &Project) -> Vec<(&'static str, String)> {
    project.write("app.db", "");
    vec![path_with(&[&folder_of("GREFFE_TEST_RUST_TOOLS")])]
}

fn live_if_all(case: &Case, on: On) {
    if runs_all() {
        live(case, on);
    }
}

#[test]
fn sqlx_on_sqlite() {
    live_if_all(&SQLX, On::Sqlite);
}

#[test]
fn sqlx_on_postgresql() {
    live_if_all(&SQLX, On::Postgres);
}

#[test]
fn diesel_on_sqlite() {
    live_if_all(&DIESEL, On::Sqlite);
}

#[test]
fn refinery_on_sqlite() {
    live_if_all(&REFINERY, On::Sqlite);
}

#[test]
fn refinery_on_postgresql() {
    live_if_all(&REFINERY, On::Postgres);
}
