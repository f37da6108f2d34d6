//! The in-toto Statement that a log signs (FORMAT §3).

use super::{Cid, Event, FileName, Role};
use crate::crypto::Digest;

/// `payloadType` of every envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// `_type` of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of every statement.
pub const PREDICATE_TYPE: &str = "urn:greffe:migration-log:1";

/// What a statement speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One of the manifest's files.
    File { name: FileName, cid: Cid, digest: Digest, role: Role },
    /// The manifest before, when an event has no files: named `chain`.
    Chain { digest: Digest },
}

/// A statement: an event and the files that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// In the order of the manifest's files.
    pub subjects: Vec<Subject>,
    pub event: Event,
}
