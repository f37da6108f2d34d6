//! litewitness, the witness of torchwood, with its key in an SSH agent.

use std::path::PathBuf;

use super::process::{Home, LIMIT, Process, poll};
use crate::tools::{output_of, tool};

/// A program of Go that `tests/run` builds.
pub fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("GREFFE_TEST_WITNESS");
    let folder =
        folder.expect("GREFFE_TEST_WITNESS is missing: run `./tests/run`, which builds its programs");
    PathBuf::from(folder).join(name)
}

/// A litewitness that runs; it ends with this value.
pub struct Litewitness {
    process: Option<Process>,
    _agent: Process,
    home: Home,
    port: u16,
    fingerprint: String,
    pub vkey: String,
}

impl Litewitness {
    pub const NAME: &str = "witness.example/lite";

    /// A witness that knows no log.
    pub fn start() -> Self {
        let home = Home::of_tests();
        let key = home.path("key");
        output_of(tool("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&key));
        let listed = output_of(tool("ssh-keygen").args(["-l", "-f"]).arg(&key));
        let fingerprint = listed.split(' ').nth(1).unwrap().to_owned();
        let socket = home.path("agent");
        let agent = PathBuf::from(output_of(tool("sh").args(["-c", "command -v ssh-agent"])).trim());
        let arguments = ["-D".to_owned(), "-a".to_owned(), socket.display().to_string()];
        let agent = home.start(&agent, &arguments, "TERM", |_| socket.exists());
        output_of(tool("ssh-add").arg("-q").arg(&key).env("SSH_AUTH_SOCK", &socket));
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut lite = Self { process: None, _agent: agent, home, port, fingerprint, vkey: String::new() };
        lite.resume();
        let log = lite.home.log();
        let vkey = log.split("vkey=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
        lite.vkey = vkey.trim_matches('"').to_owned();
        lite
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it, and keeps what it knows.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it once more.
    pub fn resume(&mut self) {
        let arguments = [
            format!("-name={}", Self::NAME),
            format!("-db={}", self.home.path("lite.db").display()),
            format!("-ssh-agent={}", self.home.path("agent").display()),
            format!("-key={}", self.fingerprint),
            format!("-listen=127.0.0.1:{}", self.port),
        ];
        let port = self.port;
        let listens = |_| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        self.process = Some(self.home.start(&program("litewitness"), &arguments, "INT", listens));
    }

    /// Lets it know a log by its verifier key.
    pub fn add_log(&self, vkey: &str) {
        let origin = vkey.split('+').next().unwrap();
        let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let sql = format!(
            "PRAGMA busy_timeout = 10000; INSERT INTO log VALUES ('{origin}', 0, '{empty}'); INSERT INTO key VALUES ('{origin}', '{vkey}');"
        );
        output_of(tool("sqlite3").arg(self.home.path("lite.db")).arg(sql));
    }

    /// The size that it cosigned last.
    pub fn size(&self) -> u64 {
        let mut size = None;
        poll(LIMIT, || {
            let found =
                output_of(tool("sqlite3").arg(self.home.path("lite.db")).arg("SELECT tree_size FROM log"));
            size = found.trim().parse().ok();
            size.is_some()
        });
        size.unwrap()
    }
}
