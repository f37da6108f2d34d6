//! What is shipped beside the program: rules for Prometheus and a dashboard for Grafana, which know its metrics.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::Watched;
use crate::project::{Project, THREE};
use crate::tools::{output_of, tool};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring");

/// The names of metrics in an expression or a page.
fn names(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("greffe_") {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let end =
            text[at..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len() - at);
        found.insert(text[at..at + end].to_owned());
    }
    found
}

/// The names that a watch of a project with everything shows.
fn shown() -> BTreeSet<String> {
    let project = Project::with(&THREE);
    std::fs::create_dir(project.path("copy")).unwrap();
    super::add(&project, "\n[[replica]]\nname = \"copy\"\nurl = \"archive:copy\"\n");
    project.ok(["apply"]);
    let watched = Watched::new(project, "");
    watched.project.ok(["watch", "--once", "--metrics-file", "metrics.prom"]);
    let text = String::from_utf8(watched.project.read("metrics.prom")).unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

#[test]
fn every_metric_of_the_rules_the_dashboard_and_the_documentation_exists() {
    let shown = shown();
    let dashboard = std::fs::read_to_string(Path::new(FOLDER).join("grafana.json")).unwrap();
    let parsed: Value = serde_json::from_str(&dashboard).unwrap();
    assert!(parsed["panels"].as_array().unwrap().len() >= 10);
    let rules = std::fs::read_to_string(Path::new(FOLDER).join("greffe.rules.yml")).unwrap();
    let page = std::fs::read_to_string(Path::new(FOLDER).parent().unwrap().join("watch.md")).unwrap();
    for (place, text) in [("dashboard", &dashboard), ("rules", &rules), ("watch.md", &page)] {
        let unknown: Vec<String> = names(text).difference(&shown).cloned().collect();
        assert!(unknown.is_empty(), "{place}: {unknown:?}, of {shown:?}");
    }
    let undocumented: Vec<&String> =
        shown.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(undocumented.is_empty(), "{undocumented:?}");
}

#[test]
fn promtool_accepts_the_rules_and_what_they_are_held_to() {
    let rules = output_of(tool("promtool").args(["check", "rules", "greffe.rules.yml"]).current_dir(FOLDER));
    assert!(rules.contains("9 rules found"), "{rules}");
    output_of(tool("promtool").args(["test", "rules", "greffe.rules.test.yml"]).current_dir(FOLDER));
}

#[test]
fn the_documentation_lists_every_rule() {
    let page = std::fs::read_to_string(Path::new(FOLDER).parent().unwrap().join("watch.md")).unwrap();
    for code in greffe::watch::Code::ALL {
        let row = format!("| `{}` | {} |", code.as_str(), code.severity().as_str());
        assert!(page.contains(&row), "{row}");
    }
}
