use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::witness::after::witnesses;
use crate::cli::context::{Context, block_on, open_publish_key, replicas};
use crate::cli::error::CliError;
use crate::cli::memory::MemoryArguments;
use crate::cli::output::{Clean, Reply};
use crate::cli::settings::Settings;
use crate::cli::sources::{SourceArguments, no_names, parse_cid, parse_name};
use crate::cli::{CommandResult, Exit};
use crate::codec::note::NOTE_LIMIT;
use crate::crypto::Digest;
use crate::model::{Cid, IpnsName};
use crate::ops::ChainReader;
use crate::ops::gossip::{ARCHIVE, Asking, FoundFork, Heard, Says, Standing, Voice, gossip, replica_voices};

/// Compare what others show of the chain with the archive, and with each other
///
/// Asks what was verified here before, the replicas and witnesses of the settings, the IPNS name that is published, every
/// `greffe serve` of `--from`, and what is named: heads, IPNS names, files with a checkpoint that somebody else keeps. Each
/// is asked for at most `replication.deadline`, a witness no longer than its own time. What they show has to be signed by the chain's keys, and one to go on from
/// the other. Exits with 5 when two cannot both be true, with 1 when one is ahead of the archive or not signed, with 3
/// when one could not be asked.
#[derive(Args)]
pub struct Gossip {
    /// A head, an IPNS name, or a file that holds a checkpoint
    #[arg(value_name = "CID|/ipns/NAME|FILE")]
    targets: Vec<String>,
    #[command(flatten)]
    sources: SourceArguments,
    #[command(flatten)]
    memory: MemoryArguments,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    chain: Cid,
    head: Cid,
    entries: u64,
    root: Digest,
    voices: Vec<Heard>,
    forks: Vec<Fork>,
}

#[derive(Serialize)]
struct Fork {
    first: String,
    second: String,
    /// Where the evidence is kept.
    evidence: Option<PathBuf>,
}

pub fn run(context: &Context, arguments: &Gossip) -> CommandResult {
    let settings = context.settings()?;
    let name = settings.name()?;
    // Also an archive that was cut back is compared: that is what others show.
    let reader = ChainReader::open(&settings.archive_directory, name)?;
    let voices = voices(context, arguments, &settings, &reader)?;
    if voices.is_empty() {
        return Err(CliError::usage("nobody is named whose head could be compared with the archive's").hint(
            "name a replica or a witness in greffe.toml, or `--from https://gateway.example.org`, or the CID of a head",
        ));
    }
    let (sources, names) = (arguments.sources.open(&settings)?, arguments.sources.names(&settings)?);
    let asking = Asking {
        reader: &reader,
        name,
        sources: &sources,
        names: &names,
        deadline: settings.replication_deadline,
    };
    let found = block_on(gossip(&asking, &voices))??;
    let keep = |fork: FoundFork| {
        let evidence = fork.evidence.as_ref();
        let evidence = evidence.and_then(|evidence| arguments.memory.keep(context, &found.chain, evidence));
        Fork { first: fork.first, second: fork.second, evidence }
    };
    let forks: Vec<Fork> = found.forks.into_iter().map(keep).collect();
    let exit = exit_of(&found.voices, &forks);
    let shown = Shown {
        command: "gossip",
        chain: found.chain,
        head: found.head,
        entries: found.entries,
        root: found.root,
        voices: found.voices,
        forks,
    };
    Ok(Reply::new(shown, show).with_exit(exit))
}

fn exit_of(voices: &[Heard], forks: &[Fork]) -> Exit {
    let any = |standings: &[Standing]| voices.iter().any(|voice| standings.contains(&voice.standing));
    match () {
        () if !forks.is_empty() => Exit::Discontinuous,
        () if any(&[
            Standing::Ahead,
            Standing::AheadUnproved,
            Standing::AnotherChain,
            Standing::Unsigned,
        ]) =>
        {
            Exit::Findings
        }
        () if any(&[Standing::Unreachable]) => Exit::Unfinished,
        () => Exit::Done,
    }
}

