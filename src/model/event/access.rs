//! Accesses to sealed content, and to what a server answers to holders of tokens alone.

use serde::{Deserialize, Serialize};

use crate::model::{Cid, Pseudonym, Timestamp};

/// An access, in a chain of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    pub kind: AccessKind,
    /// CID of manifest 0 of the chain whose content it is.
    pub chain: Cid,
    /// Who was granted it: a recipient of age, in short form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Why, as a code or in the owner's own words without a name.
    pub purpose: String,
    /// When a grant ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why nothing was opened; `None` where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<AccessFailure>,
    /// What a server answered, for `serve` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub served: Vec<Served>,
}

impl Access {
    /// An access to the content of `chain`, of which nothing else is to be said.
    #[must_use]
    pub fn new(kind: AccessKind, chain: Cid, purpose: &str) -> Self {
        let (recipient, until, failure, served) = (None, None, None, Vec::new());
        Self { kind, chain, recipient, purpose: purpose.to_owned(), until, failure, served }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum AccessKind {
    Grant,
    Open,
    /// Answers of `greffe serve` to holders of tokens, and tokens that were refused, many in one event.
    Serve,
}

crate::model::text::as_word!(AccessKind);

/// Why nothing was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum AccessFailure {
    /// No key that opens it is here.
    NoKey,
    /// It, or its key, is not what was sealed.
    Damaged,
    /// The grant is somebody else's, has ended, or is none.
    Refused,
}

crate::model::text::as_word!(AccessFailure);

/// How often a server gave one answer to one holder, since the event before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// Who holds the token; `None` for tokens that nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<Pseudonym>,
    /// Which part of what is served, as its scope is called.
    pub what: String,
    /// The status of the answers, as HTTP has it.
    pub status: u16,
    pub count: u64,
    /// When the first one and the last one were given.
    pub first: Timestamp,
    pub last: Timestamp,
}
