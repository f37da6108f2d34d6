//! How runs end, and what is told of them while they go on.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::{event, record};
use crate::shop::Shop;

fn wait_for(path: &Path) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !path.exists() {
        assert!(Instant::now() < deadline, "{}", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn begins(shop: &Shop, script: &str, mark: &str) -> Child {
    let child = shop.project.command(record(&["sh", "-c", script])).spawn().unwrap();
    wait_for(&shop.project.path(mark));
    child
}

#[test]
fn a_run_that_goes_on_is_archived_by_who_began_it() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c"]);
    let script = "touch begun; while [ ! -e go ]; do sleep 0.1; done; flask db upgrade";
    let mut child = begins(&shop, script, "begun");
    project.ok(["record", "--resume"]);
    assert_eq!(project.story(), ["genesis"]);
    assert_eq!(std::fs::read_dir(project.path("archive/shop.runs")).unwrap().count(), 1);
    project.write("go", "");
    assert!(child.wait().unwrap().success());
    assert_eq!(project.story(), ["genesis", "apply 5a0c"]);
    assert_eq!(event(&shop, 1)["evidence"], "captured");
    project.ok(["record", "--resume"]);
    assert_eq!(project.story().len(), 2);

    // A signal after the tool's end is the wrapper's, and what it could not archive waits.
    shop.add(&["6b1d"]);
    let mut child = begins(&shop, "flask db upgrade; sleep 20 & touch ended", "ended");
    std::thread::sleep(Duration::from_millis(400));
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert_eq!(project.story().len(), 2);
    project.ok(["record", "--resume"]);
    assert_eq!(project.story()[2..], ["baseline 6b1d"]);
    project.ok(["audit"]).prints(&["no difference"]);
    project.verify();
}

#[test]
fn hints_name_what_works() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c"]);
    std::fs::rename(project.path("archive/shop.car"), project.path("elsewhere")).unwrap();
    // Where no run can be noted, none can be resumed.
    project.write("archive/shop.runs", "");
    let run = project.ok(record(&["flask", "db", "upgrade"]));
    run.says(&["the run is not archived", "greffe record -- true"]);
    assert!(!run.stderr.contains("--resume"), "{run:#?}");
    std::fs::rename(project.path("elsewhere"), project.path("archive/shop.car")).unwrap();
    project.ok(record(&["true"])).says(&["1 migration(s) were applied before", "greffe baseline"]);
    project.ok(["baseline"]);
    // It is archived all the same.
    shop.add(&["6b1d"]);
    project.ok(record(&["flask", "db", "upgrade"])).says(&["applied 6b1d as entry 2"]);
    assert_eq!(event(&shop, 2)["evidence"], "captured");
    project.verify();
}

#[test]
fn the_status_is_what_the_tools_table_says() {
    let shop = Shop::in_a_file();
    let project = &shop.project;
    shop.add(&["5a0c", "6b1d"]);
    project.ok(record(&["flask", "db", "upgrade", "5a0c"]));
    project.ok(["status"]).prints(&[
        "alembic, history in alembic_version",
        "applied      5a0c",
        "pending      6b1d",
    ]);
    let states = |found: serde_json::Value| {
        let lines = found["migrations"].as_array().unwrap().iter();
        lines.map(|line| format!("{} {} {}", line["version"], line["state"], line["seq"])).collect::<Vec<_>>()
    };
    assert_eq!(states(project.json(&["status"])), ["\"5a0c\" \"applied\" 1", "\"6b1d\" \"pending\" null"]);
    // What nobody recorded is applied all the same, and a difference.
    shop.flask(&["db", "upgrade"]);
    project.ends(1, ["status"]).prints(&["applied      6b1d", "difference(s)", "greffe audit"]);
    let found = project.ends(1, ["status", "--json"]).object();
    assert_eq!(found["findings"][0]["finding"], "not-in-archive", "{found:#}");
    // What was missed, and what the run then undid.
    project.ok(record(&["flask", "db", "downgrade", "5a0c"]));
    assert_eq!(project.story()[2..], ["baseline 6b1d", "rollback 6b1d"]);
    project.ok(["status"]);
    project.verify();
}
