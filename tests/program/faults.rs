//! Kills the program at its system calls, and lets them fail, one after the other; then runs it again.
//!
//! `strace` counts calls for each thread. So the first thread, which archives, is traced by itself; the calls of
//! the database's thread are those that touch the database's files.
//!
//! Every seventh call is taken; all of them with `GREFFE_TEST_ALL=1`.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};
use std::sync::Mutex;

use serde_json::Value;

use crate::project::{Project, Run, THREE};
use crate::tools::{output_of, runs_all, tool};

/// Calls that change something or read what matters.
const CALLS: &str = "openat,read,pread64,write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,link,linkat,\
                     unlink,unlinkat,mkdir,mkdirat,flock,fcntl,close";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thread {
    First,
    Database,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Killed,
    InputOutputError,
    NoSpace,
}

impl Fault {
    fn injected(self) -> &'static str {
        match self {
            Self::Killed => "signal=KILL",
            Self::InputOutputError => "error=EIO",
            Self::NoSpace => "error=ENOSPC",
        }
    }

    /// Whether calls of this name fail in such a way at all.
    fn concerns(self, call: &str) -> bool {
        match self {
            Self::Killed => true,
            // No file system fails to close a folder, and the standard library takes it for a bug.
            Self::InputOutputError => call != "close",
            Self::NoSpace => matches!(
                call,
                "openat" | "write" | "pwrite64" | "fsync" | "fdatasync" | "ftruncate" | "rename" | "mkdir"
            ),
        }
    }
}

/// One call of one run.
#[derive(Clone, Debug)]
struct Case {
    thread: Thread,
    call: String,
    /// From 1, among the thread's calls of this name.
    number: u64,
    fault: Fault,
}

/// A command, where it starts from, and what has to hold after it was cut short and run again.
struct Scenario {
    name: &'static str,
    start: Project,
    arguments: &'static [&'static str],
    check: fn(&Project, &Case),
}

