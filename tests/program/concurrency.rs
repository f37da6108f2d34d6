//! Several runs on one database at once.

use std::process::{Child, Stdio};

use crate::project::{Project, Run};

/// Two migrations that take long enough for another run to meet them.
const SLOW: [(&str, &str); 3] = [
    ("1_first.sql", "CREATE TABLE first (id);\n"),
    (
        "2_slow.sql",
        "CREATE TABLE slow AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) SELECT i FROM n;\n",
    ),
    ("3_last.sql", "CREATE TABLE last (id);\n"),
];

/// A migration that does not end.
const ENDLESS: &str = "CREATE TABLE endless AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;";

fn start(project: &Project, arguments: &[&str]) -> Child {
    project.command(arguments).spawn().unwrap()
}

/// Waits until the run lock of the project's database is held.
fn wait_for_lock(project: &Project, holder: &mut Child) {
    let lock = project.path("app.db-greffe-lock");
    loop {
        if let Ok(file) = std::fs::File::open(&lock)
            && file.try_lock().is_err()
        {
            return;
        }
        assert!(holder.try_wait().unwrap().is_none(), "it ended without holding the lock");
        std::thread::yield_now();
    }
}

#[test]
fn each_migration_is_applied_once_however_many_run() {
    let project = Project::with(&SLOW);
    let children: Vec<Child> = (0..5).map(|_| start(&project, &["apply", "--lock-wait", "5m"])).collect();
    for child in children {
        let run = project.judge(child.wait_with_output().unwrap());
        assert_eq!(run.code, 0, "{run:#?}");
    }
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2", "apply 3"]);
    assert_eq!(project.sql("SELECT count(*) FROM greffe_history"), "3");
    assert_eq!(project.sql("SELECT count(*) FROM slow"), "400000");
    project.verify();
}

#[test]
fn different_commands_at_once_leave_one_story() {
    let project = Project::applied();
    let children: Vec<Child> = ["apply", "rollback", "apply", "compact", "rollback"]
        .iter()
        .map(|command| match *command {
            "rollback" => start(&project, &["rollback", "--steps", "1", "--lock-wait", "5m"]),
            other => start(&project, &[other, "--lock-wait", "5m"]),
        })
        .collect();
    for child in children {
        let run = project.judge(child.wait_with_output().unwrap());
        assert_eq!(run.code, 0, "{run:#?}");
    }
    project.ok(["apply"]);
    assert_eq!(project.tables(), "authors,books");
    project.ok(["status"]);
    project.verify();
}

#[test]
fn readers_see_a_whole_archive_while_others_write() {
    let project = Project::with(&SLOW);
    let mut writer = start(&project, &["apply"]);
    let mut looked = 0;
    while looked < 5 || writer.try_wait().unwrap().is_none() {
        let head = project.head();
        project.ok(["verify", &head]);
        project.ok(["log"]);
        looked += 1;
    }
    assert_eq!(project.judge(writer.wait_with_output().unwrap()).code, 0);
    project.verify();
}

#[test]
fn without_waiting_the_second_run_leaves_at_once_and_a_killed_holder_holds_nothing() {
    let project = Project::with(&SLOW[..1]);
    project.script("2_endless.sql", ENDLESS);
    let mut holder = project.command(["apply"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_lock(&project, &mut holder);
    for arguments in
        [vec!["apply", "--lock-wait", "0s"], vec!["rollback", "--steps", "1", "--lock-wait", "0s"]]
    {
        let run: Run = project.ends(3, &arguments);
        run.says(&["another run holds the lock", "hint:", "--lock-wait"]);
    }
    assert!(holder.try_wait().unwrap().is_none(), "the holder goes on");
    holder.kill().unwrap();
    holder.wait().unwrap();
    project.script("2_endless.sql", "CREATE TABLE ended (id);");
    project.ok(["apply", "--lock-wait", "0s"]);
    assert_eq!(project.tables(), "ended,first");
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2"]);
    project.verify();
}

#[test]
fn one_database_with_two_archives_is_noticed() {
    let project = Project::applied();
    project.ok(["init", "--config", "other.toml", "--name", "other", "--database", "sqlite:app.db"]);
    project.script("4_more.sql", "CREATE TABLE more (id);");
    let run = project.run(["apply", "--config", "other.toml"]);
    assert_eq!(run.code, 1, "{run:#?}");
    run.says(&["archive", "hint:"]);
    assert_eq!(project.tables(), "authors,books");
    project.ok(["apply"]);
    project.verify();
}
