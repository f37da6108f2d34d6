//! Runs another program as if this one were not there: its input, its signals and its exit code are its own. What it
//! prints goes on as it comes, and is kept besides.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::settings::{KEY_VARIABLE, VAULT_KEY_VARIABLE};
use crate::ops::record::ToolExit;

/// What is kept of the beginning of an output, and of its end, in bytes.
const PART: usize = 512 << 10;
/// How long output is waited for after the program ended, on both of its streams together: what it left behind may hold
/// them for ever.
const LEFT_BEHIND: Duration = Duration::from_secs(2);
/// How often a program that has closed its output is looked at.
const ENDING: Duration = Duration::from_millis(5);
/// Variables of greffe that are nobody else's business.
const SECRETS: [&str; 4] =
    [KEY_VARIABLE, "GREFFE_KEY_PASSPHRASE", VAULT_KEY_VARIABLE, "GREFFE_VAULT_PASSPHRASE"];
/// A longer answer is none: 64 MiB.
const ANSWER_LIMIT: u64 = 64 << 20;
/// How often it is looked whether the program ended.
const LOOK: Duration = Duration::from_millis(20);

/// What a program is given and not given besides what this one has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// Names of further variables that it is not given.
    pub secrets: &'a [String],
    /// Variables that are set for it.
    pub variables: &'a [(String, String)],
}

/// Runs `command`, and keeps what it prints in `output`. A terminal is left to it; then nothing is kept.
///
/// # Errors
/// When it cannot be started.
pub fn run(command: &[String], output: Option<File>, given: Surroundings<'_>) -> io::Result<ToolExit> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    // Who presses the keys means the program; this one has to outlive it.
    let asked = signals()?;
    let is_terminal = io::stdout().is_terminal() || io::stderr().is_terminal();
    let piped = || if is_terminal { Stdio::inherit() } else { Stdio::piped() };
    let mut wrapped = Command::new(program);
    for secret in SECRETS.into_iter().chain(given.secrets.iter().map(String::as_str)) {
        wrapped.env_remove(secret);
    }
    wrapped.envs(given.variables.iter().map(|(name, value)| (name, value)));
    let mut child = wrapped.args(arguments).stdout(piped()).stderr(piped()).spawn()?;
    let kept = Arc::new(Mutex::new(Kept { output, written: 0, tail: VecDeque::new(), left_out: 0 }));
    let (done, ended) = channel();
    let stdout = child.stdout.take().map(|pipe| copy(pipe, io::stdout(), &kept, done.clone()));
    let stderr = child.stderr.take().map(|pipe| copy(pipe, io::stderr(), &kept, done.clone()));
    drop(done);
    let status = wait(&mut child, &asked)?;
    // From here on a signal means this program.
    for asked in &asked {
        asked.ours.store(true, Ordering::Relaxed);
    }
    let until = Instant::now() + LEFT_BEHIND;
    for _ in [stdout, stderr].into_iter().flatten() {
        // Nobody waits for what the program left running.
        let _ = ended.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
    // It ran, whatever could be kept of what it printed.
    let _ = kept.lock().unwrap_or_else(PoisonError::into_inner).finish();
    Ok(ToolExit { code: status.code(), signal: status.signal() })
}

/// What a command prints on standard output; `None` where it fails, or takes longer than `limit`. `secrets`: names of
/// further variables that it is not given.
pub fn answer(command: &[String], limit: Duration, secrets: &[String]) -> Option<Vec<u8>> {
    let (program, arguments) = command.split_first()?;
    let mut asked = Command::new(program);
    for secret in SECRETS.into_iter().chain(secrets.iter().map(String::as_str)) {
        asked.env_remove(secret);
    }
    asked.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = asked.spawn().ok()?;
    let mut pipe = child.stdout.take()?;
    let (done, ended) = channel();
    let until = Instant::now() + limit;
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.by_ref().take(ANSWER_LIMIT + 1).read_to_end(&mut bytes);
        let _ = done.send(read.ok().map(|_| bytes));
    });
    let bytes = ended.recv_timeout(limit).ok().flatten().filter(|bytes| bytes.len() as u64 <= ANSWER_LIMIT);
    // One that has said all may still not end.
    while bytes.is_some() && Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(ENDING);
    }
    if !matches!(child.try_wait(), Ok(Some(_))) {
        let _ = child.kill();
    }
    let status = child.wait().ok()?;
    bytes.filter(|_| status.success())
}

