//! Up, down and up again on real databases: a hundred generated migrations for each engine, and each way in which a way
//! down can be wrong.

use super::{folder, found, lint};
use crate::project::{Project, Run};
use crate::servers::{Database, MariaDb, Postgres, Server};

const SCRIPTS: usize = 100;

#[derive(Clone, Copy, PartialEq)]
enum Engine {
    Sqlite,
    Postgres,
    Maria,
}

use Engine::{Maria, Postgres as Pg, Sqlite};

/// A change and what takes it back, of a kind that goes round: tables, columns, indexes, views, triggers, rows.
fn change(engine: Engine, number: usize) -> (String, String) {
    let (n, table) = (number, format!("t{}", number - number % 10));
    match number % 10 {
        0 => (
            format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL DEFAULT 'x');"),
            format!("DROP TABLE {table};"),
        ),
        1 => (
            format!("ALTER TABLE {table} ADD COLUMN c{n} INTEGER DEFAULT {n};"),
            format!("ALTER TABLE {table} DROP COLUMN c{n};"),
        ),
        2 => (
            format!("CREATE INDEX i{n} ON {table} (name);"),
            match engine {
                Maria => format!("DROP INDEX i{n} ON {table};"),
                _ => format!("DROP INDEX i{n};"),
            },
        ),
        3 => (
            format!("CREATE VIEW v{n} AS SELECT id, name FROM {table} WHERE id > {n};"),
            format!("DROP VIEW v{n};"),
        ),
        4 => (
            format!("ALTER TABLE {table} RENAME COLUMN name TO name_{n};"),
            format!("ALTER TABLE {table} RENAME COLUMN name_{n} TO name;"),
        ),
        5 => (format!("ALTER TABLE {table} RENAME TO r{n};"), format!("ALTER TABLE r{n} RENAME TO {table};")),
        6 => (
            format!(
                "CREATE TABLE child{n} (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES r{} (id));",
                n - 1
            ),
            format!("DROP TABLE child{n};"),
        ),
        7 => match engine {
            Pg => (
                format!(
                    "CREATE FUNCTION f{n}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;\n\
                     CREATE TRIGGER g{n} BEFORE INSERT ON child{} FOR EACH ROW EXECUTE FUNCTION f{n}();",
                    n - 1
                ),
                format!("DROP TRIGGER g{n} ON child{};\nDROP FUNCTION f{n}();", n - 1),
            ),
            Maria => (
                format!(
                    "DELIMITER //\nCREATE TRIGGER g{n} BEFORE INSERT ON child{} FOR EACH ROW BEGIN SET @a = {n}; END//\n\
                     DELIMITER ;",
                    n - 1
                ),
                format!("DROP TRIGGER g{n};"),
            ),
            Sqlite => (
                format!("CREATE TRIGGER g{n} AFTER INSERT ON child{} BEGIN SELECT {n}; END;", n - 1),
                format!("DROP TRIGGER g{n};"),
            ),
        },
        8 => (
            format!("INSERT INTO child{} (id) VALUES ({n});", n - 2),
            format!("DELETE FROM child{} WHERE id = {n};", n - 2),
        ),
        _ => match engine {
            Pg => (
                format!(
                    "CREATE TYPE e{n} AS ENUM ('a', 'b');\nALTER TABLE child{} ADD COLUMN e e{n};",
                    n - 3
                ),
                format!("ALTER TABLE child{} DROP COLUMN e;\nDROP TYPE e{n};", n - 3),
            ),
            _ => (
                format!("CREATE UNIQUE INDEX u{n} ON child{} (id, parent);", n - 3),
                match engine {
                    Maria => format!("DROP INDEX u{n} ON child{};", n - 3),
                    _ => format!("DROP INDEX u{n};"),
                },
            ),
        },
    }
}

fn generated(engine: Engine) -> Project {
    let project = folder(&[]);
    for number in 10..10 + SCRIPTS {
        let (up, down) = change(engine, number);
        let head = "-- purpose: generated\n-- impact: none\n-- rollback: takes it back\n";
        project.script(&format!("{number}_g.up.sql"), format!("{head}{up}\n"));
        project.script(&format!("{number}_g.down.sql"), format!("{down}\n"));
    }
    project
}

/// Where scripts are tried: nowhere for SQLite, a server's database as the user that replays have.
struct Place {
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    database: Option<Database>,
}

impl Place {
    fn memory() -> Self {
        let arguments = ["--dialect", "sqlite"].map(str::to_owned).to_vec();
        Self { arguments, variables: Vec::new(), database: None }
    }

