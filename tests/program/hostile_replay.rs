//! Chains of people who mean no good, replayed on servers of those who audit them: nothing of the server changes.

use std::fs;
use std::time::{Duration, Instant};

use greffe::model::Engine;

use crate::project::{Project, Run};
use crate::replay::chains::{Chain, EngineOf};
use crate::servers::{Database, LIMIT, Login, MariaDb, Postgres, Server, poll};

const PG: EngineOf = |_| (Engine::Postgresql, "greffe-postgresql-1");
const MARIA: EngineOf = |_| (Engine::Mariadb, "greffe-mysql-1");
const LITE: EngineOf = |_| (Engine::Sqlite, "greffe-sqlite-1");

/// An auditor with a server.
struct Auditor {
    database: Database,
    replayer: Login,
}

impl Auditor {
    fn on(server: &Server) -> Self {
        let database = server.database("app");
        let replayer = database.replayer();
        Self { database, replayer }
    }

    /// As the server's administrator.
    fn sql(&self, sql: &str) -> String {
        let answer = self.database.sql_as(self.database.administrator(), sql);
        answer.unwrap_or_else(|error| panic!("{sql}\n{error}"))
    }

    fn version(&self) -> u32 {
        self.sql("SHOW server_version_num").parse().unwrap()
    }

    /// A project whose archive is a chain of `scripts`, and the arguments that replay it here.
    fn chain(&self, engine: EngineOf, scripts: &[&str]) -> (Project, Vec<String>) {
        let (mut project, arguments) = chain(engine, scripts);
        project.variables.push(("REPLAY_URL".to_owned(), self.database.url_as(&self.replayer)));
        project.secrets.push(self.replayer.password.clone());
        let on = ["--on", "env:REPLAY_URL", "--json"].map(str::to_owned);
        (project, arguments.into_iter().chain(on).collect())
    }

    fn replay(&self, engine: EngineOf, scripts: &[&str], more: &[&str]) -> Run {
        let (project, mut arguments) = self.chain(engine, scripts);
        arguments.extend(more.iter().map(|more| (*more).to_owned()));
        project.run(arguments)
    }

    /// Fails unless the replay of `script` is refused before it runs.
    fn refuses(&self, engine: EngineOf, script: &str) {
        let run = self.replay(engine, &[script], &[]);
        assert_eq!(run.code, 1, "{script}: {run:#?}");
        assert_eq!(run.object()["stopped"]["code"], "reaches-outside", "{script}");
    }

    /// Fails unless nothing is replayed for this user, for `reason`.
    fn is_too_powerful(&self, engine: EngineOf, reason: &str) {
        let run = self.replay(engine, &["SELECT 1;\n"], &[]);
        assert_eq!(run.code, 3, "{run:#?}");
        run.says(&[reason]);
    }

    /// Whether the user can log in, with the password that it had.
    fn logs_in(&self) -> bool {
        self.database.sql_as(&self.replayer, "SELECT 1").is_ok()
    }
}

fn chain(engine: EngineOf, scripts: &[&str]) -> (Project, Vec<String>) {
    let project = Project::empty();
    let directory = project.path("archive");
    Chain::of_scripts(engine, &directory, scripts);
    let head = fs::read_to_string(directory.join("bench.head")).unwrap();
    let arguments = ["--name", "bench", "replay", head.trim()].map(str::to_owned).to_vec();
    (project, arguments)
}

/// The replay ran all scripts; that nothing was compared is these chains' own.
fn ran(run: &Run, scripts: u64) {
    let replayed = run.object();
    assert_eq!((run.code, &replayed["stopped"]), (1, &serde_json::Value::Null), "{run:#?}");
    assert_eq!(replayed["executed"], scripts, "{run:#?}");
    assert_eq!(replayed["left"], serde_json::Value::Null, "{run:#?}");
}

mod mariadb {
    use super::*;

    fn databases(auditor: &Auditor) -> String {
        auditor.sql("SELECT GROUP_CONCAT(SCHEMA_NAME ORDER BY 1) FROM information_schema.SCHEMATA")
    }

