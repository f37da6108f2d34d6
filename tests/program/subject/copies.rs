//! A copy has the very values that are stored, and types that one engine alone has are erased.

use super::*;

/// A table of people with more columns, and what their only row holds.
fn typed(engine: Engine, columns: &[(&str, &str)], values: &str) -> Case {
    let definitions: String =
        columns.iter().map(|(name, definition)| format!(", {name} {definition}")).collect();
    let strict = if engine == Lite && definitions.contains("BLOB NOT NULL") { " STRICT" } else { "" };
    let script = format!("CREATE TABLE client (id INTEGER PRIMARY KEY{definitions}){strict};\n");
    let mut map =
        "version: 1\nperson: client.id\ntables:\n  client:\n    erase: anonymise\n    columns:\n      \
                   id: {class: technical, export: true}\n"
            .to_owned();
    for (name, _) in columns {
        map.push_str(&format!("      {name}: {{class: identifier, export: true}}\n"));
    }
    let case = Case::new(engine, "typed", &script, &map);
    case.sql(&format!("INSERT INTO {} VALUES (1, {values})", case.table("client")));
    case
}

fn row(case: &Case) -> String {
    case.project.ok(["subject", "export", "1", "--out", "copy.json"]);
    let copy = String::from_utf8(case.project.read("copy.json")).unwrap();
    copy.lines().find(|line| line.starts_with("{\"id\":1")).unwrap().trim_end_matches([',', ']']).to_owned()
}

#[test]
fn sqlite_values_are_copied_as_they_are() {
    let case = typed(
        Lite,
        &[
            ("zone", "DECIMAL(20,2)"),
            ("montant", "DECIMAL(10,2)"),
            ("fin", "DECIMAL(10,2)"),
            ("mesure", "REAL"),
            ("libre", ""),
        ],
        "123456789012345678, 12.5, 12.345, 0.1 + 0.2, 1.5",
    );
    let expected = "{\"id\":1,\"zone\":\"123456789012345678.00\",\"montant\":\"12.50\",\"fin\":\"12.345\",\
                    \"mesure\":0.30000000000000004,\"libre\":\"1.5\"}";
    assert_eq!(row(&case), expected);
}

#[test]
fn postgres_values_are_copied_as_they_are() {
    let case = typed(
        Pg,
        &[("zone", "jsonb"), ("brut", "json"), ("mesure", "real"), ("code", "smallint NOT NULL UNIQUE")],
        "'{\"b\": 12345678901234567890.123}', '{\"b\":1.0,\"a\":2,\"b\":3}', 0.1, 7",
    );
    let expected = "{\"id\":1,\"zone\":{\"b\": 12345678901234567890.123},\"brut\":{\"b\":1.0,\"a\":2,\"b\":3},\
                    \"mesure\":0.1,\"code\":7}";
    assert_eq!(row(&case), expected);
    // A random number fits into the column.
    for (request, key) in [("R-A", 1), ("R-B", 2), ("R-C", 3)] {
        case.sql(&format!(
            "INSERT INTO public.client VALUES ({key}, NULL, NULL, NULL, 0) ON CONFLICT DO NOTHING"
        ));
        let run = case.erase(&key.to_string(), request);
        assert_eq!(run.code, 0, "{run:#?}");
    }
}

#[test]
fn mariadb_values_are_copied_as_they_are() {
    let case = typed(
        Maria,
        &[
            ("zone", "FLOAT"),
            ("bits", "BIT(5)"),
            ("lieu", "POINT"),
            ("photo", "BINARY(4) NOT NULL"),
            ("poids", "FLOAT NOT NULL"),
        ],
        "16777215, b'00101', ST_PointFromText('POINT(1 2)'), 'abcd', 2.5",
    );
    let expected = "{\"id\":1,\"zone\":16777215.0,\"bits\":\"00101\",\"lieu\":\"POINT(1 2)\",\"photo\":\"YWJjZA==\",\
                    \"poids\":2.5}";
    assert_eq!(row(&case), expected);
    let run = case.erase("1", "R-A");
    assert_eq!(run.code, 0, "{run:#?}");
}

#[test]
fn sqlite_bytes_of_a_strict_table_become_none() {
    let case = typed(Lite, &[("photo", "BLOB NOT NULL")], "X'00ff'");
    let run = case.erase("1", "R-A");
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(case.sql("SELECT typeof(photo), length(photo) FROM client"), "blob|0");
}

#[test]
fn odd_names_are_names() {
    let case =
        typed(Lite, &[("\"taux (%)\"", "TEXT"), ("\"N°\"", "TEXT"), ("\"prix €\"", "TEXT")], "'a', 'b', 'c'");
    assert!(row(&case).ends_with("\"taux (%)\":\"a\",\"N°\":\"b\",\"prix €\":\"c\"}"));
    assert_eq!(case.erase("1", "R-A").code, 0);
    // A table's name leads no file elsewhere.
    case.sql("CREATE TABLE \"../loin\" (client_id INTEGER)");
    let map = String::from_utf8(case.project.read("greffe.subject.yaml")).unwrap();
    case.project.write(
        "greffe.subject.yaml",
        map + "  ../loin: {via: client.id -> client_id, erase: delete, columns: {client_id: {class: technical, export: true}}}\n",
    );
    case.project.ok(["subject", "export", "1", "--format", "csv", "--out", "copy"]);
    assert!(case.project.path("copy/%2E.%2Floin.csv").exists());
}
