//! What an audit finds on a server, and what the other commands that compare say: `schema diff`, `replay`, `verify`.

use serde_json::{Value, json};

use super::{Case, Dump, Engine, Maria, Pg, THREE};

on_both!(
    without_a_difference_nothing_is_found,
    a_schema_that_was_changed_by_hand_is_found_shown_and_recorded,
    an_edited_script_is_found,
    a_row_that_was_removed_from_the_history_is_found,
    rows_that_were_edited_in_the_history_are_found,
    a_history_that_was_edited_by_hand_is_not_built_upon,
    what_stands_among_greffes_own_tables_is_found,
    a_script_that_makes_something_else_elsewhere_is_found_by_a_replay,
    a_verification_replays_and_looks_at_the_database,
    a_database_restored_from_an_old_backup_is_refused_until_a_repair,
    durations_of_statements_are_recorded,
);

const DATABASE: [&str; 2] = ["archive", "database"];

impl Case {
    /// Three migrations, applied.
    fn applied(engine: Engine, hint: &str) -> Self {
        let case = Self::with(engine, hint, &THREE);
        case.project.ok(["apply"]);
        case
    }

    fn history(&self) -> &'static str {
        match self.engine {
            Pg => "greffe.history",
            Maria => "greffe_history",
        }
    }

    /// Findings of an audit that has some; it changes nothing and says what to do about each.
    fn findings(&self) -> Vec<Value> {
        let found = self.project.only_recorded(|| self.project.ends(1, ["audit", "--json"])).object();
        let findings = found["findings"].as_array().unwrap().clone();
        let shown = self.project.ends(1, ["audit"]);
        assert_eq!(shown.stdout.matches("  hint: ").count(), findings.len(), "{shown:#?}");
        findings
    }

    /// Fails unless an audit finds just these, in this order.
    fn finds(&self, codes: &[&str]) -> Vec<Value> {
        let found = self.findings();
        let found_codes: Vec<&str> = found.iter().map(|finding| finding["code"].as_str().unwrap()).collect();
        assert_eq!(found_codes, codes, "{:?}: {found:#?}", self.engine);
        found
    }

    fn finds_nothing(&self) {
        let found = self.project.only_recorded(|| self.project.run(["audit", "--json"]));
        assert_eq!(
            (found.code, &found.object()["findings"]),
            (0, &json!([])),
            "{:?}: {found:#?}",
            self.engine
        );
    }

    /// How the live schema differs from that after an entry, as people see it.
    fn differs_from(&self, seq: &str, texts: &[&str]) {
        let arguments = ["schema", "diff", seq, "--on", "env:REPLAY_URL"];
        self.project.ends(1, arguments).prints(texts);
    }
}

fn without_a_difference_nothing_is_found(engine: Engine) {
    let case = Case::with(engine, "same", &THREE);
    case.finds_nothing();
    case.project.ok(["apply"]);
    case.finds_nothing();
    case.database.sql("INSERT INTO authors VALUES (7, 'Grace')");
    case.project.ok(["rollback", "--steps", "2"]);
    case.project.ok(["apply"]);
    case.finds_nothing();
}

fn a_schema_that_was_changed_by_hand_is_found_shown_and_recorded(engine: Engine) {
    let case = Case::applied(engine, "byhand");
    let project = &case.project;
    // PostgreSQL's client would make it in the schema that is called as its user.
    let table = if engine == Pg { "public.by_hand" } else { "by_hand" };
    case.database.sql(&format!("CREATE TABLE {table} (id INTEGER)"));
    let found = case.finds(&["drifted"]);
    assert_ne!(found[0]["expected"], found[0]["found"]);
    assert_eq!(found[0]["between"], json!(DATABASE));
    case.differs_from("3", &["by_hand", "+ ", "id"]);
    case.database.sql(&format!("DROP TABLE {table}"));
    case.finds_nothing();
    project.ok(["schema", "diff", "3", "--on", "env:REPLAY_URL"]);
    case.database.sql(match engine {
        Pg => "ALTER TABLE authors ALTER COLUMN name TYPE VARCHAR(81)",
        Maria => "ALTER TABLE authors MODIFY name VARCHAR(81) NOT NULL",
    });
    case.finds(&["drifted"]);
    case.differs_from("3", &["authors", "- ", "80)", "+ ", "81)"]);
    let recorded = project.json(&["audit", "--record"]);
    assert_eq!((&recorded["recorded"][0]["event"], &recorded["findings"]), (&json!("drift"), &json!([])));
    case.finds_nothing();
    assert_eq!(project.story()[4..], ["drift"]);
    let log = project.log();
    assert_eq!(log[4]["schema"]["before"], log[3]["schema"]["after"]);
    project.verify();
    assert_eq!(project.json(&["verify", &project.head(), "--live"])["established"]["live"], true);
    project.script("4_more.sql", "CREATE TABLE more (id INTEGER);\n");
    project.ok(["apply"]);
    case.finds_nothing();
    project.verify();
}

