//! A project in a temporary folder, and what a run of the program came to.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;
use tempfile::TempDir;

use crate::tools::{output_of, tool};

pub const PASSPHRASE: &str = "correct-horse-battery-staple-4711";
/// The seed of the key that most projects sign with.
pub const SEED: &[u8; 32] = b"seed of tests; it signs nothing.";
/// What `-- no-transaction` scripts and others have in common: nothing. Three migrations with ways down.
pub const THREE: [(&str, &str); 6] = [
    ("1_authors.up.sql", "CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n"),
    ("1_authors.down.sql", "DROP TABLE authors;\n"),
    (
        "2_books.up.sql",
        "-- purpose: keeps the books\nCREATE TABLE books (id INTEGER PRIMARY KEY, author INTEGER REFERENCES authors (id));\n\
         CREATE INDEX books_author ON books (author);\n",
    ),
    ("2_books.down.sql", "DROP TABLE books;\n"),
    ("3_seed.up.sql", "INSERT INTO authors (name) VALUES ('Ada'), ('Mary');\n"),
    ("3_seed.down.sql", "DELETE FROM authors;\n"),
];

/// The test key as PKCS#8 PEM.
pub fn plain_key() -> String {
    let mut der = HEXLOWER.decode(b"302e020100300506032b657004220420").unwrap();
    der.extend_from_slice(SEED);
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(&der))
}

/// Texts that no output may hold, for a key with this seed.
pub fn secrets_of(seed: &[u8]) -> Vec<String> {
    let mut der = HEXLOWER.decode(b"302e020100300506032b657004220420").unwrap();
    der.extend_from_slice(seed);
    vec![HEXLOWER.encode(seed), BASE64.encode(seed), BASE64.encode(&der), PASSPHRASE.to_owned()]
}

/// The identity of age that owns the vaults of tests; it opens nothing else.
pub const VAULT_OWNER: &str = "AGE-SECRET-KEY-1U99AAEZYLAN9UZXH39W4PXM5E6VQ3Y5GQL9DPFV8PGLVCZQKP6CQJDJQWG";

/// A folder with migrations, and most often a chain.
pub struct Project {
    folder: TempDir,
    /// Further variables of every run.
    pub variables: Vec<(String, String)>,
    /// Texts that no run may print.
    pub secrets: Vec<String>,
}

/// How one run of the program ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub bytes: Vec<u8>,
}

