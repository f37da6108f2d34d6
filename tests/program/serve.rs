//! `greffe serve` as clients meet it: what it answers and refuses, how it bears those who mean it ill, and how it
//! ends. Helia and Kubo fetch from it.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

use greffe::codec::car::{decode_frame, decode_header};
use greffe::codec::note;
use greffe::crypto::PrivateKey;
use greffe::model::{Cid, Codec, IpnsName};
use serde_json::{Value, json};

use crate::project::{Project, SEED, THREE};
use crate::servers::{Kubo, LIMIT, helia, poll};
use crate::tools::{output_of, tool};

const RAW: &str = "application/vnd.ipld.raw";
const CAR: &str = "application/vnd.ipld.car; version=1; order=dfs; dups=n";

/// A server that runs; it ends with this value.
pub struct Served {
    pub child: Child,
    pub address: SocketAddr,
    said: Value,
}

impl Served {
    pub fn start(project: &Project, arguments: &[&str]) -> Self {
        let listen = ["--listen", "127.0.0.1:0"];
        let listen = if arguments.contains(&listen[0]) { &[][..] } else { &listen };
        let mut child = project.command([&["serve", "--json"], listen, arguments].concat()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            let line = lines.next().unwrap_or_else(|| {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("it does not listen: {text}{said}")
            });
            text.push_str(&(line.unwrap() + "\n"));
        }
        let said: Value = serde_json::from_str(&text).unwrap();
        let address = said["address"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
        Self { child, address, said }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// What comes for these bytes until the server closes.
    pub fn send(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        let mut answer = Vec::new();
        // A server that refuses may close before all is sent.
        let _ = stream.write_all(bytes);
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        Answer::parse(&self.send(request.as_bytes()), method == "HEAD")
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    fn raw(&self, cid: &str) -> Answer {
        self.get(&format!("/ipfs/{cid}?format=raw"))
    }

    pub fn signal(&self, name: &str) {
        output_of(tool("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &self.child.id().to_string()]));
    }

    /// Its exit code and what it said, once it has ended.
    pub fn end(&mut self) -> (i32, String) {
        assert!(poll(LIMIT, || self.child.try_wait().unwrap().is_some()), "it does not end");
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code().unwrap(), said)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
    /// Whether the body ended as it was announced.
    whole: bool,
}

impl Answer {
    fn parse(bytes: &[u8], head: bool) -> Self {
        let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        let end =
            bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or_else(|| panic!("{}", shown()));
        let text = std::str::from_utf8(&bytes[..end]).unwrap();
        let (first, rest) = text.split_once("\r\n").unwrap();
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<String, String> = rest
            .lines()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let rest = &bytes[end + 4..];
        let (body, whole) = match (headers.get("transfer-encoding"), headers.get("content-length")) {
            _ if head || status == 304 => (rest.to_vec(), rest.is_empty()),
            (Some(_), _) => unchunk(rest),
            (None, Some(length)) => (rest.to_vec(), rest.len() == length.parse::<usize>().unwrap()),
            (None, None) => (rest.to_vec(), false),
        };
        Self { status, headers, body, whole }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.text());
        // No answer lacks them.
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(self.header(name), value);
        }
        let policy = self.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        self
    }
}

fn unchunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(line) = bytes.windows(2).position(|part| part == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
        let Some(chunk) = bytes.get(line + 2..line + 2 + size) else { break };
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(chunk);
        bytes = bytes.get(line + 4 + size..).unwrap_or_default();
    }
    (body, false)
}

/// The root and the blocks of a CAR.
fn blocks(car: &[u8]) -> (Cid, Vec<(Cid, Vec<u8>)>) {
    let (root, mut at) = decode_header(car).unwrap();
    let mut blocks = Vec::new();
    while at < car.len() {
        let frame = decode_frame(&car[at..]).unwrap();
        let block = car[at + frame.prefix..at + frame.total()].to_vec();
        assert!(frame.cid.matches(&block));
        blocks.push((frame.cid, block));
        at += frame.total();
    }
    (root, blocks)
}

fn exported(project: &Project) -> Vec<u8> {
    project.ok(["export", "--out", "all.car", "--force"]);
    project.read("all.car")
}

/// A chain whose archive has several megabytes.
pub fn large() -> Project {
    let project = Project::new();
    for number in 1..=24 {
        let noise: String =
            (0..20_000).map(|n| format!("-- {:032x}\n", (n * 7919 + number) as u128)).collect();
        project.script(&format!("{number}_t.sql"), format!("{noise}CREATE TABLE t{number} (id INTEGER);\n"));
    }
    project.ok(["apply"]);
    project
}

#[test]
fn every_block_is_given_as_it_is() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let (_, all) = blocks(&exported(&project));
    assert!(all.len() > 20);
    for (cid, block) in &all {
        let answer = server.raw(&cid.to_string());
        assert_eq!(answer.is(200).body, *block);
        let by_header = server.ask("GET", &format!("/ipfs/{cid}"), &[("Accept", RAW)]);
        assert_eq!(by_header.is(200).body, *block);
    }
    let (cid, block) = &all[0];
    let path = format!("/ipfs/{cid}?format=raw");
    let answer = server.get(&path);
    for (name, value) in [
        ("content-type", RAW),
        ("content-disposition", &format!("attachment; filename=\"{cid}.bin\"")),
        ("etag", &format!("\"{cid}.raw\"")),
        ("cache-control", "public, max-age=29030400, immutable"),
        ("x-content-type-options", "nosniff"),
        ("x-ipfs-path", &format!("/ipfs/{cid}")),
        ("x-ipfs-roots", &cid.to_string()),
        ("accept-ranges", "bytes"),
        ("vary", "Accept"),
        ("content-length", &block.len().to_string()),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let head = server.ask("HEAD", &path, &[]);
    assert!(head.is(200).body.is_empty());
    for name in ["content-type", "content-length", "etag", "cache-control", "accept-ranges"] {
        assert_eq!(head.header(name), answer.header(name), "{name}");
    }
    // Other spellings of the same CID.
    assert_eq!(server.raw(&cid.to_string().to_uppercase()).is(200).body, *block);
}

#[test]
fn curl_reads_a_script() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let script = THREE[0].1;
    let cid = Cid::of(Codec::Raw, script.as_bytes());
    let url = format!("{}/ipfs/{cid}?format=raw", server.url());
    assert_eq!(output_of(tool("curl").args(["-sf", &url])), script);
    let headers = output_of(tool("curl").args(["-sfI", "-H", &format!("Accept: {RAW}"), &url]));
    assert!(headers.starts_with("HTTP/1.1 200 OK"), "{headers}");
    let part = output_of(tool("curl").args(["-sf", "-r", "0-11", &url]));
    assert_eq!(part, "CREATE TABLE");
    let old = output_of(tool("curl").args(["-sf", "--http1.0", &url]));
    assert_eq!(old, script);
}

#[test]
fn conditions_and_ranges_are_kept() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let script = THREE[0].1.as_bytes();
    let cid = Cid::of(Codec::Raw, script);
    let path = format!("/ipfs/{cid}?format=raw");
    let tag = format!("\"{cid}.raw\"");
    for known in [&tag[..], "*", &format!("W/{tag}"), &format!("\"other\", {tag}")] {
        let answer = server.ask("GET", &path, &[("If-None-Match", known)]);
        assert_eq!((answer.status, answer.header("etag")), (304, &*tag), "{known}");
        assert!(answer.body.is_empty());
        assert!(answer.header("content-type").is_empty());
    }
    server.ask("GET", &path, &[("If-None-Match", "\"other\"")]).is(200);
    let whole = script.len();
    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=7-", 7..whole),
        ("bytes=-5", whole - 5..whole),
        ("bytes=3-18446744073709551615", 3..whole),
        ("bytes=-99999999999999999999999999", 0..whole),
    ] {
        let answer = server.ask("GET", &path, &[("Range", range)]);
        assert_eq!(answer.is(206).body, script[part.clone()], "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {}-{}/{whole}", part.start, part.end - 1));
    }
    for range in ["bytes=100000-", "bytes=18446744073709551616-", "bytes=-0"] {
        let answer = server.ask("GET", &path, &[("Range", range)]);
        assert_eq!(answer.is(416).header("content-range"), format!("bytes */{whole}"), "{range}");
    }
    for range in ["bytes=5-3", "bytes=0-1,3-4", "lines=0-1", "bytes=x-y", "bytes=-"] {
        assert_eq!(server.ask("GET", &path, &[("Range", range)]).is(200).body, script, "{range}");
    }
    server.ask("GET", &path, &[("Range", "bytes=0-0"), ("If-Range", &tag)]).is(206);
    server.ask("GET", &path, &[("Range", "bytes=0-0"), ("If-Range", "\"other\"")]).is(200);
    server.ask("HEAD", &path, &[("Range", "bytes=0-0")]).is(200);
}

