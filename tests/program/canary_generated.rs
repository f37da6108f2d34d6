//! Canaries in generated scripts: nothing of any of them is published, on all three databases.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::canary::{canary, keep, require_none};
use crate::project::Project;
use crate::servers::{Database, MariaDb, Postgres};

/// Statements that SQLite alone takes; `#` is where the canary stands, and `@` a number of their own.
const OF_SQLITE: [&str; 4] = [
    "REPLACE INTO plain (id, name) VALUES (@, \"#\");",
    "CREATE TRIGGER g@ AFTER INSERT ON plain BEGIN UPDATE plain SET name = '#' WHERE id = -1; END;",
    "INSERT INTO plain (name) VALUES (x'00');\n-- # \u{e9}t\u{e9}",
    "WITH w AS (SELECT '#' AS n) INSERT INTO plain (name) SELECT n FROM w;",
];

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("'#'".to_owned()),
        Just("'#''s'".to_owned()),
        Just("'a\n#\nb'".to_owned()),
        ("[a-z ,;-]{0,6}", "[A-Z .(]{0,6}").prop_map(|(before, after)| format!("'{before}#{after}'")),
    ]
}

/// What stands where a value may.
fn value() -> impl Strategy<Value = String> {
    literal().prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("coalesce({one}, {other})")),
            inner.clone().prop_map(|value| format!("upper({value})")),
            inner.prop_map(|value| format!("CASE WHEN {value} = 'x' THEN NULL ELSE {value} END")),
        ]
    })
}

fn condition() -> impl Strategy<Value = String> {
    prop_oneof![
        value().prop_map(|value| format!("name = {value}")),
        (value(), value()).prop_map(|(one, other)| format!("name IN ({one}, {other})")),
        (0..9, value()).prop_map(|(id, value)| format!("id > {id} AND NOT (name LIKE {value})")),
        value().prop_map(|value| format!("EXISTS (SELECT 1 FROM plain p WHERE p.name <> {value})")),
    ]
}

fn statement() -> impl Strategy<Value = String> {
    let rows = proptest::collection::vec((0..99, value()), 1..4);
    prop_oneof![
        rows.prop_map(|rows| {
            let rows: Vec<String> = rows.iter().map(|(id, value)| format!("({id}, {value})")).collect();
            format!("INSERT INTO plain (id, name) VALUES {};", rows.join(", "))
        }),
        (value(), condition()).prop_map(|(value, condition)| format!(
            "INSERT INTO plain (name) SELECT {value} FROM plain WHERE {condition};"
        )),
        (value(), condition())
            .prop_map(|(value, condition)| format!("UPDATE plain SET name = {value} WHERE {condition};")),
        condition().prop_map(|condition| format!("DELETE FROM plain WHERE {condition};")),
        literal()
            .prop_map(|value| format!("CREATE TABLE t@ (id INTEGER, #_c VARCHAR(200) DEFAULT {value});")),
        value().prop_map(|value| format!("CREATE VIEW v@ AS SELECT {value} AS a;")),
        condition().prop_map(|condition| format!("/* # */ DELETE FROM plain -- #\nWHERE {condition}; -- #")),
    ]
}

/// One script: its statements, and whether its name and its header have the canary too.
type Made = (Vec<String>, bool, bool);

fn scripts(of_sqlite: bool) -> BoxedStrategy<Vec<Made>> {
    let statement = match of_sqlite {
        false => statement().boxed(),
        true => {
            prop_oneof![4 => statement(), 1 => (0..OF_SQLITE.len()).prop_map(|at| OF_SQLITE[at].to_owned())]
                .boxed()
        }
    };
    let script = (proptest::collection::vec(statement, 1..5), any::<bool>(), any::<bool>());
    proptest::collection::vec(script, 1..4).boxed()
}

/// A chain whose database is made by `database`, else a file.
fn project(database: Option<&Database>) -> Project {
    let Some(database) = database else { return Project::new() };
    let mut project = Project::empty();
    project.variables.push(("DATABASE_URL".to_owned(), database.url()));
    project.secrets.push(database.user().password.clone());
    project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
    project
}

fn live(database: Option<&Database>, scripts: &[Made], publish: &str) {
    let project = project(database).publishing(publish);
    project.script("1_plain.up.sql", "CREATE TABLE plain (id INTEGER, name VARCHAR(200));");
    let mut planted = Vec::new();
    for (place, (statements, named, documented)) in scripts.iter().enumerate() {
        let text = canary("made");
        let header =
            if *documented { format!("-- purpose: {text}\n-- impact: {text}\n") } else { String::new() };
        let body = statements.iter().enumerate().map(|(number, statement)| {
            statement.replace('#', &text).replace('@', &format!("{place}_{number}"))
        });
        let body: Vec<String> = body.collect();
        let name = if *named { &text } else { "data" };
        // What only makes a table is sealed for its literals and names, or it is not of this test.
        let body = format!("INSERT INTO plain (name) VALUES ('{text}');\n{}", body.join("\n"));
        project.script(&format!("{}_{name}.up.sql", place + 2), header + &body);
        let down = format!("DELETE FROM plain WHERE name = '{text}';");
        project.script(&format!("{}_{name}.down.sql", place + 2), down);
        planted.push(text);
    }
    project.ok(["apply"]);
    project.ok(["rollback", "--steps", "1"]);
    let (reason, person) = (canary("reason"), canary("person"));
    keep(&project, &reason, &person);
    project.ends(1, ["erase", "--event", "2", "--basis", "art17.1.a", "--request", "R-1"]);
    planted.extend([reason, person]);
    require_none(&project, false, &planted);
    project.verify();
}

fn nothing_generated_is_published(cases: u32, database: Option<fn() -> Database>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let inputs = (scripts(database.is_none()), any::<bool>());
    let ran = TestRunner::new(config).run(&inputs, |(scripts, sealed)| {
        let database = database.map(|make| make());
        live(database.as_ref(), &scripts, if sealed { "sealed" } else { "schema" });
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = ran {
        panic!("{error}");
    }
}

#[test]
fn sqlite() {
    nothing_generated_is_published(12, None);
}

#[test]
fn postgres() {
    nothing_generated_is_published(6, Some(|| Postgres::shared().database("kanarimade")));
}

#[test]
fn mariadb() {
    nothing_generated_is_published(6, Some(|| MariaDb::shared().database("kanarimade")));
}
