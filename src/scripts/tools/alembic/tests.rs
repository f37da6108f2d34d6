use super::*;

fn file(path: &str, text: &str) -> FolderFile {
    FolderFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
}

fn revision(id: &str, down: &str, more: &str) -> FolderFile {
    let text = format!("\"\"\"what {id} does\n\"\"\"\nrevision = '{id}'\ndown_revision = {down}\n{more}\n");
    file(&format!("versions/{id}_it.py"), &text)
}

fn ids(catalog: &Catalog) -> Vec<&str> {
    catalog.scripts.iter().map(|script| script.id.as_str()).collect()
}

fn applied(catalog: &Catalog, rows: &[&str]) -> Vec<String> {
    let rows: Vec<Row> = rows.iter().map(|row| vec![Some((*row).to_owned())]).collect();
    Alembic.entries(catalog, &rows).into_iter().map(|entry| entry.id).collect()
}

#[test]
fn a_table_of_heads_is_more_than_its_rows() {
    // As Alembic's own `get_all_current` answers for these revisions and rows.
    let folder = Folder::of(vec![
        file("env.py", ""),
        revision("aaaa", "None", ""),
        revision("bbbb", "'aaaa'", ""),
        revision("cccc", "'aaaa'", ""),
        revision("dddd", "None", "branch_labels = ('side',)\ndepends_on = 'bbbb'"),
        file("versions/__init__.py", "revision = 'no'"),
        file("versions/helper.py", "X = 1"),
    ]);
    assert!(Alembic.owns(&folder));
    let catalog = Alembic.catalog(&folder);
    assert_eq!(ids(&catalog), ["aaaa", "bbbb", "cccc", "dddd"]);
    assert_eq!(catalog.faults, []);
    assert_eq!(applied(&catalog, &["dddd", "cccc"]), ["aaaa", "bbbb", "cccc", "dddd"]);
    assert_eq!(applied(&catalog, &["bbbb", "gone"]), ["aaaa", "bbbb", "gone"]);
    assert_eq!(applied(&catalog, &[]), [""; 0]);
    let script = catalog.script("dddd").unwrap();
    assert_eq!((script.name.as_deref(), script.purpose.as_deref()), (Some("it"), Some("what dddd does")));
}

#[test]
fn folders_below_count_where_they_are_joined_to_the_others() {
    let at = |path: &str, id: &str, down: &str| {
        file(&format!("versions/{path}{id}.py"), &format!("revision = '{id}'\ndown_revision = {down}\n"))
    };
    // Neutron's way, then a folder in which old revisions are kept.
    let files = vec![at("", "kilo", "None"), at("liberty/expand/", "a", "'kilo'"), at("mitaka/", "b", "'a'")];
    assert_eq!(ids(&Alembic.catalog(&Folder::of(files))), ["kilo", "a", "b"]);
    let files = vec![at("", "squashed", "None"), at("old/", "a", "None"), at("old/", "b", "'a'")];
    let catalog = Alembic.catalog(&Folder::of(files));
    assert_eq!((ids(&catalog), catalog.faults.len()), (vec!["squashed"], 0));
    let files = vec![at("x/", "a", "None"), at("y/", "b", "'a'")];
    assert_eq!(ids(&Alembic.catalog(&Folder::of(files))), ["a", "b"]);
}

#[test]
fn what_is_wrong_is_told_and_the_rest_is_read() {
    let folder = Folder::of(vec![
        revision("a", "None", ""),
        revision("b", "'a'", ""),
        revision("c", "'a'", ""),
        file("versions/x.py", "revision = 'b'\ndown_revision = None\n"),
        file("versions/y.py", "revision = make()\n"),
        file("versions/z.py", "revision = 'z'\ndown_revision = parent()\ndef f(:\n"),
    ]);
    let catalog = Alembic.catalog(&folder);
    let faults: Vec<String> = catalog.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "`versions/b_it.py` and `versions/x.py` are both called `b`",
            "`versions/y.py` does not say its revision as a plain value, and is not run to find out",
            "`versions/z.py` cannot be read as Python: line 3",
            "`versions/z.py` does not say its down_revision as a plain value, and is not run to find out",
            "nothing stands on any of these, and a database can follow only one: `b`, `c`, `z`",
        ]
    );
    assert_eq!(ids(&catalog), ["a", "b", "c", "z"]);
}

