use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::cli::context::{Context, block_on, key, project, replicas};
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::model::Pseudonym;
use crate::ops::erase::{Erased, Kept, Request, Target, erase};
use crate::ops::now;

/// Erase sealed content: destroy its keys, and sign that it was done
///
/// Destroys the keys of the sealed files of an entry, or of everything that somebody did, in the vault, and appends an
/// `erase` event that names what was erased, on what basis, when the last backup with a key is gone, and which places
/// still hold the ciphertext. The chain verifies as before. Asked again, it does what is left. Exits with 1 when a hold
/// keeps some of it.
#[derive(Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["entry", "actor"])))]
pub struct Erase {
    /// The entry whose sealed files are erased
    #[arg(long = "event", value_name = "SEQ")]
    entry: Option<u64>,
    /// Who acted: all their sealed files, and who they are
    #[arg(long, value_name = "PSEUDONYM")]
    actor: Option<Pseudonym>,
    /// The article that asks for it, such as `art17.1.a`; it is archived
    #[arg(long, value_name = "CODE")]
    basis: String,
    /// Your reference of the request, without a name; it is archived
    #[arg(long, value_name = "REF")]
    request: String,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    partial: bool,
    #[serde(flatten)]
    erased: Erased,
}

pub fn run(context: &Context, arguments: &Erase) -> CommandResult {
    let what = match (arguments.entry, arguments.actor) {
        (Some(seq), _) => Target::Entry(seq),
        (None, Some(actor)) => Target::Actor(actor),
        (None, None) => return Err(CliError::usage("nothing is named that is to be erased")),
    };
    let request = Request { what, basis: arguments.basis.clone(), reference: arguments.request.clone() };
    reply("erase", context, &request)
}

/// Erases what is asked for.
pub fn reply(command: &'static str, context: &Context, request: &Request) -> CommandResult {
    let settings = context.settings()?;
    let project = project(&settings)?;
    let replicas = replicas(&settings)?;
    let erased = block_on(erase(&project, request, kept(&settings), &replicas, key(&settings)))??;
    let partial = erased.is_partial();
    let exit = if partial { Exit::Findings } else { Exit::Done };
    Ok(Reply::new(Done { command, partial, erased }, show).with_exit(exit))
}

/// How long things are kept.
pub fn kept(settings: &Settings) -> Kept {
    Kept {
        content: settings.vault_retention.map(|kept| kept.in_days()),
        backups: settings.vault_backup_retention.in_days(),
    }
}

fn show(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    let erased = &done.erased;
    match erased.seq {
        Some(seq) => writeln!(out, "erased {} sealed file(s) as entry {seq}", erased.erased.len())?,
        None => writeln!(out, "nothing to erase; {} file(s) were erased before", erased.before)?,
    }
    if let Some(person) = erased.person {
        writeln!(out, "{}", if person { "who it was is forgotten" } else { "who it was is not known here" })?;
    }
    let waits = if erased.effective_at > now() { ", when the last backup with a key is gone" } else { "" };
    writeln!(out, "effective {}{waits}", erased.effective_at)?;
    for place in &erased.places {
        let outcome = serde_json::to_value(place.outcome)?;
        writeln!(out, "{:<12} {}", outcome.as_str().unwrap_or_default(), place.place)?;
    }
    for hold in &erased.held {
        writeln!(out, "kept by the hold {}: {}", hold.hold, hold.reason)?;
    }
    if done.partial {
        writeln!(out, "partial: what is held was not erased")?;
    }
    writeln!(out, "head {}", erased.head)
}