#[test]
fn what_is_not_here_or_not_offered_is_refused() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let here = project.head();
    let absent = Cid::of(Codec::Raw, b"not archived");
    server.raw(&absent.to_string()).is(404);
    let cached = [("Cache-Control", "no-transform, only-if-cached")];
    server.ask("GET", &format!("/ipfs/{absent}?format=raw"), &cached).is(412);
    server.ask("HEAD", &format!("/ipfs/{absent}?format=car"), &cached).is(412);
    server.ask("GET", &format!("/ipfs/{here}?format=raw"), &cached).is(200);
    // Of another kind, and so not here.
    server.raw("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n").is(404);
    for method in ["GET", "HEAD"] {
        let probe = server.ask(method, "/ipfs/bafkqaaa?format=raw", &[]);
        assert_eq!((probe.is(200).body.len(), probe.header("content-type")), (0, RAW));
    }
    for text in ["b", "nonsense", "bafkrei", "%00", "..", "%2e%2e", "*", &"b".repeat(4000)] {
        server.raw(text).is(400);
    }
    let path = format!("/ipfs/{here}");
    server.get(&path).is(400);
    for (accept, status) in [
        ("text/html", 406),
        ("*/*", 406),
        ("application/vnd.ipld.car; version=2", 406),
        ("application/vnd.ipld.car; dups=y", 406),
        ("application/vnd.ipld.raw;q=0", 406),
        (RAW, 200),
        (CAR, 200),
        ("application/vnd.ipld.car; order=unk", 200),
        ("text/html, application/vnd.ipld.raw;q=0.1", 200),
    ] {
        server.ask("GET", &path, &[("Accept", accept)]).is(status);
    }
    for format in ["html", "dag-json", "dag-cbor", "tar", "ipns-record", "RAW"] {
        server.ask("GET", &format!("{path}?format={format}"), &[("Accept", RAW)]).is(406);
    }
    let before_header = server.ask("GET", &format!("{path}?format=car"), &[("Accept", RAW)]);
    assert_eq!(before_header.is(200).header("content-type"), CAR);
    server.get(&format!("{path}?format=car&dag-scope=some")).is(400);
    server.get(&format!("{path}?format=car&car-dups=y")).is(406);
    server.get(&format!("{path}/tlog?format=raw")).is(404);
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "NONSENSE"] {
        server.ask(method, &format!("{path}?format=raw"), &[]).is(405);
    }
    for path in ["/", "/ipfs", "/ipfs/", "/log", "/api/v0/id", "/index.html"] {
        server.get(path).is(404);
    }
}

