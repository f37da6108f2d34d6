use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::context::{Context, block_on, open_owner, passphrase, project, vault_place};
use crate::cli::error::CliError;
use crate::cli::opening::{read_file, record};
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::{SecretSource, Settings};
use crate::cli::{CommandResult, Exit};
use crate::model::Pseudonym;
use crate::ops::restore_vault::{Outcome, restore_vault};
use crate::ops::{ChainReader, OpsError, Project, now};
use crate::store::create_file;
use crate::vault::{AgeOwner, BACKUP_LIMIT, Hold, OwnerKey as _, Person, Vault as Open, VaultError};

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
    /// Write a backup, encrypted for the vault's owner
    Export {
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Bring keys back from a backup; what was erased stays erased
    Import {
        /// What `greffe vault export` wrote
        #[arg(value_name = "FILE")]
        backup: PathBuf,
    },
    /// Forbid to erase an entry, or anything
    Hold {
        /// What it is called, such as a reference of the case
        #[arg(id = "hold", value_name = "NAME")]
        name: String,
        /// The entry; without it, everything
        #[arg(long = "event", value_name = "SEQ")]
        entry: Option<u64>,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Take a hold away
    Release {
        /// What it is called
        #[arg(id = "hold", value_name = "NAME")]
        name: String,
    },
    /// Note who a pseudonym stands for, read from standard input; or show it
    Person {
        #[arg(value_name = "PSEUDONYM")]
        pseudonym: Pseudonym,
        /// Show who it is, which is recorded in the access chain
        #[arg(long)]
        show: bool,
    },
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

/// The most that is noted of a person, in bytes.
const WHO_LIMIT: u64 = 4096;

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

impl Vault {
    /// As what the access chain knows it, where it tells who somebody is.
    pub const fn opens(&self) -> Option<&'static str> {
        match self.action {
            Action::Person { show: true, .. } => Some("person"),
            _ => None,
        }
    }
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
        action => return keep(context, &settings, action),
    };
    Ok(Reply::new(Shown { command: "vault", vault }, |shown, out| writeln!(out, "vault    {}", shown.vault)))
}

/// What a command did with the vault.
#[derive(Serialize)]
struct Kept {
    command: &'static str,
    done: String,
}

fn keep(context: &Context, settings: &Settings, action: &Action) -> CommandResult {
    let project = project(settings)?;
    let done = block_on(async {
        let mut vault = project.vault.open().await?;
        let done = act(context, settings, &project, &mut vault, action).await;
        vault.close().await;
        done
    })??;
    Ok(Reply::new(Kept { command: "vault", done }, |kept, out| writeln!(out, "{}", Clean(&kept.done))))
}

async fn act(
    context: &Context,
    settings: &Settings,
    project: &Project,
    vault: &mut Open,
    action: &Action,
) -> Result<String, CliError> {
    let file = |path: &Path, done| {
        let path = path.to_owned();
        move |source| CliError::from(OpsError::File { path, done, source })
    };
    let failed = |error: VaultError| CliError::from(OpsError::from(error));
    let root = || Ok::<_, CliError>(ChainReader::open(&project.archive, &project.name)?.root());
    Ok(match action {
        Action::Init(_) | Action::Show => String::new(),
        Action::Export { out } => {
            if out.symlink_metadata().is_ok() {
                return Err(OpsError::Exists(out.clone()).into());
            }
            let bytes = vault.backup(now()).await.map_err(failed)?;
            create_file(out, &bytes, 0o600).map_err(file(out, "written"))?;
            format!("wrote {}: {} bytes", out.display(), bytes.len())
        }
        Action::Import { backup } => {
            let bytes = read_file(backup, BACKUP_LIMIT)?;
            let owner = open_owner(settings)?;
            let kept = settings.vault_backup_retention.in_days();
            told(&restore_vault(project, vault, &bytes, &owner, kept).await?, backup)
        }
        Action::Hold { name, entry, reason } => {
            require_words(name, reason)?;
            let reader = ChainReader::open(&project.archive, &project.name)?;
            let event = |seq: &u64| {
                let cid = reader.manifest_at(*seq)?;
                Ok::<_, OpsError>(reader.entry(&cid)?.statement.event.id.to_string())
            };
            let event = entry.as_ref().map(event).transpose()?;
            let (hold, reason) = (name.clone(), reason.clone());
            let hold = Hold { hold, event, reason, placed_at: now() };
            vault.place_hold(&reader.root(), &hold).await.map_err(failed)?;
            format!("held by {name}")
        }
        Action::Release { name } => match vault.release_hold(&root()?, name, now()).await.map_err(failed)? {
            true => format!("released {name}"),
            false => {
                return Err(CliError::usage("there is no hold of that name").hint("look at its spelling"));
            }
        },
        Action::Person { pseudonym, show: true } => {
            let owner = open_owner(settings)?;
            let person = vault.person(pseudonym, &owner).await.map_err(failed)?;
            match person {
                Person::Known(who) => {
                    record(&context.settings()?, root()?, Vec::new(), "person").await?;
                    who
                }
                Person::Erased => "erased".to_owned(),
                Person::Unknown => "not known here".to_owned(),
            }
        }
        Action::Person { pseudonym, show: false } => {
            let mut who = String::new();
            let read = std::io::Read::take(std::io::stdin(), WHO_LIMIT + 1).read_to_string(&mut who);
            read.map_err(|error| CliError::new(Exit::Unfinished, format!("cannot read who it is: {error}")))?;
            if who.len() as u64 > WHO_LIMIT {
                return Err(CliError::usage(format!(
                    "there are more than {WHO_LIMIT} bytes on standard input"
                ))
                .hint("write less: a name, and where more about this person is kept"));
            }
            if who.trim().is_empty() {
                return Err(CliError::usage("there is nothing on standard input")
                    .hint(format!("write `echo 'who it is' | greffe vault person {pseudonym}`")));
            }
            vault.name_person(pseudonym, who.trim()).await.map_err(failed)?;
            format!("noted who {pseudonym} is")
        }
    })
}

/// What an import came to.
fn told(outcome: &Outcome, backup: &Path) -> String {
    let Outcome { restored, erased, forgotten } = outcome;
    let mut said = vec![
        format!("{} key(s) came back", restored.keys),
        format!("{erased} file(s) that were erased stay erased"),
    ];
    if *forgotten > 0 {
        said.push(format!("{forgotten} person(s) stay forgotten"));
    }
    if restored.unusable > 0 {
        said.push(format!("{} key(s) of it cannot be read and were left", restored.unusable));
    }
    if restored.elsewhere > 0 {
        let (elsewhere, backup) = (restored.elsewhere, backup.display());
        said.push(format!(
            "{elsewhere} key(s) of other chains were left: run `greffe vault import {backup}` in their projects"
        ));
    }
    for hold in &restored.holds {
        said.push(format!(
            "the hold {hold} is there again: if it was released, run `greffe vault release {hold}`"
        ));
    }
    said.join("; ")
}

/// Refuses a hold that says nothing, or steers a terminal.
fn require_words(name: &str, reason: &str) -> Result<(), CliError> {
    for (what, text) in [("a hold needs a name", name), ("a hold needs a reason", reason)] {
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err(CliError::usage(format!("{what}, of signs that can be seen"))
                .hint("write it like `greffe vault hold case-9 --reason \"a lawsuit\"`"));
        }
    }
    Ok(())
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
        _ => return Ok((open_owner(settings)?.recipient(), None)),
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