    fn on(server: &Server) -> Self {
        let database = server.database("lint");
        let replayer = database.replayer();
        let variables = vec![("SCRATCH_URL".to_owned(), database.url_as(&replayer))];
        let arguments = ["--on", "env:SCRATCH_URL"].map(str::to_owned).to_vec();
        Self { arguments, variables, database: Some(database) }
    }

    /// Judges with no rule but those about trials.
    fn lint(&self, mut project: Project) -> Run {
        project.variables.extend(self.variables.iter().cloned());
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        arguments.extend(["--level", "squawk/*=off", "--level", "mysql/*=off", "--level", "sqlite/*=off"]);
        lint(&project, &arguments)
    }

    /// Databases that trials and replays left on the server.
    fn left(&self, query: &str) -> String {
        let database = self.database.as_ref().unwrap();
        database.sql_as(database.administrator(), query).unwrap().trim().to_owned()
    }

    fn tries_a_hundred(&self, engine: Engine) {
        let run = self.lint(generated(engine));
        assert_eq!((run.code, found(&run)), (0, vec![]), "{run:#?}");
        assert_eq!(run.object()["tried"], SCRIPTS, "{run:#?}");
    }

    /// Each way in which a way down can be wrong, one after another: none hides the next.
    fn finds_each_wrong_way(&self) {
        let project = folder(&[]);
        let create = |table: &str| format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, a INTEGER);");
        let cases: [(&str, String, &str, &str); 6] = [
            ("1", create("t1"), "DROP TABLE t1;", ""),
            ("2", create("t2"), "SELECT 1;", "greffe/down-differs migrations/2_a.down.sql:1"),
            ("3", create("t3"), "\n\nDROP TABLE nowhere;", "greffe/down-fails migrations/3_a.down.sql:3"),
            (
                "4",
                format!("{}\nCREATE INDEX i4 ON t4 (a);", create("t4")),
                "DROP TABLE t4; CREATE TABLE t4_kept (id INTEGER);",
                "greffe/down-differs migrations/4_a.down.sql:1",
            ),
            (
                "5",
                "INSERT INTO t1 (id) VALUES (5);".to_owned(),
                "SELECT 1;",
                "greffe/up-again-differs migrations/5_a.up.sql:4",
            ),
            ("6", create("t6"), "DROP TABLE t6;", ""),
        ];
        for (version, up, down, _) in &cases {
            let head = "-- purpose: a\n-- impact: b\n-- rollback: c d\n";
            project.script(&format!("{version}_a.up.sql"), format!("{head}{up}\n"));
            project.script(&format!("{version}_a.down.sql"), format!("{down}\n"));
        }
        let run = self.lint(project);
        let expected: Vec<&str> =
            cases.iter().map(|(.., finding)| *finding).filter(|one| !one.is_empty()).collect();
        assert_eq!(
            (run.code, found(&run)),
            (1, expected.iter().map(|one| (*one).to_owned()).collect()),
            "{run:#?}"
        );
        assert_eq!(run.object()["tried"], 6, "{run:#?}");
        assert!(run.stdout.contains("t2 is still there"), "{run:#?}");
        assert!(run.stdout.contains("t4_kept is still there"), "{run:#?}");
    }

    /// A way up that fails ends the trial; what was wrong before it is told.
    fn a_way_up_that_fails_ends_it(&self) {
        let project = folder(&[
            ("1_a.sql", "-- rollback: none, because so\nCREATE TABLE a (id INTEGER);\n"),
            ("2_b.up.sql", "CREATE TABLE b (id INTEGER);\nCREATE TABLE a (id INTEGER);\n"),
            ("2_b.down.sql", "DROP TABLE b;\n"),
            ("3_c.up.sql", "CREATE TABLE c (id INTEGER);\n"),
            ("3_c.down.sql", "DROP TABLE c;\n"),
        ]);
        let run = self.lint(project);
        let found: Vec<String> = found(&run).into_iter().filter(|one| !one.contains("-missing")).collect();
        assert_eq!(
            (run.code, found),
            (1, vec!["greffe/up-fails migrations/2_b.up.sql:2".to_owned()]),
            "{run:#?}"
        );
    }

    /// Statements that reach for the server, a file or an account are not run even here.
    fn reaches_for_nothing(&self, script: &str) {
        let project = folder(&[
            ("1_a.up.sql", &format!("CREATE TABLE a (id INTEGER);\n{script}\n")),
            ("1_a.down.sql", "DROP TABLE a;\n"),
        ]);
        let run = self.lint(project);
        let found = found(&run);
        assert!(found.contains(&"greffe/not-tried migrations/1_a.up.sql:2".to_owned()), "{script}: {run:#?}");
        assert_eq!(run.object()["tried"], 0, "{run:#?}");
    }
}

