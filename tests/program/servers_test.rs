//! The servers that other tests rely on: they answer, refuse, recover, and leave nothing behind.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::servers::{Database, Dump, LIMIT, Login, MariaDb, MySql, Postgres, Server, poll};

/// Asks the test that it is set for to start servers and wait.
const HOLD: &str = "GREFFE_TEST_HOLD";
const TABLE: &str =
    "CREATE TABLE t (a integer PRIMARY KEY, b varchar(20)); INSERT INTO t VALUES (1, 'é|x'), (2, NULL);";

/// Every server of this test process.
fn shared() -> Vec<&'static Server> {
    [Some(Postgres::shared()), Some(MariaDb::shared()), MySql::shared()].into_iter().flatten().collect()
}

fn own() -> Vec<Server> {
    [Some(Postgres::own()), Some(MariaDb::own()), MySql::own()].into_iter().flatten().collect()
}

/// Whether a process runs; one that ended and that nobody waited for has no `exe`.
fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/exe")).read_link().is_ok()
}

#[test]
fn servers_answer_for_databases_that_come_and_go() {
    for server in shared() {
        let [first, second] = ["first", "wörd's %2F"].map(|hint| server.database(hint));
        for database in [&first, &second] {
            database.sql(TABLE);
            let answer = database.sql("SELECT a, a + 1 FROM t ORDER BY a; SELECT b FROM t WHERE a = 1");
            assert_eq!(answer, "1|2\n2|3\né|x");
        }
        let error = first.sql_as(first.user(), "SELECT nothing FROM t").unwrap_err();
        assert!(error.contains("nothing"), "{error}");
        first.sql_as(first.administrator(), "DROP TABLE t").unwrap();

        let name = first.name().to_owned();
        assert!(names(&second).contains(&name));
        drop(first);
        assert!(!names(&second).contains(&name));
    }
}

/// Databases of the server that has this one.
fn names(database: &Database) -> Vec<String> {
    let query = if is_postgres(database) { "SELECT datname FROM pg_database" } else { "SHOW DATABASES" };
    let answer = database.sql_as(database.administrator(), query).unwrap();
    answer.lines().map(str::to_owned).collect()
}

fn is_postgres(database: &Database) -> bool {
    database.url().starts_with("postgres:")
}

#[test]
fn nobody_enters_without_the_password() {
    for server in shared() {
        let database = server.database("password");
        let Login { user, password } = database.user();
        let address = format!("{user}:{password}@127.0.0.1:{}/{}", server.port(), database.name());
        assert!(database.url().ends_with(&address));
        assert!(!server.log().contains(password));
        for login in [database.user(), database.administrator()] {
            assert_eq!(database.sql_as(login, "SELECT 1").unwrap(), "1");
            for wrong in ["", "wrong"] {
                let login = Login { user: login.user.clone(), password: wrong.to_owned() };
                let error = database.sql_as(&login, "SELECT 1").unwrap_err().to_lowercase();
                assert!(error.contains("password"), "{error}");
            }
        }
    }
}

#[test]
fn servers_keep_files_and_passwords_as_in_production() {
    for server in shared() {
        let database = server.database("settings");
        let query = if is_postgres(&database) {
            "SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') = 'on' \
             AND current_setting('full_page_writes') = 'on' \
             AND (SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$%') FROM pg_authid WHERE rolcanlogin)"
        } else {
            "SELECT IF(@@innodb_flush_log_at_trx_commit = 1 AND @@innodb_doublewrite, 't', 'f')"
        };
        assert_eq!(database.sql_as(database.administrator(), query).unwrap(), "t");
    }
}

#[test]
fn dumps_restore_what_they_hold() {
    for server in shared() {
        let [from, to, schema] = ["from", "to", "schema"].map(|hint| server.database(hint));
        from.sql(TABLE);
        to.restore(&from.dump(Dump::Full));
        assert_eq!(to.sql("SELECT b FROM t WHERE a = 1"), "é|x");
        assert!(from.dump(Dump::Full) == to.dump(Dump::Full));
        schema.restore(&from.dump(Dump::Schema));
        assert_eq!(schema.sql("SELECT count(*) FROM t"), "0");
        assert!(from.dump(Dump::Schema) == schema.dump(Dump::Schema));
    }
    let [from, to] = ["from", "to"].map(|hint| Postgres::shared().database(hint));
    from.sql(TABLE);
    to.restore(&from.dump(Dump::Custom));
    assert!(from.dump(Dump::Full) == to.dump(Dump::Full));
}

#[test]
fn a_server_that_is_killed_keeps_what_was_committed() {
    for mut server in own() {
        let database = server.database("kept");
        database.sql(TABLE);
        let (pid, port, folder) = (server.pid(), server.port(), server.folder());
        server.kill_immediate();
        assert!(!runs(pid));
        assert!(database.sql_as(database.user(), "SELECT 1").is_err());
        server.restart();
        assert_ne!(server.pid(), pid);
        assert_eq!(server.port(), port);
        assert_eq!(database.sql("SELECT count(*) FROM t"), "2");

        let pid = server.pid();
        drop(server);
        assert!(!runs(pid));
        assert!(!folder.exists());
    }
}

/// The test runs itself once more, as a process that is killed while it has servers.
#[test]
fn servers_and_folders_go_with_a_test_process_that_is_killed() {
    if std::env::var_os(HOLD).is_some() {
        // As in a test, the thread that first asks for a server ends long before the process.
        let servers = thread::spawn(shared).join().unwrap();
        for server in &servers {
            assert_eq!(server.database("hold").sql("SELECT 1"), "1");
            println!("\n{HOLD} {} {}", server.pid(), server.folder().display());
        }
        println!("\n{HOLD}");
        loop {
            thread::park();
        }
    }
    let name = "servers_test::servers_and_folders_go_with_a_test_process_that_is_killed";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name])
        .env(HOLD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let held: Vec<(u32, PathBuf)> = lines
        .filter_map(|line| line.strip_prefix(HOLD).map(str::to_owned))
        .take_while(|line| !line.is_empty())
        .map(|line| {
            let (pid, folder) = line.trim().split_once(' ').unwrap();
            (pid.parse().unwrap(), PathBuf::from(folder))
        })
        .collect();
    let alive = held.iter().all(|(pid, folder)| runs(*pid) && folder.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(alive && held.len() >= 2, "{held:?}");
    for (pid, folder) in held {
        assert!(poll(LIMIT, || !runs(pid)), "{pid} still runs");
        assert!(poll(LIMIT, || !folder.exists()), "{} is left", folder.display());
    }
}
