//! The program against PostgreSQL and MariaDB: the promises of SQLite, kept on servers. Each test runs on both
//! unless it is about one of them.

use std::os::unix::fs::MetadataExt as _;
use std::process::Child;
use std::time::Duration;

use crate::project::Project;
use crate::servers::{Database, Dump, LIMIT, MariaDb, Postgres, Server, poll};
use crate::tools::{output_of, tool};

/// A kind of server, and the SQL that only it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Postgres,
    MariaDb,
}

use Engine::{MariaDb as Maria, Postgres as Pg};

impl Engine {
    fn shared(self) -> &'static Server {
        match self {
            Pg => Postgres::shared(),
            Maria => MariaDb::shared(),
        }
    }

    fn own(self) -> Server {
        match self {
            Pg => Postgres::own(),
            Maria => MariaDb::own(),
        }
    }

    /// A statement that takes so many seconds.
    fn sleep(self, seconds: u32) -> String {
        match self {
            Pg => format!("SELECT pg_sleep({seconds});"),
            Maria => format!("SELECT SLEEP({seconds});"),
        }
    }

    /// Tables of the user, comma between.
    fn tables(self, database: &Database) -> String {
        match self {
            Pg => database.sql("SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'"),
            Maria => database.sql(
                "SELECT GROUP_CONCAT(table_name ORDER BY table_name) FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name NOT LIKE 'greffe%'",
            ),
        }
        .trim()
        .replace("NULL", "")
    }

    /// Ends connections of the program that run `statement`, as an administrator can.
    fn cut(self, database: &Database, statement: &str) -> bool {
        let administrator = database.administrator();
        let cut = match self {
            Pg => format!(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}' \
                 AND query LIKE '%{statement}%' AND pid <> pg_backend_pid()",
                database.name()
            ),
            Maria => {
                let id = database.sql_as(
                    administrator,
                    &format!(
                        "SELECT id FROM information_schema.processlist WHERE db = '{}' AND info LIKE '%{statement}%' \
                         AND id <> CONNECTION_ID() LIMIT 1",
                        database.name()
                    ),
                );
                match id.unwrap().trim() {
                    "" => return false,
                    id => format!("KILL {id}; SELECT 1"),
                }
            }
        };
        database.sql_as(administrator, &cut).unwrap().trim() != "0"
    }
}

/// A project on a database of its own.
struct Case {
    engine: Engine,
    project: Project,
    database: Database,
}

impl Case {
    fn new(engine: Engine, hint: &str) -> Self {
        Self::on(engine, engine.shared(), hint)
    }

    fn on(engine: Engine, server: &Server, hint: &str) -> Self {
        let database = server.database(hint);
        let mut project = Project::empty();
        project.variables.push(("DATABASE_URL".to_owned(), database.url()));
        project.variables.push(("ADMIN_URL".to_owned(), database.url_as(database.administrator())));
        let replayer = database.replayer();
        project.variables.push(("REPLAY_URL".to_owned(), database.url_as(&replayer)));
        project.secrets.push(replayer.password);
        project.secrets.push(database.user().password.clone());
        project.secrets.push(database.administrator().password.clone());
        project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
        Self { engine, project, database }
    }

    fn with(engine: Engine, hint: &str, scripts: &[(&str, &str)]) -> Self {
        let case = Self::new(engine, hint);
        case.project.scripts(scripts);
        case
    }

    fn tables(&self) -> String {
        self.engine.tables(&self.database)
    }

    fn replay(&self) {
        let replayed = self.project.json(&["replay", &self.project.head(), "--on", "env:REPLAY_URL"]);
        assert_eq!(replayed["holds"], true, "{:?}: {replayed:#}", self.engine);
    }

    /// A run that has come to `statement` on the server.
    fn start(&self, arguments: &[&str], statement: &str) -> Child {
        let child = self.project.command(arguments).spawn().unwrap();
        assert!(poll(LIMIT, || self.is_running(statement)), "{:?}: {statement} was not reached", self.engine);
        child
    }

