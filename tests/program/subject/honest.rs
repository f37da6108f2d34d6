//! What a receipt says is so: triggers, foreign keys that nobody sees, logs.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use super::*;

on_each!(
    what_triggers_bring_back_is_erased_or_nothing_is,
    rows_that_are_kept_do_not_go_with_others,
    rows_that_are_kept_are_not_called_erased,
    a_receipt_that_cannot_be_written_stops_the_erasure,
    a_plan_that_nobody_saw_is_refused,
    only_the_same_bytes_lead_to_a_person,
);

const AUDITED: &str = "
CREATE TABLE client (id INTEGER PRIMARY KEY, nom VARCHAR(80) NOT NULL, courriel VARCHAR(120) NOT NULL UNIQUE);
CREATE TABLE journal (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, ancien VARCHAR(80) NOT NULL);
CREATE TABLE envoi (id INTEGER PRIMARY KEY, courriel VARCHAR(120) NOT NULL);
";

const AUDITED_MAP: &str = "
version: 1
person: client.id
tables:
  client:
    erase: anonymise
    columns:
      id:       {class: technical, export: true}
      nom:      {class: identifier, export: true, replace: anonyme}
      courriel: {class: contact, export: true}
  journal:
    via: client.id -> client_id
    erase: delete
    columns:
      id:        {class: technical, export: false}
      client_id: {class: technical, export: false}
      ancien:    {class: identifier, export: true}
  envoi:
    via: client.courriel -> courriel
    erase: delete
    columns:
      id:       {class: technical, export: false}
      courriel: {class: contact, export: true}
";

fn audited(engine: Engine, hint: &str) -> Case {
    let case = Case::new(engine, hint, AUDITED, AUDITED_MAP);
    case.sql(
        "INSERT INTO client VALUES (1, 'Aline unseen', 'aline@unseen.fr'), (2, 'Bruno', 'bruno@b.fr'); \
         INSERT INTO journal VALUES (1, 1, 'Alina unseen'), (2, 2, 'Brun'); \
         INSERT INTO envoi VALUES (1, 'aline@unseen.fr'), (2, 'bruno@b.fr')",
    );
    case
}

fn what_triggers_bring_back_is_erased_or_nothing_is(engine: Engine) {
    let case = audited(engine, "audited");
    let [journal, envoi] = ["journal", "envoi"].map(|table| case.table(table));
    // The old name goes to the journal, whose rows were deleted before; and the old address elsewhere, where nothing
    // leads any more once it is replaced.
    let next = |table: &str| format!("(SELECT max(id) + 1 FROM {table})");
    case.after_update(
        "to_journal",
        "client",
        &format!(
            "INSERT INTO {journal} (id, client_id, ancien) VALUES ({}, OLD.id, OLD.nom)",
            next(&journal)
        ),
    );
    case.after_update(
        "to_envoi",
        "client",
        &format!("INSERT INTO {envoi} (id, courriel) VALUES ({}, OLD.courriel)", next(&envoi)),
    );
    let checked = case.project.json(&["subject", "check"]);
    assert_eq!(checked["triggers"]["client"], json!(["to_envoi", "to_journal"]), "{checked:#}");
    case.project.ok(["subject", "check"]).prints(&["note: table client has triggers (to_envoi, to_journal)"]);
    let run = case.erase("1", "R-A");
    assert_eq!(run.code, 0, "{run:#?}");
    let left = case
        .sql("SELECT ancien FROM journal; SELECT courriel FROM envoi; SELECT nom FROM client ORDER BY id");
    assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["Brun", "bruno@b.fr", "anonyme", "Bruno"]);
    assert_eq!(case.receipt("receipt-R-A.json")["outcome"], "done");
    // What comes back each time: nothing is changed, and nothing is said to be.
    for column in ["nom", "courriel"] {
        let case = audited(engine, column);
        case.put_back("client", column);
        let before = case.dump();
        let run = case.erase("1", "R-B");
        assert_eq!(run.code, 3, "{run:#?}");
        run.prints(&["NOT erased, nothing was changed", "rows of client are again as before"]);
        assert!(case.dump() == before);
        assert_eq!(case.receipt("receipt-R-B.json")["outcome"], "failed");
        assert!(!case.project.path("greffe.erasures.age").exists());
    }
}

fn rows_that_are_kept_do_not_go_with_others(engine: Engine) {
    let case = audited(engine, "stays");
    let kept = AUDITED_MAP.replacen("erase: delete", "erase: keep\n    basis: art17.3.b", 1);
    case.project.write("greffe.subject.yaml", kept);
    let journal = case.table("journal");
    case.after_update("gone", "client", &format!("DELETE FROM {journal} WHERE client_id = OLD.id"));
    let before = case.dump();
    let run = case.erase("1", "R-A");
    assert_eq!(run.code, 3, "{run:#?}");
    run.prints(&["1 rows of journal went with others, and the map keeps them"]);
    assert!(case.dump() == before);
}

