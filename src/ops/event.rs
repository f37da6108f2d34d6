//! A row of the history as an event of the chain.

use std::collections::BTreeMap;

use super::OpsError;
use crate::chain::NewFile;
use crate::crypto::Digest;
use crate::database::{DatabaseError, Record, ScriptFile, Unarchived};
use crate::model::{
    Actor, Cid, Details, Event, EventId, EventKind, Evidence, Executor, FileDigests, MigrationDetails,
    MigrationName, Outcome, Role, Run, SchemaChange, Target, Timestamp,
};
use crate::scripts::Migration;

/// What `schema.algorithm` says where no fingerprint was taken.
const NO_ALGORITHM: &str = "none";

/// This program, as events name it.
#[must_use]
pub fn executor() -> Executor {
    Executor { name: "greffe".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// What events say of a migration of the folder.
#[must_use]
pub fn migration_name(migration: &Migration) -> MigrationName {
    MigrationName {
        version: migration.version.to_string(),
        name: Some(migration.name.clone()),
        depends_on: migration.header.depends_on.clone(),
        sectors: migration.header.sectors.clone(),
        purpose: migration.header.purpose.clone(),
        impact: migration.header.impact.clone(),
    }
}

/// What a step begins with; the run fills in the rest. `fingerprint`: whether the schema is looked at.
#[must_use]
pub fn record(
    actor: &Actor,
    target: &Target,
    run: Run,
    migration: Option<MigrationName>,
    fingerprint: bool,
) -> Record {
    let schema =
        fingerprint.then(|| SchemaChange { algorithm: NO_ALGORITHM.to_owned(), before: None, after: None });
    Record {
        actor: actor.clone(),
        target: target.clone(),
        executor: executor(),
        run,
        migration,
        statements: Vec::new(),
        notices: None,
        schema,
        error: None,
        reverts: None,
        about: Vec::new(),
        hooks: Vec::new(),
        plan: None,
        promoted_from: None,
        tool: None,
    }
}

/// The event that begins a chain.
#[must_use]
pub fn genesis(actor: &Actor, now: Timestamp) -> Event {
    Event {
        chain: None,
        seq: 0,
        prev: None,
        event: EventKind::Genesis,
        id: EventId::generate(now),
        started_at: now,
        finished_at: now,
        database_clock: None,
        actor: actor.clone(),
        target: None,
        executor: executor(),
        run: Run { id: EventId::generate(now), ci: None },
        details: Details::Other { schema: None },
    }
}

/// The event and the files of a finished row. `newest`: the newest manifest of its version.
///
/// # Errors
/// [`OpsError::Name`] when a script has a name that no manifest can hold; [`OpsError::Database`] when the row
/// lacks what its event has to say.
pub fn of_row(row: Unarchived, newest: Option<Cid>) -> Result<(Event, Vec<NewFile>), OpsError> {
    let Unarchived { row, record, up, down } = row;
    let lacks =
        |what: &str| DatabaseError::HistoryDamaged { position: row.position, detail: what.to_owned() };
    let record = record.ok_or_else(|| lacks("it has no record"))?;
    let mut digests = BTreeMap::new();
    let mut files = Vec::new();
    for (role, script) in [(Role::Up, up), (Role::Down, down)] {
        let Some(ScriptFile { file_name, bytes }) = script else { continue };
        digests.insert(file_name.clone(), FileDigests::of(&bytes));
        files.push(NewFile { name: file_name.parse()?, role, bytes, sealed: false });
    }
    let details = match (row.event, record.migration) {
        (EventKind::Repair, migration) => {
            let newest = newest.filter(|_| migration.is_some());
            let about = newest.into_iter().chain(record.about).collect();
            let (direction, schema) = (row.direction, record.schema);
            Details::Repair { migration, direction, about, schema, commitments: BTreeMap::new() }
        }
        (EventKind::Drift, _) => Details::Other { schema: record.schema },
        (_, None) => return Err(lacks("it names no migration").into()),
        (_, Some(migration)) => Details::Migration(Box::new(MigrationDetails {
            migration,
            evidence: Evidence::Executed,
            digests,
            statements: record.statements,
            notices: record.notices,
            schema: record.schema.unwrap_or_else(|| SchemaChange {
                algorithm: NO_ALGORITHM.to_owned(),
                before: None,
                after: None,
            }),
            outcome: if row.event == EventKind::Fail { Outcome::Failed } else { Outcome::Succeeded },
            error: record.error,
            commitments: BTreeMap::new(),
            plan: record.plan,
            reverts: record.reverts,
            promoted_from: record.promoted_from,
            hooks: record.hooks,
            direction: None,
            tool: record.tool,
        })),
    };
    let event = Event {
        chain: None,
        seq: 0,
        prev: None,
        event: row.event,
        id: row.id,
        started_at: row.started_at,
        finished_at: row.finished_at.unwrap_or(row.started_at),
        database_clock: None,
        actor: record.actor,
        target: Some(record.target),
        executor: record.executor,
        run: record.run,
        details,
    };
    Ok((event, files))
}

/// The schema from the newest event to what a repair finds: what was done by hand in between is what it tells.
#[must_use]
pub fn schema_found(newest: Option<&(String, Digest)>, found: (&'static str, Digest)) -> SchemaChange {
    let (algorithm, after) = found;
    let before = newest.filter(|(known, _)| known == algorithm).map_or(after, |(_, digest)| *digest);
    SchemaChange { algorithm: algorithm.to_owned(), before: Some(before), after: Some(after) }
}
