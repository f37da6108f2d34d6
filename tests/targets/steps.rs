//! Steps as a run makes them.

use std::sync::atomic::{AtomicI64, Ordering};

use greffe::database::{Declaration, Record, ScriptFile, Statement, Step, ToolWrites};
use greffe::model::{
    Actor, Direction, Engine, EventId, EventKind, Executor, MigrationName, Pseudonym, Run, SchemaChange,
    Target, Timestamp,
};

/// A clock of its own, one second a look.
pub fn clock() -> Timestamp {
    static NOW: AtomicI64 = AtomicI64::new(1_700_000_000);
    Timestamp::from_microseconds(NOW.fetch_add(1, Ordering::Relaxed) * 1_000_000).unwrap()
}

pub fn record(version: &str, fingerprint: bool) -> Record {
    Record {
        actor: Actor { pseudonym: Pseudonym::generate(), role: "owner's \\ rôle".to_owned() },
        target: Target { name: "app".to_owned(), engine: Engine::Sqlite, version: "1".to_owned() },
        executor: Executor { name: "greffe".to_owned(), version: "1".to_owned() },
        run: Run { id: EventId::generate(clock()), ci: None },
        migration: Some(MigrationName {
            version: version.to_owned(),
            name: Some("it's a \\ nämé".to_owned()),
            depends_on: vec![],
            sectors: vec![],
            purpose: None,
            impact: None,
        }),
        statements: vec![],
        notices: None,
        schema: fingerprint.then(|| SchemaChange { algorithm: "none".to_owned(), before: None, after: None }),
        error: None,
        reverts: None,
        about: vec![],
        hooks: vec![],
        plan: None,
        promoted_from: None,
        tool: None,
    }
}

/// A step of the statements `parts`.
pub fn step(version: &str, parts: &[&str]) -> Step {
    let mut sql = String::new();
    let mut statements = Vec::new();
    for part in parts {
        let start = sql.len();
        sql.push_str(part);
        let words: Vec<&str> = part.split_whitespace().take(2).collect();
        let kind = match words[0] {
            "CREATE" | "ALTER" | "DROP" => words.join(" "),
            word => word.to_owned(),
        };
        statements.push(Statement { range: start..sql.len(), kind });
        sql.push_str(";\n");
    }
    let record = record(version, true);
    let file = ScriptFile { file_name: format!("{version}_é.sql"), bytes: sql.clone().into_bytes() };
    Step {
        id: EventId::generate(clock()),
        event: EventKind::Apply,
        migration: record.migration.clone().unwrap(),
        sql,
        statements,
        transaction: true,
        up: Some(file),
        down: Some(ScriptFile { file_name: "down.sql".to_owned(), bytes: vec![0, 255, b'\'', b'\\'] }),
        record,
        tool: ToolWrites::default(),
    }
}

/// The same outside a transaction.
pub fn bare(version: &str, parts: &[&str]) -> Step {
    Step { transaction: false, ..step(version, parts) }
}

pub fn declaration(version: &str) -> Declaration {
    Declaration {
        id: EventId::generate(clock()),
        event: EventKind::Repair,
        direction: Direction::Up,
        version: version.to_owned(),
        up: None,
        down: None,
        record: record(version, false),
        tool: Vec::new(),
    }
}
