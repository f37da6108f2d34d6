//! Writes a fresh `greffe.toml`. Every key stands in it: given ones as they are, the others as remarks.

use std::{fmt::Write as _, time::Duration};

use super::{
    database_url::DatabaseSource,
    key_source::KeySource,
    keys::{DefaultValue, Id, KEYS, Key},
    secret::SecretSource,
    value::{Anchor, Retention, render_duration},
};
use crate::model::{ChainName, Cid, Pseudonym};
use crate::privacy::Publish;

/// What a fresh settings file says. Paths are text as it shall stand in the file, where relative ones are
/// relative to the file's folder; so are those in the sources. `None` leaves the default.
#[derive(Debug, Clone)]
pub struct NewSettings {
    pub name: ChainName,
    pub chain: Option<Cid>,
    pub migrations: Option<String>,
    /// A URL with a password is not written: `env:DATABASE_URL` is, and the variable has to be set.
    pub database_url: Option<DatabaseSource>,
    pub database_name: Option<String>,
    pub foreign_keys: Option<bool>,
    pub lock_timeout: Option<Duration>,
    pub statement_timeout: Option<Duration>,
    pub archive_directory: Option<String>,
    pub key_source: Option<KeySource>,
    pub key_also: Option<Vec<KeySource>>,
    pub key_passphrase: Option<SecretSource>,
    pub actor_pseudonym: Option<Pseudonym>,
    pub actor_role: Option<String>,
    pub allow_out_of_order: Option<bool>,
    pub lock_wait: Option<Duration>,
    pub fingerprint: Option<bool>,
    pub trust: Option<Vec<Anchor>>,
    pub time_tolerance: Option<Duration>,
    pub replication_required: Option<usize>,
    pub replication_deadline: Option<Duration>,
    pub approval_required: Option<usize>,
    pub approval_four_eyes: Option<bool>,
    pub approval_replicated: Option<bool>,
    pub approval_valid_for: Option<Duration>,
    pub publish_key: Option<SecretSource>,
    pub node_key: Option<SecretSource>,
    pub swarm_key: Option<SecretSource>,
    pub publish: Option<Publish>,
    pub vault_url: Option<DatabaseSource>,
    pub vault_key: Option<SecretSource>,
    pub vault_passphrase: Option<SecretSource>,
    pub vault_retention: Option<Retention>,
    pub vault_backup_retention: Option<Retention>,
    pub tool: Option<String>,
    pub tool_table: Option<String>,
}

impl NewSettings {
    /// A file that says nothing but the chain's name.
    #[must_use]
    pub const fn named(name: ChainName) -> Self {
        Self {
            name,
            chain: None,
            migrations: None,
            database_url: None,
            database_name: None,
            foreign_keys: None,
            lock_timeout: None,
            statement_timeout: None,
            archive_directory: None,
            key_source: None,
            key_also: None,
            key_passphrase: None,
            actor_pseudonym: None,
            actor_role: None,
            allow_out_of_order: None,
            lock_wait: None,
            fingerprint: None,
            trust: None,
            time_tolerance: None,
            replication_required: None,
            replication_deadline: None,
            approval_required: None,
            approval_four_eyes: None,
            approval_replicated: None,
            approval_valid_for: None,
            publish_key: None,
            node_key: None,
            swarm_key: None,
            publish: None,
            vault_url: None,
            vault_key: None,
            vault_passphrase: None,
            vault_retention: None,
            vault_backup_retention: None,
            tool: None,
            tool_table: None,
        }
    }

