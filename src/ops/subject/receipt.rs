//! The receipt of an erasure: a DSSE envelope over an in-toto statement. It has neither a value nor the key; a random
//! pseudonym stands for the person.

use serde::{Deserialize, Serialize};

use super::Line;
use crate::codec::dsse::{Envelope, EnvelopeError};
use crate::codec::json;
use crate::crypto::{Digest, KeyId, PublicKey, SignError, Signer};
use crate::model::{Engine, Executor, Pseudonym, STATEMENT_TYPE, Timestamp};

/// What the predicate of a receipt is.
pub const PREDICATE_TYPE: &str = "urn:greffe:subject-erasure:1";

/// What [`Receipt::remains`] says of SQLite.
pub const IN_THE_LOG: &str = "the write-ahead log: another connection reads it; it is emptied when that one ends and the next one writes";

/// What a receipt says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    pub request: String,
    pub basis: String,
    pub outcome: Outcome,
    /// Stands for the person.
    pub person: Pseudonym,
    pub database: Database,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    /// Whether it was done again after a restore from a backup.
    pub again: bool,
    pub tables: Vec<Row>,
    /// Where what was erased may still be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remains: Option<String>,
    /// What the database said, without its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    pub executor: Executor,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub name: String,
    pub engine: Engine,
}

/// How rows of a table ended, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Done,
    /// They are still there, on a legal basis.
    Kept,
    /// Nothing was done to them.
    Failed,
}

impl Outcome {
    /// Of all tables together: `kept` where nothing was changed.
    #[must_use]
    pub fn of(tables: &[Row], is_done: bool) -> Self {
        match tables.iter().any(|row| row.outcome == Self::Done && row.rows > 0) {
            _ if !is_done => Self::Failed,
            true => Self::Done,
            false => Self::Kept,
        }
    }

    /// As receipts write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Kept => "kept",
            Self::Failed => "failed",
        }
    }
}

/// What was done to one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub table: String,
    pub action: String,
    pub rows: u64,
    pub outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
}

impl Row {
    /// A line of a plan, with how it ended.
    #[must_use]
    pub fn of(line: &Line, is_done: bool) -> Self {
        let outcome = match (is_done, line.action) {
            (false, _) => Outcome::Failed,
            (true, "keep" | "flag") => Outcome::Kept,
            (true, _) => Outcome::Done,
        };
        let Line { table, action, rows, basis } = line.clone();
        Self { table, action: action.to_owned(), rows, outcome, basis }
    }
}

/// Why a receipt does not count.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("the signed text is no receipt of an erasure: {0}")]
    Malformed(String),
    #[error("it is signed by none of the keys that are at hand, but by {}", list(.0))]
    UnknownKey(Vec<KeyId>),
    #[error("its signature by {0} does not hold: it was changed")]
    Signature(KeyId),
    #[error(transparent)]
    Sign(#[from] SignError),
}

fn list(keys: &[KeyId]) -> String {
    keys.iter().map(KeyId::to_string).collect::<Vec<_>>().join(", ")
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    statement_type: String,
    /// The map that held.
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Receipt,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: Sha256,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sha256 {
    sha256: String,
}

impl Receipt {
    /// Signs it together with the map that held.
    ///
    /// # Errors
    /// [`ReceiptError::Malformed`] when it cannot be written; [`ReceiptError::Sign`].
    pub fn sign(&self, map: (&str, Digest), key: &dyn Signer) -> Result<Vec<u8>, ReceiptError> {
        let (name, digest) = map;
        let subject = Subject { name: name.to_owned(), digest: Sha256 { sha256: digest.to_string() } };
        let statement = Statement {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: vec![subject],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: self.clone(),
        };
        let payload =
            serde_json::to_vec(&statement).map_err(|error| ReceiptError::Malformed(error.to_string()))?;
        let mut bytes = Envelope::sign(payload, &[key])?.encode();
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a receipt that one of `keys` signed; with the digest of the map and the key.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn verify(bytes: &[u8], keys: &[PublicKey]) -> Result<(Self, String, KeyId), ReceiptError> {
        let envelope = Envelope::decode(bytes.trim_ascii_end())?;
        let signer = envelope
            .signatures
            .iter()
            .find_map(|(id, signature)| keys.iter().find(|key| key.id() == *id).map(|key| (key, signature)));
        let Some((key, signature)) = signer else {
            return Err(ReceiptError::UnknownKey(envelope.signatures.iter().map(|(id, _)| *id).collect()));
        };
        if !key.verify(&envelope.message(), signature) {
            return Err(ReceiptError::Signature(key.id()));
        }
        let malformed = |text: String| ReceiptError::Malformed(text);
        let statement: Statement =
            json::decode(&envelope.payload).map_err(|error| malformed(error.to_string()))?;
        if statement.statement_type != STATEMENT_TYPE || statement.predicate_type != PREDICATE_TYPE {
            return Err(malformed(format!("its predicate is not {PREDICATE_TYPE}")));
        }
        let [subject] = statement.subject.as_slice() else {
            return Err(malformed("it is about one map".to_owned()));
        };
        Ok((statement.predicate, subject.digest.sha256.clone(), key.id()))
    }
}
