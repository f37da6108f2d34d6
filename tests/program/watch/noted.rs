//! Changes of the schema that the guard of a database noted, from the statement to the alert.

use std::time::Instant;

use serde_json::json;

use super::running::Running;
use super::{Watched, the};
use crate::engines::THREE;
use crate::guard::Guarded;
use crate::servers::{LIMIT, poll};

/// A project with a guard that is watched, and its database.
struct Noted {
    watched: Watched,
    /// Whose project is a copy: its settings name the same database.
    guarded: Guarded,
}

impl Noted {
    fn on(hint: &str) -> Self {
        let mut guarded = Guarded::on(hint, &THREE);
        guarded.project.ok(["apply"]);
        let copy = guarded.project.copy();
        let watched = Watched::new(std::mem::replace(&mut guarded.project, copy), "guard-interval = \"1s\"");
        Self { watched, guarded }
    }
}

#[test]
fn a_change_by_hand_is_told_within_seconds_and_once() {
    let noted = Noted::on("watchguard");
    let Noted { watched, guarded } = &noted;
    // One round an hour: only the look at the guard is left between them.
    let running = Running::every(watched, "1h", &[]);
    assert!(poll(LIMIT, || running.get("/readyz").0 == 200));
    // What comes through greffe is no finding.
    watched.project.script("4_more.up.sql", "CREATE TABLE public.more (id integer);");
    watched.project.ok(["apply"]);
    let begin = Instant::now();
    guarded.database.sql("CREATE TABLE public.by_hand (word text DEFAULT 'geheim-wort')");
    assert!(poll(LIMIT, || !watched.hook.requests().is_empty()));
    println!("told after {:?}", begin.elapsed());
    let events = watched.hook.events();
    let event = the(&events, "change-out-of-band");
    let parameters = &event["data"]["parameters"];
    for (name, value) in [
        ("object", "public.by_hand"),
        ("objectType", "table"),
        ("command", "CREATE TABLE"),
        ("sessionRole", "greffe"),
        ("role", "greffe"),
        ("reason", "unmarked"),
    ] {
        assert_eq!(parameters[name], json!(value), "{name} in {event:#}");
    }
    assert!(parameters["at"].as_str().unwrap().ends_with('Z'), "{event:#}");
    assert_eq!(
        (&event["data"]["severity"], &event["type"]),
        (&json!("critical"), &json!("greffe.finding.begun"))
    );
    assert!(!event.to_string().contains("geheim-wort"), "{event:#}");

    // Each note is told once.
    guarded.database.sql("DROP TABLE public.by_hand");
    assert!(poll(LIMIT, || watched.hook.requests().len() > 1));
    let events = watched.hook.events();
    assert_eq!(the(&events, "change-out-of-band")["data"]["parameters"]["command"], "DROP TABLE");
    running.end();
    // Also by another process, later.
    let events = watched.once(1);
    assert!(events.iter().all(|event| event["data"]["code"] != "change-out-of-band"), "{events:#?}");
}

#[test]
fn a_guard_that_is_turned_off_emptied_or_removed_is_told() {
    let noted = Noted::on("watchguardoff");
    let Noted { watched, guarded } = &noted;
    guarded.database.sql("CREATE TABLE public.first (); DROP TABLE public.first");
    let events = watched.once(1);
    assert_eq!(events.iter().filter(|event| event["data"]["code"] == "change-out-of-band").count(), 2);
    assert_eq!(watched.codes(1), [""; 0]);

    guarded.admin("DELETE FROM greffe_guard.changes");
    let events = watched.once(1);
    assert_eq!(the(&events, "guard-fails")["data"]["parameters"]["problem"], "notes-gone");
    assert_eq!(watched.codes(1), [""; 0]);

    guarded.admin("ALTER EVENT TRIGGER greffe_guard_drop DISABLE");
    let events = watched.once(1);
    assert_eq!(the(&events, "guard-fails")["subject"], "disabled event trigger greffe_guard_drop");
    guarded.install(&[]);
    assert!(watched.codes(1).contains(&"ended guard-fails".to_owned()));

    watched.project.ok(["guard", "remove", "--discard", "--database", "env:ADMIN_URL"]);
    let events = watched.once(1);
    assert_eq!(the(&events, "guard-fails")["data"]["parameters"]["problem"], "removed");
    assert_eq!(watched.codes(1), [""; 0]);
}
