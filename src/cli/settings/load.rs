//! Puts the layers over each other: file, environment, flags, lowest first. Every value of every layer is
//! judged, also one that a higher layer replaces, and all problems are collected.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::{
    Environment, Overrides, Settings, SettingsError, authorities,
    database_url::{DatabaseSource, DatabaseUrl},
    error::{Place, Problem, Reason, printable},
    file,
    key_source::KeySource,
    keys::{CONFIG_VARIABLE, Id, KEY_VARIABLE, KEYS, Key, Kind, VAULT_KEY_VARIABLE},
    nearest, replicas,
    secret::{ReadError, SecretSource, read_text},
    value::Given,
    witnesses,
};

/// Where settings are looked for when nobody says where; never in a folder above.
const FILE_NAME: &str = "greffe.toml";

pub(super) fn load(
    config: Option<PathBuf>,
    environment: &Environment,
    overrides: &Overrides,
) -> Result<Settings, SettingsError> {
    let named = config.or_else(|| environment.get(CONFIG_VARIABLE).map(PathBuf::from));
    let is_named = named.is_some();
    let path = named.unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut loader = Loader::new(&folder, environment);
    match read_text(&path) {
        Ok(text) => loader.read_file(path, &folder, text.expose()),
        Err(ReadError::Absent) if !is_named => {}
        Err(reason) => return Err(SettingsError::File { path, reason }),
    }
    loader.finish(overrides)
}

/// What holds for a settings file at `path` that is not there yet.
pub(super) fn before_file(
    path: &Path,
    environment: &Environment,
    overrides: &Overrides,
) -> Result<Settings, SettingsError> {
    let loader = Loader::new(path.parent().unwrap_or(Path::new("")), environment);
    loader.finish(overrides)
}

struct Loader<'a> {
    settings: Settings,
    environment: &'a Environment,
    /// Variables that a source names: whoever writes `env:GREFFE_OURS` may set it.
    named: Vec<String>,
    problems: Vec<Problem>,
}

