//! What policies answered is asked again wherever a chain is verified.

use super::{project, with};
use crate::anywhere::{machine, publish};
use crate::project::THREE;
use crate::servers::Kubo;

#[test]
fn verdicts_are_replayed_from_a_cid_on_another_node() {
    let (kubo, machine) = (Kubo::start(), machine());
    let source = "fn beforeEachMigrate(context, sector) { if context.migration.hasDown { warn(\"seen\", sector) } else { allow() } }";
    let scripts: Vec<(&str, &str)> =
        THREE.into_iter().chain([("4_d.sql", "-- sector: santé\nCREATE TABLE d (id INTEGER);\n")]).collect();
    let project = with(&scripts, &[("beforeEachMigrate.rhai", source), ("finally.rhai", "allow()")]);
    project.ok(["apply"]);
    assert_eq!(project.story(), ["genesis", "plan", "apply 1", "apply 2", "apply 3", "apply 4", "attach"]);
    let head = publish(&project, &kubo);
    let report = machine.json(&["verify", &head, "--from", &kubo.gateway_url()]);
    assert_eq!((&report["verified"], &report["entries"]), (&true.into(), &7.into()), "{report:#}");
}

#[test]
fn verification_needs_no_hooks_of_ones_own() {
    let project = project(&[("beforeMigrate.rhai", "warn(\"a\", \"b\")"), ("beforeMigrate.sh", "exit 0")]);
    project.ok(["apply"]);
    project.ok(["export", "--out", "out.car"]);
    let machine = machine();
    machine.write("out.car", project.read("out.car"));
    let report = machine.json(&["verify", "out.car"]);
    assert_eq!(report["verified"], true, "{report:#}");
}
