//! The tools of npm, which run on the Node 22 that Helia's packages bring.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::{BLIND, Case, On, Script, Sees, folder_of, live, path_with};
use crate::project::Project;

pub const CASES: &[Case] = &[DBMATE, KNEX, SEQUELIZE, NODE_PG_MIGRATE];

pub const EVERYWHERE: &[On] = &[On::Sqlite, On::Postgres, On::MariaDb];

const DBMATE: Case = Case {
    tool: "dbmate",
    on: EVERYWHERE,
    is_real: true,
    folder: "migrations",
    files: &[],
    first: Script {
        version: "0001",
        files: &[(
            "migrations/0001_first.sql",
            "-- migrate:up\nCREATE TABLE first (id INTEGER);\n-- migrate:down\nDROP TABLE first;\n",
        )],
    },
    second: Script {
        version: "0002",
        files: &[(
            "migrations/0002_second.sql",
            "-- migrate:up\nCREATE TABLE second (id INTEGER);\n-- migrate:down\nDROP TABLE second;\n",
        )],
    },
    broken: Script {
        version: "0003",
        files: &[(
            "migrations/0003_broken.sql",
            "-- migrate:up\nCREATE INDEX broken ON nowhere (id);\n-- migrate:down\nSELECT 1;\n",
        )],
    },
    apply: "dbmate --no-dump-schema --migrations-dir migrations up",
    roll_back: Some("dbmate --no-dump-schema --migrations-dir migrations down"),
    mend: None,
    mark: None,
    sees: BLIND,
    adopted: "imported-weak",
    surroundings,
};

const KNEX: Case = Case {
    tool: "knex",
    on: EVERYWHERE,
    is_real: true,
    folder: "migrations",
    files: &[(
        "knexfile.js",
        "const { ENGINE, FILE, DATABASE_URL } = process.env;\n\
         module.exports = FILE\n\
         \x20 ? { client: 'better-sqlite3', connection: { filename: FILE }, useNullAsDefault: true }\n\
         \x20 : { client: ENGINE === 'mysql' ? 'mysql2' : 'pg', connection: DATABASE_URL };\n",
    )],
    first: Script {
        version: "20260101000001_first.js",
        files: &[(
            "migrations/20260101000001_first.js",
            "exports.up = knex => knex.raw('CREATE TABLE first (id INTEGER)');\n\
             exports.down = knex => knex.schema.dropTable('first');\n",
        )],
    },
    second: Script {
        version: "20260101000002_second.js",
        files: &[(
            "migrations/20260101000002_second.js",
            "exports.up = knex => knex.raw('CREATE TABLE second (id INTEGER)');\n\
             exports.down = knex => knex.schema.dropTable('second');\n",
        )],
    },
    broken: Script {
        version: "20260101000003_broken.js",
        files: &[(
            "migrations/20260101000003_broken.js",
            "exports.up = knex => knex.raw('CREATE INDEX broken ON nowhere (id)');\n\
             exports.down = () => {};\n",
        )],
    },
    apply: "knex migrate:latest",
    roll_back: Some("knex migrate:down"),
    mend: None,
    mark: None,
    sees: Sees { edit: false, deletion: true },
    adopted: "imported-weak",
    surroundings,
};

const SEQUELIZE: Case = Case {
    tool: "sequelize",
    on: &[On::Postgres, On::MariaDb],
    is_real: true,
    folder: "migrations",
    files: &[
        (".sequelizerc", "module.exports = { config: 'config.js', 'migrations-path': 'migrations' };\n"),
        (
            "config.js",
            "const { ENGINE, DATABASE_URL } = process.env;\n\
             module.exports = { development: { url: DATABASE_URL, dialect: ENGINE } };\n",
        ),
    ],
    first: Script {
        version: "20260101000001-first.js",
        files: &[(
            "migrations/20260101000001-first.js",
            "module.exports = {\n\
             \x20 up: queryInterface => queryInterface.sequelize.query('CREATE TABLE first (id INTEGER)'),\n\
             \x20 down: queryInterface => queryInterface.dropTable('first'),\n};\n",
        )],
    },
    second: Script {
        version: "20260101000002-second.js",
        files: &[(
            "migrations/20260101000002-second.js",
            "module.exports = {\n\
             \x20 up: queryInterface => queryInterface.sequelize.query('CREATE TABLE second (id INTEGER)'),\n\
             \x20 down: queryInterface => queryInterface.dropTable('second'),\n};\n",
        )],
    },
    broken: Script {
        version: "20260101000003-broken.js",
        files: &[(
            "migrations/20260101000003-broken.js",
            "module.exports = {\n\
             \x20 up: queryInterface => queryInterface.sequelize.query('CREATE INDEX broken ON nowhere (id)'),\n\
             \x20 down: async () => {},\n};\n",
        )],
    },
    apply: "sequelize db:migrate",
    roll_back: Some("sequelize db:migrate:undo"),
    mend: None,
    mark: None,
    sees: BLIND,
    adopted: "imported-weak",
    surroundings,
};

