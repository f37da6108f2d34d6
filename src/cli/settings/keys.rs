//! The table of all settings: the one source for names, variables, flags, defaults and meanings.
//! What the values become is decided in the parent module.

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

/// Every setting, in the order of [`Id`] and of a fresh `greffe.toml`.
pub static KEYS: [Key; 49] = [
    key(
        Id::Name,
        ["", "name"],
        Kind::Name,
        none("\"demo\""),
        ["GREFFE_NAME", "--name", "The chain's name, for people; its archive is the file `<name>.car`."],
    ),
    key(
        Id::Chain,
        ["", "chain"],
        Kind::Manifest,
        none("\"bafyrei…\""),
        ["GREFFE_CHAIN", "--chain", "The CID of manifest 0, the anchor of trust; `greffe init` writes it."],
    ),
    key(
        Id::Migrations,
        ["", "migrations"],
        Kind::Path,
        DefaultValue::Value("\"migrations\""),
        ["GREFFE_MIGRATIONS", "--migrations", "The folder of migration scripts."],
    ),
    key(
        Id::DatabaseUrl,
        ["database", "url"],
        Kind::DatabaseUrl,
        none("\"env:DATABASE_URL\""),
        [
            "GREFFE_DATABASE_URL",
            "--database",
            "The database that is migrated: a URL without a password, `env:NAME`, or `file:PATH` (its first line).",
        ],
    ),
    key(
        Id::DatabaseName,
        ["database", "name"],
        Kind::Label,
        DefaultValue::Words { words: "the chain's name", example: "\"app\"" },
        ["GREFFE_DATABASE_NAME", "--database-name", "How events call the database; it is archived."],
    ),
    key(
        Id::ForeignKeys,
        ["database", "foreign-keys"],
        Kind::Boolean,
        DefaultValue::Value("true"),
        ["GREFFE_FOREIGN_KEYS", "--foreign-keys", "Whether SQLite enforces foreign keys while scripts run."],
    ),
    key(
        Id::LockTimeout,
        ["database", "lock-timeout"],
        Kind::Duration,
        DefaultValue::Words { words: "the server's", example: "\"5s\"" },
        [
            "GREFFE_LOCK_TIMEOUT",
            "--lock-timeout",
            "How long a statement waits for a lock of the database server before it fails; `0s` for ever.",
        ],
    ),
    key(
        Id::StatementTimeout,
        ["database", "statement-timeout"],
        Kind::Duration,
        DefaultValue::Words { words: "the server's", example: "\"10m\"" },
        [
            "GREFFE_STATEMENT_TIMEOUT",
            "--statement-timeout",
            "How long a database server lets a statement run before it fails; `0s` for ever.",
        ],
    ),
    key(
        Id::ArchiveDirectory,
        ["archive", "directory"],
        Kind::Path,
        DefaultValue::Value("\"archive\""),
        ["GREFFE_ARCHIVE_DIRECTORY", "--archive", "The folder that holds the archive."],
    ),
    key(
        Id::KeySource,
        ["key", "source"],
        Kind::KeySource,
        none("\"file:greffe.key.pem\""),
        [
            "GREFFE_KEY_SOURCE",
            "--key",
            "Where the private signing key is: `file:PATH`, `env:NAME` for a variable that holds its PEM text, or \
             `agent:SHA256:…` for a key of the SSH agent; a file with the public key names one of the agent, too.",
        ],
    ),
    key(
        Id::KeyAlso,
        ["key", "also"],
        Kind::KeySources,
        DefaultValue::Value("[]"),
        [
            "GREFFE_KEY_ALSO",
            "--key-also",
            "Where further signing keys are, which sign each entry along with it where more than one signer has to; the \
             variable separates them by commas.",
        ],
    ),
    key(
        Id::KeyPassphrase,
        ["key", "passphrase"],
        Kind::SecretSource,
        DefaultValue::Value("\"env:GREFFE_KEY_PASSPHRASE\""),
        [
            "GREFFE_KEY_PASSPHRASE",
            "--passphrase",
            "Where the key's passphrase is: `env:NAME` or `file:PATH`; the variable holds the passphrase itself.",
        ],
    ),
    key(
        Id::ActorPseudonym,
        ["actor", "pseudonym"],
        Kind::Pseudonym,
        none("\"00112233445566778899aabbccddeeff\""),
        [
            "GREFFE_ACTOR_PSEUDONYM",
            "--actor-pseudonym",
            "Stands for the person or workload that acts; who it is stands only in the vault.",
        ],
    ),
    key(
        Id::ActorRole,
        ["actor", "role"],
        Kind::Label,
        DefaultValue::Value("\"operator\""),
        ["GREFFE_ACTOR_ROLE", "--actor-role", "The role in which the actor acts; it is archived."],
    ),
    key(
        Id::AllowOutOfOrder,
        ["apply", "allow-out-of-order"],
        Kind::Boolean,
        DefaultValue::Value("false"),
        [
            "GREFFE_ALLOW_OUT_OF_ORDER",
            "--allow-out-of-order",
            "Whether a migration may run after one with a higher version.",
        ],
    ),
    key(
        Id::LockWait,
        ["apply", "lock-wait"],
        Kind::Duration,
        DefaultValue::Value("\"30s\""),
        ["GREFFE_LOCK_WAIT", "--lock-wait", "How long to wait for another run to end; `0s` leaves at once."],
    ),
    key(
        Id::Fingerprint,
        ["apply", "fingerprint"],
        Kind::Boolean,
        DefaultValue::Value("true"),
        [
            "GREFFE_FINGERPRINT",
            "--fingerprint",
            "Whether the schema's fingerprint is taken before and after each migration.",
        ],
    ),
    key(
        Id::VerifyTrust,
        ["verify", "trust"],
        Kind::Anchors,
        DefaultValue::Value("[]"),
        [
            "GREFFE_VERIFY_TRUST",
            "--trust",
            "Further anchors of trust: key ids or CIDs; the variable separates them by commas.",
        ],
    ),
    key(
        Id::TimeTolerance,
        ["verify", "time-tolerance"],
        Kind::Duration,
        DefaultValue::Value("\"5s\""),
        [
            "GREFFE_TIME_TOLERANCE",
            "--time-tolerance",
            "How far the times of two events may run backwards before verification says so.",
        ],
    ),
    key(
        Id::ReplicationRequired,
        ["replication", "required"],
        Kind::Count,
        DefaultValue::Value("0"),
        [
            "GREFFE_REPLICATION_REQUIRED",
            "--required",
            "How many replicas must answer before anything is applied, and have the head for a run to count as replicated; `0`: \
             none must answer, and all must have it.",
        ],
    ),
    key(
        Id::ReplicationDeadline,
        ["replication", "deadline"],
        Kind::Duration,
        DefaultValue::Value("\"60s\""),
        [
            "GREFFE_REPLICATION_DEADLINE",
            "--replication-deadline",
            "How long a run waits for each replica, all of them at the same time; what is not delivered by then stays owed.",
        ],
    ),
    key(
        Id::ApprovalRequired,
        ["approval", "required"],
        Kind::Count,
        DefaultValue::Value("0"),
        [
            "GREFFE_APPROVAL_REQUIRED",
            "--approvals",
            "From how many people a plan needs an approval before anything runs; more where the trust document asks for more.",
        ],
    ),
    key(
        Id::ApprovalFourEyes,
        ["approval", "four-eyes"],
        Kind::Boolean,
        DefaultValue::Value("true"),
        [
            "GREFFE_APPROVAL_FOUR_EYES",
            "--four-eyes",
            "Whether nobody's approval counts for a plan that he made himself.",
        ],
    ),
    key(
        Id::ApprovalReplicated,
        ["approval", "replicated"],
        Kind::Boolean,
        DefaultValue::Value("false"),
        [
            "GREFFE_APPROVAL_REPLICATED",
            "--plan-replicated",
            "Whether a plan has to be at the replicas before anything of it runs; at how many says `replication.required`.",
        ],
    ),
    key(
        Id::ApprovalValidFor,
        ["approval", "valid-for"],
        Kind::Duration,
        DefaultValue::Value("\"24h\""),
        ["GREFFE_APPROVAL_VALID_FOR", "--valid-for", "How long a plan may be carried out after it was made."],
    ),
    key(
        Id::PromotionFrom,
        ["promotion", "from"],
        Kind::Manifest,
        none("\"bafyrei…\""),
        [
            "GREFFE_PROMOTION_FROM",
            "--promoted-from",
            "CID of manifest 0 of the staging chain: only what it shows as applied is applied here.",
        ],
    ),
    key(
        Id::PromotionFile,
        ["promotion", "file"],
        Kind::Path,
        DefaultValue::Words { words: "an archive of it beside this one", example: "\"staging.car\"" },
        ["GREFFE_PROMOTION_FILE", "--promotion-file", "The CARv1 file that holds the staging chain."],
    ),
    key(
        Id::PromotionRolledBack,
        ["promotion", "rolled-back"],
        Kind::Boolean,
        DefaultValue::Value("false"),
        [
            "GREFFE_PROMOTION_ROLLED_BACK",
            "--promotion-rolled-back",
            "Whether each script has to have been rolled back there and applied again.",
        ],
    ),
    key(
        Id::PublishKey,
        ["publish", "key"],
        Kind::SecretSource,
        none("\"file:greffe.ipns.pem\""),
        [
            "GREFFE_PUBLISH_KEY",
            "--publish-key",
            "Where the private key of the IPNS name is; another key than the one that signs events.",
        ],
    ),
    key(
        Id::NodeKey,
        ["node", "key"],
        Kind::SecretSource,
        DefaultValue::Words { words: "a new one for each run", example: "\"file:greffe.node.pem\"" },
        [
            "GREFFE_NODE_KEY",
            "--node-key",
            "Where the private key is by which Bitswap peers know this machine; another key than the one that signs events.",
        ],
    ),
    key(
        Id::NodeSwarmKey,
        ["node", "swarm-key"],
        Kind::SecretSource,
        none("\"file:swarm.key\""),
        [
            "GREFFE_NODE_SWARM_KEY",
            "--swarm-key",
            "Where the `swarm.key` of a private libp2p network is; with it, only its nodes are spoken to.",
        ],
    ),
    key(
        Id::PrivacyPublish,
        ["privacy", "publish"],
        Kind::Publish,
        DefaultValue::Value("\"sealed\""),
        [
            "GREFFE_PUBLISH",
            "--publish",
            "Which scripts are archived in clear: none (`sealed`), those that are schema only (`schema`), or `all`.",
        ],
    ),
    key(
        Id::Dpia,
        ["privacy", "dpia"],
        Kind::Label,
        none("\"DPIA-2026-01\""),
        [
            "GREFFE_DPIA",
            "--dpia",
            "The reference of the impact assessment (RGPD art. 35), without which nothing but sealed files goes to a public replica.",
        ],
    ),
    key(
        Id::SubjectMap,
        ["privacy", "subject-map"],
        Kind::Path,
        DefaultValue::Value("\"greffe.subject.yaml\""),
        ["GREFFE_SUBJECT_MAP", "--subject-map", "The map of a person's data in the application's database."],
    ),
    key(
        Id::Erasures,
        ["privacy", "erasures"],
        Kind::Path,
        DefaultValue::Value("\"greffe.erasures.age\""),
        [
            "GREFFE_ERASURES",
            "--erasures",
            "The list of erasures, which is done again after a restore from a backup.",
        ],
    ),
    key(
        Id::ErasureKey,
        ["privacy", "erasure-key"],
        Kind::SecretSource,
        none("\"file:greffe.erasures.key\""),
        [
            "GREFFE_ERASURE_KEY",
            "--erasure-key",
            "Where the age identity of the list of erasures is, or its recipient, which can add to the list and not read it.",
        ],
    ),
    key(
        Id::VaultUrl,
        ["vault", "url"],
        Kind::DatabaseUrl,
        DefaultValue::Value("\"sqlite:greffe.vault.db\""),
        [
            "GREFFE_VAULT_URL",
            "--vault",
            "Where the keys of sealed files are: a URL of SQLite or PostgreSQL, `env:NAME`, or `file:PATH`.",
        ],
    ),
    key(
        Id::VaultKey,
        ["vault", "key"],
        Kind::SecretSource,
        DefaultValue::Value("\"file:greffe.vault.key\""),
        [
            "GREFFE_VAULT_KEY_SOURCE",
            "--vault-key",
            "Where the vault owner's age identity is; who only seals needs none.",
        ],
    ),
    key(
        Id::VaultPassphrase,
        ["vault", "passphrase"],
        Kind::SecretSource,
        DefaultValue::Words { words: "that of the signing key", example: "\"env:GREFFE_VAULT_PASSPHRASE\"" },
        [
            "GREFFE_VAULT_PASSPHRASE",
            "--vault-passphrase",
            "Where the passphrase of that identity is; the variable holds the passphrase itself.",
        ],
    ),
    key(
        Id::VaultRetention,
        ["vault", "retention"],
        Kind::Retention,
        DefaultValue::Words { words: "no end", example: "\"10y\"" },
        [
            "GREFFE_VAULT_RETENTION",
            "--vault-retention",
            "How long sealed content is kept after the month in which it was sealed; `greffe retention run` erases it then.",
        ],
    ),
    key(
        Id::VaultBackupRetention,
        ["vault", "backup-retention"],
        Kind::Retention,
        DefaultValue::Value("\"30d\""),
        [
            "GREFFE_VAULT_BACKUP_RETENTION",
            "--vault-backup-retention",
            "How long backups of the vault are kept: an erasure is effective once the last one with its key is gone.",
        ],
    ),
    key(
        Id::VaultMinimum,
        ["vault", "minimum"],
        Kind::Retention,
        DefaultValue::Words { words: "nothing has to be kept", example: "\"5y\"" },
        [
            "GREFFE_VAULT_MINIMUM",
            "--vault-minimum",
            "How long the law wants things kept: what is younger counts as held, and is not erased.",
        ],
    ),
    key(
        Id::ToolName,
        ["tool", "name"],
        Kind::Label,
        DefaultValue::Words { words: "found by the folder", example: "\"alembic\"" },
        [
            "GREFFE_TOOL",
            "--tool",
            "The migration tool whose folder it is; greffe only records what it does, unless `tool.apply` is set.",
        ],
    ),
    key(
        Id::ToolTable,
        ["tool", "table"],
        Kind::Label,
        DefaultValue::Words { words: "the tool's own", example: "\"public.alembic_version\"" },
        ["GREFFE_TOOL_TABLE", "--tool-table", "The tool's history table, where it has another name."],
    ),
    key(
        Id::ToolApply,
        ["tool", "apply"],
        Kind::Boolean,
        DefaultValue::Value("false"),
        [
            "GREFFE_TOOL_APPLY",
            "--tool-apply",
            "Whether greffe applies and rolls back the tool's scripts itself, and keeps its history table true.",
        ],
    ),
    key(
        Id::HooksFolder,
        ["hooks", "folder"],
        Kind::Path,
        DefaultValue::Value("\"hooks\""),
        [
            "GREFFE_HOOKS",
            "--hooks-folder",
            "The folder of hooks, which are asked before and after what greffe does; one that is named has to be there.",
        ],
    ),
    key(
        Id::HooksEnvironment,
        ["hooks", "environment"],
        Kind::Label,
        none("\"production\""),
        [
            "GREFFE_HOOKS_ENVIRONMENT",
            "--hooks-environment",
            "What hooks are told the environment is, and which of them are asked; it is archived with what they were told.",
        ],
    ),
    key(
        Id::HooksOnEmpty,
        ["hooks", "on-empty"],
        Kind::Boolean,
        DefaultValue::Value("false"),
        [
            "GREFFE_HOOKS_ON_EMPTY",
            "--hooks-on-empty",
            "Whether hooks are also asked where nothing is to be applied.",
        ],
    ),
    key(
        Id::HooksTimeLimit,
        ["hooks", "time-limit"],
        Kind::Duration,
        DefaultValue::Value("\"60s\""),
        [
            "GREFFE_HOOKS_TIME_LIMIT",
            "--hooks-time-limit",
            "How long one program may take that is a hook, before it is ended with all that it started.",
        ],
    ),
];

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