    fn is_running(&self, statement: &str) -> bool {
        let query = match self.engine {
            Pg => format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND state = 'active' \
                 AND query LIKE '%{statement}%' AND pid <> pg_backend_pid()",
                self.database.name()
            ),
            Maria => format!(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{}' \
                 AND info LIKE '%{statement}%' AND id <> CONNECTION_ID()",
                self.database.name()
            ),
        };
        self.database.sql_as(self.database.administrator(), &query).unwrap().trim() != "0"
    }
}

/// Three migrations with ways down, which both engines read.
pub const THREE: [(&str, &str); 6] = [
    ("1_authors.up.sql", "CREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(80) NOT NULL);\n"),
    ("1_authors.down.sql", "DROP TABLE authors;\n"),
    (
        "2_books.up.sql",
        "-- purpose: keeps the books\nCREATE TABLE books (id INTEGER PRIMARY KEY, author INTEGER REFERENCES authors (id));\n\
         CREATE INDEX books_author ON books (author);\n",
    ),
    ("2_books.down.sql", "DROP TABLE books;\n"),
    ("3_seed.up.sql", "INSERT INTO authors (id, name) VALUES (1, 'Ada'), (2, 'Mary');\n"),
    ("3_seed.down.sql", "DELETE FROM authors;\n"),
];

/// The same test on both kinds of server.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod postgres {
            $(#[test] fn $name() { super::$name(super::Pg); })+
        }
        mod mariadb {
            $(#[test] fn $name() { super::$name(super::Maria); })+
        }
    };
}

mod audits;
mod replays;
mod together;

on_both!(
    the_whole_story_is_told_verified_and_replayed,
    commands_that_only_look_create_nothing,
    a_script_that_fails_in_its_third_statement,
    a_script_that_ends_its_own_transaction_is_refused,
    a_run_that_does_not_wait_is_told_who_holds_the_lock,
    a_run_that_is_killed_in_the_middle,
    a_server_that_is_killed_in_the_middle,
    a_connection_that_is_cut_in_the_middle,
    a_lock_that_is_held_by_others_is_not_waited_for_longer_than_allowed,
    a_disk_that_is_full_is_told_and_nothing_is_lost,
    a_row_that_is_damaged_is_found_by_an_audit,
    drift_is_found,
    a_dump_restored_elsewhere_has_the_same_schema,
    scripts_of_others_are_not_run_by_a_mighty_role,
    rows_of_people_never_come_with_an_error,
    a_hundred_migrations_and_their_rollbacks_are_replayed,
);

fn the_whole_story_is_told_verified_and_replayed(engine: Engine) {
    let case = Case::with(engine, "story", &THREE);
    let project = &case.project;
    project.ok(["apply"]);
    assert_eq!(case.tables(), "authors,books");
    project.ok(["rollback", "--steps", "2"]);
    assert_eq!(case.tables(), "authors");
    project.ok(["apply"]);
    assert_eq!(case.database.sql("SELECT count(*) FROM authors").trim(), "2");
    project.ok(["status"]);
    project.verify();
    case.replay();
    let report = project.json(&["verify", &project.head(), "--live"]);
    assert_eq!(report["established"]["live"], true, "{report:#}");
    let log = project.log();
    assert_eq!(log.len(), 8);
    let names = [("postgresql", Pg), ("mariadb", Maria)];
    let name = names.iter().find(|(_, named)| *named == engine).unwrap().0;
    assert_eq!(log[1]["target"]["engine"], name);
    assert!(!log[1]["schema"]["after"].is_null() && log[2]["schema"]["before"] == log[1]["schema"]["after"]);
    assert_eq!(log[2]["statements"][0]["kind"], "CREATE TABLE");
    assert_eq!(log[3]["statements"][0]["rows"], 2);
    assert!(!project.read("archive/demo.car").windows(7).any(|part| part == b"geheim-"));
}

fn commands_that_only_look_create_nothing(engine: Engine) {
    let case = Case::with(engine, "look", &THREE);
    let before = case.database.dump(Dump::Full);
    case.project.unchanged(|| {
        case.project.ok(["status"]);
        case.project.ok(["apply", "--dry-run"]);
        case.project.ok(["log"]);
        case.project.ok(["schema", "show"]);
    });
    assert!(before == case.database.dump(Dump::Full));
}

