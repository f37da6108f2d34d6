//! What replays leave on a server: nothing, whatever becomes of them.

use std::process::Child;

use super::{Case, Engine, Maria, Pg, THREE};
use crate::servers::{Database, LIMIT, Postgres, poll};

on_both!(a_replay_that_was_killed_is_cleared_away_and_one_that_runs_is_not);

impl Case {
    /// Databases of replays that are on the server.
    fn scratch_databases(&self) -> Vec<String> {
        let query = match self.engine {
            Pg => "SELECT datname FROM pg_database WHERE datname LIKE 'greffe\\_replay%' ORDER BY 1",
            Maria => {
                "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'greffe\\_replay%' ORDER BY 1"
            }
        };
        let names = self.database.sql_as(self.database.administrator(), query).unwrap();
        names.lines().map(str::to_owned).collect()
    }

    /// Sessions of the program in databases of replays that run `statement`.
    fn replays(&self, statement: &str) -> String {
        let query = match self.engine {
            Pg => format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'greffe\\_replay%' AND state = 'active' \
                 AND query LIKE '%{statement}%'"
            ),
            Maria => format!(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE db LIKE 'greffe\\_replay%' \
                 AND info LIKE '%{statement}%'"
            ),
        };
        self.database.sql_as(self.database.administrator(), &query).unwrap()
    }

    /// A replay that has come to `statement` on the server.
    fn start_replay(&self, statement: &str) -> Child {
        let (head, before) = (self.project.head(), self.replays(statement));
        let child =
            self.project.command(["replay", &head, "--on", "env:REPLAY_URL", "--json"]).spawn().unwrap();
        let reached = poll(LIMIT, || self.replays(statement) > before);
        assert!(reached, "{:?}: {statement} was not reached", self.engine);
        child
    }
}

fn a_replay_that_was_killed_is_cleared_away_and_one_that_runs_is_not(engine: Engine) {
    let server = engine.own();
    let case = Case::on(engine, &server, "abandoned");
    case.project.script("1_slow.sql", format!("CREATE TABLE slow (id INTEGER);\n{}\n", engine.sleep(3)));
    case.project.ok(["apply"]);
    let mut killed = case.start_replay("leep(");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let abandoned = case.scratch_databases();
    assert_eq!(abandoned.len(), 1);
    // What the server was doing for it may go on there for a moment.
    assert!(poll(LIMIT, || case.replays("leep(") == "0"));
    let running = case.start_replay("leep(");
    let of_running = case.scratch_databases();
    assert!(of_running.len() == 1 && of_running != abandoned, "{of_running:?}");
    let second = case.start_replay("leep(");
    let of_both = case.scratch_databases();
    assert!(of_both.len() == 2 && of_both.contains(&of_running[0]), "{of_both:?}");
    for child in [running, second] {
        let run = case.project.judge(child.wait_with_output().unwrap());
        assert_eq!((run.code, &run.object()["holds"]), (0, &true.into()), "{run:#?}");
    }
    assert_eq!(case.scratch_databases(), Vec::<String>::new());
}

/// Roles belong to the whole server. Before version 16 who may make roles may take any right, so no replay makes one.
#[test]
fn postgres_roles_that_scripts_make_are_gone_after_a_replay() {
    let (server, elsewhere) = (Postgres::own(), Postgres::own());
    let mut case = Case::on(Pg, &server, "roles");
    let database = &case.database;
    database.sql_as(database.administrator(), "ALTER ROLE greffe CREATEROLE").unwrap();
    case.project.scripts(&THREE);
    case.project.script(
        "4_roles.sql",
        "CREATE ROLE \"App \"\"1\"\"\";\nCREATE ROLE reader IN ROLE \"App \"\"1\"\"\";\n\
         GRANT SELECT ON authors TO reader;\nALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader;\n",
    );
    case.project.script("5_slow.sql", "SELECT pg_sleep(2);\n");
    case.project.script("6_roles.sql", "CREATE USER mappings NOLOGIN;\n");
    case.project.ok(["apply"]);
    let head = case.project.head();
    let arguments = ["replay", &head, "--on", "env:REPLAY_URL"];
    case.project.ends(3, arguments).says(&["role App \"1\"", "migration 4", "CREATEROLE"]);
    assert_eq!(case.scratch_databases(), Vec::<String>::new());
    // Elsewhere, as a role that may make some.
    let there = elsewhere.database("there");
    let replayer = there.replayer();
    let administrator = there.administrator().clone();
    let roles = |database: &Database| {
        let roles = "SELECT count(*) FROM pg_roles WHERE rolname !~ '^pg_'";
        database.sql_as(database.administrator(), roles).unwrap()
    };
    there.sql_as(&administrator, "ALTER ROLE replayer CREATEROLE; CREATE ROLE theirs").unwrap();
    let before = roles(&there);
    case.project.variables.retain(|(name, _)| name != "REPLAY_URL");
    case.project.variables.push(("REPLAY_URL".to_owned(), there.url_as(&replayer)));
    let version: u32 = there.sql("SHOW server_version_num").parse().unwrap();
    if version < 160_000 {
        case.project.ends(3, arguments).says(&["scripts of others are not run by a role that"]);
        return;
    }
    let here = std::mem::replace(&mut case.database, there);
    case.replay();
    assert_eq!(roles(&case.database), before);
    // Killed when it has made roles, before it makes the last one.
    let mut killed = case.start_replay("pg_sleep(");
    case.project.ends(3, arguments).says(&["another replay runs as this role"]);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(poll(LIMIT, || case.replays("pg_sleep(") == "0"));
    assert_ne!(roles(&case.database), before);
    case.replay();
    assert_eq!(roles(&case.database), before);
    // A script that fails after it made some leaves none either; nothing runs where one is there already.
    case.database.sql_as(&administrator, "CREATE ROLE mappings").unwrap();
    case.project.ends(3, arguments).says(&["role mappings", "migration 6", "another server"]);
    assert_eq!(case.scratch_databases(), Vec::<String>::new());
    drop(here);
}

#[test]
fn postgres_roles_that_a_replay_made_are_gone_when_it_fails() {
    let server = Postgres::own();
    let case = Case::on(Pg, &server, "failed_roles");
    let administrator = case.database.administrator();
    case.database
        .sql_as(administrator, "ALTER ROLE greffe CREATEROLE; ALTER ROLE replayer CREATEROLE")
        .unwrap();
    let version: u32 = case.database.sql("SHOW server_version_num").parse().unwrap();
    // Roles that no statement of a script's own makes.
    case.project.script("1_roles.sql", "DO $$ BEGIN EXECUTE 'CREATE ROLE made'; END $$;\n");
    case.project.script("2_other.sql", "DO $$ BEGIN EXECUTE 'CREATE ROLE other'; END $$;\n");
    case.project.ok(["apply"]);
    case.database.sql_as(administrator, "DROP ROLE made").unwrap();
    let run = case.project.run(["replay", &case.project.head(), "--on", "env:REPLAY_URL", "--json"]);
    if version < 160_000 {
        assert_eq!(run.code, 3, "{run:#?}");
    } else {
        assert_eq!((run.code, &run.object()["stopped"]["seq"]), (1, &2.into()), "{run:#?}");
    }
    let roles = "SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolname IN ('made', 'other')";
    assert_eq!(case.database.sql_as(administrator, roles).unwrap(), "other");
    assert_eq!(case.scratch_databases(), Vec::<String>::new());
}