#[test]
fn a_car_is_what_export_writes_and_verifies() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let head = project.head();
    let answer = server.get(&format!("/ipfs/{head}?format=car"));
    assert!(answer.is(200).whole);
    for (name, value) in [
        ("content-type", CAR),
        ("content-disposition", &format!("attachment; filename=\"{head}.car\"")),
        ("etag", &format!("W/\"{head}.car.all\"")),
        ("accept-ranges", "none"),
        ("vary", "Accept"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(answer.body == exported(&project));
    project.write("fetched.car", &answer.body);
    assert!(project.ok(["verify", "fetched.car"]).stdout.starts_with("verified: demo, 4 entries"));

    let head_only = server.ask("HEAD", &format!("/ipfs/{head}?format=car"), &[]);
    assert!(head_only.is(200).body.is_empty());
    assert_eq!(head_only.header("content-type"), CAR);
    // Its length is not known before, and 0 would be another.
    assert_eq!(head_only.header("content-length"), "");
    let known = [("If-None-Match", answer.header("etag"))];
    assert_eq!(server.ask("GET", &format!("/ipfs/{head}?format=car"), &known).status, 304);
    let old = server.send(format!("GET /ipfs/{head}?format=car HTTP/1.0\r\n\r\n").as_bytes());
    assert_eq!(Answer::parse(&old, false).status, 505);

    for scope in ["block", "entity"] {
        let (root, found) = blocks(&server.get(&format!("/ipfs/{head}?format=car&dag-scope={scope}")).body);
        assert_eq!((root.to_string(), found.len()), (head.clone(), 1), "{scope}");
    }
    let manifest = project.log()[1]["manifest"].as_str().unwrap().to_owned();
    let (root, found) = blocks(&server.get(&format!("/ipfs/{manifest}?format=car")).body);
    // The log, the way up and the way down.
    assert_eq!((root.to_string(), found.len(), found[0].0), (manifest, 4, root));
}

#[test]
fn a_file_of_several_blocks_is_one_entity() {
    let project = Project::new();
    let script = format!("CREATE TABLE t (id INTEGER);\n{}", "-- much more text\n".repeat(150_000));
    project.script("1_t.sql", &script);
    project.ok(["apply"]);
    let server = Served::start(&project, &[]);
    let mut built = Vec::new();
    let cid = greffe::codec::unixfs::build_file(script.as_bytes(), &mut |block| built.push(block.cid));
    let scope = |scope: &str| {
        let answer = server.get(&format!("/ipfs/{cid}?format=car&dag-scope={scope}"));
        assert!(answer.is(200).whole);
        blocks(&answer.body).1
    };
    assert_eq!((scope("block").len(), built.len()), (1, 4));
    for wide in ["entity", "all"] {
        let found = scope(wide);
        assert_eq!(found[0].0, cid);
        let joined: Vec<u8> = found[1..].iter().flat_map(|(_, block)| block.clone()).collect();
        assert!(joined == script.as_bytes(), "{wide}");
    }
}

#[test]
fn damage_on_disk_is_never_given_and_cuts_a_stream() {
    let project = Project::applied();
    let sound = project.copy();
    let head = project.head();
    let mut bytes = project.read("archive/demo.car");
    let place = bytes.windows(18).position(|part| part == b"CREATE TABLE books").unwrap();
    bytes[place] ^= 1;
    project.write("archive/demo.car", &bytes);
    let mut server = Served::start(&project, &[]);
    let cid = Cid::of(Codec::Raw, THREE[2].1.as_bytes());
    let answer = server.raw(&cid.to_string());
    assert!(!answer.is(500).text().contains(&project.path("").display().to_string()), "{}", answer.text());
    let answer = server.get(&format!("/ipfs/{head}?format=car"));
    assert_eq!(answer.status, 200);
    let whole = exported(&sound);
    assert!(!answer.whole && !blocks(&answer.body).1.is_empty());
    assert!(answer.body.len() < whole.len() && whole.starts_with(&answer.body));
    let path = project.path("cut.car");
    let curl = tool("curl")
        .args(["-sf", "-o", path.to_str().unwrap(), &format!("{}/ipfs/{head}?format=car", server.url())])
        .status()
        .unwrap();
    assert!(!curl.success());
    server.signal("TERM");
    let (code, said) = server.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&format!("the CAR of {head} is cut short")), "{said}");
}

/// The size that a checkpoint says.
fn size(checkpoint: &str) -> u64 {
    checkpoint.lines().nth(1).unwrap().parse().unwrap()
}

