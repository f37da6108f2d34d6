//! The settings of one run: `greffe.toml`, then the environment, then flags, each over the one before. Nothing
//! here prints or asks; no output of anything here shows a secret.

mod authorities;
mod database_url;
#[cfg(test)]
mod documented;
mod environment;
mod error;
mod file;
mod key_source;
mod keys;
mod lint;
mod load;
mod nearest;
mod overrides;
mod policy;
mod render;
mod replicas;
mod secret;
#[cfg(test)]
mod tests;
mod value;
mod watch;
mod witnesses;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use authorities::AuthoritySettings;
pub use database_url::{DatabaseSource, DatabaseUrl};
pub use environment::Environment;
pub use error::{Place, Problem, Reason, SettingsError, SourceError};
pub use key_source::{AgentKeyName, KeySource};
pub use keys::{
    CONFIG_VARIABLE, DefaultValue, Id, KEY_VARIABLE, KEYS, Key, Kind, OTHER_VARIABLES, TABLES,
    VAULT_KEY_VARIABLE,
};
pub use lint::LintSettings;
pub use overrides::Overrides;
pub use policy::PolicySettings;
pub use render::{NewSettings, render_new};
pub use replicas::{FIELDS, ReplicaSettings};
pub use secret::{ReadError, SIZE_LIMIT, Secret, SecretSource, read_text};
pub use value::{
    Anchor, LONGEST_DURATION, NotAnchor, Retention, parse_duration, parse_retention, render_duration,
};

pub use watch::{AlertSettings, WatchSettings};
pub use witnesses::{TIMEOUT as WITNESS_TIMEOUT, WitnessSettings, parse_prefix};

use crate::model::{ChainName, Cid, Pseudonym};
use crate::privacy::Publish;
use secret::strip_newline;

