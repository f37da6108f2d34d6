//! What a guard notes and leaves out, what becomes of it, and that it is in nobody's way.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Guarded, objects};
use crate::engines::THREE;
use crate::servers::{Dump, Postgres};

/// All that catalogs have, but for what the server itself counts.
const CATALOGS: &str = "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
    SELECT 'n ' || oid || coalesce(nspacl::text, '') AS line FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
    UNION ALL SELECT 'c ' || oid || relname || coalesce(relacl::text, '') FROM pg_class
        WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_(toast_)?temp')
    UNION ALL SELECT 'p ' || oid || proname FROM pg_proc
    UNION ALL SELECT 't ' || oid || typname FROM pg_type
    UNION ALL SELECT 'e ' || oid || evtname FROM pg_event_trigger
    UNION ALL SELECT 'k ' || oid || conname FROM pg_constraint
    UNION ALL SELECT 'a ' || oid FROM pg_attrdef
    UNION ALL SELECT 'd ' || classid || ' ' || objid || ' ' || refobjid || deptype::text FROM pg_depend
    UNION ALL SELECT 's ' || classid || ' ' || objid || ' ' || refobjid FROM pg_shdepend
        WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT 'g ' || setdatabase || setrole || setconfig::text FROM pg_db_role_setting
    UNION ALL SELECT 'r ' || rolname FROM pg_roles
) AS all_of_it";

fn digest(guarded: &Guarded) -> Value {
    guarded.project.json(&["schema", "show"])["digest"].clone()
}

#[test]
fn it_is_no_part_of_the_schema_and_leaves_nothing_behind() {
    let guarded = Guarded::without_guard("guardtrace", &THREE);
    guarded.project.ok(["apply"]);
    let (schema, catalogs) = (digest(&guarded), guarded.admin(CATALOGS));
    guarded.install(&[]);
    assert_ne!(guarded.admin(CATALOGS), catalogs);
    assert_eq!(digest(&guarded), schema);
    guarded.project.ok(["audit"]).prints(&["no difference"]);
    let said = guarded.project.ok(["guard", "remove", "--database", "env:ADMIN_URL"]);
    said.prints(&["no guard is installed"]).says(&["four event triggers", "No other object is touched"]);
    assert_eq!((digest(&guarded), guarded.admin(CATALOGS)), (schema, catalogs));
    // What is not there is removed at once.
    guarded.project.ok(["guard", "remove", "--database", "env:ADMIN_URL"]);
    // What others made there is not removed with it.
    guarded.install(&[]);
    guarded.admin("CREATE TABLE greffe_guard.of_others ()");
    guarded
        .project
        .ends(3, ["guard", "remove", "--discard", "--database", "env:ADMIN_URL"])
        .says(&["remove the guard"]);
    assert!(guarded.project.ends(1, ["audit"]).stdout.contains("greffe_guard.of_others"));
}