#[test]
fn the_log_is_a_prefix_of_tiles_and_grows_while_it_is_served() {
    let project = Project::with(&THREE);
    project.ok(["apply", "--to", "2"]);
    let server = Served::start(&project, &[]);
    let first = server.get("/log/checkpoint");
    assert_eq!(first.is(200).header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(first.header("cache-control"), "no-store");
    assert_eq!(size(&first.text()), 3);
    assert!(note::Note::decode(&first.body).is_ok());
    let hashes = server.get("/log/tile/0/000.p/3");
    assert_eq!(hashes.is(200).body.len(), 3 * 32);
    assert_eq!(hashes.header("content-type"), "application/octet-stream");
    assert_eq!(hashes.header("cache-control"), "public, max-age=60");
    let entries = server.get("/log/tile/entries/000.p/3");
    assert_eq!(entries.is(200).body.len(), 3 * 38);
    server.get("/log/tile/0/000.p/4").is(404);

    let before = project.head();
    project.ok(["apply"]);
    let after = project.head();
    assert!(poll(LIMIT, || size(&server.get("/log/checkpoint").text()) == 4));
    server.raw(&after).is(200);
    server.raw(&before).is(200);
    assert!(server.get("/log/tile/0/000.p/4").is(200).body.starts_with(&hashes.body));
    // Who has the older checkpoint finds its tiles.
    assert_eq!(server.get("/log/tile/0/000.p/3").is(200).body, hashes.body);
    assert_eq!(server.get("/log/tile/entries/000.p/3").is(200).body, entries.body);
    for path in [
        "tile/0/000",
        "tile/1/000",
        "tile/0/001",
        "tile/9/000",
        "tile/0/0",
        "tile/0/000.p/0",
        "tile/0/000.p/257",
        "tile/entries",
        "tile/entries/x001/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile",
        "head",
        "..%2fdemo.car",
        "../log/demo.car",
    ] {
        server.get(&format!("/log/{path}")).is(404);
    }
    assert_eq!(server.ask("HEAD", "/log/checkpoint", &[]).is(200).body.len(), 0);
    server.get("/logs/demo/checkpoint").is(200);
    server.get("/logs/other/checkpoint").is(404);
    server.get("/logs/..%2f/checkpoint").is(400);
    // Compaction takes the place of the file.
    project.ok(["compact"]);
    assert!(poll(LIMIT, || server.raw(&before).status == 404));
    server.raw(&after).is(200);
}

#[test]
fn whole_tiles_are_for_ever() {
    let project = Project::new();
    for number in 1..=260 {
        project.script(&format!("{number}_t.sql"), format!("CREATE TABLE t{number} (id INTEGER);\n"));
    }
    project.ok(["apply", "--fingerprint", "false"]);
    let server = Served::start(&project, &[]);
    assert_eq!(size(&server.get("/log/checkpoint").text()), 261);
    let whole = server.get("/log/tile/0/000");
    assert_eq!(whole.is(200).body.len(), 256 * 32);
    assert_eq!(whole.header("cache-control"), "public, max-age=29030400, immutable");
    assert_eq!(server.get("/log/tile/0/000.p/200").is(200).body, whole.body[..200 * 32]);
    assert_eq!(server.get("/log/tile/0/001.p/5").is(200).body.len(), 5 * 32);
    assert_eq!(server.get("/log/tile/1/000.p/1").is(200).body.len(), 32);
    assert_eq!(server.get("/log/tile/entries/000").is(200).body.len(), 256 * 38);
    let answer = server.get(&format!("/ipfs/{}?format=car", project.head()));
    assert!(answer.whole && answer.body == exported(&project));
}

#[test]
fn delegated_routing_says_who_has_a_block() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let path = format!("/routing/v1/providers/{}", project.head());
    let here = format!("/ip4/127.0.0.1/tcp/{}/http", server.address.port());
    let answer = server.get(&path);
    assert_eq!(answer.is(200).header("content-type"), "application/json");
    assert_eq!(answer.header("vary"), "Accept");
    let providers = answer.json()["Providers"].as_array().unwrap().clone();
    assert_eq!(providers.len(), 1);
    assert_eq!(providers[0]["Schema"], "peer");
    assert_eq!(providers[0]["Addrs"], json!([here]));
    assert_eq!(providers[0]["Protocols"], json!(["transport-ipfs-gateway-http"]));
    assert!(providers[0]["ID"].as_str().unwrap().starts_with("Qm"));
    let lines = server.ask("GET", &path, &[("Accept", "application/x-ndjson, application/json;q=0.8")]);
    assert_eq!(lines.is(200).header("content-type"), "application/x-ndjson");
    let [line] = lines.text().lines().map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), providers[0]);

    let absent = Cid::of(Codec::Raw, b"not archived");
    for cid in [&absent.to_string()[..], "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n", "bafkqaaa"] {
        let path = format!("/routing/v1/providers/{cid}");
        assert_eq!(server.get(&path).is(200).json(), json!({ "Providers": [] }));
        let lines = server.ask("GET", &path, &[("Accept", "application/x-ndjson")]);
        assert!(lines.is(200).body.is_empty());
    }
    server.get("/routing/v1/providers/nonsense").is(400);
    server.get("/routing/v1/peers/nonsense").is(404);
    drop(server);
    let elsewhere = "/dns4/example.org/tcp/443/https";
    let server = Served::start(&project, &["--announce", elsewhere]);
    assert_eq!(server.get(&path).json()["Providers"][0]["Addrs"], json!([elsewhere]));
    assert_eq!(server.said["announced"], json!([elsewhere]));
}

