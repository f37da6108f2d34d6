//! Settings as flags, which every command takes.

use std::path::PathBuf;

use clap::Args;

use crate::cli::settings::{Overrides, Secret};

/// Settings as flags; each overrides the file and the environment.
#[derive(Args, Default)]
#[command(next_help_heading = "Settings (see docs/settings.md)")]
pub struct SettingsArguments {
    /// Name of the chain
    #[arg(long, global = true, hide_short_help = true)]
    name: Option<String>,
    /// CID of manifest 0, the anchor of trust
    #[arg(long, global = true, value_name = "CID", hide_short_help = true)]
    chain: Option<String>,
    /// Folder of migration scripts
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    migrations: Option<PathBuf>,
    /// Database URL, or `env:NAME` or `file:PATH` where it is
    #[arg(long, global = true, value_name = "URL", allow_hyphen_values = true, hide_short_help = true)]
    database: Option<Secret>,
    /// How events call the database
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    database_name: Option<String>,
    /// Whether SQLite enforces foreign keys while scripts run
    #[arg(long, global = true, value_name = "BOOL", hide_short_help = true)]
    foreign_keys: Option<bool>,
    /// How long a statement waits for a lock of the database server
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    lock_timeout: Option<String>,
    /// How long the database server lets a statement run
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    statement_timeout: Option<String>,
    /// Folder that holds the archive
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    archive: Option<PathBuf>,
    // A key that is given in place of its source begins with hyphens; read as a flag, it would be repeated.
    /// Where the signing key is: `file:PATH`, `env:NAME` or `agent:SHA256:…`
    #[arg(long, global = true, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    key: Option<Secret>,
    /// Where another key is that signs entries along with it
    #[arg(long, global = true, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    key_also: Option<Vec<Secret>>,
    /// Where the key's passphrase is: `env:NAME` or `file:PATH`
    #[arg(long, global = true, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    passphrase: Option<Secret>,
    /// Pseudonym of who acts: 32 hexadecimal digits
    #[arg(long, global = true, value_name = "HEX", hide_short_help = true)]
    actor_pseudonym: Option<String>,
    /// Role in which they act
    #[arg(long, global = true, value_name = "ROLE", hide_short_help = true)]
    actor_role: Option<String>,
    /// Whether a migration may run after one with a higher version
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", hide_short_help = true)]
    allow_out_of_order: Option<bool>,
    /// How long to wait for another run: `0s`, `500ms`, `5m`
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    lock_wait: Option<String>,
    /// Whether the schema's fingerprint is taken around each migration
    #[arg(long, global = true, value_name = "BOOL", hide_short_help = true)]
    fingerprint: Option<bool>,
    /// Further anchors of trust: keyids of root keys, or CIDs of manifest 0
    #[arg(long, global = true, value_name = "ANCHOR", hide_short_help = true)]
    trust: Option<Vec<String>>,
    /// By how much times may run backwards
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    time_tolerance: Option<String>,
    /// How many replicas must answer before anything is applied
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    required: Option<String>,
    /// How long a run waits for each replica
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    replication_deadline: Option<String>,
    /// From how many people a plan needs an approval before anything runs
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    approvals: Option<String>,
    /// Whether nobody's approval counts for a plan that he made himself
    #[arg(long, global = true, value_name = "BOOL", hide_short_help = true)]
    four_eyes: Option<bool>,
    /// Whether a plan has to be at the replicas before anything of it runs
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_short_help = true)]
    plan_replicated: Option<bool>,
    /// How long a plan may be carried out: `8h`, `2d`
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    valid_for: Option<String>,
    /// CID of manifest 0 of the staging chain: only what it shows as applied is applied
    #[arg(long, global = true, value_name = "CID", hide_short_help = true)]
    promoted_from: Option<String>,
    /// The CARv1 file that holds the staging chain
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    promotion_file: Option<PathBuf>,
    /// Whether each script has to have been rolled back there and applied again
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_short_help = true)]
    promotion_rolled_back: Option<bool>,
    /// Whether the staging chain is replayed first, and has to come out as it was signed
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_short_help = true)]
    promotion_replayed: Option<bool>,
    /// The server on which it is replayed: a URL without a password, `env:NAME` or `file:PATH`
    #[arg(long, global = true, value_name = "URL", allow_hyphen_values = true, hide_short_help = true)]
    promotion_replay_on: Option<Secret>,
    /// Where the IPNS name's key is: `file:PATH` or `env:NAME`
    #[arg(long, global = true, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    publish_key: Option<Secret>,
    /// Where the key is by which Bitswap peers know this machine: `file:PATH` or `env:NAME`
    #[arg(long, global = true, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    node_key: Option<Secret>,
    /// Where the key of a private libp2p network is: `file:PATH` or `env:NAME`
    #[arg(long, global = true, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    swarm_key: Option<Secret>,
    /// Which scripts are archived in clear: `sealed`, `schema` or `all`
    #[arg(long, global = true, value_name = "WHAT", hide_short_help = true)]
    publish: Option<String>,
    /// Reference of the impact assessment, for public replicas
    #[arg(long, global = true, value_name = "REF", hide_short_help = true)]
    dpia: Option<String>,
    /// URL of the vault, or `env:NAME` or `file:PATH` where it is
    #[arg(long, global = true, value_name = "URL", allow_hyphen_values = true, hide_short_help = true)]
    vault: Option<Secret>,
    /// Where the vault owner's age identity is: `file:PATH` or `env:NAME`
    #[arg(long, global = true, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    vault_key: Option<Secret>,
    /// Where its passphrase is: `env:NAME` or `file:PATH`
    #[arg(long, global = true, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    vault_passphrase: Option<Secret>,
    /// How long sealed content is kept: `10y`, `24m`, `90d`
    #[arg(long, global = true, value_name = "TIME", hide_short_help = true)]
    vault_retention: Option<String>,
    /// How long backups of the vault are kept
    #[arg(long, global = true, value_name = "TIME", hide_short_help = true)]
    vault_backup_retention: Option<String>,
    /// How long nothing may be erased
    #[arg(long, global = true, value_name = "TIME", hide_short_help = true)]
    vault_minimum: Option<String>,
    /// The migration tool whose folder it is
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    tool: Option<String>,
    /// Its history table, where it has another name
    #[arg(long, global = true, value_name = "TABLE", hide_short_help = true)]
    tool_table: Option<String>,
    /// Whether greffe applies the tool's scripts itself and keeps its history table true
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_short_help = true)]
    tool_apply: Option<bool>,
    /// The map of a person's data
    #[arg(long, global = true, value_name = "PATH", visible_alias = "map", hide_short_help = true)]
    subject_map: Option<PathBuf>,
    /// The list of erasures
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    erasures: Option<PathBuf>,
    /// Where the age identity or recipient of the list of erasures is: `file:PATH` or `env:NAME`
    #[arg(long, global = true, value_name = "SOURCE", allow_hyphen_values = true, hide_short_help = true)]
    erasure_key: Option<Secret>,
    /// The folder of hooks [default: hooks]
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    hooks_folder: Option<PathBuf>,
    /// What hooks are told the environment is
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    hooks_environment: Option<String>,
    /// Whether hooks are also asked where nothing is to be applied
    #[arg(long, global = true, value_name = "BOOL", hide_short_help = true)]
    hooks_on_empty: Option<bool>,
    /// How long one program may take that is a hook [default: 60s]
    #[arg(long, global = true, value_name = "TIME", hide_short_help = true)]
    hooks_time_limit: Option<String>,
}

