//! What may leave: the last look at an event before it is archived, and replicas that anybody reads.

use crate::project::{Project, THREE};
use crate::replicas::settings;

const MAIL: &str = "jeanne.morel@mairie-lyon.fr";

/// Another program writes into the record of what ran; greffe signs none of it.
#[test]
fn an_event_with_a_finding_is_not_archived_until_it_is_mended() {
    for publish in ["sealed", "schema"] {
        let mut project = Project::applied().publishing(publish);
        project.secrets.push(MAIL.to_owned());
        let head = project.head();
        let meddle = |name: &str, when: &str| {
            project.sql(&format!(
                "CREATE TRIGGER {name} AFTER {when} ON greffe_history WHEN NEW.seq IS NULL BEGIN UPDATE greffe_history \
                 SET record = json_set(record, '$.target.name', '{MAIL}') WHERE position = NEW.position; END"
            ))
        };
        meddle("meddling_first", "INSERT");
        meddle("meddling_again", "UPDATE");
        project.script("4_more.up.sql", "CREATE TABLE more (id INTEGER);");
        let run = project.ends(1, ["apply"]);
        run.says(&[
            "the `apply` event 0",
            "`predicate.target.name`",
            "(email)",
            "is not archived",
            "hint: mend",
        ]);
        assert_eq!(project.head(), head);
        assert_eq!(project.tables(), "authors,books,more");
        let archive = project.read("archive/demo.car");
        assert!(!archive.windows(MAIL.len()).any(|window| window == MAIL.as_bytes()));
        project.ends(1, ["apply"]).says(&["is not archived"]);
        project.sql(
            "DROP TRIGGER meddling_first; DROP TRIGGER meddling_again; UPDATE greffe_history SET record = json_set(record, '$.target.name', 'demo') \
             WHERE seq IS NULL",
        );
        project.ok(["apply"]).prints(&["recovered", "applied 4 as entry 4"]);
        project.verify();
    }
}

#[test]
fn settings_that_every_event_repeats_hold_nobody() {
    let mut project = Project::with(&THREE);
    project.secrets.push(MAIL.to_owned());
    for (variable, key) in [("GREFFE_DATABASE_NAME", "database.name"), ("GREFFE_ACTOR_ROLE", "actor.role")] {
        project.variables.push((variable.to_owned(), MAIL.to_owned()));
        project.unchanged(|| project.ends(2, ["apply"])).says(&[key, "email"]);
        project.variables.pop();
    }
    let other = Project::empty();
    let init = ["init", "--name", "demo", "--database", "sqlite:app.db", "--actor-role", "06 12 34 56 78"];
    other.ends(1, init).says(&["`predicate.actor.role`", "phone"]);
    assert!(!other.path("archive/demo.car").exists());
    // Lists of a header that is waived lose what is found in them.
    let script = format!("-- waiver: email 2099-12-31 our own office\n-- sector: health {MAIL}\nSELECT 1;");
    project.script("4_sector.up.sql", script);
    project.ok(["apply"]);
    let entry = project.json(&["show", "4"]);
    assert_eq!(entry["event"]["migration"]["sectors"], serde_json::json!(["health"]), "{entry:#}");
}

#[test]
fn a_public_replica_wants_an_impact_assessment() {
    let project = Project::with(&THREE);
    let replica = |name: &str, more: &str| {
        format!("\n[[replica]]\nname = \"{name}\"\nurl = \"archive:{name}\"\n{more}\n")
    };
    settings(&project, &replica("office", ""));
    project.ok(["apply", "--to", "1", "--publish", "sealed"]);
    settings(&project, &replica("world", "public = true"));
    let refused = |arguments: &[&str]| {
        let run = project.unchanged(|| project.ends(2, arguments));
        run.says(&["replica world is public", "publish = \"schema\"", "greffe gdpr dpia", "dpia = "]);
    };
    refused(&["apply"]);
    refused(&["rollback", "--steps", "1"]);
    refused(&["replicate"]);
    refused(&["repair", "1", "--rolled-back"]);
    refused(&["publish"]);
    project.ok(["apply", "--dry-run"]);
    // An erasure is done all the same, and nothing of it goes where nothing may.
    let office = project.read("office/demo.head");
    project.ok(["erase", "--event", "1", "--basis", "art17.1.a", "--request", "R-1"]);
    assert_ne!(project.read("office/demo.head"), office);
    project.ok(["verify", &project.head(), "--archive", "office"]);
    assert!(!project.path("world").exists());
    // Nothing but sealed files needs none, and so does a replica of one's own.
    let sealed = project.copy().publishing("sealed");
    sealed.ok(["apply"]);
    assert!(sealed.path("world").exists());
    let file = String::from_utf8(project.read("greffe.toml")).unwrap();
    let own = project.copy();
    own.write("greffe.toml", file.replace("public = true", "public = false"));
    own.ok(["apply"]);
    project.unchanged(|| project.ends(2, ["apply", "--dpia", " "]));
    project.ok(["apply", "--dpia", "DPIA-2026-01"]);
    assert!(project.path("world").exists());
    // A pinning service is public unless it is said not to be.
    let pinned = Project::with(&THREE);
    settings(&pinned, "\n[[replica]]\nname = \"service\"\nurl = \"pinning:http://127.0.0.1:9\"\n");
    pinned.ends(2, ["apply"]).says(&["replica service is public"]);
    settings(&pinned, "public = false\n");
    pinned.ends(4, ["apply"]);
    // Of a node it has to be said.
    for kind in ["kubo", "cluster"] {
        let node = Project::with(&THREE);
        let replica = format!("\n[[replica]]\nname = \"node\"\nurl = \"{kind}:http://127.0.0.1:9\"\n");
        let file = String::from_utf8(node.read("greffe.toml")).unwrap();
        node.write("greffe.toml", format!("{file}{replica}"));
        node.unchanged(|| node.ends(2, ["apply"]))
            .says(&["whether replica node is public", "public = false"]);
        node.copy().publishing("sealed").ends(4, ["apply"]);
        node.write("greffe.toml", format!("{file}{replica}public = true\n"));
        node.ends(2, ["apply"]).says(&["replica node is public"]);
        node.write("greffe.toml", format!("{file}{replica}public = false\n"));
        node.ends(4, ["apply"]);
    }
}

/// Other settings later publish nothing that was sealed; nor does a rollback tell a name that was withheld.
#[test]
fn what_was_sealed_stays_so() {
    let project = Project::with(&THREE).publishing("sealed");
    project.ok(["apply", "--to", "2"]);
    let project = project.copy().publishing("schema");
    project.ok(["rollback", "--steps", "1"]);
    project.ok(["apply", "--to", "2"]);
    project.ok(["repair", "2", "--rolled-back"]);
    assert_eq!(project.log().len(), 6);
    for seq in ["2", "3", "4", "5"] {
        let entry = project.json(&["show", seq]);
        let files = entry["files"].as_array().unwrap();
        assert!(files.iter().all(|file| file["sealed"] == true), "{entry:#}");
        assert!(entry["event"]["migration"]["name"].is_null(), "{entry:#}");
    }
    let archive = project.read("archive/demo.car");
    assert!(!archive.windows(5).any(|window| window == b"books"));
}
