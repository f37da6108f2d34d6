//! Each rule of greffe's own has a folder in which it finds something and one, as near to it as can be, in which it does
//! not. Rules about statements have their cases beside them. A rule without a case fails.

use std::fs;
use std::os::unix::fs::symlink;

use super::{SOUND, found, lint};
use crate::project::Project;

const HEAD: &str = "-- purpose: a\n-- impact: b\n-- rollback: c d\n";

/// What is added to a sound folder, or makes a folder of another tool.
enum Case {
    /// Files with their texts: those that are wrong, and those that are not.
    Scripts(Vec<(&'static str, String)>, Vec<(&'static str, String)>),
    /// The same for revisions of Alembic.
    Revisions(Vec<(&'static str, String)>, Vec<(&'static str, String)>),
    /// What no text says.
    Folder(fn(&Project), fn(&Project)),
}

use Case::{Folder, Revisions, Scripts};

fn full(text: &str) -> String {
    format!("{HEAD}{text}\n")
}

fn script(text: &str) -> (&'static str, String) {
    ("2_b.sql", full(text))
}

/// A way up and its way down behind a sound one.
fn ways(up: &str, down: &str) -> Vec<(&'static str, String)> {
    vec![("2_b.up.sql", full(up)), ("2_b.down.sql", format!("{down}\n"))]
}

/// A script with a way down and this comment at its top.
fn headed(comment: &str) -> Vec<(&'static str, String)> {
    vec![("2_b.up.sql", format!("{comment}SELECT 1;\n")), ("2_b.down.sql", "SELECT 1;\n".to_owned())]
}

fn revision(file: &'static str, id: &str, down_revision: &str) -> (&'static str, String) {
    let text = format!(
        "\"\"\"a\n\nimpact: b\nrollback: c d\n\"\"\"\nfrom alembic import op\nrevision = '{id}'\n\
         down_revision = {down_revision}\n\ndef upgrade():\n    op.drop_table('a')\n\n\
         def downgrade():\n    op.create_table('a')\n"
    );
    (file, text)
}

const FIRST: &str = "versions/a.py";

/// A table and the way back.
fn sound_ways() -> Vec<(&'static str, String)> {
    ways("CREATE TABLE b (id INTEGER);", "DROP TABLE b;")
}

fn case(rule: &str) -> Case {
    let create = "CREATE TABLE b (id INTEGER);";
    match rule {
        "greffe/purpose-missing" => Scripts(headed("-- impact: b\n-- rollback: c d\n"), headed(HEAD)),
        "greffe/impact-missing" => Scripts(headed("-- purpose: b\n-- rollback: c d\n"), headed(HEAD)),
        "greffe/rollback-missing" => Scripts(headed("-- purpose: b\n-- impact: c\n"), headed(HEAD)),
        "greffe/down-missing" => Scripts(
            vec![("2_b.sql", "-- rollback: none\nSELECT 1;".into())],
            vec![("2_b.sql", "-- rollback: none, the rows are gone\nSELECT 1;".into())],
        ),
        "greffe/down-empty" => {
            let reasonless = vec![("2_b.up.sql", create.to_owned()), ("2_b.down.sql", "-- later\n".into())];
            Scripts(reasonless, ways(create, "-- nothing"))
        }
        "greffe/up-fails" => Scripts(ways("CREATE TABLE a (id INTEGER);", "SELECT 1;"), sound_ways()),
        "greffe/down-fails" => Scripts(ways(create, "DROP TABLE nowhere;"), sound_ways()),
        "greffe/down-differs" => Scripts(ways(create, "SELECT 1;"), sound_ways()),
        "greffe/up-again-differs" => {
            let insert = "INSERT INTO a (id) VALUES (5);";
            Scripts(ways(insert, "SELECT 1;"), ways(insert, "DELETE FROM a;"))
        }
        "greffe/not-tried" => Scripts(ways(create, "DROP TABLE b;\nATTACH 'x' AS y;"), sound_ways()),
        "greffe/refused" => Scripts(vec![script("COMMIT;")], vec![script("SELECT 'COMMIT;';")]),
        "greffe/reaches-outside" => {
            Scripts(vec![script("ATTACH 'x' AS y;")], vec![script("SELECT 'ATTACH';")])
        }
        "greffe/not-judged" => {
            Scripts(vec![script(&"SELECT (1);\nDROP TABLE z;\n".repeat(20_000))], vec![script("SELECT (1);")])
        }
        "greffe/dependency-missing" => depending(&[("2_b.sql", "7")], &[("2_b.sql", "1")]),
        "greffe/dependency-later" => {
            depending(&[("2_b.sql", "3"), ("3_c.sql", "1")], &[("2_b.sql", "1"), ("3_c.sql", "2")])
        }
        "greffe/dependency-cycle" => {
            depending(&[("2_b.sql", "3"), ("3_c.sql", "2")], &[("2_b.sql", "1"), ("3_c.sql", "2")])
        }
        "greffe/several-heads" => {
            let [first, second] = [revision(FIRST, "a", "None"), revision("versions/b.py", "b", "'a'")];
            let branch = vec![first.clone(), second.clone(), revision("versions/c.py", "c", "'a'")];
            Revisions(branch, vec![first, second, revision("versions/c.py", "c", "'b'")])
        }
        "greffe/ignored-file" => Scripts(vec![("two_b.SQL", full(create))], vec![script(create)]),
        "greffe/file-name" => Scripts(vec![("V2_b.sql", full(create))], vec![script(create)]),
        "greffe/version-twice" => {
            let twice = vec![script(create), ("02_c.sql", full("SELECT 1;"))];
            Scripts(twice, vec![script(create), ("3_c.sql", full("SELECT 1;"))])
        }
        "greffe/down-alone" => Scripts(vec![("2_b.down.sql", "DROP TABLE b;".into())], sound_ways()),
        "greffe/identifier-length" => {
            let long = revision(FIRST, &"a".repeat(33), "None");
            Revisions(vec![long], vec![revision(FIRST, &"a".repeat(32), "None")])
        }
        "greffe/link" => Folder(
            |project| {
                project.write("outside.sql", full("SELECT 1;"));
                symlink(project.path("outside.sql"), project.path("migrations/2_b.sql")).unwrap();
            },
            |project| project.script("2_b.sql", full("SELECT 1;")),
        ),
        "greffe/unreadable" => Folder(|project| make_large(project, 1), |project| make_large(project, 0)),
        "greffe/not-text" => Scripts(vec![script("SELECT 1;\0")], vec![script("SELECT 'é';")]),
        "greffe/not-understood" => {
            Revisions(vec![revision(FIRST, "a", "make('x')")], vec![revision(FIRST, "a", "None")])
        }
        "greffe/waiver-broken" => {
            waived("-- waiver: email 2999-02-30 ours", "-- waiver: email 2999-02-28 ours")
        }
        "greffe/waiver-expired" => {
            waived("-- waiver: email 2020-01-01 ours", "-- waiver: email 2999-01-01 ours")
        }
        "greffe/waiver-unknown" => {
            waived("-- waiver: emial 2999-01-01 ours", "-- waiver: email 2999-01-01 ours")
        }
        "greffe/waiver-foreign" => waived("-- squawk-ignore ban-drop-table", "-- it squawks, ignore that"),
        _ => panic!("{rule} has no folder in which it finds something, and none in which it does not"),
    }
}

