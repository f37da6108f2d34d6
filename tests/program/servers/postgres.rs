//! PostgreSQL, from Debian's newest package or from the folder that `GREFFE_TEST_POSTGRES_BIN` names.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::process::Home;
use super::{Dump, Engine, Login, Programs, Server};

/// PostgreSQL.
pub struct Postgres {
    server: Programs,
    /// Folders with servers alone are common; Debian's clients talk to servers of every version.
    clients: Programs,
}

impl Postgres {
    /// The server of this test process.
    pub fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::own)
    }

    /// A server for one test.
    pub fn own() -> Server {
        let debian = debian();
        let server = Programs::of("GREFFE_TEST_POSTGRES_BIN", || debian.clone());
        let clients = Programs(server.0.iter().chain(&debian).cloned().collect());
        Server::start(Self { server, clients })
    }

    fn client(&self, name: &str, port: u16, login: &Login, database: &str) -> Command {
        let mut command = self.clients.client(name);
        command.env("PGPASSWORD", &login.password).env("PGCONNECT_TIMEOUT", "30");
        command.args(["--host=127.0.0.1", &format!("--port={port}"), &format!("--username={}", login.user)]);
        command.arg("--no-password").arg(format!("--dbname={database}"));
        command
    }
}

impl Engine for Postgres {
    fn scheme(&self) -> &'static str {
        "postgres"
    }

    fn account(&self) -> &'static str {
        "postgres"
    }

    fn signal(&self) -> &'static str {
        "QUIT"
    }

    fn administrator(&self) -> &'static str {
        "postgres"
    }

    fn initialise(&self, home: &Home, administrator: &Login, user: &Login) {
        home.write("password", &administrator.password);
        let data = home.path("data").display().to_string();
        let options = [
            format!("--pgdata={data}"),
            format!("--username={}", administrator.user),
            format!("--pwfile={}", home.path("password").display()),
            "--auth=scram-sha-256".to_owned(),
            "--encoding=UTF8".to_owned(),
            "--locale=C".to_owned(),
            // Here nothing is worth keeping yet; the server itself syncs.
            "--no-sync".to_owned(),
        ];
        home.run(&self.server.path("initdb"), &options, "");
        let role = format!("CREATE ROLE {} LOGIN PASSWORD '{}'\n", user.user, user.password);
        let alone = ["--single".to_owned(), "-D".to_owned(), data, "postgres".to_owned()];
        home.run(&self.server.path("postgres"), &alone, &role);
    }

    fn server(&self, home: &Home, port: u16) -> (PathBuf, Vec<String>) {
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", home.path("").display()),
            "max_connections=60".to_owned(),
            "shared_buffers=24MB".to_owned(),
            // A new database writes much log; its files need not be filled with zeros first to be durable.
            "wal_init_zero=off".to_owned(),
        ];
        let mut arguments = vec!["-D".to_owned(), home.path("data").display().to_string()];
        arguments.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        (self.server.path("postgres"), arguments)
    }

    /// Reads what `pg_ctl` reads: the first line is the process, the eighth its state. An earlier process that
    /// was killed leaves its own file.
    fn is_ready(&self, home: &Home, _port: u16, pid: u32) -> bool {
        let text = fs::read_to_string(home.path("data/postmaster.pid")).unwrap_or_default();
        let line = |number| text.lines().nth(number).map(str::trim);
        line(0) == Some(&pid.to_string()) && line(7) == Some("ready")
    }

    fn first_database(&self) -> &'static str {
        "postgres"
    }

    fn create_database(&self, database: &str, owner: &str) -> String {
        // A session in `template1` would be in the way of copying it; nobody can have one in `template0`.
        format!("CREATE DATABASE {} OWNER {owner} TEMPLATE template0;", quoted(database))
    }

    fn drop_database(&self, database: &str) -> String {
        format!("DROP DATABASE {} WITH (FORCE);", quoted(database))
    }

    fn shell(&self, port: u16, login: &Login, database: &str) -> Command {
        let mut command = self.client("psql", port, login, database);
        command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
        command
    }

    fn dump(&self, port: u16, login: &Login, database: &str, dump: Dump) -> Command {
        let mut command = self.client("pg_dump", port, login, database);
        match dump {
            Dump::Full => {}
            Dump::Schema => _ = command.arg("--schema-only"),
            Dump::Custom => _ = command.arg("--format=custom"),
        }
        let help = self.clients.client("pg_dump").arg("--help").output().unwrap().stdout;
        // Newer programs put a random word into a dump in SQL, unless they are given one.
        if dump != Dump::Custom && String::from_utf8_lossy(&help).contains("--restrict-key") {
            command.arg("--restrict-key=greffe");
        }
        command
    }

    fn restore(&self, port: u16, login: &Login, database: &str, dump: &[u8]) -> Command {
        if !dump.starts_with(b"PGDMP") {
            return self.shell(port, login, database);
        }
        let mut command = self.client("pg_restore", port, login, database);
        command.arg("--exit-on-error");
        command
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Folders of Debian's PostgreSQL, the newest first.
fn debian() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, path)| path.join("postgres").is_file())
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, path)| path).collect()
}
