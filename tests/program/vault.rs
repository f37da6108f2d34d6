//! The vault: what comes back from a backup, what does not, and what it says when something is wrong with it.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::{Value, json};

use crate::project::{Project, Run, THREE};
use crate::servers::{Database, Postgres};

/// Three entries, two sealed files each.
fn sealed() -> Project {
    applied(Project::with(&THREE))
}

fn applied(project: Project) -> Project {
    let project = project.publishing("sealed");
    project.ok(["apply"]);
    project
}

/// A project that shares the vault of this URL.
fn sharing(url: &str, name: &str) -> Project {
    let mut project = Project::empty();
    project.variables.push(("VAULT_URL".to_owned(), url.to_owned()));
    project.variables.push(("GREFFE_VAULT_URL".to_owned(), "env:VAULT_URL".to_owned()));
    project.ok(["init", "--name", name, "--database", "sqlite:app.db"]);
    project.scripts(&THREE);
    applied(project)
}

fn on_postgres(database: &Database) -> Project {
    let mut project = sharing(&database.url(), "demo");
    project.secrets.push(database.user().password.clone());
    project
}

fn counts(project: &Project) -> Value {
    project.json(&["verify", &project.head(), "--open"])["sealedStates"].clone()
}

fn require(project: &Project, open: u64, sealed: u64, erased: u64) {
    let counts = counts(project);
    let found = (&counts["open"], &counts["sealed"], &counts["erased"]);
    assert_eq!(found, (&json!(open), &json!(sealed), &json!(erased)), "{counts:#}");
}

fn vault_sql(project: &Project, query: &str) -> String {
    project.sql_of(&project.path("greffe.vault.db"), query)
}

fn erase(project: &Project, seq: &str) -> Run {
    project.ok(["erase", "--event", seq, "--basis", "art17.1.a", "--request", "R-1"])
}

fn export(project: &Project) -> String {
    let backup = project.path("vault.age").display().to_string();
    project.ok(["vault", "export", "--out", &backup]);
    backup
}

/// The vault is gone; its owner makes another.
fn lose(project: &Project) {
    project.remove("greffe.vault.db");
    project.ok(["vault", "init"]);
}

fn actor(project: &Project) -> String {
    project.json(&["show", "3"])["event"]["actor"]["pseudonym"].as_str().unwrap().to_owned()
}

#[test]
fn who_was_forgotten_stays_so_after_the_vault_is_lost() {
    let project = sealed();
    let pseudonym = actor(&project);
    project.fed(["vault", "person", &pseudonym], "Jeanne\n");
    let backup = export(&project);
    project.ok(["erase", "--actor", &pseudonym, "--basis", "art17.1.b", "--request", "R-7"]);
    let event = &project.json(&["show", "4"])["event"];
    assert_eq!(event["forgotten"], json!([pseudonym]));
    lose(&project);
    let run = project.ok(["vault", "import", &backup]);
    run.prints(&[
        "0 key(s) came back",
        "6 file(s) that were erased stay erased",
        "1 person(s) stay forgotten",
    ]);
    let run = project.ok(["vault", "person", &pseudonym, "--show"]);
    assert_eq!(run.stdout, "erased\n");
    require(&project, 0, 0, 6);
}

#[test]
fn a_vault_of_two_projects_comes_back_for_each_with_what_its_own_chain_says() {
    let ground = Project::empty();
    let url = format!("sqlite:{}", ground.path("team.db").display());
    let [one, other] = ["one", "other"].map(|name| sharing(&url, name));
    let backup = export(&one);
    erase(&other, "3");
    ground.remove("team.db");
    one.ok(["vault", "init"]);
    let run = one.ok(["vault", "import", &backup]);
    run.prints(&[
        "6 key(s) came back",
        "6 key(s) of other chains were left",
        "greffe vault import",
        "in their projects",
    ]);
    require(&one, 6, 0, 0);
    require(&other, 0, 4, 2);
    other
        .ok(["vault", "import", &backup])
        .prints(&["4 key(s) came back", "2 file(s) that were erased stay erased"]);
    require(&other, 4, 0, 2);
    require(&one, 6, 0, 0);
}