    #[test]
    fn statements_about_accounts_and_the_server_are_refused() {
        let server = MariaDb::own();
        let auditor = Auditor::on(&server);
        let before = databases(&auditor);
        for script in [
            "SET PASSWORD = PASSWORD('theirs');\n",
            "ALTER USER CURRENT_USER() IDENTIFIED BY 'theirs';\n",
            "/*!40000 SET PASSWORD = PASSWORD('theirs') */;\n",
            "CREATE DATABASE greffe_replay_squat;\n",
            "GRANT ALL ON greffe_replay_x.* TO other@localhost;\n",
            "SET GLOBAL max_connections = 1;\n",
            "INSTALL SONAME 'x';\n",
            "LOAD DATA INFILE '/etc/passwd' INTO TABLE t;\n",
        ] {
            auditor.refuses(MARIA, script);
        }
        assert!(auditor.logs_in());
        assert_eq!(databases(&auditor), before);
    }

    /// What a text says when it runs is not seen before.
    #[test]
    fn an_account_that_a_script_changed_unseen_is_made_what_it_was() {
        let server = MariaDb::own();
        let auditor = Auditor::on(&server);
        let script = "EXECUTE IMMEDIATE CONCAT('SET PASS', 'WORD = PASSWORD(\"theirs\")');\n";
        let run = auditor.replay(MARIA, &[script, "CREATE TABLE later (a INT);\n"], &[]);
        assert_eq!((run.code, &run.object()["stopped"]["code"]), (1, &"failed".into()), "{run:#?}");
        run.says(&["a script changed the account"]);
        assert!(auditor.logs_in());
        let script = "CREATE PROCEDURE p() SET PASSWORD = PASSWORD('theirs');\nCALL p();\n";
        let run = auditor.replay(MARIA, &[script], &[]);
        assert!(auditor.logs_in() && run.code != 0, "{run:#?}");
        // This takes a right that the account does not have.
        let script = "EXECUTE IMMEDIATE CONCAT('ALTER US', 'ER CURRENT_USER() IDENTIFIED BY \"theirs\"');\n";
        let run = auditor.replay(MARIA, &[script], &[]);
        assert_eq!(run.code, 3, "{run:#?}");
        run.says(&["access denied"]);
        assert!(auditor.logs_in());
    }

    #[test]
    fn only_the_documented_rights_are_taken_for_modest() {
        let server = MariaDb::own();
        let auditor = Auditor::on(&server);
        let name = auditor.database.name().to_owned();
        let hostile = format!("SET ROLE adm;\nDROP TABLE {name}.t;\nCREATE USER backdoor;\n");
        auditor.sql("CREATE TABLE t (a INT); CREATE PROCEDURE p() DO 1; CREATE ROLE adm");
        auditor.sql("GRANT ALL ON *.* TO adm; GRANT adm TO replayer@localhost");
        let run = auditor.replay(MARIA, &[&hostile], &[]);
        assert_eq!(run.code, 3, "{run:#?}");
        run.says(&["has roles"]);
        auditor.sql("REVOKE adm FROM replayer@localhost");
        for (right, place, reason) in [
            ("CREATE", "*.*", "on every database"),
            ("FILE", "*.*", "on every database"),
            ("UPDATE (a)", "t", "neither on the server nor on databases"),
            ("EXECUTE", "PROCEDURE p", "neither on the server nor on databases"),
            ("DROP", "t", "other databases"),
            ("INSERT", "other.*", "other databases"),
            ("GRANT OPTION", "`greffe\\_replay\\_%`.*", "may grant"),
        ] {
            auditor.sql(&format!("GRANT {right} ON {place} TO replayer@localhost"));
            auditor.is_too_powerful(MARIA, reason);
            auditor.sql(&format!("REVOKE {right} ON {place} FROM replayer@localhost"));
        }
        auditor.sql("GRANT adm TO PUBLIC");
        auditor.is_too_powerful(MARIA, "has roles");
        auditor.sql("REVOKE adm FROM PUBLIC");
        // The rights that the documentation names suffice.
        ran(&auditor.replay(MARIA, &["CREATE TABLE a (b INT);\n"], &[]), 1);
        assert_eq!(auditor.sql("SELECT COUNT(*) FROM t"), "0");
        assert_eq!(auditor.sql("SELECT COUNT(*) FROM mysql.user WHERE User = 'backdoor'"), "0");
    }

    #[test]
    fn a_script_without_end_is_ended() {
        let server = MariaDb::own();
        let auditor = Auditor::on(&server);
        let begin = Instant::now();
        let script = "CREATE TABLE t (a INT);\nSET max_statement_time = 0;\nSELECT SLEEP(86400);\n";
        let run = auditor.replay(MARIA, &[script], &["--statement-timeout", "2s"]);
        assert_eq!(run.code, 3, "{run:#?}");
        run.says(&["did not end within 2s"]);
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
        assert!(!databases(&auditor).contains("greffe_replay"));
    }
}

