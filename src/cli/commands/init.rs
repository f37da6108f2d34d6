use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::key::write_key;
use super::record::naming;
use super::vault::{NewVault, make_vault};
use crate::chain::Authority;
use crate::cli::context::{Context, open_signer};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::{
    DatabaseSource, Environment, KeySource, NewSettings, Overrides, SecretSource, Settings, read_text,
    render_new,
};
use crate::cli::{CommandResult, Exit};
use crate::crypto::{KeyId, PrivateKey, Signer};
use crate::model::{Actor, ChainName, Cid, Pseudonym};
use crate::ops::{self, ChainReader, OpsError};
use crate::privacy::Publish;
use crate::scripts::tools::{Folder, is_wanted, owners};
use crate::store::{ArchiveError, create_file};

/// The key file that a new project gets.
const KEY_FILE: &str = "greffe.key.pem";

/// Begin a chain: signing key, greffe.toml and the first entry
///
/// Makes a key file unless there is a key already (`--key`, GREFFE_KEY, or greffe.key.pem). Asks for
/// what flags do not say, when there is a terminal to ask.
#[derive(Args)]
pub struct Init {
    /// Write a new key without a passphrase
    #[arg(long)]
    plain_key: bool,
    /// Whose age identity opens the vault: `age1…`; no identity is made here then
    #[arg(long, value_name = "RECIPIENT")]
    vault_owner: Option<String>,
    /// A timestamp authority's root, as a PEM file, that the trust document shall name
    #[arg(long, value_name = "ROOT.pem")]
    authority: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    name: ChainName,
    chain: Cid,
    head: Cid,
    keyid: KeyId,
    settings: PathBuf,
    /// The key file that was made; null when a key was there.
    key: Option<PathBuf>,
    /// Whether an archive of that name was there and is used.
    adopted: bool,
    publish: String,
    vault: NewVault,
}

pub fn run(context: &Context, arguments: &Init) -> CommandResult {
    let file = context.settings_file();
    let exists = |path: &Path| OpsError::Exists(path.to_owned());
    if file.symlink_metadata().is_ok() {
        return Err(CliError::from(exists(&file)).hint("this project is initialised: run `greffe status`"));
    }
    // The file is about to be made, so it cannot be read yet; flags and environment say the rest.
    let settings = context.settings_without_file()?;
    let name = match &settings.name {
        Some(name) => name.clone(),
        None => ask("Name of the chain: ", || settings.name().map(drop).map_err(CliError::from))?
            .parse()
            .map_err(|error: crate::model::NameError| CliError::usage(error.to_string()))?,
    };
    let folder = file.parent().map(Path::to_owned).unwrap_or_default();
    let database = match &settings.database_url {
        Some(source) => source.clone(),
        None => {
            let url = ask("Database URL, like sqlite:app.db: ", || {
                settings.database_url().map(drop).map_err(CliError::from)
            })?;
            DatabaseSource::parse(&url, &folder)
                .ok_or_else(|| CliError::usage("that is not a URL").hint("write it like `sqlite:app.db`"))?
        }
    };
    let publish = publish(&settings)?;
    let authorities = arguments.authority.iter().map(|path| authority(path)).collect::<Result<_, _>>()?;
    let (key, key_file) = key(&settings, &folder, arguments.plain_key)?;
    let vault = make_vault(&settings, arguments.vault_owner.as_deref(), arguments.plain_key)?;
    let pseudonym = settings.actor_pseudonym.unwrap_or_else(Pseudonym::generate);
    let actor = Actor { pseudonym, role: settings.actor_role.clone() };
    let (chain, head, adopted) = begin(&settings, &name, &actor, &*key, authorities)?;
    let mut fresh = NewSettings::named(name.clone());
    fresh.chain = Some(chain);
    fresh.database_url = Some(database);
    fresh.database_name = settings.database_name.clone();
    fresh.migrations = Some(relative(&settings.migrations, &folder));
    fresh.archive_directory = Some(relative(&settings.archive_directory, &folder));
    fresh.key_source = Some(
        settings.key_source.clone().unwrap_or_else(|| KeySource::Text(SecretSource::File(KEY_FILE.into()))),
    );
    fresh.actor_pseudonym = Some(pseudonym);
    fresh.actor_role = Some(settings.actor_role.clone());
    fresh.publish = Some(publish);
    let standard = Settings::before_file(&file, &Environment::default(), &Overrides::default())?;
    if standard.vault_url.to_string() != settings.vault_url.to_string() {
        fresh.vault_url = Some(settings.vault_url.clone());
    }
    if standard.vault_key != settings.vault_key {
        fresh.vault_key = Some(settings.vault_key.clone());
    }
    fresh.tool.clone_from(&settings.tool);
    fresh.tool_table.clone_from(&settings.tool_table);
    write_new(&file, &render_new(&fresh))?;
    let keyid = key.public().id();
    let done = Done {
        command: "init",
        name,
        chain,
        head,
        keyid,
        settings: file,
        key: key_file,
        adopted,
        publish: publish.to_string(),
        vault,
    };
    let next = next(&settings);
    Ok(Reply::new(done, move |done, out| {
        if let Some(key) = &done.key {
            writeln!(out, "key      {}, keyid {}", key.display(), done.keyid)?;
        }
        writeln!(out, "vault    {}", done.vault)?;
        writeln!(out, "publish  {}", done.publish)?;
        writeln!(out, "settings {}", done.settings.display())?;
        writeln!(out, "chain    {}", done.chain)?;
        writeln!(out, "next: {}", Clean(&next))
    }))
}

