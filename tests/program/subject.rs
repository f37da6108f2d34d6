//! `greffe subject` on SQLite, PostgreSQL and MariaDB: a small shop, its people, their data.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::project::{Project, Run};
use crate::servers::{Database, Dump, MariaDb, Postgres};
use crate::tools::{output_of, tool};

/// The same test on each engine.
macro_rules! on_each {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name($crate::subject::Lite); })+
        }
        mod postgres {
            $(#[test] fn $name() { super::$name($crate::subject::Pg); })+
        }
        mod mariadb {
            $(#[test] fn $name() { super::$name($crate::subject::Maria); })+
        }
    };
}

mod check;
mod copies;
mod honest;
mod people;
mod restore;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Sqlite,
    Postgres,
    MariaDb,
}

use Engine::{MariaDb as Maria, Postgres as Pg, Sqlite as Lite};

/// Stands in every value that no output may have.
const CANARY: &str = "unseen";

struct Case {
    engine: Engine,
    project: Project,
    database: Option<Database>,
}

impl Case {
    fn new(engine: Engine, hint: &str, script: &str, map: &str) -> Self {
        let mut project = Project::empty();
        project.secrets.push(CANARY.to_owned());
        let mut case = match engine {
            Lite => Self { engine, project, database: None },
            Pg => Self { engine, project, database: Some(Postgres::shared().database(hint)) },
            Maria => Self { engine, project, database: Some(MariaDb::shared().database(hint)) },
        };
        case.connect();
        let url = if engine == Lite { "sqlite:app.db" } else { "env:DATABASE_URL" };
        case.project.ok(["init", "--name", "demo", "--database", url]);
        case.project.ok(["subject", "new-key", "--out", "list.key"]);
        case.project.variables.push(("GREFFE_ERASURE_KEY".to_owned(), "file:list.key".to_owned()));
        case.project.script("1_first.sql", case.spelt(script));
        case.project.ok(["apply"]);
        case.project.write("greffe.subject.yaml", map);
        case
    }

    /// Names the database in the environment.
    fn connect(&mut self) {
        let Some(database) = &self.database else { return };
        let replayer = database.replayer();
        self.project.variables.retain(|(name, _)| !name.ends_with("_URL"));
        self.project.variables.push(("DATABASE_URL".to_owned(), database.url()));
        self.project.variables.push(("SCRATCH_URL".to_owned(), database.url_as(&replayer)));
    }

    /// A script in the engine's own words.
    fn spelt(&self, script: &str) -> String {
        let (datetime, blob) = match self.engine {
            Pg => ("TIMESTAMP", "BYTEA"),
            Lite | Maria => ("DATETIME", "BLOB"),
        };
        let nocase = if self.engine == Lite { "COLLATE NOCASE" } else { "" };
        script.replace("{datetime}", datetime).replace("{blob}", blob).replace("{nocase}", nocase)
    }

    fn sql(&self, statements: &str) -> String {
        let Some(database) = &self.database else {
            let statements = format!("PRAGMA foreign_keys = ON; {statements}");
            return output_of(tool("sqlite3").arg(self.project.path("app.db")).arg(statements))
                .trim_end()
                .to_owned();
        };
        database.sql(statements)
    }

    /// All rows, to see that nothing changed.
    fn dump(&self) -> Vec<u8> {
        match &self.database {
            Some(database) => database.dump(Dump::Full),
            None => output_of(tool("sqlite3").arg(self.project.path("app.db")).arg(".dump")).into_bytes(),
        }
    }

