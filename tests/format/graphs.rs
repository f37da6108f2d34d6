//! The graphs of large projects' revisions, read as text, are those that Alembic itself makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use greffe::scripts::tools::{Folder, is_wanted, tool_named};
use serde_json::Value;

/// Folders of revisions below that of the packages, how many each has at least, and how many labels are no plain values.
const PROJECTS: [(&str, usize, usize); 3] = [
    ("apache_superset/superset/migrations", 300, 0),
    ("apache_airflow_core/airflow/migrations", 100, 0),
    ("neutron/neutron/db/migration/alembic_migrations", 120, 2),
];

fn packages() -> Option<PathBuf> {
    let found = std::env::var_os("GREFFE_TEST_REVISIONS").map(PathBuf::from);
    match (found, std::env::var_os("GREFFE_TEST_ALL")) {
        (None, Some(_)) => panic!("GREFFE_TEST_REVISIONS names no folder: run `./tests/run --all`"),
        (found, _) => found,
    }
}

/// What Alembic says: parents by revision, and heads.
fn alembic(folder: &Path) -> (BTreeMap<String, BTreeSet<String>>, BTreeSet<String>) {
    let tools = std::env::var_os("GREFFE_TEST_TOOLS").map(PathBuf::from);
    let tools = tools.expect("GREFFE_TEST_TOOLS names no folder with `alembic`: run `./tests/run`");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/alembic/graph.py");
    let mut asked = Command::new(tools.join("python"));
    asked.arg("-B").arg(script).arg(folder);
    let mut waiting = vec![folder.join("versions")];
    while let Some(next) = waiting.pop() {
        let entries = std::fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path());
        waiting.extend(entries.filter(|path| path.is_dir() && !path.ends_with("__pycache__")));
        asked.arg(next);
    }
    let output = asked.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let texts = |list: &Value| {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let graph = said["graph"].as_object().unwrap();
    (graph.iter().map(|(id, parents)| (id.clone(), texts(parents))).collect(), texts(&said["heads"]))
}

#[test]
fn graphs_are_those_that_alembic_makes() {
    // Fetched by `./tests/run --all` alone.
    let Some(packages) = packages() else { return };
    for (project, least, labels) in PROJECTS {
        let folder = packages.join(project);
        let (graph, heads) = alembic(&folder);
        assert!(graph.len() >= least, "{project}: {}", graph.len());
        let catalog = tool_named("alembic").unwrap().catalog(&Folder::read(&folder, is_wanted).unwrap());
        let faults: Vec<String> = catalog.faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults.iter().filter(|fault| fault.contains("branch_labels")).count(),
            labels,
            "{faults:#?}"
        );
        assert_eq!(faults.len(), labels, "{faults:#?}");
        let read: BTreeMap<String, BTreeSet<String>> = catalog
            .scripts
            .iter()
            .map(|script| (script.id.clone(), script.stands_on.iter().cloned().collect()))
            .collect();
        assert_eq!(read, graph, "{project}");
        let stood_on: BTreeSet<&String> = read.values().flatten().collect();
        let ends: BTreeSet<String> = read.keys().filter(|id| !stood_on.contains(id)).cloned().collect();
        assert_eq!(ends, heads, "{project}");
        // Each after those that it stands on.
        let mut before = BTreeSet::new();
        for script in &catalog.scripts {
            assert!(
                script.stands_on.iter().all(|parent| before.contains(parent)),
                "{project}: {}",
                script.id
            );
            before.insert(script.id.clone());
        }
        println!("{project}: {} revisions, {} heads", read.len(), heads.len());
    }
}
