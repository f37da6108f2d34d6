//! Runs programs that are hooks: each gets one JSON document, and is held within limits of time, memory and output.
//!
//! A program's environment has `PATH`, `LANG` and `GREFFE_EVENT`, and nothing of this process'. It runs in a process group of its
//! own, all of which ends with it. What it writes to files is its own business.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::crypto::Digest;
use crate::ops::hooks::program::{Bounds, Ended, Programs};
use crate::policy::hooks::answer::{plain, verdicts};
use crate::policy::hooks::verdict::shown;
use crate::policy::hooks::{HookEvent, Verdict};

/// What is kept of each of the two outputs, in bytes.
const OUTPUT: usize = 64 << 10;
/// What one process may take for its data, in bytes.
#[cfg(target_os = "linux")]
const MEMORY: u64 = 1 << 30;
/// How many processes whoever runs greffe may have in all before such a program can start no more.
#[cfg(target_os = "linux")]
const PROCESSES: u64 = 4096;
/// How often it is looked whether a program ended: at first, and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));
/// How long output is waited for after a program and its group ended: what left the group may hold it for ever.
const LEFT_BEHIND: Duration = Duration::from_millis(500);
/// How often a program is started that is just being written by somebody.
const TRIES: u32 = 20;

/// The processes of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Processes;

impl Programs for Processes {
    fn run(&self, program: &Path, sha256: &Digest, event: HookEvent, input: &[u8], bounds: &Bounds) -> Ended {
        run(program, sha256, event, input, bounds)
    }
}

fn run(program: &Path, sha256: &Digest, event: HookEvent, input: &[u8], bounds: &Bounds) -> Ended {
    let begin = Instant::now();
    let (verdicts, output) = match start(program, sha256, event, bounds) {
        Ok(child) => follow(child, input, begin + bounds.time, bounds.time),
        Err(reason) => (vec![Verdict::broken(&reason)], Vec::new()),
    };
    Ended { verdicts, output, duration: begin.elapsed() }
}

fn start(program: &Path, sha256: &Digest, event: HookEvent, bounds: &Bounds) -> Result<Child, String> {
    let failed = |error: io::Error| format!("it cannot be started: {error}");
    if Digest::of(&std::fs::read(program).map_err(failed)?) != *sha256 {
        return Err("it is not the one that was looked at when the run began".to_owned());
    }
    spawn(program, event, bounds).map_err(failed)
}

fn spawn(program: &Path, event: HookEvent, bounds: &Bounds) -> io::Result<Child> {
    keep_to_oneself();
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", &bounds.path)
        .env("LANG", "C.UTF-8")
        .env("GREFFE_EVENT", event.to_string())
        .current_dir(folder_for(program))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < TRIES => {
                tries += 1;
                std::thread::sleep(LOOK.1);
            }
            spawned => return spawned,
        }
    }
}

/// Keeps others of the same user from reading this process' memory and environment, where secrets may be.
#[cfg(target_os = "linux")]
fn keep_to_oneself() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // Without it, what a program is told still holds nothing of them.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

#[cfg(not(target_os = "linux"))]
fn keep_to_oneself() {}

/// Where a program runs: in the folder that holds the one of hooks. A file that it makes there is no hook.
fn folder_for(program: &Path) -> &Path {
    let hooks = program.parent();
    hooks.and_then(Path::parent).or(hooks).unwrap_or(Path::new("/"))
}

/// Holds a program within its limits until it ends.
fn follow(mut child: Child, input: &[u8], until: Instant, limit: Duration) -> (Vec<Verdict>, Vec<u8>) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    limit_resources(pid, limit);
    feed(&mut child, input.to_vec());
    let (done, ended) = channel();
    let stdout = child.stdout.take().map(|pipe| keep(pipe, done.clone()));
    let stderr = child.stderr.take().map(|pipe| keep(pipe, done));
    let in_time = wait(pid, until);
    // The group goes before its leader is buried: until then, nobody else can have its number.
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let status = child.wait();
    wait_for_output(&ended, [&stdout, &stderr].into_iter().flatten().count());
    let (stdout, stderr) = (taken(stdout.as_ref()), taken(stderr.as_ref()));
    let verdicts = match status {
        _ if !in_time => vec![Verdict::broken(&format!("it took longer than {} s", limit.as_secs_f32()))],
        Ok(status) => judge(status, &stdout, &stderr),
        Err(error) => vec![Verdict::broken(&format!("nobody knows how it ended: {error}"))],
    };
    (verdicts, told(&stdout, &stderr))
}

