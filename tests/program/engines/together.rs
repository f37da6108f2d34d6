//! Runs of several machines at once on one database, and what they show of themselves there.

use std::fs;
use std::process::Child;

use super::{Case, Engine, Maria, Pg, THREE};
use crate::project::{Project, Run};
use crate::servers::{LIMIT, poll};

on_both!(
    two_runs_at_once_apply_everything_once,
    two_machines_at_once_apply_everything_once,
    no_password_is_in_the_list_of_processes,
);

/// Runs that share a folder, so that they meet at the archive's lock as well.
fn two_runs_at_once_apply_everything_once(engine: Engine) {
    let case = Case::with(engine, "twice", &THREE);
    case.project.script("4_slow.sql", format!("CREATE TABLE slow (id INTEGER);\n{}\n", engine.sleep(1)));
    let children: Vec<Child> =
        (0..3).map(|_| case.project.command(["apply", "--lock-wait", "2m"]).spawn().unwrap()).collect();
    for child in children {
        let run = case.project.judge(child.wait_with_output().unwrap());
        assert_eq!(run.code, 0, "{run:#?}");
    }
    assert_eq!(case.project.story(), ["genesis", "apply 1", "apply 2", "apply 3", "apply 4"]);
    case.project.verify();
}

/// What a machine is told whose archive lacks what another one archived.
fn is_behind(run: &Run) {
    assert_eq!(run.code, 1, "{run:#?}");
    run.says(&["the database knows", "greffe import"]);
}

/// Each has a folder and an archive of its own: only the database's lock is what they meet at.
fn two_machines_at_once_apply_everything_once(engine: Engine) {
    let case = Case::with(engine, "machines", &THREE);
    case.project.script("4_slow.sql", format!("CREATE TABLE slow (id INTEGER);\n{}\n", engine.sleep(1)));
    let machines: Vec<Project> = (0..3).map(|_| case.project.copy()).collect();
    let start = |machine: &Project| machine.command(["apply", "--lock-wait", "2m"]).spawn().unwrap();
    let children: Vec<Child> = machines.iter().map(start).collect();
    let mut first = Vec::new();
    for (machine, child) in machines.iter().zip(children) {
        let run = machine.judge(child.wait_with_output().unwrap());
        match run.code {
            0 => first.push(machine),
            _ => is_behind(&run),
        }
    }
    let [first] = first.as_slice() else { panic!("{} machines applied", first.len()) };
    assert_eq!(first.story(), ["genesis", "apply 1", "apply 2", "apply 3", "apply 4"]);
    assert_eq!(case.database.sql("SELECT count(*) FROM authors").trim(), "2");
    first.ok(["audit"]);
    first.verify();
}

/// Such an index waits for every transaction that was open when it began, also for that of a run which waits for the
/// lock.
#[test]
fn postgres_an_index_that_is_made_concurrently_does_not_wait_for_runs_that_wait() {
    let case = Case::with(Pg, "waiters", &THREE);
    case.project.ok(["apply"]);
    case.project.script(
        "4_index.sql",
        "-- no-transaction\nSELECT pg_sleep(3);\nCREATE INDEX CONCURRENTLY by_name ON authors (name);\n",
    );
    let other = case.project.copy();
    let administrator = case.database.administrator();
    let sessions = || {
        let name = case.database.name();
        let query =
            format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND usename = 'greffe'");
        case.database.sql_as(administrator, &query).unwrap().parse::<u32>().unwrap()
    };
    let holder = case.start(&["apply"], "pg_sleep(");
    let alone = sessions();
    let waiter = other.command(["apply", "--lock-wait", "2m"]).spawn().unwrap();
    assert!(poll(LIMIT, || sessions() > alone) && case.is_running("pg_sleep("), "nobody waits");
    let run = case.project.judge(holder.wait_with_output().unwrap());
    assert_eq!(run.code, 0, "{run:#?}");
    is_behind(&other.judge(waiter.wait_with_output().unwrap()));
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_name'::regclass";
    assert_eq!(case.database.sql(valid).trim(), "t");
    assert_eq!(case.project.story().last().unwrap(), "apply 4");
    case.project.ok(["audit"]);
    case.project.verify();
}

/// What `/proc` shows everyone of each process: its arguments.
fn command_lines() -> Vec<(u32, String)> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            Some((number, String::from_utf8_lossy(&line).into_owned()))
        })
        .collect()
}

fn no_password_is_in_the_list_of_processes(engine: Engine) {
    let case = Case::new(engine, "processes");
    let password = case.database.user().password.clone();
    case.project.write("url.txt", case.database.url());
    for (number, source) in [(1, "env:DATABASE_URL"), (2, "file:url.txt")] {
        case.project.script(&format!("{number}_slow.sql"), engine.sleep(2));
        let child = case.start(&["--database", source, "apply"], "leep(");
        let lines = command_lines();
        let own = lines.iter().find(|(number, _)| *number == child.id());
        assert!(own.is_some_and(|(_, line)| line.contains("apply") && line.contains(source)), "{own:?}");
        let telling: Vec<_> = lines.iter().filter(|(_, line)| line.contains(&password)).collect();
        assert!(telling.is_empty(), "{:?}: {telling:?}", case.engine);
        let run = case.project.judge(child.wait_with_output().unwrap());
        assert_eq!(run.code, 0, "{run:#?}");
    }
    let Maria = engine else { return };
    // Nor among the server's own sessions.
    let sessions = "SELECT GROUP_CONCAT(COALESCE(info, '')) FROM information_schema.processlist";
    assert!(!case.database.sql_as(case.database.administrator(), sessions).unwrap().contains(&password));
}
