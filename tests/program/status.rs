//! `status` compares and changes nothing; no reading command creates anything.

use crate::project::{Project, THREE};

#[test]
fn findings_end_with_one() {
    for (what, code, change) in [
        (
            "edited",
            "edited",
            Box::new(|project: &Project| project.script("1_authors.up.sql", "SELECT 1;"))
                as Box<dyn Fn(&Project)>,
        ),
        (
            "cosmetic",
            "cosmetic",
            Box::new(|project| project.script("1_authors.up.sql", THREE[0].1.replace('\n', "\r\n"))),
        ),
        (
            "way down edited",
            "down-edited",
            Box::new(|project| project.script("1_authors.down.sql", "SELECT 1;")),
        ),
        (
            "missing",
            "missing",
            Box::new(|project| {
                project.remove("migrations/1_authors.up.sql");
                project.remove("migrations/1_authors.down.sql");
            }),
        ),
        ("out of order", "out-of-order", Box::new(|project| project.script("0_early.sql", "SELECT 1;"))),
        ("drifted", "drifted", Box::new(|project| drop(project.sql("CREATE TABLE by_hand (id)")))),
        ("index by hand", "drifted", Box::new(|project| drop(project.sql("DROP INDEX books_author")))),
        (
            "own transaction",
            "transaction-control",
            Box::new(|project| project.script("4_own.sql", "COMMIT;")),
        ),
    ] {
        let project = Project::applied();
        project.ok(["status"]);
        change(&project);
        let found = project.unchanged(|| project.ends(1, ["status", "--json"])).object();
        assert_eq!(found["problems"][0]["code"], code, "{what}");
        project.ends(1, ["status"]).prints(&["problem:", "hint:"]);
    }
}

#[test]
fn rows_are_no_drift_and_pending_is_no_finding() {
    let project = Project::applied();
    project.sql("INSERT INTO authors (name) VALUES ('Grace')");
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["status"]).prints(&["pending", "applied", "entry 3"]);
    project.sql("VACUUM; ANALYZE; REINDEX");
    project.ok(["status"]);
}

#[test]
fn a_change_by_hand_is_found_by_verification_where_it_happened() {
    let project = Project::applied();
    project.sql("CREATE TABLE by_hand (id)");
    project.script("4_more.sql", "CREATE TABLE more (id);");
    project.ok(["apply"]);
    let report = project.ends(1, ["verify", &project.head(), "--json"]).object();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((&findings[0]["seq"], &findings[0]["code"]), (&4.into(), &"schema-changed".into()));
}

#[test]
fn reading_commands_create_nothing() {
    let fresh = Project::with(&THREE);
    let head = fresh.head();
    let reading = |project: &Project, head: &str| {
        project.unchanged(|| {
            for arguments in [
                vec!["status"],
                vec!["audit"],
                vec!["audit", "--record"],
                vec!["log"],
                vec!["log", "--oneline"],
                vec!["show", "0"],
                vec!["head"],
                vec!["verify", head],
                vec!["apply", "--dry-run"],
                vec!["key", "show"],
                vec!["completions", "bash"],
                vec!["man"],
            ] {
                project.ok(&arguments);
            }
        });
    };
    reading(&fresh, &head);
    let mut applied = Project::applied();
    // Openings of what is sealed are recorded.
    applied.variables.retain(|(name, _)| name != "GREFFE_VAULT_KEY");
    reading(&applied, &applied.head());
    let elsewhere = Project::empty();
    let out = elsewhere.path("demo.car");
    applied.unchanged(|| applied.ok(["export".as_ref(), "--out".as_ref(), out.as_os_str()]));
    // In a mode that keeps files beside the database, too.
    applied.sql("PRAGMA journal_mode = WAL");
    applied.ok(["status"]);
    applied.ok(["apply", "--dry-run"]);
}

#[test]
fn without_a_project_nothing_is_created_either() {
    let project = Project::empty();
    project.unchanged(|| {
        for arguments in [
            vec!["status"],
            vec!["audit"],
            vec!["audit", "--record"],
            vec!["log"],
            vec!["show", "0"],
            vec!["head"],
            vec!["apply"],
            vec!["apply", "--dry-run"],
            vec!["rollback", "--steps", "1"],
            vec!["export", "--out", "x.car"],
            vec!["compact"],
            vec!["repair", "1", "--applied"],
            vec!["repair", "--restored"],
        ] {
            project.ends(2, &arguments).says(&["hint:"]);
        }
    });
}

#[test]
fn without_an_archive_nothing_is_created_either() {
    let project = Project::with(&THREE);
    std::fs::remove_dir_all(project.path("archive")).unwrap();
    project.unchanged(|| {
        for arguments in
            [vec!["log"], vec!["show", "0"], vec!["head"], vec!["export", "--out", "x.car"], vec!["compact"]]
        {
            project.ends(3, &arguments).says(&["no archive", "hint:"]);
        }
        project.ok(["status"]).prints(&["no archive yet"]);
    });
    let run = project.ends(3, ["apply"]);
    run.says(&["no archive", "hint:"]);
    assert!(!project.path("archive").exists());
    assert!(!project.path("app.db").exists() || project.tables().is_empty());
}
