//! Further causes of findings, and the alert that comes of each.

use std::fs;

use super::{Watched, add, the, told};
use crate::project::{Project, THREE};
use crate::tools::{output_of, tool};

/// In so many days from now, in UTC.
fn day(format: &str, in_days: i32) -> String {
    output_of(tool("date").args(["-u", "-d", &format!("{in_days} days"), format])).trim().to_owned()
}

#[test]
fn a_rollback_outside_the_window_is_told() {
    let project = Project::applied();
    let today = output_of(tool("date").args(["-u", "+%u"])).trim().parse::<usize>().unwrap();
    let closed = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"][(today + 3) % 7];
    let watched = Watched::new(project, "");
    assert_eq!(watched.codes(0), [""; 0]);
    let settings = String::from_utf8(watched.project.read("greffe.toml")).unwrap();
    let windows = format!("[watch]\nwindows = [\"{closed} 00:00-24:00\"]\n");
    watched.project.write("greffe.toml", settings.replace("[watch]\n", &windows));
    watched.project.ok(["rollback", "--steps", "1"]);
    let events = watched.once(1);
    let event = the(&events, "outside-window");
    assert_eq!(event["data"]["parameters"]["event"], "rollback");
}

#[test]
fn sealed_content_that_is_to_be_erased_is_told() {
    let mut project = Project::with(&THREE).publishing("sealed");
    project.ok(["apply"]);
    project.variables.push(("GREFFE_VAULT_RETENTION".to_owned(), "1d".to_owned()));
    let watched = Watched::new(project, "due = \"3m\"");
    let events = watched.once(1);
    assert_eq!(the(&events, "erasure-due")["subject"], format!("month {}", day("+%Y-%m", 0)));
}

#[test]
fn an_attestation_that_ends_is_told() {
    let watched = Watched::new(Project::applied(), "");
    let until = day("+%F", 3);
    let attestation = format!(
        "\n[policy]\nsectors = [\"e-commerce\"]\n[[policy.attestation]]\nrule = \"ecommerce-no-card-codes\"\nby = \"developer\"\non = \"2026-01-01\"\nuntil = \"{until}\"\nreference = \"R-1\"\n"
    );
    add(&watched.project, &attestation);
    let events = watched.once(1);
    let event = the(&events, "waiver-due");
    assert_eq!(
        (&event["subject"], &event["data"]["parameters"]["until"]),
        (&"attestation ecommerce-no-card-codes".into(), &until.into())
    );
}

#[test]
fn a_script_that_was_changed_after_it_ran_is_told() {
    let watched = Watched::new(Project::applied(), "");
    watched.project.script("1_authors.up.sql", "CREATE TABLE authors (id INTEGER);\n");
    let events = watched.once(1);
    assert!(the(&events, "differs")["subject"].as_str().unwrap().ends_with(" 1"), "{events:#?}");
}

#[test]
fn an_archive_with_a_changed_byte_is_told() {
    let watched = Watched::new(Project::with(&THREE[..4]).publishing("schema"), "");
    watched.project.ok(["apply"]);
    let mut bytes = watched.project.read("archive/demo.car");
    let place = bytes.windows(19).position(|part| part == b"CREATE TABLE author").unwrap();
    bytes[place] ^= 1;
    watched.project.write("archive/demo.car", bytes);
    let events = watched.once(1);
    assert!(events.iter().any(|event| told(event) == "begun unverified"), "{events:#?}");
}

#[test]
fn a_head_that_a_replica_did_not_get_is_told_and_when_it_has_it() {
    let project = Project::with(&THREE[..2]);
    project.ok(["apply"]);
    fs::create_dir(project.path("copy")).unwrap();
    add(&project, "\n[[replica]]\nname = \"copy\"\nurl = \"archive:copy\"\n");
    project.ok(["replicate"]);
    let watched = Watched::new(project, "");
    assert_eq!(watched.codes(0), [""; 0]);
    fs::rename(watched.project.path("copy"), watched.project.path("away")).unwrap();
    watched.project.scripts(&THREE[2..]);
    watched.project.run(["apply"]);
    fs::rename(watched.project.path("away"), watched.project.path("copy")).unwrap();
    let events = watched.once(1);
    assert_eq!(the(&events, "undelivered-head")["subject"], "copy");
    watched.project.ok(["replicate"]);
    assert!(watched.codes(0).contains(&"ended undelivered-head".to_owned()));
}