#[test]
fn each_statement_is_noted_once_by_role_and_object() {
    let guarded = Guarded::on("guardnoted", &[]);
    guarded.admin(
        "DO $$ BEGIN CREATE ROLE guard_other; CREATE ROLE guard_plain LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         GRANT guard_other TO guard_plain; GRANT CREATE, USAGE ON SCHEMA public TO guard_plain, guard_other;",
    );
    let from = guarded.changes(1, &[])["cursor"].as_str().unwrap().to_owned();
    guarded.admin(
        "SET SESSION AUTHORIZATION guard_plain;
         CREATE TABLE public.a (id serial PRIMARY KEY, n integer UNIQUE);
         CREATE TABLE IF NOT EXISTS public.a (id integer);
         CREATE TEMP TABLE gone (id serial PRIMARY KEY); CREATE INDEX ON gone (id); DROP TABLE gone;
         SELECT 1 AS x INTO TEMP other_gone;
         BEGIN; CREATE TABLE public.rolled_back (); ROLLBACK;
         BEGIN; SAVEPOINT s; CREATE TABLE public.undone (); ROLLBACK TO s; CREATE TABLE public.stays (); COMMIT;
         SET ROLE guard_other;
         CREATE FUNCTION public.f() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN CREATE TABLE public.inside (); END$$;
         RESET ROLE;
         SELECT public.f();
         CREATE TABLE public.p (x integer) PARTITION BY RANGE (x);
         CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES FROM (0) TO (1);
         ALTER TABLE public.p ADD COLUMN y integer;
         DROP TABLE public.p;
         CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS x;
         REFRESH MATERIALIZED VIEW public.m;
         GRANT SELECT ON public.a TO guard_other;
         RESET SESSION AUTHORIZATION;
         SET session_replication_role = replica; CREATE TABLE public.replica ();",
    );
    let changes = guarded.changes(1, &["--since", &from]);
    assert_eq!(
        objects(&changes),
        [
            "CREATE TABLE public.a",
            "CREATE TABLE public.stays",
            "CREATE FUNCTION public.f()",
            "CREATE TABLE public.inside",
            "CREATE TABLE public.p",
            "CREATE TABLE public.p1",
            "ALTER TABLE public.p",
            "DROP TABLE public.p",
            "CREATE MATERIALIZED VIEW public.m",
            "GRANT -",
            "CREATE TABLE public.replica",
        ]
    );
    let who = |place: usize| {
        let change = &changes["changes"][place];
        format!("{} {}", change["sessionRole"].as_str().unwrap(), change["role"].as_str().unwrap())
    };
    assert_eq!(
        [who(0), who(2), who(3)],
        ["guard_plain guard_plain", "guard_plain guard_other", "guard_plain guard_other"]
    );

    let from = changes["cursor"].as_str().unwrap().to_owned();
    guarded.admin("CREATE EXTENSION pg_trgm; DROP EXTENSION pg_trgm; CREATE SCHEMA s CREATE TABLE t (); DROP SCHEMA s CASCADE");
    let changes = guarded.changes(1, &["--since", &from]);
    assert_eq!(
        objects(&changes),
        ["CREATE EXTENSION pg_trgm", "DROP EXTENSION pg_trgm", "CREATE SCHEMA s", "DROP SCHEMA s"]
    );
    assert!(changes["changes"][1]["others"].as_u64().unwrap() > 10, "{changes:#}");

    // Neither values nor texts are anywhere.
    guarded.admin("CREATE TABLE public.secret (x text DEFAULT 'geheim-wort')");
    let dumped = guarded.admin("SELECT c::text FROM greffe_guard.changes AS c");
    assert!(dumped.contains("public.secret") && !dumped.contains("geheim-wort"), "{dumped}");
}

#[test]
fn names_with_any_characters_stay_in_their_line() {
    let guarded = Guarded::on("guardnames", &[]);
    guarded.admin("CREATE TABLE public.\"a\n0 change(s), 0 out of band\u{1b}[31m\u{202e}\" ()");
    let shown = guarded.project.ends(1, ["guard", "changes"]).stdout;
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    assert!(!shown.lines().any(|line| line.starts_with("0 change(s)")), "{shown}");
    assert!(guarded.last(1)["identity"].as_str().unwrap().contains("\n0 change(s)"));
}

#[test]
fn what_cannot_be_noted_is_let_through_and_counted_or_refused() {
    let guarded = Guarded::on("guardfails", &THREE);
    guarded.project.ok(["apply"]);
    guarded.admin("ALTER TABLE greffe_guard.changes RENAME TO changes_away");
    guarded.database.sql("CREATE TABLE public.unnoted ()");
    guarded.project.script("4_more.up.sql", "CREATE TABLE public.through_greffe (id integer);");
    guarded.project.ok(["apply"]);
    assert!(guarded.faults().contains(&"gone greffe_guard.changes".to_owned()), "{:?}", guarded.faults());
    guarded.admin("ALTER TABLE greffe_guard.changes_away RENAME TO changes");
    assert!(guarded.status(0)["guard"]["missed"].as_u64().unwrap() >= 2);
    guarded.project.ends(1, ["guard", "changes"]).prints(&["change(s) could not be noted"]);

    // Who holds the table holds up nobody for long.
    thread::scope(|scope| {
        let holder = scope.spawn(|| {
            guarded.admin(
                "BEGIN; LOCK TABLE greffe_guard.changes IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(6); COMMIT",
            )
        });
        let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
        while guarded.admin(sleeps) != "1" {
            thread::sleep(Duration::from_millis(20));
        }
        let begin = Instant::now();
        guarded.database.sql("CREATE TABLE public.waited ()");
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        holder.join().unwrap();
    });

    guarded.install(&["--strict"]);
    guarded.admin("ALTER TABLE greffe_guard.changes ADD CHECK (command <> 'CREATE VIEW')");
    let refused =
        guarded.database.sql_as(guarded.database.user(), "CREATE VIEW public.refused AS SELECT 1 AS x");
    assert!(
        refused.as_ref().is_err_and(|error| error.contains("greffe could not note this change")),
        "{refused:?}"
    );
    guarded.database.sql("CREATE TABLE public.allowed ()");
}