#[test]
fn a_hundred_migrations_of_sqlite_lead_back() {
    Place::memory().tries_a_hundred(Sqlite);
}

#[test]
fn a_hundred_migrations_of_postgresql_lead_back() {
    Place::on(Postgres::shared()).tries_a_hundred(Pg);
}

#[test]
fn a_hundred_migrations_of_mariadb_lead_back() {
    Place::on(MariaDb::shared()).tries_a_hundred(Maria);
}

#[test]
fn each_wrong_way_down_of_sqlite_is_found() {
    Place::memory().finds_each_wrong_way();
    Place::memory().a_way_up_that_fails_ends_it();
}

#[test]
fn each_wrong_way_down_of_postgresql_is_found_and_nothing_is_left() {
    let server = Postgres::own();
    let place = Place::on(&server);
    place.finds_each_wrong_way();
    place.a_way_up_that_fails_ends_it();
    assert_eq!(place.left("SELECT count(*) FROM pg_database WHERE datname LIKE 'greffe\\_replay%'"), "0");
}

#[test]
fn each_wrong_way_down_of_mariadb_is_found_and_nothing_is_left() {
    let server = MariaDb::own();
    let place = Place::on(&server);
    place.finds_each_wrong_way();
    place.a_way_up_that_fails_ends_it();
    let query = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'greffe\\_replay%'";
    assert_eq!(place.left(query), "0");
}

#[test]
fn nothing_outside_of_the_scratch_database_is_touched() {
    let memory = Place::memory();
    for script in ["ATTACH 'stolen.db' AS x;", "VACUUM INTO 'copy.db';"] {
        memory.reaches_for_nothing(script);
    }
    let postgres = Place::on(Postgres::shared());
    for script in
        ["COPY a TO PROGRAM 'id';", "ALTER SYSTEM SET work_mem = '1MB';", "ALTER ROLE postgres PASSWORD 'x';"]
    {
        postgres.reaches_for_nothing(script);
    }
    let maria = Place::on(MariaDb::shared());
    for script in ["SET GLOBAL max_connections = 1;", "GRANT ALL ON *.* TO other@localhost;"] {
        maria.reaches_for_nothing(script);
    }
}

