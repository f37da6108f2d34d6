//! The in-toto Statement ⇄ JSON (FORMAT §3). Unknown members of a predicate are kept, for the signed
//! bytes are kept, and ignored.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::json::{self, Object};
use crate::crypto::Digest;
use crate::model::{
    Access, Actor, Cid, CidError, Details, Direction, ErasurePlace, ErasureReach, ErrorCode, Event, EventId,
    EventKind, Evidence, Executor, FileDigests, FileName, Hook, MigrationDetails, MigrationName, NameError,
    Outcome, PREDICATE_TYPE, PlanDetails, Planned, PolicyVerdicts, Role, Run, STATEMENT_TYPE, SchemaChange,
    Statement, StatementRun, Subject, Target, Timestamp,
};

/// Why a payload is not a statement of this format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    #[error("not a statement of this format: {0}")]
    Malformed(String),
    #[error("{member} is {found:?}, not {wanted:?}")]
    Type { member: &'static str, found: String, wanted: &'static str },
    #[error("subject {index}: {reason}")]
    Subject { index: usize, reason: SubjectError },
    #[error("a `{event}` event needs the member `{member}`")]
    MissingMember { event: EventKind, member: &'static str },
}

/// Why a subject is not one of this format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Cid(#[from] CidError),
    #[error("a uri is written ipfs://<cid>")]
    Uri,
    #[error("a digest is 64 lower-case hexadecimal digits")]
    Digest,
    #[error("a file's subject has a uri and an annotation `role`")]
    Incomplete,
}

const CHAIN: &str = "chain";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenStatement<'a> {
    #[serde(rename = "_type")]
    statement_type: &'static str,
    subject: Vec<WrittenSubject>,
    predicate_type: &'static str,
    predicate: &'a Event,
}

#[derive(Serialize)]
struct WrittenSubject {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    digest: WrittenDigest,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<WrittenAnnotations>,
}

#[derive(Serialize)]
struct WrittenDigest {
    sha256: String,
}

#[derive(Serialize)]
struct WrittenAnnotations {
    role: Role,
}

/// Writes a statement.
#[must_use]
pub fn encode_statement(statement: &Statement) -> Vec<u8> {
    let subject = |subject: &Subject| match subject {
        Subject::File { name, cid, digest, role } => WrittenSubject {
            name: name.to_string(),
            uri: Some(format!("ipfs://{cid}")),
            digest: WrittenDigest { sha256: digest.to_string() },
            annotations: Some(WrittenAnnotations { role: *role }),
        },
        Subject::Chain { digest } => WrittenSubject {
            name: CHAIN.to_owned(),
            uri: None,
            digest: WrittenDigest { sha256: digest.to_string() },
            annotations: None,
        },
    };
    let written = WrittenStatement {
        statement_type: STATEMENT_TYPE,
        subject: statement.subjects.iter().map(subject).collect(),
        predicate_type: PREDICATE_TYPE,
        predicate: &statement.event,
    };
    serde_json::to_vec(&written).expect("maps with text keys always encode")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadStatement<'a> {
    #[serde(rename = "_type", borrow)]
    statement_type: Cow<'a, str>,
    #[serde(borrow)]
    subject: Vec<Object<ReadSubject<'a>>>,
    #[serde(borrow)]
    predicate_type: Cow<'a, str>,
    predicate: Object<ReadEvent>,
}

#[derive(Deserialize)]
struct ReadSubject<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    uri: Option<Cow<'a, str>>,
    #[serde(borrow)]
    digest: Object<ReadDigest<'a>>,
    annotations: Option<Object<ReadAnnotations>>,
}

#[derive(Deserialize)]
struct ReadDigest<'a> {
    #[serde(borrow)]
    sha256: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ReadAnnotations {
    role: Role,
}

