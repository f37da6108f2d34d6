//! An `apply` on a server is disturbed at each message that it sends: the program is killed, the server is killed,
//! the connection is cut before the message or instead of its answer. Whatever comes of that run, the next ones
//! apply every migration once, archive it once, and the chain verifies.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::project::Project;
use crate::servers::{Database, LIMIT, MariaDb, Postgres, Server, poll};
use crate::tools::runs_all;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    ProgramKilled,
    ServerKilled,
    CutBefore,
    AnswerLost,
}

const FAULTS: [Fault; 4] = [Fault::ProgramKilled, Fault::ServerKilled, Fault::CutBefore, Fault::AnswerLost];

/// Two scripts whose effects can be counted.
const SCRIPTS: [(&str, &str); 2] = [
    ("1_people.sql", "CREATE TABLE people (id INTEGER PRIMARY KEY);\n"),
    ("2_seed.sql", "INSERT INTO people VALUES (1);\n"),
];

/// Passes messages on and counts those of the program; something happens at one of them.
struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: u16,
    messages: AtomicUsize,
    /// Connections that are not at their end.
    open: AtomicUsize,
    /// The message at which it happens, from 1.
    at: usize,
    fault: Fault,
    server: Arc<Mutex<Server>>,
    /// The program, once it was started.
    program: Mutex<Option<u32>>,
}

impl Proxy {
    fn new(server: &Arc<Mutex<Server>>, fault: Fault, at: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let upstream = server.lock().unwrap().port();
        let shared = Arc::new(Shared {
            upstream,
            messages: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            at,
            fault,
            server: server.clone(),
            program: Mutex::new(None),
        });
        let accepting = shared.clone();
        // Ends with the test process; a listener without connections costs nothing.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = accepting.clone();
                shared.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    shared.pass(client);
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, shared }
    }
}

impl Shared {
    fn pass(&self, mut client: TcpStream) {
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", self.upstream)) else { return };
        let (mut answers, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let back = thread::spawn(move || {
            std::io::copy(&mut answers, &mut to_client).ok();
            to_client.shutdown(Shutdown::Both).ok();
        });
        let mut buffer = vec![0; 1 << 20];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let number = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
            if number == self.at && self.disturb(&mut client, &mut server, &buffer[..length]) {
                break;
            }
            if server.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        server.shutdown(Shutdown::Both).ok();
        client.shutdown(Shutdown::Both).ok();
        back.join().ok();
    }

    /// Whether the connection ends with it.
    fn disturb(&self, client: &mut TcpStream, server: &mut TcpStream, message: &[u8]) -> bool {
        match self.fault {
            Fault::ProgramKilled => {
                assert!(poll(LIMIT, || self.program.lock().unwrap().is_some()));
                let pid = self.program.lock().unwrap().unwrap();
                Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
                true
            }
            Fault::ServerKilled => {
                self.server.lock().unwrap().kill_immediate();
                true
            }
            Fault::CutBefore => true,
            Fault::AnswerLost => {
                // Nothing comes back any more, and the server has the whole message.
                client.shutdown(Shutdown::Both).ok();
                server.write_all(message).ok();
                server.shutdown(Shutdown::Write).ok();
                let mut rest = Vec::new();
                server.read_to_end(&mut rest).ok();
                true
            }
        }
    }
}

/// What it took to come to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The disturbed run itself did everything.
    Done,
    /// The next run did the rest.
    NextRun,
    /// Someone had to say what a script that was cut short counts as.
    Repaired,
}

