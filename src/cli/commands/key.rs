use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::CommandResult;
use crate::cli::context::{Context, open_key, open_signer, passphrase};
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::cli::settings::Settings;
use crate::crypto::{KeyId, PrivateKey, PublicKey};
use crate::ops::{self, OpsError};

/// Generate, show or import the signing key
///
/// Keys are Ed25519, in PKCS#8 PEM that `openssl pkey` opens, encrypted with a passphrase. No command
/// prints a private key.
#[derive(Args)]
pub struct Key {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a new key
    Generate(NewFile),
    /// Show keyid and public key of the signing key
    Show,
    /// Read a key (PKCS#8 or OpenSSH, from `--key`) and write it as a key file
    Import(NewFile),
}

#[derive(Args)]
struct NewFile {
    /// The file to write, of mode 0600
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Without a passphrase
    #[arg(long)]
    plain: bool,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    keyid: KeyId,
    /// Base64, as in a trust document.
    public: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

pub fn run(context: &Context, arguments: &Key) -> CommandResult {
    let settings = context.settings()?;
    let (key, new) = match &arguments.action {
        Action::Generate(new) => (PrivateKey::generate(), new),
        Action::Import(new) => (open_key(&settings).map_err(OpsError::from)?, new),
        Action::Show => return show(open_signer(&settings).map_err(OpsError::from)?.public(), None),
    };
    write_key(&settings, &new.out, &key, new.plain, "--plain")?;
    show(key.public(), Some(new.out.clone()))
}

fn show(public: &PublicKey, file: Option<PathBuf>) -> CommandResult {
    let shown = Shown { command: "key", keyid: public.id(), public: public.to_base64(), file };
    Ok(Reply::new(shown, |shown, out| {
        if let Some(file) = &shown.file {
            writeln!(out, "wrote  {}", file.display())?;
        }
        writeln!(out, "keyid  {}\npublic {}", shown.keyid, shown.public)
    }))
}

/// Writes a key file, encrypted unless `plain`, which `flag` asks for.
pub fn write_key(
    settings: &Settings,
    path: &Path,
    key: &PrivateKey,
    plain: bool,
    flag: &str,
) -> Result<(), CliError> {
    let passphrase = if plain { None } else { passphrase(settings, true).map_err(OpsError::from)? };
    match &passphrase {
        None if !plain => Err(CliError::usage("a new key needs a passphrase, and there is none")
            .hint(format!("set GREFFE_KEY_PASSPHRASE, or pass `{flag}` to write the key without one"))),
        Some(passphrase) if passphrase.is_empty() => {
            Err(CliError::usage("the passphrase is empty").hint(format!("choose one, or pass `{flag}`")))
        }
        _ => Ok(ops::key::write(path, key, passphrase.as_ref().map(|passphrase| passphrase.as_str()))?),
    }
}