/// A member that may be null but must be there.
fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadEvent {
    #[serde(deserialize_with = "Option::deserialize")]
    chain: Option<Cid>,
    seq: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    prev: Option<Cid>,
    event: EventKind,
    id: EventId,
    started_at: Timestamp,
    finished_at: Timestamp,
    #[serde(deserialize_with = "Option::deserialize")]
    database_clock: Option<String>,
    actor: Object<Actor>,
    #[serde(deserialize_with = "Option::deserialize")]
    target: Option<Object<Target>>,
    executor: Object<Executor>,
    run: Object<Run>,
    migration: Option<Object<MigrationName>>,
    evidence: Option<Evidence>,
    digests: Option<BTreeMap<String, Object<FileDigests>>>,
    statements: Option<Vec<Object<StatementRun>>>,
    notices: Option<u64>,
    schema: Option<Object<SchemaChange>>,
    outcome: Option<Outcome>,
    #[serde(default, deserialize_with = "nullable")]
    error: Option<Option<Object<ErrorCode>>>,
    #[serde(default)]
    commitments: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nullable")]
    plan: Option<Option<Cid>>,
    #[serde(default, deserialize_with = "nullable")]
    reverts: Option<Option<Cid>>,
    #[serde(default, deserialize_with = "nullable")]
    promoted_from: Option<Option<Cid>>,
    hooks: Option<Vec<Object<Hook>>>,
    direction: Option<Direction>,
    about: Option<Vec<Cid>>,
    erased: Option<Vec<Cid>>,
    basis: Option<String>,
    // Members that FORMAT does not name: of another shape they are those of another program.
    request: Option<serde_json::Value>,
    effective_at: Option<serde_json::Value>,
    places: Option<serde_json::Value>,
    forgotten: Option<serde_json::Value>,
    left: Option<serde_json::Value>,
    access: Option<serde_json::Value>,
    planned: Option<serde_json::Value>,
    policy: Option<serde_json::Value>,
    tool: Option<serde_json::Value>,
}

/// Reads a statement from a verified payload.
///
/// # Errors
/// [`StatementError`] for another type, a missing member, a duplicate member or a value out of its form.
pub fn decode_statement(payload: &[u8]) -> Result<Statement, StatementError> {
    let Object(read): Object<ReadStatement<'_>> =
        json::decode(payload).map_err(|error| StatementError::Malformed(error.to_string()))?;
    expect_type("_type", &read.statement_type, STATEMENT_TYPE)?;
    expect_type("predicateType", &read.predicate_type, PREDICATE_TYPE)?;
    let subjects = read
        .subject
        .into_iter()
        .enumerate()
        .map(|(index, Object(subject))| {
            decode_subject(&subject).map_err(|reason| StatementError::Subject { index, reason })
        })
        .collect::<Result<_, _>>()?;
    Ok(Statement { subjects, event: decode_event(read.predicate.0)? })
}

fn expect_type(member: &'static str, found: &str, wanted: &'static str) -> Result<(), StatementError> {
    if found == wanted {
        return Ok(());
    }
    Err(StatementError::Type { member, found: found.chars().take(100).collect(), wanted })
}

fn decode_subject(read: &ReadSubject<'_>) -> Result<Subject, SubjectError> {
    let digest = Digest::parse_hex(&read.digest.0.sha256).ok_or(SubjectError::Digest)?;
    match (&read.uri, &read.annotations) {
        (Some(uri), Some(Object(annotations))) => Ok(Subject::File {
            name: read.name.parse::<FileName>()?,
            cid: uri.strip_prefix("ipfs://").ok_or(SubjectError::Uri)?.parse()?,
            digest,
            role: annotations.role,
        }),
        (_, None) if read.name == CHAIN => Ok(Subject::Chain { digest }),
        _ => Err(SubjectError::Incomplete),
    }
}

fn decode_event(mut read: ReadEvent) -> Result<Event, StatementError> {
    let details = decode_details(&mut read)?;
    Ok(Event {
        chain: read.chain,
        seq: read.seq,
        prev: read.prev,
        event: read.event,
        id: read.id,
        started_at: read.started_at,
        finished_at: read.finished_at,
        database_clock: read.database_clock,
        actor: read.actor.0,
        target: read.target.map(|Object(target)| target),
        executor: read.executor.0,
        run: read.run.0,
        details,
    })
}