impl Project {
    /// A folder with an empty migrations folder; the key is at hand, no chain is begun.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("greffe-test-").tempdir().unwrap();
        fs::create_dir(folder.path().join("migrations")).unwrap();
        let mut secrets = secrets_of(SEED);
        secrets.push(String::from_utf8(SEED.to_vec()).unwrap());
        secrets.push(VAULT_OWNER.to_owned());
        let variables = [
            ("GREFFE_KEY", plain_key()),
            ("GREFFE_VAULT_KEY", VAULT_OWNER.to_owned()),
            // What is about scripts is seen in clear; what is about sealing says so.
            ("GREFFE_PUBLISH", "schema".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { folder, variables, secrets }
    }

    /// A chain that is begun, without migrations.
    pub fn new() -> Self {
        let project = Self::empty();
        project.ok(["init", "--name", "demo", "--database", "sqlite:app.db"]);
        project
    }

    /// A chain that is begun, with scripts that are not applied.
    pub fn with(scripts: &[(&str, &str)]) -> Self {
        let project = Self::new();
        project.scripts(scripts);
        project
    }

    /// Three migrations, applied.
    pub fn applied() -> Self {
        let project = Self::with(&THREE);
        project.ok(["apply"]);
        project
    }

    /// The same, with other scripts archived in clear: `sealed`, `schema` or `all`.
    pub fn publishing(mut self, publish: &str) -> Self {
        self.variables.retain(|(name, _)| name != "GREFFE_PUBLISH");
        self.variables.push(("GREFFE_PUBLISH".to_owned(), publish.to_owned()));
        self
    }

    /// The same folder once more, elsewhere.
    pub fn copy(&self) -> Self {
        let folder = tempfile::Builder::new().prefix("greffe-test-").tempdir().unwrap();
        copy_folder(self.path(""), folder.path());
        Self { folder, variables: self.variables.clone(), secrets: self.secrets.clone() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    pub fn script(&self, name: &str, text: impl AsRef<[u8]>) {
        self.write(&format!("migrations/{name}"), text);
    }

    pub fn scripts(&self, scripts: &[(&str, &str)]) {
        for (name, text) in scripts {
            self.script(name, text);
        }
    }

    /// The program with arguments, in this folder, with nothing else in its environment.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greffe"));
        command.args(arguments);
        self.prepare(&mut command);
        command
    }

    /// Folder, environment and standard streams as a run of the program has them.
    pub fn prepare(&self, command: &mut Command) {
        command.current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
            .env("GREFFE_KEY_PASSPHRASE", PASSPHRASE)
            .env("RUST_BACKTRACE", "1")
            .env("PATH", "/usr/bin:/bin");
        // Where a build that counts the lines that it runs writes them to.
        if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
            command.env("LLVM_PROFILE_FILE", profile);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    /// Runs the program.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Run {
        let output = self.command(arguments).output().unwrap();
        self.judge(output)
    }

    /// What no run may do: end by a signal or a panic, or print a secret.
    pub fn judge(&self, output: Output) -> Run {
        let run = Run::of(output);
        for secret in &self.secrets {
            assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "a secret in {run:?}");
        }
        run
    }

    /// Runs the program, which has to end with `code`.
    pub fn ends<S: AsRef<OsStr>>(&self, code: i32, arguments: impl IntoIterator<Item = S>) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, code, "{run:#?}");
        run
    }

    /// Runs the program, which has to succeed.
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Run {
        self.ends(0, arguments)
    }

    /// The one object that a successful run prints with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.ok(arguments.iter().chain(&["--json"])).object()
    }

    /// Entries, the oldest first.
    pub fn log(&self) -> Vec<Value> {
        let mut entries = self.json(&["log"])["entries"].as_array().unwrap().clone();
        entries.reverse();
        entries
    }

    /// `event version` of each entry, the oldest first.
    pub fn story(&self) -> Vec<String> {
        let line = |entry: &Value| match entry["migration"]["version"].as_str() {
            Some(version) => format!("{} {version}", entry["event"].as_str().unwrap()).trim_end().to_owned(),
            None => entry["event"].as_str().unwrap().to_owned(),
        };
        self.log().iter().map(line).collect()
    }

    pub fn head(&self) -> String {
        self.ok(["head"]).stdout.trim_end().to_owned()
    }

    /// The head of the archive of this name, where no settings say it.
    pub fn head_of(&self, name: &str) -> String {
        self.ok(["--name", name, "head"]).stdout.trim_end().to_owned()
    }

    /// Verifies the head without a finding.
    pub fn verify(&self) {
        let report = self.json(&["verify", &self.head()]);
        assert_eq!(report["verified"], true, "{report:#}");
        assert_eq!(report["findings"], serde_json::json!([]), "{report:#}");
    }

    /// What the `sqlite3` command prints for a query on the database.
    pub fn sql(&self, query: &str) -> String {
        self.sql_of(&self.path("app.db"), query)
    }

    /// The same of another SQLite file.
    pub fn sql_of(&self, file: &Path, query: &str) -> String {
        output_of(tool("sqlite3").arg(file).arg(query)).trim_end().to_owned()
    }

    /// A run that reads `input`, and ends well.
    pub fn fed<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, input: &str) -> Run {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let run = self.judge(child.wait_with_output().unwrap());
        assert_eq!(run.code, 0, "{run:#?}");
        run
    }

    /// Names of the user's tables, comma between.
    pub fn tables(&self) -> String {
        self.sql(
            "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'table' \
             AND name NOT LIKE 'greffe%' AND name NOT LIKE 'sqlite%' ORDER BY name)",
        )
    }

    /// A run that is refused with `code`, says these texts, and leaves the archive and the tables as they are.
    pub fn refused(&self, arguments: &[&str], code: i32, texts: &[&str]) {
        let state = || (self.tables(), self.read("archive/demo.car"));
        let before = state();
        self.run(arguments).exits(code).says(texts);
        assert!(before == state(), "{arguments:?} changed something");
    }

    /// Every file below the folder with its bytes.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        list(self.folder.path(), self.folder.path(), &mut files);
        files
    }

    /// Fails unless `act` leaves every file as it is.
    pub fn unchanged<T>(&self, act: impl FnOnce() -> T) -> T {
        self.unchanged_but(|_| false, act)
    }

    /// The same, but for what records that something sealed was opened: the access chain, and how far it has come.
    pub fn only_recorded<T>(&self, act: impl FnOnce() -> T) -> T {
        let records = |name: &str| name.starts_with("archive/demo-access.") || name == "greffe.vault.db";
        self.unchanged_but(records, act)
    }

    fn unchanged_but<T>(&self, may_change: fn(&str) -> bool, act: impl FnOnce() -> T) -> T {
        let files = || {
            let mut files = self.files();
            files.retain(|name, _| !may_change(&name.to_string_lossy()));
            files
        };
        let before = files();
        let result = act();
        let after = files();
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after));
        for (name, bytes) in &before {
            assert!(after[name] == *bytes, "{} changed", name.display());
        }
        result
    }
}

impl Run {
    pub fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let run = Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            bytes: output.stdout,
        };
        assert!(output.status.code().is_some(), "ended by {}: {run:#?}", output.status);
        assert!(!matches!(run.code, 70 | 101) && !run.stderr.contains("panicked"), "{run:#?}");
        run
    }

    /// Standard output as one JSON object and nothing else.
    pub fn object(&self) -> Value {
        let value: Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        assert!(value.is_object(), "{value}");
        value
    }

    /// Fails unless it ended with `code`.
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Fails unless standard error has every one of these texts.
    pub fn says(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not in {self:#?}");
        }
        self
    }

    /// Fails unless standard output has every one of these texts.
    pub fn prints(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.stdout.contains(text), "{text:?} is not in {self:#?}");
        }
        self
    }
}

fn list(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_owned();
        if path.is_dir() {
            files.insert(name.join(""), Vec::new());
            list(root, &path, files);
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// Copies files and folders below `from` into the folder `to`.
pub fn copy_folder(from: impl AsRef<Path>, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_folder(entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
