//! The tools: what they call things, and how they are run.

use std::fs;
use std::path::PathBuf;

use super::{Team, Way};

/// A tool, and what it takes to run it.
pub struct Tool {
    pub name: &'static str,
    pub table: &'static str,
    /// Its columns that are not times.
    pub columns: &'static str,
    /// Files of three migrations; the third one comes later.
    pub scripts: [&'static [(&'static str, &'static str)]; 3],
    /// What the table calls them.
    pub ids: [&'static str; 3],
    /// Arguments that apply all, and that roll one back; `None` for a tool without ways down.
    pub command: fn(&Team, Way) -> Option<Vec<String>>,
}

pub const DBMATE: Tool = Tool {
    name: "dbmate",
    table: "schema_migrations",
    columns: "version",
    scripts: [
        &[(
            "001_authors.sql",
            "-- migrate:up\nCREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n\n\
                               -- migrate:down\nDROP TABLE authors;\n",
        )],
        &[(
            "002_books.sql",
            "-- migrate:up transaction:false\nCREATE TABLE books (id INTEGER PRIMARY KEY);\n\
                             INSERT INTO books VALUES (1);\n\n-- migrate:down transaction:false\nDROP TABLE books;\n",
        )],
        &[(
            "003_index.sql",
            "-- migrate:up\nCREATE INDEX named ON authors (name);\n\n-- migrate:down\nDROP INDEX named;\n",
        )],
    ],
    ids: ["001", "002", "003"],
    command: |team, way| {
        let way = if way == Way::Up { "up" } else { "down" };
        let program = node_tools("dbmate");
        let fixed = ["--no-dump-schema", "--migrations-dir", "migrations", "--url", &team.url(), way];
        Some([vec![program], fixed.map(str::to_owned).to_vec()].concat())
    },
};

pub const GOOSE: Tool = Tool {
    name: "goose",
    table: "goose_db_version",
    columns: "id, version_id, is_applied",
    scripts: [
        &[(
            "00001_authors.sql",
            "-- +goose Up\nCREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n\
                                 -- +goose Down\nDROP TABLE authors;\n",
        )],
        &[(
            "00002_books.sql",
            "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE books (id INTEGER PRIMARY KEY);\n\
                               -- +goose StatementBegin\nINSERT INTO books VALUES (1);\n-- +goose StatementEnd\n\n\
                               -- +goose Down\nDROP TABLE books;\n",
        )],
        &[(
            "00003_index.sql",
            "-- +goose Up\nCREATE INDEX named ON authors (name);\n-- +goose Down\nDROP INDEX named;\n",
        )],
    ],
    ids: ["1", "2", "3"],
    command: |team, way| {
        let way = if way == Way::Up { "up" } else { "down" };
        let (driver, url) = match team.server {
            Some(_) if team.url().starts_with("mysql:") => ("mysql", go_url(&team.url())),
            Some(_) => ("postgres", team.url()),
            None => ("sqlite3", "app.db".to_owned()),
        };
        Some([&go_tools("goose"), "-dir", "migrations", driver, &url, way].map(str::to_owned).to_vec())
    },
};

pub const GOLANG_MIGRATE: Tool = Tool {
    name: "golang-migrate",
    table: "schema_migrations",
    columns: "version, dirty",
    scripts: [
        &[
            ("1_authors.up.sql", "CREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n"),
            ("1_authors.down.sql", "DROP TABLE authors;\n"),
        ],
        &[
            (
                "2_books.up.sql",
                "CREATE TABLE books (id INTEGER PRIMARY KEY);\nINSERT INTO books VALUES (1);\n",
            ),
            ("2_books.down.sql", "DROP TABLE books;\n"),
        ],
        &[
            ("3_index.up.sql", "CREATE INDEX named ON authors (name);\n"),
            ("3_index.down.sql", "DROP INDEX named;\n"),
        ],
    ],
    ids: ["1", "2", "3"],
    command: |team, way| {
        let url = match team.server {
            Some(_) if team.url().starts_with("mysql:") => format!("mysql://{}", go_url(&team.url())),
            Some(_) => team.url(),
            None => "sqlite://app.db".to_owned(),
        };
        let way: &[&str] = if way == Way::Up { &["up"] } else { &["down", "1"] };
        let program = go_tools("migrate");
        let arguments = [&[program.as_str(), "-path", "migrations", "-database", &url], way].concat();
        Some(arguments.into_iter().map(str::to_owned).collect())
    },
};

pub const NODE_PG_MIGRATE: Tool = Tool {
    name: "node-pg-migrate",
    table: "pgmigrations",
    columns: "id, name",
    scripts: [
        &[(
            "1767225600001_authors.sql",
            "-- Up Migration\nCREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n\
                                         -- Down Migration\nDROP TABLE authors;\n",
        )],
        &[(
            "1767225600002_books.sql",
            "-- Down Migration\nDROP TABLE books;\n\
                                       -- Up Migration\nCREATE TABLE books (id INTEGER PRIMARY KEY);\n",
        )],
        &[(
            "1767225600003_index.sql",
            "-- Up Migration\nCREATE INDEX named ON authors (name);\n\
                                       -- Down Migration\nDROP INDEX named;\n",
        )],
    ],
    ids: ["1767225600001_authors", "1767225600002_books", "1767225600003_index"],
    command: |_, way| {
        let way = if way == Way::Up { "up" } else { "down" };
        let program = node_tools("node-pg-migrate");
        Some([&program, way, "-m", "migrations"].map(str::to_owned).to_vec())
    },
};

pub const REFINERY: Tool = Tool {
    name: "refinery",
    table: "refinery_schema_history",
    columns: "version, name, checksum",
    scripts: [
        &[("V1__authors.sql", "CREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n")],
        &[(
            "V2__their_books.sql",
            "CREATE TABLE books (id INTEGER PRIMARY KEY);\nINSERT INTO books VALUES (1);\n",
        )],
        &[("V3__index.sql", "CREATE INDEX named ON authors (name);\n")],
    ],
    ids: ["1", "2", "3"],
    command: |team, way| {
        // It wants the file to be there.
        let file = team.project.path("app.db");
        fs::OpenOptions::new().create(true).append(true).open(&file).unwrap();
        team.project.write(
            "refinery.toml",
            format!("[main]\ndb_type = \"Sqlite\"\ndb_path = \"{}\"\n", file.display()),
        );
        let arguments = [&rust_tools("refinery"), "migrate", "-c", "refinery.toml", "-p", "migrations"];
        (way == Way::Up).then(|| arguments.map(str::to_owned).to_vec())
    },
};

pub const DIESEL: Tool = Tool {
    name: "diesel",
    table: "__diesel_schema_migrations",
    columns: "version",
    scripts: [
        &[
            (
                "2026-01-01-000001_authors/up.sql",
                "CREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n",
            ),
            ("2026-01-01-000001_authors/down.sql", "DROP TABLE authors;\n"),
        ],
        &[
            (
                "2026-01-01-000002_books/up.sql",
                "CREATE TABLE books (id INTEGER PRIMARY KEY);\nINSERT INTO books VALUES (1);\n",
            ),
            ("2026-01-01-000002_books/down.sql", "DROP TABLE books;\n"),
            ("2026-01-01-000002_books/metadata.toml", "run_in_transaction = false\n"),
        ],
        &[
            ("2026-01-01-000003_index/up.sql", "CREATE INDEX named ON authors (name);\n"),
            ("2026-01-01-000003_index/down.sql", "DROP INDEX named;\n"),
        ],
    ],
    ids: ["20260101000001", "20260101000002", "20260101000003"],
    command: |_, way| {
        let way = if way == Way::Up { "run" } else { "revert" };
        let arguments = [
            &rust_tools("diesel"),
            "migration",
            way,
            "--migration-dir",
            "migrations",
            "--database-url",
            "app.db",
        ];
        Some(arguments.map(str::to_owned).to_vec())
    },
};

pub const FLYWAY: Tool = Tool {
    name: "flyway",
    table: "flyway_schema_history",
    columns: "installed_rank, version, description, type, script, checksum, success",
    scripts: [
        &[("V1__authors.sql", "CREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40));\n")],
        &[
            ("V02_1__their_books.sql", "CREATE TABLE books (id INTEGER PRIMARY KEY);\n"),
            ("V02_1__their_books.sql.conf", "executeInTransaction=false\n"),
            ("U2.1__their_books.sql", "DROP TABLE books;\n"),
        ],
        &[("V3__index.sql", "CREATE INDEX named ON authors (name);\n")],
    ],
    ids: ["1", "2.1", "3"],
    command: |team, way| {
        let server = team.server.as_ref().unwrap();
        let login = server.user();
        let url =
            format!("-url=jdbc:postgresql:{}", server.url().split_once('@').map_or("", |(_, rest)| rest));
        let url = url.replacen("postgresql:", "postgresql://", 1);
        let (user, password) = (format!("-user={}", login.user), format!("-password={}", login.password));
        let flyway = program(folder_of("GREFFE_TEST_JAVA_TOOLS").join("bin"), "flyway");
        let fixed = ["-locations=filesystem:migrations", "-schemas=public", "migrate"];
        let arguments = [[&flyway, &url, &user, &password].map(String::as_str).as_slice(), &fixed].concat();
        (way == Way::Up).then(|| arguments.into_iter().map(str::to_owned).collect())
    },
};

/// A URL of MySQL as Go's driver writes it.
fn go_url(url: &str) -> String {
    let (user, rest) = url.split_once("://").unwrap().1.split_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    format!("{user}@tcp({server})/{name}?multiStatements=true&parseTime=true")
}

fn program(folder: PathBuf, name: &str) -> String {
    let program = folder.join(name);
    assert!(program.exists(), "{} is not there: run `./tests/run`", program.display());
    program.display().to_string()
}

fn folder_of(variable: &str) -> PathBuf {
    let found = std::env::var_os(variable).map(PathBuf::from);
    found.unwrap_or_else(|| panic!("{variable} names no folder with the tools: run `./tests/run`"))
}

fn node_tools(name: &str) -> String {
    let packages = folder_of("GREFFE_TEST_NODE_TOOLS").join("node_modules");
    // dbmate is in a package of each platform.
    let folder = match (name, std::env::consts::ARCH) {
        ("dbmate", "aarch64") => "@dbmate/linux-arm64/bin",
        ("dbmate", _) => "@dbmate/linux-x64/bin",
        _ => ".bin",
    };
    program(packages.join(folder), name)
}

fn go_tools(name: &str) -> String {
    program(folder_of("GREFFE_TEST_GO_TOOLS"), name)
}

fn rust_tools(name: &str) -> String {
    program(folder_of("GREFFE_TEST_RUST_TOOLS"), name)
}
