//! Programs of the system that tests need. One that is missing fails the test and says how to get it.

use std::process::{Command, Stdio};

/// A command of the system, with a plain environment.
pub fn tool(name: &str) -> Command {
    let package = match name {
        "ssh-keygen" | "ssh-agent" | "ssh-add" => "openssh-client",
        "promtool" => "prometheus",
        "amtool" => "prometheus-alertmanager",
        "pdftotext" => "poppler-utils",
        "sha256sum" => "coreutils",
        other => other,
    };
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\"", name])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    assert!(found, "`{name}` is missing: run `apt-get install {package}` or `./tests/run`");
    let mut command = Command::new(name);
    command.stdin(Stdio::null()).env("LC_ALL", "C");
    command
}

/// Runs a tool that has to succeed; its standard output.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the slow form of a test was asked for.
pub fn runs_all() -> bool {
    std::env::var_os("GREFFE_TEST_ALL").is_some_and(|value| value == "1")
}