/// A signal that arrived, for each that is passed on.
struct Asked {
    signal: Signal,
    passed: bool,
    arrived: Arc<AtomicBool>,
    /// Whether it ends this program, as it does by itself.
    ours: Arc<AtomicBool>,
}

fn signals() -> io::Result<Vec<Asked>> {
    // A terminal sends these two to all of its programs by itself.
    let passed = !io::stdin().is_terminal();
    let each = [(SIGINT, Signal::INT, passed), (SIGHUP, Signal::HUP, passed), (SIGTERM, Signal::TERM, true)];
    each.into_iter()
        .map(|(number, signal, passed)| {
            let (arrived, ours) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            signal_hook::flag::register_conditional_default(number, Arc::clone(&ours))?;
            signal_hook::flag::register(number, Arc::clone(&arrived))?;
            Ok(Asked { signal, passed, arrived, ours })
        })
        .collect()
}

fn wait(child: &mut Child, asked: &[Asked]) -> io::Result<std::process::ExitStatus> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        for asked in asked.iter().filter(|asked| asked.passed) {
            if asked.arrived.swap(false, Ordering::Relaxed)
                && let Some(pid) = pid
            {
                // It may have ended meanwhile.
                let _ = kill_process(pid, asked.signal);
            }
        }
        std::thread::sleep(LOOK);
    }
}

fn copy(
    mut pipe: impl Read + Send + 'static,
    mut screen: impl Write + Send + 'static,
    kept: &Arc<Mutex<Kept>>,
    done: Sender<()>,
) {
    let kept = Arc::clone(kept);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            let bytes = buffer.get(..length).unwrap_or_default();
            kept.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
            // Where nobody reads any more, the program finds its pipe closed, as it would without this one.
            if screen.write_all(bytes).and_then(|()| screen.flush()).is_err() {
                break;
            }
        }
        drop(pipe);
        let _ = done.send(());
    });
}

/// The beginning of an output in a file, and its end in memory until it is whole.
struct Kept {
    /// `None`: nothing is kept.
    output: Option<File>,
    written: usize,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Kept {
    fn add(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(PART.saturating_sub(self.written)));
        // What cannot be kept is missing from the archive, and no harm to the program.
        if self.output.as_mut().is_some_and(|output| output.write_all(head).is_ok()) {
            self.written += head.len();
        }
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(PART);
        self.tail.drain(..surplus);
        self.left_out += surplus as u64;
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(output) = &mut self.output else { return Ok(()) };
        if self.left_out > 0 {
            writeln!(output, "\n[{} bytes left out]", self.left_out)?;
        }
        output.write_all(self.tail.make_contiguous())?;
        output.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_said_all_and_does_not_end_is_ended() {
        let asked = |script: &str| {
            let command = ["sh", "-c", script].map(str::to_owned);
            let begin = Instant::now();
            (answer(&command, Duration::from_secs(1), &[]), begin.elapsed())
        };
        let (said, took) = asked("echo 1.2; exec 1>&-; exec sleep 60");
        assert_eq!(said, None);
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert_eq!(asked("echo 1.2").0.as_deref(), Some(&b"1.2\n"[..]));
        assert_eq!(asked("echo 1.2; exit 3").0, None);
    }

    #[test]
    fn both_streams_are_waited_for_once() {
        let command = ["sh", "-c", "sleep 6 &"].map(str::to_owned);
        let took = || {
            let begin = Instant::now();
            assert!(run(&command, None, Surroundings::default()).unwrap().is_success());
            begin.elapsed()
        };
        // A busy machine may be late once; who waits twice is late each time.
        assert!((0..3).any(|_| took() < LEFT_BEHIND.mul_f32(1.9)));
    }

    #[test]
    fn of_a_long_output_the_beginning_and_the_end_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let output = Some(File::create(&path).unwrap());
        let mut kept = Kept { output, written: 0, tail: VecDeque::new(), left_out: 0 };
        kept.add(b"first ");
        for _ in 0..100 {
            kept.add(&[b'x'; 64 << 10]);
        }
        kept.add(b" last");
        kept.finish().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let left_out = 100 * (64 << 10) + 11 - 2 * PART;
        assert!(text.starts_with("first x") && text.ends_with("x last"));
        assert!(text.contains(&format!("\n[{left_out} bytes left out]\n")));
    }
}
