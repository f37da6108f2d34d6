//! What commands share: settings, the database, the key, progress.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::agent::{AgentKey, Wanted};
use super::error::CliError;
use super::modes::{look_at_source, look_at_vault};
pub use super::owner::{open_owner, owner};
use super::places::require_apart;
use super::processes::Processes;
use super::progress::Progress;
use super::settings::{
    Anchor as SettingsAnchor, DatabaseSource, DatabaseUrl, Environment, KeySource, Overrides,
    ReplicaSettings, Secret, SecretSource, Settings, SettingsError,
};
use crate::chain::{Anchor, Options as VerifyOptions};
use crate::crypto::{
    KeyTextError, PrivateKey, Signer, Together, is_public_key, parse_private_key, parse_public_key,
};
use crate::database::{Access, Database, DatabaseError, Options, Scratch};
use crate::model::{Actor, Engine, EventId, PlanPolicy};
use crate::ops::hooks::HookSettings;
use crate::ops::kept::{KeptTool, table_named};
use crate::ops::{ChainReader, KeyUnavailable, OpenKey, OpsError, Project, PromotionPolicy, VaultPlace};
use crate::privacy::publish::found_in;
use crate::scripts::tools::plain::PLAIN;
use crate::store::remote::{AnyReplica, NamedReplica, Origins, Patience};

/// What every command gets.
#[derive(Clone)]
pub struct Context {
    /// The settings file that was named.
    pub config: Option<std::path::PathBuf>,
    /// What flags say.
    pub overrides: Overrides,
    pub environment: Environment,
    pub quiet: bool,
    pub json: bool,
}

impl Context {
    /// The settings; read when a command asks for them.
    pub fn settings(&self) -> Result<Settings, CliError> {
        Ok(Settings::load(self.config.clone(), &self.environment, self.overrides.clone())?)
    }

    /// What flags and environment say, for a settings file that is about to be made.
    pub fn settings_without_file(&self) -> Result<Settings, CliError> {
        Ok(Settings::before_file(&self.settings_file(), &self.environment, &self.overrides)?)
    }

    /// Where the settings file is, or would be.
    pub fn settings_file(&self) -> std::path::PathBuf {
        let variable = || self.environment.get("GREFFE_CONFIG").map(std::path::PathBuf::from);
        self.config.clone().or_else(variable).unwrap_or_else(|| "greffe.toml".into())
    }

    /// The archive, to read.
    pub fn reader(&self) -> Result<ChainReader, CliError> {
        let settings = self.settings()?;
        let reader = ChainReader::open(&settings.archive_directory, settings.name()?)?;
        reader.require_end()?;
        Ok(reader)
    }

    /// Reports long work on standard error, where that is a terminal.
    pub fn progress(&self) -> Progress {
        Progress::new(!self.quiet && std::io::stderr().is_terminal())
    }
}

/// What the use cases need to know of the project.
pub fn project(settings: &Settings) -> Result<Project, CliError> {
    let url = settings.database_url()?;
    let Some(engine) = Database::engine(url.expose()) else {
        return Err(CliError::usage(format!("{url}: greffe speaks to no such database"))
            .hint("write it like `sqlite:app.db`, `postgres://user@host/name` or `mysql://user@host/name`"));
    };
    require_plain(settings)?;
    Ok(Project {
        name: settings.name()?.clone(),
        chain: settings.chain,
        migrations: settings.migrations.clone(),
        tool: kept_tool(settings)?,
        dialect: engine.into(),
        database_name: settings.database_name()?.to_owned(),
        fingerprint: settings.fingerprint,
        archive: settings.archive_directory.clone(),
        actor: actor(settings)?,
        ci: settings.ci(),
        lock_wait: settings.lock_wait,
        publish: settings.publish,
        approval: approval(settings),
        promotion: promotion(settings)?,
        vault: vault_place(settings)?,
        policy: super::policy::wanted(settings),
        owner: owner(settings),
        hooks: hook_settings(settings),
    })
}

