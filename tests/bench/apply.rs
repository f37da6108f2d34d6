//! Applying small migrations against `sqlx migrate run` on the same files; starting; the size of the program.

mod measure;
mod migrations;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use greffe::crypto::{PrivateKey, encode_encrypted_pem, encode_pem};
use measure::{alternate, at_most, figure, greffe, greffe_path, headline, milliseconds, timed_process};
use migrations::{TABLES, write_migrations};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _};

const ROUNDS: usize = 9;
const STARTS: usize = 60;

fn main() {
    start();
    let Some(sqlx) = std::env::var_os("SQLX_BIN") else {
        println!(
            "\\nSQLX_BIN is not set. Get the peer by `cargo install sqlx-cli --version 0.9.0 --no-default-features \\
             --features sqlite,postgres,rustls --locked --root DIRECTORY`, then set SQLX_BIN=DIRECTORY/bin/sqlx."
        );
        return;
    };
    let directory = tempfile::tempdir().expect("a folder");
    let bench = Bench::new(directory.path(), sqlx);
    bench.pending();
    bench.nothing_pending();
}

struct Bench {
    directory: PathBuf,
    sqlx: OsString,
    /// An empty database in WAL mode, which stays in the file.
    template: PathBuf,
    plain: Vec<(&'static str, String)>,
    encrypted: Vec<(&'static str, String)>,
}

impl Bench {
    fn new(directory: &Path, sqlx: OsString) -> Self {
        let key = PrivateKey::from_seed(&[7; 32]);
        let template = directory.join("template.db");
        make_template(&template);
        write_migrations(&directory.join("migrations"));
        Self {
            directory: directory.to_owned(),
            sqlx,
            template,
            plain: vec![("GREFFE_KEY", encode_pem(&key).to_string())],
            encrypted: vec![
                ("GREFFE_KEY", encode_encrypted_pem(&key, "a passphrase").to_string()),
                ("GREFFE_KEY_PASSPHRASE", "a passphrase".to_owned()),
            ],
        }
    }

    /// A folder with an empty database and, for greffe, a chain that has begun.
    fn fresh(&self, name: &str) -> PathBuf {
        let folder = self.directory.join(name);
        fs::remove_dir_all(&folder).ok();
        fs::create_dir(&folder).expect("a folder");
        fs::copy(&self.template, folder.join("app.db")).expect("a database");
        folder
    }

    fn greffe(&self, folder: &Path, key: &[(&str, String)], arguments: &[&str]) -> Duration {
        let mut command = greffe();
        command.current_dir(folder).envs(key.iter().map(|(name, value)| (name, value))).args(arguments);
        timed_process(&mut command)
    }

    fn init(&self, name: &str) -> PathBuf {
        let folder = self.fresh(name);
        let database = ["--name", "bench", "--database", "sqlite:app.db", "--migrations", "../migrations"];
        self.greffe(&folder, &self.plain, &[&database[..], &["init"]].concat());
        folder
    }

    fn apply(&self, folder: &Path, key: &[(&str, String)]) -> Duration {
        self.greffe(folder, key, &["apply"])
    }

    fn sqlx(&self, folder: &Path) -> Duration {
        let mut command = Command::new(&self.sqlx);
        command.current_dir(folder).args(["migrate", "run", "--no-dotenv", "--source", "../migrations"]);
        timed_process(command.args(["--database-url", "sqlite:app.db"]))
    }

    fn pending(&self) {
        headline(&format!(
            "apply: {} migrations to a fresh SQLite database in WAL mode, {ROUNDS} rounds",
            TABLES * 5
        ));
        let [sqlx, plain, encrypted] = alternate(
            ROUNDS,
            [
                &mut || self.sqlx(&self.fresh("sqlx")),
                &mut || self.apply(&self.init("plain"), &self.plain),
                &mut || self.apply(&self.init("encrypted"), &self.encrypted),
            ],
        );
        figure("sqlx migrate run", &milliseconds(&sqlx));
        figure("greffe apply, plain key", &milliseconds(&plain));
        figure("greffe apply, encrypted key", &milliseconds(&encrypted));
        at_most("greffe apply over sqlx, plain key", plain.over(&sqlx), 0.8, " times");
        at_most("greffe apply over sqlx, encrypted key", encrypted.over(&sqlx), 0.8, " times");
    }

    fn nothing_pending(&self) {
        headline(&format!("apply: nothing pending, {} applied, {STARTS} rounds", TABLES * 5));
        let (ours, theirs) = (self.directory.join("plain"), self.directory.join("sqlx"));
        let [sqlx, plain] =
            alternate(STARTS, [&mut || self.sqlx(&theirs), &mut || self.apply(&ours, &self.plain)]);
        figure("sqlx migrate run", &milliseconds(&sqlx));
        figure("greffe apply", &milliseconds(&plain));
        at_most("greffe apply over sqlx", plain.over(&sqlx), 0.7, " times");
    }
}

fn make_template(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let connection = options.journal_mode(SqliteJournalMode::Wal).connect().await.expect("a database");
        connection.close().await.expect("a closed database");
    });
}

fn start() {
    headline(&format!("apply: start and size, {STARTS} rounds"));
    let directory = tempfile::tempdir().expect("a folder");
    let (source, empty) = (directory.path().join("empty.rs"), directory.path().join("empty"));
    fs::write(&source, "fn main() {}\n").expect("a source");
    let mut rustc = Command::new("rustc");
    timed_process(rustc.args(["-O", "-o"]).arg(&empty).arg(&source));
    let [empty, version] = alternate(
        STARTS,
        [&mut || timed_process(&mut Command::new(&empty)), &mut || timed_process(greffe().arg("--version"))],
    );
    figure("an empty Rust program", &milliseconds(&empty));
    figure("greffe --version", &milliseconds(&version));
    at_most(
        "greffe --version beyond the empty program",
        (version.median() - empty.median()) * 1e3,
        1.0,
        " ms",
    );
    let size = fs::metadata(greffe_path()).expect("the program").len();
    at_most("size of the program", size as f64 / 1e6, 15.0, " MB");
}
