//! The tools of Python; Alembic and Flask-Migrate have a shop of their own.

use serde_json::Value;

use super::{BLIND, Case, Life, On, Script, live, path_with};
use crate::shop::programs;

pub const CASES: &[Case] = &[DJANGO, YOYO];

pub const DJANGO: Case = Case {
    tool: "django",
    on: &[On::Sqlite],
    is_real: true,
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
    first: Script {
        version: "store.0001_first",
        files: &[(
            "store/migrations/0001_first.py",
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = []\n\
         \x20   operations = [migrations.RunSQL('CREATE TABLE first (id INTEGER)', 'DROP TABLE first')]\n",
        )],
    },
    second: Script {
        version: "store.0002_second",
        files: &[(
            "store/migrations/0002_second.py",
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [('store', '0001_first')]\n\
         \x20   operations = [migrations.RunSQL('CREATE TABLE second (id INTEGER)', 'DROP TABLE second')]\n",
        )],
    },
    broken: Script {
        version: "store.0003_broken",
        files: &[(
            "store/migrations/0003_broken.py",
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [('store', '0002_second')]\n\
         \x20   operations = [migrations.RunSQL('CREATE INDEX broken ON nowhere (id)', 'SELECT 1')]\n",
        )],
    },
    apply: "python manage.py migrate --no-color",
    roll_back: Some("python manage.py migrate store 0001_first"),
    mend: None,
    mark: Some("python manage.py migrate --fake store 0003_broken"),
    sees: BLIND,
    adopted: "imported-weak",
    surroundings: |_| {
        let set = |name, value: &str| (name, value.to_owned());
        vec![path_with(&[&programs()]), set("DJANGO_KEY", "of tests"), set("PYTHONDONTWRITEBYTECODE", "1")]
    },
};

pub const YOYO: Case = Case {
    tool: "yoyo",
    on: &[On::Sqlite],
    is_real: true,
    folder: "migrations",
    files: &[],
    first: Script {
        version: "0001.first",
        files: &[(
            "migrations/0001.first.py",
            "from yoyo import step\n\nsteps = [step('CREATE TABLE first (id INTEGER)', 'DROP TABLE first')]\n",
        )],
    },
    second: Script {
        version: "0002.second",
        files: &[
            ("migrations/0002.second.sql", "-- depends: 0001.first\nCREATE TABLE second (id INTEGER);\n"),
            ("migrations/0002.second.rollback.sql", "DROP TABLE second;\n"),
        ],
    },
    broken: Script {
        version: "0003.broken",
        files: &[(
            "migrations/0003.broken.sql",
            "-- depends: 0002.second\nCREATE INDEX broken ON nowhere (id);\n",
        )],
    },
    apply: "yoyo apply --batch --no-config-file --database sqlite:///$FILE migrations",
    roll_back: Some(
        "yoyo rollback --batch --no-config-file -r 0002.second --database sqlite:///$FILE migrations",
    ),
    mend: None,
    mark: Some("yoyo mark --batch --no-config-file -r 0003.broken --database sqlite:///$FILE migrations"),
    sees: BLIND,
    adopted: "imported-weak",
    surroundings: |_| vec![path_with(&[&programs()]), ("PYTHONDONTWRITEBYTECODE", "1".to_owned())],
};

/// The migration of `sqlmigrate`'s answer, way up and way back, and of code that has none.
#[test]
fn django_says_which_sql_it_ran() {
    let mut life = Life::of(&DJANGO, On::Sqlite);
    // What is code in Python is sealed otherwise, and with it what it is called.
    life.project.variables.retain(|(name, _)| name != "GREFFE_PUBLISH");
    life.project.variables.push(("GREFFE_PUBLISH".to_owned(), "all".to_owned()));
    life.put(DJANGO.first.files);
    life.put(&[(
        "store/migrations/0002_book.py",
        "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n\
         \x20   dependencies = [('store', '0001_first')]\n\
         \x20   operations = [migrations.CreateModel('Book', [('id', models.AutoField(primary_key=True))]),\n\
         \x20       migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop)]\n",
    )]);
    let project = &life.project;
    let init = ["init", "--name", "demo", "--database", "sqlite:app.db", "--migrations", "."];
    let begun = project.ok(init.iter().chain(&["--publish", "all"]));
    begun.prints(&["next: `greffe record -- COMMAND`", "greffe baseline", "django"]);
    life.records(DJANGO.apply);
    let shown = project.json(&["show", "2"]);
    let version = shown["event"]["executor"]["version"].as_str().unwrap();
    assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{version}");
    let roles = |seq: &str| {
        let files = project.json(&["show", seq])["files"].as_array().unwrap().clone();
        files.iter().map(|file| file["role"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(roles("1"), ["rendered", "up"]);
    assert_eq!(roles("2"), ["output", "rendered", "up"]);
    let digests = |seq: &str| project.json(&["show", seq])["event"]["digests"]["rendered.sql"].clone();
    assert!(digests("1") != digests("2") && digests("1") != Value::Null);
    life.records(DJANGO.roll_back.unwrap());
    assert_eq!(project.story()[3..], ["rollback store.0002_book"]);
    assert_eq!(roles("3"), ["down", "output", "rendered"]);
    assert_ne!(digests("3"), digests("2"));
    life.project
        .ok(["record", "--no-render", "--"].map(str::to_owned).into_iter().chain(life.words(DJANGO.apply)));
    assert_eq!(roles("4"), ["output", "up"]);
    project.verify();
}

/// What Django finds done already it notes without running it; what it prints tells which that is.
#[test]
fn django_tells_which_first_migration_it_only_noted() {
    let life = Life::of(&DJANGO, On::Sqlite);
    let migration = |initial: &str, dependency: &str, model: &str| {
        format!(
            "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n{initial}\
             \x20   dependencies = [{dependency}]\n\
             \x20   operations = [migrations.CreateModel('{model}', [('id', models.AutoField(primary_key=True))])]\n"
        )
    };
    life.put(&[
        ("store/migrations/0001_book.py", &migration("    initial = True\n", "", "Book")),
        ("store/migrations/0002_page.py", &migration("", "('store', '0001_book')", "Page")),
    ]);
    life.begin(&DJANGO, "demo");
    // The table was there before.
    let table = "from django.db import connection; connection.cursor().execute('CREATE TABLE store_book (id integer)')";
    let words = [
        "python",
        "-c",
        &format!(
            "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'; django.setup(); {table}"
        ),
    ];
    let mut python = std::process::Command::new("/usr/bin/env");
    life.project.prepare(&mut python);
    assert!(python.args(words).status().unwrap().success());
    life.records("python manage.py migrate --fake-initial --no-color");
    assert_eq!(life.project.story()[1..], ["stamp store.0001_book", "apply store.0002_page"]);
    life.project.verify();
}

#[test]
fn django() {
    live(&DJANGO, On::Sqlite);
}

#[test]
fn yoyo() {
    live(&YOYO, On::Sqlite);
}