/// Where hooks are, and how they are asked.
pub fn hook_settings(settings: &Settings) -> HookSettings {
    HookSettings {
        folder: settings.hooks_folder.clone(),
        is_named: settings.hooks_folder_is_said,
        on_empty: settings.hooks_on_empty,
        environment: settings.hooks_environment.clone().or_else(|| settings.policy.environment.clone()),
        sectors: settings.policy.sectors.clone(),
        time: settings.hooks_time_limit,
        path: settings.program_path(),
        programs: Arc::new(Processes),
    }
}

/// What the settings ask for before scripts run.
fn approval(settings: &Settings) -> PlanPolicy {
    let approvals = u32::try_from(settings.approval_required).unwrap_or(u32::MAX);
    let (four_eyes, replicated) = (settings.approval_four_eyes, settings.approval_replicated);
    PlanPolicy { approvals, four_eyes, replicated }
}

/// The staging chain, where the settings name one.
fn promotion(settings: &Settings) -> Result<Option<PromotionPolicy>, CliError> {
    let file = settings.promotion_file.clone();
    let Some(from) = settings.promotion_from else {
        if file.is_some() || settings.promotion_rolled_back || settings.promotion_replayed {
            return Err(CliError::usage("which chain migrations are promoted from is not said")
                .hint("set `promotion.from` to the CID of manifest 0 of the staging chain"));
        }
        return Ok(None);
    };
    Ok(Some(PromotionPolicy { from, file, rolled_back: settings.promotion_rolled_back, up_to: None }))
}

/// The tool for which greffe applies, where the settings say so.
fn kept_tool(settings: &Settings) -> Result<Option<KeptTool>, CliError> {
    match (&settings.tool, settings.tool_apply) {
        (_, false) => Ok(None),
        (Some(name), true) => {
            let table = table_named(settings.tool_table.as_deref());
            Ok(Some(KeptTool::named(name, table).map_err(OpsError::from)?))
        }
        (None, true) => Err(CliError::usage("`tool.apply` is set and no tool is named")
            .hint(format!("set `tool.name` to one of {}", PLAIN.join(", ")))),
    }
}

/// Refuses settings that every event repeats when they say something of a person or hold a secret, before anything runs
/// that could not be archived then.
fn require_plain(settings: &Settings) -> Result<(), CliError> {
    let name = settings.database_name.as_deref().unwrap_or_default();
    let environment = settings.hooks_environment.as_deref().unwrap_or_default();
    for (key, text) in
        [("database.name", name), ("actor.role", &settings.actor_role), ("hooks.environment", environment)]
    {
        if let Some(rule) = found_in(text) {
            return Err(CliError::usage(format!("`{key}` holds what is never published: {rule}")).hint(
                format!("write another `{key}`, a word without a name or number; every event repeats it"),
            ));
        }
    }
    Ok(())
}

/// Where the vault is.
pub fn vault_place(settings: &Settings) -> Result<VaultPlace, CliError> {
    let url = settings.vault_url()?;
    look_at_vault(url.expose());
    Ok(VaultPlace { url: Zeroizing::new(url.expose().to_owned()), shown: url.to_string() })
}

/// Who acts.
pub fn actor(settings: &Settings) -> Result<Actor, CliError> {
    Ok(Actor { pseudonym: settings.actor_pseudonym()?, role: settings.actor_role.clone() })
}

/// The database, to change.
pub async fn open_database(settings: &Settings) -> Result<Database, CliError> {
    let url = settings.database_url()?;
    Ok(Database::open(url.expose(), options(settings, Access::Write)).await.map_err(OpsError::from)?)
}

/// The database, to look at; `None` when there is none yet.
pub async fn look_at_database(settings: &Settings) -> Result<Option<Database>, CliError> {
    let url = settings.database_url()?;
    match Database::open(url.expose(), options(settings, Access::Read)).await {
        Ok(database) => Ok(Some(database)),
        Err(DatabaseError::Missing(_)) => Ok(None),
        Err(error) => Err(OpsError::from(error).into()),
    }
}

