//! What flags say of settings.

use std::path::PathBuf;

use super::keys::Id;
use super::secret::Secret;
use super::value::Given;

/// What flags say, as text where it has a form to be judged; relative paths are relative to the current
/// directory. `None` leaves the setting as file and environment have it.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    pub name: Option<String>,
    pub chain: Option<String>,
    pub migrations: Option<PathBuf>,
    /// A URL without a password, `env:NAME` or `file:PATH`.
    pub database_url: Option<Secret>,
    pub database_name: Option<String>,
    pub foreign_keys: Option<bool>,
    pub lock_timeout: Option<String>,
    pub statement_timeout: Option<String>,
    pub archive_directory: Option<PathBuf>,
    /// `env:NAME` or `file:PATH`. A [`Secret`], since people write the key itself by mistake.
    pub key_source: Option<Secret>,
    /// As [`Overrides::key_source`].
    pub key_also: Option<Vec<Secret>>,
    /// As [`Overrides::key_source`].
    pub key_passphrase: Option<Secret>,
    pub actor_pseudonym: Option<String>,
    pub actor_role: Option<String>,
    pub allow_out_of_order: Option<bool>,
    pub lock_wait: Option<String>,
    pub fingerprint: Option<bool>,
    pub trust: Option<Vec<String>>,
    pub time_tolerance: Option<String>,
    pub replication_required: Option<String>,
    pub replication_deadline: Option<String>,
    pub approval_required: Option<String>,
    pub approval_four_eyes: Option<bool>,
    pub approval_replicated: Option<bool>,
    pub approval_valid_for: Option<String>,
    pub promotion_from: Option<String>,
    pub promotion_file: Option<PathBuf>,
    pub promotion_rolled_back: Option<bool>,
    pub promotion_replayed: Option<bool>,
    pub promotion_replay_on: Option<Secret>,
    /// As [`Overrides::key_source`].
    pub publish_key: Option<Secret>,
    /// As [`Overrides::key_source`].
    pub node_key: Option<Secret>,
    /// As [`Overrides::key_source`].
    pub swarm_key: Option<Secret>,
    pub publish: Option<String>,
    pub dpia: Option<String>,
    /// As [`Overrides::database_url`].
    pub vault_url: Option<Secret>,
    /// As [`Overrides::key_source`].
    pub vault_key: Option<Secret>,
    /// As [`Overrides::key_source`].
    pub vault_passphrase: Option<Secret>,
    pub vault_retention: Option<String>,
    pub vault_backup_retention: Option<String>,
    pub vault_minimum: Option<String>,
    pub tool: Option<String>,
    pub tool_table: Option<String>,
    pub tool_apply: Option<bool>,
    pub hooks_folder: Option<PathBuf>,
    pub hooks_environment: Option<String>,
    pub hooks_on_empty: Option<bool>,
    pub hooks_time_limit: Option<String>,
    pub subject_map: Option<PathBuf>,
    pub erasures: Option<PathBuf>,
    /// As [`Overrides::key_source`].
    pub erasure_key: Option<Secret>,
}

impl Overrides {
    pub(super) fn given(&self, id: Id) -> Option<Given> {
        let text = |value: &Option<String>| value.as_deref().map(|text| Given::Text(text.into()));
        let secret = |value: &Option<Secret>| value.clone().map(Given::Text);
        let path = |value: &Option<PathBuf>| value.clone().map(|path| Given::Path(path.into_os_string()));
        match id {
            Id::Name => text(&self.name),
            Id::Chain => text(&self.chain),
            Id::Migrations => path(&self.migrations),
            Id::DatabaseUrl => secret(&self.database_url),
            Id::DatabaseName => text(&self.database_name),
            Id::ForeignKeys => self.foreign_keys.map(Given::Boolean),
            Id::LockTimeout => text(&self.lock_timeout),
            Id::StatementTimeout => text(&self.statement_timeout),
            Id::ArchiveDirectory => path(&self.archive_directory),
            Id::KeySource => secret(&self.key_source),
            Id::KeyAlso => self.key_also.clone().map(Given::List),
            Id::KeyPassphrase => secret(&self.key_passphrase),
            Id::ActorPseudonym => text(&self.actor_pseudonym),
            Id::ActorRole => text(&self.actor_role),
            Id::AllowOutOfOrder => self.allow_out_of_order.map(Given::Boolean),
            Id::LockWait => text(&self.lock_wait),
            Id::Fingerprint => self.fingerprint.map(Given::Boolean),
            Id::VerifyTrust => {
                let anchors = |trust: &Vec<String>| trust.iter().map(|text| text.as_str().into()).collect();
                self.trust.as_ref().map(|trust| Given::List(anchors(trust)))
            }
            Id::TimeTolerance => text(&self.time_tolerance),
            Id::ReplicationRequired => text(&self.replication_required),
            Id::ReplicationDeadline => text(&self.replication_deadline),
            Id::ApprovalRequired => text(&self.approval_required),
            Id::ApprovalFourEyes => self.approval_four_eyes.map(Given::Boolean),
            Id::ApprovalReplicated => self.approval_replicated.map(Given::Boolean),
            Id::ApprovalValidFor => text(&self.approval_valid_for),
            Id::PromotionFrom => text(&self.promotion_from),
            Id::PromotionFile => path(&self.promotion_file),
            Id::PromotionRolledBack => self.promotion_rolled_back.map(Given::Boolean),
            Id::PromotionReplayed => self.promotion_replayed.map(Given::Boolean),
            Id::PromotionReplayOn => secret(&self.promotion_replay_on),
            Id::PublishKey => secret(&self.publish_key),
            Id::NodeKey => secret(&self.node_key),
            Id::NodeSwarmKey => secret(&self.swarm_key),
            Id::PrivacyPublish => text(&self.publish),
            Id::Dpia => text(&self.dpia),
            Id::VaultUrl => secret(&self.vault_url),
            Id::VaultKey => secret(&self.vault_key),
            Id::VaultPassphrase => secret(&self.vault_passphrase),
            Id::VaultRetention => text(&self.vault_retention),
            Id::VaultBackupRetention => text(&self.vault_backup_retention),
            Id::VaultMinimum => text(&self.vault_minimum),
            Id::ToolName => text(&self.tool),
            Id::ToolTable => text(&self.tool_table),
            Id::ToolApply => self.tool_apply.map(Given::Boolean),
            Id::HooksFolder => path(&self.hooks_folder),
            Id::HooksEnvironment => text(&self.hooks_environment),
            Id::HooksOnEmpty => self.hooks_on_empty.map(Given::Boolean),
            Id::HooksTimeLimit => text(&self.hooks_time_limit),
            Id::SubjectMap => path(&self.subject_map),
            Id::Erasures => path(&self.erasures),
            Id::ErasureKey => secret(&self.erasure_key),
        }
    }
}
