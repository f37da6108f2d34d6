//! The first thing that a newcomer runs, as README.md shows it.

use crate::pages::{block_below, masked};
use crate::project::{Project, Run};

fn quickstart(project: &Project) -> Run {
    project.ok(["quickstart", &project.path("quick").display().to_string()])
}

#[test]
fn the_readme_shows_what_quickstart_prints() {
    let readme = include_str!("../../README.md");
    let block = block_below(readme, "quickstart");
    let mut project = Project::empty();
    project.variables.clear();
    assert_eq!(masked(&quickstart(&project).stdout), masked(block));
}

#[test]
fn quickstart_leaves_a_project_that_can_be_looked_at() {
    let mut project = Project::empty();
    project.variables.clear();
    let run = quickstart(&project);
    assert_eq!(run.stderr, "");
    for name in ["quick/app.db", "quick/archive/quickstart.car", "quick/quickstart.car", "quick/tampered.car"]
    {
        assert!(project.path(name).exists(), "{name}");
    }
    let (sound, tampered) = (project.read("quick/quickstart.car"), project.read("quick/tampered.car"));
    let bits: u32 = sound.iter().zip(&tampered).map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!((bits, sound.len()), (1, tampered.len()));
    let mut status = project.command(["status"]);
    status.current_dir(project.path("quick"));
    assert_eq!(project.judge(status.output().unwrap()).code, 0);
    project.unchanged(|| project.ends(3, ["quickstart", "quick"])).says(&["quick", "hint:"]);
    let object = project.json(&["quickstart", "other"]);
    assert_eq!(object["command"], "quickstart");
}
