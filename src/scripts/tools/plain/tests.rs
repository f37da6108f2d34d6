//! Ways of files, as each tool cuts them.

use super::*;

fn way(tool: &str, text: &str, direction: Direction) -> Result<Option<(String, bool)>, PlainError> {
    let found = script(tool, Dialect::Postgresql, "1_a.sql", text.as_bytes(), direction, None)?;
    Ok(found.map(|script| (script.text().unwrap().to_owned(), script.transaction)))
}

fn ways(tool: &str, text: &str) -> [Option<(String, bool)>; 2] {
    [way(tool, text, Direction::Up).unwrap(), way(tool, text, Direction::Down).unwrap()]
}

fn part(text: &str, transaction: bool) -> Option<(String, bool)> {
    Some((text.to_owned(), transaction))
}

#[test]
fn ways_are_cut_where_the_tools_cut_them() {
    let text = "-- note\n-- migrate:up transaction:false\nA;\n\n-- migrate:down\nB;\n";
    let [up, down] = ways("dbmate", text);
    assert_eq!(up, part("\n-- migrate:up transaction:false\nA;\n\n", false));
    assert_eq!(down, part("\n\n\n\n-- migrate:down\nB;\n", true));

    let text = "-- +goose no transaction\n-- +goose Up\nA;\n-- +goose StatementBegin\nB;\n-- +goose StatementEnd\n\
                -- +goose down\nC;\n";
    let [up, down] = ways("goose", text);
    assert_eq!(up, part("\n-- +goose Up\nA;\n-- +goose StatementBegin\nB;\n-- +goose StatementEnd\n", false));
    assert_eq!(down, part("\n\n\n\n\n\n-- +goose down\nC;\n", false));
    // Windows line ends are gone before a statement runs.
    assert_eq!(ways("goose", "-- +goose Up\r\nA;\r\n"), [part("-- +goose Up\nA;\n", true), None]);
    let windows = "-- +goose Up\r\nSELECT 'a\r\nb';\r\n-- +goose Down\r\nB;\r\n";
    let [up, down] = ways("goose", windows);
    assert_eq!(up, part("-- +goose Up\nSELECT 'a\nb';\n", true));
    assert_eq!(down, part("\n\n\n-- +goose Down\nB;\n", true));
    for ended in ["A; -- why", "A\n  ;", "-- +goose StatementBegin\nA\n-- +goose StatementEnd"] {
        assert!(way("goose", &format!("-- +goose Up\n{ended}\n"), Direction::Up).is_ok(), "{ended}");
    }

    let text = "-- Up Migration\nA;\n-- Down Migration\nB;\n";
    let [up, down] = ways("node-pg-migrate", text);
    assert_eq!((up, down), (part("-- Up Migration\nA;\n", true), part("\n\n-- Down Migration\nB;\n", true)));
    let text = "--- down   migration\nB;\n -- up migration of it\nA;\n";
    let [up, down] = ways("node-pg-migrate", text);
    assert_eq!(up, part("\n\n -- up migration of it\nA;\n", true));
    assert_eq!(down, part("--- down   migration\nB;\n", true));
    assert_eq!(ways("node-pg-migrate", "A;"), [part("A;", true), None]);
}

#[test]
fn a_statement_that_stands_alone_runs_without_a_transaction() {
    let alone = "CREATE INDEX CONCURRENTLY i ON t (a);\n";
    for tool in ["golang-migrate", "flyway"] {
        assert_eq!(way(tool, alone, Direction::Up), Ok(part(alone, false)), "{tool}");
        let two = format!("{alone}SELECT 1;\n");
        assert_eq!(way(tool, &two, Direction::Up), Ok(part(&two, true)), "{tool}");
    }
    assert_eq!(way("diesel", alone, Direction::Up), Ok(part(alone, true)));
}

#[test]
fn what_only_the_tool_can_fill_in_is_refused() {
    for (tool, text) in [
        ("goose", "-- +goose ENVSUB ON\n-- +goose Up\nSELECT '${A}';\n"),
        ("dbmate", "-- migrate:up env:A\nSELECT 1;\n-- migrate:down\n"),
    ] {
        let error = way(tool, text, Direction::Up).unwrap_err();
        assert!(matches!(error, PlainError::Substituted { .. }), "{error}");
    }
    for (tool, text) in [
        ("goose", "SELECT 1;\n-- +goose Up\n"),
        ("goose", "-- +goose Down\n"),
        ("goose", "\u{feff}-- +goose Up\nA;\n"),
        ("goose", "-- +goose Up\nA\n-- +goose Down\nB;\n"),
        ("goose", "-- +goose Up\nA;\n-- +goose Down\nB\n"),
        ("goose", "-- +goose Up\nA -- ;\n"),
        ("goose", "-- +goose Up\n-- +goose Up\n"),
        ("goose", " -- +goose Up\n"),
        ("goose", "-- +goose Sideways\n"),
        ("dbmate", "-- migrate:down\n-- migrate:up\n"),
        ("dbmate", "SELECT 1;\n-- migrate:up\n"),
        ("dbmate", "-- migrate:up\n-- migrate:up\n"),
        ("dbmate", ""),
    ] {
        let error = way(tool, text, Direction::Up).unwrap_err();
        assert!(matches!(error, PlainError::Shape { .. }), "{tool} {text:?}: {error}");
    }
}

#[test]
fn what_stands_beside_a_script_counts() {
    let file = |path: &str, text: &str| FolderFile { path: path.to_owned(), bytes: text.into() };
    let flyway = |files: Vec<FolderFile>| {
        let tool = crate::scripts::tools::tool_named("flyway").unwrap();
        migrations(tool, &Folder::of(files), Dialect::Postgresql)
    };
    let alone = flyway(vec![
        file("V1__a.sql", "SELECT '${a}';"),
        file("V1__a.sql.conf", "# x\nexecuteInTransaction=false\nplaceholderReplacement = false\n"),
        file("V2__b.sql", "SELECT 1;"),
    ])
    .unwrap();
    assert_eq!(alone.iter().map(|found| found.up.transaction).collect::<Vec<_>>(), [false, true]);
    let holder = flyway(vec![file("V1__a.sql", "SELECT '${a}';")]).unwrap_err();
    assert!(matches!(holder, PlainError::Substituted { .. }), "{holder}");
    for special in ["beforeMigrate.sql", "B1__base.sql", "afterEachMigrate__x.sql"] {
        let error = flyway(vec![file("V2__a.sql", ""), file(special, "")]).unwrap_err();
        assert!(matches!(error, PlainError::Special { .. }), "{error}");
    }
    let other = flyway(vec![file("V1__a.sql", ""), file("V1__a.sql.conf", "shouldExecute=x")]).unwrap_err();
    assert!(matches!(other, PlainError::Shape { .. }), "{other}");

    let tool = crate::scripts::tools::tool_named("diesel").unwrap();
    let folder = Folder::of(vec![
        file("2026-01-01-000001_a/up.sql", "VACUUM;"),
        file("2026-01-01-000001_a/metadata.toml", "run_in_transaction = false\n"),
        file("2026-01-01-000002_b/up.sql", "A;"),
        file("2026-01-01-000002_b/down.sql", "B;"),
    ]);
    let found = migrations(tool, &folder, Dialect::Sqlite).unwrap();
    assert_eq!(found.iter().map(|found| found.up.transaction).collect::<Vec<_>>(), [false, true]);
    assert_eq!(found[1].down.as_ref().unwrap().file_name, "2026-01-01-000002_b/down.sql");
}
