//! Accesses to sealed content.

use serde::{Deserialize, Serialize};

use crate::model::{Cid, Timestamp};

/// An access to sealed content, in a chain of its own.
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
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum AccessKind {
    Grant,
    Open,
}

crate::model::text::as_word!(AccessKind);
