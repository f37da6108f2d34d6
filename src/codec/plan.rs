//! The file of a plan, and that of an approval ⇄ JSON: DSSE envelopes over in-toto statements, as logs are. Nothing in
//! them is verified here.
//!
//! ```text
//! plan      subject: one for each script; predicateType urn:greffe:plan:1
//!           predicate: what crate::model::RunPlan has
//! approval  subject: the plan file, `plan.json`, by its SHA-256; predicateType urn:greffe:approval:1
//!           predicate: { "chain": cid, "approver": {"pseudonym", "role"}, "at": RFC 3339 }
//! ```
//! A statement of one type is never taken for the other, nor for a log: the predicate's type is signed with it.

use serde::{Deserialize, Serialize};

use super::dsse::{Envelope, EnvelopeError};
use super::json::{self, Object};
use crate::crypto::Digest;
use crate::model::{
    Actor, Approval, Cid, Direction, FileName, PlanPolicy, PlannedMigration, PlannedSchema, PlannedTarget,
    RunPlan, STATEMENT_TYPE, Timestamp,
};

/// The name of the file that holds a plan, in statements and in events.
pub const PLAN_FILE: &str = "plan.json";

const PLAN_TYPE: &str = "urn:greffe:plan:1";
const APPROVAL_TYPE: &str = "urn:greffe:approval:1";

