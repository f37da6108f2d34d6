//! Targets and steps for tests.

use greffe::database::mysql::Mysql;
use greffe::database::{
    Access, Options, Record, ScriptFile, Statement, Step, StepOutcome, Target, ToolWrites,
};
use greffe::model::{EventId, EventKind, MigrationName, Pseudonym};
use greffe::ops::now;
use serde_json::json;

use crate::servers::{Database, MariaDb};

pub const WRITE: Options = Options::new(Access::Write);
pub const READ: Options = Options::new(Access::Read);

pub fn database(hint: &str) -> Database {
    MariaDb::shared().database(hint)
}

/// A target with greffe's own table, and without the lock.
pub async fn open(database: &Database) -> Mysql {
    open_url(&database.url()).await
}

pub async fn open_url(url: &str) -> Mysql {
    let mut target = Mysql::open(url, WRITE).await.unwrap();
    target.prepare().await.unwrap();
    target
}

/// The same with the lock.
pub async fn open_locked(url: &str) -> Mysql {
    let mut target = Mysql::open(url, WRITE).await.unwrap();
    target.lock(std::time::Duration::ZERO).await.unwrap();
    target.prepare().await.unwrap();
    target
}

fn record(migration: Option<MigrationName>) -> Record {
    serde_json::from_value(json!({
        "actor": { "pseudonym": Pseudonym::generate().to_string(), "role": "o'per\\ator \u{1f980}" },
        "target": { "name": "app", "engine": "mariadb", "version": "10.11" },
        "executor": { "name": "greffe", "version": "0" },
        "run": { "id": EventId::generate(now()).to_string(), "ci": null },
        "migration": migration,
        "statements": [],
        "schema": { "algorithm": "none", "before": null, "after": null },
        "error": null,
        "reverts": null,
        "hooks": []
    }))
    .unwrap()
}

/// A script whose statements end at `;` at the end of a line, or at `//` on a line of its own where there is one.
pub fn step(version: &str, sql: &str) -> Step {
    let separator = if sql.contains("\n//\n") { "\n//\n" } else { ";\n" };
    let mut statements = Vec::new();
    let mut start = 0;
    for part in sql.split_inclusive(separator) {
        let text = part.strip_suffix(separator).unwrap_or(part).trim_end_matches([';', '\n']);
        let lead = text.len() - text.trim_start().len();
        if !text.trim().is_empty() {
            let kind = kind(text.trim());
            statements.push(Statement { range: start + lead..start + text.len(), kind });
        }
        start += part.len();
    }
    let migration = MigrationName {
        version: version.to_owned(),
        name: Some("näme".to_owned()),
        depends_on: vec![],
        sectors: vec![],
        purpose: None,
        impact: None,
    };
    Step {
        id: EventId::generate(now()),
        event: EventKind::Apply,
        record: record(Some(migration.clone())),
        tool: ToolWrites::default(),
        migration,
        sql: sql.to_owned(),
        statements,
        transaction: true,
        up: Some(ScriptFile { file_name: format!("{version}_a.up.sql"), bytes: sql.as_bytes().to_vec() }),
        down: Some(ScriptFile {
            file_name: format!("{version}_a.down.sql"),
            bytes: vec![0, b'\'', b'\\', 0xff],
        }),
    }
}

fn kind(sql: &str) -> String {
    let words: Vec<String> = sql.split_whitespace().take(2).map(str::to_uppercase).collect();
    match words[0].as_str() {
        "CREATE" | "ALTER" | "DROP" => words.join(" "),
        word => word.to_owned(),
    }
}

pub async fn run(target: &mut Mysql, step: &Step) -> StepOutcome {
    target.run(step, None, &now).await.unwrap()
}

/// Runs a script that has to end well.
pub async fn apply(target: &mut Mysql, version: &str, sql: &str) {
    assert_eq!(run(target, &step(version, sql)).await, StepOutcome::Done, "{sql}");
}