/// A member of this program's own; `None` in any shape but its own.
fn own<T: serde::de::DeserializeOwned>(value: Option<serde_json::Value>) -> Option<T> {
    serde_json::from_value(value?).ok()
}

fn decode_hooks(read: &mut ReadEvent) -> Option<Vec<Hook>> {
    Some(read.hooks.take()?.into_iter().map(|Object(hook)| hook).collect())
}

fn decode_reach(read: &mut ReadEvent) -> Option<ErasureReach> {
    Some(ErasureReach {
        request: own(read.request.take())?,
        effective_at: own(read.effective_at.take())?,
        places: own::<Vec<ErasurePlace>>(read.places.take())?,
        forgotten: own(read.forgotten.take()).unwrap_or_default(),
        left: own(read.left.take()).unwrap_or_default(),
    })
}

fn decode_details(read: &mut ReadEvent) -> Result<Details, StatementError> {
    let event = read.event;
    let missing = |member| StatementError::MissingMember { event, member };
    let schema = read.schema.take().map(|Object(schema)| schema);
    let migration = read.migration.take().map(|Object(migration)| migration);
    Ok(match event {
        EventKind::Repair => Details::Repair {
            migration,
            direction: read.direction.ok_or(missing("direction"))?,
            about: read.about.take().ok_or(missing("about"))?,
            schema,
            commitments: std::mem::take(&mut read.commitments),
        },
        EventKind::Erase => Details::Erase {
            about: read.about.take().ok_or(missing("about"))?,
            erased: read.erased.take().ok_or(missing("erased"))?,
            basis: read.basis.take().ok_or(missing("basis"))?,
            // What other programs write beside it is theirs.
            reach: decode_reach(read).map(Box::new),
        },
        EventKind::Attach => Details::Attach {
            about: read.about.take().ok_or(missing("about"))?,
            access: own::<Access>(read.access.take()).map(Box::new),
            hooks: decode_hooks(read).unwrap_or_default(),
            commitments: std::mem::take(&mut read.commitments),
        },
        EventKind::Plan => match own::<Planned>(read.planned.take()) {
            Some(planned) => Details::Plan(Box::new(PlanDetails {
                planned,
                hooks: decode_hooks(read).unwrap_or_default(),
                policy: own::<PolicyVerdicts>(read.policy.take()).map(Box::new),
                commitments: std::mem::take(&mut read.commitments),
            })),
            None => Details::Other { schema },
        },
        EventKind::Genesis | EventKind::Trust | EventKind::Drift => Details::Other { schema },
        EventKind::Apply | EventKind::Rollback | EventKind::Fail | EventKind::Baseline | EventKind::Stamp => {
            if event == EventKind::Stamp && read.direction.is_none() {
                return Err(missing("direction"));
            }
            let digests = read.digests.take().ok_or(missing("digests"))?;
            let statements = read.statements.take().ok_or(missing("statements"))?;
            let hooks = decode_hooks(read).ok_or(missing("hooks"))?;
            Details::Migration(Box::new(MigrationDetails {
                migration: migration.ok_or(missing("migration"))?,
                evidence: read.evidence.ok_or(missing("evidence"))?,
                digests: digests.into_iter().map(|(name, Object(digests))| (name, digests)).collect(),
                statements: statements.into_iter().map(|Object(run)| run).collect(),
                notices: read.notices,
                schema: schema.ok_or(missing("schema"))?,
                outcome: read.outcome.ok_or(missing("outcome"))?,
                error: read.error.take().ok_or(missing("error"))?.map(|Object(error)| error),
                commitments: std::mem::take(&mut read.commitments),
                plan: read.plan.take().ok_or(missing("plan"))?,
                reverts: read.reverts.take().ok_or(missing("reverts"))?,
                promoted_from: read.promoted_from.take().ok_or(missing("promotedFrom"))?,
                hooks,
                direction: read.direction,
                tool: own(read.tool.take()),
            }))
        }
    })
}
