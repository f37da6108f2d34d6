use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::cli::context::{Context, block_on, key, project, replicas};
use crate::cli::error::CliError;
use crate::cli::hooks::Around;
use crate::cli::output::Reply;
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::model::Pseudonym;
use crate::ops::erase::{Answer, Asked, Erased, Kept, Request, Target, Unknown, erase};
use crate::ops::hooks::attach_alone;
use crate::policy::hooks::What;

/// Erase sealed content: destroy its keys, and sign that it was done
///
/// Destroys the keys of the sealed files of an entry, or of everything that somebody did, in the vault, and appends an
/// `erase` event that names what was erased, on what basis, when the last backup with a key is gone, and which places
/// still hold the ciphertext. The chain verifies as before. Asked again, it does what is left. Exits with 1 when something
/// of it is still there: held, in clear, in another entry, granted to somebody, or without a key in this vault.
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
    /// Declare keys that this vault does not know lost everywhere, and so their files erased
    #[arg(long)]
    lost: bool,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    partial: bool,
    /// What erases something in the same way.
    #[serde(skip)]
    terms: String,
    #[serde(flatten)]
    erased: Erased,
}

pub fn run(context: &Context, arguments: &Erase) -> CommandResult {
    let what = match (arguments.entry, arguments.actor) {
        (Some(seq), _) => Target::Entry(seq),
        (None, Some(actor)) => Target::Actor(actor),
        (None, None) => return Err(CliError::usage("nothing is named that is to be erased")),
    };
    let (basis, reference) = (arguments.basis.clone(), arguments.request.clone());
    let unknown = if arguments.lost { Unknown::Lost } else { Unknown::Elsewhere };
    let request = Request { what, basis, reference, unknown };
    reply("erase", context, &request)
}

/// Erases what is asked for.
pub fn reply(command: &'static str, context: &Context, request: &Request) -> CommandResult {
    let settings = context.settings()?;
    let project = project(&settings)?;
    let replicas = replicas(&settings)?;
    let around = Around::begin(&settings, What::Erase)?;
    let result = block_on(erase(&project, request, kept(&settings), &replicas, key(&settings)))?;
    let said = around.end(result.as_ref().is_ok_and(|erased| !erased.is_partial()));
    let mut erased = result?;
    let about = erased.about.clone();
    if let Some(head) = block_on(attach_alone(&project, about, said, key(&settings)))?? {
        erased.head = head;
    }
    let partial = erased.is_partial();
    let exit = if partial { Exit::Findings } else { Exit::Done };
    let terms = format!("--basis {} --request {}", request.basis, request.reference);
    Ok(Reply::new(Done { command, partial, terms, erased }, show).with_exit(exit))
}

/// How long things are kept.
pub fn kept(settings: &Settings) -> Kept {
    Kept {
        content: settings.vault_retention.map(|kept| kept.in_days()),
        minimum: settings.vault_minimum.map_or(0, |kept| kept.in_days()),
        backups: settings.vault_backup_retention.in_days(),
    }
}

fn show(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    let erased = &done.erased;
    match erased.seq {
        Some(seq) if erased.erased.is_empty() => writeln!(out, "signed as entry {seq}")?,
        Some(seq) => writeln!(out, "erased {} sealed file(s) as entry {seq}", erased.erased.len())?,
        None => writeln!(out, "nothing to erase; {} file(s) were erased before", erased.before)?,
    }
    if erased.again > 0 {
        writeln!(out, "{} key(s) of what was erased before had come back; destroyed again", erased.again)?;
    }
    if let Some(person) = erased.person {
        writeln!(out, "{}", if person { "who it was is forgotten" } else { "who it was is not known here" })?;
    }
    let when = if erased.in_backups { ", when the last backup with a key is gone" } else { "" };
    writeln!(out, "effective {}{when}", erased.effective_at)?;
    for place in &erased.places {
        let outcome = serde_json::to_value(place.outcome)?;
        writeln!(out, "{:<12} {}", outcome.as_str().unwrap_or_default(), place.place)?;
    }
    for hold in &erased.held {
        writeln!(out, "kept by the hold {}: {}", hold.hold, hold.reason)?;
    }
    show_left(done, out)?;
    if done.partial {
        let left = serde_json::to_value(&erased.left)?;
        let left: Vec<&str> =
            left.as_array().into_iter().flatten().filter_map(|word| word.as_str()).collect();
        writeln!(out, "partial: {}", left.join(", "))?;
    }
    writeln!(out, "head {}", erased.head)
}

/// What was asked for and is still there, with the command for it.
fn show_left(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    let (erased, terms) = (&done.erased, &done.terms);
    let mut entries: BTreeMap<u64, Vec<&Asked>> = BTreeMap::new();
    for file in &erased.files {
        entries.entry(file.seq).or_default().push(file);
    }
    for (seq, files) in entries {
        let count = |answer| files.iter().filter(|file| file.answer == answer).count();
        if let Some(until) = files.iter().find_map(|file| file.until) {
            writeln!(out, "entry {seq} has to be kept until {until}")?;
        }
        if count(Answer::NoKey) > 0 {
            writeln!(
                out,
                "entry {seq}: {} file(s) whose key this vault does not know",
                count(Answer::NoKey)
            )?;
            writeln!(
                out,
                "  hint: name the vault that has it with `--vault URL`; if it is lost everywhere, run `greffe erase \
                 --event {seq} {terms} --lost`"
            )?;
        }
        if count(Answer::InClear) > 0 {
            writeln!(out, "entry {seq}: {} file(s) in clear, which nothing erases", count(Answer::InClear))?;
            writeln!(out, "  hint: for scripts to come set `publish = \"sealed\"` below `[privacy]`")?;
        }
    }
    for seq in &erased.also {
        writeln!(out, "entry {seq} has a script of the same migration")?;
        writeln!(out, "  hint: run `greffe erase --event {seq} {terms}`")?;
    }
    Ok(())
}
