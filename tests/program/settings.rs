//! Settings: file, environment, flags, lowest first; what is misspelt is refused with the nearest name.

use crate::project::{Project, THREE};

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let mut project = Project::with(&THREE);
    for name in ["from-file", "from-variable", "from-flag"] {
        std::fs::create_dir(project.path(name)).unwrap();
        project.write(&format!("{name}/1_{}.sql", name.replace('-', "_")), "SELECT 1;");
    }
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    let settings = settings.replace("migrations = \"migrations\"", "migrations = \"from-file\"");
    project.write("greffe.toml", settings);
    project.ok(["apply", "--dry-run"]).prints(&["1_from_file.sql"]);
    project.variables.push(("GREFFE_MIGRATIONS".to_owned(), "from-variable".to_owned()));
    project.ok(["apply", "--dry-run"]).prints(&["1_from_variable.sql"]);
    project.ok(["apply", "--dry-run", "--migrations", "from-flag"]).prints(&["1_from_flag.sql"]);
}

#[test]
fn another_settings_file_brings_its_own_folder() {
    let project = Project::applied();
    std::fs::create_dir(project.path("elsewhere")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        command.current_dir(project.path("elsewhere"));
        project.judge(command.output().unwrap())
    };
    assert_eq!(run(&["status", "--config", "../greffe.toml"]).code, 0);
    assert_eq!(run(&["status"]).code, 2, "settings of a folder above are not looked for");
    let mut command = project.command(["status"]);
    command.current_dir(project.path("elsewhere")).env("GREFFE_CONFIG", "../greffe.toml");
    assert_eq!(project.judge(command.output().unwrap()).code, 0);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_valid_one() {
    let project = Project::with(&THREE);
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", format!("nmae = \"x\"\n{settings}\n[verify2]\n"));
    let run = project.unchanged(|| project.ends(2, ["apply"]));
    run.says(&["greffe.toml:1", "`nmae`", "the nearest valid one is `name`", "`verify2`", "[verify]"]);
    project.ends(2, ["verify", "demo.car"]).says(&["nmae"]);
}

#[test]
fn unknown_variables_are_refused_and_foreign_ones_are_not() {
    let mut project = Project::with(&THREE);
    project.variables.push(("GREFFE_MIGRATION".to_owned(), "x".to_owned()));
    project.unchanged(|| project.ends(2, ["apply"])).says(&["`GREFFE_MIGRATION`", "GREFFE_MIGRATIONS"]);
    project.variables.pop();
    project.variables.push(("NOT_GREFFE".to_owned(), "x".to_owned()));
    project.ok(["apply"]);
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    let project = Project::applied();
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    for name in ["../demo", "/etc/demo", "..", "a/b", "", "a\\\\b", "a\\u0000", "a\\nb"] {
        project.write("greffe.toml", settings.replace("name = \"demo\"", &format!("name = \"{name}\"")));
        project.unchanged(|| project.ends(2, ["apply"])).says(&["name"]);
        project.unchanged(|| project.ends(2, ["log"]));
    }
    for name in ["../demo", "/tmp/x", "."] {
        let fresh = Project::empty();
        fresh.unchanged(|| fresh.ends(2, ["init", "--name", name, "--database", "sqlite:app.db"]));
    }
}

#[test]
fn settings_that_cannot_be_read_are_named() {
    let project = Project::with(&THREE);
    project.ends(2, ["status", "--config", "absent.toml"]).says(&["absent.toml", "hint:"]);
    project.ends(2, ["status", "--config", "migrations"]).says(&["migrations", "directory"]);
    project.write("greffe.toml", b"\xff\xfe");
    project.ends(2, ["status"]).says(&["UTF-8"]);
    project.write("greffe.toml", vec![b'a'; 2 << 20]);
    project.ends(2, ["status"]).says(&["1 MiB"]);
    for text in ["[[[[", "a = ", "\0", "name = 1", "name = \"demo\"\nname = \"demo\""] {
        project.write("greffe.toml", text);
        project.ends(2, ["status"]).says(&["greffe.toml"]);
    }
}

#[test]
fn databases_that_greffe_does_not_speak_to_are_refused_without_their_passwords() {
    let mut project = Project::with(&THREE);
    project.secrets.push("hunter2".to_owned());
    for url in [
        "oracle://ann@host/db",
        "postgres://ann:hunter2@host/db",
        "sqlite::memory:",
        "sqlite://?mode=memory&password=hunter2",
        "mssql://x",
    ] {
        project.unchanged(|| {
            project.ends(if url == "sqlite::memory:" { 3 } else { 2 }, ["apply", "--database", url])
        });
        project.run(["status", "--json", "--database", url]);
    }
}

#[test]
fn wrong_usage_ends_with_two_and_help_with_zero() {
    let project = Project::empty();
    for arguments in [
        vec![],
        vec!["aply"],
        vec!["apply", "--to", "x"],
        vec!["rollback"],
        vec!["rollback", "--steps", "1", "--to", "1"],
        vec!["verify"],
        vec!["verify", "neither-file-nor-cid"],
        vec!["key"],
        vec!["completions", "nosuchshell"],
        vec!["apply", "--lock-wait", "never"],
        vec!["repair", "1"],
    ] {
        let run = project.ends(2, &arguments);
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
    for arguments in [vec!["--help"], vec!["--version"], vec!["apply", "--help"], vec!["help", "verify"]] {
        project.ok(&arguments);
    }
}
