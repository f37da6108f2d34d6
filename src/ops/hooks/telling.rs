//! What hooks are told of a run of migrations.

use crate::database::History;
use crate::model::{Cid, Direction, EventId, MigrationName, Target as TargetName, Timestamp};
use crate::ops::apply::FailedScript;
use crate::ops::outbox::Archived;
use crate::policy::hooks::context::{Counts, Documented, Failure, Migration, Outcome, Schema, Target};
use crate::policy::hooks::{Context, HookEvent, folded};
use crate::privacy::publish::found_in;
use crate::scripts::{self, Dialect, Script, statements};

/// A run that is about to begin.
pub struct Beginning<'a> {
    pub project: &'a str,
    pub chain: Cid,
    pub run: EventId,
    pub at: Timestamp,
    pub target: &'a TargetName,
    pub direction: Direction,
    pub history: &'a History,
    pub migrations: Vec<Migration>,
    /// Digest of the plan that it was given.
    pub plan: Option<crate::crypto::Digest>,
}

impl Beginning<'_> {
    /// As hooks are told of it.
    #[must_use]
    pub fn context(self) -> Context {
        let mut context = Context::new(HookEvent::Finally, self.project, self.at);
        context.run = Some(self.run);
        context.chain = Some(self.chain);
        context.sectors = self.migrations.iter().flat_map(|migration| migration.sectors.clone()).collect();
        let TargetName { name, engine, version } = self.target.clone();
        context.target = Some(Target { name, engine, version: Some(version) });
        context.direction = Some(self.direction);
        context.counts = Counts {
            applied: self.history.applied.len() as u64,
            migrations: self.migrations.len() as u64,
            statements: self.migrations.iter().map(|migration| migration.statements).sum(),
        };
        context.migrations = self.migrations;
        context.plan = self.plan;
        context.schema = self.history.schema.as_ref().map(|(algorithm, fingerprint)| Schema {
            algorithm: algorithm.clone(),
            fingerprint: Some(*fingerprint),
        });
        context
    }
}

/// A migration that is to be applied.
#[must_use]
pub fn to_apply(dialect: Dialect, migration: &scripts::Migration) -> Migration {
    let header = &migration.header;
    let documented = Documented {
        purpose: header.purpose.is_some(),
        impact: header.impact.is_some(),
        rollback: header.rollback.is_some(),
    };
    let name = (migration.version.to_string(), header.sectors.as_slice(), header.depends_on.as_slice());
    described(dialect, name, documented, migration.down.is_some(), &migration.up)
}

/// One that is to be rolled back, by its way down.
#[must_use]
pub fn to_roll_back(dialect: Dialect, name: &MigrationName, script: &Script) -> Migration {
    let documented =
        Documented { purpose: name.purpose.is_some(), impact: name.impact.is_some(), rollback: false };
    described(dialect, (name.version.clone(), &name.sectors, &name.depends_on), documented, true, script)
}

fn described(
    dialect: Dialect,
    (version, sectors, depends_on): (String, &[String], &[String]),
    documented: Documented,
    has_down: bool,
    script: &Script,
) -> Migration {
    // What is archived in clear is nothing that anybody would have to take back.
    let plain = |words: &[String]| -> Vec<String> {
        words.iter().filter(|word| found_in(word).is_none()).cloned().collect()
    };
    let found = script.text().map(|sql| statements(dialect, sql)).unwrap_or_default();
    let mut kinds: Vec<String> = Vec::new();
    for statement in &found {
        if !kinds.contains(&statement.kind) {
            kinds.push(statement.kind.clone());
        }
    }
    Migration {
        version,
        sectors: plain(sectors).iter().map(|sector| folded(sector)).collect(),
        depends_on: plain(depends_on),
        documented,
        has_down,
        transaction: script.transaction,
        kinds,
        statements: found.len() as u64,
    }
}

/// How a run ended.
#[must_use]
pub fn came(archived: &[Archived], failed: Option<&FailedScript>, denied: bool, head: Cid) -> Outcome {
    let is_done = |archived: &&Archived| archived.event != crate::model::EventKind::Fail;
    Outcome {
        result: match (failed, denied) {
            (Some(_), _) => "failed",
            (None, true) => "denied",
            (None, false) => "succeeded",
        },
        done: archived.iter().filter(is_done).map(|archived| archived.version.clone()).collect(),
        archived: archived.len() as u64,
        head: Some(head),
        error: failed.map(|failed| Failure {
            version: Some(failed.version.clone()),
            code: code_of(&failed.failure),
            statement: Some(failed.statement),
        }),
    }
}

fn code_of(failure: &crate::database::Failure) -> String {
    match failure {
        crate::database::Failure::Server { code, .. } => code.clone(),
        crate::database::Failure::Connection(_) => "connection".to_owned(),
        crate::database::Failure::Driver(_) => "driver".to_owned(),
    }
}