/// Whether sessions of the database may say for which run they begin.
pub async fn takes_run(settings: &Settings, run: EventId) -> bool {
    let Ok(url) = settings.database_url() else { return false };
    Database::takes_run(url.expose(), options(settings, Access::Read), run).await
}

/// An empty database to try scripts on: where `on`, a URL or what refers to one, says.
pub async fn scratch(settings: &Settings, engine: Engine, on: Option<&Secret>) -> Result<Scratch, CliError> {
    let resolve = |on: &Secret| {
        let source = DatabaseSource::parse(on.expose(), Path::new(""));
        let source = source.ok_or_else(|| {
            CliError::usage("`--on` is not a database URL (not shown here)")
                .hint("write it like `postgres://user@host/name`, or `env:NAME`, or `file:PATH`")
        })?;
        if let DatabaseSource::Url(url) = &source
            && url.has_password()
        {
            return Err(CliError::usage(
                "`--on` holds a password, which every user of this machine could read",
            )
            .hint("write `--on env:NAME` and set that variable"));
        }
        let mut other = settings.clone();
        other.database_url = Some(source);
        other.database_url().map_err(|error| match error {
            SettingsError::Source { source_text, reason, .. } => {
                CliError::usage(format!("`--on` is `{source_text}`, but {reason}"))
            }
            other => other.into(),
        })
    };
    let url = on.map(resolve).transpose()?;
    let options = options(settings, Access::Write);
    let scratch = Scratch::create(engine, url.as_ref().map(DatabaseUrl::expose), options).await;
    Ok(scratch.map_err(OpsError::from)?)
}

fn options(settings: &Settings, access: Access) -> Options {
    Options {
        access,
        foreign_keys: settings.foreign_keys,
        busy_timeout: settings.lock_wait.max(Duration::from_millis(100)),
        lock_timeout: settings.lock_timeout,
        statement_timeout: settings.statement_timeout,
    }
}

/// The replicas of the settings; nothing is asked of them yet.
pub fn replicas(settings: &Settings) -> Result<Vec<NamedReplica>, CliError> {
    require_apart(settings)?;
    let open = |replica: &ReplicaSettings| {
        let failed = |error: String| CliError::usage(format!("replica {}: {error}", replica.name));
        let authorization = replica.authorization(settings).map_err(|error| {
            let source = replica.authorization.as_ref().map(ToString::to_string).unwrap_or_default();
            failed(format!("`authorization` is `{source}`, but {error}"))
                .hint("set it to `bearer:TOKEN` or `basic:USER:PASSWORD`")
        })?;
        let patience = Patience { request: replica.timeout, total: settings.replication_deadline };
        let (name, url) = (replica.name.clone(), replica.url.clone());
        let replica = AnyReplica::new(&url, authorization, patience);
        Ok(NamedReplica { name, url, replica: replica.map_err(|error| failed(error.to_string()))? })
    };
    let open_all = || settings.replicas.iter().map(open).collect::<Result<Vec<_>, CliError>>();
    let mut opened = open_all()?;
    for (replica, written) in opened.iter_mut().zip(&settings.replicas) {
        if !replica.replica.fetches() {
            continue;
        }
        let origins = match &written.origins {
            Some(origins) => Origins::Named(origins.clone()),
            None => {
                let others = open_all()?.into_iter();
                Origins::Nodes(others.filter_map(|other| other.replica.into_kubo()).collect())
            }
        };
        replica.replica.set_origins(origins);
    }
    Ok(opened)
}

/// The signing key, opened when it is needed.
pub fn key(settings: &Settings) -> OpenKey {
    let settings = settings.clone();
    Box::new(move || open_signer(&settings))
}

