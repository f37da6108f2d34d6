//! Scans the corpus of `tests/privacy` and counts what is found, what is missed, and what is found for nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use greffe::privacy::scan;
use greffe::scripts::{Class, Dialect, classify};
use serde::Deserialize;

/// Files whose name has a folder `schema` hold no data at all.
const SCHEMA: &str = "schema/";
const RECALL: f64 = 0.95;

/// One line of the truth.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Planted {
    file: String,
    line: usize,
    rule: String,
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/privacy")
}

fn files() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for folder in ["found", "schema"] {
        for entry in std::fs::read_dir(corpus().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            files.push((name, std::fs::read(path).unwrap()));
        }
    }
    files.sort();
    files
}

#[test]
fn the_corpus_is_found_and_schemas_are_not() {
    let truth = std::fs::read_to_string(corpus().join("truth.jsonl")).unwrap();
    let planted: BTreeSet<Planted> = truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: BTreeSet<Planted> = files()
        .into_iter()
        .flat_map(|(file, bytes)| {
            scan(&bytes).into_iter().map(move |finding| Planted {
                file: file.clone(),
                line: finding.line,
                rule: finding.rule.into_owned(),
            })
        })
        .collect();
    let missed: Vec<_> = planted.difference(&found).collect();
    let surplus: Vec<_> = found.difference(&planted).collect();
    let recall = (planted.len() - missed.len()) as f64 / planted.len() as f64;
    let false_in_schemas = surplus.iter().filter(|found| found.file.starts_with(SCHEMA)).count();
    println!(
        "recall {recall:.3} of {} planted; {} false findings, {false_in_schemas} of them in schemas",
        planted.len(),
        surplus.len()
    );
    assert!(recall >= RECALL, "missed: {missed:#?}");
    assert_eq!(false_in_schemas, 0, "{surplus:#?}");
}

/// Scripts with data are never taken for a schema; schemas hold no data.
#[test]
fn the_corpus_has_its_classes() {
    for (file, bytes) in files().into_iter().filter(|(file, _)| file.ends_with(".sql")) {
        let text = str::from_utf8(&bytes).unwrap();
        let dialect = match file.rsplit('/').next().unwrap().split('_').next().unwrap() {
            "sqlite" => Dialect::Sqlite,
            "mysql" => Dialect::Mysql,
            _ => Dialect::Postgresql,
        };
        let classes: Vec<Class> = classify(dialect, text).into_iter().map(|one| one.class).collect();
        let highest = classes.iter().max().copied();
        let schema = classes.iter().filter(|class| **class == Class::Schema).count();
        println!("{file}: {highest:?}, {schema} of {} schema only", classes.len());
        if file.starts_with(SCHEMA) {
            // A trigger may change rows without a literal, so nothing here is more than unknown.
            assert!(highest <= Some(Class::Unknown), "{file}");
            // Templates, views and functions stand among them on purpose.
            assert!(schema * 4 >= classes.len(), "{file}");
        } else {
            assert_eq!(highest, Some(Class::Data), "{file}");
        }
    }
}

/// Eight times the text takes eight times as long, with room for a busy machine; a square would take 64 times.
#[test]
fn time_grows_with_the_length_alone() {
    let pieces = [
        "INSERT INTO t (password) VALUES ('",
        "INSERT INTO t (a,",
        "COPY t (a, b) FROM stdin;\n",
        "token = '",
        "\"token\": \"\\",
        "''",
        "(((((",
        "1 2 3 4 ",
        "a:b@c://",
        "a@a.a@a.",
        "FR14 2004 ",
        "$a$",
        "/*",
        "FROM STDIN;\n",
        "aes_encrypt(a, ",
        "set password for a",
        "VALUES (",
        "password text DEFAULT '",
        "x text DEFAULT $a$",
        "SET x = 'y' WHERE name = 'password' ",
        "'a' || ",
        "concat('a', ",
        "(VALUES ('a',",
        "format('PASSWORD %L', ",
        "jsonb_set(a, '{token}', ",
        "a\\x40b%40",
        "0x616c696e6540",
        "mot de passe a : ",
        "'k7Qz81mm' AS password, ",
        "UPDATE a DELETE b INSERT ",
        "password=a:b=",
        "CASE WHEN password = ",
    ];
    for piece in pieces {
        let (short, long) = (took(piece, 4_000), took(piece, 32_000));
        let limit = short.max(Duration::from_millis(15)) * 24;
        assert!(long < limit, "{piece:?}: {short:?}, then {long:?}");
    }
}

fn took(piece: &str, times: usize) -> Duration {
    let text = piece.repeat(times);
    let begin = Instant::now();
    std::hint::black_box(scan(text.as_bytes()));
    for dialect in [Dialect::Sqlite, Dialect::Postgresql, Dialect::Mysql] {
        std::hint::black_box(classify(dialect, &text));
    }
    begin.elapsed()
}