#[test]
fn only_so_many_are_kept_and_the_rest_is_counted() {
    let guarded = Guarded::on("guardmany", &[]);
    guarded.install(&["--keep", "100"]);
    thread::scope(|scope| {
        for part in 0..4 {
            let guarded = &guarded;
            let make = format!(
                "DO $$ BEGIN FOR i IN 1..200 LOOP EXECUTE format('CREATE VIEW public.v_{part}_%s AS SELECT 1 AS x', i); \
                 END LOOP; END $$"
            );
            scope.spawn(move || guarded.database.sql(&make));
        }
    });
    guarded.database.sql("DO $$ BEGIN FOR i IN 1..101 LOOP EXECUTE format('CREATE VIEW public.w_%s AS SELECT 1 AS x', i); END LOOP; END $$");
    let changes = guarded.changes(1, &[]);
    let (kept, removed) =
        (changes["changes"].as_array().unwrap().len() as u64, changes["removed"].as_u64().unwrap());
    assert!(kept <= 210, "{kept}");
    assert_eq!(kept + removed, 901, "none is lost uncounted");
    assert_eq!(changes["missed"], 0);
    guarded.project.ends(1, ["guard", "changes"]).prints(&["older change(s) were noted and are gone"]);
}

#[test]
fn what_a_long_transaction_noted_is_not_skipped() {
    let guarded = Guarded::on("guardlong", &[]);
    thread::scope(|scope| {
        let slow = scope
            .spawn(|| guarded.database.sql("BEGIN; CREATE TABLE public.slow (); SELECT pg_sleep(5); COMMIT"));
        let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
        while guarded.admin(sleeps) != "1" {
            thread::sleep(Duration::from_millis(20));
        }
        guarded.database.sql("CREATE TABLE public.quick ()");
        let first = guarded.changes(1, &[]);
        assert_eq!(objects(&first), ["CREATE TABLE public.quick"]);
        slow.join().unwrap();
        let cursor = first["cursor"].as_str().unwrap();
        let then = guarded.changes(1, &["--since", cursor]);
        assert!(objects(&then).contains(&"CREATE TABLE public.slow".to_owned()), "{then:#}");
        let cursor = then["cursor"].as_str().unwrap();
        assert_eq!(objects(&guarded.changes(0, &["--since", cursor])), [] as [&str; 0]);
    });
}