/// What comes next: with a folder of another tool, that tool goes on.
fn next(settings: &Settings) -> String {
    let record = "`greffe record -- COMMAND`, after `greffe baseline` where migrations were applied before";
    if settings.tool_apply {
        return "`greffe apply`, after `greffe baseline` where migrations were applied before".to_owned();
    }
    if settings.tool.is_some() {
        return record.to_owned();
    }
    let folder = Folder::read(&settings.migrations, is_wanted).ok();
    let tools = folder.map(|folder| owners(&folder)).unwrap_or_default();
    let names: Vec<&str> = tools.iter().map(|tool| tool.name()).collect();
    // greffe's own scripts are called as those of these two.
    if names.iter().all(|name| matches!(*name, "golang-migrate" | "sqlx")) {
        return "`greffe apply`".to_owned();
    }
    match names.as_slice() {
        [tool] => format!("{record}, for the folder is one of {tool}"),
        several => format!("{record}; first {}", naming(several)),
    }
}

/// What is to be published: what the settings say, else what people answer.
fn publish(settings: &Settings) -> Result<Publish, CliError> {
    let said = settings.says_publish();
    if said || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(settings.publish);
    }
    let answer = ask(
        "What is archived may be copied to IPFS, from where nothing can be called back. Which scripts may it hold in clear?\n\
         \x20 sealed  none: every script is encrypted, and who has the vault's key reads it (the default)\n\
         \x20 schema  those that only describe the schema; all with data or code are encrypted\n\
         \x20 all     all; scripts with data or credentials are refused\n\
         Publish [sealed]: ",
        || Ok(()),
    )?;
    match answer.as_str() {
        "" => Ok(Publish::Sealed),
        other => other
            .parse()
            .map_err(|error: crate::privacy::publish::NotPublish| CliError::usage(error.to_string())),
    }
}

/// The PEM text of a timestamp authority's root.
fn authority(path: &Path) -> Result<String, CliError> {
    let refused = |error: &dyn std::fmt::Display| CliError::usage(format!("{}: {error}", path.display()));
    let text = read_text(path).map_err(|error| refused(&error))?;
    let authority = Authority::parse(text.expose()).map_err(|error| {
        refused(&error).hint("give the root's certificate alone; `openssl x509 -in FILE` writes it as PEM")
    })?;
    Ok(authority.to_pem())
}

/// A new chain, or the one that is in the archive folder under this name.
fn begin(
    settings: &Settings,
    name: &ChainName,
    actor: &Actor,
    key: &dyn Signer,
    authorities: Vec<String>,
) -> Result<(Cid, Cid, bool), CliError> {
    let directory = &settings.archive_directory;
    match ops::init::init_with(directory, name, actor, key, authorities) {
        Ok(begun) => Ok((begun.chain, begun.head, false)),
        Err(OpsError::Archive(ArchiveError::Exists { .. })) => {
            let reader = ChainReader::open(directory, name)?;
            Ok((reader.root(), reader.head(), true))
        }
        Err(error) => Err(error.into()),
    }
}

/// The key that the settings name, the one in the folder, or a new one with the file that it was written to.
fn key(
    settings: &Settings,
    folder: &Path,
    plain: bool,
) -> Result<(Arc<dyn Signer>, Option<PathBuf>), CliError> {
    let path = folder.join(KEY_FILE);
    if settings.key_source.is_some() {
        return Ok((open_signer(settings).map_err(OpsError::from)?, None));
    }
    if path.symlink_metadata().is_ok() {
        let mut settings = settings.clone();
        settings.key_source = Some(KeySource::Text(SecretSource::File(path)));
        return Ok((open_signer(&settings).map_err(OpsError::from)?, None));
    }
    let key = PrivateKey::generate();
    write_key(settings, &path, &key, plain, "--plain-key")?;
    Ok((Arc::new(key), Some(path)))
}

fn ask(prompt: &str, missing: impl FnOnce() -> Result<(), CliError>) -> Result<String, CliError> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        missing()?;
    }
    let mut line = String::new();
    write!(std::io::stderr(), "{prompt}").ok();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|error| CliError::new(Exit::Unfinished, format!("no answer: {error}")))?;
    Ok(line.trim().to_owned())
}

/// `path` as it stands in a file of `folder`.
fn relative(path: &Path, folder: &Path) -> String {
    let path = path.strip_prefix(folder).unwrap_or(path);
    path.to_string_lossy().into_owned()
}

fn write_new(path: &Path, text: &str) -> Result<(), OpsError> {
    create_file(path, text.as_bytes(), 0o644).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => OpsError::Exists(path.to_owned()),
        _ => OpsError::File { path: path.to_owned(), done: "written", source },
    })
}
