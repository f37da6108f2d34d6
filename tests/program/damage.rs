//! Archives and databases that are damaged, gone, older than they were, or cannot be written.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::project::{Project, Run, THREE};
use crate::tools::tool;

/// A project with four events in two appends.
fn appended() -> Project {
    let project = Project::applied();
    project.ok(["rollback", "--steps", "1"]);
    project
}

#[test]
fn a_torn_tail_is_said_and_repaired() {
    let project = appended();
    let whole = project.read("archive/demo.car");
    let head = project.read("archive/demo.head");
    project.script("3_seed.up.sql", THREE[4].1);
    project.ok(["apply"]);
    let longer = project.read("archive/demo.car");
    for length in [whole.len() + 1, whole.len() + 40, longer.len() - 1] {
        // What a crash leaves: a part of the append, a head file and a history that do not know of it.
        let project = appended();
        let before = project.read("archive/demo.car").len();
        let mut torn = project.read("archive/demo.car");
        torn.extend_from_slice(&longer[whole.len()..length]);
        project.write("archive/demo.car", &torn);
        project.ok(["head"]);
        project.ok(["status"]);
        let run = project.ok(["apply"]);
        // Whole blocks of the torn append may stay: they are what their CIDs say.
        run.says(&["note:", "cut off the archive"]);
        assert!(torn.len() > before);
        project.verify();
        assert_eq!(project.story()[4..], ["rollback 3", "apply 3"]);
    }
    assert_ne!(head, project.read("archive/demo.head"));
}

/// A project whose archive is long enough to have an index.
fn indexed() -> Project {
    let project = Project::new();
    for version in 1..=260 {
        project.script(&format!("{version}_t.up.sql"), format!("CREATE TABLE t{version} (id);"));
        project.script(&format!("{version}_t.down.sql"), format!("DROP TABLE t{version};"));
    }
    project.ok(["apply"]);
    assert!(project.path("archive/demo.index").exists());
    project
}

#[test]
fn index_and_head_files_are_made_again() {
    let indexed = indexed();
    let other = Project::applied();
    let (head, entries) = (indexed.head(), indexed.log().len());
    let index = indexed.read("archive/demo.index");
    let flipped = |place: usize| {
        let mut bytes = index.clone();
        bytes[place] ^= 0xff;
        bytes
    };
    let mut changes: Vec<(String, Option<Vec<u8>>)> = vec![
        ("index removed".to_owned(), None),
        ("index emptied".to_owned(), Some(Vec::new())),
        ("index of zeros".to_owned(), Some(vec![0; index.len()])),
        ("index of ones".to_owned(), Some(vec![0xff; index.len()])),
        ("index cut".to_owned(), Some(index[..index.len() / 2].to_vec())),
        ("index of another kind".to_owned(), Some(other.read("archive/demo.car"))),
    ];
    let places = (0..64).step_by(8).chain((64..index.len()).step_by(index.len() / 16));
    changes.extend(places.map(|place| (format!("index flipped at {place}"), Some(flipped(place)))));
    for (name, bytes) in changes {
        let project = indexed.copy();
        match bytes {
            Some(bytes) => project.write("archive/demo.index", bytes),
            None => project.remove("archive/demo.index"),
        }
        assert_eq!(project.unchanged(|| project.head()), head, "{name}");
        assert_eq!(project.log().len(), entries, "{name}");
        project.ok(["rollback", "--steps", "1"]);
        project.verify();
        assert_eq!(project.story().len(), entries + 1, "{name}");
    }
    for name in ["head", "lock"] {
        let project = indexed.copy();
        project.remove(&format!("archive/demo.{name}"));
        assert_eq!(project.unchanged(|| project.head()), head, "{name}");
        project.ok(["rollback", "--steps", "1"]);
        project.verify();
    }
}