/// Disturbs a run at message `at`; `None` when it sends fewer.
fn disturbed(server: &Arc<Mutex<Server>>, fault: Fault, at: usize) -> Option<Outcome> {
    let database = server.lock().unwrap().database("fault");
    let proxy = Proxy::new(server, fault, at);
    let mut project = Project::empty();
    project.secrets.push(database.user().password.clone());
    let direct = database.url();
    let port = server.lock().unwrap().port();
    let through = direct.replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
    project.variables.push(("DATABASE_URL".to_owned(), direct));
    project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
    project.scripts(&SCRIPTS);
    let child = project.command(["apply"]).env("DATABASE_URL", through).spawn().unwrap();
    *proxy.shared.program.lock().unwrap() = Some(child.id());
    let output = child.wait_with_output().unwrap();
    let first = output.status.code();
    // Its last message may still be on the way.
    assert!(poll(LIMIT, || proxy.shared.open.load(Ordering::SeqCst) == 0));
    if fault == Fault::ServerKilled && proxy.shared.messages.load(Ordering::SeqCst) >= at {
        server.lock().unwrap().restart();
    }
    if proxy.shared.messages.load(Ordering::SeqCst) < at {
        return None;
    }
    let mut outcome = if first == Some(0) { Outcome::Done } else { Outcome::NextRun };
    if !matches!(first, None | Some(0 | 3)) {
        panic!("{fault:?} at {at}: {:?}", project.judge(output));
    }
    finish(&project, &database, &mut outcome, &format!("{fault:?} at message {at}"));
    Some(outcome)
}

/// Runs on until nothing is pending, as an operator would, and looks at what came of it.
fn finish(project: &Project, database: &Database, outcome: &mut Outcome, case: &str) {
    for _ in 0..6 {
        let run = project.run(["apply", "--lock-wait", "30s", "--json"]);
        match run.code {
            0 => break,
            1 => {
                let problems = run.object()["error"]["problems"].clone();
                assert_eq!(problems[0]["code"], "half-applied", "{case}: {run:#?}");
                let version = problems[0]["version"].as_str().unwrap().to_owned();
                let took_effect = match version.as_str() {
                    "1" => database.sql_as(database.user(), "SELECT count(*) FROM people").is_ok(),
                    _ => database.sql("SELECT count(*) FROM people").trim() == "1",
                };
                let direction = if took_effect { "--applied" } else { "--rolled-back" };
                project.ok(["repair", &version, direction]);
                *outcome = Outcome::Repaired;
            }
            _ => panic!("{case}: {run:#?}"),
        }
    }
    assert_eq!(
        database.sql("SELECT count(*) FROM people").trim(),
        "1",
        "{case}: applied twice or not at all"
    );
    let story = project.story();
    for version in ["1", "2"] {
        let applied = story.iter().filter(|event| **event == format!("apply {version}")).count();
        let repaired = story.iter().filter(|event| **event == format!("repair {version}")).count();
        assert!(applied <= 1 && applied + repaired >= 1, "{case}: {story:?}");
    }
    project.ok(["status"]);
    project.verify();
}

fn matrix(name: &str, server: Server) {
    let server = Arc::new(Mutex::new(server));
    let step = if runs_all() { 1 } else { 8 };
    let mut rows = Vec::new();
    for fault in FAULTS {
        let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
        let mut at = 1;
        while let Some(outcome) = disturbed(&server, fault, at) {
            *outcomes.entry(outcome).or_default() += 1;
            at += step;
        }
        let count = |outcome| outcomes.get(&outcome).copied().unwrap_or(0);
        rows.push(format!(
            "| {name} | {fault:?} | {} | {} | {} | {} |",
            outcomes.values().sum::<usize>(),
            count(Outcome::Done),
            count(Outcome::NextRun),
            count(Outcome::Repaired)
        ));
        assert!(outcomes.values().sum::<usize>() > 20 / step, "{name} {fault:?}: only {outcomes:?}");
    }
    println!("| server | fault | messages | done by that run | done by the next | after a repair |");
    println!("|---|---|---|---|---|---|\n{}", rows.join("\n"));
}

#[test]
fn postgres_apply_can_be_disturbed_at_every_message() {
    matrix("PostgreSQL", Postgres::own());
}

#[test]
fn mariadb_apply_can_be_disturbed_at_every_message() {
    matrix("MariaDB", MariaDb::own());
}
