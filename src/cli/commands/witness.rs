pub mod after;
mod serve;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use self::after::{remark_owed, witnesses};
use self::serve::Serve;
use super::key::write_key;
use crate::cli::context::{Context, block_on, open_source};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::{SecretSource, Settings};
use crate::cli::{CommandResult, Exit};
use crate::crypto::PrivateKey;
use crate::ops::OpsError;
use crate::ops::witness::{Ask as Whom, Asked, ask, log_vkeys};
use crate::witness::{Cosigner, StateError, WitnessError, create_state, vkey_of_state};

/// Ask witnesses to cosign this chain, or be one for other people's logs
///
/// A witness cosigns a checkpoint when it continues the one that it cosigned last, so that nobody can be shown another
/// history without it. Every run asks the `[[witness]]` entries of the settings by itself. See docs/witness.md.
#[derive(Args)]
pub struct Witness {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Ask every witness that has not cosigned the head
    Ask(Ask),
    /// Print the keys by which witnesses know this chain
    Log,
    /// Make the key and the memory of a new witness, or print its verifier key
    Key(Key),
    Serve(Serve),
}

#[derive(Args)]
struct Ask {
    /// Also those that have cosigned it: the later time shows that the chain has not grown since
    #[arg(long)]
    again: bool,
}

/// Where the parts of a witness are.
#[derive(Args)]
struct Parts {
    /// Where the private key of the witness is: `file:PATH` or `env:NAME`
    #[arg(long, value_name = "SOURCE", default_value = "file:witness.key.pem")]
    witness_key: String,
    /// Its memory, a SQLite database
    #[arg(long, value_name = "FILE", default_value = "witness.db")]
    state: PathBuf,
}

#[derive(Args)]
struct Key {
    #[command(flatten)]
    parts: Parts,
    /// Make a new witness of this name, a URL without scheme such as `witness.example.org/w1`
    #[arg(long, value_name = "NAME")]
    new: Option<String>,
    /// Write the new key without a passphrase
    #[arg(long, requires = "new")]
    plain: bool,
}

impl Witness {
    /// Whether the archive gets another head by it.
    pub const fn asks(&self) -> bool {
        matches!(self.action, Action::Ask(_))
    }
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Serialize)]
struct Vkeys {
    command: &'static str,
    vkeys: Vec<String>,
}

impl Vkeys {
    fn reply(self) -> Reply {
        Reply::new(self, |shown, out| shown.vkeys.iter().try_for_each(|vkey| writeln!(out, "{vkey}")))
    }
}

pub fn run(context: &Context, arguments: &Witness) -> CommandResult {
    match &arguments.action {
        Action::Ask(arguments) => run_ask(context, arguments),
        Action::Log => {
            let settings = context.settings()?;
            let vkeys = log_vkeys(&context.reader()?, settings.name()?)?;
            let vkeys = vkeys.iter().map(ToString::to_string).collect();
            Ok(Vkeys { command: "witness log", vkeys }.reply())
        }
        Action::Key(arguments) => run_key(&context.settings()?, arguments),
        Action::Serve(arguments) => serve::run(context, arguments),
    }
}

fn run_ask(context: &Context, arguments: &Ask) -> CommandResult {
    let settings = context.settings()?;
    let reader = context.reader()?;
    let witnesses = witnesses(&settings, &reader)?;
    if witnesses.is_empty() {
        return Err(CliError::usage(
            "there is no witness in the settings, and none with a URL in the policy",
        )
        .hint("add a `[[witness]]` with `name`, `vkey` and `url` to greffe.toml; see docs/witness.md"));
    }
    drop(reader);
    let whom = if arguments.again { Whom::All } else { Whom::Missing };
    let (directory, name) = (&settings.archive_directory, settings.name()?);
    let asked = block_on(ask(directory, name, settings.lock_wait, &witnesses, whom))??;
    remark_owed(context, &asked);
    let exit = if asked.witnesses.iter().any(|witness| witness.contradicts) {
        Exit::Findings
    } else if asked.quorum && asked.witnesses.iter().all(|witness| witness.failure.is_none()) {
        Exit::Done
    } else {
        Exit::Undelivered
    };
    Ok(Reply::new(Shown { command: "witness ask", asked }, show).with_exit(exit))
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let asked = &shown.asked;
    for witness in &asked.witnesses {
        let word = if witness.cosigned { "cosigned" } else { "owed" };
        let why = witness.failure.as_deref().unwrap_or_default();
        writeln!(out, "{word:<8} {} ({}) {}", witness.name, Clean(&witness.url), Clean(why))?;
    }
    writeln!(out, "head {} ({} entries)", asked.head, asked.size)
}

fn run_key(settings: &Settings, arguments: &Key) -> CommandResult {
    let Parts { witness_key, state } = &arguments.parts;
    let vkey = match &arguments.new {
        None => vkey_of_state(state)?,
        Some(name) => {
            let source = source(witness_key)?;
            let SecretSource::File(path) = &source else {
                return Err(CliError::usage("a new key is written to a file")
                    .hint("name it with `--witness-key file:witness.key.pem`"));
            };
            let key = PrivateKey::generate();
            let cosigner = cosigner(name, key.clone())?;
            // A key without a memory signs nothing, so the memory is made first.
            create_state(state, &cosigner)?;
            if let Err(error) = write_key(settings, path, &key, arguments.plain, "--plain") {
                std::fs::remove_file(state).ok();
                return Err(error);
            }
            cosigner.vkeys().first().map(|vkey| (*vkey).clone()).ok_or_else(|| name_refused(name))?
        }
    };
    Ok(Vkeys { command: "witness key", vkeys: vec![vkey.to_string()] }.reply())
}

fn source(text: &str) -> Result<SecretSource, CliError> {
    SecretSource::parse(text, std::path::Path::new("")).ok_or_else(|| {
        CliError::usage("`--witness-key` is not a place of a key (not shown here)")
            .hint("write `file:PATH` or `env:NAME`, never the key itself")
    })
}

/// The witness of this name with the key that a source holds.
fn open_cosigner(settings: &Settings, name: &str, text: &str) -> Result<Cosigner, CliError> {
    let source = source(text)?;
    let key = open_source(settings, &source, "key of the witness").map_err(OpsError::from)?;
    cosigner(name, key)
}

fn cosigner(name: &str, key: PrivateKey) -> Result<Cosigner, CliError> {
    Cosigner::new(name, key).ok_or_else(|| name_refused(name))
}

fn name_refused(name: &str) -> CliError {
    CliError::usage(format!("`{}` is not the name of a witness", Clean(name)))
        .hint("write a URL without scheme such as `witness.example.org/w1`: no white space, no `+`")
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        let hint = match &error {
            StateError::Missing(_) => {
                "name its memory with `--state FILE`; if that is lost, the key must not sign again: make a new witness \
                 with `greffe witness key --new NAME`"
            }
            StateError::Exists(_) => {
                "name another file with `--state FILE`, or print the key without `--new`"
            }
            StateError::OtherKey { .. } => {
                "name the key that belongs to this memory with `--witness-key SOURCE`"
            }
            StateError::Damaged(_) | StateError::Database { .. } | StateError::Runtime(_) => {
                "mend that; a witness never goes on with an older copy of its memory"
            }
        };
        Self::new(Exit::Unfinished, error.to_string()).hint(hint)
    }
}

impl From<WitnessError> for CliError {
    fn from(error: WitnessError) -> Self {
        match error {
            WitnessError::State(error) => error.into(),
            WitnessError::Serve(error) => error.into(),
        }
    }
}
