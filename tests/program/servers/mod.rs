//! Real servers for tests: databases, of which one serves all tests of a process unless a test kills it, and
//! nodes of IPFS, of which each test has its own.
//!
//! Servers listen on 127.0.0.1 alone. Databases ask for a password, and sync their files as they do in production.
//! A test binary that takes this folder in by `#[path]` takes in `tools.rs` too.

mod cluster;
mod helia;
mod kubo;
mod litewitness;
mod mariadb;
mod postgres;
mod process;
mod proxy;
mod tls;

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;

use data_encoding::HEXLOWER;
use serde_json::Value;

pub use cluster::Cluster;
pub use helia::helia;
pub use kubo::{Kubo, KuboOptions, Secret};
pub use litewitness::{Litewitness, program as witness_program};
pub use mariadb::{MariaDb, MySql};
pub use postgres::Postgres;
pub use process::{Home, LIMIT, Process, poll};
pub use proxy::{Act, Proxy};
pub use tls::Tls;

/// A user of a server.
#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
}

impl Login {
    /// A user with a new random password, which no text has by chance.
    fn new(user: &str) -> Self {
        let mut bytes = [0; 12];
        getrandom::fill(&mut bytes).unwrap();
        Self { user: user.to_owned(), password: format!("geheim-{}", HEXLOWER.encode(&bytes)) }
    }
}

/// What a dump holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dump {
    /// Schema and rows, as SQL.
    Full,
    /// The schema, as SQL.
    Schema,
    /// Schema and rows, in the format of `pg_dump --format=custom`. PostgreSQL alone has it.
    Custom,
}

/// What sets one kind of server apart from another.
trait Engine: Send + Sync {
    /// The scheme of its addresses.
    fn scheme(&self) -> &'static str;
    /// The account it runs as when root starts it.
    fn account(&self) -> &'static str;
    /// The signal that ends it at once, as a crash would, its files as they are.
    fn signal(&self) -> &'static str;
    fn administrator(&self) -> &'static str;
    /// Makes the files of a new server with both users in it.
    fn initialise(&self, home: &Home, administrator: &Login, user: &Login);
    fn server(&self, home: &Home, port: u16) -> (PathBuf, Vec<String>);
    fn is_ready(&self, home: &Home, port: u16, pid: u32) -> bool;
    /// The database that statements about databases go to.
    fn first_database(&self) -> &'static str;
    /// Statements for the administrator.
    fn create_database(&self, database: &str, owner: &str) -> String;
    fn drop_database(&self, database: &str) -> String;
    /// A client that reads statements and prints what they answer, `|` or a tab between columns.
    fn shell(&self, port: u16, login: &Login, database: &str) -> Command;
    fn dump(&self, port: u16, login: &Login, database: &str, dump: Dump) -> Command;
    /// A client that reads a dump.
    fn restore(&self, port: u16, login: &Login, database: &str, dump: &[u8]) -> Command;
}

/// A server that runs, and its clients. It ends with this value.
pub struct Server {
    // Fields are dropped in this order: the folder goes when nobody uses it.
    process: Option<Process>,
    home: Home,
    clients: Arc<Clients>,
}

struct Clients {
    engine: Box<dyn Engine>,
    port: u16,
    administrator: Login,
    user: Login,
}

impl Server {
    fn start(engine: impl Engine + 'static) -> Self {
        let home = Home::new(engine.account());
        let administrator = Login::new(engine.administrator());
        let user = Login::new("greffe");
        engine.initialise(&home, &administrator, &user);
        let clients = Clients { engine: Box::new(engine), port: free_port(), administrator, user };
        let mut server = Self { process: None, home, clients: Arc::new(clients) };
        server.restart();
        server
    }

    pub fn port(&self) -> u16 {
        self.clients.port
    }

    /// The process that listens.
    ///
    /// # Panics
    /// When the server was killed.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the server was killed").pid()
    }

    /// The folder of its files.
    pub fn folder(&self) -> PathBuf {
        self.home.path("")
    }

    /// What it wrote to its log so far.
    pub fn log(&self) -> String {
        self.home.log()
    }

    /// Ends the server as a crash would, and returns when it has ended. PostgreSQL is told to leave at once
    /// (`pg_ctl -m immediate`), the others are killed. What was committed is recovered by the next start.
    pub fn kill_immediate(&mut self) {
        self.process = None;
    }

    /// Starts the server again, at the same port; one that still runs is killed first.
    pub fn restart(&mut self) {
        self.kill_immediate();
        let Clients { engine, port, .. } = &*self.clients;
        let (program, arguments) = engine.server(&self.home, *port);
        let is_ready = |pid| engine.is_ready(&self.home, *port, pid);
        self.process = Some(self.home.start(&program, &arguments, engine.signal(), is_ready));
    }

    /// A new empty database; its name begins with `hint`.
    pub fn database(&self, hint: &str) -> Database {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("{hint}_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let clients = self.clients.clone();
        clients.administrate(&clients.engine.create_database(&name, &clients.user.user)).unwrap();
        Database { clients, name }
    }
}