    /// The TOML value of a key that is given.
    fn value(&self, id: Id) -> Option<String> {
        let duration = |duration: Duration| toml_string(&render_duration(duration));
        match id {
            Id::Name => Some(toml_string(self.name.as_str())),
            Id::Chain => self.chain.map(|cid| toml_string(&cid.to_string())),
            Id::Migrations => self.migrations.as_deref().map(toml_string),
            Id::DatabaseUrl => self.database_url.as_ref().map(|source| toml_string(&written(source))),
            Id::DatabaseName => self.database_name.as_deref().map(toml_string),
            Id::ForeignKeys => self.foreign_keys.map(|value| value.to_string()),
            Id::LockTimeout => self.lock_timeout.map(duration),
            Id::StatementTimeout => self.statement_timeout.map(duration),
            Id::ArchiveDirectory => self.archive_directory.as_deref().map(toml_string),
            Id::KeySource => self.key_source.as_ref().map(|source| toml_string(&source.to_string())),
            Id::KeyAlso => self.key_also.as_ref().map(|sources| toml_list(sources)),
            Id::KeyPassphrase => self.key_passphrase.as_ref().map(|source| toml_string(&source.to_string())),
            Id::ActorPseudonym => self.actor_pseudonym.map(|pseudonym| toml_string(&pseudonym.to_string())),
            Id::ActorRole => self.actor_role.as_deref().map(toml_string),
            Id::AllowOutOfOrder => self.allow_out_of_order.map(|value| value.to_string()),
            Id::LockWait => self.lock_wait.map(duration),
            Id::Fingerprint => self.fingerprint.map(|value| value.to_string()),
            Id::VerifyTrust => self.trust.as_ref().map(|trust| toml_list(trust)),
            Id::TimeTolerance => self.time_tolerance.map(duration),
            Id::ReplicationRequired => self.replication_required.map(|value| value.to_string()),
            Id::ReplicationDeadline => self.replication_deadline.map(duration),
            Id::ApprovalRequired => self.approval_required.map(|value| value.to_string()),
            Id::ApprovalFourEyes => self.approval_four_eyes.map(|value| value.to_string()),
            Id::ApprovalReplicated => self.approval_replicated.map(|value| value.to_string()),
            Id::ApprovalValidFor => self.approval_valid_for.map(duration),
            Id::PublishKey => self.publish_key.as_ref().map(|source| toml_string(&source.to_string())),
            Id::NodeKey => self.node_key.as_ref().map(|source| toml_string(&source.to_string())),
            Id::NodeSwarmKey => self.swarm_key.as_ref().map(|source| toml_string(&source.to_string())),
            Id::PrivacyPublish => self.publish.map(|publish| toml_string(&publish.to_string())),
            Id::VaultUrl => self.vault_url.as_ref().map(|source| toml_string(&written(source))),
            Id::VaultKey => self.vault_key.as_ref().map(|source| toml_string(&source.to_string())),
            Id::VaultPassphrase => {
                self.vault_passphrase.as_ref().map(|source| toml_string(&source.to_string()))
            }
            Id::VaultRetention => self.vault_retention.map(|kept| toml_string(&kept.to_string())),
            Id::VaultBackupRetention => {
                self.vault_backup_retention.map(|kept| toml_string(&kept.to_string()))
            }
            Id::ToolName => self.tool.as_deref().map(toml_string),
            Id::ToolTable => self.tool_table.as_deref().map(toml_string),
            // Nothing of it is known when a chain begins.
            Id::PromotionFrom
            | Id::PromotionFile
            | Id::PromotionRolledBack
            | Id::PromotionReplayed
            | Id::PromotionReplayOn
            | Id::Dpia
            | Id::SubjectMap
            | Id::Erasures
            | Id::ErasureKey
            | Id::VaultMinimum
            | Id::ToolApply
            | Id::HooksFolder
            | Id::HooksEnvironment
            | Id::HooksOnEmpty
            | Id::HooksTimeLimit => None,
        }
    }
}

/// The text of a fresh `greffe.toml`.
#[must_use]
pub fn render_new(settings: &NewSettings) -> String {
    let mut text = String::from(
        "# Settings of greffe. Paths are relative to this folder. GREFFE_* variables and flags go before\n\
         # what stands here. No secret belongs here: `env:NAME` and `file:PATH` say where one is.\n",
    );
    let mut table = "";
    for key in &KEYS {
        text.push('\n');
        if key.table != table {
            table = key.table;
            write_line(&mut text, &format!("[{table}]"));
        }
        write_line(&mut text, &format!("# {}", key.meaning));
        write_line(&mut text, &line(key, settings.value(key.id)));
    }
    text
}

fn line(key: &Key, given: Option<String>) -> String {
    match (given, key.default) {
        (Some(value), _) => format!("{} = {value}", key.name),
        (None, DefaultValue::Value(value)) => format!("# {} = {value}", key.name),
        (None, DefaultValue::Words { words, example }) => {
            format!("# Default: {words}.\n# {} = {example}", key.name)
        }
    }
}

fn write_line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

fn written(source: &DatabaseSource) -> String {
    match source {
        DatabaseSource::Url(url) if url.has_password() => "env:DATABASE_URL".to_owned(),
        DatabaseSource::Url(url) => url.expose().to_owned(),
        other => other.to_string(),
    }
}

/// A list of TOML basic strings.
fn toml_list<T: ToString>(values: &[T]) -> String {
    let values: Vec<_> = values.iter().map(|value| toml_string(&value.to_string())).collect();
    format!("[{}]", values.join(", "))
}

/// A TOML basic string.
fn toml_string(text: &str) -> String {
    let escaped = text.chars().fold(String::new(), |mut escaped, c| {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            // Tab may stand for itself; the other control characters of ASCII may not.
            '\t' => escaped.push(c),
            c if c.is_control() => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => escaped.push(c),
        }
        escaped
    });
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_back_whatever_they_hold() {
        let controls: String = (0..0xa0).filter_map(char::from_u32).collect();
        for text in ["", "a", "C:\\new\\table", "\"'\"\"\"", "é 日本 🦀\u{2028}", &controls] {
            let document: toml::Table = toml::from_str(&format!("a = {}", toml_string(text))).unwrap();
            assert_eq!(document["a"].as_str(), Some(text));
        }
    }
}