impl Scenario {
    fn traced(&self, project: &Project, thread: Thread, options: &[&str]) -> Output {
        let mut strace = tool("strace");
        strace.args(["-qq", "-o"]).arg(project.path(".trace")).args(options);
        if thread == Thread::Database {
            strace.arg("-f");
            strace.arg("-P").arg(project.folder());
            let vault = ["greffe.vault.db", "greffe.vault.db-journal"];
            for path in ["app.db", "app.db-journal", "app.db-greffe-lock"].into_iter().chain(vault) {
                strace.arg("-P").arg(project.path(path));
            }
        }
        strace.arg(env!("CARGO_BIN_EXE_greffe")).args(self.arguments);
        project.prepare(&mut strace);
        let output = strace.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("strace:"), "strace cannot trace here: {stderr}");
        output
    }

    /// How often each thread makes each call, counted in a run that nothing disturbs.
    fn calls(&self) -> Vec<(Thread, String, u64)> {
        let mut calls = Vec::new();
        for thread in [Thread::First, Thread::Database] {
            let project = self.start.copy();
            let output = self.traced(&project, thread, &["-e", &format!("trace={CALLS}")]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
            for line in String::from_utf8_lossy(&project.read(".trace")).lines() {
                let (process, rest) = match thread {
                    Thread::First => ("", line),
                    Thread::Database => line.split_once(' ').unwrap(),
                };
                let Some((call, _)) = rest.trim_start().split_once('(').filter(|(call, _)| is_name(call))
                else {
                    continue;
                };
                *counts.entry((call.to_owned(), process.to_owned())).or_default() += 1;
            }
            // Threads are told apart by their counts only: the highest count of a call covers them all.
            let mut highest: BTreeMap<String, u64> = BTreeMap::new();
            for ((call, _), count) in counts {
                let entry = highest.entry(call).or_default();
                *entry = count.max(*entry);
            }
            calls.extend(highest.into_iter().map(|(call, count)| (thread, call, count)));
        }
        calls
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for fault in [Fault::Killed, Fault::InputOutputError, Fault::NoSpace] {
            for (thread, call, count) in self.calls() {
                if fault.concerns(&call) {
                    let case = |number| Case { thread, call: call.clone(), number, fault };
                    cases.extend((1..=count).map(case));
                }
            }
        }
        if runs_all() { cases } else { cases.into_iter().step_by(7).collect() }
    }

    /// Runs one case; how the disturbed run ended.
    fn run(&self, case: &Case) -> &'static str {
        let project = self.start.copy();
        let inject = format!("inject={}:{}:when={}", case.call, case.fault.injected(), case.number);
        let output =
            self.traced(&project, case.thread, &["-e", &format!("trace={}", case.call), "-e", &inject]);
        project.remove(".trace");
        let end = if output.status.signal() == Some(9) || output.status.code() == Some(137) {
            "killed"
        } else {
            let run = Run::of(output);
            match run.code {
                0 => "done",
                // The loader of the system found no program to run.
                127 => "told",
                code => {
                    assert!((1..=3).contains(&code), "{case:?}: {run:#?}");
                    run.says(&["error"]);
                    "told"
                }
            }
        };
        (self.check)(&project, case);
        end
    }

    fn run_all(&self) {
        let cases = self.cases();
        let waiting = Mutex::new(cases.clone());
        let ends: Mutex<BTreeMap<(String, &str), u64>> = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            let work = || {
                loop {
                    let Some(case) = waiting.lock().unwrap().pop() else { return };
                    let end = self.run(&case);
                    let faults = format!("{:?} {:?}", case.fault, case.thread);
                    *ends.lock().unwrap().entry((faults, end)).or_default() += 1;
                }
            };
            let workers = [scope.spawn(work), scope.spawn(work)];
            for worker in workers {
                worker.join().unwrap();
            }
        });
        let ends = ends.into_inner().unwrap();
        println!("{}: {} cases", self.name, cases.len());
        for ((fault, end), count) in &ends {
            println!("  {fault:<28} {end:<8} {count:>5}");
        }
        let killed: u64 = ends.iter().filter(|((_, end), _)| *end == "killed").map(|(_, count)| count).sum();
        let to_kill = cases.iter().filter(|case| case.fault == Fault::Killed).count() as u64;
        assert!(killed * 10 >= to_kill * 9, "only {killed} of {to_kill} were reached");
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The command once more, undisturbed; then each event stands once in database and archive, and all is verified.
fn completes(project: &Project, case: &Case, arguments: &[&str], expected: &[&str], tables: &str) {
    let run = project.run(arguments.iter().chain(&["--json"]));
    assert_eq!(run.code, 0, "{case:?}: {run:#?}");
    let head = run.object()["head"].as_str().unwrap().to_owned();
    let verified = project.run(["verify", &head, "--json"]);
    assert_eq!(verified.code, 0, "{case:?}: {verified:#?}");
    // A script that could not be run, for the disk failed, is archived as that.
    let story: Vec<String> = project.story().into_iter().filter(|line| !line.starts_with("fail")).collect();
    assert_eq!(story, expected, "{case:?}");
    assert!(case.fault != Fault::Killed || project.story() == expected, "{case:?}: {:?}", project.story());
    let database = project.path("app.db");
    let query = "SELECT group_concat(event || ' ' || version) FROM (SELECT * FROM greffe_history WHERE event <> 'fail' ORDER BY position); \
                 SELECT count(*) FROM greffe_history WHERE seq IS NULL; PRAGMA integrity_check; \
                 SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'greffe%' \
                 AND name NOT LIKE 'sqlite%' ORDER BY name);";
    let history = output_of(Command::new("sqlite3").arg(database).arg(query));
    assert_eq!(history, format!("{}\n0\nok\n{tables}\n", expected[1..].join(",")), "{case:?}");
}

#[test]
fn apply_can_be_cut_short_anywhere() {
    tool("sqlite3");
    let check = |project: &Project, case: &Case| {
        completes(project, case, &["apply"], &["genesis", "apply 1", "apply 2", "apply 3"], "authors,books");
        assert_eq!(project.sql("SELECT count(*) FROM authors"), "2", "{case:?}");
    };
    Scenario { name: "apply", start: Project::with(&THREE), arguments: &["apply"], check }.run_all();
}

/// In which state each sealed file of the archive is, by their numbers.
fn sealed_states(project: &Project, case: &Case) -> Value {
    let run = project.run(["verify", &project.head(), "--open", "--json"]);
    assert_eq!(run.code, 0, "{case:?}: {run:#?}");
    run.object()["sealedStates"].clone()
}