#[test]
fn a_head_file_that_lies_is_never_believed() {
    let other = Project::applied();
    for text in
        ["", "\n", "nonsense", "bafy", &format!("{}\n", other.head()), "\0\0\0\0", &"b".repeat(1 << 20)]
    {
        let project = appended();
        let (head, archive) = (project.head(), project.read("archive/demo.car"));
        project.write("archive/demo.head", text);
        let shown = project.unchanged(|| project.run(["head"]));
        if shown.code == 0 {
            assert_eq!(shown.stdout.trim(), head, "{text:.20}");
        } else {
            shown.says(&["error:", "hint:"]);
        }
        let run = project.run(["apply"]);
        if run.code == 0 {
            project.verify();
            assert_eq!(project.story()[4..], ["rollback 3", "apply 3"]);
        } else {
            run.says(&["error:", "hint:"]);
            assert_eq!(project.read("archive/demo.car"), archive);
            assert_eq!(project.sql("SELECT count(*) FROM authors"), "0", "nothing was applied");
        }
    }
}

#[test]
fn damage_in_what_was_complete_is_not_cut() {
    let project = appended();
    let archive = project.read("archive/demo.car");
    for place in (100..archive.len()).step_by(211) {
        for head in [true, false] {
            let project = project.copy();
            let mut bytes = archive.clone();
            bytes[place] ^= 0x10;
            project.write("archive/demo.car", &bytes);
            if !head {
                project.remove("archive/demo.head");
            }
            for arguments in [vec!["log"], vec!["head"], vec!["status"], vec!["export", "--out", "o.car"]] {
                project.run(&arguments);
            }
            project.ends_in_a_finding(&["verify", "archive/demo.car"], place);
            let run = project.run(["apply"]);
            // Either the damaged block was not needed, or the run says what is wrong; nothing is cut. Without the
            // head file, a last block that is damaged is one that a crash has torn: the database knows better.
            let kept = project.read("archive/demo.car").starts_with(&bytes);
            assert!(kept || (!head && run.code == 1), "byte {place}: {run:#?}");
            if run.code != 0 {
                run.says(&["error:"]);
            }
        }
    }
}

impl Project {
    fn ends_in_a_finding(&self, arguments: &[&str], place: usize) {
        let run = self.run(arguments);
        assert!(matches!(run.code, 1 | 3), "byte {place}: {run:#?}");
    }
}

#[test]
fn an_archive_that_lost_its_end_is_not_continued() {
    let project = appended();
    let archive = project.read("archive/demo.car");
    for length in [0, 1, 10, 60, archive.len() / 3, archive.len() / 2, archive.len() - 1] {
        let project = project.copy();
        project.write("archive/demo.car", &archive[..length]);
        let run = project.run(["apply"]);
        assert_ne!(run.code, 0, "{length} bytes: {run:#?}");
        run.says(&["error:"]);
        assert_eq!(project.read("archive/demo.car").len(), length, "nothing was written");
        assert_eq!(project.sql("SELECT count(*) FROM authors"), "0");
    }
}

#[test]
fn an_archive_restored_from_an_older_copy_is_found() {
    let project = Project::applied();
    let older = project.copy();
    project.ok(["rollback", "--steps", "1"]);
    for name in ["car", "head"] {
        project.write(&format!("archive/demo.{name}"), older.read(&format!("archive/demo.{name}")));
    }
    let archive = project.read("archive/demo.car");
    for arguments in [vec!["apply"], vec!["rollback", "--steps", "1"]] {
        project.ends(1, &arguments).says(&["the database knows 5 entries", "only 4", "hint:"]);
    }
    assert_eq!(project.read("archive/demo.car"), archive);
    assert_eq!(project.sql("SELECT count(*) FROM authors"), "0");
}

#[test]
fn a_database_restored_from_an_older_copy_is_found() {
    let project = Project::applied();
    let older = project.read("app.db");
    project.ok(["rollback", "--steps", "2"]);
    project.write("app.db", &older);
    let archive = project.read("archive/demo.car");
    project.script("4_more.sql", "CREATE TABLE more (id);");
    for arguments in [vec!["apply"], vec!["rollback", "--steps", "1"]] {
        project.ends(1, &arguments).says(&["the database does not know", "entry 4 to entry 5", "hint:"]);
    }
    assert_eq!(project.read("archive/demo.car"), archive);
    assert_eq!(project.tables(), "authors,books");
}

