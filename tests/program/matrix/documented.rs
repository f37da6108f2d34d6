//! Tools that cannot be had here: a program of a few lines writes the table that their documentation describes, row by
//! row as it says. What the tool itself would say to an edited script is nothing: it keeps no sum of it.

use super::{BLIND, Case, On, Script, live};

pub const CASES: &[Case] = &[RAILS, SEAORM];

const RAILS: Case = Case {
    tool: "rails",
    on: &[On::Sqlite],
    is_real: false,
    folder: "db/migrate",
    files: &[(
        "rails",
        "sql() { sqlite3 -bail \"$FILE\" \"$1\"; }\n\
         sql 'CREATE TABLE IF NOT EXISTS schema_migrations (version varchar NOT NULL PRIMARY KEY);\n\
         CREATE TABLE IF NOT EXISTS ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value varchar,\n\
         created_at datetime(6) NOT NULL, updated_at datetime(6) NOT NULL);'\n\
         case \"$1\" in\n\
         up) for file in db/migrate/*.rb; do\n\
         \x20 version=\"$(basename \"$file\" | cut -d_ -f1)\"\n\
         \x20 [ -z \"$(sql \"SELECT version FROM schema_migrations WHERE version = '$version'\")\" ] || continue\n\
         \x20 sql \"BEGIN; $(sed -n 's/.*up_only \"\\(.*\\)\"/\\1/p' \"$file\"); INSERT INTO schema_migrations VALUES ('$version'); COMMIT;\" || exit 1\n\
         \x20 done ;;\n\
         down) sql 'DROP TABLE second; DELETE FROM schema_migrations WHERE version = 20260101000002' ;;\n\
         esac\n",
    )],
    first: Script {
        version: "20260101000001",
        files: &[(
            "db/migrate/20260101000001_first.rb",
            "class First < ActiveRecord::Migration[8.0]\n  def change\n    up_only \"CREATE TABLE first (id INTEGER)\"\n  end\nend\n",
        )],
    },
    second: Script {
        version: "20260101000002",
        files: &[(
            "db/migrate/20260101000002_second.rb",
            "class Second < ActiveRecord::Migration[8.0]\n  def change\n    up_only \"CREATE TABLE second (id INTEGER)\"\n  end\nend\n",
        )],
    },
    broken: Script {
        version: "20260101000003",
        files: &[(
            "db/migrate/20260101000003_broken.rb",
            "class Broken < ActiveRecord::Migration[8.0]\n  def change\n    up_only \"CREATE INDEX broken ON nowhere (id)\"\n  end\nend\n",
        )],
    },
    apply: "sh rails up",
    roll_back: Some("sh rails down"),
    mend: None,
    mark: None,
    sees: BLIND,
    adopted: "imported-weak",
    surroundings: |_| Vec::new(),
};

const SEAORM: Case = Case {
    tool: "seaorm",
    on: &[On::Sqlite],
    is_real: false,
    folder: "migration/src",
    files: &[
        (
            "sea-orm-cli",
            "sql() { sqlite3 -bail \"$FILE\" \"$1\"; }\n\
             sql 'CREATE TABLE IF NOT EXISTS seaql_migrations (version varchar NOT NULL PRIMARY KEY, applied_at bigint NOT NULL)'\n\
             case \"$1\" in\n\
             up) for file in migration/src/m*.rs; do\n\
             \x20 version=\"$(basename \"$file\" .rs)\"\n\
             \x20 [ -z \"$(sql \"SELECT version FROM seaql_migrations WHERE version = '$version'\")\" ] || continue\n\
             \x20 sql \"BEGIN; $(sed -n 's/.*execute_unprepared(\"\\(.*\\)\").*/\\1/p' \"$file\"); INSERT INTO seaql_migrations VALUES ('$version', 1767225600); COMMIT;\" || exit 1\n\
             \x20 done ;;\n\
             down) sql \"DROP TABLE second; DELETE FROM seaql_migrations WHERE version = 'm20260101_000002_second'\" ;;\n\
             esac\n",
        ),
        ("migration/src/lib.rs", "mod m20260101_000001_first;\nmod m20260101_000002_second;\n"),
    ],
    first: Script {
        version: "m20260101_000001_first",
        files: &[(
            "migration/src/m20260101_000001_first.rs",
            "manager.get_connection().execute_unprepared(\"CREATE TABLE first (id INTEGER)\").await?;\n",
        )],
    },
    second: Script {
        version: "m20260101_000002_second",
        files: &[(
            "migration/src/m20260101_000002_second.rs",
            "manager.get_connection().execute_unprepared(\"CREATE TABLE second (id INTEGER)\").await?;\n",
        )],
    },
    broken: Script {
        version: "m20260101_000003_broken",
        files: &[(
            "migration/src/m20260101_000003_broken.rs",
            "manager.get_connection().execute_unprepared(\"CREATE INDEX broken ON nowhere (id)\").await?;\n",
        )],
    },
    apply: "sh sea-orm-cli up",
    roll_back: Some("sh sea-orm-cli down"),
    mend: None,
    mark: None,
    sees: BLIND,
    adopted: "imported-weak",
    surroundings: |_| Vec::new(),
};

#[test]
fn rails() {
    live(&RAILS, On::Sqlite);
}

#[test]
fn seaorm() {
    live(&SEAORM, On::Sqlite);
}