#[test]
fn a_signed_name_is_given_to_who_asks_for_it() {
    let mut project = Project::applied();
    project.ok(["key", "generate", "--out", "greffe.ipns.pem"]);
    project.variables.push(("GREFFE_PUBLISH_KEY".into(), "file:greffe.ipns.pem".into()));
    let server = Served::start(&project, &[]);
    let name = IpnsName::new(*PrivateKey::from_seed(SEED).public());
    server.get(&format!("/routing/v1/ipns/{name}")).is(404);
    let published = project.json(&["publish"]);
    let path = format!("/routing/v1/ipns/{}", published["name"].as_str().unwrap());
    let mut record = project.read("archive/demo.ipns");
    let answer = server.get(&path);
    assert_eq!(answer.is(200).body, record);
    assert_eq!(answer.header("content-type"), "application/vnd.ipfs.ipns-record");
    assert_eq!(answer.header("cache-control"), "no-cache");
    let known = [("If-None-Match", answer.header("etag"))];
    assert_eq!(server.ask("GET", &path, &known).status, 304);
    // As gateways have it: the record, and not what the name leads to.
    let gateway = path.replace("/routing/v1", "");
    let answer = server.get(&format!("{gateway}?format=ipns-record"));
    assert_eq!(answer.is(200).body, record);
    assert_eq!(server.ask("GET", &gateway, &[("Accept", "application/vnd.ipfs.ipns-record")]).body, record);
    server.get(&gateway).is(406);
    server.get(&format!("{gateway}?format=car")).is(406);
    server.get(&format!("/ipns/{name}?format=ipns-record")).is(404);
    server.get("/ipns/demo?format=ipns-record").is(400);
    // Another name, and no name.
    server.get(&format!("/routing/v1/ipns/{name}")).is(404);
    for text in ["demo", "..%2f..%2fetc%2fpasswd", "%2fipns%2fk51", "bafkqaaa", &"k".repeat(2000)] {
        server.get(&format!("/routing/v1/ipns/{text}")).is(400);
    }
    server.ask("PUT", &path, &[]).is(405);
    // A record that is changed, and a file that is something else.
    *record.last_mut().unwrap() ^= 1;
    project.write("archive/demo.ipns", &record);
    server.get(&path).is(404);
    fs::remove_file(project.path("archive/demo.ipns")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", project.path("archive/demo.ipns")).unwrap();
    server.get(&path).is(404);
}

#[test]
fn greffe_verifies_from_it_with_nothing_but_the_cid() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let elsewhere = Project::empty();
    let run = elsewhere.ok(["verify", &project.head(), "--from", &server.url()]);
    assert!(run.stdout.starts_with("verified: demo, 4 entries"), "{run:#?}");
}

#[test]
fn nothing_outside_the_archive_is_reached() {
    let project = Project::applied();
    project.write("secret.txt", "not to be seen");
    let server = Served::start(&project, &[]);
    for path in [
        "/../secret.txt",
        "/ipfs/../secret.txt",
        "/ipfs/..%2fsecret.txt",
        "/ipfs/%2e%2e/%2e%2e/secret.txt?format=raw",
        "/ipfs/%2fetc%2fpasswd?format=raw",
        "/ipfs//etc/passwd?format=raw",
        "/log/../../secret.txt",
        "/log/tile/../../../secret.txt",
        "/log/%2e%2e%2fsecret.txt",
        "/log//etc/passwd",
        "/logs/demo/..%2f..%2fsecret.txt",
        "/logs/..%2f..%2fsecret/checkpoint",
        "/routing/v1/ipns/..%2fdemo",
        "/archive/demo.car",
        "/demo.car",
        "/greffe.toml",
        "/log/demo.car%00",
        "\\..\\secret.txt",
        "http://127.0.0.1/../secret.txt",
        "*",
    ] {
        let answer = server.get(path);
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.text().contains("not to be seen") && !answer.text().contains("root:"), "{path}");
    }
}

#[test]
fn what_is_too_long_or_no_request_is_cut_off() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let status = |bytes: &[u8]| {
        let answer = server.send(bytes);
        String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|status| status.parse::<u16>().ok())
    };
    let long = format!("GET /ipfs/b{}?format=raw HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(1 << 20));
    assert!(matches!(status(long.as_bytes()), Some(414 | 431) | None));
    let header = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "a".repeat(1 << 20));
    assert!(matches!(status(header.as_bytes()), Some(431) | None));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(1000));
    assert_eq!(status(many.as_bytes()), Some(431));
    assert_eq!(status(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), Some(400));
    assert!(matches!(status(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(400 | 505) | None));
    let body = b"GET /log/checkpoint HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(status(body), Some(413));
    let chunked =
        b"GET /log/checkpoint HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(status(chunked), Some(413));
    // Two good requests in one, then garbage: two answers, a refusal, and the end.
    let good = b"GET /log/checkpoint HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = server.send(&[&good[..], &good[..], b"\0\xff garbage\r\n\r\n", &good[..]].concat());
    let text = String::from_utf8_lossy(&answer);
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
    assert_eq!(text.matches("HTTP/1.1 400 Bad Request").count(), 1, "{text}");
    server.get("/log/checkpoint").is(200);
}