    /// A run whose key is on standard input.
    fn with_key(&self, key: &str, arguments: &[&str]) -> Run {
        let mut command = self.project.command(arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
        self.project.judge(child.wait_with_output().unwrap())
    }

    fn check(&self, code: i32) -> Value {
        let scratch = ["--on", "env:SCRATCH_URL"];
        let on: &[&str] = if self.engine == Lite { &[] } else { &scratch };
        self.project.ends(code, ["subject", "check", "--json"].iter().chain(on)).object()
    }

    fn erase(&self, key: &str, request: &str) -> Run {
        self.project.run(["subject", "erase", key, "--request", request, "--basis", "art17.1.a", "--apply"])
    }

    /// What a receipt says.
    fn receipt(&self, file: &str) -> Value {
        self.project.json(&["subject", "receipt", file])["receipt"].clone()
    }

    /// A trigger on a table's changed rows: one statement.
    fn after_update(&self, name: &str, table: &str, statement: &str) {
        self.sql(&match self.engine {
            Lite => format!("CREATE TRIGGER {name} AFTER UPDATE ON {table} BEGIN {statement}; END"),
            Maria => format!("CREATE TRIGGER {name} AFTER UPDATE ON {table} FOR EACH ROW {statement}"),
            Pg => format!(
                "CREATE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN NEW; \
                 END $$; CREATE TRIGGER {name} AFTER UPDATE ON public.{table} FOR EACH ROW \
                 EXECUTE FUNCTION public.{name}()"
            ),
        });
    }

    /// A trigger that keeps a column as it was.
    fn put_back(&self, table: &str, column: &str) {
        self.sql(&match self.engine {
            Lite => format!(
                "CREATE TRIGGER back AFTER UPDATE ON {table} BEGIN UPDATE {table} SET {column} = OLD.{column} \
                 WHERE id = OLD.id; END"
            ),
            Maria => format!("CREATE TRIGGER back BEFORE UPDATE ON {table} FOR EACH ROW SET NEW.{column} = OLD.{column}"),
            Pg => format!(
                "CREATE FUNCTION public.back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.{column} := OLD.{column}; \
                 RETURN NEW; END $$; CREATE TRIGGER back BEFORE UPDATE ON public.{table} FOR EACH ROW \
                 EXECUTE FUNCTION public.back()"
            ),
        });
    }

    /// A table's name, where statements by hand need the schema.
    fn table(&self, name: &str) -> String {
        if self.engine == Pg { format!("public.{name}") } else { name.to_owned() }
    }
}

const SHOP: &str = "
CREATE TABLE client (
  id INTEGER PRIMARY KEY, nom VARCHAR(80) NOT NULL, courriel VARCHAR(120) NOT NULL UNIQUE, telephone VARCHAR(20),
  naissance DATE, photo {blob}, cree_le {datetime} NOT NULL, is_rgpd_deleted BOOLEAN NOT NULL DEFAULT FALSE,
  longueur INTEGER GENERATED ALWAYS AS (LENGTH(nom)) STORED);
CREATE TABLE adresse (
  id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, rue VARCHAR(200) NOT NULL,
  FOREIGN KEY (client_id) REFERENCES client (id));
CREATE TABLE commande (
  id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, total DECIMAL(10,2) NOT NULL,
  FOREIGN KEY (client_id) REFERENCES client (id));
CREATE TABLE ligne (
  id INTEGER PRIMARY KEY, commande_id INTEGER NOT NULL, article VARCHAR(80) NOT NULL, gravure VARCHAR(80),
  FOREIGN KEY (commande_id) REFERENCES commande (id));
CREATE TABLE newsletter (courriel VARCHAR(120) NOT NULL PRIMARY KEY, ouverte BOOLEAN NOT NULL);
CREATE TABLE message (
  id INTEGER PRIMARY KEY, de_id INTEGER NOT NULL, a_id INTEGER NOT NULL, texte TEXT NOT NULL,
  FOREIGN KEY (de_id) REFERENCES client (id), FOREIGN KEY (a_id) REFERENCES client (id));
CREATE TABLE pays (code VARCHAR(2) PRIMARY KEY);
CREATE VIEW clients_actifs AS SELECT id FROM client;
";

const SHOP_MAP: &str = "
version: 1
person: client.id
tables:
  client:
    erase: anonymise
    flag: is_rgpd_deleted
    columns:
      id:              {class: technical, export: true}
      nom:             {class: identifier, export: true, replace: anonyme}
      courriel:        {class: contact, export: true}
      telephone:       {class: contact, export: true}
      naissance:       {class: identifier, export: true}
      photo:           {class: identifier, export: true}
      cree_le:         {class: technical, export: true}
      is_rgpd_deleted: {class: technical, export: false}
      longueur:        {class: none}
  adresse:
    via: client.id -> client_id
    erase: delete
    columns:
      id:        {class: technical, export: false}
      client_id: {class: technical, export: false}
      rue:       {class: contact, export: true}
  commande:
    via: client.id -> client_id
    erase: keep
    basis: 'art17.3.b; code de commerce L123-22: 10 years'
    columns:
      id:        {class: technical, export: true}
      client_id: {class: technical, export: false}
      total:     {class: financial, export: true}
  ligne:
    via: commande.id -> commande_id
    erase: anonymise
    columns:
      id:          {class: technical, export: false}
      commande_id: {class: technical, export: false}
      article:     {class: behaviour, export: true, erase: keep, basis: L123-22}
      gravure:     {class: content, export: true}
  newsletter:
    via: client.courriel -> courriel
    erase: delete
    columns:
      courriel: {class: contact, export: true}
      ouverte:  {class: behaviour, export: true}
  message:
    via: [client.id -> de_id, client.id -> a_id]
    erase: anonymise
    columns:
      id:    {class: technical, export: false}
      de_id: {class: technical, export: false}
      a_id:  {class: technical, export: false}
      texte: {class: content, export: true}
tables_without_people: {pays: [code]}
";

fn shop(engine: Engine, hint: &str) -> Case {
    let case = Case::new(engine, hint, SHOP, SHOP_MAP);
    let photo = if engine == Pg { "'\\x00ff'" } else { "X'00ff'" };
    case.sql(&format!(
        "INSERT INTO client (id, nom, courriel, telephone, naissance, photo, cree_le) VALUES \
         (1, 'Aline unseen', 'aline@unseen.fr', NULL, '1980-02-29', {photo}, '2026-01-02 03:04:05'), \
         (2, 'Bruno unseen', 'bruno@unseen.fr', '', NULL, NULL, '2026-01-02 03:04:05'); \
         INSERT INTO adresse VALUES (1, 1, '1 rue \"unseen\", l''été'), (2, 1, '2 rue unseen'), (3, 2, '3 rue unseen'); \
         INSERT INTO commande VALUES (1, 1, 12.50), (2, 2, 7); \
         INSERT INTO ligne VALUES (1, 1, 'bague unseen', 'pour unseen'), (2, 2, 'bague', 'unseen'); \
         INSERT INTO newsletter VALUES ('aline@unseen.fr', TRUE), ('bruno@unseen.fr', FALSE); \
         INSERT INTO message VALUES (1, 1, 2, 'unseen un'), (2, 2, 1, 'unseen deux'), (3, 2, 2, 'unseen trois'); \
         INSERT INTO pays VALUES ('fr');"
    ));
    case
}
