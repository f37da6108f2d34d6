//! `greffe record` over a project with 1,000 Alembic revisions, beside what Alembic itself takes to say where it is; and
//! reading 5,000 scripts, beside reading their bytes.

mod measure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use greffe::crypto::{PrivateKey, encode_pem};
use greffe::scripts::tools::{Folder, is_wanted, tool_named};
use measure::{alternate, at_most, figure, greffe, headline, milliseconds, timed, timed_process};

const REVISIONS: usize = 1_000;
const SCRIPTS: usize = 5_000;
const ROUNDS: usize = 9;
const ENVIRONMENT: &str = "from alembic import context\nfrom sqlalchemy import create_engine\n\n\
    with create_engine('sqlite:///app.db').connect() as connection:\n    context.configure(connection=connection)\n    \
    with context.begin_transaction():\n        context.run_migrations()\n";

fn main() {
    let directory = tempfile::tempdir().expect("a folder");
    recording(directory.path());
    reading(directory.path());
}

fn recording(folder: &Path) {
    let Some(tools) = std::env::var_os("GREFFE_TEST_TOOLS").map(PathBuf::from) else {
        println!("\nGREFFE_TEST_TOOLS names no folder with `alembic`: run `./tests/run --all`");
        return;
    };
    let migrations = folder.join("alembic");
    write_revisions(&migrations);
    fs::write(folder.join("alembic.ini"), "[alembic]\nscript_location = alembic\n").expect("a file");
    let alembic = |words: &[&str]| {
        let mut command = Command::new(tools.join("alembic"));
        // Its compiled files are kept, as on a machine of a team.
        command.current_dir(folder).args(words);
        timed_process(&mut command)
    };
    let key = encode_pem(&PrivateKey::from_seed(&[7; 32])).to_string();
    let run = |words: &[&str]| -> Duration {
        let mut command = greffe();
        command.current_dir(folder).env("GREFFE_KEY", &key).args(words);
        timed_process(&mut command)
    };
    alembic(&["stamp", "head"]);
    run(&[
        "init",
        "--name",
        "bench",
        "--database",
        "sqlite:app.db",
        "--migrations",
        "alembic",
        "--publish",
        "all",
    ]);
    run(&["baseline"]);
    let [recorded, current] =
        alternate(ROUNDS, [&mut || run(&["record", "--", "true"]), &mut || alembic(&["current"])]);
    headline(&format!("a run that does nothing, over {REVISIONS} revisions of Alembic"));
    figure("greffe record -- true", &milliseconds(&recorded));
    figure("alembic current", &milliseconds(&current));
    at_most("greffe over Alembic", recorded.over(&current), 0.1, "");
}

fn write_revisions(folder: &Path) {
    let versions = folder.join("versions");
    fs::create_dir_all(&versions).expect("a folder");
    fs::write(folder.join("env.py"), ENVIRONMENT).expect("a file");
    for number in 0..REVISIONS {
        let down = number.checked_sub(1).map_or("None".to_owned(), |before| format!("'{before:012x}'"));
        let text = format!(
            "\"\"\"column {number}\n\nRevision ID: {number:012x}\n\"\"\"\nfrom alembic import op\nimport sqlalchemy as sa\n\n\
             revision = '{number:012x}'\ndown_revision = {down}\nbranch_labels = None\ndepends_on = None\n\n\n\
             def upgrade():\n    op.add_column('part', sa.Column('column_{number}', sa.String(80), nullable=True))\n\n\n\
             def downgrade():\n    op.drop_column('part', 'column_{number}')\n"
        );
        fs::write(versions.join(format!("{number:012x}_column.py")), text).expect("a file");
    }
}

fn reading(folder: &Path) {
    let scripts = folder.join("scripts");
    fs::create_dir(&scripts).expect("a folder");
    for number in 0..SCRIPTS {
        let columns: String =
            (0..30).map(|at| format!(",\n  column_{at} varchar(80) NOT NULL DEFAULT ''")).collect();
        let text = format!("CREATE TABLE part_{number} (\n  id bigint PRIMARY KEY{columns}\n);\n");
        fs::write(scripts.join(format!("V{number}__part.sql")), text).expect("a file");
    }
    let tool = tool_named("flyway").expect("a tool");
    let read = || Folder::read(&scripts, is_wanted).expect("a folder");
    let mut bytes = || {
        timed(|| {
            let files =
                fs::read_dir(&scripts).expect("a folder").map(|entry| entry.expect("an entry").path());
            files.map(|path| fs::read(path).expect("a file").len()).sum::<usize>()
        })
    };
    let [bare, folders, catalogs] = alternate(
        ROUNDS,
        [&mut bytes, &mut || timed(|| read().files().count()), &mut || {
            timed(|| tool.catalog(&read()).scripts.len())
        }],
    );
    headline(&format!("reading {SCRIPTS} scripts, with their checksums, from the cache of the disk"));
    figure("bytes alone", &milliseconds(&bare));
    figure("as a folder", &milliseconds(&folders));
    figure("as a catalog", &milliseconds(&catalogs));
    at_most("catalog over bytes", catalogs.over(&bare), 3.0, "");
}
