//! The tools of npm that come with a library for objects; they run as the others do.

use super::node::{EVERYWHERE, surroundings};
use super::{BLIND, Case, On, Script, Sees, live};

pub const CASES: &[Case] = &[TYPEORM, DRIZZLE, DRIZZLE_ORM, PRISMA];

const TYPEORM: Case = Case {
    tool: "typeorm",
    on: EVERYWHERE,
    is_real: true,
    folder: "migrations",
    files: &[(
        "source.js",
        "const { DataSource } = require('typeorm');\n\
         const { ENGINE, FILE, DATABASE_URL } = process.env;\n\
         const at = FILE ? { type: 'better-sqlite3', database: FILE } : { type: ENGINE, url: DATABASE_URL };\n\
         module.exports = new DataSource({ ...at, migrations: ['migrations/*.js'] });\n",
    )],
    first: Script {
        version: "MakeFirst1767225600001",
        files: &[(
            "migrations/1767225600001-make-first.js",
            "module.exports = class MakeFirst1767225600001 {\n\
             \x20 up = queryRunner => queryRunner.query('CREATE TABLE first (id INTEGER)');\n\
             \x20 down = queryRunner => queryRunner.query('DROP TABLE first');\n}\n",
        )],
    },
    second: Script {
        version: "Second1767225600002",
        files: &[(
            "migrations/1767225600002-Second.js",
            "module.exports = class Second1767225600002 {\n\
             \x20 up = queryRunner => queryRunner.query('CREATE TABLE second (id INTEGER)');\n\
             \x20 down = queryRunner => queryRunner.query('DROP TABLE second');\n}\n",
        )],
    },
    broken: Script {
        version: "Broken1767225600003",
        files: &[(
            "migrations/1767225600003-Broken.js",
            "module.exports = class Broken1767225600003 {\n\
             \x20 up = queryRunner => queryRunner.query('CREATE INDEX broken ON nowhere (id)');\n\
             \x20 down = async () => {};\n}\n",
        )],
    },
    apply: "typeorm migration:run -d source.js",
    roll_back: Some("typeorm migration:revert -d source.js"),
    mend: None,
    mark: Some("typeorm migration:run --fake -d source.js"),
    sees: BLIND,
    adopted: "imported-weak",
    surroundings,
};

const DRIZZLE: Case = Case {
    tool: "drizzle",
    on: &[On::Postgres, On::MariaDb],
    is_real: true,
    folder: "drizzle",
    files: &[(
        "drizzle.config.js",
        "const { ENGINE, DATABASE_URL } = process.env;\n\
         const dialect = ENGINE === 'mysql' ? 'mysql' : 'postgresql';\n\
         module.exports = { dialect, out: './drizzle', dbCredentials: { url: DATABASE_URL } };\n",
    )],
    first: Script {
        version: "1767225600001",
        files: &[("drizzle/0000_first.sql", "CREATE TABLE first (id INTEGER);\n")],
    },
    second: Script {
        version: "1767225600002",
        files: &[
            ("drizzle/0001_second.sql", "CREATE TABLE second (id INTEGER);\n"),
            (
                "drizzle/meta/_journal.json",
                "{\"version\":\"7\",\"dialect\":\"postgresql\",\"entries\":[\
                 {\"idx\":0,\"version\":\"7\",\"when\":1767225600001,\"tag\":\"0000_first\",\"breakpoints\":true},\
                 {\"idx\":1,\"version\":\"7\",\"when\":1767225600002,\"tag\":\"0001_second\",\"breakpoints\":true}]}\n",
            ),
        ],
    },
    broken: Script {
        version: "1767225600003",
        files: &[
            ("drizzle/0002_broken.sql", "CREATE INDEX broken ON nowhere (id);\n"),
            (
                "drizzle/meta/_journal.json",
                "{\"version\":\"7\",\"dialect\":\"postgresql\",\"entries\":[\
                 {\"idx\":0,\"version\":\"7\",\"when\":1767225600001,\"tag\":\"0000_first\",\"breakpoints\":true},\
                 {\"idx\":1,\"version\":\"7\",\"when\":1767225600002,\"tag\":\"0001_second\",\"breakpoints\":true},\
                 {\"idx\":2,\"version\":\"7\",\"when\":1767225600003,\"tag\":\"0002_broken\",\"breakpoints\":true}]}\n",
            ),
        ],
    },
    apply: "drizzle-kit migrate",
    roll_back: None,
    mend: None,
    mark: None,
    sees: Sees { edit: false, deletion: true },
    adopted: "imported-exact",
    surroundings,
};

