//! `greffe witness`: this chain before witnesses of others, and greffe as the witness of others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use greffe::codec::note::{Note, decode_signatures};
use greffe::codec::vkey::{Vkey, VkeyVerdict};
use serde_json::Value;

use crate::project::{Project, Run, THREE};
use crate::servers::{LIMIT, Litewitness, poll, witness_program as program};
use crate::tools::{output_of, tool};

/// Settings that name a witness.
pub fn ask(project: &Project, name: &str, vkey: &str, url: &str) {
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    let witness =
        format!("\n[[witness]]\nname = \"{name}\"\nvkey = \"{vkey}\"\nurl = \"{url}\"\ntimeout = \"20s\"\n");
    project.write("greffe.toml", settings + &witness);
}

pub fn log_vkey(project: &Project) -> String {
    project.ok(["witness", "log"]).stdout.trim().to_owned()
}

/// The checkpoint of the newest head, written to a file.
fn checkpoint(project: &Project) -> String {
    let served = crate::serve::Served::start(project, &[]);
    let bytes = served.get("/log/checkpoint").body;
    project.write("checkpoint", &bytes);
    String::from_utf8(bytes).unwrap()
}

/// What Go's note package says of that file.
fn opened(project: &Project, vkeys: &[&str]) -> String {
    output_of(Command::new(program("opened")).arg(project.path("checkpoint")).args(vkeys))
}

fn policy(project: &Project, name: &str, vkey: &str) -> Run {
    project.write("policy", format!("witness {name} {vkey}\nquorum {name}\n"));
    project.run(["verify", &project.head(), "--policy", "policy"])
}

#[test]
fn a_witness_that_is_not_written_here_cosigns_every_run_and_go_opens_the_checkpoint() {
    let mut lite = Litewitness::start();
    let project = Project::with(&THREE[..2]);
    let log = log_vkey(&project);
    ask(&project, "lite", &lite.vkey, &lite.url());
    // It does not know the log yet; that is no reason to fail.
    let run = project.ok(["apply"]);
    run.says(&["not yet cosigned by lite: it does not know this log", "`greffe witness log`"]);
    policy(&project, "lite", &lite.vkey).exits(1).prints(&["0 of 1 that it names did"]);
    lite.add_log(&log);
    let asked = project.json(&["witness", "ask"]);
    assert_eq!(asked["witnesses"][0]["cosigned"], true, "{asked:#}");
    assert_eq!((asked["head"].as_str().unwrap(), asked["size"].as_u64()), (&*project.head(), Some(2)));
    // The head that a run prints is the one with the cosignature.
    project.scripts(&THREE[2..]);
    let applied = project.json(&["apply"]);
    assert_eq!(applied["head"].as_str().unwrap(), project.head());
    assert_eq!(lite.size(), 4);
    let verified = policy(&project, "lite", &lite.vkey);
    verified.exits(0).prints(&["cosigned    by lite: it saw all entries by 20", "witnessed   yes"]);
    let text = checkpoint(&project);
    let said = opened(&project, &[&log, &lite.vkey]);
    let origin = log.split('+').next().unwrap();
    assert_eq!(
        said,
        format!("signed by {origin}\nsigned by {}\nsize 4 of {origin}\n", Litewitness::NAME),
        "{text}"
    );
    project.verify();
    // Away for a run: the run does not fail, and the next one makes up for it.
    lite.stop();
    project.ok(["rollback", "--steps", "1"]).says(&["not yet cosigned by lite: it cannot be reached"]);
    lite.resume();
    project.ok(["rollback", "--steps", "1"]);
    assert_eq!(lite.size(), 6);
    policy(&project, "lite", &lite.vkey).exits(0);
    // A heartbeat: the same entries, cosigned later.
    let before = project.head();
    thread::sleep(Duration::from_millis(1100));
    project.ok(["witness", "ask"]);
    assert_eq!(project.head(), before);
    project.ok(["witness", "ask", "--again"]);
    assert_ne!(project.head(), before);
    let report = project.json(&["verify", &project.head(), "--policy", "policy"]);
    let witness = &report["witnesses"][0];
    assert!(witness["notAfter"].as_str().unwrap() < witness["latest"].as_str().unwrap(), "{witness}");
}