impl Clients {
    /// Runs statements that belong to no test's database.
    fn administrate(&self, statements: &str) -> Result<String, String> {
        let database = self.engine.first_database();
        let shell = self.engine.shell(self.port, &self.administrator, database);
        text(feed(shell, statements.as_bytes()))
    }
}

/// A database of one test, dropped with this value. It does not keep its server alive.
pub struct Database {
    clients: Arc<Clients>,
    name: String,
}

impl Database {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user who may do everything in this database, and nothing elsewhere.
    pub fn user(&self) -> &Login {
        &self.clients.user
    }

    /// The user who may do everything on this server.
    pub fn administrator(&self) -> &Login {
        &self.clients.administrator
    }

    /// A user who may make databases for a replay, look at this one, and nothing else.
    pub fn replayer(&self) -> Login {
        let login = Login { user: "replayer".to_owned(), password: "geheim-replayer".to_owned() };
        let create = match self.clients.engine.scheme() {
            "postgres" => "DO $$ BEGIN CREATE ROLE replayer LOGIN CREATEDB PASSWORD 'geheim-replayer'; \
                           EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
                .to_owned(),
            _ => format!(
                "CREATE USER IF NOT EXISTS replayer@localhost IDENTIFIED BY 'geheim-replayer'; \
                 GRANT ALL ON `greffe\\_replay\\_%`.* TO replayer@localhost; \
                 GRANT SELECT ON `{}`.* TO replayer@localhost",
                self.name
            ),
        };
        self.sql_as(self.administrator(), &create).unwrap();
        login
    }

    /// The address with the user's password.
    pub fn url(&self) -> String {
        self.url_as(self.user())
    }

    /// The address for someone else.
    pub fn url_as(&self, login: &Login) -> String {
        let [user, password, name] = [&login.user, &login.password, &self.name].map(|text| percent(text));
        let Clients { engine, port, .. } = &*self.clients;
        format!("{}://{user}:{password}@127.0.0.1:{port}/{name}", engine.scheme())
    }

    /// What statements answer, a line for each row, `|` between columns. Each statement is a transaction.
    pub fn sql(&self, statements: &str) -> String {
        self.sql_as(self.user(), statements).unwrap_or_else(|error| panic!("{statements}\n{error}"))
    }

    /// The same for someone else; the error is what the client said.
    pub fn sql_as(&self, login: &Login, statements: &str) -> Result<String, String> {
        let shell = self.clients.engine.shell(self.clients.port, login, &self.name);
        Ok(text(feed(shell, statements.as_bytes()))?.replace('\t', "|"))
    }

    /// This database, by the server's own program. Equal databases have equal dumps, but for `Custom`.
    pub fn dump(&self, dump: Dump) -> Vec<u8> {
        let command = self.clients.engine.dump(self.clients.port, self.administrator(), &self.name, dump);
        succeeded(feed(command, b"")).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Fills this database, which has to be empty, from a dump.
    pub fn restore(&self, dump: &[u8]) {
        let Clients { engine, port, .. } = &*self.clients;
        let command = engine.restore(*port, self.administrator(), &self.name, dump);
        succeeded(feed(command, dump)).unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that was killed has nothing to drop, and its folder goes anyway.
        let _ = self.clients.administrate(&self.clients.engine.drop_database(&self.name));
    }
}

/// Folders of a server's programs, the first that counts first: the one that the variable names alone, or
/// Debian's.
struct Programs(Vec<PathBuf>);

impl Programs {
    fn of(variable: &str, otherwise: impl FnOnce() -> Vec<PathBuf>) -> Self {
        Self(std::env::var_os(variable).map_or_else(otherwise, |folder| vec![PathBuf::from(folder)]))
    }

    /// The path of a program.
    fn path(&self, name: &str) -> PathBuf {
        let found = self.0.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        found.unwrap_or_else(|| panic!("`{name}` is missing in {:?}: run `./tests/run`", self.0))
    }

    /// A client that talks to a server, with a plain environment.
    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(self.path(name));
        command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
        command
    }
}

/// A program of IPFS that `variable` names.
fn program(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.unwrap_or_else(|| panic!("{variable} names no program: run `./tests/run`, which builds it"))
}

/// Changes one value of a JSON file, at a path of names with dots between.
fn set(config: &mut Value, path: &str, value: Value) {
    let place = path.split('.').fold(config, |place, name| &mut place[name]);
    *place = value;
}

/// A port below those that the kernel hands to outgoing connections, so that a restart finds it free. None is given twice
/// by one process: whoever has it may not listen yet, or not at the moment.
pub fn free_port() -> u16 {
    const PORTS: u16 = 12_000;
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).unwrap();
        AtomicU16::new(u16::from_be_bytes(bytes) % PORTS)
    });
    loop {
        let port = 20_000 + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Runs a client with `input`.
fn feed(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // A client that leaves early says why on its standard error.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    })
}

fn succeeded(output: Output) -> Result<Vec<u8>, String> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

fn text(output: Output) -> Result<String, String> {
    let bytes = succeeded(output)?;
    Ok(String::from_utf8(bytes).unwrap().trim_end_matches('\n').to_owned())
}

/// A part of an address.
fn percent(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
