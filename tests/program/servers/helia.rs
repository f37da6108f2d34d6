//! Helia, a second implementation of IPFS, in JavaScript: `GREFFE_TEST_HELIA` names the folder that has its
//! `node_modules`, `GREFFE_TEST_NODE22` a Node of version 22 or newer.

use std::process::Command;

use super::{feed, program, text};

/// What a module of JavaScript prints, which may import what `tests/helia/package.json` names, and reads
/// `process.argv.slice(2)`. The error is what it said.
pub fn helia(module: &str, arguments: &[&str]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    // Node looks for packages beside the module, and through links.
    std::os::unix::fs::symlink(
        program("GREFFE_TEST_HELIA").join("node_modules"),
        folder.path().join("node_modules"),
    )
    .unwrap();
    let path = folder.path().join("module.mjs");
    std::fs::write(&path, module).unwrap();
    let mut command = Command::new(program("GREFFE_TEST_NODE22"));
    command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
    command.arg(&path).args(arguments);
    text(feed(command, b""))
}