/// Everybody who is asked.
fn voices(
    context: &Context,
    arguments: &Gossip,
    settings: &Settings,
    reader: &ChainReader,
) -> Result<Vec<Voice>, CliError> {
    let remembered = arguments.memory.all(context)?.into_iter().filter(|seen| seen.chain == reader.root());
    let mut voices: Vec<Voice> = remembered
        .map(|seen| {
            let head = seen.head;
            let says = match seen.checkpoint {
                Some(note) => Says::Note { note: note.into_bytes(), head: Some(head) },
                None => Says::Head { head, place: None },
            };
            Voice { name: "memory".to_owned(), says }
        })
        .collect();
    voices.extend(replica_voices(reader, settings.name()?, &replicas(settings)?)?);
    let can_ask = !arguments.sources.names(settings)?.is_empty();
    if settings.publish_key.is_some() && can_ask {
        voices.push(match open_publish_key(settings) {
            Ok(key) => named(IpnsName::new(*key.public())),
            Err(error) => Voice { name: "publish.key".to_owned(), says: Says::Unreachable(error.message) },
        });
    }
    for witness in witnesses(settings, reader)? {
        let name = format!("witness {}", witness.name);
        voices.push(Voice { name, says: Says::Witness(Box::new(witness)) });
    }
    for (name, http) in arguments.sources.gateways()? {
        voices.push(Voice { name, says: Says::Log(Box::new(http)) });
    }
    for target in &arguments.targets {
        voices.push(match parse_name(target)? {
            Some(_) if !can_ask => return Err(no_names()),
            Some(name) => named(name),
            None => Voice { name: target.clone(), says: target_says(target)? },
        });
    }
    Ok(voices)
}

fn named(name: IpnsName) -> Voice {
    Voice { name: format!("/ipns/{name}"), says: Says::Name(name) }
}

/// What a head or a file says.
fn target_says(target: &str) -> Result<Says, CliError> {
    if let Some(head) = parse_cid(target) {
        return Ok(Says::Head { head, place: None });
    }
    let mut note = Vec::new();
    let read = std::fs::File::open(Path::new(target));
    let read = read.and_then(|file| file.take(NOTE_LIMIT as u64 + 1).read_to_end(&mut note));
    read.map_err(|error| {
        CliError::usage(format!("{} is neither a CID nor a file that can be read: {error}", Clean(target)))
            .hint("give a head as `greffe head` prints it, an IPNS name, or a file with a checkpoint")
    })?;
    Ok(Says::Note { note, head: None })
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{ARCHIVE}: {} entries, head {}", shown.entries, shown.head)?;
    for voice in &shown.voices {
        write!(out, "  {:<14} {}", word(voice, shown.entries), Clean(&voice.name))?;
        if let Some(entries) = voice.entries {
            write!(out, ", {entries} entries")?;
        }
        if let Some(reason) = &voice.reason {
            write!(out, ": {}", Clean(reason))?;
        }
        writeln!(out)?;
    }
    for Fork { first, second, evidence } in &shown.forks {
        writeln!(out, "FORKED: {} and {} cannot both be true", Clean(first), Clean(second))?;
        if let Some(path) = evidence {
            writeln!(
                out,
                "  show it to others with `greffe verify-fork {}`",
                Clean(&path.display().to_string())
            )?;
        }
    }
    Ok(())
}

/// How a voice stands to an archive of so many entries.
fn word(voice: &Heard, archive: u64) -> String {
    let apart = voice.entries.map_or(0, |entries| entries.abs_diff(archive));
    match voice.standing {
        Standing::Same => "same".to_owned(),
        Standing::Behind => format!("behind by {apart}"),
        Standing::Ahead => format!("ahead by {apart}"),
        Standing::AheadUnproved => "ahead, unproved".to_owned(),
        Standing::Forked => "FORKED".to_owned(),
        Standing::AnotherChain => "another chain".to_owned(),
        Standing::Unsigned => "not signed".to_owned(),
        Standing::Silent => "says none".to_owned(),
        Standing::Unreachable => "unreachable".to_owned(),
    }
}