#[test]
fn attack_a_fork_and_a_rollback_before_a_witness_are_told() {
    let lite = Litewitness::start();
    let project = Project::with(&THREE[..4]);
    lite.add_log(&log_vkey(&project));
    ask(&project, "lite", &lite.vkey, &lite.url());
    let begun = project.copy();
    project.ok(["apply"]);
    assert_eq!(lite.size(), 3);
    // Copies of the archive from before: one that is shorter, one that tells something else.
    let says = [
        "warning: the witness lite contradicts this archive",
        "it has cosigned 3 entries of this chain, and the archive has 1",
    ];
    begun.ends(1, ["witness", "ask"]).says(&says);
    begun.remove("migrations/2_books.up.sql");
    begun.remove("migrations/2_books.down.sql");
    begun.script("4_other.up.sql", "CREATE TABLE other (id INTEGER);");
    begun.ok(["apply"]).says(&["warning: the witness lite contradicts this archive", "another history"]);
    begun.ends(1, ["witness", "ask"]).says(&["another history of this chain"]);
    assert_eq!(lite.size(), 3);
}

#[test]
fn cosignatures_by_ml_dsa_of_another_program_verify() {
    let project = Project::applied();
    checkpoint(&project);
    let said = output_of(
        Command::new(program("cosign"))
            .args(["witness.example/pq", "1790000000"])
            .arg(project.path("checkpoint")),
    );
    let (vkey, line) = said.split_once('\n').unwrap();
    let vkey: Vkey = vkey.parse().unwrap();
    let mut note = Note::decode(&project.read("checkpoint")).unwrap();
    note.signatures.extend(decode_signatures(line.as_bytes()).unwrap());
    assert_eq!(vkey.verify(&note), VkeyVerdict::Valid { times: vec![1_790_000_000] });
    let mut bad = note.clone();
    bad.signatures[1].signature[1000] ^= 1;
    assert_eq!(vkey.verify(&bad), VkeyVerdict::Invalid);
    let other = Note { text: note.text.replace("\n4\n", "\n5\n"), ..note };
    assert_eq!(vkey.verify(&other), VkeyVerdict::Invalid);
}

/// A witness of greffe's that runs; it ends with this value.
pub struct Serving {
    child: Child,
    pub url: String,
    pub vkey: String,
    /// With those of other algorithms.
    #[cfg(feature = "post-quantum")]
    pub vkeys: Vec<String>,
}

impl Serving {
    pub fn start(home: &Project, logs: &[&str]) -> Self {
        Self::with(home, logs, &[])
    }

    /// The same with further arguments.
    pub fn with(home: &Project, logs: &[&str], more: &[&str]) -> Self {
        if !home.path("witness.db").exists() {
            home.ok(["witness", "key", "--new", "witness.example/greffe", "--plain"]);
        }
        let logs: Vec<&str> = logs.iter().flat_map(|log| ["--log", *log]).collect();
        let arguments =
            [&["witness", "serve", "--json", "--listen", "127.0.0.1:0", "--rate", "0"], &logs[..], more]
                .concat();
        let mut child = home.command(arguments).spawn().unwrap();
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
        let vkeys = said["vkeys"].as_array().unwrap().iter().map(|vkey| vkey.as_str().unwrap().to_owned());
        let (url, vkeys) = (said["address"].as_str().unwrap().to_owned(), vkeys.collect::<Vec<_>>());
        Self {
            url,
            vkey: vkeys[0].clone(),
            #[cfg(feature = "post-quantum")]
            vkeys,
            child,
        }
    }

    /// Status, headers and body of the answer to one request.
    fn send(&self, request: &str, body: &[u8]) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let head = format!(
            "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        // A witness that refuses may close before all is sent.
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, head.to_lowercase(), body.to_owned())
    }

    fn add(&self, body: &str) -> (u16, String, String) {
        self.send("POST /add-checkpoint", body.as_bytes())
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python of logs and verifiers that were not written here.
fn python() -> Command {
    let path = std::env::var_os("GREFFE_TEST_WITNESS_PYTHON");
    let path = path.expect("GREFFE_TEST_WITNESS_PYTHON is missing: run `./tests/run`, which makes it");
    Command::new(path)
}

#[test]
fn a_log_that_is_not_written_here_is_witnessed_and_its_forks_are_not() {
    let feed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/witness/feed.py");
    let home = Project::empty();
    let log = output_of(python().arg(feed));
    let witness = Serving::start(&home, &[log.trim()]);
    let said = output_of(python().arg(feed).args([&witness.url, &witness.vkey]));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 13, "{said}");
    assert_eq!(lines[9..], ["cosigned 300", "refused 422", "refused 422", "latest 300"], "{said}");
}