impl SettingsArguments {
    /// As the settings take them.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            name: self.name.clone(),
            chain: self.chain.clone(),
            migrations: self.migrations.clone(),
            database_url: self.database.clone(),
            database_name: self.database_name.clone(),
            foreign_keys: self.foreign_keys,
            lock_timeout: self.lock_timeout.clone(),
            statement_timeout: self.statement_timeout.clone(),
            archive_directory: self.archive.clone(),
            key_source: self.key.clone(),
            key_also: self.key_also.clone(),
            key_passphrase: self.passphrase.clone(),
            actor_pseudonym: self.actor_pseudonym.clone(),
            actor_role: self.actor_role.clone(),
            allow_out_of_order: self.allow_out_of_order,
            lock_wait: self.lock_wait.clone(),
            fingerprint: self.fingerprint,
            trust: self.trust.clone(),
            time_tolerance: self.time_tolerance.clone(),
            replication_required: self.required.clone(),
            replication_deadline: self.replication_deadline.clone(),
            approval_required: self.approvals.clone(),
            approval_four_eyes: self.four_eyes,
            approval_replicated: self.plan_replicated,
            approval_valid_for: self.valid_for.clone(),
            promotion_from: self.promoted_from.clone(),
            promotion_file: self.promotion_file.clone(),
            promotion_rolled_back: self.promotion_rolled_back,
            promotion_replayed: self.promotion_replayed,
            promotion_replay_on: self.promotion_replay_on.clone(),
            publish_key: self.publish_key.clone(),
            node_key: self.node_key.clone(),
            swarm_key: self.swarm_key.clone(),
            publish: self.publish.clone(),
            dpia: self.dpia.clone(),
            vault_url: self.vault.clone(),
            vault_key: self.vault_key.clone(),
            vault_passphrase: self.vault_passphrase.clone(),
            vault_retention: self.vault_retention.clone(),
            vault_backup_retention: self.vault_backup_retention.clone(),
            vault_minimum: self.vault_minimum.clone(),
            tool: self.tool.clone(),
            tool_table: self.tool_table.clone(),
            tool_apply: self.tool_apply,
            subject_map: self.subject_map.clone(),
            erasures: self.erasures.clone(),
            erasure_key: self.erasure_key.clone(),
            hooks_folder: self.hooks_folder.clone(),
            hooks_environment: self.hooks_environment.clone(),
            hooks_on_empty: self.hooks_on_empty,
            hooks_time_limit: self.hooks_time_limit.clone(),
        }
    }
}
