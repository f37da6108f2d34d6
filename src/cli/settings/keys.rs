//! The table of all settings: the one source for names, variables, flags, defaults and meanings.
//! What the values become is decided in the parent module.

mod table;

pub use table::KEYS;

/// Which setting a [`Key`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    Name,
    Chain,
    Migrations,
    DatabaseUrl,
    DatabaseName,
    ForeignKeys,
    LockTimeout,
    StatementTimeout,
    ArchiveDirectory,
    KeySource,
    KeyAlso,
    KeyPassphrase,
    ActorPseudonym,
    ActorRole,
    AllowOutOfOrder,
    LockWait,
    Fingerprint,
    VerifyTrust,
    TimeTolerance,
    ReplicationRequired,
    ReplicationDeadline,
    ApprovalRequired,
    ApprovalFourEyes,
    ApprovalReplicated,
    ApprovalValidFor,
    PromotionFrom,
    PromotionFile,
    PromotionRolledBack,
    PromotionReplayed,
    PromotionReplayOn,
    PublishKey,
    NodeKey,
    NodeSwarmKey,
    PrivacyPublish,
    Dpia,
    SubjectMap,
    Erasures,
    ErasureKey,
    VaultUrl,
    VaultKey,
    VaultPassphrase,
    VaultRetention,
    VaultBackupRetention,
    VaultMinimum,
    ToolName,
    ToolTable,
    ToolApply,
    HooksFolder,
    HooksEnvironment,
    HooksOnEmpty,
    HooksTimeLimit,
}

/// What values a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Name,
    Manifest,
    Path,
    DatabaseUrl,
    Label,
    Boolean,
    SecretSource,
    KeySource,
    KeySources,
    Pseudonym,
    Duration,
    Anchors,
    Count,
    ReplicaUrl,
    Vkey,
    WitnessUrl,
    AuthorityUrl,
    Origins,
    Publish,
    Retention,
    Region,
}

impl Kind {
    /// The type as the documentation names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Manifest => "CID",
            Self::Path => "path",
            Self::DatabaseUrl => "database URL",
            Self::Label => "text",
            Self::Boolean => "boolean",
            Self::SecretSource => "secret source",
            Self::KeySource => "key source",
            Self::KeySources => "list of key sources",
            Self::Pseudonym => "pseudonym",
            Self::Duration => "duration",
            Self::Anchors => "list of anchors",
            Self::Count => "number",
            Self::ReplicaUrl => "replica URL",
            Self::Vkey => "verifier key",
            Self::WitnessUrl => "URL",
            Self::AuthorityUrl => "authority URL",
            Self::Origins => "list of multiaddresses",
            Self::Publish => "what is published",
            Self::Retention => "retention",
            Self::Region => "region",
        }
    }

    /// What may be written, as the object of "write …".
    #[must_use]
    pub const fn allowed(self) -> &'static str {
        match self {
            Self::Name => {
                "1 to 64 of the characters a-z, 0-9, `-`, `_` and `.`, beginning with a letter or digit"
            }
            Self::Manifest => "the CID of a manifest: `bafyrei` and 52 more characters",
            Self::Path => "a path that is not empty",
            Self::DatabaseUrl => "a URL such as `sqlite:app.db`, or `env:NAME`, or `file:PATH`",
            Self::Label => "1 to 128 characters, none of them a control character",
            Self::Boolean => "`true` or `false`",
            Self::SecretSource => "`env:NAME` or `file:PATH`, never the secret itself",
            Self::KeySource => {
                "`env:NAME`, `file:PATH`, or `agent:` and a fingerprint (`SHA256:…`) or keyid, never the key itself"
            }
            Self::KeySources => {
                "`env:NAME`, `file:PATH`, or `agent:` and a fingerprint or keyid, never a key itself"
            }
            Self::Pseudonym => "32 lower-case hexadecimal digits",
            Self::Duration => {
                "a whole number followed by `ms`, `s`, `m` or `h`, at most `24h`, for instance `30s`"
            }
            Self::Anchors => {
                "key ids (64 lower-case hexadecimal digits) or CIDs of manifests or heads (`bafyrei…`)"
            }
            Self::Count => "a whole number from 0 to 64, without quotes",
            Self::ReplicaUrl => {
                "`kubo:URL`, `cluster:URL`, `pinning:URL`, `archive:FOLDER` or `car:FILE`, for instance \
                 `kubo:http://127.0.0.1:5001`"
            }
            Self::Vkey => "a verifier key of a witness: `name+hash+base64`, of type 4 or 6",
            Self::WitnessUrl => "a URL such as `https://witness.example.org/`",
            Self::AuthorityUrl => "`http://HOST/PATH` or `https://HOST/PATH`",
            Self::Origins => {
                "at most 20 multiaddresses of nodes that end with `/p2p/` and their identity, such as \
                 `/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…`"
            }
            Self::Publish => "`sealed`, `schema` or `all`",
            Self::Region => "`EEA`, or the two capital letters of a country, such as `FR`",
            Self::Retention => {
                "a whole number followed by `d`, `w`, `m` or `y`, at most `100y`, for instance `10y`"
            }
        }
    }

    /// Whether a value of this kind may be a secret, so that no message repeats it.
    #[must_use]
    pub const fn is_confidential(self) -> bool {
        matches!(
            self,
            Self::DatabaseUrl
                | Self::SecretSource
                | Self::KeySource
                | Self::KeySources
                | Self::ReplicaUrl
                | Self::WitnessUrl
                | Self::AuthorityUrl
        )
    }
}

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    pub id: Id,
    /// The table of `greffe.toml` that holds it; empty for the top of the file.
    pub table: &'static str,
    /// Its name within the table.
    pub name: &'static str,
    pub kind: Kind,
    /// What holds when it is not given, in words or as TOML.
    pub default: DefaultValue,
    /// The environment variable that sets it.
    pub variable: &'static str,
    /// The command line flag that sets it.
    pub flag: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