/// All settings, resolved. Paths are absolute or relative to the current directory.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The settings file that was read; `None` when there is none.
    pub file: Option<PathBuf>,
    /// `name`: the chain's name.
    pub name: Option<ChainName>,
    /// `chain`: the CID of manifest 0, the anchor of trust.
    pub chain: Option<Cid>,
    /// `migrations`: the folder of migration scripts.
    pub migrations: PathBuf,
    /// `database.url`: where the database's URL is.
    pub database_url: Option<DatabaseSource>,
    /// `database.name`: how events call the database.
    pub database_name: Option<String>,
    /// `database.foreign-keys`: whether SQLite enforces foreign keys while scripts run.
    pub foreign_keys: bool,
    /// `database.lock-timeout`: how long a statement waits for a lock of a server; zero for ever.
    pub lock_timeout: Option<Duration>,
    /// `database.statement-timeout`: how long a server lets a statement run; zero for ever.
    pub statement_timeout: Option<Duration>,
    /// `archive.directory`: the folder that holds the archive.
    pub archive_directory: PathBuf,
    /// `key.source`: where the private key is.
    pub key_source: Option<KeySource>,
    /// `key.also`: where further keys are that sign entries along with it.
    pub key_also: Vec<KeySource>,
    /// `key.passphrase`: where its passphrase is.
    pub key_passphrase: Option<SecretSource>,
    /// `actor.pseudonym`: stands for who acts.
    pub actor_pseudonym: Option<Pseudonym>,
    /// `actor.role`: the role in which they act.
    pub actor_role: String,
    /// `apply.allow-out-of-order`: whether a migration may run after one with a higher version.
    pub allow_out_of_order: bool,
    /// `apply.lock-wait`: how long to wait for another run to end; zero leaves at once.
    pub lock_wait: Duration,
    /// `apply.fingerprint`: whether the schema's fingerprint is taken around each migration.
    pub fingerprint: bool,
    /// `verify.trust`: further anchors of trust.
    pub trust: Vec<Anchor>,
    /// `verify.time-tolerance`: how far times may run backwards.
    pub time_tolerance: Duration,
    /// `replication.required`: replicas that must answer before anything is applied.
    pub replication_required: usize,
    /// `replication.deadline`: how long a run waits for each replica.
    pub replication_deadline: Duration,
    /// `approval.required`: from how many people a plan needs an approval.
    pub approval_required: usize,
    /// `approval.four-eyes`: whether nobody approves what he planned.
    pub approval_four_eyes: bool,
    /// `approval.replicated`: whether a plan is at the replicas before it runs.
    pub approval_replicated: bool,
    /// `approval.valid-for`: how long a plan may be carried out.
    pub approval_valid_for: Duration,
    /// `promotion.from`: the chain that has to show what is applied here.
    pub promotion_from: Option<Cid>,
    /// `promotion.file`: the file that holds it.
    pub promotion_file: Option<PathBuf>,
    /// `promotion.rolled-back`: whether it has to have been rolled back there.
    pub promotion_rolled_back: bool,
    /// `promotion.replayed`: whether it is replayed before anything runs here.
    pub promotion_replayed: bool,
    /// `promotion.replay-on`: where.
    pub promotion_replay_on: Option<DatabaseSource>,
    /// `publish.key`: where the key of the IPNS name is.
    pub publish_key: Option<SecretSource>,
    /// `node.key`: where the key is by which peers know this machine.
    pub node_key: Option<SecretSource>,
    /// `node.swarm-key`: where the key of a private network is.
    pub swarm_key: Option<SecretSource>,
    /// `privacy.publish`: which scripts are archived in clear.
    pub publish: Publish,
    /// `privacy.dpia`: the reference of the impact assessment.
    pub dpia: Option<String>,
    /// `vault.url`: where the keys of sealed files are.
    pub vault_url: DatabaseSource,
    /// `vault.key`: where the owner's identity is.
    pub vault_key: SecretSource,
    /// `vault.passphrase`: where its passphrase is; `None`: that of the signing key.
    pub vault_passphrase: Option<SecretSource>,
    /// `vault.retention`: how long sealed content is kept; `None` for ever.
    pub vault_retention: Option<Retention>,
    /// `vault.backup-retention`: how long backups of the vault are kept.
    pub vault_backup_retention: Retention,
    /// `vault.minimum`: for how long nothing may be erased.
    pub vault_minimum: Option<Retention>,
    /// `tool.name`: the tool that applies the scripts.
    pub tool: Option<String>,
    /// `tool.table`: its history table.
    pub tool_table: Option<String>,
    /// `tool.apply`: whether greffe applies in the tool's place.
    pub tool_apply: bool,
    /// `hooks.folder`: where hooks are.
    pub hooks_folder: PathBuf,
    /// `hooks.environment`: what they are told the environment is.
    pub hooks_environment: Option<String>,
    /// `hooks.on-empty`: whether they are asked where nothing is to be applied.
    pub hooks_on_empty: bool,
    /// `hooks.time-limit`: how long one program may take.
    pub hooks_time_limit: Duration,
    /// Whether `hooks.folder` was said.
    pub hooks_folder_is_said: bool,
    publish_is_said: bool,
    /// `privacy.subject-map`: the map of a person's data.
    pub subject_map: PathBuf,
    /// `privacy.erasures`: the list of erasures.
    pub erasures: PathBuf,
    /// `privacy.erasure-key`: where its key is.
    pub erasure_key: Option<SecretSource>,
    /// `[[replica]]`: where copies are kept.
    pub replicas: Vec<ReplicaSettings>,
    /// `[[witness]]`: who is asked to cosign.
    pub witnesses: Vec<WitnessSettings>,
    /// `[[authority]]`: who is asked for timestamps.
    pub authorities: Vec<AuthoritySettings>,
    /// `[lint]`: how bad each rule of `greffe lint` is here.
    pub lint: LintSettings,
    /// `[policy]`: which packs hold, and what is declared.
    pub policy: PolicySettings,
    /// `[watch]`: what `greffe watch` looks at, and whom it tells.
    pub watch: WatchSettings,
    environment: Environment,
}

impl Settings {
    /// Reads the file `config`, else the one that `GREFFE_CONFIG` names, else `greffe.toml` in the current
    /// directory if there is one; then `environment`, then `overrides`.
    ///
    /// # Errors
    /// [`SettingsError::File`] when the file cannot be read, or was named and is not there;
    /// [`SettingsError::Invalid`] with every problem of file, environment and flags.
    pub fn load(
        config: Option<PathBuf>,
        environment: &Environment,
        overrides: Overrides,
    ) -> Result<Self, SettingsError> {
        load::load(config, environment, &overrides)
    }

