//! Liquibase.

use serde_json::json;

use super::{Java, Kind};

/// Changelogs of one format.
struct Format {
    root: &'static str,
    begin: &'static str,
    end: &'static str,
    /// What the changelog has, one after another; the last one fails.
    sets: [&'static str; 3],
}

const SQL: Format = Format {
    root: "root.sql",
    begin: "--liquibase formatted sql\n",
    end: "",
    sets: [
        "\n--changeset ann:1\nCREATE TABLE first (id INTEGER);\n--rollback DROP TABLE first;\n",
        "\n--changeset ann:2\n--comment the second one\nCREATE TABLE second (id INTEGER, name VARCHAR(20) DEFAULT 'super user');\n\
         --rollback DROP TABLE second;\n",
        "\n--changeset ann:3\nCREATE INDEX third ON nowhere (id);\n--rollback DROP INDEX third;\n",
    ],
};

const XML: Format = Format {
    root: "db/root.xml",
    begin: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<databaseChangeLog xmlns=\"http://www.liquibase.org/xml/ns/dbchangelog\"\n\
            \x20 xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n\
            \x20 xsi:schemaLocation=\"http://www.liquibase.org/xml/ns/dbchangelog \
            http://www.liquibase.org/xml/ns/dbchangelog/dbchangelog-latest.xsd\">\n",
    end: "</databaseChangeLog>\n",
    sets: [
        "  <changeSet id=\"1\" author=\"ann\">\n    <createTable tableName=\"first\">\n      <column name=\"id\" type=\"int\"/>\n\
         \x20   </createTable>\n  </changeSet>\n",
        "  <changeSet id=\"2\" author=\"ann\">\n    <comment>the second one</comment>\n    <sql>CREATE TABLE second (id INTEGER, \
         name VARCHAR(20) DEFAULT 'super user')</sql>\n    <rollback>DROP TABLE second</rollback>\n  </changeSet>\n",
        "  <changeSet id=\"3\" author=\"ann\">\n    <createIndex tableName=\"nowhere\" indexName=\"third\"><column name=\"id\"/>\
         </createIndex>\n  </changeSet>\n",
    ],
};

const YAML: Format = Format {
    root: "root.yaml",
    begin: "databaseChangeLog:\n",
    end: "",
    sets: [
        "- changeSet:\n    id: 1\n    author: ann\n    changes:\n    - createTable:\n        tableName: first\n\
         \x20       columns:\n        - column: {name: id, type: int}\n",
        "- changeSet:\n    id: 2\n    author: ann\n    comment: the second one\n    changes:\n    - sql:\n        sql: >-\n\
         \x20         CREATE TABLE second (id INTEGER, name VARCHAR(20) DEFAULT 'super user')\n\
         \x20   rollback: DROP TABLE second\n",
        "- changeSet:\n    id: 3\n    author: ann\n    changes:\n    - createIndex:\n        tableName: nowhere\n\
         \x20       indexName: third\n        columns:\n        - column: {name: id}\n",
    ],
};

impl Format {
    fn with(&self, sets: usize) -> String {
        format!("{}{}{}", self.begin, self.sets[..sets].concat(), self.end)
    }
}

fn life(format: &Format, kind: Kind) {
    let Some(java) = Java::with(kind, &[(format.root, &format.with(1))]) else { return };
    let project = &java.project;
    let file = format!("--changelog-file=migrations/{}", format.root);
    let update = ["liquibase", &file, "update"];
    let clear = ["liquibase", &file, "clear-checksums"];
    let [first, second, third] = ["1", "2", "3"].map(|id| format!("{}::{id}::ann", format.root));
    let run = java.recorded(&update);
    assert_eq!(run.code, 0, "{run:#?}");
    // What is added to the file is nobody's edit.
    java.put(format.root, &format.with(2));
    project.ok(["audit"]).prints(&[&format!("pending: {second}")]);
    let run = java.recorded(&update);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(java.story(1), [format!("apply {first}"), format!("apply {second}")]);
    let event = &project.json(&["show", "2"])["event"];
    assert_eq!((&event["executor"]["name"], &event["evidence"]), (&json!("liquibase"), &json!("captured")));
    project.ok(["audit"]);

    // White space inside a literal, which Liquibase's checksum does not see.
    java.put(format.root, &format.with(2).replace("super user", "superuser"));
    assert_eq!(java.recorded(&update).code, 0);
    assert_eq!(java.story(3), [""; 0]);
    java.finds(&["edited"]);

    // What it does see is laundered when checksums are forgotten.
    let edited = format.with(2).replace("super user", "the user");
    java.put(format.root, &edited);
    assert_ne!(java.recorded(&update).code, 0);
    assert_eq!(java.story(3), [""; 0]);
    match format.root.ends_with(".sql") {
        true => java.finds(&["checksum", "edited"]),
        false => java.finds(&["edited"]),
    }
    assert_eq!(java.alone(&clear).code, 0);
    java.finds(&["edited", "forgotten", "forgotten"]);
    assert_eq!(java.alone(&update).code, 0);
    java.finds(&["edited", "rewritten"]);
    project.ok(["record", "--", "true"]);
    assert_eq!(java.story(3), [format!("stamp {second}")]);
    project.ok(["audit"]);
    java.put(format.root, &format.with(2));
    assert_eq!(java.recorded(&clear).code, 0);
    assert_eq!(java.story(4), [format!("stamp {first}"), format!("stamp {second}")]);
    assert_eq!(java.recorded(&update).code, 0);
    assert_eq!(java.story(6), [format!("stamp {first}"), format!("stamp {second}")]);
    project.ok(["audit"]);

    java.put(format.root, &format.with(3));
    let run = java.recorded(&update);
    assert_ne!(run.code, 0, "{run:#?}");
    assert_eq!(java.story(8), [format!("fail {third}")]);
    // Counted as applied, and never run.
    assert_eq!(java.recorded(&["liquibase", &file, "changelog-sync"]).code, 0);
    assert_eq!(java.story(9), [format!("stamp {third}")]);
    project.ok(["audit"]);
    java.put(format.root, &format.with(2));
    java.finds(&["missing"]);
    java.put(format.root, &format.with(3).replace("nowhere", "second"));
    java.finds(match format.root.ends_with(".sql") {
        true => &["checksum", "edited"],
        false => &["edited"],
    });
    java.put(format.root, &format.with(3));

    // The way back of what never ran fails, and the table keeps it; so the table is mended by hand.
    let run = java.recorded(&["liquibase", &file, "rollback-count", "1"]);
    assert_ne!(run.code, 0, "{run:#?}");
    let name = if kind == Kind::Postgres { "databasechangelog" } else { "DATABASECHANGELOG" };
    java.sql(&format!("DELETE FROM {name} WHERE id = '3'"));
    java.put(format.root, &format.with(2));
    project.ok(["record", "--", "true"]);
    let length = java.project.story().len();
    assert_eq!(java.story(length - 1), [format!("stamp {third}")]);
    let run = java.recorded(&["liquibase", &file, "rollback-count", "1"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(java.story(length), [format!("rollback {second}")]);
    project.ok(["audit"]);
    project.verify();
    java.adopt(&[&first]);
}

#[test]
fn formatted_sql_on_postgresql() {
    life(&SQL, Kind::Postgres);
}

#[test]
fn formatted_sql_on_sqlite() {
    life(&SQL, Kind::Sqlite);
}

#[test]
fn formatted_sql_on_mariadb() {
    life(&SQL, Kind::MariaDb);
}

#[test]
fn xml_on_postgresql() {
    life(&XML, Kind::Postgres);
}

#[test]
fn xml_on_mariadb() {
    life(&XML, Kind::MariaDb);
}

#[test]
fn yaml_on_postgresql() {
    life(&YAML, Kind::Postgres);
}

#[test]
fn yaml_on_sqlite() {
    life(&YAML, Kind::Sqlite);
}

#[test]
fn what_runs_again_and_what_is_only_marked() {
    let root = "databaseChangeLog:\n- include: {file: migrations/parts/a.sql}\n- includeAll: {path: more, relativeToChangelogFile: true}\n";
    let part = "--liquibase formatted sql logicalFilePath:known/as.sql\n--changeset ann:1 runOnChange:true\nSELECT 1;\n\
                --changeset ann:2\n--preconditions onFail:MARK_RAN\n--precondition-sql-check expectedResult:1 SELECT 2\nSELECT 2;\n";
    let files = [("root.yml", root), ("parts/a.sql", part), ("more/b.sql", "CREATE TABLE b (id INTEGER);\n")];
    let Some(java) = Java::with(Kind::Postgres, &files) else { return };
    let update = ["liquibase", "--changelog-file=migrations/root.yml", "update"];
    let run = java.recorded(&update);
    assert_eq!(run.code, 0, "{run:#?}");
    let story =
        ["apply known/as.sql::1::ann", "stamp known/as.sql::2::ann", "apply more/b.sql::raw::includeAll"];
    assert_eq!(java.story(1), story);
    java.project.ok(["audit"]).prints(&["no difference"]);
    java.put("parts/a.sql", &part.replace("SELECT 1", "SELECT 11"));
    java.finds(&["checksum", "edited"]);
    assert_eq!(java.recorded(&update).code, 0);
    assert_eq!(java.story(4), ["stamp known/as.sql::1::ann"]);
    assert_eq!(java.project.json(&["show", "4"])["event"]["evidence"], "captured");
    java.project.ok(["audit"]);
    java.project.verify();
    java.adopt(&["known/as.sql::1::ann", "known/as.sql::2::ann", "more/b.sql::raw::includeAll"]);
}

#[test]
fn the_mail_address_of_an_author_stays_out_of_the_log() {
    let (eve, bob) = ("eve.hall@ville-lyon.fr", "bob.roy@ville-lyon.fr");
    let root = format!(
        "--liquibase formatted sql\n--changeset {eve}:1\nCREATE TABLE first (id INTEGER);\n--rollback DROP TABLE first;\n\
         --changeset {bob}:1\nCREATE TABLE second (id INTEGER);\n--rollback DROP TABLE second;\n"
    );
    let Some(java) = Java::with(Kind::Sqlite, &[("root.sql", &root)]) else { return };
    let file = "--changelog-file=migrations/root.sql";
    let run = java.recorded(&["liquibase", file, "update"]);
    assert_eq!(run.code, 0, "{run:#?}");
    let story = java.story(1);
    assert!(story.iter().all(|line| line.starts_with("apply root.sql::1::withheld-")), "{story:#?}");
    assert!(story.len() == 2 && story[0] != story[1], "{story:#?}");
    let shown = java.project.json(&["show", "2"]);
    assert!(shown["event"]["executor"]["version"].as_str().unwrap().starts_with("4."), "{shown:#}");
    assert!(!shown.to_string().contains('@'), "{shown:#}");
    java.project.ok(["audit"]).prints(&["no difference"]);
    // What fails is known by what the tool prints of it, which has the address.
    java.put("root.sql", &format!("{root}--changeset {eve}:3\nCREATE INDEX third ON nowhere (id);\n"));
    assert_ne!(java.recorded(&["liquibase", file, "update"]).code, 0);
    assert!(java.story(3)[0].starts_with("fail root.sql::3::withheld-"), "{:?}", java.story(3));
    assert_eq!(java.project.json(&["show", "3"])["event"]["evidence"], "captured");
    java.put("root.sql", &root);
    let run = java.recorded(&["liquibase", file, "rollback-count", "1"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(java.story(4), [story[1].replace("apply", "rollback")]);
    java.put("root.sql", &root.replace("CREATE TABLE first (id", "CREATE TABLE first (ix"));
    java.finds(&["checksum", "edited"]);
    java.put("root.sql", &root);
    java.project.verify();
    java.adopt(&[story[0].trim_start_matches("apply ")]);
}