#[test]
fn sql_is_asked_for_as_the_scripts_were_run() {
    let catalog = Alembic.catalog(&Folder::of(vec![
        revision("a", "None", ""),
        revision("b", "'a'", ""),
        revision("c", "'a'", ""),
        revision("d", "('b', 'c')", ""),
    ]));
    let command = ["flask", "--app", "shop", "db", "upgrade", "-x", "tenant=1"].map(str::to_owned);
    let applied = |ids: &[&'static str]| ids.iter().map(|id| Entry::applied(*id)).collect::<Vec<_>>();
    let asked = |before: &[&'static str], after: &[&'static str]| {
        let (before, after) = (applied(before), applied(after));
        let asked = Alembic.rendering(&command, &catalog, &before, &after);
        asked.first().map(|asked| asked.command.join(" "))
    };
    let all = ["a", "b", "c", "d"];
    assert_eq!(asked(&[], &all).unwrap(), "flask --app shop db upgrade base:d --sql");
    assert_eq!(asked(&["a", "b"], &["a"]).unwrap(), "flask --app shop db downgrade b:a --sql");
    assert_eq!(asked(&["a", "b", "c"], &all), None);
    assert_eq!(asked(&["a", "b"], &["a", "c"]), None);
    assert_eq!(asked(&all, &all), None);
    let own = |command: &str| {
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        !Alembic.rendering(&words, &catalog, &[], &applied(&["a"])).is_empty()
    };
    // Another program may do its work once more.
    let known = ["alembic -c x upgrade head", "venv/bin/python -m flask db upgrade", "superset db upgrade"];
    assert_eq!(known.map(own), [true; 3]);
    let others = ["make upgrade", "./deploy upgrade", "sh run.sh db upgrade", "npm run db upgrade"];
    assert_eq!(others.map(own), [false; 4]);
    // A row of the table becomes no option.
    assert_eq!(asked(&["--config=x"], &["--config=x", "a"]), None);
}

#[test]
fn what_it_prints_tells_where_it_stopped() {
    let output = "INFO  [alembic.runtime.migration] Running upgrade  -> a, what a does\n\
                  INFO  [alembic.runtime.migration] Running upgrade a -> b, what, b -> does\nTraceback …\n";
    assert_eq!(Alembic.stopped_at(output).as_deref(), Some("b"));
    assert_eq!(Alembic.stopped_at("INFO [x] Running downgrade c -> a, b, merges\n").as_deref(), Some("c"));
    assert_eq!(Alembic.stopped_at("Running late\n"), None);
}

#[test]
fn offline_sql_is_cut_where_a_revision_begins() {
    let sql = "BEGIN;\n\n-- Running upgrade  -> a\n\nCREATE TABLE t (id INTEGER);\n\n-- Running upgrade a -> b\n\n\
               -- a comment\nDROP TABLE t;\n\nCOMMIT;\n";
    let expected =
        [("a", "CREATE TABLE t (id INTEGER);\n"), ("b", "-- a comment\nDROP TABLE t;\n\nCOMMIT;\n")];
    assert_eq!(Alembic.rendered(sql), expected.map(|(id, sql)| (id.to_owned(), sql.to_owned())));
    let down = Alembic
        .rendered("-- Running downgrade b -> a\nDROP TABLE t;\n-- Running downgrade a -> \nSELECT 1;\n");
    assert_eq!(down.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ["b", "a"]);
}
