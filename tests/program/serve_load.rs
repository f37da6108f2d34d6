//! `greffe serve` under load and bad input: it stays within its memory, and answers whoever asks as one should.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::project::Project;
use crate::serve::{Served, large};
use crate::servers::LIMIT;
use crate::tools::runs_all;

/// The most memory that a server has used so far, in bytes.
fn peak(server: &Served) -> u64 {
    let path = format!("/proc/{}/status", server.child.id());
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// How many files and connections a server has open.
fn open_files(server: &Served) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count()
}

/// Fails unless it answers soon.
fn answers(server: &Served) {
    let begin = Instant::now();
    server.get("/log/checkpoint").is(200);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

const MIB: u64 = 1 << 20;

#[test]
fn ten_thousand_slow_clients_take_bounded_memory() {
    let project = Project::applied();
    let server = Served::start(&project, &["--behind-proxy"]);
    answers(&server);
    let (before, count) = (peak(&server), if runs_all() { 10_000 } else { 1500 });
    let mut slow: Vec<TcpStream> = Vec::with_capacity(count);
    for number in 0..count {
        // One that is refused because as many wait is a slow client, too.
        let Ok(mut stream) = TcpStream::connect(server.address) else { continue };
        let _ = stream.write_all(b"GET /log/checkpoint HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
        slow.push(stream);
        if number % 500 == 499 {
            answers(&server);
            for stream in slow.iter_mut().rev().take(600) {
                let _ = stream.write_all(b"s");
            }
            // Those that made room may be about to be closed.
            assert!(open_files(&server) < 1024, "{}", open_files(&server));
        }
    }
    answers(&server);
    let grown = peak(&server).saturating_sub(before);
    println!("{count} slow clients: {:.1} MiB more at the peak", grown as f64 / MIB as f64);
    assert!(grown < 64 * MIB, "{grown}");
}

#[test]
fn a_cid_of_a_megabyte_is_cut_off() {
    let project = Project::applied();
    let server = Served::start(&project, &["--require-token"]);
    server.get("/log/checkpoint").is(401);
    let before = peak(&server);
    for head in ["GET /ipfs/", "GET /routing/v1/providers/", "GET /api/v1/chains/", "GET /log/tile/"] {
        let answer = server
            .send(format!("{head}{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "b".repeat(1 << 20)).as_bytes());
        let text = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
    }
    let token =
        format!("GET /log/checkpoint HTTP/1.1\r\nAuthorization: Bearer {}\r\n\r\n", "A".repeat(1 << 20));
    let answer = server.send(token.as_bytes());
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"));
    assert!(peak(&server).saturating_sub(before) < 16 * MIB);
}

#[test]
fn ranges_and_paths_that_lead_elsewhere_are_refused() {
    let project = Project::applied();
    let server = Served::start(&project, &[]);
    let block = format!("/ipfs/{}?format=raw", project.head());
    let whole = server.get(&block).is(200).body.len();
    for (range, status) in [
        ("bytes=0-18446744073709551615", 206),
        ("bytes=18446744073709551616-", 416),
        ("bytes=-18446744073709551616", 206),
        ("bytes=9223372036854775807-9223372036854775808", 416),
        ("bytes=0-0,18446744073709551615-", 200),
        ("bytes=--1", 200),
    ] {
        let answer = server.ask("GET", &block, &[("Range", range)]);
        assert!(answer.is(status).body.len() <= whole, "{range}");
    }
    for path in [
        "/../greffe.tokens",
        "/ipfs/../greffe.key.pem?format=raw",
        "/ipfs/%2e%2e%2fgreffe.tokens?format=raw",
        "/log/../../greffe.toml",
        "/log/tile/0/..%2f..%2fgreffe.toml",
        "/logs/..%2fdemo/checkpoint",
        "//etc/passwd",
        "/openapi.json/..",
    ] {
        let answer = server.get(path);
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.text().contains("name =") && !answer.text().contains("root:"), "{path}");
    }
}

#[test]
fn everybody_who_asks_for_the_whole_chain_takes_bounded_memory() {
    let project = large();
    let server = Served::start(&project, &["--behind-proxy", "--rate", "0"]);
    answers(&server);
    let (before, count) = (peak(&server), if runs_all() { 500 } else { 100 });
    let request = format!(
        "GET /ipfs/{}?format=car HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        project.head()
    );
    let mut streams: Vec<TcpStream> = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        streams.push(stream);
    }
    // Nobody reads, and others are answered; those who wait too long are told so.
    answers(&server);
    std::thread::sleep(Duration::from_secs(6));
    answers(&server);
    let mut told = [0, 0, 0];
    for stream in &mut streams {
        let mut line = [0; 12];
        match stream.read_exact(&mut line).map(|()| &line[9..]) {
            Ok(b"200") => told[0] += 1,
            Ok(b"503") => told[1] += 1,
            _ => told[2] += 1,
        }
    }
    let grown = peak(&server).saturating_sub(before);
    println!(
        "{count} CARs at once: {told:?} given, put off, closed; {:.1} MiB more",
        grown as f64 / MIB as f64
    );
    assert!(told[0] == 16 && told[1] >= count - 16 - 8, "{told:?}");
    assert!(grown < 160 * MIB, "{grown}");
}
