//! Find, copy and erase.

use serde_json::{Value, json};

use super::*;

on_each!(
    a_person_is_found_copied_and_erased,
    rows_go_in_the_order_of_foreign_keys_and_around_cycles,
    keys_are_values_and_nothing_else,
    a_database_that_refuses_changes_nothing,
);

fn a_person_is_found_copied_and_erased(engine: Engine) {
    let case = shop(engine, "story");
    let project = &case.project;
    let found = project.json(&["subject", "find", "1"]);
    let counts = |lines: &Value| -> Vec<(String, String, u64)> {
        let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
        let lines = lines.as_array().unwrap().iter();
        lines
            .map(|line| (text(line, "table"), text(line, "action"), line["rows"].as_u64().unwrap()))
            .collect()
    };
    let expected = [
        ("ligne", "anonymise", 1),
        ("adresse", "delete", 2),
        ("commande", "keep", 1),
        ("message", "anonymise", 2),
        ("newsletter", "delete", 1),
        ("client", "anonymise", 1),
    ];
    let expected: Vec<(String, String, u64)> =
        expected.iter().map(|(table, action, rows)| (table.to_string(), action.to_string(), *rows)).collect();
    assert_eq!(counts(&found["tables"]), expected, "{found:#}");
    // A copy holds what the map says, and the same on each engine.
    project.ok(["subject", "export", "1", "--out", "copy.json"]);
    let copy: Value = serde_json::from_slice(&project.read("copy.json")).unwrap();
    let client = json!([{
        "id": 1, "nom": "Aline unseen", "courriel": "aline@unseen.fr", "telephone": null,
        "naissance": "1980-02-29", "photo": "AP8=", "cree_le": "2026-01-02T03:04:05"
    }]);
    assert_eq!(copy["tables"]["client"], client, "{copy:#}");
    assert_eq!(
        copy["tables"],
        json!({
            "client": client,
            "adresse": [{"rue": "1 rue \"unseen\", l'été"}, {"rue": "2 rue unseen"}],
            "commande": [{"id": 1, "total": "12.50"}],
            "ligne": [{"article": "bague unseen", "gravure": "pour unseen"}],
            "newsletter": [{"courriel": "aline@unseen.fr", "ouverte": true}],
            "message": [{"texte": "unseen un"}, {"texte": "unseen deux"}],
        }),
        "{copy:#}"
    );
    project.ends(2, ["subject", "export", "1", "--out", "copy.json"]).says(&["already exists"]);
    project.ok(["subject", "export", "1", "--format", "csv", "--out", "copy"]);
    let table = |name: &str| String::from_utf8(project.read(&format!("copy/{name}.csv"))).unwrap();
    assert_eq!(table("adresse"), "rue\n\"1 rue \"\"unseen\"\", l'été\"\n2 rue unseen\n");
    assert_eq!(
        table("client"),
        "id,nom,courriel,telephone,naissance,photo,cree_le\n\
         1,Aline unseen,aline@unseen.fr,,1980-02-29,AP8=,2026-01-02T03:04:05\n"
    );
    // Looking changes nothing.
    let before = case.dump();
    let arguments = ["subject", "erase", "1", "--request", "2026-017", "--basis", "art17.1.a"];
    let dry: Vec<&str> = arguments.iter().copied().chain(["--dry-run"]).collect();
    project.unchanged(|| assert_eq!(counts(&project.json(&dry)["tables"]), expected));
    assert!(case.dump() == before);
    project.ends(2, arguments).says(&["--apply"]);
    // It is done, and told.
    let apply: Vec<&str> = arguments.iter().copied().chain(["--apply"]).collect();
    let erased = project.json(&apply);
    let receipt = &erased["receipt"];
    assert_eq!(receipt["outcome"], "done", "{erased:#}");
    assert_eq!(counts(&receipt["tables"]), expected, "{erased:#}");
    assert_eq!(
        (&receipt["tables"][2]["outcome"], &receipt["tables"][1]["outcome"]),
        (&json!("kept"), &json!("done"))
    );
    let told = project.json(&["subject", "receipt", "receipt-2026-017.json"]);
    assert_eq!((&told["verified"], &told["receipt"]), (&json!(true), receipt));
    let left = case
        .sql("SELECT count(*) FROM adresse; SELECT count(*) FROM newsletter; SELECT count(*) FROM commande");
    assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["1", "1", "2"]);
    let client = case.sql(
        "SELECT id FROM client WHERE id = 1 AND nom = 'anonyme' AND courriel NOT LIKE '%unseen%' \
         AND LENGTH(courriel) = 32 AND naissance IS NULL AND photo IS NULL AND is_rgpd_deleted AND longueur = 7",
    );
    assert_eq!(client, "1");
    let texts = case.sql("SELECT id FROM message WHERE texte = '' ORDER BY id");
    assert_eq!(texts.split_whitespace().collect::<Vec<_>>(), ["1", "2"]);
    let kept = case.sql("SELECT article FROM ligne WHERE id = 1 AND gravure IS NULL");
    assert_eq!(kept, "bague unseen");
    // Bruno is as he was.
    assert_eq!(case.sql("SELECT nom FROM client WHERE id = 2"), "Bruno unseen");
    assert_eq!(case.sql("SELECT gravure FROM ligne WHERE id = 2"), "unseen");
    // Neither a value nor a key is in what was written.
    for (name, bytes) in project.files() {
        let name = name.display().to_string();
        if name.starts_with("receipt") || name.ends_with(".age") {
            assert!(!bytes.windows(6).any(|part| part == CANARY.as_bytes()), "{name}");
        }
    }
    if engine == Lite {
        let page = project.read("app.db");
        assert!(
            !page.windows(15).any(|part| part == b"aline@unseen.fr"),
            "what was deleted is still in the file"
        );
    }
    // A receipt that was changed, and one of another key.
    let mut forged = project.read("receipt-2026-017.json");
    let at = forged.windows(11).position(|part| part == b"\"payload\":\"").unwrap() + 40;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    project.write("forged.json", forged);
    project.ends(1, ["subject", "receipt", "forged.json"]);
    // The same request again finds the person's row, which says nothing any more.
    assert_eq!(case.erase("1", "2026-017").code, 0);
    assert!(project.path("receipt-2026-017-2.json").exists());
    project.ends(1, ["subject", "find", "99"]).says(&["no row leads to this person"]);
    assert_eq!(case.erase("99", "R-Z").code, 1);
}