    /// Names of the variables that hold secrets of greffe's own, as the settings name them.
    #[must_use]
    pub fn secret_variables(&self) -> Vec<String> {
        let sources = [
            self.key_source.as_ref().and_then(KeySource::text),
            self.key_passphrase.as_ref(),
            self.publish_key.as_ref(),
            self.node_key.as_ref(),
            self.swarm_key.as_ref(),
            Some(&self.vault_key),
            self.vault_passphrase.as_ref(),
            self.erasure_key.as_ref(),
        ];
        let also = self.key_also.iter().filter_map(KeySource::text);
        let sources = sources.into_iter().flatten().chain(also).chain(self.watch.secrets());
        let named = sources.filter_map(|source| match source {
            SecretSource::Variable(name) => Some(name.clone()),
            SecretSource::File(_) => None,
        });
        named.chain(["GREFFE_VAULT_URL".to_owned()]).collect()
    }

    /// Where programs find others: this process' `PATH`.
    #[must_use]
    pub fn program_path(&self) -> std::ffi::OsString {
        let path = self.environment.get("PATH").map(std::ffi::OsStr::to_owned);
        path.unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
    }

    /// Commit, job and pipeline, where a build system runs this program.
    #[must_use]
    pub fn ci(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        super::ci::of(&self.environment)
    }

    /// What environment and flags say for a settings file at `path` that is about to be made.
    ///
    /// # Errors
    /// [`SettingsError::Invalid`].
    pub fn before_file(
        path: &Path,
        environment: &Environment,
        overrides: &Overrides,
    ) -> Result<Self, SettingsError> {
        load::before_file(path, environment, overrides)
    }

    /// What holds when nothing is given, for a settings file in `folder`.
    fn defaults(folder: &Path, environment: &Environment) -> Self {
        Self {
            file: None,
            name: None,
            chain: None,
            migrations: folder.join("migrations"),
            database_url: None,
            database_name: None,
            foreign_keys: true,
            lock_timeout: None,
            statement_timeout: None,
            archive_directory: folder.join("archive"),
            key_source: None,
            key_also: Vec::new(),
            key_passphrase: None,
            actor_pseudonym: None,
            actor_role: "operator".to_owned(),
            allow_out_of_order: false,
            lock_wait: Duration::from_secs(30),
            fingerprint: true,
            trust: Vec::new(),
            time_tolerance: Duration::from_secs(5),
            replication_required: 0,
            replication_deadline: Duration::from_secs(60),
            approval_required: 0,
            approval_four_eyes: true,
            approval_replicated: false,
            approval_valid_for: Duration::from_secs(24 * 3600),
            promotion_from: None,
            promotion_file: None,
            promotion_rolled_back: false,
            promotion_replayed: false,
            promotion_replay_on: None,
            publish_key: None,
            node_key: None,
            swarm_key: None,
            publish: Publish::Sealed,
            publish_is_said: false,
            dpia: None,
            vault_url: DatabaseSource::sqlite(&folder.join("greffe.vault.db")),
            vault_key: SecretSource::File(folder.join("greffe.vault.key")),
            vault_passphrase: None,
            vault_retention: None,
            vault_backup_retention: Retention::days(30),
            vault_minimum: None,
            tool: None,
            tool_table: None,
            tool_apply: false,
            hooks_folder: folder.join("hooks"),
            hooks_environment: None,
            hooks_on_empty: false,
            hooks_time_limit: Duration::from_secs(60),
            hooks_folder_is_said: false,
            subject_map: folder.join("greffe.subject.yaml"),
            erasures: folder.join("greffe.erasures.age"),
            erasure_key: None,
            replicas: Vec::new(),
            witnesses: Vec::new(),
            authorities: Vec::new(),
            lint: LintSettings::default(),
            policy: PolicySettings::default(),
            watch: WatchSettings::beside(folder),
            environment: environment.clone(),
        }
    }