mod postgres {
    use super::*;

    fn databases(auditor: &Auditor) -> String {
        auditor.sql("SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database")
    }

    #[test]
    fn statements_about_the_role_and_the_server_are_refused() {
        let server = Postgres::own();
        let auditor = Auditor::on(&server);
        let before = databases(&auditor);
        for script in [
            "ALTER ROLE CURRENT_USER PASSWORD 'theirs';\n",
            "ALTER USER replayer PASSWORD 'theirs';\n",
            "ALTER ROLE CURRENT_USER SET search_path = theirs;\n",
            "-- no-transaction\nCREATE DATABASE squat;\n",
            "-- no-transaction\nDROP DATABASE app;\n",
            "-- no-transaction\nALTER SYSTEM SET work_mem = 1;\n",
            "ALTER DATABASE app OWNER TO replayer;\n",
            "DROP TABLESPACE x;\n",
            "-- no-transaction\nCREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p;\n",
        ] {
            auditor.refuses(PG, script);
        }
        assert!(auditor.logs_in());
        assert_eq!(databases(&auditor), before);
    }

    #[test]
    fn a_role_that_could_change_the_server_is_refused() {
        let server = Postgres::own();
        let auditor = Auditor::on(&server);
        let name = auditor.database.name().to_owned();
        auditor.sql(&format!("CREATE DATABASE theirs OWNER {}", auditor.replayer.user));
        auditor.is_too_powerful(PG, "owns databases");
        auditor.sql("ALTER DATABASE theirs OWNER TO greffe; GRANT greffe TO replayer");
        auditor.is_too_powerful(PG, "owns databases");
        auditor.sql(&format!(
            "REVOKE greffe FROM replayer; GRANT CONNECT ON DATABASE {name} TO replayer WITH GRANT OPTION"
        ));
        auditor.is_too_powerful(PG, "may grant rights on databases");
        auditor.sql(&format!("REVOKE ALL ON DATABASE {name} FROM replayer"));
        let all = auditor.sql(
            "SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolname ~ '^pg_' AND rolname <> 'pg_database_owner'",
        );
        for role in all.split(' ') {
            auditor.sql(&format!("GRANT {role} TO replayer"));
            auditor.is_too_powerful(PG, "act beyond");
            auditor.sql(&format!("REVOKE {role} FROM replayer"));
        }
        ran(&auditor.replay(PG, &["CREATE TABLE a (b int);\n"], &[]), 1);
    }

    #[test]
    fn what_a_script_changes_unseen_of_its_role_is_put_back_or_told() {
        let server = Postgres::own();
        let auditor = Auditor::on(&server);
        let name = auditor.database.name().to_owned();
        auditor.sql(&format!(
            "ALTER ROLE replayer SET work_mem = '5MB'; \
             ALTER ROLE replayer IN DATABASE {name} SET search_path = public, \"A b\""
        ));
        let settings = "SELECT string_agg(setconfig::text, ' ' ORDER BY setdatabase) FROM pg_db_role_setting";
        let before = auditor.sql(settings);
        let script = format!(
            "DO $$ BEGIN EXECUTE 'ALTER ROLE CURRENT_USER SET work_mem = ''9MB'''; \
             EXECUTE 'ALTER ROLE CURRENT_USER SET search_path = theirs'; \
             EXECUTE 'ALTER ROLE CURRENT_USER IN DATABASE {name} RESET ALL'; END $$;\n"
        );
        let run = auditor.replay(PG, &[&script], &[]);
        assert_eq!((run.code, &run.object()["stopped"]["code"]), (1, &"failed".into()), "{run:#?}");
        run.says(&["changed settings of the role", "put back"]);
        assert_eq!(auditor.sql(settings), before);
        // Nobody sees a password; that it is another one shows when it is used. The verdict stays.
        let script = "DO $$ BEGIN EXECUTE 'ALTER ROLE CURRENT_USER PASSWORD ''theirs'''; END $$;\n";
        let run = auditor.replay(PG, &[script], &[]);
        assert_eq!((run.code, &run.object()["executed"]), (3, &1.into()), "{run:#?}");
        run.says(&["changed the password of the role"]);
        assert!(run.object()["left"].as_str().unwrap().contains("ALTER ROLE"), "{run:#?}");
        auditor.sql(&format!("ALTER ROLE replayer PASSWORD '{}'", auditor.replayer.password));
        let (project, mut arguments) = auditor.chain(PG, &[script]);
        arguments.iter_mut().filter(|word| *word == "replay").for_each(|word| *word = "verify".to_owned());
        let run = project.ends(3, &arguments);
        assert_eq!(
            (&run.object()["command"], &run.object()["entries"]),
            (&"verify".into(), &2.into()),
            "{run:#?}"
        );
        assert!(!databases(&auditor).contains("greffe_replay"));
    }

