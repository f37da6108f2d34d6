//! A watch that goes on: rounds, scrapers, its end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::Watched;
use super::sinks::Prometheus;
use crate::project::Project;
use crate::servers::{LIMIT, poll};
use crate::tools::tool;

/// A watch that runs and listens.
pub struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(watched: &Watched, arguments: &[&str]) -> Self {
        Self::every(watched, "1s", arguments)
    }

    /// With this interval from round to round.
    pub fn every(watched: &Watched, interval: &str, arguments: &[&str]) -> Self {
        let all =
            [&["watch", "--listen", "127.0.0.1:0", "--interval", interval, "--json"], arguments].concat();
        let mut child = watched.project.command(all).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        let address = said["address"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        Self { child, address }
    }

    /// Status and body.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn metrics(&self) -> String {
        self.get("/metrics").1
    }

    /// Ends it by the signal of supervisors; what it wrote on standard error.
    pub fn end(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(tool("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{said}");
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What promtool says of names, types and helps; it reads the text format of before OpenMetrics, in which a counter's `_total`
/// is part of its name.
fn checked(metrics: &str) {
    let counters: Vec<&str> =
        metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    assert!(counters.contains(&"greffe_watch_rounds"), "{metrics}");
    let mut text = metrics.to_owned();
    for name in counters {
        text = text.replace(&format!(" {name} "), &format!(" {name}_total "));
    }
    let mut command: Command = tool("promtool");
    let command = command.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{metrics}");
}

#[test]
fn a_change_by_hand_reaches_the_webhook_while_it_runs_and_scrapers_see_it() {
    let watched = Watched::new(Project::applied(), "");
    let running = Running::start(&watched, &["--log", "json", "--metrics-file", "metrics.prom"]);
    assert_eq!(running.get("/healthz"), (200, "alive\n".to_owned()));
    assert!(poll(LIMIT, || running.get("/readyz").0 == 200));
    let entries = "greffe_chain_entries{chain=\"demo\"} 4.0";
    assert!(running.metrics().contains(entries), "{}", running.metrics());
    watched.project.sql("CREATE TABLE intruder (id INTEGER)");
    let finding = "greffe_findings{chain=\"demo\",code=\"schema-out-of-band\",severity=\"critical\"} 1.0";
    assert!(poll(LIMIT, || running.metrics().contains(finding)), "{}", running.metrics());
    let delivered = "greffe_alerts_delivered_total{chain=\"demo\",channel=\"hook\"} 1";
    assert!(poll(LIMIT, || running.metrics().contains(delivered)), "{}", running.metrics());
    let rounds = || {
        let metrics = running.metrics();
        let line = metrics.lines().find(|line| line.starts_with("greffe_watch_rounds_total{")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let before = rounds();
    assert!(poll(LIMIT, || rounds() >= before + 3));
    assert_eq!(watched.hook.requests().len(), 1, "one message for a finding");
    let prometheus = Prometheus::start(&running.address);
    let series = "greffe_findings{code=\"schema-out-of-band\",job=\"greffe\"}";
    assert!(poll(LIMIT, || prometheus.value(series) == Some(1.0)));
    let alert =
        "ALERTS{alertname=\"GreffeFindingCritical\",code=\"schema-out-of-band\",alertstate=\"firing\"}";
    assert!(poll(LIMIT, || prometheus.value(alert) == Some(1.0)));
    drop(prometheus);
    checked(&running.metrics());
    let file = String::from_utf8(watched.project.read("metrics.prom")).unwrap();
    assert!(file.contains(finding) && file.ends_with("# EOF\n"), "{file}");
    assert_eq!((running.get("/").0, running.get("/../etc/passwd").0), (404, 404));
    let said = running.end();
    let mut events = Vec::new();
    for line in said.lines() {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["channel", "code", "event", "level", "message", "name", "subject", "time"]);
        events.push(object["event"].as_str().unwrap().to_owned());
    }
    assert!(
        events.contains(&"round".to_owned()) && events.contains(&"finding-begun".to_owned()),
        "{events:?}"
    );
    // The next one goes on from what was told.
    watched.project.ends(1, ["watch", "--once"]);
    assert_eq!(watched.hook.requests().len(), 1);
}

#[test]
fn two_do_not_tell_the_same_things() {
    let watched = Watched::new(Project::applied(), "");
    let running = Running::start(&watched, &[]);
    assert!(poll(LIMIT, || running.get("/readyz").0 == 200));
    watched.project.ends(3, ["watch", "--once"]).says(&["another `greffe watch` uses"]);
    running.end();
    watched.project.ok(["watch", "--once"]);
}