fn an_edited_script_is_found(engine: Engine) {
    let case = Case::applied(engine, "script");
    case.project.script("2_books.up.sql", THREE[2].1.replace("author INTEGER", "author BIGINT"));
    let found = case.finds(&["edited"]);
    assert_eq!(
        (&found[0]["between"], &found[0]["difference"]),
        (&json!(["archive", "folder"]), &json!("edited"))
    );
    case.project.script("2_books.up.sql", format!("-- other words\n{}", THREE[2].1));
    assert_eq!(case.finds(&["comments"])[0]["difference"], "comments");
    case.project.remove("migrations/2_books.up.sql");
    case.project.remove("migrations/2_books.down.sql");
    assert_eq!(case.finds(&["missing"])[0]["version"], "2");
}

fn a_row_that_was_removed_from_the_history_is_found(engine: Engine) {
    let case = Case::applied(engine, "removed");
    case.database.sql(&format!("DELETE FROM {} WHERE position = 2", case.history()));
    let found = case.finds(&["position-gap", "no-row", "applied-differs"]);
    assert_eq!((&found[1]["seq"], &found[2]["version"]), (&json!(2), &json!("2")));
}

fn rows_that_were_edited_in_the_history_are_found(engine: Engine) {
    let case = Case::applied(engine, "edited");
    let table = case.history();
    let first = format!("(SELECT d FROM (SELECT up_digests AS d FROM {table} WHERE position = 1) AS one)");
    case.database.sql(&format!("UPDATE {table} SET up_digests = {first} WHERE position = 3"));
    let found = case.finds(&["row-differs", "not-as-recorded"]);
    assert_eq!((&found[0]["member"], &found[0]["position"]), (&json!("up_digests"), &json!(3)));
    case.database.sql(&format!("UPDATE {table} SET name = 'other', state = 'partial' WHERE position = 2"));
    let found = case.findings();
    let members: Vec<&Value> =
        found.iter().filter(|one| one["position"] == 2).map(|one| &one["member"]).collect();
    assert_eq!(members, ["name", "state"], "{found:#?}");
}

/// What a run needs of the history is not what was signed: nothing is appended.
fn a_history_that_was_edited_by_hand_is_not_built_upon(engine: Engine) {
    for edit in ["DELETE FROM {} WHERE position = 3", "UPDATE {} SET seq = 99 WHERE position = 3"] {
        let case = Case::applied(engine, "forged");
        case.project.script("4_more.sql", "CREATE TABLE more (id INTEGER);\n");
        case.database.sql(&edit.replace("{}", case.history()));
        let archive = case.project.read("archive/demo.car");
        for arguments in [&["apply"][..], &["rollback", "--steps", "1"], &["audit", "--record"]] {
            case.project.ends(1, arguments);
        }
        assert_eq!(case.project.read("archive/demo.car"), archive);
        assert_eq!(case.tables(), "authors,books");
    }
}