const NODE_PG_MIGRATE: Case = Case {
    tool: "node-pg-migrate",
    on: &[On::Postgres],
    is_real: true,
    folder: "migrations",
    files: &[],
    first: Script {
        version: "1767225600001_first",
        files: &[(
            "migrations/1767225600001_first.sql",
            "-- Up Migration\nCREATE TABLE first (id INTEGER);\n-- Down Migration\nDROP TABLE first;\n",
        )],
    },
    second: Script {
        version: "1767225600002_second",
        files: &[(
            "migrations/1767225600002_second.js",
            "exports.up = pgm => pgm.sql('CREATE TABLE second (id INTEGER)');\n\
             exports.down = pgm => pgm.dropTable('second');\n",
        )],
    },
    broken: Script {
        version: "1767225600003_broken",
        files: &[(
            "migrations/1767225600003_broken.js",
            "exports.up = pgm => pgm.sql('CREATE INDEX broken ON nowhere (id)');\nexports.down = () => {};\n",
        )],
    },
    apply: "node-pg-migrate up",
    roll_back: Some("node-pg-migrate down"),
    mend: None,
    mark: Some("node-pg-migrate up --fake"),
    sees: BLIND,
    adopted: "imported-weak",
    surroundings,
};

/// The packages are found as if they had been installed in the project.
pub fn surroundings(project: &Project) -> Vec<(&'static str, String)> {
    let packages = folder_of("GREFFE_TEST_NODE_TOOLS").join("node_modules");
    symlink(&packages, project.path("node_modules")).unwrap();
    let node = std::env::var_os("GREFFE_TEST_NODE22").map(PathBuf::from);
    let node = node.expect("GREFFE_TEST_NODE22 names no Node 22: run `./tests/run`");
    let dbmate = match std::env::consts::ARCH {
        "aarch64" => "@dbmate/linux-arm64/bin",
        _ => "@dbmate/linux-x64/bin",
    };
    let programs = [packages.join(".bin"), packages.join(dbmate), node.parent().unwrap().to_owned()];
    let set = |name, value: &str| (name, value.to_owned());
    vec![
        path_with(&programs.each_ref().map(PathBuf::as_path)),
        set("CHECKPOINT_DISABLE", "1"),
        set("PRISMA_HIDE_UPDATE_MESSAGE", "1"),
        set("PRISMA_QUERY_ENGINE_LIBRARY", "/bin/true"),
        set("PRISMA_SCHEMA_ENGINE_BINARY", "/bin/true"),
    ]
}

#[test]
fn dbmate_on_sqlite() {
    live(&DBMATE, On::Sqlite);
}

#[test]
fn dbmate_on_postgresql() {
    live(&DBMATE, On::Postgres);
}

#[test]
fn dbmate_on_mariadb() {
    live(&DBMATE, On::MariaDb);
}

#[test]
fn knex_on_sqlite() {
    live(&KNEX, On::Sqlite);
}

#[test]
fn knex_on_postgresql() {
    live(&KNEX, On::Postgres);
}

#[test]
fn knex_on_mariadb() {
    live(&KNEX, On::MariaDb);
}

#[test]
fn sequelize_on_postgresql() {
    live(&SEQUELIZE, On::Postgres);
}

#[test]
fn sequelize_on_mariadb() {
    live(&SEQUELIZE, On::MariaDb);
}

#[test]
fn node_pg_migrate_on_postgresql() {
    live(&NODE_PG_MIGRATE, On::Postgres);
}