    #[test]
    fn a_script_without_end_is_ended() {
        let server = Postgres::own();
        let auditor = Auditor::on(&server);
        for script in [
            "SET statement_timeout = 0;\nSELECT pg_sleep(86400);\n",
            "-- no-transaction\nSET statement_timeout = 0;\nSELECT pg_sleep(86400);\n",
            // It does not let itself be cancelled.
            "SET statement_timeout = 0;\nDO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(86400); \
             EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$;\n",
        ] {
            let begin = Instant::now();
            let run = auditor.replay(PG, &[script], &["--statement-timeout", "2s"]);
            assert_eq!(run.code, 3, "{run:#?}");
            run.says(&["did not end within 2s"]);
            assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
        }
        let left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(86400)%' \
                    AND pid <> pg_backend_pid()";
        assert_eq!(auditor.sql(left), "0");
        assert!(!databases(&auditor).contains("greffe_replay"));
    }

    #[test]
    fn a_database_that_a_script_makes_stay_is_dropped() {
        let server = Postgres::own();
        let auditor = Auditor::on(&server);
        let alter = |what: &str| {
            format!("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {what}', current_database()); END $$;\n")
        };
        for what in ["IS_TEMPLATE true", "CONNECTION LIMIT 0"] {
            ran(&auditor.replay(PG, &[&alter(what)], &[]), 1);
            assert!(!databases(&auditor).contains("greffe_replay"), "{what}");
        }
        if auditor.version() >= 160_000 {
            auditor.sql("ALTER ROLE replayer CREATEROLE");
            let script = format!(
                "CREATE ROLE theirs_now;\nGRANT theirs_now TO CURRENT_USER WITH SET TRUE;\n{}",
                alter("IS_TEMPLATE true") + &alter("OWNER TO theirs_now")
            );
            ran(&auditor.replay(PG, &[&script], &[]), 1);
            assert!(!databases(&auditor).contains("greffe_replay"));
            assert_eq!(auditor.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'theirs_now'"), "0");
        }
        // What an earlier replay left goes too.
        let left = "greffe_replay_0123456789abcdef";
        auditor.sql(&format!("CREATE DATABASE {left} OWNER replayer IS_TEMPLATE true"));
        ran(&auditor.replay(PG, &["SELECT 1;\n"], &[]), 1);
        assert!(!databases(&auditor).contains("greffe_replay"));
        let run = auditor.replay(PG, &["SELECT 1;\n"], &[]);
        assert!(!run.stderr.contains("note:"), "{run:#?}");
    }

    #[test]
    fn roles_of_others_stay_and_those_of_scripts_go() {
        let server = Postgres::own();
        let auditor = Auditor::on(&server);
        if auditor.version() < 160_000 {
            return;
        }
        let name = auditor.database.name().to_owned();
        let roles = "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolname !~ '^pg_'";
        auditor.sql("ALTER ROLE replayer CREATEROLE");
        // One that this role made before could be renamed, dropped or given a password by a script.
        auditor.database.sql_as(&auditor.replayer, "CREATE ROLE older").unwrap();
        let run = auditor.replay(PG, &["ALTER ROLE older RENAME TO newer;\n"], &[]);
        assert_eq!(run.code, 3, "{run:#?}");
        run.says(&["may change other roles: older", "DROP ROLE \"older\""]);
        auditor.database.sql_as(&auditor.replayer, "DROP ROLE older").unwrap();
        // One that a script renames goes under its new name; grants on other databases do not keep it.
        let before = auditor.sql(roles);
        let first = format!("CREATE ROLE reader;\nGRANT CONNECT ON DATABASE {name} TO reader;\n");
        let scripts = [
            first.as_str(),
            "ALTER ROLE reader RENAME TO \"Re\"\"ader\";\n",
            "-- no-transaction\nCREATE ROLE bare;\nCOMMENT ON ROLE bare IS 'mine';\nCREATE TABLE t (a int);\n",
            "DO $$ BEGIN BEGIN CREATE ROLE unseen; EXCEPTION WHEN division_by_zero THEN NULL; END; END $$;\n",
        ];
        ran(&auditor.replay(PG, &scripts, &[]), 4);
        assert_eq!(auditor.sql(roles), before);
        // Another program of the same role makes one meanwhile.
        let (project, arguments) = auditor.chain(PG, &["CREATE ROLE ours;\nSELECT pg_sleep(4);\n"]);
        let child = project.command(&arguments).spawn().unwrap();
        let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(4)%' AND pid <> pg_backend_pid()";
        assert!(poll(LIMIT, || auditor.sql(sleeps) == "1"));
        auditor.database.sql_as(&auditor.replayer, "CREATE ROLE meanwhile").unwrap();
        ran(&project.judge(child.wait_with_output().unwrap()), 1);
        let left = auditor.sql(roles);
        assert!(left.contains("meanwhile") && !left.contains("ours"), "{left}");
        auditor.database.sql_as(&auditor.replayer, "DROP ROLE meanwhile").unwrap();
    }

    #[test]
    fn a_role_that_an_earlier_replay_left_is_told_and_stops_nothing() {
        let server = Postgres::own();
        let auditor = Auditor::on(&server);
        if auditor.version() < 160_000 {
            return;
        }
        let name = auditor.database.name().to_owned();
        auditor.sql("ALTER ROLE replayer CREATEROLE");
        let make = "CREATE ROLE granted; COMMENT ON ROLE granted IS 'greffe_replay_0123456789abcdef'";
        auditor.database.sql_as(&auditor.replayer, make).unwrap();
        ran(&auditor.replay(PG, &["SELECT 1;\n"], &[]), 1);
        assert_eq!(auditor.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'granted'"), "0");
        // Rights that someone else granted are out of this role's reach.
        auditor.database.sql_as(&auditor.replayer, &make.replace("granted", "stuck")).unwrap();
        auditor.sql(&format!("GRANT CONNECT ON DATABASE {name} TO stuck"));
        let elsewhere = server.database("elsewhere");
        elsewhere.sql("CREATE TABLE t (a int); GRANT SELECT ON t TO stuck");
        let run = auditor.replay(PG, &["CREATE ROLE fresh;\n"], &[]);
        ran(&run, 1);
        run.says(&["an earlier replay left the role \"stuck\"", "DROP ROLE \"stuck\""]);
        assert_eq!(auditor.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'fresh'"), "0");
    }
}

mod sqlite {
    use super::*;

    #[test]
    fn temporary_tables_stay_in_memory() {
        for script in ["PRAGMA temp_store = FILE;\n", "PRAGMA temp_store_directory = '/tmp';\n"] {
            let (project, mut arguments) = chain(LITE, &[script]);
            arguments.push("--json".to_owned());
            let run = project.ends(1, &arguments);
            assert_eq!(run.object()["stopped"]["code"], "reaches-outside", "{script}");
        }
        // More than the memory of a replay.
        let script = "CREATE TEMP TABLE t AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                      WHERE i < 40) SELECT zeroblob(40000000) AS b FROM n;\n";
        let (project, mut arguments) = chain(LITE, &[script]);
        arguments.push("--json".to_owned());
        project.ends(3, &arguments).says(&["could not go on here"]);
    }

    #[test]
    fn a_file_of_ones_own_has_limits_too() {
        let endless = "CREATE TABLE t AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                       SELECT max(i) AS i FROM n;\n";
        let (project, mut arguments) = chain(LITE, &[endless]);
        arguments.extend(["--on", "sqlite:fresh.db", "--statement-timeout", "100ms"].map(str::to_owned));
        project.ends(3, &arguments).says(&["could not go on here", "interrupted"]);
    }

    /// SQLite does not look up from one call of a function.
    #[test]
    fn one_long_step_is_given_up() {
        let script = "CREATE TABLE t AS SELECT instr(replace(hex(zeroblob(40000000)), '00', 'ab'), \
                      replace(hex(zeroblob(20000000)), '00', 'ab') || 'c') AS i;\n";
        let (project, mut arguments) = chain(LITE, &[script]);
        arguments.extend(["--statement-timeout", "100ms"].map(str::to_owned));
        let begin = Instant::now();
        project.ends(3, &arguments);
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    }
}