#[test]
fn what_was_turned_off_changed_or_taken_shows() {
    let guarded = Guarded::on("guardoff", &THREE);
    let project = &guarded.project;
    project.ok(["apply"]);
    guarded.admin("ALTER EVENT TRIGGER greffe_guard_drop DISABLE");
    assert_eq!(guarded.faults(), ["disabled event trigger greffe_guard_drop"]);
    project
        .ends(1, ["guard", "status"])
        .prints(&["event trigger greffe_guard_drop is disabled", "greffe guard install"]);
    project.ends(1, ["audit"]).prints(&["the schema"]);
    guarded.admin("ALTER EVENT TRIGGER greffe_guard_drop ENABLE");
    assert_eq!(
        guarded.faults(),
        ["disabled event trigger greffe_guard_drop"],
        "it does not fire for who is a replica"
    );
    guarded.install(&[]);
    guarded.admin("DROP EVENT TRIGGER greffe_guard_define");
    assert_eq!(guarded.faults(), ["gone event trigger greffe_guard_define"]);
    guarded.install(&[]);
    guarded.admin(
        "CREATE OR REPLACE FUNCTION greffe_guard.schema_changed() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$",
    );
    assert_eq!(guarded.faults(), ["replaced function greffe_guard.schema_changed"]);
    project.ends(1, ["audit"]).prints(&["greffe_guard.schema_changed()"]);
    guarded.install(&[]);
    guarded.admin("GRANT DELETE ON greffe_guard.changes TO greffe");
    assert_eq!(guarded.faults(), ["writable table changes"]);
    guarded.admin("ALTER FUNCTION greffe_guard.role_seen() OWNER TO greffe");
    assert!(guarded.faults().contains(&"owned greffe_guard.role_seen".to_owned()), "{:?}", guarded.faults());
    project
        .ends(3, ["guard", "install", "--database", "env:ADMIN_URL"])
        .says(&["greffe_guard.role_seen is there already and belongs to greffe"]);
    guarded.admin("ALTER FUNCTION greffe_guard.role_seen() OWNER TO postgres");
    guarded.install(&[]);
    assert_eq!(guarded.status(0)["faults"], json!([]));
    project.ok(["audit"]).prints(&["no difference"]);

    if guarded.admin("SELECT current_setting('server_version_num')::integer >= 170000") == "t" {
        guarded.admin("SET event_triggers = off; CREATE TABLE public.unseen ()");
        assert_ne!(
            guarded.changes(1, &[])["changes"].as_array().unwrap().last().unwrap()["identity"],
            "public.unseen"
        );
        project.ends(1, ["audit"]).prints(&["the schema"]);
        guarded.admin(&format!("ALTER DATABASE \"{}\" SET event_triggers = off", guarded.database.name()));
        assert!(guarded.faults().iter().all(|fault| fault.starts_with("off")), "{:?}", guarded.faults());
        project.ends(1, ["guard", "status"]).prints(&["event triggers are off for database guardoff"]);
    }
}

#[test]
fn a_schema_that_somebody_made_before_is_not_trusted() {
    let guarded = Guarded::without_guard("guardforeign", &[]);
    guarded.database.sql("CREATE SCHEMA greffe_guard");
    guarded
        .project
        .ends(3, ["guard", "install", "--database", "env:ADMIN_URL"])
        .says(&["schema greffe_guard is there already and belongs to greffe"]);
    let sql = guarded.project.ok(["guard", "install", "--print-sql"]).stdout;
    let refused = guarded.database.sql_as(guarded.database.administrator(), &sql);
    assert!(refused.as_ref().is_err_and(|error| error.contains("belongs to another role")), "{refused:?}");
    assert_eq!(guarded.admin("SELECT count(*) FROM pg_event_trigger"), "0");
    guarded.database.sql("DROP SCHEMA greffe_guard");
    // Default privileges of the database give nobody a right on it.
    guarded.admin("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO greffe; ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC");
    guarded.project.ok(["guard", "install", "--database", "env:ADMIN_URL"]);
    guarded.admin("GRANT USAGE ON SCHEMA greffe_guard TO greffe");
    for statement in ["DELETE FROM greffe_guard.changes", "SELECT nextval('greffe_guard.missed')"] {
        let refused = guarded.database.sql_as(guarded.database.user(), statement);
        assert!(
            refused.as_ref().is_err_and(|error| error.contains("permission denied")),
            "{statement}: {refused:?}"
        );
    }
}

#[test]
fn a_dump_with_a_guard_loads_again() {
    let guarded = Guarded::on("guarddump", &THREE);
    guarded.project.ok(["apply"]);
    guarded.database.sql("CREATE TABLE public.by_hand ()");
    for format in [Dump::Full, Dump::Custom] {
        let copy = Postgres::shared().database("guardcopy");
        copy.restore(&guarded.database.dump(format));
        let mut project = guarded.project.copy();
        project.variables.push(("COPY_URL".to_owned(), copy.url_as(copy.administrator())));
        let status = project.ok(["guard", "status", "--json", "--database", "env:COPY_URL"]).object();
        assert_eq!((&status["faults"], &status["id"]), (&json!([]), &guarded.status(0)["id"]));
        copy.sql("CREATE TABLE public.there ()");
        let changes = project.ends(1, ["guard", "changes", "--json", "--database", "env:COPY_URL"]).object();
        assert_eq!(objects(&changes), {
            let mut all = objects(&guarded.changes(1, &[]));
            all.push("CREATE TABLE public.there".to_owned());
            all
        });
    }
}