#[test]
fn a_database_that_is_gone_between_two_runs_is_found() {
    let project = Project::applied();
    project.remove("app.db");
    project.ends(1, ["apply"]).says(&["the database does not know", "entry 1 to entry 3", "hint:"]);
    assert_eq!(project.story(), ["genesis", "apply 1", "apply 2", "apply 3"]);
    assert_eq!(project.tables(), "", "nothing was applied to the new file");
}

#[test]
fn what_is_no_database_is_refused() {
    for (name, make) in [
        (
            "text",
            Box::new(|project: &Project| project.write("app.db", "this is not a database ".repeat(99)))
                as Box<dyn Fn(&Project)>,
        ),
        ("directory", Box::new(|project| std::fs::create_dir(project.path("app.db")).unwrap())),
        (
            "dangling link",
            Box::new(|project| {
                std::os::unix::fs::symlink("/nonexistent/x/app.db", project.path("app.db")).unwrap()
            }),
        ),
    ] {
        let project = Project::with(&THREE);
        make(&project);
        project.ends(3, ["apply"]).says(&["error:", "database"]);
        let status = project.run(["status"]);
        assert!(matches!(status.code, 0 | 3), "{name}: {status:#?}");
        assert_eq!(project.story(), ["genesis"], "{name}");
    }
    let project = Project::with(&THREE);
    project.ends(3, ["apply", "--database", "sqlite:absent/folder/app.db"]).says(&["error:"]);
}

#[test]
fn a_damaged_database_is_told_and_nothing_is_lost() {
    let project = Project::applied();
    let bytes = project.read("app.db");
    for place in (0..bytes.len()).step_by(509) {
        let project = project.copy();
        let mut damaged = bytes.clone();
        damaged[place..].iter_mut().take(64).for_each(|byte| *byte ^= 0x55);
        project.write("app.db", &damaged);
        project.run(["status"]);
        let run = project.run(["apply"]);
        assert!(matches!(run.code, 0 | 1 | 3), "byte {place}: {run:#?}");
        let run = project.run(["rollback", "--steps", "1"]);
        assert!(matches!(run.code, 0..=3), "byte {place}: {run:#?}");
        project.ok(["verify", &project.head()]);
    }
}

#[test]
fn rows_of_the_history_that_were_changed_by_hand_are_found() {
    for (change, code) in [
        ("UPDATE greffe_history SET record = 'x', seq = NULL, manifest = NULL WHERE position = 3", 3),
        ("UPDATE greffe_history SET record = '{}', seq = NULL, manifest = NULL WHERE position = 3", 3),
        ("UPDATE greffe_history SET id = 'x' WHERE position = 2", 3),
        ("UPDATE greffe_history SET manifest = 'x' WHERE position = 3", 3),
        ("UPDATE greffe_history SET seq = -1 WHERE position = 3", 3),
        ("UPDATE greffe_history SET started_at = 'yesterday' WHERE position = 1", 3),
        ("UPDATE greffe_history SET seq = NULL, manifest = NULL WHERE position = 3", 0),
        ("DELETE FROM greffe_history WHERE position = 3", 1),
        ("UPDATE greffe_history SET seq = 99 WHERE position = 3", 1),
        ("DROP TABLE greffe_history", 1),
        ("DROP TABLE greffe_migrations", 3),
    ] {
        let project = Project::applied();
        let archive = project.read("archive/demo.car");
        project.sql(change);
        project.script("4_more.sql", "CREATE TABLE more (id);");
        let run = project.ends(code, ["apply"]);
        project.run(["status"]);
        if code != 0 {
            run.says(&["error:"]);
            assert_eq!(project.tables(), "authors,books", "{change}");
            assert_eq!(project.read("archive/demo.car"), archive, "{change}");
        } else {
            assert_eq!(project.story(), ["genesis", "apply 1", "apply 2", "apply 3", "apply 4"], "{change}");
        }
        project.ok(["verify", &project.head()]);
    }
}