#[test]
fn verifiers_that_are_not_written_here_accept_a_cosigned_checkpoint() {
    let (home, project) = (Project::empty(), Project::with(&THREE));
    let log = log_vkey(&project);
    let witness = Serving::start(&home, &[&log]);
    ask(&project, "ours", &witness.vkey, &witness.url);
    project.ok(["apply"]);
    checkpoint(&project);
    project.write("log.vkey", format!("{log}\n"));
    let verify = |witness_key: &str| {
        let arguments =
            ["-m", "aics_tlog", "verify-checkpoint", "--note", "checkpoint", "--vkey-file", "log.vkey"];
        let mut command = python();
        command.current_dir(project.folder()).args(arguments).args([
            "--witness-key",
            witness_key,
            "--quorum",
            "1",
        ]);
        command.output().unwrap()
    };
    let good = verify(&witness.vkey);
    let said = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(
        good.status.success() && said.contains("\"ok\": true"),
        "{said}{}",
        String::from_utf8_lossy(&good.stderr)
    );
    let stranger =
        Project::empty().ok(["witness", "key", "--new", "witness.example/other", "--plain"]).stdout;
    assert!(!verify(stranger.trim()).status.success());
}

/// A request for the newest checkpoint.
fn request(project: &Project, old: u64, proof: &[&str]) -> String {
    let hashes: String = proof.iter().map(|hash| format!("{hash}\n")).collect();
    format!("old {old}\n{hashes}\n{}", checkpoint(project))
}

#[test]
fn a_witness_answers_with_the_status_codes_of_its_specification() {
    let (home, project, stranger) = (Project::empty(), Project::applied(), Project::applied());
    let log = log_vkey(&project);
    let witness = Serving::start(&home, &[&log]);
    let first = request(&project, 0, &[]);
    for (body, status) in [
        (String::new(), 400),
        ("old 0\n\n".to_owned(), 400),
        (first.replace("old 0", "old 5"), 400),
        (first.replace("old 0", "old x"), 400),
        (request(&stranger, 0, &[]), 404),
        (first.replacen("\n4\n", "\n5\n", 1), 403),
        (first.lines().take(6).map(|line| format!("{line}\n")).collect::<String>(), 400),
        (first.replace("old 0", "old 2"), 409),
        (first.replace("old 0\n", "old 0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"), 422),
    ] {
        let (found, head, answer) = witness.add(&body);
        assert_eq!(found, status, "{body}{head}{answer}");
        if status == 409 {
            assert!(head.contains("content-type: text/x.tlog.size\r\n"), "{head}");
            assert_eq!(answer, "0\n");
        }
    }
    assert_eq!(witness.send("GET /add-checkpoint", b"").0, 405);
    assert_eq!(witness.send("GET /", b"").0, 404);
    let (found, _, _) = witness.send("POST /add-checkpoint", &vec![b'a'; 300 << 10]);
    assert!([413, 0].contains(&found), "{found}");
    let origin = log.split('+').next().unwrap();
    let hash = greffe::crypto::Digest::of(origin.as_bytes());
    assert_eq!(witness.send(&format!("GET /{hash}/checkpoint"), b"").0, 404);
    let (found, _, lines) = witness.add(&first);
    assert_eq!(found, 200);
    let vkey: Vkey = witness.vkey.parse().unwrap();
    let mut note = Note::decode(first.split_once("\n\n").unwrap().1.as_bytes()).unwrap();
    note.signatures.extend(decode_signatures(lines.as_bytes()).unwrap());
    assert!(matches!(vkey.verify(&note), VkeyVerdict::Valid { times } if times.len() == 1));
    // Once more from nothing, and the same again.
    let (found, _, size) = witness.add(&first);
    assert_eq!((found, size.as_str()), (409, "4\n"));
    assert_eq!(witness.add(&first.replace("old 0", "old 4")).0, 200);
    let (found, _, latest) = witness.send(&format!("GET /{hash}/checkpoint"), b"");
    assert_eq!(found, 200);
    home.write("checkpoint", &latest);
    let said = opened(&home, &[&log, &witness.vkey]);
    assert!(said.contains("signed by witness.example/greffe\n") && said.contains("size 4 of "), "{said}");
    // It ends when it is told to.
    let mut witness = witness;
    output_of(tool("sh").args(["-c", "kill -s TERM \"$0\"", &witness.child.id().to_string()]));
    assert!(poll(LIMIT, || witness.child.try_wait().unwrap().is_some()));
    assert_eq!(witness.child.wait().unwrap().code(), Some(0));
}

