//! The tools of Python; Alembic and Flask-Migrate have a shop of their own.

use super::{BLIND, Case, On, Script, live, path_with};
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

#[test]
fn django() {
    live(&DJANGO, On::Sqlite);
}

#[test]
fn yoyo() {
    live(&YOYO, On::Sqlite);
}
