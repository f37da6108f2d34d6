//! Canaries in all that a tool under `greffe record` reads, prints and is given: none is published.

use crate::canary::{canary, require_none};
use crate::shop::Shop;

/// A revision with a text wherever one has texts.
fn revision(id: &str, parent: &str, plant: &mut dyn FnMut(&str) -> String, broken: bool) -> String {
    let (doc, comment, literal, printed) =
        (plant("doc"), plant("comment"), plant("literal"), plant("printed"));
    let end = if broken { format!("raise RuntimeError('{}')", plant("raised")) } else { "pass".to_owned() };
    format!(
        "\"\"\"{doc}\n\nRevision ID: {id}\n\"\"\"\n\nfrom alembic import op\n\nrevision = \"{id}\"\n\
         down_revision = {parent}\n\n\ndef upgrade():\n    # {comment}\n    print('{printed}')\n    \
         op.execute(\"CREATE TABLE t{id} (note VARCHAR(80) DEFAULT '{literal}')\")\n    {end}\n\n\n\
         def downgrade():\n    op.execute('DROP TABLE t{id}')\n"
    )
}

fn nothing_of_a_run_is_published(publish: &str) {
    let mut planted = Vec::new();
    let mut plant = |place: &str| {
        planted.push(canary(place));
        planted.last().cloned().unwrap_or_default()
    };
    let mut shop = Shop::in_a_file();
    shop.project = shop.project.publishing(publish);
    shop.project.variables.push(("CANARY".to_owned(), plant("env")));
    let (out, err, argument) = (plant("out"), plant("err"), plant("argument"));
    let (first, slug) = (revision("aa01", "None", &mut plant, false), plant("slug"));
    let broken = revision("aa02", "'aa01'", &mut plant, true);
    let project = &shop.project;
    project.write(&format!("migrations/versions/aa01_{slug}.py"), first);
    let command = format!(
        "echo {out}; echo \"{err} $CANARY\" >&2; flask db upgrade; ended=$?; : {argument}; exit $ended"
    );
    let record = ["record", "--", "sh", "-c", &command];
    let run = project.ok(record);
    assert!(run.stdout.contains(&out) && run.stderr.contains(&err), "{run:#?}");
    project.write("migrations/versions/aa02_second.py", broken);
    project.ends(1, record);
    project.remove("migrations/versions/aa02_second.py");
    project.ok(["record", "--", "flask", "db", "downgrade", "base"]);
    assert_eq!(project.story()[1..], ["apply aa01", "fail aa02", "rollback aa01"]);
    // Who has the key reads what was printed.
    let shown = project.json(&["show", "1"]);
    assert!(shown["files"].as_array().unwrap().iter().any(|file| file["role"] == "output"), "{shown:#}");
    project.verify();
    require_none(project, true, &planted);
}

#[test]
fn sealed() {
    nothing_of_a_run_is_published("sealed");
}

#[test]
fn with_schemas_in_clear() {
    nothing_of_a_run_is_published("schema");
}

#[test]
fn after_an_adoption() {
    let mut planted = Vec::new();
    let mut plant = |place: &str| {
        planted.push(canary(place));
        planted.last().cloned().unwrap_or_default()
    };
    let shop = Shop::in_a_file();
    let text = revision("aa01", "None", &mut plant, false);
    shop.project.write(&format!("migrations/versions/aa01_{}.py", plant("slug")), text);
    shop.flask(&["db", "upgrade"]);
    shop.project.ok(["baseline"]);
    shop.project.verify();
    require_none(&shop.project, true, &planted);
}
