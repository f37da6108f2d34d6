use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::CommandResult;
use crate::cli::context::{Context, block_on, open_owner, passphrase, vault_place};
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::cli::settings::{SecretSource, Settings};
use crate::ops::{OpsError, now};
use crate::store::create_file;
use crate::vault::{AgeOwner, OwnerKey as _, Vault as Open, VaultError};

/// Make and show the vault, which holds the keys of sealed files
///
/// The vault is a database of its own, in SQLite or PostgreSQL, and never part of an archive. Who seals needs the vault;
/// who opens needs its owner's age identity too.
#[derive(Args)]
pub struct Vault {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a new vault, with an identity for its owner unless there is one
    Init(New),
    /// Show where the vault is and whose identity opens it
    Show,
}

#[derive(Args)]
struct New {
    /// Whose age identity opens it: `age1…`; no identity is made here then
    #[arg(long, value_name = "RECIPIENT")]
    owner: Option<String>,
    /// Write a new identity without a passphrase
    #[arg(long)]
    plain: bool,
}

/// A vault that a command made or found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewVault {
    /// Where it is, without a password.
    vault: String,
    recipient: String,
    /// The identity file that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<PathBuf>,
}

impl fmt::Display for NewVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, for {}", self.vault, self.recipient)?;
        match &self.identity {
            Some(path) => write!(f, "\nidentity {}; keep a copy of it elsewhere", path.display()),
            None => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    #[serde(flatten)]
    vault: NewVault,
}

pub fn run(context: &Context, arguments: &Vault) -> CommandResult {
    let settings = context.settings()?;
    let vault = match &arguments.action {
        Action::Init(new) => {
            if let Some(found) = find(&settings)? {
                return Err(OpsError::from(VaultError::Exists(found.vault)).into());
            }
            make_vault(&settings, new.owner.as_deref(), new.plain)?
        }
        Action::Show => {
            let place = vault_place(&settings)?;
            find(&settings)?.ok_or_else(|| OpsError::from(VaultError::Missing(place.shown)))?
        }
    };
    Ok(Reply::new(Shown { command: "vault", vault }, |shown, out| writeln!(out, "vault    {}", shown.vault)))
}

/// The vault of the settings, made with an identity for its owner where there is none yet.
pub fn make_vault(settings: &Settings, owner: Option<&str>, plain: bool) -> Result<NewVault, CliError> {
    if let Some(found) = find(settings)? {
        return Ok(found);
    }
    let (recipient, identity) = match owner {
        Some(recipient) => (recipient.to_owned(), None),
        None => recipient(settings, plain)?,
    };
    let place = vault_place(settings)?;
    block_on(async {
        let made = Open::create(&place.url, &place.shown, &recipient, now()).await;
        made.map_err(OpsError::from)?.close().await;
        Ok::<_, CliError>(())
    })??;
    Ok(NewVault { vault: place.shown, recipient, identity })
}

fn find(settings: &Settings) -> Result<Option<NewVault>, CliError> {
    let place = vault_place(settings)?;
    block_on(async {
        match place.open().await {
            Ok(vault) => {
                let recipient = vault.recipient().to_owned();
                vault.close().await;
                Ok(Some(NewVault { vault: place.shown.clone(), recipient, identity: None }))
            }
            Err(OpsError::Vault(VaultError::Missing(_))) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })?
}

/// The recipient of the identity that is there, or of a new one with the file that it was written to.
fn recipient(settings: &Settings, plain: bool) -> Result<(String, Option<PathBuf>), CliError> {
    let file = match &settings.vault_key {
        SecretSource::File(path) if path.symlink_metadata().is_err() => path,
        _ => return Ok((open_owner(settings).map_err(OpsError::from)?.recipient(), None)),
    };
    let owner = AgeOwner::generate();
    write_identity(settings, file, &owner, plain)?;
    Ok((owner.recipient(), Some(file.clone())))
}

fn write_identity(settings: &Settings, path: &Path, owner: &AgeOwner, plain: bool) -> Result<(), CliError> {
    let own = settings.vault_passphrase().map_err(CliError::from)?;
    let own = own.map(|secret| zeroize::Zeroizing::new(secret.expose().to_owned()));
    let passphrase = match (plain, own) {
        (true, _) => None,
        (false, Some(own)) => Some(own),
        (false, None) => passphrase(settings, true).map_err(OpsError::from)?,
    };
    if !plain && passphrase.as_ref().is_none_or(|passphrase| passphrase.is_empty()) {
        return Err(CliError::usage(
            "the identity of the vault's owner needs a passphrase, and there is none",
        )
        .hint("set GREFFE_VAULT_PASSPHRASE, or name its owner with `--vault-owner age1…`"));
    }
    let text = owner.encode(passphrase.as_ref().map(|text| text.as_str())).map_err(VaultError::from);
    let text = text.map_err(OpsError::from)?;
    create_file(path, text.as_bytes(), 0o600).map_err(|source| {
        CliError::from(match source.kind() {
            std::io::ErrorKind::AlreadyExists => OpsError::Exists(path.to_owned()),
            _ => OpsError::File { path: path.to_owned(), done: "written", source },
        })
    })
}