#[test]
fn slow_clients_shut_out_nobody() {
    let project = Project::applied();
    let server = Served::start(&project, &["--connections", "20"]);
    let begin = Instant::now();
    let mut slow = Vec::new();
    for number in 0..300 {
        let mut stream = server.connect();
        let _ = stream.write_all(b"GET /log/checkpoint HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
        slow.push(stream);
        if number % 50 == 49 {
            server.get("/log/checkpoint").is(200);
        }
    }
    // Most of them were closed to make room; those that were not have a time.
    let mut open = 0;
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        open += usize::from(stream.read(&mut [0; 500]).is_err_and(|error| {
            matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
        }));
    }
    assert!((1..=20).contains(&open), "{open}");
    let last = slow.last_mut().unwrap();
    last.set_read_timeout(Some(LIMIT)).unwrap();
    let _ = last.read_to_end(&mut Vec::new());
    assert!((Duration::from_secs(9)..LIMIT).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    server.get("/log/checkpoint").is(200);
}

#[test]
fn who_reads_nothing_loses_the_connection() {
    let project = large();
    let server = Served::start(&project, &[]);
    let mut stream = server.connect();
    let request = format!("GET /ipfs/{}?format=car HTTP/1.1\r\nHost: localhost\r\n\r\n", project.head());
    // The same on one connection, more than all buffers between the two hold.
    stream.write_all(request.repeat(20).as_bytes()).unwrap();
    assert!(poll(LIMIT, || stream.write_all(b"\r\n").is_err()));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let all = exported(&project).len();
    assert!(answer.len() < 20 * all, "{} of 20 times {all}", answer.len());
    server.get("/log/checkpoint").is(200);
}

#[test]
fn who_reads_slowly_but_steadily_gets_all_of_it() {
    let project = large();
    let all = exported(&project);
    let server = Served::start(&project, &[]);
    let mut stream = server.connect();
    let request = format!(
        "GET /ipfs/{}?format=car HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        project.head()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let (begin, mut answer, mut piece) = (Instant::now(), Vec::new(), vec![0; 4 << 10]);
    // About 40 KiB a second, long enough for a rule that looks at large steps to see none.
    while begin.elapsed() < Duration::from_secs(40) {
        let size = stream.read(&mut piece).unwrap();
        answer.extend_from_slice(&piece[..size]);
        std::thread::sleep(Duration::from_millis(100));
    }
    let slowly = answer.len();
    stream.read_to_end(&mut answer).unwrap();
    let answer = Answer::parse(&answer, false);
    assert!(answer.whole && answer.body == all, "{slowly} slowly, {} of {}", answer.body.len(), all.len());
}

#[test]
fn an_address_has_a_share_of_streams_and_connections() {
    let project = large();
    let server = Served::start(&project, &[]);
    let path = format!("/ipfs/{}?format=car", project.head());
    let begin = |local: &str| {
        let mut stream = connect_from(local, server.address);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream
    };
    let status = |stream: &mut TcpStream| {
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.split(' ').nth(1).unwrap().to_owned()
    };
    let mut greedy: Vec<TcpStream> = (0..16).map(|_| begin("127.0.0.2:0")).collect();
    // Another address is answered at once, while most of the first one's wait.
    let asked = Instant::now();
    assert_eq!(status(&mut begin("127.0.0.3:0")), "200");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    let answers: Vec<String> = greedy.iter_mut().map(status).collect();
    assert_eq!(answers.iter().filter(|status| *status == "200").count(), 4, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| *status == "503").count(), 12, "{answers:?}");
    // One that waits has its turn when another ends.
    let mut patient = begin("127.0.0.2:0");
    std::thread::sleep(Duration::from_millis(500));
    drop(greedy);
    assert_eq!(status(&mut patient), "200");
    // Where all come from a proxy, nothing is kept from its address.
    let server = Served::start(&project, &["--behind-proxy"]);
    let mut proxied: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = server.connect();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            stream
        })
        .collect();
    assert!(proxied.iter_mut().all(|stream| status(stream) == "200"));
}