#[test]
fn a_sealed_run_can_be_cut_short_anywhere() {
    tool("sqlite3");
    let check = |project: &Project, case: &Case| {
        completes(project, case, &["apply"], &["genesis", "apply 1", "apply 2", "apply 3"], "authors,books");
        let states = sealed_states(project, case);
        let failed = project.story().iter().filter(|line| line.starts_with("fail")).count();
        let open = states["open"].as_u64().unwrap();
        assert!(open == 6 || failed > 0 && open > 6, "{case:?}: {states:#}");
        assert_eq!(
            states.as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>(),
            open,
            "{case:?}"
        );
    };
    let start = Project::with(&THREE).publishing("sealed");
    Scenario { name: "apply, sealed", start, arguments: &["apply"], check }.run_all();
}

#[test]
fn an_erasure_can_be_cut_short_anywhere() {
    tool("sqlite3");
    const ERASE: [&str; 7] = ["erase", "--event", "2", "--basis", "art17.1.a", "--request", "R-1"];
    let start = Project::with(&THREE).publishing("sealed");
    start.ok(["apply"]);
    let check = |project: &Project, case: &Case| {
        let keys = project.path("keys");
        let keys: Vec<Vec<u8>> = std::fs::read_to_string(keys)
            .unwrap()
            .lines()
            .map(|key| data_encoding::HEXUPPER.decode(key.as_bytes()).unwrap())
            .collect();
        let run = project.run(ERASE);
        assert_eq!(run.code, 0, "{case:?}: {run:#?}");
        let story = ["genesis", "apply 1", "apply 2", "apply 3", "erase"];
        assert_eq!(project.story(), story, "{case:?}");
        let states = sealed_states(project, case);
        assert_eq!(
            (states["open"].as_u64(), states["erased"].as_u64()),
            (Some(4), Some(2)),
            "{case:?}: {states:#}"
        );
        let vault = project.read("greffe.vault.db");
        let holds = |key: &Vec<u8>| vault.windows(key.len()).any(|window| window == key);
        assert!(keys.len() == 2 && !keys.iter().any(holds), "{case:?}");
        assert!(!project.path("greffe.vault.db-journal").exists(), "{case:?}");
    };
    let event = start.json(&["show", "2"])["event"]["id"].as_str().unwrap().to_owned();
    let query = format!("SELECT hex(wrapped) FROM vault_content_key WHERE event = '{event}'");
    let keys = start.sql_of(&start.path("greffe.vault.db"), &query);
    start.write("keys", keys);
    Scenario { name: "erase", start, arguments: &ERASE, check }.run_all();
}

#[test]
fn rollback_can_be_cut_short_anywhere() {
    tool("sqlite3");
    let check = |project: &Project, case: &Case| {
        let story = ["genesis", "apply 1", "apply 2", "apply 3", "rollback 3", "rollback 2"];
        completes(project, case, &["rollback", "--to", "1"], &story, "authors");
    };
    let arguments = &["rollback", "--to", "1"];
    Scenario { name: "rollback", start: Project::applied(), arguments, check }.run_all();
}

/// The command once more; then the story is this one and each event of the rows is archived.
fn tells(project: &Project, case: &Case, arguments: &[&str], expected: &[&str]) {
    let run = project.run(arguments);
    assert_eq!(run.code, 0, "{case:?}: {run:#?}");
    assert_eq!(project.story(), expected, "{case:?}");
    assert_eq!(project.sql("SELECT count(*) FROM greffe_history WHERE seq IS NULL"), "0", "{case:?}");
    let run = project.run(["audit"]);
    assert_eq!(run.code, 0, "{case:?}: {run:#?}");
    project.verify();
}