fn a_script_that_fails_in_its_third_statement(engine: Engine) {
    let case = Case::with(engine, "third", &THREE);
    let (project, script) = (&case.project, "4_three.sql");
    let good = "CREATE TABLE one (id INTEGER);\nCREATE TABLE two (id INTEGER);\n";
    project.script(script, format!("{good}INSERT INTO nowhere VALUES (1);\n"));
    let run = project.ends(3, ["apply", "--json"]);
    let failed = &run.object()["failed"];
    assert_eq!((&failed["statement"], &failed["kind"]), (&3.into(), &"INSERT".into()), "{failed:#}");
    assert_eq!(failed["partial"], engine == Maria);
    assert_eq!(project.story().last().unwrap(), "fail 4");
    if engine == Maria {
        assert_eq!(case.tables(), "authors,books,one,two");
        project.ends(1, ["apply"]).says(&["greffe repair 4 --applied", "greffe repair 4 --rolled-back"]);
        case.database.sql("DROP TABLE one; DROP TABLE two");
        project.ok(["repair", "4", "--rolled-back"]);
    } else {
        assert_eq!(case.tables(), "authors,books");
    }
    project.script(script, good);
    project.ok(["apply"]);
    assert_eq!(case.tables(), "authors,books,one,two");
    project.verify();
}

fn a_script_that_ends_its_own_transaction_is_refused(engine: Engine) {
    let case = Case::with(engine, "commit", &THREE);
    case.project.ok(["apply"]);
    for text in
        ["CREATE TABLE a (id INTEGER);\nCOMMIT;\n", "BEGIN;\nCREATE TABLE a (id INTEGER);\nROLLBACK;\n"]
    {
        case.project.script("4_own.sql", text);
        case.project.ends(1, ["apply"]).says(&["4_own.sql"]);
        case.project.script("4_own.sql", format!("-- no-transaction\n{text}"));
        case.project.ends(1, ["apply"]).says(&["4_own.sql"]);
    }
    assert_eq!(case.tables(), "authors,books");
    assert_eq!(case.project.story().len(), 4);
}

fn a_run_that_does_not_wait_is_told_who_holds_the_lock(engine: Engine) {
    let case = Case::new(engine, "holder");
    case.project.script("1_slow.sql", engine.sleep(4));
    let child = case.start(&["apply"], "leep(");
    // Another machine has another folder and another archive lock; the database's lock is what both meet.
    let other = case.project.copy();
    let run = other.ends(3, ["apply", "--lock-wait", "0s"]);
    run.says(&["another run holds the lock", "session "]);
    assert_eq!(case.project.judge(child.wait_with_output().unwrap()).code, 0);
    assert_eq!(case.project.story(), ["genesis", "apply 1"]);
}

/// Kills what runs the slow script, then makes sure that nothing is lost, repeated or told wrongly.
fn recovers(case: &Case) {
    let project = &case.project;
    if case.engine == Maria {
        // What the server was doing may go on there for a moment.
        assert!(poll(LIMIT, || !case.is_running("SLEEP(")));
        let run = project.ends(1, ["apply"]);
        run.says(&["greffe repair 4 --applied", "greffe repair 4 --rolled-back"]);
        case.database.sql("DROP TABLE IF EXISTS slow");
        project.ok(["repair", "4", "--rolled-back"]);
    } else {
        assert!(poll(LIMIT, || !case.is_running("pg_sleep(")));
    }
    project.script("4_slow.sql", "CREATE TABLE slow (id INTEGER);\n");
    project.ok(["apply"]);
    assert_eq!(case.tables(), "authors,books,slow");
    assert_eq!(project.story().last().unwrap(), "apply 4");
    project.verify();
}

fn slow(engine: Engine) -> String {
    format!("CREATE TABLE slow (id INTEGER);\n{}\n", engine.sleep(2))
}

fn a_run_that_is_killed_in_the_middle(engine: Engine) {
    let case = Case::with(engine, "killed", &THREE);
    case.project.script("4_slow.sql", slow(engine));
    let mut child = case.start(&["apply"], "leep(");
    child.kill().unwrap();
    child.wait().unwrap();
    recovers(&case);
}