/// A connection from an address of this machine.
pub fn connect_from(local: &str, to: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(local.parse().unwrap()).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

#[test]
fn an_address_may_ask_so_often() {
    let project = Project::applied();
    let server = Served::start(&project, &["--rate", "5"]);
    let answers: Vec<Answer> = (0..40).map(|_| server.get("/log/checkpoint")).collect();
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(answers[..10].iter().all(|answer| answer.status == 200));
    assert!(!refused.is_empty(), "{answers:?}");
    assert!(refused.iter().all(|answer| answer.header("retry-after") == "1"));
    assert!(poll(LIMIT, || server.get("/log/checkpoint").status == 200));
}

#[test]
fn answers_that_have_begun_are_finished_when_it_ends() {
    let project = large();
    let all = exported(&project);
    for signal in ["TERM", "INT"] {
        let mut server = Served::start(&project, &[]);
        let mut idle = server.connect();
        idle.write_all(b"GET /log/checkpoint HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut stream = server.connect();
        let request = format!("GET /ipfs/{}?format=car HTTP/1.1\r\nHost: localhost\r\n\r\n", project.head());
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = vec![0; 4096];
        stream.read_exact(&mut answer).unwrap();
        server.signal(signal);
        assert!(poll(LIMIT, || TcpStream::connect(server.address).is_err()));
        stream.read_to_end(&mut answer).unwrap();
        let answer = Answer::parse(&answer, false);
        assert!(answer.whole && answer.body == all, "{} of {}", answer.body.len(), all.len());
        assert_eq!(server.end().0, 0);
        idle.shutdown(Shutdown::Both).ok();
    }
    // Who does not take the rest cannot keep it.
    let mut server = Served::start(&project, &[]);
    let mut stream = server.connect();
    let request = format!("GET /ipfs/{}?format=car HTTP/1.1\r\nHost: localhost\r\n\r\n", project.head());
    stream.write_all(request.repeat(20).as_bytes()).unwrap();
    stream.read_exact(&mut [0; 4096]).unwrap();
    server.signal("TERM");
    server.signal("INT");
    assert!(matches!(server.end().0, 0 | 3));
}

#[test]
fn it_listens_to_this_machine_unless_told() {
    let project = Project::applied();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let run = project.ends(2, ["serve", "--listen", address]);
        run.says(&["can be reached from other machines", "hint: pass `--public`"]);
    }
    project.ends(2, ["serve", "--announce", "http://example.org"]).says(&["is not a multiaddress"]);
    project.ends(2, ["serve", "--listen", "nonsense"]);
    project.ends(2, ["serve", "--connections", "0"]);
    let mut server = Served::start(&project, &["--listen", "0.0.0.0:0", "--public"]);
    let address = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    assert_eq!(server.said["public"], true);
    server.address = address;
    server.get("/log/checkpoint").is(200);
    // Nobody can be sent to an address that is none.
    let path = format!("/routing/v1/providers/{}", project.head());
    assert_eq!(server.get(&path).is(200).json(), json!({ "Providers": [] }));
    let taken = project.ends(3, ["serve", "--public", "--listen", &format!("0.0.0.0:{}", address.port())]);
    taken.says(&["cannot listen on", "hint: choose another address"]);
    server.signal("TERM");
    let (_, said) = server.end();
    assert!(said.contains("may read all of the archive") && said.contains("names nobody until"), "{said}");

    // For people: one line on standard error, nothing on standard output.
    let mut child = project.command(["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on http://127.0.0.1:") && line.ends_with(" (demo)\n"), "{line}");
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.stdout.is_empty());
}

#[test]
fn an_archive_that_cannot_be_served_is_told() {
    let project = Project::empty();
    project.ends(2, ["serve", "--listen", "127.0.0.1:0"]);
    let run = project.ends(3, ["serve", "--all", "--listen", "127.0.0.1:0", "--archive", "none"]);
    run.says(&["there is no archive in"]);
    let project = Project::new();
    let before = project.read("archive/demo.car");
    project.scripts(&THREE);
    project.ok(["apply"]);
    project.write("archive/demo.car", before);
    project.ends(1, ["serve", "--listen", "127.0.0.1:0"]).says(&["has lost its end"]);
}

#[test]
fn all_archives_of_a_folder_are_served_also_those_that_come() {
    let project = Project::applied();
    let other = Project::empty();
    other.ok(["init", "--name", "other", "--database", "sqlite:app.db"]);
    let one = Served::start(&project, &[]);
    let all = Served::start(&project, &["--all"]);
    let head = other.head();
    one.raw(&head).is(404);
    all.raw(&head).is(404);
    fs::copy(other.path("archive/other.car"), project.path("archive/other.car")).unwrap();
    assert!(poll(LIMIT, || all.raw(&head).status == 200));
    all.raw(&project.head()).is(200);
    all.get("/logs/other/checkpoint").is(200);
    all.get("/log/checkpoint").is(200);
    one.raw(&head).is(404);
    one.get("/logs/other/checkpoint").is(404);
}

#[test]
fn an_access_chain_is_not_served_with_the_others() {
    let project = Project::applied();
    let token = project.ok(["token", "new", "--scope", "status"]).stdout;
    let server = Served::start(&project, &["--all", "--record-every", "1s"]);
    server.ask("GET", "/api/v1/chains", &[("Authorization", &format!("Bearer {}", token.trim()))]).is(200);
    assert!(poll(LIMIT, || project.path("archive/demo-access.head").exists()));
    let head = fs::read_to_string(project.path("archive/demo-access.head")).unwrap();
    // Longer than it takes to see what is new.
    std::thread::sleep(Duration::from_millis(300));
    server.raw(head.trim()).is(404);
    server.get("/logs/demo-access/checkpoint").is(404);
    server.raw(&project.head()).is(200);
    // By its name it is what is asked for.
    let named = Served::start(&project, &["--name", "demo-access"]);
    named.get("/log/checkpoint").is(200);
}