/// A `sqlite3` that has run `statement` and holds what it took until it is dropped.
struct Holder(std::process::Child);

impl Holder {
    fn new(project: &Project, statement: &str) -> Self {
        let mut command = tool("sqlite3");
        command.arg(project.path("app.db")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{statement};\nSELECT 'held';").unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "held"), "`{statement}` failed");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[test]
fn a_database_that_others_lock_is_told_and_the_next_run_goes_on() {
    let project = Project::applied();
    project.script("4_more.sql", "CREATE TABLE more (id);");
    let holder = Holder::new(&project, "BEGIN EXCLUSIVE");
    let run: Run = project.ends(3, ["apply", "--lock-wait", "0s"]);
    run.says(&["error:", "locked by another program"]);
    project.ends(3, ["status", "--lock-wait", "0s"]).says(&["locked by another program"]);
    project.ok(["log"]);
    drop(holder);
    project.ok(["apply"]);
    let reader = Holder::new(&project, "BEGIN; SELECT count(*) FROM authors");
    project.script("5_more.sql", "CREATE TABLE more5 (id);");
    let run = project.ends(3, ["apply", "--lock-wait", "0s"]);
    run.says(&["locked by another program"]);
    drop(reader);
    project.ok(["apply"]);
    assert_eq!(project.story()[4..], ["apply 4", "apply 5"]);
    project.verify();
}

/// How the program ends below a limit on the size of files, in units of 512 bytes: by the signal of that limit
/// (`None`), or told by the system as it tells of a full disk.
fn limited(project: &Project, blocks: u64, signalled: bool, arguments: &str) -> Option<Run> {
    let trap = if signalled { "" } else { "trap '' XFSZ;" };
    let binary = env!("CARGO_BIN_EXE_greffe");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{trap} ulimit -f {blocks}; exec '{binary}' {arguments}")]);
    project.prepare(&mut shell);
    let output = shell.output().unwrap();
    output.status.code()?;
    Some(project.judge(output))
}

#[test]
fn when_files_cannot_grow_nothing_is_lost() {
    let mut ends = [0; 3];
    for blocks in (1..16).chain((16..96).step_by(8)).chain((96..=256).step_by(32)) {
        for signalled in [true, false] {
            let project = Project::with(&THREE);
            match limited(&project, blocks, signalled, "apply") {
                None => ends[0] += 1,
                Some(run) if run.code == 0 => ends[1] += 1,
                Some(run) => {
                    assert_eq!(run.code, 3, "{blocks}: {run:#?}");
                    run.says(&["error:"]);
                    ends[2] += 1;
                }
            }
            project.ok(["apply"]);
            let story = project.story().into_iter().filter(|line| !line.starts_with("fail"));
            assert_eq!(story.collect::<Vec<_>>(), ["genesis", "apply 1", "apply 2", "apply 3"], "{blocks}");
            assert_eq!(project.sql("SELECT count(*) FROM authors"), "2");
            project.verify();
        }
    }
    assert!(ends.iter().all(|count| *count > 0), "killed, done, told: {ends:?}");
}

/// Runs a script with a file system of its own at `/mnt`; `None` where mounting is not allowed.
fn mounted(project: &Project, options: &str, script: &str) -> Option<Run> {
    let mount = |script: &str| {
        let mut shell = Command::new("unshare");
        shell.args(["-m", "sh", "-c", &format!("mount -t tmpfs -o {options} none /mnt && {script}")]);
        shell
    };
    let allowed = mount("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !allowed {
        // What stands for it then: the limits on the size of files, and the calls that are made to fail.
        println!("mounting is not allowed here");
        return None;
    }
    let mut shell = mount(script);
    project.prepare(&mut shell);
    Some(project.judge(shell.output().unwrap()))
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    let mut told = 0;
    for kilobytes in (120..=208).step_by(4) {
        let project = Project::with(&THREE);
        std::fs::create_dir(project.path("out")).unwrap();
        let out = project.path("out").display().to_string();
        let binary = env!("CARGO_BIN_EXE_greffe");
        let script = format!(
            "cp -r archive migrations greffe.toml greffe.vault.db /mnt && cd /mnt && touch '{out}/fits' && \
             {{ '{binary}' apply >'{out}/first' 2>&1; echo $? >'{out}/code'; mount -o remount,size=4m /mnt; \
             '{binary}' apply && cp -r archive app.db greffe.vault.db '{out}'; }}"
        );
        let Some(run) = mounted(&project, &format!("size={kilobytes}k"), &script) else { return };
        if !project.path("out/fits").exists() {
            continue;
        }
        let text = |name: &str| String::from_utf8(project.read(&format!("out/{name}"))).unwrap();
        let (code, first) = (text("code"), text("first"));
        assert!(
            matches!(code.trim(), "0" | "3") && !first.contains("panicked"),
            "{kilobytes}k: {code}{first}"
        );
        told += u32::from(code.trim() == "3");
        assert_eq!(run.code, 0, "{kilobytes}k: {first} {run:#?}");
        std::fs::remove_dir_all(project.path("archive")).unwrap();
        std::fs::rename(project.path("out/archive"), project.path("archive")).unwrap();
        for file in ["app.db", "greffe.vault.db"] {
            std::fs::rename(project.path(format!("out/{file}")), project.path(file)).unwrap();
        }
        let applied = project.story().into_iter().filter(|line| line.starts_with("apply"));
        assert_eq!(applied.collect::<Vec<_>>(), ["apply 1", "apply 2", "apply 3"], "{kilobytes}k");
        assert_eq!(project.sql("SELECT count(*) FROM authors"), "2");
        project.verify();
    }
    assert!(told > 2, "the disk was full {told} times");
}

#[test]
fn where_nothing_can_be_written_reading_goes_on() {
    let project = Project::applied();
    project.script("4_more.sql", "CREATE TABLE more (id);");
    let binary = env!("CARGO_BIN_EXE_greffe");
    let ends =
        |code: u8, arguments: &str| format!("'{binary}' {arguments}; [ $? = {code} ] || exit {code}9;");
    let reading = ["status", "log", "head", "show 1", "apply --dry-run", "verify archive/demo.car"];
    let reading: String = reading.iter().map(|arguments| ends(0, arguments)).collect();
    let writing =
        ["apply", "rollback --steps 1", "compact", "export --out x.car", "key generate --plain --out k.pem"];
    let writing: String = writing.iter().map(|arguments| ends(3, arguments)).collect();
    let script = format!("cp -r . /mnt && cd /mnt && mount -o remount,ro /mnt; {reading}{writing}");
    if let Some(run) = mounted(&project, "size=4m", &script) {
        assert_eq!(run.code, 0, "{run:#?}");
        assert_eq!(run.stderr.matches("error:").count(), 5, "{run:#?}");
    }
}

#[test]
fn folders_that_cannot_be_written_are_told() {
    // Root writes past permissions; a file in the place of a folder stops everyone.
    let project = Project::empty();
    project.write("archive", "a file");
    project.ends(3, ["init", "--name", "demo", "--database", "sqlite:app.db"]).says(&["archive"]);
    assert!(!project.path("greffe.toml").exists());
    let project = Project::applied();
    project.ends(3, ["export", "--out", "migrations/absent/x.car"]).says(&["x.car"]);
    project.ends(3, ["export", "--out", "migrations"]).says(&["migrations"]);
    project.ends(3, ["export", "--out", "/dev/full/x.car"]);
    let run = project.run(["key", "generate", "--plain", "--out", "absent/k.pem"]);
    assert!(matches!(run.code, 2 | 3), "{run:#?}");
    project.ends(2, ["apply", "--migrations", "absent"]).says(&["absent", "hint:"]);
    project.ends(2, ["apply", "--migrations", "greffe.toml"]).says(&["greffe.toml"]);
}
