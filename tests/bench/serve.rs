//! Blocks that `greffe serve` gives each second to wrk, how long each takes, and how much memory it needs.
//!
//! GREFFE_BIN names the program that is measured. wrk runs on the same machine and takes its share of it. Each of its connections
//! asks again when it was answered, so that what is asked while an answer is late is not in the times: rate and times count
//! together alone. An answer that is no block counts as a failure, however fast it came.

mod measure;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use measure::{at_least, at_most, figure, greffe, headline};

/// Migrations of the chain whose blocks are asked for.
const MIGRATIONS: u32 = 200;
const CONNECTIONS: u32 = 64;
const SECONDS: u32 = 20;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let blocks = chain(folder.path());
    let script = folder.path().join("blocks.lua");
    fs::write(&script, lua(&blocks)).expect("a script");
    for (what, more) in [
        ("with its access log", &["--access-log", "access.jsonl"][..]),
        ("without an access log", &["--no-access-log"]),
    ] {
        headline(&format!("serve: {} blocks, {CONNECTIONS} connections, {what}", blocks.len()));
        let server = Server::start(folder.path(), more);
        server.wrk(&script, 2);
        let said = server.wrk(&script, SECONDS);
        let rate: f64 = number(&said, "Requests/sec:").parse().unwrap_or(0.0);
        at_least("block requests each second", rate, 5000.0, "");
        figure("median", &number(&said, "50%"));
        at_most("99 of 100 within", milliseconds(&number(&said, "99%")), 50.0, " ms");
        at_most("answers other than 2xx", count(&number(&said, "Non-2xx or 3xx responses:")), 0.0, "");
        at_most("errors of connections", count(&number(&said, "Socket errors:")), 0.0, "");
        at_most("memory at the peak", server.peak() / f64::from(1 << 20), 128.0, " MiB");
    }
}

/// A chain, and the CIDs of what is in it.
fn chain(folder: &Path) -> Vec<String> {
    fs::create_dir(folder.join("migrations")).expect("a folder");
    for number in 1..=MIGRATIONS {
        let text = format!("CREATE TABLE t{number} (id INTEGER PRIMARY KEY);\n");
        fs::write(folder.join(format!("migrations/{number}_t.sql")), text).expect("a script");
    }
    run(
        folder,
        &["init", "--name", "demo", "--database", "sqlite:app.db", "--plain-key", "--publish", "schema"],
    );
    run(folder, &["apply"]);
    let log = run(folder, &["log", "--json"]);
    let log: serde_json::Value = serde_json::from_str(&log).expect("the log as JSON");
    let entries = log["entries"].as_array().cloned().unwrap_or_default();
    entries.iter().filter_map(|entry| entry["manifest"].as_str().map(str::to_owned)).collect()
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let mut command = greffe();
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Asks for one block after the other.
fn lua(blocks: &[String]) -> String {
    let list: Vec<String> = blocks.iter().map(|cid| format!("'/ipfs/{cid}?format=raw'")).collect();
    format!(
        "local paths = {{ {} }}\nlocal n = 0\nrequest = function()\n  n = n % #paths + 1\n  \
         return wrk.format('GET', paths[n])\nend\n",
        list.join(", ")
    )
}

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let mut command = greffe();
        command.current_dir(folder).args(["serve", "--listen", "127.0.0.1:0", "--rate", "0"]).args(more);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut lines = BufReader::new(child.stderr.take().expect("its errors")).lines();
        let line = lines.find_map(|line| line.ok()?.strip_prefix("listening on ").map(str::to_owned));
        let line = line.expect("it listens");
        let address = line.split(' ').next().unwrap_or_default().to_owned();
        // What it says later is taken, so that it never waits.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    fn wrk(&self, script: &Path, seconds: u32) -> String {
        let mut command = Command::new("wrk");
        command.args(["--threads", "1", "--latency", "--timeout", "5s"]);
        command.args(["--connections", &CONNECTIONS.to_string(), "--duration", &format!("{seconds}s")]);
        command.arg("--script").arg(script).arg(&self.address).stdin(Stdio::null());
        let output = command.output().expect("wrk; run `apt-get install wrk`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The most memory that it used, in bytes.
    fn peak(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::MAX) * 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands after a label.
fn number(text: &str, label: &str) -> String {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
    line.map_or_else(|| "0".to_owned(), |rest| rest.trim().to_owned())
}

/// The sum of all numbers in a text, such as `connect 0, read 3`.
fn count(text: &str) -> f64 {
    text.split([' ', ',']).filter_map(|word| word.parse::<f64>().ok()).sum()
}

/// A time as wrk writes it, in milliseconds.
fn milliseconds(text: &str) -> f64 {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)];
    let found =
        units.iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor));
    found.unwrap_or(f64::MAX)
}