    /// The chain's name.
    ///
    /// # Errors
    /// [`SettingsError::Missing`].
    pub fn name(&self) -> Result<&ChainName, SettingsError> {
        self.name.as_ref().ok_or(missing(Id::Name))
    }

    /// The CID of manifest 0.
    ///
    /// # Errors
    /// [`SettingsError::Missing`].
    pub fn chain(&self) -> Result<Cid, SettingsError> {
        self.chain.ok_or(missing(Id::Chain))
    }

    /// How events call the database: its own name, else the chain's.
    ///
    /// # Errors
    /// [`SettingsError::Missing`] when neither is given.
    pub fn database_name(&self) -> Result<&str, SettingsError> {
        match &self.database_name {
            Some(name) => Ok(name),
            None => self.name.as_ref().map(ChainName::as_str).ok_or(missing(Id::DatabaseName)),
        }
    }

    /// The pseudonym of who acts.
    ///
    /// # Errors
    /// [`SettingsError::Missing`].
    pub fn actor_pseudonym(&self) -> Result<Pseudonym, SettingsError> {
        self.actor_pseudonym.ok_or(missing(Id::ActorPseudonym))
    }

    /// The database's URL, read from the variable or the first line of the file where it is.
    ///
    /// # Errors
    /// [`SettingsError::Missing`]; [`SettingsError::Source`] when there is no URL where it should be.
    pub fn database_url(&self) -> Result<DatabaseUrl, SettingsError> {
        let source = self.database_url.as_ref().ok_or(missing(Id::DatabaseUrl))?;
        self.url_of(Id::DatabaseUrl, source)
    }

    /// The vault's URL, read from the variable or the first line of the file where it is.
    ///
    /// # Errors
    /// [`SettingsError::Source`] when there is no URL where it should be.
    pub fn vault_url(&self) -> Result<DatabaseUrl, SettingsError> {
        self.url_of(Id::VaultUrl, &self.vault_url)
    }

    fn url_of(&self, id: Id, source: &DatabaseSource) -> Result<DatabaseUrl, SettingsError> {
        let url = match source {
            DatabaseSource::Url(url) => Ok(url.clone()),
            DatabaseSource::Variable(name) => self
                .variable(name)
                .and_then(|text| DatabaseUrl::parse(text.expose().trim()).ok_or(SourceError::NotUrl)),
            DatabaseSource::File { path, base } => {
                read_text(path).map_err(SourceError::File).and_then(|text| {
                    let line = text
                        .expose()
                        .trim_start_matches('\u{feff}')
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .trim();
                    if line.is_empty() {
                        return Err(SourceError::FileEmpty);
                    }
                    DatabaseUrl::parse(line).and_then(|url| url.relative_to(base)).ok_or(SourceError::NotUrl)
                })
            }
        };
        url.map_err(|reason| unusable(id, source, reason))
    }

    /// The private key's text, PEM or OpenSSH, as it stands in its variable or file.
    ///
    /// # Errors
    /// [`SettingsError::Missing`]; [`SettingsError::Source`] when there is no text where it should be.
    pub fn key_text(&self) -> Result<Secret, SettingsError> {
        match &self.key_source {
            Some(source @ KeySource::Agent(_)) => Err(unusable(Id::KeySource, source, SourceError::Agent)),
            source => self.text_of(Id::KeySource, source.as_ref().and_then(KeySource::text)),
        }
    }

    /// Where the SSH agent listens.
    #[must_use]
    pub fn agent_socket(&self) -> Option<PathBuf> {
        self.environment.get("SSH_AUTH_SOCK").map(PathBuf::from)
    }

    /// The text of the IPNS name's private key.
    ///
    /// # Errors
    /// As [`Settings::key_text`].
    pub fn publish_key_text(&self) -> Result<Secret, SettingsError> {
        self.text_of(Id::PublishKey, self.publish_key.as_ref())
    }

    /// The text of the private key by which peers know this machine.
    ///
    /// # Errors
    /// As [`Settings::key_text`].
    #[cfg(feature = "bitswap")]
    pub fn node_key_text(&self) -> Result<Secret, SettingsError> {
        self.text_of(Id::NodeKey, self.node_key.as_ref())
    }

