//! Applying small migrations to PostgreSQL against `sqlx migrate run` on the same files and server; what the
//! fingerprint costs.

mod measure;
mod migrations;
#[allow(dead_code, unused_imports, reason = "benchmarks use a part")]
#[path = "../program/servers/mod.rs"]
mod servers;
#[allow(dead_code, reason = "benchmarks use a part")]
#[path = "../program/tools.rs"]
mod tools;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use greffe::crypto::{PrivateKey, encode_pem};
use greffe::database::{Access, Database, Options, Target as _};
use measure::{alternate, at_most, figure, greffe, headline, milliseconds, timed_process};
use migrations::{TABLES, write_migrations};
use servers::{Database as OnServer, Postgres};

const ROUNDS: usize = 5;
const STARTS: usize = 30;
/// Tables of the schema in which the fingerprint's share is measured.
const SCHEMA: usize = 150;

fn main() {
    fingerprint_of_many_tables();
    let directory = tempfile::tempdir().expect("a folder");
    let bench = Bench::new(directory.path());
    bench.share_of_the_fingerprint();
    let Some(sqlx) = std::env::var_os("SQLX_BIN") else {
        println!("\nSQLX_BIN is not set: see `cargo bench --bench apply`");
        return;
    };
    bench.against(&sqlx);
}

struct Bench {
    directory: PathBuf,
    key: String,
}

/// A database with what one program keeps beside it.
struct Place {
    folder: PathBuf,
    database: OnServer,
}

impl Bench {
    fn new(directory: &Path) -> Self {
        write_migrations(&directory.join("migrations"));
        let key = encode_pem(&PrivateKey::from_seed(&[7; 32])).to_string();
        Self { directory: directory.to_owned(), key }
    }

    fn place(&self, name: &str) -> Place {
        let folder = self.directory.join(name);
        fs::remove_dir_all(&folder).ok();
        fs::create_dir(&folder).expect("a folder");
        Place { folder, database: Postgres::shared().database("bench") }
    }

    fn greffe(&self, place: &Place, arguments: &[&str]) -> Duration {
        let mut command = greffe();
        command.current_dir(&place.folder).env("GREFFE_KEY", &self.key);
        command.env("DATABASE_URL", place.database.url());
        timed_process(command.args(arguments))
    }

    fn begun(&self, name: &str) -> Place {
        let place = self.place(name);
        let flags = ["--name", "bench", "--database", "env:DATABASE_URL", "--migrations", "../migrations"];
        self.greffe(&place, &[&["init"], &flags[..]].concat());
        place
    }

    fn apply(&self, name: &str, fingerprint: &str) -> Duration {
        let place = self.begun(name);
        self.greffe(&place, &["apply", "--fingerprint", fingerprint])
    }

    fn sqlx(&self, sqlx: &OsString, place: &Place) -> Duration {
        let mut command = Command::new(sqlx);
        command.current_dir(&place.folder).args([
            "migrate",
            "run",
            "--no-dotenv",
            "--source",
            "../migrations",
        ]);
        timed_process(command.arg("--database-url").arg(place.database.url()))
    }

    fn against(&self, sqlx: &OsString) {
        headline(&format!("postgres: {} migrations to a fresh database, {ROUNDS} rounds", TABLES * 5));
        let [theirs, bare, whole] = alternate(
            ROUNDS,
            [&mut || self.sqlx(sqlx, &self.place("sqlx")), &mut || self.apply("bare", "false"), &mut || {
                self.apply("whole", "true")
            }],
        );
        figure("sqlx migrate run", &milliseconds(&theirs));
        figure("greffe apply, without fingerprint", &milliseconds(&bare));
        figure("greffe apply", &milliseconds(&whole));
        at_most("greffe apply over sqlx, without fingerprint", bare.over(&theirs), 0.8, " times");
        at_most("greffe apply over sqlx", whole.over(&theirs), 1.0, " times");

        headline(&format!("postgres: nothing pending, {} applied, {STARTS} rounds", TABLES * 5));
        let (ours, theirs) = (self.begun("ours"), self.place("theirs"));
        self.greffe(&ours, &["apply"]);
        self.sqlx(sqlx, &theirs);
        let [theirs, ours] =
            alternate(STARTS, [&mut || self.sqlx(sqlx, &theirs), &mut || self.greffe(&ours, &["apply"])]);
        figure("sqlx migrate run", &milliseconds(&theirs));
        figure("greffe apply", &milliseconds(&ours));
        at_most("greffe apply over sqlx", ours.over(&theirs), 0.7, " times");
    }

    /// The same migrations in a schema that is there already, with and without the fingerprint.
    fn share_of_the_fingerprint(&self) {
        headline(&format!("postgres: migrations beside {SCHEMA} tables, {ROUNDS} rounds"));
        let apply = |name: &str, fingerprint: &str| {
            let place = self.begun(name);
            place.database.sql(&tables(SCHEMA, "other"));
            self.greffe(&place, &["apply", "--to", "20260101000099", "--fingerprint", fingerprint])
        };
        let [bare, whole] =
            alternate(ROUNDS, [&mut || apply("bare", "false"), &mut || apply("whole", "true")]);
        figure("100 migrations, without fingerprint", &milliseconds(&bare));
        figure("100 migrations", &milliseconds(&whole));
        at_most("what the fingerprint adds", (whole.over(&bare) - 1.0) * 100.0, 20.0, " %");
    }
}

/// Statements that make tables of ten columns.
fn tables(count: usize, name: &str) -> String {
    let columns: String = (0..9).map(|column| format!(", c{column} text NOT NULL DEFAULT 'x'")).collect();
    (0..count)
        .map(|table| format!("CREATE TABLE {name}_{table} (id integer PRIMARY KEY{columns});\n"))
        .collect()
}

fn fingerprint_of_many_tables() {
    headline("postgres: the fingerprint of 2,000 tables with 20,000 columns");
    let database = Postgres::shared().database("many");
    database.sql(&format!("BEGIN;\n{}COMMIT;\n", tables(2000, "t")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let [read] = alternate(
        ROUNDS,
        [&mut || {
            runtime.block_on(async {
                let opened = Database::open(&database.url(), Options::new(Access::Read)).await;
                let mut target = opened.expect("a database");
                let begin = std::time::Instant::now();
                target.fingerprint().await.expect("a fingerprint");
                let took = begin.elapsed();
                target.close().await;
                took
            })
        }],
    );
    at_most("fingerprint", read.median(), 1.0, " s");
}