fn a_server_that_is_killed_in_the_middle(engine: Engine) {
    let mut server = engine.own();
    let case = Case::on(engine, &server, "crash");
    case.project.scripts(&THREE);
    case.project.script("4_slow.sql", slow(engine));
    let child = case.start(&["apply"], "leep(");
    server.kill_immediate();
    let run = case.project.judge(child.wait_with_output().unwrap());
    assert_eq!(run.code, 3, "{run:#?}");
    server.restart();
    recovers(&case);
}

fn a_connection_that_is_cut_in_the_middle(engine: Engine) {
    let case = Case::with(engine, "cut", &THREE);
    case.project.script("4_slow.sql", slow(engine));
    let child = case.start(&["apply"], "leep(");
    assert!(case.engine.cut(&case.database, "leep("));
    let run = case.project.judge(child.wait_with_output().unwrap());
    assert_eq!(run.code, 3, "{run:#?}");
    recovers(&case);
}

fn a_lock_that_is_held_by_others_is_not_waited_for_longer_than_allowed(engine: Engine) {
    let case = Case::with(engine, "locked", &THREE);
    case.project.ok(["apply"]);
    let holder = match engine {
        Pg => "BEGIN; LOCK TABLE authors IN SHARE MODE; SELECT pg_sleep(5); COMMIT;",
        Maria => "LOCK TABLES authors WRITE; SELECT SLEEP(5); UNLOCK TABLES;",
    };
    std::thread::scope(|scope| {
        scope.spawn(|| case.database.sql(holder));
        assert!(poll(LIMIT, || case.is_running("leep(5)")));
        case.project.script("4_wider.sql", "ALTER TABLE authors ADD COLUMN born INTEGER;\n");
        let run = case.project.ends(3, ["apply", "--lock-timeout", "1s", "--json"]);
        let failure =
            run.object()["failed"]["failure"].as_str().unwrap_or_else(|| panic!("{run:#?}")).to_owned();
        let code = if engine == Pg { "55P03" } else { "1205" };
        assert!(failure.contains(code), "{failure}");
    });
    let fails = case.project.story().iter().filter(|event| *event == "fail 4").count();
    assert_eq!(fails, 1);
    case.project.ok(["apply"]);
    case.project.verify();
}

/// PostgreSQL can make no file longer than 40 MB, as on a disk that is full; MariaDB, which ends at such a limit, has
/// no more room in a table.
fn a_disk_that_is_full_is_told_and_nothing_is_lost(engine: Engine) {
    let server = engine.own();
    let case = Case::on(engine, &server, "full");
    case.project.scripts(&THREE);
    case.project.ok(["apply"]);
    let big = match engine {
        Pg => {
            "CREATE TABLE big (t TEXT);\nALTER TABLE big ALTER t SET STORAGE PLAIN;\n\
             INSERT INTO big SELECT repeat('x', 1500) FROM generate_series(1, 100000);\n"
        }
        Maria => {
            "CREATE TABLE big (t VARCHAR(1500)) ENGINE = MEMORY;\n\
             INSERT INTO big SELECT REPEAT('x', 1500) FROM seq_1_to_100000;\n"
        }
    };
    case.project.script("4_big.sql", big);
    if engine == Pg {
        limit_files(&server, "40000000");
    }
    let run = case.project.ends(3, ["apply", "--json"]);
    assert_eq!(run.object()["failed"]["kind"], "INSERT", "{run:#?}");
    assert_eq!(case.project.story().last().unwrap(), "fail 4");
    if engine == Pg {
        limit_files(&server, "unlimited");
    } else {
        let failure = run.object()["failed"]["failure"].to_string();
        assert!(failure.contains("1114") && failure.contains("out of space"), "{failure}");
        case.database.sql("DROP TABLE big");
        case.project.ok(["repair", "4", "--rolled-back"]);
        case.project.script("4_big.sql", big.replace("MEMORY", "InnoDB"));
    }
    case.project.ok(["apply"]);
    assert_eq!(case.database.sql("SELECT count(*) FROM big").trim(), "100000");
    case.project.verify();
}

