//! Where a private key is: as text somewhere, or in an SSH agent that signs with it.

use std::fmt;
use std::path::Path;

use super::secret::SecretSource;
use crate::codec::ssh_agent::{encode_fingerprint, parse_fingerprint};
use crate::crypto::{Digest, KeyId};

/// Where a private key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Its text, or that of the public key of one that an agent has.
    Text(SecretSource),
    /// An SSH agent has it.
    Agent(AgentKeyName),
}

/// How a key of an agent is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentKeyName {
    /// As `ssh-add -l` prints it: the SHA-256 of the key's blob.
    Fingerprint(Digest),
    /// As trust documents have it.
    Key(KeyId),
}

impl KeySource {
    /// Reads `env:NAME`, `file:PATH` or `agent:` and a name. Anything else is `None`: it may be the key itself.
    #[must_use]
    pub fn parse(text: &str, base: &Path) -> Option<Self> {
        let Some(name) = text.strip_prefix("agent:") else {
            return SecretSource::parse(text, base).map(Self::Text);
        };
        let key = || KeyId::parse(name).map(AgentKeyName::Key);
        parse_fingerprint(name).map(AgentKeyName::Fingerprint).or_else(key).map(Self::Agent)
    }

    /// Where its text is, if it is text.
    #[must_use]
    pub const fn text(&self) -> Option<&SecretSource> {
        match self {
            Self::Text(source) => Some(source),
            Self::Agent(_) => None,
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(source) => source.fmt(f),
            Self::Agent(AgentKeyName::Fingerprint(digest)) => {
                write!(f, "agent:{}", encode_fingerprint(digest))
            }
            Self::Agent(AgentKeyName::Key(id)) => write!(f, "agent:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_an_agent_is_named_by_fingerprint_or_keyid() {
        let fingerprint = format!("agent:{}", encode_fingerprint(&Digest([7; 32])));
        for good in [fingerprint.as_str(), &format!("agent:{}", "ab".repeat(32)), "env:KEY", "file:k.pem"] {
            assert_eq!(KeySource::parse(good, Path::new("")).unwrap().to_string(), good);
        }
        for bad in ["agent:", "agent:x", "agent:SHA256:", "agent:AB", "hunter2", ""] {
            assert_eq!(KeySource::parse(bad, Path::new("")), None, "{bad}");
        }
    }
}