/// What one process of the program may take. Where the system has no such limits, time alone bounds it.
#[cfg(target_os = "linux")]
fn limit_resources(pid: Option<Pid>, time: Duration) {
    use rustix::process::{Resource, Rlimit, prlimit};
    let Some(pid) = pid else { return };
    let seconds = time.as_secs().saturating_add(5);
    for (resource, most) in [
        (Resource::Data, MEMORY),
        (Resource::Nproc, PROCESSES),
        (Resource::Core, 0),
        (Resource::Cpu, seconds),
    ] {
        // It may have ended meanwhile, and a limit that is lower already stays.
        let _ = prlimit(Some(pid), resource, Rlimit { current: Some(most), maximum: Some(most) });
    }
}

#[cfg(not(target_os = "linux"))]
fn limit_resources(_: Option<Pid>, _: Duration) {}

/// Hands over the document; a program need not read it.
fn feed(child: &mut Child, input: Vec<u8>) {
    let Some(mut pipe) = child.stdin.take() else { return };
    std::thread::spawn(move || {
        let _ = pipe.write_all(&input);
    });
}

/// What was printed on one output: the front of it, and how much it was.
#[derive(Clone, Debug, Default)]
struct Printed {
    front: Vec<u8>,
    bytes: usize,
}

impl Printed {
    fn is_whole(&self) -> bool {
        self.bytes == self.front.len()
    }
}

type Shared = Arc<Mutex<Printed>>;

/// Reads an output to its end, and keeps its front.
fn keep(mut pipe: impl Read + Send + 'static, done: Sender<()>) -> Shared {
    let kept = Shared::default();
    let shared = Arc::clone(&kept);
    std::thread::spawn(move || {
        let mut buffer = vec![0; OUTPUT];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            let mut printed = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let room = OUTPUT - printed.front.len();
            printed.front.extend_from_slice(buffer.get(..length.min(room)).unwrap_or_default());
            printed.bytes += length;
        }
        let _ = done.send(());
    });
    kept
}

fn taken(kept: Option<&Shared>) -> Printed {
    kept.map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_default()
}

/// Waits until the program ended, and leaves it unburied; `false` where the time is over.
fn wait(pid: Option<Pid>, until: Instant) -> bool {
    let Some(pid) = pid else { return true };
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let mut pause = LOOK.0;
    loop {
        if !matches!(waitid(WaitId::Pid(pid), look), Ok(None)) {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LOOK.1);
    }
}