/// Holds what the server starts from now on to files of so many bytes.
fn limit_files(server: &Server, bytes: &str) {
    // Only the account that the server runs as may limit it.
    let account = std::fs::metadata(format!("/proc/{}", server.pid())).unwrap();
    let mut limited = tool("setpriv");
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        let [user, group] = [account.uid(), account.gid()];
        limited.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
    }
    limited.args(["prlimit", "--pid", &server.pid().to_string(), &format!("--fsize={bytes}:unlimited")]);
    output_of(&mut limited);
}

/// The server ends one of two transactions that wait for each other; here the script's.
#[test]
fn postgres_deadlocks_end_a_script_that_can_run_again() {
    let case = Case::with(Pg, "deadlock", &THREE);
    case.project.ok(["apply"]);
    case.project.script("4_locks.sql", "LOCK TABLE authors;\nSELECT pg_sleep(1);\nLOCK TABLE books;\n");
    let run = std::thread::scope(|scope| {
        let child = case.start(&["apply", "--json"], "LOCK TABLE books");
        // It waits for longer than the script, whose wait is looked at first.
        let holder = "BEGIN; LOCK TABLE books IN SHARE MODE; SELECT pg_sleep(1.5); LOCK TABLE authors IN SHARE MODE; COMMIT;";
        scope.spawn(|| case.database.sql_as(case.database.user(), holder));
        case.project.judge(child.wait_with_output().unwrap())
    });
    assert_eq!(run.code, 3, "{run:#?}");
    let failure = run.object()["failed"]["failure"].as_str().unwrap().to_owned();
    assert!(failure.contains("40P01"), "{failure}");
    case.project.ok(["apply"]);
    case.project.verify();
}

/// The same on MariaDB, which ends the transaction that changed fewer rows.
#[test]
fn mariadb_deadlocks_end_a_script_that_can_run_again() {
    let case = Case::with(Maria, "deadlock", &THREE);
    case.project.script("4_more.sql", "CREATE TABLE many (id INTEGER PRIMARY KEY, name VARCHAR(80));\n");
    case.project.ok(["apply"]);
    case.project.script(
        "5_locks.sql",
        "UPDATE authors SET name = CONCAT('a', SLEEP(2)) WHERE id = 1;\nUPDATE authors SET name = 'b' WHERE id = 2;\n",
    );
    let run = std::thread::scope(|scope| {
        let child = case.start(&["apply", "--json"], "SLEEP(2)");
        let holder = "START TRANSACTION; UPDATE authors SET name = 'h' WHERE id = 2; \
                      INSERT INTO many SELECT seq, 'x' FROM seq_1_to_100; \
                      UPDATE authors SET name = 'h' WHERE id = 1; COMMIT;";
        scope.spawn(|| case.database.sql(holder));
        case.project.judge(child.wait_with_output().unwrap())
    });
    assert_eq!(run.code, 3, "{run:#?}");
    let failed = &run.object()["failed"];
    let failure = failed["failure"].as_str().unwrap();
    assert!(failure.contains("1213") && failure.contains("deadlock"), "{failure}");
    assert_eq!((&failed["statement"], &failed["partial"]), (&2.into(), &false.into()), "{failed:#}");
    assert_eq!(case.project.story().last().unwrap(), "fail 5");
    let names = "SELECT GROUP_CONCAT(name ORDER BY id) FROM authors";
    assert_eq!(case.database.sql(names).trim(), "h,h");
    case.project.ok(["apply"]);
    assert_eq!(case.database.sql(names).trim(), "a0,b");
    assert_eq!(case.project.story().last().unwrap(), "apply 5");
    case.project.verify();
}