/// Scripts that stand on others.
fn depending(wrong: &[(&'static str, &'static str)], sound: &[(&'static str, &'static str)]) -> Case {
    let scripts = |all: &[(&'static str, &str)]| {
        let text = |on: &str| format!("-- depends-on: {on}\n{HEAD}SELECT 1;\n");
        all.iter().map(|(file, on)| (*file, text(on))).collect()
    };
    Scripts(scripts(wrong), scripts(sound))
}

/// Comments at the top that differ in a line.
fn waived(wrong: &str, sound: &str) -> Case {
    let head = |line: &str| headed(&format!("{HEAD}{line}\n"));
    Scripts(head(wrong), head(sound))
}

/// A script that is so many bytes larger than it may be.
fn make_large(project: &Project, beyond: u64) {
    let file = fs::File::create(project.path("migrations/2_b.sql")).unwrap();
    // Of what is that large and no text, another rule tells.
    file.set_len((64 << 20) + beyond).unwrap();
}

/// What is found in a folder with these files. Sound scripts lie in one of greffe's own.
fn found_in(files: &[(&'static str, String)], own: bool, dialect: &str) -> Vec<String> {
    let project = Project::empty();
    let sound = SOUND.iter().filter(|_| own).map(|(name, text)| (*name, (*text).to_owned()));
    let env = (!own).then(|| ("env.py", String::new()));
    for (name, text) in sound.chain(env).chain(files.iter().cloned()) {
        let path = project.path(format!("migrations/{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    found_by(&project, dialect)
}

fn found_by(project: &Project, dialect: &str) -> Vec<String> {
    let run = lint(project, &["--dialect", dialect]);
    assert!(run.code <= 1, "{run:#?}");
    found(&run)
}

#[test]
fn each_rule_of_greffes_own_has_a_folder_where_it_finds_something_and_one_where_it_does_not() {
    let listed = Project::empty().json(&["lint", "--rules"]);
    let all = listed["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap());
    let own: Vec<&str> = all.filter(|id| id.starts_with("greffe/")).collect();
    assert!(own.len() > 25, "{own:?}");
    for rule in own {
        // The only rule of these that asks for a dialect.
        let dialect = if rule == "greffe/not-judged" { "postgresql" } else { "sqlite" };
        let [wrong, sound] = match case(rule) {
            Scripts(wrong, sound) => [wrong, sound].map(|files| found_in(&files, true, dialect)),
            Revisions(wrong, sound) => [wrong, sound].map(|files| found_in(&files, false, dialect)),
            Folder(wrong, sound) => [wrong, sound].map(|make| {
                let project = super::folder(&SOUND);
                make(&project);
                found_by(&project, dialect)
            }),
        };
        let is_told = |found: &[String]| found.iter().any(|one| one.starts_with(&format!("{rule} ")));
        assert!(is_told(&wrong), "{rule} finds nothing in what is wrong: {wrong:?}");
        assert!(!is_told(&sound), "{rule} finds something in what is sound: {sound:?}");
    }
}
