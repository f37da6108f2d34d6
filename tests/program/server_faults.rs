//! A run on a server is disturbed at each message that it sends: the program is killed, the server is killed, the
//! connection is cut before the message or instead of its answer. Whatever comes of that run, the next ones do what
//! it was to do once, archive it once, and the chain verifies.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::project::{Project, Run};
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

/// Two scripts whose effects can be counted, with ways down.
const SCRIPTS: [(&str, &str); 4] = [
    ("1_people.up.sql", "CREATE TABLE people (id INTEGER PRIMARY KEY);\n"),
    ("1_people.down.sql", "DROP TABLE people;\n"),
    ("2_seed.up.sql", "INSERT INTO people VALUES (1);\n"),
    ("2_seed.down.sql", "DELETE FROM people;\n"),
];
/// The second one as it fails after its effect, outside a transaction.
const HALF: &str = "-- no-transaction\nINSERT INTO people VALUES (1);\nINSERT INTO nowhere VALUES (1);\n";

/// What is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Apply,
    Rollback,
    Repair,
    Record,
}

impl Act {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Apply => &["apply"],
            Self::Rollback => &["rollback", "--steps", "2"],
            Self::Repair => &["repair", "2", "--applied"],
            Self::Record => &["audit", "--record"],
        }
    }

    /// Brings the database to where the act begins.
    fn prepare(self, project: &Project, database: &Database) {
        project.scripts(&SCRIPTS);
        match self {
            Self::Apply => {}
            Self::Rollback => _ = project.ok(["apply"]),
            Self::Repair => {
                project.script("2_seed.up.sql", HALF);
                project.ends(3, ["apply"]);
            }
            Self::Record => {
                project.ok(["apply"]);
                database.sql("ALTER TABLE people ADD COLUMN by_hand INTEGER");
            }
        }
    }

    /// Runs on as an operator would, and looks at what came of it.
    fn finish(self, project: &Project, database: &Database, outcome: &mut Outcome, case: &str) {
        match self {
            Self::Apply => finish_apply(project, database, outcome, case),
            Self::Rollback => finish_rollback(project, database, outcome, case),
            Self::Repair => {
                finish_repair(project, case);
                assert_eq!(people(database), Some(1), "{case}");
            }
            Self::Record => {
                let run = project.run(["audit", "--record", "--lock-wait", "30s"]);
                assert_eq!(run.code, 0, "{case}: {run:#?}");
                assert_eq!(project.story()[3..], ["drift"], "{case}");
            }
        }
        project.ok(["audit"]);
        project.verify();
    }
}

/// How many there are; `None` without their table.
fn people(database: &Database) -> Option<u32> {
    let count = database.sql_as(database.user(), "SELECT count(*) FROM people").ok()?;
    Some(count.trim().parse().unwrap())
}

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
fn disturbed(act: Act, server: &Arc<Mutex<Server>>, fault: Fault, at: usize) -> Option<Outcome> {
    let database = server.lock().unwrap().database("fault");
    let proxy = Proxy::new(server, fault, at);
    let mut project = Project::empty();
    project.secrets.push(database.user().password.clone());
    let direct = database.url();
    let port = server.lock().unwrap().port();
    let through = direct.replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
    project.variables.push(("DATABASE_URL".to_owned(), direct));
    project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
    act.prepare(&project, &database);
    let child = project.command(act.arguments()).env("DATABASE_URL", through).spawn().unwrap();
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
    act.finish(&project, &database, &mut outcome, &format!("{act:?}, {fault:?} at message {at}"));
    Some(outcome)
}

/// The version that a run says is half applied.
fn half_applied(run: &Run, case: &str) -> String {
    let problem = &run.object()["error"]["problems"][0];
    assert_eq!(problem["code"], "half-applied", "{case}: {run:#?}");
    problem["version"].as_str().unwrap().to_owned()
}

/// Runs on until nothing is pending.
fn finish_apply(project: &Project, database: &Database, outcome: &mut Outcome, case: &str) {
    for _ in 0..6 {
        let run = project.run(["apply", "--lock-wait", "30s", "--json"]);
        match run.code {
            0 => break,
            1 => {
                let version = half_applied(&run, case);
                let took_effect = people(database).is_some_and(|people| version == "1" || people == 1);
                let direction = if took_effect { "--applied" } else { "--rolled-back" };
                project.ok(["repair", &version, direction]);
                *outcome = Outcome::Repaired;
            }
            _ => panic!("{case}: {run:#?}"),
        }
    }
    assert_eq!(people(database), Some(1), "{case}: applied twice or not at all");
    each_once(project, "apply", case);
    project.ok(["status"]);
}