fn wait_for_output(ended: &Receiver<()>, outputs: usize) {
    let until = Instant::now() + LEFT_BEHIND;
    for _ in 0..outputs {
        let _ = ended.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

fn judge(status: ExitStatus, stdout: &Printed, stderr: &Printed) -> Vec<Verdict> {
    let mut verdicts = match (status.code(), status.signal()) {
        (_, Some(signal)) => vec![Verdict::broken(&format!("it was ended by signal {signal}"))],
        (Some(0 | 1), _) if !stdout.is_whole() => {
            vec![Verdict::broken(&format!(
                "it printed {} bytes, and at most {OUTPUT} are read",
                stdout.bytes
            ))]
        }
        (Some(code), _) => verdicts(code, &stdout.front),
        (None, None) => vec![Verdict::broken("nobody knows how it ended")],
    };
    // The last it said, for who has to mend it.
    if let (Some(said), [Verdict { text, rule: Some(_), .. }]) =
        (last_line(&stderr.front), verdicts.as_mut_slice())
    {
        let before = text.as_deref().filter(|text| !text.is_empty());
        *text = Some(shown(&before.map_or(said.clone(), |text| format!("{text}; it said: {said}"))));
    }
    verdicts
}

fn last_line(output: &[u8]) -> Option<String> {
    plain(output).lines().map(shown).rfind(|line| !line.is_empty())
}

/// Both outputs, as they are archived.
fn told(stdout: &Printed, stderr: &Printed) -> Vec<u8> {
    let mut told = Vec::new();
    for (name, printed) in [("standard output", stdout), ("standard error", stderr)] {
        if printed.bytes == 0 {
            continue;
        }
        told.extend_from_slice(format!("[{name}, {} bytes]\n", printed.bytes).as_bytes());
        told.extend_from_slice(&printed.front);
        if !printed.is_whole() {
            told.extend_from_slice(
                format!("\n[{} bytes left out]", printed.bytes - printed.front.len()).as_bytes(),
            );
        }
        told.push(b'\n');
    }
    told
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::policy::hooks::Outcome;

    fn bounds() -> Bounds {
        Bounds { path: "/usr/local/bin:/usr/bin:/bin".into(), time: Duration::from_secs(20) }
    }

    /// Runs a script of the shell as a hook.
    fn shell(script: &str, bounds: &Bounds) -> (Ended, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("hooks")).unwrap();
        let program = folder.path().join("hooks/beforeMigrate.sh");
        let text = format!("#!/bin/sh\n{script}\n");
        fs::write(&program, &text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let event = "beforeMigrate".parse().unwrap();
        (run(&program, &Digest::of(text.as_bytes()), event, b"{\"greffe\":\"hook/1\"}", bounds), folder)
    }

    /// The one verdict: outcome, rule, text.
    fn one(script: &str) -> (Outcome, String, String) {
        let (ended, _) = shell(script, &bounds());
        assert_eq!(ended.verdicts.len(), 1, "{ended:?}");
        let Verdict { outcome, rule, text } = ended.verdicts[0].clone();
        (outcome, rule.unwrap_or_default(), text.unwrap_or_default())
    }

    fn broken(script: &str) -> String {
        let (outcome, rule, text) = one(script);
        assert_eq!((outcome, rule.as_str()), (Outcome::Deny, "hook-broken"), "{script}: {text}");
        text
    }

    fn is_alive(pid: &str) -> bool {
        // One that is dead and not buried yet is none. The name in parentheses may hold anything; the state follows it.
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
    }

    /// A process that was killed dies when it gets its turn, which on a busy machine is not at once.
    fn assert_all_end(pids: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let left: Vec<&str> = pids.lines().filter(|pid| is_alive(pid)).collect();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "still alive: {left:?}");
            std::thread::sleep(LOOK.1);
        }
    }

    #[test]
    fn a_program_reads_the_document_and_says_by_its_exit() {
        assert_eq!(one("exit 0").0, Outcome::Allow);
        assert_eq!(one("exit 1"), (Outcome::Deny, "hook-denied".to_owned(), String::new()));
        assert_eq!(one("grep -q '\"greffe\":\"hook/1\"' || exit 3").0, Outcome::Allow);
        let said = "echo '{\"verdict\": \"deny\", \"rule\": \"a/b\", \"text\": \"no\"}'";
        assert_eq!(one(said), (Outcome::Deny, "a/b".to_owned(), "no".to_owned()));
        assert_eq!(one("echo 'disk is full' >&2; exit 1").2, "disk is full");
        assert_eq!(broken("exit 7"), "it ended with 7, which is neither 0 nor 1");
    }

    #[test]
    fn a_program_that_reads_the_environment_finds_three_variables() {
        let (ended, folder) = shell("/usr/bin/env >seen; pwd >>seen", &bounds());
        assert_eq!(ended.verdicts, [Verdict::allow()]);
        let seen = fs::read_to_string(folder.path().join("seen")).unwrap();
        let names: Vec<&str> =
            seen.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        // The shell sets two of its own.
        let ours: Vec<&str> =
            names.into_iter().filter(|name| !["PWD", "_", "OLDPWD", "SHLVL"].contains(name)).collect();
        assert_eq!(
            {
                let mut ours = ours;
                ours.sort_unstable();
                ours
            },
            ["GREFFE_EVENT", "LANG", "PATH"]
        );
        assert!(seen.contains("GREFFE_EVENT=beforeMigrate"));
    }

    /// Nobody but root reads it then in `/proc`, and this test may be root's.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_does_not_read_the_environment_of_who_started_it() {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        assert_eq!(one("exit 0").0, Outcome::Allow);
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }

    #[test]
    fn a_program_that_loops_is_ended_with_all_that_it_started() {
        let short = Bounds { time: Duration::from_millis(400), ..bounds() };
        let (ended, folder) = shell("sleep 1000 & echo $! >child; while :; do :; done", &short);
        assert!(
            ended.verdicts[0].text.as_deref().unwrap().starts_with("it took longer than 0.4 s"),
            "{ended:?}"
        );
        assert!(ended.duration < Duration::from_secs(30), "{ended:?}");
        assert_all_end(&fs::read_to_string(folder.path().join("child")).unwrap());
    }

    #[test]
    fn a_program_that_forks_leaves_nothing_behind() {
        let script = "for n in $(seq 50); do sleep 1000 & echo $! >>children; done; exit 0";
        let (ended, folder) = shell(script, &bounds());
        assert_eq!(ended.verdicts, [Verdict::allow()]);
        assert!(ended.duration < Duration::from_secs(20), "{ended:?}");
        let children = fs::read_to_string(folder.path().join("children")).unwrap();
        assert_eq!(children.lines().count(), 50);
        assert_all_end(&children);
    }

    #[test]
    fn one_that_leaves_its_group_holds_nobody_up() {
        let (ended, folder) = shell("setsid sleep 30 & sleep 0.2; echo $! >child", &bounds());
        assert!(ended.duration < Duration::from_secs(20), "{ended:?}");
        // It is nobody's any more, so this test ends it.
        let child = fs::read_to_string(folder.path().join("child")).unwrap();
        let _ = Pid::from_raw(child.trim().parse().unwrap())
            .map(|pid| rustix::process::kill_process(pid, Signal::KILL));
    }

    #[test]
    fn a_program_that_writes_a_gigabyte_is_read_to_its_end_and_kept_in_short() {
        let text = broken("head -c 1000000000 /dev/zero");
        assert!(text.starts_with("it printed 1000000000 bytes"), "{text}");
        let (ended, _) = shell("head -c 1000000 /dev/zero | tr '\\0' x >&2", &bounds());
        assert_eq!(ended.verdicts, [Verdict::allow()]);
        assert!(ended.output.len() < OUTPUT + 200, "{}", ended.output.len());
        assert!(ended.output.ends_with(b"\n[934464 bytes left out]\n"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_that_eats_memory_is_ended_by_its_limit() {
        // `tail` keeps a line that has no end.
        let (ended, _) =
            shell("sleep 0.1; head -c 3000000000 /dev/zero | tail -n 1 >/dev/null; exit 3", &bounds());
        assert!(ended.verdicts[0].is_broken(), "{ended:?}");
        let said = String::from_utf8_lossy(&ended.output).into_owned();
        assert!(said.contains("memory"), "{said}");
    }

    #[test]
    fn broken_json_and_signals_are_no_verdicts() {
        assert!(broken("echo done").contains("as JSON"));
        assert!(broken("echo '{\"verdict\":'").contains("as JSON"));
        assert_eq!(broken("kill -9 $$"), "it was ended by signal 9");
        assert_eq!(broken("kill -SEGV $$"), "it was ended by signal 11");
        assert_eq!(broken("kill -9 0"), "it was ended by signal 9");
    }

    #[test]
    fn what_a_program_prints_does_not_steer_a_terminal() {
        let text = broken("printf '\\033[31mred\\033]0;title\\007 \\342\\200\\256back\\n' >&2; exit 9");
        assert!(text.contains("it said:") && !text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    }

    #[test]
    fn secrets_that_a_program_prints_are_not_shown() {
        let text = one("echo cannot reach postgres://app:hunter2hunter2@db/x >&2; exit 1").2;
        assert!(text.starts_with("cannot reach") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn one_that_cannot_be_started_is_broken() {
        let event = "finally".parse().unwrap();
        let ended = run(Path::new("/nowhere/finally.sh"), &Digest::of(b""), event, b"{}", &bounds());
        assert!(ended.verdicts[0].text.as_deref().unwrap().starts_with("it cannot be started"), "{ended:?}");
        let (ended, _) = shell("exec 0<&-; exit 0", &bounds());
        assert_eq!(ended.verdicts, [Verdict::allow()]);
        let ended = run(Path::new("/bin/true"), &Digest::of(b""), event, b"{}", &bounds());
        assert!(
            ended.verdicts[0].text.as_deref().unwrap().contains("looked at when the run began"),
            "{ended:?}"
        );
    }
}
