//! What came of a script's statements, and what a row says of it; the same on every engine.

use crate::crypto::Digest;
use crate::database::Failure;
use crate::model::{ErrorCode, SchemaChange, StatementRun};

/// The error that a script ended with, and the statement that it belongs to, from 1.
#[derive(Clone)]
pub struct Failed {
    pub failure: Failure,
    pub statement: u64,
}

impl Failed {
    /// As events tell it.
    pub fn code(&self) -> ErrorCode {
        let code = match &self.failure {
            Failure::Server { code, .. } => code.clone(),
            Failure::Connection(_) => "connection".to_owned(),
            Failure::Driver(_) => "driver".to_owned(),
        };
        ErrorCode { code, statement: self.statement }
    }
}

/// Adds a statement that ran. Neighbours of one kind are one entry (FORMAT §3).
pub fn add_statement(statements: &mut Vec<StatementRun>, kind: &str, duration_us: u64, rows: Option<u64>) {
    match statements.last_mut() {
        Some(last) if last.kind == kind => {
            last.count += 1;
            last.duration_us = last.duration_us.saturating_add(duration_us);
            last.rows = last.rows.zip(rows).map(|(sum, rows)| sum.saturating_add(rows));
        }
        _ => statements.push(StatementRun { kind: kind.to_owned(), count: 1, duration_us, rows }),
    }
}

/// A fingerprint, where one is taken.
pub type Fingerprint = Option<(&'static str, Digest)>;

/// What an event tells of the schema; `None` where no fingerprint was taken.
pub fn schema_change(before: Fingerprint, after: Fingerprint) -> Option<SchemaChange> {
    let algorithm = before.or(after)?.0.to_owned();
    let digest = |fingerprint: Fingerprint| fingerprint.map(|(_, digest)| digest);
    Some(SchemaChange { algorithm, before: digest(before), after: digest(after) })
}