const TREE: &str = "
CREATE TABLE personne (
  id INTEGER PRIMARY KEY, nom VARCHAR(80) NOT NULL, parrain_id INTEGER, adresse_id INTEGER,
  FOREIGN KEY (parrain_id) REFERENCES personne (id));
CREATE TABLE adresse (
  id INTEGER PRIMARY KEY, personne_id INTEGER NOT NULL, rue VARCHAR(80) NOT NULL,
  FOREIGN KEY (personne_id) REFERENCES personne (id));
CREATE TABLE appareil (
  id INTEGER PRIMARY KEY, personne_id INTEGER NOT NULL, FOREIGN KEY (personne_id) REFERENCES personne (id));
CREATE TABLE visite (
  id INTEGER PRIMARY KEY, appareil_id INTEGER NOT NULL, page VARCHAR(80) NOT NULL,
  FOREIGN KEY (appareil_id) REFERENCES appareil (id));
";

const TREE_MAP: &str = "
version: 1
person: personne.id
tables:
  personne:
    erase: delete
    detach: [parrain_id]
    columns:
      id:         {class: technical, export: true}
      nom:        {class: identifier, export: true}
      parrain_id: {class: behaviour, export: false}
      adresse_id: {class: technical, export: false}
  adresse:
    via: personne.id -> personne_id
    erase: delete
    columns:
      id:          {class: technical, export: true}
      personne_id: {class: technical, export: false}
      rue:         {class: contact, export: true}
  appareil:
    via: personne.id -> personne_id
    erase: delete
    columns:
      id:          {class: technical, export: true}
      personne_id: {class: technical, export: false}
  visite:
    via: appareil.id -> appareil_id
    erase: delete
    columns:
      id:          {class: technical, export: true}
      appareil_id: {class: technical, export: false}
      page:        {class: behaviour, export: true}
";

fn rows_go_in_the_order_of_foreign_keys_and_around_cycles(engine: Engine) {
    let case = Case::new(engine, "tree", TREE, TREE_MAP);
    let project = &case.project;
    if engine != Lite {
        // A foreign key back: SQLite adds none to a table that is there.
        let schema = if engine == Pg { "public." } else { "" };
        case.sql(&format!(
            "ALTER TABLE {schema}personne ADD FOREIGN KEY (adresse_id) REFERENCES {schema}adresse (id)"
        ));
        let checked = project.ends(1, ["subject", "check", "--json"]).object();
        assert_eq!(checked["findings"][0]["code"], "cycle", "{checked:#}");
        let map = TREE_MAP.replace("[parrain_id]", "[parrain_id, adresse_id]");
        project.write("greffe.subject.yaml", map);
    }
    project.ok(["subject", "check"]);
    case.sql(
        "INSERT INTO personne VALUES (1, 'unseen', 1, NULL), (2, 'Bruno', 1, NULL); \
         INSERT INTO adresse VALUES (1, 1, 'unseen'); UPDATE personne SET adresse_id = 1 WHERE id = 1; \
         INSERT INTO appareil VALUES (1, 1), (2, 1), (3, 2); \
         INSERT INTO visite VALUES (1, 1, 'unseen'), (2, 2, 'unseen'), (3, 3, 'Bruno')",
    );
    let run = case.erase("1", "R-A");
    assert_eq!(run.code, 0, "{run:#?}");
    run.prints(&["detach            2  personne", "delete            2  visite"]);
    let left = case.sql("SELECT id FROM personne WHERE parrain_id IS NULL; SELECT count(*) FROM adresse; SELECT page FROM visite");
    assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["2", "0", "Bruno"]);
}