    /// The text of a private network's key; `None` where there is no such network.
    ///
    /// # Errors
    /// [`SettingsError::Source`] when there is no text where it should be.
    #[cfg(feature = "bitswap")]
    pub fn swarm_key_text(&self) -> Result<Option<Secret>, SettingsError> {
        let source = self.swarm_key.as_ref();
        source.map(|source| self.text_of(Id::NodeSwarmKey, Some(source))).transpose()
    }

    /// The text of the vault owner's identity.
    ///
    /// # Errors
    /// [`SettingsError::Source`] when there is no text where it should be.
    pub fn vault_key_text(&self) -> Result<Secret, SettingsError> {
        self.text_of(Id::VaultKey, Some(&self.vault_key))
    }

    /// Whether something is where the vault owner's identity should be.
    #[must_use]
    pub fn has_vault_key(&self) -> bool {
        match &self.vault_key {
            SecretSource::Variable(name) => self.environment.get(name).is_some(),
            SecretSource::File(path) => path.symlink_metadata().is_ok(),
        }
    }

    /// The passphrase of the vault owner's identity: its own, else that of the signing key.
    ///
    /// # Errors
    /// As [`Settings::passphrase`].
    pub fn vault_passphrase(&self) -> Result<Option<Secret>, SettingsError> {
        let Some(source) = &self.vault_passphrase else { return self.passphrase() };
        match self.secret(source) {
            Ok(secret) => Ok(Some(secret)),
            Err(SourceError::VariableUnset) => self.passphrase(),
            Err(reason) => Err(unusable(Id::VaultPassphrase, source, reason)),
        }
    }

    /// Whether anybody said what is published.
    #[must_use]
    pub fn says_publish(&self) -> bool {
        self.publish_is_said
    }

    /// The text of the key of the list of erasures.
    ///
    /// # Errors
    /// As [`Settings::key_text`].
    pub fn erasure_key_text(&self) -> Result<Secret, SettingsError> {
        self.text_of(Id::ErasureKey, self.erasure_key.as_ref())
    }

    fn text_of(&self, id: Id, source: Option<&SecretSource>) -> Result<Secret, SettingsError> {
        let source = source.ok_or(missing(id))?;
        self.secret(source).map_err(|reason| unusable(id, source, reason))
    }

    /// The key's passphrase. `None` when no place is given for it or its variable is not set, so that the
    /// terminal may be asked.
    ///
    /// # Errors
    /// [`SettingsError::Source`] when the variable or the file is there and cannot be read.
    pub fn passphrase(&self) -> Result<Option<Secret>, SettingsError> {
        let Some(source) = &self.key_passphrase else { return Ok(None) };
        match self.secret(source) {
            Ok(secret) => Ok(Some(secret)),
            Err(SourceError::VariableUnset) => Ok(None),
            Err(reason) => Err(unusable(Id::KeyPassphrase, source, reason)),
        }
    }

    /// What a source holds.
    ///
    /// # Errors
    /// [`SourceError`] when there is nothing where it should be.
    pub fn secret(&self, source: &SecretSource) -> Result<Secret, SourceError> {
        match source {
            SecretSource::Variable(name) => self.variable(name),
            SecretSource::File(path) => {
                let text = read_text(path).map_err(SourceError::File)?;
                let text = strip_newline(text.expose());
                if text.is_empty() { Err(SourceError::FileEmpty) } else { Ok(text.into()) }
            }
        }
    }

    fn variable(&self, name: &str) -> Result<Secret, SourceError> {
        let value = self.environment.get(name).ok_or(SourceError::VariableUnset)?;
        value.to_str().map(Secret::from).ok_or(SourceError::VariableNotUnicode)
    }
}

fn missing(id: Id) -> SettingsError {
    SettingsError::Missing(Key::of(id))
}

fn unusable(id: Id, source: &impl ToString, reason: SourceError) -> SettingsError {
    SettingsError::Source { key: Key::of(id), source_text: source.to_string(), reason }
}