/// A script without end is ended by greffe's own limits, and says nothing of its way down.
#[test]
fn a_script_without_end_is_ended() {
    let project = folder(&[
        (
            "1_a.up.sql",
            "CREATE TABLE a AS WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r;\n",
        ),
        ("1_a.down.sql", "DROP TABLE a;\n"),
    ]);
    let mut limited = project.copy();
    limited.variables.push(("GREFFE_STATEMENT_TIMEOUT".to_owned(), "2s".to_owned()));
    let run = lint(&limited, &["--dialect", "sqlite"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(found(&run).contains(&"greffe/not-tried migrations/1_a.up.sql:1".to_owned()), "{run:#?}");
}

/// A way down that waits for ever and one that ends its own session are told, and hide neither each other nor the next.
#[test]
fn what_has_no_end_on_a_server_is_told_with_all_that_was_found() {
    let server = Postgres::own();
    let place = Place::on(&server);
    let mut project = folder(&[]);
    let downs =
        ["SELECT pg_sleep(1000);", "SELECT pg_terminate_backend(pg_backend_pid());", "DROP TABLE t3;", ""];
    for (number, down) in (1..).zip(downs) {
        let head = "-- purpose: a\n-- impact: b\n-- rollback: c d\n";
        project
            .script(&format!("{number}_a.up.sql"), format!("{head}CREATE TABLE t{number} (id INTEGER);\n"));
        project.script(&format!("{number}_a.down.sql"), format!("SELECT 1;\n{down}\n"));
    }
    project.variables.push(("GREFFE_STATEMENT_TIMEOUT".to_owned(), "2s".to_owned()));
    let run = place.lint(project);
    assert_eq!(
        (run.code, found(&run)),
        (
            1,
            [
                "greffe/not-tried migrations/1_a.down.sql:1",
                "greffe/not-tried migrations/2_a.down.sql:1",
                "greffe/down-differs migrations/4_a.down.sql:1",
            ]
            .map(str::to_owned)
            .to_vec()
        ),
        "{run:#?}"
    );
    assert!(run.stdout.contains("it did not end within 2s"), "{run:#?}");
    assert_eq!(run.object()["tried"], 2, "{run:#?}");
    assert_eq!(place.left("SELECT count(*) FROM pg_database WHERE datname LIKE 'greffe\\_replay%'"), "0");
}

/// What a trial follows of a schema without reading all of it is what a reading of all of it shows: scripts that create
/// and drop in one, drop more than the end that is read, put back what they dropped, or drop what was made long before.
#[test]
fn what_changes_deep_in_a_large_schema_is_found() {
    let project = folder(&[]);
    let many = |from: usize, to: usize, what: fn(usize) -> String| (from..to).map(what).collect::<String>();
    let create: fn(usize) -> String = |n| format!("CREATE TABLE t{n} (id INTEGER);\n");
    let remove: fn(usize) -> String = |n| format!("DROP TABLE t{n};\n");
    let cases = [
        (many(0, 300, create), many(0, 300, remove), false),
        // As many rows as before, in the same places, and one of them another one.
        (
            many(300, 301, create),
            "DROP TABLE t300;\nDROP TABLE t5;\nCREATE TABLE u5 (id INTEGER);\n".to_owned(),
            true,
        ),
        (many(301, 302, create), "DROP TABLE t301;\nDROP TABLE t7;\n".to_owned(), true),
        (
            many(302, 303, create),
            "DROP TABLE t302;\nDROP TABLE t9;\nCREATE TABLE t9 (id INTEGER);\n".to_owned(),
            false,
        ),
        (
            "ALTER TABLE t11 RENAME TO r11;\n".to_owned(),
            "ALTER TABLE r11 RENAME TO t12345;\n".to_owned(),
            true,
        ),
        (
            many(303, 304, create),
            format!("{}{}CREATE TABLE v (id INTEGER);\n", many(200, 304, remove), many(200, 302, create)),
            true,
        ),
        ("ALTER TABLE t13 RENAME TO r13;\n".to_owned(), "ALTER TABLE r13 RENAME TO t13;\n".to_owned(), false),
        (
            many(304, 305, create),
            "SAVEPOINT s;\nDROP TABLE t15;\nROLLBACK TO s;\nRELEASE s;\nDROP TABLE t304;\n".to_owned(),
            false,
        ),
        ("CREATE VIRTUAL TABLE f USING fts5 (a);\n".to_owned(), "DROP TABLE f;\n".to_owned(), false),
        ("INSERT INTO t17 VALUES (1);\n".to_owned(), "DELETE FROM t17;\n".to_owned(), false),
    ];
    let mut expected = Vec::new();
    for (number, (up, down, is_wrong)) in (1..).zip(&cases) {
        let head = "-- purpose: a\n-- impact: b\n-- rollback: c d\n";
        project.script(&format!("{number:02}_a.up.sql"), format!("{head}{up}"));
        project.script(&format!("{number:02}_a.down.sql"), down);
        expected.extend(is_wrong.then(|| format!("greffe/down-differs migrations/{number:02}_a.down.sql:1")));
    }
    let run = Place::memory().lint(project);
    assert_eq!((run.code, found(&run)), (1, expected), "{run:#?}");
    assert_eq!(run.object()["tried"], cases.len(), "{run:#?}");
    for object in
        ["table u5 is still there", "table t5 is gone", "table t7 is gone", "table v is still there"]
    {
        assert!(run.stdout.contains(object), "{object}: {run:#?}");
    }
}

#[test]
fn ways_down_are_tried_where_they_can_be() {
    let scripts = [("1_a.up.sql", "CREATE TABLE a (id INTEGER);\n"), ("1_a.down.sql", "SELECT 1;\n")];
    let project = folder(&scripts);
    assert_eq!(lint(&project, &["--dialect", "postgresql"]).object()["tried"], 0);
    let run = lint(&project, &["--dialect", "postgresql", "--check-down"]);
    run.exits(2).says(&["are tried on a server", "--on env:NAME"]);
    let run = lint(&project, &["--on", "sqlite:scratch.db"]);
    run.exits(2).says(&["are tried in memory"]);
    assert!(!project.path("scratch.db").exists());
    let run = lint(&project, &["--on", "postgres://u@127.0.0.1:9/x", "--dialect", "sqlite"]);
    run.exits(2).says(&["names a database of PostgreSQL"]);
    lint(&project, &["--on", "postgres://u:secret@127.0.0.1/x"]).exits(2);
    lint(&project, &["--on", "file:nowhere", "--dialect", "postgresql"])
        .exits(2)
        .says(&["`--on` is `file:nowhere`, but that file does not exist"]);
}
