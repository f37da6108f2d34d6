//! A server program below a test process: its account, its folder, its start and its end.
//!
//! Neither process nor folder outlives the tests, however they end: the kernel signals the server when the test
//! process is gone, and a caretaker then removes the folder. Both need Linux.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::tools::{output_of, tool};

/// How long anything may take on a machine that has much else to do.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Waits for the end of the test process or of the server's use, which both close its standard input. A server
/// that is there after ten more seconds is killed. A process that ended and was not waited for has no `exe`.
const CARETAKER: &str = r#"
trap '' HUP INT TERM
read -r never
server=$(cat "$1/pid" 2>/dev/null)
left=100
while [ -n "$server" ] && [ -e "/proc/$server/exe" ]; do
    [ $left -gt 0 ] || kill -KILL "$server"
    left=$((left - 1))
    sleep 0.1
done
left=100
until rm -rf -- "$1" 2>/dev/null || [ $left -eq 0 ]; do
    left=$((left - 1))
    sleep 0.1
done
"#;

/// A new folder that belongs to the account a server runs as.
pub struct Home {
    folder: PathBuf,
    /// User and group, where they are not those of the tests.
    account: Option<(u32, u32)>,
    caretaker: Child,
}

impl Home {
    /// A folder for a server that root starts as `user`, and anyone else as themselves.
    pub fn new(user: &str) -> Self {
        Self::with((id(&["-u"]) == 0).then(|| (id(&["-u", user]), id(&["-g", user]))))
    }

    /// A folder for a server that runs as whoever runs the tests.
    pub fn of_tests() -> Self {
        Self::with(None)
    }

    fn with(account: Option<(u32, u32)>) -> Self {
        let folder = tempfile::Builder::new().prefix("greffe-test-").tempdir_in(short()).unwrap().keep();
        let caretaker = tool("sh")
            .args(["-c", CARETAKER, "caretaker"])
            .arg(&folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if let Some((user, group)) = account {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        Self { folder, account, caretaker }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file that the server's account alone can read.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        if let Some((user, group)) = self.account {
            chown(&path, Some(user), Some(group)).unwrap();
        }
    }

    /// What the programs that ran here printed.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("log")).unwrap_or_default()).into_owned()
    }

    /// A program with this folder's account, which gets `signal` when the test process is gone.
    fn command(&self, program: &Path, signal: &str) -> Command {
        let mut command = tool("setpriv");
        command.arg(format!("--pdeathsig={signal}"));
        if let Some((user, group)) = self.account {
            command.args([
                format!("--reuid={user}"),
                format!("--regid={group}"),
                "--clear-groups".to_owned(),
            ]);
        }
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        command.arg("--").arg(program).current_dir(&self.folder).env_clear();
        command.env("LC_ALL", "C").env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("HOME", &self.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command
    }

    /// Runs a program of the server's that has to succeed, with `input`.
    pub fn run(&self, program: &Path, arguments: &[String], input: &str) {
        let mut command = self.command(program, "KILL");
        command.args(arguments).stdin(Stdio::piped());
        let mut child = spawn(command);
        // A program that leaves early says why in the log.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let status = child.wait().unwrap();
        assert!(status.success(), "{} ended with {status}:\n{}", program.display(), self.log());
    }

    /// Starts the server, which `signal` ends at once, and waits until it is ready.
    pub fn start(
        &self,
        program: &Path,
        arguments: &[String],
        signal: &'static str,
        is_ready: impl Fn(u32) -> bool,
    ) -> Process {
        let mut command = self.command(program, signal);
        command.args(arguments);
        let mut process = Process { child: spawn(command), signal };
        fs::write(self.path("pid"), process.pid().to_string()).unwrap();
        let answers = poll(LIMIT, || process.has_ended() || is_ready(process.pid()));
        assert!(answers && !process.has_ended(), "{} did not start:\n{}", program.display(), self.log());
        process
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.caretaker.stdin.take());
        let _ = self.caretaker.wait();
    }
}

/// A server that runs; it ends with this value.
pub struct Process {
    child: Child,
    signal: &'static str,
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the server by another signal than its own, and returns when it has ended.
    pub fn end_by(mut self, signal: &'static str) {
        self.signal = signal;
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The pid is this child's for as long as nobody waited for it.
        if !self.has_ended() {
            let pid = self.pid().to_string();
            let _ = tool("sh").args(["-c", "kill -s \"$0\" \"$1\"", self.signal, &pid]).status();
        }
        if !poll(LIMIT, || self.has_ended()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Asks until the answer is yes; no after `limit`.
pub fn poll(limit: Duration, mut answer: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while !answer() {
        if begin.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Starts a child from a thread that ends with the process: the kernel's signal for the end of a parent comes
/// when the thread ends that started the child, and the thread of a test ends with the test.
fn spawn(command: Command) -> Child {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static STARTER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in orders {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (sender, reply) = mpsc::channel();
    starter.send((command, sender)).unwrap();
    reply.recv().unwrap().unwrap()
}

/// A folder for temporary files whose name leaves room for that of a socket, which has 107 bytes.
fn short() -> PathBuf {
    let folder = std::env::temp_dir();
    if folder.as_os_str().len() > 50 { PathBuf::from("/tmp") } else { folder }
}

fn id(arguments: &[&str]) -> u32 {
    output_of(tool("id").args(arguments)).trim().parse().unwrap()
}