fn rows_that_are_kept_are_not_called_erased(engine: Engine) {
    let case = audited(engine, "kept");
    let kept = |action: &str| {
        let map = AUDITED_MAP.replace(", replace: anonyme", "");
        let map = map.replace("erase: anonymise", &format!("erase: {action}\n    basis: art17.3.b"));
        map.replace("erase: delete", "erase: keep\n    basis: art17.3.b")
    };
    case.project.write("greffe.subject.yaml", kept("keep"));
    let before = case.dump();
    let run = case.erase("1", "R-A");
    assert_eq!(run.code, 0, "{run:#?}");
    run.prints(&["NOT erased, every row is kept on its legal basis"]);
    assert!(!run.stdout.contains("\nerased"), "{run:#?}");
    assert_eq!(case.receipt("receipt-R-A.json")["outcome"], "kept");
    assert!(case.dump() == before);
    // There is nothing to do again, ever.
    let again = case.project.json(&["subject", "erase", "--replay"]);
    assert_eq!(again["erasures"][0]["found"], "gone", "{again:#}");
    assert!(!case.project.path("receipt-R-A-again.json").exists());
}

fn a_receipt_that_cannot_be_written_stops_the_erasure(engine: Engine) {
    let case = audited(engine, "paper");
    let before = case.dump();
    let erase = ["subject", "erase", "1", "--request", "R-A", "--basis", "art17.1.a", "--apply", "--receipt"];
    case.project.write("taken.json", "{}");
    for (path, code) in [("nowhere/receipt.json", 3), ("taken.json", 2)] {
        case.project.unchanged(|| case.project.ends(code, erase.iter().chain(&[path])));
        assert!(case.dump() == before, "{path}");
    }
    // One that gets none leaves no file.
    case.project.ends(1, ["subject", "erase", "99", "--request", "R-A", "--basis", "art17.1.a", "--apply"]);
    assert!(!case.project.path("receipt-R-A.json").exists());
}

fn a_plan_that_nobody_saw_is_refused(engine: Engine) {
    let case = audited(engine, "plan");
    let erase = ["subject", "erase", "1", "--request", "R-A", "--basis", "art17.1.a"];
    let dry: Vec<&str> = erase.iter().copied().chain(["--dry-run"]).collect();
    let plan = case.project.json(&dry)["plan"].as_str().unwrap().to_owned();
    case.project.ok(&dry).prints(&[&format!("--plan {plan}")]);
    let apply: Vec<&str> = erase.iter().copied().chain(["--apply", "--plan", &plan]).collect();
    case.sql("INSERT INTO journal VALUES (3, 1, 'unseen')");
    let before = case.dump();
    case.project.ends(1, &apply).says(&["the plan is another one by now", "--dry-run"]);
    assert!(case.dump() == before);
    case.sql("DELETE FROM journal WHERE id = 3");
    case.project.ok(&apply);
}

const SPELT: &str = "
CREATE TABLE client (id INTEGER PRIMARY KEY, nom VARCHAR(80) NOT NULL UNIQUE);
CREATE TABLE envoi (id INTEGER PRIMARY KEY, nom VARCHAR(120) {nocase} NOT NULL);
";

const SPELT_MAP: &str = "
version: 1
person: client.id
tables:
  client:
    erase: keep
    basis: art17.3.b
    columns: {id: {class: technical, export: true}, nom: {class: identifier, export: true}}
  envoi:
    via: client.nom -> nom
    erase: delete
    columns: {id: {class: technical, export: true}, nom: {class: identifier, export: true}}
";

fn only_the_same_bytes_lead_to_a_person(engine: Engine) {
    let case = Case::new(engine, "spelt", SPELT, SPELT_MAP);
    case.sql(
        "INSERT INTO client VALUES (1, 'Anna'); \
         INSERT INTO envoi VALUES (1, 'Anna'), (2, 'anna'), (3, 'ANNA'), (4, 'Anna ')",
    );
    assert_eq!(case.erase("1", "R-A").code, 0);
    let left = case.sql("SELECT id FROM envoi ORDER BY id");
    assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["2", "3", "4"]);
}

/// A key that is looked at when the transaction ends stops it before the list has an entry.
#[test]
fn a_foreign_key_that_is_looked_at_late_is_looked_at_in_time() {
    let case = audited(Lite, "late");
    case.sql(
        "CREATE TABLE pays (code INTEGER PRIMARY KEY); \
         CREATE TABLE trace (code INTEGER REFERENCES pays (code) DEFERRABLE INITIALLY DEFERRED)",
    );
    case.after_update("late", "client", "INSERT INTO trace VALUES (7)");
    let map = format!("{AUDITED_MAP}tables_without_people: {{pays: [code], trace: [code]}}\n");
    case.project.write("greffe.subject.yaml", map);
    let run = case.erase("1", "R-A");
    assert_eq!(run.code, 3, "{run:#?}");
    run.prints(&["a foreign key of table trace"]);
    assert!(!case.project.path("greffe.erasures.age").exists());
    assert_eq!(case.sql("SELECT nom FROM client WHERE id = 1"), "Aline unseen");
}