/// Runs on until nothing is applied.
fn finish_rollback(project: &Project, database: &Database, outcome: &mut Outcome, case: &str) {
    for _ in 0..6 {
        let states = project.run(["status", "--json"]).object()["migrations"].clone();
        let applied = |migration: &&serde_json::Value| migration["state"] != "pending";
        let steps = states.as_array().unwrap().iter().filter(applied).count();
        if steps == 0 {
            break;
        }
        let run = project.run(["rollback", "--steps", &steps.to_string(), "--lock-wait", "30s", "--json"]);
        match run.code {
            0 => {}
            1 => {
                let version = half_applied(&run, case);
                let took_effect = people(database).is_none_or(|people| version == "2" && people == 0);
                let direction = if took_effect { "--rolled-back" } else { "--applied" };
                project.ok(["repair", &version, direction]);
                *outcome = Outcome::Repaired;
            }
            _ => panic!("{case}: {run:#?}"),
        }
    }
    assert_eq!(people(database), None, "{case}");
    // What the disturbed run wrote last may wait for the next one, which archives it.
    project.ok(["audit", "--record"]);
    each_once(project, "rollback", case);
}

/// Repairs where that is still to be done, and archives.
fn finish_repair(project: &Project, case: &str) {
    let run = project.run(["apply", "--lock-wait", "30s", "--json"]);
    if run.code == 1 {
        assert_eq!(half_applied(&run, case), "2");
        project.ok(["repair", "2", "--applied"]);
    } else {
        assert_eq!(run.code, 0, "{case}: {run:#?}");
    }
    let story = project.story();
    assert_eq!(story, ["genesis", "apply 1", "fail 2", "repair 2"], "{case}");
}

/// Each version has the event at most once, and that or a repair at least once.
fn each_once(project: &Project, event: &str, case: &str) {
    let story = project.story();
    for version in ["1", "2"] {
        let count = |event: &str| story.iter().filter(|one| **one == format!("{event} {version}")).count();
        assert!(count(event) <= 1 && count(event) + count("repair") >= 1, "{case}: {story:?}");
    }
}

/// `transactional`: a script and its row are one transaction, so that nobody has to say what became of a script.
fn matrix(act: Act, name: &str, server: Server, transactional: bool) {
    let server = Arc::new(Mutex::new(server));
    let step = if runs_all() { 1 } else { 8 };
    let mut rows = Vec::new();
    for fault in FAULTS {
        let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
        let mut at = 1;
        while let Some(outcome) = disturbed(act, &server, fault, at) {
            *outcomes.entry(outcome).or_default() += 1;
            at += step;
        }
        let count = |outcome| outcomes.get(&outcome).copied().unwrap_or(0);
        rows.push(format!(
            "| {name} | {act:?} | {fault:?} | {} | {} | {} | {} |",
            outcomes.values().sum::<usize>(),
            count(Outcome::Done),
            count(Outcome::NextRun),
            count(Outcome::Repaired)
        ));
        let few = if act == Act::Apply { 20 / step } else { 8 / step };
        assert!(outcomes.values().sum::<usize>() > few, "{name} {act:?} {fault:?}: only {outcomes:?}");
        assert!(!transactional || count(Outcome::Repaired) == 0, "{name} {act:?} {fault:?}: {outcomes:?}");
    }
    println!("| server | run | fault | messages | done by that run | done by the next | after a repair |");
    println!("|---|---|---|---|---|---|---|\n{}", rows.join("\n"));
}

macro_rules! on_both {
    ($($name:ident: $act:expr),+ $(,)?) => {
        mod postgres {
            use super::*;
            $(#[test] fn $name() { matrix($act, "PostgreSQL", Postgres::own(), true); })+
        }
        mod mariadb {
            use super::*;
            $(#[test] fn $name() { matrix($act, "MariaDB", MariaDb::own(), false); })+
        }
    };
}

on_both!(
    an_apply_can_be_disturbed_at_every_message: Act::Apply,
    a_rollback_can_be_disturbed_at_every_message: Act::Rollback,
    a_repair_can_be_disturbed_at_every_message: Act::Repair,
    a_record_of_drift_can_be_disturbed_at_every_message: Act::Record,
);
