//! How long 1,000 scripts take to be judged by all rules: by the program as a whole, for PostgreSQL with squawk, for SQLite
//! with each way down tried, and by the packs of three sectors.

mod measure;

use std::path::Path;

use measure::{alternate, at_most, figure, greffe, headline, milliseconds, timed_process};

const SCRIPTS: usize = 1_000;
const ROUNDS: usize = 5;

fn main() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let bytes = write_scripts(folder.path());
    let lint = |arguments: &[&str]| {
        let mut command = greffe();
        command.current_dir(folder.path()).args(["lint", "--quiet"]).args(arguments);
        timed_process(&mut command)
    };
    let sectors = tempfile::tempdir().expect("a folder for temporary files");
    write_scripts(sectors.path());
    let settings = "[policy]\nsectors = [\"santé\", \"éducation\", \"e-commerce\"]\n";
    std::fs::write(sectors.path().join("greffe.toml"), settings).expect("a folder that can be written to");
    let in_sectors = |arguments: &[&str]| {
        let mut command = greffe();
        command.current_dir(sectors.path()).args(arguments).env("DATABASE_URL", "sqlite:a.db");
        timed_process(&mut command)
    };
    let mut asked = || in_sectors(&["policy", "check", "--quiet", "--fail-on", "deny"]);
    let mut told = || in_sectors(&["lint", "--quiet", "--dialect", "sqlite", "--no-check-down"]);
    let mut postgres = || lint(&["--dialect", "postgresql"]);
    let mut all = || lint(&["--dialect", "postgresql", "--level", "squawk/*=note"]);
    let mut maria = || lint(&["--dialect", "mysql"]);
    let mut plain = || lint(&["--dialect", "sqlite", "--no-check-down"]);
    let mut tried = || lint(&["--dialect", "sqlite", "--check-down"]);
    let [postgres, all, maria, plain, tried, asked, told] = alternate(
        ROUNDS,
        [&mut postgres, &mut all, &mut maria, &mut plain, &mut tried, &mut asked, &mut told],
    );
    headline("judging 1,000 scripts with their ways down, whole processes");
    figure("kilobytes", &(bytes / 1000).to_string());
    figure("MySQL", &milliseconds(&maria));
    figure("PostgreSQL, all 75 rules of squawk", &milliseconds(&all));
    figure("PostgreSQL", &milliseconds(&postgres));
    figure("SQLite, 1,000 ways down tried", &milliseconds(&tried));
    at_most("PostgreSQL", postgres.median(), 2.0, " s");
    at_most("SQLite, nothing tried", plain.median(), 2.0, " s");
    at_most("SQLite, nothing tried, by three packs as well", told.median(), 2.0, " s");
    at_most("`policy check` by three packs", asked.median(), 2.0, " s");
}

/// Tables with columns and indexes, and the ways back. All three databases take them.
fn write_scripts(folder: &Path) -> usize {
    let migrations = folder.join("migrations");
    std::fs::create_dir(&migrations).expect("an empty folder");
    let mut bytes = 0;
    let mut write = |name: String, text: String| {
        bytes += text.len();
        std::fs::write(migrations.join(name), text).expect("a folder that can be written to");
    };
    for number in 1..=SCRIPTS {
        let before = number - 1;
        let depends = if before > 0 { format!("-- depends-on: {before}\n") } else { String::new() };
        let columns: String = (1..=12).map(|column| format!(",\n    column_{column} VARCHAR(40)")).collect();
        write(
            format!("{number}_part.up.sql"),
            format!(
                "-- purpose: part {number} of the register\n-- impact: one more table\n-- rollback: drops the table\n\
                 {depends}CREATE TABLE part_{number} (\n    id INTEGER PRIMARY KEY{columns}\n);\n\
                 CREATE INDEX part_{number}_a ON part_{number} (column_1);\n\
                 CREATE INDEX part_{number}_b ON part_{number} (column_2, column_3);\n"
            ),
        );
        write(format!("{number}_part.down.sql"), format!("DROP TABLE part_{number};\n"));
    }
    bytes
}