#[test]
fn the_repair_of_a_restored_database_can_be_cut_short_anywhere() {
    let start = Project::applied();
    let backup = start.read("app.db");
    start.script("4_more.up.sql", "CREATE TABLE more (id);");
    start.script("4_more.down.sql", "DROP TABLE more;");
    start.ok(["apply"]);
    start.ok(["rollback", "--steps", "2"]);
    start.script("5_other.sql", "CREATE TABLE other (id);");
    start.script("3_seed.up.sql", "INSERT INTO authors (name) VALUES ('Grace');");
    start.ok(["apply"]);
    start.write("app.db", backup);
    start.script("3_seed.up.sql", THREE[4].1);
    let check = |project: &Project, case: &Case| {
        let waiting = "SELECT count(*) FROM greffe_history WHERE event = 'repair' AND seq IS NULL";
        if project.sql(waiting) != "0" {
            let archive = project.read("archive/demo.car");
            let run = project.run(["apply"]);
            assert_eq!(run.code, 1, "{case:?}: {run:#?}");
            assert!(archive.starts_with(&project.read("archive/demo.car")), "{case:?}");
        }
        let mut story =
            vec!["genesis", "apply 1", "apply 2", "apply 3", "apply 4", "rollback 4", "rollback 3"];
        story.extend(["apply 3", "apply 4", "apply 5", "repair 4", "repair 5", "repair 3"]);
        tells(project, case, &["repair", "--restored"], &story);
        project.ok(["apply"]);
        project.verify();
    };
    Scenario { name: "repair --restored", start, arguments: &["repair", "--restored"], check }.run_all();
}

#[test]
fn the_record_of_a_drift_can_be_cut_short_anywhere() {
    let start = Project::applied();
    start.sql("CREATE TABLE by_hand (id)");
    let check = |project: &Project, case: &Case| {
        let story = ["genesis", "apply 1", "apply 2", "apply 3", "drift"];
        tells(project, case, &["audit", "--record"], &story);
    };
    Scenario { name: "audit --record", start, arguments: &["audit", "--record"], check }.run_all();
}

#[test]
fn init_can_be_cut_short_anywhere() {
    let mut start = Project::empty();
    start.variables.clear();
    start.scripts(&THREE);
    let check = |project: &Project, case: &Case| {
        let run = project.run(["init", "--name", "demo", "--database", "sqlite:app.db", "--plain-key"]);
        // Either it works now, or it had been done already and says so.
        if run.code != 0 {
            assert_eq!(run.code, 2, "{case:?}: {run:#?}");
            run.says(&["greffe.toml", "this project is initialised"]);
        }
        completes(project, case, &["apply"], &["genesis", "apply 1", "apply 2", "apply 3"], "authors,books");
    };
    let arguments = &["init", "--name", "demo", "--database", "sqlite:app.db", "--plain-key"];
    Scenario { name: "init", start, arguments, check }.run_all();
}

#[test]
fn export_import_and_compact_can_be_cut_short_anywhere() {
    let project = Project::applied();
    project.ok(["export", "--out", "shorter.car"]);
    project.ok(["rollback", "--steps", "1"]);
    let check = |project: &Project, case: &Case| {
        let report: Value = project.json(&["verify", &project.head()]);
        assert_eq!((&report["verified"], &report["entries"]), (&true.into(), &5.into()), "{case:?}");
        let run = project.run(["compact"]);
        assert_eq!(run.code, 0, "{case:?}: {run:#?}");
        project.ok(["apply"]);
        project.verify();
    };
    Scenario { name: "compact", start: project.copy(), arguments: &["compact"], check }.run_all();

    let check = |project: &Project, case: &Case| {
        if project.path("out.car").exists() {
            // Whole or not there at all.
            let run = project.run(["verify", "out.car"]);
            assert_eq!(run.code, 0, "{case:?}: {run:#?}");
        }
        project.ok(["export", "--out", "out.car", "--force"]);
        project.ok(["verify", "out.car"]);
    };
    Scenario { name: "export", start: project.copy(), arguments: &["export", "--out", "out.car"], check }
        .run_all();

    // One file makes a new archive, the other continues one.
    project.ok(["export", "--out", "in.car"]);
    let fresh = Project::empty();
    fresh.write("in.car", project.read("in.car"));
    let check = |project: &Project, case: &Case| {
        let run = project.run(["import", "in.car"]);
        assert_eq!(run.code, 0, "{case:?}: {run:#?}");
        let head = project.ok(["head", "--name", "demo"]).stdout;
        project.ok(["verify", head.trim(), "--name", "demo"]);
        assert_eq!(
            project.json(&["log", "--name", "demo"])["entries"].as_array().unwrap().len(),
            5,
            "{case:?}"
        );
    };
    Scenario { name: "import, new", start: fresh, arguments: &["import", "in.car"], check }.run_all();
    let older = Project::empty();
    older.write("in.car", project.read("shorter.car"));
    older.ok(["import", "in.car"]);
    older.write("in.car", project.read("in.car"));
    Scenario { name: "import, continuing", start: older, arguments: &["import", "in.car"], check }.run_all();
}