/// What holds when a key is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// This TOML value.
    Value(&'static str),
    /// Nothing or something derived, in words; with a TOML value as an example.
    Words { words: &'static str, example: &'static str },
}

impl Key {
    /// The name with its table, such as `database.url`.
    #[must_use]
    pub fn path(&self) -> String {
        if self.table.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.table, self.name) }
    }

    /// The key called `name` in `table`.
    #[must_use]
    pub fn find(table: &str, name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.table == table && key.name == name)
    }

    /// The key with this identity.
    #[must_use]
    pub fn of(id: Id) -> &'static Self {
        // The order of the table is that of the variants; a test holds it.
        &KEYS[id as usize]
    }
}

/// The tables of `greffe.toml`.
pub const TABLES: [&str; 15] = [
    "database",
    "archive",
    "key",
    "actor",
    "apply",
    "verify",
    "replication",
    "approval",
    "promotion",
    "publish",
    "node",
    "privacy",
    "vault",
    "tool",
    "hooks",
];

/// The variable that holds the private key itself.
pub const KEY_VARIABLE: &str = "GREFFE_KEY";
/// The variable that holds the vault owner's identity itself.
pub const VAULT_KEY_VARIABLE: &str = "GREFFE_VAULT_KEY";
/// The variable that names the settings file.
pub const CONFIG_VARIABLE: &str = "GREFFE_CONFIG";

/// Variables that belong to no single key.
pub const OTHER_VARIABLES: [&str; 7] = [
    CONFIG_VARIABLE,
    "GREFFE_JSON",
    KEY_VARIABLE,
    VAULT_KEY_VARIABLE,
    "GREFFE_LANG",
    "GREFFE_LOG",
    "GREFFE_STEPS",
];

const fn key(
    id: Id,
    place: [&'static str; 2],
    kind: Kind,
    default: DefaultValue,
    given: [&'static str; 3],
) -> Key {
    let [table, name] = place;
    let [variable, flag, meaning] = given;
    Key { id, table, name, kind, default, variable, flag, meaning }
}

const fn none(example: &'static str) -> DefaultValue {
    DefaultValue::Words { words: "none", example }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_its_identities_and_says_nothing_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for (index, key) in KEYS.iter().enumerate() {
            assert_eq!(key.id as usize, index, "{}", key.path());
            assert!(key.table.is_empty() || TABLES.contains(&key.table));
            assert!(
                seen.insert(key.path()) && seen.insert(key.variable.into()) && seen.insert(key.flag.into())
            );
        }
    }
}