#[test]
fn nothing_comes_back_while_the_chain_cannot_be_read() {
    let project = sealed();
    let backup = export(&project);
    erase(&project, "3");
    lose(&project);
    std::fs::rename(project.path("archive"), project.path("away")).unwrap();
    project.unchanged(|| project.ends(3, ["vault", "import", &backup]));
    assert_eq!(vault_sql(&project, "SELECT count(*) FROM vault_content_key"), "0");
    std::fs::remove_dir_all(project.path("archive")).ok();
    std::fs::rename(project.path("away"), project.path("archive")).unwrap();
    // No state in which what was erased is there: not even before the last statement is run.
    vault_sql(
        &project,
        "CREATE TRIGGER fail BEFORE INSERT ON vault_backup BEGIN SELECT raise(ABORT, 'no'); END",
    );
    project.unchanged(|| project.ends(3, ["vault", "import", &backup]));
    vault_sql(&project, "DROP TRIGGER fail");
    project.ok(["vault", "import", &backup]).prints(&["4 key(s) came back"]);
    let gone = "SELECT count(*) FROM vault_content_key WHERE wrapped IS NULL AND destroyed_at IS NOT NULL";
    assert_eq!(vault_sql(&project, gone), "2");
    require(&project, 4, 0, 2);
}

#[test]
fn an_erasure_after_an_import_is_effective_when_that_backup_is_gone() {
    let project = sealed();
    assert!(!erase(&project, "2").stdout.contains("backup"), "there is none");
    let backup = export(&project);
    lose(&project);
    project.ok(["vault", "import", &backup]);
    erase(&project, "3").prints(&["when the last backup with a key is gone"]);
    let event = &project.json(&["show", "5"])["event"];
    let days = |member: &str| event[member].as_str().unwrap()[..10].to_owned();
    assert!(days("effectiveAt") > days("finishedAt"), "{event:#}");
}

#[test]
fn keys_come_back_into_a_month_that_was_begun_anew() {
    let project = sealed();
    let backup = export(&project);
    lose(&project);
    project.script("4_more.up.sql", "CREATE TABLE more (id INTEGER);");
    project.ok(["apply"]);
    let found = project.ends(1, ["verify", &project.head(), "--open", "--json"]).object();
    assert_eq!(found["sealedStates"]["lost"], 6, "{found:#}");
    project.ok(["vault", "import", &backup]).prints(&["6 key(s) came back"]);
    require(&project, 7, 0, 0);
    project.ok(["vault", "import", &backup]).prints(&["0 key(s) came back"]);
    project.script("5_more.up.sql", "CREATE TABLE yet_more (id INTEGER);");
    project.ok(["apply"]);
    require(&project, 8, 0, 0);
}

#[test]
fn a_chain_that_the_vault_does_not_know_is_sealed_and_not_lost() {
    let (mine, other) = (sealed(), sealed());
    let file = other.path("archive/demo.car").display().to_string();
    let report = mine.json(&["verify", &file, "--open"]);
    assert_eq!(report["findings"], json!([]), "{report:#}");
    assert_eq!((&report["sealedStates"]["sealed"], &report["sealedStates"]["lost"]), (&json!(6), &json!(0)));
}

#[test]
fn a_damaged_vault_is_called_so_and_mended_by_its_backup() {
    let project = sealed();
    let backup = export(&project);
    vault_sql(&project, "UPDATE vault_period SET identity = x'00'");
    let report = project.ends(1, ["verify", &project.head(), "--open", "--json"]).object();
    assert_eq!(report["findings"][0]["code"], "sealed-key-damaged", "{report:#}");
    assert_eq!((&report["sealedStates"]["sealed"], &report["sealedStates"]["lost"]), (&json!(6), &json!(0)));
    let run = project.ends(3, ["show", "3", "--script"]);
    run.says(&["the vault is damaged", "greffe vault import FILE"]);
    project.ok(["vault", "import", &backup]);
    require(&project, 6, 0, 0);
    std::fs::write(project.path("greffe.vault.db"), [b'x'; 4096]).unwrap();
    let run = project.ends(3, ["show", "3", "--script"]);
    run.says(&["no database of SQLite", "greffe vault init", "greffe vault import FILE"]);
    lose(&project);
    project.ok(["vault", "import", &backup]);
    require(&project, 6, 0, 0);
}