/// They would run inside greffe's own transactions, and no fingerprint shows them on PostgreSQL.
fn what_stands_among_greffes_own_tables_is_found(engine: Engine) {
    let case = Case::applied(engine, "hidden");
    let (make, drop, named) = match engine {
        Pg => (
            "CREATE FUNCTION greffe.evil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER evil BEFORE INSERT ON greffe.history FOR EACH ROW EXECUTE FUNCTION greffe.evil(); \
             CREATE TABLE greffe.smuggled (id integer PRIMARY KEY); CREATE TYPE greffe.kind AS ENUM ('a'); \
             COMMENT ON SCHEMA greffe IS 'x'; ALTER TABLE greffe.migrations DROP CONSTRAINT migrations_pkey",
            "DROP FUNCTION greffe.evil() CASCADE; DROP TABLE greffe.smuggled; DROP TYPE greffe.kind; \
             COMMENT ON SCHEMA greffe IS NULL; ALTER TABLE greffe.migrations ADD PRIMARY KEY (version)",
            &[
                "enum greffe.kind",
                "function greffe.evil()",
                "index greffe.migrations_pkey",
                "index greffe.smuggled_pkey",
                "schema greffe",
                "table greffe.history",
                "table greffe.migrations",
                "table greffe.smuggled",
            ][..],
        ),
        Maria => (
            "ALTER TABLE greffe_history ADD COLUMN evil INTEGER, ADD INDEX evil (version(9)); \
             ALTER TABLE greffe_migrations MODIFY description LONGTEXT NOT NULL DEFAULT 'x'",
            "ALTER TABLE greffe_history DROP COLUMN evil, DROP INDEX evil; \
             ALTER TABLE greffe_migrations MODIFY description TEXT NOT NULL",
            &["table greffe_history", "table greffe_migrations"][..],
        ),
    };
    case.database.sql(make);
    let codes = vec!["own-object"; named.len()];
    let found = case.finds(&codes);
    let names: Vec<String> = found
        .iter()
        .map(|one| format!("{} {}", one["kind"].as_str().unwrap(), one["name"].as_str().unwrap()))
        .collect();
    assert_eq!(names, named);
    case.project.ends(1, ["audit"]).prints(&["is not as greffe made it", "evil", "no fingerprint shows it"]);
    case.database.sql(drop);
    case.finds_nothing();
    if engine == Maria {
        // A trigger is part of the fingerprint too; recorded as drift, it is still told.
        case.database.sql(
            "CREATE TRIGGER evil BEFORE INSERT ON greffe_history FOR EACH ROW SET NEW.name = UPPER(NEW.name)",
        );
        case.finds(&["drifted", "own-object"]);
        case.project.ends(1, ["audit", "--record"]).prints(&["trigger evil"]);
        let found = case.findings();
        let told = found.iter().filter(|one| one["code"] == "own-object");
        assert!(told.map(|one| &one["name"]).eq([&json!("evil")]), "{found:#?}");
    }
}

#[test]
fn mariadb_what_may_not_be_read_of_the_history_is_an_error() {
    let case = Case::applied(Maria, "rights");
    let columns = "position, id, event, direction, state, version, name, started_at, finished_at, up_digests, \
                   down_digests, schema_after, seq, manifest, trust";
    case.database
        .sql("UPDATE greffe_history SET seq = NULL, manifest = NULL, trust = NULL WHERE position = 3");
    let administrator = case.database.administrator();
    let name = case.database.name();
    let grants = format!(
        "CREATE USER looker@localhost IDENTIFIED BY 'geheim-looker'; \
         GRANT SELECT ON `{name}`.greffe_migrations TO looker@localhost; \
         GRANT SELECT ({columns}) ON `{name}`.greffe_history TO looker@localhost"
    );
    case.database.sql_as(administrator, &grants).unwrap();
    let looker = crate::servers::Login { user: "looker".to_owned(), password: "geheim-looker".to_owned() };
    let audit = || {
        let url = case.database.url_as(&looker);
        case.project.judge(case.project.command(["audit"]).env("DATABASE_URL", url).output().unwrap())
    };
    let run = audit();
    assert_eq!(run.code, 3, "{run:#?}");
    run.says(&["cannot read or write the history", "1143"]);
    let grants = format!("GRANT SELECT ON `{name}`.* TO looker@localhost");
    case.database.sql_as(administrator, &grants).unwrap();
    let run = audit();
    assert_eq!(run.code, 0, "{run:#?}");
    run.prints(&["1 event(s) wait", "no difference"]);
}

fn a_script_that_makes_something_else_elsewhere_is_found_by_a_replay(engine: Engine) {
    let case = Case::with(engine, "origin", &THREE);
    case.project.script(
        "4_differs.sql",
        match engine {
            Pg => {
                "DO $$ BEGIN IF current_database() LIKE 'origin%' THEN CREATE TABLE only_here (id integer); END IF; \
                 END $$;\n"
            }
            Maria => {
                "DELIMITER //\nCREATE PROCEDURE make()\nBEGIN\n  IF DATABASE() LIKE 'origin%' THEN\n    \
                 CREATE TABLE only_here (id INTEGER);\n  END IF;\nEND//\nDELIMITER ;\nCALL make();\n\
                 DROP PROCEDURE make;\n"
            }
        },
    );
    case.project.script("5_more.sql", "CREATE TABLE more (id INTEGER);\n");
    case.project.ok(["apply"]);
    let head = case.project.head();
    let arguments = ["replay", &head, "--on", "env:REPLAY_URL"];
    let run = case.project.ends(1, arguments.iter().chain(&["--json"]));
    let stopped = &run.object()["stopped"];
    assert_eq!((&stopped["seq"], &stopped["code"]), (&json!(4), &json!("different")), "{stopped:#}");
    // The archive has the digest of the signed schema alone; what is shown is what the script changed here.
    assert_eq!(stopped["changes"], json!([]), "{stopped:#}");
    case.project.ends(1, arguments).prints(&["NOT replayed"]);
    let run = case.project.ends(1, ["verify", &head, "--replay", "--on", "env:REPLAY_URL", "--json"]);
    assert_eq!(run.object()["established"]["replayed"], false, "{run:#?}");
    // The same the other way round: there it makes a table that is not here.
    let case = Case::with(engine, "mirror", &THREE);
    let odd = match engine {
        Pg => {
            "DO $$ BEGIN IF current_database() NOT LIKE 'mirror%' THEN CREATE TABLE only_there (id integer); END IF; \
             END $$;\n"
        }
        Maria => {
            "DELIMITER //\nCREATE PROCEDURE make()\nBEGIN\n  IF DATABASE() NOT LIKE 'mirror%' THEN\n    \
             CREATE TABLE only_there (id INTEGER);\n  END IF;\nEND//\nDELIMITER ;\nCALL make();\nDROP PROCEDURE make;\n"
        }
    };
    case.project.script("4_differs.sql", odd);
    case.project.ok(["apply"]);
    case.project.ends(1, ["replay", &case.project.head(), "--on", "env:REPLAY_URL"]).prints(&[
        "NOT replayed",
        "only_there",
        "+ ",
    ]);
}