/// drizzle-kit's drivers of SQLite have to be compiled; the library's own migrator does the same.
const DRIZZLE_ORM: Case = Case {
    on: &[On::Sqlite],
    files: &[(
        "migrate.js",
        "const Database = require('better-sqlite3');\n\
         const { drizzle } = require('drizzle-orm/better-sqlite3');\n\
         const { migrate } = require('drizzle-orm/better-sqlite3/migrator');\n\
         migrate(drizzle(new Database(process.env.FILE)), { migrationsFolder: 'drizzle' });\n",
    )],
    apply: "node migrate.js",
    ..DRIZZLE
};

/// Its engine for all databases is a program that it fetches; the one for SQLite is in the package.
const PRISMA: Case = Case {
    tool: "prisma",
    on: &[On::Sqlite],
    is_real: true,
    folder: "prisma/migrations",
    files: &[
        (
            "prisma.config.ts",
            "import { PrismaLibSQL } from '@prisma/adapter-libsql';\n\
             const adapter = async () => new PrismaLibSQL({ url: 'file:' + process.env.FILE });\n\
             export default { experimental: { adapter: true }, engine: 'js', schema: 'prisma/schema.prisma', adapter };\n",
        ),
        (
            "prisma/schema.prisma",
            "datasource db {\n  provider = \"sqlite\"\n  url      = \"file:./app.db\"\n}\n",
        ),
        ("prisma/migrations/migration_lock.toml", "provider = \"sqlite\"\n"),
    ],
    first: Script {
        version: "20260101000001_first",
        files: &[(
            "prisma/migrations/20260101000001_first/migration.sql",
            "CREATE TABLE first (id INTEGER);\n",
        )],
    },
    second: Script {
        version: "20260101000002_second",
        files: &[(
            "prisma/migrations/20260101000002_second/migration.sql",
            "CREATE TABLE second (id INTEGER);\n",
        )],
    },
    broken: Script {
        version: "20260101000003_broken",
        files: &[(
            "prisma/migrations/20260101000003_broken/migration.sql",
            "CREATE INDEX broken ON nowhere (id);\n",
        )],
    },
    apply: "prisma migrate deploy",
    roll_back: None,
    mend: Some("prisma migrate resolve --rolled-back 20260101000003_broken"),
    mark: Some("prisma migrate resolve --applied 20260101000003_broken"),
    sees: BLIND,
    adopted: "imported-exact",
    surroundings,
};

#[test]
fn typeorm_on_sqlite() {
    live(&TYPEORM, On::Sqlite);
}

#[test]
fn typeorm_on_postgresql() {
    live(&TYPEORM, On::Postgres);
}

#[test]
fn typeorm_on_mariadb() {
    live(&TYPEORM, On::MariaDb);
}

#[test]
fn drizzle_on_sqlite() {
    live(&DRIZZLE_ORM, On::Sqlite);
}

#[test]
fn drizzle_on_postgresql() {
    live(&DRIZZLE, On::Postgres);
}

#[test]
fn drizzle_on_mariadb() {
    live(&DRIZZLE, On::MariaDb);
}

#[test]
fn prisma_on_sqlite() {
    live(&PRISMA, On::Sqlite);
}
