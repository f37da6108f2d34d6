//! Who is told: a webhook, a real Alertmanager, a real mail server.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::servers::{Home, LIMIT, Process, free_port, poll};
use crate::tools::{output_of, tool};

/// With what webhooks are signed.
pub const SECRET: &str = "hook-secret-5f2c";

/// A request that came.
#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// A webhook. It takes what comes, or lets it wait for ever.
pub struct Hook {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    answer: Arc<Mutex<Option<&'static str>>>,
    read: Mutex<usize>,
}

impl Hook {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(Mutex::new(Some("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")));
        let (kept, answers) = (Arc::clone(&requests), Arc::clone(&answer));
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let Some(answer) = *answers.lock().unwrap() else {
                    silent.push(stream);
                    continue;
                };
                if let Some(request) = take(&stream, answer) {
                    kept.lock().unwrap().push(request);
                }
            }
        });
        Self { port, requests, answer, read: Mutex::new(0) }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// What it answers from now on; `None`: nothing.
    pub fn answers(&self, answer: Option<&'static str>) {
        *self.answer.lock().unwrap() = answer;
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The events that came since they were asked for last, each signed with the secret, as OpenSSL reckons it.
    pub fn events(&self) -> Vec<Value> {
        let mut read = self.read.lock().unwrap();
        let requests = self.requests();
        let new = &requests[*read..];
        *read = requests.len();
        new.iter().map(event).collect()
    }
}

fn event(request: &Request) -> Value {
    assert_eq!(request.line, "POST /hook HTTP/1.1");
    assert_eq!(request.header("content-type"), "application/cloudevents+json; charset=utf-8");
    let folder = tempfile::tempdir().unwrap();
    let body = folder.path().join("body");
    fs::write(&body, &request.body).unwrap();
    let mac = output_of(tool("openssl").args(["dgst", "-sha256", "-hmac", SECRET, "-r"]).arg(&body));
    let expected = format!("sha256={}", mac.split(' ').next().unwrap());
    assert_eq!(request.header("greffe-signature"), expected);
    let event: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(event["specversion"], "1.0");
    event
}

fn take(stream: &TcpStream, answer: &str) -> Option<Request> {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut writer = stream;
    writer.write_all(answer.as_bytes()).ok()?;
    Some(Request { line: line.trim_end().to_owned(), headers, body })
}

/// A server that says something, and then more and more for ever; gives its port.
pub fn endless(first: &'static str, more: &'static [u8], pause: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut said = stream.write_all(first.as_bytes());
                while said.is_ok() {
                    thread::sleep(pause);
                    said = stream.write_all(more);
                }
            });
        }
    });
    port
}

fn program(name: &str) -> PathBuf {
    PathBuf::from(output_of(tool("sh").args(["-c", "command -v \"$0\"", name])).trim())
}

/// A real Alertmanager that runs; it ends with this value.
pub struct Alertmanager {
    _process: Process,
    _home: Home,
    port: u16,
}

impl Alertmanager {
    pub fn start() -> Self {
        Self::at(free_port())
    }

    /// One that remembers nothing, where the other one was.
    pub fn without_memory(self) -> Self {
        let port = self.port;
        drop(self);
        Self::at(port)
    }

    fn at(port: u16) -> Self {
        let home = Home::of_tests();
        home.write("am.yml", "route:\n  receiver: none\nreceivers:\n  - name: none\n");
        let arguments = [
            format!("--config.file={}", home.path("am.yml").display()),
            format!("--storage.path={}", home.path("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--cluster.listen-address=".to_owned(),
        ];
        let ready = |_| TcpStream::connect(("127.0.0.1", port)).is_ok();
        let _process = home.start(&program("prometheus-alertmanager"), &arguments, "TERM", ready);
        Self { _process, _home: home, port }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The alerts that are active, as amtool lists them.
    pub fn alerts(&self) -> Vec<Value> {
        let url = format!("--alertmanager.url={}", self.url());
        let listed =
            output_of(tool("amtool").args([&url, "alert", "query", "-o", "json"]).stderr(Stdio::inherit()));
        serde_json::from_str::<Value>(&listed).unwrap().as_array().cloned().unwrap_or_default()
    }
}

/// A real Prometheus that scrapes one address every second, with the rules that are shipped; it ends with this value.
pub struct Prometheus {
    _process: Process,
    _home: Home,
    port: u16,
}

impl Prometheus {
    pub fn start(address: &str) -> Self {
        let (home, port) = (Home::of_tests(), free_port());
        let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring/greffe.rules.yml");
        let config = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files:\n  - {rules}\nscrape_configs:\n  \
             - job_name: greffe\n    static_configs:\n      - targets: [\"{address}\"]\n"
        );
        home.write("prometheus.yml", &config);
        let arguments = [
            format!("--config.file={}", home.path("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", home.path("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let ready = |_| TcpStream::connect(("127.0.0.1", port)).is_ok();
        let _process = home.start(&program("prometheus"), &arguments, "TERM", ready);
        Self { _process, _home: home, port }
    }

    /// The value of a series now; `None` while there is none.
    pub fn value(&self, series: &str) -> Option<f64> {
        let url = format!("http://127.0.0.1:{}", self.port);
        let output = tool("promtool").args(["query", "instant", &url, series]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.rsplit("=> ").next()?.split(' ').next()?.parse().ok()
    }
}

/// A real mail server that keeps what it gets; it ends with this value.
pub struct MailServer {
    _process: Process,
    home: Home,
    port: u16,
}

impl MailServer {
    pub fn start() -> Self {
        let python = std::env::var_os("GREFFE_TEST_MAIL");
        let python = python.expect("GREFFE_TEST_MAIL is missing: run `./tests/run`, which makes it");
        let (home, port) = (Home::of_tests(), free_port());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/watch/sink.py").to_owned();
        let arguments = [script, port.to_string(), home.path("").display().to_string()];
        let ready = |_| TcpStream::connect(("127.0.0.1", port)).is_ok();
        let _process = home.start(&PathBuf::from(python), &arguments, "TERM", ready);
        Self { _process, home, port }
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// The mail of this number, from 0.
    pub fn mail(&self, number: usize) -> String {
        let path = self.home.path(&format!("{number}.eml"));
        poll(LIMIT, || path.exists());
        String::from_utf8(fs::read(path).unwrap()).unwrap()
    }

    pub fn count(&self) -> usize {
        let files = fs::read_dir(self.home.path("")).unwrap();
        files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "eml")).count()
    }
}
