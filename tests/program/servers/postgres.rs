//! PostgreSQL, from Debian's newest package or from the folder that `GREFFE_TEST_POSTGRES_BIN` names. Folders of
//! further versions are in `GREFFE_TEST_POSTGRES_BINS`, a colon between.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::process::Home;
use super::{Dump, Engine, Login, Programs, Server};
use crate::tools::{output_of, runs_all};

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

    /// Runs the tests of this binary whose names contain one of `names` again, on each further version, and prints
    /// how many passed; without further versions, `sample` on the one that all tests use. Where all tests are asked
    /// for, there have to be some.
    pub fn on_each_version(names: &[&str], sample: &str) {
        let folders: Vec<PathBuf> = std::env::var_os("GREFFE_TEST_POSTGRES_BINS")
            .iter()
            .flat_map(std::env::split_paths)
            .filter(|folder| !folder.as_os_str().is_empty())
            .collect();
        let own = Programs::of("GREFFE_TEST_POSTGRES_BIN", debian);
        let client = version_of(&Programs(own.0.iter().cloned().chain(debian()).collect()), "pg_dump").0;
        let mut failures = Vec::new();
        let mut lines = vec!["| server | passed | without |".to_owned(), "|---|---|---|".to_owned()];
        let all = folders.is_empty() && runs_all();
        assert!(!all, "GREFFE_TEST_POSTGRES_BINS names no versions: run `./tests/run`, which gets them");
        if folders.is_empty() {
            let version = version_of(&own, "postgres").1;
            let passed = run_again(&own.0[0], &[sample], &[]).unwrap_or_else(|error| panic!("{error}"));
            lines.push(format!("| {version} | {passed} | |"));
        }
        for folder in folders {
            let (major, version) = version_of(&Programs(vec![folder.clone()]), "postgres");
            // A dump takes a client that is no older than the server.
            let (left_out, why) = match major > client {
                true => (&NEED_A_DUMP[..], format!("dumps, for `pg_dump` is {client}")),
                false => (&[][..], String::new()),
            };
            match run_again(&folder, names, left_out) {
                Ok(passed) => lines.push(format!("| {version} | {passed} | {why} |")),
                Err(failure) => failures.push(failure),
            }
        }
        println!("{}", lines.join("\n"));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
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

/// Tests that dump a database.
const NEED_A_DUMP: [&str; 5] = [
    "a_database_restored_from_an_old_backup_is_refused_until_a_repair",
    "a_restored_dump_has_the_same_fingerprint",
    "a_dump_restored_elsewhere_has_the_same_schema",
    "commands_that_only_look_create_nothing",
    "a_dump_with_a_guard_loads_again",
];

/// The major version of a program, and the whole one.
fn version_of(programs: &Programs, name: &str) -> (u32, String) {
    let line = output_of(programs.client(name).arg("--version"));
    let version = line.split_whitespace().nth(2).unwrap().to_owned();
    (version.split('.').next().unwrap().parse().unwrap(), version)
}

/// Runs tests of this binary with the server in `folder`; how many passed, or what they said.
fn run_again(folder: &Path, names: &[&str], left_out: &[&str]) -> Result<u32, String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(names).args(left_out.iter().flat_map(|name| ["--skip", name]));
    command.env("GREFFE_TEST_POSTGRES_BIN", folder).env_remove("GREFFE_TEST_POSTGRES_BINS");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = text.split("test result: ok. ").nth(1);
    let passed = passed.and_then(|rest| rest.split_once(" passed; 0 failed; 0 ignored"));
    let passed = passed.and_then(|(passed, _)| passed.parse().ok()).filter(|passed| *passed > 0);
    let error = String::from_utf8_lossy(&output.stderr);
    passed
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("{}:\n{text}\n{error}", folder.display()))
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