#[test]
fn a_log_that_another_connection_reads_is_told_of() {
    let mut case = audited(Lite, "log");
    case.project.variables.push(("GREFFE_LOCK_WAIT".to_owned(), "300ms".to_owned()));
    case.sql("PRAGMA journal_mode = WAL");
    let ready = case.project.path("ready");
    let mut reader = tool("sqlite3").arg(case.project.path("app.db")).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = reader.stdin.take().unwrap();
    let begun = format!("BEGIN; SELECT count(*) FROM client;\n.output {}\n", ready.display());
    stdin.write_all(begun.as_bytes()).unwrap();
    stdin.flush().unwrap();
    assert!(crate::servers::poll(crate::servers::LIMIT, || ready.exists()));
    let run = case.erase("1", "R-A");
    assert_eq!(run.code, 0, "{run:#?}");
    run.prints(&["still in the write-ahead log"]);
    assert!(case.receipt("receipt-R-A.json")["remains"].is_string());
    drop(stdin);
    reader.wait().unwrap();
    fs::remove_file(ready).ok();
    let run = case.erase("2", "R-B");
    assert!(case.receipt("receipt-R-B.json")["remains"].is_null(), "{run:#?}");
}

/// Rows that a foreign key of a partition deletes are found before, and those that inherit, or are hidden.
#[test]
fn postgres_foreign_keys_of_partitions_and_hidden_rows_are_found() {
    let case = audited(Pg, "partitions");
    case.project.write(
        "greffe.subject.yaml",
        format!("{AUDITED_MAP}{VISITS}")
            .replace("erase: anonymise", "erase: delete")
            .replace(", replace: anonyme", ""),
    );
    case.sql(
        "CREATE TABLE public.visite (id int, client_id int, jour int) PARTITION BY RANGE (jour); \
         CREATE TABLE public.visite_1 PARTITION OF public.visite FOR VALUES FROM (1) TO (9); \
         ALTER TABLE public.visite_1 ADD FOREIGN KEY (client_id) REFERENCES public.client (id) ON DELETE CASCADE",
    );
    let code = |case: &Case| {
        let checked = case.check(1);
        let codes = checked["findings"].as_array().unwrap().iter();
        codes.map(|found| found["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(code(&case), ["stays-and-refers"]);
    let case = audited(Pg, "hidden");
    case.sql("ALTER TABLE public.client ENABLE ROW LEVEL SECURITY");
    case.check(0);
    case.sql("ALTER TABLE public.client FORCE ROW LEVEL SECURITY");
    assert_eq!(code(&case), ["rows-hidden"]);
    case.sql("ALTER TABLE public.client NO FORCE ROW LEVEL SECURITY; CREATE TABLE public.fille () INHERITS (public.client)");
    assert_eq!(code(&case), ["inherits", "undeclared"]);
    case.sql("DROP TABLE public.fille; CREATE TABLE greffe.secret (nom text)");
    assert_eq!(code(&case), ["undeclared"]);
    case.sql("DROP TABLE greffe.secret; CREATE SCHEMA crm; CREATE TABLE crm.note (id int); CREATE TABLE public.\"crm.note\" (id int)");
    assert!(code(&case).contains(&"same-name".to_owned()));
}

const VISITS: &str = "  visite:
    via: client.id -> client_id
    erase: keep
    basis: art17.3.b
    columns:
      id:        {class: technical, export: false}
      client_id: {class: technical, export: false}
      jour:      {class: behaviour, export: true}
";

/// A key from another database would delete rows there unseen.
#[test]
fn mariadb_foreign_keys_of_other_databases_are_found() {
    let case = audited(Maria, "outside");
    let map = AUDITED_MAP.replace("erase: anonymise", "erase: delete").replace(", replace: anonyme", "");
    case.project.write("greffe.subject.yaml", map);
    case.check(0);
    let (database, other) = (case.database.as_ref().unwrap(), MariaDb::shared().database("referring"));
    let (here, there, user) = (database.name(), other.name(), &database.user().user);
    let sql = format!(
        "CREATE TABLE {there}.copie (id INTEGER PRIMARY KEY, client_id INTEGER, \
         FOREIGN KEY (client_id) REFERENCES {here}.client (id) ON DELETE CASCADE); \
         GRANT SELECT ON {there}.* TO '{user}'@'localhost'"
    );
    database.sql_as(database.administrator(), &sql).unwrap();
    let checked = case.check(1);
    assert_eq!(checked["findings"][0]["code"], "referred-from-outside", "{checked:#}");
}