impl<'a> Loader<'a> {
    fn new(folder: &Path, environment: &'a Environment) -> Self {
        Self {
            settings: Settings::defaults(folder, environment),
            environment,
            named: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Reads environment and flags over what the file said.
    fn finish(mut self, overrides: &Overrides) -> Result<Settings, SettingsError> {
        self.read_variables();
        self.read_flags(overrides);
        self.refuse_unknown_variables();
        if self.problems.is_empty() { Ok(self.settings) } else { Err(SettingsError::Invalid(self.problems)) }
    }

    fn read_file(&mut self, path: PathBuf, folder: &Path, text: &str) {
        let file::Read { entries, lists, problems, lint, policy, watch } = file::read(&path, text);
        self.problems = problems;
        (self.settings.lint, self.settings.policy) = (lint, policy);
        if let Some(watch) = watch {
            self.settings.watch = watch.settings;
            self.named.extend(watch.named);
        }
        let (replicas, others): (Vec<_>, Vec<_>) =
            lists.into_iter().partition(|written| written.table == replicas::TABLE);
        let (witnesses, authorities) =
            others.into_iter().partition(|written| written.table == witnesses::TABLE);
        self.settings.authorities =
            authorities::resolve(authorities, folder, &mut self.named, &mut self.problems);
        self.settings.replicas = replicas::resolve(replicas, folder, &mut self.named, &mut self.problems);
        self.settings.witnesses = witnesses::resolve(witnesses, &mut self.problems);
        for entry in entries {
            let password = is_url(entry.key.id) && has_password(&entry.given);
            let allowed = if password { Err(Reason::PasswordInFile) } else { Ok(()) };
            let read = allowed.and_then(|()| self.assign(entry.key, &entry.given, folder));
            self.note(entry.place, read);
        }
        self.problems.sort_by_key(|problem| match problem.place {
            Place::File { line, .. } => line,
            _ => usize::MAX,
        });
        self.settings.file = Some(path);
    }

    fn read_variables(&mut self) {
        for key in &KEYS {
            let Some(value) = self.environment.get(key.variable) else { continue };
            let read = if key.id == Id::KeyPassphrase {
                // A variable that holds the secret itself, as the next one does.
                self.settings.key_passphrase = Some(SecretSource::Variable(key.variable.to_owned()));
                Ok(())
            } else if key.id == Id::VaultPassphrase {
                self.settings.vault_passphrase = Some(SecretSource::Variable(key.variable.to_owned()));
                Ok(())
            } else {
                given(key.kind, value).and_then(|given| self.assign(key, &given, Path::new("")))
            };
            self.note(Place::Variable(key.variable.to_owned()), read);
        }
        let source = Key::of(Id::KeySource).variable;
        if self.environment.get(KEY_VARIABLE).is_some() && self.environment.get(source).is_none() {
            let source = SecretSource::Variable(KEY_VARIABLE.to_owned());
            self.settings.key_source = Some(KeySource::Text(source));
        }
        let source = Key::of(Id::VaultKey).variable;
        if self.environment.get(VAULT_KEY_VARIABLE).is_some() && self.environment.get(source).is_none() {
            self.settings.vault_key = SecretSource::Variable(VAULT_KEY_VARIABLE.to_owned());
        }
    }

    fn read_flags(&mut self, overrides: &Overrides) {
        for key in &KEYS {
            let Some(given) = overrides.given(key.id) else { continue };
            let password = is_url(key.id) && has_password(&given);
            let allowed = if password { Err(Reason::PasswordInArguments) } else { Ok(()) };
            let read = allowed.and_then(|()| self.assign(key, &given, Path::new("")));
            self.note(Place::Flag(key.flag), read);
        }
    }

    fn refuse_unknown_variables(&mut self) {
        for name in self.environment.names() {
            // A name that is not Unicode can only begin like one of ours.
            let name = name.to_string_lossy();
            let ours = name.starts_with("GREFFE_") || name == "GREFFE";
            if ours && !nearest::is_variable(&name) && !self.named.iter().any(|named| *named == name) {
                let reason = Reason::UnknownVariable { nearest: nearest::nearest_variable(&name) };
                self.problems.push(Problem { place: Place::Variable(printable(&name)), reason });
            }
        }
    }

    fn note(&mut self, place: Place, read: Result<(), Reason>) {
        if let Err(reason) = read {
            self.problems.push(Problem { place, reason });
        }
    }

    fn assign(&mut self, key: &'static Key, given: &Given, base: &Path) -> Result<(), Reason> {
        let kind = key.kind;
        match key.id {
            Id::Name => self.settings.name = Some(given.parse(kind)?),
            Id::Chain => self.settings.chain = Some(given.manifest(kind)?),
            Id::Migrations => self.settings.migrations = given.path(kind, base)?,
            Id::DatabaseUrl => self.settings.database_url = Some(self.database_source(given, base)?),
            Id::DatabaseName => self.settings.database_name = Some(given.label(kind)?),
            Id::ForeignKeys => self.settings.foreign_keys = given.boolean(kind)?,
            Id::LockTimeout => self.settings.lock_timeout = Some(given.duration(kind)?),
            Id::StatementTimeout => self.settings.statement_timeout = Some(given.duration(kind)?),
            Id::ArchiveDirectory => self.settings.archive_directory = given.path(kind, base)?,
            Id::KeySource => self.settings.key_source = Some(self.key_source(given, base)?),
            Id::KeyAlso => self.settings.key_also = self.key_sources(given, base)?,
            Id::KeyPassphrase => self.settings.key_passphrase = Some(self.secret_source(given, base)?),
            Id::ActorPseudonym => self.settings.actor_pseudonym = Some(given.parse(kind)?),
            Id::ActorRole => self.settings.actor_role = given.label(kind)?,
            Id::AllowOutOfOrder => self.settings.allow_out_of_order = given.boolean(kind)?,
            Id::LockWait => self.settings.lock_wait = given.duration(kind)?,
            Id::Fingerprint => self.settings.fingerprint = given.boolean(kind)?,
            Id::VerifyTrust => self.settings.trust = given.list(kind)?,
            Id::TimeTolerance => self.settings.time_tolerance = given.duration(kind)?,
            Id::ReplicationRequired => self.settings.replication_required = given.count(kind)?,
            Id::ReplicationDeadline => self.settings.replication_deadline = given.duration(kind)?,
            Id::ApprovalRequired => self.settings.approval_required = given.count(kind)?,
            Id::ApprovalFourEyes => self.settings.approval_four_eyes = given.boolean(kind)?,
            Id::ApprovalReplicated => self.settings.approval_replicated = given.boolean(kind)?,
            Id::ApprovalValidFor => self.settings.approval_valid_for = given.duration(kind)?,
            Id::PromotionFrom => self.settings.promotion_from = Some(given.manifest(kind)?),
            Id::PromotionFile => self.settings.promotion_file = Some(given.path(kind, base)?),
            Id::PromotionRolledBack => self.settings.promotion_rolled_back = given.boolean(kind)?,
            Id::PromotionReplayed => self.settings.promotion_replayed = given.boolean(kind)?,
            Id::PromotionReplayOn => {
                self.settings.promotion_replay_on = Some(self.database_source(given, base)?);
            }
            Id::PublishKey => self.settings.publish_key = Some(self.secret_source(given, base)?),
            Id::NodeKey => self.settings.node_key = Some(self.secret_source(given, base)?),
            Id::NodeSwarmKey => self.settings.swarm_key = Some(self.secret_source(given, base)?),
            Id::PrivacyPublish => {
                self.settings.publish = given.parse(kind)?;
                self.settings.publish_is_said = true;
            }
            Id::Dpia => self.settings.dpia = Some(given.label(kind)?),
            Id::VaultUrl => self.settings.vault_url = self.database_source(given, base)?,
            Id::VaultKey => self.settings.vault_key = self.secret_source(given, base)?,
            Id::VaultPassphrase => self.settings.vault_passphrase = Some(self.secret_source(given, base)?),
            Id::VaultRetention => self.settings.vault_retention = Some(given.retention(kind)?),
            Id::VaultMinimum => self.settings.vault_minimum = Some(given.retention(kind)?),
            Id::ToolName => self.settings.tool = Some(given.label(kind)?),
            Id::ToolTable => self.settings.tool_table = Some(given.label(kind)?),
            Id::ToolApply => self.settings.tool_apply = given.boolean(kind)?,
            Id::HooksFolder => {
                self.settings.hooks_folder = given.path(kind, base)?;
                self.settings.hooks_folder_is_said = true;
            }
            Id::HooksEnvironment => self.settings.hooks_environment = Some(given.label(kind)?),
            Id::HooksOnEmpty => self.settings.hooks_on_empty = given.boolean(kind)?,
            Id::HooksTimeLimit => self.settings.hooks_time_limit = given.duration(kind)?,
            Id::VaultBackupRetention => self.settings.vault_backup_retention = given.retention(kind)?,
            Id::SubjectMap => self.settings.subject_map = given.path(kind, base)?,
            Id::Erasures => self.settings.erasures = given.path(kind, base)?,
            Id::ErasureKey => self.settings.erasure_key = Some(self.secret_source(given, base)?),
        }
        Ok(())
    }

    fn secret_source(&mut self, given: &Given, base: &Path) -> Result<SecretSource, Reason> {
        let source = given.parse_with(Kind::SecretSource, |text| SecretSource::parse(text, base))?;
        if let SecretSource::Variable(name) = &source {
            self.named.push(name.clone());
        }
        Ok(source)
    }

    fn key_source(&mut self, given: &Given, base: &Path) -> Result<KeySource, Reason> {
        let source = given.parse_with(Kind::KeySource, |text| KeySource::parse(text, base))?;
        if let KeySource::Text(SecretSource::Variable(name)) = &source {
            self.named.push(name.clone());
        }
        Ok(source)
    }

    fn key_sources(&mut self, given: &Given, base: &Path) -> Result<Vec<KeySource>, Reason> {
        let kind = Kind::KeySources;
        let sources = given.each(kind, |text| KeySource::parse(text, base))?;
        let texts = sources.iter().filter_map(KeySource::text);
        self.named.extend(texts.filter_map(|source| match source {
            SecretSource::Variable(name) => Some(name.clone()),
            SecretSource::File(_) => None,
        }));
        Ok(sources)
    }

    fn database_source(&mut self, given: &Given, base: &Path) -> Result<DatabaseSource, Reason> {
        let parse =
            |base: &Path| given.parse_with(Kind::DatabaseUrl, |text| DatabaseSource::parse(text, base));
        let source = parse(base).or_else(|reason| {
            // Sound by itself: then only the folder's name stands in the way.
            parse(Path::new("")).map_or(Err(reason), |_| Err(Reason::FolderNotUnicode))
        })?;
        if let DatabaseSource::Variable(name) = &source {
            self.named.push(name.clone());
        }
        Ok(source)
    }
}

fn is_url(id: Id) -> bool {
    matches!(id, Id::DatabaseUrl | Id::VaultUrl)
}

fn has_password(given: &Given) -> bool {
    let text = given.text(Kind::DatabaseUrl).unwrap_or_default();
    SecretSource::parse(text, Path::new("")).is_none()
        && DatabaseUrl::parse(text).is_some_and(|url| url.has_password())
}

/// The value of a variable in the shape of its key's kind.
fn given(kind: Kind, value: &OsStr) -> Result<Given, Reason> {
    if kind == Kind::Path {
        return Ok(Given::Path(value.to_owned()));
    }
    let text = value.to_str().ok_or(Reason::NotUnicode { kind })?;
    Ok(match kind {
        Kind::Anchors | Kind::KeySources => {
            Given::List(text.split(',').map(|part| part.trim().into()).collect())
        }
        _ => Given::Text(text.into()),
    })
}
