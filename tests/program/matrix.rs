//! The same life of a project under each tool that can be had here: applied, edited, rolled back, failed, adopted.

use serde_json::json;

use crate::project::Project;
use crate::shop::programs;

/// A tool, and two migrations and a broken one as it writes them.
pub struct Case {
    pub tool: &'static str,
    /// What `migrations` is.
    pub folder: &'static str,
    /// What there is besides migrations.
    pub files: &'static [(&'static str, &'static str)],
    /// Path, text and the version that the tool gives it.
    pub first: (&'static str, &'static str, &'static str),
    pub second: (&'static str, &'static str, &'static str),
    pub broken: (&'static str, &'static str, &'static str),
    pub apply: &'static [&'static str],
    pub roll_back: &'static [&'static str],
    /// Other events of the first run: what the tool brings itself.
    pub own: &'static [&'static str],
}

pub const DJANGO: Case = Case {
    tool: "django",
    folder: ".",
    files: &[
        (
            "manage.py",
            "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n\
          from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n",
        ),
        (
            "settings.py",
            "import os\nSECRET_KEY = os.environ['DJANGO_KEY']\nINSTALLED_APPS = ['store']\nUSE_TZ = True\n\
          DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.environ['FILE']}}\n",
        ),
        ("store/__init__.py", ""),
        ("store/models.py", ""),
        ("store/migrations/__init__.py", ""),
    ],
    first: (
        "store/migrations/0001_first.py",
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = []\n\
         \x20   operations = [migrations.RunSQL('CREATE TABLE first (id INTEGER)', 'DROP TABLE first')]\n",
        "store.0001_first",
    ),
    second: (
        "store/migrations/0002_second.py",
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [('store', '0001_first')]\n\
         \x20   operations = [migrations.RunSQL('CREATE TABLE second (id INTEGER)', 'DROP TABLE second')]\n",
        "store.0002_second",
    ),
    broken: (
        "store/migrations/0003_broken.py",
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [('store', '0002_second')]\n\
         \x20   operations = [migrations.RunSQL('CREATE INDEX broken ON nowhere (id)', 'SELECT 1')]\n",
        "store.0003_broken",
    ),
    apply: &["python", "manage.py", "migrate", "--no-color"],
    roll_back: &["python", "manage.py", "migrate", "store", "0001_first"],
    own: &[],
};

pub const YOYO: Case = Case {
    tool: "yoyo",
    folder: "migrations",
    files: &[],
    first: (
        "migrations/0001.first.py",
        "from yoyo import step\n\nsteps = [step('CREATE TABLE first (id INTEGER)', 'DROP TABLE first')]\n",
        "0001.first",
    ),
    second: (
        "migrations/0002.second.sql",
        "-- depends: 0001.first\nCREATE TABLE second (id INTEGER);\n",
        "0002.second",
    ),
    broken: (
        "migrations/0003.broken.sql",
        "-- depends: 0002.second\nCREATE INDEX broken ON nowhere (id);\n",
        "0003.broken",
    ),
    apply: &["sh", "-c", "yoyo apply --batch --no-config-file --database \"sqlite:///$FILE\" migrations"],
    roll_back: &[
        "sh",
        "-c",
        "yoyo rollback --batch --no-config-file -r 0002.second --database \"sqlite:///$FILE\" migrations",
    ],
    own: &[],
};

pub fn project(case: &Case) -> Project {
    let mut project = Project::empty();
    std::fs::remove_dir(project.path("migrations")).unwrap();
    let file = project.path("app.db").display().to_string();
    let variables = [
        ("PATH", format!("{}:/usr/bin:/bin", programs().display())),
        ("FILE", file),
        ("DJANGO_KEY", "of tests".to_owned()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ];
    project.variables.extend(variables.map(|(name, value)| (name.to_owned(), value)));
    for (path, text) in case.files {
        put(&project, path, text);
    }
    project.ok(["init", "--name", "demo", "--database", "sqlite:app.db", "--migrations", case.folder]);
    project
}

pub fn put(project: &Project, path: &str, text: &str) {
    std::fs::create_dir_all(project.path(path).parent().unwrap()).unwrap();
    project.write(path, text);
}

fn recorded<'a>(command: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["record", "--"];
    arguments.extend(command);
    arguments
}

fn life(case: &Case) {
    let project = project(case);
    let Case { first, second, broken, .. } = case;
    put(&project, first.0, first.1);
    put(&project, second.0, second.1);
    project.ok(recorded(case.apply));
    let mut story = vec!["genesis".to_owned()];
    story.extend(case.own.iter().map(|event| (*event).to_owned()));
    story.extend([first, second].map(|script| format!("apply {}", script.2)));
    assert_eq!(project.story(), story, "{}", case.tool);
    let number = (story.len() - 1).to_string();
    let event = &project.json(&["show", &number])["event"];
    assert_eq!((&event["executor"]["name"], &event["evidence"]), (&json!(case.tool), &json!("captured")));
    project.ok(["audit"]);

    // One byte of what was applied, which the tool does not see.
    put(&project, second.0, &second.1.replace("second (id INTEGER)", "second (id  NUMERIC)"));
    project.ok(recorded(case.apply));
    assert_eq!(project.story(), story, "{}", case.tool);
    project.ends(1, ["audit"]).prints(&[second.2, "is not what was archived"]);
    put(&project, second.0, second.1);

    put(&project, broken.0, broken.1);
    let run = project.run(recorded(case.apply));
    assert_ne!(run.code, 0, "{}: {run:#?}", case.tool);
    story.push(format!("fail {}", broken.2));
    assert_eq!(project.story(), story, "{}", case.tool);
    project.remove(broken.0);

    project.ok(recorded(case.roll_back));
    story.push(format!("rollback {}", second.2));
    assert_eq!(project.story(), story, "{}", case.tool);
    project.verify();

    // The same database, adopted as if nobody had watched.
    std::fs::remove_dir_all(project.path("archive")).unwrap();
    project.remove("greffe.toml");
    project.ok(["init", "--name", "again", "--database", "sqlite:app.db", "--migrations", case.folder]);
    project.ok(["baseline"]);
    let adopted = format!("baseline {}", first.2);
    assert!(project.story().contains(&adopted), "{}: {:?}", case.tool, project.story());
    project.ok(["audit"]);
}

#[test]
fn django() {
    life(&DJANGO);
}

#[test]
fn yoyo() {
    life(&YOYO);
}