#[test]
fn greffe_witnesses_greffe_and_knows_a_fork_that_the_key_signed() {
    let (home, project) = (Project::empty(), Project::with(&THREE[..4]));
    let witness = Serving::start(&home, &[&log_vkey(&project)]);
    ask(&project, "ours", &witness.vkey, &witness.url);
    let fork = project.copy();
    project.ok(["apply"]);
    policy(&project, "ours", &witness.vkey).exits(0);
    project.ok(["rollback", "--steps", "2"]);
    policy(&project, "ours", &witness.vkey).exits(0);
    let state = home.sql_of(&home.path("witness.db"), "SELECT size FROM log");
    assert_eq!(state, "5");
    fork.ok(["apply"])
        .says(&["warning: the witness ours contradicts this archive", "has cosigned 5 entries"]);
    fork.ends(1, ["witness", "ask"]);
    fork.ok(["rollback", "--steps", "2"]).says(&["has cosigned another history of this chain"]);
    assert_eq!(home.sql_of(&home.path("witness.db"), "SELECT size FROM log"), state);
}

#[test]
fn what_a_witness_answered_it_knows_after_a_kill_at_any_moment() {
    let (home, project) = (Project::empty(), Project::new());
    let log = log_vkey(&project);
    let mut answered = 0;
    let mut witness = Serving::start(&home, &[&log]);
    for round in 0..6_u32 {
        project.script(&format!("{}_t.up.sql", round + 1), format!("CREATE TABLE t{round} (id INTEGER);"));
        project.ok(["apply"]);
        // Asked by as many clients as there are, and killed in the middle of it.
        let url = witness.url.clone();
        let settings = project.copy();
        ask(&settings, "ours", &witness.vkey, &url);
        let text = String::from_utf8(settings.read("greffe.toml")).unwrap();
        settings.write("greffe.toml", text.replace("\"20s\"", "\"3s\""));
        let (pid, wait) = (witness.child.id().to_string(), u64::from(round) * 12);
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20 + wait));
            output_of(tool("sh").args(["-c", "kill -s KILL \"$0\"", &pid]));
        });
        let asked = settings.run(["witness", "ask", "--json"]);
        killer.join().unwrap();
        witness.kill();
        if asked.code == 0 {
            answered = asked.object()["size"].as_u64().unwrap();
        }
        witness = Serving::start(&home, &[&log]);
        let known: u64 =
            home.sql_of(&home.path("witness.db"), "SELECT coalesce(max(size), 0) FROM log").parse().unwrap();
        assert!(known >= answered && known <= u64::from(round) + 2, "{known} of {answered}");
    }
}

#[test]
fn a_witness_without_its_memory_does_not_begin_anew() {
    let home = Project::empty();
    let made = home.ok(["witness", "key", "--new", "witness.example/w", "--plain"]).stdout;
    assert_eq!(home.ok(["witness", "key"]).stdout, made);
    home.ends(3, ["witness", "key", "--new", "witness.example/w", "--plain"]).says(&["already"]);
    let log = log_vkey(&Project::new());
    let serve = ["witness", "serve", "--log", &log, "--listen", "127.0.0.1:0"];
    std::fs::rename(home.path("witness.db"), home.path("gone.db")).unwrap();
    home.ends(3, serve).says(&["no memory of the witness", "must not sign again"]);
    // Another witness' memory.
    home.ok(["witness", "key", "--new", "witness.example/w", "--plain", "--witness-key", "file:other.pem"]);
    home.ends(3, serve).says(&["is the memory of another witness"]);
    home.write("witness.db", "nothing of the kind");
    home.ends(3, serve).says(&["is no memory of a witness, or is damaged"]);
    home.ends(2, ["witness", "serve", "--listen", "127.0.0.1:0"]).says(&["no log is named"]);
    home.ends(2, ["witness", "serve", "--log", "x", "--listen", "127.0.0.1:0"]).says(&["`--log`: line 1"]);
    home.ends(2, ["witness", "serve", "--log", &log, "--listen", "0.0.0.0:0"]).says(&["`--public`"]);
}

