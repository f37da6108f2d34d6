//! Tokens by which a server knows who asks; never the token itself.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Pseudonym, Timestamp};
use crate::crypto::Digest;

/// What a token lets its holder read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum Scope {
    /// What is public where no token is asked for: blocks, tiles, routing.
    Read,
    /// Which chains there are, their heads and sizes.
    Status,
    /// Every head, and who vouched for it.
    Heads,
    /// The report of verification.
    Report,
    /// Which replicas lack the head.
    Queue,
    /// Who opened what: the access chain.
    Accesses,
}

crate::model::text::as_word!(Scope);

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Status, Self::Heads, Self::Report, Self::Queue, Self::Accesses];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Status => "status",
            Self::Heads => "heads",
            Self::Report => "report",
            Self::Queue => "queue",
            Self::Accesses => "accesses",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenEntry {
    /// What it is called: eight hexadecimal digits that have nothing to do with the token.
    pub id: String,
    /// SHA-256 of the token. It has 256 bits of chance, so nothing slower would protect it better.
    pub digest: Digest,
    /// Who holds it.
    pub holder: Pseudonym,
    pub scopes: BTreeSet<Scope>,
    pub made_at: Timestamp,
    /// From when on it is of no use.
    pub expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl TokenEntry {
    /// Whether it is of use at this time.
    #[must_use]
    pub fn counts_at(&self, at: Timestamp) -> bool {
        at < self.expires_at && self.revoked_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        assert_eq!(Scope::parse("Read"), None);
        assert_eq!(Scope::parse(""), None);
    }
}