#[test]
fn whoever_only_looks_makes_no_vault_of_another_database() {
    let project = sealed();
    let tables = project.sql("SELECT group_concat(name) FROM sqlite_schema");
    project.unchanged(|| {
        for arguments in
            [&["verify", &project.head(), "--open"][..], &["show", "3", "--script"], &["vault", "show"]]
        {
            let run = project.ends(2, arguments.iter().chain(&["--vault", "sqlite:app.db"]));
            run.says(&["no vault at", "greffe vault init"]);
        }
    });
    assert_eq!(project.sql("SELECT group_concat(name) FROM sqlite_schema"), tables);
}

#[test]
fn whoever_only_looks_makes_no_vault_of_another_database_on_a_server() {
    let (database, other) =
        (Postgres::shared().database("vault_there"), Postgres::shared().database("vault_none"));
    let mut project = on_postgres(&database);
    project.variables.push(("OTHER_URL".to_owned(), other.url()));
    let run = project.ends(2, ["verify", &project.head(), "--open", "--vault", "env:OTHER_URL"]);
    run.says(&["no vault at"]);
    assert_eq!(other.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'greffe_vault'"), "0");
}

#[test]
fn a_backup_is_one_state_of_a_vault_on_a_server() {
    let database = Postgres::shared().database("vault_state");
    let project = on_postgres(&database);
    // A table that can be read only where all tables are read in one state, and nothing is written.
    database.sql(
        "ALTER TABLE greffe_vault.vault_hold RENAME TO kept; \
         CREATE VIEW greffe_vault.vault_hold AS SELECT * FROM greffe_vault.kept \
         WHERE 1 / (length(current_setting('transaction_isolation')) - length('read committed')) = 1 \
         AND 1 / (length(current_setting('transaction_read_only')) - length('off')) = -1",
    );
    export(&project);
}

#[test]
fn a_hold_that_was_released_does_not_come_back_and_one_that_does_is_named() {
    let project = sealed();
    project.ok(["vault", "hold", "case-9", "--reason", "lawsuit"]);
    let backup = export(&project);
    project.ok(["vault", "release", "case-9"]);
    let run = project.ok(["vault", "import", &backup]);
    assert!(!run.stdout.contains("case-9"), "{run:#?}");
    erase(&project, "3");
    lose(&project);
    let run = project.ok(["vault", "import", &backup]);
    run.prints(&["the hold case-9 is there again", "greffe vault release case-9"]);
    project.ends(2, ["erase", "--event", "2", "--basis", "art17.1.a", "--request", "R-2"]).says(&["case-9"]);
}

#[test]
fn each_chain_has_its_own_holds_and_a_hold_says_why() {
    let ground = Project::empty();
    let url = format!("sqlite:{}", ground.path("team.db").display());
    for project in ["one", "other"].map(|name| sharing(&url, name)) {
        project.ok(["vault", "hold", "tax", "--reason", "ten years"]);
        let run = project.ends(2, ["vault", "hold", "tax", "--reason", "again"]);
        run.says(&["there is a hold tax already", "greffe vault release tax"]);
        for (name, reason) in [("", "why"), (" ", "why"), ("x", ""), ("x\u{1b}[31m", "why"), ("x", "a\nb")] {
            project.ends(2, ["vault", "hold", name, "--reason", reason]).says(&["a hold needs", "case-9"]);
        }
        project.ok(["vault", "release", "tax"]);
        project.ok(["vault", "hold", "tax", "--reason", "again"]);
    }
}

#[test]
fn files_of_secrets_that_others_may_use_are_named() {
    let mut project = Project::empty();
    project.variables.retain(|(name, _)| name != "GREFFE_VAULT_KEY" && name != "GREFFE_KEY");
    project.ok(["init", "--name", "demo", "--database", "sqlite:app.db", "--plain-key"]);
    project.scripts(&THREE);
    let project = project.publishing("sealed");
    let mode = |name: &str, mode| {
        std::fs::set_permissions(project.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let files = ["greffe.vault.db", "greffe.vault.key", "greffe.key.pem"];
    let run = project.ok(["apply"]);
    assert!(!run.stderr.contains("warning"), "{run:#?}");
    for (file, open) in files.into_iter().zip([0o644, 0o666, 0o640]) {
        mode(file, open);
        let run = project.ok(["show", "3", "--script"]);
        let named = run.stderr.matches(&format!("{file} (mode {open:03o})")).count();
        assert_eq!(named, 1, "{run:#?}");
        run.says(&["warning: others on this machine", "chmod 600"]);
        mode(file, 0o600);
    }
    assert!(!project.ok(["show", "3", "--script"]).stderr.contains("warning"));
}

#[test]
fn a_vault_that_cannot_be_made_says_what_is_in_its_place() {
    let project = sealed();
    project.remove("greffe.vault.db");
    symlink("nowhere/vault.db", project.path("greffe.vault.db")).unwrap();
    project.ends(3, ["vault", "init"]).says(&["a link that leads nowhere", "--vault URL"]);
    project.ends(2, ["show", "3", "--script"]).says(&["no vault at"]);
}

#[test]
fn who_a_pseudonym_is_is_noted_whole_or_not_at_all() {
    let project = sealed();
    let pseudonym = actor(&project);
    for (bytes, code) in [(4096, 0), (4097, 2)] {
        let file = project.path("who");
        std::fs::write(&file, vec![b'a'; bytes]).unwrap();
        let mut command = project.command(["vault", "person", &pseudonym]);
        let run = project.judge(command.stdin(std::fs::File::open(file).unwrap()).output().unwrap());
        assert_eq!(run.code, code, "{run:#?}");
        if code == 2 {
            run.says(&["more than 4096 bytes", "write less"]);
        }
    }
    assert_eq!(project.ok(["vault", "person", &pseudonym, "--show"]).stdout, "a".repeat(4096) + "\n");
}

#[test]
fn a_vault_of_the_first_version_goes_on() {
    let project = sealed();
    let backup = export(&project);
    vault_sql(&project, include_str!("../../migrations/vault/sqlite/20261123000007_holds.down.sql"));
    vault_sql(&project, "DELETE FROM vault_migrations WHERE version = 20261123000007");
    let root = project.json(&["verify", &project.head()])["chain"].as_str().unwrap().to_owned();
    vault_sql(&project, &format!("INSERT INTO vault_hold VALUES ('case', '{root}', NULL, 'lawsuit', 0)"));
    goes_on(&project, &backup);
}

#[test]
fn a_vault_of_the_first_version_goes_on_on_a_server() {
    let database = Postgres::shared().database("vault_first");
    let project = on_postgres(&database);
    let backup = export(&project);
    let down = include_str!("../../migrations/vault/postgres/20261123000008_holds.down.sql");
    let root = project.json(&["verify", &project.head()])["chain"].as_str().unwrap().to_owned();
    database.sql(&format!(
        "SET search_path = greffe_vault; {down} DELETE FROM vault_migrations WHERE version = 20261123000008; \
         INSERT INTO vault_hold VALUES ('case', '{root}', NULL, 'lawsuit', 0)"
    ));
    goes_on(&project, &backup);
}

fn goes_on(project: &Project, backup: &str) {
    // Whoever comes first brings it up to date, and nobody minds.
    let shown: Vec<_> = (0..4).map(|_| project.command(["vault", "show"]).spawn().unwrap()).collect();
    for child in shown {
        let run = project.judge(child.wait_with_output().unwrap());
        assert_eq!(run.code, 0, "{run:#?}");
    }
    require(project, 6, 0, 0);
    project.ends(2, ["erase", "--event", "3", "--basis", "art17.1.a", "--request", "R-1"]).says(&["case"]);
    project.ok(["vault", "release", "case"]);
    erase(project, "3");
    project.ok(["vault", "import", backup]).prints(&["0 key(s) came back"]);
    project.script("4_more.up.sql", "CREATE TABLE more (id INTEGER);");
    project.ok(["apply"]);
    require(project, 5, 0, 2);
}