#[test]
fn witnesses_that_lie_or_stall_are_told_and_kept_from_the_head() {
    let project = Project::with(&THREE[..2]);
    let (home, other) = (Project::empty(), Project::empty());
    let log = log_vkey(&project);
    let (witness, stranger) = (Serving::start(&home, &[&log]), Serving::start(&other, &[&log]));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let third = Project::empty();
    let vkey = third.ok(["witness", "key", "--new", "witness.example/third", "--plain"]).stdout;
    ask(&project, "silent", vkey.trim(), &url);
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", settings.replace("timeout = \"20s\"", "timeout = \"700ms\""));
    // The key of one and the place of the other.
    ask(&project, "other", &stranger.vkey, &witness.url);
    let run = project.ok(["apply"]);
    run.says(&[
        "cosigned by other: it answered without a cosignature by the key",
        "by silent: it did not answer within 700ms",
    ]);
    assert_eq!(checkpoint(&project).matches('\u{2014}').count(), 1);
    // One key is one witness.
    ask(&project, "again", &stranger.vkey, &witness.url);
    project.ends(2, ["status"]).says(&["has the key of another one before it"]);
}

/// Run by `./tests/run --all`, or `cargo test --features post-quantum post_quantum`.
#[cfg(feature = "post-quantum")]
#[test]
fn a_post_quantum_witness_cosigns_as_another_program_would() {
    use greffe::codec::cosignature::split;
    use greffe::codec::note::encode_signatures;

    let (home, project) = (Project::empty(), Project::with(&THREE));
    // The key of the other program is made from this seed, too.
    home.write("witness.seed", "0".repeat(64) + "\n");
    let log = log_vkey(&project);
    let witness = Serving::with(&home, &[&log], &["--ml-dsa-seed", "file:witness.seed"]);
    assert_eq!(witness.vkeys.len(), 2);
    let text = &witness.vkeys[1];
    ask(&project, "pq", text, &witness.url);
    project.ok(["apply"]);
    policy(&project, "pq", text).exits(0).prints(&["cosigned    by pq", "witnessed   yes"]);
    let vkey: Vkey = text.parse().unwrap();
    let note = Note::decode(checkpoint(&project).as_bytes()).unwrap();
    let lines: Vec<_> = vkey.lines(&note).cloned().collect();
    assert_eq!((note.signatures.len(), lines.len(), lines[0].signature.len()), (2, 1, 8 + 2420));
    let (seconds, _) = split(&lines[0].signature).unwrap();
    assert_eq!(vkey.verify(&note), VkeyVerdict::Valid { times: vec![seconds] });
    // Signatures of this kind are the same whoever makes them.
    let said = output_of(
        Command::new(program("cosign"))
            .args([vkey.name(), &seconds.to_string()])
            .arg(project.path("checkpoint")),
    );
    assert_eq!(said, format!("{text}\n{}", encode_signatures(&lines)));
    let mut bad = note.clone();
    bad.signatures[1].signature[1000] ^= 1;
    assert_eq!(vkey.verify(&bad), VkeyVerdict::Invalid);
    // Also where it shows what it cosigned last, and among the heads that were.
    project.ok(["gossip"]).prints(&["same", "witness pq, 4 entries"]);
    let newest = &project.json(&["head", "--all"])["heads"][0];
    assert_eq!(newest["cosignatures"][0]["standing"], "verified");
    witness.kill();
    home.write("witness.seed", "0".repeat(63));
    let serve =
        ["witness", "serve", "--log", &log, "--listen", "127.0.0.1:0", "--ml-dsa-seed", "file:witness.seed"];
    home.ends(2, serve).says(&["leads to no seed", "openssl rand -hex 32"]);
}