const NAMED: &str = "
CREATE TABLE compte (nom VARCHAR(80) NOT NULL PRIMARY KEY, solde INTEGER NOT NULL);
CREATE TABLE ecriture (id INTEGER PRIMARY KEY, compte VARCHAR(80) NOT NULL, objet VARCHAR(80) NOT NULL);
";

const NAMED_MAP: &str = "
version: 1
person: compte.nom
tables:
  compte:
    erase: delete
    columns:
      nom:   {class: identifier, export: true}
      solde: {class: financial, export: true}
  ecriture:
    via: compte.nom -> compte
    erase: delete
    columns:
      id:     {class: technical, export: true}
      compte: {class: identifier, export: true}
      objet:  {class: content, export: true}
";

fn keys_are_values_and_nothing_else(engine: Engine) {
    let case = Case::new(engine, "keys", NAMED, NAMED_MAP);
    let count = || case.sql("SELECT count(*) FROM compte");
    // What would be SQL, were it ever read as such.
    let hostile =
        ["unseen' OR '1'='1", "unseen\"; DROP TABLE compte; --", "unseen\\", "l'été unseen ✓", "unseen %"];
    let quoted = |text: &str| {
        let text = if engine == Maria { text.replace('\\', "\\\\") } else { text.to_owned() };
        text.replace('\'', "''")
    };
    for key in hostile {
        let key = quoted(key);
        case.sql(&format!("INSERT INTO compte VALUES ('{key}', 1); INSERT INTO ecriture VALUES ((SELECT count(*) FROM compte), '{key}', 'x')"));
    }
    case.sql("INSERT INTO compte VALUES ('Ann', 1)");
    let erase = |request: &str| {
        vec![
            "subject".to_owned(),
            "erase".into(),
            "-".into(),
            "--request".into(),
            request.into(),
            "--basis".into(),
            "art17.1.a".into(),
            "--apply".into(),
        ]
    };
    // Nobody of that name, though the server's own comparison would find some.
    for key in ["ann", "ANN", "Ann ", "Ánn", "%", "' OR 1=1 --", "0"] {
        let run = case.with_key(key, &["subject", "find", "-"]);
        assert_eq!(run.code, 1, "{key}: {run:#?}");
    }
    for (index, key) in hostile.iter().enumerate() {
        let arguments = erase(&format!("R-{index}"));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = case.with_key(&format!("{key}\n"), &arguments);
        assert_eq!(run.code, 0, "{key}: {run:#?}");
        assert_eq!(count(), (hostile.len() - index).to_string(), "{key}");
        case.project.ok(["subject", "receipt", &format!("receipt-R-{index}.json")]);
    }
    assert_eq!(case.sql("SELECT count(*) FROM ecriture"), "0");
    // The key neither in a reference nor in what is written.
    let run = case.with_key(
        "Anneliese",
        &["subject", "erase", "-", "--request", "Anneliese", "--basis", "x", "--apply"],
    );
    assert_eq!(run.code, 2, "{run:#?}");
    for name in ["../R", "a b", "", "-x"] {
        let request = format!("--request={name}");
        case.project.ends(2, ["subject", "erase", "Ann", &request, "--basis", "x", "--apply"]);
    }
    // A key of another type than the column has.
    let shop = shop(engine, "types");
    for key in ["abc", "1 OR 1=1", "01", "+1", "1.0", "", "99999999999999999999999"] {
        let run = shop.with_key(key, &["subject", "find", "-"]);
        assert_eq!(run.code, 2, "{key}: {run:#?}");
    }
    shop.project.ends(1, ["subject", "find", "-1"]);
    shop.project.ends(1, ["subject", "find", "9223372036854775807"]);
}

fn a_database_that_refuses_changes_nothing(engine: Engine) {
    let script =
        SHOP.replace("nom VARCHAR(80) NOT NULL", "nom VARCHAR(80) NOT NULL CHECK (nom <> 'anonyme')");
    let case = Case::new(engine, "refuses", &script, SHOP_MAP);
    case.sql(
        "INSERT INTO client (id, nom, courriel, cree_le) VALUES (1, 'unseen', 'unseen', '2026-01-02 03:04:05'); \
         INSERT INTO adresse VALUES (1, 1, 'unseen'); INSERT INTO newsletter VALUES ('unseen', TRUE)",
    );
    let before = case.dump();
    let run = case.erase("1", "R-A");
    assert_eq!(run.code, 3, "{run:#?}");
    run.prints(&[
        "NOT erased, nothing was changed",
        "failed  delete",
        "because the database answered with code",
    ]);
    assert!(case.dump() == before);
    let told = case.project.json(&["subject", "receipt", "receipt-R-A.json"]);
    assert_eq!(told["receipt"]["outcome"], "failed", "{told:#}");
    assert!(
        !case.project.path("greffe.erasures.age").exists(),
        "nothing was erased, so there is nothing to do again"
    );
    // A map that says otherwise is met.
    case.project.write("greffe.subject.yaml", SHOP_MAP.replace("replace: anonyme", "replace: personne"));
    assert_eq!(case.erase("1", "R-A").code, 0);
    assert_eq!(
        case.project.json(&["subject", "receipt", "receipt-R-A-2.json"])["receipt"]["outcome"],
        "done"
    );
}