fn a_row_that_is_damaged_is_found_by_an_audit(engine: Engine) {
    let case = Case::with(engine, "damaged", &THREE);
    case.project.ok(["apply"]);
    let table = if engine == Pg { "greffe.history" } else { "greffe_history" };
    case.database.sql(&format!("UPDATE {table} SET started_at = 'yesterday' WHERE position = 2"));
    case.project.script("1_authors.up.sql", "SELECT 1;\n");
    case.project.ends(3, ["apply"]).says(&["row 2 of the history"]);
    let run = case.project.ends(1, ["audit", "--json"]);
    let found: Vec<(String, i64)> = run.object()["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["code"].as_str().unwrap().to_owned(), found["position"].as_i64().unwrap_or(0)))
        .collect();
    assert_eq!(found, [("row-damaged".to_owned(), 2), ("edited".to_owned(), 0)], "{run:#?}");
}

fn drift_is_found(engine: Engine) {
    let case = Case::with(engine, "drift", &THREE);
    case.project.ok(["apply"]);
    case.database.sql("ALTER TABLE authors ADD COLUMN by_hand INTEGER");
    case.project.ends(1, ["status"]).prints(&["the schema changed outside the archive"]);
    let run = case.project.ends(1, ["verify", &case.project.head(), "--live", "--json"]);
    assert_eq!(run.object()["established"]["live"], false);
    case.project.script("4_more.sql", "CREATE TABLE more (id INTEGER);\n");
    case.project.ok(["apply"]);
    case.project
        .ends(1, ["verify", &case.project.head()])
        .prints(&["entry 4", "changed outside the archive"]);
}

fn a_dump_restored_elsewhere_has_the_same_schema(engine: Engine) {
    let case = Case::with(engine, "dumped", &THREE);
    case.project.ok(["apply"]);
    let elsewhere = engine.shared().database("restored");
    elsewhere.restore(&case.database.dump(Dump::Full));
    let schema = |url: &str| {
        let shown =
            case.project.command(["schema", "show", "--json"]).env("DATABASE_URL", url).output().unwrap();
        case.project.judge(shown).object()
    };
    let (here, there) = (schema(&case.database.url()), schema(&elsewhere.url()));
    assert_eq!(here["objects"], there["objects"]);
    assert_eq!(here["digest"], there["digest"]);
    assert!(here["objects"].as_array().unwrap().len() >= 2, "{here:#}");
}

fn scripts_of_others_are_not_run_by_a_mighty_role(engine: Engine) {
    let case = Case::with(engine, "mighty", &THREE);
    case.project.ok(["apply"]);
    let run = case.project.ends(3, ["replay", &case.project.head(), "--on", "env:ADMIN_URL"]);
    run.says(&["scripts of others are not run by a role that", "hint:"]);
}

fn rows_of_people_never_come_with_an_error(engine: Engine) {
    let case = Case::new(engine, "people");
    let address = "ann@example.org";
    case.project.script("1_people.sql", "CREATE TABLE people (address VARCHAR(80) PRIMARY KEY);\n");
    case.project.ok(["apply"]);
    let twice =
        format!("INSERT INTO people VALUES ('{address}');\nINSERT INTO people VALUES ('{address}');\n");
    case.project.script("2_twice.sql", twice);
    for arguments in [&["apply"][..], &["log", "--json"]] {
        let run = case.project.run(arguments);
        assert!(!run.stdout.contains(address) && !run.stderr.contains(address), "{run:#?}");
    }
    let log = case.project.ok(["log", "--json"]).stdout;
    assert!(log.contains(if engine == Pg { "23505" } else { "1062" }), "{log}");
}

fn a_hundred_migrations_and_their_rollbacks_are_replayed(engine: Engine) {
    replay_many(engine, 100);
}

/// The number, on each server.
#[test]
fn three_hundred_migrations_and_their_rollbacks_are_replayed_on_each_server() {
    if crate::tools::runs_all() {
        replay_many(Pg, 300);
        replay_many(Maria, 300);
    }
}

fn replay_many(engine: Engine, count: u32) {
    let case = Case::new(engine, "many");
    for number in 1..=count {
        let table = number / 3;
        let (up, down) = match number % 3 {
            0 => (
                format!("CREATE TABLE t{table} (id INTEGER PRIMARY KEY, v VARCHAR(40));"),
                format!("DROP TABLE t{table};"),
            ),
            1 if number > 2 => (
                format!("ALTER TABLE t{table} ADD COLUMN w INTEGER DEFAULT {number};"),
                format!("ALTER TABLE t{table} DROP COLUMN w;"),
            ),
            2 if number > 2 => {
                let drop = if engine == Pg { String::new() } else { format!(" ON t{table}") };
                (format!("CREATE INDEX i{table} ON t{table} (v);"), format!("DROP INDEX i{table}{drop};"))
            }
            _ => ("SELECT 1;".to_owned(), "SELECT 1;".to_owned()),
        };
        case.project.script(&format!("{number:04}_step.up.sql"), up);
        case.project.script(&format!("{number:04}_step.down.sql"), down);
    }
    case.project.ok(["apply", "--to", &format!("{:04}", count * 2 / 3)]);
    case.project.ok(["rollback", "--steps", &(count / 6).to_string()]);
    case.project.ok(["apply"]);
    case.replay();
}

#[test]
fn postgres_statements_that_need_no_transaction_run_one_by_one() {
    let case = Case::with(Pg, "bare", &THREE);
    case.project.script(
        "4_bare.sql",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY by_name ON authors (name);\n\
         CREATE TYPE mood AS ENUM ('sad');\nALTER TYPE mood ADD VALUE 'happy';\nVACUUM authors;\n\
         CREATE TABLE moods (mood mood DEFAULT 'happy');\n",
    );
    case.project.ok(["apply"]);
    let log = case.project.log();
    let kinds: Vec<&str> =
        log[4]["statements"].as_array().unwrap().iter().map(|run| run["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["CREATE INDEX", "CREATE TYPE", "ALTER TYPE", "VACUUM", "CREATE TABLE"]);
    // What cannot run in a transaction says so before it runs.
    case.project.script("5_index.sql", "CREATE INDEX CONCURRENTLY again ON authors (name);\n");
    case.project.ends(1, ["apply"]).says(&["-- no-transaction"]);
    // A unique index over rows that are not unique stays behind, invalid.
    case.database.sql("UPDATE authors SET name = 'Ada'");
    case.project.script(
        "5_index.sql",
        "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY names ON authors (name);\n",
    );
    case.project.ends(3, ["apply"]).says(&["names", "invalid"]);
    case.database.sql("DROP INDEX names");
    case.project.ok(["repair", "5", "--rolled-back"]);
    case.project.verify();
}

#[test]
fn postgres_data_lines_and_client_commands_are_refused() {
    let case = Case::new(Pg, "copy");
    for text in [
        "COPY people FROM stdin;\n1\tann\n\\.\n",
        "\\connect other\n",
        "CREATE TABLE a (b text DEFAULT 'x);\n",
    ] {
        case.project.script("1_refused.sql", text);
        case.project.ends(1, ["apply"]).says(&["1_refused.sql", "line 1"]);
    }
    assert_eq!(case.tables(), "");
}

#[test]
fn mariadb_routines_and_triggers_are_written_with_delimiters() {
    let case = Case::with(Maria, "routines", &THREE);
    case.project.script(
        "4_routines.up.sql",
        "DELIMITER //\nCREATE PROCEDURE add_author(IN number INT, IN name VARCHAR(80))\nBEGIN\n  \
         INSERT INTO authors VALUES (number, name);\n  SELECT 1;\nEND//\n\
         CREATE TRIGGER shout BEFORE INSERT ON authors FOR EACH ROW\nBEGIN\n  SET NEW.name = UPPER(NEW.name);\nEND//\n\
         DELIMITER ;\nCALL add_author(9, 'grace');\n",
    );
    case.project.script(
        "4_routines.down.sql",
        "DROP TRIGGER shout;\nDROP PROCEDURE add_author;\nDELETE FROM authors WHERE id = 9;\n",
    );
    case.project.ok(["apply"]);
    assert_eq!(case.database.sql("SELECT name FROM authors WHERE id = 9").trim(), "GRACE");
    case.project.ok(["rollback", "--steps", "1"]);
    case.project.ok(["apply"]);
    case.project.verify();
    case.replay();
}

#[test]
fn a_server_that_does_not_answer_is_told_without_its_password() {
    let mut project = Project::new();
    project.secrets.push("hunter2".to_owned());
    for url in ["postgres://ann:hunter2@127.0.0.1:1/x", "mysql://ann:hunter2@127.0.0.1:1/x"] {
        project.variables.retain(|(name, _)| name != "DATABASE_URL");
        project.variables.push(("DATABASE_URL".to_owned(), url.to_owned()));
        let begin = std::time::Instant::now();
        project.ends(3, ["--database", "env:DATABASE_URL", "status"]).says(&["error:"]);
        assert!(begin.elapsed() < Duration::from_secs(20));
    }
}