#[test]
fn pages_that_have_their_name_lead_here_read_nothing() {
    let project = Project::applied();
    let ask = |server: &Served, hosts: &str| {
        let text = format!("GET /log/checkpoint HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        Answer::parse(&server.send(text.as_bytes()), false)
    };
    let announce = ["--announce", "/dns4/audit.example.org/tcp/443/https"];
    let server = Served::start(&project, &announce);
    let answer = ask(&server, "Host: evil.example\r\n");
    assert!(answer.is(421).text().contains("--announce"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    for host in ["localhost", "127.0.0.1:8090", "[::1]", "audit.example.org"] {
        ask(&server, &format!("Host: {host}\r\n")).is(200);
    }
    for hosts in ["", "Host: localhost\r\nHost: localhost\r\n"] {
        ask(&server, hosts).is(400);
    }
    for more in ["--public", "--behind-proxy"] {
        ask(&Served::start(&project, &[more]), "Host: evil.example\r\n").is(200);
    }
}

#[test]
fn requests_that_two_could_read_in_two_ways_are_refused() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let second = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for headers in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "Content-Length: 0, 0\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
        "Content-Length : 5\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n",
        "X: a\r\n b\r\n\r\n",
        "X: a\rb\r\n\r\n",
    ] {
        let text = format!("GET /log/checkpoint HTTP/1.1\r\nHost: localhost\r\n{headers}{second}");
        let answer = String::from_utf8_lossy(&server.send(text.as_bytes())).into_owned();
        assert!(answer.starts_with("HTTP/1.1 4"), "{headers}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{headers}: {answer}");
    }
}

#[test]
fn as_many_may_connect_as_the_system_allows() {
    let project = Project::applied();
    let program = project.command(["serve"]).get_program().to_owned();
    let limited = |hard: u32| {
        let mut command = tool("sh");
        let script = format!("ulimit -Sn 64; ulimit -Hn {hard}; exec \"$@\"");
        command.args(["-c", &script, "sh"]).arg(&program).args(["serve", "--listen", "127.0.0.1:0"]);
        command.args(["--connections", "1000"]);
        project.prepare(&mut command);
        command
    };
    let refused = limited(500).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("need 1256 open files"), "{said}");
    let mut child = limited(2000).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("listening on ")));
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert!(line.contains("1256"), "{line}");
}

#[test]
fn nothing_on_disk_changes_and_many_read_at_once() {
    let project = Project::applied();
    let (_, all) = blocks(&exported(&project));
    project.unchanged(|| {
        let server = Served::start(&project, &["--rate", "0"]);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for (cid, block) in &all {
                        assert_eq!(server.raw(&cid.to_string()).is(200).body, *block);
                    }
                });
            }
        });
    });
}

/// Walks a chain from its head by links and names of manifests, and prints how many blocks it fetched. Each is
/// hashed here once more.
const WALK: &str = r#"
import { withHTTP } from '@helia/http'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats'
import { sha256 } from 'multiformats/hashes/sha2'
import * as dagCbor from '@ipld/dag-cbor'
import { unixfs } from '@helia/unixfs'

const [router, head] = process.argv.slice(2)
const helia = await withHTTP(createHeliaLight(), {
  delegatedRouters: [router], recursiveGateways: [], allowInsecure: true, allowLocal: true
}).start()
let count = 0
const fetched = async cid => {
  const chunks = []
  for await (const chunk of helia.blockstore.get(cid)) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const digest = await sha256.digest(bytes)
  if (!Buffer.from(digest.bytes).equals(Buffer.from(cid.multihash.bytes))) throw new Error(`${cid} lies`)
  count += 1
  return bytes
}
const top = dagCbor.decode(await fetched(CID.parse(head)))
const manifests = []
const entries = async cid => {
  const value = dagCbor.decode(await fetched(cid))
  if (Array.isArray(value)) for (const link of value) await entries(link)
  else manifests.push(value)
}
await entries(top.entries)
for (const [seq, manifest] of manifests.entries()) {
  if (manifest.seq !== seq) throw new Error(`entry ${seq} is ${manifest.seq}`)
  JSON.parse((await fetched(manifest.log)).toString())
  for (const file of manifest.files) await fetched(file.cid)
}
const parts = []
for await (const part of unixfs(helia).cat(top.tlog, { path: 'checkpoint' })) parts.push(part)
console.log(JSON.stringify({ count, entries: manifests.length, checkpoint: Buffer.concat(parts).toString() }))
await helia.stop()
process.exit(0)
"#;

#[test]
fn helia_fetches_a_whole_chain_through_delegated_routing() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let said = helia(WALK, &[&server.url(), &project.head()]).unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["entries"], 4);
    assert!(said["count"].as_u64().unwrap() >= 16, "{said}");
    assert_eq!(said["checkpoint"].as_str().unwrap(), server.get("/log/checkpoint").text());
}

#[test]
fn kubo_pins_a_whole_chain_by_http_retrieval() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let mut kubo = Kubo::start();
    kubo.stop();
    kubo.set_config("Routing.Type", json!("delegated"));
    kubo.set_config("Routing.DelegatedRouters", json!([server.url()]));
    kubo.set_config("HTTPRetrieval.Enabled", json!(true));
    kubo.restart();
    let head = project.head();
    kubo.run(&["--timeout=60s", "pin", "add", "--recursive", &head]);
    let refs = kubo.run(&["--offline", "refs", "local"]).lines().count();
    let (_, all) = blocks(&exported(&project));
    assert!(refs >= all.len(), "{refs} of {}", all.len());
    for (cid, block) in &all {
        let found = kubo.run_with(&["--offline", "block", "get", &cid.to_string()], b"").unwrap();
        assert_eq!(found, *block);
    }
    let car = kubo.run_with(&["--offline", "dag", "export", "--progress=false", &head], b"").unwrap();
    project.write("kubo.car", car);
    project.ok(["verify", "kubo.car"]);
}