fn a_verification_replays_and_looks_at_the_database(engine: Engine) {
    let case = Case::applied(engine, "verified");
    case.project.ok(["rollback", "--steps", "2"]);
    case.project.ok(["apply"]);
    let head = case.project.head();
    let arguments = ["verify", &head, "--replay", "--on", "env:REPLAY_URL", "--live"];
    let report = case.project.json(&arguments);
    let established = &report["established"];
    assert_eq!((&established["replayed"], &established["live"]), (&json!(true), &json!(true)), "{report:#}");
    case.database.sql("ALTER TABLE books ADD COLUMN by_hand INTEGER");
    let run = case.project.ends(1, arguments.iter().chain(&["--json"]));
    let established = &run.object()["established"];
    assert_eq!((&established["replayed"], &established["live"]), (&json!(true), &json!(false)), "{run:#?}");
}

fn a_database_restored_from_an_old_backup_is_refused_until_a_repair(engine: Engine) {
    let mut case = Case::applied(engine, "before");
    let backup = case.database.dump(Dump::Full);
    case.project.script("4_more.up.sql", "CREATE TABLE more (id INTEGER);\n");
    case.project.script("4_more.down.sql", "DROP TABLE more;\n");
    case.project.ok(["apply"]);
    let restored = engine.shared().database("after");
    restored.restore(&backup);
    case.project.variables.retain(|(name, _)| name != "DATABASE_URL");
    case.project.variables.push(("DATABASE_URL".to_owned(), restored.url()));
    case.database = restored;
    let project = &case.project;
    let archive = project.read("archive/demo.car");
    for arguments in [vec!["apply"], vec!["rollback", "--steps", "1"], vec!["audit", "--record"]] {
        project.ends(1, &arguments).says(&["the database does not know", "greffe repair --restored"]);
    }
    case.finds(&["history-behind", "applied-differs"]);
    assert_eq!(project.read("archive/demo.car"), archive);
    assert_eq!(case.tables(), "authors,books");
    let done = project.json(&["repair", "--restored"]);
    assert_eq!(done["lost"], json!([4]));
    assert_eq!(project.story()[4..], ["apply 4", "repair 4"]);
    case.finds_nothing();
    project.ok(["status"]);
    project.verify();
    project.ok(["apply"]);
    assert_eq!(case.tables(), "authors,books,more");
    case.finds_nothing();
    project.verify();
}

fn durations_of_statements_are_recorded(engine: Engine) {
    let case = Case::new(engine, "duration");
    let bare = "-- no-transaction\n";
    for (number, header) in [(1, ""), (2, bare)] {
        let text = format!("{header}CREATE TABLE t{number} (id INTEGER);\n{}\n", engine.sleep(1));
        case.project.script(&format!("{number}_slow.sql"), text);
    }
    case.project.ok(["apply"]);
    for (event, number) in case.project.log()[1..].iter().zip([1, 2]) {
        let statements = event["statements"].as_array().unwrap();
        let kinds: Vec<&Value> = statements.iter().map(|statement| &statement["kind"]).collect();
        assert_eq!(kinds, ["CREATE TABLE", "SELECT"]);
        let durations: Vec<u64> =
            statements.iter().map(|statement| statement["durationUs"].as_u64().unwrap()).collect();
        // PostgreSQL answers the statements of one transaction together.
        let slow = if engine == Pg && number == 1 { durations.iter().sum() } else { durations[1] };
        assert!((900_000..60_000_000).contains(&slow), "{event:#}");
    }
}