/// Who signs with the signing key, and with those beside it where there are any.
pub fn open_signer(settings: &Settings) -> Result<Arc<dyn Signer>, KeyUnavailable> {
    let first = match &settings.key_source {
        Some(KeySource::Agent(name)) => open_agent_key(settings, &Wanted::Named(name))?,
        source => {
            let place = source.as_ref().and_then(KeySource::text);
            open_signer_text(settings, &key_text(settings)?, "signing key", place)?
        }
    };
    if settings.key_also.is_empty() {
        return Ok(first);
    }
    let others = settings.key_also.iter().map(|source| match source {
        KeySource::Agent(name) => open_agent_key(settings, &Wanted::Named(name)),
        KeySource::Text(place) => {
            let what = "further signing key";
            let text = settings.secret(place).map_err(|error| KeyUnavailable {
                message: format!("the {what} is `{place}`, but {error}"),
                hint: "name the places of further keys as `key.also`, or leave them out".to_owned(),
            })?;
            open_signer_text(settings, &text, what, Some(place))
        }
    });
    Ok(Arc::new(Together::new(first, others.collect::<Result<_, _>>()?)))
}

fn open_agent_key(settings: &Settings, wanted: &Wanted<'_>) -> Result<Arc<dyn Signer>, KeyUnavailable> {
    Ok(Arc::new(AgentKey::open(settings.agent_socket().as_deref(), wanted)?))
}

/// Who signs with the key of this text, or with the one of an agent whose public half it is.
fn open_signer_text(
    settings: &Settings,
    text: &Secret,
    what: &str,
    place: Option<&SecretSource>,
) -> Result<Arc<dyn Signer>, KeyUnavailable> {
    if is_public_key(text.expose()) {
        let public = parse_public_key(text.expose()).map_err(|error| KeyUnavailable {
            message: format!("the {what} cannot be used: {error}"),
            hint: "name a key of type ssh-ed25519, such as `ssh-keygen -t ed25519` makes".to_owned(),
        })?;
        return open_agent_key(settings, &Wanted::Public(&public));
    }
    look_at_source(what, place);
    Ok(Arc::new(open_text(settings, text, what)?))
}

/// Warns when others may use the file of the private key.
fn look_at_key(settings: &Settings) {
    look_at_source("signing key", settings.key_source.as_ref().and_then(KeySource::text));
}

fn key_text(settings: &Settings) -> Result<Secret, KeyUnavailable> {
    settings.key_text().map_err(|error| KeyUnavailable {
        message: error.to_string(),
        hint: "run `greffe key generate --out FILE`, or set GREFFE_KEY to the key's text".to_owned(),
    })
}

/// The private signing key itself, where it is at hand.
pub fn open_key(settings: &Settings) -> Result<PrivateKey, KeyUnavailable> {
    look_at_key(settings);
    let text = key_text(settings)?;
    open_text(settings, &text, "signing key")
}

/// The key of the IPNS name.
pub fn open_publish_key(settings: &Settings) -> Result<PrivateKey, KeyUnavailable> {
    let text = settings.publish_key_text().map_err(|error| KeyUnavailable {
        message: error.to_string(),
        hint:
            "run `greffe key generate --out greffe.ipns.pem`, and set `publish.key` to `file:greffe.ipns.pem`"
                .to_owned(),
    })?;
    open_text(settings, &text, "key of the IPNS name")
}

/// The key by which peers know this machine.
#[cfg(feature = "bitswap")]
pub fn open_node_key(settings: &Settings) -> Result<PrivateKey, KeyUnavailable> {
    let text = settings.node_key_text().map_err(|error| KeyUnavailable {
        message: error.to_string(),
        hint: "run `greffe key generate --out greffe.node.pem`, and set `node.key` to `file:greffe.node.pem`"
            .to_owned(),
    })?;
    open_text(settings, &text, "key of the node")
}