/// Why bytes are no plan, or no approval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFileError {
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("what is signed cannot be read: {0}")]
    Malformed(String),
    #[error("what is signed is {found:?}, not {wanted:?}")]
    Type { found: String, wanted: &'static str },
    #[error("its subjects are not those of what it says")]
    Subjects,
    #[error("{0:?} is no name that a plan may have: it has control characters, or leads out of the folder")]
    Name(String),
    #[error("a digest is written sha256:<64 hex digits>")]
    Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire<P> {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<WireSubject>,
    predicate_type: String,
    predicate: P,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct WireSubject {
    name: String,
    digest: WireDigest,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct WireDigest {
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WirePlan {
    nonce: String,
    chain: Cid,
    target: PlannedTarget,
    direction: Direction,
    made_at: Timestamp,
    expires_at: Timestamp,
    author: Actor,
    policy: PlanPolicy,
    history: String,
    #[serde(deserialize_with = "Option::deserialize")]
    schema: Option<PlannedSchema>,
    migrations: Vec<PlannedMigration>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireApproval {
    chain: Cid,
    approver: Actor,
    at: Timestamp,
}

fn subject(name: &str, digest: Digest) -> WireSubject {
    WireSubject { name: name.to_owned(), digest: WireDigest { sha256: digest.to_string() } }
}

fn plan_subjects(migrations: &[PlannedMigration]) -> Vec<WireSubject> {
    let files = migrations.iter().flat_map(|migration| &migration.files);
    files.map(|file| subject(&file.name, file.cid.digest())).collect()
}

fn encode<P: Serialize>(predicate_type: &str, subject: Vec<WireSubject>, predicate: P) -> Vec<u8> {
    let (statement_type, predicate_type) = (STATEMENT_TYPE.to_owned(), predicate_type.to_owned());
    let wire = Wire { statement_type, subject, predicate_type, predicate };
    serde_json::to_vec(&wire).expect("maps with text keys always encode")
}

fn decode<P: serde::de::DeserializeOwned>(
    payload: &[u8],
    wanted: &'static str,
) -> Result<Wire<P>, PlanFileError> {
    /// Only what says of which type a statement is.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        predicate_type: String,
    }
    let malformed = |error: serde_json::Error| PlanFileError::Malformed(error.to_string());
    let Object(typed): Object<Typed> = json::decode(payload).map_err(malformed)?;
    if typed.predicate_type != wanted {
        let found = typed.predicate_type.chars().take(100).collect();
        return Err(PlanFileError::Type { found, wanted });
    }
    let Object(wire): Object<Wire<P>> = json::decode(payload).map_err(malformed)?;
    if wire.statement_type != STATEMENT_TYPE {
        let found = wire.statement_type.chars().take(100).collect();
        return Err(PlanFileError::Type { found, wanted: STATEMENT_TYPE });
    }
    Ok(wire)
}

/// What a plan's author signs.
#[must_use]
pub fn encode_plan(plan: &RunPlan) -> Vec<u8> {
    let plan = plan.clone();
    let subject = plan_subjects(&plan.migrations);
    let wire = WirePlan {
        nonce: plan.nonce,
        chain: plan.chain,
        target: plan.target,
        direction: plan.direction,
        made_at: plan.made_at,
        expires_at: plan.expires_at,
        author: plan.author,
        policy: plan.policy,
        history: plan.history.to_prefixed(),
        schema: plan.schema,
        migrations: plan.migrations,
    };
    encode(PLAN_TYPE, subject, wire)
}

/// Reads the file of a plan: the plan, and the envelope that says who signed it.
///
/// # Errors
/// [`PlanFileError`] for another type or shape, unknown or duplicate members, and other subjects than its scripts.
pub fn decode_plan(file: &[u8]) -> Result<(RunPlan, Envelope), PlanFileError> {
    let envelope = Envelope::decode(file)?;
    Ok((decode_plan_statement(&envelope.payload)?, envelope))
}

/// Reads what a plan's author signs; a plan that a run made itself is archived so, without an envelope.
///
/// # Errors
/// As [`decode_plan`].
pub fn decode_plan_statement(payload: &[u8]) -> Result<RunPlan, PlanFileError> {
    let Wire { subject, predicate, .. } = decode::<WirePlan>(payload, PLAN_TYPE)?;
    if subject != plan_subjects(&predicate.migrations) {
        return Err(PlanFileError::Subjects);
    }
    require_plain(&predicate)?;
    Ok(RunPlan {
        nonce: predicate.nonce,
        chain: predicate.chain,
        target: predicate.target,
        direction: predicate.direction,
        made_at: predicate.made_at,
        expires_at: predicate.expires_at,
        author: predicate.author,
        policy: predicate.policy,
        history: Digest::parse_prefixed(&predicate.history).ok_or(PlanFileError::Digest)?,
        schema: predicate.schema,
        migrations: predicate.migrations,
    })
}

/// Whoever approves reads what a plan shows: no name in it makes a line of its own, or names a file elsewhere.
fn require_plain(plan: &WirePlan) -> Result<(), PlanFileError> {
    let files = plan.migrations.iter().flat_map(|migration| &migration.files).map(|file| &file.name);
    if let Some(name) = files.into_iter().find(|name| name.parse::<FileName>().is_err()) {
        return Err(PlanFileError::Name(name.chars().take(100).collect()));
    }
    let versions = plan.migrations.iter().map(|migration| &migration.version);
    let texts = [&plan.target.name, &plan.author.role, &plan.nonce].into_iter().chain(versions);
    match texts.into_iter().find(|text| text.chars().any(char::is_control)) {
        Some(text) => Err(PlanFileError::Name(text.chars().take(100).collect())),
        None => Ok(()),
    }
}

/// What an approver signs.
#[must_use]
pub fn encode_approval(approval: &Approval) -> Vec<u8> {
    let wire = WireApproval { chain: approval.chain, approver: approval.approver.clone(), at: approval.at };
    encode(APPROVAL_TYPE, vec![subject(PLAN_FILE, approval.plan)], wire)
}

/// Reads the file of an approval.
///
/// # Errors
/// As [`decode_plan`].
pub fn decode_approval(file: &[u8]) -> Result<(Approval, Envelope), PlanFileError> {
    let envelope = Envelope::decode(file)?;
    let Wire { subject, predicate, .. } = decode::<WireApproval>(&envelope.payload, APPROVAL_TYPE)?;
    let [WireSubject { name, digest }] = subject.as_slice() else { return Err(PlanFileError::Subjects) };
    if name != PLAN_FILE {
        return Err(PlanFileError::Subjects);
    }
    let plan = Digest::parse_hex(&digest.sha256).ok_or(PlanFileError::Digest)?;
    let WireApproval { chain, approver, at } = predicate;
    Ok((Approval { plan, chain, approver, at }, envelope))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;
    use crate::model::{Codec, Engine, PlannedFile, Pseudonym, Role};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_microseconds(1_700_000_000_000_000 + seconds * 1_000_000).unwrap()
    }

    fn plan() -> RunPlan {
        let cid = Cid::of(Codec::Raw, b"CREATE TABLE a (id INTEGER);\n");
        let file = PlannedFile { role: Role::Up, name: "0001_a.up.sql".to_owned(), cid, size: 29 };
        RunPlan {
            nonce: "0".repeat(32),
            chain: cid,
            target: PlannedTarget { name: "app".to_owned(), engine: Engine::Sqlite },
            direction: Direction::Up,
            made_at: at(0),
            expires_at: at(3600),
            author: Actor { pseudonym: Pseudonym::generate(), role: "developer".to_owned() },
            policy: PlanPolicy { approvals: 2, four_eyes: true, replicated: false },
            history: Digest::of(b""),
            schema: None,
            migrations: vec![PlannedMigration {
                version: "0001".to_owned(),
                transaction: true,
                files: vec![file],
            }],
        }
    }

    fn signed(payload: Vec<u8>) -> Vec<u8> {
        Envelope::sign(payload, &[&PrivateKey::generate()]).unwrap().encode()
    }

    #[test]
    fn plans_and_approvals_are_read_as_written() {
        let plan = plan();
        let file = signed(encode_plan(&plan));
        assert_eq!(decode_plan(&file).unwrap().0, plan);
        let approval =
            Approval { plan: Digest::of(&file), chain: plan.chain, approver: plan.author.clone(), at: at(1) };
        let file = signed(encode_approval(&approval));
        assert_eq!(decode_approval(&file).unwrap().0, approval);
    }

    #[test]
    fn a_statement_of_another_type_is_neither() {
        let plan = plan();
        let approval =
            Approval { plan: Digest::of(b""), chain: plan.chain, approver: plan.author.clone(), at: at(1) };
        assert!(matches!(
            decode_plan(&signed(encode_approval(&approval))),
            Err(PlanFileError::Type { wanted: PLAN_TYPE, .. })
        ));
        assert!(matches!(
            decode_approval(&signed(encode_plan(&plan))),
            Err(PlanFileError::Type { wanted: APPROVAL_TYPE, .. })
        ));
    }

    #[test]
    fn unknown_double_and_foreign_members_are_refused() {
        let text = String::from_utf8(encode_plan(&plan())).unwrap();
        for (from, to) in [
            ("\"nonce\"", "\"more\":1,\"nonce\""),
            ("\"nonce\"", "\"nonce\":\"1\",\"nonce\""),
            ("\"version\"", "\"more\":1,\"version\""),
            ("0001_a.up.sql\",\"digest", "0002_b.up.sql\",\"digest"),
            ("\"history\":\"sha256:", "\"history\":\"sha512:"),
            ("\"schema\":null,", ""),
            ("in-toto.io/Statement/v1", "in-toto.io/Statement/v2"),
            ("\"name\":\"app\"", "\"name\":\"app\\nneeds    0 approval(s)\""),
            ("\"version\":\"0001\"", "\"version\":\"0001\\r\""),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text, "{from}");
            assert!(decode_plan(&signed(other.into_bytes())).is_err(), "{to}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_or_make_a_line_are_refused() {
        let named = |name: &str| {
            let mut plan = plan();
            plan.migrations[0].files[0].name = name.to_owned();
            decode_plan(&signed(encode_plan(&plan))).map(drop)
        };
        assert_eq!(named("schema/0001_a.up.sql"), Ok(()));
        for name in ["../0001_a.up.sql", "/etc/passwd", "a\nneeds    0 approval(s)", "a\u{1b}[2J", ""] {
            assert_eq!(named(name), Err(PlanFileError::Name(name.to_owned())));
        }
    }
}
