//! The log that is served, read whole by a program that is not written here: `fsck` of Tessera makes the tree and its tiles
//! again from the entries, and compares them with what is served.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::project::Project;
use crate::serve::Served;
use crate::witness::log_vkey;

/// What `fsck` says of the log at a URL; it ends with 0 whatever it finds.
fn fsck(project: &Project, url: &str) -> String {
    let program = std::env::var_os("GREFFE_TEST_FSCK").map(PathBuf::from);
    let program = program.expect("GREFFE_TEST_FSCK is not set: `tests/run` builds what tests need");
    let mut command = Command::new(program);
    command.args(["--ui=false", "--N=4", "--storage_url", url, "--public_key"]).arg(project.path("log.vkey"));
    let Output { stdout, stderr, .. } = command.output().unwrap();
    String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()
}

/// What is served of a log of 258 entries: a whole tile, a partial one, and the level above.
const FILES: [&str; 6] = [
    "checkpoint",
    "tile/0/000",
    "tile/0/001.p/2",
    "tile/1/000.p/1",
    "tile/entries/000",
    "tile/entries/001.p/2",
];

#[test]
fn the_fsck_of_tessera_makes_the_served_log_again_and_finds_what_was_changed() {
    let project = Project::with(&[]);
    for number in 1..=257 {
        project.script(&format!("{number}_t.sql"), format!("CREATE TABLE t{number} (id INTEGER);"));
    }
    project.ok(["apply"]);
    project.write("log.vkey", log_vkey(&project));
    let served = Served::start(&project, &[]);
    let said = fsck(&project, &format!("{}/log/", served.url()));
    assert!(said.contains("Successfully fsck'd log with size 258"), "{said}");

    let folder = project.path("log");
    for file in FILES {
        fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
        fs::write(folder.join(file), served.get(&format!("/log/{file}")).body).unwrap();
    }
    let url = format!("file://{}", folder.display());
    assert!(fsck(&project, &url).contains("Successfully fsck'd"));
    for file in FILES {
        let bytes = fs::read(folder.join(file)).unwrap();
        let mut changed = bytes.clone();
        // Not the last digit of a signature in base64, some bits of which say nothing.
        let place = changed.len() - 10;
        changed[place] ^= 1;
        fs::write(folder.join(file), changed).unwrap();
        let said = fsck(&project, &url);
        assert!(said.contains("fsck failed"), "{file}: {said}");
        fs::write(folder.join(file), bytes).unwrap();
    }
    // Another chain's key.
    project.write("log.vkey", log_vkey(&Project::applied()));
    assert!(fsck(&project, &url).contains("fsck failed"));
}