/// The key that a source holds.
pub fn open_source(
    settings: &Settings,
    source: &SecretSource,
    what: &str,
) -> Result<PrivateKey, KeyUnavailable> {
    look_at_source(what, Some(source));
    let text = settings.secret(source).map_err(|error| KeyUnavailable {
        message: format!("the {what} is `{source}`, but {error}"),
        hint: "name the place where it is: `file:PATH` or `env:NAME`".to_owned(),
    })?;
    open_text(settings, &text, what)
}

fn open_text(settings: &Settings, text: &Secret, what: &str) -> Result<PrivateKey, KeyUnavailable> {
    let unavailable = |message: String, hint: &str| KeyUnavailable { message, hint: hint.to_owned() };
    let mut parsed = parse_private_key(text.expose(), None);
    if matches!(parsed, Err(KeyTextError::PassphraseNeeded)) {
        let asked = passphrase(settings, false)?;
        parsed = parse_private_key(text.expose(), asked.as_ref().map(|passphrase| passphrase.as_str()));
    }
    parsed.map_err(|error| {
        let hint = match error {
            KeyTextError::PassphraseNeeded | KeyTextError::WrongPassphrase => {
                "set GREFFE_KEY_PASSPHRASE to the key's passphrase"
            }
            _ => "give an Ed25519 key as PKCS#8 PEM or in OpenSSH's form",
        };
        unavailable(format!("the {what} cannot be opened: {error}"), hint)
    })
}

/// The passphrase from the settings, else from the terminal, `twice` for a new key; `None` without either.
pub fn passphrase(settings: &Settings, twice: bool) -> Result<Option<Zeroizing<String>>, KeyUnavailable> {
    let failed = |message: String| KeyUnavailable { message, hint: "set GREFFE_KEY_PASSPHRASE".to_owned() };
    if let Some(secret) = settings.passphrase().map_err(|error| failed(error.to_string()))? {
        return Ok(Some(Zeroizing::new(secret.expose().to_owned())));
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt)
            .map(Zeroizing::new)
            .map_err(|error| failed(format!("no passphrase: {error}")))
    };
    let first = ask("Passphrase of the signing key: ")?;
    if twice && *first != *ask("Once more: ")? {
        return Err(failed("the two passphrases differ".to_owned()));
    }
    Ok(Some(first))
}

/// How to verify: anchors from settings, and those that must be met.
pub fn verify_options(settings: &Settings, required: &[SettingsAnchor]) -> VerifyOptions {
    let anchor = |anchor: &SettingsAnchor| match anchor {
        SettingsAnchor::Key(id) => Anchor::RootKey(*id),
        SettingsAnchor::Block(cid) => Anchor::Chain(*cid),
    };
    let settled = settings.chain.map(Anchor::Chain).into_iter().chain(settings.trust.iter().map(anchor));
    let anchors: Vec<Anchor> =
        if required.is_empty() { settled.collect() } else { required.iter().map(anchor).collect() };
    let tolerance = i64::try_from(settings.time_tolerance.as_micros()).unwrap_or(i64::MAX);
    VerifyOptions { anchors, require_anchor: !required.is_empty(), tolerance, ..VerifyOptions::default() }
}

/// How long to look for an answer before sleeping: a short script in SQLite's thread takes no longer, and to be
/// woken from another processor takes about as long.
const LOOKING: Duration = Duration::from_micros(100);

/// A future that is polled for a while before its thread goes to sleep; meanwhile others may have the processor.
async fn awake<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(move |context| {
        let begin = Instant::now();
        loop {
            let polled = future.as_mut().poll(context);
            if polled.is_ready() || begin.elapsed() > LOOKING {
                return polled;
            }
            std::thread::yield_now();
        }
    })
    .await
}

/// Runs a future to its end on this thread.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().enable_io().build();
    let runtime =
        runtime.map_err(|error| CliError::new(super::Exit::Unfinished, format!("no runtime: {error}")))?;
    Ok(runtime.block_on(awake(future)))
}
